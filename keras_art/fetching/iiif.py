"""IIIF Presentation manifests and collections, versions 2 and 3, as a table with one row per image."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from keras_art.errors import UserError
from keras_art.fetching.downloads import Downloader

DUBLIN_CORE = {
    "contributor", "coverage", "creator", "date", "description", "format", "identifier", "language", "publisher",
    "relation", "rights", "source", "subject", "title", "type",
}  # fmt: skip
OURS = ("id", "image", "url", "manifest", "canvas", "rights")
DEEPEST = 8  # collections within collections

Page = dict[str, str]


class BadManifest(UserError):
    """It is no IIIF manifest; the message says what is missing."""


def is_manifest(name: str) -> bool:
    """Whether a name given to `fetch` means a manifest and not a card."""
    return name.endswith(".json") or name.startswith(("http://", "https://"))


def folder_name(name: str) -> str:
    """What the collection of a manifest is called: the telling part of its address or file name."""
    parts = [part for part in re.split("[/?]", name) if part and part not in ("manifest", "manifest.json", "info.json")]
    return re.sub("[^A-Za-z0-9._-]+", "_", parts[-1].removesuffix(".json"))[:80].strip("._") or "manifest"


def read(
    name: str,
    downloader: Downloader,
    root: Path,
    longest_side: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Page]:
    """Every image of a manifest, or of all manifests of a collection.

    Args:
        name: a file or an address; what is fetched is kept in ROOT/NAME/manifests.
        longest_side: what image servers are asked for, in pixels: masters are larger than anything needs.

    Returns:
        For each image `id`, `image` (the file it belongs in), `url`, `manifest`, `canvas`, `rights`, and the metadata:
        fields called like one of Dublin Core's as `dc:NAME`, others as the manifest calls them.

    Raises:
        BadManifest: a file is no JSON, or no manifest.
        NotFetched: an address does not answer.
    """
    folder = root.expanduser() / folder_name(name) / "manifests"

    def load(address: str) -> dict[str, Any]:
        path = Path(address)
        if address.startswith(("http://", "https://")):
            path = folder / f"{folder_name(address)}-{hashlib.sha256(address.encode()).hexdigest()[:8]}.json"
            downloader.fetch([address], path)
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise BadManifest(f"{address} is no IIIF manifest: {error}") from error
        if not isinstance(content, dict) or _kind(content) not in ("Manifest", "Collection"):
            raise BadManifest(f"{address} is JSON, but neither an IIIF manifest nor a collection of them")
        return content

    manifests = list(_manifests(load(name), load, DEEPEST))
    pages: list[Page] = []
    used: dict[str, str] = {}
    for number, manifest in enumerate(manifests, 1):
        address = _id(manifest)
        stem = folder_name(address or name)
        if used.setdefault(stem, address) != address:  # two museums may number alike
            stem = f"{stem}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"
        about = {"manifest": address, "rights": _rights(manifest), "dc:title": _text(manifest.get("label"))}
        about |= _metadata(manifest)
        for i, canvas in enumerate(_canvases(manifest)):
            url = _image(canvas, longest_side)
            id_ = f"{stem}-{i + 1:04d}"
            page = {"id": id_, "image": f"images/{id_}.jpg", "url": url, "canvas": _id(canvas)}
            pages.append(page | about | _metadata(canvas))
        progress(number, len(manifests))
    found = [page for page in pages if page["url"]]
    if not found:
        raise BadManifest(f"{name} lists no images: none of its {len(pages)} canvases has one painted on it")
    return found


def labels(pages: list[Page]) -> str:
    """The pages as a CSV, the columns that all have in front."""
    columns = dict.fromkeys([*OURS, *(name for page in pages for name in page)])
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(pages)
    return text.getvalue()


def _manifests(content: dict[str, Any], load: Callable[[str], dict[str, Any]], depth: int) -> Iterator[dict[str, Any]]:
    if _kind(content) == "Manifest":
        yield content
        return
    if depth == 0:
        raise BadManifest(f"{_id(content)} holds collections within collections, more than {DEEPEST} deep")
    for name in ("manifests", "members", "collections", "items"):
        for member in content.get(name) or []:
            yield from _manifests(load(_id(member)), load, depth - 1)


def _kind(thing: dict[str, Any]) -> str:
    return str(thing.get("type") or thing.get("@type") or "").removeprefix("sc:")


def _id(thing: dict[str, Any]) -> str:
    return str(thing.get("id") or thing.get("@id") or "")


def _canvases(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    sequences = manifest.get("sequences") or []
    return manifest.get("items") or [canvas for part in sequences[:1] for canvas in part.get("canvases") or []]


def _image(canvas: dict[str, Any], longest_side: int) -> str:
    """The address of the first image painted on a canvas, no larger than asked for where its server can scale."""
    bodies = [image.get("resource") for image in canvas.get("images") or []]
    for page in canvas.get("items") or []:
        bodies += [note.get("body") for note in page.get("items") or []]
    for body in bodies:
        body = body[0] if isinstance(body, list) and body else body
        if isinstance(body, dict) and _kind(body) in ("Choice", "oa:Choice"):
            body = (body.get("items") or [body.get("default")])[0]
        if not isinstance(body, dict):
            continue
        services = body.get("service") or []
        service = services[0] if isinstance(services, list) and services else services
        if service and "level0" not in json.dumps(service.get("profile", "")):
            return f"{_id(service).rstrip('/')}/full/!{longest_side},{longest_side}/0/default.jpg"
        return _id(body)
    return ""


def _rights(thing: dict[str, Any]) -> str:
    statement = thing.get("requiredStatement") or {}
    texts = [thing.get("rights"), thing.get("license"), thing.get("attribution"), statement.get("value")]
    return "; ".join(filter(None, map(_text, texts)))


def _metadata(thing: dict[str, Any]) -> Page:
    found: Page = {}
    for pair in thing.get("metadata") or []:
        name, value = _text(pair.get("label")), _text(pair.get("value"))
        name = f"dc:{name.lower()}" if name.lower() in DUBLIN_CORE else name
        if name and value:
            name = f"{name}_" if name in OURS else name
            found[name] = f"{found[name]}; {value}" if name in found else value
    return found


def _text(value: Any) -> str:
    """Text of any version: a string, a list, {"@value": ...}, or languages, of which English goes first."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "; ".join(filter(None, map(_text, value)))
    if isinstance(value, dict):
        if "@value" in value:
            return _text(value["@value"])
        return _text(value.get("en") or value.get("none") or next(iter(value.values()), ""))
    return html.unescape(re.sub("<[^>]*>", "", str(value))).strip()

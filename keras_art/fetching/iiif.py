"""IIIF Presentation manifests and collections, versions 2 and 3, as a table with one row per image."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_art.fetching.connections import server
from keras_art.fetching.downloads import Downloader, NotFetched
from keras_art.fetching.metadata import OURS, clean, metadata, rights, text
from keras_art.fetching.services import Painted, Thing, id_of, kind_of, painted, things
from keras_art.writing import inert, numbered, slug

MEMBERS = ("manifests", "members", "collections", "items")
PAGED = ("first", "next")  # of a collection in parts


class BadManifest(NotFetched):
    """It is no IIIF manifest; the message says what is missing."""


@dataclass(frozen=True)
class Extent:
    """How much of a collection is read; whoever meets one is told the flag of `fetch` that raises it."""

    images: int = 0  # 0: all
    depth: int = 8  # collections within collections
    manifests: int = 10_000


@dataclass(frozen=True)
class Page:
    """One image: its row of the table, without the file, and the picture."""

    row: dict[str, str]
    picture: Painted


@dataclass(frozen=True)
class _Member:
    """What is to be read: an address, and where relative ones begin (None: it came from a server)."""

    address: str
    home: Path | None
    depth: int = 0
    content: Thing | None = None  # where its collection holds it whole


def is_manifest(name: str) -> bool:
    """Whether a name given to `fetch` means a manifest and not a card."""
    return name.endswith(".json") or "://" in name or Path(name).is_file()


def folder_name(name: str) -> str:
    """What the collection of a manifest is called: the telling part of its address, and a digest of all of it."""
    return f"{_telling(name)}-{_digest(name if '://' in name else str(Path(name).resolve()))}"


def read(
    name: str,
    downloader: Downloader,
    folder: Path,
    extent: Extent = Extent(),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Page], list[tuple[str, str]]]:
    """Every image of a manifest, or of all manifests of a collection.

    Args:
        name: a file or an address.
        downloader: where its `servers` are bounded, those that `name` and its content name are added.
        folder: keeps what is fetched. Members are asked for again once FOLDER/../fetched.json is newer.

    Returns:
        Its pages. A row has `id` (the same whatever stands before it), `object_id` (of all pages of a manifest), `url`,
        `manifest`, `canvas`, `rights`, and the metadata: fields called like one of Dublin Core's as `dc:NAME`, others
        as the manifest calls them.
        And (address, reason) of members that could not be read.

    Raises:
        BadManifest: `name` is no JSON, no manifest, or lists no images.
        NotFetched: its address does not answer.
    """
    pages: list[Page] = []
    dead: list[tuple[str, str]] = []
    waiting = [_Member(name, Path())]
    seen: set[str] = set()
    empty = count = 0
    while waiting and not (extent.images and len(pages) >= extent.images):
        member = waiting.pop()
        if member.content is None and member.address in seen:
            continue
        seen.add(member.address)
        count += 1
        try:
            if count > extent.manifests:
                raise BadManifest(
                    f"not read: more than {extent.manifests:,} manifests and collections, --max_manifests reads further"
                )
            if member.depth > extent.depth:
                raise BadManifest(f"not read: collections more than {extent.depth} deep, --max_depth reads further")
            content = member.content or _load(member, downloader, folder, dead)
            if count == 1 and downloader.servers is not None:
                downloader.servers = {*downloader.servers, *_servers(content)}
            if kind_of(content) == "Manifest":
                found, without = _pages(content, member.address)
                pages += found
                empty += without
            else:
                waiting += reversed(_members(content, member))
        except (NotFetched, RecursionError) as error:
            if count == 1:
                raise error if isinstance(error, NotFetched) else BadManifest(f"{name} is nested too deeply") from None
            dead.append((member.address, str(error)))
            if count > extent.manifests:
                break
        progress(count, count + len(waiting))
    if not pages and not dead:
        raise BadManifest(f"{name} lists no images: none of its {empty} canvases has one painted on it")
    for page, id_ in zip(pages, numbered(page.row["id"] for page in pages), strict=True):
        page.row["id"] = id_
    return pages[: extent.images or None], dead


def labels(rows: list[dict[str, str]]) -> str:
    """Rows as a CSV, the columns that all have in front."""
    columns = dict.fromkeys([*OURS, *(name for row in rows for name in row)])
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, columns, restval="", lineterminator="\n")
    writer.writerow({name: inert(name) for name in columns})
    writer.writerows({name: inert(cell) for name, cell in row.items()} for row in rows)
    return table.getvalue()


def json_of(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        BadManifest: it holds none.
    """
    try:
        if not path.is_file():  # a pipe would be waited for
            raise FileNotFoundError("no such file")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadManifest(f"it is no JSON ({error})") from error
    if not isinstance(content, dict):
        raise BadManifest("it is JSON, but no object")
    return content


def _load(member: _Member, downloader: Downloader, folder: Path, dead: list[tuple[str, str]]) -> Thing:
    """A manifest or collection, from a file beside the one that names it, or from a server."""
    address = member.address

    def checked(path: Path) -> dict[str, Any]:
        content = json_of(path)
        if kind_of(content) not in ("Manifest", "Collection", "CollectionPage"):
            raise BadManifest("it is JSON, but neither an IIIF manifest nor a collection of them")
        return content

    if "://" not in address:
        if member.home is None:
            raise BadManifest(f"{address!r} is no address, and what a server names is never a file of this machine")
        try:
            return checked(member.home / address)
        except BadManifest as error:
            raise BadManifest(f"{address}: {error}") from error
    path, done = folder / f"{_telling(address)}-{_digest(address)}.json", folder.parent / "fetched.json"
    fresh = path.exists() and not (done.exists() and path.stat().st_mtime_ns <= done.stat().st_mtime_ns)
    if member.depth and fresh:  # of a fetch that was stopped
        return checked(path)
    content: dict[str, Any] = {}

    def place(part: Path) -> Path:
        content.update(checked(part))
        return path

    try:
        downloader.fetch([address], path.with_suffix(".new"), place=place)
    except NotFetched as error:
        if not path.exists():
            raise
        dead.append((address, f"{error}; what it was before is taken"))
        return checked(path)
    return content


def _members(content: Thing, parent: _Member) -> list[_Member]:
    """What a collection holds, in its order."""
    home = parent.home / os.path.dirname(parent.address) if parent.home and "://" not in parent.address else None
    found = []
    for name in (*MEMBERS, *PAGED):
        listed = content.get(name)
        for thing in listed if isinstance(listed, list) else [listed]:
            thing = {"id": thing} if isinstance(thing, str) else thing
            if isinstance(thing, dict) and (id_of(thing) or _holds(thing)):
                depth = parent.depth + (name not in PAGED)
                found.append(_Member(id_of(thing), home, depth, thing if _holds(thing) else None))
    return found


def _holds(thing: Thing) -> bool:
    return any(isinstance(thing.get(name), list) and thing[name] for name in (*MEMBERS, "sequences"))


def _servers(content: Thing) -> set[str]:
    """Those that a document names as the address of anything it consists of."""
    origins, left = set(), [content]
    while left:
        for name, value in left.pop().items():
            if name in ("id", "@id", "first", "next") and isinstance(value, str):
                origins.add("/".join(value.split("/")[:3]))
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict):
                    left.append(inner)
                elif isinstance(inner, str) and name in (*MEMBERS, "body", "source", "resource"):
                    origins.add("/".join(inner.split("/")[:3]))
    return {server(origin) for origin in origins} - {""}


def _pages(manifest: Thing, address: str) -> tuple[list[Page], int]:
    """The pages of a manifest, and how many of its canvases have no picture."""
    home = address if "://" in address else id_of(manifest) or address
    own = clean(id_of(manifest) or address)
    about = {"object_id": clean(home), "manifest": own, "rights": rights(manifest)}  # its pages are views of one object
    about |= {"dc:title": text(manifest.get("label"))} | metadata(manifest)
    pages, empty = [], 0
    for canvas in _canvases(manifest):
        picture = next(filter(None, map(painted, _bodies(canvas))), None)
        if picture is None:
            empty += 1
            continue
        digest = _digest("\n".join((home, id_of(canvas), picture.source, picture.region)))
        row = {"id": f"{_telling(own)}-{digest}", "image": "", "url": clean(picture.source)}
        pages.append(Page(row | about | {"canvas": clean(id_of(canvas))} | metadata(canvas), picture))
    return pages, empty


def _canvases(manifest: Thing) -> list[Thing]:
    items = things(manifest.get("items")) or things(manifest.get("sequences"))[:1]
    return [canvas for item in items for canvas in things(item.get("canvases")) or [item]]


def _bodies(canvas: Thing) -> Iterator[Any]:
    for image in things(canvas.get("images")):
        yield image.get("resource")
    for page in things(canvas.get("items")):
        for note in things(page.get("items")):
            yield note.get("body")


def _telling(name: str) -> str:
    """The part of an address or file name that tells a person most."""
    parts = [part for part in re.split("[/?]", name) if part and part not in ("manifest", "manifest.json", "info.json")]
    return slug(parts[-1].removesuffix(".json") if parts else "", 60).strip("._") or "manifest"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]

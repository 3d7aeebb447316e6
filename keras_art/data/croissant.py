"""Croissant, MLCommons' description of datasets in JSON-LD: others' become cards, ours are written by `mlcroissant`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from keras_art.data.cards import DatasetCard
from keras_art.data.collection import BadCollection
from keras_art.data.readers.files import is_image
from keras_art.data.readers.spreadsheets import TABLES
from keras_art.errors import UserError
from keras_art.writing import slug

if TYPE_CHECKING:
    import pandas as pd

MIME = {".csv": "text/csv", ".json": "application/json", ".zip": "application/zip", ".parquet": "application/x-parquet"}
Node = Mapping[str, Any]


def read(path: Path) -> Node | None:
    """What a Croissant file says, None where a JSON file is none."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadCollection(f"{path} is no JSON: {error}") from error
    if not isinstance(content, dict) or not content.get("distribution"):
        return None
    return content if "croissant" in json.dumps([content.get("@context"), content.get("conformsTo")]) else None


def card_of(content: Node, folder: Path) -> DatasetCard:
    """A card by what a Croissant file says; its reader takes the table, or the class folders, that lie in `folder`.

    Of several tables the one counts from which the record sets take most columns.

    Raises:
        BadCollection: a table that is there is not the one that was described.
    """
    nodes = _nodes(content["distribution"])
    files = [node for node in nodes if _kind(node) == "FileObject"]
    sources = [
        source
        for record_set in _nodes(content.get("recordSet"))
        for field in _nodes(record_set.get("field"))
        for source in _nodes(field.get("source"))
        if any("column" in extract for extract in _nodes(source.get("extract")))
    ]
    uses = [_name(source.get("fileObject") or source.get("fileSet")) for source in sources]
    tables = [file for file in files if _suffix(file) in TABLES]
    signs = []
    for file in sorted(tables, key=lambda file: -uses.count(_name(file))):
        if place := _here(file, folder):
            said = _text(file.get("sha256"))
            if said and hashlib.sha256((folder / place).read_bytes()).hexdigest() != said:
                raise BadCollection(f"{folder / place} is not the file that was described: its SHA-256 is another")
            signs.append(place)
        else:
            signs += _places(file)
    patterns = [text for node in nodes if _kind(node) == "FileSet" for text in map(_text, _list(node.get("includes")))]
    images = [text for text in patterns if is_image(text.replace("*", "x")) and _is_inside(text)]
    title, url = _text(content.get("name")) or "unnamed", _text(content.get("url"))
    remote = [file for file in files if urlsplit(_text(file.get("contentUrl"))).scheme in ("http", "https")]
    return DatasetCard(
        name=slug(title).lower(),
        title=title,
        source=url,
        licence=", ".join(map(_text, _list(content.get("license")))) or "nothing said",
        obtain=f"{_text(content.get('description'))}\n\nIt is to be had from {url or 'whoever described it'}.".strip(),
        layout="\n".join([*(name for file in files for name in _places(file)[:1]), *patterns]),
        citation=_text(content.get("citeAs")) or _text(content.get("citation")) or "nothing said",
        signs=list(dict.fromkeys(signs)) or images,
        images=list(dict.fromkeys(re.sub("/?[^/]*[*].*", "", text) or "." for text in images)),
        files=[
            {"path": _places(file)[0], "urls": [_text(file["contentUrl"])], "sha256": _text(file["sha256"])}
            for file in remote
            if file.get("sha256")
        ],
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _nodes(value: Any) -> list[Node]:
    return [node for node in _list(value) if isinstance(node, dict)]


def _text(value: Any) -> str:
    """A plain text of what JSON-LD may write as one, as a node, or in several languages."""
    value = _list(value)[0] if _list(value) else ""
    if isinstance(value, dict):
        value = value.get("@value") or value.get("name") or value.get("url") or value.get("@id") or ""
    return " ".join(str(value).split())


def _kind(node: Node) -> str:
    return re.split("[:/#]", _text(node.get("@type")))[-1]


def _name(node: Any) -> str:
    """By what a node is referred to: its id, or before Croissant 1.0 its name."""
    return _text(node.get("@id") or node.get("name")) if isinstance(node, dict) else _text(node)


def _places(file: Node) -> list[str]:
    """Where a file may lie, relative to the folder: as it is addressed, else by its name there, or its own."""
    address = _text(file.get("contentUrl"))
    whole = "" if urlsplit(address).scheme else address.removeprefix("./")
    names = [whole, PurePosixPath(urlsplit(address).path).name, PurePosixPath(_text(file.get("name"))).name]
    return list(dict.fromkeys(filter(_is_inside, names))) or ["unnamed"]


def _is_inside(place: str) -> bool:
    return bool(place) and not place.startswith("/") and ".." not in PurePosixPath(place).parts


def _here(file: Node, folder: Path) -> str:
    return next((place for place in _places(file) if (folder / place).is_file()), "")


def _suffix(file: Node) -> str:
    return PurePosixPath(_places(file)[0]).suffix.lower()


def write_toml(card: DatasetCard) -> str:
    """A card that was read as its file."""
    head = ("title", "source", "licence", "obtain", "layout", "citation", "signs", "images")
    lines = [f"{name} = {_toml(getattr(card, name))}" for name in head]
    for file in card.files:
        lines += ["", "[[files]]", *(f"{name} = {_toml(value)}" for name, value in file.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")  # JSON's texts and lists are TOML's too


def described(card: DatasetCard, table: pd.DataFrame | None, file: str, content: bytes) -> str:
    """A Croissant file of a card, and, where there is one, of the table that lies beside it.

    Args:
        table: id, image and the label columns, as `manifests` writes them.
        file: its name.
        content: its bytes.

    Raises:
        UserError: mlcroissant is not installed.
    """
    try:
        import mlcroissant as mlc
    except ImportError as error:
        raise UserError("Croissant is written by mlcroissant: pip install 'keras_art[croissant]'") from error
    files = [(entry["path"], entry["urls"][0], entry["sha256"]) for entry in card.files]
    files += [(file, file, hashlib.sha256(content).hexdigest())] if table is not None else []
    metadata = mlc.Metadata(
        name=card.name,
        description=card.title,
        url=card.source or None,
        license=[card.licence],
        cite_as=card.citation or None,
        version="1.0.0",
        distribution=[
            mlc.FileObject(
                id=path, name=path, content_url=url, sha256=sha256,
                encoding_formats=[MIME.get(PurePosixPath(path).suffix.lower(), "application/octet-stream")],
            )
            for path, url, sha256 in files
        ],
        record_sets=[]
        if table is None
        else [
            mlc.RecordSet(
                id="images", name="images",
                fields=[
                    mlc.Field(
                        id=f"images/{number}", name=column, data_types=[mlc.DataType.TEXT],
                        source=mlc.Source(file_object=file, extract=mlc.Extract(column=column)),
                    )
                    for number, column in enumerate(table.columns)
                ],
            )
        ],
    )  # fmt: skip
    return json.dumps(metadata.to_json(), indent=1, ensure_ascii=False, default=str)

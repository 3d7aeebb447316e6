"""What manifests say of their pictures, as cells of a table."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Any

from keras_art.data.readers.split_columns import SPLIT_COLUMNS
from keras_art.data.readers.tables import IMAGE_COLUMNS
from keras_art.fetching.services import Thing, things

DUBLIN_CORE = {
    "contributor", "coverage", "creator", "date", "description", "format", "identifier", "language", "publisher",
    "relation", "rights", "source", "subject", "title", "type",
}  # fmt: skip
OURS = ("id", "object_id", "image", "url", "manifest", "canvas", "rights")
TAKEN = {*OURS, *IMAGE_COLUMNS, *SPLIT_COLUMNS}  # a museum's own ID is not the id of our row


def rights(thing: Thing) -> str:
    """Licence, attribution and required statement of a manifest."""
    statement = next(iter(things(thing.get("requiredStatement"))), {})
    texts = [thing.get("rights"), thing.get("license"), thing.get("attribution"), statement.get("value")]
    return "; ".join(filter(None, map(text, texts)))


def metadata(thing: Thing) -> dict[str, str]:
    """Column -> text of a manifest's or canvas's metadata.

    Fields called like one of Dublin Core's are `dc:NAME`; one called like a column of ours, or like one by which tables
    name images and splits, has `_` behind it; others are as the manifest calls them.
    """
    found: dict[str, str] = {}
    for pair in things(thing.get("metadata")):
        name, value = text(pair.get("label")), text(pair.get("value"))
        name = f"dc:{name.lower()}" if name.lower() in DUBLIN_CORE else name
        name = f"{name}_" if name.lower() in TAKEN else name
        if name and value:
            found[name] = f"{found[name]}; {value}" if name in found else value
    return found


def text(value: Any) -> str:
    """Text of any version: a string, a list, {"@value": ...}, or languages, of which English goes first."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "; ".join(filter(None, map(text, value)))
    if isinstance(value, dict):
        if "@value" in value:
            return text(value["@value"])
        return text(value.get("en") or value.get("none") or next(iter(value.values()), ""))
    return clean(html.unescape(re.sub("<[^<>]*>", "", str(value))))


def clean(text: str) -> str:
    """One line that any table holds: no line ends, no control characters, no halves of a surrogate pair."""
    return " ".join("".join(" " if unicodedata.category(sign) in ("Cc", "Cs") else sign for sign in text).split())

"""What every reader makes: one table of images and of what is said about them, and a quarantine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_art.data import cards
from keras_art.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
OWN_COLUMNS = ("id", "path", "bytes", "split")
NO_IMAGE = "labelled, but no such image"
NO_LABEL = "image without a label"


class BadCollection(UserError, ValueError):
    """The collection can not be read; the message says what to change."""


@dataclass(frozen=True)
class Collection:
    """A collection as read, before anything is chosen from it.

    Attributes:
        table: one row per labelled image that exists, columns `id`, `path` (absolute), `bytes` (the file's size),
            `split` ("train", "val", "test" or "") and any number of label columns, all text; sorted by id. Where tasks
            bring splits of their own, `split_TARGET` goes before `split`.
        quarantine: one row (id, path, reason) per label without an image and image without a label.
        card: the card it was read by, if any.
    """

    name: str
    table: pd.DataFrame
    quarantine: pd.DataFrame
    card: cards.DatasetCard | None = None

    @property
    def targets(self) -> list[str]:
        """The label columns."""
        columns = [column for column in self.table.columns if column not in OWN_COLUMNS]
        return [column for column in columns if column.removeprefix("split_") == column or column[6:] not in columns]


def collect(
    name: str,
    columns: Mapping[str, Sequence[str]],
    problems: Iterable[tuple[str, str, str]] = (),
    card: cards.DatasetCard | None = None,
    *,
    need_images: bool = True,
) -> Collection:
    """Makes the collection of columns as long as each other: `id`, `path` ("" where no file is), `split`, the labels.

    Rows without a file go to the quarantine, unless `need_images` is False: the labels alone are then the collection.

    Raises:
        BadCollection: two rows have one id.
    """
    import pandas as pd

    table = pd.DataFrame({"id": columns["id"], "path": columns["path"]}, dtype=str)
    table["bytes"] = [size_of(path) if path else -1 for path in table["path"]]
    table["split"] = pd.Series(columns.get("split", ""), table.index, dtype=str)
    for label, values in columns.items():
        if label not in OWN_COLUMNS:
            table[label] = pd.Series(values, table.index, dtype=str)
    rows = list(problems)
    if need_images:
        absent = table["bytes"] < 0
        rows += [(id_, path, NO_IMAGE) for id_, path in zip(table["id"][absent], table["path"][absent], strict=True)]
        table = table[~absent]
    if (twice := table["id"][table["id"].duplicated()].unique()).size:
        raise BadCollection(
            f"{name}: {len(twice)} ids stand in more than one row, first {twice[0]!r}; ids must be unique"
        )
    return Collection(name, table.sort_values("id", ignore_index=True), quarantined(rows), card)


def quarantined(rows: Iterable[tuple[str, str, str]]) -> pd.DataFrame:
    """Rows of (id, path, reason) as a table of text."""
    import pandas as pd

    return pd.DataFrame([tuple(map(utf8, row)) for row in rows], columns=["id", "path", "reason"], dtype=str)


def size_of(path: str) -> int:
    """A file's size in bytes, -1 where there is none (or a link to nothing)."""
    try:
        return os.path.getsize(path)
    except OSError:
        return -1


def utf8(name: str) -> str:
    """The name of a file as text files can hold it: bytes that are not UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode()


def described_by(columns: Iterable[str]) -> list[str]:
    """Those that say whose an object is and what is known of it: Dublin Core, rights, and where IIIF has it."""
    known = ("rights", "license", "licence", "url", "manifest", "canvas")
    return [name for name in columns if re.match(r"dc(terms)?[:._]", name.lower()) or name.lower() in known]

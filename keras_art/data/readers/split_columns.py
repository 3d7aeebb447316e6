"""The split that a table gives: by a column, whatever it is called, or by the folders of its pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from keras_art import terminal
from keras_art.data.collection import BadCollection, of_several, split_of
from keras_art.data.readers.folders import splits_within
from keras_art.pictures.places import whole

if TYPE_CHECKING:
    import pandas as pd

MOST_NAMES = 12  # for train, val and test in a column: `Train`, `training`, ...
SPLIT_COLUMNS = ("split", "set", "subset", "partition")
LIKE_SPLITS = (*SPLIT_COLUMNS, "fold", "is_train")  # whose owner means a split, whatever they say


def is_split(cells: pd.Series) -> bool:
    """Whether a column gives a split: one of its texts is train, or two are splits, whatever the others are."""
    meant = ["train" if of_several(text) else split_of(text) for text in cells.unique() if text]
    return "train" in meant or len({*meant} - {""}) > 1 or all(meant)


def split_column_of(raw: pd.DataFrame, named: list[str], path: Path) -> str | None:
    """The column that gives the split.

    Raises:
        BadCollection: there are two, and they differ.
    """
    given = [column for column in named if is_split(raw[column])]
    for other in given[1:]:
        if splits_of(raw[other], path) != splits_of(raw[given[0]], path):
            raise BadCollection(f"{path}: the columns {given[0]} and {other} give two different splits: rename one")
    return given[0] if given else None


def unnamed_split(raw: pd.DataFrame, path: Path) -> str | None:
    """A column that gives the split, as all its texts say, and is not called so; what only its name says is told.

    Raises:
        BadCollection: there are two, and they differ.
    """
    texts = {column: {*raw[column]} - {""} for column in raw.columns}
    meant = {column: {split_of(text) for text in found} for column, found in texts.items() if len(found) <= MOST_NAMES}
    # `split_style` is the split of a task of its own.
    clear = [column for column, found in meant.items() if {"train", "test"} <= found and "" not in found]
    if found := split_column_of(raw, [column for column in clear if column.partition("_")[2] not in texts], path):
        terminal.say(f"{path}: the column {found!r} gives the split, as what it says is train, val and test")
    elif unclear := next((column for column in texts if column.lower() in LIKE_SPLITS and texts[column]), None):
        said = ", ".join(map(repr, sorted(texts[unclear])[:3]))
        terminal.say(f"{path}: the column {unclear!r} says {said}, not train, val and test: it is a label like others")
    return found


def splits_of(cells: pd.Series, path: Path) -> list[str]:
    """What a column says, blanks kept.

    Raises:
        BadCollection: naming what is no split.
    """
    meant = cells.map({text: split_of(text) for text in cells.unique()})
    if (odd := cells[(meant == "") & (cells != "")].value_counts()).size:
        said = ", ".join(f"{text!r} ({count} rows)" for text, count in odd.head(5).items())
        raise BadCollection(
            f"{path}: the column {cells.name} gives the split, and says {said}, which is none of train, val, test: "
            f"correct it, or leave those rows out; if the column is no split, call it otherwise"
        )
    return meant.tolist()


def split_by_folder(paths: list[str]) -> list[str]:
    """The split of each image by the folders in which it stands apart from others, "" where it stands in none."""
    parents = [os.path.dirname(path) for path in paths]
    if not any(parents):
        return parents
    common = whole(os.path.commonpath(list(filter(None, parents))))
    return splits_within(common, [parent[len(common) :].strip(os.sep).split(os.sep) for parent in parents])

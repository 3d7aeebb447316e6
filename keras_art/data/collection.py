"""What every reader makes: a table of images, one of what is said about them, and a quarantine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art.data import cards
from keras_art.errors import UserError
from keras_art.pictures.places import is_address, whole
from keras_art.writing import one_line

if TYPE_CHECKING:
    import pandas as pd

SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val", "development": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
ERRORS = {  # of spreadsheets: nothing is known
    "#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!",
    "#CONNECT!", "#UNKNOWN!", "#BUSY!", "#GETTING_DATA", "Err:502", "Err:504", "Err:508", "Err:522",
}  # fmt: skip
BESIDE = ("", "set", "sets", "data", "dataset", "split", "image", "images", "img", "imgs", "picture", "pictures")
NO_IMAGE = "labelled, but no such image"
NO_NAME = "labelled, but its row names no image"
NO_LABEL = "image without a label"


def split_of(text: str) -> str:
    """The split that a folder's name or a cell means: `Train`, `training_set`, `valImages`, `test2017`; "" for none."""
    words, kinds = _words(text)
    return kinds.pop() if len(kinds) == 1 and all(word in SPLITS or word in BESIDE for word in words) else ""


def like_split(text: str) -> str:
    """The split that a name speaks of, whatever else it says: `test_standardized`; "" for none, or several."""
    kinds = _words(text)[1]
    return kinds.pop() if len(kinds) == 1 else ""


def of_several(text: str) -> bool:
    """Whether a name speaks of more splits than one: `trainval`, `train+val`."""
    return len(_words(text)[1]) > 1


def _words(text: str) -> tuple[list[str], set[str]]:
    """The words of a name, and the splits that are among them."""
    words: list[str] = []
    for word in re.split(r"[\W\d_]+", text.lower()):
        front = next((word.removesuffix(end) for end in BESIDE[1:] if word.removesuffix(end) in SPLITS), word)
        both = next(([one, word.removeprefix(one)] for one in SPLITS if word.removeprefix(one) in SPLITS), [front])
        words += [word] if word in SPLITS else both
    return words, {SPLITS[word] for word in words if word in SPLITS}


class BadCollection(UserError, ValueError):
    """The collection can not be read; the message says what to change."""


@dataclass(frozen=True)
class Collection:
    """A collection as read, before anything is chosen from it: two tables of the same rows.

    Attributes:
        images: what we know, one row per labelled image that exists: `id`; `path`, with slashes, relative to `root`
            where it lies below it, a shard's members as if that were a folder; `object`, the id of the work; `split`
            ("train", "val", "test" or ""); `bytes`, the file's size, of a row of Parquet the shard's. Sorted by id.
        columns: what is said about them, all text, under whatever names its owner gave.
        quarantine: one row (id, path, reason) per label without an image and image without a label.
        root: the collection's folder, or its address.
        splits: label column -> a split of its own, for tasks that bring one.
        card: the card it was read by, if any.

    `load_collection` reads one.

    >>> import pandas as pd
    >>> images = pd.DataFrame({"id": ["1"], "path": ["1.png"], "object": ["1"], "split": [""], "bytes": [100]})
    >>> Collection("mine", images, pd.DataFrame({"artist": ["A. Nonymous"]}), pd.DataFrame()).targets
    ['artist']
    """

    name: str
    images: pd.DataFrame
    columns: pd.DataFrame
    quarantine: pd.DataFrame
    root: Path = Path()
    splits: dict[str, pd.Series] = field(default_factory=dict)
    card: cards.DatasetCard | None = None

    @property
    def targets(self) -> list[str]:
        """The label columns."""
        return list(self.columns.columns)

    def paths(self) -> list[str]:
        """Where each image lies, as `located` has it."""
        return located(self.root, self.images["path"].tolist())

    def take(self, rows: Any) -> Collection:
        """The same collection with some of its rows, by position, in the order they are given."""
        return replace(
            self,
            images=self.images.iloc[rows].reset_index(drop=True),
            columns=self.columns.iloc[rows].reset_index(drop=True),
            splits={target: split.iloc[rows].reset_index(drop=True) for target, split in self.splits.items()},
        )


def located(root: str | Path, paths: Iterable[str]) -> list[str]:
    """The absolute paths of what a table names relative to a root; "" stays, as does what is absolute already."""
    folder = whole(root)
    far = is_address(folder)

    def one(path: str) -> str:
        if is_address(path):
            return whole(path)
        return f"{folder.rstrip('/')}/{path}" if far else os.path.normpath(os.path.join(folder, path))

    return [one(path) if path else "" for path in paths]


def collect(
    name: str,
    ours: Mapping[str, Sequence[Any]],
    columns: Mapping[str, Sequence[str]],
    problems: Iterable[tuple[str, str, str]] = (),
    *,
    root: Path,
    splits: Mapping[str, Sequence[str]] | None = None,
    card: cards.DatasetCard | None = None,
    need_images: bool = True,
) -> Collection:
    """Makes a collection of columns as long as each other; labels lose surrounding blanks, and accents are composed.

    Rows without a file go to the quarantine, unless `need_images` is False: the labels alone are then the collection.

    Args:
        ours: `id`, `path` (absolute, "" where no file is) and, where they are known, `split`, `object`, and `bytes`.
        columns: the label columns.
        splits: label column -> a split of its own.

    Raises:
        BadCollection: two rows have one id.
    """
    import pandas as pd

    images = pd.DataFrame({"id": ours["id"], "path": ours["path"]}, dtype=str)
    images["object"] = pd.Series(ours.get("object", images["id"]), images.index, dtype=str)
    images["split"] = pd.Series(ours.get("split", ""), images.index, dtype=str)
    images["bytes"] = ours.get("bytes") or [size_of(path) if path else -1 for path in ours["path"]]
    rows = list(problems)
    taken = images.index
    if need_images:
        absent = images["bytes"] < 0
        rows += [(id_, path, NO_IMAGE) for id_, path in zip(images["id"][absent], images["path"][absent], strict=True)]
        taken = images.index[~absent]
    ids = images["id"][taken]
    if (twice := ids[ids.duplicated()].unique()).size:
        raise BadCollection(
            f"{name}: of {len(twice)} ids there is more than one row, first {twice[0]!r}; ids must be unique"
        )
    folder = whole(root)
    images["path"] = [_relative(path, folder) for path in ours["path"]]
    labels = pd.DataFrame({i: pd.Series(values, images.index, dtype=str) for i, values in enumerate(columns.values())})
    # Two spellings of one text, which nobody can tell apart, are one class.
    labels = labels.reindex(images.index).apply(lambda texts: texts.str.strip().str.normalize("NFC"))
    labels = labels.mask(labels.isin(ERRORS), "").set_axis(list(columns), axis=1)
    own = {target: pd.Series(values, images.index, dtype=str) for target, values in (splits or {}).items()}
    return Collection(name, images, labels, quarantined(rows), Path(folder), own, card).take(ids.sort_values().index)


def _relative(path: str, folder: str) -> str:
    """With slashes, relative to `folder` if it lies below."""
    if not path:
        return ""
    if is_address(path):
        return whole(path).removeprefix(f"{folder.rstrip('/')}/")
    below = os.path.abspath(path).removeprefix(f"{folder}{os.sep}")
    return below.replace(os.sep, "/")


def quarantined(rows: Iterable[tuple[str, str, str]]) -> pd.DataFrame:
    """Rows of (id, path, reason) as a table of text."""
    import pandas as pd

    return pd.DataFrame([tuple(map(utf8, row)) for row in rows], columns=["id", "path", "reason"], dtype=str)


def counted(images: pd.DataFrame) -> str:
    """`12 images`, and `of 6 objects` where some have several."""
    objects = images["object"].nunique()
    return f"{len(images):,} images" + (f" of {objects:,} objects" if objects < len(images) else "")


def left_out(quarantine: pd.DataFrame) -> list[str]:
    """What is not used of a collection, in no line or one, for commands that keep no list of it."""
    if not len(quarantine):
        return []
    first = quarantine.iloc[0]
    return [
        f"{len(quarantine):,} in quarantine are left out, first {one_line(first['path'], 120)} ({first['reason']}); "
        f"python -m keras_art doctor names each"
    ]


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

"""A collection of images and what is said about them: one table, whatever it was read from.

The table has the columns `id`, `path` (absolute), `bytes` (the file's size), `split` ("train", "val", "test" or
"") and any number of label columns, all text. Labels join images on ids or file names, never by position.
"""

from __future__ import annotations

import csv
import difflib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keras_art import UserError, cards

if TYPE_CHECKING:
    import pandas as pd

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp"}
IMAGE_COLUMNS = ("image", "file", "filename", "file_name", "path", "image_path", "imageid")
SPLIT_COLUMNS = ("split", "set", "subset", "partition")
SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
OWN_COLUMNS = ("id", "path", "bytes", "split")


class BadCollection(UserError, ValueError):
    """The collection can not be read; the message says what to change."""


@dataclass(frozen=True)
class Collection:
    """A collection as read, before anything is chosen from it.

    Attributes:
        table: one row per labelled image that exists, columns as in the module's docstring, sorted by id.
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
        return [column for column in self.table.columns if column not in OWN_COLUMNS]


def load_collection(data: str | Path, root: str | Path | None = None) -> Collection:
    """Reads a collection from a card's name, a CSV, a folder with `labels.csv`, or a folder of class folders.

    A folder whose class folders stand in `train/`, `val/` (or `dev/`) and `test/` brings its split along. A CSV may
    be separated by `,` `;` or tabs; the column that names the images is found by looking for the files (absolute
    paths, paths relative to the CSV, or file names with or without suffix anywhere below it). A column called split,
    set, subset or partition gives the split.

    Raises:
        BadCollection: nothing usable is there; the message names what was found and the remedy.
        cards.DatasetNotFound: a card's collection whose files are absent.
    """
    path = Path(data).expanduser()
    if path.is_dir():
        if (path / "labels.csv").is_file():
            return _from_csv(path / "labels.csv", name=path.resolve().name)
        return _from_class_folders(path)
    if path.is_file():
        return _from_csv(path, name=path.stem)
    if str(data) in cards.names():
        card = cards.load_card(str(data))
        return _from_csv(card.find(root) / card.labels, name=card.name, card=card)
    near = difflib.get_close_matches(str(data), cards.names(), n=1)
    hint = f"did you mean the card {near[0]!r}?" if near else f"the cards are {', '.join(cards.names())}."
    raise BadCollection(f"{data!r} is neither a folder nor a file nor the name of a card: {hint}")


def list_images(folder: Path) -> list[Path]:
    """Every file below `folder` that is called like an image, sorted; hidden files are passed over.

    Raises:
        BadCollection: when there is none.
    """
    found = [path for path in _walk(folder) if path.suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        raise BadCollection(f"{folder} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith((".", "Thumbs.db")))


def _from_class_folders(root: Path) -> Collection:
    import pandas as pd

    top = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    split_folders = {name: SPLITS[name.lower()] for name in top if name.lower() in SPLITS}
    split_given = {"train", "test"} <= set(split_folders.values())
    rows, strays = [], []
    for path in _walk(root):
        parts = path.relative_to(root).parts
        split = split_folders.get(parts[0], "") if split_given else ""
        depth = 1 if split else 0
        if len(parts) < depth + 2:
            strays.append((path, "stands outside the class folders"))
        elif path.suffix.lower() not in IMAGE_SUFFIXES:
            strays.append((path, f"not called like an image ({path.suffix or 'no suffix'})"))
        else:
            rows.append((path.relative_to(root).as_posix(), str(path.resolve()), split, parts[depth]))
    if not rows:
        raise BadCollection(
            f"{root} holds no class folders with images and no labels.csv. Put the images into one folder per class, "
            f"or write a labels.csv with a column of file names and one column per label."
        )
    table = pd.DataFrame(rows, columns=["id", "path", "split", "label"]).sort_values("id", ignore_index=True)
    table.insert(2, "bytes", [os.path.getsize(path) for path in table["path"]])
    return Collection(root.resolve().name, table, _quarantine((p.name, str(p), why) for p, why in strays))


def _quarantine(rows: Iterable[tuple[str, str, str]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows), columns=["id", "path", "reason"])


def _from_csv(path: Path, name: str, card: cards.DatasetCard | None = None) -> Collection:
    import pandas as pd

    raw = _read_csv(path)
    columns = card.columns if card else {}
    if missing := [column for column in columns.values() if column not in raw.columns]:
        raise BadCollection(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; it has {', '.join(raw.columns)}"
        )
    finder = _Finder(path.parent)
    image_column = columns.get("image") or _image_column(raw, finder, path)
    lower = {column.lower(): column for column in raw.columns}
    id_column = columns.get("id") or lower.get("id") or image_column
    split_column = columns.get("split") or next(
        (lower[c] for c in SPLIT_COLUMNS if c in lower and set(raw[lower[c]].str.lower()) <= {*SPLITS, ""}),
        None,
    )
    ids = raw[id_column]
    if (twice := ids[ids.duplicated()].unique()).size:
        raise BadCollection(
            f"{path}: {len(twice)} value{'s' * (len(twice) > 1)} of the column {id_column!r} stand in more than one "
            f"row, first {twice[0]!r}; ids must be unique, so drop or rename the duplicates"
        )
    table = pd.DataFrame({"id": ids, "path": finder.paths(raw[image_column])})
    table["bytes"] = [os.path.getsize(found) if found else -1 for found in table["path"]]
    table["split"] = raw[split_column].str.lower().map({**SPLITS, "": ""}) if split_column else ""
    targets = {ours: theirs for ours, theirs in columns.items() if ours not in ("id", "image", "split")} or {
        column: column
        for column in raw.columns
        if column not in (id_column, image_column, split_column) and not column.startswith("Unnamed:")
    }
    for ours, theirs in targets.items():
        table[ours if ours not in OWN_COLUMNS else f"{ours}_"] = raw[theirs]
    absent = table["bytes"] < 0
    problems = [(row, str(raw[image_column][i]), "labelled, but no such image") for i, row in ids[absent].items()]
    problems += [(p.name, str(p), "image without a label") for p in finder.unlabelled(table["path"])]
    table = table[~absent].sort_values("id", ignore_index=True)
    if table.empty:
        raise BadCollection(f"none of the {len(raw)} images that {path} names exists below {path.parent}")
    return Collection(name, table, _quarantine(problems), card)


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = next(csv.reader([file.readline()]), [])
            header = ",".join(head)
        separator = max(",;\t", key=header.count)
        raw = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadCollection(f"{path} is not UTF-8 ({error}); save it as 'CSV UTF-8'") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise BadCollection(f"{path} is not a readable CSV: {error}") from error
    if raw.empty:
        raise BadCollection(f"{path} has no rows")
    return raw.fillna("").apply(lambda column: column.str.strip())


def _image_column(raw: pd.DataFrame, finder: _Finder, path: Path) -> str:
    """The column whose values are files; well-known names win ties."""

    def rank(column: str) -> tuple[float, int]:
        sample = raw[column][raw[column] != ""].head(50)
        found = sum(map(bool, finder.paths(sample))) / max(len(sample), 1)
        known = column.lower() in IMAGE_COLUMNS
        return found, known

    best = max(raw.columns, key=rank)
    if rank(best)[0] == 0:
        first = {column: raw[column].iloc[0] for column in raw.columns[:6]}
        raise BadCollection(
            f"no column of {path} names images that exist below {path.parent} (first row: {first}). Put the images "
            f"beside the CSV, or write paths relative to it, or absolute ones."
        )
    return best


class _Finder:
    """Finds the file a cell means: a path as it stands, or a name anywhere below the CSV's folder."""

    def __init__(self, base: Path) -> None:
        self.base = base.resolve()
        self._by_name: dict[str, str] | None = None

    def paths(self, cells: Iterable[str]) -> list[str]:
        """One absolute path per cell, "" where there is no such file."""
        return [self._path(cell.replace("\\", "/")) for cell in cells]

    def _path(self, cell: str) -> str:
        if not cell:
            return ""
        path = os.path.join(self.base, os.path.expanduser(cell))
        if os.path.isfile(path):
            return path
        if os.path.isabs(cell):
            return ""
        if self._by_name is None:
            self._by_name = {}
            for found in _walk(self.base):
                if found.suffix.lower() in IMAGE_SUFFIXES:
                    for key in {found.name, found.stem, found.relative_to(self.base).as_posix()}:
                        # A name that two files share means neither.
                        self._by_name[key] = "" if key in self._by_name else str(found)
        return self._by_name.get(cell, "")

    def unlabelled(self, used: Sequence[str]) -> list[Path]:
        """Images that stand beside the ones used and are not among them."""
        known = set(used)
        folders = sorted({os.path.dirname(path) for path in known if path})
        return [
            Path(entry.path)
            for folder in folders
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.name)
            if entry.path not in known and os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES
        ]

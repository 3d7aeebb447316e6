"""A collection of images and what is said about them: one table, whatever it was read from.

The table has the columns `id`, `path` (absolute), `bytes` (the file's size), `split` ("train", "val", "test" or
"") and any number of label columns, all text. Labels join images on ids or file names, never by position.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from keras_art import UserError, cards

if TYPE_CHECKING:
    import pandas as pd

IMAGE_SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp",
    ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm",
}  # fmt: skip
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

    Args:
        root: folder that holds the cards' collections; without it `$KERAS_ART_DATA`.

    Raises:
        BadCollection: nothing usable is there; the message names what was found and the remedy.
        cards.DatasetNotFound: a card's collection whose files are absent.
    """
    path = Path(data).expanduser()
    if path.is_dir():
        if (path / "labels.csv").is_file():
            return _from_csv(path / "labels.csv", name=path.resolve().name)
        return _from_class_folders(path.resolve())
    if path.is_file():
        return _from_csv(path, name=path.stem)
    try:
        card = cards.load_card(str(data))
    except cards.CardNotFound as error:
        raise BadCollection(f"{str(data)!r} is neither a folder nor a file, and {error}") from None
    return _from_csv(card.find(root) / card.labels, name=card.name, card=card)


def list_images(folder: Path) -> list[Path]:
    """Every file below `folder` that is called like an image, sorted; hidden files are passed over.

    Raises:
        BadCollection: when there is none.
    """
    found = sorted(Path(path) for path in _walk(folder) if _is_image(path))
    if not found:
        raise BadCollection(f"{folder} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return found


def _walk(folder: Path) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(parent, name) for name in sorted(files) if not name.startswith((".", "Thumbs.db")))


def _is_image(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES


def _bytes(path: str) -> int:
    """A file's size, -1 where there is none (or a link to nothing)."""
    try:
        return os.path.getsize(path)
    except OSError:
        return -1


def _utf8(name: str) -> str:
    """The name of a file as text files can hold it: bytes that are not UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode()


def _quarantine(rows: Iterable[tuple[str, str, str]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([tuple(map(_utf8, row)) for row in rows], columns=["id", "path", "reason"], dtype=str)


def _from_class_folders(root: Path) -> Collection:
    import pandas as pd

    splits = {name: SPLITS[name.lower()] for name in os.listdir(root) if name.lower() in SPLITS}
    if "train" not in splits.values() or len(set(splits.values())) == 1:
        splits = {}
    rows, strays = [], []
    for path in _walk(root):
        id_ = os.path.relpath(path, root).replace(os.sep, "/")
        folders = id_.split("/")[:-1]
        split = splits.get(folders.pop(0), "") if splits and folders else ""
        if not _is_image(path):
            if folders:
                strays.append((id_, path, "not called like an image"))
        elif not folders:
            strays.append((id_, path, "stands outside the class folders"))
        elif splits and not split:
            strays.append((id_, path, f"stands outside {', '.join(sorted(splits))}"))
        elif _utf8(path) != path:
            strays.append((id_, path, "its name is not UTF-8: rename it"))
        else:
            rows.append((id_, path, _bytes(path), split, folders[0]))
    if not rows:
        tables = sorted(path.name for path in root.glob("*.csv"))
        raise BadCollection(
            f"{root} holds no class folders with images and no labels.csv. Put the images into one folder per class, "
            f"or write a labels.csv with a column of file names and one column per label."
            + (f" If {tables[0]} is that table, name it instead of the folder." if tables else "")
        )
    table = pd.DataFrame(rows, columns=[*OWN_COLUMNS, "label"]).sort_values("id", ignore_index=True)
    return Collection(root.name, table, _quarantine(strays))


def _from_csv(path: Path, name: str, card: cards.DatasetCard | None = None) -> Collection:
    import pandas as pd

    raw = _read_csv(path)
    columns = card.columns if card else {}
    if missing := [column for column in columns.values() if column not in raw.columns]:
        raise BadCollection(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; it has {', '.join(raw.columns)}"
        )
    folder = path.resolve().parent
    finder = _Finder(folder, folder / card.images if card and (folder / card.images).is_dir() else folder)
    image_column = columns.get("image") or _image_column(raw, finder, path)
    lower = {column.lower(): column for column in raw.columns}
    id_column = columns.get("id") or lower.get("id") or image_column
    split_column = columns.get("split") or next(
        (lower[c] for c in SPLIT_COLUMNS if c in lower and set(raw[lower[c]].str.lower()) <= {*SPLITS, ""}),
        None,
    )
    table = pd.DataFrame({"id": raw[id_column], "path": [finder.find(cell) for cell in raw[image_column]]}, dtype=str)
    table["bytes"] = [_bytes(found) for found in table["path"]]
    table["split"] = raw[split_column].str.lower().map(SPLITS).fillna("") if split_column else ""
    targets = {ours: theirs for ours, theirs in columns.items() if ours not in ("id", "image", "split")} or {
        column: column
        for column in raw.columns
        if column not in (id_column, image_column, split_column) and not column.startswith("Unnamed:")
    }
    for ours, theirs in targets.items():
        table[ours if ours not in OWN_COLUMNS else f"{ours}_"] = raw[theirs]
    absent = table["bytes"] < 0
    if absent.all():
        raise BadCollection(f"none of the {len(raw)} images that {path} names exists below {finder.images}")
    cells = raw.loc[absent, image_column]
    problems = [(id_, cell, finder.why_not(cell)) for id_, cell in zip(table["id"][absent], cells, strict=True)]
    table = table[~absent].sort_values("id", ignore_index=True)
    problems += [(os.path.basename(p), p, "image without a label") for p in finder.unlabelled(table["path"])]
    if (twice := table["id"][table["id"].duplicated()].unique()).size:
        raise BadCollection(
            f"{path}: {len(twice)} value{'s' * (len(twice) > 1)} of the column {id_column!r} stand in more than one "
            f"row, first {twice[0]!r}; ids must be unique, so drop or rename the duplicates"
        )
    return Collection(name, table, _quarantine(problems), card)


def _read_csv(path: Path) -> pd.DataFrame:
    """Every cell as text without surrounding blanks; a column without a name is called `Unnamed: N`, as pandas does."""
    import pandas as pd

    rows = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator = max("\t;,", key=lambda mark: _columns(file, mark))
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, skipinitialspace=True, strict=True)
            header = [name.strip() or f"Unnamed: {i}" for i, name in enumerate(next(reader, []))]
            for row in reader:
                if not any(row):
                    continue
                if len(row) != len(header):
                    raise BadCollection(
                        f"{path}, line {reader.line_num}: {len(row)} cells, but the first line has {len(header)}; "
                        f"a text that holds {separator!r} must stand in double quotes"
                    )
                rows.append([cell.strip() for cell in row])
    except UnicodeDecodeError as error:
        raise BadCollection(f"{path} is not UTF-8 ({error}); save it as 'CSV UTF-8'") from error
    except csv.Error as error:
        raise BadCollection(
            f"{path}, after {len(rows)} rows: {error}; a double quote within a quoted text must be doubled"
        ) from error
    if not rows:
        raise BadCollection(f"{path} has no rows: write a header and one line per image")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise BadCollection(f"{path} has several columns called {', '.join(twice)}: rename them")
    return pd.DataFrame(rows, columns=header, dtype=str)


def _columns(file: TextIO, separator: str) -> int:
    """How many columns header and first row have at least if this is the separator."""
    file.seek(0)
    rows = csv.reader(file, delimiter=separator, skipinitialspace=True)
    return min((len(row) for row in islice(rows, 2)), default=0)


def _image_column(raw: pd.DataFrame, finder: _Finder, path: Path) -> str:
    """The column that names the most files; well-known names win ties. Paths first: names need a walk of the disk."""
    sample = raw.iloc[:: len(raw) // 500 + 1]

    def images(column: str, find: Callable[[str], str]) -> tuple[int, bool]:
        return len({*map(find, sample[column])} - {""}), column.lower() in IMAGE_COLUMNS

    for find in (finder.by_path, finder.find):
        found = {column: images(column, find) for column in raw.columns}
        best = max(found, key=lambda column: found[column])
        if found[best][0]:
            return best
    raise BadCollection(
        f"no column of {path} names images that exist below {path.parent} (first row: {dict(raw.iloc[0, :6])}). Put "
        f"the images beside the CSV, or write paths relative to it, or absolute ones; a name that several images share "
        f"counts for none of them."
    )


class _Finder:
    """Finds the file a cell means: a path, absolute or relative to `base`, or a name anywhere below `images`."""

    def __init__(self, base: Path, images: Path) -> None:
        self.base, self.images = base, images

    def find(self, cell: str) -> str:
        """An absolute path, "" where there is no such file or several."""
        return self.by_path(cell) or self._by_name.get(cell.replace("\\", "/"), "")

    def by_path(self, cell: str) -> str:
        """An absolute path if the cell is one, suffix and all, else ""."""
        if not _is_image(cell):
            return ""
        path = os.path.normpath(os.path.join(self.base, os.path.expanduser(cell.replace("\\", "/"))))
        return path if os.path.isfile(path) else ""

    @cached_property
    def _by_name(self) -> dict[str, str]:
        """Names, and paths relative to `base`, with and without suffix -> path; "" where several files share one."""
        found: dict[str, str] = {}
        for path in filter(_is_image, _walk(self.images)):
            names = os.path.basename(path), os.path.relpath(path, self.base).replace(os.sep, "/")
            for key in {*names, *(os.path.splitext(name)[0] for name in names)}:
                found[key] = "" if key in found else path
        return found

    def why_not(self, cell: str) -> str:
        """The reason in words for a cell that `find` did not."""
        if cell.replace("\\", "/") in self._by_name:
            return "labelled, but several images are called so: write paths"
        return "labelled, but no such image"

    def unlabelled(self, used: Iterable[str]) -> list[str]:
        """Images that stand beside the ones used and are not among them."""
        known = set(used)
        return [
            path
            for folder in sorted({os.path.dirname(path) for path in known})
            for path in sorted(entry.path for entry in os.scandir(folder))
            if path not in known and _is_image(path)
        ]

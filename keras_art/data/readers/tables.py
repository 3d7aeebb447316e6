"""A collection from a table with one row per image."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from keras_art import terminal
from keras_art.data import cards
from keras_art.data.collection import BadCollection, Collection, collect, split_of
from keras_art.data.readers.files import Finder
from keras_art.data.readers.folders import split_folders
from keras_art.data.readers.spreadsheets import read_sheets
from keras_art.data.readers.text import unescape

if TYPE_CHECKING:
    import pandas as pd

IMAGE_COLUMNS = ("image", "file", "filename", "file_name", "path", "image_path", "imageid")
# What museums call the number of an object; `object_id` is ours, the others stay label columns too.
OBJECT_COLUMNS = (
    "object_id", "object_number", "objectnumber", "object number", "objectid", "accession_number", "accession number",
    "inventory_number", "inventory number", "inventarisnummer",
)  # fmt: skip
MOST_VIEWS = 10  # images that share an id, on average, up to which it is taken for the number of a work
SPLIT_COLUMNS = ("split", "set", "subset", "partition")


def from_table(
    path: Path,
    name: str,
    card: cards.DatasetCard | None = None,
    *,
    base: Path | None = None,
    need_images: bool = True,
) -> Collection:
    """Reads a CSV, XLSX, ODS or Parquet file whose rows name images; see `load_collection`.

    Args:
        base: what paths and the card's `images` are relative to; without it the table's folder.

    Raises:
        BadCollection: it is no such table, no column names images, or one that gives the split says something else.
    """
    columns = card.columns if card else {}
    folder = (base or path.parent).resolve()
    images = next((folder / place for place in (card.images if card else ()) if (folder / place).is_dir()), folder)
    finder = Finder(folder, images)
    raw, image_column = _sheet(path, finder, columns, latin=card is not None, need_images=need_images)
    lower = {column.lower(): column for column in raw.columns}
    cells = raw[image_column].tolist()
    paths = _find_all(finder, cells, name)
    if need_images and not any(paths):
        raise BadCollection(f"none of the {len(raw)} images that {path} names exists below {images}")
    there = [bool(found) or not need_images for found in paths]
    id_column = columns.get("id") or lower.get("id") or image_column
    object_column = "" if columns else next((lower[name] for name in OBJECT_COLUMNS if name in lower), "")
    numbers = raw[id_column][there]
    if "id" not in columns and id_column != image_column and numbers.duplicated().any():
        if len(numbers) <= MOST_VIEWS * numbers.nunique():  # else it is a label that is called so
            object_column = id_column
        id_column = image_column
    split_column = columns.get("split") or _split_column(raw, [lower[c] for c in SPLIT_COLUMNS if c in lower], path)
    ours_alone = {id_column, image_column, split_column, lower.get(OBJECT_COLUMNS[0])}
    targets = {ours: theirs for ours, theirs in columns.items() if ours not in ("id", "image", "split")} or {
        column: column for column in raw.columns if column not in ours_alone and not column.startswith("Unnamed:")
    }
    ids = raw[id_column].tolist()
    problems = [(ids[i], cells[i], finder.why_not(cells[i])) for i, found in enumerate(there) if not found]
    raw, paths = raw[there], [found for found, kept in zip(paths, there, strict=True) if kept]
    # A table that lies elsewhere chooses from the images; one above them is meant to know them all.
    below = [found for found in paths if found.startswith(f"{folder}{os.sep}")]
    problems += [(os.path.basename(found), found, reason) for found, reason in finder.unlabelled(below)]
    ours = {"id": raw[id_column].tolist(), "path": paths}
    if object_column:
        ours["object"] = raw[object_column].where(raw[object_column] != "", raw[id_column]).tolist()
        twice = raw[id_column].duplicated(keep=False)  # one photograph of two objects
        ours["id"] = raw[id_column].mask(twice, raw[id_column] + " (" + raw[object_column] + ")").tolist()
    if split_column:
        ours["split"] = _splits(raw[split_column], path)
    elif card is None:
        ours["split"] = _split_by_folder(paths)
    labels, splits = {}, {}
    for column, theirs in targets.items():
        of_task = column.removeprefix("split_")
        if of_task != column and of_task in targets and _is_split(raw[theirs]):
            splits[of_task] = _splits(raw[theirs], path)  # as `manifests` writes a task's own split
        else:
            labels[column] = (raw[theirs].map(unescape).str.strip() if card else raw[theirs]).tolist()
    return collect(name, ours, labels, problems, root=folder, splits=splits, card=card, need_images=need_images)


def _is_split(cells: pd.Series) -> bool:
    """Whether a column gives a split: one of its texts is train, or two are splits, whatever the others are."""
    meant = [split_of(text) for text in cells.unique() if text]
    return "train" in meant or len({*meant} - {""}) > 1 or all(meant)


def _split_column(raw: pd.DataFrame, named: list[str], path: Path) -> str | None:
    """The column that gives the split.

    Raises:
        BadCollection: there are two, and they differ.
    """
    given = [column for column in named if _is_split(raw[column])]
    for other in given[1:]:
        if _splits(raw[other], path) != _splits(raw[given[0]], path):
            raise BadCollection(f"{path}: the columns {given[0]} and {other} give two different splits: rename one")
    return given[0] if given else None


def _splits(cells: pd.Series, path: Path) -> list[str]:
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


def _split_by_folder(paths: list[str]) -> list[str]:
    """The split of each image by the first folder in which it stands apart from others, "" where it stands in none."""
    parents = [os.path.dirname(path) for path in paths]
    if not any(parents):
        return parents
    common = os.path.commonpath(list(filter(None, parents)))
    tops = [parent[len(common) :].strip(os.sep).split(os.sep)[0] for parent in parents]
    splits = split_folders(common, {*tops} - {""})
    return [splits.get(top, "") for top in tops]


def _find_all(finder: Finder, cells: list[str], name: str) -> list[str]:
    """The image of each cell, "" for none: what a path of another machine means is another row's if that is surer."""
    sure = [finder.by_path(cell) or finder.by_name(cell) for cell in cells]
    far = ["" if found else finder.elsewhere(cell) for cell, found in zip(cells, sure, strict=True)]
    taken = Counter(filter(None, [*sure, *far]))
    far = [found if taken[found] == 1 else "" for found in far]
    if count := sum(map(bool, far)):
        first = next(cell for cell, found in zip(cells, far, strict=True) if found)
        terminal.say(f"{name}: {count:,} paths are not here, first {first!r}; their images are found by name")
    return [found or other for found, other in zip(sure, far, strict=True)]


def _sheet(
    path: Path, finder: Finder, columns: Mapping[str, str], *, latin: bool, need_images: bool
) -> tuple[pd.DataFrame, str]:
    """The first sheet of a table one of whose columns names images, and that column.

    Raises:
        BadCollection: there is none; what is said is of the first sheet.
    """
    sheets = read_sheets(path, latin=latin)
    found, problems = [], []
    for name, raw in sheets.items():
        if missing := [column for column in columns.values() if column not in raw.columns]:
            problems.append(
                f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; it has "
                f"{', '.join(raw.columns)}"
            )
            continue
        try:
            found.append((name, columns.get("image") or _image_column(raw, finder, path, need_images=need_images)))
        except BadCollection as error:
            problems.append(str(error))
    if not found:
        raise BadCollection(problems[0])
    sheet, column = found[0]
    if len(sheets) > 1:
        others = ", ".join(repr(name) for name in sheets if name != sheet)
        terminal.say(f"{path}: the sheet {sheet!r} is read, not {others}")
    return sheets[sheet], column


def _image_column(raw: pd.DataFrame, finder: Finder, path: Path, *, need_images: bool) -> str:
    """The column that names the most files; well-known names win ties. Paths first: names need a walk of the disk."""
    sample = raw.iloc[:: len(raw) // 500 + 1]

    def images(column: str, find: Callable[[str], str]) -> tuple[int, bool]:
        return len({*map(find, sample[column])} - {""}), column.lower() in IMAGE_COLUMNS

    for find in (finder.by_path, finder.find):
        found = {column: images(column, find) for column in raw.columns}
        best = max(found, key=lambda column: found[column])
        if found[best][0] or (found[best][1] and not need_images):
            return best
    raise BadCollection(
        f"no column of {path} names images that exist below {path.parent} (first row: {dict(raw.iloc[0, :6])}). Put "
        f"the images beside the CSV, or write paths relative to it, or absolute ones; a name that several images share "
        f"counts for none of them."
    )

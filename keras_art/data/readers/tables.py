"""A collection from a table with one row per image."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from keras_art.data import cards
from keras_art.data.collection import NO_LABEL, SPLITS, BadCollection, Collection, collect
from keras_art.data.readers.files import Finder
from keras_art.data.readers.spreadsheets import read_table
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
    """Reads a CSV, XLSX or Parquet file whose rows name images; see `load_collection`.

    Args:
        base: what paths and the card's `images` are relative to; without it the table's folder.
    """
    raw = read_table(path, latin=card is not None)
    columns = card.columns if card else {}
    if missing := [column for column in columns.values() if column not in raw.columns]:
        raise BadCollection(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; it has {', '.join(raw.columns)}"
        )
    folder = (base or path.parent).resolve()
    images = next((folder / place for place in (card.images if card else ()) if (folder / place).is_dir()), folder)
    finder = Finder(folder, images)
    lower = {column.lower(): column for column in raw.columns}
    image_column = columns.get("image") or _image_column(raw, finder, path, need_images=need_images)
    cells = raw[image_column].tolist()
    paths = [finder.find(cell) for cell in cells]
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
    split_column = columns.get("split") or next(
        (lower[c] for c in SPLIT_COLUMNS if c in lower and _is_split(raw[lower[c]])), None
    )
    ours_alone = {id_column, image_column, split_column, lower.get(OBJECT_COLUMNS[0])}
    targets = {ours: theirs for ours, theirs in columns.items() if ours not in ("id", "image", "split")} or {
        column: column for column in raw.columns if column not in ours_alone and not column.startswith("Unnamed:")
    }
    ids = raw[id_column].tolist()
    problems = [(ids[i], cells[i], finder.why_not(cells[i])) for i, found in enumerate(there) if not found]
    raw, paths = raw[there], [found for found, kept in zip(paths, there, strict=True) if kept]
    # A table that lies elsewhere chooses from the images; one above them is meant to know them all.
    below = [found for found in paths if found.startswith(f"{folder}{os.sep}")]
    problems += [(os.path.basename(found), found, NO_LABEL) for found in finder.unlabelled(below)]
    ours = {"id": raw[id_column].tolist(), "path": paths}
    if object_column:
        ours["object"] = raw[object_column].where(raw[object_column] != "", raw[id_column]).tolist()
        twice = raw[id_column].duplicated(keep=False)  # one photograph of two objects
        ours["id"] = raw[id_column].mask(twice, raw[id_column] + " (" + raw[object_column] + ")").tolist()
    if split_column:
        ours["split"] = _splits(raw[split_column])
    labels, splits = {}, {}
    for column, theirs in targets.items():
        of_task = column.removeprefix("split_")
        if of_task != column and of_task in targets and _is_split(raw[theirs]):
            splits[of_task] = _splits(raw[theirs])  # as `manifests` writes a task's own split
        else:
            labels[column] = (raw[theirs].map(unescape).str.strip() if card else raw[theirs]).tolist()
    return collect(name, ours, labels, problems, root=folder, splits=splits, card=card, need_images=need_images)


def _is_split(cells: pd.Series) -> bool:
    return set(cells.str.lower()) <= {*SPLITS, ""}


def _splits(cells: pd.Series) -> list[str]:
    return cells.str.lower().map(SPLITS).fillna("").tolist()


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

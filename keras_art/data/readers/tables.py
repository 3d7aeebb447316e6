"""A collection from a table with one row per image."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from keras_art import terminal
from keras_art.data import cards
from keras_art.data.collection import BadCollection, Collection, collect
from keras_art.data.readers.files import Finder
from keras_art.data.readers.split_columns import (
    SPLIT_COLUMNS,
    is_split,
    split_by_folder,
    split_column_of,
    splits_of,
    unnamed_split,
)
from keras_art.data.readers.spreadsheets import read_sheets
from keras_art.data.readers.text import unescape
from keras_art.data.readers.workbooks import IMAGE_COLUMNS as IMAGE_COLUMNS
from keras_art.data.readers.workbooks import Sheet
from keras_art.pictures.places import whole

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

# What museums call the number of an object; `object_id` is ours, the others stay label columns too.
OBJECT_COLUMNS = (
    "object_id", "object_number", "objectnumber", "object number", "objectid", "accession_number", "accession number",
    "inventory_number", "inventory number", "inventarisnummer", "inventarisnr", "inventarisnr.", "objectnummer",
    "numéro d'inventaire", "numéro d’inventaire", "no d'inventaire", "n° d'inventaire", "n° inventaire",
    "inventarnummer", "inv. nr.", "inv.nr.", "inv. no.", "inv.-nr.",
)  # fmt: skip
AGAIN = "row that says the same as one above it"
MOST_VIEWS = 10  # images that share an id, on average, up to which it is taken for the number of a work


@dataclass(frozen=True)
class Rows:
    """A table as its owner has it, every row in its place, and which image each row means.

    Attributes:
        raw: all of its columns, all text.
        image: the column that names the images.
        paths: absolute, "" where there is no such image.
        finder: which has looked for them.
        sheet: the name of the sheet, "" of a file without sheets.
        places: as of `workbooks.Sheet.rows`.
    """

    raw: pd.DataFrame
    image: str
    paths: list[str]
    finder: Finder
    sheet: str
    places: Sequence[int]

    @property
    def ids(self) -> str:
        """The column whose cells are the rows' ids: `id`, whatever its case, or else the one that names the images."""
        return next((column for column in self.raw.columns if column.lower() == "id"), self.image)


def read_rows(
    path: Path,
    name: str,
    card: cards.DatasetCard | None = None,
    *,
    base: Path | None = None,
    need_images: bool = True,
    sheet: str = "",
    quiet: bool = False,
    finder: Finder | None = None,
) -> Rows:
    """Reads a CSV, XLSX, ODS or Parquet file whose rows name images, as it stands.

    Args:
        base: what paths and the card's `images` are relative to; without it the table's folder.
        sheet: of a file that has several; "": the first one whose rows name images.
        quiet: do not say how it was read; somebody has.
        finder: of images that lie elsewhere than on a disk; without it one of `base`.

    Raises:
        BadCollection: it is no such table, has no such sheet, or no column names images that are there.
    """
    columns = card.columns if card else {}
    folder = (base or path.parent).resolve()
    images = next((folder / place for place in (card.images if card else ()) if (folder / place).is_dir()), folder)
    finder = finder or Finder(folder, images)
    sheets = _named(path, read_sheets(path, latin=card is not None), sheet)
    sheet, image_column, said = _sheet(path, sheets, finder, columns, need_images=need_images)
    raw = sheets[sheet].table
    paths, more = finder.find_all(raw[image_column].tolist(), name)
    for line in () if quiet else (*said, *more):
        terminal.say(line)
    if need_images and not any(paths):
        raise BadCollection(f"none of the {len(raw)} images that {path} names exists below {finder.images}")
    return Rows(raw, image_column, paths, finder, sheet, sheets[sheet].rows)


def from_table(
    path: Path,
    name: str,
    card: cards.DatasetCard | None = None,
    *,
    base: Path | None = None,
    need_images: bool = True,
    sheet: str = "",
    finder: Finder | None = None,
) -> Collection:
    """A collection from a table whose rows name images; see `load_collection`, and for the arguments `read_rows`.

    Raises:
        BadCollection: as `read_rows`, or a column that gives the split says something else.
    """
    columns = card.columns if card else {}
    found = read_rows(path, name, card, base=base, need_images=need_images, sheet=sheet, finder=finder)
    raw, image_column, paths, finder = found.raw, found.image, found.paths, found.finder
    folder = whole(finder.base)
    lower = {column.lower(): column for column in raw.columns}
    cells = raw[image_column].tolist()
    alike = raw[raw[image_column].duplicated(keep=False)].duplicated()
    again = alike.reindex(raw.index, fill_value=False).tolist()
    there = [(bool(place) or not need_images) and not twice for place, twice in zip(paths, again, strict=True)]
    id_column = columns.get("id") or found.ids
    object_column = "" if columns else next((lower[name] for name in OBJECT_COLUMNS if name in lower), "")
    numbers = raw[id_column][there]
    if "id" not in columns and id_column != image_column and numbers.duplicated().any():
        if len(numbers) <= MOST_VIEWS * numbers.nunique():  # else it is a label that is called so
            object_column = id_column
        id_column = image_column
    split_column = columns.get("split") or split_column_of(raw, [lower[c] for c in SPLIT_COLUMNS if c in lower], path)
    if not split_column and card is None:
        split_column = unnamed_split(raw, path)
    ours_alone = {id_column, image_column, split_column, lower.get(OBJECT_COLUMNS[0])}
    targets = {ours: theirs for ours, theirs in columns.items() if ours not in ("id", "image", "split")} or {
        column: column for column in raw.columns if column not in ours_alone and not column.startswith("Unnamed:")
    }
    ids = raw[id_column].tolist()
    known = raw[object_column].tolist() if object_column else ids  # of a row without a file that is all there is
    problems = [
        (ids[i] or known[i], cells[i], AGAIN if again[i] else finder.why_not(cells[i]))
        for i, is_there in enumerate(there)
        if not is_there
    ]
    numbers_of_rows = found.places[1:] or range(2, len(raw) + 2)  # below a header
    rows = [number for number, kept in zip(numbers_of_rows, there, strict=True) if kept]
    raw, paths = raw[there], [place for place, kept in zip(paths, there, strict=True) if kept]
    # A table that lies elsewhere chooses from the images; one above them is meant to know them all.
    below = [place for place in paths if place.startswith((f"{folder}{os.sep}", f"{folder}/"))]
    problems += [(os.path.basename(place), place, reason) for place, reason in finder.unlabelled(below)]
    ours: dict[str, list[Any]] = {"id": raw[id_column].tolist(), "path": paths, "bytes": finder.sizes(paths)}
    if object_column:
        ours["object"] = raw[object_column].where(raw[object_column] != "", raw[id_column]).tolist()
        twice = raw[id_column].duplicated(keep=False)  # one photograph of two objects
        ours["id"] = raw[id_column].mask(twice, raw[id_column] + " (" + raw[object_column] + ")").tolist()
    if len({*ours["id"]}) < len(rows):
        _refuse_contradictions(path, ours["id"], rows, raw)
    if split_column:
        ours["split"] = splits_of(raw[split_column], path)
    elif card is None:
        ours["split"] = split_by_folder(paths)
    labels, splits = {}, {}
    for column, theirs in targets.items():
        of_task = column.removeprefix("split_")
        if of_task != column and of_task in targets and is_split(raw[theirs]):
            splits[of_task] = splits_of(raw[theirs], path)  # as `manifests` writes a task's own split
        else:
            labels[column] = (raw[theirs].map(unescape).str.strip() if card else raw[theirs]).tolist()
    return collect(name, ours, labels, problems, root=finder.base, splits=splits, card=card, need_images=need_images)


def beside_or_below(read: Callable[..., T], table: Path, name: str, root: str | Path | None, **how: Any) -> T:
    """What a reader finds of pictures beside a table or, where it names none there, below `root`.

    Args:
        read: `read_rows` or `from_table`.
        root: as of `load_collection`.
        how: what else the reader takes.

    Raises:
        BadCollection: as the reader does, of the last place that was looked at.
    """
    try:
        return read(table, name, **how)
    except BadCollection:
        if root is None:
            raise
        return read(table, name, base=Path(root).expanduser(), **how)


def _refuse_contradictions(path: Path, ids: Sequence[str], rows: Sequence[int], raw: pd.DataFrame) -> None:
    """Names the first two rows that have one id, and what they differ in.

    Raises:
        BadCollection: there are such rows.
    """
    first: dict[str, int] = {}
    for place, id_ in enumerate(ids):
        if (before := first.setdefault(id_, place)) != place:
            differ = [column for column in raw.columns if raw[column].iat[before] != raw[column].iat[place]]
            raise BadCollection(
                f"{path}: rows {rows[before]} and {rows[place]} are both of {id_!r}, and differ in "
                f"{', '.join(differ)}: correct them, or leave one out; ids must be unique"
            )


def _named(path: Path, sheets: dict[str, Sheet], wanted: str) -> dict[str, Sheet]:
    """The sheet that is asked for, or all of them.

    Raises:
        BadCollection: naming those there are.
    """
    if not wanted or wanted in sheets:
        return {wanted: sheets[wanted]} if wanted else sheets
    if "" in sheets:
        raise BadCollection(f"{path} has no sheets: leave out --sheet {wanted}")
    near = difflib.get_close_matches(wanted, sheets, n=1)
    meant = f": did you mean {near[0]!r}?" if near else ""
    raise BadCollection(f"{path} has no sheet {wanted!r} with rows; it has {', '.join(map(repr, sheets))}{meant}")


def _sheet(
    path: Path, sheets: dict[str, Sheet], finder: Finder, columns: Mapping[str, str], *, need_images: bool
) -> tuple[str, str, list[str]]:
    """The first sheet one of whose columns names images, that column, and what a person should know of how it was read.

    Raises:
        BadCollection: there is none; what is said is of the sheet with most cells.
    """
    found, problems = [], {}
    for name, sheet in sheets.items():
        raw = sheet.table
        where = f"{path}, sheet {name!r}," if len(sheets) > 1 else f"{path}"
        if missing := [column for column in columns.values() if column not in raw.columns]:
            problems[raw.size] = (
                f"{where} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; it has "
                f"{', '.join(raw.columns)}"
            )
            continue
        try:
            column = columns.get("image") or _image_column(raw, finder, where, need_images=need_images)
            found.append((name, column))
        except BadCollection as error:
            problems[raw.size] = str(error)
    if not found:
        uncomputed = [line for sheet in sheets.values() for line in sheet.said if "formula" in line]
        raise BadCollection(". ".join([*uncomputed, problems[max(problems)]]))
    taken, column = found[0]
    said = list(sheets[taken].said)
    if len(sheets) > 1:
        others = ", ".join(repr(name) for name in sheets if name != taken)
        more = "; --sheet names another" if len(found) > 1 else ""
        said.insert(0, f"{path}: the sheet {taken!r} is read, not {others}{more}")
    return taken, column, said


def _image_column(raw: pd.DataFrame, finder: Finder, where: str, *, need_images: bool) -> str:
    """The column that names the most files; well-known names win ties. Paths first: names need a walk of the disk."""
    sample = raw.iloc[:: len(raw) // 500 + 1]

    def images(column: str, find: Callable[[str], str]) -> tuple[int, bool]:
        return len({*map(find, sample[column])} - {""}), column.lower() in IMAGE_COLUMNS

    for find in (finder.by_path, finder.find):
        found = {column: images(column, find) for column in raw.columns}
        best = max(found, key=lambda column: found[column])
        if finder.by_path(best):
            raise BadCollection(
                f"{where} has no header, its first line names {best}: write one above it, such as image and label"
            )
        if found[best][0] or (found[best][1] and not need_images):
            return best
    raise BadCollection(
        f"no column of {where} names images that exist below {finder.base} (first row: {dict(raw.iloc[0, :6])}). Put "
        f"the images beside the table, or name their folder with --root, or write paths relative to it, or absolute "
        f"ones; a name that several images share counts for none of them."
    )

"""A table beside its pictures: which rows have no file, and which files no row, by their inventory numbers."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_art.data.collection import size_of, utf8
from keras_art.data.readers.tables import OBJECT_COLUMNS, beside_or_below, read_rows

if TYPE_CHECKING:
    import pandas as pd

NO_FILE, NO_ROW = "row without a file", "file without a row"
COMPARED, LOOKED_UP = 2_000, 100  # names that are looked through for the nearest, and for how many rows


def unmatched(table: Path, root: str | Path | None = None, sheet: str = "") -> pd.DataFrame:
    """What of a table and the folders of its pictures has no counterpart.

    Args:
        table: a file whose rows name images.
        root: as of `load_collection`, with `sheet`.

    Returns:
        One row each: `what`, `NO_FILE` or `NO_ROW`; `number`, the inventory number, of a file the one that its name
        holds; `row`, as a spreadsheet counts them, 0 where there is none; `named`, what the table says; `file`,
        relative to the table's folder, or to `root`; `reason`; `nearest`, a file without a row that is called nearly
        so, or that has the number in its name.

    Raises:
        BadCollection: as `read_rows`.
    """
    import pandas as pd

    rows = beside_or_below(read_rows, table, table.stem, root, sheet=sheet, quiet=True)
    lower = {column.lower(): column for column in rows.raw.columns}
    column = next((lower[name] for name in OBJECT_COLUMNS if name in lower), rows.ids)
    numbers, cells = rows.raw[column].tolist(), rows.raw[rows.image].tolist()
    places = list(rows.places[1:]) or [0] * len(cells)
    folder = rows.finder.base
    below = [path for path in rows.paths if path.startswith(f"{folder}{os.sep}")]
    files = [utf8(os.path.relpath(path, folder)) for path, _ in rows.finder.unlabelled(below)]
    names = {os.path.basename(file): file for file in files}
    by_word = {word: file for file in reversed(files) for word in words(file)}
    known = {number.casefold(): number for number in numbers if re.search(r"\d", number)}
    found: list[tuple[str, str, int, str, str, str, str]] = []
    for number, cell, place, path in zip(numbers, cells, places, rows.paths, strict=True):
        if path:
            continue
        near = by_word.get(number.casefold(), "")
        if not near and len(found) < LOOKED_UP:
            alike = difflib.get_close_matches(os.path.basename(cell), list(names)[:COMPARED], n=1, cutoff=0.8)
            near = names[alike[0]] if alike else ""
        found.append((NO_FILE, number, place, cell, "", rows.finder.why_not(cell), near))
    for file in files:
        number = next((known[word] for word in words(file) if word in known), "")
        found.append((NO_ROW, number, 0, "", file, "no row names it", ""))
    return pd.DataFrame(found, columns=["what", "number", "row", "named", "file", "reason", "nearest"])


def strays(scan: pd.DataFrame, root: str | Path, facts: Sequence[str]) -> pd.DataFrame:
    """Pictures that no row names as rows, which look for copies among all files.

    Args:
        scan: of them, as `StoredImages.scan` gives it.
        root: of the collection, which ids are relative to.
        facts: of the scan, which are kept.
    """
    found = scan[scan["row"] >= 0].reset_index(drop=True)
    ids = [utf8(os.path.relpath(path, root)) for path in found["path"]]
    return found[["path", *facts]].assign(id=ids, object=ids, split="", bytes=[size_of(path) for path in found["path"]])


def words(file: str) -> list[str]:
    """What of a file's name may be an inventory number, in lower case: `sk-a-1` of `SK-A-1_front.jpg`."""
    stem = os.path.splitext(os.path.basename(file))[0].casefold()
    return [stem, *re.findall(r"[^\W_]+(?:[-.][^\W_]+)+", stem), *re.findall(r"[^\W_]+", stem)]

"""Any collection as one table to work on elsewhere and to read again: CSV, XLSX or Parquet.

python -m keras_art manifests kaokore --root FOLDER --out kaokore.xlsx
python -m reproductions.sabatelli2018 --data kaokore.xlsx --target status
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from keras_art.commands import flags
from keras_art.data.readers.tables import IMAGE_COLUMNS, OBJECT_COLUMNS, SPLIT_COLUMNS
from keras_art.errors import UserError
from keras_art.writing import check_file, csv_text, write, write_bytes

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.data.sources import Collection

SUFFIXES = (".csv", ".xlsx", ".parquet")
MOST_ROWS = 1_048_575  # of a spreadsheet, below its header
MOST_LETTERS = 32_767  # of a cell
# What XML can not hold or does not keep, and what would be taken for its escape.
ODD = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


@dataclass(frozen=True)
class Manifest:
    """Writes a collection as a table."""

    data: tyro.conf.Positional[str]
    """A card's name, a table of images, a folder, or a choice of --store."""
    out: Path
    """The table: .csv, .xlsx or .parquet."""
    root: str | None = None
    """Folder that holds the cards' collections. Default: $KERAS_ART_DATA."""
    store: str = "runs"
    """Folder of the choice that DATA names."""


def manifest(collection: Collection, folder: Path) -> pd.DataFrame:
    """A collection as its table: id, image, split and every column that it came with, all text.

    Images are named relative to `folder`, where the table is to lie, so that both can be moved together, unless the
    two have nothing in common but the root of the file system.
    A column of ours that is called like one it came with takes another name by which it is read again; the ids, which
    have no other, are left out, and are then the images' names.
    """
    place = str(folder.resolve())
    taken = {name.lower() for name in collection.targets}
    image, split = (
        next(name for name in (*names, *(f"{names[0]}{i}" for i in range(len(taken)))) if name not in taken)
        for names in (IMAGE_COLUMNS, SPLIT_COLUMNS)
    )
    table = collection.columns.copy()
    for target, own in collection.splits.items():
        table[f"split_{target}"] = own
    if (collection.images["split"] != "").any():
        table.insert(0, split, collection.images["split"])
    if (collection.images["object"] != collection.images["id"]).any() and not any(
        collection.images["object"].equals(table[name]) for name in table
    ):
        table.insert(0, OBJECT_COLUMNS[0], collection.images["object"])
    table.insert(0, image, [_relative(path, place) for path in collection.paths()])
    if "id" not in taken:
        table.insert(0, "id", collection.images["id"])
    return table


def _relative(path: str, folder: str) -> str:
    if not path or os.path.commonpath([path, folder]) == os.path.abspath(os.sep):
        return path
    below = os.path.relpath(path, folder).replace(os.sep, "/")
    # Readers drop surrounding blanks, and a tilde stands for a person's home.
    return below if below == below.strip() and not below.startswith("~") else f"./{below}"


def write_manifest(table: pd.DataFrame, path: Path) -> None:
    """Writes a table by the suffix of its name; cells stay text, also `0007` and `=SUM`.

    Raises:
        UserError: another suffix, or more rows or longer texts than a spreadsheet holds.
    """
    suffix = path.suffix.lower()
    if suffix == ".csv":
        write(path, csv_text(table))
    elif suffix == ".parquet":
        content = io.BytesIO()
        table.to_parquet(content, index=False)
        write_bytes(path, content.getvalue())
    elif suffix == ".xlsx":
        write_bytes(path, _xlsx(table, path))
    else:
        raise UserError(f"{path} ends in none of {', '.join(SUFFIXES)}")


def _xlsx(table: pd.DataFrame, path: Path) -> bytes:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    if len(table) > MOST_ROWS:
        raise UserError(
            f"{path}: a spreadsheet holds {MOST_ROWS:,} rows and not {len(table):,}: write .csv or .parquet"
        )
    table = table.rename(columns=_escaped).map(_escaped)
    for column in table:
        if (most := (letters := table[column].str.len()).max()) > MOST_LETTERS:
            raise UserError(
                f"{path}: the column {column} of {table.iloc[letters.argmax(), 0]!r} holds {most:,} letters, and a "
                f"spreadsheet's cell at most {MOST_LETTERS:,}: write .csv or .parquet"
            )
    book = Workbook(write_only=True)
    sheet = book.create_sheet("images")

    def cell(value: str) -> WriteOnlyCell:
        made = WriteOnlyCell(sheet, value)
        made.data_type = "s"  # text that begins with = is no formula
        return made

    for row in (table.columns, *table.itertuples(index=False, name=None)):
        sheet.append([cell(value) for value in row])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _escaped(text: str) -> str:
    """As XLSX writes what XML does not keep: `_x000D_`; readers of spreadsheets know it."""
    return ODD.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def run(asked: Manifest) -> int:
    """Writes the table and says how many rows it has."""
    from keras_art.data.opening import open_collection
    from keras_art.store.runs import Store

    check_file(asked.out, *SUFFIXES)
    collection = open_collection(Store(asked.store), asked.data, asked.root)
    table = manifest(collection, asked.out.parent)
    write_manifest(table, asked.out)
    left = f"; {len(collection.quarantine):,} in quarantine are left out" if len(collection.quarantine) else ""
    print(f"{asked.out}: {len(table):,} images, columns {', '.join(table.columns)}{left}")
    return 0


def main(argv: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    return flags.run(Manifest, run, argv, prog="python -m keras_art manifests", description=__doc__ or "")

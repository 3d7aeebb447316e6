"""Any collection as one table to work on elsewhere and to read again: CSV, XLSX or Parquet.

python -m keras_art manifests kaokore --root FOLDER --out kaokore.xlsx
python -m reproductions.sabatelli2018 --data kaokore.xlsx --target status
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from keras_art.commands import flags
from keras_art.data.readers.tables import IMAGE_COLUMNS, OBJECT_COLUMNS, SPLIT_COLUMNS
from keras_art.errors import UserError
from keras_art.writing import csv_text, write, write_bytes

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.data.sources import Collection

MOST_ROWS = 1_048_575  # of a spreadsheet, below its header


@dataclass(frozen=True)
class Manifest:
    """Writes a collection as a table."""

    data: tyro.conf.Positional[str]
    """A card's name, a table of images, or a folder."""
    out: Path
    """The table: .csv, .xlsx or .parquet."""
    root: str | None = None
    """Folder that holds the cards' collections. Default: $KERAS_ART_DATA."""


def manifest(collection: Collection, folder: Path) -> pd.DataFrame:
    """A collection as its table: id, image, split and every column that it came with, all text.

    Images below `folder`, where the table is to lie, are named relative to it, so that both can be moved together.
    A column of ours that is called like one it came with takes another name by which it is read again; the ids, which
    have no other, are left out, and are then the images' names.
    """
    root = str(folder.resolve()) + os.sep
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
    table.insert(0, image, [path.removeprefix(root).replace(os.sep, "/") for path in collection.paths()])
    if "id" not in taken:
        table.insert(0, "id", collection.images["id"])
    return table


def write_manifest(table: pd.DataFrame, path: Path) -> None:
    """Writes a table by the suffix of its name; cells stay text, also `0007` and `=SUM`.

    Raises:
        UserError: another suffix, more rows than a spreadsheet holds, or characters it can not hold.
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
        raise UserError(f"{path} is neither .csv nor .xlsx nor .parquet")


def _xlsx(table: pd.DataFrame, path: Path) -> bytes:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if len(table) > MOST_ROWS:
        raise UserError(
            f"{path}: a spreadsheet holds {MOST_ROWS:,} rows and not {len(table):,}: write .csv or .parquet"
        )
    for column in table:
        if (odd := table[column].str.contains(ILLEGAL_CHARACTERS_RE)).any():
            raise UserError(
                f"{path}: the column {column} of {table.iloc[:, 0][odd].iloc[0]!r} holds control characters, which a "
                f"spreadsheet can not: write .csv or .parquet"
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


def run(asked: Manifest) -> int:
    """Writes the table and says how many rows it has."""
    from keras_art.data.sources import load_collection

    collection = load_collection(asked.data, asked.root)
    table = manifest(collection, asked.out.parent)
    write_manifest(table, asked.out)
    left = f"; {len(collection.quarantine):,} in quarantine are left out" if len(collection.quarantine) else ""
    print(f"{asked.out}: {len(table):,} images, columns {', '.join(table.columns)}{left}")
    return 0


def main(argv: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    return flags.run(Manifest, run, argv, prog="python -m keras_art manifests", description=__doc__ or "")

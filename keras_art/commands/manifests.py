"""Any collection as one table to work on elsewhere and to read again: CSV, XLSX or Parquet.

python -m keras_art manifests kaokore --root FOLDER --out kaokore.xlsx
python -m reproductions.sabatelli2018 --data kaokore.xlsx --target status
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.data.readers.split_columns import SPLIT_COLUMNS
from keras_art.data.readers.tables import IMAGE_COLUMNS, OBJECT_COLUMNS
from keras_art.outputs import check_apart, check_file
from keras_art.report.sheets import SUFFIXES, relative, write_table

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.data.sources import Collection


@dataclass(frozen=True)
class Manifest:
    """Writes a collection as a table."""

    data: tyro.conf.Positional[str]
    """A card's name, a table of images, a folder, or a choice of --store."""
    out: Path
    """The table: .csv, .xlsx or .parquet."""
    root: str | None = None
    """Folder that holds the cards' collections. Default: $KERAS_ART_DATA."""
    sheet: str = ""
    """Of a spreadsheet; without it, the first one whose rows name pictures."""
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
    table.insert(0, image, [relative(path, place) for path in collection.paths()])
    if "id" not in taken:
        table.insert(0, "id", collection.images["id"])
    return table


def run(asked: Manifest) -> int:
    """Writes the table and says how many rows it has."""
    from keras_art.data.collection import left_out
    from keras_art.data.opening import open_collection
    from keras_art.store.runs import Store

    check_file(asked.out, *SUFFIXES)
    check_apart(asked.data, asked.out)
    collection = open_collection(Store(asked.store), asked.data, asked.root, sheet=asked.sheet)
    table, bad = manifest(collection, asked.out.parent), collection.quarantine
    write_table(table, asked.out)
    terminal.answer(
        "; ".join([f"{asked.out}: {len(table):,} images, columns {', '.join(table.columns)}", *left_out(bad)])
    )
    return 0


def main(argv: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    return flags.run(Manifest, run, argv, prog="python -m keras_art manifests", description=__doc__ or "")

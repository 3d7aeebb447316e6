"""A person's table, and in it what a model says of the picture that each row means."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from keras_art import stopping, terminal
from keras_art.errors import UserError
from keras_art.pictures.places import whole
from keras_art.report import sheets
from keras_art.writing import csv_text, numbered, one_line, write, write_bytes

if TYPE_CHECKING:
    import pandas as pd

FIRST = 3  # columns of a task that stand before its likeliest classes, as of `prediction.predict`
MOST_KEPT = 2**26  # bytes of a workbook's XML, of which a byte takes ten in memory
UNNAMED = re.compile(r"^Unnamed: \d+$")  # as readers call a column without a name


@dataclass(frozen=True)
class Pictures:
    """What is to be looked at, and the table that it stands in.

    Attributes:
        table: the person's own columns, all text.
        ids: of each row its picture's, "" where there is none.
        paths: id -> file.
        whole: keep the rows whose picture is not there or can not be read; of a folder they are no rows.
        notes: of each row why it has no picture, "" where it has one.
        left_out: path and reason of what can not be taken for a picture.
        known: what is told of pictures beside all that, by their ids.
        source: of an XLSX file, it, the sheet, and where its header and rows stand.
        tasks: how many of them the model has an answer to.
    """

    table: pd.DataFrame
    ids: list[str]
    paths: dict[str, Path]
    whole: bool = False
    notes: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    known: pd.DataFrame | None = None
    source: tuple[Path, str, Sequence[int]] | None = None
    tasks: int = 1


def joined(pictures: Pictures, found: pd.DataFrame, why: dict[str, str], out: Path) -> pd.DataFrame:
    """The person's own columns, then what the model says, the picture, for a table why it has none, the likeliest.

    Args:
        found: as `prediction.predict` returns it.
        why: path -> why it could not be read.
        out: which the pictures' places are told relative to.
    """
    import pandas as pd

    said = found.set_index(found.columns[0])
    kept = [i for i, id_ in enumerate(pictures.ids) if pictures.whole or id_ in said.index]
    ids, own = [pictures.ids[i] for i in kept], pictures.table.iloc[kept].reset_index(drop=True)
    folder = str(out.absolute().parent.resolve())
    files = [whole(pictures.paths[id_]) if id_ else "" for id_ in ids]
    ours = said.reindex(ids).reset_index(drop=True)
    texts = ours.select_dtypes(exclude="number").columns
    ours[texts] = ours[texts].fillna("")
    first = FIRST * pictures.tasks
    parts = [ours.iloc[:, :first], pd.DataFrame({"picture": [sheets.relative(file, folder) for file in files]})]
    if pictures.whole:
        notes = [pictures.notes[i] or why.get(str(pictures.paths[pictures.ids[i]]), "") for i in kept]
        parts.append(pd.DataFrame({"note": notes}))
    parts.append(ours.iloc[:, first:])
    if pictures.known is not None:
        more = pictures.known.reindex(ids).reset_index(drop=True).fillna("")
        parts.append(more[[name for name in more if name not in ours]])
    table = pd.concat([own, *parts], axis=1)
    return table.set_axis(numbered(table.columns), axis=1)


def quarantine_of(out: Path) -> Path:
    """Where what could not be read goes, beside the table."""
    return out.with_name(f"{out.stem}_quarantine.csv")


def hand_over(pictures: Pictures, table: pd.DataFrame, unreadable: pd.DataFrame, out: Path) -> None:
    """Writes the table, of an XLSX file as that stands, and beside it what could not be read."""
    own = pictures.table.shape[1]
    linked = own + FIRST * pictures.tasks
    if out.suffix.lower() == ".xlsx" and pictures.source:
        write_bytes(out, its_workbook(pictures, table, out, linked))
    else:
        if out.suffix.lower() != ".parquet":  # whose columns must have names
            names = [UNNAMED.sub("", name) if i < own else name for i, name in enumerate(table)]
            table = table.set_axis(names, axis=1)
        sheets.write_table(table, out, "predictions", linked)
    quarantine = quarantine_of(out)
    quarantine.unlink(missing_ok=True)  # an earlier one's, which says nothing of these pictures
    if len(unreadable):
        write(quarantine, csv_text(unreadable))
        absent = sum(map(bool, pictures.notes))
        counts = {"without a picture": absent, "that can not be read": len(unreadable) - absent}
        told = " and ".join(
            f"{count:,} {'row' if what == 'without a picture' else 'picture'}{'s' * (count > 1)} {what}"
            for what, count in counts.items()
            if count
        )
        terminal.say(f"{told}: see {quarantine}")


def its_workbook(pictures: Pictures, table: pd.DataFrame, out: Path, linked: int) -> bytes:
    """The person's XLSX file with what is ours behind their sheet; where that can not be, that sheet alone, as is said.

    Args:
        linked: the column of paths to pictures.
    """
    assert pictures.source
    path, sheet, places = pictures.source
    own = pictures.table.shape[1]
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MOST_KEPT:
            raise UserError(f"it unpacks to {size / 1e6:,.0f} MB")
        cells = dict(zip(places, sheets.rows_of(table.iloc[:, own:]), strict=True))
        content, formulas, lost = sheets.behind(path, sheet, cells, own + 1, linked - own)
    except Exception as error:  # openpyxl streams what it can not always keep, and raises nearly anything
        stopping.heed()
        terminal.say(
            f"{out} has the sheet {sheet!r} of {path} alone, its formulas as their last results, for the whole can not "
            f"be kept ({one_line(str(error), 120)}): copy the new columns over, where you need the rest"
        )
        return sheets.workbook(as_it_stands(pictures, table), out, title=sheet, header=places[0], linked=linked)
    if lost:
        terminal.say(f"{out} comes back without {', '.join(lost)}, which can not be written: {path} keeps what it has")
    if formulas:
        many = "s" * (formulas > 1)
        terminal.say(f"{out} keeps {formulas:,} formula{many}, computed where it is opened in a spreadsheet program")
    return content


def as_it_stands(pictures: Pictures, table: pd.DataFrame) -> Iterator[list[sheets.Cell]]:
    """The rows of a person's sheet with their numbers, dates and titles, and behind each what is ours."""
    from keras_art.data.readers.workbooks import rows_of_xlsx

    assert pictures.source
    path, sheet, places = pictures.source
    own = pictures.table.shape[1]
    ours = list(sheets.rows_of(table.iloc[:, own:]))
    texts = [[""] * own, *pictures.table.itertuples(index=False, name=None)]
    at = {place: i for i, place in enumerate(places)}
    for number, row in enumerate(rows_of_xlsx(path, sheet), 1):
        if (i := at.get(number)) is None:
            yield row
            continue
        row = [*row, *[(None, "General")] * own][:own]
        # What is merged with a cell above is there for each of its rows.
        filled = [
            cell if cell[0] is not None or not text else (sheets.escaped(text), "General")
            for cell, text in zip(row, texts[i], strict=True)
        ]
        yield [*filled, *ours[i]]

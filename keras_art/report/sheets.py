"""Tables that people take elsewhere: CSV, XLSX or Parquet, by the suffix of the name.

No cell becomes a formula, whatever it begins with, and none is cut.
"""

from __future__ import annotations

import datetime
import io
import itertools
import os
import re
import urllib.parse
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art.errors import UserError
from keras_art.pictures.places import is_address, parted, whole
from keras_art.report import drawings
from keras_art.writing import csv_text, write, write_bytes

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".xlsx", ".parquet")
MOST_ROWS = 1_048_576  # of a spreadsheet
MOST_COLUMNS = 16_384
MOST_LETTERS = 32_767  # of a cell, as UTF-16 counts them
MOST_LINKS = 65_530  # of a sheet, beyond which Excel drops them
SHARES = "0.0%"  # how numbers are shown of which most are shares of one
WIDTH, WIDEST = 9, 40  # letters that a column shows
SAMPLE = 1_000  # rows by which it is found how many: what is rare, such as why a row has no picture, may begin late
# What XML can not hold or does not keep, and what would be taken for its escape.
ODD = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
EXTENSION = re.compile(r"(.+) extension is not supported")  # as openpyxl warns of what it leaves out of a sheet
Cell = tuple[Any, str]  # a value as openpyxl has it, and its number format


def write_table(table: pd.DataFrame, path: Path, title: str = "images", linked: int = -1, shown: str = SHARES) -> None:
    """Writes a table by the suffix of its name; text stays text, also `0007` and `=SUM`.

    Args:
        title: of an XLSX file's sheet.
        linked: a column of paths, absolute or relative to the table's folder, which XLSX makes links; -1: none.
        shown: how XLSX shows what is no whole number.

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
        check_fits(table, path)
        write_bytes(path, workbook(rows_of(table, shown), path, title=title, linked=linked))
    else:
        raise UserError(f"{path} ends in none of {', '.join(SUFFIXES)}")


def check_fits(table: pd.DataFrame, path: Path, rows: int = 0) -> None:
    """Refuses a table that a spreadsheet does not hold; those of other kinds hold any.

    Args:
        rows: how many it is to have (0: as many as it has).

    Raises:
        UserError: it has too many rows or columns, or a text that is too long for a cell.
    """
    if path.suffix.lower() != ".xlsx":
        return
    for name, found, most in (("rows", 1 + (rows or len(table)), MOST_ROWS), ("columns", table.shape[1], MOST_COLUMNS)):
        if found > most:
            raise UserError(f"{path}: a spreadsheet holds {most:,} {name} and not {found:,}: write .csv or .parquet")
    for i, column in enumerate(table):
        letters = table.iloc[:, i].map(_letters)
        if len(letters) and (most := letters.max()) > MOST_LETTERS:
            raise UserError(
                f"{path}: the column {column} of {table.iloc[letters.argmax(), 0]!r} holds {most:,} letters, and a "
                f"spreadsheet's cell at most {MOST_LETTERS:,}: write .csv or .parquet"
            )


def _letters(value: Any) -> int:
    return len(escaped(value).encode("utf-16-le", "surrogatepass")) // 2 if isinstance(value, str) else 0


def rows_of(table: pd.DataFrame, shown: str = SHARES) -> Iterator[list[Cell]]:
    """A table's header and rows, with what Excel is to show numbers by, those that are not whole as `shown`."""
    yield [(escaped(str(name)), "General") for name in table]
    kinds = [shown if kind.kind == "f" else "General" for kind in table.dtypes]
    for row in table.itertuples(index=False, name=None):
        yield [
            ((escaped(value) if isinstance(value, str) else None if value != value else value), kind)
            for value, kind in zip(row, kinds, strict=True)
        ]


def workbook(
    rows: Iterable[Sequence[Cell]], path: Path, *, title: str = "images", header: int = 1, linked: int = -1
) -> bytes:
    """Rows as an XLSX file of one sheet, the header fast at the top and with a filter.

    Args:
        rows: texts are `escaped`.
        path: where it will lie, which links are relative to.
        header: which row that is, from 1.
        linked: the column whose texts are paths, and become links; -1: none.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    sheet = book.create_sheet(re.sub(r"[\\/*?:\[\]]", "_", title)[:31] or "images")
    sheet.freeze_panes = f"A{header + 1}"
    bold, links, last, begin = Font(bold=True), 0, header, iter(rows)
    first = list(itertools.islice(begin, header + SAMPLE))
    width = max(map(len, first), default=1)
    drawings.show(sheet, 1, widths(first[header - 1 :], width))

    def cell(value: Any, kind: str, place: int, row: int) -> WriteOnlyCell:
        nonlocal links
        made = WriteOnlyCell(sheet)
        _fill(made, value, kind)
        if row == header:
            made.font = bold
        elif place == linked and row > header and value and links < MOST_LINKS:
            made.hyperlink, made.style = link(value), "Hyperlink"
            links += 1
        return made

    for number, row in enumerate(itertools.chain(first, begin), 1):
        sheet.append(
            [cell(value, kind, i, number) if value is not None else None for i, (value, kind) in enumerate(row)]
        )
        last = number
    if last >= header:
        sheet.auto_filter.ref = f"A{header}:{get_column_letter(width)}{max(last, header)}"
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def widths(rows: Sequence[Sequence[Cell]], columns: int) -> list[int]:
    """How many letters each column shows: as its longest text or whole number has, within bounds."""
    longest = [0] * columns
    for row in rows:
        for i, (value, kind) in enumerate(row):
            if value is not None and (isinstance(value, str) or kind == "General"):
                longest[i] = max(longest[i], len(str(value)))
    return [min(max(letters + 2, WIDTH), WIDEST) for letters in longest]


def behind(
    source: Path, sheet: str, cells: Mapping[int, Sequence[Cell]], first: int, linked: int
) -> tuple[bytes, int, list[str]]:
    """A person's XLSX file whole, its other sheets, formulas and looks, with cells behind those of one sheet.

    Args:
        cells: row, from 1 -> what is put into it; the least row is the header.
        first: the column, from 1, that these cells begin at, unless something stands there or behind it, a drawing too.
        linked: as of `workbook`, among these cells.

    Returns:
        The file, how many formulas are in it (their results are not, which a spreadsheet program computes anew), and
        what of the person's file is not: `2 shapes`.

    Raises:
        Exception: the file is not as openpyxl can keep it, of whatever kind openpyxl raises then.
    """
    from openpyxl import load_workbook
    from openpyxl.styles import Font

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        book = load_workbook(source, rich_text=True)
    header, ours = min(cells), book[sheet]
    full = (cell.column for row in ours.iter_rows(header) for cell in row if cell.value is not None)
    first = max(first, 1 + max(full, default=0))
    first = drawings.free(ours, (header, max(cells)), first, len(cells[header]))
    for row, values in sorted(cells.items()):
        for place, (value, kind) in enumerate(values):
            made = ours.cell(row, first + place)
            _fill(made, value, kind)
            if row == header:
                made.font = Font(bold=True)
            elif place == linked and value and row - header <= MOST_LINKS:
                made.hyperlink, made.style = link(value), "Hyperlink"
    drawings.show(ours, first, widths(list(cells.values()), len(cells[header])))
    content = io.BytesIO()
    book.save(content)
    every = (cell for one in book.worksheets for row in one.iter_rows() for cell in row)
    before, after = drawings.counted(source), drawings.counted(content)
    lost = {what: count - after[what] for what, count in before.items() if count > after[what]}
    words = [f"{count:,} {what}{'s' * (count > 1)}" for what, count in lost.items()]
    newer = [match[1].lower() for each in told if (match := EXTENSION.match(str(each.message)))]
    words += [f"the {name} extension of sheets" for name in dict.fromkeys(newer)]
    return content.getvalue(), sum(cell.data_type == "f" for cell in every), words


def _fill(cell: Any, value: Any, kind: str) -> None:
    cell.value = value
    if isinstance(value, str):
        cell.data_type = "s"  # text that begins with = is no formula
    elif not (kind == "General" and isinstance(value, datetime.date | datetime.time | datetime.timedelta)):
        cell.number_format = kind


def link(path: str) -> str:
    """The address of a file, absolute or relative to where the link stands; of a shard's member the shard's."""
    path = parted(path)[0]
    if is_address(path):
        return urllib.parse.quote(whole(path), safe=":/?&=%#@+,;~")
    return Path(path).as_uri() if os.path.isabs(path) else urllib.parse.quote(path)


def relative(path: str, folder: str) -> str:
    """A path relative to a folder's, so that both can be moved together, unless they share no more than the root."""
    if is_address(path):
        return whole(path)
    if not path or os.path.commonpath([path, folder]) == os.path.abspath(os.sep):
        return path
    below = os.path.relpath(path, folder).replace(os.sep, "/")
    # Readers drop surrounding blanks, and a tilde stands for a person's home.
    return below if below == below.strip() and not below.startswith("~") else f"./{below}"


def escaped(text: str) -> str:
    """As XLSX writes what XML does not keep: `_x000D_`; readers of spreadsheets know it."""
    return ODD.sub(lambda found: f"_x{ord(found[0]):04X}_", text)

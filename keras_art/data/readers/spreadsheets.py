"""CSV, XLSX, ODS and Parquet files as tables of text.

A cell that holds nothing is "": an empty one, a null, a number that is none (NaN), an error of a spreadsheet (`#N/A`).
Text is text, whatever it looks like: `NA`, `nan`, `True`, `007`, `1e5`.
"""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from itertools import chain, islice
from pathlib import Path
from statistics import median_low
from typing import TYPE_CHECKING, Any

from keras_art import terminal
from keras_art.data.collection import BadCollection
from keras_art.data.readers.text import read_text
from keras_art.store.reading import LONGEST
from keras_art.writing import meant

if TYPE_CHECKING:
    import pandas as pd

# Of a spreadsheet, which is a ZIP archive of XML, or of Parquet: a million rows of twenty columns stay below.
MOST_UNPACKED = 2**30  # bytes
MOST_TIMES = 200  # its own size; short rows of equal words are packed by 30
MOST_CELLS = 20_000_000
SAMPLE, SAMPLED = 20, 2**16  # rows and letters by which separator and header are found
WIDEST = 16_384  # columns of a sheet
ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")  # how XLSX writes a character that XML can not
Rows = list[list[str]]
Sheets = Generator[tuple[str, Generator[list[str], None, None]], None, None]  # names and rows


def read_sheets(path: Path, *, latin: bool = False) -> dict[str, pd.DataFrame]:
    """Every sheet of a file that has rows, by name; of a file without sheets one called "".

    Every cell is text without surrounding blanks; a column without a name is called `Unnamed: N`, as pandas does.

    Args:
        path: a file; its suffix says of which kind, others than those of `TABLES` are CSV.
        latin: take a CSV that is not UTF-8 for Latin-1, as some published ones are.

    Raises:
        BadCollection: it is no such table, has no rows, or columns of one name; the message names the line.
    """
    read = TABLES.get(path.suffix.lower(), read_csv)
    sheets = {"": read_csv(path, latin=latin)} if read is read_csv else read(path)
    if not (full := {name: raw for name, raw in sheets.items() if not raw.empty}):
        raise BadCollection(f"{path} has no rows: write a header and one line per image")
    for raw in full.values():
        if twice := sorted(set(raw.columns[raw.columns.duplicated()])):
            raise BadCollection(f"{path} has several columns called {', '.join(twice)}: rename them")
    return full


def read_csv(path: Path, *, latin: bool = False) -> pd.DataFrame:
    """A CSV separated by `,` `;` `|` or tabs; blank lines, and titles above the header, are passed over."""
    csv.field_size_limit(LONGEST)
    cells: list[list[str]] = []
    row_count = 0
    try:
        text = read_text(path) if latin else _decoded(path)
        line = re.match(r"sep=(.)[\r\n]+", text)  # Excel's own
        separator = line[1] if line else _separator(text)
        file = io.StringIO(text, newline="")
        if line:
            file.readline()
        reader = csv.reader(file, delimiter=separator, skipinitialspace=True, strict=True)
        numbered = ((reader.line_num + bool(line), [meant(c.strip()) for c in row]) for row in reader if any(row))
        first = list(islice(numbered, SAMPLE))
        first = first[_header([row for _, row in first], path) :]
        header = first[0][1] if first else []
        cells = [[] for _ in header]
        for number, row in chain(first[1:], numbered):
            if len(row) != len(header):
                raise BadCollection(
                    f"{path}, line {number}: {len(row)} cells, but the first line has {len(header)}; a text that holds "
                    f"{separator!r} or a line's end must stand in double quotes"
                )
            row_count += 1
            for column, cell in zip(cells, row, strict=True):
                column.append(cell)
    except UnicodeDecodeError as error:
        raise BadCollection(f"{path} is not UTF-8 ({error}); save it as 'CSV UTF-8'") from error
    except csv.Error as error:
        raise BadCollection(
            f"{path}, after {row_count} rows: {error}; a double quote within a quoted text must be doubled"
        ) from error
    return _table(header, cells)


def _decoded(path: Path) -> str:
    """A file's text: UTF-8, or UTF-16 where it says so, as Excel's "Unicode text" does."""
    content = path.read_bytes()
    return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")


def _separator(text: str) -> str:
    """The mark that stands equally often in all of the first lines, quoted texts aside; else that stands most often."""
    marks = "\t;,|"
    sample, rest = text[:SAMPLED], text[SAMPLED:]
    bare = re.sub(rf'(?:(?<=[{marks}\r\n])|^) *"[^"]*(?:""[^"]*)*" *(?=[{marks}\r\n]|$)', "", sample)
    lines = [line for line in re.split(r"[\r\n]+", bare) if line.strip()]
    lines = lines[: -1 if rest and len(lines) > 1 else None][:SAMPLE]

    def sure(mark: str) -> tuple[bool, int]:
        counts = [line.count(mark) for line in lines] or [0]
        return min(counts) == max(counts) > 0, median_low(counts)

    return max(marks, key=sure)


def _header(rows: Rows, path: Path) -> int:
    """Which of the first rows is the header: the first, or one below titles of a single cell, if it looks like one."""
    filled = [[cell for cell in row if cell] for row in rows]
    first = next((i for i, row in enumerate(filled) if len(row) > 1), 0)
    if first and not any(re.search(r"\.\w{2,5}$|^\d+$", cell) for cell in filled[first]):
        terminal.say(f"{path}: {filled[0][0]!r} is passed over, for the header seems to stand below it")
        return first
    return 0


def _table(header: Sequence[str], cells: Sequence[Sequence[str]]) -> pd.DataFrame:
    """A table by its columns; two may have one name."""
    import pandas as pd

    names = [name.strip() or f"Unnamed: {i}" for i, name in enumerate(header)]
    table = pd.DataFrame({i: pd.Series(column, dtype=str) for i, column in enumerate(cells)})
    return table.set_axis(names, axis=1)


def _sheets(path: Path, sheets: Sheets) -> dict[str, pd.DataFrame]:
    """The sheets of a spreadsheet by name, each from the header on, without the blanks behind what they hold.

    Raises:
        BadCollection: it is none, or unpacks to more bytes or cells than it should.
    """
    kind = path.suffix[1:].upper()
    found = {}
    try:
        with ExitStack() as stack, closing(sheets), zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > min(MOST_UNPACKED, 2**20 + MOST_TIMES * path.stat().st_size):
                raise BadCollection(f"{path} unpacks to {size:,} bytes, more than a table of images can be: export CSV")
            seen = 0
            for name, every in sheets:
                rows: list[list[str]] = []
                for row in stack.enter_context(closing(every)):
                    if (seen := seen + len(row)) > MOST_CELLS:
                        raise BadCollection(f"{path} has more than {MOST_CELLS:,} cells, blank ones too: export CSV")
                    while row and not row[-1]:
                        row.pop()
                    if row:
                        rows.append(row)
                rows = rows[_header(rows[:SAMPLE], path) :]
                width = max(map(len, rows), default=0)
                filled = [row + [""] * (width - len(row)) for row in rows]
                found[name] = _table(
                    filled[0] if filled else [], [[row[i] for row in filled[1:]] for i in range(width)]
                )
    except Exception as error:  # openpyxl raises nearly anything on XML that is none of a spreadsheet's
        if isinstance(error, BadCollection):
            raise
        raise BadCollection(f"{path} is no {kind} spreadsheet ({error}): save it anew, or as 'CSV UTF-8'") from error
    return found


def read_xlsx(path: Path) -> dict[str, pd.DataFrame]:
    """The sheets of a spreadsheet, hidden ones last; whole numbers lose their `.0`, formulas are their last values."""

    def read() -> Sheets:
        import openpyxl

        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            for sheet in sorted(book.worksheets, key=lambda sheet: sheet.sheet_state != "visible"):
                sheet.reset_dimensions()  # what it says of its own size, to which every row would be filled
                yield sheet.title, ([_of_xlsx(cell) for cell in row] for row in sheet.iter_rows())
        finally:
            book.close()

    return _sheets(path, read())


def _of_xlsx(cell: Any) -> str:
    value = cell.value
    if value is None or cell.data_type == "e":
        return ""
    if isinstance(value, str):
        return ESCAPED.sub(lambda found: chr(int(found[1], 16)), value).strip() if "_x" in value else value.strip()
    text = _cell(value)
    zeros = cell.number_format if isinstance(value, int | float) and text.isdigit() else ""
    return text.zfill(len(zeros)) if zeros.strip("0") == "" else text  # shown as 0007


def _cell(value: Any) -> str:
    if value is None or value != value:  # NaN, of floats, decimals and times
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def read_ods(path: Path) -> dict[str, pd.DataFrame]:
    """The sheets of an OpenDocument spreadsheet, by the same rules."""

    def read() -> Sheets:
        with zipfile.ZipFile(path) as archive, archive.open("content.xml") as file:
            for _, sheet in ET.iterparse(file):
                if sheet.tag == f"{TABLE}table":
                    yield sheet.get(f"{TABLE}name", ""), _rows_of_ods(sheet)

    return _sheets(path, read())


TABLE, TEXT, OFFICE, CALC = (
    f"{{urn:org:documentfoundation:names:experimental:{name}:xmlns:1.0}}" if name == "calc"
    else f"{{urn:oasis:names:tc:opendocument:xmlns:{name}:1.0}}" for name in ("table", "text", "office", "calc")
)  # fmt: skip


def _rows_of_ods(sheet: ET.Element) -> Generator[list[str], None, None]:
    for row in sheet.iter(f"{TABLE}table-row"):
        cells: list[str] = []
        for cell in row:
            # What is repeated to the edge of the sheet is blank, and of no use.
            times = int(cell.get(f"{TABLE}number-columns-repeated", 1))
            cells += [_of_ods(cell)] * min(times, WIDEST - len(cells))
        if any(cells):
            yield from (list(cells) for _ in range(int(row.get(f"{TABLE}number-rows-repeated", 1))))


def _of_ods(cell: ET.Element) -> str:
    shown = "\n".join(map(_text_of_ods, cell.findall(f"{TEXT}p"))).strip()
    kind = cell.get(f"{OFFICE}value-type", "")
    if cell.get(f"{CALC}value-type") == "error":
        return ""
    if kind in ("float", "percentage", "currency"):
        text = _cell(float(cell.get(f"{OFFICE}value", "nan")))
        return shown if shown.isdigit() and shown.lstrip("0") == text.lstrip("0") else text
    return {"boolean": shown.title(), "date": cell.get(f"{OFFICE}date-value", shown)}.get(kind, shown)


def _text_of_ods(element: ET.Element) -> str:
    blanks = {f"{TEXT}s": " " * int(element.get(f"{TEXT}c", 1)), f"{TEXT}tab": "\t", f"{TEXT}line-break": "\n"}
    inner = "".join(_text_of_ods(child) + (child.tail or "") for child in element)
    return blanks.get(element.tag, "") + (element.text or "") + inner


def read_parquet(path: Path) -> dict[str, pd.DataFrame]:
    """The text, numbers and dates of a Parquet file; lists are joined by `; `, other nested columns left out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        claims = pq.read_metadata(path)
        if claims.num_rows * claims.num_columns > MOST_CELLS:
            raise BadCollection(f"{path} has more than {MOST_CELLS:,} cells: write those that name images")
        table = pq.read_table(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, BadCollection):
            raise
        raise BadCollection(f"{path} is no Parquet file that can be read ({error}): download it anew") from error
    names, cells = [], []
    for field, column in zip(table.schema, table.columns, strict=True):
        several = pa.types.is_list(field.type) or pa.types.is_large_list(field.type)
        if several or not (pa.types.is_nested(field.type) or pa.types.is_binary(field.type)):
            names.append(field.name)
            values = column.to_pylist()
            cells.append(["; ".join(map(_cell, v or [])) for v in values] if several else list(map(_cell, values)))
    return {"": _table(names, cells)}


TABLES: dict[str, Callable[[Path], Any]] = {
    ".csv": read_csv, ".tsv": read_csv, ".xlsx": read_xlsx, ".ods": read_ods, ".parquet": read_parquet,
}  # fmt: skip

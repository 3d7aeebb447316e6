"""XLSX files, and what ODS files share with them: sheets as tables of text, and a sheet's rows as they stand there.

A cell that is merged over several rows speaks for each of them: its text is taken for all, and a person is told.
"""

from __future__ import annotations

import datetime
import re
import warnings
import zipfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art.data.collection import BadCollection

if TYPE_CHECKING:
    import pandas as pd

# Of a spreadsheet, which is a ZIP archive of XML, or of Parquet: a million rows of twenty columns stay below.
MOST_UNPACKED = 2**30  # bytes
MOST_TIMES = 200  # its own size; short rows of equal words are packed by 30
MOST_CELLS = 20_000_000  # all rows are filled up to the widest
SAMPLE = 20  # rows by which the header is found
DEEPEST = 3  # rows of a header
TALLEST = 2**20  # rows of a sheet
WIDEST = 16_384  # columns
ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")  # how XLSX writes a character that XML can not
MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^<>]*?ref="([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})"')
# A formula of a cell that has no value; `t="str"` says that it was computed, to no text.
FORMULA = re.compile(
    rb'<(?:\w+:)?c\s(?![^<>]*\bt="str")[^<>]*?\br="([A-Z]{1,3}\d{1,7})"[^<>]*>\s*'
    rb"<(?:\w+:)?f\b(?:[^<>]*/>|[^<>]*>[^<]{0,9000}</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
OVERLAP = 10_000  # bytes of a sheet, of which a cell with its formula has fewer
IMAGE_COLUMNS = ("image", "file", "filename", "file_name", "path", "image_path", "imageid")
LINKED = re.compile(r"\.\w{2,5}$|^\d+$")  # what no header has: the name of a file, a number
Merge = tuple[int, int, int]  # a column, and the first and the last row, all from 0
Rows = list[list[str]]
Sheets = Generator[tuple[str, Generator[list[str], None, None], list[Merge], list[str]], None, None]


@dataclass(frozen=True)
class Sheet:
    """A sheet as it was read.

    Attributes:
        table: every cell is text without surrounding blanks.
        rows: where its header and each of its rows stand in the file, from 1; empty for kinds without sheets.
        said: what a person should know of how it was read.
    """

    table: pd.DataFrame
    rows: Sequence[int] = ()
    said: list[str] = field(default_factory=list)


def header_of(rows: Rows) -> tuple[int, str]:
    """Which of the first rows is the header, and what is passed over above it.

    The first row, or, below titles that fill less than half of the cells that others do, the first one that looks like
    a header; or the one with a cell that names the images as people do, where none above it has such a one.
    """
    filled = [[cell for cell in row if cell] for row in rows]
    most = max(map(len, filled), default=0)
    first = next((i for i, row in enumerate(filled) if len(row) >= max(2, most / 2)), 0)
    first = next((i for i, row in enumerate(filled) if not {*IMAGE_COLUMNS}.isdisjoint(map(str.lower, row))), first)
    if first and not any(LINKED.search(cell) for cell in filled[first]):
        above = next(row[0] for row in filled if row)
        return first, f"{above!r} is passed over, for the header seems to stand below it"
    return 0, ""


def as_table(header: Sequence[str], cells: Sequence[Sequence[str]]) -> pd.DataFrame:
    """A table by its columns; two may have one name."""
    import pandas as pd

    names = [name.strip() or f"Unnamed: {i}" for i, name in enumerate(header)]
    table = pd.DataFrame({i: pd.Series(column, dtype=str) for i, column in enumerate(cells)})
    return table.set_axis(names, axis=1)


def sheets_of(path: Path, sheets: Sheets) -> dict[str, Sheet]:
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
            cells = signs = 0
            for name, every, merges, formulas in sheets:
                rows: Rows = []
                places: list[int] = []
                carried: dict[int, tuple[int, str]] = {}  # column -> up to which row it says what
                begin: dict[int, list[Merge]] = {}
                for merge in merges:
                    begin.setdefault(merge[1], []).append(merge)
                width = 0
                for place, row in enumerate(stack.enter_context(closing(every))):
                    _carry(row, place, begin.get(place, []), carried)
                    cells, signs = cells + len(row), signs + sum(map(len, row))
                    while row and not row[-1]:
                        row.pop()
                    if row:
                        rows.append(row)
                        places.append(place + 1)
                        width = max(width, len(row))
                    if max(cells, len(rows) * width) > MOST_CELLS or signs > MOST_UNPACKED or place >= TALLEST:
                        raise BadCollection(f"{path} has more than {MOST_CELLS:,} cells, blank ones too: export CSV")
                found[name] = _sheet(path, name, rows, places, merges)
                if formulas:
                    are = f"{len(formulas):,} cell{'s are formulas' if len(formulas) > 1 else ' is a formula'}"
                    found[name].said.append(
                        f"{path}, sheet {name!r}: {are} whose result is not in the file, first {formulas[0]}, and so "
                        f"blank here: open it in a spreadsheet program and save it, which computes them"
                    )
    except Exception as error:  # openpyxl raises nearly anything on XML that is none of a spreadsheet's
        if isinstance(error, BadCollection):
            raise
        raise BadCollection(f"{path} is no {kind} spreadsheet ({error}): save it anew, or as 'CSV UTF-8'") from error
    return found


def _carry(row: list[str], place: int, begin: Sequence[Merge], carried: dict[int, tuple[int, str]]) -> None:
    """Fills the cells of a row that are merged with one above, and keeps what is merged with those below."""
    for column, (last, text) in list(carried.items()):
        if place > last:
            del carried[column]
        else:
            row += [""] * (column + 1 - len(row))
            row[column] = row[column] or text
    for column, _, last in begin:
        if text := row[column] if column < len(row) else "":
            carried[column] = last, text


def _sheet(path: Path, name: str, rows: Rows, places: list[int], merges: list[Merge]) -> Sheet:
    head, title = header_of(rows[:SAMPLE])
    rows, places = rows[head:], places[head:]
    said = [f"{path}: {title}"] if title else []
    width = max(map(len, rows), default=0)
    filled = [row + [""] * (width - len(row)) for row in rows]
    # A header of two rows has cells that are merged over both.
    top = places[0] - 1 if places else -1
    deep = 1 + max((last - top for _, first, last in merges if first == top and last - top < DEEPEST), default=0)
    names = [" ".join(dict.fromkeys(filter(None, column))) for column in zip(*filled[:deep], strict=True)]
    filled, places = filled[deep:], places[:1] + places[deep:]
    table = as_table(names, [[row[i] for row in filled] for i in range(width)])
    below = [merge for merge in merges if places and merge[1] >= places[0]]  # of rows, none of the header
    if below:
        column, first, last = min(below, key=lambda merge: (merge[1], merge[0]))
        said.append(
            f"{path}, sheet {name!r}: {len(below):,} cell{'s' * (len(below) > 1)} merged over several rows, first "
            f"{letters(column)}{first + 1}:{letters(column)}{last + 1}; what they say is taken for each of their rows"
        )
    return Sheet(table, places, said)


def letters(column: int) -> str:
    """What a spreadsheet calls a column, from 0: `A`, `Z`, `AA`."""
    text, column = "", column + 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


def _streaming(path: Path) -> Any:
    import openpyxl

    # It warns, in lines of its own code, of what a sheet has beside its cells, of which nobody has asked.
    warnings.filterwarnings("ignore", module=r"openpyxl\.")
    return openpyxl.load_workbook(path, read_only=True, data_only=True)


def read_xlsx(path: Path) -> dict[str, Sheet]:
    """The sheets of a spreadsheet, hidden ones last; whole numbers lose their `.0`, formulas are their last values."""

    def read() -> Sheets:
        book = _streaming(path)
        try:
            for sheet in sorted(book.worksheets, key=lambda sheet: sheet.sheet_state != "visible"):
                sheet.reset_dimensions()  # what it says of its own size, to which every row would be filled
                rows = ([_of_xlsx(cell) for cell in row] for row in sheet.iter_rows())
                yield sheet.title, rows, *_streamed(path, sheet._worksheet_path)
        finally:
            book.close()

    return sheets_of(path, read())


def _streamed(path: Path, member: str) -> tuple[list[Merge], list[str]]:
    """What openpyxl does not tell of a sheet that it streams: cells merged over rows, and formulas without a value."""
    found, rest = [], b""
    formulas: dict[str, None] = {}
    with zipfile.ZipFile(path) as archive, archive.open(member.lstrip("/")) as file:
        while piece := file.read(1 << 20):
            text = rest + piece
            for match in MERGED.finditer(text):
                found.append((match[1], int(match[2]) - 1, int(match[4]) - 1))
            formulas |= dict.fromkeys(match[1].decode() for match in FORMULA.finditer(text))
            rest = text[-OVERLAP:]
    merges = sorted({(_number(column), first, last) for column, first, last in found if last > first})
    return merges, list(formulas)


def _number(column: bytes) -> int:
    number = 0
    for letter in column:
        number = 26 * number + letter - 64
    return number - 1


def rows_of_xlsx(path: Path, sheet: str) -> Iterator[list[tuple[Any, str]]]:
    """Every row of a sheet, blank ones too: of each cell the value as openpyxl has it, and its number format.

    Formulas are their last values.
    """
    book = _streaming(path)
    try:
        found = book[sheet]
        found.reset_dimensions()
        for row in found.iter_rows():
            yield [(cell.value, cell.number_format if cell.value is not None else "General") for cell in row]
    finally:
        book.close()


def _of_xlsx(cell: Any) -> str:
    value = cell.value
    if value is None or cell.data_type == "e":
        return ""
    if isinstance(value, str):
        return ESCAPED.sub(lambda found: chr(int(found[1], 16)), value).strip() if "_x" in value else value.strip()
    text = text_of(value)
    zeros = cell.number_format if isinstance(value, int | float) and text.isdigit() else ""
    return text.zfill(len(zeros)) if zeros.strip("0") == "" else text  # shown as 0007


def text_of(value: Any) -> str:
    """A cell as text; "" for nothing, and for a number that is none."""
    if value is None or value != value:  # NaN, of floats, decimals and times
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    return text.removesuffix(" 00:00:00") if isinstance(value, datetime.datetime) else text

"""CSV, XLSX and Parquet files as tables of text."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art.data.collection import BadCollection
from keras_art.data.readers.text import read_text
from keras_art.writing import meant

if TYPE_CHECKING:
    import pandas as pd

# Of a spreadsheet, which is a ZIP archive of XML, or of Parquet: a million rows of twenty columns stay below.
MOST_UNPACKED = 2**30  # bytes
MOST_TIMES = 200  # its own size; short rows of equal words are packed by 30
MOST_CELLS = 20_000_000


def read_table(path: Path, *, latin: bool = False) -> pd.DataFrame:
    """Every cell as text without surrounding blanks; a column without a name is called `Unnamed: N`, as pandas does.

    Args:
        path: a file; its suffix says of which kind, others than those of `TABLES` are CSV.
        latin: take a CSV that is not UTF-8 for Latin-1, as some published ones are.

    Raises:
        BadCollection: it is no such table, has no rows, or columns of one name; the message names the line.
    """
    read = TABLES.get(path.suffix.lower(), read_csv)
    raw = read_csv(path, latin=latin) if read is read_csv else read(path)
    if raw.empty:
        raise BadCollection(f"{path} has no rows: write a header and one line per image")
    if twice := sorted(set(raw.columns[raw.columns.duplicated()])):
        raise BadCollection(f"{path} has several columns called {', '.join(twice)}: rename them")
    return raw


def read_csv(path: Path, *, latin: bool = False) -> pd.DataFrame:
    """A CSV separated by `,` `;` or tabs; blank lines are passed over."""
    import pandas as pd

    cells: list[list[str]] = []
    row_count = 0
    try:
        with io.StringIO(read_text(path)) if latin else path.open(encoding="utf-8-sig", newline="") as file:
            separator = max("\t;,", key=lambda mark: _columns(file, mark))
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, skipinitialspace=True, strict=True)
            header = [meant(name.strip()) or f"Unnamed: {i}" for i, name in enumerate(next(reader, []))]
            cells = [[] for _ in header]
            for row in reader:
                if not any(row):
                    continue
                if len(row) != len(header):
                    raise BadCollection(
                        f"{path}, line {reader.line_num}: {len(row)} cells, but the first line has {len(header)}; "
                        f"a text that holds {separator!r} must stand in double quotes"
                    )
                row_count += 1
                for column, cell in zip(cells, row, strict=True):
                    column.append(meant(cell.strip()))
    except UnicodeDecodeError as error:
        raise BadCollection(f"{path} is not UTF-8 ({error}); save it as 'CSV UTF-8'") from error
    except csv.Error as error:
        raise BadCollection(
            f"{path}, after {row_count} rows: {error}; a double quote within a quoted text must be doubled"
        ) from error
    table = pd.DataFrame({i: pd.Series(column, dtype=str) for i, column in enumerate(cells)})
    return table.set_axis(header, axis=1)  # two may have one name


def _columns(file: Any, separator: str) -> int:
    """How many columns header and first row have at least if this is the separator."""
    file.seek(0)
    rows = csv.reader(file, delimiter=separator, skipinitialspace=True)
    return min((len(row) for row in islice(rows, 2)), default=0)


def read_xlsx(path: Path) -> pd.DataFrame:
    """The first sheet of a spreadsheet; whole numbers lose their `.0`, formulas are read as their last values."""
    import openpyxl
    import pandas as pd

    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > min(MOST_UNPACKED, 2**20 + MOST_TIMES * path.stat().st_size):
                raise BadCollection(f"{path} unpacks to {size:,} bytes, more than a table of images can be: export CSV")
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            rows = _rows(book.worksheets[0], path)
        finally:
            book.close()
    except Exception as error:  # openpyxl raises nearly anything on XML that is none of a spreadsheet's
        if isinstance(error, BadCollection):
            raise
        raise BadCollection(f"{path} is no XLSX spreadsheet ({error}): save it anew, or as 'CSV UTF-8'") from error
    header = rows[0] if rows else []
    width = max((i + 1 for row in rows for i, cell in enumerate(row) if cell), default=0)
    header = [name or f"Unnamed: {i}" for i, name in enumerate(header[:width] + [""] * (width - len(header)))]
    filled = [(row + [""] * width)[:width] for row in rows[1:]]
    return pd.DataFrame(filled, columns=header, dtype=str)


def _rows(sheet: Any, path: Path) -> list[list[str]]:
    """The rows that hold something, without the blanks behind it.

    Raises:
        BadCollection: there are too many cells, of which a file of some kilobytes may claim billions.
    """
    sheet.reset_dimensions()  # what it says of its own size, to which every row would be filled
    rows, seen = [], 0
    for values in sheet.iter_rows(values_only=True):
        if (seen := seen + len(values)) > MOST_CELLS:
            raise BadCollection(f"{path} has more than {MOST_CELLS:,} cells, blank ones too: export CSV")
        row = [_cell(value) for value in values]
        while row and not row[-1]:
            row.pop()
        if row:
            rows.append(row)
    return rows


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def read_parquet(path: Path) -> pd.DataFrame:
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
    import pandas as pd

    columns = {}
    for field in table.schema:
        values = table.column(field.name).to_pylist()
        if pa.types.is_list(field.type) or pa.types.is_large_list(field.type):
            columns[field.name] = ["; ".join(map(_cell, value or [])) for value in values]
        elif not pa.types.is_nested(field.type) and not pa.types.is_binary(field.type):
            columns[field.name] = [_cell(value) for value in values]
    return pd.DataFrame(columns, dtype=str)


TABLES: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": read_csv, ".tsv": read_csv, ".xlsx": read_xlsx, ".parquet": read_parquet,
}  # fmt: skip

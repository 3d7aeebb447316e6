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

if TYPE_CHECKING:
    import pandas as pd

MOST_UNPACKED = 2**30  # bytes of a spreadsheet, which is a ZIP archive: a million rows stay below


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
            header = [name.strip() or f"Unnamed: {i}" for i, name in enumerate(next(reader, []))]
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
                    column.append(cell.strip())
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
            if (size := sum(member.file_size for member in archive.infolist())) > MOST_UNPACKED:
                raise BadCollection(f"{path} unpacks to {size:,} bytes, more than a table of images can be: export CSV")
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            rows = [[_cell(value) for value in row] for row in book.worksheets[0].iter_rows(values_only=True)]
        finally:
            book.close()
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        if isinstance(error, BadCollection):
            raise
        raise BadCollection(f"{path} is no XLSX spreadsheet ({error}): save it anew, or as 'CSV UTF-8'") from error
    rows = [row for row in rows if any(row)]
    header = rows[0] if rows else []
    width = max((i + 1 for row in rows for i, cell in enumerate(row) if cell), default=0)
    header = [name or f"Unnamed: {i}" for i, name in enumerate(header[:width] + [""] * (width - len(header)))]
    filled = [(row + [""] * width)[:width] for row in rows[1:]]
    return pd.DataFrame(filled, columns=header, dtype=str)


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
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
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

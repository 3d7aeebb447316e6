"""CSV, XLSX, ODS and Parquet files as tables of text.

A cell that holds nothing is "": an empty one, a null, a number that is none (NaN), an error of a spreadsheet (`#N/A`).
Text is text, whatever it looks like: `NA`, `nan`, `True`, `007`, `1e5`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from itertools import chain, islice
from pathlib import Path
from statistics import median_low
from typing import TYPE_CHECKING, Any

from keras_art import terminal
from keras_art.data.collection import BadCollection
from keras_art.data.readers import workbooks
from keras_art.data.readers.opendocument import read_ods
from keras_art.data.readers.text import decoded, read_text
from keras_art.data.readers.workbooks import SAMPLE, Sheet, as_table, header_of, read_xlsx, text_of
from keras_art.store.reading import LONGEST
from keras_art.writing import meant

if TYPE_CHECKING:
    import pandas as pd

SAMPLED = 2**16  # letters by which the separator is found
BATCH = 4096  # rows of a Parquet file that are unpacked at once


def read_sheets(path: Path, *, latin: bool = False) -> dict[str, Sheet]:
    """Every sheet of a file that has rows, by name; of a file without sheets one called "".

    Every cell is text without surrounding blanks; a column without a name is called `Unnamed: N`, as pandas does.

    Args:
        path: a file; its suffix says of which kind, others than those of `TABLES` are CSV.
        latin: take a CSV that is not UTF-8 for Latin-1, as some published ones are.

    Raises:
        BadCollection: it is no such table, has no rows, or columns of one name; the message names the line.
    """
    read = TABLES.get(path.suffix.lower(), _csv)
    sheets = {"": _csv(path, latin)} if read is _csv else read(path)
    if not (full := {name: sheet for name, sheet in sheets.items() if not sheet.table.empty}):
        raise BadCollection(f"{path} has no rows: write a header and one line per image")
    for sheet in full.values():
        names = sheet.table.columns
        if twice := sorted(set(names[names.duplicated()])):
            raise BadCollection(f"{path} has several columns called {', '.join(twice)}: rename them")
    return full


def read_csv(path: Path, *, latin: bool = False) -> pd.DataFrame:
    """A CSV separated by `,` `;` `|` or tabs; blank lines, and titles above the header, are passed over."""
    sheet = _csv(path, latin)
    for line in sheet.said:
        terminal.say(line)
    return sheet.table


def _csv(path: Path, latin: bool = False) -> Sheet:
    csv.field_size_limit(LONGEST)
    cells: list[list[str]] = []
    row_count = 0
    try:
        text = read_text(path) if latin else decoded(path)
        line = re.match(r"sep=(.)[\r\n]+", text)  # Excel's own
        separator = line[1] if line else _separator(text)
        file = io.StringIO(text, newline="")
        if line:
            file.readline()
        reader = csv.reader(file, delimiter=separator, skipinitialspace=True, strict=True)
        numbered = ((reader.line_num + bool(line), [meant(c.strip()) for c in row]) for row in reader if any(row))
        first = list(islice(numbered, SAMPLE))
        head, title = header_of([row for _, row in first])
        first = first[head:]
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
    return Sheet(as_table(header, cells), said=[f"{path}: {title}"] if title else [])


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


def read_parquet(path: Path) -> dict[str, Sheet]:
    """The text, numbers and dates of a Parquet file; lists are joined by `; `, other nested columns left out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = 0
    try:
        with pq.ParquetFile(path) as file:
            claims = file.metadata
            groups = [claims.row_group(i) for i in range(claims.num_row_groups)]
            inner = sum(group.column(i).num_values for group in groups for i in range(group.num_columns))
            if max(inner, claims.num_rows * claims.num_columns) > workbooks.MOST_CELLS:
                raise BadCollection(
                    f"{path} has more than {workbooks.MOST_CELLS:,} cells: write those that name images"
                )
            told = [i for i, field in enumerate(file.schema_arrow) if _is_told(field.type)]
            names = [file.schema_arrow.names[i] for i in told]
            cells: list[list[str]] = [[] for _ in told]
            for batch in file.iter_batches(BATCH):
                for i, texts in zip(told, cells, strict=True):
                    column = batch.column(i)
                    if pa.types.is_dictionary(column.type):
                        column = column.dictionary_decode()
                    # A text that all rows share is stored once, and comes a million times.
                    if (size := size + column.nbytes) > workbooks.MOST_UNPACKED:
                        raise BadCollection(f"{path} unpacks to more than {workbooks.MOST_UNPACKED:,} bytes of text")
                    texts += _texts(column)
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, BadCollection):
            raise
        raise BadCollection(f"{path} is no Parquet file that can be read ({error}): download it anew") from error
    return {"": Sheet(as_table(names, cells))}


def _is_told(kind: Any) -> bool:
    """Whether a column of a type is text, numbers, dates, or lists."""
    import pyarrow as pa

    return _is_list(kind) or not (pa.types.is_nested(kind) or pa.types.is_binary(kind))


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_list(kind) or pa.types.is_large_list(kind)


def _texts(column: Any) -> list[str]:
    """The cells of an Arrow array."""
    import numpy as np
    import pyarrow as pa

    values = column.to_pylist()
    if _is_list(column.type):
        return ["; ".join(filter(None, map(text_of, value or []))) for value in values]
    if pa.types.is_float32(column.type):  # 0.1 of 32 bits is written 0.1
        values = [value if value is None else float(str(np.float32(value))) for value in values]
    return list(map(text_of, values))


TABLES: dict[str, Callable[..., Any]] = {
    ".csv": _csv, ".tsv": _csv, ".xlsx": read_xlsx, ".ods": read_ods, ".parquet": read_parquet,
}  # fmt: skip

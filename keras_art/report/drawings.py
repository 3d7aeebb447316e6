"""What stands on a person's sheet beside the cells of its table: drawings, and columns as they are shown."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any

# What stands beside cells: its name, in which files of the archive it is, and there by which mark; "": the file itself.
DRAWN = {
    "shape": (r"xl/drawings/drawing[^/]*\.xml", rb"<(?:\w+:)?(?:sp|cxnSp)[\s>]"),
    "chart": (r"xl/charts/chart[^/]*\.xml", b""),
    "picture": (r"xl/drawings/drawing[^/]*\.xml", rb"<(?:\w+:)?pic[\s>]"),
    # Behind the cells, and in headers and footers.
    "picture ": (r"xl/(?:worksheets/_rels/|drawings/_rels/vml)[^/]*\.rels", rb"/relationships/image\b"),
    "diagram": (r"xl/diagrams/data[^/]*\.xml", b""),
    "control": (r"xl/ctrlProps/[^/]*\.xml", b""),
    "embedded file": (r"xl/embeddings/[^/]*", b""),
    "slicer": (r"xl/slicers/[^/]*\.xml", rb"<(?:\w+:)?slicer[\s>]"),
    "comment thread": (r"xl/threadedComments/[^/]*\.xml", b""),
}
EMU = 9525  # of a pixel, by which drawings are measured
COLUMN, ROW = 64, 20  # pixels of those that say nothing of theirs
Size = Callable[[int], int]
MOST = 1_048_576  # rows of a sheet; of columns there are fewer


def counted(book: Path | io.BytesIO) -> Counter[str]:
    """What an XLSX file has beside cells, by its kind: of all that openpyxl keeps some charts and pictures alone."""
    found: Counter[str] = Counter()
    with zipfile.ZipFile(book) as archive:
        for name in archive.namelist():
            for what, (place, mark) in DRAWN.items():
                if re.fullmatch(place, name):
                    # What stands there for programs that do not know the real thing is no second one.
                    known = re.sub(rb"<mc:Fallback.*?</mc:Fallback>", b"", archive.read(name), flags=re.DOTALL)
                    found[what.strip()] += len(re.findall(mark, known)) if mark else 1
    return found


def free(sheet: Any, rows: tuple[int, int], first: int, count: int) -> int:
    """The first column, from `first` on, at which so many stand in some rows without a drawing over them.

    Args:
        sheet: as openpyxl has loaded it.
        rows: the first and the last.
    """
    sizes = _sizes(sheet)
    boxes = [_box(drawing.anchor, *sizes) for drawing in (*sheet._images, *sheet._charts)]
    for left, right in sorted(columns for columns, (top, bottom) in boxes if top <= rows[1] and bottom >= rows[0]):
        if left < first + count and right >= first:
            first = right + 1
    return first


def _sizes(sheet: Any) -> tuple[Size, Size]:
    """How many pixels a column is wide, and a row high, by their numbers; 0 of those that are hidden."""
    form = sheet.sheet_format
    widths: dict[int, int] = {}
    for group in sheet.column_dimensions.values():
        group.reindex()
        of_each = 0 if group.hidden else int(7 * group.width + 5)
        widths |= dict.fromkeys(range(group.min, group.max + 1), of_each)
    heights = {
        number: 0 if row.hidden else round(row.height * 4 / 3)
        for number, row in sheet.row_dimensions.items()
        if row.hidden or row.height
    }
    column = int(7 * form.defaultColWidth + 5) if form.defaultColWidth else COLUMN
    row = round(form.defaultRowHeight * 4 / 3) if form.defaultRowHeight else ROW
    return lambda number: widths.get(number, column), lambda number: heights.get(number, row)


def _box(anchor: Any, width: Size, height: Size) -> tuple[tuple[int, int], tuple[int, int]]:
    """The first and last column, and row, from 1, that a drawing lies over."""
    begin, end = getattr(anchor, "_from", None), getattr(anchor, "to", None)
    left, top = (begin.col + 1, begin.row + 1) if begin else (1, 1)
    if begin and end:
        right, bottom = end.col + (end.colOff > 0), end.row + (end.rowOff > 0)
        return (left, max(left, right)), (top, max(top, bottom))
    x, y = (begin.colOff, begin.rowOff) if begin else (anchor.pos.x, anchor.pos.y)
    return (
        (_cell(left, x, width), _cell(left, x + anchor.ext.width, width)),
        (_cell(top, y, height), _cell(top, y + anchor.ext.height, height)),
    )


def _cell(begin: int, length: int, size: Size) -> int:
    """The column, or row, in which something ends that is so long, and begins with another."""
    while length > EMU * size(begin) and begin < MOST:
        length -= EMU * size(begin)
        begin += 1
    return begin


def show(sheet: Any, first: int, widths: Sequence[float]) -> None:
    """Gives columns of ours their widths; a group of columns that a person has set, or hidden, ends before them."""
    from openpyxl.utils import get_column_letter

    last = first + len(widths) - 1
    for letter, group in list(sheet.column_dimensions.items()):
        group.reindex()
        if group.min > last or group.max < first:
            continue
        del sheet.column_dimensions[letter]
        for begin, end in ((group.min, first - 1), (last + 1, group.max)):
            if begin <= end:
                part = copy(group)
                part.index, part.min, part.max = get_column_letter(begin), begin, end
                sheet.column_dimensions[part.index] = part
    for place, width in enumerate(widths, first):
        sheet.column_dimensions[get_column_letter(place)].width = width

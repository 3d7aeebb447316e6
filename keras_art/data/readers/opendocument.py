"""ODS files: their sheets as tables of text, by the rules of `workbooks`."""

from __future__ import annotations

import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Generator
from pathlib import Path

from keras_art.data.readers.workbooks import WIDEST, Merge, Sheet, Sheets, sheets_of, text_of

MOST_BLANKS = 1000  # that a text may ask for at once


def read_ods(path: Path) -> dict[str, Sheet]:
    """The sheets of an OpenDocument spreadsheet, by the same rules."""

    def read() -> Sheets:
        with zipfile.ZipFile(path) as archive, archive.open("content.xml") as file:
            for _, sheet in ET.iterparse(file):
                if sheet.tag == f"{TABLE}table":
                    yield sheet.get(f"{TABLE}name", ""), _rows_of_ods(sheet), _merged_in_ods(sheet), []

    return sheets_of(path, read())


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
        times = int(row.get(f"{TABLE}number-rows-repeated", 1))
        if any(cells) or times == 1:  # blank to the edge of the sheet
            yield from (list(cells) for _ in range(times))


def _merged_in_ods(sheet: ET.Element) -> list[Merge]:
    """The same of an OpenDocument sheet; rows as `_rows_of_ods` counts them."""
    found, place = [], 0
    for row in sheet.iter(f"{TABLE}table-row"):
        column = 0
        for cell in row:
            if (rows := int(cell.get(f"{TABLE}number-rows-spanned", 1))) > 1:
                found.append((column, place, place + rows - 1))
            column += int(cell.get(f"{TABLE}number-columns-repeated", 1))
        times = int(row.get(f"{TABLE}number-rows-repeated", 1))
        place += times if times == 1 or any(map(_of_ods, row)) else 0
    return found


def _of_ods(cell: ET.Element) -> str:
    shown = "\n".join(map(_text_of_ods, cell.findall(f"{TEXT}p"))).strip()
    kind = cell.get(f"{OFFICE}value-type", "")
    if cell.get(f"{CALC}value-type") == "error":
        return ""
    if kind in ("float", "percentage", "currency"):
        text = text_of(float(cell.get(f"{OFFICE}value", "nan")))
        return shown if shown.isdigit() and shown.lstrip("0") == text.lstrip("0") else text
    date = cell.get(f"{OFFICE}date-value", shown).replace("T", " ").removesuffix(" 00:00:00")
    return {"boolean": shown.title(), "date": date}.get(kind, shown)


def _text_of_ods(element: ET.Element) -> str:
    count = min(int(element.get(f"{TEXT}c", 1)), MOST_BLANKS)
    blanks = {f"{TEXT}s": " " * count, f"{TEXT}tab": "\t", f"{TEXT}line-break": "\n"}
    inner = "".join(_text_of_ods(child) + (child.tail or "") for child in element)
    return blanks.get(element.tag, "") + (element.text or "") + inner

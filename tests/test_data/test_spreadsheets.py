"""Tables as people have them, and as we write them: what comes in, and what comes back."""

from __future__ import annotations

import datetime
import decimal
import tempfile
import unicodedata
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from conftest import paint, told, write_csv
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_art import writing
from keras_art.commands.manifests import manifest
from keras_art.data.readers.spreadsheets import read_sheets
from keras_art.data.sources import BadCollection, load_collection
from keras_art.errors import UserError
from keras_art.report.sheets import write_table
from keras_art.writing import csv_text, write

SUFFIXES = (".csv", ".xlsx", ".parquet")


def museum(folder: Path, count: int = 3) -> Path:
    """1.png, 2.png, ... in a folder."""
    for i in range(count):
        paint(folder / f"{i + 1}.png", "a", i)
    return folder


def write_xlsx(path: Path, **sheets: list[list[object]]) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


ODS = (
    '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:1.0">'
    "<office:body><office:spreadsheet>{}</office:spreadsheet></office:body></office:document-content>"
)


def write_ods(path: Path, **sheets: list[str]) -> Path:
    """Sheets of rows, each row the XML of its cells."""
    content = "".join(
        f'<table:table table:name="{name}">'
        + "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
        + '<table:table-row table:number-rows-repeated="1048000"><table:table-cell '
        'table:number-columns-repeated="16384"/></table:table-row></table:table>'
        for name, rows in sheets.items()
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("content.xml", ODS.format(content))
    return path


def ods(*texts: str) -> str:
    return "".join(
        f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>' for text in texts
    )


# --- missing is missing, and text is text


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_parquet_has_nothing_where_a_number_is_none(tmp_path, missing):
    table = pd.DataFrame({"file": ["1.png", "2.png", "3.png"], "year": [1880.0, missing, 1881.5]})
    table.to_parquet(museum(tmp_path) / "t.parquet")
    assert load_collection(tmp_path / "t.parquet").columns["year"].tolist() == ["1880", "", "1881.5"]


@pytest.mark.parametrize(
    "values",
    [
        [None, "x", None],
        [float("nan"), 2.0, float("nan")],
        [None, pd.Timestamp("1642-01-01"), None],
        [None, decimal.Decimal("1.5"), None],
        [None, True, None],
        [None, ["a", "b"], []],
        [None, datetime.date(1642, 1, 1), None],
        ["", " ", ""],
        ["#N/A", "#DIV/0!", "#REF!"],
    ],
    ids=str,
)
def test_what_parquet_has_for_nothing_is_blank(tmp_path, values):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"file": ["1.png", "2.png", "3.png"], "label": values}), museum(tmp_path) / "t.parquet")
    found = load_collection(tmp_path / "t.parquet").columns["label"]
    assert (found[0], found[2]) == ("", "") and ("nan" not in found[1].lower())


@pytest.mark.parametrize("error", ["#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?"])
def test_an_error_in_a_spreadsheet_is_blank_and_in_its_csv_too(tmp_path, error):
    rows = [["file", "artist"], ["1.png", error], ["2.png", "x"], ["3.png", None]]
    write_xlsx(museum(tmp_path) / "t.xlsx", s=rows)
    write_csv(tmp_path / "t.csv", [[cell or "" for cell in row] for row in rows])
    cell = f'<table:table-cell office:value-type="string" calcext:value-type="error"><text:p>{error}</text:p>'
    write_ods(tmp_path / "t.ods", s=[ods("file", "artist"), ods("1.png") + cell + "</table:table-cell>",
                                     ods("2.png", "x"), ods("3.png")])  # fmt: skip
    for suffix in (".xlsx", ".csv", ".ods"):
        assert load_collection(tmp_path / f"t{suffix}").columns["artist"].tolist() == ["", "x", ""]


NAMES = [
    "NA",
    "nan",
    "null",
    "None",
    "True",
    "FALSE",
    "007",
    "1e5",
    "N/A",
    "-",
    "inf",
    "1.50",
    "=SUM(A1)",
    "0x1F",
    "NaN",
]


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".ods"])
def test_a_name_is_a_name_whatever_it_looks_like(tmp_path, suffix):
    rows = [["file", "artist"], *([f"{i + 1}.png", name] for i, name in enumerate(NAMES))]
    museum(tmp_path, len(NAMES))
    if suffix == ".ods":
        write_ods(tmp_path / "t.ods", s=[ods(*row) for row in rows])
    else:
        write_table(pd.DataFrame(rows[1:], columns=rows[0]), tmp_path / f"t{suffix}")
    found = told(load_collection(tmp_path / f"t{suffix}")).set_index("id")["artist"]
    assert [found[f"{i + 1}.png"] for i in range(len(NAMES))] == NAMES


def test_classes_that_look_like_nothing_are_studied_kept_and_read_again(tmp_path):
    from keras_art.data import kept, opening, splits
    from keras_art.data.choices import choose
    from keras_art.store.runs import Store

    names = ["NA", "nan", "null", "True", "007", "1e5"]
    for i, name in enumerate(name for name in names for _ in range(4)):
        paint(tmp_path / "in" / name / f"{i}.png", "a", i)
    choice = choose(load_collection(tmp_path / "in"), None)
    task = splits.split(choice, [True] * len(choice.images))
    assert task.classes == sorted(names)
    store = Store(tmp_path / "store")
    kept.keep(store, choice, task, ["0"] * task.size, {"quarantined": 0})
    writing.write_csv(kept.folder_of(store, choice.key) / "quarantine.csv", ["id", "path", "reason"], [])
    again = opening.open_collection(store, choice.key, None)
    pd.testing.assert_frame_equal(again.columns, task.columns)
    assert again.images["split"].tolist() == task.images["split"].tolist()


# --- what people's tables look like


TABLE = [["file", "artist", "note"], ["1.png", "Dürer, A.", "x; y"], ["2.png", "Monet", ""]]


def text(separator: str, rows: list[list[str]] = TABLE, end: str = "\n") -> str:
    quoted = [[f'"{cell}"' if any(mark in cell for mark in ",;|") else cell for cell in row] for row in rows]
    return end.join(separator.join(row) for row in quoted) + end


@pytest.mark.parametrize(
    "content",
    [
        text(";"),
        text("|"),
        text("\t"),
        "sep=;\n" + text(";"),
        "sep=|\r\n" + text("|", end="\r\n"),
        "Inventory of the museum\n" + text(","),
        "Inventory of the museum;;\n\n" + text(";"),
        "Inventory\nas of today\n\n" + text(","),
        "Prints, drawings, maps\n" + text("|"),
        text(";", end="\r\n"),
        text(",", end="\r"),
        text(",").encode("utf-16"),
        b"\xef\xbb\xbf" + text(";").encode(),
        "\n\n" + text(","),
    ],
)
def test_the_table_is_found_in_what_a_spreadsheet_exports(tmp_path, content):
    content = content if isinstance(content, bytes) else content.encode()
    (museum(tmp_path, 2) / "labels.csv").write_bytes(content)
    found = load_collection(tmp_path)
    assert found.targets == ["artist", "note"]
    assert found.columns["artist"].tolist() == ["Dürer, A.", "Monet"]
    assert found.columns["note"].tolist() == ["x; y", ""]


@pytest.mark.parametrize(
    ("content", "targets"),
    [
        ("file,artist\n1.png,a; b; c\n2.png,a; b; c\n", ["artist"]),  # as many of another mark in every row
        ('file,"a;b;c;d"\n1.png,"c;d;e;f"\n2.png,"e;f;g;h"\n', ["a;b;c;d"]),
        ("file,\n1.png,x\n2.png,y\n", []),  # a header with one name is none the less a header
        (",file\n0,1.png\n1,2.png\n", []),
        ("file\n1.png\n2.png\n", []),
        ('file,size\n1.png,"12"" x 5"""\n2.png,"3"" x 4"""\n', ["size"]),
    ],
)
def test_what_only_looks_like_another_separator_or_a_title_is_neither(tmp_path, content, targets):
    (museum(tmp_path, 2) / "labels.csv").write_text(content)
    found = load_collection(tmp_path)
    assert found.targets == targets and len(found.images) == 2


def test_a_title_that_is_passed_over_is_told(tmp_path, capsys):
    write_xlsx(museum(tmp_path) / "labels.xlsx", s=[["Inventory", None, None], [], *TABLE])
    assert load_collection(tmp_path).targets == ["artist", "note"]
    assert "'Inventory' is passed over" in capsys.readouterr().err


def test_the_sheet_with_the_images_is_read_and_the_others_are_named(tmp_path, capsys):
    write_xlsx(museum(tmp_path) / "labels.xlsx", Readme=[["who", "when"], ["me", "now"]], Works=TABLE, Empty=[])
    assert load_collection(tmp_path).targets == ["artist", "note"]
    assert "the sheet 'Works' is read, not 'Readme'" in capsys.readouterr().err


def test_an_open_document_has_text_numbers_blanks_and_repeated_cells(tmp_path):
    number = '<table:table-cell office:value-type="float" office:value="{}"><text:p>{}</text:p></table:table-cell>'
    rows = [
        ods("file", "inventory", "year", "height", "said"),
        ods("1.png") + number.format(7, "0007") + number.format("1642", "1642") + number.format("3.5", "3,50")
        + ods('a<text:s text:c="2"/>b<text:line-break/>c'),
        ods("2.png") + '<table:table-cell table:number-columns-repeated="2" office:value-type="string">'
        "<text:p>twice</text:p></table:table-cell>",
    ]  # fmt: skip
    write_ods(museum(tmp_path) / "labels.ods", Notes=[ods("nothing", "here")], Works=rows)
    found = told(load_collection(tmp_path)).set_index("id")
    assert found.loc["1.png", ["inventory", "year", "height", "said"]].tolist() == ["0007", "1642", "3.5", "a  b\nc"]
    assert found.loc["2.png", ["inventory", "year", "height"]].tolist() == ["twice", "twice", ""]


def merged(path: Path, rows: list[list[object]], *ranges: str) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    for row in rows:
        book.active.append(row)
    for cells in ranges:
        book.active.merge_cells(cells)
    book.save(path)
    return path


def test_what_a_merged_cell_says_is_said_of_each_of_its_rows(tmp_path, capsys):
    rows = [
        ["Collectie 1900", None, "versie 3", None, None, None],
        ["image", "artist", "style", "size", None, "note"],
        [None, None, None, "height", "width", None],
        ["1.png", "x", "cold", 1, 2, None], ["2.png", None, None, 3, 4, None], ["3.png", "y", "warm", 5, 6, "n"],
    ]  # fmt: skip
    path = merged(museum(tmp_path) / "labels.xlsx", rows, "A2:A3", "B2:B3", "C2:C3", "D2:E2", "F2:F3", "B4:B5", "C4:C5")
    table = read_sheets(path)["Sheet"]
    assert table.table.columns.tolist() == ["image", "artist", "style", "size height", "width", "note"]
    assert table.table["artist"].tolist() == ["x", "x", "y"] and table.rows == [2, 4, 5, 6]
    assert load_collection(tmp_path).columns["style"].tolist() == ["cold", "cold", "warm"]
    told_of = capsys.readouterr().err
    assert "2 cells merged over several rows, first B4:B5" in told_of and "'Collectie 1900' is passed over" in told_of


def test_what_is_merged_in_an_ods_is_said_of_each_of_its_rows(tmp_path):
    spanned = ods("x").replace("<table:table-cell", '<table:table-cell table:number-rows-spanned="2"')
    blank = '<table:covered-table-cell table:number-columns-repeated="1"/>'
    write_ods(museum(tmp_path) / "labels.ods", s=[
        ods("image", "artist", "note"), ods("1.png") + spanned + ods("a"), ods("2.png") + blank + ods("b"),
        ods("3.png", "y", "c"),
    ])  # fmt: skip
    assert load_collection(tmp_path).columns["artist"].tolist() == ["x", "x", "y"]


def test_a_cell_merged_far_down_is_no_header_of_many_rows(tmp_path):
    rows = [["image", "artist", "aside"], ["1.png", "x", None], ["2.png", "y", None], ["3.png", "z", None]]
    merged(museum(tmp_path) / "labels.xlsx", rows, "C1:C4")
    assert load_collection(tmp_path).columns["artist"].tolist() == ["x", "y", "z"]


def test_a_page_of_notes_first_is_not_what_an_error_speaks_of(tmp_path):
    sheets = {"Readme": [["About"], ["this"]], "Works": [["image", "artist"], ["9.png", "x"], ["8.png", "y"]]}
    write_xlsx(museum(tmp_path) / "t.xlsx", **sheets)
    with pytest.raises(BadCollection, match="sheet 'Works', names images"):
        load_collection(tmp_path / "t.xlsx")


def test_a_sheet_is_taken_by_its_name(tmp_path, capsys):
    sheets = {name: [["image", "artist"], ["1.png", name], ["2.png", "y"]] for name in ("Oil", "Ink")}
    write_xlsx(museum(tmp_path) / "t.xlsx", **sheets)
    assert load_collection(tmp_path / "t.xlsx").columns["artist"][0] == "Oil"
    assert "the sheet 'Oil' is read, not 'Ink'; --sheet names another" in capsys.readouterr().err
    assert load_collection(tmp_path / "t.xlsx", sheet="Ink").columns["artist"][0] == "Ink"
    with pytest.raises(BadCollection, match="no sheet 'ink' with rows; it has 'Oil', 'Ink': did you mean 'Ink'"):
        load_collection(tmp_path / "t.xlsx", sheet="ink")
    write_csv(tmp_path / "t.csv", sheets["Oil"])
    with pytest.raises(BadCollection, match="has no sheets: leave out --sheet Ink"):
        load_collection(tmp_path / "t.csv", sheet="Ink")
    (tmp_path / "plain").mkdir()
    museum(tmp_path / "plain")
    with pytest.raises(BadCollection, match=r"names a sheet of a spreadsheet, and .* is none"):
        load_collection(tmp_path / "plain", sheet="Ink")


def test_formulas_that_no_program_has_computed_are_told_with_the_remedy(tmp_path, capsys):
    rows = [["image", "artist"], ["1.png", '="A"&"b"'], ["2.png", "plain"], ["3.png", "=B3"]]
    told_of = "2 cells are formulas whose result is not in the file, first B2, and so blank here: open it in"
    load_collection(write_xlsx(museum(tmp_path) / "list.xlsx", works=rows))
    assert told_of in capsys.readouterr().err
    named = [["image", "artist"], ['=CONCATENATE("1",".png")', "a"], ["=A9", "b"]]
    with pytest.raises(BadCollection, match=r"first A2, and so blank here: open it .* names images that exist"):
        load_collection(write_xlsx(tmp_path / "names.xlsx", works=named))
    # As Excel writes a formula with its value, and one whose value is no text.
    computed = {
        "<f>B3</f><v></v>": "<f>B3</f><v>7</v>",
        '<c r="B2"><f>"A"&amp;"b"</f><v></v>': '<c r="B2" t="str"><f>""</f><v></v>',
    }
    book = tmp_path / "computed.xlsx"
    with zipfile.ZipFile(tmp_path / "list.xlsx") as read, zipfile.ZipFile(book, "w") as written:
        for name in read.namelist():
            text = read.read(name).decode()
            for before, after in computed.items() if "sheet1" in name else ():
                assert text.replace("<v />", "<v></v>").replace("<v/>", "<v></v>").count(before) == 1
                text = text.replace("<v />", "<v></v>").replace("<v/>", "<v></v>").replace(before, after)
            written.writestr(name, text)
    capsys.readouterr()
    assert load_collection(book).columns["artist"].tolist() == ["", "plain", "7"]
    assert "formula" not in capsys.readouterr().err


def test_a_number_that_a_spreadsheet_shows_with_zeros_has_them(tmp_path):
    from openpyxl import Workbook

    book = Workbook()
    for row in (["file", "inventory"], ["1.png", 7], ["2.png", 12345]):
        book.active.append(row)
    book.active["B2"].number_format = book.active["B3"].number_format = "0000"
    book.save(museum(tmp_path) / "labels.xlsx")
    assert load_collection(tmp_path).columns["inventory"].tolist() == ["0007", "12345"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("letters", [40_000, 200_000])
def test_long_texts_come_back_whole_and_a_spreadsheet_refuses_them(tmp_path, suffix, letters):
    table = pd.DataFrame({"file": ["1.png", "2.png"], "note": ["x" * letters, "y"]})
    write_table(table, museum(tmp_path) / f"t{suffix}")
    assert load_collection(tmp_path / f"t{suffix}").columns["note"].str.len().tolist() == [letters, 1]
    with pytest.raises(UserError, match=f"the column note of '1.png' holds {letters:,} letters.* write .csv"):
        write_table(table, tmp_path / "t.xlsx")
    assert not (tmp_path / "t.xlsx").exists()


def test_a_code_page_is_one_message_with_its_remedy(tmp_path):
    (museum(tmp_path) / "labels.csv").write_bytes(text(";").encode("cp1252"))
    with pytest.raises(BadCollection, match=r"is not UTF-8 .*save it as 'CSV UTF-8'"):
        load_collection(tmp_path)


@pytest.mark.parametrize("suffix", [".xlsx", ".ods"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"<html></html>"])
def test_what_is_no_spreadsheet_is_one_message(tmp_path, suffix, content):
    (tmp_path / f"t{suffix}").write_bytes(content)
    with pytest.raises(BadCollection, match=f"is no {suffix[1:].upper()} spreadsheet"):
        load_collection(tmp_path / f"t{suffix}")


# --- what we write comes back to the letter

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ODD = st.sampled_from(
    ["a\rb", "a\r\nb", '"', "_x000D_", "_x005F_", "#N/A ", ";;;", "a|b", "\t", "\x01", "\ufeff", "'", "é", "=1"]
)
CELL = st.one_of(TEXT, ODD, st.builds("".join, st.lists(ODD, max_size=3)))
FILE = st.one_of(TEXT, ODD).map(lambda name: f"{name.replace('/', '').replace(chr(0), '')}.jpg")
NAME = FILE.filter(lambda name: name[0] != "." and len(name.encode()) < 200)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(works=st.dictionaries(NAME, st.tuples(CELL, CELL), min_size=2, max_size=4), column=CELL)
def test_ids_labels_and_paths_come_back_as_they_were(suffix, works, column):
    column = unicodedata.normalize("NFC", column.strip()) or "label"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        for name in works:
            (folder / name).touch()
        rows = pd.DataFrame(
            [(f"{i}{id_}".strip(), name, label) for i, (name, (id_, label)) in enumerate(works.items())],
            columns=["id", "image", "label"],
        )
        rows["image"] = "./" + rows["image"]
        write(folder / "labels.csv", csv_text(rows))
        before = load_collection(folder)
        assert len(before.images) == len(works) and before.quarantine.empty
        write_table(manifest(before, folder), folder / f"again{suffix}")
        after = load_collection(folder / f"again{suffix}")
        pd.testing.assert_frame_equal(told(after), told(before))


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(cells=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=4), column=CELL)
def test_every_cell_of_a_table_comes_back(suffix, cells, column):
    rows = [(str(i), *map(str.strip, row)) for i, row in enumerate(cells)]
    table = pd.DataFrame(rows, columns=["n", f"c{column}".strip(), "d"])
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / f"t{suffix}"
        write_table(table, path)
        (after,) = read_sheets(path).values()
        pd.testing.assert_frame_equal(after.table, table, check_names=False)


# --- what stands above, and what is no text


@pytest.mark.parametrize("kind", ["csv", "xlsx", "ods"])
@pytest.mark.parametrize(
    "titles",
    [
        [["Inventory", "2024"]],
        [["Inventory", "2024", ""]],
        [["Museum", "Prints"], []],
        [["Museum"], ["Prints", "of", "2024"]],
        [["", "Export", "12.11.2024"]],
    ],
)
def test_titles_of_several_cells_above_the_header_are_passed_over_and_told(tmp_path, capsys, kind, titles):
    rows = [[*row, *[""] * (3 - len(row))] for row in [*titles, *TABLE]]
    path = museum(tmp_path) / f"labels.{kind}"
    if kind == "csv":
        write_csv(path, rows)
    elif kind == "xlsx":
        write_xlsx(path, s=[[cell or None for cell in row] for row in rows])
    else:
        write_ods(path, s=[ods(*row) for row in rows])
    found = load_collection(tmp_path)
    assert found.targets == ["artist", "note"] and len(found.images) == 2
    assert "is passed over" in capsys.readouterr().err


def test_a_label_called_like_a_column_of_images_is_no_header(tmp_path):
    write_csv(museum(tmp_path) / "labels.csv", [["photo", "kind"], ["1.png", "image"], ["2.png", "file"]])
    assert load_collection(tmp_path).columns["kind"].tolist() == ["image", "file"]


@pytest.mark.parametrize(
    "rows", [[["1.png", "x"], ["2.png", "y"], ["3.png", "x"]], [["7", "./1.png"], ["8", "./2.png"]]]
)
def test_a_table_without_a_header_is_asked_for_one(tmp_path, rows):
    with pytest.raises(BadCollection, match=r"has no header, its first line names .*1.png"):
        load_collection(write_csv(museum(tmp_path) / "labels.csv", rows))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32", "utf-8-sig"])
def test_encodings_that_show_themselves_are_read(tmp_path, encoding):
    (museum(tmp_path) / "labels.csv").write_bytes(text(";").encode(encoding))
    assert load_collection(tmp_path).columns["artist"].tolist() == ["Dürer, A.", "Monet"]


DAY, MOMENT = datetime.datetime(1942, 7, 1), datetime.datetime(1942, 7, 1, 3, 4)


def test_dates_are_written_alike_in_every_reader(tmp_path):
    write_xlsx(museum(tmp_path) / "t.xlsx", s=[["file", "when"], ["1.png", DAY], ["2.png", MOMENT], ["3.png", None]])
    pd.DataFrame({"file": ["1.png", "2.png", "3.png"], "when": [DAY, MOMENT, None]}).to_parquet(tmp_path / "t.parquet")
    cell = '<table:table-cell office:value-type="date" office:date-value="{}"><text:p>shown</text:p></table:table-cell>'
    dates = [ods(f"{i + 1}.png") + cell.format(when.isoformat()) for i, when in enumerate((DAY, MOMENT))]
    write_ods(tmp_path / "t.ods", s=[ods("file", "when"), *dates, ods("3.png")])
    for kind in ("xlsx", "parquet", "ods"):
        found = load_collection(tmp_path / f"t.{kind}").columns["when"]
        assert found.tolist() == ["1942-07-01", "1942-07-01 03:04:00", ""]


@pytest.mark.parametrize("error", ["#SPILL!", "#CALC!", "#GETTING_DATA", "Err:502", "Err:508"])
def test_newer_errors_of_spreadsheets_are_blank_too(tmp_path, error):
    write_csv(museum(tmp_path) / "labels.csv", [["file", "artist"], ["1.png", error], ["2.png", "x"]])
    assert load_collection(tmp_path).columns["artist"].tolist() == ["", "x"]


def test_numbers_of_fewer_bits_and_lists_with_gaps_are_read_as_they_were_written(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({
        "file": ["1.png", "2.png"], "ratio": pa.array([0.1, None], pa.float32()), "who": [["a", None, "b"], [None]],
    })  # fmt: skip
    pq.write_table(table, museum(tmp_path) / "t.parquet")
    found = load_collection(tmp_path / "t.parquet").columns
    assert found["ratio"].tolist() == ["0.1", ""] and found["who"].tolist() == ["a; b", ""]


OPEN = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff\u2028\u2029"), max_size=20
)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(cells=st.lists(st.tuples(OPEN, OPEN), min_size=1, max_size=4))
def test_every_cell_of_an_open_document_is_read(cells):
    from xml.sax.saxutils import escape

    def written(cell: str) -> str:  # several blanks in a row are elements of their own
        return escape(cell).replace("  ", ' <text:s text:c="1"/>')

    rows = [[str(i), *map(str.strip, row)] for i, row in enumerate(cells)]
    with tempfile.TemporaryDirectory() as temporary:
        path = write_ods(Path(temporary) / "t.ods", s=[ods("n", "c", "d"), *(ods(*map(written, row)) for row in rows)])
        (after,) = read_sheets(path).values()
        assert after.table.values.tolist() == rows

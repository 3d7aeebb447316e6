"""Files that somebody made, or that went wrong on their way: refused in one line, in little time and memory."""

from __future__ import annotations

import contextlib
import json
import os
import random
import struct
import time
import types
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_spreadsheets import ods, write_ods

from keras_art.data.collection import BadCollection
from keras_art.data.readers import opendocument, parquet, rijksmuseum, spreadsheets, wikiart, workbooks
from keras_art.errors import UserError
from keras_art.fetching import metadata

SHEET = (
    '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    '<dimension ref="{size}"/><sheetData>{rows}</sheetData></worksheet>'
)


def read_table(path: Path, *, latin: bool = False) -> pd.DataFrame:
    """The first sheet of a table."""
    return next(iter(spreadsheets.read_sheets(path, latin=latin).values())).table


def xlsx(path: Path) -> Path:
    pd.DataFrame({"image": ["a.png", "b.png"], "style": ["cold", "warm"]}).to_excel(path, index=False)
    return path


def with_sheet(folder: Path, sheet: str, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """A spreadsheet whose first sheet is another text."""
    with zipfile.ZipFile(xlsx(folder / "honest.xlsx")) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["xl/worksheets/sheet1.xml"] = sheet.encode()
    with zipfile.ZipFile(folder / "table.xlsx", "w", compression) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return folder / "table.xlsx"


def row(number: int, cells: str) -> str:
    return f'<row r="{number}">{cells}</row>'


def cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def refused(read: Callable[[], object], words: str, error: type[Exception] = BadCollection) -> None:
    """It is one line, within two seconds of this process's own time."""
    begun = time.process_time()
    with pytest.raises(error, match=words) as said:
        read()
    assert time.process_time() - begun < 2
    assert "\n" not in str(said.value)


def test_a_sheet_that_claims_a_billion_cells_is_read_by_those_it_has(tmp_path):
    rows = row(1, cell("A1", "image") + cell("B1", "style")) + row(2, cell("A2", "a.png") + cell("B2", "cold"))
    begun = time.process_time()
    table = read_table(with_sheet(tmp_path, SHEET.format(size="A1:XFD1048576", rows=rows)))
    assert table.to_dict("list") == {"image": ["a.png"], "style": ["cold"]}
    assert time.process_time() - begun < 2


def test_rows_that_end_in_the_last_column_are_refused_when_they_are_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_CELLS", 100_000)
    rows = "".join(row(i, cell(f"XFD{i}", "x")) for i in range(1, 20))
    path = with_sheet(tmp_path, SHEET.format(size="A1", rows=rows), zipfile.ZIP_STORED)
    refused(lambda: read_table(path), "more than 100,000 cells")


def test_one_wide_row_does_not_make_all_rows_wide(tmp_path, monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_CELLS", 100_000)
    rows = row(1, cell("A1", "image") + cell("XFD1", "x")) + "".join(row(i, cell(f"A{i}", "x")) for i in range(2, 20))
    refused(lambda: read_table(with_sheet(tmp_path, SHEET.format(size="A1", rows=rows))), "more than 100,000 cells")


def test_cells_that_are_merged_over_all_rows_are_counted_in_each(tmp_path, monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_CELLS", 100_000)
    columns = [workbooks.letters(i) for i in range(1000)]
    rows = row(1, "".join(cell(f"{name}1", "x") for name in columns)) + "".join(row(i, "") for i in range(2, 200))
    merged = "".join(f'<mergeCell ref="{name}1:{name}1048576"/>' for name in columns)
    sheet = SHEET.format(size="A1", rows=rows).replace("</worksheet>", f"<mergeCells>{merged}</mergeCells></worksheet>")
    refused(lambda: read_table(with_sheet(tmp_path, sheet)), "more than 100,000 cells")


def test_elements_that_do_not_end_are_looked_through_once(tmp_path):
    sheet = SHEET.format(size="A1", rows=row(1, cell("A1", "image"))).replace("</worksheet>", "<mergeCell " * 50_000)
    refused(lambda: read_table(with_sheet(tmp_path, sheet, zipfile.ZIP_STORED)), "no XLSX spreadsheet")


def test_a_text_that_all_cells_share_is_counted_in_each(tmp_path, monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_UNPACKED", 1_000_000)
    pd.DataFrame({"image": ["a.png"] * 60, "said": ["x " * 10_000] * 60}).to_excel(tmp_path / "t.xlsx", index=False)
    refused(lambda: read_table(tmp_path / "t.xlsx"), "more than")
    pd.DataFrame({"image": ["a.png"] * 60, "said": ["x " * 10_000] * 60}).to_parquet(tmp_path / "t.parquet")
    refused(lambda: read_table(tmp_path / "t.parquet"), "unpacks to more than 1,000,000 bytes of text")
    shared = pd.DataFrame({"image": ["a.png"] * 60, "said": pd.Categorical(["x " * 10_000] * 60)})
    shared.to_parquet(tmp_path / "t.parquet")
    refused(lambda: read_table(tmp_path / "t.parquet"), "unpacks to more than 1,000,000 bytes of text")


@pytest.mark.parametrize("times", ["1000000000000", "200000"])
def test_a_row_that_is_repeated_without_end_is_refused(tmp_path, monkeypatch, times):
    monkeypatch.setattr(workbooks, "MOST_CELLS", 100_000)
    repeated = ods("1.png") + f'</table:table-row><table:table-row table:number-rows-repeated="{times}">' + ods("2.png")
    refused(lambda: read_table(write_ods(tmp_path / "t.ods", s=[ods("file"), repeated])), "more than 100,000 cells")


def test_blanks_that_a_text_asks_for_are_not_all_made(tmp_path):
    path = write_ods(tmp_path / "t.ods", s=[ods("file", "said"), ods("1.png", 'a<text:s text:c="99999999999"/>b')])
    assert len(read_table(path)["said"][0]) == opendocument.MOST_BLANKS + 2


def test_a_list_in_a_cell_is_counted_by_what_it_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_CELLS", 100_000)
    pd.DataFrame({"image": ["a.png"], "said": [[1] * 100_001]}).to_parquet(tmp_path / "t.parquet")
    refused(lambda: read_table(tmp_path / "t.parquet"), "more than 100,000 cells")


def test_words_of_a_manifest_that_are_no_markup_are_looked_through_once():
    begun = time.process_time()
    assert metadata.text({"en": ["<" * 200_000]}) == "<" * 200_000
    assert metadata.text("a <b>c</b> < d") == "a c < d"
    assert time.process_time() - begun < 2


def test_a_spreadsheet_that_unpacks_without_end_is_refused_unread(tmp_path):
    path = with_sheet(tmp_path, " " * (64 << 20))
    refused(lambda: read_table(path), "unpacks to 67,")


def test_entities_of_a_spreadsheet_do_not_double(tmp_path):
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "{"x" * 100}">{levels}]>'
    sheet = text + SHEET.format(size="A1", rows=row(1, cell("A1", "&e11;"))).partition("?>")[2]
    refused(lambda: read_table(with_sheet(tmp_path, sheet)), "no XLSX spreadsheet")


def test_an_entity_of_a_spreadsheet_reads_no_other_file(tmp_path):
    (tmp_path / "secret").write_text("secret")
    text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "{(tmp_path / "secret").as_uri()}">]>'
    rows = row(1, cell("A1", "image")) + row(2, cell("A2", "&e;"))
    sheet = text + SHEET.format(size="A1", rows=rows).partition("?>")[2]
    refused(lambda: read_table(with_sheet(tmp_path, sheet)), "no XLSX spreadsheet|has no rows")


def test_entities_of_a_record_are_a_reason_for_the_quarantine(tmp_path):
    (tmp_path / "one.xml").write_text('<!DOCTYPE x [<!ENTITY e "xx">]><x>&e;</x>')
    with pytest.raises(rijksmuseum.ET.ParseError, match="defines entities"):
        rijksmuseum._dublin_core(tmp_path / "one.xml")


def test_a_parquet_file_of_a_billion_equal_rows_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_CELLS", 100_000)
    pd.DataFrame({"image": ["a.png"] * 100_001}).to_parquet(tmp_path / "many.parquet")
    refused(lambda: read_table(tmp_path / "many.parquet"), "more than 100,000 cells")


@pytest.mark.parametrize("about", ["[" * 100_000, "[]", '{"info": {"features": {"style": 3}}}', "{"])
def test_metadata_of_a_shard_that_are_none_are_one_line(tmp_path, about):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"style": [1]}).replace_schema_metadata({"huggingface": about})
    pq.write_table(table, tmp_path / "shard.parquet")
    refused(lambda: parquet._labels(tmp_path / "shard.parquet", ["style"]), "download it anew")


def test_a_ground_truth_that_unpacks_without_end_is_refused(tmp_path):
    packed = zlib.compress(bytes(64 << 20))
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM"
    claims = struct.pack("<IIIIIIII", 14, 1 << 31, 6, 8, 6, 0, 5, 8)  # a matrix of doubles of two gigabytes
    bomb = zlib.compress(claims + struct.pack("<IIII", 1 << 14, 1 << 14, 1, 0)) + packed
    (tmp_path / "rijksgt.mat").write_bytes(header + struct.pack("<II", 15, len(bomb)) + bomb)
    refused(lambda: rijksmuseum._ground_truth(tmp_path / "rijksgt.mat"), "is not the challenge's ground truth")


def test_a_ground_truth_that_ends_the_process_that_reads_it_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(rijksmuseum, "PROGRAM", "import os; os.abort()")
    refused(lambda: rijksmuseum._ground_truth(tmp_path / "rijksgt.mat"), r"reading it ended the process \(-6\)")


# --- whatever bytes there are

SECONDS = float(os.environ.get("KERAS_ART_FUZZ_SECONDS", 600))  # for each reader


def _honest(folder: Path) -> dict[str, tuple[bytes, Callable[[Path], object], tuple[type[Exception], ...]]]:
    """Reader -> the bytes of a file that it reads, the reader, and how it may refuse."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image
    from scipy.io import savemat

    from keras_art.fetching import iiif
    from keras_art.networks import trained
    from keras_art.pictures.images import Unreadable, decode
    from keras_art.store.reading import read_json
    from keras_art.store.reading import read_table as read_stored
    from keras_art.store.tickets import Ticket, read_ticket, write_ticket

    csv = b'image;style\na.png;"cold; wet"\nb.png;warm\n'
    pq.write_table(
        pa.table({"style": [0, 1]}).replace_schema_metadata({"huggingface": '{"info": {"features": {}}}'}),
        folder / "shard.parquet",
    )
    struct_ = {"set": [[1], [2]], "C": [[1], [1]], "Cnames": np.array(["a"], object)}
    struct_ |= {"M": [[1], [0]], "Mnames": np.array(["b"], object), "T": [[1], [0]], "Tnames": np.array(["c"], object)}
    savemat(folder / "gt.mat", {"gt": struct_})
    savemat(folder / "packed.mat", {"gt": struct_}, do_compression=True)
    pixels = np.arange(192, dtype="uint8").reshape(8, 8, 3)
    for suffix in ("png", "jpg", "gif", "tif", "webp", "bmp", "jp2"):
        Image.fromarray(pixels).save(folder / f"picture.{suffix}")
    weights = np.ones((2, 2), "float32")
    write_ticket(folder / "ticket.npz", Ticket({"w": weights}, {"w": np.ones((2, 2), "uint8")}, 2, {}))
    card = {"format": trained.FORMAT, "classes": {"style": ["a"]}, "preprocessing": "unit", "resize": "squash"}
    card |= {"image_size": 8, "metrics": {}, "provenance": {}, "crop": 0, "margins": False, "network": None}
    with zipfile.ZipFile(folder / "card.keras", "w") as archive:
        archive.writestr(trained.CARD, json.dumps(card))
    manifest = {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": "https://example.org/m", "type": "Manifest", "label": {"en": ["x"]},
        "metadata": [{"label": {"en": ["Date"]}, "value": {"en": ["1600"]}}],
        "items": [{"id": "c", "type": "Canvas", "items": [{"type": "AnnotationPage", "items": [{
            "type": "Annotation", "motivation": "painting",
            "body": {"id": "https://example.org/1.jpg", "type": "Image", "service": [{"id": "https://example.org/1"}]},
        }]}]}],
    }  # fmt: skip

    def fetch(*_: object, **__: object) -> None:
        raise UserError("nothing is fetched")

    nowhere = types.SimpleNamespace(servers=None, fetch=fetch)
    record = f'<?xml version="1.0"?><r xmlns:dc="{rijksmuseum.DC[1:-1]}"><dc:creator>x: y</dc:creator></r>'
    mine = (UserError,)
    found = {
        "csv": (csv, spreadsheets.read_csv, mine),
        "latin": (csv, lambda path: read_table(path, latin=True), mine),
        "xlsx": (xlsx(folder / "table.xlsx").read_bytes(), spreadsheets.read_xlsx, mine),
        "parquet": ((folder / "shard.parquet").read_bytes(), spreadsheets.read_parquet, mine),
        "shard": ((folder / "shard.parquet").read_bytes(), lambda path: parquet._labels(path, ["style"]), mine),
        "mat": ((folder / "gt.mat").read_bytes(), rijksmuseum._ground_truth, mine),
        "packed mat": ((folder / "packed.mat").read_bytes(), rijksmuseum._ground_truth, mine),
        "xml": (record.encode(), rijksmuseum._dublin_core, (rijksmuseum.ET.ParseError,)),
        "wikiart list": (b"Cold/a_b.jpg,0\nWarm/c_d.jpg,,1\n", wikiart._read_list, mine),
        "wikiart classes": (b"0 Cold\n1 Warm\n", wikiart._classes, mine),
        "manifest": (json.dumps(manifest).encode(), lambda path: iiif.read(str(path), nowhere, folder), mine),
        "ticket": ((folder / "ticket.npz").read_bytes(), read_ticket, mine),
        "card": ((folder / "card.keras").read_bytes(), trained.read_card, mine),
        "stored json": (b'{"a": [1, 2.5, "x"]}', read_json, mine),
        "stored table": (b"id,label\na,1\nb,2\n", read_stored, mine),
    }
    for suffix in ("png", "jpg", "gif", "tif", "webp", "bmp", "jp2"):
        content = (folder / f"picture.{suffix}").read_bytes()
        found[suffix] = (content, lambda path: decode(path, 8), (Unreadable,))
    return found


READERS = (
    "csv", "latin", "xlsx", "parquet", "shard", "mat", "packed mat", "xml", "wikiart list", "wikiart classes",
    "manifest", "ticket", "card", "stored json", "stored table", "png", "jpg", "gif", "tif", "webp", "bmp", "jp2",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_or_refuses_whatever_bytes_there_are(tmp_path, name):
    hypothesis = pytest.importorskip("hypothesis")
    st = hypothesis.strategies
    content, read, may = _honest(tmp_path)[name]
    path = tmp_path / f"it.{name if name in ('csv', 'xlsx', 'parquet', *READERS[15:]) else 'bin'}"
    places = st.integers(0, len(content))
    edit = st.tuples(places, st.integers(0, 8), st.binary(max_size=8))
    bytes_ = st.one_of(st.binary(max_size=300), st.lists(edit, min_size=1, max_size=6), st.tuples(places, places))
    texts = st.sampled_from(
        ["=", "<", ">", "&", '"', "'", "\0", "\n", "\r", ",", ";", "[" * 3000, "{" * 3000, "9" * 5000, "\u2028"]
    )
    bytes_ = st.one_of(bytes_, st.lists(st.tuples(places, st.just(0), texts.map(str.encode)), min_size=1, max_size=4))
    tried = 0

    def made(found) -> bytes:
        if isinstance(found, bytes):
            return found
        if isinstance(found, tuple):  # a piece is missing
            return content[: min(found)] + content[max(found) :]
        out = content
        for place, gone, new in found:
            out = out[:place] + new + out[place + gone :]
        return out

    @hypothesis.settings(
        max_examples=300, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(bytes_)
    def fuzz(found):
        nonlocal tried
        tried += 1
        path.write_bytes(made(found))
        begun = time.process_time()
        with contextlib.suppress(may):
            read(path)
        assert time.process_time() - begun < 5

    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        hypothesis.seed(random.randrange(1 << 30))(fuzz)()
    print(f"{name}: {tried} files")

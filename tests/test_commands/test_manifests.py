from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd
import pytest
from conftest import paint, told, write_csv

from keras_art.commands import manifests
from keras_art.data.collection import described_by
from keras_art.data.sources import BadCollection, load_collection
from keras_art.errors import UserError
from keras_art.report import sheets

ROWS = [
    ["id", "image", "set", "style", "dc:title", "rights", "inventory"],
    ["SK-A-1", "1.png", "train", "Barok", 'De "Nachtwacht", 1642', "CC0", "0007"],
    ["SK-A-2", "2.png", "dev", "", "=SUM(A1)", "", "1.50"],
    ["SK-A-3", "3.png", "test", "Rokoko", "Zwaan\nEend", "© museum", "1e3"],
]


@pytest.fixture
def museum(tmp_path: Path) -> Path:
    for name in "123":
        paint(tmp_path / "museum" / "images" / f"{name}.png", "a", int(name))
    write_csv(tmp_path / "museum" / "labels.csv", ROWS)
    return tmp_path / "museum"


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
@pytest.mark.parametrize("beside", [True, False])
def test_a_collection_goes_out_and_comes_in_as_it_was(museum, tmp_path, suffix, beside):
    out = (museum if beside else tmp_path / "elsewhere") / f"table{suffix}"
    assert manifests.main([str(museum), "--out", str(out)]) == 0
    before, after = load_collection(museum), load_collection(out)
    pd.testing.assert_frame_equal(told(after), told(before))
    assert after.quarantine.empty


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_columns_called_like_ours_come_in_again_as_they_were(museum, suffix):
    rows = [["file", "set", "id", "image", "split", "split_style", "style"]]
    rows += [[f"{i}.png", "train", "same", "none", str(i), "test", "x"] for i in (1, 2, 3)]
    before = load_collection(write_csv(museum / "labels.csv", rows))
    assert before.targets == ["id", "image", "split", "style"] and list(before.splits) == ["style"]
    assert manifests.main([str(museum), "--out", str(museum / f"mine{suffix}")]) == 0
    after = load_collection(museum / f"mine{suffix}")
    pd.testing.assert_frame_equal(after.columns, before.columns)
    pd.testing.assert_series_equal(after.splits["style"], before.splits["style"])
    assert after.images["split"].tolist() == ["train"] * 3 and after.paths() == before.paths()


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_a_table_and_its_images_can_be_moved_together(museum, tmp_path, suffix):
    manifests.main([str(museum), "--out", str(museum / f"labels{suffix}")])
    if suffix != ".csv":
        (museum / "labels.csv").unlink()
    museum.rename(tmp_path / "moved")
    table = told(load_collection(tmp_path / "moved"))
    assert [Path(path).parent for path in table["path"]] == [tmp_path / "moved" / "images"] * 3


def test_numbers_and_dates_of_a_spreadsheet_are_text_as_a_person_reads_them(museum):
    import datetime

    from openpyxl import Workbook

    book = Workbook()
    for row in (["image", "year", "height", None], ["1.png", 1642.0, 3.5], ["2.png", datetime.date(1642, 1, 2), None]):
        book.active.append(row)
    book.active.append([])
    book.save(museum / "mine.xlsx")
    table = told(load_collection(museum / "mine.xlsx"))
    assert table["year"].tolist() == ["1642", "1642-01-02"]
    assert table["height"].tolist() == ["3.5", ""]


@pytest.mark.parametrize("content", [b"", b"PK not really", b"<html>"])
@pytest.mark.parametrize("suffix", [".xlsx", ".parquet"])
def test_what_is_no_table_is_one_message(tmp_path, content, suffix):
    (tmp_path / f"x{suffix}").write_bytes(content)
    with pytest.raises(BadCollection, match=r"is no (XLSX spreadsheet|Parquet file)"):
        load_collection(tmp_path / f"x{suffix}")


def test_a_spreadsheet_that_unpacks_to_more_than_it_should_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_art.data.readers.workbooks.MOST_UNPACKED", 1000)
    with zipfile.ZipFile(tmp_path / "x.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(5000))
    with pytest.raises(BadCollection, match="unpacks to 5,000 bytes"):
        load_collection(tmp_path / "x.xlsx")


def test_parquet_without_a_column_of_images_says_so(tmp_path):
    pd.DataFrame({"artist": ["a"], "style": ["b"]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(BadCollection, match=r"no column of .* names images"):
        load_collection(tmp_path / "x.parquet")


def test_another_suffix_and_what_a_spreadsheet_can_not_hold_are_refused(tmp_path, monkeypatch):
    table = pd.DataFrame({"id": ["\x01"]})
    with pytest.raises(UserError, match=r"none of \.csv, \.xlsx, \.parquet"):
        sheets.write_table(table, tmp_path / "x.ods")
    with pytest.raises(
        UserError, match=r"the column id of .* holds 32,770 letters, and a spreadsheet's cell at most 32,767"
    ):
        sheets.write_table(pd.DataFrame({"id": ["x" * 32_763 + "\r"]}), tmp_path / "x.xlsx")
    monkeypatch.setattr(sheets, "MOST_ROWS", 0)
    with pytest.raises(UserError, match="a spreadsheet holds 0 rows and not 2"):
        sheets.write_table(table, tmp_path / "x.xlsx")
    assert not list(tmp_path.iterdir())


def test_dublin_core_and_rights_are_told_from_other_columns():
    columns = ["id", "label", "dc:title", "dc_creator", "dcterms:date", "rights", "Licence", "style", "manifest", "url"]
    assert described_by(columns) == ["dc:title", "dc_creator", "dcterms:date", "rights", "Licence", "manifest", "url"]


def test_predictions_of_a_run_keep_dublin_core_and_rights(museum, tmp_path, monkeypatch):
    import numpy as np

    from keras_art.data.choices import choose
    from keras_art.data.tasks import prepare
    from keras_art.learning import classifier
    from keras_art.store.runs import Store
    from keras_art.study.config import Artefact
    from keras_art.study.kinds.classifier import ClassifierRun

    for name in "456789":
        paint(museum / "images" / f"{name}.png", "a", int(name))
    rows = [[f"SK-{i}", f"{i}.png", ("train", "val", "test")[i % 3], "xy"[i // 4 % 2], f"T{i}", "CC0", str(i)]
            for i in range(1, 10)]  # fmt: skip
    write_csv(museum / "labels.csv", [ROWS[0], *rows])
    collection = load_collection(museum)
    choice = choose(collection, "style")
    ready = prepare(Store(tmp_path / "store"), collection, choice, 16, "squash", lambda done, total: None)
    titles = []
    draw = classifier.figures.confusion_matrix
    monkeypatch.setattr(
        classifier.figures, "confusion_matrix", lambda *args, title: titles.append(title) or draw(*args, title=title)
    )
    run = ClassifierRun(collection=choice.key, target="style", network=Artefact("own-00000000.keras"))
    classifier._report(run, tmp_path, ready, np.full((len(ready.part("test")), 2), 0.5))
    assert titles == ["museum style, own off_the_shelf, seed 0"]  # for people, not its folder's name
    predictions = pd.read_csv(tmp_path / "predictions.csv")
    assert predictions["dc:title"].tolist() == [f"T{id_.removeprefix('SK-')}" for id_ in predictions["id"]]
    assert set(predictions["rights"]) == {"CC0"}
    assert "inventory" not in predictions


@pytest.mark.parametrize("header", ["id", "object_id", "inventory_number"])
def test_objects_come_back_from_a_table(tmp_path, header):
    rows = [["image", header, "style"]]
    for number in range(6):
        paint(tmp_path / "m" / f"{number}.png", "abc"[number % 3], number)
        rows.append([f"{number}.png", f"N {number // 2}", "xy"[number % 2]])
    found = load_collection(write_csv(tmp_path / "m" / "labels.csv", rows))
    assert found.images["object"].tolist() == ["N 0", "N 0", "N 1", "N 1", "N 2", "N 2"]
    for suffix in (".csv", ".xlsx", ".parquet"):
        sheets.write_table(manifests.manifest(found, tmp_path / "m"), tmp_path / "m" / f"again{suffix}")
        again = load_collection(tmp_path / "m" / f"again{suffix}")
        pd.testing.assert_frame_equal(again.images, found.images)
        pd.testing.assert_frame_equal(again.columns, found.columns)

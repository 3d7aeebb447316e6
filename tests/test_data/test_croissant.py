"""Croissant files, others' and ours, beside the collections that they describe."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
from conftest import paint, write_csv

from keras_art.commands import cards as command
from keras_art.data import cards, croissant
from keras_art.data.sources import BadCollection, load_collection


def museum(folder: Path, rows: list[list[str]] | None = None) -> Path:
    for number in range(6):
        paint(folder / "images" / f"{number}.png", "abc"[number % 3], number)
    return write_csv(folder / "table.csv", rows or [["file", "style"], *([f"{n}.png", "xy"[n % 2]] for n in range(6))])


def file_object(name: str, **more: str) -> dict:
    return {"@type": "cr:FileObject", "@id": name, "name": name, "contentUrl": name, **more}


def file_set(*patterns: str) -> dict:
    return {"@type": "cr:FileSet", "@id": "pictures", "encodingFormat": "image/png", "includes": list(patterns)}


def record_set(table: str, *columns: str, kind: str = "fileObject") -> dict:
    source = lambda column: {kind: {"@id": table}, "extract": {"column": column}}  # noqa: E731
    return {"@type": "cr:RecordSet", "field": [{"@type": "cr:Field", "source": source(name)} for name in columns]}


def described(folder: Path, distribution: list, records: list | None = None, **more) -> Path:
    content = {
        "@context": {"@vocab": "https://schema.org/", "cr": "http://mlcommons.org/croissant/"},
        "@type": "sc:Dataset",
        "name": "A Museum",
        "distribution": distribution,
        "recordSet": records or [],
        **more,
    }
    (folder / "croissant.json").write_text(json.dumps(content))
    return folder / "croissant.json"


def test_a_table_beside_its_description_is_taken(tmp_path):
    table = museum(tmp_path)
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    path = described(tmp_path, [file_object("table.csv", sha256=digest)], [record_set("table.csv", "file", "style")])
    found = load_collection(path)
    assert found.name == "a_museum" and found.targets == ["style"] and len(found.images) == 6
    assert found.root == tmp_path and found.card is None
    pd.testing.assert_frame_equal(found.columns, load_collection(table).columns)


def test_class_folders_are_taken_where_there_is_no_table(tmp_path):
    for number in range(6):
        paint(tmp_path / "data" / "xy"[number % 2] / f"{number}.png", "a", number)
    found = load_collection(described(tmp_path, [file_set("data/*/*.png")]))
    assert found.columns["label"].tolist() == ["x", "x", "x", "y", "y", "y"]


def test_of_several_tables_that_counts_which_the_records_are_of(tmp_path):
    museum(tmp_path)
    write_csv(tmp_path / "about.csv", [["file", "note"], ["1.png", "?"]])
    objects = [file_object("about.csv"), file_object("table.csv")]
    for ordered in (objects, objects[::-1]):
        records = [record_set("about.csv", "note"), record_set("table.csv", "file", "style")]
        assert load_collection(described(tmp_path, ordered, records)).targets == ["style"]


def test_a_table_that_is_addressed_elsewhere_is_found_by_its_name(tmp_path):
    museum(tmp_path)
    remote = file_object("table.csv", contentUrl="https://example.org/v1/table.csv?download=1")
    assert len(load_collection(described(tmp_path, [remote], [record_set("table.csv", "style")])).images) == 6


def test_another_table_than_was_described_is_refused(tmp_path):
    museum(tmp_path)
    with pytest.raises(BadCollection, match=r"table\.csv is not the file that was described: its SHA-256 is another"):
        load_collection(described(tmp_path, [file_object("table.csv", sha256="0" * 64)]))


@pytest.mark.parametrize("address", ["../table.csv", "/etc/passwd.csv", "a/../../table.csv"])
def test_no_file_outside_the_folder_is_taken(tmp_path, address):
    museum(tmp_path)
    (tmp_path / "inner").mkdir()
    away = file_object("elsewhere.csv", contentUrl=address)
    with pytest.raises(BadCollection, match=r"describes .*, and none of that lies beside it"):
        load_collection(described(tmp_path / "inner", [away]))


def test_what_is_not_here_is_named_with_where_it_is_to_be_had(tmp_path):
    path = described(tmp_path, [file_object("table.csv")], url="https://example.org/museum", description="Works.")
    with pytest.raises(
        BadCollection, match=r"describes table\.csv, and none .*\. Works\.\s+It is to be had from https://ex"
    ):
        load_collection(path)


IIIF = '{"@context": "http://iiif.io/api/presentation/3/context.json", "items": []}'


@pytest.mark.parametrize("content", [IIIF, "[]", '{"distribution": [{}]}'])
def test_other_json_is_none(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    assert croissant.read(tmp_path / "a.json") is None
    with pytest.raises(BadCollection, match="IIIF"):
        load_collection(tmp_path / "a.json")


def test_no_json_is_one_message(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(BadCollection, match=r"a\.json is no JSON"):
        load_collection(tmp_path / "a.json")


def test_a_card_is_made_and_read_again(tmp_path, monkeypatch, capsys):
    museum(tmp_path / "a_museum")
    big = file_object("big.zip", contentUrl="https://example.org/big.zip", sha256="a" * 64)
    rights = [{"@type": "CreativeWork", "name": 'CC "BY"'}, "CC0"]
    more = {"license": rights, "citeAs": "Ä\\n\x7f: 1", "url": "https://e.org"}
    path = described(tmp_path / "a_museum", [file_object("table.csv"), big], **more)
    assert command.main(["import", str(path), "--out", str(tmp_path / "cards")]) == 0
    monkeypatch.setenv("KERAS_ART_DATASETS", str(tmp_path / "cards"))
    card = cards.load_card("a_museum")
    assert (card.title, card.licence, card.citation, card.source) == (
        "A Museum",
        'CC "BY", CC0',
        "Ä\\n\x7f: 1",
        "https://e.org",
    )
    assert card.files == [{"path": "big.zip", "urls": ["https://example.org/big.zip"], "sha256": "a" * 64}]
    assert load_collection("a_museum", tmp_path).targets == ["style"]
    assert command.main(["show", "a_museum"]) == 0 and 'CC "BY"' in capsys.readouterr().out
    assert command.main(["import", str(path), "--out", str(tmp_path / "cards")]) == 1  # never over another


def test_without_mlcroissant_nothing_is_written_and_the_remedy_is_said(tmp_path, monkeypatch, capsys):
    museum(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "mlcroissant", None)
    assert command.main(["export", str(tmp_path / "table.csv"), "--out", str(tmp_path / "c.json")]) == 1
    assert "pip install 'keras_art[croissant]'" in capsys.readouterr().err
    assert not list(tmp_path.glob("c.*"))


def test_what_is_exported_is_valid_and_comes_back(tmp_path):
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    rows = [
        ["file", "id", "style", "odd, name"],
        *([f"images/{n}.png", f"N {n // 2}", "xy"[n % 2], "007"] for n in range(6)),
    ]
    table = museum(tmp_path, rows)
    out = tmp_path / "out.json"
    assert command.main(["export", str(table), "--out", str(out)]) == 0
    found, again = load_collection(table), load_collection(out)
    pd.testing.assert_frame_equal(again.images, found.images)
    pd.testing.assert_frame_equal(again.columns, found.columns)
    records = list(mlcroissant.Dataset(jsonld=out).records("images"))
    assert len(records) == 6 and b"N 0" in records[0].values()
    assert command.main(["export", str(table), "--out", str(out)]) == 1  # never over another


def test_a_card_without_its_files_is_exported(tmp_path):
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    assert command.main(["export", "kaokore-1.2", "--out", str(tmp_path / "c.json")]) == 0
    metadata = mlcroissant.Dataset(jsonld=tmp_path / "c.json").metadata
    assert metadata.name == "kaokore-1.2" and len(metadata.distribution) == 2 and not metadata.record_sets


@pytest.mark.parametrize(
    "sets", ["x", [1, None, "x"], [{"field": "y"}], [{"field": [1, {"source": "s"}, {"source": {"extract": "e"}}]}]]
)
def test_record_sets_of_other_shapes_are_passed_over(tmp_path, sets):
    museum(tmp_path)
    about = {
        "@context": {"cr": "http://mlcommons.org/croissant/"}, "name": "x", "recordSet": sets,
        "distribution": [{"@type": "cr:FileObject", "name": "table.csv", "contentUrl": "table.csv"}],
    }  # fmt: skip
    (tmp_path / "c.json").write_text(json.dumps(about))
    assert len(load_collection(tmp_path / "c.json").images) == len(load_collection(tmp_path / "table.csv").images)

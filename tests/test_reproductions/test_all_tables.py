"""All tables at once, and those of the pages."""

from __future__ import annotations

import json

import pytest

from keras_art.commands import flags, machine, papers
from keras_art.store import runs
from reproductions import __main__ as main
from reproductions import results
from reproductions.sabatelli2018 import study, tables


@pytest.fixture
def store(tmp_path):
    """A store with one finished run of the demo, made by hand."""
    kept = runs.Store(tmp_path / "store")
    kept.create()
    run = study.Run(collection="atelier-target-0000abcd", target="artist")
    kept.begin(run)
    found = {"status": "ok", "test_accuracy": 0.5, "n_test": 100, "n_images": 1000, "n_classes": 12, "epochs": 3}
    kept.finish(run, {**found, "width": 512, "parameters": 20_030_540, "seconds": 9.0})
    folder = kept.root / "collections" / run.collection
    folder.mkdir(parents=True)
    facts = {"name": "atelier", "targets": ["artist"], "root": "", "rule": "stratified", "split_seed": 0}
    facts |= {"class_filter": True, "digest": "0000abcd", "n_images": 1000, "classes": ["a", "b"], "quarantined": 0}
    (folder / "task.json").write_text(json.dumps(facts | {"dropped_labels": {}, "dropped_classes": {}}))
    return kept


def test_every_table_is_printed_from_a_store(store, capsys):
    assert main.main(["--store", str(store.root)]) == 0
    printed = capsys.readouterr().out
    assert "atelier-target artist  VGG19" in printed
    assert "50.00 [40.4, 59.6]" in printed


def test_an_empty_store_prints_the_papers_tables(tmp_path, capsys):
    assert main.main(["--store", str(tmp_path / "none")]) == 0
    printed = capsys.readouterr().out
    assert "— (*92.95*)" in printed
    assert "Table 3 (Antwerp)" in printed
    assert not (tmp_path / "none").exists()


def test_a_demo_never_stands_beside_the_papers_number(store):
    printed = tables.tables_of(store, None, study.PRESETS["study"]).paper
    frame = {table.name: frame for table, frame in printed}["table_2"]
    ours = frame[frame["n"] > 0]
    assert list(ours["protocol"]) == ["demo"]
    assert ours["paper"].isna().all()
    assert ours["delta"].isna().all()


def test_writing_then_checking_agrees_and_an_edit_is_found(store, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "PAGES", tmp_path / "docs")
    monkeypatch.setattr(results, "MEASURED", tmp_path / "measured")
    results.MEASURED.mkdir()
    (results.MEASURED / "two.csv").write_text(',"a, b"\nx,`1`\n')
    page = results.PAGES / "papers" / "one.md"
    page.parent.mkdir(parents=True)
    begin = [results.BEGIN.format(name) for name in ("accuracies.csv", "two.csv")]
    page.write_text(f"before\n{begin[0]}{results.END}\n{begin[1]}{results.END}after\n")
    assert main.main(["--write", "--store", str(store.root)]) == 0
    assert main.main(["--check"]) == 0
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "50.00" in text
    assert "|  | a, b |\n| --- | --- |\n| x | `1` |\n" in text
    page.write_text(text.replace("50.00", "60.00"))
    assert main.main(["--check"]) == 1
    assert "--results" in capsys.readouterr().err
    assert main.main(["--results"]) == 0
    assert page.read_text() == text


def test_an_installation_without_pages_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "PAGES", tmp_path / "docs")
    assert main.main(["--check"]) == 1
    assert "run this in one" in capsys.readouterr().err


def test_a_table_on_no_page_and_a_page_without_its_table_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "PAGES", tmp_path)
    monkeypatch.setattr(results, "MEASURED", tmp_path)
    (tmp_path / "alone.csv").write_text("a\n1\n")
    (tmp_path / "page.md").write_text(results.BEGIN.format("absent.csv") + results.END)
    assert [line.split()[0] for line in results.differences()] == ["absent.csv", "alone.csv"]


@pytest.mark.parametrize("paper", papers.reproductions(), ids=lambda paper: paper.name)
def test_a_reproduction_without_a_word_is_its_demo(paper, monkeypatch):
    asked, read = [], flags.read
    monkeypatch.setattr(flags, "read", lambda *args, **kwargs: asked.append(read(*args, **kwargs)) or asked[-1])
    monkeypatch.setattr(machine.Reproduction, "carry_out", lambda self, study, words: 0)
    assert paper.main([]) == 0
    assert asked[0].preset == "demo"

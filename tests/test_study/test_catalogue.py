"""What studies have asked of a store, and how far they are."""

from __future__ import annotations

import json
import os

import pytest
from test_config import TINY, Tiny

from keras_art.store.runs import Store
from keras_art.study import catalogue, config, records
from keras_art.writing import beside


@pytest.fixture
def store(tmp_path, monkeypatch):
    for room in (config, records, catalogue):
        monkeypatch.setattr(room, "kinds", lambda: TINY)
    made = Store(tmp_path / "runs")
    made.create()
    return made


def finish(store, run, **environment):
    store.ask(run)
    told = {"versions": {"keras_art": "0.2.0"}, **environment}
    (store.directory(run) / "environment.json").write_text(json.dumps(told))
    store.finish(run, {"status": "ok", "seconds": 30})


def test_what_a_killed_process_left_beside_a_study_goes_when_it_is_asked_for_again(store):
    runs = [Tiny(collection="paintings-0011aabb")]
    folder = catalogue.write_down(store, "tiny2024", ["--seeds", "0"], runs).folder(store)
    for name in (catalogue.FILE, "page.html"):
        mine = beside(folder / name)
        mine.with_name(mine.name.replace(f"-{os.getpid()}.", "-99999999.")).touch()
        mine.touch()  # of a process that is alive
    catalogue.write_down(store, "tiny2024", ["--seeds", "0"], runs)
    left = sorted(path.name for path in folder.glob("*.part"))
    assert left == sorted(beside(folder / name).name for name in (catalogue.FILE, "page.html"))


def test_a_study_is_its_runs_whatever_their_order_and_command(store):
    runs = [Tiny(collection="paintings-0011aabb"), Tiny(seed=1, collection="paintings-0011aabb")]
    first = catalogue.write_down(store, "tiny2024", ["--seeds", "0", "1", "--open"], runs)
    again = catalogue.write_down(store, "tiny2024", ["--seeds", "1", "0"], runs[::-1])
    other = catalogue.write_down(store, "tiny2024", ["--seeds", "0"], runs[:1])
    assert first.key == again.key != other.key and first.key.startswith("tiny2024-paintings-")
    (both,) = [study for study in catalogue.studies(store) if study.key == first.key]
    assert both.command_lines() == [
        "python -m reproductions.tiny2024 --seeds 0 1", "python -m reproductions.tiny2024 --seeds 1 0",
    ]  # fmt: skip
    assert both == again and {study.key for study in catalogue.studies(store)} == {first.key, other.key}


def test_words_of_a_command_come_back_as_they_were_given(store):
    words = ["--data", "a 'b' \\ $HOME \udcff", "--target", "画家"]
    study = catalogue.write_down(store, "tiny2024", words, [Tiny()])
    (found,) = catalogue.studies(store)
    assert found.words == tuple(words) and found == study


def test_progress_counts_what_is_finished(store):
    runs = [Tiny(), Tiny(seed=1), Tiny(seed=2)]
    study = catalogue.write_down(store, "tiny2024", [], runs)
    assert catalogue.progress(store, study).words == "0 of 3 runs done, 0 s of computing"
    finish(store, runs[0])
    finish(store, runs[2])
    reached = catalogue.progress(store, study)
    assert list(reached.found) == [runs[0], runs[2]] and reached.seconds == 60
    assert reached.words.startswith("2 of 3 runs done, 60 s of computing, ended 20")


def test_a_list_of_hashes_that_is_damaged_stops_no_study(store):
    study = catalogue.write_down(store, "tiny2024", [], [Tiny()])
    (study.folder(store) / "SHA256SUMS").write_bytes(b"\xff")
    assert catalogue.studies(store) == []
    assert catalogue.write_down(store, "tiny2024", ["--x"], [Tiny()]) == catalogue.studies(store)[0]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"reproduction": "x", "commands": [1], "runs": [], "places": []}'])
def test_a_record_that_can_not_be_read_is_named_and_left_out(store, capsys, text):
    study = catalogue.write_down(store, "tiny2024", [], [Tiny()])
    (study.folder(store) / "study.json").write_text(text)
    assert catalogue.studies(store) == []
    assert "study.json" in capsys.readouterr().err
    assert catalogue.write_down(store, "tiny2024", ["--x"], [Tiny()]) == catalogue.studies(store)[0]


def test_no_record_leads_out_of_a_store(store):
    study = catalogue.write_down(store, "tiny2024", [], [Tiny()])
    path = study.folder(store) / "study.json"
    told = json.loads(path.read_text())
    (path.parent / "SHA256SUMS").unlink()
    path.write_text(json.dumps(told | {"reproduction": "../../x", "runs": [{"kind": "../..", "digest": "*"}]}))
    (found,) = catalogue.studies(store)
    assert found.runs == () and found.folder(store).parent == store.root / "studies"


def test_runs_that_nobody_wrote_down_are_told_apart_by_their_commands(store):
    command = "/somewhere/reproductions/tiny2024/__main__.py"
    first, second = (
        Tiny(collection="a-0011aabb"),
        Tiny(seed=1, after=Tiny(collection="a-0011aabb").ref, collection="b-1"),
    )
    finish(store, first, command=["/other/reproductions/tiny2024.py", "--first"])
    finish(store, second, command=[command, "--second", "x y"])
    finish(store, Tiny(seed=2), command=["/bin/keras_art/__main__.py", "work"])
    found = {study.words: study for study in catalogue.guessed(store, [first, second, Tiny(seed=2)])}
    assert set(found) == {("--first",), ("--second", "x y")}
    assert found["--second", "x y"].runs == (first.ref, second.ref) and found["--second", "x y"].places == ("b",)
    assert all(study.guessed for study in found.values())

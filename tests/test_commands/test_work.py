"""What is left of a store, done by whoever is asked."""

from __future__ import annotations

import json

import pytest
from test_config import TINY, Tiny

from keras_art import __main__
from keras_art.commands import work
from keras_art.store import runs
from keras_art.store.runs import Store
from keras_art.study import config, records, workers


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store on which runs of the kind "tiny" are carried out without a backend."""
    monkeypatch.setattr(runs, "environment", dict)
    for module in (config, records, workers):
        monkeypatch.setattr(module, "kinds", lambda: TINY)
    monkeypatch.setattr("keras_art.study.costs.kinds", lambda: TINY)
    monkeypatch.setattr(workers, "train", lambda store, run, folder, tell: {"seed": run.seed})
    monkeypatch.setattr("keras_art.terminal.start_backend", lambda: None)
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "NPROC", "TF_FORCE_GPU_ALLOW_GROWTH"):
        monkeypatch.setenv(name, "1")
    made = Store(tmp_path / "store")
    made.create()
    return made


def test_what_was_asked_for_is_computed_in_the_order_of_its_needs(store, capsys):
    first = Tiny(seed=7)
    second = Tiny(after=first.ref)
    store.ask(second)
    store.ask(first)
    assert work.main([str(store.root)]) == 0
    assert [store.metrics(run) for run in (first, second)] == [{"seed": 7}, {"seed": 0}]
    assert work.main([str(store.root)]) == 0
    assert "nothing is left to do" in capsys.readouterr().err


def test_runs_named_by_their_digests_are_done_with_what_they_need_and_no_others(store):
    first, other = Tiny(seed=7), Tiny(seed=8)
    second = Tiny(after=first.ref)
    for run in (first, second, other):
        store.ask(run)
    assert work.main([str(store.root), second.ref.digest]) == 0
    assert store.metrics(first) and store.metrics(second) and store.metrics(other) is None
    assert work.main([str(store.root), second.ref.digest]) == 0  # finished: nothing to do, and no mistake


def test_a_digest_that_nobody_asked_for_is_told(store, capsys):
    assert work.main([str(store.root), "0000abcd"]) == 1
    assert "no study has asked" in capsys.readouterr().err


def test_what_another_version_asked_for_is_refused_before_anything_is_written(store, capsys):
    run = Tiny()
    store.ask(run)
    (store.directory(run) / "environment.json").write_text(json.dumps({"versions": {"keras_art": "9.9"}}))
    before = written(store)
    assert work.main([str(store.root)]) == 1
    assert "was asked for by keras_art 9.9" in capsys.readouterr().err
    assert written(store) == before


def written(store):
    """Every file, but for those by which processes say that they are there."""
    return sorted(path for path in store.root.rglob("*") if "at_work" not in path.parts)


def test_a_folder_that_is_no_store_is_told_and_not_made_one(tmp_path, capsys):
    assert work.main([str(tmp_path)]) == 1
    assert "is no store" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_a_store_without_its_stamp_is_called_damaged(store, capsys):
    store.ask(Tiny())
    (store.root / "store.json").unlink()
    assert work.main([str(store.root)]) == 1
    assert "store.json is absent" in (told := capsys.readouterr().err) and "--repair" in told


def test_work_is_a_verb_whose_help_starts_no_backend(capsys):
    with pytest.raises(SystemExit, match="0"):
        __main__.main(["work", "--help"])
    assert "DIGEST" in capsys.readouterr().out.upper()

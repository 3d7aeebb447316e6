"""What a store knows of finished runs."""

from __future__ import annotations

import json

import pytest
from test_config import TINY, Tiny

from keras_art.store import runs
from keras_art.store.runs import Store
from keras_art.study import config, records
from keras_art.study.records import Rivals, finished, variant


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "environment", dict)
    monkeypatch.setattr(config, "kinds", lambda: TINY)
    records._told.cache_clear()
    made = Store(tmp_path / "store")
    made.create()
    return made


def test_every_finished_run_is_found_and_no_other(store):
    for seed in range(3):
        store.begin(Tiny(seed=seed))
    store.finish(Tiny(seed=0), {"x": 1})
    store.finish(Tiny(seed=2), {"x": 2})
    assert dict(finished(store, Tiny)) == {Tiny(seed=0): {"x": 1}, Tiny(seed=2): {"x": 2}}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"kind": "tiny", "added_in_2027": 1}',
        '{"kind": "unheard_of"}',
        "\0" * 100,
        "[" * 100_000,
    ],
)
def test_one_directory_that_can_not_be_read_is_named_once_and_stops_nothing(store, content, capsys):
    store.begin(Tiny())
    store.finish(Tiny(), {"x": 1})
    bad = store.begin(Tiny(seed=1))
    store.finish(Tiny(seed=1), {"x": 2})
    (bad / "config.json").write_text(content)
    for _ in range(2):
        assert finished(store, Tiny) == [(Tiny(), {"x": 1})]
    told = capsys.readouterr().err
    assert told.count(str(bad / "config.json")) == 1


def test_metrics_that_can_not_be_read_stop_nothing(store, capsys):
    store.begin(Tiny())
    store.finish(Tiny(), {"x": 1})
    (store.directory(Tiny()) / "metrics.json").write_text(json.dumps({"x": 1})[:-2])
    assert finished(store, Tiny) == []
    assert "metrics.json is damaged" in capsys.readouterr().err


def test_a_variant_names_the_fields_that_differ_in_a_cell():
    a, b, c = Tiny(rate=0.1), Tiny(rate=0.2), Tiny(network="x", rate=0.3)
    assert variant(a, Rivals([a, b, c], lambda run: run.network)) == " [rate=0.1]"
    assert variant(a, Rivals([b, c], lambda run: run.network)) == " [rate=0.1]"  # itself need not be among them
    assert variant(c, Rivals([a, b, c], lambda run: run.network)) == ""
    assert variant(a, Rivals([a, Tiny(seed=1)], lambda run: run.network)) == ""
    assert variant(a, Rivals([a, Tiny(after=b.ref)], lambda run: run.network)) == ""
    assert variant(a, Rivals([], lambda run: run.network)) == ""

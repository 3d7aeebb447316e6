from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest
from filelock import Timeout
from test_config import Tiny

from keras_art.errors import UserError
from keras_art.store import environment, runs
from keras_art.store.runs import Store, StoreError
from keras_art.store.sums import Damaged


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store; what a run runs on, which takes seconds to find out, is left out."""
    monkeypatch.setattr(runs, "environment", dict)
    made = Store(tmp_path / "store")
    made.create()
    return made


# --- done or not


def test_a_finished_run_gives_its_metrics_back(store):
    folder = store.begin(Tiny(seed=3))
    store.finish(Tiny(seed=3), {"accuracy": 0.5, "status": "ok"})
    assert store.metrics(Tiny(seed=3)) == {"accuracy": 0.5, "status": "ok"}
    assert store.metrics(Tiny(seed=4)) is None
    written = json.loads((folder / "config.json").read_text())
    assert list(written)[:2] == ["kind", "format"]
    assert written == Tiny(seed=3).as_json()


def test_a_run_without_metrics_is_not_done(store):
    folder = store.begin(Tiny())
    (folder / "history.csv").write_text("epoch,loss\n0,1\n")
    (folder / "metrics.json.part").write_text('{"accuracy": 0.')
    assert store.metrics(Tiny()) is None


def test_metrics_appear_by_rename_and_whole(store, monkeypatch):
    store.begin(Tiny())
    moved = []

    def replace(source: Path, target: Path) -> None:
        moved.append((Path(target).name, Path(target).exists()))
        assert Path(source).read_text()[-1] in "}\n"

    monkeypatch.setattr(os, "replace", replace)
    store.finish(Tiny(), {"accuracy": 0.5})
    assert moved == [("SHA256SUMS", False), ("metrics.json", False)]
    assert store.metrics(Tiny()) is None


def test_what_is_not_finite_becomes_null(store):
    store.begin(Tiny())
    store.finish(Tiny(), {"loss": float("nan"), "worst": float("inf"), "best": -float("inf"), "n": 3})
    assert store.metrics(Tiny()) == {"loss": None, "worst": None, "best": None, "n": 3}


def test_a_run_whose_directory_was_taken_away_meanwhile_is_none(store):
    folder = store.begin(Tiny())
    shutil.rmtree(folder)
    (folder / "checkpoint").mkdir(parents=True)  # as a training does that goes on
    with pytest.raises(StoreError, match="was taken away while its run was computed: the same command makes it anew"):
        store.finish(Tiny(), {"accuracy": 0.5})
    store.ask(Tiny())  # as the next command does
    assert store.metrics(Tiny()) is None


def test_finish_removes_the_checkpoint(store):
    checkpoint = store.begin(Tiny()) / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "weights").touch()
    store.finish(Tiny(), {})
    assert not checkpoint.exists()


def test_a_changed_default_is_an_error_and_no_relabelling(store):
    store.begin(Tiny())
    store.finish(Tiny(), {})
    changed = dataclasses.make_dataclass("Changed", [("rate", float, 0.2)], bases=(Tiny,), frozen=True)
    assert store.directory(changed()) == store.directory(Tiny())
    with pytest.raises(StoreError, match=r"another default of rate: move it away, or .* --store"):
        store.metrics(changed())


def test_a_field_added_later_finds_the_runs_made_before(store):
    store.begin(Tiny())
    store.finish(Tiny(), {"accuracy": 1.0})
    grown = dataclasses.make_dataclass("Grown", [("momentum", float, 0.9)], bases=(Tiny,), frozen=True)
    assert store.metrics(grown()) == {"accuracy": 1.0}


# --- the store


@pytest.mark.parametrize(
    ("stamp", "told"),
    [
        ('{"format": 99}', "has format 99, this keras_art reads 2: use the version that wrote it, or another folder"),
        ("{}", "store.json can not be read .* store check .* --repair"),
        ("half a fi", "store.json can not be read"),
        ("[]", "store.json can not be read"),
        ("\0" * 20, "store.json can not be read"),
    ],
)
def test_a_store_of_another_format_is_refused(tmp_path, stamp, told):
    (tmp_path / "store.json").write_text(stamp)
    for use in (Store(tmp_path).check, Store(tmp_path).create):
        with pytest.raises(StoreError, match=told):
            use()
    assert (tmp_path / "store.json").read_text() == stamp


def test_a_store_that_can_not_be_written_names_the_remedy(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"can not be written .* choose another with --store") as error:
        Store(tmp_path / "file" / "store").create()
    assert isinstance(error.value, UserError)


@pytest.mark.skipif(not Path("/proc/sys").is_dir(), reason="there is no /proc")
def test_a_place_without_folders_was_not_moved_away():
    with pytest.raises(StoreError, match="can not be written"):
        Store("/proc/sys/store").create()


def test_create_and_check_take_their_own_store_and_leave_nothing_behind(tmp_path):
    Store(tmp_path / "new").check()
    assert not (tmp_path / "new").exists()
    for _ in range(2):
        Store(tmp_path / "new").create()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["at_work", "store.json"]


# --- references


def test_a_reference_finds_its_directory_and_whether_it_is_finished(store):
    folder = store.begin(Tiny())
    assert store.find(Tiny().ref) == folder
    assert not store.has(Tiny().ref)
    store.finish(Tiny(), {})
    assert store.has(Tiny().ref)
    with pytest.raises(StoreError, match=f"holds no tiny {Tiny(seed=9).ref.digest}"):
        store.find(Tiny(seed=9).ref)


def test_a_damaged_file_of_a_run_is_named(store):
    folder = store.begin(Tiny())
    store.finish(Tiny(), {})
    (folder / "metrics.json").write_bytes(b"\0" * 40)
    with pytest.raises(Damaged, match=r"metrics\.json is damaged"):
        store.metrics(Tiny())


def test_a_lock_has_one_holder_at_a_time(store):
    with store.lock(store.root / "x"), pytest.raises(Timeout), store.lock(store.root / "x", wait=False):
        pass
    with store.lock(store.root / "x", wait=False):
        pass


def test_the_environment_names_versions_backend_and_devices():
    found = runs.environment()
    assert found["versions"]["keras"].startswith("3.")
    assert found["backend"] in ("tensorflow", "jax", "torch")
    assert found["devices"]
    json.dumps(found)


def test_the_code_is_looked_at_once_for_all_runs_of_a_process(monkeypatch):
    first = environment.environment()
    monkeypatch.setattr(environment.subprocess, "run", None)
    assert environment.environment() == first

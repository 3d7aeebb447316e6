from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from filelock import Timeout

from keras_art.errors import UserError
from keras_art.store import runs
from keras_art.store.runs import Store, StoreError, execute


@dataclass(frozen=True)
class Tiny:
    paper: ClassVar[str] = "tiny2024"
    words: ClassVar[tuple[str, ...]] = ("network", "seed")

    network: str = "VGG19"
    seed: int = 0
    rate: float = 0.1


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store; what a run runs on, which takes seconds to find out, is left out."""
    monkeypatch.setattr(runs, "environment", dict)
    made = Store(tmp_path / "store")
    made.create()
    return made


# --- names


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (Tiny(), "VGG19-0-44136fa3"),
        (Tiny(seed=1), "VGG19-1-a4bbadc1"),
        (Tiny(network="ResNet50", rate=0.5), "ResNet50-0-55f9570e"),
    ],
)
def test_a_runs_directory_never_changes_its_name(config, name, tmp_path):
    assert Store(tmp_path).directory(config) == tmp_path / "tiny2024" / name


def test_a_field_added_at_its_default_keeps_digests():
    grown = dataclasses.make_dataclass("Grown", [("momentum", float, 0.9)], bases=(Tiny,), frozen=True)
    assert runs.digest(grown(seed=1)) == runs.digest(Tiny(seed=1))
    assert runs.digest(grown(momentum=0.5)) != runs.digest(Tiny())


def test_every_field_moves_the_digest():
    digests = {runs.digest(config) for config in (Tiny(), Tiny(network="x"), Tiny(seed=1), Tiny(rate=0.2))}
    assert len(digests) == 4


# --- done or not


def test_a_finished_run_gives_its_metrics_back(store):
    folder = store.begin(Tiny(seed=3))
    store.finish(Tiny(seed=3), {"accuracy": 0.5, "status": "ok"})
    assert store.metrics(Tiny(seed=3)) == {"accuracy": 0.5, "status": "ok"}
    assert store.metrics(Tiny(seed=4)) is None
    assert json.loads((folder / "config.json").read_text()) == {"network": "VGG19", "seed": 3, "rate": 0.1}


def test_a_run_without_metrics_is_not_done(store):
    folder = store.begin(Tiny())
    (folder / "history.csv").write_text("epoch,loss\n0,1\n")
    (folder / "metrics.json.part").write_text('{"accuracy": 0.')
    assert store.metrics(Tiny()) is None


def test_metrics_appear_by_rename_and_whole(store, monkeypatch):
    store.begin(Tiny())
    moved = []

    def replace(source: Path, target: Path) -> None:
        moved.append((json.loads(Path(source).read_text()), Path(target).name, Path(target).exists()))

    monkeypatch.setattr(os, "replace", replace)
    store.finish(Tiny(), {"accuracy": 0.5})
    assert moved == [({"accuracy": 0.5}, "metrics.json", False)]
    assert store.metrics(Tiny()) is None


def test_what_is_not_finite_becomes_null(store):
    store.begin(Tiny())
    store.finish(Tiny(), {"loss": float("nan"), "worst": float("inf"), "best": -float("inf"), "n": 3})
    assert store.metrics(Tiny()) == {"loss": None, "worst": None, "best": None, "n": 3}


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


@pytest.mark.parametrize("stamp", ['{"format": 99}', "{}", "half a fi", "[]"])
def test_a_store_of_another_format_is_refused(tmp_path, stamp):
    (tmp_path / "store.json").write_text(stamp)
    for use in (Store(tmp_path).check, Store(tmp_path).create):
        with pytest.raises(StoreError, match="use the version that wrote it, or another folder with --store"):
            use()
    assert (tmp_path / "store.json").read_text() == stamp


def test_a_store_that_can_not_be_written_names_the_remedy(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"can not be written .* choose another with --store") as error:
        Store(tmp_path / "file" / "store").create()
    assert isinstance(error.value, UserError)


def test_create_and_check_take_their_own_store_and_leave_nothing_behind(tmp_path):
    Store(tmp_path / "new").check()
    assert not (tmp_path / "new").exists()
    for _ in range(2):
        Store(tmp_path / "new").create()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["store.json"]


# --- carrying out


def test_execute_runs_what_is_missing_and_a_second_call_nothing(store):
    ran = []

    def run(config: Tiny, folder: Path) -> dict[str, int]:
        assert folder == store.directory(config)
        ran.append(config.seed)
        return {"seed": config.seed}

    configs = [Tiny(seed=seed) for seed in range(3)]
    assert execute(store, configs[:1], run) == 1
    assert execute(store, configs, run) == 2
    assert execute(store, configs, run) == 0
    assert ran == [0, 1, 2]
    assert [store.metrics(config) for config in configs] == [{"seed": 0}, {"seed": 1}, {"seed": 2}]


def test_a_run_that_fails_is_not_done_and_is_run_again(store):
    def fail(config: Tiny, folder: Path) -> dict[str, int]:
        raise ValueError("diverged")

    with pytest.raises(ValueError, match="diverged"):
        execute(store, [Tiny()], fail)
    assert store.metrics(Tiny()) is None
    assert execute(store, [Tiny()], lambda config, folder: {}) == 1


def test_a_lock_is_one_holders_at_a_time(store):
    with store.lock(store.root / "x"), pytest.raises(Timeout), store.lock(store.root / "x", wait=False):
        pass
    with store.lock(store.root / "x", wait=False):
        pass


PROGRAM = """
import sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}]
from keras_art.store import runs
from test_runs import Tiny
runs.environment = dict

def run(config, folder):
    with open({log!r}, "a") as file:
        file.write(f"{{config.seed}}\\n")
    time.sleep({seconds})
    return {{"seed": config.seed}}

store = runs.Store({root!r})
store.create()
print(runs.execute(store, [Tiny(seed=seed) for seed in range({count})], run))
"""


def start(root: Path, log: Path, count: int, seconds: float) -> subprocess.Popen[str]:
    tests = Path(__file__).parent
    program = PROGRAM.format(tests=str(tests), log=str(log), root=str(root), count=count, seconds=seconds)
    return subprocess.Popen([sys.executable, "-c", program], cwd=tests.parents[1], stdout=subprocess.PIPE, text=True)


def wait_for(condition, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_processes_on_one_store_never_run_the_same_run_twice(tmp_path):
    log = tmp_path / "log"
    processes = [start(tmp_path / "store", log, count=6, seconds=0.2) for _ in range(3)]
    ran = [int(process.communicate(timeout=120)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(log.read_text().split()) == [str(seed) for seed in range(6)]
    assert sum(ran) == 6


def test_a_killed_process_releases_its_lock_and_its_run_is_run_again(store, tmp_path):
    log = tmp_path / "log"
    process = start(store.root, log, count=1, seconds=600)
    wait_for(lambda: log.exists() and log.read_text() == "0\n")
    with pytest.raises(Timeout), store.lock(store.directory(Tiny()), wait=False):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert store.metrics(Tiny()) is None
    started = time.monotonic()
    assert execute(store, [Tiny()], lambda config, folder: {"seed": 0}) == 1
    assert time.monotonic() - started < 5
    assert store.metrics(Tiny()) == {"seed": 0}


def test_execute_waits_for_a_run_that_another_process_holds(store, tmp_path):
    log = tmp_path / "log"
    process = start(store.root, log, count=1, seconds=1.5)
    wait_for(log.exists)
    order, waited = [], []

    def run(config: Tiny, folder: Path) -> dict[str, int]:
        order.append(config.seed)
        return {}

    assert execute(store, [Tiny(seed=0), Tiny(seed=1)], run, lambda config: waited.append(config.seed)) == 1
    assert order == [1]
    assert waited == [0]
    assert store.metrics(Tiny(seed=0)) == {"seed": 0}
    assert process.communicate(timeout=60)[0].strip() == "1"


# --- what went wrong, and on what


def test_a_full_disk_is_recognised_however_it_is_wrapped():
    wrapped = RuntimeError("could not save")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert runs.disk_full(wrapped)
    assert runs.disk_full(RuntimeError("...; No space left on device [Op:SaveV2]"))
    assert not runs.disk_full(ValueError("shape"))


def test_the_environment_names_versions_backend_and_devices():
    found = runs.environment()
    assert found["versions"]["keras"].startswith("3.")
    assert found["backend"] in ("tensorflow", "jax", "torch")
    assert found["devices"]
    json.dumps(found)

"""Lists of runs carried out by one process and by several."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import Timeout
from test_config import TINY, Tiny

from keras_art.store import runs
from keras_art.store.runs import Store, StoreError
from keras_art.store.sums import Damaged
from keras_art.study import config
from keras_art.study.execute import execute, train


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(runs, "environment", dict)
    made = Store(tmp_path / "store")
    made.create()
    return made


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


def test_a_damaged_file_stops_its_run_and_those_that_need_it_and_no_other(store):
    told = []

    def run(config: Tiny, folder: Path) -> dict[str, int]:
        if config.seed == 0:
            raise Damaged("weights of another are damaged")
        return {}

    first = Tiny(seed=0)
    configs = [first, Tiny(seed=1, after=first.ref), Tiny(seed=2)]
    assert execute(store, configs, run, failed=lambda run, error: told.append((run.seed, str(error)))) == 1
    assert [seed for seed, _ in told] == [0, 1] and "damaged" in told[0][1]
    assert store.metrics(Tiny(seed=2)) == {}
    with pytest.raises(Damaged):
        execute(store, configs, run)


PROGRAM = """
import sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}]
from keras_art.store import runs
from keras_art.study import config, records
from keras_art.study.execute import execute
from test_config import TINY, Tiny
runs.environment = dict
config.kinds = lambda: TINY

def run(config, folder):
    with open({log!r}, "a") as file:
        file.write(f"{{config.seed}}\\n")
    time.sleep({seconds})
    return {{"seed": config.seed}}

store = runs.Store({root!r})
store.create()
print(execute(store, {runs}, run))
"""


def start(root: Path, log: Path, count: int, seconds: float, runs: str = "") -> subprocess.Popen[str]:
    tests = Path(__file__).parent
    runs = runs or f"[Tiny(seed=seed) for seed in range({count})]"
    program = PROGRAM.format(tests=str(tests), log=str(log), root=str(root), seconds=seconds, runs=runs)
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


CHAIN = """[first := Tiny(), second := Tiny(seed=1, after=first.ref), Tiny(seed=2, after=second.ref),
    Tiny(seed=3, after=first.ref), Tiny(seed=4)]"""


@pytest.mark.parametrize("number", range(5))
def test_two_processes_do_what_depends_on_one_another_once_and_in_order(tmp_path, number):
    log = tmp_path / "log"
    processes = [start(tmp_path / "store", log, count=0, seconds=0.05, runs=CHAIN) for _ in range(2)]
    ran = [int(process.communicate(timeout=120)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0] and sum(ran) == 5
    order = log.read_text().split()
    assert sorted(order) == ["0", "1", "2", "3", "4"]
    assert order.index("0") < order.index("1") < order.index("2") and order.index("0") < order.index("3")


def test_what_is_needed_and_held_elsewhere_is_waited_for_and_not_started_without(store, tmp_path):
    """One process has the first run; this one must not begin the run that needs it."""
    log = tmp_path / "log"
    process = start(store.root, log, count=1, seconds=1.5)
    wait_for(log.exists)
    needing, seen = Tiny(seed=1, after=Tiny().ref), []
    done = execute(store, [Tiny(), needing], lambda run, folder: seen.append(store.metrics(Tiny())) or {})
    assert done == 1 and seen == [{"seed": 0}]
    process.communicate(timeout=60)


def test_a_need_that_nobody_computes_is_told(store):
    with pytest.raises(StoreError, match="which nobody has computed"):
        execute(store, [Tiny(after=Tiny(seed=9).ref)], lambda run, folder: {})


def test_a_mode_is_carried_out_by_the_function_it_names(store, monkeypatch):
    monkeypatch.setattr(config, "kinds", lambda: TINY)
    with pytest.raises(ModuleNotFoundError, match="none"):
        train(store, Tiny(), store.root, lambda line, share: None)

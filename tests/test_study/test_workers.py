"""Several processes on one store: started, killed, stopped, failing. No run of these starts a backend."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_execute import wait_for

# A program of its own: every process reads it anew. A run notes that it begins, takes its time, and may end badly.
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}]
from keras_art import terminal
from keras_art.store import runs
from keras_art.store.runs import Store
from keras_art.study import config, workers
from keras_art.study.config import Kind, Mode
from test_config import TINY, Tiny

log = Path({log!r})

def made(store, run, folder, tell):
    with log.open("a") as file:
        file.write(f"{{run.seed}} {{os.getpid()}} {{os.environ['OMP_NUM_THREADS']}} {{run.network}}\\n")
    tell("half of it", 0.5)
    times = sum(line.startswith(f"{{run.seed}} ") for line in log.read_text().splitlines())
    if run.network == "killed" and times == 1 or run.network == "killed always":
        os.kill(os.getpid(), signal.SIGKILL)
    if run.network == "wrong":
        raise ValueError("a mistake of ours")
    time.sleep(60 if run.network == "long" else 0.2)
    return {{"seed": run.seed}}

kind = Kind(Tiny, {{"made": Mode("__main__:made", TINY["tiny"].modes["made"].cost)}})
config.kinds = workers.kinds = lambda: {{"tiny": kind}}
config.function = lambda name: made
from keras_art.study import execute
execute.function = config.function
runs.environment = dict
terminal.start_backend = lambda: None

if __name__ == "__main__":
    store = Store({root!r})
    store.create(threads=3)
    list_of_runs = {runs}
    devices = ["cpu"] * {jobs}
    sys.exit(terminal.guarded(
        lambda: workers.compute(store, list_of_runs, lambda run: 1.0, devices) or 0, "study", trains=True))
"""


def start(tmp_path: Path, runs: str, jobs: int = 2) -> subprocess.Popen[str]:
    tests = Path(__file__).parent
    program = tmp_path / "program.py"
    program.write_text(
        PROGRAM.format(tests=str(tests), log=str(tmp_path / "log"), root=str(tmp_path / "store"), runs=runs, jobs=jobs)
    )
    return subprocess.Popen(
        [sys.executable, program], cwd=tests.parents[1], env={**os.environ, "PYTHONPATH": str(tests.parents[1])},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def begun(tmp_path: Path) -> list[list[str]]:
    """Seed, process, threads and network of every beginning of a run."""
    return [line.split(" ", 3) for line in (tmp_path / "log").read_text().splitlines()]


def finished(tmp_path: Path) -> list[int]:
    paths = (tmp_path / "store").glob("tiny/*/metrics.json")
    return sorted(json.loads(path.read_text())["seed"] for path in paths)


def test_two_processes_share_the_runs_and_one_tells_how_far_they_are(tmp_path):
    process = start(tmp_path, "[first := Tiny(), Tiny(seed=1, after=first.ref), *(Tiny(seed=n) for n in range(2, 6))]")
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    seeds, processes, threads, _ = zip(*begun(tmp_path), strict=True)
    assert sorted(seeds) == list("012345") and seeds.index("0") < seeds.index("1")
    assert len(set(processes)) == 2 and str(process.pid) not in processes and set(threads) == {"3"}
    assert finished(tmp_path) == [0, 1, 2, 3, 4, 5]
    assert "[6/6] " in said and said.count("[1/6] ") == 1


def test_what_a_killed_process_was_at_is_taken_up_by_another(tmp_path):
    process = start(tmp_path, "[Tiny(network='killed'), *(Tiny(seed=n) for n in range(1, 4))]")
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert finished(tmp_path) == [0, 1, 2, 3]
    assert [seed for seed, *_ in begun(tmp_path)].count("0") == 2
    assert "was ended by SIGKILL at killed, 0" in said


def test_a_run_that_kills_every_process_is_named_and_the_others_stopped(tmp_path):
    process = start(tmp_path, "[Tiny(network='killed always'), Tiny(seed=1), Tiny(seed=2, network='long')]")
    _, said = process.communicate(timeout=300)
    assert process.returncode == 1 and "two processes were ended by SIGKILL at killed always, 0" in said
    assert "fewer --jobs" in said and "Traceback" not in said


def test_a_run_that_fails_stops_the_study_with_its_reason(tmp_path):
    process = start(tmp_path, "[Tiny(network='wrong'), Tiny(seed=1, network='long')]")
    _, said = process.communicate(timeout=300)
    assert process.returncode == 1 and "study: ValueError: a mistake of ours" in said
    assert finished(tmp_path) == []


@pytest.mark.parametrize("whole_group", [True, False])
def test_ctrl_c_stops_all_and_leaves_a_store_that_goes_on(tmp_path, whole_group):
    process = start(tmp_path, "[Tiny(network='long'), Tiny(seed=1, network='long')]")
    wait_for(lambda: (tmp_path / "log").exists() and len(begun(tmp_path)) == 2)
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130 and "training from the last epoch kept" in said and "Traceback" not in said
    for _, number, *_ in begun(tmp_path):
        with pytest.raises(ProcessLookupError):
            os.kill(int(number), 0)


def test_the_processes_of_a_killed_study_end_by_themselves(tmp_path):
    process = start(tmp_path, "[Tiny(seed=n) for n in range(40)]")
    wait_for(lambda: (tmp_path / "log").exists() and len({number for _, number, *_ in begun(tmp_path)}) == 2)
    process.kill()
    process.communicate(timeout=60)
    time.sleep(2)
    after = len(begun(tmp_path))
    time.sleep(1)
    assert len(begun(tmp_path)) == after < 40

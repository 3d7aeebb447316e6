"""Studies that come to a store while it is moved, by processes: whoever comes second, no half of a store is left."""

from __future__ import annotations

import errno
import multiprocessing
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_config import Tiny

from keras_art.commands import store as command
from keras_art.store import runs
from keras_art.store.runs import Store, StoreError

STUDY = """
import sys
sys.path[:0] = [sys.argv[2]]
from test_config import Tiny
from keras_art.store import locks, presence
from keras_art.store.runs import Store, StoreError

def within(file, seconds, real=locks.within):
    if file.name == "door.lock":
        print("at the door", flush=True)
    return real(file, seconds)

locks.within, presence.PATIENCE = within, float(sys.argv[3])
store = Store(sys.argv[1])
try:
    store.create()
except StoreError as error:
    sys.exit(str(error))
print("came", flush=True)
sys.stdin.readline()
store.ask(Tiny())
"""


def came(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["at the door\n", "came\n"]


def study(root: Path, patience: float = 10.0) -> subprocess.Popen[str]:
    """A process that comes to a store, says so, and writes when it is told to."""
    tests = Path(__file__).parents[1] / "test_study"
    return subprocess.Popen(
        [sys.executable, "-c", STUDY, str(root), str(tests), str(patience)], text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Path:
    Store(tmp_path / "store").create()
    return tmp_path / "store"


def test_a_store_to_which_a_study_has_just_come_is_not_moved_until_it_ends(store, tmp_path, capsys):
    process = study(store)
    came(process)
    assert command.main(["move", str(store), str(tmp_path / "there")]) == 1
    assert f"another process holds {store / 'at_work' / '000.lock'}: move the store when" in capsys.readouterr().err
    process.communicate("write\n", timeout=60)
    assert process.returncode == 0 and [*store.glob("tiny/*/config.json")] and not (tmp_path / "there").exists()
    assert command.main(["move", str(store), str(tmp_path / "there")]) == 0
    assert not store.exists() and [*(tmp_path / "there").glob("tiny/*/config.json")]


@pytest.mark.parametrize(
    ("patience", "words"), [(0.2, "is being moved: wait until that has ended"), (60.0, "was moved away in this moment")]
)
def test_a_study_that_comes_while_its_store_is_copied_away_is_told(store, tmp_path, monkeypatch, patience, words):
    """`study` begins when the copy is under way; the impatient one ends before it, the other when it is done."""
    began = []

    def rename(path: Path, to: Path) -> None:
        if (path, to) == (store, tmp_path / "there"):
            raise OSError(errno.EXDEV, "another disk")
        os.rename(path, to)

    def copy(root: Path, place: Path) -> None:
        began.append(study(root, patience))
        assert began[0].stdout is not None and began[0].stdout.readline() == "at the door\n"
        if patience < 1:
            began[0].wait(timeout=60)
        else:
            time.sleep(0.5)
        real(root, place)

    real = command._copy
    monkeypatch.setattr(command, "_copy", copy)
    monkeypatch.setattr(command.Path, "rename", rename)
    assert command.main(["move", str(store), str(tmp_path / "there")]) == 0
    _, said = began[0].communicate(timeout=60)
    assert began[0].returncode == 1 and said.startswith(f"the store {store} ") and words in said
    assert not store.exists() and (tmp_path / "there" / "store.json").exists()


def test_a_process_that_was_killed_keeps_no_store_from_being_moved(store, tmp_path):
    process = study(store)
    came(process)
    process.kill()
    process.communicate()
    assert command.main(["move", str(store), str(tmp_path / "there")]) == 0


def test_who_uses_a_store_no_more_is_not_at_it(store, tmp_path):
    held = Store(store)
    held.create()
    held.create()
    assert [path.name for path in sorted((store / "at_work").iterdir())] == ["000.lock", "door.lock"]
    assert command.main(["move", str(store), str(tmp_path / "there")]) == 1
    del held
    assert command.main(["move", str(store), str(tmp_path / "there")]) == 0


def come(root: Path, rounds: int, at_once, said) -> None:
    runs.environment = dict
    for number in range(rounds):
        at_once.wait(60)
        try:
            store = Store(root / f"{number}")
            store.create()
            store.ask(Tiny())
            said.put("came")
        except StoreError as error:
            said.put(str(error))


def move(root: Path, rounds: int, at_once, said) -> None:
    for number in range(rounds):
        at_once.wait(60)
        said.put(f"moved {command.main(['move', str(root / f'{number}'), str(root / f'{number}-there')])}")


def test_whoever_comes_first_no_store_is_split(tmp_path):
    rounds = 60
    for number in range(rounds):
        Store(tmp_path / f"{number}").create()
    context = multiprocessing.get_context("spawn")
    at_once, said = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=kind, args=(tmp_path, rounds, at_once, said), daemon=True) for kind in (come, move)
    ]
    for process in processes:
        process.start()
    told = [said.get(timeout=120) for _ in range(2 * rounds)]
    for process in processes:
        process.join()
    kinds = {re.sub("/.*/[0-9]+ ", "", words) for words in told}
    assert kinds <= {"came", "moved 0", "moved 1", f"the store {runs.GONE}"}, kinds
    for folder in tmp_path.iterdir():
        assert (folder / "store.json").exists(), (folder, sorted(folder.rglob("*")))


def test_a_store_that_went_before_its_door_was_held_is_said_to_be_gone(tmp_path):
    (tmp_path / "store").mkdir()
    with pytest.raises(StoreError, match=runs.GONE):
        Store(tmp_path / "store").enter()
    assert not (tmp_path / "store").exists()


def test_a_store_that_goes_while_its_folder_is_looked_at_is_said_to_be_gone(tmp_path, monkeypatch):
    def found_and_gone(folder, *args, **kwargs):
        raise FileExistsError(errno.EEXIST, "File exists", str(folder))

    (tmp_path / "file").touch()
    monkeypatch.setattr(Path, "mkdir", found_and_gone)
    with pytest.raises(StoreError, match=runs.GONE):
        Store(tmp_path / "store").create()
    with pytest.raises(StoreError, match="can not be written"):
        Store(tmp_path / "file").create()

"""Locks of the operating system and leases: one holder at a time, whoever dies, stands still, or has another clock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from test_config import Tiny
from test_execute import wait_for
from test_workers import begun, finished, start

from keras_art.store import locks
from keras_art.store.runs import Store, StoreError
from keras_art.store.segments import Segments
from keras_art.store.sums import seal, sums, write_sealed

HOLDER = """
import sys, time
from pathlib import Path
from keras_art.store import locks
locks.LEASE, locks.BEAT = 1.5, 0.2
locks._host = lambda: sys.argv[2]
with locks.lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def leased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of a store that has leases, which run out after a second and a half."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "store.json").write_text(json.dumps({"format": 2, "threads": 1, "locks": "lease"}))
    monkeypatch.setattr(locks, "LEASE", 1.5)
    monkeypatch.setattr(locks, "BEAT", 0.2)
    monkeypatch.setattr(locks, "PAUSE", 0.05)
    return tmp_path / "store" / "runs" / "x.lock"


def holder(file: Path, host: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file), host], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def is_free(file: Path) -> bool:
    try:
        with locks.lock(file, wait=False):
            return True
    except Timeout:
        return False


# --- which


def test_a_store_has_the_locks_of_the_operating_system_where_they_hold(tmp_path):
    Store(tmp_path / "store").create()
    assert "locks" not in json.loads((tmp_path / "store" / "store.json").read_text())
    assert isinstance(locks.lock(tmp_path / "store" / "x.lock"), FileLock)


@pytest.mark.parametrize(
    ("of", "gives", "words"),
    [
        ("_excludes", lambda probe: False, "can be locked again"),
        ("_mounted", lambda folder: "rw,vers=3,local_lock=all,addr=1", "mounted with local_lock=all"),
        ("_mounted", lambda folder: "rw,localflock", "mounted with localflock"),
    ],
)
def test_a_store_is_made_with_leases_where_locks_do_not_hold_for_all(tmp_path, monkeypatch, capsys, of, gives, words):
    monkeypatch.setattr(locks, of, gives)
    store = Store(tmp_path / "store")
    store.create()
    assert words in capsys.readouterr().err
    assert isinstance(store.lock(store.root / "x"), locks.Lease)
    assert isinstance(Segments(store.root / "cache" / "contents", ["key", "row", "crc32"]).lock(), locks.Lease)
    store.create()  # again, and quietly
    assert not capsys.readouterr().err


def test_a_store_without_leases_is_refused_where_locks_do_not_hold(tmp_path, monkeypatch):
    Store(tmp_path / "store").create()
    monkeypatch.setattr(locks, "_excludes", lambda probe: False)
    with pytest.raises(StoreError, match=r'locks do not work .*write "locks": "lease" into .*store.json'):
        Store(tmp_path / "store").create()


def test_options_are_those_of_the_disk_that_a_folder_is_on(tmp_path):
    assert not locks.OF_ONE_HOST.search("rw,local_lock=none,vers=4.2")
    if sys.platform == "linux":
        assert "rw" in locks._mounted(tmp_path)


# --- one holder


def test_a_lease_has_one_holder_and_leaves_one_file(leased):
    for number in range(1, 4):
        with locks.lock(leased):
            assert not is_free(leased)
            assert [path.name for path in leased.parent.iterdir()] == [f"x.{number:06d}.lock"]
            assert locks.named(next(leased.parent.iterdir())) == leased
    assert is_free(leased)
    plain = leased.with_name("lock")
    with locks.lock(plain):
        assert locks.named(leased.with_name("000001.lock")) == plain and not is_free(plain)


def test_a_holder_that_is_alive_keeps_its_lease_for_longer_than_it_lasts(leased):
    process = holder(leased, "elsewhere")
    end = time.monotonic() + 3 * locks.LEASE
    while time.monotonic() < end:
        assert not is_free(leased)
        time.sleep(0.1)
    process.kill()
    process.communicate()


def test_a_lease_of_a_dead_process_of_this_host_is_free_at_once(leased):
    process = holder(leased, locks._host())
    assert not is_free(leased)
    process.kill()
    process.communicate()
    assert is_free(leased)


@pytest.mark.parametrize("hours", [-100, 0, 100])
def test_a_lease_of_another_host_runs_out_by_the_clock_of_who_waits(leased, hours):
    process = holder(leased, "elsewhere")
    process.kill()
    process.communicate()
    (file,) = leased.parent.iterdir()
    os.utime(file, (time.time() + 3600 * hours,) * 2)  # the other host's clock
    began = time.monotonic()
    assert not is_free(leased)
    wait_for(lambda: is_free(leased))
    assert time.monotonic() - began > locks.LEASE


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no signals")
def test_who_stood_still_for_too_long_ends_when_another_holds_its_lease(leased):
    process = holder(leased, "elsewhere")
    process.send_signal(signal.SIGSTOP)
    wait_for(lambda: is_free(leased))
    process.send_signal(signal.SIGCONT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL and "stood still for too long" in said


def test_of_many_who_see_a_lease_run_out_one_gets_it(leased):
    leased.parent.mkdir()
    leased.with_name("x.000041.lock").write_text("elsewhere-1 5")
    held, at_once = [], threading.Barrier(8)

    def take() -> None:
        lease = locks.Lease(leased, 0.0)
        locks._seen[leased, 41] = "elsewhere-1 5", time.monotonic() - 10
        at_once.wait()
        if lease._taken():
            held.append(lease.number)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held == [42]


def test_an_old_list_of_names_gives_no_second_lease(leased, monkeypatch):
    with locks.lock(leased) as lease:
        leased.with_name("x.000001.lock").rename(leased.with_name("x.000009.lock"))
        lease.number = 9
        late = locks.Lease(leased, 0.0)
        said = iter([(3, "free")])
        real = late._newest
        monkeypatch.setattr(late, "_newest", lambda: next(said, None) or real())
        assert not late._taken()
        assert not leased.with_name("x.000004.lock").exists()


# --- a store of leases


def test_processes_share_a_store_of_leases_and_a_killed_ones_run_is_taken_up(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "store.json").write_text(json.dumps({"format": 2, "threads": 3, "locks": "lease"}))
    process = start(tmp_path, "[Tiny(network='killed'), *(Tiny(seed=n) for n in range(1, 6))]")
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert finished(tmp_path) == [0, 1, 2, 3, 4, 5]
    assert [seed for seed, *_ in begun(tmp_path)].count("0") == 2 and len(begun(tmp_path)) == 7
    assert Store(tmp_path / "store").directories("tiny") == sorted((tmp_path / "store" / "tiny").glob("*-????????"))
    assert list((tmp_path / "store" / "tiny").glob("*.??????.lock"))


def test_the_list_of_a_sealed_folder_has_no_leases(leased):
    folder = leased.parents[1] / "collections" / "x"
    write_sealed(folder, {"a.txt": b"a"})
    seal(folder)
    assert list(sums(folder)) == ["a.txt"]


def test_a_store_of_leases_can_be_moved_and_who_is_waited_for_is_told(tmp_path, leased, capsys):
    from keras_art.commands.store import main

    store = Store(leased.parents[1])
    with store.lock(store.directory(Tiny())):
        assert main(["move", str(store.root), str(tmp_path / "there")]) == 1
    waited, refused = capsys.readouterr().err.splitlines()
    assert waited.startswith(f"waiting, {locks.LEASE + locks.BEAT:.0f} s at most, for process {os.getpid()} of ")
    assert f"which holds {store.directory(Tiny())}.lock: if it lives" in waited and "another process holds" in refused
    assert main(["move", str(store.root), str(tmp_path / "there")]) == 0
    with Store(tmp_path / "there").lock(Store(tmp_path / "there").directory(Tiny()), wait=False):
        pass

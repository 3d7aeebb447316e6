"""Who is at a store, so that it is not moved away under them.

A process that comes to write takes the first of `at_work/000.lock`, `at_work/001.lock`, ... that is free, and has it
for as long as it uses the store. Who moves the store takes all of them. `at_work/door.lock` is held by who comes for a
moment, and by who moves to the end, so that nobody comes meanwhile.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from keras_art.store import locks

FOLDER, DOOR = "at_work", "at_work/door.lock"
PATIENCE = 10.0  # seconds; who comes is through in some milliseconds


@contextmanager
def door(root: Path) -> Iterator[None]:
    """Within, nobody else comes to a store, or moves it.

    Raises:
        FileNotFoundError: the store is gone.
        filelock.Timeout: another process has held the door for `PATIENCE` seconds.
    """
    (root / FOLDER).mkdir(exist_ok=True)  # without its parents, that what is gone stays gone
    with locks.within(root / DOOR, PATIENCE):
        if not (root / "store.json").exists():
            _unmade(root)
            raise FileNotFoundError(2, "moved away", str(root / "store.json"))
        yield


def _unmade(root: Path) -> None:
    """Removes the folders that a lock makes for itself where a store was moved away in that moment."""
    with suppress(OSError):
        (root / DOOR).unlink(missing_ok=True)
        (root / FOLDER).rmdir()
        root.rmdir()


def come(root: Path) -> Any:
    """The lock by which this process is at a store from now on; it is held already.

    Raises:
        FileNotFoundError, filelock.Timeout: as `door`.
    """
    from filelock import Timeout

    with door(root):
        for number in itertools.count():
            lock = locks.within(root / FOLDER / f"{number:03d}.lock", 0.0)
            with suppress(Timeout):
                lock.__enter__()
                return lock
    raise AssertionError("numbers end")

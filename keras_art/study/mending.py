"""How faults of a store are mended: what was computed is set aside, what is made again is deleted."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keras_art.store import sums
from keras_art.store.leftovers import sweep
from keras_art.store.runs import Store
from keras_art.store.stamp import FILE, FORMAT, told_by_files
from keras_art.writing import write

SET_ASIDE = "set_aside"
LEFT_OUT = ("checkpoint", "quarantine.csv")  # of lists of hashes: they change


@dataclass(frozen=True)
class Fault:
    """Something that is not as it should be.

    Attributes:
        what: the file and what is wrong with it, for a person.
        mend: mends it and says how; None where only a person can.
    """

    what: str
    mend: Callable[[], str] | None = None


def set_aside(store: Store, path: Path, lock: Path | None = None) -> Callable[[], str]:
    """What sets a file or a folder aside; with `lock`, unless another process is at it."""

    def move() -> str:
        from filelock import Timeout

        if not path.exists():  # for something else that was wrong with it
            return ""
        place = store.root / SET_ASIDE / path.relative_to(store.root)
        number = 1
        while place.exists():
            number += 1
            place = place.with_name(f"{path.name}.{number}")
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with store.lock(lock, wait=False) if lock else contextlib.nullcontext():
                path.rename(place)
        except Timeout:
            return f"left: another process is at {path}"
        return f"set aside: {place}"

    return move


def set_picture_aside(store: Store, folder: Path, path: Path) -> Callable[[], str]:
    """The same of a picture in a sealed folder, whose other files stay."""

    def move() -> str:
        if not folder.exists():  # set aside, for another of its files
            return ""
        told = set_aside(store, path)() if path.exists() else f"forgotten: {path}"
        sums.seal(folder, besides=LEFT_OUT)
        return told

    return move


def swept(folder: Path) -> str:
    """Deletes what killed processes left half-written in a folder."""
    return f"deleted: {', '.join(path.name for path in sweep(folder))}"


def deleted(path: Path) -> str:
    """Deletes a folder of what is made again."""
    shutil.rmtree(path, ignore_errors=True)
    return f"deleted, and made again when it is asked for: {path}"


def stamped(store: Store) -> str:
    """Writes `store.json` anew, by what the other files of the store tell."""
    stamp, cores = store.root / FILE, os.cpu_count() or 1
    if stamp.is_dir():
        stamp.rename(stamp.with_name(f"{FILE}.not_ours"))
    told = told_by_files(store.root)
    write(stamp, json.dumps({"format": FORMAT, "threads": cores} | told))
    words = f"written anew: {stamp}; "
    if "threads" in told:
        words += f"its runs are of {told['threads']} threads as before"
    else:
        words += (
            f"no run tells how many threads its runs are of: {cores} from now on, as this machine has cores; where you "
            "know another number, write it there"
        )
    return words + "; processes hold runs by leases as before" * ("locks" in told)

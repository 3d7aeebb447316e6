"""The upkeep of a store, the folder of runs.

python -m keras_art store check STORE --repair       # reads every file; damaged runs are set aside, caches made again
python -m keras_art store size STORE                 # what takes how much
python -m keras_art store prune STORE                # gives back caches, and what killed processes have left behind
python -m keras_art store move STORE PLACE           # to another folder or disk, compared before it goes here
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.errors import UserError
from keras_art.store import locks, presence
from keras_art.store.leftovers import abandoned
from keras_art.store.runs import Store
from keras_art.store.sums import hash_of
from keras_art.writing import PART, beside

PROG = "python -m keras_art store"
MADE_AGAIN = ("features", "taps", "maps")  # of cache/, from what the store has
DECODED = ("images",)  # from the collections
WORTH = 1e6  # bytes, and a tenth of what is given back: less is not spoken of


@dataclass(frozen=True)
class Check:
    """Reads every file of a store, and says what is damaged and what to do. Exit status 1 where something is left."""

    store: tyro.conf.Positional[Path] = Path("runs")
    """Folder of the runs."""
    repair: bool = False
    """Set damaged runs and files aside, into STORE/set_aside, so that the command that made them makes them anew; let
    caches forget what is damaged. Nothing that can not be made again is deleted."""


@dataclass(frozen=True)
class Size:
    """What takes how much of the disk."""

    store: tyro.conf.Positional[Path] = Path("runs")
    """Folder of the runs."""


@dataclass(frozen=True)
class Prune:
    """Gives back what is made again when it is needed, and what killed processes have left behind.

    Cached features, checkpoints of finished runs, half-written files.
    """

    store: tyro.conf.Positional[Path] = Path("runs")
    """Folder of the runs."""
    images: bool = False
    """Decoded pictures, too. They are decoded again from the collections, which must then be where they were."""
    dry_run: bool = False
    """Only say what would go."""


@dataclass(frozen=True)
class Move:
    """Moves a store; on another disk every file is compared before it goes here."""

    store: tyro.conf.Positional[Path]
    """Folder of the runs."""
    place: tyro.conf.Positional[Path]
    """The folder that it becomes."""


def check(asked: Check) -> int:
    """Reads everything; the exit status is 1 where damage is left."""
    store = present(asked.store, stays=asked.repair)
    from keras_art.study import upkeep

    found = left = 0
    for fault in upkeep.faults(store):
        found += 1
        print(fault.what)
        if asked.repair and fault.mend:
            if told := fault.mend():
                print(f"  {told}")
        else:
            left += 1
    if not found:
        terminal.say(f"{asked.store}: every file is as it was written")
        return 0
    rest = "nothing is left" if not left else f"{left} left" + ("" if asked.repair else ", which --repair mends")
    terminal.say(f"{asked.store}: {found} fault{'s' * (found != 1)}, {rest}")
    return 1 if left else 0


def size(asked: Size) -> int:
    """Prints a line for every kind of thing, the largest first."""
    root = present(asked.store).root
    sizes: dict[str, tuple[int, int]] = {}
    for path in files(root):
        parts = path.relative_to(root).parts
        name = "/".join(parts[:-1][: 2 if parts[0] == "cache" else 1]) or "the store itself"
        if any(map(PART.search, parts)):
            name = "half-written"
        count, taken = sizes.get(name, (0, 0))
        sizes[name] = count + 1, taken + disk(path)
    for name, (count, taken) in sorted(sizes.items(), key=lambda item: -item[1][1]):
        print(f"{taken / 1e6:12,.1f} MB  {count:9,} files  {name}")
    print(f"{sum(taken for _, taken in sizes.values()) / 1e6:12,.1f} MB  together")
    return 0


def prune(asked: Prune) -> int:
    """Deletes what can be made again, and says how much that gives back."""
    from filelock import Timeout

    store = present(asked.store, stays=not asked.dry_run)
    freed = 0
    for path, lock in prunable(store, asked.images):
        taken = disk(path) if path.is_file() else disk_of(path)
        try:
            with locks.lock(lock, wait=False) if lock else nullcontext():
                if not asked.dry_run:
                    path.unlink() if path.is_file() else shutil.rmtree(path)
        except Timeout:
            terminal.say(f"left: another process is at {path}")
            continue
        freed += taken
        print(f"{taken / 1e6:12,.1f} MB  {path}")
    terminal.say(f"{freed / 1e6:,.1f} MB {'would be' if asked.dry_run else 'are'} given back")
    more = 0 if asked.images else sum(map(disk_of, caches(store, DECODED)))
    if more >= max(WORTH, freed / 10):
        terminal.say(f"--images would give back {more / 1e6:,.1f} MB more: pictures, decoded again when needed")
    return 0


def prunable(store: Store, images: bool) -> Iterator[tuple[Path, Path | None]]:
    """What can be made again, and the lock that whoever is at it holds."""
    for folder in caches(store, (*MADE_AGAIN, *(DECODED if images else ()))):
        yield folder, folder / "lock"
    for folder in sorted(store.root.glob("*/*/checkpoint/")):
        if (folder.parent / "metrics.json").is_file():
            yield folder, folder.parent.with_name(f"{folder.parent.name}.lock")
    for place, _, _ in os.walk(store.root):
        yield from ((path, None) for path in abandoned(Path(place)))


def caches(store: Store, names: Sequence[str]) -> list[Path]:
    """The folders of some kinds of cache, kind by kind."""
    return [folder for name in names for folder in sorted((store.root / "cache" / name).glob("*/"))]


def move(asked: Move) -> int:
    """Moves the whole folder, while nobody computes there."""
    from filelock import Timeout

    root, place = present(asked.store).root.absolute(), asked.place.expanduser().absolute()
    if place.exists() or place.is_relative_to(root):
        raise UserError(f"{place} is there already, or lies within the store: name a new folder")
    if not (root / "store.json").exists():
        raise UserError(f"{root / 'store.json'} is absent: python -m keras_art store check {root} --repair")
    with ExitStack() as held:
        try:
            held.enter_context(presence.door(root))
        except Timeout:
            raise UserError(f"another process is moving {root}") from None
        for path in {*map(locks.named, root.rglob("*.lock")), *root.rglob("lock")} - {root / presence.DOOR}:
            _take(path, held)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            root.rename(place)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy(root, place)
            gone = beside(root)
            root.rename(gone)  # at once: a folder that loses its files one by one would be taken for a store
            shutil.rmtree(gone)
    for path in place.rglob("*.lock"):  # leases that this process held there
        if locks.named(path) != path:
            path.unlink()
    print(place)
    return 0


def _take(path: Path, held: ExitStack) -> None:
    """Holds a lock of a store that is to be moved.

    Raises:
        UserError: another process holds it.
    """
    from filelock import Timeout

    # Whether another host's lease is of a living process is seen by whether it goes on being renewed.
    patience = locks.LEASE + locks.BEAT if locks.by_lease(path) else 0.0
    end, told = time.monotonic() + patience, False
    while True:
        try:
            held.enter_context(locks.lock(path, wait=False))
            return
        except Timeout:
            if time.monotonic() >= end:
                raise UserError(f"another process holds {path}: move the store when it has ended") from None
        if not told:
            terminal.say(
                f"waiting, {patience:.0f} s at most, for {locks.holder(path)}, which holds {path}: if it "
                f"lives, it goes on renewing that, and the store stays where it is"
            )
            told = True
        terminal.at(f"waiting: another host may hold {path}")
        time.sleep(locks.PAUSE)


def _copy(root: Path, place: Path) -> None:
    """Copies a store to another disk, and reads it back there; locks, which leases go on changing, are left."""
    part = beside(place)
    try:
        shutil.copytree(root, part, symlinks=True, ignore=shutil.ignore_patterns("*.lock"))
        os.sync()
        for path in files(root):
            if path.suffix != ".lock" and hash_of(part / path.relative_to(root)) != hash_of(path):
                raise UserError(f"the copy of {path} is another: nothing was moved; try another disk")
        part.rename(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def present(folder: Path, *, stays: bool = False) -> Store:
    """The store of a folder.

    Args:
        stays: it is not moved away as long as the store is used.

    Raises:
        UserError: there is none, or it is to stay and is being moved.
    """
    store = Store(folder)
    if not (store.root / "store.json").exists() and not (store.root / "collections").is_dir():
        raise UserError(f"{folder} is no store: name the folder that --store names, runs where none was named")
    if stays and (store.root / "store.json").exists():
        store.enter()
    return store


def files(folder: Path) -> Iterator[Path]:
    """Every file of a folder and of those below it."""
    for place, _, names in os.walk(folder):
        yield from (Path(place) / name for name in names)


def disk_of(folder: Path) -> int:
    """What a folder's files take of the disk, in bytes."""
    return sum(map(disk, files(folder)))


def disk(path: Path) -> int:
    """What a file takes of the disk, in bytes."""
    return path.lstat().st_blocks * 512


VERBS: dict[str, tuple[type[Any], Callable[[Any], int]]] = {
    "check": (Check, check),
    "size": (Size, size),
    "prune": (Prune, prune),
    "move": (Move, move),
}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] not in VERBS:
        print(flags.fitted(__doc__ or ""))
        return 0 if words[:1] in (["--help"], ["-h"]) else 2
    kind, command = VERBS[words[0]]
    asked = flags.read(kind, words[1:], prog=f"{PROG} {words[0]}", description=kind.__doc__ or "")
    return terminal.guarded(lambda: command(asked), f"{PROG} {words[0]}")

"""What is wrong with the files of a store, all of which are read, and what mends it.

Nothing that was computed is deleted: what is damaged is set aside, into `STORE/set_aside/`, and the command that made
it makes it anew. Caches lose what is damaged, and it is made again when it is asked for.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from keras_art.data import kept
from keras_art.errors import UserError
from keras_art.pictures import decoded
from keras_art.store import plain, sums
from keras_art.store.leftovers import abandoned
from keras_art.store.reading import is_there, read_archive, read_arrays, read_json, read_table
from keras_art.store.runs import Store, StoreError
from keras_art.store.segments import ABOUT, Segments
from keras_art.store.stamp import FILE, FORMAT
from keras_art.study import catalogue
from keras_art.study.config import Artefact, Run, kinds
from keras_art.study.files import sound_artefact
from keras_art.study.kinds.tickets import TicketRun, chain_file, has_mask, read_chain
from keras_art.study.mending import LEFT_OUT, Fault, deleted, set_aside, set_picture_aside, stamped, swept
from keras_art.study.records import read_run
from keras_art.writing import PART

CACHES = ("features", "taps", "images")  # of rows, `cache/NAME/*/`
PICTURES = (".png", ".html")  # that are for people: nothing reads them


def faults(store: Store) -> Iterator[Fault]:
    """Reads every file of a store: what is wrong, one by one.

    What other processes are writing in this moment is passed over.
    """
    yield from _stamp(store)
    runs: dict[Path, Run] = {}
    for kind in kinds():
        try:
            folders = store.directories(kind)
        except StoreError as error:
            yield Fault(str(error))
            continue
        for folder in folders:
            yield from list(_of_run(store, folder, runs))  # all, before the first is mended: a folder goes as a whole
    yield from _tickets(store, runs)
    for folder in _folders(store.root / "collections"):
        yield from list(_of_collection(store, folder))
    caches = [folder for name in CACHES for folder in _folders(store.root / "cache" / name)]
    for folder in [*caches, *(store.root / "cache").glob("contents/")]:
        yield from list(_of_cache(store, folder))
    for path in sorted((store.root / "cache" / "weights").glob("*-*")):
        if not PART.search(path.name) and path.suffix != ".lock":
            yield from _asked(partial(sound_artefact, store, Artefact(path.name)), set_aside(store, path))
    for folder in sorted((store.root / "cache").glob("*/atelier-*")):
        yield from _sealed(folder, partial(deleted, folder))
    for path in sorted(store.root.glob("*/search/*.db")):
        yield from _database(path, set_aside(store, path))
    for path in catalogue.files(store):
        yield from _asked(partial(catalogue.read, path), set_aside(store, path))
    closed: list[OSError] = []
    for folder in [Path(place) for place, _, _ in os.walk(store.root, onerror=closed.append)]:
        if gone := abandoned(folder):
            words = f"half-written, and given up: {', '.join(map(str, gone))}"
            yield Fault(words, partial(swept, folder))
    yield from (Fault(f"{error.filename} can not be read ({error.strerror}): make it readable") for error in closed)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_dir() and not PART.search(path.name))


def _asked(read: Callable[[], object], mend: Callable[[], str] | None) -> Iterator[Fault]:
    """What `read` finds wrong."""
    try:
        read()
    except UserError as error:
        yield Fault(str(error), mend)


def _stamp(store: Store) -> Iterator[Fault]:
    stamp, renew = store.root / FILE, partial(stamped, store)
    if not is_there(stamp):
        yield Fault(f"{stamp} is absent", renew)
        return
    try:
        about = json.loads(plain.read(stamp))
        found, threads = about["format"], about.get("threads")
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        yield Fault(f"{stamp} can not be read", renew)
        return
    if found != FORMAT:
        store.check()
    if not isinstance(threads, int) or threads < 1:
        yield Fault(f"{stamp} does not say of how many threads its runs are", renew)


def _of_run(store: Store, folder: Path, runs: dict[Path, Run]) -> Iterator[Fault]:
    """What is wrong with a run's directory; one that is sound, and finished, goes into `runs`."""
    aside = set_aside(store, folder, lock=folder)
    try:
        if not folder.is_dir():
            yield Fault(f"{folder} is no directory of a run", aside)
            return
        if not is_there(folder / "metrics.json"):
            for path in sorted(folder.glob("checkpoint/*.npz")):
                yield from _asked(partial(read_arrays, path), partial(deleted, path.parent))
            return
        run = read_run(folder)
        read_json(folder / "metrics.json", fields=run.measures)
    except UserError as error:
        yield Fault(str(error), aside)
        return
    if folder.name != run.folder_name:
        yield Fault(f"{folder} is not called as its run, {run.folder_name}: a copy counts for none, delete it")
        return
    try:
        wrong = sums.faults(folder)
    except UserError as error:
        yield Fault(str(error), aside)
        return
    pictures = [name for name in wrong if name.endswith(PICTURES)]
    for name, words in wrong.items():
        only = name in pictures
        yield Fault(words, set_picture_aside(store, folder, folder / name) if only else aside)
    if len(pictures) == len(wrong):
        runs[folder] = run
    if not (folder / sums.SUMS).exists():
        yield from _unsealed(folder, aside)


def _unsealed(folder: Path, aside: Callable[[], str]) -> Iterator[Fault]:
    """The directory of an earlier version: what can be read of it is sealed as it is."""
    readers: dict[str, Callable[[Path], object]]
    readers = {".npz": read_arrays, ".csv": read_table, ".json": read_json, ".keras": read_archive}
    wrong = [
        fault
        for path in sums.files_of(folder, LEFT_OUT)
        if (read := readers.get(path.suffix)) and path.stat().st_size > 1  # a table may be without any column
        for fault in _asked(partial(read, path), aside)
    ]

    def seal() -> str:
        sums.seal(folder, besides=LEFT_OUT)
        return f"sealed: {folder}"

    yield from wrong or [Fault(f"{folder / sums.SUMS} is absent, by which later damage would be seen", seal)]


def _of_collection(store: Store, folder: Path) -> Iterator[Fault]:
    aside = set_aside(store, folder)
    try:
        if not kept.is_kept(store, folder.name):
            return
        kept.facts_of(store, folder.name)
    except UserError as error:
        yield Fault(str(error), aside)
    yield from _sealed(folder, aside) if (folder / sums.SUMS).exists() else _unsealed(folder, aside)


def _sealed(folder: Path, mend: Callable[[], str]) -> Iterator[Fault]:
    try:
        for words in sums.faults(folder).values():
            yield Fault(words, mend)
    except UserError as error:
        yield Fault(str(error), mend)


def _of_cache(store: Store, folder: Path) -> Iterator[Fault]:
    """Of a cache, what is damaged is forgotten; all of it where nobody knows what it holds."""
    from filelock import Timeout

    mend: Callable[[], str] = partial(deleted, folder)
    try:
        if folder.parent.name == "images":
            mend = set_aside(store, folder)  # the pictures it was made of may be gone
            rows = Segments(folder, decoded.COLUMNS, 3 * int(folder.name.partition("-")[0]) ** 2)
        else:
            rows = Segments(folder, read_json(folder / "rows.json", fields={"columns": list})["columns"])

        def forget() -> str:
            with rows.lock():
                rows.forget_damaged()
            return f"forgotten, and made again when it is asked for: what is damaged in {folder}"

        with rows.held():
            wrong = rows.wrong(line[rows.row] for line in rows.lines().values() if line[rows.row] >= 0)
        if wrong or rows.damaged or rows.lost:
            words = f"{len(wrong) + rows.lost} rows, {rows.damaged} lines of its index"
            yield Fault(f"{folder} is damaged: {words}; they are made again when they are asked for", forget)
        yield from _asked(partial(read_json, folder / "rows.json", fields=ABOUT), forget)
        yield from _sealed(folder, mend)
    except Timeout:
        return
    except UserError as error:
        yield Fault(str(error), mend)


def _tickets(store: Store, runs: dict[Path, Run]) -> Iterator[Fault]:
    """A ticket that is lost, damaged or another's is found again by the runs that found it: they go aside with it."""
    finders: dict[Path, list[Path]] = {path: [] for path in sorted((store.root / "tickets").glob("*.npz"))}
    stages = dict.fromkeys(finders, 1)
    for folder, run in runs.items():
        if isinstance(run, TicketRun) and run.mode == "find" and has_mask(folder):
            path = chain_file(store, run)
            finders.setdefault(path, []).append(folder)
            stages[path] = max(stages.get(path, 1), run.stage + 1)
    for path, folders in finders.items():

        def aside(path: Path = path, folders: Sequence[Path] = folders) -> str:
            return "\n  ".join(set_aside(store, one)() for one in (path, *folders))

        yield from _asked(partial(read_chain, store, path, stages[path]), aside)


def _database(path: Path, mend: Callable[[], str]) -> Iterator[Fault]:
    try:
        plain.opened(path).close()  # SQLite would wait for a pipe
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as base:
            (found,) = base.execute("PRAGMA quick_check").fetchone()
    except (OSError, sqlite3.Error) as error:
        found = sums.in_words(error)
    if found == "ok" and not path.stat().st_size:
        found = "it is empty"
    if found != "ok":
        yield Fault(f"{path} is damaged ({found}): move it away, and the search begins anew", mend)

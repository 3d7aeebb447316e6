"""Files that nobody ever reads half of: written beside their place, on the disk, then renamed into it.

What a process writes beside its place carries its host and its number: `NAME.HOST-PID.part`. A killed one leaves that
behind, and `store.leftovers` knows by the name that nobody writes there any more.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
import socket
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import pandas as pd

# How a cell begins that spreadsheet programs take for a formula, which may call others.
FORMULA = re.compile(r"'*[=+\-@\t\r]")
FIRST = frozenset("'=+-@\t\r")
NUMBER = re.compile(r"[+-]?[\d.,]+(e[+-]?\d+)?%?", re.IGNORECASE)
HANDLES = ("keras-hub:", "hf://", "kaggle://")  # how the name of a network begins that is downloaded
EXPORTED = ("model.keras", "preprocessing.json")  # what tells a folder that `export` wrote
RECORD = "exported.json"  # in it: what it was made of and by which words, so that the same command knows it again
LEARNT = "learnt_from.json"  # in it, where that is known: the hashes of the pictures that the model has learnt from
TERMS = "LICENSE"  # the terms of a model that has its own, which whoever shares it adds


def is_preset(network: str) -> bool:
    """Whether a network is meant as a preset of keras-hub: its name with a handle in front, or a folder."""
    return network.startswith(HANDLES) or Path(network).expanduser().is_dir()


def is_export(folder: Path) -> bool:
    """Whether a folder is one that `export` wrote, or the like of it."""
    return all((folder / name).is_file() for name in EXPORTED)


def lacking(folder: Path) -> str:
    """What a folder that `export` wrote has lost of `EXPORTED`, in words; "" of a whole one, and of other folders."""
    absent = [name for name in EXPORTED if not (folder / name).is_file()]
    ours = any((folder / name).is_file() for name in (*EXPORTED, RECORD)) and not (folder / "config.json").exists()
    return " and ".join(absent) if ours else ""


def slug(text: str, most: int = 40) -> str:
    """Somebody's text as one part of a path: `type/genre` becomes `type_genre`, `../x` becomes `_._x`.

    Letters and digits of any script stay, composed, and `-`, `_` and `.` but not in front; all else becomes `_`. It is
    cut at a character, to at most `most` bytes of UTF-8, and never empty. Two texts may share one: what must be told
    apart has a digest behind it.
    """
    kept = "".join(
        letter if letter in "-_." or unicodedata.category(letter)[0] in "LMN" else "_"
        for letter in unicodedata.normalize("NFC", text)
    )
    kept = "_" + kept[1:] if kept[:1] == "." else kept
    return kept.encode()[:most].decode(errors="ignore") or "_"


def one_line(text: str, most: int = 60) -> str:
    """A name as it stands in a message: its white space single, without its middle where it is longer than `most`."""
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: most // 2]}…{words[1 - most // 2 :]}"


def distinct(texts: Iterable[str], name: Callable[[str], str] = slug) -> dict[str, str]:
    """Text -> a name of its own for each: `numbered`."""
    different = list(dict.fromkeys(texts))
    return dict(zip(different, numbered(map(name, different)), strict=True))


def numbered(names: Iterable[str]) -> list[str]:
    """The same names, no two of them alike: one that stands before, letters' case aside, gets a number: `A_2`."""
    found: list[str] = []
    taken: set[str] = set()
    last: dict[str, int] = {}  # the number that a name was given last: a table may have it a million times
    for name in names:
        own, number = name, last.get(name.casefold(), 1)
        while own.casefold() in taken:
            number += 1
            own = f"{name}_{number}"
        last[name.casefold()] = number
        taken.add(own.casefold())
        found.append(own)
    return found


def finite(value: Any) -> Any:
    """The same with null for NaN and infinities, which JSON does not have; within dicts, lists and tuples too."""
    if isinstance(value, dict):
        return {name: finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


ABANDONED_SECONDS = 7 * 24 * 3600.0  # after which nobody on another machine still writes a file
PART = re.compile(r"-\d+\.part(\.\w+)?$")


def beside(path: Path, suffix: str = "") -> Path:
    """Where this process writes what becomes `path`; another one, or another host on one disk, may write it too."""
    return path.with_name(f"{path.name}.{slug(socket.gethostname())}-{os.getpid()}.part{suffix}")


def is_abandoned(path: Path) -> bool:
    """Whether nobody writes what is half-written: no living process of this machine, or for a week none of another."""
    if here := re.search(rf"\.{re.escape(slug(socket.gethostname()))}-(\d+)\.part", path.name):
        return not alive(int(here[1]))
    try:
        return time.time() - path.stat().st_mtime > ABANDONED_SECONDS
    except OSError:
        return False


def alive(pid: int) -> bool:
    """Whether a process of this machine has a number."""
    if os.name != "posix":  # elsewhere this signal ends the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OverflowError, PermissionError):
        pass
    return True


def half_written(folder: Path) -> list[Path]:
    """The files and folders that some process has begun and not ended, or is at."""
    try:
        return [folder / name for name in sorted(os.listdir(folder)) if PART.search(name)]
    except OSError:
        return []


def parts_of(path: Path) -> list[Path]:
    """Those that are to come into the place of a file or folder."""
    return [part for part in half_written(path.parent) if part.name.startswith(f"{path.name}.")]


@contextmanager
def replacing(path: Path, suffix: str = "", *, durable: bool = True) -> Iterator[Path]:
    """Where a block writes what becomes `path` when it ends well, and goes when it does not; the folder is made.

    What killed processes have left of theirs goes, too, where the disk is waited for.

    Args:
        suffix: how the name of that place must end, for writers that go by it.
        durable: wait for the disk, so that a power cut leaves the old file or the new one; some milliseconds. Not for
            thousands of files, which wait together, in `store.sums.seal`.
    """
    folder_made(path.parent)
    part = beside(path, suffix)
    try:
        yield part
        if durable:
            wait_for_disk(part)
        os.replace(part, path)
        if durable:
            for left in parts_of(path):
                if is_abandoned(left) and left.is_file() and not left.is_symlink():
                    left.unlink(missing_ok=True)
            wait_for_disk(path.parent)
    finally:
        part.unlink(missing_ok=True)


def folder_made(folder: Path) -> None:
    """Makes a folder and those above it; each stands on the disk before something is put into it."""
    made = []
    while not folder.is_dir():
        made.append(folder)
        folder = folder.parent
    for one in reversed(made):
        one.mkdir(exist_ok=True)
        wait_for_disk(one.parent)


def wait_for_disk(path: Path) -> None:
    """Returns when a file's content, or a folder's list of names, is on the disk.

    Raises:
        OSError: the disk is full or failing.
    """
    is_folder = path.is_dir()
    if is_folder and os.name != "posix":
        return  # other systems open no folders
    handle = os.open(path, os.O_RDONLY if is_folder or os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError:
        if not is_folder:  # some network disks know no fsync of folders
            raise
    finally:
        os.close(handle)


def write(path: Path, text: str) -> None:
    """Writes a text file, UTF-8, line ends as they are on this system."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def csv_text(frame: pd.DataFrame) -> str:
    """A table as CSV that comes back to the letter, without its index; no cell is a formula, see `inert`.

    Cells are all quoted where one holds what a reader could take for another separator or for a line's end.
    """
    words = frame.rename(columns=inert)
    for i, kind in enumerate(frame.dtypes):
        if kind.kind not in "biufM":
            words.isetitem(i, frame.iloc[:, i].map(inert))
    text = words.to_csv(index=False, lineterminator="\n")
    if re.search(r"[;\t|\r]", text):
        return words.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_ALL)
    return text


def inert(cell: Any) -> Any:
    """A cell of a CSV; a text that would be a formula has an apostrophe in front, as spreadsheet programs mark text.

    `=1+1` becomes `'=1+1`, and `'=1+1` `''=1+1`: `meant` undoes it. Numbers stay, also where they are text: `-3`.
    """
    if not isinstance(cell, str) or cell[:1] not in FIRST:
        return cell
    return f"'{cell}" if FORMULA.match(cell) and not NUMBER.fullmatch(cell) else cell


def meant(cell: str) -> str:
    """What a cell was before `inert`."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def in_csv(header: Iterable[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A table of text; any cell may hold line ends, quotes and commas, and none is a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(map(inert, header))
    writer.writerows(map(inert, row) for row in rows)
    return text.getvalue().encode()


def write_bytes(path: Path, content: bytes) -> None:
    """Writes any other file."""
    with replacing(path) as part:
        part.write_bytes(content)


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Sequence[Any]]) -> None:
    """Writes a table of text, as `in_csv` has it."""
    write_bytes(path, in_csv(header, rows))


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Writes an `.npz` file, of arrays or of what NumPy takes for one: a variable of Keras is copied in its turn."""
    import numpy as np

    with replacing(path) as part, part.open("wb") as file:  # by its name, NumPy would put `.npz` behind it
        np.savez(file, **arrays)


def write_model(path: Path, model: keras.Model) -> None:
    """Writes a `.keras` file, with the optimizer's state where the model was compiled."""
    with replacing(path, ".keras") as part:
        model.save(part)

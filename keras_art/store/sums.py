"""Which files of a folder will not change any more, and their hashes: `SHA256SUMS`, as `sha256sum -c` reads it.

A folder that has one is sealed: what `store.reading` reads of it is compared. A folder without one, of an earlier
version or made by hand, is read as it is. Lines of a file that does change, a cache's, bear a sum each.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from keras_art.errors import UserError
from keras_art.store import locks, plain
from keras_art.store.leftovers import sweep
from keras_art.writing import PART, wait_for_disk, write_bytes

SUMS = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64})  ([^\n\0]+)")  # no file's name has a zero in it
MANY = 64  # files
SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE)  # what this process lacks; the file may be whole
REMEDY = "move its directory away, and the command that made it makes it anew"
OF_AN_EXPORT = "copy the folder again, or export its run again"


class Damaged(UserError):
    """A file of a store is not as it was written; the message names it and the remedy."""


def sums(folder: Path, remedy: str = REMEDY) -> dict[str, str]:
    """A file's path within a sealed folder -> its SHA-256 in hex; nothing of a folder that is not sealed.

    Raises:
        Damaged: the list itself can not be read.
    """
    try:
        text = plain.read(folder / SUMS).decode()
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise unreadable(folder / SUMS, error, remedy) from error
    lines = [LINE.fullmatch(line) for line in text.split("\n")[:-1]]
    if not lines or not text.endswith("\n") or not all(lines):
        raise Damaged(f"{folder / SUMS} is damaged, it is no list of hashes: {remedy}")
    return {line[2]: line[1] for line in lines if line}


def unreadable(path: Path, error: Exception, remedy: str) -> Damaged:
    """What is said of a file after an error, which is raised itself where it says nothing of the file."""
    if getattr(error, "errno", None) in SHORT:
        raise error
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Damaged(f"{path} is absent: {remedy}")
    return Damaged(f"{path} can not be read ({in_words(error)}): {remedy}")


def in_words(error: Exception) -> str:
    """An error without the path that the message names already."""
    return getattr(error, "strerror", None) or str(error)


def hash_of(path: Path, name: str = "sha256") -> str:
    """A file's SHA-256 in hex, or another hash that Python knows by that name."""
    with plain.opened(path) as file:
        return hashlib.file_digest(file, name).hexdigest()


def faults(folder: Path) -> dict[str, str]:
    """File -> what is wrong with it, in words, of those that the list of a sealed folder names.

    Raises:
        Damaged: the list itself can not be read.
    """
    found = {}
    for name, wanted in sums(folder).items():
        try:
            if hash_of(folder / name) != wanted:
                found[name] = f"{folder / name} is damaged, it is not as it was written"
        except FileNotFoundError:
            found[name] = f"{folder / name} is absent"
        except OSError as error:
            if error.errno in SHORT:
                raise
            found[name] = f"{folder / name} can not be read ({in_words(error)})"
    return found


def with_sum(line: bytes) -> bytes:
    """A line and, behind a tab, its CRC-32."""
    return b"%s\t%08x" % (line, zlib.crc32(line))


def without_sum(line: bytes) -> bytes | None:
    """What `with_sum` was given; None where the line is not as it was written."""
    text, _, crc32 = line.rpartition(b"\t")
    return text if crc32 == b"%08x" % zlib.crc32(text) else None


def files_of(folder: Path, besides: Iterable[str] = ()) -> list[Path]:
    """The files that a list of hashes names: all in a folder and below it that are whole.

    Args:
        besides: names of folders in it that are left out.
    """
    left_out = set(besides)
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not PART.search(path.name)
        and path.name != SUMS
        and not (path.name.startswith(f"{SUMS}.") and path.suffix == ".lock")
        and path.relative_to(folder).parts[0] not in left_out
    ]


def seal(folder: Path, more: Mapping[str, bytes] | None = None, besides: Iterable[str] = ()) -> None:
    """Writes the hashes of every file of a folder, and of those below it, once all of them are on the disk.

    Args:
        more: name -> content of files that are written afterwards.
        besides: as of `files_of`.
    """
    paths = files_of(folder, besides)
    if len(paths) > MANY:  # the disk takes them faster together
        os.sync()
    else:
        for path in [*paths, *{path.parent for path in paths}]:
            wait_for_disk(path)
    found = {path.relative_to(folder).as_posix(): hash_of(path) for path in paths}
    _write(folder, found | {name: hashlib.sha256(content).hexdigest() for name, content in (more or {}).items()})


def write_sealed(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Writes some files of a folder, the last one last, and their hashes; what is there already stays untouched.

    A kill in between leaves files that are whole, and not sealed.

    Raises:
        Damaged: the list of hashes can not be read.
    """
    with locks.lock(folder / f"{SUMS}.lock"):
        sweep(folder)
        known = sums(folder)
        new = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        if all(known.get(name) == found and _holds(folder / name, found) for name, found in new.items()):
            return
        others = {name: found for name, found in known.items() if name not in new}
        if others:
            _write(folder, others)
        else:
            (folder / SUMS).unlink(missing_ok=True)
        for name, content in contents.items():
            write_bytes(folder / name, content)
        _write(folder, others | new)


def _holds(path: Path, wanted: str) -> bool:
    try:
        return hash_of(path) == wanted
    except OSError:
        return False


def _write(folder: Path, found: Mapping[str, str]) -> None:
    write_bytes(folder / SUMS, "".join(f"{hash_}  {name}\n" for name, hash_ in sorted(found.items())).encode())

"""What files hold, by hash: read once, and again where the file system says that something may have changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from keras_art.pictures import places
from keras_art.pictures.images import no_file
from keras_art.pictures.places import Stamp
from keras_art.store.segments import Segments
from keras_art.store.sums import hash_of

COLUMNS = ["path", "size", "mtime_ns", "ctime_ns", "row", "crc32", "sha256"]
CHUNK = 4096  # files between two times that their hashes are written down
TOGETHER = 16  # that are read at once, where that is quicker than one by one


def stamps(paths: Iterable[str | Path]) -> list[tuple[Stamp, str]]:
    """What tells that each file is as it was, and why it can not be opened, "" where it can.

    Size, time of the content, and time of the last change of any kind, which nobody can set: one that replaces another
    of the same size and date differs in that. (-1, -1, -1) where nothing is known. A member of a shard is as it was
    where the shard is.

    Raises:
        UserError: a server does not answer.
    """
    return [(now, no_file(said) if said else "") for now, said in places.stamps(paths)]


def stamp(path: str | Path) -> tuple[Stamp, str]:
    """The same of one."""
    (found,) = stamps([path])
    return found


class Contents:
    """Hashes of files, kept in a folder.

    Args:
        directory: made when something is written; where that can not be, files are hashed every time.
    """

    def __init__(self, directory: Path) -> None:
        self._segments = Segments(directory, COLUMNS)

    def hashes(
        self, paths: Iterable[str], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> list[str]:
        """The SHA-256 of each file, 64 hex digits, "" where it can not be read.

        Args:
            paths: absolute, or addresses.
            progress: called with (hashed so far, to hash) where a file is new or may have changed.
        """
        asked, index = list(paths), self._segments.lines()
        found: dict[str, str] = {}
        new: list[tuple[str, Stamp]] = []
        unique = list(dict.fromkeys(asked))
        for path, (now, reason) in zip(unique, stamps(unique), strict=True):
            known = index.get(path)
            if known and known[1:4] == list(now):
                found[path] = known[-1]
            elif reason:
                found[path] = ""
            else:
                new.append((path, now))
        done = 0
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(new), CHUNK):
                chunk = new[start : start + CHUNK]
                parts = [chunk[at : at + TOGETHER] for at in range(0, len(chunk), TOGETHER)]
                for part, hashes in zip(parts, pool.map(_hashes, parts), strict=True):
                    found |= zip((path for path, _ in part), hashes, strict=True)
                    done += len(part)
                    progress(done, len(new))
                lines = [(path, *now, -1, 0, found[path]) for path, now in chunk if found[path]]
                with suppress(OSError), self._segments.lock(), self._segments.writing(1) as writer:
                    writer.append([], lines)
        return [found[path] for path in asked]


def _hashes(files: Sequence[tuple[str, Stamp]]) -> list[str]:
    """Of files that can be opened."""
    paths = [path for path, _ in files]
    if all(map(places.is_file, paths)):
        return list(map(_sha256_of, paths))
    return [
        "" if isinstance(content, OSError) else hashlib.sha256(content).hexdigest()
        for content in places.read_all(paths)
    ]


def sha256_of(path: str | Path) -> str:
    """64 hex digits, "" where there is no file that can be read.

    Raises:
        UserError: a server does not answer.
    """
    now, reason = stamp(path)
    return "" if reason else _hashes([(places.whole(path), now)])[0]


def _sha256_of(path: str) -> str:
    try:
        return hash_of(Path(path))
    except OSError:
        return ""

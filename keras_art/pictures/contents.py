"""What files hold, by hash: read once, and again where the file system says that something may have changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from keras_art.pictures.images import no_file
from keras_art.store.segments import Segments

COLUMNS = ["path", "size", "mtime_ns", "ctime_ns", "row", "crc32", "sha256"]
CHUNK = 4096  # files between two times that their hashes are written down
Stamp = tuple[int, int, int]


def stamp(path: str) -> tuple[Stamp, str]:
    """What tells that a file is as it was, and why it can not be opened, "" where it can.

    Size, time of the content, and time of the last change of any kind, which nobody can set: one that replaces another
    of the same size and date differs in that. (-1, -1, -1) where nothing is known.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        return (-1, -1, -1), no_file(error)
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns), no_file(status)


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
            paths: absolute.
            progress: called with (hashed so far, to hash) where a file is new or may have changed.
        """
        asked, index = list(paths), self._segments.lines()
        found: dict[str, str] = {}
        new: list[tuple[str, Stamp]] = []
        for path in dict.fromkeys(asked):
            now, reason = stamp(path)
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
                for (path, _), sha256 in zip(chunk, pool.map(sha256_of, [path for path, _ in chunk]), strict=True):
                    found[path] = sha256
                    done += 1
                    progress(done, len(new))
                lines = [(path, *now, -1, 0, found[path]) for path, now in chunk if found[path]]
                with suppress(OSError), self._segments.lock(), self._segments.writing(1) as writer:
                    writer.append([], lines)
        return [found[path] for path in asked]


def sha256_of(path: str) -> str:
    """64 hex digits, "" where there is no file that can be read."""
    if stamp(path)[1]:
        return ""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""

"""Every picture of a collection decoded once, on all cores, and kept as uint8.

`ImageStore.scan` appends to one raw file of (rows, image_size, image_size, 3) uint8 RGB; a later scan opens only the
files that are new or have changed. What cannot be decoded gets a reason in words and never stops a scan.

Workers decode, but the process that scans writes alone and in the order of the paths: the bytes are the same for any
number of workers, and a worker that outlives a killed scan does no harm.
"""

from __future__ import annotations

import csv
import dataclasses
import errno
import io
import json
import os
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_art.pictures.images import RESIZE, in_words
from keras_art.pictures.workers import decode_chunks
from keras_art.writing import write, write_bytes

if TYPE_CHECKING:
    import pandas

VERSION = 1  # of the store's files
CHUNK = 16  # pictures decoded and written at a time
MOST_WORKERS = 32  # one process writes for all of them
FLUSH_SECONDS = 5.0  # a killed scan loses this much work
# A rough cost of decoding, for a file and for each of its bytes; a worker process needs a tenth of a second to start.
PICTURE_SECONDS, BYTE_SECONDS, WORTH_WORKERS_SECONDS = 1e-4, 1.5e-8, 0.3


@dataclasses.dataclass(slots=True)
class _Entry:
    """A line of the index."""

    path: str  # absolute
    size: int  # bytes
    mtime_ns: int
    row: int = -1
    width: int = 0
    height: int = 0
    orientation: int = 1
    sha256: str = ""
    mode: str = ""
    format: str = ""
    reason: str = ""


COLUMNS = [field.name for field in dataclasses.fields(_Entry)]
TOLD = ["row", "sha256", "width", "height", "mode", "format", "orientation", "reason"]  # of a path by a scan


class ImageStore:
    """Pictures decoded once, kept as uint8 in a folder.

    `pixels.u8` grows by whole pictures; `index.csv` says which file, of what size and time, is which row, and why a
    file has none. The index is renamed into place after the pixels it speaks of are on disk, so a killed scan is
    continued by the next one, which drops whatever lies behind the last indexed row.

    Args:
        directory: the store's folder, made where it does not exist.
        image_size: side of the stored squares, in pixels.
        resize: a name in `images.RESIZE`.

    Raises:
        ValueError: `resize` is no rule, `image_size` no size, or the folder holds a store with other settings.
    """

    def __init__(self, directory: Path, image_size: int, resize: str = "squash") -> None:
        if resize not in RESIZE or image_size < 1:
            raise ValueError(f"resize is one of {', '.join(RESIZE)} and image_size at least 1: {resize}, {image_size}")
        self.directory, self.image_size, self.resize = Path(directory), image_size, resize
        self._shape = (image_size, image_size, 3)
        self._bytes = image_size * image_size * 3  # of one picture
        self._pixels = self.directory / "pixels.u8"
        self.directory.mkdir(parents=True, exist_ok=True)
        settings = {"version": VERSION, "image_size": image_size, "resize": resize}
        about = self.directory / "store.json"
        if not about.exists():
            write(about, json.dumps(settings))
        if (stored := json.loads(about.read_text())) != settings:
            raise ValueError(
                f"{self.directory} holds pictures stored as {stored}, asked for were {settings}: "
                "delete the folder to decode them again, or name another"
            )

    def scan(
        self,
        paths: Sequence[str | Path],
        progress: Callable[[int, int], None] | None = None,
        workers: int | None = None,
    ) -> pandas.DataFrame:
        """Decodes what is new or changed among `paths` and says what is known of each.

        Args:
            paths: image files, in any order, repeats allowed.
            progress: called with (decoded so far, to decode) as the scan goes on.
            workers: processes to decode with; 1 decodes in this one, None decides by the work there is.

        Returns:
            A row for each of `paths`, in their order: `path` as given, `row` in `pixels()` (-1: unreadable), `sha256`,
            `width`, `height`, `mode`, `format`, `orientation`, and `reason` ("" where there is a row).

        Raises:
            OSError: the disk is full, or the store cannot be written.
        """
        import pandas as pd
        from filelock import FileLock

        with FileLock(self.directory / "lock"):
            index = self._read_index()
            absolute = [os.path.abspath(path) for path in paths]
            entries: dict[str, _Entry] = {}
            new = []
            for path in dict.fromkeys(absolute):
                entry, known = _look(path), index.get(path)
                if known and known.size == entry.size and known.mtime_ns == entry.mtime_ns:
                    entry = known
                elif not entry.reason:
                    new.append(entry)
                entries[path] = entry
            if new:
                seconds = sum(PICTURE_SECONDS + BYTE_SECONDS * entry.size for entry in new)
                if workers is None:
                    workers = 1 if seconds < WORTH_WORKERS_SECONDS else min(os.cpu_count() or 1, MOST_WORKERS)
                self._store(new, index, progress or (lambda done, total: None), workers)
        told = attrgetter(*TOLD)
        table = pd.DataFrame([told(entries[path]) for path in absolute], columns=TOLD)
        table.insert(0, "path", [str(path) for path in paths])
        return table

    def pixels(self) -> np.ndarray:
        """Every stored picture, (rows, image_size, image_size, 3) uint8 RGB: a read-only map of the file."""
        rows = _rows(self._read_index())
        if rows == 0:  # an empty file cannot be mapped
            return np.zeros((0, *self._shape), np.uint8)
        return np.memmap(self._pixels, np.uint8, "r", shape=(rows, *self._shape))

    def _read_index(self) -> dict[str, _Entry]:
        path = self.directory / "index.csv"
        if not path.exists():
            return {}
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
            lines = csv.reader(file)
            next(lines)
            index = {line[0]: _entry(line) for line in lines}
        if self._pixels.stat().st_size < _rows(index) * self._bytes:
            raise ValueError(f"{self._pixels} is shorter than its index says: delete {self.directory} to decode anew")
        return index

    def _write_index(self, index: dict[str, _Entry]) -> None:
        with open(self._pixels, "rb") as file:
            os.fsync(file.fileno())
        text = io.StringIO(newline="")
        csv.writer(text).writerows([COLUMNS, *map(attrgetter(*COLUMNS), index.values())])
        write_bytes(self.directory / "index.csv", text.getvalue().encode("utf-8", "surrogateescape"))

    def _store(
        self,
        new: list[_Entry],
        index: dict[str, _Entry],
        progress: Callable[[int, int], None],
        workers: int,
    ) -> None:
        """Decodes `new`, appends the pixels, fills in the entries and adds them to `index`."""
        row_of = {entry.sha256: entry.row for entry in index.values() if entry.row >= 0}
        rows, done, flushed = _rows(index), 0, time.monotonic()
        chunks = [new[start : start + CHUNK] for start in range(0, len(new), CHUNK)]
        paths = [[entry.path for entry in chunk] for chunk in chunks]
        try:
            with (
                open(self._pixels, "ab", buffering=0) as file,
                closing(decode_chunks(paths, self.image_size, self.resize, workers)) as decoded,
            ):
                try:
                    file.truncate(rows * self._bytes)
                    for chunk, answers in zip(chunks, decoded, strict=True):
                        fresh: list[bytes | memoryview] = []
                        for entry, (facts, pixels) in zip(chunk, answers, strict=True):
                            for name, value in facts.items():
                                setattr(entry, name, value)
                            if not entry.reason:
                                entry.row = row_of.setdefault(entry.sha256, rows + len(fresh))
                                if entry.row == rows + len(fresh):
                                    fresh.append(pixels)
                        for picture in fresh:
                            _append(file, picture)
                        rows += len(fresh)
                        for entry in chunk:
                            if entry.sha256:  # its bytes were read, so this holds until the file changes
                                index[entry.path] = entry
                            done += 1
                            progress(done, len(new))
                        if time.monotonic() - flushed > FLUSH_SECONDS:
                            self._write_index(index)
                            flushed = time.monotonic()
                finally:
                    file.truncate(rows * self._bytes)
                    self._write_index(index)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise OSError(
                errno.ENOSPC,
                f"the disk is full: the {len(new) - done:,} pictures still to store need "
                f"{(len(new) - done) * self._bytes:,} bytes in {self.directory}; those already stored are kept",
            ) from error


def _append(file: io.FileIO, pixels: bytes | memoryview) -> None:
    left = memoryview(pixels)
    while left:  # a nearly full disk takes a part before it refuses
        left = left[file.write(left) :]


def _look(path: str) -> _Entry:
    """An entry of what the file system says, with a reason where there is no file to open."""
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        return _Entry(path, -1, -1, reason=in_words(error))
    entry = _Entry(path, status.st_size, status.st_mtime_ns)
    if not stat.S_ISREG(status.st_mode):
        entry.reason = "a folder, not a file" if stat.S_ISDIR(status.st_mode) else "not a file"
    return entry


def _entry(line: list[str]) -> _Entry:
    size, mtime_ns, row, width, height, orientation = map(int, line[1:7])
    return _Entry(line[0], size, mtime_ns, row, width, height, orientation, *line[7:])


def _rows(index: dict[str, _Entry]) -> int:
    return 1 + max((entry.row for entry in index.values()), default=-1)

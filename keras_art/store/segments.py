"""Rows of one size in a file that only grows, and an index of them in segments: nothing is decoded or computed twice.

    rows.bin                  the rows, end to end
    rows.json                 how many bytes a row has, and the columns of the index
    000003-HOST-PID.index     lines of the index, appended by one process
    lock                      held by the process that writes

A line is a JSON array, written after the row it speaks of: a process that is killed loses at most the chunk it was at.
Later lines of a key overrule earlier ones, those of later segments too. Who begins to write merges the segments there
are into one, by rename, where they are many. A line that was not written to its end, or whose row is not there because
the file was cut short, is passed over, and what it spoke of is made again.
"""

from __future__ import annotations

import io
import json
import os
import platform
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from keras_art.store.runs import StoreError
from keras_art.writing import slug, write, write_bytes

FORMAT = 1
MANY = 16  # segments
FLUSH_SECONDS = 5.0  # a machine that fails loses this much work
Line = list[Any]


class Segments:
    """A folder of rows and their index.

    Args:
        folder: made when something is written.
        columns: of the index: the key of a line first, `row` (-1 where there is none) and `crc32` among the others.
    """

    def __init__(self, folder: Path, columns: Sequence[str]) -> None:
        self.folder, self.columns = Path(folder), list(columns)
        self.data = self.folder / "rows.bin"
        self._about = self.folder / "rows.json"
        self._row, self._crc32 = self.columns.index("row"), self.columns.index("crc32")
        self._known: tuple[list[tuple[str, int]], int, dict[Any, Line]] = ([], 0, {})
        self._lost = False  # whether lines were passed over because their rows are not there

    @property
    def row_bytes(self) -> int:
        """How many bytes a row has; 0 where nothing is written yet.

        Raises:
            StoreError: another version wrote the folder.
        """
        if not self._about.exists():
            return 0
        about = json.loads(self._about.read_text())
        if (about.get("format"), about.get("columns")) != (FORMAT, self.columns):
            raise StoreError(f"{self.folder} was written by another version: delete it, and it is made again")
        return int(about["row_bytes"])

    def __len__(self) -> int:
        """The whole rows of the file, whether the index speaks of them or not."""
        size = self.row_bytes
        return self.data.stat().st_size // size if size and self.data.exists() else 0

    def lines(self) -> dict[Any, Line]:
        """Key -> its line; what has been read is read again only where something was written since."""
        while True:
            try:
                paths, count = self._paths(), len(self)
                stamp = [(path.name, path.stat().st_size) for path in paths]
                if (stamp, count) != self._known[:2]:
                    every = {line[0]: line for path in paths for line in _read(path, len(self.columns))}
                    there = {key: line for key, line in every.items() if line[self._row] < count}
                    self._known, self._lost = (stamp, count, there), len(there) < len(every)
                return self._known[2]
            except FileNotFoundError:  # another process has merged them in between
                continue

    def mapped(self, dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
        """Every row, (rows, *shape): a read-only map of the file."""
        if not (count := len(self)):  # an empty file can not be mapped
            return np.zeros((0, *shape), dtype)
        return np.memmap(self.data, dtype, "r", shape=(count, *shape))

    def wrong(self, rows: Iterable[int]) -> list[int]:
        """Which of some rows are not as they were written, by their checksums; ascending."""
        known = {line[self._row]: line[self._crc32] for line in self.lines().values()}
        size, found = self.row_bytes, []
        with self.data.open("rb") if size else io.BytesIO() as file:
            for row in sorted(set(rows)):
                file.seek(row * size)
                if zlib.crc32(file.read(size)) != known.get(row):
                    found.append(row)
        return found

    def lock(self) -> Any:
        """A context manager; the operating system releases it when its process dies."""
        from filelock import FileLock

        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "lock")

    @contextmanager
    def writing(self, row_bytes: int) -> Iterator[Writer]:
        """Where the process that holds the lock appends rows.

        Raises:
            StoreError: rows of another size stand there.
        """
        if not self.row_bytes:
            about = {"format": FORMAT, "row_bytes": row_bytes, "columns": self.columns}
            write(self._about, json.dumps(about))
        if self.row_bytes != row_bytes:
            raise StoreError(
                f"{self.folder} holds rows of {self.row_bytes} bytes, not {row_bytes}: delete it, and it is made again"
            )
        lines, paths = self.lines(), self._paths()
        number = 1 + max((int(path.name[:6]) for path in paths), default=0)
        if self._lost or len(paths) >= MANY:  # a lost row's number will be another's
            write_bytes(self._segment(number), _text(lines.values()))
            for path in paths:
                path.unlink()
            number += 1
        rows = 1 + max((line[self._row] for line in lines.values()), default=-1)
        writer = Writer(self.data, self._segment(number), rows, row_bytes)
        try:
            yield writer
        finally:
            writer.close()

    def _segment(self, number: int) -> Path:
        return self.folder / f"{number:06d}-{slug(platform.node())}-{os.getpid()}.index"

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.index"))


class Writer:
    """Appends rows, and lines about them to a segment of its own.

    Attributes:
        rows: how many there are; the number that the next one gets.
    """

    def __init__(self, data: Path, segment: Path, rows: int, row_bytes: int) -> None:
        self.rows, self._row_bytes, self._segment = rows, row_bytes, segment
        self._data = data.open("ab", buffering=0)
        self._data.truncate(rows * row_bytes)  # what a killed process wrote without saying so
        self._index: IO[bytes] | None = None
        self._flushed = time.monotonic()

    def append(self, rows: Iterable[bytes | memoryview], lines: Iterable[Sequence[Any]]) -> None:
        """Writes new rows, then the lines that speak of them."""
        for row in rows:
            append(self._data, row)
            self.rows += 1
        if self._index is None:
            self._index = self._segment.open("ab", buffering=0)
        append(self._index, _text(lines))
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._flush()

    def close(self) -> None:
        """Drops what is not a whole row, and waits for the disk."""
        self._data.truncate(self.rows * self._row_bytes)
        self._flush()
        self._data.close()
        if self._index is not None:
            self._index.close()

    def _flush(self) -> None:
        os.fsync(self._data.fileno())
        if self._index is not None:
            os.fsync(self._index.fileno())
        self._flushed = time.monotonic()


def append(file: IO[bytes], content: bytes | memoryview) -> None:
    """Writes all of it to a file without a buffer."""
    left = memoryview(content)
    while left:  # a nearly full disk takes a part before it refuses
        left = left[file.write(left) :]


def _text(lines: Iterable[Sequence[Any]]) -> bytes:
    return "".join(f"{json.dumps(list(line))}\n" for line in lines).encode("ascii")


def _read(path: Path, width: int) -> list[Line]:
    """The lines of a segment that were written to their end."""
    whole = path.read_bytes().split(b"\n")[:-1]
    try:
        return json.loads(b"[%s]" % b",".join(whole))
    except ValueError:
        lines = [_line(text) for text in whole]
        return [line for line in lines if len(line) == width]


def _line(text: bytes) -> Line:
    try:
        line = json.loads(text)
    except ValueError:
        return []
    return line if isinstance(line, list) else []

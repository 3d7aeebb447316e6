"""Rows of one size in a file that only grows, and an index of them in segments: nothing is decoded or computed twice.

    rows.bin                  the rows, end to end
    rows.json                 how many bytes a row has, and the columns of the index
    000003-HOST-PID.index     lines of the index, appended by one process
    lock                      held by the process that writes

A line is a JSON array and, behind it, the array's CRC-32, written after the row it speaks of: a process that is killed
loses at most the chunk it was at. Later lines of a key overrule earlier ones, those of later segments too. Who begins
to write merges the segments there are into one, by rename, where they are many. A line that is not as it was written,
or whose row is not there because the file was cut short, is passed over, and what it spoke of is made again; so is all
of it where `rows.json` is damaged and nobody knows how many bytes a row has.
"""

from __future__ import annotations

import errno
import io
import json
import os
import platform
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from keras_art.store import locks, plain
from keras_art.store.reading import is_there, read_json, uncollected
from keras_art.store.runs import StoreError
from keras_art.store.sums import Damaged, with_sum, without_sum
from keras_art.writing import slug, wait_for_disk, write, write_bytes

FORMAT = 2
MANY = 16  # segments
FLUSH_SECONDS = 5.0  # a machine that fails loses this much work
Line = list[Any]
ABOUT = {"format": int, "columns": list, "row_bytes": int}


class Segments:
    """A folder of rows and their index.

    Args:
        folder: made when something is written.
        columns: of the index: the key of a line first, `row` (-1 where there is none) and `crc32` among the others.
        row_bytes: of a row, where that is known beforehand.
    """

    def __init__(self, folder: Path, columns: Sequence[str], row_bytes: int = 0) -> None:
        self.folder, self.columns, self._given = Path(folder), list(columns), row_bytes
        self.data = self.folder / "rows.bin"
        self._about = self.folder / "rows.json"
        self.row, self._crc32 = self.columns.index("row"), self.columns.index("crc32")
        self.damaged = 0  # lines that are not as they were written, as far as they have been read
        self._known: tuple[list[tuple[str, int]], int, dict[Any, Line]] = ([], 0, {})
        self.lost = 0  # lines whose rows are not there

    @property
    def row_bytes(self) -> int:
        """How many bytes a row has; 0 where nothing is written yet, or nobody knows.

        Raises:
            StoreError: another version wrote the folder.
        """
        try:
            about = read_json(self._about, fields=ABOUT)
        except Damaged:  # or not there yet
            return self._given if is_there(self.data) else 0
        if (about["format"], about["columns"]) != (FORMAT, self.columns):
            raise StoreError(f"{self.folder} was written by another version: delete it, and it is made again")
        return about["row_bytes"]

    def __len__(self) -> int:
        """The whole rows of the file, whether the index speaks of them or not."""
        size = self.row_bytes
        if not size or not is_there(self.data):
            return 0
        if not self.data.is_file():
            raise Damaged(f"{self.data} is no file: delete {self.folder}, and it is made again")
        return self.data.stat().st_size // size

    def lines(self) -> dict[Any, Line]:
        """Key -> its line; what has been read is read again only where something was written since.

        Raises:
            Damaged: a segment can not be read; what would be written then would go over its rows.
        """
        while True:
            try:
                paths, count = self._paths(), len(self)
                stamp = [(path.name, path.stat().st_size) for path in paths]
                if (stamp, count) != self._known[:2]:
                    read = [_read(path) for path in paths]
                    self.damaged = sum(damaged for _, damaged in read)
                    every = {line[0]: line for lines, _ in read for line in lines}
                    there = {key: line for key, line in every.items() if line[self.row] < count}
                    self._known, self.lost = (stamp, count, there), len(every) - len(there)
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
        known = {line[self.row]: line[self._crc32] for line in self.lines().values()}
        size, found = self.row_bytes, []
        with self.data.open("rb") if len(self) else io.BytesIO() as file:
            for row in sorted(set(rows)):
                file.seek(row * size)
                if zlib.crc32(file.read(size)) != known.get(row):
                    found.append(row)
        return found

    def forget_damaged(self) -> None:
        """Lines that are damaged, or whose rows are, go; whoever calls holds the lock."""
        self._describe(self.row_bytes)
        lines = self.lines()
        wrong = set(self.wrong(line[self.row] for line in lines.values() if line[self.row] >= 0))
        self._merge({key: line for key, line in lines.items() if line[self.row] not in wrong})

    def lock(self, *, wait: bool = True) -> Any:
        """A context manager, as of `locks.lock`.

        With `wait=False` it raises `filelock.Timeout` when another process holds it.
        """
        return locks.lock(self.folder / "lock", wait=wait)

    @contextmanager
    def held(self) -> Iterator[None]:
        """While nobody writes; who may not write there looks without the lock, which is a file.

        Raises:
            filelock.Timeout: another process holds it.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self.lock(wait=False))
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                    raise
            yield

    @contextmanager
    def writing(self, row_bytes: int) -> Iterator[Writer]:
        """Where the process that holds the lock appends rows.

        Raises:
            StoreError: rows of another size stand there.
        """
        self._describe(row_bytes)
        if self.row_bytes != row_bytes:
            raise StoreError(
                f"{self.folder} holds rows of {self.row_bytes} bytes, not {row_bytes}: delete it, and it is made again"
            )
        lines = self.lines()
        if self.lost or len(self._paths()) >= MANY:  # a lost row's number will be another's
            self._merge(lines)
        rows = 1 + max((line[self.row] for line in lines.values()), default=-1)
        writer = Writer(self.data, self._next(), rows, row_bytes)
        try:
            yield writer
        finally:
            writer.close()

    def _describe(self, row_bytes: int) -> None:
        """Writes `rows.json` where it is not there, or damaged."""
        try:
            read_json(self._about, fields=ABOUT)
        except Damaged:
            if self._about.is_dir():
                self._about.rmdir()
            write(self._about, json.dumps({"format": FORMAT, "row_bytes": row_bytes, "columns": self.columns}))

    def _merge(self, lines: Mapping[Any, Line]) -> None:
        """One segment in the place of all."""
        before = self._paths()
        write_bytes(self._next(), _text(lines.values()))
        for path in before:
            path.unlink()

    def _next(self) -> Path:
        """A new segment of this process, behind the others."""
        number = 1 + max((int(path.name[:6]) for path in self._paths()), default=0)
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
            wait_for_disk(self._segment.parent)

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
    return b"".join(with_sum(json.dumps(list(line)).encode("ascii")) + b"\n" for line in lines)


def _read(path: Path) -> tuple[list[Line], int]:
    """The lines of a segment that are as they were written, and how many are not."""
    try:
        whole = plain.read(path).splitlines()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Damaged(
            f"{path} can not be read ({error.strerror}): make it readable, or delete {path.parent}, which is made again"
        ) from error
    sound = [text for line in whole if (text := without_sum(line)) is not None]
    with uncollected():
        return json.loads(b"[%s]" % b",".join(sound)), len(whole) - len(sound)

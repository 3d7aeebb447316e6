"""Every picture of a collection decoded once, on all cores, and kept as uint8.

`ImageStore.scan` appends to one raw file of (rows, image_size, image_size, 3) uint8 RGB; a later scan opens only the
files that are new or have changed. What cannot be decoded gets a reason in words and never stops a scan. A picture is
known by its file's path, size and times while the file is there, and by its content's hash ever after.

Workers decode, but the process that scans writes alone and in the order of the paths: the bytes are the same for any
number of workers, and a worker that outlives a killed scan does no harm.
"""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Callable, Container, Sequence
from contextlib import closing
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_art.pictures import members
from keras_art.pictures.contents import Contents, sha256_of, stamps
from keras_art.pictures.images import DECODER, RESIZE
from keras_art.pictures.places import whole
from keras_art.pictures.srgb import COLOUR
from keras_art.pictures.workers import decode_chunks
from keras_art.store.runs import Store, StoreError
from keras_art.store.segments import Segments, Writer

if TYPE_CHECKING:
    import pandas

CHUNK = 16  # pictures decoded and written at a time
MOST_WORKERS = 32  # one process writes for all of them
# A rough cost of decoding, for a file and for each of its bytes; a worker process needs a tenth of a second to start.
PICTURE_SECONDS, BYTE_SECONDS, WORTH_WORKERS_SECONDS = 1e-4, 1.5e-8, 0.3


@dataclasses.dataclass(slots=True)
class _Entry:
    """A line of the index."""

    path: str  # absolute, or an address
    size: int  # bytes
    mtime_ns: int
    ctime_ns: int
    row: int = -1
    crc32: int = 0  # of the row
    sha256: str = ""  # of the file
    alike: int = 0  # what `lookalikes` compares
    decoder: int = DECODER
    colour: str = COLOUR
    resize: str = ""
    width: int = 0
    height: int = 0
    orientation: int = 1
    mode: str = ""
    format: str = ""
    note: str = ""
    reason: str = ""


COLUMNS = [field.name for field in dataclasses.fields(_Entry)]
ROW, SHA256, STAMP = COLUMNS.index("row"), COLUMNS.index("sha256"), slice(1, 4)
RULES = slice(COLUMNS.index("decoder"), COLUMNS.index("resize") + 1)
_line = attrgetter(*COLUMNS)
# What a scan tells of a path.
TOLD = ["row", "sha256", "width", "height", "mode", "format", "orientation", "alike", "note", "reason"]


class ImageStore:
    """Pictures decoded once, kept as uint8 in a folder of `Segments`.

    Args:
        directory: the store's folder, made when something is written.
        image_size: side of the stored squares, in pixels.
        resize: a name in `images.RESIZE`.

    Raises:
        ValueError: `resize` is no rule, or `image_size` no size.
        StoreError: the folder holds pictures of another size, or another version wrote it.
    """

    def __init__(self, directory: Path, image_size: int, resize: str = "squash") -> None:
        if resize not in RESIZE or image_size < 1:
            raise ValueError(f"resize is one of {', '.join(RESIZE)} and image_size at least 1: {resize}, {image_size}")
        self.directory, self.image_size, self.resize = Path(directory), image_size, resize
        self._shape = (image_size, image_size, 3)
        self._bytes = image_size * image_size * 3  # of one picture
        self._segments = Segments(self.directory, COLUMNS, self._bytes)
        if self._segments.row_bytes not in (0, self._bytes):
            raise StoreError(f"{self.directory} holds pictures of another size: delete it, or name another folder")

    def scan(
        self,
        paths: Sequence[str | Path],
        progress: Callable[[int, int], None] | None = None,
        workers: int | None = None,
        wrong: Container[int] = (),
    ) -> pandas.DataFrame:
        """Decodes what is new or changed among `paths` and says what is known of each.

        Args:
            paths: image files, members of shards and addresses (`places`), in any order, repeats allowed.
            progress: called with (decoded so far, to decode) as the scan goes on.
            workers: processes to decode with; 1 decodes in this one, None decides by the work there is.
            wrong: rows that are to be decoded again, as `wrong` finds them.

        Returns:
            A row for each of `paths`, in their order: `path` as given, `row` in `pixels()` (-1: unreadable), `sha256`,
            `width`, `height`, `mode`, `format`, `orientation`, `alike` (the look-alike hash, uint64), `note` (of how it
            was read, for people), and `reason` ("" where there is a row).

        Raises:
            OSError: the disk is full, or the store cannot be written.
            UserError: a server does not answer.
        """
        absolute = list(map(whole, paths))
        if (lines := self._all_known(absolute, wrong)) is not None:  # in a store that may not be written, too
            return _told(paths, lines)
        with self._segments.lock():
            index = self._index()
            entries = {}
            new, touched = [], []
            unique = list(dict.fromkeys(absolute))
            for path, (now, reason) in zip(unique, stamps(unique), strict=True):
                known = index.get(path)
                if known and (known.size, known.mtime_ns) == now[:2] and known.row not in wrong:
                    # A hard link or other rights move the third time, too: hashing tells, for less than decoding.
                    if known.ctime_ns != now[2] and sha256_of(path) == known.sha256:
                        known.ctime_ns = now[2]
                        touched.append(known)
                    if known.ctime_ns == now[2]:
                        entries[path] = known
                        continue
                entries[path] = entry = _Entry(path, *now, resize=self.resize, reason=reason)
                if not reason:
                    new.append(entry)
            if touched:
                with self._segments.writing(self._bytes) as writer:
                    writer.append([], map(_line, touched))
            if new:
                seconds = sum(PICTURE_SECONDS + BYTE_SECONDS * entry.size for entry in new)
                if workers is None:
                    workers = 1 if seconds < WORTH_WORKERS_SECONDS else min(os.cpu_count() or 1, MOST_WORKERS)
                sound = [entry for entry in index.values() if entry.row >= 0 and entry.row not in wrong]
                rows = {entry.sha256: entry for entry in sound}
                with self._segments.writing(self._bytes) as writer:
                    self._store(writer, new, rows, progress or (lambda done, total: None), workers)
                    # Copies of a picture that was wrong, too, have their row where it is now.
                    stale = [entry for entry in index.values() if entry.row in wrong and entry.sha256 in rows]
                    for entry in stale:
                        entry.row, entry.crc32 = rows[entry.sha256].row, rows[entry.sha256].crc32
                    renewed = {entry.path for entry in new}
                    writer.append([], [_line(entry) for entry in stale if entry.path not in renewed])
        return _told(paths, [_line(entries[path]) for path in absolute])

    def _all_known(self, absolute: Sequence[str], wrong: Container[int]) -> list[Sequence[Any]] | None:
        """The line of each path, where nothing is new or changed; else None."""
        index, rules = self._segments.lines(), self._rules()
        found: dict[str, Sequence[Any]] = {}
        unique = list(dict.fromkeys(absolute))
        for path, (now, reason) in zip(unique, stamps(unique), strict=True):
            known = index.get(path)
            if reason:
                known = list(_line(_Entry(path, *now, resize=self.resize, reason=reason)))
            elif not known or known[RULES] != rules or known[ROW] in wrong or known[STAMP] != list(now):
                return None
            found[path] = known
        return [found[path] for path in absolute]

    def find(self, sha256: Sequence[str]) -> np.ndarray:
        """The rows of pictures by their files' content, whether the files are still there or not; -1 for unknown."""
        rules = self._rules()
        rows = {line[SHA256]: line[ROW] for line in self._segments.lines().values() if line[RULES] == rules}
        return np.array([rows.get(content, -1) for content in sha256], np.int64)

    def sizes(self, sha256: Sequence[str]) -> np.ndarray:
        """Width and height of pictures, upright, as their files have them, by content: (n, 2); 0 for unknown."""
        sizes = {entry.sha256: (entry.width, entry.height) for entry in self._index().values()}
        return np.array([sizes.get(content, (0, 0)) for content in sha256], np.int64)

    def wrong(self, rows: np.ndarray) -> list[int]:
        """Which of some rows are no longer what was decoded, by their checksums."""
        return self._segments.wrong(rows[rows >= 0].tolist())

    def pixels(self) -> np.ndarray:
        """Every stored picture, (rows, image_size, image_size, 3) uint8 RGB: a read-only map of the file."""
        return self._segments.mapped(np.uint8, self._shape)

    def _index(self) -> dict[str, _Entry]:
        """Path -> what is known of it, where it was decoded by the rules that hold now."""
        rules = self._rules()
        return {path: _Entry(*line) for path, line in self._segments.lines().items() if line[RULES] == rules}

    def _rules(self) -> list[Any]:
        return [DECODER, COLOUR, self.resize]

    def _store(
        self,
        writer: Writer,
        new: list[_Entry],
        rows: dict[str, _Entry],
        progress: Callable[[int, int], None],
        workers: int,
    ) -> None:
        """Decodes `new`, appends pixels and entries, and adds them to `rows`, content hash -> an entry."""
        done = 0
        chunks = [new[start : start + CHUNK] for start in range(0, len(new), CHUNK)]
        paths = [[entry.path for entry in chunk] for chunk in chunks]
        try:
            with closing(decode_chunks(paths, self.image_size, self.resize, workers)) as decoded:
                for chunk, answers in zip(chunks, decoded, strict=True):
                    fresh: list[bytes | memoryview] = []
                    for entry, (facts, pixels) in zip(chunk, answers, strict=True):
                        for name, value in facts.items():
                            setattr(entry, name, value)
                        if not entry.reason:
                            first = rows.setdefault(entry.sha256, entry)
                            if first is entry:
                                entry.row = writer.rows + len(fresh)
                                fresh.append(pixels)
                            entry.row = first.row
                    # An entry without a hash could not be read, and may be the next time.
                    writer.append(fresh, [_line(entry) for entry in chunk if entry.sha256])
                    for _ in chunk:
                        done += 1
                        progress(done, len(new))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise OSError(
                errno.ENOSPC,
                f"the disk is full: the {len(new) - done:,} pictures still to store need "
                f"{(len(new) - done) * self._bytes:,} bytes in {self.directory}; those already stored are kept",
            ) from error


def _told(paths: Sequence[str | Path], lines: Sequence[Sequence[Any]]) -> pandas.DataFrame:
    """What a scan says of each path."""
    import pandas as pd

    table: dict[str, Any] = {name: list(map(itemgetter(COLUMNS.index(name)), lines)) for name in TOLD}
    table["alike"] = np.array(table["alike"], np.uint64)
    return pd.DataFrame({"path": [str(path) for path in paths], **table})


def stored_images(store: Store, image_size: int, resize: str) -> ImageStore:
    """A run store's pictures of one size, those of all its collections together."""
    members.keep_in(store.root)
    return ImageStore(store.root / "cache" / "images" / f"{image_size}-{resize}", image_size, resize)


def stored_contents(store: Store) -> Contents:
    """What the files are known to hold that a run store has had to do with."""
    return Contents(store.root / "cache" / "contents")

"""Shards: many pictures in one file, a tar or Parquet with embedded images, of which each is read in place."""

from __future__ import annotations

import functools
import hashlib
import json
import posixpath
import tarfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from keras_art.pictures.addresses import is_address, stamp_of
from keras_art.store import plain
from keras_art.store.leftovers import sweep
from keras_art.store.reading import DAMAGE, uncollected
from keras_art.store.sums import with_sum, without_sum
from keras_art.writing import slug, write_bytes

SUFFIXES = (".tar", ".parquet")
INDICES = 1024  # tars whose members are remembered
BATCH, BATCHES = 32, 16  # rows of Parquet that are read together, and how many such are at hand
LONGEST_END = 1 << 20  # bytes of zeros behind the last member
LONGEST_TEXT = 1 << 20  # bytes of a member that says something of a picture
Opener = Callable[[], tuple[Any, int]]  # a file to read from, and its size


@dataclass
class Index:
    """What a tar holds.

    Attributes:
        spans: member -> where its bytes begin and end; only those that are whole.
        texts: the content of those members that were asked for.
        refused: members that are not taken, by what they call themselves, and why.
        fault: why the tar is not whole, for people; "" where it is.
    """

    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)
    fault: str = ""


_indices: OrderedDict[str, tuple[Any, Index]] = OrderedDict()
_kept_in: Path | None = None
_guard = threading.RLock()


def keep_in(store: Path) -> None:
    """What tars behind addresses hold is written down, from now on, in a store, for the processes that come after.

    Args:
        store: its folder; where nothing can be written, nothing is.
    """
    global _kept_in
    _kept_in = store / "cache" / "shards"


def index(file: str, stamp: Any, opener: Opener, texts: tuple[str, ...] = ()) -> Index:
    """The members of a tar, gone through once in a process, or of an address once in a store, while it is as it was.

    Args:
        stamp: tells that.
        texts: suffixes of members whose content is wanted, too; a process does not remember it.

    Raises:
        OSError: it can not be opened.
    """
    with _guard:
        known = _indices.get(file)
        if known and known[0] == stamp and not texts:
            return known[1]
        kept = _place(file, stamp)
        found = _read(kept, [file, *stamp], texts) if kept else None
        if found is None:
            found = _index(opener, texts)
            if kept:
                _keep(kept, [file, *stamp], texts, found)
        _indices[file] = (stamp, Index(found.spans, refused=found.refused, fault=found.fault))
        while len(_indices) > INDICES:
            _indices.popitem(last=False)
        return found


def _place(file: str, stamp: Any) -> Path | None:
    """Where the members of a tar are kept; None where that is of a disk, or its server tells no version of it."""
    if _kept_in is None or not is_address(file) or stamp[1] == stamp_of({})[1]:
        return None
    return _kept_in / f"{slug(posixpath.basename(file), 80)}-{hashlib.sha256(file.encode()).hexdigest()[:16]}"


def _read(path: Path, of: list[Any], suffixes: tuple[str, ...]) -> Index | None:
    """What was kept; None where that is of another version of the tar, lacks texts, or is damaged or not there."""
    try:
        if (content := without_sum(plain.read(path))) is None:
            return None
        with uncollected():
            was, had, spans, texts, refused, fault = json.loads(content)
        if was != of or not set(suffixes) <= set(had):
            return None
        return Index(
            {name: (int(start), int(end)) for name, (start, end) in spans.items()},
            {name: text.encode("latin-1") for name, text in texts.items()},
            [(str(name), str(reason)) for name, reason in refused],
            str(fault),
        )
    except (OSError, RecursionError, *DAMAGE):  # of another version, its shape may be any
        return None


def _keep(path: Path, of: list[Any], suffixes: tuple[str, ...], found: Index) -> None:
    texts = {name: text.decode("latin-1") for name, text in found.texts.items()}
    content = json.dumps([of, suffixes, found.spans, texts, found.refused, found.fault]).encode("ascii")
    with suppress(OSError):  # nobody may write there, or the disk is full
        sweep(path.parent)
        write_bytes(path, with_sum(content))


def _index(opener: Opener, suffixes: tuple[str, ...]) -> Index:
    found = Index()
    file, size = opener()
    with file:
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                while member := tar.next():
                    tar.members.clear()  # type: ignore[attr-defined] # a million of them would stay
                    if not member.isreg():
                        continue
                    end = member.offset_data + member.size
                    if end > size:
                        found.fault = f"it ends within {member.name}"
                        break
                    name = posixpath.normpath(member.name).lstrip("/")
                    if name.split("/")[0] == "..":  # the shard is a folder, and this would lie outside it
                        found.refused.append((member.name, "its name leads out of the shard"))
                        continue
                    if name in found.spans:
                        found.refused.append((member.name, "another member of its name stands before it"))
                        continue
                    found.spans[name] = (member.offset_data, end)
                    if suffixes and name.lower().endswith(suffixes) and member.size <= LONGEST_TEXT:
                        file.seek(member.offset_data)
                        found.texts[name] = file.read(member.size)
                else:
                    file.seek(tar.offset)
                    rest = file.read(LONGEST_END)
                    if not rest:  # two empty blocks end a tar
                        found.fault = "it ends without an end"
                    elif rest.strip(b"\0") or len(rest) == LONGEST_END:  # `tarfile` takes what it can not read for that
                        found.fault = "it goes on after what can not be read"
        except tarfile.TarError as error:
            found.fault = str(error)
    return found


def embedded(schema: Any) -> str:
    """The column of a Parquet file that has images inside, as Hugging Face writes them; "" where none has."""
    import pyarrow as pa

    for column in schema:
        kinds = {part.name: part.type for part in column.type} if pa.types.is_struct(column.type) else {}
        if "bytes" in kinds and (pa.types.is_binary(kinds["bytes"]) or pa.types.is_large_binary(kinds["bytes"])):
            return column.name
    return ""


@functools.lru_cache(maxsize=INDICES)
def count(file: str, stamp: Any) -> int:
    """The rows of a Parquet file of a disk, as long as it is as it was; 0 where it is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(file).num_rows
    except (pa.ArrowException, OSError):
        return 0


def row(file: str, stamp: Any, member: str, source: Callable[[], Any]) -> bytes:
    """The image of one row; those near it are at hand then.

    Args:
        source: gives what is opened: a path, or an open file.

    Raises:
        OSError: there is no such row, or it has no image.
    """
    import pyarrow as pa

    if not member.isdigit():
        raise FileNotFoundError(f"{file} has no row {member}")
    with _guard:
        known = _cursors.get(file)
        if known is None or known.stamp != stamp or not known.reaches(int(member)):
            for other in _cursors.values():  # one at a time: a batch of large pictures is large
                other.close()
            _cursors.clear()
            try:
                _cursors[file] = known = _Cursor(stamp, source(), int(member))
            except pa.ArrowException as error:
                raise OSError(f"no Parquet file that can be read ({error})") from error
        try:
            return known.take(int(member))
        except pa.ArrowException as error:
            raise OSError(f"truncated or damaged ({error})") from error


class _Cursor:
    """Goes forward through the images of a Parquet file, and keeps those it has just passed."""

    def __init__(self, stamp: Any, source: Any, first: int) -> None:
        import pyarrow.parquet as pq

        self.stamp = stamp
        self.file = pq.ParquetFile(source, pre_buffer=False)
        self.column = embedded(self.file.schema_arrow)
        groups = self.file.metadata.num_row_groups
        self.start, group = 0, 0
        while group < groups and self.start + self.file.metadata.row_group(group).num_rows <= first:
            self.start += self.file.metadata.row_group(group).num_rows
            group += 1
        rest = list(range(group, groups))
        self.batches: Iterator[Any] = self.file.iter_batches(BATCH, row_groups=rest, columns=[self.column])
        self.at_hand: OrderedDict[int, Any] = OrderedDict()  # first row -> a batch
        self.next = self.start

    def reaches(self, number: int) -> bool:
        """Whether a row is at hand or a little ahead."""
        oldest = next(iter(self.at_hand), self.start)
        return oldest <= number < self.next + BATCH * BATCHES

    def close(self) -> None:
        self.file.close(force=True)

    def take(self, number: int) -> bytes:
        while number >= self.next:
            batch = next(islice(self.batches, 1), None)
            if batch is None:
                raise FileNotFoundError(f"there is no row {number}")
            self.at_hand[self.next] = batch.column(self.column)
            self.next += len(batch)
            if len(self.at_hand) > BATCHES:
                self.at_hand.popitem(last=False)
        first = max(start for start in self.at_hand if start <= number)
        return (self.at_hand[first][number - first].as_py() or {}).get("bytes") or b""


_cursors: dict[str, _Cursor] = {}

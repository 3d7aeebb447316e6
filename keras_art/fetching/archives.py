"""Archives unpacked without letting them write where they should not, or more than they should."""

from __future__ import annotations

import errno
import io
import lzma
import os
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from keras_art.errors import UserError
from keras_art.store.leftovers import sweep
from keras_art.writing import beside

# Images and XML hardly shrink below a fiftieth; an archive that claims more is made to fill the disk.
MOST_RATIO, HARMLESS = 200, 100_000_000  # the second in bytes: below that no ratio matters
MOST_FILES = 250_000  # twice the largest collection of paintings in one archive
LONGEST_NAME, LONGEST_PATH = 255, 1000  # bytes and characters: what every disk takes
LARGEST_LIST = 24_000_000  # bytes of a ZIP's list of files, which is read at once: 60 to 150 a file
LARGEST_HEADER = 1_000_000  # bytes of a TAR's further headers, which are read at once: names, dates
DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError,
    MemoryError, OverflowError,
)  # fmt: skip


class BadArchive(UserError):
    """The archive is damaged or dangerous; the message says what it holds."""


def unpack(archive: Path, folder: Path) -> list[tuple[str, str]]:
    """Unpacks a ZIP or TAR archive: all of it, or nothing.

    Args:
        archive: by its content, not by its name.
        folder: made if it is not there; files of the same name are replaced.

    Returns:
        (name, reason) of files of a ZIP whose content is damaged; they are left out.

    Raises:
        BadArchive: it is no archive, or holds paths outside `folder`, two files of one name, links, or absurdly much.
    """
    hidden = f".{archive.name}"
    sweep(folder, of=hidden)
    part = beside(folder / hidden)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        room = _Room(archive, part)
        damaged = _untar(room) if _is_tar(archive) else _unzip(room)
        moves = [(path, folder / path.relative_to(part)) for path in sorted(part.rglob("*"))]
        for path, target in moves:
            if target.exists() and path.is_dir() != target.is_dir():
                raise BadArchive(f"{archive} holds {path.relative_to(part)}, and {target} is in its way: move that")
        for path, target in moves:
            if path.is_dir():
                target.mkdir(exist_ok=True)
            else:
                os.replace(path, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return damaged


class _Room:
    """What one archive may write: so many files, so many bytes, each below `part` and of a name of its own."""

    def __init__(self, archive: Path, part: Path) -> None:
        self.archive, self.part = archive, part
        self.files = self.bytes = 0
        self.packed, self.free = archive.stat().st_size, shutil.disk_usage(part).free

    def refuse(self, what: str) -> BadArchive:
        return BadArchive(f"{self.archive} {what}: do not use it")

    def count(self) -> None:
        self.files += 1
        if self.files > MOST_FILES:
            raise self.refuse(f"holds more than {MOST_FILES:,} files")

    def claim(self, name: str, size: int) -> Path:
        """Where a file of that name goes, if there is room."""
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
            raise self.refuse(f"would write outside its folder, {name!r}")
        longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
        if not 0 < longest <= LONGEST_NAME or len(name) > LONGEST_PATH or "\0" in name:
            raise self.refuse(f"holds a file that can not be called so, {name[:80]!r}")
        self.count()
        self.bytes += size
        if self.bytes > max(HARMLESS, MOST_RATIO * self.packed):
            times = self.bytes // max(self.packed, 1)
            raise self.refuse(f"claims to unpack to {self.bytes:,} bytes, {times:,} times its size")
        if self.bytes > self.free:
            raise BadArchive(f"{self.archive} unpacks to more than the {self.free:,} bytes that are free: make room")
        return self.part / path

    def copy(self, source: IO[bytes], path: Path, size: int, block: int = 1 << 20) -> None:
        """No more than `size` bytes, whatever comes."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            target = open(path, "xb")  # noqa: SIM115
        except (FileExistsError, NotADirectoryError) as error:
            raise self.refuse(
                f"holds {path.relative_to(self.part)} twice, or in names that are one on this disk"
            ) from error
        with target:
            while content := source.read(min(block, size - target.tell())):
                target.write(content)
            if size == target.tell():
                source.read(1)  # at its end a ZIP member's checksum is compared


class _Careful(io.FileIO):
    """Refuses to read a ZIP's list of files into more memory than any honest one takes."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size and size > LARGEST_LIST:
            raise BadArchive(f"{self.name} holds more than {MOST_FILES:,} files: do not use it")
        return super().read(-1 if size is None else size) or b""


def _unzip(room: _Room) -> list[tuple[str, str]]:
    damaged = []
    try:
        with _Careful(room.archive) as file, zipfile.ZipFile(file) as opened:
            members = [member for member in opened.infolist() if not member.filename.endswith("/")]
            paths = [room.claim(member.filename, member.file_size) for member in members]
            for member, path in zip(members, paths, strict=True):
                if member.external_attr >> 28 == 0o12:  # the file type of a symbolic link, where Unix wrote the archive
                    raise room.refuse(f"holds a link, {member.filename}")
                try:
                    with opened.open(member) as source:
                        room.copy(source, path, member.file_size)
                except (*DAMAGED, OSError) as error:
                    if _of_disk(error):
                        raise
                    path.unlink(missing_ok=True)
                    damaged.append((member.filename, f"damaged in the archive ({error})"))
    except (*DAMAGED, OSError) as error:
        if _of_disk(error):
            raise
        raise BadArchive(f"{room.archive} is neither a ZIP nor a TAR archive: download it anew") from error
    return damaged


def _of_disk(error: Exception) -> bool:
    """Whether it is no fault of the archive; a place that no file has (EINVAL) is one that the archive gave."""
    return isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)


class _Dangerous(Exception):
    """What a TAR's header claims would be read into memory, however much it is."""


class _Member(tarfile.TarInfo):
    """A TAR's header: a damaged one, or one that claims to be huge, is no header."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> _Member:
        try:
            header = super().frombuf(buf, encoding, errors)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(str(error)) from error  # behind the first header it would be taken for the end
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise _Dangerous("a sparse file")
        if not (header.isfile() or header.isdir()) and header.size > LARGEST_HEADER:
            raise _Dangerous(f"a header of {header.size:,} bytes")
        return header

    def _proc_gnusparse_10(self, *words: Any) -> None:
        raise _Dangerous("a sparse file")


@contextmanager
def _tar(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(archive, tarinfo=_Member) as opened:
            yield opened
    except _Dangerous as error:
        raise BadArchive(f"{archive} holds {error}: do not use it") from error
    except OSError as error:
        if _of_disk(error):
            raise
        raise tarfile.ReadError(str(error)) from error


def _is_tar(archive: Path) -> bool:
    try:
        with _tar(archive):
            return True
    except DAMAGED:
        return False


def _untar(room: _Room) -> list[tuple[str, str]]:
    try:
        with _tar(room.archive) as opened:
            while member := opened.next():
                opened.members.clear()  # type: ignore[attr-defined]  # it would remember them all
                if member.isdir():
                    room.count()
                elif not member.isreg() or member.issparse():
                    raise room.refuse(f"holds a link or device, {member.name}")
                elif source := opened.extractfile(member):
                    room.copy(source, room.claim(member.name, member.size), member.size)
    except DAMAGED as error:
        raise BadArchive(f"{room.archive} is damaged ({error}): download it anew") from error
    return []

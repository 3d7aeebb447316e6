"""Archives unpacked without letting them write where they should not, or more than they should."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from keras_art.errors import UserError

# Images and XML hardly shrink below a fiftieth; an archive that claims more is made to fill the disk.
MOST_RATIO, HARMLESS = 200, 100_000_000  # the second in bytes: below that no ratio matters


class BadArchive(UserError):
    """The archive is damaged or dangerous; the message says what it holds."""


def unpack(archive: Path, folder: Path) -> list[tuple[str, str]]:
    """Unpacks a ZIP or TAR archive: all of it, or nothing.

    Args:
        archive: by its content, not by its name.
        folder: made if it is not there; files of the same name are replaced.

    Returns:
        (name, reason) of files whose content is damaged; they are left out.

    Raises:
        BadArchive: it is no archive, or holds paths outside `folder`, links, or absurdly much.
    """
    part = folder / f".{archive.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        if zipfile.is_zipfile(archive):
            damaged = _unzip(archive, part)
        elif tarfile.is_tarfile(archive):
            damaged = _untar(archive, part)
        else:
            raise BadArchive(f"{archive} is neither a ZIP nor a TAR archive: download it anew")
        for path in sorted(part.rglob("*")):
            target = folder / path.relative_to(part)
            if path.is_dir():
                target.mkdir(exist_ok=True)
            else:
                os.replace(path, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return damaged


def _unzip(archive: Path, part: Path) -> list[tuple[str, str]]:
    damaged = []
    with zipfile.ZipFile(archive) as opened:
        members = [member for member in opened.infolist() if not member.is_dir()]
        _check(archive, ((member.filename, member.file_size) for member in members))
        for member in members:
            if member.external_attr >> 28 == 0o12:  # the file type of a symbolic link, where Unix wrote the archive
                raise BadArchive(f"{archive} holds a link, {member.filename}")
            try:
                with opened.open(member) as source:
                    _copy(source, part / member.filename, member.file_size)
            except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError) as error:
                if isinstance(error, OSError) and error.errno:  # of the disk, not of the archive
                    raise
                (part / member.filename).unlink(missing_ok=True)
                damaged.append((member.filename, f"damaged in the archive ({error})"))
    return damaged


def _untar(archive: Path, part: Path) -> list[tuple[str, str]]:
    try:
        with tarfile.open(archive) as opened:
            members = opened.getmembers()
            if odd := next((member for member in members if not (member.isfile() or member.isdir())), None):
                raise BadArchive(f"{archive} holds a link or device, {odd.name}")
            members = [member for member in members if member.isfile()]
            _check(archive, ((member.name, member.size) for member in members))
            for member in members:
                if source := opened.extractfile(member):
                    _copy(source, part / member.name, member.size)
    except (tarfile.TarError, EOFError) as error:
        raise BadArchive(f"{archive} is damaged ({error}): download it anew") from error
    return []


def _check(archive: Path, members: Iterator[tuple[str, int]]) -> None:
    total, packed = 0, archive.stat().st_size
    for name, size in members:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise BadArchive(f"{archive} would write outside its folder, {name!r}: do not use it")
        total += size
    if total > max(HARMLESS, MOST_RATIO * packed):
        raise BadArchive(
            f"{archive} claims to unpack to {total:,} bytes, {total // max(packed, 1):,} times its size: do not use it"
        )


def _copy(source: IO[bytes], path: Path, size: int, block: int = 1 << 20) -> None:
    """No more than `size` bytes, whatever comes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as target:
        read: Callable[[], bytes] = lambda: source.read(min(block, size - target.tell()))  # noqa: E731
        while content := read():
            target.write(content)
        if size == target.tell():
            source.read(1)  # at its end a ZIP member's checksum is compared

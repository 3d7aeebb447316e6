"""Files as they are opened to be read: a pipe would be waited for, and a device may never end."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


class NoFile(OSError):
    """What has the name of a file is something else; `strerror` says what."""


def opened(path: str | Path) -> BufferedReader:
    """A file as bytes.

    Raises:
        OSError: it can not be read, or is none.
    """
    file = open(path, "rb", opener=_at_once)  # noqa: SIM115
    if what := no_file(os.fstat(file.fileno())):
        file.close()
        raise NoFile(errno.EINVAL, what, str(path))
    return file


def read(path: str | Path) -> bytes:
    """All that a file holds.

    Raises:
        OSError: as `opened`.
    """
    with opened(path) as file:
        return file.read()


def no_file(found: os.stat_result) -> str:
    """Why what the system says of a path is no file, "" where it is one."""
    if stat.S_ISREG(found.st_mode):
        return ""
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return f"{kinds.get(stat.S_IFMT(found.st_mode), 'a device')}, not a file"


def _at_once(path: str, flags: int) -> int:
    """Opens a file, and a pipe without waiting for whoever is to write into it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))

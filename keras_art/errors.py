"""What a person can mend: every room raises these, and the command line prints them as one message."""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterable


class UserError(Exception):
    """What a person can mend; the message names the remedy."""


FAULTS = {
    errno.ENOSPC: "the disk is full. What is finished is kept; make room, or move it with --store, and run again",
    errno.EROFS: "can not be written: the disk is read-only. Mount it for writing, or write elsewhere",
    errno.EACCES: "may not be read or written by this user: change its permissions, or write elsewhere",
    errno.EMFILE: "too many files are open for this process: raise the limit (ulimit -n)",
    errno.ENOMEM: "there is not enough memory: end other programs, or take smaller batches or images",
    errno.EIO: "the disk has failed to read or write it: check the disk",
    errno.ESTALE: "the network disk has gone: mount it again",
}
FAULTS |= {errno.EDQUOT: FAULTS[errno.ENOSPC], errno.EPERM: FAULTS[errno.EACCES], errno.ENFILE: FAULTS[errno.EMFILE]}
IN_WORDS = {
    "No space left": errno.ENOSPC,
    "Read-only file system": errno.EROFS,
    "Too many open files": errno.EMFILE,
    "failed to map segment": errno.ENOMEM,  # a library that does not fit
    "Cannot allocate memory": errno.ENOMEM,
}


def meant(path: str | os.PathLike[str]) -> str:
    """`: did you mean NAME?` where nothing is called so, but a file or folder beside it is nearly; else ""."""
    folder, name = os.path.split(os.fspath(path).rstrip("/"))
    try:
        near = difflib.get_close_matches(name, os.listdir(folder or "."), n=1, cutoff=0.75)
    except OSError:
        near = []
    return f": did you mean {os.path.join(folder, near[0])}?" if near and near[0] != name else ""


def nearest(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The few names that a word may stand for, whatever letters of it are capitals; the likeliest first."""
    names = {name.lower(): name for name in known}
    return [names[near] for near in difflib.get_close_matches(word.lower(), names, n=most, cutoff=0.5)]


def machine_fault(error: BaseException) -> str:
    """What a disk, a limit or the memory has refused, and the remedy; "" where an error has none of that at its root.

    Libraries wrap such errors in errors of their own.
    """
    seen: BaseException | None = error
    while seen is not None:
        number = errno.ENOMEM if isinstance(seen, MemoryError) else getattr(seen, "errno", None)
        number = number if number in FAULTS else next((n for words, n in IN_WORDS.items() if words in str(seen)), None)
        if number in FAULTS:
            named = getattr(seen, "filename", None) if FAULTS[number] != FAULTS[errno.ENOSPC] else None
            return f"{named}: {FAULTS[number]}" if named else FAULTS[number]
        seen = seen.__cause__ or seen.__context__
    return ""

"""Locks of a store: the operating system's, or leases in files where those do not hold for every host.

The operating system frees a lock when its process dies. On disks that know no `flock`, or keep it to one host, a store
is made with `"locks": "lease"` in its `store.json`. A lease is a file, `NAME.000007.lock`, which only one process can
make; its holder writes a new count into it all the time. Who sees one count for LEASE seconds, by its own clock, makes
`NAME.000008.lock` and holds it then; of several only one can. No host's clock is compared with another's. Who has lost
a lease, because it stood still for so long, ends at once: another does its work.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from keras_art.store import plain
from keras_art.writing import alive, slug

LEASE, BEAT = 120.0, 15.0  # seconds
FREE = "free"
PAUSE = 0.5  # seconds between two looks at a lease that is waited for
# How NFS and Lustre are mounted where a lock is one host's own.
OF_ONE_HOST = re.compile(r"(?:^|,)(nolock|localflock|local_lock=(?:all|flock))(?:,|$)")


def lock(file: Path, *, wait: bool = True) -> Any:
    """A context manager that holds a lock, as the store in which `file` lies has them.

    Args:
        file: ends in `lock`; its folder is made.
        wait: for whoever holds it.

    Raises:
        filelock.Timeout: on entering, another process holds it, and it is not waited for.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    return within(file, -1.0 if wait else 0.0)


def within(file: Path, seconds: float) -> Any:
    """The same, of which a holder is waited for as long as that; below 0: without an end."""
    if by_lease(file):
        return Lease(file, seconds)
    from filelock import FileLock

    return FileLock(file, timeout=seconds, thread_local=False)  # what holds it may end in another thread


def by_lease(place: Path) -> bool:
    """Whether the store in which a file lies has leases."""
    for folder in place.absolute().parents:
        with suppress(OSError, ValueError, AttributeError):
            return bool(json.loads(plain.read(folder / "store.json")).get("locks") == "lease")
    return False


def named(file: Path) -> Path:
    """What `lock` was given for a file that it has made: `x.000007.lock` is of `x.lock`."""
    return file.with_name(re.sub(r"(^|\.)\d{6}\.lock$", r"\1lock", file.name))


def holder(file: Path) -> str:
    """Who holds a lease, in words."""
    _, said = Lease(file, 0.0)._newest()
    found = re.fullmatch(r"(.+)-[0-9a-f]{8}-(\d+) \d+", said)
    return f"process {found[2]} of {found[1]}" if found else "another process"


class Lease:
    """A lock that its holder must go on saying it holds."""

    def __init__(self, file: Path, seconds: float) -> None:
        self.file, self.seconds = file, seconds
        self.number, self._ended = 0, threading.Event()

    def __enter__(self) -> Lease:
        from filelock import Timeout

        began = time.monotonic()
        while not self._taken():
            if 0 <= self.seconds <= time.monotonic() - began:
                raise Timeout(str(self.file))
            time.sleep(PAUSE)
        self._ended.clear()
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with suppress(OSError):  # what it held may be gone with it
            self._write(FREE)

    def _taken(self) -> bool:
        number, said = self._newest()
        if number and said != FREE and not _has_ended(self.file, number, said):
            return False
        mine = self._numbered(number + 1)
        try:
            os.close(os.open(mine, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:  # another was quicker
            return False
        if self._newest()[0] > number + 1:  # the list of names was an old one
            mine.unlink()
            return False
        self.number = number + 1
        self._write(f"{_holder()} 0")
        for old in range(max(1, number - 1), number + 1):
            self._numbered(old).unlink(missing_ok=True)
        return True

    def _numbered(self, number: int) -> Path:
        front = self.file.name.removesuffix("lock")
        return self.file.with_name(f"{front}{number:06d}.lock")

    def _newest(self) -> tuple[int, str]:
        """The highest number there is, 0 where there is none, and what its holder says."""
        front = self.file.name.removesuffix("lock")
        there = [re.fullmatch(re.escape(front) + r"(\d{6})\.lock", name) for name in os.listdir(self.file.parent)]
        number = max((int(found[1]) for found in there if found), default=0)
        try:
            return number, plain.read(self._numbered(number)).decode() if number else ""
        except FileNotFoundError:  # another has just taken the next
            return number, ""

    def _write(self, text: str) -> None:
        with self._numbered(self.number).open("r+") as file:
            file.truncate()
            file.write(text)

    def _beat(self) -> None:
        count = 0
        while not self._ended.wait(BEAT):
            count += 1
            try:
                if self._newest()[0] > self.number:
                    lost(self.file)
                    return
                self._write(f"{_holder()} {count}")
            except FileNotFoundError:
                return
            except OSError:  # the disk is away; it may come back in time
                continue


def lost(file: Path) -> None:
    """Ends this process, whose work another does by now."""
    print(f"this process stood still for too long: another holds {file} now, and this one ends", file=sys.stderr)
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)


_seen: dict[tuple[Path, int], tuple[str, float]] = {}  # what each holder said last, and since when


def _has_ended(file: Path, number: int, said: str) -> bool:
    """Whether the holder of a lease is a dead process of this host, or has been silent for as long as we watch."""
    holder = said.partition(" ")[0]
    host, _, process = holder.rpartition("-")
    if host == _host() and process.isdigit() and not alive(int(process)):
        return True
    before, since = _seen.get((file, number), ("", 0.0))
    if (file, number) not in _seen or before != said:
        _seen[file, number] = said, time.monotonic()
        return False
    return time.monotonic() - since > LEASE


def _holder() -> str:
    return f"{_host()}-{os.getpid()}"


def _host() -> str:
    """This host, and what of it numbers its processes: two containers may have one name."""
    known = []
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        with suppress(OSError):
            known.append(os.readlink(path) if path.endswith("pid") else Path(path).read_text())
    return f"{slug(socket.gethostname())}-{hashlib.sha256(''.join(known).encode()).hexdigest()[:8]}"


def why_not(folder: Path, probe: Path) -> str:
    """Why the operating system's locks do not hold in a folder, for people; "" where they do.

    Args:
        probe: a file that is made for that, and goes.

    Raises:
        OSError: it can not be written.
    """
    if not _excludes(probe):
        return "a file that is locked can be locked again"
    if found := OF_ONE_HOST.search(_mounted(folder)):
        return f"its disk is mounted with {found[1]}, by which a lock is one host's own"
    return ""


def _excludes(probe: Path) -> bool:
    """Whether a file that is locked can not be locked again."""
    try:
        import fcntl
    except ImportError:  # on other systems whoever opens a file holds it
        probe.touch()
        probe.unlink()
        return True
    with probe.open("w") as first, probe.open("w") as second:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            pass
        finally:
            probe.unlink()
    return False


def _mounted(folder: Path) -> str:
    """The options by which a folder's disk is mounted, "" where nothing tells."""
    place, best, options = os.path.realpath(folder), -1, ""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            words = line.split(" ")
            point = words[4].encode().decode("unicode_escape")
            if len(point) > best and (place == point or place.startswith(f"{point.rstrip('/')}/")):
                best, options = len(point), f"{words[5]},{words[-1]}"
    return options

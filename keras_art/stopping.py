"""Ctrl-C, and the signals that ask for the same, within a command: raised once, and remembered."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
asked: list[int] = []  # the signals that have come within `heard`


class Stopped(KeyboardInterrupt):
    """Ctrl-C, or a signal that asks for the same: by a batch system that wants its machine, a terminal closed."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def _send(number: int) -> None:
    """Sends a signal to the thread that handles it, which may be asleep."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:  # Windows
        signal.raise_signal(number)


def heed() -> None:
    """Raises the stop that has come, for whoever goes on after an error: libraries make others of a stop amid theirs.

    Raises:
        Stopped: one has come.
    """
    if asked:
        raise Stopped(asked[0])


@contextmanager
def heard() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP raise `Stopped` within and are noted; what `nohup` had ignored stays ignored.

    One that comes amid a destructor, out of which nothing is raised, comes once more.
    """
    asked.clear()
    told = sys.unraisablehook

    def stop(number: int, frame: Any) -> None:
        asked.append(number)
        raise Stopped(number)

    def lost(what: Any) -> None:
        if not isinstance(what.exc_value, Stopped):
            told(what)
            return
        again = threading.Timer(0.02, _send, (what.exc_value.number,))
        again.daemon = True
        again.start()

    here = threading.current_thread() is threading.main_thread()
    usual = (signal.SIG_DFL, signal.default_int_handler)
    taken = {n: signal.getsignal(n) for n in SIGNALS if here and signal.getsignal(n) in usual}
    for number in taken:
        signal.signal(number, stop)
    sys.unraisablehook = lost
    try:
        yield
    finally:
        sys.unraisablehook = told
        for number, before in taken.items():
            signal.signal(number, before)


def deaf() -> None:
    """Ignores them in a process beside a first one: a whole group is told to stop, and the first ends the others."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)

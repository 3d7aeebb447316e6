"""What a person is told: messages, progress with the time left, and errors that they can mend."""

from __future__ import annotations

import atexit
import errno
import gc
import logging
import os
import shutil
import signal
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from keras_art import backend, stopping
from keras_art.errors import FAULTS, UserError, machine_fault

# Told what a run is at, in words, and the share of it that is done, in [0, 1].
Tell = Callable[[str, float], None]


def _stopped(prog: str, number: int, trains: bool) -> int:
    by = f" by {signal.Signals(number).name}" if number != signal.SIGINT else ""
    kept = ", training from the last epoch kept" if trains else ""
    with suppress(OSError):  # the terminal may be what is gone
        say(f"{prog}: stopped{by}; what is whole is kept, and the same command does the rest{kept}")
    stopping.asked.clear()  # a command within another one has said it for both
    return 128 + number


def guarded(command: Callable[[], int], prog: str, trains: bool = False) -> int:
    """Runs a command; what a user can mend becomes one message and exit status 1.

    Ctrl-C, SIGTERM and SIGHUP are resumable stops with the status that shells give them (130, 143, 129). A reader that
    has seen enough, such as `head`, ends it silently.

    Args:
        trains: whether it is one of those that train, which go on amid a training.
    """
    try:
        with stopping.heard(), _beating():
            try:
                status = command()
            except SystemExit:  # of `--help`
                sys.stdout.flush()
                raise
            stopping.heed()
            sys.stdout.flush()
        return status
    except KeyboardInterrupt as stop:
        return _stopped(prog, stop.number if isinstance(stop, stopping.Stopped) else signal.SIGINT, trains)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still to be flushed at the end goes nowhere
        return 141
    except Exception as error:
        told = machine_fault(error)
        if stopping.asked and not told:  # a stop amid a backend's C code comes out of it as another error
            return _stopped(prog, stopping.asked[0], trains)
        if isinstance(error, UserError) and told != FAULTS[errno.ENOSPC]:
            told = str(error)
        elif not told and isinstance(error, OSError) and error.filename is not None:
            told = f"{os.fsdecode(error.filename2 or error.filename)}: {error.strerror}"
        elif not told and isinstance(error, shutil.Error) and isinstance(error.args[0], list):
            path, _, why = error.args[0][0]  # of those that `copytree` could not copy
            told = f"{os.fsdecode(path)} can not be copied ({why}): mend or delete it"
        if not told:
            raise
        with suppress(OSError):
            say(f"{prog}: {told}")
        return 1


def start_backend() -> None:
    """Imports Keras and its backend without what they say of drivers and retracing, which helps no one who reads it.

    What they compute then repeats bit for bit, of a map as of a run.
    On JAX and PyTorch Keras is told that TensorFlow is not here: it would import it, wherever it is installed, to seed
    it, and to ask of everything that it saves whether it is TensorFlow's. What imports TensorFlow itself still can.
    """
    if "keras" in sys.modules:
        return
    backend.check_addresses()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with quietly(), waiting("starting Keras"):  # TensorFlow's C++ writes there before its log level can be set
        import keras

        backend.make_repeatable()

    # A process that ends would look through all that a backend holds for what nobody needs, some seconds in silence.
    atexit.register(gc.freeze)

    if keras.config.backend() != "tensorflow":
        warnings.filterwarnings("ignore", "Explicitly requested dtype int64")  # Keras's own MixUp, of JAX's integers
        keras.src.utils.module_utils.tensorflow._available = False  # where it is in the Keras of constraints.txt


def import_backend() -> None:
    """Imports Keras for a program that uses the library, without what TensorFlow's C++ says of drivers meanwhile.

    What it says later is heard, and whoever has set its log level, or has imported it already, is heeded.
    """
    if {"keras", "tensorflow"} & set(sys.modules) or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    if backend.named() == "tensorflow":
        with quietly():
            import keras  # noqa: F401
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for a driver, and complains that there is none, once


@contextmanager
def quietly() -> Iterator[None]:
    """What C code writes to standard error within goes nowhere."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


# What moves a cursor, colours or renames a terminal: a file's name or a label may hold it.
UNSEEN = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(9), *range(11, 32), *range(127, 160))}


def say(text: str) -> None:
    """Tells a person something; tables alone go to standard output."""
    print(_folded(text.translate(UNSEEN), sys.stderr), file=sys.stderr, flush=True)


def answer(text: str) -> None:
    """What was asked for, where that is words and no table: on standard output, folded where a terminal shows it."""
    print(_folded(text.translate(UNSEEN), sys.stdout), flush=True)


def _folded(text: str, stream: Any) -> str:
    """Text with lines that are broken between words where a terminal would break them amid one; paths stay whole."""
    if not stream.isatty():
        return text
    width = max(40, shutil.get_terminal_size().columns)
    lines = []
    for line in text.split("\n"):
        inner = " " * (len(line) - len(line.lstrip()) + 2)
        words = line.split()
        if len(line) <= width or max(map(len, words), default=0) + len(inner) > width:
            lines.append(line)
        else:
            lines += textwrap.wrap(line, width, subsequent_indent=inner, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def show(page: Path) -> None:
    """Shows a page in the browser of whoever sits here; where there is none, its address has to do."""
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        say(f"no browser was found: open {page} by hand")


QUIET = 1.0  # seconds without a word after which a terminal is told what is going on


class _Heartbeat:
    """The line at a terminal's foot that tells what a command is at, and since when, while it says nothing else.

    Whatever is written clears it. A file of messages does without.
    """

    def __init__(self) -> None:
        self.doing = ["working"]  # what is within what
        self.since = self.said = time.monotonic()
        self.shown = False
        self.lock, self.over = threading.RLock(), threading.Event()
        self.terminal = os.dup(2)  # where that is turned elsewhere meanwhile, too

    def beat(self) -> None:
        while not self.over.wait(0.25):
            with self.lock:
                if (now := time.monotonic()) - self.said > QUIET:
                    width = shutil.get_terminal_size().columns
                    told = f" ... {now - self.since:.0f} s"
                    text = self.doing[-1].translate(UNSEEN)[: width - len(told) - 1]
                    os.write(self.terminal, f"\r{text}{told}\x1b[K\r".encode())
                    self.shown = True

    def clear(self) -> None:
        with self.lock:
            if self.shown:
                os.write(self.terminal, b"\r\x1b[K")
            self.shown, self.said = False, time.monotonic()

    def at(self, text: str) -> None:
        self.doing[-1], self.since = text, time.monotonic()


class _Cleared:
    """A stream that clears the line before it is written to."""

    def __init__(self, stream: Any, heart: _Heartbeat) -> None:
        self.stream, self.heart = stream, heart

    def write(self, text: str) -> int:
        with self.heart.lock:
            self.heart.clear()
            return int(self.stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


_hearts: list[_Heartbeat] = []


@contextmanager
def _beating() -> Iterator[None]:
    """Within, a person who waits at a terminal is told what a command is at whenever it is silent."""
    if _hearts or not sys.stderr.isatty():
        yield
        return
    heart, streams = _Heartbeat(), (sys.stdout, sys.stderr)
    _hearts.append(heart)
    sys.stdout, sys.stderr = _Cleared(sys.stdout, heart), _Cleared(sys.stderr, heart)
    thread = threading.Thread(target=heart.beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        _hearts.remove(heart)
        heart.over.set()
        thread.join()
        heart.clear()
        sys.stdout, sys.stderr = streams
        os.close(heart.terminal)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """What takes some seconds and says nothing by itself, in words for who waits at a terminal."""
    heart = _hearts[0] if _hearts else None
    if heart:
        heart.doing.append(heart.doing[-1])
        heart.at(text)
    try:
        yield
    finally:
        if heart:
            heart.doing.pop()
            heart.since = time.monotonic()


def at(text: str) -> None:
    """The same of what goes on until the next word."""
    if _hearts:
        _hearts[0].at(text)


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def space(size: float) -> str:
    """Of bytes: `5 MB`, `0.29 GB`; at least `1 MB`."""
    return f"{max(1, size / 1e6):.0f} MB" if size < 1e8 else f"{size / 1e9:.2f} GB"


@contextmanager
def bar(title: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with the time left; yields `progress(done, all)`. On a pipe it is one line at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    room = Column(no_wrap=True, overflow="ellipsis", max_width=40)  # a run's name leaves the bar some
    words = TextColumn("{task.description}", markup=False, table_column=room)  # a collection may be called "[red]"
    columns = (words, BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        line = progress.add_task(title, total=None, visible=False)
        yield lambda done, all: progress.update(line, completed=done, total=all, visible=True)

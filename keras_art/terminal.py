"""One command line for every reproduction, made from its Study dataclass."""

from __future__ import annotations

import itertools
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from keras_art.errors import UserError

Format = Literal["text", "csv", "markdown", "latex", "html"]


@dataclass(frozen=True)
class Study:
    """The flags that mean the same in every reproduction; a preset gives each its default."""

    preset: Literal["demo", "study", "paper", "released"] = "demo"
    """Fixes every field below; any flag overrides one. Default: demo, or study when --data is given."""
    data: str | None = None
    """A card's name, a table (.csv, .xlsx, .parquet), a folder with labels.csv or of images. Default: the atelier."""
    root: str | None = None
    """Folder that holds the cards' collections. Default: $KERAS_ART_DATA."""
    target: str | None = None
    """The label column. May be left out when there is only one."""
    limit: int = 0
    """Use at most so many images, classes in proportion (0: all)."""
    split: Literal["auto", "given", "stratified", "random", "artist_disjoint", "duplicate_disjoint"] = "auto"
    """auto: the collection's own split, else 80/10/10 stratified; *_disjoint: artists, or look-alikes, on one side."""
    split_seed: int = 0
    """Moves the split; --seeds moves initialisation and order."""
    seeds: tuple[int, ...] = (0,)
    """One run each."""
    store: str = "runs"
    """Folder for runs and caches."""
    dry_run: bool = False
    """Say what would run, what is done, and what it costs; train nothing."""
    table: bool = False
    """Print the tables of what has been run; train nothing."""
    format: Format = "text"
    """Of the tables."""


AnyStudy = TypeVar("AnyStudy", bound=Study)


def parse(
    study: type[AnyStudy], presets: Mapping[str, AnyStudy], argv: Sequence[str], *, prog: str, description: str
) -> AnyStudy:
    """Reads a Study from a command line, on top of the preset that it names; exits as `read` does."""
    chosen = _flag(argv, "--preset") or ("study" if _flag(argv, "--data") else "demo")
    return read(study, argv, prog=prog, description=description, default=presets.get(chosen, presets["demo"]))


def read(kind: Any, argv: Sequence[str], *, prog: str, description: str, default: Any = None) -> Any:
    """Reads a dataclass from a command line.

    Exits as argparse does: 0 after `--help`, 2 with the nearest names after a mistake.
    """
    import tyro

    return tyro.cli(
        kind,
        args=list(argv),
        prog=prog,
        description=description,
        use_underscores=True,
        config=(tyro.conf.FlagCreatePairsOff,),
        **({} if default is None else {"default": default}),
    )


def _flag(argv: Sequence[str], name: str) -> str | None:
    for word, following in itertools.zip_longest(argv, argv[1:]):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.removeprefix(f"{name}=")
    return None


def guarded(command: Callable[[], int], prog: str) -> int:
    """Runs a command; what a user can mend becomes one message and exit status 1, Ctrl-C a resumable stop (130)."""
    from keras_art.store.runs import disk_full

    try:
        return command()
    except KeyboardInterrupt:
        say(f"{prog}: stopped; the same command goes on from the last whole epoch")
        return 130
    except Exception as error:
        if disk_full(error):
            say(
                f"{prog}: the disk is full. What is finished is kept; make room, or move it with --store, and run again"
            )
        elif isinstance(error, UserError):
            say(f"{prog}: {error}")
        else:
            raise
        return 1


def start_backend() -> None:
    """Imports Keras and its backend without what they say of drivers and retracing, which helps no one who reads it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)  # TensorFlow's C++ writes there before its log level can be set
    try:
        import keras  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def say(text: str) -> None:
    """Tells a person something; tables alone go to standard output."""
    print(text, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def bar(title: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with the time left; yields `progress(done, all)`. On a pipe it is one line at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        line = progress.add_task("", total=None, visible=False)
        yield lambda done, all: progress.update(line, completed=done, total=all, visible=True)


class Clock:
    """Says how far a study is: a line now and then, with the time left for all of it.

    Args:
        costs: the estimated seconds of every run that is to be done.
    """

    def __init__(self, costs: Sequence[float]) -> None:
        self.costs = list(costs)
        self.started = self.said = time.monotonic()
        self.finished = 0

    def tell(self, what: str, share: float) -> None:
        """`share` of the current run is done, in [0, 1]; says so unless the last line is younger than 5 s."""
        if time.monotonic() - self.said > 5:
            self._say(what, share)

    def next(self, what: str) -> None:
        """The current run is done."""
        self._say(what, 1.0)
        self.finished += 1

    def _say(self, what: str, share: float) -> None:
        self.said = time.monotonic()
        done = sum(self.costs[: self.finished]) + share * self.costs[self.finished]
        left = (self.said - self.started) * (sum(self.costs) / max(done, 1e-9) - 1)
        say(f"[{self.finished + 1}/{len(self.costs)}] {what}; at most {duration(left)} left")

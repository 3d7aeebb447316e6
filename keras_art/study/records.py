"""What a store knows of finished runs, whatever made them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Hashable, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.store.environment import NOT_INSTALLED
from keras_art.store.reading import is_there, read_json
from keras_art.store.runs import Store, StoreError
from keras_art.study.config import AnyRun, BadRun, Optimizer, Run, RunRef, kinds, needs, run_from
from keras_art.version import __version__

Item = TypeVar("Item")
Row = TypeVar("Row")


def finished(
    store: Store, kind: type[AnyRun], only: Iterable[Run] | None = None
) -> list[tuple[AnyRun, dict[str, Any]]]:
    """Every finished run of a kind with its metrics, by directory name; one that can not be read is named and left out.

    The message is given once in a process, however many tables ask.

    Args:
        only: nothing is read but these.
    """
    found = []
    names = None if only is None else {run.folder_name for run in only}
    for folder in store.directories(kind.kind):
        if names is not None and folder.name not in names:
            continue
        try:
            if not is_there(folder / "metrics.json"):
                continue
            run = read_run(folder)
            if folder.name != run.folder_name:
                raise BadRun(f"{folder} is not called as its run, {run.folder_name}: a copy counts for none")
            if isinstance(run, kind):
                found.append((run, read_json(folder / "metrics.json", fields=run.measures)))
        except UserError as error:
            leave_out(error)
    return found


def states(store: Store, runs: Iterable[AnyRun]) -> dict[AnyRun, dict[str, Any] | None]:
    """Run -> what it measured, None where it is to be computed.

    One whose directory can not be read is named and left out, and so is what has still to be computed of it.

    Args:
        runs: each after what it needs, as of `plan.ordered`.
    """
    found: dict[AnyRun, dict[str, Any] | None] = {}
    bad: set[RunRef] = set()
    for run in runs:
        try:
            metrics = store.metrics(run)
            if metrics is None and (first := next((ref for ref in needs(run) if ref in bad), None)):
                raise UserError(f"{run.title}, which needs the {first.kind} {first}")
            found[run] = metrics
        except UserError as error:
            leave_out(error)
            bad.add(run.ref)
    return found


def readable(items: Iterable[Item], row: Callable[[Item], Row]) -> list[Row]:
    """What `row` makes of each item; one for which it finds a file that can not be read is named and left out."""
    rows = []
    for item in items:
        try:
            rows.append(row(item))
        except UserError as error:
            leave_out(error)
    return rows


LEFT_OUT: list[str] = []  # the reasons, as often as something was; what made it longer ends with exit status 1


def leave_out(error: UserError) -> None:
    """Tells of something that is left out, once in a process."""
    LEFT_OUT.append(str(error))
    _told(str(error))


@functools.cache
def _told(reason: str) -> None:
    terminal.say(f"left out: {reason}")


def read_run(folder: Path) -> Run:
    """The run of a directory.

    Raises:
        BadRun: its `config.json` describes none that this version knows.
        Damaged: the file can not be read.
    """
    return run_from(read_json(folder / "config.json"), folder / "config.json")


def asked(store: Store) -> list[Run]:
    """The runs that studies have asked of a store and nobody has finished, by kind and directory.

    Raises:
        StoreError: another version of keras_art asked for one of them.
        BadRun, Damaged: one of them can not be read.
    """
    found = []
    for path in sorted(path for kind in kinds() for path in (store.root / kind).glob("*/config.json")):
        if not (path.parent / "metrics.json").exists():
            version = read_json(path.parent / "environment.json")["versions"].get("keras_art")
            if version not in (__version__, NOT_INSTALLED):
                raise StoreError(
                    f"{path.parent} was asked for by keras_art {version}, and this is {__version__}: use that version, "
                    "or start the study that asks for it anew with this one"
                )
            found.append(read_run(path.parent))
    return found


def run_of(store: Store, ref: RunRef) -> Run:
    """The run that another one names.

    Raises:
        StoreError: nobody has begun it in this store.
    """
    return read_run(store.find(ref))


def has_diverged(store: Store, ref: RunRef) -> bool:
    """Whether the finished run that another one names diverged.

    Raises:
        StoreError: nobody has begun it in this store.
        Damaged: its metrics can not be read.
    """
    return read_json(store.find(ref) / "metrics.json", fields={"status": str})["status"] == "diverged"


class Rivals(Generic[AnyRun]):
    """Runs by the cells of a table in which they would stand.

    Args:
        cell: what names a run's cell.
    """

    def __init__(self, runs: Iterable[AnyRun], cell: Callable[[AnyRun], Hashable]) -> None:
        self.cell = cell
        self._values: dict[Hashable, dict[str, set[Any]]] = {}
        for run in runs:
            of_cell = self._values.setdefault(cell(run), {})
            for field in dataclasses.fields(run):
                of_cell.setdefault(field.name, set()).add(getattr(run, field.name))

    def values(self, run: AnyRun) -> dict[str, set[Any]]:
        """Field -> what it is in the runs that share a run's cell, that run or not."""
        return self._values.get(self.cell(run), {})


def variant(
    run: AnyRun,
    rivals: Rivals[AnyRun],
    told: Iterable[str] = ("seed",),
    word: Callable[[AnyRun, str], str | None] = lambda run, field: None,
) -> str:
    """The `settings` of a run as a label says them: ` [epochs=9]`; "" where there are none."""
    return bracketed(settings(run, rivals, told, word))


def settings(
    run: AnyRun,
    rivals: Rivals[AnyRun],
    told: Iterable[str] = ("seed",),
    word: Callable[[AnyRun, str], str | None] = lambda run, field: None,
) -> list[str]:
    """The fields in which a run differs from others that would stand in the same cell of a table: `epochs=9`.

    Args:
        told: the fields that are told apart otherwise. References to runs always are.
        word: (run, field) -> how a person would have asked for its value; "" where it goes without saying, None where
            its name and value say it: of an optimizer, what of it differs.
    """
    values, differing = rivals.values(run), list[str]()
    for field in dataclasses.fields(run):
        own = getattr(run, field.name)
        if field.name in told or isinstance(own, RunRef):
            continue
        plain = {own, *(value for value in values.get(field.name, ()) if not isinstance(value, RunRef))}
        if len(plain) > 1:
            asked = word(run, field.name)
            differing += _differing(field.name, own, plain) if asked is None else [asked]
    return list(filter(None, differing))


def bracketed(words: Iterable[str]) -> str:
    """Settings as a label says them."""
    said = ", ".join(words)
    return f" [{said}]" if said else ""


def _differing(name: str, value: Any, values: Collection[Any]) -> list[str]:
    if not isinstance(value, Optimizer):
        return [f"{name}={value}"]
    theirs = [_parts(other) for other in values if isinstance(other, Optimizer)]
    return [
        f"{part}={words}" for part, words in _parts(value).items() if any(other.get(part) != words for other in theirs)
    ]


def _parts(optimizer: Optimizer) -> dict[str, str]:
    """What a person may ask of an optimizer, in words."""
    parts = {"optimizer": optimizer.name, "learning_rate": f"{optimizer.learning_rate:g}"}
    parts |= {option: str(value) for option, value in optimizer.options}
    return parts | {"drops": " ".join(map(str, optimizer.drops)) or "none"}

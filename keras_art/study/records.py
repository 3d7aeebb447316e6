"""What a store knows of finished runs, whatever made them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.store.reading import read_json
from keras_art.store.runs import NOT_INSTALLED, Store, StoreError
from keras_art.study.config import AnyRun, BadRun, Run, RunRef, kinds, run_from
from keras_art.version import __version__


def finished(store: Store, kind: type[AnyRun]) -> list[tuple[AnyRun, dict[str, Any]]]:
    """Every finished run of a kind with its metrics, by directory name; one that can not be read is named and left out.

    The message is given once in a process, however many tables ask.
    """
    found = []
    for path in sorted((store.root / kind.kind).glob("*/metrics.json")):
        try:
            run = read_run(path.parent)
            if path.parent.name != run.folder_name:
                raise BadRun(f"{path.parent} is not called as its run, {run.folder_name}: a copy counts for none")
            if isinstance(run, kind) and (metrics := store.metrics(run)) is not None:
                found.append((run, metrics))
        except UserError as error:
            _left_out(str(error))
    return found


@functools.cache
def _left_out(reason: str) -> None:
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
    return read_json(store.find(ref) / "metrics.json")["status"] == "diverged"


def variant(
    run: AnyRun,
    others: Sequence[AnyRun],
    cell: Callable[[AnyRun], Hashable],
    told: Iterable[str] = ("seed",),
    word: Callable[[AnyRun, str], str] = lambda run, field: f"{field}={getattr(run, field)}",
) -> str:
    """The fields in which a run differs from others that would stand in the same cell of a table: ` [epochs=9]`.

    Args:
        cell: what names a run's cell.
        told: the fields that are told apart otherwise. References to runs always are.
        word: (run, field) -> how a person would have asked for its value; "" where it goes without saying.
    """
    rivals = [run, *(other for other in others if cell(other) == cell(run))]
    differing = []
    for field in dataclasses.fields(run):
        values = [getattr(rival, field.name) for rival in rivals]
        plain = {value for value in values if not isinstance(value, RunRef)}
        if field.name not in told and values[0] in plain and len(plain) > 1:
            differing.append(word(run, field.name))
    words = ", ".join(filter(None, differing))
    return f" [{words}]" if words else ""

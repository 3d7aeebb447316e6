"""Computes what studies have asked of a store, beside whoever else does: by hand, other hosts, SLURM or Ray."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.data.kept import facts_of
from keras_art.errors import UserError
from keras_art.store.runs import Store
from keras_art.study import workers
from keras_art.study.config import Run, digest
from keras_art.study.costs import Estimate
from keras_art.study.devices import devices_of, settle
from keras_art.study.plan import ordered
from keras_art.study.records import asked, states


@dataclass(frozen=True)
class Work:
    """Takes runs that studies have asked for and nobody has finished, until none is left; several may do so at once."""

    store: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="STORE")]
    """The folder of runs, reached by every host under this name or another."""
    digests: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[DIGEST ...]")] = ()
    """Of the runs to compute, and with them what they need; none: all."""
    jobs: int = 1
    """Processes of this machine."""
    devices: str = "auto"
    """As of a study."""


def command(asked_for: Work) -> int:
    """Computes what is left; returns the exit status.

    Raises:
        UserError: there is no such store or run, or another version of keras_art asked for the runs.
    """
    store = Store(asked_for.store)
    if not (store.root / "store.json").is_file():
        if any(store.root.glob("*/*/config.json")):
            raise UserError(
                f"{store.root / 'store.json'} is absent: python -m keras_art store check {store.root} --repair"
            )
        raise UserError(f"{store.root} is no store: a study makes one")
    devices = devices_of(asked_for.devices, asked_for.jobs)
    store.enter()  # first: one that is moved away in this moment is not made anew
    store.create()
    settle(store, devices[0] if asked_for.jobs == 1 else None)
    if not (runs := chosen(store, asked_for.digests)):
        terminal.say(f"nothing is left to do in {store.root}")
        return 0
    terminal.start_backend()
    keys = [path.parent.name for path in store.root.glob("collections/*/task.json")]
    estimate = Estimate(store, {key: facts_of(store, key)["n_images"] for key in keys})
    workers.compute(store, runs, estimate.seconds, devices)
    return 0 if all(states(store, runs).get(run) is not None for run in runs) else 1


def chosen(store: Store, digests: Sequence[str]) -> list[Run]:
    """The unfinished runs of these digests, or all, each after what it needs.

    Raises:
        UserError: no run has such a digest.
    """
    known = {digest(run): run for run in asked(store)}
    finished = {path.parent.name.rsplit("-", 1)[-1] for path in store.root.glob("*/*/metrics.json")}
    if unknown := [word for word in digests if word not in known and word not in finished]:
        raise UserError(f"no study has asked {store.root} for the run {unknown[0]}")
    wanted = [known[word] for word in digests if word in known] if digests else list(known.values())
    return [run for run in ordered(store, wanted) if store.metrics(run) is None]


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    prog = "python -m keras_art work"
    return flags.run(Work, command, words, prog=prog, description=Work.__doc__ or "", trains=True)

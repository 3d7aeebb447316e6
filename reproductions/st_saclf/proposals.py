"""The runs that a search tries, and the flags that ask for one of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from keras_art.study.config import Optimizer
from reproductions.st_saclf.kinds import SaclfRun
from reproductions.st_saclf.study import ADAMS, Study

if TYPE_CHECKING:
    import optuna

PLURAL = ("networks", "modes", "attention", "losses", "seeds")  # of which trials have the first value


def cell(run: SaclfRun, trial: optuna.trial.BaseTrial, asked: Study) -> SaclfRun:
    """A trial of the grid: `run` with its shares of stylised images."""
    p1, p2 = trial.suggest_categorical("p1", asked.p1), trial.suggest_categorical("p2", asked.p2)
    return dataclasses.replace(run, p1=p1, p2=p2, stylised=run.stylised if p1 or p2 else None)


def tuned(run: SaclfRun, trial: optuna.trial.BaseTrial) -> SaclfRun:
    """A trial of the second stage: the best cell with what the paper searches, in its ranges.

    Rates and decays are searched on a logarithmic scale. The rate is of the run's own optimizer, whose options and
    drops stay.
    """
    optimizer = run.optimizer
    if not run.stages:
        rate = trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)
        optimizer = dataclasses.replace(optimizer, learning_rate=_short(rate))
    return dataclasses.replace(
        run,
        optimizer=optimizer,
        dropout=_short(trial.suggest_float("dropout", 0.0, 0.5)),
        weight_decay=_short(trial.suggest_float("weight_decay", 1e-6, 1e-3, log=True)),
        loss=trial.suggest_categorical("losses", ("cross_entropy", "focal")),
        regularizer=trial.suggest_categorical("regularizer", ("l1", "l2")),
    )


def _short(value: float) -> float:
    """Four digits, which are trained with and printed alike: the flags make the very run of the trial."""
    return float(f"{value:.4g}")


def flags_of(run: SaclfRun, asked: Study, *, is_tuned: bool) -> str:
    """What makes one run, a trial's, of a search's command.

    Args:
        is_tuned: whether it is of the second stage.
    """
    said = {flag: getattr(asked, flag)[0] for flag in PLURAL if len(getattr(asked, flag)) > 1}
    said |= {"p1": run.p1, "p2": run.p2}
    if is_tuned and not run.stages:
        of_adam = asked.optimizer in ADAMS
        said |= {"learning_rate": run.optimizer.learning_rate} if of_adam else {"optimizer": _spelled(run.optimizer)}
    if is_tuned:
        said |= {"dropout": run.dropout, "weight_decay": run.weight_decay}
        said |= {"losses": run.loss, "regularizer": run.regularizer}
    return " ".join(f"--{flag} {value}" for flag, value in said.items())


def _spelled(optimizer: Optimizer) -> str:
    """An optimizer as `--optimizer` takes it, but for its drops, which have a flag of their own."""
    options = (f",{name}={str(value).lower()}" for name, value in optimizer.options)
    return f"{optimizer.name}@{optimizer.learning_rate}{''.join(options)}"

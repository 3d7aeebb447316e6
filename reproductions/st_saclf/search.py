"""The two-stage search: a grid over p1 and p2, then a Bayesian search over what trains; the test split is not touched.

Both stages are studies of one Optuna file, `<store>/st_saclf/search/NAME-DIGEST.db`, and go on where they were
stopped. Trials are judged by the best validation accuracy; those of the second stage are given up when they fall behind
the median of the others. Fields in the plural give the first value of a trial; --epochs is a trial's. Where --stages
names the learning rates, none is searched.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art import terminal
from keras_art.commands import flags
from keras_art.commands.machine import prepare
from keras_art.errors import UserError
from keras_art.store.runs import Store
from keras_art.study import workers
from keras_art.study.config import Optimizer
from keras_art.study.costs import Estimate
from keras_art.study.files import keep_files
from keras_art.study.kinds.adain import Stylised
from keras_art.study.plan import ordered, plan
from reproductions.st_saclf.grid import begin, collections, files, runs
from reproductions.st_saclf.kinds import SaclfRun
from reproductions.st_saclf.study import PRESETS, Study, check

if TYPE_CHECKING:
    import optuna

PROG = "python -m reproductions.st_saclf search"
STAGES = ("grid", "bayes")
# What trials differ in, and the seed.
SEARCHED = ("p1", "p2", "seed", "dropout", "weight_decay", "optimizer", "loss", "regularizer")


@dataclass(frozen=True)
class Search(Study):
    """A study whose p1 and p2 form the grid of the first stage; the second begins at its best cell."""

    trials: int = 30
    """Of the Bayesian stage."""


def main(words: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    presets = {name: Search(**vars(preset)) for name, preset in PRESETS.items()}
    asked = flags.parse(Search, presets, words, prog=PROG, description=__doc__ or "")
    return terminal.guarded(lambda: command(asked), PROG)


def command(asked: Search) -> int:
    """Searches, draws, and prints the best settings as flags."""
    check(asked)
    if asked.jobs > 1 or asked.executor != "here":
        raise UserError("a search learns from each trial before the next one: it is one process, here")
    store = Store(asked.store)
    store.create()
    workers.settle(store)
    chosen = collections(asked, store)
    found = ordered(store, runs(asked, chosen, store))
    first = [run for run in found if not isinstance(run, SaclfRun)]
    run = next(run for run in reversed(found) if isinstance(run, SaclfRun))  # of which all trials are variants
    run = dataclasses.replace(run, stylised=next((made.ref for made in first if isinstance(made, Stylised)), None))
    keep_files(store, files(asked))
    folder = store.root / "st_saclf" / "search"
    cells = len(asked.p1) * len(asked.p2)
    estimate = Estimate(store, {choice.key: len(choice.images) for _, choice in chosen.values()})
    planned = (
        f"{cells} trials on the grid, then {asked.trials}, of {run.epochs} epochs each, into {folder}: about "
        f"{terminal.duration((cells + asked.trials) * estimate.seconds(run))} ({estimate.basis([run])})"
    )
    if first:
        planned = f"{plan(store, first, estimate)}, and then\n{planned}"
    if asked.dry_run:
        print(planned)
        return 0
    terminal.say(planned)
    missing = [made for made in first if store.metrics(made) is None]
    prepare(store, chosen, [*missing, run])
    begin(asked, store, chosen, [*missing, run])
    workers.compute(store, missing, {made: estimate.seconds(made) for made in missing})
    file = folder / f"{run.collection}-{_digest(run)}.db"
    folder.mkdir(parents=True, exist_ok=True)
    with store.lock(file):
        grid, bayes = search(store, run, file, asked)
        draw(grid, bayes, file.with_suffix(""))
    accuracy, best = best_of(grid, bayes)
    if asked.trials and best == grid.best_params:
        terminal.say("nothing the second stage tried was better than the best cell of the grid")
    terminal.say(
        f"best validation accuracy {accuracy:.1%}; test it by the same command without the word search, and with"
    )
    print(
        " ".join(
            f"--{name} {value:.4g}" if isinstance(value, float) else f"--{name} {value}" for name, value in best.items()
        )
    )
    return 0


def _digest(run: SaclfRun) -> str:
    """Eight hex digits of what all trials share."""
    shared = {name: value for name, value in run.as_json().items() if name not in SEARCHED}
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()[:8]


def search(store: Store, run: SaclfRun, file: Path, asked: Search) -> tuple[optuna.Study, optuna.Study]:
    """Both stages, as far as they are not done; returns their Optuna studies.

    Raises:
        UserError: the grid stored in `file` is of other values.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = f"sqlite:///{file}"
    space = {"p1": list(asked.p1), "p2": list(asked.p2)}
    samplers = optuna.samplers.GridSampler(space, seed=0), optuna.samplers.TPESampler(seed=0)
    median = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=max(1, run.epochs // 4))
    pruners = optuna.pruners.NopPruner(), median  # a heat map needs cells that were trained alike
    grid, bayes = (
        optuna.create_study(
            storage=storage, study_name=name, sampler=sampler, pruner=pruner, direction="maximize", load_if_exists=True
        )
        for name, sampler, pruner in zip(STAGES, samplers, pruners, strict=True)
    )
    if grid.user_attrs.setdefault("space", space) != space:
        raise UserError(f"{file} holds a search over {grid.user_attrs['space']}: ask for the same --p1 and --p2 again")
    grid.set_user_attr("space", space)

    def cell(trial: optuna.Trial) -> SaclfRun:
        return dataclasses.replace(
            run, p1=trial.suggest_categorical("p1", asked.p1), p2=trial.suggest_categorical("p2", asked.p2)
        )

    def settings(trial: optuna.Trial) -> SaclfRun:
        # The paper's ranges; rates and decays on a logarithmic scale.
        optimizer = run.optimizer
        if not run.stages:
            optimizer = Optimizer("Adam", trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True))
        return dataclasses.replace(
            run,
            **grid.best_params,
            optimizer=optimizer,
            dropout=trial.suggest_float("dropout", 0.0, 0.5),
            weight_decay=trial.suggest_float("weight_decay", 1e-6, 1e-3, log=True),
            loss=trial.suggest_categorical("losses", ("cross_entropy", "focal")),
            regularizer=trial.suggest_categorical("regularizer", ("l1", "l2")),
        )

    for stage, wanted, proposed in ((grid, len(asked.p1) * len(asked.p2), cell), (bayes, asked.trials, settings)):
        _forget_killed(stage)
        left = wanted - sum(trial.state.is_finished() and trial.state.name != "FAIL" for trial in stage.trials)
        if left > 0:
            stage.optimize(_objective(store, proposed, file.with_suffix(""), f"{stage.study_name}, of {wanted}"), left)
        if stage is grid and not completed(grid):
            raise UserError("all cells of the grid diverged: give a lower --learning_rate, or lower --stages")
    return grid, bayes


def completed(stage: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that were neither given up nor diverged: Optuna gives those, too, a value."""
    import optuna

    return stage.get_trials(states=(optuna.trial.TrialState.COMPLETE,))


def best_of(grid: optuna.Study, bayes: optuna.Study) -> tuple[float, dict[str, Any]]:
    """The best validation accuracy, and the settings that had it: those of the grid's cell where no later one did."""
    if completed(bayes) and bayes.best_value > grid.best_value:
        return bayes.best_value, {**grid.best_params, **bayes.best_params}
    return grid.best_value, grid.best_params


def _forget_killed(stage: optuna.Study) -> None:
    """A trial whose process was killed runs on in the file: it is told as failed, and its settings are tried again."""
    import optuna

    for trial in stage.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        stage.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        if trial.params:
            stage.enqueue_trial(trial.params)


def _objective(
    store: Store, proposed: Callable[[optuna.Trial], SaclfRun], folder: Path, words: str
) -> Callable[[optuna.Trial], float]:
    """Trains a trial's run and returns its best validation accuracy."""
    import optuna

    from keras_art.learning import training as training_
    from reproductions.st_saclf import training

    def objective(trial: optuna.Trial) -> float:
        run = proposed(trial)
        best, ended = 0.0, ", stopped"

        def on_epoch(epoch: int, logs: dict[str, float]) -> None:
            nonlocal best
            best = max(best, logs["val_accuracy"])
            trial.report(best, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        training_.make_deterministic(run.seed)
        place = folder / f"{trial.study.study_name}-{trial.number}"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        try:
            with training_.precision(run.precision):
                _, _, finite = training.fit(store, run, place, training.load_data(store, run), on_epoch)
            ended = "" if finite else ", diverged"
        except optuna.TrialPruned:
            ended = ", given up"
            raise
        finally:
            shutil.rmtree(place / "checkpoint", ignore_errors=True)
            told = ", ".join(
                f"{name} {value:.3g}" if isinstance(value, float) else value for name, value in trial.params.items()
            )
            terminal.say(f"{words}: trial {trial.number + 1}: {told}: {best:.1%}{ended}")
        if not finite:
            raise optuna.TrialPruned
        return best

    return objective


def draw(grid: optuna.Study, bayes: optuna.Study, folder: Path) -> None:
    """The grid as a heat map, the second stage's history, and each of its parameters against the accuracy."""
    import pandas as pd

    from keras_art.report import figures
    from reproductions.st_saclf.figures import heat_map, parameters

    frame = pd.DataFrame([{**trial.params, "accuracy": 100 * trial.values[0]} for trial in completed(grid)])
    figures.save(heat_map(frame, "accuracy", "validation accuracy, %"), folder / "p1-p2.png")
    if len(completed(bayes)) > 1:
        figures.save(parameters(bayes), folder / "parameters.png")

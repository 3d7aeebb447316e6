"""The two-stage search: a grid over p1 and p2, then a Bayesian search over what trains; the test split is not touched.

Both stages are studies of one Optuna file, `<store>/st_saclf/search/NAME-DIGEST.db`, and go on where they were
stopped. Trials are judged by the best validation accuracy; those of the second stage are given up when they fall behind
the median of the others. Fields in the plural give the first value of a trial; --epochs is a trial's. Where --stages
names the learning rates, none is searched.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.store import runs
from keras_art.study import plan as studies
from reproductions import st_saclf
from reproductions.st_saclf import study as study_
from reproductions.st_saclf.study import PAPER, Run, Study

if TYPE_CHECKING:
    import optuna
    from matplotlib.figure import Figure

STAGES = ("grid", "bayes")


@dataclass(frozen=True)
class Search(Study):
    """A study whose p1 and p2 form the grid of the first stage; the second begins at its best cell."""

    trials: int = 30
    """Of the Bayesian stage."""


def command(asked: Search) -> int:
    """Searches, draws, and prints the best settings as flags."""
    study_.check(asked)
    store = runs.Store(asked.store)
    store.create()
    chosen = study_.choices(asked, store)
    run = study_.runs_of(dataclasses.replace(asked, p1=asked.p1[:1], p2=asked.p2[:1]), chosen)[-1]
    made = study_.makers(asked, chosen["target"][1])
    if made:
        run = dataclasses.replace(run, stylised=runs.digest(made[1]))
    folder = store.root / PAPER / "search"
    st_saclf.keep_files(asked, store)
    cells = len(asked.p1) * len(asked.p2)
    estimate = studies.Estimate(store, Run, {choice.key: len(choice.images) for _, choice in chosen.values()})
    plan = (
        f"{cells} trials on the grid, then {asked.trials}, of {run.epochs} epochs each, into {folder}: at most "
        f"{terminal.duration((cells + asked.trials) * estimate.seconds(run))} ({estimate.basis}), "
        "without what comes first"
    )
    if asked.dry_run:
        print(plan)
        return 0
    terminal.say(plan)
    begin(asked, store, chosen, estimate)
    file = folder / f"{run.collection}-{_digest(run)}.db"
    folder.mkdir(parents=True, exist_ok=True)
    with store.lock(file):
        grid, bayes = search(store, run, file, asked)
        figures_of(grid, bayes, file.with_suffix(""))
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


def begin(asked: Search, store: runs.Store, chosen: dict[str, Any], estimate: studies.Estimate) -> None:
    """What comes before any trial: pretraining, the decoder, the stylised set."""
    missing = [run for run in study_.runs_of(asked, chosen) if store.metrics(run) is None]
    st_saclf.prepare(asked, store, chosen, missing or study_.runs_of(asked, chosen))
    made = study_.makers(asked, chosen["target"][1])
    if made:
        st_saclf.make(store, made)
    from reproductions.st_saclf import training

    first = [run for run in missing if run.mode == "pretraining"]
    studies.carry_out(store, first, estimate, functools.partial(training.carry_out, store))


def _digest(run: Run) -> str:
    """Eight hex digits of what all trials share."""
    searched = ("p1", "p2", "seed", "dropout", "weight_decay", "learning_rate", "loss", "regularizer")
    shared = {name: value for name, value in dataclasses.asdict(run).items() if name not in searched}
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()[:8]


def search(store: runs.Store, run: Run, file: Path, asked: Search) -> tuple[optuna.Study, optuna.Study]:
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

    def cell(trial: optuna.Trial) -> Run:
        return dataclasses.replace(
            run, p1=trial.suggest_categorical("p1", asked.p1), p2=trial.suggest_categorical("p2", asked.p2)
        )

    def settings(trial: optuna.Trial) -> Run:
        # The paper's ranges; rates and decays on a logarithmic scale.
        rate: dict[str, Any] = {}
        if not run.stages:
            rate["learning_rate"] = trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)
        return dataclasses.replace(
            run,
            **grid.best_params,
            **rate,
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
    store: runs.Store, proposed: Callable[[optuna.Trial], Run], folder: Path, words: str
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


def figures_of(grid: optuna.Study, bayes: optuna.Study, folder: Path) -> None:
    """The grid as a heat map, the second stage's history, and each of its parameters against the accuracy."""
    import pandas as pd

    from keras_art.report import figures
    from reproductions.st_saclf.figures import heat_map

    frame = pd.DataFrame([{**trial.params, "accuracy": 100 * trial.values[0]} for trial in completed(grid)])
    figures.save(heat_map(frame, "accuracy", "validation accuracy, %"), folder / "p1-p2.png")
    if len(completed(bayes)) > 1:
        figures.save(parameters(bayes), folder / "parameters.png")


def parameters(stage: optuna.Study) -> Figure:
    """Validation accuracy of trials, by number and against each parameter; a line is the best so far.

    Hollow are trials that were given up or diverged, at the best they had reached.
    """
    import numpy as np
    from matplotlib.figure import Figure
    from optuna.distributions import FloatDistribution

    from keras_art.report.lettering import font

    trials = [trial for trial in stage.trials if trial.values]
    values = [100 * trial.values[0] for trial in trials]
    columns = {"trial": [trial.number + 1 for trial in trials]}
    columns |= {name: [trial.params[name] for trial in trials] for name in trials[0].params}
    whole = [trial.state.name == "COMPLETE" for trial in trials]
    figure = Figure(figsize=(2.2 * len(columns), 2.4), layout="constrained")
    for ax, (name, places) in zip(
        np.atleast_1d(figure.subplots(1, len(columns), sharey=True)), columns.items(), strict=True
    ):
        ax.scatter(places, values, s=12, facecolors=["C0" if done else "none" for done in whole], edgecolors="C0")
        if name == "trial":
            so_far = np.maximum.accumulate([value if done else 0 for value, done in zip(values, whole, strict=True)])
            ax.step(np.array(places)[so_far > 0], so_far[so_far > 0], where="post")
            ax.set_ylabel("validation accuracy, %", fontproperties=font(8))
        range_ = trials[0].distributions.get(name)
        if isinstance(range_, FloatDistribution):
            ax.set_xscale("log" if range_.log else "linear")
            ax.set_xlim(range_.low, range_.high)
        elif range_:
            ax.margins(x=0.6)  # room for the words below
        ax.set_xlabel(name, fontproperties=font(8))
    return figure

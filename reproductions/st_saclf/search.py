"""The two-stage search: a grid over p1 and p2, then a Bayesian search over what trains; the test split is not touched.

Both stages are studies of one Optuna file, `<store>/st_saclf/search/NAME-DIGEST.db`, which holds finished trials alone.
A trial's settings follow from those before it and its number, and its training goes on from its last whole epoch: a
search that was stopped ends with the trials of one that was not. Trials are judged by the best validation accuracy;
those of the second stage are given up when they fall behind the median of the others. Fields in the plural give the
first value of a trial; --epochs is a trial's. The learning rate that is searched is that of --optimizer, in the paper's
range, which is one of Adam; where --stages names the rates, none is. DIGEST is of all that trials depend on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art import terminal
from keras_art.commands import flags
from keras_art.commands.preparation import prepare
from keras_art.errors import UserError
from keras_art.store import plain
from keras_art.store.runs import Store
from keras_art.store.sums import in_words
from keras_art.study import precisions, workers
from keras_art.study.config import digest
from keras_art.study.costs import Estimate
from keras_art.study.devices import settle
from keras_art.study.files import files_kept
from keras_art.study.kinds.adain import Stylised
from keras_art.study.plan import ordered, plan
from reproductions.st_saclf.grid import begin, collections, files, runs
from reproductions.st_saclf.kinds import SaclfRun
from reproductions.st_saclf.proposals import cell, flags_of, tuned
from reproductions.st_saclf.study import PRESETS, Study, check

if TYPE_CHECKING:
    import optuna

PROG = "python -m reproductions.st_saclf search"
STAGES = ("grid", "bayes")


@dataclass(frozen=True)
class Search(Study):
    """A study whose p1 and p2 form the grid of the first stage; the second begins at its best cell."""

    trials: int = 30
    """Of the Bayesian stage."""


def main(words: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    presets = {name: Search(**vars(preset)) for name, preset in PRESETS.items()}
    return terminal.guarded(
        lambda: command(flags.parse(Search, presets, words, prog=PROG, description=__doc__ or "")), PROG, trains=True
    )


def command(asked: Search) -> int:
    """Searches, draws, and prints the best settings as flags."""
    check(asked)
    if asked.stylise_at != "once":
        raise UserError("a search trains every trial on the same stylised images: leave --stylise_at out")
    if asked.jobs > 1 or asked.executor != "here":
        raise UserError("a search learns from each trial before the next one: it is one process, here")
    store = Store(asked.store)
    store.create(asked.threads)
    settle(store)
    chosen = collections(asked, store)
    with files_kept(store, files(asked)):
        found = precisions.settled(store, ordered(store, runs(asked, chosen, store)), measuring=not asked.dry_run)
        first = [run for run in found if not isinstance(run, SaclfRun)]
        run = next(run for run in found if isinstance(run, SaclfRun))  # of which all trials are variants
        run = dataclasses.replace(run, stylised=next((made.ref for made in first if isinstance(made, Stylised)), None))
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
    workers.compute(store, missing, estimate.seconds)
    file = folder / f"{run.collection}-{shared(run)}.db"
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
    print(flags_of(run_of(run, best, asked), asked, is_tuned="dropout" in best))
    return 0


def shared(run: SaclfRun) -> str:
    """Eight hex digits of what all trials of a search have from its command: their run but for its cell of the grid."""
    return digest(dataclasses.replace(run, p1=0.0, p2=0.0))


def run_of(run: SaclfRun, params: dict[str, Any], asked: Search) -> SaclfRun:
    """The run of a trial, by its parameters."""
    import optuna

    fixed = optuna.trial.FixedTrial(params)
    of_cell = cell(run, fixed, asked)
    return tuned(of_cell, fixed) if "dropout" in params else of_cell


def search(store: Store, run: SaclfRun, file: Path, asked: Search) -> tuple[optuna.Study, optuna.Study]:
    """Both stages, as far as they are not done; returns their Optuna studies.

    Raises:
        UserError: the grid stored in `file` is of other values, or the file is damaged.
    """
    import optuna
    from sqlalchemy.exc import DatabaseError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = f"sqlite:///{file}"
    space = {"p1": list(asked.p1), "p2": list(asked.p2)}
    with contextlib.suppress(FileNotFoundError):
        plain.opened(file).close()  # SQLite would wait for a pipe
    try:
        grid, bayes = (
            optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
            for name in STAGES
        )
        for stage in (grid, bayes):
            stage.get_trials()
    except DatabaseError as error:
        raise UserError(
            f"{file}, which holds the trials of this search, is damaged ({in_words(error.orig or error)}): "
            f"python -m keras_art store check {store.root} --repair sets it aside, and the search begins anew"
        ) from error
    if grid.user_attrs.setdefault("space", space) != space:
        raise UserError(f"{file} holds a search over {grid.user_attrs['space']}: ask for the same --p1 and --p2 again")
    grid.set_user_attr("space", space)

    def of_grid(trial: optuna.Trial) -> SaclfRun:
        return cell(run, trial, asked)

    def of_bayes(trial: optuna.Trial) -> SaclfRun:
        return tuned(run_of(run, grid.best_params, asked), trial)

    for stage, wanted, proposed in ((grid, len(asked.p1) * len(asked.p2), of_grid), (bayes, asked.trials, of_bayes)):
        place = file.with_suffix("") / stage.study_name
        while len(past := finished(stage)) < wanted:
            trial = following(past, run.epochs, space if stage is grid else None)
            _train(store, proposed, trial, place, f"{stage.study_name}, of {wanted}")
            stage.add_trial(trial.study.trials[-1])
        shutil.rmtree(place, ignore_errors=True)
        if stage is grid and not completed(grid):
            raise UserError("all cells of the grid diverged: give a lower --learning_rate, or lower --stages")
    return grid, bayes


def finished(stage: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that count, those that were given up among them."""
    import optuna

    return stage.get_trials(states=(optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED))


def following(
    past: Sequence[optuna.trial.FrozenTrial], epochs: int, space: Mapping[str, Sequence[float]] | None
) -> optuna.Trial:
    """The trial after those that are finished, in memory: what a killed process had drawn is drawn again.

    Args:
        epochs: of a trial.
        space: of a grid, whose first cell that is not among `past` comes next, and is not given up: a heat map needs
            cells that were trained alike. None: a sampler proposes, and the median prunes.
    """
    import optuna

    median = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=max(1, epochs // 4))
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=len(past)),
        pruner=optuna.pruners.NopPruner() if space else median,
        direction="maximize",
    )
    study.add_trials(past)
    if space:
        tried = [trial.params for trial in past]
        cells = (dict(zip(space, cell, strict=True)) for cell in itertools.product(*space.values()))
        study.enqueue_trial(next(cell for cell in cells if cell not in tried))
    return study.ask()


def completed(stage: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that were neither given up nor diverged: Optuna gives those, too, a value."""
    import optuna

    return stage.get_trials(states=(optuna.trial.TrialState.COMPLETE,))


def best_of(grid: optuna.Study, bayes: optuna.Study) -> tuple[float, dict[str, Any]]:
    """The best validation accuracy, and the settings that had it: those of the grid's cell where no later one did."""
    if completed(bayes) and bayes.best_value > grid.best_value:
        return bayes.best_value, {**grid.best_params, **bayes.best_params}
    return grid.best_value, grid.best_params


def _train(
    store: Store, proposed: Callable[[optuna.Trial], SaclfRun], trial: optuna.Trial, place: Path, words: str
) -> None:
    """Trains a trial's run, from its last whole epoch on, and tells its study the best validation accuracy."""
    import optuna

    from keras_art.learning import training as training_
    from keras_art.learning.keeping import epochs_kept
    from reproductions.st_saclf import training

    run = proposed(trial)
    best, state, ended = 0.0, optuna.trial.TrialState.COMPLETE, ""

    def on_epoch(epoch: int, logs: dict[str, float]) -> None:
        nonlocal best
        best = max(best, logs["val_accuracy"])
        trial.report(best, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    folder = place / f"{trial.number}-{digest(run)}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for epoch, row in enumerate(epochs_kept(folder), start=1):
            on_epoch(epoch, row)
        training_.make_deterministic(run.seed)
        with training_.precision(run.precision):
            _, _, finite = training.fit(store, run, folder, training.load_data(store, run), on_epoch)
        if not finite:
            state, ended = optuna.trial.TrialState.PRUNED, ", diverged"
    except optuna.TrialPruned:
        state, ended = optuna.trial.TrialState.PRUNED, ", given up"
    trial.study.tell(trial, best if state == optuna.trial.TrialState.COMPLETE else None, state)
    told = ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else value for name, value in trial.params.items()
    )
    terminal.say(f"{words}: trial {trial.number + 1}: {told}: {best:.1%}{ended}")


def draw(grid: optuna.Study, bayes: optuna.Study, folder: Path) -> None:
    """The grid as a heat map, the second stage's history, and each of its parameters against the accuracy."""
    import pandas as pd

    from keras_art.report import figures
    from reproductions.st_saclf.figures import heat_map, parameters

    frame = pd.DataFrame([{**trial.params, "accuracy": 100 * trial.values[0]} for trial in completed(grid)])
    figures.save(heat_map(frame, "accuracy", "validation accuracy, %"), folder / "p1-p2.png")
    if len(completed(bayes)) > 1:
        figures.save(parameters(bayes), folder / "parameters.png")

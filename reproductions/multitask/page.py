"""The comparison page of a study: tables, curves, confusion matrices, the shared layer, and what Gram matrices say."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from keras_art.data import labels, tasks
from keras_art.report import evaluation, figures, metrics, pages
from keras_art.report.rendering import render
from keras_art.store.reading import read_arrays, read_table
from keras_art.store.runs import Store
from keras_art.study.records import variant
from keras_art.writing import distinct, meant, write
from reproductions.multitask.kind import MultitaskRun
from reproductions.multitask.tables import cell, summary

LEAST = 3  # test images of a class for its Gram matrix to be drawn


def draw(store: Store, runs: Sequence[MultitaskRun], folder: Path) -> None:
    """Writes `COLLECTION.html` into a folder, the same table as CSV and LaTeX, and the differences as CSV.

    Only finished runs are compared; diverged ones are named. A part of the page that fails leaves a line where it
    would stand.

    Raises:
        Exception: that of the first part that failed, once the page is written without it.
    """
    key = runs[0].collection
    found = {run: store.metrics(run) or {"status": "unfinished"} for run in runs}
    done = [run for run in runs if found[run]["status"] == "ok"]
    facts = labels.facts(store, key)
    page = pages.Page(f"{runs[0].place}: {', '.join(facts)}")
    for line in f"{tasks.describe(store, key)}\n{labels.describe(store, key)}".splitlines():
        page.text(line.strip())
    if diverged := [run for run in runs if found[run]["status"] == "diverged"]:
        page.text("Diverged: " + ", ".join(run.title for run in diverged))

    page.heading("Scores on the test split, in per cent")
    page.text(
        "Means over seeds. In brackets the rules that see no pixel: a score near theirs may have been won without "
        "looking. Classes are unequal in size, so read macro F1 first."
    )
    scores = summary(store, done, facts)
    page.table(scores)
    write(folder / f"{key}.csv", render(scores, "csv"))
    write(folder / f"{key}.tex", render(scores, "latex"))

    models: dict[str, dict[int, MultitaskRun]] = {}
    for run in done:
        models.setdefault(run.model_name + variant(run, done, cell), {})[run.seed] = run
    first = {name: of_seed[min(of_seed)] for name, of_seed in models.items()}
    parts = [
        functools.partial(_compare, page, store, models, folder / f"{key}-differences.csv"),
        functools.partial(_curves, page, store, models),
        functools.partial(page.heading, "Per class, confusion and the shared layer, first seed"),
        *(functools.partial(_one_model, page, store, name, run) for name, run in first.items()),
        *(functools.partial(_gram, page, store, name, run) for name, run in first.items() if run.mode == "gram"),
    ]
    failures = []
    for part in parts if done else []:
        try:
            part()
        except Exception as error:
            page.text(f"What stands here could not be drawn: {type(error).__name__}: {error}")
            failures.append(error)
    page.save(folder / f"{key}.html")
    if failures:
        raise failures[0]


def _file(store: Store, run: MultitaskRun, name: str, task: str) -> Path:
    return store.directory(run) / f"{name}_{distinct(run.targets)[task]}.csv"


def _table(store: Store, run: MultitaskRun, task: str) -> pd.DataFrame:
    return read_table(_file(store, run, "per_class", task), converters={"class": meant})  # a class may be called NA


def pairs(models: dict[str, dict[int, MultitaskRun]]) -> list[tuple[str, str, str]]:
    """(base, other, task) worth comparing: single with multi-task, ResNet with ViT, Gram's baseline with Gram."""
    any_run = {name: next(iter(runs.values())) for name, runs in models.items()}
    found = []
    for base, a in any_run.items():
        for other, b in any_run.items():
            if base == other:
                continue
            shared = [task for task in a.targets if task in b.targets]
            same_network = a.network == b.network
            if same_network and (a.mode, b.mode) in (("single", "multitask"), ("baseline", "gram")):
                found += [(base, other, task) for task in shared]
            if not same_network and a.mode == b.mode and list(any_run).index(base) < list(any_run).index(other):
                found += [(base, other, task) for task in shared]
    return found


def differences_table(store: Store, models: dict[str, dict[int, MultitaskRun]]) -> pd.DataFrame:
    """One row per pair of models, task and score, paired by seed, in per cent points."""
    rows = []
    for base, other, task in pairs(models):
        seeds = sorted(set(models[base]) & set(models[other]))
        for score in ("accuracy", "macro_f1"):
            a, b = (
                [100 * (store.metrics(models[name][seed]) or {})[f"test_{task}_{score}"] for seed in seeds]
                for name in (base, other)
            )
            rows.append({"task": task, "base": base, "other": other, "score": score, **evaluation.paired(a, b)})
    return pd.DataFrame(rows)


def _compare(page: pages.Page, store: Store, models: dict[str, dict[int, MultitaskRun]], csv: Path) -> None:
    frame = differences_table(store, models)
    if frame.empty:
        return
    page.heading("Pairs of models, seed by seed")
    page.text(
        "The difference other - base in per cent points and its 95% t-interval over seeds that both ran. Beyond noise "
        "means that the interval leaves out 0: noise of seeds, not of the test set's size."
    )
    page.table(frame)
    write(csv, render(frame, "csv"))
    for base, other, task in pairs(models):
        if len(set(models[base]) & set(models[other])) > 1:
            one, two = (
                {seed: _table(store, run, task) for seed, run in models[name].items()} for name in (base, other)
            )
            classes = evaluation.per_class_differences(one, two)
            page.figure(pages.differences(classes, f"F1 of each {task}: {other} - {base}"))
    page.text("Of classes that do not differ at all, one in twenty is filled by chance.")


def _curves(page: pages.Page, store: Store, models: dict[str, dict[int, MultitaskRun]]) -> None:
    page.heading("Learning curves")
    page.text(
        "Mean over seeds, in a band from the smallest to the largest; the dot is the last epoch, the grey line where "
        "the backbone thaws. Losses of training are with dropout and augmentation; of several columns they are the sum."
    )
    every = [run for runs in models.values() for run in runs.values()]
    of_task = {task: f"{task}_accuracy" for run in every for task in run.targets}
    for title, column in {**of_task, "loss": "loss"}.items():
        curves: dict[str, dict[str, pd.DataFrame]] = {}
        for name, runs in models.items():
            told = {seed: run for seed, run in runs.items() if title == "loss" or title in run.targets}
            tables = [read_table(store.directory(run) / "history.csv").assign(seed=seed) for seed, run in told.items()]
            for part, shown in (("training", column), ("validation", f"val_{column}")):
                lines = [table[["epoch", "seed", shown]].rename(columns={shown: "curve"}) for table in tables]
                if lines:
                    curves.setdefault(name, {})[part] = pd.concat(lines)
        words = "loss" if title == "loss" else "accuracy"
        figure = figures.learning_curves(curves, title=title, metric="curve")
        figure.axes[0].set_ylabel(words)
        for thaw in {run.frozen_epochs for run in every} - {0}:
            figure.axes[0].axvline(thaw + 0.5, color="0.6", linewidth=1)
        page.figure(figure)
    for name, runs in models.items():
        for seed, run in runs.items():
            if weights := (store.metrics(run) or {}).get("task_weights"):
                said = ", ".join(f"{task} {weight:.3f}" for task, weight in weights.items())
                page.text(f"{name}, seed {seed}: learned weights of the losses {said}")


def _one_model(page: pages.Page, store: Store, name: str, run: MultitaskRun) -> None:
    """Per-class scores, confusion matrices, and t-SNE of the shared layer coloured by every label column there is."""
    page.text(name)
    for task in run.targets:
        table = _table(store, run, task)
        page.table(table.sort_values("support", ascending=False, ignore_index=True))
        found = read_table(_file(store, run, "predictions", task), dtype=str, keep_default_na=False)
        found = found[found["label"] != ""]
        places = {cls: i for i, cls in enumerate(table["class"].astype(str))}
        true, predicted = (found[column].map(meant).map(places).to_numpy() for column in ("label", "predicted"))
        counts = metrics.confusion(true, predicted, len(places))
        page.figure(figures.confusion_matrix(counts, list(places), title=f"{name}: {task}"))
    stored = read_arrays(store.directory(run) / "shared.npz")
    features, rows = stored["features"], stored["rows"]
    if len(features) < 5:
        return
    points = evaluation.projection(features)
    columns = tasks.load(store, run.collection, run.image_size, run.resize).task.columns
    for column in labels.facts(store, run.collection):
        names = columns[column].iloc[rows].tolist()
        page.figure(pages.scatter(points, names, f"{name}: shared layer by {column}"))


def gram_findings(store: Store, run: MultitaskRun) -> tuple[dict[str, np.ndarray], np.ndarray, list[str]]:
    """What a Gram run's test images say: style -> mean Gram matrix minus the mean of all; contributions; classes."""
    from keras_art.networks import gram
    from keras_art.networks.loading import load_model
    from keras_art.pictures.pipeline import Batches

    ready = tasks.load(store, run.collection, run.image_size, run.resize)
    known = labels.read_labels(ready.task, run.targets)
    classes, test = known.classes[run.targets[0]], ready.part("test")
    index = known.index[test, 0]
    model = load_model(store.directory(run))
    batches = Batches(ready.pixels, ready.rows[test], known.index[test], run.batch_size)
    grams = gram.gram_reader(model).predict(batches.epochs(), verbose=0)
    mean = grams.mean(axis=0)
    shown = {
        name: grams[index == i].mean(axis=0) - mean for i, name in enumerate(classes) if (index == i).sum() >= LEAST
    }
    return shown, gram.contributions(model, grams, index), classes


def strongest(contributions: np.ndarray, classes: Sequence[str], top: int = 3) -> pd.DataFrame:
    """The feature correlations that add most to each style's logit: one row per style and pair of channels."""
    rows: list[dict[str, Any]] = []
    for name, matrix in zip(classes, contributions, strict=True):
        both = matrix + matrix.T - np.diag(matrix.diagonal())  # a correlation and its mirror are one
        i, j = np.triu_indices(len(both))
        for place in np.argsort(-both[i, j])[:top]:
            if both[i[place], j[place]] > 0:
                pair = f"{i[place]} x {j[place]}" if i[place] != j[place] else f"{i[place]} (its strength)"
                rows.append({"style": name, "channels": pair, "adds to the logit": float(both[i[place], j[place]])})
    return pd.DataFrame(rows, columns=["style", "channels", "adds to the logit"])


def _gram(page: pages.Page, store: Store, name: str, run: MultitaskRun) -> None:
    page.heading(f"Gram matrices of {name}")
    page.text(
        f"Channels against channels: the mean matrix of a style's test images minus that of all, for styles with "
        f"{LEAST} test images at least. Below it the correlations that weigh most: gradient of the style's logit in "
        f"the Gram branch times distance from the mean image."
    )
    shown, weights, classes = gram_findings(store, run)
    if shown:
        page.figure(pages.matrices(shown, f"{name}: what sets each {run.targets[0]}'s Gram matrix apart"))
    page.table(strongest(weights, classes))

"""What a study's page shows: tables, curves, confusion matrices, the shared layer, and what `grams` draws."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from keras_art.data import labels, tasks
from keras_art.report import comparison_figures, evaluation, figures, metrics, placement
from keras_art.report.plates import Plates
from keras_art.report.rendering import render
from keras_art.store.reading import read_arrays, read_table
from keras_art.store.runs import Store
from keras_art.study.records import Rivals, bracketed
from keras_art.writing import distinct, meant, slug, write
from reproductions.multitask.grams import draw_gram
from reproductions.multitask.kind import MultitaskRun
from reproductions.multitask.tables import cell, set_as, summary


def draw(store: Store, runs: Sequence[MultitaskRun], plates: Plates) -> None:
    """Draws the comparison, the scores beside it as CSV and LaTeX, and the differences as CSV.

    Only finished runs are compared; diverged ones are named. A part that fails leaves a line where it would stand.

    Raises:
        Exception: that of the first part that failed, once the others are drawn.
    """
    key = runs[0].collection
    found = {run: store.metrics(run) or {"status": "unfinished"} for run in runs}
    done = [run for run in runs if found[run]["status"] == "ok"]
    facts = labels.facts(store, key)
    plates.heading(f"{runs[0].place}: {', '.join(facts)}")
    for line in labels.describe(store, key).splitlines():
        plates.text(line.strip())
    if diverged := [run for run in runs if found[run]["status"] == "diverged"]:
        plates.text("Diverged: " + ", ".join(run.title for run in diverged))
    scores = summary(store, done, facts)
    plates.text(
        "Of the scores above: in brackets are the rules that see no pixel, and a score near theirs may have been won "
        "without looking. Classes are unequal in size, so read macro F1 first."
    )
    write(plates.folder / f"{key}.csv", render(scores, "csv"))
    write(plates.folder / f"{key}.tex", render(scores, "latex"))

    models: dict[str, dict[int, MultitaskRun]] = {}
    rivals = Rivals(done, cell)
    for run in done:
        models.setdefault(run.model_name + bracketed(set_as(run, rivals)), {})[run.seed] = run
    first = {name: of_seed[min(of_seed)] for name, of_seed in models.items()}
    parts = [
        functools.partial(_samples, plates, store, runs[0], list(facts)),
        functools.partial(_compare, plates, store, models, key),
        functools.partial(_curves, plates, store, models),
        functools.partial(plates.heading, "Per class, confusion and the shared layer, first seed"),
        *(functools.partial(_one_model, plates, store, name, run) for name, run in first.items()),
        *(functools.partial(draw_gram, plates, store, name, run) for name, run in first.items() if run.mode == "gram"),
    ]
    failures = []
    for part in parts if done else []:
        try:
            part()
        except Exception as error:
            plates.text(f"What stands here could not be drawn: {type(error).__name__}: {error}")
            failures.append(error)
    if failures:
        raise failures[0]


def _samples(plates: Plates, store: Store, run: MultitaskRun, targets: Sequence[str]) -> None:
    """One test picture of each of the largest classes of the first column, with all that is known of it."""
    ready = tasks.load(store, run.collection, run.image_size, run.resize)
    test, columns = ready.part("test"), ready.task.columns
    names = columns[targets[0]].iloc[test]
    order = names[names != ""].map(names.value_counts()).sort_values(ascending=False, kind="stable").index
    chosen = columns.loc[order].drop_duplicates(targets[0]).index[:18]
    words = [
        "\n".join([*(columns[target][place] for target in targets), ready.task.images["id"][place]]) for place in chosen
    ]
    if len(chosen):
        plates.pictures(
            "samples",
            [ready.picture(place, 256) for place in chosen],
            words,
            f"One test picture of each {targets[0]}, the largest classes first; below it {', '.join(targets)} and id.",
            small=True,
        )


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


def _compare(plates: Plates, store: Store, models: dict[str, dict[int, MultitaskRun]], key: str) -> None:
    frame = differences_table(store, models)
    if frame.empty:
        return
    plates.heading("Pairs of models, seed by seed")
    beyond = [
        ("yes" if beyond else "no") if n > 1 else "one seed"
        for n, beyond in zip(frame["n"], frame["beyond_noise"], strict=True)
    ]
    plates.table(
        f"{key}-differences",
        frame.assign(beyond_noise=beyond),
        "The difference other - base in per cent points and its 95% t-interval over seeds that both ran. Beyond noise "
        "means that the interval leaves out 0: noise of seeds, not of the test set's size.",
    )
    drawn = False
    for base, other, task in pairs(models):
        if not drawn and len(set(models[base]) & set(models[other])) > 1:
            plates.fold("The same class by class")
        if len(set(models[base]) & set(models[other])) > 1:
            one, two = (
                {seed: _table(store, run, task) for seed, run in models[name].items()} for name in (base, other)
            )
            classes = evaluation.per_class_differences(one, two)
            plates.figure(
                f"differences-{slug(base)}-{slug(other)}-{slug(task)}",
                comparison_figures.differences(classes, f"F1 of each {task}: {other} - {base}"),
                f"How much better {other} knows each {task} than {base} does (blue, to the right), or worse (red, to "
                f"the left); lines are 95% intervals over seeds. Behind each name the number of its test pictures.",
            )
            drawn = True
    if drawn:
        plates.text("Of classes that do not differ at all, one in twenty is filled by chance.")


def _curves(plates: Plates, store: Store, models: dict[str, dict[int, MultitaskRun]]) -> None:
    plates.heading("Learning curves")
    plates.text(
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
        what = (
            "how badly the labels are said"
            if title == "loss"
            else f"the share of pictures whose {title} is named rightly"
        )
        plates.figure(
            f"curves-{slug(title)}",
            figure,
            f"{title}: {what}, after each round of training (epoch), on pictures trained on and on those held back.",
        )
    for name, runs in models.items():
        for seed, run in runs.items():
            if weights := (store.metrics(run) or {}).get("task_weights"):
                said = ", ".join(f"{task} {weight:.3f}" for task, weight in weights.items())
                plates.text(f"{name}, seed {seed}: learned weights of the losses {said}")


def _one_model(plates: Plates, store: Store, name: str, run: MultitaskRun) -> None:
    """Per-class scores, confusion matrices, and t-SNE of the shared layer coloured by every label column there is."""
    plates.fold(name)
    for task in run.targets:
        table = _table(store, run, task)
        file = f"{slug(name)}-{distinct(run.targets)[task]}"
        plates.table(
            f"per-class-{file}",
            table.sort_values("support", ascending=False, ignore_index=True),
            f"{name}, every {task}: support is how many test pictures there are, predicted how many it took for it.",
        )
        found = read_table(_file(store, run, "predictions", task), dtype=str, keep_default_na=False)
        found = found[found["label"] != ""]
        places = {cls: i for i, cls in enumerate(table["class"].astype(str))}
        true, predicted = (found[column].map(meant).map(places).to_numpy() for column in ("label", "predicted"))
        counts = metrics.confusion(true, predicted, len(places))
        drawn = figures.confusion(counts, list(places), title=f"{name}: {task}")
        plates.figure(f"confusion-{file}", drawn, f"{name}, {task}. {figures.how_to_read(len(places))}")
    stored = read_arrays(store.directory(run) / "shared.npz")
    features, rows = stored["features"], stored["rows"]
    if len(features) < placement.FEWEST:
        return
    points = placement.plane(features)
    columns = tasks.load(store, run.collection, run.image_size, run.resize).task.columns
    for column in labels.facts(store, run.collection):
        names = columns[column].iloc[rows].tolist()
        plates.figure(
            f"shared-{slug(name)}-{distinct(labels.facts(store, run.collection))[column]}",
            comparison_figures.scatter(points, names, f"{name}: shared layer by {column}"),
            f"Every dot is a test picture, near those that {name} finds alike (t-SNE of its last layer but one), "
            f"coloured by {column}, the largest classes.",
        )

"""The figures of a study: stylised samples, learning curves, p1 against p2; and of a search: its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_art.store.reading import read_table
from keras_art.store.runs import Store
from keras_art.study.config import Run
from keras_art.study.kinds.adain import Stylised
from keras_art.study.kinds.classifier import label
from reproductions.st_saclf.kinds import SaclfRun
from reproductions.st_saclf.study import Study
from reproductions.st_saclf.tables import comparison

if TYPE_CHECKING:
    import optuna
    import pandas as pd
    from matplotlib.figure import Figure


def draw(store: Store, runs: Sequence[Run], study: Study) -> None:
    """Every figure of a study, into `st_saclf/figures/` of its store."""
    import pandas as pd

    from keras_art.report import figures

    folder = store.root / "st_saclf" / "figures"
    classifiers = [run for run in runs if isinstance(run, SaclfRun)]
    key = classifiers[0].collection
    curves: dict[str, dict[str, pd.DataFrame]] = {}
    for run in classifiers:
        history = store.directory(run) / "history.csv"
        if history.exists() and len(line := read_table(history)):
            stage = f" stage {run.part}" if run.part else ""
            name = f"{run.mode}{stage}, {run.attention}, {run.loss}, p1={run.p1}, p2={run.p2}"
            modes = curves.setdefault(label(run.network), {})
            line = line.assign(seed=run.seed)
            modes[name] = pd.concat([modes[name], line]) if name in modes else line
    if curves:
        title = f"{classifiers[0].place}, {classifiers[0].target}"
        figures.save(figures.learning_curves(curves, title=title), folder / f"{key}-curves.png")
    found = comparison(store, classifiers)
    # An ablation varies p1 and p2 along with its other parts: no map of them alone.
    alone = len(found) and len(found[["network", "mode", "attention", "loss"]].drop_duplicates()) == 1
    if alone and found["p1"].nunique() * found["p2"].nunique() > 1:
        for score in [
            name for name in ("accuracy", "rare") if name in found
        ]:  # where no class is rare, none is recalled
            figures.save(heat_map(found, score, f"{score}, % of test"), folder / f"{key}-p1-p2-{score}.png")
    for made in runs:
        if isinstance(made, Stylised):
            name = f"{made.collection}-stylised{f'-{made.ref.digest}' if made.classifier else ''}.png"
            draw_stylised(store, made, folder / name)


def heat_map(frame: pd.DataFrame, value: str, title: str) -> Figure:
    """A value over p1 (rows) and p2 (columns), means where a cell has several rows, blank where it has none.

    Args:
        frame: columns `p1`, `p2` and `value`.
    """
    from matplotlib.figure import Figure

    from keras_art.report.lettering import font

    cells = frame.pivot_table(index="p1", columns="p2", values=value, aggfunc="mean").sort_index(ascending=False)
    values = cells.to_numpy()
    figure = Figure(figsize=(1.6 + 0.6 * values.shape[1], 1.1 + 0.45 * values.shape[0]), layout="constrained")
    ax = figure.add_subplot()
    drawn = ax.imshow(values, cmap="viridis", aspect="auto")
    ax.set_xticks(range(values.shape[1]), [f"{p:g}" for p in cells.columns])
    ax.set_yticks(range(values.shape[0]), [f"{p:g}" for p in cells.index])
    ax.set_xlabel("p2, of rare classes", fontproperties=font(8))
    ax.set_ylabel("p1, of the others", fontproperties=font(8))
    ax.set_title(title, fontproperties=font(9))
    middle = (np.nanmax(values) + np.nanmin(values)) / 2
    for (row, column), cell in np.ndenumerate(values):
        if np.isfinite(cell):
            colour = "black" if cell > middle else "white"
            ax.text(column, row, f"{cell:.1f}", ha="center", va="center", color=colour, fontproperties=font(8))
    figure.colorbar(drawn, ax=ax)
    return figure


def draw_stylised(store: Store, stylised: Stylised, path: Path) -> None:
    """Content, style and stylised image, a row for the first output of each class."""
    from keras_art.data import mixing, tasks
    from keras_art.pictures.images import load_photo
    from keras_art.report import figures, mosaics

    of = store.directory(stylised)
    provenance = mixing.read_provenance(of).drop_duplicates("class").head(8)
    ready = tasks.load(store, stylised.collection, stylised.image_size, stylised.resize)
    row_of = dict(zip(ready.task.images["id"], ready.rows, strict=True))
    rows = [
        (
            str(row["class"]),
            [
                *(ready.pixels[row_of[row[role]]] for role in ("content", "style")),
                load_photo(of / row["output"], stylised.image_size),
            ],
        )
        for row in provenance.to_dict("records")
    ]
    figures.save(mosaics.saliency_sheet(rows, ["content", "style", "stylised"]), path)


def parameters(stage: optuna.Study) -> Figure:
    """Validation accuracy of trials, by number and against each parameter; a line is the best so far.

    Hollow are trials that were given up or diverged, at the best they had reached.
    """
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

"""The figures of a study: stylised samples, learning curves, p1 against p2; and of a search: its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_art.store.reading import read_table
from keras_art.store.runs import Store
from keras_art.study.config import Run
from keras_art.study.kinds.adain import Stylised
from keras_art.study.kinds.classifier import labels
from reproductions.st_saclf.kinds import SaclfRun
from reproductions.st_saclf.study import Study
from reproductions.st_saclf.tables import comparison

if TYPE_CHECKING:
    import optuna
    import pandas as pd
    from matplotlib.figure import Figure

    from keras_art.report.plates import Plates


def draw(store: Store, runs: Sequence[Run], study: Study, plates: Plates) -> None:
    """Every figure of a study."""
    import pandas as pd

    from keras_art.report import figures

    classifiers = [run for run in runs if isinstance(run, SaclfRun)]
    key = classifiers[0].collection
    curves: dict[str, dict[str, pd.DataFrame]] = {}
    called = labels(run.network for run in classifiers)
    for run in classifiers:
        history = store.directory(run) / "history.csv"
        if history.exists() and len(line := read_table(history)):
            stage = f" stage {run.part}" if run.part else ""
            name = f"{run.mode}{stage}, {run.attention}, {run.loss}, p1={run.p1}, p2={run.p2}"
            modes = curves.setdefault(called[run.network], {})
            line = line.assign(seed=run.seed)
            modes[name] = pd.concat([modes[name], line]) if name in modes else line
    if curves:
        title = f"{classifiers[0].place}, {classifiers[0].target}"
        plates.figure(
            f"{key}-curves",
            figures.learning_curves(curves, title=title),
            "The share of validation pictures that is named rightly, after each round of training (epoch); a dot ends "
            "a line. A leap is where more of the network begins to learn.",
        )
    found = comparison(store, classifiers)
    # An ablation varies p1 and p2 along with its other parts: no map of them alone.
    alone = len(found) and len(found[["network", "mode", "attention", "loss"]].drop_duplicates()) == 1
    if alone and found["p1"].nunique() * found["p2"].nunique() > 1:
        titles = {"accuracy": "test pictures named rightly, %", "rare": "pictures of rare classes named rightly, %"}
        for score in [name for name in titles if name in found]:  # where no class is rare, none is recalled
            plates.figure(
                f"{key}-p1-p2-{score}",
                heat_map(found, score, titles[score]),
                f"{titles[score].capitalize()}, by how many stylised pictures were added: to classes of many pictures "
                f"upwards (p1), to rare classes to the right (p2), as shares of their own pictures.",
            )
    for made in runs:
        if isinstance(made, Stylised):
            name = f"{made.collection}-stylised{f'-{made.ref.digest}' if made.classifier else ''}"
            plates.figure(
                name,
                stylised_sheet(store, made),
                "How pictures were added: what is shown is taken from the first, colours and texture from the second, "
                "of the same class. Below each row the class, and the ids of both.",
            )
    looked = [run for run in classifiers if (store.directory(run) / "attention.png").exists()]
    if looked:
        best = max(looked, key=lambda run: (store.metrics(run) or {}).get("val_accuracy") or 0)
        for name, caption in LOOKS.items():
            plates.file(f"{key}-{name}", store.directory(best) / f"{name}.png", f"{best.title}: {caption}")


LOOKS = {
    "attention": "where it looks in one test picture of each class, by its attention at each depth, and which places "
    "speak for what it said (Grad-CAM); the paler, the more. Below what the picture is, what it was taken for "
    "with its probability before any calibration, and its id.",
    "confidence": "the test pictures whose own class it is surest of, and those it is least sure of; probabilities are "
    "those before any calibration.",
}


def heat_map(frame: pd.DataFrame, value: str, title: str) -> Figure:
    """A value over p1 (rows) and p2 (columns), means where a cell has several rows, blank where it has none.

    Args:
        frame: columns `p1`, `p2` and `value`.
    """
    from matplotlib.figure import Figure

    from keras_art.report import palette
    from keras_art.report.lettering import font

    cells = frame.pivot_table(index="p1", columns="p2", values=value, aggfunc="mean").sort_index(ascending=False)
    values = cells.to_numpy()
    figure = Figure(figsize=(1.6 + 0.6 * values.shape[1], 1.1 + 0.45 * values.shape[0]), layout="constrained")
    ax = figure.add_subplot()
    drawn = ax.imshow(values, cmap=palette.VALUES, aspect="auto")
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


SIDE = 256  # pixels of a picture in a figure, of the longer side


def stylised_sheet(store: Store, stylised: Stylised) -> Figure:
    """Content, style and stylised image, a row for the first output of each class."""
    from keras_art.data import mixing, tasks
    from keras_art.pictures.images import load_photo
    from keras_art.report import mosaics

    of = store.directory(stylised)
    provenance = mixing.read_provenance(of).drop_duplicates("class").head(8)
    ready = tasks.load(store, stylised.collection, stylised.image_size, stylised.resize)
    places = {id_: place for place, id_ in enumerate(ready.task.images["id"])}
    rows = [
        (
            f"{row['class']}\n{row['content']}, {row['style']}",
            [
                *(ready.picture(places[row[role]], SIDE) for role in ("content", "style")),
                load_photo(of / row["output"], SIDE),
            ],
        )
        for row in provenance.to_dict("records")
    ]
    return mosaics.saliency_sheet(rows, ["content", "style", "stylised"])


def parameters(stage: optuna.Study) -> Figure:
    """Validation accuracy of trials, by number and against each parameter; a line is the best so far.

    Hollow are trials that were given up or diverged, at the best they had reached.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator
    from optuna.distributions import FloatDistribution

    from keras_art.report import palette
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
        ax.scatter(
            places,
            values,
            s=12,
            facecolors=[palette.BLUE if done else "none" for done in whole],
            edgecolors=palette.BLUE,
        )
        if name == "trial":
            so_far = np.maximum.accumulate([value if done else 0 for value, done in zip(values, whole, strict=True)])
            ax.step(np.array(places)[so_far > 0], so_far[so_far > 0], where="post", color=palette.BLUE)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            ax.set_ylabel("validation accuracy, %", fontproperties=font(8))
        range_ = trials[0].distributions.get(name)
        if isinstance(range_, FloatDistribution):
            ax.set_xscale("log" if range_.log else "linear")
            ax.set_xlim(range_.low, range_.high)
        elif range_:
            ax.margins(x=0.6)  # room for the words below
        ax.set_xlabel(name, fontproperties=font(8))
    return figure

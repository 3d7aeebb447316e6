"""The figures of a study: stylised samples, learning curves, p1 against p2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_art import terminal
from keras_art.methods.adain.kinds import Stylised
from keras_art.store import runs
from reproductions.st_saclf.study import PAPER, Run
from reproductions.st_saclf.tables import comparison, label

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def draw(store: runs.Store, configs: Sequence[Run], stylised: Stylised | None) -> None:
    """Every figure of a study, into `figures/` beside its runs."""
    import pandas as pd

    from keras_art.report import figures

    folder = store.root / PAPER / "figures"
    targets = {run.collection: run for run in configs if run.mode != "pretraining"}
    for key, any_run in targets.items():
        curves: dict[str, dict[str, pd.DataFrame]] = {}
        for run in configs:
            history = store.directory(run) / "history.csv"
            if run.collection == key and history.exists() and len(line := pd.read_csv(history)):
                name = f"{run.mode}, {run.attention}, {run.loss}, p1={run.p1}, p2={run.p2}"
                modes = curves.setdefault(label(run.network), {})
                line = line.assign(seed=run.seed)
                modes[name] = pd.concat([modes[name], line]) if name in modes else line
        if curves:
            title = f"{key.rsplit('-', 1)[0]}, {any_run.target}"
            figures.save(figures.learning_curves(curves, title=title), folder / f"{key}-curves.png")
        found = comparison(store, [run for run in configs if run.collection == key])
        # An ablation varies p1 and p2 along with its other parts: no map of them alone.
        alone = len(found) and len(found[["network", "mode", "attention", "loss"]].drop_duplicates()) == 1
        if alone and found["p1"].nunique() * found["p2"].nunique() > 1:
            for score in ("accuracy", "rare"):
                path = folder / f"{key}-p1-p2-{score}.png"
                figures.save(heat_map(found, score, f"{score}, % of test"), path)
    if stylised:
        draw_stylised(store, stylised, folder)
    terminal.say(f"figures are in {folder}")


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


def draw_stylised(store: runs.Store, stylised: Stylised, folder: object) -> None:
    """Content, style and stylised image, a row for the first output of each class."""
    import pandas as pd

    from keras_art.data import tasks
    from keras_art.pictures.images import load_photo
    from keras_art.report import figures, mosaics

    of = store.directory(stylised)
    if not (of / "provenance.csv").exists():
        return
    provenance = pd.read_csv(of / "provenance.csv", dtype=str).drop_duplicates("class").head(8)
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
    name = f"{stylised.collection}-stylised.png"
    figures.save(mosaics.saliency_sheet(rows, ["content", "style", "stylised"]), store.root / PAPER / "figures" / name)

"""Figures drawn from clusterings: scores against k, maps, contingency, colours.

Every function returns a `matplotlib.figure.Figure` of its own, without pyplot; `figures.save` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_art.report import palette
from keras_art.report.lettering import COLUMN, PAGE, font, label
from keras_art.report.palette import COLOURS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METHODS = {
    "dcec": (palette.VERMILLION, "-"), "kmeans_embedding": (palette.BLUE, "--"), "kmeans_pca": (palette.GREEN, ":"),
    "kmeans_pixels": (palette.ORANGE, ":"), "kmeans_backbone": (palette.BLACK, "-."),
}  # fmt: skip


def against_k(scores: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """West's figure of scores, once for every space: one line per method, one point per number of clusters.

    Args:
        scores: `scores[caption]` has the columns `k`, and one per method, whose values may be NaN, not all.
        title: printed above.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    columns = min(3, len(scores))
    rows = -(-len(scores) // columns)
    figure = Figure(figsize=(PAGE, 0.6 + 2.0 * rows), layout="constrained")
    handles = {}
    for i, (caption, table) in enumerate(scores.items(), 1):
        axes = figure.add_subplot(rows, columns, i)
        for method in [name for name in METHODS if name in table and table[name].notna().any()]:
            colour, stroke = METHODS[method]
            (handles[method],) = axes.plot(table["k"], table[method], stroke, color=colour, marker="o", markersize=2.5)
        _plain(axes, label(caption, 8, PAGE / columns))
        axes.set_xlabel("k", fontproperties=font(7))
        axes.set_xlim(table["k"].min() - 0.5, table["k"].max() + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))  # one k alone has one
    names = [name.replace("_", " on ") for name in handles]
    place: dict[str, Any] = {"loc": "outside lower center", "frameon": False}
    figure.legend(list(handles.values()), names, ncols=len(names), prop=font(7), **place)
    figure.suptitle(label(title, 9, PAGE), fontproperties=font(9))
    return figure


def training_curves(updates: Mapping[str, pd.DataFrame]) -> Figure:
    """How joint trainings went: L_r, L_c and the share of changed labels against iterations, one line per training.

    Args:
        updates: caption -> the columns `iteration`, `reconstruction_loss`, `clustering_loss` and `changed`; a loss may
            be absent, where training stopped at once. Iteration 0 is left out: its labels are k-means' own.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    trained = {name: table[table["iteration"] > 0] for name, table in updates.items()}
    captions = {"reconstruction_loss": "L_r", "clustering_loss": "L_c", "changed": "labels changed"}
    figure = Figure(figsize=(PAGE, 2.6), layout="constrained")
    handles = {}
    for i, (column, caption) in enumerate(captions.items(), 1):
        axes = figure.add_subplot(1, len(captions), i)
        for n, (name, table) in enumerate(trained.items()):
            if column in table:
                style: dict[str, Any] = {"color": COLOURS[n % len(COLOURS)]}
                style["linestyle"] = "-" if n < len(COLOURS) else "--"
                (handles[name],) = axes.plot(table["iteration"], table[column], **style, linewidth=1)
        _plain(axes, label(caption, 8, PAGE / len(captions)))
        axes.set_xlabel("iterations", fontproperties=font(7))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, nbins=5))
    place: dict[str, Any] = {"loc": "outside lower center", "frameon": False}
    figure.legend(list(handles.values()), list(handles), ncols=min(9, len(handles)), prop=font(7), **place)
    return figure


def gap_curve(gap: pd.DataFrame, choice: int | None) -> Figure:
    """The gap statistic with one standard error, and the k of Tibshirani's rule, where there is one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(COLUMN, 2.6), layout="constrained")
    axes = figure.add_subplot()
    axes.errorbar(gap["k"], gap["gap"], gap["se"], color="black", capsize=2, linewidth=1, marker="o", markersize=3)
    if choice:
        axes.axvline(choice, color=palette.VERMILLION, linewidth=0.8)
    rule = f"Tibshirani's rule: k = {choice}" if choice else "no k satisfies Tibshirani's rule"
    _plain(axes, f"gap statistic, pretrained embedding; {rule}")
    axes.set_xticks(gap["k"])
    axes.set_xlabel("k", fontproperties=font(7))
    return figure


def maps(panels: Sequence[tuple[str, np.ndarray, np.ndarray, Sequence[str]]], title: str) -> Figure:
    """Points in the plane, coloured by group; one panel to a clustering, a label, or a moment of the training.

    Args:
        panels: caption, points (n, 2), group of each point (n,) in [0, groups), and the groups' names; the ten largest
            groups are coloured, the others, and a last one without a name, grey. Names are printed below where they
            are not all numbers.
        title: printed above.
    """
    from matplotlib.figure import Figure

    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    counted = [all(str(name).isdigit() for name in names) for _, _, _, names in panels]
    below = 0.0 if all(counted) else 0.5  # inches, for names
    figure = Figure(figsize=(PAGE, 0.3 + (PAGE / columns + 0.15 + below) * rows), layout="constrained")
    for i, (caption, points, groups, names) in enumerate(panels, 1):
        axes, numbers = figure.add_subplot(rows, columns, i), counted[i - 1]
        sizes = np.bincount(groups, minlength=len(names))[: len(names)]
        shown = range(len(names)) if numbers and len(names) <= len(COLOURS) else np.argsort(-sizes)[: len(COLOURS)]
        axes.scatter(points[:, 0], points[:, 1], s=1.5, color="0.85", linewidths=0)
        for colour, group in zip(COLOURS, shown, strict=False):
            mine = points[groups == group]
            text = label(str(names[group]), 5, PAGE / columns / 2)
            axes.scatter(mine[:, 0], mine[:, 1], s=2.5, color=colour, linewidths=0, label=text)
            if numbers and len(mine):
                box = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.7}
                x, y = np.median(mine, axis=0)
                axes.text(x, y, text, fontproperties=font(6), bbox=box, ha="center", va="center")
        if not numbers:
            tight: dict[str, Any] = {"borderpad": 0, "handletextpad": 0, "labelspacing": 0.1, "columnspacing": 1}
            # Below, where it hides no dot.
            axes.legend(
                loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=2, prop=font(5), markerscale=3, frameon=False,
                **tight,
            )  # fmt: skip
        axes.set_title(label(caption, 8, PAGE / columns), fontproperties=font(8))
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color("0.8")
    figure.suptitle(label(title, 9, PAGE), fontproperties=font(9))
    return figure


def contingency_plot(counts: np.ndarray, rows: str, columns: str) -> Figure:
    """Where the images of each cluster of one clustering lie in another; shades are shares of the row.

    Args:
        counts: (clusters of one, clusters of the other).
        rows: what the rows are.
        columns: what the columns are.
    """
    from matplotlib.figure import Figure

    side = 0.5
    height, width = counts.shape
    figure = Figure(figsize=(width * side + 1.2, height * side + 0.9), layout="constrained")
    axes = figure.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap=palette.SHARES, vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{counts[row, column]}", color=colour, ha="center", va="center", fontproperties=font(7))
    axes.set_xticks(range(width), [f"{i + 1}\n{n}" for i, n in enumerate(counts.sum(axis=0))], fontproperties=font(7))
    axes.set_yticks(range(height), [f"{i + 1}  {n}" for i, n in enumerate(counts.sum(axis=1))], fontproperties=font(7))
    axes.set_xlabel(columns, fontproperties=font(8))
    axes.set_ylabel(rows, fontproperties=font(8))
    axes.tick_params(length=0)
    return figure


def colour_histograms(statistics: pd.DataFrame, clusters: np.ndarray, k: int) -> Figure:
    """West's histograms of each cluster's images: mean red, green and blue, mean lightness, mean local entropy.

    Args:
        statistics: as of `colours.statistics`.
        clusters: (n,) in [0, k).
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(COLUMN, 0.4 + 0.62 * k), layout="constrained")
    grid = figure.subplots(k, 3, sharex="col", squeeze=False)
    for cluster in range(k):
        mine = statistics[clusters == cluster]
        channels, lightness, entropy = grid[cluster]
        if len(mine):  # of nothing a step is a line at half height
            for name in ("red", "green", "blue"):
                channels.hist(mine[name], 32, (0, 255), histtype="step", color=name, linewidth=0.8)
            # One outline, not twenty bars side by side: they look the same.
            lightness.hist(mine["lightness"], 20, (0, 100), histtype="stepfilled", color="0.5")
            entropy.hist(mine["entropy"], 20, (0, 8), histtype="stepfilled", color="0.5")
        channels.set_ylabel(f"{cluster + 1}", fontproperties=font(8), rotation=0, labelpad=8, va="center")
        for axes in grid[cluster]:
            axes.set_yticks([])
            axes.tick_params(labelsize=6)
            axes.spines[["top", "right", "left"]].set_visible(False)
    grid[0, 0].set_title("mean red, green, blue", fontproperties=font(8))
    grid[0, 1].set_title("mean lightness (L)", fontproperties=font(8))
    grid[0, 2].set_title("mean local entropy", fontproperties=font(8))
    return figure


def _plain(axes: Axes, title: str) -> None:
    axes.set_title(title, fontproperties=font(8))
    axes.tick_params(labelsize=7)
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)

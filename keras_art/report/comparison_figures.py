"""Figures that compare classifiers: maps of what they learnt, differences of classes, matrices side by side.

Every function returns a `matplotlib.figure.Figure` of its own, without pyplot; `figures.save` writes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_art.report import palette
from keras_art.report.lettering import font, label

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SHOWN = len(palette.COLOURS)  # classes with a colour of their own in a projection; the smaller ones are grey


def scatter(points: np.ndarray, names: Sequence[str], title: str) -> Figure:
    """Points of a projection, one colour for each of the most frequent names, grey for the others.

    Args:
        points: (n, 2).
        names: one for each point; "" is unknown, and grey.

    Raises:
        ValueError: not as many names as points.
    """
    from matplotlib.figure import Figure

    if len(points) != len(names):
        raise ValueError(f"{len(points)} points need as many names, not {len(names)}")
    shown = [name for name, _ in Counter(filter(None, names)).most_common(SHOWN)]
    ours = np.array(names, dtype=object)
    figure = Figure(figsize=(6.2, 4.0), layout="constrained")
    axes = figure.add_subplot()
    if (rest := np.array([name not in shown for name in names])).any():
        axes.scatter(points[rest, 0], points[rest, 1], s=10, color=palette.REST, label=f"others ({rest.sum()})")
    for i, name in enumerate(shown):
        mine = points[ours == name]
        axes.scatter(
            mine[:, 0],
            mine[:, 1],
            s=16,
            color=palette.COLOURS[i],
            label=f"{label(name, 7, 1.7, lines=2)} ({len(mine)})",
        )
    axes.set_title(label(title, 10, 6), fontproperties=font(10))
    axes.set_xticks([])
    axes.set_yticks([])
    figure.legend(loc="outside right upper", prop=font(7), frameon=False)
    return figure


def differences(frame: pd.DataFrame, title: str, unit: str = "F1") -> Figure:
    """Per-class differences with their 95% intervals over seeds, those beyond the noise filled.

    A difference of nothing is grey; an interval that leaves [-1, 1] ends in an arrow.

    Args:
        frame: what `evaluation.per_class_differences` returns.
    """
    from matplotlib.figure import Figure

    frame = frame[frame["n"] > 0].iloc[::-1].reset_index(drop=True)
    names = [label(name, 7, 2.2, lines=3) for name in frame["class"]]
    texts = [f"{name}  {n}" for name, n in zip(names, frame["support"], strict=True)]
    heights = [0.22 + 0.12 * text.count("\n") for text in texts]
    figure = Figure(figsize=(6.2, 0.9 + sum(heights)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color="0.6", linewidth=0.8)
    places = np.cumsum(heights) - np.array(heights) / 2
    for y, (_, row) in zip(places, frame.iterrows(), strict=True):
        gain = row["difference"]
        colour = palette.MORE if gain > 0 else palette.LESS if gain < 0 else "0.4"
        if np.isfinite(row["lower"]):
            low, high = max(row["lower"], -1.0), min(row["upper"], 1.0)
            axes.plot([low, high], [y, y], color=colour, linewidth=1)
            for end, cut, arrow in ((low, row["lower"] < -1, "<"), (high, row["upper"] > 1, ">")):
                if cut:
                    axes.plot(end, y, arrow, color=colour, markersize=5, clip_on=False)
        face = colour if row["beyond_noise"] else "white"
        axes.plot(gain, y, "o", color=colour, markerfacecolor=face, markersize=5)
    axes.set_yticks(places, texts, fontproperties=font(7))
    axes.set_ylim(0, sum(heights))
    words = f"difference in {unit}; filled: its interval over seeds leaves out 0"
    if ((frame["lower"] < -1) | (frame["upper"] > 1)).any():
        words += "; an arrow: it goes on"
    axes.set_xlabel(words, fontproperties=font(8))
    axes.tick_params(labelsize=7)
    figure.suptitle(label(title, 9, 6, lines=2), fontproperties=font(9))  # wider than the axes
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def matrices(named: Mapping[str, np.ndarray], title: str, scale: str, columns: int = 4) -> Figure:
    """Square matrices side by side on one symmetric colour scale, the 99th percentile of their magnitudes at its ends.

    Args:
        scale: what the colours say.

    Raises:
        ValueError: there are none.
    """
    from matplotlib.figure import Figure

    if not named:
        raise ValueError("there are no matrices to draw")
    rows = -(-len(named) // columns)
    figure = Figure(figsize=(1.75 * min(columns, len(named)) + 0.6, 1.85 * rows + 0.4), layout="constrained")
    grid = np.atleast_2d(figure.subplots(rows, min(columns, len(named)), squeeze=False))
    limit = np.percentile(np.abs(np.stack(list(named.values()))), 99) or 1.0
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (name, matrix) in zip(grid.flat, named.items(), strict=False):
        image = axes.imshow(matrix, cmap=palette.SIGNED, vmin=-limit, vmax=limit, interpolation="nearest")
        axes.set_title(label(name, 7, 1.6, lines=2), fontproperties=font(7))
    bar = figure.colorbar(image, ax=grid, shrink=0.6)
    bar.ax.tick_params(labelsize=6)
    bar.set_label(scale, fontproperties=font(7))
    figure.suptitle(label(title, 9, 6), fontproperties=font(9))
    return figure

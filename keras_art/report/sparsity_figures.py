"""Accuracy against the fraction of weights pruned; and which layers lost theirs.

Every function returns a `matplotlib.figure.Figure` of its own, without pyplot; `figures.save` writes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_art.report import palette
from keras_art.report.figures import PAPER_LINE
from keras_art.report.lettering import COLUMN, PAGE, font, label

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCRATCH_COLOUR = palette.BLACK
TICKS = (0, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)  # fractions pruned that the axis names


@dataclass(frozen=True)
class Panel:
    """One plot.

    Attributes:
        title: printed above.
        lines: name -> columns `pruned` (a fraction), `accuracy` (%) and, for a band around the line, `std`.
        scratch: accuracy of the unpruned network trained from scratch, %, and its standard deviation or NaN.
        paper: published lines, thinner and paler behind ours.
        paper_title: what the paper calls that plot.
    """

    title: str
    lines: Mapping[str, pd.DataFrame]
    scratch: tuple[float, float] | None = None
    paper: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    paper_title: str = ""


def sparsity_curves(panels: Sequence[Panel], colours: Mapping[str, str] | None = None) -> Figure:
    """Accuracy against the fraction pruned, a plot for each panel, two to a row.

    The axis is logarithmic in what is left, so that stages of one rate stand at equal distances, and those of another
    where they belong.

    Args:
        colours: of lines, by name; others take `palette.OTHERS` in the order they come.

    Raises:
        ValueError: there is nothing to draw.
    """
    from matplotlib.figure import Figure

    if not panels or not any(panel.lines for panel in panels):
        raise ValueError("no stages to draw: finish at least one run")
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    width = COLUMN if columns == 1 else PAGE
    figure = Figure(figsize=(width, (3.6 if columns == 1 else 2.9) * rows), layout="constrained")
    for number, panel in enumerate(panels, 1):
        _draw(figure.add_subplot(rows, columns, number), panel, colours or {}, width / columns, small=columns > 1)
    return figure


def _draw(axes: Axes, panel: Panel, known: Mapping[str, str], width: float, small: bool) -> None:
    import pandas as pd

    names = list(dict.fromkeys([*panel.lines, *panel.paper]))
    unknown = [name for name in names if name not in known]
    colours = {**known} | {name: palette.OTHERS[i % len(palette.OTHERS)] for i, name in enumerate(unknown)}
    deepest = max((float(np.max(_place(line["pruned"]))) for line in panel.lines.values()), default=30.0)
    for name, line in panel.paper.items():
        line = line[_place(line["pruned"]) <= max(deepest, 3) + 0.8]  # what lies beyond would stretch the other axis
        axes.plot(_place(line["pruned"]), line["accuracy"], color=colours[name], **PAPER_LINE)
    if panel.paper:
        axes.plot([], [], color="0.3", **PAPER_LINE, label=f"paper, {panel.paper_title}")
    for name, line in panel.lines.items():
        style: dict[str, Any] = {"color": colours[name], "marker": "x", "markersize": 4, "linewidth": 1.3}
        axes.plot(_place(line["pruned"]), line["accuracy"], **style, label=name.replace("_", " "))
        if "std" in line and line["std"].notna().any():
            low, high = line["accuracy"] - line["std"].fillna(0), line["accuracy"] + line["std"].fillna(0)
            axes.fill_between(_place(line["pruned"]), low, high, color=colours[name], alpha=0.15, linewidth=0)
    if panel.scratch is not None:
        accuracy, deviation = panel.scratch
        axes.axhline(accuracy, color=SCRATCH_COLOUR, linewidth=1, label="scratch")
        if math.isfinite(deviation):
            axes.axhspan(accuracy - deviation, accuracy + deviation, color="0.5", alpha=0.15, linewidth=0)
    size = 7 if small else 8
    places = _place(pd.Series(TICKS))
    ticks = [(place, tick) for place, tick in zip(places, TICKS, strict=True) if place <= max(deepest, 3) + 0.5]
    axes.set_xticks([place for place, _ in ticks], [f"{100 * tick:g}" for _, tick in ticks])
    axes.set_xlim(-0.5, max(deepest, 3) + 0.8)
    axes.set_title(label(panel.title, 9, 0.9 * width), fontproperties=font(9))
    axes.set_xlabel("weights pruned, % of those that may be", fontproperties=font(size))
    axes.set_ylabel("test accuracy, %", fontproperties=font(size))
    axes.tick_params(labelsize=size)
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(prop=font(size - 1), frameon=False)


def _place(pruned: pd.Series) -> np.ndarray:
    """Stages of 20% that it takes to prune so much."""
    return np.log(1 - pruned.to_numpy(float)) / np.log(0.8)


def survival_map(kept: Mapping[str, Sequence[float]]) -> Figure:
    """Which layers lost their weights when: a row for each kernel, a column for each stage.

    Args:
        kept: path of a kernel -> share of its weights kept at stage 0, 1, ...; where none is, the cell is vermillion.
    """
    import matplotlib
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    shares = np.array([list(row) for row in kept.values()])
    figure = Figure(figsize=(PAGE, 0.9 + 0.14 * len(shares)), layout="constrained")
    axes = figure.add_subplot()
    colours = matplotlib.colormaps[palette.VALUES].with_extremes(bad=palette.VERMILLION)
    norm = LogNorm(min(float(shares[shares > 0].min()), 0.1), 1.0)
    image = axes.imshow(np.ma.masked_equal(shares, 0), aspect="auto", cmap=colours, norm=norm, interpolation="none")
    axes.set_yticks(range(len(kept)), [label(path.removesuffix("/kernel"), 6, 1.8) for path in kept])
    axes.tick_params(labelsize=6, length=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("stage", fontproperties=font(8))
    axes.set_title("share of each kernel's weights that is kept; orange-red: none", fontproperties=font(8))
    bar = figure.colorbar(image, ax=axes, pad=0.01, ticks=[10.0**-power for power in range(5)], format="{x:.4g}")
    bar.ax.minorticks_off()
    bar.ax.tick_params(labelsize=6)
    return figure

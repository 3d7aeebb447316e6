"""Figures drawn from numbers: learning curves and confusion matrices.

Every function returns a `matplotlib.figure.Figure` of its own, without pyplot; `save` writes it, and those of `sheets`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_art.report import palette
from keras_art.report.lettering import COLUMN, PAGE, Lettered, font, label, lettered, width_of
from keras_art.writing import replacing

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

# A network has one colour in all figures, a network trained from scratch orange; others take `palette.OTHERS` in the
# order they come.
LINESTYLES = {"fine_tuning": "--", "off_the_shelf": "-.", "scratch": "-"}
OTHER_LINESTYLES = (":", (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 4)), (0, (8, 2, 1, 2)))
PAPER_LINE: dict[str, Any] = {"linewidth": 0.8, "alpha": 0.45}


def learning_curves(
    curves: Mapping[str, Mapping[str, pd.DataFrame]],
    *,
    title: str,
    paper: pd.DataFrame | None = None,
    metric: str = "val_accuracy",
) -> Figure:
    """One line per network and mode, its last epoch marked by a dot.

    Args:
        curves: `curves[network][mode]` has the columns `epoch` (from 1), `metric` and, where there are several runs,
            `seed`: the line is then the mean of the runs still training at that epoch, in a band from min to max.
            Modes are those of `LINESTYLES`; others take `OTHER_LINESTYLES` in the order they come, and colours tell
            them apart, too, where there is one network. `scratch` is orange, unless several networks have it.
        title: Printed above.
        paper: Published curves, thinner and paler behind ours, or alone: columns `network`, `mode`, `epoch`, `metric`.
        metric: The column drawn.

    Raises:
        ValueError: There is nothing to draw, or a table lacks a column.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    ours = {(network, mode): table for network, modes in curves.items() for mode, table in modes.items()}
    published = {}
    if paper is not None:
        _require(paper, ["network", "mode", "epoch", metric], "the published curves")
        published = {key: table for key, table in paper.groupby(["network", "mode"], sort=False)}
    if not (ours or published) or any(table.empty for table in ours.values()):
        raise ValueError(f"no epochs to draw for {title!r}: finish at least one run")

    keys = list(dict.fromkeys([*ours, *published]))
    networks = list(dict.fromkeys(network for network, _ in keys))
    others = [network for network in networks if network not in palette.NETWORKS]
    colours = palette.NETWORKS | dict(zip(others, itertools.cycle(palette.OTHERS), strict=False))
    scratch = [key for key in keys if key[1] == "scratch"]
    modes = list(dict.fromkeys(mode for _, mode in keys))
    other_modes = [mode for mode in modes if mode not in LINESTYLES]
    strokes = LINESTYLES | dict(zip(other_modes, itertools.cycle(OTHER_LINESTYLES), strict=False))
    by_mode = len(networks) == 1 and bool(other_modes)
    mode_colours = dict(zip(modes, itertools.cycle(palette.COLOURS), strict=False))

    def style(network: str, mode: str) -> dict[str, Any]:
        colour = mode_colours[mode] if by_mode else colours[network]
        return {"color": palette.SCRATCH if scratch == [(network, mode)] else colour, "linestyle": strokes[mode]}

    figure = Figure(figsize=(COLUMN, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for (network, mode), table in published.items():
        key = f"paper: {network}, {mode}"
        stroke = {**style(network, mode), **(PAPER_LINE if ours else {"linewidth": 1.2})}
        axes.plot(table["epoch"], table[metric], **stroke, label=key)
    for (network, mode), table in ours.items():
        _require(table, ["epoch", metric], f"the curve of {network}, {mode}")
        epochs = table.groupby("epoch")[metric].agg(["mean", "min", "max"])
        line = {**style(network, mode), "linewidth": 1.6, "marker": "o", "markersize": 3.5, "markevery": [-1]}
        axes.plot(epochs.index, epochs["mean"], **line, label=f"{network}, {mode}")
        if "seed" in table and table["seed"].nunique() > 1:
            band = {"color": line["color"], "alpha": 0.15, "linewidth": 0}
            axes.fill_between(epochs.index, epochs["min"], epochs["max"], **band)

    # Colours and strokes are explained apart: eight lines of four networks need six entries.
    entries: dict[str, dict[str, Any]] = {}
    for network, mode in keys:
        if scratch != [(network, mode)]:
            entries[network] = {"color": "none" if by_mode else colours[network]}
    if len(scratch) == 1:
        entries[f"{scratch[0][0]}, scratch"] = style(*scratch[0])
    for mode in dict.fromkeys(mode for network, mode in keys if scratch != [(network, mode)]):
        entries[mode.replace("_", " ")] = style(networks[0], mode) | ({} if by_mode else {"color": "0.3"})
    if published and ours:
        entries["paper"] = {"color": "0.3", **PAPER_LINE}
    beside = 0.65  # inches of a column that its text does not have: a stroke and space
    labels = [label(name, 8, COLUMN - beside) for name in entries]
    widths = [width_of(text, 8) for text in labels]
    columns = 3  # as many as fit; matplotlib divides the entries among them like array_split
    while columns > 1 and sum(max(part, default=0) + beside for part in np.array_split(widths, columns)) > COLUMN:
        columns -= 1
    handles = [Line2D([], [], label=text, **line) for text, line in zip(labels, entries.values(), strict=True)]
    place: dict[str, Any] = {"loc": "outside lower center", "ncols": columns, "frameon": False, "handlelength": 3}
    figure.legend(handles=handles, prop=font(8), **place)
    axes.set_title(label(title, 10, COLUMN), fontproperties=font(10))
    axes.set_xlabel("epoch", fontproperties=font(9))
    words = metric.replace("val_", "validation ").replace("_", " ")
    axes.set_ylabel(label(words, 9, 3), fontproperties=font(9))
    axes.tick_params(labelsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))  # one epoch alone has one
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def confusion_matrix(confusion: np.ndarray, names: Sequence[str], *, top: int = 25, title: str = "") -> Figure:
    """Where the images of each class went, as shares of its row: the `top` most frequent classes, and the rest as one.

    Rows are sorted by support, the number of images, printed beside each name. The cell where "rest" meets itself holds
    every image of a rare class predicted as any rare class. Shares are printed, in per cent, where the cells have room.

    Args:
        confusion: (n, n) counts, true classes in rows, predicted classes in columns.
        names: Of the n classes; long ones are cut with an ellipsis.
        top: Classes that keep a row and column of their own.
        title: Printed above.

    Raises:
        ValueError: `confusion` is not a square of counts, not all zero, with one name to a row, or `top` is below 1.
    """
    import matplotlib
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    confusion = np.asarray(confusion)
    if confusion.shape != (len(names), len(names)):
        raise ValueError(f"a confusion matrix of {len(names)} names must be square, not {confusion.shape}")
    if top < 1 or not confusion.any() or confusion.min() < 0:
        raise ValueError("a confusion matrix needs top >= 1 and counts >= 0 with one at least above")
    order = np.argsort(-confusion.sum(axis=1), kind="stable")
    starts = np.arange(min(len(order), top + 1))  # the last one begins the rest, where there is one
    counts = np.add.reduceat(np.add.reduceat(confusion[np.ix_(order, order)], starts, axis=0), starts, axis=1)
    support = counts.sum(axis=1)
    shares = counts / np.where(support, support, np.nan)[:, None]
    kept = [label(names[index], 7, 2.0, lines=2 if len(starts) <= 14 else 1) for index in order[:top]]
    if len(order) > top:
        rest = len(order) - top
        kept.append(f"rest ({rest} {'class' if rest == 1 else 'classes'})")

    # In inches, for the cells to be square and as large as the page allows.
    rows = [f"{name}  {count:,.0f}" for name, count in zip(kept, support, strict=True)]
    left, below = (
        max(width_of(line, 7) for text in texts for line in text.split("\n")) + 0.4 for texts in (rows, kept)
    )
    right = 0.7
    cell = min(max(0.32, 1.8 / len(kept)), (PAGE - left - right) / len(kept))
    side = cell * len(kept)
    heading = label(title, 9, side + right - 0.1, lines=6)
    width = left + side + right
    height = below + side + (0.1 + 0.18 * len(heading.splitlines()))
    figure = Figure(figsize=(width, height))
    colours = matplotlib.colormaps[palette.SHARES].with_extremes(bad="0.9")
    bar, top_edge = left + side + 0.1, below + side
    _shaded(figure, shares, (left, below, side, side), colours)
    _shaded(figure, np.linspace(1, 0, 256)[:, None], (bar, below, 0.1, side), colours)
    fifths = [(f"{20 * fifth}%", below + side * fifth / 5) for fifth in range(6)]
    marks = [[(bar + 0.1, y), (bar + 0.15, y)] for _, y in fifths]
    figure.add_artist(LineCollection(marks, colors="black", linewidths=0.8, transform=figure.dpi_scale_trans))
    # Texts as outlines, and no axes: those and their ticks cost four times as much.
    middles = cell * (np.arange(len(kept)) + 0.5)
    texts = [
        *(Lettered(rows[i], left - 0.05, top_edge - at, across=1) for i, at in enumerate(middles)),
        *(Lettered(kept[i], left + at, below - 0.05, across=1, upright=True) for i, at in enumerate(middles)),
        *(Lettered(share, bar + 0.2, y) for share, y in fifths),
        Lettered("predicted class", left + side / 2, 0.2, 8, across=0.5),
        Lettered("true class and its support", 0.2, below + side / 2, 8, across=0.5, upright=True),
        Lettered(heading, left, top_edge + 0.02 + 0.09 * len(heading.splitlines()), 9),
    ]
    pale: list[Lettered] = []
    if cell >= 0.22:
        for row, column in np.argwhere(shares >= 0.005):
            share = shares[row, column]
            number = Lettered(f"{share:.0%}"[:-1], left + middles[column], top_edge - middles[row], across=0.5)
            (pale if share > 0.5 else texts).append(number)
    lettered(figure, texts, "black")
    lettered(figure, pale, "white")
    return figure


def _shaded(figure: Figure, shares: np.ndarray, place: tuple[float, float, float, float], colours: Colormap) -> None:
    """Shares as colours in a frame: its left and lower edge, width and height in inches."""
    from matplotlib.colors import Normalize
    from matplotlib.image import BboxImage
    from matplotlib.patches import Rectangle
    from matplotlib.transforms import Bbox, TransformedBbox

    inches = figure.dpi_scale_trans
    box = TransformedBbox(Bbox.from_bounds(*place), inches)
    image = BboxImage(box, cmap=colours, norm=Normalize(0, 1), interpolation="nearest")
    image.set_data(shares)
    figure.add_artist(image)
    figure.add_artist(Rectangle(place[:2], *place[2:], fill=False, linewidth=0.8, transform=inches))


def confused_pairs(confusion: np.ndarray, names: Sequence[str], *, top: int = 20, title: str = "") -> Figure:
    """Which classes are taken for which, most often first: for so many classes that a matrix shows nothing.

    Args:
        confusion: (n, n) counts, true classes in rows, predicted classes in columns.
        names: of the n classes.
        top: pairs, each in one direction.
        title: printed above.

    Raises:
        ValueError: `confusion` is not a square of counts with one name to a row.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    confusion = np.array(confusion)
    if confusion.shape != (len(names), len(names)):
        raise ValueError(f"a confusion matrix of {len(names)} names must be square, not {confusion.shape}")
    support = confusion.sum(axis=1)
    np.fill_diagonal(confusion, 0)
    places = np.argsort(-confusion, axis=None, kind="stable")[:top]
    pairs = [(int(row), int(column)) for row, column in np.array(np.unravel_index(places, confusion.shape)).T]
    pairs = [pair for pair in pairs if confusion[pair]]
    texts = [label(f"{names[row]} taken for {names[column]}", 7, 3.2, lines=3) for row, column in pairs]
    heights = [0.2 + 0.12 * text.count("\n") for text in texts] or [0.3]
    figure = Figure(figsize=(PAGE, 0.9 + sum(heights)), layout="constrained")
    axes = figure.add_subplot()
    middles = sum(heights) - np.cumsum(heights) + np.array(heights) / 2
    counts = [int(confusion[pair]) for pair in pairs]
    axes.barh(middles[: len(pairs)], counts, height=0.14, color=palette.BLUE)
    for y, count, (row, _) in zip(middles, counts, pairs, strict=False):
        axes.text(count, y, f" {count} of {support[row]}", va="center", fontproperties=font(7))
    axes.set_yticks(middles[: len(pairs)], texts)
    for tick in axes.get_yticklabels():
        tick.set_fontproperties(font(7))
    axes.set_ylim(0, sum(heights))
    axes.set_xlim(0, max(counts, default=1) * 1.2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("test images" if pairs else "test images: none is taken for another class", fontproperties=font(8))
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(label(title, 9, PAGE - 0.3, lines=3), fontproperties=font(9))
    return figure


MOST_CLASSES = 60  # of which a matrix is drawn


def confusion(counts: np.ndarray, names: Sequence[str], *, title: str = "") -> Figure:
    """`confusion_matrix`, or for more than `MOST_CLASSES` classes `confused_pairs`."""
    return (confusion_matrix if len(names) <= MOST_CLASSES else confused_pairs)(counts, names, title=title)


def how_to_read(classes: int) -> str:
    """What stands below `confusion` of so many classes."""
    if classes > MOST_CLASSES:
        return "Which class is taken for which, most often first; beside a bar, of how many images of the true class."
    return (
        "A row is what the pictures are, with their number; a column what they were taken for. Cells are per cent of "
        "their row, so a good classifier is dark on the diagonal and pale elsewhere."
    )


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write `figure` as PNG (150 dpi) or SVG, by rename; the same figure gives the same bytes.

    Raises:
        ValueError: `path` ends neither in .png nor in .svg.
    """
    import matplotlib

    path = Path(path)
    # A PNG's higher levels of compression make no figure smaller, and take up to three times as long.
    how: dict[str, dict[str, Any]] = {
        ".png": {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": 2}},
        ".svg": {"metadata": {"Date": None, "Creator": None}},
    }
    if path.suffix not in how:
        raise ValueError(f"{path}: a figure is saved as .png or .svg")
    with replacing(path) as part, matplotlib.rc_context({"svg.hashsalt": "keras_art"}):
        figure.savefig(part, format=path.suffix[1:], dpi=150, **how[path.suffix])


def _require(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    if missing := [column for column in columns if column not in table]:
        raise ValueError(f"{what} lacks the column {', '.join(missing)}; it has {', '.join(map(str, table))}")

"""The papers' figures: learning curves, sample pictures, confusion matrices, saliency sheets.

Every function returns a `matplotlib.figure.Figure` of its own, without pyplot; `save` writes it. Text is set in DejaVu
Sans and, for Chinese and Japanese, in the first of `CJK_FONTS` installed; a character that no font has prints as a box.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import os
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

CJK_FONTS = ("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "Hiragino Sans", "Yu Gothic", "MS Gothic")

# Blue, red, black, green and, for the network trained from scratch, orange are the colours of the 2018 study, in shades
# that stay apart for colour-blind readers; other networks take OTHER_COLOURS in the order they come.
COLOURS = {"Xception": "#0072B2", "ResNet50": "#CC1F2F", "InceptionV3": "#000000", "VGG19": "#009E73"}
SCRATCH_COLOUR = "#E69F00"
OTHER_COLOURS = ("#AA4499", "#56B4E9", "#7A4B1E", "#888888", "#3D2C8D", "#B5BD4C")
LINESTYLES = {"fine_tuning": "--", "off_the_shelf": "-.", "scratch": "-"}
PAPER_LINE: dict[str, Any] = {"linewidth": 0.8, "alpha": 0.45}

COLUMN, PAGE = 4.5, 6.5  # inches: the widths of a figure for one column and of one across the page


def learning_curves(
    curves: Mapping[str, Mapping[str, pd.DataFrame]],
    *,
    title: str,
    paper: pd.DataFrame | None = None,
    metric: str = "val_accuracy",
) -> Figure:
    """Figures 2 and 3 of the 2018 study: one line per network and mode, its last epoch marked by a dot.

    Args:
        curves: `curves[network][mode]` has the columns `epoch` (from 1), `metric` and, where there are several runs,
            `seed`: the line is then the mean of the runs still training at that epoch, in a band from min to max.
            Modes are those of `LINESTYLES`; others are dotted. `scratch` is orange, unless several networks have it.
        title: Printed above.
        paper: Published curves, thinner and paler behind ours: columns `network`, `mode`, `epoch`, `metric`.
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
    if not ours or any(table.empty for table in ours.values()):
        raise ValueError(f"no epochs to draw for {title!r}: finish at least one run")

    keys = list(dict.fromkeys([*ours, *published]))
    networks = list(dict.fromkeys(network for network, _ in keys))
    others = [network for network in networks if network not in COLOURS]
    colours = COLOURS | {name: OTHER_COLOURS[i % len(OTHER_COLOURS)] for i, name in enumerate(others)}
    scratch = [key for key in keys if key[1] == "scratch"]

    def style(network: str, mode: str) -> dict[str, Any]:
        colour = SCRATCH_COLOUR if scratch == [(network, mode)] else colours[network]
        return {"color": colour, "linestyle": LINESTYLES.get(mode, ":")}

    figure = Figure(figsize=(COLUMN, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for (network, mode), table in published.items():
        label = f"paper: {network}, {mode}"
        axes.plot(table["epoch"], table[metric], **style(network, mode), **PAPER_LINE, label=label)
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
            entries[network] = {"color": colours[network]}
    if len(scratch) == 1:
        entries[f"{scratch[0][0]}, scratch"] = style(*scratch[0])
    for mode in dict.fromkeys(mode for network, mode in keys if scratch != [(network, mode)]):
        entries[mode.replace("_", " ")] = {"color": "0.3", "linestyle": LINESTYLES.get(mode, ":")}
    if published:
        entries["paper"] = {"color": "0.3", **PAPER_LINE}
    handles = [Line2D([], [], label=_label(name, 8, COLUMN / 3), **line) for name, line in entries.items()]
    place: dict[str, Any] = {"loc": "outside lower center", "ncols": 3, "frameon": False, "handlelength": 3}
    figure.legend(handles=handles, prop=_font(8), **place)
    axes.set_title(_label(title, 10, COLUMN), fontproperties=_font(10))
    axes.set_xlabel("epoch", fontproperties=_font(9))
    axes.set_ylabel(metric.replace("val_", "validation ").replace("_", " "), fontproperties=_font(9))
    axes.tick_params(labelsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def published_curves(csv_path: str | os.PathLike[str]) -> pd.DataFrame:
    """The curves of one `eccv_rijksmuseum_*.csv`, each cut where early stopping ended it.

    The authors padded every series to the length of the longest with values it had before, constant or in turns; it is
    cut after the last value that is new. Epochs are numbered as published, from 0.

    Returns:
        Columns `network`, `mode`, `epoch`, `val_accuracy` (a fraction), as `learning_curves` takes for `paper`.

    Raises:
        ValueError: The file has other columns than the networks of the study.
    """
    import pandas as pd

    networks = {"V3": "InceptionV3", "ResNet": "ResNet50", "VGG19": "VGG19", "Xception": "Xception"}
    scratch = {"ScratchV3": "InceptionV3", "RandomV3": "InceptionV3"}
    trained = "off_the_shelf" if Path(csv_path).stem.endswith("only_softmax") else "fine_tuning"
    curves = []
    for column, accuracy in pd.read_csv(csv_path, index_col="epochs").items():
        if column not in networks | scratch:
            raise ValueError(f"{csv_path}: {column} is none of {', '.join(networks | scratch)}")
        accuracy = accuracy.loc[: accuracy.drop_duplicates().index[-1]]
        curve = accuracy.rename_axis("epoch").reset_index(name="val_accuracy")
        curve.insert(0, "network", (networks | scratch)[column])
        curve.insert(1, "mode", "scratch" if column in scratch else trained)
        curves.append(curve)
    return pd.concat(curves, ignore_index=True)


def samples(pictures: Sequence[np.ndarray], captions: Sequence[str], columns: int = 6) -> Figure:
    """Figure 1 of the 2018 study: rows of pictures, each at its own aspect ratio over its caption.

    Args:
        pictures: (height, width, 3) uint8 each.
        captions: One for each picture; cut with an ellipsis where wider than its column.
        columns: Pictures in a row.

    Raises:
        ValueError: There are no pictures, no columns, or not as many captions as pictures.
    """
    if not len(pictures) or len(pictures) != len(captions) or columns < 1:
        raise ValueError(f"cannot lay out {len(pictures)} pictures, {len(captions)} captions, {columns} columns")
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    figure, axes, width = _mosaic(rows, columns, left=0, above=0, below=0.16)
    for ax, caption in zip(itertools.chain(*axes), captions, strict=True):
        _note(ax, _label(caption, 7, 0.97 * width), (0.5, 0), (0, -2), ha="center", va="top")
    return figure


def saliency_sheet(rows: Sequence[tuple[str, Sequence[np.ndarray]]], columns: Sequence[str]) -> Figure:
    """Figure 4 of the 2018 study: a painting to a row, beside the overlays of what each network looks at.

    Args:
        rows: A caption, set upright at the left, and one picture (height, width, 3) uint8 for each of `columns`.
        columns: The headers.

    Raises:
        ValueError: There are no rows or no columns, or a row has not one picture for each column.
    """
    if not rows or not columns:
        raise ValueError("a saliency sheet needs at least one row and one column")
    for caption, pictures in rows:
        if len(pictures) != len(columns):
            raise ValueError(f"the row {caption!r} has {len(pictures)} pictures for {len(columns)} columns")
    pictures_of_rows = [pictures for _, pictures in rows]
    figure, axes, width = _mosaic(pictures_of_rows, len(columns), left=0.2, above=0.22, below=0)
    for ax, header in zip(axes[0], columns, strict=True):
        _note(ax, _label(header, 9, 0.97 * width), (0.5, 1), (0, 3), ha="center", va="bottom", size=9)
    for (ax, *_), (caption, _) in zip(axes, rows, strict=True):
        height = ax.get_position().height * figure.get_figheight()
        _note(ax, _label(caption, 8, height), (0, 0.5), (-3, 0), ha="right", va="center", size=8, rotation=90)
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
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

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
    kept = [_label(names[index], 7, 1.4) for index in order[:top]]
    if len(order) > top:
        rest = len(order) - top
        kept.append(f"rest ({rest} {'class' if rest == 1 else 'classes'})")

    # In inches, for the cells to be square and as large as the page allows.
    rows = [f"{name}  {count:,.0f}" for name, count in zip(kept, support, strict=True)]
    left, below = (max(_width(text, 7) for text in texts) + 0.4 for texts in (rows, kept))
    above, right = 0.3 if title else 0.1, 0.7
    cell = min(max(0.32, 1.8 / len(kept)), (PAGE - left - right) / len(kept))
    side = cell * len(kept)
    width, height = left + side + right, below + side + above
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((left / width, below / height, side / width, side / height))
    colours = matplotlib.colormaps["Blues"].with_extremes(bad="0.9")
    image = axes.imshow(shares, cmap=colours, vmin=0, vmax=1)
    ticks = range(len(kept))
    axes.set_yticks(ticks, rows, fontproperties=_font(7))
    axes.set_xticks(ticks, kept, fontproperties=_font(7), rotation=90)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted class", fontproperties=_font(8))
    axes.set_ylabel("true class and its support", fontproperties=_font(8))
    axes.set_title(_label(title, 9, width), fontproperties=_font(9))
    if cell >= 0.22:
        for row, column in np.argwhere(shares >= 0.005):
            share = shares[row, column]
            colour = "white" if share > 0.5 else "black"
            axes.text(column, row, f"{share:.0%}"[:-1], color=colour, ha="center", va="center", size=7)
    bar = figure.add_axes(((left + side + 0.1) / width, below / height, 0.1 / width, side / height))
    figure.colorbar(image, cax=bar, format=PercentFormatter(1))
    bar.tick_params(labelsize=7)
    return figure


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write `figure` as PNG (150 dpi) or SVG, by rename; the same figure gives the same bytes.

    Raises:
        ValueError: `path` ends neither in .png nor in .svg.
    """
    import matplotlib

    path = Path(path)
    metadata = {".png": {"Software": None}, ".svg": {"Date": None, "Creator": None}}
    if path.suffix not in metadata:
        raise ValueError(f"{path}: a figure is saved as .png or .svg")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with matplotlib.rc_context({"svg.hashsalt": "keras_art"}):
        figure.savefig(part, format=path.suffix[1:], dpi=150, metadata=metadata[path.suffix])
    os.replace(part, path)


def _mosaic(
    rows: Sequence[Sequence[np.ndarray]], columns: int, left: float, above: float, below: float
) -> tuple[Figure, list[list[Axes]], float]:
    """A figure of rows of pictures, their axes, and the width of a column; all lengths in inches.

    Pictures stand on the ground of their row, none higher than 5/4 of the width of its column.
    """
    from matplotlib.figure import Figure

    gap = 0.08
    column = (PAGE - left) / columns - gap
    heights = [column * min(1.25, max(picture.shape[0] / picture.shape[1] for picture in row)) for row in rows]
    width = left + max(map(len, rows)) * (column + gap)
    height = above + sum(heights) + len(rows) * (below + gap)
    figure = Figure(figsize=(width, height))
    axes: list[list[Axes]] = []
    ground = height - above
    for row, row_height in zip(rows, heights, strict=True):
        ground -= row_height
        axes.append([])
        for index, picture in enumerate(row):
            tall = min(column * picture.shape[0] / picture.shape[1], row_height)
            wide = tall * picture.shape[1] / picture.shape[0]
            x = left + gap / 2 + index * (column + gap) + (column - wide) / 2
            ax = figure.add_axes((x / width, ground / height, wide / width, tall / height))
            ax.imshow(picture, aspect="auto")
            ax.set_axis_off()
            axes[-1].append(ax)
        ground -= below + gap
    return figure, axes, column


def _note(
    ax: Axes, text: str, at: tuple[float, float], shift: tuple[float, float], size: float = 7, **how: Any
) -> None:
    """Text beside a picture: `at` in fractions of it, moved by `shift` points."""
    place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
    ax.annotate(text, at, shift, fontproperties=_font(size), **place, **how)


def _require(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    if missing := [column for column in columns if column not in table]:
        raise ValueError(f"{what} lacks the column {', '.join(missing)}; it has {', '.join(map(str, table))}")


@functools.cache
def _font(size: float) -> FontProperties:
    from matplotlib.font_manager import FontProperties, fontManager

    installed = {font.name for font in fontManager.ttflist}
    cjk = [name for name in CJK_FONTS if name in installed]
    return FontProperties(family=["DejaVu Sans", *cjk[:1]], size=size)


def _width(text: str, size: float) -> float:
    """The width of a text in inches."""
    from matplotlib.textpath import TextPath

    return TextPath((0, 0), text, prop=_font(size)).get_extents().width / 72 if text else 0.0


def _label(text: str, size: float, inches: float) -> str:
    """A text on one line, without characters that no font has (matplotlib warns of each), cut to a width in inches."""
    from matplotlib.font_manager import findfont, get_font

    fonts = [get_font(findfont(family)) for family in _font(size).get_family()]
    words = " ".join(unicodedata.normalize("NFC", str(text)).split())[:300]
    words = "".join(c if any(font.get_char_index(ord(c)) for font in fonts) else "□" for c in words)
    if _width(words, size) > inches:
        fits = bisect.bisect_right(range(len(words)), inches, key=lambda end: _width(words[:end] + "…", size))
        words = words[: max(fits - 1, 0)].rstrip() + "…"
    return words.replace("$", r"\$")  # a name is never a formula

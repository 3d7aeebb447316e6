"""An HTML page: tables and figures in a single file that can be sent to someone."""

from __future__ import annotations

import base64
import html
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_art.report.lettering import font, label
from keras_art.report.rendering import render
from keras_art.writing import write

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: .7em 0; font-size: 14px }
th, td { padding: .15em .7em; border-bottom: 1px solid #ddd; text-align: left }
figure { display: inline-block; margin: .5em 1em .5em 0; vertical-align: top; max-width: 100% }
.patch { display: inline-block; width: 1em; height: 1em; margin-right: .5em; border: 1px solid #888 }
figure img { max-width: 100% } img.small { width: 96px; height: 96px }
figcaption { max-width: 60em; overflow-wrap: anywhere } img.small + figcaption { width: 96px }
figcaption { font-size: 13px; color: #555 }
"""
SHOWN = 10  # classes with a colour of their own in a projection; the smaller ones are grey


class Page:
    """A page that grows from top to bottom, then is written as one file with its pictures inside."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.parts: list[str] = [f"<h1>{html.escape(title)}</h1>\n"]

    def heading(self, text: str, colour: str = "") -> None:
        """A section begins; a colour of CSS stands before its words."""
        patch = f'<span class="patch" style="background: {colour}"></span>' if colour else ""
        self.parts.append(f"<h2>{patch}{html.escape(text)}</h2>\n")

    def text(self, text: str) -> None:
        """A paragraph."""
        self.parts.append(f"<p>{html.escape(text)}</p>\n")

    def items(self, lines: Sequence[str]) -> None:
        """Sentences of equal rank."""
        self.parts.append("<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>\n")

    def table(self, frame: pd.DataFrame, digits: int = 2) -> None:
        """A table, numbers with some decimals."""
        self.parts.append(render(frame, "html", digits))

    def figure(self, figure: Figure, caption: str = "") -> None:
        """A picture; without a caption its title is what a screen reader says."""
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=110, metadata={"Software": None})
        data = base64.b64encode(drawn.getvalue()).decode()
        said = html.escape(caption or figure.get_suptitle() or figure.axes[0].get_title())
        below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
        self.parts.append(f'<figure><img src="data:image/png;base64,{data}" alt="{said}">{below}</figure>\n')

    def pictures(self, pictures: Sequence[np.ndarray], captions: Sequence[str]) -> None:
        """Pictures (height, width, 3) uint8 in a row, each over its caption."""
        from PIL import Image

        parts = []
        for picture, caption in zip(pictures, captions, strict=True):
            content = io.BytesIO()
            Image.fromarray(picture).save(content, "JPEG", quality=85)
            data, said = base64.b64encode(content.getvalue()).decode(), html.escape(caption)
            image = f'<img class="small" src="data:image/jpeg;base64,{data}" alt="{said}">'
            parts.append(f"<figure>{image}<figcaption>{said}</figcaption></figure>")
        self.parts.append(f"<div>{''.join(parts)}</div>\n")

    def save(self, path: Path) -> None:
        """Writes the page, by rename."""
        head = f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{html.escape(self.title)}</title>\n'
        write(path, f"{head}<style>{STYLE}</style>\n{''.join(self.parts)}</html>\n")


def scatter(points: np.ndarray, names: Sequence[str], title: str) -> Figure:
    """Points of a projection, one colour for each of the most frequent names, grey for the others.

    Args:
        points: (n, 2).
        names: one for each point; "" is unknown, and grey.

    Raises:
        ValueError: not as many names as points.
    """
    import matplotlib
    from matplotlib.figure import Figure

    if len(points) != len(names):
        raise ValueError(f"{len(points)} points need as many names, not {len(names)}")
    shown = [name for name, _ in Counter(filter(None, names)).most_common(SHOWN)]
    ours = np.array(names, dtype=object)
    figure = Figure(figsize=(6.2, 4.0), layout="constrained")
    axes = figure.add_subplot()
    if (rest := np.array([name not in shown for name in names])).any():
        axes.scatter(points[rest, 0], points[rest, 1], s=10, color="0.8", label=f"others ({rest.sum()})")
    for i, name in enumerate(shown):
        mine = points[ours == name]
        axes.scatter(
            mine[:, 0],
            mine[:, 1],
            s=16,
            color=matplotlib.colormaps["tab10"](i),
            label=f"{label(name, 7, 1.5)} ({len(mine)})",
        )
    axes.set_title(label(title, 10, 6), fontproperties=font(10))
    axes.set_xticks([])
    axes.set_yticks([])
    figure.legend(loc="outside right upper", prop=font(7), frameon=False)
    return figure


def differences(frame: pd.DataFrame, title: str, unit: str = "F1") -> Figure:
    """Per-class differences with their 95% intervals over seeds, those beyond the noise filled.

    Args:
        frame: what `evaluation.per_class_differences` returns.
    """
    from matplotlib.figure import Figure

    frame = frame[frame["n"] > 0].iloc[::-1].reset_index(drop=True)
    figure = Figure(figsize=(6.2, 0.9 + 0.22 * len(frame)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color="0.6", linewidth=0.8)
    for i, row in frame.iterrows():
        colour = "#0072B2" if row["difference"] > 0 else "#CC1F2F"
        if np.isfinite(row["lower"]):
            axes.plot([max(row["lower"], -1), min(row["upper"], 1)], [i, i], color=colour, linewidth=1)
        face = colour if row["beyond_noise"] else "white"
        axes.plot(row["difference"], i, "o", color=colour, markerfacecolor=face, markersize=5)
    texts = [f"{label(name, 7, 1.8)}  {n}" for name, n in zip(frame["class"], frame["support"], strict=True)]
    axes.set_yticks(range(len(frame)), texts, fontproperties=font(7))
    axes.set_xlabel(f"difference in {unit}; filled: its interval over seeds leaves out 0", fontproperties=font(8))
    axes.tick_params(labelsize=7)
    figure.suptitle(label(title, 9, 6), fontproperties=font(9))  # wider than the axes
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def matrices(named: Mapping[str, np.ndarray], title: str, columns: int = 4) -> Figure:
    """Square matrices side by side on one symmetric colour scale, the 99th percentile of their magnitudes at its ends.

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
        image = axes.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        axes.set_title(label(name, 7, 1.6), fontproperties=font(7))
    bar = figure.colorbar(image, ax=grid, shrink=0.6)
    bar.ax.tick_params(labelsize=6)
    figure.suptitle(label(title, 9, 6), fontproperties=font(9))
    return figure

"""Figures made of pictures: samples of a collection, and what networks look at.

Every function returns a `matplotlib.figure.Figure` of its own, without pyplot; `figures.save` writes it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_art.report.lettering import PAGE, font, label

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox


GAP = 0.08  # inches between pictures


def samples(pictures: Sequence[np.ndarray], captions: Sequence[str], columns: int = 6) -> Figure:
    """Figure 1 of the 2018 study: rows of pictures, each at its own aspect ratio over its caption.

    Args:
        pictures: (height, width, 3) uint8 each.
        captions: One for each picture, of one line or several; each is broken where wider than its column, and cut
            with an ellipsis on the fourth line.
        columns: Pictures in a row.

    Raises:
        ValueError: There are no pictures, no columns, or not as many captions as pictures.
    """
    if not len(pictures) or len(pictures) != len(captions) or columns < 1:
        raise ValueError(f"cannot lay out {len(pictures)} pictures, {len(captions)} captions, {columns} columns")
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    texts = [_broken(caption, 7, 0.97 * (PAGE / columns - GAP), lines=4) for caption in captions]
    most = max(text.count("\n") for text in texts) + 1
    figure, places, _ = _mosaic(rows, columns, left=0, above=0, below=0.04 + 0.12 * most)
    for place, text in zip(itertools.chain(*places), texts, strict=True):
        _note(figure, text, place, (0.5, 0), (0, -2), ha="center", va="top")
    return figure


def saliency_sheet(rows: Sequence[tuple[str, Sequence[np.ndarray]]], columns: Sequence[str]) -> Figure:
    """Figure 4 of the 2018 study: a painting to a row, beside the overlays of what each network looks at.

    Args:
        rows: A caption of one line or several, set below the row, and one picture (height, width, 3) uint8 for each
            of `columns`.
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
    texts = [_broken(caption, 8, PAGE - 0.2, lines=2) for caption, _ in rows]
    most = max(text.count("\n") for text in texts) + 1
    figure, places, width = _mosaic(pictures_of_rows, len(columns), left=0, above=0.22, below=0.06 + 0.14 * most)
    for place, header in zip(places[0], columns, strict=True):
        _note(figure, label(header, 9, 0.97 * width), place, (0.5, 1), (0, 3), ha="center", va="bottom", size=9)
    for (place, *_), text in zip(places, texts, strict=True):
        below = place.y0 - 3 / 72 / figure.get_figheight()
        figure.text(0.5, below, text, ha="center", va="top", fontproperties=font(8))
    return figure


def strips(rows: Sequence[tuple[str, Sequence[np.ndarray]]], left: float = 0.2) -> Figure:
    """Rows of pictures, each with a caption set upright at the left: galleries, images over their reconstructions.

    Args:
        rows: A caption and pictures (height, width, 3) uint8; rows may differ in length.
        left: Inches for the captions.

    Raises:
        ValueError: There is no row, or one without pictures.
    """
    if not rows or not all(len(pictures) for _, pictures in rows):
        raise ValueError("strips need at least one row, and every row at least one picture")
    pictures_of_rows = [pictures for _, pictures in rows]
    columns = max(map(len, pictures_of_rows))
    figure, places, _ = _mosaic(pictures_of_rows, columns, left=left, above=0, below=0)
    for (place, *_), (caption, _) in zip(places, rows, strict=True):
        text = label(caption, 7, place.height * figure.get_figheight())
        _note(figure, text, place, (0, 0.5), (-3, 0), ha="right", va="center", size=7, rotation=90)
    return figure


def _mosaic(
    rows: Sequence[Sequence[np.ndarray]], columns: int, left: float, above: float, below: float
) -> tuple[Figure, list[list[Bbox]], float]:
    """A figure of rows of pictures, their places in fractions of it, and the width of a column in inches, as all here.

    Pictures stand on the ground of their row, none higher than 5/4 of the width of its column.
    """
    from matplotlib.figure import Figure
    from matplotlib.image import BboxImage
    from matplotlib.transforms import Bbox, TransformedBbox

    gap = GAP
    column = (PAGE - left) / columns - gap
    heights = [column * min(1.25, max(picture.shape[0] / picture.shape[1] for picture in row)) for row in rows]
    width = left + max(map(len, rows)) * (column + gap)
    height = above + sum(heights) + len(rows) * (below + gap)
    figure = Figure(figsize=(width, height))
    places: list[list[Bbox]] = []
    ground = height - above
    for row, row_height in zip(rows, heights, strict=True):
        ground -= row_height
        places.append([])
        for index, picture in enumerate(row):
            tall = min(column * picture.shape[0] / picture.shape[1], row_height)
            wide = tall * picture.shape[1] / picture.shape[0]
            x = left + gap / 2 + index * (column + gap) + (column - wide) / 2
            place = Bbox.from_bounds(x / width, ground / height, wide / width, tall / height)
            # Without axes of its own, whose frame and ticks cost more than the picture.
            drawn = BboxImage(TransformedBbox(place, figure.transFigure))
            drawn.set_data(picture)
            figure.add_artist(drawn)
            places[-1].append(place)
        ground -= below + gap
    return figure, places, column


def _broken(caption: str, size: float, width: float, lines: int) -> str:
    """A caption whose every line is broken at a width in inches, and cut after `lines`."""
    return "\n".join(label(line, size, width, lines) for line in caption.split("\n"))


def _note(
    figure: Figure, text: str, place: Bbox, at: tuple[float, float], shift: tuple[float, float], size: float = 7,
    **how: Any,
) -> None:  # fmt: skip
    """Text beside a picture: `at` in fractions of its place, moved by `shift` points."""
    from matplotlib.transforms import ScaledTranslation

    moved = figure.transFigure + ScaledTranslation(shift[0] / 72, shift[1] / 72, figure.dpi_scale_trans)
    x, y = place.x0 + at[0] * place.width, place.y0 + at[1] * place.height
    figure.text(x, y, text, transform=moved, fontproperties=font(size), **how)

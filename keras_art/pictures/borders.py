"""Margins of one colour round a picture: what a scanner, a mount or padding to a square has left."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

ALIKE = 16  # of 255: what a channel of a border may differ from its median colour, which JPEG makes it do
WHOLE = 0.99  # of a line's pixels that must be alike
FLAT = 1.0  # of 255: the standard deviation of what no brush or camera has made
LEAST = 0.02  # of a side: a single line is no border
BLOCK, RINGING = 8, 0.9  # lines in which JPEG blends a border's end with the picture, and what is still alike there


def inside(picture: np.ndarray) -> tuple[int, int, int, int]:
    """The box that is left without the borders: left, top, right and bottom, as Pillow has them.

    A border is lines at an edge that have one colour throughout, the median of the outermost; each edge has its own.
    Where nothing would be left, or a border is narrower than `LEAST`, there is none.

    Args:
        picture: (height, width, 3) uint8.
    """
    height, width = picture.shape[:2]
    left, right = (_lines(np.swapaxes(picture, 0, 1)[::step]) for step in (1, -1))
    top, bottom = (_lines(picture[::step]) for step in (1, -1))
    if left + right >= width or top + bottom >= height:
        return 0, 0, width, height
    return left, top, width - right, height - bottom


def _lines(picture: np.ndarray) -> int:
    """How many lines from the first on are of its colour, those among them that JPEG has blurred at the end."""
    colour = np.median(picture[0], axis=0)
    alike = (np.abs(picture.astype(np.int16) - colour).max(axis=2) <= ALIKE).mean(axis=1)
    count = _first(alike >= WHOLE)
    if count < 2:
        return 0
    count += _first(alike[count : count + BLOCK] >= RINGING)
    return count if count >= LEAST * len(picture) else 0


def _first(same: np.ndarray) -> int:
    """How many are true before the first that is not."""
    return len(same) if same.all() else int(same.argmin())


def is_added(picture: np.ndarray) -> bool:
    """Whether the borders of `inside` are none of what is painted, as a sky, a ground or a dark coat at an edge is.

    Then two of them have one colour, or one is as flat as no paint is.
    """
    left, top, right, bottom = inside(picture)
    # Without the innermost line, which a smaller size has mixed with the picture's own.
    every = (picture[:, : left - 1], picture[: top - 1], picture[:, right + 1 :], picture[bottom + 1 :])
    found = (left > 0, top > 0, right < picture.shape[1], bottom < picture.shape[0])
    strips = [strip.reshape(-1, 3) for strip, there in zip(every, found, strict=True) if there]
    pairs = itertools.combinations([np.median(strip, axis=0) for strip in strips], 2)
    alike = any(np.abs(one - other).max() <= ALIKE for one, other in pairs)
    return alike or any(strip.std(axis=0).max() < FLAT for strip in strips)


def edged(squares: np.ndarray) -> np.ndarray:
    """Whether an outermost line of each picture has one colour, (n,): only then may `inside` find a border.

    Args:
        squares: (n, side, side, 3) uint8.
    """
    lines = np.stack([squares[:, 0], squares[:, -1], squares[:, :, 0], squares[:, :, -1]], axis=1).astype(np.int16)
    apart = np.abs(lines - np.median(lines, axis=2, keepdims=True)).max(axis=3)
    return np.asarray(((apart <= ALIKE).mean(axis=2) >= WHOLE).any(axis=1))


def measured(pixels: np.ndarray, rows: np.ndarray) -> pd.DataFrame:
    """One row per picture: `border`, the share of its area, and `aspect`, width over height of what is inside.

    Args:
        pixels: (stored rows, size, size, 3) uint8.
        rows: (n,), the pictures that are meant.
    """
    import pandas as pd

    found = []
    for row in rows:
        picture = np.asarray(pixels[row])
        left, top, right, bottom = inside(picture)
        width, height = right - left, bottom - top
        found.append((1 - width * height / (picture.shape[0] * picture.shape[1]), width / height))
    return pd.DataFrame(found, columns=["border", "aspect"])

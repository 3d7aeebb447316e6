"""Margins of one colour round a picture: what a scanner, a mount or padding to a square has left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

ALIKE = 16  # of 255: what a channel of a border may differ from its median colour, which JPEG makes it do
WHOLE = 0.99  # of a line's pixels that must be alike
BROAD = 0.07  # of the longer side: across narrower ones JPEG may have spread the picture, so that none is flat
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


def unframed(picture: np.ndarray) -> tuple[int, int, int, int]:
    """The box of `inside`, with the borders in it that are painted, as a sky, a ground or a dark coat at an edge is.

    That is a broad one whose colour no other has, and which is not as flat as what no paint has made.
    """
    height, width = picture.shape[:2]
    box = inside(picture)
    lines = (np.swapaxes(picture, 0, 1), picture, np.swapaxes(picture, 0, 1)[::-1], picture[::-1])
    counts = (box[0], box[1], width - box[2], height - box[3])
    strips = {i: lines[i][:count] for i, count in enumerate(counts) if count}
    colours = {i: np.median(strip.reshape(-1, 3), axis=0) for i, strip in strips.items()}

    def painted(i: int) -> bool:
        broad = len(strips[i]) >= BROAD * max(height, width)
        alone = all(np.abs(colours[i] - colours[j]).max() > ALIKE for j in strips if j != i)
        outer = strips[i][: max(2, len(strips[i]) // 4)]  # far from what JPEG or a smaller size has mixed with it
        return bool(broad and alone and outer.std(axis=(0, 1)).max() >= FLAT)

    left, top, right, bottom = (
        edge if i in strips and painted(i) else side
        for i, (side, edge) in enumerate(zip(box, (0, 0, width, height), strict=True))
    )
    return left, top, right, bottom


def share(picture: np.ndarray, box: tuple[int, int, int, int]) -> float:
    """How much of a picture's area is not in a box, in [0, 1]."""
    left, top, right, bottom = box
    return 1 - (right - left) * (bottom - top) / (picture.shape[0] * picture.shape[1])


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
        box = left, top, right, bottom = inside(picture)
        found.append((share(picture, box), (right - left) / (bottom - top)))
    return pd.DataFrame(found, columns=["border", "aspect"])

"""What is the matter with a picture that can be read: too dark, too bright, without contrast, blurred, of one colour.

Measured on the small squares that are stored anyway, as cleanvision does: no file is opened again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from keras_art.pictures.borders import edged, measured, share, unframed

if TYPE_CHECKING:
    import pandas as pd

GREY = np.array([0.299, 0.587, 0.114])
CHUNK = 1024  # pictures at a time
UNIFORM = 2.0  # of 255: the standard deviation of grey below which a picture shows nothing
DARK, BRIGHT = 0.35, 0.8  # of white: 99% of a dark picture lie below, 95% of a bright one above
CONTRAST = 0.2  # of white: what lies between the darkest and the brightest hundredth
# Of 1,254 paintings of 256 pixels one in a hundred has 0.33 or less; blurred over 4 pixels half of them have 0.21.
SHARP = 0.25  # how much neighbouring pixels differ, as a share of how much all do
TINY = 64  # pixels of the shorter side
EXTREME = 3.0  # times as long as it is broad
MARGIN = 0.15  # of a picture's area that may be border
FAULTS = {
    "uniform": "nothing to be seen, one colour alone",
    "too dark": "99% of it are darker than a third of white",
    "too bright": "95% of it are nearly white",
    "low contrast": "its darkest and its brightest part hardly differ",
    "blurred": "no fine detail even at 64 pixels",
    "tiny": f"the shorter side has fewer than {TINY} pixels",
    "extreme format": f"more than {EXTREME:.0f} times as long as broad",
    "border or frame": f"more than {MARGIN:.0%} of its area are margins of one colour, at two edges or flat",
}


def faults(pixels: np.ndarray, rows: np.ndarray, widths: np.ndarray, heights: np.ndarray) -> pd.DataFrame:
    """One row per picture: a column per word of `FAULTS`, bool; and what was measured, `bright`, `sharp`, `border`.

    Args:
        pixels: (stored rows, size, size, 3) uint8.
        rows: (n,), the pictures that are meant.
        widths, heights: (n,) of their files, in pixels.
    """
    import pandas as pd

    names = ("mean", "deviation", "p1", "p5", "p99", "sharp", "border", "red", "green", "blue")
    found = np.zeros((len(rows), len(names)))
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        squares = np.stack([pixels[row] for row in part])
        grey = squares @ GREY
        deviation = grey.std(axis=(1, 2))
        border = np.zeros(len(part))
        with_edge = np.flatnonzero(edged(squares))
        border[with_edge] = measured(pixels, part[with_edge])["border"]
        found[start : start + CHUNK] = np.column_stack([
            grey.mean(axis=(1, 2)) / 255, deviation,
            *(np.percentile(grey.reshape(len(grey), -1), [1, 5, 99], axis=1) / 255),
            _sharpness(grey), border, squares.mean(axis=(1, 2)),
        ])  # fmt: skip
    table = pd.DataFrame(found, columns=list(names))
    short, long = np.minimum(widths, heights), np.maximum(widths, heights)
    uniform = table["deviation"] < UNIFORM
    dark = ~uniform & (table["p99"] < DARK)
    bright = ~uniform & (table["p5"] > BRIGHT)
    flat = ~uniform & ~dark & ~bright & (table["p99"] - table["p1"] < CONTRAST)
    # A picture's own sky or ground is as even as a border at one edge.
    added = (table["border"] > MARGIN).to_numpy(copy=True)
    pictures = [np.asarray(pixels[row]) for row in rows[added]]
    added[added] = [share(picture, unframed(picture)) > MARGIN for picture in pictures]
    # What is enlarged to be looked at is smooth by that.
    blurred = ~uniform & (table["sharp"] < SHARP) & (short >= TINY)
    has = [
        uniform, dark, bright, flat, blurred, short < TINY, long > EXTREME * np.maximum(short, 1),
        ~uniform & added,
    ]  # fmt: skip
    words = pd.DataFrame({word: np.asarray(yes, bool) for word, yes in zip(FAULTS, has, strict=True)})
    told = table[["mean", "sharp", "border", "red", "green", "blue"]].rename(columns={"mean": "bright"})
    return pd.concat([words, told], axis=1)


def same_colour(found: pd.DataFrame) -> np.ndarray:
    """Groups of uniform pictures by their colour, -1 for all others: black and white ones are not alike, (n,)."""
    colours = (found[["red", "green", "blue"]].to_numpy() / 16).round().astype(np.int64)
    codes = colours @ np.array([10_000, 100, 1])
    return np.where(found["uniform"], codes, -1)


def _sharpness(grey: np.ndarray) -> np.ndarray:
    """How much neighbouring pixels of squares (n, side, side) differ, as a share of how much all do; (n,)."""
    inner = grey[:, 1:-1, 1:-1]
    fine = 4 * inner - grey[:, :-2, 1:-1] - grey[:, 2:, 1:-1] - grey[:, 1:-1, :-2] - grey[:, 1:-1, 2:]
    return np.asarray(fine.std(axis=(1, 2)) / np.maximum(grey.std(axis=(1, 2)), 1))


def is_blurred(path: Path) -> bool:
    """Whether the picture of a file has no fine detail at 64 pixels, or at its own size where that is smaller."""
    with Image.open(path) as picture:
        side = min(TINY, *picture.size)
        grey = np.asarray(picture.convert("L").resize((side, side), Image.Resampling.BOX), float)
    return bool(grey.std() >= UNIFORM and _sharpness(grey[None])[0] < SHARP)

"""Pictures that are another turned by a few degrees: a scan that lay askew, a photograph set upright.

Their hashes are near each other's, and so are those of others that have only their outlines in common. Pixels decide: a
pair counts where turning makes the one like the other, and takes away most of what they differ in as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from keras_art.pictures.lookalikes import near_pairs
from keras_art.pictures.versions import CHUNK, FLAT, GREY, Pair, reduced

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NEAR = 12  # of 64 bits; of 400 paintings turned by 2 degrees 98% are so near, and a third are within 4
SIDE = 32  # pixels a side on which they are compared
DEGREES = (-4, -3, -2, -1, 1, 2, 3, 4)  # against the clock
# How much larger what is seen is by that: the canvas grows until the corners have room, stays, or is cut until none is
# empty. What is not turned is tried at all of these.
ZOOMS = {a: [1 / (1 + np.sin(np.deg2rad(a))), 1.0, 1 + np.sin(np.deg2rad(a))] for a in (1, 2, 3, 4)}
ZOOMS[0] = sorted({zoom for zooms in ZOOMS.values() for zoom in zooms})
LIKELY = 0.5  # correlation as they are, below which no two are tried
ALIKE = 0.94  # correlation once turned, below which two are different pictures
LEFT = 0.5  # of what they differ in unturned, how much may be left: at 0.6 three pairs of KaoKore's hats count, too
MARGIN = 1  # pixels along every edge into which filled corners have come as the picture was made small


def find(pixels: np.ndarray, rows: np.ndarray, hashes: np.ndarray) -> list[Pair]:
    """Every two pictures one of which is the other turned by up to some four degrees, each pair once.

    Args:
        pixels: (stored rows, size, size, 3) uint8.
        rows: (n,), the pictures that are compared.
        hashes: (n,) uint64, theirs, no two of them equal.
    """
    near = [np.zeros((0, 2), int), *(np.sort(np.stack(pair, axis=1), axis=1) for pair in near_pairs(hashes, NEAR))]
    pairs = np.unique(np.concatenate(near), axis=0)
    greys, shows = _greys(pixels, rows)
    pairs = pairs[shows[pairs].all(axis=1)]
    found = []
    for start in range(0, len(pairs), CHUNK):
        one, other = pairs[start : start + CHUNK].T
        likely = _likeness(greys[:, one], greys[:, other]) >= LIKELY
        one, other = one[likely], other[likely]
        degrees, turned = _likest(greys[:, one], greys[:, other], DEGREES)
        alike = np.flatnonzero(turned >= ALIKE)
        _, straight = _likest(greys[:, one[alike]], greys[:, other[alike]], (0,))
        for k in alike[1 - turned[alike] <= LEFT * (1 - straight)]:
            way = "anticlockwise" if degrees[k] > 0 else "clockwise"
            found.append(Pair(int(one[k]), int(other[k]), f"turned by {abs(degrees[k])}° {way}", float(turned[k])))
    return found


def _greys(pixels: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Greys, (SIDE * SIDE, n) float32, and who shows anything, (n,)."""
    greys, shows = np.zeros((SIDE * SIDE, len(rows)), np.float32), np.zeros(len(rows), bool)
    for start in range(0, len(rows), CHUNK):
        part = slice(start, start + CHUNK)
        grey = np.stack([pixels[row] for row in rows[part]]) @ GREY
        shows[part] = grey.std(axis=(1, 2)) >= FLAT
        greys[:, part] = reduced(grey, (0.0,) * 4, SIDE).reshape(-1, SIDE * SIDE).T
    return greys, shows


def _likest(one: np.ndarray, other: np.ndarray, angles: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """By which of these angles each of `one` is likest to `other`, greys (SIDE * SIDE, n), and how like it then is."""
    degrees, likest = np.zeros(one.shape[1], int), np.full(one.shape[1], -1.0)
    for angle in angles:
        for zoom in ZOOMS[abs(angle)]:
            turn, seen = _turn(angle, zoom)
            likeness = _likeness(turn @ one, other[seen])
            better = likeness > likest
            degrees[better], likest[better] = angle, likeness[better]
    return degrees, likest


def _likeness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The correlations of greys (pixels, n), (n,)."""
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    both = np.einsum("ij,ij->j", one, one) * np.einsum("ij,ij->j", other, other)
    return np.asarray(np.einsum("ij,ij->j", one, other) / np.sqrt(np.maximum(both, 1e-6)))


@cache
def _turn(degrees: int, zoom: float) -> tuple[csr_array, np.ndarray]:
    """What turns a square of greys about its middle, bilinearly, and which pixels are then of the picture alone."""
    from scipy.sparse import csr_array

    angle, middle = np.deg2rad(degrees), (SIDE - 1) / 2
    to = np.mgrid[MARGIN : SIDE - MARGIN, MARGIN : SIDE - MARGIN].reshape(2, -1)
    down, across = to - middle
    x = (np.cos(angle) * across - np.sin(angle) * down) / zoom + middle
    y = (np.sin(angle) * across + np.cos(angle) * down) / zoom + middle
    inside = (np.minimum(x, y) >= MARGIN) & (np.maximum(x, y) <= SIDE - 1 - MARGIN)
    x, y, seen = x[inside], y[inside], (to[0] * SIDE + to[1])[inside]
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    weights = [
        (1 - np.abs(x - column)) * (1 - np.abs(y - row)) for row in (top, top + 1) for column in (left, left + 1)
    ]
    places = [row * SIDE + column for row in (top, top + 1) for column in (left, left + 1)]
    pixel = np.tile(np.arange(len(seen)), 4)
    made = (np.concatenate(weights).astype(np.float32), (pixel, np.concatenate(places)))
    return csr_array(made, shape=(len(seen), SIDE * SIDE)), seen

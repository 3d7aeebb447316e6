"""A painting: a scene, painted in its artist's style and laid on one of four materials.

A material takes and gives a picture, (size, size, 3) float in about 0..255.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_art.atelier.artists import Artist
from keras_art.atelier.pixels import Rng, noise
from keras_art.atelier.scenes import see
from keras_art.atelier.styles import STYLES


def canvas(picture: np.ndarray, rng: Rng) -> np.ndarray:
    """A plain weave: threads over and under."""
    size = len(picture)
    y, x = np.mgrid[0:size, 0:size] * (2 * np.pi * rng.uniform(26, 32) / size)
    sway = 0.5 * noise(rng, size, 8)
    weave = np.cos(x + sway) * np.cos(y + 0.5 * sway)
    return picture * (1 + 0.075 * weave + 0.015 * noise(rng, size, 64))[..., None]


def paper(picture: np.ndarray, rng: Rng) -> np.ndarray:
    """Grain that lets the pale sheet through."""
    size = len(picture)
    bare = np.clip(0.2 + 0.08 * noise(rng, size, 48) + 0.08 * noise(rng, size, 110), 0, 0.6)[..., None]
    return picture + (np.array([244, 236, 220]) - picture) * bare


def panel(picture: np.ndarray, rng: Rng) -> np.ndarray:
    """Wood: streaks the height of the board, warm where the paint is thin."""
    size = len(picture)
    streaks = noise(rng, size, 40, stretch=14) + 0.7 * noise(rng, size, 90, stretch=30)
    thin = np.clip(0.1 + 0.1 * streaks, 0, 0.5)[..., None]
    return picture * (1 + 0.05 * streaks)[..., None] + (np.array([120, 78, 44]) - picture) * thin


def plaster(picture: np.ndarray, rng: Rng) -> np.ndarray:
    """A dry wall: chalky, blotched, with fine cracks."""
    size = len(picture)
    cracks = np.abs(noise(rng, size, 9) + 0.35 * noise(rng, size, 30)) < 0.05
    chalk = 0.82 * picture + 37 + 7 * noise(rng, size, 12)[..., None]
    return chalk * (1 - 0.35 * cracks)[..., None]


MATERIALS: dict[str, tuple[float, Callable[[np.ndarray, Rng], np.ndarray]]] = {
    "canvas": (0.45, canvas),
    "paper": (0.25, paper),
    "panel": (0.20, panel),
    "plaster": (0.10, plaster),
}


def painting(rng: Rng, artist: Artist, type_: str, material: str, size: int) -> np.ndarray:
    """A painting, (size, size, 3) float, not clipped."""
    scene = see(rng, artist, type_, size)
    picture = np.asarray(STYLES[artist.style](scene, artist, rng).reduce(2), float)
    tone, slope = picture.mean(axis=2), np.zeros((size, size))
    slope[1:, 1:] = tone[1:, 1:] - tone[:-1, :-1]  # thick paint catches the light from the upper left
    return MATERIALS[material][1](picture + np.clip(artist.relief * slope, -40, 40)[..., None], rng)

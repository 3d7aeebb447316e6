"""What a picture's colours are on the whole, and a picture in the colours of another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

CHUNK = 256  # pictures at a time
BLANK = 4.0  # what an untrained decoder's grey squares stay below, and paintings far above
# sRGB (IEC 61966-2-1) to CIE XYZ over its white, D65.
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(axis=1)


def lab(pixels: np.ndarray) -> np.ndarray:
    """SRGB (..., 3) uint8 -> CIELAB (..., 3) float: L in [0, 100], a green to red, b blue to yellow."""
    values = np.arange(256) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    xyz = linear[pixels] @ TO_XYZ.T / WHITE
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def statistics(pixels: np.ndarray, rows: np.ndarray) -> pd.DataFrame:
    """One row per picture: red, green, blue (means, 0 to 255), lightness (mean L, 0 to 100), a, b, and entropy.

    The last is the mean `local_entropy`, in bits, of 8 by 8 places.

    Args:
        pixels: (stored rows, size, size, 3) uint8.
        rows: (n,), the pictures that are meant.
    """
    means = []
    for start in range(0, len(rows), CHUNK):
        part = np.asarray(pixels[rows[start : start + CHUNK]])
        # Every fourth pixel of a large picture says as much of its mean.
        step = max(1, part.shape[1] // 32)
        small = part[:, ::step, ::step]
        entropy = [[local_entropy(picture, step=max(1, len(picture) // 8)).mean()] for picture in part]
        means.append(np.concatenate([small.mean(axis=(1, 2)), lab(small).mean(axis=(1, 2)), entropy], axis=1))
    return pd.DataFrame(np.concatenate(means), columns=["red", "green", "blue", "lightness", "a", "b", "entropy"])


def local_entropy(picture: np.ndarray, radius: int = 10, step: int = 1) -> np.ndarray:
    """How varied the greys are around a picture's pixels, of which every `step`th is asked: (h, w, 3) uint8 -> bits.

    The entropy of the histogram of the 256 grey levels within a disc, as much of it as lies in the picture:
    scikit-image's rank filter on `rgb2gray`, of which West's histograms are.

    Returns:
        (ceil(h / step), ceil(w / step)) float, in [0, 8].
    """
    grey = np.rint(picture @ np.array([0.2125, 0.7154, 0.0721])).astype(np.int32)
    reach = np.arange(-radius, radius + 1) ** 2
    disc = reach[:, None] + reach <= radius**2
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(grey, radius, constant_values=256), disc.shape)
    levels = windows[::step, ::step][..., disc]  # 256: outside of the picture
    places = np.arange(levels[..., 0].size).reshape(*levels.shape[:2], 1)
    counts = np.bincount((levels + 257 * places).ravel(), minlength=257 * places.size).reshape(-1, 257)[:, :256]
    shares = counts / counts.sum(axis=1, keepdims=True)
    return -(shares * np.log2(np.where(counts, shares, 1))).sum(axis=1).reshape(levels.shape[:2])


def recolour(picture: np.ndarray, like: np.ndarray) -> np.ndarray:
    """A picture in the colours of another, by CORAL (Sun et al. 2016) as AdaIN's code has it; both (h, w, 3) uint8.

    Each channel is standardised; the sums of the channels' products, with 1 added to those of a channel by itself, are
    brought from ours to theirs by their matrix roots; the channels get the other's means and deviations.
    """
    (ours, _, _), (theirs, mean, deviation) = (_standardised(image) for image in (picture, like))
    transform = _root(theirs.T @ theirs + np.eye(3), 0.5) @ _root(ours.T @ ours + np.eye(3), -0.5)
    matched = ours @ transform.T * deviation + mean
    return np.rint(np.clip(matched, 0, 255)).astype(np.uint8).reshape(picture.shape)


def _standardised(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels (n, 3) of mean 0 and deviation 1 in each channel, and what these were."""
    pixels = picture.reshape(-1, 3).astype(float)
    mean, deviation = pixels.mean(0), pixels.std(0, ddof=1)
    return (pixels - mean) / np.maximum(deviation, 1e-5), mean, deviation  # a picture of one colour has no spread


def _root(products: np.ndarray, power: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(products)
    return (vectors * values**power) @ vectors.T


def is_blank(path: Path) -> bool:
    """Whether a picture's lightness hardly varies over a grid of 32 by 32: a deviation below `BLANK` of 255."""
    with Image.open(path) as picture:
        small = picture.convert("L").resize((32, 32), Image.Resampling.BOX)
    return bool(np.asarray(small).std() < BLANK)

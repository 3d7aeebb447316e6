"""What a picture's colours are on the whole: the mean of each channel, and of CIELAB."""

from __future__ import annotations

import numpy as np
import pandas as pd

CHUNK = 256  # pictures at a time
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
    """One row per picture: red, green, blue (means, 0 to 255), lightness (mean L, 0 to 100), a, b.

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
        means.append(np.concatenate([small.mean(axis=(1, 2)), lab(small).mean(axis=(1, 2))], axis=1))
    return pd.DataFrame(np.concatenate(means), columns=["red", "green", "blue", "lightness", "a", "b"])

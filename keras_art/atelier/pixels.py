"""What painter and photographer share: colours, float in 0..255 until the last step, and smooth noise."""

from __future__ import annotations

import numpy as np
from PIL import Image

Rng = np.random.Generator


def eight_bit(colour: np.ndarray) -> np.ndarray:
    """Rounded and clipped to uint8."""
    return np.clip(np.rint(colour), 0, 255).astype(np.uint8)


def ink(colour: np.ndarray) -> tuple[int, ...]:
    """One colour, (3,), as Pillow's `fill` takes it."""
    return tuple(eight_bit(colour).tolist())


def noise(rng: Rng, size: int, cells: int, stretch: int = 1) -> np.ndarray:
    """Smooth (size, size) noise of about unit deviation, `cells` grains across, each `stretch` times as high."""
    grains = rng.normal(0, 1.3, (max(2, cells // stretch), cells)).astype(np.float32)
    return np.asarray(Image.fromarray(grains).resize((size, size), Image.Resampling.BICUBIC), float)

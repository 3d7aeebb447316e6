"""The augmentation `tf_data` by NumPy, for JAX and PyTorch: TensorFlow's random numbers, and its warp.

What is drawn from a seed is what TensorFlow draws, to the bit; what is computed from it agrees but for the last digit
of a float32, so that of the pixels, which are rounded, one in many thousands is another by 1 of 255.
"""

from __future__ import annotations

import math

import numpy as np

CROP = 0.8  # the least side of the window, a share of the image's
DEGREES = 10.0
JITTER = 0.2


def warped(images: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """Images (batch, size, size, 3) in [0, 255] -> the same, changed, in the same type; one seed (2,) for the batch."""
    count, size = len(images), images.shape[1]
    draws = uniform((8, count), seed)
    scale = (1 + CROP) / 2 + draws[0] * np.float32((1 - CROP) / 2)  # of the window
    angle = draws[1] * np.float32(DEGREES * math.pi / 180)
    flip = np.where(draws[2] < 0, np.float32(-1), np.float32(1))
    centre = (size - 1) / 2
    free = (1 - scale) * np.float32(centre)
    x, y = centre + draws[3] * free, centre + draws[4] * free  # the window's centre
    # Output pixel -> input pixel: about the centre scaled, flipped, turned, then moved to the window's centre.
    a, b = scale * np.cos(angle) * flip, -scale * np.sin(angle)
    c, d = scale * np.sin(angle) * flip, scale * np.cos(angle)
    out = _sampled(images, (a, b, x - (a + b) * centre), (c, d, y - (c + d) * centre))
    brightness, contrast, saturation = (draws[i][:, None, None, None] * np.float32(JITTER) for i in (5, 6, 7))
    out += 255 * brightness
    mean = out.mean(axis=(1, 2), keepdims=True)
    out = (out - mean) * (1 + contrast) + mean
    grey = out.mean(axis=3, keepdims=True)
    out = (out - grey) * (1 + saturation) + grey
    return np.rint(out.clip(0, 255)).astype(images.dtype)


def _sampled(images: np.ndarray, across: tuple[np.ndarray, ...], down: tuple[np.ndarray, ...]) -> np.ndarray:
    """Bilinear between the pixels at the places (a x + b y + c) that each output pixel asks for, edges mirrored."""
    count, size = images.shape[:2]
    rows, columns = np.mgrid[:size, :size].astype("float32")
    places = [_mirrored(a[:, None, None] * columns + b[:, None, None] * rows + c[:, None, None], size)
              for a, b, c in (across, down)]  # fmt: skip
    (left, right), (top, bottom) = [(low, np.minimum(low + 1, size - 1)) for low in (p.astype("int32") for p in places)]
    x, y = ((place - np.floor(place))[..., None] for place in places)
    pixels = images.reshape(-1, images.shape[3])
    begin = (np.arange(count, dtype="int64") * size * size)[:, None, None]

    def read(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        return pixels.take(begin + row * size + column, axis=0).astype("float32")

    above = (1 - x) * read(top, left) + x * read(top, right)
    below = (1 - x) * read(bottom, left) + x * read(bottom, right)
    return (1 - y) * above + y * below


def _mirrored(places: np.ndarray, size: int) -> np.ndarray:
    """Places beyond the edge, mirrored as in dcba|abcd|dcba; within [0, size - 1]."""
    places = np.where(places < 0, -places - 1, places) % np.float32(2 * size)
    return np.where(places >= size, 2 * size - places - 1, places).clip(0, size - 1)


def uniform(shape: tuple[int, ...], seed: np.ndarray) -> np.ndarray:
    """float32 in [-1, 1): what `tf.random.stateless_uniform` draws from two integers, by Philox 4x32-10.

    Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405; TensorFlow makes key and counter of the seed by one
    call of it.
    """
    low, high = (np.asarray(seed, "int64").view("uint64") >> shift for shift in (np.uint64(0), np.uint64(32)))
    words = np.stack([low, high], axis=1).ravel().astype("uint32")
    mixed = _philox(words[:, None], (0x3EC8F720, 0x02461E29))[:, 0]
    groups = np.arange(-(-math.prod(shape) // 4), dtype="uint32")
    counters = np.stack([groups, np.zeros_like(groups), *(np.full_like(groups, word) for word in mixed[2:])])
    bits = _philox(counters, (int(mixed[0]), int(mixed[1]))).T.ravel()[: math.prod(shape)]
    # 23 bits as the fraction of a number in [1, 2), as TensorFlow has it.
    found = (bits & 0x7FFFFF | 0x3F800000).astype("uint32").view("float32") - np.float32(1)
    return (found * np.float32(2) - np.float32(1)).reshape(shape)


def _philox(counters: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Ten rounds: counters (4, n) and a key of two, of 32 bits each -> random bits (4, n) uint32."""
    a, b, c, d = counters.astype("uint64")
    first, second = key
    for _ in range(10):
        ac, cc = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, b, c, d = (
            (cc >> np.uint64(32)) ^ b ^ np.uint64(first), cc & np.uint64(0xFFFFFFFF),
            (ac >> np.uint64(32)) ^ d ^ np.uint64(second), ac & np.uint64(0xFFFFFFFF),
        )  # fmt: skip
        first, second = (first + 0x9E3779B9) & 0xFFFFFFFF, (second + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([a, b, c, d]).astype("uint32")

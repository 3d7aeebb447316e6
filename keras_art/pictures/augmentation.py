"""Random crop, flip, rotation and colour jitter of training images: as they are fed, by Keras layers, or by keras-cv.

All three do the same to the same degree: a window of 80 to 100% of the side, scaled back; left and right swapped half
of the time; turned by up to 10 degrees either way, edges mirrored; brightness, contrast and saturation up to 20% up or
down. They draw different random numbers.

`tf_data` is one warp and one pass over the colours for a whole batch, and draws from (seed, step) alone: any batch
can be made again, so a run that is resumed sees what it would have seen. It runs in tf.data on TensorFlow, and draws
and computes the same by NumPy on JAX and PyTorch (`warp`). `keras` are layers at the front of the model,
idle in inference, on every backend; their random state is a part of the checkpoint. `keras_cv` runs in TensorFlow on
every backend, one call after the other; its random state is lost when a process dies, so a resumed run draws anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_art.errors import UserError
from keras_art.pictures import warp
from keras_art.pictures.pipeline import Batches
from keras_art.pictures.warp import CROP, DEGREES, JITTER

WAYS = ("tf_data", "keras", "keras_cv", "none")
SATURATION = (0.5 - JITTER / 2, 0.5 + JITTER / 2)  # as Keras counts it: 0.5 changes nothing


def in_pipeline(way: str, seed: int, size: int) -> Callable[[Any, Any], Any] | None:
    """What `Batches` applies to a batch of (batch, size, size, 3) for a way that changes what is fed; else None.

    Raises:
        UserError: the way is unknown, or its package is not installed.
    """
    if way not in WAYS:
        raise UserError(f"--augmentation {way} is none of {', '.join(WAYS)}")
    if way == "tf_data":
        return warped if keras.config.backend() == "tensorflow" else warp.warped
    return _keras_cv(seed, size) if way == "keras_cv" else None


def in_model(way: str) -> keras.Layer | None:
    """The layer at the front of the model for `keras`, (batch, size, size, 3) [0, 255] to the same; else None."""
    if way != "keras":
        return None
    # float32 under any precision: the native layers mix their own arithmetic with the images' type.
    layers = keras.layers
    how: dict[str, Any] = {"dtype": "float32"}
    return keras.Sequential(
        [
            layers.Rescaling(1.0, **how),  # uint8 to float32
            layers.RandomFlip("horizontal", **how),
            # Zoomed in by up to 1 - CROP, and shifted within what that leaves free.
            layers.RandomZoom((CROP - 1, 0), (CROP - 1, 0), fill_mode="reflect", **how),
            layers.RandomTranslation((1 - CROP) / 4, (1 - CROP) / 4, fill_mode="reflect", **how),
            layers.RandomRotation(DEGREES / 360, fill_mode="reflect", **how),
            layers.RandomBrightness(JITTER, value_range=(0, 255), **how),
            layers.RandomContrast(JITTER, value_range=(0, 255), **how),
            layers.RandomSaturation(SATURATION, value_range=(0, 255), **how),
        ],
        name="augmentation",
    )


def warped(images: Any, seed: Any) -> Any:
    """Images (batch, size, size, 3) in [0, 255] -> the same, changed, in the same type; one seed (2,) for the batch.

    On TensorFlow, within tf.data; `warp.warped` is the same by NumPy.
    """
    import tensorflow as tf

    count, size = tf.shape(images)[0], images.shape[1]
    draws = tf.random.stateless_uniform([8, count], seed, -1.0, 1.0)  # in [-1, 1)
    scale = (1 + CROP) / 2 + draws[0] * (1 - CROP) / 2  # of the window
    angle = draws[1] * (DEGREES * math.pi / 180)
    flip = tf.where(draws[2] < 0, -1.0, 1.0)
    centre = (size - 1) / 2
    free = (1 - scale) * centre
    x, y = centre + draws[3] * free, centre + draws[4] * free  # the window's centre
    # Output pixel -> input pixel: about the centre scaled, flipped, turned, then moved to the window's centre.
    a, b = scale * tf.cos(angle) * flip, -scale * tf.sin(angle)
    c, d = scale * tf.sin(angle) * flip, scale * tf.cos(angle)
    zeros = tf.zeros_like(a)
    transforms = tf.stack([a, b, x - (a + b) * centre, c, d, y - (c + d) * centre, zeros, zeros], axis=1)
    out = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32), transforms=transforms, output_shape=[size, size],
        interpolation="BILINEAR", fill_mode="REFLECT", fill_value=0.0,
    )  # fmt: skip
    brightness, contrast, saturation = (draws[i][:, None, None, None] * JITTER for i in (5, 6, 7))
    out = out + 255.0 * brightness
    mean = tf.reduce_mean(out, axis=(1, 2), keepdims=True)
    out = (out - mean) * (1 + contrast) + mean
    grey = tf.reduce_mean(out, axis=3, keepdims=True)
    out = (out - grey) * (1 + saturation) + grey
    return tf.cast(tf.round(tf.clip_by_value(out, 0.0, 255.0)), images.dtype)


@dataclass(frozen=True)
class Mixed(Batches):
    """Batches in which every picture is mixed with another of its batch, and its target with that one's.

    By Keras's own layers, MixUp (Zhang et al. 2018) or CutMix (Yun et al. 2019). What is drawn follows from the seed
    and the samples of a batch, so a batch that is made again is the same.

    Attributes:
        labels: (n, classes) float32 targets.
        way: "mixup", by weights, or "cutmix", by rectangles.
    """

    way: str = "mixup"

    def gather(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As in `Batches`; pixels are rounded to their own type."""
        images, targets = super().gather(samples)
        seed = int(np.random.default_rng([self.seed or 0, *map(int, samples)]).integers(2**31))
        kind = keras.layers.MixUp if self.way == "mixup" else keras.layers.CutMix
        mixed = kind(seed=seed, dtype="float32")({"images": images.astype("float32"), "labels": targets}, training=True)
        pixels, shares = (keras.ops.convert_to_numpy(mixed[name]) for name in ("images", "labels"))
        return np.rint(pixels).clip(0, 255).astype(images.dtype), shares.astype("float32")


def _keras_cv(seed: int, size: int) -> Callable[[Any, Any], Any]:
    try:
        import keras_cv
    except ImportError as error:
        raise UserError("--augmentation keras_cv needs keras-cv and tensorflow; or take tf_data or keras") from error
    import tensorflow as tf

    # Its colour layers draw from TensorFlow's global generator, which deterministic operations want set.
    tf.random.set_global_generator(tf.random.Generator.from_seed(seed))
    layers = [
        keras_cv.layers.RandomFlip("horizontal", seed=seed),
        keras_cv.layers.RandomCropAndResize((size, size), (CROP**2, 1.0), (1.0, 1.0), seed=seed + 1),
        keras_cv.layers.RandomRotation(DEGREES / 360, fill_mode="reflect", seed=seed + 2),
        keras_cv.layers.RandomColorJitter((0, 255), JITTER, JITTER, SATURATION, 0.0, seed=seed + 3),
    ]

    def augment(images: Any, seed: Any) -> Any:
        x = tf.cast(images, tf.float32)
        for layer in layers:
            x = layer(x)
        return tf.cast(tf.round(tf.clip_by_value(x, 0.0, 255.0)), images.dtype)

    if keras.config.backend() == "tensorflow":
        return augment
    # Within a graph of TensorFlow's, layers compute by TensorFlow on every backend.
    graph = tf.function(augment)
    return lambda images, seed: graph(tf.constant(images), tf.constant(seed)).numpy()

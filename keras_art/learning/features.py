"""What a frozen network says of images, computed once: of an image it says the same every time it is asked.

Two things are kept: its pooled features, and what an attention head is given of it at several depths. An image is known
by its file's content hash, so another split, target, limit or collection with the same files computes nothing. What was
stopped goes on where it was.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from keras_art.learning.vectors import Progress, kept_vectors
from keras_art.networks.backbones import Backbone, gigamacs
from keras_art.networks.heads import feature_extractor
from keras_art.pictures.pipeline import Batches

FEATURES, TAPS = 1024, 256  # images between two savings
# Multiply-accumulates of the backbone to one value of its taps from which on reading is faster than computing. VGG16
# has 2,900 and ResNet50 2,600 at 64 pixels, SqueezeNet 500.
PAYS = 1500.0


def cached_features(
    folder: Path,
    build: Callable[[], Backbone],
    pixels: np.ndarray,
    rows: np.ndarray,
    sha256: Sequence[str],
    *,
    batch_size: int = 32,
    progress: Progress = lambda done, all: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pooled features of images, of which only those that `folder` lacks are extracted.

    Args:
        folder: the cache of one (backbone, weights, preprocessing, size, precision).
        build: makes the backbone; called only if an image is missing.
        pixels: (stored rows, size, size, 3) uint8.
        rows: each image's row in `pixels`.
        sha256: each image's content hash.
        progress: called with (images extracted, images to extract).

    Returns:
        A memory map (cached images, width) float32, and each image's row in it.
    """

    def extractor() -> Callable[[np.ndarray], np.ndarray]:
        model = feature_extractor(build())
        return lambda chunk: said(model, pixels, chunk, batch_size).astype(np.float32)

    return kept_vectors(folder, np.dtype(np.float32), extractor, rows, sha256, FEATURES, progress)


def cached_taps(
    folder: Path,
    model: keras.Model,
    pixels: np.ndarray,
    rows: np.ndarray,
    sha256: Sequence[str],
    *,
    batch_size: int = 32,
    progress: Progress = lambda done, all: None,
) -> tuple[np.ndarray, np.ndarray]:
    """What the head of an `attention_classifier` is given of each image, of which only what `folder` lacks is computed.

    Args:
        folder: the cache of one (backbone, weights, preprocessing, size, taps).
        model: the classifier, its backbone as it is while frozen.
        pixels: (stored rows, size, size, 3) uint8.
        rows: each image's row in `pixels`.
        sha256: each image's content hash.

    Returns:
        A memory map (cached images, values) float16, an image's maps flattened end to end, and each image's row in it.
    """

    def reader() -> Callable[[np.ndarray], np.ndarray]:
        given = keras.Model(model.input, _given(model))
        return lambda chunk: np.clip(said(given, pixels, chunk, batch_size), -65504, 65504).astype(np.float16)

    return kept_vectors(folder, np.dtype(np.float16), reader, rows, sha256, TAPS, progress)


def said(model: keras.Model, pixels: np.ndarray, rows: np.ndarray, batch_size: int) -> np.ndarray:
    """Everything a model says of images, (n, values), several outputs flattened end to end."""
    batches = Batches(pixels, rows, np.zeros_like(rows), batch_size)
    parts = keras.tree.flatten(model.predict(batches.epochs(), verbose=0))
    return np.concatenate([part.reshape(len(rows), -1) for part in parts], axis=1)


def values(head: keras.Model) -> int:
    """How many numbers an `attention_head` takes of one image."""
    return sum(math.prod(taken.shape[1:]) for taken in head.inputs)


def pays(reader: keras.Model, head: keras.Model, images: int, folder: Path) -> bool:
    """Whether cached taps are faster than the network, and take at most half of the free disk."""
    dear = 1e9 * gigamacs(reader) / values(head) > PAYS
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return dear and 2 * values(head) * images < shutil.disk_usage(place).free / 2


def _given(model: keras.Model) -> list[object]:
    """The tensors that a classifier's head is called with."""
    reader = next(layer for layer in model.layers if isinstance(layer, keras.Model) and layer.name != "head")
    *maps, last = reader(model.get_layer("preprocessing")(model.input))
    return [*maps, model.get_layer("global")(last)]


def head_on_taps(head: keras.Model) -> keras.Model:
    """The same head, its weights shared, on rows of `cached_taps`: (batch, values) -> class probabilities."""
    flat = keras.Input((values(head),), dtype="float16", name="taps")
    parts, begin = [], 0
    for taken in head.inputs:
        size = math.prod(taken.shape[1:])
        parts.append(keras.layers.Reshape(taken.shape[1:])(flat[:, begin : begin + size]))
        begin += size
    return keras.Model(flat, head(parts)[0], name="classifier_on_taps")

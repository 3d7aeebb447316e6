"""What a frozen network says at several depths, kept on disk: training then reads it and runs the head alone."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from filelock import FileLock

from keras_art.networks import heads
from keras_art.networks.backbones import gigamacs
from keras_art.pictures.pipeline import Batches
from keras_art.writing import write

CHUNK = 256  # images between two savings
# Multiply-accumulates of the backbone to one value of its taps from which on reading is faster than computing. VGG16
# has 2,900 and ResNet50 2,600 at 64 pixels, SqueezeNet 500.
PAYS = 1500.0


def values(head: keras.Model) -> int:
    """How many numbers an `attention_head` takes of one image."""
    return sum(math.prod(taken.shape[1:]) for taken in head.inputs)


def pays(reader: keras.Model, head: keras.Model, images: int, folder: Path) -> bool:
    """Whether cached taps are faster than the network, and take at most half of the free disk."""
    dear = 1e9 * gigamacs(reader) / values(head) > PAYS
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return dear and 2 * values(head) * images < shutil.disk_usage(place).free / 2


def cached_taps(
    folder: Path,
    model: keras.Model,
    pixels: np.ndarray,
    rows: np.ndarray,
    sha256: Sequence[str],
    *,
    batch_size: int = 32,
    progress: Callable[[int, int], None] = lambda done, all: None,
) -> tuple[np.ndarray, np.ndarray]:
    """What the head of an `attention_classifier` is given of each image, of which only what `folder` lacks is computed.

    Args:
        folder: the cache of one (backbone, weights, preprocessing, size, taps): `taps.f16` grows by whole rows,
            `index.json` says whose they are.
        model: the classifier, its backbone as it is while frozen.
        pixels: (stored rows, size, size, 3) uint8.
        rows: each image's row in `pixels`.
        sha256: each image's content hash.

    Returns:
        A memory map (cached images, values) float16, an image's maps flattened end to end, and each image's row in it.
    """
    reader = keras.Model(model.input, _given(model))
    data, index_file = folder / "taps.f16", folder / "index.json"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        index = json.loads(index_file.read_text()) if index_file.exists() else {}
        missing = {name: row for name, row in zip(sha256, rows, strict=True) if name not in index}
        names, todo = list(missing), np.array(list(missing.values()))
        width = values(model.get_layer("head"))
        with data.open("r+b" if data.exists() else "w+b") as file:
            for start in range(0, len(names), CHUNK):
                chunk = todo[start : start + CHUNK]
                maps = reader.predict(Batches(pixels, chunk, np.zeros_like(chunk), batch_size).epochs(), verbose=0)
                # A head without attention takes one vector, and Keras then gives no list.
                flat = np.concatenate([part.reshape(len(chunk), -1) for part in keras.tree.flatten(maps)], axis=1)
                # What a killed extraction wrote beyond its index is overwritten.
                file.seek(2 * width * len(index))
                file.write(np.clip(flat, -65504, 65504).astype(np.float16).tobytes())
                file.flush()
                index |= {name: len(index) + i for i, name in enumerate(names[start : start + CHUNK])}
                write(index_file, json.dumps(index))
                progress(start + len(chunk), len(names))
    stored = np.memmap(data, np.float16, "r", shape=(len(index), width))
    return stored, np.array([index[name] for name in sha256])


def _given(model: keras.Model) -> list[object]:
    """The tensors that a classifier's head is called with."""
    *maps, last = heads.backbone_of(model)(model.get_layer("preprocessing")(model.input))
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

"""Frozen features, extracted once: a network that does not learn says the same of an image every time it is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

from keras_art.networks.backbones import Backbone
from keras_art.networks.heads import feature_extractor
from keras_art.pictures.pipeline import Batches
from keras_art.writing import write

CHUNK = 1024  # images between two savings


def cached_features(
    folder: Path,
    build: Callable[[], Backbone],
    pixels: np.ndarray,
    rows: np.ndarray,
    sha256: Sequence[str],
    *,
    batch_size: int = 32,
    progress: Callable[[int, int], None] = lambda done, all: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pooled features of images, of which only those that `folder` lacks are extracted.

    An image is known by its file's content hash, so another split, target, limit or collection with the same files
    extracts nothing. An extraction that was stopped goes on where it was.

    Args:
        folder: the cache of one (backbone, weights, preprocessing, size, precision): `features.f32` grows by whole
            rows, `index.json` says how wide and whose they are.
        build: makes the backbone; called only if an image is missing.
        pixels: (stored rows, size, size, 3) uint8.
        rows: each image's row in `pixels`.
        sha256: each image's content hash.
        progress: called with (images extracted, images to extract).

    Returns:
        A memory map (cached images, width) float32, and each image's row in it.
    """
    data, index_file = folder / "features.f32", folder / "index.json"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        width, index = json.loads(index_file.read_text()) if index_file.exists() else (0, {})
        missing = {name: row for name, row in zip(sha256, rows, strict=True) if name not in index}
        if missing:
            extractor = feature_extractor(build())
            width = extractor.output.shape[-1]
            names, todo = list(missing), np.array(list(missing.values()))
            with data.open("r+b" if data.exists() else "w+b") as file:
                for start in range(0, len(names), CHUNK):
                    chunk = todo[start : start + CHUNK]
                    batches = Batches(pixels, chunk, np.zeros_like(chunk), batch_size)
                    features = extractor.predict(batches.epochs(), verbose=0)
                    # What a killed extraction wrote beyond its index is overwritten.
                    file.seek(4 * width * len(index))
                    file.write(np.ascontiguousarray(features, np.float32).tobytes())
                    file.flush()
                    index |= {name: len(index) + i for i, name in enumerate(names[start : start + CHUNK])}
                    write(index_file, json.dumps([width, index]))
                    progress(start + len(chunk), len(names))
    stored = np.memmap(data, np.float32, "r", shape=(len(index), width))
    return stored, np.array([index[name] for name in sha256])

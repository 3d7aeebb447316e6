"""Numbers that are known of images, each kept once in a folder by its image's content; nothing here needs a backend."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_art.store.runs import Store
from keras_art.store.segments import Segments
from keras_art.study.kinds.classifier import ClassifierRun, label
from keras_art.writing import slug

COLUMNS = ("sha256", "row", "crc32")
Progress = Callable[[int, int], None]


def kept_vectors(
    folder: Path,
    dtype: np.dtype,
    begin: Callable[[], Callable[[np.ndarray], np.ndarray]],
    rows: np.ndarray,
    sha256: Sequence[str],
    chunk: int,
    progress: Progress = lambda done, all: None,
) -> tuple[np.ndarray, np.ndarray]:
    """The values of images in a folder of `Segments`, once those are computed that it lacks or that are damaged.

    Args:
        begin: gives what computes (n, width) values of rows (n,); called only if an image is missing.
        rows: what each image is computed of.
        sha256: each image's content hash.
        chunk: images between two savings.
        progress: called with (images computed, images to compute).

    Returns:
        A memory map (images kept, width), and each image's row in it.
    """
    kept = Segments(folder, COLUMNS)
    with kept.lock():
        known = kept.lines()
        wrong = set(kept.wrong(known[name][1] for name in sha256 if name in known))
        known = {name: line for name, line in known.items() if line[1] not in wrong}
        missing = {name: row for name, row in zip(sha256, rows, strict=True) if name not in known}
        if missing:
            compute = begin()
            names, todo = list(missing), np.array(list(missing.values()))
            said = compute(todo[:chunk])
            with kept.writing(said[0].nbytes) as writer:
                for start in range(0, len(names), chunk):
                    said = compute(todo[start : start + chunk]) if start else said
                    content = [row.tobytes() for row in said]
                    lines = [(names[start + i], writer.rows + i, zlib.crc32(row)) for i, row in enumerate(content)]
                    writer.append(content, lines)
                    progress(start + len(content), len(names))
            known = kept.lines()
    width = kept.row_bytes // dtype.itemsize
    return kept.mapped(dtype, (width,)), np.array([known[name][1] for name in sha256])


def features_folder(store: Store, run: ClassifierRun) -> Path:
    """Where a store keeps the pooled features of a run's network: by all that has a part in them, and nothing else."""
    return store.root / "cache" / "features" / f"{slug(label(run.network))}-{_digest(made_by(run))}"


def made_by(run: ClassifierRun) -> list[Any]:
    """What pooled features depend on, beside the pictures."""
    what: list[Any] = [str(run.network), str(run.weights), run.preprocessing, run.image_size, run.resize, run.precision]
    return [*what, run.seed] if run.weights == "none" else what


def _digest(what: list[Any]) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:8]

"""A clustering run, and what a list of them would cost."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from keras_art.store.runs import Store
from keras_art.study.plan import GIGAMACS_PER_CPU_SECOND


@dataclass(frozen=True)
class ClusterRun:
    """One autoencoder ("pretraining"), or one clustering that begins with it ("dcec").

    A field that a mode does not read stays at its default, so that all k and all gamma share one pretraining.
    """

    paper: ClassVar[str] = ""
    words: ClassVar[tuple[str, ...]] = ("collection", "mode", "k", "seed")

    collection: str = ""  # NAME-DIGEST of a collection
    mode: str = "dcec"
    k: int = 0
    seed: int = 0
    image_size: int = 128
    resize: str = "crop"
    channels: int = 3
    embedding: int = 32
    activation: str = "elu"
    learning_rate: float = 0.001
    batch_size: int = 256
    order: str = "shuffled"  # or fixed
    # pretraining
    epochs: int = 0
    keep: str = "last"  # or best: the weights of the smallest loss
    gap_references: int = 0
    # dcec
    weights: str = ""  # run:DIGEST of the pretraining
    gamma: float = 0.0
    convention: str = "convex"  # or guo
    alpha: float = 1.0
    update_interval: int = 0
    tol: float = 0.0
    max_iterations: int = 0
    backbone: str = ""
    preprocessing: str = "imagenet"


def gigamacs(run: ClusterRun) -> tuple[float, float]:
    """10^9 multiply-accumulates of one image: of a training step, and of one pass of the encoder."""
    s, c = run.image_size, run.channels
    encoder = (s / 2) ** 2 * 32 * 25 * c + (s / 4) ** 2 * 64 * 25 * 32 + (s / 8) ** 2 * 128 * 9 * 64
    embedding = (s / 8) ** 2 * 128 * run.embedding
    return 6 * (encoder + embedding) / 1e9, (encoder + embedding) / 1e9


class Estimate:
    """What runs cost, by the store's own experience of this machine where it has any.

    Args:
        images: of each collection, by its key.

    Attributes:
        basis: how the speed is known, for people.
    """

    def __init__(self, store: Store, kind: type[ClusterRun], images: Mapping[str, int]) -> None:
        self.images = images
        self.speed = GIGAMACS_PER_CPU_SECOND / 2 * (os.cpu_count() or 1)
        self.basis = "no run of this store to go by: a guess"
        known = [
            (self.work(run, found["n_images"], found["steps"]), found["training_seconds"])
            for run, found in store.finished(kind)
            if found["status"] == "ok" and found["training_seconds"] > 1
        ]
        if known:
            self.speed = sum(work for work, _ in known) / sum(seconds for _, seconds in known)
            self.basis = f"by {len(known)} finished run{'s' * (len(known) > 1)} of this store"

    def work(self, run: ClusterRun, images: int, steps: int) -> float:
        """10^9 multiply-accumulates of a run's training."""
        training, encoding = gigamacs(run)
        updates = steps / run.update_interval + 1 if run.mode == "dcec" else 0
        return training * min(run.batch_size, images) * steps + encoding * images * updates

    def seconds(self, run: ClusterRun) -> float:
        """At most: clustering may stop earlier."""
        images = self.images[run.collection]
        steps = run.max_iterations if run.mode == "dcec" else run.epochs * -(-images // run.batch_size)
        # k-means of the gap, and the scores: quadratic in the images.
        around = 0.004 * images * run.gap_references / 10 if run.mode != "dcec" else 3e-7 * images**2
        return self.work(run, images, steps) / self.speed + around + 10

    def bytes(self, run: ClusterRun) -> int:
        """Of the model, on disk."""
        return int(8 * (run.image_size / 8) ** 2 * 128 * run.embedding + 1.5e6)

"""What runs cost: operations, seconds beside them, and disk; by the store's own experience where it has any."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keras_art import terminal
from keras_art.store.runs import Store
from keras_art.study.config import Artefact, Run, kinds, mode_of
from keras_art.study.files import network_file
from keras_art.study.records import finished

# Multiply-accumulates of one image, in 10^9, at a size in pixels, and parameters without top, in 10^6. Written down for
# the networks most asked for, because a dry run needs no Keras then; the others are built and counted.
NETWORKS = {
    "VGG19": (19.6, 224, 20.0),
    "InceptionV3": (5.7, 299, 21.8),
    "Xception": (8.4, 299, 20.9),
    "ResNet50": (3.9, 224, 23.6),
    "ResNet20": (0.12, 32, 0.27),  # 0.04 in truth, but its thin layers run at a third of the speed
    "ViTB16": (16.9, 224, 85.8),
    "ViTTi16": (1.1, 224, 5.5),
}
VITS = ("ViTB16", "ViTTi16")  # whose constructors are in networks.vit
GIGAMACS_PER_CPU_SECOND = 50.0  # what two cores of 2024 did; a store with finished runs says better


@dataclass(frozen=True)
class Cost:
    """At most what a run takes.

    Attributes:
        work: multiply-accumulates, in 10^9.
        beside: seconds around them: tracing, drawing, what a faster processor does not shorten.
        disk: bytes, when it is done.
    """

    work: float
    beside: float
    disk: float


class Networks:
    """How large networks are, by name where it is known, else by building and counting."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.counted: dict[str, tuple[float, int, float]] = dict(NETWORKS)

    def row(self, network: str | Artefact, image_size: int) -> tuple[float, int, float]:
        """A row of `NETWORKS`.

        Raises:
            BadBackbone: the network can not be used.
        """
        name = str(network)
        if name not in self.counted:
            terminal.start_backend()
            from keras_art.networks import backbones

            file = network_file(self.store, network)
            model = backbones.load_backbone(file, image_size=image_size, weights=None, preprocessing="none").model
            self.counted[name] = backbones.gigamacs(model), image_size, model.count_params() / 1e6
        return self.counted[name]

    def gigamacs(self, network: str | Artefact, image_size: int) -> float:
        """Of one image of a size in pixels, once forward."""
        per_image, size, _ = self.row(network, image_size)
        return per_image * (image_size / size) ** 2


class Estimate:
    """Seconds and bytes of runs.

    Args:
        images: how many of each collection, by its key.
    """

    def __init__(self, store: Store, images: Mapping[str, int]) -> None:
        self.store, self.images = store, images
        self.networks = Networks(store)
        self.experience: dict[str, list[tuple[float, float]]] = {}

    def of_kind(self, kind: str) -> list[tuple[float, float]]:
        """10^9 multiply-accumulates and seconds of the finished runs of a kind that tell how fast this machine is."""
        if kind not in self.experience:
            known = []
            for run, found in finished(self.store, kinds()[kind].run):
                mode = mode_of(run)
                if mode.tells_speed and found.get("status") == "ok":
                    work = mode.cost(run, found["n_images"], self.networks, found).work
                    known.append((work, found.get("training_seconds", found["seconds"])))
            self.experience[kind] = [pair for pair in known if pair[1] > 1]
        return self.experience[kind]

    def speed(self, kind: str) -> float:
        """10^9 multiply-accumulates a second."""
        known = self.of_kind(kind)
        if not known:
            return GIGAMACS_PER_CPU_SECOND * (os.cpu_count() or 1)
        return sum(work for work, _ in known) / sum(seconds for _, seconds in known)

    def basis(self, runs: list[Run]) -> str:
        """How the speeds are known, for people."""
        n = sum(len(self.of_kind(kind)) for kind in {run.kind for run in runs})
        return f"by {n} finished run{'s' * (n > 1)} of this store" if n else "no run of this store to go by: a guess"

    def cost(self, run: Any) -> Cost:
        """At most, early stopping aside."""
        return mode_of(run).cost(run, self.images.get(run.collection, 0), self.networks, None)

    def seconds(self, run: Any) -> float:
        """At most, early stopping aside."""
        cost = self.cost(run)
        return cost.work / self.speed(run.kind) + cost.beside

"""What runs cost: operations, seconds beside them, and disk; by the store's own experience where it has any."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keras_art import terminal
from keras_art.store.runs import Store
from keras_art.study import speeds
from keras_art.study.config import Artefact, kinds, mode_of
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
LONG = 60.0  # seconds of operations, as they are guessed: a shorter study is over before its steps are timed
LONG_TO_WAIT = 1800.0  # the same of a study that begins at once, where the timing itself is waited for
GIGAMACS_PER_CPU_SECOND = 50.0  # what two cores of 2024 did; a store with finished runs says better


@dataclass(frozen=True)
class Cost:
    """About what a run takes, early stopping aside.

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
        self.speeds = speeds.kept(store)
        self.experience: dict[str, list[tuple[Any, float, float]]] = {}

    def of_kind(self, kind: str) -> list[tuple[Any, float, float]]:
        """Finished runs that tell how fast this machine is: what of them decides it, 10^9 operations, seconds."""
        if kind not in self.experience:
            known = []
            for run, found in finished(self.store, kinds()[kind].run):
                mode = mode_of(run)
                if mode.tells_speed and found.get("status") == "ok":
                    work = mode.cost(run, found["n_images"], self.networks, found).work
                    known.append((_alike(run), work, found.get("training_seconds", found["seconds"])))
            self.experience[kind] = [row for row in known if row[2] > 1]
        return self.experience[kind]

    def of_its_network(self, run: Any) -> list[tuple[Any, float, float]]:
        """Those of a run's own network, size and precision."""
        rows = self.of_kind(run.kind) if mode_of(run).tells_speed else []
        return [row for row in rows if row[0] == _alike(run)]

    def goes_by(self, run: Any) -> list[tuple[Any, float, float]]:
        """The finished runs that a run's speed follows from: of its network, or of its kind if no steps were timed."""
        timed = _name(self.store, run) in self.speeds
        return self.of_its_network(run) or ([] if timed else self.of_kind(run.kind))

    def known(self, run: Any) -> tuple[float, str]:
        """10^9 multiply-accumulates a second of a run, and how that is known, for people."""
        if rows := self.goes_by(run):
            return sum(work for _, work, _ in rows) / sum(seconds for *_, seconds in rows), _by_runs(len(rows))
        if measured := self.speeds.get(_name(self.store, run)):
            return measured[0 if mode_of(run).tells_speed else 1], "by steps timed on this machine"
        return GIGAMACS_PER_CPU_SECOND * (os.cpu_count() or 1), "no run of this store to go by: a guess"

    def measure(self, runs: Iterable[Any], longer_than: float = LONG) -> None:
        """Times a few steps of the networks of some runs, where nothing is known of them and the runs are long.

        Args:
            longer_than: seconds, as they are guessed, that a network's runs take together.

        Raises:
            BadBackbone: a network can not be used.
        """
        unknown: dict[str, list[Any]] = {}
        for run in runs:
            if (name := _name(self.store, run)) and name not in self.speeds and not self.of_its_network(run):
                unknown.setdefault(name, []).append(run)
        for name, alike in unknown.items():
            if sum(self.cost(run).work / self.known(run)[0] for run in alike) > longer_than:
                run = alike[0]
                terminal.say(f"timing a few steps of {run.network} at {run.image_size} pixels")
                with terminal.waiting("timing them"):
                    once = self.networks.gigamacs(run.network, run.image_size)
                    what = self.store, run.network, run.image_size, (run.precision,), once
                    self.speeds[name] = speeds.measure(*what)[run.precision]

    def basis(self, runs: Sequence[Any]) -> str:
        """How the speeds are known, for people, each way once."""
        rows = [self.goes_by(run) for run in runs]
        seen = {id(row) for of_run in rows for row in of_run}
        ways = [_by_runs(len(seen)) if of_run else self.known(run)[1] for run, of_run in zip(runs, rows, strict=True)]
        return "; ".join(dict.fromkeys(ways))

    def cost(self, run: Any) -> Cost:
        """Early stopping aside."""
        return mode_of(run).cost(run, self.images.get(run.collection, 0), self.networks, None)

    def seconds(self, run: Any) -> float:
        """Early stopping aside."""
        cost = self.cost(run)
        return cost.work / self.known(run)[0] + cost.beside


def _by_runs(n: int) -> str:
    return f"by {n} finished run{'s' * (n > 1)} of this store"


def _alike(run: Any) -> Any:
    """What of a run decides how fast its operations are."""
    return [getattr(run, name, None) for name in ("network", "image_size", "precision")]


def _name(store: Store, run: Any) -> str:
    """What `speeds` calls a run's network; "" where there is none whose steps could be timed."""
    if not getattr(run, "network", "") or not hasattr(run, "precision"):
        return ""
    return speeds.name(store, run.network, run.image_size, run.precision)

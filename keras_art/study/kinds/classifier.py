"""One classifier of one label: off the shelf, fine-tuned, from scratch, or trained to be carried over."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from keras_art.study.config import SCORE, Artefact, Kind, Mode, Optimizer, Run, RunRef
from keras_art.study.costs import Cost, Networks
from keras_art.writing import one_line

ADAM = Optimizer("Adam", 1e-3)
# The rules by which `freeze_until`, `lora` and `discriminative` take layers. By the first, layers within a layer went
# backwards, and the biases beside LoRA's matrices learnt, too.
LAYER_RULES = 2
# Modes that learn nothing by steps: a frozen network's features, judged; the last by the names of the classes alone.
PROBES = ("linear_probe", "knn_probe", "zero_shot")
# What is measured of any classifier.
TESTED = {
    "status": str, "test_accuracy": SCORE, "n_images": int, "parameters": int, "epochs": int, "seconds": (int, float),
}  # fmt: skip


@dataclass(frozen=True)
class NetworkRun(Run):
    """What every classifier of one label says of its images, its network, and how it learns."""

    words: ClassVar[tuple[str, ...]] = ("collection", "target", "network", "mode", "seed")

    collection: str = ""  # NAME-DIGEST of a choice
    target: str = ""
    network: str | Artefact = "VGG19"  # a name, or a .keras file
    weights: str | Artefact | RunRef = "imagenet"  # or none, own (of a .keras file), a file, an earlier run's
    seed: int = 0
    preprocessing: str = "imagenet"
    image_size: int = 224
    resize: str = "squash"
    frozen_bn: str = "inference"
    optimizer: Optimizer = ADAM
    batch_size: int = 32
    epochs: int = 100
    bn_momentum: float = 0.0
    precision: str = "float32"


@dataclass(frozen=True)
class ClassifierRun(NetworkRun):
    """One network on one collection, trained once."""

    kind: ClassVar[str] = "classifier"
    OF_LAYERS: ClassVar[tuple[str, ...]] = ("freeze_until", "lora", "discriminative")  # that were trained before
    ADAPTATION: ClassVar[tuple[str, ...]] = (
        *OF_LAYERS, "warmup", "schedule", "label_smoothing", "mixing", "augmentation", "test_flips",
    )  # fmt: skip

    mode: str = "off_the_shelf"
    carried: bool = False  # its weights, of a file, were trained on another collection
    head: str = "softmax"
    order: str = "shuffled"  # of the training images, in every epoch anew; sorted, by class; fixed, `pipeline.Windows`
    patience: int = 7
    keep: str = "best"
    # How a network that is trained as a whole is fitted to a small collection (`learning.adaptation`).
    freeze_until: str = ""  # the first layer that learns, or a share of those that do not
    lora: int = 0  # rank
    discriminative: float = 1.0  # the first layer's learning rate, of the last one's
    layer_rules: int = 1  # of these three, `LAYER_RULES` where one is asked for: runs of others keep their digests
    warmup: int = 0  # epochs in which the learning rate rises
    schedule: str = "constant"  # or cosine
    label_smoothing: float = 0.0
    mixing: str = "none"  # or mixup, cutmix
    augmentation: str = "none"  # or a way of `pictures.augmentation`
    test_flips: bool = False
    template: str = ""  # of zero_shot: what is asked of each class, {} standing for its name

    @property
    def measures(self) -> dict[str, Any]:
        """What tables, estimates and summaries rely on."""
        return TESTED | {"n_test": int, "n_classes": int, "width": int}

    @property
    def adapted(self) -> list[str]:
        """The fields of `ADAPTATION` by which it departs from plain training."""
        return [name for name in self.ADAPTATION if getattr(self, name) != getattr(type(self), name)]

    @property
    def takes_layers(self) -> bool:
        """Whether some layers learn otherwise than others."""
        return not {*self.adapted}.isdisjoint(self.OF_LAYERS)

    @property
    def title(self) -> str:
        """What a person is told of a run while it trains."""
        return f"{self.place} {one_line(self.target)}, {label(self.network)} {self.mode}, seed {self.seed}"


def pretraining(run: ClassifierRun, collection: str, **settings: Any) -> ClassifierRun:
    """The run that trains a network for the demos, on the atelier's rendered objects, as ImageNet's photographs do.

    More and smaller steps than a paper's, because there are few images.

    Args:
        run: one that will begin with its weights.
        collection: the rendered objects, NAME-DIGEST.
        settings: further fields, over those here.
    """
    own: dict[str, Any] = {"weights": "none", "optimizer": Optimizer("Adam", 3e-4), "batch_size": 16, "keep": "last"}
    own |= {"epochs": 4, "patience": 4} | settings
    return dataclasses.replace(run, mode="pretraining", collection=collection, target="object", **own)


def label(network: str | Artefact) -> str:
    """A network's name for people: of a file, without its digest."""
    return network.stem if isinstance(network, Artefact) else network


def labels(networks: Iterable[str | Artefact]) -> dict[str | Artefact, str]:
    """Network -> its `label`; of files that are called alike, the digest with it: they are networks of their own."""
    distinct = set(networks)
    alike = collections.Counter(map(label, distinct))
    return {network: label(network) if alike[label(network)] == 1 else str(network) for network in distinct}


def off_the_shelf_cost(run: Any, images: int, networks: Networks, found: dict[str, Any] | None) -> Cost:
    """Features once, or the frozen network in every epoch where its batch normalisation looks at the batch."""
    once = networks.gigamacs(run.network, run.image_size) * images
    epochs = found["epochs"] if found else run.epochs
    work = once if run.frozen_bn == "inference" else once * (0.9 * epochs + 0.1)
    return Cost(work, 0.0015 * epochs * images / run.batch_size + 4, 4 * 2048 * images)


def probe_cost(run: Any, images: int, networks: Networks, found: dict[str, Any] | None) -> Cost:
    """Features once."""
    return Cost(networks.gigamacs(run.network, run.image_size) * images, 0.002 * images + 3, 4 * 4096 * images)


def training_cost(run: Any, images: int, networks: Networks, found: dict[str, Any] | None) -> Cost:
    """Three passes for each training image and epoch, one for each image elsewhere."""
    epochs = found["epochs"] if found else run.epochs
    work = networks.gigamacs(run.network, run.image_size) * images * (2.5 * epochs + 0.1)
    return Cost(work, 12, 4e6 * networks.row(run.network, run.image_size)[2])  # 12 s: the first trace


def tested(run: Run, metrics: dict[str, Any]) -> str:
    """A finished classifier in a few words."""
    accuracy = metrics["test_accuracy"]
    return "diverged" if accuracy is None else f"test accuracy {accuracy:.1%}"


ROOM = "keras_art.learning.classifier"
KINDS = {
    "classifier": Kind(
        ClassifierRun,
        {
            "off_the_shelf": Mode(f"{ROOM}:off_the_shelf", off_the_shelf_cost, tells_speed=False),
            "fine_tuning": Mode(f"{ROOM}:whole_network", training_cost),
            "scratch": Mode(f"{ROOM}:whole_network", training_cost),
            "pretraining": Mode(f"{ROOM}:whole_network", training_cost),  # for other runs to begin with
            **{mode: Mode(f"{ROOM}:probed", probe_cost, tells_speed=False) for mode in PROBES},
        },
        check="keras_art.learning.weights:check",
        summary=tested,
    )
}

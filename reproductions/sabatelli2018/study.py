"""What a person asks for, and the runs it expands into."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.store import runs
from keras_art.study import plan as study_
from keras_art.version import __version__

if TYPE_CHECKING:
    from keras_art.data.choices import Choice

PAPER = "sabatelli2018"
NETWORKS = ("Xception", "InceptionV3", "ResNet50", "VGG19")
NATIVE_SIZE = {"Xception": 299, "InceptionV3": 299, "InceptionResNetV2": 299, "NASNetLarge": 331}  # others: 224


# How the demo's own weights are trained: more and smaller steps than the paper's, because there are few images.
PRETRAINING: dict[str, Any] = {
    "mode": "pretraining", "weights": "none", "learning_rate": 3e-4, "batch_size": 16, "epochs": 4, "patience": 4,
    "keep": "last",
}  # fmt: skip


@dataclass(frozen=True)
class Study(terminal.Study):
    """What a person asks for; it expands into Runs."""

    networks: tuple[str, ...] = NETWORKS
    """Names of keras.applications, or .keras files with a spatial output."""
    modes: tuple[Literal["off_the_shelf", "fine_tuning", "scratch"], ...] = ("off_the_shelf", "fine_tuning")
    """scratch is InceptionV3's, as in the paper, unless --networks names others."""
    source: str | None = None
    """A collection to train on first and carry over from (theta^r of Table 3), off the shelf and fine-tuned."""
    source_target: str | None = None
    """The label column of --source. Default: --target."""
    weights: tuple[str, ...] = ("imagenet",)
    """imagenet, none (He-uniform), demo (trained in the run on the atelier's source half), a file, or NETWORK=FILE."""
    preprocessing: Literal["imagenet", "unit", "caffe", "tf", "torch", "none"] = "imagenet"
    """imagenet: the network's own; unit: [0, 1]; none: [0, 255]."""
    image_size: int = 0
    """Side of the square input in pixels (0: the network's own)."""
    resize: Literal["squash", "squash_nearest", "crop", "pad"] = "squash"
    """How a picture becomes square."""
    frozen_bn: Literal["inference", "batch"] = "inference"
    """In training, frozen batch normalisation takes moving averages (Keras 3), or the batch's own (Keras in 2018)."""
    head: Literal["softmax", "linear_svm", "random_forest"] = "softmax"
    """On frozen features; fine-tuning is always softmax."""
    optimizer: Literal["paper", "released"] = "paper"
    """The paper's text, or its code."""
    learning_rate: float = 0.0
    """0: the optimizer's own."""
    batch_size: int = 32
    """Images per step."""
    epochs: int = 100
    """At most."""
    head_epochs: int = 0
    """The same of off-the-shelf heads, whose epochs cost next to nothing (0: as --epochs)."""
    patience: int = 7
    """Epochs without a smaller validation loss before training stops."""
    keep: Literal["best", "last"] = "best"
    """Weights that are tested: of the smallest validation loss, or of the last epoch."""
    bn_momentum: float = 0.0
    """Of batch normalisation's moving averages (0: the network's own); short trainings need 0.9."""
    class_filter: Literal["in_all_splits", "none"] = "in_all_splits"
    """Which classes stay."""
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    """Of the arithmetic; mixed is for GPUs."""


PRESETS = {
    "demo": Study(
        preset="demo", target="artist", networks=("Xception", "InceptionV3", "ResNet50"), weights=("demo",),
        preprocessing="tf", image_size=75, epochs=4, head_epochs=60, bn_momentum=0.9, split="stratified",
    ),
    "study": Study(preset="study"),
    "paper": Study(
        preset="paper", data="rijksmuseum", modes=("off_the_shelf", "fine_tuning", "scratch"), preprocessing="unit",
        frozen_bn="batch", split="random", split_seed=42,
    ),
    "released": Study(
        preset="released", data="rijksmuseum", resize="squash_nearest", frozen_bn="batch", optimizer="released",
        keep="last", class_filter="none", split="random", split_seed=42,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Run(study_.ClassifierRun):
    """One network on one collection; `mode` is off_the_shelf, fine_tuning, scratch, or the demo's pretraining."""

    paper: ClassVar[str] = PAPER


def check(study: Study) -> None:
    """Refuses what contradicts itself, before anything is read.

    Raises:
        UserError: naming the flags.
    """
    for flag in ("networks", "modes", "seeds", "weights"):
        values = getattr(study, flag)
        if not values or len(set(values)) < len(values):
            raise UserError(f"--{flag} needs at least one value, and none twice")
    for flag, least in (
        ("epochs", 1),
        ("head_epochs", 0),
        ("patience", 1),
        ("batch_size", 1),
        ("image_size", 0),
        ("limit", 0),
    ):
        if getattr(study, flag) < least:
            raise UserError(f"--{flag} is at least {least}")
    if study.head != "softmax" and "off_the_shelf" not in study.modes:
        raise UserError(f"--head {study.head} stands on frozen features: add off_the_shelf to --modes")
    if study.head != "softmax" and study.frozen_bn == "batch":
        raise UserError(f"--head {study.head} needs features that stay as they are: add --frozen_bn inference")
    if study.source and set(study.modes) == {"scratch"}:
        raise UserError("--source carries weights over, --modes scratch begins without any: add another mode")
    if study.source and study.source == study.data:
        raise UserError("--source and --data name the same collection")
    if study.source_target and not study.source:
        raise UserError("--source_target names a label column of --source: give that, too")
    if study.source and not study.data:
        raise UserError("--source needs --data, the collection to carry over to")


def choices(study: Study, store: runs.Store) -> dict[str, tuple[Any, Choice]]:
    """The collections of a study, read but not yet opened: "target", and "source" and "pretraining" where asked for."""
    from keras_art.atelier import make_atelier
    from keras_art.data.kept import open_choice

    def atelier(half: str) -> Path:
        # By version: a painter who has learnt something since must not be taken for the old one.
        return make_atelier(store.root / "cache" / __version__ / f"atelier-{half}", half=half)

    wanted = {"target": (study.data or atelier("target"), study.target)}
    if study.source:
        wanted["source"] = (study.source, study.source_target or study.target)
    if "demo" in study.weights:
        wanted["pretraining"] = (atelier("source"), "object")
    chosen = {}
    for role, (data, target) in wanted.items():
        chosen[role] = open_choice(
            store,
            data,
            study.root,
            target,
            rule=study.split if role != "pretraining" else "stratified",
            split_seed=study.split_seed,
            class_filter=study.class_filter == "in_all_splits",
            limit=study.limit if role != "pretraining" else 0,
        )
    return chosen


def runs_of(study: Study, chosen: dict[str, tuple[Any, Choice]]) -> list[Run]:
    """The study as a list of runs, each after the one whose weights it begins with."""
    target = chosen["target"][1]
    grid: dict[Run, None] = {}
    for network in study.networks:
        name, weights = study_.named(network), study_.starting_weights(network, study.networks, study.weights)
        common = Run(
            collection=target.key,
            target=target.target,
            network=name,
            weights=weights,
            image_size=study.image_size or NATIVE_SIZE.get(network, 224),
            **{field: getattr(study, field) for field in study_.TRAINING},
        )
        if weights == "demo":
            pretraining = chosen["pretraining"][1]
            first = dataclasses.replace(common, collection=pretraining.key, target="object", **PRETRAINING)
            grid[first] = None
            common = dataclasses.replace(common, weights=f"run:{runs.digest(first)}")
        for mode in study.modes:
            if mode == "scratch" and study.networks == NETWORKS and network != "InceptionV3":
                continue
            for seed in study.seeds:
                run = dataclasses.replace(common, mode=mode, seed=seed)
                if mode == "off_the_shelf":
                    run = dataclasses.replace(run, head=study.head, epochs=study.head_epochs or study.epochs)
                if mode == "scratch":
                    run = dataclasses.replace(run, weights="none")
                grid[run] = None
                if study.source and mode != "scratch":
                    source = chosen["source"][1]
                    theta_r = dataclasses.replace(
                        common, collection=source.key, target=source.target, mode="fine_tuning", seed=seed
                    )
                    grid[theta_r] = None
                    grid[dataclasses.replace(run, weights=f"run:{runs.digest(theta_r)}")] = None
    return list(grid)

"""What a person asks for, and the runs it expands into."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from keras_art.commands import flags
from keras_art.commands.machine import open_collection
from keras_art.errors import UserError
from keras_art.report.comparable import Printed, Protocol
from keras_art.store.runs import Store
from keras_art.study.config import Optimizer
from keras_art.study.files import artefact, starting_weights, words_of
from keras_art.study.kinds.classifier import ClassifierRun as Run
from keras_art.study.kinds.classifier import pretraining

if TYPE_CHECKING:
    from keras_art.commands.machine import Chosen

NETWORKS = ("Xception", "InceptionV3", "ResNet50", "VGG19")
NATIVE_SIZE = {"Xception": 299, "InceptionV3": 299, "InceptionResNetV2": 299, "NASNetLarge": 331}  # others: 224

# Section 3.3 of the paper, and what its released code passes to Keras. Keras 3 adds RMSprop's epsilon inside the square
# root, the Keras of 2018 outside, so that no value of it is an exact match.
OPTIMIZERS = {
    ("paper", "frozen"): Optimizer("RMSprop", 1e-3, (("rho", 0.9), ("epsilon", 1e-8))),
    ("paper", "whole"): Optimizer("SGD", 1e-3, (("momentum", 0.9), ("nesterov", True))),
    ("released", "frozen"): Optimizer("RMSprop", 1e-3),
    ("released", "whole"): Optimizer("SGD", 1e-4, (("momentum", 0.9),)),
}
# What a run takes from its study as it is.
SHARED = (
    "preprocessing", "resize", "frozen_bn", "batch_size", "order", "epochs", "patience", "keep", "bn_momentum",
    "precision",
)  # fmt: skip


@dataclass(frozen=True)
class Study(flags.Study):
    """What a person asks for; it expands into Runs."""

    networks: tuple[str, ...] = NETWORKS
    """Names of keras.applications, or .keras files with a spatial output."""
    modes: tuple[Literal["off_the_shelf", "fine_tuning", "scratch"], ...] = ("off_the_shelf", "fine_tuning")
    """scratch is InceptionV3's, as in the paper, unless --networks names others."""
    source: str | None = None
    """A collection to train on first and carry over from (theta^r of Table 3), off the shelf and fine-tuned."""
    source_target: str | None = None
    """The label column of --source. Default: --target."""
    theta_r: tuple[str, ...] = ()
    """Weights trained on another collection, to be carried over as those of --source are: NETWORK=FILE, an .h5 of Keras
    2 as the authors published them, or a .keras classifier; heads are left out."""
    weights: tuple[str, ...] = ("imagenet",)
    """imagenet, none (He-uniform), demo (trained in the run on the atelier's source half), a file, or NETWORK=FILE."""
    preprocessing: Literal["imagenet", "unit", "caffe", "tf", "torch", "none"] = "imagenet"
    """imagenet: the network's own; unit: [0, 1]; none: [0, 255]."""
    image_size: int = 0
    """Side of the square input in pixels (0: the network's own)."""
    resize: flags.Resize = "squash"
    """How a picture becomes square; trim cuts borders of one colour off, then crops."""
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
    order: Literal["shuffled", "fixed"] = "shuffled"
    """Of the training images: anew in every epoch; or as in the released code, one for all, in whole batches only."""
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
    saliency: Literal["paper", "released"] = "paper"
    """VisualBackProp of figure 4: by Bojarski et al., or as in the released code, which fits VGG19 and VGG16."""
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
        order="fixed", saliency="released", keep="last", class_filter="none", split="random", split_seed=42,
    ),
}  # fmt: skip


def check(study: Study) -> None:
    """Refuses what contradicts itself, before anything is read.

    Raises:
        UserError: naming the flags.
    """
    flags.check_values(study, epochs=1, head_epochs=0, patience=1, batch_size=1, image_size=0, limit=0)
    for flag in ("networks", "modes", "weights"):
        if not getattr(study, flag):
            raise UserError(f"--{flag} needs at least one value")
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
    if wrong := [item for item in study.theta_r if item.partition("=")[0] not in study.networks or "=" not in item]:
        raise UserError(f"--theta_r {wrong[0]} is not NETWORK=FILE with one of --networks {' '.join(study.networks)}")
    if study.source and not study.data:
        raise UserError("--source needs --data, the collection to carry over to")


def files(study: Study) -> list[str]:
    """The files among a study's flags."""
    return words_of(study.networks, (*study.weights, *study.theta_r))


def collections(study: Study, store: Store) -> Chosen:
    """The collections of a study: "target", and "source" and "pretraining" where asked for."""
    class_filter = study.class_filter == "in_all_splits"
    chosen = {"target": open_collection(study, store, study.data, study.target, class_filter=class_filter)}
    if study.source:
        target = study.source_target or study.target
        chosen["source"] = open_collection(study, store, study.source, target, class_filter=class_filter)
    if "demo" in study.weights:
        how: dict[str, Any] = {"rule": "stratified", "limit": 0, "class_filter": class_filter}
        chosen["pretraining"] = open_collection(study, store, "atelier:source", "object", **how)
    return chosen


def runs(study: Study, chosen: Chosen, store: Store) -> list[Run]:
    """The study as a list of runs."""
    target = chosen["target"][1]
    found: dict[Run, None] = {}
    for network in study.networks:
        common = Run(
            collection=target.key,
            target=target.target,
            network=artefact(network),
            weights=starting_weights(network, study.networks, study.weights),
            image_size=study.image_size or NATIVE_SIZE.get(network, 224),
            **{field: getattr(study, field) for field in SHARED},
        )
        if common.weights == "demo":
            first = pretraining(common, chosen["pretraining"][1].key)
            found[first] = None
            common = dataclasses.replace(common, weights=first.ref)
        for mode in study.modes:
            if mode == "scratch" and study.networks == NETWORKS and network != "InceptionV3":
                continue
            for seed in study.seeds:
                run = in_mode(study, dataclasses.replace(common, seed=seed), mode)
                found[run] = None
                if network in (carried := dict(item.split("=", 1) for item in study.theta_r)) and mode != "scratch":
                    found[dataclasses.replace(run, weights=artefact(carried[network]), carried=True)] = None
                if study.source and mode != "scratch":
                    source = chosen["source"][1]
                    there = dataclasses.replace(common, collection=source.key, target=source.target, seed=seed)
                    theta_r = in_mode(study, there, "fine_tuning")
                    found[theta_r] = None
                    found[dataclasses.replace(run, weights=theta_r.ref)] = None
    return list(found)


def in_mode(study: Study, run: Run, mode: str) -> Run:
    """A run in one of the paper's modes, with the optimizer of that mode."""
    frozen = mode == "off_the_shelf"
    optimizer = OPTIMIZERS[study.optimizer, "frozen" if frozen else "whole"]
    if study.learning_rate:
        optimizer = dataclasses.replace(optimizer, learning_rate=study.learning_rate)
    run = dataclasses.replace(run, mode=mode, optimizer=optimizer)
    if frozen:
        return dataclasses.replace(run, head=study.head, epochs=study.head_epochs or study.epochs)
    return dataclasses.replace(run, weights="none") if mode == "scratch" else run


def like(preset: Study, run: Run) -> Run:
    """The run that one of ours would be by a preset: same place, network, mode and seed.

    Raises:
        UserError: the paper has no such mode.
    """
    if run.mode not in ("off_the_shelf", "fine_tuning", "scratch"):
        raise UserError(f"the paper has no {run.mode}")
    size = NATIVE_SIZE.get(str(run.network), 224)
    shared = {field: getattr(preset, field) for field in SHARED}
    return in_mode(
        preset, dataclasses.replace(run, weights="imagenet", image_size=size, head="softmax", **shared), run.mode
    )


RIJKSMUSEUM = Printed(
    {
        name: Protocol(
            functools.partial(like, preset),
            {
                "rule": preset.split, "split_seed": preset.split_seed,
                "class_filter": preset.class_filter == "in_all_splits",
            },
        )
        for name, preset in PRESETS.items() if name not in ("demo", "study")
    },
    card="rijksmuseum", targets=("material", "type", "artist"), networks=NETWORKS,
)  # fmt: skip
ANTWERP = dataclasses.replace(
    RIJKSMUSEUM, card="antwerp", targets=("type", "artist"),
    carried=dataclasses.replace(RIJKSMUSEUM, modes=("fine_tuning",)),
)  # fmt: skip

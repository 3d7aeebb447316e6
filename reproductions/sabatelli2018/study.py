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
from keras_art.study.kinds.classifier import LAYER_RULES, PROBES, pretraining
from keras_art.study.kinds.classifier import ClassifierRun as Run
from keras_art.study.sizes import NATIVE, native_size

if TYPE_CHECKING:
    from keras_art.commands.machine import Chosen

NETWORKS = ("Xception", "InceptionV3", "ResNet50", "VGG19")
SCRATCH = "InceptionV3"  # the only one of them that the paper trains from scratch, as curves of the Rijksmuseum

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

    preset: str = "demo"
    """Fixes every field below; any flag overrides one; modern is for 1,000 to 10,000 images. Default: demo, or study
    when --data is given."""

    networks: tuple[str, ...] = NETWORKS
    """Names of keras.applications, .keras files with a spatial output, or presets of keras-hub: a folder,
    keras-hub:NAME, kaggle://HANDLE or hf://OWNER/NAME."""
    modes: tuple[Literal["off_the_shelf", "fine_tuning", "scratch", "linear_probe", "knn_probe", "zero_shot"], ...] = (
        "off_the_shelf",
        "fine_tuning",
    )
    """scratch is InceptionV3's unless --networks names others. The probes, which the paper has not, judge the frozen
    network by logistic regression and by nearest neighbours, the same for every seed; zero_shot asks CLIP or SigLIP."""
    template: str = "a work of art: {}"
    """Of zero_shot: what is asked for each class, {} being its name, such as "a painting in the style of {}"."""
    source: str | None = None
    """A collection to train on first and carry over from (theta^r of Table 3), off the shelf and fine-tuned."""
    source_target: str | None = None
    """The label column of --source. Default: --target."""
    theta_r: tuple[str, ...] = ()
    """Weights trained elsewhere, carried over without heads as those of --source: NETWORK=FILE, an .h5 or a .keras."""
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
    optimizer: str = "paper"
    """The paper's text, `released`, its code, or Keras's with rate and decay: AdamW@3e-4,weight_decay=0.05."""
    learning_rate: float = 0.0
    """0: the optimizer's own."""
    batch_size: int = 32
    """Images per step."""
    order: Literal["shuffled", "sorted", "fixed"] = "shuffled"
    """Of the training images: anew in every epoch; class by class; or the released code's, in whole batches only."""
    epochs: int = 100
    """At most; of heads on a frozen network too, unless --frozen_epochs says otherwise."""
    frozen_epochs: int = 0
    """Of heads on a frozen network, whose epochs cost next to nothing (0: as --epochs)."""
    patience: int = 7
    """Epochs without a smaller validation loss before training stops."""
    keep: Literal["best", "last"] = "best"
    """Weights that are tested: of the smallest validation loss, or of the last epoch."""
    bn_momentum: float = 0.0
    """Of batch normalisation's moving averages (0: the network's own); short trainings need 0.9."""
    freeze_until: str = ""
    """Of fine-tuning, as the next two; these and the six behind them, which scratch takes too, are none of the paper's.
    The first layer that learns, by its name or, where several are called so, the end of its path within the network; or
    the share of layers that do not learn, from the input."""
    lora: int = 0
    """Rank of matrices that learn beside the frozen dense layers of a transformer (0: none)."""
    discriminative: float = 1.0
    """The first layer's learning rate, a share of the head's; those between on a geometric scale (1: one for all)."""
    warmup: int = 0
    """Epochs in which the learning rate rises."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Of the learning rate after them; cosine falls to 0 in the last epoch."""
    label_smoothing: float = 0.0
    """Share of a target that goes to all classes."""
    mixing: Literal["none", "mixup", "cutmix"] = "none"
    """Of training images, in pairs, with their targets."""
    augmentation: Literal["tf_data", "keras", "keras_cv", "none"] = "none"
    """Where crop, flip, rotation and colour jitter of training images happen."""
    test_flips: bool = False
    """Say the mean of a picture and its mirror image."""
    class_filter: Literal["in_all_splits", "none"] = "in_all_splits"
    """Which classes stay."""
    saliency: Literal["paper", "released"] = "paper"
    """VisualBackProp of figure 4: by Bojarski et al., or as in the released code, which fits VGG19 and VGG16."""
    precision: flags.Precision = "float32"
    """Of the arithmetic; mixed is for GPUs. auto: for each network float32 or mixed_bfloat16, as is faster here."""


PRESETS = {
    "demo": Study(
        preset="demo", target="artist", networks=("InceptionV3", "ResNet50"), weights=("demo",),
        preprocessing="tf", image_size=75, epochs=4, frozen_epochs=60, bn_momentum=0.9, split="stratified",
    ),
    "study": Study(preset="study"),
    "paper": Study(
        preset="paper", data="rijksmuseum", modes=("off_the_shelf", "fine_tuning", "scratch"), preprocessing="unit",
        frozen_bn="batch", split="random", split_seed=42,
    ),
    "released": Study(
        preset="released", data="rijksmuseum", networks=("ResNet50", "VGG19"), resize="squash_nearest",
        frozen_bn="batch", optimizer="released", order="fixed", saliency="released", keep="last", class_filter="none",
        split="random", split_seed=42,
    ),
    "modern": Study(
        preset="modern", modes=("linear_probe", "knn_probe", "fine_tuning"), optimizer="AdamW@1e-3,weight_decay=0.05",
        epochs=20, patience=20, warmup=2, schedule="cosine", label_smoothing=0.1, augmentation="tf_data",
        test_flips=True,
    ),
}  # fmt: skip


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
            image_size=study.image_size or native_size(network),
            **{field: getattr(study, field) for field in SHARED},
        )
        if common.weights == "demo":
            first = pretraining(common, chosen["pretraining"][1].key)
            found[first] = None
            common = dataclasses.replace(common, weights=first.ref)
        for mode in study.modes:
            if mode == "scratch" and study.networks == NETWORKS and network != SCRATCH:
                continue
            for seed in seeds_of(study, common, mode):
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


def seeds_of(study: Study, run: Run, mode: str) -> tuple[int, ...]:
    """The seeds that make a difference: to a probe none does, unless its network is drawn or trained by it."""
    same = mode in PROBES and run.weights != "none" and not study.source
    return study.seeds[:1] if same else study.seeds


def in_mode(study: Study, run: Run, mode: str) -> Run:
    """A run in one mode, with the optimizer of that mode; of a probe, whatever it does not read is left as it is."""
    if mode in PROBES:
        unread = ("optimizer", "order", "epochs", "patience", "keep", "head")
        plain = {field: getattr(Run, field) for field in unread}
        template = study.template if mode == "zero_shot" else ""
        return dataclasses.replace(run, mode=mode, template=template, **plain)
    frozen = mode == "off_the_shelf"
    named = {name: OPTIMIZERS[name, "frozen" if frozen else "whole"] for name in ("paper", "released")}
    run = dataclasses.replace(run, mode=mode, optimizer=flags.optimizer_of(study.optimizer, named, study.learning_rate))
    if frozen:
        return dataclasses.replace(run, head=study.head, epochs=study.frozen_epochs or study.epochs)
    run = dataclasses.replace(run, **{field: getattr(study, field) for field in Run.ADAPTATION})
    if mode == "scratch":  # whose layers are none that were trained before
        return dataclasses.replace(run, weights="none", **{field: getattr(Run, field) for field in Run.OF_LAYERS})
    return dataclasses.replace(run, layer_rules=LAYER_RULES) if run.takes_layers else run


def like(preset: Study, run: Run) -> Run:
    """The run that one of ours would be by a preset: same place, network, mode and seed.

    Raises:
        UserError: the paper, or its code, has no such mode, or not of this network.
    """
    if run.mode not in preset.modes:
        raise UserError(f"the paper has no {run.mode}")
    if run.mode == "scratch" and run.network != SCRATCH:
        raise UserError(f"from scratch the paper has {SCRATCH} alone")
    size = NATIVE.get(str(run.network), 224)
    shared = {field: getattr(preset, field) for field in SHARED}
    return in_mode(
        preset, dataclasses.replace(run, weights="imagenet", image_size=size, head="softmax", **shared), run.mode
    )


def modern(run: Run) -> Run:
    """The same by the preset modern; a network that brings its own weights keeps its size and its scale of pixels.

    Raises:
        UserError: it has no such mode.
    """
    own = ("weights", "image_size", "preprocessing") if run.weights == "own" else ()
    return dataclasses.replace(like(PRESETS["modern"], run), **{field: getattr(run, field) for field in own})


MODERN = Printed({"modern": Protocol(modern, {"class_filter": True})})  # no paper's: nothing is printed of it
RIJKSMUSEUM = Printed(
    {
        name: Protocol(
            functools.partial(like, preset),
            {"rule": preset.split, "split_seed": preset.split_seed, "class_filter": preset.class_filter != "none"},
            preset.networks if name == "released" else (),
        )
        for name, preset in PRESETS.items() if name in ("paper", "released")
    },
    card="rijksmuseum", targets=("material", "type", "artist"), networks=NETWORKS,
)  # fmt: skip
ANTWERP = dataclasses.replace(
    RIJKSMUSEUM, card="antwerp", targets=("type", "artist"), modes=("off_the_shelf", "fine_tuning"),
    carried=dataclasses.replace(RIJKSMUSEUM, modes=("fine_tuning",)),
)  # fmt: skip

"""What a person asks for, and the runs it expands into."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from keras_art import terminal
from keras_art.commands import flags
from keras_art.commands.machine import located
from keras_art.errors import UserError
from keras_art.report.comparable import Printed, Protocol
from keras_art.store.runs import Store
from keras_art.study.files import artefact
from keras_art.study.kinds.clustering import ClusteringRun as Run

if TYPE_CHECKING:
    from keras_art.commands.machine import Chosen


@dataclass(frozen=True)
class Study(flags.Study):
    """What a person asks for; it expands into Runs."""

    k: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8, 9, 10)
    """Numbers of clusters, one run each; all share one pretrained autoencoder. 1 trains on L_r alone: an embedding
    without clusters, to compare with."""
    gamma: float = 0.9
    """Weight of the clustering loss, in [0, 1]."""
    convention: Literal["convex", "guo"] = "convex"
    """convex: (1 - gamma) L_r + gamma L_c; guo: L_r + gamma L_c."""
    image_size: int = 128
    """Side of the square input in pixels, a multiple of 8."""
    resize: flags.Resize = "crop"
    """How a picture becomes square; trim cuts borders of one colour off, then crops."""
    channels: Literal[1, 3] = 3
    """3, or 1 for grey."""
    embedding: int = 32
    """Dimensions."""
    activation: Literal["elu", "relu"] = "elu"
    """Of all layers but the embedding and the output."""
    learning_rate: float = 0.001
    """Of Adam, in both phases."""
    epochs: int = 200
    """Of the pretraining."""
    keep: Literal["best", "last"] = "last"
    """Pretrained weights that are clustered: of the smallest reconstruction loss, or of the last epoch."""
    pretrain_batch_size: int = 256
    """Images per step of the pretraining."""
    batch_size: int = 256
    """Images per iteration of the joint training."""
    update_interval: int = 140
    """T, iterations between two computations of the target distribution."""
    tol: float = 0.001
    """Stop when a smaller share of labels has changed between two of them."""
    max_iterations: int = 20000
    """At most."""
    order: Literal["shuffled", "fixed"] = "shuffled"
    """Of the images in the joint training: shuffled anew in every epoch, or as they are sorted. The pretraining always
    shuffles, as Keras's fit does in all codes."""
    shown: tuple[str, ...] = ()
    """Values of --target, such as artists, that get a map of their own, all others grey."""
    backbone: str | None = None
    """A network whose frozen features are clustered for comparison: a name of keras.applications, a .keras file, or a
    preset of keras-hub."""
    preprocessing: Literal["imagenet", "unit", "caffe", "tf", "torch", "none"] = "imagenet"
    """The backbone's pixels. imagenet: the network's own."""
    gap_references: int = 30
    """Sets of noise the gap statistic compares with (0: no gap statistic)."""


PRESETS = {
    "demo": Study(
        preset="demo", k=(4, 6, 8), target="style", image_size=32, epochs=40, pretrain_batch_size=64, batch_size=64,
        update_interval=32, max_iterations=640, gap_references=3, keep="best",
    ),
    "study": Study(
        preset="study", epochs=20, pretrain_batch_size=64, batch_size=64, update_interval=20, max_iterations=100,
        gap_references=5, keep="best",
    ),
    "paint": Study(preset="paint"),
    "guo": Study(
        preset="guo", data="digits", target="digit", k=(10,), gamma=0.1, convention="guo", image_size=28, channels=1,
        embedding=10, activation="relu", order="fixed",
    ),
    "west": Study(preset="west", pretrain_batch_size=512, batch_size=512, order="fixed"),
}  # fmt: skip
JOINT = ("gamma", "convention", "batch_size", "update_interval", "tol", "max_iterations", "order", "preprocessing")
NETWORK = ("image_size", "resize", "channels", "embedding", "activation", "learning_rate")


def check(study: Study) -> None:
    """Refuses what contradicts itself, before anything is read.

    Raises:
        UserError: naming the flags.
    """
    flags.check_values(
        study, k=1, epochs=1, pretrain_batch_size=1, batch_size=1, update_interval=1, max_iterations=1, embedding=1,
        limit=0, gap_references=0, tol=0,
    )  # fmt: skip
    if study.shown and not study.target:
        raise UserError("--shown names values of a label column: give --target, too")
    if not study.k:
        raise UserError("--k needs at least one number of clusters")
    if not 0 <= study.gamma <= 1:
        raise UserError(f"--gamma {study.gamma} is outside [0, 1]: it is the weight of the clustering loss")
    if study.image_size % 4 or study.image_size < 8:
        raise UserError(f"--image_size {study.image_size} can not be halved three times and back: take a multiple of 8")
    if study.split != "auto":
        raise UserError("--split: clustering takes the whole collection, there is nothing to split")


def files(study: Study) -> list[str]:
    """The files among a study's flags."""
    return [study.backbone] if study.backbone else []


def collections(study: Study, store: Store) -> Chosen:
    """The pictures of a study, read but not yet opened: "pictures", all of them."""
    from keras_art.data.opening import open_all
    from reproductions.dcec_paint.digits import make_digits

    if study.data is None and study.preset in ("paint", "west"):
        raise UserError(f"--preset {study.preset} needs --data: the auction pictures of the paper are not published")
    digits = study.data == "digits"
    data = make_digits(store.root / "cache" / "digits") if digits else located(store, study.data)
    found, choice = open_all(store, data, study.root, sheet=study.sheet, split_seed=study.split_seed, limit=study.limit)
    if (most := max(study.k)) > (count := len(choice.images)):
        raise UserError(f"--k {most} needs at least {most} images, {choice.name} has {count}: ask for fewer clusters")
    if study.target and study.target not in choice.columns:
        raise UserError(
            f"{choice.name} has no label column {study.target!r}; it has {', '.join(choice.columns) or 'none'}"
        )
    if missing := [] if not study.target else sorted(set(study.shown) - set(choice.columns[study.target])):
        raise UserError(f"--shown {missing[0]!r} is no {study.target} of {choice.name}")
    return {"pictures": (found, choice)}


def runs(study: Study, chosen: Chosen, store: Store) -> list[Run]:
    """The study as a list of runs: for each seed an autoencoder, then every k."""
    _, choice = chosen["pictures"]
    found = []
    common = {name: getattr(study, name) for name in NETWORK}
    joint = {name: getattr(study, name) for name in JOINT}
    backbone = artefact(study.backbone) if study.backbone else ""
    for seed in study.seeds:
        first = Run(
            collection=choice.key, mode="pretraining", seed=seed, batch_size=study.pretrain_batch_size,
            epochs=study.epochs, keep=study.keep, gap_references=study.gap_references, **common,
        )  # fmt: skip
        found.append(first)
        for k in study.k:
            found.append(
                Run(collection=choice.key, k=k, seed=seed, weights=first.ref, backbone=backbone, **common, **joint)
            )
    return found


def begin(study: Study, store: Store, chosen: Chosen, missing: Sequence[Run]) -> None:
    """Refuses pictures that can not be clustered, and says what the losses weigh.

    Raises:
        UserError: fewer images than clusters, or images which are all the same.
    """
    from keras_art.data import tasks
    from keras_art.methods.dcec import clustering, objective

    _, choice = chosen["pictures"]
    clustering.check(tasks.load(store, choice.key, study.image_size, study.resize), max(study.k))
    lambda_r, lambda_c = objective.loss_weights(study.gamma, study.convention)
    terminal.say(
        f"loss = {lambda_r:g} * L_r (squared error, mean over pixels and images) "
        f"+ {lambda_c:g} * L_c (KL divergence, sum over clusters, mean over images)"
    )


def like(preset: Study, run: Run) -> Run:
    """The run, a clustering or its pretraining, that one of ours would be by a preset."""
    own = {field: getattr(preset, field) for field in NETWORK}
    if run.mode == "pretraining":
        own |= {"epochs": preset.epochs, "batch_size": preset.pretrain_batch_size, "keep": preset.keep}
    else:
        own |= {field: getattr(preset, field) for field in JOINT}
    return dataclasses.replace(run, **own)


PROTOCOLS = {name: Protocol(functools.partial(like, PRESETS[name])) for name in ("paint", "guo", "west")}
PRINTED = Printed(PROTOCOLS, carried=Printed(PROTOCOLS), never="the auction pictures are published nowhere")

"""What a person asks for, and the runs it expands into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.methods.dcec.kinds import ClusterRun
from keras_art.store import runs
from keras_art.study import plan as study_
from keras_art.version import __version__

if TYPE_CHECKING:
    from keras_art.data.choices import Choice
    from keras_art.data.sources import Collection

PAPER = "dcec_paint"


@dataclass(frozen=True)
class Study(terminal.Study):
    """What a person asks for; it expands into Runs."""

    preset: Literal["demo", "study", "paint", "guo", "west"] = "demo"  # type: ignore[assignment]  # has its own
    """Fixes every field below; any flag overrides one. Default: demo, or study when --data is given."""
    k: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8, 9, 10)
    """Numbers of clusters, one run each; all share one pretrained autoencoder."""
    gamma: float = 0.9
    """Weight of the clustering loss, in [0, 1]."""
    convention: Literal["convex", "guo"] = "convex"
    """convex: (1 - gamma) L_r + gamma L_c; guo: L_r + gamma L_c."""
    image_size: int = 128
    """Side of the square input in pixels, a multiple of 8."""
    resize: Literal["squash", "squash_nearest", "crop", "pad"] = "crop"
    """How a picture becomes square."""
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
    """Of the images: shuffled anew in every epoch, or as they are sorted."""
    backbone: str | None = None
    """A network whose frozen features are clustered for comparison: a name of keras.applications, or a .keras file."""
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
JOINT = ("gamma", "convention", "batch_size", "update_interval", "tol", "max_iterations", "preprocessing")
NETWORK = ("image_size", "resize", "channels", "embedding", "activation", "learning_rate", "order")


@dataclass(frozen=True)
class Run(ClusterRun):
    """One pretraining, or one clustering into k."""

    paper: ClassVar[str] = PAPER


def choice(study: Study, store: runs.Store) -> tuple[Collection | None, Choice]:
    """The pictures of a study, read but not yet opened."""
    from keras_art.atelier import make_atelier
    from keras_art.data.kept import open_all
    from keras_art.methods.dcec import digits

    data: str | Path | None = study.data
    if data is None and study.preset in ("paint", "west"):
        raise UserError(f"--preset {study.preset} needs --data: the auction pictures of the paper are not published")
    if data is None:
        # By version: a painter who has learnt something since must not be taken for the old one.
        data = make_atelier(store.root / "cache" / __version__ / "atelier-target")
    elif data == "digits":
        data = digits.make_digits(store.root / "cache" / "digits")
    return open_all(store, data, study.root, split_seed=study.split_seed, limit=study.limit)


def runs_of(study: Study, key: str) -> list[Run]:
    """The study as a list of runs: for each seed an autoencoder, then every k."""
    found = []
    common = {name: getattr(study, name) for name in NETWORK}
    joint = {name: getattr(study, name) for name in JOINT}
    for seed in study.seeds:
        first = Run(
            collection=key, mode="pretraining", seed=seed, batch_size=study.pretrain_batch_size, epochs=study.epochs,
            keep=study.keep, gap_references=study.gap_references, **common,
        )  # fmt: skip
        found.append(first)
        backbone = study_.named(study.backbone) if study.backbone else ""
        for k in study.k:
            weights = f"run:{runs.digest(first)}"
            found.append(Run(collection=key, k=k, seed=seed, weights=weights, backbone=backbone, **common, **joint))
    return found


def protocol(run: Run, pretraining: Run) -> str:
    """Which preset a run followed, whatever the command that started it."""
    if run.collection.startswith("atelier-"):
        return "demo"
    for name in ("paint", "guo", "west"):
        preset = PRESETS[name]
        if (
            all(getattr(run, field) == getattr(preset, field) for field in (*NETWORK, *JOINT))
            and (pretraining.epochs, pretraining.batch_size, pretraining.keep)
            == (preset.epochs, preset.pretrain_batch_size, preset.keep)
        ):  # fmt: skip
            return name
    return "study"


def check(study: Study) -> None:
    """Refuses what contradicts itself, before anything is read.

    Raises:
        UserError: naming the flags.
    """
    if not 0 <= study.gamma <= 1:
        raise UserError(f"--gamma {study.gamma} is outside [0, 1]: it is the weight of the clustering loss")
    if not study.k or len(set(study.k)) < len(study.k) or min(study.k) < 2:
        raise UserError("--k needs numbers of clusters, each at least 2 and none twice: one cluster separates nothing")
    if not study.seeds or len(set(study.seeds)) < len(study.seeds):
        raise UserError("--seeds needs at least one value, and none twice")
    if study.image_size % 4 or study.image_size < 8:
        raise UserError(f"--image_size {study.image_size} can not be halved three times and back: take a multiple of 8")
    for flag in ("epochs", "pretrain_batch_size", "batch_size", "update_interval", "max_iterations", "embedding"):
        if getattr(study, flag) < 1:
            raise UserError(f"--{flag} is at least 1")
    for flag in ("limit", "gap_references", "tol"):
        if getattr(study, flag) < 0:
            raise UserError(f"--{flag} is at least 0")
    if study.split != "auto":
        raise UserError("--split: clustering takes the whole collection, there is nothing to split")

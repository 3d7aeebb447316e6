"""What a person asks for, and the runs it expands into."""

from __future__ import annotations

import dataclasses
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from keras_art import terminal
from keras_art.data import mixing
from keras_art.errors import UserError
from keras_art.methods.adain.kinds import Decoder, Stylised, check_size
from keras_art.store import runs
from keras_art.study import plan as study_
from keras_art.version import __version__
from reproductions.st_saclf.stages import parse

if TYPE_CHECKING:
    from keras_art.data.choices import Choice

PAPER = "st_saclf"


@dataclass(frozen=True)
class Study(terminal.Study):
    """What a person asks for; fields in the plural form a grid of runs."""

    networks: tuple[str, ...] = ("ResNet50",)
    """Names of keras.applications, or .keras files with a spatial output."""
    p1: tuple[float, ...] = (0.5,)
    """Shares of stylised images that representative classes get, in [0, 1]."""
    p2: tuple[float, ...] = (1.0,)
    """The same of rare classes."""
    attention: tuple[Literal["spatial", "none"], ...] = ("spatial",)
    """none: the released code's plain classifier."""
    losses: tuple[Literal["focal", "cross_entropy"], ...] = ("focal",)
    """focal takes --gamma and --focal_alpha."""
    modes: tuple[Literal["staged", "frozen", "released"], ...] = ("staged",)
    """staged: the backbone thaws from the top; frozen: it never does; released: all of it at half time."""
    ablation: bool = False
    """The method, and it without stylised images, attention, focal loss and staging in turn, and without any."""
    rare: tuple[str, ...] = ()
    """The rare classes. Default: those with fewer train images than an even share."""
    taps: tuple[str, ...] = ()
    """Layers that attention reads, shallow to deep. Default: the released code's, else the ends of four blocks."""
    tap_scale: Literal["none", "layer", "batch"] = "layer"
    """none: maps as they come (the paper); layer: each position by its channels' size; batch: each channel by the
    batch."""
    gamma: float = 2.0
    """Of the focal loss."""
    focal_alpha: float = 2.0
    """Of the focal loss: one factor for all classes."""
    dropout: float = 0.23
    """Before the last layer."""
    drop: Literal["dropout", "dropconnect"] = "dropout"
    """Units or weights."""
    regularizer: Literal["l2", "l1", "none"] = "l2"
    """Of the dense kernels."""
    weight_decay: float = 4e-4
    """Of the regularizer."""
    weights: tuple[str, ...] = ("imagenet",)
    """imagenet, none (He-uniform), demo (trained in the run on the atelier's source half), a file, or NETWORK=FILE."""
    preprocessing: Literal["imagenet", "unit", "caffe", "tf", "torch", "none"] = "imagenet"
    """imagenet: the network's own; unit: [0, 1] (the released code)."""
    image_size: int = 256
    """Side of the square input in pixels."""
    resize: Literal["squash", "squash_nearest", "crop", "pad"] = "squash"
    """How a picture becomes square."""
    augmentation: Literal["none", "flip"] = "none"
    """flip: half of the training images mirrored left to right."""
    frozen_bn: Literal["inference", "batch"] = "inference"
    """In training, frozen batch normalisation takes moving averages (Keras 3), or the batch's own (PyTorch)."""
    bn_momentum: float = 0.0
    """Of batch normalisation's moving averages (0: the network's own); short trainings need 0.9."""
    learning_rate: float = 1e-3
    """Of the first stage (Adam); later ones are lower."""
    batch_size: int = 32
    """Images per step."""
    epochs: int = 40
    """Of all stages together."""
    stages: tuple[str, ...] = ()
    """The stages of --modes staged by hand: EPOCHS@RATE (frozen), EPOCHS@RATE:BLOCK,BLOCK or EPOCHS@RATE:all."""
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    """Of the arithmetic; mixed is for GPUs."""
    encoder_weights: str = "imagenet"
    """Of AdaIN's VGG19: imagenet, none (He-uniform), or a file."""
    decoder_size: int = 0
    """Side of the images the decoder is trained on (0: --image_size); it serves any size."""
    decoder_iterations: int = 20_000
    """Training steps of the decoder."""
    decoder_rate: float = 1e-4
    """Its learning rate."""
    style_weight: float = 10.0
    """Of the style loss in the decoder's training; an encoder without ImageNet weights asks for 0.1."""
    identity_weight: float = 0.0
    """Of a loss that asks of an image styled by itself its own pixels; an encoder without ImageNet weights asks for
    1000."""
    decoder: str | None = None
    """The directory of a trained decoder of this store, instead of one trained on this choice of images. Its own train
    split must hold no test image of this one."""
    alpha: float = 1.0
    """Share of the style in a stylised image, in [0, 1]."""
    preserve_colour: bool = False
    """Give the style the content's colours first."""
    second: str | None = None
    """Another collection with the same label column, on which the trained models are tested too."""


PRESETS = {
    "demo": Study(
        preset="demo", target="artist", networks=("MobileNetV2",), weights=("demo",), image_size=64, bn_momentum=0.9,
        epochs=12, batch_size=16, split="stratified", encoder_weights="none", decoder_size=48, decoder_iterations=200,
        decoder_rate=3e-4, style_weight=0.1, identity_weight=1000.0, p1=(0.0,), p2=(1.0,),
    ),
    "study": Study(preset="study"),
    "paper": Study(preset="paper", data="kaokore-1.2", target="status", tap_scale="none", preprocessing="unit"),
    "released": Study(
        preset="released", data="kaokore-1.2", target="status", tap_scale="none", preprocessing="unit",
        frozen_bn="batch", modes=("released",), learning_rate=8e-4, batch_size=16, regularizer="none",
        p1=(0.8,), p2=(0.2,),
    ),
}  # fmt: skip
# How the demo's own weights are trained.
PRETRAINING: dict[str, Any] = {
    "mode": "pretraining", "weights": "none", "batch_size": 16, "epochs": 6, "patience": 6, "keep": "last",
    "learning_rate": 0.0, "bn_momentum": 0.9,
}  # fmt: skip


@dataclass(frozen=True)
class Run(study_.ClassifierRun):
    """One classifier; `mode` is staged, frozen, released, or the demo's pretraining."""

    paper: ClassVar[str] = PAPER

    attention: str = "spatial"
    taps: str = ""  # names separated by blanks
    tap_scale: str = "layer"
    loss: str = "focal"
    gamma: float = 2.0
    focal_alpha: float = 2.0
    dropout: float = 0.23
    drop: str = "dropout"
    regularizer: str = "l2"
    weight_decay: float = 4e-4
    augmentation: str = "none"
    stages: str = ""
    p1: float = 0.0
    p2: float = 0.0
    rare: str = ""  # names separated by tabs
    stylised: str = ""  # digest of a Stylised, where p1 or p2 is above 0


COPIED = (
    "tap_scale", "augmentation", "gamma", "focal_alpha", "dropout", "drop", "regularizer", "weight_decay",
    "preprocessing", "image_size", "resize", "frozen_bn", "bn_momentum", "learning_rate", "batch_size", "epochs",
    "precision",
)  # fmt: skip


def check(study: Study) -> None:
    """Refuses what contradicts itself, before anything is read.

    Raises:
        UserError: naming the flags.
    """
    for flag in ("networks", "modes", "seeds", "weights", "p1", "p2", "attention", "losses"):
        values = getattr(study, flag)
        if not values or len(set(values)) < len(values):
            raise UserError(f"--{flag} needs at least one value, and none twice")
    for flag in ("epochs", "batch_size", "image_size", "decoder_iterations"):
        if getattr(study, flag) < 1:
            raise UserError(f"--{flag} is at least 1")
    for flag in ("p1", "p2"):
        for p in getattr(study, flag):
            if not 0 <= p <= 1:
                raise UserError(f"--{flag} lies in [0, 1], not {p}: it is the share of a class's stylised images")
    if not 0 <= study.alpha <= 1:
        raise UserError(f"--alpha lies in [0, 1], not {study.alpha}")
    if not 0 <= study.dropout < 1:
        raise UserError(f"--dropout lies in [0, 1), not {study.dropout}")
    if study.ablation and (study.p1, study.p2) == ((0.0,), (0.0,)):
        raise UserError("--ablation compares with and without stylised images: give --p1 or --p2 above 0")
    if any(p for p in (*study.p1, *study.p2)):
        check_size(min(study.image_size, study.decoder_size or study.image_size))
    if study.stages:
        parse(study.stages)
        alone = study.modes == ("staged",) and not study.ablation
        if alone and study.learning_rate != PRESETS[study.preset].learning_rate:
            raise UserError("--stages names the learning rates: leave --learning_rate out")


def choices(study: Study, store: runs.Store) -> dict[str, tuple[Any, Choice]]:
    """The collections of a study, read but not yet opened: "target", and "second" and "pretraining" where asked for."""
    from keras_art.atelier import make_atelier
    from keras_art.data.kept import open_choice

    def atelier(half: str) -> Path:
        return make_atelier(store.root / "cache" / __version__ / f"atelier-{half}", half=half)

    wanted: dict[str, tuple[str | Path, str | None]] = {"target": (study.data or atelier("target"), study.target)}
    if study.second:
        wanted["second"] = (study.second, study.target)
    if "demo" in study.weights:
        wanted["pretraining"] = (atelier("source"), "object")
    chosen = {}
    for role, (data, target) in wanted.items():
        rule = "stratified" if role == "pretraining" else study.split
        limit = 0 if role == "pretraining" else study.limit
        chosen[role] = open_choice(store, data, study.root, target, rule=rule, split_seed=study.split_seed, limit=limit)
    return chosen


def makers(study: Study, choice: Choice) -> tuple[Decoder, Stylised] | None:
    """The decoder and the stylised set of a study, where any of its runs takes some."""
    if not any((*study.p1, *study.p2)):
        return None
    decoder = (
        _given(study.decoder)
        if study.decoder
        else Decoder(
            collection=choice.key,
            image_size=study.decoder_size or study.image_size,
            resize=study.resize,
            weights=study_.named(study.encoder_weights),
            style_weight=study.style_weight,
            identity_weight=study.identity_weight,
            learning_rate=study.decoder_rate,
            iterations=study.decoder_iterations,
            checkpoint_every=next(n for n in (500, 100, 50, 20, 10, 1) if study.decoder_iterations % n == 0),
        )
    )
    stylised = Stylised(
        collection=choice.key,
        target=choice.target,
        image_size=study.image_size,
        resize=study.resize,
        decoder=runs.digest(decoder),
        alpha=study.alpha,
        preserve_colour=study.preserve_colour,
    )
    return decoder, stylised


def _given(folder: str) -> Decoder:
    """The decoder that lies in a directory.

    Raises:
        UserError: none does.
    """
    config = Path(folder) / "config.json"
    if not (config.parent / "decoder.keras").is_file():
        raise UserError(f"{folder} holds no decoder.keras: name a finished run below STORE/{Decoder.paper}/")
    return Decoder(**json.loads(config.read_text()))


def runs_of(study: Study, chosen: dict[str, tuple[Any, Choice]]) -> list[Run]:
    """The study as a list of runs, each after the one whose weights it begins with."""
    target = chosen["target"][1]
    made = makers(study, target)
    grid: dict[Run, None] = {}
    for network in study.networks:
        weights = study_.starting_weights(network, study.networks, study.weights)
        common = Run(
            collection=target.key,
            target=target.target,
            network=study_.named(network),
            weights=weights,
            taps=" ".join(study.taps),
            stages=" ".join(study.stages),
            rare="\t".join(study.rare),
            **{field: getattr(study, field) for field in COPIED},
        )
        if weights == "demo":
            pretraining = chosen["pretraining"][1]
            first = Run(
                collection=pretraining.key, target="object", network=common.network, preprocessing=study.preprocessing,
                image_size=study.image_size, resize=study.resize, precision=study.precision, **PRETRAINING,
            )  # fmt: skip
            grid[first] = None
            common = dataclasses.replace(common, weights=f"run:{runs.digest(first)}")
        for mode, attention, loss, (p1, p2) in _settings(study):
            for seed in study.seeds:
                run = dataclasses.replace(
                    common, mode=mode, attention=attention, loss=loss, p1=p1, p2=p2, seed=seed,
                    stylised=runs.digest(made[1]) if made and (p1 or p2) else "",
                )  # fmt: skip
                if study.stages and mode == "staged":
                    run = dataclasses.replace(run, epochs=sum(epochs for epochs, _, _ in parse(study.stages)))
                elif study.stages:
                    run = dataclasses.replace(run, stages="")
                grid[run] = None
    return list(grid)


def _settings(study: Study) -> list[tuple[str, str, str, tuple[float, float]]]:
    """The grid: mode, attention, loss, (p1, p2)."""
    shares = list(itertools.product(study.p1, study.p2))
    if not study.ablation:
        return list(itertools.product(study.modes, study.attention, study.losses, shares))
    whole = (study.modes[0], "spatial", "focal", next(pair for pair in shares if any(pair)))
    without = ("frozen", "none", "cross_entropy", (0.0, 0.0))
    one_off = [(*whole[:i], without[i], *whole[i + 1 :]) for i in (3, 1, 2, 0)]
    return [whole, *one_off, without]  # type: ignore[list-item]


def rare_of(run: Run, counts: list[int], classes: list[str]) -> list[str]:
    """The rare classes of a run's target."""
    return mixing.rare_classes(counts, classes, run.rare.split("\t") if run.rare else ())

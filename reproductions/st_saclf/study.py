"""What a person asks for."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

from keras_art.commands import flags
from keras_art.errors import UserError
from keras_art.study.config import Optimizer
from keras_art.study.kinds.adain import check_size
from reproductions.st_saclf.stages import parse


@dataclass(frozen=True)
class Study(flags.Study):
    """What a person asks for; fields in the plural form a grid of runs."""

    networks: tuple[str, ...] = ("ResNet50",)
    """Names of keras.applications, .keras files with a spatial output, or presets of keras-hub."""
    p1: tuple[float, ...] = (0.5,)
    """Shares of stylised images that representative classes get, in [0, 1]."""
    p2: tuple[float, ...] = (1.0,)
    """The same of rare classes."""
    attention: tuple[Literal["spatial", "none"], ...] = ("spatial",)
    """none: the released code's plain classifier."""
    losses: tuple[Literal["focal", "cross_entropy"], ...] = ("focal",)
    """focal takes --gamma and --focal_alpha."""
    modes: tuple[Literal["staged", "frozen"], ...] = ("staged",)
    """staged: the backbone thaws from the top; frozen: it never does."""
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
    resize: flags.Resize = "squash"
    """How a picture becomes square; trim cuts borders of one colour off, then crops."""
    augmentation: Literal["none", "flip"] = "none"
    """flip: half of the training images mirrored left to right."""
    frozen_bn: Literal["inference", "batch"] = "inference"
    """In training, frozen batch normalisation takes moving averages (Keras 3), or the batch's own (PyTorch)."""
    bn_momentum: float = 0.0
    """Of batch normalisation's moving averages (0: the network's own); short trainings need 0.9."""
    optimizer: str = "paper"
    """paper: Adam; released: with PyTorch's epsilon, too; or one of Keras by name with its rate and decay:
    AdamW@3e-4,weight_decay=0.05."""
    learning_rate: float = 1e-3
    """Of the first stage; later ones are lower. Of a named optimizer its own holds."""
    batch_size: int = 32
    """Images per step."""
    epochs: int = 40
    """Of all stages together."""
    stages: tuple[str, ...] = ()
    """The stages of --modes staged by hand: EPOCHS@RATE (frozen), EPOCHS@RATE:BLOCK,BLOCK or EPOCHS@RATE:all."""
    drops: tuple[int, ...] = ()
    """Epochs of a stage after which its learning rate falls to a tenth, and to a tenth of that."""
    epsilon: float = 1e-7
    """Of Adam; PyTorch's is 1e-8."""
    precision: flags.Precision = "float32"
    """Of the arithmetic, AdaIN's too; mixed is for GPUs. auto: for each network float32 or mixed_bfloat16, as is faster
    here."""
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
    """The directory of a trained decoder, instead of one trained on this choice of images. Its own train split must
    hold no test image of this one."""
    alpha: float = 1.0
    """Share of the style in a stylised image, in [0, 1]."""
    preserve_colour: bool = False
    """Give the style the content's colours first."""
    prior: str | None = None
    """A column of the table that names masks or landmarks: pictures of their works' size, bright where attention should
    look. They are for training; a blank cell is no mask."""
    prior_weight: float = 1.0
    """Of attention's divergence from the masks, in nats, beside the loss of --losses."""
    stylise_at: Literal["once", "stages"] = "once"
    """stages: each stage is a run of its own, on images stylised anew; from the second on a class wears the styles of
    the class that the stage before confuses it with most on validation images, and keeps its own label: for labels of
    what is shown, not of who painted it."""
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
        preset="released",
        data="kaokore-1.2", target="status",  # train_test.py 276-284
        networks=("VGG16",),  # 38, its taps too; ImageNet's weights, frozen: pretrained_models.py 101-104
        image_size=256, preprocessing="unit",  # 249-253: [0, 1], no mean taken off
        attention=("spatial",), tap_scale="none",  # model.py 16, 27-38
        losses=("focal",), gamma=2.0, focal_alpha=2.0,  # 305, 42
        dropout=0.23, drop="dropout",  # 306-307
        regularizer="none",  # 310-311 ask for L2, for which 60-66 add nothing
        stages=("20@8e-4",), drops=(10, 15),  # 242, 299, 49
        epsilon=1e-8,  # 48: PyTorch's own
        batch_size=16,  # 240
        p1=(0.0,), p2=(0.0,),  # 243: 1e-6 both, of which utils.py 330 rounds to no image
        decoder_size=256, decoder_iterations=20_000, decoder_rate=1e-4, style_weight=10.0,  # README; AdaIN train.py
        seeds=(42,),  # 224
    ),
    "released_v1_1": Study(
        preset="released_v1_1",
        data="kaokore-1.2", target="status",  # train_test.py 302-305; 20 has status and gender at once, 8 classes
        networks=("ResNet50",),  # 53-54, its taps too
        image_size=256, preprocessing="unit",  # 274-278
        frozen_bn="batch",  # a frozen network stays in training mode: 28 takes gradients off, and no more
        attention=("spatial",), tap_scale="none",  # model.py 100, 112-120
        losses=("focal",), gamma=2.0, focal_alpha=2.0,  # 340, 59
        dropout=0.23, drop="dropout",  # 18, 341
        regularizer="none",  # 29, 346 ask for L2, for which 77-83 add nothing
        stages=("20@8e-5", "20@8e-5:all"), drops=(10, 20),  # 25, 17, 66; the second by hand: 28, and 250's checkpoint
        epsilon=1e-8,  # 65: PyTorch's own
        batch_size=32,  # 23
        p1=(0.8,), p2=(0.2,),  # 26: the representative classes get more
        decoder_size=256, decoder_iterations=20_000, decoder_rate=1e-4, style_weight=10.0,  # README; AdaIN train.py
        seeds=(42,),  # 256
    ),
}  # fmt: skip


ADAMS = ("paper", "released")  # what `--optimizer` says of an Adam at `--learning_rate`


def optimizer_of(study: Study) -> Optimizer:
    """The optimizer of a study's first stage, with what of Adam is not Keras's own default."""
    own = (("epsilon", study.epsilon),) if study.epsilon != Study.epsilon else ()
    adam = Optimizer("Adam", study.learning_rate, own)
    pytorchs = dataclasses.replace(adam, options=(("epsilon", 1e-8),))
    return dataclasses.replace(
        flags.optimizer_of(study.optimizer, dict(zip(ADAMS, (adam, pytorchs), strict=True))), drops=study.drops
    )


def check(study: Study) -> None:
    """Refuses what contradicts itself, before anything is read.

    Raises:
        UserError: naming the flags.
    """
    # The same stage may come twice.
    once = dataclasses.replace(study, stages=())
    flags.check_values(
        once, epochs=1, batch_size=1, image_size=1, decoder_iterations=1, decoder_size=0, limit=0, drops=1, epsilon=0
    )
    optimizer_of(study)
    if list(study.drops) != sorted(study.drops):
        raise UserError("--drops are numbers of epochs, in their order")
    for flag in ("networks", "modes", "weights", "p1", "p2", "attention", "losses"):
        if not getattr(study, flag):
            raise UserError(f"--{flag} needs at least one value")
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
    if study.stylise_at == "stages" and not any((*study.p1, *study.p2)):
        raise UserError("--stylise_at stages needs stylised images: give --p1 or --p2 above 0")
    if any(p for p in (*study.p1, *study.p2)):
        check_size(min(study.image_size, study.decoder_size or study.image_size))
    _check_prior(study)
    if study.stages:
        parse(study.stages)
        alone = study.modes == ("staged",) and not study.ablation
        if alone and study.learning_rate != PRESETS[study.preset].learning_rate:
            raise UserError("--stages names the learning rates: leave --learning_rate out")


def _check_prior(study: Study) -> None:
    if not study.prior:
        if study.prior_weight != Study.prior_weight:
            raise UserError("--prior_weight is of masks: name their column with --prior")
        return
    if not (math.isfinite(study.prior_weight) and study.prior_weight > 0):
        raise UserError(f"--prior_weight is a number above 0, not {study.prior_weight}: leave --prior out instead")
    if "none" in study.attention:
        raise UserError("--prior is of attention, and --attention none has none: leave one of them out")
    if study.resize == "trim":
        raise UserError(
            "--prior lies on the works pixel by pixel, and --resize trim cuts each picture by its own borders: give "
            "--resize crop"
        )

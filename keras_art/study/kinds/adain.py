"""What a decoder and a stylised set are made by; each names a directory of the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keras_art.errors import UserError

STRIDE = 8  # pixels of the image to one position of relu4_1
# Two positions of relu4_1 each way: reflection needs a neighbour, the unbiased variance a second value.
MINIMUM_SIZE = 2 * STRIDE


@dataclass(frozen=True)
class Decoder:
    """One trained decoder with its encoder, `<store>/adain/...`."""

    paper: ClassVar[str] = "adain"
    words: ClassVar[tuple[str, ...]] = ("collection", "image_size", "iterations")

    collection: str = ""  # NAME-DIGEST of a choice; its train split alone is seen
    image_size: int = 256
    resize: str = "squash"
    weights: str = "imagenet"  # of VGG19; or none (He-uniform), or a file of the store's cache/weights
    style_weight: float = 10.0
    identity_weight: float = 0.0
    learning_rate: float = 1e-4
    decay: float = 5e-5  # learning_rate / (1 + decay * iteration)
    batch_size: int = 8  # pairs
    iterations: int = 20_000
    checkpoint_every: int = 500  # iterations
    seed: int = 0


@dataclass(frozen=True)
class Stylised:
    """A collection's train split stylised class by class, `<store>/stylised/...`."""

    paper: ClassVar[str] = "stylised"
    words: ClassVar[tuple[str, ...]] = ("collection", "target", "image_size")

    collection: str = ""
    target: str = ""
    image_size: int = 256
    resize: str = "squash"
    decoder: str = ""  # digest of a Decoder
    alpha: float = 1.0
    preserve_colour: bool = False
    seed: int = 0


def check_size(image_size: int) -> None:
    """Refuses images on which the networks can not work.

    Raises:
        UserError: naming the size they need.
    """
    if image_size < MINIMUM_SIZE:
        raise UserError(
            f"images of {image_size} pixels are too small for AdaIN's encoder: it needs {MINIMUM_SIZE}, two positions "
            f"of its deepest map each way; give a larger --image_size"
        )

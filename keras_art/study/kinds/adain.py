"""Style transfer: a decoder trained on a collection, and a collection stylised by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from keras_art.errors import UserError
from keras_art.study.config import SCORE, Artefact, Kind, Mode, Run, RunRef
from keras_art.study.costs import Cost, Networks
from keras_art.writing import one_line

STRIDE = 8  # pixels of the image to one position of relu4_1
# Two positions of relu4_1 each way: reflection needs a neighbour, the unbiased variance a second value.
MINIMUM_SIZE = 2 * STRIDE
GIGAMACS = 12.1  # of the encoder on one image of 224 pixels, and of the decoder, which mirrors it
VALIDATION_PAIRS = 64
ENCODER = "VGG19"  # by whose steps its speed is told, and its precision chosen
MADE = {"status": str, "n_images": int, "seconds": (int, float)}


@dataclass(frozen=True)
class Decoder(Run):
    """One trained decoder with its encoder."""

    kind: ClassVar[str] = "decoder"
    network: ClassVar[str] = ENCODER
    words: ClassVar[tuple[str, ...]] = ("collection", "image_size", "iterations")

    mode: str = "adain"
    collection: str = ""  # NAME-DIGEST of a choice; its train split alone is seen
    image_size: int = 256
    resize: str = "squash"
    weights: str | Artefact = "imagenet"  # of VGG19; or none (He-uniform)
    style_weight: float = 10.0
    identity_weight: float = 0.0
    learning_rate: float = 1e-4
    decay: float = 5e-5  # learning_rate / (1 + decay * iteration)
    batch_size: int = 8  # pairs
    iterations: int = 20_000
    checkpoint_every: int = 500  # iterations
    seed: int = 0
    precision: str = "float32"

    @property
    def measures(self) -> dict[str, Any]:
        """What tables, estimates and summaries rely on."""
        return MADE | {"val_loss": SCORE}

    @property
    def title(self) -> str:
        """What a person is told of it while it trains."""
        return f"decoder of {self.place} at {self.image_size} pixels"


@dataclass(frozen=True)
class Stylised(Run):
    """A collection's train split stylised class by class, or each in the styles of what a classifier takes it for."""

    kind: ClassVar[str] = "stylised"
    network: ClassVar[str] = ENCODER
    words: ClassVar[tuple[str, ...]] = ("collection", "target", "image_size")

    mode: str = "within_classes"
    collection: str = ""
    target: str = ""
    image_size: int = 256
    resize: str = "squash"
    decoder: RunRef = field(kw_only=True)
    alpha: float = 1.0
    preserve_colour: bool = False
    seed: int = 0
    classifier: RunRef | None = None  # of between_classes
    precision: str = "float32"

    @property
    def measures(self) -> dict[str, Any]:
        """What tables, estimates and summaries rely on."""
        return MADE | {"n": int}

    @property
    def title(self) -> str:
        """What a person is told of it while it is drawn."""
        how = self.mode.removesuffix("_classes")
        return f"{self.place} stylised {how} {one_line(self.target)} at {self.image_size} pixels"


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


def decoder_cost(run: Any, images: int, networks: Networks, found: dict[str, Any] | None) -> Cost:
    """Of each pair: both images encoded, the output decoded with gradients, and encoded with those of its pixels."""
    once = GIGAMACS * (run.image_size / 224) ** 2
    passes = 2 + 3 + 2 + 3 * (run.identity_weight > 0)
    validations = run.iterations // run.checkpoint_every
    work = once * (passes * run.batch_size * run.iterations + 4 * VALIDATION_PAIRS * validations)
    return Cost(work, 20 + validations, 30e6)


def stylised_cost(run: Any, images: int, networks: Networks, found: dict[str, Any] | None) -> Cost:
    """Each image encoded once, where colours are kept each style for each content too, and each output decoded."""
    passes = images * (3 if run.preserve_colour else 2)
    return Cost(GIGAMACS * (run.image_size / 224) ** 2 * passes, 5 + 0.01 * images, 0.5 * run.image_size**2 * images)


def decoded(run: Any, metrics: dict[str, Any]) -> str:
    """A finished decoder in a few words."""
    loss = metrics["val_loss"]
    return "diverged" if loss is None else f"validation loss {loss:.2f}"


def drawn(run: Any, metrics: dict[str, Any]) -> str:
    """A finished set in a few words."""
    return f"{metrics['n']:,} images"


ROOM = "keras_art.methods.adain"
KINDS = {
    "decoder": Kind(
        Decoder,
        {"adain": Mode(f"{ROOM}.training:train", decoder_cost)},
        check=f"{ROOM}.training:check",
        summary=decoded,
    ),
    "stylised": Kind(
        Stylised,
        {
            "within_classes": Mode(f"{ROOM}.stylising:stylise_split", stylised_cost),
            "between_classes": Mode(f"{ROOM}.stylising:stylise_split", stylised_cost),
        },
        summary=drawn,
    ),
}

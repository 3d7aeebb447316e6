"""Style transfer by adaptive instance normalisation.

python -m keras_art adain train --data FOLDER_OR_CSV --target LABEL        # a decoder, from the train split
python -m keras_art adain stylise DECODER CONTENT STYLE --out OUT.png      # one picture in the style of another
python -m keras_art adain collection DECODER --data FOLDER_OR_CSV --target LABEL   # a train split, class by class

DECODER is the directory that `train` prints, or a copy of it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.commands.preparation import prepare
from keras_art.errors import UserError
from keras_art.outputs import check_file
from keras_art.store.runs import Store
from keras_art.study import precisions, workers
from keras_art.study.config import Run
from keras_art.study.costs import Estimate
from keras_art.study.devices import settle
from keras_art.study.files import artefact, files_kept, given_run, keep_files
from keras_art.study.kinds.adain import Decoder, Stylised, check_size
from keras_art.study.plan import ordered, plan
from keras_art.writing import replacing

if TYPE_CHECKING:
    from keras_art.data.choices import Choice
    from keras_art.data.collection import Collection

PROG = "python -m keras_art adain"


@dataclass(frozen=True, kw_only=True)
class Source:
    """The images."""

    data: str
    """A card's name, a CSV, a folder with labels.csv, or a folder of class folders."""
    target: str | None = None
    """The label column. May be left out when there is only one."""
    root: str | None = None
    """Folder that holds the cards' collections, or a table's pictures. Default: $KERAS_ART_DATA; beside the table."""
    limit: int = 0
    """Use at most so many images, classes in proportion (0: all)."""
    split_seed: int = 0
    """Moves the split where the collection brings none."""
    image_size: int = 256
    """Side of the square images in pixels."""
    store: str = "runs"
    """Folder for runs and caches."""
    seed: int = 0
    """Moves initialisation and draws."""
    max_pixels: int = 0
    """As in a study."""
    precision: flags.Precision = "float32"
    """As in a study: auto is the fastest here."""


@dataclass(frozen=True, kw_only=True)
class Train(Source):
    """Trains a decoder on the train split; goes on where it was stopped."""

    weights: str = "imagenet"
    """Of the encoder: imagenet, none (random filters), or a file for VGG19 without top."""
    iterations: int = 20_000
    """Training steps."""
    checkpoint_every: int = 500
    """Steps between two checkpoints, each with a sheet of samples."""
    batch_size: int = 8
    """Pairs a step."""
    learning_rate: float = 1e-4
    """Of Adam at the beginning."""
    style_weight: float = 10.0
    """Of the style loss; the content loss has 1."""
    identity_weight: float = 0.0
    """Of a loss that asks of an image styled by itself its own pixels (Park and Lee 2019); an encoder without ImageNet
    weights asks for 1000, and for a style weight of 0.1."""


@dataclass(frozen=True)
class Stylise:
    """One picture in the style of another."""

    decoder: tyro.conf.Positional[Path]
    """A trained decoder's directory."""
    content: tyro.conf.Positional[Path]
    """A picture."""
    style: tyro.conf.Positional[Path]
    """A picture."""
    out: Path = Path("stylised.png")
    """The result."""
    alpha: float = 1.0
    """Share of the style, in [0, 1]."""
    preserve_colour: bool = False
    """Give the style the content's colours first."""
    longest_side: int = 512
    """Both pictures are brought to it, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Whole(Source):
    """The train split class by class, content and style drawn within the class."""

    decoder: tyro.conf.Positional[Path]
    """A trained decoder's directory."""
    alpha: float = 1.0
    """Share of the style, in [0, 1]."""
    preserve_colour: bool = False
    """Give the style the content's colours first."""


def train(asked: Train) -> int:
    """Trains, and prints the decoder's directory."""
    check_size(asked.image_size)
    store = Store(asked.store)
    store.create()
    settle(store)
    chosen = choose(store, asked)
    decoder = Decoder(
        collection=chosen[1].key,
        weights=artefact(asked.weights),
        **{
            name: getattr(asked, name)
            for name in (
                "image_size", "style_weight", "identity_weight", "learning_rate", "batch_size", "iterations",
                "checkpoint_every", "seed", "precision",
            )
        },
    )  # fmt: skip
    return carry_out(store, chosen, decoder, [asked.weights])


def stylise(asked: Stylise) -> int:
    """Writes one picture."""
    check_file(asked.out, ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
    from PIL import Image

    from keras_art.pictures.images import Unreadable, load_photo

    try:
        content, style = (load_photo(path, asked.longest_side) for path in (asked.content, asked.style))
    except Unreadable as error:
        raise UserError(f"{asked.content} and {asked.style} must both be pictures: {error}") from error
    terminal.start_backend()
    from keras_art.methods.adain import networks, stylising

    both = networks.load_networks(asked.decoder)
    picture = stylising.stylise(*both, content, style, alpha=asked.alpha, preserve_colour=asked.preserve_colour)
    with replacing(asked.out, asked.out.suffix) as part:
        Image.fromarray(picture).save(part)
    terminal.say(f"{asked.out}: {picture.shape[1]} x {picture.shape[0]} pixels")
    return 0


def collection(asked: Whole) -> int:
    """Stylises, and prints the directory with the class folders and `provenance.csv`."""
    if not 0 <= asked.alpha <= 1:
        raise UserError(f"--alpha lies in [0, 1], not {asked.alpha}")
    check_size(asked.image_size)
    decoder = given_run(asked.decoder, Decoder)
    store = Store(asked.store)
    store.create()
    settle(store)
    keep_files(store, [str(asked.decoder)])
    chosen = choose(store, asked)
    stylised = Stylised(
        collection=chosen[1].key,
        target=chosen[1].target,
        image_size=asked.image_size,
        decoder=decoder.ref,
        alpha=asked.alpha,
        preserve_colour=asked.preserve_colour,
        seed=asked.seed,
        precision=asked.precision,
    )
    return carry_out(store, chosen, stylised)


def choose(store: Store, asked: Source) -> tuple[Collection | None, Choice]:
    """The images that are asked for, not yet opened."""
    from keras_art.data.opening import open_choice

    return open_choice(store, asked.data, asked.root, asked.target, split_seed=asked.split_seed, limit=asked.limit)


def carry_out(store: Store, chosen: tuple[Collection | None, Choice], run: Run, files: Sequence[str] = ()) -> int:
    """Computes a run where it is missing, and prints where it is.

    Args:
        files: words that name what it begins with.
    """
    _, choice = chosen
    (*_, run) = precisions.settled(store, [run])
    missing = [one for one in ordered(store, [run]) if store.metrics(one) is None]
    if missing:
        estimate = Estimate(store, {choice.key: len(choice.images)})
        terminal.say(plan(store, missing, estimate))
        with files_kept(store, files):
            prepare(store, {"target": chosen}, missing)
        workers.compute(store, missing, estimate.seconds)
    print(store.directory(run))
    return 0


VERBS: dict[str, tuple[Any, Any]] = {
    "train": (Train, train),
    "stylise": (Stylise, stylise),
    "collection": (Whole, collection),
}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or argv[0] not in VERBS:
        print(flags.fitted(__doc__ or ""))
        return 0 if argv[:1] in (["--help"], ["-h"]) else 2
    kind, command = VERBS[argv[0]]
    asked = flags.read(kind, argv[1:], prog=f"{PROG} {argv[0]}", description=kind.__doc__ or "")
    return terminal.guarded(lambda: command(asked), f"{PROG} {argv[0]}", trains=command is train)

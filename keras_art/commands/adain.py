"""Style transfer by adaptive instance normalisation.

python -m keras_art adain train --data FOLDER_OR_CSV --target LABEL        # a decoder, from the train split
python -m keras_art adain stylise DECODER CONTENT STYLE --out OUT.png      # one picture in the style of another
python -m keras_art adain collection DECODER --data FOLDER_OR_CSV --target LABEL   # a train split, class by class

DECODER is the directory that `train` prints.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.methods.adain.kinds import Decoder, Stylised, check_size
from keras_art.store import runs
from keras_art.study import plan as study_

if TYPE_CHECKING:
    from keras_art.data.choices import Choice

PROG = "python -m keras_art adain"


@dataclass(frozen=True)
class Source:
    """The images."""

    data: str
    """A card's name, a CSV, a folder with labels.csv, or a folder of class folders."""
    target: str | None = None
    """The label column. May be left out when there is only one."""
    root: str | None = None
    """Folder that holds the cards' collections. Default: $KERAS_ART_DATA."""
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


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Whole(Source):
    """The train split class by class, content and style drawn within the class."""

    decoder: tyro.conf.Positional[Path] = Path()
    """A trained decoder's directory."""
    alpha: float = 1.0
    """Share of the style, in [0, 1]."""
    preserve_colour: bool = False
    """Give the style the content's colours first."""


def train(asked: Train) -> int:
    """Trains, and prints the decoder's directory."""
    check_size(asked.image_size)
    store = runs.Store(asked.store)
    store.create()
    study_.keep_files(store, [asked.weights])
    choice = prepared(store, asked)
    config = Decoder(
        collection=choice.key,
        image_size=asked.image_size,
        weights=study_.named(asked.weights),
        style_weight=asked.style_weight,
        identity_weight=asked.identity_weight,
        learning_rate=asked.learning_rate,
        batch_size=asked.batch_size,
        iterations=asked.iterations,
        checkpoint_every=asked.checkpoint_every,
        seed=asked.seed,
    )
    from keras_art.methods.adain import training

    carry_out(store, config, training.train)
    return 0


def stylise(asked: Stylise) -> int:
    """Writes one picture."""
    from PIL import Image

    from keras_art.pictures.images import Unreadable, load_photo

    try:
        content, style = (load_photo(path, asked.longest_side) for path in (asked.content, asked.style))
    except Unreadable as error:
        raise UserError(f"{asked.content} and {asked.style} must both be pictures: {error}") from error
    terminal.start_backend()
    from keras_art.methods.adain import stylising

    networks = stylising.load_networks(asked.decoder)
    picture = stylising.stylise(*networks, content, style, alpha=asked.alpha, preserve_colour=asked.preserve_colour)
    Image.fromarray(picture).save(asked.out)
    terminal.say(f"{asked.out}: {picture.shape[1]} x {picture.shape[0]} pixels")
    return 0


def collection(asked: Whole) -> int:
    """Stylises, and prints the directory with the class folders and `provenance.csv`."""
    if not 0 <= asked.alpha <= 1:
        raise UserError(f"--alpha lies in [0, 1], not {asked.alpha}")
    check_size(asked.image_size)
    config = asked.decoder / "config.json"
    if not config.is_file():
        raise UserError(f"{asked.decoder} is no decoder's directory: make one with {PROG} train")
    store = runs.Store(asked.store)
    store.create()
    choice = prepared(store, asked)
    stylised = Stylised(
        collection=choice.key,
        target=choice.target,
        image_size=asked.image_size,
        decoder=runs.digest(Decoder(**json.loads(config.read_text()))),
        alpha=asked.alpha,
        preserve_colour=asked.preserve_colour,
        seed=asked.seed,
    )
    from keras_art.methods.adain import stylising

    carry_out(store, stylised, stylising.stylise_split)
    return 0


def prepared(store: runs.Store, asked: Source) -> Choice:
    """The images, read and split."""
    from keras_art.data.kept import open_choice

    found, choice = open_choice(
        store, asked.data, asked.root, asked.target, split_seed=asked.split_seed, limit=asked.limit
    )
    terminal.start_backend()
    from keras_art.data import tasks

    with terminal.bar(f"reading {choice.name} at {asked.image_size} pixels", "images") as progress:
        tasks.prepare(store, found, choice, asked.image_size, "squash", progress)
    terminal.say(tasks.describe(store, choice.key))
    return choice


def carry_out(store: runs.Store, config: Decoder | Stylised, how: Any) -> None:
    """Runs what is missing, and prints where it is."""
    one = functools.partial(how, store, tell=terminal.Clock([1.0]).tell)
    runs.execute(store, [config], one, lambda config: terminal.say(f"waiting for another process: {config}"))
    print(store.directory(config))


VERBS: dict[str, tuple[Any, Any]] = {
    "train": (Train, train),
    "stylise": (Stylise, stylise),
    "collection": (Whole, collection),
}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or argv[0] not in VERBS:
        print(__doc__)
        return 0 if argv[:1] in (["--help"], ["-h"]) else 2
    kind, command = VERBS[argv[0]]
    asked = terminal.read(kind, argv[1:], prog=f"{PROG} {argv[0]}", description=kind.__doc__ or "")
    return terminal.guarded(lambda: command(asked), f"{PROG} {argv[0]}")

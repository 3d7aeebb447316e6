"""What `map` and `neighbours` share: by what pictures are looked at, and a collection's pictures once they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from keras_art import terminal
from keras_art.commands import flags
from keras_art.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.data.collection import Collection
    from keras_art.learning.descriptions import Describer, Description
    from keras_art.store.runs import Store

DEFAULT = "EfficientNetB0"  # small, and as good a judge of likeness as larger ones


@dataclass(frozen=True)
class Looking:
    """How pictures are looked at."""

    run: tuple[Path, ...] = ()
    """A finished run's directory, or its model: by what it has learnt."""
    backbone: tuple[str, ...] = ()
    """A network of keras.applications with ImageNet weights, or a .keras file: by what it knows of pictures.
    Default, without --run: EfficientNetB0."""
    preprocessing: tuple[Literal["imagenet", "unit", "caffe", "tf", "torch", "none"], ...] = ("imagenet",)
    """Which pixels a .keras file takes: one word, or one for each --backbone; a network of keras.applications knows its
    own (imagenet)."""
    image_size: int = 224
    """Of a backbone, in pixels; a run knows its own."""
    resize: flags.Resize = "squash"
    """How pictures become square for a backbone."""
    root: str | None = None
    """Folder that holds the cards' collections, or a table's pictures. Default: $KERAS_ART_DATA; beside the table."""
    store: str = "runs"
    """Folder for decoded pictures and their features, computed once; and of the choice that DATA names."""
    max_pixels: int = 0
    """As in a study."""


def describers(asked: Looking, store: Store) -> list[Describer]:
    """The runs, then the backbones.

    Raises:
        UserError: one of them can not be used.
    """
    from keras_art.learning.descriptions import of_backbone, of_run

    if asked.image_size < 1:
        raise UserError("--image_size is at least 1")
    networks = asked.backbone or (() if asked.run else (DEFAULT,))
    for given in (asked.run, asked.backbone):
        if len(set(given)) < len(given):
            raise UserError(f"{next(one for one in given if given.count(one) > 1)} is given twice")
    modes = asked.preprocessing * len(networks) if len(asked.preprocessing) == 1 else asked.preprocessing
    if len(modes) != len(networks):
        raise UserError(
            f"--preprocessing has {len(modes)} words for {len(networks)} backbones: give one, or one for each"
        )
    return [
        *(of_run(store, path) for path in asked.run),
        *(
            of_backbone(store, name, asked.image_size, asked.resize, mode)
            for name, mode in zip(networks, modes, strict=True)
        ),
    ]


def pictures(asked: Looking, store: Store, data: str) -> tuple[Collection, list[str] | None]:
    """A collection, and what each of its pictures holds where a choice of the store knows it.

    Raises:
        UserError: as `opening.open_collection`, or it has no pictures.
    """
    from keras_art.data.kept import task_of
    from keras_art.data.opening import held, open_collection

    collection = open_collection(store, data, asked.root)
    if not len(collection.images):
        raise UserError(f"{collection.name} has no pictures that can be used: doctor check {data} says why")
    return collection, task_of(store, data)[1] if held(store, data) else None


@dataclass(frozen=True)
class Seen:
    """Those pictures of a collection that can be read, and what each describer sees in them.

    Attributes:
        collection: with these pictures alone.
        scan: of each, as `descriptions.scanned` has it, at the first describer's size.
        known: of each, as `pictures` has it.
        descriptions: of each describer.
        unreadable: path and reason of the others.
    """

    collection: Collection
    scan: pd.DataFrame
    known: list[str] | None
    descriptions: list[Description]
    unreadable: list[tuple[str, str]]


def look(store: Store, collection: Collection, known: list[str] | None, by: list[Describer]) -> Seen:
    """Decodes and describes; says how many pictures can not be read.

    Raises:
        UserError: none can.
    """
    import numpy as np

    from keras_art.learning.descriptions import described, scanned

    scans = [scanned(store, collection.paths(), known, one.image_size, one.resize) for one in by]
    good = np.all([scan["row"] >= 0 for scan in scans], axis=0)
    bad = [
        (path, next(filter(None, reasons)))
        for path, fine, *reasons in zip(collection.paths(), good, *(scan["reason"] for scan in scans), strict=True)
        if not fine
    ]
    if bad:
        terminal.say(f"{len(bad):,} of {len(good):,} pictures can not be read, first {bad[0][0]} ({bad[0][1]})")
    if not good.any():
        raise UserError(f"none of the pictures of {collection.name} can be read")
    kept = [scan[good].reset_index(drop=True) for scan in scans]
    descriptions = [described(store, one, scan) for one, scan in zip(by, kept, strict=True)]
    left = [sha256 for sha256, fine in zip(known, good, strict=True) if fine] if known else None
    return Seen(collection.take(np.flatnonzero(good)), kept[0], left, descriptions, bad)

"""What `map` and `neighbours` share: by what pictures are looked at, and a collection's pictures once they are."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from keras_art import terminal
from keras_art.commands import flags
from keras_art.errors import UserError
from keras_art.study.kinds.classifier import label
from keras_art.writing import is_export

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.data.collection import Collection
    from keras_art.learning.descriptions import Describer, Description
    from keras_art.store.runs import Store
    from keras_art.study.kinds.classifier import ClassifierRun

DEFAULT = "EfficientNetB0"  # small, and as good a judge of likeness as larger ones
IMAGE_SIZE = 224


@dataclass(frozen=True)
class Looking:
    """How pictures are looked at."""

    run: tuple[Path, ...] = ()
    """A finished run's directory, or its model: by what it has learnt."""
    backbone: tuple[str, ...] = ()
    """A network of keras.applications with ImageNet weights, or a .keras file: by what it knows of pictures.
    Default, without --run: the network that the store's latest run began with, or EfficientNetB0."""
    preprocessing: tuple[Literal["imagenet", "unit", "caffe", "tf", "torch", "none"], ...] = ()
    """Which pixels a .keras file takes: one word, or one for each --backbone; a network of keras.applications knows its
    own (imagenet, the default)."""
    image_size: int | None = None
    """Of a backbone, in pixels; a run knows its own. Default: 224."""
    resize: flags.Resize | None = None
    """How pictures become square for a backbone. Default: squash."""
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
    from keras_art.learning.descriptions import of_backbone, of_run, of_start
    from keras_art.pictures.images import LARGEST_SIDE
    from keras_art.study.sizes import native_size

    if asked.image_size is not None and not 1 <= asked.image_size <= LARGEST_SIDE:
        raise UserError(f"--image_size is from 1 to {LARGEST_SIDE}")
    for given in (asked.run, asked.backbone):
        if len(set(given)) < len(given):
            raise UserError(f"{next(one for one in given if given.count(one) > 1)} is given twice")
    if not (asked.run or asked.backbone) and (start := usual(store)):
        told: dict[str, Any] = {"image_size": asked.image_size, "resize": asked.resize}
        told["preprocessing"] = asked.preprocessing[0] if asked.preprocessing else None
        run = dataclasses.replace(start, **{name: value for name, value in told.items() if value is not None})
        terminal.say(f"by {label(run.network)}, which a run of {store.root} began with: --backbone chooses another")
        return [of_start(store, run)]
    networks = asked.backbone or (() if asked.run else (DEFAULT,))
    modes = asked.preprocessing or ("imagenet",)
    modes = modes * len(networks) if len(modes) == 1 else modes
    if len(modes) != len(networks):
        raise UserError(
            f"--preprocessing has {len(modes)} words for {len(networks)} backbones: give one, or one for each"
        )
    resize = asked.resize or "squash"

    def size(network: str) -> int:  # a network that was exported takes pictures of no other
        return asked.image_size or (native_size(network) if is_export(Path(network).expanduser()) else IMAGE_SIZE)

    return [
        *(of_run(store, path) for path in asked.run),
        *(of_backbone(store, name, size(name), resize, mode) for name, mode in zip(networks, modes, strict=True)),
    ]


def usual(store: Store) -> ClassifierRun | None:
    """The released network that the latest finished run of a store began with, as it was given its pictures."""
    from keras_art.study.config import kinds
    from keras_art.study.kinds.classifier import ClassifierRun, NetworkRun
    from keras_art.study.records import read_run

    folders = [path.parent for kind in kinds() for path in (store.root / kind).glob("*/metrics.json")]
    for folder in sorted(folders, key=lambda path: (path / "metrics.json").stat().st_mtime, reverse=True):
        try:
            run = read_run(folder)
        except UserError:  # `store check` names it
            continue
        if isinstance(run, NetworkRun) and run.weights in ("imagenet", "own"):
            same = ("network", "weights", "preprocessing", "image_size", "resize")
            return ClassifierRun(**{name: getattr(run, name) for name in same})
    return None


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

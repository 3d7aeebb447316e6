"""Pictures in the style of others: one, or a whole train split class by class."""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import ops
from PIL import Image

from keras_art.data import tasks
from keras_art.errors import UserError
from keras_art.learning import training
from keras_art.methods.adain import networks
from keras_art.methods.adain.pairs import confused_with, draw_pairs, lonely
from keras_art.networks.layers import check_shape
from keras_art.pictures.colours import is_blank, recolour
from keras_art.pictures.images import is_whole_jpeg
from keras_art.pictures.quality import is_blurred
from keras_art.store.runs import Store
from keras_art.study.kinds.adain import MINIMUM_SIZE, STRIDE, Stylised
from keras_art.terminal import Tell
from keras_art.writing import csv_text, replacing, write

JPEG_QUALITY = 95


def stylise(
    encoder: keras.Model,
    decoder: keras.Model,
    content: np.ndarray,
    style: np.ndarray,
    *,
    alpha: float = 1.0,
    preserve_colour: bool = False,
) -> np.ndarray:
    """One picture in the style of another.

    Args:
        content: (height, width, 3) uint8.
        style: (height, width, 3) uint8, of any other size.
        alpha: share of the style, in [0, 1].
        preserve_colour: give the style the content's colours first.

    Returns:
        (height, width, 3) uint8, of the content's size.

    Raises:
        UserError: a picture is smaller than the encoder's minimum, or alpha outside [0, 1].
        ValueError: a picture that is not (height, width, 3).

    >>> from keras_art.atelier import paint
    >>> encoder = networks.make_encoder(keras.applications.VGG19(include_top=False, weights=None))
    >>> decoder = networks.make_decoder()  # before its training: `examples/adain_between_two_pictures.py`
    >>> pictures = [paint(index, image_size=size)[0] for index, size in enumerate((48, 64))]
    >>> stylise(encoder, decoder, *pictures, alpha=0.7).shape
    (48, 48, 3)
    """
    if not 0 <= alpha <= 1:
        raise UserError(f"alpha lies in [0, 1], not {alpha}")
    for what, picture in (("content", content), ("style", style)):
        check_shape(f"the {what}", picture, ("height", "width", 3))
        if min(picture.shape[:2]) < MINIMUM_SIZE:
            raise UserError(
                f"the {what} of {picture.shape[0]} x {picture.shape[1]} pixels is too small for AdaIN's encoder, which "
                f"needs {MINIMUM_SIZE} each way: take a larger picture"
            )
    if preserve_colour:
        style = recolour(style, content)
    height, width = content.shape[:2]
    # What pooling would cut off is mirrored on and taken off again.
    padding = [(0, -side % STRIDE) for side in (height, width)]
    padded = np.pad(content, [*padding, (0, 0)], mode="reflect")
    share = np.full((1, 1, 1, 1), alpha, np.float32)
    return _pixels(_stylist(encoder, decoder).predict_on_batch((padded[None], style[None], share)))[0, :height, :width]


@functools.lru_cache(1)
def _stylist(encoder: keras.Model, decoder: keras.Model) -> networks.Stylist:
    """The same for all pictures of a command: it is traced once."""
    return networks.Stylist(encoder, decoder)


def _pixels(outputs: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(outputs, 0, 255)).astype(np.uint8)


def stylise_pairs(
    encoder: keras.Model,
    decoder: keras.Model,
    pixels: np.ndarray,
    pairs: pd.DataFrame,
    *,
    alpha: float = 1.0,
    preserve_colour: bool = False,
    batch_size: int = 8,
    progress: Callable[[int, int], None] = lambda done, all: None,
) -> None:
    """Writes a JPEG for every pair, batch by batch; a batch whose files are all there is left as it is.

    Within a class every image is encoded once, whatever its roles and however often it was drawn; with
    `preserve_colour` a style looks different to each content and is encoded for each. The batches are the same however
    many files are there, and with them the last digit of what the networks say.

    Args:
        pixels: (n, size, size, 3) uint8.
        pairs: `content` and `style`, rows of `pixels`; `label`, their class; and `path`, where the picture goes.
    """
    deep = keras.Model(encoder.input, encoder.outputs[-1])
    done = 0
    for _, group in pairs.groupby("label", sort=False):
        batches = [group.iloc[start : start + batch_size] for start in range(0, len(group), batch_size)]
        todo = [batch for batch in batches if not all(is_whole_jpeg(Path(path)) for path in batch["path"])]
        done += len(group) - sum(map(len, todo))
        if not todo:
            continue
        contents = np.unique(group["content"])
        styles = np.unique(group["style"])
        shape = (len(contents), pixels.shape[1] // STRIDE, pixels.shape[2] // STRIDE, 512)
        means, deviations = np.empty((2, len(styles), 1, 1, 512), np.float32)
        with tempfile.TemporaryFile() as file:  # as large as a class's maps, which memory may not be
            maps = np.memmap(file, np.float32, "w+", shape=shape)
            used = contents if preserve_colour else np.union1d(contents, styles)
            for start in range(0, len(used), batch_size):
                images = used[start : start + batch_size]
                encoded = deep.predict_on_batch(pixels[images])
                as_content, as_style = np.isin(images, contents), np.isin(images, styles)
                maps[np.searchsorted(contents, images[as_content])] = encoded[as_content]
                if not preserve_colour:
                    places = np.searchsorted(styles, images[as_style])
                    means[places], deviations[places] = _statistics(encoded[as_style])
            for batch in todo:
                if preserve_colour:
                    looks = [
                        recolour(pixels[s], pixels[c]) for c, s in zip(batch["content"], batch["style"], strict=True)
                    ]
                    style = _statistics(deep.predict_on_batch(np.stack(looks)))
                else:
                    places = np.searchsorted(styles, batch["style"])
                    style = means[places], deviations[places]
                content = maps[np.searchsorted(contents, batch["content"])]
                target = ops.convert_to_numpy(networks.adain(content, style, alpha))
                for path, picture in zip(batch["path"], _pixels(decoder.predict_on_batch(target)), strict=True):
                    save(picture, Path(path))
                done += len(batch)
                progress(done, len(pairs))


def _statistics(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, deviation = networks.statistics(maps)
    return ops.convert_to_numpy(mean), ops.convert_to_numpy(deviation)


def save(picture: np.ndarray, path: Path) -> None:
    """Writes a picture as a JPEG, by rename."""
    with replacing(path, durable=False) as part:
        Image.fromarray(picture).save(part, "JPEG", quality=JPEG_QUALITY)


@dataclass(frozen=True)
class Labelled:
    """The images of a train split and no others.

    Attributes:
        pixels: (n, size, size, 3) uint8.
        ids: n ids.
        labels: (n,) indices into `classes`.
        classes: their names.
        styles_of: as of `draw_pairs`.
    """

    pixels: np.ndarray
    ids: Sequence[str]
    labels: np.ndarray
    classes: Sequence[str]
    styles_of: Mapping[int, int] = field(default_factory=dict)


def stylise_classes(
    encoder: keras.Model,
    decoder: keras.Model,
    images: Labelled,
    folder: Path,
    *,
    alpha: float = 1.0,
    preserve_colour: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, all: None,
) -> pd.DataFrame:
    """Stylises images class by class into class folders, one output per image; goes on where it was stopped.

    Args:
        folder: gets `NUMBER-CLASS/NUMBER.jpg` and, last, `provenance.csv`.

    Returns:
        The provenance: `output` (relative to `folder`), `class`, `content`, `style` (ids), `alpha`.
    """
    pairs = draw_pairs(images.labels, seed, images.styles_of)
    number = pairs.groupby("label").cumcount()
    outputs = [f"{label:03d}/{n:05d}.jpg" for label, n in zip(pairs["label"], number, strict=True)]
    stylise_pairs(
        encoder,
        decoder,
        images.pixels,
        pairs.assign(path=[str(folder / output) for output in outputs]),
        alpha=alpha,
        preserve_colour=preserve_colour,
        progress=progress,
    )
    provenance = pd.DataFrame(
        {
            "output": outputs,
            "class": [images.classes[label] for label in pairs["label"]],
            "content": [images.ids[row] for row in pairs["content"]],
            "style": [images.ids[row] for row in pairs["style"]],
            "alpha": alpha,
        }
    )
    write(folder / "provenance.csv", csv_text(provenance))
    return provenance


def stylise_split(store: Store, run: Stylised, folder: Path, tell: Tell) -> dict[str, Any]:
    """Stylises the train split of a collection, and no other image, as `stylise_classes` does.

    Of the mode `between_classes` a class takes its styles from the class that `run.classifier` confuses it with most.
    """
    started = time.monotonic()
    training.make_deterministic(run.seed)  # by the same operations, whether this process trained the decoder or not
    ready = tasks.load(store, run.collection, run.image_size, run.resize)
    train = ready.part("train")
    labels = ready.task.images["label"].to_numpy()[train]
    styles_of = confused_with(store, run.classifier, ready) if run.classifier else {}
    provenance = stylise_classes(
        *networks.computing(*networks.load_networks(store.find(run.decoder)), run.precision),
        Labelled(
            ready.pixels[ready.rows[train]],
            ready.task.images["id"].iloc[train].tolist(),
            labels,
            ready.task.classes,
            styles_of,
        ),
        folder,
        alpha=run.alpha,
        preserve_colour=run.preserve_colour,
        seed=run.seed,
        progress=lambda done, all: tell(f"stylised {done:,} of {all:,} images", done / all),
    )
    outputs = [folder / output for output in provenance["output"]]
    blank, blurred = sum(map(is_blank, outputs)), sum(map(is_blurred, outputs))
    facts = {"status": "ok", "n": len(provenance), "n_images": ready.task.size, "n_blank": blank, "n_blurred": blurred}
    facts["seconds"] = round(time.monotonic() - started, 2)
    notes = []
    names = ready.task.classes
    if pairs := [f"{names[a]} and {names[b]}" for a, b in styles_of.items() if a < b]:
        notes.append(f"styles changed between what validation confuses most: {', '.join(pairs)}")
    # Some blurs may be of pictures without detail; a decoder that has not learnt to paint makes most of them.
    shown = {"show next to nothing, one grey or colour": blank, "are blurred": blurred * (blurred > len(outputs) / 2)}
    notes += [
        f"{count:,} of {len(outputs):,} stylised images {what}: look at them, and at the decoder's samples; a decoder "
        f"trained for longer paints"
        for what, count in shown.items()
        if count
    ]
    if alone := lonely(labels, ready.task.classes):
        notes.append(f"one train image each, which can only style itself: {', '.join(alone)}")
    return {**facts, "notes": notes} if notes else facts

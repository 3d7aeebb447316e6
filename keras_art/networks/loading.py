"""A trained classifier as one `.keras` file that knows its classes, and what it says of a folder of pictures."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.writing import replacing

if TYPE_CHECKING:
    import keras
    import pandas as pd

CARD = "keras_art.json"  # a further member of the archive; Keras reads its own three and passes it over
CHUNK = 256  # pictures decoded at a time


def save(
    model: keras.Model,
    path: Path,
    *,
    classes: Mapping[str, Sequence[str]],
    preprocessing: str,
    resize: str,
    metrics: Mapping[str, Any],
) -> None:
    """Writes a model that takes raw pixels, without its optimizer, with what is needed to use it; by rename.

    `keras.saving.load_model` reads the file as any other.

    Args:
        model: pixels (batch, size, size, 3) in [0, 255] -> task -> probabilities; preprocessing is a layer of it.
        classes: task -> class names, in the order of the probabilities.
        preprocessing: the mode of that layer.
        resize: how pictures became square.
        metrics: what it measured.
    """
    card = {"classes": {task: list(names) for task, names in classes.items()}, "preprocessing": preprocessing}
    card |= {"resize": resize, "image_size": model.input.shape[1], "metrics": dict(metrics)}
    with replacing(path, ".keras") as part:
        model.save(part)
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(CARD, json.dumps(card, indent=1, ensure_ascii=False))


def read_card(path: Path) -> dict[str, Any]:
    """What `save` wrote beside the model.

    Raises:
        UserError: the file is absent, no `.keras` file, or one that does not know its classes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(CARD))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: a finished run has its model in model.keras") from None
    except (zipfile.BadZipFile, KeyError, IsADirectoryError) as error:
        raise UserError(f"{path} is no exported classifier: it does not say its classes ({error})") from error


@dataclass(frozen=True)
class Predict:
    """Classifies new pictures with an exported model."""

    model: tyro.conf.Positional[Path]
    """model.keras of a finished run, or the run's directory."""
    folder: tyro.conf.Positional[Path]
    """Pictures, searched in depth."""
    out: Path = Path("predictions.csv")
    """One row per picture: its path, and for every task the class, its probability, and the five likeliest."""
    saliency: Path | None = None
    """Folder for pictures with what the network looks at laid over them (VisualBackProp)."""


def command(asked: Predict) -> int:
    """Writes `--out`, and beside it what could not be read; returns the exit status.

    Raises:
        UserError: the folder is absent, the model is none, or it has no maps to overlay.
    """
    from keras_art.commands.predict import hand_over

    path = asked.model / "model.keras" if asked.model.is_dir() else asked.model
    read_card(path)
    if not asked.folder.is_dir():
        raise UserError(f"{asked.folder} is no folder")
    terminal.start_backend()
    with terminal.bar("classifying", "images") as progress:
        found, unreadable = predict(path, asked.folder, asked.saliency, progress)
    return hand_over(found, unreadable, asked.out)


def predict(path: Path, folder: Path, saliency: Path | None, progress: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What an exported classifier says of every picture below a folder.

    Returns:
        One row per readable picture: `id`, then for each task `TASK`, `TASK_probability`, `TASK_class_1`, ...; and one
        per unreadable one: `path`, `reason`.

    Raises:
        UserError: `saliency` is asked of a network without maps.
        BadCollection: the folder holds no images.
    """
    import keras
    import numpy as np
    import pandas as pd

    from keras_art.data.sources import list_images
    from keras_art.pictures.images import Unreadable, decode
    from keras_art.report import metrics

    card = read_card(path)
    model = keras.saving.load_model(path, compile=False)
    paths = list_images(folder)
    look = _saliency_of(model) if saliency else None
    tables, unreadable = [], []
    for start in range(0, len(paths), CHUNK):
        ids, pixels = [], []
        for picture in paths[start : start + CHUNK]:
            try:
                pixels.append(decode(picture, card["image_size"], card["resize"])[0])
                ids.append(picture.relative_to(folder).as_posix())
            except Unreadable as error:
                unreadable.append((str(picture), str(error)))
        progress(min(start + CHUNK, len(paths)), len(paths))
        if not ids:
            continue
        images = np.stack(pixels)
        outputs = model.predict(images, batch_size=32, verbose=0)
        columns = [pd.DataFrame({"id": ids})]
        for task, classes in card["classes"].items():
            table = metrics.predictions(ids, outputs[task], classes).drop(columns="id")
            names = {"predicted": task, "probability": f"{task}_probability"}
            columns.append(table.rename(columns=lambda name, names=names, task=task: names.get(name, f"{task}_{name}")))
        tables.append(pd.concat(columns, axis=1))
        if saliency and look:
            _overlay(look(images), [folder / id_ for id_ in ids], ids, saliency)
    found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"id": []})
    return found, pd.DataFrame(unreadable, columns=["path", "reason"])


def _saliency_of(model: keras.Model) -> Any:
    """Pixels (n, size, size, 3) -> VisualBackProp's maps (n, size, size) of a classifier's backbone."""
    import keras

    from keras_art.networks.backbones import stage_taps
    from keras_art.networks.saliency import visual_backprop

    preprocessing = model.get_layer("preprocessing")
    network = next(layer for layer in model.layers if isinstance(layer, keras.Model) and layer.name != "augmentation")
    last = network.outputs[-1]
    if len(last.shape) != 4:
        raise UserError(f"--saliency reads the maps of a convolutional network, and {network.name} has none")
    network = keras.Model(network.inputs[0], last)
    return lambda images: visual_backprop(
        network, stage_taps(network), keras.ops.convert_to_numpy(preprocessing(images))
    )


def _overlay(maps: Any, paths: Sequence[Path], ids: Sequence[str], folder: Path) -> None:
    from PIL import Image

    from keras_art.networks.saliency import overlay
    from keras_art.pictures.images import load_photo

    for path, id_, shown in zip(paths, ids, maps, strict=True):
        with replacing(folder / f"{id_}.png") as part:
            Image.fromarray(overlay(load_photo(path, 512), shown)).save(part, "PNG")

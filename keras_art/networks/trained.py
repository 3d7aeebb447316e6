"""A trained model as one file: a `.keras` archive whose card says what it takes, what it says, and where it is from.

    card = ModelCard({"style": names}, "caffe", "squash", 224, metrics, provenance(dataclasses.asdict(run)))
    save(model, folder / "model.keras", card)
    read_card(folder / "model.keras").classes["style"]

Keras reads its own three members of the archive and passes `keras_art.json` over: `keras.saving.load_model` opens the
file as any other, and where `portable.keras_layers_only` could say the model in Keras's own layers, without keras_art.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from keras_art.networks.layers import Preprocessing
from keras_art.networks.loading import CARD, BadModel
from keras_art.networks.portable import in_two_models, is_ours, keras_layers_only
from keras_art.pictures.images import LARGEST_SIDE, RESIZE
from keras_art.store import plain
from keras_art.version import __version__
from keras_art.writing import finite, replacing

FORMAT = 1
LARGEST = 16 << 20  # bytes of a card: a hundred thousand class names are a tenth of that
DEEPEST = 32  # objects and lists within each other
# Of the archive, or of the JSON in it: one nested without end is a RecursionError.
DAMAGE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class ModelCard:
    """What a person or a program must know to use a model.

    Attributes:
        classes: task -> class names, in the order of the model's probabilities; for a clustering, the clusters' names.
            The model's output is a dict with each task's probabilities (batch, classes), or, where there is one task,
            that tensor, alone or as the first of a list.
        preprocessing: the mode of `Preprocessing` within the model (for a head, within its network): the model
            itself takes RGB in [0, 255], (batch, image_size, image_size, 3), or the middle `crop` of that.
        resize: how pictures became square, a name in `images.RESIZE`.
        image_size: side of the pictures, in pixels.
        metrics: what it measured; numbers that are not finite become null.
        provenance: see `provenance`.
        crop: side of the middle that is cut out of a picture, in pixels; the model takes that (0: the whole picture).
        margins: its outputs are margins of a support vector machine, of which a softmax makes shares.
        network: of a head on features, which network they come from, as its run names it: `network`, `weights`,
            `preprocessing`, `frozen_bn`, `bn_momentum`, `seed`, `precision`. None: the model is whole.
        calibration: task -> what `report.calibration` has measured of its probabilities, the temperature among it. It
            travels with the model; a card written before there was any has none.
    """

    classes: Mapping[str, Sequence[str]]
    preprocessing: str
    resize: str
    image_size: int
    metrics: Mapping[str, Any]
    provenance: Mapping[str, Any]
    crop: int = 0
    margins: bool = False
    network: Mapping[str, Any] | None = None
    calibration: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)


FIELDS = [field.name for field in dataclasses.fields(ModelCard)]


def provenance(config: Mapping[str, Any]) -> dict[str, Any]:
    """Where a model comes from: the version of keras_art, the run's configuration as it stands, and the day, in UTC."""
    now = datetime.datetime.now(datetime.UTC)
    return {"keras_art": __version__, "date": now.isoformat(timespec="seconds"), "config": dict(config)}


def save(model: keras.Model, path: Path, card: ModelCard) -> None:
    """Writes a model without its optimizer, and its card, by rename; in Keras's own layers where they can say it.

    Args:
        model: functional, or of a class of ours; one of ours is saved as it is, so hand over an uncompiled one.
        path: ends in `.keras`; its folder is made.

    Raises:
        BadModel: the card does not fit: `read_card` would refuse it; or two models within this one share a layer.
    """
    text = json.dumps(finite({"format": FORMAT, **dataclasses.asdict(card)}), indent=1, ensure_ascii=False)
    if problem := _problem(json.loads(text)):
        raise BadModel(f"{path} can not be saved with this card: {problem}")
    if not is_ours(model) and (found := in_two_models(model)):
        layer, models = found
        raise BadModel(
            f"{path} can not be saved: models {models[0]!r} and {models[1]!r} in it share the layer {layer.name!r}, "
            f"which no .keras file can say: give each a layer of its own, or make one model of both, with two outputs"
        )
    kept = keras_layers_only(model)
    if kept is None:
        kept = model if is_ours(model) else keras.Model(model.input, model.output, name=model.name)
    with replacing(path, ".keras") as part:
        kept.save(part)
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(CARD, text)


def read_card(path: Path) -> ModelCard:
    """What `save` wrote beside a model.

    Args:
        path: a `.keras` file.

    Raises:
        BadModel: the file is absent, no `.keras` file, one without a card, or the card is damaged or absurd.
    """
    try:
        with plain.opened(path) as file, zipfile.ZipFile(file) as archive:
            if (claimed := archive.getinfo(CARD).file_size) > LARGEST:
                found, problem = {}, f"it claims {claimed:,} bytes"
            else:
                found = json.loads(archive.read(CARD))  # which unpacks no more than was claimed
                problem = _problem(found)
    except FileNotFoundError:
        raise BadModel(f"{path} does not exist: a finished run has its model in model.keras") from None
    except KeyError:
        raise BadModel(f"{path} does not say its classes: it is no model that a run of keras_art has trained") from None
    except DAMAGE as error:
        raise BadModel(f"{path} is no whole .keras file ({error}): copy it again, or train it anew") from error
    if problem:
        raise BadModel(f"{path} has a damaged card, {problem}: copy it again, or train it anew")
    return ModelCard(**{name: found[name] for name in FIELDS if name in found})


def _problem(card: Any) -> str:
    """What is wrong with a card, in words; "" for a sound one."""
    if _depth(card) > DEEPEST:
        return f"more than {DEEPEST} objects within each other"
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        return f"its format is not {FORMAT}, the one this keras_art {__version__} reads"
    if absent := [name for name in FIELDS if name not in card and name != "calibration"]:
        return f"it has no {', '.join(absent)}"
    classes, size = card["classes"], card["image_size"]
    if not (isinstance(classes, dict) and classes and all(map(_is_names, classes.values()))):
        return "its classes are no lists of names"
    if card["preprocessing"] not in Preprocessing.MODES:
        return f"its preprocessing is none of {', '.join(Preprocessing.MODES)}"
    if not isinstance(card["resize"], str) or card["resize"] not in RESIZE:
        return f"its resize is none of {', '.join(RESIZE)}"
    if type(size) is not int or not 0 < size <= LARGEST_SIDE:
        return f"its image_size is no number of pixels up to {LARGEST_SIDE}"
    if type(card["crop"]) is not int or not 0 <= card["crop"] <= size:
        return "its crop is no part of its image_size"
    if type(card["margins"]) is not bool or not isinstance(card["network"], dict | None):
        return "its margins or its network are of another type"
    if card["network"] is not None and not {"network", "weights"} <= set(card["network"]):  # which have defaults
        return "it does not say on which network and weights its head stands"
    objects = (card["metrics"], card["provenance"], card["provenance"] and card["provenance"].get("config", {}))
    if not all(isinstance(value, dict) for value in objects):
        return "its metrics or its provenance are no objects"
    if not _is_calibrated(card.get("calibration", {}), classes):
        return "its calibration is none"
    return ""


def _is_calibrated(found: Any, classes: Mapping[str, Any]) -> bool:
    """Whether each task that has something there has a temperature above 0, and is a task."""
    return isinstance(found, dict) and all(
        task in classes
        and isinstance(said, dict)
        and type(said.get("temperature")) is float
        and said["temperature"] > 0
        for task, said in found.items()
    )


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)

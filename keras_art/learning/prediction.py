"""What a trained model says of a folder of pictures, by what its card says of it and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import keras
import numpy as np
import pandas as pd
from PIL import Image

from keras_art.learning import training
from keras_art.learning.weights import load_network
from keras_art.networks import heads
from keras_art.networks.backbones import ends_in_maps, stage_taps
from keras_art.networks.handles import is_here
from keras_art.networks.loading import BadModel, load_model, model_file
from keras_art.networks.saliency import overlay, visual_backprop
from keras_art.networks.trained import ModelCard, read_card
from keras_art.outputs import own_folder
from keras_art.pictures.images import load_photo
from keras_art.pictures.workers import decode_chunks
from keras_art.report import calibration, metrics
from keras_art.store.runs import store_of
from keras_art.study.config import Artefact, RunRef
from keras_art.study.config import read as read_value
from keras_art.study.files import artefact_path
from keras_art.study.kinds.classifier import ClassifierRun
from keras_art.writing import distinct, numbered, replacing, slug

CHUNK = 64  # pictures that a worker decodes at a time, and that the model is asked about at once; fewer of large ones
CHUNK_BYTES = 1 << 28
NOT_CALIBRATED = "not calibrated"
FEW = 2 * CHUNK  # so many are decoded here before other processes would be ready


@dataclass(frozen=True)
class Trained:
    """A model as it can be asked.

    Attributes:
        model: pixels (batch, image_size, image_size, 3) in [0, 255] -> task -> probabilities (batch, classes).
        card: what was saved with it.
    """

    model: keras.Model
    card: ModelCard


def read(path: Path) -> Trained:
    """Opens a trained model.

    Args:
        path: a `.keras` file that `trained.save` wrote, or a run's directory. A whole model needs nothing but its
            file. A head stands on a network: of keras.applications, or a file in `cache/weights` of the store that the
            run's directory stands in.

    Raises:
        BadModel: it can not be opened, its card is not its own or damaged, or a head's network is not there.
        BadBackbone: a head's network can not be built.
    """
    file = model_file(path)
    card = read_card(file)
    if damaged := [task for task, said in card.calibration.items() if not calibration.is_calibration(said)]:
        raise BadModel(
            f"{file} has a damaged card, its calibration of {damaged[0]} is none: copy it again, or train it anew"
        )
    model = load_model(file)
    inputs, outputs = model.input, model.output
    if card.network is not None:
        inputs, outputs = _on_network(file, card, model)
    side = card.crop or card.image_size
    if any(length not in (None, side) for length in inputs.shape[1:3]):
        raise BadModel(f"{file} has a card of another model: it says {side} pixels, and this takes {inputs.shape[1]}")
    if not isinstance(outputs, dict):
        outputs = {next(iter(card.classes)): keras.tree.flatten(outputs)[0]}
    for task, names in card.classes.items():
        if task not in outputs or outputs[task].shape[1:] != (len(names),):
            raise BadModel(f"{file} has a card of another model: it does not give {len(names)} classes of {task}")
        if card.margins:
            outputs[task] = keras.ops.softmax(outputs[task])
    return Trained(keras.Model(inputs, {task: outputs[task] for task in card.classes}), card)


def _on_network(file: Path, card: ModelCard, head: keras.Model) -> tuple[Any, Any]:
    """A head on the network that it was trained on: pixels, and what the head says of their features."""
    store = store_of(file)
    try:
        given = {name: read_value(value) for name, value in (card.network or {}).items()}
        run = ClassifierRun(**given, image_size=card.image_size, resize=card.resize)
    except (TypeError, ValueError, KeyError) as error:
        raise BadModel(f"{file} has a damaged card, its network is {card.network}: train it anew") from error
    if isinstance(run.network, str) and not is_here(run.network):
        raise BadModel(
            f"{file} is a head alone, and stands on {run.network}, which is not on this machine and is downloaded for "
            f"nobody but who names it: python -m keras_art map PICTURES --backbone {run.network} does"
        )
    for kept in (run.network, run.weights):
        if isinstance(kept, Artefact) and not artefact_path(store, kept).exists():
            raise BadModel(
                f"{file} is a head alone, and {kept}, which it stands on, is not in {store.root}/cache/weights: ask "
                f"the run within its store, or copy that from the store's cache/weights to there"
            )
    if isinstance(run.weights, RunRef) and not store.has(run.weights):
        raise BadModel(
            f"{file} is a head alone, and the run {run.weights}, on whose network it stands, is not in "
            f"{store.root}: ask the run within its store"
        )
    with training.precision(run.precision):
        extractor = heads.feature_extractor(load_network(store, run))
    return extractor.input, head(extractor.output)


def predict(
    trained: Trained,
    pictures: Mapping[str, Path],
    progress: Callable[[int, int], None] = lambda done, all: None,
    overlays: Path | None = None,
) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """What a model says of pictures.

    Args:
        pictures: id -> file.
        progress: called with (pictures looked at, pictures).
        overlays: where VisualBackProp's maps go, laid over each picture: `ID.png`.

    Returns:
        One row per readable picture, in the order they are given: `id`; then for each task `TASK_predicted`,
        `TASK_probability` and `TASK_trust`, a word of `calibration.TRUST` or "not calibrated"; then of each the five
        likeliest, `TASK_class_1`, `TASK_probability_1`, ... Probabilities are at the temperature that the model's card
        has for the task, if it has one. And of each unreadable picture its path and the reason.

    Raises:
        UserError: `overlays` is asked of a model without maps.
    """
    look = _saliency_of(trained.model) if overlays else None
    tables = [pd.DataFrame({"id": pd.Series(dtype=str)})]
    unreadable: list[tuple[str, str]] = []
    if overlays:
        own_folder(overlays, "predict")
        places = distinct(pictures, lambda id_: "/".join(slug(p, 200) for p in PurePosixPath(id_).parts if p != "/"))
    for done, pixels, bad in _decoded(pictures, trained.card):
        unreadable += bad
        if pixels:
            images = np.stack(list(pixels.values()))
            tables.append(_table(trained, list(pixels), images))
            if look and overlays:
                _overlay(look(images), [pictures[id_] for id_ in pixels], [places[id_] for id_ in pixels], overlays)
        progress(done, len(pictures))
    return pd.concat(tables, ignore_index=True), unreadable


def describing(trained: Trained) -> keras.Model:
    """Pixels as they are stored, (batch, image_size, image_size, 3) in [0, 255] -> what the model sees, then says.

    That is `last_features`, and each task's probabilities in the order of the card.
    """
    size, crop = trained.card.image_size, trained.card.crop
    features = heads.last_features(trained.model)
    pixels = keras.Input((size, size, 3), name="stored")
    begin = (size - crop) // 2 if crop else 0
    middle = pixels[:, begin : begin + crop, begin : begin + crop] if crop else pixels
    said = trained.model(middle)
    return keras.Model(pixels, [features(middle), *(said[task] for task in trained.card.classes)], name="describing")


def _decoded(
    pictures: Mapping[str, Path], card: ModelCard
) -> Iterator[tuple[int, dict[str, np.ndarray], list[tuple[str, str]]]]:
    """Chunk by chunk: how many are done, id -> pixels, and what could not be read, with the reason."""
    ids = list(pictures)
    size = max(1, min(CHUNK, CHUNK_BYTES // (3 * card.image_size**2)))
    chunks = [ids[start : start + size] for start in range(0, len(ids), size)]
    asked = [[str(pictures[id_]) for id_ in chunk] for chunk in chunks]
    workers = 1 if len(ids) <= FEW else os.cpu_count() or 1
    done, shape = 0, (card.image_size, card.image_size, 3)
    begin = (card.image_size - card.crop) // 2 if card.crop else 0
    middle = slice(begin, begin + (card.crop or card.image_size))
    for chunk, answers in zip(chunks, decode_chunks(asked, card.image_size, card.resize, workers), strict=True):
        pixels, bad = {}, []
        for id_, (facts, content) in zip(chunk, answers, strict=True):
            if "reason" in facts:
                bad.append((str(pictures[id_]), facts["reason"]))
            else:
                pixels[id_] = np.frombuffer(content, np.uint8).reshape(shape)[middle, middle]
        done += len(chunk)
        yield done, pixels, bad


def _table(trained: Trained, ids: Sequence[str], images: np.ndarray) -> pd.DataFrame:
    outputs = trained.model.predict(images, batch_size=32, verbose=0)
    columns, likeliest = [pd.DataFrame({"id": ids})], []
    for task, names in trained.card.classes.items():
        measured, said = trained.card.calibration.get(task), outputs[task]
        if measured:
            said = calibration.cooled(said, measured["temperature"])
        table = metrics.predictions(ids, said, names).drop(columns="id")
        trust = calibration.trust_of(table["probability"].to_numpy()) if measured else NOT_CALIBRATED
        table.insert(2, "trust", trust)
        table = table.add_prefix(f"{task}_")
        columns.append(table.iloc[:, :3])
        likeliest.append(table.iloc[:, 3:])
    found = pd.concat([*columns, *likeliest], axis=1)
    # A label column may be called `id`, or as what is said of another.
    found.columns = numbered(found.columns)
    return found


def _saliency_of(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Pixels (n, size, size, 3) -> VisualBackProp's maps (n, size, size) of the network that a classifier stands on."""
    network = heads.backbone_of(model)
    if not ends_in_maps(network):
        raise BadModel(f"--saliency reads the maps of a convolutional network, and {network.name} has none")
    preprocessing = next((layer for layer in model.layers if layer.name == "preprocessing"), None)
    if preprocessing is None:  # each has its own, then
        raise BadModel("--saliency reads the maps of a single network, and this model has several: leave it out")
    maps = keras.Model(network.inputs[0], network.outputs[-1])
    taps = stage_taps(maps)
    return lambda images: visual_backprop(maps, taps, keras.ops.convert_to_numpy(preprocessing(images)))


def _overlay(maps: np.ndarray, paths: Sequence[Path], names: Sequence[str], folder: Path) -> None:
    for path, name, shown in zip(paths, names, maps, strict=True):
        with replacing(folder / f"{name}.png") as part:
            Image.fromarray(overlay(load_photo(path, 512), shown)).save(part, "PNG")

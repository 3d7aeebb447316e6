"""One network on one task, from pixels to test predictions: off the shelf, fine-tuned, or from scratch."""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from keras_art.data import tasks
from keras_art.data.collection import described_by
from keras_art.learning import adapted, features, probes, training
from keras_art.learning.compiled import compiled
from keras_art.learning.vectors import features_folder, made_by
from keras_art.learning.weights import begins_diverged, load_network
from keras_art.networks import backbones, heads
from keras_art.networks.trained import ModelCard, provenance, save
from keras_art.pictures.pipeline import Batches, Windows
from keras_art.report import calibration, figures, metrics
from keras_art.store.reading import read_json
from keras_art.store.runs import Store
from keras_art.store.sums import Damaged, write_sealed
from keras_art.study.config import Artefact, written
from keras_art.study.files import network_file
from keras_art.study.kinds.classifier import PROBES, ClassifierRun
from keras_art.terminal import Tell
from keras_art.writing import csv_text, write

ON = ("network", "weights", "preprocessing", "frozen_bn", "bn_momentum", "seed", "precision")  # what makes features


def off_the_shelf(store: Store, run: ClassifierRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """A head on the frozen network, whose features are cached where its batch normalisation allows it."""
    return _carry_out(store, run, folder, tell, frozen=True)


def probed(store: Store, run: ClassifierRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """A probe of the frozen network's cached features (`probes`); what was tried on validation is in `probe.csv`."""
    return _carry_out(store, run, folder, tell, frozen=True)


def whole_network(store: Store, run: ClassifierRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """Head and network trained together, from the weights that the run begins with."""
    return _carry_out(store, run, folder, tell, frozen=False)


def _carry_out(store: Store, run: ClassifierRun, folder: Path, tell: Tell, frozen: bool) -> dict[str, Any]:
    """Trains and tests one run in its directory; the same call continues what was stopped.

    Beside the history it writes `model.keras` (`head.keras` for a head on cached features), `classes.json`,
    `predictions.csv`, `per_class.csv` and `confusion.png`.

    Args:
        tell: called with a line for people and the share of the run that is done.

    Returns:
        What `metrics.json` holds: fractions, counts, seconds; nulls and "diverged" where training diverged.
    """
    with training.precision(run.precision):
        return _trained(store, run, folder, tell, frozen)


def _trained(store: Store, run: ClassifierRun, folder: Path, tell: Tell, frozen: bool) -> dict[str, Any]:
    started = time.monotonic()
    training.make_deterministic(run.seed)
    ready = tasks.load(store, run.collection, run.image_size, run.resize)
    classes = ready.task.classes
    write(folder / "classes.json", json.dumps(classes, ensure_ascii=False))
    if begins_diverged(store, run):
        history, said, model = pd.DataFrame(), None, None
        network = _describe(load_network(store, run, built_only=True))
    else:
        history, said, model, network = _train(store, run, folder, ready, tell, frozen)
    facts: dict[str, Any] = {
        "status": "diverged" if said is None else "ok",
        "test_accuracy": None,
        "test_loss": None,
        "test_macro_f1": None,
        "n_test": len(ready.part("test")),
        "n_images": ready.task.size,
        "n_classes": len(classes),
        "width": network["width"],
        "parameters": network["parameters"] + (network["width"] + 1) * len(classes),
        "epochs": len(history),
    }
    if said is not None:
        facts |= _report(run, folder, ready, said["test"])
        calibrated = _calibration(ready, said, margins=run.head == "linear_svm")
        facts |= calibration.worth(calibrated)
        facts |= network.get("chosen", {})
        if run.mode == "knn_probe":  # counted votes are no probabilities
            facts["test_loss"] = None
        if len(history):
            kept = history.iloc[-1 if run.keep == "last" else history["val_loss"].argmin()]  # whose weights are tested
            facts |= {"best_epoch": int(kept["epoch"]), "val_accuracy": float(kept["val_accuracy"])}
        if model is not None:
            head = len(model.input.shape) == 2
            card = card_of(run, classes, facts, head)
            if calibrated:
                card = dataclasses.replace(card, calibration={run.target: calibrated})
            save(model, folder / ("head.keras" if head else "model.keras"), card)
    return {**facts, "seconds": round(time.monotonic() - started, 2)}


def _calibration(ready: tasks.Ready, said: dict[str, np.ndarray], margins: bool) -> dict[str, Any]:
    """What `calibration` measures of a run; nothing where it has no validation images, or leaves no model behind."""
    if "val" not in said:
        return {}
    labels = ready.task.images["label"].to_numpy()
    val, test = (
        (labels[ready.part(name)], probes.softmax(said[name]) if margins else said[name]) for name in ("val", "test")
    )
    return calibration.calibration(val, test) or {}


def card_of(run: ClassifierRun, classes: list[str], facts: dict[str, Any], head: bool = False) -> ModelCard:
    """The card of what a run has trained; of a head on features, with the network that it stands on."""
    given = {name: written(getattr(run, name)) for name in ON}
    if run.preprocessing == "imagenet":
        # A file does not say its own, so what is kept is a preset, which rescales itself.
        kept = isinstance(run.network, Artefact)
        given["preprocessing"] = "none" if kept else backbones.own_preprocessing(str(run.network))
    return ModelCard(
        {run.target: classes}, given["preprocessing"], run.resize, run.image_size, facts, provenance(run.as_json()),
        margins=run.head == "linear_svm", network=given if head else None,
    )  # fmt: skip


def _train(
    store: Store, run: ClassifierRun, folder: Path, ready: tasks.Ready, tell: Tell, frozen: bool
) -> tuple[pd.DataFrame, dict[str, np.ndarray] | None, keras.Model | None, dict[str, Any]]:
    """The history, what the model says of test and validation images (None: it diverged), it, and of its network."""
    load = functools.cache(lambda: load_network(store, run))
    # Frozen batch normalisation that looks at its batch says something else of an image each time: nothing to cache.
    cached = frozen and (run.frozen_bn == "inference" or not load().has_batch_normalization)
    if cached:
        inputs, rows, network = network_features(store, run, load, ready.pixels, ready.rows, ready.sha256, tell)
    else:
        inputs, rows, network = ready.pixels, ready.rows, _describe(load())
    labels, classes = ready.task.images["label"].to_numpy(), len(ready.task.classes)
    if not frozen and run.adapted:
        return *adapted.train(store, run, ready, lambda model, of: _fit(model, of, folder, run, tell, 0.0)), network

    def batches(split: str, seed: int | None = None) -> Batches:
        part = ready.part(split)
        if seed is not None and run.order == "sorted":
            part, seed = part[np.argsort(labels[part], kind="stable")], None
        kind = Windows if seed is not None and run.order == "fixed" else Batches
        return kind(inputs, rows[part], labels[part], run.batch_size, seed)

    if run.mode in PROBES:
        if run.mode == "zero_shot":
            found = probes.named(network_file(store, run.network), run.template, ready.task.classes)
        else:
            found = probes.probe(run.mode, batches, classes)
        write(folder / "probe.csv", csv_text(found.tried))
        asked = ("test",) if run.mode == "knn_probe" else ("test", "val")  # votes are not calibrated
        said = {name: found.head.predict(batches(name).epochs(), verbose=0) for name in asked}
        return pd.DataFrame(), said, found.head, {**network, "chosen": found.chosen}
    if run.head != "softmax":
        tested, margins = probes.classical_head(run, batches, classes)
        said = {"test": tested}
        if margins is not None:
            said["val"] = margins.predict(batches("val").epochs(), verbose=0)
        return pd.DataFrame(), said, margins, network
    optimizer = training.make_optimizer(run.optimizer, len(batches("train")))
    if cached:
        own = heads.softmax_head(inputs.shape[1], classes, run.seed)
    else:
        backbone = load()
        own = heads.softmax_classifier(backbone, classes, run.seed)
        own.get_layer(backbone.model.name).trainable = not frozen
    steps = len(batches("train")) if cached else 1
    model = compiled(own, optimizer, training.compile_classifier, steps=steps)
    history, finite = _fit(model, batches, folder, run, tell, 0.8 if cached else 0.0)
    own.set_weights(model.get_weights())  # the configuration of the compiled one may be that of a run before
    if not finite:
        return history, None, own, network
    return history, {name: model.predict(batches(name).epochs(), verbose=0) for name in ("test", "val")}, own, network


def network_features(
    store: Store,
    run: ClassifierRun,
    load: Callable[[], backbones.Backbone],
    pixels: np.ndarray,
    rows: np.ndarray,
    sha256: list[str],
    tell: Tell = lambda line, share: None,
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Cached features, each image's row in them, and the width and parameters of the network they come from."""
    folder = features_folder(store, run)
    inputs, places = features.cached_features(
        folder,
        load,
        pixels,
        rows,
        sha256,
        batch_size=run.batch_size,
        progress=lambda done, all: tell(f"features of {done:,} of {all:,} images", 0.8 * done / all),
    )
    fields = {"width": int, "parameters": int}
    try:
        network = read_json(folder / "network.json", fields=fields)
    except Damaged:  # or not there yet
        network = {**_describe(load()), "of": made_by(run)}
        write_sealed(folder, {"network.json": json.dumps(network).encode()})
    return inputs, places, network


def _describe(backbone: backbones.Backbone) -> dict[str, Any]:
    return {"width": backbone.width, "parameters": backbone.model.count_params()}


def _fit(
    model: keras.Model, batches: Callable[..., Batches], folder: Path, run: ClassifierRun, tell: Tell, done: float
) -> tuple[pd.DataFrame, bool]:
    """Trains; `done` is the share of the run that lies behind it, because features were extracted."""

    def on_epoch(epoch: int, logs: dict[str, float]) -> None:
        words = f"epoch {epoch} of at most {run.epochs}, validation accuracy {logs.get('val_accuracy', np.nan):.3f}"
        tell(words, done + (1 - done) * epoch / run.epochs)

    return training.fit(
        model,
        batches("train", run.seed),
        batches("val"),
        folder=folder,
        epochs=run.epochs,
        patience=run.patience,
        restore_best=run.keep == "best",
        on_epoch=on_epoch,
    )


def _report(run: ClassifierRun, folder: Path, ready: tasks.Ready, outputs: np.ndarray) -> dict[str, Any]:
    """Writes what a run says of each test image and class; returns the test metrics."""
    test = ready.task.images.iloc[ready.part("test")]
    labels, classes, margins = test["label"].to_numpy(), ready.task.classes, run.head == "linear_svm"
    probabilities = probes.softmax(outputs) if margins else outputs
    measured = metrics.classification(labels, probabilities)
    predicted = metrics.predictions(test["id"], probabilities, classes, labels)
    columns = ready.task.columns.iloc[ready.part("test")]
    described = columns[described_by(columns)].reset_index(drop=True)
    write(folder / "predictions.csv", csv_text(pd.concat([predicted, described], axis=1)))
    write(folder / "per_class.csv", csv_text(metrics.per_class(labels, probabilities, classes)))
    confusion = metrics.confusion(labels, probabilities.argmax(1), len(classes))
    figures.save(figures.confusion_matrix(confusion, classes, title=run.title), folder / "confusion.png")
    # A margin or a share of trees is no probability: no cross-entropy is claimed for it.
    return {
        "test_accuracy": measured["accuracy"],
        "test_loss": None if margins else measured["loss"],
        "test_macro_f1": measured["macro_f1"],
    }

"""One classifier, from pixels and stylised images to test predictions."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from keras_art.data import mixing, tasks
from keras_art.learning import features, staged, training
from keras_art.learning.weights import begins_diverged, load_network
from keras_art.networks import attention
from keras_art.networks.backbones import Backbone
from keras_art.networks.loading import load_model
from keras_art.networks.losses import FocalLoss
from keras_art.networks.trained import ModelCard, provenance, save
from keras_art.pictures.decoded import stored_images
from keras_art.pictures.pipeline import Batches
from keras_art.report import calibration
from keras_art.store.runs import Store
from keras_art.store.sums import REMEDY, Damaged, sums
from keras_art.study.config import BadRun
from keras_art.study.files import weights_file
from keras_art.study.kinds.classifier import label
from keras_art.terminal import Tell
from keras_art.writing import csv_text, slug, write
from reproductions.st_saclf import evaluation, prior
from reproductions.st_saclf.kinds import SaclfRun
from reproductions.st_saclf.masks import with_masks
from reproductions.st_saclf.stages import lengths, stages_of


@dataclass(frozen=True)
class Data:
    """What a run learns from and is tested on.

    Attributes:
        ready: the originals.
        pixels: (stored rows, size, size, 3) uint8 of originals and stylised images.
        rows: of the images trained on, originals first.
        labels: their classes.
        mixture: class counts before and after.
        rare: the names of the rare classes.
        pairs: (n, 2) rows of `pixels`, a stylised image and its content's original.
        masks: of the images trained on, rows of `pixels`; -1: none.
        tested: the same of the test images.
    """

    ready: tasks.Ready
    pixels: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    mixture: pd.DataFrame
    rare: list[str]
    pairs: np.ndarray
    masks: np.ndarray
    tested: np.ndarray

    def split(self, name: str, batch_size: int, seed: int | None = None) -> Batches:
        """Batches of one split; stylised images are only ever in train."""
        if name == "train":
            return Batches(self.pixels, self.rows, self.labels, batch_size, seed)
        part = self.ready.part(name)
        return Batches(self.pixels, self.ready.rows[part], self.ready.task.images["label"].to_numpy()[part], batch_size)


def load_data(store: Store, run: SaclfRun) -> Data:
    """The images of a run, stylised ones mixed in as it asks for."""
    ready = tasks.load(store, run.collection, run.image_size, run.resize)
    classes, labels, train = ready.task.classes, ready.task.images["label"].to_numpy(), ready.part("train")
    counts = np.bincount(labels[train], minlength=len(classes))
    rare = mixing.rare_classes(counts, classes, run.rare)
    rows, mixed, pixels = ready.rows[train], labels[train], ready.pixels
    added = np.zeros(len(classes), int)
    pairs = np.empty((0, 2), np.int64)
    ids = ready.task.images["id"].to_numpy()
    masks, tested = (prior.rows_of(store, run, ids[ready.part(split)].tolist()) for split in ("train", "test"))
    if run.prior:
        pixels = stored_images(store, run.image_size, run.resize).pixels()  # the masks' are behind those of the works
    if run.stylised:
        folder = store.find(run.stylised)
        provenance = mixing.read_provenance(folder)
        own = dict(zip(classes, counts.tolist(), strict=True))
        taken = provenance.iloc[mixing.mix(provenance, own, rare, run.p1, run.p2, run.seed)]
        images = stored_images(store, run.image_size, run.resize)
        scan = images.scan([str(folder / output) for output in taken["output"]])
        wanted = sums(folder)
        for output, row, sha256 in zip(taken["output"], scan["row"], scan["sha256"], strict=True):
            if row < 0 or wanted.get(output, sha256) != sha256:
                raise Damaged(f"{folder / output} is absent or damaged: {REMEDY}")
        of_class = np.array([classes.index(name) for name in taken["class"]], np.int64)
        of_id = dict(zip(ready.task.images["id"], ready.rows, strict=True))
        stylised = scan["row"].to_numpy(np.int64)
        pixels = images.pixels()
        rows, mixed = np.concatenate([rows, stylised]), np.concatenate([mixed, of_class])
        added = np.bincount(of_class, minlength=len(classes))
        pairs = np.stack([stylised, [of_id[content] for content in taken["content"]]], axis=1)
        masks = np.concatenate([masks, prior.rows_of(store, run, taken["content"].tolist())])
    mixture = mixing.count_table(classes, counts, added, rare)
    return Data(ready, pixels, rows, mixed, mixture, rare, pairs, masks, tested)


def build(run: SaclfRun, backbone: Backbone, classes: int) -> keras.Model:
    """The classifier of a run."""
    taps = attention.find_taps(backbone, run.taps) if run.attention == "spatial" else []
    regularizers = {"l1": keras.regularizers.L1, "l2": keras.regularizers.L2, "none": lambda weight: None}
    return attention.attention_classifier(
        backbone,
        taps,
        classes,
        augmentation=augmentation(run),
        scale=run.tap_scale,
        dropout=run.dropout,
        drop=run.drop,
        regularizer=regularizers[run.regularizer](run.weight_decay),
    )


def augmentation(run: SaclfRun) -> keras.Layer | None:
    """What moves pixels in training."""
    return keras.layers.RandomFlip("horizontal") if run.augmentation == "flip" else None


def compile_at(model: keras.Model, run: SaclfRun, learning_rate: float, steps: int) -> None:
    """Adam and the run's loss, anew; `steps` are those of an epoch."""
    focal = run.loss == "focal"
    loss = FocalLoss(run.gamma, run.focal_alpha) if focal else keras.losses.SparseCategoricalCrossentropy()
    optimizer = training.make_optimizer(dataclasses.replace(run.optimizer, learning_rate=learning_rate), steps)
    model.compile(optimizer, loss, metrics=["accuracy"])
    training.make_metrics(model)


def fit(
    store: Store, run: SaclfRun, folder: Path, data: Data, on_epoch: Callable[[int, dict[str, float]], None]
) -> tuple[keras.Model, pd.DataFrame, bool]:
    """Trains a run's classifier through its stages; the test split is not touched.

    Ends with the weights of the best validation accuracy, as the released code does.

    Returns:
        The model, the history, and whether training stayed finite.
    """
    backbone = load_network(store, run)
    model = build(run, backbone, len(data.ready.task.classes))
    reader, head = model.get_layer(backbone.model.name), model.get_layer("head")
    if run.after:
        model.set_weights(load_model(store.find(run.after) / "model.keras").get_weights())
    stages = stages_of(run, reader)
    train, val = data.split("train", run.batch_size, run.seed), data.split("val", run.batch_size)
    trained, cache = model, tap_cache(store, run)
    if run.prior:
        trained = attention.with_prior(model, run.prior_weight, augmentation(run))
        # Without masks validation's loss is that of all runs.
        val = with_masks(val, np.full(len(val.rows), -1))
        train = with_masks(train, data.masks)
    never_thaws = not any(stage.thaws for stage in stages)
    same_every_time = run.augmentation == "none" and run.frozen_bn == "inference" and not run.prior
    if never_thaws and same_every_time and features.pays(reader, head, len(train.rows) + len(val.rows), cache):
        trained = features.head_on_taps(head)
        train, val = (_on_taps(cache, model, batches) for batches in (train, val))
    history, finite = staged.fit(
        trained,
        reader,
        train,
        val,
        schedule=staged.Schedule(
            stages, lambda rate: compile_at(trained, run, rate, len(train)), monitor="val_accuracy"
        ),
        folder=folder,
        on_epoch=on_epoch,
    )
    return model, history, finite


def tap_cache(store: Store, run: SaclfRun) -> Path:
    """Where the taps of a run's frozen network are kept."""
    what: list[Any] = [str(run.network), str(run.weights), run.taps, run.attention]
    what += [getattr(run, name) for name in ("preprocessing", "image_size", "resize", "precision")]
    if run.weights == "none":
        what.append(run.seed)
    if run.after:
        what.append(run.after.digest)  # whose network may have thawed
    name = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:8]
    return store.root / "cache" / "taps" / f"{slug(label(run.network))}-{name}"


def _on_taps(cache: Path, model: keras.Model, batches: Batches) -> Batches:
    """The same batches, of cached taps in the place of pixels; an image is known by its pixels."""
    sha256 = [hashlib.sha256(batches.inputs[row].tobytes()).hexdigest() for row in batches.rows]
    inputs, rows = features.cached_taps(cache, model, batches.inputs, batches.rows, sha256)
    return Batches(inputs, rows, batches.labels, batches.batch_size, batches.seed)


def check(store: Store, runs: Sequence[SaclfRun]) -> None:
    """Builds every network of some runs, and finds the layers that they tap and thaw.

    Raises:
        UserError: one is not there, or a network can not be used.
    """
    built: dict[Any, Backbone] = {}
    for run in runs:
        what = (run.network, run.image_size, weights_file(store, run.weights), run.preprocessing)
        if what not in built:
            built[what] = load_network(store, run, built_only=True)
        attention.find_taps(built[what], run.taps)
        for stage in stages_of(run, built[what].model):
            staged.thaw(built[what].model, stage)


def carry_out(store: Store, run: SaclfRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """Trains and tests one run in its directory; the same call continues what was stopped.

    Beside the history it writes `model.keras`, `mixture.csv`, and what `evaluation.report` does.

    Returns:
        What `metrics.json` holds: fractions, counts, seconds; nulls and "diverged" where training diverged.

    Raises:
        BadRun: it was asked for by an earlier version, which thawed other layers.
    """
    if run.by_earlier_rules:
        raise BadRun(f"{run.folder_name} is of a version that thawed other layers: give its study's command again")
    with training.precision(run.precision):
        return _carry_out(store, run, folder, tell)


def _carry_out(store: Store, run: SaclfRun, folder: Path, tell: Tell) -> dict[str, Any]:
    started = time.monotonic()
    training.make_deterministic(run.seed)
    data = load_data(store, run)
    write(folder / "classes.json", json.dumps(data.ready.task.classes, ensure_ascii=False))
    write(folder / "mixture.csv", csv_text(data.mixture))

    epochs = lengths(run)[run.part - 1] if run.part else run.epochs

    def on_epoch(epoch: int, logs: dict[str, float]) -> None:
        stage = run.part or logs["stage"]
        tell(f"epoch {epoch} of {epochs}, stage {stage:.0f}, val. accuracy {logs['val_accuracy']:.3f}", epoch / epochs)

    if begins_diverged(store, run):
        model = build(run, load_network(store, run, built_only=True), len(data.ready.task.classes))
        history, finite = pd.DataFrame(), False
    else:
        model, history, finite = fit(store, run, folder, data, on_epoch)
    facts: dict[str, Any] = {
        "status": "ok" if finite else "diverged",
        **dict.fromkeys(evaluation.SCORES),
        "n_test": len(data.ready.part("test")),
        "n_images": data.ready.task.size,
        "n_train": len(data.rows),
        "n_stylised": int(data.mixture["stylised"].sum()),
        "n_classes": len(data.ready.task.classes),
        "parameters": model.count_params(),
        "epochs": len(history),
    }
    if finite:
        labels = data.ready.task.images["label"].to_numpy()
        said = {name: model.predict(data.split(name, run.batch_size).epochs(), verbose=0) for name in ("val", "test")}
        facts |= evaluation.report(run, folder, data, model, said["test"])
        calibrated = calibration.calibration(*((labels[data.ready.part(name)], said[name]) for name in ("val", "test")))
        facts |= {"best_epoch": int(history.loc[history["val_accuracy"].idxmax(), "epoch"])}
        facts |= {"val_accuracy": float(history["val_accuracy"].max()), **calibration.worth(calibrated or {})}
        card = ModelCard(
            {run.target: data.ready.task.classes}, model.get_layer("preprocessing").mode, run.resize, run.image_size,
            facts, provenance(run.as_json()), calibration={run.target: calibrated} if calibrated else {},
        )  # fmt: skip
        save(model, folder / "model.keras", card)
    return {**facts, "seconds": round(time.monotonic() - started, 2)}

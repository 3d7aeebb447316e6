"""One network on one task, from pixels to test predictions: off the shelf, fine-tuned, or from scratch."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
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
from keras_art.learning import features, training
from keras_art.networks import backbones, heads
from keras_art.networks.loading import load_model
from keras_art.networks.saliency import visual_backprop
from keras_art.networks.trained import ModelCard, provenance, save
from keras_art.pictures.pipeline import Batches
from keras_art.report import figures, metrics
from keras_art.store.runs import Store
from keras_art.study.plan import ClassifierRun
from keras_art.writing import write

Tell = Callable[[str, float], None]

ON = ("network", "weights", "preprocessing", "frozen_bn", "bn_momentum", "seed", "precision")  # what makes features


def load_network(store: Store, config: ClassifierRun) -> backbones.Backbone:
    """A run's backbone with the weights it begins with.

    Weights called `run:DIGEST` are the backbone of an earlier run of the same network in the same store.

    Raises:
        BadBackbone: the network or its weights can not be used.
    """
    folder = store.root / "cache" / "weights"
    network = str(folder / config.network) if config.network.endswith(".keras") else config.network
    weights: str | Path | None = config.weights
    if config.weights == "none" or config.weights.startswith("run:"):
        weights = None
    elif config.weights not in ("imagenet", "own"):
        weights = folder / config.weights
    backbone = backbones.load_backbone(
        network,
        image_size=config.image_size,
        weights=weights,
        preprocessing=config.preprocessing,
        frozen_bn=config.frozen_bn,
        bn_momentum=config.bn_momentum,
        seed=config.seed,
    )
    if config.weights.startswith("run:"):
        source = load_model(run_folder(store, config.weights) / "model.keras")
        backbone.model.set_weights(source.get_layer(backbone.model.name).get_weights())
    return backbone


def run_folder(store: Store, weights: str) -> Path:
    """The directory of the run that `run:DIGEST` means."""
    return next(path.parent for path in store.root.glob(f"*/*-{weights.removeprefix('run:')}/config.json"))


def carry_out(store: Store, config: ClassifierRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """Trains and tests one run in its directory; the same call continues what was stopped.

    Beside the history it writes `model.keras` (`head.keras` for a head on cached features), `classes.json`,
    `predictions.csv`, `per_class.csv` and `confusion.png`.

    Args:
        tell: called with a line for people and the share of the run that is done.

    Returns:
        What `metrics.json` holds: fractions, counts, seconds; nulls and "diverged" where training diverged.
    """
    with training.precision(config.precision):
        return _carry_out(store, config, folder, tell)


def _carry_out(store: Store, config: ClassifierRun, folder: Path, tell: Tell) -> dict[str, Any]:
    started = time.monotonic()
    training.make_deterministic(config.seed)
    ready = tasks.load(store, config.collection, config.image_size, config.resize)
    classes = ready.task.classes
    write(folder / "classes.json", json.dumps(classes, ensure_ascii=False))
    if _begins_diverged(store, config):
        history, probabilities, model = pd.DataFrame(), None, None
        network = _describe(load_network(store, dataclasses.replace(config, weights="none")))
    else:
        history, probabilities, model, network = _train(store, config, folder, ready, tell)
    facts: dict[str, Any] = {
        "status": "diverged" if probabilities is None else "ok",
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
    if probabilities is not None:
        facts |= _report(folder, ready, probabilities, margins=config.head == "linear_svm")
        if len(history):
            facts["best_epoch"] = int(history.loc[history["val_loss"].idxmin(), "epoch"])
            facts["val_accuracy"] = float(history["val_accuracy"][history["val_loss"].idxmin()])
        if model is not None:
            head = len(model.input.shape) == 2
            save(model, folder / ("head.keras" if head else "model.keras"), card_of(config, classes, facts, head))
    return {**facts, "seconds": round(time.monotonic() - started, 2)}


def card_of(config: ClassifierRun, classes: list[str], facts: dict[str, Any], head: bool = False) -> ModelCard:
    """The card of what a run has trained; of a head on features, with the network that it stands on."""
    given = {name: getattr(config, name) for name in ON}
    if config.preprocessing == "imagenet":
        given["preprocessing"] = backbones.own_preprocessing(config.network)
    source = provenance(dataclasses.asdict(config))
    return ModelCard(
        {config.target: classes}, given["preprocessing"], config.resize, config.image_size, facts, source,
        margins=config.head == "linear_svm", network=given if head else None,
    )  # fmt: skip


def _begins_diverged(store: Store, config: ClassifierRun) -> bool:
    """Whether the run whose weights this one begins with diverged: so then did this one, before its first step."""
    if not config.weights.startswith("run:"):
        return False
    earlier = json.loads((run_folder(store, config.weights) / "metrics.json").read_text())
    return earlier["status"] == "diverged"


def _train(
    store: Store, config: ClassifierRun, folder: Path, ready: tasks.Ready, tell: Tell
) -> tuple[pd.DataFrame, np.ndarray | None, keras.Model | None, dict[str, int]]:
    """The history, what the model says of the test images (None: it diverged), the model, and what it stands on."""
    load = functools.cache(lambda: load_network(store, config))
    frozen = config.mode == "off_the_shelf"
    # Frozen batch normalisation that looks at its batch says something else of an image each time: nothing to cache.
    cached = frozen and (config.frozen_bn == "inference" or not load().has_batch_normalization)
    if cached:
        inputs, rows, network = network_features(store, config, load, ready.pixels, ready.rows, ready.sha256, tell)
    else:
        inputs, rows, network = ready.pixels, ready.rows, _describe(load())
    labels, classes = ready.task.table["label"].to_numpy(), len(ready.task.classes)

    def batches(split: str, seed: int | None = None) -> Batches:
        part = ready.part(split)
        return Batches(inputs, rows[part], labels[part], config.batch_size, seed)

    if config.head != "softmax":
        probabilities, margins = _classical_head(config, batches, classes)
        return pd.DataFrame(), probabilities, margins, network
    model = (
        _compiled(heads.softmax_head(inputs.shape[1], classes, config.seed), config)
        if cached
        else _classifier(load(), classes, config, frozen)
    )
    history, finite = _fit(model, batches, folder, config, tell)
    return history, model.predict(batches("test").epochs(), verbose=0) if finite else None, model, network


def network_features(
    store: Store,
    config: ClassifierRun,
    load: Callable[[], backbones.Backbone],
    pixels: np.ndarray,
    rows: np.ndarray,
    sha256: list[str],
    tell: Tell = lambda line, share: None,
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Cached features, each image's row in them, and the width and parameters of the network they come from."""
    what = [config.network, config.weights, config.preprocessing, config.image_size, config.resize, config.precision]
    if config.weights == "none":
        what.append(config.seed)
    name = Path(config.network).stem
    folder = store.root / "cache" / "features" / f"{name}-{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:8]}"

    def build() -> backbones.Backbone:
        write(folder / "network.json", json.dumps({**_describe(load()), "of": what}))
        return load()

    inputs, places = features.cached_features(
        folder,
        build,
        pixels,
        rows,
        sha256,
        batch_size=config.batch_size,
        progress=lambda done, all: tell(f"features of {done:,} of {all:,} images", 0.8 * done / all),
    )
    return inputs, places, json.loads((folder / "network.json").read_text())


def _describe(backbone: backbones.Backbone) -> dict[str, int]:
    return {"width": backbone.width, "parameters": backbone.model.count_params()}


_last_compiled: dict[tuple[Any, ...], tuple[keras.Model, list[np.ndarray]]] = {}


def _classifier(backbone: backbones.Backbone, classes: int, config: ClassifierRun, frozen: bool) -> keras.Model:
    """A compiled classifier with fresh weights; one of the same architecture is traced only once.

    Tracing a network takes longer than some epochs, so the last one is kept and given new weights.
    """
    fresh = heads.softmax_classifier(backbone, classes, config.seed)
    fresh.get_layer(backbone.model.name).trainable = not frozen
    key = (
        config.network, config.image_size, backbone.preprocessing, config.frozen_bn, config.bn_momentum,
        config.optimizer, config.mode, config.learning_rate, config.precision, classes, frozen,
    )  # fmt: skip
    if key not in _last_compiled:
        _last_compiled.clear()
        _compiled(fresh, config).optimizer.build(fresh.trainable_variables)
        _last_compiled[key] = fresh, [keras.ops.convert_to_numpy(v) for v in fresh.optimizer.variables]
        return fresh
    model, optimizer_state = _last_compiled[key]
    for variable, value in zip(model.variables, fresh.variables, strict=True):
        variable.assign(value)
    for variable, value in zip(model.optimizer.variables, optimizer_state, strict=True):
        variable.assign(value)
    return model


def _compiled(model: keras.Model, config: ClassifierRun) -> keras.Model:
    mode = "off_the_shelf" if config.mode == "off_the_shelf" else "fine_tuning"
    optimizer = training.OPTIMIZERS["adam" if config.mode == "pretraining" else config.optimizer, mode]()
    if config.learning_rate:
        optimizer.learning_rate = config.learning_rate
    training.compile_classifier(model, optimizer)
    return model


def _fit(
    model: keras.Model, batches: Callable[..., Batches], folder: Path, config: ClassifierRun, tell: Tell
) -> tuple[pd.DataFrame, bool]:
    def on_epoch(epoch: int, logs: dict[str, float]) -> None:
        share = epoch / config.epochs
        tell(
            f"epoch {epoch} of at most {config.epochs}, validation accuracy {logs.get('val_accuracy', np.nan):.3f}",
            0.8 + 0.2 * share if config.mode == "off_the_shelf" else share,
        )

    return training.fit(
        model,
        batches("train", config.seed),
        batches("val"),
        folder=folder,
        epochs=config.epochs,
        patience=config.patience,
        restore_best=config.keep == "best",
        on_epoch=on_epoch,
    )


def _classical_head(
    config: ClassifierRun, batches: Callable[..., Batches], classes: int
) -> tuple[np.ndarray, keras.Model | None]:
    """Footnote 4 of the paper: a linear SVM or a random forest on the same features, in scikit-learn.

    The SVM becomes a dense layer, so it can be saved; its outputs are margins. The forest can not be saved without
    pickling, which would execute code on loading.
    """
    (train, train_labels), (test, _) = (
        batch.gather(np.arange(len(batch.rows))) for batch in map(batches, ("train", "test"))
    )
    if config.head == "random_forest":
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(n_estimators=500, n_jobs=-1, random_state=config.seed).fit(train, train_labels)
        probabilities = np.zeros((len(test), classes))
        probabilities[:, forest.classes_] = forest.predict_proba(test)
        return probabilities, None
    from sklearn.svm import LinearSVC

    mean, deviation = train.mean(0), train.std(0) + 1e-6
    svm = LinearSVC(dual="auto", random_state=config.seed).fit((train - mean) / deviation, train_labels)
    weights, bias = svm.coef_ / deviation, svm.intercept_ - svm.coef_ @ (mean / deviation)
    if len(svm.classes_) == 2:
        weights, bias = np.vstack([-weights, weights]), np.concatenate([-bias, bias])
    kernel, offset = np.zeros((train.shape[1], classes)), np.full(classes, -1e9)
    kernel[:, svm.classes_], offset[svm.classes_] = weights.T, bias
    inputs = keras.Input((train.shape[1],), name="features")
    margins = keras.Model(inputs, keras.layers.Dense(classes, dtype="float32", name="margins")(inputs), name="head")
    margins.set_weights([kernel, offset])
    return margins.predict(test, verbose=0), margins


def _report(folder: Path, ready: tasks.Ready, outputs: np.ndarray, margins: bool) -> dict[str, Any]:
    """Writes what a run says of each test image and class; returns the test metrics."""
    test = ready.task.table.iloc[ready.part("test")]
    labels, classes = test["label"].to_numpy(), ready.task.classes
    probabilities = softmax(outputs) if margins else outputs
    measured = metrics.classification(labels, probabilities)
    predicted = metrics.predictions(test["id"], probabilities, classes, labels)
    described = test[described_by(test.columns)].reset_index(drop=True)
    write(folder / "predictions.csv", pd.concat([predicted, described], axis=1).to_csv(index=False))
    write(folder / "per_class.csv", metrics.per_class(labels, probabilities, classes).to_csv(index=False))
    confusion = metrics.confusion(labels, probabilities.argmax(1), len(classes))
    figures.save(figures.confusion_matrix(confusion, classes, title=folder.name), folder / "confusion.png")
    # A margin or a share of trees is no probability: no cross-entropy is claimed for it.
    return {
        "test_accuracy": measured["accuracy"],
        "test_loss": None if margins else measured["loss"],
        "test_macro_f1": measured["macro_f1"],
    }


def softmax(margins: np.ndarray) -> np.ndarray:
    """Margins (n, classes) as shares that sum to one: an order of the classes, no probabilities."""
    exponentials = np.exp(margins - margins.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


def saliency(store: Store, config: ClassifierRun, folder: Path, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """VisualBackProp of a fine-tuned run's network before and after its training.

    Args:
        pixels: (n, size, size, 3) uint8.

    Returns:
        Two arrays (n, size, size) in [0, 1].
    """
    before = load_network(store, config)
    after = load_model(folder / "model.keras").get_layer(before.model.name)
    inputs = backbones.Preprocessing(before.preprocessing)(pixels)
    # Each by its own names: Keras counts its automatic ones up within a process.
    frozen, fine = (visual_backprop(model, backbones.stage_taps(model), inputs) for model in (before.model, after))
    return frozen, fine

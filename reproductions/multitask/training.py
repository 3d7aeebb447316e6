"""One classifier from pixels to test predictions: built, trained in two phases, tested, exported."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from keras_art.data import labels, tasks
from keras_art.learning import staged, training
from keras_art.learning.probes import softmax
from keras_art.networks import backbones, gram, heads, vit
from keras_art.networks.losses import MultiTask, Term
from keras_art.networks.trained import ModelCard, provenance, save
from keras_art.pictures import augmentation
from keras_art.pictures.pipeline import Batches
from keras_art.report import calibration, evaluation, metrics
from keras_art.store.runs import Store
from keras_art.study.files import network_file, weights_file
from keras_art.terminal import Tell
from keras_art.writing import write_arrays
from reproductions.multitask.kind import BRANCHES, MultitaskRun


def load_network(store: Store, run: MultitaskRun) -> backbones.Backbone:
    """A run's backbone with the weights it begins with.

    Raises:
        BadBackbone: the network or its weights can not be used.
    """
    network = network_file(store, run.network)
    how: dict[str, Any] = {
        "image_size": run.image_size,
        "weights": weights_file(store, run.weights),
        "preprocessing": run.preprocessing,
        "seed": run.seed,
    }
    if network in vit.VITS:
        return vit.load_vit(network, **how)
    return backbones.load_backbone(network, bn_momentum=run.bn_momentum, **how)


def check(store: Store, runs: Sequence[MultitaskRun]) -> None:
    """Builds every network of some runs once, with the weights it begins with, and every classifier on it.

    Raises:
        BadBackbone: a network, its weights, or where the Gram matrix is taken can not be used.
        BadRun: an optimizer can not.
    """
    networks: dict[Any, backbones.Backbone] = {}
    built = set()
    for run in runs:
        network = (run.network, run.image_size, weights_file(store, run.weights), run.preprocessing)
        if network not in networks:
            networks[network] = load_network(store, run)
        what = dataclasses.replace(run, seed=0, fusion=0.0, auxiliary=0.0)
        if what not in built:
            build(run, networks[network], dict.fromkeys(run.targets, 2))
            built.add(what)
    for optimizer in {run.optimizer for run in runs}:
        training.make_optimizer(optimizer)


def build(run: MultitaskRun, backbone: backbones.Backbone, classes: dict[str, int]) -> MultiTask:
    """The classifier of a run, with its sum of losses.

    Args:
        classes: target -> how many classes it has.
    """
    layer = augmentation.in_model(run.augmentation)
    if run.mode in ("gram", "baseline"):
        ((task, count),) = classes.items()
        branch = gram.GramBranch(run.gram_tap, run.gram_channels, run.gram_description)
        model = gram.gram_classifier(
            backbone,
            task,
            count,
            branch if run.mode == "gram" else None,
            fusion=run.fusion,
            dropout=run.dropout,
            shared=run.shared,
            augmentation=layer,
        )
        terms = [Term(task, 0)]
        if run.auxiliary:
            terms += [Term(f"{task}_{branch}", 0, run.auxiliary) for branch in ("main", "gram")]
        return MultiTask(model.input, {term.output: model.output[term.output] for term in terms}, terms)
    model = heads.multitask_classifier(
        backbone, classes, shared=run.shared, hidden=run.hidden, dropout=run.dropout, augmentation=layer
    )
    learned = run.task_weights == "learned"
    weights = (1.0,) if isinstance(run.task_weights, str) else run.task_weights
    weights = weights * len(classes) if len(weights) == 1 else weights
    terms = [Term(task, i, weight) for i, (task, weight) in enumerate(zip(classes, weights, strict=True))]
    return MultiTask(model.input, model.output, terms, learned)


def carry_out(store: Store, run: MultitaskRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """Trains and tests one run in its directory; the same call continues what was stopped.

    Beside the history and what `evaluation.report` writes, there will be `model.keras` (the best epoch, classes and
    metrics inside), `last.npz` (the last epoch, with optimizer and random state), and `shared.npz` (the shared layer's
    features of the test images).

    Args:
        tell: called with a line for people and the share of the run that is done.

    Returns:
        What `metrics.json` holds: fractions, counts, seconds; nulls and "diverged" where training diverged.
    """
    with training.precision(run.precision):
        return _carry_out(store, run, folder, tell)


def _carry_out(store: Store, run: MultitaskRun, folder: Path, tell: Tell) -> dict[str, Any]:
    started = time.monotonic()
    training.make_deterministic(run.seed)
    ready = tasks.load(store, run.collection, run.image_size, run.resize)
    known = labels.read_labels(ready.task, run.targets)
    backbone = load_network(store, run)
    model = build(run, backbone, {task: len(names) for task, names in known.classes.items()})
    history, finite = _fit(run, model, model.get_layer(backbone.model.name), ready, known, folder, tell)
    facts: dict[str, Any] = {
        "status": "ok" if finite else "diverged",
        "test_accuracy": None,
        **{f"test_{task}_{score}": None for task in known.classes for score in ("accuracy", "macro_f1")},
        "model": run.model_name,
        "n_images": ready.task.size,
        "n_classes": {task: len(names) for task, names in known.classes.items()},
        "parameters": model.count_params(),
        "epochs": len(history),
    }
    if finite:
        facts |= _test(run, model, ready, known, folder)
        best = history.loc[history["val_loss"].idxmin()]
        facts |= {
            "test_accuracy": facts[f"test_{run.targets[0]}_accuracy"],
            "best_epoch": int(best["epoch"]),
            **{f"val_{task}_accuracy": float(best[f"val_{task}_accuracy"]) for task in known.classes},
        }
        if model.log_variances is not None:  # exp(-s), Kendall et al. 2018
            weights = np.exp(-keras.ops.convert_to_numpy(model.log_variances))
            facts["task_weights"] = dict(zip(known.classes, weights.tolist(), strict=True))
        source = provenance(run.as_json())
        outputs = {task: model.output[task] for task in known.classes}
        classifier = keras.Model(model.input, outputs, name="classifier")
        calibrated = _calibration(run, classifier, ready, known)
        facts["calibration"] = {task: calibration.worth(measured) for task, measured in calibrated.items()}
        card = ModelCard(
            known.classes, backbone.preprocessing, run.resize, run.image_size, facts, source, calibration=calibrated
        )
        save(classifier, folder / "model.keras", card)
    os.replace(folder / "checkpoint" / "epoch.npz", folder / "last.npz")
    return {**facts, "seconds": round(time.monotonic() - started, 2)}


def _batches(run: MultitaskRun, ready: tasks.Ready, known: labels.Labels, split: str, augmented: bool) -> Batches:
    """A split's images; without one label among its own, an image has nothing to say in training; tested are all."""
    part = np.array([i for i in ready.part(split) if split == "test" or (known.index[i] >= 0).any()])
    augment = augmentation.in_pipeline(run.augmentation, run.seed, run.image_size) if augmented else None
    seed = run.seed if augmented else None
    return Batches(ready.pixels, ready.rows[part], known.index[part], run.batch_size, seed, augment)


def _fit(
    run: MultitaskRun, model: MultiTask, backbone: keras.Model, ready: tasks.Ready, known: labels.Labels,
    folder: Path, tell: Tell,
) -> tuple[pd.DataFrame, bool]:  # fmt: skip
    """Heads on the frozen backbone first, then all of it; the history, and whether training stayed finite."""

    def on_epoch(epoch: int, logs: dict[str, float]) -> None:
        scores = ", ".join(f"{task} {logs[f'val_{task}_accuracy']:.3f}" for task in known.classes)
        tell(f"epoch {epoch} of {run.epochs}, validation accuracy {scores}", epoch / run.epochs)

    def compile_at(rate: float) -> None:
        optimizer = training.make_optimizer(dataclasses.replace(run.optimizer, learning_rate=rate))
        if not run.decay_all:
            optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "log_variances"])
        model.compile(optimizer)

    rate = run.optimizer.learning_rate
    stages = [
        staged.Stage(run.frozen_epochs, rate),
        staged.Stage(run.epochs - run.frozen_epochs, rate * run.tuned_rate, ("",)),
    ]
    return staged.fit(
        model,
        backbone,
        _batches(run, ready, known, "train", augmented=True),
        _batches(run, ready, known, "val", augmented=False),
        schedule=staged.Schedule(
            [stage for stage in stages if stage.epochs],
            compile_at,
            plateau=staged.Plateau(run.plateau_factor, run.plateau_patience),
        ),
        folder=folder,
        on_epoch=on_epoch,
    )


def _calibration(
    run: MultitaskRun, classifier: keras.Model, ready: tasks.Ready, known: labels.Labels
) -> dict[str, dict[str, Any]]:
    """What `calibration` measures of each task; those without labelled validation images are left out."""
    said, index = {}, {}
    for split in ("val", "test"):
        batches = _batches(run, ready, known, split, augmented=False)
        said[split], index[split] = classifier.predict(batches.epochs(), verbose=0), batches.labels
    found = {
        task: calibration.calibration(*((index[split][:, i], said[split][task]) for split in ("val", "test")))
        for i, task in enumerate(known.classes)
    }
    return {task: measured for task, measured in found.items() if measured}


def _test(
    run: MultitaskRun, model: MultiTask, ready: tasks.Ready, known: labels.Labels, folder: Path
) -> dict[str, Any]:
    """Writes what the model says of the test images, and their features in the shared layer; returns the metrics.

    Of a Gram classifier they are also those of each branch's own logits, `test_TASK_main_accuracy` and so on.
    """
    test = ready.part("test")
    branches = BRANCHES if run.mode == "gram" else ()
    logits = [model.get_layer(f"{branch}_logits").output for branch in branches]
    reader = keras.Model(model.input, [model.output, model.get_layer("shared").output, *logits])
    batches = _batches(run, ready, known, "test", augmented=False)
    found, features, *alone = reader.predict(batches.epochs(), verbose=0)
    write_arrays(folder / "shared.npz", {"features": features, "rows": test})
    ids = ready.task.images["id"].iloc[test].tolist()
    tested = labels.Labels(known.classes, known.index[test], known.left_out)
    facts = evaluation.report(folder, ids, tested, found, title=run.model_name)
    labelled = tested.index[:, 0] >= 0
    for branch, outputs in zip(branches, alone, strict=True):
        scores = metrics.classification(tested.index[labelled, 0], softmax(outputs[labelled]))
        facts |= {f"test_{run.targets[0]}_{branch}_{name}": scores[name] for name in ("accuracy", "macro_f1")}
    return facts

"""One classifier from pixels to test predictions: built, trained in two phases, tested, exported."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras_art.networks.known import VITS

from keras_art.data import labels, tasks
from keras_art.learning import classifier, staged, training
from keras_art.networks import gram, heads, loading, vit
from keras_art.networks.backbones import Backbone
from keras_art.networks.joint import MultiTask, Term
from keras_art.pictures import augmentation
from keras_art.pictures.pipeline import Batches
from keras_art.report import evaluation
from keras_art.store.runs import Store
from keras_art.writing import write_arrays
from reproductions.multitask.study import Run

Tell = Callable[[str, float], None]


def load_network(store: Store, run: Run) -> Backbone:
    """A run's backbone with the weights it begins with.

    Raises:
        BadBackbone: the network or its weights can not be used.
    """
    if run.network not in VITS:
        return classifier.load_network(store, run)
    kept = store.root / "cache" / "weights" / run.weights
    return vit.load_vit(
        run.network,
        image_size=run.image_size,
        weights=None if run.weights == "none" else kept if kept.is_dir() else run.weights,
        preprocessing=run.preprocessing,
        seed=run.seed,
    )


def build(run: Run, backbone: Backbone, classes: dict[str, int]) -> MultiTask:
    """The classifier of a run, with its sum of losses."""
    layer = augmentation.in_model(run.augmentation)
    if run.mode == "gram":
        ((task, count),) = classes.items()
        model = gram.gram_classifier(
            backbone, task, count, tap=run.gram_tap, channels=run.gram_channels, description=run.gram_description,
            fusion=run.fusion, dropout=run.dropout, shared=run.shared, augmentation=layer,
        )  # fmt: skip
        terms = [Term(task, 0)]
        if run.auxiliary:
            terms += [Term(f"{task}_{branch}", 0, run.auxiliary) for branch in ("main", "gram")]
        return MultiTask(model.input, {term.output: model.output[term.output] for term in terms}, terms)
    model = heads.multitask_classifier(
        backbone, classes, shared=run.shared, hidden=run.hidden, dropout=run.dropout, augmentation=layer
    )
    learned = run.task_weights == "learned"
    weights = [1.0] if learned else [float(word) for word in run.task_weights.split()]
    weights = weights * len(classes) if len(weights) == 1 else weights
    terms = [Term(task, i, weight) for i, (task, weight) in enumerate(zip(classes, weights, strict=True))]
    return MultiTask(model.input, model.output, terms, learned)


def optimizer(run: Run, learning_rate: float) -> keras.optimizers.Optimizer:
    """AdamW with PyTorch's epsilon, which the note's authors used; Keras's own is 1e-7."""
    adamw = keras.optimizers.AdamW(learning_rate, weight_decay=run.weight_decay, epsilon=1e-8)
    if not run.decay_all:
        adamw.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "log_variances"])
    return adamw


def carry_out(store: Store, run: Run, folder: Path, tell: Tell) -> dict[str, Any]:
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


def _carry_out(store: Store, run: Run, folder: Path, tell: Tell) -> dict[str, Any]:
    started = time.monotonic()
    training.make_deterministic(run.seed)
    ready = tasks.load(store, run.collection, run.image_size, run.resize)
    known = labels.read_labels(ready.task, run.targets)
    backbone = load_network(store, run)
    model = build(run, backbone, {task: len(names) for task, names in known.classes.items()})
    in_pipeline = augmentation.in_pipeline(run.augmentation, run.seed, run.image_size)

    def batches(split: str, training: bool = False) -> Batches:
        # Without one label among its own, an image has nothing to say in training; tested are all.
        part = np.array([i for i in ready.part(split) if split == "test" or (known.index[i] >= 0).any()])
        augment, seed = (in_pipeline, run.seed) if training else (None, None)
        return Batches(ready.pixels, ready.rows[part], known.index[part], run.batch_size, seed, augment)

    def on_epoch(epoch: int, logs: dict[str, float]) -> None:
        scores = ", ".join(f"{task} {logs[f'val_{task}_accuracy']:.3f}" for task in known.classes)
        tell(f"epoch {epoch} of {run.epochs}, validation accuracy {scores}", epoch / run.epochs)

    stages = [
        staged.Stage(run.frozen_epochs, run.learning_rate),
        staged.Stage(run.epochs - run.frozen_epochs, run.learning_rate * run.tuned_rate, ("",)),
    ]
    history, finite = staged.fit(
        model,
        model.get_layer(backbone.model.name),
        batches("train", training=True),
        batches("val"),
        folder=folder,
        stages=[stage for stage in stages if stage.epochs],
        compile_at=lambda rate: model.compile(optimizer(run, rate)),
        plateau=staged.Plateau(run.plateau_factor, run.plateau_patience),
        on_epoch=on_epoch,
    )
    os.replace(folder / "checkpoint" / "epoch.npz", folder / "last.npz")
    test = ready.part("test")
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
        reader = keras.Model(model.input, {**model.output, "": model.get_layer("shared").output})
        found = reader.predict(batches("test").epochs(), verbose=0)
        write_arrays(folder / "shared.npz", {"features": found.pop(""), "rows": test})
        ids = ready.task.images["id"].iloc[test].tolist()
        tested = labels.Labels(known.classes, known.index[test], known.left_out)
        facts |= evaluation.report(folder, ids, tested, found, title=run.model_name)
        best = history.loc[history["val_loss"].idxmin()]
        facts |= {
            "test_accuracy": facts[f"test_{run.targets[0]}_accuracy"],
            "best_epoch": int(best["epoch"]),
            **{f"val_{task}_accuracy": float(best[f"val_{task}_accuracy"]) for task in known.classes},
        }
        loading.save(
            keras.Model(model.input, {task: model.output[task] for task in known.classes}, name="classifier"),
            folder / "model.keras",
            classes=known.classes, preprocessing=backbone.preprocessing, resize=run.resize, metrics=facts,
        )  # fmt: skip
    return {**facts, "seconds": round(time.monotonic() - started, 2)}

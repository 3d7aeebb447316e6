"""One network fitted to a small collection, with the parts of `adaptation` that its run asks for."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pandas as pd

from keras_art.data import tasks
from keras_art.learning import adaptation, training
from keras_art.learning.weights import load_network
from keras_art.networks import heads
from keras_art.pictures import augmentation
from keras_art.pictures.pipeline import Batches
from keras_art.store.runs import Store
from keras_art.study.config import BadRun
from keras_art.study.kinds.classifier import LAYER_RULES, ClassifierRun


def train(
    store: Store,
    run: ClassifierRun,
    ready: tasks.Ready,
    fit: Callable[[keras.Model, Callable[..., Batches]], tuple[pd.DataFrame, bool]],
) -> tuple[pd.DataFrame, dict[str, np.ndarray] | None, keras.Model]:
    """Trains a classifier.

    Args:
        fit: (compiled model, (split, seed) -> its batches) -> the history, and whether training stayed finite.

    Returns:
        The history, what the model says of test and validation images (None: it diverged), and the model, without the
        matrices of LoRA, which are in its kernels.

    Raises:
        BadRun: it was asked for by an earlier version, which took other layers.
    """
    if run.takes_layers and run.layer_rules != LAYER_RULES:
        raise BadRun(f"{run.folder_name} is of a version that took other layers: give its study's command again")
    classes = len(ready.task.classes)
    labels = adaptation.targets(run, ready.task.images["label"].to_numpy(), classes)

    def batches(split: str, seed: int | None = None) -> Batches:
        part, learnt = ready.part(split), seed is not None
        augment = augmentation.in_pipeline(run.augmentation, run.seed, run.image_size) if learnt else None
        given = (ready.pixels, ready.rows[part], labels[part], run.batch_size, seed, augment)
        return augmentation.Mixed(*given, run.mixing) if learnt and run.mixing != "none" else Batches(*given)

    def built() -> keras.Model:
        first = augmentation.in_model(run.augmentation)
        return heads.softmax_classifier(load_network(store, run), classes, run.seed, first)

    model = built()
    if run.freeze_until:
        adaptation.freeze_until(heads.backbone_of(model), run.freeze_until)
    if run.lora:
        adaptation.enable_lora(heads.backbone_of(model), run.lora)
    steps = len(batches("train"))
    rate = adaptation.rate_schedule(run.optimizer, run, steps)
    optimizer = training.make_optimizer(run.optimizer, steps, rate)
    if run.discriminative != 1:
        optimizer = adaptation.discriminative(optimizer, heads.backbone_of(model), run.discriminative)
    adaptation.compile_adapted(model, optimizer, run)
    history, finite = fit(model, batches)
    if run.lora:
        model = adaptation.merged(model, built(), store.directory(run))
    if run.test_flips:
        model = adaptation.flip_averaged(model)
    said = {name: model.predict(batches(name).epochs(), verbose=0) for name in ("test", "val")} if finite else None
    return history, said, model

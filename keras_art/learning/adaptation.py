"""How a pretrained network is fitted to a small collection: which of its layers learn, at which rate, from what.

None of it is a paper's here; each part is off unless it is asked for.
"""

from __future__ import annotations

import difflib
import math
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_art.networks.backbones import BadBackbone
from keras_art.networks.taps import layers_in_order
from keras_art.study.config import Optimizer
from keras_art.study.kinds.classifier import ClassifierRun
from keras_art.writing import beside

LORA_LAYERS = (keras.layers.Dense, keras.layers.EinsumDense)


def holding(backbone: keras.Model) -> list[keras.Layer]:
    """The layers with weights of their own, beside those of layers within them, as a picture goes through them."""
    every = [layer for _, layer in layers_in_order(backbone)]
    return [layer for layer in every if layer._trainable_variables or layer._non_trainable_variables]


def freeze_until(backbone: keras.Model, word: str) -> None:
    """Freezes the layers of a backbone that come before one of them, or the first share of those that have weights.

    Layers within a block count, too: a transformer may be a single layer of its model.

    Args:
        word: the first layer that learns, by its name, or by the end of its path where several are called so; or a
            share in [0, 1]: of 0.5 the first half stays as it is.

    Raises:
        BadBackbone: there is no such layer, with the nearest names, several, with their paths, or no such share.
    """
    holders = holding(backbone)
    try:
        share = float(word)
    except ValueError:
        share = None
    if share is None:
        within = {id(layer) for layer in _named(backbone, word)._flatten_layers()}
        first = next(i for i, layer in enumerate(holders) if id(layer) in within)
    else:
        if not 0 <= share <= 1:
            raise BadBackbone(f"--freeze_until is a layer's name or a share in [0, 1], not {word}")
        first = math.ceil(share * len(holders))
    hold(holders[:first])


def free(backbone: keras.Model) -> None:
    """Lets all layers of a backbone learn, those within layers and what was frozen of one beside them, too."""
    for layer in backbone._flatten_layers():  # each: TensorFlow passes over a value that a layer has already
        layer.trainable = True
        for variable in layer._trainable_variables:
            variable.trainable = True


def hold(layers: Iterable[keras.Layer]) -> None:
    """Freezes what some layers have of their own, beside the layers within them."""
    for layer in layers:
        if layer._layers:  # which may learn
            for variable in layer._trainable_variables:
                variable.trainable = False
        else:
            layer.trainable = False


def _named(backbone: keras.Model, word: str) -> keras.Layer:
    """The layer with weights that a name, a path or the end of one means."""
    known = {path: layer for path, layer in layers_in_order(backbone) if layer.weights}
    if word in known:
        return known[word]
    meant = [path for path in known if path.endswith(f"/{word}")]
    if len(meant) > 1:
        more = f" and {len(meant) - 3} more" if len(meant) > 3 else ""
        raise BadBackbone(
            f"{backbone.name} has {len(meant)} layers {word!r}: give one's path, or the end of it that no other has: "
            f"{', '.join(meant[:3])}{more}"
        )
    if not meant:
        names = known if "/" in word else dict.fromkeys(layer.name for layer in known.values())
        near = ", ".join(difflib.get_close_matches(word, names, n=3, cutoff=0))
        raise BadBackbone(
            f"{backbone.name} has no layer {word!r} with weights; the nearest names: {near}; or give a share, 0.5"
        )
    return known[meant[0]]


def enable_lora(backbone: keras.Model, rank: int) -> None:
    """Freezes a backbone but for matrices of low rank beside its dense layers (Hu et al. 2021), by Keras's own layers.

    Raises:
        BadBackbone: it has no dense layers, as convolutional networks have none.
    """
    dense = [layer for layer in backbone._flatten_layers(include_self=False) if isinstance(layer, LORA_LAYERS)]
    if not dense:
        raise BadBackbone(
            f"{backbone.name} has no dense layers, which alone take --lora in Keras: use --freeze_until instead"
        )
    backbone.trainable = True
    for layer in backbone._flatten_layers(include_self=False):
        layer.trainable = False
    for layer in dense:
        layer.trainable = True
        layer.enable_lora(rank)
        if layer.bias is not None:
            layer.bias.trainable = False  # of which the paper trains none either


def merged(adapted: keras.Model, plain: keras.Model, folder: Path) -> keras.Model:
    """A model of the same architecture with what LoRA has learnt in its kernels.

    Args:
        folder: of the run, which is written into for that; what a kill leaves there goes when the run is begun again.
    """
    part = beside(folder / "merged")
    part.mkdir(parents=True)
    try:
        adapted.save_weights(part / "merged.weights.h5")  # Keras merges as it saves
        plain.load_weights(part / "merged.weights.h5")
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return plain


def discriminative(
    optimizer: keras.optimizers.Optimizer, backbone: keras.Model, first: float
) -> keras.optimizers.Optimizer:
    """The same optimizer with a learning rate for each layer of a backbone (discriminative: Howard and Ruder 2018).

    Their rates fall along a geometric scale from the optimizer's own, which is of whatever stands on the backbone, down
    to its `first` part, of the backbone's first layer. A decay of weights falls with them.

    Args:
        first: in (0, 1].
    """
    layers = holding(backbone)
    factors = {
        id(variable): first ** (1 - i / len(layers))
        for i, layer in enumerate(layers)
        for variable in layer._trainable_variables
    }

    class Discriminative(type(optimizer)):  # type: ignore[misc]
        """Goes a part of each step, which for any optimizer is a step at that part of its rate."""

        def apply(self, grads: Any, trainable_variables: Any = None) -> None:
            variables = self._trainable_variables if trainable_variables is None else trainable_variables
            own = [(variable, factors[id(variable)]) for variable in variables if id(variable) in factors]
            before = [keras.ops.copy(variable) for variable, _ in own]
            super().apply(grads, trainable_variables)
            for (variable, factor), was in zip(own, before, strict=True):
                variable.assign(was + factor * (variable - was))

    return Discriminative.from_config(optimizer.get_config())


def rate_schedule(optimizer: Optimizer, run: ClassifierRun, steps: int) -> Any:
    """The learning rate of every step: rising from 0 in the warm-up, then constant or falling to 0 along a cosine.

    Args:
        steps: of an epoch.
    """
    rise, whole = run.warmup * steps, run.epochs * steps
    if run.schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            0.0 if rise else optimizer.learning_rate,
            max(1, whole - rise),
            warmup_target=optimizer.learning_rate if rise else None,
            warmup_steps=rise,
        )
    if rise:
        return keras.optimizers.schedules.PolynomialDecay(0.0, rise, optimizer.learning_rate)
    return optimizer.learning_rate


def targets(run: ClassifierRun, labels: np.ndarray, classes: int) -> np.ndarray:
    """Labels (n,) as they are, or one-hot (n, classes) where they are smoothed or mixed."""
    return np.eye(classes, dtype="float32")[labels] if run.label_smoothing or run.mixing != "none" else labels


def compile_adapted(model: keras.Model, optimizer: keras.optimizers.Optimizer, run: ClassifierRun) -> None:
    """Cross-entropy on what `targets` gives, accuracy beside it."""
    if run.label_smoothing or run.mixing != "none":
        loss: keras.losses.Loss = keras.losses.CategoricalCrossentropy(label_smoothing=run.label_smoothing)
    else:
        loss = keras.losses.SparseCategoricalCrossentropy()
    model.compile(optimizer, loss, metrics=["accuracy"])


def flip_averaged(model: keras.Model) -> keras.Model:
    """A classifier that also looks at the mirror image and says the mean of both probabilities; weights are shared."""
    mirrored = model.call(keras.ops.flip(model.input, axis=2))
    return keras.Model(model.input, 0.5 * (model.output + mirrored), name=model.name)

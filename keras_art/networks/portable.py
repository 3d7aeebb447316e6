"""A trained model in Keras's own layers, so that `keras.saving.load_model` opens it where keras_art is unknown."""

from __future__ import annotations

import json
from typing import Any
from weakref import WeakKeyDictionary

import keras
from keras import ops

from keras_art.networks.layers import (
    CAFFE_MEAN,
    TORCH_MEAN,
    TORCH_STD,
    BatchNormalization2018,
    DropConnect,
    Preprocessing,
)

# Layers of ours that Keras has an equal of, as far as inference goes.
EQUALS = (Preprocessing, BatchNormalization2018, DropConnect)


def keras_layers_only(model: keras.Model) -> keras.Model | None:
    """The same model of Keras's own layers and operations; None where a layer of ours has no equal among them.

    Equal in inference, to rounding (1e-6 of a probability). `Preprocessing` becomes a small model of the same name,
    `BatchNormalization2018` batch normalisation, `DropConnect` a dense layer; names and weights are kept. Training
    it further is training as Keras has it. As long as a model lives and keeps its configuration, the next call gives
    the same twin, with other weights.

    Args:
        model: a functional model; how it was compiled is not kept.
    """
    ours = _ours(model)
    if any(not isinstance(layer, EQUALS) for layer in ours):
        return None
    return _twin(model) if ours else keras.Model(model.input, model.output, name=model.name)


def _ours(model: keras.Model) -> list[keras.Layer]:
    """What has a class of keras_art, within a model and the models within it, itself included."""
    found = [model] if is_ours(model) else []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += _ours(layer)
        elif is_ours(layer):
            found.append(layer)
    return found


def in_two_models(model: keras.Model) -> tuple[keras.Layer, list[str]] | None:
    """A layer with weights that two of the models within a functional one both hold, and the names of these two.

    A `.keras` file says every model by its own layers: opened, each has the layer anew, and one of them no weights.
    """
    holders: dict[int, keras.Model] = {}

    def first(within: keras.Model) -> tuple[keras.Layer, list[str]] | None:
        for layer in within.layers:
            if layer.weights and (other := holders.setdefault(id(layer), within)) is not within:
                return layer, [other.name, within.name]
            if isinstance(layer, keras.Model) and not is_ours(layer) and (found := first(layer)):
                return found
        return None

    return first(model)


def is_ours(layer: keras.Layer) -> bool:
    """Whether a layer or model is of a class that Keras knows only once keras_art is imported."""
    return keras.saving.get_registered_name(type(layer)).startswith("keras_art>")


# A chain of tickets saves one network at each stage.
_twins: WeakKeyDictionary[keras.Model, tuple[str, keras.Model]] = WeakKeyDictionary()


def _twin(model: keras.Model) -> keras.Model:
    said = json.dumps(model.get_config(), sort_keys=True, default=str)
    before, twin = _twins.get(model, ("", model))
    if said != before:
        inner = keras.Model(model.input, model.output, name=model.name)
        twin = keras.models.clone_model(inner, clone_function=_equal)
        _twins[model] = said, twin
    twin.set_weights(model.get_weights())
    return twin


def _equal(layer: Any) -> Any:
    """A layer's equal, with fresh weights; operations and layers of Keras are copied."""
    if isinstance(layer, Preprocessing):
        return _preprocessing(layer)
    config = layer.get_config()
    if isinstance(layer, BatchNormalization2018):
        return keras.layers.BatchNormalization.from_config(config)
    if isinstance(layer, DropConnect):
        return keras.layers.Dense.from_config({key: config[key] for key in config if key not in ("rate", "seed")})
    if isinstance(layer, keras.Model) and _ours(layer):
        return keras.models.clone_model(layer, clone_function=_equal)
    return type(layer).from_config(config)


def _preprocessing(layer: Preprocessing) -> keras.Model:
    pixels = keras.Input(layer.input.shape[1:], dtype=layer.input.dtype, name="pixels")
    scale: Any = {"unit": 1 / 255, "tf": 1 / 127.5, "torch": [1 / (255 * s) for s in TORCH_STD]}.get(layer.mode, 1.0)
    offset: Any = {
        "tf": -1.0,
        "torch": [-m / s for m, s in zip(TORCH_MEAN, TORCH_STD, strict=True)],
        "caffe": [-m for m in CAFFE_MEAN],
    }.get(layer.mode, 0.0)
    x = ops.flip(pixels, axis=-1) if layer.mode == "caffe" else pixels
    x = keras.layers.Rescaling(scale, offset, dtype="float32", name="rescaling")(x)
    if layer.compute_dtype != "float32":
        x = ops.cast(x, layer.compute_dtype)
    return keras.Model(pixels, x, name=layer.name)

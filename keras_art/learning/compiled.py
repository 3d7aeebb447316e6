"""Models of one architecture and optimizer are compiled, and so traced, once in a process.

Tracing a network takes longer than some epochs, and what TensorFlow has traced it does not give back: a process that
traced the same network for every seed of a study would grow by all of them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_art import backend

MOST = 2**24  # numbers in the variables of all models that are kept, 64 MB: heads stay, of large networks one

_kept: dict[str, tuple[keras.Model, list[np.ndarray]]] = {}  # the one used last at the end


def compiled(
    fresh: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    compile_by: Callable[..., None],
    **settings: Any,
) -> keras.Model:
    """A compiled model with the weights, the trainable layers and the random state of a fresh one.

    It is the fresh one, or one of the same architecture that was compiled before in the same way; its configuration is
    then another's where that holds seeds, so what is saved is to be the fresh one, given the weights.

    Args:
        fresh: not compiled.
        optimizer: not built; of the same configuration, one is as good as another.
        compile_by: compiles a model with an optimizer and the settings.
    """
    rule = {name: value for name, value in optimizer.get_config().items() if name != "name"}
    how = [architecture(fresh), rule, compile_by.__module__, compile_by.__qualname__, settings]
    key = json.dumps(how, sort_keys=True, default=str)
    if key not in _kept:
        _make_room(fresh)
        compile_by(fresh, optimizer, **settings)
        optimizer.build(fresh.trainable_variables)
        _kept[key] = fresh, [_packed(keras.ops.convert_to_numpy(variable)) for variable in fresh.optimizer.variables]
        return fresh
    model, state = _kept[key] = _kept.pop(key)
    for variable, value in zip(model.variables, fresh.variables, strict=True):
        variable.assign(value)
    for variable, value in zip(model.optimizer.variables, state, strict=True):
        variable.assign(value)
    return model


def architecture(model: keras.Model) -> Any:
    """The configuration of a model without what shapes no graph: seeds, and the initial values of weights."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            left = {name: inner for name, inner in value.items() if not re.fullmatch(r"seed|\w+_initializer", name)}
            return {name: without(inner) for name, inner in left.items()}
        return [without(inner) for inner in value] if isinstance(value, list | tuple) else value

    return [keras.saving.get_registered_name(type(model)), without(model.get_config())]


def _make_room(fresh: keras.Model) -> None:
    """Lets go of those used longest ago before a network is traced, which takes the memory that they had."""
    before = len(_kept)
    while _kept and _size(fresh) + sum(_size(model) for model, _ in _kept.values()) > MOST:
        del _kept[next(iter(_kept))]
    if len(_kept) < before:
        backend.give_back()


def _packed(value: np.ndarray) -> np.ndarray:
    """The same, in next to no memory where all of its numbers are equal: an optimizer's begin as zeros."""
    return np.broadcast_to(value.flat[0], value.shape) if value.size and (value == value.flat[0]).all() else value


def _size(model: keras.Model) -> int:
    return sum(math.prod(variable.shape) for variable in model.variables)

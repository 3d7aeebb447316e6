"""Where the maps of a network are that something is read from, what its layers compute, and in which order."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np


def gigamacs(model: keras.Model) -> float:
    """10^9 multiply-accumulates of one image: every weight of a kernel, once per position of its layer's output.

    A layer that is called twice counts twice; a model within it as one layer, whose maps have the size of its last one.
    """
    return sum(
        math.prod(variable.shape) * math.prod(node.output_tensors[0].shape[1:-1]) / 1e9
        for node in _nodes(model)
        for variable in getattr(node.operation, "weights", ())
        if "kernel" in variable.name
    )


def layers_in_order(network: keras.Model) -> list[tuple[str, keras.Layer]]:
    """The layers of a network in the order in which a picture goes through them, each before those within it.

    A model has that order in its graph. A layer keeps what is within it as it was made, which need not be as it is
    called (Swin normalises before a dense layer that was made first), so one picture goes through and tells.

    Args:
        network: one picture of a known size in, (1, height, width, channels).

    Returns:
        (path, layer): the names down to it, joined by "/".
    """
    every = network._flatten_layers()
    tells = any(len(layer._layers) > 1 and not _has_graph(layer) for layer in every)
    called = _called(network) if tells else {}
    found: dict[int, tuple[str, keras.Layer]] = {}

    def first_call(layer: keras.Layer) -> float:
        return min(called.get(id(part), math.inf) for part in layer._flatten_layers())

    def walk(outer: keras.Layer, path: str) -> None:
        for layer in outer._layers if _has_graph(outer) else sorted(outer._layers, key=first_call):
            if id(layer) not in found:
                found[id(layer)] = path + layer.name, layer
                walk(layer, f"{path}{layer.name}/")

    walk(network, "")
    return list(found.values())


def _has_graph(layer: keras.Layer) -> bool:
    return hasattr(getattr(layer, "_functional", None) or layer, "_nodes_by_depth")


def _called(network: keras.Model) -> dict[int, int]:
    """The id of each layer -> its place in the order of the first calls for one picture."""
    places: dict[int, int] = {}
    plain = keras.Layer.__call__

    def noted(layer: keras.Layer, *given: Any, **named: Any) -> Any:
        places.setdefault(id(layer), len(places))
        return plain(layer, *given, **named)

    keras.Layer.__call__ = noted
    try:
        network(np.zeros((1, *network.input_shape[1:]), "float32"))
    finally:
        keras.Layer.__call__ = plain
    return places


def stage_taps(model: keras.Model, *, within: bool = True) -> list[str]:
    """The layers VisualBackProp reads, shallow to deep.

    In a VGG every convolution has its ReLU inside, and all of them are read, as in the paper's figure. Elsewhere it is
    the last activation, sum or concatenation at each size of map that everything passes through: a convolution before
    its batch normalisation, a shortcut, or one branch of a block says little of what the network passes on. A network
    whose blocks have no such layer (ConvNeXt) is read at its last map alone.

    Args:
        within: whether a model within the network counts as its own last layer does.
    """
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    if model.name.startswith("vgg") and all(map(_activates, convolutions)):
        return [layer.name for layer in convolutions]
    kinds = (keras.layers.ReLU, keras.layers.Add, keras.layers.Concatenate)
    nodes = _nodes(model)
    place = {id(tensor): i for i, node in enumerate(nodes) for tensor in node.output_tensors}
    last_use = [0] * len(nodes)
    for i, node in enumerate(nodes):
        for tensor in node.input_tensors:
            last_use[place[id(tensor)]] = i
    taps: dict[int, str] = {}
    for i, node in enumerate(nodes):
        bypassed, layer, shape = max(last_use[:i], default=0) > i, node.operation, node.output_tensors[0].shape
        last = _last(layer) if within else layer
        if not bypassed and len(shape) == 4 and (isinstance(last, kinds) or _activates(last)):
            taps[shape[1]] = layer.name
    return [taps[size] for size in sorted(taps, reverse=True)] or [model.layers[-1].name]


def ends_in_maps(model: keras.Model) -> bool:
    """Whether what a network says is made of maps, as of a convolutional one: no vector, no tokens put into a grid."""
    operation, node, _ = model.outputs[-1]._keras_history
    around = [model.outputs[-1]], operation._inbound_nodes[node].input_tensors
    return all(any(len(tensor.shape) == 4 for tensor in tensors) for tensors in around)


def outputs_of(model: keras.Model) -> dict[str, Any]:
    """The name of each layer -> what it says in this model; its own `output` may be that of another it is part of."""
    calls = [node for node in _nodes(model) if isinstance(node.operation, keras.Layer)]
    return {node.operation.name: node.output_tensors[0] for node in calls}


def _nodes(model: keras.Model) -> list[Any]:
    """The calls of a model's graph, each after those it reads."""
    depths = (getattr(model, "_functional", None) or model)._nodes_by_depth  # that of a Sequential lies in it
    return [node for depth in sorted(depths, reverse=True) for node in depths[depth]]


def _last(layer: Any) -> Any:
    """A layer itself; of a model within a network, the layer whose output is the model's."""
    while isinstance(layer, keras.Model) and getattr(layer, "outputs", None):
        layer = layer.outputs[-1]._keras_history.operation
    return layer


def _activates(layer: keras.Layer) -> bool:
    return getattr(layer, "activation", None) not in (None, keras.activations.linear)

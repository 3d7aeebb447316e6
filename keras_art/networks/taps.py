"""Where the maps of a network are that something is read from, and what its layers compute."""

from __future__ import annotations

import math

import keras


def gigamacs(model: keras.Model) -> float:
    """10^9 multiply-accumulates of one image: every weight of a kernel, once per position of its layer's output.

    A layer that is called twice counts twice; a model within it as one layer, whose maps have the size of its last one.
    """
    graph = getattr(model, "_functional", None) or model  # of a Sequential
    return sum(
        math.prod(variable.shape) * math.prod(node.output_tensors[0].shape[1:-1]) / 1e9
        for nodes in graph._nodes_by_depth.values()
        for node in nodes
        for variable in getattr(node.operation, "weights", ())
        if "kernel" in variable.name
    )


def stage_taps(model: keras.Model) -> list[str]:
    """The layers VisualBackProp reads, shallow to deep.

    In a VGG every convolution has its ReLU inside, and all of them are read, as in the paper's figure. Elsewhere it is
    the last activation, sum or concatenation at each size of map that everything passes through: a convolution before
    its batch normalisation, a shortcut, or one branch of a block says little of what the network passes on. A network
    whose blocks have no such layer (ConvNeXt) is read at its last map alone.
    """
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    if model.name.startswith("vgg") and all(map(_activates, convolutions)):
        return [layer.name for layer in convolutions]
    kinds = (keras.layers.ReLU, keras.layers.Add, keras.layers.Concatenate)
    nodes = model.operations  # the layers and the functions between them, in topological order
    place = {id(tensor): i for i, node in enumerate(nodes) for tensor in keras.tree.flatten(node.output)}
    last_use = [0] * len(nodes)
    for i, node in enumerate(nodes):
        for tensor in keras.tree.flatten(node.input):
            last_use[place[id(tensor)]] = i
    taps: dict[int, str] = {}
    for i, node in enumerate(nodes):
        bypassed = max(last_use[:i], default=0) > i
        shape: tuple[int, ...] = getattr(node.output, "shape", ())
        if not bypassed and len(shape) == 4 and (isinstance(node, kinds) or _activates(node)):
            taps[shape[1]] = node.name
    return [taps[size] for size in sorted(taps, reverse=True)] or [model.layers[-1].name]


def _activates(layer: keras.Layer) -> bool:
    return getattr(layer, "activation", None) not in (None, keras.activations.linear)

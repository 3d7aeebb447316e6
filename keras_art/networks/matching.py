"""Weights of a file, layer by layer -> the layers of a network: heads left out, nothing guessed.

Layers go together by their names, and those of one name, in several models within a network, in their order. Those
that Keras named itself (`conv2d_17`) count on from whatever was built before, so they go together by their places among
the layers of that kind; and ResNet50 was named otherwise in Keras 2.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

AUTOMATIC = re.compile(r"((?:\w+_)?conv2d|batch_normalization|dense|layer_normalization)(?:_(\d+))?")
RESNET_2 = re.compile(r"(res|bn)(\d)([a-z])_branch(1|2[abc])")
EPSILON_2 = 1e-3  # of batch normalisation in the ResNet50 of Keras 2; that of Keras 3 has 1.001e-5
Layers = list[tuple[str, list[np.ndarray]]]  # names with weights, in the order of the layers


class Unmatched(ValueError):
    """The file's layers are not those of the network; the message names the first that differs."""


def layers_of_h5(path: Path) -> Layers:
    """What Keras 2 wrote by `save_weights` or `save`.

    Raises:
        Unmatched: it is no such file.
    """
    import h5py

    with h5py.File(path, "r") as file:
        root = file.get("model_weights", file)
        if "layer_names" not in root.attrs:
            raise Unmatched("it is no weights file of Keras 2, which lists layer_names")
        groups = {name: root[name] for name in map(_text, root.attrs["layer_names"])}
        return [
            (name, [np.asarray(group[_text(weight)]) for weight in group.attrs["weight_names"]])
            for name, group in groups.items()
        ]


def layers_of_model(model: keras.Model) -> Layers:
    """A model's layers, those of the models in it among them."""
    return [(layer.name, layer.get_weights()) for layer in _leaves(model)]


def assign(model: keras.Model, given: Layers) -> None:
    """Gives every layer of a network its weights, all or none; what else is given, such as a head, is left out.

    Raises:
        Unmatched: a layer is absent, or of another shape, or there are more or fewer of its name.
    """
    known = [(name, weights) for name, weights in given if weights]
    old = any(RESNET_2.fullmatch(name) for name, _ in known)
    theirs = _by_name([_keras_3(name) if old else name for name, _ in known])
    layers = [layer for layer in _leaves(model) if layer.weights]
    pairs: list[tuple[keras.Layer, str, list[np.ndarray]]] = []
    for name, own in _by_name([layer.name for layer in layers]).items():
        if (places := theirs.get(name)) is None:
            first = ", ".join(name for name, _ in known[:3])
            raise Unmatched(f"it has no layer {layers[own[0]].name}; its first are {first}")
        if len(places) != len(own):
            raise Unmatched(f"it has {len(places)} layers called {name}, the network has {len(own)}")
        pairs += [(layers[ours], *known[place]) for ours, place in zip(own, places, strict=True)]
    for layer, named, weights in pairs:
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if (found := [weight.shape for weight in weights]) != shapes:
            raise Unmatched(f"its layer {named} has {found}, the network's {layer.name} has {shapes}")
    for layer, _, weights in pairs:
        layer.set_weights(weights)
        if old and isinstance(layer, keras.layers.BatchNormalization):
            layer.epsilon = EPSILON_2


def _by_name(names: Sequence[str]) -> dict[str, list[int]]:
    """A name -> the places of the layers that bear it, in their order.

    Those that Keras has named, such as `conv2d_17`, are there by their kind, "conv2d", in the order of their numbers.
    """
    found = defaultdict(list)
    for place, name in enumerate(names):
        kind, number = match.groups() if (match := AUTOMATIC.fullmatch(name)) else (name, None)
        found[kind].append((int(number or 0), place))
    return {kind: [place for _, place in sorted(places)] for kind, places in found.items()}


def _keras_3(name: str) -> str:
    """A layer of Keras 2's ResNet50 as Keras 3 calls it: `res2a_branch1` is `conv2_block1_0_conv`."""
    if name in ("conv1", "bn_conv1"):
        return "conv1_conv" if name == "conv1" else "conv1_bn"
    if not (match := RESNET_2.fullmatch(name)):
        return name
    kind, stage, block, branch = match.groups()
    part = "0" if branch == "1" else str("abc".index(branch[1]) + 1)
    return f"conv{stage}_block{ord(block) - ord('a') + 1}_{part}_{'conv' if kind == 'res' else 'bn'}"


def _leaves(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name

"""Weights of a file, layer by layer -> the layers of a network: heads left out, nothing guessed.

Layers go together by their names. Those that Keras named itself (`conv2d_17`) count on from whatever was built before,
so they go together by their places among the layers of that kind; and ResNet50 was named otherwise in Keras 2.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

AUTOMATIC = re.compile(r"((?:\w+_)?conv2d|batch_normalization|dense|layer_normalization)(?:_(\d+))?")
RESNET_2 = re.compile(r"(res|bn)(\d)([a-z])_branch(1|2[abc])")
EPSILON_2 = 1e-3  # of batch normalisation in the ResNet50 of Keras 2; that of Keras 3 has 1.001e-5


class Unmatched(ValueError):
    """The file's layers are not those of the network; the message names the first that differs."""


def layers_of_h5(path: Path) -> dict[str, list[np.ndarray]]:
    """What Keras 2 wrote by `save_weights` or `save`: layer -> its weights, in the order of the layers.

    Raises:
        Unmatched: it is no such file.
    """
    import h5py

    with h5py.File(path, "r") as file:
        root = file.get("model_weights", file)
        if "layer_names" not in root.attrs:
            raise Unmatched("it is no weights file of Keras 2, which lists layer_names")
        found = {}
        for layer in map(_text, root.attrs["layer_names"]):
            group = root[layer]
            found[layer] = [np.asarray(group[_text(name)]) for name in group.attrs["weight_names"]]
        return found


def layers_of_model(model: keras.Model) -> dict[str, list[np.ndarray]]:
    """A model's layers, those of the models in it among them: layer -> its weights."""
    return {layer.name: layer.get_weights() for layer in _leaves(model)}


def assign(model: keras.Model, given: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Gives every layer of a network its weights, all or none; what else is given, such as a head, is left out.

    Raises:
        Unmatched: a layer is absent, or of another shape.
    """
    known = {name: list(weights) for name, weights in given.items() if len(weights)}
    old = any(RESNET_2.fullmatch(name) for name in known)
    names = {_keras_3(name) if old else name: name for name in known}
    theirs = {place: names[name] for name, place in _places(names).items()}
    ours = {layer.name: layer for layer in _leaves(model) if layer.weights}
    places = _places(ours)
    for kind in {kind for kind, _ in places.values()} - {""}:
        own, more = (sum(place[0] == kind for place in every) for every in (places.values(), theirs))
        if own != more:
            raise Unmatched(f"it has {more} layers called {kind}, the network has {own}")
    pairs = []
    for name, layer in ours.items():
        if (named := theirs.get(places[name])) is None:
            raise Unmatched(f"it has no layer {name}; its first are {', '.join(list(known)[:3])}")
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if (found := [weight.shape for weight in known[named]]) != shapes:
            raise Unmatched(f"its layer {named} has {found}, the network's {name} has {shapes}")
        pairs.append((layer, known[named]))
    for layer, weights in pairs:
        layer.set_weights(weights)
        if old and isinstance(layer, keras.layers.BatchNormalization):
            layer.epsilon = EPSILON_2


def _places(names: Iterable[str]) -> dict[str, tuple[str, str | int]]:
    """What tells each layer from the others: its name, or its kind and place where Keras has named it.

    `conv2d_17`, the fourth of those that are called so, is ("conv2d", 3); another is ("", its name).
    """
    automatic = defaultdict(list)
    for name in names:
        if match := AUTOMATIC.fullmatch(name):
            automatic[match[1]].append((int(match[2] or 0), name))
    places: dict[str, tuple[str, str | int]] = {name: ("", name) for name in names}
    for kind, named in automatic.items():
        places |= {name: (kind, place) for place, (_, name) in enumerate(sorted(named))}
    return places


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

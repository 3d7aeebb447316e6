"""Weights of Keras 2's files, and of classifiers, put into networks by the names of their layers."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest

from keras_art.networks import matching
from keras_art.networks.backbones import BadBackbone, load_weights

RNG = np.random.default_rng(0)


def network(first="conv1"):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name=first)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2D(4, 3)(x)
    return keras.Model(inputs, keras.layers.Conv2D(4, 1)(x), name="tiny")


def keras_2(path, layers, whole=False):
    """A file as Keras 2 wrote it: `layer_names` and, of each layer, `weight_names`."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole else file
        root.attrs["layer_names"] = [name.encode() for name, _ in layers]
        for name, weights in layers:
            group = root.create_group(name)
            names = [f"{name}/weight_{i}:0".encode() for i in range(len(weights))]
            group.attrs["weight_names"] = names
            for key, values in zip(names, weights, strict=True):
                group[key.decode()] = values
    return path


def drawn(*shapes):
    return [RNG.normal(size=shape).astype("float32") for shape in shapes]


LAYERS = [
    ("input_1", []),
    ("conv1", drawn((3, 3, 3, 4), (4,))),
    ("batch_normalization_7", drawn((4,), (4,), (4,), (4,))),
    ("conv2d_10", drawn((1, 1, 4, 4), (4,))),  # by number behind the next, whatever the order of the file
    ("conv2d_9", drawn((3, 3, 4, 4), (4,))),
    ("dense_1", drawn((4, 5), (5,))),
]


@pytest.mark.parametrize("whole", [False, True])
def test_the_layers_of_a_file_of_keras_2_are_found_by_name_or_place_and_its_head_is_left_out(tmp_path, whole):
    model, given = network(), dict(LAYERS)
    load_weights(model, keras_2(tmp_path / "creator.h5", LAYERS, whole))
    _, first, norm, second, third = model.layers
    for layer, name in ((first, "conv1"), (norm, "batch_normalization_7"), (second, "conv2d_9"), (third, "conv2d_10")):
        for ours, theirs in zip(layer.get_weights(), given[name], strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (LAYERS[:1] + LAYERS[2:], "it has no layer conv1"),
        (LAYERS[:-2], "it has 1 layers called conv2d, the network has 2"),
        ([*LAYERS[:3], (LAYERS[3][0], drawn((1, 1, 4, 6), (6,))), *LAYERS[4:]], "its layer conv2d_10 has"),
    ],
)
def test_another_networks_file_is_refused_and_changes_nothing(tmp_path, layers, message):
    model = network()
    before = model.get_weights()
    with pytest.raises(BadBackbone, match=message):
        load_weights(model, keras_2(tmp_path / "other.h5", layers))
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_file_that_is_none_of_keras_2_is_refused(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["pictures"] = np.zeros(3)
    with pytest.raises(BadBackbone, match="layer_names"):
        load_weights(network(), tmp_path / "data.h5")


def test_the_resnet_of_keras_2_has_other_names_and_another_epsilon():
    names = ["conv1", "bn_conv1", "res2a_branch2a", "bn2a_branch2c", "res2a_branch1", "res5c_branch2b", "fc1000"]
    assert [matching._keras_3(name) for name in names] == [
        "conv1_conv", "conv1_bn", "conv2_block1_1_conv", "conv2_block1_3_bn", "conv2_block1_0_conv",
        "conv5_block3_2_conv", "fc1000",
    ]  # fmt: skip
    resnet = {layer.name for layer in keras.applications.ResNet50(weights=None).layers if layer.weights}
    blocks = {2: "abc", 3: "abcd", 4: "abcdef", 5: "abc"}
    old = ["conv1", "bn_conv1"]
    for stage, letters in blocks.items():
        for letter in letters:
            for branch in ("2a", "2b", "2c", *(["1"] if letter == "a" else [])):
                old += [f"{kind}{stage}{letter}_branch{branch}" for kind in ("res", "bn")]
    assert {matching._keras_3(name) for name in old} == resnet - {"predictions"}


def test_a_classifier_of_ours_lends_its_network(tmp_path):
    inner = network("first")
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(inner(inputs))
    keras.Model(inputs, keras.layers.Dense(3)(x)).save(tmp_path / "model.keras")
    model = network("first")
    load_weights(model, tmp_path / "model.keras")
    for ours, theirs in zip(model.get_weights(), inner.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def stages(channels):
    """Models one after the other, whose layers are called alike."""
    inputs = x = keras.Input((8, 8, 3))
    for number, count in enumerate(channels):
        part = keras.Input((None, None, x.shape[-1]))
        maps = keras.layers.BatchNormalization(name="bn")(keras.layers.Conv2D(count, 3, name="conv")(part))
        x = keras.Model(part, maps, name=f"stage{number}")(x)
    return keras.Model(inputs, x, name="staged")


@pytest.mark.parametrize("channels", [(4, 4), (3, 3)])  # of 3 all kernels have one shape
def test_layers_of_one_name_in_several_models_each_get_their_own_weights(tmp_path, channels):
    given, model = stages(channels), stages(channels)
    given.set_weights(drawn(*(weight.shape for weight in given.weights)))
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(given(inputs))
    keras.Model(inputs, keras.layers.Dense(3)(x)).save(tmp_path / "model.keras")
    load_weights(model, tmp_path / "model.keras")
    for ours, theirs in zip(model.get_weights(), given.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_more_layers_of_one_name_than_the_network_has_are_refused(tmp_path):
    stages((3, 3, 3)).save(tmp_path / "model.keras")
    with pytest.raises(BadBackbone, match="it has 3 layers called conv, the network has 2"):
        load_weights(stages((3, 3)), tmp_path / "model.keras")

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import tempfile
from pathlib import Path

import keras
import numpy as np
import presets
import pytest

from keras_art.data import choices, sources, tasks
from keras_art.errors import UserError
from keras_art.methods.tickets import masks, network
from keras_art.networks import heads, trained
from keras_art.networks.backbones import BadBackbone, load_backbone
from keras_art.store.runs import Store
from keras_art.store.tickets import BadTicket
from keras_art.study.config import Artefact
from keras_art.study.files import artefact, artefact_path, keep_files
from keras_art.study.kinds.tickets import TicketRun
from keras_art.writing import write_bytes

SETTINGS = {"image_size": 16, "crop": 14, "batch_size": 8, "epochs": 3, "late_resetting": 1, "rate": 0.5}


def save_tiny(path):
    """Three convolutions and batch normalisation, saved as a user would."""
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(6, 3, 2, activation="relu", name="one")(inputs)
    x = keras.layers.BatchNormalization(name="bn")(x)
    x = keras.layers.Conv2D(8, 3, activation="relu", name="two")(x)
    x = keras.layers.Conv2D(8, 1, name="three")(x)
    path.parent.mkdir(parents=True, exist_ok=True)
    keras.Model(inputs, x, name="tiny").save(path)
    return path


@functools.cache
def tiny_file() -> bytes:
    """The same bytes for every store: a file's digest is in its name, and the date of saving in its bytes."""
    with tempfile.TemporaryDirectory() as folder:
        return save_tiny(Path(folder) / "tiny.keras").read_bytes()


def prepared(root, pictures, target="artist", **settings):
    """A store in which a collection is ready, and the first run of a chain on it."""
    store = Store(root)
    store.create()
    kept = Artefact(f"tiny-{hashlib.sha256(tiny_file()).hexdigest()[:8]}.keras")
    write_bytes(artefact_path(store, kept), tiny_file())
    read = sources.load_collection(pictures)
    choice = choices.choose(read, target)
    tasks.prepare(store, read, choice, SETTINGS["image_size"], "crop", lambda done, all: None)
    run = TicketRun(collection=choice.key, target=target, network=kept, **{**SETTINGS, **settings})
    return store, run


@pytest.fixture
def task(tmp_path, picture_csv):
    store, run = prepared(tmp_path / "store", picture_csv)
    return network.Task(store, run)


def half(model):
    rng = np.random.default_rng(0)
    return {v.path: rng.random(v.shape) < 0.5 for v in masks.prunable(model)}


def test_reset_restores_every_variable_bit_for_bit_and_masks_it(task):
    model = task.classifier(0)
    theta, kept = network.values(model), half(model)
    model.fit(task.batches("train", 0).epochs(0, 2), shuffle=False, verbose=0)
    trained = network.values(model)
    assert all((trained[path] != theta[path]).any() for path in theta)
    network.reset(model, theta, kept, head=True)
    for path, value in network.values(model).items():
        np.testing.assert_array_equal(value, theta[path] * kept.get(path, True), err_msg=path)


def test_reset_makes_the_optimizer_as_new(task):
    model = task.classifier(0)
    theta, kept = network.values(model), half(model)
    model.fit(task.batches("train", 0).epochs(0, 2), shuffle=False, verbose=0)
    network.reset(model, theta, kept, head=True)
    for variable in model.optimizer.variables:
        value = keras.ops.convert_to_numpy(variable)
        if variable.path.endswith("_mask"):
            assert set(np.unique(value)) == {0, 1}
        elif not variable.path.endswith("learning_rate"):
            assert not value.any(), variable.path


def test_a_new_head_stays_as_it_is(task):
    model = task.classifier(0)
    before = network.values(model)
    other = {path: value + 1 for path, value in before.items() if not path.startswith("softmax/")}
    network.put(model, other, head=False)
    after = network.values(model)
    for path, value in before.items():
        np.testing.assert_array_equal(after[path], value if path.startswith("softmax/") else value + 1)


def test_theta_of_another_network_is_refused_with_what_differs(task):
    model = task.classifier(0)
    theta = network.values(model)
    with pytest.raises(BadTicket, match="it has no two/kernel"):
        network.put(model, {p: v for p, v in theta.items() if p != "two/kernel"}, head=True)
    with pytest.raises(BadTicket, match=r"two/kernel has the shape \(3, 3, 6, 9\) in the ticket, \(3, 3, 6, 8\)"):
        network.put(model, {**theta, "two/kernel": np.zeros((3, 3, 6, 9))}, head=True)


def test_the_seed_decides_the_weights_and_a_model_used_again_has_them_too(task):
    first = network.values(model := task.classifier(0))
    for variable in model.weights:
        variable.assign(variable + 1.0)  # as training would
    assert task.classifier(1) is model
    other = network.values(model)
    again = network.values(task.classifier(0))
    network._last.clear()
    built = network.values(task.classifier(1))
    assert all(np.array_equal(other[path], built[path]) for path in built)
    kernels = [path for path in first if "kernel" in path]
    assert not any(np.array_equal(first[path], other[path]) for path in kernels)
    assert all(np.array_equal(first[path], again[path]) for path in first)


def test_a_network_that_draws_more_than_kernels_is_built_for_each_seed(task, monkeypatch):
    load = network.load_network

    def with_drawn_biases(store, run, seed):
        backbone = load(store, run, seed)
        bias = backbone.model.get_layer("one").bias
        bias.assign(keras.random.normal(bias.shape, seed=seed))
        return backbone

    monkeypatch.setattr(network, "load_network", with_drawn_biases)
    monkeypatch.setattr(network, "_last", [])
    first, other = (network.values(task.classifier(seed))["one/bias"] for seed in (0, 1))
    assert not np.array_equal(first, other)


def test_kernels_are_masked_and_the_head_is_dense_unless_asked(task):
    assert task.classifier(0).optimizer.masked == ("one/kernel", "two/kernel", "three/kernel")
    task.run = dataclasses.replace(task.run, prune_head=True)
    assert task.classifier(0).optimizer.masked[-1] == "softmax/kernel"


def test_batch_normalisation_has_the_momentum_asked_for(task):
    backbone = network.load_network(task.store, dataclasses.replace(task.run, bn_momentum=0.7))
    assert backbone.model.get_layer("bn").momentum == 0.7
    keras_own = TicketRun(network="ResNet50", image_size=32, crop=32)
    resnet50 = network.load_network(task.store, keras_own).model
    momenta = {layer.momentum for layer in resnet50.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert momenta == {0.9}
    assert sum(np.prod(v.shape) for v in masks.prunable(resnet50)) == 23_454_912
    bound = np.sqrt(6 / (64 + 256))  # Glorot's, of a 1 x 1 convolution of 64 channels to 256
    assert (
        0.99 * bound < abs(keras.ops.convert_to_numpy(resnet50.get_layer("conv2_block1_3_conv").kernel)).max() < bound
    )


def test_a_transformer_has_no_tickets(task, tmp_path):
    presets.save("ViT", tmp_path / "vit")
    keep_files(task.store, [str(tmp_path / "vit")])
    given = {"network": artefact(str(tmp_path / "vit")), "preprocessing": "imagenet", "image_size": 28, "crop": 28}
    run = dataclasses.replace(task.run, **given)
    with pytest.raises(BadBackbone, match="is a transformer, and tickets are made of kernels of convolutions"):
        network.load_network(task.store, run)


@pytest.mark.parametrize(("name", "called"), [("conv", "has 2 weights called conv/kernel"), ("softmax", "softmax")])
def test_nor_has_one_whose_weights_are_called_alike(task, tmp_path, name, called):
    def part(of, channels):
        inputs = keras.Input((None, None, channels))
        return keras.Model(inputs, keras.layers.Conv2D(channels + 1, 3, name=name)(inputs), name=of)

    inputs = keras.Input((None, None, 3))
    inner = part("first", 3)(inputs)
    keras.Model(inputs, part("second", 4)(inner) if name == "conv" else inner).save(tmp_path / "nested.keras")
    keep_files(task.store, [str(tmp_path / "nested.keras")])
    with pytest.raises(UserError, match=f"{called}.*give each layer"):
        network.load_network(
            task.store, dataclasses.replace(task.run, network=artefact(str(tmp_path / "nested.keras")))
        )


def test_nor_has_one_that_was_exported(task, tmp_path):
    presets.save("ViT", tmp_path / "vit")
    backbone = load_backbone(str(tmp_path / "vit"), image_size=28, weights="own")
    art = tmp_path / "art"
    art.mkdir()
    card = trained.ModelCard({"artist": ["x", "y"]}, backbone.preprocessing, "squash", 28, {}, {})
    trained.save(heads.softmax_classifier(backbone, 2, 0), art / "model.keras", card)
    (art / "preprocessing.json").write_text("{}")
    keep_files(task.store, [str(art)])
    given = {"network": artefact(str(art)), "preprocessing": "none", "image_size": 28, "crop": 28}
    with pytest.raises(BadBackbone, match="is a transformer, and tickets are made of kernels of convolutions"):
        network.load_network(task.store, dataclasses.replace(task.run, **given))


def test_the_learning_rate_falls_in_proportion_to_the_epochs(task):
    task.run = dataclasses.replace(task.run, epochs=9)
    steps = len(task.batches("train"))
    rate = task.classifier(0).optimizer._learning_rate
    at = [float(rate(steps * epoch + 1)) for epoch in (0, 4, 5, 6, 7, 8)]
    np.testing.assert_allclose(at, [0.1, 0.1, 0.01, 0.001, 0.001, 0.0001], rtol=1e-5)
    assert float(rate(steps * 5)) == pytest.approx(0.1)  # of the first step behind an epoch: as in all finished runs


def test_a_smaller_share_of_the_training_set_lies_within_a_larger_one():
    part, labels = np.arange(100, 160), np.repeat([0, 1, 2], [30, 25, 5])
    shares = [network.first_of_each_class(part, labels, fraction) for fraction in (0.05, 0.25, 0.5, 1)]
    assert [len(share) for share in shares] == [4, 15, 29, 60]  # of the rare class, one at least
    for small, large in itertools.pairwise(shares):
        assert set(small) <= set(large)
    assert set(labels[shares[0] - 100]) == {0, 1, 2}


def test_only_the_training_set_is_cut(task):
    task.run = dataclasses.replace(task.run, fraction=0.5)
    whole = {split: len(task.ready.part(split)) for split in ("train", "val", "test")}
    now = {split: len(task.batches(split).rows) for split in whole}
    assert now["train"] == pytest.approx(whole["train"] / 2, abs=2)
    assert (now["val"], now["test"]) == (whole["val"], whole["test"])

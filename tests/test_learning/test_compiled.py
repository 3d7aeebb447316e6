"""What is compiled once serves another run as if it were fresh."""

from __future__ import annotations

import tempfile
import weakref
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_art.learning import compiled as room
from keras_art.learning.compiled import architecture, compiled
from keras_art.learning.training import compile_classifier, fit, make_deterministic
from keras_art.networks.heads import softmax_head
from keras_art.pictures.pipeline import Batches

FEATURES = np.random.default_rng(0).normal(size=(48, 6)).astype("float32")
LABELS = np.arange(48) % 3


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(room, "_kept", {})


def with_dropout(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    x = keras.Input((6,), name="features")
    hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(8, "relu")(x))
    return keras.Model(x, keras.layers.BatchNormalization()(keras.layers.Dense(3, "softmax")(hidden)), name="head")


def trained(build, seed: int, rate: float = 0.01) -> tuple[keras.Model, list, list[np.ndarray]]:
    keras.utils.clear_session(free_memory=False)
    model = compiled(build(seed), keras.optimizers.Adam(rate), compile_classifier)
    batches = Batches(FEATURES, np.arange(48), LABELS, 16)
    with tempfile.TemporaryDirectory() as folder:
        history, _ = fit(model, batches, batches, folder=Path(folder), epochs=2, patience=2, restore_best=False)
    return model, list(history["loss"]), model.get_weights()


@pytest.mark.parametrize("build", [lambda seed: softmax_head(6, 3, seed), with_dropout])
def test_another_run_on_the_same_graph_ends_with_the_same_bits(build, monkeypatch):
    first, *_ = trained(build, 1)
    second, losses, weights = trained(build, 2)
    assert second is first
    monkeypatch.setattr(room, "_kept", {})
    alone, expected_losses, expected = trained(build, 2)
    assert alone is not first
    assert losses == expected_losses
    for ours, theirs in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="other backends go step by step")
def test_an_epoch_in_one_call_is_the_same_epoch_to_the_bit(tmp_path):
    def run(steps: int) -> tuple[keras.Model, list[np.ndarray], np.ndarray]:
        make_deterministic(1)
        model = compiled(with_dropout(1), keras.optimizers.Adam(0.01), compile_classifier, steps=steps)
        train = Batches(FEATURES, np.arange(40), LABELS[:40], 16, seed=1)  # three batches, the last one smaller
        val = Batches(FEATURES, np.arange(40, 48), LABELS[40:], 4)  # two
        history, _ = fit(model, train, val, folder=tmp_path / str(steps), epochs=4, patience=4)
        return model, [history.to_numpy(), *model.get_weights()], model.predict(val.epochs(), verbose=0)

    (one, weights, said), (whole, weights_of_whole, said_by_whole) = run(1), run(3)
    assert (one.steps_per_execution, whole.steps_per_execution) == (1, 3)
    for ours, theirs in zip([*weights, said], [*weights_of_whole, said_by_whole], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_two_that_take_turns_are_each_compiled_once():
    wide, narrow = (lambda seed: softmax_head(6, 3, seed)), (lambda seed: softmax_head(6, 4, seed))
    models = [trained(build, seed)[0] for seed in range(3) for build in (wide, narrow)]
    assert len(set(map(id, models))) == 2


@pytest.mark.parametrize(
    "other",
    [
        lambda seed: keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, "softmax")]),
        lambda seed: softmax_head(6, 4, seed),
    ],
)
def test_another_architecture_is_another_graph(other):
    assert trained(lambda seed: softmax_head(6, 3, seed), 0)[0] is not trained(other, 0)[0]


def test_another_optimizer_or_frozen_layer_is_another_graph():
    def frozen(seed: int) -> keras.Model:
        model = softmax_head(6, 3, seed)
        model.get_layer("softmax").trainable = False
        return model

    first = compiled(softmax_head(6, 3, 0), keras.optimizers.Adam(0.01), compile_classifier)
    assert compiled(softmax_head(6, 3, 0), keras.optimizers.Adam(0.02), compile_classifier) is not first
    assert compiled(softmax_head(6, 3, 0), keras.optimizers.SGD(0.01), compile_classifier) is not first
    assert compiled(frozen(0), keras.optimizers.Adam(0.01), compile_classifier) is not first
    assert compiled(softmax_head(6, 3, 1), keras.optimizers.Adam(0.01), compile_classifier) is first


def test_what_is_used_least_goes_when_there_is_too_much(monkeypatch):
    monkeypatch.setattr(room, "MOST", 50)  # numbers: two heads of 14, 21 or 28, not three
    models = [
        compiled(softmax_head(6, classes, 0), keras.optimizers.Adam(), compile_classifier) for classes in (3, 2, 3, 4)
    ]
    assert models[0] is models[2]
    assert next(iter(room._kept.values()))[0] is models[0]
    assert len(room._kept) == 2


def test_what_goes_is_gone_before_the_next_is_compiled(monkeypatch):
    monkeypatch.setattr(room, "MOST", 30)
    left = []

    def compile_by(model, optimizer):
        left.append(first())
        model.compile(optimizer)

    first = weakref.ref(compiled(softmax_head(6, 3, 0), keras.optimizers.Adam(), compile_classifier))
    assert first() is not None
    compiled(softmax_head(6, 2, 0), keras.optimizers.Adam(), compile_by)
    assert left == [None]


@pytest.mark.parametrize("optimizer", [keras.optimizers.Adam, lambda: keras.optimizers.Adagrad(0.1)])
def test_the_beginning_of_an_optimizer_is_kept_without_its_zeros(optimizer):
    model = compiled(softmax_head(6, 3, 0), optimizer(), compile_classifier)
    begun = [keras.ops.convert_to_numpy(variable) for variable in model.optimizer.variables]
    ((_, kept),) = room._kept.values()
    for ours, theirs in zip(kept, begun, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype and not any(ours.strides)


def test_seeds_and_initial_values_are_no_part_of_an_architecture():
    assert architecture(softmax_head(6, 3, 0)) == architecture(softmax_head(6, 3, 1))
    assert architecture(softmax_head(6, 3, 0)) != architecture(softmax_head(5, 3, 0))

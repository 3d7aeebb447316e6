from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_art.methods.tickets.optimizer import MaskedSGD

MASKED = ["one/kernel", "two/kernel"]


def model(seed=0):
    """Two convolutions, batch normalisation and a dense head on pictures of 6 x 6."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((6, 6, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="one")(inputs)
    x = keras.layers.BatchNormalization(name="bn")(x)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="two")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, "softmax", name="softmax")(x))


def data(n=64):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 6, 6, 3)).astype("float32"), rng.integers(0, 3, n)


def half(some):
    rng = np.random.default_rng(2)
    return {v.path: rng.random(v.shape) < 0.5 for v in some.trainable_variables if v.path in MASKED}


def weights(some):
    return {v.path: keras.ops.convert_to_numpy(v).copy() for v in some.weights}


def train(some, optimizer, masks=None, epochs=1, steps_per_execution=1, on_batch=None):
    some.compile(optimizer, "sparse_categorical_crossentropy", steps_per_execution=steps_per_execution)
    optimizer.build(some.trainable_variables)
    if masks is not None:
        optimizer.set_masks(some, masks)
    calls = [keras.callbacks.LambdaCallback(on_train_batch_end=on_batch)] if on_batch else []
    some.fit(*data(), batch_size=8, epochs=epochs, shuffle=False, verbose=0, callbacks=calls)
    return weights(some)


def test_pruned_weights_are_exactly_zero_after_every_step():
    some = model()
    masks, steps = half(some), []

    def look(batch, logs):
        if keras.config.backend() == "jax":
            some.jax_state_sync()  # in the middle of an epoch the variables are not up to date there
        now = weights(some)
        steps.append(all((now[path][~mask] == 0).all() for path, mask in masks.items()))

    train(some, MaskedSGD(masked=MASKED), masks, epochs=2, on_batch=look)
    assert steps == [True] * 16


@pytest.mark.skipif(keras.config.backend() == "torch", reason="PyTorch has no steps_per_execution")
def test_nothing_leaks_between_the_steps_of_one_execution():
    one, four = (
        train(some, MaskedSGD(masked=MASKED, l2=1e-3), half(some), epochs=2, steps_per_execution=n)
        for some, n in ((model(), 1), (model(), 4))
    )
    for path, value in one.items():
        np.testing.assert_allclose(four[path], value, atol=1e-5, err_msg=path)


def test_survivors_move_the_negative_ones_too():
    some = model()
    masks, before = half(some), weights(some)
    after = train(some, MaskedSGD(masked=MASKED), masks)
    for path, mask in masks.items():
        for sign in (before[path] < 0, before[path] > 0):
            assert (after[path] != before[path])[mask & sign].mean() > 0.95


def test_momentum_can_not_revive_a_pruned_weight():
    some = model()
    optimizer = MaskedSGD(0.1, masked=MASKED)
    train(some, optimizer)
    momentum = next(v for v in optimizer.variables if "one_kernel_momentum" in v.path)
    assert (keras.ops.convert_to_numpy(momentum) != 0).all()
    masks = half(some)
    optimizer.set_masks(some, masks)
    some.fit(*data(), batch_size=8, verbose=0)
    after = weights(some)
    assert all((after[path][~mask] == 0).all() for path, mask in masks.items())


def test_without_masks_it_is_keras_own_sgd():
    ours = train(model(), MaskedSGD(0.05, masked=MASKED), epochs=2)
    theirs = train(model(), keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True), epochs=2)
    for path, value in theirs.items():
        np.testing.assert_allclose(ours[path], value, atol=1e-6, err_msg=path)


def test_the_penalty_goes_through_the_momentum():
    variable = keras.Variable(np.float32([2.0, -1.0]), name="w")
    optimizer = MaskedSGD(0.1, momentum=0.9, nesterov=True, l2=0.5)
    optimizer.build([variable])
    w, m = np.float32([2.0, -1.0]), np.zeros(2, "float32")
    for gradient in ([1.0, 0.0], [0.5, -0.5], [0.0, 0.0]):
        optimizer.apply([keras.ops.convert_to_tensor(np.float32(gradient))])
        g = np.float32(gradient) + 0.5 * w
        m = 0.9 * m - 0.1 * g
        w = w + 0.9 * m - 0.1 * g
        np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), w, rtol=1e-6)


def test_masks_are_not_among_the_models_weights_but_in_the_optimizers_state():
    some = model()
    before = [v.path for v in some.weights]
    optimizer = MaskedSGD(masked=MASKED)
    train(some, optimizer, half(some))
    assert [v.path for v in some.weights] == before
    assert sum(v.path.endswith("_mask") for v in optimizer.variables) == 2


def test_it_survives_its_config():
    optimizer = MaskedSGD(0.3, momentum=0.5, nesterov=False, l2=0.01, masked=MASKED)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert isinstance(again, MaskedSGD)
    assert again.get_config() == optimizer.get_config()
    assert again.masked == tuple(MASKED) and again.l2 == 0.01 and not again.nesterov


def test_a_variable_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="three/kernel"):
        MaskedSGD(masked=["three/kernel"]).build(model().trainable_variables)


def test_a_variable_that_is_called_as_another_is_named():
    with pytest.raises(ValueError, match="several trainable variables are called one/kernel"):
        MaskedSGD(masked=MASKED).build([*model().trainable_variables, model().trainable_variables[0]])


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_laws_hold_on_other_backends(backend):
    pytest.importorskip(backend)
    if keras.config.backend() == backend:
        pytest.skip("the tests run on this backend already")
    script = """
import test_optimizer as t
t.test_pruned_weights_are_exactly_zero_after_every_step()
t.test_survivors_move_the_negative_ones_too()
t.test_momentum_can_not_revive_a_pruned_weight()
t.test_without_masks_it_is_keras_own_sgd()
"""
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)

"""Tickets of a model of one's own."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_art.errors import UserError
from keras_art.methods.tickets.search import find_tickets
from keras_art.pictures.pipeline import Batches
from keras_art.store.tickets import read_ticket, share_pruned, write_ticket


@pytest.fixture(scope="module")
def found():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(16, "relu"),
            keras.layers.Dense(8, "relu"),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    initial = [keras.ops.convert_to_numpy(w) for w in model.weights]
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 6)).astype("float32")
    batches = Batches(points, np.arange(60), (points[:, 0] > 0).astype("int32") + (points[:, 1] > 0), 20, seed=0)
    ticket = find_tickets(model, batches.epochs(0, 1), epochs=3, stages=4, rate=0.5, late_resetting=1)
    return model, initial, ticket


def test_masks_nest_and_each_stage_prunes_its_share_of_what_is_left(found):
    _, _, ticket = found
    shares = [share_pruned(ticket.masks(stage)) for stage in range(4)]
    assert shares == pytest.approx([0, 0.5, 0.75, 0.875], abs=0.01)
    for stage in range(3):
        for path, deeper in ticket.masks(stage + 1).items():
            assert not (deeper & ~ticket.masks(stage)[path]).any()


def test_the_classifier_is_not_pruned(found):
    model, _, ticket = found
    assert model.layers[-1].kernel.path not in ticket.last_stage
    assert len(ticket.last_stage) == 2


def test_the_model_ends_as_theta_k_under_the_deepest_mask(found):
    model, initial, ticket = found
    kept = ticket.masks(3)
    for variable, first in zip(model.weights, initial, strict=True):
        value, theta = keras.ops.convert_to_numpy(variable), ticket.theta[variable.path]
        np.testing.assert_array_equal(value, theta * kept[variable.path] if variable.path in kept else theta)
        assert "kernel" not in variable.path or not np.array_equal(theta, first), "late resetting is after an epoch"


def test_it_is_a_file_like_any_other_ticket(found, tmp_path):
    _, _, ticket = found
    write_ticket(tmp_path / "own.npz", ticket)
    again = read_ticket(tmp_path / "own.npz")
    for path, last in ticket.last_stage.items():
        np.testing.assert_array_equal(again.last_stage[path], last)


def test_what_can_not_be_is_refused_before_anything_is_trained():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.Dense(2, "softmax")])
    with pytest.raises(UserError, match="last for"):
        find_tickets(model, None, epochs=1, stages=99)
    with pytest.raises(ValueError, match="late_resetting"):
        find_tickets(model, None, epochs=1, stages=2, late_resetting=1)


def test_weights_that_are_called_alike_are_refused():
    def part(name):
        inputs = keras.Input((4,))
        return keras.Model(inputs, keras.layers.Dense(4, "relu", name="dense")(inputs), name=name)

    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(2, "softmax", name="out")(part("second")(part("first")(inputs)))
    with pytest.raises(UserError, match=r"has 2 weights called dense/kernel, .* give each layer"):
        find_tickets(keras.Model(inputs, outputs), None, epochs=1, stages=2)

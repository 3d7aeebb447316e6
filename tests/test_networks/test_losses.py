"""Losses of several label columns at once, and the networks that are trained by them."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_art.networks import backbones, heads
from keras_art.networks.losses import MultiTask, Term, masked_crossentropy


def network(width=8):
    inputs = keras.Input((16, 16, 3))
    return backbones.Backbone(keras.Model(inputs, keras.layers.Conv2D(width, 3, 2)(inputs), name="tiny"), "unit")


def classifier(learned=False, dropout=0.0):
    keras.utils.set_random_seed(0)
    model = heads.multitask_classifier(network(), {"style": 3, "artist's name": 4}, shared=6, hidden=5, dropout=dropout)
    return MultiTask(model.input, model.output, [Term("style", 0), Term("artist's name", 1, 0.5)], learned)


PIXELS = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3)).astype("uint8")


def test_the_crossentropy_is_the_mean_over_known_labels():
    probabilities = np.array([[0.5, 0.5], [0.1, 0.9], [0.25, 0.75]], "float32")
    found = masked_crossentropy(np.array([0, -1, 0]), probabilities)
    assert float(found) == pytest.approx(-(np.log(0.5) + np.log(0.25)) / 2, rel=1e-5)


def test_a_batch_without_labels_costs_nothing():
    assert float(masked_crossentropy(np.array([-1, -1]), np.full((2, 2), 0.5, "float32"))) == 0.0


def test_a_masked_label_contributes_no_gradient():
    def after(labels, pixels):
        model = classifier()
        model.compile(keras.optimizers.SGD(1.0))
        model.fit(pixels, labels, batch_size=len(pixels), verbose=0)
        return model.get_weights()

    # An image whose labels are all missing changes nothing at all; a head whose labels are all missing stays.
    labels = np.array([[0, 1], [1, 2], [2, 3]])
    alone = after(labels, PIXELS[:3])
    joined = after(np.vstack([labels, [[-1, -1]]]), PIXELS[:4])
    for a, b in zip(alone, joined, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    half, fresh = after(np.array([[0, -1], [1, -1], [2, -1]]), PIXELS[:3]), classifier()
    kept = [np.array_equal(a, b) for a, b in zip(half, fresh.get_weights(), strict=True)]
    still = [v.path for v, same in zip(fresh.weights, kept, strict=True) if same]
    assert [path for path in still if "hidden" in path or "logits" in path]
    assert all("artist" in path for path in still if "hidden" in path or "logits" in path)
    assert not all(kept)


def test_heads_have_the_parameters_they_say():
    model = heads.multitask_classifier(network(8), {"style": 3, "artist": 4}, shared=6, hidden=5)
    backbone = 3 * 3 * 3 * 8 + 8
    assert model.count_params() == backbone + (8 + 1) * 6 + 2 * (6 + 1) * 5 + (5 + 1) * (3 + 4)
    assert {task: output.shape for task, output in model.output.items()} == {"style": (None, 3), "artist": (None, 4)}


def test_the_loss_is_the_weighted_sum_and_accuracy_counts_known_labels():
    model = classifier()
    model.compile(keras.optimizers.SGD(0.0))
    labels = np.array([[0, -1], [1, 2], [-1, 3]])
    found = model.evaluate(PIXELS[:3], labels, verbose=0, return_dict=True)
    outputs = model.predict(PIXELS[:3], verbose=0)
    style, artist = outputs["style"], outputs["artist's name"]
    loss = -(np.log(style[0, 0]) + np.log(style[1, 1])) / 2 - 0.5 * (np.log(artist[1, 2]) + np.log(artist[2, 3])) / 2
    assert found["loss"] == pytest.approx(loss, rel=1e-4)
    right = (style[:2].argmax(1) == [0, 1]).mean()
    assert found["style_accuracy"] == pytest.approx(right)


def test_learned_weights_follow_kendall_and_leave_the_validation_loss_plain():
    model = classifier(learned=True)
    model.log_variances.assign([0.5, -1.0])
    labels = np.array([[0, 1], [1, 2]])
    outputs = {name: keras.ops.convert_to_numpy(output) for name, output in model(PIXELS[:2]).items()}
    plain = [
        float(weight * masked_crossentropy(labels[:, i], outputs[name]))
        for i, (name, weight) in enumerate((("style", 1.0), ("artist's name", 0.5)))
    ]
    trained = model.compute_loss(y=labels, y_pred=outputs, training=True)
    expected = np.exp(-0.5) * plain[0] + 0.25 + np.exp(1.0) * plain[1] - 0.5
    assert float(keras.ops.convert_to_numpy(trained)) == pytest.approx(expected, rel=1e-4)
    assert float(model.compute_loss(y=labels, y_pred=outputs, training=False)) == pytest.approx(sum(plain), rel=1e-4)


def test_learned_weights_move_in_training():
    model = classifier(learned=True)
    model.compile(keras.optimizers.Adam(0.1))
    model.fit(PIXELS, np.zeros((12, 2), int), epochs=2, verbose=0)
    assert (keras.ops.convert_to_numpy(model.log_variances) != 0).all()


def test_mixed_precision_keeps_the_softmax_in_float32():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = classifier()
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("shared").compute_dtype == "float16"
    assert {keras.backend.standardize_dtype(output.dtype) for output in model.output.values()} == {"float32"}
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(PIXELS, np.zeros((12, 2), int), verbose=0)
    np.testing.assert_allclose(model.predict(PIXELS, verbose=0)["style"].sum(axis=1), 1, atol=1e-6)


def test_the_heads_round_trip(tmp_path):
    model = classifier(dropout=0.4)
    plain = keras.Model(model.input, model.output)
    plain.save(tmp_path / "heads.keras")
    loaded = keras.saving.load_model(tmp_path / "heads.keras", compile=False)
    for task, found in plain.predict(PIXELS, verbose=0).items():
        np.testing.assert_allclose(loaded.predict(PIXELS, verbose=0)[task], found, atol=1e-6)


@pytest.mark.parametrize("tasks", [("type/genre", "type genre"), ("性別", "身分"), ("Style", "style"), ("_x", "a+b")])
def test_tasks_may_be_called_anything(tasks, tmp_path):
    heads_of = heads.multitask_classifier(network(), dict.fromkeys(tasks, 3), shared=4, hidden=4)
    model = MultiTask(heads_of.input, heads_of.output, [Term(task, i) for i, task in enumerate(tasks)])
    model.compile(keras.optimizers.SGD(0.1))
    history = model.fit(PIXELS, np.zeros((12, 2), int), verbose=0).history
    assert {f"{task}_accuracy" for task in tasks} <= set(history)
    keras.Model(model.input, model.output).save(tmp_path / "heads.keras")
    loaded = keras.saving.load_model(tmp_path / "heads.keras", compile=False)
    assert sorted(loaded.predict(PIXELS, verbose=0)) == sorted(tasks)  # JAX sorts the names of what it returns

"""Shapes that would be broadcast to something nobody meant are refused, with both shapes in the message."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest

import keras_art
from keras_art.methods.adain.networks import statistics
from keras_art.networks.gram import GramTriangle
from keras_art.networks.layers import check_shape


def zeros(*shape):
    return np.zeros(shape, "float32")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: keras_art.gram_matrix(zeros(4, 5, 3)), "maps must be (batch, height, width, channels), not of"),
        (lambda: GramTriangle()(zeros(2, 3, 4)), "the Gram matrix must be (batch, 3, 3)"),
        (lambda: keras_art.Preprocessing("caffe")(zeros(2, 8, 8, 1)), "pixels must be (batch, height, width, 3)"),
        (lambda: keras_art.ClusteringLayer(3)(zeros(2, 4, 5)), "points must be (batch, dimensions)"),
        (lambda: keras_art.SpatialAttention()(zeros(2, 4, 4, 3)), "takes a list of maps and global features"),
        (lambda: keras_art.SpatialAttention()([zeros(2, 4, 3), zeros(2, 3)]), "maps must be (batch, height, width"),
        (lambda: keras_art.SpatialAttention()([zeros(2, 4, 4, 3), zeros(2, 3, 3)]), "features must be (batch, width)"),
        (lambda: statistics(zeros(4, 4, 3)), "maps must be (batch, height, width, channels)"),
        (lambda: keras_art.adain(zeros(2, 4, 4, 3), zeros(2, 6, 6, 3)), "not one thing of shape (2, 6, 6, 3)"),
        (lambda: keras_art.adain(zeros(4, 4, 3), (zeros(1, 1, 1, 3),) * 2), "content maps must be (batch"),
        (lambda: keras_art.adain(zeros(2, 4, 4, 3), (zeros(1, 1, 1, 5),) * 2), "style's mean must be (batch, 1, 1, 3)"),
        (lambda: keras_art.adain(zeros(2, 4, 4, 3), (zeros(3, 1, 1, 3),) * 2), "2 contents and 3 styles"),
        (lambda: keras_art.FocalLoss()(np.array([0, 1]), zeros(2, 3, 3)), "probabilities must be (batch, classes)"),
        (lambda: keras_art.FocalLoss()(zeros(2, 4), zeros(2, 3)), "labels must be (batch,) or (batch, 1)"),
    ],
)  # fmt: skip
def test_another_shape_is_refused(call, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        call()


def test_a_size_that_is_not_known_yet_passes():
    check_shape("maps", (None, None, None, 3), ("batch", "height", "width", 3))
    check_shape("maps", keras.KerasTensor((None, 8, 8, 3)), ("batch", "height", "width", 3))


def test_the_focal_loss_takes_integers_and_one_hot_labels():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 6).astype("float32")
    labels = rng.integers(0, 4, 6)
    loss = keras_art.FocalLoss(gamma=1.5, focal_alpha=0.5, reduction=None)
    true = p[np.arange(6), labels]
    expected = -0.5 * (1 - true) ** 1.5 * np.log(true)
    for given in (labels, labels[:, None], np.eye(4)[labels]):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(loss(given, p)), expected, rtol=1e-5)


def test_a_model_is_compiled_with_the_focal_loss_and_one_hot_labels():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])
    x, labels = np.random.default_rng(0).normal(size=(8, 4)).astype("float32"), np.arange(8) % 3
    model.compile("sgd", keras_art.FocalLoss())
    losses = [model.evaluate(x, given, verbose=0) for given in (labels, np.eye(3, dtype="float32")[labels])]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5) and losses[0] > 0

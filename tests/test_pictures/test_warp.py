"""The warp by NumPy, beside TensorFlow's."""

from __future__ import annotations

import numpy as np
import pytest

from keras_art.pictures import augmentation, warp


@pytest.mark.parametrize("seed", [(0, 0), (3, 5), (12345678901, 7), (-4, 2**40 + 3)])
@pytest.mark.parametrize("count", [1, 5, 32])
def test_the_draws_are_tensorflows_to_the_bit(seed, count):
    tf = pytest.importorskip("tensorflow")
    theirs = tf.random.stateless_uniform([8, count], tf.constant(seed, tf.int64), -1.0, 1.0).numpy()
    ours = warp.uniform((8, count), np.array(seed))
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("size", [1, 2, 33, 64])
def test_the_pixels_are_tensorflows(size):
    tf = pytest.importorskip("tensorflow")
    images = np.random.default_rng(size).integers(0, 256, (32, size, size, 3), dtype="uint8")
    for step in range(3):
        theirs = augmentation.warped(images, tf.constant([5, step], tf.int64)).numpy().astype(int)
        ours = warp.warped(images, np.array([5, step]))
        assert ours.dtype == np.uint8 and ours.shape == images.shape
        assert np.abs(ours - theirs).max() <= 1
        assert (ours != theirs).mean() < 1e-3


@pytest.mark.parametrize(
    ("place", "found"), [(-0.25, 0), (-1, 0), (-2.5, 1.5), (3.5, 3), (4, 3), (6.5, 0.5), (2.5, 2.5)]
)
def test_edges_are_mirrored(place, found):
    assert warp._mirrored(np.array([place], "float32"), 4) == found


def test_without_randomness_it_is_the_identity(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype="uint8")
    still = np.zeros((8, 6), "float32")
    still[[0, 2]] = 1
    monkeypatch.setattr(warp, "uniform", lambda shape, seed: still)
    np.testing.assert_array_equal(warp.warped(images, np.zeros(2)), images)

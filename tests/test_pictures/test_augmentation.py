"""Three ways to change training images."""

from __future__ import annotations

import sys

import keras
import numpy as np
import pytest

from keras_art.errors import UserError
from keras_art.pictures import augmentation
from keras_art.pictures.pipeline import Batches

SIZE = 32
RAMP = np.broadcast_to(np.linspace(40, 215, SIZE)[None, None, :, None], (6, SIZE, SIZE, 3)).astype("uint8")


def batches(way, seed=0):
    augment = augmentation.in_pipeline(way, seed, SIZE)
    return Batches(RAMP, np.arange(6), np.zeros(6), 4, seed=seed, augment=augment)


def images(way, first=0, last=1, seed=0):
    source = batches(way, seed).epochs(first, last)
    fed = map(source.__getitem__, range(len(source))) if isinstance(source, keras.utils.PyDataset) else source
    return [keras.ops.convert_to_numpy(x) for x, _ in fed]


@pytest.mark.parametrize("way", ["tf_data", "keras_cv"])
def test_images_keep_their_shape_and_type_and_change(way):
    if way == "keras_cv":
        pytest.importorskip("keras_cv")
    for found in images(way):
        assert found.shape[1:] == (SIZE, SIZE, 3)
        assert found.dtype == np.uint8
        differ = (found != RAMP[: len(found)]).mean(axis=(1, 2, 3))
        assert (differ > 0.5).all()  # every image, most of its pixels


def test_tf_data_makes_the_same_batch_again_in_any_epoch_of_any_process():
    straight = images("tf_data", 0, 3)
    resumed = images("tf_data", 2, 3)
    for a, b in zip(straight[4:], resumed, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(straight[0], straight[2])
    assert not np.array_equal(straight[0], images("tf_data", seed=1)[0])


def test_tf_data_flips_half_and_keeps_the_window_within_the_image():
    many = np.repeat(RAMP[:1], 400, axis=0)
    found = np.asarray(augmentation.in_pipeline("tf_data", 3, SIZE)(many, np.array([3, 5]))).astype(float)
    rising = found[:, SIZE // 2, -4].mean(axis=-1) > found[:, SIZE // 2, 4].mean(axis=-1)
    assert 0.4 < rising.mean() < 0.6
    # A window of 80 to 100% turned by 10 degrees at most leaves at least 70% of the ramp's rise.
    contrast = np.abs(found[:, 16, -1].mean(-1) - found[:, 16, 0].mean(-1)) / (215 - 40)
    assert contrast.min() > 0.7 * 0.8 * 0.8
    assert contrast.max() < 1.0 * 1.2 * 1.2 + 1e-6


def test_without_randomness_tf_data_is_the_identity(monkeypatch):
    tf = pytest.importorskip("tensorflow")
    monkeypatch.setattr(tf.random, "stateless_uniform", lambda shape, seed, low, high: tf.constant(
        [[1.0] * 6] + [[0.0] * 6] + [[1.0] * 6] + [[0.0] * 6] * 5))  # fmt: skip
    np.testing.assert_array_equal(augmentation.warped(RAMP, None), RAMP)


def test_keras_layers_change_images_in_training_only():
    layer = augmentation.in_model("keras")
    np.testing.assert_array_equal(layer(RAMP, training=False), RAMP.astype("float32"))
    found = keras.ops.convert_to_numpy(layer(RAMP, training=True))
    assert found.shape == RAMP.shape
    assert found.min() >= 0
    assert found.max() <= 255
    assert (np.abs(found - RAMP) > 1).mean() > 0.5


def test_keras_cv_draws_anew_for_every_batch():
    pytest.importorskip("keras_cv")
    first, second = images("keras_cv", 0, 2)[::2]
    assert not np.array_equal(first, second)


def test_only_one_of_the_two_places_is_used():
    assert augmentation.in_pipeline("keras", 0, SIZE) is None
    assert augmentation.in_model("tf_data") is None
    assert augmentation.in_pipeline("none", 0, SIZE) is None


def test_an_unknown_way_names_the_known_ones():
    with pytest.raises(UserError, match="tf_data, keras, keras_cv, none"):
        augmentation.in_pipeline("albumentations", 0, SIZE)


def test_keras_cv_without_tensorflow_says_that_it_needs_both(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_cv", None)  # which fails to be imported where TensorFlow is not installed
    with pytest.raises(UserError, match="needs keras-cv and tensorflow; or take"):
        augmentation.in_pipeline("keras_cv", 0, SIZE)

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_art.networks.backbones import Backbone
from keras_art.networks.heads import (
    feature_extractor,
    last_features,
    multitask_classifier,
    softmax_classifier,
    softmax_head,
)

SIZE, WIDTH, CLASSES = 8, 6, 5


def tiny(preprocessing: str = "unit") -> Backbone:
    pixels = keras.Input((SIZE, SIZE, 3))
    maps = keras.layers.Conv2D(WIDTH, 3, 2, activation="relu", kernel_initializer=keras.initializers.HeUniform(0))
    return Backbone(keras.Model(pixels, maps(pixels), name="tiny"), preprocessing)


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), dtype="uint8")


@pytest.fixture
def half_floats():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def test_features_are_the_mean_of_the_maps_of_preprocessed_pixels(pixels):
    backbone = tiny()
    maps = backbone.model.predict(pixels / np.float32(255), verbose=0)
    features = feature_extractor(backbone).predict(pixels, verbose=0)
    assert features.shape == (4, WIDTH)
    np.testing.assert_allclose(features, maps.mean(axis=(1, 2)), atol=1e-6)


def test_probabilities_are_the_softmax_of_one_dense_layer_on_the_features(pixels):
    backbone = tiny("caffe")
    classifier = softmax_classifier(backbone, CLASSES)
    kernel, bias = classifier.get_layer("softmax").get_weights()
    logits = feature_extractor(backbone).predict(pixels, verbose=0) @ kernel + bias
    expected = np.exp(logits - logits.max(1, keepdims=True))
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(classifier.predict(pixels, verbose=0), expected, atol=1e-5)


def test_classifier_has_no_weights_but_the_backbones_and_one_dense_layer():
    backbone = tiny()
    assert softmax_classifier(backbone, CLASSES).count_params() == backbone.model.count_params() + (WIDTH + 1) * CLASSES


def test_head_alone_is_the_classifier_without_its_backbone(pixels):
    backbone = tiny()
    classifier, head = softmax_classifier(backbone, CLASSES, seed=3), softmax_head(WIDTH, CLASSES, seed=3)
    features = feature_extractor(backbone).predict(pixels, verbose=0)
    np.testing.assert_allclose(head.predict(features, verbose=0), classifier.predict(pixels, verbose=0), atol=1e-6)


def test_seed_decides_the_first_weights():
    kernels = [softmax_head(WIDTH, CLASSES, seed).get_weights()[0] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


def test_the_backbone_is_shared_not_copied():
    backbone = tiny()
    assert softmax_classifier(backbone, CLASSES).get_layer("tiny") is backbone.model


def test_a_frozen_backbone_leaves_the_dense_layer_to_train():
    backbone = tiny()
    backbone.model.trainable = False
    assert [v.path for v in softmax_classifier(backbone, CLASSES).trainable_variables] == [
        "softmax/kernel",
        "softmax/bias",
    ]


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_pixels_may_have_any_dtype(pixels, dtype):
    classifier = softmax_classifier(tiny(), CLASSES)
    expected = classifier.predict(pixels.astype("float32"), verbose=0)
    np.testing.assert_allclose(classifier.predict(pixels.astype(dtype), verbose=0), expected, atol=1e-6)


def test_probabilities_are_float32_under_half_precision(half_floats, pixels):
    classifier = softmax_classifier(tiny(), CLASSES)
    probabilities = classifier.predict(pixels, verbose=0)
    assert classifier.get_layer("tiny").compute_dtype == "float16"
    assert probabilities.dtype == "float32"
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)


def test_a_saved_classifier_takes_raw_pixels(tmp_path, pixels):
    classifier = softmax_classifier(tiny("torch"), CLASSES)
    classifier.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict(pixels, verbose=0), classifier.predict(pixels, verbose=0), rtol=1e-6, atol=1e-7
    )


# --- what a classifier sees before it decides


def test_the_last_features_of_a_classifier_are_its_pooled_maps():
    backbone = tiny()
    model = softmax_classifier(backbone, 3)
    images = np.random.default_rng(0).integers(0, 256, (2, *model.input.shape[1:])).astype("float32")
    expected = feature_extractor(backbone).predict(images, verbose=0)
    np.testing.assert_allclose(last_features(model).predict(images, verbose=0), expected, atol=1e-5)


def test_the_last_features_of_several_tasks_are_the_layer_they_share():
    model = multitask_classifier(tiny(), {"style": 2, "artist": 3}, shared=5, hidden=4)
    assert last_features(model).output is model.get_layer("shared").output
    alone = multitask_classifier(tiny(), {"style": 2}, shared=5, hidden=4)
    assert last_features(alone).output is alone.get_layer("style_dropout").output


def test_the_last_features_of_a_head_that_is_a_model_are_a_vector_it_is_given():
    pixels = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(4, 3)(pixels)
    vector = keras.layers.GlobalAveragePooling2D()(maps)
    given = keras.Input((6, 6, 4)), keras.Input((4,))
    inner = keras.layers.Concatenate()([keras.layers.GlobalMaxPooling2D()(given[0]), given[1]])
    head = keras.Model(given, keras.layers.Dense(2, "softmax")(inner), name="head")
    model = keras.Model(pixels, keras.layers.Softmax()(head([maps, vector])))
    assert last_features(model).output is vector


def test_the_last_features_of_what_has_no_vector_are_pooled():
    pixels = keras.Input((8, 8, 3))
    outputs = keras.layers.Conv2D(2, 6)(keras.layers.Conv2D(4, 3)(pixels))
    model = keras.Model(pixels, keras.layers.Softmax()(keras.layers.Flatten()(outputs)))
    assert last_features(model).output.shape == (None, 4)

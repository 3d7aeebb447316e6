"""What stands on a backbone: the softmax classifier of Sabatelli et al. 2018."""

from __future__ import annotations

import keras

from keras_art.backbones import Backbone, Preprocessing


def feature_extractor(backbone: Backbone) -> keras.Model:
    """Pixels (batch, size, size, 3) RGB in [0, 255] -> globally averaged maps (batch, width)."""
    pixels = keras.Input(backbone.model.input.shape[1:], name="pixels")
    maps = backbone.model(Preprocessing(backbone.preprocessing, name="preprocessing")(pixels))
    return keras.Model(pixels, keras.layers.GlobalAveragePooling2D(name="pooled")(maps), name="features")


def softmax_classifier(backbone: Backbone, classes: int, seed: int = 0) -> keras.Model:
    """Pixels (batch, size, size, 3) RGB in [0, 255] -> class probabilities (batch, classes).

    Backbone, global average pooling and one dense softmax layer, nothing hidden between (section 3.2 of the paper).
    """
    extractor = feature_extractor(backbone)
    return keras.Model(extractor.input, _softmax(classes, seed)(extractor.output), name="classifier")


def softmax_head(width: int, classes: int, seed: int = 0) -> keras.Model:
    """Features (batch, width) -> class probabilities (batch, classes): the classifier without its backbone."""
    features = keras.Input((width,), name="features")
    return keras.Model(features, _softmax(classes, seed)(features), name="head")


def _softmax(classes: int, seed: int) -> keras.layers.Dense:
    # float32 under any precision: a half-float softmax over a thousand classes loses the rare ones.
    initializer = keras.initializers.GlorotUniform(seed)
    return keras.layers.Dense(classes, "softmax", kernel_initializer=initializer, dtype="float32", name="softmax")

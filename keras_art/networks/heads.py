"""What stands on a backbone: one softmax (Sabatelli et al. 2018), or a shared layer with a head for every task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import keras

from keras_art.networks.backbones import Backbone, BadBackbone
from keras_art.networks.exported import network_within
from keras_art.networks.layers import Preprocessing
from keras_art.writing import distinct


def feature_extractor(backbone: Backbone, augmentation: keras.Layer | None = None) -> keras.Model:
    """Pixels (batch, size, size, 3) RGB in [0, 255] -> globally averaged maps, or an image's vector (batch, width).

    Args:
        augmentation: a layer that changes images in training only, (batch, size, size, 3) to the same.

    >>> from keras_art.networks.backbones import load_backbone
    >>> backbone = load_backbone("MobileNetV2", image_size=64, weights=None)
    >>> feature_extractor(backbone).output_shape
    (None, 1280)
    """
    pixels = keras.Input(backbone.model.input.shape[1:], name="pixels")
    images = augmentation(pixels) if augmentation else pixels
    maps = backbone.model(Preprocessing(backbone.preprocessing, name="preprocessing")(images))
    return keras.Model(pixels, pooled(maps), name="features")


def backbone_of(classifier: keras.Model) -> keras.Model:
    """The network that a classifier stands on: the model within it that is neither a part before it nor its head.

    Raises:
        BadBackbone: it stands on none.
    """
    if (found := network_within(classifier)) is None:
        raise BadBackbone(f"the model {classifier.name} is no classifier that stands on a network")
    return found


def last_features(classifier: keras.Model) -> keras.Model:
    """What a classifier sees in an image before it decides: the same pixels -> (batch, width).

    Of one task that is what the last layer with weights is given, of several the last vector that all of them share;
    what is no vector is `pooled`.
    """
    given = [_given_last(output) for output in keras.tree.flatten(classifier.output)]
    before = [_upstream(tensor) for tensor in given]
    shared = [tensor for tensor in before[0] if all(any(tensor is other for other in others) for others in before)]
    vectors = [tensor for tensor in shared if len(tensor.shape) == 2] or shared[:1]
    vector = vectors[0] if len(vectors[0].shape) == 2 else pooled(vectors[0])
    return keras.Model(classifier.input, vector, name="last_features")


def _given_last(output: Any) -> Any:
    """What the last layer with weights before a tensor is given; of several inputs a vector, if there is one."""
    tensor = output
    while True:
        operation, inputs = tensor._keras_history.operation, _inputs(tensor)
        if not inputs:
            return tensor
        tensor = next((given for given in inputs if len(given.shape) == 2), inputs[0])
        if getattr(operation, "weights", []):
            return tensor


def _inputs(tensor: Any) -> list[Any]:
    operation, node, _ = tensor._keras_history
    return list(operation._inbound_nodes[node].input_tensors) if operation._inbound_nodes else []


def _upstream(tensor: Any) -> list[Any]:
    """A tensor and all that it is made of, the nearest first."""
    found: list[Any] = []
    todo = [tensor]
    while todo:
        now = todo.pop(0)
        if not any(now is other for other in found):
            found.append(now)
            todo += _inputs(now)
    return found


def pooled(outputs: Any) -> Any:
    """One vector for an image: maps (batch, h, w, width) averaged, of tokens (batch, n, width) the first."""
    if len(outputs.shape) == 2:
        return outputs
    if len(outputs.shape) == 3:
        return outputs[:, 0]  # the class token of a vision transformer
    return keras.layers.GlobalAveragePooling2D(name="pooled")(outputs)


def softmax_classifier(
    backbone: Backbone, classes: int, seed: int = 0, augmentation: keras.Layer | None = None
) -> keras.Model:
    """Pixels (batch, size, size, 3) RGB in [0, 255] -> class probabilities (batch, classes).

    Backbone, global average pooling and one dense softmax layer, nothing hidden between (section 3.2 of the paper).

    >>> pixels = keras.Input((32, 32, 3))
    >>> network = keras.Model(pixels, keras.layers.Conv2D(8, 3, 2)(pixels))
    >>> softmax_classifier(Backbone(network, "unit"), classes=5).output_shape
    (None, 5)
    """
    extractor = feature_extractor(backbone, augmentation)
    return keras.Model(extractor.input, _softmax(classes, seed)(extractor.output), name="classifier")


def softmax_head(width: int, classes: int, seed: int = 0) -> keras.Model:
    """Features (batch, width) -> class probabilities (batch, classes): the classifier without its backbone."""
    features = keras.Input((width,), name="features")
    return keras.Model(features, _softmax(classes, seed)(features), name="head")


def _softmax(classes: int, seed: int) -> keras.layers.Dense:
    # float32 under any precision: a half-float softmax over a thousand classes loses the rare ones.
    initializer = keras.initializers.GlorotUniform(seed)
    return keras.layers.Dense(classes, "softmax", kernel_initializer=initializer, dtype="float32", name="softmax")


def multitask_classifier(
    backbone: Backbone,
    classes: Mapping[str, int],
    *,
    shared: int = 1024,
    hidden: int = 512,
    dropout: float = 0.4,
    augmentation: keras.Layer | None = None,
) -> keras.Model:
    """Pixels (batch, size, size, 3) RGB in [0, 255] -> task -> class probabilities (batch, classes of the task).

    Backbone, pooling, a dense layer that all tasks share, and for every task a dense layer, dropout and softmax. One
    task is the same with one head. The layer `shared` holds what t-SNE shows.

    Args:
        classes: task -> how many classes it has; a task may be called anything.
        shared: units of the shared layer; the design note has 1024 on ResNet and 768 on ViT.
        hidden: units of a head's dense layer, which the design note leaves open.
        augmentation: a layer that changes images in training only, (batch, size, size, 3) to the same.
    """
    pixels = keras.Input(backbone.model.input.shape[1:], name="pixels")
    images = augmentation(pixels) if augmentation else pixels
    maps = backbone.model(Preprocessing(backbone.preprocessing, name="preprocessing")(images))
    features = keras.layers.Dense(shared, "relu", name="shared")(pooled(maps))
    outputs = {}
    # A column may be called anything, a layer may not.
    names = distinct(classes, lambda task: re.sub(r"\W", "_", task, flags=re.ASCII))
    for task, count in classes.items():
        name = names[task]
        x = keras.layers.Dense(hidden, "relu", name=f"{name}_hidden")(features)
        x = keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)
        x = keras.layers.Dense(count, dtype="float32", name=f"{name}_logits")(x)
        outputs[task] = keras.layers.Softmax(dtype="float32", name=f"{name}_softmax")(x)
    return keras.Model(pixels, outputs, name="classifier")

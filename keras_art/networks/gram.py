"""Style as the correlations of features: a branch that classifies the Gram matrix of a backbone's maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_art.networks.backbones import Backbone, BadBackbone
from keras_art.networks.heads import pooled
from keras_art.networks.layers import Preprocessing, check_shape

DESCRIPTIONS = ("full", "triangle")


def gram_matrix(maps: Any) -> Any:
    """G = F F^T / HW, where F holds one row per channel and one column per position (Gatys et al. 2016, section 2.2).

    Args:
        maps: (batch, height, width, channels).

    Returns:
        (batch, channels, channels): symmetric, positive semi-definite, of rank HW at most, and the same for positions
        in any order.

    Raises:
        ValueError: maps of another rank.

    >>> maps = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype("float32")
    >>> tuple(gram_matrix(maps).shape)
    (2, 3, 3)
    """
    check_shape("maps", maps, ("batch", "height", "width", "channels"))
    positions = maps.shape[1] * maps.shape[2]
    rows = ops.reshape(maps, (-1, positions, maps.shape[3]))  # (batch, HW, channels), F transposed
    return ops.matmul(ops.transpose(rows, (0, 2, 1)), rows) / positions


@keras.saving.register_keras_serializable("keras_art")
class GramMatrix(keras.layers.Layer):
    """`gram_matrix` as a layer, float32 under any precision: a sum over positions overflows half floats."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, inputs: Any) -> Any:
        return gram_matrix(inputs)


@keras.saving.register_keras_serializable("keras_art")
class GramTriangle(keras.layers.Layer):
    """A Gram matrix's upper triangle, signed square root, scaled to unit length.

    Input: (batch, c, c). Output: (batch, c (c + 1) / 2) float32. The lower triangle repeats the upper one; the root
    keeps a few strong channels from drowning the others (as in bilinear pooling, Lin et al. 2015, section 3).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, inputs: Any) -> Any:
        channels = inputs.shape[1]
        check_shape("the Gram matrix", inputs, ("batch", channels, channels))
        rows, columns = np.triu_indices(channels)
        flat = ops.reshape(inputs, (-1, channels * channels))
        x = ops.take(flat, (rows * channels + columns).astype("int32"), axis=1)
        # The root's slope at 0 is infinite; a thousandth under it keeps gradients finite.
        x = ops.sign(x) * (ops.sqrt(ops.abs(x) + 1e-6) - 1e-3)
        return x / ops.maximum(ops.sqrt(ops.sum(ops.square(x), axis=1, keepdims=True)), 1e-6)


@dataclass(frozen=True)
class GramBranch:
    """How a Gram branch reads style.

    Attributes:
        tap: a layer of the backbone whose output is a map; "" is the end of the last stage but one.
        channels: to which a 1x1 convolution brings the tapped maps.
        description: "full", the matrix flattened, or "triangle" (`GramTriangle`).
        widths: units of its two dense layers.
    """

    tap: str = ""
    channels: int = 512
    description: str = "full"
    widths: tuple[int, int] = (512, 256)


def gram_classifier(
    backbone: Backbone,
    task: str,
    classes: int,
    branch: GramBranch | None = GramBranch(),
    *,
    fusion: float = 0.5,
    dropout: float = 0.6,
    shared: int = 512,
    augmentation: keras.Layer | None = None,
) -> keras.Model:
    """Pixels (batch, size, size, 3) in [0, 255] -> three class probabilities (batch, classes), or one.

    The output called `task` is the softmax of (1 - fusion) * main + fusion * gram, logits both; `task_main` and
    `task_gram` are the softmaxes of the branches alone, for auxiliary losses. The main branch averages the last maps,
    then has one dense layer, `shared`; the Gram branch brings the tapped maps to its channels, describes them by
    `GramMatrix`, then has two dense layers. Dropout follows every dense layer.

    On ResNet50 the default tap is the end of its third stage, 1024 channels; with 512 channels the dense layer
    on the full matrix alone has 512 * 512 * 512 + 512 = 134,218,240 parameters.

    Args:
        branch: None leaves it out, for what it is to be compared with: the main branch alone, and its one output.
        fusion: share of the Gram branch, in [0, 1].

    Raises:
        BadBackbone: the backbone has no maps, or no such tap.
    """
    if not backbone.has_maps:
        raise BadBackbone(f"a Gram matrix needs maps, and {backbone.model.name} has none: use a convolutional network")
    if branch and branch.description not in DESCRIPTIONS:
        raise ValueError(f"the description {branch.description!r} is none of {', '.join(DESCRIPTIONS)}")
    pixels = keras.Input(backbone.model.input.shape[1:], name="pixels")
    images = augmentation(pixels) if augmentation else pixels
    prepared = Preprocessing(backbone.preprocessing, name="preprocessing")(images)
    if branch is None:
        maps, last = None, backbone.model(prepared)
    else:
        maps, last = _tapped(backbone, branch)(prepared)
    x = keras.layers.Dense(shared, "relu", name="shared")(pooled(last))
    x = keras.layers.Dropout(dropout, name="main_dropout")(x)
    main = keras.layers.Dense(classes, dtype="float32", name="main_logits")(x)
    if branch is None:
        return keras.Model(pixels, {task: keras.layers.Softmax(dtype="float32")(main)}, name="classifier")

    x = GramMatrix(name="gram")(keras.layers.Conv2D(branch.channels, 1, name="gram_channels")(maps))
    full = branch.description == "full"
    x = keras.layers.Reshape((branch.channels**2,), dtype="float32")(x) if full else GramTriangle()(x)
    for i, width in enumerate(branch.widths, start=1):
        x = keras.layers.Dense(width, "relu", name=f"gram_dense_{i}")(x)
        x = keras.layers.Dropout(dropout, name=f"gram_dropout_{i}")(x)
    gram = keras.layers.Dense(classes, dtype="float32", name="gram_logits")(x)

    outputs = {task: (1 - fusion) * main + fusion * gram, f"{task}_main": main, f"{task}_gram": gram}
    softmax = {name: keras.layers.Softmax(dtype="float32")(logits) for name, logits in outputs.items()}
    return keras.Model(pixels, softmax, name="classifier")


def _tapped(backbone: Backbone, branch: GramBranch) -> keras.Model:
    """Preprocessed pixels -> the maps that a branch describes, and the last ones."""
    network, ends = backbone.model, f"its stages end with {', '.join(backbone.stages())}"
    tap = branch.tap or backbone.stages()[-2:][0]
    if tap not in [*backbone.taps, *(layer.name for layer in network.layers)]:
        raise BadBackbone(f"{network.name} has no layer {tap!r}; {ends}")
    try:
        maps = backbone.tap(tap)
    except BadBackbone as error:
        raise BadBackbone(f"{tap} of {network.name} is no map; {ends}") from error
    return keras.Model(network.input, [maps, network.output], name=network.name)


def gram_reader(model: keras.Model) -> keras.Model:
    """Pixels -> Gram matrices (batch, channels, channels), of a model that `gram_classifier` made."""
    return keras.Model(model.input, model.get_layer("gram").output)


def contributions(model: keras.Model, grams: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How much each feature correlation adds to a class's logit of the Gram branch, on that class's images.

    The gradient of the class's logit with respect to the description, times how far the image's description is from
    the mean of all images, averaged over the images of the class. Worked out in NumPy, which runs on every backend:
    the branch is dense layers and ReLUs alone.

    Args:
        model: what `gram_classifier` made.
        grams: (images, channels, channels), from `gram_reader`.
        labels: (images,) class indices; a class without images gets zeros.

    Returns:
        (classes, channels, channels); the triangle's contributions are shared by its two mirrored entries.
    """
    channels = grams.shape[1]
    triangle = any(isinstance(layer, GramTriangle) for layer in model.layers)
    x = ops.convert_to_numpy(GramTriangle()(grams)) if triangle else grams.reshape(len(grams), -1)
    (w1, b1), (w2, b2), (w3, _) = (
        model.get_layer(name).get_weights() for name in ("gram_dense_1", "gram_dense_2", "gram_logits")
    )
    first = x @ w1 + b1
    second = np.maximum(first, 0) @ w2 + b2
    far = x - x.mean(axis=0)
    found = np.zeros((w3.shape[1], channels, channels))
    rows, columns = np.triu_indices(channels)
    for c in np.unique(labels[labels >= 0]):
        mine = np.flatnonzero(labels == c)
        slopes = ((w3[:, c] * (second[mine] > 0)) @ w2.T * (first[mine] > 0)) @ w1.T  # (images of c, description)
        mean = (slopes * far[mine]).mean(axis=0)
        if triangle:
            found[c, rows, columns] = mean / 2
            found[c] += found[c].T
        else:
            found[c] = mean.reshape(channels, channels)
    return found

"""Spatial attention at several depths of a backbone, and the classifier of ST-SACLF that stands on it.

After the released code of arXiv 2408.01827, which follows Jetley et al. 2018, "Learn to Pay Attention".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_art.networks.backbones import Backbone
from keras_art.networks.heads import backbone_of
from keras_art.networks.layers import DropConnect, Preprocessing, check_shape

# The depths that the released code reads, by their names in keras.applications: for ResNet, the first convolution
# before its batch normalisation and the ends of stages 2 to 4.
TAPS = {
    "VGG16": ("block1_conv1", "block2_conv2", "block4_conv3", "block5_conv3"),
    "VGG19": ("block1_conv2", "block2_conv2", "block5_conv1", "block5_conv4"),
    "ResNet50": ("conv1_conv", "conv3_block4_out", "conv4_block6_out", "conv5_block3_out"),
}


@keras.saving.register_keras_serializable("keras_art")
class SpatialAttention(keras.layers.Layer):
    """Where to look in one map, and what is seen there.

    c = w . (P l + g) at every position, a = softmax of c over all positions, vector = sum of a P l. P is a 1x1
    convolution without bias, left out where l is as wide as g; w another, to one channel. The sums are carried out as
    (P^T w) . l and P (sum of a l), which is the same and never holds a projected map.

    Adding w . g to every position moves no softmax: as published, the global feature has no influence on the map. It
    is here because it is there.

    Computes in float32 under any precision: of 65,536 positions a half float loses most shares.

    Input: a list of maps (batch, h, w, channels) and global features (batch, width). Output: a tuple of vectors
    (batch, width) and maps (batch, h, w) that each sum to one.

    Raises:
        ValueError: other inputs.

    >>> vector, where = SpatialAttention()([keras.ops.ones((2, 6, 6, 16)), keras.ops.ones((2, 32))])
    >>> tuple(vector.shape), tuple(where.shape)
    ((2, 32), (2, 6, 6))
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})

    def build(self, input_shape: Sequence[Sequence[int | None]]) -> None:
        if len(input_shape) != 2 or not all(isinstance(shape, list | tuple) for shape in input_shape):
            raise ValueError("SpatialAttention takes a list of maps and global features: [maps, features]")
        local, whole = input_shape
        check_shape("maps", local, ("batch", "height", "width", "channels"))
        check_shape("global features", whole, ("batch", "width"))
        channels, width = local[-1], whole[-1]
        self.projection = None
        if channels != width:
            self.projection = self.add_weight(shape=(channels, width), initializer="glorot_uniform", name="projection")
        self.attention = self.add_weight(shape=(width, 1), initializer="glorot_uniform", name="attention")

    def call(self, inputs: Sequence[Any]) -> tuple[Any, Any]:
        local, whole = inputs
        height, width, channels = ops.shape(local)[1:]
        positions = ops.reshape(local, (-1, height * width, channels))
        direction = self.attention if self.projection is None else ops.matmul(self.projection, self.attention)
        scores = ops.matmul(positions, direction)[..., 0] + ops.matmul(whole, self.attention)  # (batch, positions)
        # Of one position the share is 1; Keras warns of a softmax that can say nothing else.
        shares = ops.softmax(scores, axis=-1) if height * width > 1 else ops.ones_like(scores)
        vector = ops.matmul(shares[:, None, :], positions)[:, 0]
        if self.projection is not None:
            vector = ops.matmul(vector, self.projection)
        return vector, ops.reshape(shares, (-1, height, width))


@keras.saving.register_keras_serializable("keras_art")
class AttentionPrior(keras.layers.Layer):
    """Adds to the loss how far attention is from masks that say where to look; what is predicted passes through.

    Of an image and a depth it is the Kullback-Leibler divergence of the mask, pooled to the map's size and divided by
    its sum, from the map: sum of m log(m / a). The loss is its mean over depths and over all images of the batch, times
    `weight`. A mask of zeros says nothing, and adds nothing.

    Args:
        weight: of the divergence, in nats, beside the loss of what is predicted.

    Input: a list of predictions (batch, ...), masks (batch, height, width) from 0 up in any unit, and maps (batch, h,
    w) that each sum to one. Output: the predictions.
    """

    def __init__(self, weight: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.weight = weight

    def call(self, inputs: Sequence[Any]) -> Any:
        predictions, masks, *maps = inputs
        divergences = [ops.mean(divergence(masks, shares)) for shares in maps]
        self.add_loss(self.weight * sum(divergences) / len(divergences))
        return predictions

    def compute_output_shape(self, input_shape: Sequence[Any]) -> Any:
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self.weight}


LEAST = 1e-30  # of a share, so that its logarithm is finite


def divergence(masks: Any, maps: Any) -> Any:
    """The Kullback-Leibler divergence of masks (batch, height, width) from maps (batch, h, w): (batch,), in nats."""
    wanted = pooled(masks, *maps.shape[1:])
    wanted = wanted / ops.maximum(ops.sum(wanted, axis=(1, 2), keepdims=True), LEAST)
    ratio = ops.log(ops.maximum(wanted, LEAST)) - ops.log(ops.maximum(maps, LEAST))
    return ops.sum(wanted * ratio, axis=(1, 2))


def pooled(masks: Any, height: int, width: int) -> Any:
    """The means of masks (batch, ...) over the areas of a grid that covers them: (batch, height, width)."""
    down, across = _areas(masks.shape[1], height), _areas(masks.shape[2], width)
    return ops.matmul(ops.matmul(down, masks), across.T)


def _areas(pixels: int, places: int) -> np.ndarray:
    """(places, pixels): the share of each pixel in each of as many stretches of one length; a place's sum to one."""
    edges, pixel = np.linspace(0, pixels, places + 1)[:, None], np.arange(pixels)
    covered = np.minimum(edges[1:], pixel + 1) - np.maximum(edges[:-1], pixel)
    return (covered.clip(0) * places / pixels).astype(np.float32)


def find_taps(backbone: Backbone, taps: Sequence[str] = ()) -> list[str]:
    """The layers to read, shallow to deep: those asked for, else the released code's, else four blocks' ends.

    Raises:
        BadBackbone: a layer that is not there, with the nearest names, or one that is no map.
    """
    known = {name.lower(): found for name, found in TAPS.items()}
    ends = backbone.stages()
    if backbone.taps:  # of a transformer, whose every block has maps of one size: four depths, evenly
        ends = [ends[round(len(ends) * i / 4) - 1] for i in range(1, 5)] if len(ends) > 4 else ends
    wanted = list(taps or known.get(backbone.model.name, ())) or ends[-4:]
    for tap in wanted:
        backbone.tap(tap)
    return wanted


def tapped(backbone: Backbone, taps: Sequence[str]) -> keras.Model:
    """Preprocessed pixels -> the maps of the taps, and last the backbone's own output."""
    model = backbone.model
    return keras.Model(model.input, [*map(backbone.tap, taps), model.output], name=model.name)


def attention_head(
    shapes: Sequence[Sequence[int]],
    width: int,
    classes: int,
    *,
    scale: str = "none",
    dropout: float = 0.0,
    drop: str = "dropout",
    regularizer: keras.regularizers.Regularizer | None = None,
) -> keras.Model:
    """Maps at several depths and the last map averaged -> class probabilities, and where each depth looks.

    The vectors of all depths side by side, a dense layer of `width` with ReLU, dropout, a dense softmax. The paper
    reads the maps as they come (`scale` "none"). Their sizes differ by orders of magnitude between networks and depths;
    "layer" divides each position by the root mean square of its channels, "batch" normalises each channel over the
    batch.

    Args:
        shapes: of the maps, (h, w, channels) each; none of them: the released code's classifier without attention, a
            dense layer of half the width without activation, dropout, a dense softmax.
        width: C, channels of the backbone's last map.
        scale: "none", "layer" or "batch".
        dropout: the share, in [0, 1).
        drop: "dropout", of the units before the last layer, or "dropconnect", of the last layer's weights.
        regularizer: of the dense kernels.

    Returns:
        A model from [maps..., global features (batch, width)] to [probabilities (batch, classes), attention maps
        (batch, h, w)...].
    """
    taps = [keras.Input(shape, name=f"tap_{i}") for i, shape in enumerate(shapes, start=1)]
    whole = keras.Input((width,), name="global")
    seen = [
        SpatialAttention(name=f"attention_{i}")([_scaled(tap, scale, f"scale_{i}"), whole])
        for i, tap in enumerate(taps, start=1)
    ]
    if taps:
        x = keras.layers.Concatenate(name="vectors")([vector for vector, _ in seen])
        x = keras.layers.Dense(width, "relu", kernel_regularizer=regularizer, name="fc1")(x)
    else:
        x = keras.layers.Dense(width // 2, kernel_regularizer=regularizer, name="fc1")(whole)
    last: dict[str, Any] = {"kernel_regularizer": regularizer, "dtype": "float32", "name": "probabilities"}
    if drop == "dropconnect":
        probabilities = DropConnect(classes, dropout, activation="softmax", **last)(x)
    else:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
        probabilities = keras.layers.Dense(classes, "softmax", **last)(x)
    return keras.Model([*taps, whole], [probabilities, *(maps for _, maps in seen)], name="head")


def _scaled(tap: Any, scale: str, name: str) -> Any:
    if scale == "layer":
        return keras.layers.RMSNormalization(axis=-1, dtype="float32", name=name)(tap)
    if scale == "batch":
        # 0.9, because a few hundred steps of training must be enough for the moving averages.
        return keras.layers.BatchNormalization(momentum=0.9, center=False, scale=False, dtype="float32", name=name)(tap)
    return tap


def attention_classifier(
    backbone: Backbone, taps: Sequence[str], classes: int, *, augmentation: keras.Layer | None = None, **head: Any
) -> keras.Model:
    """Pixels (batch, size, size, 3) RGB in [0, 255] -> class probabilities (batch, classes).

    Args:
        taps: layers of the backbone, as `find_taps` gives them; none: without attention.
        augmentation: a layer that changes images in training only, (batch, size, size, 3) to the same.
        head: what `attention_head` takes beside its shapes.

    >>> pixels = keras.Input((32, 32, 3))
    >>> maps = keras.layers.Conv2D(8, 3, 2, name="shallow")(pixels)
    >>> network = keras.Model(pixels, keras.layers.Conv2D(16, 3, 2, name="deep")(maps))
    >>> model = attention_classifier(Backbone(network, "unit"), ["shallow", "deep"], classes=5)
    >>> model.output_shape, [output.shape for output in attention_maps(model).outputs]
    ((None, 5), [(None, 15, 15), (None, 7, 7)])
    """
    reader = tapped(backbone, taps)
    pixels = keras.Input(backbone.model.input.shape[1:], name="pixels")
    images = augmentation(pixels) if augmentation else pixels
    *maps, last = reader(Preprocessing(backbone.preprocessing, name="preprocessing")(images))
    vector = len(last.shape) == 2  # of a transformer
    whole = (keras.layers.Identity if vector else keras.layers.GlobalAveragePooling2D)(name="global")(last)
    standing = attention_head([tap.shape[1:] for tap in maps], backbone.width, classes, **head)
    return keras.Model(pixels, standing([*maps, whole])[0], name="classifier")


def what_the_head_reads(model: keras.Model) -> keras.Model:
    """The pixels of an `attention_classifier` -> what its head takes: a map at each depth, global features."""
    *maps, last = backbone_of(model)(model.get_layer("preprocessing")(model.input))
    return keras.Model(model.input, [*maps, model.get_layer("global")(last)], name="reads")


def attention_maps(model: keras.Model) -> keras.Model:
    """The same pixels -> where an `attention_classifier` looks at each depth, a list of (batch, h, w)."""
    return keras.Model(model.input, model.get_layer("head")(what_the_head_reads(model).outputs)[1:], name="maps")


def with_prior(model: keras.Model, weight: float, augmentation: keras.Layer | None = None) -> keras.Model:
    """An `attention_classifier` as it is trained with a prior: its own layers and weights, and `AttentionPrior`.

    Args:
        augmentation: a layer that changes pixels and mask together, (batch, size, size, 4) to the same.

    Returns:
        A model from pixels with a mask as the fourth channel (batch, size, size, 4) to class probabilities.
    """
    both = keras.Input((*model.input.shape[1:3], 4), name="pixels_and_mask")
    moved = augmentation(both) if augmentation else both
    *maps, last = backbone_of(model)(model.get_layer("preprocessing")(moved[..., :3]))
    probabilities, *seen = model.get_layer("head")([*maps, model.get_layer("global")(last)])
    return keras.Model(
        both, AttentionPrior(weight, name="prior")([probabilities, moved[..., 3], *seen]), name="trained"
    )

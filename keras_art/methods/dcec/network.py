"""The convolutional autoencoder of DCEC and DCEC-Paint, layer by layer, and the layer that clusters its embedding."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_art.errors import UserError
from keras_art.networks.layers import check_shape

FILTERS = (32, 64, 128)
KERNELS = (5, 5, 3)


@keras.saving.register_keras_serializable("keras_art")
class Pixels(keras.layers.Layer):
    """Pixels as they are decoded -> the [0, 1] that the autoencoder sees and reconstructs.

    Input: (batch, height, width, 3) RGB in [0, 255], any dtype. Output: (batch, height, width, channels) in [0, 1].

    Args:
        channels: 3, or 1 for the mean of the three.
    """

    def __init__(self, channels: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels = channels

    def call(self, inputs: Any) -> Any:
        check_shape("pixels", inputs, ("batch", "height", "width", 3))
        x = ops.cast(inputs, self.compute_dtype) / 255.0
        return x if self.channels == 3 else ops.mean(x, axis=-1, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "channels": self.channels}


@keras.saving.register_keras_serializable("keras_art")
class ClusteringLayer(keras.layers.Layer):
    """How much a point belongs to each cluster, by Student's t distribution round the centroids.

    `q_ij = (1 + |z_i - mu_j|^2 / alpha)^(-(alpha + 1) / 2)`, normalised over j (Guo et al. 2017, equation 2; the norm
    is Euclidean, where West prints a square of vectors).

    Input: (batch, dimensions). Output: (batch, clusters) in (0, 1), rows sum to one.

    Args:
        clusters: k, the number of centroids.
        alpha: degrees of freedom.

    Raises:
        ValueError: points of another rank.

    >>> q = ClusteringLayer(clusters=4)(keras.ops.ones((5, 10)))
    >>> keras.ops.convert_to_numpy(q).sum(axis=1).round(4).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, clusters: int, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.clusters, self.alpha = clusters, alpha

    def build(self, input_shape: Any) -> None:
        check_shape("points", input_shape, ("batch", "dimensions"))
        self.centroids = self.add_weight(
            shape=(self.clusters, input_shape[-1]), initializer="glorot_uniform", name="centroids"
        )

    def call(self, inputs: Any) -> Any:
        distance = ops.sum(ops.square(ops.expand_dims(inputs, 1) - self.centroids), axis=-1)
        q = ops.power(1.0 + distance / self.alpha, -(self.alpha + 1.0) / 2.0)
        return q / ops.sum(q, axis=1, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "clusters": self.clusters, "alpha": self.alpha}


def autoencoder(
    image_size: int, *, channels: int = 3, embedding: int = 32, activation: str = "elu"
) -> tuple[keras.Model, keras.Model]:
    """Three strided convolutions down to a linear embedding, and their mirror back to a linear output.

    The text of DCEC-Paint says that all layers use ELU; in the code of all authors embedding and output are linear.
    At 128 pixels the two models have 2,384,931 parameters, and 32,768 features before the embedding (printed as
    327684 and 327,684).

    Args:
        image_size: side of the square input: divisible by 8 or, with Guo's unpadded third convolution, by 4.
        channels: 3, or 1 for grey.

    Returns:
        The encoder, (batch, image_size, image_size, 3) in [0, 255] -> (batch, embedding), and the decoder,
        (batch, embedding) -> (batch, image_size, image_size, channels) in about [0, 1].

    Raises:
        UserError: an image size which the decoder can not give back.
    """
    if image_size % 4 or image_size < 8:
        raise UserError(f"--image_size {image_size} can not be halved three times and back: take a multiple of 8")
    padding = ("same", "same", "same" if image_size % 8 == 0 else "valid")
    inputs = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    x = Pixels(channels, name="pixels")(inputs)
    for i, (filters, kernel, pad) in enumerate(zip(FILTERS, KERNELS, padding, strict=True), 1):
        x = keras.layers.Conv2D(filters, kernel, 2, pad, activation=activation, name=f"conv{i}")(x)
    shape = x.shape[1:]
    x = keras.layers.Flatten(name="flatten")(x)
    features = x.shape[-1]
    encoder = keras.Model(inputs, keras.layers.Dense(embedding, name="embedding")(x), name="encoder")

    z = keras.Input((embedding,), name="z")
    x = keras.layers.Dense(features, activation=activation, name="dense")(z)
    x = keras.layers.Reshape(shape, name="reshape")(x)
    deconvolution = keras.layers.Conv2DTranspose
    x = deconvolution(FILTERS[1], KERNELS[2], 2, padding[2], activation=activation, name="deconv3")(x)
    x = deconvolution(FILTERS[0], KERNELS[1], 2, padding[1], activation=activation, name="deconv2")(x)
    x = deconvolution(channels, KERNELS[0], 2, padding[0], name="deconv1")(x)
    return encoder, keras.Model(z, x, name="decoder")

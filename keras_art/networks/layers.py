"""Layers that stand in front of a network or within it: pixels as it knows them, normalisation of 2018, DropConnect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_art.networks.spreading import shared_out

CAFFE_MEAN = (103.939, 116.779, 123.68)  # BGR
TORCH_MEAN, TORCH_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # RGB, of pixels in [0, 1]


def check_shape(what: str, value: Any, axes: Sequence[str | int]) -> None:
    """Refuses a tensor of another shape, before it is broadcast to something nobody meant.

    Args:
        what: its name in the message.
        value: a tensor, an array or a shape; a size that is not known yet passes.
        axes: a word for a size that may be any, a number for one that must be.

    Raises:
        ValueError: saying both shapes.
    """
    shape = tuple(getattr(value, "shape", value))
    fits = len(shape) == len(axes) and all(
        size is None or isinstance(axis, str) or size == axis for size, axis in zip(shape, axes, strict=True)
    )
    if not fits:
        raise ValueError(f"{what} must be ({', '.join(map(str, axes))}), not of shape {shape}")


@keras.saving.register_keras_serializable("keras_art")
class Preprocessing(keras.layers.Layer):
    """Pixels as they are decoded -> pixels as a network was trained on.

    Input: (batch, height, width, 3) RGB in [0, 255], any dtype. Output: the same shape in the compute dtype.

    Args:
        mode: "unit" scales to [0, 1]; "tf" to [-1, 1]; "torch" to [0, 1], then ImageNet's mean and deviation;
            "caffe" turns RGB into BGR and subtracts ImageNet's mean; "none" leaves [0, 255].

    Raises:
        ValueError: another mode, or pixels that are not of three channels.

    >>> white = keras.ops.full((1, 2, 2, 3), 255)
    >>> float(Preprocessing("tf")(white)[0, 0, 0, 0])
    1.0
    """

    MODES = ("unit", "caffe", "tf", "torch", "none")

    def __init__(self, mode: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mode not in self.MODES:
            raise ValueError(f"preprocessing {mode!r} is none of {', '.join(self.MODES)}")
        self.mode = mode

    def call(self, inputs: Any) -> Any:
        check_shape("pixels", inputs, ("batch", "height", "width", 3))
        x = ops.cast(shared_out(inputs), "float32")  # rounded once, at the end, where the compute dtype is a half float
        if self.mode == "unit":
            x = x / 255.0
        elif self.mode == "tf":
            x = x / 127.5 - 1.0
        elif self.mode == "torch":
            x = (x / 255.0 - ops.array(TORCH_MEAN, "float32")) / ops.array(TORCH_STD, "float32")
        elif self.mode == "caffe":
            x = ops.flip(x, axis=-1) - ops.array(CAFFE_MEAN, "float32")
        return ops.cast(x, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode}


@keras.saving.register_keras_serializable("keras_art")
class BatchNormalization2018(keras.layers.BatchNormalization):
    """Batch normalisation as Keras had it in 2018 when a layer was frozen.

    Frozen or not, training normalises with the batch's own statistics and inference with the moving averages; a
    frozen layer does not update them (keras pull request 9965). Keras 3 uses the moving averages throughout.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if self.trainable or not training:
            return super().call(inputs, training=training, mask=mask)
        axes = [axis for axis in range(len(inputs.shape)) if axis != self.axis % len(inputs.shape)]
        x = ops.cast(inputs, "float32")
        mean, variance = ops.moments(x, axes=axes, synchronized=self.synchronized)
        outputs = ops.batch_normalization(
            x, mean, variance, axis=self.axis, offset=self.beta, scale=self.gamma, epsilon=self.epsilon
        )
        return ops.cast(outputs, self.compute_dtype)


@keras.saving.register_keras_serializable("keras_art")
class DropConnect(keras.layers.Dense):
    """A dense layer of which each step of training leaves out a share of the weights (Wan et al. 2013).

    What is left is scaled up by 1 / (1 - rate), so that prediction takes the kernel as it is.

    Args:
        rate: share of the kernel that is left out, in [0, 1).
    """

    def __init__(self, units: int, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        kernel = ops.cast(self.kernel, self.compute_dtype)
        if training:
            kernel = keras.random.dropout(kernel, self.rate, seed=self.seed_generator)
        return self.activation(ops.matmul(inputs, kernel) + ops.cast(self.bias, self.compute_dtype))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}

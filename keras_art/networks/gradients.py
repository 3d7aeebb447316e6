"""What a class's score takes from the maps that a head reads: gradients on every backend, and Grad-CAM of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_art.errors import UserError


def gradients(model: keras.Model, inputs: Sequence[np.ndarray], labels: np.ndarray) -> list[np.ndarray]:
    """Of the logarithm of each image's probability of its label, with respect to each input.

    Args:
        model: inputs -> class probabilities (n, classes).
        inputs: float32, (n, ...) each.
        labels: (n,) of classes.

    Returns:
        For each input an array of its shape.

    Raises:
        UserError: Keras runs on a backend without gradients.
    """
    tensors = [ops.convert_to_tensor(values, "float32") for values in inputs]
    chosen = ops.expand_dims(ops.convert_to_tensor(labels, "int32"), 1)

    def score(*given: Any) -> Any:
        probabilities = ops.take_along_axis(model(list(given), training=False), chosen, axis=1)
        return ops.sum(ops.log(ops.maximum(probabilities, keras.config.epsilon())))

    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            total = score(*tensors)
        found = tape.gradient(total, tensors, unconnected_gradients="zero")
    elif backend == "jax":
        import jax

        found = jax.grad(score, argnums=tuple(range(len(tensors))))(*tensors)
    elif backend == "torch":
        import torch

        leaves = [tensor.detach().requires_grad_() for tensor in tensors]
        found = torch.autograd.grad(score(*leaves), leaves, allow_unused=True, materialize_grads=True)
    else:
        raise UserError(f"Keras on {backend} has no gradients: set KERAS_BACKEND to tensorflow, jax or torch")
    return [ops.convert_to_numpy(gradient) for gradient in found]


def grad_cam(model: keras.Model, maps: Sequence[np.ndarray], labels: np.ndarray) -> list[np.ndarray]:
    """Grad-CAM (Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391, equations 1 and 2) of maps that a head reads.

    The gradient is that of the logarithm of the class's probability, since heads end in a softmax; of a map that others
    are computed from it is what the head takes from that map itself.

    Args:
        model: maps, and whatever else it reads, -> class probabilities.
        maps: what it takes; (n, h, w, channels) are explained, anything else is held as it is.
        labels: (n,), the classes that are explained.

    Returns:
        (n, h, w) float32 for each of the maps, from 0.
    """
    found = gradients(model, maps, labels)
    return [
        np.maximum((values * slope.mean(axis=(1, 2), keepdims=True)).sum(axis=3), 0)
        for values, slope in zip(maps, found, strict=True)
        if values.ndim == 4
    ]

"""Drop-connect: weights left out of training, where dropout leaves out units."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


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

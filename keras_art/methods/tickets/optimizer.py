"""Stochastic gradient descent that leaves pruned weights at zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_art.networks.layers import check_shape


@keras.saving.register_keras_serializable("keras_art")
class MaskedSGD(keras.optimizers.SGD):
    """SGD whose masked weights are exactly zero after every step.

    The masks are variables of the optimizer: not among the model's weights, part of the state that a checkpoint keeps,
    and applied within the training step, whatever `steps_per_execution` is and whichever the backend. A weight moves
    before it is masked, so that no momentum can revive it.

    Args:
        l2: coefficient of a penalty of l2 / 2 times each squared weight, biases and batch normalisation included,
            whose gradient goes through the momentum, as PyTorch's `weight_decay` does. Keras's argument of that name
            is decoupled from both.
        masked: paths of the variables that have a mask, all ones until `set_masks`; each of one variable.

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, use_bias=False, name="dense")])
    >>> kernel = model.trainable_variables[0]
    >>> optimizer = MaskedSGD(0.1, masked=[kernel.path])
    >>> optimizer.build(model.trainable_variables)
    >>> optimizer.set_masks(model, {kernel.path: np.eye(4, 2, dtype=bool)})
    >>> int((keras.ops.convert_to_numpy(kernel) != 0).sum())
    2
    """

    def __init__(
        self,
        learning_rate: Any = 0.1,
        momentum: float = 0.9,
        nesterov: bool = True,
        l2: float = 0.0,
        masked: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, momentum=momentum, nesterov=nesterov, **kwargs)
        self.l2, self.masked = l2, tuple(masked)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        paths = [v.path for v in variables]
        if unknown := set(self.masked) - set(paths):
            raise ValueError(f"no trainable variable is called {', '.join(sorted(unknown))}")
        if several := {path for path in self.masked if paths.count(path) > 1}:
            raise ValueError(f"several trainable variables are called {', '.join(sorted(several))}")
        self.masks = [
            self.add_variable_from_reference(v, name="mask", initializer="ones") if v.path in self.masked else None
            for v in variables
        ]

    def set_masks(self, model: keras.Model, masks: Mapping[str, np.ndarray]) -> None:
        """Masks a model's weights from now on, and at once.

        Args:
            model: the one whose variables this optimizer was built on.
            masks: path -> True where a weight is kept; a masked variable that is not named keeps all of its weights.

        Raises:
            ValueError: a mask of another shape than its variable's.
        """
        for variable, mask in zip(model.trainable_variables, self.masks, strict=True):
            if mask is not None:
                kept = masks.get(variable.path, np.ones(variable.shape))
                check_shape(f"the mask of {variable.path}", kept, variable.shape)
                mask.assign(kept.astype("float32"))
                variable.assign(variable * mask)

    def update_step(self, gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
        # Keras's own step, written with one multiplication less, so that the mask's comes for nothing.
        index = self._get_variable_index(variable)
        gradient = keras.ops.cast(gradient, variable.dtype)
        if self.l2:
            gradient = gradient + self.l2 * variable
        move = -keras.ops.cast(learning_rate, variable.dtype) * gradient
        if self.momentum:
            velocity = self.momentum * self.momentums[index] + move
            self.assign(self.momentums[index], velocity)
            move = self.momentum * velocity + move if self.nesterov else velocity
        moved, mask = variable + move, self.masks[index]
        self.assign(variable, moved if mask is None else moved * mask)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "l2": self.l2, "masked": list(self.masked)}

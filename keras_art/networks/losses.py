"""The focal loss: what is already right counts for less."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_art")
class FocalLoss(keras.losses.Loss):
    """alpha (1 - p)^gamma (-log p), p the probability of the true class (Lin et al. 2017), over integer labels.

    With `gamma` 0 and `focal_alpha` 1 it is the cross-entropy. ST-SACLF has 2 and 2: a factor over all classes alike,
    which scales the loss and weighs no class.

    Takes labels (batch,) in [0, classes) and probabilities (batch, classes); a probability of 0 counts as 1e-7, as in
    Keras.
    """

    def __init__(self, gamma: float = 2.0, focal_alpha: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**{"name": "focal", **kwargs})
        self.gamma, self.focal_alpha = gamma, focal_alpha

    def call(self, y_true: Any, y_pred: Any) -> Any:
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        p = ops.take_along_axis(ops.cast(y_pred, "float32"), labels[:, None], axis=1)[:, 0]
        p = ops.clip(p, keras.config.epsilon(), 1.0 - keras.config.epsilon())
        return -self.focal_alpha * (1.0 - p) ** self.gamma * ops.log(p)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gamma": self.gamma, "focal_alpha": self.focal_alpha}

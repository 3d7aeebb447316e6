"""Losses: the focal one, and cross-entropies of several label columns at once, with weights given or learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from keras_art.networks.layers import check_shape

SMALLEST = 1e-37  # of a float32 that is not rounded further


@keras.saving.register_keras_serializable("keras_art")
class FocalLoss(keras.losses.Loss):
    """alpha (1 - p)^gamma (-log p), p the probability of the true class (Lin et al. 2017, equation 4).

    With `gamma` 0 and `focal_alpha` 1 it is the cross-entropy. ST-SACLF has 2 and 2: a factor over all classes alike,
    which scales the loss and weighs no class.

    Takes probabilities (batch, classes); and labels (batch,) or (batch, 1), int in [0, classes), or one-hot (batch,
    classes). Rows that share their weight among classes get the shares of the classes' losses. A probability of 0
    counts as 1e-37: under Keras's own floor, 1e-7, the loss has no slope, and a head that its first steps throw there
    stays at the majority class.

    Raises:
        ValueError: labels or probabilities of another shape.

    >>> loss = FocalLoss(gamma=0.0, focal_alpha=1.0)  # the cross-entropy
    >>> round(float(loss(np.array([1]), np.array([[0.5, 0.5]]))), 3)
    0.693
    >>> round(float(loss(np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]]))), 3)
    0.693
    """

    def __init__(self, gamma: float = 2.0, focal_alpha: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**{"name": "focal", **kwargs})
        self.gamma, self.focal_alpha = gamma, focal_alpha

    def call(self, y_true: Any, y_pred: Any) -> Any:
        check_shape("probabilities", y_pred, ("batch", "classes"))
        columns = y_true.shape[1] if len(y_true.shape) > 1 else 1
        if len(y_true.shape) > 2 or columns not in (1, y_pred.shape[1]):
            raise ValueError(
                f"labels must be (batch,) or (batch, 1) of integers, or one-hot {tuple(y_pred.shape)} like the "
                f"probabilities, not of shape {tuple(y_true.shape)}"
            )
        p = ops.cast(y_pred, "float32")
        if columns == 1:
            labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
            return self._of(ops.take_along_axis(p, labels[:, None], axis=1)[:, 0])
        return ops.sum(ops.cast(y_true, "float32") * self._of(p), axis=1)

    def _of(self, p: Any) -> Any:
        p = ops.clip(p, SMALLEST, 1.0 - keras.config.epsilon())
        return -self.focal_alpha * (1.0 - p) ** self.gamma * ops.log(p)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gamma": self.gamma, "focal_alpha": self.focal_alpha}


@dataclass(frozen=True)
class Term:
    """One cross-entropy of the sum: the model's output of that name against a column of the labels."""

    output: str
    column: int
    weight: float = 1.0


def masked_crossentropy(labels: Any, probabilities: Any) -> Any:
    """Mean cross-entropy, in nats, of the samples whose label is known; 0 where none is.

    Args:
        labels: (batch,) int, negative where missing.
        probabilities: (batch, classes).
    """
    probabilities = ops.cast(probabilities, "float32")
    known = ops.cast(labels >= 0, "float32")
    each = ops.sparse_categorical_crossentropy(ops.maximum(labels, 0), probabilities)
    # Multiplied, not selected: a missing label's gradient is exactly zero.
    return ops.sum(each * known) / ops.maximum(ops.sum(known), 1.0)


class MultiTask(keras.Model):
    """A functional model that learns from a matrix of labels.

    The loss in training is the sum of the terms' `masked_crossentropy`, each times its weight. Learned, the weight of
    term i is exp(-s_i), and s_i / 2 is added, where s_i = log sigma_i^2 is a variable (Kendall et al. 2018, section
    3.2: homoscedastic uncertainty). The validation loss is always the sum with the given weights, so that
    epochs compare.

    Labels are (batch, columns) int. Metrics are `<output>_accuracy`, of the samples whose label is known.

    Args:
        inputs: a functional model's.
        outputs: name -> class probabilities (batch, classes).
        terms: what is summed.
        learned: learn the weights.
    """

    def __init__(self, inputs: Any, outputs: Mapping[str, Any], terms: Sequence[Term], learned: bool = False) -> None:
        super().__init__(inputs, dict(outputs), name="classifier")
        self.terms = list(terms)
        self.log_variances = (
            self.add_weight(shape=(len(terms),), initializer="zeros", name="log_variances") if learned else None
        )
        self.accuracies = {
            term.output: keras.metrics.SparseCategoricalAccuracy(name=f"{term.output}_accuracy") for term in terms
        }

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        total = 0.0
        for i, term in enumerate(self.terms):
            loss = term.weight * masked_crossentropy(y[:, term.column], y_pred[term.output])
            if training and self.log_variances is not None:
                s = ops.cast(self.log_variances[i], "float32")
                loss = ops.exp(-s) * loss + s / 2
            total = total + loss
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        for term in self.terms:
            labels = y[:, term.column]
            known = ops.cast(labels >= 0, "float32")
            self.accuracies[term.output].update_state(ops.maximum(labels, 0), y_pred[term.output], known)
        return self.get_metrics_result()

"""The same masks, computed by tensorflow-model-optimization on the TensorFlow backend.

Its wrapper `prune_low_magnitude` knows only Keras 2 models; its schedules and its `Pruning` know only variables, and
Keras 3's are TensorFlow's there.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from keras_art.methods.tickets.masks import Weights, split, survivors
from keras_art.store.tickets import Masks


def magnitude_masks(weights: Weights, kept: Weights, sparsity: float, scope: str) -> Masks:
    """`masks.magnitude_masks`, weight for weight, by `Pruning` and `ConstantSparsity`.

    In the scope "global" all kernels stand end to end in one variable, which `Pruning` takes for one layer.
    """
    if scope == "layer":
        return {path: _largest(w, kept[path], sparsity) for path, w in weights.items()}
    vector, left = (np.concatenate([array[path].ravel() for path in weights]) for array in (weights, kept))
    return split(_largest(vector, left, sparsity), weights)


def _largest(weights: np.ndarray, kept: np.ndarray, sparsity: float) -> np.ndarray:
    """The largest magnitudes of all, those already lost excepted.

    `Pruning` sorts, which takes many times as long as a partition; of weights that are lost and zero it need not.
    """
    wanted, left = survivors(weights.size, sparsity), weights[kept]
    mask = kept.copy()
    if left.size >= wanted and not weights[~kept].any():
        share = 1 - wanted / left.size
        if survivors(left.size, share) == wanted:
            mask[kept] = _pruned(left, share)
            return mask
    return mask & _pruned(weights, sparsity)


def _pruned(weights: np.ndarray, sparsity: float) -> np.ndarray:
    import tensorflow as tf

    pruning_impl, pruning_schedule = _modules()
    weight, mask = tf.Variable(weights), tf.Variable(tf.ones(weights.shape))
    schedule = pruning_schedule.ConstantSparsity(sparsity, begin_step=0, frequency=1)
    variables = [(weight, mask, tf.Variable(0.0))]
    pruning_impl.Pruning(lambda: 1, variables, schedule, [1, 1], "AVG").conditional_mask_update()
    return mask.numpy().astype(bool)


def _modules() -> tuple[Any, Any]:
    """Its two modules, imported so that nobody else notices.

    The import asks for Keras 2 in an environment variable that child processes inherit and `tf.keras`, where it is not
    yet resolved, obeys; so it is resolved first, and the variable put back.
    """
    import tensorflow as tf

    _ = tf.keras.version
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    try:
        from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl, pruning_schedule
    finally:
        os.environ.pop("TF_USE_LEGACY_KERAS", None)
        if before is not None:
            os.environ["TF_USE_LEGACY_KERAS"] = before
    return pruning_impl, pruning_schedule

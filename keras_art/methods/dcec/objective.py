"""What DCEC and its pretraining minimise, and what it learns towards.

    L = lambda_r * L_r + lambda_c * L_c

L_r is the squared error of the reconstruction, averaged over pixels, channels and images; L_c is KL(P || Q) =
sum_j p_ij log(p_ij / q_ij), summed over clusters and averaged over images. The papers write sums over images too:
weights mean something only together with these reductions.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_art.errors import UserError

EPSILON = 1e-7  # p and q are clipped to [EPSILON, 1] before the logarithm, as in Keras


def loss_weights(gamma: float, convention: str = "convex") -> tuple[float, float]:
    """lambda_r and lambda_c of a gamma in [0, 1].

    Args:
        convention: "convex" is (1 - gamma, gamma), as the code of DCEC-Paint has it, whose texts state gamma in five
            ways; "guo" is (1, gamma), L_r + gamma L_c.

    Raises:
        UserError: gamma outside [0, 1].
    """
    if not 0 <= gamma <= 1:
        raise UserError(f"--gamma {gamma} is outside [0, 1]: it is the weight of the clustering loss")
    return (1.0 - gamma, gamma) if convention == "convex" else (1.0, gamma)


def target_distribution(q: np.ndarray) -> np.ndarray:
    """p_ij = (q_ij^2 / f_j) / sum_j' (q_ij'^2 / f_j'), f_j = sum_i q_ij over the whole collection.

    Args:
        q: (images, clusters), of every image; a batch's own f_j would be another target.

    Returns:
        (images, clusters) float32, rows sum to one.
    """
    q = q.astype(np.float64)
    # A cluster without a share of any image must not turn all of p into NaN.
    weight = q**2 / np.maximum(q.sum(axis=0), EPSILON)
    return (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)


def reconstruction_loss(encoder: keras.Model, x: Any, reconstruction: Any) -> Any:
    """L_r: squared error, averaged over pixels, channels and images."""
    return ops.mean(ops.square(encoder.get_layer("pixels")(x) - reconstruction))


def clustering_loss(p: Any, q: Any) -> Any:
    """L_c: KL(P || Q), summed over clusters, averaged over images; p is data, no gradient passes through it."""
    p, q = ops.clip(p, EPSILON, 1.0), ops.clip(q, EPSILON, 1.0)
    return ops.mean(ops.sum(p * ops.log(p / q), axis=-1))

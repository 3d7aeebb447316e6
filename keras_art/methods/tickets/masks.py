"""Which weights of a network are kept, by magnitude.

A mask is a dictionary: path of a kernel -> bool array of the kernel's shape, True where a weight is kept. The sparsity
of a stage is 1 - (1 - rate)^stage of the prunable weights, which are the kernels of convolutions and dense layers:
never biases, never batch normalisation, and the classifier's own head only where that is asked for.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from keras_art.errors import UserError
from keras_art.store.tickets import Masks

Weights = Mapping[str, np.ndarray]


def prunable(model: keras.Model, *, head: bool = False) -> list[keras.Variable]:
    """The kernels that may lose weights, in the model's order.

    Args:
        head: whether those of the layer "softmax" are among them.
    """
    kernels = [v for v in model.trainable_variables if "kernel" in v.name]
    return [v for v in kernels if head or not v.path.startswith("softmax/")]


def check_paths(model: keras.Model, others: Sequence[str] = ()) -> None:
    """Refuses a network with weights of one path, by which theta and masks tell them apart.

    Keras names a weight by its layer, and not by the models within the network that the layer lies in.

    Args:
        others: further paths, of what will stand on it.

    Raises:
        UserError: naming the first.
    """
    counts = Counter([*(v.path for v in model.weights), *others])
    if path := next((path for path, times in counts.items() if times > 1), ""):
        raise UserError(
            f"{model.name} has {counts[path]} weights called {path}, and a ticket tells them apart by that: give each "
            f"layer of the models within it a name that no other has"
        )


def check_stages(stages: int, rate: float, scope: str, kernels: Sequence[tuple[int, ...]]) -> None:
    """Refuses a ladder that is longer than the weights last.

    Args:
        stages: how many, the unpruned one included.
        kernels: shapes of the prunable ones.

    Raises:
        UserError: the last stage would keep not even one weight of them all, or of the largest, as the scope has it;
            or its number does not fit into a ticket's byte.
    """
    sizes = [math.prod(shape) for shape in kernels]
    weights = sum(sizes) if scope == "global" else max(sizes)
    most = min(int(math.log(weights) / -math.log1p(-rate)) + 1, 256)
    if not 1 <= stages <= most:
        raise UserError(
            f"--stages {stages} at --rate {rate:g}: {weights:,} prunable weights last for 1 to {most} stages, the "
            f"unpruned one included"
        )


def survivors(n: int, sparsity: float) -> int:
    """How many of n weights are kept at a sparsity, at least one.

    In float32, rounded half to even, as tensorflow-model-optimization has it: of 23 million weights that can be one or
    two off the exact number, and the two agree.
    """
    return max(int(np.rint(np.float32(n) * (np.float32(1) - np.float32(sparsity)))), 1)


def magnitude_masks(weights: Weights, kept: Weights, sparsity: float, scope: str) -> Masks:
    """The masks of the largest magnitudes, of all kernels together or in each.

    Weights whose magnitude equals that of the last one kept are kept too; what `kept` has lost stays lost.

    Args:
        weights: path -> kernel after training.
        kept: path -> mask of the stage before.
        sparsity: share of all weights, not of the remaining ones.
        scope: "global" or "layer".
    """
    if scope == "layer":
        return {path: _largest(np.abs(w), sparsity) & kept[path] for path, w in weights.items()}
    magnitudes = np.concatenate([np.abs(w).ravel() for w in weights.values()])
    return {path: mask & kept[path] for path, mask in split(_largest(magnitudes, sparsity), weights).items()}


def _largest(magnitudes: np.ndarray, sparsity: float) -> np.ndarray:
    place = magnitudes.size - survivors(magnitudes.size, sparsity)
    return magnitudes >= np.partition(magnitudes, place, axis=None)[place]


def split(vector: np.ndarray, like: Weights) -> Masks:
    """A vector over all kernels end to end, cut into their shapes."""
    ends = np.cumsum([w.size for w in like.values()])[:-1]
    return {p: part.reshape(w.shape) for (p, w), part in zip(like.items(), np.split(vector, ends), strict=True)}


def shuffled(masks: Weights, seed: int) -> Masks:
    """As many weights of each kernel, at random places."""
    rng = np.random.default_rng(seed)
    return {path: rng.permutation(mask.ravel()).reshape(mask.shape) for path, mask in masks.items()}

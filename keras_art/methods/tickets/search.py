"""Lottery tickets of a Keras model of one's own: found in memory, without a store."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_art.methods.tickets import masks
from keras_art.methods.tickets.optimizer import MaskedSGD
from keras_art.store.tickets import Ticket
from keras_art.study.kinds.tickets import sparsity


def find_tickets(
    model: keras.Model,
    train: Any,
    *,
    epochs: int,
    stages: int,
    rate: float = 0.2,
    late_resetting: int = 0,
    learning_rate: float = 0.1,
    scope: str = "global",
) -> Ticket:
    """Iterative magnitude pruning with late resetting (Frankle and Carbin 2019; Frankle et al. 2019, algorithm 2).

    The model is trained for `late_resetting` epochs, which gives theta_k; then, stage after stage, it is trained to the
    end from theta_k under the stage's mask, and the smallest of the weights that are left are pruned.

    Args:
        model: built, its output class probabilities; its weights are theta_0, and theta_k under the deepest mask when
            this returns.
        train: what `fit` takes as `x`, of batches (inputs, integer labels): a `tf.data.Dataset` or a `PyDataset`.
        epochs: of every stage, those before theta_k included.
        stages: how many masks, the full one of stage 0 included.
        rate: share of the remaining weights that each stage prunes, in (0, 1).
        late_resetting: k, in epochs.
        learning_rate: of SGD with a Nesterov momentum of 0.9.
        scope: "global", the smallest magnitudes of all layers together, or "layer", of each.

    Returns:
        theta_k, and for every weight of all kernels but the last, which is the classifier's, the last stage it
        survives. `store.tickets.write_ticket` makes a file of it.

    Raises:
        UserError: the weights do not last for so many stages, or two of them have one path.
        ValueError: no epoch is left after theta_k, or the model has no kernels beside its classifier's.

    >>> rng = np.random.default_rng(0)
    >>> layers = [keras.layers.Dense(16, "relu"), keras.layers.Dense(3, "softmax")]
    >>> model = keras.Sequential([keras.Input((8,)), *layers])
    >>> class Train(keras.utils.PyDataset):
    ...     def __len__(self):
    ...         return 2
    ...     def __getitem__(self, index):
    ...         return rng.normal(size=(4, 8)).astype("float32"), rng.integers(0, 3, 4)
    >>> ticket = find_tickets(model, Train(), epochs=1, stages=3, rate=0.5)
    >>> [sum(int(mask.sum()) for mask in ticket.masks(stage).values()) for stage in range(3)]
    [128, 64, 32]
    """
    if not 0 <= late_resetting < epochs:
        raise ValueError(f"late_resetting is {late_resetting} of {epochs} epochs: one must be left to train")
    kernels = masks.prunable(model, head=True)[:-1]
    if not kernels:
        raise ValueError(f"{model.name} has no kernels beside its classifier's: build it, and give it a hidden layer")
    masks.check_paths(model)
    masks.check_stages(stages, rate, scope, [kernel.shape for kernel in kernels])
    paths = [kernel.path for kernel in kernels]

    def fit(kept: dict[str, np.ndarray], first: int, last: int) -> None:
        optimizer = MaskedSGD(learning_rate, masked=paths)
        model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy())
        optimizer.build(model.trainable_variables)
        optimizer.set_masks(model, kept)
        model.fit(train, initial_epoch=first, epochs=last, shuffle=False, verbose=0)

    kept = {kernel.path: np.ones(kernel.shape, bool) for kernel in kernels}
    if late_resetting:
        fit(kept, 0, late_resetting)
    theta = {v.path: keras.ops.convert_to_numpy(v).copy() for v in model.weights}
    ticket = Ticket(theta, {path: np.zeros(mask.shape, np.uint8) for path, mask in kept.items()}, 1, {})
    for stage in range(1, stages):
        fit(kept, late_resetting, epochs)
        trained = {kernel.path: keras.ops.convert_to_numpy(kernel) for kernel in kernels}
        kept = masks.magnitude_masks(trained, kept, sparsity(stage, rate), scope)
        ticket = ticket.with_masks(kept)
        for variable in model.weights:
            variable.assign(theta[variable.path])
    for kernel in kernels:
        kernel.assign(kernel * kept[kernel.path].astype("float32"))
    return ticket

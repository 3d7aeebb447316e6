"""Training that stops early, survives a kill, and ends with the same numbers as if nothing had happened."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from keras_art import backend
from keras_art.errors import nearest
from keras_art.learning.keeping import Keeper
from keras_art.networks.loading import computing_anew
from keras_art.pictures.pipeline import Batches
from keras_art.study.config import BadRun, Optimizer


def make_optimizer(described: Optimizer, steps: int = 1, rate: Any = None) -> keras.optimizers.Optimizer:
    """The optimizer of Keras that a run describes.

    Args:
        steps: of an epoch, for learning rates that fall.
        rate: a schedule instead of the rate that is described.

    Raises:
        BadRun: Keras has none of that name, or it does not take these options.
    """
    kind: Any = getattr(keras.optimizers, described.name, None)
    if not (isinstance(kind, type) and issubclass(kind, keras.optimizers.Optimizer)):
        known = [name for name, value in vars(keras.optimizers).items() if isinstance(value, type)]
        near = nearest(described.name, known) or ["Adam", "AdamW", "SGD"]
        raise BadRun(f"Keras has no optimizer called {described.name}: did you mean {' or '.join(near)}?")
    rate = described.learning_rate if rate is None else rate
    if described.drops:
        ends = [steps * epochs - 1 for epochs in described.drops]  # the last step at the old rate
        rates = [described.learning_rate / 10**i for i in range(len(ends) + 1)]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(ends, rates)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # of an option that Keras would ignore
            return kind(rate, **dict(described.options))
    except (TypeError, ValueError, UserWarning) as error:
        raise BadRun(f"Keras has no optimizer {described.name} with {dict(described.options)}: {error}") from error


def make_deterministic(seed: int) -> None:
    """Nothing of what this process did before shows in what it makes now, to the bit.

    The dtype policy stays, and the devices that share batches. Seeds Python, NumPy and the backend, whose operations
    repeat bit for bit.
    """
    policy, spread = keras.config.dtype_policy(), keras.distribution.distribution()
    keras.utils.clear_session(free_memory=False)  # Keras numbers layers without a name through a process
    keras.config.set_dtype_policy(policy)
    keras.distribution.set_distribution(spread)
    keras.utils.set_random_seed(seed)
    backend.make_repeatable()
    if keras.config.backend() == "tensorflow":
        forget_graphs()


def forget_graphs() -> None:
    """Lets TensorFlow give back the memory of functions that nobody can call any more.

    For every gradient that a traced function defines itself, such as that of its cross-entropy, TensorFlow keeps a rule
    for ever, and with it the whole graph: some 30 MB for each training of a small network. Gradients are asked for
    while a function is traced; what is traced needs the rules no more.
    """
    from tensorflow.python.framework import ops

    rules = getattr(ops.gradient_registry, "_registry", {})  # where it is in the TensorFlow of constraints.txt
    if left := [name for name in rules if name.startswith("CustomGradient-")]:
        for name in left:
            del rules[name]
        backend.give_back()


@contextmanager
def precision(policy: str) -> Iterator[None]:
    """Layers made inside compute by a dtype policy; after it they compute in float32 again."""
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy("float32")


def computing(model: keras.Model, policy: str) -> keras.Model:
    """A copy of a functional model, with the same weights, whose layers compute by a dtype policy."""
    with precision(policy):
        twin = keras.models.clone_model(model, clone_function=computing_anew)
    twin.set_weights(model.get_weights())
    return twin


def compile_classifier(model: keras.Model, optimizer: keras.optimizers.Optimizer, steps: int = 1) -> None:
    """Cross-entropy on integer labels, accuracy beside it.

    Args:
        steps: of an epoch, where TensorFlow is to go through all of them in one call: Python takes longer for a step of
            a small network than its arithmetic does. The numbers are the same.
    """
    at_once = steps if keras.config.backend() == "tensorflow" else 1
    loss = keras.losses.SparseCategoricalCrossentropy()
    model.compile(optimizer, loss, metrics=["accuracy"], steps_per_execution=at_once)
    make_metrics(model)


def make_metrics(model: keras.Model) -> None:
    """Makes the variables of a compiled classifier's loss and metrics, which its first step of training would.

    A step that makes variables is traced twice: once more without.
    """
    label, said = np.zeros(1, np.int32), np.ones((1, model.outputs[0].shape[-1]), np.float32)
    model.compute_metrics(None, label, said)
    model.reset_metrics()


def fit(
    model: keras.Model,
    train: Batches,
    val: Batches,
    *,
    folder: Path,
    epochs: int,
    patience: int,
    restore_best: bool = True,
    on_epoch: Callable[[int, dict[str, float]], None] = lambda epoch, logs: None,
) -> tuple[pd.DataFrame, bool]:
    """Trains a compiled model until the validation loss has not fallen for `patience` epochs.

    The whole state (weights, optimizer, seed generators, early stopping, history) goes into `folder/checkpoint` by
    rename, after the last epoch and so often before it that a kill costs a minute, or an epoch that is longer; called
    again after it, training goes on from there.

    Args:
        restore_best: end with the weights of the smallest validation loss (the paper) or the last ones (its code).
        on_epoch: called with the number of epochs done and the epoch's logs.

    Returns:
        The history (epoch from 1, loss, accuracy, val_loss, val_accuracy), also written to `folder/history.csv`, and
        whether training stayed finite.
    """
    model.optimizer.build(model.trainable_variables)
    keeper = Keeper(model, folder, patience, restore_best, on_epoch)
    first = keeper.resume()
    if first < epochs and not keeper.stopped:
        model.fit(
            train.epochs(first, epochs),
            steps_per_epoch=len(train),
            initial_epoch=first,
            epochs=epochs,
            validation_data=val.epochs(),
            callbacks=[keeper],
            shuffle=False,  # the batches come in their order
            verbose=0,
        )
    keeper.restore()
    return pd.DataFrame(keeper.history), not keeper.diverged

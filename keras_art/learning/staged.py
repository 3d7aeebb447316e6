"""Training in stages: first the head on a frozen backbone, then more and more of the backbone, at other rates."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from keras_art.errors import UserError
from keras_art.learning.adaptation import free, hold
from keras_art.learning.keeping import Keeper, epochs_kept
from keras_art.networks.taps import layers_in_order
from keras_art.pictures.pipeline import Batches


@dataclass(frozen=True)
class Stage:
    """Some epochs in which a part of the backbone learns, and all that stands on it.

    Attributes:
        epochs: how many.
        learning_rate: at the stage's beginning.
        unfrozen: how the names of the backbone's layers begin that learn: ("conv5",); ("",) is all of them, () none.
        first: or the path of the first layer that learns, and all that a picture goes through after it, by
            `taps.layers_in_order`.
    """

    epochs: int
    learning_rate: float
    unfrozen: tuple[str, ...] = ()
    first: str = ""

    @property
    def thaws(self) -> bool:
        """Whether anything of the backbone learns."""
        return bool(self.unfrozen or self.first)


@dataclass(frozen=True)
class Plateau:
    """When the learning rate falls: Keras's ReduceLROnPlateau with PyTorch's relative threshold.

    Attributes:
        factor: of the learning rate.
        patience: epochs without improvement before it is reduced.
        threshold: an improvement is a validation loss below (1 - threshold) times the best of the stage.
    """

    factor: float = 0.1
    patience: int = 2
    threshold: float = 1e-4

    def reductions(self, losses: Sequence[float]) -> int:
        """How often the rate has fallen after these validation losses: of the past alone, so nothing is to be kept."""
        best, waited, count = float("inf"), 0, 0
        for loss in losses:
            if loss < best * (1 - self.threshold):
                best, waited = loss, 0
            else:
                waited += 1
            if waited >= self.patience:
                waited, count = 0, count + 1
        return count


@dataclass(frozen=True)
class Schedule:
    """How a model is trained, stage after stage.

    Attributes:
        stages: in their order.
        compile_at: compiles the model with a new optimizer of the given learning rate.
        plateau: lowers a stage's learning rate; None keeps it.
        patience: epochs without a better `monitor` before training stops; None never stops it.
        monitor: what the best epoch has the least of, `val_loss`, or most of, `val_accuracy`.
    """

    stages: Sequence[Stage]
    compile_at: Callable[[float], None]
    plateau: Plateau | None = None
    patience: int | None = None
    monitor: str = "val_loss"


def freeze(backbone: keras.Model, unfrozen: Sequence[str]) -> None:
    """Lets the layers of a backbone learn whose names begin like one of `unfrozen`, and no other.

    Raises:
        UserError: no layer begins like one of them; the message names the blocks there are.
    """
    for beginning in unfrozen:
        if not any(layer.name.startswith(beginning) for layer in backbone.layers):
            blocks = dict.fromkeys(layer.name.split("_")[0] for layer in backbone.layers)
            raise UserError(f"{backbone.name} has no layers called {beginning}...; they begin with {', '.join(blocks)}")
    free(backbone)
    for layer in backbone.layers:
        layer.trainable = layer.name.startswith(tuple(unfrozen)) if unfrozen else False


def thaw(backbone: keras.Model, stage: Stage) -> None:
    """Lets the layers of a backbone learn that a stage is of, and no other.

    Raises:
        UserError: as `freeze`.
    """
    if not stage.first:
        freeze(backbone, stage.unfrozen)
        return
    free(backbone)
    before = itertools.takewhile(lambda found: found[0] != stage.first, layers_in_order(backbone))
    hold(layer for _, layer in before)


def fit(
    model: keras.Model,
    backbone: keras.Model,
    train: Batches,
    val: Batches,
    *,
    schedule: Schedule,
    folder: Path,
    on_epoch: Callable[[int, dict[str, float]], None] = lambda epoch, logs: None,
) -> tuple[pd.DataFrame, bool]:
    """Trains a model through its stages, each with a fresh optimizer; ends with the weights of the best epoch of all.

    Stopped and called again it goes on from the last epoch that was kept, in the stage that epoch belongs to, as
    `training.fit` does.

    Args:
        backbone: the part of `model` that stages freeze.

    Returns:
        The history, with the columns `stage` (from 1) and `learning_rate`, and whether training stayed finite.
    """
    keeper = _StagedKeeper(model, folder, schedule, on_epoch)
    done, end = len(epochs_kept(folder)), 0
    for number, stage in enumerate(schedule.stages, start=1):
        begin, end = end, end + stage.epochs
        if done > end:
            continue
        thaw(backbone, stage)
        schedule.compile_at(stage.learning_rate)
        model.optimizer.build(model.trainable_variables)
        keeper.number, keeper.begin, keeper.stage = number, begin, stage
        if begin < done:
            keeper.resume()  # also where the stage is whole: its last epoch holds the weights the next begins with
        if keeper.stopped:
            break
        if done < end:
            model.fit(
                train.epochs(max(done, begin), end),
                steps_per_epoch=len(train),
                initial_epoch=max(done, begin),
                epochs=end,
                validation_data=val.epochs(),
                callbacks=[keeper],
                shuffle=False,
                verbose=0,
            )
            if keeper.stopped:
                break
    keeper.restore()
    return pd.DataFrame(keeper.history), not keeper.diverged


class _StagedKeeper(Keeper):
    """Keeps the whole of a staged training as one history, and lowers the learning rate within a stage."""

    def __init__(
        self,
        model: keras.Model,
        folder: Path,
        schedule: Schedule,
        on_epoch: Callable[[int, dict[str, float]], None],
    ) -> None:
        patience = schedule.patience or sum(stage.epochs for stage in schedule.stages) + 1
        super().__init__(model, folder, patience, True, on_epoch, schedule.monitor)
        self.plateau = schedule.plateau
        self.number, self.begin, self.stage, self.rate = 0, 0, Stage(0, 0.0), 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # Of a schedule it is that of the next step: after the epoch's last one another epoch's.
        self.rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        super().on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = {**(logs or {}), "stage": self.number, "learning_rate": self.rate}
        if self.plateau:
            losses = [row["val_loss"] for row in self.history[self.begin :]] + [logs["val_loss"]]
            reduced = self.stage.learning_rate * self.plateau.factor ** self.plateau.reductions(losses)
            self.model.optimizer.learning_rate = reduced  # before it is saved with the epoch
        super().on_epoch_end(epoch, logs)

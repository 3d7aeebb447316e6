"""The state of a training on disk: kept as it goes on, taken up after a kill, as if nothing had happened."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from keras_art import terminal
from keras_art.store.reading import read_arrays
from keras_art.store.sums import Damaged
from keras_art.writing import write, write_arrays

BEGINS_ANEW = "this training begins anew"
APART = 60.0  # seconds of training that a kill may cost: an epoch of half of that, or longer, is kept each time
SHOWN = 1.0  # seconds of training that `history.csv` may lag behind: an epoch of a head takes less than writing it


def epochs_kept(folder: Path) -> list[dict[str, float]]:
    """The history of the whole epochs that an earlier process has left in a run's directory."""
    _, kept = _last_epoch(folder / "checkpoint")
    return kept.get("history", [])


def _last_epoch(checkpoint: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The state after the last epoch that was kept and what its `Keeper` knew; both empty where there is none.

    What is damaged is told of and goes: a training that begins anew ends with the same numbers.
    """
    path = checkpoint / "epoch.npz"
    if not path.exists():
        shutil.rmtree(checkpoint, ignore_errors=True)
        return {}, {}
    try:
        arrays = read_arrays(path, BEGINS_ANEW)
        kept = json.loads(str(arrays["keeper"]))
        if kept["best_epoch"]:
            read_arrays(checkpoint / f"best-{kept['best_epoch']}.npz", BEGINS_ANEW)
    except (Damaged, KeyError, TypeError, ValueError) as error:
        terminal.say(str(error))
        shutil.rmtree(checkpoint)
        return {}, {}
    return arrays, kept


class Keeper(keras.callbacks.Callback):
    """Keras's EarlyStopping and BackupAndRestore in one, because each forgets what the other needs after a kill."""

    def __init__(
        self,
        model: keras.Model,
        folder: Path,
        patience: int,
        restore_best: bool,
        on_epoch: Callable[[int, dict[str, float]], None],
        monitor: str = "val_loss",
    ) -> None:
        super().__init__()
        self.set_model(model)
        self.folder, self.checkpoint = folder, folder / "checkpoint"
        self.patience, self.restore_best, self.on_epoch = patience, restore_best, on_epoch
        self.monitor = monitor  # a loss, which falls, or an accuracy, which rises
        self.history: list[dict[str, float]] = []
        self.best_epoch, self.stopped, self.diverged = 0, False, False
        self.best: list[np.ndarray] | None = None  # the weights of that epoch, until they are in their file
        self.kept_at = self.begun_at = self.written_at = time.monotonic()
        # Where PyTorch stands before `fit`, which draws while it looks what a model is that it has not trained before.
        torch_random = _torch_random()
        self.torch_state: np.ndarray | None = torch_random.get_rng_state().numpy() if torch_random else None

    @property
    def _state(self) -> list[Any]:
        # `variables`, not `weights`: the state of Dropout's and augmentation's seed generators is in it.
        return [*self.model.variables, *self.model.optimizer.variables]

    def resume(self) -> int:
        """Takes up the last epoch that was kept, if there is one; returns how many epochs are done."""
        arrays, kept = _last_epoch(self.checkpoint)
        if not kept:
            return 0
        if [tuple(v.shape) for v in self._state] != [arrays[n].shape for n in arrays if n.isdigit()]:
            raise Damaged(f"{self.checkpoint} is of another network: delete it, and training begins anew")
        for i, variable in enumerate(self._state):
            variable.assign(arrays[f"{i}"])
        self.torch_state = arrays.get("torch")
        self.history, self.best_epoch = kept["history"], kept["best_epoch"]
        self.stopped, self.diverged = kept["stopped"], kept["diverged"]
        return len(self.history)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.begun_at = time.monotonic()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        # Only now: opening the data loader draws, too.
        if self.torch_state is not None:
            _torch_random().set_rng_state(keras.ops.convert_to_tensor(self.torch_state).cpu())
            self.torch_state = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # Now and then, not every batch: reading the loss waits for the device.
        if batch % 50 == 49 and not math.isfinite(logs["loss"]):
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.history.append({"epoch": epoch + 1, **{name: float(value) for name, value in (logs or {}).items()}})
        last = self.history[-1]
        self.diverged = not (math.isfinite(last["loss"]) and math.isfinite(last.get("val_loss", math.nan)))
        sign = 1 if self.monitor.endswith("loss") else -1
        best = min(self.history, key=lambda row: sign * row.get(self.monitor, sign * math.inf))
        improved = not self.diverged and best is last
        if improved:
            self.best_epoch = epoch + 1
            self.best = self.model.get_weights()
        waited = epoch + 1 - self.best_epoch
        self.stopped = self.diverged or (not improved and waited >= self.patience)
        self.on_epoch(epoch + 1, last)  # before the epoch is kept: what a kill takes of it is done again
        now = time.monotonic()
        next_ends = now + (now - self.begun_at)
        if self.stopped or epoch + 1 == self.params["epochs"] or next_ends - self.kept_at >= APART:
            self._keep()
        elif now - self.written_at >= SHOWN:
            self._write_history()
        self.model.stop_training = self.stopped

    def _write_history(self) -> None:
        write(self.folder / "history.csv", pd.DataFrame(self.history).to_csv(index=False))
        self.written_at = time.monotonic()

    def _keep(self) -> None:
        self._write_history()
        if self.best is not None:
            write_arrays(self._best_file, {f"{i}": v for i, v in enumerate(self.best)})
            self.best = None
        keeper = {name: getattr(self, name) for name in ("history", "best_epoch", "stopped", "diverged")}
        # NumPy copies each variable as it writes it: copies of all at once are as large as the network in training.
        arrays: dict[str, Any] = {f"{i}": variable for i, variable in enumerate(self._state)}
        if torch_random := _torch_random():
            arrays["torch"] = torch_random.get_rng_state().numpy()
        write_arrays(self.checkpoint / "epoch.npz", {**arrays, "keeper": np.array(json.dumps(keeper))})
        for stale in set(self.checkpoint.glob("best-*.npz")) - {self._best_file}:
            stale.unlink()
        self.kept_at = time.monotonic()

    def restore(self) -> None:
        """Gives the model the weights of its best epoch, where that is wanted."""
        if self.restore_best and self.best_epoch and not self.diverged:
            stored = read_arrays(self._best_file, f"delete {self.checkpoint}, and training begins anew")
            self.model.set_weights([stored[f"{i}"] for i in range(len(stored))])

    @property
    def _best_file(self) -> Path:
        # Named by its epoch: after a kill between the two files the older pair is still whole.
        return self.checkpoint / f"best-{self.best_epoch}.npz"


def _torch_random() -> Any:
    """PyTorch's own random state, from which Keras draws on that backend where a layer has no seed; else None."""
    if keras.config.backend() != "torch":
        return None
    import torch

    return torch.cuda if torch.cuda.is_available() else torch.random

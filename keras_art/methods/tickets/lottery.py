"""One training of a lottery-ticket study, from its pixels and its ticket to its test accuracy."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_art import terminal
from keras_art.learning import training
from keras_art.methods.tickets import masks, ticket
from keras_art.methods.tickets.kinds import TicketRun, before
from keras_art.methods.tickets.network import Task, reset, values
from keras_art.networks.loading import load_model
from keras_art.report import metrics
from keras_art.store import runs
from keras_art.store.runs import Store, StoreError
from keras_art.writing import write, write_network

Tell = Callable[[str, float], None]
ANOTHER_SEED = 1000  # added to the seed of weights that must not be theta_0


def carry_out(store: Store, run: TicketRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """Trains and tests one run in its directory; the same call continues what was stopped.

    It writes `history.csv`, `model.keras`, `classes.json` and `predictions.csv`; a run that finds a ticket also extends
    its chain's file in `<store>/tickets`.

    Returns:
        What `metrics.json` holds. `sparsity` is that of the `prunable` weights, `kept` of which are left; `emptied`
        names kernels that have none.
    """
    with training.precision(run.precision):
        return _carry_out(store, run, folder, tell)


def _carry_out(store: Store, run: TicketRun, folder: Path, tell: Tell) -> dict[str, Any]:
    started = time.monotonic()
    training.make_deterministic(run.seed)
    task = Task(store, run)
    write(folder / "classes.json", json.dumps(task.classes, ensure_ascii=False))
    model = task.classifier(run.seed + ANOTHER_SEED * (run.mode == "random_mask"))
    facts: dict[str, Any] = {
        "status": "diverged",
        "test_accuracy": None,
        "val_accuracy": None,
        "n_test": len(task.ready.part("test")),
        "n_train": len(task.batches("train").rows),
        "n_images": task.ready.task.size,
        "n_classes": len(task.classes),
        "parameters": model.count_params(),
        "epochs": 0,
    }
    kept = begin(store, run, folder, task, model, tell)
    if kept is None:
        return {**facts, "note": "a training before it has diverged", "seconds": round(time.monotonic() - started, 2)}
    facts |= {
        "sparsity": masks.measured(kept),
        "prunable": sum(mask.size for mask in kept.values()),
        "kept": sum(int(mask.sum()) for mask in kept.values()),
        "emptied": masks.emptied(kept),
    }
    if facts["emptied"]:
        terminal.say(f"{run.title}: no weight is left in {', '.join(facts['emptied'])}")
    history, finite = training.fit(
        model,
        task.batches("train", run.seed),
        task.batches("val"),
        folder=folder,
        epochs=run.epochs,
        patience=run.patience,
        on_epoch=lambda epoch, logs: tell(f"epoch {epoch}, validation {logs['val_accuracy']:.3f}", epoch / run.epochs),
    )
    facts["epochs"] = len(history)
    if finite:
        best = history["val_loss"].idxmin()
        facts |= {"status": "ok", "best_epoch": int(best) + 1, "val_accuracy": float(history["val_accuracy"][best])}
        facts |= _tested(task, model, folder)
        write_network(folder / "model.keras", model)
    return {**facts, "seconds": round(time.monotonic() - started, 2)}


def begin(
    store: Store, run: TicketRun, folder: Path, task: Task, model: keras.Model, tell: Tell
) -> dict[str, np.ndarray] | None:
    """Gives a model the weights and masks a run begins with; returns the masks, or None where there are none to have.

    The model comes with theta_0, or with theta_0' for a random mask.
    """
    whole = {v.path: np.ones(v.shape, bool) for v in masks.prunable(model, head=run.prune_head)}
    if run.mode == "scratch":
        reset(model, values(model), whole, head=True)
        return whole
    found = find(store, run, folder, task, model, tell) if run.mode == "find" else load_ticket(store, run)
    if found is None:
        return None
    kept, theta = found.masks(run.stage), found.theta
    own_head = run.mode in ("find", "random_mask", "shuffled_mask")
    if not own_head:
        kept = {path: mask for path, mask in kept.items() if not path.startswith("softmax/")}
    if run.mode == "shuffled_mask":
        kept = masks.shuffled(kept, run.seed)
    if run.mode == "random_mask":
        theta = values(model)
    if run.mode == "theta_i":
        theta = values(trained(store, finder(store, run)))
    reset(model, theta, kept, head=own_head)
    return kept


def find(
    store: Store, run: TicketRun, folder: Path, task: Task, model: keras.Model, tell: Tell
) -> ticket.Ticket | None:
    """The ticket file of a chain with the mask of this run's stage in it; None after a divergence.

    Stage 0 trains the k epochs that lead from theta_0 to theta_k; a later one prunes what the stage before has trained.
    """
    path = store.root / "tickets" / f"{run.collection.rsplit('-', 1)[0]}-{run.target}-{run.network}-{run.chain}.npz"
    if run.stage == 0:
        return ticket.read(path) if path.exists() else _first(run, folder, task, model, tell, path)
    earlier = before(run)
    with store.lock(store.directory(earlier)):  # another process may be at it
        measured = store.metrics(earlier)
    if measured is None:
        raise StoreError(f"{store.directory(earlier)} is not finished: start the study again, it goes on from there")
    if measured["status"] == "diverged":
        return None
    found = ticket.read(path)
    if found.stages == run.stage:
        tell("pruning", 0.0)
        after = values(trained(store, earlier))
        weights = {p: after[p] for p in found.last_stage}
        deeper = magnitude_masks(weights, found.masks(run.stage - 1), masks.sparsity(run.stage, run.rate), run.scope)
        found = found.with_masks(deeper)
        ticket.write(path, found)
    return found


def _first(
    run: TicketRun, folder: Path, task: Task, model: keras.Model, tell: Tell, path: Path
) -> ticket.Ticket | None:
    kernels = {v.path: np.zeros(v.shape, np.uint8) for v in masks.prunable(model, head=run.prune_head)}
    reset(model, values(model), {}, head=True)
    (folder / "theta_k").mkdir(exist_ok=True)
    _, finite = training.fit(
        model,
        task.batches("train", run.seed),
        task.batches("val"),
        folder=folder / "theta_k",
        epochs=run.late_resetting,
        patience=run.late_resetting + 1,
        restore_best=False,
        on_epoch=lambda epoch, logs: tell(f"epoch {epoch} on the way to theta_k", 0.0),
    )
    shutil.rmtree(folder / "theta_k" / "checkpoint", ignore_errors=True)
    if not finite and run.late_resetting:
        return None
    config = dataclasses.asdict(run)
    facts = {
        "run": {**config, "ticket": run.chain},
        "classes": task.classes,
        "prunable": sum(array.size for array in kernels.values()),
        "of": "kernels of convolutions and dense layers" + ("" if run.prune_head else ", the head's excepted"),
        "environment": runs.environment(),
    }
    found = ticket.Ticket(values(model), kernels, 1, facts)
    ticket.write(path, found)
    return found


def magnitude_masks(weights: masks.Weights, kept: masks.Weights, sparsity: float, scope: str) -> masks.Masks:
    """By tensorflow-model-optimization on TensorFlow; by NumPy on JAX and PyTorch, which it does not know."""
    if keras.config.backend() != "tensorflow":
        return masks.magnitude_masks(weights, kept, sparsity, scope)
    from keras_art.methods.tickets import with_tfmot

    return with_tfmot.magnitude_masks(weights, kept, sparsity, scope)


def load_ticket(store: Store, run: TicketRun) -> ticket.Ticket | None:
    """The ticket file that a run begins with; None where its chain diverged before the stage asked for.

    Raises:
        StoreError: nobody has found it yet.
        BadTicket: the file is damaged.
    """
    path = next((store.root / "tickets").glob(f"*-{run.ticket}.npz"), None)
    found = None if path is None else ticket.read(path)
    if found is not None and run.stage < found.stages:
        return found
    if (measured := store.metrics(finder(store, run))) and measured["status"] == "diverged":
        return None
    raise StoreError(f"nobody has found stage {run.stage} of the ticket {run.ticket}: run the study that finds it")


def finder(store: Store, run: TicketRun) -> TicketRun:
    """The run that found the mask another run begins with.

    Raises:
        StoreError: the ticket came as a file, without the runs that found it.
    """
    config = next((store.root / TicketRun.paper).glob(f"*-{run.ticket}/config.json"), None)
    if config is None:
        raise StoreError(f"the runs that found the ticket {run.ticket} are not in {store.root}: theta_i needs them")
    first = TicketRun(**json.loads(config.read_text(encoding="utf-8")))
    return dataclasses.replace(first, stage=run.stage, ticket=run.ticket) if run.stage else first


def trained(store: Store, run: TicketRun) -> keras.Model:
    """What a finished run has trained."""
    return load_model(store.directory(run) / "model.keras")


def _tested(task: Task, model: keras.Model, folder: Path) -> dict[str, Any]:
    """Writes what the model says of each test image; returns the test metrics."""
    test = task.ready.task.table.iloc[task.ready.part("test")]
    labels = test["label"].to_numpy()
    probabilities = model.predict(task.batches("test").epochs(), verbose=0)
    said = metrics.predictions(test["id"], probabilities, task.classes, labels)
    write(folder / "predictions.csv", said.to_csv(index=False))
    measured = metrics.classification(labels, probabilities)
    return {
        "test_accuracy": measured["accuracy"],
        "test_loss": measured["loss"],
        "test_macro_f1": measured["macro_f1"],
    }

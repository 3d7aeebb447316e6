"""The trainings of a lottery-ticket study, from pixels and a ticket to test accuracy: a function for each mode.

Each trains and tests one run in its directory; the same call continues what was stopped. It writes `history.csv`,
`model.keras`, `classes.json` and `predictions.csv`, and returns what `metrics.json` holds: `sparsity` is that of the
`prunable` weights, `kept` of which are left; `emptied` names kernels that have none.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_art.learning import training
from keras_art.methods.tickets import masks
from keras_art.methods.tickets.chains import asked_ticket, finder, found_ticket, reference, remember, trained
from keras_art.methods.tickets.network import Task, load_network, reset, values
from keras_art.networks.trained import ModelCard, provenance, save
from keras_art.report import calibration, metrics
from keras_art.store.runs import Store
from keras_art.store.tickets import Masks, Ticket, emptied, share_pruned
from keras_art.study.config import Artefact
from keras_art.study.files import sound_artefact
from keras_art.study.kinds.tickets import TicketRun, origin
from keras_art.study.records import has_diverged
from keras_art.terminal import Tell
from keras_art.writing import csv_text, write

ANOTHER_SEED = 1000  # added to the seed of weights that must not be theta_0


@dataclass(frozen=True)
class Beginning:
    """What a training begins with.

    Attributes:
        theta: path -> every variable.
        kept: the masks.
        head: whether theta's head comes along; that of a new collection is another, and stays as it was drawn.
    """

    theta: Mapping[str, np.ndarray]
    kept: Masks
    head: bool = True


Begin = Callable[[Task, keras.Model], Beginning | None]  # None: what it would begin with has diverged


def find(store: Store, run: TicketRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """f(m * theta_k), trained where its mask m is found; extends its chain's file in `<store>/tickets` by m."""

    def begin(task: Task, model: keras.Model) -> Beginning | None:
        found = found_ticket(store, run, folder, task, model, tell)
        return None if found is None else Beginning(found.theta, found.masks(run.stage))

    return _carry_out(store, run, folder, tell, begin)


def transfer(store: Store, run: TicketRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """f(m * theta_k) of one collection, trained on another under a new head."""
    return _carry_out(store, run, folder, tell, _carried(store, run, lambda found: found.theta))


def theta_i(store: Store, run: TicketRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """f(m * theta_i), the same with the weights at the end of the training where the mask was found."""
    if has_diverged(store, reference(run)):
        return _carry_out(store, run, folder, tell, lambda task, model: None)
    return _carry_out(store, run, folder, tell, _carried(store, run, lambda _: trained(store, reference(run))))


def theta_0(store: Store, run: TicketRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """f(m * theta_0), the same with the weights that the training where the mask was found began with."""

    def drawn(found: Ticket) -> Mapping[str, np.ndarray]:
        if isinstance(run.ticket, Artefact):
            there = origin(found, sound_artefact(store, run.ticket))
        else:
            there = finder(store, run)
        return values(load_network(store, dataclasses.replace(run, initializer=there.initializer), there.seed).model)

    return _carry_out(store, run, folder, tell, _carried(store, run, drawn))


def shuffled_theta_k(store: Store, run: TicketRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """f(m' * theta_k) of one collection, m at random places, trained on another under a new head."""
    begin = _carried(store, run, lambda found: found.theta, lambda kept: masks.shuffled(kept, run.seed))
    return _carry_out(store, run, folder, tell, begin)


def scratch(store: Store, run: TicketRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """f(theta_0), unpruned."""

    def begin(task: Task, model: keras.Model) -> Beginning:
        whole = {v.path: np.ones(v.shape, bool) for v in masks.prunable(model, head=run.prune_head)}
        return Beginning(values(model), whole)

    return _carry_out(store, run, folder, tell, begin)


def random_mask(store: Store, run: TicketRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """f(m * theta_0'), the mask kept, other initial weights."""

    def begin(task: Task, model: keras.Model) -> Beginning | None:
        found = asked_ticket(store, run)
        return None if found is None else Beginning(values(model), found.masks(run.stage))

    return _carry_out(store, run, folder, tell, begin, run.seed + ANOTHER_SEED)


def shuffled_mask(store: Store, run: TicketRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """f(m' * theta_k), as many weights of each layer kept, at random places."""

    def begin(task: Task, model: keras.Model) -> Beginning | None:
        found = asked_ticket(store, run)
        return None if found is None else Beginning(found.theta, masks.shuffled(found.masks(run.stage), run.seed))

    return _carry_out(store, run, folder, tell, begin)


def _carried(
    store: Store,
    run: TicketRun,
    theta: Callable[[Ticket], Mapping[str, np.ndarray]],
    placed: Callable[[Masks], Masks] = lambda kept: kept,
) -> Begin:
    """A ticket of another collection, all but its head; `placed` moves what its masks keep."""

    def begin(task: Task, model: keras.Model) -> Beginning | None:
        if (found := asked_ticket(store, run)) is None:
            return None
        kept = {path: mask for path, mask in found.masks(run.stage).items() if not path.startswith("softmax/")}
        return Beginning(theta(found), placed(kept), head=False)

    return begin


def _carry_out(
    store: Store, run: TicketRun, folder: Path, tell: Tell, begin: Begin, weights_seed: int | None = None
) -> dict[str, Any]:
    """Trains and tests.

    Args:
        weights_seed: of the initial weights, where it is not the run's.
    """
    with training.precision(run.precision):
        started = time.monotonic()
        training.make_deterministic(run.seed)
        task = Task(store, run)
        write(folder / "classes.json", json.dumps(task.classes, ensure_ascii=False))
        model = task.classifier(run.seed if weights_seed is None else weights_seed)
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
        if (beginning := begin(task, model)) is None:
            facts["notes"] = ["a training before it has diverged"]
        else:
            reset(model, beginning.theta, beginning.kept, head=beginning.head)
            facts |= _counted(beginning.kept) | _trained(run, task, model, folder, tell)
        return {**facts, "seconds": round(time.monotonic() - started, 2)}


def _counted(kept: Masks) -> dict[str, Any]:
    """What masks leave of the weights."""
    empty = emptied(kept)
    return {
        "sparsity": share_pruned(kept),
        "prunable": sum(mask.size for mask in kept.values()),
        "kept": sum(int(mask.sum()) for mask in kept.values()),
        "emptied": empty,
        "notes": [f"no weight is left in {', '.join(empty)}"] if empty else [],
    }


def _trained(run: TicketRun, task: Task, model: keras.Model, folder: Path, tell: Tell) -> dict[str, Any]:
    """Trains a model from where it stands, tests and writes it; returns what it measured."""
    history, finite = training.fit(
        model,
        task.batches("train", run.seed),
        task.batches("val"),
        folder=folder,
        epochs=run.epochs,
        patience=run.patience,
        on_epoch=lambda epoch, logs: tell(f"epoch {epoch}, validation {logs['val_accuracy']:.3f}", epoch / run.epochs),
    )
    if not finite:
        return {"epochs": len(history)}
    best = history["val_loss"].idxmin()
    tested, calibrated = _tested(task, model, folder)
    facts = {
        "epochs": len(history),
        "status": "ok",
        "best_epoch": int(best) + 1,
        "val_accuracy": float(history["val_accuracy"][best]),
        **tested,
    }
    card = ModelCard(
        {run.target: task.classes}, run.preprocessing, run.resize, run.image_size, facts, provenance(run.as_json()),
        crop=run.crop, calibration={run.target: calibrated} if calibrated else {},
    )  # fmt: skip
    save(model, folder / "model.keras", card)
    remember(task.store, run, model)
    return facts


def _tested(task: Task, model: keras.Model, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Writes what the model says of each test image; returns the test metrics, and its calibration where it has one."""
    test = task.ready.task.images.iloc[task.ready.part("test")]
    said = {name: model.predict(task.batches(name).epochs(), verbose=0) for name in ("val", "test")}
    labels = {name: task.labels[task.ready.part(name)] for name in said}
    told = metrics.predictions(test["id"], said["test"], task.classes, labels["test"])
    write(folder / "predictions.csv", csv_text(told))
    measured = metrics.classification(labels["test"], said["test"])
    calibrated = calibration.calibration(*((labels[name], said[name]) for name in ("val", "test"))) or {}
    facts = {f"test_{name}": measured[name] for name in ("accuracy", "loss", "macro_f1")}
    facts |= calibration.worth(calibrated)
    return facts, calibrated

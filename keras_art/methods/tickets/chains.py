"""The tickets of a chain of runs: found stage by stage, each in the file of all, and taken up by the runs that ask."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from keras_art.learning import training
from keras_art.methods.tickets import masks
from keras_art.methods.tickets.network import Task, load_network, misfit, reset, values
from keras_art.networks.loading import load_model
from keras_art.store.environment import environment
from keras_art.store.runs import Store, StoreError
from keras_art.store.tickets import BadTicket, Masks, Ticket, read_ticket, write_ticket
from keras_art.study.config import Artefact, Run, RunRef
from keras_art.study.files import sound_artefact
from keras_art.study.kinds.classifier import label
from keras_art.study.kinds.tickets import TicketRun, chain_file, has_mask, read_chain, sparsity
from keras_art.study.records import has_diverged, run_of
from keras_art.terminal import Tell


def found_ticket(
    store: Store, run: TicketRun, folder: Path, task: Task, model: keras.Model, tell: Tell
) -> Ticket | None:
    """The chain's tickets with the mask of this run's stage among them, on file; None after a divergence.

    Stage 0 trains the k epochs that lead from theta_0 to theta_k; a later one prunes what the stage before has trained.

    Args:
        model: compiled, with theta_0.
    """
    path = chain_file(store, run)
    if run.before is None:
        return read_chain(store, path) if path.exists() else _first_ticket(run, folder, task, model, tell, path)
    if has_diverged(store, run.before):
        return None
    found = read_chain(store, path, run.stage)
    if found.stages == run.stage:
        tell("pruning", 0.0)
        after = trained(store, run.before)
        weights = {p: after[p] for p in found.last_stage}
        deeper = magnitude_masks(weights, found.masks(run.stage - 1), sparsity(run.stage, run.rate), run.scope)
        found = found.with_masks(deeper)
        write_ticket(path, found)
    return found


def _first_ticket(
    run: TicketRun, folder: Path, task: Task, model: keras.Model, tell: Tell, path: Path
) -> Ticket | None:
    """theta_k under the full mask; None where the way there diverged."""
    kernels = {v.path: np.zeros(v.shape, np.uint8) for v in masks.prunable(model, head=run.prune_head)}
    reset(model, values(model), {}, head=True)
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
    facts = {
        "run": run.as_json(),
        "classes": task.classes,
        "prunable": sum(array.size for array in kernels.values()),
        "of": "kernels of convolutions and dense layers" + ("" if run.prune_head else ", the head's excepted"),
        "environment": environment(),
    }
    found = Ticket(values(model), kernels, 1, facts)
    write_ticket(path, found)
    return found


def magnitude_masks(weights: masks.Weights, kept: Masks, sparsity: float, scope: str) -> Masks:
    """By tensorflow-model-optimization on TensorFlow; by NumPy on JAX and PyTorch, which it does not know."""
    if keras.config.backend() != "tensorflow":
        return masks.magnitude_masks(weights, kept, sparsity, scope)
    from keras_art.methods.tickets import with_tfmot

    return with_tfmot.magnitude_masks(weights, kept, sparsity, scope)


def asked_ticket(store: Store, run: TicketRun) -> Ticket | None:
    """The tickets among which a run finds its mask; None where their chain diverged before the stage asked for.

    Raises:
        StoreError: nobody has found that stage yet.
        BadTicket: the file is absent, damaged, or another chain's.
        Damaged: a file that a person gave is not as it was.
    """
    if isinstance(run.ticket, Artefact):
        return read_ticket(sound_artefact(store, run.ticket))
    there = finder(store, run)
    if not has_mask(store.directory(there)):
        return None
    path = chain_file(store, there)
    found = read_chain(store, path, there.stage + 1)
    if run.stage >= found.stages:
        raise StoreError(f"nobody has found stage {run.stage} of the ticket {path}: run the study that finds it")
    return found


def reference(run: TicketRun) -> RunRef:
    """The run that found the mask another run begins with.

    Raises:
        StoreError: it names none, or a file, which has none.
    """
    if not isinstance(run.ticket, RunRef):
        raise StoreError(f"{run.title} needs the run that found its ticket, which {run.ticket} does not tell")
    return run.ticket


def finder(store: Store, run: TicketRun) -> TicketRun:
    """The run that `reference` names."""
    found: Run = run_of(store, reference(run))
    if not isinstance(found, TicketRun):
        raise StoreError(f"{run.title} begins with a ticket that a run of kind {found.kind!r} is to have found")
    return found


def trained(store: Store, ref: RunRef) -> dict[str, np.ndarray]:
    """Path -> every weight that a finished run has trained; of this process's last one its file is not opened."""
    return _last_trained.get((store.root, ref)) or values(load_model(store.find(ref)))


def remember(store: Store, run: TicketRun, model: keras.Model) -> None:
    """Keeps what a run has trained for the next stage of its chain."""
    _last_trained.clear()
    _last_trained[store.root, run.ref] = values(model)


_last_trained: dict[tuple[Path, RunRef], dict[str, np.ndarray]] = {}


def check(store: Store, runs: Sequence[TicketRun]) -> None:
    """Builds every network of some runs once, and holds against it the stages and the tickets' files they ask for.

    Raises:
        BadBackbone: a network can not be used.
        BadTicket: a file is damaged, of another network, or has fewer stages.
        UserError: the weights do not last for so many stages, or two of them have one path.
    """

    def ladder(run: TicketRun) -> tuple[str, int, str, float]:
        return str(run.network), run.side, run.scope, run.rate

    for (_, side, scope, rate), same in itertools.groupby(sorted(runs, key=ladder), ladder):
        group = list(same)
        backbone = load_network(store, group[0]).model
        kernels = [variable.shape for variable in masks.prunable(backbone)]
        masks.check_stages(max(run.stage for run in group) + 1, rate, scope, kernels)
        asked: dict[Artefact, int] = {}
        for run in group:
            if isinstance(run.ticket, Artefact):
                asked[run.ticket] = max(run.stage, asked.get(run.ticket, 0))
        for kept, deepest in asked.items():
            path = sound_artefact(store, kept)
            found = read_ticket(path)
            if problem := misfit(backbone.weights, found.theta):
                network = f"{label(group[0].network)} at {side} pixels"
                raise BadTicket(f"{path} is of another network than {network}: {problem}")
            found.masks(deepest)

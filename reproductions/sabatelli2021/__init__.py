"""Lottery tickets of natural images, carried to art.

Sabatelli, Kestemont, Geurts: On the Transferability of Winning Tickets in Non-Natural Image Datasets. VISAPP 2021
(arXiv 2005.05232), and chapter 6 of Sabatelli's thesis, which has the hyperparameters and the figures' numbers.

Claim: networks pruned on natural images, reset to an early state and trained on art beat networks trained on art from
scratch, even with a few per cent of their weights.

    python -m reproductions.sabatelli2021                       # the embedded atelier, no download
    python -m reproductions.sabatelli2021 --dry_run             # what would run, and what it costs
    python -m reproductions.sabatelli2021 --sources CIFAR10 --data PAINTINGS --target artist --more_targets OTHER:LABEL
    python -m reproductions.sabatelli2021 --preset paper --sources cifar10 cifar100 fmnist --data FOLDER --target artist
    python -m keras_art tickets list                            # the tickets found so far, as files

Departures from the paper (`--preset paper` follows its text where it speaks):
1. What is pruned: the draft says the 20% of weights of smallest magnitude, the thesis' formula removes channels of
   each layer, of which 30 rounds would leave none. Here it is weights, of all layers together (`--scope global`).
2. theta_k, k = 2: every stage, the unpruned stage 0 too, is trained from the state after two epochs with a fresh
   optimizer; kernels, biases, gamma, beta and moving statistics go back.
3. The best stage is chosen on validation. The paper's is the best on the test set, printed beside it as such.
4. The network is Keras's ResNet50, with biases in its convolutions and its strides on the first of a block's; batch
   normalisation has the momentum 0.9 of PyTorch. Without a GPU, ResNet20 at 32 pixels.
5. The learning rate falls to a tenth at epochs 50, 60 and 75 of 90, in proportion where `--epochs` is smaller; the
   paper names neither the factor nor the last epoch.
6. Weight decay is a penalty whose gradient goes through the momentum, as in PyTorch.
7. Pixels are scaled to [-1, 1]; the paper does not say. Random crops of 224 are cut from images of 256.
8. The paper's collections are published nowhere, so ours never stand in its tables' rows.
9. Its text says four seeds, its thesis five, its numbers are multiples of 1 / (2 N_test): two. We print our own n.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_art import terminal
from keras_art.store import runs
from keras_art.study import plan as study_
from reproductions.sabatelli2021.figures import draw
from reproductions.sabatelli2021.study import (
    PAPER,
    PRESETS,
    Run,
    Study,
    carried_stages,
    check,
    choices,
    runs_of,
    ticket_files,
)
from reproductions.sabatelli2021.tables import print_tables, table

if TYPE_CHECKING:
    from reproductions.sabatelli2021.study import Chosen

__all__ = ["main", "print_tables", "table"]


def carry_out(study: Study) -> int:
    """Runs what is missing of a study, then prints its tables."""
    store = runs.Store(study.store)
    if study.table:
        store.check()
        print_tables(store, study.format, runs_of(study, choices(study, store)) if study.data else None)
        return 0
    check(study)
    store.create()
    chosen = choices(study, store)
    configs = runs_of(study, chosen)
    sizes = {choice.key: len(choice.images) for role in chosen.values() for _, choice in role.values()}
    study_.keep_files(store, study.networks)
    estimate = study_.Estimate(store, Run, sizes)
    if study.dry_run:
        print(study_.plan(store, configs, estimate))
        return 0
    if missing := [config for config in configs if store.metrics(config) is None]:
        terminal.say(study_.plan(store, configs, estimate))
        prepare(study, store, chosen, missing)
        from keras_art.methods.tickets import lottery

        study_.carry_out(store, missing, estimate, functools.partial(lottery.carry_out, store))
    study_.draw_once(store, configs, functools.partial(draw, store, configs))
    print_tables(store, study.format, configs)
    return 0


def prepare(study: Study, store: runs.Store, chosen: dict[str, Chosen], missing: Sequence[Run]) -> None:
    """Everything that can go wrong before training does so here: networks, stages, tickets, images, splits."""
    terminal.start_backend()
    from keras_art.data import tasks
    from keras_art.methods.tickets import masks, ticket
    from keras_art.methods.tickets.network import load_network, misfit

    deepest = max(carried_stages(study))
    for run in {run.network: run for run in missing}.values():
        backbone = load_network(run, store.root / "cache" / "weights").model
        kernels = [variable.shape for variable in masks.prunable(backbone)]
        masks.check_stages(study.stages, study.rate, study.scope, kernels)
        for name, file in ticket_files(study).items():
            found = ticket.read(file)
            if problem := misfit(backbone.weights, found.theta):
                raise ticket.BadTicket(f"{file} is of another network than {run.network} at these sizes: {problem}")
            found.masks(deepest)
            if not (store.root / "tickets" / name).exists():
                ticket.write(store.root / "tickets" / name, found)
    for role in chosen.values():
        for collection, choice in role.values():
            with terminal.bar(f"reading {choice.name} at {study.image_size} pixels", "images") as progress:
                tasks.prepare(store, collection, choice, study.image_size, study.resize, progress)
            terminal.say(tasks.describe(store, choice.key))


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    prog = f"python -m reproductions.{PAPER}"
    study = terminal.parse(Study, PRESETS, argv, prog=prog, description=__doc__ or "")
    return terminal.guarded(lambda: carry_out(study), prog)

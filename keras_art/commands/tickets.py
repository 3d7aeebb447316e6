"""Lottery tickets as files.

python -m keras_art tickets list runs                                # the tickets found in a store
python -m keras_art tickets show FILE --figure layers.png            # its stages, and which layers lost what when
python -m keras_art tickets export FILE --stage 12 --out ticket.keras   # theta_k under one mask, as a Keras model

A ticket's file is enough to carry it elsewhere: `python -m reproductions.sabatelli2021 --sources FILE --data ...`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.errors import UserError
from keras_art.outputs import check_file
from keras_art.store.runs import Store
from keras_art.study.kinds.classifier import label
from keras_art.study.kinds.tickets import origin, sparsity
from keras_art.writing import write_model


@dataclass(frozen=True)
class List:
    """The tickets found in a store."""

    store: tyro.conf.Positional[Path] = Path("runs")
    """Folder of the runs."""


@dataclass(frozen=True)
class Show:
    """The stages of a ticket, and which layers lost what."""

    file: tyro.conf.Positional[Path]
    """The ticket."""
    figure: Path | None = None
    """Draw the share that each layer keeps at each stage into this file (.png or .svg)."""


@dataclass(frozen=True)
class Export:
    """theta_k under the mask of one stage, as a Keras model with the head of the ticket's own collection."""

    file: tyro.conf.Positional[Path]
    """The ticket."""
    stage: int
    """Which mask."""
    out: Path = Path("ticket.keras")
    """The model; its pruned weights are zeros."""


def list_tickets(asked: List) -> int:
    """A line for each that was found in a store or brought to it as a file; what can not be read is said after them."""
    import pandas as pd
    from rich.cells import cell_len

    from keras_art.report.rendering import render, word
    from keras_art.store.tickets import read_ticket, share_pruned

    Store(asked.store).check()
    paths = sorted((asked.store / "tickets").glob("*.npz")) + sorted((asked.store / "cache" / "weights").glob("*.npz"))
    if not paths:
        raise UserError(f"{asked.store} holds no tickets: python -m reproductions.sabatelli2021 finds some")
    files, lines, unreadable = ["file"], [], []
    for path in paths:
        try:
            found = read_ticket(path)
            run = origin(found, path)
        except UserError as error:
            unreadable.append(str(error))
            continue
        files.append(word(str(path)))
        lines.append(
            {
                "found on": f"{run.collection} {run.target}",
                "network": label(run.network),
                "seed": run.seed,
                "stages": found.stages,
                "fraction pruned": f"{share_pruned(found.masks(found.stages - 1)):.4f}",
                "scope": run.scope,
                "MB": f"{path.stat().st_size / 1e6:.1f}",
            }
        )
    if lines:
        width, table = max(map(cell_len, files)), render(pd.DataFrame(lines), "text")
        for file, line in zip(files, table.splitlines(), strict=True):
            print(f"{file}{' ' * (width - cell_len(file))}  {line}")  # whole, as `show` takes it, however long
    for line in unreadable:
        terminal.say(line)
    return 0 if lines else 1


def show(asked: Show) -> int:
    """Prints the ladder of a ticket, and draws its layers."""
    import pandas as pd

    from keras_art.report import figures, sparsity_figures
    from keras_art.report.rendering import render
    from keras_art.store.tickets import emptied, read_ticket, share_pruned

    found = read_ticket(asked.file)
    facts, run = found.facts, origin(found, asked.file)
    terminal.answer(
        f"{label(run.network)}, seed {run.seed}, found on {run.collection} {run.target} "
        f"({len(facts['classes'])} classes); {run.rate:.0%} of the remaining weights a stage, {run.scope} "
        f"scope, back to epoch {run.late_resetting}\n"
        f"{facts['prunable']:,} prunable weights: {facts['of']}\n"
    )
    lines: list[dict[str, str]] = []
    kept: dict[str, list[float]] = {path: [] for path in found.last_stage}
    for stage in range(found.stages):
        mask = found.masks(stage)
        left, empty = sum(int(m.sum()) for m in mask.values()), emptied(mask)
        lines.append(
            {
                "stage": str(stage),
                "pruned": f"{share_pruned(mask):.6f}",
                "nominal": f"{sparsity(stage, run.rate):.6f}",
                "kept": f"{left:,}",
                "emptied kernels": ", ".join(path.removesuffix("/kernel") for path in empty) or "none",
            }
        )
        for path, m in mask.items():
            kept[path].append(float(m.mean()))
    print(render(pd.DataFrame(lines), "text"), end="")
    if asked.figure:
        figures.save(sparsity_figures.survival_map(kept), asked.figure)
    return 0


def export(asked: Export) -> int:
    """Writes `--out`, by rename."""
    check_file(asked.out, ".keras")
    from keras_art.store.tickets import read_ticket

    found = read_ticket(asked.file)
    kept, run = found.masks(asked.stage), origin(found, asked.file)
    terminal.start_backend()
    from keras_art.methods.tickets.network import load_network, put
    from keras_art.networks import heads

    # A network that is a file lies in the store in which the ticket was found, or to which both were brought.
    store = Store(next((p for p in asked.file.resolve().parents if (p / "store.json").exists()), asked.file.parent))
    model = heads.softmax_classifier(load_network(store, run), len(found.facts["classes"]))
    put(model, {**found.theta, **{path: found.theta[path] * mask for path, mask in kept.items()}}, head=True)
    write_model(asked.out, model)
    terminal.say(
        f"{asked.out}: raw pixels ({run.side} x {run.side}, RGB, 0 to 255) -> {len(found.facts['classes'])} classes"
    )
    return 0


VERBS: dict[str, tuple[type[Any], Callable[[Any], int]]] = {
    "list": (List, list_tickets),
    "show": (Show, show),
    "export": (Export, export),
}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    prog = "python -m keras_art tickets"
    if not words or words[0] not in VERBS:
        print(flags.fitted(__doc__ or ""))
        return 0 if words[:1] in (["--help"], ["-h"]) else 2
    kind, command = VERBS[words[0]]
    asked = flags.read(kind, words[1:], prog=f"{prog} {words[0]}", description=kind.__doc__ or "")
    return terminal.guarded(lambda: command(asked), prog)

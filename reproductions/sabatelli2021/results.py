"""What a store knows of tickets: every training as a row, and the best stage of every line of the paper's figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_art.store.runs import Store
from keras_art.store.tickets import read_ticket
from keras_art.study.config import Artefact, RunRef
from keras_art.study.files import sound_artefact
from keras_art.study.kinds.classifier import labels
from keras_art.study.kinds.tickets import TicketRun, origin
from keras_art.study.records import Rivals, finished, readable, run_of, variant
from reproductions.sabatelli2021.study import CALLED, CARRIED

if TYPE_CHECKING:
    import pandas as pd

ACCURACIES = ("val_accuracy", "test_accuracy")
COLUMNS = {card: name for name, card in CALLED.items()}  # a card -> as the tables call its collection
# In these, runs of one line differ by right; where others differ, each setting is a line of its own.
WITHIN_A_LINE = ("seed", "stage", "ticket", "mode", "collection", "fraction", "first", "before")


def rows(store: Store, only: Sequence[TicketRun] | None = None) -> pd.DataFrame:
    """One row per finished training.

    Returns:
        Columns `challenge` (collection and label, and the share of the training set below 1), `network`, `line`
        ("scratch", "target_ticket", "random_mask", "shuffled_mask", or the collection a ticket came from, with
        the control after it that its mask is carried with), `stage`, `pruned` (share of the prunable weights),
        `seed`, `val` and `test` (accuracy, %, NaN after a divergence), `n_test`, `status`, `key` (the
        collection's), `run`.
    """
    import pandas as pd

    shown = finished(store, TicketRun, only)
    places: dict[RunRef | Artefact, str] = {run.ref: run.place for run, _ in shown if run.mode == "find"}
    rivals = Rivals([run for run, _ in shown], cell)
    called = labels(run.network for run, _ in shown)
    asked = dict.fromkeys(run.ticket for run, _ in shown if run.mode in ("transfer", *CARRIED))
    brought = [ticket for ticket in asked if ticket is not None and ticket not in places]
    places |= dict(readable(brought, lambda ticket: (ticket, place_of(store, ticket))))
    lines = []
    for run, found in shown:
        line = {"find": "target_ticket"}.get(run.mode, run.mode)
        if run.mode in ("transfer", *CARRIED) and run.ticket is not None:
            if run.ticket not in places:
                continue  # told above
            place = places[run.ticket]
            line = COLUMNS.get(place, place) + f" {run.mode}" * (run.mode in CARRIED)
        percent = {name: 100 * (found[name] if found[name] is not None else float("nan")) for name in ACCURACIES}
        lines.append(
            {
                "challenge": f"{run.place} {run.target}"
                + (f", {run.fraction:.0%} of train" if run.fraction < 1 else ""),
                "network": called[run.network],
                "line": line + variant(run, rivals, WITHIN_A_LINE),
                "stage": run.stage,
                "pruned": found.get("sparsity", float("nan")),
                "seed": run.seed,
                "val": percent["val_accuracy"],
                "test": percent["test_accuracy"],
                "n_test": found["n_test"],
                "status": found["status"],
                "key": run.collection,
                "run": run,
            }
        )
    return pd.DataFrame(lines)


def cell(run: TicketRun) -> tuple[object, ...]:
    """What names the runs among which a line is told apart by its settings."""
    return run.place, run.target, run.network, run.mode


def place_of(store: Store, ticket: RunRef | Artefact) -> str:
    """The name of the collection on which a ticket was found."""
    if isinstance(ticket, RunRef):
        return run_of(store, ticket).place
    path = sound_artefact(store, ticket)
    return origin(read_ticket(path), path).place


def best(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of each line's best stage, chosen in the two ways that the column `choice` names.

    By "validation", among the pruned stages; and by "test", as the logs say that the paper's tables were made, the
    unpruned stage included. Accuracies are means over the seeds that have got furthest in a line, so that stages are
    compared on the same seeds. "scratch", which has no stages, stands in both.
    """
    import pandas as pd

    chosen = []
    for (_, _, line), group in frame.groupby(["challenge", "network", "line"], sort=False):
        reached = group.groupby("seed")["stage"].nunique()
        group = group[group["seed"].isin(reached.index[reached == reached.max()])]
        pruned = group if line.startswith("scratch") else group[group["stage"] > 0]
        for choice, column, among in (("validation", "val", pruned), ("test", "test", group)):
            means = among.groupby("stage")[column].mean().dropna()
            if len(means):
                stage = means.index[int(means.to_numpy().argmax())]
                chosen.append(among[among["stage"] == stage].assign(choice=choice))
    return pd.concat(chosen, ignore_index=True) if chosen else frame.iloc[:0].assign(choice="")

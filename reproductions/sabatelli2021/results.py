"""What a store knows of tickets: every training as a row, and the best stage of every line of the paper's figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_art.methods.tickets import ticket
from keras_art.methods.tickets.kinds import TicketRun
from keras_art.store import runs

if TYPE_CHECKING:
    import pandas as pd

ACCURACIES = ("val_accuracy", "test_accuracy")
# In these, runs of one line differ by right; where others differ, each setting is a line of its own.
WITHIN_A_LINE = ("seed", "stage", "ticket", "mode", "collection", "fraction")


def rows(store: runs.Store, only: Sequence[TicketRun] | None = None) -> pd.DataFrame:
    """One row per finished training.

    Returns:
        Columns `challenge` (collection and label, and the share of the training set below 1), `network`, `line`
        ("scratch", "target_ticket", "random_mask", "shuffled_mask", or the collection a ticket came from, with
        "theta_i" after it where its trained weights came along), `stage`, `pruned` (share of the prunable weights),
        `seed`, `val` and `test` (accuracy, %, NaN after a divergence), `n_test`, `status`, `key` (the
        collection's), `run`.
    """
    import pandas as pd

    every = store.finished(TicketRun)
    origins = {runs.digest(run): place(run) for run, _ in every if run.mode == "find"}
    shown = [(run, found) for run, found in every if only is None or run in only]
    lines = []
    for run, found in shown:
        line = {"find": "target_ticket"}.get(run.mode, run.mode)
        if run.mode in ("transfer", "theta_i"):
            line = (origins.get(run.ticket) or _origin(store, run.ticket)) + " theta_i" * (run.mode == "theta_i")
        percent = {name: 100 * (found[name] if found[name] is not None else float("nan")) for name in ACCURACIES}
        lines.append(
            {
                "challenge": f"{place(run)} {run.target}"
                + (f", {run.fraction:.0%} of train" if run.fraction < 1 else ""),
                "network": run.network,
                "line": line + _setting(run, [other for other, _ in shown]),
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


def place(run: TicketRun) -> str:
    """The name of a run's collection."""
    return run.collection.rsplit("-", 1)[0]


def _origin(store: runs.Store, name: str) -> str:
    """Where a ticket was found that came as a file."""
    path = next((store.root / "tickets").glob(f"*-{name}.npz"), None)
    return place(TicketRun(**ticket.read(path).facts["run"])) if path else name


def _setting(run: TicketRun, others: Sequence[TicketRun]) -> str:
    """The fields in which a run differs from others of its line."""
    rivals = [
        r for r in others if (place(r), r.target, r.network, r.mode) == (place(run), run.target, run.network, run.mode)
    ]
    differing = [
        f"{field.name}={getattr(run, field.name)}"
        for field in dataclasses.fields(TicketRun)
        if field.name not in WITHIN_A_LINE and len({getattr(r, field.name) for r in rivals}) > 1
    ]
    return f" [{', '.join(differing)}]" if differing else ""


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

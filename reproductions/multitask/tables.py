"""The tables: our scores with the rules that look at no pixel, and the one multi-task table in print."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_art.report.tables import PaperTable, compare, render, titled
from keras_art.store import runs
from reproductions.multitask.study import Run

if TYPE_CHECKING:
    import pandas as pd


SCORES = PaperTable(
    name="seven",
    source="seven classifiers (the design note prints no numbers)",
    metric="test accuracy, %",
    text="challenge network",
)
DEFENSE = PaperTable(
    name="defense",
    source="Sabatelli's thesis defence, Rijksmuseum, ResNet50 (epoch logs; not in the thesis's text)",
    metric="best validation accuracy over the epochs, %",
    text="""
    challenge  network   single  multitask
    material   ResNet50  92.857  91.316
    type       ResNet50  81.388  89.003
    artist     ResNet50  37.828  78.787
    """,
)


def table(store: runs.Store, only: Sequence[Run] | None = None) -> list[tuple[PaperTable, pd.DataFrame]]:
    """Test accuracies, and beside the defence's numbers the best validation accuracies of three-task studies.

    Ours never count as comparable: the defence's images, filters and schedule are not published.
    """
    import pandas as pd

    scores, defense = [], []
    for run, found in store.finished(Run):
        if only is not None and run not in only:
            continue
        name = run.collection.rsplit("-", 1)[0]
        for task in run.targets:
            accuracy = found[f"test_{task}_accuracy"]
            row = {
                "challenge": f"{name} {task}{variant(run, store, only)}",
                "network": run.network.rsplit("-", 1)[0] if run.network.endswith(".keras") else run.network,
                "mode": run.mode,
                "status": found["status"],
                "protocol": "demo" if run.collection.startswith("atelier-") else "study",
                "comparable": False,
                "note": f"{found['n_classes'][task]} classes",
                "n_test": found.get(f"test_{task}_n"),
                "value": None if accuracy is None else 100 * accuracy,
            }
            scores.append(row)
            if name == "rijksmuseum" and f"val_{task}_accuracy" in found:
                defense.append({**row, "value": 100 * found[f"val_{task}_accuracy"], "n_test": None})
    return [(SCORES, compare(SCORES, pd.DataFrame(scores))), (DEFENSE, compare(DEFENSE, pd.DataFrame(defense)))]


def variant(run: Run, store: runs.Store, only: Sequence[Run] | None = None) -> str:
    """The fields, other than its seed, in which a run differs from others that would stand in the same cell."""
    others = only if only is not None else [other for other, _ in store.finished(Run)]
    name = run.collection.rsplit("-", 1)[0]
    rivals = [
        r
        for r in others
        if (r.collection.rsplit("-", 1)[0], r.target, r.network, r.mode) == (name, run.target, run.network, run.mode)
    ]
    differing = [
        f"{field.name}={getattr(run, field.name)}"
        for field in dataclasses.fields(Run)
        if field.name != "seed" and len({getattr(r, field.name) for r in rivals}) > 1
    ]
    return f" [{', '.join(differing)}]" if differing else ""


def without_looking(facts: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """What rules score that see no pixel, one row per task and rule: majority, and the artist's majority label."""
    import pandas as pd

    rules = {"majority": "majority class", "artist_rule": "the artist's majority label"}
    rows = [
        {"task": task, "model": f"({text})", "accuracy": 100 * found["leaks"][rule]}
        for task, found in facts.items()
        for rule, text in rules.items()
        if rule in found["leaks"]
    ]
    return pd.DataFrame(rows, columns=["task", "model", "accuracy"])


def summary(store: runs.Store, configs: Sequence[Run], facts: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """One row per task and model: means over seeds and, for two seeds or more, standard deviations, in per cent.

    The rules that see no pixel stand among them, so that every score is read beside what it could be without looking.
    """
    import pandas as pd

    rows = []
    for run in configs:
        found = store.metrics(run)
        if found and found["status"] == "ok":
            model = run.model_name + variant(run, store, configs)
            for task in run.targets:
                scores = ("accuracy", "macro_f1", "weighted_f1")
                row = {score: 100 * found[f"test_{task}_{score}"] for score in scores}
                rows.append({"task": task, "model": model, **row, "n_test": found[f"test_{task}_n"]})
    if not rows:
        return without_looking(facts)
    groups = pd.DataFrame(rows).groupby(["task", "model"], sort=False)
    means = groups[["accuracy", "macro_f1", "weighted_f1"]].mean()
    for score in ("accuracy", "macro_f1"):
        means.insert(list(means.columns).index(score) + 1, f"{score}_std", groups[score].std())
    means["seeds"], means["n_test"] = groups.size(), groups["n_test"].first()
    shown = pd.concat([without_looking(facts), means.reset_index()], ignore_index=True)
    shown = shown.reindex(columns=["task", "model", *means.columns])
    # By task as the study has them, the best model first.
    order = shown["task"].map({task: i for i, task in enumerate(facts)})
    return (
        shown.assign(order=order, worse=-shown["accuracy"])
        .sort_values(["order", "worse"], kind="stable", ignore_index=True)
        .drop(columns=["order", "worse"])
        .astype({"seeds": "Int64", "n_test": "Int64"})
    )


def print_tables(store: runs.Store, format: str, only: Sequence[Run] | None = None) -> None:
    """Prints our scores with the rules beside them, a table per collection; the defence's where it has been run."""
    import pandas as pd

    from keras_art.data import labels

    done = [run for run, _ in store.finished(Run) if only is None or run in only]
    if format == "csv":
        print(render(pd.concat([frame for _, frame in table(store, only)]), "csv"), end="")
        return
    for key in dict.fromkeys(run.collection for run in done):
        mine = [run for run in done if run.collection == key]
        title = f"{key}: test scores in per cent, means over seeds"
        shown = render(summary(store, mine, labels.facts(store, key)), format)
        print(titled(title, shown, format))
    defense = table(store, only)[1][1]
    if not done or (defense["n"] > 0).any():
        print(titled(f"{DEFENSE.source}: {DEFENSE.metric}", render(defense, format), format))

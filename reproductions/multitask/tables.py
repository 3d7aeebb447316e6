"""The tables: our scores with the rules that look at no pixel, and the one multi-task table in print."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from keras_art.commands.machine import Tables
from keras_art.report.comparable import Printed, judge
from keras_art.report.metrics import wilson
from keras_art.report.tables import PaperTable, compare, seen_of, without_looking
from keras_art.store.runs import Store
from keras_art.study.catalogue import studies
from keras_art.study.kinds.classifier import label
from keras_art.study.records import Rivals, bracketed, finished, readable, settings
from reproductions.multitask.kind import BRANCHES, MultitaskRun
from reproductions.multitask.study import SHARED, Study

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.study.config import RunRef


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

GRAMS = ("gram", "baseline")  # modes whose dropout and decay have flags of their own
PRINTED = Printed(never="the defence's images, filters and schedule are not published")


def tables_of(store: Store, only: Sequence[MultitaskRun] | None, study: Study) -> Tables:
    """Our scores with the rules beside them, a table for each collection; test accuracies; the defence's table."""
    import pandas as pd

    done = finished(store, MultitaskRun, only)
    every = [run for run, _ in done]
    asked = [set(each.runs) for each in studies(store)] if only is None else [{run.ref for run in every}]
    labels = labels_of(every, asked)
    scores, defense = [], []
    for run, found in done:
        verdict = judge(store, run, PRINTED)
        for task in run.targets:
            accuracy = found[f"test_{task}_accuracy"]
            learned = found.get("task_weights")
            row = {
                "challenge": f"{run.place} {task}",
                "network": label(run.network),
                "mode": run.mode,
                "status": found["status"],
                "protocol": verdict.protocol,
                "comparable": verdict.comparable,
                "note": f"{found['n_classes'][task]} classes" + (f", weight {learned[task]:.2f}" if learned else ""),
                "n_test": found.get(f"test_{task}_n"),
                "value": None if accuracy is None else 100 * accuracy,
            }
            tested = "; ".join(filter(None, [row["note"], seen_of(store, run)]))
            rows = [{**row, "challenge": f"{row['challenge']}{set_as}"} for set_as in labels[run]]
            scores += [{**each, "note": tested} for each in rows]
            if run.place == "rijksmuseum" and f"val_{task}_accuracy" in found:
                seen = {"value": 100 * found[f"val_{task}_accuracy"], "n_test": None}
                defense += [{**row, **seen, "note": f"{row['note']}; {verdict.note}"} for row in rows]
    paper = [(SCORES, compare(SCORES, pd.DataFrame(scores))), (DEFENSE, compare(DEFENSE, pd.DataFrame(defense)))]
    return Tables(paper, summaries(store, every))


def cell(run: MultitaskRun) -> tuple[str, ...]:
    """What names a run's cell of a table."""
    return run.place, run.model_name


def labels_of(runs: Sequence[MultitaskRun], studies: Sequence[Collection[RunRef]]) -> dict[MultitaskRun, list[str]]:
    """Run -> a label for each of the studies that it is of, its settings and what else that study's command set.

    What all runs of a mode have in common was set by the command, so that the modes of one command have one label; a
    run of a study that nobody wrote down has its own settings.
    """
    rivals = Rivals(runs, cell)
    own = {run: set_as(run, rivals) for run in runs}
    found: dict[MultitaskRun, dict[str, None]] = {run: {} for run in runs}
    for refs in studies:
        of_mode: dict[str, list[MultitaskRun]] = {}
        for run in runs:
            if run.ref in refs:
                of_mode.setdefault(run.mode, []).append(run)
        common = [
            word for mine in of_mode.values() for word in own[mine[0]] if all(word in own[other] for other in mine)
        ]
        for run in chain.from_iterable(of_mode.values()):
            found[run][bracketed(dict.fromkeys([*common, *own[run]]))] = None
    return {run: list(found[run]) or [bracketed(own[run])] for run in runs}


def set_as(run: MultitaskRun, rivals: Rivals[MultitaskRun]) -> list[str]:
    """The settings that tell a run from others of its cell, by the flags that gave them."""
    words = settings(run, rivals, word=asked_for)
    if run.mode not in GRAMS:
        return words
    notes = run.optimizer.name == "AdamW" and ("epsilon", 1e-8) in run.optimizer.options  # others have their own decay
    of_gram = ("dropout=", "weight_decay=") if notes else ("dropout=",)
    return [f"gram_{word}" if word.startswith(of_gram) else word for word in words]


def asked_for(run: MultitaskRun, field: str) -> str | None:
    """What a command says for a field: what it leaves to each classifier goes without saying."""
    gram = run.mode in GRAMS
    left = {
        "shared": 512 if gram else SHARED.get(str(run.network), 512),
        "dropout": Study.gram_dropout if gram else Study.dropout,
    }
    return "" if field in left and getattr(run, field) == left[field] else None


def summaries(store: Store, runs: Sequence[MultitaskRun]) -> list[tuple[str, pd.DataFrame]]:
    """A title and a `summary` for each collection."""
    from keras_art.data import labels

    def of_one(key: str) -> tuple[str, pd.DataFrame]:
        mine = [run for run in runs if run.collection == key]
        return f"{key}: test scores in per cent, means over seeds", summary(store, mine, labels.facts(store, key))

    return readable(dict.fromkeys(run.collection for run in runs), of_one)


def summary(store: Store, runs: Sequence[MultitaskRun], facts: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """One row per task and model: means over seeds and, for two seeds or more, standard deviations, in per cent.

    The rules that see no pixel stand among them, so that every score is read beside what it could be without looking;
    `low` and `high` are the 95% interval of accuracy that the test set allows.
    """
    import pandas as pd

    rows, rivals = [], Rivals(runs, cell)
    for run in runs:
        found = store.metrics(run)
        if found and found["status"] == "ok":
            model = run.model_name + bracketed(set_as(run, rivals))
            for task in run.targets:
                scores = ("accuracy", "macro_f1", "weighted_f1")
                row = {score: 100 * found[f"test_{task}_{score}"] for score in scores}
                rows.append({"task": task, "model": model, **row, "n_test": found[f"test_{task}_n"]})
                for branch in BRANCHES:
                    if f"test_{task}_{branch}_accuracy" in found:  # of a Gram classifier
                        alone = {score: 100 * found[f"test_{task}_{branch}_{score}"] for score in scores[:2]}
                        rows.append({**rows[-1], "model": f"{model}, {branch} branch alone", scores[2]: None, **alone})
    rules = without_looking({task: found["leaks"] for task, found in facts.items()}, "task")
    rules = rules.rename(columns={"rule": "model"})
    if not rows:
        return rules
    groups = pd.DataFrame(rows).groupby(["task", "model"], sort=False)
    means = groups[["accuracy", "macro_f1", "weighted_f1"]].mean()
    for score in ("accuracy", "macro_f1"):
        means.insert(list(means.columns).index(score) + 1, f"{score}_std", groups[score].std())
    means["seeds"], means["n_test"] = groups.size(), groups["n_test"].first()
    bounds = [wilson(a / 100 * n, int(n)) for a, n in zip(means["accuracy"], means["n_test"], strict=True)]
    for place, bound in ((2, "low"), (3, "high")):
        means.insert(place, bound, [100 * pair[place - 2] for pair in bounds])
    shown = pd.concat([rules, means.reset_index()], ignore_index=True)
    shown = shown.reindex(columns=["task", "model", *means.columns])
    # By task as the study has them, the best model first.
    order = shown["task"].map({task: i for i, task in enumerate(facts)})
    return (
        shown.assign(order=order, worse=-shown["accuracy"])
        .sort_values(["order", "worse"], kind="stable", ignore_index=True)
        .drop(columns=["order", "worse"])
        .astype({"seeds": "Int64", "n_test": "Int64"})
    )

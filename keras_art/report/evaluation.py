"""What a classifier of one or several label columns is worth: its test report, and comparisons over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from keras_art.data.labels import Labels
from keras_art.report import figures, metrics
from keras_art.writing import csv_text, distinct, write


def report(
    folder: Path, ids: Sequence[str], labels: Labels, probabilities: Mapping[str, np.ndarray], title: str = ""
) -> dict[str, Any]:
    """Writes what a run says of each test image and class, per task; returns the test metrics.

    Images without a label in a task are left out of its scores, not of its predictions. The files are
    `predictions_TASK.csv`, `per_class_TASK.csv` and `confusion_TASK.png`, TASK as `distinct` names it.

    Args:
        ids: of the n test images.
        labels: of the n test images.
        probabilities: task -> (n, classes).

    Returns:
        `test_TASK_accuracy`, `_macro_f1`, `_weighted_f1`, fractions; `test_TASK_loss`, nats; `test_TASK_n`, a count.
    """
    measured: dict[str, Any] = {}
    names = distinct(labels.classes)
    for task, classes in labels.classes.items():
        index, found = labels.column(task), probabilities[task]
        known = index >= 0
        table = metrics.predictions(ids, found, classes)
        table.insert(1, "label", [classes[i] if i >= 0 else "" for i in index])
        write(folder / f"predictions_{names[task]}.csv", csv_text(table))
        scores = metrics.classification(index[known], found[known])
        rows = metrics.per_class(index[known], found[known], classes)
        write(folder / f"per_class_{names[task]}.csv", csv_text(rows))
        confusion = metrics.confusion(index[known], found[known].argmax(1), len(classes))
        drawn = figures.confusion_matrix(confusion, classes, title=f"{title} {task}".strip())
        figures.save(drawn, folder / f"confusion_{names[task]}.png")
        weighted = float((rows["f1"].fillna(0) * rows["support"]).sum() / rows["support"].sum())
        measured |= {
            f"test_{task}_accuracy": scores["accuracy"],
            f"test_{task}_macro_f1": scores["macro_f1"],
            f"test_{task}_weighted_f1": weighted,
            f"test_{task}_loss": scores["loss"],
            f"test_{task}_n": scores["n"],
        }
    return measured


def paired(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> dict[str, float | int | bool]:
    """Whether b differs from a by more than their seeds do: the differences of pairs that share a seed.

    Returns:
        `difference`, the mean of b - a; `std`, of the differences (NaN for one pair); `lower` and `upper`, their 95%
        t-interval (NaN for one pair); `n`, pairs; `beyond_noise`, whether the interval leaves out 0. Pairs where either
        is NaN do not count. It says what seeds move, not what another test set would.
    """
    from scipy.stats import t

    differences = np.asarray(b, float) - np.asarray(a, float)
    differences = differences[np.isfinite(differences)]
    n = len(differences)
    mean = float(differences.mean()) if n else math.nan
    std = float(differences.std(ddof=1)) if n > 1 else math.nan
    half = float(t.ppf(0.975, n - 1)) * std / math.sqrt(n) if n > 1 else math.nan
    lower, upper = mean - half, mean + half
    return {
        "difference": mean, "std": std, "lower": lower, "upper": upper, "n": n,
        "beyond_noise": bool(n > 1 and (lower > 0 or upper < 0)),
    }  # fmt: skip


def per_class_differences(
    base: Mapping[int, pd.DataFrame], other: Mapping[int, pd.DataFrame], score: str = "f1"
) -> pd.DataFrame:
    """One row per class: `class`, `support`, `base` and `other` (means over seeds), then what `paired` says.

    Args:
        base: seed -> a `per_class` table.
        other: the same of the model compared with it; only seeds that both have count.
        score: the column compared; NaN, a class neither present nor predicted, stays out.

    Raises:
        ValueError: no seed is shared, or the tables list other classes.
    """
    seeds = sorted(set(base) & set(other))
    if not seeds:
        raise ValueError("no seed was run for both: give them the same --seeds")
    names = list(base[seeds[0]]["class"])
    if any(list(table["class"]) != names for table in (*base.values(), *other.values())):
        raise ValueError("the tables are of different classes")
    a = np.array([base[seed][score] for seed in seeds])  # (seeds, classes)
    b = np.array([other[seed][score] for seed in seeds])
    rows = []
    for i, name in enumerate(names):
        found = paired(a[:, i], b[:, i])
        rows.append({"class": name, "support": int(base[seeds[0]]["support"][i]), **found})
    frame = pd.DataFrame(rows)
    with np.errstate(invalid="ignore"):
        frame.insert(2, "base", a.mean(axis=0))
        frame.insert(3, "other", b.mean(axis=0))
    return frame.sort_values("difference", ascending=False, ignore_index=True)

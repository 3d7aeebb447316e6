"""The published numbers, each with the version of KaoKore it is of, and the runs of a store beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art.report.tables import PaperTable, beside, compare, render, titled
from keras_art.store import runs
from reproductions.st_saclf.study import PRESETS, Run

if TYPE_CHECKING:
    import pandas as pd

VERSIONS = {5298: "1.0", 8215: "1.1", 8446: "1.2", 9257: "1.3"}  # labelled images -> version of KaoKore

BASELINES = PaperTable(
    name="kaokore_baselines",
    source="KaoKore's README, on version 1.0",
    metric="test accuracy, %",
    column_name="target",
    text="""
    network       version  gender  status
    VGG11         1.0      92.03   78.74
    AlexNet       1.0      91.27   78.93
    ResNet-18     1.0      92.98   82.16
    ResNet-34     1.0      93.55   84.82
    MobileNet-v2  1.0      95.06   82.35
    DenseNet-121  1.0      94.31   79.70
    Inception-v3  1.0      96.58   84.25
    """,
)
PUBLISHED = PaperTable(
    name="st_saclf",
    source="ST-SACLF, arXiv 2408.01827, abstract, on version 1.2, status",
    metric="on the test split, %",
    column_name="score",
    notes={"†": "no k of 845 test images rounds to it; 465 of version 1.0's 533 dev images do"},
    text="""
    network   version  accuracy  precision  recall  f1
    ResNet50  1.2      87.24†    -          -       -
    """,
)
SCORES = {
    "accuracy": "test_accuracy", "precision": "test_macro_precision", "recall": "test_macro_recall",
    "f1": "test_macro_f1",
}  # fmt: skip
SETTINGS = ("mode", "attention", "loss", "p1", "p2")


def version(run: Run, found: dict[str, Any]) -> str:
    """The version of KaoKore a run is of, by its number of images within 1%; "" of another collection."""
    if not run.collection.startswith("kaokore-"):
        return ""
    return next((name for n, name in VERSIONS.items() if abs(found["n_images"] / n - 1) < 0.01), "")


def protocol(run: Run) -> str:
    """Which preset a run followed: demo, paper, released, or study."""
    if run.collection.startswith("atelier-"):
        return "demo"
    for name in ("paper", "released"):
        preset = PRESETS[name]
        same = all(
            getattr(run, field.name) == getattr(preset, field.name)
            for field in dataclasses.fields(Run)
            if field.name in PRESETS["study"].__dict__
            and field.name not in ("p1", "p2", "taps", "stages", "rare", "target")
        )
        shares = run.p1 in preset.p1 and run.p2 in preset.p2
        if same and shares and run.mode in preset.modes and run.weights == "imagenet":
            return name
    return "study"


def label(network: str) -> str:
    """A network's name for people: without the digest of a file."""
    return Path(network).stem.rsplit("-", 1)[0] if network.endswith(".keras") else network


def done(store: runs.Store, only: Sequence[Run] | None = None) -> list[tuple[Run, dict[str, Any]]]:
    """The finished classifiers of a store, or those of some runs."""
    return [
        (run, found)
        for run, found in store.finished(Run)
        if run.mode != "pretraining" and (only is None or run in only)
    ]


def table(store: runs.Store, only: Sequence[Run] | None = None) -> list[tuple[PaperTable, pd.DataFrame]]:
    """The published tables beside what the store holds; only runs by a paper's protocol stand in a paper's row."""
    import pandas as pd

    rows: dict[str, list[dict[str, Any]]] = {"kaokore_baselines": [], "st_saclf": []}
    for run, found in done(store, only):
        followed, of = protocol(run), version(run, found)
        comparable = followed in ("paper", "released") and of == "1.2" and run.target == "status"
        settings = ", ".join(f"{name}={getattr(run, name)}" for name in SETTINGS)
        name = label(run.network) if comparable else f"{label(run.network)} on {run.collection} [{settings}]"
        row = {
            "network": name, "version": of, "status": found["status"], "protocol": followed,
            "note": f"{found['n_images']:,} images, {found['n_stylised']:,} stylised in training",
        }  # fmt: skip
        for score, key in SCORES.items():
            value = None if found[key] is None else 100 * found[key]
            n_test = found["n_test"] if score == "accuracy" else None
            rows["st_saclf"].append({**row, "score": score, "value": value, "comparable": comparable, "n_test": n_test})
    return [(paper, compare(paper, pd.DataFrame(rows[paper.name]))) for paper in (BASELINES, PUBLISHED)]


def comparison(store: runs.Store, only: Sequence[Run] | None = None) -> pd.DataFrame:
    """Ours, side by side: one row per setting with the means over its seeds; what all rows share is left out.

    Fractions of the test split in per cent; `std` is of the accuracy over seeds; `rare` and `gap` are the recall of
    rare classes and the gap between the best and the worst class's.
    """
    import pandas as pd

    found = [(run, metrics) for run, metrics in done(store, only) if metrics["status"] == "ok"]
    names = ["collection", "network", *SETTINGS]
    others = [
        field.name
        for field in dataclasses.fields(Run)
        if field.name not in (*names, "seed", "target", "stylised")
        and len({getattr(run, field.name) for run, _ in found}) > 1
    ]
    scores = {**SCORES, "rare": "test_rare_recall", "gap": "test_recall_gap"}
    frame = pd.DataFrame(
        [
            {
                **{name: getattr(run, name) for name in (*names, *others)},
                **{score: 100 * metrics[key] for score, key in scores.items() if metrics[key] is not None},
            }
            for run, metrics in found
        ]
    )
    if frame.empty:
        return frame
    groups = frame.groupby([*names, *others], sort=False)
    means = groups[[score for score in scores if score in frame]].mean()
    means.insert(1, "std", groups["accuracy"].std())
    means.insert(0, "n", groups.size())
    means = means.reset_index()
    means["network"] = means["network"].map(label)
    return means


def print_tables(store: runs.Store, format: str, only: Sequence[Run] | None = None) -> None:
    """Prints our runs side by side, then the published tables beside them."""
    ours = comparison(store, only)
    if format == "csv":
        if len(ours):
            print(render(ours, "csv"), end="")
        return
    if len(ours):
        print(titled("Ours: per cent of the test split, means over n seeds", render(ours, format), format))
    for paper, frame in table(store, only):
        print(beside(paper, frame, format))

"""The published numbers, each with the version of KaoKore it is of, and the runs of a store beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_art.commands.machine import Tables
from keras_art.report.comparable import judge, version_of
from keras_art.report.tables import PaperTable, compare, rules_of, seen_of
from keras_art.store.runs import Store
from keras_art.study.config import Run
from keras_art.study.kinds.classifier import labels
from keras_art.study.records import Rivals, finished, variant
from reproductions.st_saclf.grid import PRINTED
from reproductions.st_saclf.kinds import SaclfRun
from reproductions.st_saclf.study import Study

if TYPE_CHECKING:
    import pandas as pd

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
COSTS = ("params, M", "minutes")  # parameters of network and head; of a run, on the machine that it ran on
SETTINGS = ("mode", "attention", "loss", "p1", "p2")
# What attention's maps are compared with -> how the measurements of it are called.
BESIDE = {"masks": "prior", "Grad-CAM": "grad_cam", "stylised twins": "attention"}


def done(store: Store, only: Sequence[Run] | None = None) -> list[tuple[SaclfRun, dict[str, Any]]]:
    """The finished classifiers of a store by directory name, or those of some runs in their order."""
    found = finished(store, SaclfRun, only)
    if only is None:
        return found
    place = {run: i for i, run in enumerate(only)}
    return sorted(found, key=lambda pair: place[pair[0]])


def tables_of(store: Store, only: Sequence[Run] | None, study: Study) -> Tables:
    """Ours side by side, what the models say of a second collection, and the published tables."""
    import pandas as pd

    own = []
    if len(ours := comparison(store, only)):
        own.append(("Ours: per cent of the test split, means over n seeds", ours))
        own += rules_of(store, set(ours["collection"]))
    if len(seen := attention(store, only)):
        title = "Where attention looks: correlation of its maps with others of the same test image, and of another one"
        own.append((title, seen))
    if study.second and only is not None:
        from reproductions.st_saclf.second import second_table

        own.append(second_table(store, [run for run, _ in done(store, only)], study))
    return Tables([(BASELINES, compare(BASELINES, pd.DataFrame())), (PUBLISHED, published(store, only))], own)


def published(store: Store, only: Sequence[Run] | None = None) -> pd.DataFrame:
    """The paper's scores beside ours; only runs by its protocol, on its version of KaoKore, stand in its row."""
    import pandas as pd

    rows = []
    found_runs = done(store, only)
    rivals = Rivals([run for run, _ in found_runs], cell)
    called = labels(run.network for run, _ in found_runs)
    for run, found in found_runs:
        verdict, of = judge(store, run, PRINTED), version_of(store, run.collection, "kaokore")
        name = called[run.network]
        if not verdict.comparable:
            set_as = ", ".join(f"{setting}={getattr(run, setting)}" for setting in SETTINGS)
            name += f" on {run.collection}: {set_as}{variant(run, rivals, word=asked_for)}"
        images = f"{found['n_images']:,} images, {found['n_stylised']:,} stylised in training"
        row = {
            "network": name, "version": of, "status": found["status"], "protocol": verdict.protocol,
            "note": "; ".join(filter(None, [images, seen_of(store, run), verdict.note])),
            "comparable": verdict.comparable,
        }  # fmt: skip
        for score, key in SCORES.items():
            value = None if found[key] is None else 100 * found[key]
            n_test = found["n_test"] if score == "accuracy" else None
            rows.append({**row, "score": score, "value": value, "n_test": n_test})
    return compare(PUBLISHED, pd.DataFrame(rows))


def asked_for(run: SaclfRun, field: str) -> str | None:
    """How a label says a field, where its name and value do not."""
    if field == "stage_rules":
        return "stages by earlier rules" if run.by_earlier_rules else ""
    return None


def cell(run: SaclfRun) -> tuple[object, ...]:
    """What names a run's cell of a table."""
    return run.collection, run.network, *(getattr(run, name) for name in SETTINGS)


def comparison(store: Store, only: Sequence[Run] | None = None) -> pd.DataFrame:
    """Ours, side by side: one row per setting with the means over its seeds; what all rows share is left out.

    Fractions of the test split in per cent; `std` is of the accuracy over seeds; `rare` and `gap` are the recall of
    rare classes and the gap between the best and the worst class's; `sure` is how sure the models are of images of
    either kind.
    """
    import pandas as pd

    found = [(run, metrics) for run, metrics in done(store, only) if metrics["status"] == "ok"]
    told = settings(found)
    scores = {**SCORES, "rare": "test_rare_recall", "gap": "test_recall_gap"}
    scores |= {"sure rare": "test_rare_confidence", "sure others": "test_representative_confidence"}
    frame = pd.DataFrame(
        [
            {
                **told[run],
                **{score: 100 * metrics[key] for score, key in scores.items() if metrics.get(key) is not None},
                "params, M": metrics["parameters"] / 1e6,
                "minutes": metrics["seconds"] / 60,
            }
            for run, metrics in found
        ]
    )
    if frame.empty:
        return frame
    groups = frame.groupby(list(next(iter(told.values()))), sort=False)
    means = groups[[score for score in (*scores, *COSTS) if score in frame]].mean()
    means.insert(1, "std", groups["accuracy"].std())
    means.insert(0, "n", groups.size())
    means = means.reset_index()
    means["network"] = means["network"].map(labels(means["network"]))
    return means


def settings(found: Sequence[tuple[SaclfRun, dict[str, Any]]]) -> dict[SaclfRun, dict[str, Any]]:
    """Run -> what names its row of a table: collection, network, `SETTINGS`, and in what else the runs differ."""
    names = ["collection", "network", *SETTINGS]
    others = [
        field.name
        for field in dataclasses.fields(SaclfRun)
        if field.name not in (*names, "seed", "target")
        # Without stylised images there is no set of them to tell apart.
        and len({value for run, _ in found if (value := _value(run, field.name)) is not None}) > 1
    ]
    return {
        run: {
            **{name: getattr(run, name) for name in names},
            **{name: _words(_value(run, name)) for name in others},
        }
        for run, _ in found
    }


def attention(store: Store, only: Sequence[Run] | None = None) -> pd.DataFrame:
    """Whether attention looks where masks, Grad-CAM, and its own maps of a stylised twin say, on up to 64 images.

    Two rows per setting and comparison: mean correlations with the map of the same image, and, for what pictures of a
    kind share, with that of another one. Means over seeds; `depth 1` is the shallowest. Runs that do not say
    of how many images are left out: an image could be another one to them.
    """
    import pandas as pd

    found = [(run, metrics) for run, metrics in done(store, only) if metrics["status"] == "ok"]
    told = settings(found)
    rows = [
        {**told[run], "compared with": f"{name}{of}", "images": metrics[f"{key}_images"]}
        | {f"depth {depth}": value for depth, value in enumerate(metrics[f"{key}_{part}"], 1)}
        for run, metrics in found
        for name, key in BESIDE.items()
        for of, part in (("", "agreement"), (" of another", "chance"))
        if f"{key}_images" in metrics
    ]
    if not rows:
        return pd.DataFrame()
    names = [*next(iter(told.values())), "compared with", "images"]
    groups = pd.DataFrame(rows).groupby(names, sort=False)
    means = groups.mean()
    means.insert(0, "n", groups.size())
    means = means.reset_index()
    means["network"] = means["network"].map(labels(means["network"]))
    return means


def _value(run: SaclfRun, field: str) -> Any:
    return asked_for(run, field) if field == "stage_rules" else getattr(run, field)


def _words(value: Any) -> Any:
    """A field's value as a table shows it: words where it is no number."""
    if isinstance(value, bool | int | float):
        return value
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value or "")

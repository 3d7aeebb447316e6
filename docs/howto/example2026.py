"""A linear support-vector machine on features off the shelf.

Nobody: An Invented Paper. 2026.

Claim: a network that was never shown a painting tells styles apart.

    python -m reproductions.example2026
    python -m reproductions.example2026 --data FOLDER_OR_CSV --target style

Departures:
1. The paper is invented, so no number of ours stands beside its one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_art.commands import flags
from keras_art.commands.machine import Reproduction, Tables, open_collection
from keras_art.errors import UserError
from keras_art.report.comparable import Printed, judge
from keras_art.report.tables import PaperTable, compare
from keras_art.store.runs import Store
from keras_art.study.kinds.classifier import ClassifierRun, label
from keras_art.study.records import finished

if TYPE_CHECKING:
    from keras_art.commands.machine import Chosen
    from keras_art.report.plates import Plates

TABLE = PaperTable(  # typed as it is printed, every digit
    name="styles",
    source="Nobody 2026, Table 1",
    metric="test accuracy, %",
    index=1,
    column_name="target",
    text="""
    network      style
    MobileNetV2  50.0
    """,
)


@dataclass(frozen=True)
class Study(flags.Study):
    """What a person asks for: the shared flags, and the paper's own."""

    networks: tuple[str, ...] = ("MobileNetV2",)
    """Names of keras.applications."""
    image_size: int = 224
    """Side of the square input in pixels."""


PRESETS = {
    "demo": Study(preset="demo", target="style", image_size=64, limit=200),
    "study": Study(preset="study"),
}


def check(study: Study) -> None:
    """Refuses what contradicts itself, before anything is read."""
    if not study.networks:
        raise UserError("--networks needs at least one value")


def collections(study: Study, store: Store) -> Chosen:
    """What is taken of which collections."""
    return {"pictures": open_collection(study, store, study.data, study.target)}


def runs(study: Study, chosen: Chosen, store: Store) -> list[ClassifierRun]:
    """The study as a list of runs: here of a kind and a mode that are there already."""
    _, choice = chosen["pictures"]
    return [
        ClassifierRun(
            mode="off_the_shelf", head="linear_svm", collection=choice.key, target=choice.target, network=network,
            weights="none" if study.preset == "demo" else "imagenet", image_size=study.image_size, seed=seed,
        )
        for network in study.networks
        for seed in study.seeds
    ]  # fmt: skip


def tables(store: Store, only: Sequence[ClassifierRun] | None, study: Study) -> Tables:
    """The paper's table, and ours in rows of their own."""
    import pandas as pd

    rows = []
    for run, found in finished(store, ClassifierRun):
        if run.head != "linear_svm" or (only is not None and run not in only):
            continue
        verdict = judge(store, run, Printed(never="the paper is invented"))
        rows.append(
            {
                "network": f"{label(run.network)} on {run.place}", "target": run.target, "status": found["status"],
                "value": None if found["test_accuracy"] is None else 100 * found["test_accuracy"],  # it diverged
                "n_test": found["n_test"], "protocol": verdict.protocol, "comparable": verdict.comparable,
                "note": verdict.note,
            }
        )  # fmt: skip
    return Tables([(TABLE, compare(TABLE, pd.DataFrame(rows)))])


def draw(store: Store, runs: Sequence[ClassifierRun], study: Study, plates: Plates) -> None:
    """What was taken for what, as each run has drawn it."""
    for run in runs:
        words = f"{label(run.network)}: in each row the test pictures of one {run.target}, in the columns what it said."
        plates.file(f"confusion-{run.folder_name}", store.directory(run) / "confusion.png", words)


REPRODUCTION = Reproduction(
    name="example2026",
    doc=__doc__,
    study=Study,
    presets=PRESETS,
    check=check,
    collections=collections,
    runs=runs,
    tables=tables,
    figures=draw,
    printed=(TABLE,),
)

if __name__ == "__main__":
    sys.exit(REPRODUCTION.main())

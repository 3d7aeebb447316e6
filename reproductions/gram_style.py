"""Style from texture: a second branch that classifies the Gram matrix of ResNet50's third stage.

The seventh classifier of the design note that `multitask` follows. It prints no number. The runs are `multitask`'s, in
the same folder of the store: a classifier that was trained there is not trained again. Its baseline is the classifier
without the branch, 2048-512-styles with the same dropout and decay, which `multitask`'s own differs from in all three;
and of either branch it is said what its logits score alone.

Claim to be looked at: feature correlations, which carry style in neural style transfer (Gatys et al. 2016), help to
classify it, most of all where a style is bound to texture.

    python -m reproductions.gram_style                                # the embedded atelier, no download
    python -m reproductions.gram_style --data FOLDER_OR_CSV --seeds 0 1 2
    python -m reproductions.gram_style --data FOLDER_OR_CSV --gram_channels 64 128 --gram_description full triangle
    python -m reproductions.gram_style --data FOLDER_OR_CSV --fusion 0.3 0.5 0.7 --auxiliary 0.3
    python -m reproductions.gram_style --data FOLDER_OR_CSV --split artist_disjoint --targets style

What the matrix costs: G of 512 channels has 262,144 entries, and the dense layer of 512 on it 134,218,240 parameters,
5.7 times ResNet50. G is symmetric, so 131,328 of them say all; and at 224 pixels, 196 positions, its rank is at most
196. So `--gram_description triangle` takes the upper triangle (signed square root, unit length), and 64 or 128 channels
leave 2,080 or 8,256 values. The note's list of things to try is `--fusion 0.3 0.5 0.7`, `--gram_channels 256 512 1024`,
`--gram_tap conv4_block6_out` or `conv5_block3_out`, and losses of each branch's own (`--auxiliary`).

Where the note is silent or says two things: see `reproductions.multitask`.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

from keras_art.commands.machine import Reproduction, Tables
from keras_art.report.comparable import judge
from keras_art.report.plates import Plates
from keras_art.report.tables import PaperTable, compare, seen_of
from keras_art.store.runs import Store
from keras_art.study.kinds.classifier import label
from keras_art.study.records import Rivals, finished, variant
from reproductions.multitask.kind import MultitaskRun
from reproductions.multitask.study import PRESETS as SEVEN
from reproductions.multitask.study import Study, begin, check, collections, files, runs
from reproductions.multitask.tables import PRINTED, summaries

PRESETS = {
    name: dataclasses.replace(
        preset,
        targets=("style",),
        tasks=("baseline", "gram"),
        networks=("ResNet50",) if name == "demo" else ("resnet",),
    )
    for name, preset in SEVEN.items()
}
GRAM = PaperTable(
    name="gram",
    source="Gram classifiers (the design note prints no numbers)",
    metric="test accuracy, %",
    text="challenge network",
)


def describe(run: MultitaskRun) -> str:
    """A Gram run's network and how it describes style: `ResNet50, 512 full, fusion 0.5`."""
    words = f"{label(run.network)}, {run.gram_channels} {run.gram_description}, fusion {run.fusion:g}"
    words += f", at {run.gram_tap}" if run.gram_tap else ""
    return words + (f", auxiliary {run.auxiliary:g}" if run.auxiliary else "")


def cell(run: MultitaskRun) -> tuple[str, ...]:
    """What names a run's cell of a table."""
    return run.collection, run.targets[0], describe(run)


def tables(store: Store, only: Sequence[MultitaskRun] | None, study: Study) -> Tables:
    """The Gram classifiers beside the baselines of their collections, then by how they describe style."""
    import pandas as pd

    done = finished(store, MultitaskRun, only)
    grams = [(run, found) for run, found in done if run.mode == "gram"]
    rivals = Rivals([run for run, _ in grams], cell)
    collections = {run.collection for run, _ in grams} if only is None else {run.collection for run in only}
    rows = [
        {
            "challenge": f"{run.collection} {run.targets[0]}{variant(run, rivals)}",
            "network": describe(run),
            "mode": run.mode,
            "value": None if found["test_accuracy"] is None else 100 * found["test_accuracy"],
            "status": found["status"],
            "protocol": judge(store, run, PRINTED).protocol,
            "comparable": False,
            "n_test": found.get(f"test_{run.targets[0]}_n"),
            "note": "; ".join(filter(None, [f"{found['parameters']:,} parameters", seen_of(store, run)])),
        }
        for run, found in grams
    ]
    beside = [run for run, _ in done if run.collection in collections]
    return Tables([(GRAM, compare(GRAM, pd.DataFrame(rows)))], summaries(store, beside))


def draw(store: Store, runs: Sequence[MultitaskRun], study: Study, plates: Plates) -> None:
    """The comparison of `multitask`, which needs the backend."""
    from reproductions.multitask import page

    page.draw(store, runs, plates)


REPRODUCTION = Reproduction(
    name="gram_style",
    doc=__doc__,
    study=Study,
    presets=PRESETS,
    check=check,
    collections=collections,
    runs=runs,
    tables=tables,
    figures=draw,
    files=files,
    begin=begin,
    errata="multitask",
)


if __name__ == "__main__":
    sys.exit(REPRODUCTION.main())

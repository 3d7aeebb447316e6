"""Faces of pre-modern Japanese art, by gender and by social status.

Tian, Suzuki, Clanuwat, Bober-Irizar, Lamb, Kitamoto: KaoKore: A Pre-modern Japanese Art Facial Expression Dataset.
ICCC 2020 (arXiv 2002.08595).

Claim: networks pretrained on ImageNet and fine-tuned tell the gender of faces that anybody recognises as faces far
better than the status that clothes and hair tell.

    python -m reproductions.kaokore2020                                  # the embedded atelier, no download
    python -m reproductions.kaokore2020 --data PATH/kaokore --dry_run    # what would run, and what it costs
    python -m reproductions.kaokore2020 --data PATH/kaokore --networks my_backbone.keras --image_size 128
    python -m reproductions.kaokore2020 --data FOLDER_OR_CSV --targets artist style
    python -m reproductions.kaokore2020 predict RUN FOLDER --out predictions.csv

Ours follow the owners' Keras script, which is not what made their table, so no number of ours stands beside theirs:
1. The table has networks of PyTorch, four of which Keras lacks; the script VGG16, ResNet50, MobileNetV2, DenseNet121.
2. The table is of version 1.0 (527 test images, of which all its cells are whole numbers); the owners' later versions
   have other images and other splits, and every row of ours says which it is of.
3. The script's protocol: the whole network from ImageNet's weights, Adam at 0.001, a tenth of it after ten of twenty
   epochs, batches of 32, 256 pixels scaled to [-1, 1] for every network, the last epoch's weights. Its batches always
   hold the same images and only their order moves; ours are drawn anew in every epoch.
4. Batch normalisation has Keras's own momentum in the script; the demo's short training takes 0.9 (`--bn_momentum`).
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from keras_art.commands import flags
from keras_art.commands.machine import Reproduction, Tables, open_collection
from keras_art.errors import UserError
from keras_art.report.comparable import Printed, Protocol, judge, version_of
from keras_art.report.tables import PaperTable, compare, rules_of, seen_of
from keras_art.store.reading import read_table
from keras_art.store.runs import Store
from keras_art.study.config import Optimizer
from keras_art.study.files import artefact, starting_weights, words_of
from keras_art.study.kinds.classifier import ClassifierRun as Run
from keras_art.study.kinds.classifier import labels, pretraining
from keras_art.study.records import Rivals, finished, variant

if TYPE_CHECKING:
    from keras_art.commands.machine import Chosen
    from keras_art.report.plates import Plates

TABLE = PaperTable(
    name="kaokore2020",
    source="KaoKore's owners, on version 1.0",
    metric="test accuracy, %",
    column_name="target",
    notes={"†": "keras.applications has no such network with ImageNet weights"},
    text="""
    network       version  gender  status
    VGG11         1.0      92.03†  78.74†
    AlexNet       1.0      91.27†  78.93†
    ResNet-18     1.0      92.98†  82.16†
    ResNet-34     1.0      93.55†  84.82†
    MobileNet-v2  1.0      95.06   82.35
    DenseNet-121  1.0      94.31   79.70
    Inception-v3  1.0      96.58   84.25
    """,
)


@dataclass(frozen=True)
class Study(flags.Study):
    """What a person asks for."""

    targets: tuple[str, ...] = ("gender", "status")
    """The label columns, a classifier each."""
    networks: tuple[str, ...] = ("VGG16", "ResNet50", "MobileNetV2", "DenseNet121")
    """Names of keras.applications, .keras files with a spatial output, or presets of keras-hub, which take
    --preprocessing imagenet, their own."""
    weights: tuple[str, ...] = ("imagenet",)
    """imagenet, none (He-uniform), demo (trained in the run on the atelier's source half), a file, or NETWORK=FILE."""
    preprocessing: Literal["imagenet", "unit", "caffe", "tf", "torch", "none"] = "tf"
    """tf: [-1, 1], the script's; imagenet: the network's own."""
    image_size: int = 256
    """Side of the square input in pixels."""
    optimizer: str = "released"
    """The script's Adam, or one of Keras by name with its rate and decay: AdamW@3e-4,weight_decay=0.05."""
    learning_rate: float = 1e-3
    """In the first half of the epochs; a tenth of it in the second. Of a named optimizer its own holds."""
    batch_size: int = 32
    """Images per step."""
    epochs: int = 20
    """All of them."""
    bn_momentum: float = 0.0
    """Of batch normalisation's moving averages (0: the network's own); short trainings need 0.9."""


PRESETS = {
    "demo": Study(
        preset="demo", targets=("artist", "style"), networks=("MobileNetV2",), weights=("demo",), image_size=64,
        batch_size=16, epochs=6, bn_momentum=0.9, split="stratified",
    ),
    "study": Study(preset="study"), "released": Study(preset="released", data="kaokore-1.2", split="given"),
}  # fmt: skip


def like(run: Run) -> Run:
    """The run that one of ours would be by the owners' script."""
    script = PRESETS["released"]
    return dataclasses.replace(
        run, mode="fine_tuning", weights="imagenet", preprocessing=script.preprocessing, image_size=script.image_size,
        optimizer=Optimizer("Adam", script.learning_rate, drops=(script.epochs // 2,)), batch_size=script.batch_size,
        epochs=script.epochs, patience=script.epochs, keep="last", bn_momentum=0.0,
    )  # fmt: skip


PRINTED = Printed(
    {"script": Protocol(like, {"rule": "given"})},
    never="the table's networks are PyTorch's, and how they were trained is not published",
)


def check(study: Study) -> None:
    """Refuses what contradicts itself with a UserError, before anything is read."""
    flags.check_values(study, epochs=2, batch_size=1, image_size=8, limit=0)
    optimizer_of(study)
    for flag in ("networks", "targets", "weights"):
        if not getattr(study, flag):
            raise UserError(f"--{flag} needs at least one value")


def collections(study: Study, store: Store) -> Chosen:
    """The collection, once for each target, and the rendered objects where the demo's networks begin with them."""
    chosen = {target: open_collection(study, store, study.data, target) for target in study.targets}
    if "demo" in study.weights:
        chosen[""] = open_collection(study, store, "atelier:source", "object", rule="stratified", limit=0)
    return chosen


def optimizer_of(study: Study) -> Optimizer:
    """The script's Adam or a named optimizer; of either the rate falls to a tenth after half of the epochs."""
    released = {"released": Optimizer("Adam", study.learning_rate)}
    return dataclasses.replace(flags.optimizer_of(study.optimizer, released), drops=(study.epochs // 2,))


def runs(study: Study, chosen: Chosen, store: Store) -> list[Run]:
    """The study as a list of runs."""
    found: dict[Run, None] = {}
    for network in study.networks:
        common = Run(
            mode="fine_tuning", network=artefact(network), preprocessing=study.preprocessing,
            optimizer=optimizer_of(study),
            weights=starting_weights(network, study.networks, study.weights), image_size=study.image_size,
            batch_size=study.batch_size, epochs=study.epochs, patience=study.epochs, keep="last",
            bn_momentum=study.bn_momentum,
        )  # fmt: skip
        if common.weights == "demo":
            first = pretraining(common, chosen[""][1].key)
            found[first] = None
            common = dataclasses.replace(common, weights=first.ref)
        for target in study.targets:
            here = dataclasses.replace(common, collection=chosen[target][1].key, target=target)
            found |= {dataclasses.replace(here, seed=seed): None for seed in study.seeds}
    return list(found)


def tables(store: Store, only: Sequence[Run] | None, study: Study) -> Tables:
    """The owners' table, and our runs by their script's protocol in rows of their own, never beside it."""
    import pandas as pd

    done = [
        (run, found)
        for run, found in finished(store, Run, only)
        if (only is not None or run.optimizer.drops) and run.mode == "fine_tuning"
    ]
    every = [run for run, _ in done]

    def cell(run: Run) -> tuple[object, ...]:
        return run.place, run.network  # the targets of one command share a row

    def asked_for(run: Run, field: str) -> str | None:
        # A collection is called otherwise for each target: only where one target has several does that tell rows apart.
        here = {other.collection for other in every if (*cell(other), other.target) == (*cell(run), run.target)}
        if field == "optimizer":  # when the rate falls follows from the epochs
            rates = {other.optimizer.learning_rate for other in every if cell(other) == cell(run)}
            return f"learning_rate={run.optimizer.learning_rate:g}" if len(rates) > 1 else ""
        return "" if field == "collection" and len(here) == 1 else None

    rows, rivals, called = [], Rivals(every, cell), labels(run.network for run in every)
    for run, found in done:
        verdict = judge(store, run, PRINTED)
        set_as = variant(run, rivals, ("seed", "target"), asked_for)
        facts = [f"{run.image_size} pixels, {found['epochs']} epochs", seen_of(store, run), verdict.note]
        rows.append(
            {
                "network": f"{called[run.network]} on {run.place}{set_as}",
                "version": version_of(store, run.collection, "kaokore") or "-",
                "target": run.target,
                "value": None if found["test_accuracy"] is None else 100 * found["test_accuracy"],
                "status": found["status"],
                "protocol": verdict.protocol,
                "comparable": verdict.comparable,
                "n_test": found["n_test"],
                "note": "; ".join(filter(None, facts)),
            }
        )
    own = rules_of(store, {run.collection for run in every})
    return Tables([(TABLE, compare(TABLE, pd.DataFrame(rows)))], own)


def draw(store: Store, configs: Sequence[Run], study: Study, plates: Plates) -> None:
    """Learning curves of every target."""
    import pandas as pd

    from keras_art.report import figures

    called = labels(run.network for run in configs)
    for key, target in dict.fromkeys((run.collection, run.target) for run in configs if run.mode == "fine_tuning"):
        curves: dict[str, dict[str, pd.DataFrame]] = {}
        for run in configs:
            if (run.collection, run.target) == (key, target):
                line = read_table(store.directory(run) / "history.csv").assign(seed=run.seed)
                lines = curves.setdefault(called[run.network], {})
                lines["fine_tuning"] = pd.concat([*lines.values(), line])
        title = f"{key.rsplit('-', 1)[0]}, {target}"
        plates.figure(
            f"{key}-curves",
            figures.learning_curves(curves, title=title),
            f"The share of validation pictures whose {target} is named rightly, after each round of training (epoch) "
            f"through all training pictures; a dot ends a line.",
        )


REPRODUCTION = Reproduction(
    name="kaokore2020",
    doc=__doc__,
    study=Study,
    presets=PRESETS,
    check=check,
    collections=collections,
    runs=runs,
    tables=tables,
    figures=draw,
    files=lambda study: words_of(study.networks, study.weights),
    printed=(TABLE,),
    bibtex="""
@inproceedings{tian2020kaokore,
  author    = {Tian, Yingtao and Suzuki, Chikahiko and Clanuwat, Tarin and Bober-Irizar, Mikel and Lamb, Alex and
               Kitamoto, Asanobu},
  title     = {{KaoKore}: A Pre-modern {Japanese} Art Facial Expression Dataset},
  booktitle = {Proceedings of the International Conference on Computational Creativity (ICCC)},
  year      = {2020},
  note      = {arXiv:2002.08595},
}
""",
)

if __name__ == "__main__":
    sys.exit(REPRODUCTION.main())

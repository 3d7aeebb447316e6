"""The paper's tables as printed, and the runs of a store beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from keras_art.commands.machine import Tables
from keras_art.report import comparable
from keras_art.report.comparable import Verdict
from keras_art.report.tables import PaperTable, compare, rules_of, seen_of
from keras_art.store.runs import Store
from keras_art.study.config import RunRef
from keras_art.study.kinds.classifier import LAYER_RULES, PROBES, labels
from keras_art.study.kinds.classifier import ClassifierRun as Run
from keras_art.study.records import Rivals, finished, readable, run_of, variant
from reproductions.sabatelli2018.study import ANTWERP, MODERN, OPTIMIZERS, RIJKSMUSEUM, Study

if TYPE_CHECKING:
    import pandas as pd


TABLE_1 = PaperTable(
    name="table_1",
    source="Sabatelli et al. 2018, Table 1",
    metric="images, classes, and classes shared with the other collection",
    column_name="count",
    plain={"N_t": "images", "Q_t": "classes"},
    digits=0,
    notes={"†": "printed '~15%'", "‡": "printed 'none'"},
    text="""
    challenge  collection   N_t     Q_t   overlap
    material   rijksmuseum  110668  206   -‡
    type       rijksmuseum  112012  1054  15†
    type       antwerp      23797   920   15†
    artist     rijksmuseum  82018   1196  -‡
    artist     antwerp      18656   903   -‡
    """,
)
TABLE_2 = PaperTable(
    name="table_2",
    source="Sabatelli et al. 2018, Table 2 (Rijksmuseum)",
    metric="test accuracy, %",
    best="column",
    notes={
        "†": "printed '.07%'; the authors' validation log ends at 0.0749, a fraction: about 7%",
        "‡": "printed '.08%'; the authors' validation log ends at 0.0836, a fraction: about 8%",
    },
    text="""
    challenge  network      off_the_shelf  fine_tuning
    material   Xception     87.69          92.13
    material   InceptionV3  88.24          92.10
    material   ResNet50     86.81          92.95
    material   VGG19        92.12          92.23
    type       Xception     74.80          90.67
    type       InceptionV3  72.96          91.03
    type       ResNet50     71.23          91.30
    type       VGG19        77.33          90.27
    artist     Xception     10.92          51.43
    artist     InceptionV3  7†             51.73
    artist     ResNet50     8‡             46.13
    artist     VGG19        38.11          44.98
    """,
)
TABLE_2_SIZES = PaperTable(
    name="table_2_sizes",
    source="Sabatelli et al. 2018, Table 2, its last two columns",
    metric="parameters of the whole network in millions; X features before the softmax",
    notes={"§": "printed with 'K'; millions are meant, softmax included, most of them cut to whole ones"},
    text="""
    challenge  network      params  X
    material   Xception     21§     2048
    material   InceptionV3  22§     2048
    material   ResNet50     24§     2048
    material   VGG19        20§     512
    type       Xception     23§     2048
    type       InceptionV3  24§     2048
    type       ResNet50     25§     2048
    type       VGG19        20§     512
    artist     Xception     23§     2048
    artist     InceptionV3  24§     2048
    artist     ResNet50     26§     2048
    artist     VGG19        20§     512
    """,
)
TABLE_3 = PaperTable(
    name="table_3",
    source="Sabatelli et al. 2018, Table 3 (Antwerp)",
    metric="test accuracy, %; theta_i: from ImageNet, theta_r: carried over from the Rijksmuseum",
    best="column",
    text="""
    challenge  network      theta_i_off  theta_r_off  theta_i_ft  theta_r_ft
    type       Xception     42.01        62.92        69.74       72.03
    type       InceptionV3  43.90        57.65        70.58       71.88
    type       ResNet50     41.59        64.95        76.50       78.15
    type       VGG19        38.36        60.10        70.37       71.21
    artist     Xception     48.52        54.81        58.15       58.47
    artist     InceptionV3  21.29        53.41        56.68       57.84
    artist     ResNet50     22.39        31.38        62.57       69.01
    artist     VGG19        49.90        53.52        54.90       60.01
    """,
)


def tables_of(store: Store, only: Sequence[Run] | None, study: Study) -> Tables:
    """The paper's tables beside what the store holds, or beside some of its runs.

    Our rows name the collection before the target; in the paper's rows stands what `comparable.judge` lets through.
    Runs that differ in anything but their seed are never averaged.
    """
    import pandas as pd

    from keras_art.data import kept

    done = [(run, found) for run, found in finished(store, Run, only) if run.mode != "pretraining"]
    told = dict(readable([run for run, _ in done], lambda run: (run, is_carried(store, run))))
    keys = sorted({run.collection for run in told})
    facts = dict(readable(keys, lambda key: (key, kept.facts_of(store, key))))
    done = [(run, found) for run, found in done if run in told and run.collection in facts]
    every = [run for run, _ in done]
    carried = {run.collection for run in every if told[run]}
    rivals, called = Rivals(every, cell), labels(run.network for run in every)
    rows: dict[str, list[dict[str, Any]]] = {"table_2": [], "table_2_sizes": [], "table_3": []}
    for run, found in done:
        verdict = verdict_of(store, run, carried)
        counts = f"{found['n_images']} images, {found['n_classes']} classes"
        row = {
            "challenge": run.target
            if verdict.comparable
            else f"{run.place} {run.target}{variant(run, rivals, word=asked_for)}",
            "network": called[run.network],
            "status": found["status"],
            "protocol": protocol_of(store, run, verdict, study),
            "comparable": verdict.comparable,
            "note": "; ".join(filter(None, [counts, verdict.note])),
        }
        accuracy = None if found["test_accuracy"] is None else 100 * found["test_accuracy"]
        note = "; ".join(filter(None, [counts, seen_of(store, run), verdict.note]))
        tested = {**row, "value": accuracy, "n_test": found["n_test"], "note": note}
        if run.collection in carried:
            theta = "theta_r" if told[run] else "theta_i"
            mode = {"off_the_shelf": f"{theta}_off", "fine_tuning": f"{theta}_ft"}.get(run.mode, run.mode)
            rows["table_3"].append({**tested, "mode": mode})
        else:
            rows["table_2"].append({**tested, "mode": run.mode})
        for mode, value in (("params", found["parameters"] / 1e6), ("X", found["width"])):
            rows["table_2_sizes"].append({**row, "mode": mode, "value": value, "n_test": None, "status": "ok"})
    sizes = pd.DataFrame(rows["table_2_sizes"]).drop_duplicates() if rows["table_2_sizes"] else pd.DataFrame()
    return Tables(
        [
            (TABLE_1, compare(TABLE_1, _collections(store, facts))),
            (TABLE_2, compare(TABLE_2, pd.DataFrame(rows["table_2"]))),
            (TABLE_2_SIZES, compare(TABLE_2_SIZES, sizes)),
            (TABLE_3, compare(TABLE_3, pd.DataFrame(rows["table_3"]))),
        ],
        rules_of(store, {run.collection for run in every}),
    )


def verdict_of(store: Store, run: Run, carried: Collection[str]) -> Verdict:
    """Whether a run stands beside what is printed of its collection.

    Args:
        carried: the collections to which something was carried over: to those of Table 3.
    """
    return comparable.judge(store, run, ANTWERP if run.collection in carried else RIJKSMUSEUM)


def protocol_of(store: Store, run: Run, verdict: Verdict, study: Study) -> str:
    """What a run followed: a paper's protocol, else `modern`, which is none's, else `study` or `demo`.

    Of a preset a probe reads nothing: it is of the one that was asked for.
    """
    may_be = verdict.protocol == comparable.STUDY and (run.mode not in PROBES or study.preset == "modern")
    return comparable.judge(store, run, MODERN).protocol if may_be else verdict.protocol


def asked_for(run: Run, field: str) -> str:
    """What a command says for a field: the modes of one command have one label, whatever it gave each of them."""
    if field in Run.ADAPTATION and getattr(run, field) == getattr(Run(), field):
        return ""
    if field == "layer_rules":
        return "layers by earlier rules" if run.takes_layers and run.layer_rules < LAYER_RULES else ""
    if field != "optimizer":
        return f"{field}={getattr(run, field)}"
    part = "frozen" if run.mode == "off_the_shelf" else "whole"
    for name in ("paper", "released"):
        own = OPTIMIZERS[name, part]
        if dataclasses.replace(own, learning_rate=run.optimizer.learning_rate) == run.optimizer:
            rate = "" if own == run.optimizer else f"learning_rate={run.optimizer.learning_rate:g}"
            return ", ".join(filter(None, [f"optimizer={name}" if name != "paper" else "", rate]))
    return f"optimizer={run.optimizer}"


def cell(run: Run) -> tuple[object, ...]:
    """What names a run's cell of a table."""
    return run.place, run.target, run.network, run.mode


def is_carried(store: Store, run: Run) -> bool:
    """Whether a run begins with theta^r, the weights of another fine-tuned run or of a file said to be such."""
    return run.carried or (isinstance(run.weights, RunRef) and run_of(store, run.weights).mode == "fine_tuning")


def _collections(store: Store, facts: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """N_t and Q_t of some collections, and the labels two collections of one target share, in per cent.

    Args:
        facts: a collection's key -> its `task.json`.
    """
    import pandas as pd

    from keras_art.data.splits import label_overlap

    rows = []
    names = [key.rsplit("-", 1)[0] for key in facts]
    for key, ours in facts.items():
        name = key.rsplit("-", 1)[0]
        # Of one collection chosen from in two ways, each keeps its digest.
        shown = key if names.count(name) > 1 else name
        others = [theirs for other, theirs in facts.items() if other != key and theirs["targets"] == ours["targets"]]
        counts = {"N_t": ours["n_images"], "Q_t": len(ours["classes"])}
        if len(others) == 1:
            counts["overlap"] = 100 * label_overlap(ours["classes"], others[0]["classes"])
        verdict = comparable.judge_collection(store, key, ANTWERP if name == "antwerp" else RIJKSMUSEUM)
        for column, value in counts.items():
            rows.append(
                {
                    "challenge": ours["targets"][0], "collection": shown, "count": column, "value": value,
                    "status": "ok",
                    "protocol": verdict.protocol, "comparable": verdict.comparable, "n_test": None,
                    "note": verdict.note,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)

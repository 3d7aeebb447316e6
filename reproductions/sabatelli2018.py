"""Off the shelf, fine-tuned or from scratch: ImageNet's networks on museum collections.

Sabatelli, Kestemont, Daelemans, Geurts: Deep Transfer Learning for Art Classification Problems. ECCV VISART 2018.

Claim: networks pretrained on ImageNet recognise material, type and artist of art; fine-tuned they do so far better than
off the shelf, and fine-tuned on one collection they carry over to another better than ImageNet's weights do.

    python -m reproductions.sabatelli2018                       # the embedded atelier, no download
    python -m reproductions.sabatelli2018 --dry_run             # what would run, and what it costs
    python -m reproductions.sabatelli2018 --data FOLDER_OR_CSV --target artist
    python -m reproductions.sabatelli2018 --preset paper --data rijksmuseum --target material
    python -m reproductions.sabatelli2018 --data antwerp --source rijksmuseum --target artist     # Table 3
    python -m reproductions.sabatelli2018 predict RUN FOLDER --out predictions.csv

Departures from the paper (`--preset paper` follows its text, `--preset released` its code, `study` is what we advise):
1. Pixels: the text scales to [0, 1], the code subtracts ImageNet's mean as the networks were trained. study: the code.
2. Frozen batch normalisation: Keras in 2018 used batch statistics in training (`--frozen_bn batch`), Keras 3 the moving
   averages. VGG19, the network without any, won every off-the-shelf column of Table 2. study: moving averages.
3. Fine-tuning: the text says SGD 1e-3 with Nesterov momentum, the code 1e-4 without. study: the text.
4. Weights tested: the text takes those of the smallest validation loss, the code the last ones. study: the text.
5. Split: the code draws 80/10/10 unstratified with seed 42; the text keeps classes present in all three splits, the
   code all. study: the collection's own split, or a stratified one, and the filter.
6. Test accuracy: the code drops the last partial batch and averages batches; here every image counts once, always.
7. The demo leaves VGG19 out: without batch normalisation it learns next to nothing in the minutes a demo has.
8. RMSprop's epsilon stands outside the square root in the Keras of 2018, inside in Keras 3; no value matches exactly.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import tyro

from keras_art import UserError, __version__, cli, runs
from keras_art import study as study_
from keras_art.tables import PaperTable, compare, grid, render

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.splits import Choice

PAPER = "sabatelli2018"
NETWORKS = ("Xception", "InceptionV3", "ResNet50", "VGG19")
NATIVE_SIZE = {"Xception": 299, "InceptionV3": 299, "InceptionResNetV2": 299, "NASNetLarge": 331}  # others: 224
TITLES = {"text": "{}\n", "markdown": "**{}**\n\n", "latex": "% {}\n", "html": "<h3>{}</h3>\n"}
# How the demo's own weights are trained: more and smaller steps than the paper's, because there are few images.
PRETRAINING: dict[str, Any] = {
    "mode": "pretraining", "weights": "none", "learning_rate": 0.0, "batch_size": 16, "epochs": 4, "patience": 4,
    "keep": "last",
}  # fmt: skip

TABLE_1 = PaperTable(
    name="table_1",
    source="Sabatelli et al. 2018, Table 1",
    metric="images, classes, and classes shared with the other collection",
    column_name="count",
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


@dataclass(frozen=True)
class Study(cli.Study):
    """What a person asks for; it expands into Runs."""

    networks: tuple[str, ...] = NETWORKS
    """Names of keras.applications, or .keras files with a spatial output."""
    modes: tuple[Literal["off_the_shelf", "fine_tuning", "scratch"], ...] = ("off_the_shelf", "fine_tuning")
    """scratch is InceptionV3's, as in the paper, unless --networks names others."""
    source: str | None = None
    """A collection to train on first and carry over from (theta^r of Table 3), off the shelf and fine-tuned."""
    weights: tuple[str, ...] = ("imagenet",)
    """imagenet, none (He-uniform), demo (trained in the run on the atelier's source half), a file, or NETWORK=FILE."""
    preprocessing: Literal["imagenet", "unit", "caffe", "tf", "torch", "none"] = "imagenet"
    """imagenet: the network's own; unit: [0, 1]; none: [0, 255]."""
    image_size: int = 0
    """Side of the square input in pixels (0: the network's own)."""
    resize: Literal["squash", "squash_nearest", "crop", "pad"] = "squash"
    """How a picture becomes square."""
    frozen_bn: Literal["inference", "batch"] = "inference"
    """In training, frozen batch normalisation takes moving averages (Keras 3), or the batch's own (Keras in 2018)."""
    head: Literal["softmax", "linear_svm", "random_forest"] = "softmax"
    """On frozen features; fine-tuning is always softmax."""
    optimizer: Literal["paper", "released"] = "paper"
    """The paper's text, or its code."""
    learning_rate: float = 0.0
    """0: the optimizer's own."""
    batch_size: int = 32
    """Images per step."""
    epochs: int = 100
    """At most."""
    head_epochs: int = 0
    """The same of off-the-shelf heads, whose epochs cost next to nothing (0: as --epochs)."""
    patience: int = 7
    """Epochs without a smaller validation loss before training stops."""
    keep: Literal["best", "last"] = "best"
    """Weights that are tested: of the smallest validation loss, or of the last epoch."""
    bn_momentum: float = 0.0
    """Of batch normalisation's moving averages (0: the network's own); short trainings need 0.9."""
    class_filter: Literal["in_all_splits", "none"] = "in_all_splits"
    """Which classes stay."""
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    """Of the arithmetic; mixed is for GPUs."""


PRESETS = {
    "demo": Study(
        preset="demo", target="artist", networks=("Xception", "InceptionV3", "ResNet50"), weights=("demo",),
        preprocessing="tf", image_size=75, epochs=4, head_epochs=60, bn_momentum=0.9, split="stratified",
    ),
    "study": Study(preset="study"),
    "paper": Study(
        preset="paper", data="rijksmuseum", modes=("off_the_shelf", "fine_tuning", "scratch"), preprocessing="unit",
        frozen_bn="batch", split="random", split_seed=42,
    ),
    "released": Study(
        preset="released", data="rijksmuseum", resize="squash_nearest", frozen_bn="batch", optimizer="released",
        keep="last", class_filter="none", split="random", split_seed=42,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Run(study_.ClassifierRun):
    """One network on one collection; `mode` is off_the_shelf, fine_tuning, scratch, or the demo's pretraining."""

    paper: ClassVar[str] = PAPER


def choices(study: Study, store: runs.Store) -> dict[str, tuple[Any, Choice]]:
    """The collections of a study, read but not yet opened: "target", and "source" and "pretraining" where asked for."""
    from keras_art.atelier import make_atelier
    from keras_art.collection import load_collection
    from keras_art.splits import choose

    def atelier(half: str) -> Path:
        # By version: a painter who has learnt something since must not be taken for the old one.
        return make_atelier(store.root / "cache" / __version__ / f"atelier-{half}", half=half)

    wanted = {"target": (study.data or atelier("target"), study.target)}
    if study.source:
        wanted["source"] = (study.source, study.target)
    if "demo" in study.weights:
        wanted["pretraining"] = (atelier("source"), "object")
    chosen = {}
    for role, (data, target) in wanted.items():
        collection = load_collection(data, study.root)
        chosen[role] = (
            collection,
            choose(
                collection,
                target,
                rule=study.split if role != "pretraining" else "stratified",
                split_seed=study.split_seed,
                class_filter=study.class_filter == "in_all_splits",
                limit=study.limit if role != "pretraining" else 0,
            ),
        )
    return chosen


def runs_of(study: Study, chosen: dict[str, tuple[Any, Choice]]) -> list[Run]:
    """The study as a list of runs, each after the one whose weights it begins with."""
    target = chosen["target"][1]
    grid: dict[Run, None] = {}
    for network in study.networks:
        name, weights = study_.named(network), starting_weights(network, study)
        common = Run(
            collection=target.key,
            target=target.target,
            network=name,
            weights=weights,
            image_size=study.image_size or NATIVE_SIZE.get(network, 224),
            **{field: getattr(study, field) for field in study_.TRAINING},
        )
        if weights == "demo":
            pretraining = chosen["pretraining"][1]
            first = dataclasses.replace(common, collection=pretraining.key, target="object", **PRETRAINING)
            grid[first] = None
            common = dataclasses.replace(common, weights=f"run:{runs.digest(first)}")
        for mode in study.modes:
            if mode == "scratch" and study.networks == NETWORKS and network != "InceptionV3":
                continue
            for seed in study.seeds:
                run = dataclasses.replace(common, mode=mode, seed=seed)
                if mode == "off_the_shelf":
                    run = dataclasses.replace(run, head=study.head, epochs=study.head_epochs or study.epochs)
                if mode == "scratch":
                    run = dataclasses.replace(run, weights="none")
                grid[run] = None
                if study.source and mode != "scratch":
                    source = chosen["source"][1]
                    theta_r = dataclasses.replace(
                        common, collection=source.key, target=source.target, mode="fine_tuning", seed=seed
                    )
                    grid[theta_r] = None
                    grid[dataclasses.replace(run, weights=f"run:{runs.digest(theta_r)}")] = None
    return list(grid)


def starting_weights(network: str, study: Study) -> str:
    """What `--weights` says of one network."""
    files = dict(item.split("=", 1) for item in study.weights if "=" in item)
    plain = [item for item in study.weights if "=" not in item]
    if len(plain) > 1:
        raise UserError(f"--weights takes one of {' '.join(plain)}, and NETWORK=FILE for single networks")
    if unknown := set(files) - set(study.networks):
        raise UserError(f"--weights names {', '.join(sorted(unknown))}, which --networks does not")
    if network in files:
        return study_.named(files[network])
    weights = plain[0] if plain else "imagenet"
    if network.endswith(".keras") and weights in ("imagenet", "demo"):
        return "own"
    return weights if weights in ("imagenet", "none", "demo") else study_.named(weights)


def is_carried(run: Run, configs: Sequence[Run]) -> bool:
    """Whether a run begins with theta^r, the weights of another fine-tuned run."""
    return run.weights.removeprefix("run:") in {runs.digest(other) for other in configs if other.mode == "fine_tuning"}


def protocol(run: Run, facts: dict[str, Any]) -> str:
    """Which preset a run followed, whatever the command that started it: demo, paper, released, or study."""
    if run.collection.startswith("atelier-"):
        return "demo"
    for name in ("paper", "released"):
        preset = PRESETS[name]
        if (
            all(getattr(run, field) == getattr(preset, field) for field in (*study_.TRAINING, "head"))
            and run.image_size == NATIVE_SIZE.get(run.network, 224)
            and run.weights.startswith(("imagenet", "none", "run:"))
            and (facts["rule"], facts["split_seed"]) == (preset.split, preset.split_seed)
            and facts["class_filter"] == (preset.class_filter == "in_all_splits")
        ):
            return name
    return "study"


def table(store: runs.Store, only: Sequence[Run] | None = None) -> list[tuple[PaperTable, pd.DataFrame]]:
    """The paper's tables beside what the store holds, or beside some of its runs.

    Our rows name the collection before the target; only runs by the paper's protocol on the paper's own collection
    stand in the paper's rows. Runs that differ in anything but their seed are never averaged.
    """
    import pandas as pd

    every = study_.finished(store, Run)
    everything = [run for run, _ in every]
    done = [(run, found) for run, found in every if only is None or run in only]
    carried = {run.collection for run, _ in done if is_carried(run, everything)}
    rows: dict[str, list[dict[str, Any]]] = {"table_2": [], "table_2_sizes": [], "table_3": []}
    for run, found in done:
        if run.mode == "pretraining":
            continue
        facts = json.loads((store.root / "collections" / run.collection / "task.json").read_text(encoding="utf-8"))
        followed = protocol(run, facts)
        name = run.collection.rsplit("-", 1)[0]
        comparable = followed in ("paper", "released") and matches_card(name, run.target, found)
        row = {
            "challenge": run.target if comparable else f"{name} {run.target}{variant(run, [r for r, _ in done])}",
            "network": label(run.network),
            "status": found["status"],
            "protocol": followed,
            "comparable": comparable,
            "note": f"N_t={found['n_images']}, Q_t={found['n_classes']}",
        }
        accuracy = None if found["test_accuracy"] is None else 100 * found["test_accuracy"]
        tested = {**row, "value": accuracy, "n_test": found["n_test"]}
        if run.collection in carried:
            theta = "theta_r" if is_carried(run, everything) else "theta_i"
            mode = {"off_the_shelf": f"{theta}_off", "fine_tuning": f"{theta}_ft"}.get(run.mode, run.mode)
            rows["table_3"].append({**tested, "mode": mode})
        else:
            rows["table_2"].append({**tested, "mode": run.mode})
        for mode, value in (("params", found["parameters"] / 1e6), ("X", found["width"])):
            rows["table_2_sizes"].append({**row, "mode": mode, "value": value, "n_test": None, "status": "ok"})
    sizes = pd.DataFrame(rows["table_2_sizes"]).drop_duplicates() if rows["table_2_sizes"] else pd.DataFrame()
    return [
        (
            TABLE_1,
            compare(TABLE_1, _collections(store, {run.collection for run, _ in done if run.mode != "pretraining"})),
        ),
        (TABLE_2, compare(TABLE_2, pd.DataFrame(rows["table_2"]))),
        (TABLE_2_SIZES, compare(TABLE_2_SIZES, sizes)),
        (TABLE_3, compare(TABLE_3, pd.DataFrame(rows["table_3"]))),
    ]


def _collections(store: runs.Store, keys: set[str]) -> pd.DataFrame:
    """N_t and Q_t of the collections of some runs, and the labels two collections of one target share, in per cent."""
    import pandas as pd

    from keras_art.splits import label_overlap

    facts = {}
    for key in sorted(keys):
        folder = store.root / "collections" / key
        facts[key] = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    rows = []
    names = [key.rsplit("-", 1)[0] for key in facts]
    for key, ours in facts.items():
        name = key.rsplit("-", 1)[0]
        # Of one collection chosen from in two ways, each keeps its digest.
        shown = key if names.count(name) > 1 else name
        others = [theirs for other, theirs in facts.items() if other != key and theirs["target"] == ours["target"]]
        counts = {"N_t": ours["n_images"], "Q_t": len(ours["classes"])}
        if len(others) == 1:
            counts["overlap"] = 100 * label_overlap(ours["classes"], others[0]["classes"])
        comparable = matches_card(name, ours["target"], {"n_images": counts["N_t"], "n_classes": counts["Q_t"]})
        for column, value in counts.items():
            rows.append(
                {
                    "challenge": ours["target"], "collection": shown, "count": column, "value": value, "status": "ok",
                    "protocol": "paper" if comparable else "demo" if key.startswith("atelier-") else "study",
                    "comparable": comparable, "n_test": None,
                    "note": "",
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def matches_card(name: str, target: str, found: dict[str, Any]) -> bool:
    """Whether a task is the paper's: its card's N_t within 1% and Q_t within 5%.

    Not exactly, because the paper's filter depends on which rows its unpublished split put where.
    """
    from keras_art import cards

    if name not in ("rijksmuseum", "antwerp") or name not in cards.names():
        return False
    expected = cards.load_card(name).expected.get(target)
    return expected is not None and (
        abs(found["n_images"] / expected["images"] - 1) < 0.01
        and abs(found["n_classes"] / expected["classes"] - 1) < 0.05
    )


def label(network: str) -> str:
    """A network's name for people: without the digest of a file."""
    return Path(network).stem.rsplit("-", 1)[0] if network.endswith(".keras") else network


def variant(run: Run, others: Sequence[Run]) -> str:
    """The fields, other than its seed, in which a run differs from others that would stand in the same cell."""
    name = run.collection.rsplit("-", 1)[0]
    rivals = [
        r
        for r in others
        if (r.collection.rsplit("-", 1)[0], r.target, r.network, r.mode) == (name, run.target, run.network, run.mode)
    ]
    differing = []
    for field in dataclasses.fields(Run):
        carried = field.name == "weights" and run.weights.startswith("run:")
        if field.name != "seed" and not carried and len({getattr(r, field.name) for r in rivals}) > 1:
            differing.append(f"{field.name}={getattr(run, field.name)}")
    return f" [{', '.join(differing)}]" if differing else ""


def print_tables(store: runs.Store, format: str, only: Sequence[Run] | None = None) -> None:
    """Prints the tables that have something of ours in them, or all of the paper's where nothing has been run."""
    import pandas as pd

    frames = [(paper, frame) for paper, frame in table(store, only)]
    if format == "csv":
        same = {"collection": "network", "count": "mode"}
        print(render(pd.concat([frame.rename(columns=same) for _, frame in frames]), "csv"), end="")
        return
    filled = [(paper, frame) for paper, frame in frames if (frame["n"] > 0).any()]
    for paper, frame in filled or frames:
        title = TITLES[format].format(f"{paper.source}: {paper.metric}")
        print(grid(paper, frame) if format == "text" else title + render(frame, format))


def check(study: Study) -> None:
    """Refuses what contradicts itself, before anything is read.

    Raises:
        UserError: naming the flags.
    """
    for flag in ("networks", "modes", "seeds", "weights"):
        values = getattr(study, flag)
        if not values or len(set(values)) < len(values):
            raise UserError(f"--{flag} needs at least one value, and none twice")
    for flag, least in (
        ("epochs", 1),
        ("head_epochs", 0),
        ("patience", 1),
        ("batch_size", 1),
        ("image_size", 0),
        ("limit", 0),
    ):
        if getattr(study, flag) < least:
            raise UserError(f"--{flag} is at least {least}")
    if study.head != "softmax" and "off_the_shelf" not in study.modes:
        raise UserError(f"--head {study.head} stands on frozen features: add off_the_shelf to --modes")
    if study.source and set(study.modes) == {"scratch"}:
        raise UserError("--source carries weights over, --modes scratch begins without any: add another mode")
    if study.source and study.source == study.data:
        raise UserError("--source and --data name the same collection")
    if study.source and not study.data:
        raise UserError("--source needs --data, the collection to carry over to")


def carry_out(study: Study) -> int:
    """Runs what is missing of a study, then prints its tables."""
    store = runs.Store(study.store)
    if study.table:
        store.check()
        print_tables(store, study.format, runs_of(study, choices(study, store)) if study.data else None)
        return 0
    check(study)
    store.create()
    chosen = choices(study, store)
    configs = runs_of(study, chosen)
    estimate = study_.Estimate(store, Run, {choice.key: len(choice.table) for _, choice in chosen.values()})
    if study.dry_run:
        print(study_.plan(store, configs, estimate))
        return 0
    if missing := [config for config in configs if store.metrics(config) is None]:
        cli.say(study_.plan(store, configs, estimate))
        prepare(study, store, chosen, missing)
        from keras_art import transfer

        study_.carry_out(store, missing, estimate, functools.partial(transfer.carry_out, store))
        draw(store, configs)
    print_tables(store, study.format, configs)
    return 0


def prepare(study: Study, store: runs.Store, chosen: dict[str, tuple[Any, Choice]], missing: Sequence[Run]) -> None:
    """Everything that can go wrong before training does so here: networks, weights, images, splits."""
    cli.start_backend()
    from keras_art import tasks, transfer

    files = [item.split("=", 1)[-1] for item in study.weights]
    study_.keep_files(store, [*study.networks, *files])
    built = set()
    for run in missing:
        what = (run.network, run.image_size, run.weights)
        if what not in built and not run.weights.startswith("run:"):
            transfer.load_network(store, run)
            built.add(what)
    for collection, choice in chosen.values():
        for size in sorted({run.image_size for run in missing if run.collection == choice.key}):
            with cli.bar(f"reading {choice.name} at {size} pixels", "images") as progress:
                tasks.prepare(store, collection, choice, size, study.resize, progress)
        if (store.root / "collections" / choice.key).exists():
            cli.say(tasks.describe(store, choice.key))


def draw(store: runs.Store, configs: Sequence[Run]) -> None:
    """The paper's figures for each collection of a study, into `figures/` beside its runs.

    Samples (figure 1), validation curves (figures 2 and 3, the paper's own behind ours where the collection is the
    paper's), and VisualBackProp of the frozen and the fine-tuned network side by side (figure 4).
    """
    import pandas as pd

    from keras_art import figures, sheets, tasks
    from keras_art.images import load_photo

    folder = store.root / PAPER / "figures"
    targets = {run.collection: run for run in configs if run.mode != "pretraining"}
    for key, any_run in targets.items():
        ready = tasks.load(store, key, any_run.image_size, any_run.resize)
        table = ready.task.table
        shown = table[table["split"] == "test"].drop_duplicates("label").head(18)
        pictures = [load_photo(path, 256) for path in shown["path"]]
        figures.save(
            sheets.samples(pictures, [ready.task.classes[i] for i in shown["label"]]), folder / f"{key}-samples.png"
        )
        curves: dict[str, dict[str, pd.DataFrame]] = {}
        for run in configs:
            history = store.directory(run) / "history.csv"
            if run.collection == key and run.mode != "pretraining" and history.exists():
                line = pd.read_csv(history).assign(seed=run.seed)
                modes = curves.setdefault(label(run.network), {})
                name = f"{run.mode}, carried over" if is_carried(run, configs) else run.mode
                modes[name] = pd.concat([modes[name], line]) if name in modes else line
        name = key.rsplit("-", 1)[0]
        if curves:
            title = f"{name}, {any_run.target}"
            figure = figures.learning_curves(curves, title=title, paper=published(name, any_run.target))
            figures.save(figure, folder / f"{key}-curves.png")
        _draw_saliency(store, [run for run in configs if run.collection == key], shown, folder / f"{key}-saliency.png")
    cli.say(f"figures are in {folder}")


def published(name: str, target: str) -> pd.DataFrame | None:
    """The paper's own validation curves, for its own collection only."""
    import pandas as pd

    from keras_art import figures

    if name != "rijksmuseum":
        return None
    stem = Path(__file__).parent / "published" / f"eccv_rijksmuseum_{target}_challenge"
    return pd.concat(
        [figures.published_curves(Path(f"{stem}_{mode}.csv")) for mode in ("full_fine_tuning", "only_softmax")]
    )


def _draw_saliency(store: runs.Store, configs: Sequence[Run], shown: pd.DataFrame, path: Path) -> None:
    """Figure 4 for one network, VGG19 where it was fine-tuned, because the paper shows VGG19."""
    import numpy as np

    from keras_art import figures, sheets, transfer
    from keras_art.images import decode, load_photo
    from keras_art.saliency import overlay

    tuned = [run for run in configs if run.mode == "fine_tuning" and (store.directory(run) / "model.keras").exists()]
    if not tuned:
        return
    run = min(tuned, key=lambda run: run.network != "VGG19")
    photos = [load_photo(path, 512) for path in shown["path"].head(4)]
    pixels = np.stack([decode(path, run.image_size, run.resize)[0] for path in shown["path"].head(4)])
    frozen, fine = transfer.saliency(store, run, store.directory(run), pixels)
    rows = [
        (text, [photo, overlay(photo, before), overlay(photo, after)])
        for text, photo, before, after in zip(shown["id"], photos, frozen, fine, strict=False)
    ]
    figures.save(sheets.saliency_sheet(rows, ["painting", "before", "fine-tuned"]), path)


@dataclass(frozen=True)
class Predict:
    """Classifies new pictures with a finished run."""

    run: tyro.conf.Positional[Path]
    """The run's directory."""
    folder: tyro.conf.Positional[Path]
    """Pictures, searched in depth."""
    out: Path = Path("predictions.csv")
    """One row per picture: its path, the class, its probability, and the five likeliest."""


def predict(asked: Predict) -> int:
    """Writes `--out`, and beside it what could not be read."""
    config = asked.run / "config.json"
    if not config.is_file():
        raise UserError(
            f"{asked.run} is no run: it has no config.json. Finished runs stand below the store, runs/{PAPER}/"
        )
    if not asked.folder.is_dir():
        raise UserError(f"{asked.folder} is no folder")
    cli.start_backend()
    from keras_art import transfer

    with cli.bar("reading pictures", "images") as progress:
        found, unreadable = transfer.predict(asked.run, Run(**json.loads(config.read_text())), asked.folder, progress)
    runs.write(asked.out, found.to_csv(index=False))
    cli.say(f"{len(found)} pictures in {asked.out}")
    if len(unreadable):
        quarantine = asked.out.with_name(f"{asked.out.stem}_quarantine.csv")
        runs.write(quarantine, unreadable.to_csv(index=False))
        cli.say(f"{len(unreadable)} could not be read, see {quarantine}")
    return 0 if len(found) else 1


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    prog = f"python -m reproductions.{PAPER}"
    if argv[:1] == ["predict"]:
        asked = cli.read(Predict, argv[1:], prog=f"{prog} predict", description=Predict.__doc__ or "")
        return cli.guarded(lambda: predict(asked), prog)
    study = cli.parse(Study, PRESETS, argv, prog=prog, description=__doc__ or "")
    return cli.guarded(lambda: carry_out(study), prog)


if __name__ == "__main__":
    sys.exit(main())

"""Paintings grouped by how they look, by an autoencoder and a clustering that are learnt together.

Castellano, Vessio: Deep Convolutional Embedding for Digitized Painting Clustering (DCEC-Paint). ICPR 2020.
Guo, Liu, Zhu, Yin: Deep Clustering with Convolutional Autoencoders (DCEC). ICONIP 2017.
West: a working paper that applies DCEC-Paint to 10,505 works sold at auction; the numbers below are its numbers.

Claim: learning the embedding and the clusters jointly gives clusters further apart than k-means on the embedding of the
same autoencoder, and a person who looks at them sees what they have in common.

    python -m reproductions.dcec_paint                             # the embedded atelier, no download, minutes
    python -m reproductions.dcec_paint --gamma 0.9 --k 6           # six clusters
    python -m reproductions.dcec_paint --data FOLDER_OR_CSV        # yours, by a schedule that two cores can pay
    python -m reproductions.dcec_paint --preset paint --data FOLDER_OR_CSV --dry_run     # the paper's: hours for each k
    python -m reproductions.dcec_paint --preset guo                # handwritten digits, whose true clusters are known
    python -m reproductions.dcec_paint predict RUN FOLDER --out assignments.csv

Expected: silhouette and Calinski-Harabasz of DCEC far above k-means in the learned space, because that space was trained
for it; so both are printed in spaces that were not, too.

Departures and readings (`--preset paint` follows the paper, `guo` and `west` the code of theirs):
1. gamma: five statements contradict each other, the codes agree: here gamma weighs the clustering loss, L = (1 - gamma) L_r
   + gamma L_c; Guo's is L_r + gamma L_c (`--convention guo`). L_r is averaged over pixels, L_c summed over clusters.
2. Order of the images: the codes go through the collection as it is sorted, without shuffling (`--order fixed`), which
   in a folder of artists makes batches of one artist. Ours shuffles; `guo` and `west` do not.
3. "SGD" in the texts is Adam at 0.001 in all codes, for both phases.
4. Embedding and output are linear in all codes, where the text says ELU throughout.
5. k-means is seeded. "Pixels" for the baselines are pictures averaged down to at most 32 pixels a side.
6. Calinski-Harabasz has (N - k) / (k - 1); West's formula prints N - 1, his numbers come from code that has N - k.
7. West's gap statistic is R's clusGap on distances; ours is Tibshirani's on squared ones.
8. MNIST and West's pictures have to be downloaded: `guo` takes scikit-learn's digits, scaled to MNIST's 28 pixels, and
   `west` and `paint` take --data.
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
from keras_art.clustering import plan
from keras_art.tables import PaperTable, compare, grid, render

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.collection import Collection

PAPER = "dcec_paint"
WEST_N = 10505

TABLE_SCORES = PaperTable(
    name="scores",
    source="West, scores of 2 to 10 clusters",
    metric="silhouette (AS) and Calinski-Harabasz relative to its largest (CHrel), in the method's own embedding",
    column_name="score",
    digits=4,
    text="""
    collection  k   AS_kmeans  CHrel_kmeans  AS_dcec  CHrel_dcec
    west        2   0.2090     1.0000        0.7929   0.4744
    west        3   0.1426     0.8219        0.8280   1.0000
    west        4   0.1028     0.5754        0.7750   0.4775
    west        5   0.0934     0.4496        0.8073   0.5089
    west        6   0.0819     0.3705        0.7834   0.3245
    west        7   0.0884     0.3784        0.7863   0.3873
    west        8   0.0811     0.3301        0.8702   0.9098
    west        9   0.0463     0.2369        0.8520   0.6518
    west        10  0.0772     0.2750        0.8284   0.4480
    """,
)
TABLE_CH = PaperTable(
    name="calinski_harabasz",
    source="West, Calinski-Harabasz of 2 to 10 clusters",
    metric="Calinski-Harabasz in the method's own embedding; grows with the number of images",
    column_name="score",
    digits=0,
    text="""
    collection  k   CH_kmeans  CH_dcec
    west        2   3166       91977
    west        3   2602       193882
    west        4   1822       92569
    west        5   1423       98661
    west        6   1173       62924
    west        7   1198       75088
    west        8   1045       176387
    west        9   750        126363
    west        10  870        86855
    """,
)
TABLE_CONTINGENCY = PaperTable(
    name="contingency",
    source="West, images in the clusters of k = 3 (rows) and k = 8 (columns)",
    metric="images; clusters have no order",
    index=1,
    column_name="of_8",
    digits=0,
    text="""
    of_3  1    2    3     4     5    6    7     8
    1     477  253  10    39    616  605  725   674
    2     423  565  1769  0     38   209  4     854
    3     21   23   0     1884  117  116  1081  2
    """,
)
TABLE_ARTISTS = PaperTable(
    name="artists",
    source="West, artists, typed without the errors of their years and movements",
    metric="images; 10,505 in all",
    index=1,
    column_name="count",
    digits=0,
    text="""
    artist                        n
    henri_cartier-bresson         250
    victor_vasarely               250
    ansel_adams                   249
    sam_francis                   249
    hiroshi_sugimoto              249
    maurice_de_vlaminck           246
    wayne_thiebaud                246
    karel_appel                   244
    andy_warhol                   243
    bernard_buffet                242
    keith_haring                  242
    gerhard_richter               241
    jasper_johns                  239
    alighiero_boetti              238
    robert_motherwell             238
    marc_chagall                  237
    helmut_newton                 236
    jean_dubuffet                 236
    irving_penn                   235
    robert_rauschenberg           234
    jim_dine                      233
    joan_miro                     233
    frank_stella                  233
    christo                       232
    tom_wesselmann                232
    takashi_murakami              230
    roy_lichtenstein              229
    sol_lewitt                    229
    zao_wou-ki                    228
    damien_hirst                  227
    raoul_dufy                    226
    qi_baishi                     222
    david_hockney                 213
    zhang_daqian                  210
    laurence_stephen_lowry        209
    pierre-auguste_renoir         203
    alexander_calder              202
    francis_newton_souza          199
    max_ernst                     198
    albrecht_dürer                191
    pu_ru                         179
    lucio_fontana                 174
    salvador_dalí                 173
    rembrandt_harmensz._van_rijn  171
    henry_moore                   148
    henri_de_toulouse-lautrec     120
    pablo_picasso                 117
    henri_matisse                 99
    edgar_degas                   83
    auguste_rodin                 18
    """,
)


@dataclass(frozen=True)
class Study(cli.Study):
    """What a person asks for; it expands into Runs."""

    preset: Literal["demo", "study", "paint", "guo", "west"] = "demo"  # type: ignore[assignment]  # has its own
    """Fixes every field below; any flag overrides one. Default: demo, or study when --data is given."""
    k: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8, 9, 10)
    """Numbers of clusters, one run each; all share one pretrained autoencoder."""
    gamma: float = 0.9
    """Weight of the clustering loss, in [0, 1]."""
    convention: Literal["convex", "guo"] = "convex"
    """convex: (1 - gamma) L_r + gamma L_c; guo: L_r + gamma L_c."""
    image_size: int = 128
    """Side of the square input in pixels, a multiple of 8."""
    resize: Literal["squash", "squash_nearest", "crop", "pad"] = "crop"
    """How a picture becomes square."""
    channels: Literal[1, 3] = 3
    """3, or 1 for grey."""
    embedding: int = 32
    """Dimensions."""
    activation: Literal["elu", "relu"] = "elu"
    """Of all layers but the embedding and the output."""
    learning_rate: float = 0.001
    """Of Adam, in both phases."""
    epochs: int = 200
    """Of the pretraining."""
    keep: Literal["best", "last"] = "last"
    """Pretrained weights that are clustered: of the smallest reconstruction loss, or of the last epoch."""
    pretrain_batch_size: int = 256
    """Images per step of the pretraining."""
    batch_size: int = 256
    """Images per iteration of the joint training."""
    update_interval: int = 140
    """T, iterations between two computations of the target distribution."""
    tol: float = 0.001
    """Stop when a smaller share of labels has changed between two of them."""
    max_iterations: int = 20000
    """At most."""
    order: Literal["shuffled", "fixed"] = "shuffled"
    """Of the images: shuffled anew in every epoch, or as they are sorted."""
    backbone: str | None = None
    """A network whose frozen features are clustered for comparison: a name of keras.applications, or a .keras file."""
    preprocessing: Literal["imagenet", "unit", "caffe", "tf", "torch", "none"] = "imagenet"
    """The backbone's pixels. imagenet: the network's own."""
    gap_references: int = 30
    """Sets of noise the gap statistic compares with (0: no gap statistic)."""


PRESETS = {
    "demo": Study(
        preset="demo", k=(4, 6, 8), target="style", image_size=32, epochs=40, pretrain_batch_size=64, batch_size=64,
        update_interval=32, max_iterations=640, gap_references=3, keep="best",
    ),
    "study": Study(
        preset="study", epochs=20, pretrain_batch_size=64, batch_size=64, update_interval=20, max_iterations=100,
        gap_references=5, keep="best",
    ),
    "paint": Study(preset="paint"),
    "guo": Study(
        preset="guo", data="digits", target="digit", k=(10,), gamma=0.1, convention="guo", image_size=28, channels=1,
        embedding=10, activation="relu", order="fixed",
    ),
    "west": Study(preset="west", pretrain_batch_size=512, batch_size=512, order="fixed"),
}  # fmt: skip
JOINT = ("gamma", "convention", "batch_size", "update_interval", "tol", "max_iterations", "preprocessing")
NETWORK = ("image_size", "resize", "channels", "embedding", "activation", "learning_rate", "order")


@dataclass(frozen=True)
class Run(plan.ClusterRun):
    """One pretraining, or one clustering into k."""

    paper: ClassVar[str] = PAPER


def collection(study: Study, store: runs.Store) -> Collection:
    """The pictures of a study, read but not yet opened."""
    from keras_art.atelier import make_atelier
    from keras_art.clustering import digits, pictures

    data: str | Path | None = study.data
    if data is None and study.preset in ("paint", "west"):
        raise UserError(f"--preset {study.preset} needs --data: the auction pictures of the paper are not published")
    if data is None:
        # By version: a painter who has learnt something since must not be taken for the old one.
        data = make_atelier(store.root / "cache" / __version__ / "atelier-target")
    elif data == "digits":
        data = digits.make_digits(store.root / "cache" / "digits")
    return pictures.limited(pictures.load_pictures(data, study.root), study.limit, study.split_seed)


def runs_of(study: Study, key: str) -> list[Run]:
    """The study as a list of runs: for each seed an autoencoder, then every k."""
    found = []
    common = {name: getattr(study, name) for name in NETWORK}
    joint = {name: getattr(study, name) for name in JOINT}
    for seed in study.seeds:
        first = Run(
            collection=key, mode="pretraining", seed=seed, batch_size=study.pretrain_batch_size, epochs=study.epochs,
            keep=study.keep, gap_references=study.gap_references, **common,
        )  # fmt: skip
        found.append(first)
        backbone = study_.named(study.backbone) if study.backbone else ""
        for k in study.k:
            weights = f"run:{runs.digest(first)}"
            found.append(Run(collection=key, k=k, seed=seed, weights=weights, backbone=backbone, **common, **joint))
    return found


def protocol(run: Run, pretraining: Run) -> str:
    """Which preset a run followed, whatever the command that started it."""
    if run.collection.startswith("atelier-"):
        return "demo"
    for name in ("paint", "guo", "west"):
        preset = PRESETS[name]
        if (
            all(getattr(run, field) == getattr(preset, field) for field in (*NETWORK, *JOINT))
            and (pretraining.epochs, pretraining.batch_size, pretraining.keep)
            == (preset.epochs, preset.pretrain_batch_size, preset.keep)
        ):  # fmt: skip
            return name
    return "study"


def clusterings(store: runs.Store, only: Sequence[Run] | None = None) -> list[tuple[Run, str, dict[str, Any]]]:
    """Every finished clustering: its run, its protocol, what it measured."""
    every = plan.finished(store, Run)
    sources = {f"run:{runs.digest(run)}": run for run, _ in every if run.mode == "pretraining"}
    return [
        (run, protocol(run, sources[run.weights]), found)
        for run, found in every
        if run.mode == "dcec" and run.weights in sources and (only is None or run in only)
    ]


def group(run: Run) -> str:
    """What a table calls the runs that differ in k and seed alone: the collection and what is not as the paper has it."""
    usual = PRESETS["paint"]
    odd = [
        f"{name}={getattr(run, name)}" for name in ("gamma", "convention") if getattr(run, name) != getattr(usual, name)
    ]
    return " ".join([run.collection.rsplit("-", 1)[0], f"{run.image_size}px", *odd])


def table(store: runs.Store, only: Sequence[Run] | None = None) -> list[tuple[PaperTable, pd.DataFrame]]:
    """West's tables beside what the store holds, or beside some of its runs.

    Ours stand in rows of their own: no collection that can be had is West's.
    """
    import pandas as pd

    rows = []
    for run, followed, found in clusterings(store, only):
        row = {
            "collection": group(run), "k": run.k, "protocol": "paper" if followed == "west" else followed, "n_test": None,
            "comparable": False, "status": found["status"], "note": f"N={found['n_images']}", "seed": run.seed,
            "digest": runs.digest(dataclasses.replace(run, k=0)),
        }  # fmt: skip
        for name, method, space in (("kmeans", "kmeans_embedding", "embedding"), ("dcec", "dcec", "learned")):
            measured = found.get("scores", {}).get(method, {})
            for score, column in (("AS", "silhouette"), ("CH", "calinski_harabasz")):
                value = measured.get(f"{column}_{space}")
                if value is not None or found["status"] == "diverged":
                    rows.append({**row, "score": f"{score}_{name}", "value": value})
    ours = pd.DataFrame(rows)
    relative = ours
    if len(ours):
        relative = ours.assign(value=ours["value"].astype(float))
        ch = relative["score"].str.startswith("CH_")
        largest = relative.groupby(["digest", "score"])["value"].transform("max")
        relative["value"] = relative["value"].where(~ch, relative["value"] / largest)
        relative["score"] = relative["score"].str.replace("CH_", "CHrel_")
        ours = ours[ours["score"].str.startswith("CH_")]
    empty = pd.DataFrame()
    return [
        (TABLE_SCORES, compare(TABLE_SCORES, relative)),
        (TABLE_CH, compare(TABLE_CH, ours)),
        (TABLE_CONTINGENCY, compare(TABLE_CONTINGENCY, empty)),
        (TABLE_ARTISTS, compare(TABLE_ARTISTS, empty)),
    ]


def overview(store: runs.Store, only: Sequence[Run] | None = None, target: str | None = None) -> pd.DataFrame:
    """DCEC and every baseline, k by k: means over seeds, in learned and in fixed spaces, against labels if there are any.

    `accuracy`, `nmi` and `ari` are against `target`, or the first label column of each collection.
    """
    import pandas as pd

    rows = []
    for run, followed, found in clusterings(store, only):
        for method, scores in found.get("scores", {}).items():
            labels = [name.removeprefix("nmi_") for name in scores if name.startswith("nmi_")]
            label = target if target in labels else next(iter(labels), None)
            row = {"collection": group(run), "protocol": followed, "k": run.k, "method": method}
            for space in ("learned", "embedding", "pca"):
                row[f"AS {space}"] = scores.get(f"silhouette_{space}")
            row |= {name: scores.get(f"{name}_{label}") for name in ("accuracy", "nmi", "ari")}
            rows.append(
                {**row, "label": label or "", "seed": run.seed, "digest": runs.digest(dataclasses.replace(run, seed=0))}
            )
    if not rows:
        return pd.DataFrame()
    frame = pd.DataFrame(rows)
    by = ["collection", "protocol", "k", "label", "method", "digest"]
    means = frame.groupby(by, sort=False).agg(
        seeds=("seed", "nunique"),
        **{name: (name, "mean") for name in ("AS learned", "AS embedding", "AS pca", "accuracy", "nmi", "ari")},
    )
    return (
        means.reset_index()
        .drop(columns="digest")
        .dropna(axis="columns", how="all")
        .sort_values(["collection", "protocol", "k"], kind="stable")
    )


def print_tables(store: runs.Store, format: str, only: Sequence[Run] | None = None, target: str | None = None) -> None:
    """Prints the paper's tables that have something of ours in them, or all where nothing has been run; then ours."""
    frames = table(store, only)
    filled = [(paper, frame) for paper, frame in frames if (frame["n"] > 0).any()]
    for paper, frame in filled or frames:
        title = study_title(format, f"{paper.source}: {paper.metric}")
        print(grid(paper, frame) if format == "text" else title + render(frame, format, paper.digits))
    ours = overview(store, only, target)
    if len(ours):
        words = (
            "DCEC and its baselines; AS: silhouette in the learned space, and in two that were not trained to cluster"
        )
        print(study_title(format, words) + render(ours, format, 3))


def study_title(format: str, words: str) -> str:
    """A line above a table."""
    return {"text": "{}\n\n", "csv": "", "markdown": "**{}**\n\n", "latex": "% {}\n", "html": "<h3>{}</h3>\n"}[
        format
    ].format(words)


def check(study: Study) -> None:
    """Refuses what contradicts itself, before anything is read.

    Raises:
        UserError: naming the flags.
    """
    if not 0 <= study.gamma <= 1:
        raise UserError(f"--gamma {study.gamma} is outside [0, 1]: it is the weight of the clustering loss")
    if not study.k or len(set(study.k)) < len(study.k) or min(study.k) < 2:
        raise UserError("--k needs numbers of clusters, each at least 2 and none twice: one cluster separates nothing")
    if not study.seeds or len(set(study.seeds)) < len(study.seeds):
        raise UserError("--seeds needs at least one value, and none twice")
    if study.image_size % 4 or study.image_size < 8:
        raise UserError(f"--image_size {study.image_size} can not be halved three times and back: take a multiple of 8")
    for flag in ("epochs", "pretrain_batch_size", "batch_size", "update_interval", "max_iterations", "embedding"):
        if getattr(study, flag) < 1:
            raise UserError(f"--{flag} is at least 1")
    for flag in ("limit", "gap_references", "tol"):
        if getattr(study, flag) < 0:
            raise UserError(f"--{flag} is at least 0")
    if study.split != "auto":
        raise UserError("--split: clustering takes the whole collection, there is nothing to split")


def carry_out(study: Study) -> int:
    """Runs what is missing of a study, prints its tables, and says where its pictures are."""
    store = runs.Store(study.store)
    if study.table:
        store.check()
        print_tables(store, study.format, target=study.target)
        return 0
    check(study)
    store.create()
    from keras_art.clustering import pictures

    found = collection(study, store)
    if study.target and study.target not in found.targets:
        raise UserError(
            f"{found.name} has no label column {study.target!r}; it has {', '.join(found.targets) or 'none'}"
        )
    configs = runs_of(study, pictures.key_of(found))
    estimate = plan.Estimate(store, Run, {configs[0].collection: len(found.table)})
    if study.dry_run:
        print(estimate.plan(store, configs))
        return 0
    if missing := [run for run in configs if store.metrics(run) is None]:
        cli.say(estimate.plan(store, configs))
        prepare(study, store, found)
        train(study, store, missing, estimate)
    from keras_art.clustering import page

    page.draw(store, configs, study.target)
    print_tables(store, study.format, configs, study.target)
    return 0


def prepare(study: Study, store: runs.Store, found: Collection) -> None:
    """Everything that can go wrong before training does so here: pictures, network, backbone."""
    cli.start_backend()
    from keras_art.clustering import pictures, working

    with cli.bar(f"reading {found.name} at {study.image_size} pixels", "images") as progress:
        ready = pictures.prepare(store, found, study.image_size, study.resize, progress)
    folder = store.root / "collections" / ready.key
    facts = json.loads((folder / "pictures.json").read_text())
    if facts["quarantined"]:
        cli.say(f"in quarantine: {facts['quarantined']}, see {folder / 'quarantine.csv'}")
    working.check(ready, max(study.k))
    if study.backbone:
        study_.keep_files(store, [study.backbone])
        working.load_backbone(store, study_.named(study.backbone), study.preprocessing, study.image_size)


def train(study: Study, store: runs.Store, missing: Sequence[Run], estimate: plan.Estimate) -> None:
    """Runs what is missing, telling how far the study is, which weights the losses have, and what looks wrong."""
    from keras_art.clustering import dcec, working

    lambda_r, lambda_c = dcec.loss_weights(study.gamma, study.convention)
    cli.say(
        f"loss = {lambda_r:g} * L_r (squared error, mean over pixels and images) "
        f"+ {lambda_c:g} * L_c (KL divergence, sum over clusters, mean over images)"
    )
    clock = cli.Clock([estimate.seconds(run) for run in missing])

    def one(run: Run, folder: Path) -> dict[str, Any]:
        words = "autoencoder" if run.mode == "pretraining" else f"k = {run.k}"
        words += f", seed {run.seed}"
        metrics = working.carry_out(store, run, folder, lambda line, share: clock.tell(f"{words}: {line}", share))
        clock.next(f"{words}: {summary(run, metrics)}")
        for note in metrics.get("notes", []):
            cli.say(f"  {words}: {note}")
        return metrics

    runs.execute(store, list(missing), one, lambda run: cli.say(f"waiting for another process: {run}"))


def summary(run: Run, metrics: dict[str, Any]) -> str:
    """A finished run in a few words."""
    if metrics["status"] == "diverged":
        return "diverged"
    if run.mode == "pretraining":
        gap = f", gap statistic: k = {metrics['gap_k'] or 'none'}" if run.gap_references else ""
        return f"reconstruction {metrics['reconstruction_loss']:.5f}{gap}"
    reason = {"tol": f"fewer than {run.tol:.1%} of labels changed", "max_iterations": "iterations spent"}
    return f"{metrics['steps']} iterations ({reason[metrics['stop']]}), sizes {metrics['sizes']}"


@dataclass(frozen=True)
class Predict:
    """Assigns new pictures to the clusters of a finished run."""

    run: tyro.conf.Positional[Path]
    """The run's directory."""
    folder: tyro.conf.Positional[Path]
    """Pictures, searched in depth."""
    out: Path = Path("assignments.csv")
    """One row per picture: its path, its cluster, and how much it belongs to it."""


def predict(asked: Predict) -> int:
    """Writes `--out`, and beside it what could not be read."""
    config = asked.run / "config.json"
    if not config.is_file():
        raise UserError(
            f"{asked.run} is no run: it has no config.json. Finished runs stand in the store, runs/{PAPER}/"
        )
    if not asked.folder.is_dir():
        raise UserError(f"{asked.folder} is no folder")
    cli.start_backend()
    from keras_art.clustering import working

    with cli.bar("reading pictures", "images") as progress:
        found, unreadable = working.predict(asked.run, Run(**json.loads(config.read_text())), asked.folder, progress)
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
        return cli.guarded(functools.partial(predict, asked), prog)
    study = cli.parse(Study, PRESETS, argv, prog=prog, description=__doc__ or "")
    return cli.guarded(functools.partial(carry_out, study), prog)


if __name__ == "__main__":
    sys.exit(main())

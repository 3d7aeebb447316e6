"""Lottery tickets of natural images, carried to art.

Sabatelli, Kestemont, Geurts: On the Transferability of Winning Tickets in Non-Natural Image Datasets. VISAPP 2021
(arXiv 2005.05232), and chapter 6 of Sabatelli's thesis, which has the hyperparameters and the figures' numbers.

Claim: networks pruned on natural images, reset to an early state and trained on art beat networks trained on art from
scratch, even with a few per cent of their weights.

    python -m reproductions.sabatelli2021                       # the embedded atelier, no download
    python -m reproductions.sabatelli2021 --dry_run             # what would run, and what it costs
    python -m reproductions.sabatelli2021 --sources CIFAR10 --data PAINTINGS --target artist --more_targets OTHER:LABEL
    python -m reproductions.sabatelli2021 --preset paper --sources cifar10 cifar100 fmnist --data FOLDER --target artist
    python -m keras_art.tickets list                            # the tickets found so far, as files

Departures from the paper (`--preset paper` follows its text where it speaks):
1. What is pruned: the draft says the 20% of weights of smallest magnitude, the thesis' formula removes channels of
   each layer, of which 30 rounds would leave none. Here it is weights, of all layers together (`--scope global`).
2. theta_k, k = 2: every stage, the unpruned stage 0 too, is trained from the state after two epochs with a fresh
   optimizer; kernels, biases, gamma, beta and moving statistics go back.
3. The best stage is chosen on validation. The paper's is the best on the test set, printed beside it as such.
4. The network is Keras's ResNet50, with biases in its convolutions and its strides on the first of a block's; batch
   normalisation has the momentum 0.9 of PyTorch. Without a GPU, ResNet20 at 32 pixels.
5. The learning rate falls to a tenth at epochs 50, 60 and 75 of 90, in proportion where `--epochs` is smaller; the
   paper names neither the factor nor the last epoch.
6. Weight decay is a penalty whose gradient goes through the momentum, as in PyTorch.
7. Pixels are scaled to [-1, 1]; the paper does not say. Random crops of 224 are cut from images of 256.
8. The paper's collections are published nowhere, so ours never stand in its tables' rows.
9. Its text says four seeds, its thesis five, its numbers are multiples of 1 / (2 N_test): two. We print our own n.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from keras_art import UserError, __version__, cli, runs
from keras_art import study as study_
from keras_art.pruning.grid import TicketRun as Run
from keras_art.pruning.grid import chain
from keras_art.tables import PaperTable

if TYPE_CHECKING:
    from keras_art.splits import Choice

PAPER = Run.paper
TITLES = {"text": "{}\n", "markdown": "**{}**\n\n", "latex": "% {}\n", "html": "<h3>{}</h3>\n"}

TABLE_4 = PaperTable(
    name="table_4",
    source="Sabatelli et al. 2021, Table 4",
    metric="images and classes",
    index=1,
    text="""
    challenge                train  val  test  N_t   Q_t
    Human-LBA                4051   346  1023  5420  9
    Lung-Tissues             4881   562  888   6331  10
    Mouse-LBA                1722   716  1846  4284  8
    Bone-Marrow              522    130  639   1291  8
    Artist-Classification-1  3103   389  389   3881  20
    Type-Classification      2868   360  360   3588  20
    Artist-Classification-2  2827   353  353   3533  19
    """,
)
TABLE_5 = PaperTable(
    name="table_5",
    source="Sabatelli et al. 2021, Table 5",
    metric="test accuracy, %, of the best ticket",
    notes={
        "†": "the cell of CIFAR-100 once more; the authors' log says 86.82",
        "‡": "the unpruned stage 0 in the authors' log; the best pruned one has 75.90",
        "§": "the unpruned stage 0 in the authors' log; the best pruned one has 52.22",
        "¶": "72.46 in the authors' log",
        "#": "the authors' figure has 48.47",
        "*": "the authors' figure has 64.88",
    },
    text="""
    challenge                network   scratch  cifar10  cifar100  fmnist  target_ticket
    Human-LBA                ResNet50  71.85    79.17    76.97‡    77.32   81.72
    Lung-Tissues             ResNet50  84.75    88.90    87.61     87.61†  90.48
    Mouse-LBA                ResNet50  48.17#   74.20    57.42     52.27§  68.20
    Bone-Marrow              ResNet50  64.66*   71.75    69.87     68.77   72.55¶
    Artist-Classification-1  ResNet50  45.88    66.58    65.55     63.88   58.74
    Type-Classification      ResNet50  41.36    58.63    60.56     58.92   50.44
    """,
)
TABLE_5_STD = PaperTable(
    name="table_5_std",
    source="Sabatelli et al. 2021, Table 5, what stands behind its ±",
    metric="standard deviation of the test accuracy, points of %",
    text="""
    challenge                network   scratch  cifar10  cifar100  fmnist  target_ticket
    Human-LBA                ResNet50  1.12     1.85     0.73      1.85    0.39
    Lung-Tissues             ResNet50  0.81     1.97     0.90      0.11    0.16
    Mouse-LBA                ResNet50  1.18     2.04     0.48      1.73    3.79
    Bone-Marrow              ResNet50  1.36     3.36     0.39      0.39    0.46
    Artist-Classification-1  ResNet50  0.42     1.54     1.79      0.12    1.92
    Type-Classification      ResNet50  2.31     2.97     0.44      0.59    2.23
    """,
)
TABLE_6 = PaperTable(
    name="table_6",
    source="Sabatelli et al. 2021, Table 6",
    metric="fraction of the prunable weights that the best ticket has lost",
    notes={"†": "no stage has it: 0.866, stage 9, is meant", "‡": "no stage has it: 0.965, stage 15, is meant"},
    text="""
    challenge                network   cifar10  cifar100  fmnist  target_ticket
    Human-LBA                ResNet50  0.945    0.79      0.886†  0.832
    Lung-Tissues             ResNet50  0.977    0.977     0.672   0.965
    Mouse-LBA                ResNet50  0.972    0.893     0.738   0.931
    Bone-Marrow              ResNet50  0.866    0.988     0.931   0.914
    Artist-Classification-1  ResNet50  0.972    0.993     0.991   0.931
    Type-Classification      ResNet50  0.991    0.931     0.995   0.963‡
    """,
)


@dataclass(frozen=True)
class Study(cli.Study):
    """What a person asks for; it expands into Runs."""

    sources: tuple[str, ...] = ()
    """Collections to find tickets on and carry them from, or ticket files; COLLECTION:LABEL where there are several."""
    more_targets: tuple[str, ...] = ()
    """More collections to carry them to, beside --data; COLLECTION:LABEL where there are several labels."""
    target_tickets: Literal["found", "none"] = "none"
    """Whether tickets are found on the targets, too (the paper's blue lines); they are where there are no --sources."""
    controls: tuple[Literal["scratch", "random_mask", "shuffled_mask", "theta_i"], ...] = ("scratch", "random_mask")
    """scratch: unpruned; random_mask: same mask, other initial weights, and shuffled_mask: as many weights at random
    places, both where the ticket was found; theta_i: carried with the weights at the end of the source's training."""
    networks: tuple[str, ...] = ("ResNet50",)
    """ResNet20, or names of keras.applications."""
    stages: int = 31
    """How many, the unpruned stage 0 included."""
    transfer_stages: tuple[int, ...] = ()
    """Which of them are carried over and have controls. Default: all."""
    rate: float = 0.2
    """Share of the remaining weights that each stage prunes."""
    scope: Literal["global", "layer"] = "global"
    """Smallest magnitudes of all layers together, or of each."""
    prune_head: bool = False
    """Prune the classifier's own layer, too."""
    late_resetting: int = 2
    """k: weights go back to what they were after so many epochs (0: to their initial values)."""
    weights: Literal["glorot_uniform", "glorot_normal", "he_uniform", "he_normal"] = "glorot_uniform"
    """How weights are initialised."""
    fractions: tuple[float, ...] = (1.0,)
    """Shares of the targets' training sets."""
    preprocessing: Literal["unit", "caffe", "tf", "torch", "none"] = "tf"
    """tf: [-1, 1]; unit: [0, 1]; none: [0, 255]."""
    image_size: int = 256
    """Side of the stored square image in pixels."""
    crop: int = 224
    """Side of the random crop that is the network's input; the middle in tests (0: the whole image)."""
    resize: Literal["squash", "squash_nearest", "crop", "pad"] = "crop"
    """How a picture becomes square."""
    learning_rate: float = 0.1
    """Of SGD with a Nesterov momentum of 0.9."""
    weight_decay: float = 1e-5
    """Of all trained variables."""
    batch_size: int = 64
    """Images per step."""
    epochs: int = 90
    """At most."""
    source_epochs: int = 0
    """The same on the sources (0: as --epochs)."""
    patience: int = 5
    """Epochs without a smaller validation loss before training stops."""
    bn_momentum: float = 0.9
    """Of batch normalisation's moving averages."""
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    """Of the arithmetic; mixed is for GPUs."""


SMALL = Study(
    preset="study", networks=("ResNet20",), image_size=36, crop=32, rate=0.5, stages=11,
    transfer_stages=(0, 2, 4, 6, 8, 10), epochs=30,
)  # fmt: skip
PRESETS = {
    "demo": dataclasses.replace(
        SMALL, preset="demo", target="artist", split="stratified", stages=6, transfer_stages=(0, 1, 3, 5), epochs=6,
        source_epochs=3, controls=("scratch",),
    ),
    "study": SMALL,
    "paper": Study(preset="paper", target_tickets="found"),
    "released": Study(preset="released", target_tickets="found"),
}  # fmt: skip
# What a run takes from its study as it is.
SHARED = (
    "rate", "scope", "prune_head", "late_resetting", "weights", "preprocessing", "image_size", "crop", "resize",
    "learning_rate", "weight_decay", "batch_size", "epochs", "patience", "bn_momentum", "precision",
)  # fmt: skip


def choices(study: Study, store: runs.Store) -> dict[str, dict[str, tuple[Any, Choice]]]:
    """The collections of a study, read but not yet opened: "sources" and "targets", each by what the flag says."""
    from keras_art.atelier import make_atelier
    from keras_art.collection import load_collection
    from keras_art.splits import choose

    def atelier(half: str) -> str:
        # By version: a painter who has learnt something since must not be taken for the old one.
        return str(make_atelier(store.root / "cache" / __version__ / f"atelier-{half}", half=half))

    asked = {
        "sources": [labelled(word) for word in study.sources if not is_ticket(word)],
        "targets": [(study.data or "", study.target), *map(labelled, study.more_targets)],
    }
    if not study.data:
        asked["targets"][0] = (atelier("target"), study.target)
        if study.preset == "demo" and not study.sources:
            asked["sources"] = [(atelier("source"), "object")]
    chosen: dict[str, dict[str, tuple[Any, Choice]]] = {}
    for role, words in asked.items():
        chosen[role] = {}
        for data, label in words:
            collection = load_collection(data, study.root)
            chosen[role][f"{data}:{label}"] = (
                collection,
                choose(collection, label, rule=study.split, split_seed=study.split_seed, limit=study.limit),
            )
    return chosen


def labelled(word: str) -> tuple[str, str | None]:
    """`COLLECTION:LABEL` in two; without a label, None."""
    data, colon, label = word.rpartition(":")
    return (data, label) if colon and "/" not in label else (word, None)


def is_ticket(source: str) -> bool:
    """Whether a source is a ticket's file rather than a collection."""
    return source.endswith(".npz")


def runs_of(study: Study, chosen: dict[str, dict[str, tuple[Any, Choice]]]) -> list[Run]:
    """The study as a list of runs, seed by seed, each after the one whose ticket it begins with."""
    found: dict[Run, None] = {}
    stages = study.transfer_stages or tuple(range(study.stages))
    masked = [mode for mode in study.controls if mode in ("random_mask", "shuffled_mask")]
    for seed in study.seeds:
        for network in study.networks:
            base = Run(network=network, seed=seed, **{field: getattr(study, field) for field in SHARED})
            tickets: list[Run] = []  # the first run of every chain that is carried over

            def find(first: Run) -> Run:
                found.update(dict.fromkeys(chain(first, study.stages)))
                for mode in masked:
                    for stage in stages:
                        found[dataclasses.replace(first, mode=mode, stage=stage, ticket=runs.digest(first))] = None
                return dataclasses.replace(first, ticket=runs.digest(first))

            for _, choice in chosen["sources"].values():
                first = dataclasses.replace(base, collection=choice.key, target=choice.target)
                tickets.append(find(dataclasses.replace(first, epochs=study.source_epochs or study.epochs)))
            tickets += [
                dataclasses.replace(base, ticket=study_.named(word)) for word in study.sources if is_ticket(word)
            ]
            for fraction in study.fractions:
                for _, choice in chosen["targets"].values():
                    here = dataclasses.replace(base, collection=choice.key, target=choice.target, fraction=fraction)
                    if "scratch" in study.controls:
                        found[dataclasses.replace(here, mode="scratch")] = None
                    for ticket in tickets:
                        for mode in ("transfer", *(["theta_i"] if "theta_i" in study.controls else [])):
                            for stage in stages:
                                run = dataclasses.replace(here, mode=mode, stage=stage, ticket=ticket.ticket)
                                found[run] = None
                    if study.target_tickets == "found" or not tickets:
                        find(here)
    return list(found)


def check(study: Study) -> None:
    """Refuses what contradicts itself, before anything is read.

    Raises:
        UserError: naming the flags.
    """
    for flag in ("networks", "seeds", "fractions"):
        values = getattr(study, flag)
        if not values or len(set(values)) < len(values):
            raise UserError(f"--{flag} needs at least one value, and none twice")
    for flag, least in (("epochs", 1), ("source_epochs", 0), ("patience", 1), ("batch_size", 1), ("image_size", 8)):
        if getattr(study, flag) < least:
            raise UserError(f"--{flag} is at least {least}")
    if not 0 <= study.crop <= study.image_size:
        raise UserError(f"--crop {study.crop} can not be cut out of images of --image_size {study.image_size}")
    if not all(0 < fraction <= 1 for fraction in study.fractions):
        raise UserError("--fractions are above 0 and at most 1")
    if study.late_resetting < 0:
        raise UserError("--late_resetting is a number of epochs, 0 or more")
    if outside := [stage for stage in study.transfer_stages if not 0 <= stage < study.stages]:
        raise UserError(f"--transfer_stages {outside[0]} is none of the stages 0 to {study.stages - 1}")
    if study.more_targets and not study.data:
        raise UserError("--more_targets needs --data, the first of them")


def carry_out(study: Study) -> int:
    """Runs what is missing of a study, then prints its tables."""
    store = runs.Store(study.store)
    check(study)
    store.create()
    chosen = choices(study, store)
    configs = runs_of(study, chosen)
    sizes = {choice.key: len(choice.table) for role in chosen.values() for _, choice in role.values()}
    estimate = study_.Estimate(store, Run, sizes)
    if study.dry_run:
        print(study_.plan(store, configs, estimate))
        return 0
    if missing := [config for config in configs if store.metrics(config) is None]:
        cli.say(study_.plan(store, configs, estimate))
        prepare(study, store, chosen, missing)
        from keras_art.pruning import lottery

        study_.carry_out(store, missing, estimate, functools.partial(lottery.carry_out, store))
    return 0


def prepare(
    study: Study, store: runs.Store, chosen: dict[str, dict[str, tuple[Any, Choice]]], missing: Sequence[Run]
) -> None:
    """Everything that can go wrong before training does so here: networks, stages, tickets, images, splits."""
    cli.start_backend()
    from keras_art import tasks

    for role in chosen.values():
        for collection, choice in role.values():
            with cli.bar(f"reading {choice.name} at {study.image_size} pixels", "images") as progress:
                tasks.prepare(store, collection, choice, study.image_size, study.resize, progress)
            cli.say(tasks.describe(store, choice.key))


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    prog = f"python -m reproductions.{PAPER}"
    study = cli.parse(Study, PRESETS, argv, prog=prog, description=__doc__ or "")
    return cli.guarded(lambda: carry_out(study), prog)


if __name__ == "__main__":
    sys.exit(main())

"""The paper's figures 5, 8 and 9, from its own series and from ours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_art.report import palette
from keras_art.store.runs import Store
from keras_art.study.kinds.tickets import TicketRun as Run
from keras_art.writing import slug
from reproductions.sabatelli2021 import results
from reproductions.sabatelli2021.study import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from keras_art.report.plates import Plates
    from keras_art.report.sparsity_figures import Panel

PUBLISHED = Path(__file__).parents[1] / "published"
# The series of each printed figure, and what the paper calls their plots.
PRINTED = {
    "figure-5": {"mnist_example": "MNIST, multi-layer perceptron", "cifar10_example": "CIFAR-10, ResNet-50"},
    "figure-8": {
        "human_lba": "Human-LBA", "lung_tissues": "Lung-Tissues", "mouse_lba": "Mouse-LBA",
        "bone_marrow": "Bone-Marrow", "artist_classification_1": "Artist-Classification-1",
        "type_classification": "Type-Classification",
    },
    "figure-9": {
        "human_lba_fine_tuning_study": "theta_k and theta_i, CIFAR-10 to Human-LBA",
        "human_lba_fine_tuning_study_cif": "theta_k and theta_i, CIFAR-100 to Human-LBA",
        "from_lba_to_lba": "similar source, Human-LBA to Mouse-LBA",
        "from_artist_to_artist": "similar source, Artist-1 to Artist-2",
        "lung_tissues_percentage_study": "% of the training set, Lung-Tissues",
        "human_lba_percentage_study": "% of the training set, Human-LBA",
    },
}  # fmt: skip
# The paper's blue, orange, green, red, purple and cyan, as the house has them.
COLOURS = {
    "target_ticket": palette.BLUE, "winning_ticket": palette.BLUE, "ticket": palette.BLUE,
    "random_mask": palette.ORANGE, "random_weights": palette.ORANGE, "cifar10": palette.GREEN,
    "cifar100": palette.VERMILLION, "fashion_mnist": palette.PURPLE, "fmnist": palette.PURPLE,
    "similar_source": palette.SKY, "fine_tuned_pruned_model": palette.WINE, "shuffled_mask": palette.WINE,
}  # fmt: skip


def draw(store: Store, configs: Sequence[Run], study: Study, plates: Plates) -> None:
    """Accuracy against the fraction pruned, of each collection of a study; then the paper's.

    The paper's lines have figures of their own: its collections are published nowhere.
    """
    from keras_art.report.sparsity_figures import sparsity_curves

    every = results.rows(store, configs)
    plates.heading("Accuracy against what was pruned")
    for (key, challenge, network), group in every.groupby(["key", "challenge", "network"], sort=False):
        panel = _panel(group, f"{challenge}, {network}")
        if panel.lines:
            shares = "-" + challenge.rsplit(", ", 1)[1].split("%")[0] if "% of train" in challenge else ""
            plates.figure(
                f"{key}{shares}-{slug(network)}-tickets",
                sparsity_curves([panel], COLOURS),
                f"{challenge}: how many test pictures are named rightly by networks from which more and more of the "
                "weights were taken away, from left to right. A line is where the weights that stayed were found; "
                "above the black line, which is the whole network trained from scratch, pruning has cost nothing. "
                "Crosses are means over seeds, bands one standard deviation.",
            )
    plates.heading("The paper's own figures, from its authors' series")
    for name, figure in series():
        plates.figure(f"paper-{name}", figure, f"{name.replace('-', ' ').capitalize()} of the paper, its own numbers.")


def series() -> Iterator[tuple[str, Figure]]:
    """The paper's figures 5, 8 and 9 from the published series alone, each with its name."""
    from keras_art.report.sparsity_figures import sparsity_curves

    for name, plots in PRINTED.items():
        panels = [published_panel(PUBLISHED / f"lth_{stem}.csv", title) for stem, title in plots.items()]
        yield name, sparsity_curves(panels, COLOURS)


def draw_series(folder: Path) -> None:
    """Writes the paper's figures into a folder."""
    from keras_art.report.figures import save

    for name, figure in series():
        save(figure, folder / f"paper-{name}.png")


def _panel(group: pd.DataFrame, title: str) -> Panel:
    """The lines of one collection and network: means over seeds, in a band of one standard deviation."""
    from keras_art.report.sparsity_figures import Panel

    done = group[group["status"] == "ok"]
    unpruned = done["line"].str.startswith("scratch")
    lines = {}
    for line, part in done[~unpruned].groupby("line", sort=False):
        stages = part.groupby("stage").agg(
            pruned=("pruned", "mean"), accuracy=("test", "mean"), std=("test", "std"), n=("seed", "nunique")
        )
        lines[str(line)] = stages
    scratch = done.loc[unpruned, "test"]
    return Panel(title, lines, (scratch.mean(), scratch.std()) if len(scratch) else None)


def published_panel(path: Path, title: str) -> Panel:
    """One of the authors' series, `lth_*.csv`: a column for each line, some with standard deviations."""
    import pandas as pd

    from keras_art.report.sparsity_figures import Panel

    series = pd.read_csv(path)
    lines = {}
    for name in series.columns.drop(["stage", "sparsity_nominal", "baseline"]):
        if not name.startswith("std"):
            lines[name] = pd.DataFrame({"pruned": series["sparsity_nominal"], "accuracy": series[name]})
    for column, name in (("std_ticket", "ticket"), ("std-mask", "random_mask")):
        if column in series:
            lines[name]["std"] = series[column]
    return Panel(title, lines, (float(series["baseline"][0]), math.nan))

"""The paper's figures 5, 8 and 9, from its own series and from ours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_art.store.runs import Store
from keras_art.study.kinds.tickets import TicketRun as Run
from keras_art.writing import slug
from reproductions.sabatelli2021 import results
from reproductions.sabatelli2021.study import Study

if TYPE_CHECKING:
    import pandas as pd

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
# The paper's blue, orange, green, red, purple and cyan, in shades that stay apart for colour-blind readers.
COLOURS = {
    "target_ticket": "#0072B2", "winning_ticket": "#0072B2", "ticket": "#0072B2", "random_mask": "#E69F00",
    "random_weights": "#E69F00", "cifar10": "#009E73", "cifar100": "#CC1F2F", "fashion_mnist": "#AA4499",
    "fmnist": "#AA4499", "similar_source": "#56B4E9", "fine_tuned_pruned_model": "#7A4B1E",
    "shuffled_mask": "#7A4B1E",
}  # fmt: skip


def draw(store: Store, configs: Sequence[Run], study: Study) -> None:
    """Accuracy against the fraction pruned, of each collection of a study and of the paper's, into `figures/`.

    The paper's lines have figures of their own: its collections are published nowhere.
    """
    from keras_art.report.figures import save
    from keras_art.report.sparsity_figures import sparsity_curves

    folder = store.root / "sabatelli2021" / "figures"
    every = results.rows(store, configs)
    for (key, challenge, network), group in every.groupby(["key", "challenge", "network"], sort=False):
        panel = _panel(group, f"{challenge}, {network}")
        if panel.lines:
            shares = "-" + challenge.rsplit(", ", 1)[1].split("%")[0] if "% of train" in challenge else ""
            save(sparsity_curves([panel], COLOURS), folder / f"{key}{shares}-{slug(network)}-tickets.png")
    draw_series(folder)


def draw_series(folder: Path) -> None:
    """The paper's figures 5, 8 and 9 from the published series alone."""
    from keras_art.report.figures import save
    from keras_art.report.sparsity_figures import sparsity_curves

    for name, plots in PRINTED.items():
        panels = [published_panel(PUBLISHED / f"lth_{stem}.csv", title) for stem, title in plots.items()]
        save(sparsity_curves(panels, COLOURS), folder / f"paper-{name}.png")


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

"""The paper's figures 5, 8 and 9, from its own series and from ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_art import terminal
from keras_art.store import runs
from reproductions.sabatelli2021 import results
from reproductions.sabatelli2021.study import PAPER, Run
from reproductions.sabatelli2021.tables import protocol

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.report import sparsity_figures

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
# The published plot that is drawn behind ours: the one of that collection, or that asks the same of other images.
BEHIND = {
    "cifar10": ("cifar10_example", "CIFAR-10"),
    "artist": ("artist_classification_1", "Artist-Classification-1"),
    "type": ("type_classification", "Type-Classification"),
}


def draw(store: runs.Store, configs: Sequence[Run]) -> None:
    """Accuracy against the fraction pruned, of each collection of a study and of the paper's, into `figures/`."""
    from keras_art.report import figures, sparsity_figures

    folder = store.root / PAPER / "figures"
    every = results.rows(store, configs)
    for (key, challenge, network), group in every.groupby(["key", "challenge", "network"], sort=False):
        panel = _panel(group, f"{challenge}, {network}")
        if panel.lines:
            shares = "-" + challenge.rsplit(", ", 1)[1].split("%")[0] if "% of train" in challenge else ""
            figures.save(sparsity_figures.sparsity_curves([panel]), folder / f"{key}{shares}-{network}-tickets.png")
    for name, plots in PRINTED.items():
        panels = [
            sparsity_figures.published_panel(PUBLISHED / f"lth_{stem}.csv", title) for stem, title in plots.items()
        ]
        figures.save(sparsity_figures.sparsity_curves(panels), folder / f"paper-{name}.png")
    terminal.say(f"figures are in {folder}")


def _panel(group: pd.DataFrame, title: str) -> sparsity_figures.Panel:
    """The lines of one collection and network: means over seeds, in a band of one standard deviation."""
    from keras_art.report.sparsity_figures import Panel, published_panel

    done = group[group["status"] == "ok"]
    unpruned = done["line"].str.startswith("scratch")
    lines = {}
    for line, part in done[~unpruned].groupby("line", sort=False):
        stages = part.groupby("stage").agg(
            pruned=("pruned", "mean"), accuracy=("test", "mean"), std=("test", "std"), n=("seed", "nunique")
        )
        lines[str(line)] = stages
    scratch = done.loc[unpruned, "test"]
    run = group["run"].iloc[0]
    behind = BEHIND.get(results.place(run)) or BEHIND.get(run.target)
    paper, paper_title = {}, ""
    if behind and lines and protocol(run) != "demo":
        published = published_panel(PUBLISHED / f"lth_{behind[0]}.csv", "")
        names = {"ticket": "target_ticket", "winning_ticket": "target_ticket"}
        lines_there = {names.get(name, name): line for name, line in published.lines.items()}
        paper = {name: line for name, line in lines_there.items() if name in lines}
        paper_title = behind[1]
    return Panel(title, lines, (scratch.mean(), scratch.std()) if len(scratch) else None, paper, paper_title)

"""One classifier of one or several label columns: what a run of it says, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from keras_art.study.config import SCORE, Artefact, Kind, Mode, Optimizer, Run
from keras_art.study.costs import Cost, Networks
from keras_art.study.kinds.classifier import TESTED, label, tested
from keras_art.writing import one_line

BRANCHES = ("main", "gram")  # of a Gram classifier
ALIASES = {"resnet": "ResNet50", "vit": "ViTB16"}  # as the design note calls them


def adamw(learning_rate: float, weight_decay: float) -> Optimizer:
    """AdamW with PyTorch's epsilon, which the note's authors used; Keras's own is 1e-7."""
    return Optimizer("AdamW", learning_rate, (("weight_decay", weight_decay), ("epsilon", 1e-8)))


ADAMW = adamw(1e-4, 1e-4)


@dataclass(frozen=True)
class MultitaskRun(Run):
    """One network on some label columns of one collection, trained once."""

    kind: ClassVar[str] = "multitask"
    words: ClassVar[tuple[str, ...]] = ("collection", "model_name", "seed")

    # Or multitask, all targets at once; gram, with a second branch for a single one; baseline, gram without its branch.
    mode: str = "single"
    collection: str = ""  # NAME-DIGEST of a choice
    targets: tuple[str, ...] = ()
    network: str | Artefact = "ResNet50"  # a name, or a .keras file
    weights: str | Artefact = "imagenet"  # or none, own (of a .keras file), a file, a keras-hub preset, its folder
    seed: int = 0
    preprocessing: str = "imagenet"
    image_size: int = 224
    resize: str = "squash"
    augmentation: str = "tf_data"
    optimizer: Optimizer = ADAMW  # while the backbone is frozen
    decay_all: bool = True
    batch_size: int = 64
    epochs: int = 20
    frozen_epochs: int = 5
    tuned_rate: float = 0.1
    plateau_factor: float = 0.1
    plateau_patience: int = 3
    shared: int = 1024
    hidden: int = 512
    dropout: float = 0.4
    task_weights: tuple[float, ...] | str = (1.0,)  # one for all targets, one for each, or "learned"
    gram_tap: str = ""
    gram_channels: int = 0
    gram_description: str = ""
    fusion: float = 0.0
    auxiliary: float = 0.0
    bn_momentum: float = 0.0
    precision: str = "float32"

    @property
    def model_name(self) -> str:
        """As the design note calls it: resnet_style, vit_multitask, resnet_gram_style; and resnet_baseline_style."""
        names = {network: alias for alias, network in ALIASES.items()}
        network = names.get(label(self.network), label(self.network))
        if self.mode == "multitask":
            return f"{network}_multitask"
        return f"{network}_{'' if self.mode == 'single' else f'{self.mode}_'}{self.targets[0]}"

    @property
    def measures(self) -> dict[str, Any]:
        """What tables, estimates and summaries rely on."""
        scores = {f"test_{task}_{score}": SCORE for task in self.targets for score in ("accuracy", "macro_f1")}
        return TESTED | scores | {"n_classes": dict}

    @property
    def title(self) -> str:
        """What a person is told of a run while it trains."""
        return f"{one_line(self.model_name)}, seed {self.seed}"


def cost(run: MultitaskRun, images: int, networks: Networks, found: dict[str, Any] | None) -> Cost:
    """One pass for each training image while the backbone is frozen, then three; one for each image elsewhere."""
    epochs = found["epochs"] if found else run.epochs
    frozen = min(run.frozen_epochs, epochs)
    work = networks.gigamacs(run.network, run.image_size) * images * (0.9 * frozen + 2.5 * (epochs - frozen) + 0.1)
    described = run.gram_channels**2 / (2 if run.gram_description == "triangle" else 1)
    parameters = networks.row(run.network, run.image_size)[2] + described * 512 / 1e6
    # Two tracings, and what surrounds training; the best weights, and the last ones with AdamW's two moments.
    return Cost(work, 40, 4 * 4e6 * parameters)


def said(run: MultitaskRun, metrics: dict[str, Any]) -> str:
    """A finished run in a few words; of several label columns, the accuracy of each."""
    if len(run.targets) < 2 or metrics["test_accuracy"] is None:
        return tested(run, metrics)
    scores = {task: metrics[f"test_{task}_accuracy"] for task in run.targets}
    return "test accuracy " + ", ".join(f"{one_line(task)} {score:.1%}" for task, score in scores.items())


TRAIN = "reproductions.multitask.training:carry_out"
KINDS = {
    "multitask": Kind(
        MultitaskRun,
        {mode: Mode(TRAIN, cost) for mode in ("single", "multitask", "gram", "baseline")},
        check="reproductions.multitask.training:check",
        summary=said,
    )
}

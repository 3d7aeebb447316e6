"""What one classifier of the paper is made by."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from keras_art.study.config import SCORE, Artefact, Kind, Mode, RunRef
from keras_art.study.costs import Cost, Networks
from keras_art.study.kinds.classifier import TESTED, NetworkRun, label, tested, training_cost
from reproductions.st_saclf.stages import lengths

# The rules by which `staged` tells a network's blocks apart. By the first, names alone did, and layers without a number
# in theirs stayed frozen until all thawed.
STAGE_RULES = 2
# Networks whose stages are the same by both.
ALIKE = (
    "VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152", "MobileNet", "MobileNetV2", "MobileNetV3Small",
    "MobileNetV3Large",
)  # fmt: skip


@dataclass(frozen=True)
class SaclfRun(NetworkRun):
    """One classifier with attention, trained in stages on originals and stylised images; its optimizer is Adam."""

    kind: ClassVar[str] = "st_saclf"

    mode: str = "staged"
    attention: str = "spatial"
    taps: tuple[str, ...] = ()
    tap_scale: str = "layer"
    loss: str = "focal"
    gamma: float = 2.0
    focal_alpha: float = 2.0
    dropout: float = 0.23
    drop: str = "dropout"
    regularizer: str = "l2"
    weight_decay: float = 4e-4
    augmentation: str = "none"
    stages: tuple[str, ...] = ()  # as of `stages.parse`
    p1: float = 0.0
    p2: float = 0.0
    rare: tuple[str, ...] = ()
    stylised: RunRef | None = None  # where p1 or p2 is above 0
    part: int = 0  # which stage it carries out, from 1; 0: all of them
    after: RunRef | None = None  # the stage before, with whose weights it begins
    prior: str | Artefact = ""  # which mask is whose, where attention has a prior
    prior_weight: float = 0.0
    stage_rules: int = 1  # `STAGE_RULES` where they make a difference: other runs keep their digests

    @property
    def thaws_by_rules(self) -> bool:
        """Whether it depends on `stage_rules`."""
        return self.mode == "staged" and not self.stages and str(self.network) not in ALIKE

    @property
    def by_earlier_rules(self) -> bool:
        """Whether now other layers would thaw."""
        return self.thaws_by_rules and self.stage_rules != STAGE_RULES

    @property
    def measures(self) -> dict[str, Any]:
        """What tables, estimates and summaries rely on."""
        scores = ("macro_precision", "macro_recall", "macro_f1", "rare_recall", "recall_gap")
        return TESTED | {f"test_{score}": SCORE for score in scores} | {"n_test": int, "n_stylised": int}

    @property
    def title(self) -> str:
        """What a person is told of a run while it trains."""
        parts = f"attention {self.attention}, {self.loss}, p1 {self.p1:g}, p2 {self.p2:g}, seed {self.seed}"
        stage = f" stage {self.part}" if self.part else ""
        prior = f", prior {self.prior_weight:g}" if self.prior else ""
        return f"{label(self.network)} {self.mode}{stage}, {parts}{prior}"


def cost(run: Any, images: int, networks: Networks, found: dict[str, Any] | None) -> Cost:
    """As of any training, of originals and, at most, the larger share of stylised images."""
    if run.part:
        run = dataclasses.replace(run, epochs=lengths(run)[run.part - 1])
    return training_cost(run, round(images * (1 + max(run.p1, run.p2))), networks, found)


TRAIN = Mode("reproductions.st_saclf.training:carry_out", cost)
KINDS = {
    "st_saclf": Kind(
        SaclfRun,
        {"staged": TRAIN, "frozen": TRAIN},
        check="reproductions.st_saclf.training:check",
        summary=tested,
    )
}

"""One clustering of pictures by DCEC, or the pretrained autoencoder that it begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from keras_art.study.config import SCORE, Artefact, Kind, Mode, Run, RunRef
from keras_art.study.costs import Cost, Networks


@dataclass(frozen=True)
class ClusteringRun(Run):
    """One autoencoder ("pretraining"), or one clustering that begins with it ("dcec").

    A field that a mode does not read stays at its default, so that all k and all gamma share one pretraining.
    """

    kind: ClassVar[str] = "clustering"
    words: ClassVar[tuple[str, ...]] = ("collection", "mode", "k", "seed")

    mode: str = "dcec"
    collection: str = ""  # NAME-DIGEST of a choice
    k: int = 0
    seed: int = 0
    image_size: int = 128
    resize: str = "crop"
    channels: int = 3
    embedding: int = 32
    activation: str = "elu"
    learning_rate: float = 0.001  # of Adam, in both modes
    batch_size: int = 256
    # pretraining
    epochs: int = 0
    keep: str = "last"  # or best: the weights of the smallest loss
    gap_references: int = 0
    # dcec
    weights: RunRef | None = None  # the pretraining
    gamma: float = 0.0
    convention: str = "convex"  # or guo
    alpha: float = 1.0
    update_interval: int = 0
    tol: float = 0.0
    max_iterations: int = 0
    order: str = "shuffled"  # or fixed; the pretraining always shuffles
    backbone: str | Artefact = ""  # whose frozen features are clustered for comparison
    preprocessing: str = "imagenet"

    @property
    def measures(self) -> dict[str, Any]:
        """What tables, estimates and summaries rely on."""
        found = {"status": str, "n_images": int, "steps": int, "training_seconds": (int, float)}
        return found | ({"reconstruction_loss": SCORE, "gap_k": SCORE} if self.mode == "pretraining" else {"stop": str})

    @property
    def title(self) -> str:
        """What a person is told of a run while it trains."""
        return f"{'autoencoder' if self.mode == 'pretraining' else f'k = {self.k}'}, seed {self.seed}"


def gigamacs(run: ClusteringRun) -> tuple[float, float]:
    """10^9 multiply-accumulates of one image, of a training step and of one pass of the encoder.

    Counted double: the strided and thin convolutions run at half the speed of the networks in `costs`.
    """
    s, c = run.image_size, run.channels
    encoder = (s / 2) ** 2 * 32 * 25 * c + (s / 4) ** 2 * 64 * 25 * 32 + (s / 8) ** 2 * 128 * 9 * 64
    embedding = (s / 8) ** 2 * 128 * run.embedding
    once = 2 * (encoder + embedding) / 1e9
    return 6 * once, once


def pretraining_cost(run: Any, images: int, networks: Networks, found: dict[str, Any] | None) -> Cost:
    """All epochs, and beside them the k-means of the gap statistic."""
    steps = found["steps"] if found else run.epochs * -(-images // run.batch_size)
    step, _ = gigamacs(run)
    work = step * min(run.batch_size, images) * steps
    return Cost(work, 0.004 * images * run.gap_references / 10 + 10, _bytes(run))


def dcec_cost(run: Any, images: int, networks: Networks, found: dict[str, Any] | None) -> Cost:
    """All iterations, the encoder over all images at every update, and beside them the scores: quadratic in images."""
    steps = found["steps"] if found else run.max_iterations
    step, once = gigamacs(run)
    work = step * min(run.batch_size, images) * steps + once * images * (steps / run.update_interval + 1)
    return Cost(work, 3e-7 * images**2 + 10, _bytes(run))


def _bytes(run: ClusteringRun) -> float:
    return 8 * (run.image_size / 8) ** 2 * 128 * run.embedding + 1.5e6


def summary(run: ClusteringRun, metrics: dict[str, Any]) -> str:
    """A finished run in a few words."""
    if metrics["status"] == "diverged":
        return "diverged"
    if run.mode == "pretraining":
        gap = f", gap statistic: k = {metrics['gap_k'] or 'none'}" if run.gap_references else ""
        return f"reconstruction {metrics['reconstruction_loss']:.5f}{gap}"
    reason = {"tol": f"fewer than {run.tol:.1%} of labels changed", "max_iterations": "iterations spent"}
    empty = metrics["sizes"].count(0)  # where all images lie in one cluster, no label changes any more
    but = f", but {empty} of {run.k} clusters are empty" if empty else ""
    return f"{metrics['steps']} iterations ({reason[metrics['stop']]}{but}), sizes {metrics['sizes']}"


ROOM = "keras_art.methods.dcec"
KINDS = {
    "clustering": Kind(
        ClusteringRun,
        {
            "pretraining": Mode(f"{ROOM}.clustering:pretraining", pretraining_cost),
            "dcec": Mode(f"{ROOM}.clustering:dcec", dcec_cost),
        },
        check=f"{ROOM}.baselines:check_backbones",
        summary=summary,
    )
}

"""One training of a lottery-ticket study, what it waits for, and what it is called."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from keras_art.store import runs
from keras_art.study.plan import ClassifierRun

# What stands in a run's `mode`, and the words of the paper for it.
MODES = {
    "find": "f(m * theta_k), trained where the mask m was found",
    "transfer": "f(m * theta_k) of one collection, trained on another under a new head",
    "theta_i": "f(m * theta_i), the same with the weights at the end of the training on the source",
    "scratch": "f(theta_0), unpruned",
    "random_mask": "f(m * theta_0'), the mask kept, other initial weights",
    "shuffled_mask": "f(m' * theta_k), as many weights of each layer kept, at random places",
}


@dataclass(frozen=True)
class TicketRun(ClassifierRun):
    """One training from one ticket, or without one.

    The tickets of a collection, a seed and one way of pruning are a chain of runs in the mode "find", each of which
    prunes what the one before has trained. All other runs begin with a stage of such a chain, or with none ("scratch").
    """

    paper: ClassVar[str] = "sabatelli2021"
    words: ClassVar[tuple[str, ...]] = ("collection", "target", "network", "mode", "stage", "seed")

    network: str = "ResNet50"
    mode: str = "find"
    weights: str = "glorot_uniform"  # Keras's name of an initialiser
    preprocessing: str = "tf"
    image_size: int = 256  # of the stored image
    resize: str = "crop"
    batch_size: int = 64
    epochs: int = 90
    patience: int = 5
    bn_momentum: float = 0.9
    learning_rate: float = 0.1

    crop: int = 224  # side of the square that is cut out of it, the network's input
    weight_decay: float = 1e-5
    fraction: float = 1.0  # of the training set
    stage: int = 0
    rate: float = 0.2
    scope: str = "global"
    late_resetting: int = 2  # k, in epochs
    prune_head: bool = False
    ticket: str = ""  # digest of the chain's first run, or file:NAME of cache/tickets; "" where the run is the first

    @property
    def side(self) -> int:
        """Of the network's square input in pixels."""
        return self.crop or self.image_size

    @property
    def chain(self) -> str:
        """The name of the chain whose ticket a run begins with."""
        return self.ticket or runs.digest(self)

    @property
    def title(self) -> str:
        """What a person is told of a run while it trains."""
        place = self.collection.rsplit("-", 1)[0]
        stage = "" if self.mode == "scratch" else f", stage {self.stage}"
        return f"{place} {self.target}, {self.network} {self.mode}{stage}, seed {self.seed}"


def chain(first: TicketRun, stages: int) -> list[TicketRun]:
    """The runs that find the tickets of stages 0 to `stages` - 1, each after the one it prunes."""
    name = runs.digest(first)
    return [first, *(dataclasses.replace(first, stage=stage, ticket=name) for stage in range(1, stages))]


def before(run: TicketRun) -> TicketRun:
    """The run of a chain that this one prunes."""
    return dataclasses.replace(run, stage=run.stage - 1, ticket=run.ticket if run.stage > 1 else "")

"""One training of a lottery-ticket study, what it waits for, and what it costs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from keras_art.store.reading import is_there, read_json
from keras_art.store.tickets import BadTicket, Ticket, read_ticket
from keras_art.study.config import SCORE, Artefact, BadRun, Kind, Mode, Run, RunRef, run_from
from keras_art.study.kinds.classifier import TESTED, label, tested, training_cost
from keras_art.writing import one_line, slug

if TYPE_CHECKING:
    from keras_art.store.runs import Store


@dataclass(frozen=True)
class TicketRun(Run):
    """One training from one ticket, or without one.

    The tickets of a collection, a seed and one way of pruning are a chain of runs in the mode "find", each of which
    prunes what the one before has trained. All other runs begin with a stage of such a chain, or with none ("scratch").
    """

    kind: ClassVar[str] = "ticket"
    words: ClassVar[tuple[str, ...]] = ("collection", "target", "network", "mode", "stage", "seed")

    mode: str = "find"
    collection: str = ""  # NAME-DIGEST of a choice
    target: str = ""
    network: str | Artefact = "ResNet50"  # a name, or a .keras file
    initializer: str = "glorot_uniform"  # of the kernels, by Keras's name
    seed: int = 0
    preprocessing: str = "tf"
    image_size: int = 256  # of the stored image
    resize: str = "crop"
    crop: int = 224  # side of the square that is cut out of it, the network's input; 0: the whole image
    learning_rate: float = 0.1
    weight_decay: float = 1e-5
    batch_size: int = 64
    epochs: int = 90
    patience: int = 5
    bn_momentum: float = 0.9
    precision: str = "float32"
    fraction: float = 1.0  # of the training set
    stage: int = 0
    rate: float = 0.2
    scope: str = "global"
    late_resetting: int = 2  # k, in epochs
    prune_head: bool = False
    first: RunRef | None = None  # of a chain, which names the chain's file; None: this run is it
    before: RunRef | None = None  # the stage that this one prunes
    ticket: RunRef | Artefact | None = None  # the stage whose mask a run begins with, or a ticket's file

    @property
    def side(self) -> int:
        """Of the network's square input in pixels."""
        return self.crop or self.image_size

    @property
    def measures(self) -> dict[str, Any]:
        """What tables, estimates and summaries rely on."""
        return TESTED | {"n_test": int, "val_accuracy": SCORE}

    @property
    def chain_digest(self) -> str:
        """The digest by which the chain of a run that finds a ticket is known."""
        return (self.first or self.ref).digest

    @property
    def title(self) -> str:
        """What a person is told of a run while it trains."""
        stage = "" if self.mode == "scratch" else f", stage {self.stage}"
        return f"{self.place} {one_line(self.target)}, {label(self.network)} {self.mode}{stage}, seed {self.seed}"


def chain(first: TicketRun, stages: int) -> list[TicketRun]:
    """The runs that find the tickets of stages 0 to `stages` - 1, each after the one it prunes."""
    found = [first]
    for stage in range(1, stages):
        found.append(dataclasses.replace(first, stage=stage, first=first.ref, before=found[-1].ref))
    return found


def sparsity(stage: int, rate: float) -> float:
    """The share of the prunable weights that is gone at a stage, in [0, 1)."""
    return 1.0 - (1.0 - rate) ** stage


def chain_file(store: Store, run: TicketRun) -> Path:
    """Where the tickets of a chain are, of which `run` finds one."""
    words = slug(f"{run.place}-{run.target}-{label(run.network)}", 160)
    return store.root / "tickets" / f"{words}-{run.chain_digest}.npz"


def read_chain(store: Store, path: Path, stages: int = 1) -> Ticket:
    """The tickets of a chain.

    Args:
        path: as of `chain_file`.
        stages: how many there must be.

    Raises:
        BadTicket: the file is absent, damaged, or another chain's, or has fewer.
    """
    remedy = (
        f"python -m keras_art store check {store.root} --repair sets its runs aside, and the same command finds it anew"
    )
    if not is_there(path):
        raise BadTicket(f"{path} is absent: {remedy}")
    found = read_ticket(path, remedy)
    if found.facts.get("run"):  # those of earlier versions do not say
        try:
            own = chain_file(store, origin(found, path))
        except BadRun as error:
            raise BadTicket(str(error)) from error
        if own.name != path.name:
            raise BadTicket(f"{path} holds the tickets of another chain, {own.name}: {remedy}")
    if found.stages < stages:
        raise BadTicket(f"{path} has the stages 0 to {found.stages - 1}, not {stages - 1}: {remedy}")
    return found


def has_mask(folder: Path) -> bool:
    """Whether the finished run of a directory found its mask: none is found after a divergence.

    Raises:
        Damaged: its metrics can not be read.
    """
    metrics = read_json(folder / "metrics.json", fields={"status": str})
    return metrics["status"] != "diverged" or "sparsity" in metrics


def origin(ticket: Ticket, path: Path) -> TicketRun:
    """The first run of the chain that found a ticket.

    Args:
        path: the ticket's file, for messages.

    Raises:
        BadRun: the file does not say, or this version does not know such runs.
    """
    run = run_from(ticket.facts.get("run"), path)
    if not isinstance(run, TicketRun):
        raise BadRun(f"{path} comes from a run of the kind {run.kind!r}, which finds no tickets")
    return run


ROOM = "keras_art.methods.tickets.lottery"
KINDS = {
    "ticket": Kind(
        TicketRun,
        {
            "find": Mode(f"{ROOM}:find", training_cost),  # f(m * theta_k), trained where the mask m was found
            "transfer": Mode(f"{ROOM}:transfer", training_cost),  # the same on another collection, under a new head
            "theta_i": Mode(f"{ROOM}:theta_i", training_cost),  # f(m * theta_i), with what the source has trained
            "theta_0": Mode(f"{ROOM}:theta_0", training_cost),  # f(m * theta_0), with what it began with
            "shuffled_theta_k": Mode(f"{ROOM}:shuffled_theta_k", training_cost),  # f(m' * theta_k), carried
            "scratch": Mode(f"{ROOM}:scratch", training_cost),  # f(theta_0), unpruned
            "random_mask": Mode(f"{ROOM}:random_mask", training_cost),  # f(m * theta_0'), other initial weights
            "shuffled_mask": Mode(f"{ROOM}:shuffled_mask", training_cost),  # f(m' * theta_k), m at random places
        },
        check="keras_art.methods.tickets.chains:check",
        summary=tested,
    )
}

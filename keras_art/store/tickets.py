"""Lottery tickets as files: theta_k once, and for every prunable weight the last stage it survives.

Masks nest, so one byte for each weight holds those of all stages, and a file is 1.25 times one float32 checkpoint. It
is an .npz of plain arrays and one JSON text: no pickle, nothing in it is ever executed, and any backend opens it.

A mask is a dictionary: path of a kernel -> bool array of the kernel's shape, True where a weight is kept.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_art.store.reading import opened_archive
from keras_art.store.sums import Damaged
from keras_art.writing import write_arrays

FORMAT = 2
DAMAGE = (
    ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError,
    NotImplementedError, RecursionError,
)  # fmt: skip
Masks = dict[str, np.ndarray]


class BadTicket(Damaged, ValueError):
    """The ticket can not be used; the message says what to do. It stops the runs that need it, and no other."""


@dataclass(frozen=True)
class Ticket:
    """The tickets of one chain, from the unpruned stage 0 to the deepest.

    Attributes:
        theta: path -> every variable of the classifier at the end of epoch k: kernels, biases, gamma, beta, moving
            statistics, and the head.
        last_stage: path of a prunable kernel -> uint8 array of its shape, the last stage a weight survives; those
            of the deepest mask have its number.
        stages: how many masks there are, the full one of stage 0 included.
        facts: where it comes from: `run`, the chain's first as its `config.json` has it, `classes`, the number of
            `prunable` weights and what they are `of`, `environment`.
        name: what messages call it: the file that it was read from.
    """

    theta: dict[str, np.ndarray]
    last_stage: dict[str, np.ndarray]
    stages: int
    facts: dict[str, Any]
    name: str = "this ticket"

    def masks(self, stage: int) -> Masks:
        """Path -> bool array, True where a weight is kept at a stage.

        Raises:
            BadTicket: there is no such stage.
        """
        if not 0 <= stage < self.stages:
            raise BadTicket(f"{self.name} has the stages 0 to {self.stages - 1}, not {stage}")
        return {path: last >= stage for path, last in self.last_stage.items()}

    def with_masks(self, masks: Masks) -> Ticket:
        """The same tickets and one more, of the next stage; `masks` lie within those of the last one."""
        deeper = {path: np.where(masks[path], self.stages, last) for path, last in self.last_stage.items()}
        return dataclasses.replace(
            self, last_stage={p: a.astype(np.uint8) for p, a in deeper.items()}, stages=self.stages + 1
        )


def share_pruned(masks: Mapping[str, np.ndarray]) -> float:
    """The sparsity of masks, pruned weights over all weights in them, in [0, 1]."""
    return 1.0 - sum(int(m.sum()) for m in masks.values()) / sum(m.size for m in masks.values())


def emptied(masks: Mapping[str, np.ndarray]) -> list[str]:
    """The paths of kernels that have lost their last weight: nothing passes there any more."""
    return [path for path, mask in masks.items() if not mask.any()]


def write_ticket(path: Path, ticket: Ticket) -> None:
    """Writes a ticket by rename."""
    facts = {"format": FORMAT, "stages": ticket.stages, **ticket.facts}
    arrays = {f"theta/{p}": a for p, a in ticket.theta.items()} | {f"last/{p}": a for p, a in ticket.last_stage.items()}
    write_arrays(path, {"ticket": np.array(json.dumps(facts)), **arrays})


def read_ticket(path: Path, remedy: str = "copy it again, or find it anew") -> Ticket:
    """Reads a ticket.

    Args:
        remedy: what a person is told to do where the file is damaged.

    Raises:
        BadTicket: the file is absent, cut off, damaged, or something else.
    """
    try:
        with opened_archive(path) as stored:
            if "ticket" not in stored.files:
                raise ValueError("it is an archive of something else")
            # NumPy compresses nothing in a file of this kind.
            if sum(member.file_size for member in stored.zip.infolist()) > path.stat().st_size:
                raise ValueError("it claims more bytes than it has")
            arrays = {name: stored[name] for name in stored.files}
        facts = json.loads(str(arrays.pop("ticket")))
        if facts.pop("format") != FORMAT:
            raise BadTicket(f"{path} is a ticket of another version of keras_art: use that, or find the ticket anew")
        stages = int(facts.pop("stages"))
    except FileNotFoundError:
        raise BadTicket(f"the ticket {path} does not exist") from None
    except (*DAMAGE, OSError) as error:
        if isinstance(error, BadTicket):
            raise
        raise BadTicket(f"{path} is no whole ticket ({error}): {remedy}") from error
    theta = {name.removeprefix("theta/"): array for name, array in arrays.items() if name.startswith("theta/")}
    last = {name.removeprefix("last/"): array for name, array in arrays.items() if name.startswith("last/")}
    if not last or any(
        theta.get(p) is None or theta[p].shape != a.shape or a.dtype != np.uint8 for p, a in last.items()
    ):
        raise BadTicket(f"{path} is no ticket, its masks are not those of its weights: {remedy}")
    return Ticket(theta, last, stages, facts, str(path))

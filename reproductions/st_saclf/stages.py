"""The stages of a training: which blocks of the backbone learn, for how long, at which rate."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_art.errors import UserError

if TYPE_CHECKING:
    from keras_art.learning.staged import Stage
    from reproductions.st_saclf.kinds import SaclfRun

ALL = ("",)  # every name begins so
# Of the stages of `staged`: share of the epochs, factor of the learning rate, share of the blocks that learn.
STAGED = ((0.25, 1.0, 0.0), (0.15, 0.3, 1 / 3), (0.15, 0.2, 2 / 3), (0.3, 0.1, 1.0), (0.15, 0.01, 1.0))


def parse(words: Sequence[str]) -> list[tuple[int, float, tuple[str, ...]]]:
    """Stages written as `EPOCHS@RATE`, `EPOCHS@RATE:BLOCK,BLOCK` or `EPOCHS@RATE:all`.

    Returns:
        Epochs, learning rate, and how the names begin of the layers that learn.

    Raises:
        UserError: a word that is none of these.
    """
    stages = []
    for word in words:
        match = re.fullmatch(r"(\d+)@([0-9.e+-]+)(?::(\S+))?", word)
        try:
            if not match:
                raise ValueError
            blocks = tuple(match[3].split(",")) if match[3] else ()
            stages.append((int(match[1]), float(match[2]), ALL if blocks == ("all",) else blocks))
        except ValueError:
            raise UserError(
                f"--stages {word!r} is not EPOCHS@RATE, EPOCHS@RATE:BLOCK,BLOCK or EPOCHS@RATE:all"
            ) from None
    return stages


def lengths(run: SaclfRun) -> list[int]:
    """The epochs of each stage of a run, whichever of them it carries out."""
    if run.stages:
        return [epochs for epochs, _, _ in parse(run.stages)]
    ends = [round(sum(share for share, _, _ in STAGED[:n]) * run.epochs) for n in range(len(STAGED) + 1)]
    return [end - begin for begin, end in itertools.pairwise(ends) if end > begin]


def blocks_of(backbone: Any) -> list[str]:
    """A backbone's blocks, bottom first: how the names of its layers with weights begin, up to the first number."""
    names = [layer.name for layer in backbone.layers if layer.weights]
    return list(dict.fromkeys(match[0] for name in names if (match := re.match(r"\D*\d+", name))))


def stages_of(run: SaclfRun, backbone: Any) -> list[Stage]:
    """The stages of a run, or the one that it carries out.

    `staged` trains the head, then also the upper third of the backbone's blocks, the upper two thirds, and all of it,
    each at a lower rate; `frozen` the head alone, at the rates of `staged`.

    Raises:
        UserError: the backbone's layers do not come in named blocks.
    """
    from keras_art.learning.staged import Stage

    if run.stages:
        return _part([Stage(*stage) for stage in parse(run.stages)], run.part)
    blocks = blocks_of(backbone)
    if run.mode == "staged" and len(blocks) < 3:
        there = f"the blocks {', '.join(blocks)}" if blocks else "no layers that a number tells apart, as block1_conv"
        raise UserError(
            f"{backbone.name} has {there}: too few to thaw by thirds, give --stages, as --stages 4@1e-3 8@1e-4:all"
        )
    stages, begin, share = [], 0, 0.0
    for part, factor, thawed in STAGED:
        share += part
        end = round(share * run.epochs)
        top = blocks[len(blocks) - round(thawed * len(blocks)) :]
        unfrozen = () if run.mode == "frozen" or not thawed else ALL if thawed == 1 else tuple(top)
        if end > begin:
            stages.append(Stage(end - begin, run.optimizer.learning_rate * factor, unfrozen))
        begin = end
    return _part(stages, run.part)


def _part(stages: list[Stage], part: int) -> list[Stage]:
    return stages[part - 1 : part] if part else stages

"""The stages of a training: which blocks of the backbone learn, for how long, at which rate."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
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


def blocks_of(backbone: Any) -> dict[str, str]:
    """A backbone's blocks, bottom first: how each is called, and the path of its first layer with weights.

    A block is called as the paths of its layers begin, up to the first number, but for what all begin with. What has
    none, or a name of Keras's own, belongs to the block before it. Where names tell no three blocks apart (most layers
    have none, or a block begins again after another one), every layer with a kernel is a block, and what is behind it
    belongs to it.
    """
    from keras_art.networks.taps import layers_in_order

    layers = dict(layers_in_order(backbone))
    given = {path: _given(path, layers) for path, layer in layers.items() if _own(layer)}
    letters = zip(*filter(None, given.values()), strict=False)
    alike = "".join(each[0] for each in itertools.takewhile(lambda each: len(set(each)) == 1, letters))
    shared = re.sub("[^_/]*$", "", alike)  # the name of the whole, of which Keras counts how often a process made it
    named = [(found[0], path) for path, name in given.items() if (found := re.match(r"\D*\d+", name[len(shared) :]))]
    stretches = [next(group) for _, group in itertools.groupby(named, key=lambda pair: pair[0])]
    blocks = dict(stretches)
    if len(blocks) == len(stretches) >= 3 and 2 * len(named) > len(given):
        return blocks
    return {path: path for path in given if any(len(variable.shape) > 1 for variable in _own(layers[path]))}


def _own(layer: Any) -> list[Any]:
    """What a layer learns itself, beside those within it, frozen or not."""
    return layer._trainable_variables


def _given(path: str, layers: Mapping[str, Any]) -> str:
    """A path without the names that Keras gave, by class and number."""
    names, found = path.split("/"), []
    for depth, name in enumerate(names, start=1):
        kind = re.sub(r"_\d+$", "", name).replace("_", "")
        if kind not in _kinds() and kind != type(layers["/".join(names[:depth])]).__name__.lower():
            found.append(name if depth == len(names) else f"{name}/")
    return "".join(found)


@functools.cache
def _kinds() -> set[str]:
    """Keras's classes of layers, in small letters: what is called so may be of a class of ours."""
    import keras

    return {name.lower() for name in vars(keras.layers) if name[0].isupper()} - {"layer"} | {"sequential", "functional"}


def stages_of(run: SaclfRun, backbone: Any) -> list[Stage]:
    """The stages of a run, or the one that it carries out.

    `staged` trains the head, then also the upper third of the backbone's blocks, the upper two thirds, and all of it,
    each at a lower rate; `frozen` the head alone, at the rates of `staged`.

    Raises:
        UserError: the backbone has too few layers.
    """
    from keras_art.learning.staged import Stage

    if run.stages:
        return _part([Stage(*stage) for stage in parse(run.stages)], run.part)
    firsts = list(blocks_of(backbone).values()) if run.mode == "staged" else []
    if run.mode == "staged" and len(firsts) < 3:
        raise UserError(
            f"{backbone.name} has too few layers to thaw by thirds ({len(firsts)} blocks): give --stages, as --stages "
            f"4@1e-3 8@1e-4:all"
        )
    stages, begin, share = [], 0, 0.0
    for part, factor, thawed in STAGED:
        share += part
        end = round(share * run.epochs)
        whole = thawed == 1 and run.mode == "staged"
        first = firsts[-round(thawed * len(firsts))] if firsts and 0 < thawed < 1 else ""
        if end > begin:
            stages.append(Stage(end - begin, run.optimizer.learning_rate * factor, ALL if whole else (), first))
        begin = end
    return _part(stages, run.part)


def _part(stages: list[Stage], part: int) -> list[Stage]:
    return stages[part - 1 : part] if part else stages

"""What `--precision auto` means here: for each network the fastest of some precisions, measured once and kept.

A run's config says which it is, never `auto`, so that whoever computes it computes by that one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.store.runs import Store
from keras_art.study import speeds
from keras_art.study.config import Artefact, Run, RunRef, mode_of
from keras_art.study.costs import Networks
from keras_art.study.plan import ordered

AUTO = "auto"
CANDIDATES = ("float32", "mixed_bfloat16")  # the first is taken where nothing is gained
GAIN = 1.1  # times as fast: less is noise, and another arithmetic is not taken for that


def settled(store: Store, runs: Sequence[Run], measuring: bool = True) -> list[Run]:
    """Runs of which none says `auto`, and their references to one another as they are called then.

    One line tells, for each network and size, what is taken.

    Args:
        measuring: whether what is not known yet is measured; if not, it is the first of `CANDIDATES`.

    Raises:
        BadBackbone: a network can not be used.
        StoreError: as `plan.ordered`.
    """
    if not any(getattr(run, "precision", "") == AUTO for run in runs):
        return list(runs)
    choice = _Choice(store, measuring)
    called: dict[RunRef, RunRef] = {}
    found = []
    for run in ordered(store, runs):
        fields = {field.name: _renamed(getattr(run, field.name), called) for field in dataclasses.fields(run)}
        if fields.get("precision") == AUTO:
            fields["precision"] = choice.of(run)
        found.append(dataclasses.replace(run, **fields))
        called[run.ref] = found[-1].ref
    choice.tell()
    return list(dict.fromkeys(found))


def check(precision: str, executor: str) -> None:
    """Refuses to choose for machines that are not this one.

    Raises:
        UserError: naming the flag.
    """
    if precision == AUTO and executor != "here":
        raise UserError(
            f"--precision auto measures this machine, and --executor {executor} computes on others: name one of "
            f"{', '.join(CANDIDATES)}"
        )


class _Choice:
    """The fastest precision of networks, and what is told of it."""

    def __init__(self, store: Store, measuring: bool) -> None:
        self.store, self.measuring, self.networks = store, measuring, Networks(store)
        self.taken: dict[tuple[Any, int], dict[str, str]] = {}  # a network at a size -> what is done -> words

    def of(self, run: Any) -> str:
        """The precision of a run: of training where it trains its network, else of prediction."""
        what, place = ("training", 0) if mode_of(run).tells_speed else ("features", 1)
        words = self.taken.setdefault((run.network, run.image_size), {})
        if (found := self._speeds(run)) is None:
            words[what] = f"not measured yet, taken as {CANDIDATES[0]}"
            return CANDIDATES[0]
        usual = found[CANDIDATES[0]][place]
        fastest = max(CANDIDATES, key=lambda precision: found[precision][place])
        taken = fastest if found[fastest][place] > GAIN * usual else CANDIDATES[0]
        gained = {by: f"{found[by][place] / usual:.2f} times as fast" for by in CANDIDATES[1:]}
        told = [gained[taken]] if taken in gained else [f"{by} is {often}" for by, often in gained.items()]
        words[what] = f"{what} by {taken} ({', '.join(told)})"
        return taken

    def _speeds(self, run: Any) -> dict[str, tuple[float, float]] | None:
        names = {by: speeds.name(self.store, run.network, run.image_size, by) for by in CANDIDATES}
        known = speeds.kept(self.store)
        if set(names.values()) <= set(known):
            return {by: known[name] for by, name in names.items()}
        if not self.measuring:
            return None
        with terminal.waiting(f"timing {run.network} at {run.image_size} pixels by {' and '.join(CANDIDATES)}"):
            once = self.networks.gigamacs(run.network, run.image_size)
            return speeds.measure(self.store, run.network, run.image_size, CANDIDATES, once)

    def tell(self) -> None:
        """One line for each network at a size."""
        for (network, image_size), words in self.taken.items():
            called = network.stem if isinstance(network, Artefact) else network
            terminal.say(f"precision of {called} at {image_size} pixels: {', '.join(dict.fromkeys(words.values()))}")


def _renamed(value: Any, called: Mapping[RunRef, RunRef]) -> Any:
    """A field's value, the runs that it refers to by their other names."""
    if isinstance(value, RunRef):
        return called.get(value, value)
    return tuple(_renamed(inner, called) for inner in value) if isinstance(value, tuple) else value

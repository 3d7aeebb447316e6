"""A study as a list of runs: in which order, what is done, and what the rest costs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from keras_art import terminal
from keras_art.store.runs import Store
from keras_art.study.config import Run, RunRef, needs
from keras_art.study.costs import Estimate
from keras_art.study.records import run_of, states

# What several processes take, of what they would if none were in another's way: two took 0.57 to 0.77 of one's time.
SHARED = (1.14, 1.54)
AROUND = 6.0  # seconds of a command that computes something: importing Keras, checks, tables, figures, the page


def ordered(store: Store, runs: Sequence[Run]) -> list[Run]:
    """The runs of a study and all they need, each once and after what it needs; otherwise in the order given.

    Runs that are needed and not given are taken from the store, where some study has begun them.

    Raises:
        StoreError: a run that is needed is neither given nor in the store.
    """
    given = {run.ref: run for run in runs}
    order: dict[RunRef, Run] = {}

    def add(first: Run) -> None:
        # Not recursive: a chain of tickets is as long as its stages.
        waiting = [first]
        while waiting:
            run = waiting[-1]
            missing = [ref for ref in needs(run) if ref not in order]
            if missing:
                waiting.extend(given.get(ref) or run_of(store, ref) for ref in reversed(missing))
            else:
                order.setdefault(run.ref, waiting.pop())

    for run in runs:
        add(run)
    return list(order.values())


def plan(store: Store, runs: Sequence[Any], estimate: Estimate, jobs: int = 1) -> str:
    """The list of runs, done or to do, with the time and the disk they take; one that can not be read is left out.

    The sum has what surrounds them, too, but for reading pictures, and tells where other work will make it longer.
    """
    lines, seconds, longest, size = [], 0.0, 0.0, 0.0
    for run, found in states(store, runs).items():
        if found is not None:
            lines.append(f"{'done':6} {'':18} {store.directory(run)}")
            continue
        begun = any((store.directory(run) / "checkpoint").glob("*"))
        takes = estimate.seconds(run)
        seconds, longest, size = seconds + takes, max(longest, takes), size + estimate.cost(run).disk
        cost = f"about {terminal.duration(takes)}"
        lines.append(f"{'begun' if begun else 'to do':6} {cost:18} {store.directory(run)}")
    missing = sum(not line.startswith("done") for line in lines)
    least = max(seconds / jobs, longest)
    low, high = (terminal.duration(min(least * factor, seconds) + AROUND) for factor in SHARED)
    among = f", {low if low == high else f'{low} to {high}'} by {jobs} processes" if jobs > 1 else ""
    pixels = {
        (run.collection, run.image_size): 3 * run.image_size**2 * estimate.images.get(run.collection, 0) for run in runs
    }
    seconds += AROUND * (missing > 0)
    basis = "; ".join([estimate.basis(list(runs)), *busy()])
    lines.append(
        f"{len(runs)} run{'s' * (len(runs) > 1)}, {missing} to do: "
        f"about {terminal.duration(seconds)}{among} ({basis}), "
        f"about {terminal.space(size)} for models and features, "
        f"{terminal.space(sum(pixels.values()))} for decoded images"
    )
    return "\n".join(lines)


def busy() -> list[str]:
    """What makes an estimate too short: others who want this machine's processors, in words, where there are any."""
    processors = os.cpu_count() or 1
    wanted = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if wanted < processors:
        return []
    return [f"other work here, which wants {wanted:.0f} of {processors} processors, makes it longer"]

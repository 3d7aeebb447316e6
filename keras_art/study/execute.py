"""Carrying out a list of runs: whatever is ready and free is done next, by however many processes share the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keras_art.errors import UserError
from keras_art.store.runs import Store, StoreError
from keras_art.store.sums import Damaged
from keras_art.study.config import Run, RunRef, function, mode_of, needs
from keras_art.terminal import Tell

SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between two looks at runs that other processes hold


def train(store: Store, run: Run, folder: Path, tell: Tell) -> dict[str, Any]:
    """Carries out one run in its directory as its mode says; returns what `metrics.json` holds."""
    return function(mode_of(run).train)(store, run, folder, tell)


def execute(
    store: Store,
    runs: Sequence[Run],
    carry_out: Callable[[Run, Path], dict[str, Any]],
    waiting: Callable[[Run], None] = lambda run: None,
    failed: Callable[[Run, UserError], None] | None = None,
) -> int:
    """Computes what is missing and ends when nothing is left; returns how many runs this process computed.

    A run is taken when all that it needs is finished and no other process holds it. Where nothing can be taken, the
    runs that others hold are waited for; if their process dies, the operating system frees them, and they are taken.

    Args:
        runs: each after what it needs, as of `plan.ordered`.
        carry_out: takes a run and its directory, returns the metrics.
        waiting: called once with each run that is waited for.
        failed: called with a run that a damaged file stops, and with those that need it; the others go on. None: it
            is raised, and nothing more is computed.
    """
    from filelock import Timeout

    left = [run for run in runs if store.metrics(run) is None]
    computed, pause = 0, SHORTEST_PAUSE
    told: set[Run] = set()
    done: set[RunRef] = set()  # asked of the store once: a study has thousands of runs, and many need the same one
    bad = False
    while left:
        held = []
        for run in left:
            done.update(ref for ref in needs(run) if ref not in done and store.has(ref))
            if not done.issuperset(needs(run)):
                continue
            try:
                with store.lock(store.directory(run), wait=False):
                    if store.metrics(run) is None:
                        store.finish(run, carry_out(run, store.begin(run)))
                        computed += 1
            except Timeout:
                held.append(run)
                continue
            except Damaged as error:
                if failed is None:
                    raise
                failed(run, error)
                bad = True
            left.remove(run)
            pause = SHORTEST_PAUSE
            break
        else:
            if not held:
                lacking = StoreError(f"{left[0].title} needs {needs(left[0])[0]}, which nobody has computed")
                if failed is None or not bad:
                    raise lacking
                failed(left[0], lacking)
                del left[0]
                continue
            for run in held:
                if run not in told:
                    waiting(run)
            told.update(held)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
    return computed

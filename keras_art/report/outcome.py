"""What came out of a study in plain sentences, for who reads no table; and words without the paths of a machine."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from keras_art.data import kept, leaks
from keras_art.report import calibration, mistakes
from keras_art.report.metrics import wilson
from keras_art.store.reading import read_table
from keras_art.store.runs import Store
from keras_art.store.sums import Damaged
from keras_art.study import earlier

if TYPE_CHECKING:
    from keras_art.study.catalogue import Progress
    from keras_art.study.config import Run

MOST = 6  # sentences


def ranked(store: Store, reached: Progress) -> dict[tuple[str, str], list[Run]]:
    """Collection and label -> the classifiers that have not diverged, the best on validation images first."""
    asked: dict[tuple[str, str], list[tuple[float, Run]]] = {}
    for run, measured in reached.found.items():
        if run.mode == "pretraining" or measured.get("status") != "ok":
            continue
        for target in getattr(run, "targets", ()) or (getattr(run, "target", ""),):
            score = _on_validation(store, run, measured, target)
            asked.setdefault((getattr(run, "collection", ""), target), []).append((score, run))
    return {place: [run for _, run in sorted(runs, key=lambda scored: -scored[0])] for place, runs in asked.items()}


def _on_validation(store: Store, run: Run, measured: Mapping[str, Any], target: str) -> float:
    """The share of validation images that a classifier names rightly; 0 where it does not say."""
    other = measured.get("best_epoch", 0) not in (0, measured.get("epochs"))
    if getattr(run, "keep", "") == "last" and other:  # of an earlier version, whose history alone is right
        with contextlib.suppress(Damaged):
            return float(read_table(store.directory(run) / "history.csv")["val_accuracy"].iloc[-1])
    return float(measured.get(f"val_{target}_accuracy", measured.get("val_accuracy")) or 0)


def best(store: Store, reached: Progress) -> dict[tuple[str, str], tuple[Run, mistakes.Said]]:
    """Collection and label -> the classifier that is best on validation images, and what it said of the test images."""
    found: dict[tuple[str, str], tuple[Run, mistakes.Said]] = {}
    for place, runs in ranked(store, reached).items():
        for run in runs:  # of hundreds the first's tables are read
            told = mistakes.said(store.directory(run), getattr(run, "target", ""), getattr(run, "targets", ()))
            if said := next((said for said in told if said.target == place[1]), None):
                found[place] = run, said
                break
    return found


def sentences(store: Store, reached: Progress) -> Iterator[str]:
    """How often the best classifier of each collection and label is right, beside the simplest guess."""
    for (_, target), (run, said) in list(best(store, reached).items())[:MOST]:
        if not (n := len(said.table)):
            continue
        right = n - len(said.wrong())
        low, high = wilson(right, n)
        which, but = tested_on(store, run)
        yield (
            f"On {n:,} {which}, the classifier that is best on validation images "
            f"({run.title}) named the right {target} for {100 * right / n:.1f} of 100 ({100 * low:.1f} to "
            f"{100 * high:.1f}); {without_looking(store, run, said)}.{but}"
        )


def tested_on(store: Store, run: Run) -> tuple[str, str]:
    """What a run's test images are called, and a sentence on those that are no test of it, behind a blank; else ""."""
    but = earlier.no_tests(store, run)
    if not but and leaks.unseen(kept.facts_of(store, getattr(run, "collection", "")).get("leaks", {})):
        return "pictures that it never saw", ""
    return "test pictures", f" Not all of them are a test of it: {but}." if but else ""


def without_looking(store: Store, run: Run, said: mistakes.Said) -> str:
    """What the simplest guesses score on what a classifier was tested on, in words: those that learn from train."""
    facts = kept.facts_of(store, getattr(run, "collection", ""))
    leak = facts.get("leaks", {})
    if facts["targets"] != [said.target] or "majority" not in leak:
        largest = said.table["label"].value_counts().iloc[0] / len(said.table)
        return f"{100 * largest:.1f} of 100 are of one {said.target}"
    words = f"naming the {said.target} that is most frequent in training for each of them: {100 * leak['majority']:.1f}"
    if "artist_rule" in leak:
        words += f", and naming what is most frequent with its artist there: {100 * leak['artist_rule']:.1f}"
    return words


def surest(run: Run, measured: Mapping[str, Any], target: str) -> tuple[str, str]:
    """Which of its errors come first, in words, and what the share that each was said with is called; "": it has none.

    Args:
        measured: as of `sureness`.
    """
    if run.mode == "knn_probe":
        votes = calibration.votes(measured.get("k"))
        told = f"each with its id. {votes[0].upper()}{votes[1:]}:"
        if measured.get("k") == 1:
            return f"that come first by their ids, {told}", ""
        return f"for which most votes were cast, {told}", "of the votes"
    if getattr(run, "head", "") == "random_forest":
        return "that most trees said, each with its id. Shares of trees are counted, never calibrated:", "of the trees"
    return f"of which it was surest, each with its id. {sureness(measured, target)}", "sure"


def sureness(measured: Mapping[str, Any], target: str = "") -> str:
    """What a classifier's probabilities on a page are worth, by what it measured when it was calibrated.

    Args:
        measured: of one task, or with `calibration`, what each of several tasks measured.
    """
    measured = measured.get("calibration", {}).get(target, measured)
    if not all(isinstance(measured.get(name), float) for name in ("temperature", "ece", "ece_calibrated")):
        return "How sure it was are its own probabilities, before any calibration, and mostly too high:"
    return (
        f"How sure it was are its own probabilities, which are off by {100 * measured['ece']:.1f} of 100 on average; "
        f"calibrated, as predict tells them (temperature {measured['temperature']:.2f}), by "
        f"{100 * measured['ece_calibrated']:.1f}{calibration.worsened(measured)}:"
    )


def portable(text: str, store: Store) -> str:
    """A sentence of a page that is sent to others: files of the store are named from its folder on."""
    roots = {str(store.root.absolute()), str(store.root.resolve()), str(store.root)} - {"."}
    for root in roots:  # a whole path, not the end of another: a store may be called s
        text = re.sub(rf"(?<![\w.~/\\-]){re.escape(root + os.sep)}", "", text)
    return text

"""Which of a run's test images are no test of it, since what it begins with has learnt from them already."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from keras_art.data import leaks
from keras_art.data.kept import facts_of, listed, splits_of
from keras_art.errors import UserError
from keras_art.store.runs import Store, store_of
from keras_art.study.config import Artefact, Run, RunRef
from keras_art.study.files import artefact_path
from keras_art.study.records import read_run, run_of
from keras_art.writing import LEARNT


def no_tests(store: Store, run: Run) -> str:
    """How many, in words, with those that the run's own train or val has, or their like; "" where none is known.

    Raises:
        UserError: a file that says so can not be read.
    """
    report = facts_of(store, getattr(run, "collection", "")).get("leaks", {})
    return "; ".join(filter(None, [leaks.seen(report), known(store, run)]))


def known(store: Store, run: Run) -> str:
    """How many, in words; "" where none is known.

    Known is what an exported network says of itself, and what earlier runs of this store, one beginning with another,
    were trained or chosen on. Of other files nothing is.

    Raises:
        UserError: a file that says so can not be read.
    """
    if not (hashes := learnt_before(store, run)):
        return ""
    test = _in(store.root, getattr(run, "collection", ""), "test")
    seen = len(hashes & test)
    return f"its network has learnt from {seen:,} of {len(test):,} test images before" if seen else ""


def learnt_before(store: Store, run: Run) -> frozenset[str]:
    """The hashes of the pictures that what a run begins with has learnt from, as far as that is known.

    Raises:
        UserError: as `known`.
    """
    begins = [getattr(run, name, None) for name in ("network", "weights")]
    return frozenset().union(*(_learnt(store.root, begin) for begin in begins))


def before_model(file: Path) -> frozenset[str]:
    """The same of the run in whose directory a model lies; nothing of other models."""
    if not (file.parent / "config.json").is_file():
        return frozenset()
    try:
        return learnt_before(store_of(file), read_run(file.parent))
    except UserError:  # the model is whole without it, and `store check` tells
        return frozenset()


@functools.lru_cache(64)
def _learnt(root: Path, begin: Any) -> frozenset[str]:
    store = Store(root)
    if isinstance(begin, RunRef):
        run = run_of(store, begin)
        return _in(root, getattr(run, "collection", ""), "train", "val") | learnt_before(store, run)
    if isinstance(begin, Artefact) and (artefact_path(store, begin) / LEARNT).is_file():
        return listed(artefact_path(store, begin))
    return frozenset()


@functools.lru_cache(64)
def _in(root: Path, key: str, *splits: str) -> frozenset[str]:
    return frozenset(sha256 for sha256, split in splits_of(Store(root), key).items() if split in splits)

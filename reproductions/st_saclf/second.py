"""The trained classifiers on a second collection, whose labels are their classes' names."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd

from keras_art.data import tasks
from keras_art.errors import UserError
from keras_art.networks.loading import load_model
from keras_art.pictures.pipeline import Batches
from keras_art.store.runs import Store
from keras_art.study.kinds.classifier import label
from reproductions.st_saclf.evaluation import scores
from reproductions.st_saclf.grid import collections
from reproductions.st_saclf.kinds import SaclfRun
from reproductions.st_saclf.study import Study
from reproductions.st_saclf.tables import SETTINGS


def second_table(store: Store, runs: Sequence[SaclfRun], study: Study) -> tuple[str, pd.DataFrame]:
    """What each finished run that did not diverge scores on the images of a second collection whose class it knows.

    Returns:
        A title, and a row per run, its scores in per cent.

    Raises:
        UserError: the collections share no class.
    """
    collection, choice = collections(study, store)["second"]
    rows = []
    for run in runs:
        model = store.directory(run) / "model.keras"
        if not model.exists():
            continue
        first = tasks.load(store, run.collection, run.image_size, run.resize)
        second = tasks.prepare(store, collection, choice, run.image_size, run.resize, lambda done, all: None)
        found = score_second(load_model(model), first, second, run.batch_size)
        settings = {name: getattr(run, name) for name in SETTINGS}
        rows.append({"second": choice.name, "network": label(run.network), **settings, "seed": run.seed, **found})
    return f"The same models on every image of {choice.name} whose class they know, %", pd.DataFrame(rows)


def score_second(model: keras.Model, first: tasks.Ready, second: tasks.Ready, batch_size: int) -> dict[str, float]:
    """Accuracy, macro recall and F1, in per cent, of a model of `first`'s classes on `second`, all of its splits.

    Raises:
        UserError: the collections share no class.
    """
    classes = first.task.classes
    place = {name: classes.index(name) for name in second.task.classes if name in classes}
    if not place:
        raise UserError(
            f"the second collection shares no class with the first: it has {', '.join(second.task.classes[:5])}, the "
            f"first {', '.join(classes[:5])}"
        )
    names = np.array(second.task.classes)[second.task.images["label"].to_numpy()]
    known = np.flatnonzero(np.isin(names, list(place)))
    labels = np.array([place[name] for name in names[known]])
    batches = Batches(second.pixels, second.rows[known], labels, batch_size)
    found = scores(labels, model.predict(batches.epochs(), verbose=0), classes, [])
    return {
        "images": len(known),
        "shared classes": len(place),
        **{name: 100 * found[f"test_{key}"] for name, key in (("accuracy", "accuracy"), ("recall", "macro_recall"))},
        "f1": 100 * found["test_macro_f1"],
    }

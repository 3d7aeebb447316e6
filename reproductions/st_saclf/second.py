"""The trained classifiers on a second collection, whose labels are their classes' names."""

from __future__ import annotations

import json
from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd

from keras_art.data import tasks
from keras_art.errors import UserError
from keras_art.networks.loading import load_model
from keras_art.pictures.pipeline import Batches
from keras_art.store.reading import read_json
from keras_art.store.runs import Store
from keras_art.study.kinds.classifier import labels
from keras_art.writing import write
from reproductions.st_saclf.evaluation import scores
from reproductions.st_saclf.grid import collections
from reproductions.st_saclf.kinds import SaclfRun
from reproductions.st_saclf.study import Study
from reproductions.st_saclf.tables import SETTINGS

SEEN = "trained on"  # images of the second collection that stand in the first one's train or val


def second_table(store: Store, runs: Sequence[SaclfRun], study: Study) -> tuple[str, pd.DataFrame]:
    """What each finished run that did not diverge scores on the images of a second collection whose class it knows.

    Images that a run was trained on, by their content, are left out. What was found stands in the run's directory, and
    is not computed again.

    Returns:
        A title, and a row per run, its scores in per cent.

    Raises:
        UserError: the collections share no class.
    """
    collection, choice = collections(study, store)["second"]
    rows, called = [], labels(run.network for run in runs)
    for run in runs:
        model = store.directory(run) / "model.keras"
        if not model.exists():
            continue
        kept = store.directory(run) / f"second-{choice.key}.json"
        if not kept.exists():
            first = tasks.load(store, run.collection, run.image_size, run.resize)
            second = tasks.prepare(store, collection, choice, run.image_size, run.resize, lambda done, all: None)
            write(kept, json.dumps(score_second(load_model(model), first, second, run.batch_size)))
        found = read_json(kept)
        settings = {name: getattr(run, name) for name in SETTINGS}
        rows.append({"second": choice.name, "network": called[run.network], **settings, "seed": run.seed, **found})
    table = pd.DataFrame(rows)
    title = f"The same models on every image of {choice.name} whose class they know, %"
    if len(table) and table[SEEN].any():
        title += f"; left out are up to {table[SEEN].max():,} that they were trained on"
    return title, table


def score_second(model: keras.Model, first: tasks.Ready, second: tasks.Ready, batch_size: int) -> dict[str, float]:
    """Accuracy, macro recall and F1, in per cent, of a model of `first`'s classes on `second`, all of its splits.

    Images whose content stands in `first`'s train or val are left out, and counted.

    Raises:
        UserError: the collections share no class, or nothing but such images.
    """
    classes = first.task.classes
    place = {name: classes.index(name) for name in second.task.classes if name in classes}
    if not place:
        raise UserError(
            f"the second collection shares no class with the first: it has {', '.join(second.task.classes[:5])}, the "
            f"first {', '.join(classes[:5])}"
        )
    names = np.array(second.task.classes)[second.task.images["label"].to_numpy()]
    learnt = [first.sha256[i] for split in ("train", "val") for i in first.part(split)]
    seen = np.isin(second.sha256, learnt)
    known = np.flatnonzero(np.isin(names, list(place)) & ~seen)
    if not len(known):
        raise UserError(
            f"--second has no image whose class the models know and that they were not trained on: {seen.sum():,} of "
            f"its {len(seen):,} stand in the train or val split of {first.task.key}; name another collection"
        )
    labels = np.array([place[name] for name in names[known]])
    batches = Batches(second.pixels, second.rows[known], labels, batch_size)
    found = scores(labels, model.predict(batches.epochs(), verbose=0), classes, [])
    return {
        "images": len(known),
        SEEN: int(seen.sum()),
        "shared classes": len(place),
        **{name: 100 * found[f"test_{key}"] for name, key in (("accuracy", "accuracy"), ("recall", "macro_recall"))},
        "f1": 100 * found["test_macro_f1"],
    }

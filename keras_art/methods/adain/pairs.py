"""What is drawn in the style of what: within a class, or between the classes that a classifier confuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from keras_art.data import tasks
from keras_art.errors import UserError
from keras_art.networks.loading import load_model
from keras_art.report.metrics import confusion
from keras_art.store.runs import Store
from keras_art.study.config import RunRef


def draw_pairs(
    labels: Sequence[int] | np.ndarray, seed: int, styles_of: Mapping[int, int] | None = None
) -> pd.DataFrame:
    """As many outputs as there are images of each class; content and style drawn within it, with replacement.

    Args:
        labels: class of each image.
        styles_of: the class that a class takes its styles from; none, or one without images: from its own.

    Returns:
        Columns `label`, `content` and `style` (positions in `labels`), by class.
    """
    parts = []
    for label in np.unique(labels):
        members = np.flatnonzero(np.asarray(labels) == label)
        rng = np.random.default_rng((seed, int(label)))
        content, style = rng.choice(members, (2, len(members)))
        others = np.flatnonzero(np.asarray(labels) == (styles_of or {}).get(int(label), label))
        if styles_of and len(others):  # of a class that validation alone has there are no styles
            style = rng.choice(others, len(members))
        parts.append(pd.DataFrame({"label": label, "content": content, "style": style}))
    return pd.concat(parts, ignore_index=True)


def confused_with(store: Store, classifier: RunRef, ready: tasks.Ready) -> dict[int, int]:
    """The class with which a classifier confuses each class most, either way, on validation images; no class twice.

    Of the pairs of classes the most confused comes first, so that a class may remain without another. Ties go to the
    first classes.

    Raises:
        UserError: its training diverged, and it is not there.
    """
    path = store.find(classifier) / "model.keras"
    if not path.exists():
        raise UserError(
            f"{path.parent} diverged, so that nothing says which classes it confuses: give lower learning rates"
        )
    val = ready.part("val")
    labels = ready.task.images["label"].to_numpy()[val]
    said = load_model(path).predict(ready.pixels[ready.rows[val]], batch_size=32, verbose=0).argmax(axis=1)
    return most_confused(confusion(labels, said, len(ready.task.classes)))


def most_confused(counts: np.ndarray) -> dict[int, int]:
    """Of (classes, classes) counts of what was said for what is true: class -> the class it is confused with most."""
    either = np.triu(counts + counts.T, 1)
    found: dict[int, int] = {}
    for place in np.argsort(-either, axis=None, kind="stable"):
        a, b = divmod(int(place), len(either))
        if either[a, b] and a not in found and b not in found:
            found |= {a: b, b: a}
    return found


def lonely(labels: np.ndarray, classes: Sequence[str]) -> list[str]:
    """The classes with one image, which can only style itself."""
    counts = np.bincount(labels, minlength=len(classes))
    return [name for name, count in zip(classes, counts, strict=True) if count == 1]

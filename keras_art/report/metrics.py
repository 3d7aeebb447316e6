"""What a split says about a model: every sample once, over the whole split, never averaged over batches.

NumPy in, floats out. Of equal probabilities the class with the lower index counts as the higher one, everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from keras_art.data.leaks import wilson as wilson  # an interval is also of what rules score

EPSILON = 1e-7  # probabilities are clipped to [EPSILON, 1 - EPSILON] before the logarithm, as in Keras


def classification(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float | int]:
    """The numbers a run stores for one split.

    Args:
        labels: (n,) integers in [0, classes).
        probabilities: (n, classes) floats in [0, 1].

    Returns:
        `accuracy`, a fraction; `loss`, the mean cross-entropy in nats; `macro_f1`, the plain mean of F1 over the
        classes that occur in `labels` (a class never present cannot be got right, so it does not count);
        `top5_accuracy`, a fraction, only where there are more than 5 classes; `n`, the number of samples.

    Raises:
        ValueError: an empty split, shapes that do not match, a label out of range, or probabilities that are not
            finite, which means that the run diverged.
    """
    labels, probabilities = _checked(labels, probabilities)
    n, classes = probabilities.shape
    true = probabilities[np.arange(n), labels][:, None]
    # How many classes stand before the true one. Counting needs no sort of (n, classes).
    tied = (probabilities == true) & (np.arange(classes) < labels[:, None])
    rank = (probabilities > true).sum(axis=1) + tied.sum(axis=1)
    loss = -np.log(np.clip(true.astype(np.float64), EPSILON, 1 - EPSILON)).mean()
    f1 = _per_class(labels, probabilities)["f1"][np.unique(labels)]
    values: dict[str, float | int] = {
        "accuracy": float((rank < 1).mean()),
        "loss": float(loss),
        "macro_f1": float(f1.mean()),
    }
    if classes > 5:
        values["top5_accuracy"] = float((rank < 5).mean())
    return {**values, "n": n}


def per_class(labels: np.ndarray, probabilities: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """One row per class: `class`, `support`, `predicted` (counts), `precision`, `recall`, `f1` (fractions).

    A fraction of nothing is NaN: the precision of a class never predicted, the recall of a class never present.
    Shapes and errors are those of `classification`; `names` has one name per class.
    """
    labels, probabilities = _checked(labels, probabilities, names)
    frame = pd.DataFrame(_per_class(labels, probabilities))
    frame.insert(0, "class", list(names))
    return frame


def confusion(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Counts, (classes, classes) int: row = true class, column = predicted class.

    Raises:
        ValueError: `labels` and `predictions` are not two lists of n integers in [0, classes).
    """
    labels, predictions = _integers(labels, classes), _integers(predictions, classes)
    if labels.shape != predictions.shape:
        raise ValueError(f"{len(labels)} labels for {len(predictions)} predictions: give one of each per sample")
    return np.bincount(labels * classes + predictions, minlength=classes**2).reshape(classes, classes)


def predictions(
    ids: Sequence[str],
    probabilities: np.ndarray,
    names: Sequence[str],
    labels: np.ndarray | None = None,
    top: int = 5,
) -> pd.DataFrame:
    """One row per sample, for a person to read: what the model saw in it, most probable first.

    Args:
        ids: n sample ids.
        probabilities: (n, classes) floats in [0, 1].
        names: one name per class.
        labels: (n,) integers, where known.
        top: how many classes to list; fewer where there are fewer.

    Returns:
        Columns `id`, `label` (a name; only with `labels`), `predicted`, `probability`, then `class_1`,
        `probability_1`, `class_2`, ...

    Raises:
        ValueError: as `classification`.
    """
    known = np.zeros(len(ids), int) if labels is None else labels
    known, probabilities = _checked(known, probabilities, names)
    classes = np.array(names, dtype=object)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    sorted_probabilities = np.take_along_axis(probabilities, order, axis=1)
    columns: dict[str, object] = {"id": list(ids)}
    if labels is not None:
        columns["label"] = classes[known]
    columns |= {"predicted": classes[order[:, 0]], "probability": sorted_probabilities[:, 0]}
    for k in range(order.shape[1]):
        columns[f"class_{k + 1}"] = classes[order[:, k]]
        columns[f"probability_{k + 1}"] = sorted_probabilities[:, k]
    return pd.DataFrame(columns)


def _per_class(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    counts = confusion(labels, probabilities.argmax(axis=1), probabilities.shape[1])
    right, support, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN, and meant
        return {
            "support": support,
            "predicted": predicted,
            "precision": right / predicted,
            "recall": right / support,
            "f1": 2 * right / (support + predicted),
        }


def _checked(
    labels: np.ndarray, probabilities: np.ndarray, names: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    probabilities = np.asarray(probabilities)
    if len(labels) == 0 or len(probabilities) == 0:
        raise ValueError("the split is empty: there is nothing to measure; look at the split rule and the class filter")
    if probabilities.ndim != 2 or len(labels) != len(probabilities):
        raise ValueError(
            f"{len(labels)} samples need probabilities of shape ({len(labels)}, classes), not {probabilities.shape}"
        )
    if names is not None and len(names) != probabilities.shape[1]:
        raise ValueError(f"{len(names)} class names for {probabilities.shape[1]} columns of probabilities")
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities hold NaN or infinity: the run diverged; lower its learning rate")
    return _integers(labels, probabilities.shape[1]), probabilities


def _integers(labels: np.ndarray, classes: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"classes are (n,) integers, not {labels.dtype} of shape {labels.shape}")
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"classes lie in [0, {classes}), not in [{labels.min()}, {labels.max()}]")
    return labels.astype(np.int64)  # labels * classes overflows the small integers a dataset stores

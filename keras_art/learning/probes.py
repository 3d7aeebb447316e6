"""Classical heads on the features of a frozen network, and the two probes by which today's networks are judged.

`linear_probe` is multinomial logistic regression on standardised features by L-BFGS, its penalty by validation;
`knn_probe` a vote of the nearest neighbours, their number and the metric by validation. Neither draws anything at
random: every seed says the same of the same features.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd

from keras_art.networks import texts
from keras_art.networks.votes import METRICS, counted, neighbours_head
from keras_art.pictures.pipeline import Batches
from keras_art.study.kinds.classifier import ClassifierRun

# Of these the best on validation images is taken: the inverse of the penalty, and how many neighbours vote.
INVERSE_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
NEIGHBOURS = (1, 3, 5, 10, 20, 50, 100)
MOST_STEPS = 1000  # of L-BFGS
SMALL = 10**9  # multiply-adds of one of its steps, below which threads wait for one another longer than they work


@dataclass(frozen=True)
class Probed:
    """What a probe has come to.

    Attributes:
        head: features (batch, width) -> probabilities, or shares of votes, (batch, classes).
        tried: one row per setting, with `accuracy` on validation images; of `zero_shot` the text of each class.
        chosen: the row taken, as words and numbers for `metrics.json`.
    """

    head: keras.Model
    tried: pd.DataFrame
    chosen: dict[str, Any]


def probe(mode: str, batches: Callable[..., Batches], classes: int) -> Probed:
    """The probe of a mode, learnt from the training split's features alone, chosen on validation.

    Of settings that are as accurate on validation the simpler is taken: the higher penalty, more neighbours.
    """
    (train, labels), (val, val_labels) = (
        batch.gather(np.arange(len(batch.rows))) for batch in map(batches, ("train", "val"))
    )
    if mode == "linear_probe":
        return _linear_probe(train, labels, val, val_labels, classes)
    return _knn_probe(train, labels, val, val_labels, classes)


def named(preset: str, template: str, classes: Sequence[str]) -> Probed:
    """What a network that knows texts, too, says by the names of the classes alone; `tried` has the texts."""
    asked = texts.texts_of(template, classes)
    tried = pd.DataFrame({"class": list(classes), "text": asked})
    return Probed(texts.text_head(preset, asked), tried, {"template": template})


def _linear_probe(
    train: np.ndarray, labels: np.ndarray, val: np.ndarray, val_labels: np.ndarray, classes: int
) -> Probed:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    mean, deviation = train.mean(0), train.std(0) + 1e-6
    given, asked = (train - mean) / deviation, (val - mean) / deviation
    threads = 1 if train.size * classes < SMALL else None
    model = LogisticRegression(max_iter=MOST_STEPS, warm_start=True)  # from one penalty to the next
    rows: list[dict[str, float]] = []
    weights = []
    for inverse in INVERSE_PENALTIES:
        model.C = inverse
        with warnings.catch_warnings(record=True) as caught, threadpool_limits(threads):
            warnings.simplefilter("always", ConvergenceWarning)
            model.fit(given, labels)
            accuracy = float((model.predict(asked) == val_labels).mean())
        rows.append({"inverse_penalty": inverse, "accuracy": accuracy, "converged": not caught})
        weights.append((model.coef_.copy(), model.intercept_.copy()))
    tried = pd.DataFrame(rows)
    best = int(tried["accuracy"].idxmax())  # the first of equals
    kernel, bias = weights[best][0] / deviation, weights[best][1] - weights[best][0] @ (mean / deviation)
    inputs = keras.Input((train.shape[1],), name="features")
    outputs = keras.layers.Dense(classes, "softmax", dtype="float32", name="softmax")(inputs)
    head = keras.Model(inputs, outputs, name="head")
    head.set_weights(_dense(kernel, bias, model.classes_, classes, halves=True))
    chosen = {"inverse_penalty": rows[best]["inverse_penalty"], "val_accuracy": rows[best]["accuracy"]}
    return Probed(head, tried, chosen)


def _knn_probe(train: np.ndarray, labels: np.ndarray, val: np.ndarray, val_labels: np.ndarray, classes: int) -> Probed:
    from sklearn.neighbors import NearestNeighbors

    sizes = sorted({min(k, len(train)) for k in NEIGHBOURS}, reverse=True)
    rows: list[dict[str, Any]] = []
    for metric in METRICS:
        near = NearestNeighbors(n_neighbors=sizes[0], metric=metric, algorithm="brute").fit(train)
        votes = labels[near.kneighbors(val, return_distance=False)]
        for k in sizes:
            said = keras.ops.convert_to_numpy(counted(votes[:, :k], classes))
            rows.append({"k": k, "metric": metric, "accuracy": float((said.argmax(1) == val_labels).mean())})
    tried = pd.DataFrame(rows)
    best = rows[int(tried["accuracy"].idxmax())]
    head = neighbours_head(train, labels, classes, best["k"], best["metric"])
    return Probed(head, tried, {"k": best["k"], "metric": best["metric"], "val_accuracy": best["accuracy"]})


def _dense(
    coefficients: np.ndarray, intercepts: np.ndarray, known: np.ndarray, classes: int, *, halves: bool = False
) -> list[np.ndarray]:
    """The kernel and bias of a dense layer over all classes from scikit-learn's, which has one row for two classes.

    Args:
        known: the classes that were learnt from; the others are never said.
        halves: split that row evenly, as a softmax wants it of a logistic regression.
    """
    if len(known) == 2:
        share = 0.5 if halves else 1.0
        coefficients = share * np.vstack([-coefficients, coefficients])
        intercepts = share * np.concatenate([-intercepts, intercepts])
    kernel, bias = np.zeros((coefficients.shape[1], classes)), np.full(classes, -1e9)
    kernel[:, known], bias[known] = coefficients.T, intercepts
    return [kernel, bias]


def classical_head(
    run: ClassifierRun, batches: Callable[..., Batches], classes: int
) -> tuple[np.ndarray, keras.Model | None]:
    """Footnote 4 of the paper: a linear SVM or a random forest on the same features, in scikit-learn.

    The SVM becomes a dense layer, so it can be saved; its outputs are margins. The forest can not be saved without
    pickling, which would execute code on loading.
    """
    (train, train_labels), (test, _) = (
        batch.gather(np.arange(len(batch.rows))) for batch in map(batches, ("train", "test"))
    )
    if run.head == "random_forest":
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(n_estimators=500, n_jobs=-1, random_state=run.seed).fit(train, train_labels)
        probabilities = np.zeros((len(test), classes))
        probabilities[:, forest.classes_] = forest.predict_proba(test)
        return probabilities, None
    from sklearn.svm import LinearSVC

    mean, deviation = train.mean(0), train.std(0) + 1e-6
    svm = LinearSVC(dual="auto", random_state=run.seed).fit((train - mean) / deviation, train_labels)
    weights, bias = svm.coef_ / deviation, svm.intercept_ - svm.coef_ @ (mean / deviation)
    inputs = keras.Input((train.shape[1],), name="features")
    margins = keras.Model(inputs, keras.layers.Dense(classes, dtype="float32", name="margins")(inputs), name="head")
    margins.set_weights(_dense(weights, bias, svm.classes_, classes))
    return margins.predict(test, verbose=0), margins


def softmax(margins: np.ndarray) -> np.ndarray:
    """Margins (n, classes) as shares that sum to one: an order of the classes, no probabilities."""
    exponentials = np.exp(margins - margins.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)

"""Classical heads on the features of a frozen network."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from keras_art.pictures.pipeline import Batches
from keras_art.study.kinds.classifier import ClassifierRun


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
    if len(svm.classes_) == 2:
        weights, bias = np.vstack([-weights, weights]), np.concatenate([-bias, bias])
    kernel, offset = np.zeros((train.shape[1], classes)), np.full(classes, -1e9)
    kernel[:, svm.classes_], offset[svm.classes_] = weights.T, bias
    inputs = keras.Input((train.shape[1],), name="features")
    margins = keras.Model(inputs, keras.layers.Dense(classes, dtype="float32", name="margins")(inputs), name="head")
    margins.set_weights([kernel, offset])
    return margins.predict(test, verbose=0), margins


def softmax(margins: np.ndarray) -> np.ndarray:
    """Margins (n, classes) as shares that sum to one: an order of the classes, no probabilities."""
    exponentials = np.exp(margins - margins.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)

"""What the nearest of the pictures that were learnt from say of another: a vote, as a Keras layer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

METRICS = ("cosine", "euclidean")
TRACE = 1e-4  # of a vote, shared by rank


def counted(votes: Any, classes: int) -> Any:
    """The classes (batch, k) that neighbours vote for, nearest first -> shares of votes (batch, classes)."""
    k = votes.shape[1]
    weights = 1.0 + TRACE * (1.0 - ops.arange(k, dtype="float32") / k)
    shares = ops.sum(ops.one_hot(votes, classes, dtype="float32") * weights[None, :, None], axis=1)
    return shares / ops.sum(shares, axis=-1, keepdims=True)


@keras.saving.register_keras_serializable("keras_art")
class NearestNeighbours(keras.layers.Layer):
    """Features (batch, width) -> the shares of votes (batch, classes) that their k nearest neighbours cast.

    Every neighbour has one vote; of classes with as many, that of the nearer neighbours is ahead by a trace.

    Args:
        classes: how many.
        k: neighbours that vote.
        metric: "cosine" or "euclidean".
        count: rows that are learnt from, given afterwards by `learn`.
        width: of a row.
    """

    def __init__(self, classes: int, k: int, metric: str, *, count: int, width: int, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", "trainable": False, **kwargs})
        if metric not in METRICS:
            raise ValueError(f"the metric {metric!r} is none of {', '.join(METRICS)}")
        self.classes, self.k, self.metric, self.count, self.width = classes, min(k, count), metric, count, width

    def build(self, input_shape: Any) -> None:
        self.rows = self.add_weight(shape=(self.count, self.width), initializer="zeros", trainable=False, name="rows")
        self.votes = self.add_weight(
            shape=(self.count,), dtype="int32", initializer="zeros", trainable=False, name="votes"
        )
        self.built = True

    def learn(self, rows: np.ndarray, labels: np.ndarray) -> None:
        """Takes features (count, width) with their classes (count,)."""
        self.rows.assign(_unit(rows) if self.metric == "cosine" else rows)
        self.votes.assign(labels.astype("int32"))

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, "float32")
        if self.metric == "cosine":
            near = ops.matmul(x, ops.transpose(self.rows))  # of every x the order of the rows, which is all that counts
        else:
            near = 2.0 * ops.matmul(x, ops.transpose(self.rows)) - ops.sum(ops.square(self.rows), axis=1)
        _, places = ops.top_k(near, self.k)
        return counted(ops.take(self.votes, places), self.classes)

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("classes", "k", "metric", "count", "width")}
        return {**super().get_config(), **own}


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def neighbours_head(rows: np.ndarray, labels: np.ndarray, classes: int, k: int, metric: str) -> keras.Model:
    """Features (batch, width) -> shares of votes (batch, classes), learnt from rows (n, width) and labels (n,)."""
    inputs = keras.Input(rows.shape[1:], name="features")
    layer = NearestNeighbours(classes, k, metric, count=len(rows), width=rows.shape[1], name="neighbours")
    head = keras.Model(inputs, layer(inputs), name="head")
    layer.learn(rows, labels)
    return head

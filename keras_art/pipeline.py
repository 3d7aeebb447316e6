"""Rows of a memory map, gathered batch by batch in an order that (seed, epoch) alone decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np


@dataclass(frozen=True)
class Batches:
    """Some rows of an array with their labels.

    Attributes:
        inputs: (stored rows, ...) pixels uint8 or features float32, in memory or memory-mapped.
        rows: (n,) int, the rows of `inputs` that are meant.
        labels: (n,) int class indices.
        seed: shuffles anew in every epoch; None keeps the order.
    """

    inputs: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    batch_size: int
    seed: int | None = None

    def __len__(self) -> int:
        """Batches in an epoch, the last and smaller one included."""
        return -(-len(self.rows) // self.batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """The order of the samples in an epoch, (n,) int64; the same in every process and on every backend."""
        if self.seed is None:
            return np.arange(len(self.rows))
        return np.random.default_rng((self.seed, int(epoch))).permutation(len(self.rows))

    def gather(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One batch: inputs (batch, ...) and labels (batch,)."""
        return np.asarray(self.inputs[self.rows[samples]]), self.labels[samples].astype("int32")

    def epochs(self, first: int = 0, last: int = 1) -> Any:
        """Epochs [first, last), end to end: a tf.data pipeline, or a PyDataset where TensorFlow is not installed."""
        try:
            import tensorflow as tf
        except ImportError:
            return _Sequence(self, first, last)

        def shuffled(epoch: Any) -> Any:
            order = tf.ensure_shape(tf.numpy_function(self.order, [epoch], tf.int64), [len(self.rows)])
            return tf.data.Dataset.from_tensor_slices(order).batch(self.batch_size)

        def gathered(samples: Any) -> Any:
            inputs, labels = tf.numpy_function(self.gather, [samples], (self.inputs.dtype, tf.int32))
            return tf.ensure_shape(inputs, [None, *self.inputs.shape[1:]]), tf.ensure_shape(labels, [None])

        dataset = tf.data.Dataset.range(first, last).flat_map(shuffled).map(gathered)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(self) * (last - first))).prefetch(2)
        # Nothing here is left to tune, and the tuner's thread, which sleeps 10 ms, 20 ms, 40 ms and so on, now and then
        # misses the end of a dataset: `fit` then waits for it to wake up, as long again as it has trained.
        options = tf.data.Options()
        options.autotune.enabled = False
        return dataset.with_options(options)


class _Sequence(keras.utils.PyDataset):
    """The same batches for machines without TensorFlow."""

    def __init__(self, batches: Batches, first: int, last: int) -> None:
        super().__init__()
        self._batches, self._first, self._last = batches, first, last

    def __len__(self) -> int:
        return len(self._batches) * (self._last - self._first)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, step = divmod(index, len(self._batches))
        start = step * self._batches.batch_size
        order = self._batches.order(self._first + epoch)
        return self._batches.gather(order[start : start + self._batches.batch_size])

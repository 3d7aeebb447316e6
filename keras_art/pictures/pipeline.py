"""Rows of a memory map, gathered batch by batch in an order that (seed, epoch) alone decides.

Keras is fed by tf.data on TensorFlow and by a `PyDataset` on JAX and PyTorch, which therefore do without TensorFlow:
the batches are the same, in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

AT_ONCE = 2**25  # bytes of an epoch that is gathered in one go: features, of which Python takes longer for a batch


@dataclass(frozen=True)
class Batches:
    """Some rows of an array with their labels.

    Attributes:
        inputs: (stored rows, ...) pixels uint8 or features float32, in memory or memory-mapped.
        rows: (n,) int, the rows of `inputs` that are meant.
        labels: (n,) int class indices, (n, columns) int of several tasks, or (n, k) float targets.
        seed: shuffles anew in every epoch; None keeps the order.
        augment: changes a batch: takes images (batch, ...) and a seed (2,) int, another for every batch of a run and
            the same whenever that batch is made again; returns images of the same shape. Tensors within tf.data on
            TensorFlow, arrays on the other backends.
    """

    inputs: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    batch_size: int
    seed: int | None = None
    augment: Callable[[Any, Any], Any] | None = None

    def __len__(self) -> int:
        """Batches in an epoch, the last and smaller one included."""
        return -(-len(self.rows) // self.batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """The order of the samples in an epoch, (n,) int64; the same in every process and on every backend."""
        if self.seed is None:
            return np.arange(len(self.rows))
        return np.random.default_rng((self.seed, int(epoch))).permutation(len(self.rows))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample, as it is gathered."""
        return self.inputs.shape[1:]

    def gather(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One batch: inputs (batch, ...) and labels (batch,) or (batch, columns) int32, or (batch, k) float32."""
        return np.asarray(self.inputs[self.rows[samples]]), self.labels[samples].astype(self._label_dtype)

    def step(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """One batch by its number, counted through all epochs."""
        epoch, batch = divmod(int(step), len(self))
        start = batch * self.batch_size
        return self.gather(self.order(epoch)[start : start + self.batch_size])

    @property
    def _label_dtype(self) -> str:
        indices = self.labels.ndim == 1 or np.issubdtype(self.labels.dtype, np.integer)
        return "int32" if indices else "float32"

    def steps(self, first: int, last: int) -> Any:
        """Batches [first, last), counted through all epochs: wherever a loop stands, it goes on from there."""
        if keras.config.backend() != "tensorflow":
            return _Sequence(self, first, last)
        import tensorflow as tf

        return self._pipeline(self._mapped(tf.data.Dataset.range(first, last), self.step), first, last - first)

    def epochs(self, first: int = 0, last: int = 1) -> Any:
        """Epochs [first, last), end to end: a tf.data pipeline on TensorFlow, a PyDataset on JAX and PyTorch."""
        if keras.config.backend() != "tensorflow":
            return _Sequence(self, first * len(self), last * len(self))
        import tensorflow as tf

        def shuffled(epoch: Any) -> Any:
            order = tf.ensure_shape(tf.numpy_function(self.order, [epoch], tf.int64), [None])
            return tf.data.Dataset.from_tensor_slices(order).batch(self.batch_size)

        def whole(epoch: Any) -> Any:
            samples = self._gathered(epoch, lambda epoch: self.gather(self.order(epoch)))
            return tf.data.Dataset.from_tensor_slices(samples).batch(self.batch_size)

        as_it_is, numbers = tf.autograph.experimental.do_not_convert, tf.data.Dataset.range(first, last)
        if not self._fits_at_once:
            batches = self._mapped(numbers.flat_map(as_it_is(shuffled)), self.gather)
        elif last - first == 1:  # validation's, which is gone through again and again
            batches = tf.data.Dataset.from_tensor_slices(self.gather(self.order(first))).batch(self.batch_size)
        else:
            batches = numbers.flat_map(as_it_is(whole))
        return self._pipeline(batches, first * len(self), len(self) * (last - first))

    @property
    def _fits_at_once(self) -> bool:
        """Whether an epoch is small, and its batches are nothing but its samples, cut into them."""
        size = len(self) * self.batch_size * math.prod(self.shape) * self.inputs.itemsize
        return size <= AT_ONCE and type(self).gather is Batches.gather

    def _gathered(self, number: Any, gather: Callable[[Any], tuple[np.ndarray, np.ndarray]]) -> Any:
        """What Python gathers for a number, or an array of them, within tf.data."""
        import tensorflow as tf

        inputs, labels = tf.numpy_function(gather, [number], (self.inputs.dtype, tf.as_dtype(self._label_dtype)))
        return tf.ensure_shape(inputs, [None, *self.shape]), tf.ensure_shape(labels, [None, *self.labels.shape[1:]])

    def _mapped(self, numbers: Any, gather: Callable[[Any], tuple[np.ndarray, np.ndarray]]) -> Any:
        """What Python gathers for each element of a tf.data pipeline."""
        import tensorflow as tf

        as_it_is = tf.autograph.experimental.do_not_convert
        return numbers.map(as_it_is(lambda number: self._gathered(number, gather)))

    def _pipeline(self, dataset: Any, first: int, batches: int) -> Any:
        """A tf.data pipeline of so many batches from number `first` on, augmented and ready to be fed.

        Nothing in it is rewritten by AutoGraph, which would write a file into the system's temporary folder for every
        function, and a killed process leaves them there.
        """
        import tensorflow as tf

        if augment := self.augment:
            seed = tf.constant(self.seed or 0, tf.int64)

            def augmented(step: Any, batch: Any) -> Any:
                return augment(batch[0], tf.stack([seed, step])), batch[1]

            dataset = dataset.enumerate(first).map(tf.autograph.experimental.do_not_convert(augmented))
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(batches)).prefetch(2)
        # Nothing here is left to tune, and the tuner's thread, which sleeps 10 ms, 20 ms, 40 ms and so on, now and then
        # misses the end of a dataset: `fit` then waits for it to wake up, as long again as it has trained.
        options = tf.data.Options()
        options.autotune.enabled = False
        return dataset.with_options(options)


@dataclass(frozen=True)
class Windows(Batches):
    """One order for all epochs, drawn once by the seed, in windows of whole batches only.

    So the released code of the 2018 study goes through its training images: an epoch is N // batch windows, but the
    cycle they are taken from has one more, which reaches back so that it is whole and holds one image that the others
    have not; where an epoch ends, the next goes on in the cycle. All but one of the images left over are never seen.
    Where none is left over, the code's last window is one image short; here its last image stands in it twice.
    """

    def __len__(self) -> int:
        return max(1, len(self.rows) // self.batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """As in `Batches`, of the epoch's windows, end to end."""
        width, steps = min(self.batch_size, len(self.rows)), len(self)
        windows = np.arange(epoch * steps, (epoch + 1) * steps) % (steps + 1)
        starts = np.where(windows < steps, windows * width, (steps - 1) * width + 1)
        places = np.minimum(starts[:, None] + np.arange(width), len(self.rows) - 1)
        return super().order(0)[places.ravel()]


@dataclass(frozen=True)
class Crops(Batches):
    """A square out of each image (height, width, channels): in another place in every epoch, without a seed the middle.

    Attributes:
        side: of the square, in pixels.
    """

    side: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.side, self.side, *self.inputs.shape[3:]

    @property
    def _places(self) -> tuple[int, int]:
        height, width = self.inputs.shape[1:3]
        return height - self.side + 1, width - self.side + 1

    def order(self, epoch: int) -> np.ndarray:
        """As in `Batches`, each sample's index times the number of places, plus the place its square is cut from."""
        order, (rows, columns) = super().order(epoch), self._places
        if self.seed is None:
            return order * (rows * columns) + (rows - 1) // 2 * columns + (columns - 1) // 2
        return order * (rows * columns) + np.random.default_rng((self.seed, int(epoch), 1)).integers(
            rows * columns, size=len(order)
        )

    def gather(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = self._places
        samples, places = np.divmod(samples, rows * columns)
        images, labels = super().gather(samples)
        corners = zip(images, *np.divmod(places, columns), strict=True)
        return np.stack([image[y : y + self.side, x : x + self.side] for image, y, x in corners]), labels


class _Sequence(keras.utils.PyDataset):
    """Batches [first, last) for JAX and PyTorch."""

    def __init__(self, batches: Batches, first: int, last: int) -> None:
        super().__init__()
        self._batches, self._first, self._last = batches, first, last

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        step = self._first + index
        inputs, labels = self._batches.step(step)
        if augment := self._batches.augment:
            inputs = augment(inputs, np.array([self._batches.seed or 0, step]))
        return inputs, labels

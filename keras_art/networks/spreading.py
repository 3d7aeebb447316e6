"""One batch on several devices, on JAX: each of them computes its share of the images, all update the same weights."""

from __future__ import annotations

from typing import Any

import keras


class Spread(keras.distribution.DataParallel):
    """Keras's data parallelism for batches of any size.

    Keras takes the layout of all batches from the first one, and JAX shares out only what divides evenly, so that the
    last batch of an epoch can not be had. Here every device gets the whole batch of pixels, which are bytes, and
    `shared_out` says within the network which images it computes. Weights are the same on all devices; statistics of
    batch normalisation are those of the whole batch.
    """

    def get_data_layout(self, data_shape: tuple[int, ...]) -> keras.distribution.TensorLayout:
        return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)


def shared_out(images: Any) -> Any:
    """Images (batch, ...) -> the same, each device of a `Spread` holding its share of them.

    A batch that does not divide evenly is computed whole by every device: every image counts once.
    """
    spread = keras.distribution.distribution()
    if not isinstance(spread, Spread) or not images.shape[0] or images.shape[0] % spread.device_mesh.devices.size:
        return images
    layout = keras.distribution.TensorLayout([spread.batch_dim_name, *[None] * (images.ndim - 1)], spread.device_mesh)
    return keras.distribution.distribute_tensor(images, layout)


def spread_batches() -> None:
    """From now on, networks that are built share their batches among all devices that this process sees."""
    keras.distribution.set_distribution(Spread(devices=keras.distribution.list_devices(), auto_shard_dataset=False))

"""Batches of images whose masks go with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_art.pictures.pipeline import Batches


@dataclass(frozen=True)
class Masked(Batches):
    """Batches whose images have a mask as their fourth channel: the mean of its channels.

    Attributes:
        masks: (n,) int, each sample's mask as a row of `inputs`; -1: none, which is black.
    """

    masks: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def shape(self) -> tuple[int, ...]:
        return *self.inputs.shape[1:3], 4

    def gather(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pixels, labels = super().gather(samples)
        rows = self.masks[samples]
        masks = np.zeros((*pixels.shape[:3], 1), np.uint8)
        masks[rows >= 0] = grey(self.inputs[rows[rows >= 0]])[..., None]
        return np.concatenate([pixels, masks], axis=3), labels


def grey(masks: Any) -> np.ndarray:
    """The mean of a mask's channels, (n, size, size, 3) uint8 -> (n, size, size) uint8."""
    return np.rint(np.asarray(masks).mean(axis=3)).astype(np.uint8)


def with_masks(batches: Batches, masks: np.ndarray) -> Masked:
    """The same batches with the masks of their samples, (n,) rows."""
    return Masked(batches.inputs, batches.rows, batches.labels, batches.batch_size, batches.seed, masks=masks)

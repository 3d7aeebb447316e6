"""Crop, flip, rotation and colour jitter: our tf.data warp against keras-cv and against Keras's own layers.

Then whether the pipeline keeps training fed: the median step on images that are read and augmented as training goes on,
against the median step on one batch that lies in memory.

python -m benchmarks.augmentation [--images 512] [--image_size 128] [--rounds 5] [--network MobileNet]
"""

from __future__ import annotations

import argparse
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks import interleaved, report, spread
from keras_art.learning import training
from keras_art.networks import backbones, heads
from keras_art.networks.losses import MultiTask, Term
from keras_art.pictures import augmentation
from keras_art.pictures.pipeline import Batches


class _Steps(keras.callbacks.Callback):
    """Seconds of every step but the first, which opens the data."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[float] = []

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        now = time.perf_counter()
        if batch:  # from end to end, waiting for data included
            self.taken.append(now - self.last)
        self.last = now


def main() -> None:
    """Prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--image_size", type=int, default=128)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--network", default="MobileNet")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    training.make_deterministic(0)  # as runs compute
    size, count = asked.image_size, asked.images
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype("uint8")
    labels = np.zeros((count, 1), int)

    def batches(way: str, seed: int | None = 0) -> Batches:
        augment = augmentation.in_pipeline(way, 0, size)
        return Batches(pixels, np.arange(count), labels, asked.batch_size, seed, augment)

    layer = augmentation.in_model("keras")
    plain = batches("none")

    def keras_layers() -> None:
        for _ in plain.epochs().map(lambda x, y: (layer(x, training=True), y)):
            pass

    def through(source: Batches) -> None:
        for _ in source.epochs():
            pass

    warp, cv = batches("tf_data"), batches("keras_cv")
    ways = {
        "no augmentation": lambda: through(plain),
        "tf_data (one warp)": lambda: through(warp),
        "keras_cv": lambda: through(cv),
        "Keras's layers": keras_layers,
    }
    for way in ways.values():
        way()  # traces
    print(f"{count} images at {size} pixels in batches of {asked.batch_size}\n")
    times = interleaved(ways, asked.rounds)
    report(times, [("keras_cv", "tf_data (one warp)"), ("Keras's layers", "tf_data (one warp)")], count)

    backbone = backbones.load_backbone(asked.network, image_size=size, weights=None)
    built = heads.multitask_classifier(backbone, {"style": 10}, shared=512)
    model = MultiTask(built.input, built.output, [Term("style", 0)])
    model.compile(keras.optimizers.AdamW(1e-4))
    batch = (pixels[: asked.batch_size], labels[: asked.batch_size])
    one = tf.data.Dataset.from_tensors(batch).cache().repeat()
    steps = len(warp)

    def step_seconds(data: object) -> float:
        clock = _Steps()
        model.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[clock])
        return statistics.median(clock.taken)

    step_seconds(one)
    fed: list[float] = []
    cached: list[float] = []
    for _ in range(asked.rounds):
        cached.append(step_seconds(one))
        fed.append(step_seconds(warp.epochs()))
    ratios = [a / b for a, b in zip(fed, cached, strict=True)]
    print(f"\n{asked.network}, median seconds of a step\n\n| data | seconds |\n|---|---|")
    print(f"| one cached batch | {spread(cached, '.3f')} |\n| read and augmented (tf_data) | {spread(fed, '.3f')} |")
    print(f"\nread and augmented / cached: {spread(ratios, '.2f')}")


if __name__ == "__main__":
    main()

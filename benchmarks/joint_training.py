"""DCEC's joint training, against the way the published code does it.

    python -m benchmarks.joint_training [--image_size 128 16] [--images 1024] [--batch_size 64] [--rounds 5]
    python -m benchmarks.joint_training --memory                     # peak memory as the collection on disk grows

The published loop slices arrays in memory into `train_on_batch`, and predicts q and every reconstruction of the whole
collection every T iterations to compute the target from q alone. Both ways train the same network for the same
iterations with the same updates. The update is timed by itself, too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from benchmarks import interleaved, report
from benchmarks.memory import peaks_of
from keras_art import backend
from keras_art.methods.dcec import joint, objective
from keras_art.methods.dcec.network import autoencoder
from keras_art.pictures.pipeline import Batches

CLUSTERS = 10


def published(images: np.ndarray, batch_size: int, iterations: int, interval: int, size: int) -> Callable[[], None]:
    """The loop of DCEC.py, its reset at the end of the data included, its empty batch mended."""
    encoder, decoder = autoencoder(size)
    clustering = joint.ClusteringLayer(CLUSTERS, name="clustering")
    model = keras.Model(encoder.input, [clustering(encoder.output), decoder(encoder.output)])
    model.compile(keras.optimizers.Adam(1e-3), loss=["kld", "mse"], loss_weights=[0.9, 0.1])
    x = images.astype("float32") / 255

    def train() -> None:
        index = 0
        for iteration in range(iterations):
            if iteration % interval == 0:
                q, _ = model.predict(images, batch_size=batch_size, verbose=0)
                p = objective.target_distribution(q)
            rows = slice(index * batch_size, (index + 1) * batch_size)
            model.train_on_batch(images[rows], [p[rows], x[rows]])
            index = 0 if (index + 1) * batch_size >= len(images) else index + 1

    return train


def ours(images: np.ndarray, batch_size: int, iterations: int, interval: int, size: int) -> Callable[[], None]:
    """`DCEC.cluster`, from centroids that are there already."""
    model = joint.DCEC(*autoencoder(size), CLUSTERS)
    model.compile(keras.optimizers.Adam(1e-3))
    batches = Batches(images, np.arange(len(images)), np.zeros(len(images), np.int32), batch_size, 0)
    centroids = np.random.default_rng(0).normal(size=(CLUSTERS, 32)).astype("float32")

    def train() -> None:
        with tempfile.TemporaryDirectory() as folder:
            model.cluster(
                batches, centroids, np.zeros(len(images), int), update_interval=interval, tol=0,
                max_iterations=iterations, checkpoint=Path(folder) / "update.npz",
            )  # fmt: skip

    return train


def updates(images: np.ndarray, batch_size: int, size: int) -> dict[str, Callable[[], object]]:
    """The whole collection's q by the encoder alone, by encoder and decoder, and the plain pass of the encoder."""
    model = joint.DCEC(*autoencoder(size), CLUSTERS)
    batches = Batches(images, np.arange(len(images)), np.zeros(len(images), np.int32), batch_size)
    return {
        "update: ours": lambda: objective.target_distribution(model.assign(batches)[1]),
        "update: predict of both outputs": lambda: model.predict(images, batch_size=batch_size, verbose=0),
        "encoder alone": lambda: model.encoder.predict(images, batch_size=batch_size, verbose=0),
    }


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image_size", type=int, nargs="+", default=[128, 16])
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=280)
    parser.add_argument("--update_interval", type=int, default=140, help="the paper's T [140]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    backend.make_repeatable()  # as runs compute
    if asked.measure:
        side = asked.image_size[0]
        print(json.dumps(peaks_of(lambda pixels: ours(pixels, 32, 4, 2, side)(), asked.measure, side)))
    elif asked.memory:
        print("| images | pixels, GB | anonymous, GB | mapped, GB |\n|---|---|---|---|")
        for images in (asked.images, 4 * asked.images, 16 * asked.images):
            command = [sys.executable, "-m", "benchmarks.joint_training", "--measure", str(images)]
            size = str(asked.image_size[0])
            done = subprocess.run([*command, "--image_size", size], check=True, capture_output=True, text=True)
            peaks = json.loads(done.stdout.splitlines()[-1])
            pixels = images * int(size) ** 2 * 3 / 1e9
            print(f"| {images:,} | {pixels:.2f} | {peaks['RssAnon']:.2f} | {peaks['RssFile']:.2f} |")
    else:
        for size in asked.image_size:
            rng = np.random.default_rng(0)
            images = rng.integers(0, 256, (asked.images, size, size, 3)).astype(np.uint8)
            how = (images, asked.batch_size, asked.iterations, asked.update_interval, size)
            ways: dict[str, Callable[[], object]] = {
                "published loop": published(*how), "ours": ours(*how), **updates(images, asked.batch_size, size)
            }  # fmt: skip
            for way in ways.values():
                way()  # traced
            times = interleaved(ways, asked.rounds)
            print(
                f"\n{asked.images} images at {size} pixels, batches of {asked.batch_size}, "
                f"{asked.iterations} iterations, target every {asked.update_interval}\n"
            )
            pairs = [
                ("published loop", "ours"),
                ("update: predict of both outputs", "update: ours"),
                ("update: ours", "encoder alone"),
            ]
            report(times, pairs, asked.batch_size * asked.iterations)


if __name__ == "__main__":
    main()

"""The off-the-shelf study: features extracted once, against the 2018 way, a frozen network in the training loop.

    python -m benchmarks.off_the_shelf [--network ResNet50] [--data DATA --target TARGET] [--images 600] [--epochs 15]

Both train the same softmax on the same images for the same number of epochs, no early stopping, and are tested.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import keras
import numpy as np

from benchmarks import interleaved, report
from keras_art import backend
from keras_art.atelier import make_atelier
from keras_art.data import choices, sources, tasks
from keras_art.learning import features, training
from keras_art.networks import backbones, heads
from keras_art.pictures.pipeline import Batches
from keras_art.store.runs import Store
from reproductions.sabatelli2018.study import OPTIMIZERS


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="ResNet50", help="a name of keras.applications, or a .keras file")
    parser.add_argument("--preprocessing", default="imagenet")
    parser.add_argument("--data", help="any collection [the atelier]")
    parser.add_argument("--target", default="artist")
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--image_size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    backend.make_repeatable()  # as runs compute
    with tempfile.TemporaryDirectory() as temporary:
        store = Store(Path(temporary))
        data = asked.data or make_atelier(store.root / "atelier", images=asked.images)
        read = sources.load_collection(data)
        choice = choices.choose(read, asked.target, limit=asked.images)
        ready = tasks.prepare(store, read, choice, asked.image_size, "squash", lambda done, all: None)
        labels, classes = ready.task.images["label"].to_numpy(), len(ready.task.classes)
        accuracy: dict[str, float] = {}

        def load() -> backbones.Backbone:
            own = "own" if backbones.is_file(asked.network) else None
            return backbones.load_backbone(
                asked.network, image_size=asked.image_size, weights=own, preprocessing=asked.preprocessing
            )

        def train(name: str, model: keras.Model, inputs: np.ndarray, rows: np.ndarray) -> None:
            training.compile_classifier(model, training.make_optimizer(OPTIMIZERS["paper", "frozen"]))
            part = {split: ready.part(split) for split in ("train", "val", "test")}
            batches = {s: Batches(inputs, rows[p], labels[p], 32, 0 if s == "train" else None) for s, p in part.items()}
            model.fit(
                batches["train"].epochs(0, asked.epochs),
                steps_per_epoch=len(batches["train"]),
                epochs=asked.epochs,
                validation_data=batches["val"].epochs(),
                shuffle=False,
                verbose=0,
            )
            accuracy[name] = model.evaluate(batches["test"].epochs(), verbose=0)[1]

        def ours() -> None:
            folder = store.root / "features"
            shutil.rmtree(folder, ignore_errors=True)
            inputs, rows = features.cached_features(folder, load, ready.pixels, ready.rows, ready.sha256)
            train("features once", heads.softmax_head(inputs.shape[1], classes), inputs, rows)

        def in_the_loop() -> None:
            model = heads.softmax_classifier(load(), classes)
            model.layers[-3].trainable = False
            train("frozen network in the loop", model, ready.pixels, ready.rows)

        times = interleaved({"features once": ours, "frozen network in the loop": in_the_loop}, asked.rounds)
    print(f"{ready.task.size} images at {asked.image_size} pixels, {asked.network}, {asked.epochs} epochs\n")
    report(times, [("frozen network in the loop", "features once")], ready.task.size * asked.epochs)
    print("\ntest accuracy: " + ", ".join(f"{name} {value:.4f}" for name, value in accuracy.items()))


if __name__ == "__main__":
    main()

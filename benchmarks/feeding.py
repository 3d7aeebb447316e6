"""Getting images into training: the decoded store against a `load_img` loop, the pipeline against arrays in memory.

python -m benchmarks.feeding [--images 1000] [--image_size 96] [--epochs 3] [--rounds 5]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np

from benchmarks import interleaved, report
from keras_art.atelier import make_atelier
from keras_art.learning import training
from keras_art.networks import backbones, heads
from keras_art.pictures.decoded import ImageStore
from keras_art.pictures.pipeline import Batches
from reproductions.sabatelli2018.study import OPTIMIZERS


def main() -> None:
    """Prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--image_size", type=int, default=96)
    parser.add_argument("--network", default="MobileNet")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    size = asked.image_size
    with tempfile.TemporaryDirectory() as temporary:
        folder = make_atelier(Path(temporary) / "atelier", images=asked.images)
        paths = sorted((folder / "images").iterdir())
        store = ImageStore(Path(temporary) / "store", size)
        rows = store.scan(paths)["row"].to_numpy()
        labels = np.arange(len(paths)) % 10
        batches = Batches(store.pixels(), rows, labels, 32, seed=0)

        def from_store() -> None:
            for _ in batches.epochs():
                pass

        def load_img_loop() -> None:
            for start in range(0, len(paths), 32):
                np.stack([keras.utils.load_img(p, target_size=(size, size)) for p in paths[start : start + 32]])

        from_store()
        print(f"{len(paths)} images at {size} pixels into batches of 32\n")
        times = interleaved({"decoded store": from_store, "load_img loop": load_img_loop}, asked.rounds)
        report(times, [("load_img loop", "decoded store")], len(paths))

        backbone = backbones.load_backbone(asked.network, image_size=size, weights=None)
        model = heads.softmax_classifier(backbone, 10)
        training.compile_classifier(model, training.make_optimizer(OPTIMIZERS["paper", "whole"]))
        pixels = np.asarray(store.pixels()[rows])

        def pipeline() -> None:
            feed = batches.epochs(0, asked.epochs)
            model.fit(feed, steps_per_epoch=len(batches), epochs=asked.epochs, shuffle=False, verbose=0)

        def arrays() -> None:
            model.fit(pixels, labels, batch_size=32, epochs=asked.epochs, verbose=0)

        pipeline(), arrays()
        print(f"\n`fit` of {asked.network} for {asked.epochs} epochs\n")
        times = interleaved({"our pipeline": pipeline, "arrays in memory": arrays}, asked.rounds)
        report(times, [("our pipeline", "arrays in memory")], len(paths) * asked.epochs)


if __name__ == "__main__":
    main()

"""Training a head on frozen taps: read from the cache, against computed in every epoch.

    python -m benchmarks.frozen_stage [--network VGG16] [--image_size 64] [--images 256] [--rounds 3]

Both train the same attention head on the same images, one epoch a round; making the cache is timed apart.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np

from benchmarks import interleaved, report, seconds
from keras_art import backend
from keras_art.learning import features
from keras_art.networks import attention, backbones
from keras_art.pictures.pipeline import Batches


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="VGG16", help="a name of keras.applications, or a .keras file")
    parser.add_argument("--taps", nargs="*", default=(), help="[the released code's, or the ends of four blocks]")
    parser.add_argument("--image_size", type=int, default=64)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    backend.make_repeatable()  # as runs compute
    own = "own" if backbones.is_file(asked.network) else None
    preprocessing = "caffe" if own else "imagenet"
    backbone = backbones.load_backbone(
        asked.network, image_size=asked.image_size, weights=own, preprocessing=preprocessing
    )
    model = attention.attention_classifier(backbone, attention.find_taps(backbone, asked.taps), 4, scale="layer")
    model.get_layer(backbone.model.name).trainable = False
    head = model.get_layer("head")
    flat = features.head_on_taps(head)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (asked.images, asked.image_size, asked.image_size, 3), dtype=np.uint8)
    rows, labels = np.arange(asked.images), rng.integers(0, 4, asked.images)
    for network in (model, flat):
        network.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    with tempfile.TemporaryDirectory() as folder:
        ids = [str(row) for row in rows]
        stored: dict[str, tuple[np.ndarray, np.ndarray]] = {}

        def extract() -> None:
            stored["taps"] = features.cached_taps(Path(folder), model, pixels, rows, ids)

        once = seconds(extract)
        whole, cached = Batches(pixels, rows, labels, 32, 0), Batches(*stored["taps"], labels, 32, 0)

        def epoch(network: keras.Model, batches: Batches) -> None:
            network.fit(batches.epochs(), shuffle=False, verbose=0)

        ways = {"taps computed": lambda: epoch(model, whole), "taps read": lambda: epoch(flat, cached)}
        interleaved(ways, 1)  # traces both
        times = interleaved(ways, asked.rounds)
    size = 2 * features.values(head)
    work = 1e9 * backbones.gigamacs(model.get_layer(backbone.model.name)) / features.values(head)
    print(f"{asked.images} images at {asked.image_size} pixels, {asked.network}: {size / 1e6:.2f} MB an image,")
    print(f"{work:,.0f} multiply-accumulates to a value, cache made in {once:.1f} s\n")
    report(times, [("taps computed", "taps read")], asked.images)


if __name__ == "__main__":
    main()

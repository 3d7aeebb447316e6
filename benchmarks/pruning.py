"""Pruning: what a mask costs in a training step, how long a mask takes to compute, and a ticket to write and read.

    python -m benchmarks.pruning [--network ResNet50] [--image_size 64] [--batch_size 32] [--rounds 25]

A masked step stands against the dense step of Keras's own SGD, on the same network and batch; masks by a NumPy
partition against `keras.ops` and, on TensorFlow, tensorflow-model-optimization, which both sort.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from benchmarks import interleaved, report
from keras_art import backend
from keras_art.methods.tickets import masks
from keras_art.methods.tickets.network import load_network, values
from keras_art.methods.tickets.optimizer import MaskedSGD
from keras_art.networks import heads
from keras_art.store.runs import Store
from keras_art.store.tickets import Ticket, read_ticket, write_ticket
from keras_art.study.kinds.tickets import TicketRun


def step(run: TicketRun, optimizer: keras.optimizers.Optimizer, sparsity: float) -> Callable[[], object]:
    """One training step of a fresh classifier, already traced."""
    model = heads.softmax_classifier(load_network(Store("runs"), run), 10)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    optimizer.build(model.trainable_variables)
    if isinstance(optimizer, MaskedSGD):
        weights = {v.path: keras.ops.convert_to_numpy(v) for v in masks.prunable(model)}
        whole = {path: np.ones(w.shape, bool) for path, w in weights.items()}
        optimizer.set_masks(model, masks.magnitude_masks(weights, whole, sparsity, "global"))
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (run.batch_size, run.side, run.side, 3), dtype="uint8")
    labels = rng.integers(0, 10, run.batch_size)
    model.train_on_batch(pixels, labels)
    return lambda: model.train_on_batch(pixels, labels)


def by_keras_ops(weights: masks.Weights, sparsity: float) -> object:
    """A global mask by sorting all magnitudes on the backend."""
    magnitudes = keras.ops.abs(keras.ops.concatenate([keras.ops.reshape(w, -1) for w in weights.values()]))
    n = magnitudes.shape[0]
    threshold = keras.ops.sort(magnitudes)[n - masks.survivors(n, sparsity)]
    return keras.ops.convert_to_numpy(magnitudes >= threshold)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="ResNet50", help="or ResNet20")
    parser.add_argument("--image_size", type=int, default=64)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=25, help="of one step each")
    asked = parser.parse_args()
    backend.make_repeatable()  # as runs compute
    run = TicketRun(network=asked.network, image_size=asked.image_size, crop=0, batch_size=asked.batch_size)
    backbone = load_network(Store("runs"), run).model
    weights = {v.path: keras.ops.convert_to_numpy(v) for v in masks.prunable(backbone)}
    whole = {path: np.ones(w.shape, bool) for path, w in weights.items()}
    n = sum(w.size for w in weights.values())

    masked = MaskedSGD(0.01, masked=list(weights))
    ways = {
        "dense step, keras.optimizers.SGD": step(run, keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True), 0.9),
        "masked step": step(run, masked, 0.9),
    }
    print(f"{asked.network} at {asked.image_size} pixels, a step of {asked.batch_size} images\n")
    report(
        interleaved(ways, asked.rounds),
        [("masked step", "dense step, keras.optimizers.SGD")],
        asked.batch_size,
    )

    computed: dict[str, Callable[[], object]] = {
        "NumPy partition (ours)": lambda: masks.magnitude_masks(weights, whole, 0.9, "global"),
        "keras.ops sort": lambda: by_keras_ops(weights, 0.9),
    }
    if keras.config.backend() == "tensorflow":
        from keras_art.methods.tickets import with_tfmot

        with_tfmot.magnitude_masks({"k": np.ones(4, "float32")}, {"k": np.ones(4, bool)}, 0.5, "global")  # imports it
        computed["tensorflow-model-optimization"] = lambda: with_tfmot.magnitude_masks(weights, whole, 0.9, "global")
    print(f"\na global mask over {n:,} weights\n")
    others = list(computed)[1:]
    report(interleaved(computed, 3), [(other, "NumPy partition (ours)") for other in others], n)

    found = Ticket(values(backbone), {p: np.zeros(w.shape, np.uint8) for p, w in weights.items()}, 31, {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ticket.npz"
        checkpoint = Path(folder) / "checkpoint.weights.h5"
        ways = {
            "write a ticket of 31 stages": lambda: write_ticket(path, found),
            "read it": lambda: read_ticket(path),
            "write one checkpoint, save_weights": lambda: backbone.save_weights(checkpoint),
        }
        times = interleaved(ways, 5)
        size, one = path.stat().st_size, checkpoint.stat().st_size
    print(f"\na ticket of {size / 1e6:.1f} MB, {size / one:.2f} times one checkpoint\n")
    report(times, [("write a ticket of 31 stages", "write one checkpoint, save_weights")], n)


if __name__ == "__main__":
    main()

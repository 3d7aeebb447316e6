"""Peak memory of an epoch, for collections of growing size: the pixels stay on disk, the batches in memory.

    python -m benchmarks.memory [--image_size 224] [--images 1000 10000]

Two figures, because the kernel counts what it caches of a mapped file as the process's own until someone else wants it:
`anonymous` is what the process really needs, `mapped` what the kernel may drop at any time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


def peaks_of(train: Callable[[np.ndarray], object], images: int, image_size: int) -> dict[str, float]:
    """Runs a training on synthetic pixels (images, size, size, 3) uint8 on disk; returns peaks in GB."""
    peaks = {"RssAnon": 0.0, "RssFile": 0.0}

    def watch() -> None:
        while True:
            for line in Path("/proc/self/status").read_text().splitlines():
                name = line.split(":")[0]
                if name in peaks:
                    peaks[name] = max(peaks[name], int(line.split()[1]) / 1e6)
            time.sleep(0.02)

    with tempfile.TemporaryDirectory() as folder:
        shape = (images, image_size, image_size, 3)
        written = np.memmap(Path(folder) / "pixels.u8", np.uint8, "w+", shape=shape)
        for row in range(images):
            written[row] = row % 256
        written.flush()
        del written
        pixels = np.memmap(Path(folder) / "pixels.u8", np.uint8, "r", shape=shape)
        threading.Thread(target=watch, daemon=True).start()
        train(pixels)
    return peaks


def one_epoch(pixels: np.ndarray) -> None:
    """Trains a small network."""
    import keras

    from keras_art.pictures.pipeline import Batches

    layers = [keras.Input(pixels.shape[1:]), keras.layers.Conv2D(8, 3, 4), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([*layers, keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    batches = Batches(pixels, np.arange(len(pixels)), np.arange(len(pixels)) % 2, 32, seed=0)
    model.fit(batches.epochs(), steps_per_epoch=len(batches), shuffle=False, verbose=0)


def main() -> None:
    """Prints the table, a fresh process for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--image_size", type=int, default=224)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(peaks_of(one_epoch, asked.measure, asked.image_size)))
        return
    print("| images | pixels, GB | anonymous, GB | mapped, GB |\n|---|---|---|---|")
    for images in asked.images:
        command = [sys.executable, "-m", "benchmarks.memory", "--measure", str(images)]
        done = subprocess.run(
            [*command, "--image_size", str(asked.image_size)], check=True, capture_output=True, text=True
        )
        peaks = json.loads(done.stdout.splitlines()[-1])
        size = images * asked.image_size**2 * 3 / 1e9
        print(f"| {images:,} | {size:.2f} | {peaks['RssAnon']:.2f} | {peaks['RssFile']:.2f} |")


if __name__ == "__main__":
    main()

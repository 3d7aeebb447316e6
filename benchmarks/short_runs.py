"""Many short trainings of one network in one process: traced once, against traced by every run; time and memory.

    python -m benchmarks.short_runs [--runs 8] [--layers 0] [--rounds 3]

Each is a run's own training: made deterministic, compiled, fitted for five epochs with checkpoints, asked. Processor
seconds. Memory is what a fresh process of its own has grown by from one run to the last.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import interleaved, report

WAYS = ("traced by every run", "traced once")


def trainer(layers: int) -> object:
    """What trains a run of a seed: a head on 512 features, or on so many convolutions of 32 pixels."""
    import keras

    from keras_art.learning import compiled, training
    from keras_art.pictures.pipeline import Batches

    rng = np.random.default_rng(0)
    shape = (32, 32, 3) if layers else (512,)
    inputs, labels = rng.normal(size=(256, *shape)).astype("float32"), rng.integers(0, 10, 256)
    train, val = (np.arange(256)[part] for part in (slice(192), slice(192, 256)))

    def network(seed: int) -> keras.Model:
        keras.utils.set_random_seed(seed)
        pixels = x = keras.Input(shape)
        for _ in range(layers):
            x = keras.layers.BatchNormalization()(keras.layers.Conv2D(16, 3, activation="relu", padding="same")(x))
        x = keras.layers.GlobalAveragePooling2D()(x) if layers else x
        return keras.Model(pixels, keras.layers.Dense(10, "softmax")(x), name="classifier")

    def run(way: str, seed: int) -> None:
        training.make_deterministic(seed)
        if way == WAYS[0]:
            compiled._kept.clear()
        model = compiled.compiled(network(seed), keras.optimizers.Adam(1e-3), training.compile_classifier)
        batches = [Batches(inputs, part, labels[part], 32, order) for part, order in ((train, seed), (val, None))]
        with tempfile.TemporaryDirectory() as folder:
            training.fit(model, *batches, folder=Path(folder), epochs=5, patience=5)
        model.predict(batches[1].epochs(), verbose=0)

    return run


def grown(way: str, runs: int, layers: int) -> list[float]:
    """Resident memory in MB after the second run and after the last."""
    run, sizes = trainer(layers), []
    for seed in range(runs):
        run(way, seed)  # type: ignore[operator]
        sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6)
    return [sizes[1], sizes[-1]]


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--layers", type=int, default=0, help="convolutions; 0: a head on cached features")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--grown", choices=WAYS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.grown:
        print(json.dumps(grown(asked.grown, asked.runs, asked.layers)))
        return
    run = trainer(asked.layers)
    seeds = range(asked.runs)
    ways = {way: lambda way=way: [run(way, seed) for seed in seeds] for way in WAYS}  # type: ignore[operator]
    run(WAYS[1], 0)  # type: ignore[operator]
    times = interleaved(ways, asked.rounds, time.process_time)
    report(times, [WAYS], asked.runs)
    print(f"\n| {asked.runs} runs | MB after two | MB after all |\n|---|---|---|")
    for way in WAYS:
        words = ["--runs", str(asked.runs), "--layers", str(asked.layers), "--grown", way]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.short_runs", *words], check=True, stdout=subprocess.PIPE, text=True
        )
        two, last = json.loads(done.stdout.splitlines()[-1])
        print(f"| {way} | {two:,.0f} | {last:,.0f} |")


if __name__ == "__main__":
    main()

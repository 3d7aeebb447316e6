"""Independent runs by one process and by two, on stores of their own: time, and whether the results are the same bytes.

python -m benchmarks.many_workers [--runs 12] [--network FILE.keras] [--image_size 32] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from benchmarks import interleaved, report
from keras_art.atelier import make_atelier

OURS = ("history.csv", "predictions.csv", "per_class.csv", "classes.json")


def results(store: Path) -> dict[str, object]:
    """What runs gave, by file: metrics without seconds, tables, and the weights in a model."""
    found: dict[str, object] = {}
    for folder in sorted(path.parent for path in store.glob("classifier/*/metrics.json")):
        metrics = json.loads((folder / "metrics.json").read_text())
        found[f"{folder.name}/metrics"] = {name: value for name, value in metrics.items() if "seconds" not in name}
        for name in OURS:
            if (folder / name).exists():
                found[f"{folder.name}/{name}"] = (folder / name).read_bytes()
        for model in folder.glob("*.keras"):
            with zipfile.ZipFile(model) as archive:
                found[f"{folder.name}/weights"] = archive.read("model.weights.h5")
    return found


def main() -> None:
    """Prints a table, and how many files of the results differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--network", default="MobileNetV2")
    parser.add_argument("--image_size", type=int, default=32)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        make_atelier(place / "atelier", images=asked.images)
        made: dict[int, list[Path]] = {1: [], 2: []}

        def study(jobs: int) -> None:
            store = place / f"store-{jobs}-{len(made[jobs])}"
            made[jobs].append(store)
            words = [
                "--data", str(place / "atelier"), "--target", "artist", "--networks", asked.network, "--weights",
                "none", "--modes", "scratch", "--image_size", str(asked.image_size), "--epochs", str(asked.epochs),
                "--seeds", *map(str, range(asked.runs)), "--threads", str(asked.threads), "--jobs", str(jobs),
            ]  # fmt: skip
            subprocess.run(
                [sys.executable, "-m", "reproductions.sabatelli2018", *words, "--store", str(store)],
                check=True, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip

        times = interleaved({"--jobs 1": lambda: study(1), "--jobs 2": lambda: study(2)}, asked.rounds)
        report(times, [("--jobs 1", "--jobs 2")], asked.runs)
        one, *others = (results(store) for stores in made.values() for store in stores)
        different = sum(one[name] != other.get(name) for other in others for name in one)
        print(f"{len(one)} results of {asked.runs} runs, {len(others)} times again: {different} differ")


if __name__ == "__main__":
    main()

"""What every step of a study costs as a collection grows: processor seconds, peak memory, and the exponent of growth.

python -m benchmarks.growth [--rows 10000 100000] [--classes 1000] [--pictures 500] [--image_size 16]

Rows of a table name links to a few hundred different pictures. An exponent of 1 is growth as fast as that of the rows.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image


def collection(folder: Path, rows: int, classes: int, pictures: int) -> Path:
    """A table of links, a folder for a thousand of them, every class in every split."""
    random = np.random.default_rng(0)
    (folder / "first").mkdir(parents=True)
    for number in range(pictures):
        pixels = random.integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).resize((32, 32)).save(folder / "first" / f"{number}.png")
    with (folder / "labels.csv").open("w") as table:
        table.write("image,artist,style\n")
        for row in range(rows):
            if row % 1000 == 0:
                (folder / "images" / f"{row // 1000}").mkdir(parents=True)
            name = f"images/{row // 1000}/{row}.png"
            os.link(folder / "first" / f"{row % pictures}.png", folder / name)
            table.write(f"{name},artist {row % classes},style {row % 7}\n")
    for path in (folder / "first").iterdir():
        path.unlink()
    return folder / "labels.csv"


def steps(table: Path, store_folder: Path, image_size: int) -> dict[str, float]:
    """Processor seconds of the steps of a study before it trains, workers included, and the peak memory in GB."""
    from keras_art.data import tasks
    from keras_art.data.opening import open_choice
    from keras_art.store.runs import Store

    store = Store(store_folder)
    store.create()
    taken: dict[str, float] = {}

    def timed(name: str, step: object) -> object:
        before = sum(os.times()[:4])
        found = step()  # type: ignore[operator]
        taken[name] = sum(os.times()[:4]) - before
        return found

    opened, choice = timed("read, clean, choose", lambda: open_choice(store, str(table), None, "artist"))
    timed("decode, group, split", lambda: tasks.prepare(store, opened, choice, image_size, "squash", lambda *_: None))
    timed("load in a run", lambda: tasks.load(store, choice.key, image_size, "squash"))
    taken["peak, GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return taken


def main() -> None:
    """Prints a table: a row for every step, a column for every size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--image_size", type=int, default=16)
    parser.add_argument("--at", nargs=2, type=Path, help=argparse.SUPPRESS)  # what the processes below are given
    asked = parser.parse_args()
    if asked.at:
        print(json.dumps(steps(*asked.at, asked.image_size)))
        return
    found: dict[int, dict[str, dict[str, float]]] = {}
    for rows in asked.rows:
        with tempfile.TemporaryDirectory() as temporary:
            table = collection(Path(temporary) / "collection", rows, asked.classes, asked.pictures)
            words = ["--image_size", str(asked.image_size), "--at", str(table), f"{temporary}/store"]
            found[rows] = {}
            for start in ("first start", "second start"):
                began = time.monotonic()
                done = subprocess.run(
                    [sys.executable, "-m", "benchmarks.growth", *words], check=True, stdout=subprocess.PIPE, text=True
                )
                found[rows][start] = json.loads(done.stdout.splitlines()[-1])
                found[rows][start]["wall seconds"] = time.monotonic() - began
                print(f"{rows:,} rows, {start}: {found[rows][start]}", file=sys.stderr)
    print("| step | " + " | ".join(f"{rows:,} rows" for rows in found) + " | exponent |")
    print("|---" * (len(found) + 2) + "|")
    (few, *_), (*_, many) = found, found
    for start in found[few]:
        for step in found[few][start]:
            cells = [found[rows][start][step] for rows in found]
            growth = math.log(cells[-1] / cells[0]) / math.log(many / few) if many > few and cells[0] > 0 else math.nan
            print(f"| {start}: {step} | " + " | ".join(f"{cell:.2f}" for cell in cells) + f" | {growth:.2f} |")


if __name__ == "__main__":
    main()

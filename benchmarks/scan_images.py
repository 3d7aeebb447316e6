"""How fast a collection is decoded once, and how fast the same collection is looked over again.

    python -m benchmarks.scan_images                 # synthetic JPEGs in a temporary folder
    python -m benchmarks.scan_images FOLDER          # every .jpg below it

Each round runs all four ways one after the other, so that other work on the machine meets them alike; a ratio is taken
within its round. The one-by-one loops keep nothing; the scan also hashes every file and stores every picture.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import report, seconds
from keras_art.pictures.decoded import ImageStore


def make_pictures(folder: Path, count: int) -> list[Path]:
    """Smooth noise with the fine grain of a photograph, sides of 256 to 1,024 pixels."""
    rng = np.random.default_rng(0)
    paths = []
    for i in range(count):
        width, height = (int(side) for side in rng.integers(256, 1025, 2))
        coarse = Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).resize((width, height))
        grain = rng.normal(0, 6, (height, width, 1))
        path = folder / f"{i:05d}.jpg"
        Image.fromarray((np.asarray(coarse) + grain).clip(0, 255).astype(np.uint8)).save(path, quality=90)
        paths.append(path)
    return paths


def one_by_one(paths: list[Path], image_size: int) -> None:
    """What a script without this toolkit does."""
    for path in paths:
        with Image.open(path) as image:
            np.asarray(image.convert("RGB").resize((image_size, image_size), Image.Resampling.BILINEAR))


def keras_load_img(paths: list[Path], image_size: int) -> None:
    """The same with Keras's own reader."""
    import keras

    for path in paths:
        image = keras.utils.load_img(path, target_size=(image_size, image_size), interpolation="bilinear")
        np.asarray(image)


def scan(store: Path, paths: list[Path], image_size: int) -> None:
    """This toolkit's way; each call opens the store anew."""
    ImageStore(store, image_size).scan(paths)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--image_size", type=int, default=128)
    parser.add_argument("--count", type=int, default=800, help="synthetic pictures [800]")
    parser.add_argument("--limit", type=int, help="only the first so many pictures of FOLDER")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    import keras  # noqa: F401  (its import is not what is measured)
    import pandas  # noqa: F401

    with tempfile.TemporaryDirectory() as temporary:
        if chosen.folder:
            paths = sorted(chosen.folder.rglob("*.jpg"))[: chosen.limit]
        else:
            paths = make_pictures(Path(temporary), chosen.count)
        size = chosen.image_size
        one_by_one(paths, size)  # so that every way finds the files in the system's cache
        times: dict[str, list[float]] = {"one by one": [], "load_img": [], "first scan": [], "second scan": []}
        for _ in range(chosen.rounds):
            times["one by one"].append(seconds(one_by_one, paths, size))
            with tempfile.TemporaryDirectory() as store:
                times["first scan"].append(seconds(scan, Path(store), paths, size))
                times["second scan"].append(seconds(scan, Path(store), paths, size))
            times["load_img"].append(seconds(keras_load_img, paths, size))
    print(
        f"{len(paths):,} JPEGs to {size} x {size}, {os.cpu_count()} cores, {chosen.rounds} rounds: median (min..max)\n"
    )
    report(times, [("one by one", "first scan"), ("load_img", "first scan"), ("first scan", "second scan")], len(paths))


if __name__ == "__main__":
    main()

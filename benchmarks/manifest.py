"""How long a large manifest takes to be read, cleaned, filtered and split, and how much memory; and look-alikes found.

    python -m benchmarks.manifest                    # a million rows, a hundred thousand hashes
    python -m benchmarks.manifest --rows 100000

The manifest is synthetic: artists in long-tailed numbers, blanks, anonymous works, quoted titles. Its images do not
exist and are not looked for. Each part runs in a process of its own, whose peak memory is told. `plain`, which
is pandas.read_csv and scikit-learn's stratified split, is the alternative: it neither checks rows nor cleans labels.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def make(path: Path, rows: int) -> None:
    """Six columns, about 90 bytes a row."""
    rng = np.random.default_rng(0)
    artists = rng.zipf(1.3, rows) % 20_000
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "image", "artist", "style", "title", "date"])
        for i, artist in enumerate(artists):
            name = " anoniem" if artist % 50 == 7 else f" Schilder, Jan {artist} van"
            style = "" if i % 100 == 3 else f"style {artist % 40}"
            writer.writerow(
                [f"SK-{i:07d}", f"jpg/{i:07d}.jpg", name, style, f'Gezicht op "{i}", nr. 1', 1500 + i % 400]
            )


def ours(path: Path) -> None:
    """What a study does before it opens images, by style and by artist."""
    from keras_art.data.choices import choose
    from keras_art.data.leaks import leak_report
    from keras_art.data.sources import load_collection
    from keras_art.data.splits import split

    collection = load_collection(path, need_images=False)
    for target in ("style", "artist"):
        choice = choose(collection, target)
        task = split(choice, np.ones(len(choice.images), bool).tolist())
        report = leak_report(task.images, target, task.columns.get("artist"))
        print(f"  {target}: {task.size:,} images, {len(task.classes):,} classes, majority {report['majority']:.1%}")


def by_artist(path: Path) -> None:
    """The split that keeps artists apart."""
    from keras_art.data.choices import choose
    from keras_art.data.sources import load_collection
    from keras_art.data.splits import split

    choice = choose(load_collection(path, need_images=False), "style", rule="artist_disjoint")
    task = split(choice, np.ones(len(choice.images), bool).tolist())
    print(f"  {task.images['split'].value_counts().to_dict()}")


def plain(path: Path) -> None:
    """Pandas and scikit-learn alone."""
    import pandas as pd
    from sklearn.model_selection import train_test_split

    table = pd.read_csv(path, dtype=str).dropna(subset=["style"])
    for target in ("style", "artist"):
        known = table[table[target].map(table[target].value_counts()) > 9]
        _, rest = train_test_split(known, test_size=0.2, stratify=known[target], random_state=0)
        train_test_split(rest, test_size=0.5, random_state=0)


def look_alikes(path: Path, count: int = 100_000) -> None:
    """Random hashes, a tenth of them copies with up to four bits changed."""
    from keras_art.pictures.lookalikes import near_groups

    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**64, count, dtype=np.uint64)
    for row in range(0, count, 10):
        values[row] = values[row + 1]
        for bit in rng.choice(64, row // 10 % 5, replace=False):
            values[row] ^= np.uint64(1) << np.uint64(bit)
    print(f"  {count:,} hashes, {count - len(np.unique(near_groups(values))):,} look-alikes found")


PARTS = {part.__name__: part for part in (ours, by_artist, plain, look_alikes)}


def main() -> None:
    """Prints seconds and peak memory of each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part:
        PARTS[chosen.part](chosen.path)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2  # kilobytes on Linux
        print(f"  peak memory {peak:.2f} GB")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.csv"
        make(path, chosen.rows)
        print(f"{chosen.rows:,} rows, {path.stat().st_size / 1e6:.0f} MB", flush=True)
        for _ in range(chosen.rounds):
            for part in PARTS:
                began = time.perf_counter()
                command = [sys.executable, "-m", "benchmarks.manifest", "--part", part, "--path", str(path)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                spent = resource.getrusage(resource.RUSAGE_CHILDREN)
                print(f"{part}: {time.perf_counter() - began:.1f} s, start included; processor so far "
                      f"{spent.ru_utime + spent.ru_stime:.1f} s\n{done.stdout.rstrip()}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()

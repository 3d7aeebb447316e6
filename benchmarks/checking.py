"""What checking takes of a start: a study that is finished is asked for again, with checks and without, in turn.

    python -m benchmarks.checking [--rounds 5]

Without them no file is compared with the list of its folder, no given network with its name, and no row with its
checksum. Counted are processor seconds of whole processes. Pictures and the network are tiny: a large network that a
person gave is hashed in every start, and takes what its bytes take.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks import spread
from benchmarks.faults import ROOT, command, place

UNCHECKED = """
import runpy, sys
from keras_art.store import reading, segments
from keras_art.study import files
reading.sums = lambda *_: {}
files.sound_artefact = files.artefact_path
segments.Segments.wrong = lambda *_: []
sys.argv[0] = sys.argv.pop(1)
runpy.run_module(sys.argv[0], run_name="__main__")
"""


def processor_seconds(words: list[str], folder: Path) -> float:
    """Of a process, its threads and its children."""
    before = os.times()
    subprocess.run(words, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> int:
    """Prints the seconds of both ways and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    times: dict[str, list[float]] = {"checked": [], "not checked": []}
    with place("sabatelli2018") as folder:
        python, _, module, *words = command("sabatelli2018", folder / "store")
        ways = {
            "checked": [python, "-m", module, *words],
            "not checked": [sys.executable, "-c", UNCHECKED, module, *words],
        }
        for way in ways.values():  # the first of them trains, and caches are warm
            processor_seconds(way, folder)
        for _ in range(asked.rounds):
            for name, way in ways.items():
                times[name].append(processor_seconds(way, folder))
    print("| a start | processor seconds |\n|---|---|")
    for name, taken in times.items():
        print(f"| {name} | {spread(taken, '.2f')} |")
    ratios = [a / b for a, b in zip(*times.values(), strict=True)]
    print(
        f"\nchecked / not checked: {spread(ratios, '.3f')}, of the medians "
        f"{statistics.median(times['checked']) / statistics.median(times['not checked']):.3f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

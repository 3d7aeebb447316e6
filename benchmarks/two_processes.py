"""Two processes ask for one study at once, on one store: every run once, and the same tables.

    python -m benchmarks.two_processes [--rounds 20] [--chains theta_r stylised tickets]

Every round begins with an empty store, of tiny pictures and a network of five layers, in processes that go on to the
next one. Runs wait for runs in each: `theta_r` carries a trained network over, `stylised` trains a decoder, stylises,
then classifies, `tickets` finds a chain of two stages and carries it over. Counted are the beginnings of runs, from
inside; a round fails where a run began twice or never, a process ended otherwise than with 0, or the tables differ.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

SMALL = ("--networks", "tiny.keras", "--preprocessing", "unit", "--batch_size", "16", "--target", "style")
CHAINS = {
    "theta_r": (
        "sabatelli2018", "--data", "museum", "--source", "other", "--modes", "fine_tuning", "--image_size", "16",
        "--epochs", "1", *SMALL,
    ),
    "stylised": (
        "st_saclf", "--data", "museum", "--image_size", "16", "--taps", "block1_conv", "block5_conv", "--p2", "0.5",
        "--stages", "1@1e-3", "1@1e-4:all", "--decoder_size", "16", "--decoder_iterations", "2",
        "--encoder_weights", "none", "--weights", "own", *SMALL,
    ),
    "tickets": (
        "sabatelli2021", "--data", "museum", "--sources", "other:style", "--stages", "2", "--transfer_stages", "1",
        "--controls", "scratch",
        "--image_size", "18", "--crop", "16", "--epochs", "1", "--late_resetting", "1", *SMALL,
    ),
}  # fmt: skip


def paint(folder: Path) -> None:
    """Two collections of 24 pictures in two styles, and a network."""
    import keras
    import numpy as np
    from PIL import Image

    for seed, name in enumerate(("museum", "other")):
        noise = np.random.default_rng(seed).integers(0, 256, (24, 16, 16, 3), np.uint8)
        (folder / name).mkdir()
        for n, pixels in enumerate(noise):
            Image.fromarray(pixels).save(folder / name / f"{n:02d}.png")
        rows = [f"{n:02d}.png,{'warm' if n % 2 else 'cold'}" for n in range(24)]
        (folder / name / "labels.csv").write_text("\n".join(["image,style", *rows]))
    inputs = x = keras.Input((None, None, 3))
    for n in range(1, 6):
        x = keras.layers.Conv2D(8, 3, 2 if n < 4 else 1, "same", activation="relu", name=f"block{n}_conv")(x)
    keras.Model(inputs, x, name="tiny").save(folder / "tiny.keras")


def process(number: int, chain: str, rounds: int, folder: Path, together: Any, said: Any) -> None:
    """One of the two: carries the study out in every round, and puts (number, status, runs begun, tables, words)."""
    os.chdir(folder)
    from keras_art import terminal
    from keras_art.store.runs import Store

    terminal.start_backend()
    begun: list[str] = []
    begin = Store.begin

    def counted(self: Store, run: Any) -> Path:
        begun.append(run.folder_name)
        return begin(self, run)

    Store.begin = counted  # type: ignore[method-assign]
    paper, *words = CHAINS[chain]
    main = importlib.import_module(f"reproductions.{paper}").REPRODUCTION.main
    for round_ in range(rounds):
        begun.clear()
        together.wait()
        time.sleep(0.1 * number * (round_ % 5))  # another order of things
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                status = main([*words, "--store", f"{chain}-{round_}"])
            except BaseException:
                status = traceback.format_exc()
        said.put((number, status, list(begun), out.getvalue(), err.getvalue()))


def judge(store: Path, first: Any, second: Any) -> tuple[str, int, bool]:
    """What went wrong in a round, "" where nothing did; how many runs it had; and whether a process waited."""
    finished = sorted(path.parent.name for path in store.glob("*/*/metrics.json"))
    begun = sorted([*first[2], *second[2]])
    wrong = []
    if begun != finished or not finished:
        wrong.append(f"begun {begun}, finished {finished}")
    wrong += [f"process {one[0]} ended with {one[1]}: {one[4][-500:]}" for one in (first, second) if one[1] != 0]
    if first[3] != second[3] or not first[3]:
        wrong.append("the tables differ")
    return "; ".join(wrong), len(finished), "another process computes" in first[4] + second[4]


def main() -> int:
    """Prints a line for every chain; returns 1 where a round failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--chains", nargs="+", choices=CHAINS, default=list(CHAINS))
    asked = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")  # a fork of TensorFlow hangs
    failures = 0
    print("| chain | rounds | runs each | shared | waited | failures |\n|---|---|---|---|---|---|", flush=True)
    for chain in asked.chains:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            paint(folder)
            together, said = spawn.Barrier(2), spawn.Queue()
            arguments = (chain, asked.rounds, folder, together, said)
            both = [spawn.Process(target=process, args=(number, *arguments)) for number in (0, 1)]
            for one in both:
                one.start()
            shared = waited = failed = 0
            runs = set()
            for round_ in range(asked.rounds):
                first, second = sorted((said.get(timeout=900), said.get(timeout=900)), key=lambda told: told[0])
                wrong, count, waits = judge(folder / f"{chain}-{round_}", first, second)
                shared, waited, failed = shared + bool(first[2] and second[2]), waited + waits, failed + bool(wrong)
                runs.add(count)
                if wrong:
                    print(f"{chain}, round {round_}: {wrong}", file=sys.stderr, flush=True)
            for one in both:
                one.join()
        counts = ", ".join(map(str, sorted(runs)))
        print(f"| {chain} | {asked.rounds} | {counts} | {shared} | {waited} | {failed} |", flush=True)
        failures += failed
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

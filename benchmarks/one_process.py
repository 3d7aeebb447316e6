"""Fifty studies in one process: what it holds after the first, the tenth and the last.

    python -m benchmarks.one_process [--studies 50] [--cases sabatelli2018 multitask]

Each study begins in an empty store, with another seed where it has one, in a fresh process for each case. Memory is
what is resident, descriptors and threads those of the process, and files those that lie in the system's temporary
folder and lay not there before. Fails where memory or descriptors after the last study are more than 5% above those
after the tenth: what is imported and traced for the first time comes before.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.faults import CASES, STORED, place

SHOWN = (1, 10)  # and the last
MOST = 1.05


def held(before: set[str]) -> tuple[float, int, int, int]:
    """Of this process: MB resident, descriptors, threads, and files in the temporary folder that lay not there."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    descriptors, threads = len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
    return (
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        descriptors,
        threads,
        len({*os.listdir(tempfile.gettempdir())} - before),
    )


def studies(case: str, wanted: int) -> list[tuple[float, int, int, int]]:
    """Carries a case out so often in this process; what it holds after each."""
    from keras_art import terminal

    found = []
    with place(case) as folder:
        os.chdir(folder)
        before = set(os.listdir(tempfile.gettempdir()))
        terminal.start_backend()
        _, module, *words = CASES[case]
        for number in range(wanted):
            store = folder / f"store-{number}"
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
                if module == "keras_art":
                    verb = importlib.import_module(f"keras_art.commands.{words[0]}")
                    status = verb.main([*words[1:], "--store", str(store)])
                else:
                    main = importlib.import_module(module).REPRODUCTION.main
                    status = main([*words, "--seeds", str(number), "--store", str(store)])
            if status != 0:
                raise SystemExit(f"{case}, study {number}: status {status}: {said.getvalue()[-500:]}")
            shutil.rmtree(store)
            found.append(held(before))
    return found


def main() -> int:
    """Prints a line for every case; returns 1 where one grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = sorted({name for name in STORED if name not in ("map", "search")})
    parser.add_argument("--studies", type=int, default=50)
    parser.add_argument("--cases", nargs="+", choices=known, default=known)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(studies(asked.cases[0], asked.studies)))
        return 0
    shown = sorted({n for n in (*SHOWN, asked.studies) if n <= asked.studies})
    after = ", ".join(map(str, shown))
    print(
        f"| case | MB after {after} | descriptors | threads | files | grows |\n|---|---|---|---|---|---:|", flush=True
    )
    failed = False
    for case in asked.cases:
        words = [sys.executable, "-m", "benchmarks.one_process", "--measure", "--cases", case]
        done = subprocess.run([*words, "--studies", str(asked.studies)], capture_output=True, text=True)
        if done.returncode:
            print(f"| {case} | {done.stderr.strip().splitlines()[-1]} | | | | |", flush=True)
            failed = True
            continue
        rows = json.loads(done.stdout.splitlines()[-1])
        columns = [", ".join(f"{rows[n - 1][i]:.0f}" for n in shown) for i in range(4)]
        settled, last = rows[shown[-2] - 1] if len(shown) > 1 else rows[0], rows[-1]
        grown = last[0] / settled[0] - 1
        failed |= last[0] > MOST * settled[0] or last[1] > MOST * settled[1]
        print(f"| {case} | {' | '.join(columns)} | {100 * grown:+.1f}% |", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

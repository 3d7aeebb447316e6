"""All benchmarks, each in a process of its own, and one table of their ratios with this machine.

    python -m benchmarks [NAME ...] [--quick] [--minutes 30]

The names are those of `PLAN`, none: all. `--quick` is one round of each on less, to see that they work: its ratios are
no measurement. What is not over when the minutes are is told, not waited for.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from keras_art.backend import named

# Name -> what it is asked in full, and quickly; those that say most come first.
PLAN: dict[str, tuple[str, str]] = {
    "networks": ("", "--images 2 --image_size 32 --rounds 1"),
    "scan_images": ("", "--count 60 --rounds 1"),
    "feeding": ("", "--images 100 --epochs 1 --rounds 1"),
    "off_the_shelf": ("--rounds 1", "--network MobileNetV2 --images 120 --epochs 2 --rounds 1"),
    "frozen_stage": ("", "--images 64 --rounds 1"),
    "pruning": ("", "--network ResNet20 --image_size 32 --rounds 2"),
    "stylising": ("", "--images 8 --image_size 32 --rounds 1"),
    "joint_training": (
        "--iterations 140 --update_interval 70 --rounds 3",
        "--image_size 16 --images 128 --iterations 8 --update_interval 4 --rounds 1",
    ),
    "short_runs": ("", "--runs 2 --rounds 1"),
    "drawing": ("", "--rounds 1"),
    "augmentation": ("--rounds 3", "--images 64 --image_size 64 --rounds 1"),
}
ISA = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")  # what decides how fast floats are multiplied
CPU = Path("/proc/cpuinfo")


def machine() -> str:
    """The processor, its cores for this process, what it multiplies by, and what is installed, in one line."""
    text = CPU.read_text(encoding="utf-8") if CPU.exists() else ""
    model = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*: (.*)$", text, re.MULTILINE)
    can = [name for name in ISA if flags and name in flags[1].split()]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    backend = named()
    packages = ", ".join(f"{name} {version(name)}" for name in ("keras", backend))
    return f"{model[1] if model else 'a processor'}, {cores} cores, {' '.join(can)}; {packages}; float32 unless said"


def ratios(printed: str) -> list[tuple[str, str]]:
    """What against what, and how often: the rows of the tables of ratios that `benchmarks.report` has printed."""
    found, within = [], False
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            within = False
        elif cells == ["ratio", "times"]:
            within = True
        elif within and not set(line) <= set("|-"):
            found.append((cells[0], cells[1]))
    return found


def carried_out(name: str, words: str, seconds: float) -> tuple[list[tuple[str, str]], str]:
    """The ratios of one benchmark, or why there are none."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *words.split()]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=max(seconds, 1))
    except subprocess.TimeoutExpired:
        return [], "not over in the time there was"
    if done.returncode == 0:
        return ratios(done.stdout), ""
    last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
    return [], f"skipped: {last}" if last.startswith("ModuleNotFoundError") else f"failed: {last}"


def main() -> int:
    """Prints the table; returns the exit status, 1 where a benchmark failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PLAN))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--minutes", type=float, default=30.0)
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(PLAN):
        parser.error(f"there is no benchmark {sorted(unknown)[0]}: {', '.join(PLAN)}")
    began, failed = time.monotonic(), False
    print(machine() + ("; quick: no measurement" if asked.quick else ""))
    rows = []
    for name in asked.names or PLAN:
        start = time.monotonic()
        left = 60 * asked.minutes - (start - began)
        found, why = carried_out(name, PLAN[name][asked.quick], left) if left > 0 else ([], "not begun: no time left")
        failed |= why.startswith("failed")
        rows += [(name, *row) for row in found] or [(name, why or "prints no ratio", "")]
        busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
        print(f"{name}: {time.monotonic() - start:.0f} s, load {busy:.1f} {why}".rstrip(), file=sys.stderr)
    print("\n| NAME | what against what | ratio, median (least..most) |\n|---|---|---|")
    for name, what, often in rows:
        print(f"| `{name}` | {what} | {often} |")
    print("\na load above the cores says that other work shared them: wall times then say little")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

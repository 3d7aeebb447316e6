"""Speed and memory, each against a named alternative in the same run: `python -m benchmarks.NAME`.

Both ways run in turn, so that other work on the machine meets them alike; a ratio is taken within its round.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def seconds(
    function: Callable[..., object], *arguments: object, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Wall-clock time of one call, or by another clock: `time.process_time` where other work shares the processors."""
    began = clock()
    function(*arguments)
    return clock() - began


def spread(values: list[float], form: str) -> str:
    """The median and, in brackets, the smallest and the largest."""
    low, middle, high = (format(value, form) for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low}..{high})"


def interleaved(
    ways: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of every way in every round, the ways one after the other."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(seconds(way, clock=clock))
    return times


def report(times: Mapping[str, list[float]], pairs: list[tuple[str, str]], items: int = 0) -> None:
    """Prints the seconds of every way, items per second where there are any, and the ratios of pairs."""
    print("| way | seconds | items/s |\n|---|---|---|")
    for way, taken in times.items():
        print(f"| {way} | {spread(taken, '.3f')} | {items / statistics.median(taken):,.0f} |")
    print("\n| ratio | times |\n|---|---|")
    for slow, fast in pairs:
        ratios = [a / b for a, b in zip(times[slow], times[fast], strict=True)]
        print(f"| {slow} / {fast} | {spread(ratios, '.2f')} |")

"""What a person who waits for a study is told of its time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from keras_art import terminal


class Clock:
    """Says how far a study is: a line now and then, with the time left for all of it.

    Args:
        costs: the estimated seconds of everything that is to be done.
    """

    def __init__(self, costs: Mapping[Any, float]) -> None:
        self.costs, self.total = costs, sum(costs.values())
        self.begun: dict[Any, float] = {}  # shares of what is being done, by however many processes
        self.finished: set[Any] = set()
        self.started = self.said = time.monotonic()

    def tell(self, what: Any, words: str, share: float) -> None:
        """`share` of one of them is done, in [0, 1]; says so unless the last line is younger than 5 s."""
        self.begun[what] = share
        terminal.at(words)
        if time.monotonic() - self.said > 5:
            self._say(words)

    def done(self, what: Any, words: str) -> None:
        """One of them is done."""
        self.begun[what] = 1.0
        self._say(words)
        self.finished.add(what)

    def _say(self, words: str) -> None:
        self.said = time.monotonic()
        done = sum(self.costs[what] * share for what, share in self.begun.items())
        spent = self.said - self.started
        left = f"; about {terminal.duration(spent * (self.total / done - 1))} left" if done > 0 else ""
        terminal.say(f"[{min(len(self.finished) + 1, len(self.costs))}/{len(self.costs)}] {words}{left}")

"""The state of a training in one file, so that a killed one goes on with the same numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_art import terminal
from keras_art.store.reading import read_arrays
from keras_art.store.sums import Damaged
from keras_art.writing import write_arrays


class Checkpoint:
    """Variables and facts, written together by rename.

    Args:
        path: an `.npz` file.
        variables: weights and optimizer variables, always in the same order.
    """

    def __init__(self, path: Path, variables: Sequence[Any]) -> None:
        self.path, self.variables = path, variables

    def save(self, facts: dict[str, Any], **arrays: np.ndarray) -> None:
        """Writes the variables as they are, what JSON can hold, and some arrays."""
        values = {f"{i}": variable for i, variable in enumerate(self.variables)}
        write_arrays(self.path, {"facts": np.array(json.dumps(facts)), **values, **arrays})

    def load(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """Gives the variables their stored values; returns the facts and the arrays, None where there is no file.

        One that is damaged is told of and goes.
        """
        if not self.path.exists():
            return None
        try:
            stored = read_arrays(self.path, "this training begins anew")
            facts = json.loads(str(stored.pop("facts")))
        except (Damaged, KeyError, ValueError) as error:
            terminal.say(str(error))
            self.path.unlink()
            return None
        for i, variable in enumerate(self.variables):
            variable.assign(stored.pop(f"{i}"))
        return facts, stored

"""Bias-aware mixing: how many stylised images each class lends to training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_art.errors import UserError
from keras_art.store.reading import read_table
from keras_art.writing import meant

if TYPE_CHECKING:
    import pandas as pd


def rare_classes(counts: Sequence[int] | np.ndarray, classes: Sequence[str], named: Sequence[str] = ()) -> list[str]:
    """The classes that count as rare: those named, else those with fewer images than an even share.

    KaoKore's status gives incarnation and commoner, as the paper has it.

    Args:
        counts: train images of each class.

    Raises:
        UserError: a name that is no class, with the classes there are.
    """
    if unknown := set(named) - set(classes):
        raise UserError(f"no class is called {', '.join(sorted(unknown))}; there are {', '.join(classes)}")
    if named:
        return [name for name in classes if name in named]
    even = sum(counts) / len(classes)
    return [name for name, count in zip(classes, counts, strict=True) if count < even]


def read_provenance(folder: Path) -> pd.DataFrame:
    """`provenance.csv` of a stylised set as it was written: `output`, `class`, `content` and `style`, all text.

    A class may be called `NA` or `007`.

    Raises:
        Damaged: the file is absent, or no such table.
    """
    return read_table(folder / "provenance.csv", dtype=str, keep_default_na=False).map(meant)


def mix(
    provenance: pd.DataFrame, counts: dict[str, int], rare: Sequence[str], p1: float, p2: float, seed: int
) -> np.ndarray:
    """Which stylised images join training: round(p N) of each class, N its train images, drawn without replacement.

    For one seed a larger p only adds to what a smaller one took.

    Args:
        provenance: of the stylised images, with a column `class`.
        counts: class -> train images.
        rare: the classes of which p2 is taken; p1 of the others.

    Returns:
        Positions in `provenance`, ascending.

    Raises:
        UserError: p outside [0, 1], or fewer stylised images than asked for.
    """
    for name, p in (("p1", p1), ("p2", p2)):
        if not 0 <= p <= 1:
            raise UserError(f"--{name} lies in [0, 1], not {p}: it is the share of a class's stylised images")
    taken = []
    for i, (name, count) in enumerate(sorted(counts.items())):
        members = np.flatnonzero((provenance["class"] == name).to_numpy())
        wanted = round(count * (p2 if name in rare else p1))
        if wanted > len(members):
            raise UserError(f"class {name}: {wanted} stylised images asked for, {len(members)} made: stylise it again")
        taken.append(np.random.default_rng((seed, i)).permutation(members)[:wanted])
    return np.sort(np.concatenate(taken)).astype(np.int64)


def count_table(classes: Sequence[str], before: np.ndarray, added: np.ndarray, rare: Sequence[str]) -> pd.DataFrame:
    """One row per class: what it was, what it gained, and its share of training before and after.

    Args:
        before: original train images of each class.
        added: stylised images of each class.

    Returns:
        Columns `class`, `kind` ("rare" or "representative"), `originals`, `stylised`, `together`, and `share_before`
        and `share_after` in per cent.
    """
    import pandas as pd

    after = before + added
    return pd.DataFrame(
        {
            "class": list(classes),
            "kind": ["rare" if name in rare else "representative" for name in classes],
            "originals": before,
            "stylised": added,
            "together": after,
            "share_before": 100 * before / before.sum(),
            "share_after": 100 * after / after.sum(),
        }
    )

"""Bias-aware mixing: exact counts, nested draws, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from keras_art.data.mixing import count_table, mix, rare_classes
from keras_art.errors import UserError

COUNTS = {"commoner": 639, "incarnation": 644, "noble": 3175, "warrior": 2298}  # KaoKore 1.2, train
RARE = ["commoner", "incarnation"]


def stylised() -> pd.DataFrame:
    return pd.DataFrame({"class": np.repeat(list(COUNTS), list(COUNTS.values()))})


def test_kaokores_rare_classes_are_the_papers():
    assert rare_classes(list(COUNTS.values()), list(COUNTS)) == RARE


def test_named_classes_win_and_unknown_ones_are_refused():
    assert rare_classes([1, 1, 9], ["a", "b", "c"], ["c"]) == ["c"]
    with pytest.raises(UserError, match="no class is called d; there are a, b"):
        rare_classes([1, 1], ["a", "b"], ["d"])


@pytest.mark.parametrize(("p1", "p2"), [(0.8, 0.2), (0.0, 1.0), (1.0, 1.0), (0.1, 0.55)])
def test_counts_are_exact(p1: float, p2: float):
    taken = stylised()["class"].iloc[mix(stylised(), COUNTS, RARE, p1, p2, seed=0)].value_counts()
    for name, count in COUNTS.items():
        assert taken.get(name, 0) == round(count * (p2 if name in RARE else p1))


def test_nothing_is_taken_twice_and_more_only_adds():
    few, many = (mix(stylised(), COUNTS, RARE, p, p, seed=1) for p in (0.3, 0.6))
    assert len(set(many)) == len(many)
    assert set(few) < set(many)
    assert set(few) != set(mix(stylised(), COUNTS, RARE, 0.3, 0.3, seed=2))


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_shares_outside_0_to_1_are_refused(p: float):
    with pytest.raises(UserError, match=r"--p2 lies in \[0, 1\]"):
        mix(stylised(), COUNTS, RARE, 0.5, p, seed=0)


def test_a_set_too_small_is_refused():
    with pytest.raises(UserError, match="class warrior: 2298 stylised images asked for, 2297 made"):
        mix(stylised().iloc[:-1], COUNTS, RARE, 1, 1, seed=0)


def test_the_table_tells_shares_before_and_after():
    table = count_table(["a", "b"], np.array([30, 10]), np.array([0, 10]), ["b"])
    assert table["together"].tolist() == [30, 20]
    assert table["share_before"].tolist() == [75, 25] and table["share_after"].tolist() == [60, 40]
    assert table["kind"].tolist() == ["representative", "rare"]

"""A split that keeps groups whole: all images of an artist, or all copies of an image, on one side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SPLITS = ("train", "val", "test")
SHARES = (0.8, 0.1, 0.1)
ABSENT = 10.0  # what a class missing from a split costs, against 1 for having none of the images it should have
WORK = 300_000  # groups placed altogether: small collections are split many times, and the best split is taken
NAMED = 8


class Undefined(ValueError):
    """No such split exists, or none was found; the message names the classes that stand in its way."""


def joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The smallest groups that keep two groupings whole, (n,) numbers from 0.

    Args:
        one: (n,) integers from 0, a group of each image.
        other: (n,) the same by another rule.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones, others = int(one.max(initial=-1)) + 1, int(other.max(initial=-1)) + 1
    edges = coo_array((np.ones(len(one), bool), (one, ones + other)), shape=(ones + others, ones + others))
    return connected_components(edges, directed=False)[1][one] if len(one) else np.zeros(0, int)


def split_by_group(labels: np.ndarray, groups: np.ndarray, names: Sequence[str], what: str, seed: int) -> np.ndarray:
    """80/10/10 by groups, each class in all three splits and shared out as evenly as its groups allow.

    Groups are placed one after the other, in an order drawn from `seed`, each where it helps most; then the same in
    other orders, as many as time allows; the best split counts. Images that are a group of their own fill up what is
    lacking.

    Args:
        labels: (n,) integers, the class of each image as an index into `names`.
        groups: (n,) integers from 0, the group of each image.
        what: what a group is, for people ("artist").

    Returns:
        "train", "val" or "test" for each image.

    Raises:
        Undefined: a class has fewer than three groups, or no order gave every class to every split.
    """
    pairs, counts = np.unique(np.stack([groups, labels]), axis=1, return_counts=True)
    held = np.bincount(pairs[1], minlength=len(names))
    if few := [f"{names[int(c)]} ({held[c]})" for c in np.argsort(held, kind="stable") if held[c] < 3]:
        raise Undefined(
            f"{len(few)} classes have fewer than three {what}s, one for each of train, val and test: "
            f"{', '.join(few[:NAMED])}{', ...' * (len(few) > NAMED)}"
        )
    sizes = np.bincount(groups)
    targets = np.outer(np.bincount(labels, minlength=len(names)), SHARES)
    parts: dict[int, list[tuple[int, int]]] = {}
    for group, label, count in zip(*pairs, counts, strict=True):
        if sizes[group] > 1:
            parts.setdefault(int(group), []).append((int(label), int(count)))
    alone = np.flatnonzero(sizes[groups] == 1)
    best, best_cost = None, np.inf
    rng = np.random.default_rng(seed)
    for _ in range(int(np.clip(WORK // max(len(parts), 1), 1, 300))):
        placed, filled = _place(parts, targets.tolist(), rng)
        single = _fill(labels[alone], targets, filled, rng)
        cost = _cost(filled, targets)
        if cost < best_cost:
            best, best_cost, best_filled = (placed, single), cost, filled
        if not parts:
            break
    if best is None or not (best_filled > 0).all():
        lacking = [names[int(c)] for c in np.flatnonzero((best_filled == 0).any(axis=1))]
        raise Undefined(
            f"no split was found that keeps {what}s apart and has every class in train, val and test; in the best one "
            f"these lack one: {', '.join(lacking[:NAMED])}"
        )
    of_group = np.zeros(len(sizes), int)
    of_group[list(best[0])] = list(best[0].values())
    splits = of_group[groups]
    splits[alone] = best[1]
    return np.array(SPLITS, dtype=object)[splits]


def _place(
    parts: dict[int, list[tuple[int, int]]], targets: list[list[float]], rng: np.random.Generator
) -> tuple[dict[int, int], np.ndarray]:
    """One greedy pass; returns group -> split, and (classes, 3) images placed."""
    filled = [[0, 0, 0] for _ in targets]
    placed = {}
    for group in rng.permutation(list(parts)) if parts else ():
        gains = [
            sum(_worth(filled[c][s], targets[c][s]) - _worth(filled[c][s] + k, targets[c][s]) for c, k in parts[group])
            for s in range(3)
        ]
        placed[int(group)] = split = max(range(3), key=lambda s: gains[s])
        for c, k in parts[group]:
            filled[c][split] += k
    return placed, np.array(filled).reshape(-1, 3)


def _worth(count: float, target: float) -> float:
    return abs(count - target) / target + ABSENT * (count == 0)


def _cost(filled: np.ndarray, targets: np.ndarray) -> float:
    return float((np.abs(filled - targets) / targets + ABSENT * (filled == 0)).sum())


def _fill(labels: np.ndarray, targets: np.ndarray, filled: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A split for each image that is a group of its own: val and test get what they lack, train the rest."""
    splits = np.zeros(len(labels), int)
    for c in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == c))
        start = 0
        for split in (1, 2):
            lacking = max(round(targets[c, split]), 1) - filled[c, split]
            keep = (filled[c, 0] == 0) + (split == 1) * (filled[c, 2] == 0)  # one for those that would stay empty
            take = int(np.clip(lacking, 0, len(rows) - start - keep))
            splits[rows[start : start + take]] = split
            filled[c, split] += take
            start += take
        filled[c, 0] += len(rows) - start
    return splits

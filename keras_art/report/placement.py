"""Where pictures stand on a map: near those that they are like, scattered or in rows and columns."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

FEWEST = 5  # points of which t-SNE makes anything
PERPLEXITY = 30
NEIGHBOURS = 3 * PERPLEXITY  # of each point, that t-SNE looks at
# Points from which on their forces are interpolated on a grid (Linderman et al. 2019) in less time than they are summed
# up in by a tree, and several threads are worth their waiting for one another.
MANY = 5000


def cloud(vectors: np.ndarray, near: np.ndarray, distances: np.ndarray, seed: int = 0) -> np.ndarray:
    """Points of a plane, near one another where the vectors are: t-SNE (van der Maaten and Hinton 2008).

    Args:
        vectors: (n, width) of length one.
        near: the places of each one's nearest, nearest first, (n, k): `NEIGHBOURS`, or all others where they are fewer.
        distances: 1 less the cosine to those, (n, k).

    Returns:
        (n, 2) float32 in [0, 1], the same for the same seed; fewer than `FEWEST` vectors stand in a row.
    """
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    far = np.sqrt(2 * distances.astype(np.float64))  # what lies between the ends of two vectors of length one
    index = PrecomputedNeighbors(near.astype(np.int64), np.maximum(far, 1e-6))
    points = _laid_out(vectors, seed, knn_index=index)
    return points if len(points) < FEWEST else framed(points)


def plane(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """Points of a space, (n, dimensions), as t-SNE lays them out by their distances there: (n, 2).

    The same for the same seed, whatever the number of threads; fewer than `FEWEST` stand in a row.
    """
    return _laid_out(points, seed, data=points.astype(np.float64), method="exact")


def _laid_out(points: np.ndarray, seed: int, **alike: Any) -> np.ndarray:
    """t-SNE as openTSNE has it.

    Args:
        points: (n, dimensions), which it begins with the principal components of.
        alike: what says which are near one another, as `PerplexityBasedNN` takes it.
    """
    import warnings

    count = len(points)
    if count < FEWEST:
        return np.column_stack([(np.arange(count) + 0.5) / count, np.full(count, 0.5)]).astype(np.float32)
    from openTSNE import TSNE
    from openTSNE.affinity import PerplexityBasedNN

    threads = os.cpu_count() or 1 if count > MANY else 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of small collections, whose perplexity it lowers
        affinities = PerplexityBasedNN(perplexity=min(PERPLEXITY, (count - 1) / 3), n_jobs=threads, **alike)
    layout = TSNE(n_jobs=threads, random_state=seed, negative_gradient_method="fft" if count > MANY else "bh")
    return np.asarray(layout.fit(affinities=affinities, initialization=_spread(points, seed)))


def _spread(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Where t-SNE begins: the first two principal components, small; of what has none, chance."""
    from sklearn.decomposition import PCA

    found = np.random.default_rng(seed).normal(size=(len(vectors), 2))
    if vectors.shape[1] > 1 and np.ptp(vectors, axis=0).max() > 1e-6:
        parts = PCA(2, svd_solver="covariance_eigh").fit_transform(vectors.astype(np.float64))
        found = parts + 1e-3 * found * parts.std()  # copies of one picture do not stand on each other for ever
    return 1e-4 * found / found[:, 0].std()


def framed(points: np.ndarray) -> np.ndarray:
    """Points (n, 2) moved and scaled, both ways alike, so that they fill the middle of [0, 1]."""
    low, high = points.min(axis=0), points.max(axis=0)
    return ((points - (low + high) / 2) / (float((high - low).max()) or 1.0) + 0.5).astype(np.float32)


def in_rows(points: np.ndarray) -> tuple[np.ndarray, float]:
    """A square of rows and columns in which every point has a cell of its own, near those that it stood near.

    The square is halved again and again, and the points with it, along their longer side.

    Args:
        points: (n, 2).

    Returns:
        The middles of the cells, (n, 2) float32 in [0, 1], and the side of a cell.
    """
    side = max(1, int(np.ceil(np.sqrt(len(points)))))
    middles = np.zeros((len(points), 2), np.float32)
    todo = [(np.arange(len(points)), 0, side, 0, side)] if len(points) else []
    while todo:
        rows, left, right, top, bottom = todo.pop()
        wide, tall = right - left, bottom - top
        if wide * tall == 1:
            middles[rows] = (left + 0.5) / side, (top + 0.5) / side
            continue
        axis = 0 if wide >= tall else 1
        cells = (wide // 2) * tall if axis == 0 else wide * (tall // 2)
        first = round(len(rows) * cells / (wide * tall))
        first = min(max(first, len(rows) - (wide * tall - cells)), cells, len(rows))
        rows = rows[np.argsort(points[rows, axis], kind="stable")]
        middle = left + wide // 2 if axis == 0 else top + tall // 2
        halves = (
            [(rows[:first], left, middle, top, bottom), (rows[first:], middle, right, top, bottom)]
            if axis == 0
            else [(rows[:first], left, right, top, middle), (rows[first:], left, right, middle, bottom)]
        )
        todo += [half for half in halves if len(half[0])]
    return middles, 1 / side

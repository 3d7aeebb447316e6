"""Where pictures stand on a map: near those that they are like, scattered or in rows and columns."""

from __future__ import annotations

import numpy as np

DIMENSIONS = 50  # principal components that t-SNE is given, as its authors do
FEWEST = 5  # points of which t-SNE makes anything
PERPLEXITY = 30.0


def cloud(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Points of a plane, near one another where the vectors are: t-SNE (van der Maaten and Hinton 2008).

    Args:
        vectors: (n, width) floats.

    Returns:
        (n, 2) float32 in [0, 1], the same for the same seed; fewer than `FEWEST` vectors stand in a row.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    count, width = vectors.shape
    if count < FEWEST:
        return np.column_stack([(np.arange(count) + 0.5) / count, np.full(count, 0.5)]).astype(np.float32)
    points = np.ascontiguousarray(vectors, dtype=np.float32)
    if width > DIMENSIONS < count:
        points = PCA(DIMENSIONS, svd_solver="covariance_eigh", random_state=seed).fit_transform(points)
    perplexity = min(PERPLEXITY, (count - 1) / 3)
    start = "pca" if points.shape[1] > 1 and np.ptp(points, axis=0).max() > 0 else "random"
    return framed(TSNE(perplexity=perplexity, init=start, random_state=seed, n_jobs=-1).fit_transform(points))


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

"""The spaces that baselines cluster in and scores are taken in: pixels, their principal components, an embedding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from keras_art.report.placement import plane

THUMBNAIL = 32  # pixels
CHUNK = 512  # pictures averaged at a time
WORTH_THREADS = 5_000_000  # numbers


def thumbnails(pixels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Pictures averaged down to at most 32 pixels a side, so that a collection fits into memory whatever its size.

    Args:
        pixels: (stored rows, size, size, 3) uint8.
        rows: (n,), the pictures that are meant.

    Returns:
        (n, side * side * 3) float32 in [0, 1]; pictures of 32 pixels or fewer are kept as they are.
    """
    size = pixels.shape[1]
    block = next(b for b in range(max(1, -(-size // THUMBNAIL)), size + 1) if size % b == 0)
    side = size // block
    out = np.empty((len(rows), side * side * 3), np.float32)
    for start in range(0, len(rows), CHUNK):
        part = pixels[rows[start : start + CHUNK]].reshape(-1, side, block, side, block, 3)
        out[start : start + CHUNK] = part.mean(axis=(2, 4), dtype=np.float32).reshape(len(part), -1) / 255
    return out


def principal_components(points: np.ndarray, dimensions: int, seed: int) -> np.ndarray:
    """The first principal components, (n, at most `dimensions`) float32."""
    from sklearn.decomposition import PCA

    return PCA(min(dimensions, *points.shape), random_state=seed).fit_transform(points).astype(np.float32)


def kmeans(points: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """k-means as the papers have it, the best of 20 starts.

    Returns:
        Labels (n,) in [0, k), and centroids (k, dimensions). Where there are fewer than k different points, some
        clusters stay empty, and `too_few` says so.
    """
    return kmeans_of([(points, k)], seed)[0]


def too_few(labels: np.ndarray, k: int) -> str:
    """That there are fewer different points than clusters, in words; "" where there are enough."""
    different = len(np.unique(labels))
    return f"k-means found {different} clusters, not {k}: there are no more different points" if different < k else ""


def kmeans_of(
    asked: Sequence[tuple[np.ndarray, int]], seed: int, *, n_init: int = 20, threads: int = 1
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The same of several sets of points, each with its k, in their order.

    Args:
        threads: how many are at work at once; it changes no result.
    """
    import warnings

    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    def fitted(pair: tuple[np.ndarray, int]) -> tuple[np.ndarray, np.ndarray]:
        points, k = pair
        model: Any = KMeans(k, n_init=n_init, random_state=seed).fit(points)
        return model.labels_, model.cluster_centers_

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = iter(_side_by_side(fitted, [pair for pair in asked if pair[0].size < WORTH_THREADS], threads))
        return [next(found) if pair[0].size < WORTH_THREADS else fitted(pair) for pair in asked]


def on_planes(sets: Sequence[np.ndarray], threads: int = 1) -> list[np.ndarray]:
    """Sets of points (n, dimensions) as `placement.plane` lays each out, (n, 2).

    Args:
        threads: how many are at work at once; it changes no result.
    """
    return _side_by_side(plane, sets, threads)


def _side_by_side(fit: Callable[[Any], Any], sets: Sequence[Any], threads: int) -> list[Any]:
    """`fit` of each, by one thread each and so many at once.

    Several threads that share one add its numbers up in an order of their own, and wait for each other most of the
    time where there are few, on a busy machine for minutes.
    """
    from threadpoolctl import threadpool_limits

    # OpenMP's limit is that of the thread that sets it, BLAS's that of the process.
    with threadpool_limits(1), ThreadPoolExecutor(threads, initializer=threadpool_limits, initargs=(1,)) as pool:
        return list(pool.map(fit, sets))

"""Which vectors are nearest to which: compared one by one, or by an index where that would take hours."""

from __future__ import annotations

import numpy as np

from keras_art.errors import UserError
from keras_art.terminal import say

MOST_PAIRS = 10**10  # that are compared one by one: all with all, of 100,000
BLOCK = 1 << 24  # of those at a time, 64 MiB


def directions(vectors: np.ndarray) -> np.ndarray:
    """Vectors (n, width) at length one, float32; one of zeros stays what it is."""
    given = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(given, axis=1, keepdims=True)
    return given / np.where(lengths > 0, lengths, 1)


def nearest(
    points: np.ndarray, queries: np.ndarray, k: int, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The points nearest to each query by the angle between them.

    Exact up to `MOST_PAIRS`, beyond that by an index that finds nearly all of them.

    Args:
        points: (n, width) `directions`.
        queries: (m, width) `directions`.
        k: how many; fewer where there are fewer points.
        own: (m,) the place among the points of each query itself, which is none of its neighbours; -1 for none.

    Returns:
        Places (m, k) int64, the nearest first, of two that are equally near the one that comes first; -1 where there
        are no more; and distances (m, k) float32: 1 less the cosine, from 0 to 2, infinite where there is no point.

    Raises:
        UserError: an index is needed and not installed.
    """
    own = np.full(len(queries), -1) if own is None else np.asarray(own)
    if len(points) * len(queries) > MOST_PAIRS:
        return _by_index(points, queries, k, own)
    places = np.full((len(queries), k), -1, np.int64)
    distances = np.full((len(queries), k), np.inf, np.float32)
    most = min(k, len(points))
    step = max(1, BLOCK // max(1, len(points)))
    for start in range(0, len(queries) if most else 0, step):
        part = slice(start, start + step)
        far = 1 - queries[part] @ points.T
        itself = np.flatnonzero(own[part] >= 0)
        far[itself, own[part][itself]] = np.inf
        # Last digits differ with the shape of a block: what is the same to six is equally far.
        far = np.maximum(np.round(far, 6), 0)
        found = np.argpartition(far, most - 1, axis=1)[:, :most]
        found.sort(axis=1)
        order = np.argsort(np.take_along_axis(far, found, axis=1), axis=1, kind="stable")
        found = np.take_along_axis(found, order, axis=1)
        distances[part, :most] = np.take_along_axis(far, found, axis=1)
        places[part, :most] = np.where(np.isfinite(distances[part, :most]), found, -1)
    return places, distances


def _by_index(points: np.ndarray, queries: np.ndarray, k: int, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    try:
        from usearch.index import Index
    except ImportError as error:
        raise UserError(
            f"the nearest of {len(points):,} pictures to each of {len(queries):,} are found by an index, which is not "
            f"installed: pip install usearch"
        ) from error
    say(f"nearest neighbours of {len(queries):,} pictures by an index, which finds nearly all of them")
    index = Index(
        ndim=points.shape[1], metric="cos", dtype="f32", connectivity=24, expansion_add=128, expansion_search=96
    )
    index.add(np.arange(len(points)), points)
    found = index.search(queries, min(k + 1, len(points)))
    keys, far = found.keys.astype(np.int64), found.distances.astype(np.float32)
    # The query itself goes behind all others, and out with the last.
    far = np.where(keys == own[:, None], np.inf, np.maximum(np.round(far, 6), 0))
    order = np.argsort(far, axis=1, kind="stable")[:, :k]
    places, distances = np.take_along_axis(keys, order, axis=1), np.take_along_axis(far, order, axis=1)
    places = np.where(np.isfinite(distances), places, -1)
    lacking = k - places.shape[1]
    return (
        np.pad(places, ((0, 0), (0, lacking)), constant_values=-1),
        np.pad(distances, ((0, 0), (0, lacking)), constant_values=np.inf),
    )

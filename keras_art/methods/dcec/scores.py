"""How good a clustering is: with labels, without them, and how many clusters there should be.

NumPy in, floats out; None where a score is not defined.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from keras_art.methods.dcec.spaces import kmeans_of

MOST_FOR_SILHOUETTE = 20_000  # above, a seeded sample of so many points: the silhouette is quadratic


def contingency(first: np.ndarray, second: np.ndarray, rows: int = 0, columns: int = 0) -> np.ndarray:
    """Counts: row = cluster in `first`, column = cluster in `second`; at least (rows, columns), some being empty."""
    counts = np.zeros((max(rows, int(first.max()) + 1), max(columns, int(second.max()) + 1)), np.int64)
    np.add.at(counts, (first, second), 1)
    return counts


def agreement(labels: np.ndarray, clusters: np.ndarray) -> dict[str, float]:
    """How well clusters recover labels.

    Args:
        labels: (n,) integers from 0.
        clusters: (n,) integers from 0.

    Returns:
        `accuracy`: the share of images whose cluster is matched with their label, each cluster with one label at most,
        by the matching that makes it largest (Hungarian method); `nmi`: mutual information over the arithmetic mean of
        the entropies; `ari`: the adjusted Rand index, 0 for chance.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    counts = contingency(clusters, labels)
    return {
        "accuracy": float(counts[linear_sum_assignment(-counts)].sum() / len(labels)),
        "nmi": float(normalized_mutual_info_score(labels, clusters)),
        "ari": float(adjusted_rand_score(labels, clusters)),
    }


def separation(points: np.ndarray, clusters: np.ndarray) -> dict[str, float | None]:
    """How far apart clusters lie in a space: `silhouette`, the mean in [-1, 1], and `calinski_harabasz`.

    West prints Calinski-Harabasz with (N - 1) / (k - 1); it is (N - k) / (k - 1), here and in scikit-learn.
    Both are None for fewer than two clusters, or as many as points.
    """
    from sklearn.metrics import calinski_harabasz_score, silhouette_score

    if not 2 <= len(np.unique(clusters)) < len(points):
        return {"silhouette": None, "calinski_harabasz": None}
    sample = MOST_FOR_SILHOUETTE if len(points) > MOST_FOR_SILHOUETTE else None
    return {
        "silhouette": float(silhouette_score(points, clusters, sample_size=sample, random_state=0)),
        "calinski_harabasz": float(calinski_harabasz_score(points, clusters)),
    }


def telling(columns: pd.DataFrame) -> pd.DataFrame:
    """The label columns that say something of a clustering: more than one value, and not one for each picture."""
    return columns[[name for name in columns if 1 < columns[name].nunique() < len(columns)]]


def score_table(
    columns: pd.DataFrame,
    clusterings: Mapping[str, np.ndarray],
    spaces: Mapping[str, np.ndarray],
    formats: pd.DataFrame,
) -> pd.DataFrame:
    """One row per clustering, None where a score is not defined.

    Args:
        columns: label columns, one row per image.
        clusterings: method -> cluster of each image (images,).
        spaces: name -> points (images, dimensions); in "learned", which was trained to cluster, only "dcec" is scored.
        formats: what is no label, in groups: one column of integers per property, one row per image.

    Returns:
        Columns method; silhouette_SPACE and calinski_harabasz_SPACE for every space; accuracy_LABEL, nmi_LABEL and
        ari_LABEL for every label column; format_PROPERTY, the mutual information (NMI) with every property.
    """
    rows = []
    codes = {name: pd.factorize(columns[name], sort=True)[0] for name in columns}
    for method, clusters in clusterings.items():
        row: dict[str, Any] = {"method": method}
        for space, points in spaces.items():
            if space != "learned" or method == "dcec":
                row |= {f"{name}_{space}": value for name, value in separation(points, clusters).items()}
        for name, labels in codes.items():
            row |= {f"{score}_{name}": value for score, value in agreement(labels, clusters).items()}
        for name in formats:
            row[f"format_{name}"] = agreement(formats[name].to_numpy(), clusters)["nmi"]
        rows.append(row)
    return pd.DataFrame(rows)


def gap_statistic(
    points: np.ndarray,
    *,
    most: int = 20,
    references: int = 30,
    n_init: int = 10,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int], None] = lambda done, all: None,
) -> pd.DataFrame:
    """Tibshirani, Walther, Hastie 2001: how much tighter k clusters are than k clusters of noise in the same box.

    Gap(k) = mean_b log W_kb - log W_k, where W is the sum of squared distances to the own centroid; the B references
    are uniform in the points' bounding box; the standard error is sd_b sqrt(1 + 1 / B). R's clusGap, which West used,
    takes distances instead of their squares unless told otherwise.

    Args:
        most: k = 1 ... most.
        references: B.
        n_init: starts of each k-means.
        threads: how many k-means are at work at once; it changes no number.

    Returns:
        Columns k, log_w, expected, gap, se.
    """
    rng = np.random.default_rng(seed)
    low, high = points.min(axis=0), points.max(axis=0)
    clouds = [points, *(rng.uniform(low, high, points.shape).astype(points.dtype) for _ in range(references))]
    ks = range(1, min(most, len(points) - 1) + 1)
    log_w = np.empty((len(clouds), len(ks)))
    for i, cloud in enumerate(clouds):
        found = kmeans_of([(cloud, k) for k in ks], seed, n_init=n_init, threads=threads)
        for j, (labels, centroids) in enumerate(found):
            # Identical points have no spread at all: the smallest number stands for log 0.
            within = float(((cloud - centroids[labels]).astype(np.float64) ** 2).sum())
            log_w[i, j] = np.log(max(within, np.finfo(np.float64).tiny))
        progress(i + 1, len(clouds))
    expected = log_w[1:].mean(axis=0)
    se = log_w[1:].std(axis=0) * np.sqrt(1 + 1 / references)
    return pd.DataFrame({"k": list(ks), "log_w": log_w[0], "expected": expected, "gap": expected - log_w[0], "se": se})


def gap_choice(gap: pd.DataFrame) -> int | None:
    """Tibshirani's rule: the smallest k with Gap(k) >= Gap(k + 1) - se(k + 1); None where there is none."""
    enough = gap["gap"].to_numpy()[:-1] >= (gap["gap"] - gap["se"]).to_numpy()[1:]
    return int(gap["k"].iloc[enough.argmax()]) if enough.any() else None


def stability(clusterings: Sequence[np.ndarray]) -> float | None:
    """The mean adjusted Rand index of all pairs of clusterings of the same images; None for fewer than two."""
    from sklearn.metrics import adjusted_rand_score

    pairs = [adjusted_rand_score(a, b) for a, b in itertools.combinations(clusterings, 2)]
    return float(np.mean(pairs)) if pairs else None


def found_formats(row: Mapping[str, Any], least: float = 0.1) -> list[str]:
    """Says that a clustering follows what is no label, by `least` or more, and no label better.

    Args:
        row: of a `score_table`.
    """

    def largest(beginning: str) -> tuple[float, str]:
        found = [(value, name.removeprefix(beginning)) for name, value in row.items() if name.startswith(beginning)]
        return max(found, default=(0.0, ""))

    (shape, form), (best, label) = largest("format_"), largest("nmi_")
    if shape < max(least, best):
        return []
    than = f", {label} by {best:.2f}" if label else ""
    remedy = ": --resize trim cuts borders off" if form in ("aspect", "border") else ""
    return [f"its clusters follow the pictures' {form} (NMI {shape:.2f}{than}){remedy}"]


def warnings_of(clusters: np.ndarray, k: int, z: np.ndarray | None = None) -> list[str]:
    """What a person must know before looking at a clustering: empty clusters, one that has nearly all, a collapse.

    Args:
        clusters: (n,) integers in [0, k).
        z: (n, dimensions), the embedding, if it was trained.
    """
    sizes = np.bincount(clusters, minlength=k)
    found = []
    if empty := [str(i + 1) for i in np.flatnonzero(sizes == 0)]:
        remedy = "" if z is None else " (a longer pretraining, --epochs, may fill them)"
        found.append(f"{len(empty)} of {k} clusters are empty: {', '.join(empty)}{remedy}")
    if k > 1 and sizes.max() > 0.9 * len(clusters):
        found.append(f"cluster {sizes.argmax() + 1} holds {sizes.max() / len(clusters):.0%} of all images")
    if z is not None and z.std(axis=0).max() < 1e-3 * max(1.0, float(np.abs(z).max())):
        found.append("the embedding has collapsed: all images lie in one point")
    return found

"""What DCEC is compared with: k-means on its pretrained embedding, on pixels, and on a frozen backbone's features."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_art.data.tasks import Ready
from keras_art.learning import features
from keras_art.methods.dcec import spaces
from keras_art.networks import backbones
from keras_art.store.runs import Store
from keras_art.study.config import Artefact
from keras_art.study.files import network_file
from keras_art.study.kinds.clustering import ClusteringRun


def check_backbones(store: Store, runs: Sequence[ClusteringRun]) -> None:
    """Builds every backbone of some runs, once.

    Raises:
        BadBackbone: one can not be used.
    """
    with_backbone = [run for run in runs if run.backbone]
    for run in {(run.backbone, run.preprocessing, run.image_size): run for run in with_backbone}.values():
        load_backbone(store, run)


def load_backbone(store: Store, run: ClusteringRun) -> backbones.Backbone:
    """A run's backbone with its ImageNet weights, or a file or preset of the store with its own.

    Raises:
        BadBackbone: it can not be used.
    """
    return backbones.load_backbone(
        network_file(store, run.backbone),
        image_size=run.image_size,
        weights="own" if isinstance(run.backbone, Artefact) else "imagenet",
        preprocessing=run.preprocessing,
    )


def cluster_baselines(
    store: Store, run: ClusteringRun, ready: Ready, embedding: np.ndarray, pca: np.ndarray, notes: list[str]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Clusters by k-means in every space that DCEC does not train.

    Args:
        embedding: (images, dimensions), the pretrained one.
        pca: (images, dimensions), principal components of the pixels.
        notes: takes what a person should know, behind the name of the baseline that it is about.

    Returns:
        Baseline -> cluster of each image (images,); and the centroids (k, dimensions) on the embedding, which DCEC
        begins with.
    """
    points = {
        "kmeans_embedding": embedding,
        "kmeans_pca": pca,
        "kmeans_pixels": spaces.thumbnails(ready.pixels, ready.rows),
    }
    if run.backbone:
        points["kmeans_backbone"] = _backbone_features(store, run, ready)
    asked = [(where, run.k) for where in points.values()]
    found = dict(zip(points, spaces.kmeans_of(asked, run.seed, threads=store.threads), strict=True))
    notes += [f"{name}: {line}" for name, (labels, _) in found.items() if (line := spaces.too_few(labels, run.k))]
    return {name: labels for name, (labels, _) in found.items()}, found["kmeans_embedding"][1]


def _backbone_features(store: Store, run: ClusteringRun, ready: Ready) -> np.ndarray:
    name = f"{Path(str(run.backbone)).stem}-clustering-{run.image_size}-{run.resize}-{run.preprocessing}"
    inputs, rows = features.cached_features(
        store.root / "cache" / "features" / name,
        functools.partial(load_backbone, store, run),
        ready.pixels,
        ready.rows,
        ready.sha256,
    )
    return np.asarray(inputs[rows])

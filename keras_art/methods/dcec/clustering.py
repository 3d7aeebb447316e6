"""One run, from pixels to assignments: an autoencoder that many share, or a clustering with its baselines beside it."""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from keras_art.data import pictures
from keras_art.data.pictures import Pictures
from keras_art.errors import UserError
from keras_art.learning import features, training
from keras_art.methods.dcec import joint, scores, spaces
from keras_art.methods.dcec.kinds import ClusterRun
from keras_art.methods.dcec.network import autoencoder
from keras_art.networks import backbones
from keras_art.networks.loading import load_model
from keras_art.networks.trained import ModelCard, provenance, save
from keras_art.pictures.pipeline import Batches
from keras_art.store.runs import Store
from keras_art.writing import write, write_arrays, write_model

Tell = Callable[[str, float], None]


def check(ready: Pictures, k: int) -> None:
    """Refuses what can not be clustered, before anything is trained.

    Raises:
        UserError: fewer images than clusters, or images which are all the same.
    """
    if k > len(ready.table):
        raise UserError(
            f"--k {k} needs at least {k} images, {ready.key} has {len(ready.table)}: ask for fewer clusters"
        )
    if len(set(ready.sha256)) == 1 or not spaces.thumbnails(ready.pixels, ready.rows).std(axis=0).any():
        raise UserError(f"all {len(ready.table)} images of {ready.key} look the same: there is nothing to cluster")


def carry_out(store: Store, run: ClusterRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """Carries out one run in its directory; the same call continues what was stopped.

    Args:
        tell: called with a line for people and the share of the run that is done.

    Returns:
        What `metrics.json` holds; "diverged" where training did not stay finite.
    """
    started = time.monotonic()
    training.make_deterministic(run.seed)
    ready = pictures.load(store, run.collection, run.image_size, run.resize)
    images = Batches(
        ready.pixels,
        ready.rows,
        np.zeros(len(ready.rows), np.int32),
        run.batch_size,
        run.seed if run.order == "shuffled" else None,
    )
    found = (_pretraining if run.mode == "pretraining" else _clustering)(store, run, folder, ready, images, tell)
    return {**found, "n_images": len(ready.table), "seconds": round(time.monotonic() - started, 2)}


def _pretraining(
    store: Store, run: ClusterRun, folder: Path, ready: Pictures, images: Batches, tell: Tell
) -> dict[str, Any]:
    """Writes `autoencoder.keras`, `spaces.npz` (embedding, pca), `history.csv` and `gap.csv`."""
    model = joint.Autoencoder(
        *autoencoder(run.image_size, channels=run.channels, embedding=run.embedding, activation=run.activation)
    )
    model.compile(keras.optimizers.Adam(run.learning_rate))
    share = 0.9 if run.gap_references else 1.0
    began = time.monotonic()
    losses = joint.pretrain(
        model,
        images,
        epochs=run.epochs,
        checkpoint=folder / "checkpoint" / "epoch.npz",
        restore_best=run.keep == "best",
        on_epoch=lambda epoch, loss: tell(
            f"epoch {epoch} of {run.epochs}, reconstruction {loss:.5f}", share * epoch / run.epochs
        ),
    )
    trained = round(time.monotonic() - began, 2)
    history = pd.DataFrame({"epoch": range(1, len(losses) + 1), "reconstruction_loss": losses})
    write(folder / "history.csv", history.to_csv(index=False))
    facts = {
        "status": "ok" if np.isfinite(losses).all() else "diverged",
        "reconstruction_loss": min(losses) if run.keep == "best" else losses[-1],
        "parameters": model.count_params(),
        "steps": len(losses) * len(images),
        "training_seconds": trained,
        "gap_k": None,
    }
    if facts["status"] == "diverged":
        return facts
    in_order = Batches(ready.pixels, ready.rows, images.labels, run.batch_size)
    embedding = model.encoder.predict(in_order.epochs(), verbose=0)
    pca = spaces.principal_components(spaces.thumbnails(ready.pixels, ready.rows), run.embedding, run.seed)
    write_arrays(folder / "spaces.npz", {"embedding": embedding, "pca": pca})
    write_model(folder / "autoencoder.keras", joint.Autoencoder(model.encoder, model.decoder))
    if run.gap_references:
        gap = scores.gap_statistic(
            embedding,
            references=run.gap_references,
            seed=run.seed,
            progress=lambda done, all: tell(f"gap statistic, {done} of {all} sets of points", 0.9 + 0.1 * done / all),
        )
        write(folder / "gap.csv", gap.to_csv(index=False))
        facts["gap_k"] = scores.gap_choice(gap)
    return facts


def _clustering(
    store: Store, run: ClusterRun, folder: Path, ready: Pictures, images: Batches, tell: Tell
) -> dict[str, Any]:
    """Writes `model.keras`, `assignments.csv`, `baselines.csv`, `updates.csv`, `scores.csv` and `embeddings.npz`."""
    source = pretraining_folder(store, run)
    if not (source / "autoencoder.keras").exists():
        return {"status": "diverged", "stop": "its pretraining diverged", "steps": 0, "training_seconds": 0.0}
    with np.load(source / "spaces.npz") as stored:
        embedding, pca = stored["embedding"], stored["pca"]
    notes: list[str] = []
    baselines, centroids = _baselines(store, run, ready, embedding, pca, notes)
    lambda_r, lambda_c = joint.loss_weights(run.gamma, run.convention)
    pretrained = load_model(source / "autoencoder.keras")
    model = joint.DCEC(pretrained.encoder, pretrained.decoder, run.k, lambda_r, lambda_c, run.alpha)
    model.compile(keras.optimizers.Adam(run.learning_rate))

    def on_update(update: joint.Update) -> None:
        number = update.iteration // run.update_interval
        if number & (number - 1) == 0:  # 0, 1, 2, 4, 8 ...: a film of a few pictures
            path = folder / "checkpoint" / f"update-{update.iteration}.npz"
            write_arrays(path, {"z": update.z, "clusters": update.q.argmax(axis=1)})
        losses = "".join(f", {name.removesuffix('_loss')} {value:.5f}" for name, value in update.losses.items())
        share = 0.05 + 0.95 * update.iteration / run.max_iterations  # the baselines come first
        tell(f"iteration {update.iteration}, {update.changed:.2%} changed{losses}", share)

    began = time.monotonic()
    ended = model.cluster(
        images,
        centroids,
        baselines["kmeans_embedding"],
        update_interval=run.update_interval,
        tol=run.tol,
        max_iterations=run.max_iterations,
        checkpoint=folder / "checkpoint" / "update.npz",
        on_update=on_update,
    )
    trained = round(time.monotonic() - began, 2)
    write(folder / "updates.csv", pd.DataFrame(ended.history).to_csv(index=False))
    facts: dict[str, Any] = {
        "status": "diverged" if ended.stop == "diverged" else "ok",
        "stop": ended.stop,
        "steps": ended.iterations,
        "training_seconds": trained,
        "lambda_r": lambda_r,
        "lambda_c": lambda_c,
    }
    if ended.stop == "diverged":
        return facts
    _save_clustering(model, run, facts, folder / "model.keras")
    clusters = ended.q.argmax(axis=1)
    write(folder / "assignments.csv", assignments(ready.table, ended.q).to_csv(index=False))
    write(folder / "baselines.csv", pd.DataFrame({"id": ready.table["id"], **baselines}).to_csv(index=False))
    films = sorted((folder / "checkpoint").glob("update-*.npz"), key=lambda path: int(path.stem.split("-")[1]))
    films = [path for path in films if int(path.stem.split("-")[1]) < ended.iterations]
    arrays = {
        "iterations": np.array([*(int(path.stem.split("-")[1]) for path in films), ended.iterations]),
        "z": np.stack([*(np.load(path)["z"] for path in films), ended.z]),
        "clusters": np.stack([*(np.load(path)["clusters"] for path in films), clusters]),
        "q": ended.q,
    }
    write_arrays(folder / "embeddings.npz", arrays)
    fixed = {"embedding": embedding, "pca": pca}
    table = score_table(ready, {"dcec": clusters, **baselines}, {"learned": ended.z, **fixed})
    write(folder / "scores.csv", table.to_csv(index=False))
    return {
        **facts,
        "sizes": np.bincount(clusters, minlength=run.k).tolist(),
        "notes": notes + scores.warnings_of(clusters, run.k, ended.z),
        "scores": json.loads(table.set_index("method").to_json(orient="index")),
    }


def _baselines(
    store: Store, run: ClusterRun, ready: Pictures, embedding: np.ndarray, pca: np.ndarray, notes: list[str]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The clusters of every baseline, and k-means' centroids on the embedding, which DCEC begins with."""
    points = {
        "kmeans_embedding": embedding,
        "kmeans_pca": pca,
        "kmeans_pixels": spaces.thumbnails(ready.pixels, ready.rows),
    }
    if run.backbone:
        points["kmeans_backbone"] = _backbone_features(store, run, ready)
    found = {name: spaces.kmeans(where, run.k, run.seed, told=notes.append) for name, where in points.items()}
    return {name: labels for name, (labels, _) in found.items()}, found["kmeans_embedding"][1]


def _backbone_features(store: Store, run: ClusterRun, ready: Pictures) -> np.ndarray:
    name = f"{Path(run.backbone).stem}-clustering-{run.image_size}-{run.resize}-{run.preprocessing}"
    inputs, rows = features.cached_features(
        store.root / "cache" / "features" / name,
        functools.partial(load_backbone, store, run.backbone, run.preprocessing, run.image_size),
        ready.pixels,
        ready.rows,
        ready.sha256,
    )
    return np.asarray(inputs[rows])


def load_backbone(store: Store, backbone: str, preprocessing: str, image_size: int) -> backbones.Backbone:
    """A network with its ImageNet weights, or a `.keras` file of the store's cache with its own.

    Raises:
        BadBackbone: it can not be used.
    """
    kept = backbone.endswith(".keras")
    return backbones.load_backbone(
        str(store.root / "cache" / "weights" / backbone) if kept else backbone,
        image_size=image_size,
        weights="own" if kept else "imagenet",
        preprocessing=preprocessing,
    )


def score_table(ready: Pictures, clusterings: dict[str, np.ndarray], fixed: dict[str, np.ndarray]) -> pd.DataFrame:
    """One row per clustering, None where a score is not defined.

    Columns: method; silhouette_SPACE and calinski_harabasz_SPACE for every space (in "learned", which was trained to
    cluster, for "dcec" alone); accuracy_LABEL, nmi_LABEL, ari_LABEL for every label column.
    """
    rows = []
    codes = {name: pd.factorize(ready.table[name], sort=True)[0] for name in ready.labels}
    for method, clusters in clusterings.items():
        row: dict[str, Any] = {"method": method}
        for space, points in fixed.items():
            if space != "learned" or method == "dcec":
                row |= {f"{name}_{space}": value for name, value in scores.separation(points, clusters).items()}
        for name, labels in codes.items():
            row |= {f"{score}_{name}": value for score, value in scores.agreement(labels, clusters).items()}
        rows.append(row)
    return pd.DataFrame(rows)


def assignments(table: pd.DataFrame, q: np.ndarray) -> pd.DataFrame:
    """id, cluster (from 1), probability (the largest q), and the label columns."""
    first = pd.DataFrame({"id": table["id"], "cluster": q.argmax(axis=1) + 1, "probability": q.max(axis=1)})
    return pd.concat([first, table.drop(columns=["id", "path"], errors="ignore")], axis=1)


def pretraining_folder(store: Store, run: ClusterRun) -> Path:
    """The directory of the autoencoder that a clustering begins with."""
    return next((store.root / run.paper).glob(f"*-{run.weights.removeprefix('run:')}"))


def _save_clustering(model: joint.DCEC, run: ClusterRun, facts: dict[str, Any], path: Path) -> None:
    kept = joint.DCEC(
        model.encoder, model.decoder, model.clustering.clusters, model.lambda_r, model.lambda_c, model.clustering.alpha
    )
    kept.clustering.centroids.assign(model.clustering.centroids)
    names = {"cluster": [str(number) for number in range(1, run.k + 1)]}
    card = ModelCard(names, "unit", run.resize, run.image_size, facts, provenance(dataclasses.asdict(run)))
    save(kept, path, card)

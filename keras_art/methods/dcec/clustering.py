"""One run, from pixels to assignments: an autoencoder that many share, or a clustering with its baselines beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from keras_art.data import tasks
from keras_art.data.tasks import Ready
from keras_art.errors import UserError
from keras_art.learning import training
from keras_art.methods.dcec import joint, objective, scores, spaces
from keras_art.methods.dcec.baselines import cluster_baselines
from keras_art.methods.dcec.formats import formats
from keras_art.methods.dcec.network import autoencoder
from keras_art.networks.loading import load_model
from keras_art.networks.trained import ModelCard, provenance, save
from keras_art.pictures.pipeline import Batches
from keras_art.store.reading import read_arrays
from keras_art.store.runs import Store
from keras_art.study.config import BadRun
from keras_art.study.kinds.clustering import ClusteringRun
from keras_art.study.records import has_diverged, readable
from keras_art.terminal import Tell
from keras_art.writing import csv_text, write, write_arrays, write_model


def check(ready: Ready, k: int) -> None:
    """Refuses what can not be clustered, before anything is trained.

    Raises:
        UserError: fewer images than clusters, or images which are all the same.
    """
    if k > len(ready.rows):
        raise UserError(
            f"--k {k} needs at least {k} images, {ready.task.key} has {len(ready.rows)}: ask for fewer clusters"
        )
    if len(set(ready.sha256)) == 1 or not spaces.thumbnails(ready.pixels, ready.rows).std(axis=0).any():
        raise UserError(f"all {len(ready.rows)} images of {ready.task.key} look the same: there is nothing to cluster")


def pretraining(store: Store, run: ClusteringRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """Trains the autoencoder of some pictures; the same call continues what was stopped.

    Writes `autoencoder.keras`, `spaces.npz` (embedding, pca), `history.csv` and `gap.csv`.

    Args:
        tell: called with a line for people and the share of the run that is done.

    Returns:
        What `metrics.json` holds; "diverged" where training did not stay finite.
    """
    return _carry_out(store, run, folder, tell, _pretrained)


def dcec(store: Store, run: ClusteringRun, folder: Path, tell: Tell) -> dict[str, Any]:
    """Clusters some pictures, beginning with a pretrained autoencoder; the same call continues what was stopped.

    Writes `model.keras`, `assignments.csv`, `baselines.csv`, `updates.csv`, `scores.csv` and `embeddings.npz`.

    Args:
        tell: called with a line for people and the share of the run that is done.

    Returns:
        What `metrics.json` holds; "diverged" where this training, or its pretraining, did not stay finite.
    """
    return _carry_out(store, run, folder, tell, _clustered)


def _carry_out(
    store: Store, run: ClusteringRun, folder: Path, tell: Tell, how: Callable[..., dict[str, Any]]
) -> dict[str, Any]:
    started = time.monotonic()
    training.make_deterministic(run.seed)
    ready = tasks.load(store, run.collection, run.image_size, run.resize)
    images = Batches(
        ready.pixels,
        ready.rows,
        np.zeros(len(ready.rows), np.int32),
        run.batch_size,
        run.seed if run.order == "shuffled" else None,
    )
    found = how(store, run, folder, ready, images, tell)
    return {**found, "n_images": len(ready.rows), "seconds": round(time.monotonic() - started, 2)}


def _pretrained(
    store: Store, run: ClusteringRun, folder: Path, ready: Ready, images: Batches, tell: Tell
) -> dict[str, Any]:
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
            threads=store.threads,
            progress=lambda done, all: tell(f"gap statistic, {done} of {all} sets of points", 0.9 + 0.1 * done / all),
        )
        write(folder / "gap.csv", gap.to_csv(index=False))
        facts["gap_k"] = scores.gap_choice(gap)
    return facts


def _clustered(
    store: Store, run: ClusteringRun, folder: Path, ready: Ready, images: Batches, tell: Tell
) -> dict[str, Any]:
    if run.weights is None:
        raise BadRun(f"{folder} names no pretraining: a clustering begins with the weights of one")
    source = store.find(run.weights)
    if has_diverged(store, run.weights):
        return {"status": "diverged", "stop": "its pretraining diverged", "steps": 0, "training_seconds": 0.0}
    stored = read_arrays(source / "spaces.npz")
    embedding, pca = stored["embedding"], stored["pca"]
    notes: list[str] = []
    baselines, centroids = cluster_baselines(store, run, ready, embedding, pca, notes)
    lambda_r, lambda_c = objective.loss_weights(run.gamma, run.convention)
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
        changed = f"{update.changed:.2%} changed" if update.iteration else "the clusters of k-means"
        tell(f"iteration {update.iteration}, {changed}{losses}", share)

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
    write(
        folder / "assignments.csv",
        csv_text(assignments(ready.task.images["id"], ended.q, ready.task.columns)),
    )
    write(folder / "baselines.csv", csv_text(pd.DataFrame({"id": ready.task.images["id"], **baselines})))
    write_arrays(folder / "embeddings.npz", {**_film(folder / "checkpoint", ended), "q": ended.q})
    labels = scores.telling(ready.task.columns)
    fixed = {"embedding": embedding, "pca": pca}
    looks = formats(store, run, ready)
    table = scores.score_table(labels, {"dcec": clusters, **baselines}, {"learned": ended.z, **fixed}, looks)
    wrong = scores.warnings_of(clusters, run.k, ended.z)
    write(folder / "scores.csv", table.to_csv(index=False))
    return {
        **facts,
        "classes": {name: int(labels[name].nunique()) for name in labels},
        "sizes": np.bincount(clusters, minlength=run.k).tolist(),
        "sound": not wrong,
        "notes": notes + wrong + scores.found_formats(table.iloc[0].dropna().to_dict()),
        "scores": json.loads(table.set_index("method").to_json(orient="index")),
    }


def _film(folder: Path, ended: joint.Clustering) -> dict[str, np.ndarray]:
    """The embedding and the clusters as they were at some iterations, and at the last."""
    paths = {int(path.stem.split("-")[1]): path for path in folder.glob("update-*.npz")}
    earlier = sorted(iteration for iteration in paths if iteration < ended.iterations)
    frames = readable(earlier, lambda iteration: (iteration, read_arrays(paths[iteration], "the film goes on without")))
    return {
        "iterations": np.array([*(iteration for iteration, _ in frames), ended.iterations]),
        "z": np.stack([*(frame["z"] for _, frame in frames), ended.z]),
        "clusters": np.stack([*(frame["clusters"] for _, frame in frames), ended.q.argmax(axis=1)]),
    }


def assignments(ids: Iterable[str], q: np.ndarray, columns: pd.DataFrame) -> pd.DataFrame:
    """id, cluster (from 1), probability (the largest q), and the collection's own columns.

    One of those that is called as one of ours is called `NAME (given)` here.

    Args:
        q: (images, clusters).
        columns: one row per image, in the order of `ids`.
    """
    found = pd.DataFrame({"id": list(ids), "cluster": q.argmax(axis=1) + 1, "probability": q.max(axis=1)})
    given = columns.rename(columns={name: f"{name} (given)" for name in found})
    return pd.concat([found, given.reset_index(drop=True)], axis=1)


def _save_clustering(model: joint.DCEC, run: ClusteringRun, facts: dict[str, Any], path: Path) -> None:
    kept = joint.DCEC(
        model.encoder, model.decoder, model.clustering.clusters, model.lambda_r, model.lambda_c, model.clustering.alpha
    )
    kept.clustering.centroids.assign(model.clustering.centroids)
    names = {"cluster": [str(number) for number in range(1, run.k + 1)]}
    save(kept, path, ModelCard(names, "unit", run.resize, run.image_size, facts, provenance(run.as_json())))

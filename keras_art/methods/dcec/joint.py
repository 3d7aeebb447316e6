"""DCEC: an autoencoder and a clustering of its embedding, learnt together (Guo et al. 2017; DCEC-Paint 2020)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_art.methods.dcec.checkpoints import Checkpoint
from keras_art.methods.dcec.network import ClusteringLayer
from keras_art.methods.dcec.objective import clustering_loss, reconstruction_loss, target_distribution
from keras_art.pictures.pipeline import Batches

STEADY = 5e-4  # how far apart the losses of one cluster may be at the end


@keras.saving.register_keras_serializable("keras_art")
class Autoencoder(keras.Model):
    """Images -> reconstructions, trained on L_r; the pretraining of DCEC.

    Args:
        encoder: (batch, size, size, 3) in [0, 255] -> (batch, dimensions).
        decoder: (batch, dimensions) -> (batch, size, size, channels).

    >>> from keras_art.methods.dcec.network import autoencoder
    >>> model = Autoencoder(*autoencoder(32, embedding=10))
    >>> model.compile("adam")
    >>> model.output_shape
    (None, 32, 32, 3)
    """

    def __init__(self, encoder: keras.Model, decoder: keras.Model) -> None:
        super().__init__(inputs=encoder.input, outputs=decoder(encoder.output), name="autoencoder")
        self.encoder, self.decoder = encoder, decoder

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        return reconstruction_loss(self.encoder, x, y_pred)

    def get_config(self) -> dict[str, Any]:
        return _parts(self)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Autoencoder:
        return cls(**{name: keras.saving.deserialize_keras_object(part) for name, part in config.items()})


@keras.saving.register_keras_serializable("keras_art")
class DCEC(keras.Model):
    """Images -> q and reconstructions, trained on lambda_r L_r + lambda_c L_c.

    Args:
        encoder, decoder: as those of `Autoencoder`; their weights are shared, not copied. `clusters`: k.
        lambda_r, lambda_c: weights of L_r and L_c.
        alpha: degrees of freedom of Student's t.

    `cluster` trains it on batches of a store; `examples/dcec_of_your_dataset.py` on any `tf.data.Dataset`.

    >>> from keras_art.methods.dcec.network import autoencoder
    >>> DCEC(*autoencoder(32, embedding=10), clusters=6).output_shape
    [(None, 6), (None, 32, 32, 3)]
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        clusters: int,
        lambda_r: float = 0.1,
        lambda_c: float = 0.9,
        alpha: float = 1.0,
    ) -> None:
        layer = ClusteringLayer(clusters, alpha, name="clustering")
        z = encoder.output
        super().__init__(inputs=encoder.input, outputs=[layer(z), decoder(z)], name="dcec")
        self.encoder, self.decoder, self.clustering = encoder, decoder, layer
        self.lambda_r, self.lambda_c = lambda_r, lambda_c
        # What the target is computed from, and what is kept: one pass of the encoder, none of the decoder.
        self.assigner = keras.Model(encoder.input, [z, layer(z)], name="assigner")
        self.reconstruction_mean = keras.metrics.Mean(name="reconstruction_loss")
        self.clustering_mean = keras.metrics.Mean(name="clustering_loss")

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        if y is None:
            raise ValueError("DCEC learns towards target_distribution(q), which `cluster` gives it, or `fit` as labels")
        q, reconstruction = y_pred
        l_r = reconstruction_loss(self.encoder, x, reconstruction)
        l_c = clustering_loss(y, q)
        images = ops.shape(q)[0]
        self.reconstruction_mean.update_state(l_r, sample_weight=images)
        self.clustering_mean.update_state(l_c, sample_weight=images)
        return self.lambda_r * l_r + self.lambda_c * l_c

    def get_config(self) -> dict[str, Any]:
        return {
            **_parts(self), "clusters": self.clustering.clusters, "alpha": self.clustering.alpha,
            "lambda_r": self.lambda_r, "lambda_c": self.lambda_c,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> DCEC:
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("encoder", "decoder")}
        return cls(**{**config, **parts})

    def assign(self, images: Batches) -> tuple[np.ndarray, np.ndarray]:
        """Embedding (n, dimensions) and q (n, clusters) of every image, in the order of `images.rows`."""
        # Batch by batch: `predict` builds a pipeline each time, which costs more than small images do.
        in_order = replace(images, seed=None)
        parts = [self.assigner.predict_on_batch(in_order.step(i)[0]) for i in range(len(in_order))]
        z, q = (np.concatenate(part) for part in zip(*parts, strict=True))
        return z, q

    def cluster(
        self,
        images: Batches,
        centroids: np.ndarray,
        labels: np.ndarray,
        *,
        update_interval: int = 140,
        tol: float = 0.001,
        max_iterations: int = 20000,
        checkpoint: Path,
        on_update: Callable[[Update], None] = lambda update: None,
    ) -> Clustering:
        """The joint training, as Guo et al. and Castellano & Vessio describe it.

        Training that was stopped goes on from the last update in `checkpoint` and ends with the same numbers.

        Args:
            images: the whole collection; its labels are not looked at.
            centroids: (clusters, dimensions), of k-means on the pretrained embedding.
            labels: (n,), the clusters k-means gave.
            update_interval: T, iterations (batches) between two computations of the target distribution.
            tol: stop when a smaller share of labels has changed between two of them.
            checkpoint: an `.npz` file.
            on_update: called after every computation of the target.
        """
        self.clustering.centroids.assign(centroids)
        self.optimizer.build(self.trainable_variables)
        keeper = Checkpoint(checkpoint, [*self.variables, *self.optimizer.variables])
        iteration, history, losses = 0, [], {}
        if kept := keeper.load():
            iteration, history, losses, labels = *(kept[0][name] for name in FACTS), kept[1]["labels"]

        while True:
            z, q = self.assign(images)
            last, labels = labels, q.argmax(axis=1)
            changed = float(np.mean(labels != last))
            history.append({"iteration": iteration, "changed": changed, **losses})
            on_update(Update(iteration, changed, losses, z, q))
            if stop := _reason(history, self.clustering.clusters, tol, max_iterations):
                return Clustering(stop, iteration, z, q, history)
            target = replace(images, labels=target_distribution(q))
            ahead = min(iteration + update_interval, max_iterations)
            losses = self.iterate(target, iteration, ahead)
            iteration = ahead
            keeper.save(dict(zip(FACTS, (iteration, history, losses), strict=True)), labels=labels)

    def iterate(self, target: Batches, first: int, last: int) -> dict[str, float]:
        """Iterations [first, last) on images and their p; returns the mean losses."""
        done = self.fit(target.steps(first, last), steps_per_epoch=last - first, shuffle=False, verbose=0)
        return {name: float(values[-1]) for name, values in done.history.items()}


FACTS = ("iteration", "history", "losses")


@dataclass(frozen=True)
class Update:
    """What one computation of the target saw: `z` (n, dimensions), `q` (n, clusters), the losses since the last."""

    iteration: int
    changed: float
    losses: dict[str, float]
    z: np.ndarray
    q: np.ndarray


@dataclass(frozen=True)
class Clustering:
    """How a joint training ended.

    Attributes:
        stop: "tol", "max_iterations", or "diverged".
        iterations: batches trained on.
        z: (n, dimensions), the embedding.
        q: (n, clusters), of the model as it is saved.
        history: one dict per update: iteration, changed, loss, reconstruction_loss, clustering_loss.
    """

    stop: str
    iterations: int
    z: np.ndarray
    q: np.ndarray
    history: list[dict[str, float]] = field(repr=False)


def _reason(history: list[dict[str, float]], clusters: int, tol: float, most: int) -> str:
    last, recent = history[-1], [row["loss"] for row in history[-3:] if "loss" in row]
    if not np.isfinite(last.get("loss", 0.0)):
        return "diverged"
    steady = last["iteration"] > 0 and last["changed"] < tol  # at first there is nothing to compare with
    if clusters == 1:  # no label can change: West's code waits for three losses close to their mean
        steady = len(recent) == 3 and float(np.ptp(recent)) < STEADY
    return "tol" if steady else "max_iterations" if last["iteration"] >= most else ""


def pretrain(
    model: Autoencoder,
    images: Batches,
    *,
    epochs: int,
    checkpoint: Path,
    restore_best: bool = False,
    on_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
) -> list[float]:
    """Trains a compiled autoencoder; called again after a kill it goes on from the last whole epoch.

    Args:
        restore_best: end with the weights of the smallest loss, not with the last ones: with Adam at 0.001 the loss
            can leap to many times what it was, and takes several epochs to come back.

    Returns:
        The mean L_r of every epoch; the last is not finite where training diverged.
    """
    model.optimizer.build(model.trainable_variables)
    keeper = Checkpoint(checkpoint, [*model.variables, *model.optimizer.variables])
    kept = keeper.load()
    losses: list[float] = kept[0]["losses"] if kept else []
    best = kept[1] if kept else {}

    def keep(epoch: int, logs: dict[str, float]) -> None:
        losses.append(float(logs["loss"]))
        if restore_best and losses[-1] == min(losses):
            best.update({f"best{i}": weights for i, weights in enumerate(model.get_weights())})
        keeper.save({"losses": losses}, **best)
        model.stop_training = not np.isfinite(losses[-1])
        on_epoch(epoch + 1, losses[-1])

    first, steps = len(losses), len(images)
    if first < epochs and np.isfinite(losses).all():
        model.fit(
            images.steps(first * steps, epochs * steps),
            steps_per_epoch=steps,
            initial_epoch=first,
            epochs=epochs,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=keep)],
            shuffle=False,
            verbose=0,
        )
    if best:
        model.set_weights([best[f"best{i}"] for i in range(len(best))])
    return losses


def _parts(model: Any) -> dict[str, Any]:
    return {name: keras.saving.serialize_keras_object(getattr(model, name)) for name in ("encoder", "decoder")}

"""Training the decoder on pairs of pictures drawn from the train split, whatever their classes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_art.data import tasks
from keras_art.errors import UserError
from keras_art.learning import training
from keras_art.methods.adain import networks
from keras_art.methods.adain.stylising import stylise
from keras_art.networks import backbones
from keras_art.pictures.pipeline import Batches
from keras_art.report import figures, mosaics
from keras_art.store.runs import Store
from keras_art.study.files import weights_file
from keras_art.study.kinds.adain import VALIDATION_PAIRS, Decoder, check_size
from keras_art.terminal import Tell
from keras_art.writing import write_model

SHOWN = 5  # pairs in a sample grid
NORMALISING, CALIBRATING = 256, 32  # images on which the encoder's scale is measured


@dataclass(frozen=True)
class Pairs(Batches):
    """Contents and styles drawn with replacement, `length` batches to an epoch; another draw in every epoch.

    A batch holds its contents and then its styles, (2 batch_size, height, width, 3).
    """

    length: int = 1

    def __len__(self) -> int:
        return self.length

    def order(self, epoch: int) -> np.ndarray:
        """Each pair as one number, content * n + style."""
        n = len(self.rows)
        return np.random.default_rng((self.seed or 0, int(epoch))).integers(n * n, size=self.length * self.batch_size)

    def gather(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        both = np.concatenate(np.divmod(samples, len(self.rows)))
        return np.asarray(self.inputs[self.rows[both]]), np.zeros(len(both), "int32")


class StyleTransfer(keras.Model):
    """Contents and styles (2n, h, w, 3) -> the losses by the names of `weights`; only the decoder learns.

    Args:
        weights: of the losses: `content`, `style`, and where wanted `identity`.
    """

    def __init__(self, encoder: keras.Model, decoder: keras.Model, weights: Mapping[str, float]) -> None:
        super().__init__(name="style_transfer")
        self.encoder, self.decoder, self.weights_of = encoder, decoder, dict(weights)
        self.trackers = {name: keras.metrics.Mean(f"{name}_loss") for name in weights}

    def call(self, inputs: Any, training: bool = False) -> dict[str, Any]:
        contents, styles = ops.split(ops.cast(inputs, "float32"), 2)
        theirs, maps = self.encoder(styles), self.encoder(contents)[-1]
        target = networks.adain(maps, networks.statistics(theirs[-1]))
        produced = self.encoder(self.decoder(target, training=training))
        losses = {
            "content": networks.content_loss(produced[-1], target),
            "style": networks.style_loss(produced, theirs),
        }
        if "identity" in self.weights_of:
            losses["identity"] = networks.identity_loss(self.decoder(maps, training=training), contents)
        return losses

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        return sum(weight * y_pred[name] for name, weight in self.weights_of.items())

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        for name, tracker in self.trackers.items():
            tracker.update_state(y_pred[name])
        return self.get_metrics_result()


def load_encoder(store: Store, run: Decoder) -> keras.Model:
    """VGG19 to relu4_1 with a run's weights, not yet normalised.

    Raises:
        BadBackbone: the weights can not be had; the message names the file and where it goes.
    """
    size = max(run.image_size, 32)  # Keras builds no smaller VGG19; its convolutions take any size
    vgg = backbones.load_backbone("VGG19", image_size=size, weights=weights_file(store, run.weights), seed=run.seed)
    return networks.make_encoder(vgg.model)


def check(store: Store, runs: Sequence[Decoder]) -> None:
    """Builds the encoders of some runs.

    Raises:
        UserError: the images are too small for them, or the iterations no multiple of the checkpoints.
        BadBackbone: the weights can not be used.
    """
    for run in runs:
        check_size(run.image_size)
        if run.iterations % run.checkpoint_every:
            raise UserError(
                f"{run.iterations} iterations are no multiple of the {run.checkpoint_every} between checkpoints: give "
                f"another --checkpoint_every"
            )
        load_encoder(store, run)


def train(store: Store, run: Decoder, folder: Path, tell: Tell = lambda line, share: None) -> dict[str, Any]:
    """Trains one decoder in its directory; the same call continues what was stopped.

    Beside the history it writes `encoder.keras` (normalised), `decoder.keras` (of the smallest validation loss), and
    at every checkpoint `samples/NUMBER.png`: content, style, stylised and alpha 0, of validation images.

    Returns:
        What `metrics.json` holds: losses of the validation pairs by the decoder that is kept and the iteration that it
        is of (null and "diverged" where training diverged), counts, seconds.
    """
    started = time.monotonic()
    training.make_deterministic(run.seed)
    ready = tasks.load(store, run.collection, run.image_size, run.resize)
    encoder, decoder = load_encoder(store, run), networks.make_decoder()
    of_train = ready.rows[ready.part("train")]
    # In the order of the table: that of the stored rows is another where other studies share the store.
    sample = np.sort(np.random.default_rng(run.seed).permutation(len(of_train))[:NORMALISING])
    images = ready.pixels[of_train[sample]]
    if run.weights == "none":
        networks.calibrate(encoder, images[:CALIBRATING])
    networks.normalise(encoder, images)
    networks.calibrate(decoder, encoder(images[:CALIBRATING])[-1])
    weights = {"content": 1.0, "style": run.style_weight}
    if run.identity_weight:
        weights["identity"] = run.identity_weight
    with training.precision(run.precision):
        model = StyleTransfer(*networks.computing(encoder, decoder, run.precision), weights)
    rate = keras.optimizers.schedules.InverseTimeDecay(run.learning_rate, 1, run.decay)
    model.compile(keras.optimizers.Adam(rate))
    epochs = run.iterations // run.checkpoint_every

    def pairs(rows: np.ndarray, steps: int, seed: int) -> Pairs:
        return Pairs(ready.pixels, rows, np.zeros_like(rows), run.batch_size, seed, length=steps)

    val = pairs(ready.rows[ready.part("val")], -(-VALIDATION_PAIRS // run.batch_size), run.seed)
    shown, _ = val.gather(val.order(0)[:SHOWN])

    def on_epoch(epoch: int, logs: dict[str, float]) -> None:
        done = epoch * run.checkpoint_every
        _draw(model.encoder, model.decoder, shown, folder / "samples" / f"{done:06d}.png")
        tell(f"{done:,} of {run.iterations:,} iterations, validation loss {logs['val_loss']:.2f}", epoch / epochs)

    model(shown)  # builds it
    history, finite = training.fit(
        model,
        pairs(of_train, run.checkpoint_every, run.seed + 1),
        val,
        folder=folder,
        epochs=epochs,
        patience=epochs,
        on_epoch=on_epoch,
    )
    decoder.set_weights(model.decoder.get_weights())
    for network in (encoder, decoder):  # in float32, as whoever takes them up will have them
        write_model(folder / f"{network.name}.keras", network)
    losses = ("val_loss", *(f"val_{name}_loss" for name in weights))
    facts: dict[str, Any] = {
        "status": "ok" if finite else "diverged",
        **dict.fromkeys(("best_iteration", *losses)),
        "iterations": run.iterations,
        "n_train": len(of_train),
        "n_images": ready.task.size,
        "seconds": round(time.monotonic() - started, 2),
    }
    if finite:
        best = history.loc[history["val_loss"].idxmin()]
        facts |= {name: float(best[name]) for name in losses}
        facts["best_iteration"] = int(best["epoch"]) * run.checkpoint_every
    if run.weights == "none":
        facts["notes"] = ["its encoder has no trained weights: random filters, normalised on the train images"]
    return facts


def _draw(encoder: keras.Model, decoder: keras.Model, shown: np.ndarray, path: Path) -> None:
    rows: list[tuple[str, Sequence[np.ndarray]]] = []
    for content, style in zip(*np.split(shown, 2), strict=True):
        produced = [stylise(encoder, decoder, content, style, alpha=alpha) for alpha in (1.0, 0.0)]
        rows.append(("", [content, style, *produced]))
    figures.save(mosaics.saliency_sheet(rows, ["content", "style", "stylised", "alpha 0"]), path)

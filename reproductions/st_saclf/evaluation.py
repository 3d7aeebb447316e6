"""What a trained classifier is worth: scores, bias, where it looks, what it is sure of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_art.networks import attention
from keras_art.networks.gradients import grad_cam
from keras_art.networks.saliency import overlay
from keras_art.report import figures, metrics, mosaics
from keras_art.writing import csv_text, one_line, write
from reproductions.st_saclf.kinds import SaclfRun
from reproductions.st_saclf.masks import grey

if TYPE_CHECKING:
    from reproductions.st_saclf.training import Data

SCORES = (
    "test_accuracy", "test_loss", "test_macro_precision", "test_macro_recall", "test_macro_f1", "test_rare_recall",
    "test_representative_recall", "test_recall_gap", "test_rare_confidence", "test_representative_confidence",
)  # fmt: skip
COMPARED = 64  # images on which attention's agreement is measured, with their stylised twins and with Grad-CAM


def report(run: SaclfRun, folder: Path, data: Data, model: keras.Model, probabilities: np.ndarray) -> dict[str, Any]:
    """Writes what a run says of each test image and class; returns its scores.

    The files are `predictions.csv`, `per_class.csv`, `confusion.png`, `confidence.png` (the test images it is surest
    of, and those it is least sure of) and `attention.png` (one test image of each class, where each depth looks, and
    Grad-CAM of the deepest).

    Args:
        probabilities: what the model says of the test images.
    """
    ready, classes = data.ready, data.ready.task.classes
    test = ready.task.images.iloc[ready.part("test")]
    labels = test["label"].to_numpy()
    said = metrics.predictions(test["id"], probabilities, classes, labels)
    write(folder / "predictions.csv", csv_text(said))
    rows = metrics.per_class(labels, probabilities, classes)
    write(folder / "per_class.csv", csv_text(rows))
    counts = metrics.confusion(labels, probabilities.argmax(1), len(classes))
    title = f"{run.place} {one_line(run.target)}, {run.title}"
    figures.save(figures.confusion_matrix(counts, classes, title=title), folder / "confusion.png")
    _draw_confidence(data, labels, probabilities, folder / "confidence.png")
    facts: dict[str, Any] = scores(labels, probabilities, classes, data.rare)
    if run.attention == "spatial":
        _draw_attention(model, data, labels, probabilities, folder / "attention.png")
        tested = ready.rows[ready.part("test")]
        # Of one image nothing is said by chance: there is no other.
        if len(shown := spread(tested)) > 1:
            facts |= overlap(model, data.pixels[shown])
        if len(shown := spread(np.flatnonzero(data.tested >= 0))) > 1:
            facts |= guidance(model, data.pixels[tested[shown]], grey(data.pixels[data.tested[shown]]))
        contents = np.unique(data.pairs[:, 1], return_index=True)[1]
        if len(shown := spread(contents)) > 1:
            facts |= agreement(model, data.pixels, data.pairs[shown])
    return facts


def scores(
    labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], rare: Sequence[str]
) -> dict[str, float]:
    """`SCORES` of one split, fractions (the loss in nats: cross-entropy, whatever was trained).

    Means over classes are over those present in `labels`; the precision of a class never predicted counts as 0.
    `rare_recall` and `representative_recall` are means over the classes of either kind, `recall_gap` is the best
    class's recall minus the worst's; `rare_confidence` and `representative_confidence` are the mean probability of
    what is predicted, over the images of the classes of either kind.
    """
    found = metrics.classification(labels, probabilities)
    rows = metrics.per_class(labels, probabilities, classes)
    rows = rows[rows["support"] > 0]
    is_rare = rows["class"].isin(list(rare))
    of_rare = np.isin(np.array(list(classes), object)[labels], list(rare))
    return {
        "test_accuracy": found["accuracy"],
        "test_loss": found["loss"],
        "test_macro_precision": float(rows["precision"].fillna(0).mean()),
        "test_macro_recall": float(rows["recall"].mean()),
        "test_macro_f1": found["macro_f1"],
        "test_rare_recall": float(rows["recall"][is_rare].mean()) if is_rare.any() else float("nan"),
        "test_representative_recall": float(rows["recall"][~is_rare].mean()) if (~is_rare).any() else float("nan"),
        "test_recall_gap": float(rows["recall"].max() - rows["recall"].min()),
        "test_rare_confidence": _mean(probabilities.max(axis=1)[of_rare]),
        "test_representative_confidence": _mean(probabilities.max(axis=1)[~of_rare]),
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def spread(places: np.ndarray) -> np.ndarray:
    """Up to `COMPARED` of some places, evenly among them and each once: a place twice would be its own neighbour."""
    return places[np.linspace(0, len(places) - 1, min(len(places), COMPARED)).astype(int)]


def agreement(model: keras.Model, pixels: np.ndarray, pairs: np.ndarray) -> dict[str, Any]:
    """Whether attention looks at the same places of an image and of its stylised twin.

    Args:
        pixels: (rows, size, size, 3) uint8.
        pairs: (n, 2) rows of `pixels`, stylised image and content, every content once.

    Returns:
        `attention_agreement`, for each depth the mean Pearson correlation of the two maps; `attention_chance`, the
        same with the maps of other images' contents, which agree as far as pictures of one kind are alike; and
        `attention_images`, n.
    """
    stylised, originals = (_maps(model, pixels[rows]) for rows in pairs.T)
    return _compared("attention", stylised, originals)


def _compared(name: str, ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> dict[str, Any]:
    """What is said of maps (n, h, w) of each depth beside others of the same images, and of the next one."""
    return {
        f"{name}_{part}": [_correlation(a, np.roll(b, shift, axis=0)) for a, b in zip(ours, theirs, strict=True)]
        for part, shift in (("agreement", 0), ("chance", 1))
    } | {f"{name}_images": len(ours[0])}


def _maps(model: keras.Model, pixels: np.ndarray) -> list[np.ndarray]:
    found = attention.attention_maps(model).predict(pixels, batch_size=32, verbose=0)
    return found if isinstance(found, list) else [found]  # Keras hands out the maps of a single depth bare


def guidance(model: keras.Model, pixels: np.ndarray, masks: np.ndarray) -> dict[str, Any]:
    """Whether attention looks where masks say, on test images, which taught it nothing.

    Args:
        pixels: (n, size, size, 3) uint8.
        masks: (n, size, size) uint8.

    Returns:
        `prior_agreement`, for each depth the mean Pearson correlation of an image's map and its mask; `prior_chance`,
        the same with the masks of other images; and `prior_images`, n.
    """
    seen, grey_masks = _maps(model, pixels), masks.astype(np.float32)
    wanted = [keras.ops.convert_to_numpy(attention.pooled(grey_masks, *maps.shape[1:])) for maps in seen]
    return _compared("prior", seen, wanted)


def looks(model: keras.Model, pixels: np.ndarray, batch_size: int = 8) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Where each depth looks, and Grad-CAM of the class that is said on the same maps; from shallow to deep, (n, h, w).

    Args:
        pixels: (n, size, size, 3) uint8.
    """
    reader, head = attention.what_the_head_reads(model), model.get_layer("head")
    says = keras.Model(head.inputs, head.outputs[0])
    seen, explained = [], []
    for start in range(0, len(pixels), batch_size):
        read = [values.astype(np.float32) for values in reader.predict_on_batch(pixels[start : start + batch_size])]
        probabilities, *maps = head.predict_on_batch(read)
        seen.append(maps)
        explained.append(grad_cam(says, read, probabilities.argmax(axis=1)))
    first, second = ([np.concatenate(depth) for depth in zip(*parts, strict=True)] for parts in (seen, explained))
    return first, second


def overlap(model: keras.Model, pixels: np.ndarray) -> dict[str, Any]:
    """Whether attention looks where Grad-CAM says that the class comes from, on (n, size, size, 3) uint8.

    Returns:
        `grad_cam_agreement`, for each depth the mean Pearson correlation of the two maps of an image;
        `grad_cam_chance`, the same with Grad-CAM of other images; and `grad_cam_images`, n.
    """
    return _compared("grad_cam", *looks(model, pixels))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """The mean over images of the correlation of two maps (n, h, w); a constant map correlates with nothing."""
    a, b = (x.reshape(len(x), -1) - x.reshape(len(x), -1).mean(1, keepdims=True) for x in (a, b))
    size = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return float(np.divide((a * b).sum(1), size, out=np.zeros(len(a)), where=size > 0).mean())


def _draw_attention(model: keras.Model, data: Data, labels: np.ndarray, probabilities: np.ndarray, path: Path) -> None:
    """One test image of each class, with what it was taken for.

    Over it the softmax map of each depth and Grad-CAM, stretched to [0, 1] each.
    """
    shown = np.unique(labels, return_index=True)[1][:8]
    places = data.ready.part("test")[shown]
    rows = data.ready.rows[places]
    seen, explained = looks(model, data.pixels[rows])
    maps = [*seen, explained[-1]]
    lines: list[tuple[str, Sequence[np.ndarray]]] = []
    for i, place in enumerate(places):
        photo = data.ready.picture(place, 256)
        overlays = [overlay(photo, (m[i] - m[i].min()) / max(np.ptp(m[i]), 1e-12)) for m in maps]
        said = _said(data.ready.task.classes, labels[shown[i]], probabilities[shown[i]])
        lines.append((f"{said}\n{data.ready.task.images['id'].iloc[place]}", [photo, *overlays]))
    columns = ["image", *(f"depth {i}" for i in range(1, len(seen) + 1)), "Grad-CAM"]
    figures.save(mosaics.saliency_sheet(lines, columns), path)


def _said(classes: Sequence[str], label: int, probabilities: np.ndarray) -> str:
    """What an image is and what it was taken for, with how sure that is."""
    said = int(probabilities.argmax())
    verdict = "right" if said == label else f"taken for {classes[said]}"
    return f"{classes[label]}: {verdict}, {probabilities[said]:.0%}"


def _draw_confidence(data: Data, labels: np.ndarray, probabilities: np.ndarray, path: Path) -> None:
    """The test images with the highest and the lowest probability of their own class: as the focal loss ranks."""
    places, classes = data.ready.part("test"), data.ready.task.classes
    true = probabilities[np.arange(len(labels)), labels]
    order = np.argsort(-true, kind="stable")
    shown = np.concatenate([order[:4], order[-4:]]) if len(order) >= 8 else order
    ids = data.ready.task.images["id"].iloc[places].tolist()
    captions = [f"{_said(classes, labels[i], probabilities[i])}\n{ids[i]}" for i in shown]
    pictures = [data.ready.picture(places[i], 256) for i in shown]
    figures.save(mosaics.samples(pictures, captions, columns=4), path)

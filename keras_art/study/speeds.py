"""How fast this device is at a network: a few of its steps, timed once in a store and kept there.

Operations alone do not tell: a depthwise convolution runs at a fifth of the speed of a dense one.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_art import backend
from keras_art.store import plain
from keras_art.store.runs import Store
from keras_art.study.config import Artefact
from keras_art.study.files import network_file
from keras_art.study.workers import alone
from keras_art.writing import write

if TYPE_CHECKING:
    from keras_art.networks.backbones import Backbone

CARDS = Path("/proc/driver/nvidia/gpus")  # where Linux tells of them
WORK = 30.0  # 10^9 multiply-accumulates of a step, where that many images make a batch of at most 32
STEPS = 3  # timed after the one that traces; the fastest counts, since other work on the machine only slows


def kept(store: Store) -> dict[str, tuple[float, float]]:
    """What was measured for a store: `name` -> 10^9 multiply-accumulates a second, in training and in prediction."""
    try:
        found = json.loads(plain.read(_file(store)))
        return {name: (float(training), float(forward)) for name, (training, forward) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):  # not there yet, or damaged: measured again
        return {}


def name(store: Store, network: str | Artefact, image_size: int, precision: str) -> str:
    """What a speed depends on: the network, its size, the arithmetic, and the device with the threads of a run."""
    return f"{network}, {image_size} pixels, {precision}, {backend.named()} on {_device()}, {store.threads} threads"


def measure(
    store: Store, network: str | Artefact, image_size: int, precisions: Sequence[str], gigamacs: float
) -> dict[str, tuple[float, float]]:
    """Times a few steps of a network with random weights by each precision, in turn, and keeps what came out.

    They run in a process of their own, which is gone afterwards with all that it has traced. What another process
    has measured meanwhile is taken as it is: two of one store must not come to two answers.

    Args:
        gigamacs: 10^9 multiply-accumulates of one image, once forward, as costs count them.

    Returns:
        Precision -> 10^9 multiply-accumulates a second of training, an image counted three times, and of prediction,
        once.

    Raises:
        BadBackbone: the network can not be used.
    """
    names = {precision: name(store, network, image_size, precision) for precision in precisions}
    with store.lock(_file(store)):
        if not set(names.values()) <= set(kept(store)):
            images = max(1, round(min(32, WORK / max(gigamacs, 1e-9))))
            seconds = alone(times, network_file(store, network), image_size, tuple(precisions), images)
            work = images * gigamacs
            found = {names[by]: (3 * work / training, work / forward) for by, (training, forward) in seconds.items()}
            write(_file(store), json.dumps(kept(store) | found, indent=1))
        here = kept(store)
    return {precision: here[names[precision]] for precision in precisions}


def times(network: str, image_size: int, precisions: Sequence[str], images: int) -> Mapping[str, tuple[float, float]]:
    """Precision -> seconds of a step of training and of one of prediction, on so many images; sets the dtype policy.

    Raises:
        BadBackbone: the network can not be used.
    """
    import keras
    import numpy as np

    from keras_art.networks import heads

    pixels, labels = np.zeros((images, image_size, image_size, 3), np.uint8), np.zeros(images, np.int32)
    models: dict[str, keras.Model] = {}
    for by in precisions:
        keras.config.set_dtype_policy(by)
        models[by] = heads.softmax_classifier(_backbone(network, image_size), 10)
        models[by].compile("sgd", "sparse_categorical_crossentropy")
    taken: dict[str, list[tuple[float, float]]] = {by: [] for by in precisions}
    for _ in range(1 + STEPS):
        for by, model in models.items():
            began = time.perf_counter()
            model.train_on_batch(pixels, labels)
            trained = time.perf_counter()
            model.predict_on_batch(pixels)
            taken[by].append((trained - began, time.perf_counter() - trained))
    best = {by: [min(seconds) for seconds in zip(*steps[1:], strict=True)] for by, steps in taken.items()}
    return {by: (training, forward) for by, (training, forward) in best.items()}


def _backbone(network: str, image_size: int) -> Backbone:
    from keras_art.networks import backbones, resnets, vit

    if network in vit.VITS:
        return vit.load_vit(network, image_size=image_size, weights=None)
    if network == "ResNet20":
        return backbones.Backbone(resnets.resnet20(image_size), "none")
    return backbones.load_backbone(network, image_size=image_size, weights=None, preprocessing="none")


def _file(store: Store) -> Path:
    return store.root / "cache" / "speeds.json"


def _device() -> str:
    """The graphics cards there are for this process, or the processor."""
    folders = [] if os.environ.get("CUDA_VISIBLE_DEVICES") == "" else CARDS.glob("*/information")
    cards = sorted(path.read_text().split("Model:")[1].split("\n")[0].strip() for path in folders)
    if cards:
        return " and ".join(cards)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()

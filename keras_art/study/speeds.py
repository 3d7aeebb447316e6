"""How fast this device is at a network: a few of its steps, timed once in a store and kept there.

Operations alone do not tell: a depthwise convolution runs at a fifth of the speed of a dense one.
"""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path
from typing import Any

from keras_art import terminal
from keras_art.store.runs import Store
from keras_art.study.config import Artefact
from keras_art.study.files import network_file
from keras_art.writing import write

CARDS = Path("/proc/driver/nvidia/gpus")  # where Linux tells of them
WORK = 30.0  # 10^9 multiply-accumulates of a step, where that many images make a batch of at most 32
STEPS = 3  # timed after the one that traces; the fastest counts, since other work on the machine only slows


def kept(store: Store) -> dict[str, tuple[float, float]]:
    """What was measured for a store: `name` -> 10^9 multiply-accumulates a second, in training and in prediction."""
    try:
        found = json.loads(_file(store).read_text(encoding="utf-8"))
        return {name: (float(training), float(forward)) for name, (training, forward) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):  # not there yet, or damaged: measured again
        return {}


def name(store: Store, network: str | Artefact, image_size: int, precision: str) -> str:
    """What a speed depends on: the network, its size, the arithmetic, and the device with the threads of a run."""
    return f"{network}, {image_size} pixels, {precision}, {_device()}, {store.threads} threads"


def measure(
    store: Store, network: str | Artefact, image_size: int, precision: str, gigamacs: float
) -> tuple[float, float]:
    """Times a few steps of a network with random weights, and keeps what came out.

    Args:
        gigamacs: 10^9 multiply-accumulates of one image, once forward, as costs count them.

    Returns:
        10^9 multiply-accumulates a second of training, an image counted three times, and of prediction, once.

    Raises:
        BadBackbone: the network can not be used.
    """
    terminal.start_backend()
    import keras
    import numpy as np

    from keras_art.networks import backbones, heads

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        backbone = backbones.load_backbone(
            network_file(store, network), image_size=image_size, weights=None, preprocessing="none"
        )
        model = heads.softmax_classifier(backbone, 10)
    finally:
        keras.config.set_dtype_policy(before)
    images = max(1, round(min(32, WORK / max(gigamacs, 1e-9))))
    pixels, labels = np.zeros((images, image_size, image_size, 3), np.uint8), np.zeros(images, np.int32)
    model.compile("sgd", "sparse_categorical_crossentropy")
    steps: list[Any] = [lambda: model.train_on_batch(pixels, labels), lambda: model.predict_on_batch(pixels)]
    training, forward = (images * gigamacs / _fastest(step) for step in steps)
    found = kept(store) | {name(store, network, image_size, precision): (3 * training, forward)}
    write(_file(store), json.dumps(found, indent=1))
    return 3 * training, forward


def _fastest(step: Any) -> float:
    step()
    seconds = []
    for _ in range(STEPS):
        began = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _file(store: Store) -> Path:
    return store.root / "cache" / "speeds.json"


def _device() -> str:
    """The graphics cards there are, or the processor."""
    cards = sorted(path.read_text().split("Model:")[1].split("\n")[0].strip() for path in CARDS.glob("*/information"))
    if cards:
        return " and ".join(cards)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()

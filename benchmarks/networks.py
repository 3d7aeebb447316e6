"""A network's features and its training step by precision, beside PyTorch's, and what matrix products reach here.

    python -m benchmarks.networks [--image_size 96] [--images 16] [--rounds 5]

VGG19, since of one stack of convolutions two frameworks make the same. PyTorch takes its part where it is installed,
its maps with channels last; else the reason is said. The floor is a product of two square matrices of 2,048.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable

import keras
import numpy as np

from benchmarks import interleaved, report
from keras_art import backend
from keras_art.learning.training import precision
from keras_art.networks import backbones, heads

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
STACK = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512, 0)  # 0: pooling
SIDE = 2048  # of the matrices


def ours(pixels: np.ndarray, labels: np.ndarray) -> dict[str, Callable[[], object]]:
    """Ways by name."""
    ways: dict[str, Callable[[], object]] = {}
    for word, policy in PRECISIONS.items():
        with precision(policy):
            backbone = backbones.load_backbone("VGG19", image_size=pixels.shape[1], weights=None, preprocessing="none")
            model = heads.softmax_classifier(backbone, 10)
            features = heads.feature_extractor(backbone)
        model.compile(keras.optimizers.SGD(1e-3, momentum=0.9), "sparse_categorical_crossentropy")
        ways[f"features, {word}"] = lambda features=features: features.predict_on_batch(pixels)
        ways[f"training, {word}"] = lambda model=model: model.train_on_batch(pixels, labels)
    return ways


def by_torch(pixels: np.ndarray, labels: np.ndarray) -> dict[str, Callable[[], object]]:
    """The same of PyTorch."""
    import torch
    from torch import nn

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    layers, before = [], 3
    for width in STACK:
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()] if width else [nn.MaxPool2d(2)]
        before = width or before
    features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()).to(memory_format=torch.channels_last)
    model = nn.Sequential(features, nn.Linear(512, 10))
    optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().to(memory_format=torch.channels_last)
    classes = torch.from_numpy(labels).long()

    def said(half: bool) -> object:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            return features(images).float().numpy()

    def step(half: bool) -> float:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = nn.functional.cross_entropy(model(images).float(), classes)
        loss.backward()
        optimizer.step()
        return float(loss)

    ways: dict[str, Callable[[], object]] = {}
    for word in PRECISIONS:
        ways[f"features, torch {word}"] = lambda half=word != "float32": said(half)
        ways[f"training, torch {word}"] = lambda half=word != "float32": step(half)
    return ways


def products() -> dict[str, Callable[[], object]]:
    """A matrix product by each precision."""
    ways: dict[str, Callable[[], object]] = {}
    for word in PRECISIONS:
        one = keras.ops.cast(keras.random.normal((SIDE, SIDE), seed=0), word)
        ways[f"matrix product, {word}"] = lambda one=one: float(keras.ops.matmul(one, one)[0, 0])
    return ways


def main() -> None:
    """Prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image_size", type=int, default=96)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    backend.make_repeatable()  # as runs compute
    size = asked.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (asked.images, size, size, 3), dtype=np.uint8)
    labels = np.zeros(asked.images, np.int32)
    ways = products() | ours(pixels, labels)
    pairs = [(f"{what}, float32", f"{what}, bfloat16") for what in ("matrix product", "features", "training")]
    without = ""
    try:
        ways |= by_torch(pixels, labels)
        pairs += [(f"{what}, torch {by}", f"{what}, {by}") for what in ("features", "training") for by in PRECISIONS]
    except ImportError as error:
        without = str(error)
    interleaved(ways, 1)  # traces
    times = interleaved(ways, asked.rounds)
    print(f"VGG19, {asked.images} images of {size} pixels\n")
    report(times, pairs, asked.images)
    once = 2 * backbones.gigamacs(
        backbones.load_backbone("VGG19", image_size=size, weights=None, preprocessing="none").model
    )
    work = {"matrix product": 2 * SIDE**3 / 1e9, "features": once * asked.images, "training": 3 * once * asked.images}
    print("\n| way | GFLOP/s |\n|---|---|")
    for way, taken in times.items():
        print(f"| {way} | {work[way.split(',')[0]] / statistics.median(taken):,.0f} |")
    if without:
        print(f"\nPyTorch is skipped: {without}")


if __name__ == "__main__":
    main()

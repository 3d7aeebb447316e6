"""What each method computes, by TensorFlow, JAX and PyTorch, in float32 and by bfloat16.

    python -m benchmarks.backends [--ways joint_training stylising] [--backends torch tensorflow] [--rounds 5]

Each backend is a process of its own, fed as runs are, and they take turns within a round; one that is not installed is
left out with the reason. A ratio is TensorFlow's time to another's, or float32's to bfloat16's on one backend. How
long the first call took, which traces and compiles, stands beside it. Networks have initial weights, of seconds those
are no matter; images are noise.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import spread

BACKENDS = ("tensorflow", "jax", "torch")
PRECISIONS = ("float32", "mixed_bfloat16")
CLASSES = 10


def _noise(images: int, size: int) -> Any:
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (images, size, size, 3), dtype=np.uint8)


def _batches(images: int, size: int, batch_size: int) -> Any:
    import numpy as np

    from keras_art.pictures.pipeline import Batches

    rows = np.arange(images)
    return Batches(_noise(images, size), rows, (rows % CLASSES).astype("int32"), batch_size, 0)


def _backbone(network: str, size: int) -> Any:
    from keras_art.networks import backbones

    return backbones.load_backbone(network, image_size=size, weights=None, preprocessing="none")


def features() -> Callable[[], object]:
    """sabatelli2018, off the shelf: ResNet50's features of 64 images of 96 pixels."""
    from keras_art.networks import heads

    model, pixels = heads.feature_extractor(_backbone("ResNet50", 96)), _noise(64, 96)
    return lambda: model.predict(pixels, batch_size=32, verbose=0)


def fine_tuning() -> Callable[[], object]:
    """sabatelli2018: an epoch of ResNet50 on 64 images of 96 pixels, 16 a batch."""
    from keras_art.learning import training
    from keras_art.networks import heads
    from keras_art.study.config import Optimizer

    model = heads.softmax_classifier(_backbone("ResNet50", 96), CLASSES)
    training.compile_classifier(model, training.make_optimizer(Optimizer("SGD", 1e-3)))
    batches = _batches(64, 96, 16)
    return lambda: model.fit(batches.epochs(), shuffle=False, verbose=0)


def masked() -> Callable[[], object]:
    """sabatelli2021: an epoch of ResNet20, nine tenths of its weights masked, 256 images of 32 pixels, 128 a batch."""
    import keras

    from keras_art.learning import training
    from keras_art.methods.tickets import masks
    from keras_art.methods.tickets.optimizer import MaskedSGD
    from keras_art.networks import heads, resnets
    from keras_art.networks.backbones import Backbone

    model = heads.softmax_classifier(Backbone(resnets.resnet20(32), "none"), CLASSES)
    weights = {v.path: keras.ops.convert_to_numpy(v) for v in masks.prunable(model)}
    optimizer = MaskedSGD(0.01, masked=list(weights))
    training.compile_classifier(model, optimizer)
    optimizer.build(model.trainable_variables)
    whole = {path: w == w for path, w in weights.items()}
    optimizer.set_masks(model, masks.magnitude_masks(weights, whole, 0.9, "global"))
    batches = _batches(256, 32, 128)
    return lambda: model.fit(batches.epochs(), shuffle=False, verbose=0)


def joint_training() -> Callable[[], object]:
    """dcec_paint: 8 iterations on 128 images of 64 pixels, 32 a batch, the target twice."""
    from benchmarks.joint_training import ours

    return ours(_noise(128, 64), 32, 8, 4, 64)


def stylising() -> Callable[[], object]:
    """st_saclf: 16 images of 64 pixels in the style of one another."""
    import keras
    import numpy as np

    from keras_art.methods.adain import networks, stylising

    size, pixels = 64, _noise(16, 64)
    encoder = networks.make_encoder(keras.applications.VGG19(False, weights=None, input_shape=(size, size, 3)))
    decoder = networks.make_decoder()
    pairs = stylising.draw_pairs(np.arange(len(pixels)) % 2, seed=0)

    def write() -> None:
        with tempfile.TemporaryDirectory() as folder:
            paths = [str(Path(folder) / f"{i}.jpg") for i in range(len(pairs))]
            stylising.stylise_pairs(encoder, decoder, pixels, pairs.assign(path=paths))

    return write


def attention() -> Callable[[], object]:
    """st_saclf: an epoch of VGG16 with spatial attention at three depths on 32 images of 64 pixels, 16 a batch."""
    import keras

    from keras_art.learning import training
    from keras_art.networks import attention, losses

    backbone = _backbone("VGG16", 64)
    model = attention.attention_classifier(backbone, attention.find_taps(backbone), classes=CLASSES)
    model.compile(keras.optimizers.Adam(1e-4), losses.FocalLoss(), metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    training.make_metrics(model)
    batches = _batches(32, 64, 16)
    return lambda: model.fit(batches.epochs(), shuffle=False, verbose=0)


def transformer() -> Callable[[], object]:
    """multitask: an epoch of two tasks on ViT-B/16, 4 images of 224 pixels, 2 a batch."""
    import keras
    import numpy as np

    from keras_art.networks import heads, vit
    from keras_art.networks.losses import MultiTask, Term
    from keras_art.pictures.pipeline import Batches

    backbone = vit.load_vit("ViTB16", image_size=224, weights=None, preprocessing="none")
    made = heads.multitask_classifier(backbone, {"style": CLASSES, "artist": CLASSES})
    model = MultiTask(made.input, made.output, [Term("style", 0), Term("artist", 1)])
    model.compile(keras.optimizers.Adam(1e-4))
    model.optimizer.build(model.trainable_variables)
    rows = np.arange(4)
    batches = Batches(_noise(4, 224), rows, np.stack([rows, rows], 1).astype("int32"), 2, 0)
    return lambda: model.fit(batches.epochs(), shuffle=False, verbose=0)


def gram() -> Callable[[], object]:
    """gram_style: an epoch of ResNet50 with a Gram branch of 64 channels on 64 images of 96 pixels, 16 a batch."""
    import keras
    import numpy as np

    from keras_art.networks import gram
    from keras_art.networks.losses import MultiTask, Term

    branch = gram.GramBranch(channels=64, description="triangle")
    made = gram.gram_classifier(_backbone("ResNet50", 96), "style", CLASSES, branch)
    model = MultiTask(made.input, {"style": made.output["style"]}, [Term("style", 0)])
    model.compile(keras.optimizers.Adam(1e-4))
    model.optimizer.build(model.trainable_variables)
    batches = dataclasses.replace(_batches(64, 96, 16), labels=np.arange(64)[:, None] % CLASSES)
    return lambda: model.fit(batches.epochs(), shuffle=False, verbose=0)


WAYS: dict[str, Callable[[], Callable[[], object]]] = {
    made.__name__: made
    for made in (features, fine_tuning, masked, joint_training, stylising, attention, transformer, gram)
}
SINGLE = ("joint_training", "stylising")  # they take no precision: their studies have no such flag


def serve() -> None:
    """Reads names of ways and precisions from the standard input; answers with the seconds of a call of each."""
    answers, sys.stdout = sys.stdout, sys.stderr
    import keras

    from keras_art import backend
    from keras_art.learning.training import precision

    backend.make_repeatable()  # as runs compute
    keras.utils.set_random_seed(0)
    ready: tuple[str, Callable[[], object] | None] = "", None
    for line in sys.stdin:
        if ready[0] != line:
            ready = "", None
            keras.utils.clear_session()
            name, policy = line.split()
            with precision(policy):
                ready = line, WAYS[name]()
        began = time.perf_counter()
        assert ready[1]
        ready[1]()
        print(json.dumps(time.perf_counter() - began), file=answers, flush=True)


def ask(process: subprocess.Popen[str], name: str, policy: str) -> float:
    """Seconds of one call in a process that serves."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{name} {policy}\n")
    process.stdin.flush()
    return float(json.loads(process.stdout.readline()))


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        return serve()
    there = [name for name in asked.backends if importlib.util.find_spec(name)]
    for name in set(asked.backends) - set(there):
        print(f"{name} is skipped: it is not installed")
    command = [sys.executable, "-m", "benchmarks.backends", "--serve"]
    processes = {
        name: subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "KERAS_BACKEND": name}
        )
        for name in there
    }
    ratios = []
    print("| way | backend | precision | first call, s | seconds |\n|---|---|---|---|---|")
    for way in asked.ways:
        times: dict[tuple[str, str], list[float]] = {}
        for policy in PRECISIONS[: 1 if way in SINGLE else None]:
            first = {name: ask(process, way, policy) for name, process in processes.items()}
            for process in processes.values():
                ask(process, way, policy)  # what the second call still traces
            for _ in range(asked.rounds):
                for name, process in processes.items():
                    times.setdefault((name, policy), []).append(ask(process, way, policy))
            for name in there:
                taken = spread(times[name, policy], ".3f")
                print(f"| {way} | {name} | {policy} | {first[name]:.1f} | {taken} |", flush=True)
        pairs = [((there[0], policy), (name, policy)) for name in there[1:] for policy in PRECISIONS]
        pairs += [((name, PRECISIONS[0]), (name, PRECISIONS[1])) for name in there]
        for slow, fast in pairs:
            if slow in times and fast in times:
                found = [a / b for a, b in zip(times[slow], times[fast], strict=True)]
                ratios.append(f"| {way}: {' '.join(slow)} / {' '.join(fast)} | {spread(found, '.2f')} |")
    print("\n| ratio | times |\n|---|---|")
    print(*ratios, sep="\n")
    for process in processes.values():
        process.terminate()


if __name__ == "__main__":
    main()

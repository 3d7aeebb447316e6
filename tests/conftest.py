"""Small collections made of coloured noise, which a network can learn in a few steps."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from keras_art.data.choices import Choice
from keras_art.data.collection import Collection, located
from keras_art.data.splits import Task

# Whoever starts the suite in the background, or by nohup, ignores these, and so would every process it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# The memory that TensorFlow's own allocator has had for large tensors stays with the process.
os.environ["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"] = "1"

COLOURS = {"a": (200, 60, 60), "b": (60, 200, 60), "c": (60, 60, 200)}


def paint(path: Path, colour: str, seed: int = 0, size: int = 32) -> Path:
    """Writes a picture of noise round one of `COLOURS`; another seed, another file."""
    noise = np.random.default_rng([seed, ord(colour)]).normal(0, 25, (size, size, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((COLOURS[colour] + noise).clip(0, 255).astype(np.uint8)).save(path)
    return path


def colour_of(pixels: np.ndarray) -> str:
    """The name of the colour that (height, width, 3) uint8 pixels are nearest to."""
    return "abc"[int(pixels.reshape(-1, 3).mean(axis=0).argmax())]


def told(found: Collection | Choice | Task) -> pd.DataFrame:
    """All that is known of images, ours and their own columns side by side, paths absolute."""
    return pd.concat([found.images.assign(path=located(found.root, found.images["path"])), found.columns], axis=1)


def write_csv(path: Path, rows: list[list[str]], encoding: str = "utf-8", separator: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=separator).writerows(rows)
    return path


def kill_at(kept: str, paper: str, arguments: list[str], store: Path) -> None:
    """Runs a reproduction until one of its runs has written a checkpoint of that name, then kills it."""
    # Of trainings that are over within a minute every epoch is kept.
    often = "import runpy; from keras_art.learning import keeping; keeping.APART = 0.0; "
    process = subprocess.Popen(
        [sys.executable, "-c", f"{often}runpy.run_module('reproductions.{paper}', run_name='__main__')", *arguments],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    checkpoints = store.glob
    while not list(checkpoints(f"*/*/checkpoint/{kept}")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()


@pytest.fixture(autouse=True, scope="module")
def _graphs_of_a_file_given_back():
    """What the tests of a file have traced does not stay while those of the next run: a worker grew to gigabytes."""
    yield
    if "tensorflow" in sys.modules and "keras_art.learning.training" in sys.modules:
        from keras_art.learning import compiled, training

        compiled._kept.clear()
        training.forget_graphs()


@pytest.fixture
def every_epoch_kept(monkeypatch):
    """Trainings are over within a minute, and would keep their last epoch alone."""
    from keras_art.learning import keeping

    monkeypatch.setattr(keeping, "APART", 0.0)


def paint_folders(folder: Path) -> Path:
    """Class folders a, b, c of 8 pictures of 32 x 32 each; the class is the colour."""
    for colour in COLOURS:
        for i in range(8):
            paint(folder / colour / f"{colour}{i}.png", colour, i)
    return folder


def paint_museum(folder: Path) -> Path:
    """A folder with labels.csv (image, artist, style) and images/, 24 pictures of 32 x 32.

    An artist is a colour, 8 pictures each; artists a and b paint in the style "warm", c in "cold", and the last
    picture of each in the other one.
    """
    rows = [["image", "artist", "style"]]
    for n, (artist, i) in enumerate((artist, i) for artist in COLOURS for i in range(8)):
        paint(folder / "images" / f"{n:03d}.png", artist, i)
        style = "warm" if (artist == "c") == (i == 7) else "cold"
        rows.append([f"{n:03d}.png", f"Artist {artist.upper()}", style])
    write_csv(folder / "labels.csv", rows)
    return folder


@pytest.fixture
def picture_folder(tmp_path: Path) -> Path:
    """The class folders of `paint_folders`."""
    return paint_folders(tmp_path / "pictures")


@pytest.fixture
def picture_csv(tmp_path: Path) -> Path:
    """The folder of `paint_museum`."""
    return paint_museum(tmp_path / "museum")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store for runs that are computed by one thread, made without asking what this machine is."""
    from keras_art.store import runs

    monkeypatch.setattr(runs, "environment", dict)
    made = runs.Store(tmp_path / "store")
    made.create(threads=1)
    return made


@pytest.fixture(scope="module")
def backbone_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of three named blocks for 16 pixels, called little."""
    import keras

    keras.utils.set_random_seed(0)
    pixels = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="block1_conv")(pixels)
    x = keras.layers.MaxPooling2D(name="block1_pool")(x)
    x = keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="block2_conv")(x)
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="block3_conv")(x)
    path = tmp_path_factory.mktemp("network") / "little.keras"
    keras.Model(pixels, x, name="little").save(path)
    return path


@pytest.fixture(scope="module")
def painted_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `museum`, 30 pictures of three artists and their table, and a small network, `n.keras`."""
    import keras

    here = tmp_path_factory.mktemp("place")
    rows = [["image", "artist"]]
    for n in range(30):
        paint(here / "museum" / "images" / f"{n:03d}.png", "abc"[n % 3], n)
        rows.append([f"{n:03d}.png", "abc"[n % 3]])
    write_csv(here / "museum" / "labels.csv", rows)
    inputs = keras.Input((None, None, 3))
    keras.Model(inputs, keras.layers.Conv2D(4, 3, 2, activation="relu")(inputs), name="tiny").save(here / "n.keras")
    return here

"""On JAX and PyTorch nothing imports TensorFlow: whole studies in processes in which an import of it is an error."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Python's arguments: a reproduction and its words. Whoever looks for TensorFlow finds it, and fails when it imports it;
# not by an ImportError, which those who can do without would catch.
SCRIPT = """
import importlib
import importlib.util
import sys
from pathlib import Path

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            return importlib.util.spec_from_loader(name, self, origin="refused")

    def create_module(self, spec):
        raise AssertionError("TensorFlow was imported")

    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Refused())

from keras_art.commands import predict

paper, *words = sys.argv[1:]
assert importlib.import_module(f"reproductions.{paper}").REPRODUCTION.main(words) == 0
trained = [path.parent for path in Path("store").glob("*/*/model.keras")]
assert trained, "no run has left a model"
for run in trained:
    if run.parent.name in ("classifier", "clustering", "st_saclf", "multitask", "ticket"):
        assert predict.main([str(run), "museum/images", "--out", "said.csv"]) == 0
        assert len(Path("said.csv").read_text().splitlines()) == 25, run
print("not imported")
"""
LITTLE = ["--networks", "little.keras", "--preprocessing", "unit", "--batch_size", "8"]
ARTIST = ["--target", "artist"]
STUDIES = {
    "sabatelli2018": [*ARTIST, *LITTLE, "--epochs", "2", "--head_epochs", "2", "--augmentation", "tf_data"],
    "dcec_paint": [
        *ARTIST,
        *("--k", "2", "--epochs", "2", "--pretrain_batch_size", "8", "--batch_size", "8", "--update_interval", "2"),
        *("--max_iterations", "4", "--gap_references", "1", "--embedding", "4"),
    ],
    "st_saclf": [
        *(*ARTIST, *LITTLE, "--taps", "block1_conv", "block2_conv", "--epochs", "5", "--p1", "0", "--p2", "0.5"),
        *("--decoder_size", "16", "--decoder_iterations", "2", "--encoder_weights", "none"),
    ],
    "multitask": [
        *("--targets", "style", "artist", *LITTLE, "--epochs", "2", "--frozen_epochs", "1", "--shared", "8"),
        *("--hidden", "8", "--gram_channels", "4", "--weights", "none"),
    ],
    "sabatelli2021": [
        *(*ARTIST, "--networks", "ResNet20", "--crop", "12", "--stages", "2", "--transfer_stages", "0", "1"),
        *("--epochs", "3", "--source_epochs", "3", "--batch_size", "8", "--seeds", "0"),
    ],
}


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    """A network of three named blocks for 16 pixels."""
    import keras
    from keras import layers

    pixels = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="block1_conv")(pixels)
    x = layers.MaxPooling2D(name="block1_pool")(layers.BatchNormalization(name="block1_bn")(x))
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="block2_conv")(x)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="block3_conv")(x)
    path = tmp_path_factory.mktemp("network") / "little.keras"
    keras.Model(pixels, x, name="little").save(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("paper", STUDIES)
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_study_and_its_predictions_do_without_tensorflow(backend, paper, network, picture_csv, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    shutil.copy(network, tmp_path)
    what = ["--data", "museum", "--image_size", "16", "--store", "store"]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, paper, *what, *STUDIES[paper]],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("not imported\n")

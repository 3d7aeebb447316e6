from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from keras_art.errors import UserError
from keras_art.store.runs import Store
from keras_art.study import devices

TRAINING = """
import json, sys
import keras, numpy as np
from keras_art.learning.training import compile_classifier, fit, make_deterministic
from keras_art.networks.layers import Preprocessing
from keras_art.pictures.pipeline import Batches
from keras_art.study.devices import spread

spread(sys.argv[1])
make_deterministic(0)
random = np.random.default_rng(0)
images, labels = random.integers(0, 256, (53, 16, 16, 3), np.uint8), random.integers(0, 4, 53)
model = keras.Sequential([
    keras.Input((16, 16, 3)), Preprocessing("unit"), keras.layers.Conv2D(8, 3, strides=2, use_bias=False),
    keras.layers.BatchNormalization(momentum=0.9), keras.layers.ReLU(), keras.layers.GlobalAveragePooling2D(),
    keras.layers.Dropout(0.2), keras.layers.Dense(4, "softmax"),
])
compile_classifier(model, keras.optimizers.SGD(0.1))
from pathlib import Path
train, val = Batches(images, np.arange(40), labels, 16, seed=0), Batches(images, np.arange(40, 53), labels[40:], 16)
history, _ = fit(model, train, val, folder=Path(sys.argv[2]), epochs=3, patience=9)
shares = len(model.layers[1](images[:16].astype("float32")).sharding.device_set)
print(json.dumps([history.to_dict("list"), model.predict(images[:7], verbose=0).tolist(), shares]))
"""


def test_devices_are_given_out_in_turn(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert devices.devices_of("auto", 1) == [None]
    assert devices.devices_of("auto", 3) == ["0", "1", "0"]
    assert devices.devices_of("0,1", 1) == ["0,1"]
    assert devices.devices_of("1", 2) == ["1", "1"]
    assert devices.devices_of("cpu", 2) == ["cpu", "cpu"]


@pytest.mark.parametrize(
    ("asked", "jobs", "reason"),
    [
        ("0,2", 2, "--devices names 2, and this machine has GPUs 0, 1"),
        ("all", 1, "auto, cpu, or numbers"),
        ("0,0", 2, "auto, cpu, or numbers"),
        ("", 1, "auto, cpu, or numbers"),
    ],
)
def test_devices_that_are_not_there_are_refused(monkeypatch, asked, jobs, reason):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(UserError, match=reason):
        devices.devices_of(asked, jobs)


def test_without_a_gpu_every_process_takes_what_there_is(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.devices_of("auto", 2) == [None, None]
    with pytest.raises(UserError, match="this machine has no GPU"):
        devices.devices_of("0", 1)


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_two_devices_that_share_batches_learn_what_one_does(tmp_path):
    said = []
    for asked in ("cpu", "0,1"):
        env = {**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
        words = [sys.executable, "-c", TRAINING, asked, str(tmp_path / asked)]
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
        said.append(json.loads(done.stdout))
    (one, predicted, alone), (two, as_well, shared) = said
    assert (alone, shared) == (1, 2)
    for name in one:  # batches of 16, 16, 8 to train on and one of 13 to validate on
        assert two[name] == pytest.approx(one[name], abs=1e-5)
    assert np.array(as_well) == pytest.approx(np.array(predicted), abs=1e-5)


def test_one_run_on_several_devices_is_refused_before_anything_starts_unless_by_jax(tmp_path, monkeypatch):
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "NPROC", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    with pytest.raises(UserError, match="--jobs 2 gives a run to each"):
        devices.settle(Store(tmp_path), "0,1")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    devices.settle(Store(tmp_path), "0,1")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_a_store_keeps_the_number_of_threads_it_was_made_with(tmp_path, monkeypatch):
    store = Store(tmp_path / "store")
    store.create(threads=3)
    store.create(threads=5)
    assert store.threads == 3
    monkeypatch.setattr(os, "environ", {})
    devices.settle(store, "cpu")
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "3" and os.environ["CUDA_VISIBLE_DEVICES"] == ""

"""Which backend is taken, and what it needs, before Keras is imported."""

import json
import subprocess
import sys

import pytest

from keras_art import backend
from keras_art.errors import UserError
from keras_art.store.runs import Store
from keras_art.study import devices

LITTLE = """
import resource, sys
from keras_art import terminal
resource.setrlimit(resource.RLIMIT_AS, (2 << 30,) * 2)
sys.exit(terminal.guarded(terminal.start_backend, "prog"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_what_tensorflow_would_abort_in_is_one_line_before_it_is_imported(monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    done = subprocess.run([sys.executable, "-c", LITTLE], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "prog: there is not enough memory: TensorFlow needs 3 GB of addresses at least, and this process may have 2.1: "
        "raise the limit (ulimit -v)\n"
    )


@pytest.mark.parametrize(
    ("content", "said", "taken"),
    [
        (json.dumps({"backend": "jax"}), None, "jax"),
        (json.dumps({"backend": "jax"}), "torch", "torch"),
        (json.dumps({"backend": "jax"}), "", "jax"),
        (json.dumps({"floatx": "float32"}), None, "tensorflow"),
        ("[" * 100_000, None, "tensorflow"),
        (None, None, "tensorflow"),
    ],
)
def test_the_backend_is_the_one_that_keras_takes(tmp_path, monkeypatch, content, said, taken):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if said is not None:
        monkeypatch.setenv("KERAS_BACKEND", said)
    if content is not None:
        (tmp_path / "keras.json").write_text(content)
    assert backend.named() == taken


def test_several_devices_are_refused_by_the_backend_of_keras_json_too(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    store = Store(tmp_path / "store")
    store.create(threads=1)
    with pytest.raises(UserError, match="only JAX"):
        devices.settle(store, "0,1")
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    monkeypatch.setattr(devices.os, "environ", dict(devices.os.environ))
    devices.settle(store, "0,1")
    assert devices.os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"


ASKED = """
import sys
from keras_art import terminal
terminal.start_backend()
import numpy as np
from keras_art.learning import training
from keras_art.networks import backbones, heads
if sys.argv[1:]:
    training.make_deterministic(3)
model = heads.feature_extractor(backbones.load_backbone("MobileNetV2", image_size=32, weights=None))
for weight in model.weights:
    weight.assign(np.linspace(0.1, 0.9, weight.numpy().size).reshape(weight.shape) / weight.shape[0])
pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
print(model.jit_compile, model.predict(pixels, verbose=0).tobytes().hex()[:4096])
"""


@pytest.mark.skipif(backend.named() != "tensorflow", reason="XLA is TensorFlow's choice alone")
def test_what_a_command_computes_for_a_store_is_what_a_run_computes():
    said = [
        subprocess.run([sys.executable, "-c", ASKED, *words], capture_output=True, text=True, check=True).stdout
        for words in ([], ["in a run"])
    ]
    assert said[0] == said[1]
    assert said[0].startswith("False ")

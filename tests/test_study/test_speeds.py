"""What a network's steps take here, measured and kept."""

from __future__ import annotations

import keras
import pytest

from keras_art.store import runs
from keras_art.store.runs import Store
from keras_art.study import speeds


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "environment", dict)
    made = Store(tmp_path / "store")
    made.create(threads=1)
    return made


def test_steps_of_a_network_are_timed_once_and_kept(store, tmp_path):
    pixels = keras.Input((None, None, 3))
    keras.Model(pixels, keras.layers.Conv2D(4, 3)(pixels)).save(tmp_path / "small.keras")
    network = str(tmp_path / "small.keras")
    training, forward = speeds.measure(store, network, 16, "mixed_bfloat16", 1e-6)
    assert training > 0 and forward > 0
    assert keras.config.dtype_policy().name == "float32"
    name = speeds.name(store, network, 16, "mixed_bfloat16")
    assert speeds.kept(store) == {name: (training, forward)}
    assert "16 pixels, mixed_bfloat16, " in name and name.endswith(", 1 threads")
    speeds.measure(store, network, 16, "float32", 1e-6)
    assert len(speeds.kept(Store(store.root))) == 2


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": [1, "x"]}', "\xff"])
def test_what_is_damaged_is_measured_again(store, text):
    (store.root / "cache").mkdir(exist_ok=True)
    (store.root / "cache" / "speeds.json").write_bytes(text.encode("latin-1"))
    assert speeds.kept(store) == {}

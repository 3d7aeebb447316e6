"""What a network's steps take here, measured and kept."""

from __future__ import annotations

import keras
import pytest

from keras_art.errors import UserError
from keras_art.store.runs import Store
from keras_art.study import speeds


def test_steps_of_a_network_are_timed_once_in_a_process_of_their_own_and_kept(store, tmp_path, monkeypatch):
    pixels = keras.Input((None, None, 3))
    keras.Model(pixels, keras.layers.Conv2D(4, 3)(pixels)).save(tmp_path / "small.keras")
    network = str(tmp_path / "small.keras")
    found = speeds.measure(store, network, 16, ("float32", "mixed_bfloat16"), 1e-6)
    assert min(min(pair) for pair in found.values()) > 0
    assert keras.config.dtype_policy().name == "float32"
    names = {precision: speeds.name(store, network, 16, precision) for precision in found}
    assert speeds.kept(Store(store.root)) == {names[precision]: pair for precision, pair in found.items()}
    assert "16 pixels, mixed_bfloat16, " in names["mixed_bfloat16"] and names["float32"].endswith(", 1 threads")
    monkeypatch.setattr(speeds, "alone", None)
    assert speeds.measure(store, network, 16, ("mixed_bfloat16",), 1e-6) == {"mixed_bfloat16": found["mixed_bfloat16"]}


def test_a_network_that_can_not_be_built_is_told_by_the_process_that_times_it(store):
    with pytest.raises(UserError, match="ResNot50"):
        speeds.measure(store, "ResNot50", 32, ("float32",), 1e-6)
    assert speeds.kept(store) == {}


def test_backends_and_hidden_cards_have_speeds_of_their_own(store, tmp_path, monkeypatch):
    monkeypatch.setattr(speeds, "CARDS", tmp_path)
    (tmp_path / "0").mkdir()
    (tmp_path / "0/information").write_text("Model: \t A Card\nIRQ: 1\n")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert "jax on A Card" in speeds.name(store, "VGG19", 16, "float32")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "A Card" not in speeds.name(store, "VGG19", 16, "float32")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": [1, "x"]}', "\xff"])
def test_what_is_damaged_is_measured_again(store, text):
    (store.root / "cache").mkdir(exist_ok=True)
    (store.root / "cache" / "speeds.json").write_bytes(text.encode("latin-1"))
    assert speeds.kept(store) == {}

"""Vision transformers as backbones."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from keras_art.networks import heads, vit
from keras_art.networks.backbones import BadBackbone

TINY = {"patch_size": 16, "num_layers": 1, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 16}
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(vit.VITS, "tiny", TINY)
    return "tiny"


@pytest.fixture
def preset(tiny, tmp_path):
    vit.load_vit(tiny, image_size=32, weights=None, seed=1).model.save_to_preset(str(tmp_path / "preset"))
    return tmp_path / "preset"


def test_vit_b16_has_the_parameters_of_the_paper():
    import keras_hub

    # Built without its weights, which would fill a third of a gigabyte.
    with keras.StatelessScope():
        model = keras_hub.models.ViTBackbone(image_shape=(224, 224, 3), **vit.VITS["ViTB16"])
    assert model.count_params() == 85_798_656
    assert model.output.shape == (None, 197, 768)


def test_the_class_token_is_what_heads_stand_on(tiny):
    backbone = vit.load_vit(tiny, image_size=32, weights=None)
    assert backbone.model.output.shape == (None, 5, 8)
    assert backbone.preprocessing == "tf"
    tokens = np.arange(2 * 5 * 8, dtype="float32").reshape(2, 5, 8)
    np.testing.assert_array_equal(heads.pooled(tokens), tokens[:, 0])


def test_a_size_that_is_no_multiple_of_the_patch_is_refused(tiny):
    with pytest.raises(BadBackbone, match="patches of 16 pixels"):
        vit.load_vit(tiny, image_size=40, weights=None)


def test_a_seed_gives_the_same_random_weights(tiny):
    one, same, other = (vit.load_vit(tiny, image_size=32, weights=None, seed=s).model.get_weights() for s in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_preset_folder_is_loaded(tiny, preset):
    loaded = vit.load_vit(tiny, image_size=32, weights=preset, seed=2).model
    expected = vit.load_vit(tiny, image_size=32, weights=None, seed=1).model
    for a, b in zip(loaded.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_preset_of_another_size_keeps_its_class_token_and_interpolates_the_rest(tiny, preset):
    small = vit.load_vit(tiny, image_size=32, weights=preset).model
    large = vit.load_vit(tiny, image_size=64, weights=preset).model
    assert large.output.shape == (None, 17, 8)
    differ = [a.shape != b.shape for a, b in zip(small.get_weights(), large.get_weights(), strict=True)]
    assert sum(differ) == 1
    a, b = (model.get_weights()[differ.index(True)] for model in (small, large))
    np.testing.assert_array_equal(a[0], b[0])
    assert b.shape == (17, 8)


@pytest.mark.parametrize("size", [32, 64])
def test_a_preset_computes_by_the_policy_asked_for(tiny, preset, size):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = vit.load_vit(tiny, image_size=size, weights=preset).model
    finally:
        keras.config.set_dtype_policy("float32")
    kinds = {layer.dtype_policy.name for layer in model.layers if layer.weights}
    assert kinds == {"mixed_bfloat16"}
    tokens = model(np.zeros((1, size, size, 3), "float32"))
    assert keras.backend.standardize_dtype(tokens.dtype) == "bfloat16"


def test_a_preset_of_another_width_is_refused(monkeypatch, preset):
    monkeypatch.setitem(vit.VITS, "tiny", {**TINY, "hidden_dim": 16})
    with pytest.raises(BadBackbone, match="is no tiny"):
        vit.load_vit("tiny", image_size=32, weights=preset)


@pytest.mark.parametrize("content", [None, "{", json.dumps({"registered_name": "keras_hub>ResNetBackbone"})])
def test_a_folder_that_is_no_preset_says_what_it_needs(tmp_path, content):
    if content:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(BadBackbone, match=r"no preset folder of a vision transformer.*config.json"):
        vit.check_preset(tmp_path)


def test_a_vit_classifier_round_trips(tiny, tmp_path):
    model = heads.multitask_classifier(
        vit.load_vit(tiny, image_size=32, weights=None), {"style": 3}, shared=4, hidden=4
    )
    model.save(tmp_path / "vit.keras")
    loaded = keras.saving.load_model(tmp_path / "vit.keras", compile=False)
    np.testing.assert_allclose(
        loaded.predict(PIXELS, verbose=0)["style"], model.predict(PIXELS, verbose=0)["style"], atol=1e-6
    )


@pytest.mark.parametrize(
    ("change", "words"), [({"hidden_dim": 10**9}, "a hidden_dim of 1000000000"), ({"mlp_dim": "x"}, "a mlp_dim of x")]
)
def test_a_preset_of_absurd_size_is_refused_before_it_is_made(preset, change, words):
    config = json.loads((preset / "config.json").read_text())
    config["config"] |= change
    (preset / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadBackbone, match=words):
        vit.check_preset(preset)


def test_a_preset_of_json_without_end_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(BadBackbone, match="no preset folder of a vision transformer"):
        vit.check_preset(tmp_path)

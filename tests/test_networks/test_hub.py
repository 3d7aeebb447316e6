from __future__ import annotations

import functools
import json
import shutil

import huggingface_hub
import keras
import numpy as np
import presets
import pytest

from keras_art.networks import attention, backbones, gram, heads, hub, trained
from keras_art.networks.backbones import BadBackbone, load_backbone
from keras_art.networks.exported import load_exported
from keras_art.networks.layers import BatchNormalization2018
from keras_art.networks.loading import load_model
from keras_art.networks.saliency import visual_backprop

OFTEN = ("ViT", "DINOV2", "CLIP", "SigLIP", "SwinTransformer", "ResNet")
OTHERS = ("DeiT", "DINOV3", "MetaCLIP2", "VGG", "DenseNet", "Xception", "EfficientNet", "MobileNet", "CSPNet")

READ = ("DINOV2", "ResNet", "SwinTransformer")

SIZED = [("SigLIP", 42), ("ViT", 42), ("DeiT", 42), ("DINOV3", 42), ("VGG", 40)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A network of keras-hub by name and the folder of its preset, each made once."""

    @functools.cache
    def make(name: str):
        folder = tmp_path_factory.mktemp(name) / "preset"
        return presets.save(name, folder), folder

    return make


def pictures(side: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (2, side, side, 3)).astype("float32")


def own_side(net) -> int:
    return getattr(net, "vision_encoder", net).inputs[0].shape[1] or presets.SIDE


def as_keras_hub_says(name: str, net, images: np.ndarray) -> np.ndarray:
    """The vector of each picture that keras-hub's own parts make, pixels scaled by hand."""
    pixels = (images / 255 - np.array(presets.MEAN)) / np.array(presets.DEVIATION)
    tower = getattr(net, "vision_encoder", net)
    given = dict.fromkeys(tower.input, pixels) if isinstance(tower.input, dict) else pixels
    said = keras.ops.convert_to_numpy(tower(given))
    if said.ndim == 2:
        return said
    if said.ndim == 4:
        return said.mean(axis=(1, 2))
    return said.mean(axis=1) if name == "SwinTransformer" else said[:, 0]


@pytest.mark.parametrize("name", [*OFTEN, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_a_preset_says_of_pictures_what_keras_hub_says_and_comes_back_from_a_file(name, saved, tmp_path):
    net, folder = saved(name)
    side = own_side(net)
    backbone = load_backbone(str(folder), image_size=side, weights="own")
    assert backbone.preprocessing == "none"
    assert backbone.has_maps
    images = pictures(side)
    features = heads.feature_extractor(backbone)
    said = features.predict(images, verbose=0)
    np.testing.assert_allclose(said, as_keras_hub_says(name, net, images), rtol=2e-4, atol=2e-5)
    assert said.shape == (2, backbone.width)
    features.save(tmp_path / "features.keras")
    np.testing.assert_allclose(load_model(tmp_path / "features.keras").predict(images, verbose=0), said, atol=1e-6)
    assert backbones.gigamacs(backbone.model) > 0


@pytest.mark.parametrize(
    "name", [*OFTEN, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS if name != "CSPNet")]
)
def test_a_network_comes_back_from_an_exported_classifier(name, saved, tmp_path):
    net, folder = saved(name)
    side = own_side(net)
    backbone = load_backbone(str(folder), image_size=side, weights="own")
    card = trained.ModelCard({"artist": ["x", "y"]}, backbone.preprocessing, "squash", side, {}, {})
    trained.save(heads.softmax_classifier(backbone, 2, 0), tmp_path / "model.keras", card)
    back = load_exported(tmp_path, side)
    expected = heads.feature_extractor(backbone).predict(pictures(side), verbose=0)
    found = heads.feature_extractor(backbones.Backbone(back, "none")).predict(pictures(side), verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    [*READ, *(pytest.param(name, marks=pytest.mark.slow) for name in (*OFTEN, *OTHERS[:-1]) if name not in READ)],
)
def test_attention_and_gram_read_the_maps_of_a_preset(name, saved):
    net, folder = saved(name)
    side = own_side(net)
    backbone = load_backbone(str(folder), image_size=side, weights="own")
    taps = attention.find_taps(backbone)
    assert 1 <= len(taps) <= 4
    model = attention.attention_classifier(backbone, taps, 3)
    assert model.predict(pictures(side), verbose=0).shape == (2, 3)
    assert all(
        maps.shape[0] == 2 for maps in keras.tree.flatten(attention.attention_maps(model).predict(pictures(side)))
    )
    textured = gram.gram_classifier(backbone, "style", 3, gram.GramBranch(channels=4))
    assert textured.predict(pictures(side), verbose=0)["style"].shape == (2, 3)


@pytest.mark.parametrize("name", [*READ, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS[3:-1])])
def test_visual_backprop_reads_a_preset_that_ends_in_maps(name, saved):
    net, folder = saved(name)
    side = own_side(net)
    network = load_backbone(str(folder), image_size=side, weights="own").model
    assert backbones.ends_in_maps(network) == (name not in ("DINOV2", "SwinTransformer"))
    if backbones.ends_in_maps(network):
        seen = visual_backprop(network, backbones.stage_taps(network), pictures(side))
        assert seen.shape == (2, side, side) and seen.max() == 1


def test_the_patches_of_a_tap_stand_where_they_are_in_the_picture(saved):
    backbone = load_backbone(str(saved("DINOV2")[1]), image_size=28, weights="own")
    assert list(backbone.taps) == ["stage1", "stage2", "patches"]
    reader = keras.Model(backbone.model.input, backbone.tap("patches"))
    plain = np.full((1, 28, 28, 3), 90.0, "float32")
    marked = plain.copy()
    marked[0, 7:14, 21:28] = 250  # the second row's last patch
    changed = np.abs(reader.predict(marked, verbose=0) - reader.predict(plain, verbose=0)).sum(axis=-1)[0]
    assert np.unravel_index(changed.argmax(), changed.shape) == (1, 3)
    with pytest.raises(BadBackbone, match="no layer 'stage9' to tap; the nearest names: stage"):
        attention.find_taps(backbone, ["stage9"])


@pytest.mark.parametrize(
    ("name", "other"), [("CLIP", 42), *(pytest.param(*pair, marks=pytest.mark.slow) for pair in SIZED)]
)
def test_a_preset_takes_pictures_of_another_size(name, other, saved):
    net, folder = saved(name)
    backbone = load_backbone(str(folder), image_size=other, weights="own")
    assert backbone.model.input.shape == (None, other, other, 3)
    own = load_backbone(str(folder), image_size=own_side(net), weights="own")
    plain = heads.feature_extractor(backbone).predict(np.full((1, other, other, 3), 128.0), verbose=0)
    same = heads.feature_extractor(own).predict(np.full((1, own_side(net), own_side(net), 3), 128.0), verbose=0)
    assert np.abs(plain - same).max() < np.abs(same).max()  # of one grey they say much the same
    if name != "VGG":
        with pytest.raises(BadBackbone, match="patches of 7 pixels: give --image_size a multiple of that, not 30"):
            load_backbone(str(folder), image_size=30, weights="own")


def test_position_embeddings_keep_their_prefix_and_their_grid():
    table = np.arange(2 * 18, dtype="float32").reshape(18, 2)
    assert np.array_equal(hub.interpolated(table, 18, prefix=2), table)
    larger = hub.interpolated(table, 2 + 64, prefix=2)
    assert larger.shape == (66, 2)
    assert np.array_equal(larger[:2], table[:2])
    assert larger[2:, 0].min() >= table[2:, 0].min() - 3


def test_without_weights_kernels_are_drawn_by_the_seed(saved):
    first, again, other = (
        load_backbone(str(saved("ViT")[1]), image_size=28, weights=None, seed=seed).model.get_weights()
        for seed in (1, 1, 2)
    )
    assert all(map(np.array_equal, first, again))
    assert not all(map(np.array_equal, first, other))


def test_pixels_are_the_presets_own_or_asked_for(saved, tmp_path):
    presets.save("ResNet", tmp_path / "mute", converter=False)
    with pytest.raises(BadBackbone, match=r"has no image_converter\.json and so does not say which pixels it takes"):
        load_backbone(str(tmp_path / "mute"), image_size=32, weights="own")
    assert load_backbone(str(tmp_path / "mute"), image_size=32, weights="own", preprocessing="tf").preprocessing == "tf"
    own = str(saved("ResNet")[1])
    with pytest.raises(BadBackbone, match="give --preprocessing none, and networks that do not say it in a command"):
        load_backbone(own, image_size=32, weights="own", preprocessing="tf")
    one, two = (load_backbone(own, image_size=32, weights="own", preprocessing=mode) for mode in ("imagenet", "none"))
    images = pictures(32)
    assert np.array_equal(one.model.predict(images, verbose=0), two.model.predict(images, verbose=0))
    swapped = load_backbone(own, image_size=32, weights="own", frozen_bn="batch")
    assert any(type(layer) is BatchNormalization2018 for layer in swapped.model.layers)
    np.testing.assert_allclose(
        swapped.model.predict(images, verbose=0), one.model.predict(images, verbose=0), atol=1e-5
    )


# What is no network of pictures, or not only that


def edited(folder, name: str = "config.json", **changes) -> None:
    config = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**config, **changes}))


def test_nothing_is_made_of_a_preset_with_something_else_in_it(saved, tmp_path):
    shutil.copytree(saved("ViT")[1], tmp_path / "sound")
    config = json.loads((tmp_path / "sound" / "config.json").read_text())["config"]
    lambda_layer = {"module": "keras.layers", "class_name": "Lambda", "config": {}, "registered_name": None}
    changes = {
        "text": {"registered_name": "keras_hub>BertBackbone"},
        "other": {"class_name": "Popen"},
        "module": {"module": "subprocess"},
        "lambda": {"config": {**config, "dtype": lambda_layer}},
        "huge": {"config": {**config, "hidden_dim": 60_000}},
        "none": {"registered_name": 3},
    }
    words = {
        "text": "is a preset of BertBackbone, which is no network of pictures",
        "other": "is a preset with a Popen in it: not read",
        "module": "is a preset with a subprocess in it: not read",
        "lambda": "is a preset with a Lambda in it: not read",
        "huge": "describes a network of .* numbers and stores .*: not read",
        "none": "is no preset of keras-hub: it has no config.json that can be read",
    }
    for case, changed in changes.items():
        shutil.copytree(tmp_path / "sound", tmp_path / case)
        edited(tmp_path / case, **changed)
        with pytest.raises(BadBackbone, match=words[case]):
            load_backbone(str(tmp_path / case), image_size=28, weights="own")
    edited(tmp_path / "sound", "image_converter.json", config={"dtype": lambda_layer})
    with pytest.raises(BadBackbone, match=r"image_converter\.json can not be read .something else"):
        load_backbone(str(tmp_path / "sound"), image_size=28, weights="own")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"scale": "abc"}, "its scale or offset is abc"),
        ({"scale": {}}, "scale or offset"),
        ({"scale": [1, 2]}, "scale or offset is "),
        ({"scale": [1, "a", None]}, "scale or offset is "),
        ({"offset": 1e400}, "scale or offset is inf"),
        ({"class_name": None}, "no attribute|something else"),
        ({}, "KeyError: 'config'"),
    ],
)
def test_an_odd_image_converter_is_one_sentence_with_a_remedy(tmp_path, changed, told):
    presets.save("ViT", tmp_path / "p")
    path = tmp_path / "p" / "image_converter.json"
    config = json.loads(path.read_text())
    if "class_name" in changed:
        del config["class_name"]
    config["config"].update(changed)
    path.write_text(json.dumps(config if changed else {}))
    with pytest.raises(BadBackbone, match=rf"can not be read \(.*({told}).*\): copy it again, or save it anew"):
        backbones.load_backbone(str(tmp_path / "p"), image_size=presets.SIDE, weights="own")


def test_damaged_and_absent_presets_are_one_line(saved, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadBackbone, match=r"is no preset of keras-hub: it has no config\.json"):
        load_backbone(str(tmp_path / "empty"), image_size=28, weights="own")
    shutil.copytree(saved("ViT")[1], tmp_path / "preset")
    (tmp_path / "preset" / "model.weights.h5").write_bytes(b"no weights")
    with pytest.raises(BadBackbone) as caught:
        load_backbone(str(tmp_path / "preset"), image_size=28, weights="own")
    assert "\n" not in str(caught.value) and str(caught.value).endswith("): copy it again, or save it anew")


def test_a_name_that_keras_hub_does_not_have_gets_the_nearest():
    with pytest.raises(BadBackbone, match="has no preset called 'nonsense': https"):
        load_backbone("keras-hub:nonsense", image_size=28, weights="own")
    with pytest.raises(BadBackbone, match="has no preset called 'clip_vit_b'; did you mean clip_vit_b"):
        load_backbone("keras-hub:clip_vit_b", image_size=28, weights="own")
    with pytest.raises(BadBackbone, match="has no preset called 'dinov2_smal'; did you mean dinov2_small"):
        load_backbone("keras-hub:dinov2_smal", image_size=224, weights="own")


def test_what_can_not_be_downloaded_is_told_with_file_and_folder(monkeypatch):
    import kagglehub

    def offline(handle: str):
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr(kagglehub, "model_download", offline)
    with pytest.raises(BadBackbone) as caught:
        load_backbone("keras-hub:dinov2_small", image_size=224, weights="own")
    for words in (
        "keras/dinov2/keras/dinov2_small/1",
        "model.weights.h5",
        "no route to host",
        "give it instead of the name",
        "~/.cache/kagglehub",
    ):
        assert words in str(caught.value)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: offline(name))
    with pytest.raises(BadBackbone, match=r"snapshot_download.'timm/foo'. writes the model's files into a folder"):
        load_backbone("hf://timm/foo", image_size=28, weights="own")


def test_what_was_downloaded_is_read_as_a_folder(saved, monkeypatch):
    import kagglehub

    monkeypatch.setattr(kagglehub, "model_download", lambda handle: str(saved("ViT")[1]))
    assert load_backbone("kaggle://a/b/keras/c/1", image_size=28, weights="own").width == 8

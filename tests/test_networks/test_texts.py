"""Networks that know texts, asked by the names of classes."""

from __future__ import annotations

import json

import keras
import numpy as np
import presets
import pytest

from keras_art.networks import backbones, heads, texts
from keras_art.networks.loading import BadModel

# keras-hub leaves the file of a SentencePiece vocabulary open.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
TEXTS = ["a cold b", "a warm b", "a b"]


@pytest.fixture(scope="module", params=["CLIP", "SigLIP"])
def saved(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "preset"
    net = presets.save(request.param, folder)
    presets.save_texts(request.param, folder)
    return request.param, net, folder


def test_a_head_says_the_cosines_that_the_network_itself_says(saved):
    name, net, folder = saved
    import keras_hub

    pixels = np.random.default_rng(0).integers(0, 256, (3, presets.SIDE, presets.SIDE, 3)).astype("float32")
    scaled = (pixels / 255 - np.array(presets.MEAN)) / np.array(presets.DEVIATION)
    kind = getattr(keras_hub.models, f"{name}Preprocessor")
    made = kind(kind.tokenizer_cls.from_preset(str(folder)))(
        {"prompts": TEXTS, "images": None}, sequence_length=presets.LONGEST
    )
    assert len(set(map(tuple, np.asarray(made["token_ids"]).tolist()))) == 3
    own = keras.ops.convert_to_numpy(
        net({"images": keras.ops.convert_to_tensor(scaled, "float32"), "token_ids": made["token_ids"]})["vision_logits"]
    )
    backbone = backbones.load_backbone(str(folder), image_size=presets.SIDE, weights="own")
    features = heads.feature_extractor(backbone).predict(pixels, verbose=0)
    head = texts.text_head(str(folder), TEXTS)
    found = head.predict(features, verbose=0)
    expected = np.exp(own - own.max(1, keepdims=True))
    np.testing.assert_allclose(found, expected / expected.sum(1, keepdims=True), atol=1e-5)
    assert np.ptp(found, axis=1).min() > 1e-4  # the texts make a difference
    assert all(type(layer).__module__.startswith("keras.") for layer in head.layers)


def test_texts_that_are_one_where_a_network_stops_reading_are_refused_and_others_told(saved):
    _, _, folder = saved
    assert texts.cut_short(str(folder), TEXTS) == ""
    told = texts.cut_short(str(folder), ["a cold b", "a warm b a b a b a b a b a b"])
    assert told.startswith("reads 16 tokens of a text, of which 1 of the 2 here have more, first 'a warm b a b")
    long = "a b " * 8
    both = rf"and so '{long}cold' and '{long}warm' as one: give a --template with fewer words"
    for refused in (texts.cut_short, texts.text_head):
        with pytest.raises(BadModel, match=both):
            refused(str(folder), ["a", f"{long}cold", f"{long}warm"])
        with pytest.raises(BadModel, match="reads 'a  b' and 'a b' as one text: give these classes other names"):
            refused(str(folder), ["a  b", "a b"])


def test_a_network_that_knows_no_texts_is_one_sentence(tmp_path):
    presets.save("DINOV2", tmp_path / "dino")
    for network in (str(tmp_path / "dino"), "ResNet50"):
        with pytest.raises(BadModel, match="knows no texts, which zero_shot asks it about: give CLIP"):
            texts.check_texts(network)


def test_what_is_missing_or_odd_among_its_files_is_told(saved, tmp_path):
    _, net, folder = saved
    net.save_to_preset(str(tmp_path / "silent"))
    with pytest.raises(BadModel, match=r"has no tokenizer\.json"):
        texts.check_texts(str(tmp_path / "silent"))
    found = json.loads((folder / "tokenizer.json").read_text())
    found["config"]["extra"] = {"module": "keras.layers", "class_name": "Lambda", "config": {}}
    (tmp_path / "silent" / "tokenizer.json").write_text(json.dumps(found))
    with pytest.raises(BadModel, match="has a Lambda in it: not read"):
        texts.check_texts(str(tmp_path / "silent"))
    (tmp_path / "silent" / "tokenizer.json").write_text("{")
    with pytest.raises(BadModel, match="can not be read"):
        texts.check_texts(str(tmp_path / "silent"))
    (tmp_path / "silent" / "tokenizer.json").write_text((folder / "tokenizer.json").read_text())
    with pytest.raises(BadModel, match="can not read texts"):  # its vocabulary lies elsewhere
        texts.text_head(str(tmp_path / "silent"), TEXTS)


def test_names_are_put_into_a_template_as_words():
    assert texts.texts_of("by {}, {0}", ["a_b-c", "{x}"]) == ["by a b c, {0}", "by {x}, {0}"]

"""Cached taps: the same head on the same values, extracted once."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from keras_art.learning import features
from keras_art.networks import backbones
from keras_art.networks.attention import attention_classifier, find_taps
from keras_art.pictures.pipeline import Batches


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    backbone = backbones.load_backbone("VGG16", image_size=32, weights=None)
    return attention_classifier(backbone, find_taps(backbone), 3, scale="layer")


def images(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)


def test_the_head_on_cached_taps_says_what_the_classifier_says(model: keras.Model, tmp_path: Path):
    pixels = images(6)
    stored, places = features.cached_taps(tmp_path, model, pixels, np.array([4, 2, 0]), ["e", "c", "a"])
    assert stored.shape == (3, features.values(model.get_layer("head"))) and stored.dtype == np.float16
    found = features.head_on_taps(model.get_layer("head")).predict_on_batch(np.asarray(stored[places]))
    np.testing.assert_allclose(found, model.predict_on_batch(pixels[[4, 2, 0]]), atol=5e-3)


def test_a_head_without_attention_reads_its_one_vector(model: keras.Model, tmp_path: Path):
    plain = attention_classifier(backbones.load_backbone("VGG16", image_size=32, weights=None), [], 3)
    stored, places = features.cached_taps(tmp_path, plain, images(3), np.arange(3), list("abc"))
    assert stored.shape == (3, 512)
    found = features.head_on_taps(plain.get_layer("head")).predict_on_batch(np.asarray(stored[places]))
    np.testing.assert_allclose(found, plain.predict_on_batch(images(3)), atol=2e-2)  # taps are kept by 16 bits


def test_only_what_is_missing_is_extracted(model: keras.Model, tmp_path: Path, monkeypatch):
    pixels = images(4)
    features.cached_taps(tmp_path, model, pixels, np.array([0, 1]), ["a", "b"])
    seen: list[int] = []
    gather = Batches.gather
    monkeypatch.setattr(
        Batches, "gather", lambda self, samples: (seen.extend(self.rows[samples]), gather(self, samples))[1]
    )
    stored, places = features.cached_taps(tmp_path, model, pixels, np.array([1, 3, 0]), ["b", "d", "a"])
    assert seen == [3]
    assert places.tolist() == [1, 2, 0]
    fresh, order = features.cached_taps(tmp_path / "other", model, pixels, np.array([1, 3, 0]), ["b", "d", "a"])
    np.testing.assert_allclose(stored[places], fresh[order], rtol=1e-2, atol=1e-2)


def test_training_on_taps_trains_the_classifiers_own_head(model: keras.Model, tmp_path: Path):
    pixels, head = images(4), model.get_layer("head")
    stored, places = features.cached_taps(tmp_path, model, pixels, np.arange(4), list("abcd"))
    before = model.predict_on_batch(pixels)
    flat = features.head_on_taps(head)
    flat.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    flat.fit(Batches(stored, places, np.array([0, 1, 2, 0]), 2, 0).epochs(0, 3), shuffle=False, verbose=0)
    after = model.predict_on_batch(pixels)
    assert np.abs(after - before).max() > 1e-2
    np.testing.assert_allclose(flat.predict_on_batch(np.asarray(stored[places])), after, atol=1e-2)


def test_it_pays_for_vgg16_and_not_where_little_is_computed_per_value(model: keras.Model, tmp_path: Path):
    assert features.pays(model.get_layer("vgg16"), model.get_layer("head"), 100, tmp_path)
    assert not features.pays(model.get_layer("vgg16"), model.get_layer("head"), 10**9, tmp_path)  # no such disk
    pixels = keras.Input((32, 32, 3))
    little = backbones.Backbone(
        keras.Model(pixels, keras.layers.Conv2D(4, 3, name="c1")(pixels), name="little"), "unit"
    )
    cheap = attention_classifier(little, ["c1"], 3)
    assert not features.pays(little.model, cheap.get_layer("head"), 1, tmp_path)

"""The Gram matrix and the classifier that stands on it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_art.networks import gram
from keras_art.networks.backbones import Backbone, BadBackbone

RNG = np.random.default_rng(0)
MAPS = RNG.normal(size=(2, 3, 4, 5)).astype("float32")
PIXELS = RNG.integers(0, 256, (6, 16, 16, 3)).astype("uint8")


def network():
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, 2, activation="relu", name="stage1")(inputs)
    x = keras.layers.Conv2D(6, 3, 2, activation="relu", name="stage2")(x)
    return Backbone(keras.Model(inputs, x, name="tiny"), "unit")


def classifier(description="triangle", **how):
    keras.utils.set_random_seed(0)
    own = {name: how.pop(name) for name in ("tap", "channels", "widths") if name in how}
    branch = gram.GramBranch(**{"description": description, "channels": 3, "widths": (8, 4), **own})
    return gram.gram_classifier(network(), "style", 3, branch, **{"shared": 5, **how})


def matrices(maps=MAPS):
    return keras.ops.convert_to_numpy(gram.GramMatrix()(maps))


def test_gram_is_the_sum_over_positions_written_out():
    g = np.zeros((5, 5))
    for y in range(3):
        for x in range(4):
            g += np.outer(MAPS[1, y, x], MAPS[1, y, x]) / 12
    np.testing.assert_allclose(matrices()[1], g, rtol=1e-5)


def test_gram_is_symmetric_and_positive_semi_definite():
    for g in matrices():
        np.testing.assert_allclose(g, g.T, atol=1e-6)
        assert np.linalg.eigvalsh(g).min() > -1e-6


def test_gram_does_not_change_when_positions_are_permuted():
    flat = MAPS.reshape(2, 12, 5)[:, RNG.permutation(12)]
    np.testing.assert_allclose(matrices(flat.reshape(2, 3, 4, 5)), matrices(), atol=1e-6)


def test_the_rank_of_gram_is_at_most_the_positions():
    few = RNG.normal(size=(1, 1, 2, 5)).astype("float32")
    assert np.linalg.matrix_rank(matrices(few)[0], tol=1e-5) == 2


def test_gram_is_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = classifier()
        assert gram.GramMatrix().compute_dtype == gram.GramTriangle().compute_dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(model.get_layer("gram").output.dtype) == "float32"
    assert {keras.backend.standardize_dtype(output.dtype) for output in model.output.values()} == {"float32"}
    large = np.full((1, 20, 20, 2), 200.0, "float16")  # 200^2 * 400 overflows float16
    np.testing.assert_allclose(gram.GramMatrix()(large), 40000.0)


def test_the_triangle_has_unit_length_and_signed_roots():
    g = np.array([[[4.0, -9.0], [-9.0, 1.0]]], "float32")
    expected = np.array([2.0, -3.0, 1.0])
    np.testing.assert_allclose(gram.GramTriangle()(g)[0], expected / np.linalg.norm(expected), atol=1e-3)


def test_the_first_dense_layer_on_512_channels_has_134_million_parameters():
    dense = keras.layers.Dense(512, kernel_initializer="zeros", dtype="float16")
    dense.build((None, 512 * 512))
    assert dense.count_params() == 134_218_240
    assert len(np.triu_indices(512)[0]) == 131_328


@pytest.mark.parametrize(("description", "values"), [("full", 9), ("triangle", 6)])
def test_the_classifier_has_the_shapes_and_parameters_it_says(description, values):
    model = classifier(description)
    assert {name: output.shape for name, output in model.output.items()} == {
        "style": (None, 3), "style_main": (None, 3), "style_gram": (None, 3),
    }  # fmt: skip
    assert model.get_layer("gram").output.shape == (None, 3, 3)
    assert model.get_layer("gram_dense_1").count_params() == (values + 1) * 8
    main, branch = (6 + 1) * 5 + (5 + 1) * 3, (4 + 1) * 3 + (values + 1) * 8 + (8 + 1) * 4 + (4 + 1) * 3
    assert model.count_params() == network().model.count_params() + main + branch


def test_fusion_weighs_the_logits():
    outputs = classifier(fusion=0.3).predict(PIXELS, verbose=0)
    logits = {name: np.log(found) for name, found in outputs.items()}
    fused = 0.7 * logits["style_main"] + 0.3 * logits["style_gram"]
    expected = np.exp(fused) / np.exp(fused).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(outputs["style"], expected, atol=1e-5)


def test_the_default_tap_is_the_last_stage_but_one():
    model = classifier()
    tapped = model.get_layer("tiny")
    assert [output.shape[-1] for output in tapped.outputs] == [4, 6]


def test_resnet50_is_tapped_after_its_third_stage():
    backbone = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(224, 224, 3))
    from keras_art.networks.backbones import stage_taps

    tap = backbone.get_layer(stage_taps(backbone)[-2])
    assert tap.name.startswith("conv4_block6")
    assert tap.output.shape == (None, 14, 14, 1024)


def test_an_unknown_tap_names_the_stages():
    with pytest.raises(BadBackbone, match=r"no layer 'stage9'.*stage1, stage2"):
        classifier(tap="stage9")


def test_a_network_without_maps_has_no_gram_matrix():
    inputs = keras.Input((16, 16, 3))
    tokens = keras.layers.Reshape((16, 48))(inputs)
    with pytest.raises(BadBackbone, match="needs maps"):
        gram.gram_classifier(Backbone(keras.Model(inputs, tokens), "unit"), "style", 3)


@pytest.mark.parametrize("description", ["full", "triangle"])
def test_the_gram_classifier_round_trips(description, tmp_path):
    model = classifier(description)
    model.save(tmp_path / "gram.keras")
    loaded = keras.saving.load_model(tmp_path / "gram.keras", compile=False)
    for name, found in model.predict(PIXELS, verbose=0).items():
        np.testing.assert_allclose(loaded.predict(PIXELS, verbose=0)[name], found, atol=1e-6)


@pytest.mark.parametrize("description", ["full", "triangle"])
def test_contributions_are_gradients_times_differences(description):
    model = classifier(description)
    grams = gram.gram_reader(model).predict(PIXELS, verbose=0)
    labels = np.array([0, 0, 1, 1, 2, -1])
    found = gram.contributions(model, grams, labels)
    values = np.asarray(gram.GramTriangle()(grams)) if description == "triangle" else grams.reshape(6, 9)
    values = values.astype("float64")
    names = ("gram_dense_1", "gram_dense_2", "gram_logits")

    def logit(x, c):
        for name in names[:2]:
            kernel, bias = model.get_layer(name).get_weights()
            x = np.maximum(x @ kernel + bias, 0)
        kernel, bias = model.get_layer(names[2]).get_weights()
        return (x @ kernel + bias)[c]

    total = 0.0
    for i in (0, 1):  # the images of class 0, by finite differences along the way to the mean
        far = values[i] - values.mean(axis=0)
        total += (logit(values[i] + 1e-6 * far, 0) - logit(values[i] - 1e-6 * far, 0)) / 2e-6 / 2
    assert found[0].sum() == pytest.approx(total, rel=1e-3, abs=1e-6)
    assert found.shape == (3, 3, 3)


def test_the_baseline_is_the_classifier_without_its_branch():
    whole = classifier(fusion=0.0)
    baseline = gram.gram_classifier(network(), "style", 3, None, shared=5)
    assert list(baseline.output) == ["style"]
    assert not [layer.name for layer in baseline.layers if "gram" in layer.name]
    for name in ("shared", "main_dropout", "main_logits"):
        assert baseline.get_layer(name).get_config() == whole.get_layer(name).get_config()
        baseline.get_layer(name).set_weights(whole.get_layer(name).get_weights())
    baseline.get_layer("tiny").set_weights(whole.get_layer("tiny").get_weights())
    said, wanted = (keras.ops.convert_to_numpy(model(PIXELS)["style"]) for model in (baseline, whole))
    np.testing.assert_allclose(said, wanted, atol=1e-6)

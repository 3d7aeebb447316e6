"""Spatial attention, the heads and the losses of ST-SACLF."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from keras_art.networks import backbones
from keras_art.networks.attention import (
    AttentionPrior,
    SpatialAttention,
    attention_classifier,
    attention_head,
    attention_maps,
    divergence,
    find_taps,
    pooled,
    with_prior,
)
from keras_art.networks.backbones import Backbone, BadBackbone
from keras_art.networks.layers import DropConnect
from keras_art.networks.losses import FocalLoss


def vgg16(size: int = 32) -> Backbone:
    return backbones.load_backbone("VGG16", image_size=size, weights=None)


@pytest.fixture(scope="module")
def little() -> Backbone:
    """A backbone of three convolutions, 16 x 16 pixels."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="block1_conv1")(pixels)
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="block2_conv1")(x)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="block3_conv1")(x)
    return Backbone(keras.Model(pixels, x, name="little"), "unit")


def images(n: int = 3, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("channels", [5, 7])
def test_attention_is_the_softmax_of_the_projected_map_and_the_sum_it_weighs(channels: int):
    rng = np.random.default_rng(1)
    local, whole = rng.normal(size=(2, 3, 4, channels)), rng.normal(size=(2, 7))
    layer = SpatialAttention()
    vector, shares = map(keras.ops.convert_to_numpy, layer([local.astype("float32"), whole.astype("float32")]))
    projection = np.eye(7) if channels == 7 else keras.ops.convert_to_numpy(layer.projection)
    projected = local @ projection
    scores = ((projected + whole[:, None, None]) @ keras.ops.convert_to_numpy(layer.attention))[..., 0]
    expected = np.exp(scores) / np.exp(scores).sum((1, 2), keepdims=True)
    np.testing.assert_allclose(shares, expected, rtol=1e-4)
    np.testing.assert_allclose(vector, (expected[..., None] * projected).sum((1, 2)), rtol=1e-4, atol=1e-5)
    assert len(layer.weights) == (1 if channels == 7 else 2)


def test_attention_sums_to_one_and_the_global_feature_moves_none_of_it():
    local = np.random.default_rng(1).normal(size=(2, 64, 64, 5)).astype("float32") * 100
    layer = SpatialAttention()
    _, shares = map(keras.ops.convert_to_numpy, layer([local, np.zeros((2, 7), "float32")]))
    np.testing.assert_allclose(shares.sum((1, 2)), 1, rtol=1e-5)
    _, others = map(keras.ops.convert_to_numpy, layer([local, np.ones((2, 7), "float32")]))
    np.testing.assert_allclose(shares, others, atol=1e-5)


def test_attention_is_float32_under_mixed_precision(little: Backbone):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        head = attention_head([(4, 4, 3)], 8, 2, scale="batch")
    finally:
        keras.config.set_dtype_policy("float32")
    probabilities, shares = head([np.ones((1, 4, 4, 3), "float16"), np.ones((1, 8), "float16")])
    assert keras.backend.standardize_dtype(shares.dtype) == "float32"
    assert keras.backend.standardize_dtype(probabilities.dtype) == "float32"


def test_trainable_parameters_are_the_released_codes():
    model = attention_classifier(vgg := vgg16(), find_taps(vgg), 4)
    model.get_layer("vgg16").trainable = False
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == 1_151_492
    assert model.count_params() - 1_151_492 == 14_714_688


def test_attention_to_a_single_place_is_all_there_is():
    head = attention_head([(1, 1, 3)], 8, 2)
    local, whole = np.ones((2, 1, 1, 3), "float32"), np.ones((2, 8), "float32")
    shares = keras.Model(head.input, head.get_layer("attention_1").output[1]).predict_on_batch([local, whole])
    np.testing.assert_array_equal(shares, np.ones((2, 1, 1)))


@pytest.mark.slow
def test_trainable_parameters_on_resnet50_are_the_released_codes():
    resnet = backbones.load_backbone("ResNet50", image_size=32, weights=None)
    model = attention_classifier(resnet, find_taps(resnet), 4)
    model.get_layer("resnet50").trainable = False
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == 20_072_452


def test_taps_are_the_released_codes_or_those_named_or_the_ends_of_blocks(little: Backbone):
    assert find_taps(vgg16()) == ["block1_conv1", "block2_conv2", "block4_conv3", "block5_conv3"]
    assert find_taps(little, ["block2_conv1"]) == ["block2_conv1"]
    assert find_taps(little) == ["block1_conv1", "block2_conv1", "block3_conv1"]


def test_a_tap_that_is_not_there_names_the_nearest(little: Backbone):
    with pytest.raises(BadBackbone, match=r"little has no layer 'block2_conv'.*nearest names: block2_conv1"):
        find_taps(little, ["block2_conv"])


def test_a_tap_that_is_no_map_is_refused(little: Backbone):
    model = little.model
    flat = keras.Model(model.input, keras.layers.Flatten(name="flat")(model.output))
    with pytest.raises(BadBackbone, match=r"'flat' .* is no map"):
        find_taps(Backbone(flat, "unit"), ["flat"])


@pytest.mark.parametrize("scale", ["none", "layer", "batch"])
@pytest.mark.parametrize("drop", ["dropout", "dropconnect"])
def test_the_classifier_takes_pixels_and_round_trips(little: Backbone, tmp_path: Path, scale: str, drop: str):
    model = attention_classifier(little, find_taps(little), 4, scale=scale, drop=drop, dropout=0.5)
    found = model.predict_on_batch(images())
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", compile=False)
    np.testing.assert_allclose(again.predict_on_batch(images()), found, rtol=1e-5)
    maps = attention_maps(again).predict_on_batch(images())
    assert [m.shape for m in maps] == [(3, 16, 16), (3, 8, 8), (3, 4, 4)]
    np.testing.assert_allclose([m.sum((1, 2)) for m in maps], 1, rtol=1e-5)


def test_a_scaled_head_does_not_care_how_large_a_tap_is():
    rng = np.random.default_rng(0)
    tap, whole = rng.normal(size=(2, 4, 4, 3)).astype("float32"), rng.normal(size=(2, 8)).astype("float32")
    for scale, same in (("none", False), ("layer", True)):
        head = attention_head([(4, 4, 3)], 8, 2, scale=scale)
        small, large = (keras.ops.convert_to_numpy(head([factor * tap, whole])[1]) for factor in (1, 1000))
        assert np.allclose(small, large, atol=1e-4) == same


def test_without_taps_it_is_the_released_codes_plain_classifier(little: Backbone):
    model = attention_classifier(little, [], 3)
    head = model.get_layer("head")
    assert [layer.units for layer in head.layers if isinstance(layer, keras.layers.Dense)] == [4, 3]
    assert head.get_layer("fc1").activation is keras.activations.linear


def test_regularisers_act_on_the_dense_kernels():
    head = attention_head([(4, 4, 3)], 8, 2, regularizer=keras.regularizers.L2(0.5))
    kernels = [head.get_layer(name).kernel for name in ("fc1", "probabilities")]
    expected = 0.5 * sum((keras.ops.convert_to_numpy(k) ** 2).sum() for k in kernels)
    assert keras.ops.convert_to_numpy(sum(head.losses)) == pytest.approx(expected, rel=1e-5)
    model = keras.Model(head.input, head.output[0])
    inputs = [np.zeros((1, 4, 4, 3), "float32"), np.zeros((1, 8), "float32")]
    model.compile(keras.optimizers.SGD(0.1), FocalLoss())
    before = keras.ops.convert_to_numpy(kernels[0]).copy()
    model.train_on_batch(inputs, np.zeros(1, int))  # no signal from the data: zeros in, ReLU(0) out
    np.testing.assert_allclose(keras.ops.convert_to_numpy(kernels[0]), before * (1 - 0.1), rtol=1e-4, atol=1e-6)


def test_drop_connect_drops_weights_in_training_only_and_keeps_the_mean():
    keras.utils.set_random_seed(0)
    layer = DropConnect(3, 0.4)
    x = np.random.default_rng(0).normal(size=(2, 50)).astype("float32")
    plain = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(plain, x @ keras.ops.convert_to_numpy(layer.kernel), rtol=1e-4, atol=1e-5)
    draws = np.stack([keras.ops.convert_to_numpy(layer(x, training=True)) for _ in range(600)])
    assert draws.std(0).min() > 0
    np.testing.assert_allclose(draws.mean(0), plain, atol=5 * draws.std(0).max() / np.sqrt(600))


def test_drop_connect_drops_the_share_it_names():
    layer = DropConnect(1, 0.3, use_bias=True, kernel_initializer="ones")
    kept = keras.ops.convert_to_numpy(layer(np.eye(4000, dtype="float32"), training=True))[:, 0]
    assert (kept == 0).mean() == pytest.approx(0.3, abs=0.03)
    np.testing.assert_allclose(kept[kept != 0], 1 / 0.7, rtol=1e-5)


def probabilities(n: int = 6, classes: int = 4) -> np.ndarray:
    logits = np.random.default_rng(0).normal(size=(n, classes))
    return (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype("float32")


def test_focal_loss_with_gamma_0_and_alpha_1_is_cross_entropy():
    labels, p = np.array([0, 1, 2, 3, 0, 1]), probabilities()
    plain = keras.losses.SparseCategoricalCrossentropy()(labels, p)
    assert float(FocalLoss(0.0, 1.0)(labels, p)) == pytest.approx(float(plain), rel=1e-5)


def test_focal_loss_is_the_papers_formula_and_survives_a_zero():
    labels, p = np.array([0, 1, 2, 3, 0, 1]), probabilities()
    true = p[np.arange(6), labels].astype(float)
    assert float(FocalLoss()(labels, p)) == pytest.approx((2 * (1 - true) ** 2 * -np.log(true)).mean(), rel=1e-4)
    assert np.isfinite(float(FocalLoss()(np.array([0]), np.array([[0.0, 1.0]], "float32"))))


def test_focal_loss_round_trips():
    again = FocalLoss.from_config(FocalLoss(1.5, 0.25).get_config())
    assert (again.gamma, again.focal_alpha) == (1.5, 0.25)


def test_masks_are_pooled_by_the_areas_of_a_map():
    mask = np.random.default_rng(0).random((2, 12, 9), dtype=np.float32)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(pooled(mask, 4, 3)), mask.reshape(2, 4, 3, 3, 3).mean((2, 4)), rtol=1e-5
    )
    # Where areas cut pixels, each has its share: 5 pixels on 2 places.
    line = np.arange(5, dtype=np.float32)[None, :, None]
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(pooled(line, 2, 1)).ravel(), [(0 + 1 + 0.5 * 2) / 2.5, (0.5 * 2 + 3 + 4) / 2.5]
    )
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(pooled(mask, 24, 18))[:, ::2, ::2].ravel(), mask.ravel(), rtol=1e-5
    )


def test_divergence_is_scipys_and_nothing_of_a_black_mask():
    from scipy.stats import entropy

    rng = np.random.default_rng(1)
    masks, maps = rng.random((3, 4, 5)).astype("float32"), rng.dirichlet(np.ones(20), 3).reshape(3, 4, 5)
    masks[0, :2], masks[2] = 0, 0
    found = keras.ops.convert_to_numpy(divergence(200 * masks, maps.astype("float32")))
    np.testing.assert_allclose(
        found[:2], [entropy(m.ravel(), a.ravel()) for m, a in zip(masks[:2], maps[:2], strict=True)], rtol=1e-4
    )
    assert found[2] == 0
    assert np.isfinite(keras.ops.convert_to_numpy(divergence(masks[:1], np.zeros((1, 2, 2), "float32")))).all()


def test_the_prior_is_the_mean_over_images_and_depths_and_what_is_predicted_passes_through():
    rng = np.random.default_rng(2)
    said, masks = rng.random((4, 3), dtype=np.float32), rng.random((4, 8, 8), dtype=np.float32)
    masks[3] = 0
    maps = [rng.dirichlet(np.ones(n * n), 4).reshape(4, n, n).astype("float32") for n in (4, 2)]
    layer = AttentionPrior(0.5)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer([said, masks, *maps])), said)
    expected = 0.5 * np.mean([keras.ops.convert_to_numpy(divergence(masks, shares)) for shares in maps])
    assert float(layer.losses[0]) == pytest.approx(expected, rel=1e-5)
    assert AttentionPrior.from_config(layer.get_config()).weight == 0.5 and not layer.weights


def test_with_a_prior_a_classifier_is_trained_by_its_own_weights_and_flips_move_masks(little: Backbone):
    keras.utils.set_random_seed(0)
    model = attention_classifier(little, find_taps(little), 3, scale="layer")
    trained = with_prior(model, 2.0)
    assert {id(weight) for weight in trained.weights} == {id(weight) for weight in model.weights}
    pixels, masks = images(), np.zeros((3, 16, 16, 1), np.uint8)
    masks[:2, :, :8] = 255
    both = np.concatenate([pixels, masks], axis=3)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(trained(both)), keras.ops.convert_to_numpy(model(pixels)), atol=1e-6
    )
    seen = attention_maps(model).predict(pixels, verbose=0)
    expected = 2 * np.mean([keras.ops.convert_to_numpy(divergence(masks[..., 0], shares)) for shares in seen])
    trained.compile(loss="sparse_categorical_crossentropy")
    plain = keras.Model(model.input, model.output)
    plain.compile(loss="sparse_categorical_crossentropy")
    labels = np.array([0, 1, 2])
    added = trained.evaluate(both, labels, verbose=0) - plain.evaluate(pixels, labels, verbose=0)
    assert added == pytest.approx(expected, rel=1e-3)

    class Mirror(keras.layers.Layer):
        def call(self, inputs):
            return keras.ops.flip(inputs, axis=2)

    mirrored = with_prior(model, 2.0, Mirror())
    mirrored.compile(loss="sparse_categorical_crossentropy")
    assert mirrored.evaluate(both[:, :, ::-1], labels, verbose=0) == pytest.approx(
        trained.evaluate(both, labels, verbose=0), rel=1e-5
    )


def test_training_with_a_prior_brings_attention_to_the_masks(little: Backbone):
    keras.utils.set_random_seed(0)
    model = attention_classifier(little, find_taps(little), 3, scale="layer")
    pixels, masks = images(8), np.zeros((8, 16, 16, 1), np.uint8)
    pixels[:, 4:8, 4:8], masks[:, 4:8, 4:8] = 255, 255
    trained = with_prior(model, 5.0)
    trained.compile("adam", "sparse_categorical_crossentropy")
    trained.optimizer.learning_rate = 0.02

    def inside() -> np.ndarray:
        maps = attention_maps(model).predict(pixels, verbose=0)
        return np.array([keras.ops.convert_to_numpy(divergence(masks[..., 0], shares)).mean() for shares in maps])

    before = inside()
    trained.fit(np.concatenate([pixels, masks], axis=3), np.zeros(8), epochs=30, batch_size=8, verbose=0)
    assert (inside() < before - 0.2).all(), (before, inside())

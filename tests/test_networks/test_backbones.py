from __future__ import annotations

import importlib
import json
import pickle
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from keras_art.networks import backbones
from keras_art.networks.attention import attention_classifier, find_taps
from keras_art.networks.backbones import Backbone, BadBackbone, load_backbone, stage_taps
from keras_art.networks.layers import BatchNormalization2018, Preprocessing
from keras_art.networks.saliency import visual_backprop
from keras_art.networks.taps import layers_in_order

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype="uint8")


@pytest.fixture
def half_floats():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def small_network(size: int | None = None) -> keras.Model:
    """Convolution with ReLU, batch normalisation, convolution; its weights are nobody's initial values."""
    pixels = keras.Input((size, size, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(pixels)
    x = layers.BatchNormalization(momentum=0.99, name="bn")(x)
    model = keras.Model(pixels, layers.Conv2D(5, 3, 2, padding="same", name="second")(x), name="small")
    rng = np.random.default_rng(3)
    model.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    small_network().save(tmp_path / "small.keras")
    return tmp_path / "small.keras"


def numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def load(path: Path, **options):
    return load_backbone(str(path), **{"image_size": 16, "weights": "own", "preprocessing": "unit", **options})


# Preprocessing


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    ("module", "mode"), [("vgg19", "caffe"), ("inception_v3", "tf"), ("densenet", "torch"), ("convnext", "none")]
)
def test_preprocessing_is_that_of_keras_applications(module, mode, dtype):
    theirs = importlib.import_module(f"keras.applications.{module}").preprocess_input(PIXELS.astype("float32"))
    ours = np.asarray(Preprocessing(mode)(PIXELS.astype(dtype)))
    assert ours.dtype == "float32"
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_unit_preprocessing_scales_to_0_and_1():
    np.testing.assert_allclose(Preprocessing("unit")(PIXELS), PIXELS / 255.0, atol=1e-7)


@pytest.mark.parametrize("mode", Preprocessing.MODES)
def test_preprocessing_comes_back_from_its_config(mode):
    layer = Preprocessing(mode, name="pixels")
    again = Preprocessing.from_config(json.loads(json.dumps(layer.get_config())))
    assert (again.mode, again.name) == (mode, "pixels")


@pytest.mark.parametrize("mode", Preprocessing.MODES)
def test_preprocessing_under_half_precision_is_rounded_once(half_floats, mode):
    ours = np.asarray(Preprocessing(mode)(PIXELS))
    assert ours.dtype == "float16"
    exact = np.asarray(Preprocessing(mode, dtype="float32")(PIXELS))
    np.testing.assert_allclose(ours, exact, rtol=2**-11, atol=1e-4)


def test_preprocessing_refuses_an_unknown_mode():
    with pytest.raises(ValueError, match="'bgr' is none of unit, caffe, tf, torch, none"):
        Preprocessing("bgr")


@pytest.mark.parametrize("name", sorted(backbones.applications()))
def test_every_network_of_keras_applications_has_its_own_preprocessing(name):
    known = vars(keras.applications).items()
    # MobileNetV3's module shows its preprocess_input only.
    module = next(
        module
        for path, module in known
        if hasattr(module, "preprocess_input")
        and (hasattr(module, name) or (path == "mobilenet_v3" and name.startswith("MobileNetV3")))
    )
    theirs = module.preprocess_input(PIXELS.astype("float32"))
    np.testing.assert_allclose(Preprocessing(backbones.own_preprocessing(name))(PIXELS), theirs, atol=1e-5)


def test_applications_are_found():
    assert len(backbones.applications()) >= 38
    assert {"VGG19", "ResNet50", "InceptionV3", "Xception"} <= set(backbones.applications())


# Batch normalisation


def longhand(x: np.ndarray, mean: np.ndarray, variance: np.ndarray, layer: layers.BatchNormalization) -> np.ndarray:
    gamma = 1.0 if layer.gamma is None else numpy(layer.gamma)
    beta = 0.0 if layer.beta is None else numpy(layer.beta)
    return gamma * (x - mean) / np.sqrt(variance + layer.epsilon) + beta


def normalization(kind=BatchNormalization2018, **options) -> layers.BatchNormalization:
    layer = kind(**{"momentum": 0.8, "epsilon": 0.01, **options})
    layer.build((None, 4, 4, 3))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return layer


MAPS = np.random.default_rng(2).normal(3, 2, (6, 4, 4, 3)).astype("float32")
MEAN, VARIANCE = MAPS.mean((0, 1, 2)), MAPS.var((0, 1, 2))


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}])
def test_frozen_normalisation_in_training_takes_the_batchs_statistics(options):
    layer = normalization(**options)
    layer.trainable = False
    expected = longhand(MAPS, MEAN, VARIANCE, layer)
    np.testing.assert_allclose(numpy(layer(MAPS, training=True)), expected, atol=1e-5)


def test_frozen_normalisation_is_never_updated():
    layer = normalization()
    layer.trainable = False
    before = layer.get_weights()
    layer(MAPS, training=True)
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_frozen_normalisation_in_inference_takes_the_moving_averages():
    layer = normalization()
    layer.trainable = False
    expected = longhand(MAPS, numpy(layer.moving_mean), numpy(layer.moving_variance), layer)
    for training in (False, None):
        np.testing.assert_allclose(numpy(layer(MAPS, training=training)), expected, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_normalisation_that_is_not_frozen_is_keras_own(training):
    ours, theirs = normalization(), normalization(layers.BatchNormalization)
    np.testing.assert_allclose(numpy(ours(MAPS, training=training)), numpy(theirs(MAPS, training=training)), atol=1e-6)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_normalisation_that_is_not_frozen_updates_its_averages():
    layer = normalization()
    mean, variance = numpy(layer.moving_mean).copy(), numpy(layer.moving_variance).copy()
    layer(MAPS, training=True)
    np.testing.assert_allclose(numpy(layer.moving_mean), 0.8 * mean + 0.2 * MEAN, atol=1e-5)
    np.testing.assert_allclose(numpy(layer.moving_variance), 0.8 * variance + 0.2 * VARIANCE, atol=1e-4)


def test_frozen_normalisation_in_half_precision(half_floats):
    layer = normalization()
    layer.trainable = False
    outputs = numpy(layer(MAPS, training=True))
    assert outputs.dtype == "float16"
    np.testing.assert_allclose(outputs, longhand(MAPS, MEAN, VARIANCE, layer), atol=0.01)


def test_normalisation_comes_back_from_its_config():
    config = normalization(scale=False, name="bn").get_config()
    assert BatchNormalization2018.from_config(json.loads(json.dumps(config))).get_config() == config


def test_a_frozen_network_trains_with_the_batchs_statistics_and_tests_with_the_moving_averages(file):
    """Through a classifier's nested backbone, as it is trained."""
    inside = {frozen_bn: load(file, frozen_bn=frozen_bn).model for frozen_bn in ("inference", "batch")}
    for model in inside.values():
        model.trainable = False
    images = np.random.default_rng(0).random((3, 16, 16, 3), "float32")
    tested = {name: numpy(model(images, training=False)) for name, model in inside.items()}
    trained = {name: numpy(model(images, training=True)) for name, model in inside.items()}
    np.testing.assert_allclose(tested["batch"], tested["inference"], atol=1e-5)
    np.testing.assert_allclose(trained["inference"], tested["inference"], atol=1e-5)
    assert np.abs(trained["batch"] - tested["batch"]).max() > 0.1


def test_a_network_with_batch_mode_saves_and_loads(file, tmp_path):
    model = load(file, frozen_bn="batch").model
    model.trainable = False
    model.save(tmp_path / "batch.keras")
    again = keras.saving.load_model(tmp_path / "batch.keras")
    images = np.random.default_rng(0).random((3, 16, 16, 3), "float32")
    assert isinstance(again.get_layer("bn"), BatchNormalization2018)
    np.testing.assert_allclose(numpy(again(images, training=True)), numpy(model(images, training=True)), atol=1e-5)


def test_batch_mode_reaches_nested_networks(tmp_path):
    pixels = keras.Input((16, 16, 3))
    keras.Model(pixels, small_network(16)(pixels), name="outer").save(tmp_path / "nested.keras")
    model = load(tmp_path / "nested.keras", frozen_bn="batch", bn_momentum=0.5).model
    normalisation = model.get_layer("small").get_layer("bn")
    assert isinstance(normalisation, BatchNormalization2018)
    assert normalisation.momentum == 0.5


@pytest.mark.parametrize("frozen_bn", ["inference", "batch"])
def test_momentum_is_the_networks_own_unless_given(file, frozen_bn):
    assert load(file, frozen_bn=frozen_bn).model.get_layer("bn").momentum == 0.99
    assert load(file, frozen_bn=frozen_bn, bn_momentum=0.7).model.get_layer("bn").momentum == 0.7


# Networks of keras.applications


@pytest.mark.parametrize(
    ("network", "size", "parameters", "width", "normalised"),
    [
        ("VGG19", 32, 20_024_384, 512, False),
        ("ResNet50", 32, 23_587_712, 2048, True),
        ("InceptionV3", 75, 21_802_784, 2048, True),
        ("Xception", 71, 20_861_480, 2048, True),
    ],
)
def test_networks_of_the_paper(network, size, parameters, width, normalised):
    model = backbones._build_application(network, size, imagenet=False)
    backbone = backbones.Backbone(model, backbones.own_preprocessing(network))
    assert (model.count_params(), backbone.width) == (parameters, width)
    assert model.input.shape == (None, size, size, 3)
    assert backbone.has_batch_normalization == normalised
    taps = stage_taps(model)
    sizes = [model.get_layer(tap).output.shape[1] for tap in taps]
    if network == "VGG19":
        assert taps == [f"block{b}_conv{c}" for b, n in enumerate((2, 2, 4, 4, 4), 1) for c in range(1, n + 1)]
    else:
        assert sizes == sorted(set(sizes), reverse=True)
        assert not any(isinstance(model.get_layer(tap), (layers.Conv2D, layers.BatchNormalization)) for tap in taps)
    if network == "ResNet50":
        assert taps == ["conv1_relu", "conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "conv5_block3_out"]
    if network == "InceptionV3":
        assert taps[-3:] == ["mixed2", "mixed7", "mixed10"]
    if network == "Xception":
        assert taps[:2] == ["block1_conv1_act", "block1_conv2_act"]
        assert taps[-1] == "block14_sepconv2_act"


def test_any_other_network_of_keras_applications():
    backbone = load_backbone("MobileNetV2", image_size=32, weights=None)
    assert (backbone.width, backbone.preprocessing) == (1280, "tf")


def test_preprocessing_can_be_another_than_the_networks_own():
    assert load_backbone("MobileNetV2", image_size=32, weights=None, preprocessing="unit").preprocessing == "unit"


def test_imagenet_weights_are_asked_of_keras_applications(monkeypatch):
    asked = {}

    def constructor(**options):
        asked.update(options)
        return small_network(options["input_shape"][0])

    monkeypatch.setattr(keras.applications, "VGG19", constructor)
    load_backbone("VGG19", image_size=32, weights="imagenet")
    assert asked == {"include_top": False, "weights": "imagenet", "input_shape": (32, 32, 3)}


def test_weights_that_can_not_be_downloaded_name_the_file_the_hash_and_the_place(monkeypatch):
    monkeypatch.setenv("KERAS_HOME", "/keras/home")
    url = "https://host/x/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
    error = f"URL fetch failure on {url}: None -- [Errno -2] Name or service not known"

    def offline(**options):
        raise Exception(error)

    monkeypatch.setattr(keras.applications, "VGG19", offline)
    with pytest.raises(BadBackbone) as raised:
        load_backbone("VGG19", image_size=32, weights="imagenet")
    message = str(raised.value)
    for part in (f"{url} (md5 253f8cb515780f3b799900260a226db6)", "into /keras/home/models/", "--weights"):
        assert part in message


def test_a_network_whose_hash_we_do_not_know_still_names_its_file(monkeypatch):
    def offline(**options):
        raise Exception("URL fetch failure on https://host/x/mobilenet.h5: None -- [Errno -3] Temporary failure")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(BadBackbone, match=r"Get\n  https://host/x/mobilenet\.h5\n"):
        load_backbone("MobileNetV2", image_size=32, weights="imagenet")


def test_a_size_that_is_too_small_is_refused_with_the_smallest():
    with pytest.raises(BadBackbone, match=r"InceptionV3 can not be built at 32 pixels.*at least 75x75"):
        load_backbone("InceptionV3", image_size=32, weights=None)


@pytest.mark.parametrize(
    ("typed", "meant"), [("ResNet5O", "ResNet50"), ("vgg19", "VGG19"), ("Inception3", "InceptionV3")]
)
def test_a_misspelt_name_gets_suggestions(typed, meant):
    with pytest.raises(BadBackbone, match=f"no network is called '{typed}'; did you mean {meant}( or|\\?)") as caught:
        load_backbone(typed, image_size=32, weights=None)
    assert str(caught.value).count(" or ") <= 2


def test_a_name_like_no_other_gets_no_list():
    with pytest.raises(BadBackbone, match=r"no network is called 'qqq'; keras\.applications has VGG19, ResNet50, Mob"):
        load_backbone("qqq", image_size=32, weights=None)


# Networks from files


def test_a_file_keeps_its_own_weights_at_any_size(file):
    backbone = load(file, image_size=20)
    assert backbone.model.output.shape == (None, 10, 10, 5)
    assert backbone.width == 5
    for ours, stored in zip(backbone.model.get_weights(), small_network().get_weights(), strict=True):
        np.testing.assert_array_equal(ours, stored)
    images = np.random.default_rng(0).random((2, 20, 20, 3), "float32")
    np.testing.assert_allclose(numpy(backbone.model(images)), numpy(small_network()(images)), rtol=1e-5, atol=1e-4)


def test_a_sequential_file_works_too(tmp_path):
    model = keras.Sequential([keras.Input((None, None, 3)), layers.Rescaling(2.0), layers.Conv2D(4, 3)])
    model.save(tmp_path / "sequential.keras")
    backbone = load(tmp_path / "sequential.keras")
    assert backbone.model.input.shape == (None, 16, 16, 3)
    images = np.random.default_rng(0).random((2, 16, 16, 3), "float32")
    np.testing.assert_allclose(numpy(backbone.model(images)), numpy(model(images)), atol=1e-5)


def policies(model: keras.Model) -> set[str]:
    return {
        layer.dtype_policy.name
        for part in model.layers
        for layer in (part.layers if isinstance(part, keras.Model) else [part])
        if not isinstance(layer, layers.InputLayer)
    }


def of_parts(policy: str, path: Path) -> Path:
    """A file of a network with a network in it, a layer with a layer in it, and an operation."""
    keras.config.set_dtype_policy(policy)
    pixels = keras.Input((None, None, 3))
    inner = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 3, padding="same")], name="inner")
    x = keras.ops.cast(inner(pixels), "float32")
    keras.Model(pixels, layers.TimeDistributed(layers.Conv1D(2, 3))(x), name="outer").save(path)
    keras.config.set_dtype_policy("float32")
    return path


@pytest.mark.parametrize("saved", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("asked", ["float32", "mixed_bfloat16"])
def test_a_file_computes_by_the_policy_asked_for_whichever_it_was_saved_under(tmp_path, saved, asked):
    path = of_parts(saved, tmp_path / "parts.keras")
    keras.config.set_dtype_policy(asked)
    try:
        model = load(path).model
    finally:
        keras.config.set_dtype_policy("float32")
    wrapped = next(layer for layer in model.layers if isinstance(layer, layers.TimeDistributed))
    assert policies(model) == {asked} == {wrapped.layer.dtype_policy.name}
    assert {variable.dtype for variable in model.weights} == {"float32"}
    cast = next(operation for operation in model.operations if type(operation).__name__ == "Cast")
    assert cast.output.dtype == "float32"
    images = np.random.default_rng(0).random((2, 16, 16, 3), "float32")
    said = model(images)
    assert keras.backend.standardize_dtype(said.dtype) == asked.removeprefix("mixed_")
    stored = keras.saving.load_model(path)(images)
    tolerance = 0 if saved == asked else 0.02
    as_floats = (numpy(keras.ops.cast(found, "float32")) for found in (said, stored))
    np.testing.assert_allclose(*as_floats, atol=tolerance)
    assert (saved == asked) == np.array_equal(*(numpy(keras.ops.cast(found, "float32")) for found in (said, stored)))


def test_a_cast_to_the_half_floats_of_its_file_is_one_to_those_of_now(tmp_path):
    pixels = keras.Input((16, 16, 3))
    halves = keras.ops.cast(pixels, "bfloat16")
    keras.Model(pixels, layers.Conv2D(4, 3, dtype="mixed_bfloat16")(halves)).save(tmp_path / "halves.keras")
    model = load(tmp_path / "halves.keras").model
    cast = next(operation for operation in model.operations if type(operation).__name__ == "Cast")
    assert cast.output.dtype == "float32" and policies(model) == {"float32"}


def test_a_quantised_file_is_refused_in_half_floats_and_taken_as_it_is_in_float32(tmp_path, half_floats):
    keras.config.set_dtype_policy("float32")
    pixels = keras.Input((16, 16, 3))
    model = keras.Model(pixels, layers.Dense(4, name="dense")(pixels))
    model.get_layer("dense").quantize("int8")
    model.save(tmp_path / "int8.keras")
    assert load(tmp_path / "int8.keras").model.get_layer("dense").quantization_mode == "int8"
    keras.config.set_dtype_policy("mixed_float16")
    with pytest.raises(BadBackbone, match="dense is quantised and can not compute in mixed_float16"):
        load(tmp_path / "int8.keras")


@pytest.mark.parametrize("asked", ["inference", "batch"])
def test_frozen_normalisation_of_a_file_is_what_is_asked_for_whatever_it_was_saved_with(tmp_path, asked):
    pixels = keras.Input((16, 16, 3))
    keras.Model(pixels, BatchNormalization2018(name="bn")(pixels)).save(tmp_path / "2018.keras")
    found = load(tmp_path / "2018.keras", frozen_bn=asked, bn_momentum=0.5).model.get_layer("bn")
    assert type(found) is (BatchNormalization2018 if asked == "batch" else layers.BatchNormalization)
    assert found.momentum == 0.5
    alone = load(tmp_path / "2018.keras", frozen_bn=asked).model.get_layer("bn")
    assert (type(alone), alone.momentum) == (type(found), 0.99)


@keras.saving.register_keras_serializable("test_backbones")
class OwnNormalization(layers.BatchNormalization):
    pass


@pytest.mark.parametrize("option", [{"frozen_bn": "batch"}, {"bn_momentum": 0.9}])
def test_normalisation_of_its_own_kind_refuses_what_would_do_nothing(tmp_path, option):
    pixels = keras.Input((16, 16, 3))
    keras.Model(pixels, OwnNormalization(name="own")(pixels)).save(tmp_path / "own.keras")
    assert load(tmp_path / "own.keras").has_batch_normalization
    with pytest.raises(BadBackbone, match=r"the layer own .* normalises batches in its own way"):
        load(tmp_path / "own.keras", **option)


@keras.saving.register_keras_serializable("test_backbones")
class Holding(layers.Layer):
    """Makes its batch normalisation itself: what it is saved as does not tell of another momentum."""

    def build(self, shape):
        self.inner = layers.BatchNormalization()
        self.inner.build(shape)

    def call(self, inputs):
        return self.inner(inputs)


@pytest.mark.parametrize("option", [{"frozen_bn": "batch"}, {"bn_momentum": 0.9}])
def test_normalisation_within_a_layer_refuses_what_its_file_would_forget(tmp_path, option):
    pixels = keras.Input((16, 16, 3))
    keras.Model(pixels, Holding(name="holding")(pixels)).save(tmp_path / "holding.keras")
    with pytest.raises(BadBackbone, match=r"the layer holding .* normalises batches in its own way"):
        load(tmp_path / "holding.keras", **option)


def test_he_uniform_kernels_lie_within_their_bounds_and_fill_them(file):
    model = load(file, weights=None).model
    for name, fan_in in (("first", 3 * 3 * 3), ("second", 3 * 3 * 4)):
        kernel = np.abs(model.get_layer(name).get_weights()[0])
        bound = np.sqrt(6 / fan_in)
        assert 0.9 * bound < kernel.max() <= bound
        assert 0.4 * bound < kernel.mean() < 0.6 * bound


def test_without_weights_only_kernels_are_drawn(file):
    model = load(file, weights=None).model
    for name in ("first", "second"):
        np.testing.assert_array_equal(model.get_layer(name).get_weights()[1], 0)
    gamma, beta, mean, variance = model.get_layer("bn").get_weights()
    for value, initial in ((gamma, 1), (beta, 0), (mean, 0), (variance, 1)):
        np.testing.assert_array_equal(value, initial)


def test_seed_decides_the_kernels(file):
    first, again, other = (load(file, weights=None, seed=seed).model.get_weights()[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_depthwise_kernels_are_he_uniform_too(tmp_path):
    pixels = keras.Input((16, 16, 3))
    keras.Model(pixels, layers.SeparableConv2D(8, 3)(pixels)).save(tmp_path / "separable.keras")
    depthwise, pointwise, bias = load(tmp_path / "separable.keras", weights=None).model.get_weights()
    assert np.abs(depthwise).max() > np.sqrt(6 / (9 * 3)) * 0.7
    assert np.sqrt(6 / 3) * 0.7 < np.abs(pointwise).max() <= np.sqrt(6 / 3)
    np.testing.assert_array_equal(bias, 0)


def test_operations_are_each_kernels_weights_once_per_position():
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 3, 2)(inputs)  # 15 x 15
    x = keras.layers.SeparableConv2D(5, 3, padding="same")(x)
    model = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(x)))
    by_hand = 15 * 15 * (3 * 3 * 3 * 8 + 3 * 3 * 8 + 8 * 5) + 5 * 4
    assert backbones.gigamacs(model) == pytest.approx(by_hand / 1e9)


def test_operations_of_a_model_within_count_as_often_as_it_is_called():
    any_size = keras.Input((None, None, 8))
    within = keras.Model(any_size, keras.layers.Conv2D(8, 3, padding="same")(any_size))
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, within(within(keras.layers.Conv2D(8, 1)(inputs))))
    assert backbones.gigamacs(model) == pytest.approx(32 * 32 * (3 * 8 + 2 * 9 * 8 * 8) / 1e9)
    one_after_another = keras.Sequential([inputs, keras.layers.Conv2D(8, 1), within])
    assert backbones.gigamacs(one_after_another) == pytest.approx(32 * 32 * (3 * 8 + 9 * 8 * 8) / 1e9)


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5", "w.keras"])
def test_weights_come_from_a_file(tmp_path, file, name, recwarn):
    trained = small_network(16)
    trained.set_weights([2 * weight for weight in trained.get_weights()])
    if name == "w.weights.h5":
        trained.save_weights(tmp_path / name)
    else:
        trained.save(tmp_path / name)
    for ours, theirs in zip(
        load(file, weights=tmp_path / name).model.get_weights(), trained.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["w.weights.h5", "w.keras"])
def test_weights_of_another_network_are_refused(tmp_path, file, name):
    other = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(7, 3)])
    other.save_weights(tmp_path / name) if name.endswith("h5") else other.save(tmp_path / name)
    with pytest.raises(BadBackbone, match="holds no weights for small"):
        load(file, weights=tmp_path / name)


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5", "w.keras"])
def test_a_weights_file_of_something_else_is_refused(tmp_path, file, name):
    (tmp_path / name).write_text("these are no weights")
    with pytest.raises(BadBackbone, match="holds no weights for small"):
        load(file, weights=tmp_path / name)


def test_an_absent_weights_file_is_named(tmp_path, file):
    with pytest.raises(BadBackbone, match=r"the weights file .*nowhere\.weights\.h5 does not exist"):
        load(file, weights=tmp_path / "nowhere.weights.h5")


def test_a_file_needs_its_preprocessing_said(file):
    with pytest.raises(BadBackbone, match="give --preprocessing unit or caffe or tf or torch or none"):
        load(file, preprocessing="imagenet")


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(BadBackbone, match=r"the network file .*nowhere\.keras does not exist"):
        load(tmp_path / "nowhere.keras")


class Exploding:
    """Pickled, it would run a command when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("kind", ["text", "pickle", "zip", "empty"])
def test_a_file_that_is_no_model_is_refused(tmp_path, kind):
    path, mark = tmp_path / "junk.keras", tmp_path / "executed"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "junk")
    else:
        path.write_bytes({"text": b"a model, I swear", "pickle": pickle.dumps(Exploding(mark)), "empty": b""}[kind])
    with pytest.raises(BadBackbone, match=r"junk\.keras is not a Keras model that can be loaded"):
        load(path)
    assert not mark.exists()


def test_a_lambda_in_a_file_is_refused_and_not_executed(tmp_path):
    mark = str(tmp_path / "executed")
    pixels = keras.Input((16, 16, 3))
    x = layers.Lambda(lambda x: (open(mark, "w").close(), x)[1])(pixels)
    keras.Model(pixels, layers.Conv2D(4, 3)(x)).save(tmp_path / "lambda.keras")
    Path(mark).unlink()
    with pytest.raises(BadBackbone, match="has a Lambda layer"):
        load(tmp_path / "lambda.keras")
    assert not Path(mark).exists()


def test_a_file_without_spatial_output_is_refused(tmp_path):
    pixels = keras.Input((16, 16, 3))
    keras.Model(pixels, layers.GlobalAveragePooling2D()(pixels)).save(tmp_path / "flat.keras")
    with pytest.raises(BadBackbone, match=r"no spatial output: \[\(None, 3\)\].*without its pooling"):
        load(tmp_path / "flat.keras")


def test_a_file_with_two_outputs_is_refused(tmp_path):
    pixels = keras.Input((16, 16, 3))
    keras.Model(pixels, [layers.Conv2D(4, 3)(pixels), pixels]).save(tmp_path / "two.keras")
    with pytest.raises(BadBackbone, match="no spatial output"):
        load(tmp_path / "two.keras")


def test_a_file_with_two_inputs_is_refused(tmp_path):
    one, two = keras.Input((16, 16, 3)), keras.Input((16, 16, 3))
    keras.Model([one, two], layers.Add()([one, two])).save(tmp_path / "two.keras")
    with pytest.raises(BadBackbone, match="does not take one batch of images"):
        load(tmp_path / "two.keras")


def test_a_file_that_takes_no_images_is_refused(tmp_path):
    words = keras.Input((7,))
    keras.Model(words, layers.Dense(2)(words)).save(tmp_path / "words.keras")
    with pytest.raises(BadBackbone, match="does not take one batch of images"):
        load(tmp_path / "words.keras")


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
def test_a_model_that_was_never_built_is_refused(tmp_path):
    keras.Sequential([layers.Conv2D(4, 3)]).save(tmp_path / "unbuilt.keras")
    with pytest.raises(BadBackbone, match="does not take one batch of images"):
        load(tmp_path / "unbuilt.keras")


def test_another_size_than_the_files_own_is_refused_with_the_right_one(tmp_path):
    small_network(24).save(tmp_path / "fixed.keras")
    with pytest.raises(BadBackbone, match="24 x 24: give --image_size 24"):
        load(tmp_path / "fixed.keras")


def test_grey_images_are_refused(tmp_path):
    pixels = keras.Input((16, 16, 1))
    keras.Model(pixels, layers.Conv2D(4, 3)(pixels)).save(tmp_path / "grey.keras")
    with pytest.raises(
        BadBackbone, match=r"takes images of 1 channel, and pictures have three here \(RGB\): give a net"
    ):
        load(tmp_path / "grey.keras")  # nothing is said of its size, which may be right


def test_images_that_are_no_squares_are_refused(tmp_path):
    for height, width in ((16, 24), (16, None)):
        pixels = keras.Input((height, width, 3))
        keras.Model(pixels, layers.Conv2D(4, 3)(pixels)).save(tmp_path / "wide.keras")
        with pytest.raises(BadBackbone, match=f"takes images of {height} x {width}, and pictures are square here"):
            load(tmp_path / "wide.keras")


def test_a_size_the_file_can_not_take_is_refused(tmp_path):
    pixels = keras.Input((None, None, 3))
    keras.Model(pixels, layers.Conv2D(4, 9)(pixels)).save(tmp_path / "large.keras")
    with pytest.raises(BadBackbone, match="can not take images of 8 pixels"):
        load(tmp_path / "large.keras", image_size=8)


# Taps


def test_taps_leave_out_branches_and_shortcuts():
    pixels = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="stem")(pixels)
    inside = layers.Conv2D(4, 3, padding="same", activation="relu", name="branch")(x)
    x = layers.Add(name="sum")([x, inside])
    half = layers.Conv2D(4, 3, 2, padding="same", activation="relu", name="left")(x)
    same = layers.ReLU(name="rectified_branch")(x)
    x = layers.Concatenate(name="joined")([half, layers.Conv2D(4, 1, 2, name="right")(same)])
    assert stage_taps(keras.Model(pixels, x, name="branched")) == ["sum", "joined"]


def test_taps_see_through_functions_that_are_no_layers():
    pixels = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, 2, padding="same", activation="gelu", name="stem")(pixels)
    x = keras.ops.sigmoid(x) * x
    x = layers.Conv2D(4, 3, 2, padding="same", name="linear")(x)
    assert stage_taps(keras.Model(pixels, layers.ReLU(name="end")(x), name="mixed")) == ["stem", "end"]


def test_taps_are_of_this_network_where_its_layers_are_part_of_another():
    pixels = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, 2, padding="same", activation="relu", name="stem")(pixels)
    inner = keras.Sequential([layers.Conv2D(4, 3, padding="same"), layers.ReLU()], name="within")
    other = keras.Model(pixels, layers.ReLU(name="end")(inner(x)))
    given = keras.Input((16, 16, 3))
    model = keras.Model(given, other.call(layers.Rescaling(2.0)(given)))
    assert stage_taps(model) == ["end"]  # the stem has the same size
    taps = Backbone(model, "none").tap("stem"), Backbone(model, "none").tap("within")
    assert [tap.shape for tap in keras.Model(given, taps).outputs] == [(None, 8, 8, 4)] * 2
    assert visual_backprop(model, ["stem", "within"], np.ones((1, 16, 16, 3), "float32")).shape == (1, 16, 16)


class Turned(layers.Layer):
    """Calls what it made last first."""

    def build(self, shape):
        self.last, self.first = layers.Dense(3, name="last"), layers.Dense(3, name="first")

    def call(self, inputs):
        return self.last(self.first(inputs))


def test_layers_come_in_the_order_in_which_a_picture_goes_through_them():
    pixels = keras.Input((4, 4, 3))
    x = keras.Sequential([layers.Conv2D(3, 1, name="conv"), layers.LayerNormalization(name="norm")], name="stem")(
        pixels
    )
    x = Turned(name="two")(Turned(name="one")(x))
    called = keras.Layer.__call__
    paths = [path for path, layer in layers_in_order(keras.Model(pixels, x)) if layer.weights]
    blocks = [path for name in ("one", "two") for path in (name, f"{name}/first", f"{name}/last")]
    assert paths == ["stem", "stem/conv", "stem/norm", *blocks]
    assert keras.Layer.__call__ is called


def test_a_model_in_a_model_is_tapped_at_its_end(tmp_path):
    pixels, given = keras.Input((None, None, 3)), keras.Input((None, None, 3))
    within = keras.Model(pixels, layers.Conv2D(4, 3, 2, activation="relu", name="conv")(pixels), name="within")
    keras.Model(given, within(given), name="outer").save(tmp_path / "outer.keras")
    backbone = load_backbone(str(tmp_path / "outer.keras"), image_size=16, weights="own", preprocessing="tf")
    assert backbone.stages() == find_taps(backbone) == ["within"] and backbones.ends_in_maps(backbone.model)
    assert visual_backprop(backbone.model, ["within"], np.ones((1, 16, 16, 3), "float32")).shape == (1, 16, 16)
    assert attention_classifier(backbone, ["within"], 3).output_shape == (None, 3)
    with pytest.raises(BadBackbone, match="outer has no layer 'conv' to tap"):
        backbone.tap("conv")


def test_models_that_end_in_an_activation_are_tapped_at_their_ends():
    x = pixels = keras.Input((16, 16, 3))
    for number, end in enumerate([layers.ReLU(), layers.Conv2D(3, 3, activation="relu"), layers.BatchNormalization()]):
        part = keras.Input((None, None, 3))
        stage = keras.Model(part, end(layers.Conv2D(3, 3, 2, padding="same")(part)), name=f"stage{number}")
        x = keras.Sequential([stage], name=f"around{number}")(x)
    model = keras.Model(pixels, x)
    assert stage_taps(model) == ["around0", "around1"]
    assert Backbone(model, "none").stages() == ["around2"]  # what runs have read stays


def test_a_network_without_activations_is_tapped_at_its_end():
    pixels = keras.Input((16, 16, 3))
    assert stage_taps(keras.Model(pixels, layers.Conv2D(4, 3, name="only")(pixels))) == ["only"]


def test_a_file_keeps_its_weights_unless_others_are_asked_for(tmp_path):
    inputs = keras.Input((None, None, 3))
    keras.Model(inputs, keras.layers.Conv2D(4, 3, name="first")(inputs)).save(tmp_path / "small.keras")
    kept = keras.saving.load_model(tmp_path / "small.keras").get_layer("first").kernel

    def first(**weights):
        given = {"image_size": 16, "preprocessing": "unit", **weights}
        return backbones.load_backbone(str(tmp_path / "small.keras"), **given).model.get_layer("first").kernel

    for weights in ({}, {"weights": "imagenet"}, {"weights": "own"}):
        assert np.array_equal(keras.ops.convert_to_numpy(first(**weights)), keras.ops.convert_to_numpy(kept))
    assert not np.array_equal(keras.ops.convert_to_numpy(first(weights=None)), keras.ops.convert_to_numpy(kept))

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_art.networks.saliency import overlay, visual_backprop, visual_backprop_2018


def ones_network(size: int | tuple[int, int], padding: str = "valid") -> keras.Model:
    """Two convolutions of ones: 2 filters of 1 x 1 that keep the size, then 1 filter of 2 x 2, stride 2."""
    inputs = keras.Input((*np.broadcast_to(size, 2), 1))
    shallow = keras.layers.Conv2D(2, 1, kernel_initializer="ones", activation="relu", name="shallow")(inputs)
    deep = keras.layers.Conv2D(1, 2, 2, padding, kernel_initializer="ones", activation="relu", name="deep")(shallow)
    return keras.Model(inputs, deep)


def stretched(maps: np.ndarray) -> np.ndarray:
    return (maps - maps.min()) / (maps.max() - maps.min())


def test_a_network_of_ones_matches_the_hand_computation():
    image = np.array([[1, 2, 0, 1], [3, 4, 1, 0], [0, 0, 5, 1], [1, 0, 2, 2]], "float32")
    # Both filters of `shallow` return the image; `deep` sums blocks of 2 x 2 over two channels: 2 * (10, 2, 1, 10).
    deep = np.array([[20, 20, 4, 4], [20, 20, 4, 4], [2, 2, 20, 20], [2, 2, 20, 20]], "float32")
    maps = visual_backprop(ones_network(4), ["shallow", "deep"], image[None, ..., None])
    np.testing.assert_allclose(maps[0], stretched(image * deep), atol=1e-6)


def test_three_taps_normalise_every_product():
    inputs = keras.Input((4, 4, 1))
    first = keras.layers.Identity(name="first")(inputs)
    second = keras.layers.Lambda(lambda x: x + 2.0, name="second")(first)
    third = keras.layers.AveragePooling2D(2, name="third")(second)
    image = np.arange(16, dtype="float32").reshape(4, 4)
    pooled = (image + 2).reshape(2, 2, 2, 2).mean(axis=(1, 3)).repeat(2, axis=0).repeat(2, axis=1)
    expected = stretched(stretched(pooled * (image + 2)) * image)
    maps = visual_backprop(keras.Model(inputs, third), ["first", "second", "third"], image[None, ..., None])
    np.testing.assert_allclose(maps[0], expected, atol=1e-6)


def test_channels_are_averaged():
    inputs = keras.Input((2, 2, 3))
    model = keras.Model(inputs, keras.layers.Identity(name="tap")(inputs))
    images = np.random.default_rng(0).random((5, 2, 2, 3), "float32")
    expected = [stretched(image.mean(axis=-1)) for image in images]
    np.testing.assert_allclose(visual_backprop(model, ["tap"], images), expected, atol=1e-5)


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [(75, 37), (74, 75), (9, 31)])
def test_odd_sizes_land_on_the_size_of_the_image(size, padding, strides):
    inputs = keras.Input((*size, 3))
    x = keras.layers.Conv2D(4, 3, strides, padding, activation="relu", name="a")(inputs)
    x = keras.layers.Conv2D(4, 3, 2, padding, activation="relu", name="b")(x)
    images = np.random.default_rng(0).random((3, *size, 3), "float32")
    maps = visual_backprop(keras.Model(inputs, x), ["a", "b"], images)
    assert maps.shape == (3, *size)
    assert maps.dtype == np.float32
    np.testing.assert_array_equal(maps.min(axis=(1, 2)), 0)
    np.testing.assert_array_equal(maps.max(axis=(1, 2)), 1)


def test_the_remainder_of_an_odd_size_repeats_the_edge():
    inputs = keras.Input((5, 5, 1))
    model = keras.Model(inputs, keras.layers.AveragePooling2D(2, name="tap")(inputs))  # 5 -> 2
    image = np.zeros((1, 5, 5, 1), "float32")
    image[0, 2:4, 2:4] = 1
    expected = np.zeros((5, 5))
    expected[2:, 2:] = 1
    np.testing.assert_array_equal(visual_backprop(model, ["tap"], image)[0], expected)


def test_a_bright_patch_lights_where_it_is():
    inputs = keras.Input((32, 32, 3))
    x, taps = inputs, []
    for stage in range(3):
        layer = keras.layers.Conv2D(
            3, 3, 1, "same", activation="relu", kernel_initializer="zeros", name=f"stage{stage}"
        )
        x = layer(x)
        kernel = np.full((3, 3, 3, 3), 0.01)
        kernel[1, 1] += np.eye(3)
        layer.set_weights([kernel, np.zeros(3)])
        taps.append(layer.name)
        x = keras.layers.MaxPooling2D()(x)
    images = np.full((1, 32, 32, 3), 0.05, "float32")
    images[0, 8:14, 20:26] = 1
    lit = visual_backprop(keras.Model(inputs, x), taps, images)[0]
    assert lit[8:14, 20:26].min() > 0.5
    lit[7:15, 19:27] = 0  # a 3 x 3 kernel reaches one pixel beyond the patch
    assert lit.max() < 0.2


def test_a_constant_image_gives_zeros_where_nothing_varies():
    images = np.stack([np.full((4, 4, 1), 7), np.zeros((4, 4, 1))]).astype("float32")
    maps = visual_backprop(ones_network(4), ["shallow", "deep"], images)
    np.testing.assert_array_equal(maps, np.zeros((2, 4, 4)))


def test_the_size_of_a_batch_changes_nothing():
    images = np.random.default_rng(0).random((5, 6, 6, 1), "float32")
    whole = visual_backprop(ones_network(6), ["shallow", "deep"], images)
    np.testing.assert_allclose(
        visual_backprop(ones_network(6), ["shallow", "deep"], images, batch_size=2), whole, atol=1e-6
    )


def test_an_unknown_tap_names_the_nearest_layers():
    with pytest.raises(ValueError, match="no layer 'shalow'; the nearest names: shallow"):
        visual_backprop(ones_network(4), ["shalow"], np.zeros((1, 4, 4, 1), "float32"))


def test_taps_from_deep_to_shallow_are_refused():
    with pytest.raises(ValueError, match="from larger to smaller maps"):
        visual_backprop(ones_network(4), ["deep", "shallow"], np.zeros((1, 4, 4, 1), "float32"))


def test_a_tap_without_height_and_width_is_refused():
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, keras.layers.Flatten(name="flat")(inputs))
    with pytest.raises(ValueError, match="must be a map"):
        visual_backprop(model, ["flat"], np.zeros((1, 4, 4, 1), "float32"))


@pytest.mark.parametrize(("taps", "shape"), [([], (1, 4, 4, 1)), (["deep"], (0, 4, 4, 1)), (["deep"], (4, 4, 1))])
def test_without_taps_or_images_nothing_is_computed(taps, shape):
    with pytest.raises(ValueError, match="needs taps and images"):
        visual_backprop(ones_network(4), taps, np.zeros(shape, "float32"))


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_hand_computation_holds_on_other_backends(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    test = "test_a_network_of_ones_matches_the_hand_computation"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{__file__}::{test}"]
    environment = os.environ | {"KERAS_BACKEND": backend}
    run = subprocess.run(command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_an_overlay_keeps_the_photo_where_strength_is_zero():
    photo = np.random.default_rng(0).integers(0, 256, (10, 17, 3), np.uint8)
    np.testing.assert_array_equal(overlay(photo, np.ones((3, 3)), strength=0), photo)


def test_an_overlay_rises_in_lightness_with_the_map():
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None].repeat(4, axis=0)
    coloured = overlay(np.full((40, 64, 3), 128, np.uint8), ramp)
    assert coloured.shape == (40, 64, 3)
    assert coloured.dtype == np.uint8
    lightness = coloured[0] @ np.array([0.2126, 0.7152, 0.0722])
    assert lightness[-1] - lightness[0] > 100
    assert np.diff(lightness).min() > -1  # rounding


def test_an_overlay_is_bilinear_and_of_the_size_of_the_photo():
    photo = np.zeros((4, 9, 3), np.uint8)
    coloured = overlay(photo, np.array([[0.0, 1.0]]), strength=1)
    assert coloured.shape == photo.shape
    middle = overlay(photo, np.full((1, 1), 0.5), strength=1)[0, 0]
    np.testing.assert_allclose(coloured[0, 4].astype(int), middle, atol=2)


@pytest.mark.parametrize(
    ("photo", "saliency", "strength", "message"),
    [
        (np.zeros((4, 4, 3)), np.zeros((2, 2)), 0.5, "uint8"),
        (np.zeros((4, 4), np.uint8), np.zeros((2, 2)), 0.5, "uint8"),
        (np.zeros((4, 4, 3), np.uint8), np.full((2, 2), 1.5), 0.5, r"in \[0, 1\]"),
        (np.zeros((4, 4, 3), np.uint8), np.full((2, 2), np.nan), 0.5, r"in \[0, 1\]"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((2, 2, 1)), 0.5, r"in \[0, 1\]"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((2, 2)), 1.5, "strength"),
    ],
)
def test_an_overlay_refuses_what_it_cannot_mix(photo, saliency, strength, message):
    with pytest.raises(ValueError, match=message):
        overlay(photo, saliency, strength)


def test_the_released_variant_is_its_loop_written_out():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="a")(inputs)
    x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Conv2D(5, 3, padding="same", activation="relu", name="b")(x)
    model = keras.Model(inputs, keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="c")(x), name="tiny")
    images = np.random.default_rng(0).uniform(0, 255, (1, 16, 16, 3)).astype("float32")
    outputs = keras.Model(inputs, [model.get_layer(name).output for name in "abc"]).predict(images, verbose=0)
    a, b, c = (x.mean(axis=3)[0] for x in outputs)
    a, b, c = ((x - x.min()) / (x.max() - x.min() + 1e-6) for x in (a, b, c))
    deep = c * b
    spread = np.zeros((18, 18))  # a kernel of ones of 3, a stride of 2; "same" keeps the first 16
    for y in range(8):
        for x in range(8):
            spread[2 * y : 2 * y + 3, 2 * x : 2 * x + 3] += deep[y, x]
    expected = spread[:16, :16] * a
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    np.testing.assert_allclose(visual_backprop_2018(model, images)[0], expected, atol=1e-5)


def test_the_released_variant_refuses_sizes_that_do_not_halve():
    inputs = keras.Input((15, 15, 3))
    x = keras.layers.Conv2D(2, 3, name="a")(inputs)
    model = keras.Model(inputs, keras.layers.Conv2D(2, 3, 3, name="b")(x), name="odd")
    with pytest.raises(ValueError, match="is not twice the next"):
        visual_backprop_2018(model, np.zeros((1, 15, 15, 3), "float32"))

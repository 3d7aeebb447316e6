"""AdaIN: networks, losses, drawing, and a decoder trained, killed and resumed."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from keras_art.errors import UserError
from keras_art.methods.adain import networks, stylising, training
from keras_art.methods.adain.pairs import draw_pairs, lonely, most_confused
from keras_art.methods.adain.stylising import (
    Labelled,
    stylise,
    stylise_classes,
    stylise_pairs,
)
from keras_art.pictures import colours, quality
from keras_art.pictures.colours import recolour
from keras_art.pictures.images import decode


@pytest.fixture(scope="module")
def transfer():
    keras.utils.set_random_seed(0)
    vgg = keras.applications.VGG19(include_top=False, weights=None, input_shape=(32, 32, 3))
    return networks.make_encoder(vgg), networks.make_decoder()


def maps(seed: int, channels: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(seed, 1 + seed, (2, 6, 4, channels)).astype("float32")


def pictures(n: int, size: int = 32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def longhand(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x.mean((1, 2), keepdims=True), np.sqrt(x.var((1, 2), ddof=1, keepdims=True) + 1e-5)


def test_statistics_are_the_unbiased_ones_with_epsilon_inside_the_root():
    mean, deviation = networks.statistics(maps(1))
    np.testing.assert_allclose(mean, longhand(maps(1))[0], rtol=1e-5)
    np.testing.assert_allclose(deviation, longhand(maps(1))[1], rtol=1e-5)


def test_adain_gives_the_content_the_statistics_of_the_style():
    content, style = maps(1), maps(3)
    out = keras.ops.convert_to_numpy(networks.adain(content, networks.statistics(style)))
    np.testing.assert_allclose(out.mean((1, 2)), style.mean((1, 2)), atol=1e-4)
    np.testing.assert_allclose(out.std((1, 2), ddof=1), style.std((1, 2), ddof=1), rtol=1e-4)


def test_alpha_0_is_the_content_and_alpha_1_half_is_half_way():
    content, style = maps(1), networks.statistics(maps(3))
    whole = keras.ops.convert_to_numpy(networks.adain(content, style))
    np.testing.assert_allclose(networks.adain(content, style, 0.0), content, atol=1e-6)
    np.testing.assert_allclose(networks.adain(content, style, 0.5), (content + whole) / 2, atol=1e-5)


def test_a_flat_map_does_not_divide_by_zero():
    flat = np.full((1, 4, 4, 2), 7.0, "float32")
    assert np.isfinite(networks.adain(flat, networks.statistics(maps(1, 2)[:1]))).all()


def test_losses_equal_longhand_numpy():
    ours, theirs = [maps(1), maps(2, 3)], [maps(3), maps(4, 3)]
    expected = 0.0
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(longhand(a), longhand(b), strict=True):
            expected += ((x - y) ** 2).mean()
    assert float(networks.style_loss(ours, theirs)) == pytest.approx(expected, rel=1e-5)
    assert float(networks.content_loss(ours[0], theirs[0])) == pytest.approx(
        ((ours[0] - theirs[0]) ** 2).mean(), rel=1e-5
    )


def test_parameter_counts_are_the_papers(transfer):
    encoder, decoder = transfer
    assert encoder.count_params() == 3_505_728
    assert decoder.count_params() == 3_505_219


def test_the_encoder_says_what_vgg19_says_away_from_the_border(transfer):
    vgg = keras.applications.VGG19(include_top=False, weights=None, input_shape=(64, 64, 3))
    reader = keras.Model(vgg.input, [vgg.get_layer(tap).output for tap in networks.TAPS])
    images = pictures(1, 64).astype("float32")
    expected = reader.predict_on_batch(keras.applications.vgg19.preprocess_input(images.copy()))
    for ours, theirs in zip(networks.make_encoder(vgg).predict_on_batch(images), expected, strict=True):
        rim = {64: 1, 32: 4, 16: 6}.get(ours.shape[1])  # at relu4_1 every position sees the border
        if rim:
            ours, theirs = (maps[:, rim:-rim, rim:-rim] for maps in (ours, theirs))
            np.testing.assert_allclose(ours, theirs, atol=1e-3 * np.abs(theirs).max())


def test_the_decoder_mirrors_the_sizes_and_reflects_at_the_border(transfer):
    encoder, decoder = transfer
    images = pictures(1, 48)
    assert [m.shape[1:] for m in encoder.predict_on_batch(images)] == [
        (48, 48, 64),
        (24, 24, 128),
        (12, 12, 256),
        (6, 6, 512),
    ]
    assert decoder.predict_on_batch(np.zeros((1, 6, 6, 512), "float32")).shape == (1, 48, 48, 3)
    row = np.arange(9, dtype="float32").reshape(1, 3, 3, 1)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(networks.ReflectionPadding()(row))[0, ..., 0],
        np.pad(row[0, ..., 0], 1, mode="reflect"),
    )
    assert sum(isinstance(layer, networks.ReflectionPadding) for layer in decoder.layers) == 9
    assert all(
        layer.interpolation == "nearest" for layer in decoder.layers if isinstance(layer, keras.layers.UpSampling2D)
    )


def test_a_flat_picture_looks_the_same_everywhere_to_the_encoder(transfer):
    for maps_of in transfer[0].predict_on_batch(np.full((1, 32, 32, 3), 200, np.uint8)):
        assert np.ptp(maps_of, axis=(1, 2)).max() < 1e-4 * np.abs(maps_of).max()


def test_normalised_filters_have_mean_activation_one_and_the_network_says_the_same():
    keras.utils.set_random_seed(1)
    vgg = keras.applications.VGG19(include_top=False, weights=None, input_shape=(32, 32, 3))
    encoder, images = networks.make_encoder(vgg), pictures(4)
    before = encoder.predict_on_batch(images)
    networks.normalise(encoder, images)
    for old, new in zip(before, encoder.predict_on_batch(images), strict=True):
        mean = old.mean((0, 1, 2))
        scale = np.maximum(mean, 0.1 * mean.mean())
        assert (scale == mean).mean() > 0.3
        np.testing.assert_allclose(new.mean((0, 1, 2))[scale == mean], 1, rtol=1e-3)
        np.testing.assert_allclose(new, old / scale, rtol=1e-2, atol=1e-3)


def test_calibrated_filters_tell_images_apart():
    keras.utils.set_random_seed(1)
    vgg = keras.applications.VGG19(include_top=False, weights=None, input_shape=(32, 32, 3))
    encoder = networks.make_encoder(vgg)
    flat = np.repeat(np.random.default_rng(0).integers(0, 256, (8, 1, 1, 3)), 32, 1).repeat(32, 2).astype("uint8")
    images = (flat // 2 + pictures(8) // 2).astype("uint8")

    def likeness() -> float:
        deep = encoder.predict_on_batch(images)[-1].reshape(8, -1)
        return float((np.corrcoef(deep).sum() - 8) / 56)

    before = likeness()
    networks.calibrate(encoder, images)
    first = encoder.get_layer("block1_conv1")
    x = networks.ReflectionPadding()(encoder.get_layer("preprocessing")(images))
    outputs = keras.ops.convert_to_numpy(keras.ops.conv(x, first.kernel, padding="valid") + first.bias)
    np.testing.assert_allclose(outputs.mean((0, 1, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(outputs.std((0, 1, 2)), 1, rtol=1e-2)
    assert likeness() < before - 0.1


def test_a_calibrated_decoder_tells_positions_apart_and_begins_grey():
    keras.utils.set_random_seed(1)
    decoder, maps = networks.make_decoder(), np.random.default_rng(0).uniform(0, 2, (4, 4, 4, 512)).astype("float32")
    convolutions = [layer for layer in decoder.layers if isinstance(layer, keras.layers.Conv2D)]
    deep = keras.Model(decoder.input, convolutions[-2].output)

    def likeness() -> float:
        positions = deep.predict_on_batch(maps).reshape(-1, 64)
        return float(np.corrcoef(positions).mean())

    before, last = likeness(), convolutions[-1].get_weights()
    networks.calibrate(decoder, maps)
    assert likeness() < before - 0.1
    for old, new in zip(last, convolutions[-1].get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
    np.testing.assert_allclose(decoder.predict_on_batch(maps), 127.5, atol=25)


def test_identity_loss_is_the_mean_square_in_units_of_the_range():
    a, b = (rng.uniform(0, 255, (2, 4, 4, 3)).astype("float32") for rng in map(np.random.default_rng, (0, 1)))
    np.testing.assert_allclose(float(networks.identity_loss(a, b)), np.mean(((a - b) / 255) ** 2), rtol=1e-5)


def test_the_sum_of_losses_is_weighted_and_identity_is_left_out_without_a_weight(transfer):
    two = np.concatenate([pictures(2), pictures(2, seed=1)])
    with_identity = training.StyleTransfer(*transfer, {"content": 1.0, "style": 0.1, "identity": 1000.0})
    losses = {name: float(keras.ops.convert_to_numpy(loss)) for name, loss in with_identity(two).items()}
    expected = losses["content"] + 0.1 * losses["style"] + 1000 * losses["identity"]
    assert with_identity.compute_loss(y_pred=losses) == pytest.approx(expected)
    own = transfer[1].predict_on_batch(transfer[0].predict_on_batch(two[:2])[-1])
    assert losses["identity"] == pytest.approx(np.mean(((own - two[:2]) / 255.0) ** 2), rel=1e-4)
    assert set(training.StyleTransfer(*transfer, {"content": 1.0, "style": 10.0})(two)) == {"content", "style"}


def test_both_networks_round_trip(transfer, tmp_path: Path):
    for network, inputs in zip(transfer, (pictures(1), np.ones((1, 2, 2, 512), "float32")), strict=True):
        network.save(tmp_path / "n.keras")
        again = keras.saving.load_model(tmp_path / "n.keras", compile=False)
        for a, b in zip(*(keras.tree.flatten(n.predict_on_batch(inputs)) for n in (network, again)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_alpha_0_through_stylise_is_the_content_through_the_decoder(transfer):
    encoder, decoder = transfer
    content, style = pictures(2)
    expected = decoder.predict_on_batch(encoder.predict_on_batch(content[None])[-1])[0]
    found = stylise(encoder, decoder, content, style, alpha=0.0)
    np.testing.assert_array_equal(found, np.rint(expected.clip(0, 255)))


def test_a_picture_of_any_size_keeps_it_and_the_style_may_have_another(transfer):
    assert stylise(*transfer, pictures(1, 40)[0, :37, :29], pictures(1, 24)[0]).shape == (37, 29, 3)


def test_pictures_below_the_minimum_and_alpha_out_of_range_are_refused(transfer):
    with pytest.raises(UserError, match=r"content of 15 x 32 pixels is too small.*16"):
        stylise(*transfer, pictures(1)[0, :15], pictures(1)[0])
    with pytest.raises(UserError, match=r"alpha lies in \[0, 1\]"):
        stylise(*transfer, *pictures(2), alpha=1.5)


def test_recoloured_pictures_have_the_others_mean_and_covariance():
    a = pictures(1)[0]
    b = (pictures(1, seed=1)[0] * np.array([0.2, 0.3, 0.4]) + [30, 60, 90]).astype(np.uint8)
    found = recolour(a, b).reshape(-1, 3).astype(float)
    np.testing.assert_allclose(found.mean(0), b.reshape(-1, 3).mean(0), atol=1)
    np.testing.assert_allclose(np.cov(found.T), np.cov(b.reshape(-1, 3).T.astype(float)), atol=15)


def test_recolouring_is_coral_of_the_code_of_adain():
    from scipy.linalg import inv, sqrtm

    a, b = pictures(1)[0], (pictures(1, seed=1)[0] // 3 + 40).astype(np.uint8)
    sums, standard = [], []
    for picture in (a, b):
        x = picture.reshape(-1, 3).T / 255.0
        x = (x - x.mean(1, keepdims=True)) / x.std(1, ddof=1, keepdims=True)
        standard.append(x)
        sums.append(x @ x.T + np.eye(3))
    moved = sqrtm(sums[1]) @ inv(sqrtm(sums[0])) @ standard[0]
    like = b.reshape(-1, 3).T / 255.0
    expected = moved * like.std(1, ddof=1, keepdims=True) + like.mean(1, keepdims=True)
    expected = np.clip(255 * expected.T.reshape(a.shape), 0, 255)
    assert np.abs(recolour(a, b) - expected).max() <= 0.51
    assert np.isfinite(recolour(np.full_like(a, 7), b).astype(float)).all()


def test_grey_squares_are_no_pictures(tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(125, 131, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "grey.png")
    dark = np.linspace(0, 40, 64)[:, None, None].astype(np.uint8) * np.ones((1, 64, 3), np.uint8)
    Image.fromarray(dark).save(tmp_path / "dark.png")
    assert colours.is_blank(tmp_path / "grey.png") and not colours.is_blank(tmp_path / "dark.png")


@pytest.mark.parametrize("side", [32, 96])
def test_blurs_are_told_from_pictures(tmp_path, side):
    rng = np.random.default_rng(0)
    sharp = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((side, side), 0)
    sharp.save(tmp_path / "sharp.png")
    sharp.filter(ImageFilter.GaussianBlur(side / 12)).save(tmp_path / "blurred.png")
    Image.new("RGB", (side, side), "grey").save(tmp_path / "grey.png")
    assert [quality.is_blurred(tmp_path / f"{name}.png") for name in ("sharp", "blurred", "grey")] == [
        False,
        True,
        False,
    ]


def test_classes_are_paired_by_how_often_they_are_confused_each_once():
    counts = np.array([[9, 3, 0, 0], [1, 9, 2, 0], [0, 3, 9, 1], [0, 0, 0, 9]])  # 0-1: 4, 1-2: 5, 2-3: 1
    assert most_confused(counts) == {1: 2, 2: 1}
    counts[0, 3] = 1
    assert most_confused(counts) == {1: 2, 2: 1, 0: 3, 3: 0}
    assert most_confused(np.eye(3, dtype=int)) == {}


def test_pairs_are_drawn_within_the_class_one_output_per_image_and_seeded():
    labels = np.array([0] * 5 + [1] * 9 + [2])
    pairs = draw_pairs(labels, seed=3)
    assert np.bincount(pairs["label"]).tolist() == [5, 9, 1]
    for role in ("content", "style"):
        assert (labels[pairs[role]] == pairs["label"]).all()
    pd.testing.assert_frame_equal(pairs, draw_pairs(labels, seed=3))
    assert not pairs.equals(draw_pairs(labels, seed=4))
    mixed = draw_pairs(labels, seed=3, styles_of={0: 1, 1: 0, 2: 7})
    assert (labels[mixed["content"]] == mixed["label"]).all()
    assert {(a, labels[b]) for a, b in zip(mixed["label"], mixed["style"], strict=True)} == {(0, 1), (1, 0), (2, 2)}
    assert (pairs[pairs["label"] == 2][["content", "style"]] == 14).all(axis=None)
    assert lonely(labels, ["a", "b", "c"]) == ["c"]


@pytest.mark.parametrize("preserve_colour", [False, True])
def test_encoding_once_gives_the_outputs_of_encoding_every_time(transfer, tmp_path: Path, monkeypatch, preserve_colour):
    saved: dict[str, np.ndarray] = {}
    monkeypatch.setattr(stylising, "save", lambda picture, path: saved.update({path.name: picture}))
    images, pairs = pictures(7), draw_pairs(np.array([0, 0, 0, 0, 1, 1, 1]), seed=0)
    paths = [tmp_path / f"{i}.jpg" for i in range(len(pairs))]
    pairs = pairs.assign(path=list(map(str, paths)))
    stylise_pairs(*transfer, images, pairs, alpha=0.7, preserve_colour=preserve_colour, batch_size=2)
    for path, content, style in zip(paths, pairs["content"], pairs["style"], strict=True):
        expected = stylise(*transfer, images[content], images[style], alpha=0.7, preserve_colour=preserve_colour)
        assert np.abs(saved[path.name].astype(int) - expected).max() <= 1  # rounding, between two sizes of batch


def test_half_precision_paints_nearly_the_same_and_float32_is_the_networks_themselves(transfer):
    assert networks.computing(*transfer, "float32") == transfer
    halves = networks.computing(*transfer, "mixed_bfloat16")
    assert {layer.compute_dtype for layer in halves[0].layers if layer.weights} == {"bfloat16"}
    assert keras.config.dtype_policy().name == "float32"
    images = pictures(2)
    expected, found = (stylise(*both, *images).astype(int) for both in (transfer, halves))
    assert 0 < np.abs(found - expected).mean() < 2


def test_a_stylised_collection_tells_where_each_picture_came_from_and_goes_on_where_it_stopped(
    transfer, tmp_path: Path
):
    images, labels = pictures(5), np.array([0, 0, 1, 1, 1])
    told = []
    frame = stylise_classes(
        *transfer, Labelled(images, list("abcde"), labels, ["x", "y"]), tmp_path, progress=lambda *p: told.append(p)
    )
    assert list(frame.columns) == ["output", "class", "content", "style", "alpha"]
    assert told[-1] == (5, 5)
    assert all(decode(tmp_path / output, 32)[1]["width"] == 32 for output in frame["output"])
    assert set(frame[frame["class"] == "x"][["content", "style"]].to_numpy().ravel()) <= {"a", "b"}
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "provenance.csv"), frame)
    (tmp_path / frame["output"][3]).unlink()
    kept = (tmp_path / frame["output"][0]).stat().st_mtime_ns
    told.clear()
    again = stylise_classes(
        *transfer, Labelled(images, list("abcde"), labels, ["x", "y"]), tmp_path, progress=lambda *p: told.append(p)
    )
    assert told == [(5, 5)] and (tmp_path / frame["output"][3]).exists()
    assert (tmp_path / frame["output"][0]).stat().st_mtime_ns == kept
    pd.testing.assert_frame_equal(again, frame)

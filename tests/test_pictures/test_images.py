from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_art.pictures import images
from keras_art.pictures.images import Unreadable, decode, load_photo

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
TWO_BY_TWO = np.array([[RED, GREEN], [BLUE, BLACK]], np.uint8)


def picture(path: Path, size: tuple[int, int] = (20, 30), seed: int = 0, **save) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    Image.fromarray(pixels).save(path, **save)
    return path


def reason(path: Path) -> str:
    with pytest.raises(Unreadable) as caught:
        decode(path, 8)
    return str(caught.value)


# How a file becomes RGB


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, suffix, tag):
    stored = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = tag
    path = tmp_path / f"a{suffix}"
    Image.fromarray(stored).save(path, exif=exif)
    upright = {  # the tag's definition: which stored edges are the picture's top and left
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: stored[::-1].transpose(1, 0, 2),
        7: stored[::-1, ::-1].transpose(1, 0, 2),
        8: stored.transpose(1, 0, 2)[::-1],
    }[tag]
    _, facts = decode(path, 8)
    assert (facts["height"], facts["width"], facts["orientation"]) == (*upright.shape[:2], tag)
    np.testing.assert_array_equal(load_photo(path, 6), upright)


def test_damaged_exif_does_not_cost_the_picture(tmp_path):
    path = picture(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*garbage")
    assert decode(path, 8)[1]["orientation"] == 1


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(TWO_BY_TWO), TWO_BY_TWO),
        (
            Image.fromarray(np.array([[0, 100], [200, 255]], np.uint8)),
            [[(v,) * 3 for v in r] for r in [[0, 100], [200, 255]]],
        ),
        (Image.fromarray(np.array([[True, False], [False, True]])), [[WHITE, BLACK], [BLACK, WHITE]]),
        (
            Image.fromarray(np.array([[(*RED, 255), (*RED, 0)], [(0, 0, 0, 51), (*BLUE, 255)]], np.uint8)),
            [[RED, WHITE], [(204, 204, 204), BLUE]],
        ),
        (
            Image.fromarray(np.array([[(0, 255), (0, 0)], [(0, 51), (90, 255)]], np.uint8), "LA"),
            [[BLACK, WHITE], [(204, 204, 204), (90, 90, 90)]],
        ),
        (
            Image.fromarray(np.array([[0, 257], [25700, 65535]], np.uint16)),
            [[BLACK, (1, 1, 1)], [(100, 100, 100), WHITE]],
        ),
    ],
    ids=["RGB", "L", "1", "RGBA", "LA", "I;16"],
)
def test_modes_of_png(tmp_path, image, expected):
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode(tmp_path / "a.png", 2)[0], np.array(expected, np.uint8))


@pytest.mark.parametrize(
    "transparency", [1, bytes([255, 0, 255])], ids=["one transparent colour", "an alpha for each colour"]
)
def test_transparent_palette_colours_are_laid_on_white(tmp_path, transparency):
    image = Image.fromarray(np.array([[0, 1], [2, 0]], np.uint8))
    image.putpalette([*RED, *GREEN, *BLUE])
    image.save(tmp_path / "a.png", transparency=transparency)
    np.testing.assert_array_equal(decode(tmp_path / "a.png", 2)[0], np.array([[RED, WHITE], [BLUE, RED]]))


def test_a_transparent_key_colour_is_laid_on_white(tmp_path):
    Image.fromarray(TWO_BY_TWO).save(tmp_path / "a.png", transparency=GREEN)
    np.testing.assert_array_equal(decode(tmp_path / "a.png", 2)[0], np.array([[RED, WHITE], [BLUE, BLACK]]))


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_deep_tiff_is_scaled_and_not_clipped(tmp_path, dtype):
    Image.fromarray(np.array([[0, 65535], [32896, 0]], dtype)).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(decode(tmp_path / "a.tif", 2)[0][..., 0], [[0, 255], [128, 0]])


def test_float_tiff_with_gaps_and_extremes(tmp_path):
    Image.fromarray(np.array([[-3e38, 3e38], [np.nan, np.inf]], np.float32)).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(decode(tmp_path / "a.tif", 2)[0][..., 0], [[0, 255], [0, 0]])
    Image.fromarray(np.full((2, 2), np.nan, np.float32)).save(tmp_path / "b.tif")
    assert "finite" in reason(tmp_path / "b.tif")


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])  # a JPEG's inks are stored inverted, as Adobe does; a TIFF's not
def test_cmyk_inks_become_colours(tmp_path, suffix):
    for ink, colour in (((0, 255, 255, 0), RED), ((255, 255, 0, 0), BLUE), ((0, 0, 0, 255), BLACK)):
        path = tmp_path / f"a{suffix}"
        Image.new("CMYK", (16, 16), ink).save(path, quality=100)
        pixels, facts = decode(path, 8)
        assert facts["mode"] == "CMYK"
        np.testing.assert_allclose(pixels.astype(int), np.broadcast_to(colour, (8, 8, 3)), atol=2)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif"])
def test_first_frame_or_page_is_taken(tmp_path, suffix):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, BLUE)]
    lossless = {"lossless": True} if suffix == ".webp" else {}
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:], **lossless)
    np.testing.assert_array_equal(decode(tmp_path / f"a{suffix}", 4)[0], np.broadcast_to(RED, (4, 4, 3)))


# How a picture becomes a square


def test_squash_nearest_is_pillows_nearest(tmp_path):
    path = picture(tmp_path / "a.jpg", (300, 200))
    with Image.open(path) as image:
        expected = np.asarray(image.resize((24, 24), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(decode(path, 24, "squash_nearest")[0], expected)


def test_squash_is_pillows_antialiased_bilinear_up_to_rounding(tmp_path):
    path = picture(tmp_path / "a.png", (60, 40))
    with Image.open(path) as image:
        expected = np.asarray(image.resize((24, 24), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(decode(path, 24)[0].astype(int), expected, atol=1)


def test_a_big_jpeg_decoded_small_differs_little(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)).resize((800, 800)).save(path)
    with Image.open(path) as image:
        expected = np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(decode(path, 32)[0] - expected).mean() < 1


def test_crop_and_pad_keep_the_aspect_ratio(tmp_path):
    thirds = np.repeat(np.array([[RED, GREEN, BLUE]], np.uint8), 8, axis=1).repeat(8, axis=0)  # (8, 24, 3)
    for name, pixels in (("wide.png", thirds), ("tall.png", thirds.transpose(1, 0, 2))):
        Image.fromarray(pixels).save(tmp_path / name)
        np.testing.assert_array_equal(decode(tmp_path / name, 8, "crop")[0], np.broadcast_to(GREEN, (8, 8, 3)))
    padded = decode(tmp_path / "wide.png", 24, "pad")[0]
    np.testing.assert_array_equal(padded[8:16], thirds)
    assert not padded[:8].any()
    assert not padded[16:].any()


@pytest.mark.parametrize("resize", images.RESIZE)
def test_a_line_of_pixels_is_a_picture(tmp_path, resize):
    path = picture(tmp_path / "a.png", (500, 1))
    assert decode(path, 8, resize)[0].shape == (8, 8, 3)
    assert load_photo(path, 8).shape == (1, 8, 3)


# What is no picture


def test_extensions_of_one_format_do_not_lie(tmp_path):
    for suffix in (".jpg", ".jpeg", ".jpe", ".JFIF"):
        decode(picture(tmp_path / f"a{suffix}", format="JPEG"), 8)
    pages = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
    pages[0].save(tmp_path / "mpo.jpg", "MPO", save_all=True, append_images=pages[1:])
    assert decode(tmp_path / "mpo.jpg", 8)[1]["format"] == "MPO"
    decode(picture(tmp_path / "a.tif", format="TIFF"), 8)


def test_whatever_pillow_raises_is_a_reason(tmp_path, monkeypatch):
    path = picture(tmp_path / "a.png")
    for error in (SyntaxError("x"), OverflowError("x"), ZeroDivisionError("x"), RecursionError("x")):
        monkeypatch.setattr(Image, "open", raiser(error))
        assert reason(path) == f"damaged ({type(error).__name__}: x)"
    monkeypatch.setattr(Image, "open", raiser(MemoryError()))
    assert "memory" in reason(path)


def raiser(error: BaseException):
    def fail(*_, **__):
        raise error

    return fail

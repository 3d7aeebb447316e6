"""Margins of one colour, found and cut off."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from keras_art.pictures import borders, images

RNG = np.random.default_rng(0)


def painted(width: int, height: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def framed(inner: np.ndarray, left: int, top: int, size: int = 64, colour=(250, 248, 240)) -> np.ndarray:
    picture = np.full((size, size, 3), colour, np.uint8)
    picture[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return picture


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (120, 90, 60)])
def test_padding_to_a_square_is_a_border_and_leaves_the_picture(colour):
    picture = framed(painted(64, 40), 0, 12, colour=colour)
    noisy = np.clip(picture.astype(int) + RNG.integers(-6, 7, picture.shape), 0, 255).astype(np.uint8)  # as JPEG has it
    for shown in (picture, noisy):
        assert borders.inside(shown) == (0, 12, 64, 52)
    found = borders.measured(picture[None], np.array([0]))
    assert found["border"][0] == pytest.approx(24 / 64) and found["aspect"][0] == pytest.approx(64 / 40)


def test_what_jpeg_makes_of_a_borders_end_is_cut_off_with_it():
    left = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        dark = Image.fromarray(rng.integers(0, 80, (30, 30, 3), dtype=np.uint8)).resize((180, 180))
        kept = io.BytesIO()
        Image.fromarray(framed(np.asarray(dark), 22, 22, 224, (255, 255, 255))).save(kept, "JPEG", quality=60)
        left.append(22 - borders.inside(np.asarray(Image.open(kept)))[1])
    assert min(left) >= 0 and max(left) <= 2


def test_a_picture_to_its_edges_one_of_one_colour_and_a_single_line_have_no_border():
    line = painted(64, 64)
    line[0] = 9
    for picture in (painted(64, 64), np.full((64, 64, 3), 7, np.uint8), line):
        assert borders.inside(picture) == (0, 0, 64, 64)


def test_each_edge_has_its_own_colour():
    picture = framed(painted(50, 64), 0, 0, colour=(0, 0, 0))
    picture[:, 50:] = 255
    assert borders.inside(picture) == (0, 0, 50, 64)


def test_trim_cuts_the_border_off_and_takes_the_middle(tmp_path):
    inner = np.zeros((300, 600, 3), np.uint8)
    inner[:, :, 0] = np.linspace(0, 255, 600)
    inner[::2, :, 1] = 200
    Image.fromarray(framed(inner, 100, 250, 800)).save(tmp_path / "padded.png")
    Image.fromarray(inner).save(tmp_path / "whole.png")
    trimmed, _ = images.decode(tmp_path / "padded.png", 32, "trim")
    whole, _ = images.decode(tmp_path / "whole.png", 32, "crop")
    assert np.abs(trimmed.astype(int) - whole).mean() < 6
    cropped, _ = images.decode(tmp_path / "padded.png", 32, "crop")
    assert np.abs(cropped.astype(int) - whole).mean() > 30


def sky(colour: tuple[int, int, int], lines: int, seed: int = 0) -> np.ndarray:
    """A picture whose upper edge is painted, evenly but by hand."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (240, 200, 3), dtype=np.uint8)
    picture[:lines] = np.clip(np.array(colour) + rng.normal(0, 3, (lines, 200, 3)), 0, 255)
    return picture


def test_a_painted_sky_stays_and_what_lies_round_it_is_cut_off(tmp_path):
    own = sky((150, 180, 210), 60)
    assert borders.inside(own) == (0, 60, 200, 240), "it is even enough for a border"
    assert borders.unframed(own) == (0, 0, 200, 240)
    mounted = np.full((300, 200, 3), 245, np.uint8)
    mounted[:240] = own
    assert borders.unframed(mounted) == (0, 0, 200, 240)
    Image.fromarray(own).save(tmp_path / "sky.png")
    trimmed, cropped = (images.decode(tmp_path / "sky.png", 32, how)[0] for how in ("trim", "crop"))
    assert (trimmed == cropped).all()


@pytest.mark.parametrize("quality", [75, 95])
def test_a_margin_at_one_edge_alone_is_cut_off_however_narrow(quality):
    for lines in (8, 13, 24, 60):
        for value in (0, 128, 255):
            picture = np.asarray(Image.fromarray(painted(14, 11)).resize((224, 176), Image.Resampling.BICUBIC))
            kept = io.BytesIO()
            margin = np.full((lines, 224, 3), value, np.uint8)
            Image.fromarray(np.concatenate([picture, margin])).save(kept, "JPEG", quality=quality)
            bottom = borders.unframed(np.asarray(Image.open(kept)))[3]
            assert abs(bottom - 176) <= 3, (lines, value, bottom)

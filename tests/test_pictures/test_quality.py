"""What is the matter with pictures, each fault by a picture that has it and one that has not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from keras_art.pictures import quality


def painting() -> Image.Image:
    rng = np.random.default_rng(1)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).resize((256, 256), Image.Resampling.BICUBIC)
    fine = Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).resize((256, 256), Image.Resampling.NEAREST)
    return ImageEnhance.Contrast(Image.blend(coarse, fine, 0.5)).enhance(2)


def faults_of(picture: Image.Image, width: int = 256, height: int = 256) -> set[str]:
    pixels = np.asarray(picture.convert("RGB").resize((64, 64), Image.Resampling.BILINEAR))[None]
    found = quality.faults(pixels, np.array([0]), np.array([width]), np.array([height]))
    return {fault for fault in quality.FAULTS if found[fault][0]}


def test_a_sound_picture_has_none():
    assert faults_of(painting()) == set()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda p: ImageEnhance.Brightness(p).enhance(0.2), "too dark"),
        (lambda p: Image.blend(p, Image.new("RGB", p.size, "white"), 0.85), "too bright"),
        (lambda p: Image.blend(p, Image.new("RGB", p.size, "grey"), 0.85), "low contrast"),
        (lambda p: p.filter(ImageFilter.GaussianBlur(8)), "blurred"),
        (lambda p: Image.new("RGB", p.size, "black"), "uniform"),
        (lambda p: Image.new("RGB", p.size, "white"), "uniform"),
        (lambda p: ImageOps.expand(p, 40, "white"), "border or frame"),
    ],
)
def test_each_fault_is_seen_alone(change, fault):
    assert faults_of(change(painting())) == {fault}


def edged(place, colour, noise, picture=None):
    """A painting of which something covers a part."""
    picture = np.asarray(picture or painting()).copy()
    part = picture[place]
    paint = np.random.default_rng(2).normal(0, noise, (part.shape[0] // 8 + 1, part.shape[1] // 8 + 1, 1))
    part[:] = np.clip(colour + paint.repeat(8, 0).repeat(8, 1)[: part.shape[0], : part.shape[1]], 0, 255)
    return Image.fromarray(picture)


SKY, BELOW, RIGHT = np.s_[:60], np.s_[200:], np.s_[:, 200:]
BLUE = (130, 100, 180)


def test_a_sky_a_ground_or_a_dark_coat_is_no_border():
    assert faults_of(edged(SKY, BLUE, 3)) == set()
    assert faults_of(edged(BELOW, (30, 24, 34), 3, edged(SKY, BLUE, 3))) == set()  # another colour
    assert faults_of(edged(BELOW, BLUE, 3, edged(SKY, BLUE, 3))) == {"border or frame"}  # a mount
    assert faults_of(edged(RIGHT, (255, 255, 255), 0)) == {"border or frame"}  # what was made square at one edge alone


def test_sizes_are_those_of_the_files():
    assert faults_of(painting(), 40, 300) == {"tiny", "extreme format"}
    assert faults_of(painting().filter(ImageFilter.GaussianBlur(8)), 40, 40) == {"tiny"}  # enlarged, so it is smooth


def test_uniform_pictures_are_alike_by_their_colour():
    pixels = np.stack([np.full((64, 64, 3), value, np.uint8) for value in (0, 255, 2, 253)])
    found = quality.faults(pixels, np.arange(4), np.full(4, 64), np.full(4, 64))
    groups = quality.same_colour(found)
    assert groups[0] == groups[2] != groups[1] == groups[3] and (groups >= 0).all()
    more = np.stack([np.asarray(painting().resize((64, 64)))])
    assert quality.same_colour(quality.faults(more, np.array([0]), np.array([64]), np.array([64]))).tolist() == [-1]
    assert len(quality.faults(pixels, np.zeros(0, int), np.zeros(0, int), np.zeros(0, int))) == 0

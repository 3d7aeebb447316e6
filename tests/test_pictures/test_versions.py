"""Versions of pictures that a hash does not see, and no others."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from keras_art.pictures import versions
from keras_art.pictures.lookalikes import perceptual_hash


def scene(seed: int) -> Image.Image:
    """A picture with large and small shapes, unlike every other."""
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(rng.integers(0, 256, (5, 4, 3), np.uint8)).resize((240, 300), Image.Resampling.BICUBIC)
    fine = Image.fromarray(rng.integers(0, 256, (24, 20, 3), np.uint8)).resize((240, 300), Image.Resampling.BICUBIC)
    return Image.blend(picture, fine, 0.4)


def cut(picture: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    width, height = picture.size
    return picture.crop(
        (round(left * width), round(top * height), round((1 - right) * width), round((1 - bottom) * height))
    )


def square(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB").resize((64, 64), Image.Resampling.BILINEAR))


MADE = {
    "mirrored": ImageOps.mirror,
    "turned by 90° clockwise": lambda p: p.transpose(Image.Transpose.ROTATE_270),
    "turned by 90° anticlockwise": lambda p: p.transpose(Image.Transpose.ROTATE_90),
    "turned by 180°": lambda p: p.transpose(Image.Transpose.ROTATE_180),
    "cut by 6% at each side": lambda p: cut(p, 0.06, 0.06, 0.06, 0.06),
    "cut by 12% at each side": lambda p: cut(p, 0.12, 0.12, 0.12, 0.12),
    "cut by 12% at the top": lambda p: cut(p, 0, 0.12, 0, 0),
    "cut by 12% at the left and the top": lambda p: cut(p, 0.12, 0.12, 0, 0),
}  # fmt: skip


@pytest.mark.parametrize("how", MADE)
def test_what_was_done_to_a_picture_is_found_and_said(how):
    count = 6
    pictures = [scene(seed) for seed in range(count)]
    made = [square(MADE[how](picture)) for picture in pictures]
    pixels = np.stack([*map(square, pictures), *made])
    hashes = list(map(perceptual_hash, pixels))
    assert all(bin(hashes[i] ^ hashes[count + i]).count("1") > 4 for i in range(count)), "the hash alone sees it"
    found = versions.find(pixels, np.arange(2 * count))
    assert sorted(sorted((pair.one, pair.other)) for pair in found) == [[i, count + i] for i in range(count)]
    # What is turned by 90° one way is the other by 90° the other way.
    there = {pair.how for pair in found if pair.one < pair.other}
    assert there <= {how} and len(there) <= 1
    assert all(pair.likeness > 0.97 for pair in found)


@pytest.mark.parametrize("colour", ["white", (90, 60, 20)])
def test_a_frame_is_seen_through(colour):
    pictures = [scene(seed) for seed in range(6)]
    framed = [square(ImageOps.expand(picture, 30, colour)) for picture in pictures]
    pixels = np.stack([*map(square, pictures), *framed])
    found = {(pair.one, pair.other) for pair in versions.find(pixels, np.arange(12))}
    assert {tuple(sorted(pair)) for pair in found} == {(i, 6 + i) for i in range(6)}


def test_other_pictures_and_those_that_show_nothing_are_versions_of_none():
    pixels = np.stack([square(scene(seed)) for seed in range(60)])
    assert versions.find(pixels, np.arange(60)) == []
    flat = np.stack([np.full((64, 64, 3), value, np.uint8) for value in (0, 1, 255, 254)])
    assert versions.find(flat, np.arange(4)) == []
    assert versions.find(flat, np.zeros(0, int)) == []


def test_only_the_rows_that_are_meant_are_compared():
    one = scene(0)
    pixels = np.stack([square(one), square(scene(1)), square(ImageOps.mirror(one))])
    assert versions.find(pixels, np.array([0, 1])) == []
    (pair,) = versions.find(pixels, np.array([2, 0]))
    assert {pair.one, pair.other} == {0, 1} and pair.how == "mirrored"


def test_the_hash_of_a_whole_version_is_nearly_that_of_the_picture():
    pixels = np.stack([square(scene(seed)) for seed in range(8)])
    hashes = versions._looked_at(pixels, np.arange(8), lambda done, all: None)[0][:, 0]
    for ours, theirs in zip(hashes, map(perceptual_hash, pixels), strict=True):
        assert bin(int(ours) ^ theirs).count("1") <= 4

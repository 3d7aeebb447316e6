"""Pictures turned by a few degrees are found, and others that look nearly so are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from keras_art.pictures import askew
from keras_art.pictures.lookalikes import NEAR, perceptual_hash

BICUBIC = Image.Resampling.BICUBIC


def scene(seed: int) -> Image.Image:
    """A picture with large and small shapes, unlike every other."""
    rng = np.random.default_rng(seed)
    parts = [Image.fromarray(rng.integers(0, 256, (n, n, 3), np.uint8)).resize((240, 300), BICUBIC) for n in (5, 22)]
    return Image.blend(*parts, 0.4)


def found(pictures: list[Image.Image]) -> tuple[list, np.ndarray]:
    """What is found among pictures saved as JPEG, and their hashes."""
    squares = []
    for picture in pictures:
        kept = io.BytesIO()
        picture.save(kept, "JPEG", quality=85)
        squares.append(np.asarray(Image.open(kept).resize((64, 64), Image.Resampling.BILINEAR)))
    hashes = np.array([perceptual_hash(square) for square in squares], np.uint64)
    return askew.find(np.stack(squares), np.arange(len(squares)), hashes), hashes


@pytest.mark.parametrize(
    ("degrees", "corners", "grown"), [(2, "black", False), (-2, "white", False), (3, "grey", False), (2, "white", True)]
)
def test_what_is_turned_by_a_few_degrees_is_found_and_said(degrees, corners, grown):
    count = 12
    pictures = [scene(seed) for seed in range(count)]
    turned = [picture.rotate(degrees, BICUBIC, expand=grown, fillcolor=corners) for picture in pictures]
    pairs, hashes = found([*pictures, *turned])
    seen = {i for i in range(count) if np.bitwise_count(hashes[i] ^ hashes[count + i]) <= NEAR}
    assert len(seen) < count / 2, "the hash alone sees it"
    assert {(pair.one + count, pair.other) for pair in pairs} <= {(pair.other, pair.other) for pair in pairs}
    assert len(seen | {pair.one for pair in pairs}) >= 0.75 * count
    way = "anticlockwise" if degrees > 0 else "clockwise"
    assert {pair.how for pair in pairs} == {f"turned by {abs(degrees)}° {way}"}
    assert all(pair.likeness >= askew.ALIKE for pair in pairs)


def test_one_outline_in_two_pictures_is_not_one_picture():
    """As two hats, or two squares, which are alike as they are and no more so when one of them is turned."""
    pictures = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        ground = Image.fromarray(rng.integers(180, 215, (9, 9, 3), np.uint8)).resize((240, 300), BICUBIC)
        left, top, right, bottom = np.array([60, 70, 180, 220]) + rng.integers(-4, 5, 4)
        ImageDraw.Draw(ground).rectangle((left, top, right, bottom), (10, 10, 10))
        pictures.append(ground)
    pairs, hashes = found(pictures)
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None])
    assert ((apart > NEAR) & (apart <= askew.NEAR)).sum() > 4, "their hashes alone tell them apart"
    assert pairs == []


def test_what_is_cut_what_shows_nothing_and_none_are_not_turned():
    whole = [scene(seed) for seed in range(6)]
    assert found([*whole, *(picture.crop((7, 9, 233, 291)) for picture in whole)])[0] == []
    flat = np.stack([np.full((64, 64, 3), value, np.uint8) for value in (0, 1, 254)])
    assert askew.find(flat, np.arange(3), np.arange(3, dtype=np.uint64)) == []
    assert askew.find(flat, np.zeros(0, int), np.zeros(0, np.uint64)) == []

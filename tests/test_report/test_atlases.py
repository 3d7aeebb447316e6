"""Many small pictures on a few large ones."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from keras_art.pictures.images import RESIZE
from keras_art.report import atlases


def colour(i):
    return np.array([i % 7 * 40, i % 5 * 60, i % 3 * 120], np.uint8)


def picture(i):
    return np.full((8 + i % 9, 16 - i % 5, 3), colour(i), np.uint8)


def test_every_picture_stands_where_it_is_said_to(monkeypatch):
    monkeypatch.setattr(atlases, "PAGE", 64)
    order, told = np.random.default_rng(0).permutation(40), []
    made = atlases.drawn(40, picture, 16, order, lambda *counts: told.append(counts))
    assert (made.across, len(made.pages), told) == (4, 3, [(16, 40), (32, 40), (40, 40)])
    assert made.slots[order].tolist() == list(range(40))
    for i in range(40):
        page, place = divmod(int(made.slots[i]), 16)
        with Image.open(io.BytesIO(made.pages[page])) as sheet:
            assert (sheet.format, sheet.width) == ("WEBP", 64)
            left, top = place % 4 * 16, place // 4 * 16
            wide, tall = made.boxes[i]
            assert (tall, wide) == picture(i).shape[:2]
            middle = np.asarray(sheet.convert("RGB"))[top + tall // 2, left + wide // 2]
        assert np.abs(middle.astype(int) - colour(i)).max() < 25


@pytest.mark.parametrize("count", [1, 1254, 8443, 100_000, 10**6])
def test_however_many_a_browser_can_hold_them(count):
    side = atlases.side_for(count)
    assert 16 <= side <= 255
    assert count * side**2 <= atlases.MOST_PIXELS or side == 16


@pytest.mark.parametrize("size", [(30, 20), (20, 30), (1, 90), (25, 25)])
def test_a_picture_without_its_padding_has_its_own_proportions(size):
    padded = RESIZE["pad"](Image.new("RGB", size, (200, 10, 10)), 24)
    cut = atlases.unpadded(np.asarray(padded), *size)
    assert max(cut.shape) == 24 and (cut == (200, 10, 10)).all()
    assert cut.shape[1] / cut.shape[0] == pytest.approx(size[0] / size[1], rel=0.1) or 1 in cut.shape[:2]

"""Colours that colour-blind people can tell apart."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from keras_art.report import palette

# How eyes without one kind of cone see linear RGB (Machado, Oliveira, Fernandes 2009, severity 1).
EYES = {
    "usual": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour: str, eye: np.ndarray) -> np.ndarray:
    """A colour in CIELAB as an eye sees it."""
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(np.array(eye) @ linear, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eye", EYES)
def test_any_two_colours_stay_apart(eye):
    seen = {colour: lab(colour, EYES[eye]) for colour in palette.COLOURS}
    assert len(seen) == 10
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 15, (one, other)


def test_networks_and_others_take_theirs_from_the_ten():
    named = {*palette.NETWORKS.values(), palette.SCRATCH, *palette.OTHERS}
    assert named == set(palette.COLOURS)


def test_no_figure_has_colours_of_its_own():
    root = Path(palette.__file__).parents[2]
    for path in [*root.glob("keras_art/report/*figures.py"), *root.glob("reproductions/**/*.py")]:
        found = re.findall(r'"(#[0-9A-Fa-f]{6}|C\d|tab10)"', path.read_text(encoding="utf-8"))
        assert not found, path

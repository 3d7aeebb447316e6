"""The page that compares classifiers."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from keras_art.report import pages

DIFFERENCES = pd.DataFrame(
    {
        "class": ["a", "b"], "support": [3, 4], "difference": [0.1, -0.2], "lower": [0.05, -0.5], "upper": [0.15, 0.1],
        "n": [3, 3], "beyond_noise": [True, False],
    }
)  # fmt: skip


def test_a_page_is_one_file_with_its_pictures_inside(tmp_path):
    page = pages.Page("Styles & artists")
    page.heading("Scores <here>")
    page.text("a < b")
    page.table(pd.DataFrame({"model": ["x"], "accuracy": [0.5]}))
    page.figure(pages.differences(DIFFERENCES, "one - other"), "per class")
    page.save(tmp_path / "figures" / "page.html")
    text = (tmp_path / "figures" / "page.html").read_text()
    assert "Styles &amp; artists" in text
    assert "<h2>Scores &lt;here&gt;</h2>" in text
    assert "<p>a &lt; b</p>" in text
    assert ">0.50</td>" in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    picture = re.search(r"data:image/png;base64,([^\"]+)", text)[1]
    assert Image.open(io.BytesIO(base64.b64decode(picture))).format == "PNG"


def test_only_differences_beyond_the_noise_are_filled():
    axes = pages.differences(DIFFERENCES, "one - other").axes[0]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    filled = {int(dot.get_ydata()[0]): dot.get_markerfacecolor() != "white" for dot in dots}
    assert filled == {0: False, 1: True}  # b below, a above
    assert [text.get_text() for text in axes.get_yticklabels()] == ["b  4", "a  3"]


def test_a_scatter_gives_the_frequent_names_a_colour_and_the_rest_grey():
    names = [f"n{i % 13}" for i in range(130)] + ["n0", ""]
    axes = pages.scatter(np.random.default_rng(0).normal(size=(132, 2)), names, "shared layer").axes[0]
    labels = [each.get_label() for each in axes.collections]
    assert labels[0] == "others (31)"
    assert labels[1] == "n0 (11)"
    assert len(labels) == 11


def test_a_scatter_needs_a_name_for_each_point():
    with pytest.raises(ValueError, match="as many names"):
        pages.scatter(np.zeros((3, 2)), ["a"], "x")


def test_matrices_share_one_symmetric_scale():
    named = {"a": np.diag([1.0, -4.0]), "b": np.diag([2.0, 0.0])}
    figure = pages.matrices(named, "Gram")
    limits = {image.get_clim() for axes in figure.axes for image in axes.images if image.get_array().shape == (2, 2)}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low == -high
    with pytest.raises(ValueError, match="no matrices"):
        pages.matrices({}, "Gram")

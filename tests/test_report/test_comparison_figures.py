"""Figures that compare classifiers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from keras_art.report import comparison_figures, palette

DIFFERENCES = pd.DataFrame(
    {
        "class": ["a", "b"], "support": [3, 4], "difference": [0.1, -0.2], "lower": [0.05, -0.5], "upper": [0.15, 0.1],
        "n": [3, 3], "beyond_noise": [True, False],
    }
)  # fmt: skip


def test_only_differences_beyond_the_noise_are_filled():
    axes = comparison_figures.differences(DIFFERENCES, "one - other").axes[0]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    filled = [dot.get_markerfacecolor() != "white" for dot in sorted(dots, key=lambda dot: dot.get_ydata()[0])]
    assert filled == [False, True]  # b below, a above
    assert [text.get_text() for text in axes.get_yticklabels()] == ["b  4", "a  3"]


def test_a_difference_of_nothing_is_no_loss_and_an_interval_that_is_cut_ends_in_an_arrow():
    frame = DIFFERENCES.assign(difference=[0.0, -0.2], lower=[-0.1, -1.7], upper=[0.1, 1.2])
    axes = comparison_figures.differences(frame, "one - other").axes[0]
    dots = sorted((line for line in axes.lines if line.get_marker() == "o"), key=lambda dot: dot.get_ydata()[0])
    assert [dot.get_color() for dot in dots] == [palette.LESS, "0.4"]
    arrows = {line.get_marker(): line.get_xdata()[0] for line in axes.lines if line.get_marker() in "<>"}
    assert arrows == {"<": -1, ">": 1} and "an arrow" in axes.get_xlabel()


def test_the_names_of_classes_are_whole():
    name = "Circle of an unknown master of the northern provinces, attributed"
    axes = comparison_figures.differences(DIFFERENCES.assign(**{"class": [name, "b"]}), "x").axes[0]
    assert axes.get_yticklabels()[1].get_text().replace("\n", " ") == f"{name}  3"


def test_a_scatter_gives_the_frequent_names_a_colour_and_the_rest_grey():
    names = [f"n{i % 13}" for i in range(130)] + ["n0", ""]
    axes = comparison_figures.scatter(np.random.default_rng(0).normal(size=(132, 2)), names, "shared layer").axes[0]
    labels = [each.get_label() for each in axes.collections]
    assert labels[0] == "others (31)"
    assert labels[1] == "n0 (11)"
    assert len(labels) == 11


def test_a_scatter_needs_a_name_for_each_point():
    with pytest.raises(ValueError, match="as many names"):
        comparison_figures.scatter(np.zeros((3, 2)), ["a"], "x")


def test_matrices_share_one_symmetric_scale():
    named = {"a": np.diag([1.0, -4.0]), "b": np.diag([2.0, 0.0])}
    figure = comparison_figures.matrices(named, "Gram", "less or more")
    limits = {image.get_clim() for axes in figure.axes for image in axes.images if image.get_array().shape == (2, 2)}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low == -high
    with pytest.raises(ValueError, match="no matrices"):
        comparison_figures.matrices({}, "Gram", "less or more")

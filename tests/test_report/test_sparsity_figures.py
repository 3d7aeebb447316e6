from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from keras_art.report import figures, sparsity_figures


def line(rate=0.2, stages=5, std=None):
    pruned = 1 - (1 - rate) ** np.arange(stages)
    table = pd.DataFrame({"pruned": pruned, "accuracy": 50 + np.arange(stages)})
    return table if std is None else table.assign(std=std)


def test_stages_of_a_fifth_stand_at_equal_distances_and_other_rates_where_they_belong():
    panel = sparsity_figures.Panel("ours", {"ticket": line(), "cifar10": line(0.5)})
    axes = sparsity_figures.sparsity_curves([panel]).axes[0]
    ticket, cifar = (next(found for found in axes.lines if found.get_label() == name) for name in ("ticket", "cifar10"))
    np.testing.assert_allclose(ticket.get_xdata(), range(5), atol=1e-9)
    np.testing.assert_allclose(np.diff(cifar.get_xdata()), np.log(0.5) / np.log(0.8))
    np.testing.assert_array_equal(ticket.get_ydata(), 50 + np.arange(5))


def test_the_axis_names_fractions_pruned():
    axes = sparsity_figures.sparsity_curves([sparsity_figures.Panel("ours", {"ticket": line(stages=31)})]).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()][:3] == ["0", "50", "75"]
    assert [text.get_text() for text in axes.get_xticklabels()][-1] == "99.8"


def test_a_band_of_one_standard_deviation_is_drawn_where_there_is_one():
    panel = sparsity_figures.Panel("ours", {"ticket": line(std=2.0), "random_mask": line()}, scratch=(48.0, 1.0))
    axes = sparsity_figures.sparsity_curves([panel]).axes[0]
    (band,) = axes.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (48.0, 56.0)


def test_published_lines_stand_paler_behind_ours_in_the_same_colour():
    panel = sparsity_figures.Panel("ours", {"cifar10": line()}, paper={"cifar10": line()}, paper_title="Artist (1)")
    axes = sparsity_figures.sparsity_curves([panel]).axes[0]
    published, ours = axes.lines[0], next(found for found in axes.lines if found.get_label() == "cifar10")
    assert published.get_color() == ours.get_color() and published.get_alpha() < 1
    assert "paper, Artist (1)" in [text.get_text() for text in axes.get_legend().get_texts()]


def test_published_lines_end_where_ours_do():
    panel = sparsity_figures.Panel(
        "ours", {"cifar10": line(stages=11)}, paper={"cifar10": line(stages=31)}, paper_title="paper"
    )
    assert len(sparsity_figures.sparsity_curves([panel]).axes[0].lines[0].get_xdata()) == 11


def test_a_line_has_the_colour_asked_for_and_others_one_of_their_own():
    panel = sparsity_figures.Panel("ours", {"one": line(), "two": line(), "three": line()})
    axes = sparsity_figures.sparsity_curves([panel], {"two": "#123456"}).axes[0]
    colours = {found.get_label(): found.get_color() for found in axes.lines}
    assert colours["two"] == "#123456" and len(set(colours.values())) == 3


def test_nothing_to_draw_is_said():
    with pytest.raises(ValueError, match="finish at least one run"):
        sparsity_figures.sparsity_curves([sparsity_figures.Panel("empty", {})])


def test_a_layer_without_weights_is_red_in_the_map(tmp_path):
    figure = sparsity_figures.survival_map({"one/kernel": [1, 0.5, 0.1], "two/kernel": [1, 0.01, 0]})
    image = figure.axes[0].images[0]
    assert image.get_array().mask.tolist() == [[False] * 3, [False, False, True]]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["one", "two"]
    figures.save(figure, tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 1000

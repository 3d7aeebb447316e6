"""The authors' own series, as the reproductions read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reproductions.sabatelli2018.figures import published_curves
from reproductions.sabatelli2021.figures import published_panel

PUBLISHED = Path(__file__).parents[2] / "reproductions" / "published"


def test_a_padded_tail_is_cut(tmp_path):
    path = tmp_path / "eccv_rijksmuseum_type_challenge_full_fine_tuning.csv"
    rows = ["0,0.1,0.1,0.1", "1,0.2,0.2,0.1", "2,0.3,0.3,0.2", "3,0.3,0.25,0.3", "4,0.3,0.3,0.4", "5,0.3,0.25,0.5"]
    path.write_text("\n".join(["epochs,V3,ResNet,ScratchV3", *rows]))
    curves = published_curves(path)
    assert list(curves) == ["network", "mode", "epoch", "val_accuracy"]
    accuracy = {key: list(table["val_accuracy"]) for key, table in curves.groupby(["network", "mode"])}
    assert accuracy == {
        ("InceptionV3", "fine_tuning"): [0.1, 0.2, 0.3],  # constant to the end
        ("ResNet50", "fine_tuning"): [0.1, 0.2, 0.3, 0.25],  # two values in turns to the end
        ("InceptionV3", "scratch"): [0.1, 0.1, 0.2, 0.3, 0.4, 0.5],  # a repeated value before new ones stays
    }


def test_the_published_files_end_where_their_training_did():
    curves = published_curves(PUBLISHED / "eccv_rijksmuseum_artist_challenge_full_fine_tuning.csv")
    last = curves.groupby(["network", "mode"])["epoch"].max()
    assert last["InceptionV3", "scratch"] == 19
    assert last["ResNet50", "fine_tuning"] == 11
    assert last["Xception", "fine_tuning"] == 38
    softmax = published_curves(PUBLISHED / "eccv_rijksmuseum_type_challenge_only_softmax.csv")
    assert set(softmax["mode"]) == {"off_the_shelf"}
    assert set(softmax["network"]) == {"InceptionV3", "ResNet50", "VGG19", "Xception"}


def test_a_file_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="RijksNet_softmax is none of V3, ResNet"):
        published_curves(PUBLISHED / "eccv_transductive_transfer_learning_antwerpen_artist.csv")


@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("lth_*.csv")), ids=lambda path: path.stem)
def test_every_published_series_is_a_panel_of_31_stages(path):
    panel = published_panel(path, "title")
    assert panel.lines and panel.scratch is not None and 0 < panel.scratch[0] < 100
    for table in panel.lines.values():
        assert len(table) == 31 and table["accuracy"].between(0, 100).all()
        np.testing.assert_allclose(table["pruned"], 1 - 0.8 ** np.arange(31), atol=1e-5)


def test_the_standard_deviations_of_figure_5_belong_to_their_lines():
    panel = published_panel(PUBLISHED / "lth_cifar10_example.csv", "")
    assert set(panel.lines) == {"ticket", "random_mask"} and all("std" in table for table in panel.lines.values())

"""Reports and comparisons of classifiers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from keras_art.data.labels import Labels
from keras_art.report import evaluation
from keras_art.writing import distinct

LABELS = Labels({"style": ["a", "b"], "artist": ["x", "y", "z"]}, np.array([[0, 2], [1, -1], [1, 0]]), {})
FOUND = {
    "style": np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]),
    "artist": np.array([[0.1, 0.1, 0.8], [0.9, 0.05, 0.05], [0.2, 0.7, 0.1]]),
}


def test_a_report_scores_each_task_on_the_images_that_have_its_label(tmp_path):
    measured = evaluation.report(tmp_path, ["i", "j", "k"], LABELS, FOUND)
    assert measured["test_style_accuracy"] == pytest.approx(2 / 3)
    assert measured["test_style_n"] == 3
    assert measured["test_artist_accuracy"] == 0.5
    assert measured["test_artist_n"] == 2
    assert measured["test_artist_loss"] == pytest.approx(-(math.log(0.8) + math.log(0.2)) / 2)
    f1 = [2 / 3, 2 / 3]  # a: 1 right of 2 predicted and 1 present; b: 1 right of 1 predicted and 2 present
    assert measured["test_style_macro_f1"] == pytest.approx(np.mean(f1))
    assert measured["test_style_weighted_f1"] == pytest.approx((f1[0] * 1 + f1[1] * 2) / 3)
    table = pd.read_csv(tmp_path / "predictions_artist.csv", keep_default_na=False)
    assert table["label"].tolist() == ["z", "", "x"]
    assert table["predicted"].tolist() == ["z", "x", "y"]
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}_{task}.{kind}"
        for name, kind in (("predictions", "csv"), ("per_class", "csv"), ("confusion", "png"))
        for task in ("style", "artist")
    }


def test_tasks_whose_files_would_have_one_name_keep_their_own(tmp_path):
    tasks = ("type/genre", "type genre")
    labels = Labels({task: ["a", "b"] for task in tasks}, np.array([[0, 1], [1, 0], [1, 0]]), {})
    evaluation.report(tmp_path, ["i", "j", "k"], labels, {task: FOUND["style"] for task in tasks})
    words = distinct(tasks)
    assert words == {"type/genre": "type_genre", "type genre": "type_genre_2"}
    told = [pd.read_csv(tmp_path / f"predictions_{words[task]}.csv")["label"].tolist() for task in tasks]
    assert told == [["a", "b", "b"], ["b", "a", "a"]]
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_paired_differences_go_by_the_t_interval():
    found = evaluation.paired([1.0, 2.0, 3.0], [2.0, 3.5, 4.5])
    differences = np.array([1.0, 1.5, 1.5])
    half = 4.302653 * differences.std(ddof=1) / math.sqrt(3)
    assert found["difference"] == pytest.approx(4 / 3)
    assert (found["lower"], found["upper"]) == (
        pytest.approx(4 / 3 - half, rel=1e-5),
        pytest.approx(4 / 3 + half, rel=1e-5),
    )
    assert found["beyond_noise"]
    assert not evaluation.paired([1.0, 2.0, 3.0], [2.0, 1.0, 4.0])["beyond_noise"]


def test_one_pair_is_never_beyond_the_noise():
    found = evaluation.paired([0.1], [0.9])
    assert found["n"] == 1
    assert math.isnan(found["std"])
    assert not found["beyond_noise"]


def test_class_differences_pair_the_seeds_both_have():
    def table(a, b):
        return pd.DataFrame({"class": ["a", "b"], "support": [3, 4], "f1": [a, b]})

    base = {0: table(0.5, 0.5), 1: table(0.6, 0.5), 7: table(0.0, 0.0)}
    other = {1: table(0.7, 0.4), 0: table(0.6, np.nan)}
    found = evaluation.per_class_differences(base, other)
    assert found["class"].tolist() == ["a", "b"]
    assert found["difference"].tolist() == pytest.approx([0.1, -0.1])
    assert found["n"].tolist() == [2, 1]
    assert found["beyond_noise"].tolist() == [True, False]


def test_class_differences_without_a_common_seed_say_so():
    table = pd.DataFrame({"class": ["a"], "support": [1], "f1": [1.0]})
    with pytest.raises(ValueError, match="--seeds"):
        evaluation.per_class_differences({0: table}, {1: table})

"""Several label columns of the same images, with gaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import told

from keras_art.data import labels, splits, tasks
from keras_art.data.sources import BadCollection, Collection
from keras_art.store import runs


def collection(rows):
    table = pd.DataFrame(rows, columns=["id", "style", "artist"]).assign(path="x", object="", split="", bytes=1)
    quarantine = pd.DataFrame(columns=["id", "path", "reason"])
    return Collection("museum", table.drop(columns=["style", "artist"]), table[["style", "artist"]], quarantine)


def cut(given, styles):
    """A task of these splits, as it would be kept."""
    images = pd.DataFrame({"id": [str(i) for i in range(len(given))], "split": given})
    return splits.Task("museum-00000000", ("style",), images, pd.DataFrame({"style": styles}), Path(), [], {})


def many(gap=(), count=40):
    """Images of two styles by four artists; the ids in `gap` have no style."""
    rows = []
    for i in range(count):
        style = "" if i in gap else ("warm", "cold")[i % 2]
        rows.append([f"{i:02d}", style, f"artist {i % 4}"])
    return collection(rows)


def test_images_with_a_label_in_any_column_stay():
    chosen = labels.choose_columns(many(gap=(3, 5)), ["style", "artist"])
    assert len(chosen.images) == 40
    assert chosen.targets == ("style", "artist")
    assert len(labels.choose_columns(many(gap=(3, 5)), ["style"]).images) == 38


def test_a_missing_label_is_minus_one_and_the_others_of_its_image_are_not():
    chosen = labels.choose_columns(many(gap=(3, 5), count=99), ["style", "artist"])
    task = splits.split(chosen, [True] * 99)
    found = labels.read_labels(task, ["style", "artist"])
    place = task.images["id"].tolist().index("03")
    assert found.index[place].tolist() == [labels.MISSING, 3]
    assert found.classes == {"style": ["cold", "warm"], "artist": [f"artist {i}" for i in range(4)]}
    assert (found.column("style") >= 0).sum() == 97


def test_the_split_is_stratified_by_the_first_column():
    task = splits.split(labels.choose_columns(many(), ["style", "artist"]), [True] * 40)
    test = told(task)[task.images["split"] == "test"]
    assert test["style"].value_counts().to_dict() == {"warm": 2, "cold": 2}


def test_a_class_of_test_that_train_lacks_is_masked_and_counted():
    task = cut(["train", "val", "test"] * 3, ["a"] * 3 + ["b"] * 3 + ["a", "a", "new"])
    found = labels.read_labels(task, ["style"])
    assert found.classes == {"style": ["a", "b"]}
    assert found.left_out == {"style": {"new": 1}}
    assert found.index[-1, 0] == labels.MISSING


def test_small_classes_count_as_missing_labels():
    rows = [[f"{i:02d}", "rare" if i < 2 else ("warm", "cold")[i % 2], f"artist {i % 4}"] for i in range(40)]
    chosen = labels.choose_columns(collection(rows), ["style", "artist"], min_images=3)
    assert "rare" not in set(chosen.columns["style"])
    assert len(chosen.images) == 40


def test_too_few_classes_of_the_minimum_name_the_flag():
    with pytest.raises(BadCollection, match=r"0 classes of 'style' with at least 30 images.*warm 20.*--min_images"):
        labels.choose_columns(many(), ["style", "artist"], min_images=30)


def test_an_absent_column_names_the_nearest():
    with pytest.raises(BadCollection, match=r"no label column 'styel'.*did you mean 'style'"):
        labels.choose_columns(many(), ["styel", "artist"])


def test_one_class_in_all_splits_is_an_error():
    task = cut(["train", "val", "test", "train"], ["a", "a", "a", "b"])
    with pytest.raises(BadCollection, match="1 class of 'style' in all of train"):
        labels.read_labels(task, ["style"])


def test_another_artist_makes_another_digest():
    one, two = many(), many()
    two.columns.loc[0, "artist"] = "artist 1"
    keys = {labels.choose_columns(each, ["style", "artist"]).key for each in (one, two)}
    assert len(keys) == 2


def test_each_column_has_a_leak_report_of_its_own(tmp_path):
    task = splits.split(labels.choose_columns(many(), ["style", "artist"]), [True] * 40)
    ready = tasks.Ready(task, np.zeros((40, 8, 8, 3), np.uint8), np.arange(40), [str(i) for i in range(40)])
    store = runs.Store(tmp_path)
    (tmp_path / "collections" / task.key).mkdir(parents=True)
    labels.prepare(store, ready, ["style", "artist"])
    found = labels.facts(store, task.key)
    assert found["style"]["leaks"]["artist_rule"] == 1.0  # an artist paints in one style here
    assert "artist_rule" not in found["artist"]["leaks"]
    assert "the artist's majority label 100.0%" in labels.describe(store, task.key)

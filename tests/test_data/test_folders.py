"""A collection from folders: which of them are splits, which classes, which neither."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import paint, told, write_csv

from keras_art.data.choices import choose
from keras_art.data.collection import split_of
from keras_art.data.sources import BadCollection, load_collection
from keras_art.data.splits import lacking, not_in, split


def tree(folder: Path, *names: str) -> Path:
    """Class folders a and b in each of some folders."""
    for i, name in enumerate(names):
        for label in "ab":
            paint(folder / name / label / "1.png", label, i)
    return folder


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["train", "val", "test"], ["train", "val", "test"]),
        (["training_set", "validation_set"], ["train", "val"]),
        (["Training Set", "Test Set"], ["train", "test"]),
        (["train_images", "val_images", "test_images"], ["train", "val", "test"]),
        (["images-train", "images-dev"], ["train", "val"]),
        (["train2017", "val2017", "test2017"], ["train", "val", "test"]),
        (["TrainSet", "TestSet"], ["train", "test"]),
        (["traindata", "testdata"], ["train", "test"]),
        (["TRAINING", "VALID", "TESTING"], ["train", "val", "test"]),
        (["train", "development", "test"], ["train", "val", "test"]),
        (["dataset_train", "dataset_test"], ["train", "test"]),
        (["1_train", "2_test"], ["train", "test"]),
    ],
)
def test_folders_that_are_splits_are_no_classes(tmp_path, names, splits):
    found = told(load_collection(tree(tmp_path, *names)))
    assert set(found["label"]) == {"a", "b"}
    assert {id_.partition("/")[0]: part for id_, part in zip(found["id"], found["split"], strict=True)} == dict(
        zip(names, splits, strict=True)
    )


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (["train", "val", "test_standardized"], "test_standardized is none of train, val, test: rename it, to test"),
        (["training_set", "test (old)"], r"test \(old\) is none"),
        (["train_raw", "test"], "train_raw is none"),
        (["train", "test", "validation_resized"], "validation_resized is none"),
    ],
)
def test_a_folder_that_speaks_of_a_split_that_is_nowhere_else_is_asked_about(tmp_path, names, named):
    with pytest.raises(BadCollection, match=f"the folder {named}"):
        load_collection(tree(tmp_path, *names))


def test_a_second_version_of_a_split_is_left_out_and_named(tmp_path):
    found = load_collection(tree(tmp_path, "train", "test", "test_standardized"))
    assert set(found.images["split"]) == {"train", "test"}
    assert set(found.quarantine["reason"]) == {"stands outside test, train"} and len(found.quarantine) == 2


@pytest.mark.parametrize("names", [["train", "car"], ["train_station", "test_tube"], ["setting", "tested"]])
def test_folders_that_are_no_splits_are_classes(tmp_path, names):
    for name in names:
        paint(tmp_path / name / "1.png", "a")
    assert set(load_collection(tmp_path).columns["label"]) == set(names)


@pytest.mark.parametrize(
    "text", ["", "standard", "test_standardized", "trainer", "attest", "train_test", "2017", "set"]
)
def test_other_words_are_no_split(text):
    assert split_of(text) == ""


def test_a_split_without_a_test_set_asks(tmp_path):
    with pytest.raises(BadCollection, match=r"no whole split of its own \(train 2, val 2\)"):
        choose(load_collection(tree(tmp_path, "training_set", "validation_set")), None)


# --- wrappers and deeper folders


@pytest.mark.parametrize("wrapper", ["dataset", "dataset/dataset_updated", "x/y/z"])
def test_a_folder_that_holds_the_collection_alone_is_looked_into_and_named(tmp_path, wrapper, capsys):
    tree(tmp_path / "art" / wrapper, "train", "test")
    found = load_collection(tmp_path / "art")
    assert found.name == "art" and set(found.images["split"]) == {"train", "test"}
    assert f"holds the folder {wrapper.partition('/')[0]} alone" in capsys.readouterr().err


def test_a_wrapped_table_is_found(tmp_path):
    paint(tmp_path / "in" / "museum" / "1.png", "a")
    write_csv(tmp_path / "in" / "museum" / "labels.csv", [["file", "artist"], ["1.png", "x"]])
    assert load_collection(tmp_path / "in").targets == ["artist"]


def test_one_class_folder_is_a_class_and_a_link_back_ends(tmp_path):
    paint(tmp_path / "one" / "monet" / "1.png", "a")
    assert set(load_collection(tmp_path / "one").columns["label"]) == {"monet"}
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "back").symlink_to(tmp_path / "two")
    with pytest.raises(BadCollection, match="no class folders"):
        load_collection(tmp_path / "two")


def test_deeper_folders_are_said_to_be_no_labels(tmp_path, capsys):
    paint(tmp_path / "monet" / "1890s" / "1.png", "a")
    paint(tmp_path / "dürer" / "1.png", "b")
    assert set(load_collection(tmp_path).columns["label"]) == {"monet", "dürer"}
    assert "what is below it, such as '1890s', no label" in capsys.readouterr().err


@pytest.mark.parametrize(("table", "said"), [("Objecten.xlsx", True), ("notes.txt", False)])
def test_a_table_that_stands_beside_class_folders_is_said_not_to_be_read(tmp_path, capsys, table, said):
    for label in "ab":
        paint(tmp_path / label / "1.png", label)
    (tmp_path / table).write_bytes(b"x")
    load_collection(tmp_path)
    assert (f"folders are its classes, {table} is not read" in capsys.readouterr().err) is said


# --- labels


def test_one_text_that_is_composed_or_not_is_one_class_and_blanks_around_it_do_not_count(tmp_path):
    for i, name in enumerate(["Dürer", "Du\u0308rer", "Dürer ", " Dürer"]):
        paint(tmp_path / name / f"{i}.png", "a", i)
    found = load_collection(tmp_path)
    assert set(found.columns["label"]) == {"Dürer"} and len(found.images) == 4
    assert all(os.path.isfile(path) for path in found.paths())


def test_classes_that_differ_in_case_alone_are_named(tmp_path, capsys):
    for name in ("Monet", "monet", "Dürer"):
        paint(tmp_path / name / "1.png", "a")
    choose(load_collection(tmp_path), None)
    assert "the classes 'Monet' and 'monet' differ in upper and lower case alone" in capsys.readouterr().err


# --- a split in a table


def table(folder: Path, said: list[str], column: str = "split") -> Path:
    for i in range(len(said)):
        paint(folder / f"{i}.png", "a", i)
    rows = [[f"{i}.png", "ab"[i % 2], text] for i, text in enumerate(said)]
    return write_csv(folder / "labels.csv", [["file", "artist", column], *rows])


@pytest.mark.parametrize(
    "said",
    [
        ["train", "val", "test", "train"],
        ["Train", "Validation", "Test", "TRAIN"],
        ["training", "dev", "testing", "training"],
        ["train_set", "valid_set", "test_set", "train_set"],
        ["training set", "development set", "test set", "train"],
        ["train ", " val", "test", "train"],
        ["train2017", "val2017", "test2017", "train2017"],
        ["train images", "val images", "test images", "train images"],
        ["Train-Data", "Val-Data", "Test-Data", "Train-Data"],
        ["trainset", "valset", "testset", "trainset"],
    ],
)
@pytest.mark.parametrize("column", ["split", "Set"])
def test_a_column_that_says_the_split_is_understood(tmp_path, said, column):
    found = load_collection(table(tmp_path, said, column))
    assert found.images["split"].tolist() == ["train", "val", "test", "train"] and found.targets == ["artist"]


@pytest.mark.parametrize(
    "odd", ["tset", "holdout", "unlabelled", "test_standardized", "0", "train/test", "?", "x1", "none", "ttrain"]
)
def test_one_word_that_is_no_split_is_named_and_the_split_not_dropped(tmp_path, odd):
    with pytest.raises(BadCollection, match=r"the column split gives the split, and says .* \(1 rows\), which is none"):
        load_collection(table(tmp_path, ["train", "val", "test", odd]))


def test_a_split_of_one_label_is_not_dropped_either(tmp_path):
    with pytest.raises(BadCollection, match="the column split_artist gives the split, and says 'tset'"):
        load_collection(table(tmp_path, ["train", "val", "test", "tset"], "split_artist"))


def test_two_columns_that_say_different_splits_are_refused(tmp_path):
    for i in range(3):
        paint(tmp_path / f"{i}.png", "a", i)
    rows = [["file", "artist", "split", "set"], ["0.png", "a", "train", "train"], ["1.png", "b", "val", "test"]]
    with pytest.raises(BadCollection, match="the columns split and set give two different splits"):
        load_collection(write_csv(tmp_path / "labels.csv", rows))


def test_images_of_a_table_in_split_folders_bring_their_split(tmp_path):
    rows = [["file", "artist"]]
    for i, name in enumerate(["train", "val", "test"]):
        paint(tmp_path / "images" / name / f"{i}.png", "a", i)
        rows.append([f"{i}.png", "x"])
    found = load_collection(write_csv(tmp_path / "labels.csv", rows))
    assert found.images["split"].tolist() == ["train", "val", "test"]


# --- classes that only some splits have


def test_a_class_that_a_given_split_lacks_is_said_with_the_split(tmp_path):
    for part in ("train", "val", "test"):
        for i in range(3):
            paint(tmp_path / part / "a" / f"{i}.png", "a", i)
    paint(tmp_path / "train" / "b" / "1.png", "b")
    choice = choose(load_collection(tmp_path), None)
    with pytest.raises(BadCollection, match="In the split that it brings, b not in val and test: add images there"):
        split(choice, [True] * len(choice.images))


def test_leaks_says_which_classes_a_split_lacks(tmp_path, capsys):
    from keras_art.commands import leaks

    tree(tmp_path, "train", "test")
    paint(tmp_path / "train" / "c" / "1.png", "c")
    assert leaks.main([str(tmp_path), "--images", "no"]) == 0
    assert "1 of the classes do not occur in every split: c not in test" in capsys.readouterr().out


def test_leaks_calls_classes_by_their_names_whatever_the_split(tmp_path, capsys):
    from keras_art.commands import leaks
    from keras_art.store.reading import read_csv

    for label, count in (("monet", 6), ("dürer", 6), ("rare", 1)):
        for i in range(count):
            paint(tmp_path / "in" / label / f"{i}.png", "a", i)
    assert leaks.main([str(tmp_path / "in"), "--images", "no", "--out", str(tmp_path / "splits.csv")]) == 0
    assert "1 of the classes do not occur in every split: rare not in val and test" in capsys.readouterr().out
    assert set(read_csv(tmp_path / "splits.csv")["label"]) == {"monet", "dürer", "rare"}


def test_what_is_lacking_is_counted_by_class():
    import pandas as pd

    absent = lacking(pd.Series(list("aabc")), pd.Series(["train", "test", "train", "val"]), ("train", "test"))
    assert absent == {"b": ["test"], "c": ["train", "test"]}
    assert not_in(absent, most=1) == "b not in test, ..."

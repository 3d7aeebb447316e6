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


# --- splits that do not stand in front


@pytest.mark.parametrize("how", ["folders", "table", "table of another place"])
@pytest.mark.parametrize(
    "path", ["{label}/{split}/{n}.png", "{label}/x/{split}/{n}.png", "{label}/{split}_set/y/{n}.png"]
)
def test_a_split_within_the_classes_is_respected(tmp_path, path, how):
    folder = tmp_path / "in" if how == "folders" else tmp_path / "images"
    names = [
        path.format(label=label, split=part, n=n) for label in "ab" for part in ("train", "dev", "test") for n in (1, 2)
    ]
    for i, name in enumerate(names):
        paint(folder / name, name[0], i)
    if how != "folders":
        rows = [["file", "kind"], *([f"images/{name}" if how == "table" else name, name[0]] for name in names)]
        write_csv(tmp_path / "labels.csv" if how == "table" else folder / "labels.csv", rows)
    found = load_collection(folder if how != "table" else tmp_path)
    assert found.images["split"].tolist() == [split_of(next(p for p in name.split("/") if split_of(p))) for name in
                                              sorted(found.images["path"])]  # fmt: skip
    assert set(found.images["split"]) == {"train", "val", "test"}


@pytest.mark.parametrize("name", ["trainval", "train_val", "train+val", "TrainVal images"])
def test_a_folder_of_two_splits_is_asked_about(tmp_path, name):
    with pytest.raises(BadCollection, match="is of more splits than one: part it, or rename it to train"):
        load_collection(tree(tmp_path, name, "test"))
    rows = [["file", "kind", "split"], ["test/a/1.png", "a", "test"], [f"{name}/a/1.png", "b", name]]
    with pytest.raises(BadCollection, match=r"the column split gives the split, and says .*none of train, val, test"):
        load_collection(write_csv(tmp_path / "t.csv", rows))


@pytest.mark.parametrize(
    ("column", "said", "splits", "told_"),
    [
        ("data_split", "train val test", {"train", "val", "test"}, "'data_split' gives the split"),
        ("Usage", "Training PublicTest_is_no_split Testing", {""}, ""),
        ("phase", "training testing testing", {"train", "test"}, "'phase' gives the split"),
        ("split", "0 1 2", {""}, "the column 'split' says '0', '1', '2', not train, val and test"),
        ("fold", "a b c", {""}, "the column 'fold' says 'a', 'b', 'c', not"),
        ("is_train", "1 0 1", {""}, "the column 'is_train' says '0', '1', not"),
        ("vehicle", "train car bus", {""}, ""),
        ("vehicle", "train train train", {""}, ""),
    ],
)
def test_a_split_that_is_not_called_so_is_taken_and_one_that_says_something_else_is_told(
    tmp_path, capsys, column, said, splits, told_
):
    for n in range(3):
        paint(tmp_path / f"{n}.png", "a", n)
    rows = [[f"{n}.png", "ab"[n % 2], word] for n, word in enumerate(said.split())]
    write_csv(tmp_path / "labels.csv", [["file", "kind", column], *rows])
    found = load_collection(tmp_path)
    assert set(found.images["split"]) == splits and (column in found.targets) == (splits == {""})
    assert told_ in (error := capsys.readouterr().err) and bool(told_) == bool(error)


# --- tables beside folders


@pytest.mark.parametrize("inner", ["a/{}.png", "x/{}/1.png", "train/{}/1.png"])
def test_a_table_beside_the_only_folder_is_the_collection(tmp_path, inner):
    for n in range(4):
        paint(tmp_path / "images" / inner.format(n), "a", n)
    write_csv(
        tmp_path / "labels.csv", [["file", "kind"], *([f"images/{inner.format(n)}", "xy"[n % 2]] for n in range(4))]
    )
    assert load_collection(tmp_path).targets == ["kind"]


@pytest.mark.parametrize("table", ["annotations.csv", "metadata.jsonl", "list.xls", "works.ods"])
@pytest.mark.parametrize("inner", ["{label}/1.png", "in/{label}/1.png", "{label}.png"])
def test_a_table_that_is_not_read_is_named_wherever_it_stands(tmp_path, capsys, table, inner):
    for n, label in enumerate("ab"):
        paint(tmp_path / inner.format(label=label), label, n)
    (tmp_path / table).write_bytes(b"x")
    assert len(load_collection(tmp_path).images) == 2
    assert f"{table} " in (said := capsys.readouterr().err) and "not read" in said and "name that instead" in said


@pytest.mark.parametrize(
    ("name", "said"), [("a.png", "is a picture: name its folder"), ("a.zip", "is an archive: unpack")]
)
def test_what_is_neither_folder_nor_table_is_called_what_it_is(tmp_path, name, said):
    paint(tmp_path / "a.png", "a")
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(BadCollection, match=said):
        load_collection(tmp_path / name)


def test_names_that_are_one_but_for_blanks_are_two_pictures(tmp_path):
    for n, name in enumerate((" a/1.png", "a/1.png", " 1.png", "b/1.png")):
        paint(tmp_path / name, "a", n)
    found = load_collection(tmp_path)
    assert found.columns["label"].tolist() == ["a", "a", "b"] and found.images["id"].is_unique


def test_a_link_to_a_class_folder_that_is_not_there_is_named(tmp_path):
    tree(tmp_path, ".")
    (tmp_path / "c").symlink_to(tmp_path / "unmounted")
    assert load_collection(tmp_path).quarantine[["id", "reason"]].values.tolist() == [
        ["c", "a link to what is not there"]
    ]

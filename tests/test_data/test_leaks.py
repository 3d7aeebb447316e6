from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from test_sources import REAL, needs_real_data
from test_splits import collection, cut

from keras_art.commands import leaks
from keras_art.data.choices import choose
from keras_art.data.leaks import leak_report, seen, told, unseen


def test_the_leak_report_agrees_with_counting_by_hand():
    # style, artist, split, file
    rows = [
        ("x", "A", "train", "1"),  # x 3 times in train: the majority
        ("x", "A", "train", "2"),
        ("y", "A", "train", "3"),  # A: twice x, once y -> x
        ("y", "B", "train", "4"),
        ("x", "C", "train", "5"),
        ("y", "B", "val", "6"),
        ("x", "D", "val", "6"),
        ("x", "A", "test", "7"),  # rule x, right; majority right
        ("x", "A", "test", "3"),  # rule x, right; majority right; the same file stands in train
        ("y", "B", "test", "6"),  # rule y, right; majority wrong; the same file stands in val
        ("y", "D", "test", "8"),  # D is not in train: majority x, wrong
        ("x", "anoniem", "test", "9"),  # nobody: majority x, right
    ]
    styles, artists, given, files = map(list, zip(*rows, strict=True))
    task = cut(choose(collection(styles, given, artist=artists), "style"))
    report = leak_report(
        task.images, "style", task.columns["artist"], sha256=files, alike=[int(file) % 7 for file in files]
    )
    assert report == {
        "near_duplicate": 4 / 5,  # 3 and 6, and 8 and 9, which look like 1 and 2
        "n_test": 5,
        "majority": 3 / 5,
        "majority_test": 3 / 5,
        "same_file": 2 / 5,
        "artist_in_train": 3 / 5,
        "artist_rule": 4 / 5,
    }


def test_the_largest_class_of_train_need_not_be_the_tests_own():
    given = ["train"] * 3 + ["val"] * 2 + ["test"] * 3
    task = cut(choose(collection(list("xxyxyyyx"), given), "style"))
    report = leak_report(task.images, "style")
    assert (report["majority"], report["majority_test"], report["n_test"]) == (1 / 3, 2 / 3, 3)
    words = told(report)
    assert (
        "without looking, of 3 test images: majority class of train 33.3% [6.1, 79.2], majority class of test" in words
    )
    assert "[" not in told({"majority": 0.5})  # a store of an earlier version does not know n


def test_test_images_that_train_or_val_has_are_counted():
    report = {"n_test": 24, "same_file": 4 / 24, "near_duplicate": 9 / 24}
    assert seen(report) == "train or val has the very file of 4 and a copy or look-alike of 9 of 24 test images"
    assert not unseen(report)
    assert seen(report | {"near_duplicate": 4 / 24}) == "train or val has the very file of 4 of 24 test images"
    assert seen({"n_test": 8, "same_file": 0.0, "same_object": 0.25}) == (
        "train or val has another view of the object of 2 of 8 test images"
    )
    assert seen({"same_file": 0.5}) == "train or val has the very file of 50.0% of test images"  # of an earlier version
    clean = {"n_test": 24, "same_file": 0.0, "near_duplicate": 0.0, "artist_in_train": 1.0}
    assert seen(clean) == "" and unseen(clean)
    assert not unseen({"n_test": 24}) and not unseen({})  # nobody has looked


def test_nobody_is_no_artist_who_stands_in_train():
    given = ["train", "val", "test"] * 2
    task = cut(choose(collection(list("xxxyyy"), given, artist=["anoniem"] * 6), "style"))
    report = leak_report(task.images, "style", task.columns["artist"])
    assert report["artist_in_train"] == 0
    assert report["artist_rule"] == report["majority"]


def test_a_tie_goes_to_the_first_class():
    styles, given = list("yyyxxx"), ["train", "val", "test"] * 2
    task = cut(choose(collection(styles, given, artist=["A"] * 6), "style"))
    test = task.images[task.images["split"] == "test"]
    report = leak_report(task.images, "style", task.columns["artist"])
    assert report["majority"] == report["artist_rule"] == np.mean(test["label"] == 0)


def test_without_artists_the_report_has_no_artist_rule():
    task = cut(choose(collection(["x", "y"] * 20), "style"))
    assert set(leak_report(task.images, "style", None, sha256=task.images["id"])) == {
        "n_test", "majority", "majority_test", "same_file",
    }  # fmt: skip


# --- the command


def test_the_command_prints_the_report_and_writes_the_split_with_its_digest(picture_csv, tmp_path, capsys):
    out = tmp_path / "splits.csv"
    words = [str(picture_csv), "--target", "style", "--store", str(tmp_path / "runs"), "--out", str(out)]
    assert leaks.main(words) == 0
    printed = capsys.readouterr().out
    assert "museum, style: 24 images in 2 classes, stratified split, seed 0: train 18, val 3, test 3" in printed
    assert hashlib.sha256(out.read_bytes()).hexdigest() in printed
    assert pd.read_csv(out)["split"].value_counts().to_dict() == {"train": 18, "val": 3, "test": 3}
    assert leaks.main(words) == 0
    assert capsys.readouterr().out == printed


def test_labels_can_be_reported_on_without_their_images(picture_csv, tmp_path, capsys):
    for path in (picture_csv / "images").iterdir():
        path.unlink()
    assert leaks.main([str(picture_csv), "--target", "style", "--images", "no"]) == 0
    printed = capsys.readouterr().out
    assert "their artist's majority label" in printed
    assert "look like" not in printed and "no column is called artist" not in printed


def test_a_collection_without_a_column_artist_is_said_to_have_none(tmp_path, capsys):
    table = pd.DataFrame(
        {"image": [f"{i}.png" for i in range(20)], "Kunstenaar": ["x", "y"] * 10, "style": ["a", "b"] * 10}
    )
    table.to_csv(tmp_path / "list.csv", index=False)
    assert leaks.main([str(tmp_path / "list.csv"), "--target", "style", "--images", "no"]) == 0
    assert "no column is called artist" in capsys.readouterr().out


def test_pictures_that_can_not_be_read_are_one_message(picture_csv, tmp_path, capsys):
    for path in (picture_csv / "images").iterdir():
        path.write_text("gone")
    assert leaks.main([str(picture_csv), "--target", "style", "--store", str(tmp_path / "runs")]) == 1
    assert "none of 24 pictures can be read; --images no" in capsys.readouterr().err


@needs_real_data
def test_style_nearly_follows_from_artist_in_paintings(tmp_path, capsys):
    assert leaks.main([str(REAL / "paintings"), "--target", "style", "--images", "no"]) == 0
    printed = capsys.readouterr().out
    assert "by a rule made from all of them: 88.28%)" in printed
    assert "by a rule made from all of them: 14.75%)" in printed


def test_objects_with_several_images_are_looked_for_on_both_sides():
    rows = collection(list("xyxyxyxy"), ["train", "train", "val", "val", "test", "test", "test", "test"])
    one = cut(choose(rows, "style"))
    assert "same_object" not in leak_report(one.images, "style")
    twice = one.images.assign(object=["A", "B", "C", "D", "A", "D", "E", "E"])
    assert leak_report(twice, "style")["same_object"] == 0.5


def test_the_column_of_artists_may_have_another_name(picture_csv, tmp_path, capsys):
    words = [str(picture_csv), "--target", "style", "--images", "no", "--split", "stratified"]
    assert leaks.main(words) == 0
    before = capsys.readouterr().out
    assert "are by an artist of train" in before
    table = (picture_csv / "labels.csv").read_text()
    (picture_csv / "labels.csv").write_text(table.replace("image,artist,style", "image,maker,style"))
    assert leaks.main(words) == 0
    assert "--artist names it" in capsys.readouterr().out
    assert leaks.main([*words, "--artist", "maker"]) == 0
    assert capsys.readouterr().out == before
    assert leaks.main([words[0], "--target", "maker", "--images", "no", "--artist", "maker"]) == 0
    assert "artist" not in capsys.readouterr().out.replace("--artist", "")
    assert leaks.main([*words, "--artist", "makr"]) == 1
    assert "did you mean 'maker'?" in capsys.readouterr().err

"""Choices as a store keeps them: exactly, and without the collection they came from."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import paint, write_csv

from keras_art.data import kept, labels, opening, tasks
from keras_art.data.choices import choose, choose_all
from keras_art.data.sources import load_collection
from keras_art.store.runs import Store, StoreError
from keras_art.writing import in_csv, write_bytes

ODD = ["label", "target", "split", "id", "path", "a/b", "../x", "gender+status", "self", "two\nlines", "a\rb", "כותרת"]
ODD += ["class", "bytes", "sha256", "object", "n" * 300]
TEXTS = ["NA", "nan", "007", "1e5", " blank ", 'quo"ted, "', "two\nlines", "a\rb", "ציור"]


def quiet(done: int, total: int) -> None:
    """No progress bar."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A Parquet table of 24 images with columns of odd names, each of two classes, and `texts`."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"file": []}
    for n, (colour, i) in enumerate((colour, i) for colour in "abc" for i in range(8)):
        columns["file"].append(paint(tmp_path / "odd" / "images" / f"{n:03d}.png", colour, i).name)
    columns |= {name: [("yes", "no")[(n + i) % 2] for n in range(24)] for i, name in enumerate(ODD)}
    columns["texts"] = [TEXTS[n % len(TEXTS)] for n in range(24)]
    pq.write_table(pa.table(columns), tmp_path / "odd" / "table.parquet")
    return tmp_path / "odd" / "table.parquet"


@pytest.mark.parametrize("target", ODD)
def test_a_column_may_be_called_anything(store, odd, target):
    collection = load_collection(odd)
    assert set(collection.targets) == {*ODD, "texts"}
    choice = choose(collection, target)
    ready = tasks.prepare(store, collection, choice, 8, "squash", quiet)
    assert ready.task.classes == ["no", "yes"] and ready.task.size == 24
    wanted = ["no", "yes"].index(collection.columns[target][0])
    assert ready.task.images["label"][0] == wanted
    loaded = tasks.load(store, choice.key, 8, "squash")
    pd.testing.assert_frame_equal(loaded.task.images, ready.task.images)
    pd.testing.assert_frame_equal(loaded.task.columns, ready.task.columns)
    assert (loaded.task.targets, loaded.task.target) == ((target,), target)
    assert {path.parent.name for path in store.root.glob("collections/**/task.json")} == {choice.key}
    assert "24 images in 2 classes" in tasks.describe(store, choice.key)


def test_several_columns_may_be_called_anything(store, odd):
    collection = load_collection(odd)
    choice = labels.choose_columns(collection, ODD)
    ready = tasks.prepare(store, collection, choice, 8, "squash", quiet)
    found = labels.prepare(store, ready, ODD)
    assert found.classes == {target: ["no", "yes"] for target in ODD}
    loaded = tasks.load(store, choice.key, 8, "squash")
    assert loaded.task.targets == tuple(ODD)
    again = labels.read_labels(loaded.task, ODD)
    np.testing.assert_array_equal(again.index, found.index)
    assert labels.facts(store, choice.key).keys() == set(ODD)


def test_texts_come_back_exactly(store, odd):
    collection = load_collection(odd)
    choice = choose_all(collection)
    tasks.prepare(store, collection, choice, 8, "squash", quiet)
    task, _ = kept.task_of(store, choice.key)
    assert task.columns["texts"].tolist() == collection.columns["texts"].tolist()
    assert {"NA", "nan", "007", "1e5", "two\nlines", "a\rb", "ציור"} <= set(task.columns["texts"])
    with (kept.folder_of(store, choice.key) / "columns.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header[0] == "id" and set(header[1:]) == set(collection.targets)
    assert [row[0] for row in rows] == collection.images["id"].tolist()


def test_a_cell_may_be_long(tmp_path):
    store = Store(tmp_path)
    write_bytes(kept.folder_of(store, "long") / "images.csv", in_csv(["text"], [["x" * 200_000]]))
    assert kept.table(store, "long", "images.csv")["text"].tolist() == ["x" * 200_000]


def test_a_collections_name_may_be_long_or_hidden(store, tmp_path):
    for name in ("n" * 200, ".hidden", "אוסף של ציורים " * 5):
        for n in range(12):
            paint(tmp_path / name / "xy"[n % 2] / f"{n}.png", "ab"[n % 2], n)
        collection = load_collection(tmp_path / name)
        choice = choose(collection, None)
        tasks.prepare(store, collection, choice, 8, "squash", quiet)
        assert (store.root / "collections" / choice.key / "task.json").is_file()
        assert kept.choice_of(store, choice.key).name == collection.name
        assert len(choice.key.encode()) <= 49


def test_a_store_that_has_moved_stands_alone(store, picture_csv, tmp_path, monkeypatch):
    collection, choice = opening.open_choice(store, picture_csv, None, "artist")
    ready = tasks.prepare(store, collection, choice, 8, "squash", quiet)
    whole, every = opening.open_all(store, picture_csv, None)
    tasks.prepare(store, whole, every, 8, "squash", quiet)
    said = tasks.describe(store, choice.key)
    pixels = np.array(ready.pixels[ready.rows])
    shutil.rmtree(picture_csv)
    moved = Store(shutil.move(store.root, tmp_path / "elsewhere"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("keras_art.pictures.decoded.stamps", lambda *_: pytest.fail("looked for a file"))
    again, same = opening.open_choice(moved, choice.key, None, None)
    assert again is None and (same.key, same.target, same.rule) == (choice.key, "artist", choice.rule)
    for found in (tasks.prepare(moved, None, same, 8, "squash", quiet), tasks.load(moved, same.key, 8, "squash")):
        np.testing.assert_array_equal(found.pixels[found.rows], pixels)
        pd.testing.assert_frame_equal(found.task.images, ready.task.images)
    assert tasks.describe(moved, same.key) == said
    assert opening.open_all(moved, every.key, None)[1].key == every.key


def test_flags_that_contradict_a_stored_choice_are_one_error(store, picture_csv):
    collection, choice = opening.open_choice(store, picture_csv, None, "artist", split_seed=2)
    tasks.prepare(store, collection, choice, 8, "squash", quiet)
    assert opening.open_choice(store, choice.key, None, "artist", rule="stratified", split_seed=2)[1].key == choice.key
    with pytest.raises(StoreError, match=r"artist, stratified split, seed 2, 24 .*out --target and --split,"):
        opening.open_choice(store, choice.key, None, "style", rule="random")
    for flags in ({"split_seed": 3}, {"limit": 5}, {"class_filter": False}):
        with pytest.raises(StoreError, match=f"Leave out --{next(iter(flags))}, or name the collection itself"):
            opening.open_choice(store, choice.key, None, None, **flags)


def test_a_choice_that_no_store_has_is_named_with_those_it_has(store, picture_csv):
    collection, choice = opening.open_choice(store, picture_csv, None, "artist")
    tasks.prepare(store, collection, choice, 8, "squash", quiet)
    with pytest.raises(StoreError, match=f"has no choice museum-00000000; it has {choice.key}"):
        opening.open_choice(store, "museum-00000000", None, None)


def test_what_was_chosen_to_be_clustered_has_no_target(store, picture_csv):
    collection, choice = opening.open_all(store, picture_csv, None, limit=10, split_seed=1)
    ready = tasks.prepare(store, collection, choice, 8, "squash", quiet)
    assert ready.task.size == 10 and set(ready.task.images["label"]) == {-1} and ready.task.classes == []
    assert f"{choice.key}: 10 images, to be clustered" in tasks.describe(store, choice.key)
    with pytest.raises(StoreError, match="was chosen to be clustered: name the collection itself"):
        opening.open_choice(store, choice.key, None, None)


def test_a_folder_of_that_name_is_taken_before_the_stores_choice(store, picture_csv, tmp_path, monkeypatch):
    collection, choice = opening.open_choice(store, picture_csv, None, "artist")
    tasks.prepare(store, collection, choice, 8, "squash", quiet)
    monkeypatch.chdir(tmp_path)
    for n in range(12):
        paint(tmp_path / choice.key / "xy"[n % 2] / f"{n}.png", "ab"[n % 2], n)
    assert opening.open_choice(store, choice.key, None, None)[0].targets == ["label"]


def test_a_table_with_a_split_of_each_task_says_so(tmp_path):
    rows = [["image", "style", "split_style", "split_other"]]
    for n in range(12):
        paint(tmp_path / "m" / f"{n}.png", "a", n)
        rows.append([f"{n}.png", "xy"[n % 2], ("train", "train", "val", "test")[n // 2 % 4], "train"])
    found = load_collection(write_csv(tmp_path / "m" / "labels.csv", rows))
    assert found.targets == ["style", "split_other"] and list(found.splits) == ["style"]
    assert choose(found, "style").rule == "given"


def test_a_picture_that_another_replaced_makes_another_choice_and_is_told(store, picture_csv, capsys):
    collection, choice = opening.open_choice(store, picture_csv, None, "artist")
    tasks.prepare(store, collection, choice, 8, "squash", quiet)
    assert opening.open_choice(store, picture_csv, None, "artist")[1].key == choice.key
    assert "changed" not in capsys.readouterr().err
    path = picture_csv / "images" / "004.png"
    content, status = path.read_bytes(), path.stat()
    path.write_bytes(content[:-12] + bytes(12))  # of the same size and time
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    other = opening.open_choice(store, picture_csv, None, "artist")[1]
    assert other.key != choice.key
    said = " ".join(capsys.readouterr().err.split())
    assert f"museum has changed since {choice.key}, which had 24 images: 1 replaced by another picture (first 0" in said
    assert "first 004.png)" in said and other.key in said
    path.write_bytes(content)
    assert opening.open_choice(store, picture_csv, None, "artist")[1].key == choice.key


def test_what_came_went_and_was_relabelled_is_told(store, picture_csv, capsys):
    collection, choice = opening.open_choice(store, picture_csv, None, "artist")
    tasks.prepare(store, collection, choice, 8, "squash", quiet)
    text = (picture_csv / "labels.csv").read_text()
    paint(picture_csv / "images" / "new.png", "a", 99)
    text = text.replace("003.png,Artist A", "003.png,Artist B").replace("017.png,Artist C,cold\n", "")
    (picture_csv / "labels.csv").write_text(text + "new.png,Artist A,warm\n")
    opening.open_choice(store, picture_csv, None, "artist", split_seed=1)  # asked for in another way: no comparison
    assert "changed" not in capsys.readouterr().err
    opening.open_choice(store, picture_csv, None, "artist")
    said = " ".join(capsys.readouterr().err.split())
    assert "1 labelled otherwise (first 003.png), 1 gone (first 017.png), 1 new (first new.png). It" in said


def test_pixels_by_other_rules_make_another_choice(store, picture_csv, monkeypatch):
    key = opening.open_all(store, picture_csv, None)[1].key
    monkeypatch.setattr(opening, "COLOUR", "another")
    assert opening.open_all(store, picture_csv, None)[1].key != key


def test_a_file_that_changes_between_its_hash_and_its_pixels_is_one_error(store, picture_csv):
    collection, choice = opening.open_choice(store, picture_csv, None, "artist")
    paint(picture_csv / "images" / "004.png", "b", 7)
    with pytest.raises(StoreError, match=r"004\.png changed while it was read: give the same command again"):
        tasks.prepare(store, collection, choice, 8, "squash", quiet)

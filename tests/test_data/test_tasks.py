from __future__ import annotations

import csv
import json
import os
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import colour_of, paint, told
from PIL import Image

from keras_art.data import leaks, tasks
from keras_art.data.choices import Choice, choose
from keras_art.data.sources import BadCollection, load_collection
from keras_art.store.runs import Store, StoreError

SIZE = 16


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def prepare(store: Store, data: Path, target: str | None = None, **how: object) -> tuple[tasks.Ready, Choice, Path]:
    collection = load_collection(data)
    choice = choose(collection, target, **how)
    ready = tasks.prepare(store, collection, choice, SIZE, "squash", lambda done, total: None)
    return ready, choice, store.root / "collections" / choice.key


def truncate(path: Path) -> None:
    """The first half of a picture."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def assert_labels_are_colours(ready: tasks.Ready, target: str) -> None:
    assert len(ready.rows) == len(told(ready.task))
    for row, label in zip(ready.rows, ready.task.images["label"], strict=True):
        assert ready.task.classes[label][-1].lower() == colour_of(ready.pixels[row])


def test_prepare_gives_pixels_that_belong_to_their_labels(store, picture_folder):
    ready, _, _ = prepare(store, picture_folder)
    assert ready.pixels.shape == (24, SIZE, SIZE, 3)
    assert ready.pixels.dtype == np.uint8
    assert_labels_are_colours(ready, "label")


def test_prepare_writes_the_splits(store, picture_folder):
    ready, _, folder = prepare(store, picture_folder)
    with (folder / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ready.task.images["id"].tolist()
    assert [row["split"] for row in rows] == ready.task.images["split"].tolist()
    assert all((picture_folder / row["path"]).is_file() for row in rows)
    assert json.loads((folder / "task.json").read_text())["root"] == str(picture_folder)
    assert [row["sha256"] for row in rows] == ready.sha256
    assert [row["id"][0] for row in rows] == [ready.task.classes[int(row["label"])] for row in rows]


def test_prepare_writes_every_reason_into_the_quarantine(store, picture_csv):
    truncate(picture_csv / "images" / "005.png")
    (picture_csv / "images" / "010.png").unlink()
    paint(picture_csv / "images" / "unlabelled.png", "a")
    ready, _, folder = prepare(store, picture_csv, "artist")
    with (folder / "quarantine.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "path", "reason"]
    assert {row["id"] for row in rows} == {"005.png", "010.png", "unlabelled.png"}
    reasons = {row["id"]: row["reason"] for row in rows}
    assert "truncated" in reasons["005.png"]
    assert reasons["010.png"] == "labelled, but no such image"
    assert reasons["unlabelled.png"] == "image without a label"
    assert ready.task.size == 22


def test_an_empty_quarantine_has_its_header(store, picture_folder):
    _, _, folder = prepare(store, picture_folder)
    assert (folder / "quarantine.csv").read_text() == "id,path,reason\n"


@pytest.mark.parametrize("bad", [0, 11, 23])
def test_an_unreadable_image_never_shifts_the_labels_of_the_others(store, picture_csv, bad):
    truncate(picture_csv / "images" / f"{bad:03d}.png")
    ready, _, _ = prepare(store, picture_csv, "artist")
    assert ready.task.size == 23
    assert f"{bad:03d}.png" not in set(ready.task.images["id"])
    assert_labels_are_colours(ready, "artist")


def test_shuffled_rows_of_labels_make_the_same_task(store, picture_csv):
    ready, choice, _ = prepare(store, picture_csv, "artist")
    lines = (picture_csv / "labels.csv").read_text().splitlines()
    rows = lines[1:]
    random.Random(0).shuffle(rows)
    (picture_csv / "labels.csv").write_text("\n".join([lines[0], *rows]))
    again, same, _ = prepare(store, picture_csv, "artist")
    assert same.key == choice.key
    pd.testing.assert_frame_equal(told(again.task), told(ready.task))
    assert_labels_are_colours(again, "artist")


def test_pictures_that_another_task_has_stored_do_not_shift_the_rows(store, picture_csv, tmp_path):
    for i in range(5):
        paint(tmp_path / "other" / "xy"[i % 2] / f"{i}.png", "abc"[i % 3], 100 + i)
    collection = load_collection(tmp_path / "other")
    with pytest.raises(BadCollection):  # too small a collection, but its pictures are stored by then
        tasks.prepare(store, collection, choose(collection, None), SIZE, "squash", lambda done, total: None)
    ready, _, _ = prepare(store, picture_csv, "artist")
    assert len(ready.pixels) == 29
    assert_labels_are_colours(ready, "artist")


def test_load_gives_the_task_that_prepare_made(store, picture_csv):
    # Labels that look like numbers or like nothing must come back as text.
    text = (picture_csv / "labels.csv").read_text().replace("warm", "007").replace("cold", "1.0")
    (picture_csv / "labels.csv").write_text(text.replace("Artist B", "NA"))
    ready, choice, _ = prepare(store, picture_csv, "style")
    assert ready.task.classes == ["007", "1.0"]
    loaded = tasks.load(store, choice.key, SIZE, "squash")
    pd.testing.assert_frame_equal(loaded.task.images, ready.task.images)
    pd.testing.assert_frame_equal(loaded.task.columns, ready.task.columns)
    assert loaded.task.classes == ready.task.classes
    assert (loaded.task.key, loaded.task.target, loaded.sha256) == (ready.task.key, "style", ready.sha256)
    np.testing.assert_array_equal(loaded.rows, ready.rows)
    np.testing.assert_array_equal(loaded.pixels, ready.pixels)


def test_load_at_another_size_decodes_the_same_task(store, picture_csv):
    ready, choice, _ = prepare(store, picture_csv, "artist")
    small = tasks.load(store, choice.key, 8, "crop")
    assert small.pixels.shape == (24, 8, 8, 3)
    assert small.sha256 == ready.sha256
    assert_labels_are_colours(small, "artist")


def test_load_of_a_task_never_prepared_names_the_remedy(store):
    with pytest.raises(StoreError, match=r"has no choice museum-00000000; it has none\. Start the study that made it"):
        tasks.load(store, "museum-00000000", SIZE, "squash")


def test_an_image_that_is_gone_is_missed_at_another_size_alone(store, picture_csv):
    ready, choice, _ = prepare(store, picture_csv, "artist")
    (picture_csv / "images" / "004.png").unlink()
    np.testing.assert_array_equal(tasks.load(store, choice.key, SIZE, "squash").rows, ready.rows)
    with pytest.raises(StoreError, match=r"1 image of .* must be decoded to 8 pixels.*004\.png \(missing file\)"):
        tasks.load(store, choice.key, 8, "squash")


def test_an_image_that_is_another_now_is_not_taken_for_itself(store, picture_csv):
    _, choice, _ = prepare(store, picture_csv, "artist")
    paint(picture_csv / "images" / "004.png", "a", seed=99)
    with pytest.raises(StoreError, match=r"004\.png \(another picture stands there now\)"):
        tasks.load(store, choice.key, 8, "squash")


def test_a_choice_is_never_made_anew_of_other_pictures_under_the_same_name(store, picture_csv):
    flat = Image.new("RGB", (16, 16), (1, 2, 3))
    for path in (picture_csv / "images").iterdir():
        flat.save(path.with_suffix(".bmp"))
        path.unlink()
    (picture_csv / "labels.csv").write_text((picture_csv / "labels.csv").read_text().replace(".png", ".bmp"))
    prepare(store, picture_csv, "artist")
    Image.new("RGB", (16, 16), (3, 2, 1)).save(picture_csv / "images" / "004.bmp")  # of the same size
    with pytest.raises(StoreError, match=r"made of other pictures, 1 of which have changed since, first images/004"):
        prepare(store, picture_csv, "artist")


def test_pixels_that_were_damaged_are_decoded_again_or_their_picture_is_named(store, picture_csv):
    ready, choice, _ = prepare(store, picture_csv, "artist")
    before = np.array(ready.pixels[ready.rows])
    stored = store.root / "cache" / "images" / f"{SIZE}-squash" / "rows.bin"
    content = bytearray(stored.read_bytes())
    content[SIZE * SIZE * 3 * ready.rows[4] + 7] ^= 1
    stored.write_bytes(content)
    quiet = lambda done, total: None  # noqa: E731
    for collection in (load_collection(picture_csv), None):
        again = tasks.prepare(store, collection, choice, SIZE, "squash", quiet)
        np.testing.assert_array_equal(again.pixels[again.rows], before)
        np.testing.assert_array_equal(tasks.load(store, choice.key, SIZE, "squash").rows, again.rows)
        content = bytearray(stored.read_bytes())
        content[SIZE * SIZE * 3 * again.rows[4] + 7] ^= 1
        stored.write_bytes(content)
    (picture_csv / "images" / "004.png").unlink()
    with pytest.raises(StoreError, match=r"which the store lacks or has damaged, and can not, first .*004\.png"):
        tasks.prepare(store, None, choice, SIZE, "squash", quiet)


def test_figures_show_the_file_where_it_is_and_the_stored_pixels_where_it_is_gone(store, picture_csv):
    ready, _, _ = prepare(store, picture_csv, "artist")
    wide = ready.picture(0, 64)
    assert wide.shape == (64, 64, 3) and wide.dtype == np.uint8
    paint(picture_csv / "images" / "000.png", "b")
    (picture_csv / "images" / "001.png").unlink()
    for place in (0, 1):
        shown = ready.picture(place, 64)
        assert shown.shape == (64, 64, 3) and colour_of(shown) == "a"
        assert not np.array_equal(shown, wide)


def test_parts_are_the_positions_of_each_split(store, picture_csv):
    ready, _, _ = prepare(store, picture_csv, "artist")
    parts = {split: ready.part(split) for split in ("train", "val", "test")}
    assert sorted(np.concatenate(list(parts.values()))) == list(range(24))
    for split, positions in parts.items():
        assert set(ready.task.images["split"].iloc[positions]) == {split}


def test_no_readable_image_at_all_points_at_the_quarantine(store, picture_csv):
    for path in (picture_csv / "images").iterdir():
        path.write_text("no picture")
    with pytest.raises(BadCollection, match=r"none of the 24 images of museum can be read; .*quarantine\.csv says why"):
        prepare(store, picture_csv, "artist")
    (quarantine,) = store.root.glob("collections/*/quarantine.csv")
    assert len(pd.read_csv(quarantine)) == 24


def test_a_split_never_changes_under_the_same_name(store, picture_csv):
    # A file that is repaired at the same size and so changes no digest.
    path = picture_csv / "images" / "005.png"
    sound = path.read_bytes()
    path.write_bytes(sound[:100] + bytes(len(sound) - 100))
    _, _, folder = prepare(store, picture_csv, "artist")
    written = (folder / "images.csv").read_bytes()
    path.write_bytes(sound)
    os.utime(path, (0, 0))
    with pytest.raises(StoreError, match=r"then 23, now 24.*another --store"):
        prepare(store, picture_csv, "artist")
    assert (folder / "images.csv").read_bytes() == written


def test_a_collection_that_has_moved_keeps_its_split(store, picture_csv, tmp_path):
    ready, choice, _ = prepare(store, picture_csv, "artist")
    (tmp_path / "new").mkdir()
    moved = picture_csv.rename(tmp_path / "new" / "museum")
    again, same, _ = prepare(store, moved, "artist")
    assert same.key == choice.key
    assert again.task.images["split"].tolist() == ready.task.images["split"].tolist()
    assert str(tasks.load(store, choice.key, SIZE, "squash").task.root) == str(moved)


def test_task_json_says_what_was_dropped(store, picture_csv):
    text = (picture_csv / "labels.csv").read_text().replace("003.png,Artist A", "003.png,anoniem")
    (picture_csv / "labels.csv").write_text(text.replace("004.png,Artist A", "004.png,Artist Z"))
    _, _, folder = prepare(store, picture_csv, "artist", split_seed=3)
    facts = json.loads((folder / "task.json").read_text())
    assert facts["n_images"] == 22
    assert facts["classes"] == ["Artist A", "Artist B", "Artist C"]
    assert facts["dropped_labels"] == {"anoniem": 1}
    assert facts["dropped_classes"] == {"Artist Z": 1}
    assert (facts["targets"], facts["rule"], facts["split_seed"]) == (["artist"], "stratified", 3)


@pytest.mark.parametrize("own", [False, True])
def test_validation_images_that_a_given_split_has_not_are_said_to_be_ours(store, picture_csv, own):
    header, *rows = (picture_csv / "labels.csv").read_text().splitlines()
    cycle = ["train", "train", "val" if own else "train", "test"]
    lines = [f"{header},split", *(f"{row},{cycle[i % 4]}" for i, row in enumerate(rows))]
    (picture_csv / "labels.csv").write_text("\n".join(lines))
    _, choice, _ = prepare(store, picture_csv, "style")
    said = tasks.describe(store, choice.key)
    assert ("(given split, validation images taken out of train, seed 0)" in said) != own
    assert ("(given split, seed 0)" in said) == own


def test_describe_gives_the_counts_and_the_leaks(store, picture_csv):
    truncate(picture_csv / "images" / "005.png")
    (picture_csv / "images" / "001.png").write_bytes((picture_csv / "images" / "000.png").read_bytes())
    _, choice, folder = prepare(store, picture_csv, "style")
    facts = json.loads((folder / "task.json").read_text())
    said = tasks.describe(store, choice.key)
    assert "23 images in 2 classes" in said
    assert "stratified split, seed 0" in said
    assert f"in quarantine: 1, see {folder / 'quarantine.csv'}" in said
    n, majority = facts["leaks"]["n_test"], facts["leaks"]["majority"]
    low, high = (100 * bound for bound in leaks.wilson(majority * n, n))
    assert f"of {n} test images: majority class of train {majority:.1%} [{low:.1f}, {high:.1f}]" in said
    assert f"majority class of test {facts['leaks']['majority_test']:.1%} [" in said
    assert f"the artist's majority label {facts['leaks']['artist_rule']:.1%}" in said
    assert ("byte for byte" in said) == (facts["leaks"]["same_file"] > 0)


def test_look_alikes_are_kept_on_one_side_and_told_where_they_are_not(store, picture_folder):
    for colour in "abc":
        for i in range(4):  # the same picture as a JPEG
            with Image.open(picture_folder / colour / f"{colour}{i}.png") as picture:
                picture.save(picture_folder / colour / f"{colour}{i}.jpg", quality=95)
    ready, _, folder = prepare(store, picture_folder, rule="duplicate_disjoint", class_filter=False)
    table = told(ready.task)
    twins = table[table["id"].str.contains("[abc][0-3][.]")]
    assert twins.groupby(twins["id"].str[:4])["split"].nunique().max() == 1
    assert json.loads((folder / "task.json").read_text())["leaks"]["near_duplicate"] == 0
    leaking = next(
        folder
        for seed in range(20)
        if json.loads(((folder := prepare(store, picture_folder, split_seed=seed)[2]) / "task.json").read_text())[
            "leaks"
        ]["near_duplicate"]
    )
    assert "of test images look like one of train or val" in tasks.describe(store, leaking.name)


def test_both_counts_are_told_and_a_leak_of_objects(store, picture_csv):
    lines = (picture_csv / "labels.csv").read_text().splitlines()
    numbered = [f"{line},N {number // 2}" for number, line in enumerate(lines[1:])]
    (picture_csv / "labels.csv").write_text("\n".join([lines[0] + ",object_id", *numbered]))
    ready, choice, _ = prepare(store, picture_csv, "artist")
    assert choice.rule == "object_disjoint"
    assert ready.task.images.groupby("object")["split"].nunique().max() == 1
    said = tasks.describe(store, choice.key)
    assert "24 images of 12 objects in 3 classes" in said and "leak" not in said
    _, choice, _ = prepare(store, picture_csv, "artist", rule="stratified")
    assert "of test images show an object that train or val has too; --split" in tasks.describe(store, choice.key)

from __future__ import annotations

import dataclasses
import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import paint, told, write_csv
from sklearn.model_selection import train_test_split

from keras_art.commands import curation
from keras_art.data.choices import Choice, choose
from keras_art.data.sources import BadCollection, Collection, load_collection
from keras_art.data.splits import Task, label_overlap, split


def collection(labels: list[str], given: list[str] | None = None, **columns: list[str]) -> Collection:
    """Rows 000, 001, ...; nothing on disk."""
    ids = [f"{i:03d}" for i in range(len(labels))]
    images = pd.DataFrame({"id": ids, "path": ids, "object": ids, "split": given or "", "bytes": 1})
    quarantine = pd.DataFrame(columns=["id", "path", "reason"])
    return Collection("paintings", images, pd.DataFrame({"style": labels, **columns}), quarantine)


def cut(choice: Choice) -> Task:
    return split(choice, [True] * len(choice.images))


def sizes(task: Task) -> dict[str, int]:
    return task.images["split"].value_counts().to_dict()


# --- choosing


@pytest.mark.parametrize("blank", ["", " ", "anoniem", " Anoniem ", "ONBEKEND", "unknown", "Unknown"])
def test_blank_labels_are_dropped_and_counted(blank):
    choice = choose(collection(["x", " x ", blank, "y", blank]), "style")
    assert choice.dropped == {blank.strip() or "(blank)": 2}
    assert choice.images["class"].tolist() == ["x", "x", "y"]


def test_a_single_label_column_needs_no_naming():
    assert choose(collection(["x", "y"]), None).target == "style"


def test_several_label_columns_need_naming():
    with pytest.raises(BadCollection, match="style, artist: choose one with --target"):
        choose(collection(["x", "y"], artist=["a", "b"]), None)


def test_blanks_and_dates_are_no_classes(capsys):
    dates = ["1942-07-01", "1942-07-01 03:04:00", ""]
    museum = collection(["x", "y", "y"], remark=["", "", ""], acquired=dates, year=["1642", "1642", "1650"])
    with pytest.raises(BadCollection, match="has the label columns style, year: choose one"):
        choose(museum, None)
    with pytest.raises(BadCollection, match=r"'acquired' holds dates, such as 1942-07-01, .* it has style, year$"):
        choose(museum, "acquired")
    with pytest.raises(BadCollection, match="'remark' holds blanks alone"):
        choose(museum, "remark")
    alone = dataclasses.replace(museum, columns=museum.columns.drop(columns="year"))
    assert choose(alone, None).target == "style"
    assert "the classes are those of 'style'" in capsys.readouterr().err


def test_a_missing_target_suggests_the_nearest():
    with pytest.raises(BadCollection, match="no label column 'stile'; it has style: did you mean 'style'"):
        choose(collection(["x", "y"]), "stile")


def test_one_class_only_is_refused():
    with pytest.raises(BadCollection, match="'style' holds 1 class with images; a classifier needs two"):
        choose(collection(["x", "x", "anoniem"]), "style")


def test_auto_takes_the_given_split_where_there_is_one():
    given = ["train", "val", "test"] * 2
    assert choose(collection(list("xyxyxy"), given), "style").rule == "given"
    assert choose(collection(list("xyxyxy")), "style").rule == "stratified"


@pytest.mark.parametrize("given", [["train", "train", "test", ""], ["train", "train", "val", "val"]])
def test_half_a_split_is_neither_used_nor_ignored(given):
    bad = collection(["x", "y", "x", "y"], given)
    for rule in ("auto", "given"):
        with pytest.raises(BadCollection, match=r"no whole split of its own .*train 2.*--split stratified"):
            choose(bad, "style", rule=rule)
    assert choose(bad, "style", rule="stratified").rule == "stratified"


def test_the_digest_is_known():
    text = b'[["style"], "stratified", 0, true, "", []]\nid,class,split,bytes\n000,x,,1\n001,y,,1\n002,x,,1\n'
    assert choose(collection(["x", "y", "x"]), "style").key == f"paintings-{hashlib.sha256(text).hexdigest()[:8]}"


def test_the_digest_depends_on_what_a_run_learns_from_and_on_nothing_else():
    base = collection(list("xyxyxy"), artist=list("abcdef"))
    key = choose(base, "style").key
    moved = dataclasses.replace(base, images=base.images.assign(path="elsewhere"), root=Path("/else"))
    assert choose(dataclasses.replace(moved, columns=base.columns.assign(artist="z")), "style").key == key
    assert choose(base, "style", class_filter=False).key != key
    assert choose(base, "style", split_seed=1).key != key
    assert choose(base, "style", rule="random").key != key
    assert choose(base, "artist").key != key
    for column, value in (("bytes", 2), ("style", "z"), ("id", "new")):
        images, columns = base.images.copy(), base.columns.copy()
        (columns if column == "style" else images).loc[0, column] = value
        assert choose(dataclasses.replace(base, images=images, columns=columns), "style").key != key, column


def test_limit_keeps_the_classes_shares_and_three_of_each():
    labels = ["x"] * 600 + ["y"] * 300 + ["z"] * 90 + ["rare"] * 10
    table = choose(collection(labels), "style", limit=100).images
    counts = table["class"].value_counts()
    assert len(table) == 100
    assert counts["rare"] >= 3
    for name, share in (("x", 60), ("y", 30), ("z", 9)):
        assert abs(counts[name] - share) <= 3, name
    assert table["id"].is_monotonic_increasing
    assert set(told(choose(collection(labels), "style", limit=100, split_seed=1))["id"]) != set(table["id"])


def test_limit_below_three_of_each_keeps_whole_classes_the_largest_first():
    labels = [name for name, n in zip("abcdefgh", range(5, 13), strict=True) for _ in range(n)]
    counts = told(choose(collection(labels), "style", limit=10))["class"].value_counts()
    assert counts.to_dict() == {"h": 3, "g": 3, "f": 3, "e": 1}


def test_limit_above_the_size_changes_nothing():
    assert len(told(choose(collection(["x", "y"] * 5), "style", limit=11))) == 10


@pytest.mark.parametrize("given", [["train"] * 3 + ["val"] * 2 + ["test"] * 25, ["train"] * 3 + ["test"] * 27])
def test_limit_keeps_every_class_in_every_split_of_a_given_one(given):
    labels = [name for name in "abcd" for _ in range(30)]
    choice = choose(collection(labels, given * 4), "style", limit=20)
    assert len(choice.images) == 20
    assert cut(choice).classes == ["a", "b", "c", "d"]


# --- splitting


@pytest.mark.parametrize("rule", ["stratified", "random"])
def test_splits_are_disjoint_and_cover_80_10_10(rule):
    choice = choose(collection(["x", "y"] * 100), "style", rule=rule)
    task = cut(choice)
    assert sizes(task) == {"train": 160, "val": 20, "test": 20}
    assert task.images["id"].tolist() == choice.images["id"].tolist()


def test_a_stratified_split_shares_out_each_class():
    table = told(cut(choose(collection(["x"] * 100 + ["y"] * 20 + ["z"] * 3), "style")))
    assert table.groupby(["label", "split"]).size().to_dict() == {
        (0, "test"): 10, (0, "train"): 80, (0, "val"): 10,
        (1, "test"): 2, (1, "train"): 16, (1, "val"): 2,
        (2, "test"): 1, (2, "train"): 1, (2, "val"): 1,
    }  # fmt: skip


@pytest.mark.parametrize("seed", [0, 42])
def test_a_random_split_is_scikit_learns_twice_with_the_same_seed(seed):
    labels = [str(i % 2) for i in range(57)]
    table = told(cut(choose(collection(labels), "style", rule="random", split_seed=seed))).set_index("id")
    ids = [f"{i:03d}" for i in range(57)]
    train, rest = train_test_split(ids, test_size=0.2, random_state=seed)
    val, test = train_test_split(rest, test_size=0.5, random_state=seed)
    for name, expected in (("train", train), ("val", val), ("test", test)):
        assert set(table.index[table["split"] == name]) == set(expected)


@pytest.mark.parametrize("rule", ["stratified", "random"])
def test_seeds_move_the_split_and_the_same_seed_does_not(rule):
    data = collection(["x", "y"] * 50)
    first, again, other = (
        told(cut(choose(data, "style", rule=rule, split_seed=seed)))["split"].tolist() for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_a_given_split_is_kept():
    given = ["test", "train", "val"] * 4
    assert told(cut(choose(collection(list("xxxyyyxxxyyy"), given), "style")))["split"].tolist() == given


def test_without_val_a_ninth_of_train_becomes_val_and_test_is_untouched():
    labels, given = ["x", "y"] * 100, ["train"] * 180 + ["test"] * 20
    task = cut(choose(collection(labels, given), "style"))
    assert sizes(task) == {"train": 160, "val": 20, "test": 20}
    assert task.images["id"][task.images["split"] == "test"].tolist() == [f"{i:03d}" for i in range(180, 200)]


def test_the_filter_keeps_the_classes_of_all_three_splits_and_counts_the_others():
    labels = ["x"] * 30 + ["y"] * 30 + ["two"] * 2 + ["one"]
    task = cut(choose(collection(labels), "style"))
    assert task.classes == ["x", "y"]
    assert task.dropped_classes == {"one": 1, "two": 2}
    assert task.size == 60
    assert sorted(task.images["label"].unique()) == [0, 1]


def test_the_filter_looks_at_the_split_and_not_at_the_size_of_a_class():
    given = ["train", "val", "test"] * 2 + ["train", "train", "test"]
    task = cut(choose(collection(list("xxxyyyzzz"), given), "style"))
    assert task.dropped_classes == {"z": 3}


def test_without_the_filter_every_class_stays():
    labels = ["x"] * 30 + ["y"] * 30 + ["one"]
    task = cut(choose(collection(labels), "style", class_filter=False))
    assert (task.classes, task.size, task.dropped_classes) == (["one", "x", "y"], 61, {})


@pytest.mark.parametrize("filtered", [True, False])
def test_training_images_of_one_class_are_refused(filtered):
    labels, given = list("xxxxyxy"), ["train", "train", "train", "val", "val", "test", "test"]
    why = (
        "classes do not|two are needed" if filtered else "all training images are of the class 'x'; a classifier needs"
    )
    with pytest.raises(BadCollection, match=why):
        cut(choose(collection(labels, given), "style", class_filter=filtered))


def test_labels_index_the_classes_in_alphabetical_order():
    texts = [f"class {i % 7}" for i in range(70)][::-1]
    task = cut(choose(collection(texts), "style"))
    assert task.classes == sorted(set(texts))
    assert [task.classes[i] for i in task.images["label"]] == task.columns["style"].tolist()


def test_unreadable_rows_are_left_out_and_the_others_keep_their_labels():
    choice = choose(collection(["x", "y"] * 20), "style")
    task = split(choice, [i % 5 != 0 for i in range(40)])
    assert task.size == 32
    assert "000" not in set(task.images["id"])
    for row in told(task).itertuples():
        assert task.classes[row.label] == "xy"[int(row.id) % 2]


@pytest.mark.parametrize("class_filter", [True, False])  # a report on leaks drops none, and is of none either
def test_classes_of_one_image_only_say_what_a_class_needs(class_filter):
    choice = choose(collection([f"class {i}" for i in range(12)]), "style", class_filter=class_filter)
    with pytest.raises(BadCollection, match=r"0 classes of 'style' left, 12 dropped .* at least three images"):
        cut(choice)


def test_a_split_without_images_is_refused_even_without_the_filter():
    with pytest.raises(BadCollection, match="at least three images"):
        cut(choose(collection(["x", "x", "y", "y"]), "style", class_filter=False))


def test_too_few_images_for_a_random_split():
    with pytest.raises(BadCollection, match="9 images are too few"):
        cut(choose(collection(["x", "y", "z"] * 3), "style", rule="random"))


def test_a_class_folder_with_one_image_is_dropped_and_counted(picture_folder):
    paint(picture_folder / "single" / "1.png", "a")
    task = cut(choose(load_collection(picture_folder), None))
    assert task.dropped_classes == {"single": 1}
    assert task.size == 24


# --- what collections share


def test_label_overlap_is_the_share_of_our_classes():
    assert label_overlap(["print", "painting", "coin"], ["painting", "coin", "map"]) == pytest.approx(2 / 3)


# --- splits that keep groups whole


def by_artist(n: int = 12) -> Collection:
    """Two styles by six artists each, `n` images an artist."""
    artists = [f"{style}{artist}" for style in "xy" for artist in range(6) for _ in range(n)]
    return collection([artist[0] for artist in artists], artist=artists)


def test_an_artist_disjoint_split_has_no_artist_on_two_sides_and_every_class_on_three():
    task = cut(choose(by_artist(), "style", rule="artist_disjoint"))
    assert told(task).groupby("artist")["split"].nunique().max() == 1
    assert (told(task).groupby("label")["split"].nunique() == 3).all()
    assert sizes(task) == {"train": 96, "val": 24, "test": 24}


def test_an_artist_disjoint_split_moves_with_its_seed_and_not_without():
    tables = [told(cut(choose(by_artist(), "style", rule="artist_disjoint", split_seed=seed))) for seed in (0, 0, 1)]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])


def test_a_style_with_one_artist_can_not_be_split_by_artist_and_the_error_says_so():
    rows = collection(["x"] * 30 + ["y"] * 30, artist=[f"a{i % 5}" for i in range(30)] + ["Hokusai"] * 30)
    with pytest.raises(BadCollection, match=r"artist_disjoint is not defined for 'style'.*y \(1\)"):
        cut(choose(rows, "style", rule="artist_disjoint"))


def test_the_command_that_the_error_names_leaves_what_can_be_split_by_artist(picture_folder, tmp_path):
    images = [f"{artist}/{artist}{number}.png" for artist in "abc" for number in range(8)]
    artists = [image[0] for image in images[:-2]] + ["Hokusai"] * 2
    styles = [("dark", "pale")[number % 2] for number in range(22)] + ["ukiyo-e"] * 2
    write_csv(tmp_path / "t.csv", [("image", "artist", "style"), *zip(images, artists, styles, strict=True)])
    with pytest.raises(BadCollection, match=r"ukiyo-e \(1\)") as refused:
        cut(choose(load_collection(tmp_path / "t.csv", picture_folder), "style", rule="artist_disjoint"))
    command = re.search(r"keras_art curate (.*), or split", str(refused.value))[1]
    filled = command.replace("DATA", str(tmp_path / "t.csv")).replace("FOLDER", str(tmp_path / "curated"))
    assert curation.main([*filled.split(), "--root", str(picture_folder)]) == 0
    task = cut(choose(load_collection(tmp_path / "curated", picture_folder), "style", rule="artist_disjoint"))
    assert task.classes == ["dark", "pale"]


def test_artists_can_not_be_kept_apart_when_they_are_predicted_or_unknown():
    with pytest.raises(BadCollection, match="the artist is what is to be predicted"):
        choose(by_artist(), "artist", rule="artist_disjoint")
    with pytest.raises(BadCollection, match="it has no column 'artist'"):
        choose(collection(["x", "y"]), "style", rule="artist_disjoint")


def test_works_by_nobody_known_are_not_taken_for_one_artists():
    rows = collection(["x", "y"] * 50, artist=["anoniem"] * 100)
    assert sizes(cut(choose(rows, "style", rule="artist_disjoint"))) == {"train": 80, "val": 10, "test": 10}


def test_artists_with_several_styles_are_kept_whole_too():
    rng = np.random.default_rng(0)
    artists = rng.integers(0, 40, 2000)
    styles = (artists % 5 + rng.integers(0, 3, 2000)) % 5
    rows = collection([f"s{style}" for style in styles], artist=[f"a{artist}" for artist in artists])
    table = told(cut(choose(rows, "style", rule="artist_disjoint")))
    assert table.groupby("artist")["split"].nunique().max() == 1
    shares = table.groupby("label")["split"].value_counts(normalize=True).unstack()
    assert (shares["test"].between(0.05, 0.15) & shares["val"].between(0.05, 0.15)).all()


def test_an_error_about_pictures_or_objects_names_no_command_about_artists():
    groups = np.repeat(np.arange(4), 3)
    with pytest.raises(BadCollection, match=r"different pictures.* Leave such classes out, or split"):
        split(choose(collection(["x", "x", "y"] * 4), "style", rule="duplicate_disjoint"), [True] * 12, groups * 0)


def test_look_alikes_stand_on_one_side():
    rows = collection(["x", "y"] * 60)
    groups = np.repeat(np.arange(40), 3)
    task = split(choose(rows, "style", rule="duplicate_disjoint"), [True] * 120, groups)
    assert pd.Series(task.images["split"].tolist()).groupby(groups).nunique().max() == 1


def test_look_alikes_and_the_views_of_an_object_stand_on_one_side():
    rows = views([2] * 60)
    groups = np.arange(120)
    groups[[1, 2]] = 1  # a picture of one object that looks like one of the next
    task = split(choose(rows, "style", rule="duplicate_disjoint"), [True] * 120, groups)
    assert sides(task).max() == 1 and sizes(task) == {"train": 96, "val": 12, "test": 12}
    assert task.images["split"][:4].nunique() == 1


def test_a_task_with_a_split_of_its_own_goes_by_it():
    own = pd.Series(["train", "train", "val", "val", "test", "test"])
    rows = dataclasses.replace(collection(list("xyxyxy"), ["train"] * 6), splits={"style": own})
    assert sizes(cut(choose(rows, "style"))) == {"train": 2, "val": 2, "test": 2}


# --- objects with several views


def views(per_object: list[int], labels: str = "xy") -> Collection:
    """Objects 0, 1, ... with so many views each, labelled in turns."""
    numbers = np.repeat(np.arange(len(per_object)), per_object)
    found = collection([labels[number % len(labels)] for number in numbers])
    return dataclasses.replace(found, images=found.images.assign(object=[f"N {number}" for number in numbers]))


def sides(task: Task) -> pd.Series:
    return task.images.groupby("object")["split"].nunique()


@pytest.mark.parametrize("rule", ["auto", "object_disjoint"])
@pytest.mark.parametrize(
    "per_object",
    [[2] * 6, [1, 2] * 40, [7, 1, 1, 3] * 10, [1] * 39 + [30], [2] * 300, [50] * 6, [3, 3, 3, 3, 3, 3, 200]],
)
def test_views_of_an_object_stay_on_one_side(rule, per_object):
    choice = choose(views(per_object), "style", rule=rule)
    task = cut(choice)
    assert choice.rule == "object_disjoint" and sides(task).max() == 1
    assert task.size == sum(per_object) and set(task.images["split"]) == {"train", "val", "test"}
    assert task.images.groupby("label")["split"].nunique().eq(3).all()


def test_shares_are_of_images_and_move_with_the_seed():
    rows = views([2] * 300)
    found = [cut(choose(rows, "style", split_seed=seed)) for seed in (0, 0, 1)]
    assert sizes(found[0]) == {"train": 480, "val": 60, "test": 60}
    assert found[0].images["split"].equals(found[1].images["split"])
    assert not found[0].images["split"].equals(found[2].images["split"])


def test_without_views_auto_is_as_before():
    assert choose(views([1] * 40), "style").rule == "stratified"
    assert sides(cut(choose(views([1] * 40), "style", rule="object_disjoint"))).max() == 1


def test_a_given_split_is_kept_whatever_the_objects():
    rows = views([2] * 6)
    given = dataclasses.replace(rows, images=rows.images.assign(split=["train", "val", "test"] * 4))
    assert choose(given, "style").rule == "given"


def test_classes_of_fewer_than_three_objects_are_dropped_and_counted():
    rows = views([2] * 40)
    columns = rows.columns.copy()
    columns.loc[rows.images["object"].isin(["N 0", "N 1"]), "style"] = "rare"
    task = cut(choose(dataclasses.replace(rows, columns=columns), "style"))
    assert task.dropped_classes == {"rare": 4} and sides(task).max() == 1
    kept = cut(choose(dataclasses.replace(rows, columns=columns), "style", class_filter=False))
    assert set(kept.images["split"][kept.images["label"] == kept.classes.index("rare")]) == {"train"}


def test_views_that_are_labelled_differently_stay_together():
    rows = views([2] * 40)
    columns = rows.columns.assign(style=["front", "back"] * 40)
    columns.loc[3, "style"] = "rare"  # the only one of its class goes with its other view
    task = cut(choose(dataclasses.replace(rows, columns=columns), "style", class_filter=False))
    assert sides(task).max() == 1 and task.size == 80


def test_too_few_objects_is_an_error_that_counts_them():
    with pytest.raises(BadCollection, match="A class needs at least three objects with images that can be read"):
        cut(choose(views([5] * 4), "style", rule="object_disjoint"))
    assert choose(views([5] * 4), "style").rule == "stratified"  # a column of few numbers may be no object's at all

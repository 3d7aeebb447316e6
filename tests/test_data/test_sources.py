from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import paint, told, write_csv

from keras_art.data import cards
from keras_art.data.readers.tables import AGAIN
from keras_art.data.sources import BadCollection, list_images, load_collection

REAL = Path(__file__).parents[3] / "shared" / "data"
needs_real_data = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real collections are not in {REAL}")


def museum(folder: Path, rows: list[list[str]], **how: str) -> Path:
    """images/1.png (a), 2.png (b), 3.png (c) and a labels.csv."""
    for name, colour in zip("123", "abc", strict=True):
        paint(folder / "images" / f"{name}.png", colour)
    return write_csv(folder / "labels.csv", rows, **how)


def names(table: pd.DataFrame) -> list[str]:
    return [os.path.basename(path) for path in table["path"]]


# --- folders


def test_class_folders_give_one_row_per_picture(picture_folder):
    found = load_collection(picture_folder)
    assert list(found.images) == ["id", "path", "object", "split", "bytes"] and found.targets == ["label"]
    assert found.targets == ["label"]
    assert found.name == "pictures"
    assert found.columns["label"].value_counts().to_dict() == {"a": 8, "b": 8, "c": 8}
    assert set(found.images["split"]) == {""}
    assert found.images["id"].is_monotonic_increasing
    assert found.images["id"][0] == "a/a0.png"
    for row in told(found).itertuples():
        assert os.path.isabs(row.path)
        assert os.path.getsize(row.path) == row.bytes
        assert row.path.endswith(row.id)
    assert found.quarantine.empty


@pytest.mark.parametrize("val", ["val", "dev", "Validation"])
def test_train_val_test_folders_bring_their_split(tmp_path, val):
    for i, split in enumerate(["train", "train", val, "test"]):
        for colour in "abc":
            paint(tmp_path / split / colour / f"{i}.png", colour, i)
    table = told(load_collection(tmp_path))
    assert table["split"].value_counts().to_dict() == {"train": 6, "val": 3, "test": 3}
    assert set(table["label"]) == {"a", "b", "c"}


def test_train_and_val_folders_without_test_are_splits_and_not_classes(tmp_path):
    for split in ("train", "val"):
        for colour in "ab":
            paint(tmp_path / split / colour / "1.png", colour)
    table = told(load_collection(tmp_path))
    assert set(table["label"]) == {"a", "b"}
    assert table["split"].value_counts().to_dict() == {"train": 2, "val": 2}


def test_a_single_folder_called_test_is_a_class(tmp_path):
    paint(tmp_path / "test" / "1.png", "a")
    paint(tmp_path / "other" / "1.png", "b")
    assert set(load_collection(tmp_path).columns["label"]) == {"test", "other"}


def test_what_is_no_labelled_image_is_in_the_quarantine(picture_folder):
    paint(picture_folder / "outside.png", "a")
    (picture_folder / "a" / "notes.txt").touch()
    (picture_folder / "README.md").touch()
    (picture_folder / "a" / ".hidden.png").touch()
    found = load_collection(picture_folder)
    assert len(found.images) == 24
    assert dict(zip(found.quarantine["id"], found.quarantine["reason"], strict=True)) == {
        "outside.png": "stands outside the class folders",
        "a/notes.txt": "not called like an image",
    }


def test_folders_beside_train_and_test_are_quarantined(tmp_path):
    for split in ("train", "test", "unused"):
        paint(tmp_path / split / "a" / "1.png", "a")
    found = load_collection(tmp_path)
    assert len(found.images) == 2
    assert found.quarantine["reason"].tolist() == ["stands outside test, train"]


def test_a_link_to_nothing_is_left_to_the_decoder(picture_folder):
    (picture_folder / "a" / "gone.png").symlink_to(picture_folder / "nowhere.png")
    table = told(load_collection(picture_folder)).set_index("id")
    assert table.loc["a/gone.png", "bytes"] == -1


def test_a_name_that_is_not_utf8_is_quarantined(picture_folder):
    odd = os.fsencode(picture_folder / "a") + b"/caf\xe9.png"
    try:
        shutil.copyfile(picture_folder / "a" / "a0.png", odd)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    found = load_collection(picture_folder)
    assert len(found.images) == 24
    assert found.quarantine["id"].tolist() == ["a/caf?.png"]
    found.quarantine.to_csv(picture_folder.parent / "quarantine.csv")


def test_list_images_walks_in_depth_and_in_order(picture_folder):
    paint(picture_folder / "b.png", "b")
    paint(picture_folder / "a" / "deeper" / "1.png", "a")
    found = list_images(picture_folder)
    assert len(found) == 26
    assert found == sorted(found)
    with pytest.raises(BadCollection, match="holds no images"):
        list_images(picture_folder.parent / "nothing")


# --- CSV files


def test_a_folder_with_labels_csv_is_read(picture_csv):
    found = load_collection(picture_csv)
    assert found.name == "museum"
    assert found.targets == ["artist", "style"]
    assert len(found.images) == 24
    assert found.quarantine.empty
    first = told(found).iloc[0]
    assert (first["id"], first["artist"], first["style"]) == ("000.png", "Artist A", "warm")
    assert first["path"] == str(picture_csv / "images" / "000.png")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_separators_and_byte_order_marks(tmp_path, separator, encoding):
    rows = [["maler, geb.", "bild"], ["Dürer, A.", "1.png"], ["x;y", "2.png"]]
    path = museum(tmp_path, rows, separator=separator, encoding=encoding)
    found = load_collection(path)
    assert found.targets == ["maler, geb."]
    assert found.images["id"].tolist() == ["1.png", "2.png"]
    assert found.columns["maler, geb."].tolist() == ["Dürer, A.", "x;y"]


@pytest.mark.parametrize(
    "cell",
    [
        "{}.png",
        "{}",
        "images/{}.png",
        "images/{}",
        "./images/{}.png",
        r"images\{}.png",
        r"images\{}",
        "ABSOLUTE/images/{}.png",
    ],
)
def test_images_are_found_by_path_and_by_name(tmp_path, cell):
    cells = [cell.format(name).replace("ABSOLUTE", str(tmp_path)) for name in "123"]
    path = museum(tmp_path, [["style", "Datei"], *([f"style {i}", text] for i, text in enumerate(cells))])
    found = load_collection(path)
    assert names(told(found).sort_values("style")) == ["1.png", "2.png", "3.png"]
    assert found.targets == ["style"]
    assert found.quarantine.empty


def test_a_csv_elsewhere_takes_absolute_paths(tmp_path, picture_folder):
    rows = [["file", "colour"], *([str(path), path.parent.name] for path in list_images(picture_folder))]
    table = told(load_collection(write_csv(tmp_path / "elsewhere" / "mine.csv", rows)))
    assert len(table) == 24
    assert (table["path"] == table["id"]).all()


def test_the_image_column_is_the_one_with_most_files_not_the_first(tmp_path):
    # 1.png and 2.png exist, so the years "1" and "2" name files too.
    path = museum(tmp_path, [["year", "picture"], ["1", "1"], ["1", "2"], ["2", "3"]])
    assert load_collection(path).targets == ["year"]


def test_a_header_may_hold_another_separator(tmp_path):
    path = museum(tmp_path, [["image", "style; period"], ["1.png", "x"], ["2.png", "y"]])
    assert load_collection(path).targets == ["style; period"]


def test_quoted_fields_may_hold_separators_quotes_and_line_breaks(tmp_path):
    odd = 'Rembrandt, "van Rijn"\nLeiden; 1606'
    path = museum(tmp_path, [["image", "artist"], ["1.png", odd], ["2.png", "x"]])
    assert load_collection(path).columns["artist"].tolist() == [odd, "x"]


def test_sabatellis_layout_with_an_index_column_and_leading_blanks(tmp_path):
    museum(tmp_path, [["x"]])
    (tmp_path / "labels.csv").write_text(
        ",ImageId,dc_creator,dc_materiaal,dc_type\n"
        '0,1, Rembrandt van Rijn, "papier, geschept", prent\n1,2, anoniem,papier,prent\n'
        "2,3, Jan Steen,doek,schilderij\n"
    )
    found = load_collection(tmp_path)
    assert found.targets == ["dc_creator", "dc_materiaal", "dc_type"]
    assert found.columns["dc_creator"].tolist() == ["Rembrandt van Rijn", "anoniem", "Jan Steen"]
    assert found.columns["dc_materiaal"][0] == "papier, geschept"
    assert names(told(found)) == ["1.png", "2.png", "3.png"]


def test_kaokores_layout_gives_its_split_and_dev_is_val(tmp_path):
    rows = [["image", "gender", "status", "set"], ["1.png", "0", "0", "dev"], ["2.png", "1", "3", "train"],
            ["3.png", "1", "2", "test"]]  # fmt: skip
    museum(tmp_path, rows)
    found = load_collection(tmp_path)
    assert found.images["split"].tolist() == ["val", "train", "test"]
    assert found.targets == ["gender", "status"]


def test_a_column_called_set_that_is_no_split_is_a_label(tmp_path):
    path = museum(tmp_path, [["image", "set"], ["1.png", "porcelain"], ["2.png", "silver"]])
    found = load_collection(path)
    assert found.targets == ["set"]
    assert set(found.images["split"]) == {""}


def test_labels_join_on_names_whatever_the_order_of_rows(tmp_path, picture_csv):
    before = told(load_collection(picture_csv))
    lines = (picture_csv / "labels.csv").read_text().splitlines()
    rows = lines[1:]
    random.Random(1).shuffle(rows)
    assert rows != lines[1:]
    (picture_csv / "labels.csv").write_text("\n".join([lines[0], *rows]))
    pd.testing.assert_frame_equal(told(load_collection(picture_csv)), before)


def test_labels_without_images_and_images_without_labels_are_quarantined(picture_csv):
    (picture_csv / "images" / "003.png").rename(picture_csv / "images" / "unknown.png")
    (picture_csv / "images" / "notes.txt").touch()
    found = load_collection(picture_csv)
    assert len(found.images) == 23
    assert "003.png" not in set(found.images["id"])
    assert dict(zip(found.quarantine["id"], found.quarantine["reason"], strict=True)) == {
        "003.png": "labelled, but no such image",
        "unknown.png": "image without a label",
    }


def test_a_name_that_two_images_share_means_neither(tmp_path):
    path = museum(tmp_path, [["image", "style"], ["1.png", "x"], ["2.png", "y"], ["3.png", "y"]])
    paint(tmp_path / "thumbnails" / "1.png", "b")
    found = load_collection(path)
    assert found.images["id"].tolist() == ["2.png", "3.png"]
    reasons = found.quarantine["reason"].tolist()
    assert reasons == ["labelled, but several images are called so: write paths", "image without a label"]


def test_a_label_column_may_be_called_like_one_of_ours(tmp_path):
    found = load_collection(museum(tmp_path, [["image", "path"], ["1.png", "x"], ["2.png", "y"]]))
    assert found.targets == ["path"] and found.columns["path"].tolist() == ["x", "y"]
    assert names(found.images) == ["1.png", "2.png"]


def test_a_column_id_names_the_rows(tmp_path):
    found = load_collection(
        museum(tmp_path, [["ID", "image", "style"], ["SK-2", "1.png", "x"], ["SK-1", "2.png", "y"]])
    )
    assert found.images["id"].tolist() == ["SK-1", "SK-2"]
    assert names(told(found)) == ["2.png", "1.png"]
    assert found.targets == ["style"]


def test_a_label_column_called_id_is_a_label_where_it_names_no_row(tmp_path):
    rows = [["id", "image"], ["x", "1.png"], ["y", "2.png"], ["x", "3.png"]]
    found = load_collection(museum(tmp_path, rows))
    assert found.images["id"].tolist() == ["1.png", "2.png", "3.png"]
    assert found.columns["id"].tolist() == ["x", "y", "x"]
    assert found.images["object"].tolist() == ["x", "y", "x"]  # the same number of a work, for all that is known


def test_paths_are_relative_to_the_collection_where_they_lie_below_it(tmp_path):
    paint(tmp_path / "elsewhere.png", "c")
    rows = [["image", "style"], ["1.png", "x"], ["2.png", "y"], [str(tmp_path / "elsewhere.png"), "z"]]
    found = load_collection(museum(tmp_path / "museum", rows))
    below = [path for path in found.images["path"] if not path.startswith("/")]
    assert found.root == tmp_path / "museum" and all((found.root / path).is_file() for path in below)
    assert set(found.images["path"]) - set(below) == {str(tmp_path / "elsewhere.png")}
    assert all(Path(path).is_absolute() and Path(path).is_file() for path in found.paths())


def test_a_file_of_another_suffix_is_read_as_csv_and_a_manifest_told_how_to_be_fetched(tmp_path):
    museum(tmp_path, [["image", "style"], ["1.png", "x"], ["2.png", "y"]]).rename(tmp_path / "mine.txt")
    assert load_collection(tmp_path / "mine.txt").targets == ["style"]
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(BadCollection, match=r"python -m keras_art fetch .*manifest\.json --root"):
        load_collection(tmp_path / "manifest.json")


def test_a_folder_of_images_alone_is_a_collection_without_labels(tmp_path):
    for i in range(3):
        paint(tmp_path / "heap" / f"{i}.png", "a", i)
    found = load_collection(tmp_path / "heap")
    assert (found.images["id"].tolist(), found.targets) == (["0.png", "1.png", "2.png"], [])
    assert found.quarantine.empty


# --- cards


def test_a_cards_name_reads_its_columns_from_its_folder_of_images(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_ART_DATA", raising=False)
    home = tmp_path / "data" / "rijksmuseum"
    for i, colour in enumerate("abc"):
        paint(home / "jpg2" / f"000{i}.png", colour)
        paint(home / "thumbnails" / f"000{i}.png", colour)
    rows = [[str(i), f"000{i}", f" A{i}", "m", "t"] for i in range(3)]
    write_csv(home / "labels.csv", [["", "ImageId", "dc_creator", "dc_materiaal", "dc_type"], *rows])
    found = load_collection("rijksmuseum", tmp_path / "data")
    assert found.targets == ["artist", "material", "type"]
    assert found.columns["artist"].tolist() == ["A0", "A1", "A2"]
    assert {Path(path).parent.name for path in found.images["path"]} == {"jpg2"}
    assert found.card == cards.load_card("rijksmuseum")
    monkeypatch.setenv("KERAS_ART_DATA", str(tmp_path / "data"))
    pd.testing.assert_frame_equal(told(load_collection("rijksmuseum")), told(found))


def test_a_cards_csv_without_its_columns_is_refused(tmp_path):
    museum(tmp_path, [["image", "gender"], ["1.png", "0"]])
    with pytest.raises(BadCollection, match="lacks the columns set, status; it has image, gender"):
        load_collection("kaokore", tmp_path)


def test_a_card_without_files_says_how_to_obtain_them(tmp_path):
    with pytest.raises(cards.DatasetNotFound, match=r"download\.py"):
        load_collection("kaokore", tmp_path)


# --- what can not be read


def refuse(data: Path | str, message: str) -> None:
    with pytest.raises(BadCollection, match=message):
        load_collection(data)


def test_an_unknown_name_suggests_the_nearest_card():
    refuse("kaokor", "neither a folder nor a file.*did you mean 'kaokore'")


def test_an_empty_folder_says_how_to_fill_it(tmp_path):
    refuse(tmp_path, "no class folders with images and no labels.csv. Put the images into one folder per class")


def test_a_folder_with_a_table_of_another_name_says_so(tmp_path):
    museum(tmp_path / "x", [["image", "style"], ["1.png", "y"]]).rename(tmp_path / "paintings.csv")
    shutil.rmtree(tmp_path / "x")
    refuse(tmp_path, "If paintings.csv is that table")


def test_duplicate_ids_are_named(tmp_path):
    refuse(
        museum(tmp_path, [["image", "style"], ["1.png", "x"], ["2.png", "x"], ["1.png", "y"]]),
        "rows 2 and 4 are both of '1.png', and differ in style: correct them, or leave one out; ids must be unique",
    )


def test_two_rows_without_a_file_name_are_no_duplicates(tmp_path):
    found = load_collection(museum(tmp_path, [["image", "style"], ["1.png", "x"], ["", "y"], ["", "z"]]))
    assert len(found.images) == 1
    assert found.quarantine["reason"].value_counts()["labelled, but its row names no image"] == 2


def test_labels_of_absent_images_only(tmp_path):
    refuse(
        museum(tmp_path, [["image", "style"], ["7.png", "x"], ["8.png", "y"]]),
        "no column .* names images .*beside the table",
    )


def test_a_card_whose_images_are_all_absent(tmp_path):
    museum(tmp_path, [["image", "gender", "status", "set"], ["7.png", "0", "1", "train"]])
    with pytest.raises(BadCollection, match="none of the 1 images"):
        load_collection("kaokore", tmp_path)


def test_no_image_column(tmp_path):
    refuse(museum(tmp_path, [["artist", "style"], ["Rembrandt", "x"], ["Vermeer", "y"]]), "first row: .*Rembrandt")


def test_a_csv_that_is_not_utf8(tmp_path):
    refuse(
        museum(tmp_path, [["image", "style"], ["1.png", "Dürer"]], encoding="latin-1"),
        "not UTF-8 .* save it as 'CSV UTF-8'",
    )


@pytest.mark.parametrize("text", ["", "\n", "image,style\n", "image,style\n,\n"])
def test_an_empty_csv(tmp_path, text):
    (tmp_path / "labels.csv").write_text(text)
    refuse(tmp_path / "labels.csv", "no rows")


@pytest.mark.parametrize("row", ["1.png", "1.png,x,y", "1.png,x,"])
def test_rows_of_unequal_length_are_named_by_line(tmp_path, row):
    path = museum(tmp_path, [["image", "style"], ["2.png", "x"]])
    path.write_text(f"{path.read_text()}{row}\n")
    refuse(path, r"line 3: \d cells, but the first line has 2.*double quotes")


def test_every_row_longer_than_the_header_never_shifts_the_columns(tmp_path):
    museum(tmp_path, [["x"]])
    (tmp_path / "labels.csv").write_text("image,style\n1.png,x,\n2.png,y,\n")
    refuse(tmp_path, "line 2: 3 cells")


def test_a_quote_that_never_ends_does_not_swallow_the_rest(tmp_path):
    path = museum(tmp_path, [["image", "style"], ["1.png", "x"]])
    path.write_text(path.read_text() + '2.png,"half\n3.png,y\n')
    refuse(path, "double quote")


def test_two_columns_of_one_name(tmp_path):
    refuse(museum(tmp_path, [["image", "style", "style"], ["1.png", "x", "y"]]), "several columns called style")


# --- real collections


@needs_real_data
def test_kaokore_has_its_published_split_and_counts():
    found = load_collection("kaokore", REAL)
    assert found.images["split"].value_counts().to_dict() == {"train": 6753, "val": 845, "test": 845}
    test = told(found)[found.images["split"] == "test"]
    assert test["status"].value_counts().sort_index().to_dict() == {"0": 384, "1": 300, "2": 84, "3": 77}
    assert found.quarantine.empty


@needs_real_data
def test_kaokores_three_absent_faces_are_quarantined():
    found = load_collection(REAL / "kaokore" / "labels_v1.2.csv")
    assert sorted(found.quarantine["id"]) == ["00008063.jpg", "00008799.jpg", "00008810.jpg"]
    assert len(found.images) == 8443


@needs_real_data
def test_paintings_has_its_artists_and_styles():
    table = told(load_collection(REAL / "paintings"))
    assert (len(table), table["artist"].nunique(), table["style"].nunique()) == (1254, 19, 23)


# --- objects


@pytest.mark.parametrize("column", ["object_id", "ObjectNumber", "Accession Number", "inventory_number"])
def test_a_column_of_object_numbers_groups_their_views(tmp_path, column):
    rows = [["id", "image", column, "style"], ["a", "1.png", "N 1", "x"], ["b", "2.png", "N 1", "x"]]
    found = load_collection(museum(tmp_path, [*rows, ["c", "3.png", "", "y"]]))
    assert found.images["id"].tolist() == ["a", "b", "c"] and found.images["object"].tolist() == ["N 1", "N 1", "c"]
    assert found.targets == (["style"] if column == "object_id" else [column, "style"])


def test_a_photograph_of_two_objects_is_two_images(tmp_path):
    rows = [["id", "image", "style"], ["N 1", "1.png", "x"], ["N 2", "1.png", "y"], ["N 2", "2.png", "y"]]
    found = load_collection(museum(tmp_path, rows))
    assert found.images["id"].tolist() == ["1.png (N 1)", "1.png (N 2)", "2.png"]
    assert found.images["object"].tolist() == ["N 1", "N 2", "N 2"]


def test_the_same_photograph_of_the_same_object_in_two_styles_is_refused(tmp_path):
    rows = [["id", "image", "style"], ["N 2", "2.png", "x"], ["N 1", "1.png", "x"], ["N 1", "1.png", "y"]]
    with pytest.raises(BadCollection, match=r"rows 3 and 4 are both of '1\.png \(N 1\)', and differ in style: corr"):
        load_collection(museum(tmp_path, rows))


@pytest.mark.parametrize("header", [["image", "style"], ["id", "image", "style"], ["object_number", "image", "style"]])
def test_a_row_that_was_entered_twice_is_one(tmp_path, header):
    rows = [["1.png", "x"], ["2.png", "y"], ["1.png", "x"], ["3.png", "x"]]
    if len(header) == 3:
        rows = [[row[0][0], *row] for row in rows]
    found = load_collection(museum(tmp_path, [header, *rows]))
    assert [path.rpartition("/")[2] for path in found.images["path"]] == ["1.png", "2.png", "3.png"]
    assert found.quarantine[["path", "reason"]].to_numpy().tolist() == [["1.png", AGAIN]]


def test_the_pictures_of_a_table_may_lie_elsewhere(tmp_path):
    for n in range(3):
        paint(tmp_path / "pictures" / f"{n}.png", "a", n, 8)
    write_csv(tmp_path / "tables" / "works.csv", [["image", "artist"], *([f"{n}.png", "Anna"] for n in range(3))])
    with pytest.raises(BadCollection, match="name their folder with --root"):
        load_collection(tmp_path / "tables" / "works.csv")
    for data in (tmp_path / "tables" / "works.csv", tmp_path / "pictures"):
        assert len(load_collection(data, tmp_path / "pictures").images) == 3  # a folder of its own needs no root
    beside = tmp_path / "pictures" / "labels.csv"
    write_csv(beside, [["image", "artist"], ["0.png", "Anna"]])
    assert len(load_collection(beside, tmp_path / "tables").images) == 1

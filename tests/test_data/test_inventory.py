"""Rows without files and files without rows, by inventory numbers."""

from __future__ import annotations

import pytest
from conftest import paint, write_csv

from keras_art.data import inventory
from keras_art.data.sources import load_collection


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("0012_front.jpg", "0012"),
        ("SK-A-1 (verso).tif", "sk-a-1"),
        ("photo 1999.12.jpg", "1999.12"),
        ("0012.png", "0012"),
    ],
)
def test_the_words_of_a_name_may_be_its_number(name, held):
    assert held in inventory.words(name) and "001" not in inventory.words(name)


def test_what_has_no_counterpart_is_told_by_its_number(tmp_path):
    for name in ("a.png", "0012_verso.png", "0013_landscap.png", "stray.png"):
        paint(tmp_path / "images" / name, "a")
    rows = [
        ["Inventarisnummer", "bestand", "titel"], ["0011", "a.png", "A"], ["0012", "lost.png", "B"],
        ["0013", "0013_landscape.png", "C"], ["0014", "nowhere.png", "D"],
    ]  # fmt: skip
    found = inventory.unmatched(write_csv(tmp_path / "list.csv", rows))
    told = found[["what", "number", "named", "file", "nearest"]].to_numpy().tolist()
    assert told == [
        [inventory.NO_FILE, "0012", "lost.png", "", "images/0012_verso.png"],
        [inventory.NO_FILE, "0013", "0013_landscape.png", "", "images/0013_landscap.png"],
        [inventory.NO_FILE, "0014", "nowhere.png", "", ""],
        [inventory.NO_ROW, "0012", "", "images/0012_verso.png", ""],
        [inventory.NO_ROW, "0013", "", "images/0013_landscap.png", ""],
        [inventory.NO_ROW, "", "", "images/stray.png", ""],
    ]


def test_a_row_that_names_no_image_is_left_out_by_its_number(tmp_path):
    for name in ("a.png", "b.png"):
        paint(tmp_path / name, "a")
    rows = [["Inventarisnummer", "bestand", "titel"], ["1", "a.png", "A"], ["0012", "", "B"], ["3", "b.png", "C"]]
    left = load_collection(write_csv(tmp_path / "list.csv", rows)).quarantine
    assert left.to_numpy().tolist() == [["0012", "", "labelled, but its row names no image"]]


def test_a_whole_table_leaves_nothing(tmp_path):
    paint(tmp_path / "a.png", "a")
    paint(tmp_path / "b.png", "b")
    assert inventory.unmatched(write_csv(tmp_path / "list.csv", [["f", "x"], ["a.png", "1"], ["b.png", "2"]])).empty

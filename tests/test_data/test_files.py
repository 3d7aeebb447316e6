"""Which files of a folder are pictures of a collection, and which of them a cell of a table means."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest
from conftest import paint, write_csv

from keras_art.data.readers.files import list_images, spelling, walk
from keras_art.data.sources import BadCollection, load_collection
from keras_art.outputs import own_folder
from keras_art.store.runs import Store


def works(folder: Path) -> Path:
    """Class folders a and b, a picture each."""
    for name in "ab":
        paint(folder / name / "1.png", name)
    return folder


def reasons(folder: Path) -> dict[str, str]:
    found = load_collection(folder).quarantine
    return dict(zip(found["id"], found["reason"], strict=True))


# --- our own output, and the system's


@pytest.mark.parametrize(
    "place",
    [
        "@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg",
        "a/@eaDir/1.png/SYNOPHOTO_THUMB_XL.jpg",
        "$RECYCLE.BIN/S-1-5-21/$R1.jpg",
        "#recycle/1.png",
        "@Recycle/1.png",
        "@__thumb/1.png",
        "__MACOSX/a/1.png",
        "lost+found/1.png",
        "System Volume Information/1.png",
        "b/THMBNL/1.jpg",
        "RECYCLED/1.jpg",
        "a/~snapshot/1.jpg",
        "@tmp/1.jpg",
        ".thumbnails/1.png",
        ".Trash-1000/files/1.png",
        "a/._1.png",
        "a/.1.png",
    ],
)
def test_what_systems_make_is_no_work(tmp_path, place):
    paint(works(tmp_path) / place, "c")
    found = load_collection(tmp_path)
    assert found.images["id"].tolist() == ["a/1.png", "b/1.png"] and found.quarantine.empty


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini", "ehthumbs.db", ".DS_Store"])
def test_what_desktops_leave_is_no_problem(tmp_path, name):
    (works(tmp_path) / "a" / name).touch()
    assert load_collection(tmp_path).quarantine.empty


def store_at(folder: Path) -> None:
    Store(folder).create()


def old_store_at(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "store.json").write_text('{"format": 1}')


def curated_at(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "curation.json").write_text(json.dumps({"split_sha256": "0"}))


def report_at(folder: Path) -> None:
    own_folder(folder, "doctor")


@pytest.mark.parametrize("make", [store_at, old_store_at, curated_at, report_at])
@pytest.mark.parametrize("place", ["runs", "a/runs", "b/deep/er"])
def test_our_own_output_is_no_work_and_is_named(tmp_path, make, place):
    make(works(tmp_path) / place)
    paint(tmp_path / place / "sabatelli2018" / "figures" / "confusion.png", "c")
    found = load_collection(tmp_path)
    assert found.images["id"].tolist() == ["a/1.png", "b/1.png"]
    assert reasons(tmp_path) == {place: "made by keras_art, and no part of a collection"}


def test_somebody_elses_store_json_is_a_file_like_others(tmp_path):
    (works(tmp_path) / "b" / "store.json").write_text('["a shop"]')
    assert len(load_collection(tmp_path).images) == 2


def test_a_folder_of_ours_is_read_when_it_is_asked_for_and_a_folder_in_use_is_not_marked(tmp_path):
    own_folder(works(tmp_path), "doctor")
    assert not (tmp_path / ".keras_art").exists()
    own_folder(tmp_path / "over", "doctor")
    works(tmp_path / "over")
    assert len(load_collection(tmp_path / "over").images) == 2


def test_a_store_is_no_collection_whatever_is_in_it(tmp_path):
    paint(tmp_path / "store" / "only" / "figures" / "1.png", "a")
    Store(tmp_path / "store").create()
    with pytest.raises(BadCollection, match="is a store of runs"):
        load_collection(tmp_path / "store")


def test_a_store_is_no_collection(tmp_path):
    Store(works(tmp_path)).create()
    with pytest.raises(BadCollection, match="is a store of runs"):
        load_collection(tmp_path)


# --- links, and folders that can not be opened


def test_a_class_folder_that_is_a_link_is_followed(tmp_path):
    paint(tmp_path / "elsewhere" / "2.png", "c")
    (works(tmp_path / "in") / "c").symlink_to(tmp_path / "elsewhere")
    found = load_collection(tmp_path / "in")
    assert dict(zip(found.images["id"], found.columns["label"], strict=True))["c/2.png"] == "c"


@pytest.mark.parametrize("target", [".", "a", "../in", "..", "a/back"])
def test_links_that_lead_round_in_a_circle_end_and_are_named(tmp_path, target):
    (works(tmp_path / "in") / "a" / "back").symlink_to(tmp_path / "in" / target, target_is_directory=True)
    listed = list(walk(tmp_path / "in"))
    assert [path for path in listed if "back" not in path] == [str(tmp_path / f"in/{name}/1.png") for name in "ab"]
    if target != "a/back":  # a link to itself is a link to nothing
        assert "a link that leads back to a folder above it" in reasons(tmp_path / "in").values()


def test_two_links_to_one_another_end(tmp_path):
    works(tmp_path)
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "a").symlink_to(tmp_path / "a")
    assert sorted(os.path.relpath(path, tmp_path) for path in walk(tmp_path)) == [
        "a/1.png", "a/b/1.png", "b/1.png", "b/a/1.png",
    ]  # fmt: skip


def test_a_folder_that_can_not_be_opened_is_named(tmp_path, monkeypatch):
    works(tmp_path)
    real = os.scandir

    def closed(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", closed)
    left_out: list[tuple[str, str]] = []
    assert len(list_images(tmp_path, left_out)) == 1
    assert left_out == [(str(tmp_path / "b"), "this folder can not be opened (Permission denied)")]


def test_a_link_to_a_folder_that_is_not_there_is_named_by_what_takes_every_picture(tmp_path):
    (works(tmp_path) / "c").symlink_to(tmp_path / "unmounted")
    left_out: list[tuple[str, str]] = []
    assert len(list_images(tmp_path, left_out)) == 2
    assert left_out == [(str(tmp_path / "c"), "a link to what is not there")]


# --- names


COMPOSED, APART = unicodedata.normalize("NFC", "dürer"), unicodedata.normalize("NFD", "dürer")


@pytest.mark.parametrize(
    ("on_disk", "cell"),
    [
        (f"{APART}1.jpg", f"{COMPOSED}1.jpg"),
        (f"{COMPOSED}1.jpg", f"{APART}1.jpg"),
        (f"{APART}/1.jpg", f"{COMPOSED}/1.jpg"),
        (f"{APART}1.jpg", COMPOSED + "1"),
        ("IMG1.JPG", "img1.jpg"),
        ("img1.jpg", "IMG1.JPG"),
        ("Straße.jpg", "STRASSE.JPG"),
        ("Ωmega.jpg", "ωMEGA.jpg"),
        ("painting .jpg", "painting.jpg"),
        (" painting.jpg", "painting.jpg"),
        ("Monet /1.jpg", "Monet/1.jpg"),
        ("d#U00fcrer1.jpg", f"{COMPOSED}1.jpg"),
        ("1.jpg", r"C:\Users\me\scans\1.jpg"),
        ("1.jpg", "D:/scans/1.jpg"),
        ("images/1.jpg", "/content/drive/MyDrive/art/images/1.jpg"),
        ("images/1.jpg", r"\\server\share\1.jpg"),
        ("images/1.jpg", "file:///home/me/images/1.jpg"),
        ("images/1.jpg", "https://example.org/iiif/1.jpg"),
        ("images/1.jpg", "s3://bucket/images/1.jpg"),
        ("images/1.jpg", "~/art/1.jpg"),
        ("images/IMG1.JPG", "/mnt/data/img1.jpg"),
        ("a\\b.jpg", "a\\b.jpg"),
        ("~x.jpg", "~x.jpg"),
        ("1.jpg", "./1.jpg"),
    ],
)
def test_a_cell_finds_the_one_file_it_can_mean(tmp_path, on_disk, cell):
    paint(tmp_path / "other.png", "b").rename(tmp_path / "other.jpg")
    (tmp_path / on_disk).parent.mkdir(exist_ok=True)
    paint(tmp_path / "x.png", "a").rename(tmp_path / on_disk)
    write_csv(tmp_path / "labels.csv", [["file", "artist"], [cell, "Dürer"], ["other.jpg", "x"]])
    found = load_collection(tmp_path)
    assert os.path.normpath(tmp_path / on_disk) in found.paths() and len(found.images) == 2


@pytest.mark.parametrize(
    ("on_disk", "cells"),
    [
        (["IMG1.jpg", "img1.jpg"], ["Img1.jpg"]),
        ([f"{APART}.jpg", f"{COMPOSED.upper()}.jpg"], [f"{COMPOSED}.jpg"]),
        (["x/1.jpg", "y/1.jpg"], [r"C:\1.jpg"]),
    ],
)
def test_a_cell_that_could_mean_several_means_none_and_is_named(tmp_path, on_disk, cells):
    for i, name in enumerate([*on_disk, "other.jpg"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        paint(tmp_path / "x.png", "a", i).rename(tmp_path / name)
    write_csv(tmp_path / "labels.csv", [["file", "artist"], *([cell, "x"] for cell in cells), ["other.jpg", "y"]])
    assert "several images are called so" in reasons(tmp_path)[cells[0]]


def test_what_an_absolute_path_means_by_its_name_is_another_rows_if_that_is_surer(tmp_path):
    paint(tmp_path / "b" / "1.png", "a")
    paint(tmp_path / "b" / "2.png", "b")
    rows = [["file", "artist"], [r"C:\a\1.png", "x"], ["b/1.png", "y"], ["b/2.png", "z"]]
    found = load_collection(write_csv(tmp_path / "labels.csv", rows))
    assert found.columns["artist"].tolist() == ["y", "z"]
    assert found.quarantine["id"].tolist() == [r"C:\a\1.png"]


def test_a_name_with_other_letters_is_another_file(tmp_path):
    """The images of two painters whose names differ in their accents alone must not be taken for one another."""
    paint(tmp_path / "müller.png", "a")
    paint(tmp_path / "x.png", "a")
    rows = [["file", "artist"], ["möller.png", "Möller"], ["x.png", "X"]]
    assert load_collection(write_csv(tmp_path / "labels.csv", rows)).columns["artist"].tolist() == ["X"]
    assert spelling("李1.jpg") != spelling("张1.jpg")


@pytest.mark.parametrize("suffix", ["psd", "svg", "pdf", "dng", "raw"])
def test_a_format_that_is_not_read_is_called_so_in_tables_and_folders(tmp_path, suffix):
    (works(tmp_path) / "a" / f"x.{suffix}").write_bytes(b"x")
    assert reasons(tmp_path) == {f"a/x.{suffix}": f"a format that is not read ({suffix.upper()})"}
    write_csv(tmp_path / "labels.csv", [["file", "artist"], [f"a/x.{suffix}", "x"], ["a/1.png", "y"]])
    assert reasons(tmp_path)[f"a/x.{suffix}"] == f"labelled, but a format that is not read ({suffix.upper()})"


def test_a_name_that_is_no_utf8_is_named_beside_a_table_and_found_by_none(tmp_path):
    paint(tmp_path / "1.png", "a")
    try:
        os.link(tmp_path / "1.png", os.fsencode(tmp_path) + b"/caf\xe9.png")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    write_csv(tmp_path / "labels.csv", [["file", "artist"], ["1.png", "x"], ["café.png", "y"]])
    assert reasons(tmp_path)["caf?.png"] == "its name is not UTF-8: rename it"
    left_out: list[tuple[str, str]] = []
    assert [path.name for path in list_images(tmp_path, left_out)] == ["1.png"] and len(left_out) == 1

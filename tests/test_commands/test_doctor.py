from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import paint, write_csv
from PIL import Image

from keras_art.commands import doctor


@pytest.fixture
def ward(tmp_path):
    """A museum with everything wrong that a doctor should find: 6 usable images, 5 that are not."""
    images = tmp_path / "museum" / "images"
    for i, colour in enumerate("abc"):
        paint(images / f"{i}.png", colour, size=64)
    shutil.copyfile(images / "0.png", images / "copy.png")
    with Image.open(images / "1.png") as one:
        one.resize((640, 320)).save(images / "alike.jpg", quality=60)
        exif = one.getexif()
        exif[0x0112] = 6
        one.rotate(90, expand=True).convert("L").save(images / "turned.jpg", exif=exif)
    (images / "empty.jpg").touch()
    (images / "cut.jpg").write_bytes((images / "alike.jpg").read_bytes()[:900])
    (images / "text.png").write_text("not a picture")
    Image.fromarray(np.zeros((10, 10), np.uint8)).save(images / "unlabelled.png")
    names = ["0.png", "1.png", "2.png", "copy.png", "alike.jpg", "turned.jpg", "empty.jpg", "cut.jpg", "text.png", "no"]
    rights = ["CC0", "CC0", "", "CC0", "CC BY", "", "CC0", "CC0", "CC0", "CC0"]
    styles = ["x", "y", "x", "y", "y", "x", "x", "x", "x", "x"]
    rows = [["image", "style", "rights"], *map(list, zip(names, styles, rights, strict=True))]
    write_csv(tmp_path / "museum" / "labels.csv", rows)
    return tmp_path / "museum"


def examined(ward, tmp_path, capsys):
    words = ["check", str(ward), "--out", str(tmp_path / "report"), "--store", str(tmp_path / "runs")]
    assert doctor.main(words) == 0
    return capsys.readouterr().out


def test_every_problem_is_counted_with_an_example(ward, tmp_path, capsys):
    printed = examined(ward, tmp_path, capsys)
    assert "museum: 6 images can be used, 5 of 11 can not" in printed
    for words in ("1 x empty file", "1 x truncated", "1 x not an image", "1 x labelled, but no such image",
                  "1 x image without a label"):  # fmt: skip
        assert words in printed
    quarantine = pd.read_csv(tmp_path / "report" / "quarantine.csv")
    assert set(quarantine["id"]) == {"empty.jpg", "cut.jpg", "text.png", "no", "unlabelled.png"}
    assert quarantine["reason"].notna().all()


def test_copies_look_alikes_and_their_disagreeing_labels_are_found(ward, tmp_path, capsys):
    printed = examined(ward, tmp_path, capsys)
    assert "2 files are copies of another, byte for byte, in 1 groups" in printed
    assert "1 groups of copies are labelled differently as to style" in printed
    groups = pd.read_csv(tmp_path / "report" / "duplicates.csv").groupby("alike")["id"].apply(set)
    assert {"0.png", "copy.png"} in list(groups)
    assert any({"1.png", "alike.jpg"} <= group for group in groups)


def test_colours_sizes_rotation_and_rights_are_told(ward, tmp_path, capsys):
    printed = examined(ward, tmp_path, capsys)
    assert "4 x PNG, 2 x JPEG" in printed
    assert "5 x RGB, 1 x L" in printed
    assert "1 images are stored turned" in printed
    assert "640 x 320" in printed.partition("Largest")[2].splitlines()[1]
    assert "3 x CC0" in printed
    assert "2 x nothing said" in printed
    facts = pd.read_csv(tmp_path / "report" / "images.csv").set_index("id")
    assert facts.loc["turned.jpg", "orientation"] == 6
    assert list(facts.columns[:4]) == ["path", "object", "split", "bytes"] and "style" in facts
    assert Path(facts.loc["turned.jpg", "path"]).is_file()


def test_the_page_shows_the_look_alikes_and_escapes_what_files_are_called(ward, tmp_path, capsys):
    paint(ward / "images" / "<b>.png", "a", size=64)
    with (ward / "labels.csv").open("a") as file:
        file.write("<b>.png,x,CC0\n")
    examined(ward, tmp_path, capsys)
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count('src="data:image/jpeg;base64,') >= 5
    assert "&lt;b&gt;.png" in page
    assert "<b>" not in page


def test_a_collection_of_nothing_but_problems_is_reported_on_too(tmp_path, capsys):
    (tmp_path / "bad" / "a").mkdir(parents=True)
    (tmp_path / "bad" / "a" / "1.jpg").touch()
    words = [str(tmp_path / "bad"), "--out", str(tmp_path / "report"), "--store", str(tmp_path / "runs")]
    assert doctor.main(words) == 1
    assert "0 images can be used, 1 of 1 can not" in capsys.readouterr().out


def test_images_above_pillows_limit_are_a_quarantine_row(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    paint(tmp_path / "big" / "a" / "1.png", "a", size=64)
    paint(tmp_path / "big" / "a" / "2.png", "a", size=16)
    paint(tmp_path / "big" / "a" / "3.png", "a", size=36)
    words = [str(tmp_path / "big"), "--out", str(tmp_path / "report"), "--store", str(tmp_path / "runs")]
    assert doctor.main(words) == 0
    assert "2 x too large" in capsys.readouterr().out


def test_how_pictures_were_read_is_told(ward, tmp_path, capsys):
    Image.fromarray(np.arange(256, dtype=np.uint16).reshape(16, 16) * 16).save(ward / "images" / "2.png")
    shutil.copyfile(ward / "images" / "0.png", ward / "images" / "alike.jpg")
    told = examined(ward, tmp_path, capsys).partition("How they were read")[2]
    said = [line.strip() for line in told.partition("Turned by EXIF")[0].splitlines() if line]
    assert said == ["1 x 12 bits in samples of 16", "1 x PNG called .jpg"]


def test_a_raised_limit_reads_larger_pictures(ward, tmp_path, capsys, monkeypatch):
    paint(ward / "images" / "2.png", "c", size=250)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60_000)
    printed = examined(ward, tmp_path, capsys)
    assert (
        "5 images can be used" in printed and "1 x too large" in printed
    )  # the JPEG has more, and counts by a quarter
    words = ["check", str(ward), "--out", str(tmp_path / "report"), "--store", str(tmp_path / "runs")]
    assert doctor.main([*words, "--max_pixels", "62500"]) == 0
    assert "6 images can be used" in capsys.readouterr().out

from __future__ import annotations

import re
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


def examined(ward, tmp_path, capsys, *more):
    words = ["check", str(ward), "--out", str(tmp_path / "report"), "--store", str(tmp_path / "runs")]
    assert doctor.main([*words, *more]) == 0
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


def test_of_rows_that_name_no_image_none_is_the_first(ward, tmp_path, capsys):
    with (ward / "labels.csv").open("a") as file:
        file.write(",x,CC0\n")
    assert "1 x labelled, but its row names no image\n" in examined(ward, tmp_path, capsys)


def test_copies_look_alikes_and_their_disagreeing_labels_are_found(ward, tmp_path, capsys):
    printed = examined(ward, tmp_path, capsys)
    assert "2 files are copies of another, byte for byte, in 1 group\n" in printed
    assert "1 group of copies is labelled differently as to style" in printed
    groups = pd.read_csv(tmp_path / "report" / "duplicates.csv").groupby("alike")["id"].apply(set)
    assert {"0.png", "copy.png"} in list(groups)
    assert any({"1.png", "alike.jpg"} <= group for group in groups)
    differs = pd.read_csv(tmp_path / "report" / "duplicates.csv").set_index("id")["differs"]
    assert differs["copy.png"].startswith("the same file, byte for byte; style 'y', the first 'x'")


def test_copies_among_files_without_a_row_are_found(ward, tmp_path, capsys):
    shutil.copyfile(ward / "images" / "2.png", ward / "images" / "stray.png")
    printed = examined(ward, tmp_path, capsys)
    assert "museum: 6 images can be used" in printed  # the stray one is none of them
    assert "4 files are copies of another, byte for byte, in 2 groups" in printed
    assert "1 of these is a file that no row names" in printed
    copies = pd.read_csv(tmp_path / "report" / "duplicates.csv", keep_default_na=False).set_index("id")["differs"]
    assert copies["images/stray.png"] == "the same file, byte for byte; no row names it"
    assert len(pd.read_csv(tmp_path / "report" / "images.csv")) == 6
    page = (tmp_path / "report" / "report.html").read_text()
    assert '<a href="../museum/images/stray.png">' in page and "byte for byte; no row names it" in page


def test_colours_sizes_rotation_and_rights_are_told(ward, tmp_path, capsys):
    printed = examined(ward, tmp_path, capsys)
    assert "4 x PNG, 2 x JPEG" in printed
    assert "5 x RGB, 1 x L" in printed
    assert "1 image is stored turned" in printed
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
    assert "first images/" in page and str(tmp_path) not in page  # it can be sent to others


def test_pictures_of_one_size_are_told_as_that_without_smallest_and_largest(ward, tmp_path, capsys):
    assert "Smallest\n" in examined(ward, tmp_path, capsys)
    for seed in range(3):
        noise = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)
        (tmp_path / "even").mkdir(exist_ok=True)
        Image.fromarray(noise).save(tmp_path / "even" / f"{seed}.png")
    printed = examined(tmp_path / "even", tmp_path, capsys)
    assert "Sizes\n  all are 64 x 48\n" in printed and "Smallest" not in printed and "Largest" not in printed


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


@pytest.fixture
def versions(tmp_path):
    """Six scenes, three of them mirrored, cut and turned in other files; black, white; a table with a row too many."""
    images = tmp_path / "museum" / "images"
    images.mkdir(parents=True)
    rows = [["Inventarisnummer", "image", "artist"]]
    for seed in range(6):
        rng = np.random.default_rng(seed)
        parts = [Image.fromarray(rng.integers(0, 256, (n, n, 3), np.uint8)).resize((200, 160), 3) for n in (5, 24)]
        scene = Image.blend(*parts, 0.4)
        scene.save(images / f"{seed:04d}.png")
        if seed == 0:
            scene.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(images / "0010.png")
        if seed == 1:
            scene.crop((24, 19, 176, 141)).save(images / "0011.png")
        if seed == 2:
            scene.rotate(-2, Image.Resampling.BICUBIC).save(images / "0012.jpg")
    for i, colour in enumerate(("black", "white")):
        Image.new("RGB", (200, 160), colour).save(images / f"002{i}.png")
    rows += [[path.stem, path.name, "x" if path.stem < "0010" else "y"] for path in sorted(images.iterdir())]
    Image.new("RGB", (30, 20), "red").save(images / "0099_verso.png")
    rows.append(["0099", "0099.png", "y"])
    write_csv(tmp_path / "museum" / "labels.csv", rows)
    return tmp_path / "museum"


def test_versions_are_shown_and_black_is_not_alike_white(versions, tmp_path, capsys):
    printed = examined(versions, tmp_path, capsys)
    assert "1 x mirrored" in printed and "1 x cut by 12% at each side" in printed
    assert "1 x turned by 2° clockwise" in printed
    assert "2 x uniform" in printed
    twins = pd.read_csv(tmp_path / "report" / "duplicates.csv", dtype=str)
    assert sorted(map(sorted, twins.groupby("alike")["id"].apply(list))) == [
        ["0000.png", "0010.png"], ["0001.png", "0011.png"], ["0002.png", "0012.jpg"],
    ]  # fmt: skip
    said = twins.set_index("id")["differs"].dropna()
    assert said["0011.png"].startswith("cut by 12% at each side; 152 x 122 pixels, the first 200 x 160; artist 'y'")
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("<h1>") == 1 and "museum: " not in page
    assert 'href="../museum/images/0010.png"' in page and "Uniform: 2" in page
    words = [
        "check",
        str(versions),
        "--out",
        str(tmp_path / "no"),
        "--store",
        str(tmp_path / "runs"),
        "--versions",
        "no",
    ]
    assert doctor.main(words) == 0
    assert "were not looked for: --versions yes does" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "no" / "duplicates.csv").empty


def test_rows_and_files_without_each_other_are_told_by_their_number(versions, tmp_path, capsys):
    printed = examined(versions, tmp_path, capsys)
    told = printed.partition("Beside the table")[2]
    assert "  0099.png; images/0099_verso.png is called nearly so" in told  # whose number is its name
    assert "0099: images/0099_verso.png" in told
    found = pd.read_csv(tmp_path / "report" / "unmatched.csv", dtype=str)
    assert found["number"].tolist() == ["0099", "0099"]
    table = pd.read_csv(versions / "labels.csv", dtype=str)
    named = table["image"].where(table["image"] != "0099.png", "0099")
    table.assign(image=named).to_excel(versions / "labels.xlsx", index=False)
    (versions / "labels.csv").rename(versions / "old.csv")
    assert re.search(r"\n +0099 \(row \d+\)", examined(versions / "labels.xlsx", tmp_path, capsys))
    (versions / "old.csv").rename(versions / "labels.csv")
    (versions / "labels.xlsx").unlink()
    (versions / "images" / "0099_verso.png").write_bytes(b"\x89PNG\r\n\x1a\n")  # no row names it, and it is damaged
    examined(versions, tmp_path, capsys)
    bad = pd.read_csv(tmp_path / "report" / "quarantine.csv").set_index("path")["reason"]
    (reason,) = bad[bad.index.str.endswith("0099_verso.png")]
    assert reason.endswith(" (image without a label)") and not reason.startswith("image")


@pytest.mark.parametrize("asked", ["few/labels.csv", "few"])
def test_a_tables_pictures_may_lie_elsewhere(ward, tmp_path, capsys, asked):
    (tmp_path / "few").mkdir()
    (ward / "labels.csv").rename(tmp_path / "few" / "labels.csv")
    printed = examined(tmp_path / asked, tmp_path, capsys, "--root", str(ward))
    assert "6 images can be used, 5 of 11 can not" in printed and "images/unlabelled.png" in printed
    found = pd.read_csv(tmp_path / "report" / "unmatched.csv", keep_default_na=False)
    assert found[["named", "file"]].to_numpy().tolist() == [["no", ""], ["", "images/unlabelled.png"]]


def test_what_is_not_there_is_one_line_with_its_neighbour(versions, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for word, told in [
        ("musuem", "'musuem' is neither a folder nor a file: did you mean museum?"),
        ("museum/label.csv", "did you mean museum/labels.csv?"),
        ("NOWHERE", "'NOWHERE' is neither a folder nor a file, and no card is called so (python -m keras_art cards)"),
        ("a/b.csv", "'a/b.csv' is neither a folder nor a file\n"),
        ("kaokor", "did you mean 'kaokore'?"),
    ]:
        assert doctor.main(["check", word]) == 1
        assert told in (said := capsys.readouterr().err) and said.count("\n") == 1 and len(said) < 200


@pytest.mark.slow
def test_the_page_in_a_browser(versions, tmp_path, capsys):
    from browser import opened

    name = "<img src=x onerror=executed=1>.png".replace("/", "")
    shutil.copyfile(versions / "images" / "0002.png", versions / "images" / name)
    with (versions / "labels.csv").open("a") as file:
        file.write(f"0050,{name},<b>x</b>\n")
    examined(versions, tmp_path, capsys)
    with opened(tmp_path / "report" / "report.html") as seen:
        assert seen.page.locator(".pair").count() == 3
        assert seen.page.locator(".pair a").first.get_attribute("href").startswith("../museum/images/")
        assert seen.problems() == []

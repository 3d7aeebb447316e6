"""What a dry run refuses because the real one would, before any picture is opened, through every reproduction."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import keras
import pytest
from conftest import paint, write_csv

OWN = ("--networks", "ResNet50", "--weights", "none", "--image_size", "64")
TABLE = [
    ("sabatelli2018", ("--target", "unique", *OWN), "0 classes of 'unique' left, 12 dropped"),
    ("kaokore2020", ("--targets", "unique", *OWN), "0 classes of 'unique' left, 12 dropped"),
    ("multitask", ("--targets", "unique", "--tasks", "unique", *OWN), "of 'unique'"),
    ("multitask", ("--targets", "artist", "unique", *OWN), "0 classes of 'unique' in all of train, val and test"),
    ("gram_style", ("--targets", "unique", *OWN), "of 'unique'"),
    ("st_saclf", ("--target", "unique", *OWN), "0 classes of 'unique' left, 12 dropped"),
    ("st_saclf", ("--target", "artist", "--rare", "nobody", *OWN), "no class is called nobody; there are a0, a1"),
    (
        "sabatelli2021",
        ("--target", "unique", "--networks", "ResNet20", "--image_size", "36", "--crop", "32"),
        "0 classes",
    ),
    ("dcec_paint", ("--k", "20"), "--k 20 needs at least 20 images, museum has 12"),
    ("sabatelli2018", ("--target", "artist", "--artist", "Kunstenar", *OWN), "did you mean 'Kunstenaar'"),
    ("sabatelli2018", ("--target", "artist", "--sheet", "x", *OWN), "has no sheets: leave out --sheet x"),
    (
        "sabatelli2018",
        ("--target", "artist", "--split", "artist_disjoint", *OWN),
        "the artist is what is to be predicted",
    ),
    (
        "sabatelli2018",
        ("--target", "artist", *OWN, "--executor", "ray", "--cluster.address", "localhost:1"),
        "ay ",
    ),  # not here, or not installed
]
LITTLE = ("--networks", "little.keras", "--preprocessing", "tf", "--image_size", "16")
ARTIST, ARTISTS = ("--target", "artist", *LITTLE), ("--targets", "artist", *LITTLE)
OF_NETWORKS = [
    ("sabatelli2018", (*ARTIST, "--image_size", "20"), "give --image_size 16"),
    ("sabatelli2018", (*ARTIST, "--freeze_until", "conv9"), "conv9"),
    ("sabatelli2018", (*ARTIST, "--lora", "4"), "dense"),
    ("sabatelli2018", (*ARTIST, "--optimizer", "Adamm@1e-3"), "no optimizer called Adamm"),
    ("sabatelli2018", (*ARTIST, "--weights", "little.keras=labels.h5"), "holds no weights for little"),
    ("kaokore2020", (*ARTISTS, "--image_size", "20"), "give --image_size 16"),
    ("sabatelli2018", (*ARTIST, "--weights", "demo"), "--weights demo holds for none of --networks"),
    ("kaokore2020", (*ARTISTS, "--weights", "imagenet"), "--weights imagenet holds for none of --networks"),
    ("multitask", (*ARTISTS, "--tasks", "artist", "--weights", "imagenet"), "--weights imagenet holds for none of"),
    ("st_saclf", (*ARTIST, "--weights=imagenet"), "--weights imagenet holds for none of --networks"),
    ("multitask", (*ARTISTS, "--tasks", "gram", "--gram_tap", "conv9"), "no layer 'conv9'"),
    ("multitask", (*ARTISTS, "--tasks", "artist", "--optimizer", "Adamm@1e-3"), "no optimizer called Adamm"),
    ("gram_style", (*ARTISTS, "--tasks", "gram", "--gram_tap", "conv9"), "no layer 'conv9'"),
    ("st_saclf", (*ARTIST, "--taps", "conv9", "conv8"), "no layer 'conv9'"),
    ("st_saclf", (*ARTIST, "--taps", "conv", "--stages", "1@1e-3", "1@1e-4:block9_"), "block9_"),
    ("sabatelli2021", (*ARTIST, "--image_size", "20", "--crop", "0"), "give --image_size 16"),
    ("sabatelli2021", (*ARTIST, "--crop", "0", "--stages", "99"), "stages"),
    (
        "dcec_paint",
        ("--k", "2", "--backbone", "little.keras", "--image_size", "24", "--preprocessing", "tf"),
        "size 16",
    ),
    (
        "st_saclf",
        (*ARTIST, "--taps", "conv", "--stages", "1@1e-3", "--prior", "broken"),
        "1 of the 6 masks can not be read",
    ),
    (
        "st_saclf",
        (*ARTIST, "--taps", "conv", "--stages", "1@1e-3", "--prior", "large"),
        "masks are of another size than their works",
    ),
]


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    pixels = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(pixels)
    path = tmp_path_factory.mktemp("network") / "little.keras"
    keras.Model(pixels, keras.layers.MaxPooling2D(name="pool")(x), name="little").save(path)
    return path


def museum(folder: Path) -> None:
    """12 pictures, two labels, and columns of masks for half of them, of which one is no picture or too large."""
    rows = [["image", "unique", "artist", "Kunstenaar", "broken", "large"]]
    paint(folder / "large.png", "a", size=48)
    for i in range(12):
        paint(folder / f"{i}.png", "abc"[i % 3], i)
        masks = ["labels.csv" if i == 5 else f"{i}.png", "large.png" if i == 5 else f"{i}.png"] if i < 6 else ["", ""]
        rows.append([f"{i}.png", f"u{i}", f"a{i % 2}", f"k{i % 3}", *masks])
    write_csv(folder / "labels.csv", rows)


@pytest.mark.parametrize(("paper", "words", "told"), [*TABLE, *OF_NETWORKS])
def test_a_dry_run_refuses_what_the_real_one_would(tmp_path, capsys, monkeypatch, network, paper, words, told):
    monkeypatch.chdir(tmp_path)
    museum(tmp_path / "museum")
    shutil.copy(network, tmp_path)
    (tmp_path / "labels.h5").write_bytes(b"no weights")
    reproduction = importlib.import_module(f"reproductions.{paper}").REPRODUCTION
    assert reproduction.main(["--data", "museum", *words, "--dry_run"]) == 1
    assert told in capsys.readouterr().err.strip().splitlines()[-1]


def test_a_dry_run_says_what_would_be_downloaded_and_downloads_nothing(tmp_path, capsys, monkeypatch):
    from reproductions.sabatelli2018 import REPRODUCTION

    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    museum(tmp_path / "museum")
    words = ["--data", str(tmp_path / "museum"), "--target", "artist", "--networks", "MobileNetV2"]
    words += ["--image_size", "32", "--store", str(tmp_path / "store"), "--dry_run"]
    assert REPRODUCTION.main(words) == 0
    assert "Keras downloads the ImageNet weights of MobileNetV2" in capsys.readouterr().err
    assert REPRODUCTION.main([*words, "--weights", "none"]) == 0
    assert "downloads" not in capsys.readouterr().err


def test_artists_are_in_the_column_that_is_named(tmp_path, capsys):
    from keras_art.commands import leaks

    rows = [["image", "style", "Kunstenaar"]]
    for i in range(36):
        paint(tmp_path / "museum" / f"{i}.png", "abc"[i % 3], i)
        rows.append([f"{i}.png", f"s{i % 2}", f"k{i % 6}"])
    table = str(write_csv(tmp_path / "museum" / "list.csv", rows))
    words = [table, "--target", "style", "--images", "no", "--store", str(tmp_path / "s")]
    assert leaks.main(words) == 0
    assert "--artist names it" in capsys.readouterr().out
    assert leaks.main([*words, "--split", "artist_disjoint"]) == 1
    assert "no column 'artist'; --artist names it, of style, Kunstenaar" in capsys.readouterr().err
    assert leaks.main([*words, "--artist", "Kunstenaar", "--split", "artist_disjoint"]) == 0
    assert "0.00%" in (printed := capsys.readouterr().out) and "are by an artist of train" in printed
    assert leaks.main([*words, "--artist", "Kunstenaar"]) == 0
    assert "100.00%  " in capsys.readouterr().out
    assert leaks.main([*words[:2], "Kunstenaar", *words[3:], "--artist", "Kunstenaar"]) == 0
    assert "artist" not in capsys.readouterr().out


def test_a_flat_folder_is_told_where_labels_could_stand(tmp_path, capsys):
    from reproductions.sabatelli2018 import REPRODUCTION

    paint(tmp_path / "flat" / "1.png", "a")
    for words in ([], ["--target", "artist"]):
        assert REPRODUCTION.main(["--data", str(tmp_path / "flat"), *words, "--dry_run", *OWN]) == 1
        assert "one folder for each class, or name them in a table" in capsys.readouterr().err.splitlines()[-1]

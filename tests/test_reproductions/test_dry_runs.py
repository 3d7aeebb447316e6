"""What a dry run refuses because the real one would, before any picture is opened, through every reproduction."""

from __future__ import annotations

import importlib

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
]


@pytest.mark.parametrize(("paper", "words", "told"), TABLE)
def test_a_dry_run_refuses_what_the_real_one_would(tmp_path, capsys, monkeypatch, paper, words, told):
    monkeypatch.chdir(tmp_path)
    rows = [["image", "unique", "artist", "Kunstenaar"]]
    for i in range(12):
        paint(tmp_path / "museum" / f"{i}.png", "abc"[i % 3], i)
        rows.append([f"{i}.png", f"u{i}", f"a{i % 2}", f"k{i % 3}"])
    write_csv(tmp_path / "museum" / "labels.csv", rows)
    reproduction = importlib.import_module(f"reproductions.{paper}").REPRODUCTION
    assert reproduction.main(["--data", "museum", *words, "--dry_run"]) == 1
    assert told in capsys.readouterr().err.strip().splitlines()[-1]


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

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest

from keras_art.commands import curation
from keras_art.commands.curation import Curation, curate
from keras_art.data.sources import BadCollection, Collection, load_collection

OFF = {"min_style": 0, "top_styles": 0, "min_artist": 0, "top_artists": 0}


def collection(rows: list[tuple[str, str, int]]) -> Collection:
    """(style, artist, how many images), nothing on disk."""
    pairs = [(style, artist) for style, artist, count in rows for _ in range(count)]
    ids = [f"{i:04d}" for i in range(len(pairs))]
    styles, artists = zip(*pairs, strict=True)
    images = pd.DataFrame({"id": ids, "path": ids, "object": ids, "split": "", "bytes": 1})
    columns = pd.DataFrame({"style": styles, "artist": artists})
    return Collection("paintings", images, columns, pd.DataFrame(columns=["id", "path", "reason"]))


MUSEUM = [("baroque", "rembrandt", 30), ("baroque", "rubens", 20), ("cubism", "picasso", 25), ("cubism", "braque", 5)]
MUSEUM += [("fauvism", "matisse", 12), ("", "nobody", 9), ("baroque", "anoniem", 7), ("ukiyo-e", "hokusai", 3)]


def chosen(**flags: object) -> tuple[dict[str, int], pd.DataFrame]:
    kept, report = curate(collection(MUSEUM), Curation("x", Path("y"), **(OFF | flags)))
    return kept.columns["style"].value_counts().to_dict(), report.set_index("value")


def test_styles_need_their_minimum_and_only_the_largest_stay():
    kept, report = chosen(min_style=10)
    assert kept == {"baroque": 57, "cubism": 30, "fauvism": 12}
    assert report.loc["ukiyo-e", "why"] == "fewer than 10 images"
    kept, report = chosen(min_style=10, top_styles=2)
    assert kept == {"baroque": 57, "cubism": 30}
    assert report.loc["fauvism", "why"] == "not among the 2 largest"


def test_artists_are_counted_among_the_styles_kept_and_nobody_is_none():
    kept, report = chosen(min_style=10, min_artist=15)
    assert kept == {"baroque": 50, "cubism": 25}
    assert report.loc["anoniem", "why"] == "no name"
    assert report.loc["braque", "why"] == "fewer than 15 images"
    assert report.loc["fauvism", "why"] == "none of its images is left"
    kept, report = chosen(top_artists=2)
    assert kept == {"baroque": 30, "cubism": 25}


def test_a_style_that_falls_below_its_minimum_once_artists_are_chosen_is_told():
    kept, report = chosen(min_style=28, min_artist=10)
    assert kept == {"baroque": 50, "cubism": 25}
    assert report.loc["cubism", "why"] == "kept, with fewer than 28 images once artists were chosen"


def test_a_minimum_of_artists_drops_styles_that_could_not_be_split_by_artist():
    kept, report = chosen(min_artists=2)
    assert kept == {"baroque": 50, "cubism": 30}
    assert report.loc["fauvism", "why"] == "fewer than 2 artists"


def test_caps_balance_and_choose_by_seed():
    kept, _ = chosen(cap_style=10, cap_artist=8)
    assert kept == {"baroque": 10, "cubism": 10, "fauvism": 8, "ukiyo-e": 3}
    tables = [
        curate(collection(MUSEUM), Curation("x", Path("y"), cap_style=10, split_seed=seed, **OFF))[0]
        for seed in (0, 0, 1)
    ]
    assert tables[0].images.equals(tables[1].images)
    assert not tables[0].images.equals(tables[2].images)


@pytest.mark.parametrize("column", [True, False])
def test_what_is_dated_outside_the_years_is_left_out_and_what_has_no_year_stays(column):
    museum = collection([("baroque", "rembrandt", 6), ("cubism", "picasso", 2)])
    years = ["1399", "1400", "1970", "1971", "", "c. 1650", "1910", ""]
    if column:
        museum = dataclasses.replace(museum, columns=museum.columns.assign(year=years))
    else:  # as WikiArt calls its files, one of them with a number that is no year
        names = [
            "a_b-1399",
            "a_b-1400",
            "a_b-1970(1)",
            "a_b-1971",
            "a_b-12",
            "a_b-(1650)",
            "a_1984-b-1910",
            "a_b-19105",
        ]
        museum.images["path"] = [f"Style/{name}.jpg" for name in names]
    kept, _ = curate(museum, Curation("x", Path("y"), **OFF, years=(1400, 1970)))
    assert kept.images["id"].tolist() == ["0001", "0002", "0004", "0005", "0006", "0007"]
    with pytest.raises(BadCollection, match="dated outside 1000 to 1001"):
        curate(museum.take([1, 2]), Curation("x", Path("y"), **OFF, years=(1000, 1001)))


def test_without_artist_flags_no_column_of_artists_is_needed():
    museum = collection(MUSEUM)
    bare = dataclasses.replace(museum, name="bare", columns=museum.columns.drop(columns="artist"))
    assert len(curate(bare, Curation("x", Path("y"), **(OFF | {"min_style": 10})))[0].images) == 99
    with pytest.raises(BadCollection, match="has no column artist; it has style: name them with --target and --artist"):
        curate(bare, Curation("x", Path("y"), **(OFF | {"min_artist": 10})))


@pytest.mark.parametrize(
    ("flag", "few"), [("min_style", "images"), ("min_artist", "images"), ("min_artists", "artists")]
)
def test_when_nothing_is_left_the_error_says_after_what_and_which_flag_asked(flag, few):
    column = "artist" if flag == "min_artist" else "style"
    said = f"nothing is left after 'fewer than 500 {few}' was asked of every {column}: give a smaller --{flag}$"
    with pytest.raises(BadCollection, match=said):
        chosen(**{flag: 500})


def test_the_command_writes_what_data_takes_with_split_report_digest_and_chart(picture_csv, tmp_path, capsys):
    out = tmp_path / "curated"
    flags = [word for name in OFF for word in (f"--{name}", "0")]
    assert curation.main([str(picture_csv), "--out", str(out), *flags, "--cap_artist", "6"]) == 0
    printed = capsys.readouterr().out
    again = load_collection(out)
    assert again.targets == ["artist", "style"]
    assert set(again.images["split"]) == {"train", "val", "test"}
    assert again.columns["artist"].value_counts().max() == 6
    assert again.quarantine.empty
    facts = json.loads((out / "curation.json").read_text())
    labels = pd.read_csv(out / "labels.csv", dtype=str)
    text = labels[["id", "split"]].to_csv(index=False, lineterminator="\n")
    assert facts["split_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert facts["split_sha256"] in printed
    assert facts["flags"]["cap_artist"] == 6
    assert set(pd.read_csv(out / "report.csv")["column"]) == {"style", "artist"}
    assert (out / "curation.png").stat().st_size > 5000

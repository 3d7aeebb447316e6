"""A collection's map and the neighbours of its works, through their command lines."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import paint, write_csv
from openpyxl import load_workbook

from keras_art import terminal
from keras_art.commands import map as maps
from keras_art.commands import neighbours
from keras_art.data.readers import spreadsheets
from keras_art.learning import descriptions
from keras_art.networks import backbones, heads, trained
from keras_art.report import sheets
from keras_art.store.runs import Store
from keras_art.study.config import RunRef
from keras_art.study.files import artefact, keep_files
from keras_art.study.kinds.classifier import ClassifierRun

SIZE = 16


@pytest.fixture
def network(tmp_path):
    """A file whose features are the mean colour and a little more."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((None, None, 3))
    maps_ = keras.layers.Conv2D(6, 3, activation="relu", name="maps")(pixels)
    keras.Model(pixels, maps_, name="tiny").save(tmp_path / "tiny.keras")
    return tmp_path / "tiny.keras"


@pytest.fixture
def flags(tmp_path, network):
    return [
        "--backbone", str(network), "--preprocessing", "unit", "--image_size", str(SIZE),
        "--store", str(tmp_path / "runs"),
    ]  # fmt: skip


def mapped(*words):
    return maps.main([str(word) for word in words])


def asked(*words):
    return neighbours.main([str(word) for word in words])


def data_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)[1])


def column(data, name):
    (found,) = [column for column in data["columns"] if column["name"] == name]
    codes = np.frombuffer(base64.b64decode(found["codes"]), "<u4")
    return [found["values"][code] for code in codes]


def rows(data, space=0):
    return np.frombuffer(base64.b64decode(data["spaces"][space]["near"]), "<i4").reshape(-1, data["near"])


def test_a_map_has_every_work_its_columns_and_its_like(tmp_path, picture_csv, flags, capsys):
    assert mapped(picture_csv, *flags, "--out", tmp_path / "made" / "m.html", "--target", "style") == 0
    data = data_of(tmp_path / "made" / "m.html")
    assert len(data["ids"]) == 24 and data["spaces"][0]["name"] == "tiny"
    assert [each["name"] for each in data["columns"]] == ["artist", "style"] and data["colour"] == 1
    artists = column(data, "artist")
    near = rows(data)
    assert all(artists[row] == artists[i] for i in range(24) for row in near[i, :7])  # an artist is a colour
    assert data["links"][3] == "../museum/images/003.png"
    assert "24 pictures" in capsys.readouterr().err


def test_the_second_start_computes_nothing_and_needs_no_backend(tmp_path, picture_csv, flags, monkeypatch):
    assert mapped(picture_csv, *flags, "--out", tmp_path / "a") == 0

    def never(*words, **more):
        raise AssertionError("a backend is started although all is known")

    monkeypatch.setattr(terminal, "start_backend", never)
    monkeypatch.setattr(descriptions.Describer, "model", never)
    monkeypatch.setattr("keras_art.report.placement.cloud", never)
    assert mapped(picture_csv, *flags, "--out", tmp_path / "b") == 0
    assert (tmp_path / "a" / "map.html").read_bytes() == (tmp_path / "b" / "map.html").read_bytes()
    paint(picture_csv / "images" / "000.png", "b", 99)
    with pytest.raises(AssertionError, match="a backend is started"):
        mapped(picture_csv, *flags, "--out", tmp_path / "b")


def test_a_run_tells_what_it_says_of_each_work(tmp_path, picture_csv):
    keras.utils.set_random_seed(0)
    pixels = keras.Input((SIZE, SIZE, 3))
    inner = keras.Model(pixels, keras.layers.Conv2D(6, 3, name="maps")(pixels), name="tiny")
    classes = {"artist": ["Artist A", "Artist B"], "style": ["cold", "warm"]}
    model = heads.multitask_classifier(
        backbones.Backbone(inner, "unit"), {name: len(names) for name, names in classes.items()}, shared=5, hidden=4
    )
    card = trained.ModelCard(classes, "unit", "squash", SIZE, {}, trained.provenance({}))
    trained.save(model, tmp_path / "study" / "a-run" / "model.keras", card)
    store = ["--store", tmp_path / "runs"]
    assert mapped(picture_csv, "--run", tmp_path / "study" / "a-run", *store, "--out", tmp_path / "m.html") == 0
    data = data_of(tmp_path / "m.html")
    assert data["spaces"][0]["name"] == "a-run"
    predicted, right = column(data, "prediction: artist"), column(data, "right: artist")
    assert set(predicted) <= set(classes["artist"])
    for label, said, verdict in zip(column(data, "artist"), predicted, right, strict=True):
        assert verdict == ("not among its classes" if label == "Artist C" else "right" if label == said else "wrong")
    assert all(0.5 <= float(share) <= 1 for share in column(data, "certainty: style"))
    assert data["columns"][data["colour"]]["name"] == "prediction: artist"
    shutil.move(tmp_path / "study" / "a-run", tmp_path / "study" / "moved")
    assert mapped(picture_csv, "--run", tmp_path / "study" / "moved", *store, "--out", tmp_path / "n.html") == 0
    assert (rows(data_of(tmp_path / "n.html")) == rows(data)).all()


def test_two_backbones_stand_side_by_side(tmp_path, picture_csv, network):
    shutil.copyfile(network, tmp_path / "other.keras")
    more = ["--image_size", SIZE, "--store", tmp_path / "runs", "--out", tmp_path / "m.html"]
    both = ["--backbone", network, tmp_path / "other.keras"]
    assert mapped(picture_csv, *both, "--preprocessing", "unit", "caffe", *more) == 0
    assert [space["name"] for space in data_of(tmp_path / "m.html")["spaces"]] == ["tiny", "other"]
    assert mapped(picture_csv, *both, "--preprocessing", "unit", "caffe", "tf", *more) == 1
    assert mapped(picture_csv, "--backbone", network, network, "--preprocessing", "unit", *more) == 1


def test_a_plain_folder_with_what_is_no_picture(tmp_path, flags, capsys):
    for n in range(3):
        paint(tmp_path / "plain" / f"{n} <b>é.png", "abc"[n], n)
    (tmp_path / "plain" / "broken.png").write_bytes(b"no picture")
    assert mapped(tmp_path / "plain", *flags, "--out", tmp_path / "m.html") == 0
    data = data_of(tmp_path / "m.html")
    assert len(data["ids"]) == 3 and data["columns"] == [] and data["colour"] == -1
    assert data["links"][0] == "plain/0%20%3Cb%3E%C3%A9.png"
    assert "1 of 4 pictures can not be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target", "stile"], "has no column 'stile'; it has artist, style"),
        (["--out", "museum/labels.csv"], "labels.csv is no .html or .htm file: give museum/labels.html"),
        (["--image_size", "0"], "--image_size is from 1 to 4096"),
        (["--run", "nowhere"], "nowhere does not exist"),
        (["--backbone", "absent.keras"], "the file absent.keras does not exist"),
        (["--backbone", "ResNet5"], "did you mean"),
        (["--backbone", "tiny.keras", "--preprocessing", "imagenet"], "give --preprocessing"),
    ],
)
def test_what_can_not_be_is_said_before_any_work(tmp_path, picture_csv, flags, words, message, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mapped(picture_csv, *flags, *words) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs" / "cache" / "images").exists()


def test_other_viewers_get_what_they_read(tmp_path, picture_csv, flags):
    assert mapped(picture_csv, *flags, "--out", tmp_path / "m.html", "--export", "parquet", "vikus") == 0
    table = pd.read_parquet(tmp_path / "m.parquet")
    assert len(table) == 24 and {"id", "image", "x_1", "y_1", "neighbors_1", "artist"} <= set(table)
    assert (tmp_path / "m_vikus" / "config.json").is_file()
    assert len(list((tmp_path / "m_vikus" / "1024").glob("*.jpg"))) == 24


def finished_run(store, network, finished):
    """What a finished run of a store leaves behind, as far as `map` reads it."""
    run = ClassifierRun(
        collection="museum-1", target="artist", network=artefact(str(network)), weights="own", preprocessing="unit",
        image_size=SIZE,
    )  # fmt: skip
    keep_files(store, [str(network)])
    store.ask(run)
    (store.directory(run) / "metrics.json").write_text("{}")
    os.utime(store.directory(run) / "metrics.json", (finished, finished))
    return run


def test_without_a_network_it_is_the_one_that_the_latest_run_began_with(tmp_path, picture_csv, network, capsys):
    store = Store(tmp_path / "runs")
    store.create()
    shutil.copyfile(network, tmp_path / "older.keras")
    finished_run(store, network, 2000)
    finished_run(store, tmp_path / "older.keras", 1000)
    demo = ClassifierRun(weights=RunRef("classifier", "0" * 8))  # of drawn pictures, which know nothing of art
    store.ask(demo)
    (store.directory(demo) / "metrics.json").write_text("{}")
    network.unlink()
    assert mapped(picture_csv, "--store", store.root, "--out", tmp_path / "m.html") == 0
    assert [space["name"] for space in data_of(tmp_path / "m.html")["spaces"]] == ["tiny"]
    assert f"by tiny, which a run of {store.root} began with" in capsys.readouterr().err
    assert asked(picture_csv, "003.png", "--store", store.root, "--k", 2) == 0
    assert mapped(picture_csv, "--store", store.root, "--image_size", 1, "--out", tmp_path / "n.html") == 1
    assert "can not" in capsys.readouterr().err


def test_weights_that_can_not_be_had_are_told_with_all_that_a_file_needs(tmp_path, picture_csv, monkeypatch, capsys):
    def unreachable(*words, **more):
        raise backbones.BadBackbone("the ImageNet weights can not be downloaded from here.")

    monkeypatch.setattr(backbones, "load_backbone", unreachable)
    assert mapped(picture_csv, "--store", tmp_path / "runs", "--out", tmp_path / "m.html") == 1
    assert re.search(r"--backbone FILE\.keras.*--preprocessing", capsys.readouterr().err.replace("\n", " "))


# --- neighbours


def test_the_nearest_of_a_works_own_kind_and_never_itself(tmp_path, picture_csv, flags, capsys):
    out = tmp_path / "near.csv"
    new = paint(tmp_path / "new" / "photo.png", "b", 77)
    assert asked(picture_csv, "003.png", new, *flags, "--k", 5, "--out", out) == 0
    found = pd.read_csv(out)
    assert found["picture"].tolist() == ["003.png"] * 5 + [str(new)] * 5
    assert found["rank"].tolist() == [1, 2, 3, 4, 5] * 2
    assert found["artist"].tolist() == ["Artist A"] * 5 + ["Artist B"] * 5
    assert "003.png" not in found["id"][:5].tolist()
    assert found["distance"][:5].is_monotonic_increasing and (found["distance"] >= 0).all()
    capsys.readouterr()
    assert asked(picture_csv, picture_csv / "images" / "003.png", *flags, "--k", 5) == 0
    printed = capsys.readouterr()
    assert [line.split()[-1] for line in printed.out.splitlines()[1:]] == found["id"][:5].tolist()
    said = re.search(r"distance: 0 is the same to tiny, 1 nothing in common; .* mostly (0\.\d\d) apart", printed.err)
    assert said and found["distance"].max() < float(said[1]) <= 1  # works of one artist are nearer than any two


def test_a_work_is_known_by_its_inventory_number_too(tmp_path, picture_csv, flags, capsys):
    labels = pd.read_csv(picture_csv / "labels.csv")
    numbers = [f"00{number}" for number in range(10, 32)] + ["0099", "0099"]
    labels.assign(Inventarisnummer=numbers).to_csv(picture_csv / "labels.csv", index=False)
    out = tmp_path / "near.csv"
    assert asked(picture_csv, "0013", *flags, "--k", 2, "--out", out) == 0
    assert set(pd.read_csv(out)["picture"]) == {labels["image"][3].rpartition("/")[2]}
    assert "2 neighbours of 1 picture in" in capsys.readouterr().err
    assert asked(picture_csv, "0099", *flags) == 1
    assert "0099 has 2 pictures: name one of them" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_neighbours_are_written_as_a_person_takes_tables(tmp_path, picture_csv, flags, suffix):
    out = tmp_path / "made" / f"near{suffix}"
    assert asked(picture_csv, "003.png", *flags, "--k", 5, "--out", out) == 0
    table = next(iter(spreadsheets.read_sheets(out).values())).table
    assert table["rank"].tolist() == list("12345") and set(table["artist"]) == {"Artist A"}
    files = [(out.parent / path).resolve() for path in table["path"]]
    assert [file.name for file in files] == table["id"].tolist() and all(file.is_file() for file in files)
    if suffix == ".xlsx":
        sheet = load_workbook(out)["neighbours"]
        assert sheet["E2"].hyperlink.target == sheet["E2"].value == table["path"][0]
        assert sheet["D2"].number_format == "0.000"  # a distance is no share


def test_neighbours_of_every_work_and_a_copy_is_the_nearest(tmp_path, picture_csv, flags):
    shutil.copyfile(picture_csv / "images" / "000.png", tmp_path / "copy.png")
    assert asked(picture_csv, tmp_path / "copy.png", *flags, "--k", 1, "--out", tmp_path / "one.csv") == 0
    (one,) = pd.read_csv(tmp_path / "one.csv").itertuples()
    assert (one.id, one.distance) == ("000.png", 0)
    assert asked(picture_csv, *flags, "--k", 99, "--out", tmp_path / "all.csv") == 0
    assert len(pd.read_csv(tmp_path / "all.csv")) == 24 * 23


def test_a_choice_of_a_store_is_enough_when_its_pictures_are_gone(tmp_path, picture_csv, flags, network):
    from keras_art.data.opening import open_choice
    from keras_art.data.tasks import prepare

    store = Store(tmp_path / "runs")
    collection, choice = open_choice(store, picture_csv, None, "artist")
    prepare(store, collection, choice, SIZE, "squash", lambda done, all: None)
    shutil.rmtree(picture_csv)
    assert mapped(choice.key, *flags, "--out", tmp_path / "m.html") == 0
    data = data_of(tmp_path / "m.html")
    assert len(data["ids"]) == 24 and set(column(data, "split")) == {"train", "val", "test"}
    assert asked(choice.key, "003.png", *flags, "--k", 2, "--out", tmp_path / "near.csv") == 0
    assert pd.read_csv(tmp_path / "near.csv")["artist"].tolist() == ["Artist A"] * 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing.png"], "neither a file nor the id of a picture"),
        (["003.pgn"], "did you mean 0"),
        ([], "give pictures, or --out"),
        (["003.png", "--k", "0"], "--k is at least 1"),
        (["003.png", "--out", "near.txt"], "is no .csv or .xlsx or .parquet file"),
        (["003.png", "--out", "museum/labels.csv"], "is the table that is read"),
        (["--k", "90000", "--out", "near.xlsx"], "a spreadsheet holds 500 rows and not 553"),
        (["museum/labels.csv"], "can not be read"),
        (["003.png", "--run", "nowhere"], "told by one network"),
    ],
)
def test_questions_that_have_no_answer(tmp_path, picture_csv, flags, words, message, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sheets, "MOST_ROWS", 500)
    assert asked(picture_csv, *words, *flags) == 1
    assert message in capsys.readouterr().err


def test_a_column_that_is_called_as_ours_is_told_apart(tmp_path, flags):
    for n in range(4):
        paint(tmp_path / "odd" / "images" / f"{n}.png", "abc"[n % 3], n)
    lines = [["image", "rank", "=distance"], *([f"{n}.png", f"=r{n}", "x,y"] for n in range(4))]
    write_csv(tmp_path / "odd" / "labels.csv", lines)
    assert asked(tmp_path / "odd", "0.png", *flags, "--k", 1, "--out", tmp_path / "near.csv") == 0
    text = (tmp_path / "near.csv").read_text()
    assert "rank_2" in text.splitlines()[0] and "'=r3" in text


def test_a_map_is_not_coloured_by_a_column_that_says_nothing_of_most():
    columns = pd.DataFrame({"remark": ["torn", "faded", *[""] * 8], "artist": list("abcde") * 2, "seen": [None] * 10})
    assert maps.first_colour(columns, []) == "artist"
    assert maps.first_colour(columns[["remark", "seen"]], []) == "remark"
    assert maps.first_colour(columns, ["prediction: artist"]) == "prediction: artist"

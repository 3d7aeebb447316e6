"""A trained model on a folder of pictures, through its command line."""

from __future__ import annotations

import dataclasses
import io
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import write_csv
from PIL import Image

from keras_art.__main__ import main
from keras_art.commands import predict
from keras_art.data import tasks
from keras_art.data.opening import open_choice
from keras_art.learning import exports
from keras_art.networks import attention, backbones, gram, heads, trained
from keras_art.pictures import images
from keras_art.pictures.images import decode, load_photo
from keras_art.report import answers
from keras_art.store.runs import Store, store_of
from keras_art.study.files import artefact, artefact_path

ROOT = Path(__file__).parents[2]
CLASSES = {"style": ["cold", "warm"], "artist": ["x", "y", "z"]}
CARD = trained.ModelCard(CLASSES, "unit", "squash", 16, {}, trained.provenance({}))


def maps(size=16):
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(4, 3, 2, activation="relu", name="stage1")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(6, 3, 2, activation="relu", name="stage2")(x), name="tiny")


def network():
    return backbones.Backbone(maps(), "unit")


def save(path, model=None, card=CARD):
    keras.utils.set_random_seed(0)
    model = model or heads.multitask_classifier(network(), {"style": 2, "artist": 3}, shared=4, hidden=4)
    trained.save(model, path, card)
    return model


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "new"
    for i, name in enumerate(("b.png", "deep/a.jpg")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (20, 30, 3)).astype("uint8")).save(folder / name)
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def run(*words):
    return predict.main([str(word) for word in words])


def fresh(folder, *words, module="keras_art"):
    return subprocess.run(
        [sys.executable, "-m", module, "predict", *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_every_task_of_every_readable_picture(tmp_path, pictures):
    model = save(tmp_path / "model.keras")
    assert run(tmp_path / "model.keras", pictures, "--out", tmp_path / "made" / "out.csv") == 0
    table = pd.read_csv(tmp_path / "made" / "out.csv")
    assert table["id"].tolist() == ["b.png", "deep/a.jpg"]
    expected = model.predict(decode(pictures / "b.png", 16)[0][None], verbose=0)
    assert table["artist_predicted"][0] == CLASSES["artist"][expected["artist"][0].argmax()]
    assert table["artist_probability"][0] == pytest.approx(expected["artist"][0].max(), abs=1e-5)
    assert table["style_probability_1"][0] >= table["style_probability_2"][0]
    bad = pd.read_csv(tmp_path / "made" / "out_quarantine.csv")
    assert [Path(path).name for path in bad["path"]] == ["broken.png"]


def attentive():
    """A classifier with a layer of ours that Keras has no equal of."""
    return attention.attention_classifier(network(), ["stage1", "stage2"], 2)


@pytest.mark.parametrize(("module", "make"), [("keras_art", None), ("reproductions.st_saclf", attentive)])
def test_a_fresh_process_in_another_folder_says_the_same(tmp_path, pictures, module, make):
    card = dataclasses.replace(CARD, classes={"style": CLASSES["style"]}) if make else CARD
    save(tmp_path / "model.keras", make and make(), card)
    assert run(tmp_path / "model.keras", pictures, "--out", tmp_path / "here.csv") == 0
    (tmp_path / "elsewhere").mkdir()
    done = fresh(tmp_path / "elsewhere", tmp_path / "model.keras", pictures, module=module)
    assert done.returncode == 0, done.stderr
    here, there = (pd.read_csv(path) for path in (tmp_path / "here.csv", tmp_path / "elsewhere" / "predictions.csv"))
    assert there.pop("picture").tolist() == [f"../{path}" for path in here.pop("picture")]
    pd.testing.assert_frame_equal(here, there, atol=1e-6)


def test_what_votes_are_worth_is_told_and_not_to_train_anew(tmp_path, pictures, capsys):
    source = trained.provenance({"kind": "classifier", "mode": "knn_probe"})
    save(tmp_path / "model.keras", card=dataclasses.replace(CARD, provenance=source, metrics={"k": 1}))
    assert run(tmp_path / "model.keras", pictures / "b.png") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "style: it says the label of the one training picture that is nearest" in told and "anew" not in told


def test_clusters_in_a_fresh_process(tmp_path, pictures):
    from keras_art.methods.dcec import joint
    from keras_art.methods.dcec.network import autoencoder

    keras.utils.set_random_seed(0)
    model = joint.DCEC(*autoencoder(16, embedding=3), clusters=3)
    card = dataclasses.replace(CARD, classes={"cluster": ["1", "2", "3"]})
    trained.save(model, tmp_path / "run" / "model.keras", card)
    done = fresh(tmp_path, tmp_path / "run", pictures)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "predictions.csv")
    q, _ = model.predict(np.stack([decode(pictures / name, 16)[0] for name in table["id"]]), verbose=0)
    assert table["cluster_predicted"].tolist() == (q.argmax(1) + 1).tolist()
    np.testing.assert_allclose(table["cluster_probability"], q.max(1), atol=1e-6)


def head_in_a_store(store, margins=False):
    """A head on a network that stands in a store, and the whole classifier."""
    net = maps()
    (store / "cache" / "weights").mkdir(parents=True)
    net.save(store / "tiny.keras")
    kept = artefact_path(Store(store), artefact(str(store / "tiny.keras")))
    (store / "tiny.keras").rename(kept)
    head = heads.softmax_head(6, 3)
    if margins:
        inputs = keras.Input((6,))
        head = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    on = {
        "network": {"type": "Artefact", "name": kept.name}, "weights": "own", "preprocessing": "unit",
        "frozen_bn": "inference", "bn_momentum": 0.0, "seed": 0, "precision": "float32",
    }  # fmt: skip
    card = dataclasses.replace(CARD, classes={"artist": CLASSES["artist"]}, network=on, margins=margins)
    trained.save(head, store / "paper" / "run" / "head.keras", card)
    extractor = heads.feature_extractor(backbones.Backbone(net, "unit"))
    return keras.Model(extractor.input, head(extractor.output))


@pytest.mark.parametrize("margins", [False, True])
def test_a_head_finds_its_network_in_the_store(tmp_path, pictures, margins):
    whole = head_in_a_store(tmp_path / "store", margins)
    out = ("--out", tmp_path / "out.csv", "--saliency", tmp_path / "over")
    assert run(tmp_path / "store" / "paper" / "run", pictures, *out) == 0
    table = pd.read_csv(tmp_path / "out.csv")
    said = whole.predict(decode(pictures / "b.png", 16)[0][None], verbose=0)
    expected = np.exp(said) / np.exp(said).sum() if margins else said
    assert table["artist_probability"][0] == pytest.approx(expected.max(), abs=1e-5)
    assert (tmp_path / "over" / "b.png.png").is_file()


def test_a_head_without_its_store_names_what_is_missing_and_writes_nothing(tmp_path, pictures, capsys):
    head_in_a_store(tmp_path / "store")
    shutil.copytree(tmp_path / "store" / "paper" / "run", tmp_path / "shared" / "model" / "run")
    assert run(tmp_path / "shared" / "model" / "run", pictures, "--out", tmp_path / "out.csv") == 1
    assert re.search(r"head alone, and tiny-\w{8}.keras, which it stands on, is not in", capsys.readouterr().err)
    assert [path.name for path in (tmp_path / "shared").iterdir()] == ["model"]
    assert not (tmp_path / "out.csv").exists()


def test_a_copied_run_predicts_and_writes_nothing_beside_itself(tmp_path, pictures):
    save(tmp_path / "store" / "paper" / "run" / "model.keras")
    shutil.copytree(tmp_path / "store" / "paper" / "run", tmp_path / "shared" / "run")
    assert run(tmp_path / "shared" / "run", pictures, "--out", tmp_path / "out.csv") == 0
    assert [path.name for path in (tmp_path / "shared").rglob("*")] == ["run", "model.keras"]


@pytest.mark.parametrize("kind", ["multitask", "gram"])
def test_saliency_is_laid_over_each_picture_at_its_own_shape(tmp_path, pictures, kind):
    if kind == "gram":
        made = gram.gram_classifier(network(), "style", 2, gram.GramBranch(channels=3, widths=(4, 4)), shared=4)
        one = keras.Model(made.input, {"style": made.output["style"]})
        save(tmp_path / "model.keras", one, dataclasses.replace(CARD, classes={"style": CLASSES["style"]}))
    else:
        save(tmp_path / "model.keras")
    out = ("--out", tmp_path / "out.csv", "--saliency", tmp_path / "over")
    assert run(tmp_path / "model.keras", pictures, *out) == 0
    with Image.open(tmp_path / "over" / "deep" / "a.jpg.png") as picture:
        assert picture.width > picture.height
        overlaid = np.asarray(picture)
    assert not np.array_equal(overlaid, load_photo(pictures / "deep" / "a.jpg", 512))


def test_saliency_of_a_network_without_maps_is_refused(tmp_path, pictures, capsys):
    inputs = keras.Input((16, 16, 3))
    tokens = keras.Model(inputs, keras.layers.Reshape((16, 48))(inputs), name="tokens")
    model = heads.multitask_classifier(
        backbones.Backbone(tokens, "unit"), {"style": 2, "artist": 3}, shared=4, hidden=4
    )
    save(tmp_path / "model.keras", model)
    out = ("--out", tmp_path / "out.csv", "--saliency", tmp_path / "over")
    assert run(tmp_path / "model.keras", pictures, *out) == 1
    assert "tokens has none" in capsys.readouterr().err


def test_saliency_of_several_networks_is_refused_and_their_classes_are_told(tmp_path, pictures, capsys):
    pixels = keras.Input((16, 16, 3), name="pixels")
    both = [keras.Model(one.input, one.output, name=name) for name, one in (("left", maps()), ("right", maps()))]
    vectors = [keras.layers.GlobalAveragePooling2D()(one(pixels)) for one in both]
    outputs = keras.layers.Dense(2, "softmax")(keras.layers.Concatenate()(vectors))
    card = dataclasses.replace(CARD, classes={"style": CLASSES["style"]}, preprocessing="none")
    save(tmp_path / "model.keras", keras.Model(pixels, outputs), card)
    out = ("--out", tmp_path / "out.csv")
    assert run(tmp_path / "model.keras", pictures, *out, "--saliency", tmp_path / "over") == 1
    assert "this model has several: leave it out" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists() and not (tmp_path / "over").exists()
    assert run(tmp_path / "model.keras", pictures, *out) == 0
    assert set(pd.read_csv(tmp_path / "out.csv")["style_predicted"]) <= set(CLASSES["style"])


def test_a_card_of_another_model_is_refused(tmp_path, pictures, capsys):
    save(tmp_path / "model.keras", card=dataclasses.replace(CARD, classes={**CLASSES, "style": ["a", "b", "c"]}))
    assert run(tmp_path / "model.keras", pictures, "--out", tmp_path / "out.csv") == 1
    assert "does not give 3 classes of style" in capsys.readouterr().err


def test_a_name_that_is_no_utf8_goes_to_the_quarantine_and_the_others_are_predicted(tmp_path, pictures):
    save(tmp_path / "model.keras")
    shutil.copy(pictures / "b.png", os.fsencode(pictures) + b"/caf\xe9.png")
    done = fresh(tmp_path, tmp_path / "model.keras", pictures)
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(tmp_path / "predictions.csv")["id"].tolist() == ["b.png", "deep/a.jpg"]
    bad = pd.read_csv(tmp_path / "predictions_quarantine.csv").set_index("path")["reason"]
    assert bad[str(pictures / "caf?.png")] == "its name is not UTF-8: rename it"


def test_labels_that_can_not_be_used_keep_no_prediction_back(tmp_path, pictures, capsys):
    save(tmp_path / "model.keras")
    (pictures / "labels.csv").write_bytes(b"\x00\xff\xfe nothing")
    assert run(tmp_path / "model.keras", pictures, "--out", tmp_path / "out.csv") == 0
    assert len(pd.read_csv(tmp_path / "out.csv")) == 2
    assert "nothing is told of the pictures beside their predictions" in capsys.readouterr().err


def test_what_labels_know_of_an_object_stands_beside_its_picture(tmp_path, pictures):
    save(tmp_path / "model.keras")
    write_csv(pictures / "labels.csv", [["id", "image", "artist", "dc:title"], ["SK-1", "b.png", "x", "A title"]])
    assert run(tmp_path / "model.keras", pictures, "--out", tmp_path / "out.csv") == 0
    assert pd.read_csv(tmp_path / "out.csv").set_index("id")["dc:title"]["b.png"] == "A title"


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("new", "is a folder"),
        ("out.txt", "is no .csv or .xlsx or .parquet file"),
        ("out", "is no .csv or .xlsx or .parquet file"),
        ("new/b.png/out.csv", "is a file"),
    ],
)
def test_where_the_table_goes_is_checked_before_any_work(tmp_path, pictures, capsys, monkeypatch, out, words):
    monkeypatch.setattr(predict.terminal, "start_backend", lambda: pytest.fail("work had begun"))
    save(tmp_path / "model.keras")
    assert run(tmp_path / "model.keras", pictures, "--out", tmp_path / out) == 1
    assert words in capsys.readouterr().err


def test_what_is_not_there_is_one_message(tmp_path, pictures, capsys):
    save(tmp_path / "model.keras")
    assert run(tmp_path / "absent", pictures) == 1
    assert "absent does not exist" in capsys.readouterr().err
    assert run(tmp_path / "model.keras", tmp_path / "nothing") == 1
    assert "nothing' is neither a folder nor a file" in capsys.readouterr().err
    assert run(tmp_path / "model.keras", pictures, "--saliency", pictures / "b.png", "--out", tmp_path / "o.csv") == 1
    assert "is a file" in capsys.readouterr().err


def test_more_pictures_than_one_process_takes_keep_their_order(tmp_path, monkeypatch):
    from keras_art.learning import prediction

    monkeypatch.setattr(prediction, "CHUNK", 4)
    monkeypatch.setattr(prediction, "FEW", 0)
    monkeypatch.setattr(prediction.os, "cpu_count", lambda: 2)
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(11):
        Image.fromarray(np.full((16, 16, 3), 20 * i, np.uint8)).save(folder / f"{i:02d}.png")
    model = save(tmp_path / "model.keras")
    told = []
    found, unreadable = prediction.predict(
        prediction.read(tmp_path / "model.keras"),
        {path.name: path for path in sorted(folder.iterdir())},
        lambda done, all: told.append((done, all)),
    )
    assert found["id"].tolist() == [f"{i:02d}.png" for i in range(11)] and not len(unreadable)
    assert told == [(4, 11), (8, 11), (11, 11)]
    grey = np.stack([np.full((16, 16, 3), 20 * i, np.uint8) for i in range(11)])
    expected = model.predict(grey, verbose=0)["style"].max(axis=1)
    np.testing.assert_allclose(found["style_probability"], expected, atol=1e-5)


def test_one_picture_is_asked_about_as_its_folder_is(tmp_path, pictures):
    save(tmp_path / "model.keras")
    assert run(tmp_path / "model.keras", pictures, "--out", tmp_path / "all.csv") == 0
    assert run(tmp_path / "model.keras", pictures / "b.png", "--out", tmp_path / "one.csv") == 0
    every, one = (pd.read_csv(tmp_path / name) for name in ("all.csv", "one.csv"))
    pd.testing.assert_frame_equal(one, every[every["id"] == "b.png"].reset_index(drop=True), atol=1e-6)
    assert run(tmp_path / "model.keras", pictures / "broken.png", "--out", tmp_path / "none.csv") == 1


def run_in_a_store(store, name):
    """A run's directory as a shell's `*` finds it: with its lock, a lease's, and what a killed process has left."""
    folder = store / "classifier" / name
    save(folder / "model.keras")
    for known in ("config.json", "environment.json"):
        (folder / known).write_text("{}")
    (store / "store.json").write_text("{}")
    for left in (".lock", ".000007.lock", ".host-4194305.part"):
        (store / "classifier" / f"{name}{left}").touch()


def test_what_a_shell_finds_beside_a_run_is_passed_over(tmp_path, pictures, capsys):
    run_in_a_store(tmp_path / "store", "one-0")
    found = sorted((tmp_path / "store" / "classifier").glob("one*"))
    assert len(found) == 4
    assert run(*found, pictures / "b.png") == 0
    said = capsys.readouterr()
    assert said.out.startswith("b.png\n") and "one-0.000007.lock and 2 more: passed over, a lock" in said.err
    (pictures / "poetry.lock").touch()  # somebody else's
    assert run(*found, pictures / "poetry.lock") == 1
    assert "poetry.lock" in capsys.readouterr().err.splitlines()[-1]
    assert run(*found) == 1
    assert "nothing is named to look at" in capsys.readouterr().err


def test_several_runs_are_refused_and_several_pictures_are_not(tmp_path, pictures, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one-0", "one-1"):
        run_in_a_store(tmp_path / "store", name)
    shutil.copy(pictures / "b.png", tmp_path / "store" / "classifier" / "one-1" / "confusion.png")
    found = sorted(Path("store", "classifier").glob("one*"))
    for more in ([], ["new/b.png"]):
        assert run(*found, *more) == 1
        assert "one-1 is a model, too: give one" in capsys.readouterr().err
    names = ["new/b.png", "new/deep/a.jpg"]
    assert run(found[0], *names) == 0
    table = pd.read_csv("predictions.csv")
    assert table["id"].tolist() == names == table["picture"].tolist()
    assert run(found[0], *names, "new") == 1
    assert "new is no picture: give pictures alone, or one folder or table" in capsys.readouterr().err


# --- a person's table, and what its probabilities mean

MEASURED = {
    "temperature": 2.0, "n_val": 30, "n_test": 40, "ece": 0.3, "ece_calibrated": 0.05,
    "trust": {"sure": [4, 4], "check": [20, 15], "doubtful": [16, 4]},
}  # fmt: skip


@pytest.fixture
def inventory(pictures):
    """A sheet as a museum has it: a title, numbers shown with zeros, a date, merged cells, formulas that are text."""
    import datetime

    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    book.active.append(["Read me first", "=2+3"])
    book.active["A1"].font = Font(italic=True)
    sheet = book.create_sheet("Werken")
    for row in (
        ["Inventaris 2024", None, None, None, None],
        [],
        ["Nr.", "Kunstenaar", "Titel", "Datum", "Bestand"],
        [12, "x", "=1+1", datetime.date(1642, 5, 1), "b.png"],
        [13, None, "@a", None, "a.jpg"],
        ["0014", "z", "verloren", None, "gone.jpg"],
        ["0015", "z", "stuk", None, "broken.png"],
    ):
        sheet.append(row)
    sheet["C4"].data_type = "s"
    sheet["A4"].number_format = sheet["A5"].number_format = "0000"
    sheet.merge_cells("A1:E1")
    sheet.merge_cells("B4:B5")
    book.save(pictures / "werken.xlsx")
    return pictures / "werken.xlsx"


def test_a_sheet_comes_back_as_it_was_with_what_is_said_of_each_row(tmp_path, inventory, capsys):
    from openpyxl import load_workbook

    save(tmp_path / "model.keras", card=dataclasses.replace(CARD, calibration={"artist": MEASURED}))
    assert run(tmp_path / "model.keras", inventory, "--out", tmp_path / "out.xlsx") == 0
    told = capsys.readouterr().err
    assert "1 cell merged over several rows, first B4:B5" in told and "'Inventaris 2024' is passed over" in told
    assert "1 row without a picture and 1 picture that can not be read: see " in told
    assert "artist: calibrated on 30 validation images (temperature 2.00)" in told
    assert "check 20 (75% of them right)" in told and "style: no calibration is in this model" in told
    assert "out.xlsx keeps 1 formula, computed where it is opened" in told.replace("\n", " ")
    notes, sheet = load_workbook(tmp_path / "out.xlsx").worksheets
    assert notes["A1"].value == "Read me first" and notes["A1"].font.i
    assert (notes["B1"].value, notes["B1"].data_type) == ("=2+3", "f")
    assert sheet["A1"].value == "Inventaris 2024"
    assert set(map(str, sheet.merged_cells.ranges)) == {"A1:E1", "B4:B5"}
    names = [cell.value for cell in sheet[3]]
    assert names[:13] == [
        "Nr.", "Kunstenaar", "Titel", "Datum", "Bestand", "style_predicted", "style_probability", "style_trust",
        "artist_predicted", "artist_probability", "artist_trust", "picture", "note",
    ]  # fmt: skip
    first, second, lost, broken = ({n: c for n, c in zip(names, row, strict=True)} for row in sheet.iter_rows(4, 7))
    assert (first["Nr."].value, first["Nr."].number_format, lost["Nr."].value) == (12, "0000", "0014")
    assert (first["Titel"].value, first["Titel"].data_type) == ("=1+1", "s") and first["Datum"].is_date
    assert (first["Kunstenaar"].value, second["Kunstenaar"].value) == ("x", None)  # merged, as it was
    assert first["style_trust"].value == "not calibrated" and second["artist_trust"].value in ("check", "doubtful")
    assert first["picture"].hyperlink.target == "new/b.png" == first["picture"].value
    assert second["picture"].value == "new/deep/a.jpg" and first["artist_probability"].number_format == "0.0%"
    assert lost["artist_predicted"].value is None and lost["note"].value == "labelled, but no such image"
    assert "not an image" in broken["note"].value
    bad = pd.read_csv(tmp_path / "out_quarantine.csv")["path"].tolist()
    assert [Path(path).name for path in bad] == ["gone.jpg", "broken.png"]


def test_of_a_workbook_that_can_not_be_kept_whole_the_sheet_comes_back_and_that_is_said(
    tmp_path, inventory, capsys, monkeypatch
):
    from openpyxl import load_workbook

    save(tmp_path / "model.keras")
    monkeypatch.setattr(answers, "MOST_KEPT", 1000)
    assert run(tmp_path / "model.keras", inventory, "--out", tmp_path / "out.xlsx") == 0
    assert "has the sheet 'Werken' of" in capsys.readouterr().err.replace("\n", " ")
    (sheet,) = load_workbook(tmp_path / "out.xlsx").worksheets
    assert sheet["A1"].value == "Inventaris 2024" and sheet.freeze_panes == "A4"
    assert (sheet["C4"].value, sheet["C4"].data_type, sheet["A4"].number_format) == ("=1+1", "s", "0000")
    assert sheet["B5"].value == "x" and sheet["F3"].value == "style_predicted"


@pytest.mark.parametrize("whole", [True, False])
def test_columns_are_as_wide_as_what_stands_in_them(tmp_path, inventory, whole):
    from openpyxl import load_workbook

    save(tmp_path / "model.keras")
    table = tmp_path / "new" / "long.csv"
    write_csv(table, [["image"], *[["b.png"]] * 60, ["gone.jpg"]])
    assert run(tmp_path / "model.keras", inventory if whole else table, "--out", tmp_path / "out.xlsx") == 0
    sheet = load_workbook(tmp_path / "out.xlsx")["Werken" if whole else "predictions"]
    (header,) = sheet.iter_rows(3, 3) if whole else sheet.iter_rows(1, 1)
    shown = {cell.value: sheet.column_dimensions[cell.column_letter].width for cell in header}
    assert shown["note"] == (40 if whole else 29)  # at most; "labelled, but no such image"
    assert shown["picture"] == len("new/deep/a.jpg" if whole else "new/b.png") + 2
    assert shown["artist_probability"] == len("artist_probability") + 2  # a share is short


ANCHOR = """<xdr:twoCellAnchor xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"
xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><xdr:from><xdr:col>1</xdr:col><xdr:colOff>0</xdr:colOff>
<xdr:row>1</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from><xdr:to><xdr:col>3</xdr:col><xdr:colOff>0</xdr:colOff>
<xdr:row>3</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:to><xdr:sp macro="" textlink=""><xdr:nvSpPr><xdr:cNvPr id="9"
name="Box"/><xdr:cNvSpPr/></xdr:nvSpPr><xdr:spPr><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></xdr:spPr></xdr:sp>
<xdr:clientData/></xdr:twoCellAnchor>"""
SPARKLINES = """<extLst><ext xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main"
uri="{05C60535-1F16-4fd2-B633-F4F36F0B64E0}"><x14:sparklineGroups/></ext></extLst>"""


def drawn_upon(inventory, *, chart: bool, shape: bool, sparklines: bool, header: bool) -> None:
    """Puts a picture on a person's sheet, and what else is asked for."""
    import zipfile

    from openpyxl import load_workbook
    from openpyxl.chart import BarChart, Reference
    from openpyxl.drawing.image import Image as Drawing

    book = load_workbook(inventory)
    sheet = book["Werken"]
    sheet.add_image(Drawing(inventory.parent / "b.png"), "H2")
    if chart:
        bars = BarChart()
        bars.add_data(Reference(sheet, min_col=1, min_row=4, max_row=6))
        sheet.add_chart(bars, "H9")
    book.save(inventory)
    with zipfile.ZipFile(inventory) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    drawing, grid = "xl/drawings/drawing1.xml", "xl/worksheets/sheet2.xml"
    if shape:
        end = re.search(rb"</(\w+:)?wsDr>\s*$", members[drawing]).start()
        members[drawing] = members[drawing][:end] + 2 * ANCHOR.encode() + members[drawing][end:]
    if sparklines:
        members[grid] = members[grid].replace(b"</worksheet>", SPARKLINES.encode() + b"</worksheet>")
    if header:
        kind = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/image"
        members["xl/drawings/_rels/vmlDrawing9.vml.rels"] = b'<R><Relationship Id="r" Type="%s" Target="x"/></R>' % kind
    with zipfile.ZipFile(inventory, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("on_it", "lost"),
    [
        ({}, ""),
        ({"chart"}, ""),
        ({"shape"}, "2 shapes"),
        ({"chart", "shape", "sparklines", "header"}, "2 shapes, 1 picture, the sparkline group extension of sheets"),
    ],
)
def test_what_a_workbook_comes_back_without_is_said_in_a_line_before_it_is_written(
    tmp_path, inventory, capsys, monkeypatch, recwarn, on_it, lost
):
    from openpyxl import load_workbook

    drawn_upon(inventory, **{what: what in on_it for what in ("chart", "shape", "sparklines", "header")})
    save(tmp_path / "model.keras")
    said = []
    kept = answers.write_bytes
    monkeypatch.setattr(answers, "write_bytes", lambda *args: said.append(capsys.readouterr().err) or kept(*args))
    assert run(tmp_path / "model.keras", inventory, "--out", tmp_path / "out.xlsx") == 0
    assert not [told for told in recwarn if "openpyxl" in told.filename]
    sheet = load_workbook(tmp_path / "out.xlsx")["Werken"]
    assert len(sheet._images) == 1 and len(sheet._charts) == ("chart" in on_it)
    lines = [line for line in said[0].splitlines() if "comes back without" in line]
    assert [line.partition("without ")[2].partition(", which can not")[0] for line in lines] == [lost] * bool(lost)


def seen_on(place):
    """Where our columns begin on a sheet that comes back, and the columns that are hidden there."""
    from openpyxl import load_workbook

    sheet = load_workbook(place)["Werken"]
    begins = next(cell.column_letter for cell in sheet[3] if cell.value == "style_predicted")
    groups = sorted((each.min, each.max, each.hidden) for each in sheet.column_dimensions.values())
    assert all(one[1] < other[0] for one, other in itertools.pairwise(groups))  # Excel mends a file where they overlap
    return begins, [group[:2] for group in groups if group[2]]


@pytest.mark.parametrize(
    ("anchor", "begins"),
    [
        (("one", "H2", 200, 100), "L"),  # of 64 pixels each: over H to K
        (("one", "H2", 192, 100), "K"),
        (("one", "A4", 300, 20), "F"),  # within the table
        (("one", "D4", 200, 20), "H"),  # and beyond it
        (("one", "H1", 200, 40), "F"),  # above its header
        (("one", "H8", 200, 900), "F"),  # below its rows
        (("one", "ZZ2", 200, 100), "F"),  # far to the right
        (("two", "H2", "J6"), "J"),
        (("absolute", 500, 50, 100, 50), "K"),
        (("one", "G2", 40, 100, "F3", 300), "K"),  # two: F to J
    ],
)
def test_the_new_columns_begin_where_no_drawing_covers_them(tmp_path, inventory, anchor, begins):
    from openpyxl import load_workbook
    from openpyxl.drawing import spreadsheet_drawing as drawing
    from openpyxl.drawing.image import Image as Drawing
    from openpyxl.drawing.xdr import XDRPoint2D, XDRPositiveSize2D
    from openpyxl.utils.cell import column_index_from_string, coordinate_to_tuple

    def marker(cell):
        row, column = coordinate_to_tuple(cell)
        return drawing.AnchorMarker(column - 1, 0, row - 1, 0)

    def put(*where):
        image = Drawing(io.BytesIO((inventory.parent / "b.png").read_bytes()))
        image.width, image.height = where[-2:] if where[0] != "two" else (9, 9)
        image.anchor = where[1]
        size = XDRPositiveSize2D(*(9525 * side for side in (image.width, image.height)))
        if where[0] == "two":
            image.anchor = drawing.TwoCellAnchor(_from=marker(where[1]), to=marker(where[2]))
        elif where[0] == "absolute":
            image.anchor = drawing.AbsoluteAnchor(XDRPoint2D(9525 * where[1], 9525 * where[2]), size)
        sheet.add_image(image)

    book = load_workbook(inventory)
    sheet = book["Werken"]
    put(*anchor[:4] if anchor[0] == "one" else anchor)
    if anchor[4:] and anchor[0] == "one":
        put("one", anchor[4], anchor[5], 60)
    sheet.column_dimensions.group("R", "XFD", hidden=True)  # as those who use no more hide them
    book.save(inventory)
    save(tmp_path / "model.keras")
    assert run(tmp_path / "model.keras", inventory, "--out", tmp_path / "out.xlsx") == 0
    found, hidden = seen_on(tmp_path / "out.xlsx")
    assert found == begins
    assert hidden == [(column_index_from_string(begins) + 18, 16384)]  # behind our eighteen


@pytest.mark.skipif(os.name == "nt", reason="os.kill ends a process there")
@pytest.mark.parametrize("name", ["behind", "picture"])
def test_a_stop_amid_a_workbook_or_a_picture_writes_nothing(tmp_path, inventory, monkeypatch, capsys, name):
    def stopped(*_):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        except KeyboardInterrupt:
            raise ValueError("damaged") from None

    save(tmp_path / "model.keras")
    monkeypatch.setattr(*((answers.sheets, "behind") if name == "behind" else (images, "to_srgb")), stopped)
    before = sorted(tmp_path.rglob("*"))
    assert run(tmp_path / "model.keras", inventory, "--out", tmp_path / "out.xlsx") == 143
    assert "stopped by SIGTERM" in capsys.readouterr().err.splitlines()[-1]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_comes_back_as_text_in_other_formats(tmp_path, inventory, suffix):
    from keras_art.data.readers.spreadsheets import read_sheets

    save(tmp_path / "model.keras")
    assert run(tmp_path / "model.keras", inventory, "--out", tmp_path / f"out{suffix}") == 0
    table = read_sheets(tmp_path / f"out{suffix}")[""].table
    assert table["Nr."].tolist() == ["0012", "0013", "0014", "0015"]
    assert table["Titel"].tolist() == ["=1+1", "@a", "verloren", "stuk"]
    assert table["artist_predicted"].tolist()[2:] == ["", ""] and all(table["artist_predicted"][:2])


def learnt(store, museum, mode="fine_tuning"):
    """A run's directory with a model that has learnt from a museum's pictures, and of how many."""
    for i in range(12):
        (museum / "xy"[i % 2]).mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(100 + i).integers(0, 256, (20, 20, 3)).astype("uint8")
        Image.fromarray(pixels).save(museum / "xy"[i % 2] / f"{i}.png")
    collection, choice = open_choice(store, museum, None, "label")
    task = tasks.prepare(store, collection, choice, 16, "squash", lambda done, total: None).task
    folder = store.root / "classifier" / "museum-12345678"
    folder.mkdir(parents=True)
    source = trained.provenance({"collection": choice.key, "mode": mode})
    save(folder / "model.keras", card=dataclasses.replace(CARD, provenance=source))
    return folder, int((task.images["split"] != "test").sum())


UNKNOWN = "whether it was trained on any of these pictures can not be told"


@pytest.mark.parametrize("exported", [False, True])
def test_pictures_that_it_learnt_from_are_counted(tmp_path, pictures, capsys, monkeypatch, exported):
    store, museum = Store(tmp_path / "store"), tmp_path / "museum"
    store.create()
    folder, known = learnt(store, museum)
    if exported:
        monkeypatch.setattr(exports, "FORMATS", {})
        again = ("export", folder, "--out", tmp_path / "far" / "art")
        assert main([*map(str, again)]) == 0
        assert f"learnt_from.json has the SHA-256 of the {known} pictures" in capsys.readouterr().err
        folder = tmp_path / "far" / "art"
        assert f"SHA-256 of the {known} pictures" in (folder / "README.md").read_text()
        shutil.move(store.root, tmp_path / "elsewhere")
    shutil.copytree(museum, pictures / "museum")
    assert run(folder, pictures, "--out", tmp_path / "out.csv") == 0
    assert f"{known} of these 15 pictures are those that it was trained or chosen on" in capsys.readouterr().err
    shutil.rmtree(pictures / "museum")
    assert run(folder, pictures, "--out", tmp_path / "out.csv") == 0
    told = capsys.readouterr().err
    assert "chosen on" not in told and UNKNOWN not in told
    if exported:
        for content in ("", "{}", '{"sha256": []}', '{"sha256": [1, null]}', '{"sha256": ["ABC"]}'):
            (folder / "learnt_from.json").write_text(content)
            assert run(folder, pictures, "--out", tmp_path / "out.csv") == 0
            told = capsys.readouterr().err
            assert f"{UNKNOWN}, as {folder / 'learnt_from.json'} is damaged, it is no list of hashes" in told
        shutil.move(tmp_path / "elsewhere", store.root)
        (folder / "learnt_from.json").unlink()
        assert main([*map(str, again)]) == 0 and "is whole" in capsys.readouterr().err  # to take it away is a choice
    else:
        shutil.rmtree(store.root / "collections")
    assert run(folder, museum, "--out", tmp_path / "out.csv") == 0
    told = capsys.readouterr().err
    assert "chosen on" not in told and UNKNOWN in told


def test_a_model_without_training_has_learnt_from_none_and_one_at_the_root_of_a_disk_is_asked(
    tmp_path, pictures, capsys, monkeypatch
):
    store = Store(tmp_path / "store")
    store.create()
    folder, _ = learnt(store, tmp_path / "museum", "zero_shot")
    assert run(folder, tmp_path / "museum", "--out", tmp_path / "out.csv") == 0
    told = capsys.readouterr().err
    assert "chosen on" not in told and UNKNOWN not in told
    assert store_of(Path("/model.keras")).root == Path("/")


def test_probabilities_are_at_the_models_temperature(tmp_path, pictures):
    from keras_art.report.calibration import cooled

    model = save(tmp_path / "model.keras", card=dataclasses.replace(CARD, calibration={"artist": MEASURED}))
    assert run(tmp_path / "model.keras", pictures, "--out", tmp_path / "out.csv") == 0
    said = model.predict(decode(pictures / "b.png", 16)[0][None], verbose=0)
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["artist_probability"][0] == pytest.approx(cooled(said["artist"], 2.0).max(), abs=1e-6)
    assert table["style_probability"][0] == pytest.approx(said["style"].max(), abs=1e-6)


def test_a_sheet_is_named_or_the_nearest_is(tmp_path, inventory, capsys):
    save(tmp_path / "model.keras")
    out = ("--out", tmp_path / "out.csv")
    assert run(tmp_path / "model.keras", inventory, *out, "--sheet", "Werkn") == 1
    assert "no sheet 'Werkn' with rows; it has 'Werken': did you mean 'Werken'?" in capsys.readouterr().err
    assert run(tmp_path / "model.keras", inventory, *out, "--sheet", "Werken") == 0


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_tables_pictures_may_lie_elsewhere(tmp_path, pictures, capsys, suffix):
    table, root = tmp_path / "few" / f"few{suffix}", ("--root", pictures)
    table.parent.mkdir()
    rows = pd.DataFrame({"id": ["1", "2", "3"], "image": ["b.png", "a.jpg", "gone.jpg"]})
    rows.to_csv(table, index=False) if suffix == ".csv" else rows.to_excel(table, index=False)
    save(tmp_path / "model.keras")
    assert run(tmp_path / "model.keras", table, "--out", tmp_path / "no.csv") == 1
    assert "name their folder with --root" in capsys.readouterr().err.replace("\n", " ")
    assert run(tmp_path / "model.keras", table, "--out", tmp_path / "out.csv", *root) == 0
    found = pd.read_csv(tmp_path / "out.csv", dtype=str, keep_default_na=False)
    assert found["picture"].tolist() == ["new/b.png", "new/deep/a.jpg", ""] and found["style_predicted"][0]
    assert found["note"].tolist() == ["", "", "labelled, but no such image"]
    if suffix == ".xlsx":
        assert run(tmp_path / "model.keras", table, "--out", tmp_path / "out.xlsx", *root) == 0
        found = pd.read_excel(tmp_path / "out.xlsx", dtype=str, keep_default_na=False)
        assert found["picture"].tolist() == ["new/b.png", "new/deep/a.jpg", ""]


def test_nothing_is_written_over_that_was_not_named(tmp_path, pictures, inventory, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "model.keras")
    (tmp_path / "predictions.csv").write_text("mine")
    assert run("model.keras", pictures / "b.png") == 0
    assert re.search(r"^b.png\n  style: \w+, [\d.]+%, not calibrated\n    \w+, [\d.]+%$", capsys.readouterr().out, re.M)
    assert run("model.keras", pictures) == 1
    assert "predictions.csv is there already" in capsys.readouterr().err
    assert run("model.keras", inventory, "--out", inventory) == 1
    assert "is the table that is read" in capsys.readouterr().err
    assert (tmp_path / "predictions.csv").read_text() == "mine"
    assert run("modl.keras", pictures) == 1
    assert "did you mean model.keras?" in capsys.readouterr().err
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run("~/model.keras", "~/new", "--out", "~/home.csv") == 0  # as a shell leaves them within quotes
    assert (tmp_path / "home.csv").is_file()


def test_what_a_cell_does_not_hold_is_refused_before_any_work(tmp_path, pictures, capsys, monkeypatch):
    monkeypatch.setattr(predict.terminal, "start_backend", lambda: pytest.fail("work had begun"))
    save(tmp_path / "model.keras")
    write_csv(pictures / "long.csv", [["image", "text"], ["b.png", "x" * 40_000]])
    assert run(tmp_path / "model.keras", pictures / "long.csv", "--out", tmp_path / "out.xlsx") == 1
    assert "the column text of 'b.png' holds 40,000 letters" in capsys.readouterr().err


@pytest.mark.parametrize("change", [{"temperature": 0.0}, {"temperature": "2"}, {"trust": {}}, {"ece": None}])
def test_a_damaged_calibration_is_one_message(tmp_path, pictures, capsys, change):
    card = dataclasses.replace(CARD, calibration={"artist": {**MEASURED, **change}})
    monkey = trained._problem
    try:
        trained._problem = lambda card: ""
        save(tmp_path / "model.keras", card=card)
    finally:
        trained._problem = monkey
    assert run(tmp_path / "model.keras", pictures, "--out", tmp_path / "out.csv") == 1
    assert "damaged card" in capsys.readouterr().err

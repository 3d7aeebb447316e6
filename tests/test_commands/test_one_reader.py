"""Every command takes what the studies take, checks where its results go before any work, and loses no good picture."""

from __future__ import annotations

import gzip
import json
import os
import re
import stat
import struct
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import write_csv
from PIL import Image

from keras_art.commands import adain, curation, doctor, leaks, manifests, neighbours, predict, tickets
from keras_art.commands import map as map_
from keras_art.data import kept
from keras_art.data.opening import open_choice
from keras_art.data.sources import load_collection
from keras_art.data.tasks import prepare
from keras_art.store.reading import read_csv
from keras_art.store.runs import Store
from keras_art.writing import write_csv as write_text_table

CURATE = ["--top_styles", "0", "--min_style", "0", "--top_artists", "0", "--min_artist", "0"]


def run(main: Callable[[list[str]], int], *words: object) -> int:
    return main([str(word) for word in words])


# --- where results go is checked first


@pytest.mark.parametrize("place", ["taken", "taken/deeper/out{}", "x" * 300 + "/out{}", "x" * 300 + "{}"])
@pytest.mark.parametrize(
    ("main", "words", "suffix"),
    [
        (doctor.main, ["check", "DATA", "--out"], ""),
        (leaks.main, ["DATA", "--images", "no", "--out"], ".csv"),
        (curation.main, ["DATA", "--target", "artist", *CURATE, "--out"], ""),
        (manifests.main, ["DATA", "--out"], ".xlsx"),
        (predict.main, ["MODEL", "DATA", "--out"], ".csv"),
        (adain.main, ["stylise", "MODEL", "PICTURE", "PICTURE", "--out"], ".png"),
        (tickets.main, ["export", "MODEL", "--stage", "1", "--out"], ".keras"),
    ],
    ids=["doctor", "leaks", "curate", "manifests", "predict", "stylise", "export"],
)
def test_a_place_for_results_that_is_none_is_told_before_any_work(
    picture_csv, tmp_path, monkeypatch, capsys, main, words, suffix, place
):
    monkeypatch.setattr("keras_art.data.opening.open_collection", lambda *_: pytest.fail("work had begun"))
    monkeypatch.setattr("keras_art.terminal.start_backend", lambda: pytest.fail("work had begun"))
    (tmp_path / "taken").write_text("a file")
    if place == "taken" and suffix:
        place = "folder"
        (tmp_path / "folder").mkdir()
    named = {"DATA": picture_csv, "MODEL": tmp_path / "taken", "PICTURE": picture_csv / "images" / "000.png"}
    assert run(main, *(named.get(word, word) for word in words), tmp_path / place.format(suffix)) == 1
    said = capsys.readouterr().err
    assert (
        any(why in said for why in ("is a file", "is a folder", "File name too long", "is longer than 200 bytes"))
        and said.count("\n") == 1
    )
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "folder") == ["museum", "taken"]


@pytest.mark.parametrize("name", ["out.ods", "out.txt", "out", "out.csv.gz"])
def test_a_manifest_of_another_kind_is_refused_before_any_work(picture_csv, tmp_path, monkeypatch, capsys, name):
    monkeypatch.setattr("keras_art.data.opening.open_collection", lambda *_: pytest.fail("work had begun"))
    assert run(manifests.main, picture_csv, "--out", tmp_path / name) == 1
    assert "is no .csv or .xlsx or .parquet file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("main", "words", "out", "name"),
    [
        (doctor.main, ["check", "DATA", "--out"], ".", "images"),
        (doctor.main, ["check", "DATA", "--out"], ".", "unmatched"),
        (leaks.main, ["DATA", "--images", "no", "--target", "style", "--out"], "{}.csv", "labels"),
        (curation.main, ["DATA", "--target", "style", *CURATE, "--out"], ".", "labels"),
        (curation.main, ["DATA", "--target", "style", *CURATE, "--out"], ".", "report"),
        (manifests.main, ["DATA", "--out"], "{}.csv", "labels"),
        (predict.main, ["MODEL", "DATA", "--out"], "link.csv", "labels"),
        (predict.main, ["MODEL", "DATA", "--out"], "a.csv", "a_quarantine"),
        (map_.main, ["DATA", "--export", "parquet", "--out"], "link.html", "labels"),
    ],
    ids=["doctor", "unmatched", "leaks", "curate", "report", "manifests", "predict", "quarantine", "map"],
)
def test_no_command_writes_over_the_table_that_it_reads(
    picture_csv, tmp_path, monkeypatch, capsys, main, words, out, name
):
    monkeypatch.setattr("keras_art.data.opening.open_collection", lambda *_: pytest.fail("work had begun"))
    table = (picture_csv / "labels.csv").rename(picture_csv / f"{name}.csv")
    for link in ("link.csv", "link.parquet"):
        (picture_csv / link).symlink_to(table)
    before = table.read_bytes()
    for data in [table, picture_csv] if name == "labels" else [table]:
        named = {"DATA": data, "MODEL": tmp_path}
        assert run(main, *(named.get(word, word) for word in words), picture_csv / out.format(name)) == 1
        assert "is the table that is read" in capsys.readouterr().err and table.read_bytes() == before


@pytest.mark.parametrize(
    ("main", "words", "file"),
    [
        (doctor.main, ["check", "DATA", "--out", "OUT"], "images.csv"),
        (curation.main, ["DATA", "--target", "style", *CURATE, "--out", "OUT"], "labels.csv"),
        (predict.main, ["MODEL", "DATA", "--out", "p.csv", "--saliency", "OUT"], "000.png"),
        (map_.main, ["DATA", "--export", "vikus", "--out", "m.html"], "data.csv"),
    ],
    ids=["doctor", "curate", "predict", "map"],
)
def test_no_command_writes_into_a_folder_that_has_something_else_in_it(
    picture_csv, tmp_path, monkeypatch, capsys, main, words, file
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("keras_art.data.opening.open_collection", lambda *_: pytest.fail("work had begun"))
    place = tmp_path / ("m_vikus" if main is map_.main else "mine")
    place.mkdir()
    (place / file).write_text("years of work")
    named = {"DATA": picture_csv, "MODEL": tmp_path, "OUT": place.name}
    assert run(main, *(named.get(word, word) for word in words)) == 1
    told = f"{place.name} has something else in it, which could be replaced: name another folder\n"
    assert capsys.readouterr().err.endswith(told)
    assert [path.name for path in place.iterdir()] == [file] and (place / file).read_text() == "years of work"


@pytest.mark.parametrize(
    ("main", "words", "marks"),
    [
        (doctor.main, ["check", "DATA", "--out"], [".keras_art", "report.html"]),
        (curation.main, ["DATA", "--target", "style", *CURATE, "--out"], [".keras_art", "curation.json"]),
    ],
    ids=["doctor", "curate"],
)
def test_a_command_writes_into_its_own_folder_again_and_no_other_does(
    picture_csv, tmp_path, monkeypatch, capsys, main, words, marks
):
    monkeypatch.chdir(tmp_path)
    words = [str(picture_csv) if word == "DATA" else word for word in words]
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / ".DS_Store").touch()  # which is nobody's work
    assert run(main, *words, "made") == 0
    for gone in marks:  # a folder whose hidden files were not copied, and one of a command that was stopped
        kept = (tmp_path / "made" / gone).read_bytes()
        (tmp_path / "made" / gone).unlink()
        assert run(main, *words, "made") == 0
        (tmp_path / "made" / gone).write_bytes(kept)
    (other,) = {doctor.main, curation.main} - {main}
    mine = [str(picture_csv), "--target", "style", *CURATE] if other is curation.main else ["check", str(picture_csv)]
    capsys.readouterr()
    assert run(other, *mine, "--out", "made") == 1
    assert "made has something else in it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("main", "words", "told"),
    [
        (doctor.main, ["check", "DATA", "--out", "o.csv"], "o.csv is called like a file: name a folder, as o"),
        (curation.main, ["DATA", "--out", "o.csv"], "o.csv is called like a file: name a folder, as o"),
        (predict.main, ["MODEL", "DATA", "--out", "p.csv", "--saliency", "o.png"], "o.png is called like a file"),
        (map_.main, ["DATA", "--out", "m.txt"], "--out m.txt is no .html or .htm file: give m.html"),
    ],
    ids=["doctor", "curate", "predict", "map"],
)
def test_no_folder_is_made_that_is_called_like_a_file(picture_csv, tmp_path, monkeypatch, capsys, main, words, told):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("keras_art.data.opening.open_collection", lambda *_: pytest.fail("work had begun"))
    assert run(main, *({"DATA": picture_csv, "MODEL": tmp_path}.get(word, word) for word in words)) == 1
    assert told in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["museum"]


# --- a choice of a store is data


@pytest.fixture
def chosen(picture_csv, tmp_path):
    """A store with a choice of the museum's artists, and the choice's name."""
    store = Store(tmp_path / "store")
    store.create()
    collection, choice = open_choice(store, picture_csv, None, "artist")
    prepare(store, collection, choice, 16, "squash", lambda done, total: None)
    return store.root, choice.key


def test_doctor_leaks_curate_and_manifests_take_a_choice_of_a_store(chosen, tmp_path, capsys):
    store, key = chosen
    at = ["--store", store]
    assert run(doctor.main, "check", key, "--out", tmp_path / "report", *at) == 0
    assert run(leaks.main, key, "--target", "artist", "--out", tmp_path / "splits.csv", *at) == 0
    assert "given split" in capsys.readouterr().out
    assert run(curation.main, key, "--target", "style", *CURATE, "--out", tmp_path / "curated", *at) == 0
    assert run(manifests.main, key, "--out", tmp_path / "table.csv", *at) == 0
    split = kept.task_of(Store(store), key)[0].images.set_index("id")["split"]
    for table in (pd.read_csv(tmp_path / "splits.csv"), read_csv(tmp_path / "table.csv")):
        assert table.set_index("id")["split"].to_dict() == split.to_dict()
    assert load_collection(tmp_path / "curated").targets == ["artist", "style"]


def test_curated_tables_name_their_images_by_relative_paths_and_can_be_moved_with_them(picture_csv, tmp_path):
    assert run(curation.main, picture_csv, *CURATE, "--out", tmp_path / "museum" / "of" / "styles") == 0
    assert set(read_csv(tmp_path / "museum/of/styles/labels.csv")["image"].str[:13]) == {"../../images/"}
    (tmp_path / "museum").rename(tmp_path / "elsewhere")
    assert len(load_collection(tmp_path / "elsewhere" / "of" / "styles").images) == 24


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A classifier that has learnt nothing."""
    import keras

    from keras_art.networks import heads, trained
    from keras_art.networks.backbones import Backbone

    inputs = keras.Input((16, 16, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(4, 3, 2, name="stage1")(inputs), name="tiny")
    made = heads.multitask_classifier(Backbone(network, "unit"), {"object": 2}, shared=4, hidden=4)
    path = tmp_path_factory.mktemp("model") / "model.keras"
    card = trained.ModelCard({"object": ["x", "y"]}, "unit", "squash", 16, {}, trained.provenance({}))
    trained.save(made, path, card)
    return path


def test_predict_takes_a_table_and_a_choice_of_a_store(chosen, picture_csv, model, tmp_path):
    store, key = chosen
    rows = [["id", "file", "dc:title"], ["SK/1", "images/000.png", "One"], ["../SK 2", "images/001.png", "Two"],
            ["SK-3", "images/gone.png", "Three"]]  # fmt: skip
    table = write_csv(picture_csv / "mine.csv", rows)
    out = ["--out", tmp_path / "out.csv"]
    assert run(predict.main, model, table, *out, "--saliency", tmp_path / "over") == 0
    found = read_csv(tmp_path / "out.csv").set_index("id")
    assert found["dc:title"].to_dict() == {"SK/1": "One", "../SK 2": "Two", "SK-3": "Three"}
    assert found["object_predicted"].iloc[:2].isin(["x", "y"]).all() and not found["object_predicted"].iloc[2]
    assert read_csv(tmp_path / "out_quarantine.csv")["path"].tolist() == ["images/gone.png"]
    assert sorted(str(p.relative_to(tmp_path / "over")) for p in (tmp_path / "over").rglob("*.png")) == [
        "SK/1.png", "_./SK_2.png",
    ]  # fmt: skip
    assert run(predict.main, model, key, "--store", store, *out) == 0
    assert len(read_csv(tmp_path / "out.csv")) == 24 and not (tmp_path / "out_quarantine.csv").exists()


def test_pictures_laid_over_are_not_predicted_the_next_time(picture_folder, model, tmp_path):
    words = [model, picture_folder, "--out", tmp_path / "out.csv", "--saliency", picture_folder / "over"]
    for _ in range(2):
        assert run(predict.main, *words) == 0
        assert len(read_csv(tmp_path / "out.csv")) == 24


def test_a_table_beside_pictures_whose_columns_are_called_like_tasks_keeps_no_prediction_back(
    picture_folder, model, tmp_path
):
    write_csv(picture_folder / "labels.csv", [["image", "url", "rights"], ["a/a0.png", "x", "y"]])
    assert run(predict.main, model, picture_folder, "--out", tmp_path / "out.csv") == 0
    table = read_csv(tmp_path / "out.csv")
    assert set(table["object_predicted"]) <= {"x", "y"} and table["object"][0] == "a/a0.png"


# --- salted folders

CLASSES = ("NA", "007", unicodedata.normalize("NFD", "Dürer"))
APART = unicodedata.normalize("NFD", "é")


def picture(path: Path, seed: int, mode: str = "RGB", **how: object) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **how)


def claiming(side: int) -> bytes:
    """A PNG whose header says that it is so wide and high, and which has nothing else."""
    head = b"IHDR" + struct.pack(">2I5B", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def broken(path: Path, seed: int) -> None:
    picture(path, seed)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


# Kinds of pictures that can be used: a name, of which {} is a number, and how it is made.
GOOD = {
    "{}.jpg": picture,
    "{}.JPG": picture,
    "{}.jpeg": picture,
    "{}.png": picture,
    "{}.tif": picture,
    "{}.webp": picture,
    "{}.gif": picture,
    "{}.bmp": picture,
    "grey{}.png": lambda path, seed: picture(path, seed, "L"),
    "palette{}.png": lambda path, seed: picture(path, seed, "P"),
    "alpha{}.png": lambda path, seed: picture(path, seed, "RGBA"),
    "inks{}.jpg": lambda path, seed: picture(path, seed, "CMYK"),
    "png{}.jpg": lambda path, seed: picture(path, seed, format="PNG"),
    "deep{}.png": lambda path, seed: Image.fromarray(np.full((20, 24), 4000 + seed, np.uint16)).save(path),
    "inks{}.tif": lambda path, seed: picture(path, seed, "CMYK"),
    "bits{}.png": lambda path, seed: picture(path, seed, "1"),
    "moving{}.gif": lambda path, seed: picture(path, seed, save_all=True, append_images=[Image.new("RGB", (24, 20))]),
    "moving{}.png": lambda path, seed: picture(path, seed, save_all=True, append_images=[Image.new("RGB", (24, 20))]),
    "profile{}.png": lambda path, seed: picture(path, seed, icc_profile=b"no profile"),
    "large profile{}.png": lambda path, seed: picture(path, seed, icc_profile=bytes(3 << 20)),
    f"caf{APART}{{}}.jpg": picture,
    "café{}.png": picture,
    " blank {} .png": picture,
    "line\n{}.png": picture,
    "return\r{}.png": picture,
    'a,b;c|"{}".png': picture,
    "n" * 200 + "{}.png": picture,
    "NA{}.png": picture,
    "deeper/{}.png": picture,
    "linked{}.png": lambda path, seed: (
        picture(path.with_suffix(".bmp"), seed),
        path.symlink_to(path.with_suffix(".bmp")),
    ),
}
# Files that can not be used, and must be named.
BAD = {
    "empty{}.jpg": lambda path, seed: path.touch(),
    "half{}.jpg": broken,
    "half{}.png": broken,
    "half{}.gif": broken,
    "half{}.webp": broken,
    "half{}.tif": broken,
    "half{}.bmp": broken,
    "zeros{}.jpg": lambda path, seed: path.write_bytes(bytes(4096)),
    "head{}.jpg": lambda path, seed: path.write_bytes(b"\xff\xd8\xff\xe0"),
    "claims{}.png": lambda path, seed: path.write_bytes(claiming(60_000)),
    "claims more{}.png": lambda path, seed: path.write_bytes(claiming(2**31 - 1)),
    "nothing to see{}.png": lambda path, seed: path.write_bytes(claiming(0)),
    "no number{}.tif": lambda path, seed: Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(path),
    "bomb{}.png": lambda path, seed: picture(path, seed, icc_profile=bytes(17 << 20)),
    "pointer{}.png": lambda path, seed: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
    "record{}.jpg": lambda path, seed: path.write_text('{"error": 404}'),
    "wide text{}.jpg": lambda path, seed: path.write_text("nothing", encoding="utf-16"),
    "packed{}.jpg": lambda path, seed: path.write_bytes(gzip.compress(b"picture")),
    "print{}.jpg": lambda path, seed: path.write_bytes(b"%PDF-1.7\n"),
    "drawing{}.png": lambda path, seed: path.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "text{}.jpg": lambda path, seed: path.write_text("Not found"),
    "page{}.png": lambda path, seed: path.write_text("<html>maintenance</html>"),
    "zip{}.tif": lambda path, seed: path.write_bytes(b"PK\x03\x04" + bytes(100)),
    "nothing{}.jpg": lambda path, seed: path.symlink_to(f"nowhere{seed}"),
    "itself{}.jpg": lambda path, seed: path.symlink_to(path),
    "pipe{}.jpg": lambda path, seed: os.mkfifo(path),
    "socket{}.jpg": lambda path, seed: os.mknod(path, stat.S_IFSOCK | 0o600),
    "layers{}.psd": lambda path, seed: path.write_bytes(b"8BPS"),
    "sketch{}.svg": lambda path, seed: path.write_text("<svg/>"),
    "raw{}.nef": lambda path, seed: path.write_bytes(b"MM\0*"),
}  # fmt: skip
# Files that are no works, and of which nobody need be told.
NEVER = (
    "._{}.jpg", ".hidden{}.png", "@eaDir/{}.jpg/SYNOPHOTO_THUMB_XL.jpg", "$RECYCLE.BIN/{}.jpg", "Thumbs.db",
    "#recycle/{}.jpg", "@__thumb/{}.jpg", "__MACOSX/{}.jpg", ".thumbnails/{}.png", "~snapshot/{}.jpg",
)  # fmt: skip


def salted(folder: Path, count: int) -> tuple[set[str], set[str]]:
    """So many files of all kinds in class folders; returns the good ones and the bad ones, relative."""
    good: set[str] = set()
    bad: set[str] = set()
    (folder / "runs" / "figures").mkdir(parents=True)
    Store(folder / "runs").create()
    picture(folder / "runs" / "figures" / "confusion.png", 0)
    kinds = [*((name, make, good) for name, make in GOOD.items()), *((name, make, bad) for name, make in BAD.items())]
    kinds += [(name, picture if name != "Thumbs.db" else BAD["empty{}.jpg"], set()) for name in NEVER]
    for i in range(count):
        name, make, into = kinds[i % len(kinds)]
        path = folder / CLASSES[i // len(kinds) % 3] / name.format(i)
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path, i)
        into.add(str(path.relative_to(folder)))
        if name.startswith("linked"):
            into.add(str(path.with_suffix(".bmp").relative_to(folder)))
    for i, label in enumerate(CLASSES):  # three sound ones of each class at least
        for number in range(3):
            path = folder / label / f"sound{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture(path, 10_000 + 3 * i + number)
            good.add(str(path.relative_to(folder)))
        odd = os.fsencode(folder / label) + b"/caf\xe9%d.png" % i
        with open(odd, "wb") as file:
            file.write((folder / label / "sound0.png").read_bytes())
        bad.add(os.fsdecode(odd)[len(str(folder)) + 1 :].encode("utf-8", "replace").decode())
    (folder / CLASSES[0] / "round").symlink_to(folder)
    bad.add(f"{CLASSES[0]}/round")
    return good, bad


def table_of(folder: Path, good: set[str], bad: set[str]) -> None:
    """A `labels.csv` of all of them, each name composed otherwise than on the disk, as another system has it."""
    names = [name for name in sorted(good | bad) if "?" not in name and not name.endswith("/round")]
    rows = [(unicodedata.normalize("NFC", name), name.partition("/")[0]) for name in names]
    write_text_table(folder / "labels.csv", ["file", "label"], rows)


@pytest.mark.parametrize("how", ["folders", "table"])
@pytest.mark.parametrize("count", [130, pytest.param(1000, marks=pytest.mark.slow)])
def test_of_a_salted_folder_every_bad_file_is_named_and_no_good_one_lost(tmp_path, model, how, count, capsys):
    folder = tmp_path / "in"
    good, bad = salted(folder, count)
    if how == "table":
        table_of(folder, good, bad)
        bad = {name for name in bad if not name.endswith("/round")}
    spelt = {unicodedata.normalize("NFC", name.strip()) for name in good}

    def names(column: pd.Series) -> set[str]:
        """Paths as they are below the folder."""
        return {unicodedata.normalize("NFC", text.removeprefix(f"{folder}/").strip()) for text in column}

    ill = names(pd.Series(sorted(bad)))
    at = ["--store", tmp_path / "store"]
    assert run(doctor.main, "check", folder, "--out", tmp_path / "report", *at) == 0
    assert names(read_csv(tmp_path / "report/images.csv")["path"]) == spelt
    quarantine = names(read_csv(tmp_path / "report/quarantine.csv")["path"])
    assert ill <= quarantine and not quarantine & spelt
    capsys.readouterr()
    assert run(leaks.main, folder, "--target", "label", "--out", tmp_path / "splits.csv", *at) == 0
    assert (
        f"{len(read_csv(tmp_path / 'report/quarantine.csv')):,} in quarantine are left out" in capsys.readouterr().out
    )
    assert names(read_csv(tmp_path / "splits.csv")["id"]) == spelt
    assert run(predict.main, model, folder, "--out", tmp_path / "out.csv", *at) == 0
    assert names(read_csv(tmp_path / "out.csv")["id"]) == spelt
    unread = names(read_csv(tmp_path / "out_quarantine.csv")["path"])
    assert ill - unread == set() and not unread & spelt
    page = tmp_path / "map.html"
    assert run(map_.main, folder, "--run", model, "--target", "label", "--out", page, *at) == 0
    told = re.search(r'<script id="data" type="application/json">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert told and names(pd.Series(json.loads(told[1])["ids"])) == spelt
    assert run(neighbours.main, folder, folder / CLASSES[0] / "sound0.png", "--run", model, "--k", 3, *at) == 0
    assert run(curation.main, folder, "--target", "label", *CURATE, "--out", tmp_path / "curated", *at) == 0
    assert spelt <= names(read_csv(tmp_path / "curated/labels.csv")["image"].str.removeprefix("../in/"))
    before = load_collection(folder)
    for suffix in (".csv", ".xlsx", ".parquet"):
        assert run(manifests.main, folder, "--out", folder / f"table{suffix}", *at) == 0
        after = load_collection(folder / f"table{suffix}")
        assert spelt <= names(after.images["path"])
        assert set(after.images["id"]) <= set(before.images["id"])
    store = Store(tmp_path / "store")
    collection, choice = open_choice(store, folder, None, "label")
    task = prepare(store, collection, choice, 16, "squash", lambda done, total: None).task
    assert names(task.images["path"]) == spelt
    assert task.classes == sorted(unicodedata.normalize("NFC", name) for name in CLASSES)
    written = read_csv(kept.folder_of(store, choice.key) / "quarantine.csv")
    assert ill <= names(written["path"])

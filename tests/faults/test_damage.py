"""Damage to every kind of file that studies leave behind, one kind after another: what the same commands make of it.

`pytest -m slow tests/faults/test_damage.py -s` prints how many kinds there are, and what came of them.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections import Counter
from pathlib import Path

import keras
import pytest
from conftest import paint, write_csv
from test_upkeep import absent, empty, folder, truncate, zeros

from keras_art.commands import store as upkeep
from keras_art.study import records
from reproductions import __main__ as tables
from reproductions.dcec_paint import REPRODUCTION as DCEC
from reproductions.multitask import REPRODUCTION as MULTITASK
from reproductions.sabatelli2018 import REPRODUCTION as SABATELLI2018
from reproductions.sabatelli2021 import REPRODUCTION as SABATELLI2021
from reproductions.st_saclf import REPRODUCTION as ST_SACLF

pytestmark = pytest.mark.slow

SMALL = ["--image_size", "32", "--batch_size", "8"]
NETWORK = ["--networks", "network.keras", "--preprocessing", "caffe", *SMALL]
ARTIST = ["--data", "museum", "--target", "artist"]
SHORT = ["--weights", "none", "--epochs", "2", "--frozen_epochs", "1", "--shared", "8", "--hidden", "8"]
LITTLE = [
    "--k",
    "2",
    "--epochs",
    "1",
    "--batch_size",
    "8",
    "--pretrain_batch_size",
    "8",
    "--max_iterations",
    "2",
    "--update_interval",
    "1",
]
CHAIN = [
    "--crop",
    "0",
    "--stages",
    "2",
    "--transfer_stages",
    "1",
    "--epochs",
    "1",
    "--source_epochs",
    "1",
    "--late_resetting",
    "0",
    "--seeds",
    "0",
]
TAPS = [
    "--taps",
    "fire3_concat",
    "fire9_concat",
    "--decoder_size",
    "32",
    "--decoder_iterations",
    "2",
    "--encoder_weights",
    "none",
]
STUDIES = {
    "sabatelli2018": (SABATELLI2018, [*ARTIST, *NETWORK, "--epochs", "1", "--head_epochs", "2"]),
    "multitask": (
        MULTITASK,
        ["--data", "museum", "--targets", "artist", "style", "--tasks", "multitask", *NETWORK, *SHORT],
    ),
    "dcec_paint": (DCEC, ["--data", "museum", "--image_size", "16", *LITTLE, "--gap_references", "1"]),
    "sabatelli2021": (
        SABATELLI2021,
        ["--sources", "museum:artist", "--data", "museum", "--target", "style", *NETWORK[:2], *SMALL, *CHAIN],
    ),
    "st_saclf": (
        ST_SACLF,
        [*ARTIST, *NETWORK, *TAPS, "--stages", "1@1e-3", "1@2e-4:all", "--p1", "0.5", "--p2", "0"],
    ),
}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def other(path: Path) -> None:
    path.write_text("{}\n")


# A file, what happens to it, and the study that asks for it.
KINDS = [
    ("store.json", zeros, "sabatelli2018"),
    ("classifier/*shelf*/config.json", zeros, "sabatelli2018"),
    ("classifier/*shelf*/config.json", flip, "sabatelli2018"),
    ("classifier/*shelf*/config.json", absent, "sabatelli2018"),
    ("classifier/*shelf*/metrics.json", truncate, "sabatelli2018"),
    ("classifier/*shelf*/metrics.json", zeros, "sabatelli2018"),
    ("classifier/*shelf*/metrics.json", flip, "sabatelli2018"),
    ("classifier/*shelf*/metrics.json", other, "sabatelli2018"),
    ("classifier/*shelf*/metrics.json", folder, "sabatelli2018"),
    ("classifier/*shelf*/metrics.json", absent, "sabatelli2018"),
    ("classifier/*shelf*/SHA256SUMS", truncate, "sabatelli2018"),
    ("classifier/*shelf*/SHA256SUMS", folder, "sabatelli2018"),
    ("classifier/*shelf*/history.csv", flip, "sabatelli2018"),
    ("classifier/*shelf*/predictions.csv", flip, "sabatelli2018"),
    ("classifier/*shelf*/head.keras", truncate, "sabatelli2018"),
    ("classifier/*tuning*/model.keras", flip, "sabatelli2018"),
    ("classifier/*tuning*/model.keras", absent, "sabatelli2018"),
    ("collections/*/task.json", truncate, "sabatelli2018"),
    ("collections/*/task.json", flip, "sabatelli2018"),
    ("collections/*/task.json", absent, "sabatelli2018"),
    ("collections/*/images.csv", flip, "sabatelli2018"),
    ("collections/*/images.csv", empty, "sabatelli2018"),
    ("collections/*/columns.csv", truncate, "sabatelli2018"),
    ("collections/*/labels.json", other, "multitask"),
    ("cache/images/32-*/rows.bin", flip, "sabatelli2018"),
    ("cache/images/32-*/rows.bin", truncate, "sabatelli2018"),
    ("cache/images/32-*/rows.json", zeros, "sabatelli2018"),
    ("cache/images/32-*/*.index", flip, "sabatelli2018"),
    ("cache/images/32-*/*.index", zeros, "sabatelli2018"),
    ("cache/features/*/rows.bin", flip, "sabatelli2018"),
    ("cache/features/*/rows.bin", absent, "sabatelli2018"),
    ("cache/features/*/rows.json", truncate, "sabatelli2018"),
    ("cache/features/*/*.index", truncate, "sabatelli2018"),
    ("cache/features/*/network.json", flip, "sabatelli2018"),
    ("cache/features/*/network.json", other, "sabatelli2018"),
    ("cache/contents/*.index", flip, "sabatelli2018"),
    ("cache/weights/network-*.keras", flip, "sabatelli2018"),
    ("cache/weights/network-*.keras", zeros, "sabatelli2018"),
    ("multitask/*/shared.npz", flip, "multitask"),
    ("multitask/*/per_class_artist.csv", other, "multitask"),
    ("multitask/*/metrics.json", other, "multitask"),
    ("clustering/*pretraining*/metrics.json", flip, "dcec_paint"),
    ("clustering/*pretraining*/spaces.npz", zeros, "dcec_paint"),
    ("clustering/*pretraining*/autoencoder.keras", absent, "dcec_paint"),
    ("clustering/*dcec*/embeddings.npz", truncate, "dcec_paint"),
    ("clustering/*dcec*/scores.csv", flip, "dcec_paint"),
    ("clustering/*dcec*/assignments.csv", empty, "dcec_paint"),
    ("tickets/*.npz", flip, "sabatelli2021"),
    ("tickets/*.npz", truncate, "sabatelli2021"),
    ("tickets/*.npz", absent, "sabatelli2021"),
    ("ticket/*find-1-*/metrics.json", other, "sabatelli2021"),
    ("ticket/*find-0-*/model.keras", zeros, "sabatelli2021"),
    ("decoder/*/decoder.keras", truncate, "st_saclf"),
    ("decoder/*/metrics.json", zeros, "st_saclf"),
    ("stylised/*/provenance.csv", flip, "st_saclf"),
    ("stylised/*/000/00000.jpg", truncate, "st_saclf"),
    ("stylised/*/000/00000.jpg", flip, "st_saclf"),
    ("st_saclf/*staged*/metrics.json", other, "st_saclf"),
]
# Of caches: the run that asked for them is asked for anew, so that they are read.
CONSUMERS = {
    "cache": "classifier/*", "tickets": "ticket/*transfer*", "decoder": "stylised/*", "stylised": "st_saclf/*staged*",
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a museum, a network, and a store in which five studies are done."""
    here = tmp_path_factory.mktemp("place")
    rows = [["image", "artist", "style"]]
    for n in range(36):
        paint(here / "museum" / "images" / f"{n:03d}.png", "abc"[n % 3], n)
        rows.append([f"{n:03d}.png", "abc"[n % 3], "uv"[n // 3 % 2]])
    write_csv(here / "museum" / "labels.csv", rows)
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((None, None, 3))
    for n, channels in ((3, 8), (9, 16)):
        x = keras.layers.Conv2D(channels, 3, 2, "same", activation="relu", name=f"fire{n}_concat")(x)
    keras.Model(inputs, x, name="squeezenet").save(here / "network.keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        for reproduction, words in STUDIES.values():
            assert reproduction.main(words) == 0
    return here


@pytest.fixture(scope="module")
def sound(place) -> str:
    """All tables of the store that nothing has happened to."""
    found = printed(place / "runs")
    assert found.startswith("0\n")
    return found


def printed(store: Path) -> str:
    """All tables of a store, in CSV, below the exit status, which is 1 where something is left out."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = tables.main(["--format", "csv", "--store", str(store)])
    return f"{status}\n{said.getvalue()}"


CAME_OF_IT: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _told():
    yield
    print(f"\n{sum(CAME_OF_IT.values())} kinds of damage: {dict(CAME_OF_IT)}")


def is_of(path: Path, study: str, store: Path) -> bool:
    """Whether a choice is one that a run of the study asks for, whose command makes it anew; true of other files."""
    if path.relative_to(store).parts[0] != "collections":
        return True
    kinds = {"sabatelli2018": "classifier", "multitask": "multitask"}
    asked = store.glob(f"{kinds[study]}/*/config.json")
    return path.parent.name in {json.loads(config.read_text()).get("collection") for config in asked}


def ask_anew(store: Path, damaged: Path) -> None:
    """Makes the runs that read a damaged file unfinished, so that they read it."""
    wanted = CONSUMERS.get(damaged.relative_to(store).parts[0])
    for metrics in store.glob(f"{wanted}/metrics.json") if wanted else ():
        metrics.unlink()


@pytest.mark.parametrize(("pattern", "damage", "study"), KINDS, ids=lambda value: getattr(value, "__name__", None))
def test_damage_is_mended_or_named_and_never_silent(
    place, sound, pattern, damage, study, tmp_path, monkeypatch, capsys
):
    shutil.copytree(place, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    reproduction, words = STUDIES[study]
    store = Path("runs")
    path = next(path for path in sorted(store.glob(pattern)) if is_of(path, study, store))
    ask_anew(store, path)
    damage(path)
    records._told.cache_clear()
    status = reproduction.main(words)  # a traceback would be raised here
    same = pattern != "store.json" and printed(store) == sound
    said = capsys.readouterr().err
    named = str(path) in said or f"{path.parent} " in said or f"{path.parent}/" in said
    status_of_check = upkeep.main(["check", "runs"])
    told_by_check = str(path.parent) in capsys.readouterr().out
    # Silent is: other numbers without a word, or damage left of which neither the study nor a check speaks.
    assert same or named, said
    assert named or told_by_check or status == status_of_check == 0, said
    CAME_OF_IT["mended by itself" if status == status_of_check == 0 else "named" if named else "named by a check"] += 1
    # What is set aside, the same command makes anew.
    assert upkeep.main(["check", "runs", "--repair"]) == 0, capsys.readouterr()
    records._told.cache_clear()
    assert reproduction.main(words) == 0, capsys.readouterr().err
    assert printed(store) == sound

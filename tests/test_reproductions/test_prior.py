"""st_saclf --prior: masks of a table's column, from their files to the loss, and what is refused."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import paint, write_csv
from PIL import Image

from keras_art.commands.predict import main as predict
from keras_art.data import kept
from keras_art.errors import UserError
from keras_art.store.runs import Store, StoreError
from keras_art.store.sums import Damaged
from keras_art.study.config import Artefact, RunRef, digest
from keras_art.study.kinds.adain import Stylised
from reproductions.st_saclf import REPRODUCTION, grid, prior, study, tables, training
from reproductions.st_saclf.kinds import SaclfRun
from reproductions.st_saclf.masks import with_masks
from reproductions.st_saclf.study import PRESETS

main = REPRODUCTION.main


def draw(path: Path, brightness: int = 255, size: tuple[int, int] = (32, 32)) -> None:
    """A mask that is bright on its left half."""
    pixels = np.zeros((*size[::-1], 3), np.uint8)
    pixels[:, : size[0] // 2] = brightness
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def make_museum(folder: Path) -> Path:
    """24 pictures of three artists; masks of all but the last of each, none as bright as another."""
    rows = [["image", "artist", "mask"]]
    for colour in "abc":
        for i in range(8):
            paint(folder / "works" / f"{colour}{i}.png", colour, i)
            if i < 7:
                draw(folder / "masks" / f"{colour}{i}.png", brightness=248 + i)
            rows.append([f"works/{colour}{i}.png", f"Artist {colour}", f"masks/{colour}{i}.png" if i < 7 else ""])
    write_csv(folder / "labels.csv", rows)
    return folder


@pytest.fixture
def museum(tmp_path: Path) -> Path:
    return make_museum(tmp_path / "museum")


@pytest.fixture(scope="module")
def trained(backbone_file: Path, tmp_path_factory) -> tuple[Path, Store]:
    """A museum, and a store that has trained on it with its masks."""
    folder = tmp_path_factory.mktemp("trained")
    words = asked(
        make_museum(folder / "museum"), backbone_file, folder / "store", "--prior", "mask", "--augmentation", "flip"
    )
    assert main([*words, "--prior_weight", "3"]) == 0
    return folder / "museum", Store(folder / "store")


def asked(data: Path, backbone_file: Path, store: Path, *more: str) -> list[str]:
    return [
        "--data", str(data), "--target", "artist", "--networks", str(backbone_file), "--preprocessing", "unit",
        "--image_size", "16", "--store", str(store), "--batch_size", "8", "--stages", "1@1e-2:all",
        "--p1", "0", "--p2", "0", *more,
    ]  # fmt: skip


def only(store: Store) -> tuple[SaclfRun, dict]:
    ((run, found),) = tables.done(store)
    return run, found


def test_a_run_with_a_prior_leaves_a_plain_classifier_and_says_whether_attention_follows(trained, tmp_path: Path):
    museum, store = trained
    run, found = only(store)
    assert isinstance(run.prior, Artefact) and run.prior_weight == 3
    assert prior.masks_of(store, run.prior).keys() == {f"works/{c}{i}.png" for c in "abc" for i in range(7)}
    assert len(found["prior_agreement"]) == len(found["prior_chance"]) == 2
    assert found["prior_images"] == found["n_test"] > 1
    assert {"masks", "masks of another"} <= set(tables.attention(store)["compared with"])
    model = keras.saving.load_model(store.directory(run) / "model.keras")
    assert model.input.shape == (None, 16, 16, 3)
    assert predict([str(store.directory(run)), str(museum / "works"), "--out", str(tmp_path / "said.csv")]) == 0


def test_a_store_that_was_moved_trains_on_without_the_files(trained, backbone_file: Path, tmp_path: Path, capsys):
    museum, store = trained
    moved = Store(shutil.copytree(store.root, tmp_path / "moved"))
    museum.rename(museum.with_name("gone"))
    try:
        (run,) = (run for run, _ in tables.done(moved))
        words = asked(Path(run.collection), backbone_file, moved.root, "--prior", "mask", "--prior_weight", "3")
        assert main([*words, "--augmentation", "flip"]) == 0 and "all done" in capsys.readouterr().err
        assert main([*words, "--seeds", "1", "--augmentation", "flip"]) == 0
    finally:
        museum.with_name("gone").rename(museum)
    assert [found.prior for found, _ in tables.done(moved)] == [run.prior] * 2
    (moved.root / "cache" / "weights" / run.prior.name).write_text("id,sha256\n")
    with pytest.raises(Damaged, match="is damaged"):
        training.load_data(moved, run)


def test_a_mask_goes_with_its_image_and_with_what_is_stylised_of_it(trained, tmp_path: Path):
    store = Store(shutil.copytree(trained[1].root, tmp_path / "store"))
    run, _ = only(store)
    images = kept.task_of(store, run.collection)[0].images
    train = images[images["split"] == "train"]
    made = Stylised(collection=run.collection, target="artist", image_size=16, decoder=RunRef("decoder", "0" * 8))
    folder = store.begin(made)
    rows = [["output", "class", "content", "style"]]
    for label, content in zip(train["label"], train["id"], strict=True):
        paint(folder / f"{len(rows)}.png", "abc"[label], 99)
        rows.append([f"{len(rows)}.png", f"Artist {'abc'[label]}", content, content])
    write_csv(folder / "provenance.csv", rows)
    data = training.load_data(store, dataclasses.replace(run, stylised=made.ref, p1=1.0, p2=1.0))
    batches = with_masks(data.split("train", 64), data.masks)
    pixels, _ = batches.gather(np.arange(len(data.rows)))
    assert pixels.shape[1:] == batches.shape == (16, 16, 4) and pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels[..., :3], data.pixels[data.rows])
    assert len(pixels) == 2 * len(train)
    for image, id_ in zip(pixels, [*train["id"], *train["id"]], strict=True):
        number = int(Path(id_).stem[1])  # the last ones have no mask; the two columns in the middle are of both halves
        assert np.unique(image[:, :7, 3]) == (248 + number if number < 7 else 0)
        assert not image[:, 9:, 3].any()


def test_runs_with_a_prior_and_without_are_never_averaged(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("keras_art.store.runs.environment", dict)
    store = Store(tmp_path)
    scores = dict.fromkeys((*tables.SCORES.values(), "test_rare_recall", "test_recall_gap"), 0.5)
    for masks, weight in (
        ("", 0.0),
        (Artefact("m-0.csv"), 1.0),
        (Artefact("m-0.csv"), 2.0),
        (Artefact("m-1.csv"), 1.0),
    ):
        run = SaclfRun(collection="c-1", target="t", network="VGG16", prior=masks, prior_weight=weight)
        store.begin(run)
        counts = {"n_images": 20, "n_test": 2, "n_stylised": 0, "epochs": 1}
        store.finish(run, {**scores, **counts, "status": "ok", "parameters": 1_000_000, "seconds": 60.0})
    found = tables.comparison(store)
    assert list(found["n"]) == [1, 1, 1, 1] and sorted(found["prior"]) == ["", "m-0.csv", "m-0.csv", "m-1.csv"]


def test_a_digest_depends_on_what_masks_hold_and_on_nothing_where_there_are_none(
    museum: Path, backbone_file: Path, tmp_path: Path, capsys
):
    def name(*more: str) -> str:
        assert main([*asked(museum, backbone_file, tmp_path / "store", *more), "--dry_run"]) == 0
        (found,) = re.findall(r"/st_saclf/\S+-(\w{8})\n", capsys.readouterr().out)
        return found

    run = SaclfRun(collection="c-1", target="t", network="VGG16")
    assert digest(run) == "a65fbcde"
    names = [name(), name("--prior", "mask"), name("--prior", "mask", "--prior_weight", "2")]
    shutil.move(museum, museum.with_name("moved"))
    shutil.copytree(museum.with_name("moved"), museum)
    assert [name(), name("--prior", "mask"), name("--prior", "mask", "--prior_weight", "2")] == names
    draw(museum / "masks" / "a0.png", brightness=99)
    names += [name("--prior", "mask")]
    assert len(set(names)) == 4 and name() == names[0]


@pytest.mark.parametrize(
    ("column", "damage", "message"),
    [
        ("masks", lambda museum: None, "has no column 'masks' that could name masks; it has artist, mask: did you"),
        ("mask", lambda museum: (museum / "masks" / "b3.png").unlink(), "1 of the 21 masks that the column 'mask'"),
        ("mask", lambda museum: (museum / "masks" / "b3.png").write_bytes(b"no"), "b3.png (not an image"),
        ("mask", lambda museum: draw(museum / "masks" / "b3.png", size=(31, 32)), "31 x 32 pixels for 32 x 32"),
        ("artist", lambda museum: None, "24 of the 24 masks that the column 'artist'"),
        ("empty", lambda museum: _blank(museum), "the column 'empty' of museum is blank"),
    ],
)
def test_masks_that_can_not_be_used_are_refused_before_any_training(
    museum: Path, backbone_file: Path, tmp_path: Path, capsys, column: str, damage, message: str
):
    damage(museum)
    assert main(asked(museum, backbone_file, tmp_path / "store", "--prior", column)) == 1
    assert message in capsys.readouterr().err
    assert not list((tmp_path / "store").glob("*/*/config.json"))


def _blank(museum: Path) -> None:
    table = pd.read_csv(museum / "labels.csv", dtype=str, keep_default_na=False)
    table.assign(empty="").to_csv(museum / "labels.csv", index=False)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prior": "mask", "attention": ("none",)}, "--attention none has none"),
        ({"prior": "mask", "attention": ("spatial", "none")}, "--attention none has none"),
        ({"prior": "mask", "prior_weight": 0.0}, "--prior_weight is a number above 0"),
        ({"prior": "mask", "prior_weight": float("nan")}, "--prior_weight is a number, not nan"),
        ({"prior_weight": 2.0}, "name their column with --prior"),
        ({"prior": "mask", "resize": "trim"}, "give --resize crop"),
    ],
)
def test_a_prior_that_contradicts_the_study_is_refused(fields: dict, message: str):
    with pytest.raises(UserError, match=message):
        study.check(dataclasses.replace(PRESETS["study"], **fields))


def test_in_an_ablation_what_has_no_attention_has_no_prior():
    found = grid.expand(
        dataclasses.replace(PRESETS["study"], networks=("VGG16",), ablation=True), "c-1", "t", masks=Artefact("m-0.csv")
    )
    runs = [run for run in found if isinstance(run, SaclfRun)]
    assert [bool(run.prior) for run in runs] == [run.attention == "spatial" for run in runs]
    assert {run.prior_weight for run in runs if not run.prior} == {0.0}


def test_a_store_without_a_masks_pixels_says_so(trained):
    run, _ = only(trained[1])
    with pytest.raises(StoreError, match="must be decoded to 20 pixels"):
        prior.rows_of(trained[1], dataclasses.replace(run, image_size=20), ["works/a0.png"])

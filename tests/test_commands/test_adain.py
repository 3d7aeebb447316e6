"""Style transfer as a command: a decoder trained, carried elsewhere, and used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from keras_art.commands.adain import main

ROOT = Path(__file__).parents[2]
TRAIN = ["--image_size", "16", "--weights", "none", "--iterations", "2", "--checkpoint_every", "1"]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory) -> Path:
    """A decoder's directory, made by a fresh process in another folder and then copied out of its store."""
    from conftest import paint

    here = tmp_path_factory.mktemp("training")
    for colour in "abc":
        for i in range(8):
            paint(here / "pictures" / colour / f"{colour}{i}.png", colour, i)
    done = subprocess.run(
        [sys.executable, "-m", "keras_art", "adain", "train", "--data", "pictures", *TRAIN],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    trained = here / done.stdout.strip()
    assert trained.parent == here / "runs" / "decoder"
    assert {path.name for path in trained.iterdir()} >= {"encoder.keras", "decoder.keras", "metrics.json", "samples"}
    assert "its encoder has no trained weights" in done.stderr
    shutil.move(trained, here / "carried")
    shutil.rmtree(here / "runs")
    return here / "carried"


def test_a_decoder_stylises_one_picture_wherever_it_lies(decoder: Path, tmp_path: Path):
    content, style = sorted((decoder.parent / "pictures").glob("*/*0.png"))[:2]
    out = tmp_path / "out.png"
    assert main(["stylise", str(decoder), str(content), str(style), "--out", str(out)]) == 0
    assert np.asarray(Image.open(out)).shape == (512, 512, 3)


def test_a_decoder_stylises_a_collection_of_another_store(decoder: Path, tmp_path: Path, capsys):
    asked = ["collection", str(decoder), "--data", str(decoder.parent / "pictures"), "--image_size", "16"]
    asked += ["--store", str(tmp_path / "store")]
    assert main(asked) == 0
    folder = Path(capsys.readouterr().out.strip())
    assert folder.parent == tmp_path / "store" / "stylised"
    provenance = pd.read_csv(folder / "provenance.csv")
    assert set(provenance["class"]) == set("abc")
    assert all((folder / output).is_file() for output in provenance["output"])
    # Asked again, nothing is drawn.
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert main(asked) == 0
    assert capsys.readouterr().out.strip() == str(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_the_losses_that_are_reported_are_those_of_the_decoder_that_is_kept(decoder: Path, tmp_path: Path, capsys):
    # At so high a rate they jump, and the last are not the best.
    asked = ["--data", str(decoder.parent / "pictures"), "--store", str(tmp_path), "--learning_rate", "0.003"]
    asked += ["--image_size", "16", "--weights", "none", "--iterations", "6", "--checkpoint_every", "1"]
    assert main(["train", *asked]) == 0
    folder = Path(capsys.readouterr().out.strip())
    history = pd.read_csv(folder / "history.csv")
    best = history.loc[history["val_loss"].idxmin()]
    found = json.loads((folder / "metrics.json").read_text())
    assert (found["best_iteration"], found["iterations"]) == (best["epoch"], 6)
    for name in ("val_loss", "val_content_loss", "val_style_loss"):
        assert found[name] == pytest.approx(best[name], rel=1e-6)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_what_half_precision_trains_and_draws_is_kept_in_float32(decoder: Path, tmp_path: Path, capsys, precision):
    from keras_art.methods.adain.networks import load_networks

    asked = ["--data", str(decoder.parent / "pictures"), "--store", str(tmp_path), "--precision", precision]
    assert main(["train", *asked, *TRAIN]) == 0
    half = Path(capsys.readouterr().out.strip())
    losses = [pd.read_csv(folder / "history.csv")["val_loss"] for folder in (half, decoder)]
    np.testing.assert_allclose(*losses, rtol=0.05)
    assert not losses[0].equals(losses[1])
    assert {layer.compute_dtype for network in load_networks(half) for layer in network.layers} == {"float32"}
    assert main(["collection", str(half), *asked, "--image_size", "16"]) == 0
    drawn = Path(capsys.readouterr().out.strip())
    assert json.loads((drawn / "config.json").read_text())["precision"] == precision


def test_what_is_no_decoder_is_refused(decoder: Path, tmp_path: Path, capsys):
    pictures = str(decoder.parent / "pictures")
    asked = ["--data", pictures, "--store", str(tmp_path / "store")]
    assert main(["collection", pictures, *asked]) == 1
    assert "holds no decoder" in capsys.readouterr().err
    picture = str(next((decoder.parent / "pictures").glob("*/*.png")))
    assert main(["stylise", pictures, picture, picture]) == 1
    assert "holds no encoder.keras and decoder.keras" in capsys.readouterr().err
    diverged = shutil.copytree(decoder, tmp_path / "diverged")
    (diverged / "metrics.json").write_text('{"status": "diverged"}')
    assert main(["stylise", str(diverged), picture, picture]) == 1
    assert "diverged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--image_size", "15"], "15 pixels are too small"),
        (["--image_size", "16", "--iterations", "3", "--checkpoint_every", "2"], "no multiple"),
        (["--image_size", "16", "--weights", "absent.h5"], "absent.h5 does not exist"),
    ],
)
def test_a_mistake_gets_one_message_before_anything_is_trained(words, message, picture_folder, tmp_path, capsys):
    store = tmp_path / "store"
    assert main(["train", "--data", str(picture_folder), "--store", str(store), "--weights", "none", *words]) == 1
    assert message in capsys.readouterr().err
    assert not list(store.glob("decoder/*/history.csv"))


def test_a_decoder_does_not_depend_on_what_its_store_decoded_before(
    decoder: Path, picture_folder: Path, tmp_path: Path, capsys
):
    from keras_art.pictures.decoded import stored_images
    from keras_art.store.runs import Store

    used = Store(tmp_path / "used")
    used.create()
    stored_images(used, 16, "squash").scan(sorted(map(str, picture_folder.glob("*/*.png")), reverse=True))
    assert main(["train", "--data", str(picture_folder), "--store", str(tmp_path / "used"), *TRAIN]) == 0
    found = pd.read_csv(Path(capsys.readouterr().out.strip()) / "history.csv")
    pd.testing.assert_frame_equal(found, pd.read_csv(decoder / "history.csv"), check_exact=True)

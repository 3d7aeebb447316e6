"""Label columns of any name, through every reproduction that takes them: trained, tabled, drawn, predicted."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from conftest import paint, write_csv

from keras_art.writing import one_line
from reproductions.multitask import REPRODUCTION

ROOT = Path(__file__).parents[2]
NAMES = ["label", "target", "split", "id", "path", "a/b", "../x", "gender+status", "new\nline", "x" * 300, "סגנון"]
SHARED = ["--data", "museum", "--split", "stratified", "--networks", "tiny.keras", "--preprocessing", "unit"]
BOTH = [
    "--image_size",
    "16",
    "--epochs",
    "2",
    "--frozen_epochs",
    "1",
    "--shared",
    "4",
    "--hidden",
    "4",
    "--gram_channels",
    "4",
]
SMALL = {
    "sabatelli2018": ["--image_size", "16", "--epochs", "1"],
    "kaokore2020": ["--image_size", "16", "--epochs", "2"],
    "multitask": BOTH,
    "gram_style": [*BOTH, "--gram_description", "triangle"],
    "sabatelli2021": [
        "--image_size", "18", "--crop", "16", "--stages", "2", "--transfer_stages", "1", "--epochs", "1",
        "--controls", "scratch", "--more_targets", "museum:{}",
    ],
    "st_saclf": [
        "--image_size", "16", "--batch_size", "16", "--taps", "block1_conv", "block5_conv", "--weights", "own",
        "--decoder_size", "16", "--decoder_iterations", "2", "--encoder_weights", "none", "--p2", "0.5",
        "--stages", "1@1e-3", "1@1e-4:all",
    ],
}  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with `museum`, thirty pictures under columns of all those names, and a network of five layers."""
    rows = [["image", *NAMES]]
    for n in range(30):
        paint(tmp_path / "museum" / "images" / f"{n:02d}.png", "ab"[n % 2], n, 16)
        rows.append([f"{n:02d}.png", *("warm" if (n + i) % 2 else "cold" for i in range(len(NAMES)))])
    write_csv(tmp_path / "museum" / "labels.csv", rows)
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((None, None, 3))
    for n in range(1, 6):
        x = keras.layers.Conv2D(4, 3, 2 if n < 3 else 1, "same", activation="relu", name=f"block{n}_conv")(x)
    keras.Model(inputs, x, name="tiny").save(tmp_path / "tiny.keras")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_model_of_all_columns_is_trained_tabled_drawn_and_asked(here, capsys):
    assert REPRODUCTION.main([*SHARED, *BOTH, "--tasks", "multitask", "--targets", *NAMES]) == 0
    assert "could not be drawn" not in capsys.readouterr().err
    (run,) = (path.parent for path in here.glob("runs/multitask/*/metrics.json"))
    assert {f"test_{name}_accuracy" for name in NAMES} <= set(json.loads((run / "metrics.json").read_text()))
    assert len(list(run.glob("predictions_*.csv"))) == len(list(run.glob("confusion_*.png"))) == len(NAMES)
    assert {path.name for path in here.iterdir()} == {"museum", "tiny.keras", "runs"}  # nothing beside them
    assert REPRODUCTION.main(["--table"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if " (majority class of train) " in line]
    assert [line.split(" (majority class of train) ")[0].strip() for line in lines] == list(map(one_line, NAMES))
    assert max(map(len, lines)) < 250
    assert REPRODUCTION.main(["predict", str(run), "museum"]) == 0
    with open("predictions.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert (
        {f"{name}_predicted" for name in NAMES} <= set(header) and len(header) == len(set(header)) and len(rows) == 30
    )


def fresh(*words):
    """A process of its own; what it prints and says."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "could not be drawn" not in done.stderr, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("paper", SMALL)
def test_every_reproduction_takes_columns_of_any_name(here, paper):
    flag = "--targets" if paper in ("kaokore2020", "multitask", "gram_style") else "--target"
    commands = [[*SHARED, *(word.format(name) for word in SMALL[paper]), flag, name] for name in NAMES]
    loop = (
        "import importlib, json, sys\n"
        f"main = importlib.import_module('reproductions.{paper}').REPRODUCTION.main\n"
        "sys.exit(max(main(words) for words in json.loads(sys.argv[1])))"
    )
    fresh("-c", loop, json.dumps(commands))
    runs = [path.parent for path in here.glob("runs/*/*/model.keras")]
    found = {json.loads((run / "config.json").read_text()).get("target") for run in runs}
    assert found == set(NAMES) or found == {None}  # multitask says `targets`
    tables = (fresh("-m", f"reproductions.{paper}", "--table", "--format", form) for form in ("text", "csv"))
    told = " ".join(" ".join(tables).split())
    assert all(" ".join(name.split())[:20] in told for name in NAMES)
    for run in runs[:: max(len(runs) // 3, 1)]:
        fresh("-m", f"reproductions.{paper}", "predict", str(run), "museum", "--out", "predictions.csv")
    assert {path.name for path in here.iterdir()} == {"museum", "tiny.keras", "runs", "predictions.csv"}

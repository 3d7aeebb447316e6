"""The owners' table as printed, and classifiers of two columns by their script's protocol."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pandas as pd
import pytest

from keras_art.learning import training
from keras_art.store.runs import Store
from keras_art.study.config import Optimizer
from reproductions.kaokore2020 import PRESETS, REPRODUCTION, TABLE, Run

ROOT = Path(__file__).parents[2]


def test_the_table_is_typed_as_printed_and_its_cells_are_whole_numbers_of_527_test_images():
    cells = TABLE.cells()
    assert len(cells) == 14
    for percent in cells["paper"]:
        assert any(abs(100 * k / 527 - percent) < 0.01 for k in range(528)), percent  # rounded, and one cut


def test_released_is_the_scripts_protocol():
    released = PRESETS["released"]
    assert (released.image_size, released.batch_size, released.epochs, released.learning_rate) == (256, 32, 20, 1e-3)
    assert released.preprocessing == "tf" and released.networks == ("VGG16", "ResNet50", "MobileNetV2", "DenseNet121")


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 3))
    outputs = keras.layers.Conv2D(8, 3, 2, activation="relu", name="conv_1")(inputs)
    path = tmp_path_factory.mktemp("network") / "tiny.keras"
    keras.Model(inputs, outputs, name="tiny").save(path)
    return str(path)


@pytest.fixture
def arguments(picture_csv, backbone, tmp_path):
    return [
        *("--data", str(picture_csv), "--targets", "artist", "style", "--networks", backbone),
        *("--image_size", "16", "--epochs", "2", "--batch_size", "4", "--store", str(tmp_path / "store")),
    ]


def test_every_target_has_a_classifier_and_none_stands_beside_the_owners(arguments, capsys, tmp_path):
    assert REPRODUCTION.main([*arguments, "--format", "csv"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out), dtype=str, keep_default_na=False)
    ours = table[table["n"] == "1"]
    assert sorted(ours["mode"]) == ["artist", "style"]
    assert (ours["paper"] == "").all() and (ours["protocol"] == "study").all()  # of a smaller network
    assert {path.name.rsplit("-", 1)[1] for path in tmp_path.glob("store/studies/*/figures/*.png")} == {"curves.png"}
    for path in tmp_path.glob("store/classifier/*/config.json"):
        assert json.loads(path.read_text())["optimizer"]["drops"] == [1]


def test_the_learning_rate_falls_to_a_tenth_after_half_of_the_epochs(monkeypatch):
    described = training.Optimizer("Adam", 1e-3, drops=(2,))
    rate = training.make_optimizer(described, steps=5)._learning_rate
    rates = [float(rate(step)) for step in range(20)]
    assert rates[:10] == pytest.approx([1e-3] * 10) and rates[10:] == pytest.approx([1e-4] * 10)


def test_in_a_process_of_its_own_from_another_folder(arguments, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "reproductions.kaokore2020", *arguments, "--dry_run"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("to do") == 3  # two runs, and their sum


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (
            ["--target", "style"],
            "--target is for one label column; name them, or it, with --targets, as --targets 'style'",
        ),
        (["--targets"], "kaokore2020: --targets needs at least one value"),
        (["--weights"], "kaokore2020: --weights needs at least one value"),
        (["--targets", "styel"], "did you mean 'style'"),
        (["--epochs", "1"], "--epochs"),
    ],
)
def test_a_mistake_is_one_message(arguments, extra, words, capsys):
    assert REPRODUCTION.main([*arguments, *extra]) == 1
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_settings_that_one_command_gave_its_targets_are_one_row(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_art.store.runs.environment", dict)
    store = Store(tmp_path)

    def rows_with(key: str, target: str, epochs: int) -> pd.DataFrame:
        adam = Optimizer("Adam", 1e-3, drops=(epochs // 2,))
        run = Run(mode="fine_tuning", collection=f"faces-{key}", target=target, epochs=epochs, optimizer=adam)
        store.begin(run)
        found = {"test_accuracy": 0.5, "test_loss": 1.0, "n_test": 10, "n_images": 99, "n_classes": 2, "width": 4}
        store.finish(run, {**found, "status": "ok", "parameters": 5, "epochs": epochs, "seconds": 1.0})
        ((_, table),) = REPRODUCTION.tables(store, None, PRESETS["study"]).paper
        return table[table["n"] > 0]

    rows_with("0" * 8, "gender", 4)
    rows_with("1" * 8, "status", 4)
    ours = rows_with("0" * 8, "gender", 8).groupby("network")["target"].agg(sorted)
    assert ours.to_dict() == {
        "VGG19 on faces [epochs=4]": ["gender", "status"], "VGG19 on faces [epochs=8]": ["gender"],
    }  # fmt: skip
    assert (rows_with("2" * 8, "gender", 8)["n"] == 1).all()  # split otherwise

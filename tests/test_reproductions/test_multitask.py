"""The seven classifiers through their real command lines, on small pictures and networks of a few layers."""

from __future__ import annotations

import json
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import COLOURS, paint, write_csv

from keras_art.errors import UserError
from keras_art.networks import vit
from keras_art.store import runs
from reproductions import gram_style, multitask
from reproductions.multitask import study as study_
from reproductions.multitask import tables

TINY = {"patch_size": 16, "num_layers": 1, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 16}


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """Two stages of convolutions, with batch normalisation, saved as a user would."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(6, 3, 2, activation="relu")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2D(8, 3, 2, activation="relu")(x)
    path = tmp_path_factory.mktemp("network") / "tiny.keras"
    keras.Model(inputs, x, name="tiny").save(path)
    return str(path)


@pytest.fixture
def museum(tmp_path):
    """Sixty pictures by three artists in two styles; a style is missing here and there."""
    rows = [["image", "artist", "style"]]
    for n, (colour, i) in enumerate((colour, i) for colour in COLOURS for i in range(20)):
        paint(tmp_path / "museum" / "images" / f"{n:03d}.png", colour, i)
        style = "" if i == 3 else "warm" if colour == "a" or i % 2 else "cold"
        rows.append([f"{n:03d}.png", f"artist {colour}", style])
    write_csv(tmp_path / "museum" / "labels.csv", rows)
    return tmp_path / "museum"


@pytest.fixture
def arguments(museum, backbone, tmp_path, monkeypatch):
    monkeypatch.setitem(vit.VITS, "ViTTi16", TINY)
    return [
        *("--data", str(museum), "--preprocessing", "unit", "--image_size", "32", "--epochs", "2"),
        *("--frozen_epochs", "1", "--batch_size", "16", "--shared", "8", "--hidden", "6", "--gram_channels", "4"),
        *("--learning_rate", "0.01", "--store", str(tmp_path / "store"), "--networks", backbone),
    ]


def found_in(store):
    """(network, target, mode, seed) -> metrics; of runs that share those words, the last."""
    found = {}
    for path in sorted(store.glob("multitask/*/metrics.json")):
        config = json.loads((path.parent / "config.json").read_text())
        words = tuple(config[name] for name in ("network", "target", "mode", "seed"))
        found[words] = json.loads(path.read_text())
    return found


def test_seven_models_are_trained_compared_and_pictured(arguments, tmp_path, capsys):
    assert multitask.main([*arguments, "ViTTi16", "--weights", "ViTTi16=none"]) == 0
    capsys.readouterr()
    found = found_in(tmp_path / "store")
    kinds = {(network.startswith("tiny"), target, mode) for network, target, mode, _ in found}
    columns = [("style", "single"), ("artist", "single"), ("style+artist", "multitask")]
    assert kinds == {(tiny, *kind) for tiny in (True, False) for kind in columns} | {(True, "style", "gram")}
    assert len(found) == 7
    for (_, target, _, _), metrics in found.items():
        for task in target.split("+"):
            assert 0 <= metrics[f"test_{task}_accuracy"] <= 1
            assert 0 <= metrics[f"test_{task}_macro_f1"] <= 1
    page = next((tmp_path / "store" / "multitask" / "figures").glob("*.html")).read_text()
    for words in ("tiny_gram_style", "ViTTi16_multitask", "(majority class)", "(the artist&#x27;s majority label)"):
        assert words in page
    assert "artist's majority style" in page.replace("&#x27;", "'")
    assert page.count("<img") > 20
    folder = next(path for path in (tmp_path / "store" / "multitask").glob("*multitask-0-*") if path.is_dir())
    kept = {path.name for path in folder.iterdir()}
    assert {"model.keras", "last.npz", "history.csv", "shared.npz", "confusion_style.png"} <= kept
    assert "checkpoint" not in kept
    with np.load(folder / "last.npz") as last:
        assert "keeper" in last
        variables = len(last.files)
    with zipfile.ZipFile(folder / "model.keras") as archive:
        assert "optimizer" not in str(archive.namelist())
    assert variables > len(keras.saving.load_model(folder / "model.keras", compile=False).weights)


def test_a_second_time_nothing_is_trained_and_the_tables_are_printed(arguments, tmp_path, capsys):
    command = [*arguments, "--tasks", "style"]
    assert multitask.main(command) == 0
    path = next((tmp_path / "store").glob("multitask/*/metrics.json"))
    before = path.stat().st_mtime_ns
    capsys.readouterr()
    assert multitask.main(command) == 0
    assert path.stat().st_mtime_ns == before
    printed = capsys.readouterr().out
    assert "tiny_style" in printed
    assert "(the artist's majority label)" in printed
    assert multitask.main(["--table", "--format", "csv", "--store", str(tmp_path / "store")]) == 0
    assert "seven,museum style,tiny,single" in capsys.readouterr().out


def test_gram_style_takes_its_baseline_from_multitask_and_compares_by_seed(arguments, tmp_path, capsys):
    assert multitask.main([*arguments, "--targets", "style", "--tasks", "style"]) == 0
    ((baseline, one),) = found_in(tmp_path / "store").items()
    more = ["--gram_description", "triangle", "--fusion", "0.3", "--auxiliary", "0.3", "--seeds", "0", "1"]
    assert gram_style.main([*arguments, *more]) == 0
    found = found_in(tmp_path / "store")
    assert sorted((mode, seed) for _, _, mode, seed in found) == [(m, s) for m in ("gram", "single") for s in (0, 1)]
    assert found[baseline]["seconds"] == one["seconds"]
    ((_, frame),) = gram_style.table(runs.Store(tmp_path / "store"))
    assert frame["network"].tolist() == ["tiny, 4 triangle, fusion 0.3, auxiliary 0.3"]
    assert frame["n"].tolist() == [2]
    folder = tmp_path / "store" / "multitask" / "figures"
    differences = pd.read_csv(next(folder.glob("*-differences.csv")))
    assert differences["n"].tolist() == [2, 2]
    page = next(folder.glob("*.html")).read_text()
    assert "what sets each style" in page.replace("&#x27;", "'")
    assert "adds to the logit" in page


def test_a_split_by_artist_is_refused_where_the_artist_is_a_target():
    with pytest.raises(UserError, match="undefined for the artist"):
        study_.check(study_.Study(split="artist_disjoint"))
    study_.check(study_.Study(split="artist_disjoint", targets=("style",)))


def test_learned_weights_and_every_augmentation_run(arguments, tmp_path):
    for augmentation in ("keras", "keras_cv"):
        more = ["--tasks", "multitask", "--task_weights", "learned", "--augmentation", augmentation]
        assert multitask.main([*arguments, *more]) == 0
    assert all(found["status"] == "ok" for found in found_in(tmp_path / "store").values())


def test_predict_takes_a_finished_run(arguments, museum, tmp_path):
    assert multitask.main([*arguments, "--tasks", "multitask"]) == 0
    run = next((tmp_path / "store").glob("multitask/*/metrics.json")).parent
    out = tmp_path / "out.csv"
    assert multitask.main(["predict", str(run), str(museum / "images"), "--out", str(out)]) == 0
    table = pd.read_csv(out)
    assert len(table) == 60
    assert {"style", "style_probability", "artist", "artist_probability"} <= set(table)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--targets", "style", "maker"], "no label column 'maker'"),
        (["--min_images", "25"], "--min_images"),
        (["--tasks", "genre"], "--tasks has genre"),
        (["--task_weights", "1", "2", "3"], "--task_weights"),
        (["--gram_tap", "conv9"], "no layer 'conv9'"),
        (["--frozen_epochs", "9"], "--frozen_epochs"),
        (["--networks", "vit", "--weights", "vit=./absent_folder"], "no preset folder of a vision transformer"),
        (["--networks", "ViTTi16", "--weights", "none", "--image_size", "40"], "patches of 16"),
    ],
)
def test_bad_input_is_one_clear_error_before_any_training(arguments, tmp_path, capsys, words, message):
    command = [word for word in arguments]
    for flag in words:
        if flag.startswith("--") and flag in command:
            place = command.index(flag)
            del command[place : place + 2]
    try:
        status = multitask.main([*command, *words])
    except SystemExit as error:  # a value the command line itself refuses
        status = error.code
    assert status
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not list((tmp_path / "store").glob("multitask/*"))


def test_a_dry_run_trains_nothing_and_says_what_it_would_cost(arguments, tmp_path, capsys):
    assert multitask.main([*arguments, "--dry_run"]) == 0
    printed = capsys.readouterr().out
    assert "4 runs, 4 to do" in printed
    assert not list((tmp_path / "store").glob("multitask/*/metrics.json"))


def test_devices_and_networks_make_independent_runs():
    one = study_.Study(networks=("resnet",), device=0)
    both = study_.Study()
    fields = {name for name in study_.Run.__dataclass_fields__}
    assert "device" not in fields  # a run is the same wherever it ran
    assert one.tasks == both.tasks


def test_the_models_have_the_names_of_the_note():
    run = study_.Run(network="ResNet50", target="style", mode="gram")
    assert run.model_name == "resnet_gram_style"
    assert study_.Run(network="ViTB16", target="style+artist", mode="multitask").model_name == "vit_multitask"
    assert study_.Run(network="ViTB16", target="artist").model_name == "vit_artist"
    assert study_.Run(network="squeezenet-0011aabb.keras", target="style").model_name == "squeezenet_style"


def test_the_defence_is_typed_as_logged():
    cells = tables.DEFENSE.cells()
    folder = study_.__file__
    from pathlib import Path

    logs = Path(folder).parents[1] / "published"
    log = pd.read_csv(logs / "defense_rijks_multitask_results.csv")
    for task in ("material", "type", "artist"):
        row = cells[(cells["challenge"] == task) & (cells["mode"] == "multitask")]
        assert row["paper"].item() == pytest.approx(100 * log[f"val_{task}_prediction_acc"].max(), abs=0.001)

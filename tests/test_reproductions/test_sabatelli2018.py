"""The reproduction through its real command line, on small pictures and a network of a few layers."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import kill_at, paint_museum

from keras_art.commands import flags
from keras_art.learning import training
from keras_art.report import calibration, plates
from keras_art.report.tables import DIVERGED
from keras_art.store.runs import Store
from keras_art.study.config import digest
from keras_art.study.records import Rivals, variant
from reproductions.sabatelli2018 import REPRODUCTION, study, tables
from reproductions.sabatelli2018.checks import check

main = REPRODUCTION.main

COLUMNS = [
    "table",
    "challenge",
    "collection",
    "network",
    "mode",
    *("paper", "paper_std", "ours", "std", "n", "delta", "protocol", "n_test", "low", "high", "note"),
]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """Two convolutions, with batch normalisation, saved as a user would."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 3, 2, activation="relu")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2D(16, 3, 2, activation="relu")(x)
    path = tmp_path_factory.mktemp("network") / "tiny.keras"
    keras.Model(inputs, x, name="tiny").save(path)
    return str(path)


def flags_of(museum, backbone, store):
    return [
        *("--data", str(museum), "--target", "artist", "--networks", backbone, "--preprocessing", "unit"),
        *("--image_size", "32", "--epochs", "3", "--store", str(store)),
    ]


@pytest.fixture
def arguments(picture_csv, backbone, tmp_path):
    return flags_of(picture_csv, backbone, tmp_path / "store")


@pytest.fixture(scope="module")
def whole(backbone, tmp_path_factory):
    """The flags, the pictures and the store of a study that was carried out, and what it printed as CSV."""
    here, printed = tmp_path_factory.mktemp("whole"), io.StringIO()
    asked = flags_of(paint_museum(here / "museum"), backbone, here / "store")
    with contextlib.redirect_stdout(printed):
        assert main([*asked, "--format", "csv"]) == 0
    return asked, here / "museum", here / "store", printed.getvalue()


def table_of(capsys, *arguments):
    capsys.readouterr()
    assert main([*arguments, "--format", "csv"]) == 0
    return read(capsys.readouterr().out)


def read(printed):
    return pd.read_csv(io.StringIO(printed), dtype=str, keep_default_na=False)


def metrics(store):
    return [json.loads(path.read_text()) for path in sorted(Path(store).glob("classifier/*/metrics.json"))]


def test_the_tables_are_typed_as_printed():
    accuracy = tables.TABLE_2.cells()
    assert len(accuracy) == 24 and accuracy["paper"].between(0, 100).all()
    assert (
        accuracy.set_index(["challenge", "network", "mode"]).loc[("artist", "ResNet50", "off_the_shelf"), "paper"] == 8
    )
    theta = tables.TABLE_3.cells().pivot(index=["challenge", "network"], columns="mode", values="paper")
    assert (theta["theta_r_off"] > theta["theta_i_off"]).all() and (theta["theta_r_ft"] > theta["theta_i_ft"]).all()


def test_the_printed_parameters_are_the_whole_network_in_millions():
    sizes = tables.TABLE_2_SIZES.cells().pivot(index=["challenge", "network"], columns="mode", values="paper")
    classes = (
        tables.TABLE_1.cells().query("count == 'Q_t' and collection == 'rijksmuseum'").set_index("challenge")["paper"]
    )
    without_top = {"Xception": 20_861_480, "InceptionV3": 21_802_784, "ResNet50": 23_587_712, "VGG19": 20_024_384}
    for (challenge, network), row in sizes.iterrows():
        total = without_top[network] + (row["X"] + 1) * classes[challenge]
        assert abs(total / 1e6 - row["params"]) < 1, (challenge, network)


def test_a_study_runs_prints_its_table_and_is_not_run_again(whole, capsys):
    asked, _, store, printed = whole
    first = read(printed)
    assert list(first.columns) == COLUMNS
    ours = first[(first["n"] == "1") & (first["table"] == "table_2")].set_index("mode")
    assert set(ours.index) == {"off_the_shelf", "fine_tuning"}
    assert (ours["paper"] == "").all() and (ours["delta"] == "").all()
    for found in metrics(store):
        assert found["status"] == "ok" and 0 <= found["test_accuracy"] <= 1 and found["n_test"] > 0
        assert {"test_loss", "test_macro_f1"} <= set(found)
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*.json")}
    second = table_of(capsys, *asked)
    pd.testing.assert_frame_equal(first, second)
    assert before == {path: path.stat().st_mtime_ns for path in store.rglob("*.json")}


def test_a_run_leaves_what_a_person_wants_to_see(whole):
    *_, store, _ = whole
    folder = next((store / "classifier").glob("*fine_tuning*/"))
    assert {path.name for path in folder.iterdir()} >= {
        *("config.json", "environment.json", "history.csv", "metrics.json", "predictions.csv", "per_class.csv"),
        *("classes.json", "confusion.png", "model.keras"),
    }
    assert not (folder / "checkpoint").exists()
    figures = {path.name.split("-")[-1] for path in store.glob("studies/*/figures/*.png")}
    assert figures == {"curves.png", "samples.png", "saliency.png"}
    drawn = next(store.glob("studies/*/figures")) / plates.LIST
    told = next(part["caption"] for part in json.loads(drawn.read_text()) if "saliency" in part.get("figure", ""))
    assert "how sure that was, by a probability before any calibration" in told
    predictions = pd.read_csv(folder / "predictions.csv")
    splits = pd.read_csv(next((store / "collections").glob("*/images.csv")))
    assert sorted(predictions["id"]) == sorted(splits.loc[splits["split"] == "test", "id"])


def test_dry_run_trains_nothing_and_names_every_run(arguments, capsys, tmp_path):
    assert main([*arguments, "--dry_run", "--seeds", "0", "1"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("to do ") == 4 and "4 runs, 4 to do: about" in printed
    assert not list((tmp_path / "store").glob("classifier/*/*"))


def test_another_seed_or_head_extracts_no_features_again(arguments, tmp_path, monkeypatch):
    off = [*arguments, "--modes", "off_the_shelf"]
    assert main(off) == 0
    from keras_art.learning import features

    def refused(backbone):
        raise AssertionError("features were extracted again")

    monkeypatch.setattr(features, "feature_extractor", refused)
    assert main([*off, "--seeds", "1"]) == 0
    assert main([*off, "--epochs", "100", "--head", "linear_svm"]) == 0  # which has none
    assert main([*off, "--learning_rate", "0.01"]) == 0
    assert len(metrics(tmp_path / "store")) == 4


def test_frozen_batch_normalisation_on_its_batch_trains_the_long_way(arguments, tmp_path):
    assert main([*arguments, "--modes", "off_the_shelf", "--frozen_bn", "batch"]) == 0
    assert not (tmp_path / "store/cache/features").exists()
    assert metrics(tmp_path / "store")[0]["status"] == "ok"


def test_the_same_command_on_an_empty_store_gives_the_same_numbers(whole, tmp_path):
    asked, _, store, _ = whole
    assert main([*asked, "--store", str(tmp_path / "again")]) == 0
    first, second = metrics(store), metrics(tmp_path / "again")
    assert len(first) == 2
    for found in (*first, *second):
        del found["seconds"]
    assert first == second


def test_a_diverged_run_is_recorded_and_the_study_goes_on(arguments, capsys, tmp_path):
    table = table_of(capsys, *arguments, "--learning_rate", "1e30")
    ours = table[table["n"] == "1"].set_index(["table", "mode"])["ours"]
    assert ours["table_2", "fine_tuning"] == DIVERGED
    diverged = [found for found in metrics(tmp_path / "store") if found["status"] == "diverged"]
    assert diverged and diverged[0]["test_accuracy"] is None


def test_a_source_is_trained_first_and_carried_over(arguments, picture_csv, capsys, tmp_path):
    source = shutil.copytree(picture_csv, tmp_path / "source")
    table = table_of(capsys, *arguments, "--source", str(source))
    ours = table[(table["table"] == "table_3") & (table["n"] == "1")]
    assert set(ours["mode"]) == {"theta_i_off", "theta_r_off", "theta_i_ft", "theta_r_ft"}
    overlap = table[(table["table"] == "table_1") & (table["mode"] == "overlap") & (table["n"] == "1")]
    assert list(overlap["ours"]) == ["100", "100"]


def test_the_source_may_have_another_label_column(arguments, picture_csv, tmp_path):
    source = shutil.copytree(picture_csv, tmp_path / "source")
    extra = ("--source", str(source), "--source_target", "style", "--modes", "off_the_shelf", "--class_filter", "none")
    assert main([*arguments, *extra]) == 0
    configs = [json.loads(path.read_text()) for path in tmp_path.glob("store/classifier/*/config.json")]
    assert sorted((c["mode"], c["target"]) for c in configs) == [
        ("fine_tuning", "style"),
        ("off_the_shelf", "artist"),
        ("off_the_shelf", "artist"),
    ]


def test_what_begins_with_diverged_weights_is_recorded_as_diverged(arguments, picture_csv, tmp_path):
    source = shutil.copytree(picture_csv, tmp_path / "source")
    assert main([*arguments, "--source", str(source), "--modes", "fine_tuning", "--learning_rate", "1e30"]) == 0
    runs = {path.parent: json.loads(path.read_text()) for path in tmp_path.glob("store/classifier/*/metrics.json")}
    carried = [
        found
        for folder, found in runs.items()
        if isinstance(json.loads((folder / "config.json").read_text())["weights"], dict)
    ]
    assert len(runs) == 3 and len(carried) == 1
    assert carried[0]["status"] == "diverged" and carried[0]["epochs"] == 0 and carried[0]["parameters"] > 0


def test_predict_names_classes_for_new_pictures_and_quarantines_the_rest(whole, tmp_path):
    _, museum, store, _ = whole
    pictures = tmp_path / "new"
    pictures.mkdir()
    for path in sorted((museum / "images").iterdir())[:5]:
        (pictures / path.name).write_bytes(path.read_bytes())
    (pictures / "broken.jpg").write_bytes(b"no picture")
    for mode in ("off_the_shelf", "fine_tuning"):
        run = next((store / "classifier").glob(f"*{mode}*/"))
        out = tmp_path / f"{mode}.csv"
        assert main(["predict", str(run), str(pictures), "--out", str(out)]) == 0
        with out.open() as file:
            rows = list(csv.DictReader(file))
        known = pd.read_csv(run / "predictions.csv").set_index("id")
        temperature = json.loads((run / "metrics.json").read_text())["temperature"]
        assert [row["id"] for row in rows] == sorted(path.name for path in (museum / "images").iterdir())[:5]
        for row in rows:
            for name in (f"images/{row['id']}", row["id"]):
                if name in known.index:
                    said = known.loc[[name], [f"probability_{i}" for i in (1, 2, 3)]].to_numpy()
                    expected = calibration.cooled(said, temperature).max()
                    assert float(row["artist_probability"]) == pytest.approx(expected, abs=1e-4)
        assert "broken.jpg" in out.with_name(f"{mode}_quarantine.csv").read_text()


def test_a_killed_study_goes_on_and_ends_with_the_same_numbers(arguments, tmp_path):
    longer = [*arguments, "--modes", "fine_tuning", "--epochs", "6"]
    assert main([*longer, "--store", str(tmp_path / "whole")]) == 0
    kill_at("epoch.npz", "sabatelli2018", longer, tmp_path / "store")
    assert not metrics(tmp_path / "store"), "the study was over before it could be killed"
    assert main(longer) == 0
    whole_run, resumed = (metrics(tmp_path / store)[0] for store in ("whole", "store"))
    assert {**whole_run, "seconds": 0} == {**resumed, "seconds": 0}


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--networks", "ResNet5"], "ResNet50"),
        (["--networks", "absent.keras"], "does not exist"),
        (["--target", "artits"], "artist"),
        (["--data", "rijksmuseun"], "rijksmuseum"),
        (["--epochs", "0"], "--epochs"),
        (["--head", "linear_svm", "--modes", "fine_tuning"], "off_the_shelf"),
        (["--head", "linear_svm", "--frozen_bn", "batch"], "--frozen_bn inference"),
        (["--weights", "imagenet", "none"], "--weights"),
        (["--weights", "VGG19=x.h5"], "--networks"),
        (
            ["--networks", "VGG19", "--weights", "VGG19=", "--dry_run"],
            "--weights VGG19= is not NETWORK=FILE: name both",
        ),
        (["--networks", "VGG19", "--theta_r", "VGG19="], "--theta_r VGG19= is not NETWORK=FILE"),
        (["--source_target", "style"], "--source"),
        (["--seeds", "0", "0"], "--seeds"),
        (["--split", "given"], "--split"),
        (["--image_size", "4"], "4"),
    ],
)
def test_a_mistake_gets_one_message_before_anything_is_trained(arguments, extra, words, capsys, tmp_path):
    assert main([*arguments, *extra]) == 1
    message = capsys.readouterr().err
    assert words in message.splitlines()[-1] and "Traceback" not in message
    assert not list((tmp_path / "store").glob("classifier/*/history.csv"))


STEPS = "is of heads and networks that learn in epochs: add fine_tuning to --modes"


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--modes", "linear_probe", "knn_probe", "--optimizer", "AdamW@1e-3"], f"--optimizer {STEPS}"),
        (["--modes", "zero_shot", "--optimizer", "released"], f"--optimizer {STEPS}"),
        (["--modes", "knn_probe", "--learning_rate", "0.01"], f"--learning_rate {STEPS}"),
        (["--modes", "off_the_shelf", "--head", "linear_svm", "--optimizer", "released"], f"--optimizer {STEPS}"),
        (["--modes", "linear_probe", "--template", "a {}"], "--template is of classes asked for by their names: add"),
        (["--preset", "modern", "--modes", "knn_probe", "--optimizer", "paper"], f"--optimizer {STEPS}"),
        (["--modes", "linear_probe", "knn_probe"], f"--epochs {STEPS}"),  # 3, of the arguments
        (["--modes", "zero_shot", "--epochs", "100", "--patience", "3"], f"--patience {STEPS}"),
        (["--modes", "knn_probe", "--epochs", "100", "--keep", "last"], f"--keep {STEPS}"),
        (["--modes", "knn_probe", "--epochs", "100", "--order", "sorted"], f"--order {STEPS}"),
        (["--modes", "knn_probe", "--epochs", "100", "--bn_momentum", "0.9"], f"--bn_momentum {STEPS}"),
        (["--modes", "scratch", "--lora", "4"], "--lora is of layers that were trained before: add fine_tuning"),
        (["--preset", "modern", "--epochs", "1"], "there are 1: give both, as --epochs 1 --warmup 0"),
        (["--modes", "fine_tuning", "--frozen_epochs", "9"], "--frozen_epochs is of softmax heads on a frozen network"),
        (["--modes", "off_the_shelf", "--frozen_epochs", "9"], "--epochs is of what learns as a whole, heads take"),
    ],
)
def test_what_no_mode_reads_or_does_not_fit_is_refused(arguments, extra, words, capsys):
    assert main([*arguments, *extra, "--dry_run"]) == 1
    assert words in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    "extra",
    [
        ["--modes", "linear_probe", "off_the_shelf", "--optimizer", "AdamW@1e-3"],
        ["--modes", "linear_probe", "scratch", "--optimizer", "AdamW@1e-3"],
        ["--modes", "linear_probe", "--source", "kaokore", "--optimizer", "AdamW@1e-3"],
        ["--modes", "off_the_shelf", "--source", "kaokore", "--mixing", "mixup"],
        ["--modes", "knn_probe", "--preset", "modern", "--epochs", "20"],
        ["--modes", "knn_probe", "--preset", "modern"],
        ["--modes", "linear_probe", "--preset", "released", "--frozen_bn", "inference"],
        ["--modes", "knn_probe", "--weights", "demo", "--order", "sorted", "--bn_momentum", "0.5"],
        ["--modes", "knn_probe", "off_the_shelf", "--patience", "3", "--keep", "last", "--frozen_epochs", "9"],
    ],
)
def test_what_a_mode_or_the_source_reads_is_not_refused(extra):
    words = ["--data", "museum", *extra]
    check(flags.parse(study.Study, study.PRESETS, words, prog="", description=""))


def test_a_misspelt_flag_is_answered_with_the_nearest(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--netwroks", "VGG19"])
    assert stop.value.code == 2
    assert "--networks" in capsys.readouterr().err


@pytest.mark.parametrize("preset", study.PRESETS)
def test_a_preset_fixes_every_field_and_a_flag_overrides_one(preset):
    asked = flags.parse(study.Study, study.PRESETS, ["--preset", preset, "--seeds", "7"], prog="", description="")
    assert asked.seeds == (7,)
    assert asked.optimizer == study.PRESETS[preset].optimizer and asked.frozen_bn == study.PRESETS[preset].frozen_bn


def test_digests_of_runs_stay_what_they_are():
    assert digest(study.Run()) == "7427984f"
    assert digest(study.Run(network="ResNet50", mode="fine_tuning", seed=1)) == "f416d3d2"


def test_scratch_is_inceptions_unless_networks_are_named(picture_csv, tmp_path):
    def grid(*networks):
        asked = study.Study(data=str(picture_csv), target="artist", modes=("scratch",), networks=networks)
        store = Store(tmp_path)
        return [run.network for run in study.runs(asked, study.collections(asked, store), store)]

    assert grid(*study.NETWORKS) == ["InceptionV3"]
    assert grid("VGG19", "ResNet50") == ["VGG19", "ResNet50"]


def test_scratch_is_trained_as_fine_tuning_is_but_no_layer_of_it_waits():
    asked = study.Study(freeze_until="0.5", discriminative=0.1, warmup=2, mixing="mixup")
    plain = study.Study(warmup=2, mixing="mixup")
    tuned, scratch = (study.in_mode(asked, study.Run(), mode) for mode in ("fine_tuning", "scratch"))
    assert tuned.adapted == ["freeze_until", "discriminative", "warmup", "mixing"] and tuned.takes_layers
    assert scratch.adapted == ["warmup", "mixing"] and not scratch.takes_layers
    assert scratch == study.in_mode(plain, study.Run(), "scratch")


def test_probabilities_of_an_svm_are_margins_without_a_loss(arguments, tmp_path):
    assert main([*arguments, "--epochs", "100", "--modes", "off_the_shelf", "--head", "linear_svm"]) == 0
    found = metrics(tmp_path / "store")[0]
    assert found["test_loss"] is None and found["test_accuracy"] is not None
    assert np.isfinite(pd.read_csv(next((tmp_path / "store").glob("*/*/predictions.csv")))["probability"]).all()


def test_what_is_measured_is_of_the_weights_that_are_kept(arguments, tmp_path, monkeypatch):
    fit = training.fit

    def worsening(*given, **named):
        history, finite = fit(*given, **named)
        return history.assign(val_loss=[1.0, 2.0, 3.0], val_accuracy=[0.75, 0.5, 0.25]), finite

    monkeypatch.setattr(training, "fit", worsening)
    assert main([*arguments, "--modes", "off_the_shelf", "--keep", "best"]) == 0
    assert main([*arguments, "--modes", "off_the_shelf", "--keep", "last"]) == 0
    told = {(found["best_epoch"], found["val_accuracy"]) for found in metrics(tmp_path / "store")}
    assert told == {(1, 0.75), (3, 0.25)}


def test_settings_that_one_command_gave_its_modes_are_one_label(tmp_path):
    base = study.Study(preset="study")
    fast = study.Study(preset="study", learning_rate=0.01)
    released = study.Study(preset="study", optimizer="released", epochs=9)
    runs = {
        (asked, mode): study.in_mode(
            asked, study.Run(collection="museum-00000000", target="artist", epochs=asked.epochs), mode
        )
        for asked in (base, fast, released) for mode in ("off_the_shelf", "fine_tuning")
    }  # fmt: skip
    rivals = Rivals(runs.values(), tables.cell)
    for asked, label in ((base, " [epochs=100]"), (fast, " [learning_rate=0.01, epochs=100]")):
        for mode in ("off_the_shelf", "fine_tuning"):
            assert variant(runs[asked, mode], rivals, word=tables.asked_for) == label
    for mode in ("off_the_shelf", "fine_tuning"):
        told = variant(runs[released, mode], rivals, word=tables.asked_for)
        assert told == " [optimizer=released, epochs=9]"


def test_a_classifier_of_another_collection_is_carried_over_as_a_file(arguments, backbone, tmp_path, capsys):
    common = ["--epochs", "1", "--modes"]
    assert main([*arguments, *common, "fine_tuning"]) == 0
    (model,) = (tmp_path / "store/classifier").glob("*/model.keras")
    there = tmp_path / "there.keras"
    shutil.move(model, there)
    command = [*arguments, *common, "off_the_shelf", "--store", str(tmp_path / "second")]
    found = table_of(capsys, *command, "--theta_r", f"{backbone}={there}")
    rows = found[found["n"] == "1"].groupby("table")["mode"].apply(set)
    assert rows["table_3"] == {"theta_i_off", "theta_r_off"}
    assert main([*command, "--theta_r", f"VGG19={there}"]) == 1
    assert "is not NETWORK=FILE with one of --networks" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--learning_rate", "nan"], ["--learning_rate", "inf"], ["--learning_rate", "-1"]])
def test_a_rate_is_a_number_that_can_be_learnt_at(tmp_path, words, capsys):
    assert main(["--store", str(tmp_path / "runs"), *words]) == 1
    assert "--learning_rate is " in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()

"""The seven classifiers through their real command lines, on small pictures and networks of a few layers."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import COLOURS, kill_at, paint, write_csv

from keras_art.errors import UserError
from keras_art.networks import vit
from keras_art.store import runs
from keras_art.study import records
from keras_art.study.config import Artefact, Optimizer
from keras_art.study.kinds.classifier import label
from reproductions import gram_style, multitask
from reproductions.multitask import page
from reproductions.multitask import study as study_
from reproductions.multitask.kind import KINDS, MultitaskRun
from reproductions.multitask.tables import DEFENSE, labels_of, tables_of

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


def painted(folder):
    """Sixty pictures by three artists in two styles; a style is missing here and there."""
    rows = [["image", "artist", "style"]]
    for n, (colour, i) in enumerate((colour, i) for colour in COLOURS for i in range(20)):
        paint(folder / "images" / f"{n:03d}.png", colour, i)
        style = "" if i == 3 else "warm" if colour == "a" or i % 2 else "cold"
        rows.append([f"{n:03d}.png", f"artist {colour}", style])
    write_csv(folder / "labels.csv", rows)
    return folder


@pytest.fixture
def museum(tmp_path):
    return painted(tmp_path / "museum")


def flags_of(museum, backbone, store):
    return [
        *("--data", str(museum), "--preprocessing", "unit", "--image_size", "32", "--epochs", "2"),
        *("--frozen_epochs", "1", "--batch_size", "16", "--shared", "8", "--hidden", "6", "--gram_channels", "4"),
        *("--learning_rate", "0.01", "--store", str(store), "--networks", backbone),
    ]


@pytest.fixture(autouse=True)
def _little_transformer(monkeypatch):
    monkeypatch.setitem(vit.VITS, "ViTTi16", TINY)


@pytest.fixture
def arguments(museum, backbone, tmp_path):
    return flags_of(museum, backbone, tmp_path / "store")


@pytest.fixture(scope="module")
def seven(backbone, tmp_path_factory):
    """The flags, the pictures and the store of a study of all seven classifiers that was carried out."""
    here = tmp_path_factory.mktemp("seven")
    asked = [*flags_of(painted(here / "museum"), backbone, here / "store"), "ViTTi16", "--weights", "ViTTi16=none"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(vit.VITS, "ViTTi16", TINY)
        assert multitask.REPRODUCTION.main(asked) == 0
    return asked, here / "museum", here / "store"


def found_in(store):
    """(network, targets, mode, seed) -> metrics; of runs that share those words, the last."""
    done = records.finished(runs.Store(store), MultitaskRun)
    return {(label(run.network), run.targets, run.mode, run.seed): found for run, found in done}


def replaced(arguments, *words):
    """A command line with some of its flags given otherwise."""
    command = list(arguments)
    for flag in words:
        if flag.startswith("--") and flag in command:
            place = command.index(flag)
            del command[place : place + 2]
    return [*command, *words]


def test_seven_models_are_trained_compared_and_pictured(seven):
    *_, store = seven
    found = found_in(store)
    kinds = {(network == "tiny", targets, mode) for network, targets, mode, _ in found}
    columns = [(("style",), "single"), (("artist",), "single"), (("style", "artist"), "multitask")]
    assert kinds == {(tiny, *kind) for tiny in (True, False) for kind in columns} | {(True, ("style",), "gram")}
    assert len(found) == 7
    for (_, targets, _, _), metrics in found.items():
        for task in targets:
            assert 0 <= metrics[f"test_{task}_accuracy"] <= 1
            assert 0 <= metrics[f"test_{task}_macro_f1"] <= 1
    page = next(store.glob("studies/*/page.html")).read_text()
    for words in (
        "tiny_gram_style",
        "ViTTi16_multitask",
        "(majority class of train)",
        "(majority class of test)",
        "(the artist&#x27;s majority label)",
    ):
        assert words in page
    assert page.count("<img") > 20
    folder = next(path for path in (store / "multitask").glob("*multitask-0-*") if path.is_dir())
    kept = {path.name for path in folder.iterdir()}
    assert {"model.keras", "last.npz", "history.csv", "shared.npz", "confusion_style.png"} <= kept
    assert "checkpoint" not in kept
    with np.load(folder / "last.npz") as last:
        assert "keeper" in last
        variables = len(last.files)
    with zipfile.ZipFile(folder / "model.keras") as archive:
        assert "optimizer" not in str(archive.namelist())
    assert variables > len(keras.saving.load_model(folder / "model.keras", compile=False).weights)


def test_columns_may_be_called_anything_and_a_choice_of_the_store_is_data_enough(arguments, museum, tmp_path, capsys):
    odd = ["gender+status", "../x", "a/b"]
    rows = [["image", *odd]] + [[f"{n:03d}.png", *(("yes", "no")[n // 2**i % 2] for i in range(3))] for n in range(60)]
    write_csv(museum / "labels.csv", rows)
    short = replaced(arguments, "--epochs", "1")
    assert multitask.REPRODUCTION.main([*short, "--targets", *odd, "--tasks", "multitask", "a/b"]) == 0
    (key,) = (path.parent.name for path in (tmp_path / "store").glob("collections/*/task.json"))
    assert len(found_in(tmp_path / "store")) == 2
    assert {"per_class_a_b.csv", "per_class_gender_status.csv"} <= {
        path.name for path in (tmp_path / "store").glob("multitask/*/*.csv")
    }
    shutil.rmtree(museum)
    capsys.readouterr()
    alone = replaced(short, "--data", key)
    assert multitask.REPRODUCTION.main([*alone, "--targets", *odd, "--tasks", "multitask", "gender+status"]) == 0
    assert len(found_in(tmp_path / "store")) == 3
    assert multitask.REPRODUCTION.main([*alone, "--targets", "style"]) == 1
    assert f"--data {key} is what the store chose before: gender+status, ../x, a/b" in capsys.readouterr().err


def test_a_second_time_nothing_is_trained_and_the_tables_are_printed(seven, capsys):
    asked, _, store = seven
    before = {path: path.stat().st_mtime_ns for path in store.glob("multitask/*/metrics.json")}
    assert multitask.REPRODUCTION.main(asked) == 0
    assert before == {path: path.stat().st_mtime_ns for path in store.glob("multitask/*/metrics.json")}
    printed = capsys.readouterr().out
    assert "tiny_style" in printed
    assert "(the artist's majority label)" in printed
    assert multitask.REPRODUCTION.main(["--table", "--format", "csv", "--store", str(store)]) == 0
    assert "seven,museum style,tiny,single" in capsys.readouterr().out


def test_gram_style_is_compared_by_seed_with_itself_without_the_branch(arguments, tmp_path, capsys):
    short = replaced(arguments, "--epochs", "1")
    assert multitask.REPRODUCTION.main([*short, "--targets", "style", "--tasks", "baseline"]) == 0
    ((baseline, one),) = found_in(tmp_path / "store").items()
    more = ["--gram_description", "triangle", "--fusion", "0.3", "--auxiliary", "0.3", "--seeds", "0", "1"]
    assert gram_style.REPRODUCTION.main([*short, *more]) == 0
    found = found_in(tmp_path / "store")
    assert sorted((mode, seed) for _, _, mode, seed in found) == [(m, s) for m in ("baseline", "gram") for s in (0, 1)]
    assert found[baseline]["seconds"] == one["seconds"]
    for (_, _, mode, _), metrics in found.items():
        assert ("test_style_gram_accuracy" in metrics) == (mode == "gram")
    assert "tiny_gram_style, gram branch alone" in capsys.readouterr().out
    ((_, frame),) = gram_style.tables(runs.Store(tmp_path / "store"), None, gram_style.Study()).paper
    assert frame["network"].tolist() == ["tiny, 4 triangle, fusion 0.3, auxiliary 0.3"]
    assert frame["n"].tolist() == [2]
    folder = max((tmp_path / "store").glob("studies/*"), key=lambda path: len(list(path.glob("figures/*"))))
    differences = pd.read_csv(next(folder.glob("figures/*-differences.csv")))
    assert differences["n"].tolist() == [2, 2]
    page = (folder / "page.html").read_text()
    assert "Features against features" in page
    assert "the test pictures with most of the feature" in page


def test_a_split_by_artist_is_refused_where_the_artist_is_a_target():
    with pytest.raises(UserError, match="undefined for the artist"):
        study_.check(study_.Study(split="artist_disjoint"))
    study_.check(study_.Study(split="artist_disjoint", targets=("style",)))


def test_learned_weights_and_every_augmentation_run(arguments, tmp_path):
    for augmentation in ("keras", "keras_cv"):
        more = ["--tasks", "multitask", "--task_weights", "learned", "--augmentation", augmentation]
        assert multitask.REPRODUCTION.main([*arguments, *more]) == 0
    for found in found_in(tmp_path / "store").values():
        assert found["status"] == "ok" and set(found["task_weights"]) == {"style", "artist"}
        assert all(weight != 1 for weight in found["task_weights"].values())
    page = next((tmp_path / "store").glob("studies/*/page.html")).read_text()
    assert "learned weights of the losses style" in page


def test_predict_takes_a_finished_run(seven, tmp_path):
    _, museum, store = seven
    run = next(store.glob("multitask/*tiny_multitask*/metrics.json")).parent
    out = tmp_path / "out.csv"
    assert multitask.REPRODUCTION.main(["predict", str(run), str(museum / "images"), "--out", str(out)]) == 0
    table = pd.read_csv(out)
    assert len(table) == 60
    assert {"style_predicted", "style_probability", "artist_predicted", "artist_probability"} <= set(table)
    assert set(table["style_trust"]) <= {"sure", "check", "doubtful"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--targets", "style", "maker"], "no label column 'maker'"),
        (["--min_images", "25"], "--min_images"),
        (["--tasks", "genre"], "--tasks has genre"),
        (["--task_weights", "1", "2", "3"], "--task_weights"),
        (["--gram_tap", "conv9"], "no layer 'conv9'"),
        (["--frozen_epochs", "9"], "--frozen_epochs"),
        (["--networks", "vit", "--weights", "vit=./absent_folder"], "the file ./absent_folder does not exist"),
        (["--networks", "vit", "--weights", "vit=/"], "no preset: that has config.json and model.weights.h5"),
        (["--networks", "ViTTi16", "--weights", "none", "--image_size", "40"], "patches of 16"),
        (["--networks", "ViTTi16", "--weights", "none", "--tasks", "gram"], "add resnet to --networks"),
        (["--target", "style"], "--targets"),
        (["--targets", "style", "style"], "names style twice"),
        (["--gram_dropout", "1"], "--gram_dropout"),
    ],
)
def test_bad_input_is_one_clear_error_before_any_training(arguments, tmp_path, capsys, words, message):
    try:
        status = multitask.REPRODUCTION.main(replaced(arguments, *words))
    except SystemExit as error:  # a value the command line itself refuses
        status = error.code
    assert status
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not list((tmp_path / "store").glob("multitask/*"))


def test_a_dry_run_trains_nothing_and_says_what_it_would_cost(arguments, tmp_path, capsys):
    assert multitask.REPRODUCTION.main([*arguments, "--dry_run"]) == 0
    printed = capsys.readouterr().out
    assert "4 runs, 4 to do" in printed
    assert not list((tmp_path / "store").glob("multitask/*/metrics.json"))


def test_devices_and_networks_make_independent_runs():
    assert "device" not in MultitaskRun.__dataclass_fields__  # a run is the same wherever it ran
    assert study_.Study(networks=("resnet",), devices="0").tasks == study_.Study().tasks


def test_a_run_of_several_tasks_says_the_accuracy_of_each():
    summary = KINDS["multitask"].summary
    found = {"test_accuracy": 0.385, "test_artist_accuracy": 0.385, "test_the style_accuracy": 0.5}
    both = MultitaskRun(targets=("artist", "the style"), mode="multitask")
    assert summary(both, found) == "test accuracy artist 38.5%, the style 50.0%"
    assert summary(MultitaskRun(targets=("artist",)), found) == "test accuracy 38.5%"
    assert summary(both, dict.fromkeys(found)) == "diverged"


def test_the_models_have_the_names_of_the_note():
    run = MultitaskRun(network="ResNet50", targets=("style",), mode="gram")
    assert run.model_name == "resnet_gram_style"
    assert dataclasses.replace(run, mode="baseline").model_name == "resnet_baseline_style"
    both = ("style", "artist")
    assert MultitaskRun(network="ViTB16", targets=both, mode="multitask").model_name == "vit_multitask"
    assert MultitaskRun(network="ViTB16", targets=("artist",)).model_name == "vit_artist"
    squeezenet = Artefact("squeezenet-0011aabb.keras")
    assert MultitaskRun(network=squeezenet, targets=("style",)).model_name == "squeezenet_style"


def test_the_defence_is_typed_as_logged():
    cells = DEFENSE.cells()
    logs = Path(study_.__file__).parents[1] / "published"
    log = pd.read_csv(logs / "defense_rijks_multitask_results.csv")
    for task in ("material", "type", "artist"):
        row = cells[(cells["challenge"] == task) & (cells["mode"] == "multitask")]
        assert row["paper"].item() == pytest.approx(100 * log[f"val_{task}_prediction_acc"].max(), abs=0.001)


def test_columns_may_be_called_anything_and_stay_apart(arguments, museum, tmp_path):
    table = pd.read_csv(museum / "labels.csv", dtype=str, keep_default_na=False)
    names = {"style": "a/style", "artist": "a style"}  # one file's name, one layer's name
    table = table.rename(columns=names).assign(**{"性別": table["style"], "A+Style": table["artist"]})
    table.to_csv(museum / "labels.csv", index=False)
    targets = ["a/style", "a style", "性別", "A+Style"]
    command = replaced(arguments, "--epochs", "1", "--targets", *targets, "--tasks", "multitask", "a/style", "gram")
    assert multitask.REPRODUCTION.main(command) == 0
    found = found_in(tmp_path / "store")
    assert len(found) == 3
    folder = next((tmp_path / "store").glob("multitask/*tiny_multitask*/metrics.json")).parent
    assert {path.name for path in folder.glob("per_class_*")} == {
        f"per_class_{task}.csv" for task in ("a_style", "a_style_2", "性別", "A_Style_3")
    }
    classes = [set(pd.read_csv(folder / f"per_class_{task}.csv")["class"]) for task in ("a_style", "a_style_2")]
    assert classes == [{"warm", "cold"}, {"artist a", "artist b", "artist c"}]
    page_of = next((tmp_path / "store").glob("studies/*/page.html")).read_text(encoding="utf-8")
    assert all(target in page_of for target in targets)
    ((_, scores), _) = tables_of(runs.Store(tmp_path / "store"), None, study_.Study()).paper
    assert {f"museum {target}" for target in targets} == set(scores["challenge"])


def test_a_part_of_the_page_that_fails_is_reported_and_the_rest_stands(arguments, tmp_path, capsys, monkeypatch):
    def broken(*words):
        raise RuntimeError("no ink")

    monkeypatch.setattr(page, "_curves", broken)
    command = replaced(arguments, "--epochs", "1", "--tasks", "style")
    assert multitask.REPRODUCTION.main(command) == 0
    said = capsys.readouterr()
    assert "no ink" in said.err
    assert said.out.startswith("museum-")
    written = next((tmp_path / "store").glob("studies/*/page.html"))
    assert "no ink" in written.read_text()
    assert "tiny_style, style. A row is" in written.read_text()
    monkeypatch.undo()
    assert multitask.REPRODUCTION.main(command) == 0  # tries again
    assert "no ink" not in written.read_text()


def test_a_killed_study_goes_on_and_ends_with_the_same_numbers(arguments, tmp_path):
    longer = replaced(arguments, "--epochs", "4", "--tasks", "multitask")
    assert multitask.REPRODUCTION.main(replaced(longer, "--store", str(tmp_path / "whole"))) == 0
    kill_at("epoch.npz", "multitask", longer, tmp_path / "store")
    assert not found_in(tmp_path / "store"), "the study was over before it could be killed"
    assert multitask.REPRODUCTION.main(longer) == 0
    (whole,), (resumed,) = (found_in(tmp_path / store).values() for store in ("whole", "store"))
    assert {**whole, "seconds": 0} == {**resumed, "seconds": 0}


@pytest.mark.parametrize("name", ["multitask", "gram_style"])
def test_a_fresh_process_in_another_folder_lists_runs_and_prints_tables(arguments, tmp_path, name):
    def said(*words):
        command = [sys.executable, "-m", f"reproductions.{name}", *words]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout

    assert "tiny_gram_style-0-" in said(*arguments, "--dry_run")
    assert "(the design note prints no numbers)" in said("--table", "--store", str(tmp_path / "store"))


def test_a_preset_folder_is_kept_in_the_store_and_loaded_from_there(arguments, tmp_path):
    vit.load_vit("ViTTi16", image_size=32, weights=None, seed=1).model.save_to_preset(str(tmp_path / "preset"))
    command = replaced(arguments, "--networks", "ViTTi16", "--weights", f"ViTTi16={tmp_path / 'preset'}")
    assert multitask.REPRODUCTION.main([*command, "--epochs", "1", "--tasks", "style"]) == 0
    ((run, found),) = records.finished(runs.Store(tmp_path / "store"), MultitaskRun)
    assert isinstance(run.weights, Artefact)
    assert run.weights.stem == "preset"
    assert (tmp_path / "store" / "cache" / "weights" / run.weights.name / "config.json").is_file()
    assert found["status"] == "ok"


def test_the_same_weights_of_tasks_are_the_same_run():
    one, two, other = (
        study_.heads(study_.Study(task_weights=weights), MultitaskRun())[-1]
        for weights in ((1.0,), (1.0, 1.0), (1.0, 0.5))
    )
    assert one.ref == two.ref != other.ref


def test_a_column_that_is_the_validation_of_another_is_refused():
    with pytest.raises(UserError, match=r"style and val_style share a column of history\.csv"):
        study_.check(study_.Study(targets=("style", "val_style")))


def test_the_paper_chooses_styles_artists_and_years_and_a_study_does_what_it_is_told(arguments, tmp_path, capsys):
    for paper in (multitask.REPRODUCTION.presets["paper"], gram_style.REPRODUCTION.presets["paper"]):
        assert (paper.top_styles, paper.min_style, paper.top_artists, paper.min_artist) == (12, 500, 100, 50)
        assert paper.years == (1400, 1970)
    command = [*arguments, "--targets", "style", "--dry_run", "--store", str(tmp_path / "other")]
    assert multitask.REPRODUCTION.main(command) == 0
    whole = capsys.readouterr().out
    assert multitask.REPRODUCTION.main([*command, "--top_artists", "2"]) == 0
    said = capsys.readouterr()
    assert "artist: 2 of 3 kept" in said.err and "style: " in said.err
    assert said.out != whole  # another choice, of another digest
    assert multitask.REPRODUCTION.main([*command, "--years", "1970", "1400"]) == 1
    assert "--years are the first and the last" in capsys.readouterr().err


def test_settings_that_one_command_gave_its_classifiers_are_one_label():
    """Of commands that share a store, each has one label for its heads, its Gram classifier and its baseline."""

    def asked(**flags):
        seven = study_.Study(networks=("resnet",), tasks=("style", "artist", "multitask", "gram", "baseline"), **flags)
        common = MultitaskRun(
            collection="museum-00000000",
            shared=seven.shared or study_.SHARED["ResNet50"],
            **{field: getattr(seven, field) for field in study_.SAME},
        )
        return [*study_.heads(seven, common), *study_.grams(seven, common)]

    for change, before, after in (
        ({"learning_rate": 1e-3}, " [learning_rate=0.0001]", " [learning_rate=0.001]"),
        ({"shared": 128}, "", " [shared=128]"),
        ({"epochs": 9}, " [epochs=20]", " [epochs=9]"),
        ({"dropout": 0.3, "gram_dropout": 0.5}, "", " [dropout=0.3, gram_dropout=0.5]"),
        (
            {"weight_decay": 1e-3, "gram_weight_decay": 2e-3},
            " [weight_decay=0.0001, gram_weight_decay=0.0005]",
            " [weight_decay=0.001, gram_weight_decay=0.002]",
        ),
    ):
        studies = asked(), asked(**change)
        found = labels_of([*studies[0], *studies[1]], [{run.ref for run in runs_} for runs_ in studies])
        told = [{said for run in runs_ for said in found[run]} for runs_ in studies]
        assert told == [{before}, {after}]


def test_a_run_of_two_studies_has_a_label_for_each():
    """Heads have no fusion: those of both studies are the same runs, and stand in the rows of both."""
    head = MultitaskRun(collection="museum-00000000", targets=("style",))
    grams = [
        MultitaskRun(mode="gram", collection="museum-00000000", targets=("style",), fusion=share)
        for share in (0.3, 0.5, 0.7)
    ]
    found = labels_of([head, *grams], [{head.ref, grams[0].ref}, {head.ref, grams[1].ref, grams[2].ref}])
    assert found[head] == [" [fusion=0.3]", ""]  # the second command gave two
    assert [found[gram] for gram in grams] == [[" [fusion=0.3]"], [" [fusion=0.5]"], [" [fusion=0.7]"]]
    assert labels_of([head, *grams], [])[grams[0]] == [" [fusion=0.3]"]  # nobody wrote them down


def test_a_named_optimizers_decay_is_no_flag_of_the_gram_classifier():
    common = {"mode": "gram", "collection": "museum-00000000", "targets": ("style",)}
    runs_ = [
        MultitaskRun(optimizer=Optimizer("SGD", 0.1, (("weight_decay", decay),)), **common) for decay in (0.01, 0.02)
    ]
    assert labels_of(runs_, []) == {runs_[0]: [" [weight_decay=0.01]"], runs_[1]: [" [weight_decay=0.02]"]}


def test_gram_classifiers_of_other_settings_are_never_averaged(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_art.store.runs.environment", dict)
    store = runs.Store(tmp_path)
    for epochs, accuracy in ((2, 0.2), (4, 0.4)):
        run = MultitaskRun(
            mode="gram", collection="museum-00000000", targets=("style",), gram_channels=4, gram_description="full",
            epochs=epochs,
        )  # fmt: skip
        store.begin(run)
        found = {"test_style_accuracy": accuracy, "test_style_macro_f1": accuracy, "test_style_weighted_f1": accuracy}
        found |= {"test_accuracy": accuracy, "test_style_n": 10, "n_classes": {"style": 2}, "n_images": 99}
        store.finish(run, {**found, "status": "ok", "parameters": 5, "epochs": epochs, "seconds": 1.0, "n_test": 10})
    ((_, table),) = gram_style.tables(store, None, gram_style.PRESETS["study"]).paper
    assert sorted(zip(table["challenge"], table["ours"], table["n"], strict=True)) == [
        ("museum-00000000 style [epochs=2]", 20, 1), ("museum-00000000 style [epochs=4]", 40, 1),
    ]  # fmt: skip

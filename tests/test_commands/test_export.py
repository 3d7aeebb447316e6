"""A trained model as a folder for others, and what becomes of it there."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import huggingface_hub
import keras
import numpy as np
import pandas as pd
import pytest
import yaml
from fake_hub import fake_hub
from huggingface_hub import constants
from PIL import Image

from keras_art import writing
from keras_art.commands import export, predict
from keras_art.learning import adaptation, exports, onnx_files, prediction, training
from keras_art.networks import attention, backbones, heads, trained
from keras_art.networks.loading import BadModel
from keras_art.networks.votes import neighbours_head
from keras_art.pictures import images
from keras_art.report.model_cards import program, readme
from keras_art.report.model_facts import Shared, preprocessing
from keras_art.store.runs import Store
from keras_art.store.sums import seal
from keras_art.study.config import Artefact
from keras_art.study.files import artefact, artefact_path, keep_files
from keras_art.study.kinds.classifier import ClassifierRun
from keras_art.study.sizes import native_size
from keras_art.writing import slug

CLASSES = {"style": ["cold", "warm"], "artist": ["x", "y", "z"]}
CARD = trained.ModelCard(CLASSES, "caffe", "squash", 16, {}, trained.provenance({}))
ONE = dataclasses.replace(CARD, classes={"artist": CLASSES["artist"]})
HOSTILE = "a|b `<script>alert(1)</script>\n# x](javascript:y) : - {z"


def maps():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, 2, activation="relu", name="stage1")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(6, 3, 2, activation="relu", name="stage2")(x), name="tiny")


def network():
    return backbones.Backbone(maps(), "caffe")


def multitask():
    return heads.multitask_classifier(network(), {"style": 2, "artist": 3}, shared=4, hidden=4), CARD


def attentive():
    return attention.attention_classifier(network(), ["stage1", "stage2"], 3), ONE


def flips():
    return adaptation.flip_averaged(heads.softmax_classifier(network(), 3)), ONE


def cropped():
    return heads.softmax_classifier(network(), 3), dataclasses.replace(ONE, image_size=20, crop=16, resize="crop")


def clusters():
    from keras_art.methods.dcec import joint
    from keras_art.methods.dcec.network import autoencoder

    names = {"cluster": ["1", "2", "3"]}
    return joint.DCEC(*autoencoder(16, embedding=3), clusters=3), dataclasses.replace(CARD, classes=names)


def on_features(kind):
    """A head alone: its network lies in the store."""
    features = np.random.default_rng(0).normal(0, 50, (12, 6)).astype("float32")
    if kind == "votes":
        return neighbours_head(features, np.arange(12) % 3, 3, 3, "euclidean")
    if kind == "margins":
        inputs = keras.Input((6,))
        return keras.Model(inputs, keras.layers.Dense(3)(inputs), name="head")
    return heads.softmax_head(6, 3)


def run_of(place: Path, kind: str) -> Path:
    """A run's directory with a trained model, in a store at `place`."""
    keras.utils.set_random_seed(0)
    folder = place / "classifier" / "run"
    if kind in ("softmax", "margins", "votes"):
        place.mkdir()
        maps().save(place / "tiny.keras")
        kept = artefact_path(Store(place), artefact(str(place / "tiny.keras")))
        kept.parent.mkdir(parents=True)
        (place / "tiny.keras").rename(kept)
        on = {
            "network": {"type": "Artefact", "name": kept.name}, "weights": "own", "preprocessing": "caffe",
            "frozen_bn": "inference", "bn_momentum": 0.0, "seed": 0, "precision": "float32",
        }  # fmt: skip
        card = dataclasses.replace(ONE, network=on, margins=kind == "margins")
        trained.save(on_features(kind), folder / "head.keras", card)
    else:
        model, card = KINDS[kind]()
        trained.save(model, folder / "model.keras", card)
    return folder


KINDS = {
    "multitask": multitask, "attention": attentive, "flips": flips, "cropped": cropped, "clusters": clusters,
    "softmax": None, "margins": None, "votes": None,
}  # fmt: skip


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    for i in range(4):
        noise = np.random.default_rng(i).integers(0, 256, (20, 30, 3)).astype("uint8")
        Image.fromarray(noise).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def keras_only(monkeypatch):
    monkeypatch.setattr(exports, "FORMATS", {})


def said(*words) -> pd.DataFrame:
    out = Path(words[-1]).parent / f"{len(str(words))}.csv"
    assert predict.main([*map(str, words), "--out", str(out)]) == 0
    return pd.read_csv(out).drop(columns="picture", errors="ignore")


def run(*words) -> int:
    return export.main([str(word) for word in words])


OFTEN = ("multitask", "attention", "votes")


@pytest.mark.parametrize(
    "kind", [kind if kind in OFTEN else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
)
def test_a_folder_says_what_the_run_says_and_its_lines_run_as_they_stand(
    tmp_path, pictures, keras_only, capsys, monkeypatch, kind
):
    folder = run_of(tmp_path / "store", kind)
    assert run(folder, "--out", tmp_path / "far" / "art") == 0
    before = said(folder, pictures)
    shutil.rmtree(tmp_path / "store")
    after = said(tmp_path / "far" / "art", pictures)
    pd.testing.assert_frame_equal(before, after, atol=1e-5)

    monkeypatch.chdir(tmp_path / "far" / "art")
    shutil.copy(pictures / "0.png", "picture.jpg")
    lines = re.search(r"```python\n(.*?)```", Path("README.md").read_text(), re.S)[1]
    assert len(lines.splitlines()) <= 7
    assert ("keras_art" in lines) == (kind in ("attention", "clusters", "votes"))
    capsys.readouterr()
    exec(compile(lines, "README.md", "exec"), {})
    told = capsys.readouterr().out.split()
    card = trained.read_card(Path("model.keras"))
    for task in card.classes:
        expected = after.loc[after["id"] == "0.png"].iloc[0]
        place = told.index(task) + 1 if len(card.classes) > 1 else 0
        assert told[place] == str(expected[f"{task}_predicted"])
        assert float(told[place + 1]) == pytest.approx(expected[f"{task}_probability"], abs=1e-3)


def test_litert_says_the_same_of_several_tasks_and_what_is_missing_is_one_line(tmp_path, capsys, monkeypatch):
    folder = run_of(tmp_path / "store", "multitask")
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert run(folder, "--out", tmp_path / "art") == 0
    told = capsys.readouterr().err
    assert 'model.onnx is not written: onnx is not installed, pip install "keras_art[onnx]"' in told
    card = (tmp_path / "art" / "README.md").read_text()
    assert 'keras\\_art[onnx]"' in card or 'keras_art[onnx]"' in card
    if keras.config.backend() == "jax":  # Keras writes it on the others alone
        assert "model.tflite is not written: LiteRT export requires" in told
        return
    if keras.config.backend() == "torch" and not importlib.util.find_spec("litert_torch"):
        assert "model.tflite is not written: To export to LiteRT with the PyTorch backend" in told
        assert 'is not installed, pip install "keras_art[litert]' not in told
        return
    pixels = np.random.default_rng(5).integers(0, 256, (2, 16, 16, 3)).astype("float32")
    found = exports._ask_litert(tmp_path / "art" / "model.tflite", pixels)
    wanted = prediction.read(folder).model.predict(pixels, verbose=0)
    for task, probabilities in zip(CLASSES, found, strict=True):
        np.testing.assert_allclose(probabilities, wanted[task], atol=1e-4)
    about = json.loads((tmp_path / "art" / "preprocessing.json").read_text())
    assert about["outputs"] == ["style", "artist"]


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="Keras writes LiteRT from TensorFlow alone")
def test_what_was_trained_in_half_precision_is_written_in_float32(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with training.precision("mixed_bfloat16"):
        folder = run_of(tmp_path / "store", "multitask")
    assert run(folder, "--out", tmp_path / "art") == 0
    assert "model.tflite is not written" not in capsys.readouterr().err
    assert "`model.tflite` computes in float32 and says what" in (tmp_path / "art" / "README.md").read_text()
    pixels = np.random.default_rng(5).integers(0, 256, (9, 16, 16, 3)).astype("float32")
    halves = prediction.read(folder).model
    assert any(layer.compute_dtype == "bfloat16" for layer in halves._flatten_layers())
    whole = training.computing(halves, "float32").predict(pixels, verbose=0)
    found = exports._ask_litert(tmp_path / "art" / "model.tflite", pixels)
    for (task, wanted), probabilities in zip(whole.items(), found, strict=True):
        np.testing.assert_allclose(probabilities, wanted, atol=1e-5, err_msg=task)


@pytest.mark.slow
def test_litert_of_a_clustering_takes_whole_numbers_as_it_does(tmp_path):
    assert run(run_of(tmp_path / "store", "clusters"), "--out", tmp_path / "art") == 0
    assert (tmp_path / "art" / "model.tflite").is_file()
    assert "uint8" in json.loads((tmp_path / "art" / "preprocessing.json").read_text())["input"]


def test_onnx_says_the_same(tmp_path, monkeypatch):
    pytest.importorskip("tf2onnx", reason="no tf2onnx")
    pytest.importorskip("onnxruntime", reason="no onnxruntime")
    monkeypatch.delitem(exports.FORMATS, "model.tflite")
    folder = run_of(tmp_path / "store", "multitask")
    assert run(folder, "--out", tmp_path / "art") == 0
    pixels = np.random.default_rng(5).integers(0, 256, (2, 16, 16, 3)).astype("float32")
    found = exports._ask_onnx(tmp_path / "art" / "model.onnx", pixels)
    wanted = prediction.read(folder).model.predict(pixels, verbose=0)
    np.testing.assert_allclose(found[1], wanted["artist"], atol=1e-4)


def peak():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def written_onnx(model, path):
    pytest.importorskip("tf2onnx", reason="no tf2onnx")
    pytest.importorskip("onnxruntime", reason="no onnxruntime")
    several = keras.Model(model.inputs, model.outputs)
    pixels = np.random.default_rng(5).uniform(0, 255, (2, *model.input.shape[1:])).astype("float32")
    wanted = model.predict(pixels, verbose=0)
    before = peak()
    onnx_files.write_onnx(several, path)
    taken = peak() - before
    np.testing.assert_allclose(exports._ask_onnx(path, pixels)[0], wanted, atol=1e-4)
    return taken


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="others have converters of their own")
@pytest.mark.skipif(os.name == "nt", reason="Windows does not say what a process took at most")
def test_onnx_of_a_wide_head_takes_a_few_times_its_size(tmp_path):
    inputs = keras.Input((128, 128, 3), name="pixels")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(keras.layers.Dense(1024, "relu")(x)))
    assert written_onnx(model, tmp_path / "wide.onnx") < 4 * onnx_files.size_of(model)  # of 200 MB


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="others have converters of their own")
def test_onnx_knows_the_gelu_and_the_tables_of_positions_of_transformers(tmp_path):
    inputs = keras.Input((32, 32, 3), name="pixels")
    x = keras.layers.Conv2D(16, 8, 8)(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.Reshape((16, 16))(x)
    x += keras.layers.Embedding(16, 16)(keras.ops.arange(16))
    x += keras.layers.MultiHeadAttention(2, 8)(x, x)
    x = keras.layers.Dense(16)(keras.layers.Dense(32, keras.activations.gelu)(keras.layers.LayerNormalization()(x)))
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(x[:, 0]))
    written_onnx(model, tmp_path / "vit.onnx")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError("std::bad_alloc"), "there is not enough memory for it: model.keras is whole"),
        (RuntimeError("In Node, Error No Op registered for Foo with"), "a layer computes a Foo, which ONNX does not"),
        (ValueError("word " * 99), "word word ...: model.keras is whole, give that"),
    ],
)
def test_what_a_converter_does_not_write_is_told_in_a_sentence(tmp_path, capsys, monkeypatch, error, told):
    def failed(self, path, **how):
        raise error

    monkeypatch.setattr(exports, "FORMATS", {"model.onnx": ("litert", None)})
    monkeypatch.setattr(keras.Model, "export", failed)
    assert run(run_of(tmp_path / "store", "cropped"), "--out", tmp_path / "art") == 0
    assert told in " ".join(capsys.readouterr().err.split())


def test_weights_that_no_file_of_a_format_holds_are_told_before_any_is_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(exports, "LARGEST", 100)
    monkeypatch.setattr(exports, "_written", lambda *_: pytest.fail("it was begun"))
    assert run(run_of(tmp_path / "store", "cropped"), "--out", tmp_path / "art") == 0
    told = " ".join(capsys.readouterr().err.split())
    for name in ("model.onnx", "model.tflite"):
        assert f"{name} is not written: its weights take 1 MB, and such a file holds 2 GB at most" in told


def test_a_format_that_says_something_else_is_not_kept(tmp_path, capsys, monkeypatch):
    def wrong(path, pixels):
        return [np.full((len(pixels), 3), 1 / 3)]

    monkeypatch.setattr(exports, "FORMATS", {"model.tflite": ("litert", wrong)})
    monkeypatch.setattr(keras.Model, "export", lambda self, path, **how: Path(path).write_bytes(b"x"))
    assert run(run_of(tmp_path / "store", "cropped"), "--out", tmp_path / "art") == 0
    assert "model.tflite is not written: it differs from the original by" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "art").iterdir()) == [
        "README.md", "SHA256SUMS", "classes.json", "exported.json", "model.keras", "preprocessing.json",
    ]  # fmt: skip


# --- its card


@pytest.mark.parametrize("resize", ["squash", "crop"])
@pytest.mark.parametrize("turned", [1, 6])
@pytest.mark.parametrize("times", [1, 2, 4, 7.3])
def test_plain_lines_read_what_the_decoder_does(tmp_path, monkeypatch, resize, turned, times):
    monkeypatch.chdir(tmp_path)
    card = dataclasses.replace(ONE, image_size=40, resize=resize, crop=32)
    for long, wide in ((1.4, True), (1.4, False), (1, True)):
        noise = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype("uint8")
        shape = [round(40 * times * long), round(40 * times)]
        picture = Image.fromarray(noise).resize(shape if wide else shape[::-1], Image.Resampling.BICUBIC)
        exif = Image.Exif()
        exif[0x0112] = turned
        picture.save("picture.jpg", exif=exif)
        found: dict = {}
        exec("\n".join(program(card, plain=True)[:-2]), found)
        expected = images.decode("picture.jpg", 40, resize)[0][4:36, 4:36]
        np.testing.assert_array_equal(found["pixels"], expected)


def test_the_folder_says_how_pixels_are_read():
    words = preprocessing(CARD, "float32")["resize_in_words"]
    assert words.startswith("squashed to 16 x 16 pixels, bilinear") and "reducing_gap=2;" in words
    assert "1/8 of its size that has 32 pixels in both sides, the whole" in words
    nearest = preprocessing(dataclasses.replace(CARD, resize="squash_nearest"), "float32")["resize_in_words"]
    assert nearest == "squashed to 16 x 16 pixels (nearest neighbour)"


def shared(classes, **more) -> Shared:
    config = ClassifierRun(collection="museum-12345678", target="artist", network="hf://me/net").as_json()
    metrics = {"test_accuracy": 0.75, "test_macro_f1": 0.7, "n_test": 8}
    card = dataclasses.replace(ONE, classes=classes, metrics=metrics, provenance=trained.provenance(config))
    return Shared(more.pop("name", "mine"), card, "cc-by-4.0", {"model.keras": 0.0}, keras_alone=True, **more)


def test_the_header_is_what_hugging_face_reads():
    text = readme(shared({"artist": ["x", "y"]}))
    card = huggingface_hub.ModelCard(text)
    assert card.data.library_name == "keras"
    assert card.data.license == "cc-by-4.0"
    assert card.data.base_model == "me/net"
    assert card.data.datasets == ["museum"]
    accuracy = next(found for found in card.data.eval_results if found.metric_type == "accuracy")
    assert (accuracy.metric_value, accuracy.dataset_name, accuracy.task_name) == (0.75, "museum", "artist")
    assert "40.9 to 92.9" in accuracy.metric_name  # Wilson's of 6 in 8
    assert "| artist | 8 | 75.0 | 40.9 to 92.9 | 70.0 |" in text


def test_terms_of_ones_own_have_a_name_and_a_file(tmp_path, keras_only, capsys):
    words = [run_of(tmp_path / "store", "cropped"), "--out", tmp_path / "art", "--license", "other"]
    assert run(*words) == 0
    assert f"{tmp_path / 'art' / 'LICENSE'}: write them there" in capsys.readouterr().err
    text = (tmp_path / "art" / "README.md").read_text()
    found = huggingface_hub.ModelCard(text).data
    assert (found.license, found.license_name, found.license_link) == ("other", "art-license", "LICENSE")
    assert "Of the model: terms of its own, in `LICENSE` beside this card." in text
    (tmp_path / "art" / "LICENSE").write_text("mine")
    assert run(*words) == 0
    told = capsys.readouterr().err
    assert "by the same command, and is whole" in told and "write them there" not in told


def test_the_words_of_people_are_text_and_nothing_else():
    tested = pd.DataFrame({"label": [HOSTILE, "y"], "predicted": [HOSTILE, HOSTILE]})
    leaks = {"n_test": 2, "majority": 0.5, "majority_test": 0.5, "same_file": 0.5, "near_duplicate": 0.0}
    facts = {
        "targets": [HOSTILE], "classes": [HOSTILE, "y"], "n_images": 9, "rule": "random", "split_seed": 0,
        "quarantined": 0, "leaks": leaks,
    }  # fmt: skip
    known = {"tested": {HOSTILE: tested}, "task": facts, "rights": HOSTILE, "absent": [HOSTILE]}
    text = readme(shared({HOSTILE: [HOSTILE, "y"]}, name=HOSTILE, **known))
    _, head, body = text.split("---\n", 2)
    found = yaml.safe_load(head)
    assert found["model-index"][0]["results"][0]["task"]["name"] == " ".join(HOSTILE.split())
    assert not re.search(r"(?<!\\)<script", body)
    assert not re.search(r"\](?!\\)\(javascript", body)
    assert [line for line in body.splitlines() if line.startswith("# ")] == [body.strip().splitlines()[0]]
    rows = [line for line in body.splitlines() if line.startswith("| a\\|b")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows if "0.0" in row}) <= 2
    assert "50.0% of test images stand, byte for byte, in train or val too" in body
    assert "though train or val has the very file of 1 of 2 test images; intervals" in body
    assert "of 1 of 2 test images: they make the figures above look better than they are" in body


def test_what_draws_nothing_is_not_said_to_depend_on_a_seed_and_weights_have_terms_of_their_own():
    config = ClassifierRun(mode="zero_shot", collection="museum-12345678", target="artist").as_json()
    named = dataclasses.replace(shared({"artist": ["x", "y"]}).card, provenance=trained.provenance(config))
    text = readme(dataclasses.replace(shared({"artist": ["x", "y"]}), card=named))
    assert "learnt from none of these pictures" in text and "one seed" not in text
    assert "weights that it began with have terms of their own" in text
    drawn = ClassifierRun(mode="scratch", weights="none", collection="museum-12345678", target="artist").as_json()
    other = dataclasses.replace(named, provenance=trained.provenance(drawn))
    text = readme(dataclasses.replace(shared({"artist": ["x", "y"]}), card=other))
    assert "one seed" in text and "terms of their own" not in text


def test_votes_are_not_said_to_be_too_high():
    card = shared({"artist": ["x", "y"]}).card
    config = ClassifierRun(mode="knn_probe", collection="museum-12345678", target="artist").as_json()
    voted = dataclasses.replace(card, provenance=trained.provenance(config), metrics=card.metrics | {"k": 1})
    text = readme(dataclasses.replace(shared({"artist": ["x", "y"]}), card=voted))
    assert "- artist: it says the label of the one training picture that is nearest" in text
    assert "mostly they are too high" not in text


def test_what_is_known_of_the_pictures_terms(tmp_path):
    from keras_art.data import kept
    from keras_art.report.model_facts import rights_of
    from keras_art.store.sums import write_sealed

    store = Store(tmp_path)
    folder = kept.folder_of(store, "museum-12345678")
    write_sealed(folder, {"columns.csv": b"id,Rights\n1,CC0\n2,CC0\n3,\n4,all reserved\n", "task.json": b"{}"})
    assert rights_of(store, "museum-12345678").endswith("CC0 (2); all reserved (1)")
    write_sealed(folder, {"columns.csv": b"id,style\n1,x\n", "task.json": b"{}"})
    assert rights_of(store, "museum-12345678") == ""
    write_sealed(kept.folder_of(store, "kaokore-12345678"), {"columns.csv": b"id,style\n1,x\n", "task.json": b"{}"})
    assert rights_of(store, "kaokore-12345678").startswith("by its name it may be a part of KaoKore: CC BY-SA 4.0")


# --- as a network of another study


def test_its_network_is_one_that_a_study_takes(tmp_path, keras_only):
    model, card = multitask()
    trained.save(model, tmp_path / "run" / "model.keras", card)
    assert run(tmp_path / "run", "--out", tmp_path / "art") == 0
    assert native_size(str(tmp_path / "art")) == 16
    kept, store = artefact(str(tmp_path / "art")), Store(tmp_path / "store")
    assert isinstance(kept, Artefact) and kept.stem == "art"
    store.create()
    keep_files(store, [str(tmp_path / "art")])
    found = backbones.load_backbone(str(artefact_path(store, kept)), image_size=16, weights="own")
    pixels = np.random.default_rng(1).integers(0, 256, (2, 16, 16, 3)).astype("float32")
    ours, theirs = (
        heads.feature_extractor(each) for each in (found, backbones.Backbone(model.get_layer("tiny"), "caffe"))
    )
    np.testing.assert_allclose(ours.predict(pixels, verbose=0), theirs.predict(pixels, verbose=0), atol=1e-4)
    assert found.preprocessing == "none" and found.stages() == ["stage1", "stage2"]
    with pytest.raises(backbones.BadBackbone, match="give --image_size 16"):
        backbones.load_backbone(str(tmp_path / "art"), image_size=32, weights="own")
    with pytest.raises(backbones.BadBackbone, match="says itself which pixels"):
        backbones.load_backbone(str(tmp_path / "art"), image_size=16, weights="own", preprocessing="tf")


@pytest.mark.parametrize("name", writing.EXPORTED)
def test_a_network_that_was_changed_after_its_export_is_refused(tmp_path, keras_only, name):
    model, card = multitask()
    trained.save(model, tmp_path / "run" / "model.keras", card)
    assert run(tmp_path / "run", "--out", tmp_path / "art") == 0
    with (tmp_path / "art" / name).open("ab") as file:
        file.write(b" ")
    store = Store(tmp_path / "store")
    store.create()
    with pytest.raises(export.UserError, match=f"art/{name} is damaged.*export its run again"):
        keep_files(store, [str(tmp_path / "art")])
    assert not list((tmp_path / "store/cache/weights").glob("art-*[!k]"))


@pytest.mark.parametrize("lost", [("model.keras",), ("classes.json", "preprocessing.json")])
def test_a_folder_that_has_lost_files_is_called_so(tmp_path, pictures, keras_only, capsys, monkeypatch, lost):
    model, card = multitask()
    trained.save(model, tmp_path / "run" / "model.keras", card)
    assert run(tmp_path / "run", "--out", tmp_path / "art") == 0
    for name in lost:
        (tmp_path / "art" / name).unlink()
    words = f"art is an exported folder without {lost[-1]}: copy the folder again, or export its run again"
    with pytest.raises(export.UserError, match=words):
        artefact(str(tmp_path / "art"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(backbones.BadBackbone, match=words):
        backbones.load_backbone("art", image_size=16, weights="own")
    capsys.readouterr()
    if lost == ("model.keras",):
        assert predict.main(["art", str(pictures / "0.png")]) == 1
        assert words in capsys.readouterr().err


def test_a_file_of_a_folder_that_was_changed_is_told_and_not_gone_by(
    tmp_path, pictures, keras_only, capsys, monkeypatch
):
    model, card = multitask()
    trained.save(model, tmp_path / "run" / "model.keras", card)
    assert run(tmp_path / "run", "--out", tmp_path / "art") == 0
    before = said(tmp_path / "art", pictures)
    assert "not as it was written" not in capsys.readouterr().err
    (tmp_path / "art" / "classes.json").write_text("{}")
    pd.testing.assert_frame_equal(said(tmp_path / "art", pictures), before)
    told = capsys.readouterr().err
    assert (
        f"{tmp_path / 'art' / 'classes.json'} is damaged, it is not as it was written: what is said here is by" in told
    )
    assert "copy the folder again, or export its run again" in told
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert run(tmp_path / "art", "--push", "me/painters") == 1
    assert "it is not as it was written, and is not pushed: copy the folder again" in capsys.readouterr().err


def test_what_is_damaged_is_made_anew_by_what_made_it(tmp_path, pictures, keras_only, capsys):
    folder = run_of(tmp_path / "store", "multitask")
    assert run(folder, "--out", tmp_path / "art") == 0
    trained.save(multitask()[0], tmp_path / "art" / "model.keras", dataclasses.replace(CARD, resize="crop"))
    assert predict.main([str(tmp_path / "art"), str(pictures / "0.png")]) == 1
    told = capsys.readouterr().err
    assert "art/model.keras is damaged" in told and "copy the folder again, or export its run again" in told

    seal(folder)
    trained.save(multitask()[0], folder / "model.keras", dataclasses.replace(CARD, resize="crop"))
    assert run(folder, "--out", tmp_path / "other") == 1
    told = capsys.readouterr().err
    assert "run/model.keras is damaged" in told and "the command that made it makes it anew" in told


def test_a_run_itself_and_a_clustering_are_no_networks(tmp_path, keras_only):
    folder = run_of(tmp_path / "store", "clusters")
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(export.UserError, match=r"is a run: python -m keras_art export .* --out FOLDER"):
        artefact(str(folder))
    assert run(folder, "--out", tmp_path / "art") == 0
    with pytest.raises(backbones.BadBackbone, match="stands on no network"):
        backbones.load_backbone(str(tmp_path / "art"), image_size=16, weights="own")


# --- to and from Hugging Face


@pytest.fixture
def logged_in(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_a_folder_is_pushed_and_comes_back(tmp_path, pictures, keras_only, logged_in, monkeypatch, capsys):
    folder = run_of(tmp_path / "store", "softmax")
    with fake_hub() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{hub.server_port}")
        assert run(folder, "--out", tmp_path / "art", "--push", "me/painters") == 0
        assert hub.made.get("visibility") == "private" or hub.made["private"]
        assert {path: Path(tmp_path / "art" / path).read_bytes() for path in hub.files} == hub.files
        assert set(hub.files) == {path.name for path in (tmp_path / "art").iterdir()}
        assert "# painters" in hub.files["README.md"].decode()
        (tmp_path / "art" / "README.md").write_text("---\nlicense: mit\n---\nby hand")
        assert run(tmp_path / "art", "--push", "me/painters") == 0
        assert hub.files["README.md"].endswith(b"by hand")
    assert "hf_secret" not in capsys.readouterr().err
    asked = {}

    def download(name, allow_patterns):
        asked.update(name=name, patterns=allow_patterns)
        return str(tmp_path / "art")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    pd.testing.assert_frame_equal(said("hf://me/painters", pictures), said(folder, pictures), atol=1e-5)
    assert asked["name"] == "me/painters" and "*.keras" in asked["patterns"]
    backbones.load_backbone("hf://me/painters", image_size=16, weights="own")


def test_a_refused_push_leaves_the_folder_and_says_how_to_try_again(
    tmp_path, keras_only, logged_in, monkeypatch, capsys
):
    with fake_hub(refuses="/api/repos/create") as hub:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{hub.server_port}")
        assert run(run_of(tmp_path / "store", "cropped"), "--out", tmp_path / "art", "--push", "other/painters") == 1
    told = capsys.readouterr().err
    assert "403 Forbidden" in told and "rights to create" in told
    assert f"export {tmp_path / 'art'} --push other/painters tries again" in told
    assert export.is_export(tmp_path / "art")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["RUN"], "--out is missing"),
        (["gone", "--out", "art"], "gone does not exist"),
        (["RUN", "--out", "full"], "is not empty: name another"),
        (["RUN", "--out", "full/file"], "is a file: name a folder"),
        (["RUN", "--out", "full/file/art"], "is a file"),
        (["RUN", "--out", "art.onnx"], "art.onnx is called like a file: name a folder, as art"),
        (
            ["RUN", "--out", "art", "--license", "Mine, all mine"],
            "is none that Hugging Face knows, such as apache-2.0, ",
        ),
        (["RUN", "--out", "art", "--license", "proprietary"], "cc-by-nc-4.0, or other, with terms of your own\n"),
        (["RUN", "--out", "art", "--license", "CC-BY-4.0"], "did you mean cc-by-4.0?"),
        (["RUN", "--out", "art", "--push", "painters"], "is no OWNER/NAME"),
        (["RUN", "--out", "art", "--push", "../x/y"], "is no OWNER/NAME"),
        (["RUN", "--push", "me/painters"], "--out is missing"),
        (["RUN", "--out", "art", "--push", "me/painters"], "--push needs a token"),
    ],
)
def test_what_can_not_be_done_is_told_before_any_work(tmp_path, capsys, monkeypatch, words, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    trained.save(*cropped()[:1], tmp_path / "run" / "model.keras", cropped()[1])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "make", lambda *_: pytest.fail("work had begun"))
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    assert run(*["run" if word == "RUN" else word for word in words]) == 1
    assert message in capsys.readouterr().err
    assert (tmp_path / "full" / "file").read_text() == "mine"


def test_what_a_killed_export_left_goes_with_the_next_temporary_files_too(tmp_path, keras_only, monkeypatch):
    exports.FORMATS["model.onnx"] = ("none", None)
    asked = []

    def looks(*_):
        asked.append(Path(tempfile.mkdtemp()))
        raise ImportError("x")

    monkeypatch.setattr(exports, "_written", looks)
    left = tmp_path / f"art.{slug(socket.gethostname())}-{2**30}.part"  # no process has that number
    (left / "tmpx").mkdir(parents=True)
    other = tmp_path / f"other.{slug(socket.gethostname())}-{2**30}.part"
    other.mkdir()
    before = tempfile.gettempdir()
    assert run(run_of(tmp_path / "store", "cropped"), "--out", tmp_path / "art") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["art", other.name, "store"]
    assert asked[0].is_relative_to(tmp_path) and ".part" in str(asked[0])  # it would have gone, too
    assert tempfile.gettempdir() == before
    assert {path.name for path in (tmp_path / "art").iterdir()} == {
        "model.keras", "classes.json", "preprocessing.json", "exported.json", "README.md", "SHA256SUMS"
    }  # fmt: skip


KILLED = """
import os, signal
from keras_art.commands import export
from keras_art.learning import exports
exports.FORMATS.clear()
after = getattr(export, {point!r})
def killed(*words, **more):
    {before}
    os.kill(os.getpid(), signal.SIGKILL)
export.{point} = killed
export.main({words!r})
"""


@pytest.mark.parametrize(("point", "before"), [("seal", ""), ("seal", "after(*words, **more)"), ("wait_for_disk", "")])
def test_a_killed_export_is_ended_by_the_same_command(tmp_path, keras_only, capsys, point, before):
    words = [str(run_of(tmp_path / "store", "cropped")), "--out", str(tmp_path / "art")]
    program = KILLED.format(point=point, before=before or "pass", words=words)
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == -signal.SIGKILL
    stood = {path: path.stat().st_ino for path in (tmp_path / "art").glob("*")}
    assert bool(stood) == (point == "wait_for_disk")  # which comes after it was renamed
    assert run(*words) == 0
    assert ("was written before, by the same command, and is whole" in capsys.readouterr().err) == bool(stood)
    assert not stood or {path: path.stat().st_ino for path in (tmp_path / "art").iterdir()} == stood
    assert sorted(path.name for path in tmp_path.iterdir()) == ["art", "store"]
    subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path / "art", check=True, capture_output=True)


def changed(folder: Path) -> None:
    (folder / "classes.json").write_text("{}")


def more(folder: Path) -> None:
    (folder / "mine.txt").write_text("mine")


def linked(folder: Path) -> None:
    (folder / "link").symlink_to("nowhere")


def unsealed(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()


def another(folder: Path) -> None:
    trained.save(flips()[0], folder.parent / "store" / "classifier" / "run" / "model.keras", ONE)


@pytest.mark.parametrize("what", [changed, more, linked, unsealed, another])
def test_a_folder_that_is_another_by_now_is_refused_as_any(tmp_path, keras_only, capsys, what):
    words = [run_of(tmp_path / "store", "cropped"), "--out", tmp_path / "art"]
    assert run(*words) == 0
    (tmp_path / "art" / "README.md").write_text("by hand")  # what people write on tells nothing
    assert run(*words) == 0
    assert run(*words, "--license", "mit") == 1
    assert "name another, or remove it first, as for another --license, or leave --out" in capsys.readouterr().err
    what(tmp_path / "art")
    before = states(tmp_path / "art")
    assert run(*words) == 1
    assert capsys.readouterr().err.count("is not empty: name another") == 1
    assert states(tmp_path / "art") == before


def states(folder):
    """What stands under each name, and since when; when it was read last is left out."""
    found = {path: path.lstat() for path in folder.iterdir()}
    return {path: (at.st_mode, at.st_ino, at.st_size, at.st_mtime_ns) for path, at in found.items()}


@pytest.mark.parametrize("out", ["to_empty", "to_nothing", "absent/.."])
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path, keras_only, capsys, out):
    (tmp_path / "empty").mkdir()
    (tmp_path / "to_empty").symlink_to("empty")
    (tmp_path / "to_nothing").symlink_to("new")
    at = {"to_empty": "empty", "to_nothing": "new", "absent/..": "here"}[out]
    words = [run_of(tmp_path / "store", "cropped"), "--out", tmp_path / ("here" if ".." in out else "") / out]
    assert run(*words) == 0 and (tmp_path / at / "model.keras").is_file()
    assert run(*words) == 0 and "and is whole" in capsys.readouterr().err
    assert os.readlink(tmp_path / "to_empty") == "empty" and os.readlink(tmp_path / "to_nothing") == "new"


@pytest.mark.parametrize(("out", "message"), [(".", "is the folder that this is run in"), ("loop", "leads nowhere")])
def test_a_place_that_no_folder_can_take_is_refused_before_the_model_is_read(
    tmp_path, capsys, monkeypatch, out, message
):
    words = [run_of(tmp_path / "store", "cropped"), "--out", out]
    (tmp_path / "at").mkdir()
    monkeypatch.chdir(tmp_path / "at")
    if out == "loop":
        Path("loop").symlink_to("loop")
    assert run(*words) == 1
    err = capsys.readouterr().err
    assert message in err and "reading the model" not in err


@pytest.mark.skipif(os.name == "nt", reason="os.kill ends a process there")
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("format", ["model.onnx", "model.tflite"])
def test_a_stop_that_a_converter_makes_an_error_of_ends_the_export_and_leaves_nothing(
    tmp_path, capsys, monkeypatch, format, name, status
):
    def converted(self, path, **how):
        Path(path).write_bytes(b"half")
        try:
            os.kill(os.getpid(), getattr(signal, name))
            time.sleep(5)
        except KeyboardInterrupt:
            raise RuntimeError("the converter failed") from None

    monkeypatch.setattr(exports, "FORMATS", {format: ("litert", None)})
    monkeypatch.setattr(keras.Model, "export", converted)
    folder = run_of(tmp_path / "store", "cropped")
    assert run(folder, "--out", tmp_path / "art") == status
    told = capsys.readouterr().err
    assert "stopped" in told.splitlines()[-1] and "is not written" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_what_was_absent_is_told_again(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(exports, "FORMATS", {"model.onnx": ("onnx", None)})
    monkeypatch.setitem(sys.modules, "onnx", None)
    words = [run_of(tmp_path / "store", "cropped"), "--out", tmp_path / "art"]
    for _ in range(2):
        assert run(*words) == 0
        assert "model.onnx is not written: onnx is not installed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({}, "does not say on which network and weights its head stands"),
        ({"network": "VGG16"}, "does not say on which network and weights its head stands"),
        ({"network": "hf://somebody/model", "weights": "own"}, "is not on this machine and is downloaded for nobody"),
        ({"network": "kaggle://a/b/keras/c/1", "weights": "own"}, "is not on this machine and is downloaded for nob"),
        ({"network": "keras-hub:vit_base_patch16_224_imagenet", "weights": "own"}, "is not on this machine"),
        ({"network": "keras-hub:no_such", "weights": "own"}, "has no preset called"),
    ],
)
def test_a_foreign_head_opens_no_connection(tmp_path, capsys, monkeypatch, network, message):
    def refused(self, address):
        pytest.fail(f"a connection to {address}")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle"))
    run_of(tmp_path / "store", "softmax")
    file = tmp_path / "head.keras"
    with (
        zipfile.ZipFile(tmp_path / "store" / "classifier" / "run" / "head.keras") as own,
        zipfile.ZipFile(file, "w") as changed,
    ):
        for name in own.namelist():
            content = own.read(name)
            if name == "keras_art.json":
                content = json.dumps({**json.loads(content), "network": network}).encode()
            changed.writestr(name, content)
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    assert predict.main([str(file), str(tmp_path / "x.png")]) == 1
    assert message in " ".join(capsys.readouterr().err.split())


def test_pictures_of_a_side_that_no_network_takes_are_refused(tmp_path):
    with pytest.raises(BadModel, match="its image_size is no number of pixels up to 4096"):
        trained.save(cropped()[0], tmp_path / "m.keras", dataclasses.replace(ONE, image_size=16384))


def test_what_fails_half_way_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(exports, "_apart", lambda wanted, found: 1.0)
    assert run(run_of(tmp_path / "store", "cropped"), "--out", tmp_path / "art") == 1
    assert "differs from the original" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_of_two_that_write_one_folder_the_second_is_told(tmp_path, keras_only, capsys, monkeypatch):
    model, card = multitask()
    trained.save(model, tmp_path / "m" / "model.keras", card)
    words = [str(tmp_path / "m"), "--out", str(tmp_path / "out")]
    other = tmp_path / writing.beside(tmp_path / "out").name.replace(str(os.getpid()), str(os.getppid()))
    other.mkdir()
    assert export.main(words) == 1
    assert "another process is writing" in capsys.readouterr().err and not (tmp_path / "out").exists()
    other.rmdir()

    def meanwhile(path, **more):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "README.md").write_text("theirs")

    monkeypatch.setattr(export, "seal", meanwhile)
    assert export.main(words) == 1
    told = capsys.readouterr().err
    assert "was written by another process meanwhile" in told and "writing model.keras, and comparing" in told
    assert not list(tmp_path.glob("*.part"))
    assert (tmp_path / "out" / "README.md").read_text() == "theirs"

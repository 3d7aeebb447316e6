"""Presets of keras-hub, and the probes, through the command lines that take a network."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import presets
import pytest

from keras_art.commands import predict
from keras_art.networks.loading import load_model
from keras_art.report import calibration
from reproductions import dcec_paint, gram_style, kaokore2020, multitask, sabatelli2018, st_saclf


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks") / "clip_tiny"
    presets.save("CLIP", folder)
    presets.save_texts("CLIP", folder)
    return folder


def found(store, kind: str, mode: str = "") -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(store.glob(f"{kind}/*{mode}*/metrics.json"))]


def test_a_preset_off_the_shelf_probed_and_fine_tuned(picture_csv, clip, tmp_path, capsys):
    own = tmp_path / "clip_tiny"
    shutil.copytree(clip, own)
    store = tmp_path / "store"
    words = [
        "--data",
        str(picture_csv),
        "--target",
        "artist",
        "--networks",
        str(own),
        "--epochs",
        "2",
        "--store",
        str(store),
    ]
    modes = ["--modes", "off_the_shelf", "linear_probe", "knn_probe", "zero_shot", "fine_tuning", "--seeds", "0", "1"]
    assert sabatelli2018.REPRODUCTION.main([*words, *modes, "--template", "a {} ab"]) == 0
    printed = capsys.readouterr()
    assert "linear_probe" in printed.out and "knn_probe" in printed.out
    assert "could not be drawn" not in printed.err
    # A probe is one run, whatever the seeds; its network's size is the preset's own.
    assert [len(found(store, "classifier", mode)) for mode in ("off_the_shelf", "linear_probe", "knn_probe")] == [
        2,
        1,
        1,
    ]
    linear, knn = found(store, "classifier", "linear_probe")[0], found(store, "classifier", "knn_probe")[0]
    assert linear["inverse_penalty"] > 0 and linear["test_loss"] > 0 and linear["width"] == 8
    (asked,) = found(store, "classifier", "zero_shot")
    assert asked["template"] == "a {} ab" and 0 <= asked["test_accuracy"] <= 1
    texts = pd.read_csv(next(store.glob("classifier/*zero_shot*/probe.csv")))["text"]
    assert texts.tolist() == ["a Artist A ab", "a Artist B ab", "a Artist C ab"]
    assert knn["k"] >= 1 and knn["metric"] in ("cosine", "euclidean") and knn["test_loss"] is None
    config = json.loads(next(store.glob("classifier/*knn_probe*/config.json")).read_text())
    assert config["image_size"] == presets.SIDE and config["epochs"] == 100  # unread
    assert config["network"]["name"].startswith("clip_tiny-")
    # What the user gave is kept: nothing reads it again.
    shutil.rmtree(own)
    for mode in ("linear_probe", "knn_probe", "zero_shot", "fine_tuning"):
        run, out = next(store.glob(f"classifier/*{mode}*/")), tmp_path / f"{mode}.csv"
        assert (
            sabatelli2018.REPRODUCTION.main(["predict", str(run), str(picture_csv / "images"), "--out", str(out)]) == 0
        )
        told = pd.read_csv(out).set_index("id")
        known = pd.read_csv(run / "predictions.csv").set_index("id")
        temperature = json.loads((run / "metrics.json").read_text()).get("temperature", 1.0)  # votes have none
        for name, row in known.iterrows():
            said = told.loc[name.removeprefix("images/")]
            shares = row[[f"probability_{i}" for i in (1, 2, 3)]].to_numpy(float)[None]
            assert said["artist_predicted"] == row["predicted"]
            assert said["artist_probability"] == pytest.approx(calibration.cooled(shares, temperature).max(), abs=1e-4)
    assert load_model(next(store.glob("classifier/*fine_tuning*/"))).get_layer("clip")


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--preprocessing", "tf"], "says itself which pixels it takes: give --preprocessing none"),
        (["--image_size", "30"], "give --image_size a multiple of that"),
        (["--modes", "knn_probe", "--frozen_bn", "batch"], "add --frozen_bn inference"),
        (["--modes", "zero_shot", "--template", "a painting"], "needs one {}, in which the name of each class is put"),
        (["--modes", "zero_shot", "--template", "abcdefghil {}"], "as one: give a --template with fewer words"),
        (["--modes", "zero_shot", "--weights", "none"], "leave --weights, --source, --theta_r out"),
        (["--modes", "zero_shot", "--networks", "SILENT"], "has no tokenizer.json"),
        (["--modes", "zero_shot", "--networks", "VGG19", "--dry_run"], "VGG19 knows no texts: leave zero_shot out, or"),
        (["--networks", "keras-hub:clip_vit_base_patch166"], "did you mean clip_vit_base_patch16"),
    ],
)
def test_what_a_preset_can_not_do_is_said_before_anything_is_trained(picture_csv, clip, tmp_path, capsys, extra, words):
    command = [
        "--data",
        str(picture_csv),
        "--target",
        "artist",
        "--networks",
        str(clip),
        "--store",
        str(tmp_path / "s"),
    ]
    if "SILENT" in extra:
        silent = shutil.copytree(clip, tmp_path / "silent", ignore=lambda *_: ["tokenizer.json"])
        extra = [str(silent) if word == "SILENT" else word for word in extra]
    assert sabatelli2018.REPRODUCTION.main([*command, *extra]) == 1
    message = capsys.readouterr().err
    assert words in message.splitlines()[-1] and "Traceback" not in message


@pytest.mark.parametrize("dry", [[], ["--dry_run"]])
@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("no_tokenizer", "has no tokenizer.json"),
        ("vit_tiny", "knows no texts, which zero_shot asks it about"),
        ("empty", "knows no texts, which zero_shot asks it about"),
        ("keras-hub:vit_base_patch16_224_imagenet", "knows no texts, which zero_shot asks it about"),
        ("keras-hub:clip_vit_base_patch166", "did you mean clip_vit_base_patch16"),
    ],
)
def test_a_network_that_knows_no_texts_is_refused_before_any_plan(
    picture_csv, clip, tmp_path, capsys, network, words, dry
):
    if network == "no_tokenizer":
        shutil.copytree(clip, tmp_path / network, ignore=lambda *_: ["tokenizer.json"])
    elif network == "vit_tiny":
        presets.save("ViT", tmp_path / network)
    elif network == "empty":
        (tmp_path / network).mkdir()
    given = network if ":" in network else str(tmp_path / network)
    command = ["--data", str(picture_csv), "--target", "artist", "--modes", "zero_shot", "--networks", str(clip), given]
    assert sabatelli2018.REPRODUCTION.main([*command, "--store", str(tmp_path / "s"), *dry]) == 1
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert words in line and not printed.out and not (tmp_path / "s").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "extra"),
    [
        (kaokore2020, ["--targets", "artist", "--preprocessing", "imagenet", "--epochs", "2"]),
        (multitask, ["--targets", "artist", "--epochs", "2", "--frozen_epochs", "1", "--augmentation", "none"]),
        (gram_style, ["--targets", "artist", "--epochs", "2", "--frozen_epochs", "1", "--gram_channels", "4"]),
        (st_saclf, ["--target", "artist", "--p1", "0", "--p2", "0", "--epochs", "2", "--modes", "frozen"]),
        (st_saclf, ["--target", "artist", "--p1", "0", "--p2", "0", "--stages", "1@1e-3", "1@1e-4:all"]),
    ],
)
def test_every_reproduction_takes_a_preset(picture_csv, clip, tmp_path, page, extra):
    command = ["--data", str(picture_csv), "--networks", str(clip), "--image_size", "28", "--store", str(tmp_path)]
    assert page.REPRODUCTION.main([*command, *extra]) == 0


@pytest.mark.slow
def test_a_clustering_is_compared_with_a_presets_features(picture_csv, clip, tmp_path):
    words = ["--data", str(picture_csv), "--k", "3", "--image_size", "56", "--epochs", "1", "--max_iterations", "2"]
    words += ["--gap_references", "0", "--update_interval", "1", "--batch_size", "8", "--backbone", str(clip)]
    assert dcec_paint.REPRODUCTION.main([*words, "--store", str(tmp_path)]) == 0


def test_figures_are_of_the_network_that_ends_in_maps_and_a_transformer_has_none(picture_csv, tmp_path, capsys):
    words = ["--data", str(picture_csv), "--target", "artist", "--image_size", "56", "--epochs", "1"]
    words += ["--modes", "fine_tuning", "--store", str(tmp_path / "store"), "--networks"]
    for name in ("SwinTransformer", "ResNet"):
        presets.save(name, tmp_path / name)
        words.append(str(tmp_path / name))
        assert sabatelli2018.REPRODUCTION.main(words) == 0
        assert "could not be drawn" not in capsys.readouterr().err
        drawn = list(tmp_path.glob("store/studies/*/figures/*-saliency.png"))
        assert len(drawn) == (name == "ResNet")
    run = next(path.parent for path in tmp_path.glob("store/classifier/*SwinTransformer*/model.keras"))
    out = ["--out", str(tmp_path / "out.csv"), "--saliency", str(tmp_path / "over")]
    assert predict.main([str(run), str(picture_csv / "images"), *out]) == 1
    told = capsys.readouterr().err
    assert "--saliency reads the maps of a convolutional network, and swintransformer has none" in told
    assert "Traceback" not in told

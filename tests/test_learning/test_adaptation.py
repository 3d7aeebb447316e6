from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import presets
import pytest
from keras import layers

from keras_art.learning import adaptation, adapted, training
from keras_art.networks import heads
from keras_art.networks.backbones import BadBackbone, load_backbone
from keras_art.networks.taps import layers_in_order
from keras_art.pictures.augmentation import Mixed
from keras_art.report import calibration
from keras_art.study.config import BadRun, Optimizer
from keras_art.study.kinds.classifier import LAYER_RULES, ClassifierRun
from keras_art.writing import PART
from reproductions.sabatelli2018 import REPRODUCTION
from reproductions.sabatelli2018.study import Study, in_mode
from reproductions.sabatelli2018.tables import asked_for


def stack() -> keras.Model:
    inputs = keras.Input((None, None, 3))
    x = inputs
    for name in ("one", "two", "three", "four"):
        x = layers.Conv2D(3, 3, padding="same", name=name)(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    return keras.Model(inputs, x, name="stack")


def find(model: keras.Model, path: str) -> np.ndarray:
    return keras.ops.convert_to_numpy(next(weight for weight in model.weights if weight.path == path))


def learns(model: keras.Model) -> list[str]:
    return [layer.name for layer in model.layers if layer.trainable_weights]


@pytest.mark.parametrize(
    ("word", "left"),
    [
        ("0", ["one", "two", "three", "four"]),
        ("0.5", ["three", "four"]),
        ("0.51", ["four"]),
        ("1", []),
        ("two", ["two", "three", "four"]),
    ],
)
def test_what_stands_before_a_layer_or_a_share_of_all_is_frozen(word, left):
    model = stack()
    adaptation.freeze_until(model, word)
    assert learns(model) == left


def test_a_layer_that_is_not_there_gets_the_nearest():
    with pytest.raises(BadBackbone, match=r"no layer 'thre' with weights; the nearest names: three.*or give a share"):
        adaptation.freeze_until(stack(), "thre")
    inputs = x = keras.Input((8,))
    for block in ("one", "two"):
        x = keras.Sequential([layers.Dense(8, name="query"), layers.Dense(8, name="key")], name=block)(x)
    model = keras.Model(inputs, x, name="blocks")
    with pytest.raises(BadBackbone, match=r"no layer 'quary' with weights; the nearest names: query, key, \w+; or"):
        adaptation.freeze_until(model, "quary")
    with pytest.raises(BadBackbone, match=r"has 2 layers 'query': give one's path, .*: one/query, two/query$"):
        adaptation.freeze_until(model, "query")
    adaptation.freeze_until(model, "two/query")
    assert [weight.path.rsplit("/", 1)[0] for weight in model.trainable_weights[::2]] == ["two/query", "two/key"]
    with pytest.raises(BadBackbone, match="no dense layers, which alone take --lora"):
        adaptation.enable_lora(stack(), 2)


FAMILIES = [  # with what a picture meets first and last
    ("ViT", "patching_and_embedding", "encoder/ln"),
    ("SwinTransformer", "patch_embedding/conv_projection", "/norm"),
    *(
        pytest.param(*family, marks=pytest.mark.slow)
        for family in (
            ("DeiT", "patching_and_embedding", "encoder/ln"),
            ("DINOV2", "embeddings", "layernorm"),
            ("DINOV3", "embeddings", "layernorm"),
            ("CLIP", "embedding", "encoder_layer_norm"),
            ("SigLIP", "vision_encoder_embedding", "head/mlp/fc2"),
            ("MobileNet", "input_conv", "block_3_0_bn"),
        )
    ),
]


@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables.*mask_token")  # which hides no patch here
@pytest.mark.parametrize(("name", "first", "last"), FAMILIES)
def test_of_a_preset_the_layers_near_the_picture_are_frozen_and_learn_slower(name, first, last, tmp_path):
    net = presets.save(name, tmp_path / "preset")
    side = getattr(net, "vision_encoder", net).inputs[0].shape[1] or presets.SIDE
    images = np.random.default_rng(0).uniform(0, 255, (4, side, side, 3)).astype("float32")

    def moved(word: str = "0", share: float = 1.0) -> dict[str, float]:
        """The path of each layer with weights, from the first -> how far one step moves what of them learns at most."""
        model = heads.softmax_classifier(load_backbone(str(tmp_path / "preset"), image_size=side, weights="own"), 2)
        backbone, optimizer = heads.backbone_of(model), keras.optimizers.Adam(0.01, epsilon=1e-12)
        holders = {id(layer) for layer in adaptation.holding(backbone)}
        held = [(path, layer) for path, layer in layers_in_order(backbone) if id(layer) in holders]
        weights = {path: list(layer._trainable_variables) for path, layer in held}
        before = {path: [keras.ops.convert_to_numpy(each) for each in own] for path, own in weights.items()}
        adaptation.freeze_until(backbone, word)
        if share != 1:
            optimizer = adaptation.discriminative(optimizer, backbone, share)
        model.compile(optimizer, "sparse_categorical_crossentropy")
        model.train_on_batch(images, np.array([0, 1, 0, 1]))
        after = {path: [keras.ops.convert_to_numpy(each) for each in own] for path, own in weights.items()}
        return {
            path: max((float(np.abs(a - b).max()) for a, b in zip(after[path], before[path], strict=True)), default=0.0)
            for path in weights
        }

    plain, frozen, slow = moved(), moved("0.5"), moved(share=0.01)
    paths = list(plain)
    assert first in paths[0] and paths[-1].endswith(last)
    blocks = [int(found[1]) for path in paths if (found := re.search(r"(?:block|layers|stage)_(\d)", path))]
    assert blocks == sorted(blocks) and len(set(blocks)) > 1
    learn = [i for i, path in enumerate(paths) if plain[path]]  # one of SigLIP counts its positions and does not
    assert len(learn) >= len(paths) - 1
    assert [i for i, path in enumerate(paths) if frozen[path]] == [i for i in learn if i >= len(paths) / 2]
    rates = [slow[paths[i]] / plain[paths[i]] for i in learn]
    np.testing.assert_allclose(rates, [0.01 ** (1 - i / len(paths)) for i in learn], rtol=0.05)


def test_layers_within_a_block_are_frozen_one_by_one_and_lora_learns_beside_them(tmp_path, monkeypatch):
    presets.save("DINOV2", tmp_path / "preset")
    half = load_backbone(str(tmp_path / "preset"), image_size=28, weights="own").model
    adaptation.freeze_until(half, "0.5")
    encoder = next(layer for layer in half.layers if layer.name.endswith("encoder"))
    assert 0 < len(encoder.trainable_weights) < len(encoder.weights)

    def classifier() -> keras.Model:
        return heads.softmax_classifier(load_backbone(str(tmp_path / "preset"), image_size=28, weights="own"), 2)

    model = classifier()
    adaptation.enable_lora(heads.backbone_of(model), 2)
    learning = [weight.path for weight in model.trainable_weights if "lora" not in weight.path]
    assert learning == ["softmax/kernel", "softmax/bias"]
    assert any("lora" in weight.path for weight in model.trainable_weights)
    images = np.random.default_rng(0).uniform(0, 255, (4, 28, 28, 3)).astype("float32")
    before = classifier().predict(images, verbose=0)
    np.testing.assert_allclose(model.predict(images, verbose=0), before, atol=1e-5)
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    own = {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.weights}
    model.fit(images, np.array([0, 1, 0, 1]), epochs=3, verbose=0)
    changed = [path for path, was in own.items() if not np.array_equal(was, find(model, path))]
    assert all("lora_kernel" in path or path.startswith("softmax/") for path in changed) and len(changed) > 2
    after = model.predict(images, verbose=0)
    assert np.abs(after - before).max() > 1e-3
    written: list[Path] = []
    monkeypatch.setattr(
        model, "save_weights", lambda path, real=model.save_weights: written.append(path) or real(path), raising=False
    )
    plain = adaptation.merged(model, classifier(), tmp_path / "run")
    # A kill would leave it where the next process sweeps, and nothing in the system's temporary folder.
    assert written[0].parent.parent == tmp_path / "run" and PART.search(written[0].parent.name)
    assert list((tmp_path / "run").iterdir()) == []
    assert not any("lora" in weight.path for weight in plain.weights)
    np.testing.assert_allclose(plain.predict(images, verbose=0), after, atol=1e-5)


@pytest.mark.parametrize(("word", "rate"), [("SGD", 5.0), ("SGD momentum", 5.0), ("AdamW", 0.1)])
def test_every_layer_learns_at_its_own_rate(word, rate):
    images = np.random.default_rng(0).uniform(0, 1, (4, 8, 8, 3)).astype("float32")
    labels = np.array([0, 1, 0, 1])
    options = {
        "SGD": {}, "SGD momentum": {"momentum": 0.9, "nesterov": True}, "AdamW": {"weight_decay": 0.1},
    }[word]  # fmt: skip
    kind = getattr(keras.optimizers, word.split()[0])

    def classifier() -> keras.Model:
        keras.utils.set_random_seed(0)
        backbone = stack()
        x = layers.GlobalAveragePooling2D()(backbone.output)
        return keras.Model(backbone.input, layers.Dense(2, "softmax", name="head")(x)), backbone

    def moved(first: float | None) -> dict[str, np.ndarray]:
        model, backbone = classifier()
        before = {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.weights}
        optimizer = kind(rate, **options)
        if first:
            optimizer = adaptation.discriminative(optimizer, backbone, first)
        model.compile(optimizer, "sparse_categorical_crossentropy")
        model.train_on_batch(images, labels)
        return {weight.path: keras.ops.convert_to_numpy(weight) - before[weight.path] for weight in model.weights}

    plain, slow = moved(None), moved(0.01)
    for name, factor in {"one": 0.01, "two": 0.01**0.75, "three": 0.1, "four": 0.01**0.25, "head": 1.0}.items():
        kernel = f"{name}/kernel"
        assert np.abs(plain[kernel]).max() > 1e-4
        np.testing.assert_allclose(slow[kernel], factor * plain[kernel], rtol=2e-3, atol=2e-7)


def test_the_rate_rises_in_the_warm_up_and_falls_along_a_cosine():
    run = ClassifierRun(mode="fine_tuning", epochs=10, warmup=2, schedule="cosine")
    rate = adaptation.rate_schedule(Optimizer("AdamW", 0.1), run, steps=5)
    at = [float(rate(step)) for step in (0, 5, 10, 30, 50)]
    np.testing.assert_allclose(at, [0, 0.05, 0.1, 0.05, 0], atol=1e-6)
    constant = adaptation.rate_schedule(Optimizer("AdamW", 0.1), ClassifierRun(epochs=10, warmup=2), steps=5)
    np.testing.assert_allclose([float(constant(step)) for step in (0, 5, 10, 49)], [0, 0.05, 0.1, 0.1], atol=1e-6)
    assert adaptation.rate_schedule(Optimizer("AdamW", 0.1), ClassifierRun(), steps=5) == 0.1


@pytest.mark.parametrize("way", ["mixup", "cutmix"])
def test_pictures_and_targets_are_mixed_in_one_share_and_again_the_same(way):
    pixels = np.zeros((6, 48, 48, 3), "uint8")
    pixels[3:] = 200
    targets = np.eye(2, dtype="float32")[[0, 0, 0, 1, 1, 1]]
    batches = Mixed(pixels, np.arange(6), targets, 6, seed=4, way=way)
    images, mixed = batches.gather(np.array([0, 3, 1, 4, 2, 5]))
    assert images.dtype == np.uint8
    np.testing.assert_allclose(mixed.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)) / 200, mixed[:, 1], atol=0.1)
    assert not np.array_equal(mixed, targets[[0, 3, 1, 4, 2, 5]])
    again = batches.gather(np.array([0, 3, 1, 4, 2, 5]))
    assert np.array_equal(again[0], images) and np.array_equal(again[1], mixed)
    assert not np.array_equal(batches.gather(np.array([3, 0, 1, 4, 2, 5]))[1], mixed[[1, 0, 2, 3, 4, 5]])


def test_a_picture_and_its_mirror_image_are_said_to_be_the_same():
    inputs = keras.Input((8, 8, 3), name="pixels")
    model = keras.Model(inputs, layers.Dense(3, "softmax")(layers.Flatten()(inputs)), name="classifier")
    images = np.random.default_rng(0).uniform(0, 1, (2, 8, 8, 3)).astype("float32")
    both = adaptation.flip_averaged(model)
    said = both.predict(images, verbose=0)
    np.testing.assert_allclose(both.predict(images[:, :, ::-1], verbose=0), said, atol=1e-6)
    alone = model.predict(images, verbose=0), model.predict(images[:, :, ::-1], verbose=0)
    np.testing.assert_allclose(said, np.mean(alone, axis=0), atol=1e-6)


def test_a_study_with_all_of_it_trains_predicts_and_stands_beside_the_plain_one(picture_csv, tmp_path, capsys):
    stack().save(tmp_path / "stack.keras")
    words = ["--data", str(picture_csv), "--target", "artist", "--networks", str(tmp_path / "stack.keras")]
    words += ["--preprocessing", "unit", "--image_size", "32", "--store", str(tmp_path / "store"), "--epochs", "3"]
    words += ["--modes", "fine_tuning", "--batch_size", "8"]
    assert REPRODUCTION.main(words) == 0
    more = [
        "--optimizer",
        "AdamW@1e-3,weight_decay=0.01",
        "--freeze_until",
        "two",
        "--warmup",
        "1",
        "--test_flips",
        "--discriminative",
        "0.1",
    ]
    more += ["--schedule", "cosine", "--label_smoothing", "0.1", "--mixing", "mixup", "--augmentation", "keras"]
    assert REPRODUCTION.main([*words, *more]) == 0
    capsys.readouterr()
    assert REPRODUCTION.main(["--table", "--format", "csv", "--store", str(tmp_path / "store")]) == 0
    printed = capsys.readouterr().out
    assert "discriminative=0.1" in printed and "freeze_until=two" in printed and "lora=0" not in printed
    runs = sorted((tmp_path / "store" / "classifier").glob("*/config.json"))
    assert len(runs) == 2
    run = next(path.parent for path in runs if json.loads(path.read_text())["freeze_until"] == "two")
    config = json.loads((run / "config.json").read_text())
    assert sorted(json.loads(path.read_text())["layer_rules"] for path in runs) == [1, LAYER_RULES]
    assert config["optimizer"]["name"] == "AdamW" and config["optimizer"]["options"] == [["weight_decay", 0.01]]
    out = tmp_path / "predictions.csv"
    assert REPRODUCTION.main(["predict", str(run), str(picture_csv / "images"), "--out", str(out)]) == 0
    told, known = pd.read_csv(out).set_index("id"), pd.read_csv(run / "predictions.csv").set_index("id")
    temperature = json.loads((run / "metrics.json").read_text())["temperature"]
    for name, row in known.iterrows():
        shares = row[[f"probability_{i}" for i in (1, 2, 3)]].to_numpy(float)[None]
        said = told.loc[name.removeprefix("images/"), "artist_probability"]
        assert said == pytest.approx(calibration.cooled(shares, temperature).max(), abs=1e-4)


def test_a_run_that_took_its_layers_by_earlier_rules_is_another_and_is_told():
    old, plain = ClassifierRun(mode="fine_tuning", freeze_until="0.5"), ClassifierRun(mode="fine_tuning")
    new = in_mode(Study(freeze_until="0.5"), ClassifierRun(), "fine_tuning")
    assert old.ref != dataclasses.replace(old, layer_rules=LAYER_RULES).ref
    assert in_mode(Study(), ClassifierRun(), "fine_tuning").layer_rules == plain.layer_rules
    assert [asked_for(run, "layer_rules") for run in (old, new, plain)] == ["layers by earlier rules", "", ""]
    with pytest.raises(BadRun, match="is of a version that took other layers: give its study's command again"):
        adapted.train(None, old, None, None)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--optimizer", "AdamX@1e-3"], "Keras has no optimizer called AdamX: did you mean Adam"),
        (["--optimizer", "AdamW"], "is none of paper, released, or a Keras optimizer such as AdamW@3e-4"),
        (["--optimizer", "AdamW@fast"], "--optimizer AdamW@fast: could not convert"),
        (["--optimizer", "AdamW@-1"], "needs a rate above 0"),
        (["--optimizer", "SGD@0.1,decay=1"], "Keras has no optimizer SGD with {'decay': 1.0}"),
        (["--freeze_until", "tow"], "the nearest names: two"),
        (["--freeze_until", "inf"], "a layer's name or a share in [0, 1], not inf"),
        (["--freeze_until", "nan"], "a layer's name or a share in [0, 1], not nan"),
        (["--freeze_until", "7"], "a layer's name or a share in [0, 1], not 7"),
        (["--freeze_until=-0.5"], "a layer's name or a share in [0, 1], not -0.5"),
        (["--bn_momentum", "2"], "--bn_momentum lies in [0, 1), not 2"),
        (["--bn_momentum=-1"], "--bn_momentum lies in [0, 1), not -1"),
        (["--modes", "knn_probe", "--lora", "4"], "--lora is of networks that learn as a whole: add fine_tuning"),
        (["--modes", "off_the_shelf", "--test_flips"], "--test_flips is of networks that learn as a whole"),
        (["--lora", "4"], "has no dense layers, which alone take --lora"),
        (["--lora", "4", "--freeze_until", "two"], "leave --freeze_until out"),
        (["--discriminative", "0"], "--discriminative lies in (0, 1], not 0"),
        (["--label_smoothing", "1"], "--label_smoothing lies in [0, 1)"),
        (["--warmup", "9"], "--warmup 9 are some of the --epochs"),
        (["--order", "sorted", "--test_flips"], "--order sorted is of the paper's training: leave --test_flips out"),
    ],
)
def test_what_can_not_be_is_said_before_anything_is_trained(picture_csv, tmp_path, capsys, extra, words):
    stack().save(tmp_path / "stack.keras")
    command = ["--data", str(picture_csv), "--target", "artist", "--networks", str(tmp_path / "stack.keras")]
    command += ["--preprocessing", "unit", "--image_size", "32", "--store", str(tmp_path / "s"), "--epochs", "3"]
    assert REPRODUCTION.main([*command, "--modes", "fine_tuning", *extra]) == 1
    message = capsys.readouterr().err
    assert words in message.splitlines()[-1] and "Traceback" not in message


@pytest.mark.parametrize(("order", "sorted_by_class"), [("sorted", True), ("shuffled", False)])
def test_training_images_come_class_by_class_where_that_is_asked_for(
    picture_csv, tmp_path, monkeypatch, order, sorted_by_class
):
    epochs = []

    def fit(model, train, val, **kwargs):
        epochs.extend(
            np.concatenate([train.step(i)[1] for i in range(n * len(train), (n + 1) * len(train))]) for n in (0, 1)
        )
        return plain(model, train, val, **kwargs)

    plain = training.fit
    monkeypatch.setattr(training, "fit", fit)
    stack().save(tmp_path / "stack.keras")
    command = ["--data", str(picture_csv), "--target", "artist", "--networks", str(tmp_path / "stack.keras")]
    command += ["--preprocessing", "unit", "--image_size", "32", "--store", str(tmp_path / "s"), "--epochs", "1"]
    assert REPRODUCTION.main([*command, "--modes", "fine_tuning", "--batch_size", "5", "--order", order]) == 0
    assert [np.bincount(labels).tolist() for labels in epochs] == [[6, 6, 6]] * 2
    assert [(np.diff(labels) >= 0).all() for labels in epochs] == [sorted_by_class] * 2

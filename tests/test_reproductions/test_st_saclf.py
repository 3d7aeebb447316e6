"""st_saclf: the study, its stages, its data, and the command line for real on small pictures."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from conftest import kill_at, paint, paint_folders

from keras_art.atelier import making
from keras_art.data import mixing
from keras_art.errors import UserError
from keras_art.learning.staged import Stage, freeze, thaw
from keras_art.learning.training import make_optimizer
from keras_art.networks.attention import find_taps, tapped
from keras_art.networks.backbones import load_backbone
from keras_art.networks.taps import layers_in_order
from keras_art.store.runs import Store
from keras_art.study import speeds
from keras_art.study.config import BadRun, Optimizer, RunRef, digest, kinds, run_from
from keras_art.study.kinds.adain import Decoder, Stylised
from keras_art.study.plan import ordered
from keras_art.study.records import finished
from reproductions.st_saclf import REPRODUCTION, grid, stages, study, tables
from reproductions.st_saclf.evaluation import agreement, looks, overlap, scores, spread
from reproductions.st_saclf.kinds import ALIKE, STAGE_RULES, SaclfRun
from reproductions.st_saclf.study import PRESETS, Study
from reproductions.st_saclf.training import carry_out

ROOT = Path(__file__).parents[2]
main = REPRODUCTION.main


def a_run(**fields) -> SaclfRun:
    return SaclfRun(**{"collection": "c-1", "target": "t", "network": "VGG16", "epochs": 20, **fields})


def test_stages_are_read_and_nonsense_is_refused():
    assert stages.parse(["3@1e-3", "2@3e-4:fire9_,fire8_", "1@1e-5:all"]) == [
        (3, 1e-3, ()),
        (2, 3e-4, ("fire9_", "fire8_")),
        (1, 1e-5, ("",)),
    ]
    for word in ("3", "3@", "x@1e-3", "3@1e-3:", "3@1-"):
        with pytest.raises(UserError, match="EPOCHS@RATE"):
            stages.parse([word])


@pytest.mark.parametrize(
    ("name", "blocks"),
    [("VGG16", ["block1", "block2", "block3", "block4", "block5"]), ("MobileNetV2", None)],
)
def test_blocks_are_named_bottom_first(name: str, blocks: list[str] | None):
    found = list(stages.blocks_of(load_backbone(name, image_size=32, weights=None).model))
    assert found == blocks if blocks else len(found) > 10


def test_a_network_of_one_layer_is_told_what_to_give():
    inputs = keras.Input((8, 8, 3))
    within = keras.Model(inputs, keras.layers.Conv2D(4, 3)(inputs), name="all")
    with pytest.raises(UserError, match=r"too few layers .*give --stages, as --stages 4@1e-3"):
        stages.stages_of(a_run(), keras.Model(inputs, within(inputs)))


def learning(backbone: keras.Model, stage: Stage) -> list[str]:
    thaw(backbone, stage)
    return [variable.path for variable in backbone.trainable_variables]


def test_staged_thaws_from_the_top_at_falling_rates_and_trains_what_it_names():
    backbone = load_backbone("VGG16", image_size=32, weights=None).model
    plan = stages.stages_of(a_run(), backbone)
    assert sum(stage.epochs for stage in plan) == 20
    assert [stage.first for stage in plan] == ["", "block4_conv1", "block3_conv1", "", ""]
    assert all(a.learning_rate > b.learning_rate for a, b in itertools.pairwise(plan))
    for stage, blocks in zip(plan, ("", "45", "345", "12345", "12345"), strict=True):
        own = {variable.path for variable in backbone.weights if variable.path[5] in blocks}
        assert set(learning(backbone, stage)) == own


def by_names(backbone: keras.Model, share: float) -> list[str]:
    """The variables of the upper blocks as all layers' names tell them up to the first number."""
    names = [layer.name for layer in backbone.layers if layer.weights]
    blocks = list(dict.fromkeys(found[0] for name in names if (found := re.match(r"\D*\d+", name))))
    freeze(backbone, blocks[-round(share * len(blocks)) :])
    return [variable.path for variable in backbone.trainable_variables]


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "name",
    [
        "VGG16", "MobileNetV2", "MobileNetV3Small",
        *(
            pytest.param(name, marks=SLOW)
            for name in ("VGG19", "ResNet50", "ResNet101", "ResNet152", "MobileNet", "MobileNetV3Large")
        ),
    ],
)  # fmt: skip
def test_networks_whose_names_tell_all_blocks_thaw_as_they_did_and_keep_their_runs(name: str):
    assert name in ALIKE and not a_run(network=name).thaws_by_rules
    backbone = load_backbone(name, image_size=32, weights=None).model
    second, third = stages.stages_of(a_run(), backbone)[1:3]
    assert learning(backbone, second) == by_names(backbone, 1 / 3)
    assert learning(backbone, third) == by_names(backbone, 2 / 3)


@pytest.mark.parametrize(
    ("name", "size", "firsts"),
    [  # what the second stage and the third begin with; None: layers that Keras has named
        ("EfficientNetB0", 32, ("block6a_expand_conv", "block3a_expand_conv")),
        *(
            pytest.param(*family, marks=SLOW)
            for family in (
                ("DenseNet121", 32, ("conv4_block1_0_bn", "conv3_block1_0_bn")),
                ("ResNet50V2", 32, ("conv4_block1_preact_bn", "conv3_block1_preact_bn")),
                ("EfficientNetV2B0", 32, ("block5a_expand_conv", "block3a_expand_conv")),
                (
                    "ConvNeXtTiny", 32,
                    ("convnext_tiny_downsampling_layernorm_2", "convnext_tiny_stage_1_block_0_depthwise_conv"),
                ),
                ("Xception", 71, ("block10_sepconv1", "block6_sepconv1")),
                ("InceptionV3", 75, None),
                ("InceptionResNetV2", 75, None),
                ("NASNetMobile", 32, None),
            )
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_tapped", [False, True])
def test_the_upper_thirds_of_a_network_thaw_with_nothing_frozen_among_them(name, size, firsts, is_tapped):
    assert a_run(network=name).thaws_by_rules
    loaded = load_backbone(name, image_size=size, weights=None)
    backbone = tapped(loaded, find_taps(loaded)) if is_tapped else loaded.model
    order = [layer for _, layer in layers_in_order(backbone) if layer._trainable_variables]
    kernels = [any(len(variable.shape) > 1 for variable in layer._trainable_variables) for layer in order]
    for number, stage in enumerate(stages.stages_of(a_run(), backbone)[1:3], start=1):
        thaw(backbone, stage)
        learn = [bool(layer.trainable_variables) for layer in order]
        assert learn == sorted(learn)
        if firsts:
            assert order[learn.index(True)].name == firsts[number - 1]
        else:
            share = sum(np.logical_and(learn, kernels)) / sum(kernels)
            assert share == pytest.approx(number / 3, abs=1 / sum(kernels))


def test_layers_within_layers_and_those_that_keras_names_thaw_by_thirds():
    def stage(number: int) -> keras.Model:
        inputs = keras.Input((8, 8, 3))
        x = keras.layers.BatchNormalization(name="bn")(keras.layers.Conv2D(3, 1, name="conv")(inputs))
        return keras.Model(inputs, x, name=f"stage{number}")

    pixels = keras.Input((8, 8, 3))
    x = pixels
    for number in (1, 2, 3):
        x = stage(number)(x)
    nested = keras.Model(pixels, x)
    assert stages.blocks_of(nested) == {f"stage{number}": f"stage{number}/conv" for number in (1, 2, 3)}

    parts = [(keras.layers.Conv2D(3, 1), keras.layers.BatchNormalization()) for _ in range(6)]
    inner = keras.Sequential([keras.Input((8, 8, 3)), *itertools.chain(*parts)])
    flat = keras.Model(inner.inputs[0], inner.outputs[0])
    wrapped = keras.Model(pixels, flat(pixels), name="resnet50")
    for network in (flat, wrapped):
        plan = stages.stages_of(a_run(), network)
        for stage_, learn in zip(plan[1:3], (parts[4:], parts[2:]), strict=True):
            expected = [variable.path for pair in learn for layer in pair for variable in layer._trainable_variables]
            assert learning(network, stage_) == expected
    with pytest.raises(UserError, match=r"small has too few layers to thaw by thirds \(2 blocks\): give --stages"):
        stages.stages_of(a_run(), keras.Model(pixels, stage(2)(stage(1)(pixels)), name="small"))


class Patches(keras.layers.Dense):
    """Named by nobody."""


@pytest.mark.parametrize("whole", ["tiny", "tiny_1", "tiny/part_1"])
def test_blocks_do_not_depend_on_how_many_networks_were_made_before(whole: str):
    whole, _, part = whole.partition("/")
    prefix = "" if part else f"{whole}_"
    named = [keras.layers.Dense(2, name=f"{prefix}block_{number}_dense") for number in (1, 2, 10)]
    layers = [keras.Input((4,)), Patches(2), *named, keras.layers.LayerNormalization()]
    network = keras.Sequential(layers, name=part or whole)
    if part:
        network = keras.Model(network.inputs[0], keras.Sequential(layers[1:], name=part)(network.inputs[0]))
    found = stages.blocks_of(network)
    assert [block.split("_")[-1] for block in found] == ["1", "2", "10"]
    assert [path.split("/")[-1] for path in found.values()] == [layer.name for layer in named]


def test_runs_whose_stages_were_others_are_others_and_are_told():
    asked = dataclasses.replace(PRESETS["study"], modes=("staged", "frozen"), p1=(0.0,), p2=(0.0,))
    rules = {
        name: [run.stage_rules for run in classifiers(dataclasses.replace(asked, networks=(name,)))]
        for name in ("ResNet50", "InceptionV3")
    }
    assert rules == {"ResNet50": [1, 1], "InceptionV3": [STAGE_RULES, 1]}
    by_hand = dataclasses.replace(asked, networks=("InceptionV3",), stages=("3@1e-3:all",))
    assert [run.stage_rules for run in classifiers(by_hand)] == [1, 1]
    new, frozen = classifiers(dataclasses.replace(asked, networks=("InceptionV3",)))
    old = dataclasses.replace(new, stage_rules=1)
    assert old.ref != new.ref
    assert [tables.asked_for(run, "stage_rules") for run in (old, new, frozen)] == ["stages by earlier rules", "", ""]
    found = [(run, {"p1": None}) for run in (new, frozen)]
    assert "stage_rules" not in tables.settings(found)[new]
    assert "stage_rules" in tables.settings([*found, (old, {})])[new]
    with pytest.raises(BadRun, match="is of a version that thawed other layers: give its study's command again"):
        carry_out(None, old, None, None)


def test_frozen_never_thaws():
    backbone = load_backbone("VGG16", image_size=32, weights=None).model
    assert not any(s.unfrozen for s in stages.stages_of(dataclasses.replace(a_run(), mode="frozen"), backbone))


@pytest.mark.parametrize(
    ("preset", "network", "batch_size", "shares", "plan", "rates"),
    [
        ("released", "VGG16", 16, (0, 0), [(20, ())], 10 * [8e-4] + 5 * [8e-5] + 5 * [8e-6]),
        (
            "released_v1_1", "ResNet50", 32, (0.8, 0.2), [(20, ()), (20, ("",))],
            2 * (10 * [8e-5] + 10 * [8e-6]),
        ),
    ],
)  # fmt: skip
def test_each_released_preset_is_one_program(preset, network, batch_size, shares, plan, rates):
    (run,) = classifiers(PRESETS[preset])
    assert (run.network, run.batch_size, (run.p1, run.p2), run.seed) == (network, batch_size, shares, 42)
    assert (run.loss, run.gamma, run.focal_alpha, run.dropout, run.regularizer) == ("focal", 2, 2, 0.23, "none")
    assert (run.preprocessing, run.image_size, run.tap_scale) == ("unit", 256, "none")
    assert (run.frozen_bn == "batch") == (network == "ResNet50")
    assert dict(run.optimizer.options) == {"epsilon": 1e-8}
    found = stages.stages_of(run, None)
    assert [(stage.epochs, stage.unfrozen) for stage in found] == plan and run.epochs == len(rates)
    taken = []
    for stage in found:  # three steps to an epoch; Keras counts them from 0
        optimizer = make_optimizer(dataclasses.replace(run.optimizer, learning_rate=stage.learning_rate), steps=3)
        for epoch in range(stage.epochs):
            optimizer.iterations.assign(3 * epoch + 2)
            taken.append(float(optimizer.learning_rate))
    np.testing.assert_allclose(taken, rates, rtol=1e-5)
    assert grid.like(PRESETS[preset], run) == run


def test_scores_are_macro_means_over_the_whole_split_with_rare_classes_apart():
    from sklearn.metrics import precision_recall_fscore_support

    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(0, 3, 50), rng.dirichlet([1, 1, 1], 50)
    found = scores(labels, probabilities, ["a", "b", "c"], ["c"])
    expected = precision_recall_fscore_support(labels, probabilities.argmax(1), average="macro", zero_division=0)
    np.testing.assert_allclose(
        [found["test_macro_precision"], found["test_macro_recall"], found["test_macro_f1"]], expected[:3]
    )
    recalls = [(probabilities.argmax(1)[labels == k] == k).mean() for k in range(3)]
    assert found["test_rare_recall"] == pytest.approx(recalls[2])
    assert found["test_representative_recall"] == pytest.approx(np.mean(recalls[:2]))
    assert found["test_recall_gap"] == pytest.approx(max(recalls) - min(recalls))
    assert found["test_rare_confidence"] == pytest.approx(probabilities.max(1)[labels == 2].mean())
    assert found["test_representative_confidence"] == pytest.approx(probabilities.max(1)[labels != 2].mean())


def test_attention_agrees_with_itself_and_less_with_other_pictures():
    from keras_art.networks.attention import attention_classifier, attention_maps, find_taps

    keras.utils.set_random_seed(0)
    backbone = load_backbone("VGG16", image_size=32, weights=None)
    model = attention_classifier(backbone, find_taps(backbone), 3, scale="layer")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    found = agreement(model, pixels, np.array([[0, 0], [1, 1], [2, 2], [3, 3]]))
    np.testing.assert_allclose(found["attention_agreement"], 1, atol=1e-4)
    assert len(found["attention_chance"]) == 4 and found["attention_chance"][0] < 0.9
    seen, explained = looks(model, pixels, batch_size=3)
    for ours, known in zip(seen, attention_maps(model).predict(pixels, verbose=0), strict=True):
        np.testing.assert_allclose(ours, known, rtol=1e-5, atol=1e-6)  # in batches of another size
    assert [maps.shape for maps in explained] == [maps.shape for maps in seen] and all(maps.any() for maps in explained)
    found = overlap(model, pixels)
    assert len(found["grad_cam_agreement"]) == 4 and found["grad_cam_agreement"] != found["grad_cam_chance"]
    assert found["grad_cam_images"] == 4


@pytest.mark.parametrize("n", [0, 1, 2, 12, 63, 64, 65, 100, 845])
def test_no_image_is_compared_with_itself_for_another_one(n):
    places = spread(np.arange(n) + 5)
    assert len(places) == len(set(places)) == min(n, 64)
    assert not n or (places[0] == 5 and places[-1] == (n + 4 if n > 1 else 5))


def classifiers(asked: Study) -> list[SaclfRun]:
    return [run for run in grid.expand(asked, "c-1", "status", "source-1") if isinstance(run, SaclfRun)]


def test_the_ablation_is_the_method_one_part_off_in_turn_and_all_off():
    found = classifiers(dataclasses.replace(PRESETS["study"], ablation=True, networks=("VGG16",)))
    assert [(run.mode, run.attention, run.loss, bool(run.p1 or run.p2)) for run in found] == [
        ("staged", "spatial", "focal", True),
        ("staged", "spatial", "focal", False),
        ("staged", "none", "focal", True),
        ("staged", "spatial", "cross_entropy", True),
        ("frozen", "spatial", "focal", True),
        ("frozen", "none", "cross_entropy", False),
    ]
    assert [bool(run.stylised) for run in found] == [True, False, True, True, True, False]


def test_stages_with_images_of_their_own_are_a_chain_of_runs():
    asked = dataclasses.replace(PRESETS["study"], networks=("VGG16",), stylise_at="stages", ablation=True)
    once = classifiers(dataclasses.replace(asked, stylise_at="once"))
    found = grid.expand(asked, "c-1", "status", "source-1")
    decoder, within, *chain = found[:11]
    assert chain[::2] == [run for run in chain if isinstance(run, SaclfRun)]
    assert [run.part for run in chain[::2]] == [1, 2, 3, 4, 5]
    assert chain[0] == dataclasses.replace(once[0], part=1) and chain[0].stylised == within.ref
    for before, made, after in zip(chain[::2], chain[1::2], chain[2::2], strict=False):
        assert (
            made == dataclasses.replace(within, mode="between_classes", classifier=before.ref, seed=after.part)
            and made.decoder == decoder.ref
        )
        assert after == dataclasses.replace(once[0], part=after.part, after=before.ref, stylised=made.ref)
    assert found[11] == once[1]  # without stylised images all stages are one run
    whole = stages.stages_of(once[0], load_backbone("VGG16", image_size=32, weights=None).model)
    assert stages.lengths(chain[0]) == [stage.epochs for stage in whole]
    backbone = load_backbone("VGG16", image_size=32, weights=None).model
    assert [stages.stages_of(run, backbone) for run in chain[::2]] == [[stage] for stage in whole]


@pytest.mark.slow
def test_each_stage_begins_where_the_one_before_ended_on_images_of_its_own(
    picture_folder: Path, backbone_file: Path, tmp_path: Path, capsys
):
    # A rate of next to nothing: what the second stage ends with is what it began with.
    words = ("--p2", "1", "--stylise_at", "stages", "--stages", "2@1e-2", "1@1e-12:all")
    asked = arguments(picture_folder, backbone_file, tmp_path / "store", *words)
    assert main(asked) == 0
    assert "part" in capsys.readouterr().out
    store = Store(tmp_path / "store")
    first, second = sorted((run for run, _ in tables.done(store)), key=lambda run: run.part)
    ours, theirs = (keras.saving.load_model(store.directory(run) / "model.keras") for run in (first, second))
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    made = next(run for run, _ in finished(store, Stylised) if run.classifier)
    assert made.classifier == first.ref == second.after and made.ref == second.stylised
    assert main(asked) == 0 and "to do" not in capsys.readouterr().out


def test_what_a_run_needs_comes_before_it(tmp_path: Path):
    asked = dataclasses.replace(PRESETS["demo"], seeds=(0, 1))
    found = grid.expand(asked, "c-1", "artist", "source-1")
    assert [run.kind for run in ordered(Store(tmp_path), found[::-1])] == [
        "classifier", "decoder", "stylised", "st_saclf", "st_saclf",
    ]  # fmt: skip
    decoder, stylised, pretraining, *rest = found
    assert stylised.decoder == decoder.ref
    assert {(run.stylised, run.weights) for run in rest} == {(stylised.ref, pretraining.ref)}
    assert (pretraining.mode, pretraining.optimizer) == ("pretraining", Optimizer("Adam", 1e-3))


def test_several_values_are_tuples_and_read_back_as_they_were(tmp_path: Path):
    run = a_run(
        taps=("block1_conv1", "block 2"), rare=("A B", "C\tD"), stages=("1@1e-3",), stylised=RunRef("stylised", "0" * 8)
    )
    assert run_from(json.loads(json.dumps(run.as_json())), tmp_path) == run


def test_a_preset_is_told_by_all_that_a_run_stands_on():
    for name in grid.PRINTED.protocols:
        preset = PRESETS[name]
        (run,) = classifiers(dataclasses.replace(preset, seeds=(3,)))
        assert grid.like(preset, run) == run
        changes = [{"p1": (0.1,)}, {"taps": ("x",)}, {"stages": ("3@1e-3",)}]
        if name != "released":  # which is without stylised images
            changes += [{"alpha": 0.5}, {"decoder_iterations": 10}]
        for change in changes:
            (run,) = classifiers(dataclasses.replace(preset, **change))
            assert grid.like(preset, run) != run


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"p1": (1.5,)}, r"--p1 lies in \[0, 1\]"),
        ({"p2": (-0.1,)}, r"--p2 lies in \[0, 1\]"),
        ({"alpha": 2.0}, r"--alpha lies in \[0, 1\]"),
        ({"dropout": 1.0}, "--dropout lies in"),
        ({"image_size": 15}, "15 pixels are too small for AdaIN's encoder: it needs 16"),
        ({"stages": ("5",)}, "EPOCHS@RATE"),
        ({"stages": ("5@1e-3",), "learning_rate": 2e-3}, "--stages names the learning rates"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_read(fields: dict, message: str):
    asked = dataclasses.replace(PRESETS["study"], **fields)
    with pytest.raises(UserError, match=message):
        study.check(asked)


def test_a_decoder_that_is_none_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"nowhere holds no decoder"):
        classifiers(dataclasses.replace(PRESETS["study"], decoder="nowhere"))
    Store(tmp_path).begin(Decoder())
    with pytest.raises(UserError, match="is not finished"):
        classifiers(dataclasses.replace(PRESETS["study"], decoder=str(Store(tmp_path).directory(Decoder()))))


def test_the_published_numbers_stand_with_their_versions_and_blanks():
    cells = tables.BASELINES.cells()
    assert len(cells) == 14 and set(cells["version"]) == {"1.0"}
    assert all(min(abs(paper - 100 * k / 527) for k in range(528)) < 0.01 for paper in cells["paper"])
    published = tables.PUBLISHED.cells().set_index("score")["paper"]
    assert published["accuracy"] == 87.24
    assert published[["precision", "recall", "f1"]].isna().all()
    assert min(abs(87.24 - 100 * k / 845) for k in range(846)) > 0.01


@pytest.fixture(scope="module")
def decoder(tmp_path_factory, backbone_file: Path) -> Path:
    """Trained for two iterations on the pictures of `picture_folder`, but for its test images; its store is gone."""
    here = tmp_path_factory.mktemp("decoder")
    pictures = paint_folders(here / "pictures")
    assert main(arguments(pictures, backbone_file, here / "store", "--modes", "frozen", "--epochs", "1")) == 0
    (trained,) = (here / "store").glob("decoder/*/")
    copied = shutil.copytree(trained, here / "decoder")
    shutil.rmtree(here / "store")
    return copied


def arguments(folder: Path, network: Path, store: Path, *more: str) -> list[str]:
    return [
        "--data", str(folder), "--networks", str(network), "--preprocessing", "unit", "--image_size", "16",
        "--store", str(store), "--batch_size", "8", "--epochs", "5", "--decoder_iterations", "2",
        "--encoder_weights", "none", *more,
    ]  # fmt: skip


def test_a_study_from_pictures_to_tables(picture_folder: Path, backbone_file: Path, tmp_path: Path, capsys):
    asked = arguments(picture_folder, backbone_file, tmp_path / "store", "--p1", "0.5", "--p2", "1", "--rare", "c")
    assert main([*asked, "--second", str(picture_folder)]) == 0
    out = capsys.readouterr().out
    assert "spatial" in out and "ST-SACLF, arXiv 2408.01827" in out and "shared classes" in out
    assert "(majority class of train)" in out and "(majority class of test)" in out
    store = Store(tmp_path / "store")
    ((run, found),) = tables.done(store)
    folder = store.directory(run)
    for name in ("model.keras", "predictions.csv", "per_class.csv", "mixture.csv", "attention.png", "confidence.png"):
        assert (folder / name).exists(), name
    # The little network has maps of two sizes.
    assert len(found["attention_agreement"]) == len(found["grad_cam_agreement"]) == 2
    contents = {row["content"] for row in mixing.read_provenance(store.find(run.stylised)).to_dict("records")}
    assert 2 <= found["attention_images"] <= len(contents)  # of those that were taken, each once
    told = tables.attention(store).set_index("compared with")
    assert list(told.index) == ["Grad-CAM", "Grad-CAM of another", "stylised twins", "stylised twins of another"]
    assert told["images"].tolist()[2] == found["attention_images"] and "stylised twins of another" in out
    assert told["depth 2"].tolist()[2:] == [found["attention_agreement"][1], found["attention_chance"][1]]
    figures = {path.name.split("-", 2)[2] for path in store.root.glob("studies/*/figures/*.png")}
    assert figures == {"curves.png", "stylised.png", "attention.png", "confidence.png"}
    drawn = json.loads(next(store.root.glob("studies/*/figures/plates.json")).read_text())
    assert sum("before any calibration" in part.get("caption", "") for part in drawn) == 2
    mixture = pd.read_csv(folder / "mixture.csv").set_index("class")
    splits = pd.read_csv(store.root / "collections" / run.collection / "images.csv", dtype=str)
    train = splits[splits["split"] == "train"]
    for name, share in (("a", 0.5), ("b", 0.5), ("c", 1.0)):
        own = int((train["label"] == str("abc".index(name))).sum())
        assert mixture.loc[name, ["originals", "stylised"]].tolist() == [own, round(share * own)]
    assert found["n_train"] == mixture["together"].sum()
    # No image outside train was content or style of any stylised one, and none was stylised twice over into test.
    (provenance,) = store.root.glob("stylised/*/provenance.csv")
    sources = pd.read_csv(provenance, dtype=str)
    assert set(sources["content"]) | set(sources["style"]) <= set(train["id"])
    assert len(sources) == len(train)
    assert found["n_test"] == (splits["split"] == "test").sum()
    # Asked again, nothing is trained.
    before = (folder / "metrics.json").stat().st_mtime_ns
    assert main(asked) == 0
    assert (folder / "metrics.json").stat().st_mtime_ns == before


def test_stylised_rows_are_in_train_and_nowhere_else(
    picture_folder: Path, backbone_file: Path, decoder: Path, tmp_path: Path
):
    from reproductions.st_saclf.training import load_data

    store = Store(tmp_path / "store")
    asked = arguments(picture_folder, backbone_file, store.root, "--modes", "frozen", "--epochs", "1")
    assert main([*asked, "--decoder", str(decoder)]) == 0
    ((run, _),) = tables.done(store)
    data = load_data(store, run)
    stylised = set(data.pairs[:, 0])
    assert stylised and stylised <= set(data.split("train", 8).rows)
    for name in ("val", "test"):
        assert not stylised & set(data.split(name, 8).rows)
    originals = data.ready.rows[data.ready.part("train")]
    assert set(data.pairs[:, 1]) <= set(originals)


def test_the_search_goes_on_in_its_file_and_never_sees_test(
    picture_folder: Path, backbone_file: Path, decoder: Path, tmp_path: Path, capsys, monkeypatch
):
    import optuna

    from reproductions.st_saclf import training

    seen: set[str] = set()
    split = training.Data.split
    monkeypatch.setattr(training.Data, "split", lambda self, name, *rest: (seen.add(name), split(self, name, *rest))[1])
    asked = ["search", *arguments(picture_folder, backbone_file, tmp_path / "store", "--epochs", "2")]
    asked += ["--decoder", str(decoder), "--p1", "0", "1", "--p2", "0"]
    assert main([*asked, "--trials", "0"]) == 0
    assert main([*asked, "--trials", "2"]) == 0
    assert seen == {"train", "val"}
    printed = capsys.readouterr()
    assert "--p1" in printed.out and "learning_rate" in printed.err
    (file,) = (tmp_path / "store" / "st_saclf" / "search").glob("*.db")
    assert {
        name: len(optuna.load_study(study_name=name, storage=f"sqlite:///{file}").trials) for name in ("grid", "bayes")
    } == {
        "grid": 2,
        "bayes": 2,
    }
    assert (file.with_suffix("") / "p1-p2.png").exists()
    assert main([*asked[:-1], "0.5", "--trials", "2"]) == 1  # another grid
    for damage in (
        lambda whole: b"no database" * 99,
        lambda whole: whole[:5000],
        lambda whole: whole[:100] + bytes(9000),
    ):
        whole = file.read_bytes()
        file.write_bytes(damage(whole))
        capsys.readouterr()
        assert main([*asked, "--trials", "2"]) == 1
        assert "is damaged (" in (told := capsys.readouterr().err) and "Traceback" not in told


def test_the_search_proposes_no_rate_where_the_stages_name_theirs(
    picture_folder: Path, backbone_file: Path, tmp_path: Path, capsys
):
    asked = arguments(picture_folder, backbone_file, tmp_path / "store", "--stages", "1@1e-3", "1@1e-4:all")
    assert main(["search", *asked, "--p1", "0", "--p2", "0", "--trials", "1", "--threads", "3", "--dry_run"]) == 0
    assert Store(tmp_path / "store").threads == 3
    assert "1 trials on the grid, then 1, of 2 epochs each" in capsys.readouterr().out
    assert main(["search", *asked, "--p1", "0", "--p2", "0", "--trials", "1"]) == 0
    printed = capsys.readouterr()
    assert "bayes, of 1: trial 1: dropout" in printed.err
    assert "learning_rate" not in printed.err + printed.out
    asked = arguments(picture_folder, backbone_file, tmp_path / "store", "--stages", "2@1e30:all")
    assert main(["search", *asked, "--p1", "0", "--p2", "0", "--trials", "1"]) == 1
    printed = capsys.readouterr().err
    assert ", diverged" in printed and "all cells of the grid diverged" in printed


def test_a_search_by_other_flags_is_another_search(picture_folder: Path, backbone_file: Path, tmp_path: Path):
    import optuna

    from reproductions.st_saclf.search import shared

    run, *_ = classifiers(PRESETS["study"])
    others = [
        dataclasses.replace(run, **change)
        for change in (
            {"optimizer": Optimizer("SGD", 1e-3)}, {"optimizer": dataclasses.replace(run.optimizer, drops=(2,))},
            {"optimizer": dataclasses.replace(run.optimizer, learning_rate=1e-2)}, {"loss": "cross_entropy"},
            {"dropout": 0.5}, {"weight_decay": 1e-3}, {"regularizer": "l1"}, {"seed": 1}, {"epochs": 7},
        )
    ]  # fmt: skip
    assert len({shared(each) for each in (run, *others)}) == 1 + len(others)
    assert shared(dataclasses.replace(run, p1=0.1, p2=0.2)) == shared(run)
    asked = arguments(picture_folder, backbone_file, tmp_path / "store", "--stages", "1@1e-2")
    asked = ["search", *asked, "--p1", "0", "--p2", "0", "--trials", "0"]
    # Several values are those of a trial by the first of them.
    for more in ((), ("--optimizer", "SGD@0.1"), ("--seeds", "3"), ("--seeds", "3", "0"), ()):
        assert main([*asked, *more]) == 0
    files = list((tmp_path / "store" / "st_saclf" / "search").glob("*.db"))
    grids = [optuna.load_study(study_name="grid", storage=f"sqlite:///{file}").trials for file in files]
    assert [len(trials) for trials in grids] == [1, 1, 1]


def test_a_search_takes_the_fastest_precision_where_it_is_asked_to(
    picture_folder: Path, backbone_file: Path, tmp_path: Path, capsys, monkeypatch
):
    from keras_art.study import precisions

    monkeypatch.setattr(precisions._Choice, "of", lambda self, run: "mixed_bfloat16")
    asked = arguments(picture_folder, backbone_file, tmp_path / "store", "--stages", "1@1e-2", "--precision", "auto")
    assert main(["search", *asked, "--p1", "0", "--p2", "0", "--trials", "0"]) == 0
    assert "grid, of 1: trial 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--epsilon", "1e-8", "--drops", "1", "2"),
        ("--optimizer", "released"),
        ("--optimizer", "SGD@0.5,momentum=0.9,nesterov=true", "--drops", "3"),
        ("--optimizer", "AdamW@3e-4,weight_decay=0.05", "--seeds", "3", "4", "--losses", "focal", "cross_entropy"),
        ("--stages", "1@1e-3", "--networks", "VGG16", "ResNet50", "--attention", "none", "spatial"),
        ("--stages", "1@1e-3", "--modes", "frozen", "staged"),
    ],
)
def test_the_flags_that_a_search_prints_make_the_run_of_its_trial(words: tuple[str, ...]):
    import optuna

    from keras_art.commands.flags import parse
    from reproductions.st_saclf.proposals import cell, flags_of, tuned

    words = ("--preset", "study", "--target", "status", "--p1", "0", "0.333333", "--p2", "0", "1", *words)

    def studied(*more: str) -> list[SaclfRun]:
        return classifiers(parse(Study, PRESETS, [*words, *more], prog="st_saclf", description=""))

    asked = parse(Study, PRESETS, words, prog="st_saclf", description="")
    template = next(run for run in studied("--p1", "0.5"))
    named = asked.optimizer not in ("paper", "released")
    for seed in range(3):
        trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()
        of_grid = cell(template, trial, asked)
        assert studied(*shlex.split(flags_of(of_grid, asked, is_tuned=False))) == [of_grid]
        run = tuned(of_grid, trial)
        assert (run.optimizer.name, run.optimizer.options, run.optimizer.drops) == (
            template.optimizer.name, template.optimizer.options, template.optimizer.drops,
        )  # fmt: skip
        printed = flags_of(run, asked, is_tuned=True)
        assert ("--learning_rate" in printed, "--optimizer" in printed) == (
            not (run.stages or named), named and not run.stages,
        )  # fmt: skip
        (found,) = studied(*shlex.split(printed))
        assert found == run and digest(found) == digest(run)


def stages_with(grid: list[float], bayes: list[float], given_up: list[float]):
    """Optuna studies whose trials ended like this."""
    import optuna

    found = []
    for values, lost, name in ((grid, [], "p1"), (bayes, given_up, "dropout")):
        stage = optuna.create_study(direction="maximize")
        place = optuna.distributions.FloatDistribution(0, 1)
        for i, value in enumerate([*values, *lost]):
            trial = stage.ask({name: place})
            trial.report(value, 1)
            stage.tell(trial, value) if i < len(values) else stage.tell(trial, state=optuna.trial.TrialState.PRUNED)
        found.append(stage)
    return found


def test_the_best_settings_are_those_that_had_the_best_accuracy():
    from reproductions.st_saclf.figures import parameters
    from reproductions.st_saclf.search import best_of

    grid, bayes = stages_with([0.5, 0.7], [0.6, 0.8], [])
    assert best_of(grid, bayes) == (0.8, {**grid.best_params, **bayes.best_params})
    grid, bayes = stages_with([0.5, 0.7], [0.6, 0.65], [0.9])
    assert best_of(grid, bayes) == (0.7, grid.best_params)
    grid, bayes = stages_with([0.7], [], [0.9])  # Optuna gives a trial that was given up a value, and calls it no best
    assert best_of(grid, bayes) == (0.7, grid.best_params)

    _, bayes = stages_with([0.7], [0.6, 0.65], [0.9])
    dots = parameters(bayes).axes[0].collections[0]
    assert [face[3] for face in dots.get_facecolors()] == [1, 1, 0]


def test_the_next_trial_follows_from_those_that_are_finished():
    import optuna

    from reproductions.st_saclf.search import following

    space = {"p1": [0.0, 0.5], "p2": [0.0, 1.0]}
    grid, bayes = optuna.create_study(), optuna.create_study()
    for number in range(4):
        trial, killed = following(grid.trials, 4, space), following(grid.trials, 4, space)
        for one in (killed, trial):
            found = {name: one.suggest_categorical(name, values) for name, values in space.items()}
            assert found == {"p1": space["p1"][number // 2], "p2": space["p2"][number % 2]}
        trial.study.tell(trial, 0.5)
        grid.add_trial(trial.study.trials[-1])
    for number in range(14):  # more than are drawn at random
        trial, killed = following(bayes.trials, 4, None), following(bayes.trials, 4, None)
        x = trial.suggest_float("x", 0, 1)
        assert killed.suggest_float("x", 0, 1) == x
        trial.study.tell(trial, x)
        bayes.add_trial(trial.study.trials[-1])
        assert bayes.trials[-1].number == number
    assert len({trial.params["x"] for trial in bayes.trials}) == 14


@pytest.mark.slow
@pytest.mark.usefixtures("every_epoch_kept")
def test_a_search_that_was_stopped_ends_with_the_trials_of_one_that_was_not(
    picture_folder: Path, backbone_file: Path, tmp_path: Path, monkeypatch, capsys
):
    import optuna

    from keras_art.learning.keeping import Keeper

    def trials(store: Path) -> list[tuple]:
        (file,) = (store / "st_saclf" / "search").glob("*.db")
        studies = [optuna.load_study(study_name=name, storage=f"sqlite:///{file}") for name in ("grid", "bayes")]
        return [(t.number, t.state.name, t.values, t.params, t.intermediate_values) for s in studies for t in s.trials]

    asked = arguments(picture_folder, backbone_file, tmp_path / "whole", "--stages", "2@1e-3")
    asked = ["search", *asked, "--p1", "0", "1", "--p2", "0"]
    assert main([*asked, "--trials", "3"]) == 0
    stopped = [str(tmp_path / "stopped") if word == str(tmp_path / "whole") else word for word in asked]
    ended, count = Keeper.on_epoch_end, 0

    def interrupted(self, epoch, logs=None):
        nonlocal count
        count += 1
        if count in (2, 5, 9):  # before an epoch is kept
            raise KeyboardInterrupt
        ended(self, epoch, logs)
        if count in (4, 7, 12):  # after it
            raise KeyboardInterrupt

    monkeypatch.setattr(Keeper, "on_epoch_end", interrupted)
    statuses = [main([*stopped, "--trials", "3"])]
    while statuses[-1] == 130:
        statuses.append(main([*stopped, "--trials", "3"]))
    assert statuses == [130] * 6 + [0]
    assert trials(tmp_path / "stopped") == trials(tmp_path / "whole")
    assert [number for number, *_ in trials(tmp_path / "whole")] == [0, 1, 0, 1, 2]
    assert not list((tmp_path / "stopped").rglob("checkpoint"))


def test_a_dry_run_lists_all_runs_and_trains_nothing(picture_folder: Path, tmp_path: Path, capsys, monkeypatch):
    # A thousand photographs and VGG16's steps take half a minute each.
    monkeypatch.setattr(making, "WORTH_PROCESSES", 10_000)
    monkeypatch.setattr(making, "photograph", lambda rng, texture, shape, size: np.full((size, size, 3), 0.5))
    monkeypatch.setattr(speeds, "measure", lambda *what: dict.fromkeys(what[3], (30.0, 90.0)))
    asked = ["--data", str(picture_folder), "--store", str(tmp_path / "store"), "--weights", "demo"]
    assert main([*asked, "--dry_run"]) == 0
    printed = capsys.readouterr().out
    for kind in ("decoder", "stylised", "classifier", "st_saclf"):
        assert printed.count(f"{tmp_path}/store/{kind}/") == 1, kind
    assert "4 runs, 4 to do" in printed
    assert not list((tmp_path / "store").glob("*/*/config.json"))


def test_bad_taps_stages_and_rare_classes_fail_before_training(
    picture_folder: Path, backbone_file: Path, tmp_path: Path, capsys
):
    for flags, message in (
        (["--taps", "block2_conf"], "no layer 'block2_conf' to tap; the nearest names: block2_conv"),
        (["--stages", "1@1e-3:fire"], "little has no layers called fire"),
        (["--rare", "d"], "no class is called d; there are a, b, c"),
    ):
        assert main([*arguments(picture_folder, backbone_file, tmp_path / "store"), *flags]) == 1
        assert message in capsys.readouterr().err
    assert not list((tmp_path / "store").glob("decoder/*"))


def test_classes_called_like_nothing_or_a_number_keep_their_stylised_images(
    backbone_file: Path, decoder: Path, tmp_path: Path, capsys
):
    for colour, name in zip("abc", ("NA", "nan", "007"), strict=True):
        for i in range(8):
            paint(tmp_path / "pictures" / name / f"{colour}{i}.png", colour, 8 + i)  # others than the decoder has seen
    asked = arguments(tmp_path / "pictures", backbone_file, tmp_path / "store", "--p1", "1", "--p2", "1")
    assert main([*asked, "--modes", "frozen", "--epochs", "1", "--decoder", str(decoder)]) == 0
    (path,) = (tmp_path / "store").glob("st_saclf/*/mixture.csv")
    mixture = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert set(mixture["class"]) == {"NA", "nan", "007"}
    assert (mixture["stylised"] == mixture["originals"]).all() and "0" not in set(mixture["originals"])
    # The decoder was trained on another choice of images, of which this store has no list.
    (page,) = (tmp_path / "store").glob("studies/*/page.html")
    assert "which are not listed here" in page.read_text() and "could not be made" not in capsys.readouterr().err
    assert list((tmp_path / "store").glob("studies/*/figures/*-stylised.png"))


def test_a_decoder_of_another_store_is_taken_as_it_is(
    picture_folder: Path, backbone_file: Path, decoder: Path, tmp_path: Path
):
    second = arguments(picture_folder, backbone_file, tmp_path / "second", "--modes", "frozen", "--epochs", "1")
    assert main([*second, "--decoder", str(decoder)]) == 0
    store = Store(tmp_path / "second")
    ((taken, _),), ((stylised, _),) = finished(store, Decoder), finished(store, Stylised)
    assert stylised.decoder == taken.ref
    for path in decoder.glob("*.keras"):
        assert (store.directory(taken) / path.name).read_bytes() == path.read_bytes()
    # A decoder that is trained once more would be begun anew.
    assert (store.directory(taken) / "environment.json").read_bytes() == (decoder / "environment.json").read_bytes()


def numbers(store: Path) -> dict[str, dict]:
    """What all runs of a store measured, by directory, without seconds."""
    found = {path.parent.name: json.loads(path.read_text()) for path in store.glob("*/*/metrics.json")}
    return {name: {key: value for key, value in of.items() if key != "seconds"} for name, of in found.items()}


def start(arguments: list[str], folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "reproductions.st_saclf", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_two_processes_share_a_study_and_end_with_the_same_table(
    picture_folder: Path, backbone_file: Path, tmp_path: Path
):
    def asked(store: str) -> list[str]:
        more = ("--weights", str(backbone_file), "--seeds", "0", "1", "--modes", "frozen")
        return arguments(picture_folder, backbone_file, tmp_path / store, *more)

    both = [start(asked("shared"), tmp_path) for _ in range(2)]
    printed = [process.communicate(timeout=500) for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    (ours, told), (theirs, also_told) = printed
    assert ours == theirs and "frozen" in ours
    store = Store(tmp_path / "shared")
    for kind in kinds().values():
        for run, found in finished(store, kind.run):
            assert (told + also_told).count(f"{run.title}: {kind.summary(run, found)};") == 1, run.title
    shared = numbers(tmp_path / "shared")
    assert len(shared) == 4
    assert main(asked("alone")) == 0
    assert numbers(tmp_path / "alone") == shared


def test_killed_while_images_are_stylised_or_it_trains_the_same_command_goes_on(
    picture_folder: Path, backbone_file: Path, decoder: Path, tmp_path: Path
):
    asked = arguments(picture_folder, backbone_file, tmp_path / "store", "--p1", "1", "--decoder", str(decoder))
    process = start(asked, tmp_path)
    deadline = time.monotonic() + 300
    while not list((tmp_path / "store").glob("stylised/*/*/*.jpg")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    drawn = list((tmp_path / "store").glob("stylised/*/*/*.jpg"))
    assert drawn and not list((tmp_path / "store").glob("stylised/*/metrics.json"))
    kill_at("best-1.npz", "st_saclf", asked, tmp_path / "store")
    assert list((tmp_path / "store").glob("stylised/*/metrics.json"))
    assert not list((tmp_path / "store").glob("st_saclf/*/metrics.json")), "it was over before it could be killed"
    assert main(asked) == 0
    assert main([*asked, "--store", str(tmp_path / "whole")]) == 0
    assert numbers(tmp_path / "whole") == numbers(tmp_path / "store")
    for path in drawn:
        whole = tmp_path / "whole" / path.relative_to(tmp_path / "store")
        assert whole.read_bytes() == path.read_bytes()


def test_help_and_dry_run_train_nothing(picture_folder: Path, backbone_file: Path, tmp_path: Path, capsys):
    assert main([*arguments(picture_folder, backbone_file, tmp_path / "store"), "--dry_run"]) == 0
    printed = capsys.readouterr().out
    assert "3 runs, 3 to do" in printed
    assert [kind for kind in ("decoder", "stylised", "st_saclf") if f"/store/{kind}/" in printed] == [
        "decoder",
        "stylised",
        "st_saclf",
    ]
    assert not list((tmp_path / "store").glob("*/*/metrics.json"))


def test_bad_taps_fail_before_training(picture_folder: Path, backbone_file: Path, tmp_path: Path, capsys):
    asked = arguments(picture_folder, backbone_file, tmp_path / "store", "--taps", "block2_conf")
    assert main(asked) == 1
    assert "no layer 'block2_conf' to tap; the nearest names: block2_conv" in capsys.readouterr().err
    assert not list((tmp_path / "store").glob("adain/*"))


def test_a_study_is_one_configuration_to_a_directory():
    assert digest(a_run()) != digest(a_run(p1=0.5))
    assert digest(a_run()) != digest(a_run(stylised=RunRef("stylised", "0" * 8)))
    assert isinstance(PRESETS["demo"], Study)


def test_runs_that_differ_in_their_stylised_images_are_never_averaged(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("keras_art.store.runs.environment", dict)
    store = Store(tmp_path)
    scores_ = {key: 0.5 for key in (*tables.SCORES.values(), "test_rare_recall", "test_recall_gap")}
    for p2, made in ((0.0, None), (1.0, "0" * 8), (1.0, "1" * 8)):
        run = a_run(p2=p2, stylised=made and RunRef("stylised", made))
        store.begin(run)
        counts = {"n_images": 20, "n_test": 2, "n_stylised": 0, "epochs": 1}
        store.finish(run, {**scores_, **counts, "status": "ok", "parameters": 1_000_000, "seconds": 60.0})
    found = tables.comparison(store)
    assert list(found["n"]) == [1, 1, 1]
    assert sorted(found["stylised"]) == ["", "0" * 8, "1" * 8]


def test_a_decoder_that_has_seen_test_images_is_refused_and_an_unknown_one_told_of(tmp_path: Path, capsys):
    store, folder = Store(tmp_path / "store"), tmp_path / "other" / "decoder" / "one"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(Decoder(collection="museum-00000000").as_json()))
    (folder / "metrics.json").write_text("{}")
    grid.check_decoder(store, folder, ["a"])
    assert "not known here" in capsys.readouterr().err
    kept = tmp_path / "other" / "collections" / "museum-00000000"
    kept.mkdir(parents=True)
    (kept / "images.csv").write_text("id,split,sha256\n1,train,a\n2,test,b\n")
    grid.check_decoder(store, folder, ["b", "c"])
    with pytest.raises(UserError, match="trained on 1 of the 2 test images"):
        grid.check_decoder(store, folder, ["a", "b"])


def test_a_second_collection_is_tested_without_what_was_trained_on():
    from types import SimpleNamespace

    from reproductions.st_saclf.second import SEEN, score_second

    def ready(splits: list[str], sha256: list[str]) -> SimpleNamespace:
        images = pd.DataFrame({"label": np.arange(len(splits)) % 2, "split": splits})
        task = SimpleNamespace(classes=["a", "b"], images=images, key="museum")
        part = lambda split: np.flatnonzero((images["split"] == split).to_numpy())  # noqa: E731
        pixels = np.zeros((len(splits), 4, 4, 3), np.uint8)
        return SimpleNamespace(task=task, sha256=sha256, part=part, pixels=pixels, rows=np.arange(len(splits)))

    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, keras.layers.Dense(2, "softmax")(keras.layers.Flatten()(inputs)))
    first = ready(["train", "val", "test", "test"], ["0", "1", "2", "3"])
    found = score_second(model, first, ready(["test"] * 4, ["0", "9", "2", "3"]), 2)
    assert (found["images"], found[SEEN]) == (3, 1)
    with pytest.raises(UserError, match="2 of its 2 stand in the train or val split of museum"):
        score_second(model, first, ready(["test"] * 2, ["0", "1"]), 2)

"""What is pasted into a paper."""

from __future__ import annotations

import dataclasses

from keras_art.data.collection import NO_IMAGE
from keras_art.report import paragraphs
from keras_art.study.config import Artefact, Optimizer
from keras_art.study.kinds.classifier import ClassifierRun
from keras_art.study.kinds.clustering import ClusteringRun

MACHINE = {
    "versions": {"keras_art": "0.2.0", "keras": "3.15.1", "jax": "0.7"}, "backend": "jax", "python": "3.11",
    "processor": "An EPYC", "cpus": 2, "platform": "Linux", "commit": "0123456789abcdef",
}  # fmt: skip


def test_what_runs_share_is_said_once_and_what_they_differ_in_as_a_list():
    run = ClassifierRun(
        collection="a-0011aabb", target="artist", network=Artefact("own-00000000.keras"), image_size=64, weights="own",
        optimizer=Optimizer("SGD", 1e-3, (("momentum", 0.9), ("nesterov", True)), (10,)), mode="fine_tuning",
    )  # fmt: skip
    (said,) = paragraphs.training({dataclasses.replace(run, seed=seed): {} for seed in range(3)})
    assert said.startswith("Fine tuning (3 runs): images squashed to 64 x 64 pixels; network own; initial weights own;")
    assert "optimizer SGD (learning rate 0.001, momentum 0.9, nesterov, a tenth after 10 epochs)" in said
    assert said.endswith("seeds 0, 1 and 2.") and "precision" not in said


def test_a_network_that_scales_pixels_itself_is_not_said_to_have_imagenets():
    run = ClassifierRun(collection="a-0011aabb", target="artist", network=Artefact("mine-00000000"), weights="own")
    assert "; preprocessing mine's own; " in paragraphs.training({run: {}})[0]
    beside = [dataclasses.replace(run, network=name, weights="imagenet") for name in ("VGG19", "hf://me/net")]
    (said,) = paragraphs.training({each: {} for each in [run, *beside]})
    assert "; preprocessing mine's own, imagenet and hf://me/net's own; " in said
    none = dataclasses.replace(run, preprocessing="none")
    assert "; preprocessing none but mine's own; " in paragraphs.training({none: {}})[0]
    file = dataclasses.replace(run, network=Artefact("own-00000000.keras"), preprocessing="caffe")
    assert "; preprocessing caffe; " in paragraphs.training({file: {}})[0]


def test_what_a_probe_has_chosen_is_told_and_nothing_that_it_does_not_read():
    linear, knn = (
        ClassifierRun(collection="a-0011aabb", target="artist", mode=mode) for mode in ("linear_probe", "knn_probe")
    )
    other = dataclasses.replace(knn, target="style")
    found = {
        linear: {"inverse_penalty": 0.01}, knn: {"k": 1, "metric": "cosine"}, other: {"k": 5, "metric": "euclidean"},
    }  # fmt: skip
    first, second = paragraphs.training(found)
    assert first.endswith("preprocessing imagenet; inverse penalty 0.01, chosen on validation images.")
    assert second.endswith("; k = 1 by cosine distance and k = 5 by euclidean distance, chosen on validation images.")
    svm = ClassifierRun(collection="a-0011aabb", target="artist", head="linear_svm")
    drawn = dataclasses.replace(linear, weights="none")  # by the seed
    classical, probe = paragraphs.training({svm: {}, drawn: {}})
    assert "epochs" not in classical and "optimizer" not in classical and "head linear_svm" in classical
    assert probe.endswith("seed 0.")


def test_what_can_not_stop_early_is_not_said_to():
    run = ClassifierRun(collection="a-0011aabb", target="artist", mode="fine_tuning", epochs=1, patience=7)
    (said,) = paragraphs.training({run: {}})
    assert "; 1 epoch; " in said and "stopped" not in said
    (said,) = paragraphs.training({dataclasses.replace(run, epochs=8): {}})
    assert "; 8 epochs; " in said and "stopped" not in said
    (said,) = paragraphs.training({dataclasses.replace(run, epochs=9): {}, run: {}})
    assert "; 9 and 1 epochs at most; stopped after 7 epochs without" in said
    (said,) = paragraphs.training({dataclasses.replace(run, epochs=9, patience=1): {}})
    assert "; 9 epochs at most; stopped after 1 epoch without" in said


def test_of_a_clustering_and_its_pretraining_each_tells_its_own_length():
    before = ClusteringRun(mode="pretraining", collection="a-0011aabb", epochs=10)
    run = ClusteringRun(collection="a-0011aabb", k=6, max_iterations=40, weights=before.ref)
    first, second = paragraphs.training({before: {}, run: {}})
    assert "10 epochs at most" in first and "iterations" not in first and "preprocessing" not in first
    assert "40 iterations at most" in second and not any(word in second for word in ("epochs", "kept", "preprocessing"))
    beside = dataclasses.replace(run, backbone="VGG19")
    assert "preprocessing imagenet" in paragraphs.training({beside: {}})[0]


def test_a_collection_is_told_with_its_split_and_what_was_left_out():
    facts = {
        "targets": ["style"], "classes": ["x", "y"], "n_images": 1200, "rule": "artist_disjoint", "split_seed": 3,
        "quarantined": 1,
    }  # fmt: skip
    said = paragraphs.data("museum", facts, {"train": 1000, "val": 100, "test": 100}, [NO_IMAGE])
    assert said == (
        "The collection museum holds 1,200 images with 2 classes of style, split into 1,000 for training, 100 for "
        "validation, 100 for testing (artist-disjoint split, seed 3); 1 other was left out: rows without a "
        "picture, pictures without a row, or pictures that can not be read."
    )
    given = paragraphs.data("museum", facts | {"rule": "given", "val_from_train": True}, {})
    assert "(given split, validation images taken out of train, seed 3)" in given
    of_folders = paragraphs.data("museum", facts, {}, ["stands outside the class folders"])
    assert of_folders.endswith("left out: files that are no pictures of a class, or pictures that can not be read.")
    assert "split" not in paragraphs.data("museum", facts | {"rule": "whole"}, {})


def test_other_machines_are_said_and_a_commit_where_it_was_one():
    said = paragraphs.software([MACHINE], 600)
    assert said == (
        "Computed by keras_art 0.2.0 (commit 0123456789ab) with Keras 3.15.1 on jax 0.7, Python 3.11 on An EPYC, "
        "2 cores, in 10 min."
    )
    assert "commit" not in paragraphs.software([MACHINE, MACHINE | {"commit": "ff"}], 600)
    assert "other machines" not in paragraphs.software([MACHINE, MACHINE | {"commit": "ff"}], 600)
    assert "and other machines" in paragraphs.software([MACHINE, MACHINE | {"cpus": 64}], 600)
    assert paragraphs.software([], 0) == ""

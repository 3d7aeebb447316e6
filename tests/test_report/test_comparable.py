"""What may stand beside a printed number, both ways, on stores written by hand; no backend is started."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from keras_art.data import cards, kept
from keras_art.data.choices import Choice
from keras_art.data.splits import split
from keras_art.report import comparable
from keras_art.report.comparable import judge, judge_collection
from keras_art.store.runs import Store
from keras_art.study.config import Artefact, Optimizer, RunRef
from keras_art.study.kinds.classifier import ClassifierRun, labels
from keras_art.writing import write_csv
from reproductions import kaokore2020
from reproductions.dcec_paint import study as dcec
from reproductions.multitask.kind import MultitaskRun
from reproductions.multitask.tables import PRINTED as SEVEN
from reproductions.sabatelli2018 import study as transfer
from reproductions.sabatelli2018 import tables
from reproductions.sabatelli2018.tables import TABLE_2, TABLE_3
from reproductions.sabatelli2021 import study as tickets
from reproductions.st_saclf import grid

CARD = """
title = "{title}"
source = ""
licence = ""
obtain = ""
layout = ""
citation = ""
signs = []
{more}
"""
KNOWN = {f"{i:04d}": "prent" if i % 2 else "schilderij" for i in range(9)}
SAME = {"rule": "random", "split_seed": 42, "class_filter": True}


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store, and small cards: 200 objects of the Rijksmuseum, of which the filter leaves 100 to 190."""
    known = "\n".join(f'"{id_}" = "{label}"' for id_, label in KNOWN.items())
    bounds = "\n".join(f"{t} = {{ images = [100, 190], classes = [2, 9] }}" for t in ("material", "type", "artist"))
    faces = hashlib.sha256("\n".join(f"{i:04d}\tpainting {i % 3}" for i in range(180, 200)).encode()).hexdigest()[:16]
    texts = {
        "rijksmuseum": f"[content]\nobjects = 200\n[content.known.type]\n{known}\n[bounds]\n{bounds}",
        "antwerp": "",
        "kaokore": f'[versions."1.2".content]\nobjects = 200\ntest.status = "{faces}"\n[versions."1.1".content]\n'
        'objects = 300\ntest.status = "0000"',
    }
    for name, more in texts.items():
        (tmp_path / "cards" / name).mkdir(parents=True)
        (tmp_path / "cards" / name / "card.toml").write_text(CARD.format(title=f"the {name}", more=more))
    monkeypatch.setenv("KERAS_ART_DATASETS", str(tmp_path / "cards"))
    kept_in = Store(tmp_path / "store")
    for key in ("rijksmuseum-00000001", "antwerp-00000001"):
        collection(kept_in, key)
    collection(kept_in, "kaokore-1.2-00000001", size=200, target="status", rule="given")
    return kept_in


def collection(store, key, size=180, classes=3, target="type", blank=20, labels=None, ids=None, **facts):
    """Writes down a choice of `size` images as `kept` does, `blank` more have no label; the last 20 are for tests."""
    folder = kept.folder_of(store, key)
    ids = ids or [f"{i:04d}" for i in range(size)]
    names = [f"painting {i % classes}" for i in range(size)]
    columns = {"type": [KNOWN.get(id_, name) for id_, name in zip(ids, names, strict=True)], "status": names}
    columns |= labels or {}
    splits = ["test" if i >= size - 20 else "train" for i in range(size)]
    rows = [
        (id_, f"{id_}.jpg", id_, split, i % classes, 1, "")
        for i, (id_, split) in enumerate(zip(ids, splits, strict=True))
    ]
    write_csv(folder / "images.csv", kept.IMAGES, rows)
    write_csv(folder / "columns.csv", ["id", *columns], zip(ids, *columns.values(), strict=True))
    told = {
        "name": key.rsplit("-", 1)[0], "targets": [target], "root": "/gone", "n_images": size, "digest": key[-8:],
        "classes": [f"painting {i}" for i in range(classes)], "dropped_labels": {"(blank)": blank},
        "dropped_classes": {}, "quarantined": 0, **SAME, **facts,
    }  # fmt: skip
    (folder / "task.json").write_text(json.dumps(told))


def finished(store, run):
    """Writes a run down, and that it is finished; returns how others name it."""
    folder = store.directory(run)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(run.as_json()))
    (folder / "metrics.json").write_text(json.dumps({"status": "ok"}))
    return run.ref


def a_run(mode="off_the_shelf", preset="paper", network="VGG19", **fields):
    place = {"collection": "rijksmuseum-00000001", "target": "type"} | fields
    start = ClassifierRun(mode=mode, network=network, collection=place.pop("collection"), target=place.pop("target"))
    return dataclasses.replace(transfer.like(transfer.PRESETS[preset], start), **place)


SGD = Optimizer("SGD", 1e-3)
# What is changed in a run by the paper's text on the paper's pictures -> what differs; "": it may stand there.
RUNS = {
    "off the shelf": ({}, ""),
    "fine-tuned": ({"mode": "fine_tuning"}, ""),
    "from scratch": ({"mode": "scratch", "network": "InceptionV3"}, ""),
    "another network of the paper": ({"network": "Xception"}, ""),
    "another seed": ({"seed": 7}, ""),
    "by the code": ({"preset": "released"}, "class filter True"),  # which has no filter, and the collection has
    "random weights off the shelf": ({"weights": "none"}, "weights none where the paper has imagenet"),
    "random weights fine-tuned": ({"mode": "fine_tuning", "weights": "none"}, "weights none"),
    "ImageNet where scratch is meant": (
        {"mode": "scratch", "network": "InceptionV3", "weights": "imagenet"}, "weights imagenet",
    ),
    "a file of weights that is gone": ({"weights": Artefact("w-00000000.h5")}, "gone from the store"),
    "weights of the demo": ({"weights": RunRef("classifier", "00000000")}, "holds no classifier 00000000"),
    "another image size": ({"image_size": 96}, "image_size 96 where the paper has 224"),
    "the size of VGG19": ({"network": "Xception", "image_size": 224}, "where the paper has 299"),
    "other pixels": ({"preprocessing": "caffe"}, "preprocessing caffe where the paper has unit"),
    "another resize": ({"resize": "crop"}, "resize crop"),
    "batch normalisation of Keras 3": ({"frozen_bn": "inference"}, "frozen_bn inference"),
    "another head": ({"head": "linear_svm"}, "head linear_svm where the paper has softmax"),
    "another optimizer": ({"optimizer": SGD}, "optimizer SGD"),
    "another learning rate": (
        {"mode": "fine_tuning", "optimizer": Optimizer("SGD", 1e-4, (("momentum", 0.9), ("nesterov", True)))},
        "optimizer SGD 0.0001",
    ),
    "a larger batch": ({"batch_size": 64}, "batch_size 64 where the paper has 32"),
    "one epoch": ({"epochs": 1}, "epochs 1 where the paper has 100"),
    "less patience": ({"patience": 3}, "patience 3"),
    "the last weights": ({"keep": "last"}, "keep last"),
    "another momentum": ({"bn_momentum": 0.9}, "bn_momentum 0.9"),
    "half precision": ({"precision": "mixed_float16"}, "precision mixed_float16"),
    "many settings": (
        {"epochs": 1, "patience": 1, "keep": "last", "batch_size": 8, "bn_momentum": 0.5, "resize": "pad"},
        "; and 3 more",
    ),
    "a network that the paper lacks": ({"network": "MobileNetV2"}, "MobileNetV2 is none of the paper's"),
    "a network of a file": ({"network": Artefact("own-00000000.keras")}, "own-00000000.keras is none"),
    "the atelier": ({"collection": "atelier-target-00000001"}, "the demo's own"),
    "a collection that is not there": ({"collection": "rijksmuseum-0000000f"}, "absent"),
    "another label": ({"collection": "kaokore-1.2-00000001"}, "labelled by status, the paper's by material or type"),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_a_run_stands_beside_a_printed_number_or_says_what_differs(store, name):
    change, reason = RUNS[name]
    verdict = judge(store, a_run(**change), transfer.RIJKSMUSEUM)
    assert verdict.comparable == (reason == "") == (verdict.note == "")
    assert reason in verdict.note
    followed = {"the atelier": "demo", "another label": "study", "a collection that is not there": "study"}
    assert verdict.protocol == followed.get(name, "study" if reason and "network" not in name else "paper")


@pytest.mark.parametrize("target", ["material", "type", "artist", "status"])
@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize("place", ["rijksmuseum", "antwerp"])
def test_what_may_stand_there_is_what_is_printed_and_nothing_else(store, place, carried, target):
    """Every network and mode by the paper's settings: the cells of Tables 2 and 3, and the curves from scratch."""
    printed = {
        "rijksmuseum": transfer.RIJKSMUSEUM,
        "antwerp": dataclasses.replace(transfer.ANTWERP, card="rijksmuseum"),
    }
    collection(store, "rijksmuseum-00000002", target=target)
    theta = "theta_r" if carried else "theta_i"
    column = {"off_the_shelf": f"{theta}_off", "fine_tuning": f"{theta}_ft"} if place == "antwerp" else {}
    table = (TABLE_3 if place == "antwerp" else TABLE_2).cells()
    cells = set(zip(table["challenge"], table["network"], table["mode"], strict=True))
    if place == "rijksmuseum":
        cells |= {(each, "InceptionV3", "scratch") for each in ("material", "type", "artist")}
    for network in (*transfer.NETWORKS, "MobileNetV2"):
        theta_r = finished(
            store, a_run("fine_tuning", network=network, collection="rijksmuseum-00000002", target=target)
        )
        for mode in ("off_the_shelf", "fine_tuning", "scratch", "linear_probe", "knn_probe", "zero_shot"):
            start = ClassifierRun(mode=mode, network=network, collection="rijksmuseum-00000002", target=target)
            known = mode in transfer.PRESETS["paper"].modes and not (mode == "scratch" and network != "InceptionV3")
            run = transfer.like(transfer.PRESETS["paper"], start) if known else start
            if carried:
                run = dataclasses.replace(run, weights=theta_r)
            verdict = judge(store, run, printed[place])
            is_printed = (target, network, column.get(mode, mode)) in cells
            assert verdict.comparable == (is_printed and (place == "antwerp" or not carried)), verdict.note


@pytest.mark.parametrize(
    ("fields", "asked", "protocol"),
    [
        ({}, "modern", "modern"),
        ({}, "study", "modern"),  # --table shows all of a store
        ({"seed": 5, "network": "Xception"}, "modern", "modern"),
        ({"weights": "own", "image_size": 64, "preprocessing": "caffe"}, "modern", "modern"),  # of a file
        ({"image_size": 64}, "modern", "study"),
        ({"weights": "none"}, "modern", "study"),
        ({"test_flips": False}, "modern", "study"),
        ({"epochs": 5}, "modern", "study"),
        ({"mode": "linear_probe"}, "modern", "modern"),
        ({"mode": "linear_probe"}, "study", "study"),  # it reads nothing of a preset
        ({"mode": "knn_probe", "resize": "crop"}, "modern", "study"),
        ({"preset": "paper"}, "modern", "paper"),
        ({"preset": "study"}, "modern", "study"),
        ({"preset": "study", "mode": "off_the_shelf"}, "modern", "study"),
        ({"collection": "atelier-00000001"}, "modern", "demo"),
        ({"collection": "unfiltered-00000001"}, "modern", "study"),
    ],
)
def test_what_follows_no_paper_is_called_by_its_preset_while_nothing_of_it_is_changed(store, fields, asked, protocol):
    collection(store, "unfiltered-00000001", class_filter=False)
    run = a_run(**{"preset": "modern", "mode": "fine_tuning"} | fields)
    verdict = tables.verdict_of(store, run, ())
    assert tables.protocol_of(store, run, verdict, transfer.PRESETS[asked]) == protocol
    assert verdict.comparable == (protocol == "paper")


def test_networks_of_files_that_are_called_alike_are_never_averaged(store):
    runs = [a_run("linear_probe", "modern", Artefact(f"net-{digest * 8}.keras"), weights="own") for digest in "ab"]
    measured = {
        "n_images": 180,
        "n_classes": 9,
        "n_test": 18,
        "parameters": 10,
        "width": 6,
        "epochs": 0,
        "seconds": 1.0,
    }
    for run, accuracy in zip(runs, (0.75, 0.25), strict=True):
        finished(store, run)
        said = {
            **json.loads((store.directory(run) / "metrics.json").read_text()),
            "test_accuracy": accuracy,
            **measured,
        }
        (store.directory(run) / "metrics.json").write_text(json.dumps(said))
    made = {paper.name: found for paper, found in tables.tables_of(store, None, transfer.PRESETS["study"]).paper}
    rows = made[TABLE_2.name].query("n == 1")
    assert dict(zip(rows["network"], rows["ours"], strict=True)) == {
        "net-aaaaaaaa.keras": 75.0,
        "net-bbbbbbbb.keras": 25.0,
    }
    assert set(rows["n"]) == {1}


@pytest.mark.parametrize(
    ("names", "called"),
    [
        (["VGG19", "net-aaaaaaaa.keras"], ["VGG19", "net"]),
        (["net-aaaaaaaa.keras", "net-aaaaaaaa.keras"], ["net", "net"]),
        (["VGG19", "VGG19-aaaaaaaa.keras"], ["VGG19", "VGG19-aaaaaaaa.keras"]),
        (["net-aaaaaaaa.keras", "net-bbbbbbbb"], ["net-aaaaaaaa.keras", "net-bbbbbbbb"]),
    ],
)
def test_a_network_is_called_by_its_file_alone_where_no_other_is_called_so(names, called):
    networks = [Artefact(name) if "-" in name else name for name in names]
    assert [labels(networks)[network] for network in networks] == called


def test_from_scratch_the_paper_has_one_network_and_its_code_none(store):
    alike = {"mode": "scratch", "weights": "none"}
    start = dataclasses.replace(a_run("fine_tuning", network="VGG19"), **alike)
    note = judge(store, start, transfer.RIJKSMUSEUM).note
    assert note == "not beside the paper's: from scratch the paper has InceptionV3 alone"
    collection(store, "rijksmuseum-00000002", class_filter=False)
    by_code = a_run("fine_tuning", "released", network="InceptionV3", collection="rijksmuseum-00000002")
    verdict = judge(store, dataclasses.replace(by_code, **alike), transfer.RIJKSMUSEUM)
    assert verdict.protocol == "study" and "preprocessing imagenet where the paper has unit" in verdict.note


OTHERS = {f"x{i:03d}": "prent" for i in range(180)}
# What is changed in the collection -> what differs; "": its pictures are the card's.
PICTURES = {
    "as the card says": ({}, ""),
    "one in a hundred missing": ({"blank": 18}, ""),
    "the most classes": ({"classes": 9}, ""),
    "another label column": ({"target": "material"}, ""),
    "labels that depend on the route": ({"labels": {"type": ["prent"] * 2 + ["prent", "prent"] * 89}}, "other"),
    "a third of the known left out": ({"ids": [f"{i + 5:04d}" for i in range(180)]}, ""),
    "more of the known left out": ({"ids": [f"{i + 7:04d}" for i in range(180)]}, "other pictures"),
    "34 images": ({"size": 34, "blank": 0}, "34 objects, not the 200 of the rijksmuseum"),
    "a part of them": ({"blank": 0}, "180 objects, not the 200"),
    "others of the right number": ({"ids": list(OTHERS)}, "other pictures than the rijksmuseum"),
    "the right ids of other things": ({"labels": {"type": ["cat"] * 180}}, "other pictures"),
    "without the known column": ({"labels": {"type": [""] * 180}}, "other pictures"),
    "more than there are": ({"blank": 60}, "other pictures"),
    "too many classes": ({"classes": 12}, "12 classes of type, and the paper's filter leaves 2 to 9"),
    "too few images left": ({"size": 90, "blank": 110}, "90 images of type"),
    "another label": ({"target": "status"}, "labelled by status"),
    "a stratified split": ({"rule": "stratified"}, "split stratified where the paper has random"),
    "its own split": ({"rule": "given"}, "split given"),
    "another seed of the split": ({"split_seed": 0}, "split seed 0 where the paper has 42"),
    "no class filter": ({"class_filter": False}, "class filter False"),
    "artists apart": ({"rule": "artist_disjoint"}, "split artist_disjoint"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_told_by_what_is_in_them_and_their_split_by_its_rule(store, name):
    change, reason = PICTURES[name]
    collection(store, "rijksmuseum-00000002", **change)
    target = change.get("target", "type")
    verdict = judge(store, a_run(collection="rijksmuseum-00000002", target=target), transfer.RIJKSMUSEUM)
    assert verdict.comparable == (reason == ""), verdict.note
    assert reason in verdict.note
    if "class filter" not in name:  # the code has none
        assert judge_collection(store, "rijksmuseum-00000002", transfer.RIJKSMUSEUM).comparable == (reason == "")


def test_the_folders_name_counts_for_nothing(store):
    collection(store, "museum-00000002")
    assert judge(store, a_run(collection="museum-00000002"), transfer.RIJKSMUSEUM).comparable


@pytest.mark.parametrize("mode", ["off_the_shelf", "fine_tuning"])
@pytest.mark.parametrize("network", [*transfer.NETWORKS, "MobileNetV2"])
def test_the_code_has_two_of_the_papers_networks(store, network, mode):
    collection(store, "rijksmuseum-00000002", class_filter=False)
    run = a_run(mode, "released", network=network, collection="rijksmuseum-00000002")
    verdict = judge(store, run, transfer.RIJKSMUSEUM)
    assert verdict.comparable == (network in ("ResNet50", "VGG19"))
    if network in ("Xception", "InceptionV3"):
        reason = f"the network {network} is not in the released code, which has ResNet50 and VGG19 alone"
        assert verdict == comparable.Verdict("study", (reason,))
    assert judge(store, a_run(mode, network=network), transfer.RIJKSMUSEUM).comparable == (network != "MobileNetV2")


def test_the_hash_of_a_file_is_found_without_a_backends_own_words(store):
    path = store.root / "cache" / "weights" / "vgg-00000000.h5"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"ImageNet")
    script = (
        "from test_comparable import Artefact, Store, a_run, judge, transfer\n"
        f"run = a_run(weights=Artefact({path.name!r}))\n"
        f"print(judge(Store({str(store.root)!r}), run, transfer.RIJKSMUSEUM).note)"
    )
    beside = os.pathsep.join([*filter(None, sys.path), str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": beside}
    )
    assert "weights vgg-00000000.h5 where the paper has imagenet" in done.stdout and not done.stderr, done.stderr


def test_the_code_has_no_class_filter_and_other_settings(store):
    collection(store, "rijksmuseum-00000002", class_filter=False)
    for mode in ("off_the_shelf", "fine_tuning"):
        verdict = judge(store, a_run(mode, "released", collection="rijksmuseum-00000002"), transfer.RIJKSMUSEUM)
        assert verdict == comparable.Verdict("released", ())


def test_a_damaged_collection_is_a_reason_and_no_end(store):
    (kept.folder_of(store, "rijksmuseum-00000001") / "images.csv").unlink()
    assert "can not be read" in judge(store, a_run(), transfer.RIJKSMUSEUM).note
    (kept.folder_of(store, "rijksmuseum-00000001") / "task.json").write_text("{")
    assert "damaged" in judge(store, a_run(), transfer.RIJKSMUSEUM).note


def test_weights_of_a_file_are_kerass_own_by_their_md5(store, monkeypatch):
    from keras_art.networks import backbones

    path = store.root / "cache" / "weights" / "vgg-00000000.h5"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"ImageNet")
    run = a_run(weights=Artefact(path.name))
    assert "weights vgg-00000000.h5 where the paper has imagenet" in judge(store, run, transfer.RIJKSMUSEUM).note
    monkeypatch.setitem(backbones.IMAGENET_MD5, "VGG19", hashlib.md5(b"ImageNet").hexdigest())
    assert judge(store, run, transfer.RIJKSMUSEUM).comparable
    assert not judge(store, a_run(network="Xception", weights=run.weights), transfer.RIJKSMUSEUM).comparable


# A source that is carried over -> what is wrong with it.
SOURCES = {
    "fine-tuned on the Rijksmuseum": ({}, ""),
    "with another seed": ({"seed": 3}, ""),
    "one epoch": ({"epochs": 1}, "weights of fine tuning on rijksmuseum type: epochs 1"),
    "on KaoKore": ({"collection": "kaokore-1.2-00000001", "target": "type"}, "weights of fine tuning on kaokore-1.2"),
    "off the shelf": ({"mode": "off_the_shelf"}, "it is off_the_shelf where the paper has fine_tuning"),
    "of another network": ({"network": "ResNet50"}, "another network"),
    "of another label": ({"target": "artist"}, "another target"),
    "by the code": ({"preset": "released"}, "weights of fine tuning on rijksmuseum type: "),
    "that began with random weights": ({"weights": "none"}, "weights none where the paper has imagenet"),
    "that carried something over itself": ({"weights": RunRef("classifier", "0000000a")}, "holds no classifier"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_carried_over_has_to_be_comparable_itself(store, name):
    change, reason = SOURCES[name]
    ref = finished(store, a_run(**{"mode": "fine_tuning"} | change))
    run = a_run("fine_tuning", collection="antwerp-00000001", weights=ref)
    note = judge(store, run, transfer.ANTWERP).note
    assert "which images antwerp has is published nowhere" in note  # so nothing stands there, whatever was carried
    assert reason in note and ("weights of" in note) == (reason != "")


def test_what_is_carried_over_has_to_be_finished_and_asked_for(store):
    source = a_run("fine_tuning")
    ref = finished(store, source)
    there = dataclasses.replace(transfer.ANTWERP, card="rijksmuseum")  # pictures that can be known
    run = a_run("fine_tuning", weights=ref)
    assert judge(store, run, there) == comparable.Verdict("paper", ())
    assert "where the paper has released ones" in judge(store, run, transfer.RIJKSMUSEUM).note
    (store.directory(source) / "metrics.json").unlink()
    assert "which is not finished" in judge(store, run, there).note


def a_face(**fields):
    start = grid.SaclfRun(network="ResNet50", collection="kaokore-1.2-00000001", target="status")
    start = dataclasses.replace(
        start, **{name: fields.pop(name) for name in ("network", "collection") if name in fields}
    )
    return dataclasses.replace(grid.like(grid.PRESETS["paper"], start), **fields)


FACES = {
    "the method": ({}, ""),
    "another seed": ({"seed": 0}, ""),
    "another network": ({"network": "VGG16"}, "VGG16 is none"),
    "without attention": ({"attention": "none"}, "attention none where the paper has spatial"),
    "frozen": ({"mode": "frozen"}, "mode frozen where the paper has staged"),
    "other shares": ({"p1": 0.1}, "p1 0.1"),
    "other stylised images": ({"stylised": RunRef("stylised", "00000000")}, "another stylised than the paper's"),
    "no stylised images": ({"stylised": None}, "another stylised"),
    "smaller pictures": ({"image_size": 128}, "image_size 128 where the paper has 256"),
    "another test split": ({"collection": "kaokore-1.2-00000002"}, "its test images are not those of the kaokore 1.2"),
}


@pytest.mark.parametrize("name", FACES)
def test_faces_are_of_a_version_by_their_test_images(store, name):
    change, reason = FACES[name]
    ids = [f"{(i + 100) % 200:04d}" for i in range(200)]
    collection(store, "kaokore-1.2-00000002", size=200, blank=0, target="status", rule="given", ids=ids)
    collection(store, "kaokore-1.2-00000001", size=200, blank=0, target="status", rule="given")
    verdict = judge(store, a_face(**change), grid.PRINTED)
    assert verdict.comparable == (reason == ""), verdict.note
    assert reason in verdict.note
    assert comparable.version_of(store, "kaokore-1.2-00000001", "kaokore") == "1.2"
    assert comparable.version_of(store, "kaokore-1.2-00000002", "kaokore") == ""


@pytest.mark.parametrize(
    ("run", "printed", "protocol", "reason"),
    [
        (tickets.like(tickets.Run(collection="a-00000001")), tickets.PRINTED, "paper", "published nowhere"),
        (tickets.Run(collection="a-00000001", rate=0.5), tickets.PRINTED, "study", "published nowhere"),
        (tickets.Run(collection="a-00000001", network="ResNet20"), tickets.PRINTED, "study", "published nowhere"),
        (MultitaskRun(collection="a-00000001"), SEVEN, "study", "schedule are not published"),
        (kaokore2020.Run(collection="kaokore-1.2-00000001"), kaokore2020.PRINTED, "study", "PyTorch"),
        (
            kaokore2020.like(kaokore2020.Run(collection="kaokore-1.2-00000001")), kaokore2020.PRINTED, "script",
            "PyTorch",
        ),
    ],
)  # fmt: skip
def test_some_printed_numbers_are_of_what_nobody_can_have(store, run, printed, protocol, reason):
    verdict = judge(store, run, printed)
    assert not verdict.comparable and verdict.protocol == protocol
    assert reason in verdict.note


def test_a_clustering_and_its_pretraining_follow_one_preset(store):
    west, paint = (dcec.PRESETS[name] for name in ("west", "paint"))
    refs = {
        preset: finished(store, dcec.like(preset, dcec.Run(mode="pretraining", collection="a-00000001")))
        for preset in (west, paint)
    }
    run = dcec.like(west, dcec.Run(collection="a-00000001", k=8))
    assert judge(store, dataclasses.replace(run, weights=refs[west]), dcec.PRINTED).protocol == "west"
    mixed = judge(store, dataclasses.replace(run, weights=refs[paint]), dcec.PRINTED)
    assert mixed.protocol == "study" and not mixed.comparable


# The bounds of the real card.


@pytest.mark.parametrize("target", ["material", "type", "artist"])
@pytest.mark.parametrize("flat", [0, 50])
def test_the_papers_filter_on_a_long_tail_of_the_printed_size_stays_within_the_cards_bounds(target, flat):
    card = cards.load_card("rijksmuseum")
    images, classes = card.expected[target]["images"], card.expected[target]["classes"]
    sizes = long_tail(images, classes, flat if target != "material" else min(flat, 10))
    names = pd.Series(np.repeat([f"{i:04d}" for i in range(len(sizes))], sizes))
    table = pd.DataFrame({"id": names.index.astype(str), "path": "", "object": "", "split": "", "bytes": 1})
    choice = Choice(
        "rijksmuseum", (target,), table.assign(**{"class": names}), names.to_frame(target), None, "random", 42, True,
        {}, "00000000",
    )  # fmt: skip
    task = split(choice, np.ones(len(table), bool))
    for found, bounds in (
        (task.size, card.bounds[target]["images"]),
        (len(task.classes), card.bounds[target]["classes"]),
    ):
        assert bounds[0] <= found <= bounds[1]
    assert images - task.size > 300  # the paper's own filter takes these away: 1% would not have let it through


def long_tail(images, classes, flat):
    """Sizes of classes that fall as (rank + flat) to some power, the last of one image, and sum up to `images`."""
    ranks, low, high = np.arange(1, classes + 1) + flat, 0.3, 4.0
    for _ in range(60):
        power = (low + high) / 2
        sizes = np.maximum(1, np.round((ranks[-1] / ranks) ** power)).astype(int)
        low, high = (low, power) if sizes.sum() > images else (power, high)
    return sizes


def test_the_cards_own_counts_lie_within_its_bounds():
    card = cards.load_card("rijksmuseum")
    for target, counts in card.expected.items():
        for what, (least, most) in card.bounds[target].items():
            assert least <= counts[what] <= most
            assert what != "images" or most <= card.content["objects"]
    assert all(re.fullmatch(r"\d{7}_[A-Z]+-.+", id_) for id_ in card.content["known"]["type"])

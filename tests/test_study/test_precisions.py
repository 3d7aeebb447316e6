"""What `--precision auto` becomes before anything is computed."""

from __future__ import annotations

import dataclasses

import pytest

from keras_art.errors import UserError
from keras_art.study import precisions, speeds
from keras_art.study.config import RunRef
from keras_art.study.kinds.classifier import ClassifierRun

AUTO = ClassifierRun(collection="a-1", mode="fine_tuning", network="VGG19", image_size=64, precision="auto")


@pytest.fixture
def timed(monkeypatch):
    """Gives speeds to every network, (training, prediction) by precision, and counts who is asked."""
    asked = []

    def measure(store, network, image_size, by, gigamacs):
        asked.append((network, image_size))
        return {"float32": (10.0, 30.0), "mixed_bfloat16": (18.0, 31.0)}

    monkeypatch.setattr(speeds, "measure", measure)
    return asked


def test_each_run_gets_the_faster_precision_of_what_it_does_and_references_follow(store, timed, capfd):
    first = dataclasses.replace(AUTO, mode="pretraining")
    after = [dataclasses.replace(AUTO, weights=first.ref, mode=mode) for mode in ("fine_tuning", "off_the_shelf")]
    trained, tuned, shelf = precisions.settled(store, [first, *after])
    assert trained == dataclasses.replace(first, precision="mixed_bfloat16")
    assert tuned == dataclasses.replace(after[0], weights=trained.ref, precision="mixed_bfloat16")
    assert shelf == dataclasses.replace(after[1], weights=trained.ref, precision="float32")  # 1.03 times is noise
    assert set(timed) == {("VGG19", 64)}
    assert capfd.readouterr().err == (
        "precision of VGG19 at 64 pixels: training by mixed_bfloat16 (1.80 times as fast), "
        "features by float32 (mixed_bfloat16 is 1.03 times as fast)\n"
    )


def test_the_run_is_the_one_that_names_its_precision(store, timed):
    named = dataclasses.replace(AUTO, precision="mixed_bfloat16")
    assert precisions.settled(store, [AUTO, named]) == [named]


def test_nothing_is_measured_where_nobody_asks_or_only_a_plan_is_wanted(store, timed, capfd):
    plain = dataclasses.replace(AUTO, precision="float32")
    assert precisions.settled(store, [plain]) == [plain]
    assert precisions.settled(store, [AUTO], measuring=False) == [plain]
    assert not timed
    assert "not measured yet, taken as float32" in capfd.readouterr().err


def test_what_the_store_knows_a_plan_takes(store, monkeypatch):
    known = {
        speeds.name(store, "VGG19", 64, by): (speed, 1.0) for by, speed in (("float32", 1.0), ("mixed_bfloat16", 2.0))
    }
    monkeypatch.setattr(speeds, "kept", lambda store: known)
    monkeypatch.setattr(speeds, "measure", None)
    (settled,) = precisions.settled(store, [AUTO], measuring=False)
    assert settled.precision == "mixed_bfloat16"


def test_references_to_runs_of_other_studies_stay(store, timed, monkeypatch):
    monkeypatch.setattr(precisions, "ordered", lambda store, runs: runs)
    elsewhere = RunRef("classifier", "00000000")
    (settled,) = precisions.settled(store, [dataclasses.replace(AUTO, weights=elsewhere)])
    assert settled.weights == elsewhere


def test_other_machines_are_not_measured_here():
    precisions.check("auto", "here")
    precisions.check("float32", "slurm")
    with pytest.raises(UserError, match="--executor slurm"):
        precisions.check("auto", "slurm")

"""Order, plan and estimates of a study, without any network."""

from __future__ import annotations

import dataclasses
import os
import re
from types import SimpleNamespace

import pytest
from test_config import TINY, Tiny

from keras_art.store import runs
from keras_art.store.runs import Store, StoreError
from keras_art.study import config, costs, speeds
from keras_art.study.kinds.classifier import ClassifierRun as Run
from keras_art.study.kinds.clustering import ClusteringRun
from keras_art.study.plan import AROUND, ordered, plan


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "environment", dict)
    made = Store(tmp_path / "store")
    made.create()
    return made


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(config, "kinds", lambda: TINY)
    monkeypatch.setattr(costs, "kinds", lambda: TINY)


def test_fine_tuning_counts_three_passes_a_training_image_and_features_one(store):
    def work(run):
        return costs.Estimate(store, {"a-1": 1000}).cost(run).work

    run = Run(collection="a-1", network="VGG19", image_size=224, epochs=2)
    assert work(run) == pytest.approx(19.6 * 1000)
    # 80% of the images three times, 10% once, in two epochs; 10% once at the end
    fine = dataclasses.replace(run, mode="fine_tuning")
    assert work(fine) == pytest.approx(19.6 * 1000 * (2 * (0.8 * 3 + 0.1) + 0.1))
    assert work(dataclasses.replace(run, image_size=112)) == pytest.approx(19.6 * 1000 / 4)


def test_an_estimate_goes_by_what_the_store_has_seen(store):
    seen = Run(collection="a-1", mode="fine_tuning", network="ResNet50", epochs=5)
    assert "guess" in costs.Estimate(store, {"a-1": 100}).basis([seen])
    store.begin(seen)
    counts = {name: 100 for name, kind in seen.measures.items() if kind is int}
    store.finish(seen, {**counts, "status": "ok", "test_accuracy": 0.5, "epochs": 5, "seconds": 1000.0})
    known = costs.Estimate(store, {"a-1": 100})
    assert "1 finished run" in known.basis([seen])
    assert known.known(seen)[0] == pytest.approx(known.cost(seen).work / 1000)
    assert known.seconds(seen) == pytest.approx(1000, rel=0.1)


def test_a_networks_own_speed_comes_before_that_of_others(store, monkeypatch):
    of = {name: Run(collection="a-1", mode="fine_tuning", network=name, epochs=5) for name in ("ResNet50", "VGG19")}
    store.begin(of["ResNet50"])
    counts = {name: 100 for name, kind in of["ResNet50"].measures.items() if kind is int}
    store.finish(of["ResNet50"], {**counts, "status": "ok", "test_accuracy": 0.5, "epochs": 5, "seconds": 1000.0})
    guessed = costs.Estimate(store, {"a-1": 100_000})
    assert guessed.known(of["VGG19"]) == guessed.known(of["ResNet50"])
    asked = []

    def measure(store, network, image_size, precisions, gigamacs):
        assert gigamacs == 19.6
        asked.append((network, image_size, *precisions))
        return dict.fromkeys(precisions, (30.0, 90.0))

    monkeypatch.setattr(speeds, "measure", measure)
    guessed.measure([*of.values(), *of.values()])
    assert asked == [("VGG19", 224, "float32")]
    assert guessed.known(of["VGG19"]) == (30.0, "by steps timed on this machine")
    assert guessed.known(dataclasses.replace(of["VGG19"], mode="off_the_shelf"))[0] == 90.0
    assert "1 finished run" in guessed.known(dataclasses.replace(of["VGG19"], image_size=64))[1]
    assert guessed.basis(list(of.values())) == "by 1 finished run of this store; by steps timed on this machine"


def test_each_way_to_know_a_speed_is_told_once_with_all_finished_runs_that_it_goes_by(store):
    of = [("ResNet50", 0), ("VGG19", 0), ("VGG19", 1)]
    done = [Run(collection="a-1", mode="fine_tuning", network=name, seed=seed, epochs=5) for name, seed in of]
    for run in done:
        store.begin(run)
        counts = {name: 100 for name, kind in run.measures.items() if kind is int}
        store.finish(run, {**counts, "status": "ok", "test_accuracy": 0.5, "epochs": 5, "seconds": 1000.0})
    known = costs.Estimate(store, {"a-1": 100})
    asked = [dataclasses.replace(run, seed=9) for run in done]
    assert known.basis(asked[:1]) == "by 1 finished run of this store"
    assert known.basis(asked[1:]) == "by 2 finished runs of this store"
    other = dataclasses.replace(done[0], network="DenseNet121")  # which goes by all of its kind
    assert known.basis(asked) == known.basis([*asked, other]) == "by 3 finished runs of this store"


def test_a_short_study_and_what_has_no_network_are_not_timed(store, monkeypatch):
    monkeypatch.setattr(speeds, "measure", None)
    run = Run(collection="a-1", mode="fine_tuning", network="ResNet50", image_size=32, epochs=1)
    costs.Estimate(store, {"a-1": 100}).measure([run])
    costs.Estimate(store, {"a-1": 10**7}).measure([ClusteringRun(collection="a-1", epochs=100)])


def test_a_plan_tells_what_is_done_begun_and_to_do(store, tiny, monkeypatch):
    done, begun, to_do = (Tiny(collection="a-1", seed=seed) for seed in range(3))
    store.begin(done)
    store.finish(done, {"status": "ok", "n_images": 100, "seconds": 1})
    (store.begin(begun) / "checkpoint").mkdir()
    (store.directory(begun) / "checkpoint/epoch.npz").touch()
    lines = plan(store, [done, begun, to_do], costs.Estimate(store, {"a-1": 100})).splitlines()
    assert [line.split("  ")[0].strip() for line in lines[:3]] == ["done", "begun", "to do"]
    seconds = [int(re.search(r"about (\d+) s", line)[1]) for line in lines[1:]]
    assert lines[3].startswith("3 runs, 2 to do: about") and abs(seconds[2] - seconds[0] - seconds[1] - AROUND) <= 2
    monkeypatch.setattr(os, "getloadavg", lambda: (99.4, 0, 0), raising=False)
    assert "other work here, which wants 99 of" in plan(store, [to_do], costs.Estimate(store, {"a-1": 100}))
    monkeypatch.setattr(os, "getloadavg", lambda: (0.1, 0, 0), raising=False)
    assert "other work" not in plan(store, [to_do], costs.Estimate(store, {"a-1": 100}))


def test_runs_stand_after_what_they_need_whatever_order_they_are_given_in(store):
    first = Tiny()
    second = Tiny(seed=1, after=first.ref)
    third = Tiny(seed=2, after=second.ref, others=(first.ref,))
    assert ordered(store, [third, Tiny(seed=3), second, first]) == [first, second, third, Tiny(seed=3)]
    assert ordered(store, [first, second, third]) == [first, second, third]


def test_what_is_needed_and_not_given_is_taken_from_the_store(store, tiny):
    needed = Tiny(seed=7)
    with pytest.raises(StoreError, match=f"holds no tiny {needed.ref.digest}"):
        ordered(store, [Tiny(after=needed.ref)])
    store.begin(needed)
    assert ordered(store, [Tiny(after=needed.ref)]) == [needed, Tiny(after=needed.ref)]


def test_a_chain_of_a_thousand_runs_is_ordered(store):
    chain = [Tiny()]
    for seed in range(1, 1000):
        chain.append(Tiny(seed=seed, after=chain[-1].ref))
    assert ordered(store, chain[::-1]) == chain


def test_several_processes_are_promised_a_range_and_never_half(store, tiny):
    runs = [Tiny(collection="a-1", seed=seed) for seed in range(4)]
    guessed = SimpleNamespace(
        seconds=lambda run: 3000.0, cost=lambda run: SimpleNamespace(disk=0), images={}, basis=lambda runs: "as given"
    )
    assert ", 1.9 h to 2.6 h by 2 processes" in plan(store, runs, guessed, 2)  # 3.3 by one
    assert ", 50 min by 2 processes" in plan(store, runs[:1], guessed, 2)
    assert " processes (" not in plan(store, runs, guessed)

"""Files, plans and clocks of a study, without any network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.store.runs import Store
from keras_art.study import plan


@dataclass(frozen=True)
class Run(plan.ClassifierRun):
    paper: ClassVar[str] = "test2018"


def test_a_file_is_called_by_its_contents_and_keeps_the_suffix_keras_goes_by(tmp_path):
    for name in ("net.keras", "net.weights.h5", "net.h5"):
        (tmp_path / name).write_bytes(b"one")
        called = plan.named(str(tmp_path / name))
        assert called.startswith("net-")
        assert called.endswith(name.removeprefix("net"))
        (tmp_path / name).write_bytes(b"other")
        assert plan.named(str(tmp_path / name)) != called
    assert plan.named("VGG19") == "VGG19"


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"net\.keras does not exist"):
        plan.named(str(tmp_path / "net.keras"))


def test_files_are_kept_in_the_store_once(tmp_path):
    (tmp_path / "net.keras").write_bytes(b"weights")
    store = Store(tmp_path / "store")
    plan.keep_files(store, ["VGG19", "imagenet", str(tmp_path / "net.keras")])
    plan.keep_files(store, [str(tmp_path / "net.keras")])
    kept = list((tmp_path / "store/cache/weights").iterdir())
    assert [path.name for path in kept] == [plan.named(str(tmp_path / "net.keras"))]
    assert kept[0].read_bytes() == b"weights"


def test_fine_tuning_counts_three_passes_a_training_image_and_features_one(tmp_path):
    size = {"network": "VGG19", "image_size": 224}
    estimate = plan.Estimate(Store(tmp_path), Run, {})
    assert estimate.gigamacs(Run(**size), images=1000, epochs=7) == pytest.approx(19.6 * 1000)
    fine = estimate.gigamacs(Run(**size, mode="fine_tuning"), images=1000, epochs=2)
    # 80% of the images three times, 10% once, in two epochs; 10% once at the end
    assert fine == pytest.approx(19.6 * 1000 * (2 * (0.8 * 3 + 0.1) + 0.1))
    assert estimate.gigamacs(Run(network="VGG19", image_size=112), 1000, 7) == pytest.approx(19.6 * 1000 / 4)


def test_an_estimate_goes_by_what_the_store_has_seen(tmp_path):
    store = Store(tmp_path)
    store.create()
    seen = Run(collection="a-1", mode="fine_tuning", network="ResNet50", epochs=5)
    guess = plan.Estimate(store, Run, {"a-1": 100})
    assert "guess" in guess.basis
    store.begin(seen)
    store.finish(seen, {"status": "ok", "n_images": 100, "epochs": 5, "seconds": 1000.0})
    known = plan.Estimate(store, Run, {"a-1": 100})
    assert "1 finished run" in known.basis
    assert known.speed == pytest.approx(known.gigamacs(seen, 100, 5) / 1000)
    assert known.seconds(seen) == pytest.approx(1000, rel=0.1)


def test_a_plan_tells_what_is_done_begun_and_to_do(tmp_path):
    store = Store(tmp_path)
    store.create()
    done, begun, to_do = (Run(collection="a-1", seed=seed) for seed in range(3))
    store.begin(done)
    store.finish(done, {"status": "ok"})
    (store.begin(begun) / "checkpoint").mkdir()
    (store.directory(begun) / "checkpoint/epoch.npz").touch()
    lines = plan.plan(store, [done, begun, to_do], plan.Estimate(store, Run, {"a-1": 100})).splitlines()
    assert [line.split("  ")[0].strip() for line in lines[:3]] == ["done", "begun", "to do"]
    assert lines[3].startswith("3 runs, 2 to do: at most")


def test_a_clock_tells_the_time_left_of_the_whole_study(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    clock = terminal.Clock([100.0, 300.0])
    now[0] = 3.0
    clock.tell("too early to say", 0.1)
    now[0] = 50.0
    clock.tell("half of the first", 0.5)
    now[0] = 100.0
    clock.next("the first")
    told = capsys.readouterr().err.splitlines()
    assert told == ["[1/2] half of the first; at most 6 min left", "[1/2] the first; at most 5 min left"]


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (720, "12 min"), (12600, "3.5 h")])
def test_durations_are_round(seconds, words):
    assert terminal.duration(seconds) == words


def test_errors_a_person_can_mend_are_one_line_and_others_are_not_hidden(capsys):
    def mendable():
        raise UserError("take another flag")

    def full():
        raise RuntimeError("could not write") from OSError(28, "No space left on device")

    def stopped():
        raise KeyboardInterrupt

    def defect():
        raise ZeroDivisionError

    assert terminal.guarded(mendable, "prog") == 1
    assert capsys.readouterr().err == "prog: take another flag\n"
    assert terminal.guarded(full, "prog") == 1
    assert "disk is full" in capsys.readouterr().err
    assert terminal.guarded(stopped, "prog") == 130
    with pytest.raises(ZeroDivisionError):
        terminal.guarded(defect, "prog")


def test_figures_are_drawn_once_of_the_same_runs(tmp_path):
    store, drawn = Store(tmp_path), []
    one, two = Run(collection="a-1", seed=0), Run(collection="a-1", seed=1)
    for asked in ([one], [one], [one, two], [two, one], [one]):
        plan.draw_once(store, asked, lambda asked=asked: drawn.append(len(asked)))
    assert drawn == [1, 2, 1]

    def fails():
        raise UserError("stopped")

    with pytest.raises(UserError, match="stopped"):
        plan.draw_once(store, [two], fails)
    plan.draw_once(store, [two], lambda: drawn.append(0))
    assert drawn[-1] == 0

"""Trainings through a store, on small pictures and a network of a few layers."""

from __future__ import annotations

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
from test_ticket_network import prepared

from keras_art.methods.tickets import chains, lottery, masks
from keras_art.methods.tickets.network import values
from keras_art.networks.trained import read_card
from keras_art.store.runs import StoreError
from keras_art.store.sums import Damaged
from keras_art.store.tickets import BadTicket, read_ticket, write_ticket
from keras_art.study import config
from keras_art.study.execute import execute, train
from keras_art.study.files import artefact, artefact_path, keep_files
from keras_art.study.kinds.tickets import chain, chain_file, sparsity
from keras_art.study.plan import ordered
from keras_art.study.records import run_of


def nothing(line, share):
    pass


def finish(store, configs, tell=nothing):
    """Runs what is missing; returns all metrics."""
    execute(store, list(configs), lambda run, folder: train(store, run, folder, tell))
    return [store.metrics(run) for run in configs]


def trained(store, run):
    return values(keras.saving.load_model(store.directory(run) / "model.keras", compile=False))


def ticket_of(store):
    return read_ticket(next((store.root / "tickets").glob("*.npz")))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A chain of five stages, found once for the tests that only look."""
    import csv

    from conftest import COLOURS, paint

    root = tmp_path_factory.mktemp("chain")
    rows = [["image", "artist"]]
    for n, (artist, i) in enumerate((artist, i) for artist in COLOURS for i in range(8)):
        paint(root / "museum" / f"{n:03d}.png", artist, i)
        rows.append([f"{n:03d}.png", artist])
    with (root / "museum" / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    store, first = prepared(root / "store", root / "museum")
    stages = chain(first, 5)
    return store, stages, finish(store, stages)


def test_a_chain_halves_what_is_left_at_every_stage(found):
    _, _, measured = found
    prunable = measured[0]["prunable"]
    assert prunable == 3 * 3 * 3 * 6 + 3 * 3 * 6 * 8 + 8 * 8
    for stage, line in enumerate(measured):
        assert line["status"] == "ok"
        assert abs(line["kept"] - prunable * 0.5**stage) <= 1
        assert line["sparsity"] == pytest.approx(sparsity(stage, 0.5), abs=1.5 / prunable)


def test_pruned_weights_are_zero_in_the_file_and_survivors_have_moved(found):
    store, stages, _ = found
    kept = ticket_of(store)
    for run in stages:
        after, mask = trained(store, run), kept.masks(run.stage)
        for path, alive in mask.items():
            assert (after[path][~alive] == 0).all()
            assert (after[path] != kept.theta[path])[alive].all()


def test_each_mask_is_of_what_the_stage_before_has_trained(found):
    store, stages, _ = found
    kept = ticket_of(store)
    for run in stages[1:]:
        weights = {path: trained(store, run_of(store, run.before))[path] for path in kept.last_stage}
        expected = masks.magnitude_masks(weights, kept.masks(run.stage - 1), sparsity(run.stage, 0.5), "global")
        for path, mask in kept.masks(run.stage).items():
            np.testing.assert_array_equal(mask, expected[path])


def test_theta_k_is_the_state_after_k_epochs_from_theta_0(found):
    store, stages, _ = found
    history = (store.directory(stages[0]) / "theta_k" / "history.csv").read_text()
    assert len(history.splitlines()) == 2  # a header and k = 1 epoch
    theta = ticket_of(store).theta
    assert theta["bn/moving_mean"].any() and theta["softmax/kernel"].shape == (8, 3)


def test_a_ticket_knows_where_it_comes_from(found):
    store, stages, _ = found
    facts = ticket_of(store).facts
    assert facts["classes"] == ["a", "b", "c"] and "head's excepted" in facts["of"]
    assert config.run_from(facts["run"], "somewhere") == stages[0]
    assert facts["environment"]["versions"]["keras"] == keras.__version__


class Killed(BaseException):
    """A stop at a bad moment."""


def kill_after(calls):
    """A `tell` that stops the process, so to speak, when it is called for the n-th time."""
    told = []

    def tell(line, share):
        told.append(line)
        if len(told) == calls:
            raise Killed

    return tell


# On the way to theta_k, in stage 0, before the mask of stage 1 is written, and after.
@pytest.mark.parametrize("calls", [1, 3, 5, 6])
def test_a_chain_that_was_stopped_ends_with_the_same_numbers(found, tmp_path, picture_csv, calls):
    straight, stages, measured = found
    store, first = prepared(tmp_path / "store", picture_csv)
    with pytest.raises(Killed):
        finish(store, chain(first, 2), kill_after(calls))
    for ours, theirs in zip(finish(store, chain(first, 2)), measured, strict=False):
        assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}
    assert ticket_of(store).stages == 2
    for run, other in zip(chain(first, 2), stages, strict=False):
        after = trained(straight, other)
        for path, value in trained(store, run).items():
            np.testing.assert_array_equal(value, after[path], err_msg=path)


def test_controls_begin_with_what_their_names_say(found, monkeypatch):
    store, stages, _ = found
    kept = ticket_of(store)
    began = {}
    monkeypatch.setattr(lottery.training, "fit", lambda model, *rest, folder, **more: stop(model, folder))

    def stop(model, folder):
        began[mode] = values(model)
        raise Killed

    for mode in ("random_mask", "shuffled_mask", "theta_i", "theta_0", "shuffled_theta_k", "transfer", "scratch"):
        run = dataclasses.replace(stages[0], mode=mode, stage=2, ticket=stages[2].ref)
        with pytest.raises(Killed):
            finish(store, [run])
    mask = kept.masks(2)
    for path, alive in mask.items():
        theta = kept.theta[path]
        np.testing.assert_array_equal(began["transfer"][path], theta * alive)
        np.testing.assert_array_equal(began["theta_i"][path], trained(store, stages[2])[path])
        np.testing.assert_array_equal(began["random_mask"][path] != 0, alive)
        assert (began["random_mask"][path] != theta)[alive].all()
        there = began["shuffled_mask"][path] != 0
        assert there.sum() == alive.sum() and (began["shuffled_mask"][path] == theta)[there].all()
        assert (began["scratch"][path] != 0).all() and (began["scratch"][path] != theta).all()
        np.testing.assert_array_equal(began["theta_0"][path], began["scratch"][path] * alive)  # both of this seed
        if not path.startswith("softmax/"):
            np.testing.assert_array_equal(began["shuffled_theta_k"][path], began["shuffled_mask"][path])
    assert not (began["random_mask"]["bn/moving_mean"]).any() and began["transfer"]["bn/moving_mean"].any()
    for mode in ("transfer", "shuffled_theta_k"):
        assert (began[mode]["softmax/kernel"] != kept.theta["softmax/kernel"]).any()
        assert began[mode]["bn/moving_mean"].any() and not began["theta_0"]["bn/moving_mean"].any()
    np.testing.assert_array_equal(began["shuffled_mask"]["softmax/kernel"], kept.theta["softmax/kernel"])


def test_without_late_resetting_theta_k_is_theta_0(tmp_path, picture_csv):
    store, first = prepared(tmp_path / "store", picture_csv, late_resetting=0)
    finish(store, [first])
    assert not ticket_of(store).theta["bn/moving_mean"].any()


def test_a_pruned_head_stays_where_it_was_found(tmp_path, picture_csv):
    store, first = prepared(tmp_path / "store", picture_csv, prune_head=True)
    stages = chain(first, 2)
    _, pruned = finish(store, stages)
    carried = dataclasses.replace(first, mode="transfer", stage=1, ticket=stages[1].ref)
    (measured,) = finish(store, [carried])
    assert pruned["prunable"] == measured["prunable"] + 8 * 3
    assert (trained(store, chain(first, 2)[1])["softmax/kernel"] == 0).any()
    assert (trained(store, carried)["softmax/kernel"] != 0).all()


def test_a_chain_that_diverges_is_recorded_to_its_end(tmp_path, picture_csv):
    store, first = prepared(tmp_path / "store", picture_csv, learning_rate=1e30)
    measured = finish(store, chain(first, 3))
    assert [line["status"] for line in measured] == ["diverged"] * 3
    assert measured[1]["notes"] == ["a training before it has diverged"] and measured[1]["test_accuracy"] is None


@pytest.mark.parametrize("mode", ["transfer", "theta_i", "theta_0", "shuffled_theta_k", "random_mask", "shuffled_mask"])
def test_what_begins_with_a_stage_that_was_never_found_is_recorded_as_diverged(tmp_path, picture_csv, mode):
    store, first = prepared(tmp_path / "store", picture_csv, learning_rate=1e30)
    stages = chain(first, 2)
    asking = dataclasses.replace(first, mode=mode, stage=1, ticket=stages[1].ref)
    measured = finish(store, ordered(store, [asking, *stages]))
    assert [line["status"] for line in measured] == ["diverged"] * 3


def test_a_kernel_that_lost_all_is_recorded_and_noted(tmp_path, picture_csv):
    store, first = prepared(tmp_path / "store", picture_csv, rate=0.99)
    measured = finish(store, chain(first, 2))
    assert measured[1]["kept"] == 7 and measured[0]["emptied"] == []
    assert measured[1]["emptied"], "seven weights of 658 lie in all three kernels: choose another seed"
    assert measured[0]["notes"] == [] and measured[1]["emptied"][0] in measured[1]["notes"][0]


def test_a_stage_whose_ticket_nobody_found_is_refused(found):
    store, stages, _ = found
    missing = dataclasses.replace(stages[0], mode="transfer", stage=9, ticket=chain(stages[0], 10)[9].ref)
    with pytest.raises(StoreError, match="which nobody has computed"):
        finish(store, [missing])
    beyond = dataclasses.replace(missing, ticket=stages[4].ref)
    with pytest.raises(StoreError, match="nobody has found stage 9"):
        finish(store, [beyond])


def test_a_ticket_that_was_exchanged_or_lost_or_cut_short_begins_no_run(tmp_path, picture_csv):
    store, first = prepared(tmp_path / "store", picture_csv, epochs=1)
    stages, another = chain(first, 3), dataclasses.replace(first, rate=0.4)
    finish(store, [*stages[:2], another])
    path = chain_file(store, first)
    whole, other = read_ticket(path), chain_file(store, another)
    carried = dataclasses.replace(first, mode="transfer", stage=1, ticket=stages[1].ref)
    asking = [stages[2], carried, dataclasses.replace(carried, mode="random_mask")]

    def refused(words):
        for run in asking:
            with pytest.raises(BadTicket, match=f"{words}: python -m keras_art store check .* --repair"):
                finish(store, [run])

    shutil.copy(other, path)
    refused(f"{path.name} holds the tickets of another chain, {other.name}")
    with pytest.raises(BadTicket, match="of another chain"):  # nor does the first stage, begun anew, take it up
        train(store, first, tmp_path, nothing)
    path.unlink()
    refused(f"{path.name} is absent")
    write_ticket(path, dataclasses.replace(whole, stages=1))
    refused(f"{path.name} has the stages 0 to 0, not 1")
    write_ticket(path, dataclasses.replace(whole, facts={}))  # of an earlier version
    assert finish(store, asking)[1]["sparsity"] == pytest.approx(0.5, abs=0.01)


def test_a_tickets_file_in_the_store_that_was_exchanged_begins_no_run(found, tmp_path):
    store, stages, _ = found
    file = shutil.copy(chain_file(store, stages[0]), tmp_path / "brought.npz")
    keep_files(store, [str(file)])
    run = dataclasses.replace(stages[0], mode="transfer", stage=1, ticket=artefact(str(file)))
    write_ticket(artefact_path(store, run.ticket), dataclasses.replace(ticket_of(store), stages=2))
    for refuse in (lambda: finish(store, [run]), lambda: chains.check(store, [run])):
        with pytest.raises(Damaged, match=r"brought-.* is not as it was written: delete it, and give the study"):
            refuse()


def test_a_run_waits_for_its_own_stage_and_not_for_the_whole_chain(found):
    store, stages, _ = found
    carried = dataclasses.replace(stages[0], mode="transfer", stage=2, ticket=stages[2].ref)
    order = ordered(store, [carried, *stages])
    assert order == [*stages[:3], carried, *stages[3:]]
    assert config.needs(stages[3]) == [stages[0].ref, stages[2].ref]


def test_all_stages_of_a_chain_are_in_the_file_of_its_first_run(found):
    store, stages, _ = found
    files = {chain_file(store, run) for run in stages}
    assert [path.name for path in files] == [f"museum-artist-tiny-{config.digest(stages[0])}.npz"]
    assert files == set((store.root / "tickets").glob("*.npz"))


def test_a_label_with_a_slash_names_a_file_of_the_folder(found):
    store, stages, _ = found
    path = chain_file(store, dataclasses.replace(stages[0], target="artist/school"))
    assert path.parent == store.root / "tickets" and path.name.startswith("museum-artist_school-")


def test_a_layer_chain_differs_from_a_global_one(found, tmp_path, picture_csv):
    store, first = prepared(tmp_path / "store", picture_csv, scope="layer")
    finish(store, chain(first, 2))
    for mask in ticket_of(store).masks(1).values():
        assert abs(mask.mean() - 0.5) <= 1 / mask.size
    ours, _, _ = found
    shares = [mask.mean() for mask in ticket_of(ours).masks(1).values()]
    assert max(shares) - min(shares) > 0.1


def test_metrics_say_what_the_sparsity_is_of(found):
    store, stages, _ = found
    line = json.loads((store.directory(stages[3]) / "metrics.json").read_text())
    assert line["sparsity"] == 1 - line["kept"] / line["prunable"]
    assert {"val_accuracy", "n_train", "n_test", "best_epoch"} <= set(line)
    card = read_card(store.directory(stages[3]) / "model.keras")
    assert card.calibration[stages[3].target]["temperature"] == line["temperature"]
    assert line["ece_calibrated"] == card.calibration[stages[3].target]["ece_calibrated"]

from __future__ import annotations

import dataclasses
import json
import zipfile

import numpy as np
import pytest

from keras_art.methods.tickets import masks
from keras_art.store import tickets
from keras_art.study.kinds.tickets import sparsity


def make(stages=4, side=20):
    rng = np.random.default_rng(0)
    theta = {
        "one/kernel": rng.normal(size=(3, 3, 4, side)).astype("float32"),
        "bn/gamma": np.ones(side, "float32"),
        "bn/moving_variance": rng.random(side).astype("float32"),
        "two/kernel": rng.normal(size=(side, 5)).astype("float32"),
    }
    kernels = {path: array for path, array in theta.items() if "kernel" in path}
    found = tickets.Ticket(
        theta, {p: np.zeros(a.shape, np.uint8) for p, a in kernels.items()}, 1, {"classes": ["ä", "b"]}
    )
    for stage in range(1, stages):
        kept = masks.magnitude_masks(kernels, found.masks(stage - 1), sparsity(stage, 0.3), "global")
        found = found.with_masks(kept)
    return found, kernels


def test_a_ticket_read_is_the_ticket_written(tmp_path):
    found, _ = make()
    tickets.write_ticket(tmp_path / "tickets" / "t.npz", found)
    again = tickets.read_ticket(tmp_path / "tickets" / "t.npz")
    assert (again.stages, again.facts) == (found.stages, found.facts)
    for name in ("theta", "last_stage"):
        ours, theirs = getattr(found, name), getattr(again, name)
        assert list(ours) == list(theirs)
        for path, array in ours.items():
            assert theirs[path].dtype == array.dtype
            np.testing.assert_array_equal(theirs[path], array)
    assert [path.name for path in (tmp_path / "tickets").iterdir()] == ["t.npz"]


def test_the_masks_of_all_stages_come_back_and_nest():
    found, kernels = make(6)
    kept = found.masks(0)
    assert all(mask.all() for mask in kept.values())
    for stage in range(1, 6):
        expected = masks.magnitude_masks(kernels, kept, sparsity(stage, 0.3), "global")
        kept = found.masks(stage)
        assert all(np.array_equal(kept[p], expected[p]) for p in kept)


def test_31_tickets_take_less_than_twice_one_checkpoint(tmp_path):
    found, _ = make(31, side=2000)
    tickets.write_ticket(tmp_path / "t.npz", found)
    checkpoint = sum(array.nbytes for array in found.theta.values())
    assert checkpoint < (tmp_path / "t.npz").stat().st_size < 1.3 * checkpoint


@pytest.mark.parametrize("stage", [-1, 4])
def test_a_stage_it_does_not_have_is_refused_by_the_files_name(tmp_path, stage):
    found, _ = make()
    with pytest.raises(tickets.BadTicket, match="this ticket has the stages 0 to 3"):
        found.masks(stage)
    tickets.write_ticket(tmp_path / "t.npz", found)
    with pytest.raises(tickets.BadTicket, match=rf"t\.npz has the stages 0 to 3, not {stage}"):
        tickets.read_ticket(tmp_path / "t.npz").masks(stage)


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99, -1])
def test_a_truncated_ticket_is_refused(tmp_path, kept):
    path = tmp_path / "t.npz"
    tickets.write_ticket(path, make()[0])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if 0 < kept < 1 else kept])
    with pytest.raises(tickets.BadTicket, match="no whole ticket"):
        tickets.read_ticket(path)


def test_a_damaged_ticket_is_refused(tmp_path):
    path = tmp_path / "t.npz"
    tickets.write_ticket(path, make()[0])
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(tickets.BadTicket):
        tickets.read_ticket(path)


def test_an_absent_ticket_is_named(tmp_path):
    with pytest.raises(tickets.BadTicket, match=r"nowhere\.npz does not exist"):
        tickets.read_ticket(tmp_path / "nowhere.npz")


def test_what_is_no_ticket_is_refused(tmp_path):
    path = tmp_path / "t.npz"
    found, _ = make()
    np.savez(path, something=np.zeros(3))
    with pytest.raises(tickets.BadTicket):
        tickets.read_ticket(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(tickets.BadTicket):
        tickets.read_ticket(path)
    path.write_text("image,artist\n")
    with pytest.raises(tickets.BadTicket):
        tickets.read_ticket(path)
    tickets.write_ticket(path, dataclasses.replace(found, last_stage={}))
    with pytest.raises(tickets.BadTicket, match="not those of its weights"):
        tickets.read_ticket(path)
    tickets.write_ticket(path, dataclasses.replace(found, last_stage={"one/kernel": np.zeros((2, 2), np.uint8)}))
    with pytest.raises(tickets.BadTicket, match="not those of its weights"):
        tickets.read_ticket(path)


def test_another_format_is_refused_with_the_remedy(tmp_path):
    path = tmp_path / "t.npz"
    np.savez(path, ticket=np.array(json.dumps({"format": 99, "stages": 1})))
    with pytest.raises(tickets.BadTicket, match="another version"):
        tickets.read_ticket(path)


class Trap:
    """What runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_reading_never_executes_code(tmp_path):
    path, sprung = tmp_path / "t.npz", tmp_path / "sprung"
    with path.open("wb") as file:
        np.savez(file, ticket=np.array([Trap(sprung)], dtype=object))
    assert zipfile.ZipFile(path).namelist() == ["ticket.npy"]
    with pytest.raises(tickets.BadTicket):
        tickets.read_ticket(path)
    assert not sprung.exists()

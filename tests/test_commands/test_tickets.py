from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_art.commands import tickets
from keras_art.methods.tickets.network import load_network, values
from keras_art.store.runs import Store
from keras_art.store.tickets import Ticket, read_ticket, write_ticket
from keras_art.study.kinds.tickets import TicketRun, sparsity


@pytest.fixture
def file(tmp_path):
    """A ticket of ResNet20 with three stages in a store."""
    from keras_art.methods.tickets import masks
    from keras_art.networks import heads

    run = TicketRun(collection="museum-0000abcd", target="artist", network="ResNet20", image_size=18, crop=16, rate=0.5)
    model = heads.softmax_classifier(load_network(Store(tmp_path), run), 3)
    kernels = {v.path: keras.ops.convert_to_numpy(v) for v in masks.prunable(model)}
    facts = {
        "run": run.as_json(),
        "classes": ["a", "b", "c"],
        "prunable": sum(kernel.size for kernel in kernels.values()),
        "of": "kernels of convolutions and dense layers, the head's excepted",
    }
    found = Ticket(values(model), {p: np.zeros(k.shape, np.uint8) for p, k in kernels.items()}, 1, facts)
    for stage in (1, 2):
        deeper = masks.magnitude_masks(kernels, found.masks(stage - 1), sparsity(stage, 0.5), "layer")
        found = found.with_masks(deeper)
    write_ticket(tmp_path / "store" / "tickets" / "museum-12345678.npz", found)
    return tmp_path / "store" / "tickets" / "museum-12345678.npz"


def test_list_names_every_ticket_of_a_store(file, capsys):
    assert tickets.main(["list", str(file.parents[1])]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[0] == "file"
    assert line.split()[:4] == [str(file), "museum-0000abcd", "artist", "ResNet20"]
    assert "0.7500" in line


def test_show_takes_what_list_prints_where_the_person_is(file, monkeypatch, capsys):
    monkeypatch.chdir(file.parents[2])
    assert tickets.main(["list", "store"]) == 0
    shown = capsys.readouterr().out.splitlines()[1].split()[0]
    assert shown == "store/tickets/museum-12345678.npz" and tickets.main(["show", shown]) == 0


def test_list_names_tickets_that_came_as_files_and_says_which_can_not_be_read(file, capsys):
    brought = file.parents[1] / "cache" / "weights" / "theirs-0123abcd.npz"
    brought.parent.mkdir(parents=True)
    shutil.copy(file, brought)
    file.write_bytes(file.read_bytes()[:1000])
    write_ticket(file.with_name("odd.npz"), dataclasses.replace(read_ticket(brought), facts={"run": {"kind": "odd"}}))
    assert tickets.main(["list", str(file.parents[1])]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[1].startswith(str(brought))
    assert len(captured.out.splitlines()) == 2
    assert "no whole ticket" in captured.err and "'odd'" in captured.err


def test_a_store_without_tickets_says_how_to_find_some(tmp_path, capsys):
    assert tickets.main(["list", str(tmp_path)]) == 1
    assert "reproductions.sabatelli2021" in capsys.readouterr().err


def test_show_prints_the_ladder_and_its_denominator(file, capsys, tmp_path):
    assert tickets.main(["show", str(file), "--figure", str(tmp_path / "map.png")]) == 0
    printed = capsys.readouterr().out
    assert "270,256 prunable weights: kernels of convolutions and dense layers, the head's excepted" in printed
    assert printed.splitlines()[-1].split()[:4] == ["2", "0.750000", "0.750000", "67,564"]
    assert (tmp_path / "map.png").exists()


def test_a_ticket_is_looked_at_without_keras(file):
    code = f"""
import sys
from keras_art.commands import tickets
assert tickets.main(["list", {str(file.parents[1])!r}]) == tickets.main(["show", {str(file)!r}]) == 0
assert "keras" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "museum-12345678.npz" in done.stdout and not done.stderr


def test_export_writes_theta_k_under_a_mask_as_a_model(file, tmp_path):
    assert tickets.main(["export", str(file), "--stage", "2", "--out", str(tmp_path / "t.keras")]) == 0
    model = keras.saving.load_model(tmp_path / "t.keras", compile=False)
    found = read_ticket(file)
    exported, kept = values(model), found.masks(2)
    for path, theta in found.theta.items():
        np.testing.assert_array_equal(exported[path], theta * kept.get(path, True))
    assert model.predict(np.zeros((1, 16, 16, 3), "uint8"), verbose=0).shape == (1, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--stage", "7"], "stages 0 to 2"), (["--stage", "1", "--out", "t.h5"], "give t.keras")],
)
def test_a_mistake_of_export_gets_one_message(file, capsys, words, message):
    assert tickets.main(["export", str(file), *words]) == 1
    assert message in capsys.readouterr().err


def test_a_truncated_ticket_gets_one_message(file, capsys):
    file.write_bytes(file.read_bytes()[:1000])
    assert tickets.main(["show", str(file)]) == 1
    assert "no whole ticket" in capsys.readouterr().err


def test_without_a_verb_the_verbs_are_told(capsys):
    assert tickets.main([]) == 2
    assert tickets.main(["--help"]) == 0
    assert "export FILE" in capsys.readouterr().out

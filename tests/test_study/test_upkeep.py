"""Every kind of file of a store, damaged in every way: noticed, named and mended, without a backend."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import sqlite3
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import COLOURS, paint

from keras_art.commands import store as command
from keras_art.data import tasks
from keras_art.data.choices import choose
from keras_art.data.sources import load_collection
from keras_art.store import runs
from keras_art.store.runs import Store
from keras_art.store.segments import Segments
from keras_art.store.tickets import Ticket, read_ticket, write_ticket
from keras_art.study import catalogue, records, upkeep
from keras_art.study.files import keep_files
from keras_art.study.kinds.classifier import ClassifierRun
from keras_art.study.kinds.tickets import TicketRun, chain, chain_file
from keras_art.study.records import finished, read_run
from keras_art.writing import write, write_arrays, write_bytes

FLIPPED = 0x10


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A store with a file of every kind, by hand: two classifiers, a ticket and its run, a choice, caches, a search."""
    here = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "environment", dict)
        store = Store(here / "store")
        store.create(threads=7)
        for colour in COLOURS:
            for i in range(4):
                paint(here / "pictures" / colour / f"{i}.png", colour, i, 8)
        collection = load_collection(here / "pictures")
        choice = choose(collection, None, rule="stratified")
        tasks.prepare(store, collection, choice, 8, "squash", lambda done, total: None)
        write(here / "network.keras", "as good as any")
        keep_files(store, [str(here / "network.keras")])
        for seed in range(2):
            _finish(store, ClassifierRun(collection=choice.key, target="class", seed=seed))
        found = TicketRun(collection=choice.key, target="class")
        _finish(store, found)
        kernel = {"dense/kernel": np.ones((2, 2), np.float32)}
        ticket = Ticket(kernel, {"dense/kernel": np.zeros((2, 2), np.uint8)}, 1, {"run": found.as_json()})
        write_ticket(chain_file(store, found), ticket)
        rows = Segments(store.root / "cache" / "features" / "net-00000000", ("sha256", "row", "crc32"))
        with rows.lock(), rows.writing(64) as writer:
            content = [bytes([n]) * 64 for n in range(3)]
            writer.append(content, [(f"{n}", n, zlib.crc32(row)) for n, row in enumerate(content)])
        (store.root / "st_saclf" / "search").mkdir(parents=True)
        with sqlite3.connect(store.root / "st_saclf" / "search" / "x-00000000.db") as base:
            base.execute("CREATE TABLE trials (number INTEGER)")
        catalogue.write_down(
            store, "sabatelli2018", ["--seeds", "0", "1"], [run for run, _ in finished(store, ClassifierRun)]
        )
        begun = store.begin(ClassifierRun(seed=9))
        write_arrays(begun / "checkpoint" / "epoch.npz", {"0": np.ones(9)})
    return store.root


def _finish(store: Store, run: ClassifierRun | TicketRun) -> None:
    folder = store.begin(run)
    write(folder / "history.csv", "epoch,loss\n1,0.5\n2,0.25\n")
    write_arrays(folder / "shared.npz", {"features": np.ones((3, 4))})
    write_bytes(folder / "confusion.png", b"\x89PNG" + bytes(range(64)))
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}" * 40)
    made = {name: 0.5 if type(kind) is tuple else kind(1) for name, kind in run.measures.items()}
    store.finish(run, made | {"status": "ok"})


FILES = [
    "store.json",
    "classifier/*-0-*/config.json",
    "classifier/*-0-*/environment.json",
    "classifier/*-0-*/metrics.json",
    "classifier/*-0-*/history.csv",
    "classifier/*-0-*/shared.npz",
    "classifier/*-0-*/model.keras",
    "classifier/*-0-*/confusion.png",
    "classifier/*-0-*/SHA256SUMS",
    "classifier/*-9-*/checkpoint/epoch.npz",
    "collections/*/task.json",
    "collections/*/images.csv",
    "collections/*/columns.csv",
    "collections/*/SHA256SUMS",
    "cache/images/*/rows.bin",
    "cache/images/*/rows.json",
    "cache/images/*/*.index",
    "cache/features/*/rows.bin",
    "cache/features/*/rows.json",
    "cache/features/*/*.index",
    "cache/weights/network-*.keras",
    "tickets/*.npz",
    "st_saclf/search/*.db",
    "studies/*/study.json",
]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= FLIPPED
    path.write_bytes(content)


def other(path: Path) -> None:
    path.write_text('{"kind": "none"}\n')


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def absent(path: Path) -> None:
    path.unlink()


def pipe(path: Path) -> None:
    """Into which nobody ever writes."""
    path.unlink()
    os.mkfifo(path)


DAMAGES = [truncate, empty, zeros, flip, other, folder, absent, *([pipe] if hasattr(os, "mkfifo") else [])]
# What nobody can miss: without it a directory is not finished, or the folder is made anew.
NOTHING_LACKS = {
    ("classifier/*-0-*/metrics.json", absent), ("classifier/*-9-*/checkpoint/epoch.npz", absent),
    ("collections/*/task.json", absent), ("cache/images/*/*.index", absent), ("cache/features/*/*.index", absent),
    ("cache/images/*/*.index", empty), ("cache/features/*/*.index", empty),
    ("cache/weights/network-*.keras", absent), ("st_saclf/search/*.db", absent), ("store.json", flip),
    ("studies/*/study.json", absent),
}  # fmt: skip


@pytest.fixture
def store(whole, tmp_path) -> Store:
    shutil.copytree(whole, tmp_path / "store")
    records._told.cache_clear()
    return Store(tmp_path / "store")


def test_a_whole_store_has_no_fault_and_one_of_every_kind_of_file(store):
    assert [fault.what for fault in upkeep.faults(store)] == []
    for pattern in FILES:
        assert len(list(store.root.glob(pattern))) == 1, pattern


def files(folder: Path) -> list[Path]:
    """All but locks."""
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]


def on_another_disk(patch: pytest.MonkeyPatch, root: Path) -> None:
    """A folder can not be renamed to where it is to go."""
    rename = Path.rename

    def refused(self: Path, target: Path) -> Path:
        if self == root and target.parent != root.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(self, target)

    patch.setattr(Path, "rename", refused)


def test_a_store_goes_whole_to_another_disk(store, tmp_path, monkeypatch):
    before = {path.relative_to(store.root): path.read_bytes() for path in files(store.root)}
    on_another_disk(monkeypatch, store.root)
    assert command.main(["move", str(store.root), str(tmp_path / "far" / "there")]) == 0
    there = tmp_path / "far" / "there"
    after = {path.relative_to(there): path.read_bytes() for path in files(there)}
    assert before.items() <= after.items()
    assert not store.root.exists()


def test_a_prune_says_what_its_flag_would_give_back_where_that_is_much(store, capsys):
    words = ["prune", str(store.root), "--dry_run"]
    command.main(words)
    assert "--images" not in capsys.readouterr().err  # some hundred bytes
    (rows,) = store.root.glob("cache/images/*/rows.bin")
    rows.write_bytes(bytes(range(250)) * 8000)
    command.main(words)
    assert "--images would give back 2.0 MB more" in capsys.readouterr().err
    command.main([*words, "--images"])
    assert "--images" not in capsys.readouterr().err
    (features,) = store.root.glob("cache/features/*/rows.bin")
    features.write_bytes(bytes(range(250)) * 120_000)
    command.main(words)
    assert "--images" not in capsys.readouterr().err  # 2 MB beside 30
    assert rows.exists() and features.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are Unix's")
def test_what_can_not_be_copied_to_another_disk_keeps_a_store_where_it_is(store, tmp_path, monkeypatch, capsys):
    os.mkfifo(store.root / "pipe")
    on_another_disk(monkeypatch, store.root)
    assert command.main(["move", str(store.root), str(tmp_path / "far" / "there")]) == 1
    assert "pipe can not be copied" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["far", "store"]
    assert not list((tmp_path / "far").iterdir())


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("pattern", FILES)
def test_damage_is_named_and_mended_and_stops_nothing_else(store, pattern, damage, capsys):
    (path,) = store.root.glob(pattern)
    damage(path)
    before = [fault.what for fault in upkeep.faults(store)]
    named = path.parent if "cache" in pattern or path.name == "epoch.npz" else path
    if (pattern, damage) not in NOTHING_LACKS:
        assert any(str(named) in what for what in before), before
    # Whatever became of one, the other run stands in tables.
    assert 1 in {run.seed for run, _ in finished(store, ClassifierRun)}
    assert command.main(["check", str(store.root), "--repair"]) == 0, capsys.readouterr()
    assert [fault.what for fault in upkeep.faults(store)] == []


def test_a_folder_that_is_set_aside_is_gone_whatever_else_is_wrong_with_it(store, capsys):
    wrong = [*store.root.glob("classifier/*-[01]-*/model.keras"), *store.root.glob("collections/*/images.csv")]
    wrong += store.root.glob("classifier/*-0-*/confusion.png")
    for path in wrong:
        flip(path)
    assert command.main(["check", str(store.root), "--repair"]) == 0
    said = capsys.readouterr()
    assert f"{len(wrong)} faults, nothing is left" in said.err and "sealed" not in said.out
    assert len(wrong) == 4 and not [path.parent for path in wrong if path.parent.exists()]


def test_a_collection_that_can_not_be_read_is_one_fault(store, capsys):
    (path,) = store.root.glob("collections/*/task.json")
    truncate(path)
    assert command.main(["check", str(store.root), "--repair"]) == 0
    said = capsys.readouterr()
    assert said.out.count("set aside: ") == 1 and "SHA256SUMS is absent" not in said.out
    assert not path.parent.exists()


def test_a_ticket_of_another_chain_is_named_and_set_aside_with_the_runs_of_its_place(store, capsys):
    (path,) = store.root.glob("tickets/*.npz")
    (finder,) = store.directories("ticket")
    ticket = read_ticket(path)
    another = dataclasses.replace(read_run(finder), rate=0.4)
    write_ticket(path, dataclasses.replace(ticket, facts={"run": another.as_json()}))
    (fault,) = upkeep.faults(store)
    assert f"{path} holds the tickets of another chain, {chain_file(store, another).name}" in fault.what
    assert command.main(["check", str(store.root), "--repair"]) == 0
    assert capsys.readouterr().out.count("set aside: ") == 2
    assert not path.exists() and not finder.exists()


def test_a_ticket_that_does_not_say_whose_it_is_is_taken_by_its_name(store):
    (path,) = store.root.glob("tickets/*.npz")
    write_ticket(path, dataclasses.replace(read_ticket(path), facts={}))
    assert not list(upkeep.faults(store))


def test_a_ticket_lacks_no_stage_that_a_run_has_found_and_none_after_a_divergence(store):
    (path,) = store.root.glob("tickets/*.npz")
    first, second = chain(read_run(store.directories("ticket")[0]), 2)
    _finish(store, second)
    (fault,) = upkeep.faults(store)
    assert f"{path} has the stages 0 to 0, not 1" in fault.what
    shutil.rmtree(store.directory(second))
    for run in (second, dataclasses.replace(first, seed=1)):  # the second has not even come to theta_k
        store.begin(run)
        store.finish(run, store.metrics(first) | {"status": "diverged"})
    assert not list(upkeep.faults(store))


@pytest.mark.parametrize("damage", [truncate, empty, zeros, absent, folder, other])
def test_what_a_store_was_made_with_is_found_again_in_its_runs_and_leases(store, damage, capsys):
    stamp = store.root / "store.json"
    made = {"format": 2, "threads": 7, "locks": "lease"}
    stamp.write_text(json.dumps(made))
    with store.lock(store.directory(ClassifierRun(seed=5))):
        pass
    damage(stamp)
    assert command.main(["check", str(store.root), "--repair"]) == 0
    said = capsys.readouterr().out
    assert "its runs are of 7 threads as before; processes hold runs by leases as before" in said
    assert json.loads(stamp.read_text()) == made


def test_what_no_file_tells_of_how_a_store_was_made_is_told(store, capsys):
    for path in store.root.glob("*/*/environment.json"):
        path.write_text('{"versions": {}}')
    (store.root / "store.json").write_text('{"format": 2}')
    command.main(["check", str(store.root), "--repair"])
    said = capsys.readouterr().out
    assert f"{store.root / 'store.json'} does not say of how many threads its runs are" in said
    assert "no run tells how many threads" in said and "write it there" in said
    assert json.loads((store.root / "store.json").read_text()) == {"format": 2, "threads": os.cpu_count()}


def test_a_study_that_comes_to_runs_without_their_stamp_takes_their_threads(store):
    (store.root / "store.json").unlink()
    Store(store.root).create(threads=3)
    assert store.threads == 7

"""The reproduction through its real command line, on small pictures and a network of a few layers."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import kill_at, paint, paint_folders, paint_museum
from test_ticket_network import save_tiny

from keras_art.commands import flags
from keras_art.commands import tickets as command
from keras_art.commands.store import main as upkeep_main
from keras_art.store.runs import Store
from keras_art.store.tickets import Ticket, read_ticket, write_ticket
from keras_art.study import config
from reproductions.sabatelli2021 import REPRODUCTION, results, tables
from reproductions.sabatelli2021 import study as page

main = REPRODUCTION.main
ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "reproductions" / "published"
LOGS = {
    "Human-LBA": "human_lba", "Lung-Tissues": "lung_tissues", "Mouse-LBA": "mouse_lba", "Bone-Marrow": "bone_marrow",
    "Artist-Classification-1": "artist_classification_1", "Type-Classification": "type_classification",
}  # fmt: skip
COLUMNS = {"target_ticket": "winning_ticket", "cifar10": "cifar10", "cifar100": "cifar100", "fmnist": "fashion_mnist"}


CONTROLS = ["scratch", "random_mask", "theta_i", "theta_0", "shuffled_theta_k"]


def flags_of(place, store):
    """Tickets of a folder of pictures, carried to the artists of a small museum."""
    return [
        *("--sources", str(place / "pictures"), "--data", str(place / "museum"), "--target", "artist"),
        *("--networks", str(place / "networks" / "tiny.keras"), "--image_size", "16", "--crop", "14", "--epochs", "2"),
        *("--stages", "3", "--transfer_stages", "0", "2", "--batch_size", "8", "--late_resetting", "1"),
        *("--store", str(store)),
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with 24 pictures by class, a museum of 24, and a network of a few layers."""
    here = tmp_path_factory.mktemp("place")
    paint_folders(here / "pictures")
    paint_museum(here / "museum")
    save_tiny(here / "networks" / "tiny.keras")
    return here


@pytest.fixture
def arguments(place, tmp_path):
    return flags_of(place, tmp_path / "store")


@pytest.fixture(scope="module")
def whole(place, tmp_path_factory):
    """The flags and the store of a study with every control that was carried out, and what it printed as CSV."""
    store = tmp_path_factory.mktemp("whole") / "store"
    asked, printed = [*flags_of(place, store), "--controls", *CONTROLS], io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main([*asked, "--format", "csv"]) == 0
    return asked, store, printed.getvalue()


def measured(store):
    return {path.parent.name: json.loads(path.read_text()) for path in Path(store).glob("ticket/*/metrics.json")}


def table_of(capsys, *arguments):
    capsys.readouterr()
    assert main([*arguments, "--format", "csv"]) == 0
    return read(capsys.readouterr().out)


def read(printed):
    return pd.read_csv(io.StringIO(printed), dtype=str, keep_default_na=False)


def test_every_cell_of_table_6_is_a_stage_except_the_two_misprints():
    ladder = 1 - 0.8 ** np.arange(31)
    for row in tables.TABLE_6.cells().itertuples():
        assert (abs(ladder - row.paper).min() > 0.0006) == (row.mark in ("†", "‡")), row


def test_table_5_is_the_best_of_the_published_series_except_where_a_note_says_so():
    for row in tables.TABLE_5.cells().itertuples():
        series = pd.read_csv(PUBLISHED / f"lth_{LOGS[row.challenge]}.csv")
        best = series["baseline"][0] if row.mode == "scratch" else series[COLUMNS[row.mode]].max()
        agrees = abs(best - row.paper) < 0.02
        assert agrees == (row.mark not in ("†", "¶", "#", "*")), row
        if row.mark in ("‡", "§"):
            assert series[COLUMNS[row.mode]].idxmax() == 0


def test_table_4_adds_up():
    counts = tables.TABLE_4.cells().pivot(index="challenge", columns="count", values="paper")
    assert (counts["train"] + counts["val"] + counts["test"] == counts["N_t"]).all() and len(counts) == 7


def test_a_study_finds_carries_prints_and_is_not_run_again(whole, capsys):
    asked, store, printed = whole
    first, found = read(printed), measured(store)
    modes = [name.split("tiny-")[1].split("-", 1)[1].split("-")[0] for name in found]
    assert {mode: modes.count(mode) for mode in modes} == {
        "find": 3, "random_mask": 2, "scratch": 1, "transfer": 2, "theta_i": 2, "theta_0": 1, "shuffled_theta_k": 1,
    }  # fmt: skip
    ours = first[(first["n"] == "1") & (first["table"] == "table_5")]
    carried = ours[ours["challenge"] == "museum artist"]
    assert set(carried["mode"]) == {
        "scratch", "pictures", "pictures theta_i", "pictures theta_0", "pictures shuffled_theta_k",
    }  # fmt: skip
    assert {word.split(", best by ")[1] for word in carried["network"]} == {"validation", "test"}
    assert (ours["paper"] == "").all() and (ours["protocol"] == "study").all()
    names = {path.name.split("-")[0] for path in store.glob("studies/*/figures/*-tickets.png")}
    assert names == {"museum", "pictures"}
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*.json")}
    pd.testing.assert_frame_equal(table_of(capsys, *asked), first)
    assert before == {path: path.stat().st_mtime_ns for path in store.rglob("*.json")}


def test_a_killed_study_goes_on_and_ends_with_the_same_numbers(arguments, tmp_path):
    small = [*arguments, "--controls", "scratch", "--stages", "2", "--transfer_stages", "1", "--epochs", "4"]
    assert main([*small, "--store", str(tmp_path / "whole")]) == 0
    kill_at("epoch.npz", "sabatelli2021", small, tmp_path / "store")
    assert len(measured(tmp_path / "store")) < 4, "the study was over before it could be killed"
    assert main(small) == 0
    whole, resumed = measured(tmp_path / "whole"), measured(tmp_path / "store")
    assert whole.keys() == resumed.keys() and len(whole) == 4
    for name, line in whole.items():
        assert {**line, "seconds": 0} == {**resumed[name], "seconds": 0}, name


def test_a_tickets_file_is_a_source_too(whole, arguments, capsys, tmp_path):
    ticket = next((whole[1] / "tickets").glob("pictures-*.npz"))
    other = ["--sources", str(ticket), *arguments[2:], "--controls", "scratch", "theta_0"]
    other += ["--store", str(tmp_path / "other")]
    assert main(other) == 0
    ours, theirs = measured(whole[1]), measured(tmp_path / "other")
    assert len(theirs) == 4  # scratch, two stages and the control of the pruned one: nothing was found anew
    for mode, count in (("transfer", 2), ("theta_0", 1)):
        losses = [
            sorted((v["sparsity"], v["test_loss"]) for name, v in found.items() if mode in name)
            for found in (ours, theirs)
        ]
        assert losses[0] == losses[1] and len(losses[0]) == count
    assert "pictures" in set(table_of(capsys, *other).query("n == '1'")["mode"])
    assert command.main(["list", str(tmp_path / "other")]) == 0
    brought = page.artefact(str(ticket)).name
    assert f"cache/weights/{brought}" in capsys.readouterr().out
    assert command.main(["show", str(tmp_path / "other" / "cache" / "weights" / brought)]) == 0


def test_runs_with_a_tickets_file_are_of_the_rate_by_which_it_was_found(whole, arguments, capsys, tmp_path):
    path, odd = next((whole[1] / "tickets").glob("pictures-*.npz")), tmp_path / "own.npz"
    found = read_ticket(path)
    write_ticket(odd, dataclasses.replace(found, facts={}))

    def planned(*words):
        study = flags.parse(page.Study, page.PRESETS, [*words, *arguments[2:]], prog="", description="")
        store = Store(study.store)
        return page.runs(study, page.collections(study, store), store)

    usual = {run for run in planned("--sources", str(odd)) if run.mode == "transfer"}
    assert {run.rate for run in usual} == {0.5}  # it does not say, as one that was made by hand
    there = dict(rate=0.4, scope="layer", prune_head=True, late_resetting=0, initializer="he_normal")
    facts = found.facts["run"] | there
    write_ticket(tmp_path / "other.npz", dataclasses.replace(found, facts=found.facts | {"run": facts}))
    other = ["--sources", str(tmp_path / "other.npz")]
    arguments[arguments.index("--late_resetting") + 1] = "2"  # as the preset has it: nobody has asked for it
    scratch, *carried = planned(*other)
    assert scratch.rate == 0.5 and {run.mode for run in carried} == {"transfer"} and len(carried) == 2
    for field, value in there.items():
        assert {getattr(run, field) for run in carried} == {value}
    assert {run.rate for run in planned(*other, "--rate", "0.4")} == {0.4}
    both = planned(*other, str(arguments[1]), "--rate", "0.3")  # which is of the tickets that are found
    assert {run.rate for run in both if run.ticket} == {0.3, 0.4}
    capsys.readouterr()
    assert main([*other, *arguments[2:], "--rate", "0.3"]) == 1
    assert "--rate 0.3 contradicts" in (said := capsys.readouterr().err) and "found with 0.4" in said


def test_controls_that_train_where_a_ticket_was_found_are_not_of_a_tickets_file(whole, arguments, capsys):
    ticket = str(next((whole[1] / "tickets").glob("pictures-*.npz")))
    brought = ["--sources", ticket, *arguments[2:], "--dry_run"]
    assert main([*brought, "--controls", "random_mask", "shuffled_mask"]) == 1
    assert "--controls random_mask shuffled_mask: such runs train where" in capsys.readouterr().err
    assert main(brought) == 0  # the preset has random_mask
    said = capsys.readouterr()
    assert said.err.count("no random_mask: ") == 1 and "-random_mask-" not in said.out
    for words in (["--target_tickets", "found"], ["--sources", ticket, arguments[1]]):
        assert main([*brought, *words, "--controls", "random_mask"]) == 0
        said = capsys.readouterr()
        assert "no random_mask" not in said.err and said.out.count("-random_mask-") == 2


@pytest.mark.parametrize(
    ("damage", "jobs"),
    [
        ("cut", "1"),
        pytest.param("lost", "2", marks=pytest.mark.slow),
        pytest.param("another's", "1", marks=pytest.mark.slow),
    ],
)
def test_a_damaged_ticket_is_left_out_and_its_study_goes_on(whole, place, capfd, tmp_path, damage, jobs):
    asked, store = [*whole[0]], tmp_path / "store"
    shutil.copytree(whole[1], store)
    asked[2:2] = [f"{place / 'museum'}:style"]  # one more source
    asked[asked.index("--store") + 1] = str(store)
    path = next((store / "tickets").glob("pictures-*.npz"))
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:2000])
    elif damage == "lost":
        path.unlink()
    else:
        ticket = read_ticket(path)
        run = {**ticket.facts["run"], "rate": 0.4}
        write_ticket(path, dataclasses.replace(ticket, facts={**ticket.facts, "run": run}))
    next(store.glob("ticket/*-transfer-2-*/metrics.json")).unlink()
    capfd.readouterr()
    assert main([*asked, "--jobs", jobs, "--format", "csv"]) == 1
    printed = capfd.readouterr()
    (told,) = [line for line in printed.err.splitlines() if line.startswith("left out: ")]
    assert str(path) in told and f"store check {store} --repair" in told
    rows = read(printed.out).query("n == '1' and table == 'table_5' and challenge == 'museum artist'")
    assert {"scratch", "pictures", "museum"} <= set(rows["mode"])
    assert list(store.glob("studies/*/page.html"))
    with contextlib.redirect_stdout(io.StringIO()):
        assert upkeep_main(["check", str(store), "--repair"]) == 0
    assert main([*asked, "--format", "csv"]) == 0


def test_without_sources_tickets_are_found_on_the_target_and_on_its_fractions(arguments, capsys):
    words = [
        *arguments[2:],
        "--fractions",
        "1",
        "0.5",
        "--stages",
        "2",
        "--transfer_stages",
        "1",
        "--controls",
        "scratch",
    ]
    ours = table_of(capsys, *words).query("n == '1' and table == 'table_5'")
    assert set(ours["challenge"]) == {"museum artist", "museum artist, 50% of train"}
    assert set(ours["mode"]) == {"scratch", "target_ticket"}


def command_line(*words, folder):
    """A reproduction in a process of its own that stands in another folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "reproductions.sabatelli2021", *words]
    return subprocess.Popen(
        words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_processes_on_one_store_compute_every_stage_once_and_print_one_table(whole, arguments, tmp_path):
    store = tmp_path / "shared"
    words = [*arguments, "--store", str(store), "--controls", "scratch", "random_mask", "--format", "csv"]
    both = [command_line(*words, folder=tmp_path) for _ in range(2)]
    (table, said), (other_table, also_said) = (process.communicate(timeout=600) for process in both)
    assert [process.returncode for process in both] == [0, 0], said + also_said
    assert table == other_table and table.count("target_ticket") > 1
    computed = [re.findall(r"^\[\d+/\d+\] (.*): test accuracy", words, re.MULTILINE) for words in (said, also_said)]
    assert computed[0] and computed[1], "one of the two had nothing to do"
    assert len(computed[0] + computed[1]) == len(set(computed[0] + computed[1])) == 8
    alone, theirs = measured(whole[1]), measured(store)
    assert len(theirs) == 8
    for name, line in theirs.items():
        assert {**line, "seconds": 0} == {**alone[name], "seconds": 0}, name


def test_every_command_works_in_a_process_of_its_own_from_another_folder(arguments, tmp_path):
    small = [*arguments, "--stages", "2", "--transfer_stages", "1", "--epochs", "1"]
    for words in (["--help"], [*small, "--dry_run"], small, [*small, "--table"]):
        process = command_line(*words, folder=tmp_path)
        printed, said = process.communicate(timeout=300)
        assert process.returncode == 0 and printed, said
        assert "Traceback" not in said


def test_dry_run_says_what_it_costs_and_trains_nothing(arguments, capsys, tmp_path):
    assert main([*arguments, "--dry_run", "--seeds", "0", "1"]) == 0
    printed = capsys.readouterr().out
    assert "16 runs, 16 to do: about" in printed and printed.count("-find-") == 6
    assert not list((tmp_path / "store").glob("ticket/*/*"))


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--rate", "0"], "prunes nothing"),
        (["--rate", "1"], "prunes everything"),
        (["--stages", "60"], "last for 1 to 10 stages"),
        (["--transfer_stages", "3"], "none of the stages 0 to 2: give both, as --stages 3 --transfer_stages 2"),
        (["--crop", "20"], "--image_size 16"),
        (["--fractions", "0.5", "0"], "--fractions"),
        (["--networks", "ResNet5"], "ResNet50"),
        (["--sources", "absent.npz"], "does not exist"),
        (["--sources", "TRUNCATED"], "no whole ticket"),
        (["--sources", "TRUNCATED", "--controls", "theta_i"], "theta_i"),
        (["--sources", "OTHER"], "another network"),
        (["--seeds", "0", "0"], "--seeds"),
    ],
)
def test_a_mistake_gets_one_message_before_anything_is_trained(arguments, extra, words, capsys, tmp_path):
    (tmp_path / "truncated.npz").write_bytes(b"PK\x03\x04 and no more")
    theta = {"one/kernel": np.zeros((1, 1, 3, 4), "float32")}
    other = Ticket(theta, {"one/kernel": np.zeros((1, 1, 3, 4), np.uint8)}, 3, {"run": {}})
    write_ticket(tmp_path / "other.npz", other)
    files = {"TRUNCATED": str(tmp_path / "truncated.npz"), "OTHER": str(tmp_path / "other.npz")}
    assert main([*arguments, *(files.get(word, word) for word in extra)]) == 1
    message = capsys.readouterr().err
    assert words in message and "Traceback" not in message
    assert not list((tmp_path / "store").glob("ticket/*/history.csv"))


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--stages", "2"], "none of the stages 0 to 1: give both, as --stages 2 --transfer_stages 0 1\n"),
        (["--stages", "6"], "none of the stages 0 to 5: give both, as --stages 6 --transfer_stages 0 2 4 5\n"),
        (["--image_size", "28"], "--crop 32 can not be cut out of images of --image_size 28: give both, as --image_size"
         " 28 --crop 25\n"),
    ],
)  # fmt: skip
def test_a_default_that_does_not_fit_is_told_with_both_flags_to_give(extra, words, capsys, tmp_path):
    asked = ["--data", "a", "--store", str(tmp_path / "s")]
    assert main([*asked, *extra]) == 1
    assert capsys.readouterr().err.endswith(words)
    proposed = words.partition("give both, as ")[2].split()
    page.check(REPRODUCTION.parse([*asked, *extra, *proposed]))  # and what is proposed is taken


def test_no_preset_but_the_demo_falls_back_to_the_atelier(capsys, tmp_path):
    assert main(["--preset", "paper", "--store", str(tmp_path)]) == 1
    assert "--preset paper needs --data" in capsys.readouterr().err


def test_a_class_with_one_image_is_left_out_and_said(place, arguments, capsys, tmp_path):
    museum = shutil.copytree(place / "museum", tmp_path / "museum")
    paint(museum / "images" / "lonely.png", "a", 99)
    with (museum / "labels.csv").open("a") as file:
        file.write("lonely.png,Hermit,warm\n")
    assert main([*arguments[2:], "--data", str(museum), "--stages", "1", "--transfer_stages", "0"]) == 0
    assert "left out, not in all three splits: classes 1, images 1" in capsys.readouterr().err


def line(**fields):
    row = {"challenge": "c", "network": "n", "line": "s", "stage": 0, "pruned": 0.0, "seed": 0, "val": 0.0, "test": 0.0}
    return {**row, **fields}


def test_the_best_stage_is_a_pruned_one_by_validation_and_any_by_test():
    rows = pd.DataFrame(
        [
            line(stage=0, val=90, test=80), line(stage=1, val=70, test=60), line(stage=2, val=60, test=70),
            line(stage=0, seed=1, val=90, test=80), line(stage=1, seed=1, val=70, test=60),
            line(stage=2, seed=1, val=60, test=70), line(line="scratch", val=50, test=50),
        ]
    )  # fmt: skip
    best = results.best(rows).set_index(["line", "choice"]).sort_index()
    assert best.loc[("s", "validation"), "stage"].tolist() == [1, 1]
    assert best.loc[("s", "test"), "stage"].tolist() == [0, 0]
    assert best.loc[[("scratch", "test")], "test"].tolist() == [50]


def test_stages_are_compared_on_the_seeds_that_have_got_furthest():
    rows = pd.DataFrame(
        [line(stage=1, val=50), line(stage=2, val=60), line(stage=1, seed=1, val=99)]  # seed 1 is still at it
    )
    best = results.best(rows).query("choice == 'validation'")
    assert best[["seed", "stage"]].to_numpy().tolist() == [[0, 2]]


def test_the_paper_preset_is_the_papers_protocol():
    study = flags.parse(page.Study, page.PRESETS, ["--preset", "paper", "--seeds", "3"], prog="", description="")
    assert study.seeds == (3,)
    run = page.Run(collection="somewhere-00000000", target="artist")
    assert page.like(run) == run
    assert page.like(dataclasses.replace(run, rate=0.5)) == run


def test_digests_of_runs_stay_what_they_are():
    first = page.Run(network="ResNet20")
    assert config.digest(page.Run()) == "dc60189e"
    assert config.digest(page.chain(first, 3)[2]) == "38ca18b6"
    carried = dataclasses.replace(first, mode="transfer", stage=2, ticket=page.chain(first, 3)[2].ref)
    assert config.digest(carried) == "10192b81"


def test_a_name_of_the_tables_is_that_of_its_card_and_fills_its_column():
    from keras_art.data import cards

    for name in ("cifar10", "cifar100", "fmnist"):
        card, label = page.labelled(name)
        assert label is None and cards.load_card(card).reader == "keras"
        assert results.COLUMNS.get(card, card) == name
        assert name in set(tables.TABLE_5.cells()["mode"])


def test_a_collection_and_its_label_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert page.labelled("kaokore:status") == ("kaokore", "status")
    assert page.labelled("kaokore:" + "x" * 300) == ("kaokore", "x" * 300)  # longer than a file's name may be
    assert page.labelled("folder/of pictures") == ("folder/of pictures", None)
    assert page.labelled("a:b/labels.csv") == ("a", "b/labels.csv")
    (tmp_path / "a:b").mkdir()
    (tmp_path / "a:b" / "labels.csv").touch()
    assert page.labelled("a:b/labels.csv") == ("a:b/labels.csv", None)


@pytest.mark.parametrize(
    ("word", "collection", "target"),
    [
        ("kaokore:status", "kaokore", "status"),
        ("kaokore", "kaokore", None),
        ("museum:a/b", "museum", "a/b"),
        ("museum:../x", "museum", "../x"),
        ("museum:dc:title", "museum", "dc:title"),
        ("old:museum", "old:museum", None),
        ("old:museum:dc:title", "old:museum", "dc:title"),
    ],
)
def test_a_label_behind_a_collection_may_be_called_anything(tmp_path, monkeypatch, word, collection, target):
    monkeypatch.chdir(tmp_path)
    for name in ("museum", "old:museum"):
        (tmp_path / name).mkdir()
    assert page.labelled(word) == (collection, target)

"""The order in which a reproduction's parts are used, and what happens when one of them fails."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import pandas as pd
import pytest
from test_config import Tiny

from keras_art import __main__ as toolkit
from keras_art.commands import flags, machine, papers
from keras_art.commands.machine import Reproduction, Tables
from keras_art.errors import UserError
from keras_art.report import study_page
from keras_art.store.runs import Store
from keras_art.study import clusters
from keras_art.study.records import leave_out
from reproductions import __main__ as all_tables


@dataclass(frozen=True)
class Study(flags.Study):
    pass


ONE = (Tiny(),)


def reproduction(calls, figures=lambda store, runs, study, plates: None, runs=ONE):
    def told(name, answer=None):
        return lambda *arguments: calls.append(name) or answer

    return Reproduction(
        name="tiny2024", doc="", study=Study, presets={"demo": Study(), "study": Study(preset="study")},
        check=told("check"), collections=told("collections", {}), runs=told("runs", list(runs)),
        tables=told("tables", Tables([], [("ours", pd.DataFrame({"a": [1]}))])),
        figures=lambda *arguments: calls.append("figures") or figures(*arguments),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_is_computed(monkeypatch):
    monkeypatch.setattr(Store, "metrics", lambda self, run: {})


def test_tables_are_printed_before_figures_are_drawn(tmp_path, capsys):
    calls = []
    assert reproduction(calls).main(["--store", str(tmp_path / "s")]) == 0
    assert calls == ["check", "collections", "runs", "tables", "figures"]
    assert capsys.readouterr().out == "ours\na\n1\n\n"


@pytest.mark.parametrize("paper", papers.reproductions(), ids=lambda paper: paper.name)
def test_help_and_a_wrong_preset_name_the_presets_that_a_reproduction_has(paper, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit, match="0"):
        paper.main(["--help"])
    (offered,) = re.findall(r"--preset \{([^}]*)\}", capsys.readouterr().out)
    assert re.split(r"[,\s│]+", offered) == list(paper.presets)
    for wrong in (["--preset", "papre"], ["--preset=papre", "--data", "x"]):
        assert paper.main(wrong) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "papre" in line and line.endswith(f"the presets are {', '.join(paper.presets)}")
    for name, preset in paper.presets.items():
        assert paper.parse(["--preset", name]) == preset and preset.preset == name


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([], "--preset demo; with --data they are those of study."),
        (["--preset", "demo"], "--preset demo."),
        (["--data", "x"], "--preset study."),
    ],
)
def test_help_says_whose_defaults_it_shows(flags, told, capsys):
    with pytest.raises(SystemExit, match="0"):
        reproduction([]).main(["--help", *flags])
    assert f"The defaults below are those of {told}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("format", ["text", "csv", "markdown", "latex", "html"])
def test_a_paper_in_which_nothing_wrong_was_found_has_no_errors(format, capsys):
    assert reproduction([]).main(["audit", "--format", format]) == 0
    printed = capsys.readouterr()
    assert ("where,printed,meant,evidence" if format == "csv" else "0 errors found in print") in printed.out
    assert not printed.err


def test_a_study_that_is_done_says_so(tmp_path, capsys):
    reproduction([]).main(["--store", str(tmp_path / "s")])
    assert "1 run, all done: nothing is trained" in capsys.readouterr().err


def test_a_table_of_flags_that_ask_for_other_runs_says_so(tmp_path, capsys):
    store, asked = Store(tmp_path / "s"), [Tiny(), Tiny(seed=1)]
    store.create(1)

    def said():
        assert reproduction([], runs=asked).main(["--store", str(store.root), "--data", "x", "--table"]) == 0
        return capsys.readouterr().err

    def finish(run):
        store.directory(run).mkdir(parents=True)
        (store.directory(run) / "metrics.json").write_text("{}")

    assert not said()
    finish(Tiny(seed=2))
    assert "0 of the 2 runs that these flags ask for are finished; the store has 1 of other flags: --table" in said()
    for run in asked:
        finish(run)
    assert not said()


def test_a_figure_that_fails_is_reported_and_tried_again_and_the_tables_are_there(tmp_path, capsys):
    def fails(store, runs, study, plates):
        raise FileNotFoundError("figures of 1893")

    calls = []
    assert reproduction(calls, fails).main(["--store", str(tmp_path / "s")]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("ours") and "figures of 1893" in printed.err and "Traceback" not in printed.err
    reproduction(calls, fails).main(["--store", str(tmp_path / "s")])
    assert calls.count("figures") == 2


def test_figures_are_drawn_once_of_the_same_runs(tmp_path):
    calls = []
    one, two = Tiny(), Tiny(seed=1)
    for runs in ([one], [one], [one, two], [two, one], [one]):
        assert reproduction(calls, runs=runs).main(["--store", str(tmp_path / "s")]) == 0
    assert calls.count("figures") == 2
    assert len(list((tmp_path / "s" / "studies").glob("*/page.html"))) == 2


def test_a_study_is_written_down_and_its_page_written_last(tmp_path, capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(machine.terminal, "show", shown.append)
    words = ["--store", str(tmp_path / "s"), "--split_seed", "3"]
    assert reproduction([]).main([*words, "--open"]) == 0
    (page,) = (tmp_path / "s" / "studies").glob("tiny2024-*/page.html")
    text = page.read_text(encoding="utf-8")
    assert shown == [page] and "python -m reproductions.tiny2024 --store" in text and "--open" not in text
    assert str(page) in capsys.readouterr().err and (tmp_path / "s" / "index.html").exists()


def test_a_page_that_fails_is_reported_and_the_study_is_done(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(study_page, "study_page", lambda *_: 1 / 0)
    assert reproduction([]).main(["--store", str(tmp_path / "s")]) == 0
    printed = capsys.readouterr()
    assert "the page was not written (ZeroDivisionError" in printed.err and printed.out.startswith("ours")


def test_flags_that_figures_may_depend_on_draw_them_anew(tmp_path):
    calls = []
    for words in ([], ["--jobs", "2"], ["--split_seed", "3"]):
        assert reproduction(calls).main(["--store", str(tmp_path / "s"), *words]) == 0
    assert calls.count("figures") == 2


def test_a_table_asks_for_no_collection_and_makes_no_store(tmp_path):
    calls = []
    assert reproduction(calls).main(["--store", str(tmp_path / "s"), "--table"]) == 0
    assert calls == ["tables"] and not (tmp_path / "s").exists()


def test_a_table_without_a_damaged_run_is_told_by_the_exit_status(tmp_path, monkeypatch):
    made, whole = reproduction([]), Tables([], [])

    def damaged(*_):
        leave_out(UserError("metrics.json is damaged"))
        return whole

    object.__setattr__(made, "tables", damaged)
    monkeypatch.setattr(papers, "reproductions", lambda: [made])
    words = ["--store", str(tmp_path / "s")]
    for _ in range(2):  # the reason is told once in a process
        assert made.main([*words, "--table"]) == 1
        assert all_tables.main(words) == 1
    object.__setattr__(made, "tables", lambda *_: whole)
    assert made.main([*words, "--table"]) == all_tables.main(words) == 0


def test_a_cluster_that_is_not_there_is_told_before_a_picture_is_read(tmp_path, capsys, monkeypatch):
    calls = []
    monkeypatch.setattr(Store, "metrics", lambda self, run: None)
    monkeypatch.setattr(machine, "prepare", lambda *_: calls.append("prepare"))
    monkeypatch.setattr(clusters, "_extra", lambda package, name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert reproduction(calls).main(["--store", str(tmp_path / "s"), "--executor", "slurm"]) == 1
    assert "prepare" not in calls
    assert capsys.readouterr().err.splitlines()[-1].endswith("start this on a node that has sbatch")


@pytest.mark.parametrize("error", [UserError("the remedy"), OSError(28, "No space left on device")])
def test_what_a_person_can_mend_is_one_line(tmp_path, capsys, error):
    def fails(study):
        raise error

    made = reproduction([])
    object.__setattr__(made, "check", fails)
    assert made.main(["--store", str(tmp_path / "s")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@dataclass(frozen=True)
class Plural(flags.Study):
    networks: tuple[str, ...] = ("a",)
    epochs: int = 3


@pytest.mark.parametrize(
    ("study", "words"),
    [
        (Plural(epochs=0), "--epochs is at least 1"),
        (Plural(networks=("a", "a")), "--networks names a twice"),
        (Plural(seeds=(0, 0)), "--seeds names 0 twice"),
        (Plural(seeds=()), "--seeds needs at least one"),
    ],
)
def test_values_that_no_study_can_have_are_refused(study, words):
    with pytest.raises(UserError, match=words):
        flags.check_values(study, epochs=1)
    flags.check_values(Plural(), epochs=1)


@pytest.mark.parametrize(
    ("flag", "values", "words"),
    [
        ("threads", ("-1", "1025"), "--threads is at least 0 and at most 1,024"),
        ("jobs", ("0", "1025"), "--jobs is at least 1 and at most 1,024"),
        ("max_pixels", ("-1",), "--max_pixels is at least 0"),
        ("seeds", ("-1", str(2**31)), "--seeds is at least 0 and at most 2,147,483,647"),
        ("split_seed", ("-1", str(2**32)), "--split_seed is at least 0 and at most 2,147,483,647"),
        ("limit", ("-1",), "--limit is at least 0"),
    ],
)
def test_numbers_that_can_not_be_are_refused_before_a_store_is_made(tmp_path, capsys, flag, values, words):
    for paper, value in itertools.product(papers.reproductions(), values):
        assert paper.main(["--store", str(tmp_path / "s"), f"--{flag}", value]) == 1
        assert capsys.readouterr().err == f"{paper.prog}: {words}\n"
    assert not (tmp_path / "s").exists()
    assert reproduction([]).parse(["--threads", "1024"]).threads == 1024  # more than this machine has: another's runs


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("work s --jobs 9999", "--jobs is at least 1 and at most 1,024"),
        ("curate s --out o --min_style -1 --min_artist -7", "--min_style is at least 0"),
        ("curate s --out o --min_artist -7", "--min_artist is at least 0"),
        ("curate s --out o --cap_style -1", "--cap_style is at least 0"),
        ("curate s --out o --split_seed 4294967296", "--split_seed is at least 0 and at most 2,147,483,647"),
        ("leaks s --split_seed -1", "--split_seed is at least 0 and at most 2,147,483,647"),
        ("adain train --data s --seed -1", "--seed is at least 0 and at most 2,147,483,647"),
        ("adain train --data s --checkpoint_every 0", "--checkpoint_every is at least 1"),
        ("adain stylise a b c --longest_side -5", "--longest_side is at least 1"),
    ],
)
def test_the_same_numbers_are_refused_of_every_command(tmp_path, capsys, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    assert toolkit.main(words.split()) == 1
    assert capsys.readouterr().err.endswith(f": {told}\n")
    assert not list(tmp_path.iterdir())


def test_the_counts_of_a_choice_are_refused_of_the_study_that_makes_it(capsys):
    (paper,) = (paper for paper in papers.reproductions() if paper.name == "multitask")
    assert paper.main(["--data", "s", "--top_artists", "-1"]) == 1
    assert capsys.readouterr().err.endswith(": --top_artists is at least 0\n")


def test_help_keeps_the_lines_of_examples_and_calls_words_without_a_flag_by_their_names(capsys):
    from keras_art.commands import leaks

    with pytest.raises(SystemExit):
        leaks.main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(" DATA")
    assert sum("python -m keras_art leaks " in line for line in lines) >= 4  # the usage and three examples


@pytest.mark.parametrize("paper", papers.reproductions(), ids=lambda paper: paper.name)
def test_what_is_on_already_may_be_asked_for_and_turned_off(paper):
    found = set()
    for name, preset in paper.presets.items():
        for flag in (flag for flag, value in vars(preset).items() if isinstance(value, bool)):
            for spelt in (flag, flag.replace("_", "-")):
                assert getattr(paper.parse(["--preset", name, f"--{spelt}"]), flag)
            if getattr(preset, flag):
                found.add(flag)
                assert not getattr(paper.parse(["--preset", name, f"--no_{flag}"]), flag)
    assert found == {"sabatelli2018": {"test_flips"}, "multitask": {"decay_all"}, "gram_style": {"decay_all"}}.get(
        paper.name, set()
    )


def test_a_flag_beside_its_negative_is_a_mistake():
    (paper,) = (paper for paper in papers.reproductions() if paper.name == "sabatelli2018")
    with pytest.raises(SystemExit, match="2"):
        paper.parse(["--preset", "modern", "--no_test_flips", "--test_flips"])


def test_reproductions_are_found_by_walking():
    names = [reproduction.name for reproduction in papers.reproductions()]
    assert names == sorted(names)
    assert {"sabatelli2018", "kaokore2020"} <= set(names)


@pytest.mark.parametrize("verb", ["curate", "export", "map", "predict"])
def test_help_fits_a_terminal_and_its_commands_can_be_copied(verb, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        toolkit.main([verb, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    for line, following in itertools.pairwise(lines):
        if following.startswith("        --"):  # the rest of a command
            assert line.endswith(" \\")


def test_what_explains_a_long_command_stands_above_it(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text = "    python -m keras_art map DATA --run RUN     # by what a run has learnt\n    python -m x  # y"
    assert flags.fitted(text).splitlines() == [
        "    # by what a run has learnt",
        "    python -m keras_art map DATA --run \\",
        "        RUN",
        "    python -m x  # y",
    ]

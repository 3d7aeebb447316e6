"""The table of all benchmarks: what is read of each, what is told of one that gives nothing, and of the machine."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

import benchmarks
from benchmarks import __main__ as room

HERE = Path(benchmarks.__file__).parent


def test_the_ratios_that_a_benchmark_prints_are_read_and_nothing_else(capsys):
    times = {"slow": [2.0, 4.0, 3.0], "fast": [1.0, 1.0, 1.0], "other": [4.0, 4.0, 4.0]}
    benchmarks.report(times, [("slow", "fast"), ("other", "fast")], 10)
    print("\n| way | GFLOP/s |\n|---|---|\n| slow | 12 |\nthe end")
    found = room.ratios(capsys.readouterr().out)
    assert found == [("slow / fast", "3.00 (2.00..4.00)"), ("other / fast", "4.00 (4.00..4.00)")]


@pytest.mark.parametrize("name", room.PLAN)
def test_what_is_asked_of_a_benchmark_it_takes(name):
    text = (HERE / f"{name}.py").read_text(encoding="utf-8")
    for words in room.PLAN[name]:
        for word in words.split():
            assert not word.startswith("--") or f'add_argument("{word}"' in text


def test_one_that_is_not_over_or_not_there_is_told():
    assert room.carried_out("drawing", "", 1.0) == ([], "not over in the time there was")
    found, why = room.carried_out("nothing_of_that_name", "", 60.0)
    assert (
        found == [] and why.startswith("failed: ") and why.endswith("No module named benchmarks.nothing_of_that_name")
    )


def test_what_is_not_installed_is_no_failure(monkeypatch, capsys):
    monkeypatch.setattr(room.subprocess, "run", lambda *words, **how: argparse.Namespace(
        returncode=1, stdout="", stderr="Traceback\nModuleNotFoundError: No module named 'keras_cv'"
    ))  # fmt: skip
    monkeypatch.setattr("sys.argv", ["benchmarks", "augmentation", "drawing"])
    assert room.main() == 0
    table = capsys.readouterr().out
    assert "| `augmentation` | skipped: ModuleNotFoundError: No module named 'keras_cv' |  |" in table
    monkeypatch.setattr("sys.argv", ["benchmarks", "augmentation", "--minutes", "0"])
    assert room.main() == 0 and "not begun: no time left" in capsys.readouterr().out


def test_the_machine_is_told_with_what_it_multiplies_by(monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_text("model name\t: A Processor\nflags\t\t: fpu avx2 avx512_bf16 sse\n")
    monkeypatch.setattr(room, "CPU", tmp_path / "cpuinfo")
    assert room.machine().startswith("A Processor, ") and " cores, avx2 avx512_bf16; keras " in room.machine()


def test_an_unknown_name_is_refused_with_those_there_are(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks", "speed"])
    with pytest.raises(SystemExit) as stopped:
        room.main()
    assert stopped.value.code == 2 and "there is no benchmark speed: networks" in capsys.readouterr().err

"""Files that nobody ever reads half of."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from keras_art import outputs, writing
from keras_art.errors import UserError
from keras_art.store.leftovers import sweep
from keras_art.writing import beside, distinct, numbered, one_line, replacing, slug, write, write_arrays, write_bytes


def compiled() -> keras.Model:
    inputs = keras.Input((4,), name="pixels")
    model = keras.Model(inputs, keras.layers.Dense(64, name="head")(inputs), name="small")
    model.compile("adam", "mse")
    model.fit(np.ones((2, 4), "float32"), np.ones((2, 64), "float32"), verbose=0)
    return model


def test_a_name_that_stands_often_is_numbered_in_little_time():
    begun = time.process_time()
    assert numbered(["a", "a_2", "A", "a"]) == ["a", "a_2", "A_3", "a_4"]
    assert numbered(["a"] * 100_000)[-1] == "a_100000"
    assert time.process_time() - begun < 2


def test_many_writers_of_one_file_leave_one_of_their_texts(tmp_path):
    program = "import sys; from pathlib import Path; from keras_art.writing import write\n"
    program += "for _ in range(50): write(Path(sys.argv[1]), sys.argv[2] * 5000)"
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "file"), letter], cwd=Path(__file__).parents[1])
        for letter in "ab"
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    assert (tmp_path / "file").read_text() in ("a" * 5000, "b" * 5000)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_dead_processes_left_is_swept_and_what_living_ones_write_is_not(tmp_path):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    here = slug(socket.gethostname())
    gone = [f"a.json.{here}-{int(dead.stdout)}.part", f"m.keras.{here}-{int(dead.stdout)}.part.keras"]
    kept = [f"b.json.{here}-{os.getppid()}.part", "c.json.elsewhere-7.part", "d.part", "e.json"]
    for name in [*gone, *kept, old := "f.json.elsewhere-7.part"]:
        (tmp_path / name).touch()
    os.utime(tmp_path / old, (0, 0))
    assert sorted(path.name for path in sweep(tmp_path)) == sorted([*gone, old])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
    sweep(tmp_path, held=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.part", "e.json"]


def test_whoever_writes_a_file_takes_away_what_dead_ones_had_begun_of_it(tmp_path):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    here = slug(socket.gethostname())
    (tmp_path / f"report.html.{here}-{int(dead.stdout)}.part").touch()
    kept = {
        f"report.html.{here}-{os.getppid()}.part",
        f"images.csv.{here}-{int(dead.stdout)}.part",
        "report.html-1.part",
    }
    for name in kept:
        (tmp_path / name).touch()
    (tmp_path / f"report.html.{here}-{int(dead.stdout)}.part.d").mkdir()
    with replacing(tmp_path / "report.html", durable=False) as part:  # of many, for which nobody looks
        part.touch()
    assert len(list(tmp_path.iterdir())) == 6
    write(tmp_path / "report.html", "text")
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == kept | {"report.html"}


def test_what_another_process_asks_for_is_not_swept_by_who_holds_the_run(tmp_path):
    asked, weights = beside(tmp_path / "config.json"), beside(tmp_path / "model.keras", ".keras")
    for path in (asked, weights):
        path.touch()
    assert sweep(tmp_path, held=True) == [weights] and asked.exists()


def test_a_file_and_its_name_are_on_the_disk_before_the_writer_goes_on(tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr(os, "fsync", lambda handle: waited.append(os.readlink(f"/proc/self/fd/{handle}")))
    write(tmp_path / "new" / "file", "text")
    assert waited[0] == str(tmp_path)  # which has a new folder
    assert waited[1].startswith(f"{tmp_path}/new/file.") and waited[2:] == [f"{tmp_path}/new"]
    waited.clear()
    with replacing(tmp_path / "new" / "file", durable=False) as part:
        part.touch()
    assert not waited


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, error):
    write(tmp_path / "file", "old")

    def half() -> None:
        with replacing(tmp_path / "file") as part:
            part.write_text("half")
            raise error

    with pytest.raises(error):
        half()
    assert (tmp_path / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_folders_are_made_and_contents_kept(tmp_path):
    write(tmp_path / "a" / "b" / "text", "grün")
    write_bytes(tmp_path / "c" / "bytes", b"\xff\r\n")
    write_arrays(tmp_path / "d" / "arrays.npz", {"theta/head/kernel": np.arange(3), "last": np.ones(2)})
    assert (tmp_path / "a" / "b" / "text").read_bytes() == "grün".encode()
    assert (tmp_path / "c" / "bytes").read_bytes() == b"\xff\r\n"
    with np.load(tmp_path / "d" / "arrays.npz") as stored:
        np.testing.assert_array_equal(stored["theta/head/kernel"], np.arange(3))
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["arrays.npz"]


@pytest.mark.parametrize(
    ("names", "apart"),
    [
        (["style", "artist"], ["style", "artist"]),
        (["a_b", "a b", "A b"], ["a_b", "a_b_2", "A_b_3"]),
        (["a b", "a_b", "a_b_2"], ["a_b", "a_b_2", "a_b_2_2"]),
    ],
)
def test_equal_names_are_told_apart_and_others_stay(names, apart):
    assert list(distinct(names, lambda name: name.replace(" ", "_")).values()) == apart


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("kaokore-1.2", "kaokore-1.2"),
        ("type/genre", "type_genre"),
        ("../x", "_._x"),
        (".git", "_git"),
        ("..", "_."),
        ("", "_"),
        ("a\nb\\c:d", "a_b_c_d"),
        ("ציור 7", "ציור_7"),
        ("Du\u0308rer", "Dürer"),
        ("n" * 200, "n" * 40),
        ("é" * 200, "é" * 20),
        ("x" + "画" * 200, "x" + "画" * 13),
        ("caf\udce9", "caf_"),
    ],
)
def test_somebodys_text_becomes_one_part_of_a_path(tmp_path, text, name):
    assert slug(text) == name
    assert len(name.encode()) <= 40
    (tmp_path / name).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"), ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"), ("-x", "'-x"), ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"), ("'=1", "''=1"), ("-3", "-3"), ("+0.5", "+0.5"), ("'s-Gravenhage", "'s-Gravenhage"),
        ("", ""), (-3, -3), (None, None), ("a=b", "a=b"), ("0007", "0007"), ("1e-3", "1e-3"),
    ],
)  # fmt: skip
def test_no_cell_is_a_formula_and_every_one_is_read_as_it_was(cell, written):
    assert writing.inert(cell) == written
    assert not isinstance(cell, str) or writing.meant(written) == cell


def test_a_table_with_formulas_is_read_again_as_it_was(tmp_path):
    from keras_art.data.readers.spreadsheets import read_sheets

    frame = pd.DataFrame({"image": ["a.png", "-1.png"], "=style": ["=1+1", "'=x"], "n": ["3", "-3"]})
    writing.write(tmp_path / "t.csv", writing.csv_text(frame))
    assert (tmp_path / "t.csv").read_text().splitlines() == ["image,'=style,n", "a.png,'=1+1,3", "'-1.png,''=x,-3"]
    pd.testing.assert_frame_equal(read_sheets(tmp_path / "t.csv")[""].table, frame)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a/b", "a/b"),
        (" new\n line ", "new line"),
        ("x" * 60, "x" * 60),
        ("ab" * 100, "ab" * 15 + "…" + "b" + "ab" * 14),
    ],
)
def test_a_name_in_a_message_stands_on_one_line_and_keeps_its_ends(name, line):
    assert one_line(name) == line and len(line) <= 60


@pytest.mark.parametrize(("name", "instead"), [("p.txt", "p.csv"), ("p", "p.csv"), ("v1.5", "v1.5.csv")])
def test_a_name_of_another_kind_is_told_what_it_could_be(tmp_path, name, instead):
    with pytest.raises(UserError, match=rf"no \.csv file: give {tmp_path / instead}$"):
        outputs.check_file(tmp_path / name, ".csv")

"""What a person is told."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keras_art import backend, terminal
from keras_art.__main__ import main as toolkit
from keras_art.commands import export, papers, predict, work
from keras_art.errors import UserError


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (720, "12 min"), (12600, "3.5 h")])
def test_durations_are_round(seconds, words):
    assert terminal.duration(seconds) == words


@pytest.mark.parametrize(("size", "words"), [(0, "1 MB"), (4.9e6, "5 MB"), (2.9e8, "0.29 GB"), (1.2e11, "120.00 GB")])
def test_a_little_space_is_not_none(size, words):
    assert terminal.space(size) == words


@pytest.mark.parametrize("title", ["features of " + "x" * 90, "museum {x} [red]"])
def test_a_bar_has_room_beside_any_title(capsys, title):
    with terminal.bar(title, "images") as progress:
        progress(1234, 1234)
    told = capsys.readouterr().err
    assert "1234/1234 images" in told and title[:30] in told


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


def test_a_reader_that_has_seen_enough_ends_a_command_silently(capsys):
    def head():
        raise BrokenPipeError

    saved = os.dup(1)
    try:
        assert terminal.guarded(head, "prog") == 141
    finally:
        os.dup2(saved, 1)
    assert capsys.readouterr().err == ""


LONG = """
import sys, time
from keras_art import terminal
def command():
    print("begun", flush=True)
    time.sleep(60)
    return 0
sys.exit(terminal.guarded(command, "prog"))
"""


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_stops_a_command_with_a_message_and_the_status_of_shells(name, status):
    process = subprocess.Popen([sys.executable, "-c", LONG], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    process.send_signal(getattr(signal, name))
    _, told = process.communicate(timeout=30)
    assert process.returncode == status
    by = "" if name == "SIGINT" else f" by {name}"
    assert told == f"prog: stopped{by}; what is whole is kept, and the same command does the rest\n"


def test_what_trains_says_where_training_goes_on_and_nothing_else_does(tmp_path, capsys, monkeypatch):
    def stops(*_):
        raise KeyboardInterrupt

    said = {}
    monkeypatch.chdir(tmp_path)
    for verb, room, words in (("work", work, ["s"]), ("export", export, ["run"]), ("predict", predict, ["run", "x"])):
        monkeypatch.setattr(room, "command", stops)
        assert toolkit([verb, *words]) == 130
        said[verb] = capsys.readouterr().err
    monkeypatch.setattr("keras_art.commands.machine.Reproduction.carry_out", stops)
    for paper in papers.reproductions():
        assert paper.main([]) == 130
        said[paper.name] = capsys.readouterr().err
    trains = {verb for verb, told in said.items() if told.endswith(", training from the last epoch kept\n")}
    assert trains == {*said} - {"export", "predict"} and all("and the same command" in told for told in said.values())


AMID_A_DESTRUCTOR = """
import os, signal, sys, time
from keras_art import terminal

class Thing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        sum(range(10_000))

def command():
    thing = Thing()
    del thing
    time.sleep(30)
    return 0

sys.exit(terminal.guarded(command, "prog"))
"""


@pytest.mark.skipif(os.name == "nt", reason="os.kill ends a process there")
def test_a_stop_amid_a_destructor_is_no_traceback_and_still_stops():
    done = subprocess.run([sys.executable, "-c", AMID_A_DESTRUCTOR], capture_output=True, text=True, timeout=25)
    assert done.returncode == 143 and done.stderr.startswith("prog: stopped by SIGTERM; ")


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_stop_that_a_backend_turns_into_another_error_is_a_stop(name, status, capsys):
    def swallowed():
        try:
            os.kill(os.getpid(), getattr(signal, name))
        except KeyboardInterrupt:
            raise SystemError("bad argument to internal function") from None

    assert terminal.guarded(swallowed, "prog") == status
    assert capsys.readouterr().err.startswith("prog: stopped")


@pytest.mark.parametrize("error", [UserError("a file can not be read"), OSError(2, "no", "file"), None])
def test_a_stop_is_a_stop_whatever_a_library_makes_of_it(error, capsys):
    def swallowed():
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        if error:
            raise error
        return 0

    assert terminal.guarded(swallowed, "prog") == 143
    assert capsys.readouterr().err.startswith("prog: stopped by SIGTERM")
    assert terminal.guarded(lambda: 0, "prog") == 0  # and the next command is none of it


def test_a_stop_of_a_command_within_another_is_told_once(capsys):
    def within():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        return 0

    assert terminal.guarded(lambda: terminal.guarded(within, "prog verb"), "prog") == 143
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("prog verb: stopped by SIGTERM; ")


def test_what_nohup_has_ignored_stays_ignored_and_handlers_are_given_back():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert terminal.guarded(lambda: os.kill(os.getpid(), signal.SIGHUP) or 0, "prog") == 0
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_is_said_moves_no_cursor(capsys):
    terminal.say("a\x1b[2J\x9bb\rc\td\ne")
    assert capsys.readouterr().err == "a\ufffd[2J\ufffdb\ufffdc\td\ne\n"


SILENT = """
import sys, time
from keras_art import terminal
def command():
    with terminal.waiting("looking at\\x1b[2J everything"):
        time.sleep(1.2)
    print("an answer")
    return 0
terminal.QUIET = 0.3
sys.exit(terminal.guarded(command, "prog"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_who_waits_at_a_terminal_is_told_what_for_and_a_file_is_not():
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", SILENT], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:  # as Linux says that nobody is left on the other side
        pass
    finally:
        os.close(ours)
    assert process.wait() == 0
    waited, answered = said.decode().split("an answer")
    assert "looking at\N{REPLACEMENT CHARACTER}[2J everything ... 1 s" in waited and waited.endswith("\r\x1b[K")
    assert answered.strip() == ""
    piped = subprocess.run([sys.executable, "-c", SILENT], capture_output=True, text=True, check=True)
    assert (piped.stdout, piped.stderr) == ("an answer\n", "")


def test_words_are_folded_between_words_at_a_terminal_and_paths_never(monkeypatch):
    import io

    stream = io.StringIO()
    monkeypatch.setenv("COLUMNS", "40")
    long = "one two " * 8 + "end"
    assert terminal._folded(long, stream) == long
    stream.isatty = lambda: True  # type: ignore[method-assign]
    folded = terminal._folded(f"  {long}", stream).split("\n")
    assert [len(line) <= 40 for line in folded] == [True] * 2 and folded[1].startswith("    ")
    assert " ".join(" ".join(folded).split()) == long
    path = "to do  " + "/very/long" * 5
    assert terminal._folded(path, stream) == path


@pytest.mark.parametrize("verb", [(), ("--help",), ("store", "--help"), ("map", "--help")])
def test_whoever_reads_only_the_first_line_of_help_sees_no_traceback(verb):
    words = [sys.executable, "-m", "keras_art", *verb]
    reading, writing = os.pipe()
    os.close(reading)
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    said = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, env=buffered).stderr
    os.close(writing)
    assert "Traceback" not in said and "BrokenPipe" not in said


def test_a_process_beside_another_ignores_what_tells_a_whole_group_to_stop():
    words = "import os; from keras_art import stopping; stopping.deaf()"
    words += "; [os.kill(os.getpid(), number) for number in stopping.SIGNALS]; print(len(stopping.SIGNALS))"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout == ("3\n" if os.name == "posix" else "2\n")


ENDS = """
import atexit
from keras_art import terminal

class Held:
    def __init__(self):
        self.me = self
    def __del__(self):
        print("looked through")

terminal.start_backend()
atexit.register(print, "still told")
held = Held()
"""


def test_a_process_with_a_backend_does_not_look_through_all_of_it_when_it_ends(tmp_path):
    (tmp_path / "keras.py").write_text("class config:\n    backend = staticmethod(lambda: 'tensorflow')\n")
    folders = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", ""), str(Path(__file__).parents[1])])
    environment = {**os.environ, "PYTHONPATH": folders}
    done = subprocess.run([sys.executable, "-c", ENDS], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "still told\n"


LIBRARY = """
import os, sys, keras_art
keras_art.choose
assert not {"keras", "tensorflow"} & set(sys.modules)
keras_art.softmax_classifier
import keras
inputs = keras.Input((8,))
keras.Model(inputs, keras.layers.Dense(2)(inputs)).predict(__import__("numpy").zeros((1, 8)), verbose=0)
assert "TF_CPP_MIN_LOG_LEVEL" not in os.environ
os.write(2, b"heard")
"""


@pytest.mark.skipif(backend.named() != "tensorflow", reason="TensorFlow's C++ speaks of drivers")
def test_a_program_that_uses_the_library_is_told_nothing_of_drivers_and_all_else():
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    words = [sys.executable, "-c", LIBRARY]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == "heard"


@pytest.mark.parametrize("title", ["opening images", "looking for altered copies"])
def test_what_the_doctor_is_at_is_whole_in_eighty_columns(title, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with terminal.bar(title, "images") as progress:
        progress(8443, 30000)
    assert title in capsys.readouterr().err
    assert f'"{title}"' in (Path(terminal.__file__).parent / "commands" / "doctor.py").read_text()

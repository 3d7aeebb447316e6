from __future__ import annotations

import time

from keras_art.study.clock import Clock


def test_a_clock_tells_the_time_left_of_the_whole_study(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    clock = Clock({"first": 100.0, "second": 300.0})
    now[0] = 3.0
    clock.tell("first", "too early to say", 0.1)
    now[0] = 50.0
    clock.tell("first", "half of the first", 0.5)
    now[0] = 100.0
    clock.done("first", "the first")
    told = capsys.readouterr().err.splitlines()
    assert told == ["[1/2] half of the first; about 6 min left", "[1/2] the first; about 5 min left"]

from __future__ import annotations

import subprocess
import sys

import pytest
from test_images import picture

from keras_art.pictures import workers
from keras_art.pictures.decoded import ImageStore


def test_a_picture_that_ends_its_process_costs_only_itself(tmp_path):
    paths = [picture(tmp_path / f"{i}.png", seed=i) for i in range(3)]
    store = ImageStore(tmp_path / "store", 8)
    program = (
        "import os, sys; sys.path = sys.argv[4:]; from keras_art.pictures import workers; decode = workers.decode\n"
        "workers.decode = lambda path, *rest: os._exit(9) if path.endswith('1.png') else decode(path, *rest)\n"
        "workers.work(8, 'squash', 0)\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "PROGRAM", program)
        table = store.scan(paths, workers=2)
    assert list(table["row"]) == [0, -1, 1]
    assert "ended the process" in table["reason"][1]
    assert list(store.scan(paths)["row"]) == [0, 2, 1]  # not remembered: another machine may fare better


def test_a_process_that_cannot_start_is_an_error_and_no_quarantine(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "PROGRAM", "raise SystemExit(3)")
    with pytest.raises(RuntimeError, match=r"status 3.*workers=1"):
        ImageStore(tmp_path / "store", 8).scan([picture(tmp_path / "a.png")], workers=2)


def test_a_worker_imports_only_what_it_needs():
    code = "import sys, keras_art.pictures.workers; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pandas", "keras", "tensorflow", "filelock"} & set(loaded)

"""The scripts in `examples/`, as somebody runs them; on other backends in the slow suite."""

from __future__ import annotations

import importlib.util
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
SAYS = {
    "adain_between_two_pictures": "wrote stylised.png",
    "attention_of_your_model": "wrote attention.png",
    "dcec_of_your_dataset": "images in each cluster",
    "features_for_scikit_learn": "over three folds",
    "tickets_of_your_model": "stage 2: 25% are left",
}


def test_every_script_is_short_and_known_here():
    assert {script.stem for script in SCRIPTS} == set(SAYS)
    for script in SCRIPTS:
        assert len(script.read_text(encoding="utf-8").splitlines()) < 40, script


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_works(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script), run_name="__main__")
    assert SAYS[script.stem] in capsys.readouterr().out
    for picture in ("stylised.png", "attention.png"):
        assert (tmp_path / picture).exists() == (picture in SAYS[script.stem])


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_works_on_another_backend(script, backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert SAYS[script.stem] in done.stdout

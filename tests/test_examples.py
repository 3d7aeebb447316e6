"""The scripts in `examples/`, as somebody runs them; on every backend, with the same figures, in the slow suite."""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
SAYS = {
    "adain_between_two_pictures": "wrote stylised.png",
    "attention_of_your_model": "wrote attention.png",
    "dcec_of_your_dataset": "images in each cluster",
    "features_for_scikit_learn": "over three folds",
    "tickets_of_your_model": "stage 2: 25% are left",
}
# Correlations; of other initial weights they are 0.67 and 0.992. Ten steps of Adam make twenty levels of brightness of
# a weight's last digit, and `fit` shuffles arrays by the backend's own generator.
ALIKE = {"stylised.png": 0.95, "attention.png": 0.999}
NUMBER = r"\d+(?:\.\d+)?"
# A backend's own generator draws other initial weights than another's: these are the same.
BY_NUMPY = """
import itertools, runpy, sys
import keras, numpy as np

seeds = itertools.count()

def drawn(self, shape, dtype=None):
    fans = np.prod(shape[:-1]) + np.prod(shape) / shape[-2]
    deviation = getattr(self, "stddev", np.sqrt(2 / fans))
    values = np.random.default_rng(next(seeds)).normal(0, deviation, shape)
    return keras.ops.convert_to_tensor(values.astype("float32"))

keras.initializers.VarianceScaling.__call__ = keras.initializers.RandomNormal.__call__ = drawn
runpy.run_path(sys.argv[1], run_name="__main__")
"""


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
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_says_and_draws_the_same_on_every_backend(script, tmp_path):
    backends = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]
    first, *others = [said_and_drawn(script, backend, tmp_path / backend) for backend in backends]
    assert SAYS[script.stem] in first[0]
    for said, drawn in others:
        assert re.sub(NUMBER, "", said) == re.sub(NUMBER, "", first[0])
        numbers = [list(map(float, re.findall(NUMBER, text))) for text in (said, first[0])]
        np.testing.assert_allclose(*numbers, rtol=0.03, atol=0.01)
        assert drawn.keys() == first[1].keys()
        for name, pixels in drawn.items():
            assert np.corrcoef(pixels.ravel(), first[1][name].ravel())[0, 1] > ALIKE[name], name


def said_and_drawn(script: Path, backend: str, folder: Path) -> tuple[str, dict[str, np.ndarray]]:
    """What a script prints, and its pictures by their names, in a process of its own with initial weights by NumPy."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", BY_NUMPY, str(script)],
        cwd=folder,
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    drawn = {path.name: np.asarray(Image.open(path)).astype(float) for path in folder.glob("*.png")}
    return done.stdout, drawn

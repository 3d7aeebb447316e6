"""The notebooks are of their script, and work."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1] / "notebooks"
NETWORK = "--networks MobileNetV2 --weights none --image_size 32 --batch_size 8 --limit 60"
SMALL = {
    "dcec_paint": "--image_size 16 --k 2 3 --epochs 1 --max_iterations 2 --update_interval 1 --gap_references 1 "
    "--limit 60",
    "gram_style": "--networks ResNet50 --image_size 32 --limit 120 --epochs 1 --frozen_epochs 1 --gram_channels 4",
    "kaokore2020": f"{NETWORK} --epochs 2",
    "multitask": "--networks ResNet50 --image_size 32 --limit 120 --epochs 1 --frozen_epochs 1 --tasks multitask",
    "sabatelli2018": f"{NETWORK} --epochs 1 --head_epochs 2",
    "sabatelli2021": "--networks ResNet20 --image_size 36 --crop 32 --stages 2 --transfer_stages 0 1 --epochs 3 "
    "--source_epochs 3 --limit 60",
    "st_saclf": f"{NETWORK} --decoder_size 16 --decoder_iterations 2 --encoder_weights none --epochs 5 --p2 0.5",
}


def test_every_reproduction_has_the_notebook_that_its_script_writes():
    pytest.importorskip("jupytext")
    from keras_art.commands import papers

    script = runpy.run_path(str(ROOT / "write.py"))
    written = {f"{paper.name}.ipynb": script["notebook"](paper) for paper in papers.reproductions()}
    kept = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("*.ipynb")}
    assert kept == written, "run python notebooks/write.py"
    assert {name.removesuffix(".ipynb") for name in kept} == set(SMALL)


def test_a_notebook_shows_the_figures_of_its_own_studies_and_no_other(tmp_path, monkeypatch, capsys):
    from keras_art.store.runs import Store
    from keras_art.study.catalogue import Asked
    from keras_art.study.config import RunRef

    for name in SMALL:
        asked = Asked(name, (RunRef("classifier", "0011aabb"),), places=("museum",))
        figure = asked.folder(Store(tmp_path / "runs")) / "figures" / f"{name}.png"
        figure.parent.mkdir(parents=True)
        figure.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(Image=str, display=lambda shown: None))
    for name in SMALL:
        *_, last = json.loads((ROOT / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
        exec("".join(last["source"]), {})
        assert [Path(line).stem for line in capsys.readouterr().out.splitlines()] == [name]


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_notebook_works(name, tmp_path, monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(ROOT.parent))
    book = nbformat.read(ROOT / f"{name}.ipynb", 4)
    (flags,) = [cell for cell in book.cells if cell.source == "flags = []"]
    flags.source = f"flags = {SMALL[name].split()}"
    nbclient.NotebookClient(book, timeout=1200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert any(output.get("data", {}).get("image/png") for cell in book.cells for output in cell.get("outputs", []))

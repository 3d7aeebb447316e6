"""The engineer's tutorial is a session, and the how-to's example a reproduction: both are carried out.

The commands of other pages are tests/test_readme's.
"""

from __future__ import annotations

import doctest
import importlib.util
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PAGE, EXAMPLE = DOCS / "tutorials" / "engineer.md", DOCS / "howto" / "example2026.py"


def test_the_engineers_tutorial_works_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    test = doctest.DocTestParser().get_doctest(PAGE.read_text(encoding="utf-8"), {}, PAGE.name, str(PAGE), 0)
    failed, tried = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL).run(test, out=told.append)
    assert tried > 20 and not failed, "".join(told)
    assert (tmp_path / "style.keras").exists()


def test_the_example_of_how_to_add_a_reproduction_works_as_it_stands(picture_csv, tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("reproductions.example2026", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, example)  # where the types of its flags are looked for
    spec.loader.exec_module(example)
    words = ["--preset", "demo", "--data", str(picture_csv), "--target", "artist", "--store", str(tmp_path / "store")]
    assert example.REPRODUCTION.main([*words, "--image_size", "32"]) == 0
    printed = capsys.readouterr()
    assert "MobileNetV2 on museum" in printed.out and "the paper is invented" in printed.out
    assert "could not be" not in printed.err and "was not written" not in printed.err
    (drawn,) = tmp_path.glob("store/studies/*/figures/*.png")
    assert drawn.name.startswith("confusion-")

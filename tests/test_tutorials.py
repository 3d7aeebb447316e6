"""The engineer's tutorial is a session, which is carried out; the commands of other pages are tests/test_readme's."""

from __future__ import annotations

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "tutorials" / "engineer.md"


def test_the_engineers_tutorial_works_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    test = doctest.DocTestParser().get_doctest(PAGE.read_text(encoding="utf-8"), {}, PAGE.name, str(PAGE), 0)
    failed, tried = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL).run(test, out=told.append)
    assert tried > 20 and not failed, "".join(told)
    assert (tmp_path / "style.keras").exists()

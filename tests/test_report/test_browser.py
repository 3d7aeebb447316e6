"""The helper that looks at pages in a browser sees what it is there to see."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from browser import hostile, opened, serious

from keras_art.report.pages import Page

pytestmark = pytest.mark.slow
HEAD = '<!doctype html><html lang="en"><meta charset="utf-8"><title>A page</title><main><h1>A page</h1>'


def test_a_page_without_fault_has_no_problems(tmp_path):
    page = Page("A page")
    page.pictures([np.zeros((8, 8, 3), np.uint8)] * 7, [hostile(n) for n in range(7)])
    page.heading(hostile())
    page.save(tmp_path / "page.html")
    with opened(tmp_path / "page.html") as seen:
        assert seen.problems() == []
        assert serious(seen) == []


def test_what_is_folded_is_shown_to_who_asks_and_in_print(tmp_path):
    page = Page("A page")
    page.fold("Every class")
    page.table(pd.DataFrame({f"a long column {n}": ["word"] for n in range(9)}))
    page.heading("The next section")
    page.text("Always seen.")
    page.save(tmp_path / "page.html")
    with opened(tmp_path / "page.html", width=400) as seen:
        shown = "document.querySelector('td').checkVisibility({contentVisibilityAuto: true, checkVisibilityCSS: true})"
        assert not seen.page.evaluate(shown) and seen.page.is_visible("text=Always seen.")
        seen.page.emulate_media(media="print")
        assert seen.page.evaluate(shown)
        seen.page.emulate_media(media="screen")
        seen.page.keyboard.press("Tab")
        seen.page.keyboard.press("Enter")
        assert seen.page.evaluate(shown) and serious(seen) == [] and seen.problems() == []


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_text_that_is_not_escaped_is_executed_here(tmp_path, n):
    (tmp_path / "page.html").write_text(f"{HEAD}<style>{hostile(n)}" if n == 5 else HEAD + hostile(n))
    with opened(tmp_path / "page.html") as seen:
        seen.page.wait_for_timeout(200)
        assert "text was executed" in seen.problems()


def test_errors_requests_and_lost_pictures_are_problems(tmp_path):
    (tmp_path / "page.html").write_text(
        f'{HEAD}<img src="lost.png" alt="lost"><script src="http://museum.example/a.js"></script><script>absent()</script>'
    )
    with opened(tmp_path / "page.html") as seen:
        problems = "\n".join(seen.problems())
    assert "absent is not defined" in problems and "no pixels: lost" in problems
    assert "request: http://museum.example/a.js" in problems


def test_a_picture_without_alternative_text_is_serious(tmp_path):
    (tmp_path / "page.html").write_text(f'{HEAD}<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">')
    with opened(tmp_path / "page.html") as seen:
        assert any(rule.startswith("image-alt") for rule in serious(seen))

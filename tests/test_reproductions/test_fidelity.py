"""The fidelity table says nothing that is not there."""

from __future__ import annotations

import pytest

from reproductions import fidelity

ROW = {
    "what": "gamma", "kind": "constant", "document": "West", "where": "reproductions/fidelity.py:SORTS",
    "test": "tests/test_reproductions/test_fidelity.py::test_the_page_is_of_its_rows", "status": "held",
}  # fmt: skip


def test_the_page_is_of_its_rows():
    assert fidelity.differences() == []
    assert fidelity.problems({"1-west": [ROW]}) == []
    assert "| gamma | constant | West | `reproductions/fidelity.py:SORTS` |" in fidelity.page({"1-west": [ROW]})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"where": "reproductions/fidelity.py:no such word"}, "is not there"),
        ({"where": "reproductions/absent.py"}, "reproductions/absent.py is not there"),
        ({"where": ""}, "it says not where it is"),
        ({"test": "tests/test_reproductions/test_fidelity.py::test_none"}, "there is no test"),
        ({"test": ""}, "which test holds it"),
        ({"status": "missing"}, "or departs or missing: why"),
        ({"status": "departs: "}, "or departs or missing: why"),
        ({"status": "held: or nearly"}, "or departs or missing: why"),
        ({"kind": "rumour"}, "kind is one of"),
        ({"extra": ""}, "its columns are not"),
    ],
)
def test_a_row_that_says_what_is_not_so_is_found(change, words):
    assert any(words in problem for problem in fidelity.problems({"1-west": [ROW | change]}))
    reason = {"status": "missing: nobody has the pictures", "where": "", "test": ""}
    assert fidelity.problems({"1-west": [ROW | reason]}) == []

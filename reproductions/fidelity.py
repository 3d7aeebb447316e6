"""The fidelity table: what the papers say, where it is in the code, the test that holds it, and what departs.

The rows are `docs/fidelity/*.csv`, a file for each paper, with the columns of `COLUMNS`; `python -m reproductions
--fidelity` writes `docs/fidelity.md` of them, `--check` compares.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from keras_art.writing import write

ROOT = Path(__file__).resolve().parent.parent
ROWS, PAGE = ROOT / "docs" / "fidelity", ROOT / "docs" / "fidelity.md"
ERRATA = ROOT / "reproductions" / "errata"
TELLS = "tests/test_reproductions/test_printed.py::test_a_papers_tables_and_errors_are_printed_without_a_store"
COLUMNS = ("what", "kind", "document", "where", "test", "status")
SORTS = ("claim", "constant", "figure", "table", "option", "error in print")
STATUS = ("held", "departs", "missing")  # the latter two with a reason behind a colon


def read() -> dict[str, list[dict[str, str]]]:
    """The rows of every file, by its stem, in the order of the files; then the errors found in print, by paper.

    `where` is FILE or FILE:WORD, several apart by a space; `test` FILE::NAME, the same; relative to the repository.
    """
    tables = {path.stem: _rows(path) for path in sorted(ROWS.glob("*.csv"))}
    for path in sorted(ERRATA.glob("*.csv")):
        place = path.relative_to(ROOT).as_posix()
        tables[f"9-errors in print, {path.stem}"] = [
            dict(
                zip(
                    COLUMNS,
                    (f"{row['printed']}: {row['meant']}", "error in print", row["where"], place, TELLS, "held"),
                    strict=True,
                )
            )
            for row in _rows(path)
        ]
    return tables


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, restkey="too many", restval=""))


def problems(tables: dict[str, list[dict[str, str]]]) -> list[str]:
    """What is wrong with the rows, in words: places and tests that are not there, and absences without a reason."""
    found = []
    texts: dict[str, str] = {}

    def text(name: str) -> str:
        if name not in texts:
            path = ROOT / name
            texts[name] = path.read_text(encoding="utf-8") if path.is_file() else ""
        return texts[name]

    for stem, rows in tables.items():
        for row in rows:
            about = f"docs/fidelity/{stem}.csv, {row.get('what', '')!r}"
            if tuple(row) != COLUMNS:
                found.append(f"{about}: its columns are not {', '.join(COLUMNS)}")
                continue
            state, _, reason = row["status"].partition(":")
            if row["kind"] not in SORTS or state not in STATUS or (state != "held") != bool(reason.strip()):
                found.append(f"{about}: kind is one of {', '.join(SORTS)}; status held, or departs or missing: why")
            if state != "missing" and not (row["where"] and row["test"]):
                found.append(f"{about}: it says not where it is, or which test holds it")
            for place in row["where"].split():
                file, _, word = place.partition(":")
                if not text(file) or word not in text(file):
                    found.append(f"{about}: {place} is not there")
            for test in row["test"].split():
                file, _, name = test.partition("::")
                if f"def {name}(" not in text(file):
                    found.append(f"{about}: there is no test {test}")
    return found


def page(tables: dict[str, list[dict[str, str]]]) -> str:
    """`docs/fidelity.md`."""
    states = Counter(row["status"].partition(":")[0] for rows in tables.values() for row in rows)
    lines = [
        "# Fidelity", "",
        "Written by `python -m reproductions --fidelity` from `docs/fidelity/*.csv`: each claim, constant, figure,",
        "table, option and error in print of the documents that the reproductions follow, where it is in the code, the",
        "test that holds it, and whether it is as printed.", "",
        f"{sum(states.values())} rows: " + ", ".join(f"{states[state]} {state}" for state in STATUS) + ".",
    ]  # fmt: skip
    for stem, rows in tables.items():
        lines += [
            "",
            f"## {stem.partition('-')[2].replace('_', ' ')}",
            "",
            "| what | kind | document | where | test | status |",
        ]
        lines.append("|---|---|---|---|---|---|")
        for row in rows:
            cells = [
                row["what"], row["kind"], row["document"], _code(row["where"]), _code(row["test"]), row["status"],
            ]  # fmt: skip
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _code(words: str) -> str:
    return " ".join(f"`{word}`" for word in words.split())


def write_page() -> None:
    """Writes `docs/fidelity.md`."""
    write(PAGE, page(read()))


def differences() -> list[str]:
    """What `--check` tells: problems of the rows, and a page that is not of them."""
    tables = read()
    found = problems(tables)
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page(tables):
        found.append("docs/fidelity.md is not what docs/fidelity/*.csv says: run python -m reproductions --fidelity")
    return found

"""What was measured here, as tables in the pages of `docs/`.

The tables are `reproductions/measured/*.csv`, their cells Markdown. A page that shows one has the lines `BEGIN` and
`END` with the file's name; `python -m reproductions --results` puts the table between them, `--check` compares.
`accuracies.csv` is what `--write` found in a store, of which pages show the tables of test accuracies.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from keras_art.report.rendering import assembled, render
from keras_art.writing import write

ROOT = Path(__file__).resolve().parent.parent
MEASURED, PAGES = ROOT / "reproductions" / "measured", ROOT / "docs"
ACCURACIES = "accuracies.csv"
BEGIN, END = "<!-- {}: begin -->\n", "<!-- end -->\n"
SHOWN = re.compile(r"<!-- (\w+\.csv): begin -->\n(.*?)<!-- end -->\n", re.S)


def accuracies() -> str:
    """The table of measured accuracies, as Markdown."""
    measured = pd.read_csv(MEASURED / ACCURACIES, dtype=str, keep_default_na=False)
    shown = measured[measured["table"].isin(["table_2", "table_3", "table_5", "seven"])]
    shown = shown.rename(columns={"challenge": "collection and target", "ours": "test accuracy, %"})
    columns = ["collection and target", "network", "mode", "test accuracy, %", "std", "n", "protocol", "note"]
    return render(shown[columns], "markdown")


def table(name: str) -> str:
    """A file of `MEASURED` as a Markdown table."""
    if name == ACCURACIES:
        return accuracies()
    frame = pd.read_csv(MEASURED / name, dtype=str, keep_default_na=False, header=None)
    header, *rows = frame.to_numpy().tolist()
    return assembled(header, rows, "markdown", [False] * len(header))


def filled(page: str) -> str:
    """A page with its tables as the files have them."""
    return SHOWN.sub(lambda found: f"{BEGIN.format(found[1])}{table(found[1])}{END}", page)


def pages() -> list[Path]:
    """Every page of `docs/`."""
    return sorted(PAGES.rglob("*.md"))


def write_pages() -> None:
    """Puts the tables into the pages that show them."""
    for path in pages():
        text = path.read_text(encoding="utf-8")
        if filled(text) != text:
            write(path, filled(text))


def differences() -> list[str]:
    """What `--check` tells: pages that are not of their tables, and tables on no page."""
    texts = {path: path.read_text(encoding="utf-8") for path in pages()}
    shown = {name for text in texts.values() for name, _ in SHOWN.findall(text)}
    found = [
        f"{name} is {wrong}"
        for names, wrong in (
            (
                shown - {path.name for path in MEASURED.glob("*.csv")},
                "shown on a page, and not in reproductions/measured",
            ),
            ({path.name for path in MEASURED.glob("*.csv")} - shown, "in reproductions/measured, and on no page"),
        )
        for name in sorted(names)
    ]
    if found:
        return found
    return [
        f"docs/{path.relative_to(PAGES).as_posix()} is not what reproductions/measured/*.csv says: "
        "run python -m reproductions --results"
        for path, text in texts.items()
        if filled(text) != text
    ]

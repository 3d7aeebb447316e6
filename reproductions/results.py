"""What pages of `docs/` show of what lies elsewhere in the repository.

A page that shows something has the lines `BEGIN` and `END` with its name; `python -m reproductions --results` puts it
between them, `--check` compares. It is one of these:

- `NAME.csv`, a table of `reproductions/measured`, what was measured here, its cells Markdown. `accuracies.csv` is what
  `--write` found in a store, of which pages show the tables of test accuracies.
- `errata/NAME.csv`, the errors in print of a paper.
- `NAME.py`, how a reproduction departs from its paper: what its docstring says behind the commands.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pandas as pd

from keras_art.report.rendering import assembled, render
from keras_art.writing import write

ROOT = Path(__file__).resolve().parent.parent
MEASURED, PAGES = ROOT / "reproductions" / "measured", ROOT / "docs"
ACCURACIES = "accuracies.csv"
BEGIN, END = "<!-- {}: begin -->\n", "<!-- end -->\n"
SHOWN = re.compile(r"<!-- ([\w/]+\.(?:csv|py)): begin -->\n(.*?)<!-- end -->\n", re.S)


def accuracies() -> str:
    """The table of measured accuracies, as Markdown."""
    measured = pd.read_csv(MEASURED / ACCURACIES, dtype=str, keep_default_na=False)
    shown = measured[measured["table"].isin(["table_2", "table_3", "table_5", "seven"])]
    shown = shown.rename(columns={"challenge": "collection and target", "ours": "test accuracy, %"})
    columns = ["collection and target", "network", "mode", "test accuracy, %", "std", "n", "protocol", "note"]
    return render(shown[columns], "markdown")


def departures(name: str) -> str:
    """The docstring of a reproduction, without its title and its commands, as Markdown."""
    place = ROOT / "reproductions" / name
    file = place if place.is_file() else place.with_suffix("") / "__init__.py"
    parts = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n\n")
    commands = max(number for number, part in enumerate(parts) if part.startswith("    "))
    return "\n" + "\n\n".join(parts[commands + 1 :]) + "\n\n"


def shown(name: str) -> str:
    """What stands between the lines of that name, as Markdown."""
    if name.endswith(".py"):
        return departures(name)
    if name.startswith("errata/"):
        frame = pd.read_csv(ROOT / "reproductions" / name, dtype=str, keep_default_na=False)
        return render(frame, "markdown")
    if name == ACCURACIES:
        return accuracies()
    frame = pd.read_csv(MEASURED / name, dtype=str, keep_default_na=False, header=None)
    header, *rows = frame.to_numpy().tolist()
    return assembled(header, rows, "markdown", [False] * len(header))


def filled(page: str) -> str:
    """A page with what it shows as the files have it."""
    return SHOWN.sub(lambda found: f"{BEGIN.format(found[1])}{shown(found[1])}{END}", page)


def pages() -> list[Path]:
    """Every page of `docs/`."""
    return sorted(PAGES.rglob("*.md"))


def write_pages() -> None:
    """Puts what pages show into them."""
    for path in pages():
        text = path.read_text(encoding="utf-8")
        if filled(text) != text:
            write(path, filled(text))


def differences() -> list[str]:
    """What `--check` tells: pages that are not of what they show, and tables of measurements on no page."""
    texts = {path: path.read_text(encoding="utf-8") for path in pages()}
    names = {name for text in texts.values() for name, _ in SHOWN.findall(text)}
    tables = {path.name for path in MEASURED.glob("*.csv")}
    measured = {name for name in names if name.endswith(".csv") and "/" not in name}
    found = [f"{name} is shown on a page, and not in reproductions/measured" for name in sorted(measured - tables)]
    found += [f"{name} is in reproductions/measured, and on no page" for name in sorted(tables - measured)]
    return found or [
        f"docs/{path.relative_to(PAGES).as_posix()} is not what the repository says: "
        "run python -m reproductions --results"
        for path, text in texts.items()
        if filled(text) != text
    ]

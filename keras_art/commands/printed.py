"""What is printed: a study's tables; and `paper` and `audit`, what a paper itself prints and the errors found in that.

python -m reproductions.NAME paper --format latex
python -m reproductions.NAME paper --figures FOLDER     # its figures, from the authors' published series alone
python -m reproductions.NAME audit
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from keras_art import terminal
from keras_art.commands import flags
from keras_art.errors import UserError
from keras_art.outputs import check_own, own_folder

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.report.tables import PaperTable

ERRATA = ("where", "printed", "meant", "evidence")  # columns


@dataclass(frozen=True)
class Tables:
    """What a study prints.

    Attributes:
        paper: the paper's tables, each beside what the store holds (`report.tables.compare`).
        own: titles and tables of our own, printed first.
        digits: of numbers in tables of our own.
    """

    paper: Sequence[tuple[PaperTable, pd.DataFrame]]
    own: Sequence[tuple[str, pd.DataFrame]] = ()
    digits: int = 2


@dataclass(frozen=True)
class Paper:
    """The paper's own tables."""

    format: flags.Format = "text"
    """Of the tables."""
    figures: str | None = None
    """A folder: draw the paper's figures there, from its published series alone."""


@dataclass(frozen=True)
class Audit:
    """Every error found in print, with its evidence."""

    format: flags.Format = "text"
    """Of the list."""


def main(
    words: Sequence[str],
    prog: str,
    tables: Sequence[PaperTable],
    errata: str,
    series: Callable[[Path], object] | None,
) -> int:
    """The command lines `paper` and `audit`; returns the exit status."""
    if words[0] == "audit":
        return flags.run(
            Audit, lambda asked: audit(errata, asked.format), words[1:], prog=f"{prog} audit",
            description="Every error found in print, with its evidence.",
        )  # fmt: skip

    def command(asked: Paper) -> int:
        if asked.figures and series is None:
            raise UserError("its authors have published no series to draw figures of")
        if asked.figures:
            check_own(Path(asked.figures), "paper")
        paper(tables, asked.format)
        if asked.figures and series is not None:
            own_folder(Path(asked.figures), "paper")
            series(Path(asked.figures))
            terminal.say(f"the paper's figures are in {asked.figures}")
        return 0

    return flags.run(Paper, command, words[1:], prog=f"{prog} paper", description="The paper's own tables.")


def paper(tables: Sequence[PaperTable], format: str) -> None:
    """Prints a paper's tables as the paper does."""
    import pandas as pd

    from keras_art.report.layout import laid_out, long
    from keras_art.report.tables import compare

    found = [(table, compare(table, pd.DataFrame())) for table in tables]
    if not found:
        terminal.say("it prints no table")
    elif format == "csv":
        print(long(found, alone=True), end="")
    else:
        _print([laid_out(table, frame, format, alone=True) for table, frame in found], format)


def audit(name: str, format: str) -> int:
    """Prints errors found in print; on the terminal as paragraphs, for sentences make no columns.

    Args:
        name: of `reproductions/errata/NAME.csv`, which has the columns of `ERRATA`; without that file there are none.
    """
    import pandas as pd

    from keras_art.report.rendering import render, titled

    place, found = files("reproductions") / "errata" / f"{name}.csv", pd.DataFrame(columns=ERRATA)
    if place.is_file():
        with as_file(place) as path:
            found = pd.read_csv(path, dtype=str, keep_default_na=False)
    title = f"{len(found)} error{'s' * (len(found) != 1)} found in print"
    if format == "csv":
        print(render(found, format), end="")
    elif format == "text":
        lines = [f"{e.where}: {e.printed}\n  {e.meant}\n  evidence: {e.evidence}\n" for e in found.itertuples()]
        terminal.answer("\n".join([f"{title}\n", *lines]).removesuffix("\n"))
    else:
        _print([titled(title, render(found, format), format)], format)
    return 0


def print_tables(tables: Tables, format: str) -> None:
    """Prints our own tables, then the paper's that have something of ours in them, or all where nothing has been run.

    CSV is one long table of all cells, for programs; LaTeX a document that compiles.
    """
    from keras_art.report.layout import laid_out, long, shown
    from keras_art.report.rendering import render, titled

    if format == "csv":
        print(long(tables.paper), end="")
        return
    parts = [titled(title, render(frame, format, tables.digits), format) for title, frame in tables.own]
    filled = [(paper, frame) for paper, frame in tables.paper if (frame["n"] > 0).any()]
    for paper, frame in filled or ([] if tables.own else tables.paper):
        parts.append(laid_out(paper, shown(frame), format))
    _print(parts, format)


def _print(parts: Sequence[str], format: str) -> None:
    from keras_art.report.rendering import DOCUMENT

    text = "\n".join(parts)
    print(DOCUMENT % text if format == "latex" else text)

"""Every table of every reproduction, from what has been run so far.

python -m reproductions                        # on the terminal
python -m reproductions --format markdown
python -m reproductions --write --store runs   # what a store measured, into measured/accuracies.csv and docs/
python -m reproductions --results              # the tables of measured/*.csv, into the pages of docs/
python -m reproductions --fidelity             # docs/fidelity.md, from docs/fidelity/*.csv
python -m reproductions --check                # exit status 1 where a page of docs/ is not of its data
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from keras_art import terminal
from keras_art.commands import flags, papers
from keras_art.commands.printed import print_tables
from keras_art.errors import UserError
from keras_art.report.rendering import word
from keras_art.store.runs import Store
from keras_art.study.records import LEFT_OUT
from keras_art.writing import write
from reproductions import fidelity, results

COLUMNS = ["paper", "ours", "std", "n", "delta", "protocol", "note"]


@dataclass(frozen=True)
class Tables:
    """What is to be done with the tables."""

    store: str = "runs"
    """Folder of the runs."""
    format: flags.Format = "text"
    """Of the tables."""
    write: bool = False
    """Write what the store measured into measured/accuracies.csv and the pages of docs/."""
    results: bool = False
    """Write the tables of measured/*.csv into the pages of docs/."""
    fidelity: bool = False
    """Write the fidelity table."""
    check: bool = False
    """Compare the pages of docs/ with measured/*.csv, and the fidelity table with its rows, the code and the tests."""


def measured_rows(store: Store) -> pd.DataFrame:
    """The cells in which something of ours stands, of all papers, as words; the interval behind the note."""
    cells = []
    for paper in papers.reproductions():
        for table, frame in paper.tables(store, None, paper.presets["study"]).paper:
            if {"mode", "target"} & set(frame):
                frame = frame[frame["n"] > 0]
                words = frame[["table", *table.keys, *COLUMNS]].map(
                    lambda value, digits=table.digits: word(value, digits)
                )
                words = words.rename(columns={"target": "mode"})  # a label to a column, as KaoKore's owners print it
                words["note"] = [
                    "; ".join(filter(None, [note, interval(*bounds)]))
                    for note, bounds in zip(
                        words["note"], frame[["n_test", "low", "high"]].itertuples(index=False), strict=True
                    )
                ]
                cells.append(words.assign(paper_name=paper.name))
    return pd.concat(cells) if cells else pd.DataFrame()


def interval(n_test: float, low: float, high: float) -> str:
    """In words; of per cents with one decimal, of fractions with three."""
    digits = 1 if high > 1 else 3
    return "" if pd.isna(low) else f"95% of n_test={n_test:.0f}: {low:.{digits}f}-{high:.{digits}f}"


def run(asked: Tables) -> int:
    """Prints, writes or checks."""
    store, told = Store(asked.store), len(LEFT_OUT)
    if (asked.write or asked.results or asked.fidelity or asked.check) and not results.PAGES.is_dir():
        raise UserError(f"there is no {results.PAGES}: pages and what they show are a checkout's, so run this in one")
    if asked.fidelity:
        fidelity.write_page()
        return 0
    if asked.write:
        rows = measured_rows(store)
        if rows.empty:
            raise UserError(f"the store {asked.store} holds no finished runs")
        if len(LEFT_OUT) > told:
            raise UserError("nothing is written, for some runs were left out")
        write(results.MEASURED / results.ACCURACIES, rows.to_csv(index=False))
    if asked.write or asked.results:
        results.write_pages()
        return 0
    if asked.check:
        if found := [*results.differences(), *fidelity.differences()]:
            raise UserError("\n".join(found))
        return 0
    store.check()
    for paper in papers.reproductions():
        print_tables(paper.tables(store, None, paper.presets["study"]), asked.format)
    return int(len(LEFT_OUT) > told)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    prog = "python -m reproductions"
    words = sys.argv[1:] if argv is None else argv
    return terminal.guarded(lambda: run(flags.read(Tables, words, prog=prog, description=__doc__ or "")), prog)


if __name__ == "__main__":
    sys.exit(main())

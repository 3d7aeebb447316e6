"""Pages of a store: one for each study that was asked of it, and an index with all of them.

python -m keras_art page STORE                  # the index is STORE/index.html
python -m keras_art page STORE --open           # and shows it in a browser
python -m keras_art page STORE --study KEY      # one alone, by the name of its folder in STORE/studies, or part of it

A page is one file that opens without a network and can be sent to someone. Every study writes its own at its end.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.commands.machine import Reproduction, whole_runs
from keras_art.commands.papers import reproductions
from keras_art.commands.store import present
from keras_art.errors import UserError
from keras_art.store.runs import Store
from keras_art.study import catalogue
from keras_art.study.catalogue import Asked
from keras_art.study.records import LEFT_OUT, states


@dataclass(frozen=True)
class Pages:
    """What is to be written."""

    store: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="STORE")] = Path("runs")
    """The folder of runs."""
    study: str = ""
    """Pages of this study alone: the name of its folder in STORE/studies, or part of it."""
    open: bool = False
    """Show the index, or the page of --study, in a browser."""


def command(asked: Pages) -> int:
    """Writes pages and index; 1 where one could not be written, or something was left out.

    Raises:
        UserError: there is no store, or no such study in it.
    """
    store, before = present(asked.store, stays=True), len(LEFT_OUT)
    store.check()
    from keras_art.report.index_page import unclaimed, write_index

    known = catalogue.studies(store)
    loose = unclaimed(store, {(ref.kind, ref.digest) for study in known for ref in study.runs})
    if guessed := catalogue.guessed(store, loose):
        terminal.say(
            f"{len(loose):,} run{'s are' if len(loose) > 1 else ' is'} older than the record of what was asked: "
            f"{len(guessed)} {'studies are' if len(guessed) > 1 else 'study is'} put together by the commands that "
            f"the runs' directories tell of"
        )
    wanted = [study for study in [*known, *guessed] if asked.study in study.key]
    if asked.study and not wanted:
        keys = ", ".join(study.key for study in [*known, *guessed])
        raise UserError(f"{store.root} has no study called {asked.study}; it has {keys or 'none'}")
    papers = {paper.name: paper for paper in reproductions()}
    pages = [path for study in wanted if (path := page_of(store, study, papers))]
    index = write_index(store)
    for path in [*pages, index]:
        print(path)
    if asked.open:
        terminal.show(pages[0] if asked.study and pages else index)
    return int(len(pages) < len(wanted) or len(LEFT_OUT) > before)


def page_of(store: Store, study: Asked, papers: dict[str, Reproduction]) -> Path | None:
    """Writes the page of one study, its figures where they are missing; None where it can not, which is said."""
    if not (paper := papers.get(study.reproduction)):
        terminal.say(f"left out: {study.key}, for no reproduction here is called {study.reproduction}")
        return None
    try:
        flags_of = parsed(paper, study.words)
        runs = catalogue.runs_of(store, study)
        tables = paper.tables(store, runs, flags_of)
        paper.draw(store, study, whole_runs(states(store, runs)), flags_of)
    except UserError as error:
        terminal.say(f"left out: {study.key}: {error}")
        return None
    return paper.write_page(store, study, tables)


def parsed(paper: Reproduction, words: Sequence[str]) -> Any:
    """The flags of a command that was given once; those of a preset where this version takes it no longer."""
    import contextlib
    import io

    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            return paper.parse(words)
    except (SystemExit, UserError):
        return paper.presets["study"]


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    return flags.run(Pages, command, words, prog="python -m keras_art page", description=__doc__ or "")

"""The page of one study: what it claims, what came out beside the paper, where it errs, and how it was made."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from keras_art import stopping
from keras_art.errors import UserError
from keras_art.report import outcome, paragraphs
from keras_art.report.layout import laid_out, shown
from keras_art.report.pages import Page
from keras_art.report.plates import Plates
from keras_art.report.rendering import render, titled
from keras_art.report.tables import NOT_BESIDE
from keras_art.store.reading import read_json
from keras_art.store.runs import Store
from keras_art.study.catalogue import Asked, Progress
from keras_art.study.config import Run, kinds

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.report.tables import PaperTable

MOST_RUNS, MOST_CLASSES, MOST_BAD, FEW = 60, 40, 20, 12  # rows of tables; classes up to which theirs is not folded
OF_MACHINE = ("processor", "cpus", "devices", "platform", "python", "backend", "commit", "uncommitted_changes")


@dataclass(frozen=True)
class Told:
    """What a study's page says that is not in its store.

    Attributes:
        doc: its reproduction's own page, as the reproduction's docstring has it.
        bibtex: what to cite for the paper; "" where there is none.
        own: titles and tables of ours.
        paper: the paper's tables, each beside ours.
        digits: of numbers in tables of our own.
    """

    doc: str
    bibtex: str = ""
    own: Sequence[tuple[str, pd.DataFrame]] = ()
    paper: Sequence[tuple[PaperTable, pd.DataFrame]] = ()
    digits: int = 2


def study_page(store: Store, study: Asked, reached: Progress, told: Told) -> tuple[Page, list[str]]:
    """The page, and a sentence for each part that could not be made; the others stand."""
    page, doc = Page(f"{study.reproduction}: {', '.join(study.places) or 'no collection'}"), paragraphs.Doc.of(told.doc)
    runs, environments = list(reached.found), environments_of(store, list(reached.found))
    failures = []
    try:
        for sentence in outcome.sentences(store, reached):
            page.text(sentence, "lead")
    except Exception as error:
        stopping.heed()
        failures.append(f"the result in a sentence: {type(error).__name__}: {error}")
    page.text(doc.headline, "lead")
    for words in filter(None, [doc.claim, doc.citation]):
        page.text(words)
    page.text(f"{reached.words[0].upper()}{reached.words[1:]}.", "state")
    if study.guessed:
        page.text(
            "An earlier version made these runs and did not write down what was asked: they are put together by the "
            "commands that their directories tell of, and a study of several commands stands in several pages."
        )
    parts: dict[str, Callable[[], None]] = {
        "Results": lambda: _results(page, told),
        "Figures": lambda: _plates(page, study, store),
        "Errors": lambda: _errors(page, store, reached),
        "The pictures and their splits": lambda: _collections(page, store, runs),
        "Claim and departures from the paper": lambda: _departures(page, doc),
        "Runs": lambda: _runs(page, reached),
        "Environment": lambda: _environment(page, environments),
        "How to make it again": lambda: _commands(page, study),
        "For a paper": lambda: _for_a_paper(page, store, reached, told, environments),
    }
    for name, part in parts.items():
        try:
            part()
        except Exception as error:
            stopping.heed()
            failures.append(f"{name}: {type(error).__name__}: {error}")
            page.text(f"What stands here could not be made: {outcome.portable(failures[-1], store)}")
    return page, failures


def _departures(page: Page, doc: paragraphs.Doc) -> None:
    page.heading("Claim and departures from the paper")
    page.text(doc.claim or doc.headline)
    for part in doc.rest:
        found = [part]  # numbered from 1 on: another number that begins a line is one of a sentence
        while len(two := re.split(rf"^{len(found)}\. ", found[-1], maxsplit=1, flags=re.MULTILINE)) > 1:
            found[-1:] = two
        opening, *items = found
        if opening.strip():
            page.text(paragraphs.plain(opening))
        if items:
            page.items([paragraphs.plain(item) for item in items], numbered=True)


def _results(page: Page, told: Told) -> None:
    page.heading("Results")
    filled = [(table, frame) for table, frame in told.paper if (frame["n"] > 0).any()]
    for sentence in verdict([frame for _, frame in filled]):
        page.text(sentence)
    for title, frame in told.own:
        page.rendered(titled(title, render(frame, "html", told.digits), "html"), title)
    for table, frame in filled:
        # Why a row stands alone is told above, once for all tables.
        notes = frame["note"].map(lambda note: str(note).partition(NOT_BESIDE)[0].removesuffix("; "))
        page.rendered(laid_out(table, shown(frame.assign(note=notes)), "html"), table.source)
    if not filled and not told.own:
        page.text("No run is finished yet.")


def verdict(frames: Sequence[pd.DataFrame]) -> list[str]:
    """What may be read beside the paper's numbers, and why the rest may not, in sentences."""
    ours = [line for frame in frames for line in frame[frame["n"] > 0].to_dict("records")]
    if not ours:
        return []
    beside = sum(bool(line["theirs"]) for line in ours)
    reasons = dict.fromkeys(
        reason.partition(NOT_BESIDE)[2] for reason in (str(line["note"]) for line in ours) if NOT_BESIDE in reason
    )
    said = [
        f"{beside} of our {len(ours)} numbers share pictures, split, weights and settings with the paper's, and stand "
        f"beside them."
        if beside
        else "None of these numbers may be set beside one that the paper prints."
    ]
    said += [f"Why not: {reason}." for reason in list(reasons)[:3]]
    return said


def _plates(page: Page, study: Asked, store: Store) -> None:
    plates = Plates.read(study.folder(store) / "figures")
    if plates.parts and "heading" not in plates.parts[0]:
        page.heading("Figures")
    plates.place(page)


def _errors(page: Page, store: Store, reached: Progress) -> None:
    """Of the best classifier by validation, for each collection and label: confusion, and its surest errors."""
    from keras_art.data import tasks
    from keras_art.report import figures, mistakes

    if best := outcome.best(store, reached):
        page.heading("Where it errs")
        page.text("Of the classifier that is best on the validation images, on the test images.")
    for (key, target), (run, said) in best.items():
        page.subheading(f"{target} of {run.place}: {run.title}")
        wrong = said.wrong()
        n = len(said.table)
        which, but = outcome.tested_on(store, run)
        page.text(f"{n - len(wrong):,} of {n:,} {which} are right, {len(wrong):,} wrong.{but}")
        drawn = figures.confusion(said.confusion(), said.classes, title=f"{run.place}, {target}")
        page.figure(drawn, figures.how_to_read(len(said.classes)))
        if len(wrong):
            size, rule = (getattr(run, field) for field in ("image_size", "resize"))
            ready = tasks.load(store, key, size, rule)
            which, share = outcome.surest(run, reached.found[run], target)
            pictures, captions = mistakes.pictures(ready, wrong.head(mistakes.SHOWN), share)
            page.text(f"The {len(pictures)} errors {which}")
            page.pictures(pictures, captions)


def _collections(page: Page, store: Store, runs: Sequence[Run]) -> None:
    import pandas as pd

    from keras_art.data import kept, tasks

    page.heading("The pictures and their splits")
    for key in dict.fromkeys(filter(None, (getattr(run, "collection", "") for run in runs))):
        try:
            lines = tasks.describe(store, key).splitlines()
            facts, images = kept.facts_of(store, key), kept.table(store, key, "images.csv")
            bad = kept.table(store, key, "quarantine.csv")
        except UserError as error:
            page.text(outcome.portable(str(error), store))
            continue
        page.subheading(key.rsplit("-", 1)[0])
        page.items([outcome.portable(line.strip(), store) for line in lines])
        if facts["rule"] != "whole":
            names = images["label"].astype(int).map(dict(enumerate(facts["classes"]))).fillna("")
            sizes = pd.crosstab(names, images["split"]).reindex(columns=["train", "val", "test"], fill_value=0)
            sizes = sizes.assign(all=sizes.sum(axis=1)).sort_values("all", ascending=False).reset_index(names="class")
            if len(sizes) > FEW:
                page.fold(f"Images by class and split, {len(sizes):,} classes")
            page.table(sizes.head(MOST_CLASSES).rename_axis(columns=None), title=f"images of {key} by class and split")
            if len(sizes) > MOST_CLASSES:
                page.text(f"And {len(sizes) - MOST_CLASSES:,} smaller classes.")
            page.unfold()
        if len(bad):
            page.text(f"Left out, because they can not be used ({len(bad):,}):")
            page.items([f"{_named(row.id, row.path)}: {row.reason}" for row in bad.head(MOST_BAD).itertuples()])
            if len(bad) > MOST_BAD:
                page.text(f"And {len(bad) - MOST_BAD:,} more, in the store's collections/{key}/quarantine.csv.")


def _named(id_: str, path: str) -> str:
    """What can not be used, as its collection calls it, and its file, where that is called otherwise."""
    name = os.path.basename(path)
    return f"{id_} ({name})" if name and name not in id_ else id_


def _runs(page: Page, reached: Progress) -> None:
    import pandas as pd

    page.heading("Runs")
    rows = [
        {
            "run": run.title, "result": kinds()[run.kind].summary(run, found),
            "minutes": (found.get("seconds") or 0) / 60, "directory": f"{run.kind}/{run.folder_name}",
        }
        for run, found in list(reached.found.items())[:MOST_RUNS]
    ]  # fmt: skip
    if rows:
        page.table(pd.DataFrame(rows), 1, "runs")
    if len(reached.found) > MOST_RUNS:
        page.text(f"And {len(reached.found) - MOST_RUNS:,} more.")
    if missing := reached.asked - len(reached.found):
        page.text(f"{missing:,} of {reached.asked:,} runs are not done: the command below goes on with them.")


def environments_of(store: Store, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The different machines and versions that computed some runs, without their commands."""
    found: list[dict[str, Any]] = []
    for run in runs:
        try:
            told = read_json(store.directory(run) / "environment.json", fields={"versions": dict})
        except UserError:
            continue
        told.pop("command", None)
        if told not in found:
            found.append(told)
    return found


def _environment(page: Page, environments: Sequence[dict[str, Any]]) -> None:
    import pandas as pd

    page.heading("Environment")
    rows: dict[str, list[str]] = {}
    for told in environments:
        facts = {name.replace("_", " "): told.get(name, "not noted") for name in OF_MACHINE}
        for name, value in (facts | told["versions"]).items():
            words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            if words not in rows.setdefault(name, []):
                rows[name].append(words)
    page.table(pd.DataFrame([(name, "; ".join(words)) for name, words in rows.items()], columns=["what", "value"]))


def _commands(page: Page, study: Asked) -> None:
    page.heading("How to make it again")
    if lines := study.command_lines():
        page.text("What was asked, the newest last; given again it goes on where it was, and trains nothing twice.")
        page.code("\n".join(lines))
        if any("PATH/" in line for line in lines):
            page.text("PATH stands for the folder on the machine that it was asked on.")
    else:
        page.text("By which command is not known.")


def _for_a_paper(page: Page, store: Store, reached: Progress, told: Told, environments: Sequence[Any]) -> None:
    from keras_art.data import kept

    page.heading("For a paper")
    runs = list(reached.found)
    sentences = []
    for key in dict.fromkeys(filter(None, (getattr(run, "collection", "") for run in runs))):
        name = key.rsplit("-", 1)[0]
        if not kept.is_kept(store, key):  # of a run that was brought from another store
            sentences.append(paragraphs.unlisted(name))
            continue
        sizes = kept.table(store, key, "images.csv")["split"].value_counts().to_dict()
        reasons = kept.table(store, key, "quarantine.csv")["reason"]
        sentences.append(paragraphs.data(name, kept.facts_of(store, key), sizes, reasons))
    sentences += paragraphs.training(reached.found)
    if any("n_test" in found or "test_accuracy" in found for found in reached.found.values()):
        sentences.append(paragraphs.TESTED)
    sentences.append(paragraphs.software(environments, reached.seconds))
    page.subheading("A paragraph on methods")
    page.text(paragraphs.joined(sentences))
    page.subheading("To be cited")
    commits = {told["commit"] for told in environments if told.get("commit")}
    own = paragraphs.bibtex((reached.ended or datetime.now(UTC)).year, commits.pop() if len(commits) == 1 else "")
    page.code("\n\n".join(filter(None, [told.bibtex.strip(), own])))

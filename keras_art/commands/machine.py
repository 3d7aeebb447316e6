"""The study machine: the one place that knows in which order a reproduction's parts are used.

Study -> collections -> runs -> plan -> pictures and checks -> execute -> tables -> figures -> page.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art import stopping, terminal
from keras_art.commands import flags, printed
from keras_art.commands.preparation import foretold, lost_choices, prepare, rehearse
from keras_art.commands.printed import Tables as Tables
from keras_art.commands.printed import print_tables
from keras_art.store import plain
from keras_art.store.leftovers import sweep
from keras_art.store.runs import Store
from keras_art.study import catalogue, clusters, precisions, workers
from keras_art.study.catalogue import Asked
from keras_art.study.config import Run, digest, needs
from keras_art.study.costs import LONG, LONG_TO_WAIT, Estimate
from keras_art.study.devices import devices_of, settle
from keras_art.study.files import check_needed, files_kept
from keras_art.study.plan import ordered, plan
from keras_art.study.records import LEFT_OUT, states
from keras_art.version import __version__
from keras_art.writing import write_bytes

if TYPE_CHECKING:
    from keras_art.data.choices import Choice
    from keras_art.data.collection import Collection
    from keras_art.report.plates import Plates
    from keras_art.report.tables import PaperTable

    Chosen = dict[str, tuple[Collection | None, Choice]]  # a role, such as "target" -> what is taken


@dataclass(frozen=True)
class Reproduction:
    """One paper, as the parts that are its own.

    Attributes:
        name: its module in `reproductions`.
        doc: its page: claim, commands, departures.
        study: the dataclass of its flags.
        presets: name -> a whole study; "demo", and "study" for other people's images.
        check: refuses a study that contradicts itself, before anything is read.
        collections: (study, store) -> what it takes of which collections, read but not yet opened.
        runs: (study, collections, store) -> what it computes.
        tables: (store, runs or None for all of the store, study) -> what it prints.
        figures: (store, runs, study, plates) draws, for the study's page and its `figures/`.
        files: (study) -> the files among its flags, which are copied into the store.
        begin: (study, store, collections, runs to compute), called when pictures are ready, before anything trains.
        foresee: the same in a dry run, of what `begin` would refuse and can be known before pictures are read.
        verbs: further words of its command line -> (words after it) -> exit status.
        printed: the paper's tables, in the order in which it prints them.
        errata: whose errors in print, `reproductions/errata/NAME.csv`, are its own; "": those of its name.
        series: (folder) draws the paper's figures from its published series alone; None where it has none.
        bibtex: what to cite for the paper; "" where nothing is printed.
    """

    name: str
    doc: str
    study: type[Any]
    presets: Mapping[str, Any]
    check: Callable[[Any], None]
    collections: Callable[[Any, Store], Chosen]
    runs: Callable[[Any, Chosen, Store], Sequence[Run]]
    tables: Callable[[Store, Sequence[Any] | None, Any], Tables]
    figures: Callable[[Store, Sequence[Any], Any, Plates], object]
    files: Callable[[Any], Iterable[str]] = lambda study: ()
    begin: Callable[[Any, Store, Chosen, Sequence[Any]], None] = lambda study, store, chosen, runs: None
    foresee: Callable[[Any, Store, Chosen, Sequence[Any]], None] = lambda study, store, chosen, runs: None
    verbs: Mapping[str, Callable[[Sequence[str]], int]] = field(default_factory=dict)
    printed: Sequence[PaperTable] = ()
    errata: str = ""
    series: Callable[[Path], None] | None = None
    bibtex: str = ""

    @property
    def prog(self) -> str:
        """How it is called."""
        return f"python -m reproductions.{self.name}"

    def main(self, argv: Sequence[str] | None = None) -> int:
        """The command line; returns the exit status."""
        words = list(sys.argv[1:] if argv is None else argv)
        if words[:1] == ["predict"]:
            from keras_art.commands import predict

            return predict.main(words[1:], prog=f"{self.prog} predict")
        if words[:1] in (["paper"], ["audit"]):
            return printed.main(words, self.prog, self.printed, self.errata or self.name, self.series)
        if words and words[0] in self.verbs:
            return self.verbs[words[0]](words[1:])
        return terminal.guarded(lambda: self.carry_out(self.parse(words), words), self.prog, trains=True)

    def parse(self, words: Sequence[str]) -> Any:
        """The study of a command line; exits as `flags.read` does."""
        return flags.parse(self.study, self.presets, words, prog=self.prog, description=self.doc)

    def carry_out(self, study: Any, words: Sequence[str] = ()) -> int:
        """Computes what is missing of a study, prints its tables, draws its figures, writes its page.

        What can not be read, or not be computed, is named and left out of all that.

        Args:
            words: of the command line that asks for it.

        Returns:
            The exit status: 1 where something was left out.
        """
        store = Store(study.store)
        if study.table:
            store.check()
            runs = self.runs(study, self.collections(study, store), store) if study.data else None
            runs = runs and precisions.settled(store, runs, measuring=False)
            before = len(LEFT_OUT)
            print_tables(self.tables(store, runs, study), study.format)
            if runs and (hint := other_runs(store, runs)):
                terminal.say(hint)
            return int(len(LEFT_OUT) > before)
        self.check(study)
        if any(word.partition("=")[0] == "--weights" for word in words):  # no preset's
            check_needed(study.networks, study.weights)
        precisions.check(getattr(study, "precision", ""), study.executor)
        devices = devices_of(study.devices, study.jobs)
        store.create(study.threads or max(1, (os.cpu_count() or 1) // study.jobs))
        settle(store, devices[0] if study.jobs == 1 else None)
        chosen = self.collections(study, store)
        runs = ordered(store, self.runs(study, chosen, store))
        with files_kept(store, self.files(study)):
            runs = precisions.settled(store, runs, measuring=not study.dry_run)
            estimate = Estimate(store, {choice.key: len(choice.images) for _, choice in chosen.values()})
            found = states(store, runs)
            missing = [run for run, metrics in found.items() if metrics is None]
            if study.dry_run:
                self.rehearse(study, store, chosen, missing)
            if study.executor == "here":
                estimate.measure(missing, LONG if study.dry_run else LONG_TO_WAIT)
            if study.dry_run:
                terminal.answer(plan(store, runs, estimate, study.jobs))
                if study.executor == "slurm":
                    print(clusters.script(store, runs, study.jobs, study.cluster))
                return 0
            if missing:
                clusters.check(study.executor, study.cluster)
                terminal.say(plan(store, list(found), estimate, study.jobs))
            lost = lost_choices(store, chosen)
            if concerned := [run for run in found if run in missing or getattr(run, "collection", "") in lost]:
                prepare(store, chosen, concerned)
                self.begin(study, store, chosen, concerned)
        for run in missing:
            store.ask(run)
        asked = catalogue.write_down(store, self.name, words, runs)
        if missing:
            match study.executor:
                case "here":
                    workers.compute(store, missing, estimate.seconds, devices)
                case "slurm":
                    handed = clusters.slurm(store, missing, study.jobs, study.cluster)
                    terminal.say(f"{handed} work on {store.root}; --table says what is done")
                    return 0
                case "ray":
                    clusters.ray(store, missing, study.jobs, study.cluster)
            found = states(store, found)
        elif len(found) == len(runs):
            terminal.say(f"{len(runs)} run{'s' * (len(runs) > 1)}, all done: nothing is trained")
        tables = self.tables(store, runs, study)
        print_tables(tables, study.format)
        whole = whole_runs(found)
        self.draw(store, asked, whole, study)
        if page := self.write_page(store, asked, tables):
            terminal.say(f"the page of this study is {page}")
            if study.open:
                terminal.show(page)
        return 0 if len(whole) == len(runs) else 1

    def rehearse(self, study: Any, store: Store, chosen: Chosen, missing: Sequence[Run]) -> None:
        """What a dry run tells before its plan, and what it checks: all that can be known before pictures are read.

        Raises:
            UserError: as the real run would.
        """
        for choice in {choice.key: choice for _, choice in chosen.values()}.values():
            terminal.answer(foretold(store, choice))
        if study.executor == "ray":
            clusters.check(study.executor, study.cluster)
        if missing:
            rehearse(store, missing)
            self.foresee(study, store, chosen, missing)

    def draw(self, store: Store, asked: Asked, runs: Sequence[Run], study: Any) -> None:
        """Draws the figures of a study's finished runs, unless those that are there are of the same runs and flags.

        So a study asked for again is answered at once. A figure that fails is reported: numbers are whole without it.
        """
        from keras_art.report.plates import Plates

        folder = asked.folder(store) / "figures"
        what = "\n".join([__version__, *sorted(map(digest, runs)), flags.told(study)])
        if not runs or (_says(folder / ".drawn", what) and Plates.are_whole(folder)):
            return
        sweep(folder)
        terminal.start_backend()
        plates = Plates(folder)
        try:
            self.figures(store, runs, study, plates)
        except Exception as error:
            stopping.heed()
            terminal.say(f"figures could not be drawn ({type(error).__name__}: {error}); the same command tries again")
            plates.save()
            return
        plates.save()
        write_bytes(folder / ".drawn", what.encode())
        terminal.say(f"figures are in {folder}")

    def write_page(self, store: Store, asked: Asked, tables: Tables) -> Path | None:
        """Writes a study's page, and the index; what fails is reported, and None returned where nothing was written."""
        from keras_art.report.index_page import write_index
        from keras_art.report.study_page import Told, study_page

        told = Told(self.doc, self.bibtex, tables.own, tables.paper, tables.digits)
        path = asked.folder(store) / "page.html"
        try:
            page, failures = study_page(store, asked, catalogue.progress(store, asked), told)
            page.save(path)
            write_index(store)
        except Exception as error:
            stopping.heed()
            terminal.say(f"the page was not written ({type(error).__name__}: {error}); the same command tries again")
            return None
        for failure in failures:
            terminal.say(f"a part of the page could not be made: {failure}")
        return path


def whole_runs(found: Mapping[Run, Any]) -> list[Run]:
    """Those among some runs and what they measured that are finished, and all that they need too."""
    done = {run.ref: run for run, metrics in found.items() if metrics is not None}
    return [run for run in done.values() if set(needs(run)) <= set(done)]


def other_runs(store: Store, runs: Sequence[Run]) -> str:
    """Where not all of some runs are finished, how many others of their kinds the store has, in words; else ""."""
    own = {store.directory(run) for run in runs}
    kinds = {run.kind for run in runs}
    done = {path.parent for kind in kinds for path in (store.root / kind).glob("*/metrics.json")}
    if own <= done or not done - own:
        return ""
    return (
        f"{len(done & own)} of the {len(own)} runs that these flags ask for are finished; the store has "
        f"{len(done - own)} of other flags: --table without --data shows them all"
    )


def _says(path: Path, text: str) -> bool:
    try:
        return plain.read(path) == text.encode()
    except OSError:
        return False


def open_collection(study: flags.Study, store: Store, data: str | None, target: str | None, **how: Any) -> Any:
    """A collection of a study and what is taken of it; without `data`, the atelier.

    Args:
        data: as of `--data`, or "atelier:source" for the rendered objects that the demo's networks are trained on.
        target: the label column.
        how: further arguments of `opening.open_choice`, over those of the study.

    Raises:
        BadCollection: nothing usable is there.
        StoreError: the store's own choice of that name was made otherwise.
    """
    from keras_art.data.opening import open_choice

    settings = {"rule": study.split, "split_seed": study.split_seed, "limit": study.limit} | how
    if data and data == study.data:
        settings |= {"sheet": study.sheet, "artist": study.artist}
    return open_choice(store, located(store, data), study.root, target, **settings)


def located(store: Store, data: str | None) -> str | Path:
    """What `--data` says, or where the atelier is, painted when it is not there yet."""
    from keras_art.atelier import make_atelier

    if data not in (None, "atelier:source"):
        return data or ""
    half = "source" if data else "target"
    # By version: a painter who has learnt something since must not be taken for the old one.
    return make_atelier(store.root / "cache" / __version__ / f"atelier-{half}", half=half)

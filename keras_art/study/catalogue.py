"""Which studies were asked of a store, by which commands, and how far each is: `studies/NAME-PLACES-DIGEST/study.json`.

A study is its runs: asked for by another command, or in another order, it is the same one. Beside what is written of it
stand its figures and its page.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.store.leftovers import sweep
from keras_art.store.reading import is_there, read_json
from keras_art.store.runs import Store
from keras_art.store.sums import SUMS, Damaged, write_sealed
from keras_art.study.config import Run, RunRef, kinds, needs
from keras_art.study.records import read_run, readable, run_of
from keras_art.version import __version__
from keras_art.writing import slug

FOLDER, FILE = "studies", "study.json"
MOST_COMMANDS = 50  # of one study that are kept, the newest
REMEDY = "move it away, and the command that asked for the study writes it anew"
# How a command line is seen by the process that carries it out.
ABSOLUTE = re.compile(r"(^|=)(?:~?/|[A-Za-z]:[\\/])(?:.*[\\/])?(?=[^/\\])")  # in a word, what a name stands behind
MODULE = re.compile(r"reproductions[/\\](\w+?)(?:[/\\]__main__)?\.py$")


@dataclass(frozen=True)
class Asked:
    """A study that was asked of a store.

    Attributes:
        reproduction: its name.
        runs: what it consists of, what they need included, in the order of its plan.
        commands: (when, in UTC and ISO 8601; words of the command line behind the program's name), the newest last.
        places: the names of its collections.
        guessed: whether it was found by what its runs say, since nobody has written it down.
    """

    reproduction: str
    runs: tuple[RunRef, ...]
    commands: tuple[tuple[str, tuple[str, ...]], ...] = ()
    places: tuple[str, ...] = ()
    guessed: bool = False

    @property
    def key(self) -> str:
        """Its folder's name: `NAME-PLACES-DIGEST`, the digest of its runs in any order."""
        digest = hashlib.sha256("\n".join(sorted(f"{ref.kind} {ref.digest}" for ref in self.runs)).encode()).hexdigest()
        words = [self.reproduction, *self.places[:2], *(["others"] if len(self.places) > 2 else [])]
        return f"{'-'.join(slug(word) for word in words)}-{digest[:8]}"

    @property
    def words(self) -> tuple[str, ...]:
        """Of the newest command."""
        return self.commands[-1][1] if self.commands else ()

    def command_lines(self) -> list[str]:
        """Its commands as others can give them, each once, the newest last: PATH stands for folders of a machine."""
        told = dict.fromkeys(tuple(ABSOLUTE.sub(r"\1PATH/", word) for word in words) for _, words in self.commands)
        return [shlex.join(["python", "-m", f"reproductions.{self.reproduction}", *words]) for words in told]

    def folder(self, store: Store) -> Path:
        """Where all that is made of it stands."""
        return store.root / FOLDER / self.key


def write_down(store: Store, reproduction: str, words: Sequence[str], runs: Sequence[Run]) -> Asked:
    """Writes down that a study is asked for, beside the commands that have asked for it before.

    Where the last one was the same, all is written already.
    """
    study = Asked(reproduction, tuple(run.ref for run in runs), (), places_of(runs))
    path = study.folder(store) / FILE
    sweep(path.parent)  # a page, too, that a killed process was at
    try:
        before = read(path).commands if is_there(path) else ()
    except UserError:  # it is written anew
        before = ()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    given = tuple(word for word in words if word != "--open")
    if before and before[-1][1] == given:
        return replace(study, commands=before)
    known = [command for command in before if command[1] != given]
    study = replace(study, commands=(*known, (now, given))[-MOST_COMMANDS:])
    told: dict[str, Any] = {
        "reproduction": reproduction, "version": __version__, "places": study.places,
        "commands": [{"at": at, "words": line} for at, line in study.commands],
        "runs": [{"kind": ref.kind, "digest": ref.digest} for ref in study.runs],
    }  # fmt: skip
    content = {FILE: json.dumps(told, indent=1).encode()}
    try:
        write_sealed(path.parent, content)
    except Damaged:  # its list of hashes, which is of this file alone
        (path.parent / SUMS).unlink()
        write_sealed(path.parent, content)
    return study


def places_of(runs: Iterable[Run]) -> tuple[str, ...]:
    """The names of the collections that runs are on; of what only prepares others where there is nothing else."""
    runs = list(runs)
    needed = {ref for run in runs for ref in needs(run)}
    own = [run.place for run in runs if run.ref not in needed] or [run.place for run in runs]
    return tuple(dict.fromkeys(filter(None, own)))


def read(path: Path) -> Asked:
    """What a `study.json` says.

    Raises:
        Damaged: it can not be read.
    """
    fields = {"reproduction": str, "commands": list, "runs": list, "places": list}
    found = read_json(path, REMEDY, fields)
    try:
        return Asked(
            found["reproduction"],
            tuple(RunRef(run["kind"], run["digest"]) for run in found["runs"] if run["kind"] in kinds()),
            tuple((str(told["at"]), tuple(map(str, told["words"]))) for told in found["commands"]),
            tuple(map(str, found["places"])),
        )
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} does not say what was asked ({error}): {REMEDY}") from error


def files(store: Store) -> list[Path]:
    """Every `study.json` of a store."""
    return sorted((store.root / FOLDER).glob(f"*/{FILE}"))


def studies(store: Store) -> list[Asked]:
    """Every study that is written down in a store, the one asked for last first; what can not be read is named."""
    found = []
    for path in files(store):
        try:
            found.append(read(path))
        except UserError as error:
            terminal.say(f"left out: {error}")
    return sorted(found, key=lambda study: study.commands[-1][0] if study.commands else "", reverse=True)


def guessed(store: Store, runs: Sequence[Run]) -> list[Asked]:
    """The studies of runs that are in none that is written down, by the commands that their directories tell of.

    A run computed by another command, such as `work`, is in none of them.
    """
    commands: dict[tuple[str, tuple[str, ...]], list[Run]] = {}
    for run in runs:
        try:
            words = read_json(store.directory(run) / "environment.json").get("command")
        except UserError:
            continue
        if isinstance(words, list) and words and (named := MODULE.search(str(words[0]))):
            commands.setdefault((named[1], tuple(map(str, words[1:]))), []).append(run)
    found = []
    for (name, words), mine in commands.items():
        whole: dict[RunRef, Run] = {}
        for run in mine:
            whole |= _with_needs(store, run)
        found.append(Asked(name, tuple(whole), (("", words),), places_of(whole.values()), guessed=True))
    return found


def _with_needs(store: Store, first: Run) -> dict[RunRef, Run]:
    """A run behind all that it needs and that the store has."""
    order: dict[RunRef, Run] = {}
    waiting = [first]
    while waiting:
        run = waiting[-1]
        missing = [ref for ref in needs(run) if ref not in order and store.has(ref)]
        if missing:
            waiting.extend(run_of(store, ref) for ref in reversed(missing))
        else:
            order.setdefault(run.ref, waiting.pop())
    return order


def runs_of(store: Store, study: Asked) -> list[Run]:
    """Its runs as far as the store has begun them, in the order of its plan; what can not be read is left out."""
    places = {
        (kind, path.name.rsplit("-", 1)[-1]): path
        for kind in {ref.kind for ref in study.runs}
        for path in store.directories(kind)
    }
    return readable(filter(None, (places.get((ref.kind, ref.digest)) for ref in study.runs)), read_run)


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    Attributes:
        asked: of how many runs it consists.
        found: run -> what it measured; only those that are finished.
        seconds: that these took, by the clocks of whoever computed them.
        ended: when the last of them was finished; None: none is.
    """

    asked: int
    found: dict[Run, dict[str, Any]]
    seconds: float
    ended: datetime | None

    @property
    def words(self) -> str:
        """For people."""
        done, bad = len(self.found), sum(found.get("status") == "diverged" for found in self.found.values())
        state = "done" if done == self.asked else f"{done} of {self.asked} runs done"
        lines = [state, *([f"{bad} diverged"] if bad else []), f"{terminal.duration(self.seconds)} of computing"]
        return ", ".join([*lines, *([f"ended {self.ended:%Y-%m-%d %H:%M} UTC"] if self.ended else [])])


def progress(store: Store, study: Asked) -> Progress:
    """How far a study is; a run that can not be read counts as not done."""
    found: dict[Run, dict[str, Any]] = {}
    times = []
    for run in runs_of(store, study):
        try:
            metrics = store.metrics(run)
        except UserError:
            continue
        if metrics is not None:
            found[run] = metrics
            times.append((store.directory(run) / "metrics.json").stat().st_mtime)
    seconds = sum(each.get("seconds") or 0 for each in found.values())
    ended = datetime.fromtimestamp(max(times), UTC) if times else None
    return Progress(len(study.runs), found, seconds, ended)

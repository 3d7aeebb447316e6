"""What of ours may stand beside a printed number: one answer, for tables, figures and pages alike.

    verdict = judge(store, run, printed)
    verdict.comparable, verdict.protocol, verdict.note

A printed number is of certain pictures, split in a certain way, of networks that began with certain weights and were
trained by a certain protocol. A run of ours stands beside it if it shares all of these; else `note` says what differs.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_art import terminal
from keras_art.data import cards, kept
from keras_art.errors import UserError
from keras_art.store.reading import read_json
from keras_art.store.runs import Store
from keras_art.store.sums import hash_of
from keras_art.study.config import Artefact, Run, RunRef
from keras_art.study.files import artefact_path
from keras_art.study.records import run_of
from keras_art.writing import one_line

DEMO = "demo"
STUDY = "study"
MISSING = 0.01  # the share of a collection that may be missing
TOLD = 3  # of the reasons in a note


@dataclass(frozen=True)
class Protocol:
    """One way in which a paper's numbers came about: as its text, or the code of its authors, has it.

    Attributes:
        like: one of our runs -> the run that it would be by this protocol: same place, network, mode and seed;
            a `UserError` where it has none in that mode, or none of that network.
        split: what must be so in the `task.json` of its collection, such as `{"rule": "random", "split_seed": 42}`.
        networks: those of the paper's that it has; none: all of them.
    """

    like: Callable[[Any], Run]
    split: Mapping[str, Any] = field(default_factory=dict)
    networks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Printed:
    """What a printed number is of.

    Attributes:
        protocols: name -> how it came about.
        card: of its collection, NAME or NAME-VERSION.
        targets: its label columns.
        networks: by the names they have in keras.applications.
        modes: of its runs; none: any.
        carried: what the run is of whose weights a run carries over; None: weights are a named release, or none.
        never: why nothing of ours can be shown to be of the same; "" where it can.
    """

    protocols: Mapping[str, Protocol] = field(default_factory=dict)
    card: str = ""
    targets: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    carried: Printed | None = None
    never: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether a run may stand beside a printed number.

    Attributes:
        protocol: which of the paper's protocols the run followed, whatever its pictures: else `demo` or `study`.
        reasons: what differs; nothing: it may.
    """

    protocol: str
    reasons: tuple[str, ...]

    @property
    def comparable(self) -> bool:
        """Whether it may."""
        return not self.reasons

    @property
    def note(self) -> str:
        """For the note of a row."""
        if not self.reasons:
            return ""
        more = f"; and {len(self.reasons) - TOLD} more" if len(self.reasons) > TOLD else ""
        return f"not beside the paper's: {'; '.join(self.reasons[:TOLD])}{more}"


def judge(store: Store, run: Any, printed: Printed) -> Verdict:
    """Whether a run may stand beside a printed number, and if not, why.

    Args:
        run: a classifier, a ticket, ...; finished or not: how it ended does not count here.
        printed: what the number is of.
    """
    if is_demo(run.collection):
        return Verdict(DEMO, ("the pictures are the demo's own",))
    wanted, lacking = {}, []
    for name, protocol in printed.protocols.items():
        try:
            wanted[name] = protocol.like(run)
        except UserError as error:
            lacking.append(str(error))
    followed = {name: _protocol(store, run, name, run_there, printed) for name, run_there in wanted.items()}
    name, reasons = min(followed.items(), key=lambda item: len(item[1]), default=(STUDY, lacking[:1]))
    never, other = _pictures(store, run.collection, printed)
    if printed.networks and str(run.network) not in printed.networks:
        other.append(f"the network {run.network} is none of the paper's")
    if printed.modes and run.mode not in printed.modes:
        other.append(f"it is {run.mode} where the paper has {' or '.join(printed.modes)}")
    told = [never] if never else [*other, *reasons]  # of other pictures no setting would help
    return Verdict(STUDY if reasons else name, tuple(dict.fromkeys(told)))


def judge_collection(store: Store, key: str, printed: Printed) -> Verdict:
    """The same of what is printed of a collection itself, such as N_t: its pictures and its split."""
    if is_demo(key):
        return Verdict(DEMO, ("the pictures are the demo's own",))
    followed = {name: _split(store, key, protocol) for name, protocol in printed.protocols.items()}
    name, reasons = min(followed.items(), key=lambda item: len(item[1]))
    never, other = _pictures(store, key, printed)
    return Verdict(STUDY if reasons else name, (never,) if never else (*other, *reasons))


def is_demo(collection: str) -> bool:
    """Whether a collection, NAME-DIGEST, is painted by the toolkit itself."""
    return collection.startswith("atelier-")


def _pictures(store: Store, key: str, printed: Printed) -> tuple[str, list[str]]:
    """Why a choice is of other pictures, "" where it is not, and what else of it is not as its card says."""
    known = printed.card and not printed.never
    return _of_card(store, key, printed.card, printed.targets) if known else (printed.never, [])


def _protocol(store: Store, run: Any, followed: str, wanted: Run, printed: Printed) -> list[str]:
    """What of a run is not as the one by a protocol: weights first, then split, then settings."""
    protocol = printed.protocols[followed]
    reasons = _carried(store, run, followed, printed.carried) + _split(store, run.collection, protocol)
    if protocol.networks and str(run.network) not in protocol.networks:
        known = " and ".join(protocol.networks)
        reasons.append(f"the network {run.network} is not in the {followed} code, which has {known} alone")
    for name in (each.name for each in dataclasses.fields(run)):
        ours, theirs = getattr(run, name), getattr(wanted, name, None)
        if name == "weights" and not isinstance(ours, RunRef):
            reasons += _released(store, run, theirs)
        elif name != "weights" and ours != theirs:
            reasons.append(_setting(name, ours, theirs))
    return reasons


def _split(store: Store, key: str, protocol: Protocol) -> list[str]:
    try:
        facts = read_json(store.root / "collections" / key / "task.json") if protocol.split else {}
    except UserError as error:
        return [str(error)]
    return [
        f"{name.replace('_', ' ').replace('rule', 'split')} {facts.get(name)} where the paper has {value}"
        for name, value in protocol.split.items()
        if facts.get(name) != value
    ]


def _setting(name: str, ours: Any, theirs: Any) -> str:
    if isinstance(ours, RunRef) or isinstance(theirs, RunRef):
        return f"another {name} than the paper's"
    return f"{name} {_words(ours)} where the paper has {_words(theirs)}"


def _words(value: Any) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)


def _released(store: Store, run: Any, theirs: Any) -> list[str]:
    """Weights by their name, or by what is in the file: Keras's own release of ImageNet weights is known by its md5."""
    if run.weights == theirs:
        return []
    if isinstance(run.weights, Artefact) and theirs == "imagenet":
        try:
            found = hash_of(artefact_path(store, run.weights), "md5")
        except OSError:
            return [f"the weights {run.weights} are gone from the store, and nobody can tell what they were"]
        terminal.start_backend()
        from keras_art.networks.backbones import IMAGENET_MD5

        if found == IMAGENET_MD5.get(str(run.network)):
            return []
    return [f"weights {run.weights} where the paper has {theirs}"]


def _carried(store: Store, run: Any, followed: str, printed: Printed | None) -> list[str]:
    """What is wrong with the run whose weights a run carries over: it has to be comparable by the same protocol."""
    weights = getattr(run, "weights", None)
    if not isinstance(weights, RunRef):
        return []
    try:
        source = run_of(store, weights)
    except UserError as error:
        return [str(error)]
    if printed is None:
        return [f"weights of {_of(source)} where the paper has released ones"]
    if not store.has(weights):
        return [f"weights of {_of(source)}, which is not finished"]
    for name in ("network", "target"):
        if getattr(source, name, None) != getattr(run, name, None):
            return [f"weights of {_of(source)}, another {name}"]
    same = dataclasses.replace(printed, protocols={followed: printed.protocols[followed]})
    return [f"weights of {_of(source)}: {reason}" for reason in judge(store, source, same).reasons]


def _of(run: Any) -> str:
    return " ".join(filter(None, [run.mode.replace("_", " "), "on", run.place, getattr(run, "target", "")]))


def of_card(store: Store, key: str, card: str, targets: Iterable[str] = ()) -> list[str]:
    """What of a choice in a store is not as a card says; nothing: these are its pictures, all of them.

    By what is in it and not by its name: so many objects before anything was left out, the labels of known ones, the
    very test images where these are published, and what the papers' filter may leave where they are not.

    Args:
        key: NAME-DIGEST.
        card: NAME or NAME-VERSION.
        targets: the label columns it has to be about; none: any.
    """
    other, reasons = _of_card(store, key, card, targets)
    return [other] if other else reasons


def _of_card(store: Store, key: str, card: str, targets: Iterable[str]) -> tuple[str, list[str]]:
    """As `of_card`; why they are other pictures, and the rest."""
    try:
        facts = read_json(store.root / "collections" / key / "task.json")
        content = cards.load_card(card).content
    except UserError as error:
        return str(error), []
    if targets and set(facts["targets"]) - set(targets):
        return f"labelled by {' and '.join(map(one_line, facts['targets']))}, the paper's by {' or '.join(targets)}", []
    if not content:
        nowhere = f"which images {card} has is published nowhere"
        return ("", [nowhere]) if key.startswith(f"{card}-") else (nowhere, [])
    images = store.root / "collections" / key / "images.csv"
    stamp = images.stat().st_mtime_ns if images.exists() else 0
    other, reasons = _differences(store.root, key, card, stamp)
    return other, list(reasons)


def version_of(store: Store, key: str, family: str) -> str:
    """Which version of a card's collection a choice is of, by its content; "" of none."""
    return next((name for name in cards.load_card(family).versions if not of_card(store, key, f"{family}-{name}")), "")


@functools.lru_cache(maxsize=64)
def _differences(root: Path, key: str, name: str, stamp: int) -> tuple[str, tuple[str, ...]]:
    """As `_of_card`; a choice is read once, however many runs are on it (`stamp`: when it was written)."""
    card, store = cards.load_card(name), Store(root)
    try:
        task, _ = kept.task_of(store, key)
        facts = kept.facts_of(store, key)
    except (UserError, OSError, ValueError, KeyError) as error:
        return f"the collection {key} can not be read: {error}", ()
    title = f"{card.title} {card.version}".strip()
    other = f"other pictures than {title}"
    there = task.size + sum(facts["dropped_classes"].values()) + sum(facts["dropped_labels"].values())
    objects = card.content["objects"]
    if not (1 - MISSING) * objects <= there <= objects:
        return f"{there:,} objects, not the {objects:,} of {title}" if there < objects else other, ()
    labels = task.columns.assign(id=task.images["id"]).set_index("id")
    for column, known in card.content.get("known", {}).items():
        found = labels[column].reindex(list(known)).dropna() if column in labels else {}
        # Some classes may have been left out; a few labels depend on which of several is read.
        right = sum(label == known[str(id_)] for id_, label in dict(found).items())
        if len(found) < len(known) / 3 or right < 0.8 * len(found):
            return other, ()
    reasons = []
    for target in task.targets:
        if (expected := card.content.get("test", {}).get(target)) and cards.fingerprint(
            labels.loc[(task.images["split"] == "test").to_numpy(), target]
        ) != expected:
            reasons.append(f"its test images are not those of {title}")
        for what, found in (("images", task.size), ("classes", len(task.classes))):
            least, most = card.bounds.get(target, {}).get(what, (0, found))
            if not least <= found <= most:
                reasons.append(f"{found:,} {what} of {target}, and the paper's filter leaves {least:,} to {most:,}")
    return "", tuple(reasons)

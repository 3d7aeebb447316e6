"""The cards of published collections: what there is, what one says, and whether a folder is what its card says.

python -m keras_art cards                                  # all of them, and which are present below --root
python -m keras_art cards show kaokore
python -m keras_art cards check kaokore --root FOLDER      # missing, extra, different; exit status 1 if anything is
python -m keras_art cards export DATA --out croissant.json # a card, or a collection and its table, as Croissant JSON-LD
python -m keras_art cards import croissant.json            # a card of what somebody else has described
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.data import cards
from keras_art.errors import UserError
from keras_art.writing import write, write_bytes

if TYPE_CHECKING:
    from keras_art.data.sources import Collection

SHOWN = 10  # rows of a kind


@dataclass(frozen=True)
class List:
    """Every card, and whether its files are present."""

    root: str | None = None
    """Folder that holds the collections. Default: $KERAS_ART_DATA."""


@dataclass(frozen=True)
class Show:
    """What one card says."""

    name: tyro.conf.Positional[str]
    """A card's name, or NAME-VERSION."""


@dataclass(frozen=True)
class Check:
    """Compares a folder with a card: what is missing, extra or different."""

    name: tyro.conf.Positional[str]
    """A card's name, or NAME-VERSION."""
    root: str | None = None
    """Folder that holds the collection, or the collection's own. Default: $KERAS_ART_DATA."""


@dataclass(frozen=True)
class Export:
    """Writes a card, or a collection that is here with its table beside it, as Croissant JSON-LD."""

    data: tyro.conf.Positional[str]
    """A card's name, a table of images, or a folder."""
    out: Path = Path("croissant.json")
    """The file; the table, which names images relative to it where they lie below, is called the same, .csv."""
    root: str | None = None
    """Folder that holds the cards' collections. Default: $KERAS_ART_DATA."""


@dataclass(frozen=True)
class Import:
    """Makes a card of a Croissant file, which --data also takes as it is where its images lie beside it."""

    file: tyro.conf.Positional[Path]
    """The JSON-LD."""
    out: Path = Path("datasets")
    """Folder for NAME/card.toml; $KERAS_ART_DATASETS tells the other commands of it."""


def list_all(asked: List) -> int:
    """Prints a line for each card."""
    for name in cards.names():
        card = cards.load_card(name)
        try:
            where = str(card.find(asked.root))
            where = where if card.reader != "keras" or card.sign(card.find(asked.root)) else "downloaded by Keras"
        except cards.DatasetNotFound:
            where = "-"
        sizes = [counts["images"] for counts in (card.expected or _newest(card)).values() if "images" in counts]
        print(f"{name:22} {max(sizes, default=0) or '':>7}  {where:24}  {card.title}")
    return 0


def _newest(card: cards.DatasetCard) -> dict[str, dict[str, int]]:
    return next(reversed(card.versions.values()))["expected"] if card.versions else {}


def show(asked: Show) -> int:
    """Prints a card as paragraphs."""
    card = cards.load_card(asked.name)
    lines = {
        "title": card.title,
        "source": card.source,
        "DOI": card.doi,
        "licence": card.licence,
        "citation": card.citation,
        "versions": ", ".join(card.versions),
        "obtain": card.obtain.strip(),
        "layout": card.layout.strip(),
        "labels": ", ".join(card.targets),
        "several values": card.multiple,
        "split": ", ".join(f"{name} {value}" for name, value in card.split.items()),
    }
    for name, text in lines.items():
        if text:
            print(f"{name + ':':16}{text.replace(chr(10), chr(10) + ' ' * 16)}")
    # One version's counts are its own; the versions of a whole card each have theirs.
    versions = {} if card.version else card.versions
    everything = {"": card.expected, **{version: fields["expected"] for version, fields in versions.items()}}
    for version, expected in everything.items():
        for target, counts in expected.items():
            words = ", ".join(f"{name} {count:,}" for name, count in counts.items())
            print(f"{'expected:':16}{f'{version} {target}'.strip()}: {words}")
    return 0


def check(asked: Check) -> int:
    """Prints what is not as the card says; returns how the command exits."""
    from keras_art.data.sources import read_card

    card = cards.load_card(asked.name)
    collection = read_card(card, card.find(asked.root))
    findings = differences(collection)
    terminal.answer(f"{collection.name}: {len(collection.images):,} images with labels in {card.find(asked.root)}")
    for finding in findings:
        terminal.answer(f"  {finding}")
    terminal.answer(
        "as its card says" if not findings else f"{len(findings)} findings; {card.source} is where it comes from"
    )
    return 1 if findings else 0


def differences(collection: Collection) -> list[str]:
    """What of a collection is not as its card says, in words, images first, then counts under the card's split rule."""
    from keras_art.data.choices import choose
    from keras_art.data.sources import BadCollection
    from keras_art.data.splits import split

    card = collection.card
    if card is None:
        return ["no card describes these files: they are of no known version"]
    findings = []
    unknown = ~collection.quarantine["id"].isin(card.options.get("known", []))  # faults of the official files
    for reason, rows in collection.quarantine[unknown].groupby("reason"):
        named = ", ".join(rows["id"].head(SHOWN)) + (", ..." if len(rows) > SHOWN else "")
        findings.append(f"{len(rows):,} x {reason}: {named}")
    findings += [f"different: no label column {target}" for target in card.targets if target not in collection.targets]
    for target, expected in card.expected.items():
        if target not in collection.targets:
            continue
        rule = card.split.get("rule", "auto").replace("given", "auto")  # not every label has a split of its own
        try:
            chosen = choose(
                collection,
                target,
                rule=rule,
                split_seed=card.split.get("seed", 0),
                class_filter=card.split.get("class_filter", False),
            )
            table, column = chosen.images, "class"
            if chosen.class_filter:
                table, column = split(chosen, [True] * len(table)).images, "label"
        except BadCollection as error:
            findings.append(f"different: {error}")
            continue
        found = {"images": len(table), "classes": table[column].nunique(), **table["split"].value_counts()}
        for name, count in expected.items():
            least, most = card.bounds.get(target, {}).get(name, (count, count))
            if not least <= found.get(name, 0) <= most:
                findings.append(f"different: {target}, {name} {found.get(name, 0):,}, expected {count:,}")
    return findings


def export(asked: Export) -> int:
    """Writes both files, neither over another; returns how the command exits."""
    from keras_art.commands.manifests import manifest
    from keras_art.data import croissant
    from keras_art.data.sources import load_collection

    beside = asked.out.with_suffix(".csv")
    if asked.out.suffix != ".json":
        raise UserError(f"--out {asked.out} is no .json file")
    if there := next((path for path in (asked.out, beside) if path.exists()), None):
        raise UserError(f"{there} is there already: give another --out")
    card, table = None, None
    if asked.data in cards.names() or not Path(asked.data).expanduser().exists():
        card = cards.load_card(asked.data)
    try:
        here = card is None or card.sign(card.find(asked.root)) is not None  # Keras's own would be downloaded
    except cards.DatasetNotFound:
        here = False
    if here:
        collection = load_collection(asked.data, asked.root)
        table = manifest(collection, asked.out.parent)
        card = card or cards.DatasetCard(collection.name, collection.name, "", "nothing said", "", "", "", [])
    assert card
    text = table.to_csv(index=False, lineterminator="\n") if table is not None else ""
    said = croissant.described(card, table, beside.name, text.encode())
    if table is not None:
        write_bytes(beside, text.encode())
    write(asked.out, said)
    print(f"{asked.out}: {card.title}" + (f", {len(table):,} images in {beside}" if table is not None else ""))
    if here and not Path(os.path.abspath(collection.root)).is_relative_to(os.path.abspath(asked.out.parent)):
        terminal.say(
            "its images do not lie below that and are named by absolute paths: with --out above them by relative ones"
        )
    return 0


def make(asked: Import) -> int:
    """Writes the card; returns how the command exits."""
    from keras_art.data import croissant

    if not asked.file.is_file() or (said := croissant.read(asked.file)) is None:
        raise UserError(f"{asked.file} is no Croissant file")
    card = croissant.card_of(said, asked.file.parent)
    place = asked.out / card.name / "card.toml"
    if place.exists():
        raise UserError(f"{place} is there already: move it away, or give another --out")
    write(place, croissant.write_toml(card))
    print(f"{place}: {card.title}; with KERAS_ART_DATASETS={asked.out}, --data {card.name} takes it")
    return 0


def main(argv: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    verbs: dict[type, Callable[[Any], int]] = {List: list_all, Show: show, Check: check, Export: export, Import: make}
    if not argv or (argv[0].startswith("--") and argv[0] not in ("--help", "-h")):
        argv = ["list", *argv]
    return flags.run(
        List | Show | Check | Export | Import, lambda asked: verbs[type(asked)](asked), argv,
        prog="python -m keras_art cards", description=__doc__ or "",
    )  # fmt: skip

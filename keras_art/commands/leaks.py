"""What a classifier of a split could know without learning to see.

python -m keras_art leaks DATA --target style                      # how nearly the label follows from the artist
python -m keras_art leaks wikiart --root FOLDER --target style --images no     # of labels alone
python -m keras_art leaks DATA --target style --split artist_disjoint --out splits.csv
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.errors import UserError
from keras_art.outputs import check_apart, check_file
from keras_art.writing import csv_text, one_line, write

STORED = 64  # pixels a side of what look-alikes are found by


@dataclass(frozen=True)
class Leaks:
    """Splits a collection, says what leaks, and writes the split down."""

    data: tyro.conf.Positional[str]
    """A card's name, a table of images, a folder, or a choice of --store."""
    root: str | None = None
    """Folder that holds the cards' collections, or a table's pictures. Default: $KERAS_ART_DATA; beside the table."""
    target: str | None = None
    """The label column. May be left out when there is only one."""
    artist: str = "artist"
    """The column of artists."""
    sheet: str = ""
    """Of a spreadsheet; without it, the first one whose rows name pictures."""
    split: flags.Split = "auto"
    """As in a study; a given split is reported on as it is, without a validation set taken from train."""
    split_seed: int = 0
    """Moves the split."""
    images: Literal["yes", "no"] = "yes"
    """no: labels only, for lists without their images; look-alikes are then not looked for."""
    out: Path | None = None
    """A CSV for the split: id, split, label."""
    store: str = "runs"
    """Folder for decoded images, and of the choice that DATA names."""
    max_pixels: int = 0
    """As in a study."""


def look(asked: Leaks) -> int:
    """Prints the report of one collection."""
    import pandas as pd

    from keras_art.data import splits
    from keras_art.data.choices import choose, with_artists
    from keras_art.data.collection import counted, left_out, quarantined
    from keras_art.data.leaks import leak_report, wilson
    from keras_art.data.opening import open_collection
    from keras_art.pictures import lookalikes
    from keras_art.pictures.decoded import stored_images
    from keras_art.store.runs import Store

    if asked.out:
        check_file(asked.out)
        check_apart(asked.data, asked.out)
    store = Store(asked.store)
    store.check()
    collection = open_collection(store, asked.data, asked.root, need_images=asked.images == "yes", sheet=asked.sheet)
    collection = with_artists(collection, asked.artist, [asked.target])
    choice = choose(collection, asked.target, rule=asked.split, split_seed=asked.split_seed, class_filter=False)
    table, columns, sha256, alike = choice.images, choice.columns, None, None
    readable = [True] * len(table)
    if asked.images == "yes":
        images = stored_images(store, STORED, "squash")
        with terminal.bar("reading pictures", "images") as progress:
            scan = images.scan(choice.paths(), progress)
        readable = (scan["row"] >= 0).tolist()
        if not any(readable):
            raise UserError(f"none of {len(table):,} pictures can be read; --images no looks at the labels alone")
        bad = scan[scan["row"] < 0]
        unread = zip(table["id"][bad.index], bad["path"], bad["reason"], strict=True)
        collection = dataclasses.replace(
            collection, quarantine=pd.concat([collection.quarantine, quarantined(unread)], ignore_index=True)
        )
        scan = scan[scan["row"] >= 0]
        sha256 = scan["sha256"].tolist()
        alike = lookalikes.near_groups(scan["alike"].to_numpy())
    if choice.rule == "given":
        table, columns = table[readable].assign(label=table["class"]), columns[readable]
        names = table["class"]
        if lacking := {"train", "test"} - set(table["split"]):
            raise UserError(f"no readable picture in {' nor in '.join(sorted(lacking))}: no split to report on")
    else:
        task = splits.split(choice, readable, alike)
        table, columns = task.images, task.columns
        names = table["label"].map(dict(enumerate(task.classes)))
    artists = columns.get("artist") if choice.target != asked.artist else None
    report = leak_report(table, choice.target, artists, sha256=sha256, alike=alike)
    both = pd.concat([table.assign(split=name) for name in ("train", "test")], ignore_index=True)
    whole = leak_report(
        both, choice.target, None if artists is None else pd.concat([artists, artists], ignore_index=True)
    )
    sizes = table["split"].value_counts()
    terminal.answer(
        f"{choice.name}, {one_line(choice.target)}: "
        f"{counted(table)} in {table['label'].nunique()} classes, {choice.rule} "
        f"split, seed {asked.split_seed}: " + ", ".join(f"{name} {sizes.get(name, 0):,}" for name in splits.SPLIT_NAMES)
    )
    if absent := splits.lacking(names, table["split"], [name for name in splits.SPLIT_NAMES if name in sizes]):
        terminal.answer(f"{len(absent):,} of the classes do not occur in every split: {splits.not_in(absent)}")
    for name, words in WORDS.items():
        if name in report:
            of_all = f" (of all images, by a rule made from all of them: {whole[name]:.2%})" if name in OF_ALL else ""
            low, high = wilson(report[name] * report["n_test"], int(report["n_test"]))
            terminal.answer(f"{report[name]:8.2%}  [{100 * low:.1f}, {100 * high:.1f}]  {words}{of_all}")
    for text, count in choice.dropped.items():
        terminal.answer(f"{count:,} images without a label are left out: {text}")
    for line in left_out(collection.quarantine):
        terminal.answer(line)
    if artists is None and choice.target != asked.artist:
        terminal.answer(
            "no column is called artist: what an artist's name tells of the label is not among these; --artist names it"
        )
    if asked.out:
        text = csv_text(table.assign(label=names)[["id", "split", "label"]])
        write(asked.out, text)
        terminal.answer(f"{asked.out}: sha256 {hashlib.sha256(text.encode()).hexdigest()}")
    return 0


WORDS = {
    "majority": "of test images are of train's largest class",
    "majority_test": "are of their own largest class",
    "artist_in_train": "are by an artist of train",
    "artist_rule": "are labelled rightly by their artist's majority label in train, no pixel seen",
    "same_object": "show an object that train or val has too",
    "same_file": "stand, byte for byte, in train or val too",
    "near_duplicate": "look like an image of train or val, or are a copy of one",
}


OF_ALL = ("majority", "artist_rule")


def main(argv: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    return flags.run(Leaks, look, argv, prog="python -m keras_art leaks", description=__doc__ or "")

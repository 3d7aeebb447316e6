"""KaoKore as its owners' script leaves it, or as a clone of their repository; which version it is, is found out."""

from __future__ import annotations

import hashlib
from pathlib import Path

from keras_art.data import cards
from keras_art.data.collection import BadCollection, Collection
from keras_art.data.readers.spreadsheets import read_csv
from keras_art.data.readers.tables import from_table

PARTS = {"train": "train", "dev": "val", "test": "test"}


def read(card: cards.DatasetCard, folder: Path, need_images: bool) -> Collection:
    """The collection's name says the version, because splits differ by version: `kaokore-1.2`.

    A list that is none of the owners' is `kaokore-1.2-part` if it could be theirs with at most 1% of rows missing in
    each split, else `kaokore-unknown`.

    Raises:
        BadCollection: a version was asked for and another is there.
    """
    labels = _labels(card, folder)
    version, part = _version(card, labels)
    if card.version and version != card.version:
        raise BadCollection(f"{labels} is of version {version or 'unknown'} and not {card.version}; {card.obtain}")
    name = f"{card.family}-{version or 'unknown'}{'-part' * part}"
    found = card if card.version or not version else card.at(version)
    return from_table(labels, name, found, base=folder, need_images=need_images)


def _labels(card: cards.DatasetCard, folder: Path) -> Path:
    """`labels.csv`, or in a clone that of the version asked for, 1.2 without one."""
    suffix = {"1.0": "", "": "_v1.2"}.get(card.version, f"_v{card.version}")
    places = [folder / "labels.csv", folder / f"dataset{suffix}" / "labels.csv"]
    return next((path for path in places if path.is_file()), card.sign(folder) or places[0])


def digest(path: Path) -> str:
    """What tells one list of labels from another whatever the order of rows and the line ends: 16 hex digits."""
    rows = sorted(line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip())
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]


def _version(card: cards.DatasetCard, labels: Path) -> tuple[str, bool]:
    """The version and whether rows are missing; "" where it is none of them."""
    known = digest(labels)
    for version, fields in card.versions.items():
        if fields["options"]["digest"] == known:
            return version, False
    table = read_csv(labels)
    sizes = table["set"].value_counts() if "set" in table else {}
    for version, fields in card.versions.items():
        wanted = fields["expected"]["status"]
        if all(0.99 * wanted[ours] <= sizes.get(theirs, 0) <= wanted[ours] for theirs, ours in PARTS.items()):
            return version, True
    return "", False

"""What is known about a published collection: its source, its terms, its layout and the counts to expect."""

from __future__ import annotations

import difflib
import hashlib
import os
import textwrap
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


class CardNotFound(UserError, LookupError):
    """No card has that name."""


class DatasetNotFound(UserError, FileNotFoundError):
    """The card is known, its files are not here."""


@dataclass(frozen=True)
class DatasetCard:
    """One `datasets/NAME/card.toml`.

    Attributes:
        name: what `--data` takes.
        obtain: what a person does to have the files.
        layout: the official files as they lie in the collection's folder.
        signs: files or patterns; the first that is there marks a folder as the collection's.
        reader: a name in `collection.READERS`.
        images: folders that may hold the images, relative to the collection's; the first that is there counts.
        columns: the collection's column names by ours: `id`, `image`, `split` and any number of targets.
        multiple: what becomes of fields with several values.
        split: `rule`, `seed` and `class_filter` of the papers' split, as `splits.choose` takes them.
        expected: target -> images (N_t), classes (Q_t), and train, val, test where known, as the papers print them.
        bounds: target -> the least and the most `images` and `classes` that the papers' filter may leave, where their
            split is published nowhere: docs/comparability.md says why they are what they are.
        content: by what its own are told from other pictures (`report.comparable`): `objects`, how many there are
            before any choice; `known`, label column -> id -> label; `test`, target -> `fingerprint` of its
            test images. Empty where nobody outside can know.
        files: what `fetch` takes: `path`, `urls`, and `sha256` and `bytes` where known; `unpack` for archives.
        options: what the reader alone understands.
        version: of a collection that has several, else "".
        versions: version -> the fields that differ in it.
    """

    name: str
    title: str
    source: str
    licence: str
    obtain: str
    layout: str
    citation: str
    signs: list[str]
    reader: str = "table"
    images: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    multiple: str = "each field holds one value"
    doi: str = ""
    split: dict[str, Any] = field(default_factory=dict)
    expected: dict[str, dict[str, int]] = field(default_factory=dict)
    bounds: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    content: dict[str, Any] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def targets(self) -> list[str]:
        """The label columns that the card promises."""
        return [column for column in self.columns if column not in ("id", "image", "split")]

    def find(self, root: str | Path | None = None) -> Path:
        """The collection's folder: ROOT/NAME or ROOT itself, ROOT being `--root` or `$KERAS_ART_DATA`.

        Raises:
            DatasetNotFound: naming the files that were looked for and how to obtain the collection.
        """
        if "from" in self.options:  # chosen from another collection, whose files it needs
            return load_card(self.options["from"]).find(root)
        root = root or os.environ.get("KERAS_ART_DATA")
        places = [Path(root).expanduser() / self.family, Path(root).expanduser()] if root else []
        # In ROOT itself a pattern such as */*.png would find other collections.
        sure = replace(self, signs=[sign for sign in self.signs if not sign.startswith("*")])
        for card, place in zip((self, sure), places, strict=False):
            if card.sign(place):
                return place
        if self.reader == "keras":  # downloads to where Keras keeps its own
            return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets" / f"{self.name}-images"
        looked = " or ".join(f"{place}/{{{','.join(self.signs)}}}" for place in places) or "nowhere: no root was given"
        raise DatasetNotFound(
            f"the collection {self.name!r} is not here (looked for {looked}).\n{self.obtain.strip()}\n"
            f"{textwrap.indent(self.layout.strip(), '    ')}\n"
            f"Then point --root or $KERAS_ART_DATA at the folder that holds {self.family}/."
        )

    def sign(self, folder: Path) -> Path | None:
        """The first file in `folder` that `signs` names, if any."""
        for sign in self.signs:
            if found := next(iter(sorted(folder.glob(sign))), None):
                return found
        return None

    def at(self, version: str) -> DatasetCard:
        """The card of one version, named `NAME-VERSION`."""
        return replace(self, name=f"{self.family}-{version}", version=version, **self.versions[version])

    @property
    def family(self) -> str:
        """The name without the version: what the folder is called."""
        return self.name.removesuffix(f"-{self.version}") if self.version else self.name


def datasets_folder() -> Path:
    """Where the cards lie: `$KERAS_ART_DATASETS` if that is set, else a checkout's `datasets/`, or the package's own.

    Raises:
        DatasetNotFound: when no card is there.
    """
    places = [
        Path(__file__).resolve().parents[2] / "datasets",
        Path(__file__).resolve().parents[1] / "datasets",  # where `setup.py` puts them
    ]
    if named := os.environ.get("KERAS_ART_DATASETS"):
        places = [Path(named)]
    for place in places:
        if any(place.glob("*/card.toml")):
            return place
    raise DatasetNotFound(f"no dataset cards in {', '.join(map(str, places))}: set $KERAS_ART_DATASETS")


def names() -> list[str]:
    """The cards there are, in alphabetical order."""
    return sorted(path.parent.name for path in datasets_folder().glob("*/card.toml"))


def load_card(name: str) -> DatasetCard:
    """Reads one card, or one version of it by `NAME-VERSION`.

    Raises:
        CardNotFound: when `datasets/NAME/card.toml` does not exist; the message has the nearest name.
    """
    family, _, version = (name, "", "") if name in names() else name.rpartition("-")
    if family not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names())}"
        raise CardNotFound(f"no card is called {name!r}; {hint}")
    text = (datasets_folder() / family / "card.toml").read_text(encoding="utf-8")
    card = DatasetCard(name=family, **tomllib.loads(text))
    if not version:
        return card
    if version not in card.versions:
        raise CardNotFound(f"{family} has no version {version!r}; it has {', '.join(card.versions) or 'only one'}")
    return card.at(version)


def fingerprint(labels: pd.Series) -> str:
    """What tells one labelled list of images from another, in 16 hex digits: `labels` are texts, by id."""
    lines = sorted(f"{id_}\t{label}" for id_, label in labels.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

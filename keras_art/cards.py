"""What is known about a published collection: its source, its terms, its layout and the counts to expect."""

from __future__ import annotations

import difflib
import os
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from keras_art import UserError


class CardNotFound(UserError, LookupError):
    """No card has that name."""


class DatasetNotFound(UserError, FileNotFoundError):
    """The card is known, its files are not here."""


@dataclass(frozen=True)
class DatasetCard:
    """One `datasets/NAME/card.toml`.

    Attributes:
        name: what `--data` takes.
        labels: the CSV file with one row per image, relative to the collection's folder.
        images: the folder of images, relative to the collection's folder.
        columns: the collection's column names by ours: `id`, `image`, `split` and any number of targets.
        expected: target -> {"images": N_t, "classes": Q_t}, as the papers print them.
    """

    name: str
    title: str
    source: str
    licence: str
    obtain: str
    citation: str
    labels: str
    images: str
    columns: dict[str, str]
    doi: str = ""
    expected: dict[str, dict[str, int]] = field(default_factory=dict)

    def find(self, root: str | Path | None = None) -> Path:
        """The collection's folder: ROOT/NAME or ROOT itself, ROOT being `--root` or `$KERAS_ART_DATA`.

        Raises:
            DatasetNotFound: naming the file that was looked for and how to obtain the collection.
        """
        root = root or os.environ.get("KERAS_ART_DATA")
        places = [Path(root).expanduser() / self.name, Path(root).expanduser()] if root else []
        for place in places:
            if (place / self.labels).is_file():
                return place
        looked = " or ".join(str(place / self.labels) for place in places) or "nowhere: no root was given"
        raise DatasetNotFound(
            f"the collection {self.name!r} is not here (looked for {looked}).\n{self.obtain.strip()}\n"
            f"Then point --root or $KERAS_ART_DATA at the folder that holds {self.name}/."
        )


def datasets_folder() -> Path:
    """Where the cards lie: `$KERAS_ART_DATASETS` if that is set, else a checkout's `datasets/` or a wheel's share.

    Raises:
        DatasetNotFound: when no card is there.
    """
    places = [
        Path(__file__).resolve().parent.parent / "datasets",
        Path(sys.prefix) / "share" / "keras_art" / "datasets",
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
    """Reads one card.

    Raises:
        CardNotFound: when `datasets/NAME/card.toml` does not exist; the message has the nearest name.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names())}"
        raise CardNotFound(f"no card is called {name!r}; {hint}")
    text = (datasets_folder() / name / "card.toml").read_text(encoding="utf-8")
    return DatasetCard(name=name, **tomllib.loads(text))

"""The pictures that are to be clustered, made ready in a store: all of a collection, labelled or not, no split."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_art.data.decoding import Progress, decode, decoded, stored_images
from keras_art.data.sources import OWN_COLUMNS, Collection, list_images, load_collection
from keras_art.store.reading import read_json
from keras_art.store.runs import Store, StoreError
from keras_art.writing import write

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Pictures:
    """A collection whose pixels are at hand.

    Attributes:
        key: `NAME-DIGEST`, its name in a store.
        table: one row per readable picture: id, path and the collection's label columns; sorted by id.
        pixels: (stored rows, size, size, 3) uint8, memory-mapped; other collections' rows may be among them.
        rows: each picture's row in `pixels`, in the order of `table`.
        sha256: each picture's content hash.
    """

    key: str
    table: pd.DataFrame
    pixels: np.ndarray
    rows: np.ndarray
    sha256: list[str]

    @property
    def ids(self) -> list[str]:
        """Each picture's id."""
        return list(self.table["id"])

    @property
    def columns(self) -> pd.DataFrame:
        """The collection's label columns."""
        return self.table[[column for column in self.table if column not in OWN_COLUMNS]]


@dataclass(frozen=True)
class Whole:
    """All pictures of a collection, or some drawn at random, before any of them is opened.

    Attributes:
        name: of the collection.
        table: as of `Collection`.
        digest: eight hex digits of ids, labels and file sizes.
    """

    name: str
    table: pd.DataFrame
    digest: str

    @property
    def key(self) -> str:
        """`NAME-DIGEST`, the name of this choice in a store."""
        return f"{self.name}-{self.digest}"


def load_pictures(data: str | Path, root: str | Path | None = None) -> Collection:
    """Reads a collection as `load_collection` does; a folder of pictures without any labels will do, too.

    Raises:
        BadCollection: nothing usable is there.
    """
    import pandas as pd

    folder = Path(data).expanduser()
    if not folder.is_dir() or (folder / "labels.csv").is_file():
        return load_collection(data, root)
    paths = list_images(folder)
    if any(path.parent != folder for path in paths):
        return load_collection(data, root)
    rows = [(path.name, str(path.resolve()), path.stat().st_size, "") for path in paths]
    table = pd.DataFrame(rows, columns=list(OWN_COLUMNS))
    return Collection(folder.resolve().name, table, pd.DataFrame(columns=["id", "path", "reason"], dtype=str))


def choose_all(collection: Collection, limit: int = 0, seed: int = 0) -> Whole:
    """Takes every picture, or `limit` of them drawn at random: nothing to learn, nothing to split."""
    table = collection.table
    if 0 < limit < len(table):
        drawn = np.sort(np.random.default_rng(seed).permutation(len(table))[:limit])
        table = table.iloc[drawn].reset_index(drop=True)
    words = table.drop(columns=["path", "split"]).to_csv(index=False, lineterminator="\n")
    return Whole(collection.name, table, hashlib.sha256(words.encode()).hexdigest()[:8])


def prepare(
    store: Store, collection: Collection, choice: Whole, image_size: int, resize: str, progress: Progress
) -> Pictures:
    """Decodes a choice's pictures and writes `collections/NAME-DIGEST/`.

    There `pictures.csv` has id, path and the label columns, `quarantine.csv` id, path and reason; `pictures.json` says
    how many there are.

    Raises:
        BadCollection: no picture can be read.
        StoreError: the store has prepared this collection before, when other images could be read.
    """
    folder = store.root / "collections" / choice.key
    images = stored_images(store, image_size, resize)
    scan, quarantine = decode(images, collection, choice.table, folder, progress)
    readable = (scan["row"] >= 0).to_numpy()
    table = choice.table[readable].drop(columns=["bytes", "split"])
    if (folder / "pictures.csv").exists() and list(_table(folder)["id"]) != list(table["id"]):
        raise StoreError(
            f"{folder} was made when other images could be read (now {readable.sum()} of {len(readable)}), and runs on "
            f"both can not be compared: put the images back as they were, or choose another --store"
        )
    write(folder / "pictures.csv", table.to_csv(index=False))
    facts = {"n_images": len(table), "labels": collection.targets, "quarantined": len(quarantine)}
    write(folder / "pictures.json", json.dumps(facts, indent=1))
    return load(store, folder.name, image_size, resize)


def load(store: Store, key: str, image_size: int, resize: str) -> Pictures:
    """What `prepare` has made ready; nothing but what has changed since is decoded.

    Raises:
        StoreError: `prepare` has not been here, or a picture is gone or can no longer be read.
    """
    folder = store.root / "collections" / key
    if not (folder / "pictures.csv").exists():
        raise StoreError(f"{folder} is not there: start the study that made it, with its --data, and it will be")
    table = _table(folder)
    images = stored_images(store, image_size, resize)
    scan = decoded(images, table, key)
    return Pictures(key, table, images.pixels(), scan["row"].to_numpy(np.int64), scan["sha256"].to_list())


def describe(store: Store, key: str) -> str:
    """What a person should know of some pictures before anything is trained on them, in a line or two."""
    folder = store.root / "collections" / key
    facts = read_json(folder / "pictures.json")
    line = f"{key}: {facts['n_images']:,} images, label columns: {', '.join(facts['labels']) or 'none'}"
    if facts["quarantined"]:
        line += f"\n  in quarantine: {facts['quarantined']:,}, see {folder / 'quarantine.csv'}"
    return line


def _table(folder: Path) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(folder / "pictures.csv", dtype=str, keep_default_na=False)

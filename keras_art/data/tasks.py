"""A choice made ready in a store: its images decoded, its splits and its quarantine written down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_art.data import leaks, splits
from keras_art.data.decoding import Progress, decode, decoded, stored_images
from keras_art.data.sources import Collection
from keras_art.pictures import lookalikes
from keras_art.pictures.decoded import ImageStore
from keras_art.store.runs import Store, StoreError
from keras_art.writing import write

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Ready:
    """A task whose pixels are at hand.

    Attributes:
        task: the table of images with split and label.
        pixels: (stored rows, size, size, 3) uint8, memory-mapped; other collections' rows may be among them.
        rows: each image's row in `pixels`, in the order of `task.table`.
        sha256: each image's content hash.
    """

    task: splits.Task
    pixels: np.ndarray
    rows: np.ndarray
    sha256: list[str]

    def part(self, split: str) -> np.ndarray:
        """Positions in the table of one split's images."""
        return np.flatnonzero((self.task.table["split"] == split).to_numpy())


def prepare(
    store: Store, collection: Collection, choice: splits.Choice, image_size: int, resize: str, progress: Progress
) -> Ready:
    """Decodes a choice's images, splits what could be read, and writes `collections/NAME-DIGEST/`.

    There `quarantine.csv` has id, path, reason; `splits.csv` the task's table; `task.json` its classes and what was
    dropped on the way.

    Raises:
        BadCollection: no image can be read, or fewer than two classes are left.
        StoreError: the store has split this choice before, when other images could be read.
    """
    import pandas as pd

    folder = store.root / "collections" / choice.key
    images = stored_images(store, image_size, resize)
    scan, quarantine = decode(images, collection, choice.table, folder, progress)
    readable = (scan["row"] >= 0).to_numpy()
    rows = scan["row"].to_numpy()[readable]
    alike = lookalikes.near_groups(lookalikes.hashes(images)[rows])
    task = splits.split(choice, readable, alike)
    if (folder / "splits.csv").exists() and not _table(folder)[["id", "split"]].equals(task.table[["id", "split"]]):
        raise StoreError(
            f"{folder} was split when other images could be read (now {readable.sum()} of {len(readable)}), and runs "
            f"on both splits can not be compared: put the images back as they were, or choose another --store"
        )
    write(folder / "splits.csv", task.table.to_csv(index=False))
    ready = _ready(task, images, scan.set_index(choice.table["id"]))
    facts = {
        "target": task.target,
        "rule": choice.rule,
        "split_seed": choice.split_seed,
        "class_filter": choice.class_filter,
        "n_images": task.size,
        "classes": task.classes,
        "dropped_labels": choice.dropped,
        "dropped_classes": task.dropped_classes,
        "quarantined": len(quarantine),
        "leaks": leaks.leak_report(
            task.table, task.target, ready.sha256, pd.Series(alike, choice.table["id"][readable])[task.table["id"]]
        ),
    }
    write(folder / "task.json", json.dumps(facts, indent=1, ensure_ascii=False))
    return ready


def load(store: Store, key: str, image_size: int, resize: str) -> Ready:
    """A task that `prepare` has made ready; nothing but what has changed since is decoded.

    Raises:
        StoreError: `prepare` has not been here, or an image of the task is gone or can no longer be read.
    """
    folder = store.root / "collections" / key
    if not (folder / "task.json").exists():
        raise StoreError(f"{folder} is not there: start the study that made it, with its --data, and it will be")
    facts = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    table = _table(folder)
    task = splits.Task(key, facts["target"], table, facts["classes"], facts["dropped_classes"])
    images = stored_images(store, image_size, resize)
    return _ready(task, images, decoded(images, table, key).set_index(table["id"]))


def _table(folder: Path) -> pd.DataFrame:
    """`splits.csv` as it was written: text, whatever it looks like, and the label's index."""
    import pandas as pd

    return pd.read_csv(folder / "splits.csv", dtype=str, keep_default_na=False).astype({"label": "int64"})


def _ready(task: splits.Task, images: ImageStore, scan: pd.DataFrame) -> Ready:
    rows = scan.loc[task.table["id"], ["row", "sha256"]]
    return Ready(task, images.pixels(), rows["row"].to_numpy(np.int64), rows["sha256"].to_list())


def describe(store: Store, key: str) -> str:
    """What a person should know of a task before anything is trained on it, in a few lines."""
    import pandas as pd

    folder = store.root / "collections" / key
    facts = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    sizes = pd.read_csv(folder / "splits.csv", usecols=["split"])["split"].value_counts()
    lines = [
        f"{key}: {facts['target']}, N_t = {sizes.sum():,} images in Q_t = {len(facts['classes']):,} classes; "
        f"train {sizes.get('train', 0):,}, val {sizes.get('val', 0):,}, test {sizes.get('test', 0):,} "
        f"({facts['rule']} split, seed {facts['split_seed']})"
    ]
    if facts["dropped_labels"]:
        lines.append(
            "  left out, no label: " + ", ".join(f"{n:,} {text}" for text, n in facts["dropped_labels"].items())
        )
    if facts["dropped_classes"]:
        classes, images = len(facts["dropped_classes"]), sum(facts["dropped_classes"].values())
        lines.append(f"  left out, not in all three splits: classes {classes:,}, images {images:,}")
    if facts["quarantined"]:
        lines.append(f"  in quarantine: {facts['quarantined']:,}, see {folder / 'quarantine.csv'}")
    leak = facts["leaks"]
    lines.append(f"  without looking: majority class {leak['majority']:.1%} of test")
    if "artist_rule" in leak:
        lines[-1] += (
            f", the artist's majority label {leak['artist_rule']:.1%} "
            f"({leak['artist_in_train']:.1%} of test images are by an artist of train)"
        )
    if leak["same_file"]:
        lines.append(f"  leak: {leak['same_file']:.1%} of test images stand, byte for byte, in train or val too")
    if leak.get("near_duplicate"):  # not in stores of older versions
        lines.append(f"  leak: {leak['near_duplicate']:.1%} of test images look like one of train or val")
    return "\n".join(lines)

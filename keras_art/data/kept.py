"""`collections/NAME-DIGEST/`: what a study chose, as its store keeps it, from which it can be studied again.

There `images.csv` has our columns, one row per image, paths relative to the root that `task.json` names; `columns.csv`
the collection's own, joined by their first column, the id; `quarantine.csv` what could not be used (id, path, reason).
All text comes back exactly as it was, whatever it looks like and whatever the columns are called.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art.data.choices import Choice
from keras_art.data.splits import Task
from keras_art.store.reading import is_there, read_csv, read_json
from keras_art.store.runs import Store, StoreError
from keras_art.store.sums import OF_AN_EXPORT, Damaged, faults, sums, write_sealed
from keras_art.writing import LEARNT, in_csv

if TYPE_CHECKING:
    import pandas as pd

IMAGES = ["id", "path", "object", "split", "label", "bytes", "sha256"]
# Of `task.json`, what is read again.
FACTS = {
    "name": str, "targets": list, "root": str, "rule": str, "split_seed": int, "class_filter": bool, "digest": str,
    "n_images": int, "classes": list, "dropped_labels": dict, "dropped_classes": dict, "quarantined": int,
}  # fmt: skip
REMEDY = "move its directory away, and a study with --data and the collection itself makes it anew, the same"


def folder_of(store: Store, key: str) -> Path:
    """Where a choice is kept."""
    return store.root / "collections" / key


def is_kept(store: Store, key: str) -> bool:
    """Whether a store has a choice of that name."""
    return Path(key).name == key and "\0" not in key and is_there(folder_of(store, key) / "task.json")


def is_whole(store: Store, key: str) -> bool:
    """Whether a store has a choice of that name, and all of it as it was written."""
    return is_kept(store, key) and not faults(folder_of(store, key))


def keep(store: Store, choice: Choice, task: Task, sha256: Sequence[str], facts: dict[str, Any]) -> None:
    """Writes a task down, `task.json` last.

    Args:
        sha256: the content hash of each of the task's images.
        facts: more for `task.json`.

    Raises:
        StoreError: the store has another split of this choice, or other pictures.
    """
    folder = folder_of(store, choice.key)
    sizes = dict(zip(choice.images["id"], choice.images["bytes"], strict=True))
    images = task.images.assign(sha256=list(sha256), bytes=task.images["id"].map(sizes))[IMAGES].astype(str)
    columns = [task.images["id"], *(task.columns.iloc[:, i] for i in range(len(task.columns.columns)))]
    tables = {
        "images.csv": in_csv(images.columns, rows_of(images[name] for name in images)),
        "columns.csv": in_csv(["id", *task.columns], rows_of(columns)),
    }
    same = sums(folder).get("images.csv") == hashlib.sha256(tables["images.csv"]).hexdigest()
    if is_kept(store, choice.key) and not same:
        before = table(store, choice.key, "images.csv")
        if not before[["id", "split"]].equals(images[["id", "split"]]):
            raise StoreError(
                f"{folder} was made when other images could be read (then {len(before)}, now {len(images)}), and runs "
                f"on both can not be compared: put the images back as they were (and --max_pixels and plug-ins for "
                f"Pillow), or choose another --store"
            )
        if (other := images["path"][before["sha256"] != images["sha256"]]).size:
            raise StoreError(
                f"{folder} was made of other pictures, {len(other)} of which have changed since, first "
                f"{other.iloc[0]}: put them back, or choose another --store"
            )
    about = {
        "name": choice.name,
        "targets": choice.targets,
        "root": str(choice.root),
        "rule": choice.rule,
        "split_seed": choice.split_seed,
        "class_filter": choice.class_filter,
        "digest": choice.digest,
        "limit": choice.limit,
        "n_images": task.size,
        "classes": task.classes,
        "dropped_labels": choice.dropped,
        "dropped_classes": task.dropped_classes,
    }
    write_sealed(folder, tables | {"task.json": json.dumps({**about, **facts}, indent=1).encode()})


def rows_of(columns: Iterable[pd.Series]) -> Iterable[tuple[Any, ...]]:
    """The rows of some columns; a column of text gives its cells one by one in ten times the time."""
    return zip(*(column.tolist() for column in columns), strict=True)


def facts_of(store: Store, key: str) -> dict[str, Any]:
    """`task.json`.

    Raises:
        StoreError: the store has no such choice.
        Damaged: it is not as it was written.
    """
    if not is_kept(store, key):
        there = sorted(path.parent.name for path in store.root.glob("collections/*/task.json"))
        raise StoreError(
            f"the store {store.root} has no choice {key}; it has {', '.join(there) or 'none'}. Start the study that "
            f"made it, with its --data, and it will be there"
        )
    return read_json(folder_of(store, key) / "task.json", REMEDY, FACTS)


def table(store: Store, key: str, name: str) -> pd.DataFrame:
    """A table of a choice, all of it text, as it was kept; several columns may have one name."""
    return read_csv(folder_of(store, key) / name, REMEDY)


def task_of(store: Store, key: str) -> tuple[Task, list[str]]:
    """A task as it was kept, and the content hash of each of its images.

    Raises:
        StoreError: as `facts_of`.
    """
    facts = facts_of(store, key)
    images = table(store, key, "images.csv")
    return _task(store, key, facts, images), images["sha256"].tolist()


def splits_of(store: Store, key: str) -> dict[str, str]:
    """Content hash -> split, of the images of a choice; empty where the store has none of that name.

    Raises:
        StoreError: as `facts_of`.
    """
    if not is_kept(store, key):
        return {}
    task, contents = task_of(store, key)
    return dict(zip(contents, task.images["split"], strict=True))


def listed(folder: Path) -> frozenset[str]:
    """Content hashes of the pictures that an exported model has learnt from, as the list in its folder has them.

    Raises:
        Damaged: the list can not be read, or has something else in it.
    """
    hashes = read_json(folder / LEARNT, OF_AN_EXPORT, {"sha256": list})["sha256"]
    for found in hashes:
        if not (isinstance(found, str) and re.fullmatch("[0-9a-f]{64}", found)):
            raise Damaged(f"{folder / LEARNT} is damaged, {str(found)[:40]!r} in it is no SHA-256: {OF_AN_EXPORT}")
    return frozenset(hashes)


def _task(store: Store, key: str, facts: dict[str, Any], images: pd.DataFrame) -> Task:
    """A task by what `task.json` and `images.csv` say of it."""
    columns = table(store, key, "columns.csv").iloc[:, 1:]
    ours = images[["id", "path", "object", "split", "label"]].astype({"label": "int64"})
    return Task(
        key, tuple(facts["targets"]), ours, columns, Path(facts["root"]), facts["classes"], facts["dropped_classes"]
    )


def choice_of(store: Store, key: str) -> Choice:
    """A choice by the name that a store knows it by; nothing else is looked at.

    Its images are those that were left when it was split, with the split they got.

    Raises:
        StoreError: as `facts_of`.
    """
    facts = facts_of(store, key)
    kept = table(store, key, "images.csv")
    task, sizes = _task(store, key, facts, kept), kept["bytes"].astype("int64")
    texts = [task.classes[label] if label >= 0 else "" for label in task.images["label"]]
    images = task.images.drop(columns="label").assign(**{"bytes": sizes, "class": texts})
    return Choice(
        facts["name"], task.targets, images, task.columns, task.root, facts["rule"], facts["split_seed"],
        facts["class_filter"], facts["dropped_labels"], facts["digest"], facts.get("limit", 0),
    )  # fmt: skip

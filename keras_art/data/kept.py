"""`collections/NAME-DIGEST/`: what a study chose, as its store keeps it, from which it can be studied again.

There `images.csv` has our columns, one row per image, paths relative to the root that `task.json` names; `columns.csv`
the collection's own, joined by their first column, the id; `quarantine.csv` what could not be used (id, path, reason).
All text comes back exactly as it was, whatever it looks like and whatever the columns are called.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art import terminal
from keras_art.data.choices import Choice, choose, choose_all
from keras_art.data.collection import Collection
from keras_art.data.sources import load_collection
from keras_art.data.splits import Task
from keras_art.pictures.decoded import stored_contents
from keras_art.pictures.images import DECODER
from keras_art.pictures.srgb import COLOUR
from keras_art.store.reading import read_csv as read_csv
from keras_art.store.runs import Store, StoreError
from keras_art.writing import slug, write
from keras_art.writing import write_csv as write_csv

if TYPE_CHECKING:
    import pandas as pd

IMAGES = ["id", "path", "object", "split", "label", "bytes", "sha256"]


def folder_of(store: Store, key: str) -> Path:
    """Where a choice is kept."""
    return store.root / "collections" / key


def is_kept(store: Store, key: str) -> bool:
    """Whether a store has a choice of that name."""
    return Path(key).name == key and (folder_of(store, key) / "task.json").is_file()


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
    if is_kept(store, choice.key):
        before = read_csv(folder / "images.csv")
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
    write_csv(folder / "images.csv", images.columns, images.itertuples(index=False, name=None))
    rows = zip(task.images["id"], *(task.columns[name] for name in task.columns), strict=True)
    write_csv(folder / "columns.csv", ["id", *task.columns], rows)
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
    write(folder / "task.json", json.dumps({**about, **facts}, indent=1))


def facts_of(store: Store, key: str) -> dict[str, Any]:
    """`task.json`.

    Raises:
        StoreError: the store has no such choice.
    """
    if not is_kept(store, key):
        there = sorted(path.parent.name for path in store.root.glob("collections/*/task.json"))
        raise StoreError(
            f"the store {store.root} has no choice {key}; it has {', '.join(there) or 'none'}. Start the study that "
            f"made it, with its --data, and it will be there"
        )
    return json.loads((folder_of(store, key) / "task.json").read_text(encoding="utf-8"))


def task_of(store: Store, key: str) -> tuple[Task, list[str]]:
    """A task as it was kept, and the content hash of each of its images.

    Raises:
        StoreError: as `facts_of`.
    """
    facts = facts_of(store, key)
    images = read_csv(folder_of(store, key) / "images.csv")
    return _task(store, key, facts, images), images["sha256"].tolist()


def _task(store: Store, key: str, facts: dict[str, Any], images: pd.DataFrame) -> Task:
    """A task by what `task.json` and `images.csv` say of it."""
    columns = read_csv(folder_of(store, key) / "columns.csv").iloc[:, 1:]
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
    kept = read_csv(folder_of(store, key) / "images.csv")
    task, sizes = _task(store, key, facts, kept), kept["bytes"].astype("int64")
    texts = [task.classes[label] if label >= 0 else "" for label in task.images["label"]]
    images = task.images.drop(columns="label").assign(**{"bytes": sizes, "class": texts})
    return Choice(
        facts["name"], task.targets, images, task.columns, task.root, facts["rule"], facts["split_seed"],
        facts["class_filter"], facts["dropped_labels"], facts["digest"], facts.get("limit", 0),
    )  # fmt: skip


def identified(store: Store, choice: Choice) -> Choice:
    """A choice known by what its pictures hold, and by the rules that make pixels of them.

    Where the store has not seen it yet, but one that was made in the same way of the same collection, a person is told
    what has changed since.
    """
    with terminal.bar(f"looking what is in {choice.name}", "files") as progress:
        hashes = stored_contents(store).hashes(choice.paths(), progress)
    words = "\n".join([choice.digest, str(DECODER), COLOUR, *hashes])
    digest = hashlib.sha256(words.encode()).hexdigest()[:8]
    known = replace(choice, digest=digest, images=choice.images.assign(sha256=hashes))
    if not is_kept(store, known.key):
        _tell_what_changed(store, known)
    return known


def _tell_what_changed(store: Store, choice: Choice) -> None:
    how = {name: getattr(choice, name) for name in ("name", "rule", "split_seed", "class_filter", "limit")}
    alike = []
    for file in (store.root / "collections").glob(f"{slug(choice.name)}-????????/task.json"):
        with contextlib.suppress(OSError, ValueError):  # a damaged one is nothing to compare with
            facts = json.loads(file.read_text(encoding="utf-8"))
            if how.items() <= facts.items() and facts["targets"] == list(choice.targets):
                alike.append((file.stat().st_mtime_ns, file.parent, facts))
    if not alike:
        return
    _, folder, facts = max(alike, key=lambda found: found[0])
    before, quarantine = read_csv(folder / "images.csv"), read_csv(folder / "quarantine.csv")
    unused = choice.images["id"].isin(quarantine["id"]) | choice.images["class"].isin(facts["dropped_classes"])
    now = choice.images.set_index("id")
    both = before[before["id"].isin(now.index)]
    same = now.loc[both["id"]]
    others = both["id"][both["sha256"].to_numpy() != same["sha256"].to_numpy()]
    names = [facts["classes"][int(label)] if int(label) >= 0 else "" for label in both["label"]]
    relabelled = both["id"][same["class"].to_numpy() != names]
    gone = before["id"][~before["id"].isin(now.index)]
    new = choice.images["id"][~choice.images["id"].isin(before["id"]) & ~unused]
    found = {"replaced by another picture": others, "labelled otherwise": relabelled, "gone": gone, "new": new}
    if said := [f"{len(ids):,} {what} (first {ids.iloc[0]})" for what, ids in found.items() if len(ids)]:
        terminal.say(
            f"{choice.name} has changed since {folder.name}, which had {len(before):,} images: {', '.join(said)}. "
            f"It is {choice.key} now, and what was computed on the other does not count for it"
        )


def held(
    store: Store,
    data: str | Path,
    targets: Sequence[str] = (),
    *,
    rule: str = "auto",
    split_seed: int = 0,
    class_filter: bool = True,
    limit: int = 0,
) -> Choice | None:
    """The choice that `--data` names where that is one of the store's: `NAME-DIGEST`, and nothing on disk.

    Args:
        targets: with the others what a command line says of it, which may leave it open: none, "auto", 0, True, 0.

    Raises:
        StoreError: the flags say something else than the choice is, or no store has it and nothing else is called so.
    """
    name = str(data)
    if Path(name).expanduser().exists():
        return None
    if not is_kept(store, name):
        if re.fullmatch(r"[^/]+-[0-9a-f]{8}", name):
            facts_of(store, name)
        return None
    choice = choice_of(store, name)
    against = {
        "--target": bool(targets) and tuple(targets) != choice.targets,
        "--split": rule not in ("auto", choice.rule),
        "--split_seed": split_seed not in (0, choice.split_seed),
        "--class_filter": choice.class_filter and not class_filter,
        "--limit": limit > 0,
    }
    if flags := [flag for flag, contradicts in against.items() if contradicts]:
        raise StoreError(
            f"--data {name} is what the store chose before: {', '.join(choice.targets) or 'no target'}, {choice.rule} "
            f"split, seed {choice.split_seed}, {len(choice.images):,} images. Leave out {' and '.join(flags)}, or name "
            f"the collection itself, which was {choice.root}"
        )
    return choice


def open_collection(store: Store, data: str | Path, root: str | None, *, need_images: bool = True) -> Collection:
    """The collection that a word on a command line means, as every command takes it: `open_choice`'s, whole.

    A choice that the store holds is read as it was kept, with its split.

    Raises:
        BadCollection, StoreError: as `load_collection` and `held`.
    """
    if not (choice := held(store, data)):
        return load_collection(data, root, need_images=need_images)
    bad = read_csv(folder_of(store, choice.key) / "quarantine.csv")
    return Collection(choice.name, choice.images.drop(columns="class"), choice.columns, bad, choice.root)


def open_choice(
    store: Store,
    data: str | Path,
    root: str | None,
    target: str | None,
    *,
    rule: str = "auto",
    split_seed: int = 0,
    class_filter: bool = True,
    limit: int = 0,
) -> tuple[Collection | None, Choice]:
    """What `--data` and its companions mean: a collection and what is taken of it, or a choice that the store holds.

    Args:
        data: a card's name, a table, a folder, or `NAME-DIGEST` of the store.

    Returns:
        The collection, None for a choice of the store's own, which needs none; and the choice.

    Raises:
        BadCollection: as `load_collection` and `choose`.
        StoreError: as `held`, or the choice has no target.
    """
    how: dict[str, Any] = {"rule": rule, "split_seed": split_seed, "class_filter": class_filter, "limit": limit}
    if choice := held(store, data, [target] if target else [], **how):
        if len(choice.targets) != 1:
            raise StoreError(
                f"--data {data} was chosen "
                + (f"for {' and '.join(choice.targets)} at once" if choice.targets else "to be clustered")
                + f": name the collection itself, which was {choice.root}"
            )
        return None, choice
    collection = load_collection(data, root)
    return collection, identified(store, choose(collection, target, **how))


def open_all(
    store: Store, data: str | Path, root: str | None, *, split_seed: int = 0, limit: int = 0
) -> tuple[Collection | None, Choice]:
    """The same for a clustering, which takes every image: `choose_all`."""
    if choice := held(store, data, split_seed=split_seed, limit=limit):
        return None, choice
    collection = load_collection(data, root)
    return collection, identified(store, choose_all(collection, limit, split_seed))

"""A collection from folders of images, with no table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from keras_art import terminal
from keras_art.data import cards
from keras_art.data.collection import BadCollection, Collection, collect, like_split, of_several, split_of, utf8
from keras_art.data.readers.files import NOT_UTF8, SYSTEM, is_image, is_ours, walk, why_no_image
from keras_art.data.readers.spreadsheets import TABLES

UNREAD_TABLES = (".xls", ".xlsm", ".xlsb", ".numbers", ".jsonl", ".ndjson")  # no reader is here for them


def from_folders(root: Path, name: str, card: cards.DatasetCard | None = None) -> Collection:
    """One class per folder, the column `label`; in `train/`, `val/` and `test/`, or the like, where there are such.

    A folder of images without class folders is a collection without labels.

    Raises:
        BadCollection: there are no images, or a folder speaks of a split, as `test_standardized`, and is none.
    """
    splits = split_folders(root, _folders(root))
    ours: dict[str, list[str]] = {"id": [], "path": [], "split": []}
    labels: list[str] = []
    below: list[list[str]] = []  # the folders within a class
    ids: set[str] = set()
    strays, outside = [], []
    left_out: list[tuple[str, str]] = []
    for path in walk(root, left_out):
        name_below = os.path.relpath(path, root).replace(os.sep, "/")
        id_, folders = name_below.strip(), name_below.split("/")[:-1]
        id_ = f"./{name_below}" if id_ in ids else id_  # readers drop surrounding blanks, and two names may be one then
        ids.add(id_)
        split = splits.get(folders.pop(0), "") if splits and folders else ""
        if not is_image(path):
            if folders or os.path.islink(path):
                strays.append((id_, path, why_no_image(path)))
        elif utf8(path) != path:
            strays.append((id_, path, NOT_UTF8))
        elif not folders:
            outside.append((id_, path, "stands outside the class folders"))
        elif splits and not split:
            strays.append((id_, path, f"stands outside {', '.join(sorted(splits))}"))
        else:
            for column, value in zip(ours.values(), (id_, path, split), strict=True):
                column.append(value)
            labels.append(folders[0])
            below.append(folders[1:])
    strays += [(os.path.relpath(path, root), path, reason) for path, reason in left_out]
    deeper = next(("/".join(folders) for folders in below if folders), "")
    if not splits and any(within := splits_within(root, below)):
        ours["split"] = within
    elif deeper and card is None:
        unclear = next((folder for folder in _folders(root) if not splits and split_of(folder) == "train"), "")
        terminal.say(
            f"{name}: a class is the folder {labels[0]!r}, and what is below it, such as {deeper!r}, no label"
            + (f"; if {unclear!r} is a split, call the others val and test" if unclear else "")
        )
    tables = tables_in(root)
    if tables and card is None:
        terminal.say(
            f"{name}: {'folders are its classes, ' * bool(labels)}{tables[0]} is not read; name that instead if it has "
            f"the labels" + (", saved as .csv or .xlsx" if tables[0].lower().endswith(UNREAD_TABLES) else "")
        )
    if labels:
        # A link to nothing is left to the decoder, which has more to say.
        return collect(name, ours, {"label": labels}, strays + outside, root=root, card=card, need_images=False)
    if outside:
        names, paths, _ = zip(*outside, strict=True)
        return collect(name, {"id": names, "path": paths}, {}, strays, root=root, card=card)
    raise BadCollection(
        f"{root} holds no class folders with images and no labels.csv. Put the images into one folder per class, "
        f"or write a labels.csv with a column of file names and one column per label."
        + (f" If {tables[0]} is that table, name it instead of the folder." if tables else "")
    )


def split_folders(root: str | Path, names: Iterable[str]) -> dict[str, str]:
    """Which of a collection's folders are its splits -> of those, each; none where folders are classes.

    Args:
        names: of its folders.

    Raises:
        BadCollection: one speaks of a split that no other folder is, and says more: `test_standardized`, `trainval`.
    """
    spoken = {name: like_split(name) for name in names}
    splits = {name: split for name in spoken if (split := split_of(name))}
    if "train" not in splits.values() and splits and (several := sorted(filter(of_several, spoken))):
        raise BadCollection(
            f"{root} comes in {', '.join(splits)}, and the folder {several[0]} is of more splits than one: part it, or "
            f"rename it to train, of which val is then taken"
        )
    if "train" not in spoken.values() or len({*spoken.values()} - {""}) == 1 or not splits:
        return {}
    if unclear := [name for name, split in spoken.items() if split and split not in splits.values()]:
        raise BadCollection(
            f"{root} comes in {', '.join(splits)}, and the folder {unclear[0]} is none of train, val, test: rename it, "
            f"to {spoken[unclear[0]]} if that is what it is, or move it elsewhere"
        )
    return splits


def splits_within(root: str | Path, folders: Sequence[Sequence[str]]) -> list[str]:
    """The split of each image by the outermost of its folders that is one, "" where none is: `cats/train/1.jpg`.

    Args:
        folders: the names of those that each image stands in, from `root` on.
    """
    for level in range(max(map(len, folders), default=0)):
        names = [names[level] if level < len(names) else "" for names in folders]
        if splits := split_folders(root, {*names} - {""}):
            return [splits.get(name, "") for name in names]
    return [""] * len(folders)


def labels_in(folder: Path) -> Path | None:
    """The `labels.csv` of a folder, or its equal of another suffix."""
    return next((folder / f"labels{suffix}" for suffix in TABLES if (folder / f"labels{suffix}").is_file()), None)


def tables_in(folder: Path) -> list[str]:
    """The names of what may be tables in it, sorted, those that no reader is here for too."""
    return sorted(path.name for path in folder.iterdir() if path.suffix.lower() in (*TABLES, *UNREAD_TABLES))


def wrapped(root: Path) -> Path:
    """The folder itself, or the only one in it, where that has the collection: ZIP files wrap them so."""
    while not labels_in(root) and len(inner := _folders(root)) == 1 and not any(map(is_image, os.listdir(root))):
        below = root / inner[0]
        classes = _folders(below) and not any(map(is_image, os.listdir(below)))
        back = root.resolve().is_relative_to(below.resolve())  # a link
        if back or not (classes or labels_in(below)):
            break
        beside = tables_in(root)
        terminal.say(
            f"{root} holds the folder {inner[0]} alone: it is taken for the collection"
            + (f"; {beside[0]} beside it is not read, name that instead if it has the labels" if beside else "")
        )
        root = below
    return root


def _folders(root: Path) -> list[str]:
    """The names of its folders, in order, but for hidden ones, the system's and our own."""
    found = sorted((entry.name, entry.path) for entry in os.scandir(root) if os.path.isdir(entry.path))
    return [n for n, path in found if not n.startswith(".") and n.lower() not in SYSTEM and not is_ours(path)]

"""A collection from folders of images, with no table."""

from __future__ import annotations

import os
from pathlib import Path

from keras_art.data import cards
from keras_art.data.collection import SPLITS, BadCollection, Collection, collect, utf8
from keras_art.data.readers.files import is_image, walk
from keras_art.data.readers.spreadsheets import TABLES


def from_folders(root: Path, name: str, card: cards.DatasetCard | None = None) -> Collection:
    """One class per folder, the column `label`; in `train/`, `val/` and `test/` where there are such.

    A folder of images without class folders is a collection without labels.
    """
    splits = {name: SPLITS[name.lower()] for name in os.listdir(root) if name.lower() in SPLITS}
    if "train" not in splits.values() or len(set(splits.values())) == 1:
        splits = {}
    ours: dict[str, list[str]] = {"id": [], "path": [], "split": []}
    labels: list[str] = []
    strays, outside = [], []
    for path in walk(root):
        id_ = os.path.relpath(path, root).replace(os.sep, "/")
        folders = id_.split("/")[:-1]
        split = splits.get(folders.pop(0), "") if splits and folders else ""
        if not is_image(path):
            if folders:
                strays.append((id_, path, "not called like an image"))
        elif utf8(path) != path:
            strays.append((id_, path, "its name is not UTF-8: rename it"))
        elif not folders:
            outside.append((id_, path, "stands outside the class folders"))
        elif splits and not split:
            strays.append((id_, path, f"stands outside {', '.join(sorted(splits))}"))
        else:
            for column, value in zip(ours.values(), (id_, path, split), strict=True):
                column.append(value)
            labels.append(folders[0])
    if labels:
        # A link to nothing is left to the decoder, which has more to say.
        return collect(name, ours, {"label": labels}, strays + outside, root=root, card=card, need_images=False)
    if outside:
        ids, paths, _ = zip(*outside, strict=True)
        return collect(name, {"id": ids, "path": paths}, {}, strays, root=root, card=card)
    tables = sorted(path.name for path in root.iterdir() if path.suffix.lower() in TABLES)
    raise BadCollection(
        f"{root} holds no class folders with images and no labels.csv. Put the images into one folder per class, "
        f"or write a labels.csv with a column of file names and one column per label."
        + (f" If {tables[0]} is that table, name it instead of the folder." if tables else "")
    )

"""Image files below a folder, and which of them a cell of a table means."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from keras_art.data.collection import NO_IMAGE, BadCollection
from keras_art.data.readers.text import skeletons
from keras_art.pictures.containers import EXTENSIONS

IMAGE_SUFFIXES = frozenset(EXTENSIONS)


def list_images(folder: Path) -> list[Path]:
    """Every file below `folder` that is called like an image, sorted; hidden files are passed over.

    Raises:
        BadCollection: when there is none.
    """
    found = sorted(Path(path) for path in walk(folder) if is_image(path))
    if not found:
        raise BadCollection(f"{folder} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return found


def walk(folder: str | Path) -> Iterator[str]:
    """Every file below `folder` in the order of names; hidden ones are passed over."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(parent, name) for name in sorted(files) if not name.startswith((".", "Thumbs.db")))


def is_image(path: str) -> bool:
    """Whether a file is called like an image."""
    return os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES


class Finder:
    """Finds the file a cell means: a path, absolute or relative to `base`, or a name anywhere below `images`."""

    def __init__(self, base: Path, images: Path) -> None:
        self.base, self.images = base, images

    def find(self, cell: str) -> str:
        """An absolute path, "" where there is no such file or several."""
        return self.by_path(cell) or self._by_name.get(cell.replace("\\", "/"), "")

    def by_path(self, cell: str) -> str:
        """An absolute path if the cell is one, suffix and all, else ""."""
        if not is_image(cell):
            return ""
        path = os.path.normpath(os.path.join(self.base, os.path.expanduser(cell.replace("\\", "/"))))
        return path if os.path.isfile(path) else ""

    @cached_property
    def _by_name(self) -> dict[str, str]:
        """Names, and paths relative to `base`, with and without suffix -> path; "" where several files share one."""
        found: dict[str, str] = {}
        for path in filter(is_image, walk(self.images)):
            names = os.path.basename(path), os.path.relpath(path, self.base).replace(os.sep, "/")
            for key in {*names, *(os.path.splitext(name)[0] for name in names)}:
                found[key] = "" if key in found else path
        return found

    def why_not(self, cell: str) -> str:
        """The reason in words for a cell that `find` did not."""
        if cell.replace("\\", "/") in self._by_name:
            return "labelled, but several images are called so: write paths"
        return NO_IMAGE

    def unlabelled(self, used: Iterable[str]) -> list[str]:
        """Images that stand beside the ones used and are not among them."""
        known = set(used)
        return [
            path
            for folder in sorted({os.path.dirname(path) for path in known})
            for path in sorted(entry.path for entry in os.scandir(folder))
            if path not in known and is_image(path)
        ]


def join_names(names: Iterable[str], root: Path) -> tuple[dict[str, str], list[str]]:
    """Joins names of a list to the files below `root` that different archivers made of them.

    A name means the file that is called so, else the only one that has one of its `skeletons`.

    Args:
        names: paths relative to `root`, with slashes.

    Returns:
        Name -> absolute path, for the names that were found; and the paths that no name means.
    """
    files = {os.path.relpath(path, root).replace(os.sep, "/"): path for path in walk(root) if is_image(path)}
    bare: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for name, path in files.items():
        for known, key in zip(bare, skeletons(name), strict=True):
            known[key] = "" if key in known else path  # "": a key that two files share means neither
    found = {}
    for name in names:
        by_key = (known.get(key) for known, key in zip(bare, skeletons(name), strict=True))
        if path := files.get(name) or next(filter(None, by_key), ""):
            found[name] = path
    used = set(found.values())
    return found, [path for path in files.values() if path not in used]

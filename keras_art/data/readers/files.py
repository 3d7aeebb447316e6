"""Image files below a folder, and which of them a cell of a table means."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from keras_art.data.collection import NO_IMAGE, NO_LABEL, NO_NAME, BadCollection, size_of, utf8
from keras_art.data.readers.text import UNZIPPED, skeletons
from keras_art.outputs import OWN
from keras_art.pictures.containers import EXTENSIONS
from keras_art.pictures.places import holds, is_address, is_file, parted, stamps, whole

IMAGE_SUFFIXES = frozenset(EXTENSIONS)
# Folders that file servers, cameras and desktops make beside a person's files; hidden ones need not stand here.
SYSTEM = {
    "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@__thumb", "$recycle.bin", "recycler",
    "recycled", "system volume information", "__macosx", "lost+found", "thmbnl", "network trash folder",
    "temporary items", "@tmp", "~snapshot",
}  # fmt: skip
SYSTEM_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "zbthumbnail.info", "picasa.ini"}
# Formats of pictures that no reader is here for.
UNREAD = {".psd", ".svg", ".eps", ".pdf", ".dng", ".cr2", ".nef", ".arw", ".raw"}
ABSOLUTE = re.compile(r"[/~]|[A-Za-z]:/|[A-Za-z][\w+.-]*://")  # of a system's, or an address
NOT_UTF8 = "its name is not UTF-8: rename it"


def list_images(folder: Path, left_out: list[tuple[str, str]] | None = None) -> list[Path]:
    """Every file below `folder` that is called like an image, sorted, as `walk` finds them.

    Args:
        left_out: gets the path of each folder and picture that is not taken, and the reason.

    Raises:
        BadCollection: there is nothing.
    """
    left_out = [] if left_out is None else left_out
    found = []
    for path in walk(folder, left_out):
        if utf8(path) != path:
            left_out.append((path, NOT_UTF8))
        elif is_image(path):
            found.append(Path(path))
        elif os.path.splitext(path)[1].lower() in UNREAD or not os.path.exists(path):  # a link to nothing
            left_out.append((path, why_no_image(path)))
    if not found and [path for path, _ in left_out] in ([], [str(folder)]):
        raise BadCollection(f"{folder} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return sorted(found)


def walk(folder: str | Path, left_out: list[tuple[str, str]] | None = None) -> Iterator[str]:
    """Every file below `folder`, a folder's own before those of its folders, each in the order of names.

    Links to folders are followed. What is hidden, and the folders that systems make (`SYSTEM`), are passed over.

    Args:
        left_out: gets the path of every other folder that is left out, and the reason: our own output, a link that
            leads round in a circle, a folder that can not be opened.
    """
    left_out = [] if left_out is None else left_out
    waiting: list[tuple[str, frozenset[tuple[int, int]]]] = [(str(folder), frozenset())]
    while waiting:
        place, above = waiting.pop()
        try:
            status = os.stat(place)
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError as error:
            left_out.append((place, f"this folder can not be opened ({error.strerror})"))
            continue
        here = (status.st_dev, status.st_ino)
        if here in above:
            left_out.append((place, "a link that leads back to a folder above it"))
            continue
        if above and not OURS.isdisjoint(entry.name for entry in entries) and is_ours(place):
            left_out.append((place, "made by keras_art, and no part of a collection"))
            continue
        folders = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir():
                folders.append(entry)
            elif entry.name.lower() not in SYSTEM_FILES:
                yield entry.path
        below = above | {here}
        waiting += [(entry.path, below) for entry in reversed(folders) if entry.name.lower() not in SYSTEM]


OURS = {OWN, "store.json", "curation.json"}


def is_ours(folder: str) -> bool:
    """Whether a folder is a store, or pictures that we made; somebody else's may have a `store.json` too."""
    if os.path.exists(os.path.join(folder, OWN)):
        return True
    for name, key in (("store.json", "format"), ("curation.json", "split_sha256")):
        try:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                if key in json.load(file):
                    return True
        except (OSError, ValueError, TypeError):
            continue
    return False


def is_image(path: str) -> bool:
    """Whether a file is called like an image."""
    return os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES


def why_no_image(path: str) -> str:
    """Why a file that is not called like an image is none, for people."""
    if os.path.islink(path) and not os.path.exists(path):
        return "a link to what is not there"
    suffix = os.path.splitext(path)[1].lower()
    return f"a format that is not read ({suffix[1:].upper()})" if suffix in UNREAD else "not called like an image"


class Finder:
    """Finds the file a cell means: a path, absolute or relative to `base`, or a name anywhere below `images`.

    A name means the file that is called so, else the only one that is called so but for how its accents are composed,
    upper and lower case, and blanks around it. Of an absolute path that is not here the longest end counts that names
    one file.
    """

    def __init__(self, base: Path, images: Path) -> None:
        self.base, self.images = base, images

    def find(self, cell: str) -> str:
        """An absolute path or an address, "" where there is no such file or several."""
        return self.by_path(cell) or self.by_name(cell) or self.elsewhere(cell) or self.behind(cell)

    def by_path(self, cell: str) -> str:
        """An absolute path if the cell is one, suffix and all, or of a shard's member; else ""."""
        if not (is_image(cell) or ".parquet/" in cell.lower()):
            return ""
        spellings = (os.path.join(self.base, text) for text in (cell, os.path.expanduser(cell.replace("\\", "/"))))
        return next((path for path in map(os.path.normpath, spellings) if _is_file(path)), "")

    def by_name(self, cell: str) -> str:
        """The only file that is called as the cell says."""
        cell = cell.replace("\\", "/")
        return self._names.get(cell, "") or (self._spelt.get(spelling(cell), "") if cell not in self._names else "")

    def elsewhere(self, cell: str) -> str:
        """What an absolute path of another machine means here, as far as its end says."""
        path = cell.replace("\\", "/")
        if not ABSOLUTE.match(path):
            return ""
        parts = path.split("/")[1:]
        return next(filter(None, (self.by_name("/".join(parts[i:])) for i in range(len(parts)))), "")

    def behind(self, cell: str) -> str:
        """The cell, where it is the address of a picture in an object store; those of web pages are no collection."""
        if not is_address(cell) or cell.lower().startswith("http"):
            return ""
        return whole(cell) if is_image(cell) or parted(cell)[1] else ""

    def find_all(self, cells: list[str], name: str) -> tuple[list[str], list[str]]:
        """The image of each cell, "" for none, and what a person should know of that.

        What a path of another machine means is another row's if that is surer.
        """
        sure = [self.by_path(cell) or self.by_name(cell) for cell in cells]
        far = ["" if found else self.elsewhere(cell) for cell, found in zip(cells, sure, strict=True)]
        taken = Counter(filter(None, [*sure, *far]))
        far = [found if taken[found] == 1 else "" for found in far]
        if not any(sure) and not any(far):  # nothing of it is on this disk
            return list(map(self.behind, cells)), []
        said = []
        if count := sum(map(bool, far)):
            first = next(cell for cell, found in zip(cells, far, strict=True) if found)
            said.append(f"{name}: {count:,} paths are not here, first {first!r}; their images are found by name")
        return [found or other for found, other in zip(sure, far, strict=True)], said

    @cached_property
    def _names(self) -> dict[str, str]:
        """Names, and paths relative to `base`, with and without suffix -> path; "" where several files share one."""
        sound = (path for path in walk(self.images) if is_image(path) and utf8(path) == path)
        return named((path, os.path.relpath(path, self.base).replace(os.sep, "/")) for path in sound)

    @cached_property
    def _spelt(self) -> dict[str, str]:
        """The same by their `spelling`."""
        found: dict[str, str] = {}
        for name, path in self._names.items():
            key = spelling(name)
            found[key] = path if found.get(key, path) == path else ""
        return found

    def why_not(self, cell: str) -> str:
        """The reason in words for a cell that `find` did not."""
        if not cell:
            return NO_NAME
        name = cell.replace("\\", "/")
        meant = [name, name.rpartition("/")[2]] if ABSOLUTE.match(name) else [name]
        if any(text in self._names or spelling(text) in self._spelt for text in meant):
            return "labelled, but several images are called so: write paths"
        if name and not is_image(name) and _is_file(os.path.join(self.base, name)):
            return f"labelled, but {why_no_image(name)}"
        return NO_IMAGE

    def sizes(self, found: Iterable[str]) -> list[int]:
        """In bytes, of images that were found; -1 for ""."""
        paths = list(found)
        far = [path for path in paths if path and not is_file(path)]
        known = {path: now[0] for path, (now, _) in zip(far, stamps(far), strict=True)}
        return [known[path] if path in known else size_of(path) if path else -1 for path in paths]

    def unlabelled(self, used: Iterable[str]) -> list[tuple[str, str]]:
        """Images that stand beside the ones used and are not among them, each with the reason."""
        known = set(used)
        return [
            (path, NO_LABEL if utf8(path) == path else NOT_UTF8)
            for folder in sorted({os.path.dirname(path) for path in known if is_file(path)})
            for path in sorted(entry.path for entry in os.scandir(folder) if not entry.name.startswith("."))
            if path not in known and is_image(path)
        ]


def named(pictures: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What each of some pictures, (place, path within the collection), may be called: both with and without suffix."""
    found: dict[str, str] = {}
    for place, inside in pictures:
        names = inside.rpartition("/")[2], inside
        for key in {*names, *(os.path.splitext(name)[0] for name in names)}:
            found[key] = "" if key in found else place
    return found


def _is_file(path: str) -> bool:
    try:
        return os.path.isfile(path) or (bool(parted(path)[1]) and holds(path))
    except ValueError:  # a null character
        return False


def spelling(name: str) -> str:
    """What all ways to write the name of one file share: `Dürer .JPG`, composed or not, and `d#U00fcrer.jpg`."""
    name = UNZIPPED.sub(lambda found: chr(int(found[0][2:], 16)), name)
    stem, suffix = os.path.splitext(unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()))
    return "/".join(part.strip() for part in stem.split("/")) + suffix.rstrip()


def join_names(names: Iterable[str], root: Path) -> tuple[dict[str, str], list[str]]:
    """Joins names of a list to the files below `root` that different archivers made of them.

    A name means the file that is called so, else the only one that has one of its `skeletons`.

    Args:
        names: paths relative to `root`, with slashes.

    Returns:
        Name -> absolute path, for the names that were found; and the paths that no name means.
    """
    sound = (path for path in walk(root) if is_image(path) and utf8(path) == path)
    files = {os.path.relpath(path, root).replace(os.sep, "/"): path for path in sound}
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

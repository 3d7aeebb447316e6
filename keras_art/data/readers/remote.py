"""Collections behind an address: shards, a table beside its pictures, or class folders, read in place."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from keras_art.data.collection import NO_LABEL, BadCollection, Collection, collect
from keras_art.data.readers.files import Finder, is_image, named
from keras_art.data.readers.folders import split_folders, splits_within
from keras_art.data.readers.shards import PATTERN, expanded, from_shards, is_shard
from keras_art.data.readers.spreadsheets import TABLES
from keras_art.data.readers.tables import from_table
from keras_art.pictures import addresses, members, places
from keras_art.store.leftovers import scratch


def read(address: str, *, need_images: bool = True, sheet: str = "") -> Collection:
    """What lies at an address: shards, a pattern of such, a table, or a folder of one of these or of class folders.

    Raises:
        BadCollection: nothing usable is there, or it is forbidden.
        UserError: the server does not answer.
    """
    name = posixpath.basename(PATTERN.split(address)[0].rstrip("/")) or address.partition("://")[2].split("/")[0]
    name = posixpath.splitext(name)[0].rstrip("-_.") or name
    try:
        if PATTERN.search(address):
            return from_shards(expanded(address), name, need_images=need_images)
        suffix = posixpath.splitext(address)[1].lower()
        if suffix in members.SUFFIXES and is_shard(address):
            return from_shards([address], name, need_images=need_images)
        folder = posixpath.dirname(address) if suffix in TABLES else address.rstrip("/")
        if not (files := addresses.below(folder)):
            addresses.about(folder)  # which says why, where a listing does not
    except PermissionError as error:
        raise BadCollection(
            f"{address} is forbidden: give its client a key, or ask for anonymous access (docs/collections.md)"
        ) from error
    except OSError as error:
        raise BadCollection(f"{address} is not there") from error
    if not files:
        raise BadCollection(f"{address} is not there, or holds nothing")
    table = (
        address
        if suffix in TABLES
        else next((f"{folder}/labels{s}" for s in TABLES if f"{folder}/labels{s}" in files), "")
    )
    sizes = {place: int(said.get("size") or 0) for place, said in files.items() if is_image(place)}
    if table:
        return _from_table(table, name, Listed(folder, sizes), need_images=need_images, sheet=sheet)
    if sheet:
        raise BadCollection(f"--sheet {sheet} names a sheet of a spreadsheet, and {address} is none: leave it out")
    within = [file for file in files if file.lower().endswith(members.SUFFIXES)]
    if within and not sizes:
        return from_shards(within, name, need_images=need_images)
    return _from_folders(folder, name, sizes)


def _from_folders(root: str, name: str, sizes: dict[str, int]) -> Collection:
    """One class per folder, as `folders.from_folders` has it of a disk."""
    inside = {place: place[len(root) + 1 :].split("/") for place in sizes}
    if not inside:
        raise BadCollection(f"{root} holds no images, no shards (.tar, .parquet) and no labels.csv")
    splits = split_folders(root, sorted({parts[0] for parts in inside.values() if len(parts) > 1}))
    rows: dict[str, list[Any]] = {"id": [], "path": [], "split": [], "bytes": []}
    labels, below, problems = [], [], []
    for place, parts in inside.items():
        id_, folders = "/".join(parts), parts[:-1]
        split = splits.get(folders[0], "") if folders else ""
        folders = folders[1:] if split else folders
        if splits and not split:
            problems.append((id_, place, f"stands outside {', '.join(sorted(splits))}"))
        elif not folders and any(len(other) > 1 for other in inside.values()):
            problems.append((id_, place, "stands outside the class folders"))
        else:
            for column, value in zip(rows.values(), (id_, place, split, sizes[place]), strict=True):
                column.append(value)
            labels.append(folders[0] if folders else "")
            below.append(folders[1:])
    if not splits and any(found := splits_within(root, below)):
        rows["split"] = found
    return collect(name, rows, {"label": labels} if any(labels) else {}, problems, root=Path(root))


class Listed(Finder):
    """Finds what a cell means among the pictures that a server has listed.

    Args:
        pictures: their addresses, and their sizes in bytes.
    """

    def __init__(self, folder: str, pictures: dict[str, int]) -> None:
        super().__init__(Path(folder), Path(folder))
        self.folder, self.pictures = folder, pictures

    def by_path(self, cell: str) -> str:
        """An address if the cell is one, or a path relative to the table."""
        cell = cell.replace("\\", "/")
        meant = places.whole(cell) if places.is_address(cell) else f"{self.folder}/{posixpath.normpath(cell)}"
        return meant if meant in self.pictures else ""

    @cached_property
    def _names(self) -> dict[str, str]:
        return named((place, place[len(self.folder) + 1 :]) for place in self.pictures)

    def sizes(self, found: Iterable[str]) -> list[int]:
        """In bytes, of pictures that were found; -1 for ""."""
        return [self.pictures.get(place, -1) for place in found]

    def unlabelled(self, used: Iterable[str]) -> list[tuple[str, str]]:
        """Pictures that stand beside the ones used and are not among them, each with the reason."""
        known = set(used)
        folders = {posixpath.dirname(place) for place in known}
        return [
            (place, NO_LABEL) for place in self.pictures if place not in known and posixpath.dirname(place) in folders
        ]


def _from_table(table: str, name: str, finder: Listed, *, need_images: bool, sheet: str) -> Collection:
    with scratch() as temporary:
        copy = temporary / posixpath.basename(table)
        try:
            copy.write_bytes(places.read(table))
        except OSError as error:
            raise BadCollection(f"{table} can not be read ({error.strerror})") from error
        return from_table(copy, name, need_images=need_images, sheet=sheet, finder=finder)

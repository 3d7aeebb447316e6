"""Where people want files: a place is refused before any work is done for it, or made and marked as ours."""

from __future__ import annotations

import os
import re
from pathlib import Path

from keras_art.errors import UserError

MOST_NAME = 200  # bytes of a file's name that a person gives; beside it others have the same name and more
OWN = ".keras_art"  # stands in a folder whose pictures are of our making and no collection

FILES = {
    ".csv", ".tsv", ".txt", ".md", ".json", ".xlsx", ".parquet", ".html", ".htm", ".pdf", ".svg", ".png", ".jpg",
    ".jpeg", ".tif", ".tiff", ".webp", ".zip", ".keras", ".h5", ".onnx", ".tflite", ".npz",
}  # fmt: skip


def own_folder(folder: Path, by: str) -> None:
    """Makes a folder for what we write and marks it, so that collections pass over it; one in use stays as it is.

    Args:
        by: the command that writes there, and may again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not _in_use(folder):
        (folder / OWN).write_text(by, encoding="utf-8")


def check_own(folder: Path, by: str, last: str = "") -> None:
    """Refuses a folder that has something in it, unless the same command wrote there before: nothing else is replaced.

    Args:
        by: the command, as of `own_folder`.
        last: the file that it writes last, for folders that came without their mark.

    Raises:
        UserError: as `check_folder`, or the folder is in use.
    """
    check_folder(folder)
    mark = folder / OWN
    ours = mark.is_file() and mark.read_text(encoding="utf-8", errors="replace") in ("", by)  # "": of a version before
    if not ours and folder.is_dir() and _in_use(folder) and not (last and (folder / last).is_file()):
        raise UserError(f"{folder} has something else in it, which could be replaced: name another folder")


def _in_use(folder: Path) -> bool:
    return any(not path.name.startswith(".") for path in folder.iterdir())  # a file manager leaves such


def check_file(path: Path, *suffixes: str) -> None:
    """Refuses a place where a file can not be written, before any work is done for it.

    Args:
        suffixes: how its name may end; without any, as it likes.

    Raises:
        UserError: it is a folder, is called otherwise, or its folder can not be made or written into.
    """
    check_folder(path.parent)
    if os.path.isdir(path):
        example = path / f"result{suffixes[0] if suffixes else ''}"
        raise UserError(f"--out {path} is a folder: give the name of a file, as {example}")
    if suffixes and path.suffix.lower() not in suffixes:
        raise UserError(f"--out {path} is no {' or '.join(suffixes)} file: give {_called(path, suffixes[0])}")
    if len(os.fsencode(path.name)) > MOST_NAME:
        raise UserError(f"--out {path} can not be made: its name is longer than {MOST_NAME} bytes")


def _called(path: Path, suffix: str) -> Path:
    """What a file could be called instead: `p.csv` of `p.txt`, `v1.5.csv` of `v1.5`."""
    return path.with_suffix(suffix) if re.fullmatch(r"\.[A-Za-z]\w{1,4}", path.suffix) else Path(f"{path}{suffix}")


def check_apart(data: str | Path, *places: Path) -> None:
    """Refuses to write over the table that a collection is read from.

    Args:
        data: a table, or a folder with a `labels.csv`, or whatever else names a collection.

    Raises:
        UserError: one of `places` is that table, by whatever name.
    """
    read = Path(data).expanduser()
    tables = list(read.glob("labels.*")) if read.is_dir() else [read] if read.is_file() else []
    for place in filter(os.path.exists, places):
        if any(os.path.samefile(place, table) for table in tables):
            raise UserError(f"--out: {place} is the table that is read: name another place")


def check_name(folder: Path) -> None:
    """Refuses to make a folder that is called like a file.

    Raises:
        UserError: naming what it could be called.
    """
    if folder.suffix.lower() in FILES and not os.path.exists(folder):
        raise UserError(f"{folder} is called like a file: name a folder, as {folder.with_suffix('')}")


def check_folder(folder: Path) -> None:
    """Refuses a folder that is not there and can not be made, or can not be written into.

    Raises:
        UserError: naming what stands in the way.
    """
    check_name(folder)
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    except OSError as error:  # a name that is too long
        raise UserError(f"{folder} can not be made ({error.strerror}): choose another") from error
    if not there.is_dir():
        raise UserError(f"{folder} can not be made: {there} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"nothing can be written into {there}: choose another folder")

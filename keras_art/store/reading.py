"""The files of a store as they are read back: whole, or one message that names the file and what to do."""

from __future__ import annotations

import codecs
import csv
import gc
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art.store import plain
from keras_art.store.sums import REMEDY, SUMS, Damaged, hash_of, in_words, sums, unreadable
from keras_art.writing import meant

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

LONGEST = 2**31 - 1  # letters of a cell; Python's own limit is 131,072
# What a damaged archive shows itself as.
DAMAGE = (
    ValueError, KeyError, TypeError, AttributeError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip


def is_there(path: Path) -> bool:
    """Whether a file or folder exists.

    Raises:
        Damaged: nobody may look.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise Damaged(f"{path} can not be read ({in_words(error)}): make it readable, or {REMEDY}") from error
    return True


def read_bytes(path: Path, remedy: str = REMEDY) -> bytes:
    """A file as it was written.

    Raises:
        Damaged: it is absent, can not be read, or is not what the list of its sealed folder says.
    """
    for last in (False, True):  # another process may be renewing file and list in this very moment
        try:
            content = plain.read(path)
        except OSError as error:
            raise unreadable(path, error, remedy) from error
        wanted = sums(path.parent, remedy).get(path.name)
        if wanted is None or wanted == hashlib.sha256(content).hexdigest():
            break
        if last:
            raise _other(path, remedy)
    return content


def check(path: Path, remedy: str = REMEDY) -> None:
    """The same of a file that somebody else reads.

    Raises:
        Damaged: as `read_bytes`.
    """
    try:
        if (wanted := sums(path.parent, remedy).get(path.name)) and hash_of(path) != wanted:
            raise _other(path, remedy)
    except OSError as error:
        raise unreadable(path, error, remedy) from error


def _other(path: Path, remedy: str) -> Damaged:
    return Damaged(f"{path} is damaged, it is not as it was written ({SUMS} has another hash of it): {remedy}")


def read_json(path: Path, remedy: str = REMEDY, fields: Mapping[str, Any] | None = None) -> Any:
    """A JSON file.

    Args:
        fields: of an object that must be there: name -> the type, or types, of its value. An int is a float, too.

    Raises:
        Damaged: as `read_bytes`, or it is no JSON, or not of that shape.
    """
    content = read_bytes(path, remedy)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path} is damaged ({error}): {remedy}") from error
    if fields is None:
        return found
    if not isinstance(found, dict):
        raise Damaged(f"{path} is damaged, it holds no object: {remedy}")
    for name, kind in fields.items():
        if name not in found:
            raise Damaged(f"{path} is damaged, it does not say {name}: {remedy}")
        if not isinstance(found[name], kind):
            raise Damaged(f"{path} is damaged, its {name} is {str(found[name])[:40]!r}: {remedy}")
    return found


def read_table(path: Path, remedy: str = REMEDY, **options: Any) -> pd.DataFrame:
    """A CSV file; options as of `pandas.read_csv`.

    Raises:
        Damaged: as `read_bytes`, or it is no such table.
    """
    import pandas as pd

    content = read_bytes(path, remedy)
    try:
        return pd.read_csv(io.BytesIO(content), **options)
    except ValueError as error:  # pandas' own errors are ValueErrors
        raise Damaged(f"{path} is damaged ({error}): {remedy}") from error


@contextmanager
def uncollected() -> Iterator[None]:
    """Within, Python looks for no garbage: among lists that come by the hundred thousand it looks again and again."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def read_csv(path: Path, remedy: str = REMEDY) -> pd.DataFrame:
    """A table that `writing.write_csv` wrote, all of it text, exactly; several columns may have one name.

    Raises:
        Damaged: as `read_bytes`, or it is no such table.
    """
    import pandas as pd

    csv.field_size_limit(LONGEST)
    try:
        text = io.StringIO(read_bytes(path, remedy).decode(), newline="")
        with uncollected():
            header, *rows = [[meant(cell) if cell[:1] == "'" else cell for cell in row] for row in csv.reader(text)]
        columns = {i: pd.Series(cells, dtype=str) for i, cells in enumerate(zip(*rows, strict=True))}
        return pd.DataFrame(columns, columns=range(len(header)), dtype=str).set_axis(header, axis=1)
    except (ValueError, csv.Error) as error:
        raise Damaged(f"{path} is damaged ({error}): {remedy}") from error


@contextmanager
def opened_archive(path: Path) -> Iterator[Any]:
    """An `.npz` file, of which nothing is unpickled, nor is anybody told to.

    Raises:
        OSError: as `plain.opened`.
        ValueError: it is something else, or, as `DAMAGE`, it is damaged.
    """
    import numpy as np

    with plain.opened(path) as file:
        if what := _no_archive(file.read(4096)):
            raise ValueError(f"it is {what}")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as stored:
                yield stored
        except ValueError as error:
            if "allow_pickle" not in str(error):
                raise
            raise ValueError("it holds no plain arrays") from None


def _no_archive(head: bytes) -> str:
    """What a file that begins so is instead of a ZIP archive; "" where it is one."""
    if head.startswith(b"PK"):
        return ""
    if head.startswith(b"\x93NUMPY"):
        return "a single array, no .npz file"
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # its last letter may be cut in two
    except UnicodeDecodeError:
        text = "\0"
    return "empty" if not head else "no .npz file" if "\0" in text else "text, no .npz file"


def read_arrays(path: Path, remedy: str = REMEDY) -> dict[str, np.ndarray]:
    """All of an `.npz` file, whose members have checksums of their own.

    Raises:
        Damaged: as `read_bytes`, or it is no whole archive of plain arrays.
    """
    check(path, remedy)
    try:
        with opened_archive(path) as stored:
            return {name: stored[name] for name in stored.files}
    except OSError as error:
        raise unreadable(path, error, remedy) from error
    except DAMAGE as error:
        if isinstance(error, MemoryError):
            bytearray(path.stat().st_size)  # raises it again where memory is short, and the file does not lie
        raise Damaged(f"{path} is damaged ({error}): {remedy}") from error


def read_archive(path: Path, remedy: str = REMEDY) -> None:
    """Compares the members of a `.keras` file, which is a ZIP archive, with their checksums.

    Raises:
        Damaged: one is not as it was written.
    """
    try:
        with plain.opened(path) as file, zipfile.ZipFile(file) as archive:
            bad = archive.testzip()
    except OSError as error:
        raise unreadable(path, error, remedy) from error
    except DAMAGE as error:
        bad = str(error)
    if bad:
        raise Damaged(f"{path} is damaged ({bad}): {remedy}")

"""What processes have begun to write and not ended, by the names that `writing.beside` gives."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keras_art.writing import PART, beside, half_written, is_abandoned, parts_of

ASKED = ("config.json.", "environment.json.")  # what `Store.ask` writes, while another may hold the run


def sweep(folder: Path, *, held: bool = False, of: str = "") -> list[Path]:
    """Removes what killed processes have left half-written in a folder; those below it are not looked at.

    Args:
        held: nobody but this process writes there, but for those who ask for the run: all else half-written goes.
        of: what it was to become; "": anything. Needed where not all files are ours.

    Returns:
        What was removed.
    """
    gone = half_written(folder)
    gone = [path for path in gone if (held and not path.name.startswith(ASKED)) or is_abandoned(path)]
    gone = [path for path in gone if path.name.startswith(f"{of}.")] if of else gone
    for path in gone:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return gone


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in the system's temporary one, for as long as a block takes; for where no store is at hand.

    What killed processes have left of theirs goes.
    """
    place = Path(tempfile.gettempdir())
    sweep(place, of="keras_art")
    part = beside(place / "keras_art")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def being_written(place: Path) -> bool:
    """Whether another process is at what becomes a file or folder."""
    mine = beside(place).name
    return any(path.name != mine and not is_abandoned(path) for path in parts_of(place))


def abandoned(folder: Path) -> list[Path]:
    """Those at which no living process of this machine is, and which one of another has not touched for a week."""
    return [path for path in half_written(folder) if is_abandoned(path)]


def beside_runs(word: str) -> bool:
    """Whether a path is of what a store has beside its runs: a lock, a file half-written; a shell's `*` finds them."""
    path = Path(word)
    odd = path.name.endswith(".lock") or PART.search(path.name)
    return bool(odd and path.exists() and any((one / "store.json").is_file() for one in path.absolute().parents[:2]))

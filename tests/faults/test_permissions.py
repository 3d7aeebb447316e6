"""Stores of which this user may not read, enter or write something, or that hold a pipe: what commands make of them.

`pytest -m slow tests/faults/test_permissions.py -s` prints how many were tried. A superuser may do everything: tried
is what is left without that.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keras_art.commands import page
from keras_art.commands import store as upkeep
from keras_art.study import records
from reproductions import __main__ as tables
from reproductions.sabatelli2018 import REPRODUCTION

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="permissions are Unix's")]

OVERRIDE = 0b110  # the capabilities DAC_OVERRIDE and DAC_READ_SEARCH
RUN, CHOICE = "classifier/museum-*", "collections/museum-*"
COMMANDS: dict[str, Callable[[], int]] = {
    **{verb: lambda verb=verb: upkeep.main([verb, "runs"]) for verb in ("check", "size", "prune")},  # type: ignore[misc]
    "tables": lambda: tables.main(["--store", "runs", "--format", "csv"]),
    "page": lambda: page.main(["runs"]),
}


def first(pattern: str, mode: int) -> Callable[[Path], None]:
    def change(store: Path) -> None:
        min(path for path in store.glob(pattern) if path.suffix != ".lock").chmod(mode)

    return change


def read_only(store: Path) -> None:
    for path in [*store.rglob("*"), store]:
        path.chmod(path.stat().st_mode & ~0o222)


def pipe(pattern: str) -> Callable[[Path], None]:
    """Puts a pipe, into which nobody writes, where a file is."""

    def change(store: Path) -> None:
        path = min(store.glob(pattern))
        path.unlink()
        os.mkfifo(path)

    return change


# What commands read, and the lists of what they read; each once as a pipe.
PIPES = (
    "store.json", f"{RUN}/config.json", f"{RUN}/metrics.json", f"{RUN}/SHA256SUMS", f"{RUN}/model.keras",
    f"{RUN}/predictions.csv", f"{RUN}/*.png", f"{CHOICE}/task.json", f"{CHOICE}/images.csv", "cache/images/*/rows.bin",
    "cache/images/*/rows.json", "cache/images/*/*.index", "cache/weights/*.keras", "studies/*/study.json",
)  # fmt: skip
CASES: dict[str, Callable[[Path], None]] = {
    "a store that is read-only": read_only,
    "a store that may not be entered": lambda store: store.chmod(0o600),
    "store.json": first("store.json", 0),
    "a run": first(RUN, 0),
    "a run that may not be entered": first(RUN, 0o600),
    "the runs of a kind that may not be entered": first("classifier", 0o600),
    "metrics": first(f"{RUN}/metrics.json", 0),
    "a model": first(f"{RUN}/model.keras", 0),
    "pixels": first("cache/images/*", 0),
    "a choice that may not be entered": first(CHOICE, 0o600),
    "studies": first("studies", 0),
    "a study": first("studies/*/study.json", 0),
    **{f"a pipe as {pattern}": pipe(pattern) for pattern in PIPES},
}


@contextlib.contextmanager
def no_superuser() -> Iterator[None]:
    """Permissions count within; a superuser's own files too are what they say."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    head, held = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if libc.capget(head, held) != 0:
        pytest.skip("capabilities can not be put down here")
    effective = held[0]
    held[0] = effective & ~OVERRIDE
    assert libc.capset(head, held) == 0
    try:
        yield
    finally:
        held[0] = effective
        assert libc.capset(head, held) == 0


@pytest.fixture(scope="module")
def place(painted_place: Path) -> Path:
    words = ["--data", "museum", "--target", "artist", "--networks", "n.keras", "--preprocessing", "unit", "--modes"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(painted_place)
        assert REPRODUCTION.main([*words, "fine_tuning", "--image_size", "32", "--epochs", "1"]) == 0
    return painted_place


TRIED: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def _told():
    yield
    print(f"\n{len(TRIED)} commands on stores of which something may not be read")


@pytest.mark.parametrize("case", CASES)
def test_what_may_not_be_read_is_named_and_stops_nothing_else(place, case, tmp_path, monkeypatch, capsys):
    shutil.copytree(place, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    CASES[case](Path("runs"))
    said = {}
    with no_superuser():
        for name, command in COMMANDS.items():
            records._told.cache_clear()
            status = command()  # a traceback would be raised here
            said[name] = status, "".join(capsys.readouterr())
            TRIED.append(name)
    for path in [Path("runs"), *Path("runs").rglob("*")]:
        path.chmod(0o700)
    # Whoever may only read finds everything in order; of all else a check speaks.
    sound = case == "a store that is read-only"
    status, words = said["check"]
    assert status == (0 if sound else 1), said
    assert re.search("every file is as it was written" if sound else "may not be|can not|is no file", words), said

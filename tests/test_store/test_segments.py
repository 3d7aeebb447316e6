"""Rows that only grow, and their index in segments."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from keras_art.store import segments
from keras_art.store.runs import StoreError
from keras_art.store.segments import Segments

COLUMNS = ("key", "row", "crc32")


def row(number: int) -> bytes:
    return bytes([number % 256] * 8)


def add(kept: Segments, *numbers: int) -> None:
    """One writer's chunk."""
    with kept.lock(), kept.writing(8) as writer:
        lines = [(str(n), writer.rows + i, zlib.crc32(row(n))) for i, n in enumerate(numbers)]
        writer.append([row(n) for n in numbers], lines)


def holds(kept: Segments, *numbers: int) -> None:
    """Every number's row is its own, and no other is known."""
    lines, rows = kept.lines(), kept.mapped(np.uint8, (8,))
    assert set(lines) == {str(n) for n in numbers}
    for n in numbers:
        assert bytes(rows[lines[str(n)][1]]) == row(n)
    assert kept.wrong(line[1] for line in lines.values()) == []


def test_what_is_written_is_read_by_the_next(tmp_path):
    kept = Segments(tmp_path / "rows", COLUMNS)
    assert (len(kept), kept.lines(), kept.mapped(np.uint8, (8,)).shape) == (0, {}, (0, 8))
    add(kept, 1, 2)
    add(Segments(tmp_path / "rows", COLUMNS), 3)
    holds(kept, 1, 2, 3)


def test_a_chunk_is_a_line_appended_and_nothing_rewritten(tmp_path):
    kept = Segments(tmp_path, COLUMNS)
    add(kept, *range(100))
    (first,) = tmp_path.glob("*.index")
    before = first.read_bytes()
    add(kept, 100)
    _, second = sorted(tmp_path.glob("*.index"))
    assert first.read_bytes() == before and len(second.read_text().splitlines()) == 1


def test_many_segments_are_merged_into_one(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "MANY", 4)
    kept = Segments(tmp_path, COLUMNS)
    for n in range(11):
        add(kept, n)
        assert len(list(tmp_path.glob("*.index"))) <= 4
    holds(Segments(tmp_path, COLUMNS), *range(11))


def test_a_later_line_overrules_an_earlier_one_also_once_merged(tmp_path, monkeypatch):
    kept = Segments(tmp_path, COLUMNS)
    add(kept, 1, 2)
    add(kept, 1)
    assert kept.lines()["1"][1] == 2
    monkeypatch.setattr(segments, "MANY", 1)
    add(kept, 3)
    holds(Segments(tmp_path, COLUMNS), 1, 2, 3)
    assert Segments(tmp_path, COLUMNS).lines()["1"][1] == 2


@pytest.mark.parametrize("tail", [b'["9", 3, 1', b'["9", 3, 12]', b"\x00\x00\x00"])
def test_a_line_that_was_not_written_to_its_end_is_passed_over(tmp_path, tail):
    kept = Segments(tmp_path, COLUMNS)
    add(kept, 1, 2, 3)
    (segment,) = tmp_path.glob("*.index")
    with segment.open("ab") as file:
        file.write(tail)
    add(Segments(tmp_path, COLUMNS), 4)
    holds(Segments(tmp_path, COLUMNS), 1, 2, 3, 4)


def test_a_damaged_line_costs_itself_alone(tmp_path):
    kept = Segments(tmp_path, COLUMNS)
    add(kept, 1, 2, 3)
    (segment,) = tmp_path.glob("*.index")
    lines = segment.read_bytes().split(b"\n")
    segment.write_bytes(b"\n".join([lines[0], b"\x07" * len(lines[1]), *lines[2:]]))
    holds(Segments(tmp_path, COLUMNS), 1, 3)


def test_rows_that_were_cut_off_are_made_again_and_their_numbers_are_others(tmp_path):
    kept = Segments(tmp_path, COLUMNS)
    add(kept, 1, 2, 3)
    with kept.data.open("r+b") as file:
        file.truncate(2 * 8 + 3)
    assert set(Segments(tmp_path, COLUMNS).lines()) == {"1", "2"}
    add(Segments(tmp_path, COLUMNS), 7)
    holds(Segments(tmp_path, COLUMNS), 1, 2, 7)


def test_a_changed_row_is_found(tmp_path):
    kept = Segments(tmp_path, COLUMNS)
    add(kept, 1, 2, 3)
    content = bytearray(kept.data.read_bytes())
    content[9] ^= 1
    kept.data.write_bytes(content)
    assert kept.wrong([0, 1, 2]) == [1] and kept.wrong([0, 2]) == []


def test_another_version_or_another_size_is_one_error(tmp_path):
    kept = Segments(tmp_path, COLUMNS)
    add(kept, 1)
    with pytest.raises(StoreError, match="rows of 8 bytes, not 9: delete it"), kept.lock(), kept.writing(9):
        pass
    with pytest.raises(StoreError, match="written by another version: delete it"):
        Segments(tmp_path, ("key", "row", "crc32", "more")).lines()


def test_a_writer_that_is_killed_loses_no_chunk_it_has_finished(tmp_path):
    program = (
        "import sys, zlib\nfrom pathlib import Path\nfrom keras_art.store.segments import Segments\n"
        "kept = Segments(Path(sys.argv[1]), ('key', 'row', 'crc32'))\n"
        "with kept.lock(), kept.writing(8) as writer:\n"
        "    for n in range(10**6):\n"
        "        content = bytes([n % 256] * 8)\n"
        "        writer.append([content], [(str(n), writer.rows, zlib.crc32(content))])\n"
        "        print(n, flush=True)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as process:
        seen = [process.stdout.readline() for _ in range(200)]
        process.kill()
    kept = Segments(tmp_path, COLUMNS)
    numbers = sorted(map(int, kept.lines()))
    assert numbers == list(range(len(numbers))) and len(numbers) >= len(seen)
    add(kept, *range(len(numbers), len(numbers) + 5))
    holds(Segments(tmp_path, COLUMNS), *range(len(numbers) + 5))


def test_writers_one_after_the_other_in_other_processes_lose_nothing(tmp_path):
    program = (
        "import sys, zlib\nfrom pathlib import Path\nfrom keras_art.store.segments import Segments\n"
        "for n in range(int(sys.argv[2]), 60, 2):\n"
        "    kept = Segments(Path(sys.argv[1]), ('key', 'row', 'crc32'))\n"
        "    with kept.lock(), kept.writing(8) as writer:\n"
        "        content = bytes([n % 256] * 8)\n"
        "        writer.append([content], [(str(n), writer.rows, zlib.crc32(content))])\n"
    )
    arguments = [[sys.executable, "-c", program, str(tmp_path), str(n)] for n in range(2)]
    writers = [subprocess.Popen(each, cwd=Path(__file__).parents[2]) for each in arguments]
    reader, deadline = Segments(tmp_path, COLUMNS), time.monotonic() + 60
    while any(writer.poll() is None for writer in writers) and time.monotonic() < deadline:
        reader.lines()  # while they merge
    assert [writer.wait() for writer in writers] == [0, 0]
    holds(Segments(tmp_path, COLUMNS), *range(60))
    assert json.loads((tmp_path / "rows.json").read_text())["row_bytes"] == 8


def test_who_may_not_write_looks_without_a_lock_and_a_failing_disk_is_told(tmp_path, monkeypatch):
    kept = Segments(tmp_path / "rows", COLUMNS)
    for number in (errno.EACCES, errno.EROFS, errno.EIO):

        def lock(*, wait: bool = True, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(kept, "lock", lock)
        with (
            pytest.raises(OSError, match=os.strerror(errno.EIO)) if number == errno.EIO else contextlib.nullcontext(),
            kept.held(),
        ):
            assert number != errno.EIO

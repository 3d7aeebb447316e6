"""Files that are none, at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from keras_art.store import plain, sums

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are Unix's")


def test_a_file_is_read_and_what_has_only_its_name_is_told_by_what_it_is(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    assert plain.read(tmp_path / "file") == b"x"
    os.mkfifo(tmp_path / "pipe")
    for place, what in ((tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(plain.NoFile, match=f"{what}, not a file") as told:
            plain.read(place)
        assert told.value.filename == str(place)
    with pytest.raises(IsADirectoryError):
        plain.read(tmp_path)


def test_a_list_of_hashes_that_names_a_device_or_a_pipe_is_compared_all_the_same(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "SHA256SUMS").write_text("".join(f"{'0' * 64}  {name}\n" for name in ("/dev/zero", "pipe")))
    assert sums.faults(tmp_path) == {
        "/dev/zero": "/dev/zero can not be read (a device, not a file)",
        "pipe": f"{tmp_path}/pipe can not be read (a pipe, not a file)",
    }


def test_a_list_of_hashes_with_a_name_that_no_file_can_have_is_none(tmp_path):
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  a\0b\n")
    with pytest.raises(sums.Damaged, match="is no list of hashes"):
        sums.faults(tmp_path)

from __future__ import annotations

import errno

import pytest

from keras_art import errors


def test_a_full_disk_is_recognised_however_it_is_wrapped():
    wrapped = RuntimeError("could not save")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device", "some.npz")
    assert errors.machine_fault(wrapped).startswith("the disk is full")
    assert errors.machine_fault(RuntimeError("...; No space left on device [Op:SaveV2]")).startswith("the disk is full")
    assert not errors.machine_fault(ValueError("shape"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EROFS, "Read-only file system", "a.csv"), "a.csv: can not be written: the disk is read-only"),
        (PermissionError(errno.EACCES, "Permission denied", "a.csv"), "a.csv: may not be read or written"),
        (OSError(errno.EMFILE, "Too many open files"), "too many files are open"),
        (MemoryError(), "there is not enough memory"),
        (ImportError("libtensorflow_cc.so.2: failed to map segment from shared object"), "there is not enough memory"),
    ],
)
def test_what_the_machine_refuses_is_one_line_with_the_remedy(error, words):
    assert errors.machine_fault(error).startswith(words)


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "No such file"), KeyError("x"), ValueError("x")])
def test_what_may_be_a_defect_of_ours_stays_one(error):
    assert errors.machine_fault(error) == ""

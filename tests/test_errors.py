from __future__ import annotations

import errno

from keras_art import errors


def test_a_full_disk_is_recognised_however_it_is_wrapped():
    wrapped = RuntimeError("could not save")
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert errors.disk_full(wrapped)
    assert errors.disk_full(RuntimeError("...; No space left on device [Op:SaveV2]"))
    assert not errors.disk_full(ValueError("shape"))

"""What a process lacks is said of the process: a file that is whole is not taken for a damaged one."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from keras_art.store import plain, reading
from keras_art.store.sums import Damaged, sums
from keras_art.writing import write_arrays

SHORT_OF_MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from keras_art.store.reading import read_arrays

used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (48 << 20), resource.RLIM_INFINITY))
try:
    read_arrays(Path(sys.argv[1]))
except MemoryError:
    print("short of memory")
"""


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM, errno.ESTALE])
@pytest.mark.parametrize("read", ["read_arrays", "read_bytes", "check", "sums"])
def test_what_the_process_lacks_is_no_damage(tmp_path, monkeypatch, read, number):
    path = tmp_path / "epoch.npz"
    write_arrays(path, {"0": np.zeros(3)})
    if read == "check":
        (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  epoch.npz\n")

    def refused(*words: object, **options: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(plain, "open", refused, raising=False)
    with pytest.raises(OSError, match="refused"):
        sums(tmp_path) if read == "sums" else getattr(reading, read)(path)


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read from /proc")
def test_arrays_that_do_not_fit_the_memory_are_not_damaged(tmp_path):
    write_arrays(tmp_path / "epoch.npz", {"0": np.zeros(8 << 20)})
    words = subprocess.check_output([sys.executable, "-c", SHORT_OF_MEMORY, str(tmp_path / "epoch.npz")], text=True)
    assert words == "short of memory\n"


def test_arrays_that_claim_more_than_any_memory_are_damaged(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 58,)})
    with zipfile.ZipFile(tmp_path / "epoch.npz", "w") as archive:
        archive.writestr("0.npy", header.getvalue())
    with pytest.raises(Damaged, match="is damaged"):
        reading.read_arrays(tmp_path / "epoch.npz")

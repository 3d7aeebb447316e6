"""What a process lacks is said of the process: a file that is whole is not taken for a damaged one."""

from __future__ import annotations

import errno
import io
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from keras_art.store import plain, reading
from keras_art.store.sums import Damaged, sums
from keras_art.store.tickets import read_ticket
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


@pytest.mark.parametrize("read", [reading.read_arrays, read_ticket])
def test_of_what_is_no_archive_of_arrays_nobody_is_told_to_unpickle_it(tmp_path, read):
    np.savez(tmp_path / "objects", ticket=np.array([{"a": 1}], object))
    np.save(tmp_path / "array", np.zeros(3))
    (tmp_path / "pickle").write_bytes(pickle.dumps({"a": 1}))
    (tmp_path / "nearly").write_bytes(b"PK, and no ZIP archive")
    (tmp_path / "text").write_text("x" + "é" * 3000, encoding="utf-8")  # a letter that is cut where looking ends
    (tmp_path / "empty").touch()
    said = {
        "objects.npz": "it holds no plain arrays", "array.npy": "it is a single array, no .npz file",
        "pickle": "it is no .npz file", "nearly": "it holds no plain arrays", "text": "it is text, no .npz file",
        "empty": "it is empty",
    }  # fmt: skip
    for name, what in said.items():
        with pytest.raises(Damaged) as refused:
            read(tmp_path / name)
        assert f"{name} is " in str(refused.value) and f" ({what}): " in str(refused.value)


def test_an_archive_of_something_else_is_called_that(tmp_path):
    write_arrays(tmp_path / "other.npz", {"a": np.zeros(3)})
    with pytest.raises(Damaged, match=r"no whole ticket \(it is an archive of something else\)"):
        read_ticket(tmp_path / "other.npz")

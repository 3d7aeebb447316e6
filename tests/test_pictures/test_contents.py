from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from keras_art.pictures import contents
from keras_art.pictures.contents import Contents, sha256_of, stamp


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(bytes([number]) * 100)
    return sorted(map(str, folder.iterdir()))


def test_files_are_read_once(tmp_path, files, monkeypatch):
    hashes = Contents(tmp_path / "kept").hashes([*files, files[0]])
    assert hashes == [sha256(Path(path)) for path in [*files, files[0]]]
    monkeypatch.setattr(contents, "sha256_of", lambda path: pytest.fail("read again"))
    assert Contents(tmp_path / "kept").hashes(files) == hashes[:3]


@pytest.mark.parametrize("how", ["over it", "by renaming", "date set back", "older and moved in"])
def test_another_file_of_the_same_size_and_time_is_noticed(tmp_path, files, how):
    path, other = Path(files[1]), tmp_path / "other"
    kept = Contents(tmp_path / "kept")
    before, times = kept.hashes(files), (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    if how == "older and moved in":
        other.write_bytes(b"x" * 100)
        os.utime(other, ns=times)
        os.replace(other, path)
    elif how == "by renaming":
        other.write_bytes(b"x" * 100)
        os.replace(other, path)
    else:
        path.write_bytes(b"x" * 100)
    os.utime(path, ns=times)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (100, times[1])
    assert kept.hashes(files) == [before[0], sha256(path), before[2]]


def test_what_is_no_file_has_no_hash_and_is_not_waited_for(tmp_path, files):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to("nowhere")
    odd = [str(tmp_path / "pipe.png"), str(tmp_path / "link.png"), str(tmp_path), "/dev/zero", "a\0b", "/absent.png"]
    assert Contents(tmp_path / "kept").hashes(odd) == [""] * 6
    assert sha256_of(odd[0]) == sha256_of("/dev/zero") == ""
    reasons = [stamp(path)[1] for path in odd[:4]]
    assert reasons == ["a pipe, not a file", "missing file", "a folder, not a file", "a device, not a file"]


def test_where_nothing_can_be_kept_files_are_hashed_every_time(tmp_path, files):
    (tmp_path / "kept").write_text("a file stands in the way")
    assert Contents(tmp_path / "kept").hashes(files) == [sha256(Path(path)) for path in files]


def test_progress_counts_what_is_new(tmp_path, files):
    kept, calls = Contents(tmp_path / "kept"), []
    kept.hashes(files[:2])
    kept.hashes(files, lambda done, total: calls.append((done, total)))
    assert calls == [(1, 1)]

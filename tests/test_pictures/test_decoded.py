from __future__ import annotations

import errno
import io
import os
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from test_images import picture

from keras_art.pictures import decoded, workers
from keras_art.pictures.decoded import ImageStore
from keras_art.pictures.images import decode
from keras_art.pictures.workers import decode_chunks
from keras_art.store import segments
from keras_art.store.runs import StoreError


def file_bytes(image: Image.Image, format: str, **save) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **save)
    return stream.getvalue()


def corrupt(folder: Path) -> dict[Path, str]:
    """Ten files, one of each kind, and a word of the reason each must get."""
    sound = picture(folder / "sound.png", (64, 64)).read_bytes()
    jpeg = picture(folder / "sound.jpg", (64, 64)).read_bytes()
    huge = bytearray(sound)
    huge[16:24] = (60_000).to_bytes(4, "big") * 2
    huge[29:33] = zlib.crc32(bytes(huge[12:29])).to_bytes(4, "big")
    none = file_bytes(Image.new("RGB", (1, 1)), "BMP")
    contents = {
        "empty.jpg": (b"", "empty"),
        "text.jpg": (b"<html>404 Not Found</html>", "not an image"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "cut.png": (sound[: len(sound) // 2], "truncated"),
        "head.jpg": (jpeg[:30], "truncated"),
        "huge.png": (bytes(huge), "too large"),
        "flipped.png": (sound[:60] + bytes(200) + sound[260:], "damaged"),
        "no_pixels.bmp": (none[:18] + bytes(8) + none[26:], ""),
    }
    files = {}
    for name, (content, word) in contents.items():
        (folder / name).write_bytes(content)
        files[folder / name] = word
    (folder / "folder.jpg").mkdir()
    return files | {folder / "folder.jpg": "a folder", folder / "absent.jpg": "missing"}


def test_corrupt_files_get_a_row_with_a_reason_each(tmp_path):
    wrong = corrupt(tmp_path)
    table = ImageStore(tmp_path / "store", 8).scan([*wrong, tmp_path / "sound.png"])
    assert list(table["path"]) == [*map(str, wrong), str(tmp_path / "sound.png")]
    assert list(table["row"]) == [-1] * len(wrong) + [0]
    for told, word in zip(table["reason"], wrong.values(), strict=False):
        assert told
        assert word in told
    assert table["reason"].iloc[-1] == ""


def test_permission_denied_is_told_and_not_remembered(tmp_path, monkeypatch):
    path = picture(tmp_path / "a.png")
    store = ImageStore(tmp_path / "store", 8)
    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", refuse(path))
        assert store.scan([path])["reason"].item() == "permission denied"
    assert store.scan([path])["row"].item() == 0


def refuse(path: Path):
    def opened(file, *arguments, _open=open, **options):
        if str(file) == str(path):
            raise PermissionError(errno.EACCES, "Permission denied")
        return _open(file, *arguments, **options)

    return opened


def test_rows_hold_what_decode_gives_in_the_order_asked_with_repeats(tmp_path):
    a, b, same_as_a = (picture(tmp_path / f"{name}.png", seed=seed) for name, seed in [("a", 0), ("b", 1), ("c", 0)])
    store = ImageStore(tmp_path / "store", 8)
    table = store.scan([b, a, b, same_as_a])
    assert list(table["row"]) == [0, 1, 0, 1]
    np.testing.assert_array_equal(store.pixels(), [decode(b, 8)[0], decode(a, 8)[0]])
    assert not store.pixels().flags.writeable
    facts = decode(b, 8)[1]
    assert table.loc[0, list(facts)].to_dict() == facts
    assert list(store.find([facts["sha256"], "unknown"])) == [0, -1]


def test_second_scan_opens_no_picture(tmp_path, monkeypatch):
    wanted = [picture(tmp_path / f"{i}.png", seed=i) for i in range(5)]
    (tmp_path / "bad.png").write_bytes(b"nothing")
    first = ImageStore(tmp_path / "store", 8).scan([*wanted, tmp_path / "bad.png"])
    monkeypatch.setattr(workers, "decode", lambda *_: pytest.fail("opened"))
    second = ImageStore(tmp_path / "store", 8).scan([tmp_path / "bad.png", *wanted])
    assert second.iloc[1:].reset_index(drop=True).equals(first.iloc[:-1])
    assert second["reason"][0] == first["reason"][5] != ""


def test_changed_and_new_files_are_decoded_and_rows_stay(tmp_path):
    paths = [picture(tmp_path / f"{i}.png", seed=i) for i in range(3)]
    store = ImageStore(tmp_path / "store", 8)
    store.scan(paths[:2])
    before = store.pixels().copy()
    picture(paths[0], seed=9)
    os.utime(paths[0], ns=(0, 0))
    assert list(store.scan(paths)["row"]) == [2, 1, 3]
    np.testing.assert_array_equal(store.pixels()[:2], before)
    np.testing.assert_array_equal(store.pixels()[2], decode(paths[0], 8)[0])


def test_another_picture_of_the_same_size_and_time_is_decoded(tmp_path):
    paths = [picture(tmp_path / f"{i}.bmp", seed=i) for i in range(2)]
    store, status = ImageStore(tmp_path / "store", 8), paths[0].stat()
    store.scan(paths)
    picture(paths[0], seed=9)
    os.utime(paths[0], ns=(status.st_atime_ns, status.st_mtime_ns))
    assert paths[0].stat().st_size == status.st_size
    assert list(store.scan(paths)["row"]) == [2, 1]
    np.testing.assert_array_equal(store.pixels()[2], decode(paths[0], 8)[0])


def test_a_file_that_is_touched_alone_is_hashed_once_and_not_decoded(tmp_path, monkeypatch):
    paths = [picture(tmp_path / f"{i}.png", seed=i) for i in range(2)]
    first = ImageStore(tmp_path / "store", 8).scan(paths)
    monkeypatch.setattr(workers, "decode", lambda *_: pytest.fail("decoded"))
    os.link(paths[0], tmp_path / "link.png")  # as a backup does
    assert ImageStore(tmp_path / "store", 8).scan(paths).equals(first)
    monkeypatch.setattr(decoded, "sha256_of", lambda path: pytest.fail("hashed again"))
    assert ImageStore(tmp_path / "store", 8).scan(paths).equals(first)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_pipe_and_a_device_are_not_waited_for(tmp_path, workers):
    os.mkfifo(tmp_path / "a.png")
    paths = [str(tmp_path / "a.png"), "/dev/zero"]
    told = ImageStore(tmp_path / "store", 8).scan(paths)["reason"]
    assert list(told) == ["a pipe, not a file", "a device, not a file"]
    assert [facts["reason"] for facts, _ in next(decode_chunks([paths], 8, "squash", workers))] == list(told)


def test_processes_store_the_same_bytes_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(decoded, "CHUNK", 4)
    paths = [picture(tmp_path / f"{i}.jpg", (50 + i, 40), seed=i % 30) for i in range(40)]
    paths[::7] = corrupt(tmp_path) and sorted(tmp_path.glob("*cut*")) * 3
    one, two = (ImageStore(tmp_path / f"store{workers}", 16) for workers in (1, 2))
    assert one.scan(paths, workers=1).equals(two.scan(paths, workers=2))
    assert (one.directory / "rows.bin").read_bytes() == (two.directory / "rows.bin").read_bytes()
    for path, row in zip(paths, one.scan(paths)["row"], strict=True):
        if row >= 0:
            np.testing.assert_array_equal(one.pixels()[row], decode(path, 16)[0])


def test_a_killed_scan_is_continued(tmp_path):
    paths = [picture(tmp_path / f"{i}.png", seed=i) for i in range(6)]
    whole = ImageStore(tmp_path / "whole", 8)
    whole.scan(paths)
    killed = ImageStore(tmp_path / "killed", 8)
    killed.scan(paths[:3])
    with open(killed.directory / "rows.bin", "ab") as file:
        file.write(b"\x07" * 500)  # pixels written after the index was, the last picture by half
    killed.scan(paths)
    np.testing.assert_array_equal(killed.pixels(), whole.pixels())


def test_a_full_disk_is_one_error_and_keeps_what_was_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(decoded, "CHUNK", 2)
    paths = [picture(tmp_path / f"{i}.png", seed=i) for i in range(6)]
    store = ImageStore(tmp_path / "store", 8)
    append = segments.append

    def nearly_full(file, pixels):
        if file.name.endswith("rows.bin") and file.tell() >= 4 * 8 * 8 * 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(file, pixels)

    with monkeypatch.context() as patch:
        patch.setattr(segments, "append", nearly_full)
        with pytest.raises(OSError, match="2 pictures still to store need 384 bytes") as caught:
            store.scan(paths)
    assert caught.value.errno == errno.ENOSPC
    assert len(store.pixels()) == 4
    assert list(store.scan(paths)["row"]) == list(range(6))


def test_another_size_or_version_in_the_folder_is_an_error(tmp_path):
    path = picture(tmp_path / "a.png")
    ImageStore(tmp_path / "store", 8).scan([path])
    with pytest.raises(StoreError, match="delete it"):
        ImageStore(tmp_path / "store", 9).scan([path])
    about = tmp_path / "store" / "rows.json"
    about.write_text(about.read_text().replace('"format": 2', '"format": 0'))
    with pytest.raises(StoreError, match="another version: delete it"):
        ImageStore(tmp_path / "store", 8).scan([path])


def test_pixels_by_other_rules_are_decoded_again(tmp_path, monkeypatch):
    path = picture(tmp_path / "a.png")
    store = ImageStore(tmp_path / "store", 8)
    store.scan([path])
    for rule, value in (("DECODER", 3), ("COLOUR", "another")):
        monkeypatch.setattr(decoded, rule, value)
        assert list(ImageStore(tmp_path / "store", 8).find([decode(path, 8)[1]["sha256"]])) == [-1]


def test_a_store_cut_short_is_decoded_again(tmp_path):
    paths = [picture(tmp_path / f"{i}.png", seed=i) for i in range(4)]
    ImageStore(tmp_path / "store", 8).scan(paths)
    os.truncate(tmp_path / "store" / "rows.bin", 2 * 8 * 8 * 3 + 5)
    store = ImageStore(tmp_path / "store", 8)
    assert list(store.find([decode(path, 8)[1]["sha256"] for path in paths])) == [0, 1, -1, -1]
    extra = picture(tmp_path / "extra.png", seed=9)
    table = store.scan([extra, *paths])
    assert list(table["row"]) == [2, 0, 1, 3, 4]
    for path, row in zip([extra, *paths], table["row"], strict=True):
        np.testing.assert_array_equal(store.pixels()[row], decode(path, 8)[0])


def test_what_is_wrong_is_found_by_its_checksum_and_decoded_again(tmp_path):
    paths = [picture(tmp_path / f"{i}.png", seed=i % 3) for i in range(4)]  # the last is a copy of the first
    store = ImageStore(tmp_path / "store", 8)
    rows = store.scan(paths)["row"].to_numpy()
    assert store.wrong(rows) == []
    content = bytearray((store.directory / "rows.bin").read_bytes())
    content[5] ^= 16
    (store.directory / "rows.bin").write_bytes(content)
    assert store.wrong(rows) == [0]
    assert list(store.scan([paths[0]], wrong={0})["row"]) == [3]
    again = ImageStore(tmp_path / "store", 8)
    assert list(again.scan(paths)["row"]) == [3, 1, 2, 3]
    assert list(again.find([decode(paths[3], 8)[1]["sha256"]])) == [3]
    np.testing.assert_array_equal(again.pixels()[3], decode(paths[0], 8)[0])


def test_an_empty_scan_is_an_empty_table(tmp_path):
    store = ImageStore(tmp_path, 8)
    assert list(store.scan([]).columns)[:2] == ["path", "row"]
    assert store.pixels().shape == (0, 8, 8, 3)


def test_progress_counts_what_is_decoded(tmp_path):
    paths = [picture(tmp_path / f"{i}.png", seed=i) for i in range(3)]
    calls: list[tuple[int, int]] = []
    ImageStore(tmp_path / "store", 8).scan(paths, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_a_store_that_can_not_be_written_says_what_it_knows(tmp_path, monkeypatch):
    paths = [picture(tmp_path / "a.png", (8, 8)), picture(tmp_path / "b.png", (8, 9)), tmp_path / "gone.png"]
    store = ImageStore(tmp_path / "store", 8)
    before = store.scan(paths)

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(segments.Segments, "lock", refused)
    pd.testing.assert_frame_equal(ImageStore(tmp_path / "store", 8).scan(paths), before)
    os.utime(paths[0])
    with pytest.raises(PermissionError):
        ImageStore(tmp_path / "store", 8).scan(paths)

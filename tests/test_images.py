from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_art import images
from keras_art.images import ImageStore, Unreadable, decode, load_photo

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
TWO_BY_TWO = np.array([[RED, GREEN], [BLUE, BLACK]], np.uint8)


def picture(path: Path, size: tuple[int, int] = (20, 30), seed: int = 0, **save) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    Image.fromarray(pixels).save(path, **save)
    return path


def reason(path: Path) -> str:
    with pytest.raises(Unreadable) as caught:
        decode(path, 8)
    return str(caught.value)


def file_bytes(image: Image.Image, format: str, **save) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **save)
    return stream.getvalue()


# How a file becomes RGB


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, suffix, tag):
    stored = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = tag
    path = tmp_path / f"a{suffix}"
    Image.fromarray(stored).save(path, exif=exif)
    upright = {  # the tag's definition: which stored edges are the picture's top and left
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: stored[::-1].transpose(1, 0, 2),
        7: stored[::-1, ::-1].transpose(1, 0, 2),
        8: stored.transpose(1, 0, 2)[::-1],
    }[tag]
    _, facts = decode(path, 8)
    assert (facts["height"], facts["width"], facts["orientation"]) == (*upright.shape[:2], tag)
    np.testing.assert_array_equal(load_photo(path, 6), upright)


def test_damaged_exif_does_not_cost_the_picture(tmp_path):
    path = picture(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*garbage")
    assert decode(path, 8)[1]["orientation"] == 1


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(TWO_BY_TWO), TWO_BY_TWO),
        (
            Image.fromarray(np.array([[0, 100], [200, 255]], np.uint8)),
            [[(v,) * 3 for v in r] for r in [[0, 100], [200, 255]]],
        ),
        (Image.fromarray(np.array([[True, False], [False, True]])), [[WHITE, BLACK], [BLACK, WHITE]]),
        (
            Image.fromarray(np.array([[(*RED, 255), (*RED, 0)], [(0, 0, 0, 51), (*BLUE, 255)]], np.uint8)),
            [[RED, WHITE], [(204, 204, 204), BLUE]],
        ),
        (
            Image.fromarray(np.array([[(0, 255), (0, 0)], [(0, 51), (90, 255)]], np.uint8), "LA"),
            [[BLACK, WHITE], [(204, 204, 204), (90, 90, 90)]],
        ),
        (
            Image.fromarray(np.array([[0, 257], [25700, 65535]], np.uint16)),
            [[BLACK, (1, 1, 1)], [(100, 100, 100), WHITE]],
        ),
    ],
    ids=["RGB", "L", "1", "RGBA", "LA", "I;16"],
)
def test_modes_of_png(tmp_path, image, expected):
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode(tmp_path / "a.png", 2)[0], np.array(expected, np.uint8))


@pytest.mark.parametrize(
    "transparency", [1, bytes([255, 0, 255])], ids=["one transparent colour", "an alpha for each colour"]
)
def test_transparent_palette_colours_are_laid_on_white(tmp_path, transparency):
    image = Image.fromarray(np.array([[0, 1], [2, 0]], np.uint8))
    image.putpalette([*RED, *GREEN, *BLUE])
    image.save(tmp_path / "a.png", transparency=transparency)
    np.testing.assert_array_equal(decode(tmp_path / "a.png", 2)[0], np.array([[RED, WHITE], [BLUE, RED]]))


def test_a_transparent_key_colour_is_laid_on_white(tmp_path):
    Image.fromarray(TWO_BY_TWO).save(tmp_path / "a.png", transparency=GREEN)
    np.testing.assert_array_equal(decode(tmp_path / "a.png", 2)[0], np.array([[RED, WHITE], [BLUE, BLACK]]))


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_deep_tiff_is_scaled_and_not_clipped(tmp_path, dtype):
    Image.fromarray(np.array([[0, 65535], [32896, 0]], dtype)).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(decode(tmp_path / "a.tif", 2)[0][..., 0], [[0, 255], [128, 0]])


def test_float_tiff_with_gaps_and_extremes(tmp_path):
    Image.fromarray(np.array([[-3e38, 3e38], [np.nan, np.inf]], np.float32)).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(decode(tmp_path / "a.tif", 2)[0][..., 0], [[0, 255], [0, 0]])
    Image.fromarray(np.full((2, 2), np.nan, np.float32)).save(tmp_path / "b.tif")
    assert "finite" in reason(tmp_path / "b.tif")


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])  # a JPEG's inks are stored inverted, as Adobe does; a TIFF's not
def test_cmyk_inks_become_colours(tmp_path, suffix):
    for ink, colour in (((0, 255, 255, 0), RED), ((255, 255, 0, 0), BLUE), ((0, 0, 0, 255), BLACK)):
        path = tmp_path / f"a{suffix}"
        Image.new("CMYK", (16, 16), ink).save(path, quality=100)
        pixels, facts = decode(path, 8)
        assert facts["mode"] == "CMYK"
        np.testing.assert_allclose(pixels.astype(int), np.broadcast_to(colour, (8, 8, 3)), atol=2)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif"])
def test_first_frame_or_page_is_taken(tmp_path, suffix):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, BLUE)]
    lossless = {"lossless": True} if suffix == ".webp" else {}
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:], **lossless)
    np.testing.assert_array_equal(decode(tmp_path / f"a{suffix}", 4)[0], np.broadcast_to(RED, (4, 4, 3)))


def test_icc_profile_is_ignored(tmp_path):
    image = Image.fromarray(TWO_BY_TWO)
    image.save(tmp_path / "a.png", icc_profile=b"not a profile")
    np.testing.assert_array_equal(decode(tmp_path / "a.png", 2)[0], TWO_BY_TWO)


# How a picture becomes a square


def test_squash_nearest_is_pillows_nearest(tmp_path):
    path = picture(tmp_path / "a.jpg", (300, 200))
    with Image.open(path) as image:
        expected = np.asarray(image.resize((24, 24), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(decode(path, 24, "squash_nearest")[0], expected)


def test_squash_is_pillows_antialiased_bilinear_up_to_rounding(tmp_path):
    path = picture(tmp_path / "a.png", (60, 40))
    with Image.open(path) as image:
        expected = np.asarray(image.resize((24, 24), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(decode(path, 24)[0].astype(int), expected, atol=1)


def test_a_big_jpeg_decoded_small_differs_little(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)).resize((800, 800)).save(path)
    with Image.open(path) as image:
        expected = np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(decode(path, 32)[0] - expected).mean() < 1


def test_crop_and_pad_keep_the_aspect_ratio(tmp_path):
    thirds = np.repeat(np.array([[RED, GREEN, BLUE]], np.uint8), 8, axis=1).repeat(8, axis=0)  # (8, 24, 3)
    for name, pixels in (("wide.png", thirds), ("tall.png", thirds.transpose(1, 0, 2))):
        Image.fromarray(pixels).save(tmp_path / name)
        np.testing.assert_array_equal(decode(tmp_path / name, 8, "crop")[0], np.broadcast_to(GREEN, (8, 8, 3)))
    padded = decode(tmp_path / "wide.png", 24, "pad")[0]
    np.testing.assert_array_equal(padded[8:16], thirds)
    assert not padded[:8].any()
    assert not padded[16:].any()


@pytest.mark.parametrize("resize", images.RESIZE)
def test_a_line_of_pixels_is_a_picture(tmp_path, resize):
    path = picture(tmp_path / "a.png", (500, 1))
    assert decode(path, 8, resize)[0].shape == (8, 8, 3)
    assert load_photo(path, 8).shape == (1, 8, 3)


# What is no picture


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
        "lying.jpg": (sound, "extension says JPEG, content is PNG"),
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


def test_extensions_of_one_format_do_not_lie(tmp_path):
    for suffix in (".jpg", ".jpeg", ".jpe", ".JFIF"):
        decode(picture(tmp_path / f"a{suffix}", format="JPEG"), 8)
    pages = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
    pages[0].save(tmp_path / "mpo.jpg", "MPO", save_all=True, append_images=pages[1:])
    assert decode(tmp_path / "mpo.jpg", 8)[1]["format"] == "MPO"
    decode(picture(tmp_path / "a.tif", format="TIFF"), 8)


def test_pixel_limit_is_pillows_and_is_checked_before_decoding(tmp_path, monkeypatch):
    path = picture(tmp_path / "a.png", (20, 30))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 599)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    assert reason(path) == "too large: 20 x 30 is above the limit of 599 pixels"


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


def test_whatever_pillow_raises_is_a_reason(tmp_path, monkeypatch):
    path = picture(tmp_path / "a.png")
    for error in (SyntaxError("x"), OverflowError("x"), ZeroDivisionError("x"), RecursionError("x")):
        monkeypatch.setattr(Image, "open", raiser(error))
        assert reason(path) == f"damaged ({type(error).__name__}: x)"
    monkeypatch.setattr(Image, "open", raiser(MemoryError()))
    assert "memory" in reason(path)


def raiser(error: BaseException):
    def fail(*_, **__):
        raise error

    return fail


# The store


def test_rows_hold_what_decode_gives_in_the_order_asked_with_repeats(tmp_path):
    a, b, same_as_a = (picture(tmp_path / f"{name}.png", seed=seed) for name, seed in [("a", 0), ("b", 1), ("c", 0)])
    store = ImageStore(tmp_path / "store", 8)
    table = store.scan([b, a, b, same_as_a])
    assert list(table["row"]) == [0, 1, 0, 1]
    np.testing.assert_array_equal(store.pixels(), [decode(b, 8)[0], decode(a, 8)[0]])
    assert not store.pixels().flags.writeable
    facts = decode(b, 8)[1]
    assert table.loc[0, list(facts)].to_dict() == facts


def test_second_scan_opens_no_picture(tmp_path, monkeypatch):
    wanted = [picture(tmp_path / f"{i}.png", seed=i) for i in range(5)]
    (tmp_path / "bad.png").write_bytes(b"nothing")
    first = ImageStore(tmp_path / "store", 8).scan([*wanted, tmp_path / "bad.png"])
    monkeypatch.setattr(images, "decode", raiser(AssertionError("opened")))
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


def test_processes_store_the_same_bytes_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "CHUNK", 4)
    monkeypatch.setattr(images, "ROUND", 16)
    paths = [picture(tmp_path / f"{i}.jpg", (50 + i, 40), seed=i % 30) for i in range(40)]
    paths[::7] = corrupt(tmp_path) and sorted(tmp_path.glob("*cut*")) * 3
    one, two = (ImageStore(tmp_path / f"store{workers}", 16) for workers in (1, 2))
    assert one.scan(paths, workers=1).equals(two.scan(paths, workers=2))
    assert (one.directory / "pixels.u8").read_bytes() == (two.directory / "pixels.u8").read_bytes()
    for path, row in zip(paths, one.scan(paths)["row"], strict=True):
        if row >= 0:
            np.testing.assert_array_equal(one.pixels()[row], decode(path, 16)[0])


def test_a_killed_scan_is_continued(tmp_path):
    paths = [picture(tmp_path / f"{i}.png", seed=i) for i in range(6)]
    whole = ImageStore(tmp_path / "whole", 8)
    whole.scan(paths)
    killed = ImageStore(tmp_path / "killed", 8)
    killed.scan(paths[:3])
    with open(killed.directory / "pixels.u8", "ab") as file:
        file.write(b"\x07" * 500)  # pixels written after the index was, the last picture by half
    assert len(killed.pixels()) == 3
    killed.scan(paths)
    np.testing.assert_array_equal(killed.pixels(), whole.pixels())


def test_a_picture_that_ends_its_process_costs_only_itself(tmp_path):
    paths = [picture(tmp_path / f"{i}.png", seed=i) for i in range(3)]
    store = ImageStore(tmp_path / "store", 8)
    (tmp_path / "worker.py").write_text(
        f"import os, sys\nsys.path.insert(0, {str(Path(images.__file__).parents[1])!r})\n"
        "from keras_art import images\ndecode = images.decode\n"
        "images.decode = lambda path, *rest: os._exit(9) if path.endswith('1.png') else decode(path, *rest)\n"
        "images._work()\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "__file__", str(tmp_path / "worker.py"))
        table = store.scan(paths, workers=2)
    assert list(table["row"]) == [0, -1, 1]
    assert "ended the process" in table["reason"][1]
    assert list(store.scan(paths)["row"]) == [0, 2, 1]  # not remembered: another machine may fare better


def test_a_process_that_cannot_start_is_an_error_and_no_quarantine(tmp_path, monkeypatch):
    (tmp_path / "worker.py").write_text("raise SystemExit(3)")
    monkeypatch.setattr(images, "__file__", str(tmp_path / "worker.py"))
    with pytest.raises(RuntimeError, match=r"status 3.*workers=1"):
        ImageStore(tmp_path / "store", 8).scan([picture(tmp_path / "a.png")], workers=2)


def test_a_full_disk_is_one_error_and_keeps_what_was_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "CHUNK", 2)
    paths = [picture(tmp_path / f"{i}.png", seed=i) for i in range(6)]
    store = ImageStore(tmp_path / "store", 8)
    write = images._write_pixels

    def nearly_full(file, offset, pixels):
        if offset >= 4 * 8 * 8 * 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, offset, pixels)

    with monkeypatch.context() as patch:
        patch.setattr(images, "_write_pixels", nearly_full)
        with pytest.raises(OSError, match="2 pictures still to store need 384 bytes") as caught:
            store.scan(paths)
    assert caught.value.errno == errno.ENOSPC
    assert len(store.pixels()) == 4
    assert list(store.scan(paths)["row"]) == list(range(6))


def test_another_store_in_the_folder_is_an_error(tmp_path):
    ImageStore(tmp_path, 8)
    ImageStore(tmp_path, 8)
    for other in ((9, "squash"), (8, "crop")):
        with pytest.raises(ValueError, match="delete the folder"):
            ImageStore(tmp_path, *other)
    (tmp_path / "store.json").write_text('{"version": 0, "image_size": 8, "resize": "squash"}')
    with pytest.raises(ValueError, match="delete the folder"):
        ImageStore(tmp_path, 8)


def test_a_store_cut_short_is_an_error(tmp_path):
    store = ImageStore(tmp_path / "store", 8)
    store.scan([picture(tmp_path / "a.png")])
    os.truncate(tmp_path / "store" / "pixels.u8", 5)
    with pytest.raises(ValueError, match="delete"):
        store.pixels()


def test_an_empty_scan_is_an_empty_table(tmp_path):
    store = ImageStore(tmp_path, 8)
    assert list(store.scan([]).columns)[:2] == ["path", "row"]
    assert store.pixels().shape == (0, 8, 8, 3)


def test_progress_counts_what_is_decoded(tmp_path):
    paths = [picture(tmp_path / f"{i}.png", seed=i) for i in range(3)]
    calls: list[tuple[int, int]] = []
    ImageStore(tmp_path / "store", 8).scan(paths, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_a_worker_imports_only_what_it_needs():
    code = "import sys, keras_art.images; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pandas", "keras", "tensorflow", "filelock"} & set(loaded)

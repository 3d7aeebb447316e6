"""Colours and depths: what stands in a file beside what must come out."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin
from test_images import BLACK, RED, TWO_BY_TWO, WHITE

from keras_art.pictures import images
from keras_art.pictures.images import decode, load_photo

# Colorants of Adobe RGB (1998) adapted to D50, as the columns of RGB -> XYZ; and of sRGB.
ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])


def profile(space: bytes = b"RGB ", gamma: float = 563 / 256, name: bytes = b"Wide of the tests") -> bytes:
    """A version 2 ICC profile of Adobe RGB's colours, or of grey, with one gamma."""
    number = lambda value: struct.pack(">i", round(value * 65536))  # noqa: E731
    xyz = lambda values: b"XYZ \0\0\0\0" + b"".join(map(number, values))  # noqa: E731
    text = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + bytes(1 + 78)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    tags = {b"desc": text, b"wtpt": xyz([0.9642, 1, 0.8249]), b"cprt": b"text\0\0\0\0none\0"}
    if space == b"RGB ":
        tags |= {bytes([c]) + b"XYZ": xyz(ADOBE[:, i]) for i, c in enumerate(b"rgb")}
        tags |= {bytes([c]) + b"TRC": curve for c in b"rgb"}
    else:
        tags[b"kTRC"] = curve
    table, data, at = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        table += tag + struct.pack(">II", at + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    head = (
        bytes(4)
        + b"lcms\x02\x40\0\0mntr"
        + space
        + b"XYZ "
        + bytes(12)
        + b"acsp"
        + bytes(28)
        + xyz([0.9642, 1, 0.8249])[8:]
    )
    body = head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + data
    return struct.pack(">I", len(body)) + body[4:]


def wide_to_srgb(pixels: np.ndarray) -> np.ndarray:
    """By the formulas: gamma, colorants, sRGB's curve."""
    linear = (pixels / 255) ** (563 / 256) @ (np.linalg.inv(SRGB) @ ADOBE).T
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


COLOURS = np.random.default_rng(0).integers(60, 200, (4, 4, 3), np.uint8)


@pytest.mark.parametrize(("name", "how"), [("a.png", {}), ("a.tif", {}), ("a.webp", {"lossless": True})])
def test_a_wide_profile_is_followed_to_srgb(tmp_path, name, how):
    Image.fromarray(COLOURS).save(tmp_path / name, icc_profile=profile(), **how)
    pixels, facts = decode(tmp_path / name, 4)
    np.testing.assert_allclose(pixels, wide_to_srgb(COLOURS), atol=2)
    assert np.abs(pixels.astype(int) - COLOURS).max() > 15
    assert facts["note"] == "Wide of the tests converted to sRGB"
    np.testing.assert_array_equal(load_photo(tmp_path / name, 4), pixels)


def test_a_wide_jpeg_turned_by_exif_is_converted_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    flat = Image.new("RGB", (64, 32), (90, 160, 70))
    flat.save(tmp_path / "a.jpg", quality=98, icc_profile=profile(), exif=exif)
    pixels, facts = decode(tmp_path / "a.jpg", 8)
    np.testing.assert_allclose(pixels, np.broadcast_to(wide_to_srgb(np.array([90, 160, 70])), (8, 8, 3)), atol=4)
    assert (facts["width"], facts["height"]) == (32, 64)


def test_white_and_black_stay_and_transparency_is_laid_on_white(tmp_path):
    pixels = np.array([[(*RED, 0), (0, 0, 0, 255)], [(255, 255, 255, 255), (0, 0, 0, 0)]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=profile())
    np.testing.assert_allclose(decode(tmp_path / "a.png", 2)[0], [[WHITE, BLACK], [WHITE, WHITE]], atol=1)


def test_a_palette_and_grey_with_a_profile_of_colours_are_converted(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8))
    image.putpalette([90, 160, 70, 10, 20, 30])
    image.save(tmp_path / "p.png", icc_profile=profile())
    expected = wide_to_srgb(np.array([[(90, 160, 70), (10, 20, 30)]]))
    np.testing.assert_allclose(load_photo(tmp_path / "p.png", 2), expected, atol=2)
    Image.new("L", (4, 4), 100).save(tmp_path / "g.png", icc_profile=profile())
    np.testing.assert_allclose(decode(tmp_path / "g.png", 2)[0], wide_to_srgb(np.full((2, 2, 3), 100)), atol=2)


def test_grey_of_another_gamma_is_converted_and_one_of_sixteen_bits_too(tmp_path):
    linear = profile(b"GRAY", 1.0, b"Linear grey")
    Image.new("L", (4, 4), 55).save(tmp_path / "a.png", icc_profile=linear)
    Image.fromarray(np.array([[55 << 8, 65535]], np.uint16)).save(tmp_path / "b.png", icc_profile=linear)
    linear_55 = 255 * (1.055 * (55 / 255) ** (1 / 2.4) - 0.055)  # 127.7
    np.testing.assert_allclose(decode(tmp_path / "a.png", 2)[0], np.full((2, 2, 3), linear_55), atol=2)
    np.testing.assert_allclose(load_photo(tmp_path / "b.png", 2)[0, :, 0], [linear_55, 255], atol=2)
    assert decode(tmp_path / "b.png", 2)[1]["note"] == "Linear grey converted to sRGB"


def inks() -> bytes:
    """A printer's profile, version 2: paper is white, cyan alone a grey of L* 50, whatever has another ink black."""
    ramp = bytes(range(256))
    grid = b"".join(bytes([{0: 255, 8: 128}.get(corner, 0), 128, 128]) for corner in range(16))  # 8: cyan, the first
    unit = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table = b"mft1\0\0\0\0\x04\x03\x02\0" + unit + ramp * 4 + grid + ramp * 3
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * value) for value in (0.9642, 1, 0.8249)))
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"Inks\0" + bytes(78)
    tags, at, entries = {b"desc": name, b"wtpt": white, b"A2B0": table, b"A2B1": table}, 128 + 4 + 12 * 4, b""
    data = b""
    for tag, content in tags.items():
        entries += tag + struct.pack(">II", at + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    head = bytes(4) + b"lcms\x02\x40\0\0prtrCMYKLab " + bytes(12) + b"acsp" + bytes(28) + white[8:]
    body = head + bytes(128 - len(head)) + struct.pack(">I", 4) + entries + data
    return struct.pack(">I", len(body)) + body[4:]


@pytest.mark.parametrize("name", ["a.tif", "a.jpg"])
def test_inks_are_followed_by_their_profile(tmp_path, name):
    for ink, grey in (((0, 0, 0, 0), 255), ((255, 0, 0, 0), 119), ((0, 0, 0, 255), 0)):
        Image.new("CMYK", (16, 16), ink).save(tmp_path / name, quality=100, icc_profile=inks())
        pixels, facts = decode(tmp_path / name, 4)
        np.testing.assert_allclose(pixels, np.full((4, 4, 3), grey), atol=4)
        assert facts["note"] == "Inks converted to sRGB"


def test_inks_with_a_profile_that_is_not_of_inks_are_taken_as_without(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.tif")
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "b.tif", icc_profile=profile())
    pixels, facts = decode(tmp_path / "b.tif", 4)
    np.testing.assert_array_equal(pixels, decode(tmp_path / "a.tif", 4)[0])
    assert facts["note"] == "ICC profile of another kind of picture, ignored: Wide of the tests"


def test_srgb_under_any_name_changes_no_bit(tmp_path):
    plain = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    ours = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, how in (("a.png", {}), ("b.png", {"icc_profile": ours})):
        Image.fromarray(plain).save(tmp_path / name, **how)
    np.testing.assert_array_equal(decode(tmp_path / "b.png", 16)[0], plain)
    assert decode(tmp_path / "b.png", 16)[1]["note"] == ""


def test_a_damaged_profile_does_not_cost_the_picture(tmp_path):
    for damaged in (b"not a profile", profile()[:200], b""):
        Image.fromarray(TWO_BY_TWO).save(tmp_path / "a.png", icc_profile=damaged)
        pixels, facts = decode(tmp_path / "a.png", 2)
        np.testing.assert_array_equal(pixels, TWO_BY_TWO)
        assert facts["note"] == ("damaged or unknown ICC profile, ignored" if damaged else "")


@pytest.mark.parametrize("gamma", [0, 255])
def test_a_profile_by_which_nothing_could_be_seen_is_damaged(tmp_path, gamma):
    Image.fromarray(COLOURS).save(tmp_path / "a.png", icc_profile=profile(gamma=gamma))
    pixels, facts = decode(tmp_path / "a.png", 4)
    np.testing.assert_array_equal(pixels, COLOURS)
    assert facts["note"] == "damaged or unknown ICC profile, ignored"


@pytest.mark.parametrize(
    ("name", "said"), [(b"", "an ICC profile without a name"), (b"a; b\x1b[31m\nc", "a, b [31m c"), (b" x  y ", "x y")]
)
def test_a_strangers_name_of_a_profile_is_one_line_of_a_note(tmp_path, name, said):
    Image.fromarray(COLOURS).save(tmp_path / "a.png", icc_profile=profile(name=name))
    assert decode(tmp_path / "a.png", 4)[1]["note"] == f"{said} converted to sRGB"


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "webp"])
def test_a_profile_of_megabytes_does_not_cost_the_picture(tmp_path, kind):
    large = profile() + bytes(3 << 20)
    large = struct.pack(">I", len(large)) + large[4:]
    flat = Image.new("RGB", (16, 16), (90, 160, 70))
    flat.save(tmp_path / f"a.{kind}", icc_profile=large, quality=98, lossless=True)
    pixels, facts = decode(tmp_path / f"a.{kind}", 4)
    np.testing.assert_allclose(pixels, np.broadcast_to(wide_to_srgb(np.array([90, 160, 70])), (4, 4, 3)), atol=4)
    assert facts["note"] == "Wide of the tests converted to sRGB"


# How deep samples become 8 bits


@pytest.mark.parametrize("suffix", ["tif", "png"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_grey_of_fewer_bits_is_scaled_by_those(tmp_path, suffix, bits):
    white = (1 << bits) - 1
    Image.fromarray(np.array([[0, white], [white // 2 + 1, white]], np.uint16)).save(tmp_path / f"a.{suffix}")
    pixels, facts = decode(tmp_path / f"a.{suffix}", 2)
    np.testing.assert_array_equal(pixels[..., 0], [[0, 255], [128, 255]])
    assert facts["note"] == ("" if bits == 16 else f"{bits} bits in samples of 16")


def test_a_grey_map_counts_by_the_white_it_names(tmp_path):
    for white, file in (
        (4095, b"P5 2 1 4095\n" + struct.pack(">2H", 4095, 2048)),
        (65535, b"P5 2 1 65535\n\xff\xff\x80\0"),
    ):
        (tmp_path / f"{white}.pgm").write_bytes(file)
        np.testing.assert_array_equal(load_photo(tmp_path / f"{white}.pgm", 2)[0, :, 0], [255, 128])
    (tmp_path / "dull.pgm").write_bytes(b"P5 2 1 65535\n\x90\x00\x80\0")  # was stretched to 0 and 255
    np.testing.assert_array_equal(load_photo(tmp_path / "dull.pgm", 2)[0, :, 0], [0x90, 0x80])


def test_a_tiff_that_names_its_white_is_believed(tmp_path):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[281] = 65535
    dark = np.array([[0, 3000]], np.uint16)
    Image.fromarray(dark).save(tmp_path / "a.tif", tiffinfo=tags)
    np.testing.assert_array_equal(load_photo(tmp_path / "a.tif", 2)[0, :, 0], [0, 3000 >> 8])
    tags[281] = 4095
    Image.fromarray(dark).save(tmp_path / "b.tif", tiffinfo=tags)
    np.testing.assert_array_equal(load_photo(tmp_path / "b.tif", 2)[0, :, 0], [0, 3000 >> 4])


def colour_png(path: Path, samples: np.ndarray) -> Path:
    """(height, width, 3 or 4) uint16 as a PNG, which Pillow can not write."""
    height, width, channels = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    parts = [
        (b"IHDR", struct.pack(">2I5B", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    file = b"\x89PNG\r\n\x1a\n"
    for tag, data in parts:
        file += struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))
    path.write_bytes(file)
    return path


def colour_tiff(path: Path, samples: np.ndarray, order: str = "<", deflated: bool = False) -> Path:
    """(height, width, 3) uint16 as a TIFF of one strip."""
    height, width, _ = samples.shape
    strip = samples.astype(f"{order}u2").tobytes()
    strip = zlib.compress(strip) if deflated else strip
    tags = [
        (256, 3, width),
        (257, 3, height),
        (258, 3, None),
        (259, 3, 8 if deflated else 1),
        (262, 3, 2),
        (273, 4, None),
        (277, 3, 3),
    ]
    tags += [(278, 3, height), (279, 4, len(strip))]
    at = 8 + 2 + 12 * len(tags) + 4
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    for tag, kind, value in tags:
        count, value = (3, at) if tag == 258 else (1, at + 6 if tag == 273 else value)
        packed = struct.pack(f"{order}I", value) if kind == 4 or tag == 258 else struct.pack(f"{order}HH", value, 0)
        head += struct.pack(f"{order}HHI", tag, kind, count) + packed
    body = head + bytes(4) + struct.pack(f"{order}3H", 16, 16, 16) + strip
    path.write_bytes(body)
    return path


TWELVE = np.array([[(4095, 0, 0), (0, 2048, 0)], [(16, 32, 48), (4095, 4095, 4095)]], np.uint16)


@pytest.mark.parametrize("make", ["png", "alpha", "<", ">", "< deflated", "> deflated"])
def test_colours_of_twelve_bits_are_scaled_by_those(tmp_path, make):
    if make in ("png", "alpha"):
        opaque = np.full((2, 2, 1), 65535, np.uint16)
        path = colour_png(tmp_path / "a.png", TWELVE if make == "png" else np.dstack([TWELVE, opaque]))
    else:
        path = colour_tiff(tmp_path / "a.tif", TWELVE, make[0], make.endswith("deflated"))
    pixels, facts = decode(path, 2)
    np.testing.assert_array_equal(pixels, TWELVE >> 4)
    assert facts["note"] == "12 bits in samples of 16"


def test_colours_of_sixteen_bits_keep_their_upper_eight(tmp_path):
    sixteen = np.array([[(65535, 0, 0), (0, 32768, 0)], [(256, 512, 767), (65535, 65535, 65535)]], np.uint16)
    for path in (colour_png(tmp_path / "a.png", sixteen), colour_tiff(tmp_path / "a.tif", sixteen)):
        pixels, facts = decode(path, 2)
        np.testing.assert_array_equal(pixels, sixteen >> 8)
        assert facts["note"] == ""


def test_black_is_black_at_any_depth(tmp_path):
    Image.fromarray(np.zeros((2, 2), np.uint16)).save(tmp_path / "a.png")
    black = colour_png(tmp_path / "b.png", np.zeros((2, 2, 3), np.uint16))
    assert not decode(tmp_path / "a.png", 2)[0].any() and not decode(black, 2)[0].any()


def test_the_colour_rule_is_part_of_what_a_store_knows():
    from keras_art.pictures import decoded

    assert "colour" in decoded.COLUMNS[decoded.RULES] and "sRGB" in decoded.COLOUR and images.DECODER > 1

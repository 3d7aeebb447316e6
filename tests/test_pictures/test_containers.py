"""Formats by their first bytes, pages, limits."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin, features
from test_images import BLUE, GREEN, RED, picture, reason

from keras_art.pictures import containers
from keras_art.pictures.containers import allow
from keras_art.pictures.decoded import ImageStore
from keras_art.pictures.images import decode


@pytest.fixture(autouse=True)
def limit():
    before = Image.MAX_IMAGE_PIXELS
    yield
    Image.MAX_IMAGE_PIXELS = before


@pytest.mark.parametrize("format", ["PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000", "JPEG"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".heic", ""])
def test_a_file_is_what_it_holds_whatever_it_is_called(tmp_path, format, suffix):
    path = tmp_path / f"a{suffix}"
    Image.new("RGB", (8, 8), RED).save(path, format)
    pixels, facts = decode(path, 4)
    assert facts["format"] == format
    np.testing.assert_allclose(pixels, np.broadcast_to(RED, (4, 4, 3)), atol=2)


def page(size, colour, kind=None) -> Image.Image:
    image = Image.new("RGB", size, colour)
    if kind is not None:
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[254] = kind
        image.encoderinfo = {"tiffinfo": tags}
    return image


@pytest.mark.parametrize(
    ("pages", "taken"),
    [
        ([page((40, 30), RED, 1), page((400, 300), BLUE, 0)], BLUE),  # the file says so
        ([page((40, 30), RED), page((400, 300), BLUE)], BLUE),  # it does not
        ([page((400, 300), BLUE), page((40, 30), RED, 1)], BLUE),  # a pyramid
        ([page((40, 30), BLUE), page((300, 400), RED)], BLUE),  # of another shape
        ([page((40, 30), BLUE), page((60, 45), RED)], BLUE),  # hardly larger
        ([page((600, 450), BLUE), page((2400, 1800), RED)], BLUE),  # too large for a thumbnail
        ([page((40, 30), RED, 1), page((80, 60), GREEN, 1), page((160, 120), BLUE, 0)], BLUE),
        ([page((40, 30), RED), page((40, 30), GREEN, 4), page((161, 120), BLUE)], BLUE),  # with a mask between
    ],
)
def test_a_thumbnail_before_its_page_is_not_taken_for_it(tmp_path, pages, taken):
    path = tmp_path / "a.tif"
    with TiffImagePlugin.AppendingTiffWriter(path, True) as file:
        for one in pages:
            one.save(file, "TIFF", **getattr(one, "encoderinfo", {}))
            file.newFrame()
    pixels, facts = decode(path, 4)
    np.testing.assert_array_equal(pixels, np.broadcast_to(taken, (4, 4, 3)))
    number = next(i for i, one in enumerate(pages) if one.getpixel((0, 0)) == taken)
    assert (facts["width"], facts["height"]) == pages[number].size
    assert facts["note"] == (f"page {number + 1} of a TIFF, whose first is a thumbnail" if number else "")


def test_a_thumbnail_without_its_page_is_said_to_be_one(tmp_path):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1
    Image.new("RGB", (40, 30), RED).save(tmp_path / "a.tif", tiffinfo=tags)
    assert "says it is a smaller version" in decode(tmp_path / "a.tif", 4)[1]["note"]


def test_a_damaged_page_behind_a_small_one_does_not_cost_it(tmp_path):
    path = tmp_path / "a.tif"
    page((40, 30), RED).save(path)
    content = bytearray(path.read_bytes())
    follows = 8 + 2 + 12 * int.from_bytes(content[8:10], "little")  # where the next page begins
    assert content[follows : follows + 4] == bytes(4)
    for next_page in (10**6, 9, 8):  # behind the end, amid a page, itself
        content[follows : follows + 4] = next_page.to_bytes(4, "little")
        path.write_bytes(content)
        np.testing.assert_array_equal(decode(path, 4)[0], np.broadcast_to(RED, (4, 4, 3)))


# Limits


def test_the_limit_is_of_what_is_decoded_and_is_asked_before(tmp_path, monkeypatch):
    path = picture(tmp_path / "a.png", (20, 30))
    allow(599)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    assert reason(path) == "too large: 20 x 30 is above the limit of 599 pixels (--max_pixels raises it)"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_raised_limit_reads_what_was_refused(tmp_path, workers):
    path = picture(tmp_path / "a.png", (20, 30))
    store = ImageStore(tmp_path / "store", 8)
    for most, row in ((599, -1), (299, -1), (600, 0)):  # by itself Pillow refuses more than twice its limit otherwise
        allow(most)
        assert store.scan([path], workers=workers)["row"].item() == row


def test_a_jpeg_counts_by_the_size_that_it_is_decoded_at(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (800, 800), RED).save(path)
    allow(10_000 + 1)
    pixels, facts = decode(path, 8)  # at 1/8; sixty times the limit
    assert (facts["width"], facts["height"]) == (800, 800)
    np.testing.assert_allclose(pixels, np.broadcast_to(RED, (8, 8, 3)), atol=2)
    assert "too large: 800 x 800 is" in reason_of(path, 400)
    allow(9_999)
    assert "too large: 800 x 800, read as 100 x 100, is above the limit of 9,999 pixels" in reason_of(path, 8)


def reason_of(path, size: int) -> str:
    from keras_art.pictures.images import Unreadable

    with pytest.raises(Unreadable) as caught:
        decode(path, size)
    assert "sha256" not in caught.value.facts  # not remembered: the next scan may be allowed more
    return str(caught.value)


# Plug-ins


def boxed(brand: bytes, *others: bytes) -> bytes:
    brands = brand + bytes(4) + b"".join(others)
    return (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + bytes(64)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (boxed(b"heic", b"mif1"), "HEIF"),
        (boxed(b"mif1", b"heic"), "HEIF"),
        (boxed(b"mif1", b"avif"), "AVIF"),
        (boxed(b"avif"), "AVIF"),
        (b"\xff\x0a" + bytes(30), "JXL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(30), "JXL"),
    ],
)
def test_what_can_not_be_read_here_is_said_with_the_remedy(tmp_path, monkeypatch, content, name):
    (tmp_path / "a.jpg").write_bytes(content)
    monkeypatch.setattr(containers, "LATER", {name: ("no_such_module", containers.LATER[name][1])})
    monkeypatch.setattr(features, "check", lambda feature: False)
    said = reason_of(tmp_path / "a.jpg", 8)
    assert said.startswith(f"{name}, which can not be read here: ")
    assert ("built with AVIF" if name == "AVIF" else "keras_art[formats]") in said


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_avif_is_read(tmp_path):
    Image.new("RGB", (16, 16), BLUE).save(tmp_path / "a.avif", quality=95)
    pixels, facts = decode(tmp_path / "a.avif", 4)
    assert facts["format"] == "AVIF"
    np.testing.assert_allclose(pixels, np.broadcast_to(BLUE, (4, 4, 3)), atol=8)
    (tmp_path / "b.avif").write_bytes((tmp_path / "a.avif").read_bytes()[:-40])
    assert reason(tmp_path / "b.avif")


@pytest.mark.parametrize(
    ("module", "name", "format"), [("pillow_heif", "a.heic", "HEIF"), ("pillow_jxl", "a.jxl", "JXL")]
)
def test_heic_and_jpeg_xl_are_read_where_their_plug_in_is(tmp_path, module, name, format):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    plugin = importlib.import_module(module)
    if format == "HEIF":
        plugin.register_heif_opener()
    Image.new("RGB", (64, 32), BLUE).save(tmp_path / name, quality=95)
    pixels, facts = decode(tmp_path / name, 4)
    assert (facts["format"], facts["width"], facts["height"]) == (format, 64, 32)
    np.testing.assert_allclose(pixels, np.broadcast_to(BLUE, (4, 4, 3)), atol=10)

"""Which picture of a file is meant, and whether this installation can open it: formats, plug-ins, limits, pages."""

from __future__ import annotations

import importlib
import io
import sys
from contextlib import suppress
from typing import Any

import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin, features

from keras_art.pictures.srgb import DEPTHS, upper_bits

# Only these are tried: Pillow would hand an EPS file to Ghostscript, which runs programs.
FORMATS = ("JPEG", "PNG", "TIFF", "GIF", "WEBP", "BMP", "PPM", "JPEG2000")
# These are tried where the first bytes say so. An AVIF is a HEIF by its first brand, often.
LATER = {
    "AVIF": ("PIL.AvifImagePlugin", "a Pillow that was built with AVIF"),
    "HEIF": ("pillow_heif", "pip install 'keras_art[formats]'"),
    "JXL": ("pillow_jxl", "pip install 'keras_art[formats]'"),
}
BRANDS = {
    "AVIF": (b"avif", b"avis"),
    "HEIF": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
}
EXTENSIONS = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".jp2", ".j2k", ".jpx"), "JPEG2000"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm"), "PPM"),
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIF"),
    **{".png": "PNG", ".gif": "GIF", ".webp": "WEBP", ".bmp": "BMP", ".avif": "AVIF", ".jxl": "JXL"},
}
# Profiles of scanners have megabytes, and so have notes of image editors; Pillow would give up the picture for them.
PngImagePlugin.MAX_TEXT_CHUNK = 16 << 20  # bytes, inflated
NEW_SUBFILE_TYPE, BITS_PER_SAMPLE, MAX_SAMPLE_VALUE = 254, 258, 281  # TIFF tags
REDUCED = 0b101  # bits of the first: a smaller version of another page, or a mask
THUMBNAIL = 512  # pixels of the longer side; a first page up to so large, of which a later one ...
ENLARGED = 3  # ... is the same so many times as large, is taken for its thumbnail


class NotHere(Exception):
    """A picture that another installation, or this one if told so, could read; its text is the reason, for people.

    `format` is Pillow's name for what it is, "" where that is not known.
    """

    def __init__(self, reason: str, format: str = "") -> None:
        super().__init__(reason)
        self.format = format


def allow(pixels: int) -> None:
    """Lets pictures of up to so many pixels be decoded, in this process and in its workers; 0 sets no limit."""
    Image.MAX_IMAGE_PIXELS = pixels or None


def opened(content: bytes) -> Any:
    """A `PIL.ImageFile.ImageFile`, not yet decoded.

    Raises:
        NotHere: its format needs what is not installed, or it is too large for Pillow to open.
        UnidentifiedImageError: it is none.
    """
    name = _later(content)
    if name:
        module, remedy = LATER[name]
        if name == "AVIF" and not features.check("avif"):
            raise NotHere(f"{name}, which can not be read here: it needs {remedy}", name)
        try:
            plugin = importlib.import_module(module)
        except ImportError as error:
            raise NotHere(f"{name}, which can not be read here: {remedy}", name) from error
        if name == "HEIF":
            plugin.register_heif_opener()
    try:
        return Image.open(io.BytesIO(content), formats=(name,) if name else FORMATS)
    except Image.DecompressionBombError:
        if not content.startswith(b"\xff\xd8"):
            raise NotHere(f"too large: its header claims more than twice the limit of {_limit()}") from None
        return JpegImagePlugin.JpegImageFile(io.BytesIO(content))  # which can be decoded at an eighth of its size


def _later(content: bytes) -> str:
    if content.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return "JXL"
    if content[4:8] != b"ftyp":
        return ""
    end = min(int.from_bytes(content[:4]), 256)
    brands = {content[start : start + 4] for start in range(8, end, 4)}
    return next((name for name, known in BRANDS.items() if brands.intersection(known)), "")


def check_size(image: Image.Image, whole: tuple[int, int]) -> None:
    """Refuses a picture that is to be decoded to more pixels than are allowed.

    Args:
        whole: its width and height, of which a JPEG may be decoded to a fraction.

    Raises:
        NotHere: it is.
    """
    if Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
        read = f", read as {image.width} x {image.height}," if image.size != whole else ""
        reason = f"too large: {whole[0]} x {whole[1]}{read} is above the limit of {_limit()}"
        raise NotHere(reason, image.format or "")


def _limit() -> str:
    return f"{Image.MAX_IMAGE_PIXELS:,} pixels (--max_pixels raises it)"


def turn_to_page(image: ImageFile.ImageFile, notes: list[str]) -> None:
    """Leaves the first page of a TIFF for the one that it is a thumbnail of."""
    (width, height), reduced = image.size, _is_reduced(image)
    if not reduced and max(width, height) > THUMBNAIL:
        return
    with suppress(Exception):  # a damaged page behind a sound one raises nearly anything
        for number in range(1, 64):
            image.seek(number)
            scale = image.width / width
            alike = scale >= ENLARGED and abs(image.height / height - scale) <= 0.03 * scale
            if not _is_reduced(image) and (reduced or alike):
                notes.append(f"page {number + 1} of a TIFF, whose first is a thumbnail")
                return
    image.seek(0)
    if reduced:
        notes.append("a TIFF that says it is a smaller version of another, which it lacks")


def _is_reduced(image: ImageFile.ImageFile) -> bool:
    return bool(getattr(image, "tag_v2", {}).get(NEW_SUBFILE_TYPE, 0) & REDUCED)


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether a picture that is not yet decoded has samples of 16 bits."""
    return image.format == "PPM" if image.mode == "I" else bool(image.tile) and ";16" in _raw_mode(image.tile[0].args)


def shallow(image: ImageFile.ImageFile, page: int, content: bytes, notes: list[str]) -> Image.Image:
    """A decoded picture of 16-bit samples with those of 8 bits, as `upper_bits` takes them.

    Args:
        page: its number in the file.
        content: the file. Pillow gives the upper bytes of colours alone; where these are nearly nothing, the lower ones
            are decoded too, by telling it that the file's bytes stand the other way round.
    """
    declared = _declared(image)
    if image.mode.startswith("I"):
        return Image.fromarray(upper_bits(np.asarray(image).astype(np.uint16), declared, notes))
    high = np.asarray(image)
    if image.mode not in ("RGB", "RGBA") or high[..., :3].max() >> (DEPTHS[-2] - 8):
        return image
    with opened(content) as again:
        again.seek(page)
        again.tile = [tile._replace(args=_swapped(tile.args)) for tile in again.tile]
        low = np.asarray(again)
    samples = upper_bits(high[..., :3].astype(np.uint16) << 8 | low[..., :3], declared, notes)
    return Image.fromarray(np.dstack([samples, high[..., 3:]]))


def _declared(image: ImageFile.ImageFile) -> int:
    """How many bits of a sample a TIFF says are in use; 0 for other files, and where it says nothing."""
    tags = getattr(image, "tag_v2", {})
    most, bits = (np.max(tags.get(tag, 0)) for tag in (MAX_SAMPLE_VALUE, BITS_PER_SAMPLE))
    return int(most).bit_length() if most else int(bits) % 16


def _raw_mode(args: Any) -> str:
    """How samples lie in a file, by the arguments of its decoder."""
    mode = args[0] if isinstance(args, tuple) and args else args
    return mode if isinstance(mode, str) else ""


def _swapped(args: Any) -> Any:
    """The arguments of a decoder that takes samples the other way round."""
    mode = _raw_mode(args)
    order = mode[-1].replace("N", "L" if sys.byteorder == "little" else "B")
    mode = mode[:-1] + {"L": "B", "B": "L"}[order]
    return mode if isinstance(args, str) else (mode, *args[1:])

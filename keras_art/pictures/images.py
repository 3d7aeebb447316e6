"""The one place a picture is decoded: verify, orient, convert, resize, hash.

How a file becomes RGB:

- the EXIF orientation is applied; of several pages or frames the first is taken; ICC profiles are ignored;
- transparency (alpha, palette, key colour) is laid on white; palette, grey, 1-bit, CMYK and L*a*b* become RGB, and a
  CMYK JPEG is taken to hold its inks inverted, as Adobe writes them;
- 16-bit samples keep their upper 8 bits, so 65,535 is 255;
- 32-bit integers and floats name no white, so a picture's own minimum becomes 0 and its maximum 255;
  a value that is not finite becomes 0.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

# The rules by which pixels are made; stored pixels that were made by others are made again.
DECODER = 1
COLOUR = "as stored"  # ICC profiles are ignored
# Only these are tried: Pillow would hand an EPS file to Ghostscript, which runs programs.
FORMATS = ("JPEG", "PNG", "TIFF", "GIF", "WEBP", "BMP", "PPM", "JPEG2000")
EXTENSIONS = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".jp2", ".j2k", ".jpx"), "JPEG2000"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm"), "PPM"),
    **{".png": "PNG", ".gif": "GIF", ".webp": "WEBP", ".bmp": "BMP"},
}
UPRIGHT = {  # EXIF orientation tag -> what turns the stored picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# A big JPEG is decoded at the smallest of 1, 1/2, 1/4, 1/8 of its size that is still GAP times what is asked for.
# 2 is Pillow's own choice for thumbnails: "very close to fair resampling".
GAP = 2.0


class Unreadable(Exception):
    """A file which is not a picture that can be used; its text is the reason, for people.

    `facts` holds what was known by then; without `sha256` the file's bytes could not be read at all.
    """

    def __init__(self, reason: str, facts: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.facts = facts or {}


def _squash(image: Image.Image, image_size: int) -> Image.Image:
    if image.size == (image_size, image_size):  # nothing to do, and small files feel every copy
        return image
    return image.resize((image_size, image_size), Image.Resampling.BILINEAR, reducing_gap=GAP)


def _squash_nearest(image: Image.Image, image_size: int) -> Image.Image:
    return image.resize((image_size, image_size), Image.Resampling.NEAREST)


def _crop(image: Image.Image, image_size: int) -> Image.Image:
    left, top = (image.width - image.height) / 2, (image.height - image.width) / 2
    square = (max(0, left), max(0, top), image.width - max(0, left), image.height - max(0, top))
    return image.resize((image_size, image_size), Image.Resampling.BILINEAR, square, reducing_gap=GAP)


def _pad(image: Image.Image, image_size: int) -> Image.Image:
    inner = _contain(image, image_size)
    padded = Image.new("RGB", (image_size, image_size))
    padded.paste(inner, ((image_size - inner.width) // 2, (image_size - inner.height) // 2))
    return padded


def _contain(image: Image.Image, longest_side: int) -> Image.Image:
    scale = longest_side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=GAP)


RESIZE = {
    "squash": _squash,  # both sides to image_size, aspect ratio not kept, bilinear with antialiasing
    "squash_nearest": _squash_nearest,  # the same by nearest neighbour: load_img of the Keras of 2018
    "crop": _crop,  # shorter side to image_size, then the centre
    "pad": _pad,  # longer side to image_size, centred on black
}


def decode(path: str | Path, image_size: int, resize: str = "squash") -> tuple[np.ndarray, dict[str, Any]]:
    """Decodes one picture.

    Args:
        path: an image file.
        image_size: side of the square that comes back, in pixels.
        resize: a name in `RESIZE`.

    Returns:
        The pixels, (image_size, image_size, 3) uint8 RGB, and the facts of the file: `sha256` of its bytes, `width`
        and `height` once upright, Pillow's `mode` and `format`, and the EXIF `orientation` (1 to 8).

    Raises:
        Unreadable: it is not a picture that can be used.
    """
    whole = resize == "squash_nearest"  # nearest picks its pixels from the full picture
    return _decode(path, None if whole else image_size, lambda image: RESIZE[resize](image, image_size))


def load_photo(path: str | Path, longest_side: int) -> np.ndarray:
    """Decodes one picture at its own aspect ratio, for a figure.

    Returns:
        (height, width, 3) uint8 RGB, the longer of height and width being `longest_side`.

    Raises:
        Unreadable: it is not a picture that can be used.
    """
    return _decode(path, longest_side, lambda image: _contain(image, longest_side))[0]


def enlarged(pixels: np.ndarray, longest_side: int) -> np.ndarray:
    """A picture that was decoded before, (height, width, 3) uint8, as `load_photo` would have it."""
    return np.asarray(_contain(Image.fromarray(pixels), longest_side))


def _decode(
    path: str | Path, at_least: int | None, resize: Callable[[Image.Image], Image.Image]
) -> tuple[np.ndarray, dict[str, Any]]:
    facts: dict[str, Any] = {}
    try:
        if reason := no_file(os.stat(path)):  # reading a pipe would wait for whoever writes into it, a device for ever
            raise Unreadable(reason)
        with open(path, "rb") as file:
            content = file.read()
        facts["sha256"] = hashlib.sha256(content).hexdigest()
        if not content:
            raise Unreadable("empty file (0 bytes)")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                facts["width"], facts["height"] = image.size
                facts |= {"mode": image.mode, "format": image.format}
                _check(image, os.path.splitext(path)[1].lower())
                if at_least and image.format in ("JPEG", "MPO"):
                    image.draft(None, (int(GAP * at_least), int(GAP * at_least)))
                # Loading turns a TIFF upright and drops its tag; a PNG's tag may lie behind its pixels.
                turned = _orientation(image) if image.format == "TIFF" else 1
                image.load()
                orientation = _orientation(image)
                if orientation >= 5:
                    facts["width"], facts["height"] = facts["height"], facts["width"]
                facts["orientation"] = max(turned, orientation)
                upright = image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image
                return np.asarray(resize(_to_rgb(upright))), facts
    except Unreadable as error:
        raise Unreadable(str(error), facts) from None
    except MemoryError:  # a fact of the machine, not of the file: without facts, so that the next scan tries again
        raise Unreadable("not enough memory to decode it") from None
    except Exception as error:  # Pillow's readers raise nearly every type there is on damaged files
        raise Unreadable(in_words(error), facts) from error


def _check(image: Image.Image, extension: str) -> None:
    content = "JPEG" if image.format == "MPO" else image.format  # MPO: a JPEG followed by further ones
    if EXTENSIONS.get(extension, content) != content:
        raise Unreadable(f"extension says {EXTENSIONS[extension]}, content is {content}")
    if min(image.size) < 1:
        raise Unreadable(f"no pixels: {image.width} x {image.height}")
    if Image.MAX_IMAGE_PIXELS and image.width * image.height > Image.MAX_IMAGE_PIXELS:
        raise Unreadable(
            f"too large: {image.width} x {image.height} is above the limit of {Image.MAX_IMAGE_PIXELS:,} pixels"
        )


def _orientation(image: Image.Image) -> int:
    try:
        tag = int(image.getexif().get(0x0112, 1))
    except Exception:  # damaged EXIF beside a sound picture
        return 1
    return tag if tag in UPRIGHT else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        values = np.asarray(image).astype(np.float64)  # max - min overflows float32
        finite = np.isfinite(values)
        if not finite.any():
            raise Unreadable("no pixel holds a finite number")
        low, high = values[finite].min(), values[finite].max()
        scaled = 255 * ((np.where(finite, values, low) - low) / max(high - low, np.finfo(np.float64).tiny))
        return Image.fromarray(scaled.round().astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def no_file(what: os.stat_result | Exception) -> str:
    """Why what the system says of a path is no file that can be read, "" where it is one."""
    if isinstance(what, Exception):
        return in_words(what)
    if stat.S_ISREG(what.st_mode):
        return ""
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return f"{kinds.get(stat.S_IFMT(what.st_mode), 'a device')}, not a file"


def in_words(error: Exception) -> str:
    """Why a file cannot be used, for people."""
    if isinstance(error, FileNotFoundError):
        return "missing file"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, UnidentifiedImageError):
        return f"not an image ({', '.join(FORMATS)}), or damaged in its first bytes"
    if isinstance(error, Image.DecompressionBombError):
        return f"too large: its header claims more than twice the limit of {Image.MAX_IMAGE_PIXELS:,} pixels"
    if "truncated" in str(error).lower():
        return f"truncated, the file ends before the picture does ({error})"
    return f"damaged ({type(error).__name__}: {error})"

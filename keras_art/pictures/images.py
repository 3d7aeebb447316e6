"""The one place a picture is decoded: verify, orient, convert, resize, hash.

The EXIF orientation is applied; of several pages or frames the first is taken, but no thumbnail before its page
(`containers`); whatever is in the file becomes 8 bits of sRGB (`srgb`). What a file is, its first bytes say, not its
name.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from keras_art import stopping
from keras_art.errors import UserError
from keras_art.pictures import places
from keras_art.pictures.borders import unframed
from keras_art.pictures.containers import FORMATS, LATER, NotHere, check_size, is_deep, opened, shallow, turn_to_page
from keras_art.pictures.srgb import NoPixels, to_srgb
from keras_art.store import plain

# The rules by which pixels are made; stored pixels that were made by others are made again.
DECODER = 2
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
LARGEST_SIDE = 4096  # pixels of a side of the squares that networks take
FOR_BORDERS = 256  # pixels of the longer side, on which borders are looked for


class Unreadable(Exception):
    """A file which is not a picture that can be used; its text is the reason, for people.

    `facts` holds what was known by then; without `sha256` it may be read another time: its bytes could not be had, or
    it needs what can be installed or allowed.
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


def _trim(image: Image.Image, image_size: int) -> Image.Image:
    small = _contain(image, min(FOR_BORDERS, max(image.size)))
    left, top, right, bottom = unframed(np.asarray(small))
    # One line more where there is a border: the seam is of both.
    box = [left + (left > 0), top + (top > 0), right - (right < small.width), bottom - (bottom < small.height)]
    across, down = image.width / small.width, image.height / small.height
    box = [round(side * (down if i % 2 else across)) for i, side in enumerate(box)]
    return _crop(image.crop((box[0], box[1], max(box[2], box[0] + 1), max(box[3], box[1] + 1))), image_size)


def _contain(image: Image.Image, longest_side: int) -> Image.Image:
    scale = longest_side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=GAP)


RESIZE = {
    "squash": _squash,  # both sides to image_size, aspect ratio not kept, bilinear with antialiasing
    "squash_nearest": _squash_nearest,  # the same by nearest neighbour: load_img of the Keras of 2018
    "crop": _crop,  # shorter side to image_size, then the centre
    "pad": _pad,  # longer side to image_size, centred on black
    "trim": _trim,  # added borders of one colour cut off, then as crop
}


def decode(
    path: str | Path | bytes | OSError, image_size: int, resize: str = "squash"
) -> tuple[np.ndarray, dict[str, Any]]:
    """Decodes one picture.

    Args:
        path: where it lies, as `places` has it; or its bytes, or why they can not be had.
        image_size: side of the square that comes back, in pixels.
        resize: a name in `RESIZE`.

    Returns:
        The pixels, (image_size, image_size, 3) uint8 RGB, and the facts of the file: `sha256` of its bytes, `width`
        and `height` once upright, Pillow's `mode` and `format`, the EXIF `orientation` (1 to 8), and `note`, what a
        person should know of how it was read.

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


def _content(path: str | Path | bytes | OSError) -> bytes:
    if isinstance(path, OSError):
        raise path
    if isinstance(path, bytes):
        return path
    if not places.is_file(path):
        return places.read(path)
    return plain.read(path)


def _decode(
    path: str | Path | bytes | OSError, at_least: int | None, resize: Callable[[Image.Image], Image.Image]
) -> tuple[np.ndarray, dict[str, Any]]:
    facts: dict[str, Any] = {}
    try:
        content = _content(path)
        facts["sha256"] = hashlib.sha256(content).hexdigest()
        if not content:
            raise Unreadable("empty file (0 bytes)")
        notes: list[str] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with opened(content) as image:
                if image.format == "TIFF":
                    turn_to_page(image, notes)
                if min(image.size) < 1:
                    raise Unreadable(f"no pixels: {image.width} x {image.height}")
                facts["width"], facts["height"] = image.size
                facts |= {"mode": image.mode, "format": image.format}
                if at_least and image.format in ("JPEG", "MPO"):
                    image.draft(None, (int(GAP * at_least), int(GAP * at_least)))
                check_size(image, (facts["width"], facts["height"]))
                deep, page, profile = is_deep(image), image.tell(), image.info.get("icc_profile")
                # Loading turns a TIFF upright and drops its tag; a PNG's tag may lie behind its pixels.
                turned = _orientation(image) if image.format == "TIFF" else 1
                image.load()
                orientation = _orientation(image)
                if orientation >= 5:
                    facts["width"], facts["height"] = facts["height"], facts["width"]
                facts["orientation"] = max(turned, orientation)
                eight = shallow(image, page, content, notes) if deep else image
                upright = eight.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else eight
                pixels = np.asarray(resize(to_srgb(upright, profile, notes)))
                return pixels, facts | {"note": "; ".join(notes)}
    except NotHere as error:
        raise Unreadable(str(error), {"format": error.format}) from None
    except (Unreadable, NoPixels) as error:
        raise Unreadable(str(error), facts) from None
    except UserError:  # a server does not answer
        raise
    except MemoryError:  # a fact of the machine, not of the file
        raise Unreadable("not enough memory to decode it", {"format": facts.get("format", "")}) from None
    except Exception as error:  # Pillow's readers raise nearly every type there is on damaged files
        stopping.heed()
        raise Unreadable(in_words(error), facts) from error


def _orientation(image: Image.Image) -> int:
    try:
        tag = int(image.getexif().get(0x0112, 1))
    except Exception:  # damaged EXIF beside a sound picture
        return 1
    return tag if tag in UPRIGHT else 1


def no_file(what: os.stat_result | Exception) -> str:
    """Why what the system says of a path is no file that can be read, "" where it is one."""
    return in_words(what) if isinstance(what, Exception) else plain.no_file(what)


def in_words(error: Exception) -> str:
    """Why a file cannot be used, for people."""
    if isinstance(error, plain.NoFile):
        return str(error.strerror)
    if isinstance(error, FileNotFoundError):
        return "missing file"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, UnidentifiedImageError):
        return f"not an image ({', '.join([*FORMATS, *LATER])}), or damaged in its first bytes"
    if "truncated" in str(error).lower():
        return f"truncated, the file ends before the picture does ({error})"
    return f"damaged ({type(error).__name__}: {' '.join(str(error).split())})"


def is_whole_jpeg(path: Path) -> bool:
    """Whether a JPEG begins and ends as one: after a power cut a name may stand for nothing, or for zeros."""
    try:
        content = plain.read(path)
    except OSError:
        return False
    return content.startswith(b"\xff\xd8") and content.endswith(b"\xff\xd9")

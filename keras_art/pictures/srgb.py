"""How the samples of a file become 8 bits of sRGB.

- 16-bit samples keep the upper 8 of the bits that are in use: 65,535 is 255, and so is 4,095 in a picture of 12 bits,
  which is one whose file says so, or, where it is silent, whose values all fit into 12 (8, 10, 12 and 14 are tried);
- 32-bit integers and floats name no white, so a picture's own minimum becomes 0 and its maximum 255;
  a value that is not finite becomes 0;
- transparency (alpha, palette, key colour) is laid on white; palette, grey, 1-bit, CMYK and L*a*b* become RGB, and a
  CMYK JPEG is taken to hold its inks inverted, as Adobe writes them;
- where an ICC profile moves a colour, it is followed to sRGB; a damaged one, or one of another kind of picture, is not.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

COLOUR = "sRGB, relative colorimetric with black point compensation"  # the name of the last rule in stores
DEPTHS = (8, 10, 12, 14, 16)
SAME = 2  # of 255: a profile by which no colour moves further is sRGB under another name
FITS = {  # what a profile is of, as ICC has it -> Pillow's name, and the modes of pictures that it can belong to
    "RGB ": ("RGB", ("RGB", "RGBA", "P", "PA", "1", "L", "LA")),
    "GRAY": ("L", ("1", "L", "LA")),
    "CMYK": ("CMYK", ("CMYK",)),
}


class NoPixels(ValueError):
    """There is nothing to see; the message says why."""


def upper_bits(samples: np.ndarray, declared: int, notes: list[str]) -> np.ndarray:
    """The upper 8 of the bits in use.

    Args:
        samples: uint16 of any shape.
        declared: how many bits are in use, as the file says, 0 where it does not.
        notes: told where it is not 16.
    """
    used = int(samples.max()).bit_length()
    bits = max(declared, used) if declared else next(depth for depth in DEPTHS if used <= depth)
    if bits < 16:
        notes.append(f"{bits} bits in samples of 16")
    return (samples >> max(bits - 8, 0)).astype(np.uint8)


def to_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """A loaded picture as 8-bit sRGB.

    Args:
        profile: the ICC profile that came with it.
        notes: told what a person should know of it.

    Raises:
        NoPixels: no value is a finite number.
    """
    mode, modes, transform, name = _transform(profile) if profile else ("", (), None, "")
    if transform and image.mode in modes:
        notes.append(f"{name} converted to sRGB")
        return transform.apply(image if mode == "CMYK" else _to_rgb(image).convert(mode))
    if profile and not modes:
        notes.append("damaged or unknown ICC profile, ignored")
    elif profile and image.mode not in modes:
        notes.append(f"ICC profile of another kind of picture, ignored: {name}")
    return _to_rgb(image)


@lru_cache(maxsize=64)
def _transform(profile: bytes) -> tuple[str, tuple[str, ...], Any, str]:
    """What mode a profile takes, of pictures of which modes, how they become sRGB (None: they are), and its name."""
    from PIL import ImageCms

    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode, modes = FITS[opened.profile.xcolor_space]
        intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
        transform = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB", intent, flags)
        said = ImageCms.getProfileDescription(opened)
        # A stranger's text: notes are parted by semicolons and printed on terminals.
        name = " ".join("".join(sign if sign.isprintable() else " " for sign in said.replace(";", ",")).split())[:60]
        name = name or "an ICC profile without a name"
    except (ImageCms.PyCMSError, OSError, KeyError):
        return "", (), None, ""
    if mode != "CMYK":
        steps = np.linspace(0, 255, 18).round().astype(np.uint8)
        probe = Image.fromarray(np.stack(np.meshgrid(steps, steps, steps), -1).reshape(18, -1, 3)).convert(mode)
        found = np.asarray(transform.apply(probe))
        if len(np.unique(found)) < len(steps) // 2:  # nothing could be seen: a curve that is flat
            return "", (), None, ""
        moved = found.astype(int) - np.asarray(probe.convert("RGB"))
        if np.abs(moved).max() <= SAME:
            return mode, modes, None, name
    return mode, modes, transform, name


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode in ("I", "F"):
        values = np.asarray(image).astype(np.float64)  # max - min overflows float32
        finite = np.isfinite(values)
        if not finite.any():
            raise NoPixels("no pixel holds a finite number")
        low, high = values[finite].min(), values[finite].max()
        scaled = 255 * ((np.where(finite, values, low) - low) / max(high - low, np.finfo(np.float64).tiny))
        return Image.fromarray(scaled.round().astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")

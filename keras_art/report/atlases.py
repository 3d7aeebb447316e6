"""Many small pictures on a few large ones, which a page carries inside itself and a browser decodes at once."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Decoded, an atlas takes four bytes a pixel of the browser's memory, whatever it takes in the file.
MOST_PIXELS = 48_000_000
SIDES = (240, 200, 160, 128, 112, 96, 80, 72, 64, 56, 48, 40, 32, 24, 20, 16)
PAGE = 2048  # pixels a side, which every browser's canvas and every graphics card can take
QUALITY = 78


@dataclass(frozen=True)
class Atlases:
    """Pictures within large ones.

    Attributes:
        side: of the square that each picture has, in whose upper left corner it stands, in pixels.
        across: squares in a row and in a column of a page; the last page may have fewer rows.
        pages: WebP files.
        slots: each picture's place, counted along the rows of all pages, (n,).
        boxes: each picture's width and height in pixels, (n, 2) uint8.
    """

    side: int
    across: int
    pages: list[bytes]
    slots: np.ndarray
    boxes: np.ndarray
    type: str = "image/webp"


def side_for(count: int) -> int:
    """The side of a picture's square, in pixels, at which so many pictures are not too many for a browser."""
    return next((side for side in SIDES if count * side * side <= MOST_PIXELS), SIDES[-1])


def drawn(
    count: int,
    picture: Callable[[int], np.ndarray],
    side: int,
    order: np.ndarray,
    progress: Callable[[int, int], None] = lambda done, all: None,
) -> Atlases:
    """Puts pictures on pages.

    Args:
        picture: number -> (height, width, 3) uint8, neither longer than `side`.
        side: at most 255 pixels.
        order: (count,) the pictures' numbers, those that are to be decoded first in front.
    """
    from PIL import Image

    across = PAGE // side
    pages, boxes, slots = [], np.zeros((count, 2), np.uint8), np.zeros(count, np.int32)
    for first in range(0, count, across * across):
        part = order[first : first + across * across]
        page = np.full((-(-len(part) // across) * side, across * side, 3), 247, np.uint8)
        for place, i in enumerate(part):
            pixels = picture(int(i))
            top, left = place // across * side, place % across * side
            page[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
            boxes[i], slots[i] = pixels.shape[1::-1], first + place
        content = io.BytesIO()
        Image.fromarray(page).save(content, "WEBP", quality=QUALITY, method=2)
        pages.append(content.getvalue())
        progress(first + len(part), count)
    return Atlases(side, across, pages, slots, boxes)


def unpadded(square: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture without what `pad` of `pictures.images` puts round it.

    Args:
        square: (side, side, 3), the picture in its middle.
        width: of the picture's file, as `height`, in pixels.
    """
    side = len(square)
    scale = side / max(width, height)
    wide, tall = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (side - wide) // 2, (side - tall) // 2
    return square[top : top + tall, left : left + wide]

"""Text in figures: its font, its width, and how a name is made to fit; and the widths of the figures themselves.

Text is set in DejaVu Sans and, for Chinese and Japanese, in the first of `CJK_FONTS` installed; a character that no
font has prints as a box.
"""

from __future__ import annotations

import bisect
import functools
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties

COLUMN, PAGE = 4.5, 6.5  # inches: the widths of a figure for one column and of one across the page
CJK_FONTS = ("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "Hiragino Sans", "Yu Gothic", "MS Gothic")


@functools.cache
def font(size: float) -> FontProperties:
    """DejaVu Sans and, where one is installed, a font of `CJK_FONTS`; `size` is in points."""
    from matplotlib.font_manager import FontProperties, fontManager

    installed = {each.name for each in fontManager.ttflist}
    cjk = [name for name in CJK_FONTS if name in installed]
    return FontProperties(family=["DejaVu Sans", *cjk[:1]], size=size)


@functools.lru_cache(1 << 14)
def width_of(text: str, size: float) -> float:
    """The width of a text in inches, from where its first letter begins to where a next one would."""
    from matplotlib.textpath import text_to_path

    # As FreeType has it, to which outlines need not be drawn.
    literal = text.replace(r"\$", "$")
    return text_to_path.get_text_width_height_descent(literal, font(size), False)[0] / 72 if text else 0.0


def label(text: str, size: float, inches: float, lines: int = 1) -> str:
    """A text without characters that no font has (matplotlib warns of each), cut to a width in inches.

    Args:
        lines: as many as it may have; it is broken behind blanks, hyphens and underscores, and cut on the last one.
    """
    from matplotlib.font_manager import findfont, get_font

    fonts = [get_font(findfont(family)) for family in font(size).get_family()]
    words = " ".join(unicodedata.normalize("NFC", str(text)).split())[:300]
    words = "".join(c if any(each.get_char_index(ord(c)) for each in fonts) else "□" for c in words)

    def fitting(dots: str = "") -> int:
        """How many letters fit."""
        if width_of(words, size) <= inches:
            return len(words)
        return bisect.bisect_right(range(len(words)), inches, key=lambda end: width_of(words[:end] + dots, size)) - 1

    found: list[str] = []
    while len(found) < lines - 1 and (end := max(fitting(), 1)) < len(words):
        if behind := re.match(r".*[\s_-]", words[:end]):
            end = behind.end()
        found.append(words[:end].rstrip())
        words = words[end:]
    end = max(fitting("…"), 0)
    found.append(words if end == len(words) else words[:end].rstrip() + "…")
    return "\n".join(found).replace("$", r"\$")  # a name is never a formula

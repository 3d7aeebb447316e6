"""Text in figures: its font, its width, and how a name is made to fit; and the widths of the figures themselves.

Text is set in DejaVu Sans and, for Chinese and Japanese, in the first of `CJK_FONTS` installed; a character that no
font has prints as a box.
"""

from __future__ import annotations

import bisect
import functools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.path import Path

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


@dataclass(frozen=True)
class Lettered:
    """A text at a place in a figure.

    Attributes:
        x: inches from the figure's left edge, to the middle of an upright text's lines.
        y: inches from its lower edge, to the middle of the lines of a text that is not upright.
        size: in points.
        across: the part of each line that lies before the place: 0, 0.5 or 1.
        upright: it runs from below.
    """

    text: str
    x: float
    y: float
    size: float = 7
    across: float = 0
    upright: bool = False


def lettered(figure: Figure, texts: Sequence[Lettered], colour: str) -> None:
    """Draws many texts as one artist, whose label is all of them; as `Text`, each costs two milliseconds."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path
    from matplotlib.transforms import Affine2D

    drawn = []
    for each in texts:
        lines = each.text.split("\n")
        for number, line in enumerate(lines):
            if not line.strip():  # which matplotlib has no outlines of, not even none
                continue
            above = each.size * (1.2 * ((len(lines) - 1) / 2 - number) - 0.36)  # a digit is 0.73 of its size high
            place = Affine2D().translate(-72 * each.across * width_of(line, each.size), above)
            place.rotate_deg(90 * each.upright).scale(1 / 72).translate(each.x, each.y)
            drawn.append(_outlines(line, each.size).transformed(place))
    path = Path.make_compound_path(*drawn)
    label = "\n".join(each.text for each in texts)
    figure.add_artist(PathPatch(path, color=colour, linewidth=0, label=label, transform=figure.dpi_scale_trans))


@functools.lru_cache(1 << 12)
def _outlines(line: str, size: float) -> Path:
    """A line of text in points; the runs of a study have the same names in their figures."""
    from matplotlib.textpath import TextPath

    return TextPath((0, 0), line, prop=font(size))


NAME = re.compile(r"\S*|.*\.\w{2,5}", re.DOTALL)  # of a class or a file, whose end tells as much as its beginning
MOST = 300  # letters that are looked at


def label(text: str, size: float, inches: float, lines: int = 1) -> str:
    """A text without characters that no font has (matplotlib warns of each), made to fit a width in inches.

    What is too long is cut at its end; a file's name, and what has no blanks, in its middle.

    Args:
        lines: as many as it may have; it is broken behind blanks, hyphens, underscores and slashes, before the suffix
            of a file's name, and within a word only where one has none of these and is wider than a line.
    """
    from matplotlib.font_manager import findfont, get_font

    fonts = [get_font(findfont(family)) for family in font(size).get_family()]
    words = " ".join(unicodedata.normalize("NFC", str(text)).split())
    words = "".join(c if any(each.get_char_index(ord(c)) for each in fonts) else "□" for c in words)
    most = min(len(words), MOST)
    shortened = _shortened_within if NAME.fullmatch(words) else _shortened_behind

    def rows(kept: int) -> list[str]:
        return _rows(shortened(words, kept), size, inches)

    if most < len(words) or len(rows(most)) > lines:
        most = bisect.bisect_right(range(most), lines, key=lambda kept: len(rows(kept))) - 1
    return "\n".join(rows(max(most, 0))).replace("$", r"\$")  # a name is never a formula


def _shortened_within(words: str, kept: int) -> str:
    return words if kept >= len(words) else f"{words[: (kept + 1) // 2]}…{words[len(words) - kept // 2 :]}"


def _shortened_behind(words: str, kept: int) -> str:
    return words if kept >= len(words) else f"{words[:kept].rstrip()}…"


def _rows(words: str, size: float, inches: float) -> list[str]:
    """A text broken into lines of a width."""
    found = []
    while width_of(words, size) > inches and len(words) > 1:
        end = max(bisect.bisect_right(range(len(words)), inches, key=lambda end: width_of(words[:end], size)) - 1, 1)
        if behind := re.match(r".*[\s_/-]", words[:end]):
            end = behind.end()
        elif (dot := re.search(r"\.\w{2,5}$", words)) and 0 < dot.start() <= end:
            end = dot.start()
        found.append(words[:end].rstrip())
        words = words[end:].lstrip()
    return [*found, words]

"""Drawing, in processor seconds: pictures without axes against axes for each, widths by FreeType against outlines.

python -m benchmarks.drawing [--pictures 36] [--classes 100] [--rounds 3]
"""

from __future__ import annotations

import argparse
import io
import time

import numpy as np
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from benchmarks import interleaved, report
from keras_art.report import lettering, mosaics


def png(figure: Figure) -> bytes:
    """A figure as a file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()


def with_axes(rows: list[list[np.ndarray]]) -> Figure:
    """The same pictures as matplotlib's own grid of axes has them."""
    figure = Figure(figsize=(6.5, 6.5 * len(rows) / len(rows[0])))
    grid = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for axes, picture in zip(grid.flat, [picture for row in rows for picture in row], strict=True):
        axes.imshow(picture)
        axes.set_axis_off()
    return figure


def main() -> None:
    """Prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=36)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (asked.pictures, 128, 128, 3), np.uint8)
    rows = [list(pictures[start : start + 12]) for start in range(0, asked.pictures - asked.pictures % 12, 12)]
    ours = [(f"row {number}", row) for number, row in enumerate(rows)]
    ways = {"axes for each": lambda: png(with_axes(rows)), "without axes": lambda: png(mosaics.strips(ours))}
    interleaved(ways, 1)  # fonts are looked for once
    report(interleaved(ways, asked.rounds, time.process_time), [("axes for each", "without axes")], asked.pictures)

    names = [f"Painter {''.join(map(chr, random.integers(97, 123, 12)))}" for _ in range(asked.classes)]

    def by_outlines() -> list[float]:
        return [TextPath((0, 0), name, prop=lettering.font(7)).get_extents().width / 72 for name in names]

    def by_freetype() -> list[float]:
        lettering.width_of.cache_clear()
        return [lettering.width_of(name, 7) for name in names]

    far = max(abs(one - other) for one, other in zip(by_outlines(), by_freetype(), strict=True))
    ways = {"outlines": by_outlines, "FreeType": by_freetype}
    print()
    report(interleaved(ways, asked.rounds, time.process_time), [("outlines", "FreeType")], asked.classes)
    print(f"\nthe widths of {asked.classes} names differ by at most {far:.3f} inches")


if __name__ == "__main__":
    main()

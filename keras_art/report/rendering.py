"""Any table as text, CSV, Markdown, LaTeX or HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from rich.cells import cell_len

from keras_art.terminal import UNSEEN
from keras_art.writing import csv_text, one_line

FORMATS = ("text", "csv", "markdown", "latex", "html")
LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "—": "---",
    "†": r"\dag{}", "‡": r"\ddag{}", "§": r"\S{}", "¶": r"\P{}", "×": r"$\times$", "θ": r"$\theta$", "≈": r"$\approx$",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}  # fmt: skip
# A document that compiles as it is; its tables can be taken out of it, and need booktabs.
DOCUMENT = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs}
\usepackage[landscape,margin=1cm]{geometry}
\begin{document}
\small
%s\end{document}
"""
MARKS = {
    "text": ("*{}*", "_{}_"), "markdown": ("**{}**", "*{}*"), "latex": (r"\textbf{{{}}}", r"\underline{{{}}}"),
    "html": ("<b>{}</b>", "<i>{}</i>"),
}  # fmt: skip


def escaped(word: str, format: str) -> str:
    """A word as a format writes it: in Markdown neither code, a cell's end, a tag nor the beginning of a link."""
    if format == "markdown":
        return re.sub(r"([\\|*`<&]|(?<=\])\()", r"\\\1", word)
    if format == "latex":
        return "".join(LATEX.get(letter, letter) for letter in word)
    return html.escape(word) if format == "html" else word


def marked(word: str, rank: int, format: str) -> str:
    """An escaped word as the best (1) or the second-best (2) of its rivals; any other rank leaves it."""
    return MARKS[format][rank - 1].format(word) if rank in (1, 2) else word


def titled(title: str, text: str, format: str) -> str:
    """A rendered table under a line of words; CSV has none."""
    title = word(title)
    if format == "latex":
        return f"\\begin{{table}}[h]\\centering\n\\caption{{{escaped(title, format)}}}\n{text}\\end{{table}}\n"
    lines = {"text": "{}\n", "csv": "", "markdown": "**{}**\n\n", "html": "<h3>{}</h3>\n"}
    return lines[format].format(escaped(title, format)) + text


def render(frame: pd.DataFrame, format: str, digits: int = 2) -> str:
    """Any frame of words and numbers as a table.

    Floats have `digits` decimals, in CSV all that they are; NaN is blank; in `text` a word of more than 60 letters
    loses its middle, where the words of its column can be told apart without.

    Args:
        frame: one row per line of the table; its index is not shown.
        format: `"text"` (aligned, for the terminal), `"csv"`, `"markdown"`, `"latex"` (needs `booktabs`), `"html"`.

    Raises:
        ValueError: another format.
    """
    if format not in FORMATS:
        raise ValueError(f"format is text, csv, markdown, latex or html, not {format!r}")
    if format == "csv":
        return csv_text(frame.map(exact))
    cells = frame.map(lambda value: escaped(word(value, digits), format)).to_numpy().tolist()
    right = [bool(frame[name].map(_is_number).any()) for name in frame]
    return assembled([escaped(word(name), format) for name in frame], cells, format, right)


def assembled(header: Sequence[str], rows: Sequence[Sequence[str]], format: str, right: Sequence[bool]) -> str:
    """A table of words that are escaped already.

    Args:
        right: for each column, whether it is set to the right.
    """
    lines: dict[str, Callable[..., str]] = {"text": _text, "markdown": _markdown, "latex": _latex, "html": _html}
    return lines[format](header, rows, right)


def word(value: Any, digits: int = 2) -> str:
    """A value for people, on one line."""
    if pd.isna(value):
        return ""
    if _is_number(value) and not isinstance(value, int | np.integer):
        return f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0 turns -0.0 into 0.0
    return " ".join(str(value).split()).translate(UNSEEN)  # a line break would end the row


def exact(value: Any) -> str:
    """A value for programs: all ten digits that mean something, and no zeros behind them."""
    if pd.isna(value):
        return ""
    if _is_number(value) and not isinstance(value, int | np.integer):
        return f"{value + 0.0:.10g}"
    return word(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _text(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    columns = [_shortened(column) for column in zip(header, *rows, strict=True)]
    widths = [max(map(cell_len, column)) for column in columns]

    def padded(cell: str, width: int, right: bool) -> str:
        space = " " * (width - cell_len(cell))  # a Japanese letter is two cells wide
        return space + cell if right else cell + space

    return "".join("  ".join(map(padded, line, widths, right)).rstrip() + "\n" for line in zip(*columns, strict=True))


def _shortened(cells: Sequence[str]) -> list[str]:
    """Cells of a column without their middles; whole where two that differ would then be one."""
    short = {cell: one_line(cell) for cell in cells}
    return [short[cell] if len(set(short.values())) == len(short) else cell for cell in cells]


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    lines = [header, ["---:" if r else "---" for r in right], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _latex(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    lines = [" & ".join(line) + r" \\" for line in (header, *rows)]
    columns = "".join("r" if r else "l" for r in right)
    body = "\n".join([r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"])
    return f"\\begin{{tabular}}{{{columns}}}\n{body}\n\\end{{tabular}}\n"


def _html(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    align = [' style="text-align: right"' if r else "" for r in right]

    def line(tag: str, row: Sequence[str]) -> str:
        cells = "".join(f"<{tag}{a}>{cell}</{tag}>" for a, cell in zip(align, row, strict=True))
        return f"<tr>{cells}</tr>\n"

    body = "".join(line("td", row) for row in rows)
    return f"<table>\n<thead>\n{line('th', header)}</thead>\n<tbody>\n{body}</tbody>\n</table>\n"

"""Any table as text, CSV, Markdown, LaTeX or HTML, and a comparison in the paper's own layout."""

from __future__ import annotations

import html
import re
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from rich.cells import cell_len

from keras_art.report.tables import PaperTable
from keras_art.terminal import UNSEEN
from keras_art.writing import csv_text, one_line


def beside(paper: PaperTable, frame: pd.DataFrame, format: str) -> str:
    """What `compare` returns, under its title: a grid on the terminal, else as `render` has it."""
    if format == "text":
        return grid(paper, frame)
    return titled(f"{paper.source}: {paper.metric}", render(frame, format, paper.digits), format)


def titled(title: str, text: str, format: str) -> str:
    """A rendered table under a line of words; CSV has none."""
    lines = {"text": "{}\n", "csv": "", "markdown": "**{}**\n\n", "latex": "% {}\n", "html": "<h3>{}</h3>\n"}
    title = _word(title)
    title = html.escape(title) if format == "html" else _marked(title) if format == "markdown" else title
    return lines[format].format(title) + text


def render(frame: pd.DataFrame, format: str, digits: int = 2) -> str:
    """A table as text: what `compare` returns, or any frame of words and numbers.

    Floats have `digits` decimals; NaN is blank; in `text` a word of more than 60 letters loses its middle. In a
    comparison the best value of `paper` and of `ours` (in one protocol) is bold among the rows which differ in their
    last index column only, where there are two of them or more; `text` and `csv` have no bold. The interval stands in
    `ours`, as `76.57 [73.6, 79.3]`, and in CSV in the note.

    Args:
        frame: one row per line of the table; its index is not shown.
        format: `"text"` (aligned, for the terminal), `"csv"`, `"markdown"`, `"latex"` (needs `booktabs`), `"html"`.

    Raises:
        ValueError: another format.
    """
    if format not in ("text", "csv", "markdown", "latex", "html"):
        raise ValueError(f"format is text, csv, markdown, latex or html, not {format!r}")
    frame = frame.reset_index(drop=True)
    words = frame.map(lambda value: _word(value, digits))
    if "low" in frame:
        words = _with_interval(frame, words, format).drop(columns=["n_test", "low", "high"])
    if format == "csv":
        return csv_text(words)
    bold = _best(frame)[words.columns]
    right = [frame[name].map(_is_number).any() for name in words]
    words.columns = bold.columns = [_word(name) for name in words]
    if format == "text":
        return _text(words, right)
    if format == "markdown":
        return _markdown(words, bold, right)
    if format == "html":
        return _html(words, bold, right)
    style = words.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis=1)
    style = style.apply(lambda _: np.where(bold, "textbf:--rwrap;", ""), axis=None)
    return style.to_latex(hrules=True, column_format="".join("r" if r else "l" for r in right))


def grid(table: PaperTable, frame: pd.DataFrame) -> str:
    """A comparison in the paper's own layout, for the terminal: each cell `ours ± std [interval] (paper)`.

    Below it stand the notes, a line each, with the cells they belong to.
    """
    *index, column = table.keys
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    notes: dict[str, list[str]] = {}
    for row in frame.to_dict("records"):
        key = tuple(_word(row[name]) for name in index)
        cell = _word(row["ours"], table.digits)
        if pd.isna(row["low"]):
            cell = cell.removesuffix(".00")
        if pd.notna(row["std"]):
            cell += f" ± {row['std']:.{table.digits}f}"
        if pd.notna(row["low"]):
            cell += f" [{row['low']:.3g}, {row['high']:.3g}]"
        if pd.notna(row["paper"]):
            cell += f" ({row['paper']:.6g})"
        cells.setdefault((*key, row["protocol"]), {})[row[column]] = cell
        if row["note"]:
            notes.setdefault(row["note"], []).append(" ".join(one_line(word) for word in (*key, row[column])))
    columns = list(dict.fromkeys(frame[column]))
    # What was run stands first: a paper's table of a hundred rows must not hide it.
    ours = {(*map(_word, row[:-1]), row[-1]) for row in frame.loc[frame["n"] > 0, [*index, "protocol"]].to_numpy()}
    cells = dict(sorted(cells.items(), key=lambda item: item[0] not in ours))
    words = pd.DataFrame(
        [{**dict(zip([*index, "protocol"], key, strict=True)), **line} for key, line in cells.items()],
        columns=[*index, *columns, "protocol"],
    ).fillna("")
    words.columns = [_word(name) for name in words]
    lines = [f"{table.source}: {table.metric}; ours (the paper's)", "", _text(words, [False] * words.shape[1])]
    lines += [f"{note}: {where[0]}{' and others' * (len(where) > 1)}" for note, where in notes.items()]
    return "\n".join(lines) + "\n"


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _word(value: Any, digits: int = 2) -> str:
    if pd.isna(value):
        return ""
    if _is_number(value) and not isinstance(value, int | np.integer):
        return f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0 turns -0.0 into 0.0
    return " ".join(str(value).split()).translate(UNSEEN)  # a line break would end the row


def _with_interval(frame: pd.DataFrame, words: pd.DataFrame, format: str) -> pd.DataFrame:
    words = words.copy()
    for row, n_test, low, high in frame.loc[frame["low"].notna(), ["n_test", "low", "high"]].itertuples():
        digits = 1 if high > 1 else 3  # of percent, of fractions
        if format == "csv":
            interval = f"95% of n_test={n_test:.0f}: {low:.{digits}f}-{high:.{digits}f}"
            words.loc[row, "note"] = "; ".join(filter(None, [words.loc[row, "note"], interval]))
        else:
            words.loc[row, "ours"] += f" [{low:.{digits}f}, {high:.{digits}f}]"
    return words


def _best(frame: pd.DataFrame) -> pd.DataFrame:
    """Which cells are bold."""
    bold = pd.DataFrame(False, index=frame.index, columns=frame.columns)
    if "paper" not in frame or "ours" not in frame:
        return bold
    *outer, rival, column = frame.columns[: frame.columns.get_loc("paper")]
    for name, group in (("paper", [*outer, column]), ("ours", [*outer, column, "protocol"])):
        values = pd.to_numeric(frame[name], errors="coerce").round(2).dropna()  # equal in print, equal in bold
        groups = [frame.loc[values.index, key] for key in group]
        rivals = frame.loc[values.index, rival].groupby(groups).transform("nunique")
        bold.loc[values.index, name] = (values == values.groupby(groups).transform("max")) & (rivals > 1)
    return bold


def _text(words: pd.DataFrame, right: list[bool]) -> str:
    lines = [[one_line(word) for word in line] for line in (words.columns, *words.to_numpy())]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]

    def padded(word: str, width: int, right: bool) -> str:
        space = " " * (width - cell_len(word))  # a Japanese letter is two cells wide
        return space + word if right else word + space

    return "".join("  ".join(map(padded, line, widths, right)).rstrip() + "\n" for line in lines)


def _markdown(words: pd.DataFrame, bold: pd.DataFrame, right: list[bool]) -> str:
    cells = words.map(_marked)
    cells = cells.mask(bold, "**" + cells + "**")
    lines = [
        list(map(_marked, words.columns)),
        ["---:" if r else "---" for r in right],
        *cells.to_numpy().tolist(),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _marked(word: str) -> str:
    """A word that is neither code, a cell's end, a tag nor the beginning of a link in Markdown."""
    return re.sub(r"([\\|*`<&]|(?<=\])\()", r"\\\1", word)


def _html(words: pd.DataFrame, bold: pd.DataFrame, right: list[bool]) -> str:
    cells = words.map(html.escape)
    cells = cells.mask(bold, "<b>" + cells + "</b>")
    align = [' style="text-align: right"' if r else "" for r in right]

    def line(tag: str, row: list[str]) -> str:
        return "<tr>" + "".join(f"<{tag}{a}>{word}</{tag}>" for a, word in zip(align, row, strict=True)) + "</tr>\n"

    head = line("th", [html.escape(name) for name in words.columns])
    body = "".join(line("td", row) for row in cells.to_numpy().tolist())
    return f"<table>\n<thead>\n{head}</thead>\n<tbody>\n{body}</tbody>\n</table>\n"

"""A paper's table as data, the same table beside ours, and any table as text, CSV, Markdown, LaTeX or HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from keras_art.report import metrics

NOT_RUN = "—"
DIVERGED = "diverged"
COMPARABLE = ("paper", "released")  # the protocols that may stand beside the paper's numbers
RUN_COLUMNS = ("value", "status", "protocol", "comparable", "n_test", "note")


@dataclass(frozen=True)
class PaperTable:
    """A table typed as it is printed.

    Attributes:
        name: what the `table` column says, `"table_2"`.
        source: where it is printed, `"Sabatelli et al. 2018, Table 2"`.
        metric: what the numbers are and their unit, `"test accuracy, %"`; without `%` they are fractions or plain.
        text: a header line, then the rows, split at white space. The first `index` columns name a row, the others
            hold numbers. `-` is a blank cell; a number may carry one-character marks, `7†`.
        index: how many columns name a row; their own names are in the header.
        notes: mark -> its explanation.
        column_name: what the number columns are.
        digits: decimals of ours.
    """

    name: str
    source: str
    metric: str
    text: str
    index: int = 2
    notes: Mapping[str, str] = field(default_factory=dict)
    column_name: str = "mode"
    digits: int = 2

    @property
    def keys(self) -> list[str]:
        """The columns that name a cell: the index columns, then `column_name`."""
        return [*self.text.split()[: self.index], self.column_name]

    def cells(self) -> pd.DataFrame:
        """One row per cell, in printed order: `keys` (text), `paper` (float, NaN where blank), `mark`, `note`.

        Raises:
            ValueError: a row with too many or too few cells, a cell given twice, a word which is not a number, or a
                mark without a note. The message names the table and the row.
        """
        head, *rows = [line.split() for line in self.text.strip().splitlines()]
        cells: dict[tuple[str, ...], tuple[float, str, str]] = {}
        for row in rows:
            where = f"{self.name}, row {' '.join(row)!r}"
            if len(row) != len(head):
                raise ValueError(f"{where}: {len(row)} cells under a header of {len(head)}")
            for column, word in zip(head[self.index :], row[self.index :], strict=True):
                key = (*row[: self.index], column)
                if key in cells:
                    raise ValueError(f"{where}: the cell {' / '.join(key)} is given twice")
                match = re.fullmatch(r"(-?\d*\.?\d+|-)(.*)", word)
                if not match:
                    raise ValueError(f"{where}: {word!r} is not a number; type a blank cell as -")
                number, marks = match.groups()
                if unknown := set(marks) - set(self.notes):
                    raise ValueError(f"{where}: no note explains {''.join(sorted(unknown))!r} in {word!r}")
                note = "; ".join(f"{mark} {self.notes[mark]}" for mark in marks)
                cells[key] = (float("nan") if number == "-" else float(number), marks, note)
        values = [(*key, *cell) for key, cell in cells.items()]
        return pd.DataFrame(values, columns=[*self.keys, "paper", "mark", "note"])


def compare(table: PaperTable, ours: pd.DataFrame) -> pd.DataFrame:
    """The paper's cells and ours: first the paper's, in printed order, then what only we have.

    Only comparable runs join a cell of the paper. The others, on another collection or by another protocol, are rows of
    their own whose `paper` and `delta` stay blank, even where they bear the cell's name. Runs which differ in protocol
    or in being comparable are never averaged.

    Args:
        table: the paper's.
        ours: one row per finished run, or an empty frame. `table.keys` name its cell; `value` is in the table's unit;
            `status` is `"ok"` or `"diverged"`; `protocol` is `"paper"`, `"released"`, `"study"`, `"demo"`, ...;
            `comparable` is true for the protocols `paper` and `released` on the paper's own collection; `n_test`, the
            size of the test set, is NaN where the metric is not an accuracy; `note` is text.

    Returns:
        Columns `table`, `table.keys`, `paper`, `ours` (a mean, `"—"` or `"diverged"`), `std` (over seeds, n - 1 in the
        denominator; blank for one), `n` (runs, diverged ones too), `delta` (ours - paper), `protocol`, `note`; then
        `n_test`, `low` and `high`, the 95% Wilson interval, which `render` writes into the columns before them.

    Raises:
        ValueError: `ours` lacks a column, a run without a value is not marked as diverged, or a run is called
            comparable under a protocol which is not.
    """
    cells = table.cells().drop(columns="mark").rename(columns={"note": "mark_note"})
    cells = cells.assign(comparable=True, order=range(len(cells)))
    joint = [*table.keys, "comparable"]
    runs = _summarise(table, ours)
    # Outer, for the union; sorted back into printed order, with what the paper lacks last.
    frame = cells.merge(runs, how="outer", on=joint).sort_values(
        ["order", *table.keys], key=_natural, ignore_index=True
    )
    frame["delta"] = frame["ours"] - frame["paper"]
    frame["note"] = [
        "; ".join(filter(None, notes)) for notes in frame[["mark_note", "note"]].fillna("").itertuples(index=False)
    ]
    frame["ours"] = frame["ours"].astype(object).mask(frame["ours"].isna(), DIVERGED).mask(frame["n"].isna(), NOT_RUN)
    frame = frame.assign(table=table.name, n=frame["n"].fillna(0).astype(int), protocol=frame["protocol"].fillna(""))
    return frame[
        ["table", *table.keys, "paper", "ours", "std", "n", "delta", "protocol", "note", "n_test", "low", "high"]
    ]


def _natural(column: pd.Series) -> pd.Series:
    """Words in the order in which a person counts: k = 10 after k = 9."""
    if not pd.api.types.is_string_dtype(column):
        return column
    return column.str.replace(r"\d+", lambda digits: digits[0].zfill(9), regex=True)


def _summarise(table: PaperTable, ours: pd.DataFrame) -> pd.DataFrame:
    """One row per cell, protocol and comparable, over its seeds."""
    needed = [*table.keys, *RUN_COLUMNS]
    if ours.empty:
        ours = pd.DataFrame(columns=needed)
    if missing := [name for name in needed if name not in ours]:
        raise ValueError(f"{table.name}: our runs lack the columns {missing}")
    ours = ours.astype({**dict.fromkeys(table.keys, str), "value": float, "n_test": float})
    ours = ours.assign(comparable=ours["comparable"].eq(True))  # a blank is no, though bool(NaN) is True
    if not ((ours["status"] == "diverged") | (ours["status"] == "ok") & ours["value"].notna()).all():
        raise ValueError(f'{table.name}: a run is "ok" and has a value, or it is "diverged"')
    if not ours.loc[ours["comparable"], "protocol"].isin(COMPARABLE).all():
        raise ValueError(f"{table.name}: only the protocols {COMPARABLE} are comparable with the paper")
    unit = 100 if "%" in table.metric else 1
    by = [*table.keys, "protocol", "comparable"]
    rows = []
    for key, runs in ours.groupby(by, sort=False, dropna=False):
        values = runs.loc[runs["status"] == "ok", "value"]
        notes = [note for note in runs["note"].dropna().unique() if note]
        if 0 < len(values) < len(runs):
            notes.append(f"{len(runs) - len(values)} of {len(runs)} diverged")
        mean, n_test = values.mean(), runs["n_test"].min()
        low = high = float("nan")
        if pd.notna(mean) and pd.notna(n_test):
            low, high = (unit * bound for bound in metrics.wilson(mean / unit * n_test, int(n_test)))
        rows.append((*key, mean, values.std(), len(runs), "; ".join(notes), n_test, low, high))
    return pd.DataFrame(rows, columns=[*by, "ours", "std", "n", "note", "n_test", "low", "high"]).astype(
        {**dict.fromkeys(table.keys, str), "comparable": bool, "ours": float}
    )


def beside(paper: PaperTable, frame: pd.DataFrame, format: str) -> str:
    """What `compare` returns, under its title: a grid on the terminal, else as `render` has it."""
    if format == "text":
        return grid(paper, frame)
    return titled(f"{paper.source}: {paper.metric}", render(frame, format, paper.digits), format)


def titled(title: str, text: str, format: str) -> str:
    """A rendered table under a line of words; CSV has none."""
    lines = {"text": "{}\n", "csv": "", "markdown": "**{}**\n\n", "latex": "% {}\n", "html": "<h3>{}</h3>\n"}
    return lines[format].format(title) + text


def render(frame: pd.DataFrame, format: str, digits: int = 2) -> str:
    """A table as text: what `compare` returns, or any frame of words and numbers.

    Floats have `digits` decimals; NaN is blank. In a comparison the best value of `paper` and of `ours` (in one
    protocol) is bold among the rows which differ in their last index column only, where there are two of them or more;
    `text` and `csv` have no bold. The interval stands in `ours`, as `76.57 [73.6, 79.3]`, and in CSV in the note.

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
        return words.to_csv(index=False, lineterminator="\n")
    bold = _best(frame)[words.columns]
    right = [frame[name].map(_is_number).any() for name in words]
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
        key = tuple(str(row[name]) for name in index)
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
            notes.setdefault(row["note"], []).append(" ".join((*key, row[column])))
    columns = list(dict.fromkeys(frame[column]))
    # What was run stands first: a paper's table of a hundred rows must not hide it.
    ours = {(*map(str, row[:-1]), row[-1]) for row in frame.loc[frame["n"] > 0, [*index, "protocol"]].to_numpy()}
    cells = dict(sorted(cells.items(), key=lambda item: item[0] not in ours))
    words = pd.DataFrame(
        [{**dict(zip([*index, "protocol"], key, strict=True)), **line} for key, line in cells.items()],
        columns=[*index, *columns, "protocol"],
    ).fillna("")
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
    return " ".join(str(value).split())  # a line break would end the row


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
    lines = [list(words.columns), *words.to_numpy().tolist()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = [">" if r else "<" for r in right]
    return "".join(
        "  ".join(f"{w:{s}{n}}" for w, s, n in zip(line, sides, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def _markdown(words: pd.DataFrame, bold: pd.DataFrame, right: list[bool]) -> str:
    cells = words.map(lambda word: re.sub(r"([\\|*`<])", r"\\\1", word))
    cells = cells.mask(bold, "**" + cells + "**")
    lines = [list(words.columns), ["---:" if r else "---" for r in right], *cells.to_numpy().tolist()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _html(words: pd.DataFrame, bold: pd.DataFrame, right: list[bool]) -> str:
    cells = words.map(html.escape)
    cells = cells.mask(bold, "<b>" + cells + "</b>")
    align = [' style="text-align: right"' if r else "" for r in right]

    def line(tag: str, row: list[str]) -> str:
        return "<tr>" + "".join(f"<{tag}{a}>{word}</{tag}>" for a, word in zip(align, row, strict=True)) + "</tr>\n"

    head = line("th", [html.escape(str(name)) for name in words.columns])
    body = "".join(line("td", row) for row in cells.to_numpy().tolist())
    return f"<table>\n<thead>\n{head}</thead>\n<tbody>\n{body}</tbody>\n</table>\n"

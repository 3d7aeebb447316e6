"""A paper's table as the paper prints it, alone or with ours beside its numbers; and all of them as one long CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from keras_art.report.rendering import assembled, escaped, marked, render, titled, word
from keras_art.report.tables import NOT_BESIDE, NOT_RUN, PaperTable

LEGEND = {1: "best", 2: "second-best"}


def laid_out(table: PaperTable, frame: pd.DataFrame, format: str, *, alone: bool = False) -> str:
    """A table in the paper's own layout under its title, its notes below it.

    A cell of ours is `ours ± std (n=seeds) [interval] (the paper's)`. The best and the second-best of the rivals that
    the paper compares are marked, the paper's among its own and ours among ours of one protocol.

    Args:
        frame: as `compare` returns it.
        alone: the paper's numbers as they are printed, without room for ours.
    """
    *index, column = table.keys
    beside = alone or (frame["printed"] != "").any()
    called = {} if beside else table.plain  # the paper's letters, which mean nothing without its numbers
    frame = frame.assign(rank=ranks(frame, table, "paper"), own_rank=ranks(frame, table, "ours"))
    # What the paper has and we have not stands in the row of what we have of it.
    followed = {tuple(line[:-1]): line[-1] for line in frame.loc[_both(frame), [*index, "protocol"]].to_numpy()[::-1]}
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    notes: dict[str, list[str]] = {}
    for line in frame.to_dict("records"):
        names = tuple(line[name] for name in index)
        protocol = line["protocol"] or followed.get(names, "")
        key = (*map(word, names), *([] if alone else [protocol]))
        name = word(line[column])
        rows.setdefault(key, {})[name] = _cell(line, table, format, alone)
        for note in [line["mark_note"]] if alone else clauses(line["mark_note"], line["note"]):
            if note:
                notes.setdefault(word(note), []).append(" ".join([*map(word, names), called.get(name, name)]))
    printed = table.text.split()[table.index : len(table.text.strip().splitlines()[0].split())]
    found = dict.fromkeys(map(word, frame[column]))
    columns = [*(name for name in printed if name in found), *(name for name in found if name not in printed)]
    header = [*index, *columns, *([] if alone else ["protocol"])]
    cells = [
        [
            *(escaped(part, format) for part in key[: len(index)]),
            *(line.get(name, "") for name in columns),
            *(escaped(part, format) for part in key[len(index) :]),
        ]
        for key, line in rows.items()
    ]
    text = assembled([escaped(called.get(name, name), format) for name in header], cells, format, [False] * len(header))
    told = [
        f"{note}{'' if alone else f': {where[0]}' + ' and others' * (len(where) > 1)}" for note, where in notes.items()
    ]
    if (frame["rank"] > 0).any() or (frame["own_rank"] > 0).any():
        best, second = (marked(words, rank, format) for rank, words in LEGEND.items())
        among = {"column": "of a challenge and kind of training", "row": "of a row"}[table.best]
        told.insert(0, f"\0{best}, {second} {among}")
    title = f"{table.source}: {table.metric}"
    if not beside and table.cells()["printed"].any():
        metric = f"{table.metric[:1].upper()}{table.metric[1:]}"
        title = f"{metric}; laid out as {table.source}, which has no number for these"
    elif beside and not alone:
        title += "; ours (the paper's)"
    return titled(title, text + _below(told, format), format)


def clauses(mark_note: str, note: str) -> list[str]:
    """The parts of a row's note, each of which is told once for all rows that have it: marks, facts, the verdict."""
    rest = note.removeprefix(mark_note).removeprefix("; ")
    facts, beside, reasons = rest.partition(NOT_BESIDE)
    return list(filter(None, [mark_note, *facts.removesuffix("; ").split("; "), f"{beside}{reasons}"]))


def _below(notes: Sequence[str], format: str) -> str:
    """Lines below a table; what begins with a zero byte is escaped already."""
    words = [note[1:] if note.startswith("\0") else escaped(note, format) for note in notes]
    ends = {"text": "{}\n", "markdown": "{}  \n", "latex": "\\par {{\\footnotesize {}}}\n", "html": "<p>{}</p>\n"}
    opening = "\n" if words and format in ("text", "markdown") else ""
    return opening + "".join(ends[format].format(text) for text in words)


def _cell(line: dict[str, Any], table: PaperTable, format: str, alone: bool) -> str:
    printed = ""
    if line["printed"]:
        spread = f" ± {line['paper_std']}" if line["paper_std"] else ""
        number = marked(escaped(line["printed"], format), line["rank"], format)
        printed = number + escaped(spread + line["mark"], format)
    elif line["mark"]:
        printed = escaped(f"—{line['mark']}", format)
    if alone:
        return printed or escaped("—", format)
    ours = line["ours"]
    whole = pd.isna(line["low"]) and isinstance(ours, float) and ours.is_integer()  # a count
    cell = marked(escaped(word(ours, 0 if whole else table.digits), format), line["own_rank"], format)
    if pd.notna(line["std"]):
        cell += escaped(f" ± {line['std']:.{table.digits}f}", format)
    if line["n"] > 1:
        cell += f" (n={line['n']})"
    if pd.notna(line["low"]):
        cell += f" [{line['low']:.3g}, {line['high']:.3g}]"
    return f"{cell} ({printed})" if printed else cell


def ranks(frame: pd.DataFrame, table: PaperTable, name: str) -> pd.Series:
    """1 for the best, 2 for the second-best of the rivals of a column or a row, 0 elsewhere, and where all are equal.

    Args:
        name: of the numbers, `paper` or `ours`; these are compared as they are printed.
    """
    found = pd.Series(0, frame.index)
    if not table.best:
        return found
    *index, column = table.keys
    frame = frame.assign(columns=frame[column].str.rpartition("_")[2])  # theta_i_off and theta_r_off are rivals
    group = {"column": [*index[:-1], "columns"], "row": index}[table.best] + (["protocol"] if name == "ours" else [])
    values = pd.to_numeric(frame[name], errors="coerce").round(table.digits).dropna()
    for _, rivals in values.groupby([frame.loc[values.index, key] for key in group]):
        if rivals.nunique() > 1:
            places = rivals.rank(method="dense", ascending=False)
            found.loc[rivals.index] = places.where(places <= 2, 0).astype(int)
    return found


def _both(frame: pd.DataFrame) -> pd.Series:
    return (frame["n"] > 0) & frame["theirs"]


def shown(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of a comparison that a study shows: its own first, the paper's where one of ours stands beside them."""
    ours = frame["n"] > 0
    if not ours.any():
        return frame
    return pd.concat([frame[ours & ~frame["theirs"]], frame[frame["theirs"] & _both(frame).any()]])


def long(tables: Sequence[tuple[PaperTable, pd.DataFrame]], *, alone: bool = False) -> str:
    """All cells of some tables as one CSV, for programs: the paper's numbers as they are printed, ours as they are.

    Args:
        alone: the paper's numbers only.
    """
    frames = [frame.rename(columns={table.column_name: "mode"}) for table, frame in tables]
    keys = dict.fromkeys(name for frame in frames for name in frame.loc[:, :"paper"] if name != "paper")
    keys["mode"] = keys.pop("mode")  # behind what names a row
    columns = dict.fromkeys(name for frame in frames for name in frame)
    rows = [row for frame in frames for row in frame.to_dict("records")]  # pandas 2 and 3 join empty columns otherwise
    every = pd.DataFrame(rows, columns=list(columns)).assign(paper=lambda all: all["printed"])
    every["ours"] = every["ours"].mask(every["ours"] == NOT_RUN, "")  # n says it, and a program reads numbers there
    left_out = ["theirs", "printed", "mark", "mark_note", *(every.loc[:, "ours":"high"] if alone else [])]
    kept = [name for name in every if name not in (*keys, *left_out)]
    return render(every[[*keys, *kept]], "csv")

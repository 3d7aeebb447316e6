"""A paper's table as data, and the same table beside ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from keras_art.data.leaks import RULES
from keras_art.errors import UserError
from keras_art.report import metrics
from keras_art.store.reading import read_json
from keras_art.store.runs import Store
from keras_art.study import earlier
from keras_art.study.config import Run
from keras_art.study.records import readable

NOT_RUN = "—"
NOT_BESIDE = "not beside the paper's: "  # as the note of `comparable.Verdict` begins
DIVERGED = "diverged"
MISSING = (DIVERGED, "undefined")  # the status of a run without a value
RUN_COLUMNS = ("value", "status", "protocol", "comparable", "n_test", "note")


@dataclass(frozen=True)
class PaperTable:
    """A table typed as it is printed.

    Attributes:
        name: what the `table` column says, `"table_2"`.
        source: where it is printed, `"Sabatelli et al. 2018, Table 2"`.
        metric: what the numbers are and their unit, `"test accuracy, %"`; without `%` they are fractions or plain.
        text: a header line, then the rows, split at white space. The first `index` columns name a row, the others
            hold numbers, every digit as it is printed. `-` is a blank cell; a number may carry a standard deviation and
            one-character marks, `72.55±0.46¶`.
        index: how many columns name a row; their own names are in the header.
        notes: mark -> its explanation.
        column_name: what the number columns are.
        digits: decimals of ours.
        best: among which the paper marks the best and the second-best: in a "column", with those whose names end in the
            same word, the rows that differ in their last name only; or the numbers of a "row"; "" where it marks none.
        plain: the paper's letters for a column -> what they stand for, where none of its numbers is shown.
    """

    name: str
    source: str
    metric: str
    text: str
    index: int = 2
    notes: Mapping[str, str] = field(default_factory=dict)
    column_name: str = "mode"
    digits: int = 2
    best: Literal["", "column", "row"] = ""
    plain: Mapping[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        """The columns that name a cell: the index columns, then `column_name`."""
        return [*self.text.split()[: self.index], self.column_name]

    def cells(self) -> pd.DataFrame:
        """One row per cell, in printed order.

        Returns:
            Columns `keys` (text), `paper` (float, NaN where blank), `printed` and `paper_std` (the same, and what
            stands behind its ±, as typed, "" where blank), `mark`, `note`.

        Raises:
            ValueError: a row with too many or too few cells, a cell given twice, a word which is not a number, or a
                mark without a note. The message names the table and the row.
        """
        head, *rows = [line.split() for line in self.text.strip().splitlines()]
        cells: dict[tuple[str, ...], tuple[float, str, str, str, str]] = {}
        for row in rows:
            where = f"{self.name}, row {' '.join(row)!r}"
            if len(row) != len(head):
                raise ValueError(f"{where}: {len(row)} cells under a header of {len(head)}")
            for column, word in zip(head[self.index :], row[self.index :], strict=True):
                key = (*row[: self.index], column)
                if key in cells:
                    raise ValueError(f"{where}: the cell {' / '.join(key)} is given twice")
                match = re.fullmatch(r"(-?\d*\.?\d+|-)(?:±(\d*\.?\d+))?(.*)", word)
                if not match:
                    raise ValueError(f"{where}: {word!r} is not a number; type a blank cell as -")
                number, std, marks = match.groups(default="")
                if unknown := set(marks) - set(self.notes):
                    raise ValueError(f"{where}: no note explains {''.join(sorted(unknown))!r} in {word!r}")
                note = "; ".join(f"{mark} {self.notes[mark]}" for mark in marks)
                blank = number == "-"
                cells[key] = (float("nan") if blank else float(number), "" if blank else number, std, marks, note)
        values = [(*key, *cell) for key, cell in cells.items()]
        return pd.DataFrame(values, columns=[*self.keys, "paper", "printed", "paper_std", "mark", "note"])


def compare(table: PaperTable, ours: pd.DataFrame) -> pd.DataFrame:
    """The paper's cells and ours: first the paper's, in printed order, then what only we have.

    Only comparable runs join a cell of the paper. The others, on another collection or by another protocol, are rows of
    their own whose `paper` and `delta` stay blank, even where they bear the cell's name. Runs which differ in protocol
    or in being comparable are never averaged.

    Args:
        table: the paper's.
        ours: one row per finished run, or an empty frame. `table.keys` name its cell; `value` is in the table's unit;
            `status` is `"ok"`, `"diverged"`, or `"undefined"` where a whole run has no such number; `protocol` and
            `comparable` are as `comparable.judge` says, whose reason belongs into `note`, text; `n_test`, the size of
            the test set, is NaN where the metric is not an accuracy.

    Returns:
        Columns `table`, `table.keys`, `paper`, `paper_std`, `ours` (a mean, `"—"` or `"diverged"`), `std` (over seeds,
        n - 1 in the denominator; blank for one), `n` (runs, diverged ones too), `delta` (ours - paper), `protocol`,
        `n_test`, `low` and `high` (the 95% Wilson interval), `note`; then what a layout needs: `theirs` (a cell of the
        paper's), `printed`, `mark`, `mark_note`.

    Raises:
        ValueError: `ours` lacks a column, or a run without a value is marked neither as diverged nor as undefined.
    """
    cells = table.cells().rename(columns={"note": "mark_note"})
    cells = cells.assign(comparable=True, order=range(len(cells)))
    joint = [*table.keys, "comparable"]
    runs = _summarise(table, ours)
    # Outer, for the union; sorted back into printed order, with what the paper lacks last.
    frame = cells.merge(runs, how="outer", on=joint).sort_values(
        ["order", *table.keys], key=_natural, ignore_index=True
    )
    frame["delta"] = frame["ours"] - frame["paper"]
    words = ["printed", "paper_std", "mark", "mark_note"]
    frame[words] = frame[words].fillna("")
    frame["theirs"] = frame["order"].notna()
    frame["note"] = [
        "; ".join(filter(None, notes)) for notes in frame[["mark_note", "note"]].fillna("").itertuples(index=False)
    ]
    frame["ours"] = frame["ours"].astype(object).where(frame["ours"].notna(), frame["instead"].fillna(NOT_RUN))
    frame = frame.assign(
        table=table.name, n=pd.to_numeric(frame["n"]).fillna(0).astype(int), protocol=frame["protocol"].fillna("")
    )
    return frame[
        [
            "table", *table.keys, "paper", "paper_std", "ours", "std", "n", "delta", "protocol", "n_test", "low",
            "high", "note", "theirs", "printed", "mark", "mark_note",
        ]
    ]  # fmt: skip


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
    if not (ours["status"].isin([*MISSING]) | (ours["status"] == "ok") & ours["value"].notna()).all():
        raise ValueError(f'{table.name}: a run is "ok" and has a value, or it is "diverged" or "undefined"')
    unit = 100 if "%" in table.metric else 1
    by = [*table.keys, "protocol", "comparable"]
    rows = []
    for key, runs in ours.groupby(by, sort=False, dropna=False):
        values = runs.loc[runs["status"] == "ok", "value"]
        notes, reasons = _parts(runs["note"].dropna())
        without = runs["status"].value_counts()
        for status in MISSING:
            if len(values) and status in without:
                notes.append(f"{without[status]} of {len(runs)} {status}")
        notes += [NOT_BESIDE + "; ".join(reasons)] if reasons else []
        instead = DIVERGED if DIVERGED in without else NOT_RUN
        mean, n_test = values.mean(), runs["n_test"].min()
        low = high = float("nan")
        if pd.notna(mean) and pd.notna(n_test):
            low, high = (unit * bound for bound in metrics.wilson(mean / unit * n_test, int(n_test)))
        rows.append((*key, mean, values.std(), len(runs), "; ".join(notes), n_test, low, high, instead))
    return pd.DataFrame(rows, columns=[*by, "ours", "std", "n", "note", "n_test", "low", "high", "instead"]).astype(
        {**dict.fromkeys(table.keys, str), "comparable": bool, "ours": float}
    )


def _parts(notes: Iterable[str]) -> tuple[list[str], list[str]]:
    """What the notes of several seeds say, each part once, and why they stand beside no number of the paper's."""
    facts: dict[str, None] = {}
    reasons: dict[str, None] = {}
    for note in notes:
        told, _, why = note.partition(NOT_BESIDE)
        facts |= dict.fromkeys(filter(None, told.split("; ")))
        reasons |= dict.fromkeys(filter(None, why.split("; ")))
    return list(facts), list(reasons)


def without_looking(leaks: Mapping[str, Mapping[str, float]], name: str) -> pd.DataFrame:
    """What rules score that see no pixel, in per cent, with n and the 95% interval: what an accuracy is read beside.

    Args:
        leaks: a collection or a label -> what `data.leaks.leak_report` says of it.
        name: of the column that says which.

    Returns:
        One row per rule: `name`, `rule`, `accuracy`, `low`, `high`, `n_test`.
    """
    rows = []
    for key, report in leaks.items():
        n = int(report.get("n_test", 0))
        for rule, words in RULES.items():
            if rule in report:
                bounds = metrics.wilson(report[rule] * n, n) if n else (float("nan"), float("nan"))
                low, high = (100 * bound for bound in bounds)
                rows.append((key, f"({words})", 100 * report[rule], low, high, n or None))
    return pd.DataFrame(rows, columns=[name, "rule", "accuracy", "low", "high", "n_test"]).astype({"n_test": "Int64"})


def seen_of(store: Store, run: Run) -> str:
    """For the note of a test accuracy: how many test images are no test of a run; "" where none is known."""
    try:
        return earlier.no_tests(store, run)
    except UserError:  # which is told of the rules that see no pixel
        return ""


def rules_of(store: Store, collections: Iterable[str]) -> list[tuple[str, pd.DataFrame]]:
    """`without_looking` of some choices of a store, NAME-DIGEST, under its title; none where none says so.

    A choice that can not be read is named and left out.
    """
    leaks: dict[str, Any] = {}
    for key, facts in readable(
        sorted(collections), lambda key: (key, read_json(store.root / "collections" / key / "task.json"))
    ):
        if facts.get("leaks"):
            name = f"{key.rsplit('-', 1)[0]} {' '.join(facts['targets'])}"
            leaks[key if name in leaks else name] = facts["leaks"]
    return [("Test accuracy without looking, %", without_looking(leaks, "collection and target"))] if leaks else []

"""One target of a collection, cleaned, filtered and split: what a run trains on, and what leaks across its splits."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keras_art.collection import BadCollection, Collection

if TYPE_CHECKING:
    import pandas as pd

# What the Rijksmuseum, and Dutch collections after it, write for "we do not know".
BLANKS = {"", "anoniem", "onbekend", "unknown"}
RULES = ("given", "stratified", "random")


@dataclass(frozen=True)
class Choice:
    """The images a study is about, before any of them is opened: one target, blanks dropped, capped.

    Attributes:
        table: the collection's columns and `target`, one row per image, sorted by id.
        rule: "given", "stratified" or "random".
        class_filter: keep only the classes present in all three splits.
        dropped: label text -> how many images it cost (blanks), for the report.
        digest: eight hex digits of the ids, labels, given splits and file sizes, and of how they are to be split.
    """

    name: str
    target: str
    table: pd.DataFrame
    rule: str
    split_seed: int
    class_filter: bool
    dropped: dict[str, int]
    digest: str

    @property
    def key(self) -> str:
        """`NAME-DIGEST`, the name of this choice in a store."""
        return f"{self.name}-{self.digest}"


@dataclass(frozen=True)
class Task:
    """A choice whose images have been read and split.

    Attributes:
        table: columns id, path, split ("train", "val", "test"), the collection's own label columns, and label, the
            index into `classes`; sorted by id.
        classes: label texts in alphabetical order.
        dropped_classes: classes that the filter removed -> how many images they had.
    """

    key: str
    target: str
    table: pd.DataFrame
    classes: list[str]
    dropped_classes: dict[str, int]

    @property
    def size(self) -> int:
        """N_t of the paper's Table 1."""
        return len(self.table)


def choose(
    collection: Collection,
    target: str | None,
    *,
    rule: str = "auto",
    split_seed: int = 0,
    class_filter: bool = True,
    limit: int = 0,
) -> Choice:
    """Takes one label column of a collection.

    Args:
        target: the label column; may be None when there is only one.
        rule: "given" (the collection's own split), "stratified" or "random" (80/10/10), or "auto": given where there
            is one, else stratified.
        split_seed: moves the split and the choice of `limit`.
        class_filter: keep only the classes present in all three splits, as the paper does.
        limit: keep at most so many images, the classes' shares kept (0: all).

    Raises:
        BadCollection: no such target, no given split, or fewer than two classes.
    """
    if target is None:
        if not collection.targets:
            raise BadCollection(f"{collection.name} has no label column: add one to its table")
        if len(collection.targets) > 1:
            raise BadCollection(
                f"{collection.name} has the label columns {', '.join(collection.targets)}: choose one with --target"
            )
        target = collection.targets[0]
    if target not in collection.targets:
        near = difflib.get_close_matches(target, collection.targets, n=1)
        hint = f": did you mean {near[0]!r}?" if near else ""
        raise BadCollection(
            f"{collection.name} has no label column {target!r}; it has {', '.join(collection.targets) or 'none'}{hint}"
        )
    table = collection.table.assign(target=collection.table[target].str.strip())
    blank = _blank(table["target"])
    dropped = {str(text) or "(blank)": int(n) for text, n in table["target"][blank].value_counts().items()}
    table = table[~blank]
    sizes = {str(name) or "(none)": int(n) for name, n in table["split"].value_counts().items()}
    if rule == "auto":
        rule = "given" if set(sizes) - {"(none)"} else "stratified"
    if rule == "given" and ("(none)" in sizes or not {"train", "test"} <= set(sizes)):
        found = ", ".join(f"{name} {n}" for name, n in sizes.items())
        raise BadCollection(
            f"{collection.name} brings no whole split of its own ({found}): every image needs train, val or test in a "
            f"column 'split' (val may be left out, it is then taken from train), or use --split stratified"
        )
    if 0 < limit < len(table):
        strata = ["target", "split"] if rule == "given" else ["target"]
        floor = 3 if rule != "given" else 2 if "val" not in sizes else 1
        table = table.loc[_capped(table, strata, limit, split_seed, floor)].sort_values("id")
    if (classes := table["target"].nunique()) < 2:
        raise BadCollection(
            f"{collection.name}: the column {target!r} holds {classes} class{'es' * (classes != 1)} with images; "
            f"a classifier needs two"
        )
    table = table.reset_index(drop=True)
    words = table[["id", "target", "split", "bytes"]].to_csv(index=False, lineterminator="\n")
    settings = f"{target}|{rule}|{split_seed}|{class_filter}"
    digest = hashlib.sha256(f"{settings}\n{words}".encode()).hexdigest()[:8]
    return Choice(collection.name, target, table, rule, split_seed, class_filter, dropped, digest)


def _blank(labels: pd.Series) -> pd.Series:
    return labels.str.strip().str.lower().isin(BLANKS)


def _capped(table: pd.DataFrame, strata: list[str], limit: int, seed: int, floor: int) -> pd.Index:
    """The index labels of `limit` rows: `floor` of each stratum, large classes first, then shares in proportion."""
    shuffled = table[["target", "split"]].iloc[np.random.default_rng(seed).permutation(len(table))]
    groups = shuffled.groupby(strata)["target"]
    rank = (groups.cumcount() - (floor - 1)).clip(lower=0) / groups.transform("size")
    size = shuffled.groupby("target")["target"].transform("size")
    return shuffled.assign(rank=rank, smallness=-size).sort_values(["rank", "smallness", "target"]).index[:limit]


def split(choice: Choice, readable: Sequence[bool]) -> Task:
    """Splits what could be read of a choice.

    Args:
        readable: one truth value per row of `choice.table`.

    Raises:
        BadCollection: a split stays empty, or fewer than two classes are left.
    """
    table = choice.table[np.asarray(readable, bool)].drop(columns="bytes")
    if choice.rule == "random":
        table["split"] = _random(len(table), choice.split_seed)
    elif choice.rule == "stratified":
        table["split"] = _stratified(table["target"], choice.split_seed)
    elif not (table["split"] == "val").any():
        # A train and a test split only: a ninth of train becomes val, which leaves test untouched.
        train = table["split"] == "train"
        table.loc[train, "split"] = _stratified(table["target"][train], choice.split_seed, shares=(1 / 9, 0))
    dropped: dict[str, int] = {}
    if choice.class_filter:
        present = table.groupby("target")["split"].nunique()
        counts = table["target"].value_counts()
        dropped = {str(name): int(counts[name]) for name in present.index[present < 3]}
        table = table[~table["target"].isin(list(dropped))]
    classes = sorted(table["target"].unique())
    if len(classes) < 2 or table["split"].nunique() < 3:
        raise BadCollection(
            f"{choice.name}: {len(classes)} class{'es' * (len(classes) != 1)} of {choice.target!r} left, "
            f"{len(dropped)} dropped because they do not occur in all of train, val and test; two are needed. "
            f"A class needs at least three images that can be read, one for each split"
        )
    index = {name: i for i, name in enumerate(classes)}
    table["label"] = table.pop("target").map(index)
    return Task(choice.key, choice.target, table.reset_index(drop=True), classes, dropped)


def _random(n: int, seed: int) -> np.ndarray:
    """80/10/10 by the calls of the code the paper released: 20% off, then halved, both with the same seed."""
    from sklearn.model_selection import train_test_split

    if n < 10:
        raise BadCollection(f"{n} images are too few for a random 80/10/10 split")
    _, rest = train_test_split(np.arange(n), test_size=0.2, random_state=seed)
    val, test = train_test_split(rest, test_size=0.5, random_state=seed)
    splits = np.full(n, "train", dtype=object)
    splits[val], splits[test] = "val", "test"
    return splits


def _stratified(labels: pd.Series, seed: int, shares: tuple[float, float] = (0.1, 0.1)) -> np.ndarray:
    """Each class shared out on its own; with three images or more it has at least one in each split.

    Args:
        shares: of val and test; 0 leaves that split out.
    """
    rng = np.random.default_rng(seed)
    splits = np.full(len(labels), "train", dtype=object)
    for rows in labels.groupby(labels.to_numpy()).indices.values():
        rows = rng.permutation(rows)
        val, test = (max(round(share * len(rows)), 1) if share else 0 for share in shares)
        if len(rows) > val + test:
            splits[rows[:val]], splits[rows[val : val + test]] = "val", "test"
    return splits


def label_overlap(ours: Sequence[str], theirs: Sequence[str]) -> float:
    """The share of our classes that another collection has too (Table 1's last column), in [0, 1]."""
    return len(set(ours) & set(theirs)) / len(set(ours))


def leak_report(task: Task, sha256: Sequence[str]) -> dict[str, float]:
    """What a classifier of this split could know without learning to see.

    Args:
        sha256: content hash of each image, in the order of `task.table`.

    Returns:
        Shares of the test images, in [0, 1]. `majority`: in the train split's largest class; `same_file`: whose very
        file also stands in train or val; and where the collection has a column `artist` that is not the target,
        `artist_in_train`: by a named artist of train, and `artist_rule`: labelled rightly by "this artist's majority
        label in train", no pixel seen, the majority class for artists unknown there. Ties go to the first class.
    """
    table = task.table.assign(sha256=list(sha256))
    train, test = (table[table["split"] == name] for name in ("train", "test"))
    majority = train["label"].mode()[0]
    report = {
        "majority": float((test["label"] == majority).mean()),
        "same_file": float(test["sha256"].isin(table["sha256"][table["split"] != "test"]).mean()),
    }
    if "artist" in table.columns and task.target != "artist":
        named = train[~_blank(train["artist"])].groupby(["artist", "label"], as_index=False).size()
        largest = named.sort_values(["size", "label"], ascending=[False, True]).drop_duplicates("artist")
        guess = test["artist"].map(largest.set_index("artist")["label"])
        report["artist_in_train"] = float(guess.notna().mean())
        report["artist_rule"] = float((guess.fillna(majority) == test["label"]).mean())
    return report

"""One target of a collection, cleaned, filtered and split: what a run trains on."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keras_art.data.grouping import Undefined, split_by_group
from keras_art.data.sources import BadCollection, Collection

if TYPE_CHECKING:
    import pandas as pd

# What the Rijksmuseum, and Dutch collections after it, write for "we do not know".
BLANKS = {"", "anoniem", "onbekend", "unknown", "unknown artist", "unknown genre"}
SPLIT_NAMES = ("train", "val", "test")
RULES = ("given", "stratified", "random", "artist_disjoint", "duplicate_disjoint")


@dataclass(frozen=True)
class Choice:
    """The images a study is about, before any of them is opened: one target, blanks dropped, capped.

    Attributes:
        table: the collection's columns and `target`, one row per image, sorted by id.
        rule: one of `RULES`.
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
            is one, else stratified; or 80/10/10 with all works of an artist ("artist_disjoint"), or all copies of an
            image ("duplicate_disjoint"), on one side.
        split_seed: moves the split and the choice of `limit`.
        class_filter: keep only the classes present in all three splits, as the paper does.
        limit: keep at most so many images, the classes' shares kept (0: all).

    Raises:
        BadCollection: no such target, no given split, no artists to keep apart, or fewer than two classes.
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
    if f"split_{target}" in table:  # a task with a split of its own
        table["split"] = table[f"split_{target}"]
    if rule == "artist_disjoint" and (target == "artist" or "artist" not in table):
        raise BadCollection(
            f"{collection.name} can not be split by artist: "
            + ("the artist is what is to be predicted" if target == "artist" else "it has no column 'artist'")
        )
    blank = unnamed(table["target"])
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


def unnamed(labels: pd.Series) -> pd.Series:
    """Which labels say that nothing is known."""
    return labels.str.strip().str.lower().isin(BLANKS)


def _capped(table: pd.DataFrame, strata: list[str], limit: int, seed: int, floor: int) -> pd.Index:
    """The index labels of `limit` rows: `floor` of each stratum, large classes first, then shares in proportion."""
    shuffled = table[["target", "split"]].iloc[np.random.default_rng(seed).permutation(len(table))]
    groups = shuffled.groupby(strata)["target"]
    rank = (groups.cumcount() - (floor - 1)).clip(lower=0) / groups.transform("size")
    size = shuffled.groupby("target")["target"].transform("size")
    return shuffled.assign(rank=rank, smallness=-size).sort_values(["rank", "smallness", "target"]).index[:limit]


def split(choice: Choice, readable: Sequence[bool], duplicates: np.ndarray | None = None) -> Task:
    """Splits what could be read of a choice.

    Args:
        readable: one truth value per row of `choice.table`.
        duplicates: for "duplicate_disjoint", the group of look-alikes of each readable row, as `near_groups` gives it.

    Raises:
        BadCollection: a split stays empty, fewer than two classes are left, or groups can not be kept apart.
    """
    table = choice.table[np.asarray(readable, bool)].drop(columns="bytes")
    if choice.rule == "random":
        table["split"] = _random(len(table), choice.split_seed)
    elif choice.rule == "stratified":
        table["split"] = _stratified(table["target"], choice.split_seed)
    elif choice.rule == "artist_disjoint":
        table["split"] = _grouped(choice, table["target"], _artists(table["artist"]), "artist")
    elif choice.rule == "duplicate_disjoint":
        if duplicates is None:
            raise ValueError("duplicate_disjoint needs the groups of look-alikes")
        table["split"] = _grouped(choice, table["target"], duplicates, "different picture")
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


def _grouped(choice: Choice, labels: pd.Series, groups: np.ndarray, what: str) -> np.ndarray:
    codes, names = labels.factorize(sort=True)
    try:
        return split_by_group(codes, groups, list(names), what, choice.split_seed)
    except Undefined as error:
        raise BadCollection(
            f"{choice.name}: {choice.rule} is not defined for {choice.target!r}: {error}. Leave classes out with "
            f"python -m keras_art curate DATA --target {choice.target} --min_artists 3, or split --split stratified"
        ) from error


def _artists(artists: pd.Series) -> np.ndarray:
    """A number for each artist; who is not named is one of his own, for nobody can say whose other works he made."""
    codes = artists.mask(unnamed(artists)).factorize()[0]
    nameless = codes < 0
    codes[nameless] = codes.max(initial=-1) + 1 + np.arange(nameless.sum())
    return codes


def label_overlap(ours: Sequence[str], theirs: Sequence[str]) -> float:
    """The share of our classes that another collection has too (Table 1's last column), in [0, 1]."""
    return len(set(ours) & set(theirs)) / len(set(ours))

"""A choice cut in three: what a run trains on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_art.data.choices import Choice, unnamed
from keras_art.data.grouping import Undefined, joined, split_by_group
from keras_art.data.sources import BadCollection

if TYPE_CHECKING:
    import pandas as pd

SPLIT_NAMES = ("train", "val", "test")


@dataclass(frozen=True)
class Task:
    """A choice whose images have been read and split.

    Attributes:
        targets: as in `Choice`.
        images: `id`, `path`, `object`, `split` ("train", "val", "test", or "" for all of a clustering's) and `label`,
            the index into `classes` (-1 where there are none); sorted by id.
        columns: the collection's own columns, of the same rows.
        root: what `path` is relative to.
        classes: label texts in alphabetical order.
        dropped_classes: classes that the filter removed -> how many images they had.
    """

    key: str
    targets: tuple[str, ...]
    images: pd.DataFrame
    columns: pd.DataFrame
    root: Path
    classes: list[str]
    dropped_classes: dict[str, int]

    @property
    def target(self) -> str:
        """The label column of a task that has one."""
        (target,) = self.targets
        return target

    @property
    def size(self) -> int:
        """N_t of the paper's Table 1."""
        return len(self.images)


def split(choice: Choice, readable: Sequence[bool], duplicates: np.ndarray | None = None) -> Task:
    """Splits what could be read of a choice.

    Args:
        readable: one truth value per row of `choice.images`.
        duplicates: for "duplicate_disjoint", the group of look-alikes of each readable row, as `near_groups` gives it.

    Raises:
        BadCollection: a split stays empty, fewer than two classes are left, or groups can not be kept apart.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from keras_art.atelier import make_atelier
    >>> from keras_art.data.choices import choose
    >>> from keras_art.data.sources import load_collection
    >>> folder = make_atelier(Path(tempfile.mkdtemp()) / "atelier", images=100, image_size=32)
    >>> choice = choose(load_collection(folder), "style")
    >>> task = split(choice, [True] * len(choice.images))
    >>> task.classes[0], int((task.images["split"] == "train").sum())
    ('colour field', 80)
    """
    kept = np.asarray(readable, bool)
    images, columns = choice.images[kept].drop(columns=["bytes", "sha256"], errors="ignore"), choice.columns[kept]
    labels, dropped, classes = images["class"], {}, []
    if choice.rule == "random":
        images["split"] = _random(len(images), choice.split_seed)
    elif choice.rule == "stratified":
        images["split"] = _stratified(labels, choice.split_seed)
    elif choice.rule == "object_disjoint":
        images["split"] = _by_object(choice, labels, images["object"].factorize()[0])
    elif choice.rule == "artist_disjoint":
        images["split"] = _grouped(choice, labels, _artists(columns["artist"]), "artist")
    elif choice.rule == "duplicate_disjoint":
        if duplicates is None:
            raise ValueError("duplicate_disjoint needs the groups of look-alikes")
        groups = joined(np.asarray(duplicates), images["object"].factorize()[0])
        images["split"] = _grouped(choice, labels, groups, "different picture")
    elif choice.rule == "given" and not (images["split"] == "val").any():
        # A train and a test split only: a ninth of train becomes val, which leaves test untouched.
        train = images["split"] == "train"
        images.loc[train, "split"] = _stratified(labels[train], choice.split_seed, shares=(1 / 9, 0))
    absent = lacking(images["class"], images["split"])
    if choice.class_filter:
        counts = labels.value_counts()
        dropped = {str(name): int(counts[name]) for name in absent}
        images = images[~labels.isin(list(dropped))]
    if choice.rule != "whole":
        classes = sorted(images["class"].unique())
        trained = images["class"][images["split"] == "train"].unique()
        if len(classes) > len(trained) == 1:
            raise BadCollection(
                f"{choice.name}: all training images are of the class {trained[0]!r}; a classifier needs two"
            )
        if len(classes) < 2 or images["split"].nunique() < 3:
            left = len(set(classes) - set(absent))  # whether the others are filtered or not
            raise BadCollection(
                f"{choice.name}: {left} class{'es' * (left != 1)} of "
                f"{' or '.join(map(repr, choice.targets))} left, {len(absent)} dropped because they do not occur in "
                f"all of train, val and test; two are needed. "
                + (
                    f"In the split that it brings, {not_in(absent)}: add images there, or use --split stratified"
                    if choice.rule == "given"
                    else f"A class needs at least three {'objects with ' * (choice.rule == 'object_disjoint')}images "
                    f"that can be read, one for each split"
                )
            )
    index = {name: i for i, name in enumerate(classes)}
    columns = columns.loc[images.index].reset_index(drop=True)
    images = images.drop(columns="class").assign(label=[index.get(text, -1) for text in images["class"]])
    images = images.reset_index(drop=True).astype({"label": "int64"})
    return Task(choice.key, choice.targets, images, columns, choice.root, classes, dropped)


def in_words(facts: Mapping[str, Any]) -> str:
    """How a task was split, by its `task.json`: `stratified split, seed 0`."""
    taken = ", validation images taken out of train" if facts.get("val_from_train") else ""
    return f"{facts['rule']} split{taken}, seed {facts['split_seed']}"


def lacking(classes: pd.Series, split: pd.Series, wanted: Sequence[str] = SPLIT_NAMES) -> dict[str, list[str]]:
    """The classes that do not occur in every split -> the splits that have none of their images."""
    found = split.groupby(classes).agg(set)
    absent = {str(name): [part for part in wanted if part not in parts] for name, parts in found.items()}
    return {name: parts for name, parts in absent.items() if parts}


def not_in(absent: dict[str, list[str]], most: int = 5) -> str:
    """What `lacking` found, in words: `mosaic not in val, fresco not in train and test`."""
    words = [f"{name} not in {' and '.join(parts)}" for name, parts in list(absent.items())[:most]]
    return ", ".join(words) + ", ..." * (len(absent) > most)


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
        how = ""
        if what == "artist":  # curation's own bounds are of a collection as large as WikiArt's
            how = (
                f" with python -m keras_art curate DATA --target {shlex.quote(choice.targets[0])} --min_artists 3 "
                f"--min_style 0 --top_styles 0 --min_artist 0 --top_artists 0 --out FOLDER"
            )
        raise BadCollection(
            f"{choice.name}: {choice.rule} is not defined for {' or '.join(map(repr, choice.targets))}: {error}. "
            f"Leave such classes out{how}, or split --split stratified"
        ) from error


def _by_object(choice: Choice, labels: pd.Series, objects: np.ndarray) -> np.ndarray:
    """All views of an object on one side; an object of classes that have fewer than three goes to train."""
    of_class = labels.groupby(labels.to_numpy()).groups
    large = [name for name, rows in of_class.items() if len(np.unique(objects[labels.index.get_indexer(rows)])) >= 3]
    shared = labels.isin(large).to_numpy()
    if not shared.any():
        return np.full(len(labels), "train", dtype=object)
    numbers = np.unique(objects[shared], return_inverse=True)[1]
    split = _grouped(choice, labels[shared], numbers, "object")
    of_object = dict(zip(objects[shared], split, strict=True))
    return np.array([of_object.get(number, "train") for number in objects], dtype=object)


def _artists(artists: pd.Series) -> np.ndarray:
    """A number for each artist; who is not named is one of his own, for nobody can say whose other works he made."""
    codes = artists.mask(unnamed(artists)).factorize()[0]
    nameless = codes < 0
    codes[nameless] = codes.max(initial=-1) + 1 + np.arange(nameless.sum())
    return codes


def label_overlap(ours: Sequence[str], theirs: Sequence[str]) -> float:
    """The share of our classes that another collection has too (Table 1's last column), in [0, 1]."""
    return len(set(ours) & set(theirs)) / len(set(ours))

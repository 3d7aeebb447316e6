"""What a study takes of a collection, before any picture is opened: a target, its classes, how they are to be split."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_art import terminal
from keras_art.data.collection import BadCollection, Collection, located
from keras_art.writing import one_line, slug

if TYPE_CHECKING:
    import pandas as pd

# What the Rijksmuseum, and Dutch collections after it, write for "we do not know".
BLANKS = {"", "anoniem", "onbekend", "unknown", "unknown artist", "unknown genre"}
ADD_LABELS = (
    "put its pictures into one folder for each class, or name them in a table with a column of labels. Without labels "
    "reproductions.dcec_paint groups them by how they look"
)
DATE = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d+)?)?")  # as readers of spreadsheets write one
RULES = ("given", "stratified", "random", "object_disjoint", "artist_disjoint", "duplicate_disjoint")


@dataclass(frozen=True)
class Choice:
    """The images a study is about, before any of them is opened.

    Attributes:
        name: of the collection.
        targets: the label columns that are to be learnt; none where the images are to be clustered.
        images: the collection's `id`, `path`, `object`, `split` and `bytes`; `class`, the text by which they are
            split, "" where there are no targets; and `sha256` once `opening.identified` has looked; one row per image,
            sorted by id.
        columns: its own columns, of the same rows.
        root: what `path` is relative to.
        rule: one of `RULES`, or "whole".
        class_filter: keep only the classes present in all three splits.
        dropped: label text -> how many images it cost (blanks), for the report.
        digest: eight hex digits of the ids, labels, given splits and file sizes, and of how they are to be split;
            and, of an identified choice, of what the files hold.
        limit: at most so many images were asked for (0: all).
    """

    name: str
    targets: tuple[str, ...]
    images: pd.DataFrame
    columns: pd.DataFrame
    root: Path
    rule: str
    split_seed: int
    class_filter: bool
    dropped: dict[str, int]
    digest: str
    limit: int = 0

    @property
    def key(self) -> str:
        """`NAME-DIGEST`, the name of this choice in a store."""
        return f"{slug(self.name)}-{self.digest}"

    def paths(self) -> list[str]:
        """Where each image lies, or lay."""
        return located(self.root, self.images["path"].tolist())

    @property
    def target(self) -> str:
        """The label column of a choice that has one."""
        (target,) = self.targets
        return target


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
        rule: "given" (the collection's own split), "stratified" or "random" (80/10/10); or 80/10/10 with all views of
            an object ("object_disjoint"), all works of an artist ("artist_disjoint"), or all copies of an image and all
            views of an object ("duplicate_disjoint") on one side; or "auto": given where there is one, else
            object_disjoint where objects have several images and two classes three objects, else stratified.
        split_seed: moves the split and the choice of `limit`.
        class_filter: keep only the classes present in all three splits, as the paper does.
        limit: keep at most so many images, the classes' shares kept (0: all).

    Raises:
        BadCollection: no such target, no given split, no artists to keep apart, or fewer than two classes.

    >>> import tempfile
    >>> from keras_art.atelier import make_atelier
    >>> from keras_art.data.sources import load_collection
    >>> folder = make_atelier(Path(tempfile.mkdtemp()) / "atelier", images=100, image_size=32)
    >>> choice = choose(load_collection(folder), "style")
    >>> choice.rule, len(choice.images)
    ('stratified', 100)
    """
    if target is None:
        if not (found := of_classes(collection)):
            raise BadCollection(f"{collection.name} has no label column: {ADD_LABELS}")
        if len(found) > 1:
            raise BadCollection(f"{collection.name} has the label columns {', '.join(found)}: choose one with --target")
        target = found[0]
        if others := [name for name in collection.targets if name != target]:
            why = why_no_classes(collection.columns[others[0]])
            terminal.say(f"{collection.name}: the classes are those of {target!r}; the column {others[0]!r} {why}")
    check_target(collection, target)
    if target in collection.splits:
        own = collection.images.assign(split=collection.splits[target])
        collection = replace(collection, images=own)
    how = Rule(rule, split_seed, class_filter, limit)
    return choose_by(collection, (target,), collection.columns[target].str.strip(), how)


def with_artists(collection: Collection, column: str, targets: Sequence[str | None] = ()) -> Collection:
    """The same collection with its artists in a column `artist`, where every room looks for them.

    Args:
        column: which has them; "" or "artist": the one that is called so, if there is one.
        targets: what is to be learnt; where that is the artists, nothing is known of them beside it.

    Raises:
        BadCollection: there is no such column.
    """
    if column in ("", "artist"):
        return collection
    check_target(collection, column, "; --artist names the column of artists")
    if column in targets:
        return collection
    return replace(collection, columns=collection.columns.assign(artist=collection.columns[column]))


def check_target(collection: Collection, target: str, hint: str = "") -> None:
    """Refuses a label column that is not there, or has no classes.

    Raises:
        BadCollection: naming those that are, the nearest first, and what `hint` says.
    """
    names = ", ".join(map(one_line, of_classes(collection))) or f"none: {ADD_LABELS}"
    if target not in collection.targets:
        near = difflib.get_close_matches(target, collection.targets, n=1)
        meant = f": did you mean {near[0]!r}?" if near else ""
        raise BadCollection(f"{collection.name} has no label column {target!r}; it has {names}{hint}{meant}")
    if why := why_no_classes(collection.columns[target]):
        raise BadCollection(
            f"{collection.name}: the column {target!r} {why}, which are no classes; it has {names}{hint}"
        )


def of_classes(collection: Collection) -> list[str]:
    """The label columns that may hold classes."""
    return [name for name in collection.targets if not why_no_classes(collection.columns[name])]


def why_no_classes(texts: pd.Series) -> str:
    """What a label column holds that can be no classes, in words; "" where it holds classes."""
    known = texts[texts != ""].unique()
    dates = [text for text in known if DATE.fullmatch(text)]
    if len(known) and 2 * len(dates) <= len(known):
        return ""
    return f"holds dates, such as {dates[0]}" if dates else "holds blanks alone"


@dataclass(frozen=True)
class Rule:
    """How a choice is cut and split; see `choose`."""

    name: str
    seed: int
    class_filter: bool
    limit: int


def choose_by(
    collection: Collection, targets: tuple[str, ...], classes: pd.Series, how: Rule, words: str = ""
) -> Choice:
    """Takes the images whose class, a text for each, is known.

    Args:
        words: what the digest is to depend on beside ids, classes, splits, sizes and the rule.

    Raises:
        BadCollection: as `choose`.
    """
    artists = "artist" in collection.targets
    if how.name == "artist_disjoint" and (targets == ("artist",) or not artists):
        raise BadCollection(
            f"{collection.name} can not be split by artist: "
            + (
                "the artist is what is to be predicted"
                if artists
                else f"it has no column 'artist'; --artist names it, of {', '.join(map(one_line, collection.targets))}"
            )
        )
    images = collection.images.assign(**{"class": classes})
    blank = unnamed(classes)
    dropped = {str(text) or "(blank)": int(n) for text, n in classes[blank].value_counts().items()}
    images = images[~blank]
    names = images["class"].drop_duplicates()
    for _, alike in names.groupby(names.str.casefold()):
        if len(alike) > 1:
            terminal.say(
                f"{collection.name}: the classes {' and '.join(map(repr, sorted(alike)))} differ in upper and lower "
                f"case alone, and are kept apart"
            )
    sizes = {str(name) or "(none)": int(n) for name, n in images["split"].value_counts().items()}
    rule = how.name
    if rule == "auto":
        objects = images.groupby("class")["object"].nunique()
        apart = images["object"].duplicated().any() and (objects >= 3).sum() >= 2
        rule = "given" if set(sizes) - {"(none)"} else "object_disjoint" if apart else "stratified"
    if rule == "given" and ("(none)" in sizes or not {"train", "test"} <= set(sizes)):
        found = ", ".join(f"{name} {n}" for name, n in sizes.items())
        raise BadCollection(
            f"{collection.name} brings no whole split of its own ({found}): every image needs train, val or test in a "
            f"column 'split' (val may be left out, it is then taken from train), or use --split stratified"
        )
    if 0 < how.limit < len(images):
        strata = ["class", "split"] if rule == "given" else ["class"]
        floor = 3 if rule != "given" else 2 if "val" not in sizes else 1
        images = images.loc[_capped(images, strata, how.limit, how.seed, floor)].sort_values("id")
    if (count := images["class"].nunique()) < 2:
        raise BadCollection(
            f"{collection.name}: the column {' or '.join(map(repr, targets))} holds {count} "
            f"class{'es' * (count != 1)} with images; a classifier needs two"
        )
    columns = collection.columns.loc[images.index].reset_index(drop=True)
    images = images.reset_index(drop=True)
    texts = columns[list(targets)].to_numpy().tolist() if len(targets) > 1 else []
    settings = json.dumps([targets, rule, how.seed, how.class_filter, words, texts])
    return Choice(
        collection.name, targets, images, columns, collection.root, rule, how.seed, how.class_filter, dropped,
        _digest(settings, images), how.limit,
    )  # fmt: skip


def choose_all(collection: Collection, limit: int = 0, seed: int = 0) -> Choice:
    """Takes every image, labelled or not, or `limit` of them drawn at random: nothing to learn, nothing to split.

    The digest depends on the label columns too, for a clustering is compared with them.
    """
    if 0 < limit < len(collection.images):
        collection = collection.take(np.sort(np.random.default_rng(seed).permutation(len(collection.images))[:limit]))
    images = collection.images.assign(**{"split": "", "class": ""})
    words = json.dumps(["whole", collection.targets, collection.columns.to_numpy().tolist()])
    return Choice(
        collection.name, (), images, collection.columns, collection.root, "whole", seed, False, {},
        _digest(words, images), limit,
    )  # fmt: skip


def _digest(words: str, images: pd.DataFrame) -> str:
    rows = images[["id", "class", "split", "bytes"]].to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(f"{words}\n{rows}".encode()).hexdigest()[:8]


def unnamed(labels: pd.Series) -> pd.Series:
    """Which labels say that nothing is known."""
    return labels.str.strip().str.lower().isin(BLANKS)


def _capped(images: pd.DataFrame, strata: list[str], limit: int, seed: int, floor: int) -> pd.Index:
    """The index labels of `limit` rows: `floor` of each stratum, large classes first, then shares in proportion."""
    shuffled = images[["class", "split"]].iloc[np.random.default_rng(seed).permutation(len(images))]
    groups = shuffled.groupby(strata)["class"]
    rank = (groups.cumcount() - (floor - 1)).clip(lower=0) / groups.transform("size")
    size = shuffled.groupby("class")["class"].transform("size")
    return shuffled.assign(rank=rank, smallness=-size).sort_values(["rank", "smallness", "class"]).index[:limit]

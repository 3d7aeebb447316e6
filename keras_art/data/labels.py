"""Several label columns of the same images at once; a label that is missing is -1 and masked, its image stays."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_art.data import leaks
from keras_art.data.choices import Choice, Rule, check_target, choose_by, unnamed
from keras_art.data.sources import BadCollection, Collection
from keras_art.data.splits import Task
from keras_art.data.tasks import Ready
from keras_art.store.reading import read_json
from keras_art.store.runs import Store
from keras_art.store.sums import write_sealed

if TYPE_CHECKING:
    import pandas as pd

MISSING = -1


@dataclass(frozen=True)
class Labels:
    """The label columns of a task's images.

    Attributes:
        classes: column -> its class names, alphabetically.
        index: (images, columns) int32, in the order of the task's table and of `classes`; `MISSING` where unknown.
        left_out: column -> class -> how many images have it, for classes that were masked.
    """

    classes: dict[str, list[str]]
    index: np.ndarray
    left_out: dict[str, dict[str, int]]

    def column(self, target: str) -> np.ndarray:
        """One column's labels, (images,) int32."""
        return self.index[:, list(self.classes).index(target)]


def choose_columns(
    collection: Collection,
    targets: Sequence[str],
    *,
    rule: str = "auto",
    split_seed: int = 0,
    limit: int = 0,
    min_images: int = 1,
) -> Choice:
    """Takes the images that have a label in at least one of several columns, with one split for all of them.

    A stratified split goes by the first column, and by the next where that one is blank.

    Args:
        min_images: classes with fewer images count as missing labels.

    Raises:
        BadCollection: a column is absent, or leaves fewer than two classes of `min_images`.
    """
    for target in targets:
        check_target(collection, target, ". Name the columns with --targets")
    texts = {target: _known(collection.columns[target], min_images) for target in targets}
    for target in targets:
        if (left := texts[target][texts[target] != ""].nunique()) < 2:
            sizes = collection.columns[target].value_counts()
            raise BadCollection(
                f"{collection.name}: {left} class{'es' * (left != 1)} of {target!r} with at least {min_images} images; "
                f"two are needed. The largest are {', '.join(f'{name} {n}' for name, n in sizes.head(5).items())}: "
                f"lower --min_images"
            )
    first = texts[targets[0]].copy()
    for target in targets[1:]:
        # Marked with the column's name, so that an artist never shares a stratum with a style.
        first = first.mask(first == "", texts[target].where(texts[target] == "", f"{target}: " + texts[target]))
    columns = collection.columns.copy()
    for target in targets:
        columns[target] = texts[target]
    how = Rule(rule, split_seed, class_filter=False, limit=limit)
    return choose_by(dataclasses.replace(collection, columns=columns), tuple(targets), first, how, str(min_images))


def _known(column: pd.Series, min_images: int) -> pd.Series:
    """Texts, "" where nothing is known or the class is too small."""
    column = column.str.strip()
    column = column.mask(unnamed(column), "")
    return column.mask(column.map(column.value_counts()) < min_images, "")


def read_labels(task: Task, targets: Sequence[str]) -> Labels:
    """The label columns of a task, as indices.

    A class counts where it occurs in train, val and test: one that the model never saw can not be got right, and one
    that is never tested says nothing. Its images stay, with that label masked.

    Raises:
        BadCollection: fewer than two classes of a column occur in all three splits.
    """
    classes, left_out, columns = {}, {}, []
    for target in targets:
        texts = task.columns[target]
        known = texts[texts != ""]
        parts = task.images["split"].groupby(known).nunique()
        classes[target] = sorted(parts.index[parts == 3])
        sizes = known.value_counts()
        left_out[target] = {str(name): int(sizes[name]) for name in sorted(parts.index[parts < 3])}
        if len(classes[target]) < 2:
            raise BadCollection(
                f"{len(classes[target])} class{'es' * (len(classes[target]) != 1)} of {target!r} in all of train, val "
                f"and test, {len(left_out[target])} are not; two are needed. Use --split stratified, or another column"
            )
        places = {name: i for i, name in enumerate(classes[target])}
        columns.append(texts.map(places).fillna(MISSING).astype("int32"))
    return Labels(classes, np.stack(columns, axis=1), left_out)


def prepare(store: Store, ready: Ready, targets: Sequence[str]) -> Labels:
    """Reads the labels of a task that is ready, and writes `collections/NAME-DIGEST/labels.json` beside its table.

    There stand, for each column, its classes, what was left out, how many test images have a label, and its leak
    report.

    Raises:
        BadCollection: as `read_labels`.
    """
    labels = read_labels(ready.task, targets)
    facts = {}
    for target, classes in labels.classes.items():
        index = labels.column(target)
        known = index >= 0
        table = ready.task.images[known].assign(label=index[known])
        hashes = [sha256 for sha256, labelled in zip(ready.sha256, known, strict=True) if labelled]
        facts[target] = {
            "classes": classes,
            "left_out": labels.left_out[target],
            "labelled": {part: int((table["split"] == part).sum()) for part in ("train", "val", "test")},
            "leaks": leaks.leak_report(table, target, ready.task.columns.get("artist"), sha256=hashes),
        }
    text = json.dumps(facts, indent=1, ensure_ascii=False)
    write_sealed(store.root / "collections" / ready.task.key, {"labels.json": text.encode()})
    return labels


def facts(store: Store, key: str) -> dict[str, dict[str, Any]]:
    """What `prepare` wrote of each label column.

    Raises:
        Damaged: the file is absent, or can not be read.
    """
    path = store.root / "collections" / key / "labels.json"
    return read_json(path, "move it away, and the study that made it writes it anew")


def describe(store: Store, key: str) -> str:
    """The label columns for a person, in a line or two each, before anything is trained on them."""
    lines = []
    for target, found in facts(store, key).items():
        counts, leak = found["labelled"], found["leaks"]
        sizes = ", ".join(f"{part} {n:,}" for part, n in counts.items())
        line = f"  {target}: {len(found['classes'])} classes; labelled in {sizes}"
        if found["left_out"]:
            line += "; masked, not in all three splits: "
            line += ", ".join(f"{name} {n}" for name, n in found["left_out"].items())
        line += f"\n    {leaks.told(leak)}"
        lines.append(line)
    return "\n".join(lines)

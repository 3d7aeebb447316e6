"""A choice made ready in a store: its images decoded, its splits and its quarantine written down, its pixels at hand.

Once that is done the store stands alone: pixels are found by the content of the files that they were decoded from, and
a file is looked for again only where the store has no pixels of it at the size that is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_art.data import kept, leaks, splits
from keras_art.data.choices import Choice
from keras_art.data.collection import BadCollection, Collection, counted, located
from keras_art.pictures import lookalikes
from keras_art.pictures.contents import sha256_of
from keras_art.pictures.decoded import ImageStore, stored_images
from keras_art.pictures.images import Unreadable, enlarged, load_photo
from keras_art.store.runs import Store, StoreError
from keras_art.writing import one_line, write_csv

Progress = Callable[[int, int], None]
CHANGED = "another picture stands there now"


@dataclass(frozen=True)
class Ready:
    """A task whose pixels are at hand.

    Attributes:
        task: the images with split and label, and the collection's own columns.
        pixels: (stored rows, size, size, 3) uint8, memory-mapped; other collections' rows may be among them.
        rows: each image's row in `pixels`, in the order of `task.images`.
        sha256: each image's content hash.
    """

    task: splits.Task
    pixels: np.ndarray
    rows: np.ndarray
    sha256: list[str]

    def part(self, split: str) -> np.ndarray:
        """Positions in the table of one split's images."""
        return np.flatnonzero((self.task.images["split"] == split).to_numpy())

    def picture(self, position: int, longest: int) -> np.ndarray:
        """One image for a figure, by its position in the table, as its file has it.

        Returns:
            (height, width, 3) uint8, the longer of the two being `longest`; where the file is gone or another, the
            stored square.
        """
        (path,) = located(self.task.root, [self.task.images["path"].iloc[position]])
        try:
            if sha256_of(path) == self.sha256[position]:
                return load_photo(path, longest)
        except Unreadable:
            pass
        return enlarged(self.pixels[self.rows[position]], longest)


def prepare(
    store: Store, collection: Collection | None, choice: Choice, image_size: int, resize: str, progress: Progress
) -> Ready:
    """Decodes a choice's images, splits what could be read, and writes it down, as `kept` says.

    Args:
        collection: what it was taken from; None for a choice that the store holds, of which only pixels are made that
            are missing or no longer what they were.

    Raises:
        BadCollection: no image can be read, or fewer than two classes are left.
        StoreError: the store has split this choice before, when other images could be read; a file changes while it is
            read; or as `load`.
    """
    images = stored_images(store, image_size, resize)
    if collection is None:
        ready = load(store, choice.key, image_size, resize, progress)
        return _sound(ready, images, progress)
    paths = choice.paths()
    scan = images.scan(paths, progress)
    if wrong := images.wrong(scan["row"].to_numpy()):
        scan = images.scan(paths, progress, wrong=set(wrong))
    readable = (scan["row"] >= 0).to_numpy()
    quarantine = [
        *collection.quarantine.itertuples(index=False, name=None),
        *zip(choice.images["id"][~readable], scan["path"][~readable], scan["reason"][~readable], strict=True),
    ]
    folder = kept.folder_of(store, choice.key)
    write_csv(folder / "quarantine.csv", ["id", "path", "reason"], quarantine)
    if not readable.any():
        raise BadCollection(
            f"none of the {len(scan)} images of {collection.name} can be read; {folder / 'quarantine.csv'} says why"
        )
    if "sha256" in choice.images:
        other = readable & (scan["sha256"] != choice.images["sha256"].to_numpy())
        if other.any():
            raise StoreError(f"{scan['path'][other].iloc[0]} changed while it was read: give the same command again")
    alike = lookalikes.near_groups(scan["alike"].to_numpy()[readable])
    task = splits.split(choice, readable, alike)
    known = scan.set_index(choice.images["id"]).loc[task.images["id"]]
    sha256 = known["sha256"].tolist()
    notes = Counter(note for of_image in known["note"] for note in of_image.split("; ") if note)
    facts: dict[str, Any] = {"quarantined": len(quarantine), "notes": dict(notes.most_common())}
    if choice.rule == "given":
        facts["val_from_train"] = not (choice.images["split"] == "val").any()
    if task.targets:
        groups = dict(zip(choice.images["id"][readable], alike, strict=True))
        facts["leaks"] = leaks.leak_report(
            task.images,
            task.targets[0],
            task.columns.get("artist"),
            sha256=sha256,
            alike=task.images["id"].map(groups),
        )
    kept.keep(store, choice, task, sha256, facts)
    return Ready(task, images.pixels(), known["row"].to_numpy(np.int64), sha256)


def load(store: Store, key: str, image_size: int, resize: str, progress: Progress = lambda done, total: None) -> Ready:
    """A task that `prepare` has made ready; only images of which the store has no pixels are looked for and decoded.

    Raises:
        StoreError: `prepare` has not been here, or pixels are missing and the files they could be made of are gone.
    """
    task, sha256 = kept.task_of(store, key)
    images = stored_images(store, image_size, resize)
    rows = images.find(sha256)
    if (missing := np.flatnonzero(rows < 0)).size:
        rows[missing] = _decoded_again(images, task, sha256, missing, progress)
    return Ready(task, images.pixels(), rows, sha256)


def _sound(ready: Ready, images: ImageStore, progress: Progress) -> Ready:
    """The same with what does not agree with its checksum decoded anew."""
    if not (wrong := images.wrong(ready.rows)):
        return ready
    places = np.flatnonzero(np.isin(ready.rows, wrong))
    rows = ready.rows.copy()
    rows[places] = _decoded_again(images, ready.task, ready.sha256, places, progress, set(wrong))
    return Ready(ready.task, images.pixels(), rows, ready.sha256)


def _decoded_again(
    images: ImageStore,
    task: splits.Task,
    sha256: list[str],
    places: np.ndarray,
    progress: Progress,
    wrong: Container[int] = (),
) -> np.ndarray:
    """The rows of some images, decoded from the collection's own files.

    Raises:
        StoreError: one of them is gone, or another picture now.
    """
    scan = images.scan(located(task.root, task.images["path"].iloc[places]), progress, wrong=wrong)
    reasons = scan["reason"].mask((scan["row"] >= 0) & (scan["sha256"] != [sha256[i] for i in places]), CHANGED)
    if (bad := np.flatnonzero(reasons != "")).size:
        raise StoreError(
            f"{len(bad)} image{'s' * (len(bad) > 1)} of {task.key} must be decoded to {images.image_size} pixels, "
            f"{images.resize}, which the store lacks{' or has damaged' * bool(wrong)}, and can not, first "
            f"{scan['path'].iloc[bad[0]]} ({reasons.iloc[bad[0]]}): put them back, or take a size at which the store "
            f"has them"
        )
    return scan["row"].to_numpy(np.int64)


def describe(store: Store, key: str) -> str:
    """What a person should know of a task before anything is trained on it, in a few lines."""
    facts, folder = kept.facts_of(store, key), kept.folder_of(store, key)
    images = kept.table(store, key, "images.csv")
    sizes, whole = images["split"].value_counts(), counted(images)
    lines = [
        f"{key}: {' and '.join(map(one_line, facts['targets']))}, "
        f"{whole} in {len(facts['classes']):,} classes; "
        f"train {sizes.get('train', 0):,}, val {sizes.get('val', 0):,}, test {sizes.get('test', 0):,} "
        f"({splits.in_words(facts)})"
    ]
    if facts["dropped_labels"]:
        lines.append(
            "  left out, no label: " + ", ".join(f"{n:,} {text}" for text, n in facts["dropped_labels"].items())
        )
    if facts["dropped_classes"]:
        classes, images = len(facts["dropped_classes"]), sum(facts["dropped_classes"].values())
        largest = sorted(facts["dropped_classes"].items(), key=lambda item: -item[1])[:5]
        lines.append(
            f"  left out, not in all three splits: classes {classes:,}, images {images:,}, most of them "
            + ", ".join(f"{name} {count:,}" for name, count in largest)
        )
    if facts["quarantined"]:
        lines.append(f"  in quarantine: {facts['quarantined']:,}, see {folder / 'quarantine.csv'}")
    if facts["notes"]:
        lines.append("  as they were read: " + ", ".join(f"{n:,} x {note}" for note, n in facts["notes"].items()))
    if facts["rule"] == "whole":
        lines = [f"{key}: {whole}, to be clustered", *lines[1:]]
        return "\n".join(lines)
    leak = facts["leaks"]
    lines.append(f"  {leaks.told(leak)}")
    if "artist_in_train" in leak:
        lines[-1] += f" ({leak['artist_in_train']:.1%} of test images are by an artist of train)"
    for sentence in leaks.kinship(leak, "same_object"):
        lines.append(f"  leak: {sentence}; --split object_disjoint keeps its views together")
    lines += [f"  leak: {sentence}" for sentence in leaks.kinship(leak, "same_file", "near_duplicate")]
    return "\n".join(lines)

"""Masks or landmarks as a prior on attention: pictures of the works' own size, bright where it should look.

A column of the collection's table names them. Which mask belongs to which image a store keeps as a list of ids and
content hashes among its artefacts, which a run names; the masks' pixels lie beside those of all pictures, found by
content. So a store that was moved elsewhere trains without the files, and a run's digest depends on what they hold.

Masks are decoded by the one decoder and resized by the works' own rule. In training a mask is the fourth channel of its
image, and whatever moves pixels moves it too; a stylised image has its content's. Validation, tests and predictions
need none.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from keras_art import terminal
from keras_art.data.collection import located
from keras_art.errors import UserError
from keras_art.pictures.contents import stamp
from keras_art.pictures.decoded import ImageStore, stored_contents, stored_images
from keras_art.store import plain
from keras_art.store.reading import read_csv
from keras_art.store.runs import Store, StoreError
from keras_art.study.config import Artefact
from keras_art.study.files import artefact_path, content_artefact, keep_content, sound_artefact
from keras_art.writing import in_csv, one_line, slug

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.data.choices import Choice
    from keras_art.data.collection import Collection
    from reproductions.st_saclf.kinds import SaclfRun

REMEDY = "delete it, and give the study with --data and --prior again"


def paths_of(choice: Choice, column: str) -> dict[str, str]:
    """Id -> the absolute path of its mask, for the images of a choice whose cell names one, as their table does.

    Raises:
        UserError: there is no such column, or it is blank.
    """
    names = list(choice.columns)
    if column not in names:
        near = difflib.get_close_matches(column, names, n=1)
        raise UserError(
            f"--prior: {choice.name} has no column {column!r} that could name masks; it has "
            f"{', '.join(map(one_line, names)) or 'none'}{f': did you mean {near[0]!r}?' if near else ''}"
        )
    cells = choice.columns.iloc[:, names.index(column)].str.strip().str.replace("\\", "/")
    paths = located(choice.root, cells)
    found = {id_: path for id_, path in zip(choice.images["id"], paths, strict=True) if path}
    if not found:
        raise UserError(f"--prior: the column {column!r} of {choice.name} is blank: it names no mask")
    return found


def artefact_of(store: Store, collection: Collection | None, choice: Choice, column: str) -> tuple[Artefact, bytes]:
    """Which mask belongs to which image, as a store calls it and as it keeps it.

    Args:
        collection: None for a choice that the store holds: of masks that are gone it knows what they were.

    Raises:
        UserError: as `paths_of`, or a mask can not be read.
    """
    paths = paths_of(choice, column)
    with terminal.bar(f"looking what is in the column {one_line(column)}", "files") as progress:
        hashes = stored_contents(store).hashes(paths.values(), progress)
    absent = [path for path, sha256 in zip(paths.values(), hashes, strict=True) if not sha256]
    if collection is None:
        kept = _kept(store, column, dict(zip(paths, hashes, strict=True)))
        if len(kept) == 1 or (kept and not absent):
            return kept[0]
    if absent:
        raise UserError(
            f"--prior: {len(absent):,} of the {len(paths):,} masks that the column {column!r} of {choice.name} names "
            f"can not be read, first {absent[0]} ({stamp(absent[0])[1] or 'permission denied'}): paths are relative "
            f"to {choice.root}; an image without a mask has a blank cell"
        )
    content = in_csv(["id", "sha256"], zip(paths, hashes, strict=True))
    return content_artefact(column, content, ".csv"), content


def _kept(store: Store, column: str, now: Mapping[str, str]) -> list[tuple[Artefact, bytes]]:
    """The lists that a store keeps of a column and that say the same of these ids, "" being a mask that is gone.

    They may name more: images that could not be read, or whose class was left out, are no part of a kept choice.
    """
    found = []
    for path in sorted(artefact_path(store, Artefact("-")).parent.glob(f"{slug(column, 80)}-????????.csv")):
        known = masks_of(store, Artefact(path.name))
        if all(id_ in known and sha256 in ("", known[id_]) for id_, sha256 in now.items()):
            found.append((Artefact(path.name), plain.read(path)))
    return found


def masks_of(store: Store, kept: Artefact) -> dict[str, str]:
    """Id -> the content hash of its mask.

    Raises:
        Damaged: the list is gone, or not what it was.
    """
    table = read_csv(sound_artefact(store, kept), REMEDY)
    return dict(zip(table["id"], table["sha256"], strict=True))


def prepare(
    store: Store, collection: Collection | None, choice: Choice, run: SaclfRun, column: str,
    progress: Callable[[int, int], None],
) -> None:  # fmt: skip
    """Decodes the masks of the images that a run is about, and keeps which is whose.

    Raises:
        UserError: one can not be read, or is of another size than its work.
        StoreError: one is gone, and the store lacks its pixels.
    """
    from keras_art.data import tasks

    kept, content = artefact_of(store, collection, choice, column)
    ready = tasks.load(store, choice.key, run.image_size, run.resize)
    images, paths = stored_images(store, run.image_size, run.resize), paths_of(choice, column)
    keep_content(store, kept, content)
    known = masks_of(store, kept)
    of_work = dict(zip(ready.task.images["id"], ready.sha256, strict=True))
    ids = [id_ for id_ in paths if id_ in of_work]
    if all(stamp(paths[id_])[1] == "" for id_ in ids):
        _decoded(images, [paths[id_] for id_ in ids], progress)
    _rows(store, run, {id_: known[id_] for id_ in ids})
    sizes, wanted = (images.sizes([of[id_] for id_ in ids]) for of in (known, of_work))
    _refuse_other_sizes([paths[id_] for id_ in ids], sizes, wanted)
    terminal.say(f"  prior: {len(ids):,} of the {ready.task.size:,} images have a mask, by the column {column}")


def foresee(store: Store, choice: Choice, run: SaclfRun, column: str, progress: Callable[[int, int], None]) -> None:
    """Refuses what `prepare` will: decodes the masks that are there, and of the works only those that they lie on.

    Raises:
        UserError: as `prepare`.
    """
    images, works = (
        stored_images(store, run.image_size, run.resize),
        dict(zip(choice.images["id"], choice.paths(), strict=True)),
    )
    found = [(works[id_], mask) for id_, mask in paths_of(choice, column).items() if not stamp(mask)[1]]
    scan = images.scan([work for work, _ in found], progress)
    readable = (scan["row"] >= 0).to_numpy()  # others are put into quarantine, whatever their masks are
    masks = [mask for (_, mask), can in zip(found, readable, strict=True) if can]
    sizes = _decoded(images, masks, progress)[["width", "height"]].to_numpy()
    _refuse_other_sizes(masks, sizes, scan.loc[readable, ["width", "height"]].to_numpy())


def _decoded(images: ImageStore, paths: list[str], progress: Callable[[int, int], None]) -> pd.DataFrame:
    """`images.scan` of masks, those decoded anew that are damaged.

    Raises:
        UserError: one can not be read.
    """
    scan = images.scan(paths, progress)
    if wrong := images.wrong(scan["row"].to_numpy()):
        scan = images.scan(paths, progress, wrong=set(wrong))
    if (bad := np.flatnonzero(scan["row"] < 0)).size:
        raise UserError(
            f"--prior: {len(bad):,} of the {len(paths):,} masks can not be read, first {scan['path'].iloc[bad[0]]} "
            f"({scan['reason'].iloc[bad[0]]}): mend it, or leave its cell blank"
        )
    return scan


def _refuse_other_sizes(paths: list[str], sizes: np.ndarray, wanted: np.ndarray) -> None:
    if (bad := np.flatnonzero((sizes != wanted).any(axis=1))).size:
        (width, height), (asked, high) = sizes[bad[0]], wanted[bad[0]]
        raise UserError(
            f"--prior: {len(bad):,} of the {len(paths):,} masks are of another size than their works, first "
            f"{paths[bad[0]]}, {width} x {height} pixels for {asked} x {high}: a mask lies on its work pixel by pixel"
        )


def _rows(store: Store, run: SaclfRun, masks: Mapping[str, str]) -> dict[str, int]:
    """Id -> the row of its mask's pixels, of masks by their content.

    Raises:
        StoreError: the store has no pixels of one, or they are damaged.
    """
    images = stored_images(store, run.image_size, run.resize)
    rows = images.find(list(masks.values()))
    if (rows < 0).any() or images.wrong(rows):
        raise StoreError(
            f"masks of {run.collection} must be decoded to {run.image_size} pixels, {run.resize}, which the store "
            f"lacks or has damaged: put them back where they were, and give the study with --data and --prior again"
        )
    return dict(zip(masks, rows.tolist(), strict=True))


def rows_of(store: Store, run: SaclfRun, ids: list[str]) -> np.ndarray:
    """The row of each image's mask among the stored pixels of a run's size, (n,) int; -1 where it has none.

    Raises:
        StoreError: as `_rows`; Damaged: as `masks_of`.
    """
    if not isinstance(run.prior, Artefact):
        return np.full(len(ids), -1)
    known = masks_of(store, run.prior)
    rows = _rows(store, run, {id_: known[id_] for id_ in ids if id_ in known})
    return np.array([rows.get(id_, -1) for id_ in ids], np.int64)

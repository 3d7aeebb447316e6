"""Which works look like this one.

    python -m keras_art neighbours DATA PICTURE
    python -m keras_art neighbours DATA 0123.jpg new/photo.jpg --k 5 --out neighbours.xlsx
    python -m keras_art neighbours DATA PICTURE --run RUN         # by what a run has learnt

A distance is 1 less the cosine of the angle between what the network sees in two pictures: 0 is the same, 1 is nothing
in common.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.commands.looking import Looking, describers, look, pictures
from keras_art.errors import UserError
from keras_art.outputs import check_apart, check_file
from keras_art.report import sheets

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from keras_art.data.collection import Collection


@dataclass(frozen=True)
class Neighbours(Looking):
    """The works of a collection that look most like some pictures."""

    data: tyro.conf.Positional[str] = tyro.MISSING
    """A card's name, a table of images, a folder, or a choice of --store."""
    picture: tyro.conf.Positional[tuple[str, ...]] = ()
    """Files of any pictures, or ids or inventory numbers of the collection's own; none: all its works."""
    k: int = 10
    """How many of the nearest."""
    out: Path | None = None
    """A table, .csv, .xlsx or .parquet, with a row for each neighbour: picture, rank, id, distance, path, and what is
    known of it."""


def command(asked: Neighbours) -> int:
    """Prints the nearest works to each picture, or writes them."""
    import numpy as np

    from keras_art.learning.descriptions import described, scanned
    from keras_art.learning.neighbours import directions, nearest
    from keras_art.store.runs import Store

    if asked.out is not None:
        check_file(asked.out, *sheets.SUFFIXES)
        check_apart(asked.data, asked.out)
    if asked.k < 1:
        raise UserError("--k is at least 1")
    if len(asked.run) + len(asked.backbone) > 1:
        raise UserError("neighbours are told by one network: give one --run or one --backbone")
    store = Store(asked.store)
    store.check()
    collection, known = pictures(asked, store, asked.data)
    files = files_of(asked, collection)
    if asked.out is not None:
        most = len(collection.images)
        sheets.check_fits(collection.columns, asked.out, (len(files) or most) * min(asked.k, most - 1))
    (by,) = describers(asked, store)
    seen = look(store, collection, known, [by])
    points = directions(seen.descriptions[0].vectors)
    places = {id_: place for place, id_ in enumerate(seen.collection.images["id"])}
    paths = {path: place for place, path in enumerate(seen.collection.paths())}
    if asked.picture:
        scan = scanned(store, list(files.values()), None, by.image_size, by.resize)
        # A work whose file is gone is known by its id.
        own = np.array([paths.get(path, places.get(name, -1)) for name, path in files.items()])
        if (bad := np.flatnonzero((scan["row"] < 0) & (own < 0))).size:
            raise UserError(f"{scan['path'][bad[0]]} can not be read: {scan['reason'][bad[0]]}")
        queries = points[own]
        if (new := np.flatnonzero(own < 0)).size:
            queries[new] = directions(described(store, by, scan.iloc[new].reset_index(drop=True)).vectors)
    else:
        queries, own, files = points, np.arange(len(points)), dict(zip(places, seen.collection.paths(), strict=True))
    near, far = nearest(points, queries, min(asked.k, len(points)), own)
    found = table(seen.collection, list(files), near, far)
    terminal.say(f"distance: 0 is the same to {by.name}, 1 nothing in common{at_random(points)}")
    if asked.out is None:
        for picture, part in found.groupby("picture", sort=False):
            terminal.answer(picture)
            for row in part.itertuples():
                terminal.answer(f"{row.rank:4d}  {row.distance:.3f}  {row.id}")
    else:
        folder = str(asked.out.absolute().parent.resolve())
        found["path"] = [sheets.relative(path, folder) for path in found["path"]]
        place = found.columns.get_loc("path")
        sheets.write_table(found, asked.out, "neighbours", place, shown="0.000")
        many = "" if len(files) == 1 else "s"
        terminal.say(f"{len(found):,} neighbours of {len(files):,} picture{many} in {asked.out}")
    return 0


def files_of(asked: Neighbours, collection: Collection) -> dict[str, str]:
    """What each picture is called on the command line, and its file.

    Raises:
        UserError: neither a file, an id nor an inventory number, a number of several pictures, or nothing is named.
    """
    import difflib

    by_id = dict(zip(collection.images["id"], collection.paths(), strict=True))
    files = {}
    for word in dict.fromkeys(asked.picture):
        path = Path(word).expanduser()
        if path.is_file():
            files[word] = os.path.abspath(path)
        elif word in by_id:
            files[word] = by_id[word]
        elif len(own := collection.images["id"][collection.images["object"] == word]):
            if len(own) > 1:
                raise UserError(f"{word} has {len(own):,} pictures: name one of them, such as {own.iloc[0]}")
            files[own.iloc[0]] = by_id[own.iloc[0]]
        else:
            near = difflib.get_close_matches(word, by_id, n=1, cutoff=0.5)
            hint = f": did you mean {near[0]}?" if near else ""
            raise UserError(f"{word} is neither a file nor the id of a picture of {collection.name}{hint}")
    if not files and asked.out is None:
        raise UserError("give pictures, or --out FILE for the neighbours of every work")
    return files


def at_random(points: np.ndarray) -> str:
    """How far works of the collection mostly are from one another, which is what a distance is to be held against."""
    import numpy as np

    one, other = np.random.default_rng(0).integers(len(points), size=(2, 2000))
    differ = one != other
    if not differ.any():
        return ""
    far = 1 - np.einsum("nw,nw->n", points[one[differ]], points[other[differ]])
    return f"; two works drawn at random are mostly {max(0.0, float(np.median(far))):.2f} apart"


def table(collection: Collection, names: Sequence[str], near: np.ndarray, far: np.ndarray) -> pd.DataFrame:
    """One row for each neighbour of each picture, nearest first."""
    import numpy as np
    import pandas as pd

    from keras_art.writing import numbered

    whose, rank = np.nonzero(near >= 0)
    rows = near[whose, rank]
    found = pd.DataFrame({
        "picture": np.array(names, dtype=object)[whose], "rank": rank + 1,
        "id": collection.images["id"].to_numpy()[rows], "distance": np.round(far[whose, rank].astype(float), 6),
        "path": np.array(collection.paths(), dtype=object)[rows],
    })  # fmt: skip
    both = pd.concat([found, collection.columns.iloc[rows].reset_index(drop=True)], axis=1)
    return both.set_axis(numbered(map(str, both.columns)), axis=1)


def main(argv: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    return flags.run(Neighbours, command, argv, prog="python -m keras_art neighbours", description=__doc__ or "")

"""The map of a collection: every picture near those that it is like, in one file to open, mail, and look through.

    python -m keras_art map DATA --out map.html
    python -m keras_art map DATA --run RUN --target style         # by what a run has learnt, with what it says of each
    python -m keras_art map DATA --backbone ResNet50 EfficientNetB0        # as two networks see it, side by side

The page needs neither a server nor a network. It zooms to single works, tells what is known of each and its ten
nearest, is coloured by any column, filtered, searched, and what is selected in it is exported as CSV.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.commands.looking import Looking, Seen, describers, look, pictures
from keras_art.errors import UserError
from keras_art.outputs import FILES, check_apart, check_file, check_folder, check_own, own_folder
from keras_art.pictures.places import is_address, parted

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from keras_art.learning.descriptions import Describer, Description
    from keras_art.report.atlases import Atlases
    from keras_art.report.map import Space
    from keras_art.store.runs import Store

NEAR = 10  # neighbours of a picture that the page tells
RULES = 2  # by which positions are made; those that others made are made again


@dataclass(frozen=True)
class Map(Looking):
    """A map of a collection as one HTML file."""

    data: tyro.conf.Positional[str] = tyro.MISSING
    """A card's name, a table of images, a folder, or a choice of --store."""
    target: str | None = None
    """The column that colours the pictures at first."""
    out: Path = Path("map")
    """A file that ends in .html, or a folder for map.html."""
    export: tuple[Literal["vikus", "parquet"], ...] = ()
    """Beside the page: vikus, the folder data of a VIKUS Viewer; parquet, a file for Embedding Atlas."""


def command(asked: Map) -> int:
    """Writes the page, and what is exported beside it."""
    from keras_art.report import map as pages
    from keras_art.report import viewers
    from keras_art.store.runs import Store

    is_file = asked.out.suffix.lower() in FILES and not asked.out.is_dir()
    page = asked.out if is_file else asked.out / "map.html"
    beside, folder = page.with_suffix(".parquet"), page.with_name(f"{page.stem}_vikus")
    check_folder(page.parent)
    check_file(page, ".html", ".htm")
    check_apart(asked.data, page, *([beside] if "parquet" in asked.export else []))
    if "vikus" in asked.export:
        check_own(folder, "map", last="config.json")
    store = Store(asked.store)
    store.check()
    collection, known = pictures(asked, store, asked.data)
    if asked.target is not None and asked.target not in collection.targets:
        raise UserError(
            f"{collection.name} has no column {asked.target!r}; it has {', '.join(collection.targets) or 'none'}"
        )
    by = describers(asked, store)
    seen = look(store, collection, known, by)
    spaces = [space(store, one, what) for one, what in zip(by, seen.descriptions, strict=True)]
    columns = told(seen, by)
    links = [address(path, page.parent) for path in seen.collection.paths()]
    works = pages.Works(seen.collection.images["id"].tolist(), columns, links)
    atlases, detail = thumbnails(store, seen)
    if page.parent != Path() and page.name == "map.html":
        own_folder(page.parent, "map")
    colour = asked.target or first_colour(columns, [name for name in columns if str(name).startswith("prediction")])
    pages.save(pages.map_page(collection.name, works, spaces, atlases, colour), page)
    terminal.say(f"{len(works.ids):,} pictures in {page} ({page.stat().st_size / 1e6:.1f} MB): open it in a browser")
    if "parquet" in asked.export:
        opens = viewers.embedding_atlas(beside, works, spaces, atlases)
        terminal.say(f"for Embedding Atlas: {opens}")
    if "vikus" in asked.export:
        own_folder(folder, "map")
        with terminal.bar("pictures for VIKUS", "images") as progress:
            viewers.vikus(folder, collection.name, works, spaces, atlases, detail, progress)
        terminal.say(f"for VIKUS Viewer: {folder} is its folder data")
    return 0


def space(store: Store, by: Describer, seen: Description) -> Space:
    """Where pictures stand and which are their nearest, kept in the store for the next time."""
    import numpy as np

    from keras_art.learning.neighbours import directions, nearest
    from keras_art.report import placement
    from keras_art.report.map import Space
    from keras_art.store.reading import read_arrays
    from keras_art.store.sums import Damaged
    from keras_art.writing import write_arrays

    file = store.root / "cache" / "maps" / f"{by.folder.name}-{seen.key}" / f"{RULES}-{NEAR}.npz"
    try:
        kept = read_arrays(file)
    except Damaged:  # or not there yet
        vectors = directions(seen.vectors)
        terminal.say(f"{by.name}: nearest neighbours of {len(vectors):,} pictures")
        # As many as t-SNE looks at; of a small collection all others, and marks for none behind them.
        most = min(placement.NEIGHBOURS, len(vectors) - 1)
        near, far = nearest(vectors, vectors, max(most, NEAR), np.arange(len(vectors)))
        terminal.say(f"{by.name}: laying out {len(vectors):,} pictures by t-SNE")
        with terminal.waiting("laying out"):
            cloud = placement.cloud(vectors, near[:, :most], far[:, :most])
        kept = {"cloud": cloud, "near": near[:, :NEAR], "distances": far[:, :NEAR]}
        write_arrays(file, kept)
    return Space(by.name, kept["cloud"], kept["near"], kept["distances"])


def told(seen: Seen, by: Sequence[Describer]) -> pd.DataFrame:
    """The collection's columns, then what every run says: its splits, predictions, how certain, and whether right."""
    import pandas as pd

    from keras_art.writing import numbered

    images, columns = seen.collection.images, [seen.collection.columns.reset_index(drop=True)]
    if images["split"].any() and "split" not in seen.collection.targets:
        columns.append(images[["split"]].reset_index(drop=True))
    several = sum(bool(one.classes) for one in by) > 1
    for one, what in zip(by, seen.descriptions, strict=True):
        said = {}
        of = f" ({one.name})" if several else ""
        if split := split_of_run(one, seen.scan["sha256"].tolist()):
            said[f"split of the run{of}"] = split
        for task, probabilities in what.probabilities.items():
            names = list(one.classes[task])
            found = [names[place] for place in probabilities.argmax(axis=1)]
            said[f"prediction: {task}{of}"] = found
            said[f"certainty: {task}{of}"] = [f"{share:.3f}" for share in probabilities.max(axis=1)]
            if task in seen.collection.targets:
                labels = seen.collection.columns[task].tolist()
                known = [_right(label, is_said, names) for label, is_said in zip(labels, found, strict=True)]
                said[f"right: {task}{of}"] = known
        columns.append(pd.DataFrame(said, index=range(len(images)), dtype=str))
    found = pd.concat(columns, axis=1)
    return found.set_axis(numbered(map(str, found.columns)), axis=1)


def _right(label: str, said: str, names: Sequence[str]) -> str:
    if not label:
        return ""
    if label not in names:
        return "not among its classes"
    return "right" if label == said else "wrong"


def split_of_run(by: Describer, sha256: Sequence[str]) -> list[str]:
    """In which split of a run each picture stood; nothing where its store is not there or no picture was in one."""
    from keras_art.data.kept import splits_of
    from keras_art.store.runs import store_of

    if by.file is None or not by.collection:
        return []
    store = store_of(by.file)
    try:
        splits = splits_of(store, by.collection)
    except UserError as error:
        terminal.say(f"the splits of {by.name} are not told: {error}")
        return []
    found = [splits.get(content, "") for content in sha256]
    return found if any(found) else []


def first_colour(columns: pd.DataFrame, preferred: Sequence[str]) -> str:
    """The column that tells most at a glance: a run's prediction, else the one with fewest words, but two at least.

    Of most pictures it has to say something, unless no column does.
    """
    if preferred:
        return preferred[0]
    blank = columns.isna() | (columns == "")
    told = [name for name in columns if blank[name].mean() < 0.5] or list(columns)
    counts = {str(name): columns[name].nunique() for name in told}
    return min((name for name, count in counts.items() if count > 1), key=lambda name: counts[name], default="")


def address(path: str, folder: Path) -> str:
    """A picture's file, or the shard it is in, as a page in `folder` names it."""
    path = parted(path)[0]
    if is_address(path):
        return quote(path, safe=":/?&=%#@+,;~")
    try:
        return quote(os.fsencode(os.path.relpath(path, folder).replace(os.sep, "/")), safe="/.")
    except ValueError:  # on another drive
        return Path(path).as_uri()


def thumbnails(store: Store, seen: Seen) -> tuple[Atlases, Callable[[int], np.ndarray]]:
    """The pictures small, at their own proportions, and what gives one large, by its number."""
    import numpy as np

    from keras_art.learning.descriptions import scanned
    from keras_art.pictures.decoded import stored_images
    from keras_art.pictures.images import Unreadable, load_photo
    from keras_art.report import atlases, viewers

    count = len(seen.scan)
    side = atlases.side_for(count)
    small = scanned(store, seen.collection.paths(), seen.known, side, "pad")
    padded, rows = stored_images(store, side, "pad").pixels(), small["row"].to_numpy()
    sizes, paths = seen.scan[["width", "height"]].to_numpy(), seen.collection.paths()

    def small_one(i: int) -> np.ndarray:
        if rows[i] < 0:
            return np.full((side, side, 3), 200, np.uint8)
        return atlases.unpadded(padded[rows[i]], *sizes[i])

    def large_one(i: int) -> np.ndarray:
        try:
            return load_photo(paths[i], min(viewers.DETAIL, int(sizes[i].max())))
        except Unreadable:
            return small_one(i)

    order = np.random.default_rng(0).permutation(count)
    with terminal.bar("small pictures", "images") as progress:
        return atlases.drawn(count, small_one, side, order, progress), large_one


def main(argv: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    return flags.run(Map, command, argv, prog="python -m keras_art map", description=__doc__ or "")

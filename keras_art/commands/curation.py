r"""Chooses what is worth training on from a large collection, and says what was kept and why.

    python -m keras_art curate wikiart --root FOLDER --out curated            # the multi-task study's choice
    python -m keras_art curate paintings.csv --top_styles 0 --min_style 0 --top_artists 0 --min_artist 0 \
        --min_artists 3 --split artist_disjoint --out curated

writes `curated/labels.csv`, which `--data curated` takes, with the split; `report.csv`, what was kept of each style and
artist and why; `curation.png`; `curation.json`, these flags and the digest of the split.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.outputs import check_apart, check_own, own_folder
from keras_art.writing import csv_text, write

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.data.sources import Collection

SHOWN = 40  # bars of a chart


@dataclass(frozen=True)
class Curation:
    """The flags of one choice, in the order they are applied; 0 switches a filter off."""

    data: tyro.conf.Positional[str]
    """A card's name, a table of images, a folder, or a choice of --store."""
    out: Path
    """Folder for what is written: a new one, or that of an earlier choice."""
    root: str | None = None
    """Folder that holds the cards' collections. Default: $KERAS_ART_DATA."""
    target: str = "style"
    """The column of styles, or of whatever takes their place."""
    artist: str = "artist"
    """The column of artists."""
    years: tuple[int, int] | None = None
    """Leave out what is dated before the first or after the last, by a column `year` or the last number of a file's
    name (as WikiArt's); what has no year stays."""
    min_style: int = 500
    """Images a style must have."""
    top_styles: int = 12
    """Keep so many styles, those with most images."""
    min_artist: int = 50
    """Images an artist must have in the styles kept."""
    top_artists: int = 100
    """Keep so many artists, those with most images."""
    min_artists: int = 0
    """Artists a style must have at last; an artist-disjoint split needs 3."""
    cap_style: int = 0
    """Balance: keep at most so many images of a style, chosen by seed."""
    cap_artist: int = 0
    """Balance: keep at most so many images of an artist, chosen by seed."""
    split: Literal["auto", "stratified", "random", "object_disjoint", "artist_disjoint"] = "auto"
    """80/10/10, by style; auto: as in a study, but never the collection's own."""
    split_seed: int = 0
    """Moves the split and what the caps choose."""
    sheet: str = ""
    """Of a spreadsheet; without it, the first one whose rows name pictures."""
    store: str = "runs"
    """Folder of the choice that DATA names."""


def years_of(collection: Collection) -> pd.Series:
    """The year of each image, NaN where none is known: of a column `year`, else what the name of its file ends with.

    So WikiArt's files tell it: `claude-monet_water-lilies-1916(1).jpg`.
    """
    import pandas as pd

    if "year" in collection.columns:
        texts = collection.columns["year"].str.extract(r"\b(1\d{3}|20\d\d)\b", expand=False)
    else:
        names = collection.images["path"].str.rpartition("/")[2]
        texts = names.str.extract(r"[-_ ,(](1\d{3}|20\d\d)\)?(?:\(\d+\))?(?:\.\w+)?$", expand=False)
    return pd.to_numeric(texts)


def curate(collection: Collection, asked: Curation) -> tuple[Collection, pd.DataFrame]:
    """Applies the filters and caps, one after the other.

    Returns:
        What is kept, and a report: columns `column`, `value`, `images`, `kept`, `why` ("kept", or what it failed).

    Raises:
        BadCollection: a column is missing, or nothing is left; the message says after which filter.
    """
    import pandas as pd

    from keras_art.data.choices import unnamed
    from keras_art.data.sources import BadCollection

    by_artist = bool(asked.min_artist or asked.top_artists or asked.min_artists or asked.cap_artist)
    columns = [asked.target, asked.artist] if by_artist else [asked.target]
    if missing := [column for column in columns if column not in collection.targets]:
        raise BadCollection(
            f"{collection.name} has no column {', '.join(missing)}; it has {', '.join(collection.targets)}: name them "
            f"with --target and --artist"
        )
    table = collection.columns[columns]
    before = {column: table[column].value_counts() for column in columns}
    if asked.years:
        first, last = asked.years
        years = years_of(collection)
        table = table[~((years < first) | (years > last))]
        if table.empty:
            raise BadCollection(f"{collection.name}: all images are dated outside {first} to {last}")
    why: dict[tuple[str, str], str] = {}

    def keep(column: str, values: set[str], reason: str, flag: str = "") -> None:
        nonlocal table
        gone = set(table[column]) - values
        why.update({(column, value): reason for value in gone})
        table = table[table[column].isin(values)]
        if table.empty:
            raise BadCollection(
                f"{collection.name}: nothing is left after {reason!r} was asked of every {column}"
                + (f": give a smaller {flag}" if flag else "")
            )

    def largest(column: str, least: int, top: int, flag: str) -> None:
        sizes = table[column].value_counts()
        if least:
            keep(column, set(sizes.index[sizes >= least]), f"fewer than {least} images", flag)
        if top:
            sizes = table[column].value_counts()
            keep(column, set(sorted(sizes.index, key=lambda v: (-sizes[v], v))[:top]), f"not among the {top} largest")

    for column in columns:
        keep(column, set(table[column][~unnamed(table[column])]), "no name")
    largest(asked.target, asked.min_style, asked.top_styles, "--min_style")
    if by_artist:
        largest(asked.artist, asked.min_artist, asked.top_artists, "--min_artist")
    if asked.min_artists:
        artists = table.groupby(asked.target)[asked.artist].nunique()
        enough = set(artists.index[artists >= asked.min_artists])
        keep(asked.target, enough, f"fewer than {asked.min_artists} artists", "--min_artists")
    for column, cap in ((asked.artist, asked.cap_artist), (asked.target, asked.cap_style)):
        if cap:
            shuffled = table.sample(frac=1, random_state=asked.split_seed)
            table = shuffled[shuffled.groupby(column).cumcount() < cap].sort_index()
    rows = []
    for column in columns:
        after = table[column].value_counts()
        for value, count in before[column].items():
            kept = int(after.get(value, 0))
            reason = why.get((column, value), "kept" if kept else "none of its images is left")
            if kept and column == asked.target and 0 < kept < asked.min_style:
                reason = f"kept, with fewer than {asked.min_style} images once artists were chosen"
            rows.append((column, value, int(count), kept, reason))
    return collection.take(table.index), pd.DataFrame(rows, columns=["column", "value", "images", "kept", "why"])


def kept_in_short(report: pd.DataFrame) -> list[str]:
    """How many styles and artists a report says were kept, and why the others were not."""
    lines = []
    for column, part in report.groupby("column", sort=False):
        kept = part[part["kept"] > 0]
        sizes = f"{kept['kept'].min():,} to {kept['kept'].max():,} images"
        lines.append(f"{column}: {len(kept):,} of {len(part):,} kept, {sizes}")
        lines += [f"  {n:,} x {why}" for why, n in part.loc[part["why"] != "kept", "why"].value_counts().items()]
    return lines


def run(asked: Curation) -> int:
    """Writes the choice and prints it in short."""
    import numpy as np

    from keras_art.commands.manifests import manifest
    from keras_art.data.choices import choose
    from keras_art.data.collection import left_out
    from keras_art.data.leaks import leak_report, told
    from keras_art.data.opening import open_collection
    from keras_art.data.splits import split
    from keras_art.store.runs import Store

    check_apart(asked.data, asked.out / "labels.csv", asked.out / "report.csv")
    check_own(asked.out, "curate", last="curation.json")
    collection = open_collection(Store(asked.store), asked.data, asked.root, sheet=asked.sheet)
    chosen, report = curate(
        dataclasses.replace(collection, splits={}, images=collection.images.assign(split="")), asked
    )
    choice = choose(chosen, asked.target, rule=asked.split, split_seed=asked.split_seed)
    task = split(choice, [True] * len(choice.images))
    chosen = chosen.take(np.flatnonzero(chosen.images["id"].isin(task.images["id"])))
    own = chosen.images.assign(split=task.images["split"])
    digest = hashlib.sha256(own[["id", "split"]].to_csv(index=False, lineterminator="\n").encode()).hexdigest()
    own_folder(asked.out, "curate")
    write(asked.out / "labels.csv", csv_text(manifest(dataclasses.replace(chosen, images=own), asked.out)))
    write(asked.out / "report.csv", csv_text(report))
    flags = {
        name: str(value) if isinstance(value, Path) else value for name, value in dataclasses.asdict(asked).items()
    }
    facts = {"collection": collection.name, "flags": flags, "images": len(own), "split_sha256": digest}
    write(asked.out / "curation.json", json.dumps(facts, indent=1, ensure_ascii=False))
    _draw(report, asked.out / "curation.png")
    sizes = own["split"].value_counts()
    terminal.answer(
        f"{len(own):,} of {len(collection.images):,} images: " + ", ".join(f"{n} {k:,}" for n, k in sizes.items())
    )
    terminal.answer("\n".join([*kept_in_short(report), *left_out(collection.quarantine)]))
    if task.dropped_classes:
        terminal.answer(f"left out, not in all three splits: {', '.join(task.dropped_classes)}")
    leak = leak_report(task.images, asked.target, task.columns.get("artist"))
    terminal.answer(told(leak))
    terminal.answer(f"split: sha256 {digest}")
    terminal.say(f"train on it with --data {asked.out} --target {asked.target}; {asked.out / 'curation.png'} shows it")
    return 0


def _draw(report: pd.DataFrame, path: Path) -> None:
    """What there was and what was kept, the largest of each column."""
    from matplotlib.figure import Figure

    from keras_art.report import figures

    parts: list[tuple[Any, pd.DataFrame]] = [
        (column, part.sort_values("images", ascending=False, kind="stable").head(SHOWN))
        for column, part in report.groupby("column", sort=False)
    ]
    height = 0.9 + 0.16 * max(len(part) for _, part in parts)
    figure = Figure(figsize=(4.6 * len(parts), height), layout="constrained")
    for axes, (column, part) in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts, strict=True):
        places = range(len(part))
        axes.barh(places, part["images"], color="#cccccc", label="in the collection")
        axes.barh(places, part["kept"], color="#0072B2", label="kept")
        axes.set_yticks(places, part["value"], fontsize=7)
        axes.invert_yaxis()
        axes.margins(y=0.01)
        total = (report["column"] == column).sum()
        axes.set_title(column if total == len(part) else f"{column}: the {len(part)} largest of {total:,}", fontsize=9)
        axes.set_xlabel("images", fontsize=8)
        axes.tick_params(axis="x", labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=7, frameon=False, loc="lower right")
    figures.save(figure, path)


def main(argv: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    return flags.run(Curation, run, argv, prog="python -m keras_art curate", description=__doc__ or "")

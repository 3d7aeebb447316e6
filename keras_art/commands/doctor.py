"""What is wrong with a collection's images, told so that somebody can mend it.

    python -m keras_art doctor check FOLDER --out report
    python -m keras_art doctor check kaokore --root FOLDER

writes `report/report.html` to look at, and as tables `images.csv` (every image and what is known of it),
`quarantine.csv` (what can not be used, and why) and `duplicates.csv` (copies, and images that look alike).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.writing import check_folder, csv_text, own_folder, write

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from keras_art.data.sources import Collection
    from keras_art.report.pages import Page

STORED = 64  # pixels a side of what look-alikes are found by
SHOWN = 12  # rows of a list, groups of look-alikes
RIGHTS = ("rights", "dc:rights", "dc_rights", "license", "licence")
FACTS = ("width", "height", "mode", "format", "orientation", "sha256", "alike", "note")


@dataclass(frozen=True)
class Check:
    """Opens every image of a collection and reports on what it finds."""

    data: tyro.conf.Positional[str]
    """A card's name, a table of images, a folder, or a choice of --store."""
    root: str | None = None
    """Folder that holds the cards' collections. Default: $KERAS_ART_DATA."""
    out: Path = Path("doctor")
    """Folder for the report."""
    store: str = "runs"
    """Folder for decoded images, what is there already is not decoded again; and of the choice that DATA names."""
    max_pixels: int = 0
    """As in a study."""


def check(asked: Check) -> int:
    """Writes the report and prints its sentences; 1 if no image can be used."""
    import pandas as pd

    from keras_art.data.opening import open_collection
    from keras_art.pictures import lookalikes
    from keras_art.pictures.decoded import stored_images
    from keras_art.store.runs import Store

    check_folder(asked.out)
    kept = Store(asked.store)
    kept.check()
    collection = open_collection(kept, asked.data, asked.root)
    store = stored_images(kept, STORED, "squash")
    with terminal.bar("opening images", "images") as progress:
        scan = store.scan(collection.paths(), progress)
    images, columns, quarantine = examine(collection, scan)
    usable = scan["row"].to_numpy()[scan["row"] >= 0]
    images["alike"] = lookalikes.near_groups(images["alike"].to_numpy())
    twins = images[images.duplicated("alike", keep=False)].sort_values(["alike", "id"])
    findings = report(collection, images, columns, quarantine)
    own_folder(asked.out)
    write(asked.out / "quarantine.csv", csv_text(quarantine))
    write(asked.out / "images.csv", csv_text(pd.concat([images, columns], axis=1)))
    write(asked.out / "duplicates.csv", csv_text(twins))
    pictures = store.pixels()[usable] if len(twins) else store.pixels()[:0]
    page(collection.name, findings, twins, pictures).save(asked.out / "report.html")
    for title, lines in findings.items():
        print(title)
        for line in lines:
            print(f"  {line}")
    print(f"in full: {asked.out / 'report.html'}, and images.csv, quarantine.csv, duplicates.csv beside it")
    return 0 if len(images) else 1


def examine(collection: Collection, scan: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The usable images with what a scan knows of them, the columns that they came with, and the quarantine."""
    import numpy as np
    import pandas as pd

    usable = (scan["row"] >= 0).to_numpy()
    images = collection.images.assign(path=collection.paths())
    unreadable = images.loc[~usable, ["id", "path"]].assign(reason=scan.loc[~usable, "reason"].to_numpy())
    known = collection.take(np.flatnonzero(usable))
    images = known.images.assign(path=known.paths(), **{fact: scan.loc[usable, fact].to_numpy() for fact in FACTS})
    return images, known.columns, pd.concat([collection.quarantine, unreadable], ignore_index=True)


def report(
    collection: Collection, images: pd.DataFrame, columns: pd.DataFrame, quarantine: pd.DataFrame
) -> dict[str, list[str]]:
    """Title -> sentences, in the order a person should read them.

    Args:
        images: usable ones with the facts of `examine`, `alike` being the group of look-alikes.
        columns: their own columns.
    """
    from keras_art.data.collection import counted
    from keras_art.pictures.containers import EXTENSIONS

    total = len(images) + len(quarantine)
    found: dict[str, list[str]] = {}
    found[f"{collection.name}: {counted(images)} can be used, {len(quarantine):,} of {total:,} can not"] = []
    problems = quarantine["reason"].map(lambda reason: re.split(r" \((?![A-Z0-9]+\)$)|: |, the file", reason)[0])
    kinds = problems.value_counts()
    found["Problems"] = [
        f"{count:,} x {kind}, first {quarantine['path'][problems == kind].iloc[0]}" for kind, count in kinds.items()
    ] or ["none"]
    same = images[images.duplicated("sha256", keep=False)]
    alike = images[images.duplicated("alike", keep=False)]
    found["Duplicates"] = [
        f"{len(same):,} files are copies of another, byte for byte, in {same['sha256'].nunique():,} groups",
        f"{len(alike):,} images look like another (these among them), in {alike['alike'].nunique():,} groups",
    ]
    for target in collection.targets:
        if differing := int((columns[target][same.index].groupby(same["sha256"]).nunique() > 1).sum()):
            found["Duplicates"].append(f"{differing:,} groups of copies are labelled differently as to {target}")
    rights = next((column for column in columns if column.lower() in RIGHTS), None)
    if rights:
        said = columns[rights].str.strip().value_counts()
        found["Rights"] = [f"{count:,} x {text or 'nothing said'}" for text, count in said.head(SHOWN).items()]
    else:
        found["Rights"] = [f"no column says whether they may be shown; one called {RIGHTS[0]} would be kept"]
    if len(images):
        found["Formats and colours"] = [
            ", ".join(f"{count:,} x {name}" for name, count in images[fact].value_counts().items())
            for fact in ("format", "mode")
        ]
        named = [EXTENSIONS.get(Path(path).suffix.lower()) for path in images["path"]]
        said = Counter(note for of_image in images["note"] for note in of_image.split("; ") if note)
        said |= Counter(
            f"{is_format} called {Path(path).suffix}"
            for path, is_format, name in zip(images["path"], images["format"], named, strict=True)
            if name != is_format.replace("MPO", "JPEG")
        )
        found["How they were read"] = [f"{count:,} x {note}" for note, count in said.most_common()] or ["as they are"]
        turned = images[images["orientation"] > 1]
        found["Turned by EXIF"] = [f"{len(turned):,} images are stored turned or mirrored; they are set upright here"]
        by_size = images.assign(pixels=images["width"] * images["height"]).sort_values(["pixels", "id"])
        for title, part in (("Smallest", by_size.head(5)), ("Largest", by_size.tail(5)[::-1])):
            found[title] = [f"{row.width} x {row.height}, {row.bytes:,} bytes: {row.path}" for row in part.itertuples()]
    return found


def page(name: str, findings: dict[str, list[str]], twins: pd.DataFrame, pictures: np.ndarray) -> Page:
    """The report as one HTML file that can be mailed; look-alikes as pictures.

    Args:
        twins: images that have look-alikes, indexed by their row in `pictures`, by group.
        pictures: (n, STORED, STORED, 3) uint8.
    """
    from keras_art.report.pages import Page

    made = Page(name)
    for title, lines in findings.items():
        made.heading(title)
        if lines:
            made.items(lines)
    groups = [group for _, group in twins.groupby("alike")]
    if groups:
        made.heading(f"Look-alikes{f', the first {SHOWN} groups' if len(groups) > SHOWN else ''}")
    for group in groups[:SHOWN]:
        shown = group["id"].head(SHOWN)
        made.pictures([pictures[row] for row in shown.index], shown.tolist())
    return made


def main(argv: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    words = argv[1:] if argv[:1] == ["check"] else argv
    return flags.run(Check, check, words, prog="python -m keras_art doctor check", description=__doc__ or "")

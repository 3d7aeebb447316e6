"""What is wrong with a collection's images, told so that somebody can mend it.

    python -m keras_art doctor check FOLDER --out report
    python -m keras_art doctor check kaokore --root FOLDER

writes `report/report.html` to look at, and as tables `images.csv` (every image and what is known of it),
`quarantine.csv` (what can not be used, and why), `duplicates.csv` (copies, and images that look alike) and, of a
table, `unmatched.csv` (rows without a file, and files without a row).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.outputs import check_apart, check_own, own_folder
from keras_art.writing import csv_text, write

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from keras_art.data.sources import Collection

STORED = 64  # pixels a side of what look-alikes are found by
SHOWN = 12  # rows of a list
MANY = 30_000  # pictures, beyond which versions are looked for where that is asked for
RIGHTS = ("rights", "dc:rights", "dc_rights", "license", "licence")
FACTS = ("width", "height", "mode", "format", "orientation", "sha256", "alike", "note")


@dataclass(frozen=True)
class Check:
    """Opens every image of a collection and reports on what it finds."""

    data: tyro.conf.Positional[str]
    """A card's name, a table of images, a folder, or a choice of --store."""
    root: str | None = None
    """Folder that holds the cards' collections, or a table's pictures. Default: $KERAS_ART_DATA; beside the table."""
    sheet: str = ""
    """Of a spreadsheet; without it, the first one whose rows name pictures."""
    out: Path = Path("doctor")
    """Folder for the report: a new one, or that of an earlier report."""
    versions: Literal["auto", "yes", "no"] = "auto"
    """Look for what is mirrored, turned, cut or framed, too; auto: of up to 30,000 pictures, some seconds for every
    thousand."""
    store: str = "runs"
    """Folder for decoded images, what is there already is not decoded again; and of the choice that DATA names."""
    max_pixels: int = 0
    """As in a study."""


def check(asked: Check) -> int:
    """Writes the report and prints its sentences; 1 if no image can be used."""
    import numpy as np
    import pandas as pd

    from keras_art.data.collection import NO_LABEL
    from keras_art.data.inventory import strays
    from keras_art.data.opening import open_collection
    from keras_art.pictures import quality
    from keras_art.pictures.decoded import stored_images
    from keras_art.report.checkup import Checkup
    from keras_art.report.copies import copies_told, listed, look_alikes, versions_told
    from keras_art.store.runs import Store

    tables = ("images", "quarantine", "duplicates", "unmatched")
    check_apart(asked.data, *(asked.out / f"{name}.csv" for name in tables))
    check_own(asked.out, "doctor", last="report.html")
    kept = Store(asked.store)
    kept.check()
    collection = open_collection(kept, asked.data, asked.root, sheet=asked.sheet)
    store = stored_images(kept, STORED, "squash")
    with terminal.bar("opening images", "images") as progress:
        scan = store.scan(collection.paths(), progress)
        beside = store.scan(collection.quarantine["path"][collection.quarantine["reason"] == NO_LABEL], progress)
    named, columns, quarantine = examine(collection, scan)
    # Copies are looked for among what no row names, too.
    images = pd.concat([named, strays(beside, collection.root, FACTS).astype(named.dtypes)], ignore_index=True)
    # What no row names is opened, too: a person looks for the damaged ones.
    why = zip(beside["path"], beside["reason"], strict=True)
    damaged = {path: f"{reason} ({NO_LABEL})" for path, reason in why if reason}
    quarantine["reason"] = quarantine["path"].map(damaged).fillna(quarantine["reason"])
    rows = np.concatenate([scan["row"], beside["row"]]).astype(np.int64)
    rows = rows[rows >= 0]
    pixels = store.pixels()
    found = quality.faults(pixels, rows, images["width"].to_numpy(), images["height"].to_numpy())
    thorough = asked.versions == "yes" or (asked.versions == "auto" and len(rows) <= MANY)
    how = versions_of(images, found, pixels, rows, thorough)
    images = pd.concat([images, found.drop(columns=["red", "green", "blue"]).round(3)], axis=1)
    groups = look_alikes(images, columns, how, collection.targets)
    copies, images = images, images[: len(named)]
    findings = report(collection, images, columns, quarantine)
    findings["Duplicates"] = copies_told(copies, columns) + versions_told(how, thorough)
    unmatched = beside_table(collection, asked)
    if unmatched is not None:
        findings["Beside the table"] = unmatched_told(unmatched)
    own_folder(asked.out, "doctor")
    write(asked.out / "quarantine.csv", csv_text(quarantine))
    write(asked.out / "images.csv", csv_text(pd.concat([images, columns], axis=1)))
    write(asked.out / "duplicates.csv", csv_text(listed(copies, groups)))
    if unmatched is not None:
        write(asked.out / "unmatched.csv", csv_text(unmatched))
    made = Checkup(collection.name, asked.out, Path(collection.root).absolute(), copies, pixels, rows)
    made.sections(findings)
    made.unusable(quarantine)
    for fault, words in quality.FAULTS.items():
        if len(places := images.index[images[fault]].tolist()):
            sizes = [f"{images['width'][i]} x {images['height'][i]}" for i in places[:SHOWN]]
            made.pictures(fault.capitalize(), words, places, sizes)
    made.pairs(groups)
    made.save(asked.out / "report.html")
    for title, lines in findings.items():
        terminal.answer(title)
        for line in lines:
            terminal.answer(f"  {line}")
    terminal.answer(f"in full: {asked.out / 'report.html'}, and the tables beside it")
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
        images: usable ones with the facts of `examine`.
        columns: their own columns.
    """
    from keras_art.data.collection import counted
    from keras_art.pictures import quality
    from keras_art.pictures.containers import EXTENSIONS

    total = len(images) + len(quarantine)
    found: dict[str, list[str]] = {}
    found[f"{collection.name}: {counted(images)} can be used, {len(quarantine):,} of {total:,} can not"] = []
    problems = quarantine["reason"].map(lambda reason: re.split(r" \((?![A-Z0-9]+\)$)|: |, the file", reason)[0])
    kinds = problems.value_counts()
    found["Problems"] = [
        f"{count:,} x {kind}{_first(quarantine['path'][problems == kind].iloc[0])}" for kind, count in kinds.items()
    ] or ["none"]
    found["Duplicates"] = []
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
        are = "image is" if len(turned) == 1 else "images are"
        found["Turned by EXIF"] = [f"{len(turned):,} {are} stored turned or mirrored, and set upright here"]
        found["What they look like"] = [
            f"{len(those):,} x {fault} ({words}), first {those.iloc[0]}"
            for fault, words in quality.FAULTS.items()
            if len(those := images["path"][images[fault]])
        ] or ["nothing is the matter with how they look"]
        by_size = images.assign(pixels=images["width"] * images["height"]).sort_values(["pixels", "id"])
        sizes = by_size.drop_duplicates(["width", "height"])
        middle = by_size.iloc[len(by_size) // 2]
        if len(sizes) == 1:
            found["Sizes"] = [f"all are {middle.width} x {middle.height}"]
            return found
        found["Sizes"] = [f"{len(sizes):,} different; half of the images have {middle.width} x {middle.height} or more"]
        for title, part in (("Smallest", by_size.head(5)), ("Largest", by_size.tail(5)[::-1])):
            found[title] = [f"{row.width} x {row.height}, {row.bytes:,} bytes: {row.path}" for row in part.itertuples()]
    return found


def versions_of(
    images: pd.DataFrame, found: pd.DataFrame, pixels: np.ndarray, rows: np.ndarray, thorough: bool
) -> dict[tuple[int, int], str]:
    """Gives look-alikes one number in `images["alike"]`, and says of versions what was done to which.

    Args:
        found: of `quality.faults`.
        thorough: look for versions, too.

    Returns:
        Places of two images, the second of which is the first with this done to it -> what, in words.
    """
    import numpy as np

    from keras_art.pictures import askew, lookalikes, quality, versions

    hashes = images["alike"].to_numpy()
    groups = lookalikes.near_groups(hashes)
    colours = quality.same_colour(found)  # of those that show nothing, whose hashes say nothing
    groups = np.where(colours >= 0, len(groups) + 1 + colours, groups)
    how: dict[tuple[int, int], str] = {}
    if thorough and len(images):
        first = np.sort(np.unique(hashes, return_index=True)[1])
        pairs = askew.find(pixels, rows[first], hashes[first])
        turned = {(pair.one, pair.other) for pair in pairs}
        with terminal.bar("looking for altered copies", "images") as progress:
            made = versions.find(pixels, rows[first], progress)
        pairs += [pair for pair in made if not {(pair.one, pair.other), (pair.other, pair.one)} & turned]
        one_of = {int(group): int(group) for group in groups}

        def root(group: int) -> int:
            while one_of[group] != group:
                group = one_of[group]
            return group

        for pair in pairs:
            one, other = int(first[pair.one]), int(first[pair.other])
            if groups[one] != groups[other]:  # else the hash has seen it
                how[one, other] = pair.how
                one_of[root(int(groups[other]))] = root(int(groups[one]))
        groups = np.array([root(int(group)) for group in groups])
    images["alike"] = np.unique(groups, return_inverse=True)[1]
    return how


def beside_table(collection: Collection, asked: Check) -> pd.DataFrame | None:
    """`inventory.unmatched` of the table that the collection was read from; None where it was none."""
    from keras_art.data.inventory import unmatched
    from keras_art.data.readers.folders import labels_in
    from keras_art.data.readers.shards import is_shard
    from keras_art.data.readers.spreadsheets import TABLES

    place = Path(asked.data).expanduser()
    if place.is_dir():
        place = labels_in(place) or labels_in(collection.root) or place
    is_table = place.is_file() and place.suffix.lower() in TABLES and not is_shard(place)
    return unmatched(place, asked.root, asked.sheet) if is_table else None


def unmatched_told(found: pd.DataFrame) -> list[str]:
    """Rows without a file and files without a row, the first of each."""
    lines = []
    for what, part in found.groupby("what", sort=False):
        lines.append(f"{len(part):,} x {what}" + (f", the first {SHOWN}:" if len(part) > SHOWN else ":"))
        for row in part.head(SHOWN).itertuples():
            near = f"; {row.nearest} is called nearly so" if row.nearest else ""
            where = f" (row {row.row})" if row.row else ""
            name = row.named or row.file
            number = f"{row.number}: " if row.number and row.number not in (name, Path(name).stem) else ""
            lines.append(f"  {number}{name}{where}{near}")
    return lines or ["every row has its file, and every file beside them its row"]


def _first(path: str) -> str:
    return f", first {path}" if path else ""


def main(argv: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    words = argv[1:] if argv[:1] == ["check"] else argv
    return flags.run(Check, check, words, prog="python -m keras_art doctor check", description=__doc__ or "")

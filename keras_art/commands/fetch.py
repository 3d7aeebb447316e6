"""Fetches a collection where its terms allow, or the images of an IIIF manifest.

    python -m keras_art fetch colorectal_histology --root FOLDER
    python -m keras_art fetch kaokore-1.2 --root FOLDER           # image by image from the owners' servers
    python -m keras_art fetch manifest.json --root FOLDER         # IIIF, version 2 or 3: a file or an address
    python -m keras_art fetch kaokore-1.2 --root FOLDER --dry_run    # what would be asked for, and the time it takes

Stop it when you like: the same command goes on where it was.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.data import cards
from keras_art.errors import UserError
from keras_art.fetching import archives, iiif
from keras_art.fetching.connections import server
from keras_art.fetching.downloads import Downloader, Limits
from keras_art.fetching.harvest import Wanted, harvest, pictures_in
from keras_art.fetching.metadata import clean
from keras_art.store.sums import hash_of
from keras_art.version import __version__
from keras_art.writing import inert, write

FETCHED = "fetched.json"
LEAST = {
    "pause": 0, "limit": 0, "longest_side": 1, "max_megabytes": 0, "max_redirects": 0, "max_depth": 0,
    "max_manifests": 1, "patience": 0.1,
}  # fmt: skip
MOST = 1e6  # of any of these
ANSWER_SECONDS = 0.7  # what a server takes, roughly


@dataclass(frozen=True)
class Fetch:
    """Fetches the files of a card, or of an IIIF manifest."""

    name: tyro.conf.Positional[str]
    """A card's name, NAME-VERSION, or an IIIF manifest: a file or an address."""
    root: Path
    """Folder for collections; a card's goes to ROOT/NAME, a manifest's to ROOT/NAME-DIGEST."""
    pause: float = 1.0
    """Seconds between two files from one server."""
    limit: int = 0
    """At most so many images (0: all)."""
    longest_side: int = 1024
    """Of IIIF images, in pixels; smaller ones are not enlarged."""
    follow_hosts: bool = False
    """Also ask servers that neither the address nor the manifest you name names itself."""
    max_megabytes: float = 200.0
    """Of one file whose size nobody published, as it comes and inflated."""
    max_redirects: int = 5
    """From one address to the next."""
    max_depth: int = 8
    """Of IIIF collections within collections."""
    max_manifests: int = 10_000
    """Of one IIIF collection, collections within it included."""
    patience: float = 30.0
    """Seconds in which fewer than 16 kB come are too many."""
    dry_run: bool = False
    """Say what would be asked for; fetch nothing but manifests."""

    @property
    def limits(self) -> Limits:
        """What one server may cost."""
        return Limits(self.max_megabytes, self.max_redirects, self.patience)


def run(asked: Fetch) -> int:
    """Fetches what is missing; 1 if something could not be had."""
    for flag, least in LEAST.items():
        if not least <= getattr(asked, flag) <= MOST:
            raise UserError(f"--{flag} is at least {least:g} and at most {MOST:,.0f}")
    if iiif.is_manifest(asked.name):
        return _manifest(asked)
    card = cards.load_card(asked.name)
    if not card.files:
        versions = f"name one of its versions: {card.name}-{list(card.versions)[-1]}. " if card.versions else ""
        raise UserError(f"{card.name} can not be fetched by itself. {versions}{card.obtain.strip()}")
    folder = asked.root.expanduser() / card.family
    terminal.say(f"{card.title}: {card.licence}")
    for file in card.files:
        if _is_there(folder, file):
            continue
        terminal.say(f"{file['path']}, {file.get('bytes', 0) / 1e6:.1f} MB from {server(file['urls'][0])}")
        if asked.dry_run:
            continue
        with terminal.bar(file["path"], "bytes") as progress:
            # Wherever its servers send us: its hash says whether it is the file.
            Downloader(asked.pause, limits=asked.limits).fetch(
                file["urls"], folder / file["path"], file["sha256"], file.get("bytes", 0), progress
            )
        if file.get("unpack"):
            for name, reason in archives.unpack(folder / file["path"], folder):
                terminal.say(f"{name}: {reason}")
            (folder / file["path"]).unlink()
    if not asked.dry_run:
        facts = {"card": card.name, "source": card.source, "licence": card.licence, "citation": card.citation}
        if not (folder / FETCHED).exists():
            _remember(folder, facts | {"files": card.files})
    if "urls" not in card.options:
        terminal.say(f"{card.name} is in {folder}" if not asked.dry_run else "nothing fetched")
        return 0
    if not (folder / card.options["urls"]).exists():
        terminal.say("then the images, whose addresses are in that list")
        return 0
    images = numbered_images(folder, card)[: asked.limit or None]
    servers = None if asked.follow_hosts else {server(image.url) for image in images}
    return 1 if _images(asked, folder, images, servers, []) else 0


def _is_there(folder: Path, file: dict[str, Any]) -> bool:
    """Whether a card's file was fetched, and unpacked to its end.

    Raises:
        UserError: one of its name is there, and is another.
    """
    path = folder / file["path"]
    if file.get("unpack"):
        return (folder / path.stem).exists() and not path.exists()  # the archive goes once all of it is out
    if path.exists() and hash_of(path) != file["sha256"]:
        raise UserError(f"{path} is not the file of this card: of another version, or changed. Take another --root")
    return path.exists()


def _remember(folder: Path, facts: dict[str, Any]) -> None:
    """Writes down what was fetched, from where and when."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    facts |= {"fetched": now, "keras_art": __version__}
    write(folder / FETCHED, json.dumps(facts, indent=1, ensure_ascii=False))


def numbered_images(folder: Path, card: cards.DatasetCard) -> list[Wanted]:
    """KaoKore's way: the image of line n (from 0, blank lines counted) is n in eight digits; only labelled ones."""
    with open(folder / "labels.csv", newline="", encoding="utf-8") as file:
        labelled = {row["image"] for row in csv.DictReader(file)}
    lines = (folder / card.options["urls"]).read_text(encoding="utf-8").split("\n")
    numbered = ((f"{number:08d}.jpg", line.strip()) for number, line in enumerate(lines))
    return [Wanted(folder / card.images[0] / name, url) for name, url in numbered if url and name in labelled]


def _images(
    asked: Fetch, folder: Path, images: list[Wanted], servers: Collection[str] | None, dead: list[tuple[str, str]]
) -> int:
    """Fetches what is missing; how many could not be had, with what is `dead` beside them: not_fetched.csv lists it."""
    there = pictures_in(images[0].path.parent) if images else {}
    missing = [image for image in images if image.stem not in there]
    asks: dict[str, int] = {}
    for image in missing:
        asks[server(image.url)] = asks.get(server(image.url), 0) + (2 if image.picture and image.picture.base else 1)
    strange = sorted(set(asks) - set(servers)) if servers is not None else []
    slowest = max((number for name, number in asks.items() if name not in strange), default=0)
    if missing:
        terminal.say(
            f"{len(missing):,} of {len(images):,} images to fetch from {len(asks)} servers, one connection each, "
            f"{asked.pause:g} s apart: about {terminal.duration(slowest * (asked.pause + ANSWER_SECONDS))}"
        )
    else:
        terminal.say(f"all of its {len(images):,} images are in {folder}")
    if strange:
        terminal.say(
            f"not asked, since {asked.name} does not name them: {', '.join(strange)}; --follow_hosts asks them"
        )
    if asked.dry_run:
        return len(dead)

    def told(failed: list[tuple[str, str, str]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(
            [("path", "url", "reason"), *([inert(clean(cell)) for cell in row] for row in failed)]
        )
        write(folder / "not_fetched.csv", text.getvalue())

    unread = [("", address, reason) for address, reason in dead]
    told(unread + [(str(image.path), image.url, "not asked for yet") for image in missing])
    with terminal.bar(f"fetching {folder.name}", "images") as progress:
        failed = harvest(missing, lambda: Downloader(asked.pause, limits=asked.limits, servers=servers), progress)
    rows = unread + [(str(image.path), image.url, reason) for image, reason in failed]
    told(rows)
    if rows:
        terminal.say(
            f"{len(rows):,} could not be had, see {folder / 'not_fetched.csv'}; the same command tries again. "
            f"The first: {rows[0][2][:300]}"
        )
    return len(rows)


def _manifest(asked: Fetch) -> int:
    """Images to ROOT/NAME-DIGEST/images, and a labels.csv with ids, metadata and rights, that `--data` takes."""
    folder = asked.root.expanduser() / iiif.folder_name(asked.name)
    polite = Downloader(asked.pause, limits=asked.limits, servers=None if asked.follow_hosts else {server(asked.name)})
    extent = iiif.Extent(asked.limit, asked.max_depth, asked.max_manifests)
    with terminal.bar("reading manifests", "manifests") as progress:
        pages, dead = iiif.read(asked.name, polite, folder / "manifests", extent, progress)
    size = f"-{asked.longest_side}"
    images = [
        Wanted(
            folder / "images" / f"{page.row['id']}{size if page.picture.base else ''}",
            page.picture.source,
            page.picture,
            asked.longest_side,
        )
        for page in pages
    ]

    table, listed = folder / "labels.csv", folder / "manifests" / "labels.csv"
    # People write their labels into it: what differs from what was listed is theirs.
    labelled = table.exists() and not (listed.exists() and table.read_bytes() == listed.read_bytes())

    def told() -> None:
        found = pictures_in(folder / "images")
        names = [found.get(image.stem, f"{image.stem}.jpg") for image in images]
        rows = [page.row | {"image": f"images/{name}"} for page, name in zip(pages, names, strict=True)]
        write(listed, iiif.labels(rows))
        if not labelled:
            write(table, iiif.labels(rows))

    if not asked.dry_run:
        told()
        terminal.say(f"{len(pages):,} images listed in {listed if labelled else table}, with their rights")
        if labelled:
            terminal.say(f"{table} stays as it is: it has been written on since it was fetched")
        if old := len(set(pictures_in(folder / "images")) - {image.stem for image in images}):
            terminal.say(
                f"{old:,} of the pictures in {folder / 'images'} are no longer listed: of other sizes, or gone"
            )
    failed = _images(asked, folder, images, polite.servers, dead)
    if not asked.dry_run:
        told()
        if not failed and not asked.limit:
            _remember(folder, {"manifest": asked.name, "images": len(pages)})
    return 1 if failed else 0


def main(argv: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    return flags.run(Fetch, run, argv, prog="python -m keras_art fetch", description=__doc__ or "")

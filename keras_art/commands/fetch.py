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
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.data import cards
from keras_art.errors import UserError
from keras_art.fetching import archives, iiif
from keras_art.fetching.downloads import Downloader, NotFetched, Refused
from keras_art.version import __version__
from keras_art.writing import write

GIVE_UP = 3  # refusals in a row, after which a server is asked no more
ANSWER_SECONDS = 0.7  # what a server takes, roughly

Image = tuple[str, Path]  # address, where it goes


@dataclass(frozen=True)
class Fetch:
    """Fetches the files of a card, or of an IIIF manifest."""

    name: tyro.conf.Positional[str]
    """A card's name, NAME-VERSION, or an IIIF manifest: a file or an address."""
    root: Path
    """Folder for collections; this one goes to ROOT/NAME."""
    pause: float = 1.0
    """Seconds between two files from one server."""
    limit: int = 0
    """At most so many images (0: all)."""
    longest_side: int = 1024
    """Of IIIF images, in pixels."""
    dry_run: bool = False
    """Say what would be asked for; fetch nothing."""


def run(asked: Fetch) -> int:
    """Fetches what is missing; 1 if something could not be had."""
    if iiif.is_manifest(asked.name):
        return _manifest(asked)
    card = cards.load_card(asked.name)
    if not card.files:
        versions = f"name one of its versions: {card.name}-{list(card.versions)[-1]}. " if card.versions else ""
        raise UserError(f"{card.name} can not be fetched by itself. {versions}{card.obtain.strip()}")
    folder = asked.root.expanduser() / card.family
    terminal.say(f"{card.title}: {card.licence}")
    missing = [file for file in card.files if not (folder / _result(file)).exists()]
    for file in missing:
        terminal.say(f"{file['path']}, {file.get('bytes', 0) / 1e6:.1f} MB from {urlsplit(file['urls'][0]).hostname}")
        if asked.dry_run:
            continue
        with terminal.bar(file["path"], "bytes") as progress:
            Downloader(asked.pause).fetch(
                file["urls"], folder / file["path"], file["sha256"], file.get("bytes", 0), progress
            )
        if file.get("unpack"):
            for name, reason in archives.unpack(folder / file["path"], folder):
                terminal.say(f"{name}: {reason}")
            (folder / file["path"]).unlink()
    if not asked.dry_run:
        _remember(folder, card)
    if "urls" not in card.options:
        terminal.say(f"{card.name} is in {folder}" if not asked.dry_run else "nothing fetched")
        return 0
    if not (folder / card.options["urls"]).exists():
        terminal.say("then the images, whose addresses are in that list")
        return 0
    return _images(asked, folder, numbered_images(folder, card))


def _remember(folder: Path, card: cards.DatasetCard) -> None:
    """Writes down, once, what was fetched, from where and when."""
    record = folder / "fetched.json"
    if not record.exists():
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        facts: dict[str, Any] = {
            "card": card.name,
            "source": card.source,
            "licence": card.licence,
            "citation": card.citation,
        }
        facts |= {"fetched": now, "keras_art": __version__, "files": card.files}
        write(record, json.dumps(facts, indent=1, ensure_ascii=False))


def _result(file: dict[str, Any]) -> str:
    return Path(file["path"]).stem if file.get("unpack") else file["path"]


def numbered_images(folder: Path, card: cards.DatasetCard) -> list[Image]:
    """KaoKore's way: the image of line n (from 0, blank lines counted) is n in eight digits; only labelled ones."""
    with open(folder / "labels.csv", newline="", encoding="utf-8") as file:
        labelled = {row["image"] for row in csv.DictReader(file)}
    lines = (folder / card.options["urls"]).read_text(encoding="utf-8").split("\n")
    numbered = ((f"{number:08d}.jpg", line.strip()) for number, line in enumerate(lines))
    return [(url, folder / card.images[0] / name) for name, url in numbered if url and name in labelled]


def _images(asked: Fetch, folder: Path, images: list[Image]) -> int:
    images = images[: asked.limit or None]
    missing = [image for image in images if not image[1].exists()]
    servers = {urlsplit(url).netloc for url, _ in missing}
    slowest = max((sum(urlsplit(url).netloc == server for url, _ in missing) for server in servers), default=0)
    terminal.say(
        f"{len(missing):,} of {len(images):,} images to fetch from {len(servers)} servers, one connection each, "
        f"{asked.pause:g} s apart: about {terminal.duration(slowest * (asked.pause + ANSWER_SECONDS))}"
    )
    if asked.dry_run:
        return 0
    with terminal.bar(f"fetching {folder.name}", "images") as progress:
        failed = fetch_images(missing, lambda: Downloader(asked.pause), progress)
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("path", "url", "reason"), *((path, url, reason) for url, path, reason in failed)])
    write(folder / "not_fetched.csv", text.getvalue())
    if failed:
        terminal.say(
            f"{len(failed):,} could not be had, see {folder / 'not_fetched.csv'}; the same command tries again"
        )
    return 1 if failed else 0


def fetch_images(
    images: Sequence[Image], downloader: Callable[[], Downloader], progress: Callable[[int, int], None]
) -> list[tuple[str, Path, str]]:
    """Fetches images, one thread for each server; what is no picture once fetched is deleted.

    A server that refuses three times in a row is asked no more.

    Returns:
        (url, path, reason) of those that could not be had, by path.
    """
    failed: list[tuple[str, Path, str]] = []
    done = 0
    lock, stop = threading.Lock(), threading.Event()

    def tell(url: str, path: Path, reason: str) -> None:
        nonlocal done
        with lock:
            done += 1
            if reason:
                failed.append((url, path, reason))
            progress(done, len(images))

    def serve(part: list[Image]) -> None:
        polite, refusals = downloader(), 0
        for url, path in part:
            if stop.is_set():
                return
            if refusals == GIVE_UP:
                tell(url, path, "not asked for: the server refused before")
                continue
            reason = ""
            try:
                polite.fetch([url], path)
                refusals, reason = 0, _no_picture(path)
            except NotFetched as error:
                refusals = refusals + 1 if isinstance(error, Refused) else 0
                reason = str(error)
            except OSError as error:  # the disk's: no other image would fare better
                reason = f"can not be written ({error.strerror})"
                stop.set()
            tell(url, path, reason)

    by_server: dict[str, list[Image]] = {}
    for url, path in images:
        by_server.setdefault(urlsplit(url).netloc, []).append((url, path))
    threads = [threading.Thread(target=serve, args=(part,), daemon=True) for part in by_server.values()]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.05)  # a join could not be interrupted by Ctrl-C everywhere
    finally:
        stop.set()
    return sorted(failed, key=lambda row: row[1])


def _no_picture(path: Path) -> str:
    from keras_art.pictures.images import Unreadable, decode

    try:
        decode(path, 8)
    except Unreadable as error:
        path.unlink()
        return f"what came is no picture: {error}"
    return ""


def _manifest(asked: Fetch) -> int:
    """Images to ROOT/NAME/images, and a labels.csv with ids, metadata and rights, that `--data` takes."""
    with terminal.bar("reading manifests", "manifests") as progress:
        pages = iiif.read(asked.name, Downloader(asked.pause), asked.root, asked.longest_side, progress)
    folder = asked.root.expanduser() / iiif.folder_name(asked.name)
    write(folder / "labels.csv", iiif.labels(pages))
    terminal.say(f"{len(pages):,} images listed in {folder / 'labels.csv'}, with their rights")
    return _images(asked, folder, [(page["url"], folder / page["image"]) for page in pages])


def main(argv: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    return flags.run(Fetch, run, argv, prog="python -m keras_art fetch", description=__doc__ or "")

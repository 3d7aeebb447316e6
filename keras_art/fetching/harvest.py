"""Many images from many servers: one polite thread for each, and every image that could not be had is named."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_art.fetching import services
from keras_art.fetching.connections import server
from keras_art.fetching.downloads import Downloader, NotFetched, Refused
from keras_art.fetching.iiif import json_of
from keras_art.pictures.containers import EXTENSIONS
from keras_art.pictures.images import Unreadable, decode


@dataclass(frozen=True)
class Wanted:
    """One image.

    Attributes:
        path: where it goes; where `picture` says what it is, without the suffix, which its content gives.
        url: its address.
        picture: of a manifest: an image service may give it in several sizes.
        longest_side: what such a service is asked for, in pixels.
    """

    path: Path
    url: str
    picture: services.Painted | None = None
    longest_side: int = 0

    @property
    def stem(self) -> str:
        """The name of its file, without the suffix."""
        return self.path.name if self.picture else self.path.stem


def harvest(
    images: Sequence[Wanted], downloader: Callable[[], Downloader], progress: Callable[[int, int], None]
) -> list[tuple[Wanted, str]]:
    """Fetches images, one thread for each server; what is no picture once fetched is not kept.

    Returns:
        (image, reason) of those that could not be had, by path.
    """
    left = {image.path: (image, "not asked for: the fetch ended before") for image in images}
    lock, stop = threading.Lock(), threading.Event()

    def serve(part: list[Wanted]) -> None:
        polite = None
        for image in part:
            if stop.is_set():
                return
            reason = ""
            try:
                polite = polite or downloader()
                _fetch(image, polite)
            except NotFetched as error:
                reason = str(error)
            except Exception as error:  # of one image, or of our own: the others are still to be had
                reason = f"{type(error).__name__}: {error}"
                if isinstance(error, OSError) and error.errno:  # the disk's: no other image would fare better
                    reason = f"can not be written ({error.strerror})"
                    stop.set()
            with lock:
                if reason:
                    left[image.path] = image, reason
                else:
                    del left[image.path]
                asked.append(image)
                progress(len(asked), len(images))

    asked: list[Wanted] = []
    by_server: dict[str, list[Wanted]] = {}
    for image in images:
        by_server.setdefault(server(image.url), []).append(image)
    threads = [threading.Thread(target=serve, args=(part,), daemon=True) for part in by_server.values()]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.05)  # a join could not be interrupted by Ctrl-C everywhere
    finally:
        stop.set()
    return [left[path] for path in sorted(left)]


def pictures_in(folder: Path) -> dict[str, str]:
    """Name without its suffix -> name, of the pictures that were fetched into a folder."""
    names = os.listdir(folder) if folder.is_dir() else []
    return {stem: stem + suffix for stem, suffix in map(os.path.splitext, names) if suffix in EXTENSIONS}


def _fetch(image: Wanted, polite: Downloader) -> None:
    def place(part: Path) -> Path:
        suffix = _suffix(part)
        return image.path.with_name(f"{image.path.name}{suffix}") if image.picture else image.path

    urls = [image.url]
    if image.picture:
        urls = services.addresses(image.picture, _info(image.picture, image.path, polite), image.longest_side)
    if not urls:
        raise NotFetched("only a part of the picture is on its canvas, and no image service is there to cut it out")
    polite.fetch(urls, image.path, place=place)


def _info(picture: services.Painted, path: Path, polite: Downloader) -> services.Thing:
    """What an image service says of a picture, {} where it says nothing, or its manifest has said it already."""
    if not picture.base or services.tells_size(picture.service):
        return {}
    found: services.Thing = {}

    def place(part: Path) -> Path:
        nonlocal found
        found = json_of(part)
        return part

    try:
        polite.fetch([f"{picture.base}/info.json"], path.with_name(f"{path.name}.info"), place=place)
    except Refused:
        raise
    except NotFetched:
        return {}
    return found if services.tells_size(found) else {}


def _suffix(part: Path) -> str:
    """That of what the file holds, whatever its address promised.

    Raises:
        NotFetched: it is no picture.
    """
    try:
        content = decode(part, 8)[1]["format"]
    except Unreadable as error:
        if "sha256" in error.facts or "format" not in error.facts:  # else this machine's limits or plug-ins refuse it
            raise NotFetched(f"what came is no picture: {error}") from error
        content = error.facts["format"] or "TIFF"  # so large, and no JPEG
    content = "JPEG" if content == "MPO" else content
    return next(suffix for suffix, kind in EXTENSIONS.items() if kind == content)

"""Which picture has which labels, and the folder they are written to."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_art import stopping
from keras_art.atelier.artists import ARTISTS
from keras_art.atelier.paintings import MATERIALS, painting
from keras_art.atelier.photographs import OBJECTS, photograph
from keras_art.atelier.pixels import Rng, eight_bit
from keras_art.atelier.scenes import TYPES
from keras_art.store.leftovers import sweep
from keras_art.store.reading import check, is_there
from keras_art.store.sums import SUMS, Damaged, seal
from keras_art.terminal import bar
from keras_art.writing import replacing

WORTH_PROCESSES = 100  # pictures, from which on painting takes longer than to start processes that paint
PROGRAM = (  # arguments: those of `_paint_share` as JSON, then where the first process looks for modules
    "import json, sys; sys.path = sys.argv[2:]; "
    "from keras_art.atelier.making import paint_beside; paint_beside(json.loads(sys.argv[1]))"
)
HALVES = {"target": ("artist", "style", "type", "material"), "source": ("object",)}


def _dealt(deck: list[str], index: int, seed: int, half: str) -> str:
    """Card `index` of decks shuffled one after another: shares are exact in every full deck."""
    rng = np.random.default_rng([seed, list(HALVES).index(half), 0, index // len(deck)])
    return deck[rng.permutation(len(deck))[index % len(deck)]]


def _drawn(rng: Rng, table: dict[str, tuple[float, Callable[..., Any]]]) -> str:
    return str(rng.choice(list(table), p=[share for share, _ in table.values()]))


def _checked(half: str) -> str:
    if half not in HALVES:
        raise ValueError(f"half must be one of {', '.join(map(repr, HALVES))}, not {half!r}")
    return half


def paint(
    index: int, *, image_size: int = 128, seed: int = 0, half: str = "target"
) -> tuple[np.ndarray, dict[str, str]]:
    """One picture, the same whenever index, image_size, seed and half are.

    Returns:
        The picture, (image_size, image_size, 3) uint8, and its labels: artist, style, type and material of a
        painting (half "target"), object of a photograph (half "source").

    Raises:
        ValueError: `half` is neither.
    """
    rng, labels = _labels(index, seed, _checked(half))
    if half == "source":
        texture, shape = labels["object"].split()
        return eight_bit(photograph(rng, texture, shape, image_size)), labels
    artist = next(artist for artist in ARTISTS if artist.name == labels["artist"])
    return eight_bit(painting(rng, artist, labels["type"], labels["material"], image_size)), labels


def _labels(index: int, seed: int, half: str) -> tuple[Rng, dict[str, str]]:
    """What a picture is to be, and the random numbers that it is painted with."""
    rng = np.random.default_rng([seed, list(HALVES).index(half), 1, index])
    if half == "source":
        return rng, {"object": _dealt(OBJECTS, index, seed, half)}
    styles = {artist.name: artist.style for artist in ARTISTS}
    artist = _dealt([artist.name for artist in ARTISTS for _ in range(artist.share)], index, seed, half)
    type_, material = _drawn(rng, TYPES), _drawn(rng, MATERIALS)
    return rng, {"artist": artist, "style": styles[artist], "type": type_, "material": material}


def make_atelier(
    folder: Path, *, images: int = 1000, image_size: int = 128, seed: int = 0, half: str = "target"
) -> Path:
    """Writes `folder/images/00000.png ...` and, last, `folder/labels.csv`; a thousand take ten seconds of two cores.

    The column `image` is the path relative to `folder`; the others are the labels of `paint`. A folder with
    `labels.csv` is complete and returned as it is; one without, or with a damaged one, is painted, whatever it holds.

    Raises:
        ValueError: `half` is neither "target" nor "source", or `images` is below 1.
    """
    if images < 1:
        raise ValueError(f"images must be at least 1, not {images}")
    columns, table = ["image", *HALVES[_checked(half)]], folder / "labels.csv"
    try:
        if is_there(table):
            check(table)
            return folder
    except Damaged:
        (folder / SUMS).unlink(missing_ok=True)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    sweep(folder)
    title = f"painting the atelier's {half} collection"
    with replacing(table) as part, part.open("w", newline="") as file, bar(title, "pictures") as progress:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({"image": _name(index), **_labels(index, seed, half)[1]} for index in range(images))
        _paint_all(folder, images, image_size, seed, half, progress)
    seal(folder)
    return folder


def _name(index: int) -> str:
    return f"images/{index:05d}.png"


def _paint_all(
    folder: Path, images: int, image_size: int, seed: int, half: str, progress: Callable[[int, int], None]
) -> None:
    """Paints in this process and, where there is enough to paint, in one more for every further core.

    Raises:
        RuntimeError: a process has ended before its pictures were painted.
    """
    count = (os.cpu_count() or 1) if images >= WORTH_PROCESSES else 1
    shares: list[Any] = [[str(folder), first, images, count, image_size, seed, half] for first in range(count)]
    command = [sys.executable, "-P", "-c", PROGRAM]
    others = [subprocess.Popen([*command, json.dumps(share), *sys.path]) for share in shares[1:]]
    try:
        for index in _paint_share(*shares[0]):
            progress(min(index + count, images), images)  # the others are about as far
        if any(process.wait() for process in others):
            raise RuntimeError(f"a process that painted into {folder} has ended before its pictures were done")
    finally:
        for process in others:
            process.kill()
            process.wait()


def _paint_share(
    folder: str, first: int, images: int, count: int, image_size: int, seed: int, half: str
) -> Generator[int]:
    """Paints `range(first, images, count)` of the pictures; yields each index when it is painted."""
    for index in range(first, images, count):
        picture, _ = paint(index, image_size=image_size, seed=seed, half=half)
        Image.fromarray(picture).save(Path(folder) / _name(index), compress_level=1)
        yield index


def paint_beside(share: list[Any]) -> None:
    """What a process beside the first one does: it paints its share, and ends when the first one has ended."""
    stopping.deaf()
    first = os.getppid()
    for _ in _paint_share(*share):
        if os.getppid() != first:
            return


def contact_sheet(folder: Path, out: Path, columns: int = 12) -> Path:
    """Writes a PNG of a collection: a row for each artist (of photographs: each object), `columns` pictures wide."""
    with (folder / "labels.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    captions = {artist.name: f"{artist.name}, {artist.style}" for artist in ARTISTS} | {name: name for name in OBJECTS}
    label = "artist" if "artist" in table[0] else "object"
    rows = {name: [row["image"] for row in table if row[label] == name][:columns] for name in captions}
    rows = {name: pictures for name, pictures in rows.items() if pictures}
    with Image.open(folder / table[0]["image"]) as first:
        step = first.width + 6
    sheet = Image.new("RGB", (columns * step + 6, len(rows) * (step + 20) + 6), "white")
    for i, (name, pictures) in enumerate(rows.items()):
        top = i * (step + 20) + 4
        ImageDraw.Draw(sheet).text((6, top), captions[name], "dimgray", ImageFont.load_default(14))
        for j, picture in enumerate(pictures):
            with Image.open(folder / picture) as image:
                sheet.paste(image, (6 + j * step, top + 20))
    sheet.save(out, format="PNG")
    return out

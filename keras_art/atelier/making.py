"""Which picture has which labels, and the folder they are written to."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

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
    rng = np.random.default_rng([seed, list(HALVES).index(_checked(half)), 1, index])
    if half == "source":
        texture, shape = _dealt(OBJECTS, index, seed, half).split()
        return eight_bit(photograph(rng, texture, shape, image_size)), {"object": f"{texture} {shape}"}
    artists = {artist.name: artist for artist in ARTISTS}
    artist = artists[_dealt([name for name in artists for _ in range(artists[name].share)], index, seed, half)]
    type_, material = _drawn(rng, TYPES), _drawn(rng, MATERIALS)
    labels = {"artist": artist.name, "style": artist.style, "type": type_, "material": material}
    return eight_bit(painting(rng, artist, type_, material, image_size)), labels


def make_atelier(
    folder: Path, *, images: int = 1000, image_size: int = 128, seed: int = 0, half: str = "target"
) -> Path:
    """Writes `folder/images/00000.png ...` and, last, `folder/labels.csv`; a thousand take about ten seconds.

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
        for index in range(images):
            picture, labels = paint(index, image_size=image_size, seed=seed, half=half)
            name = f"images/{index:05d}.png"
            Image.fromarray(picture).save(folder / name, compress_level=1)
            writer.writerow({"image": name, **labels})
            progress(index + 1, images)
    seal(folder)
    return folder


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

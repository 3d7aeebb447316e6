"""Best Artworks of All Time: `artists.csv` beside images called `Albrecht_Dürer_1.jpg`, the artist's name in front."""

from __future__ import annotations

import os
import re
from pathlib import Path

from keras_art.data import cards
from keras_art.data.collection import BadCollection, Collection, collect
from keras_art.data.readers.files import is_image, walk
from keras_art.data.readers.spreadsheets import read_csv
from keras_art.data.readers.text import skeletons

NUMBERED = re.compile(r"_\d+$")


def read(card: cards.DatasetCard, folder: Path, need_images: bool) -> Collection:
    """The artist from the file's name; nationality and style from `artists.csv`, of several the first.

    One artist's images come twice, once below a broken spelling of his name: those go to the quarantine.
    """
    artists = read_csv(folder / "artists.csv", latin=True)
    if missing := {"name", "genre", "nationality"} - set(artists.columns):
        raise BadCollection(f"{folder / 'artists.csv'} lacks the columns {', '.join(sorted(missing))}")
    rows = {key: i for i, name in enumerate(artists["name"]) for key in skeletons(name.replace(" ", "_"))}
    place = next((folder / name for name in card.images if (folder / name).is_dir()), folder)
    ours: dict[str, list[str]] = {"id": [], "path": []}
    columns: dict[str, list[str]] = {name: [] for name in ("artist", "style", "style_all", "nationality")}
    problems, seen = [], set()
    for path in filter(is_image, walk(place)):
        stem = os.path.splitext(os.path.basename(path))[0]
        name = NUMBERED.sub("", stem)
        row = next((rows[key] for key in skeletons(name) if key in rows), None)
        if row is None:
            problems.append((stem, path, "no artist of artists.csv is called so"))
            continue
        if (key := (row, stem[len(name) :])) in seen:
            problems.append((stem, path, "the same picture stands there under another spelling of its artist"))
            continue
        seen.add(key)
        artist, genres, nationality = (artists[c][row] for c in ("name", "genre", "nationality"))
        fields = (stem, path, artist, genres.partition(",")[0], genres, nationality.partition(",")[0])
        for column, value in zip([*ours.values(), *columns.values()], fields, strict=True):
            column.append(value)
    return collect(card.name, ours, columns, problems, root=folder, card=card, need_images=need_images)

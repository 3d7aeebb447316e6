"""A card's Parquet shards with images inside, as Hugging Face writes them; each is read in place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from keras_art.data import cards
from keras_art.data.collection import BadCollection, Collection, collect


def read(card: cards.DatasetCard, folder: Path, need_images: bool) -> Collection:
    """The rows of all shards, by the card's columns; class numbers become names.

    Raises:
        BadCollection: a shard is damaged or lacks a column of the card's `options.parquet`.
    """
    wanted = card.options["parquet"]
    ours: dict[str, list[Any]] = {"id": [], "path": [], "bytes": []}
    columns: dict[str, list[str]] = {name: [] for name in wanted}
    for shard in sorted([*folder.glob("data/*.parquet"), *folder.glob("*.parquet")]):
        names, labels = _labels(shard, ["image", *wanted] if need_images else wanted)
        count = len(labels[wanted[0]])
        ours["id"] += [f"{shard.stem}/{row:06d}" for row in range(count)]
        ours["path"] += [f"{shard.absolute()}/{row:06d}" if need_images else "" for row in range(count)]
        ours["bytes"] += [shard.stat().st_size if need_images else -1] * count
        for name in wanted:
            columns[name] += [_name(value, names.get(name)) for value in labels[name]]
    return collect(card.name, ours, columns, root=folder, card=card, need_images=need_images)


def _labels(shard: Path, needed: list[str]) -> tuple[dict[str, list[str]], dict[str, list[Any]]]:
    """The names of the classes by column, which stand in the file's metadata, and the columns without the images."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(shard)
        if missing := [name for name in needed if name not in schema.names]:
            raise BadCollection(f"{shard} lacks the columns {', '.join(missing)}; it has {', '.join(schema.names)}")
        table = pq.read_table(shard, columns=[name for name in needed if name != "image"])
        info = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
        if isinstance(error, BadCollection):
            raise
        raise BadCollection(f"{shard} is no Parquet file that can be read ({error}); download it anew") from error
    try:
        features = info.get("info", {}).get("features", {})
        names = {name: list(feature["names"]) for name, feature in features.items() if "names" in feature}
    except (AttributeError, TypeError) as error:
        raise BadCollection(f"{shard}: its metadata are not Hugging Face's ({error}); download it anew") from error
    return names, table.to_pydict()


def _name(value: Any, names: list[str] | None) -> str:
    if value is None or (isinstance(value, int) and value < 0):  # -1: no label
        return ""
    return names[value] if names and isinstance(value, int) and value < len(names) else str(value)

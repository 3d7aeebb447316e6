"""Which pictures a model was trained or chosen on, by their SHA-256: its store knows, or a list that lies beside it."""

from __future__ import annotations

import json
from pathlib import Path

from keras_art.data.kept import listed, splits_of
from keras_art.errors import UserError
from keras_art.networks.trained import ModelCard
from keras_art.store.runs import store_of
from keras_art.writing import LEARNT, write


def learnt_from(file: Path, card: ModelCard) -> frozenset[str] | None:
    """The hashes of a model's train and validation images; none where it learnt from no labels; None: not known."""
    config = card.provenance.get("config", {})
    if config.get("mode") == "zero_shot" or config.get("kind") == "clustering":
        return frozenset()
    key = config.get("collection", "")
    try:
        if (file.parent / LEARNT).is_file():
            return listed(file.parent) or None
        splits = splits_of(store_of(file), key) if isinstance(key, str) and key else {}
    except UserError:  # the model is whole without it, and `store check` tells
        return None
    return frozenset(sha256 for sha256, split in splits.items() if split in ("train", "val")) or None


def write_learnt(folder: Path, hashes: frozenset[str]) -> None:
    """Writes them for others, in an order that tells nothing."""
    write(folder / LEARNT, json.dumps({"sha256": sorted(hashes)}, indent=0))

"""A finished run on new pictures."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.errors import UserError
from keras_art.store.runs import Store, StoreError
from keras_art.study.kinds.classifier import ClassifierRun
from keras_art.writing import write

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Predict:
    """What a finished run says of new pictures."""

    run: tyro.conf.Positional[Path]
    """The run's directory."""
    folder: tyro.conf.Positional[Path]
    """Pictures, searched in depth."""
    out: Path = Path("predictions.csv")
    """One row per picture: its path, its class or cluster, and how likely that is."""


def command(asked: Predict, kind: type[Any], how: Callable[..., Any] | None = None) -> int:
    """Writes `--out`, and beside it what could not be read; returns the exit status.

    Args:
        kind: the run's dataclass.
        how: takes and returns what `predict` does, for runs that are no classifiers.

    Raises:
        UserError: the folder is absent, or the run is none, unfinished, diverged, or without a model.
    """
    config = asked.run / "config.json"
    if not config.is_file():
        raise UserError(
            f"{asked.run} is no run: it has no config.json. Finished runs stand below the store, runs/{kind.paper}/"
        )
    if not asked.folder.is_dir():
        raise UserError(f"{asked.folder} is no folder")
    terminal.start_backend()
    with terminal.bar("reading pictures", "images") as progress:
        run = kind(**json.loads(config.read_text()))
        found, unreadable = (how or predict)(asked.run, run, asked.folder, progress)
    return hand_over(found, unreadable, asked.out)


def main(argv: Sequence[str] | None = None, prog: str = "python -m keras_art predict") -> int:
    """The command line; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    asked = flags.read(Predict, words, prog=prog, description=Predict.__doc__ or "")
    return terminal.guarded(lambda: command(asked), prog)


def hand_over(found: pd.DataFrame, unreadable: pd.DataFrame, out: Path) -> int:
    """Writes what was found, and beside it what could not be read; returns the exit status."""
    write(out, found.to_csv(index=False))
    terminal.say(f"{len(found)} pictures in {out}")
    if len(unreadable):
        quarantine = out.with_name(f"{out.stem}_quarantine.csv")
        write(quarantine, unreadable.to_csv(index=False))
        terminal.say(f"{len(unreadable)} could not be read, see {quarantine}")
    return 0 if len(found) else 1


def predict(
    folder: Path, config: ClassifierRun, pictures: Path, progress: Callable[[int, int], None]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a finished run says of new pictures.

    Args:
        folder: the run's directory in its store.
        pictures: a folder of images, searched in depth.

    Returns:
        One row per readable picture (id, predicted, probability, and the five likeliest classes), and one per
        unreadable one (path, reason).

    Raises:
        StoreError: the run is not finished, diverged, or has a head that is not kept.
    """
    import keras
    import numpy as np

    from keras_art.data.sources import list_images
    from keras_art.learning import classifier
    from keras_art.pictures.decoded import stored_images
    from keras_art.pictures.pipeline import Batches
    from keras_art.report import metrics

    store = Store(folder.resolve().parents[1])
    kept = next((folder / name for name in ("model.keras", "head.keras") if (folder / name).exists()), None)
    if kept is None:
        raise StoreError(f"{folder} holds no model: the run is unfinished, diverged, or has a random-forest head")
    paths = list_images(pictures)
    images = stored_images(store, config.image_size, config.resize)
    scan = images.scan(paths, progress)
    scan["id"] = [path.relative_to(pictures).as_posix() for path in paths]
    readable = scan[scan["row"] >= 0]
    inputs, rows = images.pixels(), readable["row"].to_numpy()
    if len(readable) and kept.name == "head.keras":
        load = functools.cache(lambda: classifier.load_network(store, config))
        inputs, rows, _ = classifier.network_features(store, config, load, inputs, rows, readable["sha256"].to_list())
    model = keras.saving.load_model(kept, compile=False)
    classes = json.loads((folder / "classes.json").read_text(encoding="utf-8"))
    batches = Batches(inputs, rows, np.zeros(len(rows)), config.batch_size)
    outputs = model.predict(batches.epochs(), verbose=0) if len(rows) else np.zeros((0, len(classes)))
    probabilities = classifier.softmax(outputs) if config.head == "linear_svm" else outputs
    found = metrics.predictions(readable["id"], probabilities, classes)
    return _described(found, pictures), scan.loc[scan["row"] < 0, ["path", "reason"]]


def _described(found: pd.DataFrame, pictures: Path) -> pd.DataFrame:
    """With the Dublin Core and rights that a `labels.csv` in the folder knows of the pictures, and their ids there."""
    if not (pictures / "labels.csv").is_file():
        return found
    from keras_art.data.collection import described_by
    from keras_art.data.sources import load_collection

    collection = load_collection(pictures)
    known = collection.columns[described_by(collection.targets)].set_index(collection.images["path"])
    known.insert(0, "object", collection.images["id"].to_numpy())
    return found.join(known, on="id")

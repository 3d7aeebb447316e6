"""A trained model on new pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.errors import UserError
from keras_art.writing import csv_text, write

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Predict:
    """What a trained model says of new pictures."""

    model: tyro.conf.Positional[Path]
    """A finished run's directory, or its model.keras, wherever it was copied to; a head on frozen features needs the
    store that has its network."""
    folder: tyro.conf.Positional[Path]
    """Pictures, searched in depth."""
    out: Path = Path("predictions.csv")
    """One row per picture: its path, and for every task the class or cluster, how likely it is, and the five likeliest.
    What could not be read goes beside it, into NAME_quarantine.csv."""
    saliency: Path | None = None
    """Folder for the pictures with what the network looks at laid over them (VisualBackProp)."""
    max_pixels: int = 0
    """As in a study."""


def command(asked: Predict) -> int:
    """Writes `--out`, and beside it what could not be read; returns the exit status, 1 where nothing could be.

    Raises:
        UserError: the model, the folder or the place for the results is not there or none, before any work.
    """
    if not asked.model.exists():
        raise UserError(f"{asked.model} does not exist: give a finished run's directory, or a model.keras")
    if not asked.folder.is_dir():
        raise UserError(f"{asked.folder} is no folder")
    check_out(asked.out)
    if asked.saliency is not None:
        check_folder(asked.saliency)
    terminal.start_backend()
    from keras_art.learning import prediction

    trained = prediction.read(asked.model)
    with terminal.bar("looking at pictures", "images") as progress:
        found, unreadable = prediction.predict(trained, asked.folder, progress, asked.saliency)
    return hand_over(described(found, asked.folder), unreadable, asked.out)


def check_out(out: Path) -> None:
    """Refuses a place where no table can be written.

    Raises:
        UserError: it is a folder, is not called `.csv`, or its folder can not be made or written into.
    """
    if out.is_dir():
        raise UserError(f"--out {out} is a folder: give the name of a file, as {out / 'predictions.csv'}")
    if out.suffix.lower() != ".csv":
        raise UserError(f"--out {out} is no .csv file: give {out.with_name(out.name + '.csv')}")
    check_folder(out.parent)


def check_folder(folder: Path) -> None:
    """Refuses a folder that is not there and can not be made, or can not be written into.

    Raises:
        UserError: naming what stands in the way.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UserError(f"{folder} can not be made: {there} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"nothing can be written into {there}: choose another folder")


def hand_over(found: pd.DataFrame, unreadable: pd.DataFrame, out: Path) -> int:
    """Writes what was found, and beside it what could not be read; returns the exit status."""
    write(out, csv_text(found))
    terminal.say(f"{len(found)} pictures in {out}")
    if len(unreadable):
        quarantine = out.with_name(f"{out.stem}_quarantine.csv")
        write(quarantine, csv_text(unreadable))
        terminal.say(f"{len(unreadable)} could not be read, see {quarantine}")
    return 0 if len(found) else 1


def described(found: pd.DataFrame, pictures: Path) -> pd.DataFrame:
    """With the Dublin Core and rights that a `labels.csv` in the folder knows of the pictures, and their ids there.

    One that can not be read is told of, and keeps no prediction back.
    """
    if not (pictures / "labels.csv").is_file():
        return found
    from keras_art.data.collection import described_by
    from keras_art.data.sources import load_collection

    try:
        collection = load_collection(pictures)
    except Exception as error:
        terminal.say(f"nothing is told of the pictures beside their predictions: {error}")
        return found
    known = collection.columns[described_by(collection.targets)].set_index(collection.images["path"])
    known.insert(0, "object", collection.images["object"].to_numpy())
    return found.join(known, on="id")


def main(argv: Sequence[str], prog: str = "python -m keras_art predict") -> int:
    """The command line; returns the exit status."""
    return flags.run(Predict, command, argv, prog=prog, description=Predict.__doc__ or "")

"""A trained model on new pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from keras_art import terminal
from keras_art.commands import flags
from keras_art.errors import UserError
from keras_art.writing import check_file, check_folder, csv_text, write

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.data.collection import Collection


@dataclass(frozen=True)
class Predict:
    """What a trained model says of new pictures."""

    model: tyro.conf.Positional[Path]
    """A finished run's directory, or its model.keras, wherever it was copied to; a head on frozen features needs the
    store that has its network."""
    data: tyro.conf.Positional[str]
    """A picture, or a folder of them, searched in depth; or a table, a card's name, or a choice of --store."""
    out: Path = Path("predictions.csv")
    """One row per picture: its path, and for every task the class or cluster, how likely it is, and the five likeliest.
    What could not be read goes beside it, into NAME_quarantine.csv."""
    saliency: Path | None = None
    """Folder for the pictures with what the network looks at laid over them (VisualBackProp)."""
    root: str | None = None
    """Folder that holds the cards' collections. Default: $KERAS_ART_DATA."""
    store: str = "runs"
    """Folder of the choice that DATA names."""
    max_pixels: int = 0
    """As in a study."""


def command(asked: Predict) -> int:
    """Writes `--out`, and beside it what could not be read; returns the exit status, 1 where nothing could be.

    Raises:
        UserError: the model, the pictures or the place for the results is not there or none, before any work.
    """
    from keras_art.data.collection import quarantined

    if not asked.model.exists():
        raise UserError(f"{asked.model} does not exist: give a finished run's directory, or a model.keras")
    check_file(asked.out, ".csv")
    if asked.saliency is not None:
        check_folder(asked.saliency)
    pictures, known, left_out = find(asked)
    terminal.start_backend()
    from keras_art.learning import prediction

    trained = prediction.read(asked.model)
    with terminal.bar("looking at pictures", "images") as progress:
        found, unreadable = prediction.predict(trained, pictures, progress, asked.saliency)
    bad = quarantined([("", *row) for row in [*left_out, *unreadable]]).drop(columns="id")
    return hand_over(described(found, known), bad, asked.out)


def find(asked: Predict) -> tuple[dict[str, Path], pd.DataFrame | None, list[tuple[str, str]]]:
    """The pictures by their ids, what is known of them, and what can not be taken for one, with the reason.

    Of a folder every picture is taken, labelled or not, and its id is its path there; what a `labels.csv` in it is good
    for is told beside the predictions, and one that can not be read keeps none of them back.

    Raises:
        BadCollection: there are no pictures.
    """
    from keras_art.data.collection import NO_LABEL
    from keras_art.data.opening import open_collection
    from keras_art.data.readers.files import is_image, list_images
    from keras_art.data.sources import labels_in, load_collection
    from keras_art.store.runs import Store

    left_out: list[tuple[str, str]] = []
    folder = Path(asked.data).expanduser()
    if folder.is_file() and is_image(folder.name):
        return {folder.name: folder}, None, left_out
    if not folder.is_dir():
        collection = open_collection(Store(asked.store), asked.data, asked.root)
        ids = collection.images["id"].tolist()
        asked_of = collection.quarantine["reason"] != NO_LABEL
        bad = collection.quarantine.loc[asked_of, ["path", "reason"]].itertuples(index=False, name=None)
        return dict(zip(ids, map(Path, collection.paths()), strict=True)), facts(collection, ids), list(bad)
    pictures = {path.relative_to(folder).as_posix(): path for path in list_images(folder, left_out)}
    known = None
    if labels_in(folder):
        try:
            collection = load_collection(folder)
            known = facts(collection, collection.images["path"].tolist())
        except Exception as error:
            terminal.say(f"nothing is told of the pictures beside their predictions: {error}")
    return pictures, known, left_out


def facts(collection: Collection, names: Sequence[str]) -> pd.DataFrame:
    """Whose each object is and what is known of it, by the `names` of its pictures: Dublin Core, rights, and its id."""
    from keras_art.data.collection import described_by

    known = collection.columns[described_by(collection.targets)].set_axis(list(names), axis=0)
    known.insert(0, "object", collection.images["object"].to_numpy(), allow_duplicates=True)
    return known[~known.index.duplicated()]


def described(found: pd.DataFrame, known: pd.DataFrame | None) -> pd.DataFrame:
    """Predictions with what is known of their pictures, where no task is called so."""
    if known is None:
        return found
    return found.join(known[[name for name in known if name not in found]], on="id")


def hand_over(found: pd.DataFrame, unreadable: pd.DataFrame, out: Path) -> int:
    """Writes what was found, and beside it what could not be read; returns the exit status."""
    write(out, csv_text(found))
    terminal.say(f"{len(found)} pictures in {out}")
    quarantine = out.with_name(f"{out.stem}_quarantine.csv")
    quarantine.unlink(missing_ok=True)  # an earlier one's, which says nothing of these pictures
    if len(unreadable):
        write(quarantine, csv_text(unreadable))
        terminal.say(f"{len(unreadable)} could not be read, see {quarantine}")
    return 0 if len(found) else 1


def main(argv: Sequence[str], prog: str = "python -m keras_art predict") -> int:
    """The command line; returns the exit status."""
    return flags.run(Predict, command, argv, prog=prog, description=Predict.__doc__ or "")

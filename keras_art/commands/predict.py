"""A trained model on new pictures.

python -m keras_art predict RUN picture.jpg                        # tells what it says of one, and writes nothing
python -m keras_art predict RUN FOLDER --out predictions.csv       # or RUN *.jpg
python -m keras_art predict RUN inventory.xlsx --out answers.xlsx  # the same rows, with what is said of each picture
python -m keras_art predict hf://OWNER/NAME picture.jpg            # a model that `export` has put there
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from keras_art import stopping, terminal
from keras_art.commands import flags
from keras_art.errors import UserError, meant
from keras_art.outputs import check_apart, check_file, check_own
from keras_art.report import sheets
from keras_art.report.answers import FIRST, Pictures, hand_over, joined, quarantine_of
from keras_art.store.sums import OF_AN_EXPORT, faults
from keras_art.writing import HANDLES, LEARNT, is_export, one_line

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.data.collection import Collection
    from keras_art.learning.prediction import Trained
    from keras_art.networks.trained import ModelCard

DEFAULT = Path("predictions.csv")
LIKELIEST = 5  # classes of a task that are told, as of `metrics.predictions`


@dataclass(frozen=True)
class Predict:
    """What a trained model says of new pictures."""

    model: tyro.conf.Positional[str]
    """A finished run's directory, or its model.keras, wherever it was copied to; a head on frozen features needs the
    store that has its network. Or a folder that `export` wrote, or hf://OWNER/NAME, where it was pushed to."""
    data: tyro.conf.Positional[tuple[str, ...]]
    """Pictures, or a folder of them, searched in depth; or a table, a card's name, or a choice of --store."""
    out: Path | None = None
    """A table, .csv, .xlsx or .parquet: a row for each picture, or all rows and columns of the table that was given;
    then for every task the class or cluster, how likely it is and whether to trust that, where the picture is, and the
    five likeliest. What could not be read goes beside it, into NAME_quarantine.csv. Default: predictions.csv, and for a
    single picture none."""
    sheet: str = ""
    """Of a spreadsheet; without it, the first one whose rows name pictures."""
    saliency: Path | None = None
    """Folder for the pictures with what the network looks at laid over them (VisualBackProp)."""
    root: str | None = None
    """Folder that holds the cards' collections, or a table's pictures. Default: $KERAS_ART_DATA; beside the table."""
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

    model = Path(asked.model)
    if not (model.exists() or asked.model.startswith(HANDLES)):
        raise UserError(f"{model} does not exist{meant(model)}: give a finished run's directory, or a model.keras")
    check_data(asked.data)
    out = place_of(asked)
    if asked.saliency is not None:
        check_own(asked.saliency, "predict")
    pictures = find(asked)
    if out is not None:
        sheets.check_fits(pictures.table, out)
    terminal.start_backend()
    from keras_art.learning import prediction

    if asked.model.startswith(HANDLES):
        from keras_art.networks.handles import folder_of

        model = folder_of(asked.model)
    trained = prediction.read(model)
    for fault in faults(model).values() if is_export(model) else ():  # model.keras was compared as it was read
        terminal.say(
            f"{fault}: what is said here is by model.keras alone, and others go by that file, too: {OF_AN_EXPORT}"
        )
    pictures = replace(pictures, tasks=len(trained.card.classes))
    with terminal.bar("looking at pictures", "images") as progress:
        found, unreadable = prediction.predict(trained, pictures.paths, progress, asked.saliency)
    for line in calibrated(trained):
        terminal.say(line)
    for line in no_test(model, trained.card, list(pictures.paths.values())):
        terminal.say(line)
    if out is None:
        tell(found, unreadable, trained.card.classes)
    else:
        bad = quarantined([("", *row) for row in [*pictures.left_out, *unreadable]]).drop(columns="id")
        hand_over(pictures, joined(pictures, found, dict(unreadable), out), bad, out)
        terminal.say(f"{len(found):,} picture{'s' * (len(found) != 1)} in {out}")
    return 0 if len(found) else 1


def check_data(words: Sequence[str]) -> None:
    """Refuses what is no one thing to look at, such as the further runs that a shell's `*` has found.

    Raises:
        UserError: nothing is named, a run is, or several that are not all pictures.
    """
    from keras_art.data.readers.files import is_image

    if not words:
        raise UserError("nothing is named to look at: give pictures, a folder of them, or a table behind the model")
    paths = [Path(word).expanduser() for word in words]
    for path in paths:
        if is_export(path) or all((path / name).is_file() for name in ("config.json", "environment.json")):
            raise UserError(f"{path} is a model, too: give one, then the pictures that it is asked about")
        if len(paths) > 1 and not (path.is_file() and is_image(path.name)):
            raise UserError(f"{path} is no picture{meant(path)}: give pictures alone, or one folder or table")


def place_of(asked: Predict) -> Path | None:
    """Where the table goes; None for a single picture of which no table was asked for.

    Raises:
        UserError: nothing can be written there, or it is what is to be read, or was written without being named.
    """
    from keras_art.data.readers.files import is_image

    data = Path(asked.data[0]).expanduser()
    if asked.out is None and len(asked.data) == 1 and data.is_file() and is_image(data.name):
        return None
    out = asked.out or DEFAULT
    if asked.out is None and out.exists():
        raise UserError(f"{out} is there already: name another with --out, or --out {out} to write over it")
    check_file(out, *sheets.SUFFIXES)
    check_apart(data, out, quarantine_of(out))
    return out


def find(asked: Predict) -> Pictures:
    """The pictures, and the table that they stand in.

    Of a folder every picture is taken, labelled or not, and its id is its path there; what a `labels.csv` in it is good
    for is told beside the predictions, and one that can not be read keeps none of them back. Of a table every row is
    kept, in its order. The id of one of several pictures is what it is called on the command line.

    Raises:
        BadCollection: there are no pictures.
    """
    import pandas as pd

    from keras_art.data.collection import NO_LABEL
    from keras_art.data.opening import open_collection
    from keras_art.data.readers.files import is_image, list_images
    from keras_art.data.readers.folders import labels_in
    from keras_art.data.readers.shards import is_shard, shards_in
    from keras_art.data.readers.spreadsheets import TABLES
    from keras_art.data.sources import load_collection
    from keras_art.store.runs import Store

    if len(asked.data) > 1:
        named = {word: Path(word).expanduser() for word in asked.data}
        return Pictures(pd.DataFrame({"id": list(named)}), list(named), named)
    (data,) = asked.data
    place = Path(data).expanduser()
    if place.is_file() and is_image(place.name):
        return Pictures(pd.DataFrame({"id": [place.name]}), [place.name], {place.name: place})
    if place.is_file() and place.suffix.lower() in TABLES and not is_shard(place):
        return of_table(place, asked.root, asked.sheet)
    if not place.is_dir() or shards_in(place):
        collection = open_collection(Store(asked.store), data, asked.root, sheet=asked.sheet)
        ids = collection.images["id"].tolist()
        asked_of = collection.quarantine["reason"] != NO_LABEL
        bad = collection.quarantine.loc[asked_of, ["path", "reason"]].itertuples(index=False, name=None)
        table = collection.columns.drop(columns="id", errors="ignore")
        table.insert(0, "id", ids)
        paths = dict(zip(ids, map(Path, collection.paths()), strict=True))
        return Pictures(table, ids, paths, True, [""] * len(ids), list(bad))
    left_out: list[tuple[str, str]] = []
    pictures = {path.relative_to(place).as_posix(): path for path in list_images(place, left_out)}
    known = None
    if labels_in(place):
        try:
            collection = load_collection(place, sheet=asked.sheet)
            known = facts(collection, collection.images["path"].tolist())
        except Exception as error:
            stopping.heed()
            terminal.say(f"nothing is told of the pictures beside their predictions: {error}")
    return Pictures(pd.DataFrame({"id": list(pictures)}), list(pictures), pictures, left_out=left_out, known=known)


def of_table(path: Path, root: str | None, sheet: str) -> Pictures:
    """A table's rows; a picture's id is the row's, or, where two rows share one, the cell that names it.

    Raises:
        BadCollection: none of its rows names a picture that is there.
    """
    from keras_art.data.readers.tables import beside_or_below, read_rows

    rows = beside_or_below(read_rows, path, path.stem, root, sheet=sheet)
    cells, own = rows.raw[rows.image].tolist(), rows.raw[rows.ids]
    there = [bool(found) for found in rows.paths]
    if own[there].duplicated().any() or (own[there] == "").any():
        own = rows.raw[rows.image]
    ids = [name if found else "" for name, found in zip(own, rows.paths, strict=True)]
    paths = {name: Path(found) for name, found in zip(ids, rows.paths, strict=True) if found}
    notes = ["" if found else rows.finder.why_not(cell) for cell, found in zip(cells, rows.paths, strict=True)]
    left_out = [(cell, note) for cell, note in zip(cells, notes, strict=True) if note]
    source = (path, rows.sheet, rows.places) if path.suffix.lower() == ".xlsx" else None
    return Pictures(rows.raw, ids, paths, True, notes, left_out, source=source)


def facts(collection: Collection, names: Sequence[str]) -> pd.DataFrame:
    """Whose each object is and what is known of it, by the `names` of its pictures: Dublin Core, rights, and its id."""
    from keras_art.data.collection import described_by

    known = collection.columns[described_by(collection.targets)].set_axis(list(names), axis=0)
    known.insert(0, "object", collection.images["object"].to_numpy(), allow_duplicates=True)
    return known[~known.index.duplicated()]


def calibrated(trained: Trained) -> Iterator[str]:
    """What is known of how true a model's probabilities are, a sentence for each of its tasks."""
    from keras_art.report.calibration import told, untold

    card = trained.card
    for task in card.classes:
        if measured := card.calibration.get(task):
            yield told(task, measured)
        else:
            yield untold(task, card.provenance.get("config", {}), card.metrics)


def no_test(model: Path, card: ModelCard, paths: Sequence[Path]) -> Iterator[str]:
    """How many of some pictures a model has learnt from, or that this is not known."""
    from keras_art.networks.learnt import learnt_from
    from keras_art.networks.loading import model_file
    from keras_art.pictures.contents import sha256_of
    from keras_art.study.earlier import before_model

    hashes = learnt_from(model_file(model), card)
    if hashes is None:
        own = model_file(model).parent / LEARNT
        why = f"neither {model} nor a store that it lies in has a list of those"
        why = f"{own} is damaged, it is no list of hashes" if own.is_file() else why
        yield (
            f"whether it was trained on any of these pictures can not be told, as {why}: how often it is right is a "
            f"test of it on others alone"
        )
    elif (hashes := hashes | before_model(model_file(model))) and (
        known := sum(sha256_of(str(path)) in hashes for path in paths)
    ):
        yield (
            f"{known:,} of these {len(paths):,} pictures are those that it was trained or chosen on: how often it is "
            f"right about them is no test of it"
        )


def tell(found: pd.DataFrame, unreadable: Sequence[tuple[str, str]], classes: Mapping[str, Sequence[str]]) -> None:
    """Prints what is said of one picture, the likeliest classes of each task below it."""
    for path, reason in unreadable:
        terminal.say(f"{path}: {reason}")
    for id_, *values in found.itertuples(index=False, name=None):
        terminal.answer(id_)
        likeliest = iter(values[FIRST * len(classes) :])
        for i, (task, names) in enumerate(classes.items()):
            said, probability, trust = values[FIRST * i : FIRST * (i + 1)]
            terminal.answer(f"  {one_line(task)}: {one_line(said)}, {probability:.1%}, {trust}")
            for _ in names[:LIKELIEST]:
                terminal.answer(f"    {one_line(next(likeliest))}, {next(likeliest):.1%}")


def main(argv: Sequence[str], prog: str = "python -m keras_art predict") -> int:
    """The command line; returns the exit status."""
    return flags.run(Predict, command, argv, prog=prog, description=__doc__ or "")

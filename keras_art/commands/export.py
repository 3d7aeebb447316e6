"""A trained model as a folder for others: the model, its card in the format of Hugging Face, and what it needs.

python -m keras_art export RUN --out FOLDER                     # Keras, ONNX and LiteRT where they can be written
python -m keras_art export RUN --out FOLDER --push OWNER/NAME   # and to Hugging Face
python -m keras_art export FOLDER --push OWNER/NAME             # as it is there, its README.md rewritten by hand
python -m keras_art predict FOLDER picture.jpg                  # what it says; hf://OWNER/NAME too
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from keras_art import terminal, writing
from keras_art.commands import flags
from keras_art.errors import UserError, meant, nearest
from keras_art.outputs import check_folder, check_name
from keras_art.store.leftovers import being_written, sweep
from keras_art.store.reading import read_json
from keras_art.store.sums import OF_AN_EXPORT, SUMS, faults, hash_of, seal, sums
from keras_art.version import __version__
from keras_art.writing import EXPORTED, LEARNT, RECORD, TERMS, beside, distinct, folder_made, wait_for_disk, write

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.learning.prediction import Trained
    from keras_art.networks.trained import ModelCard
    from keras_art.report.model_facts import Shared

# Those that Hugging Face knows: https://huggingface.co/docs/hub/repositories-licenses
LICENCES = (
    "apache-2.0", "mit", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0",
    "cc-by-nc-nd-4.0", "cc0-1.0", "cc", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-sa-3.0", "cc-by-nc-2.0",
    "cc-by-nc-3.0", "cc-by-nc-nd-3.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "openrail", "openrail++",
    "bigscience-openrail-m", "creativeml-openrail-m", "bigscience-bloom-rail-1.0", "bigcode-openrail-m", "afl-3.0",
    "artistic-2.0", "bsl-1.0", "bsd", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear", "c-uda",
    "cdla-sharing-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "wtfpl", "ecl-2.0", "epl-1.0", "epl-2.0",
    "etalab-2.0", "eupl-1.1", "eupl-1.2", "agpl-3.0", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "lgpl", "lgpl-2.1",
    "lgpl-3.0", "lgpl-lr", "isc", "h-research", "intel-research", "lppl-1.3c", "ms-pl", "apple-ascl", "apple-amlr",
    "mpl-2.0", "odc-by", "odbl", "openmdw-1.0", "osl-3.0", "postgresql", "ofl-1.1", "ncsa", "unlicense", "zlib",
    "pddl", "deepfloyd-if-license", "fair-noncommercial-research-license", "llama2", "llama3", "llama3.1",
    "llama3.2", "llama3.3", "llama4", "grok2-community", "gemma", "unknown", "other",
)  # fmt: skip
README = "README.md"
OPEN = (README, LEARNT, TERMS)  # what people write on, may take away, or add


@dataclass(frozen=True)
class Export:
    """A trained model as a folder for others."""

    model: tyro.conf.Positional[Path]
    """A finished run's directory, or its model.keras, wherever it was copied to; a head on frozen features needs the
    store that has its network, and is written with it. Or a folder that was written before, to push it."""
    out: Path | None = None
    """The folder, which is made."""
    license: str = "unknown"
    """Of the model, as Hugging Face calls it: apache-2.0, cc-by-nc-4.0; other, which you put into its file LICENSE."""
    push: str = ""
    """OWNER/NAME: put it there on Hugging Face, for its owner alone at first."""


def command(asked: Export) -> int:
    """Writes `--out`, all of it or nothing, and pushes it; returns the exit status.

    Raises:
        UserError: the model, the place, or the repository can not be used, before any work.
    """
    from keras_art.fetching import sharing

    if not asked.model.exists():
        raise UserError(
            f"{asked.model} does not exist{meant(asked.model)}: give a finished run's directory, or a model.keras"
        )
    pushed_again = asked.out is None and bool(asked.push) and is_export(asked.model)
    if asked.out is None and not pushed_again:
        raise UserError("--out is missing: name the folder that is to be made")
    if asked.license not in LICENCES:
        near = nearest(asked.license, LICENCES, 1)
        raise UserError(
            f"--license {asked.license} is none that Hugging Face knows, such as {', '.join(LICENCES[:5])}, or other, "
            f"with terms of your own{f': did you mean {near[0]}?' if near else ''}"
        )
    if asked.push:
        sharing.check(asked.push)
        if pushed_again and (found := faults(asked.model)):
            raise UserError(f"{next(iter(found.values()))}, and is not pushed: {OF_AN_EXPORT}")
    folder = asked.model if asked.out is None else asked.out
    if not pushed_again:
        place = Path(os.path.realpath(folder))  # a link stays: what it leads to is written
        name = asked.push.rpartition("/")[2] or place.name
        if (absent := written_before(asked.model, place, name, asked.license)) is not None:
            for line in absent:
                terminal.say(line)
            terminal.say(f"{folder} was written before, by the same command, and is whole")
        else:
            check_new(folder, place)
            make(asked.model, place, name, asked.license)
        terminal.say(f"{folder} has {', '.join(sorted(path.name for path in place.iterdir()))}")
        if asked.license == "other" and not (place / TERMS).exists():
            terminal.say(f"its card names the terms in {folder / TERMS}: write them there")
    if asked.push:
        terminal.say(f"pushed to {sharing.push(folder, asked.push)}: look at its settings for who may see it")
    return 0


def is_export(folder: Path) -> bool:
    """Whether a folder is one that this command wrote."""
    return writing.is_export(folder) and (folder / README).is_file()


def origin(model: Path, name: str, licence: str) -> dict[str, str]:
    """What a folder follows from: the same again is the same folder.

    Raises:
        BadModel: there is no model.
    """
    from keras_art.networks.loading import model_file

    return {"model": hash_of(model_file(model)), "name": name, "license": licence, "keras_art": __version__}


def written_before(model: Path, folder: Path, name: str, licence: str) -> list[str] | None:
    """Why which formats are absent from a folder that the same command has written, and a kill came before its end.

    Returns:
        None where the folder is another's, or not as it was written; what is `OPEN` may differ.

    Raises:
        Damaged: its list of hashes, or its record, can not be read.
    """
    if not (is_export(folder) and (folder / RECORD).is_file() and (folder / SUMS).is_file()):
        return None
    record = read_json(folder / RECORD, fields={"of": dict, "absent": list})
    if {path.name for path in folder.iterdir()} - {*OPEN, SUMS} != set(sums(folder)):
        return None
    terminal.start_backend()
    if record["of"] != origin(model, name, licence) or faults(folder):
        return None
    return list(map(str, record["absent"]))


def check_new(folder: Path, place: Path) -> None:
    """Refuses a place where a folder can not be made, or where one is that has something in it.

    Args:
        folder: as it was named.
        place: the same without links, `.` and `..`.

    Raises:
        UserError: naming it.
    """
    check_folder(place.parent)
    check_name(folder)
    if place == Path.cwd():
        raise UserError(f"--out {folder} is the folder that this is run in: name another")
    if place.is_symlink():
        raise UserError(f"--out {folder} is a link that leads nowhere: name a folder")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--out {folder} is a file: name a folder")
    if folder.is_dir() and any(folder.iterdir()):
        pushed = f"leave --out out: export {folder} --push OWNER/NAME"
        again = f", or remove it first, as for another --license, or {pushed}" if is_export(folder) else ""
        raise UserError(f"--out {folder} is not empty: name another{again}")
    if being_written(place):
        raise UserError(f"another process is writing --out {folder}: wait for it, or name another folder")


def make(model: Path, folder: Path, name: str, licence: str) -> None:
    """Writes a model's folder, which stands there whole or not at all."""
    folder_made(folder.parent)
    sweep(folder.parent, of=folder.name)
    part = beside(folder)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()  # from here on others see that this folder is being written
    try:
        fill(model, part, name, licence)
        part.rename(folder)
        wait_for_disk(folder.parent)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise UserError(
            f"--out {folder} was written by another process meanwhile: look at that, or name another"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def fill(model: Path, part: Path, name: str, licence: str) -> None:
    """Writes a model's files into a folder, and tells how far it is."""
    terminal.say("reading the model")
    terminal.start_backend()
    from keras_art.learning import exports, prediction
    from keras_art.networks.learnt import learnt_from, write_learnt
    from keras_art.networks.loading import model_file
    from keras_art.report.model_cards import readme
    from keras_art.report.model_facts import Shared, preprocessing
    from keras_art.study import earlier

    trained = prediction.read(model)
    card = trained.card
    written = exports.write(trained, part)
    for line in written.absent:
        terminal.say(line)
    shared = Shared(name, card, licence, written.files, written.absent, written.keras_alone)
    shared = from_store(shared, model_file(model), trained)
    if hashes := learnt_from(model_file(model), card):
        hashes |= earlier.before_model(model_file(model))
        write_learnt(part, hashes)
        shared = replace(shared, learnt=len(hashes))
        terminal.say(
            f"{LEARNT} has the SHA-256 of the {len(hashes):,} pictures that it was trained or chosen on, by which "
            f"predict tells them from others; no picture can be made of that: take it away, if whoever has one of "
            f"these files is not to find out that it was among them"
        )
    write(part / "classes.json", json.dumps(dict(card.classes), indent=1, ensure_ascii=False))
    write(part / EXPORTED[1], json.dumps(preprocessing(card, written.dtype), indent=1, ensure_ascii=False))
    write(part / README, readme(shared))
    record = {"of": origin(model, name, licence), "absent": written.absent}
    write(part / RECORD, json.dumps(record, indent=1, ensure_ascii=False))
    seal(part, besides=OPEN)


def from_store(shared: Shared, file: Path, trained: Trained) -> Shared:
    """The same with what the store of a run knows of it; as it is where there is none, or not this one."""
    from keras_art.data import kept
    from keras_art.report.model_facts import rights_of
    from keras_art.store.runs import store_of
    from keras_art.study import earlier
    from keras_art.study.records import read_run

    card = shared.card
    holds = sum(getattr(layer, "count", 0) for layer in trained.model._flatten_layers() if layer.name == "neighbours")
    shared = replace(shared, holds=holds, tested=dict(tested(file.parent, card)))
    key = card.provenance.get("config", {}).get("collection", "")
    store = store_of(file)
    try:
        if not (isinstance(key, str) and key and kept.is_kept(store, key)):
            return shared
        if (file.parent / "metrics.json").is_file():
            took = read_json(file.parent / "metrics.json", fields={"seconds": (int, float)})["seconds"]
            before = earlier.known(store, read_run(file.parent))
            about = read_json(file.parent / "environment.json")
            shared = replace(shared, environment=about, seconds=took, before=before)
        facts = kept.facts_of(store, key)
        sizes = kept.table(store, key, "images.csv")["split"].value_counts().to_dict()
        left_out = kept.table(store, key, "quarantine.csv")["reason"].tolist()
        return replace(shared, task=facts, sizes=sizes, left_out=left_out, rights=rights_of(store, key))
    except UserError as error:  # the model is whole without it
        terminal.say(f"its card does not say what it was trained on: {error}")
        return shared


def tested(folder: Path, card: ModelCard) -> Iterator[tuple[str, pd.DataFrame]]:
    """Task -> `label` and `predicted` of each test image that has a label, of those whose predictions lie in a run."""
    from keras_art.store.reading import read_csv

    names = distinct(card.classes)
    for task in card.classes:
        places = [folder / f"predictions_{names[task]}.csv"]
        places += [folder / "predictions.csv"] if len(card.classes) == 1 else []
        if path := next((path for path in places if path.is_file()), None):
            try:
                said: Any = read_csv(path)[["label", "predicted"]]
            except (UserError, KeyError):
                terminal.say(f"its card says nothing of single classes: {path} can not be read")
                continue
            yield task, said[said["label"] != ""]


def main(argv: Sequence[str], prog: str = "python -m keras_art export") -> int:
    """The command line; returns the exit status."""
    return flags.run(Export, command, argv, prog=prog, description=__doc__ or "")

"""Files and finished runs that a person names in a study, kept in its store so that runs need nothing else."""

from __future__ import annotations

import functools
import hashlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from keras_art import terminal
from keras_art.errors import UserError, nearest
from keras_art.store.reading import check
from keras_art.store.runs import Store, store_of
from keras_art.store.sums import OF_AN_EXPORT, Damaged, hash_of
from keras_art.study.config import AnyRun, Artefact, Run, RunRef
from keras_art.study.records import read_run
from keras_art.writing import (
    EXPORTED,
    HANDLES,
    LEARNT,
    beside,
    is_export,
    is_preset,
    lacking,
    replacing,
    slug,
    wait_for_disk,
    write_bytes,
)


def artefact(word: str) -> str | Artefact:
    """A flag's word: a file, or a folder that keras-hub saved, as its store calls it; another name as it is.

    Raises:
        UserError: the file does not exist, or the folder is no preset.
    """
    path = Path(word).expanduser()
    folder = (path / "config.json").is_file() or is_export(path)
    if word.startswith(HANDLES) or not (folder or "/" in word or path.suffix in (".keras", ".h5", ".npz")):
        return word
    if path.is_dir():
        return Artefact(f"{slug(path.resolve().name, 80)}-{_hash_of_preset(path)[:8]}")
    if not path.is_file():
        raise UserError(f"the file {word} does not exist")
    # Keras goes by the whole of `.weights.h5`.
    suffix = ".weights.h5" if path.name.endswith(".weights.h5") else path.suffix
    return Artefact(f"{slug(path.name.removesuffix(suffix), 80)}-{hash_of(path)[:8]}{suffix}")


def preset_files(folder: Path) -> list[Path]:
    """The files of a model that keras-hub saved in a folder, or that it can convert; of a text's side, assets too.

    Raises:
        UserError: there is none.
    """
    if is_export(folder):
        return [folder / name for name in EXPORTED]
    if (folder / "metrics.json").is_file():
        raise UserError(f"{folder} is a run: python -m keras_art export {folder} --out FOLDER makes a network of it")
    if absent := lacking(folder):
        raise UserError(f"{folder} is an exported folder without {absent}: {OF_AN_EXPORT}")
    stored = [*folder.glob("*.weights.h5"), *folder.glob("*.safetensors")]
    if not ((folder / "config.json").is_file() and stored):
        raise UserError(
            f"{folder} is a folder, and no preset: that has config.json and model.weights.h5, as save_to_preset of "
            f"keras-hub writes them"
        )
    return sorted(path for path in [*folder.iterdir(), *(folder / "assets").rglob("*")] if path.is_file())


def _hash_of_preset(folder: Path) -> str:
    hashes = b"".join(bytes.fromhex(hash_of(path)) for path in preset_files(folder))
    return hashlib.sha256(hashes).hexdigest()


def content_artefact(stem: str, content: bytes, suffix: str) -> Artefact:
    """What a store calls content that a person's files were read into."""
    return Artefact(f"{slug(stem, 80)}-{hashlib.sha256(content).hexdigest()[:8]}{suffix}")


def artefact_path(store: Store, kept: Artefact) -> Path:
    """Where a store keeps a file."""
    return store.root / "cache" / "weights" / kept.name


def sound_artefact(store: Store, kept: Artefact) -> Path:
    """The same, once its content is seen to be what its name says.

    Raises:
        Damaged: it is not, or it is not there.
    """
    path = artefact_path(store, kept)
    remedy = "delete it, and give the study that file again"
    try:
        content = _content(path, max(part.stat().st_mtime_ns for part in [path, *path.rglob("*")]))
    except OSError as error:
        raise Damaged(f"{path} can not be read ({error.strerror}): {remedy}") from error
    if f"-{content}" not in path.name:
        raise Damaged(f"{path} is damaged, it is not as it was written: {remedy}")
    return path


@functools.lru_cache(64)
def _content(path: Path, time: int) -> str:
    """Eight hex digits of a file, or a preset's folder; `time` tells whether it has been looked at before."""
    if path.is_dir():
        return _hash_of_preset(path)[:8]
    return hash_of(path)[:8]


def network_file(store: Store, network: str | Artefact) -> str:
    """What a loader takes as a run's network: the path of a file that a store keeps, a name as it is.

    Raises:
        Damaged: as `sound_artefact`.
    """
    return str(sound_artefact(store, network)) if isinstance(network, Artefact) else network


def weights_file(store: Store, weights: str | Artefact | RunRef) -> str | Path | None:
    """What a loader takes as the weights that a run begins with: a name such as "imagenet", or the path of a kept file.

    None where it has nothing to load: for "none", and for an earlier run's, which are put in afterwards.

    Raises:
        Damaged: as `sound_artefact`.
    """
    if isinstance(weights, Artefact):
        return sound_artefact(store, weights)
    return None if isinstance(weights, RunRef) or weights == "none" else weights


def words_of(networks: Sequence[str], weights: Sequence[str]) -> list[str]:
    """The words of `--networks` and `--weights` that may name files."""
    return [*networks, *(item.split("=", 1)[-1] for item in weights)]


def keep_files(store: Store, words: Iterable[str]) -> dict[Path, tuple[str, bool]]:
    """Copies the files, preset folders, and directories of finished runs among a study's words into its store.

    With a run comes what it began with, as far as the store that it lies in has it. A damaged copy is made anew.

    Returns:
        The place of each file or preset folder there -> its word, and whether it was not there before.
    """
    copies = {}
    for word in words:
        path = Path(word).expanduser()
        if (path / "metrics.json").is_file():
            run, home = read_run(path), store_of(path / "metrics.json")
            _keep_run(store, path, run)
            for kept in vars(run).values():
                if isinstance(kept, Artefact) and (there := artefact_path(home, kept)).exists():
                    _keep(store, there, kept)
        elif isinstance(kept := artefact(word), Artefact):
            _drop_damaged(store, kept, word)
            copies[artefact_path(store, kept)] = (word, _keep(store, path, kept))
    return copies


@contextmanager
def files_kept(store: Store, words: Iterable[str]) -> Iterator[None]:
    """As `keep_files`; within, whoever refuses a copy names the file that was given, and a new copy goes again.

    Raises:
        UserError: as within, of the file that was given.
    """
    copies = keep_files(store, words)
    try:
        yield
    except Damaged:  # it is the copy that is
        raise
    except UserError as error:
        told = str(error)
        for copy, (word, new) in copies.items():
            if new and str(copy) in told:
                shutil.rmtree(copy) if copy.is_dir() else copy.unlink(missing_ok=True)
            told = told.replace(str(copy), word)
        raise UserError(told) from error


def keep_content(store: Store, kept: Artefact, content: bytes) -> None:
    """Writes what `content_artefact` named, unless the store has it."""
    if not artefact_path(store, kept).exists():
        write_bytes(artefact_path(store, kept), content)


def _drop_damaged(store: Store, kept: Artefact, word: str) -> None:
    """Makes room for a new copy of what was given, where the store's own is damaged."""
    if (place := artefact_path(store, kept)).exists():
        with store.lock(place) if place.is_dir() else nullcontext():
            try:
                sound_artefact(store, kept)
            except Damaged:
                terminal.say(f"{place} is damaged: it is made anew of {word}")
                shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)


def _keep(store: Store, path: Path, kept: Artefact) -> bool:
    """Whether it was not there before."""
    if (place := artefact_path(store, kept)).exists():
        return False
    if path.is_dir():
        _keep_preset(store, path, place)
    else:
        with replacing(place) as part:
            shutil.copyfile(path, part)
    return True


def _keep_preset(store: Store, folder: Path, place: Path) -> None:
    with store.lock(place):
        if place.exists():  # another process was here first
            return
        for name in EXPORTED if is_export(folder) else ():
            check(folder / name, OF_AN_EXPORT)
        part = beside(place)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        paths = preset_files(folder)
        if is_export(folder) and (folder / LEARNT).is_file():
            paths.append(folder / LEARNT)
        for path in paths:
            copy = part / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            wait_for_disk(copy)
        part.rename(place)
        wait_for_disk(place.parent)


def _keep_run(store: Store, folder: Path, run: Run) -> None:
    with store.lock(store.directory(run)):
        if store.metrics(run) is None:
            shutil.copytree(folder, store.directory(run), ignore=lambda *_: ["metrics.json"], dirs_exist_ok=True)
            with replacing(store.directory(run) / "metrics.json") as part:  # last: without it there is no run
                shutil.copyfile(folder / "metrics.json", part)


def given_run(folder: Path, kind: type[AnyRun]) -> AnyRun:
    """The finished run of a directory, wherever it lies.

    Raises:
        UserError: none of that kind is there, or it is not finished.
        BadRun: this version does not know such runs.
    """
    if (folder / "config.json").is_file() and isinstance(run := read_run(folder), kind):
        if (folder / "metrics.json").is_file():
            return run
        raise UserError(f"the {kind.kind} of {folder} is not finished: the command that began it goes on")
    raise UserError(f"{folder} holds no {kind.kind}: name the directory of one, below STORE/{kind.kind}/")


def split_weights(networks: Sequence[str], weights: Sequence[str]) -> tuple[dict[str, str], str]:
    """What `--weights` says: the files of single networks, and what holds for the others.

    Raises:
        UserError: two of them hold for the others, a network is named that is not asked for, or one without a file.
    """
    files = dict(item.split("=", 1) for item in weights if "=" in item)
    if bare := [item for item in weights if item.startswith("=") or item.endswith("=")]:
        raise UserError(f"--weights {bare[0]} is not NETWORK=FILE: name both")
    plain = [item for item in weights if "=" not in item]
    if len(plain) > 1:
        raise UserError(f"--weights takes one of {' '.join(plain)}, and NETWORK=FILE for single networks")
    if unknown := set(files) - set(networks):
        near = " or ".join(name for word in sorted(unknown) for name in nearest(word, networks, 1))
        meant = f": did you mean {near}?" if near else ""
        raise UserError(f"--weights names {', '.join(sorted(unknown))}, which --networks does not{meant}")
    return files, plain[0] if plain else "imagenet"


def starting_weights(network: str, networks: Sequence[str], weights: Sequence[str]) -> str | Artefact:
    """What `--weights` says of one network.

    Raises:
        UserError: as `split_weights`, or a file does not exist.
    """
    files, plain = split_weights(networks, weights)
    if network in files:
        return artefact(files[network])
    return "own" if _brings_its_own(network, plain) else artefact(plain)


def check_needed(networks: Sequence[str], weights: Sequence[str]) -> None:
    """Refuses a `--weights` that was given and holds for no network.

    Raises:
        UserError: as `split_weights`, or each network brings its own weights, or is given a file.
    """
    files, plain = split_weights(networks, weights)
    if plain in weights and all(network in files or _brings_its_own(network, plain) for network in networks):
        raise UserError(f"--weights {plain} holds for none of --networks, each of which has its own: leave {plain} out")


def _brings_its_own(network: str, plain: str) -> bool:
    return (network.endswith(".keras") or is_preset(network)) and plain in ("imagenet", "demo")

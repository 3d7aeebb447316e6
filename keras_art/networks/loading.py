"""The one way in which a saved model becomes a `keras.Model` again: its classes known, nothing in it executed."""

from __future__ import annotations

import importlib
import io
import json
import math
import re
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import keras

from keras_art.errors import UserError
from keras_art.store.reading import check
from keras_art.store.sums import OF_AN_EXPORT, REMEDY
from keras_art.writing import is_export, lacking

# Importing a wing registers its classes with Keras. By their names, because the second stands below this one in the
# order of wings: a saved model may have a layer of either, and whoever opens it can not know which.
WINGS = ("keras_art.networks", "keras_art.methods")
HALVES = ("float16", "bfloat16")
KEPT = ("model.keras", "head.keras")  # of a run's directory: a whole model, or a head on a network's features
CARD = "keras_art.json"
CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MEMBERS = {CONFIG, "metadata.json", WEIGHTS, CARD}  # of an archive; Keras would unpack others into a folder
# Layers that run a program, or read a file or an address, which the archive names; no network of pictures needs them.
PROGRAMS = re.compile(
    r"Lambda|TFSMLayer|TorchModuleWrapper|JaxLayer|FlaxLayer|\w*Lookup|TextVectorization|\w*Tokenizer|\w*Preprocessor"
)
LARGEST_CONFIG = 8 << 20  # bytes: a thousand layers are one of them
CONSTANTS = 1 << 20  # numbers that layers make themselves and store nowhere: means of pixels, positions
DEEPEST = 100  # objects and lists within each other: a model in a model in a model is at 25


class BadModel(UserError, ValueError):
    """The file is no model that can be used; the message says what to change."""


def load_model(path: str | Path) -> keras.Model:
    """Opens what keras_art, or Keras, has saved; uncompiled.

    `keras.saving.load_model` does the same once `keras_art.networks` and `keras_art.methods` are imported.

    Args:
        path: a `.keras` file, or the directory of a run that has one.

    Raises:
        BadModel: the file is absent or damaged, has a class that nobody here knows, or a program in it (a Lambda),
            which is never executed.
        Damaged: it is of a finished run, or an exported folder, and not as that was written.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "model.keras"
    >>> keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(file)
    >>> load_model(file).output_shape
    (None, 2)
    """
    file = model_file(Path(path))
    if file.name == "head.keras" and file != Path(path):
        raise BadModel(
            f"{path} is of an off-the-shelf run, whose model is a head on the features of a network: "
            f"python -m keras_art predict puts both together; {file} is the head alone"
        )
    for wing in WINGS:
        importlib.import_module(wing)
    check(file, OF_AN_EXPORT if is_export(file.parent) else REMEDY)
    try:
        check_archive(file)
        return keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # damage shows itself as nearly any type there is
        if isinstance(error, BadModel):
            raise
        raise BadModel(f"{file} {_fault(str(error))}") from error


def check_archive(file: Path) -> None:
    """Refuses a `.keras` file that is more than numbers and an arrangement of layers, before anything is made of it.

    Keras refuses some of this when it has come to it; and makes every variable before it looks at what is stored.

    Raises:
        BadModel: it has other members or layers than a network of pictures, or claims more than it stores.
        Exception: it is damaged.
    """
    with zipfile.ZipFile(file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        if (odd := sorted(set(members) - MEMBERS)) or len(members) < len(archive.infolist()):
            held = repr(odd[0])[:100] if odd else "a member twice"
            raise BadModel(f"{file} is not a Keras model that can be loaded: it holds {held}, which no network needs")
        for member in members.values():
            most = file.stat().st_size if member.filename == WEIGHTS else LARGEST_CONFIG
            if member.file_size > most:  # Keras compresses nothing
                raise BadModel(f"{file} claims {member.file_size:,} bytes of {member.filename}: not read")
        config = json.loads(archive.read(CONFIG))
        programs = sorted({name for name in class_names(config, file) if PROGRAMS.fullmatch(name)})
        if programs:
            raise BadModel(
                f"{file} has a {programs[0]} layer, which is a program or reads a file of its choice, and none is "
                f"executed: save it with other layers or keras.ops instead"
            )
        numbers = stored(io.BytesIO(archive.read(WEIGHTS)))
    # In a thread, whose end forgets the variables that were never given a value.
    with ThreadPoolExecutor(1) as thread:
        count = thread.submit(claimed, config).result()
    if count > numbers + CONSTANTS:
        raise BadModel(f"{file} describes a network of {count:,} numbers and stores {numbers:,}: not read")


def class_names(config: Any, file: Path, depth: int = 0) -> Iterator[str]:
    """Every class a configuration names, wherever it stands in it."""
    if depth > DEEPEST:
        raise BadModel(f"{file} has more than {DEEPEST} objects within each other: not read")
    if isinstance(config, dict) and isinstance(config.get("class_name"), str):
        yield config["class_name"].rpartition(">")[2]
    for inner in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        yield from class_names(inner, file, depth + 1)


def stored(weights: BinaryIO) -> int:
    """How many numbers an HDF5 file has; links to other files are passed over."""
    import h5py

    sizes: list[int] = []

    def count(_: str, found: Any) -> None:
        if isinstance(found, h5py.Dataset):
            sizes.append(found.size)

    with h5py.File(weights) as file:
        file.visititems(count)
    # Not more than there are bytes: one may be compressed, or of one value throughout.
    return min(sum(sizes), weights.seek(0, io.SEEK_END))


def claimed(config: dict[str, Any]) -> int:
    """How many numbers the network of a configuration has; none of them is made."""
    with keras.StatelessScope(initialize_variables=False):
        model = keras.saving.deserialize_keras_object({**config, "compile_config": None}, safe_mode=True)
    return sum(math.prod(variable.shape) for variable in model.variables)


def model_file(path: Path) -> Path:
    """A `.keras` file as it is; of a run's directory, the one it holds.

    Raises:
        BadModel: there is none.
    """
    if path.is_dir():
        kept = next((path / name for name in KEPT if (path / name).is_file()), None)
        if kept is None and (absent := lacking(path)):
            raise BadModel(f"{path} is an exported folder without {absent}: {OF_AN_EXPORT}")
        if kept is None:
            raise BadModel(
                f"{path} holds no {' or '.join(KEPT)}: it is no run, or one that is unfinished, diverged, or of a kind "
                f"that leaves no model (a pretraining, a random forest)"
            )
        return kept
    if not path.is_file():
        raise BadModel(f"{path} does not exist: a finished run has its model in model.keras")
    if path.suffix != ".keras":
        raise BadModel(f"{path} is no .keras file: save the model with Keras 3 under a name that ends so")
    return path


def computing_anew(layer: keras.Layer) -> keras.Layer:
    """A copy of a loaded layer, without its weights, that computes by the dtype policy of now, not by its file's.

    Raises:
        BadModel: it is of whole numbers, and the policy of other floats.
    """
    policy = keras.config.dtype_policy()
    if getattr(layer, "quantization_mode", None):
        if policy.name != "float32":
            raise BadModel(f"the layer {layer.name} is quantised and can not compute in {policy.name}: take float32")
        return type(layer).from_config(layer.get_config())

    def of_now(found: Any) -> Any:
        if isinstance(found, list | tuple):
            return type(found)(map(of_now, found))
        if not isinstance(found, dict):
            return found
        own = {}
        if "trainable" in found and "dtype" in found:  # a layer, or one within it: nothing else is trainable
            own = {"dtype": policy.name}
        elif found.get("dtype") in HALVES:  # a cast between layers; one to other types means it
            own = {"dtype": policy.compute_dtype}
        return {name: of_now(value) for name, value in found.items()} | own

    return type(layer).from_config(of_now(layer.get_config()))


def _fault(text: str) -> str:
    """What Keras says of a file that it can not load, in the words of whoever has to mend it."""
    if unknown := re.search(r"Could not locate \w+ '([^']+)'", text):
        return (
            f"has something called {unknown[1]}, which neither Keras nor keras_art knows: save it in Keras's own layers"
        )
    if absent := re.search(r"parent module (\w+)\S* cannot be imported", text):
        return f"has layers of {absent[1]}, which is not installed here: install it"
    first, *_ = text.strip().splitlines() or ["damaged"]
    return f"is not a Keras model that can be loaded ({first[:300]}): copy it again, or save it anew"

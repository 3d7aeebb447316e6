"""The one way in which a saved model becomes a `keras.Model` again: its classes known, nothing in it executed."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import keras

from keras_art.errors import UserError

# Importing a wing registers its classes with Keras. By their names, because the second stands below this one in the
# order of wings: a saved model may have a layer of either, and whoever opens it can not know which.
WINGS = ("keras_art.networks", "keras_art.methods")
KEPT = ("model.keras", "head.keras")  # of a run's directory: a whole model, or a head on a network's features


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
    """
    file = model_file(Path(path))
    if file.name == "head.keras" and file != Path(path):
        raise BadModel(
            f"{path} is of an off-the-shelf run, whose model is a head on the features of a network: "
            f"python -m keras_art predict puts both together; {file} is the head alone"
        )
    for wing in WINGS:
        importlib.import_module(wing)
    try:
        return keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # damage shows itself as nearly any type there is
        raise BadModel(f"{file} {_fault(str(error))}") from error


def model_file(path: Path) -> Path:
    """A `.keras` file as it is; of a run's directory, the one it holds.

    Raises:
        BadModel: there is none.
    """
    if path.is_dir():
        kept = next((path / name for name in KEPT if (path / name).is_file()), None)
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


def _fault(text: str) -> str:
    """What Keras says of a file that it can not load, in the words of whoever has to mend it."""
    if "Lambda" in text and "safe_mode" in text:
        return "has a Lambda layer, which is a program, and none is executed: save it with a layer or keras.ops instead"
    if unknown := re.search(r"Could not locate \w+ '([^']+)'", text):
        return (
            f"has something called {unknown[1]}, which neither Keras nor keras_art knows: save it in Keras's own layers"
        )
    if absent := re.search(r"parent module (\w+)\S* cannot be imported", text):
        return f"has layers of {absent[1]}, which is not installed here: install it"
    first, *_ = text.strip().splitlines() or ["damaged"]
    return f"is not a Keras model that can be loaded: {first[:300]}"

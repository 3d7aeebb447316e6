"""A trained model as files that others open: Keras, ONNX and LiteRT, each of which says what the original says.

ONNX is written and read by `pip install "keras_art[onnx]"`; LiteRT needs the TensorFlow backend alone.
"""

from __future__ import annotations

import dataclasses
import re
import tempfile
import textwrap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_art import stopping, terminal
from keras_art.learning import prediction, training
from keras_art.learning.onnx_files import size_of, write_onnx
from keras_art.networks.loading import HALVES, BadModel
from keras_art.networks.portable import is_ours
from keras_art.networks.trained import save
from keras_art.report.model_facts import TOLERANCE
from keras_art.writing import EXPORTED, replacing

ASKED = 3  # pictures
LARGEST = 2_000_000_000  # bytes of weights: the formats' own limit is 2^31, with all that is no weight
Ask = Callable[[Path, np.ndarray], list[np.ndarray]]


@dataclass(frozen=True)
class Exported:
    """What has been written.

    Attributes:
        files: name -> the largest difference of any probability from the original's. Of a network that computes in half
            precision `model.keras` alone does so, too; the others have its weights and compute in float32.
        absent: what was not written and why, a sentence each.
        dtype: of their input.
        keras_alone: `keras.saving.load_model` opens the Keras file where keras_art is unknown.
    """

    files: dict[str, float]
    absent: list[str]
    dtype: str
    keras_alone: bool


def write(trained: prediction.Trained, folder: Path) -> Exported:
    """Writes a model whole, a head with its network: `model.keras` with its card, `model.onnx` and `model.tflite`.

    Their input is RGB in [0, 255], (batch, side, side, 3), in the type that the model has (float32, of a clustering
    uint8). They say probabilities before any temperature, in Keras a dict by task where there are several, in the
    others one output after the other in the order of the card.

    Raises:
        BadModel: the Keras file says something else than the original.
    """
    card, model = trained.card, trained.model
    tasks = list(card.classes)
    side = card.crop or card.image_size
    # Noise and plain colours: what is beyond any picture is between them.
    pixels = np.random.default_rng(0).integers(0, 256, (ASKED, side, side, 3)).astype("float32")
    pixels[1:] = pixels[1:] // 64 * np.array([40.0, 85.0])[:, None, None, None]
    pixels = pixels.astype(model.input.dtype)
    original = model.predict(pixels, verbose=0)
    wanted = [original[task] for task in tasks]
    one = keras.Model(model.input, model.output if len(tasks) > 1 else model.output[tasks[0]], name="classifier")
    terminal.say(f"writing {EXPORTED[0]}, and comparing what it says")
    # Its head is in it, and so is the softmax of margins.
    save(one, folder / EXPORTED[0], dataclasses.replace(card, network=None, margins=False))
    again = prediction.read(folder / EXPORTED[0]).model
    found = again.predict(pixels, verbose=0)
    files = {EXPORTED[0]: _apart(wanted, [found[task] for task in tasks])}
    if not files[EXPORTED[0]] <= TOLERANCE:
        raise BadModel(
            f"the exported model differs from the original by {files[EXPORTED[0]]:.1g} of a probability: nothing of it "
            f"is kept"
        )
    alone = not any(map(is_ours, again._flatten_layers()))
    if any(layer.compute_dtype in HALVES for layer in model._flatten_layers()):  # which others do not
        again = training.computing(model, "float32")
        found = again.predict(pixels, verbose=0)
    same = [found[task] for task in tasks]
    several = keras.Model(again.input, [again.output[task] for task in tasks])
    several(pixels)  # ONNX is written of a model that has been called
    absent = []
    with _temporary_in(folder):
        for name, (form, ask) in FORMATS.items():
            if (size := size_of(several)) > LARGEST:
                held = f"its weights take {terminal.space(size)}, and such a file holds 2 GB at most"
                absent.append(f"{name} is not written: {held}")
                continue
            terminal.say(f"writing {name}, and comparing what it says")
            try:
                files[name] = _apart(wanted, _written(several, folder / name, form, ask, (pixels, same)))
            except ImportError as error:
                remedy = f'{error.name} is not installed, pip install "keras_art[{form}]"'
                remedy = remedy if error.name else _in_short(error)  # Keras's own remedy
                absent.append(f"{name} is not written: {remedy}")
            except Exception as error:  # of converters, each with its own, a stop amid them too
                stopping.heed()
                absent.append(f"{name} is not written: {_in_short(error)}: {EXPORTED[0]} is whole, give that")
    return Exported(files, absent, str(model.input.dtype), alone)


@contextmanager
def _temporary_in(folder: Path) -> Iterator[None]:
    """Within, temporary files lie in a folder, so that those of a process that is killed go with what it began there.

    Keras writes the whole model as another one on the way to LiteRT.
    """
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as inside:
        tempfile.tempdir = inside
        try:
            yield
        finally:
            tempfile.tempdir = before


def _written(
    model: keras.Model, path: Path, form: str, ask: Ask, test: tuple[np.ndarray, list[np.ndarray]]
) -> list[np.ndarray]:
    """Writes one format by rename, if it says of pictures what the model says; returns what it says."""
    with replacing(path, path.suffix) as part, terminal.quietly(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what converters themselves still use
        if form == "onnx":
            write_onnx(model, part)
        else:
            model.export(part, format=form, verbose=False)
        pixels, wanted = test
        found = ask(part, pixels)
        if not (apart := _apart(wanted, found)) <= TOLERANCE:
            raise ValueError(f"it differs from the original by {apart:.1g} of a probability")
    return found


def _apart(wanted: list[np.ndarray], found: list[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(wanted, found, strict=True))


def _ask_onnx(path: Path, pixels: np.ndarray) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, {session.get_inputs()[0].name: pixels})
    return found


def _ask_litert(path: Path, pixels: np.ndarray) -> list[np.ndarray]:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import tensorflow as tf

        Interpreter = tf.lite.Interpreter
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own will go one day, and says so
        runner = Interpreter(model_path=str(path)).get_signature_runner()
    said: dict[str, np.ndarray] = runner(**{next(iter(runner.get_input_details())): pixels})
    # They are called output_0, output_1, ...
    return [said[name] for name in sorted(said, key=lambda name: int(re.sub(r"\D", "", name) or 0))]


# File -> the format as Keras calls it, which is also the extra that it needs, and what asks the file.
FORMATS = {"model.onnx": ("onnx", _ask_onnx), "model.tflite": ("litert", _ask_litert)}


def _in_short(error: BaseException) -> str:
    """What a converter says, in a sentence."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    if unknown := re.search(r"No Op registered for (\w+)", str(error)):
        return f"a layer computes a {unknown[1]}, which ONNX does not know"
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return textwrap.shorten(line.rstrip(".:"), 200, placeholder=" ...")

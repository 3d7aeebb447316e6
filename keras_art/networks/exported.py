"""The network within a model that `python -m keras_art export` wrote, as one that others can begin with."""

from __future__ import annotations

from pathlib import Path

import keras

from keras_art.networks.layers import Preprocessing
from keras_art.networks.loading import BadModel, computing_anew, load_model
from keras_art.networks.trained import read_card
from keras_art.writing import EXPORTED


def network_within(classifier: keras.Model) -> keras.Model | None:
    """The model that a classifier stands on: neither a part before it nor its head; None where there is none."""
    for layer in classifier.layers:
        if isinstance(layer, keras.Model) and layer.name not in ("augmentation", "preprocessing", "head"):
            return layer
    return None


def load_exported(folder: Path, image_size: int, preprocessing: str = "imagenet") -> keras.Model:
    """What an exported classifier stands on, its layers taken apart, with its own scale of pixels in front of them.

    Args:
        folder: as `export` wrote it.
        image_size: side of the square input in pixels.
        preprocessing: of the pixels that the model will be given; it scales them itself, so "imagenet" or "none".

    Returns:
        RGB in [0, 255], (batch, size, size, 3) -> maps (batch, h, w, width), or an image's vector (batch, width).

    Raises:
        BadModel: the file is damaged, of a clustering, made for pictures of another size, or is to take other pixels.
    """
    card = read_card(folder / EXPORTED[0])
    network = network_within(load_model(folder / EXPORTED[0]))
    if network is None:
        raise BadModel(f"{folder} has a model that stands on no network of pictures: give one of a classifier")
    if preprocessing not in ("imagenet", "none"):
        raise BadModel(
            f"{folder} says itself which pixels it takes: give --preprocessing none, and networks that do not say it "
            f"in a command of their own"
        )
    if (own := network.inputs[0].shape[1]) != image_size:
        raise BadModel(f"{folder} has a network for pictures of {own} pixels: give --image_size {own}")
    last = keras.Model(network.inputs[0], network.outputs[-1])  # an attention head reads maps before it, too
    for operation in last.operations:  # what is called below is named by what this process has named, not by the file
        if not isinstance(operation, keras.Layer):
            operation.name = f"own_{operation.name}"
    pixels = keras.Input((image_size, image_size, 3), name="preprocessed")
    outputs = last.call(Preprocessing(card.preprocessing, name="own_pixels")(pixels))
    whole = keras.Model(pixels, outputs, name=network.name)
    anew = keras.models.clone_model(whole, clone_function=computing_anew)
    anew.set_weights(whole.get_weights())
    return anew

"""The size of picture that a network was made for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from keras_art import terminal
from keras_art.store import plain
from keras_art.writing import EXPORTED, HANDLES

# Of keras.applications, sides in pixels; of the others 224.
NATIVE = {"Xception": 299, "InceptionV3": 299, "InceptionResNetV2": 299, "NASNetLarge": 331}
LARGEST = 4096  # pixels: what a preset says beyond it is not believed


def native_size(network: str) -> int:
    """The side in pixels of the pictures that a network was made for; 224 where nobody says.

    Of a preset that has to be downloaded, it is.

    Args:
        network: a name of keras.applications, a `.keras` file, or a preset of keras-hub.

    Raises:
        BadModel: a preset can not be had.
    """
    if network in NATIVE:
        return NATIVE[network]
    folder = Path(network).expanduser()
    if network.startswith(HANDLES):
        terminal.start_backend()
        from keras_art.networks.handles import folder_of

        folder = folder_of(network)
    for name in ("image_converter.json", EXPORTED[1], "config.json"):
        try:
            found = _side(json.loads(plain.read(folder / name)))
        except (OSError, ValueError, RecursionError):  # `hub` says what is wrong with it
            continue
        if found:
            return found
    return 224


def _side(config: Any) -> int:
    """The first number under one of the names that keras-hub, transformers and timm have for it, else 0."""
    if not isinstance(config, dict):
        return 0
    for key in ("image_size", "height", "image_shape", "input_shape", "input_size"):
        value = config.get(key)
        numbers = value if isinstance(value, list) else [value]
        sides = [number for number in numbers if type(number) is int and 3 < number <= LARGEST]
        if sides:
            return sides[0]
    inner = ("config", "vision_encoder", "vision_config", "pretrained_cfg")
    return next(filter(None, (_side(config[name]) for name in inner if name in config)), 0)

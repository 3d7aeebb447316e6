"""Presets of keras-hub as networks of pictures: DINOv2 and v3, CLIP, SigLIP, Swin, ViT, ResNet, EfficientNet, ...

A preset is a folder that `save_to_preset` wrote, or `keras-hub:NAME`, `kaggle://HANDLE` or `hf://OWNER/NAME`, which are
downloaded once, into the caches of keras-hub's own clients.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_art.networks.exported import load_exported
from keras_art.networks.handles import folder_of
from keras_art.networks.loading import CONSTANTS, LARGEST_CONFIG, BadModel, claimed, class_names, stored
from keras_art.store import plain
from keras_art.store.sums import OF_AN_EXPORT
from keras_art.writing import is_export, lacking

# Of the classes that are read here, how many tokens stand before the patches, the first of which is for the image.
PREFIX: dict[str, int] = {
    "ViTBackbone": 1, "DeiTBackbone": 2, "DINOV2Backbone": 1, "DINOV3Backbone": 1, "CLIPBackbone": 1,
    "MetaCLIP2Backbone": 1, "SigLIPBackbone": 0, "SwinTransformerBackbone": 0, "ResNetBackbone": 0,
    "EfficientNetBackbone": 0, "DenseNetBackbone": 0, "MobileNetBackbone": 0, "VGGBackbone": 0, "XceptionBackbone": 0,
    "CSPNetBackbone": 0,
}  # fmt: skip
# Their layers can not be saved one by one, so the whole is one layer here; the others are taken apart.
WHOLE = ("ViTBackbone", "DeiTBackbone", "SwinTransformerBackbone")
TOWERS = ("CLIP", "MetaCLIP2", "SigLIP")  # with a second network, of texts
PARTS = {
    *PREFIX, "DTypePolicy", "FloatDTypePolicy",
    *(f"{tower}{side}" for tower in TOWERS for side in ("VisionEncoder", "TextEncoder")),
}  # fmt: skip
CONVERTER = "image_converter.json"
ANEW = "copy it again, or save it anew"


@dataclass(frozen=True)
class Pretrained:
    """A preset as a network of pictures of one size.

    Attributes:
        model: pixels (batch, size, size, 3), in [0, 255] where the preset says how it scales them, -> maps
            (batch, h, w, width), or for networks of tokens the image's vector (batch, width).
        taps: name -> a tensor (batch, h, w, channels) of the model's graph: the patches of a transformer as a map,
            shallow to deep.
    """

    model: keras.Model
    taps: dict[str, Any]


def family(folder: Path) -> str:
    """Which class of keras-hub a preset is of, from its configuration, of which nothing is made.

    Raises:
        BadModel: it is no preset, of no network of pictures, or has something else in it.
    """
    path = folder / "config.json"
    try:
        if path.stat().st_size > LARGEST_CONFIG:
            raise BadModel(f"{path} claims {path.stat().st_size:,} bytes: not read")
        config = json.loads(plain.read(path))
        if "registered_name" not in config:  # transformers' or timm's, which keras-hub converts
            return ""
        name = config["registered_name"].removeprefix("keras_hub>")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadModel(f"{folder} is no preset of keras-hub: it has no config.json that can be read: {ANEW}") from error
    if name not in PREFIX:
        raise BadModel(f"{folder} is a preset of {name[:100]}, which is no network of pictures that can be used here")
    odd = sorted(set(class_names(config, path)) - PARTS) or sorted(
        {module for module in _modules(config) if module.split(".")[0] not in ("keras_hub", "keras")}
    )
    if odd or config.get("class_name") != name:
        raise BadModel(f"{folder} is a preset with a {(odd or [config.get('class_name')])[0]} in it: not read")
    return name


def _modules(config: Any) -> list[str]:
    if isinstance(config, dict):
        own = [str(config["module"])] if config.get("module") else []
        return own + [name for inner in config.values() for name in _modules(inner)]
    return [name for inner in config for name in _modules(inner)] if isinstance(config, list) else []


def load_preset(
    preset: str, image_size: int, preprocessing: str = "imagenet", *, with_weights: bool = True
) -> Pretrained:
    """A preset for square pictures of a size; of CLIP and SigLIP the image's side.

    The position embeddings of another size are interpolated.

    Args:
        preset: a folder, or a name as of the module's first lines; also what `export` wrote, and then its network.
        image_size: side of the square input in pixels.
        preprocessing: of the pixels that the model will be given; "imagenet" asks for the preset's own, which is put in
            front of its layers, as it is for "none" where there is one.

    Raises:
        BadModel: it can not be had, is no network of pictures, can not take this size, does not say which pixels it
            takes, or does and is to take others.
    """
    folder = folder_of(preset)
    if is_export(folder):
        return Pretrained(load_exported(folder, image_size, preprocessing), {})
    if absent := lacking(folder):
        raise BadModel(f"{folder} is an exported folder without {absent}: {OF_AN_EXPORT}")
    net, converter = read(folder, with_weights)
    if converter is not None and preprocessing not in ("imagenet", "none"):
        raise BadModel(
            f"{preset} says itself which pixels it takes: give --preprocessing none, and networks that do not say it "
            f"in a command of their own"
        )
    if converter is None and preprocessing == "imagenet":
        raise BadModel(
            f"{preset} has no {CONVERTER} and so does not say which pixels it takes: give --preprocessing unit, tf, "
            f"torch, caffe or none, or save it with its preprocessor, whose save_to_preset(FOLDER) writes that file"
        )
    name = type(net).__name__
    if name.removesuffix("Backbone") in TOWERS:
        net = net.vision_encoder
    net = _of_size(net, image_size, preset)
    pixels = keras.Input((image_size, image_size, 3), name="preprocessed")
    x = pixels
    if converter is not None:
        scale, offset = (1.0 if converter.scale is None else converter.scale, converter.offset or 0.0)
        x = keras.layers.Rescaling(_numbers(scale), _numbers(offset), dtype="float32", name="rescaling")(x)
    given = {key: x for key in net.input} if isinstance(net.input, dict) else x
    names, tensors = _within(net)
    if name in WHOLE:
        outputs, inner = net(given), []
    else:
        outputs, *inner = keras.tree.flatten(keras.Model(net.inputs, [net.output, *tensors]).call([x]))
    prefix = PREFIX[name] + getattr(net, "num_register_tokens", 0) - (not getattr(net, "use_class_token", True))
    taps = {tap: _grid(tokens, prefix) for tap, tokens in zip(names, inner, strict=True)}
    if len(outputs.shape) == 3 and prefix:
        taps["patches"] = _grid(outputs, prefix)
        outputs = outputs[:, 0]
    elif len(outputs.shape) == 3:
        side = round(outputs.shape[1] ** 0.5)
        outputs = keras.layers.Reshape((side, side, outputs.shape[-1]), name="patches")(outputs)
    word = name.removesuffix("Backbone").lower()
    return Pretrained(keras.Model(pixels, outputs, name=word), taps)


def read(folder: Path, with_weights: bool) -> tuple[Any, Any]:
    """A preset's network of keras-hub with its weights, and its image converter or None.

    Raises:
        BadModel: as `load_preset`.
    """
    name = family(folder)
    import keras_hub

    try:
        if name:
            _check_size(folder)
        net = keras_hub.models.Backbone.from_preset(str(folder), load_weights=with_weights)
    except ImportError as error:
        # keras-hub says of safetensors alone that it is missing without naming it as Python does.
        absent = error.name or "safetensors"
        remedy = '"keras_art[hub]"' if absent == "safetensors" else absent
        raise BadModel(f"{folder} is read by {absent}, which is not installed: pip install {remedy}") from error
    except Exception as error:  # damage shows itself as nearly any type there is
        if isinstance(error, BadModel):
            raise
        said = str(error).strip().splitlines()[0][:300]
        raise BadModel(f"keras-hub {keras_hub.__version__} can not load {folder} ({said}): {ANEW}") from error
    if type(net).__name__ not in PREFIX:
        raise BadModel(
            f"{folder} is a preset of {type(net).__name__}, which is no network of pictures that is used here"
        )
    return net, _converter(folder, name)


def _check_size(folder: Path) -> None:
    """Refuses more numbers than are stored: keras-hub makes every variable before it looks."""
    held = 0
    for path in folder.glob("*.weights.h5"):
        with plain.opened(path) as file:
            held += stored(file)
    config = json.loads(plain.read(folder / "config.json"))
    with ThreadPoolExecutor(1) as thread:  # whose end forgets the variables that were never given a value
        count = thread.submit(claimed, config).result()
    if count > held + CONSTANTS:
        raise BadModel(f"{folder} describes a network of {count:,} numbers and stores {held:,}: not read")


def _converter(folder: Path, name: str) -> Any:
    import keras_hub

    if name and not (folder / CONVERTER).is_file():
        return None
    try:
        if name:
            found = json.loads(plain.read(folder / CONVERTER))
            if not all(inner.endswith("ImageConverter") for inner in class_names(found, folder) if inner not in PARTS):
                raise ValueError("something else than an image converter in it")
        converter = keras_hub.layers.ImageConverter.from_preset(str(folder))
        for value in (converter.scale, converter.offset):
            numbers = value if isinstance(value, list | tuple) else [0.0 if value is None else value]
            if len(numbers) not in (1, 3) or not all(isinstance(n, Real) and np.isfinite(float(n)) for n in numbers):
                raise ValueError(f"its scale or offset is {str(value)[:100]}")
    except Exception as error:
        said = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error).strip()
        raise BadModel(f"{folder / CONVERTER} can not be read ({said.splitlines()[0][:200]}): {ANEW}") from error
    return converter


def _numbers(value: Any) -> Any:
    return [float(number) for number in value] if isinstance(value, list | tuple) else float(value)


def _patch(net: Any) -> int:
    size = getattr(net, "patch_size", 1)
    return size if isinstance(size, int) else size[0]


def _within(net: Any) -> tuple[list[str], list[Any]]:
    """The tensors in a transformer that are tokens at some depth, with their names; none of other networks."""
    found = {name: tensor for name, tensor in getattr(net, "pyramid_outputs", {}).items() if name.startswith("stage")}
    if any(len(tensor.shape) != 3 for tensor in found.values()):
        return [], []  # maps, which its layers have names for
    if blocks := getattr(net, "encoder_layers", None):
        found = {block.name: block.output for block in blocks}
    return list(found), list(found.values())


def _grid(tokens: Any, prefix: int) -> Any:
    """Tokens (batch, prefix + side * side, width) -> maps (batch, side, side, width)."""
    side = round((tokens.shape[1] - prefix) ** 0.5)
    return ops.reshape(tokens[:, prefix:], (-1, side, side, tokens.shape[-1]))


def _of_size(net: Any, image_size: int, preset: str) -> Any:
    """The same network for pictures of another size."""
    inputs = net.inputs[0].shape[1:]
    if tuple(inputs) == (image_size, image_size, 3):
        return net
    if image_size % (patch := _patch(net)):
        raise BadModel(
            f"{preset} cuts pictures into patches of {patch} pixels: give --image_size a multiple of that, not "
            f"{image_size}"
        )
    config = dict(net.get_config())
    for key in ("image_shape", "input_shape"):
        if key in config:
            config[key] = (image_size, image_size, 3)
    own = f"{preset} can not take pictures of {image_size} pixels: give --image_size {inputs[0]}"
    try:
        sized = type(net).from_config(config)
    except Exception as error:
        raise BadModel(f"{own} ({str(error).strip().splitlines()[0][:200]})") from error
    for theirs, ours in zip(net.weights, sized.weights, strict=True):
        if theirs.shape == ours.shape:
            ours.assign(theirs)
        elif "position_embedding" in ours.path and ours.shape[-1] == theirs.shape[-1]:
            table = ops.convert_to_numpy(theirs).reshape(-1, ours.shape[-1])
            count = int(np.prod(ours.shape[:-1]))
            prefix = next(n for n in range(3) if ((count - n) ** 0.5).is_integer())
            ours.assign(interpolated(table, count, prefix).reshape(ours.shape))
        elif "position_ids" not in ours.path:  # which count up from 0
            raise BadModel(own)
    return sized


def interpolated(table: np.ndarray, positions: int, prefix: int = 1) -> np.ndarray:
    """Position embeddings (prefix + n * n, width) for another number of patches; the prefix stays as it is."""
    old, new = (round((count - prefix) ** 0.5) for count in (len(table), positions))
    grid = ops.image.resize(table[None, prefix:].reshape(1, old, old, -1), (new, new), interpolation="bicubic")
    return np.concatenate([table[:prefix], ops.convert_to_numpy(grid).reshape(new * new, -1)])

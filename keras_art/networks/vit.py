"""Vision transformers of keras-hub as backbones: a keras-hub preset's name, a preset folder, or random weights."""

from __future__ import annotations

import json
from pathlib import Path

import keras
from keras import ops

from keras_art.networks.backbones import Backbone, BadBackbone
from keras_art.networks.handles import is_drawn
from keras_art.networks.hub import interpolated
from keras_art.store import plain

# Dosovitskiy et al. 2021, Table 1 (B), and Touvron et al. 2021 (Ti).
VITS: dict[str, dict[str, int]] = {
    "ViTB16": {"patch_size": 16, "num_layers": 12, "num_heads": 12, "hidden_dim": 768, "mlp_dim": 3072},
    "ViTTi16": {"patch_size": 16, "num_layers": 12, "num_heads": 3, "hidden_dim": 192, "mlp_dim": 768},
}
# The largest a preset may have: those of ViT-G/14 (Zhai et al. 2022, Table 2).
SIZES = {"num_layers": 48, "num_heads": 16, "hidden_dim": 1664, "mlp_dim": 8192}
PRESET = "vit_base_patch16_224_imagenet"  # what `imagenet` means for ViTB16
PREPROCESSING = "tf"  # Dosovitskiy et al.'s checkpoints, and keras-hub's presets of them, take pixels in [-1, 1]


def load_vit(
    network: str, *, image_size: int, weights: str | Path | None, preprocessing: str = "imagenet", seed: int = 0
) -> Backbone:
    """Builds a vision transformer: preprocessed pixels (batch, size, size, 3) -> tokens (batch, 1 + patches, width).

    The first token is the class token. It computes by the dtype policy of now, whichever a preset was saved under. A
    preset of another size gets its position embeddings interpolated.

    Args:
        network: a name in `VITS`.
        image_size: side of the square input in pixels, a multiple of the patch's 16.
        weights: "imagenet", the name of a keras-hub preset, a preset folder, or None for random ones.
        preprocessing: a mode of `layers.Preprocessing`, or "imagenet" for that of the presets.
        seed: of random weights.

    Raises:
        BadBackbone: the size does not divide into patches, the folder is no preset of a vision transformer, or the
            preset can not be downloaded.
    """
    import keras_hub

    plan = VITS[network]
    if image_size % plan["patch_size"]:
        raise BadBackbone(
            f"{network} cuts images into patches of {plan['patch_size']} pixels: give --image_size a multiple of that, "
            f"not {image_size}"
        )
    mode = PREPROCESSING if preprocessing == "imagenet" else preprocessing
    shape = (image_size, image_size, 3)
    if is_drawn(weights):
        keras.utils.set_random_seed(seed)
        return Backbone(keras_hub.models.ViTBackbone(image_shape=shape, name="vit", **plan), mode)
    if isinstance(weights, Path):
        check_preset(weights)
    preset = PRESET if weights == "imagenet" else str(weights)
    try:
        source = keras_hub.models.ViTBackbone.from_preset(preset, name="vit", dtype=keras.config.dtype_policy())
    except Exception as error:
        raise BadBackbone(
            f"the keras-hub preset {preset} can not be loaded ({str(error).splitlines()[0][:200]}). Where there is no "
            f"network, save it elsewhere with keras_hub.models.ViTBackbone.from_preset({preset!r}).save_to_preset("
            f"FOLDER) and give --weights {network}=FOLDER; or give --weights none"
        ) from error
    width = {key: getattr(source, key) for key in ("num_layers", "num_heads", "hidden_dim", "mlp_dim")}
    if any(plan[key] != value for key, value in width.items()):
        raise BadBackbone(f"{preset} is no {network}: it has {width}")
    if tuple(source.image_shape) == shape:
        return Backbone(source, mode)
    config = {**source.get_config(), "image_shape": shape, "dtype": keras.config.dtype_policy()}
    model = keras_hub.models.ViTBackbone.from_config(config)
    for theirs, ours in zip(source.weights, model.weights, strict=True):
        ours.assign(theirs if theirs.shape == ours.shape else interpolated(ops.convert_to_numpy(theirs), ours.shape[0]))
    return Backbone(model, mode)


def check_preset(folder: Path) -> None:
    """Refuses a folder that is no keras-hub preset of a vision transformer.

    Raises:
        BadBackbone: naming what is missing.
    """
    try:
        config = json.loads(plain.read(folder / "config.json"))
        kind, sizes = config["registered_name"], {key: config["config"].get(key) for key in SIZES}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        kind, sizes = None, {}
    if kind != "keras_hub>ViTBackbone" or not any(folder.glob("*.weights.h5")):
        found = f"a preset of {str(kind)[:100]}" if kind else "no config.json of a preset"
        raise BadBackbone(
            f"{folder} is no preset folder of a vision transformer ({found}): it needs config.json and "
            f"model.weights.h5, as ViTBackbone.save_to_preset writes them"
        )
    # keras-hub makes every variable before it looks at what is stored.
    if absurd := [key for key, size in sizes.items() if not (isinstance(size, int) and 0 < size <= SIZES[key])]:
        raise BadBackbone(f"{folder} has a preset with a {absurd[0]} of {str(sizes[absurd[0]])[:100]}: not read")

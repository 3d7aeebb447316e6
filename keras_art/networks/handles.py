"""The folder of a preset of keras-hub by its name: `keras-hub:NAME`, `kaggle://HANDLE`, `hf://OWNER/NAME`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from keras_art import terminal
from keras_art.errors import nearest
from keras_art.networks.loading import BadModel
from keras_art.writing import HANDLES

# What downloads, and below which folder of ~/.cache it keeps what it has.
CLIENTS = {
    "Kaggle": ("kagglehub.model_download", "kagglehub/models"),
    "Hugging Face": ("snapshot_download", "huggingface"),
}
# Of a repository on Hugging Face: no pickles, no code.
FILES = ["*.json", "*.h5", "*.keras", "*.safetensors", "assets/**"]

LISTED = ": https://keras.io/keras_hub/presets lists them, clip_vit_base_patch32 and others"

_drawn = ContextVar("drawn", default=False)


@contextmanager
def nothing_fetched() -> Iterator[None]:
    """Within, networks are drawn where their released weights would be downloaded: all else of them can be checked."""
    token = _drawn.set(True)
    try:
        yield
    finally:
        _drawn.reset(token)


def is_drawn(weights: object) -> bool:
    """Whether weights, as of `backbones.load_backbone` and `vit.load_vit`, are None now, or stand for None."""
    return weights is None or (_drawn.get() and isinstance(weights, str) and weights != "own")


def folder_of(preset: str) -> Path:
    """The folder of a preset, downloaded if it is not here yet.

    Raises:
        BadModel: keras-hub has none of that name, or it can not be downloaded, with what to do elsewhere.
    """
    if not preset.startswith(HANDLES):
        return Path(preset).expanduser()
    handle, where = preset, "Hugging Face"
    if preset.startswith("keras-hub:"):
        handle = _released(preset.removeprefix("keras-hub:"))
    terminal.say(f"looking for {preset}, which is downloaded if it is not here")
    try:
        if handle.startswith("kaggle://"):
            import kagglehub

            where = "Kaggle"
            return Path(kagglehub.model_download(handle.removeprefix("kaggle://")))
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(handle.removeprefix("hf://"), allow_patterns=FILES))
    except ImportError as error:
        remedy = '"keras_art[hub]"' if error.name == "huggingface_hub" else error.name
        raise BadModel(
            f"{preset} is downloaded by {error.name}, which is not installed: pip install {remedy}"
        ) from error
    except Exception as error:  # of several clients, each with its own
        name = handle.partition("://")[2]
        call, cache = CLIENTS[where]
        own = "config.json, image_converter.json and model.weights.h5"  # others than keras-hub's have other names
        files = own if preset.startswith("keras-hub:") else "the model's files"
        raise BadModel(
            f"{preset} can not be downloaded from {where} ({str(error).strip().splitlines()[0][:120]}...). On a "
            f"machine with network {call}({name!r}) writes {files} into a folder that it "
            f"returns: copy it here and give it instead of the name, or put it below ~/.cache/{cache}"
        ) from error


def is_here(preset: str) -> bool:
    """Whether a preset has been downloaded to this machine before; no connection is opened to find out.

    Raises:
        BadModel: keras-hub has none of that name.
    """
    handle = _released(preset.removeprefix("keras-hub:")) if preset.startswith("keras-hub:") else preset
    place = handle.partition("://")[2]
    if handle.startswith("kaggle://"):
        from kagglehub.config import get_cache_folder

        return Path(get_cache_folder(), "models", place).is_dir()
    if handle.startswith("hf://"):
        try:
            from huggingface_hub import snapshot_download

            snapshot_download(place, allow_patterns=FILES, local_files_only=True)
        except Exception:  # of the client, or it is not installed
            return False
    return True


def _released(name: str) -> str:
    import keras_hub

    known = {found: facts["kaggle_handle"] for found, facts in keras_hub.models.Backbone.presets.items()}
    if name not in known:
        near = nearest(name, known) or [found for found in known if name.lower() in found][:3]
        also = f"; did you mean {' or '.join(near)}?" if near else LISTED
        raise BadModel(f"keras-hub {keras_hub.__version__} has no preset called {name!r}{also}")
    return known[name]

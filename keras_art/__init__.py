"""keras_art: deep-learning studies of art, reproduced in Keras 3.

    import keras_art

    collection = keras_art.load_collection("FOLDER_OR_CSV")
    backbone = keras_art.load_backbone("ResNet50", image_size=224, weights="imagenet")

Names are loaded when they are first asked for: importing the package starts no backend. The commands are
`python -m keras_art` and `python -m reproductions.NAME`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from keras_art.version import __version__

if TYPE_CHECKING:
    from keras_art.data.choices import choose
    from keras_art.data.collection import Collection
    from keras_art.data.sources import load_collection
    from keras_art.data.splits import split
    from keras_art.errors import UserError
    from keras_art.methods.adain.networks import adain
    from keras_art.methods.adain.stylising import stylise
    from keras_art.methods.dcec.joint import DCEC, Autoencoder
    from keras_art.methods.dcec.network import ClusteringLayer
    from keras_art.methods.tickets.optimizer import MaskedSGD
    from keras_art.methods.tickets.search import find_tickets
    from keras_art.networks.attention import SpatialAttention, attention_classifier
    from keras_art.networks.backbones import Backbone, load_backbone
    from keras_art.networks.gram import gram_matrix
    from keras_art.networks.heads import feature_extractor, softmax_classifier
    from keras_art.networks.layers import Preprocessing
    from keras_art.networks.loading import load_model
    from keras_art.networks.losses import FocalLoss
    from keras_art.networks.saliency import visual_backprop

# Public name -> the room that has it.
_ROOMS = {
    "Collection": "data.collection",
    "load_collection": "data.sources",
    "load_model": "networks.loading",
    "choose": "data.choices",
    "split": "data.splits",
    "UserError": "errors",
    "adain": "methods.adain.networks",
    "stylise": "methods.adain.stylising",
    "Autoencoder": "methods.dcec.joint",
    "DCEC": "methods.dcec.joint",
    "ClusteringLayer": "methods.dcec.network",
    "MaskedSGD": "methods.tickets.optimizer",
    "find_tickets": "methods.tickets.search",
    "SpatialAttention": "networks.attention",
    "attention_classifier": "networks.attention",
    "Backbone": "networks.backbones",
    "Preprocessing": "networks.layers",
    "load_backbone": "networks.backbones",
    "gram_matrix": "networks.gram",
    "feature_extractor": "networks.heads",
    "softmax_classifier": "networks.heads",
    "FocalLoss": "networks.losses",
    "visual_backprop": "networks.saliency",
}
__all__ = [
    "DCEC",
    "Autoencoder",
    "Backbone",
    "ClusteringLayer",
    "Collection",
    "FocalLoss",
    "MaskedSGD",
    "Preprocessing",
    "SpatialAttention",
    "UserError",
    "__version__",
    "adain",
    "attention_classifier",
    "choose",
    "feature_extractor",
    "find_tickets",
    "gram_matrix",
    "load_backbone",
    "load_collection",
    "load_model",
    "softmax_classifier",
    "split",
    "stylise",
    "visual_backprop",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'keras_art' has no attribute {name!r}")
    if _ROOMS[name].startswith(("networks", "methods")):
        from keras_art import terminal

        terminal.import_backend()
    value = getattr(importlib.import_module(f"keras_art.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

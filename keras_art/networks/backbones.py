"""A name, a `.keras` file or a keras-hub preset -> a backbone with its input size, preprocessing, taps and weights."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from keras_art.errors import UserError, nearest
from keras_art.networks import hub, matching
from keras_art.networks.handles import is_drawn
from keras_art.networks.layers import BatchNormalization2018, Preprocessing
from keras_art.networks.loading import BadModel, computing_anew, load_model
from keras_art.networks.resnets import draw_kernels
from keras_art.networks.taps import ends_in_maps as ends_in_maps
from keras_art.networks.taps import gigamacs as gigamacs
from keras_art.networks.taps import outputs_of
from keras_art.networks.taps import stage_taps as stage_taps
from keras_art.writing import is_preset as is_preset

# The md5 of the weights files without top of the paper's networks, as keras.applications checks them.
IMAGENET_MD5 = {
    "VGG19": "253f8cb515780f3b799900260a226db6",
    "InceptionV3": "bcbd6486424b2319ff4ef7d526e38f63",
    "Xception": "b0042744bf5b25fce3cb969f33bebb97",
    "ResNet50": "4d473c1dd8becc155b73f8504c6f6626",
}
# What keras.applications' own preprocess_input does, by the beginning of the name; "none": the model rescales itself.
PREPROCESSING = {
    "VGG": "caffe", "ResNet50V2": "tf", "ResNet101V2": "tf", "ResNet152V2": "tf", "ResNet": "caffe",
    "Inception": "tf", "Xception": "tf", "MobileNetV3": "none", "MobileNet": "tf", "NASNet": "tf",
    "DenseNet": "torch", "EfficientNet": "none", "ConvNeXt": "none",
}  # fmt: skip


class BadBackbone(UserError, ValueError):
    """The network or its weights can not be used; the message says what to change."""


@dataclass(frozen=True)
class Backbone:
    """A network without its top.

    Attributes:
        model: preprocessed pixels (batch, size, size, 3) -> maps (batch, h, w, width); of a transformer the image's
            vector (batch, width), or its tokens (batch, n, width), the first of which is that.
        preprocessing: the mode of the `Preprocessing` that stands in front of it.
        taps: of a transformer, name -> its patches at that depth as maps (batch, h, w, channels), shallow to deep.
    """

    model: keras.Model
    preprocessing: str
    taps: Mapping[str, Any] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """X of the paper's Table 2: channels of the last map."""
        return self.model.output.shape[-1]

    @property
    def has_maps(self) -> bool:
        """Whether something in it knows where in the picture it is."""
        return bool(self.taps) or len(self.model.output.shape) == 4

    def stages(self) -> list[str]:
        """What can be tapped without knowing its layers, shallow to deep."""
        return list(self.taps) or stage_taps(self.model, within=False)  # as finished runs have been tapped

    def tap(self, name: str) -> Any:
        """The output of a layer, or of a transformer's depth, as a tensor of the model's graph.

        Raises:
            BadBackbone: there is none of that name, with the nearest, or it is no map.
        """
        known = {**outputs_of(self.model), **self.taps}
        if name not in known:
            near = ", ".join(difflib.get_close_matches(name, [*self.taps, *known], n=3, cutoff=0))
            raise BadBackbone(f"{self.model.name} has no layer {name!r} to tap; the nearest names: {near}")
        if len(known[name].shape) != 4:
            raise BadBackbone(f"the layer {name!r} of {self.model.name} is no map: choose one before its pooling")
        return known[name]

    @property
    def has_batch_normalization(self) -> bool:
        """Whether `frozen_bn` makes a difference."""
        return any("moving_mean" in variable.path for variable in self.model.non_trainable_variables)


def is_file(network: str) -> bool:
    """Whether a network is meant as a file rather than as a name of keras.applications."""
    return not is_preset(network) and (network.endswith(".keras") or "/" in network)


def check_name(network: str) -> None:
    """Refuses what is no preset, no `.keras` file that exists, and no name of keras.applications.

    Raises:
        BadBackbone: naming the nearest names.
    """
    if is_file(network):
        if not Path(network).expanduser().is_file():
            raise BadBackbone(f"the network file {network} does not exist")
    elif not is_preset(network) and network not in (known := applications()):
        near = " or ".join(nearest(network, known))
        meant = f"did you mean {near}?" if near else "keras.applications has VGG19, ResNet50, MobileNetV2 and others."
        raise BadBackbone(f"no network is called {network!r}; {meant} Files and presets work too.")


def applications() -> dict[str, Callable[..., keras.Model]]:
    """The constructors of keras.applications by name."""
    return {name: value for name, value in vars(keras.applications).items() if name[0].isupper() and callable(value)}


def own_preprocessing(network: str) -> str:
    """The mode a keras.applications network was trained with; a preset rescales itself.

    Raises:
        BadBackbone: for a file, whose pixels nobody but its maker knows.
    """
    if is_file(network):
        raise BadBackbone(
            f"{network} does not say which pixels it takes: give --preprocessing {' or '.join(Preprocessing.MODES)}"
        )
    own = (mode for prefix, mode in PREPROCESSING.items() if network.startswith(prefix))
    return "none" if is_preset(network) else next(own)


def load_backbone(
    network: str,
    *,
    image_size: int,
    weights: str | Path | None = "imagenet",
    preprocessing: str = "imagenet",
    frozen_bn: str = "inference",
    bn_momentum: float = 0.0,
    seed: int = 0,
) -> Backbone:
    """Builds a backbone and gives it its weights.

    Args:
        network: a name of keras.applications, a `.keras` file with an image input and a spatial output, or a preset
            of keras-hub as `hub` has them; each computes by the dtype policy of now, whatever a file was saved under.
        image_size: side of the square input in pixels.
        weights: "imagenet"; "own", what a `.keras` file or a preset holds, for which "imagenet" stands there; a weights
            file for this network; None for He-uniform kernels, as the paper's scratch network has.
        preprocessing: a mode of `Preprocessing`, or "imagenet", the network's own: all that a preset with one takes.
        frozen_bn: "inference", or "batch" for `BatchNormalization2018`.
        bn_momentum: of batch normalisation's moving averages (0: the network's own).
        seed: of the He-uniform kernels.

    Raises:
        BadBackbone: unknown name, unusable file, wrong weights, or ImageNet weights that can not be downloaded.

    >>> backbone = load_backbone("MobileNetV2", image_size=64, weights=None)
    >>> backbone.preprocessing, backbone.model.output_shape
    ('tf', (None, 2, 2, 1280))
    """
    check_name(network)
    weights = "own" if weights == "imagenet" and (is_preset(network) or is_file(network)) else weights
    weights = None if is_drawn(weights) and not is_preset(network) else weights
    mode = own_preprocessing(network) if preprocessing == "imagenet" else preprocessing
    taps: Mapping[str, Any] = {}
    if is_preset(network):
        keras.utils.set_random_seed(seed)  # of what `draw_kernels` leaves as it was drawn
        try:
            found = hub.load_preset(network, image_size, preprocessing, with_weights=weights == "own")
        except BadModel as error:
            raise BadBackbone(str(error)) from error
        model, taps = found.model, found.taps
    elif is_file(network):
        model = _load_file(Path(network).expanduser(), image_size, keep_weights=weights == "own")
    else:
        model = _build_application(network, image_size, imagenet=weights == "imagenet")
    if not taps and (frozen_bn == "batch" or bn_momentum or BatchNormalization2018 in map(type, model.layers)):
        model = _with_batch_normalization(model, frozen_bn, bn_momentum)  # a transformer, with taps, normalises none
    if weights is None:
        draw_kernels(model, "he_uniform", seed)
    elif weights not in ("imagenet", "own"):
        load_weights(model, Path(weights))
    return Backbone(model, mode, taps)


def _build_application(network: str, image_size: int, *, imagenet: bool) -> keras.Model:
    try:
        return applications()[network](
            include_top=False, weights="imagenet" if imagenet else None, input_shape=(image_size, image_size, 3)
        )
    except Exception as error:
        fetch = re.search(r"URL fetch failure on (\S+?):? ", str(error))
        if fetch is None:
            what = f"{network} with ImageNet weights" if imagenet else network
            raise BadBackbone(f"{what} can not be built at {image_size} pixels: {_first_line(error)}") from error
        home = os.environ.get("KERAS_HOME", "~/.keras")
        md5 = f" (md5 {IMAGENET_MD5[network]})" if network in IMAGENET_MD5 else ""
        raise BadBackbone(
            f"the ImageNet weights of {network} can not be downloaded from here. Get\n  {fetch[1]}{md5}\n"
            f"on a machine with network and put the file into {home}/models/ (a file there with another hash is "
            f"deleted and downloaded again); or take a network that is a .keras file, or, where there is --weights, a "
            f"file of weights or none."
        ) from error


def _load_file(path: Path, image_size: int, *, keep_weights: bool) -> keras.Model:
    try:
        model = load_model(path)
    except BadModel as error:
        raise BadBackbone(str(error)) from error
    inputs = getattr(model, "inputs", None) or []  # a model that was never built has none
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise BadBackbone(f"{path} does not take one batch of images")
    if len(model.outputs) != 1 or len(model.outputs[0].shape) != 4:
        raise BadBackbone(
            f"{path} has no spatial output: {[tuple(output.shape) for output in model.outputs]} where one (batch, "
            f"height, width, channels) is needed. Save it without its pooling and classifier layers."
        )
    height, width, channels = inputs[0].shape[1:]
    if channels != 3:
        raise BadBackbone(
            f"{path} takes images of {channels} channel{'s' * (channels != 1)}, and pictures have three here (RGB): "
            f"give a network that takes three"
        )
    if height != width:
        raise BadBackbone(
            f"{path} takes images of {height} x {width}, and pictures are square here: give another network"
        )
    if height not in (None, image_size):
        raise BadBackbone(f"{path} takes images of {height} x {width}: give --image_size {height}")
    try:
        # Cloned onto an input of known size, every layer knows the size of its maps.
        fixed = keras.models.clone_model(
            model, keras.Input((image_size, image_size, 3)), clone_function=computing_anew, recursive=True
        )
    except BadModel as error:
        raise BadBackbone(f"{path}: {error}") from error
    except ValueError as error:
        raise BadBackbone(f"{path} can not take images of {image_size} pixels: give a larger --image_size") from error
    if keep_weights:
        fixed.set_weights(model.get_weights())
    return keras.Model(fixed.inputs[0], fixed.outputs[0], name=model.name)  # a Sequential has no `input` of its own


def _with_batch_normalization(model: keras.Model, frozen_bn: str, momentum: float) -> keras.Model:
    def averages(layer: keras.Layer) -> bool:
        return any("moving_mean" in v.path for v in getattr(layer, "non_trainable_variables", ()))  # an operation: ()

    kind = BatchNormalization2018 if frozen_bn == "batch" else keras.layers.BatchNormalization
    if all(type(layer) is kind for layer in model.layers if averages(layer)):  # nothing within a layer, or to swap
        for layer in filter(averages, model.layers):
            layer.momentum = momentum or layer.momentum
        return model

    def swap(layer: keras.Layer) -> keras.Layer:
        if type(layer) in (keras.layers.BatchNormalization, BatchNormalization2018):
            return kind.from_config({**layer.get_config(), "momentum": momentum or layer.momentum})
        if averages(layer):
            raise BadBackbone(
                f"the layer {layer.name} of {model.name} normalises batches in its own way, which --frozen_bn "
                f"batch and --bn_momentum can not change: leave them out, or save it in Keras's own layers"
            )
        return type(layer).from_config(layer.get_config())

    twin = keras.models.clone_model(model, clone_function=swap, recursive=True)
    twin.set_weights(model.get_weights())
    return twin


def load_weights(model: keras.Model, path: Path) -> None:
    """Gives a model the weights of a file, all or none.

    Of a `.weights.h5` they are the model's own; of an `.h5` of Keras 2, or of a `.keras` file, those of its layers, and
    what stands on them, a head, is left out (`matching`).

    Raises:
        BadBackbone: the file is absent, unreadable or belongs to another network.
    """
    if not path.is_file():
        raise BadBackbone(f"the weights file {path} does not exist")
    try:
        if path.name.endswith(".weights.h5"):
            model.load_weights(path)
        elif path.suffix == ".h5":
            matching.assign(model, matching.layers_of_h5(path))
        else:
            given = load_model(path)
            if [weight.shape for weight in given.weights] == [weight.shape for weight in model.weights]:
                model.set_weights(given.get_weights())
            else:
                matching.assign(model, matching.layers_of_model(given))
    except Exception as error:
        raise BadBackbone(f"{path} holds no weights for {model.name}: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:300]

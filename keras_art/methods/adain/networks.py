"""The networks of adaptive instance normalisation: encoder, AdaIN, decoder and their losses.

Huang and Belongie 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization", as their code has
them: with reflection padding in the encoder, too. VGG19's own zeros would tell the decoder where it is in the image, on
small images louder than what the image shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_art.errors import UserError
from keras_art.learning import training
from keras_art.networks.layers import Preprocessing, check_shape
from keras_art.networks.loading import load_model
from keras_art.store.reading import is_there, read_json

# relu1_1, relu2_1, relu3_1 and relu4_1 of VGG19; content and the decoder's input are the last of them.
TAPS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1")
EPSILON = 1e-5


@keras.saving.register_keras_serializable("keras_art")
class ReflectionPadding(keras.layers.Layer):
    """One row and column of mirrored values round a map: (batch, h, w, c) -> (batch, h + 2, w + 2, c); h, w >= 2."""

    def call(self, inputs: Any) -> Any:
        return ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        batch, height, width, channels = input_shape
        return batch, height and height + 2, width and width + 2, channels


def make_encoder(vgg: keras.Model) -> keras.Model:
    """VGG19 without its top -> its first nine convolutions, on images of any size.

    3,505,728 parameters, reflection padding. Takes RGB (batch, height, width, 3) in [0, 255], sides of at least 16;
    gives the maps of `TAPS`, with 64, 128, 256 and 512 channels at 1, 1/2, 1/4 and 1/8 of the size.

    Raises:
        ValueError: `vgg` lacks a tap.
    """
    names = [layer.name for layer in vgg.layers]
    if missing := [tap for tap in TAPS if tap not in names]:
        raise ValueError(f"{vgg.name} has no {', '.join(missing)}: the encoder is VGG19")
    last = names.index(TAPS[-1])
    pixels = keras.Input((None, None, 3), name="pixels")
    x = Preprocessing("caffe", name="preprocessing")(pixels)
    taps = []
    for layer in vgg.layers[1 : last + 1]:
        config = layer.get_config()
        if isinstance(layer, keras.layers.Conv2D):
            x, config["padding"] = ReflectionPadding()(x), "valid"
        copy = type(layer).from_config(config)
        x = copy(x)
        copy.set_weights(layer.get_weights())
        if layer.name in TAPS:
            taps.append(x)
    encoder = keras.Model(pixels, taps, name="encoder")
    encoder.trainable = False
    return encoder


def calibrate(network: keras.Model, inputs: Any) -> None:
    """Gives each filter, before its ReLU, the mean 0 and the variance 1 over some inputs: for filters drawn at random.

    Data-dependent initialisation after Krähenbühl et al. 2016. Drawn and left alone, nine layers with ReLU say nearly
    the same of every image: the encoder leaves little to decode, and the decoder takes thousands of steps to tell one
    position from another.

    Args:
        network: an encoder or a decoder, layer after layer; what has no ReLU is left as it is.
        inputs: what it takes, as one batch.
    """
    x = inputs
    for layer in network.layers[1:]:
        if isinstance(layer, keras.layers.Conv2D) and layer.activation is keras.activations.relu:
            outputs = ops.conv(x, layer.kernel, padding="valid")
            mean, variance = ops.moments(outputs, axes=(0, 1, 2))
            deviation = ops.sqrt(variance) + EPSILON
            layer.kernel.assign(layer.kernel / deviation)
            layer.bias.assign(-mean / deviation)
        x = layer(x)


def normalise(encoder: keras.Model, images: np.ndarray, batch_size: int = 8) -> None:
    """Scales an encoder's filters so that each has the mean activation 1 over some images.

    What Gatys et al. 2016 did to VGG, and Huang and Belongie's encoder went through: ReLU lets a factor pass, so the
    next layer takes it back, and the network says the same in other units, in which the weight of the style loss means
    the same for any encoder. A filter that hardly ever acts is taken to act a tenth as much as its layer's mean, for
    its few large values would rule the losses.

    Args:
        images: (n, height, width, 3) in [0, 255].
    """
    convolutions = [layer for layer in encoder.layers if isinstance(layer, keras.layers.Conv2D)]
    reader = keras.Model(encoder.input, [layer.output for layer in convolutions])
    sums = [np.zeros(layer.filters) for layer in convolutions]
    for start in range(0, len(images), batch_size):
        maps = reader.predict_on_batch(images[start : start + batch_size])
        for total, values in zip(sums, maps, strict=True):
            total += values.mean(axis=(1, 2), dtype=np.float64).sum(axis=0)
    before = np.ones(3)
    for layer, total in zip(convolutions, sums, strict=True):
        mean = total / len(images)
        scale = np.maximum(mean, 0.1 * mean.mean())
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * before[:, None] / scale, bias / scale])
        before = scale


def make_decoder() -> keras.Model:
    """The encoder mirrored: (batch, h, w, 512) -> RGB in about [0, 255], (batch, 8 h, 8 w, 3); 3,505,219 parameters.

    Reflection padding before each 3x3 convolution, nearest-neighbour upsampling in the place of pooling, no activation
    at the end. It begins as an even grey: outputs far from any image drive the decoder's ReLUs dead.
    """
    maps = keras.Input((None, None, 512), name="maps")
    x = maps
    for filters in ((256,), (256, 256, 256, 128), (128, 64), (64,)):
        if x is not maps:
            x = keras.layers.UpSampling2D(interpolation="nearest")(x)
        for count in filters:
            x = keras.layers.Conv2D(count, 3, activation="relu")(ReflectionPadding()(x))
    faint, grey = keras.initializers.RandomNormal(stddev=1e-3), keras.initializers.Constant(0.5)
    # The last filters in float32 by any policy: a half float in [0, 1] is no finer than a grey level.
    last = keras.layers.Conv2D(3, 3, kernel_initializer=faint, bias_initializer=grey, dtype="float32")
    pixels = keras.layers.Rescaling(255.0, dtype="float32", name="pixels")
    return keras.Model(maps, pixels(last(ReflectionPadding()(x))), name="decoder")


def statistics(maps: Any) -> tuple[Any, Any]:
    """Mean and standard deviation of each channel of maps (batch, h, w, c) over positions, (batch, 1, 1, c) float32.

    The variance is unbiased and `EPSILON` stands inside the root, as in the paper's code.

    Raises:
        ValueError: maps of another rank.
    """
    check_shape("maps", maps, ("batch", "height", "width", "channels"))
    maps = ops.cast(maps, "float32")
    _, height, width, _ = ops.shape(maps)
    positions = ops.cast(height * width, "float32")
    mean = ops.mean(maps, axis=(1, 2), keepdims=True)
    variance = ops.sum(ops.square(maps - mean), axis=(1, 2), keepdims=True) / (positions - 1.0)
    return mean, ops.sqrt(variance + EPSILON)


def adain(content: Any, style: tuple[Any, Any], alpha: float = 1.0) -> Any:
    """Equation 8, and `alpha` of the way to it: content maps (batch, h, w, c) with the style's mean and deviation.

    Args:
        style: what `statistics` says of the style's maps: its mean and its deviation, (batch, 1, 1, c) or (1, 1, 1, c).
        alpha: in [0, 1]; 0 gives the content back.

    Raises:
        ValueError: maps of another rank, or a style that is no such pair.

    >>> rng = np.random.default_rng(0)
    >>> content, style = rng.normal(size=(2, 4, 4, 3)), rng.normal(5, 2, size=(2, 6, 6, 3))
    >>> mean, deviation = statistics(style)
    >>> bool(np.allclose(statistics(adain(content, (mean, deviation)))[0], mean, atol=1e-4))
    True
    """
    check_shape("content maps", content, ("batch", "height", "width", "channels"))
    if not isinstance(style, list | tuple) or len(style) != 2:
        shape = f" of shape {tuple(style.shape)}" if hasattr(style, "shape") else ""
        raise ValueError(f"style is a pair, mean and deviation, as statistics(maps) gives it, not one thing{shape}")
    for what, part in zip(("mean", "deviation"), style, strict=True):
        check_shape(f"the style's {what}", part, ("batch", 1, 1, content.shape[-1]))
        if part.shape[0] not in (None, 1, content.shape[0]) and content.shape[0] is not None:
            raise ValueError(f"{content.shape[0]} contents and {part.shape[0]} styles: give as many, or one style")
    content = ops.cast(content, "float32")
    mean, deviation = statistics(content)
    style_mean, style_deviation = (ops.cast(part, "float32") for part in style)
    target = style_deviation * (content - mean) / deviation + style_mean
    return alpha * target + (1.0 - alpha) * content


class Stylist(keras.Model):
    """Contents, styles and the share of the style (1, 1, 1, 1) -> pictures: in one function maps stay on the device."""

    def __init__(self, encoder: keras.Model, decoder: keras.Model) -> None:
        super().__init__(name="stylist")
        self.deep, self.decoder = keras.Model(encoder.input, encoder.outputs[-1]), decoder

    def call(self, inputs: Any) -> Any:
        contents, styles, share = inputs
        return self.decoder(adain(self.deep(contents), statistics(self.deep(styles)), share))


def content_loss(produced: Any, target: Any) -> Any:
    """Equation 12 as the code has it: the mean square of relu4_1 of the output minus the AdaIN target."""
    return ops.mean(ops.square(ops.cast(produced, "float32") - target))


def identity_loss(produced: Any, image: Any) -> Any:
    """The mean square, in units of the pixels' range, of an image styled by itself minus the image.

    Equation 7 of Park and Lee 2019, "Arbitrary Style Transfer with Style-Attentional Networks", its first term. Where
    the encoder is not worth much, what it says of the output is a poor guide to pixels.
    """
    return ops.mean(ops.square((ops.cast(produced, "float32") - image) / 255.0))


def style_loss(produced: Sequence[Any], style: Sequence[Any]) -> Any:
    """Equation 13: over the taps, the mean squares of the differences of means and of standard deviations."""
    total = 0.0
    for ours, theirs in zip(produced, style, strict=True):
        for a, b in zip(statistics(ours), statistics(theirs), strict=True):
            total += ops.mean(ops.square(a - b))
    return total


def load_networks(folder: Path) -> tuple[keras.Model, keras.Model]:
    """Encoder and decoder of a trained decoder's directory, wherever it lies.

    Raises:
        UserError: they are not there, or the decoder diverged.
    """
    found = [folder / f"{name}.keras" for name in ("encoder", "decoder")]
    if not all(path.is_file() for path in found):
        raise UserError(
            f"{folder} holds no encoder.keras and decoder.keras: train one with python -m keras_art adain train"
        )
    metrics = folder / "metrics.json"
    if is_there(metrics) and read_json(metrics, fields={"status": str})["status"] == "diverged":
        raise UserError(f"the decoder of {folder} diverged: train one at a lower learning rate")
    encoder, decoder = (load_model(path) for path in found)
    return encoder, decoder


def computing(encoder: keras.Model, decoder: keras.Model, precision: str) -> tuple[keras.Model, keras.Model]:
    """Both by a dtype policy: copies with the same weights, in float32 themselves."""
    if precision == "float32":
        return encoder, decoder
    with training.precision(precision):
        painter = make_decoder()
    painter.set_weights(decoder.get_weights())
    return training.computing(encoder, precision), painter

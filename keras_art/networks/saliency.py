"""Where a convolutional network looks: VisualBackProp, and its map laid over the painting."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras


def visual_backprop(model: keras.Model, taps: Sequence[str], images: np.ndarray, batch_size: int = 32) -> np.ndarray:
    """The regions of each image whose activations last through the network, as one map per image.

    VisualBackProp (Bojarski et al. 2016, https://arxiv.org/abs/1611.05418): every tap is averaged over its channels;
    from the deepest on, the map is upsampled to the size of the tap before it and multiplied with it, up to the image.

    Upsampling is a transposed convolution of ones whose kernel is its stride, the ratio of the two sizes rounded. What
    it then misses of the size (37 to 75) is shared by both edges: cropped, or filled with the edge's own value. The
    paper's kernel is the forward layer's; where that exceeds the stride, its overlaps print a grid on the map.

    The Keras version of the 2018 study is `visual_backprop_2018`.

    Args:
        model: A functional model from images to feature maps.
        taps: Names of layers of `model`, from shallow to deep: the activations that end a stage, or each convolution
            of a VGG. A layer inside a nested model cannot be named.
        images: What `model` takes, preprocessed as it expects: (n, height, width, channels), or channels
            first where Keras is configured so.
        batch_size: Images evaluated at a time.

    Returns:
        (n, height, width) float32, each map stretched to [0, 1]; zeros where a map is constant.

    Raises:
        ValueError: No images, no taps, an unknown tap, one without height and width, or taps that grow with depth.

    >>> import keras
    >>> pixels = keras.Input((32, 32, 3))
    >>> maps = keras.layers.Conv2D(8, 3, 2, name="shallow")(pixels)
    >>> model = keras.Model(pixels, keras.layers.Conv2D(16, 3, 2, name="deep")(maps))
    >>> visual_backprop(model, ["shallow", "deep"], np.random.default_rng(0).random((2, 32, 32, 3))).shape
    (2, 32, 32)
    """
    import keras
    from keras import ops

    from keras_art.networks.taps import outputs_of

    known = outputs_of(model)
    for tap in taps:
        if tap not in known:
            nearest = ", ".join(difflib.get_close_matches(tap, known, n=3, cutoff=0)) or "none: no layers"
            raise ValueError(f"{model.name} has no layer {tap!r}; the nearest names: {nearest}")
    if not taps or images.ndim != 4 or not len(images):
        raise ValueError(f"visual_backprop needs taps and images (n, height, width, channels), got {images.shape}")

    first = keras.config.image_data_format() == "channels_first"
    reader = keras.Model(model.inputs, [known[tap] for tap in taps])
    inputs = keras.Input(images.shape[1:], dtype=model.inputs[0].dtype)
    outputs = reader(inputs)
    shapes = dict(zip(taps, (tuple(output.shape[1:]) for output in outputs), strict=True))
    if any(len(shape) != 3 for shape in shapes.values()):
        raise ValueError(f"every tap must be a map (height, width, channels): {shapes}")
    means = [ops.mean(ops.cast(x, "float32"), axis=1 if first else 3)[..., None] for x in outputs]
    for shallow, deep in itertools.pairwise(means):
        if deep.shape[1] > shallow.shape[1] or deep.shape[2] > shallow.shape[2]:
            raise ValueError(f"taps must go from shallow to deep, from larger to smaller maps: {shapes}")

    visual = means[-1]  # (n, height, width, 1)
    for shallow in reversed(means[:-1]):
        visual = _stretch(_upsample(visual, shallow.shape[1:3]) * shallow)
    visual = _stretch(_upsample(visual, inputs.shape[2:4] if first else inputs.shape[1:3]))
    return keras.Model(inputs, visual[..., 0]).predict(images, batch_size=batch_size, verbose=0)


def visual_backprop_2018(model: keras.Model, images: np.ndarray, batch_size: int = 32) -> np.ndarray:
    """VisualBackProp as the released code of the 2018 study has it, for networks whose maps halve from size to size.

    What differs from `visual_backprop`: every layer with "Conv2D" in its class name is read, whatever stands behind it
    (in a ResNet, before batch normalisation and on shortcuts too); each map is min-max normalised before the product,
    and not the product; where two sizes differ the deeper is upsampled once, by a kernel of ones of 3 and a stride of
    2, whose overlaps print a grid; and the map ends at the size of the first convolution's.

    Args:
        model: a functional model from images to feature maps.
        images: what it takes: (n, height, width, channels), channels last.

    Returns:
        (n, h, w) float32, each map stretched to [0, 1] at the end, for figures.

    Raises:
        ValueError: no convolution, or two sizes of which one is not twice the other.
    """
    import keras
    from keras import ops

    from keras_art.networks.taps import outputs_of

    convolutions = [layer for layer in model.layers if "Conv2D" in type(layer).__name__]
    if not convolutions:
        raise ValueError(f"{model.name} has no layer whose class is called Conv2D")
    known, visual = outputs_of(model), None
    for layer in reversed(convolutions):
        x = ops.mean(ops.cast(known[layer.name], "float32"), axis=3, keepdims=True)
        low, high = (end(x, axis=(1, 2, 3), keepdims=True) for end in (ops.min, ops.max))
        x = (x - low) / (high - low + 1e-6)
        if visual is not None and visual.shape[1:3] != x.shape[1:3]:
            ones: dict[str, object] = {"kernel_initializer": "ones", "use_bias": False, "dtype": "float32"}
            visual = keras.layers.Conv2DTranspose(1, 3, 2, padding="same", **ones)(visual)
            if visual.shape[1:3] != x.shape[1:3]:
                raise ValueError(
                    f"the map of {layer.name} in {model.name}, {x.shape[1]} x {x.shape[2]}, is not twice the next: the "
                    f"released variant is for networks whose sizes halve, such as VGG19; take the paper's"
                )
        visual = x if visual is None else visual * x
    return keras.Model(model.inputs, _stretch(visual)[..., 0]).predict(images, batch_size=batch_size, verbose=0)


def _upsample(maps: Any, size: Sequence[int]) -> Any:
    """Maps (n, h, w, 1) spread over (n, *size, 1) by a transposed convolution of ones."""
    import keras
    from keras import ops

    strides = tuple(max(1, round(large / small)) for large, small in zip(size, maps.shape[1:3], strict=True))
    # The layer, because ops.conv_transpose cannot be called on a symbolic tensor (Keras 3.15).
    maps = keras.layers.Conv2DTranspose(
        1,
        kernel_size=strides,
        strides=strides,
        kernel_initializer="ones",
        use_bias=False,
        data_format="channels_last",
        dtype="float32",
    )(maps)
    for axis, length in enumerate(size, start=1):
        reached = maps.shape[axis]
        rows = np.arange(length) - (length - reached) // 2
        maps = ops.take(maps, np.clip(rows, 0, reached - 1), axis=axis)
    return maps


def _stretch(maps: Any) -> Any:
    """Maps (n, h, w, 1) min-max normalised, each by itself; a constant one becomes zeros."""
    import keras
    from keras import ops

    low = ops.min(maps, axis=(1, 2, 3), keepdims=True)
    high = ops.max(maps, axis=(1, 2, 3), keepdims=True)
    return (maps - low) / ops.maximum(high - low, keras.config.epsilon())


def overlay(photo: np.ndarray, saliency: np.ndarray, strength: float = 0.6) -> np.ndarray:
    """A saliency map in colour over the photo it explains, at the photo's own size and aspect ratio.

    Args:
        photo: (height, width, 3) uint8.
        saliency: (h, w) in [0, 1], of any size: resized to the photo's by bilinear interpolation.
        strength: Share of the colour in the mixture, in [0, 1].

    Returns:
        (height, width, 3) uint8. The colours rise evenly in lightness, from black at 0 to pale yellow at 1.

    Raises:
        ValueError: `photo`, `saliency` or `strength` is not of the shape, type or range above.
    """
    import matplotlib
    from PIL import Image

    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        raise ValueError(f"the photo must be (height, width, 3) uint8, not {photo.shape} {photo.dtype}")
    if saliency.ndim != 2 or not (saliency.size and saliency.min() >= 0 and saliency.max() <= 1):
        raise ValueError(f"the saliency map must be (height, width) in [0, 1], got the shape {saliency.shape}")
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must lie in [0, 1], not {strength}")
    height, width = photo.shape[:2]
    resized = Image.fromarray(saliency.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    colours = matplotlib.colormaps["inferno"](np.asarray(resized))[..., :3] * 255
    return np.rint((1 - strength) * photo + strength * colours).astype(np.uint8)

"""The small residual network of He et al. 2016 for small pictures, and named initialisations for any network."""

from __future__ import annotations

import keras
import numpy as np


def resnet20(image_size: int, bn_momentum: float = 0.9) -> keras.Model:
    """Preprocessed pixels (batch, size, size, 3) -> maps (batch, size / 4, size / 4, 64), 272 thousand parameters.

    Section 4.2 of He et al. 2016 with n = 3: three stages of three blocks, 16, 32 and 64 channels wide. A shortcut that
    changes its width is a 1 x 1 convolution, as in the lottery-ticket literature, where the paper pads with zeros.

    Args:
        image_size: side of the square input in pixels.
        bn_momentum: of batch normalisation's moving averages; Keras's own 0.99 is too slow for trainings of a few
            hundred steps, whose validation would see the initial statistics.
    """
    inputs = keras.Input((image_size, image_size, 3), name="preprocessed")

    def convolved(x: keras.KerasTensor, name: str, width: int, side: int, stride: int = 1) -> keras.KerasTensor:
        x = keras.layers.Conv2D(width, side, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
        return keras.layers.BatchNormalization(momentum=bn_momentum, epsilon=1e-5, name=f"{name}_bn")(x)

    x = keras.layers.ReLU(name="stem_relu")(convolved(inputs, "stem", 16, 3))
    for stage, width in enumerate((16, 32, 64), 1):
        for block in range(1, 4):
            name, stride = f"stage{stage}_block{block}", 2 if stage > 1 and block == 1 else 1
            shortcut = x if stride == 1 else convolved(x, f"{name}_0", width, 1, stride)
            x = keras.layers.ReLU(name=f"{name}_1_relu")(convolved(x, f"{name}_1", width, 3, stride))
            x = keras.layers.Add(name=f"{name}_add")([shortcut, convolved(x, f"{name}_2", width, 3)])
            x = keras.layers.ReLU(name=f"{name}_out")(x)
    return keras.Model(inputs, x, name="resnet20")


def draw_kernels(model: keras.Model, initializer: str, seed: int) -> None:
    """Draws every kernel anew.

    Args:
        initializer: Keras's name of it: "glorot_uniform" is what PyTorch calls Xavier, "he_normal" is Kaiming, ...
        seed: another one for each kernel is drawn from it.
    """
    rng = np.random.default_rng(seed)
    kind = type(keras.initializers.get(initializer))
    for variable in model.weights:
        if "kernel" in variable.name:
            variable.assign(kind(seed=int(rng.integers(2**31)))(variable.shape, variable.dtype))

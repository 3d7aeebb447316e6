from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_art.networks import resnets


def test_resnet20_has_the_papers_size_and_three_sizes_of_maps():
    model = resnets.resnet20(32)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len([layer for layer in convolutions if layer.kernel_size == (3, 3)]) == 19
    # Table 6 of He et al. 2016 says 0.27 million, a head of ten classes included.
    assert round((model.count_params() + 65 * 10) / 1e6, 2) == 0.27
    assert model.output.shape == (None, 8, 8, 64)
    assert {layer.output.shape[1] for layer in convolutions} == {32, 16, 8}
    assert not any(layer.use_bias for layer in convolutions)


def test_resnet20s_batch_normalisation_has_the_momentum_asked_for():
    model = resnets.resnet20(16, 0.8)
    momenta = {layer.momentum for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert momenta == {0.8}


@pytest.mark.parametrize("initializer", ["glorot_uniform", "he_uniform"])
def test_kernels_are_drawn_within_their_bounds_and_other_weights_are_not(initializer):
    model = resnets.resnet20(16)
    before = {v.path: keras.ops.convert_to_numpy(v) for v in model.weights}
    resnets.draw_kernels(model, initializer, 1)
    for variable in model.weights:
        now = keras.ops.convert_to_numpy(variable)
        if "kernel" not in variable.path:
            np.testing.assert_array_equal(now, before[variable.path])
            continue
        field, fan_in, fan_out = np.prod(now.shape[:2]), now.shape[2], now.shape[3]
        fans = {"glorot_uniform": field * (fan_in + fan_out) / 2, "he_uniform": field * fan_in / 2}
        bound = np.sqrt(3 / fans[initializer])
        assert 0.9 * bound < abs(now).max() <= bound, variable.path


def test_kernels_are_decided_by_the_seed_and_no_two_are_alike():
    first, again, other = resnets.resnet20(16), resnets.resnet20(16), resnets.resnet20(16)
    for model, seed in ((first, 3), (again, 3), (other, 4)):
        resnets.draw_kernels(model, "glorot_normal", seed)
    a, b, c = ([w for w in model.get_weights() if w.ndim == 4] for model in (first, again, other))
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert not any(np.array_equal(x, y) for x, y in zip(a, c, strict=True))
    same_shape = [w for w in a if w.shape == (3, 3, 16, 16)]
    assert not np.array_equal(same_shape[0], same_shape[1])

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_art.networks.gradients import grad_cam, gradients


def head() -> keras.Model:
    """Maps of two channels, averaged, and a vector that nothing reads -> a softmax over two classes."""
    maps, unread = keras.Input((2, 3, 2)), keras.Input((4,))
    means = keras.layers.GlobalAveragePooling2D()(maps)
    says = keras.layers.Dense(2, "softmax", name="says")
    model = keras.Model([maps, unread], says(means))
    says.set_weights([np.array([[1, -1], [0.5, 2]], "float32"), np.zeros(2, "float32")])
    return model


def test_grad_cam_is_the_longhand_of_the_paper():
    rng = np.random.default_rng(0)
    maps, unread, labels = rng.normal(size=(4, 2, 3, 2)).astype("float32"), np.ones((4, 4), "float32"), [0, 1, 1, 0]
    kernel = np.array([[1, -1], [0.5, 2]])
    scores = np.exp(maps.mean((1, 2)) @ kernel)
    shares = scores / scores.sum(1, keepdims=True)
    slopes = (np.eye(2)[labels] - shares) @ kernel.T / 6  # of log softmax, at each of six positions
    of_maps, of_unread = gradients(head(), [maps, unread], np.array(labels))
    np.testing.assert_allclose(of_maps, np.broadcast_to(slopes[:, None, None], maps.shape), atol=1e-6)
    assert not of_unread.any()
    (found,) = grad_cam(head(), [maps, unread], np.array(labels))
    np.testing.assert_allclose(found, np.maximum((maps * slopes[:, None, None]).sum(3), 0), atol=1e-6)
    assert found.any()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_gradients_are_the_same_elsewhere(backend: str):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    test = f"{__file__}::test_grad_cam_is_the_longhand_of_the_paper"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    environment = os.environ | {"KERAS_BACKEND": backend}
    run = subprocess.run(command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr

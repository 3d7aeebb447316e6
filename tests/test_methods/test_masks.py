from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_art.errors import UserError
from keras_art.methods.tickets import masks
from keras_art.store.tickets import emptied, share_pruned
from keras_art.study.kinds.tickets import sparsity

SHAPES = {"a/kernel": (3, 3, 4, 8), "b/kernel": (5, 40), "c/kernel": (1, 1, 30, 10)}
RESNET50 = 23_454_912  # kernels of its convolutions


def network(seed=0, scales=(1.0, 1.0, 1.0)):
    """Kernels of normal weights, one scale each."""
    rng = np.random.default_rng(seed)
    return {p: (s * rng.normal(size=n)).astype("float32") for (p, n), s in zip(SHAPES.items(), scales, strict=True)}


def everything():
    return {path: np.ones(shape, bool) for path, shape in SHAPES.items()}


def size(some):
    return sum(array.size for array in some.values())


def test_the_ladder_is_the_papers():
    assert [round(sparsity(stage, 0.2), 3) for stage in (0, 1, 2, 13, 30)] == [0, 0.2, 0.36, 0.945, 0.999]


@pytest.mark.parametrize("n", [RESNET50, 270_256, 432])
def test_survivors_are_within_two_weights_of_the_exact_number(n):
    for stage in range(31):
        assert abs(masks.survivors(n, sparsity(stage, 0.2)) - n * 0.8**stage) <= (2 if n == RESNET50 else 1)


@pytest.mark.parametrize("stage", range(8))
def test_a_global_mask_keeps_the_largest_weights_of_all_kernels(stage):
    weights = network(scales=(1, 3, 0.3))
    mask = masks.magnitude_masks(weights, everything(), sparsity(stage, 0.4), "global")
    kept = np.concatenate([abs(weights[p])[m] for p, m in mask.items()])
    lost = np.concatenate([abs(weights[p])[~m] for p, m in mask.items()])
    assert kept.size == masks.survivors(size(weights), sparsity(stage, 0.4))
    assert not lost.size or lost.max() < kept.min()
    assert share_pruned(mask) == pytest.approx(sparsity(stage, 0.4), abs=1 / size(weights))


def test_a_layer_mask_keeps_the_share_of_each_kernel_and_its_largest_weights():
    weights = network(scales=(1, 3, 0.3))
    for path, mask in masks.magnitude_masks(weights, everything(), 0.73, "layer").items():
        assert abs(mask.sum() - 0.27 * mask.size) <= 1
        assert abs(weights[path])[~mask].max() < abs(weights[path])[mask].min()


def test_scopes_differ_where_layers_do():
    weights = network(scales=(1, 3, 0.03))
    layer, total = (masks.magnitude_masks(weights, everything(), 0.5, scope) for scope in ("layer", "global"))
    assert layer["c/kernel"].mean() == 0.5 and emptied(layer) == []
    assert total["b/kernel"].mean() > 0.7 and total["c/kernel"].mean() < 0.1


def test_a_kernel_that_lost_all_is_named():
    mask = masks.magnitude_masks(network(scales=(1, 1, 1e-6)), everything(), 0.6, "global")
    assert emptied(mask) == ["c/kernel"]


def test_large_negative_weights_are_kept():
    weights = network()
    weights["b/kernel"] -= 10
    mask = masks.magnitude_masks(weights, everything(), 0.6, "global")
    assert mask["b/kernel"].all()


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_masks_only_shrink_whatever_becomes_of_pruned_weights(scope):
    kept = everything()
    for stage in range(1, 12):
        deeper = masks.magnitude_masks(network(seed=stage), kept, sparsity(stage, 0.3), scope)
        assert all((deeper[p] <= kept[p]).all() for p in kept)
        kept = deeper


def test_weights_as_large_as_the_last_one_kept_are_kept():
    mask = masks.magnitude_masks({"k": np.float32([1, -2, 2, 2, 3])}, {"k": np.ones(5, bool)}, 0.6, "global")
    assert mask["k"].tolist() == [False, True, True, True, True]


def test_pruned_zeros_do_not_come_back_where_a_layer_is_all_zeros():
    kept = {"k": np.array([True, False, False, False])}
    assert masks.magnitude_masks({"k": np.zeros(4, "float32")}, kept, 0.5, "layer")["k"].sum() == 1


def test_a_shuffled_mask_keeps_as_many_of_each_kernel_elsewhere():
    mask = masks.magnitude_masks(network(), everything(), 0.5, "global")
    other = masks.shuffled(mask, 0)
    for path in mask:
        assert other[path].sum() == mask[path].sum() and (other[path] != mask[path]).any()
    assert all(np.array_equal(masks.shuffled(mask, 0)[p], other[p]) for p in mask)


def test_only_kernels_are_prunable_and_the_head_only_where_asked():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="one")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.DepthwiseConv2D(3, name="two")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(2, name="softmax")(x))
    assert [v.path for v in masks.prunable(model)] == ["one/kernel", "two/kernel"]
    assert [v.path for v in masks.prunable(model, head=True)][-1] == "softmax/kernel"


def test_more_stages_than_the_weights_last_are_refused():
    masks.check_stages(31, 0.2, "global", [(RESNET50,)])
    masks.check_stages(11, 0.5, "global", [(1024,)])
    with pytest.raises(UserError, match="1 to 11 stages"):
        masks.check_stages(12, 0.5, "global", [(1024,)])
    with pytest.raises(UserError, match="1 to 10 stages"):
        masks.check_stages(11, 0.5, "layer", [(512,), (512,)])
    with pytest.raises(UserError, match="1 to 256 stages"):
        masks.check_stages(257, 0.01, "global", [(RESNET50,)])


tensorflow_only = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="tensorflow-model-optimization knows TensorFlow's variables only"
)


@tensorflow_only
@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("rate", [0.2, 0.5])
@pytest.mark.parametrize("lost", ["zero", "as they were"])
def test_tensorflow_model_optimization_computes_the_same_masks(scope, rate, lost):
    from keras_art.methods.tickets import with_tfmot

    ours = theirs = everything()
    for stage in range(1, 10):
        weights = network(seed=stage, scales=(1, 3, 0.3))
        if lost == "zero":
            weights = {path: w * ours[path] for path, w in weights.items()}
        weights["b/kernel"] = weights["b/kernel"].round(1)  # ties
        ours = masks.magnitude_masks(weights, ours, sparsity(stage, rate), scope)
        theirs = with_tfmot.magnitude_masks(weights, theirs, sparsity(stage, rate), scope)
        for path in SHAPES:
            np.testing.assert_array_equal(ours[path], theirs[path])


@tensorflow_only
def test_counts_agree_with_tensorflow_model_optimizations_at_every_stage_of_a_resnet50():
    import tensorflow as tf

    for stage in range(31):
        share = sparsity(stage, 0.2)
        # The expression of `Pruning._update_mask`; sorting 31 times 23 million weights would take minutes.
        kept = tf.math.round(tf.cast(RESNET50, tf.float32) * (1 - tf.constant(share, tf.float32)))
        assert masks.survivors(RESNET50, share) == int(tf.cast(tf.maximum(kept, 1), tf.int32))


@pytest.mark.parametrize("n", [RESNET50, 270_256, 432])
def test_of_what_is_left_as_many_are_kept_as_of_all(n):
    """Counts are products in float32; where that of those left were another, all would be sorted at every stage."""
    counts = [n]
    for stage in range(1, 31):
        counts.append(masks.survivors(n, sparsity(stage, 0.2)))
        assert masks.survivors(counts[-2], 1 - counts[-1] / counts[-2]) == counts[-1]


@pytest.mark.slow
@tensorflow_only
def test_importing_tensorflow_model_optimization_leaves_no_trace():
    script = """
import os, sys
import keras
from keras_art.methods.tickets import with_tfmot
with_tfmot._modules()
assert "TF_USE_LEGACY_KERAS" not in os.environ
import tensorflow as tf
assert tf.keras.__version__.startswith("3."), tf.keras.__version__
try:
    import keras_cv
except ImportError:
    sys.exit(0)
from keras_cv.src.backend import config
assert config.keras_3()
"""
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, stderr=subprocess.DEVNULL)

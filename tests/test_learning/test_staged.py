"""Training in stages."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_art.errors import UserError
from keras_art.learning import staged
from keras_art.learning.staged import Plateau, Stage
from keras_art.learning.training import make_optimizer
from keras_art.networks.losses import MultiTask, Term
from keras_art.pictures.pipeline import Batches
from keras_art.study.config import Optimizer

RNG = np.random.default_rng(0)
PIXELS = RNG.normal(size=(24, 8, 8, 3)).astype("float32")
LABELS = RNG.integers(0, 2, (24, 1))


def models():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="block1_conv")(inputs)
    x = keras.layers.BatchNormalization(name="block1_bn")(x)
    x = keras.layers.Conv2D(4, 3, name="block2_conv")(x)
    backbone = keras.Model(inputs, x, name="tiny")
    pixels = keras.Input((8, 8, 3))
    x = keras.layers.Dropout(0.5, seed=3)(keras.layers.GlobalAveragePooling2D()(backbone(pixels)))
    outputs = {"style": keras.layers.Dense(2, "softmax", name="head")(x)}
    return MultiTask(pixels, outputs, [Term("style", 0)]), backbone


def fit(folder, stages, stop=None, **how):
    model, backbone = models()
    optimizers = []

    def compile_at(rate):
        model.compile(keras.optimizers.Adam(rate))
        optimizers.append(model.optimizer)

    def on_epoch(epoch, logs):
        if epoch == stop:
            raise KeyboardInterrupt

    rows = np.arange(24)
    train = Batches(PIXELS, rows[:16], LABELS[:16], 4, seed=0)
    val = Batches(PIXELS, rows[16:], LABELS[16:], 4)
    schedule = staged.Schedule(stages, compile_at, **how)
    history, _ = staged.fit(model, backbone, train, val, schedule=schedule, folder=folder, on_epoch=on_epoch)
    return model, backbone, history, optimizers


def weights(model):
    return {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.weights}


def moved(before, after):
    return {path.split("/")[-2] for path in before if not np.array_equal(before[path], after[path])}


def test_freeze_lets_only_the_named_blocks_learn():
    _, backbone = models()
    staged.freeze(backbone, ("block2",))
    assert [layer.trainable for layer in backbone.layers[1:]] == [False, False, True]
    staged.freeze(backbone, ("",))
    assert all(layer.trainable for layer in backbone.layers)
    staged.freeze(backbone, ())
    assert backbone.trainable_variables == []


def test_an_unknown_block_names_the_blocks_there_are():
    with pytest.raises(UserError, match=r"no layers called block7.*block1, block2"):
        staged.freeze(models()[1], ("block7",))


def test_stages_train_what_they_say_and_nothing_else(tmp_path):
    start = weights(models()[0])
    frozen, *_ = fit(tmp_path / "a", [Stage(1, 0.1)])
    assert moved(start, weights(frozen)) == {"head"}
    half, *_ = fit(tmp_path / "b", [Stage(1, 0.1, ("block2",))])
    assert moved(start, weights(half)) == {"head", "block2_conv"}
    whole, *_ = fit(tmp_path / "c", [Stage(1, 0.1, ("",))])
    assert moved(start, weights(whole)) == {"head", "block1_conv", "block1_bn", "block2_conv"}


def test_each_stage_has_a_fresh_optimizer_of_its_own_rate(tmp_path):
    _, _, history, optimizers = fit(tmp_path, [Stage(2, 0.1), Stage(3, 0.01, ("",))])
    assert len(optimizers) == 2
    assert optimizers[0] is not optimizers[1]
    assert int(optimizers[1].iterations) == 3 * 4  # of its own stage alone
    assert len(optimizers[1].variables) > len(optimizers[0].variables)
    assert history["stage"].tolist() == [1, 1, 2, 2, 2]
    np.testing.assert_allclose(history["learning_rate"], [0.1, 0.1, 0.01, 0.01, 0.01], rtol=1e-5)


def test_the_best_epoch_of_all_stages_is_what_remains(tmp_path):
    model, _, history, _ = fit(tmp_path, [Stage(2, 0.01), Stage(2, 5.0, ("",))])
    best = history["val_loss"].idxmin()
    assert best < 2  # a rate of 5 ruins it
    model.compile(keras.optimizers.SGD(0.0))
    found = model.evaluate(PIXELS[16:], LABELS[16:], verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(history["val_loss"][best], rel=1e-4)


@pytest.mark.usefixtures("every_epoch_kept")
@pytest.mark.parametrize("stop", [1, 2, 4])
def test_a_resumed_training_ends_with_the_same_numbers(tmp_path, stop):
    stages = [Stage(2, 0.05), Stage(3, 0.01, ("",))]
    plateau = Plateau(0.5, 1)
    straight, _, expected, _ = fit(tmp_path / "straight", stages, plateau=plateau)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "stopped", stages, stop=stop, plateau=plateau)
    resumed, _, history, _ = fit(tmp_path / "stopped", stages, plateau=plateau)
    assert len(history) == 5
    for column in ("loss", "val_loss", "learning_rate"):
        np.testing.assert_allclose(history[column], expected[column], rtol=1e-5)
    for path, value in weights(straight).items():
        np.testing.assert_allclose(weights(resumed)[path], value, atol=1e-6)


def test_a_plateau_counts_relative_improvements_and_starts_over():
    plateau = Plateau(0.1, 2)
    assert plateau.reductions([1.0, 0.9, 0.8]) == 0
    assert plateau.reductions([1.0, 1.0, 1.0]) == 1
    assert plateau.reductions([1.0, 0.99995, 0.99995]) == 1  # less than a ten-thousandth is none
    assert plateau.reductions([1.0, 1.1, 1.1, 1.1, 1.1]) == 2
    assert plateau.reductions([1.0, 1.1, 0.9, 1.1]) == 0


def test_the_learning_rate_falls_on_a_plateau(tmp_path):
    _, _, history, _ = fit(tmp_path, [Stage(4, 1e-9)], plateau=Plateau(0.5, 1))
    np.testing.assert_allclose(history["learning_rate"], [1e-9, 1e-9, 5e-10, 2.5e-10], rtol=1e-4)


def test_the_rate_that_is_told_of_an_epoch_is_the_one_it_was_trained_at(tmp_path):
    model, backbone = models()
    train = Batches(PIXELS, np.arange(16), LABELS[:16], 4, seed=0)
    falling = Optimizer("Adam", 0.1, drops=(1, 2))
    schedule = staged.Schedule([Stage(3, 0.1)], lambda rate: model.compile(make_optimizer(falling, steps=4)))
    history, _ = staged.fit(model, backbone, train, train, schedule=schedule, folder=tmp_path)
    np.testing.assert_allclose(history["learning_rate"], [0.1, 0.01, 0.001], rtol=1e-5)


def test_a_stage_from_a_layer_on_is_of_all_that_a_picture_goes_through_after_it():
    within = keras.Sequential([keras.layers.Conv2D(4, 1, name="one"), keras.layers.Conv2D(4, 1, name="two")], name="in")
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.BatchNormalization(name="norm")(within(keras.layers.Conv2D(3, 1, name="stem")(inputs)))
    backbone = keras.Model(inputs, x)
    for first, learn in (("in/two", ["two", "norm"]), ("norm", ["norm"]), ("stem", ["stem", "one", "two", "norm"])):
        staged.thaw(backbone, Stage(1, 0.1, first=first))
        assert list(dict.fromkeys(v.path.split("/")[-2] for v in backbone.trainable_variables)) == learn
        staged.thaw(backbone, Stage(1, 0.1, ("",)))
        assert len(backbone.trainable_variables) == 8
    assert Stage(1, 0.1, first="stem").thaws and Stage(1, 0.1, ("",)).thaws and not Stage(1, 0.1).thaws


def test_training_that_diverges_stops_and_says_so(tmp_path):
    model, backbone = models()
    train = Batches(PIXELS * np.float32("nan"), np.arange(16), LABELS[:16], 4, seed=0)
    stages = [Stage(2, 0.1), Stage(2, 0.1, ("",))]
    schedule = staged.Schedule(stages, lambda rate: model.compile(keras.optimizers.Adam(rate)))
    history, finite = staged.fit(model, backbone, train, train, schedule=schedule, folder=tmp_path)
    assert not finite
    assert len(history) == 1


def test_mixed_precision_scales_the_loss_and_lowers_its_rate_all_the_same(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        stages = [Stage(1, 1e-9), Stage(3, 1e-9, ("block2",))]  # batch statistics stand still
        _, _, history, optimizers = fit(tmp_path, stages, plateau=Plateau(0.5, 1))
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(history["loss"]).all()
    np.testing.assert_allclose(history["learning_rate"], [1e-9, 1e-9, 1e-9, 5e-10], rtol=1e-4)
    assert all(isinstance(each, keras.optimizers.LossScaleOptimizer) for each in optimizers)

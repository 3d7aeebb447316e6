from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

from keras_art.learning import keeping, training
from keras_art.networks.backbones import Backbone
from keras_art.networks.heads import softmax_classifier, softmax_head
from keras_art.pictures.pipeline import Batches

# What a child process can import: this file, the package, and all that this process can.
HERE = Path(__file__).parent
IMPORTS = os.pathsep.join([str(HERE), str(HERE.parent), str(HERE.parents[1]), *sys.path])
pytestmark = pytest.mark.usefixtures("every_epoch_kept")
N, VAL, CLASSES, BATCH = 41, 19, 3, 8

OPTIMIZERS = {
    "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.02),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.02),
}


@pytest.fixture(autouse=True)
def _same_precision_afterwards():
    yield
    keras.config.set_dtype_policy("float32")


def data(seed: int | None = 0) -> tuple[Batches, Batches]:
    """Noisy labels on five numbers: learnt for some epochs, overfitted after."""
    rng = np.random.default_rng(5)
    inputs = rng.normal(size=(N + VAL, 5)).astype("float32")
    labels = (inputs[:, :CLASSES] + rng.normal(0, 1, (N + VAL, CLASSES))).argmax(1)
    train, val = np.arange(N), np.arange(N, N + VAL)
    return Batches(inputs, train, labels[train], BATCH, seed), Batches(inputs, val, labels[val], BATCH)


def network(optimizer: str = "adam", learning_rate: float = 0.0) -> keras.Model:
    """Dense, batch normalisation, dropout, dense: every kind of state there is."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((5,))
    x = layers.BatchNormalization(momentum=0.8)(layers.Dense(16, "relu")(inputs))
    outputs = layers.Dense(CLASSES, "softmax", dtype="float32")(layers.Dropout(0.3)(x))
    model = keras.Model(inputs, outputs)
    made = OPTIMIZERS[optimizer]()
    if learning_rate:
        made.learning_rate = learning_rate
    training.compile_classifier(model, made)
    return model


def fit(model: keras.Model, folder: Path, **options) -> tuple[pd.DataFrame, bool]:
    train, val = data()
    return training.fit(model, train, val, folder=folder, **{"epochs": 6, "patience": 9, **options})


def state(model: keras.Model) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(v)) for v in (*model.variables, *model.optimizer.variables)]


def assert_same(ours: list[np.ndarray], theirs: list[np.ndarray]) -> None:
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def stop_after(epochs: int):
    def on_epoch(epoch: int, logs: dict[str, float]) -> None:
        if epoch == epochs:
            raise KeyboardInterrupt

    return on_epoch


# What training does


def test_history_has_an_epoch_a_row_and_lies_beside_the_run(tmp_path):
    history, finite = fit(network(), tmp_path, epochs=3)
    assert finite
    assert list(history) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert history["epoch"].to_list() == [1, 2, 3]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "history.csv"), history)


def test_validation_is_that_of_the_whole_split(tmp_path):
    """19 images in batches of 8: the last batch counts for what it is."""
    model = network()
    history, _ = fit(model, tmp_path, epochs=2, restore_best=False)
    _, val = data()
    inputs, labels = val.gather(np.arange(VAL))
    probabilities = model.predict(inputs, verbose=0)
    last = history.iloc[-1]
    assert last["val_accuracy"] == pytest.approx(np.mean(probabilities.argmax(1) == labels), abs=1e-6)
    assert last["val_loss"] == pytest.approx(-np.log(probabilities[np.arange(VAL), labels]).mean(), rel=1e-4)


def test_training_learns(tmp_path):
    history, _ = fit(network(), tmp_path, epochs=8)
    assert history["loss"].iloc[-1] < 0.8 * history["loss"].iloc[0]


def test_on_epoch_is_told_every_epoch(tmp_path):
    told = []
    history, _ = fit(network(), tmp_path, epochs=3, on_epoch=lambda epoch, logs: told.append((epoch, logs["val_loss"])))
    assert told == list(zip([1, 2, 3], history["val_loss"], strict=True))


def from_where_it_stands() -> keras.callbacks.Callback:
    """Begins with the random state of now, as ours does: on PyTorch `fit` draws before its first batch."""
    if keras.config.backend() != "torch":
        return keras.callbacks.Callback()
    import torch

    states = [torch.get_rng_state()]
    return keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs=None: states and torch.set_rng_state(states.pop())
    )


@pytest.mark.parametrize("restore_best", [True, False])
@pytest.mark.parametrize("patience", [0, 1, 3])
def test_early_stopping_is_that_of_keras(tmp_path, patience, restore_best):
    epochs = 60
    ours = network()
    history, _ = fit(ours, tmp_path, epochs=epochs, patience=patience, restore_best=restore_best)
    theirs, (train, val) = network(), data()
    kept = theirs.fit(
        train.epochs(0, epochs),
        steps_per_epoch=len(train),
        epochs=epochs,
        validation_data=val.epochs(),
        callbacks=[
            keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=restore_best),
            from_where_it_stands(),
        ],
        shuffle=False,
        verbose=0,
    )
    assert len(history) < epochs
    assert history["val_loss"].to_list() == kept.history["val_loss"]
    assert_same(ours.get_weights(), theirs.get_weights())


def test_best_weights_are_those_of_the_smallest_validation_loss(tmp_path):
    model = network()
    history, _ = fit(model, tmp_path, epochs=60, patience=4)
    best = history["val_loss"].idxmin()
    assert best < len(history) - 1
    assert model.evaluate(data()[1].epochs(), verbose=0)[0] == pytest.approx(history["val_loss"][best], rel=1e-6)


def test_last_weights_are_kept_where_the_best_are_not_wanted(tmp_path):
    model = network()
    history, _ = fit(model, tmp_path, epochs=60, patience=4, restore_best=False)
    loss = model.evaluate(data()[1].epochs(), verbose=0)[0]
    assert loss == pytest.approx(history["val_loss"].iloc[-1], rel=1e-6)
    assert loss > history["val_loss"].min()


def picture_classifier(frozen: bool) -> tuple[keras.Model, keras.Model]:
    pixels = keras.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(pixels))
    backbone = Backbone(keras.Model(pixels, x, name="tiny"), "unit")
    backbone.model.trainable = not frozen
    model = softmax_classifier(backbone, CLASSES)
    training.compile_classifier(model, keras.optimizers.Adam(0.01))
    return model, backbone.model


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_backbone_stays_as_it_was_and_a_fine_tuned_one_does_not(tmp_path, frozen):
    model, backbone = picture_classifier(frozen)
    before, head = backbone.get_weights(), model.get_layer("softmax").get_weights()[0]
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (20, 8, 8, 3), dtype="uint8"), rng.integers(0, CLASSES, 20)
    batches = Batches(pixels, np.arange(20), labels, BATCH, 0)
    training.fit(model, batches, batches, folder=tmp_path, epochs=2, patience=5)
    assert [np.array_equal(a, b) for a, b in zip(before, backbone.get_weights(), strict=True)] == [frozen] * len(before)
    assert not np.array_equal(head, model.get_layer("softmax").get_weights()[0])


# Divergence


def test_divergence_is_said_and_stops_training(tmp_path):
    told = []
    history, finite = fit(
        network("momentum", 1e30), tmp_path, epochs=50, on_epoch=lambda epoch, logs: told.append(epoch)
    )
    assert not finite
    assert len(history) == len(told) < 5
    assert not np.isfinite(history[["loss", "val_loss"]].iloc[-1]).all()


def test_divergence_is_remembered(tmp_path):
    history, _ = fit(network("momentum", 1e30), tmp_path, epochs=50)
    again, finite = fit(network("momentum", 1e30), tmp_path, epochs=50, on_epoch=stop_after(len(history) + 1))
    assert not finite
    pd.testing.assert_frame_equal(again, history)


def test_a_long_epoch_that_diverges_is_not_carried_to_its_end(tmp_path):
    rows = np.arange(400)
    batches = Batches(np.full((400, 5), np.nan, "float32"), rows, rows % CLASSES, 4, 0)
    model = softmax_head(5, CLASSES)
    training.compile_classifier(model, keras.optimizers.SGD())
    _, finite = training.fit(model, batches, batches, folder=tmp_path, epochs=5, patience=5)
    assert not finite
    assert int(model.optimizer.iterations) < len(batches)


# Going on after a stop


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_stopped_after_every_epoch_ends_bit_for_bit_like_one_that_was_not(tmp_path, optimizer):
    straight = network(optimizer)
    history, _ = fit(straight, tmp_path / "straight", restore_best=False)
    for epoch in range(1, 7):
        with pytest.raises(KeyboardInterrupt):
            fit(network(optimizer), tmp_path / "stopped", restore_best=False, on_epoch=stop_after(epoch))
    resumed = network(optimizer)
    history_resumed, _ = fit(resumed, tmp_path / "stopped", restore_best=False)
    pd.testing.assert_frame_equal(history_resumed, history, check_exact=True)
    assert_same(state(resumed), state(straight))


def test_early_stopping_and_best_weights_survive_a_stop(tmp_path):
    straight = network()
    history, _ = fit(straight, tmp_path / "straight", epochs=60, patience=4)
    best = int(history["val_loss"].idxmin()) + 1
    for epoch in (best, best + 2):
        with pytest.raises(KeyboardInterrupt):
            fit(network(), tmp_path / "stopped", epochs=60, patience=4, on_epoch=stop_after(epoch))
    resumed = network()
    history_resumed, _ = fit(resumed, tmp_path / "stopped", epochs=60, patience=4)
    pd.testing.assert_frame_equal(history_resumed, history, check_exact=True)
    assert_same(resumed.get_weights(), straight.get_weights())


@pytest.mark.parametrize("name", ["epoch.npz", "best-1.npz"])
def test_a_damaged_checkpoint_is_told_and_training_begins_anew(tmp_path, name, capsys):
    straight = network()
    fit(straight, tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        fit(network(), tmp_path / "stopped", on_epoch=stop_after(2))
    path = tmp_path / "stopped" / "checkpoint" / name
    path.write_bytes(bytes(path.stat().st_size))
    resumed = network()
    fit(resumed, tmp_path / "stopped")
    assert f"{path} is damaged" in capsys.readouterr().err
    assert_same(resumed.get_weights(), straight.get_weights())


def test_a_process_without_memory_deletes_no_checkpoint(tmp_path, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        fit(network(), tmp_path, on_epoch=stop_after(2))

    def refused(*words):
        raise MemoryError

    monkeypatch.setattr(keeping, "read_arrays", refused)
    with pytest.raises(MemoryError):
        keeping.epochs_kept(tmp_path)
    monkeypatch.undo()
    assert len(keeping.epochs_kept(tmp_path)) == 1


def test_finished_training_is_not_trained_again(tmp_path):
    first = network()
    history, _ = fit(first, tmp_path, epochs=60, patience=2)
    again = network()
    history_again, _ = fit(again, tmp_path, epochs=60, patience=2, on_epoch=stop_after(len(history) + 1))
    pd.testing.assert_frame_equal(history_again, history)
    assert_same(again.get_weights(), first.get_weights())


def test_half_precision_resumes_with_its_loss_scale(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")

    def scaled() -> keras.Model:
        model = network()
        # The scale grows every four steps, six are an epoch.
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.02), 1.0, dynamic_growth_steps=4)
        training.compile_classifier(model, optimizer)
        return model

    straight = scaled()
    fit(straight, tmp_path / "straight", restore_best=False)
    assert float(straight.optimizer.dynamic_scale) == 2**9
    with pytest.raises(KeyboardInterrupt):
        fit(scaled(), tmp_path / "stopped", restore_best=False, on_epoch=stop_after(3))
    resumed = scaled()
    fit(resumed, tmp_path / "stopped", restore_best=False)
    assert_same(state(resumed), state(straight))


def test_only_the_best_and_the_last_epoch_are_kept(tmp_path):
    history, _ = fit(network(), tmp_path, epochs=60, patience=4)
    best = int(history["val_loss"].idxmin()) + 1
    assert sorted(path.name for path in (tmp_path / "checkpoint").iterdir()) == [f"best-{best}.npz", "epoch.npz"]


def test_epochs_are_kept_so_often_that_a_kill_costs_a_minute_at_most(tmp_path, monkeypatch):
    straight = network()
    history, _ = fit(straight, tmp_path / "straight", epochs=6)
    now = [0.0]
    kept = []
    write = keeping.write_arrays

    def counted(path, arrays):
        kept.append((len(pd.read_csv(tmp_path / "stopped/history.csv")), path.name))
        write(path, arrays)

    def epoch_done(epoch, logs):
        if epoch == stop:
            raise KeyboardInterrupt
        now[0] += 25.0

    monkeypatch.setattr(keeping, "APART", 60.0)
    monkeypatch.setattr(keeping.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(keeping, "write_arrays", counted)
    stop = 4
    with pytest.raises(KeyboardInterrupt):
        fit(network(), tmp_path / "stopped", epochs=6, on_epoch=epoch_done)
    # The third epoch would end at 75 seconds: what the second ended with is kept, and the best weights so far.
    best = int(history["val_loss"][:2].idxmin()) + 1
    assert kept == [(2, f"best-{best}.npz"), (2, "epoch.npz")]
    stop = 0
    resumed = network()
    history_resumed, _ = fit(resumed, tmp_path / "stopped", epochs=6, on_epoch=epoch_done)
    assert kept[-1] == (6, "epoch.npz")
    pd.testing.assert_frame_equal(history_resumed, history, check_exact=True)
    assert_same(resumed.get_weights(), straight.get_weights())


def test_the_history_of_short_epochs_is_written_once_a_second(tmp_path, monkeypatch):
    now, written, write = [0.0], [], keeping.write

    def counted(path, text):
        written.append(text.count("\n") - 1)
        write(path, text)

    def epoch_done(epoch, logs):
        now[0] += 0.4

    monkeypatch.setattr(keeping, "APART", 60.0)
    monkeypatch.setattr(keeping.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(keeping, "write", counted)
    history, _ = fit(network(), tmp_path, on_epoch=epoch_done)
    assert written == [3, 6] and len(history) == 6


def test_a_stop_between_best_weights_and_checkpoint_is_survived(tmp_path, monkeypatch):
    straight = network()
    history, _ = fit(straight, tmp_path / "straight")
    real, written = np.savez, []

    def savez(file, **arrays):
        written.append(Path(file.name).name.partition(".npz")[0])
        if written.count("epoch") == 2:
            raise KeyboardInterrupt
        real(file, **arrays)

    monkeypatch.setattr(np, "savez", savez)
    with pytest.raises(KeyboardInterrupt):
        fit(network(), tmp_path / "stopped")
    assert written[-2:] == ["best-2", "epoch"]
    monkeypatch.undo()
    resumed = network()
    history_resumed, _ = fit(resumed, tmp_path / "stopped")
    pd.testing.assert_frame_equal(history_resumed, history, check_exact=True)
    assert_same(state(resumed), state(straight))


def run_child(folder: Path, kill: str) -> int:
    """Runs this file as a program; returns how it ended, -9 if it was killed."""
    environment = {**os.environ, "PYTHONPATH": IMPORTS}
    return subprocess.run([sys.executable, __file__, folder, kill], env=environment, check=False).returncode


def child(folder: Path, kill: str) -> None:
    """Trains, and kills its own process in the middle of the second file of a kind, or in the middle of an epoch."""
    savez, gather = np.savez, Batches.gather
    batches, files = [], []

    def half_a_file(file, **arrays):
        files.append(Path(file.name).name.startswith(kill))
        if sum(files) == 2:
            file.write(b"PK half a file")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        savez(file, **arrays)

    def half_an_epoch(self, samples):
        batches.append(kill == "gather")
        if sum(batches) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return gather(self, samples)

    np.savez, Batches.gather, keeping.APART = half_a_file, half_an_epoch, 0.0
    training.make_deterministic(0)
    model = network()
    fit(model, folder, epochs=8)
    savez(folder / "state.npz", **{str(i): value for i, value in enumerate(state(model))})


def test_training_killed_again_and_again_ends_bit_for_bit_like_one_that_was_not(tmp_path):
    # Both in processes of their own: operations are deterministic in all of a process or in none of it.
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    straight.mkdir()
    killed.mkdir()
    assert run_child(straight, "nothing") == 0
    epochs_done = []
    for kill in ("best", "epoch", "gather"):
        assert run_child(killed, kill) == -signal.SIGKILL
        epochs_done.append(len(pd.read_csv(killed / "history.csv")))
    assert epochs_done[-1] < 8
    assert run_child(killed, "nothing") == 0
    with np.load(killed / "state.npz") as ended, np.load(straight / "state.npz") as undisturbed:
        assert_same([ended[name] for name in ended.files], [undisturbed[name] for name in undisturbed.files])
    assert (killed / "history.csv").read_text() == (straight / "history.csv").read_text()


def test_the_names_of_layers_are_those_of_a_new_process_and_the_precision_stays():
    names = []
    for _ in range(2):
        with training.precision("mixed_float16"):
            training.make_deterministic(0)
            made = layers.Dense(1)
        names.append(made.name)
        assert made.dtype_policy.name == "mixed_float16"
    assert names == ["dense", "dense"]


BRANCHES = """
import keras
import numpy as np
from keras_art.learning import keeping, training

training.make_deterministic(0)
model = keras.applications.InceptionV3(weights=None, input_shape=(75, 75, 3), classes=10)
training.compile_classifier(model, keras.optimizers.Adam(1e-3))
pixels = np.random.default_rng(0).uniform(-1, 1, (16, 75, 75, 3)).astype("float32")
print([float(model.train_on_batch(pixels, np.arange(16) % 10)[0]) for _ in range(4)])
"""


@pytest.mark.slow
def test_three_processes_train_a_network_of_many_branches_to_the_same_bits():
    if keras.config.backend() != "tensorflow":
        pytest.skip("the order of a graph's rewrites is TensorFlow's")
    losses = {subprocess.check_output([sys.executable, "-c", BRANCHES]) for _ in range(3)}
    assert len(losses) == 1


# Other backends

ON_A_BACKEND = """
import sys
sys.modules["tensorflow"] = None
from pathlib import Path
import keras
import numpy as np
import test_training as t

folder = Path(sys.argv[1])
rng = np.random.default_rng(0)
pixels, labels = rng.integers(0, 256, (21, 8, 8, 3), dtype="uint8"), rng.integers(0, t.CLASSES, 21)
train, val = (t.Batches(pixels, np.arange(21), labels, t.BATCH, seed) for seed in (0, None))

def fit(name, **options):
    t.training.make_deterministic(0)
    model, _ = t.picture_classifier(frozen=False)
    t.training.fit(model, train, val, folder=folder / name, epochs=2, patience=5, restore_best=False, **options)
    return model

straight = fit("straight")
try:
    fit("stopped", on_epoch=t.stop_after(1))
except KeyboardInterrupt:
    resumed = fit("stopped")
t.assert_same(t.state(resumed), t.state(straight))
resumed.save(folder / "model.keras")
loaded = keras.saving.load_model(folder / "model.keras", compile=False)
probabilities = loaded.predict(val.epochs(), verbose=0)
assert probabilities.shape == (21, t.CLASSES)
np.testing.assert_allclose(probabilities, straight.predict(pixels, verbose=0), atol=1e-6)
print(keras.config.backend())
"""


def run_on(backend: str, script: str, *arguments: Path) -> str:
    pytest.importorskip(backend)
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": IMPORTS}
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", script, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_classifier_is_trained_resumed_saved_and_loaded_on_another_backend(tmp_path, backend):
    assert run_on(backend, ON_A_BACKEND, tmp_path) == backend


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_model_saved_on_tensorflow_predicts_the_same_on_another_backend(tmp_path, backend):
    if keras.config.backend() != "tensorflow":
        pytest.skip("the tests run on another backend already")
    model, _ = picture_classifier(frozen=True)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype="uint8")
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "pixels.npy", pixels)
    script = """
import sys
import keras, numpy as np
import keras_art.networks.backbones
model = keras.saving.load_model(sys.argv[1] + "/model.keras", compile=False)
np.save(sys.argv[1] + "/predicted.npy", model.predict(np.load(sys.argv[1] + "/pixels.npy"), verbose=0))
"""
    run_on(backend, script, tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "predicted.npy"), model.predict(pixels, verbose=0), atol=1e-6)


if __name__ == "__main__":
    child(Path(sys.argv[1]), sys.argv[2])


def test_a_step_is_traced_once(tmp_path):
    traced = []

    class Counted(keras.Model):
        def compute_loss(self, *arguments, **options):
            traced.append(1)
            return super().compute_loss(*arguments, **options)

    inputs = keras.Input((5,))
    model = Counted(inputs, layers.Dense(CLASSES, "softmax")(inputs))
    training.compile_classifier(model, OPTIMIZERS["adam"]())
    fit(model, tmp_path, epochs=2)
    assert len(traced) == 2 or keras.config.backend() != "tensorflow"  # once for training, once for validation


def test_what_is_kept_of_a_training_is_not_copied_at_once(tmp_path):
    inputs = keras.Input((5,))
    hidden = inputs
    for _ in range(12):
        hidden = layers.Dense(400)(hidden)
    model = keras.Model(inputs, layers.Dense(CLASSES, "softmax")(hidden))
    training.compile_classifier(model, OPTIMIZERS["adam"]())
    model.optimizer.build(model.trainable_variables)
    keeper = keeping.Keeper(model, tmp_path, 1, True, lambda epoch, logs: None)
    tracemalloc.start()
    keeper._keep()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    arrays = np.load(tmp_path / "checkpoint/epoch.npz")
    assert peak < sum(arrays[name].nbytes for name in arrays) / 2


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="the other backends keep no graphs")
def test_a_graph_does_not_hold_the_calls_that_made_it():
    import tensorflow as tf

    training.make_deterministic(0)
    made = []
    dense = layers.Dense(2)

    @tf.function
    def traced(x):
        made.append(dense(x).op)

    traced(tf.ones((1, 3)))
    assert not [frame for frame in made[-1].traceback if "keras" in frame.filename]


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="the other backends keep no graphs")
def test_graphs_of_trainings_that_are_over_are_given_back(tmp_path):
    from tensorflow.python.framework.func_graph import FuncGraph

    def graphs() -> int:
        training.make_deterministic(0)
        gc.collect()
        return sum(isinstance(found, FuncGraph) for found in gc.get_objects())

    before = graphs()
    for run in range(2):
        fit(network(), tmp_path / f"{run}", epochs=1)
    assert graphs() <= before

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_art.methods.adain.training import Pairs
from keras_art.pictures import pipeline as pipeline_
from keras_art.pictures.augmentation import in_pipeline
from keras_art.pictures.pipeline import Batches, Crops, Windows
from reproductions.st_saclf.masks import Masked

BATCH = 4
N = 2 * BATCH + 1


def make(seed: int | None = 0, stored: int = 20, n: int = N) -> Batches:
    """`n` rows out of `stored`; an input is its row's number, twice, and its label the row's number in hundreds."""
    rows = np.random.default_rng(7).permutation(stored)[:n]
    inputs = np.repeat(np.arange(stored, dtype="float32")[:, None], 2, axis=1)
    return Batches(inputs, rows, 100 * rows, BATCH, seed)


def collect(source) -> list[tuple[np.ndarray, np.ndarray]]:
    """The batches of a tf.data pipeline or a PyDataset as arrays."""
    batches = [source[i] for i in range(len(source))] if isinstance(source, keras.utils.PyDataset) else source
    return [(np.asarray(x), np.asarray(y)) for x, y in batches]


def rows_of(source) -> list[int]:
    return np.concatenate([x[:, 0] for x, _ in collect(source)]).astype(int).tolist()


def feed(monkeypatch, form: str) -> None:
    """Batches are fed in that form, whichever backend runs."""
    if form == "tf.data":
        pytest.importorskip("tensorflow")
    monkeypatch.setattr(keras.config, "backend", lambda: "tensorflow" if form == "tf.data" else "jax")


@pytest.fixture(params=["tf.data", "PyDataset"])
def pipeline(request, monkeypatch) -> str:
    feed(monkeypatch, request.param)
    return request.param


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("n", [1, BATCH, N])
def test_every_sample_comes_once_in_an_epoch(pipeline, n, seed):
    batches = make(seed, n=n)
    assert sorted(rows_of(batches.epochs(5, 6))) == sorted(batches.rows)


def test_the_last_batch_is_the_smaller_one(pipeline):
    sizes = [len(y) for _, y in collect(make().epochs(0, 2))]
    assert sizes == [BATCH, BATCH, 1] * 2
    assert len(make()) == 3


def test_length_counts_all_batches_of_all_epochs(pipeline):
    assert len(make().epochs(2, 5)) == 9


def test_labels_stay_with_their_inputs(pipeline):
    for x, y in collect(make().epochs(0, 3)):
        np.testing.assert_array_equal(100 * x[:, 0], y)


def test_types_and_shapes_are_kept(pipeline):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype="uint8")
    (x, y), *_ = collect(Batches(pixels, np.arange(5), np.zeros(5), BATCH).epochs())
    assert (x.dtype, x.shape, y.dtype, y.shape) == ("uint8", (BATCH, 8, 8, 3), "int32", (BATCH,))


def test_without_a_seed_the_order_is_kept(pipeline):
    batches = make(seed=None)
    assert rows_of(batches.epochs(0, 2)) == [*batches.rows, *batches.rows]


def test_seed_and_epoch_alone_decide_the_order(pipeline):
    order = rows_of(make(seed=1).epochs(4, 5))
    np.random.default_rng(0).random(3)
    keras.utils.set_random_seed(5)
    assert rows_of(make(seed=1).epochs(4, 5)) == order
    assert rows_of(make(seed=1).epochs(5, 6)) != order
    assert rows_of(make(seed=2).epochs(4, 5)) != order


def test_later_epochs_continue_where_a_fresh_start_would_be(pipeline):
    whole = collect(make().epochs(0, 6))
    for first in range(6):
        rest = collect(make().epochs(first, 6))
        for (x, y), (x_whole, y_whole) in zip(rest, whole[3 * first :], strict=True):
            np.testing.assert_array_equal(x, x_whole)
            np.testing.assert_array_equal(y, y_whole)


def test_a_pipeline_can_be_read_again(pipeline):
    source = make().epochs(0, 2)
    assert rows_of(source) == rows_of(source)


def test_python_gathers_a_small_epoch_in_one_call_and_a_large_one_batch_by_batch(monkeypatch):
    feed(monkeypatch, "tf.data")
    sizes, gather = [], Batches.gather
    monkeypatch.setattr(Batches, "gather", lambda self, samples: [sizes.append(len(samples)), gather(self, samples)][1])
    small = collect(make().epochs(1, 4))
    assert sizes == [N] * 3
    sizes.clear()
    validation = make().epochs(1, 2)
    assert rows_of(validation) == rows_of(validation) and sizes == [N]
    sizes.clear()
    monkeypatch.setattr(pipeline_, "AT_ONCE", 0)
    large = collect(make().epochs(1, 4))
    assert sizes == [BATCH, BATCH, 1] * 3
    for ours, theirs in zip(small, large, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


PIXELS = np.random.default_rng(1).integers(0, 256, (12, 6, 6, 3), dtype="uint8")
ROWS, LABELS = np.arange(N) + 2, np.arange(N) % 3
KINDS = {
    "in order": lambda: make(None),
    "shuffled": lambda: make(3),
    "one batch and no more": lambda: make(3, n=BATCH),
    "a picture": lambda: make(3, n=1),
    "labels of two tasks": lambda: Batches(PIXELS, ROWS, np.stack([LABELS, LABELS[::-1]], axis=1), BATCH, 3),
    "targets": lambda: Batches(PIXELS, ROWS, np.eye(3)[LABELS], BATCH, 3),
    "windows": lambda: Windows(PIXELS, ROWS, LABELS, BATCH, 3),
    "squares": lambda: Crops(PIXELS, ROWS, LABELS, BATCH, 3, side=4),
    "middle squares": lambda: Crops(PIXELS, ROWS, LABELS, BATCH, side=4),
    "masks": lambda: Masked(PIXELS, ROWS, LABELS, BATCH, 3, masks=np.where(LABELS == 1, -1, 0)),
    "pairs": lambda: Pairs(PIXELS, ROWS, LABELS, BATCH, 3, length=2),
}


@pytest.mark.parametrize("kind", KINDS)
def test_both_forms_have_the_same_batches_in_the_same_order(kind, monkeypatch):
    found = {}
    for form in ("tf.data", "PyDataset"):
        feed(monkeypatch, form)
        source = KINDS[kind]()
        found[form] = [*collect(source.epochs(1, 4)), *collect(source.steps(2, 5))]
    assert isinstance(source.epochs(), keras.utils.PyDataset)
    for ours, theirs in zip(found["PyDataset"], found["tf.data"], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype


def test_both_forms_change_pictures_in_the_same_way(monkeypatch):
    found = {}
    for form in ("tf.data", "PyDataset"):
        feed(monkeypatch, form)
        augment = in_pipeline("tf_data", 3, 6)
        found[form] = collect(Batches(PIXELS, ROWS, LABELS, BATCH, 3, augment).epochs(1, 3))
    for (ours, labels), (theirs, same) in zip(found["PyDataset"], found["tf.data"], strict=True):
        assert ours.dtype == theirs.dtype == np.uint8
        assert np.abs(ours.astype(int) - theirs).max() <= 1 and (ours != theirs).mean() < 1e-3
        np.testing.assert_array_equal(labels, same)


def test_model_fit_sees_every_epoch_in_its_own_order(pipeline, monkeypatch):
    """Keras keeps one iterator through all epochs; it must neither start over nor run out."""
    seen: list[int] = []

    class Listening(Batches):
        def gather(self, samples):
            seen.extend(self.rows[samples])
            return super().gather(samples)

    batches = make()
    source = Listening(batches.inputs, batches.rows, batches.labels, BATCH, batches.seed).epochs(2, 5)
    expected = rows_of(batches.epochs(2, 5))
    monkeypatch.undo()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(source, steps_per_epoch=3, initial_epoch=2, epochs=5, shuffle=False, verbose=0)
    # Keras looks at some batches before it starts and after it ends.
    assert any(seen[i : i + len(expected)] == expected for i in range(len(seen)))


def test_a_memory_map_larger_than_memory_is_read_by_rows(pipeline, tmp_path: Path):
    try:
        stored = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", "uint8", (10**6, 1024, 1024))  # 1 TB, sparse
    except OSError as error:
        pytest.skip(f"no sparse files here: {error}")
    rows = np.array([0, 999_999, 123_456])
    for row in rows:
        stored[row, 5, 7] = row % 251
    (x, _), *_ = collect(Batches(stored, rows, rows, BATCH).epochs())
    np.testing.assert_array_equal(x[:, 5, 7], rows % 251)
    assert type(x) is np.ndarray


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_pipeline_works_in_a_process_without_tensorflow(backend):
    pytest.importorskip(backend)
    script = """
import sys
import tempfile
sys.modules["tensorflow"] = None
import numpy as np
from keras_art.pictures.pipeline import Batches
source = Batches(np.arange(9.0), np.arange(9), np.arange(9), 4, 0).epochs(0, 2)
print(*[int(label) for i in range(len(source)) for label in source[i][1]])
"""
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, check=True)
    batches = Batches(np.arange(9.0), np.arange(9), np.arange(9), 4, 0)
    assert [int(word) for word in done.stdout.split()] == [*batches.order(0), *batches.order(1)]


def test_nothing_is_left_to_a_tuner_that_may_sleep_through_the_end(monkeypatch):
    feed(monkeypatch, "tf.data")
    assert make().epochs().options().autotune.enabled is False


def squares(seed: int | None, n: int = N) -> Crops:
    """Images of 6 x 8 whose pixels say which image, row and column they are; squares of 4."""
    image, y, x = np.meshgrid(np.arange(12), np.arange(6), np.arange(8), indexing="ij")
    return Crops(
        np.stack([image, y, x], axis=-1).astype("uint8"), np.arange(n), 100 * np.arange(n), BATCH, seed, side=4
    )


def test_crops_are_squares_cut_from_their_own_image(pipeline):
    batches = collect(squares(0).epochs(2, 3))
    assert [x.shape for x, _ in batches] == [(BATCH, 4, 4, 3), (BATCH, 4, 4, 3), (1, 4, 4, 3)]
    for crops, labels in batches:
        for crop, label in zip(crops, labels, strict=True):
            assert (crop[..., 0] == label // 100).all()
            assert (crop[..., 1] == crop[:1, :1, 1] + np.arange(4)[:, None]).all()
            assert (crop[..., 2] == crop[:1, :1, 2] + np.arange(4)).all()


def test_crops_without_a_seed_are_the_middle():
    for crops, _ in collect(squares(None).epochs()):
        assert (crops[:, 0, 0, 1:] == [1, 2]).all()


def test_crops_move_with_the_epoch_and_reach_every_place():
    def corners(epoch):
        crops, _ = squares(5).gather(squares(5).order(epoch))
        return [tuple(crop[0, 0].tolist()) for crop in crops]

    assert sorted(corners(1)) == sorted(corners(1)) and corners(1) != corners(2)
    places = {corner[1:] for epoch in range(60) for corner in corners(epoch)}
    assert places == {(y, x) for y in range(3) for x in range(5)}


@pytest.mark.parametrize("n", [8, 9, 11])
def test_windows_go_round_as_the_code_of_2018_does(n):
    """Its generator, written down as a list of slices: whole batches, then one that reaches back to end one later."""
    rows = np.arange(n)
    windows = Windows(np.zeros((n, 1), "float32"), rows, rows, BATCH, 0)
    once = Batches(windows.inputs, rows, rows, BATCH, 0).order(0)
    whole = n // BATCH
    cycle = [once[i * BATCH : (i + 1) * BATCH] for i in range(whole)]
    cycle.append(once[(whole - 1) * BATCH + 1 : whole * BATCH + 1])
    assert len(windows) == whole
    taken = [windows.step(step)[1] for step in range(3 * (whole + 1))]
    for step, found in enumerate(taken):
        assert set(found) == set(cycle[step % (whole + 1)]) and len(found) == BATCH
    seen = set(np.concatenate(taken))
    assert len(seen) == min(n, whole * BATCH + 1)  # and so the images left over are one at most


def test_windows_of_fewer_images_than_a_batch_are_one():
    rows = np.arange(3)
    windows = Windows(np.zeros((3, 1), "float32"), rows, rows, BATCH, 0)
    assert len(windows) == 1 and sorted(windows.step(0)[1]) == [0, 1, 2]


def test_batches_leave_no_file_in_the_temporary_folder(tmp_path, monkeypatch):
    tf = pytest.importorskip("tensorflow")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # What TensorFlow would rewrite as a file that only a process which ends by itself takes away: its source is new.
    source = tmp_path / "augmented.py"
    source.write_text("def augment(images, seed):\n    return images + seed[0] * 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    augment = importlib.import_module("augmented").augment
    inputs = np.zeros((20, 2), np.int64)
    batches = Batches(inputs, np.arange(N), np.arange(N), BATCH, 0, augment)
    assert len(collect(batches.epochs())) == len(collect(batches.steps(0, len(batches)))) == len(batches)
    assert [path for path in sorted(tmp_path.iterdir()) if path.suffix == ".py"] == [source], tf.__version__

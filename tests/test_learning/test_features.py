from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_art.learning import features
from keras_art.learning.features import cached_features
from keras_art.networks.backbones import Backbone
from keras_art.networks.heads import feature_extractor

SIZE, WIDTH, STORED = 8, 4, 23


def tiny() -> Backbone:
    pixels = keras.Input((SIZE, SIZE, 3))
    maps = keras.layers.Conv2D(WIDTH, 3, 2, activation="relu", kernel_initializer=keras.initializers.HeUniform(0))
    return Backbone(keras.Model(pixels, maps(pixels), name="tiny"), "unit")


def never() -> Backbone:
    raise AssertionError("nothing is missing, yet the network is built")


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (STORED, SIZE, SIZE, 3), dtype="uint8")


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(features, "FEATURES", 8)


def names(rows) -> list[str]:
    return [f"sha{row}" for row in rows]


def ask(folder: Path, pixels, rows, build=tiny, **more) -> np.ndarray:
    """The features of some rows, in their order."""
    rows = np.asarray(rows)
    stored, places = cached_features(folder, build, pixels, rows, names(rows), batch_size=5, **more)
    return np.asarray(stored[places])


def expected(pixels, rows) -> np.ndarray:
    return feature_extractor(tiny()).predict(pixels[np.asarray(rows)], verbose=0)


def test_cached_features_are_what_the_network_says(tmp_path, pixels, small_chunks):
    rows = np.random.default_rng(1).permutation(STORED)
    np.testing.assert_allclose(ask(tmp_path, pixels, rows), expected(pixels, rows), atol=1e-6)


def test_result_is_a_read_only_memory_map_of_float32(tmp_path, pixels):
    stored, places = cached_features(tmp_path, tiny, pixels, np.arange(3), names(range(3)))
    assert isinstance(stored, np.memmap)
    assert (stored.dtype, stored.shape, len(places)) == ("float32", (3, WIDTH), 3)
    assert not stored.flags.writeable


def test_asking_again_extracts_nothing(tmp_path, pixels):
    first = ask(tmp_path, pixels, range(STORED))
    again = ask(tmp_path, pixels, range(STORED - 1, -1, -1), never)
    np.testing.assert_array_equal(again[::-1], first)


def test_a_part_of_what_is_cached_extracts_nothing(tmp_path, pixels):
    first = ask(tmp_path, pixels, range(STORED))
    np.testing.assert_array_equal(ask(tmp_path, pixels, [7, 2], never), first[[7, 2]])


def test_only_new_images_are_extracted(tmp_path, pixels):
    ask(tmp_path, pixels, range(10))
    told = []
    both = ask(tmp_path, pixels, range(12), progress=lambda *counts: told.append(counts))
    np.testing.assert_allclose(both, expected(pixels, range(12)), atol=1e-6)
    assert told == [(2, 2)]


def test_the_same_image_twice_is_extracted_once(tmp_path, pixels):
    told = []
    found = ask(tmp_path, pixels, [3, 5, 3, 3], progress=lambda *counts: told.append(counts))
    np.testing.assert_allclose(found, expected(pixels, [3, 5, 3, 3]), atol=1e-6)
    assert told == [(2, 2)]


def test_an_image_is_known_by_its_content_not_by_its_row(tmp_path, pixels):
    first = ask(tmp_path, pixels, [4])
    stored, places = cached_features(tmp_path, never, pixels, np.array([0]), ["sha4"])
    np.testing.assert_array_equal(stored[places], first)


def test_every_image_is_extracted_once(tmp_path, pixels, small_chunks):
    """23 images in chunks of 8 and batches of 5: the last of each is a smaller one."""
    told = []
    ask(tmp_path, pixels, range(STORED), progress=lambda *counts: told.append(counts))
    assert told == [(8, STORED), (16, STORED), (STORED, STORED)]
    assert (tmp_path / "rows.bin").stat().st_size == 4 * WIDTH * STORED


@pytest.mark.parametrize("chunks", [1, 2])
def test_a_stopped_extraction_goes_on_where_it_was(tmp_path, pixels, small_chunks, chunks):
    def stop(done: int, all: int) -> None:
        if done >= 8 * chunks:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(tmp_path, pixels, range(STORED), progress=stop)
    told = []
    found = ask(tmp_path, pixels, range(STORED), progress=lambda *counts: told.append(counts))
    np.testing.assert_allclose(found, expected(pixels, range(STORED)), atol=1e-6)
    assert told[-1] == (STORED - 8 * chunks, STORED - 8 * chunks)


@pytest.mark.parametrize("bytes_more", [1, 4 * WIDTH * 5 + 2, 4 * WIDTH * 100])
def test_bytes_beyond_the_index_are_overwritten(tmp_path, pixels, bytes_more):
    """What an extraction leaves that was killed between writing its rows and its index."""
    ask(tmp_path, pixels, range(6))
    with (tmp_path / "rows.bin").open("ab") as file:
        file.write(b"\xff" * bytes_more)
    np.testing.assert_allclose(ask(tmp_path, pixels, range(6), never), expected(pixels, range(6)), atol=1e-6)
    np.testing.assert_allclose(ask(tmp_path, pixels, range(9)), expected(pixels, range(9)), atol=1e-6)


def test_rows_without_an_index_are_extracted_again(tmp_path, pixels):
    first = ask(tmp_path, pixels, range(6))
    for segment in tmp_path.glob("*.index"):
        segment.unlink()
    np.testing.assert_array_equal(ask(tmp_path, pixels, range(6)), first)


def test_index_says_the_width_and_each_images_row(tmp_path, pixels):
    ask(tmp_path, pixels, [2, 0])
    assert json.loads((tmp_path / "rows.json").read_text())["row_bytes"] == 4 * WIDTH
    (segment,) = tmp_path.glob("*.index")
    lines = [json.JSONDecoder().raw_decode(line)[0] for line in segment.read_text().splitlines()]  # a checksum follows
    assert [line[:2] for line in lines] == [["sha2", 0], ["sha0", 1]]


def test_names_and_rows_must_be_as_many(tmp_path, pixels):
    with pytest.raises(ValueError, match="zip"):
        cached_features(tmp_path, tiny, pixels, np.arange(3), ["sha0"])

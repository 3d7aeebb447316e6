"""Pictures of collections in a run store."""

from __future__ import annotations

import pandas as pd
import pytest

from keras_art.data.decoding import decode, decoded, stored_images
from keras_art.data.sources import BadCollection, load_collection
from keras_art.store.runs import Store, StoreError


@pytest.fixture
def images(tmp_path):
    return stored_images(Store(tmp_path / "store"), 16, "squash")


def quiet(done: int, total: int) -> None:
    """No progress bar."""


def test_two_collections_share_the_pictures_of_a_store(picture_folder, images, tmp_path):
    collection = load_collection(picture_folder)
    first, _ = decode(images, collection, collection.table, tmp_path / "one", quiet)
    some = collection.table.iloc[::3].reset_index(drop=True)
    second, quarantine = decode(images, collection, some, tmp_path / "two", quiet)
    assert second["row"].tolist() == first["row"].iloc[::3].tolist()
    assert len(images.pixels()) == first["row"].nunique()
    assert quarantine.empty


def test_what_can_not_be_read_stands_in_the_quarantine_with_its_reason(picture_folder, images, tmp_path):
    collection = load_collection(picture_folder)
    broken = collection.table["path"].iloc[3]
    with open(broken, "wb") as file:
        file.write(b"no picture")
    scan, quarantine = decode(images, collection, collection.table, tmp_path / "here", quiet)
    assert (scan["row"] < 0).sum() == 1
    written = pd.read_csv(tmp_path / "here" / "quarantine.csv")
    assert written.to_dict("records") == quarantine.to_dict("records")
    assert written["path"].tolist() == [broken] and written["id"].tolist() == [collection.table["id"].iloc[3]]
    assert written["reason"].iloc[0] == scan["reason"].iloc[3] != ""


def test_no_readable_picture_is_an_error_that_names_the_quarantine(picture_folder, images, tmp_path):
    collection = load_collection(picture_folder)
    for path in collection.table["path"]:
        with open(path, "wb"):
            pass
    with pytest.raises(BadCollection, match=r"none of the 24 images of .*quarantine\.csv says why"):
        decode(images, collection, collection.table, tmp_path / "here", quiet)
    assert len(pd.read_csv(tmp_path / "here" / "quarantine.csv")) == 24


def test_a_picture_that_is_gone_is_an_error_that_names_it(picture_folder, images, tmp_path):
    collection = load_collection(picture_folder)
    scan, _ = decode(images, collection, collection.table, tmp_path / "here", quiet)
    pd.testing.assert_frame_equal(decoded(images, collection.table, "museum"), scan)
    gone = picture_folder / collection.table["id"].iloc[5]
    gone.unlink()
    with pytest.raises(StoreError, match=rf"1 image of museum can no longer be read, first .*{gone.name}"):
        decoded(images, collection.table, "museum")

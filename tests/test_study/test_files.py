"""Files and preset folders that a person names in a study."""

from __future__ import annotations

import pytest

from keras_art.errors import UserError
from keras_art.store.runs import Store
from keras_art.study.config import Artefact
from keras_art.study.files import artefact, artefact_path, keep_files


@pytest.fixture
def preset(tmp_path):
    """A folder as keras-hub saves one."""
    (tmp_path / "vit").mkdir()
    for name in ("config.json", "model.weights.h5", "metadata.json"):
        (tmp_path / "vit" / name).write_text(name)
    return tmp_path / "vit"


def test_a_preset_folder_is_called_by_its_content(preset):
    called = artefact(str(preset))
    assert isinstance(called, Artefact)
    assert called.stem == "vit"
    (preset / "model.weights.h5").write_text("others")
    assert artefact(str(preset)) != called


def test_a_preset_folder_is_kept_once_and_whole(preset, tmp_path):
    store = Store(tmp_path / "store")
    keep_files(store, ["imagenet", str(preset)])
    place = artefact_path(store, artefact(str(preset)))
    assert {path.name: path.read_text() for path in place.iterdir()} == {
        name: name for name in ("config.json", "model.weights.h5", "metadata.json")
    }
    before = place.stat().st_mtime_ns
    keep_files(store, [str(preset)])
    assert place.stat().st_mtime_ns == before
    assert not list(place.parent.glob("*.part"))


def test_another_folder_is_no_preset(preset):
    (preset / "config.json").unlink()
    with pytest.raises(UserError, match=r"is a folder, and no preset: that has config\.json and model\.weights\.h5"):
        artefact(str(preset))

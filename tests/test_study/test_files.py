"""Files and preset folders that a person names, kept in the store."""

from __future__ import annotations

import contextlib
import json

import pytest

from keras_art.errors import UserError
from keras_art.store.runs import Store
from keras_art.store.sums import Damaged
from keras_art.study import files
from keras_art.study.config import Artefact
from keras_art.study.kinds.adain import Decoder
from reproductions import sabatelli2018


def test_a_file_is_called_by_its_contents_and_keeps_the_suffix_keras_goes_by(tmp_path):
    for name in ("net.keras", "net.weights.h5", "net.h5"):
        (tmp_path / name).write_bytes(b"one")
        called = str(files.artefact(str(tmp_path / name)))
        assert called.startswith("net-")
        assert called.endswith(name.removeprefix("net"))
        (tmp_path / name).write_bytes(b"other")
        assert str(files.artefact(str(tmp_path / name))) != called
    assert files.artefact("VGG19") == "VGG19"


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"net\.keras does not exist"):
        str(files.artefact(str(tmp_path / "net.keras")))


def test_files_are_kept_in_the_store_once(tmp_path):
    (tmp_path / "net.keras").write_bytes(b"weights")
    store = Store(tmp_path / "store")
    files.keep_files(store, ["VGG19", "imagenet", str(tmp_path / "net.keras")])
    files.keep_files(store, [str(tmp_path / "net.keras")])
    kept = list((tmp_path / "store/cache/weights").iterdir())
    assert [path.name for path in kept] == [str(files.artefact(str(tmp_path / "net.keras")))]
    assert kept[0].read_bytes() == b"weights"


def test_a_refused_file_is_named_as_it_was_given_and_its_copy_goes(tmp_path):
    store, given = Store(tmp_path / "store"), tmp_path / "net.keras"
    given.write_bytes(b"nothing")
    copy = files.artefact_path(store, files.artefact(str(given)))

    def refused(error):
        with files.files_kept(store, ["VGG19", str(given)]):
            assert copy.read_bytes() == b"nothing"
            raise error

    with pytest.raises(UserError, match=rf"^{given} is nothing, {given}$"):
        refused(UserError(f"{copy} is nothing, {copy}"))
    assert not copy.exists() and given.exists()
    files.keep_files(store, [str(given)])  # of another study, that may need it
    with pytest.raises(UserError, match=rf"^{given} is nothing$"):
        refused(UserError(f"{copy} is nothing"))
    with pytest.raises(Damaged, match=rf"^{copy} is damaged"):  # the copy, and not what was given
        refused(Damaged(f"{copy} is damaged: delete it"))
    assert copy.exists()


def test_a_refused_file_of_a_study_leaves_nothing_in_its_store(picture_csv, tmp_path, capsys):
    (tmp_path / "net.keras").write_bytes(b"nothing")
    words = ["--data", str(picture_csv), "--target", "artist", "--networks", str(tmp_path / "net.keras")]
    words += ["--preprocessing", "unit", "--image_size", "32", "--store", str(tmp_path / "store")]
    for more in ([], ["--dry_run"]):
        assert sabatelli2018.REPRODUCTION.main([*words, *more]) == 1
        assert f": {tmp_path / 'net.keras'} is not a Keras model that can be" in capsys.readouterr().err
        assert not list((tmp_path / "store" / "cache" / "weights").iterdir())


def test_a_run_of_another_store_brings_what_it_began_with(tmp_path):
    (tmp_path / "vgg.keras").write_bytes(b"weights")
    home, store = Store(tmp_path / "home"), Store(tmp_path / "store")
    files.keep_files(home, [str(tmp_path / "vgg.keras")])
    run = Decoder(collection="faces-0", weights=files.artefact(str(tmp_path / "vgg.keras")))
    folder = home.directory(run)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(run.as_json()))
    (folder / "metrics.json").write_text("{}")
    files.keep_files(store, [str(folder)])
    assert store.has(run.ref)
    assert files.sound_artefact(store, run.weights).read_bytes() == b"weights"
    files.artefact_path(home, run.weights).unlink()
    files.keep_files(Store(tmp_path / "third"), [str(folder)])  # a finished run needs it no more
    assert Store(tmp_path / "third").has(run.ref)


def test_a_users_words_are_no_part_of_a_path(tmp_path):
    (tmp_path / "my net (2).keras").write_bytes(b"weights")
    kept = files.artefact(str(tmp_path / "my net (2).keras"))
    assert isinstance(kept, Artefact) and kept.stem == "my_net__2_"


@pytest.mark.parametrize(
    ("network", "weights", "expected"),
    [
        ("VGG19", ("imagenet",), "imagenet"),
        ("VGG19", ("none",), "none"),
        ("net.keras", ("imagenet",), "own"),
        ("net.keras", ("demo",), "own"),
        ("net.keras", ("none",), "none"),
        ("VGG19", ("none", "VGG19={file}"), Artefact),
    ],
)
def test_what_weights_says_of_a_network(tmp_path, network, weights, expected):
    (tmp_path / "w.weights.h5").write_bytes(b"weights")
    words = [word.format(file=tmp_path / "w.weights.h5") for word in weights]
    found = files.starting_weights(network, [network], words)
    assert isinstance(found, Artefact) if expected is Artefact else found == expected


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("vgg19=w.h5", "names vgg19, which --networks does not: did you mean VGG19"),
        ("dino=w.h5", "names dino, which --networks does not$"),
        ("VGG19=", "--weights VGG19= is not NETWORK=FILE: name both"),
        ("=w.h5", "--weights =w.h5 is not NETWORK=FILE: name both"),
    ],
)
def test_weights_of_no_network_and_no_weights_of_one(weights, words):
    with pytest.raises(UserError, match=words):
        files.starting_weights("VGG19", ["VGG19", "ResNet50"], [weights])


@pytest.mark.parametrize(
    ("networks", "weights", "refused"),
    [
        (["net.keras"], ["imagenet"], "imagenet"),
        (["net.keras", "vit"], ["demo"], "demo"),
        (["net.keras", "VGG19"], ["imagenet", "VGG19=w.h5"], "imagenet"),
        (["VGG19"], ["none", "VGG19=w.h5"], "none"),
        (["net.keras", "VGG19"], ["demo"], ""),
        (["net.keras"], ["none"], ""),
        (["net.keras"], ["w.h5"], ""),
        (["net.keras"], ["net.keras=w.h5"], ""),
    ],
)
def test_weights_that_hold_for_no_network_are_refused(preset, monkeypatch, networks, weights, refused):
    monkeypatch.chdir(preset.parent)
    words = f"--weights {refused} holds for none of --networks, each of which has its own: leave {refused} out"
    with pytest.raises(UserError, match=words) if refused else contextlib.nullcontext():
        files.check_needed(networks, weights)


@pytest.fixture
def preset(tmp_path):
    """A folder as keras-hub saves one."""
    (tmp_path / "vit").mkdir()
    for name in ("config.json", "model.weights.h5", "metadata.json"):
        (tmp_path / "vit" / name).write_text(name)
    return tmp_path / "vit"


def test_a_preset_folder_is_called_by_its_content(preset):
    called = files.artefact(str(preset))
    assert isinstance(called, Artefact)
    assert called.stem == "vit"
    (preset / "model.weights.h5").write_text("others")
    assert files.artefact(str(preset)) != called


def test_a_preset_folder_is_kept_once_and_whole(preset, tmp_path):
    store = Store(tmp_path / "store")
    files.keep_files(store, ["imagenet", str(preset)])
    place = files.artefact_path(store, files.artefact(str(preset)))
    assert {path.name: path.read_text() for path in place.iterdir()} == {
        name: name for name in ("config.json", "model.weights.h5", "metadata.json")
    }
    before = place.stat().st_mtime_ns
    files.keep_files(store, [str(preset)])
    assert place.stat().st_mtime_ns == before
    assert not list(place.parent.glob("*.part"))


def test_another_folder_is_no_preset(preset):
    (preset / "config.json").unlink()
    with pytest.raises(UserError, match=r"is a folder, and no preset: that has config\.json and model\.weights\.h5"):
        files.artefact(str(preset))


@pytest.mark.parametrize("folder", [False, True])
def test_a_damaged_copy_is_made_anew_of_what_is_given_again(store, tmp_path, capsys, folder):
    given = tmp_path / ("vit" if folder else "net.keras")
    if folder:
        given.mkdir()
        for name in ("config.json", "model.weights.h5"):
            (given / name).write_text(name)
    else:
        given.write_text("whole")
    files.keep_files(store, [str(given)])
    place = files.artefact_path(store, kept := files.artefact(str(given)))
    (place / "config.json" if folder else place).write_text("damaged")
    with pytest.raises(Damaged):
        files.sound_artefact(store, kept)
    assert "made anew" not in capsys.readouterr().err
    files.keep_files(store, [str(given)])
    assert files.sound_artefact(store, kept) == place
    assert f"{place} is damaged: it is made anew of {given}" in " ".join(capsys.readouterr().err.split())

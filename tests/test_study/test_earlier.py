"""What a network has learnt from before is no test of it, whoever says that it has."""

import json
import re

import pytest
from conftest import paint_museum

from keras_art.data import kept, opening, tasks
from keras_art.report import outcome
from keras_art.report.tables import seen_of
from keras_art.store.runs import Store
from keras_art.store.sums import Damaged
from keras_art.study import earlier, files
from keras_art.study.config import Artefact
from keras_art.study.kinds.classifier import ClassifierRun


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A store with two splits of a museum, and the hashes of the test images of the first."""
    here = tmp_path_factory.mktemp("earlier")
    paint_museum(here / "museum")
    store = Store(here / "store")
    store.create()
    keys = []
    for seed in (0, 1):
        collection, choice = opening.open_choice(store, here / "museum", None, "artist", split_seed=seed)
        tasks.prepare(store, collection, choice, 8, "squash", lambda done, all: None)
        keys.append(choice.key)
    first, second = keys
    test = [sha256 for sha256, split in kept.splits_of(store, first).items() if split == "test"]
    return store, first, second, test


def exported(store, name, hashes):
    folder = files.artefact_path(store, Artefact(name))
    folder.mkdir(parents=True)
    (folder / "learnt_from.json").write_text(json.dumps({"sha256": hashes}))
    return Artefact(name)


def test_test_images_that_an_exported_network_has_learnt_from_are_counted(place):
    store, first, _, test = place
    run = ClassifierRun(collection=first, target="artist", network=exported(store, "mine-00000001", test[:2]))
    assert earlier.known(store, run) == f"its network has learnt from 2 of {len(test)} test images before"
    assert earlier.known(store, run) in seen_of(store, run)
    which, but = outcome.tested_on(store, run)
    assert which == "test pictures" and earlier.known(store, run) in but


@pytest.mark.parametrize("network", ["VGG19", Artefact("file-00000001.keras"), Artefact("other-00000002")])
def test_nothing_is_told_where_nothing_is_known_or_no_test_image_is_among_them(place, network):
    store, first, _, _ = place
    if str(network).startswith("other"):
        exported(store, network.name, ["0" * 64])
    run = ClassifierRun(collection=first, target="artist", network=network, weights="own")
    assert earlier.known(store, run) == "" == seen_of(store, run)
    assert outcome.tested_on(store, run) == ("pictures that it never saw", "")


def test_an_earlier_run_of_another_split_has_learnt_from_them_too(place):
    store, first, second, test = place
    source = ClassifierRun(collection=second, target="artist", network="VGG19", mode="fine_tuning")
    store.ask(source)
    run = ClassifierRun(collection=first, target="artist", network="VGG19", weights=source.ref)
    learnt = {sha256 for sha256, split in kept.splits_of(store, second).items() if split != "test"}
    count = len(learnt & {*test})
    assert count and f"from {count} of {len(test)} test images" in earlier.known(store, run)
    (store.directory(run)).mkdir(parents=True)
    (store.directory(run) / "config.json").write_text(json.dumps(run.as_json()))
    assert earlier.before_model(store.directory(run) / "model.keras") == learnt
    store.ask(run)
    third = ClassifierRun(collection=first, target="artist", network="VGG19", weights=run.ref)
    assert earlier.learnt_before(store, third) > learnt  # what its own beginning began with, too


def test_an_exported_folder_brings_its_list_and_one_that_is_damaged_is_named(tmp_path, place):
    store = place[0]
    given = tmp_path / "given"
    given.mkdir()
    for name in ("model.keras", "preprocessing.json"):
        (given / name).write_text("{}")
    alone = files.artefact(str(given))
    (given / "learnt_from.json").write_text("no list")
    assert files.artefact(str(given)) == alone  # it is the same network
    files.keep_files(store, [str(given)])
    assert (files.artefact_path(store, alone) / "learnt_from.json").read_text() == "no list"
    assert files.sound_artefact(store, alone)
    for content in ("no list", '{"sha256": [1, null]}'):
        (files.artefact_path(store, alone) / "learnt_from.json").write_text(content)
        with pytest.raises(Damaged, match=re.escape("learnt_from.json")):
            earlier.known(store, ClassifierRun(collection=place[1], target="artist", network=alone))

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from keras_art.data import cards
from keras_art.errors import UserError

CARD = """
title = "Tiny"
source = "https://example.org"
licence = "CC0"
obtain = "Ask the museum."
layout = "tiny/labels.csv"
citation = "Nobody 2024."
signs = ["labels.csv"]
images = ["jpg"]
[columns]
id = "ImageId"
image = "ImageId"
artist = "dc_creator"
[expected]
artist = { images = 3, classes = 2 }
[versions."2".expected]
artist = { images = 4, classes = 2 }
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cards" / "tiny").mkdir(parents=True)
    (tmp_path / "cards" / "tiny" / "card.toml").write_text(CARD)
    monkeypatch.setenv("KERAS_ART_DATASETS", str(tmp_path / "cards"))
    monkeypatch.delenv("KERAS_ART_DATA", raising=False)
    return tmp_path


def test_load_card_reads_every_field(tiny):
    card = cards.load_card("tiny")
    assert (card.name, card.title, card.images, card.doi) == ("tiny", "Tiny", ["jpg"], "")
    assert card.columns == {"id": "ImageId", "image": "ImageId", "artist": "dc_creator"}
    assert card.expected == {"artist": {"images": 3, "classes": 2}}


def test_names_are_the_folders_with_a_card(tiny):
    (tiny / "cards" / "empty").mkdir()
    assert cards.names() == ["tiny"]


def test_an_unknown_name_suggests_the_nearest(tiny):
    with pytest.raises(cards.CardNotFound, match="no card is called 'tinny'; did you mean 'tiny'"):
        cards.load_card("tinny")


def test_a_name_like_no_other_lists_what_there_is(tiny):
    with pytest.raises(cards.CardNotFound, match="there are tiny"):
        cards.load_card("louvre")


def test_find_takes_the_folder_itself_or_its_parent(tiny):
    (tiny / "data" / "tiny").mkdir(parents=True)
    (tiny / "data" / "tiny" / "labels.csv").touch()
    card = cards.load_card("tiny")
    assert card.find(tiny / "data") == card.find(tiny / "data" / "tiny") == tiny / "data" / "tiny"


def test_find_uses_the_environment_only_without_a_root(tiny, monkeypatch):
    for name in ("named", "environment"):
        (tiny / name).mkdir()
        (tiny / name / "labels.csv").touch()
    monkeypatch.setenv("KERAS_ART_DATA", str(tiny / "environment"))
    assert cards.load_card("tiny").find() == tiny / "environment"
    assert cards.load_card("tiny").find(tiny / "named") == tiny / "named"


@pytest.mark.parametrize("root", [None, "elsewhere"])
def test_a_card_without_files_says_where_it_looked_and_how_to_obtain_them(tiny, root):
    with pytest.raises(cards.DatasetNotFound) as error:
        cards.load_card("tiny").find(root and tiny / root)
    assert "Ask the museum." in str(error.value)
    assert "--root" in str(error.value)
    assert "KERAS_ART_DATA" in str(error.value)
    assert (str(tiny / "elsewhere" / "tiny" / "{labels.csv}") if root else "no root was given") in str(error.value)
    assert isinstance(error.value, UserError)


def test_a_named_folder_of_cards_is_never_replaced_by_another(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_ART_DATASETS", str(tmp_path))
    with pytest.raises(cards.DatasetNotFound, match="set \\$KERAS_ART_DATASETS"):
        cards.names()


def test_a_version_is_named_behind_the_card_and_lies_in_the_same_folder(tiny):
    (tiny / "data" / "tiny").mkdir(parents=True)
    (tiny / "data" / "tiny" / "labels.csv").touch()
    card = cards.load_card("tiny-2")
    assert (card.name, card.version, card.expected["artist"]["images"]) == ("tiny-2", "2", 4)
    assert card.find(tiny / "data") == tiny / "data" / "tiny"
    with pytest.raises(cards.CardNotFound, match="tiny has no version '3'; it has 2"):
        cards.load_card("tiny-3")


def test_a_pattern_finds_no_other_collection_beside_its_own(tiny):
    (tiny / "data" / "other").mkdir(parents=True)
    (tiny / "data" / "other" / "1.png").touch()
    card = dataclasses.replace(cards.load_card("tiny"), signs=["*/*.png"])
    with pytest.raises(cards.DatasetNotFound):
        card.find(tiny / "data")

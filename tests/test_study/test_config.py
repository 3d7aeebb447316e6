"""Kinds, digests, needs, and configurations that can not be used."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from keras_art.study import config
from keras_art.study.config import Artefact, BadRun, Kind, Mode, Optimizer, Run, RunRef, digest, needs, run_from
from keras_art.study.costs import Cost
from keras_art.study.kinds.classifier import ClassifierRun


@dataclass(frozen=True)
class Tiny(Run):
    kind: ClassVar[str] = "tiny"
    words: ClassVar[tuple[str, ...]] = ("network", "seed")

    mode: str = "made"
    network: str = "VGG19"
    seed: int = 0
    rate: float = 0.1
    after: RunRef | None = None
    others: tuple[RunRef, ...] = ()
    collection: str = ""
    image_size: int = 8
    resize: str = "squash"


TINY = {"tiny": Kind(Tiny, {"made": Mode("none:made", lambda run, images, networks, found: Cost(1.0, 1.0, 8.0))})}


@pytest.fixture
def declared(monkeypatch):
    monkeypatch.setattr(config, "kinds", lambda: TINY)


def test_every_kind_is_found_by_walking_and_its_modes_lead_somewhere():
    found = config.kinds()
    assert {"classifier", "ticket", "clustering", "decoder", "stylised", "st_saclf", "multitask"} <= set(found)
    for name, kind in found.items():
        assert kind.run.kind == name
        (mode,) = [field.default for field in dataclasses.fields(kind.run) if field.name == "mode"]
        assert mode in kind.modes
        for mode in kind.modes.values():
            assert callable(config.function(mode.train))
        if kind.check:
            assert callable(config.function(kind.check))


@pytest.mark.parametrize(
    ("run", "name"),
    [
        (Tiny(), "VGG19-0-"),
        (Tiny(network="a/b"), "a_b-0-"),
        (Tiny(network="../x"), "_._x-0-"),
        (Tiny(network="a\nb"), "a_b-0-"),
        (Tiny(network="\u05d0\u05d1"), "\u05d0\u05d1-0-"),
        (Tiny(network="x" * 300), "x" * 40 + "-0-"),
        (Tiny(network=""), "_-0-"),
    ],
)
def test_a_directory_is_called_by_words_that_are_no_path_and_a_digest(run, name):
    assert run.folder_name == f"{name}{digest(run)}"
    assert len(run.folder_name.encode()) < 255


def test_digests_never_change():
    assert digest(Tiny()) == "60421ca0"
    assert digest(Tiny(seed=1)) == "ecd73865"
    assert digest(ClassifierRun(network=Artefact("n-00000000.keras"), optimizer=Optimizer("SGD", 1.0))) == "79f6dd9b"


def test_a_field_added_at_its_default_keeps_digests():
    grown = dataclasses.make_dataclass("Grown", [("momentum", float, 0.9)], bases=(Tiny,), frozen=True)
    assert digest(grown(seed=1)) == digest(Tiny(seed=1))
    assert digest(grown(momentum=0.5)) != digest(Tiny())


def test_every_field_moves_the_digest_and_1_is_1_0():
    ref = RunRef("tiny", "00000000")
    runs = [Tiny(), Tiny(network="x"), Tiny(seed=1), Tiny(rate=0.2), Tiny(after=ref), Tiny(others=(ref,))]
    assert len({digest(run) for run in runs}) == len(runs)
    assert digest(Tiny(rate=1)) == digest(Tiny(rate=1.0))


def test_another_kind_of_the_same_fields_is_another_run():
    other = dataclasses.make_dataclass("Other", [], bases=(Tiny,), frozen=True)
    other.kind = "other"
    assert digest(other()) != digest(Tiny())


def test_what_a_run_needs_is_read_off_its_fields():
    a, b = Tiny(seed=1).ref, Tiny(seed=2).ref
    assert needs(Tiny()) == []
    assert needs(Tiny(after=a)) == [a]
    assert needs(Tiny(after=a, others=(b, a))) == [a, b]


def test_a_run_is_read_back_as_it_was_written(declared):
    run = Tiny(after=RunRef("tiny", "0011aabb"), others=(RunRef("tiny", "22334455"),), rate=1)
    assert run_from(json.loads(json.dumps(run.as_json())), Path("config.json")) == run


def test_typed_values_are_read_back():
    run = ClassifierRun(
        network=Artefact("net-0011aabb.keras"), weights=RunRef("classifier", "00112233"),
        optimizer=Optimizer("SGD", 0.1, (("momentum", 0.9), ("nesterov", True)), (10, 20)),
    )  # fmt: skip
    assert run_from(json.loads(json.dumps(run.as_json())), Path("config.json")) == run


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "unheard_of"}, "kind 'unheard_of'"),
        ({"kind": ["tiny"]}, "kind"),
        ({"mode": "linear_probe_knn"}, "mode 'linear_probe_knn'"),
        ({"added_in_2027": 1}, "field 'added_in_2027'"),
        ({"seed": "0"}, "seed is '0'"),
        ({"seed": True}, "seed is True"),
        ({"rate": None}, "rate is None"),
        ({"after": {"type": "RunRef", "kind": "tiny"}}, "RunRef"),
        ({"after": {"type": "os.system", "command": "true"}}, "os.system"),
        ({"after": "run:0011aabb"}, "after is"),
        ({"others": [1]}, "others is"),
        ({"others": {}}, "type"),
    ],
)
def test_a_configuration_of_another_version_is_one_message_that_names_the_file(declared, change, words):
    with pytest.raises(BadRun) as error:
        run_from({**Tiny().as_json(), **change}, Path("runs/tiny/x/config.json"))
    message = str(error.value)
    assert message.startswith("runs/tiny/x/config.json") and words in message
    assert "use the version of keras_art that wrote it, or move the directory away" in message
    assert "Tiny(" not in message


@pytest.mark.parametrize("content", [None, [], "x", 1, {}, {"format": 2}])
def test_what_is_no_configuration_is_told(declared, content):
    with pytest.raises(BadRun, match="does not say which kind"):
        run_from(content, Path("config.json"))


def test_an_unknown_mode_is_an_error_and_never_means_another():
    with pytest.raises(BadRun, match=r"no mode 'linear_probe_knn': it is one of off_the_shelf, fine_tuning"):
        config.mode_of(ClassifierRun(mode="linear_probe_knn"))


@dataclass(frozen=True)
class Twin(Run):
    kind: ClassVar[str] = "tiny"
    words: ClassVar[tuple[str, ...]] = ()


@pytest.mark.parametrize("known", [{}, TINY])
def test_a_class_that_no_kind_is_declared_with_is_told_before_it_is_computed(known, monkeypatch):
    monkeypatch.setattr(config, "kinds", lambda: known)
    with pytest.raises(BadRun, match=r"KINDS has no 'tiny' of .*test_config\.Twin'>: put both"):
        config.mode_of(Twin(mode="made"))


@pytest.mark.parametrize("lacking", ["collection", "image_size", "resize"])
def test_a_run_that_does_not_say_which_pictures_it_is_of_is_told_before_it_is_computed(lacking, monkeypatch):
    pictures = {"collection": "", "image_size": 8, "resize": "squash"}
    fields = [(name, type(value), value) for name, value in pictures.items() if name != lacking]
    words = {"kind": "sketch", "words": ()}
    sketch = dataclasses.make_dataclass("Sketch", fields, bases=(Run,), namespace=words, frozen=True)
    monkeypatch.setattr(config, "kinds", lambda: {"sketch": Kind(sketch, TINY["tiny"].modes)})
    with pytest.raises(BadRun, match=rf"^a run of kind 'sketch' has no field '{lacking}': every run says which"):
        config.mode_of(sketch(mode="made"))


def test_the_name_of_a_file_is_told_without_its_digest():
    assert Artefact("my-net-0011aabb.keras").stem == "my-net"
    assert Artefact("vgg-0011aabb.weights.h5").stem == "vgg"


def test_what_a_person_is_told_of_a_classifier_is_one_line_that_names_its_target():
    from keras_art.study.kinds.classifier import ClassifierRun

    titles = {ClassifierRun(collection="museum-0011aabb", target=name).title for name in ("gender", "new\nline")}
    assert titles == {f"museum {name}, VGG19 off_the_shelf, seed 0" for name in ("gender", "new line")}

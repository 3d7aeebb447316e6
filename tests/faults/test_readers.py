"""Documents with something else in any of their places, and archives of whatever bytes there are: read, or refused.

`KERAS_ART_FUZZ_SECONDS=60 pytest -m slow tests/faults/test_readers.py -s` says how many were tried of each; 600 seconds
for each without. What a text is like in its bytes alone is in tests/test_data/test_hostile_files.py.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import random
import shutil
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import strategies as st
from test_spreadsheets import ods, write_ods

from keras_art.data import croissant
from keras_art.data.collection import Collection
from keras_art.data.readers.opendocument import read_ods
from keras_art.data.sources import load_collection
from keras_art.errors import UserError
from keras_art.fetching import archives, iiif, services
from keras_art.fetching.downloads import NotFetched
from keras_art.networks import trained
from keras_art.networks.loading import load_model
from keras_art.store import sums
from keras_art.store.reading import read_arrays
from keras_art.store.segments import Segments
from keras_art.study import catalogue, config

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SECONDS = float(os.environ.get("KERAS_ART_FUZZ_SECONDS", 600))  # for each reader
LONGEST = 5  # seconds of processor time that any file may take

DEEP: Any = "x"
for _ in range(900):
    DEEP = [DEEP]
ODD = [
    None, True, False, 0, -1, 1e308, float("nan"), float("inf"), 10**300, "", "x", "x" * 3000, "<" * 20_000,
    "&#" * 20_000, "../../x", "/etc/passwd", "\0", "\ud800", "\u202e", "=1+1", "file:///x", "https://", "//[",
    [], {}, [[]], [{}], {"": {}}, {"id": []}, [None, 1, "x"], DEEP, {"type": "Choice"}, ["x"] * 3000,
]  # fmt: skip

IMAGE = {
    "id": "https://example.org/1.jpg", "type": "Image",
    "service": [{"id": "https://example.org/1", "type": "ImageService3", "profile": "level1", "width": 9, "height": 9}],
}  # fmt: skip
VERSION_3 = {
    "@context": "http://iiif.io/api/presentation/3/context.json",
    "id": "https://example.org/m", "type": "Manifest", "label": {"en": ["x"]}, "rights": "https://example.org/r",
    "requiredStatement": {"label": {"en": ["By"]}, "value": {"en": ["<b>us</b>"]}},
    "metadata": [{"label": {"en": ["Date"]}, "value": {"en": ["1600"]}}],
    "items": [{"id": "c", "type": "Canvas", "items": [{"type": "AnnotationPage", "items": [{
        "type": "Annotation", "motivation": "painting",
        "body": {"type": "Choice", "items": [{"type": "SpecificResource", "source": IMAGE, "selector": {
            "type": "ImageApiSelector", "region": "0,0,5,5"}}]},
    }]}]}],
}  # fmt: skip
VERSION_2 = {
    "@id": "https://example.org/m", "@type": "sc:Manifest", "label": "x", "attribution": ["a", {"@value": "b"}],
    "sequences": [{"canvases": [{"@id": "c", "images": [{"resource": {
        "@id": "https://example.org/1.jpg", "@type": "dctypes:Image", "service": {
            "@id": "https://example.org/1", "profile": ["http://iiif.io/api/image/2/level2.json", {"maxWidth": 5}]},
    }}]}]}],
}  # fmt: skip
INFO = {
    "@context": "http://iiif.io/api/image/2/context.json", "@id": "https://example.org/1", "width": 90, "height": 80,
    "profile": ["http://iiif.io/api/image/2/level0.json", {"maxArea": 900, "maxHeight": 30}],
    "sizes": [{"width": 9, "height": 8}, {"width": 45, "height": 40}],
}  # fmt: skip
CROISSANT = {
    "@context": {"@vocab": "https://schema.org/", "cr": "http://mlcommons.org/croissant/"}, "@type": "sc:Dataset",
    "conformsTo": "http://mlcommons.org/croissant/1.0", "name": "x", "license": ["https://example.org/l"],
    "creator": {"@type": "Person", "name": "y"}, "url": "https://example.org", "description": "z",
    "distribution": [
        {"@type": "cr:FileObject", "@id": "t.csv", "contentUrl": "t.csv", "encodingFormat": "text/csv"},
        {"@type": "cr:FileSet", "@id": "images", "includes": "*.png", "containedIn": {"@id": "t.csv"}},
    ],
    "recordSet": [{"@type": "cr:RecordSet", "@id": "r", "field": [
        {"@type": "cr:Field", "@id": "r/image", "dataType": "sc:ImageObject",
         "source": {"fileObject": {"@id": "t.csv"}, "extract": {"column": "image"}}},
        {"@type": "cr:Field", "@id": "r/style", "dataType": "sc:Text",
         "source": {"fileObject": {"@id": "t.csv"}, "extract": {"column": "style"}}},
    ]}],
}  # fmt: skip
RUN = {
    "kind": "classifier", "collection": "museum-12345678", "target": "style", "network": "VGG19", "mode": "fine_tuning",
    "weights": {"type": "RunRef", "kind": "classifier", "digest": "12345678"}, "seed": 0, "image_size": 32,
    "optimizer": {"type": "Optimizer", "name": "Adam", "learning_rate": 1e-3, "options": [["weight_decay", 0.1]]},
}  # fmt: skip
STUDY = {
    "reproduction": "sabatelli2018", "runs": [{"kind": "classifier", "digest": "12345678"}], "places": ["museum"],
    "commands": [{"at": "2026-01-01T00:00:00", "words": ["--data", "museum"]}],
}  # fmt: skip
CARD = {
    "format": trained.FORMAT, "classes": {"style": ["a", "b"]}, "preprocessing": "unit", "resize": "squash",
    "image_size": 8, "metrics": {"test_accuracy": 0.5}, "provenance": {"kind": "classifier"}, "crop": 0,
    "margins": False, "network": {"name": "x"}, "calibration": {"style": {"temperature": 1.5}},
}  # fmt: skip


class Nowhere:
    """Fetches nothing."""

    servers: set[str] | None = None

    def fetch(self, *_: Any, **__: Any) -> None:
        raise NotFetched("nothing is fetched")


def read_manifest(path: Path, folder: Path) -> None:
    pages, _ = iiif.read(str(path), Nowhere(), folder, iiif.Extent())
    iiif.labels([page.row for page in pages])
    for page in pages:
        services.addresses(page.picture, {}, 100)


def read_croissant(path: Path, folder: Path) -> Collection | None:
    content = croissant.read(path)
    return None if content is None else load_collection(str(path))


def read_index(path: Path) -> None:
    held = Segments(path.parent, ("key", "row", "crc32"))
    held.lines()


def documents(folder: Path) -> dict[str, tuple[Any, Callable[[Path], object]]]:
    """Reader -> a document that it reads, and the reader."""
    (folder / "t.csv").write_text("image,style\n1.png,cold\n")
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 3), keras.layers.GlobalMaxPooling2D()])
    model.save(folder / "model.keras")
    with zipfile.ZipFile(folder / "model.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    def with_member(path: Path, name: str) -> Path:
        changed = path.with_suffix(".keras")
        with zipfile.ZipFile(changed, "w") as archive:
            for member, content in {**members, name: path.read_bytes()}.items():
                archive.writestr(member, content)
        return changed

    picture = services.Painted("https://example.org/1.jpg", IMAGE["service"][0], "full")  # type: ignore[index]
    return {
        "manifest 3": (VERSION_3, lambda path: read_manifest(path, folder)),
        "manifest 2": (VERSION_2, lambda path: read_manifest(path, folder)),
        "collection": (
            {"type": "Collection", "id": "https://example.org/c", "items": [VERSION_3, VERSION_2]},
            lambda path: read_manifest(path, folder),
        ),
        "info.json": (INFO, lambda path: services.addresses(picture, iiif.json_of(path), 20)),
        "croissant": (CROISSANT, lambda path: read_croissant(path, folder)),
        "config.json": (RUN, lambda path: config.run_from(json.loads(path.read_text()), path)),
        "study.json": (STUDY, catalogue.read),
        "card": (CARD, lambda path: trained.read_card(with_member(path, trained.CARD))),
        "model": (json.loads(members["config.json"]), lambda path: load_model(with_member(path, "config.json"))),
    }


DOCUMENTS = ("manifest 3", "manifest 2", "collection", "info.json", "croissant", "config.json", "study.json", "card",
             "model")  # fmt: skip


def changed(document: Any, ways: list[tuple[list[int], int, int]]) -> Any:
    """A copy of a document with something else in some of its places."""
    out = [copy.deepcopy(document)]
    for steps, what, how in ways:
        inner: Any = out
        key: Any = 0
        for step in steps:
            value = inner[key]
            if not isinstance(value, dict | list) or not value or len(str(value)) > 10_000:
                break
            inner, key = value, sorted(value)[step % len(value)] if isinstance(value, dict) else step % len(value)
        if how == 0 and inner is not out:
            del inner[key]
        elif how == 1:
            inner[key] = [inner[key], copy.deepcopy(inner[key])]
        elif how == 2 and isinstance(inner, dict):
            inner[str(ODD[what])[:300]] = inner.pop(key)
        else:
            inner[key] = copy.deepcopy(ODD[what])
    return out[0]


def tried(found: st.SearchStrategy, fuzz: Callable[[Any], None]) -> int:
    """Tries what a strategy finds for so many seconds; how many it was."""
    count = 0

    @hypothesis.settings(
        max_examples=300, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(found)
    def test(one: Any) -> None:
        nonlocal count
        count += 1
        begun = time.process_time()
        with contextlib.suppress(UserError):
            fuzz(one)
        assert time.process_time() - begun < LONGEST

    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        hypothesis.seed(random.randrange(1 << 30))(test)()
    return count


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_with_something_else_in_it_is_read_or_refused(tmp_path, name):
    document, read = documents(tmp_path)[name]
    way = st.tuples(st.lists(st.integers(0, 20), max_size=12), st.integers(0, len(ODD) - 1), st.integers(0, 9))

    def fuzz(ways: Any) -> None:
        (tmp_path / "it.json").write_text(json.dumps(changed(document, ways)))
        read(tmp_path / "it.json")

    print(f"{name}: {tried(st.lists(way, min_size=1, max_size=4), fuzz)} documents")


def bundles(folder: Path) -> dict[str, tuple[bytes, Callable[[Path], object]]]:
    """Reader -> the bytes of a file that it reads, and the reader."""

    def unpacked(path: Path) -> None:
        try:
            archives.unpack(path, folder / "unpacked")
        finally:
            outside = {entry.name for entry in folder.iterdir()} - known
            shutil.rmtree(folder / "unpacked", ignore_errors=True)
            assert not outside - {"unpacked", path.name}, outside

    with zipfile.ZipFile(folder / "it.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", b"x" * 100)
        archive.writestr("b.csv", b"image\n1.png\n")
    for name, mode in (("it.tar", "w"), ("it.tar.gz", "w:gz"), ("it.tar.xz", "w:xz")):
        with tarfile.open(folder / name, mode) as archive:
            for member in ("a/1.png", "b.csv"):
                info = tarfile.TarInfo(member)
                info.size = 100
                archive.addfile(info, io.BytesIO(b"x" * 100))
    write_ods(folder / "it.ods", s=[ods("file", "artist"), ods("1.png", "x")])
    np.savez(folder / "it.npz", a=np.arange(20), b=np.array("text"))
    keras.utils.set_random_seed(0)
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(folder / "it.keras")
    (folder / "sealed").mkdir()
    (folder / "sealed" / "x.txt").write_text("x")
    sums.seal(folder / "sealed")
    sealed = folder / "sealed" / sums.SUMS
    held = Segments(folder / "rows", ("key", "row", "crc32"), 4)
    with held.writing(4) as writer:
        writer.append([b"abcd", b"efgh"], [["k", 0, 1], ["l", 1, 2]])
    index = next((folder / "rows").glob("*.index"))

    def elsewhere(place: Path, read: Callable[[Path], object]) -> Callable[[Path], object]:
        def moved(path: Path) -> object:
            shutil.copy(path, place)
            return read(place)

        return moved

    known = {entry.name for entry in folder.iterdir()}
    read_by: dict[str, tuple[Path, Callable[[Path], object]]] = {
        "zip": (folder / "it.zip", unpacked),
        "tar": (folder / "it.tar", unpacked),
        "tar.gz": (folder / "it.tar.gz", unpacked),
        "tar.xz": (folder / "it.tar.xz", unpacked),
        "ods": (folder / "it.ods", read_ods),
        "npz": (folder / "it.npz", read_arrays),
        "keras": (folder / "it.keras", load_model),
        "sums": (sealed, elsewhere(sealed, lambda path: sums.faults(path.parent))),
        "index": (index, elsewhere(index, read_index)),
    }  # fmt: skip
    return {name: (path.read_bytes(), read) for name, (path, read) in read_by.items()}


BUNDLES = ("zip", "tar", "tar.gz", "tar.xz", "ods", "npz", "keras", "sums", "index")


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_of_whatever_bytes_is_read_or_refused(tmp_path, name):
    content, read = bundles(tmp_path)[name]
    path = tmp_path / f"it.{name}" if name in BUNDLES[:7] else tmp_path / "it.bin"
    places = st.integers(0, len(content))
    edit = st.tuples(places, st.integers(0, 8), st.binary(max_size=8))

    def fuzz(found: Any) -> None:
        out = content
        if isinstance(found, tuple):  # a piece is missing
            out = content[: min(found)] + content[max(found) :]
        for place, gone, new in found if isinstance(found, list) else ():
            out = out[:place] + new + out[place + gone :]
        path.write_bytes(out)
        read(path)

    print(f"{name}: {tried(st.one_of(st.lists(edit, min_size=1, max_size=6), st.tuples(places, places)), fuzz)} files")

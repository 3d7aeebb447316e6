"""Collections as shards, on a disk and behind addresses, through the real reader and the one decoder."""

from __future__ import annotations

import contextlib
import functools
import http.server
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from conftest import paint

from keras_art.data import tasks
from keras_art.data.opening import open_choice
from keras_art.data.readers.shards import expanded
from keras_art.data.sources import BadCollection, load_collection
from keras_art.errors import UserError
from keras_art.pictures import addresses, members, places
from keras_art.pictures.decoded import ImageStore
from keras_art.store.runs import Store


def tar(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as file:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def picture(folder: Path, style: str, seed: int) -> bytes:
    return paint(folder / "plain" / style / f"{seed:04d}.png", style, seed).read_bytes()


@pytest.fixture
def webdataset(tmp_path: Path) -> Path:
    """Two tars of 12 pictures each, with `.cls` and `.json` beside them; `plain/` has the same as class folders."""
    for shard in range(2):
        members = {}
        for i in range(12):
            key, style = f"./{12 * shard + i:04d}", "ab"[i % 2]
            members[f"{key}.png"] = picture(tmp_path, style, 12 * shard + i)
            members[f"{key}.cls"] = f"{i % 2}\n".encode()
            members[f"{key}.json"] = json.dumps({"style": style, "year": 1880 + i, "colours": ["red", "blue"]}).encode()
        tar(tmp_path / "shards" / f"works-{shard:03d}.tar", members)
    return tmp_path / "shards"


def parquet(path: Path, pictures: list[bytes | None], styles: list[int], **options: int) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": content, "path": None} for content in pictures]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table(
        {"image": pa.array(images, kind), "style": styles, "title": [f"No {i}" for i in range(len(styles))]}
    )
    info = json.dumps({"info": {"features": {"style": {"names": ["a", "b"], "_type": "ClassLabel"}}}})
    pq.write_table(table.replace_schema_metadata({"huggingface": info}), path, **options)
    return path


def prepared(data: str | Path, store: Path, target: str = "style", root: str | None = None) -> tasks.Ready:
    made = Store(store)
    made.create()
    collection, choice = open_choice(made, str(data), root, target)
    return tasks.prepare(made, collection, choice, 16, "squash", lambda *_: None)


# --- tars


def test_a_folder_of_tars_is_a_collection_whose_members_are_files(webdataset):
    found = load_collection(webdataset)
    assert found.targets == ["cls", "style", "year", "colours"]
    assert found.images["id"].tolist()[:2] == ["works-000.tar/0000.png", "works-000.tar/0001.png"]
    assert found.columns.iloc[1].tolist() == ["1", "b", "1881", "red; blue"]
    assert places.read(found.paths()[13]) == (webdataset.parent / "plain" / "b" / "0013.png").read_bytes()
    assert found.images["bytes"][13] == (webdataset.parent / "plain" / "b" / "0013.png").stat().st_size


def test_pixels_and_splits_of_tars_are_those_of_the_same_files_in_folders(webdataset, tmp_path):
    packed = prepared(webdataset, tmp_path / "one")
    plain = prepared(tmp_path / "plain", tmp_path / "two", "label")
    by_content = dict(zip(plain.sha256, plain.rows, strict=True))
    assert set(packed.sha256) == set(by_content)
    for row, content in zip(packed.rows, packed.sha256, strict=True):
        assert np.array_equal(packed.pixels[row], plain.pixels[by_content[content]])
    assert packed.picture(0, 16).shape == (16, 16, 3)
    again = prepared(webdataset, tmp_path / "one")
    assert again.task.images.equals(packed.task.images)


def test_worker_processes_decode_members_as_one_process_does(webdataset, tmp_path):
    paths = load_collection(webdataset).paths()
    one = ImageStore(tmp_path / "one", 8).scan(paths, workers=1)
    two = ImageStore(tmp_path / "two", 8).scan(paths, workers=2)
    assert one.equals(two) and (one["row"] >= 0).all()


def test_a_truncated_tar_gives_what_is_whole_and_says_where_it_ends(webdataset):
    cut = webdataset / "works-001.tar"
    content = cut.read_bytes()
    second = content.index(b"./0013.png")
    for end, words, left in (
        (second + 600, "it ends within ./0013.png", 1), (second, "it ends without an end", 1), (0, "empty file", 0),
    ):  # fmt: skip
        cut.write_bytes(content[:end])
        found = load_collection(webdataset)
        assert len(found.images) == 12 + left
        (reason,) = found.quarantine["reason"][found.quarantine["id"] == "works-001.tar"]
        assert words in reason
        assert re.search(
            r"\): [23] members before that, which are whole and in use$" if left else r"\): 0 members", reason
        )
    cut.write_bytes(b"<html>404 Not Found</html>" * 100)
    assert load_collection(webdataset).quarantine["reason"].str.contains("truncated or damaged").any()


def test_a_member_that_is_no_picture_is_in_quarantine(webdataset, tmp_path):
    tar(webdataset / "works-002.tar", {"9.png": b"no picture", "9.json": b'{"style": "a"}', "8.json": b"{}"})
    tar(webdataset / "works-003.tar", {"7.png": picture(tmp_path, "a", 77), "7.json": b"{", "7.jpg": b""})
    found = load_collection(webdataset)
    reasons = dict(zip(found.quarantine["id"], found.quarantine["reason"], strict=True))
    assert reasons["works-002.tar/8"] == "labelled, but no such image"
    assert reasons["works-003.tar/7.jpg"] == "its 7.json can not be read (JSONDecodeError)"
    assert reasons["works-003.tar/7.png"].startswith("beside it stands 7.jpg")
    ready = prepared(webdataset, tmp_path / "store")
    kept = (tmp_path / "store" / "collections" / ready.task.key / "quarantine.csv").read_text()
    assert f'works-002.tar/9.png,{webdataset}/works-002.tar/9.png,"not an image' in kept


def test_folders_in_a_tar_are_its_classes_where_nothing_else_says_so(tmp_path):
    members = {f"works/{c}/{i}.png": picture(tmp_path, c, i) for c in "ab" for i in range(2)}
    file = tar(tmp_path / "all.tar", {name.removeprefix("works/"): content for name, content in members.items()})
    found = load_collection(file)
    assert found.columns["label"].tolist() == ["a", "a", "b", "b"] and found.name == "all"


def test_shards_called_by_splits_bring_them(webdataset):
    for name, split in (("works-000.tar", "train-00000-of-00001.tar"), ("works-001.tar", "test-00000-of-00001.tar")):
        (webdataset / name).rename(webdataset / split)
    assert load_collection(webdataset).images["split"].value_counts().to_dict() == {"train": 12, "test": 12}


def test_a_changed_tar_is_read_anew(webdataset, tmp_path):
    store = ImageStore(tmp_path / "store", 8)
    place = load_collection(webdataset).paths()[:1]
    before = store.scan(place)
    tar(webdataset / "works-000.tar", {"a.png": b"", "0000.png": picture(tmp_path, "b", 99)})
    assert store.scan(place)["sha256"][0] != before["sha256"][0]
    tar(webdataset / "works-000.tar", {"a.png": b""})
    assert store.scan(place)["reason"][0] == "missing file"


# --- patterns


def test_braces_and_stars_name_shards(webdataset):
    both = [str(webdataset / f"works-{i:03d}.tar") for i in range(2)]
    for pattern in ("works-{000..001}.tar", "works-*.tar", "works-00{0,1}.tar", "*.tar"):
        assert expanded(str(webdataset / pattern)) == both
        assert len(load_collection(f"{webdataset}/{pattern}").images) == 24
    found = load_collection(f"{webdataset}/works-{{000..002}}.tar")
    assert found.name == "works"
    assert found.quarantine["reason"].tolist() == ["missing file"]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("none-*.tar", "nothing is called like"),
        ("{0..999999999}.tar", "more than 100,000 files"),
        ("{000..099}.tar", "has no picture in 100 shards, first .*missing file"),
        ("*.csv", "nothing is called like"),
        ("{a,b}.zip", "is no shard: those are called .tar or .parquet"),
    ],
)
def test_patterns_of_nothing_are_one_line(tmp_path, pattern, words):
    with pytest.raises(BadCollection, match=words):
        load_collection(f"{tmp_path}/{pattern}")


# --- Parquet


def test_rows_of_parquet_are_pictures_in_place(tmp_path):
    contents = [picture(tmp_path, "ab"[i % 2], i) for i in range(40)]
    for i, split in enumerate(("train", "validation", "test")):
        parquet(
            tmp_path / "hub" / "data" / f"{split}-00000-of-00001.parquet",
            [*contents[i::3], None],
            [i % 2 for i in range(len(contents[i::3]))] + [-1],
            row_group_size=5,
        )
    found = load_collection(tmp_path / "hub")
    assert found.targets == ["style", "title"] and set(found.images["split"]) == {"train", "val", "test"}
    assert found.images["id"][0] == "test-00000-of-00001.parquet/000000"
    paths = dict(zip(found.images["id"], found.paths(), strict=True))
    for number in (9, 0, 12, 3):  # forwards and backwards
        assert places.read(paths[f"train-00000-of-00001.parquet/{number:06d}"]) == contents[0::3][number]
    scan = ImageStore(tmp_path / "store", 8).scan(found.paths(), workers=2)
    assert scan["reason"].value_counts().to_dict() == {"": 40, "empty file (0 bytes)": 3}
    with pytest.raises(OSError, match="no row"):
        places.read(f"{paths['train-00000-of-00001.parquet/000000'][:-6]}000099")


def test_a_truncated_parquet_shard_is_in_quarantine(tmp_path):
    contents = [picture(tmp_path, "a", i) for i in range(4)]
    parquet(tmp_path / "two" / "a.parquet", contents[:2], [0, 1])
    second = parquet(tmp_path / "two" / "b.parquet", contents[2:], [0, 1])
    second.write_bytes(second.read_bytes()[:-20])
    found = load_collection(tmp_path / "two")
    assert len(found.images) == 2 and "no Parquet file" in found.quarantine["reason"][0]


def test_a_table_of_paths_in_parquet_is_a_table(tmp_path):
    import pandas as pd

    for i in range(2):
        picture(tmp_path, "a", i)
    pd.DataFrame({"image": ["0000.png", "0001.png"], "who": ["x", "y"]}).to_parquet(tmp_path / "t.parquet")
    assert load_collection(tmp_path / "t.parquet").targets == ["who"]


def test_a_shard_is_opened_once_for_the_pictures_near_one_another(tmp_path, monkeypatch):
    file = parquet(tmp_path / "a.parquet", [picture(tmp_path, "a", i) for i in range(30)], [0] * 30)
    opened = []
    monkeypatch.setattr(places, "source", lambda file, real=places.source: opened.append(file) or real(file))
    paths = load_collection(file).paths()
    opened.clear()
    assert len(places.read_all(paths)) == 30 and len(opened) == 1
    with pytest.raises(UserError, match="names more than"):
        expanded("{0..200000}.tar")


# --- addresses


@pytest.fixture
def memory() -> Iterator[str]:
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield "memory://museum"
    system.store.clear()


def put(folder: Path, address: str) -> None:
    import fsspec

    system = fsspec.filesystem("memory")
    for path in sorted(filter(Path.is_file, folder.rglob("*"))):
        system.pipe_file(f"{address}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def test_class_folders_a_table_and_shards_behind_an_address_are_what_they_are_on_a_disk(webdataset, memory, tmp_path):
    put(tmp_path / "plain", f"{memory}/plain")
    put(webdataset, f"{memory}/shards")
    put(tmp_path / "plain", f"{memory}/table/pictures")
    (tmp_path / "t").mkdir()
    rows = [f"{i:04d},{'ab'[i % 2]}" for i in range(24)]
    (tmp_path / "t" / "labels.csv").write_text("\n".join(["image,style", *rows, "9999,a"]))
    put(tmp_path / "t", f"{memory}/table")
    plain = prepared(tmp_path / "plain", tmp_path / "one", "label")
    for n, (data, target) in enumerate({
        f"{memory}/plain": "label", f"{memory}/shards": "style", f"{memory}/shards/works-00{{0..1}}.tar": "style",
        f"{memory}/shards/*.tar": "style", f"{memory}/table": "style", f"{memory}/table/labels.csv": "style",
    }.items()):  # fmt: skip
        far = prepared(data, tmp_path / f"far{n}", target)
        assert sorted(far.sha256) == sorted(plain.sha256)
        assert sorted(far.pixels[row].tobytes() for row in far.rows) == sorted(
            plain.pixels[row].tobytes() for row in plain.rows
        )
        assert far.picture(0, 16).shape == (16, 16, 3)
    bad = load_collection(f"{memory}/table").quarantine
    assert bad["reason"].tolist() == ["labelled, but no such image"]


KILLED = """
import os, signal, sys
import fsspec
from keras_art.data.readers import remote
from keras_art.data.sources import load_collection
system = fsspec.filesystem("memory")
system.pipe_file("/museum/a.png", b"x")
system.pipe_file("/museum/labels.csv", b"image,style\\na.png,a\\n")
remote.from_table = lambda *words, **more: os.kill(os.getpid(), signal.SIGKILL)
load_collection("memory://museum")
"""


def test_a_table_of_an_address_leaves_nothing_where_temporary_files_are(memory, tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    (temporary / "of_others").mkdir(parents=True)
    words = [sys.executable, "-c", KILLED]
    killed = subprocess.run(words, env=os.environ | {"TMPDIR": str(temporary)}, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(temporary.rglob("labels.csv"))) == 1
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "labels.csv").write_text("image,style\n0000.png,a\n")
    picture(tmp_path, "a", 0)
    put(tmp_path / "t", memory)
    put(tmp_path / "plain" / "a", memory)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    assert len(load_collection(memory).images) == 1
    assert [path.name for path in temporary.iterdir()] == ["of_others"]


def test_a_choice_of_an_address_is_studied_again_from_the_store(webdataset, memory, tmp_path):
    put(webdataset, f"{memory}/shards")
    ready = prepared(f"{memory}/shards", tmp_path / "store")
    again = prepared(ready.task.key, tmp_path / "store")
    assert again.task.images.equals(ready.task.images)
    again = tasks.load(Store(tmp_path / "store"), ready.task.key, 8, "squash")  # another size: from the address
    assert again.pixels.shape[1] == 8


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("memory://nothing", "memory://nothing is not there"),
        ("memory://museum/*.tar", "nothing is called like"),
        ("memory://museum/a.tar", "has no picture in 1 shards, first .*missing file"),
        ("memory://museum/labels.csv", "is not there"),
        ("nosuch://museum", "no kind of address that is known"),
        ("s3:/", "neither a folder nor a file"),
    ],
)
def test_addresses_of_nothing_are_one_line(memory, data, words):
    with pytest.raises(BadCollection if "nosuch" not in data else UserError, match=words) as refused:
        load_collection(data)
    assert "\n" not in str(refused.value)


def test_a_client_that_is_not_installed_is_named_with_its_remedy(monkeypatch):
    import sys

    addresses._system.cache_clear()
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(UserError, match=r'gs:// needs more .*pip install "keras_art\[remote\]"'):
        load_collection("gs://museum/works")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UserError, match=r'pip install "keras_art\[remote\]"'):
        load_collection("gcs://museum/works")
    addresses._system.cache_clear()


# --- a server


class Files(http.server.SimpleHTTPRequestHandler):
    """Files, and parts of them; `/secret` is forbidden, and `/whole` gives no parts."""

    def log_message(self, *words: object) -> None: ...

    asked: ClassVar[list[tuple[str, int]]] = []  # of each request for content: what, and how many bytes were given

    def do_GET(self) -> None:
        if self.path.startswith("/secret"):
            return self.send_error(403)
        asked = self.headers.get("Range")
        path = Path(self.translate_path(self.path))
        if not asked or not path.is_file() or "/whole" in self.path:
            return super().do_GET()
        first, last = asked.removeprefix("bytes=").split("-")
        content = path.read_bytes()
        part = content[int(first) : int(last) + 1 if last else None]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)
        self.asked.append((self.path, len(part)))

    def do_HEAD(self) -> None:
        if self.path.startswith("/secret"):
            return self.send_error(403)
        super().do_HEAD()

    def end_headers(self) -> None:
        if "/whole" not in self.path:
            self.send_header("Accept-Ranges", "bytes")
        super().end_headers()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("aiohttp")
    handler = functools.partial(Files, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.mark.filterwarnings("ignore")
def test_shards_and_folders_of_a_web_server_are_read_in_place(webdataset, server, tmp_path):
    plain = prepared(webdataset, tmp_path / "one")
    far = prepared(f"{server}/shards/works-{{000..001}}.tar", tmp_path / "two")
    assert sorted(far.sha256) == sorted(plain.sha256)
    folders = prepared(f"{server}/plain", tmp_path / "three", "label")
    assert sorted(folders.sha256) == sorted(plain.sha256)


STARTED = """
import sys
from test_shards import prepared
print(sorted(prepared(sys.argv[1], sys.argv[2]).sha256))
"""


@pytest.mark.filterwarnings("ignore")
def test_what_a_tar_of_a_server_holds_is_asked_for_once_in_a_store(webdataset, server, tmp_path):
    def started() -> tuple[str, int]:
        Files.asked.clear()
        words = [sys.executable, "-c", STARTED, f"{server}/shards/works-{{000..001}}.tar", str(tmp_path / "store")]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        said = subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout
        return said, sum(size for _, size in Files.asked)

    first, size = started()
    assert size > 2 * (webdataset / "works-000.tar").stat().st_size  # gone through, then each picture
    assert started() == (first, 0)
    kept = sorted((tmp_path / "store" / "cache" / "shards").glob("works-*"))
    assert len(kept) == 2
    whole = kept[0].read_bytes()
    for damaged in (whole[:-40], whole.replace(b"0001.png", b"0001.pnh")):
        kept[0].write_bytes(damaged)
        assert started()[0] == first and kept[0].read_bytes() == whole
    changed = webdataset / "works-001.tar"
    content = changed.read_bytes()
    changed.write_bytes(content.replace(b"0013.", b"0031."))  # the header's checksum is the same
    os.utime(changed, (time.time() + 9,) * 2)
    found, size = started()
    assert found == first and size > 0
    assert b"0031.png" in kept[1].read_bytes()


@pytest.mark.parametrize(
    "shape",
    [
        "5",
        "[" * 100_000,
        '[{of}, [], ["a"], {{}}, [], ""]',
        '[{of}, 5, {{}}, {{}}, [], ""]',
        '[{of}, [], {{"a": ["x", {{}}]}}, {{}}, [], ""]',
        '[{of}, [], {{}}, {{"a": 5}}, [], ""]',
        '[{of}, [], {{}}, {{"a": "\\u4e00"}}, [], ""]',
        '[{of}, [], {{}}, {{}}, 5, ""]',
    ],
)
def test_what_another_version_kept_of_a_tar_is_gone_through_anew(webdataset, memory, tmp_path, shape):
    put(webdataset, f"{memory}/shards")
    members.keep_in(tmp_path / "store")
    members._indices.clear()
    place = f"{memory}/shards/works-000.tar/0001.png"
    before = places.read(place)
    (kept,) = (tmp_path / "store" / "cache" / "shards").iterdir()
    whole = kept.read_bytes()
    content = shape.format(of=json.dumps(json.loads(whole.rpartition(b"\t")[0])[0])).encode()
    kept.write_bytes(b"%s\t%08x" % (content, zlib.crc32(content)))
    members._indices.clear()
    assert places.read(place) == before and kept.read_bytes() == whole


def test_texts_that_were_not_asked_for_before_are_read(webdataset, memory, tmp_path):
    put(webdataset, f"{memory}/shards")
    members.keep_in(tmp_path / "store")
    members._indices.clear()
    place = f"{memory}/shards/works-000.tar"
    assert places.read(f"{place}/0001.png")
    (kept,) = (tmp_path / "store" / "cache" / "shards").iterdir()
    assert b"1881" not in kept.read_bytes()
    assert load_collection(place).columns["year"].tolist()[1] == "1881"
    assert b"1881" in kept.read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_what_a_server_forbids_or_has_not_got_is_in_quarantine(webdataset, server, tmp_path):
    found = load_collection(f"{server}/shards/works-000.tar")
    assert len(found.images) == 12
    with pytest.raises(BadCollection, match=r"first .*permission denied"):
        load_collection(f"{server}/secret/a-{{0..1}}.tar")
    with pytest.raises(BadCollection, match="is forbidden: give its client a key"):
        load_collection(f"{server}/secret/works")
    with pytest.raises(BadCollection, match=r"first .*missing file"):
        load_collection(f"{server}/shards/gone.tar")
    scan = ImageStore(tmp_path / "store", 8).scan(
        [f"{server}/plain/a/0000.png", f"{server}/secret/1.png", f"{server}/plain/a/gone.png"], workers=2
    )
    assert scan["reason"].tolist() == ["", "permission denied", "missing file"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("inside", ["", "/a.tar", "/*.tar", "/labels.csv"])
def test_where_nothing_answers_is_one_line_within_ten_seconds(inside):
    pytest.importorskip("aiohttp")
    with pytest.raises(UserError, match=r"can not be fetched .*and the same command goes on"):
        load_collection(f"http://127.0.0.1:9/works{inside}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("inside", ["", "/a.tar", "/labels.csv"])
def test_a_server_that_accepts_and_is_silent_is_one_line_in_time_and_shown_meanwhile(monkeypatch, inside):
    pytest.importorskip("aiohttp")
    addresses._system.cache_clear()
    shown = []
    monkeypatch.setattr(addresses, "READ_SECONDS", 0.5)
    monkeypatch.setattr(addresses.terminal, "waiting", lambda words: shown.append(words) or contextlib.nullcontext())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(UserError, match=r"does not answer .*the same command goes on later"):
            load_collection(f"{host}/works{inside}")
    assert time.monotonic() - began < 10 and f"waiting for {host}" in shown
    addresses._system.cache_clear()


@pytest.mark.filterwarnings("ignore")
def test_a_server_that_is_silent_when_a_shard_is_read_is_one_line(monkeypatch, webdataset, server):
    over = threading.Event()
    monkeypatch.setattr(Files, "do_GET", lambda handler: over.wait(20))
    monkeypatch.setattr(addresses, "READ_SECONDS", 0.5)
    addresses._system.cache_clear()
    with pytest.raises(UserError, match=r"does not answer"):
        load_collection(f"{server}/shards/works-000.tar")
    over.set()
    addresses._system.cache_clear()


def test_members_of_a_tar_are_gone_through_once(webdataset, monkeypatch):
    gone = []
    monkeypatch.setattr(members, "_index", lambda *args, real=members._index: gone.append(args) or real(*args))
    places.read_all(load_collection(webdataset).paths())
    assert len(gone) == 2


def test_what_is_written_of_shards_is_read_again(webdataset, memory, tmp_path):
    from keras_art.commands.manifests import main as manifests

    contents = [picture(tmp_path, "ab"[i % 2], i) for i in range(4)]
    parquet(tmp_path / "a.parquet", contents, [0, 1, 0, 1])
    put(webdataset, f"{memory}/shards")
    for data in (webdataset, tmp_path / "a.parquet", f"{memory}/shards"):
        out = tmp_path / ("far" if "memory:" in str(data) else "") / "out.csv"
        assert manifests([str(data), "--out", str(out)]) == 0
        again, before = load_collection(out), load_collection(data)
        assert again.paths() == before.paths() and again.columns["style"].equals(before.columns["style"])
    (tmp_path / "out.csv").write_text("image,style\nshards/works-000.tar/gone.png,a\na.parquet/000009,b\n")
    with pytest.raises(BadCollection, match=r"no column .* names images that exist"):
        load_collection(tmp_path / "out.csv")


def test_a_member_can_not_lie_outside_its_shard(tmp_path):
    picture, outside = paint(tmp_path / "one.png", "a", 0, 8).read_bytes(), tmp_path / "b" / "0.png"
    paint(outside, "b", 1, 8)
    names = ["a/0.png", "../b/0.png", "a/../../b/0.png", "./a/0.png", "/a/1.png"]
    found = load_collection(tar(tmp_path / "shard.tar", dict.fromkeys(names, picture)))
    assert list(found.images["id"]) == ["shard.tar/a/0.png", "shard.tar/a/1.png"]
    assert dict(zip(found.quarantine["id"], found.quarantine["reason"], strict=True)) == {
        "shard.tar/../b/0.png": "its name leads out of the shard",
        "shard.tar/a/../../b/0.png": "its name leads out of the shard",
        "shard.tar/./a/0.png": "another member of its name stands before it",
    }


@pytest.mark.parametrize("damage", [b"\xff" * 8, b"\0" * 512], ids=["header", "hole"])
def test_a_tar_that_goes_on_after_its_damage_says_so(tmp_path, damage):
    picture = paint(tmp_path / "one.png", "a", 0, 8).read_bytes()
    path = tar(tmp_path / "shard.tar", {f"a/{n}.png": picture for n in range(4)})
    with tarfile.open(path) as opened:
        third = opened.getmember("a/2.png").offset
    with path.open("r+b") as file:
        file.seek(third + (148 if len(damage) < 512 else 0))  # of a header, its checksum
        file.write(damage)
    found = load_collection(path)
    assert len(found.images) == 2
    assert "goes on after what can not be read): 2 members before that" in found.quarantine["reason"].iloc[0]


def test_two_columns_of_one_name_are_told(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    images = pa.array([{"bytes": paint(tmp_path / "one.png", "a", 0, 8).read_bytes(), "path": "one.png"}])
    table = pa.table([images, pa.array(["x"]), pa.array(["y"])], names=["image", "label", "label"])
    pq.write_table(table, tmp_path / "twice.parquet")
    with pytest.raises(BadCollection, match="two columns of it are called label"):
        load_collection(tmp_path / "twice.parquet")

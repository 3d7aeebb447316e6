"""An object store of this machine (moto): shards, folders, what is forbidden, and what is not there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_shards import parquet, picture, prepared, tar

from keras_art.data.sources import BadCollection, load_collection
from keras_art.errors import UserError
from keras_art.pictures import addresses
from keras_art.pictures.decoded import ImageStore

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    running = server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    addresses._system.cache_clear()
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    system = addresses._system("s3")
    system.makedirs("museum", exist_ok=True)
    for i in range(24):
        picture(tmp_path, "ab"[i % 2], i)
    for style in "ab":
        pictures = {f"{style}{i}.png": picture(tmp_path, style, 2 * i + (style == "b")) for i in range(12)}
        said = {f"{style}{i}.cls": style.encode() for i in range(12)}
        tar(tmp_path / "shards" / f"{style}.tar", pictures | said)
    contents = [path.read_bytes() for path in sorted((tmp_path / "plain").rglob("*.png"))]
    parquet(tmp_path / "rows" / "all.parquet", contents, [0] * 12 + [1] * 12, row_group_size=6)
    for folder in ("plain", "shards", "rows"):
        system.put(str(tmp_path / folder), f"museum/{folder}", recursive=True)
    yield "s3://museum"
    running.stop()
    addresses._system.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()


def test_folders_tars_and_parquet_of_an_object_store_are_what_they_are_on_a_disk(bucket, tmp_path):
    plain = prepared(tmp_path / "plain", tmp_path / "one", "label")
    for n, (data, target) in enumerate({
        f"{bucket}/plain": "label", f"{bucket}/shards/{{a,b}}.tar": "cls", f"{bucket}/rows": "style",
    }.items()):  # fmt: skip
        far = prepared(data, tmp_path / f"far{n}", target)
        assert sorted(far.sha256) == sorted(plain.sha256)
        assert far.picture(0, 16).shape == (16, 16, 3)
        again = prepared(data, tmp_path / f"far{n}", target)
        assert again.task.images.equals(far.task.images)


def test_what_an_object_store_forbids_or_has_not_got_is_told(bucket, tmp_path, monkeypatch):
    with pytest.raises(BadCollection, match="is not there"):
        load_collection("s3://nobody/works")
    one = ImageStore(tmp_path / "store", 8).scan([f"{bucket}/plain/a/0000.png", f"{bucket}/plain/a/gone.png"])
    assert one["reason"].tolist() == ["", "missing file"]
    system = addresses._system("s3")

    def forbidden(*args: object, **words: object) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(system, "info", forbidden)
    monkeypatch.setattr(system, "find", forbidden)
    with pytest.raises(BadCollection, match="is forbidden: give its client a key"):
        load_collection(f"{bucket}/plain")


def test_an_object_store_where_nothing_answers_is_one_line_in_time(monkeypatch):
    pytest.importorskip("s3fs")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    import s3fs

    addresses._system.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()
    began = time.monotonic()
    with pytest.raises(UserError, match=r"can not be fetched"):
        load_collection("s3://museum/works")
    assert time.monotonic() - began < 15
    addresses._system.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()

"""Many images from a local server: whatever dies is named, and what comes is named by its content."""

from __future__ import annotations

import errno
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import paint
from PIL import Image
from test_downloads import Server, breaking, server, status, whole  # noqa: F401  (server is a fixture)

from keras_art.fetching import downloads, harvest
from keras_art.fetching.downloads import Downloader
from keras_art.fetching.harvest import Wanted
from keras_art.fetching.services import Painted


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "WAIT", 0.0)


def encoded(tmp_path: Path, format: str, size: int = 40) -> bytes:
    path = tmp_path / f"encoded.{format}"
    Image.open(paint(tmp_path / "painted.png", "a", 1)).convert("RGB").resize((size, size)).save(path, format)
    return path.read_bytes()


def get(*images: Wanted, downloader: Callable[[], Downloader] = lambda: Downloader(0)) -> dict[str, str]:
    """Name -> reason of what could not be had."""
    told: list[tuple[int, int]] = []
    failed = harvest.harvest(images, downloader, lambda done, total: told.append((done, total)))
    return {image.path.name: reason for image, reason in failed}


def of_manifest(tmp_path: Path, picture: Painted, name: str = "one") -> Wanted:
    return Wanted(tmp_path / "images" / name, picture.source, picture, 1024)


@pytest.mark.parametrize(
    ("format", "suffix"),
    [("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp"), ("TIFF", ".tif"), ("GIF", ".gif"), ("JPEG2000", ".jp2")],
)
def test_a_picture_is_named_by_its_content_whatever_its_address_says(server, tmp_path, format, suffix):  # noqa: F811
    content = encoded(tmp_path, format)
    body = server.on("/picture.jpg", whole(content))
    assert get(of_manifest(tmp_path, Painted(body), "SK.A.1-ab")) == {}
    assert (tmp_path / "images" / f"SK.A.1-ab{suffix}").read_bytes() == content
    assert harvest.pictures_in(tmp_path / "images") == {"SK.A.1-ab": f"SK.A.1-ab{suffix}"}


def test_a_name_that_a_table_gives_stays(server, tmp_path):  # noqa: F811
    assert get(Wanted(tmp_path / "7.jpg", server.on("/7", whole(encoded(tmp_path, "PNG"))))) == {}
    assert (tmp_path / "7.jpg").exists()


@pytest.mark.parametrize(
    "content",
    [b"<html>moved</html>", b"", b"\xff\xd8\xff\xe0 cut off", b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(5000)],
)
def test_what_is_no_picture_is_not_kept_and_named(server, tmp_path, content):  # noqa: F811
    failed = get(of_manifest(tmp_path, Painted(server.on("/a", whole(content)))))
    assert "what came is no picture" in failed["one"]
    assert list((tmp_path / "images").iterdir()) == []


@pytest.mark.parametrize(("side", "suffix"), [(60, ".png"), (80, ".tif")])  # above the limit, and above twice of it
def test_a_master_too_large_for_this_machine_is_kept(server, tmp_path, monkeypatch, side, suffix):  # noqa: F811
    content = encoded(tmp_path, "PNG", side)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)
    assert get(of_manifest(tmp_path, Painted(server.on("/a", whole(content))))) == {}
    assert (tmp_path / "images" / f"one{suffix}").read_bytes() == content


def test_a_picture_that_needs_a_plug_in_is_kept(server, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    content = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    assert get(of_manifest(tmp_path, Painted(server.on("/a", whole(content))))) == {}
    assert (tmp_path / "images" / "one.heic").read_bytes() == content


def service(server: Server, picture: bytes, **more: object) -> Painted:  # noqa: F811
    info = {
        "@context": "http://iiif.io/api/image/2/context.json",
        "@id": f"{server.url}/s",
        "profile": "level2",
        **more,
    }
    server.on("/s/info.json", whole(json.dumps(info).encode()))
    server.on("/full.jpg", whole(picture))
    known = {"@id": f"{server.url}/s", "profile": "http://iiif.io/api/image/2/level2.json"}
    return Painted(f"{server.url}/full.jpg", known)


def test_the_size_is_the_one_that_info_json_allows(server, tmp_path):  # noqa: F811
    picture = encoded(tmp_path, "JPEG")
    painted = service(server, picture, width=3000, height=4000, maxWidth=600)
    server.on("/s/full/450,/0/default.jpg", whole(picture))
    assert get(of_manifest(tmp_path, painted)) == {}
    assert [path for path, _ in server.asked] == ["/s/info.json", "/s/full/450,/0/default.jpg"]
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["one.jpg"]


@pytest.mark.parametrize("info", [status(404), whole(b"<html>"), whole(b"[]"), whole(b"{}"), status(401)])
def test_without_a_sound_info_json_one_address_after_the_other_is_tried(server, tmp_path, info):  # noqa: F811
    painted = service(server, encoded(tmp_path, "JPEG"))
    server.on("/s/info.json", info)
    server.on("/s/full/!1024,1024/0/default.jpg", status(400))
    assert get(of_manifest(tmp_path, painted)) == {}
    assert [path for path, _ in server.asked][1:] == ["/s/full/!1024,1024/0/default.jpg", "/full.jpg"]


@pytest.mark.parametrize("refusal", [status(403), status(429, Retry_After="9999")])
def test_a_service_that_refuses_to_speak_of_a_picture_is_not_asked_for_it(server, tmp_path, refusal):  # noqa: F811
    painted = service(server, encoded(tmp_path, "JPEG"))
    server.on("/s/info.json", refusal)
    assert list(get(of_manifest(tmp_path, painted))) == ["one"]
    assert [path for path, _ in server.asked] == ["/s/info.json"]


def test_a_manifest_that_tells_the_size_saves_asking_for_it(server, tmp_path):  # noqa: F811
    known = {"id": f"{server.url}/s", "type": "ImageService3", "profile": "level1", "width": 300, "height": 200}
    server.on("/s/full/max/0/default.jpg", whole(encoded(tmp_path, "JPEG")))
    assert get(of_manifest(tmp_path, Painted("", known))) == {}
    assert len(server.asked) == 1


def test_a_part_that_nobody_cuts_out_is_not_replaced_by_the_whole(server, tmp_path):  # noqa: F811
    whole_one = server.on("/full.jpg", whole(encoded(tmp_path, "JPEG")))
    failed = get(of_manifest(tmp_path, Painted(whole_one, {}, "0,0,10,10")))
    assert "only a part of the picture is on its canvas" in failed["one"]
    assert server.asked == []


@pytest.mark.parametrize("error", [RuntimeError("odd"), MemoryError(), KeyError("x"), RecursionError()])
def test_any_error_is_of_its_image_alone_and_reported(server, tmp_path, monkeypatch, error):  # noqa: F811
    decode = harvest.decode

    def failing(path: Path, size: int) -> object:
        if path.name.startswith("3"):
            raise error
        return decode(path, size)

    monkeypatch.setattr(harvest, "decode", failing)
    content = encoded(tmp_path, "JPEG")
    failed = get(*(Wanted(tmp_path / f"{i}.jpg", server.on(f"/{i}", whole(content))) for i in range(5)))
    assert list(failed) == ["3.jpg"] and type(error).__name__ in failed["3.jpg"]
    assert sorted(path.name for path in tmp_path.glob("?.jpg")) == ["0.jpg", "1.jpg", "2.jpg", "4.jpg"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_leaves_no_image_unnamed(server, tmp_path, monkeypatch):  # noqa: F811
    def dying(path: Path, size: int) -> object:
        if path.name.startswith("1"):
            raise SystemExit
        return original(path, size)

    original = harvest.decode
    monkeypatch.setattr(harvest, "decode", dying)
    content = encoded(tmp_path, "JPEG")
    failed = get(*(Wanted(tmp_path / f"{i}.jpg", server.on(f"/{i}", whole(content))) for i in range(10)))
    assert sorted(failed) == [f"{i}.jpg" for i in range(1, 10)]


def test_a_downloader_that_can_not_be_made_is_reported_for_every_image(tmp_path):
    def broken() -> Downloader:
        raise ImportError("no requests")

    failed = get(*(Wanted(tmp_path / f"{i}.jpg", "http://m.example/") for i in range(3)), downloader=broken)
    assert failed == {f"{i}.jpg": "ImportError: no requests" for i in range(3)}


def test_a_full_disk_stops_everything_and_every_image_is_named(server, tmp_path, monkeypatch):  # noqa: F811
    def full(*words: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(downloads.os, "replace", full)
    content = encoded(tmp_path, "JPEG")
    failed = get(*(Wanted(tmp_path / f"{i}.jpg", server.on(f"/{i}", whole(content))) for i in range(5)))
    assert failed["0.jpg"] == "can not be written (No space left on device)"
    assert [failed[f"{i}.jpg"] for i in range(1, 5)] == ["not asked for: the fetch ended before"] * 4


@pytest.mark.parametrize("refusal", [status(403), status(429, Retry_After="9999")])
def test_a_server_that_refuses_three_times_is_asked_no_more(server, tmp_path, refusal):  # noqa: F811
    failed = get(*(Wanted(tmp_path / f"{i}.jpg", server.on(f"/{i}", refusal)) for i in range(10)))
    assert len(server.asked) == 3
    assert sum("its server refused before" in reason for reason in failed.values()) == 7


def test_a_picture_that_is_refused_under_each_of_its_addresses_counts_once(server, tmp_path):  # noqa: F811
    known = {"id": f"{server.url}/s", "type": "ImageService3", "profile": "level2", "width": 3000, "height": 4000}
    for path in ("/s/full/768,/0/default.jpg", "/s/full/max/0/default.jpg", "/body.jpg"):
        server.on(path, status(403))
    closed = [of_manifest(tmp_path, Painted(f"{server.url}/body.jpg", known), f"{i}") for i in range(2)]
    failed = get(*closed, of_manifest(tmp_path, Painted(server.on("/9", whole(encoded(tmp_path, "JPEG")))), "9"))
    assert sorted(failed) == ["0", "1"]


def test_a_server_that_is_not_there_is_given_up_and_others_go_on(server, tmp_path):  # noqa: F811
    here = [Wanted(tmp_path / f"{i}.jpg", server.on(f"/{i}", whole(encoded(tmp_path, "JPEG")))) for i in range(3)]
    gone = [Wanted(tmp_path / f"g{i}.jpg", f"http://127.0.0.1:9/{i}") for i in range(6)]
    failed = get(*here, *gone)
    assert sorted(failed) == [f"g{i}.jpg" for i in range(6)]
    assert sum("its server refused before" in reason for reason in failed.values()) == 3


def test_one_file_that_always_breaks_is_not_its_server_away(server, tmp_path):  # noqa: F811
    content = encoded(tmp_path, "JPEG")
    broken = [Wanted(tmp_path / f"{i}.jpg", server.on(f"/{i}", breaking(10))) for i in range(4)]
    failed = get(*broken, Wanted(tmp_path / "9.jpg", server.on("/9", whole(content))))
    assert sorted(failed) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]


def test_pictures_behind_a_login_do_not_hide_the_others(server, tmp_path):  # noqa: F811
    closed = [Wanted(tmp_path / f"{i}.jpg", server.on(f"/{i}", status(401))) for i in range(5)]
    failed = get(*closed, Wanted(tmp_path / "9.jpg", server.on("/9", whole(encoded(tmp_path, "JPEG")))))
    assert sorted(failed) == [f"{i}.jpg" for i in range(5)]


def test_each_server_has_a_thread_of_its_own(server, tmp_path):  # noqa: F811
    """The first server answers only once the second one has been asked."""
    other, meeting = Server(), threading.Barrier(2, timeout=30)
    content = whole(encoded(tmp_path, "JPEG"))

    def together(request: object) -> None:
        meeting.wait()
        content(request)

    assert get(*(Wanted(tmp_path / f"{i}.jpg", each.on("/", together)) for i, each in enumerate((server, other)))) == {}
    other.server.shutdown()
    other.server.server_close()

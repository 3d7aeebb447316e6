"""Manifests and collections, from files and from a local server that serves maintenance pages and worse."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from test_downloads import Server, server, status, whole  # noqa: F401  (server is a fixture)

from keras_art.fetching import connections, downloads, iiif
from keras_art.fetching.downloads import Downloader, NotFetched


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "WAIT", 0.0)


def read(tmp_path: Path, content: object, name: str = "manifest.json", **limits: int) -> list[iiif.Page]:
    pages, dead = read_all(tmp_path, content, name, **limits)
    assert dead == []
    return pages


def read_all(tmp_path: Path, content: object, name: str = "manifest.json", **limits: int) -> Any:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return iiif.read(str(path), Downloader(0, servers=set()), tmp_path / "kept", iiif.Extent(**limits))


def from_server(url: str, tmp_path: Path, **limits: int) -> Any:
    polite = Downloader(0, servers={connections.server(url)})
    return iiif.read(url, polite, tmp_path / "data" / "manifests", iiif.Extent(**limits))


def version_2(resource: dict[str, object]) -> dict[str, object]:
    return {
        "@context": "http://iiif.io/api/presentation/2/context.json",
        "@type": "sc:Manifest",
        "@id": "https://museum.example/iiif/110X-445/manifest.json",
        "label": [{"@value": "Bunshō", "@language": "en"}],
        "license": "https://creativecommons.org/licenses/by/4.0/",
        "attribution": "<b>Keio</b> University",
        "metadata": [
            {"label": "Date", "value": ["1500", "1600"]},
            {"label": [{"@value": "Holder", "@language": "en"}], "value": "<a href='x'>Keio</a>"},
        ],
        "sequences": [
            {
                "canvases": [
                    {"@id": f"https://museum.example/canvas/{i}", "label": str(i), "images": [{"resource": resource}]}
                    for i in (1, 2)
                ]
            }
        ],
    }


def version_3(id_: str, *images: str, **more: object) -> dict[str, object]:
    """A manifest whose canvases are called like their images."""
    canvases = [
        {"id": f"{image}#canvas", "type": "Canvas", "items": [{"items": [{"body": {"id": image, "type": "Image"}}]}]}
        for image in images
    ]
    return {"type": "Manifest", "id": id_, "label": {"nl": ["Zwaan"]}, "items": canvases, **more}


def collection(*members: object, **more: object) -> dict[str, object]:
    items = [{"id": member, "type": "Manifest"} if isinstance(member, str) else member for member in members]
    return {"type": "Collection", "id": "https://m.example/all", "items": items, **more}


def body(content: object) -> Any:
    return whole(json.dumps(content).encode())


def urls(pages: list[iiif.Page]) -> list[str]:
    return [page.row["url"] for page in pages]


def test_version_2_gives_every_canvas_with_its_metadata(tmp_path):
    service = {"@id": "https://museum.example/image/7/", "profile": "http://iiif.io/api/image/2/level1.json"}
    pages = read(tmp_path, version_2({"@id": "https://museum.example/full.jpg", "service": service}))
    row = dict(pages[1].row)
    assert row.pop("id").startswith("110X-445-")
    assert row == {
        "image": "",
        "url": "https://museum.example/image/7",
        "canvas": "https://museum.example/canvas/2",
        "manifest": "https://museum.example/iiif/110X-445/manifest.json",
        "object_id": "https://museum.example/iiif/110X-445/manifest.json",
        "rights": "https://creativecommons.org/licenses/by/4.0/; Keio University",
        "dc:title": "Bunshō",
        "dc:date": "1500; 1600",
        "Holder": "Keio",
    }
    assert len(pages) == len({page.row["id"] for page in pages}) == 2


def test_canvases_without_a_picture_are_left_out(tmp_path):
    manifest = version_3("https://m.example/9/manifest", "https://m.example/a.jpg")
    manifest["items"] += [{"id": "c2", "type": "Canvas", "items": []}, "odd", None, {"items": "odd"}]
    (page,) = read(tmp_path, manifest)
    assert (page.row["url"], page.row["dc:title"]) == ("https://m.example/a.jpg", "Zwaan")


def test_ids_belong_to_pictures_and_stay_when_others_come_go_and_change_places(tmp_path):
    def ids(*images: str) -> dict[str, str]:
        pages = read(tmp_path, version_3("https://m.example/9/manifest", *images))
        return {page.row["url"]: page.row["id"] for page in pages}

    before = ids("https://m/red", "https://m/blue")
    assert ids("https://m/lime", "https://m/red", "https://m/blue").items() > before.items()
    assert ids("https://m/blue", "https://m/red") == before
    assert ids("https://m/blue") == {"https://m/blue": before["https://m/blue"]}


def test_two_museums_whose_addresses_end_alike_share_neither_folder_nor_ids(tmp_path):
    one, two = (f"https://{name}.example/iiif/12345/manifest" for name in ("one", "two"))
    assert iiif.folder_name(one) != iiif.folder_name(two)
    assert iiif.folder_name(one).startswith("12345-")
    assert iiif.folder_name(f"{one}?page=1") != iiif.folder_name(f"{one}?page=2")
    first, second = (read(tmp_path, version_3(id_, "https://m.example/a.jpg"))[0].row["id"] for id_ in (one, two))
    assert first != second


def test_a_file_is_known_by_its_whole_path_wherever_one_stands(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert (
        iiif.folder_name("m.json")
        == iiif.folder_name(str(tmp_path / "a" / "m.json"))
        == iiif.folder_name("../a/m.json")
    )
    assert iiif.folder_name("m.json") != iiif.folder_name("../m.json")


def test_canvases_of_one_name_keep_their_own_pictures(tmp_path):
    def ids(*images: str) -> list[tuple[str, str]]:
        manifest = version_3("https://m.example/9/manifest", *images)
        for canvas in manifest["items"]:
            canvas["id"] = "same"
        return [(page.row["url"], page.row["id"]) for page in read(tmp_path, manifest)]

    before = ids("https://m/a", "https://m/b", "https://m/a")
    assert [url for url, _ in before] == ["https://m/a", "https://m/b", "https://m/a"]
    assert len({id_ for _, id_ in before}) == 3
    assert ids("https://m/c", "https://m/b", "https://m/a")[1:] == [before[1], before[0]]


# --- collections


def test_a_collection_of_files_gives_all_its_manifests_in_order(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("one", "two"):
        manifest = version_3(f"https://{name}.example/object/1/manifest", f"https://m.example/{name}.jpg")
        (tmp_path / "sub" / f"{name}.json").write_text(json.dumps(manifest))
    (tmp_path / "sub" / "part.json").write_text(json.dumps(collection("two.json")))  # beside the file that names it
    pages = read(tmp_path, collection(str(tmp_path / "sub" / "one.json"), "sub/part.json", "sub/one.json"), "all.json")
    assert urls(pages)[:2] == ["https://m.example/one.jpg", "https://m.example/two.jpg"]


def test_collections_of_every_version_are_read(server, tmp_path):  # noqa: F811
    manifests = [server.on(f"/{n}", body(version_3(f"/{n}", f"{server.url}/{n}.jpg"))) for n in range(6)]
    top = {
        "@type": "sc:Collection",
        "@id": server.url,
        "manifests": [{"@id": manifests[0], "@type": "sc:Manifest"}, manifests[1]],
        "members": [{"@id": manifests[0], "@type": "sc:Manifest"}, {"@id": manifests[2], "@type": "sc:Manifest"}],
        "collections": [{"@type": "sc:Collection", "manifests": [{"@id": manifests[3]}]}],
        "first": server.on("/page/1", body({"type": "CollectionPage", "items": [{"id": manifests[4]}], "next": "/2"})),
    }
    server.on("/page/1", body({"type": "CollectionPage", "items": [{"id": manifests[4]}], "next": f"{server.url}/p2"}))
    server.on("/p2", body({"type": "CollectionPage", "items": [{"id": manifests[5]}], "next": f"{server.url}/page/1"}))
    pages, dead = from_server(server.on("/top", body(top)), tmp_path)
    assert dead == []
    assert sorted(urls(pages)) == [f"{server.url}/{n}.jpg" for n in range(6)]
    assert [path for path, _ in server.asked].count("/0") == 1


@pytest.mark.parametrize(
    "answer",
    [
        status(404),
        status(500),
        whole(b"<html>maintenance</html>"),
        whole(b"[1]"),
        whole(b'{"type": "AnnotationPage"}'),
        whole(b"[" * 100_000),
        whole(b'{"type": "Manifest", "metadata": [{"label": "x", "value": ' + b"[" * 900 + b"]" * 900 + b"}]}"),
        whole(b'{"type": "Manifest", "items": 7e999999}\xff'),
        whole(b""),
    ],
)
def test_a_dead_member_is_named_and_the_others_are_read(server, tmp_path, answer):  # noqa: F811
    good = server.on("/good", body(version_3("good", f"{server.url}/a.jpg")))
    dead_one = server.on("/dead", answer)
    pages, dead = from_server(server.on("/top", body(collection(dead_one, good))), tmp_path)
    assert urls(pages) == [f"{server.url}/a.jpg"]
    assert [address for address, _ in dead] == [dead_one]


def test_members_of_a_server_are_never_files_of_this_machine(server, tmp_path):  # noqa: F811
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(version_3("s", "https://m.example/s.jpg")))
    inner = {"type": "Collection", "id": "inner", "items": [{"id": f"{tmp_path}/./secret.json", "type": "Manifest"}]}
    members = [str(secret), f"file://{secret}", os.path.relpath(secret), inner]
    good = server.on("/good", body(version_3("good", f"{server.url}/a.jpg")))
    pages, dead = from_server(server.on("/top", body(collection(*members, good))), tmp_path)
    assert urls(pages) == [f"{server.url}/a.jpg"]
    assert len(dead) == 4
    assert all("never a file of this machine" in why or "no http or https address" in why for _, why in dead)


def test_a_file_is_no_way_through_a_server_to_another_file(server, tmp_path):  # noqa: F811
    (tmp_path / "secret.json").write_text(json.dumps(version_3("s", "https://m.example/s.jpg")))
    there = server.on("/there", body(collection(str(tmp_path / "secret.json"))))
    pages, dead = read_all(tmp_path, collection(there))
    assert pages == [] and len(dead) == 1


@pytest.mark.parametrize(
    "address", ["ftp://m.example/x", "file:///etc/passwd", "gopher://m.example", "HTTP:///x", "http://[x"]
)
def test_only_http_is_asked(tmp_path, address):
    with pytest.raises(NotFetched, match="is no http or https address"):
        from_server(address, tmp_path)


def test_servers_that_the_named_document_does_not_name_are_not_asked(server, tmp_path):  # noqa: F811
    strange = Server()
    there = strange.on("/m", body(version_3("m", "https://m.example/a.jpg")))
    between = server.on("/between", body(collection(there)))
    pages, dead = from_server(server.on("/top", body(collection(between))), tmp_path)
    assert pages == [] and strange.asked == []
    assert "--follow_hosts asks it too" in dead[0][1]
    pages, dead = iiif.read(server.url + "/top", Downloader(0), tmp_path / "other" / "manifests")
    assert urls(pages) == ["https://m.example/a.jpg"] and dead == []
    pages, dead = from_server(server.on("/named", body(collection(there))), tmp_path)  # the named document names it
    assert urls(pages) == ["https://m.example/a.jpg"] and dead == []
    strange.server.shutdown()
    strange.server.server_close()


def test_collections_that_hold_one_another_end(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(collection("manifest.json")))
    manifest = version_3("m", "https://m.example/a.jpg")
    (tmp_path / "m.json").write_text(json.dumps(manifest))
    assert len(read(tmp_path, collection("a.json", "manifest.json", "m.json"))) == 1


def test_depth_is_bounded_and_the_flag_is_told(tmp_path):
    for i in range(10):
        (tmp_path / f"{i}.json").write_text(json.dumps(collection(f"{i + 1}.json")))
    (tmp_path / "10.json").write_text(json.dumps(version_3("m", "https://m.example/a.jpg")))
    pages, dead = read_all(tmp_path, collection("1.json"), "0.json")
    assert pages == [] and "more than 8 deep, --max_depth reads further" in dead[0][1]
    assert len(read(tmp_path, collection("1.json"), "0.json", depth=10)) == 1


def test_a_collection_without_end_is_bounded_and_the_flag_is_told(server, tmp_path):  # noqa: F811
    for i in range(12):
        content = {"type": "CollectionPage", "items": [], "next": f"{server.url}/{i + 1}"}
        server.on(f"/{i}", body(content))
    pages, dead = from_server(f"{server.url}/0", tmp_path, manifests=10)
    assert len(server.asked) == 10
    assert pages == [] and "more than 10 manifests and collections, --max_manifests reads further" in dead[0][1]


def test_no_more_manifests_are_read_than_images_are_asked_for(server, tmp_path):  # noqa: F811
    members = [server.on(f"/{i}", body(version_3(f"{i}", f"{server.url}/{i}.jpg"))) for i in range(10)]
    pages, _ = from_server(server.on("/top", body(collection(*members))), tmp_path, images=3)
    assert urls(pages) == [f"{server.url}/{i}.jpg" for i in range(3)]
    assert len(server.asked) == 4


# --- what is kept


def test_nothing_is_kept_before_it_is_a_manifest(server, tmp_path):  # noqa: F811
    url = server.on("/m", whole(b"<html>down for maintenance</html>"), body(version_3("m", f"{server.url}/a.jpg")))
    with pytest.raises(iiif.BadManifest, match="is no JSON"):
        from_server(url, tmp_path)
    assert list((tmp_path / "data" / "manifests").iterdir()) == []
    assert urls(from_server(url, tmp_path)[0]) == [f"{server.url}/a.jpg"]


def test_the_named_manifest_is_asked_for_anew_and_one_of_before_stands_in_for_a_broken_one(server, tmp_path):  # noqa: F811
    url = server.on("/m", body(version_3("m", f"{server.url}/a.jpg")))
    from_server(url, tmp_path)
    server.on("/m", body(version_3("m", f"{server.url}/new.jpg", f"{server.url}/a.jpg")))
    assert urls(from_server(url, tmp_path)[0]) == [f"{server.url}/new.jpg", f"{server.url}/a.jpg"]
    server.on("/m", whole(b"<html>down for maintenance</html>"))
    pages, dead = from_server(url, tmp_path)
    assert urls(pages) == [f"{server.url}/new.jpg", f"{server.url}/a.jpg"]
    assert dead[0][0] == url and "what it was before is taken" in dead[0][1]


def test_members_are_asked_for_again_once_everything_was_there(server, tmp_path):  # noqa: F811
    member = server.on("/m", body(version_3("m", f"{server.url}/a.jpg")))
    top = server.on("/top", body(collection(member)))
    for _ in range(2):  # stopped and gone on with
        from_server(top, tmp_path)
    assert [path for path, _ in server.asked] == ["/top", "/m", "/top"]
    (tmp_path / "data" / "fetched.json").write_text("{}")
    server.on("/m", body(version_3("m", f"{server.url}/new.jpg")))
    assert urls(from_server(top, tmp_path)[0]) == [f"{server.url}/new.jpg"]


# --- what is no manifest, and odd ones


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<html>", "is no JSON"),
        ("", "is no JSON"),
        ("[1]", "is JSON, but no object"),
        ({"type": "AnnotationPage"}, "neither an IIIF manifest nor a collection"),
        ({"type": "Manifest", "items": []}, "lists no images"),
        ({"type": "Manifest", "items": {"x": 1}, "sequences": 7, "metadata": "x", "label": 7}, "lists no images"),
        ({"type": "Collection", "items": None}, "lists no images"),
        ('{"a":' * 5000, "is no JSON"),
        ('{"type": "Manifest", "label": ' + "[" * 900 + "]" * 900 + "}", "nested too deeply"),
    ],
)
def test_what_is_no_manifest_is_one_message(tmp_path, content, message):
    with pytest.raises(iiif.BadManifest, match=message) as refused:
        read(tmp_path, content)
    assert "\n" not in str(refused.value)


def test_a_pipe_is_no_manifest_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "m.json")
    with pytest.raises(iiif.BadManifest, match="no such file"):
        iiif.read(str(tmp_path / "m.json"), Downloader(0), tmp_path / "kept")


@pytest.mark.parametrize(
    "label", ["ID", "id", "Object_ID", "Image", "URL", "Canvas", "Manifest", "Path", "filename", "Split", "Set"]
)
def test_a_field_called_like_a_column_of_ours_takes_another_name(tmp_path, label):
    manifest = version_3("m", "https://m/a", "https://m/b", metadata=[{"label": label, "value": "SK-A-1"}])
    pages = read(tmp_path, manifest)
    assert [page.row[f"{label}_"] for page in pages] == ["SK-A-1", "SK-A-1"]
    assert len({page.row["id"] for page in pages}) == 2


def test_text_is_one_line_that_any_table_holds(tmp_path):
    metadata = [{"label": " A\r\nlabel ", "value": "one\rtwo\x00\n\u2028three \ud800 &amp; <i>four</i>"}]
    (page,) = read(tmp_path, version_3("m\ud800", "https://m/a\ud800", metadata=metadata))
    assert page.row["A label"] == "one two three & four"
    written = iiif.labels([page.row])
    written.encode("utf-8")
    assert next(iter(csv.DictReader(written.splitlines())))["url"] == "https://m/a"


def test_labels_hold_every_column_of_every_page():
    text = iiif.labels([{"id": "1", "image": "1.jpg"}, {"id": "2", "image": "2.jpg", "dc:date": "1,600"}])
    assert text.splitlines() == [
        "id,object_id,image,url,manifest,canvas,rights,dc:date", "1,,1.jpg,,,,,", '2,,2.jpg,,,,,"1,600"'
    ]  # fmt: skip

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keras_art.fetching import iiif
from keras_art.fetching.downloads import Downloader


def read(tmp_path: Path, content: object, name: str = "manifest.json") -> list[iiif.Page]:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return iiif.read(str(path), Downloader(0), tmp_path, 512)


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


def test_version_2_gives_every_canvas_with_its_metadata(tmp_path):
    service = {"@id": "https://museum.example/image/7/", "profile": "http://iiif.io/api/image/2/level1.json"}
    pages = read(tmp_path, version_2({"@id": "https://museum.example/full.jpg", "service": service}))
    assert pages[1] == {
        "id": "110X-445-0002",
        "image": "images/110X-445-0002.jpg",
        "url": "https://museum.example/image/7/full/!512,512/0/default.jpg",
        "canvas": "https://museum.example/canvas/2",
        "manifest": "https://museum.example/iiif/110X-445/manifest.json",
        "rights": "https://creativecommons.org/licenses/by/4.0/; Keio University",
        "dc:title": "Bunshō",
        "dc:date": "1500; 1600",
        "Holder": "Keio",
    }
    assert len(pages) == 2


@pytest.mark.parametrize("service", [None, [], {"@id": "x", "profile": "http://iiif.io/api/image/2/level0.json"}])
def test_a_server_that_can_not_scale_is_asked_for_the_image_itself(tmp_path, service):
    pages = read(tmp_path, version_2({"@id": "https://museum.example/full.jpg", "service": service}))
    assert {page["url"] for page in pages} == {"https://museum.example/full.jpg"}


def test_version_3_takes_the_first_of_a_choice_and_leaves_out_empty_canvases(tmp_path):
    body = {"type": "Choice", "items": [{"id": "https://m.example/a.jpg", "type": "Image"}, {"id": "b"}]}
    canvases = [
        {"id": "c1", "type": "Canvas", "items": [{"items": [{"body": body}]}]},
        {"id": "c2", "type": "Canvas", "items": []},
    ]
    manifest = {"type": "Manifest", "id": "https://m.example/9/manifest", "label": {"nl": ["Zwaan"]}, "items": canvases}
    pages = read(tmp_path, manifest)
    assert [(page["url"], page["canvas"], page["dc:title"]) for page in pages] == [
        ("https://m.example/a.jpg", "c1", "Zwaan")
    ]


def test_a_collection_gives_all_its_manifests_and_ids_never_clash(tmp_path):
    def manifest(name: str) -> str:
        canvas = {"id": "c", "type": "Canvas", "items": [{"items": [{"body": {"id": name, "type": "Image"}}]}]}
        content = {
            "type": "Manifest",
            "id": f"https://{name}.example/object/1/manifest",
            "label": "",
            "items": [canvas],
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
        return str(tmp_path / f"{name}.json")

    items = [{"type": "Manifest", "id": manifest(name)} for name in ("one", "two")]
    pages = read(tmp_path, {"type": "Collection", "id": "all", "items": items}, "all.json")
    assert [page["url"] for page in pages] == ["one", "two"]
    assert len({page["id"] for page in pages}) == len({page["image"] for page in pages}) == 2


def test_a_collection_that_holds_itself_is_refused(tmp_path):
    with pytest.raises(iiif.BadManifest, match="more than 8 deep"):
        read(tmp_path, {"type": "Collection", "items": [{"id": str(tmp_path / "manifest.json")}]})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<html>", "is no IIIF manifest"),
        ("[1]", "neither an IIIF manifest nor a collection"),
        ({"type": "AnnotationPage"}, "neither an IIIF manifest nor a collection"),
        ({"type": "Manifest", "items": []}, "lists no images"),
    ],
)
def test_what_is_no_manifest_is_one_message(tmp_path, content, message):
    with pytest.raises(iiif.BadManifest, match=message):
        read(tmp_path, content)


def test_labels_hold_every_column_of_every_page():
    text = iiif.labels([{"id": "1", "image": "1.jpg"}, {"id": "2", "image": "2.jpg", "dc:date": "1,600"}])
    assert text.splitlines() == [
        "id,image,url,manifest,canvas,rights,dc:date", "1,1.jpg,,,,,", '2,2.jpg,,,,,"1,600"'
    ]  # fmt: skip

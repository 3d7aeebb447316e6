from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from conftest import paint, told
from test_downloads import Server, breaking, server, status, whole  # noqa: F401  (server is a fixture)

from keras_art.commands import fetch
from keras_art.data.sources import load_collection
from keras_art.fetching import downloads


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "WAIT", 0.0)


def picture(tmp_path: Path, seed: int) -> bytes:
    return paint(tmp_path / "painted" / f"{seed}.jpg", "abc"[seed % 3], seed).read_bytes()


def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    head = 'title = "T"\nsource = "s"\nlicence = "CC0"\nobtain = "Ask."\nlayout = "x"\ncitation = "c"\n'
    (tmp_path / "cards" / name).mkdir(parents=True)
    (tmp_path / "cards" / name / "card.toml").write_text(head + text, encoding="utf-8")
    monkeypatch.setenv("KERAS_ART_DATASETS", str(tmp_path / "cards"))


def listed(path: str, url: str, content: bytes, more: str = "") -> str:
    digest = hashlib.sha256(content).hexdigest()
    return f'[[files]]\npath = "{path}"\nurls = ["{url}"]\nsha256 = "{digest}"\nbytes = {len(content)}\n{more}\n'


@pytest.fixture
def faces(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """KaoKore's layout: five addresses, one line blank, the face of line 4 without labels."""
    urls = [server.on(f"/face/{i}", whole(picture(tmp_path, i))) for i in range(5)]
    addresses = "\r\n".join([urls[0], "", urls[1], urls[2], urls[3]]).encode()
    labels = b"image,gender,status,set\n00000000.jpg,0,0,train\n00000002.jpg,1,0,dev\n00000003.jpg,0,1,test\n"
    text = 'signs = ["labels.csv"]\nreader = "kaokore"\nimages = ["images_256"]\n'
    text += '[columns]\nid = "image"\nimage = "image"\nsplit = "set"\nstatus = "status"\n[options]\nurls = "urls.txt"\n'
    text += listed("labels.csv", server.on("/labels.csv", whole(labels)), labels)
    text += listed("urls.txt", server.on("/urls.txt", breaking(20), whole(addresses)), addresses)
    card(tmp_path, monkeypatch, "kaokore", text)
    return tmp_path / "data"


def test_faces_are_fetched_one_by_one_counting_blank_lines_and_only_labelled_ones(faces, server):  # noqa: F811
    assert fetch.main(["kaokore", "--root", str(faces), "--pause", "0"]) == 0
    home = faces / "kaokore"
    assert {path.name for path in (home / "images_256").iterdir()} == {"00000000.jpg", "00000002.jpg", "00000003.jpg"}
    assert (home / "images_256" / "00000002.jpg").read_bytes() == picture(faces.parent, 1)
    assert "/face/3" not in {path for path, _ in server.asked}
    assert load_collection("kaokore", faces).images["id"].tolist() == ["00000000.jpg", "00000002.jpg", "00000003.jpg"]
    before, record = len(server.asked), (home / "fetched.json").read_text()
    assert fetch.main(["kaokore", "--root", str(faces)]) == 0
    assert len(server.asked) == before
    assert (home / "fetched.json").read_text() == record  # written once
    assert json.loads(record)["files"][0]["sha256"] == hashlib.sha256((home / "labels.csv").read_bytes()).hexdigest()


def test_what_could_not_be_had_is_listed_and_tried_again(faces, server, capsys):  # noqa: F811
    server.on("/face/0", status(500))
    server.on("/face/2", whole(b"<html>moved</html>"))
    assert fetch.main(["kaokore", "--root", str(faces), "--pause", "0"]) == 1
    missing = pd.read_csv(faces / "kaokore" / "not_fetched.csv")
    assert [Path(path).name for path in missing["path"]] == ["00000000.jpg", "00000003.jpg"]
    assert "500 Internal Server Error" in missing["reason"][0]
    assert "what came is no picture: not an image" in missing["reason"][1]
    assert not (faces / "kaokore" / "images_256" / "00000003.jpg").exists()
    for i in (0, 2):
        server.on(f"/face/{i}", whole(picture(faces.parent, i)))
    assert fetch.main(["kaokore", "--root", str(faces), "--pause", "0"]) == 0
    assert pd.read_csv(faces / "kaokore" / "not_fetched.csv").empty


@pytest.mark.parametrize("refusal", [status(403), status(429, Retry_After="9999")])
def test_a_server_that_refuses_three_times_is_asked_no_more(server, tmp_path, refusal):  # noqa: F811
    images = [(server.on(f"/{i}", refusal), tmp_path / f"{i}.jpg") for i in range(10)]
    failed = fetch.fetch_images(images, lambda: downloads.Downloader(0), lambda done, total: None)
    assert len(server.asked) == 3
    assert [reason for _, _, reason in failed].count("not asked for: the server refused before") == 7


def test_a_dry_run_asks_for_nothing_and_tells_the_time(faces, server, capsys):  # noqa: F811
    assert fetch.main(["kaokore", "--root", str(faces), "--pause", "0"]) == 0
    (faces / "kaokore" / "images_256" / "00000000.jpg").unlink()
    before = len(server.asked)
    assert fetch.main(["kaokore", "--root", str(faces), "--dry_run"]) == 0
    assert len(server.asked) == before
    assert "1 of 3 images to fetch from 1 servers, one connection each, 1 s apart: about 2 s" in capsys.readouterr().err


def test_an_archive_is_unpacked_and_thrown_away(server, tmp_path, monkeypatch):  # noqa: F811
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("Tiles/01_TUMOR/1.jpg", picture(tmp_path, 0))
        archive.writestr("Tiles/02_STROMA/1.jpg", picture(tmp_path, 1))
    url = server.on("/Tiles.zip", breaking(200), whole(content.getvalue()))
    text = 'signs = ["Tiles"]\nimages = ["Tiles"]\n'
    text += listed("Tiles.zip", url, content.getvalue(), "unpack = true")
    card(tmp_path, monkeypatch, "tiles", text)
    assert fetch.main(["tiles", "--root", str(tmp_path / "data"), "--pause", "0"]) == 0
    assert {path.name for path in (tmp_path / "data" / "tiles").iterdir()} == {"Tiles", "fetched.json"}
    assert load_collection("tiles", tmp_path / "data").columns["label"].tolist() == ["01_TUMOR", "02_STROMA"]
    before = len(server.asked)
    assert fetch.main(["tiles", "--root", str(tmp_path / "data")]) == 0
    assert len(server.asked) == before


def test_a_collection_that_can_not_be_fetched_says_how_it_is_obtained(tmp_path, capsys):
    assert fetch.main(["antwerp", "--root", str(tmp_path)]) == 1
    assert "was never published" in capsys.readouterr().err
    assert fetch.main(["kaokore", "--root", str(tmp_path)]) == 1
    assert "name one of its versions: kaokore-1.3" in capsys.readouterr().err


def test_a_manifest_becomes_a_folder_that_data_takes(server, tmp_path):  # noqa: F811
    service = server.on("/image/1/full/!64,64/0/default.jpg", whole(picture(tmp_path, 0))).partition("/full")[0]
    manifest = {
        "@context": "http://iiif.io/api/presentation/3/context.json",
        "id": f"{server.url}/object/SK-A-1/manifest",
        "type": "Manifest",
        "label": {"en": ["The Threatened Swan"]},
        "rights": "http://creativecommons.org/publicdomain/zero/1.0/",
        "metadata": [{"label": {"en": ["Creator"]}, "value": {"none": ["Jan Asselijn"]}}],
        "items": [
            {
                "id": f"{server.url}/canvas/1",
                "type": "Canvas",
                "items": [{"items": [{"body": {"id": "x", "type": "Image", "service": [{"id": service}]}}]}],
            }
        ],
    }
    url = server.on("/object/SK-A-1/manifest", whole(json.dumps(manifest).encode()))
    assert fetch.main([url, "--root", str(tmp_path / "data"), "--pause", "0", "--longest_side", "64"]) == 0
    table = told(load_collection(tmp_path / "data" / "SK-A-1"))
    assert table["id"].tolist() == ["SK-A-1-0001"]
    assert table["dc:creator"].tolist() == ["Jan Asselijn"]
    assert table["dc:title"].tolist() == ["The Threatened Swan"]
    assert table["rights"].tolist() == ["http://creativecommons.org/publicdomain/zero/1.0/"]
    assert Path(table["path"][0]).read_bytes() == picture(tmp_path, 0)

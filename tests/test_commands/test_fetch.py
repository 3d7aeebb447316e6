from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from conftest import paint, told
from PIL import Image
from test_downloads import Server, breaking, server, status, whole  # noqa: F401  (server is a fixture)

from keras_art.commands import fetch
from keras_art.data.sources import load_collection
from keras_art.fetching import downloads, iiif


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


def test_another_version_of_a_card_does_not_go_into_the_same_folder(faces, server, capsys):  # noqa: F811
    assert fetch.main(["kaokore", "--root", str(faces), "--pause", "0"]) == 0
    (faces / "kaokore" / "labels.csv").write_bytes(b"image,gender,status,set\n")
    assert fetch.main(["kaokore", "--root", str(faces), "--pause", "0"]) == 1
    assert "is not the file of this card: of another version, or changed" in capsys.readouterr().err


def test_an_archive_that_was_half_unpacked_is_unpacked_again(server, tmp_path, monkeypatch):  # noqa: F811
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("Tiles/01_TUMOR/1.jpg", picture(tmp_path, 0))
        archive.writestr("Tiles/02_STROMA/1.jpg", picture(tmp_path, 1))
    url = server.on("/Tiles.zip", whole(content.getvalue()))
    text = 'signs = ["Tiles"]\nimages = ["Tiles"]\n' + listed("Tiles.zip", url, content.getvalue(), "unpack = true")
    card(tmp_path, monkeypatch, "tiles", text)
    half = tmp_path / "data" / "tiles"
    (half / "Tiles" / "01_TUMOR").mkdir(parents=True)
    (half / "Tiles.zip").write_bytes(content.getvalue())
    assert fetch.main(["tiles", "--root", str(tmp_path / "data"), "--pause", "0"]) == 0
    assert load_collection("tiles", tmp_path / "data").columns["label"].tolist() == ["01_TUMOR", "02_STROMA"]
    assert server.asked == []


# --- manifests


def manifest(server: Server, path: str, *bodies: object, **more: object) -> str:  # noqa: F811
    """The address of a manifest whose canvases have these bodies."""
    canvases = [
        {"id": f"{server.url}{path}/canvas/{json.dumps(body)}", "items": [{"items": [{"body": body}]}]}
        for body in bodies
    ]
    content = {"id": f"{server.url}{path}", "type": "Manifest", "label": {"en": ["T"]}, "items": canvases, **more}
    return server.on(path, whole(json.dumps(content).encode()))


def coloured(server: Server, colour: str, format: str = "PNG") -> dict[str, str]:  # noqa: F811
    content = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(content, format)
    return {"id": server.on(f"/{colour}.jpg", whole(content.getvalue())), "type": "Image"}


def fetched(url: str, root: Path, *words: str) -> tuple[int, Path]:
    """The exit status, and where its files are."""
    return fetch.main([url, "--root", str(root), "--pause", "0", *words]), root / iiif.folder_name(url)


def colours(folder: Path) -> dict[str, tuple[int, ...]]:
    """What the label says of each picture -> the picture's colour."""
    table = told(load_collection(folder))
    return {
        url.rpartition("/")[2].removesuffix(".jpg"): Image.open(path).convert("RGB").getpixel((4, 4))  # type: ignore[misc]
        for url, path in zip(table["url"], table["path"], strict=True)
    }


RGB = {"red": (255, 0, 0), "blue": (0, 0, 255), "lime": (0, 255, 0)}


def reasons(folder: Path) -> list[str]:
    return pd.read_csv(folder / "not_fetched.csv")["reason"].tolist()


def test_two_museums_whose_addresses_end_alike_stay_apart(tmp_path, server):  # noqa: F811
    for museum, colour in (("a", "red"), ("b", "blue")):
        status_, folder = fetched(manifest(server, f"/{museum}/12345/manifest", coloured(server, colour)), tmp_path)
        assert status_ == 0 and colours(folder) == {colour: RGB[colour]}


def test_a_manifest_that_grew_in_front_keeps_every_label_on_its_picture(tmp_path, server):  # noqa: F811
    for order in (["red", "blue"], ["lime", "red", "blue"], ["blue", "lime"]):
        before = len(server.asked)
        url = manifest(server, "/m", *(coloured(server, colour) for colour in order))
        status_, folder = fetched(url, tmp_path)
        assert status_ == 0 and colours(folder) == {colour: RGB[colour] for colour in order}
    assert [path for path, _ in server.asked[before:]] == ["/m"]  # its pictures were there


def test_a_table_that_was_written_on_stays_when_its_manifest_is_fetched_again(tmp_path, server, capsys):  # noqa: F811
    _, folder = fetched(manifest(server, "/m", coloured(server, "red")), tmp_path)
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace("\n", ",mood\n", 1).rstrip() + ",calm\n")
    mine = table.read_bytes()
    status_, _ = fetched(manifest(server, "/m", coloured(server, "blue"), coloured(server, "red")), tmp_path)
    assert status_ == 0 and table.read_bytes() == mine
    assert len((folder / "manifests" / "labels.csv").read_text().splitlines()) == 3
    assert f"{table} stays as it is" in capsys.readouterr().err


def test_pictures_are_read_again_whatever_they_are_and_are_not_asked_for_twice(tmp_path, server):  # noqa: F811
    bodies = [coloured(server, "red", "WEBP"), coloured(server, "blue", "TIFF"), coloured(server, "lime", "JPEG")]
    url = manifest(server, "/m", *bodies, metadata=[{"label": "ID", "value": "SK-A-1"}])
    for _ in range(2):
        status_, folder = fetched(url, tmp_path)
        assert status_ == 0
    assert {Path(path).suffix for path in told(load_collection(folder))["path"]} == {".webp", ".tif", ".jpg"}
    assert told(load_collection(folder))["ID_"].tolist() == ["SK-A-1"] * 3
    assert load_collection(folder).images["object"].tolist() == [url] * 3  # three views of one object
    assert len(server.asked) == 5
    assert json.loads((folder / "fetched.json").read_text())["manifest"] == url


def test_a_dead_member_is_listed_the_others_are_fetched_and_the_exit_says_so(tmp_path, server):  # noqa: F811
    good = manifest(server, "/good", coloured(server, "red"))
    dead = server.on("/dead", status(404))
    members = {"type": "Collection", "items": [{"id": dead, "type": "Manifest"}, {"id": good, "type": "Manifest"}]}
    url = server.on("/top", whole(json.dumps(members).encode()))
    status_, folder = fetched(url, tmp_path)
    assert status_ == 1 and colours(folder) == {"red": RGB["red"]}
    assert reasons(folder) == [f"could not be fetched: {dead}: 404 Not Found"]
    assert not (folder / "fetched.json").exists()
    manifest(server, "/dead", coloured(server, "blue"))
    status_, folder = fetched(url, tmp_path)
    assert status_ == 0 and set(colours(folder)) == {"red", "blue"} and reasons(folder) == []


def test_servers_that_were_not_named_are_asked_only_when_told_to(tmp_path, server, capsys):  # noqa: F811
    strange = Server()
    inner = manifest(server, "/inner", coloured(server, "red"), coloured(strange, "blue"))
    url = server.on("/top", whole(json.dumps({"type": "Collection", "items": [{"id": inner}]}).encode()))
    status_, folder = fetched(url, tmp_path)
    assert status_ == 1 and strange.asked == []
    assert f"{url} does not name them: {strange.url[7:]}; --follow_hosts asks them" in capsys.readouterr().err
    assert len(reasons(folder)) == 1
    status_, folder = fetched(url, tmp_path, "--follow_hosts")
    assert status_ == 0 and set(colours(folder)) == {"red", "blue"}
    strange.server.shutdown()
    strange.server.server_close()


def test_what_an_interrupted_fetch_leaves_says_what_was_not_asked_for(tmp_path, server, monkeypatch):  # noqa: F811
    def interrupted(*words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "harvest", interrupted)
    url = manifest(server, "/m", coloured(server, "red"))
    status_, folder = fetched(url, tmp_path)
    assert status_ == 130
    assert reasons(folder) == ["not asked for yet"]


def test_other_sizes_are_other_files_and_the_old_ones_are_told(tmp_path, server, capsys):  # noqa: F811
    service = {"id": f"{server.url}/s", "type": "ImageService3", "profile": "level2", "width": 90, "height": 90}
    content = (tmp_path / "painted.jpg").read_bytes() if (tmp_path / "painted.jpg").exists() else picture(tmp_path, 0)
    for size in ("64,", "32,"):
        server.on(f"/s/full/{size}/0/default.jpg", whole(content))
    url = manifest(server, "/m", {"type": "Image", "service": [service]})
    for side in ("64", "32"):
        status_, folder = fetched(url, tmp_path, "--longest_side", side)
        assert status_ == 0
        (name,) = told(load_collection(folder))["path"]
        assert f"-{side}.jpg" in name
    assert "1 of the pictures in" in capsys.readouterr().err


def test_a_dry_run_of_a_manifest_writes_neither_labels_nor_pictures(tmp_path, server):  # noqa: F811
    url = manifest(server, "/m", coloured(server, "red"))
    status_, folder = fetched(url, tmp_path, "--dry_run")
    assert status_ == 0
    assert [path.name for path in folder.iterdir()] == ["manifests"]
    assert [path for path, _ in server.asked] == ["/m"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ftp://m.example/x", "is no http or https address"),
        ("nothing.json", "no such file"),
        ("http://[x", "is no http"),
    ],
)
def test_a_name_that_can_not_be_asked_is_one_message(tmp_path, capsys, name, message):
    assert fetch.main([name, "--root", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err.splitlines()[-1]


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
    table = told(load_collection(tmp_path / "data" / iiif.folder_name(url)))
    assert table["id"][0].startswith("SK-A-1-")
    assert table["dc:creator"].tolist() == ["Jan Asselijn"]
    assert table["dc:title"].tolist() == ["The Threatened Swan"]
    assert table["rights"].tolist() == ["http://creativecommons.org/publicdomain/zero/1.0/"]
    assert Path(table["path"][0]).read_bytes() == picture(tmp_path, 0)


@pytest.mark.parametrize(
    "words",
    [["--pause", "-1"], ["--limit", "-1"], ["--longest_side", "0"], ["--patience", "0"], ["--patience", "inf"],
     ["--max_megabytes", "nan"], ["--max_redirects", "-1"], ["--max_depth", "-1"], ["--max_manifests", "0"]],
)  # fmt: skip
def test_bounds_that_make_no_sense_are_refused_before_anything_is_asked(tmp_path, capsys, words):
    assert fetch.main(["http://127.0.0.1:9/m", "--root", str(tmp_path), *words]) == 1
    assert f"{words[0]} is at least" in capsys.readouterr().err

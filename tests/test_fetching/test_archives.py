from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from keras_art.fetching.archives import BadArchive, unpack


def zipped(path: Path, members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, members: list[tarfile.TarInfo]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def member(name: str, size: int = 1, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname = (size if kind == tarfile.REGTYPE else 0), kind, link
    return made


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_is_known_by_its_content_and_unpacked_beside_what_is_there(tmp_path, kind):
    archive = tmp_path / "download"
    if kind == "zip":
        zipped(archive, {"a/1.jpg": b"1", "b.csv": b"2"})
    else:
        tarred(archive, [member("a", kind=tarfile.DIRTYPE), member("a/1.jpg"), member("b.csv")])
    (tmp_path / "to" / "a").mkdir(parents=True)
    (tmp_path / "to" / "a" / "0.jpg").touch()
    assert unpack(archive, tmp_path / "to") == []
    assert everything(tmp_path / "to") == ["a/0.jpg", "a/1.jpg", "b.csv"]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "a\\..\\..\\evil", "C:evil"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_paths_outside_the_folder_are_refused_and_nothing_is_written(tmp_path, name, kind):
    archive = tmp_path / "x"
    make = {"zip": lambda: zipped(archive, {"good": b"1", name: b"2"}), "tar": lambda: tarred(archive, [member(name)])}
    make[kind]()
    with pytest.raises(BadArchive, match="would write outside its folder"):
        unpack(archive, tmp_path / "to")
    assert everything(tmp_path) == ["x"]


def test_absurd_compression_is_refused_before_anything_is_written(tmp_path):
    archive = zipped(tmp_path / "bomb.zip", {"zeros": bytes(150_000_000)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(BadArchive, match=r"claims to unpack to 150,000,000 bytes, [\d,]+ times its size"):
        unpack(archive, tmp_path / "to")
    assert everything(tmp_path) == ["bomb.zip"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    archive = tarred(tmp_path / "x.tar.gz", [member("good"), member("odd", kind=kind, link="/etc/passwd")])
    with pytest.raises(BadArchive, match="holds a link or device, odd"):
        unpack(archive, tmp_path / "to")


def test_a_link_in_a_zip_is_refused(tmp_path):
    link = zipfile.ZipInfo("odd")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(BadArchive, match="holds a link, odd"):
        unpack(tmp_path / "x.zip", tmp_path / "to")


def test_a_damaged_member_is_left_out_and_named(tmp_path):
    archive = zipped(tmp_path / "x.zip", {"good.jpg": b"good" * 100, "bad.jpg": b"wrong" * 100})
    content = archive.read_bytes()
    archive.write_bytes(content.replace(b"wrongwrong", b"wrongWRONG", 1))
    assert unpack(archive, tmp_path / "to") == [("bad.jpg", "damaged in the archive (Bad CRC-32 for file 'bad.jpg')")]
    assert everything(tmp_path / "to") == ["good.jpg"]


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\x03\x04 cut off"])
def test_what_is_no_archive_is_one_message(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(BadArchive, match="neither a ZIP nor a TAR archive: download it anew"):
        unpack(tmp_path / "x.zip", tmp_path / "to")


def test_half_a_tar_is_one_message(tmp_path):
    archive = tarred(tmp_path / "x.tar.gz", [member(str(i), 50_000) for i in range(50)])
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(BadArchive, match="is damaged"):
        unpack(archive, tmp_path / "to")
    assert everything(tmp_path) == ["x.tar.gz"]

from __future__ import annotations

import gzip
import io
import random
import socket
import struct
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from keras_art.fetching import archives
from keras_art.fetching.archives import BadArchive, unpack
from keras_art.writing import slug


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


def test_what_a_killed_process_has_unpacked_goes_and_other_files_stay(tmp_path):
    archive = zipped(tmp_path / "x.zip", {"1.jpg": b"1"})
    dead = subprocess.Popen(["true"])
    dead.wait()
    host = slug(socket.gethostname())
    left = tmp_path / f".x.zip.{host}-{dead.pid}.part"
    left.mkdir()
    (tmp_path / f"scan.{host}-{dead.pid}.part").touch()  # somebody's own, of such a name
    assert unpack(archive, tmp_path) == []
    assert everything(tmp_path) == ["1.jpg", f"scan.{host}-{dead.pid}.part", "x.zip"] and not left.exists()


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


@pytest.mark.parametrize("name", [".", "", "./.", "a/" + "b" * 300, "é" * 130 + "/a", "a/" * 600 + "b"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_files_without_a_usable_name_are_refused_in_one_line(tmp_path, name, kind):
    archive = tmp_path / "x"
    if kind == "zip":
        zipped(archive, {"good": b"1", name or "Q": b"2"})
        if not name:  # it ends where a NUL stands
            archive.write_bytes(archive.read_bytes().replace(b"Q", b"\0"))
    else:
        tarred(archive, [member("good"), member(name)])
    with pytest.raises(BadArchive, match="holds a file that can not be called so") as refused:
        unpack(archive, tmp_path / "to")
    assert "\n" not in str(refused.value)
    assert everything(tmp_path) == ["x"]


@pytest.mark.parametrize(
    "names", [("a", "a"), ("a", "./a"), ("a", "a/b"), ("a/b", "a"), ("a\\b", "a/b"), ("a//b", "a/b")]
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_two_files_of_one_name_are_refused(tmp_path, names, kind):
    archive = tmp_path / "x"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as opened:
            for name in names:
                opened.writestr(zipfile.ZipInfo(name), name)
    else:
        tarred(archive, [member(name) for name in names])
    with pytest.raises(BadArchive, match="twice, or in names that are one on this disk"):
        unpack(archive, tmp_path / "to")
    assert everything(tmp_path) == ["x"]


def test_names_of_windows_become_folders(tmp_path):
    archive = zipped(tmp_path / "x.zip", {"one\\1.jpg": b"1", "one\\2.jpg": b"2"})
    assert unpack(archive, tmp_path / "to") == []
    assert everything(tmp_path / "to") == ["one/1.jpg", "one/2.jpg"]


def test_a_folder_in_the_way_of_a_file_is_named_and_nothing_is_moved(tmp_path):
    (tmp_path / "to" / "b").mkdir(parents=True)
    with pytest.raises(BadArchive, match=r"holds b, and .*b is in its way"):
        unpack(zipped(tmp_path / "x.zip", {"a": b"1", "b": b"2"}), tmp_path / "to")
    assert everything(tmp_path) == ["x.zip"]


def packed(path: Path, header: bytes, repeat: int, end: bytes = b"") -> Path:
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(repeat):
            file.write(header)
        file.write(end)
    return path


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE])
def test_more_files_than_any_collection_has_are_refused_while_they_are_counted(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(archives, "MOST_FILES", 500)
    made = [member(f"d/{i}", 0, kind) for i in range(1000)]
    with pytest.raises(BadArchive, match="holds more than 500 files"):
        unpack(tarred(tmp_path / "x.tar.gz", made), tmp_path / "to")
    with pytest.raises(BadArchive, match="holds more than 500 files"):
        unpack(zipped(tmp_path / "x.zip", {str(i): b"" for i in range(1000)}), tmp_path / "to")


def test_the_list_of_a_zip_is_not_read_where_it_would_not_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_LIST", 100_000)
    archive = zipped(tmp_path / "x.zip", {f"{i:0200d}": b"" for i in range(1000)})
    with pytest.raises(BadArchive, match="holds more than 250,000 files"):
        unpack(archive, tmp_path / "to")


def test_a_tar_that_inflates_without_end_is_refused_before_it_is_inflated(tmp_path):
    huge = member("zeros", 8**11 - 1).tobuf()  # eight gigabytes, of which none is there
    with pytest.raises(BadArchive, match=r"claims to unpack to 8,589,934,591 bytes"):
        unpack(packed(tmp_path / "x", huge, 1, bytes(100_000)), tmp_path / "to")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_gigabytes_is_not_read(tmp_path, kind):
    odd = tarfile.TarInfo("odd")
    odd.size, odd.type = 10**9, kind
    archive = packed(tmp_path / "x", odd.tobuf(tarfile.GNU_FORMAT), 1, bytes(10_000))
    tracemalloc.start()
    with pytest.raises(BadArchive, match="holds a header of 1,000,000,000 bytes"):
        unpack(archive, tmp_path / "to")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize("version", ["old", "1.0"])
def test_a_sparse_file_whose_map_has_no_end_is_not_read(tmp_path, version):
    if version == "old":
        odd = tarfile.TarInfo("odd")
        odd.type = tarfile.GNUTYPE_SPARSE
        archive = packed(tmp_path / "x", odd.tobuf(tarfile.GNU_FORMAT), 1, bytes(10_000))
    else:
        odd = tarfile.TarInfo("odd")
        odd.size, odd.pax_headers = 512, {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "odd"}
        archive = packed(tmp_path / "x", odd.tobuf(tarfile.PAX_FORMAT), 1, b"999999999\n" + b"1\n" * 1_000_000)
    with pytest.raises(BadArchive, match="holds a sparse file: do not use it"):
        unpack(archive, tmp_path / "to")


def test_a_tar_that_breaks_off_between_two_files_is_damaged_and_not_short(tmp_path):
    archive = tmp_path / "x.tar"
    with tarfile.open(archive, "w") as opened:
        for name in "abc":
            opened.addfile(member(name, 512), io.BytesIO(b"x" * 512))
    content = bytearray(archive.read_bytes())
    content[1024:1030] = b"broken"  # the name in the second header, whose checksum fails
    archive.write_bytes(content)
    with pytest.raises(BadArchive, match="is damaged"):
        unpack(archive, tmp_path / "to")
    archive.write_bytes(content[: 1024 + 100])
    with pytest.raises(BadArchive, match="is damaged"):
        unpack(archive, tmp_path / "to")


def test_a_tar_whose_last_file_is_a_zip_is_a_tar(tmp_path):
    inner = zipped(tmp_path / "inner.zip", {"inner": b"1"}).read_bytes()
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.USTAR_FORMAT) as opened:
        made = tarfile.TarInfo("outer.zip")
        made.size = len(inner)
        opened.addfile(made, io.BytesIO(inner))
    assert unpack(tmp_path / "x.tar", tmp_path / "to") == []
    assert everything(tmp_path / "to") == ["outer.zip"]


@pytest.mark.parametrize("how", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_compression_is_named_and_no_traceback(tmp_path, how):
    archive = zipped(tmp_path / "x.zip", {"good": b"1", "bad": random.Random(0).randbytes(5000) * 2}, how)
    content = bytearray(archive.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = b"\xff" * 40
    archive.write_bytes(content)
    ((name, reason),) = unpack(archive, tmp_path / "to")
    assert name == "bad" and reason.startswith("damaged in the archive")
    assert everything(tmp_path / "to") == ["good"]


@pytest.mark.parametrize("place", [2**63 - 10, 2**63 + 5])
def test_a_place_that_no_file_has_is_a_fault_of_the_archive(tmp_path, place):
    archive = zipped(tmp_path / "x.zip", {"good": b"1", "bad": b"2"})
    content = bytearray(archive.read_bytes())
    entry = content.rindex(b"PK\1\2")  # of the second file: where it begins is 42 bytes further
    content[entry + 42 : entry + 46] = b"\xff\xff\xff\xff"
    content[entry + 30 : entry + 32] = struct.pack("<H", 12)  # a ZIP64 field behind the name says where
    field = struct.pack("<HHQ", 1, 8, place)
    content[entry + 49 : entry + 49] = field
    end = content.rindex(b"PK\5\6")
    content[end + 12 : end + 16] = struct.pack("<L", struct.unpack("<L", content[end + 12 : end + 16])[0] + len(field))
    archive.write_bytes(content)
    ((name, reason),) = unpack(archive, tmp_path / "to")
    assert name == "bad" and reason.startswith("damaged in the archive")
    assert everything(tmp_path / "to") == ["good"]


def test_an_archive_that_the_disk_can_not_hold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(BadArchive, match="unpacks to more than the 1,000 bytes that are free: make room"):
        unpack(zipped(tmp_path / "x.zip", {"a": bytes(2000)}), tmp_path / "to")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_million_files_are_refused_in_bounded_time_and_memory(tmp_path, kind):
    archive = tmp_path / "x"
    if kind == "zip":  # its list alone: nothing else is looked at
        names = (b"%07d" % i for i in range(1_000_000))
        entry = struct.pack("<4s24xHHHHHLL", b"PK\1\2", 7, 0, 0, 0, 0, 0, 0)
        entries = b"".join(entry + name for name in names)
        end = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(entries), 0, 0)
        archive.write_bytes(entries + end)
    else:
        with gzip.open(archive, "wb", compresslevel=1) as file:
            for i in range(1_000_000):
                file.write(tarfile.TarInfo(f"{i // 1000}/{i:07d}").tobuf(tarfile.USTAR_FORMAT))
    code = (
        "import sys, time; from pathlib import Path\n"
        "from keras_art.fetching.archives import BadArchive, unpack\n"
        "started = time.process_time()\n"
        "try: unpack(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except BadArchive as error: print(error)\n"
        "peak = [line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')]\n"
        "print(time.process_time() - started, int(peak[0]) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, archive, tmp_path / "to"], capture_output=True, text=True)
    message, measured = done.stdout.splitlines()
    assert "holds more than 250,000 files: do not use it" in message
    seconds, megabytes = map(float, measured.split())
    print(kind, seconds, megabytes)
    assert seconds < 120 and megabytes < 300
    assert everything(tmp_path) == ["x"]

import csv
import hashlib
import platform
import re
from collections import Counter
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image

from keras_art import atelier
from keras_art.atelier import making, paintings, photographs, scenes

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
GOLDEN = "53420f852258634b"  # of twelve paintings and twelve photographs


def read(folder):
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def pixels(folder):
    return [np.asarray(Image.open(folder / row["image"])) for row in read(folder)]


@pytest.mark.parametrize("half", list(atelier.HALVES))
def test_the_same_seed_gives_the_same_folder_twice(tmp_path, half):
    one, two = (atelier.make_atelier(tmp_path / n, images=12, half=half) for n in "ab")
    assert read(one) == read(two)
    assert all((a == b).all() for a, b in zip(pixels(one), pixels(two), strict=True))


@pytest.mark.parametrize("half", list(atelier.HALVES))
def test_another_seed_gives_other_pixels(half):
    for index in range(6):
        assert (atelier.paint(index, half=half)[0] != atelier.paint(index, seed=1, half=half)[0]).mean() > 0.5


def test_a_picture_does_not_depend_on_how_many_are_made(tmp_path):
    few, more = (atelier.make_atelier(tmp_path / str(n), images=n, image_size=32) for n in (3, 5))
    assert read(few) == read(more)[:3]
    assert all((a == b).all() for a, b in zip(pixels(few), pixels(more)[:3], strict=True))


def test_files_hold_what_paint_returns(tmp_path):
    folder = atelier.make_atelier(tmp_path, images=4, image_size=48, seed=3)
    for index, (row, stored) in enumerate(zip(read(folder), pixels(folder), strict=True)):
        painted, labels = atelier.paint(index, image_size=48, seed=3)
        assert row == {"image": f"images/{index:05d}.png", **labels}
        assert (stored == painted).all()


@pytest.mark.parametrize("half", list(atelier.HALVES))
def test_columns(tmp_path, half):
    rows = read(atelier.make_atelier(tmp_path, images=2, image_size=32, half=half))
    assert tuple(rows[0]) == ("image", *atelier.HALVES[half])


@pytest.fixture(scope="module")
def labels():
    return [atelier.paint(index, image_size=16)[1] for index in range(1000)]


def test_every_artist_has_one_style_and_every_style_two_artists(labels):
    pairs = {(row["artist"], row["style"]) for row in labels}
    assert len(pairs) == len({artist for artist, _ in pairs}) == 12
    assert set(Counter(style for _, style in pairs).values()) == {2}


def test_artists_have_a_long_tail_that_a_split_can_still_divide(labels):
    counts = sorted(Counter(row["artist"] for row in labels).values())
    assert counts[-1] >= 5 * counts[0]
    assert counts[0] >= 15


@pytest.mark.parametrize("column", ["type", "material"])
def test_every_type_and_material_occurs_in_every_style(labels, column):
    pairs = {(row["style"], row[column]) for row in labels}
    assert len(pairs) == len({style for style, _ in pairs}) * 4


def test_invented_names_are_lower_case_letters_and_blanks():
    assert all(re.fullmatch("[a-z]+( [a-z]+)+", artist.name) for artist in atelier.ARTISTS)


def test_photographs_are_balanced():
    counts = Counter(atelier.paint(index, image_size=16, half="source")[1]["object"] for index in range(100))
    assert set(counts.values()) == {10}
    assert len(counts) == 10


def test_every_solid_has_unit_normals_that_point_outwards():
    u, v = np.random.default_rng(0).random((2, 500))
    for shape in ("sphere", "cube", "cylinder", "cone"):  # a torus has its own inner side
        points, normals = photographs._solid(shape, u, v)
        np.testing.assert_allclose((normals**2).sum(axis=1), 1)
        assert ((points * normals).sum(axis=1) > 0).all()


@pytest.mark.parametrize("half", list(atelier.HALVES))
@pytest.mark.parametrize("size", [24, 128, 200])
def test_size_is_honoured(half, size):
    picture, _ = atelier.paint(5, image_size=size, half=half)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8


def test_every_style_on_every_material_fills_the_picture():
    for artist in atelier.ARTISTS:
        for type_ in scenes.TYPES:
            for material in paintings.MATERIALS:
                picture = paintings.painting(np.random.default_rng(0), artist, type_, material, 32)
                assert np.isfinite(picture).all()
                assert picture.std() > 2


def test_an_interrupted_folder_is_completed(tmp_path):
    whole = atelier.make_atelier(tmp_path / "whole", images=4, image_size=32)
    broken = atelier.make_atelier(tmp_path / "broken", images=4, image_size=32)
    (broken / "labels.csv").unlink()
    (broken / "images" / "00001.png").write_bytes(b"half a pict")
    (broken / "images" / "00003.png").unlink()
    assert atelier.make_atelier(broken, images=4, image_size=32) == broken
    assert read(broken) == read(whole)
    assert all((a == b).all() for a, b in zip(pixels(broken), pixels(whole), strict=True))


def test_a_complete_folder_is_left_alone(tmp_path):
    atelier.make_atelier(tmp_path, images=2, image_size=32)
    before = (tmp_path / "images" / "00000.png").stat().st_mtime_ns
    assert atelier.make_atelier(tmp_path, images=9, image_size=64) == tmp_path
    assert len(read(tmp_path)) == 2
    assert (tmp_path / "images" / "00000.png").stat().st_mtime_ns == before


def test_unknown_half_is_an_error_that_names_the_halves(tmp_path):
    with pytest.raises(ValueError, match="'target', 'source', not 'both'"):
        atelier.make_atelier(tmp_path / "none", half="both")
    with pytest.raises(ValueError, match="'target', 'source', not 'both'"):
        atelier.paint(0, half="both")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("images", [0, -3])
def test_fewer_than_one_image_is_an_error(tmp_path, images):
    with pytest.raises(ValueError, match=f"images must be at least 1, not {images}"):
        atelier.make_atelier(tmp_path, images=images)


@pytest.mark.parametrize("half", list(atelier.HALVES))
def test_contact_sheet_has_a_row_for_each_class_and_no_more_columns_than_asked(tmp_path, half):
    folder = atelier.make_atelier(tmp_path / "atelier", images=40, image_size=32, half=half)
    classes = len({row[atelier.HALVES[half][0]] for row in read(folder)})
    with Image.open(atelier.contact_sheet(folder, tmp_path / "sheet.png", columns=3)) as sheet:
        assert sheet.size == (3 * 38 + 6, classes * 58 + 6)
        assert np.asarray(sheet)[24:56, 6:38].std() > 2  # the first picture of the first row is there


def test_pixels_are_the_golden_ones_where_the_pinned_versions_paint_them():
    if not CONSTRAINTS.exists():
        pytest.skip("no constraints.txt beside the tests, so no pinned versions to compare with")
    pins = dict(re.findall(r"^(numpy|pillow)==(\S+)", CONSTRAINTS.read_text().lower(), flags=re.MULTILINE))
    here = {"numpy": np.__version__, "pillow": PIL.__version__}
    if pins != here or platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip(f"the digest holds on x86_64 with {pins}; here are {platform.machine()} and {here}")
    digest = hashlib.sha256()
    for half in atelier.HALVES:
        for index in range(12):
            digest.update(atelier.paint(index, half=half)[0].tobytes())
    assert digest.hexdigest()[:16] == GOLDEN


def test_processes_paint_what_one_paints(tmp_path, monkeypatch):
    one = atelier.make_atelier(tmp_path / "one", images=9, image_size=24)
    monkeypatch.setattr(making, "WORTH_PROCESSES", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    three = atelier.make_atelier(tmp_path / "three", images=9, image_size=24)
    for path in sorted(one.rglob("*")):
        if path.is_file():
            assert (three / path.relative_to(one)).read_bytes() == path.read_bytes()


def test_a_process_that_can_not_paint_leaves_no_whole_folder(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(making, "WORTH_PROCESSES", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(making, "PROGRAM", "raise SystemExit(3)")
    with pytest.raises(RuntimeError, match="before its pictures were done"):
        atelier.make_atelier(tmp_path, images=4, image_size=24)
    assert not (tmp_path / "labels.csv").exists()

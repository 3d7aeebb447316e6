"""The map as a person has it: opened from a file, without network, by mouse, keyboard and screen reader."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from browser import hostile, opened, serious
from maps import small_map
from PIL import Image

from keras_art.report import atlases
from keras_art.report.map import map_page, save

pytestmark = pytest.mark.slow
READY = "performance.getEntriesByName('every picture').length > 0"


@pytest.fixture
def path(tmp_path):
    save(map_page("Prints", *small_map(30, 2), "style"), tmp_path / "map.html")
    return tmp_path / "map.html"


@pytest.fixture
def seen(path):
    with opened(path) as found:
        found.until(READY)
        yield found
        assert found.problems() == []
        assert found.files == [path.as_uri()]


def count(seen):
    return seen.page.inner_text("#count")


def coloured(seen, view=0):
    """How many pixels of a map are no shade of its ground."""
    shot = seen.page.query_selector_all(".view canvas")[view].screenshot()
    pixels = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))
    return int((np.ptp(pixels, axis=2) > 30).sum())


def settled(seen):
    seen.page.wait_for_timeout(400)


def test_both_maps_show_pictures_and_no_serious_violation(seen):
    settled(seen)
    assert count(seen) == "30 pictures"
    assert coloured(seen, 0) > 3000 and coloured(seen, 1) > 3000
    assert serious(seen) == []
    seen.page.focus(".view canvas")
    seen.page.keyboard.press("ArrowRight")
    assert serious(seen) == []


def click_on(seen, name):
    """Brings a picture into the middle, clicks there, and gives what the page says then."""
    seen.page.fill("#search", name)
    settled(seen)
    seen.page.click("#frame")
    settled(seen)
    box = seen.page.query_selector(".view canvas").bounding_box()
    seen.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    seen.page.fill("#search", "")
    return seen.page.inner_text("#details")


def test_a_click_tells_a_picture_and_its_neighbours_on_both_maps(seen):
    told = click_on(seen, "011.png")
    works, spaces, _ = small_map(30, 2)
    number = 11
    assert "011.png" in told and "1677" in told and "NEAREST BY NETWORK 1" in told.upper()
    assert seen.page.get_attribute("#details a", "href") == f"pictures/{number}.png"
    lists = seen.page.query_selector_all("#details ol")
    for found, space in zip(lists, spaces, strict=True):
        rows = [int(button.get_attribute("data-row")) for button in found.query_selector_all("button")]
        assert rows == space.near[number].tolist()
    lists[0].query_selector("button").click()
    assert seen.page.inner_text("#details h2") == works.ids[spaces[0].near[number, 0]]


def test_search_and_legend_filter_what_is_shown_and_exported(seen):
    seen.page.fill("#search", "cubism 00")
    settled(seen)
    assert count(seen) == "3 of 30 pictures"  # 001, 005, 009
    seen.page.fill("#search", "")
    settled(seen)
    seen.page.click("text=only >> nth=0")
    settled(seen)
    assert count(seen) == "8 of 30 pictures"
    with seen.page.expect_download() as download:
        seen.page.click("#export")
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8-sig"))))
    assert download.value.suggested_filename == "Prints.csv"
    assert [row["id"] for row in rows] == [f"{i:03d}.png" for i in range(0, 30, 4)]
    assert rows[1] == {"id": "004.png", "style": "baroque", "year": "1628"}


def test_numbers_are_filtered_by_their_range(seen):
    seen.page.select_option("#colour", label="year")
    seen.page.fill("#legend input >> nth=0", "1700")
    seen.page.keyboard.press("Tab")
    settled(seen)
    assert count(seen) == f"{30 - math.ceil(100 / 7)} of 30 pictures"


WATCHED = """() => {
    const make = window.createImageBitmap;
    let now = 0;
    window.most = 0;
    window.createImageBitmap = async (what, ...how) => {
        if (!(what instanceof Blob)) return make(what, ...how);
        window.most = Math.max(window.most, ++now);
        const made = await make(what, ...how);
        now--;
        return made;
    };
}"""


def test_all_pages_of_pictures_are_decoded_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(atlases, "PAGE", 72)  # of nine pictures each
    save(map_page("Prints", *small_map(30), "style"), tmp_path / "map.html")
    with opened(tmp_path / "map.html") as seen:
        seen.until(READY)
        settled(seen)
        whole = coloured(seen)
        seen.page.add_init_script(f"({WATCHED})()")
        seen.page.reload()
        seen.until(READY)
        assert seen.page.evaluate("window.most") == 4
        settled(seen)
        assert coloured(seen) == whole > 3000
        assert seen.problems() == []


@pytest.mark.parametrize("tool", ["box", "lasso"])
def test_what_is_drawn_round_is_selected_on_both_maps(seen, tool):
    seen.page.check(f"[name=tool][value={tool}]")
    box = seen.page.query_selector(".view canvas").bounding_box()
    corners = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98)]
    corners = corners[::2] if tool == "box" else corners
    for n, (x, y) in enumerate(corners):
        seen.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=3)
        if n == 0:
            seen.page.mouse.down()
    seen.page.mouse.up()
    assert seen.page.inner_text("#selected") == "30 pictures selected"
    seen.page.click("#clear")
    assert seen.page.inner_text("#selected") == "Nothing selected"


def test_the_keyboard_reaches_everything(seen):
    page = seen.page
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(() => { const a = document.activeElement; return a.id || a.textContent.trim() || a.tagName })()"
            )
        )
    assert {
        "search",
        "colour",
        "layout",
        "size",
        "in",
        "out",
        "whole",
        "frame",
        "space1",
        "beside",
        "take",
        "export",
    } <= reached
    assert {"CANVAS", "only", "Show all"} <= reached
    page.focus(".view canvas")
    names = set()
    for key in ["ArrowRight", *["n"] * 30]:
        page.keyboard.press(key)
        names.add(page.inner_text("#said").split(",")[0])
    assert len(names) == 30
    page.keyboard.press(" ")
    assert page.inner_text("#selected") == "1 picture selected"
    assert "selected" in page.inner_text("#details") or page.inner_text("#details button >> nth=0").startswith("Take")
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "details"
    page.focus(".view canvas")
    before = page.inner_text("#said")
    for key in ("+", "-", "0", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    assert page.inner_text("#said") == before
    page.keyboard.press("Escape")
    assert page.inner_text("#said") == "No picture chosen"


def test_the_keyboard_zooms_before_anything_is_clicked_and_types_where_that_is_meant(seen):
    def maps():
        settled(seen)
        return [coloured(seen, view) for view in (0, 1)]

    page, whole = seen.page, maps()
    assert page.evaluate("() => document.activeElement.tagName") == "BODY"
    for key in "++":
        page.keyboard.press(key)
    near = maps()
    assert all(one != other for one, other in zip(whole, near, strict=True))
    page.keyboard.press("-")
    assert maps() != near
    page.click("[name=tool][value=box]")
    page.keyboard.press("0")
    assert maps() == whole
    page.keyboard.press("Control++")  # the browser's own
    page.focus("#search")
    page.keyboard.type("+-0")
    assert page.input_value("#search") == "+-0"
    page.fill("#search", "")
    assert maps() == whole
    page.focus(".view canvas")
    page.keyboard.press("+")  # of one map, once
    one, other = maps()
    assert one != whole[0] and other == whole[1]


def test_it_moves_zooms_and_stands_in_rows(seen):
    settled(seen)
    box = seen.page.query_selector(".view canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    whole = coloured(seen)
    seen.page.mouse.move(x, y)
    seen.page.mouse.wheel(0, -400)
    settled(seen)
    assert coloured(seen) != whole
    seen.page.mouse.down()
    seen.page.mouse.move(x + 3000, y, steps=4)
    seen.page.mouse.up()
    settled(seen)
    assert coloured(seen) < 200
    seen.page.select_option("#layout", "grid")
    settled(seen)
    assert coloured(seen) > 3000


def pixels(seen):
    shot = seen.page.query_selector(".view canvas").screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


@pytest.mark.parametrize(("width", "height"), [(1400, 600), (900, 1300)])
def test_rows_are_whole_at_every_edge(path, width, height):
    with opened(path, width=width, height=height) as seen:
        seen.until(READY)
        seen.page.select_option("#layout", "grid")
        settled(seen)
        strong = np.ptp(pixels(seen), axis=2) > 30
        assert strong.sum() > 3000
        assert not any(edge.any() for edge in (strong[:2], strong[-2:], strong[:, :2], strong[:, -2:]))


def test_a_class_and_its_prediction_are_of_one_colour(tmp_path):
    said = {"prediction: style": ["cubism"] * 20 + ["ukiyo-e"] * 6 + ["baroque"] * 4}
    save(map_page("Prints", *small_map(30, 1, **said), "style"), tmp_path / "map.html")
    with opened(tmp_path / "map.html") as seen:
        seen.until(READY)
        legends = []
        for name in ("style", *said):
            seen.page.select_option("#colour", label=name)
            entries = seen.page.query_selector_all("#legend .entry")
            look = "entry => [entry.querySelector('.name').textContent, entry.querySelector('.patch').style.background]"
            legends.append(dict(entry.evaluate(look) for entry in entries))
    style, prediction = legends
    assert len(set(prediction.values())) == 3
    assert {word: style[word] for word in prediction} == prediction


@pytest.mark.parametrize("width", [400, 1400])
def test_it_is_readable_on_a_telephone_and_on_a_desk(path, width):
    with opened(path, width=width, height=800) as seen:
        seen.until(READY)
        assert "011.png" in click_on(seen, "011.png")
        assert seen.page.evaluate("() => document.documentElement.scrollWidth") <= width
        # Behind the details the page ends: no scrolling into nothing.
        bottom = "Math.max(innerHeight, document.querySelector('aside').getBoundingClientRect().bottom + scrollY)"
        assert seen.page.evaluate(f"() => document.documentElement.scrollHeight - {bottom}") < 1
        wide = seen.page.evaluate("() => document.querySelector('.maps').getBoundingClientRect().width")
        assert wide > 0.7 * width
        assert seen.problems() == [] and serious(seen) == []


def test_text_of_others_is_shown_and_never_executed(tmp_path):
    texts = [hostile(n) for n in range(7)] * 2
    works, spaces, atlases = small_map(14, 2, ids=[f"{text} {n}" for n, text in enumerate(texts)], style=texts)
    works.columns[texts[1]] = texts
    works.links[:] = [f"pictures/{n}.png" for n in range(14)]
    spaces[0] = type(spaces[0])(texts[0], *list(vars(spaces[0]).values())[1:])
    save(map_page(texts[2], works, spaces, atlases, texts[1]), tmp_path / "map.html")
    with opened(tmp_path / "map.html") as seen:
        seen.until(READY)
        assert seen.page.title() == texts[2] and seen.page.inner_text("h1") == texts[2].strip()
        seen.page.focus(".view canvas")
        for _ in range(14):
            seen.page.keyboard.press("n")
        assert seen.page.inner_text("#details h2")
        seen.page.hover(".view canvas")
        seen.page.fill("#search", "onerror")
        settled(seen)
        assert count(seen) == "2 of 14 pictures"
        assert seen.problems() == []

"""The map's page as it is written; `test_map_in_a_browser` opens it."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import numpy as np
import pandas as pd
import pytest
from browser import hostile
from maps import small_map

from keras_art.report.map import PALETTE, Space, map_page, save


def data_of(page):
    return json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S)[1])


def unpacked(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def test_the_page_carries_what_it_is_handed():
    works, spaces, atlases = small_map(30, 2)
    page = map_page("Prints", works, spaces, atlases, "year")
    data = data_of(page)
    assert data["ids"] == works.ids and data["links"] == works.links and data["colour"] == 1
    for column in data["columns"]:
        texts = np.array(column["values"], object)[unpacked(column["codes"], "<u4")]
        assert texts.tolist() == works.columns[column["name"]].tolist()
    assert [column["numeric"] for column in data["columns"]] == [False, True]
    for told, space in zip(data["spaces"], spaces, strict=True):
        np.testing.assert_array_equal(unpacked(told["cloud"], "<f4").reshape(-1, 2), space.cloud)
        np.testing.assert_array_equal(unpacked(told["near"], "<i4").reshape(-1, 10), space.near)
        assert len(np.unique(unpacked(told["grid"], "<f4").reshape(-1, 2), axis=0)) == 30
    pages = re.findall(r'<script class="atlas" type="text/plain">(.*?)</script>', page)
    assert [base64.b64decode(text) for text in pages] == atlases.pages


def test_values_are_the_most_frequent_first_and_the_unknown_last():
    works, spaces, atlases = small_map(5, style=["b", "", "", "", "a"], year=["1"] * 5)
    values = [column["values"] for column in data_of(map_page("x", works, spaces, atlases))["columns"]]
    assert values == [["a", "b", ""], ["1"]]


@pytest.mark.parametrize(
    ("texts", "numeric"),
    [
        ([str(n) for n in range(13)], True),
        ([str(n) for n in range(12)], False),
        ([*map(str, range(13)), ""], True),
        ([*map(str, range(13)), "about 1600"], False),
        ([*map(str, range(13)), "nan"], False),
        ([""] * 3, False),
    ],
)
def test_a_column_of_many_numbers_is_a_measure(texts, numeric):
    works, spaces, atlases = small_map(len(texts), style=texts, year=texts)
    assert data_of(map_page("x", works, spaces, atlases))["columns"][0]["numeric"] is numeric


def test_only_its_own_script_may_run_and_nothing_be_loaded():
    page = map_page("x", *small_map(6))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)">', page)[1]
    script = re.search(r"<script>(.*?)</script>", page, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
    assert not re.search(r"https?://|src=|innerHTML|eval\(|document\.write", page)


def test_text_of_others_ends_no_element():
    texts = [hostile(n) for n in range(7)]
    works, spaces, atlases = small_map(7, ids=texts, style=texts)
    works.columns[texts[1]] = texts
    page = map_page(texts[2], works, spaces, atlases, texts[1])
    assert data_of(page)["ids"] == texts and data_of(page)["columns"][2]["name"] == texts[1]
    known = map_page("x", *small_map(7))
    for tag in ("<script", "</script", "<img", "<svg", "</style", "<!--"):
        assert page.count(tag) == known.count(tag), tag


def test_columns_of_one_name_and_none_at_all(tmp_path):
    works, spaces, atlases = small_map(6)
    twice = pd.concat([works.columns, works.columns], axis=1)
    page = map_page("x", type(works)(works.ids, twice), spaces, atlases)
    assert [column["name"] for column in data_of(page)["columns"]] == ["style", "year"] * 2
    assert data_of(page)["links"] is None
    bare = map_page("x \ud800", type(works)(works.ids, works.columns[[]]), spaces, atlases)
    save(bare, tmp_path / "made" / "map.html")
    assert data_of((tmp_path / "made" / "map.html").read_text(encoding="utf-8"))["columns"] == []


def test_one_picture_has_no_neighbours():
    works, _, atlases = small_map(1)
    alone = Space("x", np.full((1, 2), 0.5), np.full((1, 10), -1), np.full((1, 10), np.inf))
    assert unpacked(data_of(map_page("x", works, [alone], atlases))["spaces"][0]["near"], "<i4").tolist() == [-1] * 10


def test_the_houses_colours_are_told_apart_in_full_and_on_a_light_ground():
    assert len(set(PALETTE)) == len(PALETTE) >= 9
    for colour in PALETTE:
        r, g, b = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        assert 0.2126 * r + 0.7152 * g + 0.0722 * b < 0.75

"""Words, tables, figures and pictures in one HTML file."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from keras_art.report import pages


def a_figure() -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([1, 2])
    return figure


def test_a_page_is_one_file_with_its_pictures_inside(tmp_path):
    page = pages.Page("Styles & artists")
    page.heading("Scores <here>")
    page.text("a < b")
    page.table(pd.DataFrame({"model": ["x"], "accuracy": [0.5]}))
    page.figure(a_figure(), "per class")
    page.save(tmp_path / "figures" / "page.html")
    text = (tmp_path / "figures" / "page.html").read_text()
    assert "Styles &amp; artists" in text
    assert ">Scores &lt;here&gt;</h2>" in text
    assert "<p>a &lt; b</p>" in text
    assert ">0.50</td>" in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    picture = re.search(r"data:image/png;base64,([^\"]+)", text)[1]
    assert Image.open(io.BytesIO(base64.b64decode(picture))).format == "PNG"


def test_headings_are_in_order_tables_can_be_reached_and_every_picture_has_words(tmp_path):
    page = pages.Page("one")
    for part in ("first", "second", "third"):
        page.heading(part)
        page.subheading("within")
    page.table(pd.DataFrame({"a": [1]}), title="numbers & letters")
    page.pictures([np.zeros((4, 4, 3), np.uint8), pages.jpeg(np.zeros((4, 4, 3), np.uint8))], ["x\n12% sure", 'y"'])
    page.save(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert re.findall(r"<h(\d)", text) == list("1232323")
    assert [f'href="#part-{n}"' in text and f'id="part-{n}"' in text for n in (1, 2, 3)] == [True] * 3
    assert 'tabindex="0" role="group" aria-label="numbers &amp; letters"' in text and '<th scope="col"' in text
    assert re.findall(r'alt="([^"]*)"', text) == ["x 12% sure", "y&quot;"]
    assert "x<br>12% sure" in text


def test_the_name_of_a_picture_is_broken_where_it_has_parts(tmp_path):
    page = pages.Page("p")
    page.pictures([np.zeros((4, 4, 3), np.uint8)], ["a & b\nimages/van-gogh_<1>_0042.jpg"])
    page.save(tmp_path / "p.html")
    below = "a &amp; b<br>images/<wbr>van-<wbr>gogh_&lt;1&gt;_<wbr>0042.jpg"
    assert f"<figcaption>{below}</figcaption>" in (tmp_path / "p.html").read_text()


def test_a_page_that_is_there_stays_as_it_is(tmp_path):
    page = pages.Page("one")
    page.figure(a_figure(), "x")
    page.save(tmp_path / "page.html")
    before = (tmp_path / "page.html").stat().st_ino
    page.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_ino == before
    page.text("more")
    page.save(tmp_path / "page.html")
    assert "more" in (tmp_path / "page.html").read_text()


def test_what_is_no_text_does_not_end_a_page(tmp_path):
    page = pages.Page("bad \udcff name \x1b[31m")
    page.text("\ud800 <b>")
    page.code("</pre><script>")
    page.link("../a b&c.html", "<there>")
    page.save(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "\x1b" not in text and "<script>" not in text and "&lt;there&gt;" in text

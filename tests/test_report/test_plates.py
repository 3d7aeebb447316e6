"""What a reproduction draws for the page of a study, written down and placed again."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from keras_art.report.pages import Page
from keras_art.report.plates import Plates
from keras_art.store.sums import Damaged


def drawn(folder) -> Plates:
    plates = Plates(folder / "figures")
    figure = Figure(figsize=(1, 1))
    figure.add_subplot()
    plates.text("before <all>")
    plates.heading("Curves")
    plates.figure("curves", figure, "how it learnt")
    plates.pictures("works", [np.zeros((4, 6, 3), np.uint8)] * 2, ["a.jpg\nmonet", "b"], "two works")
    plates.table("scores", pd.DataFrame({"class": ["=1+1", "NA", ""], "f1": [0.5, np.nan, 1.0]}), "scores")
    plates.link(folder / "clustering" / "a b" / "page.html", "the clusters")
    plates.save()
    return plates


def test_plates_come_back_as_they_were_drawn(tmp_path):
    drawn(tmp_path)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "curves.png", "works-001.jpg", "works-002.jpg", "scores.csv", "plates.json",
    }  # fmt: skip
    page = Page("a study")
    Plates.read(tmp_path / "figures").place(page)
    text = "".join(page.parts)
    assert page.sections == ["Curves"] and "before &lt;all&gt;" in text and "how it learnt</figcaption>" in text
    assert "a.jpg<br>monet" in text and text.count("data:image/jpeg") == 2
    assert "<td>=1+1</td>" in text and "<td>NA</td>" in text and 'href="clustering/a%20b/page.html"' in text


def test_the_first_drawing_stands_for_the_study(tmp_path):
    assert drawn(tmp_path).first_figure() == tmp_path / "figures" / "curves.png"
    assert Plates(tmp_path / "none").first_figure() is None
    assert Plates.read(tmp_path / "none").parts == []


@pytest.mark.parametrize("damage", ["", "{", "[1]", '[{"pictures": [1]}]'])
def test_plates_are_whole_with_every_file_that_they_name(tmp_path, damage):
    drawn(tmp_path)
    folder = tmp_path / "figures"
    assert Plates.are_whole(folder) and not Plates.are_whole(tmp_path)
    (folder / "plates.json").write_text(damage)
    assert not Plates.are_whole(folder)
    drawn(tmp_path)
    (folder / "works-002.jpg").unlink()
    assert not Plates.are_whole(folder)


def test_no_list_leads_out_of_its_folder(tmp_path):
    (tmp_path / "secret.png").write_bytes(b"\x89PNG secret")
    (tmp_path / "figures").mkdir()
    parts = [{"figure": "../secret.png", "caption": "", "alt": ""}]
    (tmp_path / "figures" / "plates.json").write_text(json.dumps(parts))
    with pytest.raises(Damaged, match=r"figures/secret\.png is absent"):
        Plates.read(tmp_path / "figures").place(Page("a study"))

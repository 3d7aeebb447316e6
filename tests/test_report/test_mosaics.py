from __future__ import annotations

import pytest
from matplotlib.image import BboxImage
from PIL import Image
from test_figures import draw, picture

from keras_art.report import lettering, mosaics


def places(figure):
    """Where the pictures of a figure are, in pixels of the screen."""
    figure.draw_without_rendering()
    return [each.get_window_extent() for each in figure.findobj(BboxImage)]


def test_samples_keep_the_aspect_ratio_of_every_picture():
    pictures = [picture(40, 80), picture(80, 40), picture(50, 50), picture(300, 20)]
    figure = mosaics.samples(pictures, ["a", "b", "c", "d"], columns=3)
    for shown, each in zip(places(figure), pictures, strict=True):
        ratio = shown.height / shown.width
        assert ratio == pytest.approx(each.shape[0] / each.shape[1])


def test_long_captions_are_cut_to_their_column():
    captions = ["The Night Watch, or the Militia Company of District II " * 3, "Nocturne", ""]
    figure = mosaics.samples([picture(40, 50)] * 3, captions)
    figure.draw_without_rendering()
    long, *short = figure.texts
    assert [text.get_text() for text in short] == ["Nocturne", ""]
    assert long.get_text().startswith("The Night")
    assert long.get_text().endswith("…")
    assert long.get_window_extent().width < figure.get_figwidth() * figure.dpi / 3


@pytest.mark.parametrize(
    ("caption", "lines"),
    [
        ("images/rijksmuseum/SK-A-1234_front.jpg", ["images/", "rijksmuseum/SK-A-", "1234_front.jpg"]),
        ("kaokore/00000123.jpg", ["kaokore/", "00000123.jpg"]),
        ("0001234567890123.jpeg", ["0001234567890123", ".jpeg"]),
        ("0001234.jpg", ["0001234.jpg"]),
        ("abcdefghij" * 4, ["abcdefghijabcdefghi", "jabcdefghijabcdefgh", "ij"]),  # whole, for it fits
    ],
)
def test_a_files_name_is_broken_where_it_has_parts(caption, lines):
    assert lettering.label(caption, 7, 1.0, lines=4).split("\n") == lines


@pytest.mark.parametrize(
    "name", ["a" * 400 + "_0042.jpg", "van-gogh_" * 50 + "0042.jpg", "a long portrait " * 30 + "0042.jpg"]
)
def test_a_files_name_that_is_too_long_keeps_its_end(name):
    *above, last = lettering.label(name, 7, 1.0, lines=4).split("\n")
    assert len(above) == 3 and last.endswith("0042.jpg") and "".join(above).startswith(name[:8])
    assert "".join([*above, last]).count("…") == 1
    assert all(lettering.width_of(line, 7) <= 1.0 for line in (*above, last))


def test_what_no_font_has_becomes_a_box_without_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(lettering, "CJK_FONTS", ())
    lettering.font.cache_clear()
    figure = mosaics.samples([picture(40, 50)] * 3, ["広重 1857", "Dürer\n1500", "$5 and $x_1$"])
    draw(figure, tmp_path)
    lettering.font.cache_clear()
    assert [text.get_text() for text in figure.texts] == ["□□ 1857", "Dürer\n1500", r"\$5 and \$x_1\$"]


def test_samples_without_pictures_or_captions_are_an_error():
    with pytest.raises(ValueError, match="0 pictures"):
        mosaics.samples([], [])
    with pytest.raises(ValueError, match="1 pictures, 2 captions"):
        mosaics.samples([picture(4, 4)], ["a", "b"])


def test_a_saliency_sheet_has_a_row_for_each_painting(tmp_path):
    rows = [("Sunflowers\ntaken for Irises", [picture(60, 40)] * 3), ("The Starry Night", [picture(40, 60)] * 3)]
    figure = mosaics.saliency_sheet(rows, ["painting", "frozen", "fine-tuned"])
    assert len(places(figure)) == 6
    said = [text.get_text() for text in figure.texts]
    assert said == ["painting", "frozen", "fine-tuned", "Sunflowers\ntaken for Irises", "The Starry Night"]
    with Image.open(draw(figure, tmp_path)) as image:
        assert image.width == pytest.approx(6.5 * 150, abs=1)


def test_an_empty_or_ragged_saliency_sheet_is_an_error():
    with pytest.raises(ValueError, match="at least one row"):
        mosaics.saliency_sheet([], ["painting"])
    with pytest.raises(ValueError, match="'Nocturne' has 1 pictures for 2 columns"):
        mosaics.saliency_sheet([("Nocturne", [picture(4, 4)])], ["painting", "frozen"])

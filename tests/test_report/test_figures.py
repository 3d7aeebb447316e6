from __future__ import annotations

import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from PIL import Image

from keras_art.report import figures
from keras_art.report.palette import BLACK, BLUE, GREEN, ORANGE
from keras_art.report.palette import VERMILLION as RED


def curve(accuracy: list[float], **columns) -> pd.DataFrame:
    return pd.DataFrame({"epoch": range(1, len(accuracy) + 1), "val_accuracy": accuracy} | columns)


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


def lines_of(figure: Figure) -> dict[str, tuple[str, str]]:
    return {line.get_label(): (line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}


def shares_of(matrix: Figure) -> np.ma.MaskedArray:
    return matrix.artists[0].get_array()


def words_of(matrix: Figure, colour: str = "black") -> list[str]:
    """The lines of text in that colour: of rows, columns, scale, axes, title, cells."""
    lettered = [artist for artist in matrix.findobj(PathPatch) if to_hex(artist.get_facecolor()) == to_hex(colour)]
    return lettered[-1].get_label().split("\n")


def draw(figure: Figure, tmp_path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures.save(figure, tmp_path / "figure.png")
    return tmp_path / "figure.png"


# ------------------------------------------------------------------------------------------------ learning curves


def test_lines_have_the_colours_and_strokes_of_the_paper():
    modes = {"fine_tuning": curve([0.1, 0.2]), "off_the_shelf": curve([0.1, 0.15])}
    curves = {name: dict(modes) for name in ("Xception", "ResNet50", "InceptionV3", "VGG19")}
    curves["InceptionV3"]["scratch"] = curve([0.0, 0.1])
    lines = lines_of(figures.learning_curves(curves, title="artist"))
    colours = {"Xception": BLUE, "ResNet50": RED, "InceptionV3": BLACK, "VGG19": GREEN}
    expected = {f"{name}, fine_tuning": (colour, "--") for name, colour in colours.items()}
    expected |= {f"{name}, off_the_shelf": (colour, "-.") for name, colour in colours.items()}
    expected["InceptionV3, scratch"] = (ORANGE, "-")
    assert lines == expected


def test_other_networks_take_colours_of_their_own():
    names = ["ResNet50", "SqueezeNet", "MobileNet", "ViT"]
    lines = lines_of(figures.learning_curves({name: {"fine_tuning": curve([0.1])} for name in names}, title=""))
    colours = [colour for colour, _ in lines.values()]
    assert colours[0] == RED
    assert len(set(colours)) == 4
    assert not set(colours[1:]) & {BLUE, RED, BLACK, GREEN, ORANGE}


def test_two_networks_from_scratch_stay_apart():
    curves = {name: {"scratch": curve([0.1, 0.2])} for name in ("InceptionV3", "VGG19")}
    lines = lines_of(figures.learning_curves(curves, title=""))
    assert lines == {"InceptionV3, scratch": (BLACK, "-"), "VGG19, scratch": (GREEN, "-")}


def test_modes_that_are_not_the_papers_stay_apart():
    modes = ["off_the_shelf", "off_the_shelf, carried over", "fine_tuning, carried over", "staged, p1=0.5"]
    two = {name: {mode: curve([0.1, 0.2]) for mode in modes} for name in ("VGG19", "ResNet50")}
    figure = figures.learning_curves(two, title="")
    strokes = {(line.get_color(), str(line._unscaled_dash_pattern)) for line in figure.axes[0].lines}  # no public name
    assert len(strokes) == 8
    assert {colour for colour, _ in lines_of(figure).values()} == {GREEN, RED}
    one = figures.learning_curves({"VGG19": two["VGG19"]}, title="")
    colours = [line.get_color() for line in one.axes[0].lines]
    assert len(set(colours)) == 4
    entries = one.legends[0].legend_handles
    assert [entry.get_color() for entry in entries] == ["none", *colours]
    assert [entry.get_label() for entry in entries] == ["VGG19", *(mode.replace("_", " ") for mode in modes)]


def test_the_paper_is_thinner_paler_and_behind():
    paper = curve([0.3, 0.4, 0.5], network="VGG19", mode="fine_tuning")
    figure = figures.learning_curves({"VGG19": {"fine_tuning": curve([0.2, 0.3])}}, title="", paper=paper)
    theirs, ours = figure.axes[0].lines  # drawn in this order
    assert theirs.get_label() == "paper: VGG19, fine_tuning"
    assert theirs.get_color() == ours.get_color() == GREEN
    assert theirs.get_linewidth() < ours.get_linewidth()
    assert theirs.get_alpha() < 1
    np.testing.assert_array_equal(theirs.get_ydata(), [0.3, 0.4, 0.5])
    assert "paper" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_several_seeds_give_their_mean_and_a_band_from_min_to_max():
    runs = pd.concat([curve([0.1, 0.3, 0.5], seed=0), curve([0.3, 0.5], seed=1)])
    figure = figures.learning_curves({"VGG19": {"fine_tuning": runs}}, title="")
    (line,), (band,) = figure.axes[0].lines, figure.axes[0].collections
    np.testing.assert_allclose(line.get_ydata(), [0.2, 0.4, 0.5])
    corners = band.get_paths()[0].vertices
    for epoch, low, high in [(1, 0.1, 0.3), (2, 0.3, 0.5), (3, 0.5, 0.5)]:
        heights = corners[corners[:, 0] == epoch, 1]
        np.testing.assert_allclose([heights.min(), heights.max()], [low, high])


def test_one_seed_has_no_band():
    figure = figures.learning_curves({"VGG19": {"fine_tuning": curve([0.1, 0.2], seed=0)}}, title="")
    assert not figure.axes[0].collections


def test_the_legend_explains_colours_and_strokes_apart():
    modes = {"fine_tuning": curve([0.1]), "off_the_shelf": curve([0.1])}
    curves = {"VGG19": modes, "InceptionV3": modes | {"scratch": curve([0.1])}}
    legend = figures.learning_curves(curves, title="").legends[0]
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["VGG19", "InceptionV3", "InceptionV3, scratch", "fine tuning", "off the shelf"]


def test_a_legend_of_long_names_stays_on_the_figure():
    names = [
        "VGG19",
        "squeezenet_imagenet_notop",
        "a network whose name is longer than a figure of one column is wide",
    ]
    figure = figures.learning_curves({name: {"fine_tuning": curve([0.1, 0.2])} for name in names}, title="")
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert figure.legends[0].get_texts()[1].get_text() == "squeezenet_imagenet_notop"


@pytest.mark.parametrize("curves", [{}, {"VGG19": {}}, {"VGG19": {"fine_tuning": curve([])}}])
def test_nothing_trained_is_an_error(curves):
    with pytest.raises(ValueError, match="no epochs to draw"):
        figures.learning_curves(curves, title="artist")


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="VGG19, scratch lacks the column val_loss; it has epoch, val_accuracy"):
        figures.learning_curves({"VGG19": {"scratch": curve([0.1])}}, title="", metric="val_loss")
    with pytest.raises(ValueError, match="published curves lacks the column network, mode"):
        figures.learning_curves({"VGG19": {"scratch": curve([0.1])}}, title="", paper=curve([0.1]))


# ------------------------------------------------------------------------------------------------ confusion matrix


def test_rows_are_shares_sorted_by_support():
    confusion = np.array([[1, 1, 0], [0, 6, 2], [1, 0, 3]])
    figure = figures.confusion_matrix(confusion, ["a", "b", "c"])
    np.testing.assert_allclose(shares_of(figure), [[6 / 8, 2 / 8, 0], [0, 3 / 4, 1 / 4], [1 / 2, 0, 1 / 2]])
    words = words_of(figure)
    assert words[:6] == ["b  8", "c  4", "a  2", "b", "c", "a"]
    assert words[-4:] == ["25", "25", "50", "50"] and words_of(figure, "white") == ["75", "75"]


def test_the_rest_holds_every_class_beyond_the_top():
    confusion = np.array([[8, 1, 1, 0], [0, 4, 1, 1], [1, 0, 1, 2], [0, 1, 1, 0]])
    figure = figures.confusion_matrix(confusion, list("abcd"), top=2)
    np.testing.assert_allclose(shares_of(figure), np.array([[8, 1, 1], [0, 4, 2], [1, 1, 4]]) / [[10], [6], [6]])
    assert words_of(figure)[:3] == ["a  10", "b  6", "rest (2 classes)  6"]


def test_a_class_without_images_has_no_shares(tmp_path):
    figure = figures.confusion_matrix(np.array([[2, 1], [0, 0]]), ["a", "b"])
    assert shares_of(figure).mask.tolist() == [[False, False], [True, True]]
    draw(figure, tmp_path)


def test_a_thousand_classes_are_drawn_in_seconds(tmp_path):
    rng = np.random.default_rng(0)
    confusion = rng.poisson(0.02, (1196, 1196)) + np.diag(rng.integers(1, 200, 1196))
    names = [f"Artist {index}, school of the northern provinces" for index in range(1196)]
    start = time.process_time()
    figure = figures.confusion_matrix(confusion, names, title="artist")
    draw(figure, tmp_path)
    assert time.process_time() - start < 20  # on a machine that others use, too
    shares = shares_of(figure)
    assert shares.shape == (26, 26)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert words_of(figure)[-1] == "artist" and words_of(figure, "white") == [""]  # cells are too small for numbers


def test_long_names_stay_on_the_page():
    confusion = np.eye(30) * 1234
    names = ["Circle of an unknown master of the northern provinces, attributed"] * 30
    figure = figures.confusion_matrix(confusion, names)
    figure.draw_without_rendering()
    assert figure.get_figwidth() <= 6.5 + 1e-9
    drawn = figure.get_tightbbox()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= figure.get_figwidth() and drawn.y1 <= figure.get_figheight()


def test_a_matrix_is_a_handful_of_artists_however_many_texts_stand_in_it():
    figure = figures.confusion_matrix(np.eye(26, dtype=int), [f"artist {i}" for i in range(26)], title="x")
    assert len(figure.findobj()) < 12


@pytest.mark.parametrize(
    ("confusion", "names", "top", "message"),
    [
        (np.zeros((0, 0)), [], 25, "counts >= 0 with one"),
        (np.zeros((2, 2)), ["a", "b"], 25, "counts >= 0 with one"),
        (np.array([[1, -1], [0, 1]]), ["a", "b"], 25, "counts >= 0"),
        (np.eye(2), ["a", "b"], 0, "top >= 1"),
        (np.eye(2), ["a"], 25, "must be square"),
        (np.ones((2, 3)), ["a", "b"], 25, "must be square"),
    ],
)
def test_what_is_no_confusion_matrix_is_an_error(confusion, names, top, message):
    with pytest.raises(ValueError, match=message):
        figures.confusion_matrix(confusion, names, top=top)


def test_of_many_classes_the_pairs_most_confused_are_drawn_most_often_first():
    confusion = np.diag(np.full(70, 9))
    confusion[3, 5], confusion[5, 3], confusion[1, 2] = 4, 1, 2
    names = [f"n{i}" for i in range(70)]
    axes = figures.confusion(confusion, names).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "n3 taken for n5", "n1 taken for n2", "n5 taken for n3",
    ]  # fmt: skip
    assert [text.get_text().strip() for text in axes.texts] == ["4 of 13", "2 of 11", "1 of 10"]
    assert all(float(tick).is_integer() for tick in axes.get_xticks())
    assert shares_of(figures.confusion(confusion[:9, :9], names[:9])).shape == (9, 9)


def test_where_nothing_is_confused_the_figure_of_pairs_says_so(tmp_path):
    figure = figures.confusion(np.eye(70, dtype=int), [f"n{i}" for i in range(70)])
    assert "none is taken for another" in figure.axes[0].get_xlabel()
    draw(figure, tmp_path)


def test_one_epoch_has_an_integer_tick():
    figure = figures.learning_curves({"VGG19": {"fine_tuning": curve([0.1])}}, title="")
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_xlim()
    assert [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high] == [1]


# ------------------------------------------------------------------------------------------------ files


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_figure_gives_the_same_bytes(tmp_path, suffix):
    for name in ("a", "b"):
        figure = figures.learning_curves({"VGG19": {"scratch": curve([0.1, 0.4])}}, title="artist")
        figures.save(figure, tmp_path / "new" / "folder" / f"{name}{suffix}")
    first, second = sorted((tmp_path / "new" / "folder").iterdir())  # and no .part beside them
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size > 5000


def test_a_png_has_150_dots_to_the_inch(tmp_path):
    figure = figures.confusion_matrix(np.eye(4), list("abcd"))
    with Image.open(draw(figure, tmp_path)) as image:
        assert image.width == pytest.approx(figure.get_figwidth() * 150, abs=1)
        assert np.asarray(image.convert("L")).std() > 20  # something is drawn


def test_another_kind_of_file_is_refused(tmp_path):
    figure = figures.confusion_matrix(np.eye(2), ["a", "b"])
    with pytest.raises(ValueError, match=r"\.png or \.svg"):
        figures.save(figure, tmp_path / "figure.pdf")
    assert not list(tmp_path.iterdir())


def test_no_figure_touches_pyplot(tmp_path):
    program = """
import sys
import numpy as np, pandas as pd
from keras_art.report import figures, mosaics
assert "matplotlib" not in sys.modules and "pandas" in sys.modules
import matplotlib
before = matplotlib.rcParams.copy()
picture = np.zeros((4, 4, 3), np.uint8)
curve = pd.DataFrame({"epoch": [1], "val_accuracy": [0.5]})
made = [
    figures.learning_curves({"VGG19": {"scratch": curve}}, title="a"),
    mosaics.samples([picture], ["a"]),
    mosaics.saliency_sheet([("a", [picture])], ["b"]),
    figures.confusion_matrix(np.eye(2), ["a", "b"]),
]
for figure in made:
    figures.save(figure, sys.argv[1])
assert "matplotlib.pyplot" not in sys.modules
assert matplotlib.rcParams.copy() == before
"""
    others = "ignore::DeprecationWarning"  # of Matplotlib's, which the releases of what it needs decide about
    command = [sys.executable, "-W", "error", "-W", others, "-c", program, str(tmp_path / "figure.svg")]
    run = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_title_of_a_narrow_matrix_takes_the_lines_it_needs_and_loses_nothing():
    name = "kaokore-193e6fb3-gender-squeezenet_imagenet_notop-76e96810.keras-fine_tuning-0-615ffae4"
    figure = figures.confusion_matrix(np.eye(2, dtype=int), ["a", "b"], title=name)
    assert name in "".join(words_of(figure))
    drawn = figure.get_tightbbox()
    assert drawn.x1 <= figure.get_figwidth() and drawn.y1 <= figure.get_figheight()

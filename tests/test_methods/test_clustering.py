"""Spaces, scores, colours, pictures and figures of clusterings."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import paint
from PIL import Image
from threadpoolctl import threadpool_info

from keras_art.data import tasks
from keras_art.data.choices import choose_all
from keras_art.data.sources import BadCollection, load_collection
from keras_art.errors import UserError
from keras_art.methods.dcec import clustering, formats, joint, scores, spaces
from keras_art.pictures import colours
from keras_art.report import cluster_figures, figures
from keras_art.store import runs
from keras_art.study.kinds.clustering import ClusteringRun, summary
from reproductions.dcec_paint import digits

RNG = np.random.default_rng


def blobs(k=3, n=30, dimensions=4, spread=0.1):
    """Points round k corners, and which corner each belongs to."""
    rng = RNG(0)
    labels = np.arange(n) % k
    return (10 * np.eye(k, dimensions)[labels] + rng.normal(0, spread, (n, dimensions))).astype("float32"), labels


def test_thumbnails_are_block_means_in_unit_range():
    pixels = RNG(0).integers(0, 256, (5, 128, 128, 3)).astype(np.uint8)
    found = spaces.thumbnails(pixels, np.array([3, 1]))
    assert found.shape == (2, 32 * 32 * 3)
    expected = pixels[3, 4:8, 8:12, 1].mean() / 255
    assert found.reshape(2, 32, 32, 3)[0, 1, 2, 1] == pytest.approx(expected, rel=1e-5)
    small = RNG(0).integers(0, 256, (2, 28, 28, 3)).astype(np.uint8)
    np.testing.assert_allclose(spaces.thumbnails(small, np.arange(2)), small.reshape(2, -1) / 255, rtol=1e-6)


def test_principal_components_keep_distances_of_a_plane():
    plane = RNG(0).normal(size=(20, 2)) @ RNG(1).normal(size=(2, 30))
    found = spaces.principal_components(plane.astype("float32"), 2, seed=0)
    distance = np.linalg.norm(plane[0] - plane[7])
    assert np.linalg.norm(found[0] - found[7]) == pytest.approx(distance, rel=1e-3)


def test_kmeans_finds_blobs_and_the_same_ones_again():
    points, truth = blobs()
    labels, centroids = spaces.kmeans(points, 3, seed=0)
    assert scores.agreement(truth, labels)["accuracy"] == 1
    np.testing.assert_array_equal(labels, spaces.kmeans(points, 3, seed=0)[0])
    for cluster in range(3):
        np.testing.assert_allclose(centroids[cluster], points[labels == cluster].mean(0), atol=1e-4)


def test_kmeans_says_when_there_are_too_few_different_points():
    labels, _ = spaces.kmeans(np.repeat(np.eye(2, dtype="float32"), 5, axis=0), 4, seed=0)
    assert len(np.unique(labels)) == 2 and "2 clusters, not 4" in spaces.too_few(labels, 4)
    assert not spaces.too_few(labels, 2)


def test_what_lies_side_by_side_has_a_thread_each_and_others_keep_theirs():
    def threads(_: object = None) -> list[int]:
        return [library["num_threads"] for library in threadpool_info()]

    spaces.kmeans_of([(blobs()[0], 2)], seed=0)  # whose libraries are loaded then
    before = threads()
    assert {n for each in spaces._side_by_side(threads, range(4), 2) for n in each} == {1}
    assert threads() == before


@pytest.mark.parametrize("seed", range(5))
def test_matching_accuracy_is_the_best_of_all_matchings(seed):
    labels, clusters = RNG(seed).integers(0, 4, 40), RNG(seed + 100).integers(0, 4, 40)
    best = max(np.mean(np.array(names)[clusters] == labels) for names in itertools.permutations(range(4)))
    assert scores.agreement(labels, clusters)["accuracy"] == pytest.approx(best)


def test_matching_takes_more_labels_than_clusters_and_the_other_way_round():
    labels = np.repeat(np.arange(4), 5)
    assert scores.agreement(labels, labels // 2)["accuracy"] == 0.5
    assert scores.agreement(labels // 2, labels)["accuracy"] == 0.5


def test_agreement_does_not_depend_on_the_names_of_clusters():
    labels, clusters = RNG(0).integers(0, 3, 30), RNG(1).integers(0, 3, 30)
    assert scores.agreement(labels, clusters) == pytest.approx(scores.agreement(labels, (clusters + 1) % 3))
    assert scores.agreement(labels, 2 - labels) == pytest.approx({"accuracy": 1, "nmi": 1, "ari": 1})


def test_calinski_harabasz_is_the_corrected_formula():
    points, labels = blobs(spread=3)
    centre = points.mean(0)
    between = sum((labels == c).sum() * ((points[labels == c].mean(0) - centre) ** 2).sum() for c in range(3))
    within = sum(((points[labels == c] - points[labels == c].mean(0)) ** 2).sum() for c in range(3))
    expected = between / within * (30 - 3) / (3 - 1)
    assert scores.separation(points, labels)["calinski_harabasz"] == pytest.approx(expected, rel=1e-4)


def test_the_silhouette_is_the_one_written_out():
    points, labels = blobs(spread=3)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    values = []
    for i in range(30):
        own = distances[i][(labels == labels[i]) & (np.arange(30) != i)].mean()
        other = min(distances[i][labels == c].mean() for c in range(3) if c != labels[i])
        values.append((other - own) / max(own, other))
    assert scores.separation(points, labels)["silhouette"] == pytest.approx(np.mean(values), rel=1e-4)


@pytest.mark.parametrize("labels", [np.zeros(6, int), np.arange(6)])
def test_separation_of_one_cluster_or_of_single_points_is_not_defined(labels):
    assert scores.separation(RNG(0).normal(size=(6, 2)), labels) == {"silhouette": None, "calinski_harabasz": None}


def test_the_gap_statistic_finds_the_blobs():
    points, _ = blobs(k=3, n=60)
    gap = scores.gap_statistic(points, most=6, references=5, n_init=3)
    assert list(gap["k"]) == [1, 2, 3, 4, 5, 6]
    assert scores.gap_choice(gap) == 3
    np.testing.assert_allclose(gap["gap"], gap["expected"] - gap["log_w"])


def test_the_gap_statistic_of_noise_is_one_cluster():
    noise = RNG(3).uniform(size=(80, 2)).astype("float32")
    assert scores.gap_choice(scores.gap_statistic(noise, most=5, references=10, n_init=3)) == 1


def test_tibshiranis_rule_takes_the_first_k_and_none_where_the_gap_only_rises():
    frame = pd.DataFrame({"k": [1, 2, 3, 4], "gap": [0.1, 0.5, 0.52, 0.9], "se": [0.05] * 4})
    assert scores.gap_choice(frame) == 2
    assert scores.gap_choice(frame.assign(gap=[0.1, 0.5, 1.0, 1.5])) is None


def test_contingency_counts_pairs():
    counts = scores.contingency(np.array([0, 0, 1, 1]), np.array([0, 2, 2, 2]))
    assert counts.tolist() == [[1, 0, 1], [0, 0, 2]]
    assert scores.contingency(np.array([0, 1]), np.array([0, 0]), 3, 2).tolist() == [[1, 0], [1, 0], [0, 0]]


def test_stability_is_one_for_renamed_clusters_and_unknown_for_one_seed():
    labels = np.arange(12) % 3
    assert scores.stability([labels, 2 - labels]) == pytest.approx(1)
    assert scores.stability([labels]) is None


def test_collapse_and_empty_clusters_are_said():
    sizes = np.array([0] * 95 + [2] * 5)
    found = scores.warnings_of(sizes, 3, np.ones((100, 2)))
    assert "1 of 3 clusters are empty: 2 (a longer pretraining, --epochs, may fill them)" in found
    assert "1 of 3 clusters are empty: 2" in scores.warnings_of(sizes, 3)  # of k-means, which has no pretraining
    assert any("95%" in note for note in found)
    assert any("collapsed" in note for note in found)
    points, labels = blobs()
    assert scores.warnings_of(labels, 3, points) == []


def test_lightness_and_colour_are_cielab():
    # Reference values of sRGB under D65.
    known = {(255, 255, 255): (100, 0, 0), (0, 0, 0): (0, 0, 0), (255, 0, 0): (53.24, 80.09, 67.20),
             (0, 0, 255): (32.30, 79.19, -107.86)}  # fmt: skip
    for rgb, expected in known.items():
        np.testing.assert_allclose(colours.lab(np.array([rgb], np.uint8))[0], expected, atol=0.15)


def test_statistics_are_the_means_of_each_picture():
    pixels = np.zeros((2, 64, 64, 3), np.uint8)
    pixels[1] = (255, 0, 0)
    found = colours.statistics(pixels, np.array([1, 0]))
    assert found["red"].tolist() == [255, 0] and found["lightness"].tolist() == pytest.approx([53.24, 0], abs=0.1)


def test_local_entropy_is_that_of_the_greys_in_a_disc():
    halves = np.zeros((40, 40, 3), np.uint8)
    halves[:, 20:] = 255
    found = colours.local_entropy(halves, radius=2)
    assert not found[:, :18].any() and not found[:, 22:].any()
    inside, of = 4, 13  # a disc of radius 2 has 13 pixels; of the column 19, 4 stand across the border
    shares = np.array([inside, of - inside]) / of
    assert found[20, 19] == pytest.approx(-(shares * np.log2(shares)).sum())
    # Of scikit-image 0.26: entropy(img_as_ubyte(rgb2gray(picture)), disk(10)).
    picture = (np.arange(30 * 30 * 3).reshape(30, 30, 3) ** 2 % 251).astype(np.uint8)
    found = colours.local_entropy(picture)
    np.testing.assert_allclose(
        [found.mean(), found[0, 0], found[15, 15]], [6.741803071620, 6.030633374059, 6.871955206925], rtol=1e-6
    )
    assert found[::4, ::4].tolist() == colours.local_entropy(picture, step=4).tolist()


def ready(folder, store, size=16):
    kept = runs.Store(store)
    kept.create()
    whole = load_collection(folder)
    return tasks.prepare(kept, whole, choose_all(whole), size, "crop", lambda done, all: None)


def test_a_folder_of_pictures_without_labels_will_do(tmp_path):
    for i in range(4):
        paint(tmp_path / "flat" / f"{i}.png", "abc"[i % 3], i)
    found = ready(tmp_path / "flat", tmp_path / "store")
    assert list(found.task.images["id"]) == ["0.png", "1.png", "2.png", "3.png"]
    assert not len(scores.telling(found.task.columns).columns)
    assert found.pixels[found.rows].shape == (4, 16, 16, 3)


def test_labels_are_kept_and_those_that_say_nothing_are_passed_over(picture_csv, tmp_path):
    table = pd.read_csv(picture_csv / "labels.csv")
    table.assign(same="x", each=range(len(table))).to_csv(picture_csv / "labels.csv", index=False)
    found = ready(picture_csv, tmp_path / "store")
    assert list(found.task.columns) == ["artist", "style", "same", "each"]
    assert list(scores.telling(found.task.columns)) == ["artist", "style"]


def test_an_unreadable_picture_is_quarantined_and_no_pictures_are_an_error(picture_folder, tmp_path):
    (picture_folder / "a" / "broken.png").write_bytes(b"no picture")
    assert ready(picture_folder, tmp_path / "store").task.size == 24
    assert "broken.png" in next((tmp_path / "store").glob("collections/*/quarantine.csv")).read_text()
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadCollection, match="holds no class folders with images"):
        load_collection(tmp_path / "empty")


def test_other_readable_pictures_are_not_mixed_with_earlier_runs(picture_folder, tmp_path):
    ready(picture_folder, tmp_path / "store")
    broken = picture_folder / "a" / "a0.png"
    size = broken.stat().st_size
    broken.write_bytes(b"x" * size)
    with pytest.raises(runs.StoreError, match="put the images back"):
        ready(picture_folder, tmp_path / "store")


def test_a_limit_draws_at_random_and_again_the_same(picture_csv):
    whole = load_collection(picture_csv)
    some = choose_all(whole, 5, seed=0)
    assert len(some.images) == 5 and some.images["id"].is_monotonic_increasing
    assert list(some.images["id"]) == list(choose_all(whole, 5, seed=0).images["id"])
    assert some.key != choose_all(whole).key
    assert choose_all(whole, 0, seed=1).key == choose_all(whole).key


def test_what_can_not_be_clustered_is_refused(tmp_path):
    for i in range(3):
        Image.new("RGB", (16, 16), (9, 9, 9)).save(tmp_path / f"{i}.{'png' if i else 'bmp'}")
    with pytest.raises(UserError, match="look the same"):
        clustering.check(ready(tmp_path, tmp_path / "store"), 2)
    paint(tmp_path / "one" / "a.png", "a")
    with pytest.raises(UserError, match="needs at least 2 images"):
        clustering.check(ready(tmp_path / "one", tmp_path / "store2"), 2)


def test_digits_are_scikit_learns(tmp_path):
    folder = digits.make_digits(tmp_path / "digits")
    table = pd.read_csv(folder / "labels.csv")
    assert len(table) == 1797 and table["digit"].value_counts()[0] == 178
    with Image.open(folder / table["image"][0]) as picture:
        assert picture.size == (8, 8) and np.asarray(picture).max() <= 255
    before = (folder / "labels.csv").stat().st_mtime_ns
    assert digits.make_digits(folder) == folder and (folder / "labels.csv").stat().st_mtime_ns == before


def test_assignments_keep_what_is_known_under_names_of_their_own():
    given = pd.DataFrame({"id": ["x", "y"], "style": ["s", "t"], "cluster": ["c", "d"]}, index=[4, 7])
    found = clustering.assignments(["1", "2"], np.array([[0.2, 0.8], [0.9, 0.1]]), given)
    assert list(found) == ["id", "cluster", "probability", "id (given)", "style", "cluster (given)"]
    assert found["cluster"].tolist() == [2, 1] and found["cluster (given)"].tolist() == ["c", "d"]
    assert found["id"].tolist() == ["1", "2"] and found["style"].tolist() == ["s", "t"]


def test_points_are_laid_out_on_a_plane_the_same_way_each_time():
    points, labels = blobs()
    place = spaces.on_planes([points])[0]
    assert place.shape == (30, 2) and scores.separation(place, labels)["silhouette"] > 0.5
    np.testing.assert_array_equal(place, spaces.on_planes([points[:20], points], threads=2)[1])


def test_pictures_are_measured_once_for_every_k_and_anew_at_another_size(monkeypatch):
    asked = []
    run = SimpleNamespace(image_size=8, resize="squash")
    ready = SimpleNamespace(pixels=np.zeros((2, 8, 8, 3), np.uint8), rows=np.arange(2), sha256=["a", "b"])

    def measure(pixels: np.ndarray, rows: np.ndarray) -> pd.DataFrame:
        asked.append(len(rows))
        return pd.DataFrame({"border": np.zeros(len(rows))})

    for _ in range(2):
        found = formats.measured(measure, run, ready)
        found["border"] = 1.0
    assert asked == [2] and not formats.measured(measure, run, ready)["border"].any()
    formats.measured(measure, SimpleNamespace(image_size=16, resize="squash"), ready)
    assert asked == [2, 2]


def test_figures_draw_what_they_are_given(tmp_path):
    points, labels = blobs()
    gap = pd.DataFrame({"k": [1, 2, 3], "gap": [0.1, 0.4, 0.3], "se": [0.1, 0.1, 0.1]})
    drawn = {
        "k": cluster_figures.against_k({"silhouette": pd.DataFrame({"k": [2, 3], "dcec": [0.1, np.nan]})}, "t"),
        "gap": cluster_figures.gap_curve(gap, 2),
        "maps": cluster_figures.maps(
            [("a", points[:, :2], labels, ["1", "2", "3"]), ("b", points[:, :2], labels, list("xyz"))], "t"
        ),
        "contingency": cluster_figures.contingency_plot(scores.contingency(labels, labels), "a", "b"),
        "colours": cluster_figures.colour_histograms(
            colours.statistics(RNG(0).integers(0, 256, (30, 8, 8, 3)).astype(np.uint8), np.arange(30)), labels, 4
        ),
    }
    for name, figure in drawn.items():
        figures.save(figure, tmp_path / f"{name}.png")
    texts = [text.get_text() for text in drawn["contingency"].axes[0].texts]
    assert texts == [str(n) for n in scores.contingency(labels, labels).ravel()]
    assert "k = 2" in drawn["gap"].axes[0].get_title()
    assert len(drawn["maps"].axes) == 2 and len(drawn["colours"].axes) == 12
    assert [bool(axes.patches) for axes in drawn["colours"].axes] == [True] * 9 + [False] * 3  # the fourth is empty


@pytest.mark.parametrize("ks", [[3], [3, 5], [2, 3, 4, 5, 6, 7, 8, 9, 10]])
def test_numbers_of_clusters_are_whole_on_the_axis(ks):
    table = pd.DataFrame({"k": ks, "dcec": np.linspace(0.1, 0.3, len(ks))})
    ticks = cluster_figures.against_k({"silhouette": table}, "t").axes[0].get_xticks()
    assert len(ticks) and all(tick == int(tick) for tick in ticks)


def test_a_curve_begins_with_what_was_measured():
    columns = {"iteration": [0, 20, 40], "changed": [0.0, 0.8, 0.1]}
    updates = pd.DataFrame(columns | {"reconstruction_loss": [np.nan, 0.3, 0.2], "clustering_loss": [np.nan, 2, 1]})
    for axes in cluster_figures.training_curves({"k = 4": updates}).axes:
        assert axes.lines[0].get_xdata().tolist() == [20, 40]


def test_a_run_whose_clusters_are_empty_is_not_told_as_one_that_came_to_rest():
    run = ClusteringRun(mode="dcec", k=4, tol=0.001)
    found = {"status": "ok", "steps": 40, "stop": "tol", "sizes": [0, 0, 238, 0]}
    assert summary(run, found) == (
        "40 iterations (fewer than 0.1% of labels changed, but 3 of 4 clusters are empty), sizes [0, 0, 238, 0]"
    )
    assert "empty" not in summary(run, found | {"sizes": [50, 60, 70, 58]})


def test_one_cluster_trains_until_its_losses_are_steady():
    def reason(*losses: float, k: int = 1, changed: float = 0.0) -> str:
        rows = [{"iteration": 0, "changed": 0.0}]
        rows += [{"iteration": 140 * i, "changed": changed, "loss": loss} for i, loss in enumerate(losses, 1)]
        return joint._reason(rows, k, 0.001, 560)

    assert reason() == reason(0.5) == reason(0.5, 0.5) == reason(0.5, 0.3, 0.2999) == ""
    assert reason(0.5, 0.3, 0.2999, 0.2998) == "tol"
    assert reason(0.5, 0.4, 0.3, 0.2) == "max_iterations"
    assert reason(float("nan")) == "diverged"
    assert reason(0.5, k=2) == "tol" and reason(0.5, k=2, changed=0.5) == ""
    assert scores.warnings_of(np.zeros(5, int), 1) == []


def test_a_clustering_that_follows_what_is_no_label_is_told_of():
    shape, label = np.repeat([0, 1], 50), np.tile([0, 1], 50)
    columns, formats = pd.DataFrame({"genre": label.astype(str)}), pd.DataFrame({"aspect": shape, "colour": label})
    points = np.random.default_rng(0).normal(size=(100, 2))
    clusterings = {"dcec": shape, "kmeans_pixels": label}
    table = scores.score_table(columns, clusterings, {"learned": points}, formats).to_dict("records")
    assert table[0]["format_aspect"] == pytest.approx(1) and table[0]["format_colour"] == pytest.approx(0, abs=1e-9)
    assert scores.found_formats(table[0]) == [
        "its clusters follow the pictures' aspect (NMI 1.00, genre by 0.00): --resize trim cuts borders off"
    ]
    assert scores.found_formats({"nmi_genre": 0.5, "format_aspect": 0.4}) == []
    assert scores.found_formats({"format_aspect": 0.05}) == []
    assert scores.found_formats({"format_colour": 0.3}) == ["its clusters follow the pictures' colour (NMI 0.30)"]

"""Where pictures stand on a map."""

from __future__ import annotations

import numpy as np
import pytest

from keras_art.learning.neighbours import directions, nearest
from keras_art.report import placement
from keras_art.report.placement import framed, in_rows


def laid_out(vectors, seed=0):
    vectors = directions(vectors)
    most = min(placement.NEIGHBOURS, len(vectors) - 1)
    near, far = nearest(vectors, vectors, most, np.arange(len(vectors)))
    return placement.cloud(vectors, near, far, seed)


@pytest.mark.parametrize("many", [pytest.param(10, marks=pytest.mark.slow), placement.MANY])
def test_what_is_alike_stands_together_and_the_same_every_time(many, monkeypatch):
    monkeypatch.setattr(placement, "MANY", many)
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], 20)
    vectors = rng.normal(size=(60, 70)) + 12 * rng.normal(size=(3, 70))[groups]
    points = laid_out(vectors)
    assert points.dtype == np.float32 and points.min() >= 0 and points.max() <= 1
    for group in range(3):
        middle = points[groups == group].mean(axis=0)
        inside = np.linalg.norm(points[groups == group] - middle, axis=1).max()
        outside = np.linalg.norm(points[groups != group] - middle, axis=1).min()
        assert inside < outside
    np.testing.assert_array_equal(points, laid_out(vectors))


def test_far_groups_stand_apart_on_a_plane():
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], 20)
    points = rng.normal(size=(40, 6)).astype("float32") + 20 * groups[:, None]
    place = placement.plane(points)
    near = np.linalg.norm(place[:, None] - place, axis=2)
    assert near[groups[:, None] == groups].max() < near[groups[:, None] != groups].min()
    np.testing.assert_array_equal(place, placement.plane(points))
    assert placement.plane(points[:3]).shape == (3, 2) and np.isfinite(placement.plane(np.ones((9, 4)))).all()


@pytest.mark.slow
def test_a_plane_is_the_same_by_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(placement, "MANY", 10)
    points, places = np.random.default_rng(0).normal(size=(40, 6)), []
    for threads in (1, 3):
        monkeypatch.setattr(placement.os, "cpu_count", lambda threads=threads: threads)
        places.append(placement.plane(points))
    np.testing.assert_array_equal(*places)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 6])
def test_few_pictures_have_places_of_their_own(count):
    points = laid_out(np.random.default_rng(0).normal(size=(count, 3)))
    assert points.shape == (count, 2) and len(np.unique(points, axis=0)) == count


@pytest.mark.parametrize("vectors", [np.ones((8, 60)), np.ones((8, 1)), np.zeros((8, 4)), np.eye(8)[[0] * 7 + [1]]])
def test_pictures_that_are_all_the_same_have_places(vectors):
    assert np.isfinite(laid_out(vectors)).all()


def test_a_frame_keeps_proportions():
    points = framed(np.array([[0.0, 0], [10, 0], [10, 5]]))
    np.testing.assert_allclose(points, [[0, 0.25], [1, 0.25], [1, 0.75]])
    np.testing.assert_allclose(framed(np.zeros((2, 2))), 0.5)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 9, 10, 17, 100, 1001])
def test_in_rows_every_picture_has_a_cell_of_its_own(count):
    middles, side = in_rows(np.random.default_rng(0).normal(size=(count, 2)))
    assert len(np.unique(middles, axis=0)) == count
    cells = middles / side - 0.5
    np.testing.assert_allclose(cells, np.round(cells), atol=1e-3)
    assert side == pytest.approx(1 / max(1, int(np.ceil(np.sqrt(count)))))


def test_in_rows_who_stood_left_stands_left():
    points = np.random.default_rng(0).uniform(size=(400, 2))
    middles, _ = in_rows(points)
    for axis in (0, 1):
        assert np.corrcoef(points[:, axis], middles[:, axis])[0, 1] > 0.95

"""The nearest vectors, one by one and by an index."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from keras_art.errors import UserError
from keras_art.learning import neighbours
from keras_art.learning.neighbours import directions, nearest


@pytest.fixture
def points():
    return directions(np.random.default_rng(0).normal(size=(60, 8)))


def by_hand(points, queries, k, own):
    """Every distance, sorted; of equals the first."""
    far = np.maximum(np.round(1 - queries.astype(float) @ points.T.astype(float), 6), 0)
    for i, place in enumerate(own):
        if place >= 0:
            far[i, place] = np.inf
    order = np.argsort(far, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(far, order, axis=1)


@pytest.mark.parametrize("block", [1, 61, 130, 1 << 24])
def test_all_are_compared_whatever_the_block(points, block, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    places, distances = nearest(points, points, 7, np.arange(60))
    expected, far = by_hand(points, points, 7, np.arange(60))
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_allclose(distances, far, atol=2e-6)


def test_a_query_is_not_its_own_neighbour_but_its_copy_is(points):
    twice = np.concatenate([points, points[:1]])
    places, distances = nearest(twice, twice[:1], 3, np.array([0]))
    assert places[0, 0] == 60 and distances[0, 0] == 0
    assert 0 not in places
    assert nearest(twice, twice[:1], 3)[0][0, :2].tolist() == [0, 60]


def test_lengths_do_not_matter_and_opposites_are_two_apart():
    points = directions(np.array([[1.0, 0], [0, 5], [-3, 0]]))
    places, distances = nearest(points, directions(np.array([[10.0, 0]])), 3)
    assert places.tolist() == [[0, 1, 2]]
    np.testing.assert_allclose(distances, [[0, 1, 2]], atol=1e-6)


def test_where_there_are_fewer_the_rest_is_marked():
    points = directions(np.eye(2))
    places, distances = nearest(points, points, 4, np.arange(2))
    assert places.tolist() == [[1, -1, -1, -1], [0, -1, -1, -1]]
    assert np.isinf(distances[:, 1:]).all()
    assert nearest(points[:0], points, 2)[0].tolist() == [[-1, -1]] * 2


def test_vectors_of_zeros_are_no_error():
    assert nearest(directions(np.zeros((3, 4))), directions(np.zeros((1, 4))), 2)[1].tolist() == [[1, 1]]


def test_beyond_a_number_of_pairs_an_index_answers(points, monkeypatch):
    pytest.importorskip("usearch", reason="usearch is not installed")
    monkeypatch.setattr(neighbours, "MOST_PAIRS", 100)
    places, distances = nearest(points, points, 5, np.arange(60))
    expected, far = by_hand(points, points, 5, np.arange(60))
    assert (places == expected).mean() > 0.95
    np.testing.assert_allclose(distances[:, 0], far[:, 0], atol=1e-3)
    assert not (places == np.arange(60)[:, None]).any()
    assert (
        nearest(points[:3], np.tile(points[:3], (40, 1)), 5, np.tile(np.arange(3), 40))[0][0, 2:].tolist() == [-1] * 3
    )


def test_an_index_that_is_absent_is_one_line_with_the_remedy(points, monkeypatch):
    monkeypatch.setattr(neighbours, "MOST_PAIRS", 100)
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(UserError, match=r"pip install usearch"):
        nearest(points, points, 5)

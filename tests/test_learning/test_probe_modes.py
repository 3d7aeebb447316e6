from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_art.learning import probes
from keras_art.networks.loading import load_model
from keras_art.networks.votes import METRICS, NearestNeighbours, neighbours_head
from keras_art.pictures.pipeline import Batches


def features(count: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows round a centre for each class, of which the last class is rare, in directions that differ in length."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    centres = np.random.default_rng(0).normal(0, 1, (classes, 6))
    return (centres[labels] + rng.normal(0, 0.6, (count, 6))).astype("float32"), labels.astype("int32")


def batches(classes: int):
    splits = {"train": (120, 1), "val": (60, 2), "test": (60, 3)}

    def of(split: str) -> Batches:
        rows, labels = features(splits[split][0], classes, splits[split][1])
        return Batches(rows, np.arange(len(rows)), labels, 32)

    return of


@pytest.mark.parametrize("classes", [2, 3])
def test_a_linear_probe_is_scikit_learns_own_and_its_penalty_is_chosen_on_validation(classes):
    from sklearn.linear_model import LogisticRegression

    of = batches(classes)
    found = probes.probe("linear_probe", of, classes)
    (train, labels), (val, val_labels), (test, _) = (
        of(split).gather(np.arange(len(of(split).rows))) for split in ("train", "val", "test")
    )
    assert found.tried["accuracy"].max() == found.chosen["val_accuracy"]
    assert len(found.tried) == len(probes.INVERSE_PENALTIES)
    mean, deviation = train.mean(0), train.std(0) + 1e-6
    same = LogisticRegression(C=found.chosen["inverse_penalty"], max_iter=1000).fit((train - mean) / deviation, labels)
    said = found.head.predict(test, verbose=0)
    np.testing.assert_allclose(said, same.predict_proba((test - mean) / deviation), atol=2e-3)
    accuracy = (found.head.predict(val, verbose=0).argmax(1) == val_labels).mean()
    assert accuracy == found.chosen["val_accuracy"]


def test_threads_do_not_wait_for_one_another_over_little_work(monkeypatch):
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_info, threadpool_limits

    seen = []

    def fit(self, rows, labels):
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return learn(self, rows, labels)

    learn = LogisticRegression.fit
    monkeypatch.setattr(LogisticRegression, "fit", fit)
    with threadpool_limits(2):
        probes.probe("linear_probe", batches(3), 3)
        assert set(seen) == {1}
        seen.clear()
        monkeypatch.setattr(probes, "SMALL", 0)
        probes.probe("linear_probe", batches(3), 3)
        assert set(seen) == {2}


def test_a_class_that_is_not_learnt_from_is_never_said():
    rows, labels = features(60, 2, 1)
    found = probes.probe("linear_probe", lambda split: Batches(rows, np.arange(60), labels, 32), 4)
    assert found.head.predict(rows, verbose=0)[:, 2:].max() == 0


def test_a_knn_probe_votes_as_scikit_learn_does_and_is_chosen_on_validation():
    from sklearn.neighbors import KNeighborsClassifier

    of = batches(3)
    found = probes.probe("knn_probe", of, 3)
    assert set(found.tried["metric"]) == set(METRICS)
    assert found.tried["k"].max() == 100
    (train, labels), (test, _) = (of(split).gather(np.arange(len(of(split).rows))) for split in ("train", "test"))
    for metric in METRICS:
        theirs = KNeighborsClassifier(5, metric=metric, algorithm="brute").fit(train, labels).predict_proba(test)
        ours = neighbours_head(train, labels, 3, 5, metric).predict(test, verbose=0)
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    best = found.tried.loc[found.tried["accuracy"].idxmax()]
    assert (found.chosen["k"], found.chosen["metric"]) == (best["k"], best["metric"])


def test_of_equal_votes_the_nearer_neighbour_is_ahead():
    head = neighbours_head(np.array([[0.0], [1.0]], "float32"), np.array([0, 1]), 2, 2, "euclidean")
    assert head.predict(np.array([[0.2], [0.8]], "float32"), verbose=0).argmax(1).tolist() == [0, 1]


def test_more_neighbours_than_rows_are_all_of_them():
    assert NearestNeighbours(2, 10, "cosine", count=3, width=1).k == 3
    with pytest.raises(ValueError, match="none of cosine, euclidean"):
        NearestNeighbours(2, 1, "manhattan", count=3, width=1)


def test_a_vote_comes_back_from_its_file(tmp_path):
    rows, labels = features(30, 3, 1)
    head = neighbours_head(rows, labels, 3, 5, "cosine")
    head.save(tmp_path / "head.keras")
    again = load_model(tmp_path / "head.keras")
    assert np.array_equal(again.predict(rows, verbose=0), head.predict(rows, verbose=0))
    assert isinstance(again.get_layer("neighbours"), NearestNeighbours)
    assert not again.trainable_weights
    assert keras.ops.convert_to_numpy(again.get_layer("neighbours").rows).shape == rows.shape

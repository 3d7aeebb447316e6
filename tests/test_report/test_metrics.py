from __future__ import annotations

import math

import numpy as np
import pytest

from keras_art.report import metrics


def split(n=400, classes=7, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, classes))
    labels = rng.integers(classes - 1, size=n)  # the last class never occurs
    logits[np.arange(n), labels] += 1
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, probabilities.astype(np.float32)


def test_classification_agrees_with_scikit_learn():
    import sklearn.metrics

    labels, probabilities = split()
    ours = metrics.classification(labels, probabilities)
    predicted, classes = probabilities.argmax(axis=1), range(probabilities.shape[1])
    assert 6 in predicted  # predicted, never present: it must not enter the mean
    assert ours["accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(labels, predicted))
    assert ours["macro_f1"] == pytest.approx(
        sklearn.metrics.f1_score(labels, predicted, labels=np.unique(labels), average="macro", zero_division=0)
    )
    assert ours["top5_accuracy"] == pytest.approx(
        sklearn.metrics.top_k_accuracy_score(labels, probabilities, k=5, labels=classes)
    )
    assert ours["loss"] == pytest.approx(sklearn.metrics.log_loss(labels, probabilities, labels=classes), rel=1e-5)
    assert ours["n"] == 400


def test_classification_returns_plain_numbers_that_json_can_write():
    values = metrics.classification(*split())
    assert {name: type(value) for name, value in values.items()} == {
        "accuracy": float,
        "loss": float,
        "macro_f1": float,
        "top5_accuracy": float,
        "n": int,
    }


def test_loss_of_a_certain_mistake_is_finite():
    values = metrics.classification(np.array([1]), np.array([[1.0, 0.0]]))
    assert values["loss"] == pytest.approx(-math.log(metrics.EPSILON))


def test_top5_is_absent_for_five_classes():
    assert "top5_accuracy" not in metrics.classification(*split(classes=5))


def test_ties_go_to_the_lower_class_everywhere():
    labels, equal = np.arange(8), np.full((8, 8), 1 / 8)
    values = metrics.classification(labels, equal)
    assert values["accuracy"] == 1 / 8
    assert values["top5_accuracy"] == 5 / 8
    many = (np.arange(1000) % 2 / 500)[None]  # numpy's default sort keeps the order of short rows only
    names = [f"{i}" for i in range(1000)]
    frame = metrics.predictions(["x"], many, names)
    assert frame.loc[0, [f"class_{k}" for k in range(1, 6)]].tolist() == ["1", "3", "5", "7", "9"]


def test_one_class_is_always_right():
    values = metrics.classification(np.zeros(3, int), np.ones((3, 1)))
    assert (values["accuracy"], values["macro_f1"]) == (1, 1)
    assert values["loss"] == pytest.approx(0, abs=1e-6)


def test_a_label_type_of_eight_bits_does_not_overflow():
    labels = np.full(10, 199, np.uint8)
    assert metrics.confusion(labels, labels, 200)[199, 199] == 10


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_probabilities_that_are_not_finite_say_that_the_run_diverged(bad):
    with pytest.raises(ValueError, match="diverged"):
        metrics.classification(np.array([0]), np.array([[bad, 1.0]]))


def test_an_empty_split_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        metrics.classification(np.zeros(0, int), np.zeros((0, 3)))
    with pytest.raises(ValueError, match="empty"):
        metrics.predictions([], np.zeros((0, 3)), ["a", "b", "c"])


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_is_an_error(label):
    with pytest.raises(ValueError, match="lie in"):
        metrics.classification(np.array([label]), np.full((1, 3), 1 / 3))


@pytest.mark.parametrize("shape", [(2,), (3, 2)])
def test_probabilities_of_another_shape_are_an_error(shape):
    with pytest.raises(ValueError, match="need probabilities of shape"):
        metrics.classification(np.array([0, 1]), np.ones(shape))


def test_one_hot_labels_are_an_error():
    with pytest.raises(ValueError, match="integers"):
        metrics.classification(np.eye(2), np.eye(2))


def test_confusion_agrees_with_scikit_learn():
    import sklearn.metrics

    labels, probabilities = split()
    predicted = probabilities.argmax(axis=1)
    expected = sklearn.metrics.confusion_matrix(labels, predicted, labels=range(7))
    np.testing.assert_array_equal(metrics.confusion(labels, predicted, 7), expected)


def test_confusion_wants_a_prediction_per_label():
    with pytest.raises(ValueError, match="3 labels for 2 predictions"):
        metrics.confusion(np.array([0, 1, 1]), np.array([0, 1]), 2)


def test_per_class_agrees_with_scikit_learn():
    import sklearn.metrics

    labels, probabilities = split()
    frame = metrics.per_class(labels, probabilities, list("abcdefg"))
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(7), zero_division=np.nan
    )
    assert list(frame.columns) == ["class", "support", "predicted", "precision", "recall", "f1"]
    assert frame["class"].tolist() == list("abcdefg")
    np.testing.assert_allclose(frame["precision"], precision)
    np.testing.assert_allclose(frame["recall"], recall)
    np.testing.assert_allclose(frame["f1"], f1)
    np.testing.assert_array_equal(frame["support"], support)
    np.testing.assert_array_equal(frame["predicted"], np.bincount(predicted, minlength=7))


def test_per_class_leaves_a_fraction_of_nothing_blank():
    frame = metrics.per_class(np.array([0, 0]), np.array([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0]]), list("abc"))
    np.testing.assert_array_equal(frame["recall"], [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(frame["precision"], [1, 0, np.nan])
    np.testing.assert_allclose(frame["f1"], [2 / 3, 0, np.nan])


def test_wilson_agrees_with_a_value_computed_by_hand():
    # p = 0.8, n = 10, z = 1.96: centre (0.8 + 0.19207) / 1.38415, half 1.96 * sqrt(0.016 + 0.0096037) / 1.38415.
    assert metrics.wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_wilson_stays_in_the_unit_interval():
    assert metrics.wilson(0, 20)[0] == 0
    assert metrics.wilson(20, 20)[1] == pytest.approx(1)
    assert metrics.wilson(20, 20)[1] <= 1


def test_wilson_narrows_with_the_level():
    low, high = metrics.wilson(50, 100, level=0.68)
    assert metrics.wilson(50, 100)[0] < low < 0.5 < high < metrics.wilson(50, 100)[1]


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (5, 4), (-1, 4), (math.nan, 4)])
def test_wilson_of_the_impossible_is_an_error(successes, n):
    with pytest.raises(ValueError, match="successes"):
        metrics.wilson(successes, n)


def test_predictions_list_the_most_probable_first():
    probabilities = np.array([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]])
    frame = metrics.predictions(["x", "y"], probabilities, ["oil", "ink", "wood"], labels=np.array([2, 0]))
    assert list(frame.columns) == [
        *("id", "label", "predicted", "probability"),
        *("class_1", "probability_1", "class_2", "probability_2", "class_3", "probability_3"),
    ]
    assert frame.iloc[0].tolist() == ["x", "wood", "ink", 0.6, "ink", 0.6, "wood", 0.3, "oil", 0.1]
    assert frame["label"].tolist() == ["wood", "oil"]


def test_predictions_list_five_of_many_and_no_label_where_unknown():
    frame = metrics.predictions([f"{i}" for i in range(400)], split()[1], list("abcdefg"))
    assert "label" not in frame
    assert "class_5" in frame
    assert "class_6" not in frame


def test_predictions_want_a_name_per_class():
    with pytest.raises(ValueError, match="2 class names for 3"):
        metrics.predictions(["x"], np.full((1, 3), 1 / 3), ["a", "b"])

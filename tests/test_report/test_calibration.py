"""Temperature scaling and the expected calibration error, on probabilities whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from keras_art.report import calibration, outcome


def truth(n: int = 4000, classes: int = 4, scale: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from a softmax, and the probabilities of the same logits times `scale`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, classes))
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([rng.choice(classes, p=p) for p in true])
    said = np.exp(scale * logits)
    return labels, said / said.sum(1, keepdims=True)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_what_was_overstated(scale):
    labels, said = truth(scale=scale)
    assert calibration.temperature_of(labels, said) == pytest.approx(scale, rel=0.08)


def test_cooling_keeps_the_order_and_the_sum_and_at_one_changes_nothing():
    _, said = truth(50)
    cooled = calibration.cooled(said, 2.5)
    assert (cooled.argmax(1) == said.argmax(1)).all() and np.allclose(cooled.sum(1), 1)
    assert cooled.max() < said.max()
    np.testing.assert_allclose(calibration.cooled(said, 1.0), said, atol=1e-6)
    certain = np.array([[1.0, 1e-8, 1e-12, 1e-30]])
    assert (np.argsort(-calibration.cooled(certain, 8.4)) == [[0, 1, 2, 3]]).all()
    assert (np.diff(calibration.cooled(certain, 8.4)) < 0).all()


def test_the_expected_error_by_hand():
    # Two bins: 0.6 with half of them right, 0.9 with all of them right.
    said = np.array([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.1, 0.9]])
    labels = np.array([0, 1, 0, 1])
    assert calibration.expected_error(labels, said) == pytest.approx((2 * 0.1 + 2 * 0.1) / 4)
    assert calibration.expected_error(labels[:1], np.array([[1.0, 0.0]])) == 0


def test_overconfidence_is_measured_on_test_images_before_and_after():
    found = calibration.calibration(truth(scale=3.0), truth(scale=3.0, seed=1))
    assert found and calibration.is_calibration(found)
    assert found["ece"] > 0.08 > 0.04 > found["ece_calibrated"]
    assert sum(count for count, _ in found["trust"].values()) == found["n_test"] == 4000
    shares = [right / count for count, right in found["trust"].values()]
    assert shares[0] > 0.9 > shares[1] > 0.5 > shares[2]
    said = calibration.told("style", found)
    assert "about eighty should be right" in said and "Expected calibration error" not in said
    for word, least in calibration.TRUST.items():
        assert f"{word} {'is ' if word == 'sure' else ''}{f'{least:.0%} or more' if least else 'less'}" in said


def test_a_calibration_that_makes_the_error_worse_is_said_to_in_every_place():
    found = calibration.calibration(truth(scale=0.3), truth(scale=1.0, seed=1))  # of other pictures
    assert found and found["ece_calibrated"] > found["ece"] + 0.1
    better = {**found, "ece": found["ece_calibrated"], "ece_calibrated": found["ece"]}
    same = {**found, "ece_calibrated": found["ece"] + 1e-5}  # by what is printed
    for say in (lambda measured: calibration.told("style", measured), outcome.sureness):
        assert say(found).count("which is worse and not better") == 1
        assert "worse" not in say(better) and "worse" not in say(same)


def test_unknown_labels_do_not_count_and_nothing_known_is_no_calibration():
    labels, said = truth(100)
    half = np.where(np.arange(100) % 2, labels, -1)
    found = calibration.calibration((half, said), (half, said))
    assert found and found["n_val"] == found["n_test"] == 50
    assert calibration.calibration((np.full(100, -1), said), (labels, said)) is None
    assert calibration.calibration((labels, np.full_like(said, np.nan)), (labels, said)) is None


def test_a_network_that_is_always_right_has_a_temperature_within_bounds():
    labels = np.arange(20) % 2
    said = np.eye(2)[labels]
    assert calibration.COLDEST <= calibration.temperature_of(labels, said) <= calibration.WARMEST


@pytest.mark.parametrize("value", [None, {}, {"temperature": 1.0}, {"temperature": True}])
def test_what_is_no_calibration_is_told_from_one(value):
    assert not calibration.is_calibration(value)


def test_what_is_never_calibrated_is_not_told_to_be_trained_anew():
    one, five = (calibration.untold("style", {"mode": "knn_probe"}, {"k": k}) for k in (1, 5))
    assert one.startswith("style: it says the label of the one training picture that is nearest, always with 100%")
    assert "votes of the 5 training pictures" in five and "never calibrated" in five
    clusters = calibration.untold("cluster", {"kind": "clustering"}, {})
    assert not any("Trained anew" in told for told in (one, five, clusters))
    assert "Trained anew, it has one" in calibration.untold("style", {}, {})

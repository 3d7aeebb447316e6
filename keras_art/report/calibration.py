"""Whether probabilities mean what they say: of works called 0.8, eight in ten should be right.

Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017: the expected calibration error (its equation 3) and
temperature scaling (its section 4.2), one number per task that is fitted on validation images and changes no decision.
NumPy in, floats out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

BINS = 15  # as in the paper's experiments
EPSILON = 1e-7  # as in `metrics`
COLDEST, WARMEST = 0.05, 20.0  # temperatures; a network that is nearly always right has no best one
# What a person is told of one prediction -> the probability, made true by the temperature, from which on.
TRUST = {"sure": 0.9, "check": 0.5, "doubtful": 0.0}
MEANING = "sure is 90% or more, check 50% or more: look for yourself; doubtful less: take it for a guess"


def cooled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities as a softmax of their logits over a temperature says them; the order of the classes stays.

    Args:
        probabilities: (n, classes) floats in [0, 1], rows of sum 1.
        temperature: above 0; above 1 it takes confidence away.
    """
    # All but zero is told apart: the second likeliest class of one that is all but certain may be far below `EPSILON`.
    least = np.finfo(np.float32).smallest_subnormal
    logits = np.log(np.clip(np.asarray(probabilities, np.float64), least, 1.0)) / temperature
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def temperature_of(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The temperature whose probabilities give these labels the smallest cross-entropy, in [COLDEST, WARMEST].

    Args:
        labels: (n,) integers in [0, classes), n at least 1.
        probabilities: (n, classes) of images that nothing was trained on.
    """
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(labels))

    def loss(logarithm: float) -> float:
        true = cooled(probabilities, math.exp(logarithm))[rows, labels]
        return float(-np.log(np.clip(true, EPSILON, 1.0)).mean())

    bounds = (math.log(COLDEST), math.log(WARMEST))
    return float(math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def expected_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> float:
    """How far confidence and accuracy lie apart, a mean over bins of equal width, in [0, 1].

    Args:
        labels: (n,) integers in [0, classes), n at least 1.
        probabilities: (n, classes).
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum(np.ceil(confidence * bins).astype(int), bins) - 1
    apart = np.bincount(place, confidence, bins) - np.bincount(place, right, bins)
    return float(np.abs(apart).sum() / len(labels))


def trust_of(confidence: np.ndarray) -> list[str]:
    """A word of `TRUST` for each of some probabilities, which a temperature has made true."""
    return [next(word for word, least in TRUST.items() if value >= least) for value in confidence.tolist()]


def calibration(val: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> dict[str, Any] | None:
    """One task's temperature, fitted on validation images, and what it is worth on test images; None without either.

    Args:
        val: labels (n,) and probabilities (n, classes); labels below 0 are unknown and do not count.
        test: the same.

    Returns:
        `temperature`; `n_val` and `n_test`, counts; `ece` and `ece_calibrated`, the expected calibration error of the
        test images before and after; and `trust`, for each word of `TRUST` how many test images it is said of, and how
        many of these are right.
    """
    (val_labels, val_found), (labels, found) = ((known[known >= 0], p[known >= 0]) for known, p in (val, test))
    if not (len(val_labels) and len(labels) and np.isfinite(val_found).all() and np.isfinite(found).all()):
        return None
    temperature = temperature_of(val_labels, val_found)
    after = cooled(found, temperature)
    said, right = np.array(trust_of(after.max(axis=1))), after.argmax(axis=1) == labels
    return {
        "temperature": temperature,
        "n_val": len(val_labels),
        "n_test": len(labels),
        "ece": expected_error(labels, found),
        "ece_calibrated": expected_error(labels, after),
        "trust": {word: [int((said == word).sum()), int(right[said == word].sum())] for word in TRUST},
    }


def worth(found: Mapping[str, Any]) -> dict[str, float]:
    """What of a task's calibration stands among a run's metrics, for its page."""
    return {name: found[name] for name in ("temperature", "ece", "ece_calibrated") if name in found}


def is_calibration(value: Any) -> bool:
    """Whether a value, read from a file, is what `calibration` makes."""
    if not isinstance(value, Mapping):
        return False
    numbers = [value.get(name) for name in ("temperature", "ece", "ece_calibrated", "n_val", "n_test")]
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers):
        return False
    if not COLDEST <= value["temperature"] <= WARMEST:
        return False
    trust = value.get("trust")
    return isinstance(trust, Mapping) and all(
        isinstance(pair, list) and len(pair) == 2 and all(type(number) is int for number in pair)
        for pair in map(trust.get, TRUST)
    )


def worsened(found: Mapping[str, Any]) -> str:
    """What is said, as a sentence's end, of a calibration after which probabilities are further off; else ""."""
    if f"{found['ece_calibrated']:.1%}" == f"{found['ece']:.1%}" or found["ece_calibrated"] < found["ece"]:
        return ""
    return (
        ", which is worse and not better: what makes probabilities true of validation images does not make them true "
        "of these, so take them for how sure it is of one picture beside another, not for how often it is right"
    )


def told(task: str, found: Mapping[str, Any]) -> str:
    """What a person should know of a task's calibration before its probabilities are read."""
    words = [
        f"{word} {count} ({right / count:.0%} of them right)" if count else f"{word} 0"
        for word in TRUST
        for count, right in [found["trust"][word]]
    ]
    off = (f"{100 * found[name]:.1f} of 100" for name in ("ece", "ece_calibrated"))
    return (
        f"{task}: calibrated on {found['n_val']:,} validation images (temperature {found['temperature']:.2f}): of a "
        f"hundred works called 80% about eighty should be right. On {found['n_test']:,} test images probabilities are "
        f"off by {next(off)} on average before it, by {next(off)} after it{worsened(found)}. {MEANING}. "
        f"Said of those images: {', '.join(words)}"
    )


def votes(k: Any) -> str:
    """What a person should know of the shares of votes that a k-NN probe says."""
    if k == 1:
        return (
            "it says the label of the one training picture that is nearest, always with 100%, which tells nothing of "
            "how sure it is: votes are counted, never calibrated"
        )
    number = k if isinstance(k, int) else "k"
    return (
        f"its probabilities are shares of the votes of the {number} training pictures that are nearest, which are "
        f"counted, never calibrated: take none of them for how often it is right"
    )


def untold(task: str, config: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """What a person should know of a task's probabilities that have no calibration.

    Args:
        config: of the run that they come from; empty where it is not known.
        metrics: what that run measured.
    """
    if config.get("kind") == "clustering":
        return f"{task}: how near a picture is to each, in shares; of clusters none is right, and none is calibrated"
    if config.get("mode") == "knn_probe":
        return f"{task}: {votes(metrics.get('k'))}"
    return (
        f"{task}: no calibration is in this model, which has none or was trained before there was any; its "
        f"probabilities are the network's own, and mostly too high. Trained anew, it has one"
    )

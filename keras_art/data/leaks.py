"""What a classifier of a split could know without learning to see."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from keras_art.data.choices import unnamed

if TYPE_CHECKING:
    import pandas as pd


def leak_report(
    table: pd.DataFrame,
    target: str,
    artists: pd.Series | None = None,
    *,
    sha256: Iterable[str] | None = None,
    alike: Iterable[int] | None = None,
) -> dict[str, float]:
    """What no network is needed for.

    Args:
        table: columns `split`, `label` (of whatever type), and `object` where objects may have several images; one row
            per image.
        target: what `label` is.
        artists: the artist of each image, where the collection has a column `artist`.
        sha256: content hash of each image, in the order of `table`.
        alike: the group of look-alikes of each image.

    Returns:
        `n_test`, how many test images there are, and shares of them, in [0, 1]. `majority`: in the train split's
        largest class; `majority_test`: in their own largest; `same_object`, where an
        object has several images: that show one which train or val has too; `same_file`: whose very file also stands
        in train or val; `near_duplicate`: that look like an image of train or val, or are its copy;
        and where there are `artists` that are not the target, `artist_in_train`: by a named artist of
        train, and `artist_rule`: labelled rightly by "this artist's majority label in train", no pixel seen, the
        majority class for artists unknown there. Ties go to the first class.
    """
    tested = (table["split"] == "test").to_numpy()
    train, test = table[table["split"] == "train"], table[tested]
    majority = train["label"].mode()[0]
    report = {
        "n_test": len(test),
        "majority": float((test["label"] == majority).mean()),
        "majority_test": float(test["label"].value_counts(normalize=True).max()),
    }
    views = "object" in table and table["object"].duplicated().any()
    objects = table["object"] if views else None
    for name, of_image in (("same_object", objects), ("same_file", sha256), ("near_duplicate", alike)):
        if of_image is not None:
            values = table["split"].to_frame().assign(value=list(of_image))["value"]
            report[name] = float(values[tested].isin(values[~tested]).mean())
    if artists is not None and target != "artist":
        by = table[["split", "label"]].assign(artist=artists)
        train, test = by[by["split"] == "train"], by[tested]
        named = train[~unnamed(train["artist"])].groupby(["artist", "label"], as_index=False).size()
        largest = named.sort_values(["size", "label"], ascending=[False, True]).drop_duplicates("artist")
        guess = test["artist"].map(largest.set_index("artist")["label"])
        report["artist_in_train"] = float(guess.notna().mean())
        report["artist_rule"] = float((guess.fillna(majority) == test["label"]).mean())
    return report


RULES = {
    "majority": "majority class of train", "majority_test": "majority class of test",
    "artist_rule": "the artist's majority label",
}  # fmt: skip


def told(report: Mapping[str, float]) -> str:
    """What the rules that see no pixel score, each with its 95% interval, in words."""
    n = int(report.get("n_test", 0))  # which a store of an earlier version does not say
    words = []
    for rule, text in RULES.items():
        if rule in report:
            low, high = wilson(report[rule] * n, n) if n else (math.nan, math.nan)
            words.append(f"{text} {report[rule]:.1%}" + (f" [{100 * low:.1f}, {100 * high:.1f}]" if n else ""))
    return f"without looking{f', of {n:,} test images' if n else ''}: {', '.join(words)}"


KINSHIP = {
    "same_object": "show an object that train or val has too",
    "same_file": "stand, byte for byte, in train or val too",
    "near_duplicate": "look like one of train or val",
    "artist_in_train": "are by an artist of train",
}


def kinship(report: Mapping[str, float], *names: str) -> list[str]:
    """What of the test images train or val has, too, a sentence for each that is not nothing.

    Args:
        names: of `KINSHIP`; without any, all.
    """
    return [f"{report[name]:.1%} of test images {KINSHIP[name]}" for name in names or KINSHIP if report.get(name)]


HAS = {  # of a test image, train or val
    "same_file": "the very file of", "near_duplicate": "a copy or look-alike of",
    "same_object": "another view of the object of",
}  # fmt: skip


def seen(report: Mapping[str, float]) -> str:
    """How many of the test images are no test, since train or val has them or their like; "" where none is known."""
    n = int(report.get("n_test", 0))  # which a store of an earlier version does not say
    parts = [
        f"{words} {f'{round(report[name] * n):,}' if n else f'{report[name]:.1%}'}"
        for name, words in HAS.items()
        if report.get(name) and not (name == "near_duplicate" and report[name] == report.get("same_file"))
    ]
    if not parts:
        return ""
    listed = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"train or val has {listed} of {f'{n:,} ' if n else ''}test images"


def unseen(report: Mapping[str, float]) -> bool:
    """Whether train and val were looked through for the test images, and nothing like them was found."""
    return "same_file" in report and not seen(report)


def wilson(successes: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a proportion, as two fractions.

    Args:
        successes: how many of `n` were right, in [0, n]; a mean over seeds need not be whole.
        n: the number of samples, at least 1.
        level: the confidence, in (0, 1).

    Raises:
        ValueError: `n` below 1, or `successes` outside [0, n].
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"an interval needs 0 <= successes <= n and n >= 1, not {successes} of {n}")
    z = statistics.NormalDist().inv_cdf((1 + level) / 2)
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)

"""What a classifier of a split could know without learning to see."""

from __future__ import annotations

from collections.abc import Iterable
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
        Shares of the test images, in [0, 1]. `majority`: in the train split's largest class; `same_object`, where an
        object has several images: that show one which train or val has too; `same_file`: whose very file also stands
        in train or val; `near_duplicate`: that look like an image of train or val, or are its copy;
        and where there are `artists` that are not the target, `artist_in_train`: by a named artist of
        train, and `artist_rule`: labelled rightly by "this artist's majority label in train", no pixel seen, the
        majority class for artists unknown there. Ties go to the first class.
    """
    tested = (table["split"] == "test").to_numpy()
    train, test = table[table["split"] == "train"], table[tested]
    majority = train["label"].mode()[0]
    report = {"majority": float((test["label"] == majority).mean())}
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

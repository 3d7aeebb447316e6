"""What a classifier got most confidently wrong, read from what it said of its test images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_art.errors import UserError
from keras_art.report import metrics
from keras_art.store.reading import read_table
from keras_art.store.sums import sums
from keras_art.writing import distinct, meant

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.data.tasks import Ready

SHOWN = 12
SIDE = 320  # pixels, of the longer one


@dataclass(frozen=True)
class Said:
    """What one run said of the test images that have a label in one column.

    Attributes:
        target: the label column.
        table: columns `id`, `label`, `predicted` (text) and `probability`, one row for each image.
    """

    target: str
    table: pd.DataFrame

    @property
    def classes(self) -> list[str]:
        """Those that occur, as labels or as predictions, in their order."""
        return sorted({*self.table["label"], *self.table["predicted"]})

    def confusion(self) -> np.ndarray:
        """Counts, row = label, column = predicted, in the order of `classes`."""
        places = {name: place for place, name in enumerate(self.classes)}
        labels, predicted = (self.table[name].map(places).to_numpy() for name in ("label", "predicted"))
        return metrics.confusion(labels, predicted, len(places))

    def sentence(self, id_: str) -> str:
        """What one image is and what it was taken for; "" of one that has no label."""
        found = self.table[self.table["id"] == id_]
        if found.empty:
            return ""
        row = found.iloc[0]
        if row["label"] == row["predicted"]:
            return f"{row['label']}: right, {row['probability']:.0%} sure"
        return f"{row['label']}: taken for {row['predicted']}, {row['probability']:.0%} sure"

    def wrong(self) -> pd.DataFrame:
        """The rows of what it took for something else, the surest first."""
        wrong = self.table[self.table["label"] != self.table["predicted"]]
        return wrong.sort_values(["probability", "id"], ascending=[False, True], kind="stable")


def said(folder: Path, target: str, targets: tuple[str, ...] = ()) -> list[Said]:
    """What a run's directory has of predictions: of its one label column, or of each of several.

    Raises:
        Damaged: a table can not be read.
    """
    files: Mapping[str, Path] = {target: folder / "predictions.csv"}
    if targets:
        files = {name: folder / f"predictions_{part}.csv" for name, part in distinct(targets).items()}
    found = []
    for name, path in files.items():
        if path.exists() or path.name in sums(folder):  # then it is lost
            columns = ["id", "label", "predicted", "probability"]
            table = read_table(path, usecols=columns, dtype=str, keep_default_na=False)
            for column in columns[:3]:
                table[column] = table[column].map(meant)
            table = table[table["label"] != ""]
            found.append(Said(name, table.assign(probability=table["probability"].astype(float))))
    return found


def pictures(ready: Ready, rows: pd.DataFrame, share: str = "sure") -> tuple[list[np.ndarray], list[str]]:
    """The pictures of some rows at display size, and what is said of each, its id first.

    Args:
        ready: the images that the run was tested on.
        share: what the probability is called behind its per cents; "" where it means nothing.
    """
    places = {id_: place for place, id_ in enumerate(ready.task.images["id"])}
    shown: list[np.ndarray] = []
    captions = []
    for row in rows.itertuples():
        try:
            shown.append(ready.picture(places[row.id], SIDE))
        except (KeyError, UserError, OSError):  # without it the others are shown
            continue
        said = f", {row.probability:.0%} {share}" if share else ""
        captions.append(f"{row.id}\nis: {row.label}\ntaken for: {row.predicted}{said}")
    return shown, captions

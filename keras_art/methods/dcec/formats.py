"""What pictures are before anything is painted on them: their shape, margin, colour and size as files.

A clustering that follows these has found formats. They are put into groups, so that agreement with them is measured as
that with labels is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from keras_art.data.kept import folder_of
from keras_art.data.tasks import Ready
from keras_art.methods.dcec.spaces import kmeans
from keras_art.pictures import borders, colours
from keras_art.pictures.decoded import stored_images
from keras_art.store.reading import read_csv
from keras_art.store.runs import Store
from keras_art.study.kinds.clustering import ClusteringRun

GROUPS = 4

Measure = Callable[[np.ndarray, np.ndarray], pd.DataFrame]  # of pixels and rows, a row per picture
_last: dict[Measure, tuple[tuple[Any, ...], pd.DataFrame]] = {}


def measured(measure: Measure, run: ClusteringRun, ready: Ready) -> pd.DataFrame:
    """What `borders.measured` or `colours.statistics` say of a run's pictures: a study asks it for every k."""
    pictures = run.image_size, run.resize, tuple(ready.sha256)
    if measure not in _last or _last[measure][0] != pictures:
        _last[measure] = pictures, measure(ready.pixels, ready.rows)
    return _last[measure][1].copy()


def formats(store: Store, run: ClusteringRun, ready: Ready) -> pd.DataFrame:
    """One row per picture, one column per property that differs among them, each in at most `GROUPS` groups, from 0.

    `aspect` (of what is inside the border), `border` (its share of the area) and `file size` in groups of equal size,
    `colour` in clusters of the mean in CIELAB.
    """
    found = measured(borders.measured, run, ready)
    if run.resize != "pad":  # whose border has told already
        width, height = stored_images(store, run.image_size, run.resize).sizes(ready.sha256).T
        found["aspect"] *= width / np.maximum(height, 1)
    kept = read_csv(folder_of(store, ready.task.key) / "images.csv")
    found["file size"] = kept["bytes"].astype(float).to_numpy()
    groups = pd.DataFrame({name: _quantiles(found[name]) for name in found})
    means = measured(colours.statistics, run, ready)[["lightness", "a", "b"]].to_numpy(np.float32)
    groups["colour"] = kmeans(means, min(GROUPS, len(np.unique(means, axis=0))), 0)[0]
    return groups[[name for name in groups if groups[name].nunique() > 1]]


def _quantiles(values: pd.Series) -> np.ndarray:
    """Groups of about equal size; equal values are never parted."""
    ends = np.unique(np.quantile(values, np.arange(1, GROUPS) / GROUPS))
    return np.searchsorted(ends, values.to_numpy(), side="left")

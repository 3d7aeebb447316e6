"""What the Gram matrices of a classifier see, told by the pictures that excite them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from keras_art.data import labels, tasks
from keras_art.report import comparison_figures
from keras_art.report.plates import Plates
from keras_art.store.runs import Store
from keras_art.writing import distinct, slug
from reproductions.multitask.kind import MultitaskRun

LEAST = 3  # test images of a class for its Gram matrix to be drawn
STYLES, PAIRS, SHOWN = 8, 2, 6  # styles, the pairs of channels of each, and the pictures that excite a pair


@dataclass(frozen=True)
class Findings:
    """What the Gram matrices of a run's test images say.

    Attributes:
        test: places of the test images in the table of `ready`.
        grams: (test images, channels, channels).
        apart: style -> mean matrix of its images minus the mean of all, for styles of `LEAST` images.
        pairs: as `strongest` returns them.
    """

    ready: tasks.Ready
    test: np.ndarray
    grams: np.ndarray
    apart: dict[str, np.ndarray]
    pairs: pd.DataFrame

    def exciting(self, pair: tuple[int, int]) -> np.ndarray:
        """Places of the test images in which two channels go together most, the strongest first."""
        return self.test[np.argsort(-self.grams[:, pair[0], pair[1]], kind="stable")[:SHOWN]]


def gram_findings(store: Store, run: MultitaskRun) -> Findings:
    """What the Gram matrices of a run's test images say of each style."""
    from keras_art.networks import gram
    from keras_art.networks.loading import load_model
    from keras_art.pictures.pipeline import Batches

    ready = tasks.load(store, run.collection, run.image_size, run.resize)
    known = labels.read_labels(ready.task, run.targets)
    classes, test = known.classes[run.targets[0]], ready.part("test")
    index = known.index[test, 0]
    model = load_model(store.directory(run))
    batches = Batches(ready.pixels, ready.rows[test], known.index[test], run.batch_size)
    grams = gram.gram_reader(model).predict(batches.epochs(), verbose=0)
    mean = grams.mean(axis=0)
    apart = {
        name: grams[index == i].mean(axis=0) - mean for i, name in enumerate(classes) if (index == i).sum() >= LEAST
    }
    return Findings(ready, test, grams, apart, strongest(gram.contributions(model, grams, index), classes))


def strongest(contributions: np.ndarray, classes: Sequence[str], top: int = PAIRS) -> pd.DataFrame:
    """The feature correlations that add most to each style's logit: one row per style and pair of channels.

    Returns:
        Columns `style`, `first` and `second` (channels, the same where it is the strength of one), `adds`.
    """
    rows: list[dict[str, Any]] = []
    for name, matrix in zip(classes, contributions, strict=True):
        both = matrix + matrix.T - np.diag(matrix.diagonal())  # a correlation and its mirror are one
        i, j = np.triu_indices(len(both))
        for place in np.argsort(-both[i, j])[:top]:
            if both[i[place], j[place]] > 0:
                pair = {"first": int(i[place]), "second": int(j[place])}
                rows.append({"style": name, **pair, "adds": float(both[i[place], j[place]])})
    return pd.DataFrame(rows, columns=["style", "first", "second", "adds"])


def draw_gram(plates: Plates, store: Store, name: str, run: MultitaskRun) -> None:
    """For each style the pairs of features that speak most for it, as pictures; and the matrices themselves."""
    target = run.targets[0]
    plates.heading(f"What the Gram matrices of {name} see")
    plates.text(
        f"The Gram branch looks at which of its {run.gram_channels} features appear together, wherever in the picture. "
        f"For each {target} the pairs of features that speak most for it, told by the test pictures in which they "
        f"appear together most: what these have in common in texture and colour is what the pair is about, where few "
        f"of them are of that {target}, it has learnt something else. The largest classes for which a pair speaks."
    )
    if (alone := (store.metrics(run) or {}).get(f"test_{target}_gram_accuracy")) is not None:
        plates.text(
            f"Alone the branch names the {target} of {100 * alone:.1f} in 100 test pictures rightly. Where that is no "
            "more than naming the largest class for each, which stands among the scores above, its pairs say little."
        )
    found = gram_findings(store, run)
    ids, of = found.ready.task.images["id"], found.ready.task.columns[target]
    if found.apart:
        plates.figure(
            f"gram-{slug(name)}",
            comparison_figures.matrices(
                found.apart,
                f"{name}: what sets each {target}'s Gram matrix apart",
                "together less often, or more often, than in all pictures",
            ),
            f"Features against features: the mean matrix of a {target}'s test pictures minus that of all, for those "
            f"with {LEAST} test pictures at least; red is more often together than elsewhere, blue less.",
        )
    largest = of.iloc[found.test].value_counts().index
    for style in [style for style in largest if style in set(found.pairs["style"])][:STYLES]:
        pairs = found.pairs[found.pairs["style"] == style]
        plates.fold(f"{style}: the pictures of its pairs")
        for number, pair in enumerate(pairs.itertuples(), 1):
            chosen = found.exciting((pair.first, pair.second))
            same = "feature" if pair.first == pair.second else "features"
            channels = f"{pair.first}" if pair.first == pair.second else f"{pair.first} and {pair.second}"
            plates.pictures(
                f"gram-{slug(name)}-{distinct(found.pairs['style'])[style]}-{number}",
                [found.ready.picture(int(place), 256) for place in chosen],
                [f"{of.iloc[place] or 'unknown'}\n{ids.iloc[place]}" for place in chosen],
                f"{style}, {number}: the test pictures with most of the {same} {channels}",
                small=True,
            )

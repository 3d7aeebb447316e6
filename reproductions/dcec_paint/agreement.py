"""What every clustering agrees with, label or not, and which grouping does so best: ours or a baseline's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_art.store.reading import read_table
from keras_art.store.runs import Store
from keras_art.study.kinds.clustering import ClusteringRun as Run

if TYPE_CHECKING:
    import pandas as pd

    from reproductions.dcec_paint.tables import Clustered

TITLE = "Agreement with labels, and with what is no label: shape, margin, colour, size as a file (NMI)"


def agreements(done: Sequence[Clustered]) -> pd.DataFrame:
    """One row per collection, k and method, means over seeds: NMI with every label column and every property."""
    import pandas as pd

    rows = []
    for each in done:
        for method, measured in each.found.get("scores", {}).items():
            row = {"collection": each.name, "k": each.run.k, "method": method}
            for kind in ("nmi_", "format_"):
                row |= {name.removeprefix(kind): value for name, value in measured.items() if name.startswith(kind)}
            rows.append(row)
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    keys = ["collection", "k", "method"]
    return frame.groupby(keys, sort=False).mean().reset_index().sort_values(keys[:2], kind="stable")


def pages_of_baselines(store: Store, runs: Sequence[Run], target: str | None) -> list[tuple[str, Path]]:
    """Writes a page for each baseline, at its best k; a line and a page for each method, the best one first.

    Best is the largest NMI with `target`, or the first label column; without labels the largest silhouette on the
    principal components of the pixels, where no method was trained to cluster.
    """
    import pandas as pd

    from keras_art.methods.dcec import page

    tables = [read_table(store.directory(run) / "scores.csv").assign(place=i) for i, run in enumerate(runs)]
    found = pd.concat(tables, ignore_index=True)
    labels = [name for name in found if name.startswith("nmi_")]
    score = f"nmi_{target}" if f"nmi_{target}" in labels else next(iter(labels), "silhouette_pca")
    words = f"NMI with {score.removeprefix('nmi_')}" if labels else "silhouette on principal components"
    first = found.dropna(subset=[score]).sort_values(score, ascending=False, kind="stable").drop_duplicates("method")
    pages = []
    for row in first.to_dict("records"):
        run, method = runs[row["place"]], row["method"]
        path = store.directory(run) / ("page.html" if method == "dcec" else f"page-{method}.html")
        if not path.exists():
            page.draw_page(store, run, method)
        pages.append((f"{method}, k = {run.k}, {words} {row[score]:.3f}", path))
    return pages

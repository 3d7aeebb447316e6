"""The page of one clustering: a card for every cluster, its colours, and what the decoder makes of its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from keras_art.data import tasks
from keras_art.methods.dcec import scores
from keras_art.networks.loading import load_model
from keras_art.pictures import colours
from keras_art.report import cluster_figures, figures, mosaics
from keras_art.report.pages import Page
from keras_art.store.reading import read_json, read_table
from keras_art.store.runs import Store
from keras_art.study.kinds.clustering import ClusteringRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 12  # pictures in a row of a gallery
LABELS = 4  # values of a label column that a card names


def draw_page(store: Store, run: ClusteringRun) -> Path:
    """Writes `page.html` into a finished clustering's directory, and its `colours.png` and `reconstructions.png`."""
    folder = store.directory(run)
    ready = tasks.load(store, run.collection, run.image_size, run.resize)
    assigned = read_table(folder / "assignments.csv", usecols=["cluster", "probability"])
    clusters, certain = assigned["cluster"].to_numpy() - 1, assigned["probability"].to_numpy()
    looks = colours.statistics(ready.pixels, ready.rows)
    measured = read_json(folder / "metrics.json")
    histograms = cluster_figures.colour_histograms(looks, clusters, run.k)
    figures.save(histograms, folder / "colours.png")
    decoded = _reconstructions(folder, ready)
    figures.save(decoded, folder / "reconstructions.png")

    page = Page(f"{run.collection}: {run.k} clusters, seed {run.seed}")
    page.text(f"{len(clusters):,} images, {measured['steps']} iterations, stopped by {measured['stop']}")
    page.text(f"loss = {measured['lambda_r']:g} L_r + {measured['lambda_c']:g} L_c")
    for note in measured["notes"]:
        page.text(note)
    page.table(_scores(read_table(folder / "scores.csv")), digits=3)
    for cluster in range(run.k):
        _card(page, cluster, np.flatnonzero(clusters == cluster), ready, certain, looks)
    page.heading("Colours and lightness")
    page.figure(histograms, "mean colour and lightness of the images of each cluster")
    page.heading("Images and their reconstructions")
    page.figure(decoded, "images, and what the decoder makes of their embedding")
    page.save(folder / "page.html")
    return folder / "page.html"


def _scores(table: pd.DataFrame) -> pd.DataFrame:
    """One row per score, one column per method."""
    turned = table.set_index("method").T
    return turned.rename_axis(index="score", columns=None).reset_index()


def _card(
    page: Page,
    cluster: int,
    members: np.ndarray,
    ready: tasks.Ready,
    certain: np.ndarray,
    looks: pd.DataFrame,
) -> None:
    """One cluster: how many, how certain, how light, which labels, and three rows of its pictures."""
    if not len(members):
        page.heading(f"Cluster {cluster + 1}")
        page.text("empty")
        return
    mean = looks.iloc[members].mean()
    page.heading(f"Cluster {cluster + 1}", f"rgb({mean['red']:.0f}, {mean['green']:.0f}, {mean['blue']:.0f})")
    page.text(
        f"{len(members):,} images, mean q {certain[members].mean():.2f}; lightness {mean['lightness']:.0f} of 100 "
        f"(all images {looks['lightness'].mean():.0f}), a {mean['a']:+.0f}, b {mean['b']:+.0f}"
    )
    labels = scores.telling(ready.task.columns)
    for name in labels:
        whole, mine = labels[name].value_counts(), labels[name].iloc[members].value_counts().head(LABELS)
        shares = (
            f"{value or '(blank)'} {n / len(members):.0%} (of all {whole[value] / len(labels):.0%})"
            for value, n in mine.items()
        )
        page.text(f"{name}: {', '.join(shares)}")
    order = members[np.argsort(-certain[members], kind="stable")]
    drawn = np.random.default_rng(cluster).permutation(members)[:ACROSS]
    rows = [("most", order[:ACROSS]), ("least", order[::-1][:ACROSS]), ("random", drawn)]
    gallery = mosaics.strips([(words, [ready.pixels[ready.rows[i]] for i in chosen]) for words, chosen in rows])
    page.figure(gallery, "most certain, least certain, random")


def _reconstructions(folder: Path, ready: tasks.Ready) -> Figure:
    """Some images over what the decoder makes of their embedding, clipped to [0, 1] for display only."""
    model = load_model(folder / "model.keras")
    shown = ready.rows[np.linspace(0, len(ready.rows) - 1, min(ACROSS, len(ready.rows))).astype(int)]
    images = np.asarray(ready.pixels[shown])
    _, decoded = model.predict(images, verbose=0)
    decoded = np.broadcast_to(np.uint8(np.clip(decoded, 0, 1) * 255), images.shape)
    return mosaics.strips([("image", list(images)), ("decoded", list(decoded))])

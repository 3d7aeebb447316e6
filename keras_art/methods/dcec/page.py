"""The page of one clustering, or of a baseline beside it: a card for every cluster, and its colours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from keras_art.data import tasks
from keras_art.methods.dcec import scores
from keras_art.methods.dcec.formats import measured
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
SIDE = 192  # pixels of each, of the longer side
NAMES = {
    "silhouette": "silhouette", "calinski_harabasz": "Calinski-Harabasz", "accuracy": "accuracy against",
    "nmi": "agreement (NMI) with", "ari": "agreement (ARI) with", "format": "agreement (NMI) with the pictures'",
}  # fmt: skip
SPACES = {"learned": "learned space", "embedding": "pretrained embedding", "pca": "principal components of the pixels"}
METHODS = {
    "dcec": "DCEC", "kmeans_embedding": "k-means, pretrained embedding", "kmeans_pca": "k-means, principal components",
    "kmeans_pixels": "k-means, pixels", "kmeans_backbone": "k-means, frozen network",
}  # fmt: skip
STOPPED = {
    "tol": "until hardly an assignment changed", "max_iterations": "the most that were allowed",
    "diverged": "until a loss was no number any more",
}  # fmt: skip
READ = (
    "An agreement is 1 where groups and labels are the same, and about 0 where the two have nothing in common. A "
    "silhouette is 1 where every picture lies among its own group and far from the others, and below 0 where it lies "
    "in another; by Calinski-Harabasz, more is better. Both are of the space that they name, not of what one sees."
)
LABELS = 4  # values of a label column that a card names


def draw_page(store: Store, run: ClusteringRun, method: str = "dcec") -> Path:
    """Writes `page.html` into a finished clustering's directory, and its `colours.png` and `reconstructions.png`.

    Args:
        method: or one of its baselines, which gets `page-METHOD.html` alone.
    """
    folder, own = store.directory(run), method == "dcec"
    ready = tasks.load(store, run.collection, run.image_size, run.resize)
    if own:
        assigned = read_table(folder / "assignments.csv", usecols=["cluster", "probability"])
        clusters, certain = assigned["cluster"].to_numpy() - 1, assigned["probability"].to_numpy()
    else:
        clusters, certain = read_table(folder / "baselines.csv", usecols=[method])[method].to_numpy(), None
    looks = measured(colours.statistics, run, ready)
    facts, scored = read_json(folder / "metrics.json"), read_table(folder / "scores.csv")
    histograms = cluster_figures.colour_histograms(looks, clusters, run.k)

    page = Page(f"{run.place}: {run.k} clusters{'' if own else f' by {METHODS[method]}'}, seed {run.seed}")
    if own:
        stop = STOPPED.get(facts["stop"], facts["stop"])
        page.text(f"{len(clusters):,} images, {facts['steps']:,} iterations, {stop}")
        page.text(f"loss = {facts['lambda_r']:g} L_r + {facts['lambda_c']:g} L_c")
    (row,) = scored[scored["method"] == method].to_dict("records")
    said = facts["notes"] if own else scores.warnings_of(clusters, run.k) + scores.found_formats(row)
    for note in said:
        page.text(note)
    for cluster in range(run.k):
        _card(page, cluster, np.flatnonzero(clusters == cluster), ready, certain, looks)
    page.heading("Scores, beside those of other ways to group")
    page.text(READ)
    page.table(_scores(scored), digits=3)
    page.heading("Colours, lightness and entropy")
    page.figure(histograms, "mean colour, lightness and local entropy of the images of each cluster")
    if own:
        histograms.set_layout_engine("none")  # a layout takes longer than a drawing, and it has one
        decoded = _reconstructions(folder, ready)
        figures.save(histograms, folder / "colours.png")
        figures.save(decoded, folder / "reconstructions.png")
        page.heading("Images and their reconstructions")
        page.figure(decoded, "pictures as the network sees them, and what it makes of each from its embedding alone")
    path = folder / ("page.html" if own else f"page-{method}.html")
    page.save(path)
    return path


def _scores(table: pd.DataFrame) -> pd.DataFrame:
    """One row per score, one column per method, both by names for people."""
    turned = table.assign(method=table["method"].replace(METHODS)).set_index("method").T
    return turned.rename_axis(index="score", columns=None).rename(index=_score_name).reset_index()


def _score_name(column: str) -> str:
    """`silhouette_learned` as "silhouette, learned space", `nmi_style` as "agreement (NMI) with style"."""
    kind = next((kind for kind in NAMES if column.startswith(f"{kind}_")), "")
    if not kind:
        return column
    of = column.removeprefix(f"{kind}_")
    return (
        f"{NAMES[kind]}, {SPACES.get(of, of)}" if kind in ("silhouette", "calinski_harabasz") else f"{NAMES[kind]} {of}"
    )


def _towards(value: float, more: str, less: str) -> str:
    """A mean of a or b of CIELAB in words."""
    return f"{abs(value):.0f} towards {more if value >= 0 else less}"


def _card(
    page: Page,
    cluster: int,
    members: np.ndarray,
    ready: tasks.Ready,
    certain: np.ndarray | None,
    looks: pd.DataFrame,
) -> None:
    """One cluster: how many, how certain, how light, which labels, and rows of its pictures."""
    if not len(members):
        page.heading(f"Cluster {cluster + 1}")
        page.text("empty")
        return
    mean = looks.iloc[members].mean()
    page.heading(f"Cluster {cluster + 1}", f"rgb({mean['red']:.0f}, {mean['green']:.0f}, {mean['blue']:.0f})")
    sure = "" if certain is None else f", {certain[members].mean():.0%} sure on average"
    page.text(
        f"{len(members):,} images{sure}; lightness {mean['lightness']:.0f} of 100 "
        f"(all images {looks['lightness'].mean():.0f}), colour {_towards(mean['a'], 'red', 'green')} and "
        f"{_towards(mean['b'], 'yellow', 'blue')}"
    )
    labels = scores.telling(ready.task.columns)
    for name in labels:
        whole, mine = labels[name].value_counts(), labels[name].iloc[members].value_counts().head(LABELS)
        shares = (
            f"{value or '(blank)'} {n / len(members):.0%} (of all {whole[value] / len(labels):.0%})"
            for value, n in mine.items()
        )
        page.text(f"{name}: {', '.join(shares)}")
    rows = [("Drawn at random", np.random.default_rng(cluster).permutation(members)[:ACROSS])]
    if certain is not None:
        order = members[np.argsort(-certain[members], kind="stable")]
        rows = [("Most certain", order[:ACROSS]), ("Least certain", order[::-1][:ACROSS]), *rows]
    ids = ready.task.images["id"]
    for words, chosen in rows:
        page.subheading(f"{words}, each with its id")
        page.pictures([ready.picture(int(i), SIDE) for i in chosen], [ids.iloc[i] for i in chosen], small=True)


def _reconstructions(folder: Path, ready: tasks.Ready) -> Figure:
    """Some images over what the decoder makes of their embedding, clipped to [0, 1] for display only."""
    model = load_model(folder / "model.keras")
    places = np.linspace(0, len(ready.rows) - 1, min(ACROSS // 2, len(ready.rows))).astype(int)
    images = np.asarray(ready.pixels[ready.rows[places]])
    _, decoded = model.predict(images, verbose=0)
    decoded = np.broadcast_to(np.uint8(np.clip(decoded, 0, 1) * 255), images.shape)
    pictures = [ready.picture(int(place), 256) for place in places]
    return mosaics.strips([("picture", pictures), ("as seen", list(images)), ("decoded", list(decoded))])

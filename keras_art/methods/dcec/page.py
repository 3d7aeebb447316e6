"""What a person looks at: a page of cards for every clustering, and figures for a study of several."""

from __future__ import annotations

import base64
import hashlib
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from keras_art import terminal
from keras_art.data import pictures
from keras_art.methods.dcec import scores
from keras_art.methods.dcec.kinds import ClusterRun
from keras_art.pictures import colours
from keras_art.report import cluster_figures, figures, mosaics
from keras_art.store.runs import Store, digest
from keras_art.writing import write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 12  # pictures in a row of a gallery
MOST_ON_A_MAP = 2000  # t-SNE of more points takes minutes; a seeded sample, and the figure says so
SPACES = ("learned", "embedding", "pca")


def draw(store: Store, runs: Sequence[ClusterRun], target: str | None) -> None:
    """Writes what is missing: `page.html` into every clustering's directory, and a folder of figures for them all."""
    done = [run for run in runs if run.mode == "dcec" and (store.directory(run) / "embeddings.npz").exists()]
    if not done:
        return
    missing = [run for run in done if not (store.directory(run) / "page.html").exists()]
    if missing:
        terminal.start_backend()
        for i, run in enumerate(missing, 1):
            terminal.say(f"page {i} of {len(missing)}: {_page(store, run)}")
    words = ",".join(digest(run) for run in runs)
    folder = store.root / runs[0].paper / "figures"
    folder /= f"{runs[0].collection}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
    if not (folder / "scores.png").exists():
        terminal.say(f"figures, into {folder}")
        _figures(store, runs, done, folder, target)
    best = _best(store, done, "silhouette_learned")
    chosen = next(run for run in done if run.k == best)
    terminal.say(f"figures are in {folder}; the page of k = {best} is {store.directory(chosen) / 'page.html'}")


def _page(store: Store, run: ClusterRun) -> Path:
    """Writes one clustering's page: a card per cluster, its colours, and what the decoder makes of it."""
    folder = store.directory(run)
    ready = pictures.load(store, run.collection, run.image_size, run.resize)
    assigned = pd.read_csv(folder / "assignments.csv", dtype={"id": str}, keep_default_na=False)
    clusters, certain = assigned["cluster"].to_numpy() - 1, assigned["probability"].to_numpy()
    looks = colours.statistics(ready.pixels, ready.rows)
    cards = []
    for cluster in range(run.k):
        members = np.flatnonzero(clusters == cluster)
        cards.append(_card(ready, cluster, members, certain, looks))
    measured = store.metrics(run) or {}
    table = pd.read_csv(folder / "scores.csv")
    histogram = cluster_figures.colour_histograms(looks, clusters, run.k)
    figures.save(histogram, folder / "colours.png")
    strips = _reconstructions(folder, run, ready)
    figures.save(strips, folder / "reconstructions.png")
    facts = [
        f"{len(assigned):,} images, {measured['steps']} iterations, stopped by {measured['stop']}",
        f"loss = {measured['lambda_r']:g} L_r + {measured['lambda_c']:g} L_c",
        *measured["notes"],
    ]
    body = "".join(
        [
            f"<h1>{html.escape(run.collection)}: {run.k} clusters, seed {run.seed}</h1>",
            "".join(f"<p>{html.escape(fact)}</p>" for fact in facts),
            table.to_html(index=False, float_format="{:.3f}".format, na_rep=""),
            *cards,
            f"<h2>Colours and lightness</h2>{_image(histogram)}",
            f"<h2>Images and their reconstructions</h2>{_image(strips)}",
        ]
    )
    write(folder / "page.html", HTML.format(title=html.escape(folder.name), body=body))
    return folder / "page.html"


def _card(ready: pictures.Pictures, cluster: int, members: np.ndarray, certain: np.ndarray, looks: pd.DataFrame) -> str:
    if not len(members):
        return f"<section><h2>Cluster {cluster + 1}</h2><p>empty</p></section>"
    order = members[np.argsort(-certain[members], kind="stable")]
    drawn = np.random.default_rng(cluster).permutation(members)[:ACROSS]
    rows = [("most", order[:ACROSS]), ("least", order[::-1][:ACROSS]), ("random", drawn)]
    gallery = mosaics.strips([(words, [ready.pixels[ready.rows[i]] for i in chosen]) for words, chosen in rows])
    mean = looks.iloc[members].mean()
    swatch = f"rgb({mean['red']:.0f},{mean['green']:.0f},{mean['blue']:.0f})"
    labels = []
    for name in ready.labels:
        counts = ready.table[name].iloc[members].value_counts()
        whole = ready.table[name].value_counts()
        top = ", ".join(
            f"{html.escape(str(value) or '(blank)')} {n / len(members):.0%} (of all {whole[value] / len(certain):.0%})"
            for value, n in counts.head(4).items()
        )
        labels.append(f"<p>{html.escape(name)}: {top}</p>")
    return (
        f"<section><h2><span class=swatch style='background:{swatch}'></span>Cluster {cluster + 1}</h2>"
        f"<p>{len(members):,} images, mean q {certain[members].mean():.2f}; lightness {mean['lightness']:.0f} of 100 "
        f"(all images {looks['lightness'].mean():.0f}), a {mean['a']:+.0f}, b {mean['b']:+.0f}</p>{''.join(labels)}"
        f"{_image(gallery)}<p>most certain, least certain, random</p></section>"
    )


def _reconstructions(folder: Path, run: ClusterRun, ready: pictures.Pictures) -> Figure:
    """Some images over what the decoder makes of their embedding, clipped to [0, 1] for display only."""
    from keras_art.networks.loading import load_model

    model = load_model(folder / "model.keras")
    shown = ready.rows[np.linspace(0, len(ready.rows) - 1, min(ACROSS, len(ready.rows))).astype(int)]
    images = np.asarray(ready.pixels[shown])
    _, decoded = model.predict(images, verbose=0)
    decoded = np.broadcast_to(np.uint8(np.clip(decoded, 0, 1) * 255), images.shape)
    return mosaics.strips([("image", list(images)), ("decoded", list(decoded))])


def _figures(
    store: Store, runs: Sequence[ClusterRun], done: Sequence[ClusterRun], folder: Path, target: str | None
) -> None:
    """Scores against k, gap, maps of every k, of labels, of the training, contingency of two k; of the first seed."""
    first = [run for run in done if run.seed == done[0].seed]
    measured = _measured(store, first)
    ready = pictures.load(store, first[0].collection, first[0].image_size, first[0].resize)
    sample = np.sort(np.random.default_rng(0).permutation(len(ready.rows))[:MOST_ON_A_MAP])
    of = (
        f"{len(sample):,} of {len(ready.rows):,} images" if len(sample) < len(ready.rows) else f"{len(sample):,} images"
    )
    clusters = {run.k: np.load(store.directory(run) / "embeddings.npz")["clusters"][-1] for run in first}
    panels = []
    for run in first:
        z = np.load(store.directory(run) / "embeddings.npz")["z"][-1]
        names = [str(i + 1) for i in range(run.k)]
        panels.append((f"k = {run.k}", _tsne(z[sample]), clusters[run.k][sample], names))
    figures.save(cluster_figures.maps(panels, f"t-SNE of the learned embedding, {of}"), folder / "maps.png")

    by_silhouette = _best(store, first, "silhouette_learned")
    chosen = next(run for run in first if run.k == by_silhouette)
    where = next(points for caption, points, _, _ in panels if caption == f"k = {by_silhouette}")
    labelled = []
    for name in dict.fromkeys([*([target] if target in ready.labels else []), *ready.labels]):
        codes, names = pd.factorize(ready.table[name], sort=True)
        labelled.append((name, where, codes[sample], [f"{text}\u2009" for text in names]))
    if labelled:
        figures.save(
            cluster_figures.maps(labelled, f"the map of k = {by_silhouette} by label, {of}"), folder / "labels.png"
        )
    with np.load(store.directory(chosen) / "embeddings.npz") as film:
        shown = np.unique(np.linspace(0, len(film["iterations"]) - 1, 6).astype(int))
        names = [str(i + 1) for i in range(chosen.k)]
        frames = [
            (f"iteration {film['iterations'][i]}", _tsne(film["z"][i][sample]), film["clusters"][i][sample], names)
            for i in shown
        ]
    figures.save(cluster_figures.maps(frames, f"k = {by_silhouette} as it is trained, {of}"), folder / "evolution.png")

    if others := [run for run in first if run.k != by_silhouette]:
        a, b = sorted((by_silhouette, _best(store, others, "calinski_harabasz_learned")))
        counts = scores.contingency(clusters[a], clusters[b], a, b)
        figure = cluster_figures.contingency_plot(counts, f"clusters of k = {a}", f"clusters of k = {b}")
        figures.save(figure, folder / "contingency.png")
    pretraining = next(run for run in runs if run.mode == "pretraining" and run.seed == first[0].seed)
    if (path := store.directory(pretraining) / "gap.csv").exists():
        gap = pd.read_csv(path)
        figures.save(cluster_figures.gap_curve(gap, scores.gap_choice(gap)), folder / "gap.png")
    lines = {}
    for score in ("silhouette", "calinski_harabasz"):
        for space in SPACES:
            lines[f"{score.replace('_', '-')}, {space}"] = measured.pivot(
                index="k", columns="method", values=f"{score}_{space}"
            ).reset_index()
    for name in [target] if target in ready.labels else ready.labels:
        lines[f"NMI with {name}"] = measured.pivot(index="k", columns="method", values=f"nmi_{name}").reset_index()
    figures.save(
        cluster_figures.against_k(lines, "scores against k, in the learned and in fixed spaces"), folder / "scores.png"
    )


def _measured(store: Store, runs: Sequence[ClusterRun]) -> pd.DataFrame:
    """The scores of some runs: k, method, and what `working.score_table` has."""
    tables: list[Any] = [pd.read_csv(store.directory(run) / "scores.csv").assign(k=run.k) for run in runs]
    return pd.concat(tables, ignore_index=True)


def _best(store: Store, runs: Sequence[ClusterRun], score: str) -> int:
    """The k at which DCEC's score is largest; a clustering with something wrong does not count where another is sound.

    Its own space flatters it most: where nearly all images are in one cluster, the silhouette is high.
    """
    sound = [run for run in runs if not (store.metrics(run) or {}).get("notes")]
    measured = _measured(store, sound or runs)
    values = measured.loc[measured["method"] == "dcec"].set_index("k")[score].dropna()
    return int(values.idxmax()) if len(values) else runs[0].k


def _tsne(points: np.ndarray) -> np.ndarray:
    from sklearn.manifold import TSNE

    return TSNE(random_state=0, perplexity=min(30.0, (len(points) - 1) / 3)).fit_transform(points)


def _image(figure: Figure) -> str:
    """A figure within the page, which is then one file that can be sent to somebody."""
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=150, metadata={"Software": None})
    return f"<img src='data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}' alt=''>"


HTML = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 15px/1.4 sans-serif; max-width: 1000px; margin: 2em auto; padding: 0 1em; color: #222 }}
table {{ border-collapse: collapse; font-size: 12px; display: block; overflow-x: auto }}
td, th {{ padding: 2px 6px; text-align: right }}
section {{ border-top: 1px solid #ddd; margin-top: 2em }}
img {{ max-width: 100% }}
.swatch {{ display: inline-block; width: 1em; height: 1em; margin-right: .5em; border: 1px solid #888 }}
</style>
</head>
<body>
{body}
</body>
</html>
"""

"""The page of every clustering of a study, and figures for all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_art import terminal
from keras_art.store.reading import read_arrays, read_table
from keras_art.store.runs import Store
from keras_art.study.kinds.clustering import ClusteringRun as Run
from reproductions.dcec_paint import agreement
from reproductions.dcec_paint.study import Study

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from keras_art.report.plates import Plates

MOST_OF_A_CLUSTER = 8  # pictures
MOST_ON_A_MAP = 2000  # a dozen layouts of more take a minute; a seeded sample, and the figure says so
SPACES = ("learned", "embedding", "pca")
JUDGE = "pca"  # the space in which the best k is chosen: no method was trained there


def draw(store: Store, runs: Sequence[Run], study: Study, plates: Plates) -> None:
    """Writes the pages that are missing into their clusterings' directories, and the figures for them all.

    The figures are of the first seed.
    """
    from keras_art.methods.dcec import page

    done = [run for run in runs if run.mode == "dcec" and (store.directory(run) / "embeddings.npz").exists()]
    if not done:
        return
    missing = [run for run in done if not (store.directory(run) / "page.html").exists()]
    for i, run in enumerate(missing, 1):
        terminal.say(f"page {i} of {len(missing)}: {page.draw_page(store, run)}")
    first = [run for run in done if run.seed == done[0].seed]
    lines = agreement.pages_of_baselines(store, done, study.target)
    chosen = best(store, done, f"silhouette_{JUDGE}")
    sound = is_sound(store, chosen)
    why = "the best silhouette on principal components of the pixels" if sound else "though no clustering is sound"
    draw_clusters(store, chosen, why, plates)
    draw_maps(store, first, plates, study.target, study.shown)
    draw_scores(store, first, plates, study.target)
    pretraining = next(run for run in runs if run.ref == first[0].weights)
    draw_gap(store.directory(pretraining), plates)
    draw_losses(store, first, plates)
    plates.heading("Pages of clusters")
    for words, path in lines:
        terminal.say(f"{words}: {path}")
        plates.link(path, words)
    for run in done:
        plates.link(store.directory(run) / "page.html", f"DCEC, k = {run.k}, seed {run.seed}: every cluster")
    terminal.say(f"the page of k = {chosen.k}, {why}, is {store.directory(chosen) / 'page.html'}")


def draw_clusters(store: Store, run: Run, why: str, plates: Plates) -> None:
    """The pictures of which one clustering is surest, cluster by cluster."""
    import numpy as np

    from keras_art.data import tasks

    ready = tasks.load(store, run.collection, run.image_size, run.resize)
    told = read_table(store.directory(run) / "assignments.csv", usecols=["cluster", "probability"])
    plates.heading(f"The clusters of k = {run.k}, {why}")
    ids = ready.task.images["id"]
    for cluster in range(1, run.k + 1):
        members = np.flatnonzero(told["cluster"] == cluster)
        chosen = members[np.argsort(-told["probability"].to_numpy()[members], kind="stable")][:MOST_OF_A_CLUSTER]
        plates.pictures(
            f"cluster-{cluster}",
            [ready.picture(int(i), 256) for i in chosen],
            [ids.iloc[i] for i in chosen],
            f"Cluster {cluster}: {len(members):,} pictures"
            + (", the surest of them with their ids:" if len(chosen) else ""),
        )


def draw_maps(store: Store, runs: Sequence[Run], plates: Plates, target: str | None, shown: Sequence[str] = ()) -> None:
    """Maps of every k; of the best k by label and as it was trained; and where its clusters lie in another k's.

    Args:
        shown: values of `target` that get a panel of their own, all others being one.
    """
    import numpy as np
    import pandas as pd

    from keras_art.data import tasks
    from keras_art.methods.dcec import scores
    from keras_art.methods.dcec.spaces import on_planes
    from keras_art.report import cluster_figures

    ready = tasks.load(store, runs[0].collection, runs[0].image_size, runs[0].resize)
    n = len(ready.rows)
    sample = np.sort(np.random.default_rng(0).permutation(n)[:MOST_ON_A_MAP])
    of = f"{len(sample):,} of {n:,} images" if len(sample) < n else f"{n:,} images"
    chosen = best(store, runs, f"silhouette_{JUDGE}")
    films = {run.k: _film(store, run) for run in runs}
    film = films[chosen.k]
    moments = np.unique(np.linspace(0, len(film["iterations"]) - 1, 6).astype(int))
    clusters = {k: end["clusters"][-1] for k, end in films.items()}
    spread = [end["z"][-1][sample] for end in films.values()] + [film["z"][i][sample] for i in moments[:-1]]
    places = on_planes(spread, store.threads)
    panels = {
        k: (f"k = {k}", place, clusters[k][sample], _numbers(k))
        for k, place in zip(films, places[: len(films)], strict=True)
    }
    plates.heading("Maps")
    plates.figure(
        "maps",
        cluster_figures.maps(list(panels.values()), f"t-SNE of the learned embedding, {of}"),
        "Every dot is a picture, near those that the network finds alike; colours and numbers are the clusters, once "
        "for each number of clusters that was asked for.",
    )

    place = panels[chosen.k][1]
    labels = scores.telling(ready.task.columns)
    labelled = []
    for name in dict.fromkeys([*([target] if target in labels else []), *labels]):
        codes, names = pd.factorize(labels[name], sort=True)
        # A thin space tells a label that is a number from the number of a cluster.
        labelled.append((name, place, codes[sample], [f"{text}\u2009" for text in names]))
    if shown:
        places = labels[target].map({name: i for i, name in enumerate(shown)}).fillna(len(shown)).astype(int)
        labelled.append((f"some of {target}", place, places.to_numpy()[sample], list(shown)))
    if labelled:
        plates.figure(
            "labels",
            cluster_figures.maps(labelled, f"the map of k = {chosen.k} by label, {of}"),
            "The same dots, coloured by what is known of the pictures, the ten largest groups; the others are grey. "
            "Where a colour keeps together, the network groups by that, without having been told of it.",
        )
    frames = [
        (f"iteration {film['iterations'][i]}", there, film["clusters"][i][sample], _numbers(chosen.k))
        for i, there in zip(moments, [*places[len(films) :], place], strict=True)
    ]
    plates.figure(
        "evolution",
        cluster_figures.maps(frames, f"k = {chosen.k} as it is trained, {of}"),
        "How the clusters draw apart while the network is trained, from its first step to its last.",
    )
    if others := [run for run in runs if run.k != chosen.k]:
        a, b = sorted((chosen.k, best(store, others, f"calinski_harabasz_{JUDGE}").k))
        counts = scores.contingency(clusters[a], clusters[b], a, b)
        plates.figure(
            "contingency",
            cluster_figures.contingency_plot(counts, f"clusters of k = {a}", f"clusters of k = {b}"),
            f"Where the pictures of each of {a} clusters (rows) lie when there are {b} (columns); cells are pictures, "
            f"shades shares of the row. Clusters have no order.",
        )


def draw_scores(store: Store, runs: Sequence[Run], plates: Plates, target: str | None) -> None:
    """Every method's scores against k, in the learned and in the fixed spaces, and against labels."""
    from keras_art.report import cluster_figures

    found = measured(store, runs)
    lines = {}
    for score in ("silhouette", "calinski_harabasz"):
        for space in SPACES:
            lines[f"{score.replace('_', '-')}, {space}"] = _against_k(found, f"{score}_{space}")
    labels = [name.removeprefix("nmi_") for name in found if name.startswith("nmi_")]
    for name in [target] if target in labels else labels:
        lines[f"NMI with {name}"] = _against_k(found, f"nmi_{name}")
    lines = {caption: table for caption, table in lines.items() if table.drop(columns="k").notna().any(axis=None)}
    plates.heading("Scores")
    if not lines:  # of one cluster alone
        return
    plates.figure(
        "scores",
        cluster_figures.against_k(lines, "scores against k, in the learned and in fixed spaces"),
        "How far apart the clusters lie (silhouette, Calinski-Harabasz) and how far they agree with labels (NMI: 0 not "
        "at all, 1 wholly), for each number of clusters k. The learned space was trained to look well here; judge by "
        "the others.",
    )


def draw_losses(store: Store, runs: Sequence[Run], plates: Plates) -> None:
    """Both losses of every k against iterations, and the share of labels that changed."""
    from keras_art.report import cluster_figures

    updates = {f"k = {run.k}": read_table(store.directory(run) / "updates.csv") for run in runs}
    plates.figure(
        "losses",
        cluster_figures.training_curves(updates),
        "The training: how badly pictures are painted again from their embedding (L_r), how unsure the clusters are "
        "(L_c), and the share of pictures that changed their cluster; all three should fall.",
    )


def draw_gap(pretraining: Path, plates: Plates) -> None:
    """The gap statistic of a pretraining, where it was asked for."""
    from keras_art.methods.dcec.scores import gap_choice
    from keras_art.report import cluster_figures

    if (pretraining / "gap.csv").exists():
        gap = read_table(pretraining / "gap.csv")
        plates.figure(
            "gap",
            cluster_figures.gap_curve(gap, gap_choice(gap)),
            "How many clusters there are: how much tighter k clusters are than k clusters of noise would be. The rule "
            "takes the first k that the next one does not surpass by more than its bar.",
        )


def measured(store: Store, runs: Sequence[Run]) -> pd.DataFrame:
    """The scores of some runs: k, method, and what `scores.score_table` has."""
    import pandas as pd

    return pd.concat(
        [read_table(store.directory(run) / "scores.csv").assign(k=run.k) for run in runs], ignore_index=True
    )


def best(store: Store, runs: Sequence[Run], score: str) -> Run:
    """Where DCEC's score is largest; a clustering with something wrong does not count where another is sound.

    Where nearly all images are in one cluster, the silhouette is high.
    """
    sound = [run for run in runs if is_sound(store, run)] or list(runs)
    found = measured(store, sound)
    values = found.loc[found["method"] == "dcec", score]
    # One row of DCEC for every run, in their order.
    return sound[int(values.reset_index(drop=True).idxmax())] if values.notna().any() else runs[0]


def is_sound(store: Store, run: Run) -> bool:
    """Whether no cluster is empty, none has nearly all images, and the embedding has not collapsed."""
    return bool((store.metrics(run) or {}).get("sound"))


def _film(store: Store, run: Run) -> dict[str, np.ndarray]:
    """A clustering as it was trained: `iterations` (moments,), `z` (moments, images, dimensions), `clusters`."""
    return read_arrays(store.directory(run) / "embeddings.npz")


def _numbers(k: int) -> list[str]:
    return [str(i + 1) for i in range(k)]


def _against_k(found: pd.DataFrame, score: str) -> pd.DataFrame:
    return found.pivot(index="k", columns="method", values=score).reset_index()

"""West's tables as printed, and the runs of a store beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras_art.report.tables import PaperTable, beside, compare, render, titled
from keras_art.store import runs
from reproductions.dcec_paint.study import Run, protocol

if TYPE_CHECKING:
    import pandas as pd

TABLE_SCORES = PaperTable(
    name="scores",
    source="West, scores of 2 to 10 clusters",
    metric="silhouette (AS) and Calinski-Harabasz relative to its largest (CHrel), in the method's own embedding",
    column_name="score",
    digits=4,
    text="""
    collection  k   AS_kmeans  CHrel_kmeans  AS_dcec  CHrel_dcec
    west        2   0.2090     1.0000        0.7929   0.4744
    west        3   0.1426     0.8219        0.8280   1.0000
    west        4   0.1028     0.5754        0.7750   0.4775
    west        5   0.0934     0.4496        0.8073   0.5089
    west        6   0.0819     0.3705        0.7834   0.3245
    west        7   0.0884     0.3784        0.7863   0.3873
    west        8   0.0811     0.3301        0.8702   0.9098
    west        9   0.0463     0.2369        0.8520   0.6518
    west        10  0.0772     0.2750        0.8284   0.4480
    """,
)
TABLE_CH = PaperTable(
    name="calinski_harabasz",
    source="West, Calinski-Harabasz of 2 to 10 clusters",
    metric="Calinski-Harabasz in the method's own embedding; grows with the number of images",
    column_name="score",
    digits=0,
    text="""
    collection  k   CH_kmeans  CH_dcec
    west        2   3166       91977
    west        3   2602       193882
    west        4   1822       92569
    west        5   1423       98661
    west        6   1173       62924
    west        7   1198       75088
    west        8   1045       176387
    west        9   750        126363
    west        10  870        86855
    """,
)
TABLE_CONTINGENCY = PaperTable(
    name="contingency",
    source="West, images in the clusters of k = 3 (rows) and k = 8 (columns)",
    metric="images; clusters have no order",
    index=1,
    column_name="of_8",
    digits=0,
    text="""
    of_3  1    2    3     4     5    6    7     8
    1     477  253  10    39    616  605  725   674
    2     423  565  1769  0     38   209  4     854
    3     21   23   0     1884  117  116  1081  2
    """,
)
TABLE_ARTISTS = PaperTable(
    name="artists",
    source="West, artists, typed without the errors of their years and movements",
    metric="images; 10,505 in all",
    index=1,
    column_name="count",
    digits=0,
    text="""
    artist                        n
    henri_cartier-bresson         250
    victor_vasarely               250
    ansel_adams                   249
    sam_francis                   249
    hiroshi_sugimoto              249
    maurice_de_vlaminck           246
    wayne_thiebaud                246
    karel_appel                   244
    andy_warhol                   243
    bernard_buffet                242
    keith_haring                  242
    gerhard_richter               241
    jasper_johns                  239
    alighiero_boetti              238
    robert_motherwell             238
    marc_chagall                  237
    helmut_newton                 236
    jean_dubuffet                 236
    irving_penn                   235
    robert_rauschenberg           234
    jim_dine                      233
    joan_miro                     233
    frank_stella                  233
    christo                       232
    tom_wesselmann                232
    takashi_murakami              230
    roy_lichtenstein              229
    sol_lewitt                    229
    zao_wou-ki                    228
    damien_hirst                  227
    raoul_dufy                    226
    qi_baishi                     222
    david_hockney                 213
    zhang_daqian                  210
    laurence_stephen_lowry        209
    pierre-auguste_renoir         203
    alexander_calder              202
    francis_newton_souza          199
    max_ernst                     198
    albrecht_dürer                191
    pu_ru                         179
    lucio_fontana                 174
    salvador_dalí                 173
    rembrandt_harmensz._van_rijn  171
    henry_moore                   148
    henri_de_toulouse-lautrec     120
    pablo_picasso                 117
    henri_matisse                 99
    edgar_degas                   83
    auguste_rodin                 18
    """,
)


METHODS = ("dcec", "kmeans_embedding", "kmeans_pixels")  # that the sentence of `recovered` is about


@dataclass(frozen=True)
class Clustering:
    """A finished clustering with what a table says of it."""

    run: Run
    protocol: str
    name: str  # the collection, its size and what else tells this run from others but for its k and seed
    found: dict[str, Any]


def clusterings(store: runs.Store, only: Sequence[Run] | None = None) -> list[Clustering]:
    """Every finished clustering of a store, or those among some of its runs."""
    every = store.finished(Run)
    sources = {f"run:{runs.digest(run)}": run for run, _ in every if run.mode == "pretraining"}
    chosen = [(run, found) for run, found in every if run.weights in sources and (only is None or run in only)]
    settings = {run: _settings(run, sources[run.weights]) for run, _ in chosen}
    done = []
    for run, found in chosen:
        rivals = [settings[other] for other, _ in chosen if other.collection == run.collection]
        differing = [name for name in settings[run] if len({rival[name] for rival in rivals}) > 1]
        words = ", ".join(f"{name}={settings[run][name]}" for name in differing if name != "image_size")
        name = f"{run.collection.rsplit('-', 1)[0]} {run.image_size}px" + f" [{words}]" * bool(words)
        done.append(Clustering(run, protocol(run, sources[run.weights]), name, found))
    return done


def _settings(run: Run, pretraining: Run) -> dict[str, Any]:
    """Every field that makes two runs incomparable: all of both but k, seed and the digest of the weights."""
    first = {"pretrain_batch_size": pretraining.batch_size, "epochs": pretraining.epochs, "keep": pretraining.keep}
    return {
        name: value
        for name, value in {**dataclasses.asdict(run), **first}.items()
        if name not in ("k", "seed", "weights", "backbone", "preprocessing")
    }


def table(store: runs.Store, only: Sequence[Run] | None = None) -> list[tuple[PaperTable, pd.DataFrame]]:
    """West's tables beside what the store holds, or beside some of its runs.

    Ours stand in rows of their own: no collection that can be had is West's.
    """
    import pandas as pd

    rows = []
    for each in clusterings(store, only):
        row = {
            "collection": each.name, "k": each.run.k, "protocol": each.protocol, "n_test": None, "comparable": False,
            "status": each.found["status"], "note": f"N={each.found['n_images']}", "seed": each.run.seed,
        }  # fmt: skip
        for name, method, space in (("kmeans", "kmeans_embedding", "embedding"), ("dcec", "dcec", "learned")):
            measured = each.found.get("scores", {}).get(method, {})
            for score, column in (("AS", "silhouette"), ("CH", "calinski_harabasz")):
                value = measured.get(f"{column}_{space}")
                if value is not None or each.found["status"] == "diverged":
                    rows.append({**row, "score": f"{score}_{name}", "value": value})
    ours = relative = pd.DataFrame(rows)
    if rows:
        relative = ours.astype({"value": float})
        largest = relative.groupby(["collection", "seed", "score"])["value"].transform("max")
        is_ch = relative["score"].str.startswith("CH_")
        relative["value"] = relative["value"].mask(is_ch, relative["value"] / largest)
        relative["score"] = relative["score"].str.replace("CH_", "CHrel_")
        ours = ours[is_ch]
    return [
        (TABLE_SCORES, compare(TABLE_SCORES, relative)),
        (TABLE_CH, compare(TABLE_CH, ours)),
        (TABLE_CONTINGENCY, compare(TABLE_CONTINGENCY, pd.DataFrame())),
        (TABLE_ARTISTS, compare(TABLE_ARTISTS, pd.DataFrame())),
    ]


def overview(store: runs.Store, only: Sequence[Run] | None = None, target: str | None = None) -> pd.DataFrame:
    """DCEC and every baseline, k by k, means over seeds; one row per collection, k and method.

    Silhouettes (AS) in the learned and in the fixed spaces; `accuracy`, `nmi` and `ari` against `target`, or the first
    label column there is; `stability`, the mean adjusted Rand index between seeds, where there are several.
    """
    import pandas as pd

    from keras_art.methods.dcec.scores import stability

    rows = []
    for each in clusterings(store, only):
        folder = store.directory(each.run)
        for method, measured in each.found.get("scores", {}).items():
            labels = [name.removeprefix("nmi_") for name in measured if name.startswith("nmi_")]
            label = target if target in labels else next(iter(labels), "")
            row = {
                "collection": each.name,
                "protocol": each.protocol,
                "k": each.run.k,
                "label": label,
                "method": method,
            }
            row |= {f"AS {space}": measured.get(f"silhouette_{space}") for space in ("learned", "embedding", "pca")}
            row |= {name: measured.get(f"{name}_{label}") for name in ("accuracy", "nmi", "ari")}
            file, column = ("assignments", "cluster") if method == "dcec" else ("baselines", method)
            rows.append({**row, "clusters": (folder / f"{file}.csv", column)})
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    groups = frame.groupby(["collection", "protocol", "k", "label", "method"], sort=False)
    ours = groups[[name for name in frame if name.startswith("AS ") or name in ("accuracy", "nmi", "ari")]].mean()
    ours.insert(0, "seeds", groups.size())
    ours["stability"] = [
        stability([pd.read_csv(path, usecols=[column])[column].to_numpy() for path, column in group["clusters"]])
        for _, group in groups
    ]
    return ours.reset_index().sort_values(["collection", "k"], kind="stable").dropna(axis="columns", how="all")


def recovered(store: runs.Store, only: Sequence[Run], target: str, k: int) -> str:
    """How well DCEC's clusters agree with a label, beside k-means on pixels, in a sentence; "" where k was not run."""
    ours = overview(store, only, target)
    if ours.empty or "nmi" not in ours or k not in ours["k"].tolist():
        return ""
    rows = ours[ours["k"] == k].set_index("method")
    words = [f"{name} {rows.loc[name, 'accuracy']:.1%} (NMI {rows.loc[name, 'nmi']:.3f})" for name in METHODS]
    return f"{target}, {k} clusters, images in the cluster matched with their {target}: {', '.join(words)}"


def print_tables(store: runs.Store, format: str, only: Sequence[Run] | None = None, target: str | None = None) -> None:
    """Prints the paper's tables that have something of ours in them, or all where nothing has been run; then ours."""
    frames = table(store, only)
    filled = [(paper, frame) for paper, frame in frames if (frame["n"] > 0).any()]
    for paper, frame in filled or frames:
        print(beside(paper, frame, format))
    ours = overview(store, only, target)
    if len(ours):
        words = (
            "DCEC and its baselines; AS: silhouette in the learned space, and in two that were not trained to cluster"
        )
        print(titled(words + "\n" * (format == "text"), render(ours, format, 3), format))

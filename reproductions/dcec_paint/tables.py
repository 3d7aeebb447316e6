"""West's tables as printed, and the runs of a store beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras_art import terminal
from keras_art.commands.machine import Tables
from keras_art.report.comparable import Verdict, judge
from keras_art.report.tables import PaperTable, compare
from keras_art.store.reading import read_table
from keras_art.store.runs import Store
from keras_art.study.kinds.clustering import ClusteringRun as Run
from keras_art.study.records import Rivals, finished, readable, variant
from reproductions.dcec_paint import agreement
from reproductions.dcec_paint.study import NETWORK, PRINTED, Study

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
    source="West, artists; spelling mended, and the death of Tom Wesselmann, printed as 1945",
    metric="images; 10,505 in all",
    index=5,
    column_name="count",
    digits=0,
    text="""
    artist                       birth death media                        movement n
    henri_cartier-bresson        1908  2004  photography                  street_photography 250
    victor_vasarely              1906  1997  painting,sculpture           op_art 250
    ansel_adams                  1902  1984  photography                  Group_f/64 249
    sam_francis                  1923  1994  painting,printmaking         - 249
    hiroshi_sugimoto             1948  -     photography                  - 249
    maurice_de_vlaminck          1876  1958  painting                     fauvism 246
    wayne_thiebaud 1920 - painting pop_art,new_realism,bay_area_figurative_movement 246
    karel_appel                  1921  2006  painting,drawing,sculpture   cobra 244
    andy_warhol                  1928  1987  printmaking,painting         pop_art 243
    bernard_buffet               1928  1999  painting,drawing,printmaking expressionism 242
    keith_haring                 1958  1990  painting,drawing             pop_art,street_art 242
    gerhard_richter              1932  -     photography,painting         capitalist_realism 241
    jasper_johns                 1930  -     painting,printmaking         - 239
    alighiero_boetti             1940  1994  painting                     abstract_expressionism,neo-dada,pop_art 238
    robert_motherwell            1915  1991  painting,printmaking         abstract_expressionism 238
    marc_chagall                 1887  1985  painting                     cubism,expressionism 237
    helmut_newton                1920  2004  photography                  - 236
    jean_dubuffet                1901  1985  painting                     Art_Brut 236
    irving_penn                  1917  2009  photography                  - 235
    robert_rauschenberg          1925  2008  painting                     neo-dada,abstract_expressionism 234
    jim_dine                     1935  -     painting                     neo-dada,pop_art 233
    joan_miro                    1893  -     painting                     surrealism,dada,experimental 233
    frank_stella                 1936  -     painting,printmaking         modernism,abstract_expressionism 233
    christo                      1935  -     painting                     nouveau_réalisme 232
    tom_wesselmann               1931  2004  painting                     pop_art 232
    takashi_murakami             1962  -     contemporary_art             superflat 230
    roy_lichtenstein             1923  1997  painting                     pop_art 229
    sol_lewitt                   1928  2007  painting,drawing             conceptual_art,minimalism 229
    zao_wou-ki                   1920  2013  painting                     - 228
    damien_hirst                 1965  -     painting                     young_british_artists 227
    raoul_dufy                   1877  1953  painting                     fauvism,impressionism,modernism,cubism 226
    qi_baishi                    1864  1957  painting                     guohuo 222
    david_hockney                1937  -     painting,printmaking         pop_art 213
    zhang_daqian                 1899  1983  painting                     guohuo 210
    laurence_stephen_lowry       1887  1976  painting                     - 209
    pierre-auguste_renoir        1841  1919  painting                     impressionism 203
    alexander_calder             1898  1976  sculpture                    - 202
    francis_newton_souza         1924  2002  painting,drawing             progressive_art 199
    max_ernst                    1891  1976  painting                     dada,surrealism 198
    albrecht_dürer               1471  1528  painting,printmaking         high_renaissance 191
    pu_ru                        1896  1963  painting                     guohuo 179
    lucio_fontana                1899  1968  painting                     spatialism 174
    salvador_dalí                1904  1989  painting                     cubism,dada,surrealism 173
    rembrandt_harmensz._van_rijn 1606  1669  painting                     dutch_golden_age,baroque 171
    henry_moore                  1898  1986  bronze_sculpture             modernism 148
    henri_de_toulouse-lautrec    1864  1901  painting                     post-impressionism,art_nouveau 120
    pablo_picasso                1881  1973  painting                     cubism,surrealism 117
    henri_matisse                1869  1954  painting                     fauvism,modernism,post-impressionism 99
    edgar_degas                  1834  1917  painting                     impressionism 83
    auguste_rodin                1840  1917  drawing                      - 18
    """,
)


METHODS = ("dcec", "kmeans_embedding", "kmeans_pixels")  # that the sentence of `recovered` is about
SPACES = "DCEC and its baselines; AS: silhouette in the learned space, and in two that were not trained to cluster"


@dataclass(frozen=True)
class Clustered:
    """A finished clustering with what a table says of it.

    Attributes:
        name: the collection, its size, and what else tells this run from others but for its k and seed.
        found: its metrics.
    """

    run: Run
    verdict: Verdict
    name: str
    found: dict[str, Any]


def tables_of(store: Store, only: Sequence[Run] | None, study: Study) -> Tables:
    """West's tables beside what the store holds, or beside some of its runs, and a table of DCEC and its baselines."""
    done = clusterings(store, only)
    ours = overview(store, done, study.target)
    if ours.empty:
        return Tables(beside_west(done))
    title = "\n".join([SPACES, *recovered(ours, done, study.target)])
    return Tables(beside_west(done), [(title, ours), (agreement.TITLE, agreement.agreements(done))], digits=3)


def clusterings(store: Store, only: Sequence[Run] | None) -> list[Clustered]:
    """Every finished clustering of a store, or those among some of its runs."""
    every, wanted = finished(store, Run), None if only is None else set(only)
    pretrainings = {run.ref: run for run, _ in every if run.mode == "pretraining"}
    chosen = [
        (run, pretrainings[run.weights], found)
        for run, found in every
        if run.weights in pretrainings and (wanted is None or run in wanted)
    ]
    runs, firsts = Rivals([run for run, _, _ in chosen], _cell), Rivals([first for _, first, _ in chosen], _cell)
    done = []
    for run, first, found in chosen:
        differing = variant(run, runs, ("k", "seed", "backbone", "preprocessing"))
        # Of what the two have in common, the clustering has told already.
        before = variant(first, firsts, ("collection", "seed", "gap_references", *NETWORK))
        name = f"{run.place} {run.image_size}px{differing}{before.replace('[', '[pretraining ')}"
        done.append(Clustered(run, judge(store, run, PRINTED), name, found))
    return done


def _cell(run: Run) -> tuple[str, int]:
    return run.place, run.image_size


def beside_west(done: Sequence[Clustered]) -> list[tuple[PaperTable, pd.DataFrame]]:
    """West's tables beside some clusterings; ours stand in rows of their own, for no collection to be had is West's."""
    import pandas as pd

    rows = []
    for each in done:
        row = {
            "collection": each.name, "k": each.run.k, "protocol": each.verdict.protocol, "n_test": None,
            "comparable": each.verdict.comparable,
            "seed": each.run.seed,
        }  # fmt: skip
        for name, method, space in (("kmeans", "kmeans_embedding", "embedding"), ("dcec", "dcec", "learned")):
            measured = each.found.get("scores", {}).get(method, {})
            # What is wrong with a clustering says why a score of it is missing.
            notes = [f"N={each.found['n_images']}", *_notes_on(method, each.found), *filter(None, [each.verdict.note])]
            for score, column in (("AS", "silhouette"), ("CH", "calinski_harabasz")):
                value = measured.get(f"{column}_{space}")
                status = "undefined" if value is None and each.found["status"] == "ok" else each.found["status"]
                if status != "undefined" or each.run.k > 1:  # one cluster lies apart from nothing
                    cell = {"score": f"{score}_{name}", "value": value, "status": status, "note": "; ".join(notes)}
                    rows.append({**row, **cell})
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


def _notes_on(method: str, found: dict[str, Any]) -> list[str]:
    """What a run notes of one of its groupings; of a baseline it begins with its name, and all else is DCEC's."""
    baselines = [name for name in found.get("scores", {}) if name != "dcec"]
    said: dict[str, list[str]] = {}
    for note in found.get("notes", []):
        said.setdefault(next((name for name in baselines if note.startswith(f"{name}: ")), "dcec"), []).append(note)
    return said.get(method, [])


def overview(store: Store, done: Sequence[Clustered], target: str | None) -> pd.DataFrame:
    """DCEC and every baseline, k by k, means over seeds; one row per collection, k and method.

    Silhouettes (AS) in the learned and in the fixed spaces; `accuracy`, `nmi` and `ari` against `target`, or the first
    label column there is; `stability`, the mean adjusted Rand index between seeds, where there are several.
    """
    import pandas as pd

    rows = []
    for each in done:
        for method, measured in each.found.get("scores", {}).items():
            labels = list(each.found["classes"])
            label = target if target in labels else next(iter(labels), "")
            row = {
                "collection": each.name, "protocol": each.verdict.protocol, "k": each.run.k, "label": label,
                "method": method,
            }  # fmt: skip
            row |= {f"AS {space}": measured.get(f"silhouette_{space}") for space in ("learned", "embedding", "pca")}
            row |= {name: measured.get(f"{name}_{label}") for name in ("accuracy", "nmi", "ari")}
            rows.append({**row, "run": each.run})
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    groups = frame.groupby(["collection", "protocol", "k", "label", "method"], sort=False)
    ours = groups[[name for name in frame if name.startswith("AS ") or name in ("accuracy", "nmi", "ari")]].mean()
    ours.insert(0, "seeds", groups.size())
    ours["stability"] = [_stability(store, group["run"], method) for (*_, method), group in groups]
    return ours.reset_index().sort_values(["collection", "k"], kind="stable").dropna(axis="columns", how="all")


def _stability(store: Store, runs: Sequence[Run], method: str) -> float | None:
    """How far the clusters of several seeds agree; None for one seed."""
    if len(runs) < 2:
        return None
    terminal.start_backend()  # quietly: methods import Keras
    from keras_art.methods.dcec.scores import stability

    file, column = ("assignments", "cluster") if method == "dcec" else ("baselines", method)
    paths = [store.directory(run) / f"{file}.csv" for run in runs]
    found = readable(paths, lambda path: read_table(path, usecols=[column]))
    if len(found) < len(runs):
        return None
    return stability([table[column].to_numpy() for table in found])


def recovered(ours: pd.DataFrame, done: Sequence[Clustered], target: str | None) -> list[str]:
    """How well DCEC's clusters agree with a label, beside k-means on pixels: a sentence for every collection.

    Args:
        ours: what `overview` returns.
        done: what it was made of; clusterings into as many clusters as `target` has values are told of.
    """
    told = {}
    for each in done:
        if target and each.found.get("classes", {}).get(target) == each.run.k:
            rows = ours[(ours["collection"] == each.name) & (ours["k"] == each.run.k)].set_index("method")
            words = [f"{name} {rows.loc[name, 'accuracy']:.1%} (NMI {rows.loc[name, 'nmi']:.3f})" for name in METHODS]
            told[each.name] = (
                f"{each.name}: {target}, {each.run.k} clusters, images in the cluster matched with their {target}: "
                f"{', '.join(words)}"
            )
    return list(told.values())

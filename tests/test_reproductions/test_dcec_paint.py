"""dcec_paint through its real command line, on small pictures."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import COLOURS, kill_at, paint, write_csv

from keras_art.learning import prediction
from keras_art.report.comparable import Verdict
from keras_art.store.runs import Store
from keras_art.study.config import digest, needs
from keras_art.study.records import finished
from reproductions.dcec_paint import REPRODUCTION, figures, study, tables

ROOT = Path(__file__).parents[2]
main = REPRODUCTION.main


def flags(data, store):
    return [
        *("--data", str(data), "--target", "artist", "--k", "2", "3", "--image_size", "8", "--epochs", "6"),
        *("--pretrain_batch_size", "8", "--batch_size", "8", "--update_interval", "3", "--max_iterations", "6"),
        *("--gap_references", "0", "--embedding", "4", "--store", str(store)),
    ]


@pytest.fixture
def arguments(picture_csv, tmp_path, monkeypatch):
    """Flags of a study that is not drawn."""
    monkeypatch.setattr(type(REPRODUCTION), "draw", lambda self, store, asked, runs, study: None)
    return flags(picture_csv, tmp_path / "store")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The flags and the store of a study that was carried out and drawn, and what it told.

    Its pictures are three colours of eight.
    """
    folder, told = tmp_path_factory.mktemp("whole"), io.StringIO()
    rows = [["image", "artist", "style"]]
    for n, colour in enumerate([*COLOURS] * 8):
        paint(folder / "museum" / "images" / f"{n:03d}.png", colour, n)
        rows.append([f"{n:03d}.png", f"Artist {colour}", "warm" if n % 5 else "cold"])
    write_csv(folder / "museum" / "labels.csv", rows)
    arguments = [*flags(folder / "museum", folder / "store"), "--gap_references", "1"]
    with contextlib.redirect_stderr(told):
        assert main(arguments) == 0
    return arguments, folder, told.getvalue()


def metrics(store):
    found = {}
    for path in sorted(Path(store).glob("clustering/*/metrics.json")):
        found[path.parent.name.rsplit("-", 1)[0]] = {
            **json.loads(path.read_text()),
            "seconds": 0,
            "training_seconds": 0,
        }
    return found


def times(store):
    return {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.suffix != ".lock" and path.is_file()}


def in_a_fresh_process(*arguments, folder):
    """The command line, started from another folder than the code's."""
    return subprocess.run(
        [sys.executable, "-m", "reproductions.dcec_paint", *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip


def test_wests_tables_are_typed_as_printed():
    artists = tables.TABLE_ARTISTS.cells()
    assert len(artists) == 50 and artists["paper"].sum() == 10_505
    of = artists.set_index("artist").loc["rembrandt_harmensz._van_rijn"]
    assert (of["birth"], of["death"], of["media"]) == ("1606", "1669", "painting")
    contingency = tables.TABLE_CONTINGENCY.cells().pivot(index="of_3", columns="of_8", values="paper")
    assert contingency.sum(axis=1).tolist() == [3399, 3862, 3244]
    assert contingency.sum().tolist() == [921, 841, 1779, 1923, 771, 930, 1810, 1530]
    relative = tables.TABLE_SCORES.cells().pivot(index="k", columns="score", values="paper")
    absolute = tables.TABLE_CH.cells().pivot(index="k", columns="score", values="paper")
    for method in ("kmeans", "dcec"):
        ch = absolute[f"CH_{method}"]
        # Printed from scores with decimals, beside scores rounded to whole numbers.
        np.testing.assert_allclose(relative[f"CHrel_{method}"], ch / ch.max(), atol=0.5 / ch.max() + 1e-4)
    assert relative["AS_dcec"].astype(float).idxmax() == "8"


def test_a_study_measures_every_method_at_every_k(whole):
    found = metrics(whole[1] / "store")
    assert len(found) == 3
    for k in (2, 3):
        measured = next(value for name, value in found.items() if f"-dcec-{k}-" in name)
        assert sum(measured["sizes"]) == 24 and measured["stop"] in ("tol", "max_iterations")
        assert {"dcec", "kmeans_embedding", "kmeans_pca", "kmeans_pixels"} == set(measured["scores"])
        assert {"silhouette_pca", "nmi_artist", "ari_style", "accuracy_artist"} <= set(measured["scores"]["dcec"])
        # Three colours are easy: whatever the clusters are, k-means on pixels must find them.
        if k == 3:
            assert measured["scores"]["kmeans_pixels"]["accuracy_artist"] == 1


def test_a_study_leaves_what_a_person_wants_to_see(whole):
    store = whole[1] / "store"
    folder = next((store / "clustering").glob("*-dcec-3-*/"))
    assert {path.name for path in folder.iterdir()} >= {
        *("config.json", "environment.json", "metrics.json", "model.keras", "assignments.csv", "baselines.csv"),
        *("updates.csv", "scores.csv", "embeddings.npz", "page.html", "colours.png", "reconstructions.png"),
    }
    assert not (folder / "checkpoint").exists()
    text = (folder / "page.html").read_text()
    assert [f"Cluster {i}</h2>" in text for i in range(1, 5)] == [True, True, True, False]
    assert text.count("data:image/png") >= 2 and text.count("data:image/jpeg") >= 9 and "Least certain" in text
    assert "artist: Artist" in text and "silhouette, learned space" in text
    drawn = {path.name for path in store.glob("studies/*/figures/*.png")}
    assert drawn == {
        "scores.png", "maps.png", "labels.png", "evolution.png", "contingency.png", "gap.png", "losses.png",
    }  # fmt: skip
    pages = {path.name for path in (whole[1] / "store/clustering").glob("*/page-*.html")}
    assert pages == {"page-kmeans_embedding.html", "page-kmeans_pca.html", "page-kmeans_pixels.html"}


def test_a_clustering_with_empty_clusters_is_not_the_best_where_another_is_sound(tmp_path):
    store, found = Store(tmp_path), []
    for k, silhouette, notes in ((2, 0.4, []), (3, 0.3, []), (6, 0.6, ["4 of 6 clusters are empty: 2, 3, 5, 6"])):
        run = study.Run(collection="c", mode="dcec", k=k)
        store.begin(run)
        table = pd.DataFrame({"method": ["dcec", "kmeans_pca"], "silhouette_learned": [silhouette, 0.9]})
        table.to_csv(store.directory(run) / "scores.csv", index=False)
        taken = {"n_images": 9, "steps": 1, "training_seconds": 1.0, "stop": "few"}
        store.finish(run, {**taken, "status": "ok", "sound": not notes, "notes": notes})
        found.append(run)
    assert figures.best(store, found, "silhouette_learned").k == 2
    assert figures.best(store, found[2:], "silhouette_learned").k == 6


def test_the_k_that_is_shown_is_the_best_where_nothing_was_trained_to_look_well(tmp_path, monkeypatch, capsys):
    store, drawn = Store(tmp_path), []
    pretraining = study.Run(collection="c", mode="pretraining")
    scored = {4: (0.67, 0.10, 30.0), 6: (0.70, 0.05, 20.0), 8: (0.60, 0.01, 25.0)}
    runs = [study.Run(collection="c", mode="dcec", k=k, weights=pretraining.ref) for k in scored]
    for run in runs:
        folder, (learned, pca, ch) = store.begin(run), scored[run.k]
        row = {"method": "dcec", "silhouette_learned": learned, "calinski_harabasz_learned": learned}
        pd.DataFrame([row | {"silhouette_pca": pca, "calinski_harabasz_pca": ch}]).to_csv(folder / "scores.csv")
        for name in ("embeddings.npz", "page.html"):
            (folder / name).write_text("")
        store.finish(
            run, {"status": "ok", "n_images": 9, "steps": 1, "training_seconds": 1.0, "stop": "tol", "sound": True}
        )
    for name in ("draw_maps", "draw_scores", "draw_gap", "draw_losses"):
        monkeypatch.setattr(figures, name, lambda *arguments: None)
    monkeypatch.setattr(figures, "draw_clusters", lambda store, run, why, plates: drawn.append((run.k, why)))
    monkeypatch.setattr(figures.agreement, "pages_of_baselines", lambda *arguments: [])
    nothing = SimpleNamespace(heading=lambda words: None, link=lambda path, words: None)
    figures.draw(store, [pretraining, *runs], study.Study(), nothing)
    assert drawn == [(4, "the best silhouette on principal components of the pixels")]
    assert "the page of k = 4, the best silhouette on principal" in capsys.readouterr().err


def test_the_same_command_again_does_nothing_but_print(whole, capsys):
    arguments, folder, _ = whole
    before = times(folder / "store")
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert "museum 8px" in printed.out and "(0.7929)" not in printed.out  # the paper's rows beside nothing of ours
    assert "loss =" not in printed.err
    assert before == times(folder / "store")


def test_assignments_keep_labels_and_belong_to_their_picture(whole):
    folder = next((whole[1] / "store/clustering").glob("*-dcec-3-*/"))
    assigned = pd.read_csv(folder / "assignments.csv", dtype={"id": str})
    labels = pd.read_csv(whole[1] / "museum/labels.csv", dtype=str)
    merged = assigned.merge(labels, left_on="id", right_on="image", suffixes=("", "_given"))
    assert len(merged) == 24 and (merged["artist"] == merged["artist_given"]).all()
    assert assigned["cluster"].between(1, 3).all() and assigned["probability"].between(1 / 3, 1).all()
    with np.load(folder / "embeddings.npz") as stored:
        np.testing.assert_array_equal(stored["q"].argmax(1) + 1, assigned["cluster"])
        assert stored["iterations"][0] == 0 and stored["z"].shape[1:] == (24, 4)


def test_predict_assigns_as_the_run_did_and_quarantines_the_rest(whole, tmp_path):
    folder = next((whole[1] / "store/clustering").glob("*-dcec-3-*/"))
    shutil.copytree(whole[1] / "museum/images", tmp_path / "new")
    (tmp_path / "new" / "broken.png").write_bytes(b"no picture")
    pictures = {path.name: path for path in sorted((tmp_path / "new").iterdir())}
    found, unreadable = prediction.predict(prediction.read(folder), pictures)
    new, old = found.set_index("id"), pd.read_csv(folder / "assignments.csv", dtype={"id": str}).set_index("id")
    assert len(new) == 24 and (new["cluster_predicted"].astype(int) == old.loc[new.index, "cluster"]).all()
    np.testing.assert_allclose(new["cluster_probability"], old.loc[new.index, "probability"], atol=1e-5)
    assert [Path(path).name for path, _ in unreadable] == ["broken.png"]


def test_the_weights_of_the_losses_and_their_reductions_are_printed(whole):
    *_, told = whole
    assert "loss = 0.1 * L_r (squared error, mean" in told
    assert "+ 0.9 * L_c (KL divergence, sum over clusters" in told


def test_all_k_share_one_autoencoder_and_gamma_asks_for_no_other(arguments, tmp_path):
    assert main([*arguments, "--k", "2"]) == 0
    assert main([*arguments, "--k", "3", "--gamma", "0.5"]) == 0
    names = list(metrics(tmp_path / "store"))
    assert sum("pretraining" in name for name in names) == 1 and len(names) == 3


def test_runs_that_differ_in_more_than_k_and_seed_have_rows_of_their_own(arguments, tmp_path):
    assert main([*arguments, "--k", "2", "--seeds", "0", "1"]) == 0
    assert main([*arguments, "--k", "2", "--gamma", "0.5"]) == 0
    store = Store(tmp_path / "store")
    ours = tables.overview(store, tables.clusterings(store, None), "artist")
    dcec = ours[ours["method"] == "dcec"].set_index("collection")
    assert dcec["seeds"].to_dict() == {"museum 8px [gamma=0.9]": 2, "museum 8px [gamma=0.5]": 1}
    assert -1 <= dcec.loc["museum 8px [gamma=0.9]", "stability"] <= 1
    assert np.isnan(dcec.loc["museum 8px [gamma=0.5]", "stability"])
    shown = in_a_fresh_process("--table", "--store", str(tmp_path / "store"), folder=tmp_path)
    assert shown.returncode == 0 and " stability" in shown.stdout
    assert not re.search("absl|cuda|oneDNN|TensorFlow", shown.stderr)  # what a backend says as it starts


def test_dry_run_says_the_cost_and_trains_nothing(arguments, capsys, tmp_path):
    assert main([*arguments, "--dry_run"]) == 0
    printed = "".join(capsys.readouterr())
    assert "24 images, to be clustered, no picture opened yet" in printed  # no label, and no classes
    assert printed.count("to do ") == 3 and "3 runs, 3 to do: about" in printed
    assert not (tmp_path / "store/clustering").exists()


def test_an_embedding_that_diverges_is_recorded_and_the_study_goes_on(arguments, capsys, tmp_path):
    assert main([*arguments, "--learning_rate", "1e30"]) == 0
    found = metrics(tmp_path / "store")
    assert len(found) == 3 and {value["status"] for value in found.values()} == {"diverged"}


def test_a_backbone_is_one_more_baseline(arguments, tmp_path):
    import keras

    inputs = keras.Input((None, None, 3))
    keras.Model(inputs, keras.layers.Conv2D(4, 3)(inputs), name="tiny").save(tmp_path / "tiny.keras")
    extra = ["--k", "2", "--backbone", str(tmp_path / "tiny.keras"), "--preprocessing", "unit"]
    assert main([*arguments, *extra]) == 0
    measured = next(value for name, value in metrics(tmp_path / "store").items() if "-dcec-" in name)
    assert "kmeans_backbone" in measured["scores"]


def test_a_killed_study_goes_on_and_ends_with_the_same_numbers(arguments, tmp_path):
    arguments = [*arguments, "--k", "2", "--max_iterations", "60", "--tol", "0"]
    kill_at("update.npz", "dcec_paint", arguments, tmp_path / "store")
    assert len(metrics(tmp_path / "store")) == 1, "the clustering was over before it could be killed, or not begun"
    assert main(arguments) == 0
    assert main([*arguments, "--store", str(tmp_path / "whole")]) == 0
    assert metrics(tmp_path / "store") == metrics(tmp_path / "whole")


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--k", "0"], "--k"),
        (["--k", "25"], "--k 25"),
        (["--k", "3", "3"], "--k"),
        (["--gamma", "1.5"], "--gamma"),
        (["--gamma", "-0.1"], "--gamma"),
        (["--image_size", "30"], "--image_size"),
        (["--target", "artits"], "artist"),
        (["--epochs", "0"], "--epochs"),
        (["--seeds", "0", "0"], "--seeds"),
        (["--split", "given"], "--split"),
        (["--backbone", "absent.keras"], "does not exist"),
        (["--data", "no_such_place"], "no_such_place"),
    ],
)
def test_a_mistake_gets_one_message_before_anything_is_trained(arguments, extra, words, capsys, tmp_path):
    assert main([*arguments, *extra]) == 1
    message = capsys.readouterr().err
    assert words in message.splitlines()[-1] and "Traceback" not in message
    assert not list((tmp_path / "store").glob("clustering/*/metrics.json"))


@pytest.mark.parametrize("preset", ["paint", "west"])
def test_a_paper_whose_pictures_are_not_published_asks_for_data(preset, capsys, tmp_path):
    assert main(["--preset", preset, "--store", str(tmp_path / "store")]) == 1
    assert "needs --data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("count", "words"), [(0, "holds no class folders with images"), (1, "needs at least 3 images")]
)
def test_too_few_pictures_are_one_message(arguments, count, words, capsys, tmp_path):
    (tmp_path / "few").mkdir()
    for i in range(count):
        paint(tmp_path / "few" / f"{i}.png", "abc"[i])
    few = [*arguments[4:], "--data", str(tmp_path / "few")]
    assert main(few) == 1
    assert words in capsys.readouterr().err


def test_pictures_without_labels_are_clustered(arguments, capsys, tmp_path):
    for i, colour in enumerate([*COLOURS] * 3):
        paint(tmp_path / "flat" / f"{i}.png", colour, i)
    assert main([*arguments[4:], "--data", str(tmp_path / "flat"), "--k", "2"]) == 0
    assert "nmi" not in capsys.readouterr().out


@pytest.mark.parametrize("preset", study.PRESETS)
def test_a_preset_fixes_every_field_and_a_flag_overrides_one(preset):
    from keras_art.commands import flags

    asked = flags.parse(study.Study, study.PRESETS, ["--preset", preset, "--seeds", "7"], prog="", description="")
    assert asked.seeds == (7,) and asked.gamma == study.PRESETS[preset].gamma


def runs_of(asked):
    return study.runs(asked, {"pictures": (None, SimpleNamespace(key="pictures-00000000"))}, None)


@pytest.mark.parametrize("preset", ["paint", "guo", "west"])
def test_a_run_by_a_papers_preset_is_known_as_one(preset):
    pretraining, clustered, *_ = runs_of(study.PRESETS[preset])
    assert [study.like(study.PRESETS[preset], run) for run in (pretraining, clustered)] == [pretraining, clustered]
    pretraining, clustered, *_ = runs_of(study.Study(**{**vars(study.PRESETS[preset]), "epochs": 3}))
    assert study.like(study.PRESETS[preset], pretraining) != pretraining


def test_a_clustering_needs_its_pretraining_and_the_pretraining_nothing():
    pretraining, *clustered = runs_of(study.PRESETS["paint"])
    assert needs(pretraining) == [] and len(clustered) == 9
    assert all(needs(run) == [pretraining.ref] for run in clustered)


def test_digests_of_runs_stay_what_they_are():
    pretraining, clustered, *_ = runs_of(study.PRESETS["paint"])
    assert digest(study.Run()) == "6f9bcb42"
    assert (digest(pretraining), digest(clustered)) == ("c8035041", "f2f6a11f")


def drawn_mark(store):
    """What says that the figures of a store's one study are whole; None where they are not."""
    return next(store.glob("studies/*/figures/.drawn"), None)


def test_a_study_killed_while_it_is_drawn_is_drawn_by_a_fresh_process(whole, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(whole[1] / "store", store)
    arguments = [*whole[0], "--store", str(store)]
    drawn = [*store.glob("clustering/*/page.html"), *store.glob("clustering/*/*.png")]
    for path in [*drawn, *store.glob("studies/*/figures/*.png"), drawn_mark(store)]:
        path.unlink()
    process = subprocess.Popen(
        [sys.executable, "-m", "reproductions.dcec_paint", *arguments],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while not list(store.glob("clustering/*/colours.png")) and time.monotonic() < deadline:
        assert process.poll() is None, "it was over before it could be killed"
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert len(list(store.glob("clustering/*/page.html"))) < 2 and drawn_mark(store) is None

    done = in_a_fresh_process(*arguments, folder=tmp_path)
    assert done.returncode == 0 and "could not be drawn" not in done.stderr, done.stderr
    assert all(path.exists() for path in drawn) and drawn_mark(store)
    assert "loss =" not in done.stderr, "nothing was left to train"


def test_a_figure_that_fails_is_reported_after_the_tables(whole, capsys, monkeypatch, tmp_path):
    shutil.copytree(whole[1] / "store", tmp_path / "store")
    drawn_mark(tmp_path / "store").unlink()

    def fails(*arguments):
        raise RuntimeError("no ink")

    monkeypatch.setattr(figures, "draw_maps", fails)
    assert main([*whole[0], "--store", str(tmp_path / "store")]) == 0
    printed = capsys.readouterr()
    assert "museum 8px" in printed.out and "could not be drawn (RuntimeError: no ink)" in printed.err


def test_labels_may_be_called_as_our_own_columns_are(picture_csv, tmp_path):
    table = pd.read_csv(picture_csv / "labels.csv")
    names = {"artist": "cluster", "style": "label"}
    table.rename(columns=names).assign(probability="x", method="m").to_csv(picture_csv / "labels.csv", index=False)
    arguments = [*flags(picture_csv, tmp_path / "store"), "--k", "3", "--target", "cluster"]
    assert main(arguments) == 0
    folder = next((tmp_path / "store/clustering").glob("*-dcec-3-*/"))
    assigned = pd.read_csv(folder / "assignments.csv")
    assert list(assigned)[:3] == ["id", "cluster", "probability"] and assigned["cluster"].between(1, 3).all()
    assert set(assigned["cluster (given)"]) == {"Artist A", "Artist B", "Artist C"}
    (found,) = [found for run, found in finished(Store(tmp_path / "store"), study.Run) if run.k]
    assert found["classes"] == {"cluster": 3, "label": 2} and "nmi_cluster" in found["scores"]["dcec"]
    assert "cluster: Artist" in (folder / "page.html").read_text()


def test_csv_is_one_table_of_all_cells(whole, capsys):
    assert main([*whole[0], "--table", "--format", "csv"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert {"scores", "calinski_harabasz", "contingency", "artists"} == set(table["table"])
    ours = table[(table["n"] == 1) & (table["mode"] == "AS_kmeans")]
    assert list(ours["collection"].unique()) == ["museum 8px"] and sorted(ours["k"]) == [2, 3]


def test_a_clustering_without_a_score_says_why_where_the_score_is_missing():
    run = study.Run(collection="museum-00000000", k=2)
    found = {"status": "ok", "n_images": 24}
    found["notes"] = ["kmeans_pixels: k-means found 1", "cluster 1 holds 100% of all images"]
    found["scores"] = {
        "dcec": {"silhouette_learned": None}, "kmeans_embedding": {"silhouette_embedding": 0.5}, "kmeans_pixels": {},
    }  # fmt: skip

    def ours(run):
        (_, scores), *_ = tables.beside_west([tables.Clustered(run, Verdict("study", ()), "museum", found)])
        return scores[scores["n"] > 0].set_index("score")

    told = ours(run)
    assert told.loc["AS_kmeans", ["ours", "note"]].tolist() == [0.5, "N=24"]
    assert told.loc["AS_dcec", ["ours", "note"]].tolist() == ["—", "N=24; cluster 1 holds 100% of all images"]
    found["notes"].append("kmeans_embedding: k-means found 1")
    assert ours(run).loc["AS_kmeans", "note"] == "N=24; kmeans_embedding: k-means found 1"
    assert list(ours(study.Run(collection="museum-00000000", k=1)).index) == ["AS_kmeans"]


def test_spaces_without_a_score_have_no_panel(tmp_path, monkeypatch):
    store, drawn = Store(tmp_path), {}
    run = study.Run(collection="c", mode="dcec", k=4)
    row = {f"{score}_{space}": None for score in ("silhouette", "calinski_harabasz") for space in figures.SPACES}
    rows = [{**row, "method": "dcec"}, {**row, "method": "kmeans_pca", "silhouette_pca": 0.2}]
    pd.DataFrame(rows).to_csv(store.begin(run) / "scores.csv", index=False)
    plates = SimpleNamespace(
        heading=lambda words: None, figure=lambda name, figure, words: drawn.update({name: figure})
    )
    figures.draw_scores(store, [run], plates, None)
    assert [axes.get_title() for axes in drawn.pop("scores").axes] == ["silhouette, pca"]
    pd.DataFrame(rows[:1]).to_csv(store.directory(run) / "scores.csv", index=False)
    figures.draw_scores(store, [run], plates, None)
    assert not drawn


def test_the_sentence_of_what_was_recovered_stands_above_our_own_table(whole, capsys):
    assert main([*whole[0], "--table"]) == 0
    printed = capsys.readouterr().out
    assert "museum 8px: artist, 3 clusters, images in the cluster matched with their artist: dcec " in printed
    assert "kmeans_pixels 100.0% (NMI 1.000)" in printed


@pytest.mark.parametrize("name", ["guo", "west"])
def test_the_codes_shuffle_in_pretraining_and_keep_the_order_in_the_joint_training(name):
    chosen = {"pictures": (None, SimpleNamespace(key="museum-1"))}
    first, *clusterings = study.runs(study.PRESETS[name], chosen, Store("nowhere"))
    assert (first.mode, first.order) == ("pretraining", "shuffled")
    assert {run.order for run in clusterings} == {"fixed"}
    assert all(study.like(study.PRESETS[name], run) == run for run in (first, *clusterings))

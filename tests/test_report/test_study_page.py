"""The page of a study and the index of a store, of a store written by hand: no backend is started."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import shutil

import pandas as pd
import pytest
from browser import hostile, opened, serious
from conftest import paint, write_csv
from PIL import Image

from keras_art.commands import page as command
from keras_art.data import tasks
from keras_art.data.opening import open_choice
from keras_art.report import mistakes, outcome, paragraphs
from keras_art.report import study_page as study_page_room
from keras_art.report.index_page import about, write_index
from keras_art.report.plates import Plates
from keras_art.report.study_page import Told, study_page, verdict
from keras_art.report.tables import PaperTable, compare, seen_of
from keras_art.store.runs import Store
from keras_art.store.sums import Damaged, write_sealed
from keras_art.study import catalogue, records
from keras_art.study.config import Optimizer
from keras_art.study.kinds.classifier import ClassifierRun
from keras_art.study.kinds.clustering import ClusteringRun

DOC = """A headline about <networks>.

Somebody: A paper. 2024.

Claim: `this` beats that.

    python -m reproductions.tiny2024

Departures from the paper:
1. Pixels: theirs
   are others.
2. Order: none, of at most
196. So few are enough.
"""
TABLE = PaperTable("table_1", "Somebody 2024, Table 1", "test accuracy, %", "challenge network fine_tuning\nx y 80.00")


def finished(store, run, table):
    """Writes a finished classifier down that says of test images what `table` says: id -> (label, predicted, share)."""
    store.ask(run)
    folder = store.directory(run)
    told = {
        "versions": {"keras_art": "0.2.0", "keras": "3.15.1", "tensorflow": "2.21"}, "backend": "tensorflow",
        "python": "3.11", "processor": "An <EPYC>", "cpus": 2, "commit": "0123456789abcdef", "devices": ["cpu:0"],
        "command": ["/x/reproductions/sabatelli2018/__main__.py", "--target", run.target],
    }  # fmt: skip
    (folder / "environment.json").write_text(json.dumps(told))
    with (folder / "predictions.csv").open("w", newline="", encoding="utf-8") as file:
        rows = [[id_, *said] for id_, said in table.items()]
        csv.writer(file).writerows([["id", "label", "predicted", "probability"], *rows])
    right = sum(label == predicted for label, predicted, _ in table.values()) / len(table)
    store.finish(
        run,
        {
            "status": "ok", "test_accuracy": right, "val_accuracy": right, "n_test": len(table), "n_images": 24,
            "n_classes": 3, "parameters": 9, "width": 3, "epochs": 2, "seconds": 60, "test_loss": 1.0,
            "test_macro_f1": right,
        },
    )  # fmt: skip


@pytest.fixture
def store(tmp_path):
    """A store with one study of a museum whose artists, files and columns have names that would run."""
    rows = [["image", hostile(1)]]
    for n in range(30):
        name = f"{n:02d} {hostile(n).replace('/', '_')[:60]}.png"
        paint(tmp_path / "museum" / "images" / name, "abc"[n % 3], n)
        rows.append([name, hostile(n % 3)])
    write_csv(tmp_path / "museum" / "labels.csv", rows)
    (tmp_path / "museum" / "images" / "broken.png").write_bytes(b"no picture")
    rows.append(["broken.png", hostile(0)])
    write_csv(tmp_path / "museum" / "labels.csv", rows)
    made = Store(tmp_path / "runs")
    made.create()
    collection, choice = open_choice(made, tmp_path / "museum", None, hostile(1))
    ready = tasks.prepare(made, collection, choice, 8, "squash", lambda done, all: None)
    test = ready.task.images.iloc[ready.part("test")]
    names = ready.task.classes
    said = {
        id_: (names[label], names[(label + n) % 3], f"{0.5 + n / 100}")
        for n, (id_, label) in enumerate(zip(test["id"], test["label"], strict=True))
    }
    run = ClassifierRun(
        collection=choice.key, target=hostile(1), network="VGG19", mode="fine_tuning", image_size=8,
        optimizer=Optimizer("SGD", 1e-3, (("nesterov", True),)),
    )  # fmt: skip
    finished(made, run, said)
    study = catalogue.write_down(
        made, "sabatelli2018", ["--data", str(tmp_path / "museum"), "--target", hostile(1)], [run]
    )
    plates = Plates(study.folder(made) / "figures")
    plates.pictures("works", [ready.picture(0, 64)], [hostile(2)], hostile(3))
    plates.save()
    return made


A4 = 680  # CSS pixels between its margins
# Tables and pictures of which paper would lose a part.
CUT_OFF = """() => [...document.querySelectorAll("table, img, pre, h1, h2, p")]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"""


def page_of(store, **told):
    (study,) = catalogue.studies(store)
    page, failures = study_page(store, study, catalogue.progress(store, study), Told(DOC, **told))
    assert failures == []
    path = study.folder(store) / "page.html"
    page.save(path)
    return path


def row(**changes):
    told = {
        "challenge": "museum", "network": "VGG19", "mode": "fine_tuning", "value": 50.0, "status": "ok",
        "protocol": "study", "comparable": False, "n_test": 4, "note": "N_t=4; not beside the paper's: a; b",
    }  # fmt: skip
    return compare(TABLE, pd.DataFrame([told | changes]))


def test_a_page_tells_all_of_a_study(store):
    text = page_of(store, bibtex="@misc{somebody}", paper=[(TABLE, row())]).read_text(encoding="utf-8")
    sections = [re.sub("<.*?>", "", found) for found in re.findall(r"<h2.*?</h2>", text)]
    assert sections == [
        "Results", "Figures", "Where it errs", "The pictures and their splits", "Claim and departures from the paper",
        "Runs", "Environment", "How to make it again", "For a paper",
    ]  # fmt: skip
    assert "A headline about &lt;networks&gt;." in text and "<li>Pixels: theirs are others.</li>" in text
    assert "<li>Order: none, of at most 196. So few are enough.</li>" in text
    assert "None of these numbers may be set beside" in text and text.count("Why not: a; b.") == 1
    assert "not beside the paper" not in text and "50.00 [" in text
    assert "2 of 3 test images" not in text and "broken.png" in text and "An &lt;EPYC&gt;" in text
    assert "nesterov" in text and "split into" in text and "@misc{somebody}" in text and "@software{keras_art" in text
    assert "python -m reproductions.sabatelli2018 --data PATH/museum --target" in text
    assert re.findall(r"<h(\d)", text)[0] == "1" and not re.search(r"<h1.*<h3.*<h2", text.split("<h2")[0])
    assert re.search(
        r"<p class=lead>On 3 pictures that it never saw, the classifier that is best on validation images "
        r"\(.*?\) named the right .*; naming the .* that is most frequent in training for each of them: 33\.3\.",
        text,
    )
    assert str(store.root.parent) not in text
    assert text.count("<script") == 0 and text.count("onerror=&#x27;") > 0


@pytest.mark.parametrize(
    ("id_", "path", "told"),
    [
        ("a/bad.jpg", "/pictures/a/bad.jpg", "a/bad.jpg"),
        ("SK-A-1", "/pictures/one.jpg", "SK-A-1 (one.jpg)"),
        ("SK-A-2", "", "SK-A-2"),
    ],
)
def test_what_is_left_out_is_called_as_its_collection_calls_it(id_, path, told):
    assert study_page_room._named(id_, path) == told


@pytest.mark.parametrize("name", ["s", "runs"])
def test_files_of_a_store_are_told_from_its_folder_on(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for root in (name, tmp_path / name):
        said = f"see {root}/collections/pics-0/q.csv, not /other/{name}/x, nor collections/pics ('{root}/a')"
        assert (
            outcome.portable(said, Store(root))
            == f"see collections/pics-0/q.csv, not /other/{name}/x, nor collections/pics ('a')"
        )


def test_a_page_does_not_call_unseen_what_train_or_val_has(store):
    (run,) = (run for run, _ in records.finished(store, ClassifierRun))
    folder = store.root / "collections" / run.collection
    facts = json.loads((folder / "task.json").read_text())
    leaking = facts["leaks"] | {"same_file": 1 / 3, "near_duplicate": 2 / 3}
    write_sealed(folder, {"task.json": json.dumps(facts | {"leaks": leaking}).encode()})
    text = page_of(store).read_text(encoding="utf-8")
    assert "never saw" not in text and "<p class=lead>On 3 test pictures, the classifier" in text
    said = (
        "Not all of them are a test of it: train or val has the very file of 1 and a copy or look-alike of 2 of 3 test"
    )
    assert text.count(said) == 2 and "of 3 test pictures are right" in text
    assert seen_of(store, run) == f"{said.partition(': ')[2]} images"
    assert seen_of(store, dataclasses.replace(run, collection="nowhere-12345678")) == ""


def test_what_the_best_run_said_and_has_lost_is_no_other_runs(store):
    (run,) = (run for run, _ in records.finished(store, ClassifierRun))
    with_none = store.directory(run).parent / "another"
    with_none.mkdir()
    assert mistakes.said(with_none, run.target) == []
    (store.directory(run) / "predictions.csv").unlink()
    with pytest.raises(Damaged, match=r"predictions\.csv is absent"):
        mistakes.said(store.directory(run), run.target)


def test_a_result_stands_beside_guesses_that_can_be_made_without_the_test_set(monkeypatch):
    table = pd.DataFrame({"id": list("abcd"), "label": list("xyyy"), "predicted": list("xxyy"), "probability": 0.5})
    said, run = mistakes.Said("style", table), ClassifierRun(collection="museum-1234")
    leak = {"majority": 0.25, "majority_test": 0.75, "artist_rule": 0.5}
    monkeypatch.setattr(outcome.kept, "facts_of", lambda store, key: {"targets": ["style"], "leaks": leak})
    assert outcome.without_looking(None, run, said) == (
        "naming the style that is most frequent in training for each of them: 25.0, and naming what is most frequent "
        "with its artist there: 50.0"
    )
    leak = {}  # of a task of several labels nothing was measured
    assert outcome.without_looking(None, run, said) == "75.0 of 100 are of one style"


def test_errors_are_shown_surest_first_with_their_ids(store):
    text = page_of(store).read_text(encoding="utf-8")
    shown = re.findall(r"<figcaption>(\d\d) [^\n]*?taken for: [^\n]*?, (\d+)% sure", text)
    sure = [int(share) for _, share in shown]
    assert sure and sure == sorted(sure, reverse=True)
    assert "errors of which it was surest, each with its id. How sure it was are its own probabilities, " in text


def test_how_sure_a_classifier_was_is_told_with_its_calibration():
    measured = {"temperature": 2.0, "ece": 0.3, "ece_calibrated": 0.05}
    assert "off by 30.0 of 100 on average; calibrated, as predict tells them (temperature 2.00), by 5.0" in (
        outcome.sureness(measured)
    )
    assert outcome.sureness({"calibration": {"style": measured}}, "style") == outcome.sureness(measured)
    assert "before any calibration" in outcome.sureness({"calibration": {"style": measured}}, "artist")
    assert "before any calibration" in outcome.sureness({"temperature": None})


def test_votes_are_no_sureness():
    run = ClassifierRun(mode="knn_probe")
    which, share = outcome.surest(run, {"k": 1}, "style")
    assert "that come first by their ids" in which and "tells nothing of how sure it is" in which and share == ""
    which, share = outcome.surest(run, {"k": 5}, "style")
    assert "surest" not in which and "votes of the 5 training pictures that are nearest" in which
    assert share == "of the votes"
    assert outcome.surest(ClassifierRun(head="random_forest"), {}, "style")[1] == "of the trees"
    assert outcome.surest(ClassifierRun(mode="linear_probe"), {}, "style") == (
        f"of which it was surest, each with its id. {outcome.sureness({})}", "sure",
    )  # fmt: skip


def test_the_last_weights_are_ranked_by_what_they_say_of_validation_images(store):
    (study,) = catalogue.studies(store)
    reached = catalogue.progress(store, study)
    ((run, measured),) = reached.found.items()
    last = dataclasses.replace(run, keep="last")
    better, worse = measured | {"val_accuracy": 0.5}, measured | {"val_accuracy": 0.9, "best_epoch": 1, "epochs": 2}
    found = dataclasses.replace(reached, found={last: worse, run: better})
    place = run.collection, run.target
    assert outcome.ranked(store, found)[place] == [last, run]  # its history is lost
    store.directory(last).mkdir()
    (store.directory(last) / "history.csv").write_text("epoch,val_accuracy\n1,0.9\n2,0.4\n")
    assert outcome.ranked(store, found)[place] == [run, last]
    assert outcome.ranked(store, dataclasses.replace(found, found={run: better, last: worse | {"best_epoch": 2}})) == {
        place: [last, run]
    }


def test_errors_of_the_nearest_picture_alone_stand_without_a_share(store):
    (study,) = catalogue.studies(store)
    reached = catalogue.progress(store, study)
    ((run, measured),) = reached.found.items()
    knn = dataclasses.replace(run, mode="knn_probe")
    store.ask(knn)
    shutil.copy(store.directory(run) / "predictions.csv", store.directory(knn))
    found = dataclasses.replace(reached, found={knn: measured | {"k": 1}})
    page, failures = study_page(store, study, found, Told(DOC))
    text = "\n".join(page.parts)
    assert failures == []
    assert "taken for:" in text and "% sure" not in text and "surest" not in text


def test_what_may_stand_beside_the_paper_is_counted():
    beside = row(challenge="x", network="y", comparable=True, note="")
    assert verdict([beside]) == [
        "1 of our 1 numbers share pictures, split, weights and settings with the paper's, and stand beside them."
    ]
    assert verdict([compare(TABLE, pd.DataFrame())]) == []


def test_a_part_that_fails_is_named_and_the_others_stand(store, monkeypatch):
    monkeypatch.setattr(paragraphs, "software", lambda *_: 1 / 0)
    (study,) = catalogue.studies(store)
    page, failures = study_page(store, study, catalogue.progress(store, study), Told(DOC))
    assert failures == ["For a paper: ZeroDivisionError: division by zero"]
    assert "could not be made" in page.parts[-1] and "Runs" in page.sections


def test_the_index_lists_studies_with_thumbnail_state_and_time(store):
    page_of(store)
    text = write_index(store).read_text(encoding="utf-8")
    assert "sabatelli2018: museum" in text and "done, 60 s of computing, ended 20" in text and "asked for 20" in text
    assert 'src="data:image/jpeg;base64,' in text and re.search(
        r'href="studies/sabatelli2018-museum-\w+/page\.html"', text
    )


def test_cards_of_one_title_are_told_apart_by_what_was_run_and_what_came_out(store):
    (study,) = catalogue.studies(store)
    ((run, measured),) = catalogue.progress(store, study).found.items()
    other = dataclasses.replace(run, mode="knn_probe", network="ResNet50", seed=1)
    store.ask(other)
    store.finish(other, measured | {"test_accuracy": 0.25})
    catalogue.write_down(store, "sabatelli2018", ["--modes", "knn_probe"], [other])
    text = re.sub("<.*?>", "|", write_index(store).read_text(encoding="utf-8"))
    assert "|VGG19; fine_tuning; 8 pixels; seed 0|" in text and "|ResNet50; knn_probe; 8 pixels; seed 1|" in text
    assert ": test accuracy 33.3%" in text and ": test accuracy 25.0%" in text
    assert about([]) == []
    before = ClusteringRun(mode="pretraining", collection="museum-12345678")
    runs = [before, *(ClusteringRun(collection="museum-12345678", k=k, weights=before.ref) for k in (3, 4, 5, 6, 7))]
    assert about(runs) == ["dcec; k = 3, 4, 5, 6 and 1 more; 128 pixels; seed 0"]


def test_the_command_writes_pages_of_stores_that_are_older_than_the_record(store, capsys, monkeypatch):
    for path in catalogue.files(store):
        path.unlink()
    papers = command.reproductions()
    monkeypatch.setattr(command, "reproductions", lambda: papers)
    drawn = []
    monkeypatch.setattr(type(papers[0]), "draw", lambda self, *_: drawn.append(self.name))
    assert command.main([str(store.root)]) == 0
    told = capsys.readouterr()
    assert told.err.splitlines()[0].startswith("1 run is older than the record")
    assert drawn == ["sabatelli2018"] and told.out.splitlines()[-1] == str(store.root / "index.html")
    (page,) = store.root.glob("studies/*/page.html")
    assert "did not write down what was asked" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere is no store"),
        (["runs", "--study", "zebra"], "no study called zebra; it has sabatelli2018-"),
    ],
)
def test_a_store_or_study_that_is_not_there_is_one_line(store, words, message, capsys, monkeypatch):
    monkeypatch.chdir(store.root.parent)
    assert command.main(words) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and message in told[0]


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1400])
def test_in_a_browser_nothing_runs_nothing_is_asked_for_and_nothing_is_too_wide(store, width, tmp_path):
    path = page_of(store, paper=[(TABLE, row())])
    for shown in (path, write_index(store)):
        with opened(shown, width=width) as seen:
            assert seen.problems() == []
            assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
            assert len(seen.files) == 1
            pdf = seen.page.pdf(path=tmp_path / "page.pdf")
            assert pdf.startswith(b"%PDF") and seen.problems() == []
            seen.page.emulate_media(media="print")
            seen.page.set_viewport_size({"width": A4, "height": 900})
            assert seen.page.evaluate(CUT_OFF) == []


@pytest.mark.slow
def test_axe_finds_nothing_serious(store):
    path = page_of(store, paper=[(TABLE, row())])
    for shown in (path, write_index(store)):
        with opened(shown) as seen:
            assert serious(seen) == []


def test_a_thumbnail_of_what_is_no_picture_is_white(tmp_path):
    from keras_art.report.index_page import thumbnail

    (tmp_path / "x.png").write_bytes(b"no")
    (tmp_path / "small.jpg").write_bytes(thumbnail(tmp_path / "x.png"))
    with Image.open(tmp_path / "small.jpg") as image:
        assert image.getpixel((0, 0)) == (255, 255, 255)

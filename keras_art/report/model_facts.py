"""What is known of a model that is given to others, and its numbers, as its card and Hugging Face want them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art.data import cards, kept, leaks
from keras_art.pictures.images import GAP
from keras_art.report import comparable, paragraphs
from keras_art.store.runs import Store
from keras_art.study.config import BadRun, Run, run_from
from keras_art.writing import TERMS, one_line, slug

if TYPE_CHECKING:
    import pandas as pd

    from keras_art.networks.trained import ModelCard

TOLERANCE = 1e-4  # of a probability: by what a file may differ from a model that computes as it does
TAGS = ["keras_art", "art", "cultural-heritage"]


@dataclass(frozen=True)
class Shared:
    """What is known of a model that is given to others; what is empty is not known.

    Attributes:
        name: what it is called.
        card: what was saved with it.
        licence: of the model, an identifier of Hugging Face.
        files: name -> the largest difference of a probability from the original's, above `TOLERANCE` where the original
            computes in half precision and the file does not.
        absent: which files were not written and why, a sentence each.
        keras_alone: Keras opens it where keras_art is unknown.
        task: `task.json` of the collection.
        sizes: split -> images.
        left_out: why each of what is in the collection's quarantine was.
        tested: task -> `label` and `predicted` of each test image, names of classes.
        environment: of the run, and how many seconds it took.
        before: how many test images its network has learnt from before, in words.
        rights: what is known of the collection's licence, a sentence.
        holds: training pictures whose features are within the model.
        learnt: pictures that it was trained or chosen on, of which a list lies beside it.
    """

    name: str
    card: ModelCard
    licence: str
    files: Mapping[str, float]
    absent: Sequence[str] = ()
    keras_alone: bool = False
    task: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    tested: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    before: str = ""
    rights: str = ""
    holds: int = 0
    learnt: int = 0

    @property
    def run(self) -> Run | None:
        """What was computed; None where this version knows no such run."""
        try:
            return run_from(dict(self.card.provenance["config"]), Path("model.keras"))
        except (BadRun, KeyError, TypeError, ValueError):
            return None

    @property
    def clusters(self) -> bool:
        """It says clusters, which nobody has named."""
        return self.run is not None and self.run.kind == "clustering"


def header(shared: Shared) -> dict[str, Any]:
    """What the YAML at the top says, by which Hugging Face finds and tests it."""
    run = shared.run
    network = str(getattr(run, "network", ""))
    found: dict[str, Any] = {"license": shared.licence}
    if shared.licence == "other":
        found |= {"license_name": f"{slug(shared.name)}-license", "license_link": TERMS}
    found["library_name"] = "keras"
    if not shared.clusters:
        found["pipeline_tag"] = "image-classification"
    found["tags"] = [*TAGS, "clustering"] if shared.clusters else TAGS
    if network.startswith("hf://"):
        found["base_model"] = network.removeprefix("hf://")
    data = run.place if run else ""
    if data:
        found["datasets"] = [slug(data)]
    place = {"name": one_line(data) or "unknown", "type": slug(data) if data else "unknown", "split": "test"}
    measured = {task: rows for task, rows in scores(shared).items() if rows}
    if measured:
        found["metrics"] = ["accuracy", "f1"]
        found["model-index"] = [
            {
                "name": one_line(shared.name),
                "results": [
                    {
                        "task": {"type": "image-classification", "name": one_line(task)},
                        "dataset": place,
                        "metrics": [
                            {"type": kind, "value": round(value, 6), "name": words}
                            for kind, value, words in (
                                ("accuracy", rows["accuracy"], f"accuracy, 95% interval {interval(rows)}"),
                                ("f1", rows["macro_f1"], "macro F1"),
                            )
                            if value is not None
                        ],
                    }
                    for task, rows in measured.items()
                ],
            }
        ]
    return found


def scores(shared: Shared) -> dict[str, dict[str, Any]]:
    """Task -> `accuracy`, `macro_f1` (None: not known) and `n`, of the test images; empty where it was not tested."""
    metrics, found = shared.card.metrics, {}
    for task in shared.card.classes:
        of_task = f"test_{task}_" if f"test_{task}_accuracy" in metrics else "test_"
        accuracy, n = metrics.get(f"{of_task}accuracy"), metrics.get(f"{of_task}n", metrics.get("n_test"))
        if n is None and task in shared.tested:
            n = len(shared.tested[task])
        known = isinstance(accuracy, float) and isinstance(n, int) and n > 0
        found[task] = {"accuracy": accuracy, "n": n, "macro_f1": metrics.get(f"{of_task}macro_f1")} if known else {}
    return found


def seen(shared: Shared) -> str:
    """How many test images are no test of a model, in words; "" where none is known."""
    return "; ".join(filter(None, [leaks.seen(shared.task.get("leaks", {})), shared.before]))


def interval(rows: Mapping[str, Any]) -> str:
    """The 95% Wilson interval of one of `scores`, in per cent."""
    low, high = leaks.wilson(rows["accuracy"] * rows["n"], rows["n"])
    return f"{100 * low:.1f} to {100 * high:.1f}"


def by_class(tested: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """One row for each class: test images, how often it is said, recall with its interval and precision, in per cent.

    Args:
        tested: `label` and `predicted` of each test image.
    """
    import pandas as pd

    right = tested.loc[tested["label"] == tested["predicted"], "label"].value_counts()
    there, said = tested["label"].value_counts(), tested["predicted"].value_counts()
    rows = []
    for name in names:
        n, hits, times = (int(count.get(name, 0)) for count in (there, right, said))
        low, high = leaks.wilson(hits, n) if n else (0.0, 1.0)
        rows.append(
            {
                "class": one_line(name), "test images": str(n), "said": str(times),
                "recall": f"{100 * hits / n:.1f}" if n else "",
                "95% interval": f"{100 * low:.1f} to {100 * high:.1f}" if n else "",
                "precision": f"{100 * hits / times:.1f}" if times else "",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def preprocessing(card: ModelCard, dtype: str) -> dict[str, Any]:
    """What `preprocessing.json` says: how a file becomes the model's input, of a type, and what its outputs are."""
    side, words = card.crop or card.image_size, paragraphs.RESIZED[card.resize].format(card.image_size)
    if card.resize != "squash_nearest":
        words += (
            f", bilinear with antialiasing, as Pillow does with reducing_gap={GAP:g}; a JPEG is decoded at the "
            f"smallest of 1, 1/2, 1/4 and 1/8 of its size that has {int(GAP * card.image_size)} pixels in both sides, "
            f"the whole where none has (Image.draft)"
        )
    return {
        "input": f"RGB, 0 to 255, {dtype}, (batch, {side}, {side}, 3)",
        "image_size": card.image_size,
        "resize": card.resize,
        "resize_in_words": words,
        "crop": card.crop,
        "within_the_model": card.preprocessing,
        "outputs": list(card.classes),
        "temperature": {task: said["temperature"] for task, said in card.calibration.items()},
    }


RIGHTS = ("dc:rights", "dcterms:rights", "dc.rights", "dc_rights", "rights", "license", "licence")
MOST = 5  # of the terms that single objects have


def rights_of(store: Store, key: str) -> str:
    """What is known of a collection's licence, in words; "" where nothing is.

    A published collection's is its card's, if by their content these are its pictures; another's is what its own
    columns say of single objects; and one that says nothing, and is called as a published one, may be a part of that.

    Args:
        key: NAME-DIGEST of a choice in a store.
    """
    family = key.rpartition("-")[0]
    family = family if family in cards.names() else family.rpartition("-")[0]
    published = ""
    if family in cards.names():
        card = cards.load_card(family)
        published = f"{card.title}: {card.licence.strip()}; to be cited as {card.citation.strip().rstrip('.')}"
        versions = [f"{family}-{version}" for version in card.versions] or [family]
        if any(not comparable.of_card(store, key, name) for name in versions):
            return published
    said = kept.table(store, key, "columns.csv")
    for name in (name for name in said if name.lower() in RIGHTS):
        terms = said[name].iloc[:, 0] if said[name].ndim > 1 else said[name]
        counts = terms[terms != ""].value_counts()
        if len(counts):
            words = "; ".join(f"{one_line(term)} ({n:,})" for term, n in counts.head(MOST).items())
            more = "; and others" * (len(counts) > MOST)
            return f"what its column {one_line(name)} says of single objects, {words}{more}"
    return published and f"by its name it may be a part of {published}"

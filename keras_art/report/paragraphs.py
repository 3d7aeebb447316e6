"""Words of a page: a docstring in its parts; and for a paper how a study was made, as a paragraph, and BibTeX."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keras_art import terminal
from keras_art.data.collection import NO_LABEL
from keras_art.data.splits import in_words
from keras_art.study.config import Artefact, Optimizer, Run, RunRef
from keras_art.study.kinds.classifier import PROBES
from keras_art.version import __version__
from keras_art.writing import HANDLES

RESIZED = {
    "squash": "squashed to {0} x {0} pixels", "squash_nearest": "squashed to {0} x {0} pixels (nearest neighbour)",
    "crop": "cropped to a square and scaled to {0} x {0} pixels", "pad": "padded to a square of {0} x {0} pixels",
    "trim": "freed of borders of one colour, cropped and scaled to {0} x {0} pixels",
}  # fmt: skip
# What a field of a run is called in a sentence, in the order of the sentence.
CALLED = {
    "network": "network {}", "backbone": "backbone for comparison {}", "weights": "initial weights {}",
    "preprocessing": "preprocessing {}", "optimizer": "optimizer {}", "learning_rate": "learning rate {}",
    "batch_size": "batches of {}", "epochs": "{} epochs at most",
    "frozen_epochs": "the first {} with a frozen backbone",
    "iterations": "{} iterations", "max_iterations": "{} iterations at most",
    "patience": "stopped after {} epochs without a smaller validation loss", "keep": "the {} weights kept",
    "precision": "arithmetic {}", "seed": "seeds {}",
}  # fmt: skip
STEPS = ("optimizer", "batch_size", "epochs", "patience", "keep")
# What a mode of a kind does not read.
UNREAD = {
    **{("classifier", mode): STEPS for mode in PROBES},
    ("clustering", "pretraining"): ("max_iterations",), ("clustering", "dcec"): ("epochs", "keep"),
}  # fmt: skip
UNSAID = ("collection", "target", "targets", "mode", "image_size", "resize")


def data(name: str, facts: Mapping[str, Any], sizes: Mapping[str, int], reasons: Iterable[str] = ()) -> str:
    """A sentence on a collection.

    Args:
        facts: its `task.json`.
        sizes: split -> images.
        reasons: why each of what is in quarantine was left out.
    """
    labels = " and ".join(facts["targets"])
    about = f" with {len(facts['classes']):,} classes of {labels}" if labels and facts["classes"] else ""
    words = f"The collection {name} holds {facts['n_images']:,} images{about}"
    if facts["rule"] != "whole":
        parts = ", ".join(f"{sizes.get(part, 0):,} for {use}" for part, use in USES.items())
        words += f", split into {parts} ({in_words(facts).replace('_', '-')})"
    if bad := facts["quarantined"]:
        rows = any(reason == NO_LABEL or reason.startswith("labelled, but ") for reason in reasons)  # of a table
        words += f"; {bad:,} {'others were' if bad > 1 else 'other was'} left out: "
        words += "rows without a picture, pictures without a row" if rows else "files that are no pictures of a class"
        words += ", or pictures that can not be read"
    return f"{words}."


def unlisted(name: str) -> str:
    """The sentence on a collection that only another store knows."""
    return (
        f"What was taken from another study was made with images of the collection {name}, which are not listed here."
    )


USES = {"train": "training", "val": "validation", "test": "testing"}


def training(found: Mapping[Run, Mapping[str, Any]]) -> list[str]:
    """A sentence for every kind and mode of some runs: what its runs share, and what they differ in.

    Args:
        found: run -> what it measured.
    """
    groups: dict[tuple[object, ...], list[Run]] = {}
    for run in found:
        groups.setdefault((run.kind, run.mode, *_unread(run)), []).append(run)
    return [
        _of_group(group, list(filter(None, (_chosen(run, found[run]) for run in group)))) for group in groups.values()
    ]


def _unread(run: Run) -> tuple[str, ...]:
    """The fields of a run that what it does does not depend on, whatever stands there."""
    names = UNREAD.get((run.kind, run.mode), ())
    weights = getattr(run, "weights", "none")
    if run.mode in PROBES and weights != "none" and not isinstance(weights, RunRef):
        names += ("seed",)
    if getattr(run, "head", "softmax") != "softmax":
        names += STEPS
    if not (getattr(run, "network", "") or getattr(run, "backbone", "")):
        names += ("preprocessing",)
    return names


def _chosen(run: Run, measured: Mapping[str, Any]) -> str:
    """What a probe has chosen on validation images, in words; "" of others."""
    if run.mode == "knn_probe" and "k" in measured:
        return f"k = {_word(measured['k'])} by {measured.get('metric')} distance"
    if run.mode == "linear_probe" and "inverse_penalty" in measured:
        return f"inverse penalty {_word(measured['inverse_penalty'])}"
    return ""


def _of_group(runs: Sequence[Run], chosen: Sequence[str]) -> str:
    mode, unread = runs[0].mode, _unread(runs[0])
    values = {
        field.name: list(dict.fromkeys(_said(run, field.name) for run in runs)) for field in dataclasses.fields(runs[0])
    }
    defaults = {field.name: field.default for field in dataclasses.fields(runs[0])}
    called = dict(CALLED)
    if all(getattr(run, "patience", 0) >= getattr(run, "epochs", 1) - 1 > -1 for run in runs):  # nothing stops early
        called["epochs"], unread = "{} epochs", (*unread, "patience")
    phrases = []
    if "image_size" in values:
        for size in values["image_size"]:
            for rule in values.get("resize", ["squash"]):
                phrases.append(f"images {RESIZED.get(rule, rule).format(size)}")
    order = [*CALLED, *(name for name in values if name not in CALLED)]
    for name in (name for name in order if name in values and name not in (*UNSAID, *unread)):
        told = [word for value in values[name] if (word := _word(value))]
        plain = name in CALLED and name not in ("precision", "backbone")
        if told and (plain or values[name] != [defaults[name]]):
            phrase = called.get(name, name.replace("_", " ") + " {}").format(_list(told))
            if told == ["1"]:
                phrase = re.sub(r"\b1 (epoch|iteration)s\b", r"1 \1", phrase)
            phrases.append(phrase if name != "seed" or len(told) > 1 else f"seed {told[0]}")
    if chosen:
        phrases.append(f"{_list(list(dict.fromkeys(chosen)))}, chosen on validation images")
    count = f"{len(runs)} run{'s' * (len(runs) > 1)}"
    return f"{mode.replace('_', ' ').capitalize() or runs[0].kind} ({count}): {'; '.join(phrases)}."


def _said(run: Run, name: str) -> Any:
    """A field of a run; of a preset or an exported folder, which scales pixels itself, that it does so."""
    value, network = getattr(run, name), getattr(run, "network", "") or getattr(run, "backbone", "")
    folder = isinstance(network, Artefact) and not network.name.endswith(".keras")
    if name != "preprocessing" or not (folder or str(network).startswith(HANDLES)):
        return value
    own = f"{_word(network)}'s own"
    return {"imagenet": own, "none": f"none but {own}"}.get(value, value)


def _word(value: Any) -> str:
    if isinstance(value, RunRef) or value is None or value == ():
        return ""
    if isinstance(value, Artefact):
        return value.stem
    if isinstance(value, Optimizer):
        options = ", ".join(
            name if option is True else f"{name.replace('_', ' ')} {option:g}" for name, option in value.options
        )
        drops = "".join(f", a tenth after {epochs} epochs" for epochs in value.drops)
        return f"{value.name} (learning rate {value.learning_rate:g}{f', {options}' * bool(options)}{drops})"
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _list(words: Sequence[str]) -> str:
    if len(words) > 8:
        words = [*words[:3], f"... ({len(words)} values)", words[-1]]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def software(environments: Sequence[Mapping[str, Any]], seconds: float) -> str:
    """A sentence on what a study ran with and on."""
    if not environments:
        return ""
    first = environments[0]
    versions = first.get("versions", {})
    backend = first.get("backend", "")
    parts = [f"Keras {versions.get('keras', '?')} on {backend} {versions.get(backend, '')}".strip()]
    parts.append(f"Python {first.get('python', '?')}")
    processor = first.get("processor") or first.get("platform", "")
    commits = {told.get("commit") or "" for told in environments}
    commit = f" (commit {first['commit'][:12]})" if len(commits) == 1 and first.get("commit") else ""
    machines = {(told.get("processor"), told.get("platform"), told.get("cpus")) for told in environments}
    others = " and other machines" if len(machines) > 1 else ""
    return (
        f"Computed by keras_art {versions.get('keras_art', __version__)}{commit} with {', '.join(parts)} on "
        f"{processor}, {first.get('cpus', '?')} cores{others}, in {terminal.duration(seconds)}."
    )


TESTED = (
    "Every image of the test split counts once. Where several seeds were run, numbers are their means and standard "
    "deviations; intervals in brackets are 95% Wilson score intervals for the size of the test set."
)


def bibtex(year: int, commit: str = "") -> str:
    """What to cite for keras_art itself."""
    fields = {
        "author": "{The keras\\_art maintainers}",
        "title": "{keras\\_art}: Deep-learning studies of art, reproduced in {Keras} 3",
        "version": __version__, "year": str(year),
        **({"note": f"Commit {commit[:12]}"} if commit else {}),
    }  # fmt: skip
    lines = (f"  {name:8}= {{{value}}}," for name, value in fields.items())
    return "\n".join(["@software{keras_art,", *lines, "}"])


def joined(sentences: Iterable[str]) -> str:
    """Sentences as one paragraph."""
    return " ".join(filter(None, sentences))


@dataclass(frozen=True)
class Doc:
    """A reproduction's docstring in its parts, as plain text."""

    headline: str
    citation: str
    claim: str
    rest: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Doc:
        """The parts of a docstring: paragraphs, of which those with examples are left out."""
        paragraphs = [part for part in text.strip().split("\n\n") if part.strip() and not part.startswith("    ")]
        claim = next((part for part in paragraphs[1:] if part.startswith("Claim")), "")
        before = paragraphs[1 : paragraphs.index(claim)] if claim else []
        rest = [part for part in paragraphs[1:] if part != claim and part not in before]
        return cls(plain(paragraphs[0] if paragraphs else ""), plain(" ".join(before)), plain(claim), tuple(rest))


def plain(text: str) -> str:
    """A docstring's words on one line, without its marks."""
    return " ".join(text.replace("`", "").split())

"""The index of a store: every study with a thumbnail, its state and its time, and a link to its page."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from keras_art.errors import UserError
from keras_art.report import outcome
from keras_art.report.pages import Page, inline, shown
from keras_art.report.plates import Plates
from keras_art.report.tables import seen_of
from keras_art.store import plain
from keras_art.store.runs import Store
from keras_art.study import catalogue
from keras_art.study.catalogue import Asked, Progress
from keras_art.study.config import Artefact, Run, kinds, needs
from keras_art.study.kinds.classifier import label
from keras_art.study.records import finished
from keras_art.writing import one_line

# Of a run -> how its values are told, behind the ending of a plural.
SAID = {"network": "{1}", "mode": "{1}", "k": "k = {1}", "image_size": "{1} pixels", "seed": "seed{0} {1}"}
FEW = 4  # values of one kind, and results, that a card lists
THUMBNAIL = (480, 320)  # pixels, at most
FILE = "index.html"


@dataclass(frozen=True)
class Card:
    """One study in the index.

    Attributes:
        title: its reproduction and its places.
        lines: its state, and what else is said of it.
        page: its page, relative to the store; "" where there is none.
        picture: a figure of it, where there is one.
    """

    title: str
    lines: Sequence[str]
    page: str = ""
    picture: Path | None = None


def write_index(store: Store) -> Path:
    """Writes the index of a store, `index.html` in its folder: of what is written down, and of pages that are there."""
    known = catalogue.studies(store)
    claimed = {(ref.kind, ref.digest) for study in known for ref in study.runs}
    loose = unclaimed(store, claimed)
    known += catalogue.guessed(store, loose)
    claimed |= {(ref.kind, ref.digest) for study in known for ref in study.runs}
    rest = [run for run in loose if (run.kind, run.ref.digest) not in claimed]
    others = [f"{len(rest):,} finished run{'s' * (len(rest) > 1)} of no study: {_named(rest)}."] if rest else []
    path = store.root / FILE
    index_page(store.root.resolve().name, [card_of(store, study) for study in known], others).save(path)
    return path


def unclaimed(store: Store, claimed: set[tuple[str, str]]) -> list[Run]:
    """The finished runs of a store, but for some by kind and digest."""
    return [
        run
        for kind in kinds().values()
        for run, _ in finished(store, kind.run)
        if (run.kind, run.ref.digest) not in claimed
    ]


def _named(runs: Sequence[Run]) -> str:
    names = [f"{run.kind}/{run.folder_name}" for run in runs]
    return ", ".join(names[:10]) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")


def card_of(store: Store, study: Asked) -> Card:
    """What the index says of a study."""
    folder = study.folder(store)
    reached = catalogue.progress(store, study)
    lines = [*about(list(reached.found)), *headlines(store, reached), reached.words]
    if study.commands and study.commands[-1][0]:
        lines.append(f"asked for {study.commands[-1][0].replace('T', ' ').replace('+00:00', ' UTC')}")
    try:
        picture = Plates.read(folder / "figures").first_figure()
    except UserError:
        picture = None
    page = f"{catalogue.FOLDER}/{study.key}/page.html" if (folder / "page.html").exists() else ""
    if not page:
        lines.append("its page is not written yet: python -m keras_art page writes it")
    return Card(f"{study.reproduction}: {', '.join(study.places)}", lines, page, picture)


def about(runs: Sequence[Run]) -> list[str]:
    """What runs are of in a short line, by which studies of one collection are told apart; nothing of no runs."""
    needed = {ref for run in runs for ref in needs(run)}
    own = [run for run in runs if run.ref not in needed] or runs
    parts = []
    for name, form in SAID.items():
        values = dict.fromkeys(getattr(run, name, "") for run in own)
        told = [value for value in values if value or (name == "seed" and value == 0)]
        words = [label(value) if isinstance(value, str | Artefact) else str(value) for value in told]
        if words:
            parts.append(form.format("s" * (len(words) > 1), _some(words)))
    return ["; ".join(parts)] if own else []


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:FEW]) + (f" and {len(words) - FEW:,} more" if len(words) > FEW else "")


def headlines(store: Store, reached: Progress) -> list[str]:
    """The test accuracy of the classifier that is best on validation images, a line for each collection and label."""
    lines = []
    for (_, target), runs in outcome.ranked(store, reached).items():
        measured = reached.found[runs[0]]
        accuracy = measured.get(f"test_{target}_accuracy", measured.get("test_accuracy"))
        if isinstance(accuracy, float):
            which = " of the best on validation images" if len(runs) > 1 else ""
            told = f"{one_line(target)}: test accuracy {accuracy:.1%}{which}"
            lines.append("; ".join(filter(None, [told, seen_of(store, runs[0])])))
    return lines[:FEW]


def index_page(name: str, cards: Sequence[Card], others: Sequence[str]) -> Page:
    """The index of the store of that name.

    Args:
        others: sentences on what is in the store beside its studies.
    """
    page = Page(f"Studies in {name}")
    count = f"{len(cards)} stud{'y' if len(cards) == 1 else 'ies'}"
    page.text(f"{count}, the one asked for last first." if cards else "No study has been asked of this store.")
    page.parts.append('<div class="cards">\n' + "".join(map(_card, cards)) + "</div>\n")
    for sentence in others:
        page.text(sentence)
    return page


def _card(card: Card) -> str:
    # The picture's words are the title's: it is no second link.
    picture = inline(thumbnail(card.picture), "") if card.picture else ""
    title = shown(card.title)
    if card.page:
        title = f'<a href="{html.escape(quote(card.page))}">{title}</a>'
    lines = "".join(f"<p>{shown(line)}</p>" for line in card.lines)
    return f'<section class="card">{picture}<h2>{title}</h2>{lines}</section>\n'


def thumbnail(path: Path) -> bytes:
    """A figure at the size of a card, as a JPEG file's bytes; of one that can not be read a white picture."""
    from PIL import Image

    content = io.BytesIO()
    try:
        with plain.opened(path) as file, Image.open(file) as image:
            small = image.convert("RGB")
            small.thumbnail(THUMBNAIL)
    except (OSError, ValueError, Image.DecompressionBombError):
        small = Image.new("RGB", (3, 2), "white")
    small.save(content, "JPEG", quality=80)
    return content.getvalue()

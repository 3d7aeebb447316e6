"""The map of a collection as one HTML file: every picture near those that it is like, without server and network.

A page is handed numbers and thumbnails and computes nothing itself. What a person wrote, names of files and labels, is
in it as data alone: the page's policy lets no script run but its own, whose hash it names, and lets nothing be loaded.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_art.report import palette
from keras_art.report.atlases import Atlases
from keras_art.report.placement import in_rows
from keras_art.writing import slug, write

if TYPE_CHECKING:
    import pandas as pd

SCRIPTS = Path(__file__).with_name("scripts")
PARTS = ("model.js", "view.js", "gestures.js", "panel.js")
# The house's colours that stand on a light ground.
PALETTE = tuple(colour for colour in palette.COLOURS if colour != palette.YELLOW)
RAMP = ("#00204d", "#31446b", "#666970", "#958f78", "#cbba69", "#ffea46")  # cividis: the same to all eyes
FEWEST_NUMBERS = 12  # different numbers from which on a column is a measure, below they are names


@dataclass(frozen=True)
class Space:
    """One way to see a collection.

    Attributes:
        name: of the backbone or run.
        cloud: where each picture stands, (n, 2) in [0, 1].
        near: the numbers of each picture's nearest, (n, k); -1 where there are fewer.
        distances: how far those are, (n, k).
    """

    name: str
    cloud: np.ndarray
    near: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True)
class Works:
    """What a map tells of its pictures.

    Attributes:
        ids: one for each.
        columns: what is known of them, text, in the order it is told; several may have one name.
        links: where their files are, as addresses relative to the page; none for a map without.
    """

    ids: Sequence[str]
    columns: pd.DataFrame
    links: Sequence[str] = ()


def map_page(title: str, works: Works, spaces: Sequence[Space], atlases: Atlases, colour: str = "") -> str:
    """The page.

    Args:
        spaces: at least one; of two the page shows both side by side.
        colour: the column that colours the pictures at first; "" for none.
    """
    names = list(map(str, works.columns.columns))
    data: dict[str, Any] = {
        "title": title,
        "file": f"{slug(title)}.csv",
        "ids": list(works.ids),
        "links": list(works.links) or None,
        "columns": [_column(name, works.columns.iloc[:, n]) for n, name in enumerate(names)],
        "colour": names.index(colour) if colour else -1,
        "spaces": [_space(space) for space in spaces],
        "near": spaces[0].near.shape[1],
        "palette": PALETTE,
        "ramp": RAMP,
        "atlas": {
            "side": atlases.side, "across": atlases.across, "type": atlases.type,
            "slots": _packed(atlases.slots, np.int32), "boxes": _packed(atlases.boxes, np.uint8),
        },
    }  # fmt: skip
    # Within a script element nothing but `<` can end it, or begin a comment.
    told = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    pages = "".join(
        f'<script class="atlas" type="text/plain">{base64.b64encode(page).decode()}</script>\n'
        for page in atlases.pages
    )
    parts = "".join((SCRIPTS / part).read_text(encoding="utf-8") for part in PARTS)
    script = f'(function () {{\n"use strict";\n{parts}}})();\n'
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    style = (SCRIPTS / "map.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n{BODY.replace('TITLE', html.escape(title))}"
        f'<script id="data" type="application/json">{told}</script>\n{pages}'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def save(page: str, path: Path) -> None:
    """Writes a page, by rename; a letter that UTF-8 has none for is a question mark."""
    write(path, page.encode("utf-8", "replace").decode())


def _column(name: str, texts: pd.Series) -> dict[str, Any]:
    """A column as its different texts, the most frequent first, what is not known last, and a number for each row."""
    counts = texts.value_counts(sort=True)
    values = sorted(counts.index, key=lambda text: (text == "", -counts[text], text))
    codes = texts.map({text: code for code, text in enumerate(values)})
    return {"name": name, "values": values, "numeric": _are_numbers(values), "codes": _packed(codes, np.uint32)}


def _are_numbers(values: Sequence[str]) -> bool:
    known = [text for text in values if text]
    try:
        return len(known) > FEWEST_NUMBERS and bool(np.isfinite(np.array(known, dtype=float)).all())
    except ValueError:
        return False


def _space(space: Space) -> dict[str, Any]:
    grid, cell = in_rows(space.cloud)
    return {
        "name": space.name,
        "cloud": _packed(space.cloud, np.float32),
        "grid": _packed(grid, np.float32),
        "cell": cell,
        "near": _packed(space.near, np.int32),
        "far": _packed(space.distances, np.float32),
    }


def _packed(numbers: Any, kind: Any) -> str:
    """Numbers as base64 of their bytes, little end first."""
    return base64.b64encode(np.asarray(numbers).astype(np.dtype(kind).newbyteorder("<")).tobytes()).decode()


BODY = """<header>
<h1>TITLE</h1>
<label>Search <input type="search" id="search" autocomplete="off" spellcheck="false"></label>
<span id="count" role="status"></span>
<label>Colour by <select id="colour"><option value="-1">nothing</option></select></label>
<label>Arrange as <select id="layout">
<option value="cloud">cloud</option><option value="grid">grid</option></select></label>
<label>Pictures <input type="range" id="size" min="20" max="120" value="44" aria-label="Size of the pictures"></label>
<fieldset><legend>Drag to </legend>
<label><input type="radio" name="tool" value="move" checked> move</label>
<label><input type="radio" name="tool" value="box"> box</label>
<label><input type="radio" name="tool" value="lasso"> lasso</label></fieldset>
<span class="row"><button type="button" id="in" aria-label="Zoom in">+</button>
<button type="button" id="out" aria-label="Zoom out">−</button>
<button type="button" id="whole">Whole</button>
<button type="button" id="frame">Zoom to shown</button></span>
<span class="row" id="spaces"><label>Seen by <select id="space1"></select></label>
<label>and by <select id="space2"></select></label>
<label><input type="checkbox" id="beside"> side by side</label></span>
</header>
<main aria-label="Map"><div class="maps">
<figure class="view"><canvas tabindex="0" role="application" aria-label="Map"></canvas><figcaption></figcaption>
<div class="tip" hidden></div></figure>
<figure class="view"><canvas tabindex="0" role="application" aria-label="Second map"></canvas><figcaption></figcaption>
<div class="tip" hidden></div></figure>
</div></main>
<aside aria-label="Colours, selection and details">
<section aria-label="Colours" id="legend"></section>
<section aria-label="Selection"><p class="row"><span id="selected" role="status"></span></p>
<p class="row"><button type="button" id="take">Select all shown</button>
<button type="button" id="clear">Clear</button>
<button type="button" id="export">Export</button></p></section>
<section aria-label="Details" id="details" tabindex="-1"></section>
<p class="unseen" id="said" role="status"></p>
</aside>
"""

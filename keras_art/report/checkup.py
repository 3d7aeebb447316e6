"""The doctor's page: what is wrong with pictures, shown by them, each a link to its file; versions side by side."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_art.report import sheets
from keras_art.report.pages import Page

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 12  # pictures of a kind, groups of look-alikes
LISTED = 50  # files that can not be used
LONGEST = 160  # pixels of a thumbnail's longer side
STYLE = """<style>
.thumbs, .pair { display: flex; flex-wrap: wrap; gap: .8em 1em; align-items: flex-end; margin: .7em 0 }
.pair { border-top: 1px solid #ccc; padding-top: .7em }
.thumbs figure, .pair figure { width: 160px; margin: 0 } .pair p { flex: 1 1 14em; align-self: center; margin: 0 }
.thumbs img, .pair img { max-width: 160px; max-height: 160px; border: 1px solid #bbb; display: block }
</style>
"""


class Checkup:
    """A page about a collection's pictures.

    Args:
        name: of the collection.
        folder: where the page will lie, which links are relative to.
        root: the collection's folder, by which its pictures are named.
        images: `id`, `path` and the facts of the usable ones.
        pixels: (stored rows, size, size, 3) uint8, for those whose file has gone.
        rows: of each of `images` its row there.
    """

    def __init__(
        self, name: str, folder: Path, root: Path, images: pd.DataFrame, pixels: np.ndarray,
        rows: Sequence[int] | np.ndarray,
    ) -> None:  # fmt: skip
        self.page, self.folder = Page(name), str(folder.resolve())
        self.images, self.pixels, self.rows = images, pixels, rows
        # Pictures of a table may lie elsewhere.
        self.folders = [str(root), *sorted({os.path.dirname(path) for path in images["path"]}, key=len, reverse=True)]
        self.page.parts.append(STYLE)

    def link(self, path: str) -> str:
        """The address of a file from the page, escaped."""
        return html.escape(sheets.link(sheets.relative(path, self.folder)))

    def named(self, line: str) -> str:
        """A line of a page that is sent to others: pictures are named from their collection's folder on."""
        for folder in self.folders:
            line = line.replace(f"{folder}{os.sep}", "")
        return line

    def figure(self, place: int, below: str = "") -> str:
        """A picture, by its place among the usable ones, as a link to its file, with its id below."""
        row = self.images.iloc[place]
        data = base64.b64encode(self._thumbnail(place)).decode()
        id_ = html.escape(row["id"])
        caption = id_ + (f"<br>{html.escape(below)}" if below else "")
        image = f'<img src="data:image/jpeg;base64,{data}" alt="{id_}">'
        return f'<figure><a href="{self.link(row["path"])}">{image}</a><figcaption>{caption}</figcaption></figure>'

    def _thumbnail(self, place: int) -> bytes:
        from PIL import Image

        from keras_art.pictures.images import Unreadable, load_photo

        try:
            picture = load_photo(self.images["path"].iloc[place], LONGEST)
        except Unreadable:  # since it was stored
            picture = np.asarray(self.pixels[self.rows[place]])
        content = io.BytesIO()
        Image.fromarray(picture).save(content, "JPEG", quality=85)
        return content.getvalue()

    def sections(self, findings: Mapping[str, Sequence[str]]) -> None:
        """Sentences under their titles; the first title is the sentence that says most."""
        for i, (title, lines) in enumerate(findings.items()):
            if i:
                self.page.heading(title)
            else:  # the page is called as it begins
                self.page.text(title.removeprefix(f"{self.page.title}: "))
            if lines:
                self.page.items([self.named(line) for line in lines])

    def unusable(self, quarantine: pd.DataFrame) -> None:
        """The files that can not be used, each a link, and why."""
        if quarantine.empty:
            return
        self.page.heading("Can not be used" + _first(len(quarantine), LISTED))
        lines = []
        for row in quarantine.head(LISTED).itertuples():
            there = Path(row.path).is_absolute()
            name = html.escape(self.named(row.path) or row.id)
            shown = f'<a href="{self.link(row.path)}">{name}</a>' if there else name
            lines.append(f"<li>{shown}: {html.escape(row.reason)}</li>")
        self.page.parts.append(f"<ul>{''.join(lines)}</ul>\n")

    def pictures(self, title: str, words: str, places: Sequence[int], below: Sequence[str]) -> None:
        """Pictures of one kind."""
        self.page.heading(f"{title}: {len(places):,}" + _first(len(places), SHOWN))
        self.page.text(words)
        shown = [self.figure(place, text) for place, text in zip(places[:SHOWN], below, strict=False)]
        self.page.parts.append(f'<div class="thumbs">{"".join(shown)}</div>\n')

    def pairs(self, groups: Sequence[tuple[int, Sequence[tuple[int, str]]]]) -> None:
        """Look-alikes beside the largest of their group, and what differs.

        Args:
            groups: the place of the largest, and of each other its place and the words.
        """
        if not groups:
            return
        self.page.heading("Look-alikes, and what differs" + _first(len(groups), SHOWN, " groups"))
        for first, others in groups[:SHOWN]:
            one = self.figure(first)
            for other, words in others[:SHOWN]:
                said = f"<p>{html.escape(words)}</p>"
                self.page.parts.append(f'<div class="pair">{one}{self.figure(other)}{said}</div>\n')

    def save(self, path: Path) -> None:
        """Writes the page."""
        self.page.save(path)


def _first(count: int, most: int, of: str = "") -> str:
    return f", the first {most}{of}" if count > most else ""

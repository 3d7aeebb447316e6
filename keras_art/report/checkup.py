"""The doctor's page: what is wrong with pictures, shown by them, each a link to its file; versions side by side."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_art.report import sheets
from keras_art.report.pages import Page

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 12  # pictures of a kind, groups of look-alikes
LISTED = 50  # files that can not be used
LONGEST = 160  # pixels of a thumbnail's longer side
BRIGHTER, SOFTER = 0.05, 0.7  # of white; of how sharp the other is
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


def differing(one: Mapping[str, Any], other: Mapping[str, Any], how: str, targets: Sequence[str]) -> str:
    """What the second of two look-alikes has otherwise than the first, in words.

    Args:
        one, other: the facts of both, `bright` and `sharp` as of `quality.faults`, and their labels.
        how: what was done to the one to make the other, or to the other: a word of `versions.HOW`, or "".
        targets: the label columns.
    """
    said = [how] if how else []
    if one["sha256"] == other["sha256"]:
        said.append("the same file, byte for byte")
    if (one["width"], one["height"]) != (other["width"], other["height"]):
        said.append(f"{other['width']} x {other['height']} pixels, the first {one['width']} x {one['height']}")
    if one["format"] != other["format"]:
        said.append(f"{other['format']}, the first {one['format']}")
    grey = [facts["mode"] in ("1", "L", "LA", "I;16") for facts in (one, other)]
    if grey[0] != grey[1]:
        said.append("without colour" if grey[1] else "in colour")
    if abs(lighter := other["bright"] - one["bright"]) > BRIGHTER:
        said.append(f"{'brighter' if lighter > 0 else 'darker'} by {abs(lighter):.0%} of white")
    if other["sharp"] < SOFTER * one["sharp"]:
        said.append("less sharp")
    said += [
        f"{target} {str(other[target]) or 'nothing'!r}, the first {str(one[target]) or 'nothing'!r}"
        for target in targets
        if other[target] != one[target]
    ]
    return "; ".join(said) or f"{other['bytes']:,} bytes, the first {one['bytes']:,}"


def look_alikes(
    images: pd.DataFrame, columns: pd.DataFrame, how: dict[tuple[int, int], str], targets: Sequence[str]
) -> list[tuple[int, list[tuple[int, str]]]]:
    """Of each group the place of its largest image, and of each other its place and what it has otherwise, in words."""
    twins = images[images.duplicated("alike", keep=False)]
    # A column that says something else of nearly every image, as a title does, is no label.
    labels_of = [name for name in targets if name not in images and 2 * columns[name].nunique() <= len(columns)]
    found = []
    for _, group in twins.assign(pixels=-twins["width"] * twins["height"]).groupby("alike"):
        first, *others = group.sort_values(["pixels", "id"]).index
        words = []
        for other in others:
            facts, labels = zip(
                *((images.loc[i].to_dict(), columns.loc[i].to_dict()) for i in (first, other)), strict=True
            )
            done = how.get((first, other), "") or (
                f"the first is this one {how[other, first]}" if (other, first) in how else ""
            )
            one, two = ({**labels[i], **facts[i]} for i in (0, 1))
            words.append((other, differing(one, two, done, labels_of)))
        found.append((first, words))
    return found


def listed(images: pd.DataFrame, groups: Sequence[tuple[int, Sequence[tuple[int, str]]]]) -> pd.DataFrame:
    """The look-alikes as a table, the largest of each group before the others."""
    rows = [(i, words) for first, others in groups for i, words in [(first, ""), *others]]
    return images.loc[[i for i, _ in rows]].assign(differs=[words for _, words in rows])

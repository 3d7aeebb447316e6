"""The plates of a study: what its reproduction draws, in the order of its page, each with words that explain it.

Pictures and tables are files of the study's own folder; `plates.json` has their order and their captions.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from keras_art.report.pages import Page, jpeg
from keras_art.store.reading import read_bytes, read_json, read_table
from keras_art.store.sums import Damaged
from keras_art.writing import csv_text, meant, write, write_bytes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LIST = "plates.json"
REMEDY = "move it away, and python -m keras_art page draws it anew"


class Plates:
    """Figures, pictures, tables and sentences of one study.

    Args:
        folder: where they go, a folder of this study alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts: list[dict[str, Any]] = []

    def heading(self, text: str) -> None:
        """What follows is about something else."""
        self.parts.append({"heading": text})

    def fold(self, text: str) -> None:
        """What follows, up to the next heading or fold, is shown to who asks for it."""
        self.parts.append({"fold": text})

    def text(self, text: str) -> None:
        """A paragraph."""
        self.parts.append({"text": text})

    def figure(self, name: str, figure: Figure, caption: str, alt: str = "") -> None:
        """A drawing, written as `NAME.png`.

        Args:
            caption: for a reader who knows the pictures and no machine learning.
            alt: what a screen reader says; "": the caption.
        """
        from keras_art.report import figures

        figures.save(figure, self.folder / f"{name}.png")
        self.parts.append({"figure": f"{name}.png", "caption": caption, "alt": alt or caption})

    def file(self, name: str, path: Path, caption: str) -> None:
        """A drawing that a run has left, a PNG, copied as `NAME.png`."""
        write_bytes(self.folder / f"{name}.png", read_bytes(path))
        self.parts.append({"figure": f"{name}.png", "caption": caption, "alt": caption})

    def pictures(
        self,
        name: str,
        pictures: Iterable[np.ndarray],
        captions: Sequence[str],
        caption: str = "",
        small: bool = False,
    ) -> None:
        """Pictures (height, width, 3) uint8 side by side, each with its own words, written as `NAME-001.jpg` and on.

        Args:
            captions: one for each, with its id; lines are kept.
            caption: of all of them.
            small: many to a row.
        """
        files = []
        for number, (picture, words) in enumerate(zip(pictures, captions, strict=True), 1):
            files.append([f"{name}-{number:03d}.jpg", words])
            write_bytes(self.folder / files[-1][0], jpeg(picture))
        self.parts.append({"pictures": files, "caption": caption, "small": small})

    def table(self, name: str, frame: pd.DataFrame, caption: str = "", digits: int = 2) -> None:
        """A table, written as `NAME.csv`."""
        write(self.folder / f"{name}.csv", csv_text(frame))
        self.parts.append({"table": f"{name}.csv", "caption": caption, "digits": digits})

    def link(self, path: Path, words: str) -> None:
        """A line that leads to another file of the store."""
        self.parts.append({"link": os.path.relpath(path, self.folder.parent), "text": words})

    def save(self) -> None:
        """Writes the list of them."""
        write(self.folder / LIST, json.dumps(self.parts, indent=1, ensure_ascii=False))

    @classmethod
    def read(cls, folder: Path) -> Plates:
        """Those of a folder; none where none were drawn.

        Raises:
            Damaged: the list can not be read.
        """
        found = cls(folder)
        if (folder / LIST).exists():
            found.parts = read_json(folder / LIST, REMEDY)
        return found

    @classmethod
    def are_whole(cls, folder: Path) -> bool:
        """Whether the list of a folder can be read, and every file that it names is there."""
        try:
            parts = cls.read(folder).parts
            names = [name for part in parts for name in (part.get("figure"), part.get("table")) if name]
            names += [name for part in parts for name, _ in part.get("pictures", ())]
        except (Damaged, AttributeError, TypeError, ValueError):
            return False
        return all((folder / Path(name).name).is_file() for name in [LIST, *names])

    def place(self, page: Page) -> None:
        """Puts them on a page, the files' contents into it.

        Raises:
            Damaged: a file can not be read.
        """
        for part in self.parts:
            caption = part.get("caption", "")
            if "heading" in part:
                page.heading(part["heading"])
            elif "fold" in part:
                page.fold(part["fold"])
            elif "figure" in part:
                page.image(self._content(part["figure"]), caption, part["alt"])
            elif "pictures" in part:
                if caption:
                    page.text(caption)
                contents, captions = [self._content(name) for name, _ in part["pictures"]], part["pictures"]
                page.pictures(contents, [words for _, words in captions], small=bool(part.get("small")))
            elif "table" in part:
                if caption:
                    page.text(caption)
                frame = read_table(
                    self.folder / Path(part["table"]).name, REMEDY, keep_default_na=False, na_values=[""]
                )
                words = frame.select_dtypes(exclude="number").columns
                page.table(frame.assign(**{name: frame[name].map(_meant) for name in words}), part["digits"], caption)
            elif "link" in part:
                page.link(quote(part["link"]), part["text"])
            else:
                page.text(part["text"])

    def _content(self, name: str) -> bytes:
        return read_bytes(self.folder / Path(name).name, REMEDY)

    def first_figure(self) -> Path | None:
        """The drawing or picture that stands for the study in a list."""
        for part in self.parts:
            if name := part.get("figure") or (part.get("pictures") or [[None]])[0][0]:
                return self.folder / Path(name).name
        return None


def _meant(cell: Any) -> Any:
    return meant(cell) if isinstance(cell, str) else ("" if cell != cell else cell)  # blank is no number here

"""HTML pages: words, tables, figures and pictures in a file that opens from a disk and can be sent to someone."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_art.report.rendering import render
from keras_art.terminal import UNSEEN
from keras_art.writing import write_bytes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Blue is `palette.BLUE`; every text stands out from its ground by 4.5 to 1 at least.
STYLE = """
:root { color-scheme: light }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; color: #222; background: #fff }
main { max-width: 70rem; margin: 0 auto; padding: 1rem 1.25rem 4rem; overflow-wrap: anywhere }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 1rem 0 .5rem }
h2 { font-size: 1.3rem; margin: 2.2rem 0 .5rem; padding-top: .6rem; border-top: 2px solid #0072b2 }
h3 { font-size: 1.05rem; margin: 1.3rem 0 .3rem }
p, ul, ol { max-width: 50rem; margin: .5rem 0 } li { margin: .2rem 0 }
a { color: #005a8e }
:focus-visible { outline: 3px solid #e69f00; outline-offset: 2px }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; max-width: none }
.lead { font-size: 1.1rem } .state { color: #444 }
details { margin: .8rem 0 } summary { cursor: pointer; font-weight: 600 }
/* A shadow at the edge beyond which a table goes on; it is covered where the table ends. */
.wide { overflow-x: auto; max-width: 100%; background-repeat: no-repeat;
  background-size: 3rem 100%, 3rem 100%, .8rem 100%, .8rem 100%; background-position: left, right, left, right;
  background-attachment: local, local, scroll, scroll; background-image:
  linear-gradient(90deg, #fff 30%, #fff0), linear-gradient(270deg, #fff 30%, #fff0),
  linear-gradient(90deg, #0004, #0000), linear-gradient(270deg, #0004, #0000) }
table { border-collapse: collapse; margin: .6rem 0; font-size: .875rem; overflow-wrap: normal }
th, td { padding: .2rem .7rem .2rem 0; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
thead th { border-bottom: 2px solid #666 } tbody tr:hover { background: #f3f7fa }
pre { background: #f3f5f7; padding: .6rem .8rem; white-space: pre-wrap; font-size: .85rem; margin: .6rem 0 }
figure { display: inline-block; margin: .6rem 1rem .6rem 0; vertical-align: top; max-width: 100% }
figure img { max-width: 100%; height: auto; display: block }
figcaption { font-size: .875rem; color: #444; max-width: 46rem; margin-top: .25rem }
.drawn { overflow-x: auto; max-width: 100% }
@media screen and (max-width: 40rem) {
  .drawn:focus img { max-width: none; min-width: 38rem }
  .drawn::after { content: "Touch the figure to read it."; font-size: .8rem; color: #444 }
  .drawn:focus::after { content: "" }
}
.pictures { display: flex; flex-wrap: wrap; gap: .8rem; align-items: flex-end; margin: .6rem 0 }
.pictures figure { margin: 0; width: 13.5rem; max-width: calc(50% - .4rem) }
.pictures img { max-height: 17rem; max-width: 100%; width: auto }
.pictures.small figure { width: 7.5rem; max-width: calc(33% - .4rem) } .pictures.small img { max-height: 9rem }
.pictures figcaption { font-size: .8rem; line-height: 1.35 }
.patch { display: inline-block; width: 1em; height: 1em; margin-right: .5em; border: 1px solid #888 }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(18rem, 100%), 1fr)); gap: 1.2rem }
.card { border: 1px solid #ccc; border-radius: 4px; padding: .8rem } .card h2 { border: 0; margin: 0; padding: 0 }
.card h2, .card h3 { font-size: 1.05rem; margin: .2rem 0 } .card p { margin: .2rem 0; font-size: .9rem }
.card img { width: 100%; height: 11rem; object-fit: contain; background: #f3f5f7 }
@page { margin: 1.5cm }
@media print {
  body { font-size: 10pt } main { max-width: none; padding: 0 } nav { display: none }
  h2, h3 { break-after: avoid } figure, tr, pre { break-inside: avoid }
  details::details-content { content-visibility: visible; display: block }
  .wide, .drawn { overflow: visible } .drawn img { min-width: 0; max-width: 100% }
  table { font-size: 7.5pt; width: 100%; overflow-wrap: anywhere }
  th, td { padding-right: .3rem }
}
"""


class Page:
    """A page that grows from top to bottom, then is written as one file with its pictures inside."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.parts: list[str] = []
        self.sections: list[str] = []
        self.folded = False

    def fold(self, words: str) -> None:
        """What follows, up to `unfold` or the next section, is long: shown to who asks for it, and in print."""
        self.unfold()
        self.parts.append(f"<details><summary>{shown(words)}</summary>\n")
        self.folded = True

    def unfold(self) -> None:
        """Ends what `fold` began, if anything."""
        if self.folded:
            self.parts.append("</details>\n")
        self.folded = False

    def heading(self, text: str, colour: str = "") -> None:
        """A section begins; a colour of CSS stands before its words."""
        self.unfold()
        patch = f'<span class="patch" style="background: {colour}"></span>' if colour else ""
        self.sections.append(text)
        self.parts.append(f'<h2 id="part-{len(self.sections)}">{patch}{shown(text)}</h2>\n')

    def subheading(self, text: str) -> None:
        """A part of a section begins."""
        self.parts.append(f"<h3>{shown(text)}</h3>\n")

    def text(self, text: str, style: str = "") -> None:
        """A paragraph; `style` is a class of the stylesheet."""
        self.parts.append(f"<p{f' class={style}' if style else ''}>{shown(text)}</p>\n")

    def items(self, lines: Sequence[str], *, numbered: bool = False) -> None:
        """Sentences of equal rank."""
        tag = "ol" if numbered else "ul"
        self.parts.append(f"<{tag}>" + "".join(f"<li>{shown(line)}</li>" for line in lines) + f"</{tag}>\n")

    def code(self, text: str) -> None:
        """Lines to be copied as they are."""
        self.parts.append(f"<pre>{shown(text)}</pre>\n")

    def link(self, address: str, words: str) -> None:
        """A line that leads to another file; `address` is relative to the page, its letters escaped as URLs have it."""
        self.parts.append(f'<p><a href="{html.escape(address)}">{shown(words)}</a></p>\n')

    def table(self, frame: pd.DataFrame, digits: int = 2, title: str = "") -> None:
        """A table, numbers with some decimals."""
        self.rendered(render(frame, "html", digits), title or self._section)

    def rendered(self, tables: str, title: str) -> None:
        """HTML of `rendering` and `layout`; where it is wider than the window it is moved by hand or by keys."""
        name = html.escape(title.translate(UNSEEN))
        opening = f'<div class="wide" tabindex="0" role="group" aria-label="{name}">\n<table>'
        wide = tables.replace("<table>", opening).replace("</table>", "</table>\n</div>")
        self.parts.append(wide.replace("<th>", '<th scope="col">').replace("<th style", '<th scope="col" style'))

    def figure(self, figure: Figure, caption: str = "") -> None:
        """A picture; without a caption its title is what a screen reader says."""
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=110, metadata={"Software": None})
        said = caption or figure.get_suptitle() or figure.axes[0].get_title()
        self.image(drawn.getvalue(), caption, said)

    def image(self, content: bytes, caption: str, alt: str) -> None:
        """A drawing, a PNG or JPEG file's bytes, over a caption; `alt` is what a screen reader says.

        On a narrow screen it is shown whole; touched, it is as large as its letters need, and moved by hand or by keys.
        """
        opening = f'<div class="drawn" tabindex="0" role="group" aria-label="{shown(self._section)}">'
        self.parts.append(f"<figure>{opening}{inline(content, alt)}</div>{_below(caption)}</figure>\n")

    def pictures(self, pictures: Sequence[np.ndarray | bytes], captions: Sequence[str], *, small: bool = False) -> None:
        """Pictures, (height, width, 3) uint8 or a file's bytes, side by side, each over its caption."""
        contents = [picture if isinstance(picture, bytes) else jpeg(picture) for picture in pictures]
        parts = [
            f"<figure>{inline(content, caption)}{_below(caption)}</figure>"
            for content, caption in zip(contents, captions, strict=True)
        ]
        self.parts.append(f'<div class="pictures{" small" * small}">{"".join(parts)}</div>\n')

    def contents(self) -> str:
        """Links to the sections, where there are several."""
        if len(self.sections) < 3:
            return ""
        links = "".join(
            f'<li><a href="#part-{number}">{shown(text)}</a></li>' for number, text in enumerate(self.sections, 1)
        )
        return f'<nav aria-label="sections"><ul>{links}</ul></nav>\n'

    def save(self, path: Path) -> None:
        """Writes the page, by rename; one that is there already, letter for letter, stays as it is."""
        self.unfold()
        title = shown(self.title)
        head = (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style></head>\n'
        )
        body = f"<h1>{title}</h1>\n{self.contents()}{''.join(self.parts)}"
        text = f"{head}<body><main>\n{body}</main></body></html>\n"
        content = text.encode(errors="replace")  # a file's name may hold what is no text
        if not (path.is_file() and path.read_bytes() == content):
            write_bytes(path, content)

    @property
    def _section(self) -> str:
        return self.sections[-1] if self.sections else self.title


# Where a file's name may be broken before it is broken within a word, as in `lettering`.
BREAKS = re.compile(r"(?<=[_/-])(?=\w)")


def shown(text: str) -> str:
    """A text as HTML shows it, whatever it holds."""
    return html.escape(text.translate(UNSEEN))


def inline(content: bytes, alt: str) -> str:
    """An image that stands in the page itself."""
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    said = html.escape(" ".join(alt.translate(UNSEEN).split()))
    return f'<img src="data:image/{kind};base64,{base64.b64encode(content).decode()}" alt="{said}">'


def jpeg(picture: np.ndarray, quality: int = 85) -> bytes:
    """(height, width, 3) uint8 as a JPEG file's bytes."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(content, "JPEG", quality=quality)
    return content.getvalue()


def _below(caption: str) -> str:
    lines: Iterable[str] = filter(None, caption.split("\n"))
    return f"<figcaption>{'<br>'.join(BREAKS.sub('<wbr>', shown(line)) for line in lines)}</figcaption>" * bool(caption)

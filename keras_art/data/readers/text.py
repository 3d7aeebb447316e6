"""Text that was written as one encoding and read as another, told and mended."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from keras_art.store import plain

# UTF-8 read as Latin-1 and then lower-cased: the lead bytes C3 to C5 (and C2) became E3 to E5 (and E2).
LOWERED = re.compile("([\xe2-\xe5])([\x80-\xbf])")
ESCAPED = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")
UNZIPPED = re.compile(r"#[uU][0-9a-fA-F]{4}")  # how unzip writes what its locale can not


def read_text(path: Path) -> str:
    """A text file as UTF-8, with or without byte-order mark; what is not UTF-8 is read as Latin-1."""
    content = plain.read(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def decoded(path: Path) -> str:
    """A file's text: UTF-8, or UTF-16 where it says so, as Excel's "Unicode text" does, or every other byte is 0.

    Raises:
        UnicodeDecodeError: it is none of these.
    """
    content = plain.read(path)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-32" if content[2:4] == b"\0\0" else "utf-16")
    pairs = {content[1:4:2]: "utf-16-le", content[0:4:2]: "utf-16-be"}
    return content.decode(pairs.get(b"\0\0", "utf-8-sig"))


def unescape(text: str) -> str:
    r"""Turns bytes that were written out, such as `Bo\xc3\xabtius`, into what they mean: `Boëtius`."""

    def mean(found: re.Match[str]) -> str:
        raw = bytes.fromhex(found[0].replace("\\x", ""))
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    return ESCAPED.sub(mean, text) if "\\x" in text else text


def mend(text: str) -> str:
    """Undoes ArtGAN's mojibake, UTF-8 read as Latin-1 and lower-cased: `grã©goire` becomes `grégoire`."""

    def mean(found: re.Match[str]) -> str:
        try:
            return bytes([ord(found[1]) - 0x20, ord(found[2])]).decode("utf-8")
        except UnicodeDecodeError:
            return found[0]

    return text if text.isascii() else LOWERED.sub(mean, text)


def skeletons(name: str) -> tuple[str, str]:
    """Two keys, of which all spellings of a file's name share one: its ASCII characters in lower case.

    The first leaves accented letters out, the second their accents only: `joaquín`, its decomposed form, `joaquãn`,
    `joaqu├¡n` and `joaqu#U00edn` share `joaqun`; `Dürer` and `DuΓòá├¬rer` share `durer`.
    """
    if name.isascii() and "#" not in name:
        return name.lower(), name.lower()
    clean = UNZIPPED.sub("", name)
    composed, apart = unicodedata.normalize("NFC", clean), unicodedata.normalize("NFD", clean)
    return _ascii(composed), _ascii(apart)


def _ascii(name: str) -> str:
    return "".join(letter for letter in name if letter.isascii()).lower()

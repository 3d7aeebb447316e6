"""Files that nobody ever reads half of: written beside their place, then renamed into it."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Writes a text file, UTF-8, line ends as they are on this system."""
    part = _part(path)
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes any other file."""
    part = _part(path)
    part.write_bytes(content)
    os.replace(part, path)


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.part")  # two processes may write the same file

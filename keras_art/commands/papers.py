"""Which papers are reproduced here: found by walking the package, so that the toolkit names none."""

from __future__ import annotations

import importlib
import pkgutil

from keras_art.commands.machine import Reproduction
from keras_art.errors import UserError


def reproductions() -> list[Reproduction]:
    """Every reproduction that is installed, by name, found by walking the package."""
    package = importlib.import_module("reproductions")
    found = []
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("_"):
            page = importlib.import_module(f"reproductions.{module.name}")
            if hasattr(page, "REPRODUCTION"):
                found.append(page.REPRODUCTION)
    if not found:
        raise UserError("no reproductions are installed beside keras_art")
    return sorted(found, key=lambda reproduction: reproduction.name)

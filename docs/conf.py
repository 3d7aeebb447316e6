"""The site: `sphinx-build -W docs build/site`, of the pages in this folder and what is generated of the code."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import reference  # noqa: E402

from keras_art.version import __version__  # noqa: E402

project, release, version = "keras_art", __version__, __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["fidelity"]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
default_role = "code"  # as docstrings mean it
highlight_language = "text"  # of commands and of what they print; Python says so
smartquotes = False  # --flag is two hyphens
html_theme = "furo"
html_title = f"keras_art {__version__}"
html_show_copyright = False
html_show_sphinx = False
autodoc_typehints = "signature"
napoleon_use_ivar = True


def setup(app: object) -> None:
    """Writes the pages of flags and of the library, which git does not know, before any page is read."""
    reference.write_pages(ROOT / "docs" / "reference")

"""What holds for the house as a whole."""

from __future__ import annotations

import ast
import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keras_art.data import cards
from keras_art.data.sources import READERS

ROOT = Path(__file__).parents[1]
ROOMS = sorted((ROOT / "keras_art").rglob("*.py"))
COMMANDS = [  # a `__main__.py` that runs when it is imported stands behind its package
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("" if guarded else ".__main__")
    for path in sorted([*ROOMS, *(ROOT / "reproductions").rglob("*.py")])
    if (guarded := 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")) or path.name == "__main__.py"
]
PUBLISHED = sorted((ROOT / "reproductions" / "published").glob("*.csv"))


def imports(path: Path) -> set[str]:
    """The first words of every absolute import, wherever it stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_datasets_is_no_package_that_would_shadow_another():
    assert (ROOT / "datasets").is_dir()
    assert not list((ROOT / "datasets").rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: path.stem)
def test_no_room_imports_a_reproduction(room):
    assert "reproductions" not in imports(room)


@pytest.mark.parametrize("module", COMMANDS)
def test_importing_a_command_line_loads_nothing_heavy(module):
    code = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "keras_art" in loaded
    assert not loaded & {"keras", "tensorflow", "jax", "torch", "sklearn", "matplotlib", "keras_hub"}


@pytest.mark.parametrize("folder", sorted(path for path in (ROOT / "datasets").iterdir() if path.is_dir()), ids=str)
def test_every_card_says_what_a_person_must_know(folder, monkeypatch):
    monkeypatch.setenv("KERAS_ART_DATASETS", str(ROOT / "datasets"))
    card = cards.load_card(folder.name)
    for field in ("title", "source", "licence", "obtain", "layout", "citation", "multiple"):
        assert getattr(card, field).strip(), field
    assert card.reader in READERS
    versions = [card.at(version) for version in card.versions] or [card]
    for version in versions:
        assert set(version.expected) <= {*version.targets, "artist"}
        for counts in version.expected.values():
            assert set(counts) <= {"images", "classes", "train", "val", "test"}
            parts = [counts[name] for name in ("train", "val", "test") if name in counts]
            assert not parts or sum(parts) == counts["images"]
        for file in version.files:
            assert re.fullmatch("[0-9a-f]{64}", file["sha256"])
            assert all(url.startswith("https://") for url in file["urls"])


def test_every_card_is_installed_with_the_wheel():
    config = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    for card in (ROOT / "datasets").glob("*/card.toml"):
        assert f"share/keras_art/datasets/{card.parent.name} = {card.relative_to(ROOT).as_posix()}" in config


def test_there_are_published_series():
    assert PUBLISHED


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_every_published_series_is_a_table_of_numbers(path):
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, restkey="too many", restval="too few"))
    assert rows
    for row in rows:
        assert "too many" not in row
        for name, cell in row.items():
            assert name.strip()
            assert cell == "" or isinstance(float(cell), float)

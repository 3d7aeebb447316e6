"""What holds for the house as a whole."""

from __future__ import annotations

import ast
import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

import keras_art
from keras_art.data import cards
from keras_art.data.sources import READERS

ROOT = Path(__file__).parents[1]
ROOMS = sorted((ROOT / "keras_art").rglob("*.py"))
COMMANDS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted([*ROOMS, *(ROOT / "reproductions").rglob("*.py")])
    if path.name == "__main__.py" or 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
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


# From top to bottom: a room imports from its own wing and from those above it.
WINGS = (
    "errors", "version", "backend", "stopping", "terminal", "writing", "outputs", "store", "atelier", "pictures",
    "data", "networks", "study", "report", "learning", "methods", "fetching", "commands", "__main__",
)  # fmt: skip
LONGEST = 300  # lines of a room
MOST_HANDS = 8  # parameters of a function


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def internal_imports(path: Path) -> set[str]:
    """The modules of the house that a file imports, wherever it says so, for types alone too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from keras_art.data import splits` is of the room splits, `from ...splits import choose` too.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            while name.startswith("keras_art") and name not in MODULES:
                name = name.rpartition(".")[0]
            if name.startswith("keras_art"):
                found.add(name)
    return found


MODULES = {module_of(path) for path in ROOMS}


@pytest.mark.parametrize("room", [path for path in ROOMS if path.parent.name != "keras_art" or path.stem != "__init__"])
def test_a_room_imports_from_its_own_wing_and_from_those_above_it(room):
    wing = module_of(room).split(".")[1]
    for name in internal_imports(room):
        assert name != "keras_art", f"{room} imports the front door"
        other = name.split(".")[1]
        assert WINGS.index(other) <= WINGS.index(wing), f"{wing} imports {name}, which stands below it"


def test_no_rooms_import_one_another_in_a_circle():
    edges = {module_of(path): internal_imports(path) - {module_of(path)} for path in ROOMS}
    edges.pop("keras_art")
    while free := {name for name, others in edges.items() if not others & set(edges)}:
        edges = {name: others for name, others in edges.items() if name not in free}
    assert not edges, "these rooms go round in circles"


@pytest.mark.parametrize("path", [*ROOMS, *sorted((ROOT / "reproductions").rglob("*.py"))], ids=lambda p: p.stem)
def test_no_room_is_too_long_and_no_function_has_too_many_hands(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name != "__init__":
            hands = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = len([hand for hand in hands if hand.arg not in ("self", "cls")])
            assert count <= MOST_HANDS, f"{node.name} has {count} parameters"


def test_a_module_and_a_function_of_the_front_door_share_no_name():
    rooms = {name.rpartition(".")[2] for name in MODULES}
    shared = {name for name in keras_art.__all__ if name in rooms and name != "adain"}
    assert not shared


def test_the_architecture_page_names_every_room_and_no_other():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page[page.index("| wing |") : page.index("The order is")]
    told = {
        (wing, room)
        for wing, rooms in re.findall(r"^\| `(\w+)/` \|.*?\|(.*)\|$", table, re.M)
        for room in re.findall(r"`(\w+)[/`]", rooms)
    }
    there = {tuple(module_of(path).split(".")[1:3]) for path in ROOMS if len(module_of(path).split(".")) > 2}
    there = {room for room in there if room[0] not in ("atelier", "commands")}
    words = {"load_collection"}
    own = {("commands", room) for room in ("flags", "machine", "preparation")}
    assert {room for room in told if room[1] not in words} - own == there
    for path in re.findall(r"`((?:data|pictures|study|report|learning|networks|store|commands|methods)/\w+)`", page):
        assert (ROOT / "keras_art" / f"{path}.py").exists() or (ROOT / "keras_art" / path).is_dir(), path


# --- the pages


LINK = re.compile(r'\[[^][]*\]\(([^)\s]+)[^)]*\)|<(?:img|a) [^>]*?(?:src|href)="([^"]+)|^\[[^]]+\]:\s+(\S+)', re.M)
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "datasets").rglob("*.md")])
PAGES = [page for page in PAGES if page.parent.name != "reference"]  # which is generated


def dead_links(page: Path, root: Path = ROOT) -> list[str]:
    """The relative links of a Markdown page that lead to no file of the repository, or to no heading of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    generated = root / "docs" / "reference"  # by a build of the site: neither a checkout nor an archive has it
    dead = []
    for link in map("".join, LINK.findall(text)):
        path, _, heading = link.partition("#")
        leads = (page.parent / path).resolve() if path else page
        there = leads.exists() and root in leads.parents and generated not in (leads, *leads.parents)
        if not re.match(r"\w+:", link) and (not there or (heading and heading not in anchors(leads))):
            dead.append(link)
    return dead


def anchors(page: Path) -> set[str]:
    """What addresses call the headings of a Markdown page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_of_a_page_leads_to_what_the_repository_has(page):
    assert not dead_links(page)


def test_dead_links_are_found_however_they_are_written(tmp_path):
    (tmp_path / "docs" / "reference").mkdir(parents=True)
    (tmp_path / "docs" / "reference" / "flags.md").write_text("# Flags")
    (tmp_path / "docs" / "page.md").write_text(
        "# A page `of` two\n[a](#a-page-of-two) [b](../docs/page.md#a-page-of-two) [c](https://example.org) [d](x.md)\n"
        '[e](reference/flags.md) [f](#two) ![g](y.png "of y") <img width="9" src="z.png"> [h](../../h.md)\n[i]: i.md\n'
    )
    dead = ["x.md", "reference/flags.md", "#two", "y.png", "z.png", "../../h.md", "i.md"]
    assert dead_links(tmp_path / "docs" / "page.md", tmp_path) == dead


# --- the front door


def test_importing_the_package_starts_nothing():
    code = "import sys, keras_art; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"keras", "tensorflow", "jax", "torch", "pandas", "numpy", "sklearn", "matplotlib"}


def test_every_public_name_is_there_documented_and_listed():
    for name in keras_art.__all__:
        value = getattr(keras_art, name)
        if name != "__version__":
            assert value.__doc__ and value.__module__.startswith("keras_art."), name
    assert set(keras_art._ROOMS) | {"__version__"} == set(keras_art.__all__)
    assert dir(keras_art) == sorted(keras_art.__all__)
    with pytest.raises(AttributeError, match="no attribute 'DCE'"):
        keras_art.DCE  # noqa: B018


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


def test_a_wheel_holds_the_cards_and_all_that_is_printed_from(tmp_path):
    pytest.importorskip("setuptools")
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path / "built")]
    subprocess.run([*command, "egg_info", "--egg-base", str(tmp_path)], cwd=ROOT, capture_output=True, check=True)
    built = {path.relative_to(tmp_path / "built").as_posix() for path in (tmp_path / "built").rglob("*.*")}
    wanted = {f"keras_art/{card.relative_to(ROOT).as_posix()}" for card in (ROOT / "datasets").glob("*/card.toml")}
    for place in ("published", "errata"):
        wanted |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "reproductions" / place).glob("*.csv")}
    ours = [path for path in (ROOT / "keras_art").rglob("*.*") if path.is_file() and path.suffix != ".pyc"]
    assert wanted | {path.relative_to(ROOT).as_posix() for path in ours} <= built


def test_an_archive_of_the_sources_holds_the_folders_that_the_readme_names():
    named = set(re.findall(r"`(\w+)/`", (ROOT / "README.md").read_text(encoding="utf-8")))
    grafted = set(re.findall(r"^graft (\w+)$", (ROOT / "MANIFEST.in").read_text(encoding="utf-8"), re.M))
    assert named and named <= grafted


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

"""Every command that the README and the pages of `docs/` print, scaled down, each in a process of its own, in order, on
a store that the ones before have left. With `-n 2 --dist loadscope` reproductions are tried side by side, each on a
store of its own. What two pages print is run once.

A command that a page gains and this table does not know fails; so does one that no page prints any more.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import COLOURS, paint

pytestmark = pytest.mark.readme
ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if page.parent.name != "reference"]  # which is generated, and prints none


def table() -> dict[str, str]:
    """Command -> what `commands.txt` says of it."""
    found: dict[str, str] = {}
    for line in (Path(__file__).parent / "commands.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            last = next(reversed(found))
            found[last] = f"{found[last]} {line.strip()}".strip()
        elif line and not line.startswith("#"):
            found[line] = ""
    return found


COMMANDS = table()


PROGRAMS = "python|pip|pytest|ruff|mypy|sphinx-build|twine|docker|git|uv|ray|sbatch"


def printed(page: str) -> list[str]:
    """The commands in a page's indented lines, without their comments, continued lines joined."""
    found, begun = [], ""
    for line in page.splitlines():
        if not line.startswith("    ") or not (begun or re.match(rf" {{4,}}(\w+=\S+ )*({PROGRAMS})\b", line)):
            begun = ""
            continue
        words = re.sub(r"\s+#\s.*$", "", line.strip())
        if words.endswith("\\"):
            begun += words.removesuffix("\\").strip() + " "
        else:
            found.append(begun + words)
            begun = ""
    return found


def test_the_table_knows_every_command_of_the_pages_and_no_other():
    assert {command for page in PAGES for command in printed(page.read_text(encoding="utf-8"))} == set(COMMANDS)


def test_commands_stand_in_indented_lines_where_this_test_finds_them():
    for page in PAGES:
        assert not re.search(r"^```(sh|bash|console|shell)", page.read_text(encoding="utf-8"), re.M), page


def test_what_is_not_run_says_why_or_has_a_twin():
    for command, extra in COMMANDS.items():
        if extra.startswith("-") and not extra.startswith("--"):
            assert len(extra.split()) > 3, f"say why it is not run: {command}"
        if extra == "~":
            tried = {other: words for other, words in COMMANDS.items() if not words.startswith(("~", "- ", "! "))}
            runs = [f"{other} {words}" for other, words in tried.items()]
            twins = [other for other in runs if program(other) == program(command)]
            lacking = {flag for flag in flags_of(command) if not any(flag in flags_of(other) for other in twins)}
            assert twins and not lacking, f"no command that is run has {lacking}: {command}"


def program(command: str) -> list[str]:
    """The words before a command's first flag, its stand-ins left out."""
    return [word for word in command.partition(" --")[0].split() if not word.isupper()]


def flags_of(command: str) -> set[str]:
    """The flags of a command."""
    return set(re.findall(r" (--\w+)", command))


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder of somebody's: a museum with five columns, and small collections in the places the pages name."""
    here = tmp_path_factory.mktemp("somebody")
    rows = []
    for n in range(60):
        artist = "abc"[n % 3]
        paint(here / "museum" / "images" / f"{n:03d}.png", artist, n)
        style, half = "uvw"[n // 3 % 3], n // 3 % 2  # a type is a material under another name: both are in every split
        rows.append([f"{n:03d}.png", artist, style, "xy"[half], "pq"[half]])
    _table(here / "museum" / "labels.csv", ["image", "artist", "style", "material", "type"], rows)
    shutil.copytree(here / "museum", here / "other")
    for name, columns in (("kaokore", ["gender", "status"]), ("paintings", ["artist", "style"])):
        own = [[f"{n:03d}.png", "abc"[n % 3], "uv"[n // 3 % 2]] for n in range(30)]
        for n, (file, colour, _) in enumerate(own):
            paint(here / "PATH" / name / "images" / file, colour, 100 + n)
        _table(here / "PATH" / name / "labels.csv", ["image", *columns], own)
    for colour in COLOURS:
        for n in range(8):
            paint(here / "PATH" / "cifar10" / colour / f"{n}.png", colour, 200 + n)
    for n in range(3):
        paint(here / "new" / f"{n}.png", "abc"[n], 300 + n)
    _network(here / "squeezenet_imagenet_notop.keras")
    shutil.copyfile(here / "squeezenet_imagenet_notop.keras", here / "my_backbone.keras")
    (here / "MANIFEST.json").write_text(json.dumps(MANIFEST))
    return here


MANIFEST = {
    "@context": "http://iiif.io/api/presentation/3/context.json", "id": "https://museum.example/manifest",
    "type": "Manifest", "label": {"en": ["A book"]},
    "items": [{
        "id": "https://museum.example/canvas/1", "type": "Canvas", "width": 100, "height": 100,
        "items": [{"id": "https://museum.example/page/1", "type": "AnnotationPage", "items": [{
            "id": "https://museum.example/annotation/1", "type": "Annotation", "motivation": "painting",
            "body": {"id": "https://museum.example/1.jpg", "type": "Image", "format": "image/jpeg"},
            "target": "https://museum.example/canvas/1",
        }]}],
    }],
}  # fmt: skip


def _table(path: Path, columns: list[str], rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def _network(path: Path) -> None:
    """Four convolutions, called as the layers of SqueezeNet that the pages name."""
    import keras

    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((None, None, 3))
    for n, channels in ((3, 8), (5, 12), (7, 16), (8, 16), (9, 16)):
        x = keras.layers.Conv2D(channels, 3, 2 if n < 8 else 1, "same", activation="relu", name=f"fire{n}_concat")(x)
    keras.Model(inputs, x, name="squeezenet").save(path)


def words_of(command: str, extra: str, place: Path) -> list[str]:
    """The command with the pages' stand-ins replaced, and what scales it down behind it."""
    if extra.startswith("= "):
        run = next(path.parent for path in sorted(place.glob(f"{extra[2:]}/metrics.json")))
        command, extra = command.replace(" RUN ", f" {run.relative_to(place)} "), ""
    if "DECODER" in command:
        command = command.replace("DECODER", str(next(place.glob("runs/decoder/*/decoder.keras")).parent))
    tickets = sorted(place.glob("runs/tickets/cifar10-*.npz"))
    stands_for = {
        "DIR_OR_CSV": "museum", "DATA": "museum", "OTHER": "other", "FOLDER": "new", "OVERLAYS": "overlays",
        "CONTENT": "new/0.png", "STYLE": "new/1.png", "PICTURE": "new/0.png", "0123.jpg": "012.png",
        "ticket.npz": str(tickets[0]) if tickets else "ticket.npz",
    }  # fmt: skip
    words = [stands_for.get(word, word) for word in shlex.split(command)]
    return [sys.executable, *words[words.index("python") + 1 :], *extra.split()]


def groups() -> dict[str, list[str]]:
    """The commands that are run, by reproduction; the toolkit's own stand with the reproduction printed before them."""
    found: dict[str, list[str]] = {}
    group = ""
    for command, extra in COMMANDS.items():
        if named := re.match(r"python -m reproductions\.(\w+)", command):
            group = "multitask" if named[1] == "gram_style" else named[1]
        if extra != "~" and not extra.startswith("- "):
            found.setdefault(group, []).append(command)
    return found


def commands_of(group: str) -> type[Any]:
    """A class of tests, which `--dist loadscope` gives to one process."""

    class Commands:
        @pytest.mark.parametrize("command", groups()[group])
        def test_a_command_of_the_pages_works_in_a_process_of_its_own(self, place, command):
            works(place, command)

    return Commands


globals().update({f"Test_{group}": commands_of(group) for group in groups()})


def works(place: Path, command: str) -> None:
    extra = COMMANDS[command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("KERAS_ART_DATA", None)
    environment |= dict(word.split("=", 1) for word in command.partition("python")[0].split())
    words = words_of(command, "" if extra.startswith("!") else extra, place)
    done = subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True, timeout=300)
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    assert "could not be drawn" not in done.stderr, done.stderr[-3000:]
    assert "absl::InitializeLog" not in done.stderr, done.stderr[-3000:]  # TensorFlow's C++ speaks of drivers
    if extra.startswith("!"):
        assert done.returncode == 1 and extra[2:] in done.stderr
    else:
        assert done.returncode == 0, done.stderr[-3000:]

"""The pages that are generated of the code: every flag, and the public names."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
import typing
from pathlib import Path
from typing import Any

import keras_art
from keras_art.commands import papers
from keras_art.writing import write

CHAPTERS = {
    "data": "Collections", "networks": "Networks, layers, losses", "methods": "Methods", "errors": "Errors",
}  # fmt: skip


def write_pages(folder: Path) -> None:
    """Writes `flags.md` and `api.md`, where they are not so already."""
    folder.mkdir(exist_ok=True)
    for name, text in (("flags.md", flags_page()), ("api.md", api_page())):
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text:
            write(folder / name, text)


def said_of_fields(kind: type) -> dict[str, str]:
    """Field of a dataclass -> the words that stand under it, its bases' included."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(body, ast.ClassDef)
        for field, words in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(words, ast.Expr)
                and isinstance(words.value, ast.Constant)
            ):
                found[ast.unparse(field.target)] = " ".join(str(words.value.value).split())
    return found


def values(hint: Any) -> str:
    """The words that a flag takes, where they are few."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(f"`{word}`" for word in arguments)
    return next((values(argument) for argument in arguments if values(argument)), "")


def default(value: Any) -> str:
    """A flag's value as one writes it."""
    if value is None or value == "":
        return ""
    return f"`{' '.join(map(str, value)) if isinstance(value, tuple) else value}`"


def flags_of(kind: type, study: Any, prefix: str = "", without: frozenset[str] = frozenset()) -> list[str]:
    """The flags of a dataclass as lines of a definition list, with the values of a study."""
    hints, said, lines = typing.get_type_hints(kind), said_of_fields(kind), []
    for field in dataclasses.fields(kind):
        if field.name in without:
            continue
        value = getattr(study, field.name)
        if dataclasses.is_dataclass(value):
            lines += flags_of(type(value), value, f"{prefix}{field.name}.")
            continue
        about = [said.get(field.name, "")]
        about += [f"One of {words}."] if (words := values(hints[field.name])) else []
        about += [f"Default: {words}."] if (words := default(value)) and "Default:" not in about[0] else []
        lines.append(f"- `--{prefix}{field.name}`: {' '.join(filter(None, about))}")
    return lines


def flags_page() -> str:
    """Every flag of every reproduction."""
    from keras_art.commands.flags import Study

    shared = frozenset(field.name for field in dataclasses.fields(Study))
    lines = [
        "# Flags", "",
        "Generated from the dataclasses that command lines are made of. Defaults are those of `--preset study`; "
        "`python -m reproductions.NAME --help` prints those of the preset it is called with.", "",
        "## Of every reproduction", "",
    ]  # fmt: skip
    found = papers.reproductions()
    lines += flags_of(Study, found[0].presets["study"])
    for paper in found:
        presets = ", ".join(f"`{name}`" for name in paper.presets)
        lines += ["", f"## `{paper.name}`", "", f"Presets: {presets}.", ""]
        lines += flags_of(paper.study, paper.presets["study"], without=shared)
    return "\n".join(lines) + "\n"


def api_page() -> str:
    """The public names, wing by wing, for autodoc."""
    lines = [
        "# The library", "",
        "`import keras_art` starts nothing; a name loads its room, and the backend, when it is asked for. "
        "Every example on this page is tried.", "",
    ]  # fmt: skip
    for wing, title in CHAPTERS.items():
        lines += [f"## {title}", "", "```{eval-rst}"]
        for name in sorted(set(keras_art.__all__) - {"__version__"}):
            value = getattr(keras_art, name)
            if value.__module__.split(".")[1] != wing:
                continue
            kind = "class" if inspect.isclass(value) else "function"
            lines += [f".. auto{kind}:: keras_art.{name}"]
            if kind == "class":
                own = [method for method in vars(value) if not method.startswith("_") and _is_public(value, method)]
                lines += [f"   :members: {', '.join(own)}"] if own else []
            lines += [""]
        lines += ["```", ""]
    return "\n".join(lines)


def _is_public(kind: type, name: str) -> bool:
    """Whether a method is the class's own to call: Keras's hooks are not."""
    value = inspect.getattr_static(kind, name)
    hooks = {"call", "build", "get_config", "from_config", "compute_loss", "compute_metrics", "update_step"}
    return name not in hooks and bool(getattr(value, "__doc__", ""))

"""What a run is: a frozen dataclass of a kind, how it is written, told from others, and what it needs.

Kinds are declared as `KINDS = {"name": Kind(...)}` in modules that import no backend, and found by walking the
installed packages `keras_art` and `reproductions`: a new paper touches nothing outside itself.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import importlib.util
import json
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from keras_art.errors import UserError
from keras_art.writing import slug

PACKAGES = ("keras_art", "reproductions")
_hints: Callable[[Any], dict[str, Any]] = functools.cache(typing.get_type_hints)  # it takes a millisecond
DECLARES = re.compile(r"^KINDS(: .*)? = ", re.MULTILINE)


class BadRun(UserError, ValueError):
    """A run's configuration can not be used; the message names it and what to do."""


@dataclass(frozen=True)
class RunRef:
    """Another run of the same store, by its kind and the digest of its configuration."""

    kind: str
    digest: str

    def __str__(self) -> str:
        return self.digest


@dataclass(frozen=True)
class Artefact:
    """A file that a person gave, kept in the store's `cache/weights` under its content: `STEM-SHA8.SUFFIX`."""

    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def stem(self) -> str:
        """What a person called it: the name without digest and suffix."""
        return re.sub(r"-[0-9a-f]{8}(\.[a-z0-9.]+)?$", "", self.name)


@dataclass(frozen=True)
class Optimizer:
    """An optimizer of Keras by name, and what of it is not Keras's own default.

    Attributes:
        name: a class of keras.optimizers.
        learning_rate: of its first step.
        options: further arguments of the constructor, such as ("momentum", 0.9).
        drops: numbers of epochs after which the learning rate falls to a tenth.
    """

    name: str
    learning_rate: float
    options: tuple[tuple[str, float | bool], ...] = ()
    drops: tuple[int, ...] = ()

    def __str__(self) -> str:
        words = [self.name, f"{self.learning_rate:g}", *(f"{name}={value}" for name, value in self.options)]
        return " ".join([*words, *(f"/10 after {epochs}" for epochs in self.drops)])


VALUES: dict[str, type[Any]] = {value.__name__: value for value in (RunRef, Artefact, Optimizer)}


@dataclass(frozen=True)
class Run:
    """One thing to compute, once; every field is a bool, int, float, str, one of `VALUES`, None, or a tuple of these.

    Attributes:
        kind: the name under which its class is declared, and the folder of a store that holds its directories.
        words: the fields that a person reads in a directory's name.
        mode: which entry of its kind's modes carries it out.
    """

    kind: ClassVar[str]
    words: ClassVar[tuple[str, ...]]

    mode: str = ""

    @property
    def measures(self) -> Mapping[str, Any]:
        """What tables, estimates and summaries rely on in its `metrics.json`: name -> type, or types, of the value."""
        return {}

    @property
    def title(self) -> str:
        """What a person is told of a run while it is computed."""
        return ", ".join(str(getattr(self, name)) for name in self.words)

    @property
    def place(self) -> str:
        """The name of its collection."""
        return str(getattr(self, "collection", "")).rsplit("-", 1)[0]

    @property
    def ref(self) -> RunRef:
        """How other runs name this one."""
        return RunRef(self.kind, digest(self))

    @property
    def folder_name(self) -> str:
        """`WORDS-DIGEST`: the words are for people, the digest decides."""
        words = (slug(str(getattr(self, name))) for name in self.words)
        return f"{'-'.join(words)[:160]}-{digest(self)}"

    @functools.cached_property
    def _digest(self) -> str:
        changed = {
            field.name: float(value) if isinstance(field.default, float) else written(value)  # 1 is the rate 1.0
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) != field.default
        }
        return hashlib.sha256(json.dumps([self.kind, changed], sort_keys=True).encode()).hexdigest()[:8]

    def as_json(self) -> dict[str, Any]:
        """What `config.json` holds."""
        fields = {field.name: written(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return {"kind": self.kind, "format": CONFIG_FORMAT, **fields}


CONFIG_FORMAT = 2
SCORE = (int, float, type(None))  # of a run that diverged, null
AnyRun = TypeVar("AnyRun", bound=Run)


@dataclass(frozen=True)
class Mode:
    """One way to carry out the runs of a kind.

    Attributes:
        train: `module:function`, imported when a run is carried out, so that declaring it stays light; called with
            (store, run, folder, tell), returns what `metrics.json` holds.
        cost: (run, images of its collection, `costs.Networks`, what it measured or None) -> `costs.Cost`: what it took,
            or takes at most.
        tells_speed: whether the seconds of its finished runs say how fast the machine is.
    """

    train: str
    cost: Callable[[Any, int, Any, dict[str, Any] | None], Any]
    tells_speed: bool = True


@dataclass(frozen=True)
class Kind:
    """The runs of one dataclass.

    Attributes:
        run: its class.
        modes: what may stand in a run's `mode`.
        check: `module:function`, called with (store, runs) before any is computed: a UserError if one can not work.
        summary: (run, metrics) -> a finished run in a few words.
    """

    run: type[Run]
    modes: Mapping[str, Mode]
    check: str = ""
    summary: Callable[[Any, dict[str, Any]], str] = lambda run, metrics: str(metrics.get("status", "done"))


@functools.cache
def kinds() -> dict[str, Kind]:
    """Every declared kind by name.

    Raises:
        ValueError: two modules declare one name, or a class is declared under another name than its own.
    """
    found: dict[str, Kind] = {}
    for module in _declaring():
        for name, kind in importlib.import_module(module).KINDS.items():
            if name in found or kind.run.kind != name:
                raise ValueError(f"{module} declares the kind {name!r}, which is another's")
            found[name] = kind
    return found


def _declaring() -> Iterator[str]:
    """The modules of the installed packages that declare kinds, found by their text: importing all would be slow."""
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            for path in sorted(Path(place).rglob("*.py")):
                if DECLARES.search(path.read_text(encoding="utf-8")):
                    parts = path.relative_to(place).with_suffix("").parts
                    yield ".".join((package, *parts)).removesuffix(".__init__")


def mode_of(run: Run) -> Mode:
    """How a run is carried out.

    Raises:
        BadRun: no such mode, another class (a module run by `python -m` is not the one imported), or no pictures.
    """
    if (kind := kinds().get(run.kind)) is None or not isinstance(run, kind.run):
        raise BadRun(f"KINDS has no {run.kind!r} of {type(run)}: put both into a module that is imported, not run")
    if run.mode not in kind.modes:
        raise BadRun(f"a run of kind {run.kind!r} has no mode {run.mode!r}: it is one of {', '.join(kind.modes)}")
    if lacking := [name for name in ("collection", "image_size", "resize") if not hasattr(run, name)]:
        raise BadRun(f"a run of kind {run.kind!r} has no field {lacking[0]!r}: every run says which pictures it is of")
    return kind.modes[run.mode]


def function(name: str) -> Callable[..., Any]:
    """What `module:function` names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def digest(run: Run) -> str:
    """Eight hex digits of kind and fields that differ from their defaults: a field added later keeps old digests."""
    return run._digest


def needs(run: Run) -> list[RunRef]:
    """The runs that must be finished before this one begins: the references among its fields."""
    return list(dict.fromkeys(_references(getattr(run, field.name) for field in dataclasses.fields(run))))


def _references(values: Iterable[Any]) -> Iterator[RunRef]:
    for value in values:
        if isinstance(value, RunRef):
            yield value
        elif isinstance(value, tuple):
            yield from _references(value)


def run_from(config: Any, where: Path) -> Run:
    """The run that the content of a `config.json` describes; `where` is that file, for messages.

    Raises:
        BadRun: it is none, or of a kind, a mode, a field or a type of value that this version does not know.
    """
    other = "use the version of keras_art that wrote it, or move the directory away"
    if not isinstance(config, dict) or "kind" not in config:
        raise BadRun(f"{where} does not say which kind of run it is: {other}")
    fields = {name: value for name, value in config.items() if name not in ("kind", "format")}
    if (kind := kinds().get(config["kind"]) if isinstance(config["kind"], str) else None) is None:
        raise BadRun(f"{where} is of the kind {config['kind']!r}, which this version does not know: {other}")
    known = {field.name: field for field in dataclasses.fields(kind.run)}
    if unknown := sorted(set(fields) - set(known)):
        raise BadRun(f"{where} has the field {unknown[0]!r}, which this version does not know: {other}")
    try:
        values = {name: read(value) for name, value in fields.items()}
        hints = _hints(kind.run)
        if wrong := [name for name, value in values.items() if not _fits(value, hints[name])]:
            raise ValueError(f"{wrong[0]} is {fields[wrong[0]]!r}")
        run = kind.run(**values)
        hash(run)
    except (TypeError, ValueError, KeyError) as error:
        raise BadRun(f"{where} does not describe a run of the kind {config['kind']!r} ({error}): {other}") from error
    if run.mode not in kind.modes:
        raise BadRun(f"{where} is of the mode {run.mode!r}, which {config['kind']!r} does not have: {other}")
    return run


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a field's type, as far as types of fields go here."""
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        same = arguments[1:] == (...,)
        inner = arguments[:1] * len(value) if isinstance(value, tuple) and same else arguments
        return isinstance(value, tuple) and len(value) == len(inner) and all(map(_fits, value, inner))
    if arguments:
        return any(_fits(value, argument) for argument in arguments)
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def written(value: Any) -> Any:
    """A field's value as JSON has it."""
    if type(value) in VALUES.values():
        inner = {field.name: written(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"type": type(value).__name__, **inner}
    return [written(inner) for inner in value] if isinstance(value, tuple) else value


def read(value: Any) -> Any:
    """What `written` wrote."""
    if isinstance(value, dict):
        return VALUES[value["type"]](**{name: read(part) for name, part in value.items() if name != "type"})
    return tuple(map(read, value)) if isinstance(value, list) else value

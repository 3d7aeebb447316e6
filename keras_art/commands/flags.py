"""Command lines made from dataclasses: the flags that mean the same in every reproduction, and how they are read."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.store.leftovers import beside_runs
from keras_art.study.clusters import Cluster
from keras_art.study.config import Optimizer

OLD_SPELLINGS = {"--head_epochs": "--frozen_epochs"}  # understood still
Format = Literal["text", "csv", "markdown", "latex", "html"]
Split = Literal[
    "auto", "given", "stratified", "random", "object_disjoint", "artist_disjoint", "duplicate_disjoint"
]  # fmt: skip
Resize = Literal["squash", "squash_nearest", "crop", "pad", "trim"]  # as of `images.RESIZE`
Precision = Literal["float32", "mixed_float16", "mixed_bfloat16", "auto"]


@dataclass(frozen=True)
class Study:
    """The flags that mean the same in every reproduction; a preset gives each its default."""

    preset: str = "demo"
    """Fixes every field below; any flag overrides one. Default: demo, or study when --data is given."""
    data: str | None = None
    """A card's name, a table (.csv, .xlsx, .parquet), a folder with labels.csv or of images, or NAME-DIGEST, a choice
    that the store has under collections/. Default: the atelier."""
    root: str | None = None
    """Folder that holds the cards' collections, or a table's pictures. Default: $KERAS_ART_DATA; beside the table."""
    target: str | None = None
    """The label column. May be left out when there is only one."""
    sheet: str = ""
    """Of the spreadsheet that --data names; without it, the first one whose rows name pictures."""
    artist: str = "artist"
    """The column of artists in --data: whom --split artist_disjoint keeps apart, whose names may give labels away."""
    limit: int = 0
    """Use at most so many images, classes in proportion (0: all)."""
    split: Split = "auto"
    """auto: the collection's own split, else 80/10/10, object_disjoint where an object has several images, else
    stratified; *_disjoint: objects, artists, or look-alikes and the views of an object, on one side."""
    split_seed: int = 0
    """Moves the split; --seeds moves initialisation and order."""
    seeds: tuple[int, ...] = (0,)
    """One run each."""
    max_pixels: int = 0
    """Decode pictures of up to so many pixels, which is a memory of four bytes each (0: Pillow's limit, 89,478,485). A
    JPEG counts by the fraction of its size that it is decoded at."""
    store: str = "runs"
    """Folder for runs and caches."""
    jobs: int = 1
    """Processes that share the runs: of this machine, or of the cluster that --executor names."""
    devices: str = "auto"
    """Of those processes: auto (a GPU each, where there are any), cpu, or numbers of GPUs such as 0,1. Several for one
    process share its batches (on JAX)."""
    threads: int = 0
    """Of a run, fixed when the store is made, since last digits follow from it (0: the cores here by --jobs)."""
    executor: Literal["here", "slurm", "ray"] = "here"
    """Where the processes are: on this machine, as SLURM's array, or on Ray's nodes; they share the store's folder."""
    cluster: Cluster = field(default_factory=Cluster)
    dry_run: bool = False
    """Say what would run, what is done, and what it costs; train nothing."""
    table: bool = False
    """Print the tables of what has been run; train nothing."""
    format: Format = "text"
    """Of the tables."""
    open: bool = False
    """Show the study's page in a browser when it is written."""


# What the numbers of flags can be, whatever command has them: flag -> the least, and the most where there is one.
MOST_AT_ONCE = 1024  # processes of a store, threads of a run: of any machine, not of this one alone
MOST_SEED = 2**31 - 1  # that NumPy, scikit-learn and all backends take
BOUNDS: dict[str, tuple[int, int | None]] = {
    "jobs": (1, MOST_AT_ONCE), "threads": (0, MOST_AT_ONCE), "max_pixels": (0, None),
    "seed": (0, MOST_SEED), "seeds": (0, MOST_SEED), "split_seed": (0, MOST_SEED),
    "limit": (0, None), "min_style": (0, None), "top_styles": (0, None), "min_artist": (0, None),
    "top_artists": (0, None), "min_artists": (0, None), "cap_style": (0, None), "cap_artist": (0, None),
    "iterations": (1, None), "checkpoint_every": (1, None), "batch_size": (1, None), "longest_side": (1, None),
    "trials": (0, None),
}  # fmt: skip
FRAMED = re.compile("[│╭╰\x1b]")  # what tyro has fitted itself, or coloured
# Of where and how something is computed, or shown on the terminal: no figure depends on these.
ASIDE = (
    "data", "root", "max_pixels", "store", "jobs", "devices", "threads", "executor", "cluster", "dry_run", "table",
    "format", "open",
)  # fmt: skip


def told(study: Any) -> str:
    """The flags of a study that its figures may depend on, in one line."""
    return ", ".join(f"{flag}={value!r}" for flag, value in sorted(vars(study).items()) if flag not in ASIDE)


AnyStudy = TypeVar("AnyStudy", bound=Study)


def parse(
    study: type[AnyStudy], presets: Mapping[str, AnyStudy], argv: Sequence[str], *, prog: str, description: str
) -> AnyStudy:
    """Reads a Study from a command line, on top of the preset that it names; exits as `read` does.

    Raises:
        UserError: there is no such preset.
    """
    argv = [_spelled(word) for word in argv]
    chosen = _flag(argv, "--preset") or ("study" if _flag(argv, "--data") else "demo")
    if chosen not in presets:
        raise UserError(f"there is no --preset {chosen} of this paper: the presets are {', '.join(presets)}")
    names: Any = Literal[tuple(presets)]  # what help offers are those that this reproduction has
    later = "; with --data they are those of study" if chosen == "demo" and not _flag(argv, "--preset") else ""
    description += f"\n\nThe defaults below are those of --preset {chosen}{later}."
    offered = dataclasses.make_dataclass(study.__name__, [("preset", names, "demo")], bases=(study,), frozen=True)
    argv = _without_what_is_on(argv, presets[chosen])
    found = read(offered, argv, prog=prog, description=description, default=offered(**vars(presets[chosen])))
    return study(**vars(found))


def _without_what_is_on(argv: Sequence[str], preset: Study) -> list[str]:
    """The words but for flags that a preset has on, of which tyro knows the negative alone; beside that they stay."""
    typed = {word.replace("-", "_") for word in argv}
    on = {f"__{name}" for name, value in vars(preset).items() if value is True and f"__no_{name}" not in typed}
    return [word for word in argv if word.replace("-", "_") not in on]


def read(kind: Any, argv: Sequence[str], *, prog: str, description: str, default: Any = None) -> Any:
    """Reads a dataclass from a command line.

    Exits as argparse does: 0 after `--help`, 2 with the nearest names after a mistake.

    Raises:
        UserError: a number is outside `BOUNDS`.
    """
    import tyro

    words = [os.path.expanduser(word) if word.startswith("~/") else word for word in argv]  # a ~ in quotes
    if beside := [word for word in words if beside_runs(word)]:
        more = f" and {len(beside) - 1:,} more" if len(beside) > 1 else ""
        terminal.say(f"{beside[0]}{more}: passed over, a lock or what is half-written, no run and no picture")
    with redirect_stdout(_Spoken(sys.stdout)):
        found = tyro.cli(
            kind,
            args=[word for word in words if word not in beside],
            prog=prog,
            # An example at the margin would run into the next; lines that are indented stay lines.
            description=re.sub("^(?=python -m )", "    ", description, flags=re.MULTILINE),
            use_underscores=True,
            config=(tyro.conf.FlagCreatePairsOff, tyro.conf.PositionalMetavarFromFieldName),
            **({} if default is None else {"default": default}),
        )
    _check_bounds(found)
    if most := getattr(found, "max_pixels", 0):
        from keras_art.pictures.containers import allow

        allow(most)
    return found


def _check_bounds(found: Any) -> None:
    for flag, (least, most) in BOUNDS.items():
        values = getattr(found, flag, ())
        for value in values if isinstance(values, tuple) else (values,):
            if value < least or (most is not None and value > most):
                upper = "" if most is None else f" and at most {most:,}"
                raise UserError(f"--{flag} is at least {least}{upper}")


def _spelled(word: str) -> str:
    name, equals, value = word.partition("=")
    return OLD_SPELLINGS.get(name, name) + equals + value


def optimizer_of(word: str, named: Mapping[str, Optimizer], learning_rate: float = 0.0) -> Optimizer:
    """What `--optimizer` says: a name that the reproduction knows, or one of Keras's with its rate and options.

    `AdamW@3e-4,weight_decay=0.05` is AdamW at 3e-4 with a decoupled decay; `SGD@0.01,momentum=0.9,nesterov=true`.

    Args:
        named: "paper", "released" -> theirs.
        learning_rate: of `--learning_rate`, over that of the word (0: that one's own).

    Raises:
        UserError: it is neither.
    """
    if found := named.get(word):
        return dataclasses.replace(found, learning_rate=learning_rate or found.learning_rate)
    match = re.fullmatch(r"([A-Za-z]\w*)(?:@([^,]+))?((?:,\w+=[^,=]+)*)", word)
    wanted = f"{', '.join(named)}, or a Keras optimizer such as AdamW@3e-4,weight_decay=0.05"
    if not match or not (match[2] or learning_rate):
        raise UserError(f"--optimizer {word} is none of {wanted}")
    try:
        options = {name: _number(value) for name, value in (item.split("=") for item in match[3].split(",")[1:])}
        rate = float(learning_rate or match[2])
    except ValueError as error:
        raise UserError(f"--optimizer {word}: {error}; it is {wanted}") from None
    if not rate > 0:
        raise UserError(f"--optimizer {word} needs a rate above 0")
    return Optimizer(match[1], rate, tuple(sorted(options.items())))


def _number(word: str) -> float | bool:
    return word.lower() == "true" if word.lower() in ("true", "false") else float(word)


def fitted(text: str) -> str:
    """A help text in lines as wide as the terminal; a command keeps its own, what explains it above where need be."""
    width = shutil.get_terminal_size().columns
    wrap = functools.partial(textwrap.wrap, break_long_words=False, break_on_hyphens=False)
    lines: list[str] = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        command = re.fullmatch(r"(python -m .*?)( \\)?(?:\s+# (.*))?", line.strip())
        if len(line) <= width or not line.strip():
            lines.append(line)
        elif command:
            lines += wrap(command[3] or "", width, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
            parts = wrap(command[1], width - 2, initial_indent=indent, subsequent_indent=f"{indent}    ")
            lines += [*(f"{part} \\" for part in parts[:-1]), parts[-1] + (command[2] or "")]
        else:
            lines += wrap(line, width, subsequent_indent=indent)
    return "\n".join(lines)


class _Spoken:
    """A stream for help: of a flag that may be left out it says `--root STR`, not tyro's `{None}|STR`; lines fit."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        text = re.sub(r"\{None\}\|(\S+)", r"\1       ", text)  # as wide as it was
        self.stream.write(text if FRAMED.search(text) else fitted(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _flag(argv: Sequence[str], name: str) -> str | None:
    for word, following in itertools.zip_longest(argv, argv[1:]):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.removeprefix(f"{name}=")
    return None


def check_values(study: Study, **least: float) -> None:
    """Refuses repeated or absent values of flags in the plural, the singular of such a flag, and too small numbers.

    Args:
        least: flag -> the smallest value it takes; of a flag in the plural, of each of its values.

    Raises:
        UserError: naming the flag.
    """
    for flag, value in vars(study).items():
        values = value if isinstance(value, tuple) else (value,)
        if isinstance(value, tuple) and len(set(values)) < len(values):
            raise UserError(f"--{flag} names {next(v for v in values if values.count(v) > 1)} twice")
        numbers = [v for v in values if isinstance(v, float)]
        if not all(map(math.isfinite, numbers)):
            raise UserError(f"--{flag} is a number, not {next(v for v in numbers if not math.isfinite(v))}")
        if flag.endswith(("rate", "decay")) and any(v < 0 for v in numbers):
            raise UserError(f"--{flag} is at least 0")
        if flag in ("bn_momentum", "label_smoothing") and not 0 <= value < 1:
            raise UserError(f"--{flag} lies in [0, 1), not {value:g}")
        if flag in least and any(v < least[flag] for v in values):
            raise UserError(f"--{flag} is at least {least[flag]:g}")
    if not study.seeds:
        raise UserError("--seeds needs at least one value")
    if study.target and hasattr(study, "targets"):
        way = f"--targets {study.target!r}"
        raise UserError(f"--target is for one label column; name them, or it, with --targets, as {way}")


def run(
    kind: Any, command: Callable[[Any], int], argv: Sequence[str], *, prog: str, description: str, trains: bool = False
) -> int:
    """Reads a dataclass from a command line and carries it out, as `terminal.guarded`; returns the exit status."""
    return terminal.guarded(lambda: command(read(kind, argv, prog=prog, description=description)), prog, trains)

"""Where a run lives, whether it is done, what it said, and what it said it with."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import math
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from keras_art.errors import UserError
from keras_art.writing import write

FORMAT = 1


class StoreError(UserError):
    """The store can not be used; the message names the remedy."""


class RunConfig(Protocol):
    """A frozen dataclass, one per directory: every field bool, int, float or str.

    `paper` names the folder of its reproduction, `words` the fields that a person reads in a directory's name.
    """

    paper: ClassVar[str]
    words: ClassVar[tuple[str, ...]]
    __dataclass_fields__: ClassVar[dict[str, Any]]


AnyRun = TypeVar("AnyRun", bound=RunConfig)


def digest(config: RunConfig) -> str:
    """Eight hex digits of the fields that differ from their defaults: a field added later keeps old digests."""
    changed = {
        field.name: float(value) if isinstance(field.default, float) else value  # 1 and 1.0 are one learning rate
        for field in dataclasses.fields(config)
        if (value := getattr(config, field.name)) != field.default
    }
    return hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:8]


class Store:
    """A folder of runs: `<store>/<paper>/<words>-<digest>/` with `config.json`, `history.csv`, `metrics.json`.

    `metrics.json` is written last, by rename: without it there is no run.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser()

    def create(self) -> None:
        """Makes the folder, or checks the one that is there.

        Raises:
            StoreError: the folder can not be written, or another version of keras_art wrote it.
        """
        stamp = self.root / "store.json"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if not stamp.exists():
                write(stamp, json.dumps({"format": FORMAT}))
            probe = self.root / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise StoreError(
                f"the store {self.root} can not be written ({error.strerror}): choose another with --store"
            ) from error
        self.check()

    def check(self) -> None:
        """Refuses a store of another version; one that does not exist yet is fine.

        Raises:
            StoreError: `store.json` is of another format.
        """
        stamp = self.root / "store.json"
        if not stamp.exists():
            return
        try:
            found = json.loads(stamp.read_text())["format"]
        except (ValueError, KeyError, TypeError):
            found = "unreadable"
        if found != FORMAT:
            raise StoreError(
                f"the store {self.root} has format {found}, this keras_art reads {FORMAT}: "
                f"use the version that wrote it, or another folder with --store"
            )

    def directory(self, config: RunConfig) -> Path:
        """Where a run lives; the words are for people, the digest decides."""
        words = "-".join(str(getattr(config, name)) for name in config.words)
        return self.root / config.paper / f"{words}-{digest(config)}"

    def metrics(self, config: RunConfig) -> dict[str, Any] | None:
        """What a finished run measured, or None.

        Raises:
            StoreError: the stored configuration differs although the digest agrees: a default has changed.
        """
        folder = self.directory(config)
        if not ((folder / "metrics.json").exists() and (folder / "config.json").exists()):
            return None
        stored = json.loads((folder / "config.json").read_text())
        now = json.loads(json.dumps(dataclasses.asdict(config)))  # tuples are lists there
        if different := [name for name in stored if now.get(name) != stored[name]]:
            raise StoreError(
                f"{folder} was made with another default of {', '.join(different)}: "
                f"move it away, or use another folder with --store"
            )
        return json.loads((folder / "metrics.json").read_text())

    def finished(self, kind: type[AnyRun]) -> list[tuple[AnyRun, dict[str, Any]]]:
        """Every finished run of a kind with its metrics, by directory name."""
        found = []
        for path in sorted((self.root / kind.paper).glob("*/metrics.json")):
            run = kind(**json.loads((path.parent / "config.json").read_text()))
            if (metrics := self.metrics(run)) is not None:
                found.append((run, metrics))
        return found

    def begin(self, config: RunConfig) -> Path:
        """Makes a run's directory and writes what it is and what it runs on."""
        folder = self.directory(config)
        write(folder / "config.json", json.dumps(dataclasses.asdict(config), indent=1))
        write(folder / "environment.json", json.dumps(environment(), indent=1))
        return folder

    def finish(self, config: RunConfig, metrics: dict[str, Any]) -> None:
        """Says that a run is done. NaN and infinities become null, which is what JSON has; the checkpoint goes."""
        write(self.directory(config) / "metrics.json", json.dumps(_finite(metrics), indent=1, allow_nan=False))
        shutil.rmtree(self.directory(config) / "checkpoint", ignore_errors=True)

    def lock(self, path: Path, *, wait: bool = True) -> Any:
        """A lock on `path` that the operating system releases when the process dies.

        Use as a context manager; with `wait=False` it raises `filelock.Timeout` when another process holds it.
        """
        from filelock import FileLock

        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(f"{path}.lock", timeout=-1 if wait else 0)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def execute(
    store: Store,
    configs: list[Any],
    run: Callable[[Any, Path], dict[str, Any]],
    waiting: Callable[[Any], None] = lambda config: None,
) -> int:
    """Runs what is missing, one after the other; returns how many it ran.

    A run that another process holds is put off until the others are done, then waited for.

    Args:
        run: takes a configuration and its directory, returns the metrics.
        waiting: called when only runs of other processes are left.
    """
    from filelock import Timeout

    done, patient = 0, False
    queue = [config for config in configs if store.metrics(config) is None]
    while queue:
        put_off = []
        for config in queue:
            try:
                if patient:
                    waiting(config)
                with store.lock(store.directory(config), wait=patient):
                    if store.metrics(config) is None:
                        store.finish(config, run(config, store.begin(config)))
                        done += 1
            except Timeout:
                put_off.append(config)
        patient, queue = True, put_off
    return done


def disk_full(error: BaseException) -> bool:
    """Whether an error, or what caused it, says that the disk is full (libraries wrap it in errors of their own)."""
    seen: BaseException | None = error
    while seen is not None:
        if getattr(seen, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def environment() -> dict[str, Any]:
    """Versions, backend, device and the state of the code, for `environment.json`."""
    from importlib.metadata import PackageNotFoundError, version

    import keras

    versions = {}
    for package in (
        "keras_art",
        "keras",
        keras.config.backend(),
        "numpy",
        "pandas",
        "scikit-learn",
        "pillow",
    ):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed as a package"
    code = Path(__file__).resolve().parent
    return {
        "versions": versions,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "backend": keras.config.backend(),
        "devices": keras.distribution.list_devices() if keras.config.backend() != "torch" else _torch_devices(),
        "commit": _git(code, "rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git(code, "status", "--porcelain", "--untracked-files=no")),
        "command": sys.argv,
    }


def _torch_devices() -> list[str]:
    import torch

    return [f"cuda:{i}" for i in range(torch.cuda.device_count())] or ["cpu"]


def _git(folder: Path, *words: str) -> str:
    """What git says of the checkout this code stands in; "" in an installed wheel."""
    try:
        done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

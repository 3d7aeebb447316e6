"""Where a run lives, whether it is done, and what it said."""

from __future__ import annotations

import json
import os
import shutil
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.store import locks, plain, presence
from keras_art.store.environment import environment
from keras_art.store.leftovers import sweep
from keras_art.store.reading import is_there, read_json
from keras_art.store.stamp import FILE, FORMAT, told_by_files
from keras_art.store.sums import SUMS, in_words, seal
from keras_art.version import __version__
from keras_art.writing import beside, finite, write, write_bytes

GONE = "was moved away in this moment: name its new place"


class StoreError(UserError):
    """The store can not be used; the message names the remedy."""


class Run(Protocol):
    """What a store knows of a run: `study.config.Run` has it all."""

    kind: ClassVar[str]

    @property
    def measures(self) -> Mapping[str, Any]:
        """What its `metrics.json` says when it is finished: name -> the type, or types, of the value."""

    @property
    def folder_name(self) -> str:
        """`WORDS-DIGEST`."""

    def as_json(self) -> dict[str, Any]:
        """What `config.json` holds."""


class Ref(Protocol):
    """What a store knows of a reference to a run."""

    @property
    def kind(self) -> str:
        """The name of its kind."""

    @property
    def digest(self) -> str:
        """Eight hex digits."""


class Store:
    """A folder of runs: `<store>/<kind>/<words>-<digest>/` with `config.json`, `history.csv`, `metrics.json`.

    `metrics.json` is written last, by rename: without it there is no run. With it the directory is sealed: `SHA256SUMS`
    has the hashes of its files.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser()
        self._entered = False

    def create(self, threads: int = 0) -> None:
        """Makes the folder, or checks the one that is there; sweeps what killed processes left half-written in it.

        As long as this object lives it is not moved away.

        Args:
            threads: of each run, whoever computes it; written down when the folder is made (0: as many as cores here).
                A folder that has runs and has lost what was written down has the number that those tell.

        Raises:
            StoreError: the folder can not be written, locks do not work there and it has no leases, another version
                wrote it, or it is being moved.
        """
        stamp = self.root / FILE
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            why_not = locks.why_not(self.root, beside(self.root / "probe"))
            if not stamp.exists():
                about: dict[str, Any] = {"format": FORMAT, "threads": threads or os.cpu_count() or 1}
                about |= told_by_files(self.root)
                if why_not and "locks" not in about:
                    terminal.say(f"{self.root}: {why_not}; processes hold runs by leases of {locks.LEASE:.0f} seconds")
                    about["locks"] = "lease"
                write(stamp, json.dumps(about))
        except OSError as error:
            if self._vanished(error):
                raise StoreError(f"the store {self.root} {GONE}") from error
            raise StoreError(
                f"the store {self.root} can not be written ({error.strerror}): choose another with --store"
            ) from error
        if why_not and not locks.by_lease(stamp):
            raise StoreError(
                f"locks do not work in the store {self.root} ({why_not}), so that two processes would compute one run "
                f'at once: while nobody is at it, write "locks": "lease" into {stamp}, or choose a folder on another '
                f"disk with --store"
            )
        self.enter()
        for folder in (self.root, self.root / "tickets", self.root / "cache" / "weights"):
            sweep(folder)
        self.check()

    def enter(self) -> None:
        """Keeps a store that is there from being moved away as long as this object lives.

        Raises:
            StoreError: it is being moved.
        """
        from filelock import Timeout

        if self._entered:
            return
        try:
            lock = presence.come(self.root)
        except Timeout as error:
            raise StoreError(
                f"the store {self.root} is being moved: wait until that has ended, then name its new place"
            ) from error
        except OSError as error:
            if self._vanished(error):
                raise StoreError(f"the store {self.root} {GONE}") from error
            raise StoreError(f"the store {self.root} can not be written ({in_words(error)})") from error
        self._entered = True
        weakref.finalize(self, lock.__exit__, None, None, None)

    def _vanished(self, error: OSError) -> bool:
        """Whether the folder was there a moment ago: `mkdir` has found it, and it was no folder when it looked."""
        found = isinstance(error, FileExistsError) and not self.root.is_file()
        # Of its own name it is a place where no folder can be made, such as /proc.
        return found or (isinstance(error, FileNotFoundError) and error.filename != str(self.root))

    def check(self) -> None:
        """Refuses a store of another version; one that does not exist yet is fine.

        Raises:
            StoreError: `store.json` is of another format, or can not be read.
        """
        stamp = self.root / FILE
        if not stamp.exists():
            return
        try:
            found = json.loads(plain.read(stamp))["format"]
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise StoreError(
                f"{stamp} can not be read ({in_words(error)}). It says which version wrote the store: use that, or "
                f"another folder with --store; if it was this one, python -m keras_art store check {self.root} "
                f"--repair writes it anew"
            ) from error
        if found != FORMAT:
            raise StoreError(
                f"the store {self.root} has format {found}, this keras_art reads {FORMAT}: "
                f"use the version that wrote it, or another folder with --store"
            )

    @property
    def threads(self) -> int:
        """Of each run: the order of a sum, and with it the last digits of a result, follow from their number."""
        stamp = self.root / FILE
        told = read_json(stamp).get("threads") if stamp.exists() else None
        return told if isinstance(told, int) and told > 0 else os.cpu_count() or 1

    def directory(self, run: Run) -> Path:
        """Where a run lives."""
        return self.root / run.kind / run.folder_name

    def directories(self, kind: str) -> list[Path]:
        """The directories of a kind's runs by name, finished or not.

        Raises:
            StoreError: nobody may look.
        """
        try:
            return sorted(path for path in (self.root / kind).iterdir() if not path.name.endswith(".lock"))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StoreError(f"{self.root / kind} can not be read ({in_words(error)}): make it readable") from error

    def find(self, ref: Ref) -> Path:
        """The directory of a run that another one names.

        Raises:
            StoreError: nobody has begun it here.
        """
        found = next((self.root / ref.kind).glob(f"*-{ref.digest}/config.json"), None)
        if found is None:
            raise StoreError(
                f"the store {self.root} holds no {ref.kind} {ref.digest}, which another run needs: "
                "start the study that makes it"
            )
        return found.parent

    def has(self, ref: Ref) -> bool:
        """Whether the run that a reference names is finished."""
        return any((self.root / ref.kind).glob(f"*-{ref.digest}/metrics.json"))

    def metrics(self, run: Run) -> dict[str, Any] | None:
        """What a finished run measured, or None.

        Raises:
            StoreError: the stored configuration differs although the digest agrees: a default has changed.
            Damaged: a file of its directory can not be read, or does not say what such a run measures.
        """
        folder = self.directory(run)
        if not (is_there(folder / "metrics.json") and is_there(folder / "config.json")):
            return None
        stored, now = read_json(folder / "config.json", fields={}), run.as_json()
        if different := [name for name in stored if now.get(name) != stored[name]]:
            raise StoreError(
                f"{folder} was made with another default of {', '.join(different)}: "
                f"move it away, or use another folder with --store"
            )
        return read_json(folder / "metrics.json", fields=run.measures)

    def ask(self, run: Run) -> None:
        """Makes a run's directory and writes what it is: any process that works on this store may compute it then."""
        folder = self.directory(run)
        write(folder / "config.json", json.dumps(run.as_json(), indent=1, ensure_ascii=False))
        if not (folder / "environment.json").exists():
            about = {"versions": {"keras_art": __version__}, "threads": self.threads}
            write(folder / "environment.json", json.dumps(about))

    def begin(self, run: Run) -> Path:
        """The same, for who holds its lock and computes it at once: writes what it runs on as well."""
        folder = self.directory(run)
        for half in (folder, *(path for path in folder.glob("**/") if path != folder)):
            sweep(half, held=True)
        (folder / SUMS).unlink(missing_ok=True)
        self.ask(run)
        write(folder / "environment.json", json.dumps(environment() | {"threads": self.threads}, indent=1))
        return folder

    def finish(self, run: Run, metrics: dict[str, Any]) -> None:
        """Says that a run is done: its files are on the disk and sealed, then come the metrics; the checkpoint goes.

        NaN and infinities become null, which is what JSON has.

        Raises:
            StoreError: its directory was taken away meanwhile, and with it what was written before.
        """
        folder, text = self.directory(run), json.dumps(finite(metrics), indent=1, allow_nan=False)
        if not (folder / "config.json").is_file():  # the next command would write it, and take the rest for whole
            raise StoreError(f"{folder} was taken away while its run was computed: the same command makes it anew")
        seal(folder, {"metrics.json": text.encode()}, besides=["checkpoint"])
        write_bytes(folder / "metrics.json", text.encode())  # to the byte, on every system
        shutil.rmtree(folder / "checkpoint", ignore_errors=True)

    def lock(self, path: Path, *, wait: bool = True) -> Any:
        """A lock on `path` that is free when the process dies, as `locks` has it.

        Use as a context manager; with `wait=False` it raises `filelock.Timeout` when another process holds it.
        """
        return locks.lock(path.with_name(f"{path.name}.lock"), wait=wait)


def store_of(file: Path) -> Store:
    """The store that a model's file stands in, if it stands in any: STORE/KIND/RUN/model.keras."""
    return Store([*file.resolve().parents][:3][-1])

"""Commands killed at random times, and files and machines that fail: what is left, compared with what should be.

    python -m benchmarks.faults kills           # a hundred kills, shared among the cases
    python -m benchmarks.faults kills --cases sabatelli2021 --kills 5
    python -m benchmarks.faults limits          # disks, folders, descriptors, memory, clocks and versions that fail

`kills`: a case is carried out once without interruption, then begun in an empty folder and killed at a random time
(SIGKILL; every fourth time SIGTERM or SIGHUP, which must end work with a message and their status), begun again and
killed again, until it ends by itself; then every file of both is compared, and begun anew while kills are left. All of
them are forked off this process, which has imported TensorFlow and the like and computed nothing: that would be half of
what each takes, in which nothing is written. What differs from run to run is left out: seconds, days, process numbers.
Pictures and networks are tiny, and painted here.

`limits`: a case meets a fault, and must end with status 1 and one line, or with 0; then it is begun again without the
fault, and every file compared as above. What has a limit of its own is begun as it is typed, the rest forked off. Disks
are tmpfs, which root alone may mount; a folder vanishes at any time; a clock goes back where what a killed process
left is dated tomorrow.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import http.server
import importlib
import json
import multiprocessing
import os
import random
import re
import resource
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.two_processes import CHAINS, SMALL, paint
from keras_art import terminal

ROOT = Path(__file__).parents[1]
SIDE = ("--data", "museum", "--image_size", "16", "--epochs", "2")
CASES = {
    **{paper: ("-m", f"reproductions.{paper}", *words) for paper, *words in CHAINS.values()},
    "search": (
        "-m", "reproductions.st_saclf", "search", *CHAINS["stylised"][1:], "--p1", "0", "1", "--p2", "0",
        "--trials", "3",
    ),
    "dcec_paint": (
        "-m", "reproductions.dcec_paint", "--data", "museum", "--image_size", "16", "--k", "2", "3", "--epochs", "4",
        "--pretrain_batch_size", "8", "--batch_size", "8", "--update_interval", "3", "--max_iterations", "6",
        "--gap_references", "2", "--embedding", "4",
    ),
    "multitask": (
        "-m", "reproductions.multitask", *SIDE, "--targets", "style", "artist", "--frozen_epochs", "1", "--shared", "8",
        "--hidden", "6", "--gram_channels", "4", *SMALL[:-2],
    ),
    "gram_style": (
        "-m", "reproductions.gram_style", *SIDE, "--frozen_epochs", "1", "--shared", "8", "--hidden", "6",
        "--gram_channels", "4", "--gram_description", "triangle", *SMALL[:-2],
    ),
    "kaokore2020": ("-m", "reproductions.kaokore2020", *SIDE, "--targets", "style", *SMALL[:-2]),
    "decoder": (
        "-m", "keras_art", "adain", "train", "--data", "museum", "--target", "style", "--image_size", "16",
        "--iterations", "6", "--checkpoint_every", "2", "--weights", "none", "--batch_size", "4",
    ),
    "fetch": ("-m", "keras_art", "fetch", "manifest.json", "--root", "fetched", "--pause", "0.1"),
    "doctor": ("-m", "keras_art", "doctor", "check", "museum", "--out", "report"),
    "map": (
        "-m", "keras_art", "map", "museum", "--backbone", "tiny.keras", "--preprocessing", "unit", "--image_size", "16",
        "--target", "style", "--out", "store/map.html",
    ),
    "predict": (
        "-m", "keras_art", "predict", "trained.keras", "museum", "--out", "answers/said.csv", "--saliency",
        "answers/saliency",
    ),
    "export": ("-m", "keras_art", "export", "trained.keras", "--out", "exported/tiny"),
}  # fmt: skip
# Where those leave what is compared that write into no store.
PLACES = {"fetch": "fetched", "doctor": "report", "predict": "answers", "export": "exported"}
STORED = CASES.keys() - PLACES
LIMITS = {"64 descriptors": (resource.RLIMIT_NOFILE, 64), "2 GB of memory": (resource.RLIMIT_AS, 2 << 30)}
FAULTS = ("full disk", "read-only disk", "vanishes", *LIMITS, "clock goes back", "another version")
OF_A_PROCESS = {"lock", "environment.json", "SHA256SUMS"}  # files; the last sums others with seconds in them
OF_A_MOMENT = {
    "shared_object_id",
    "seconds",
    "training_seconds",
    "date",
    "started",
    "environment",
    "time",
    "fetched",
    "seconds_per_epoch",
    "at",
}
# The same on pages: days and durations; and a column of tables, in minutes.
ON_PAGES = r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC|\b[\d.]+ (s|min|h|days?)\b"
TIMED = "minutes"


def command(case: str, store: Path) -> list[str]:
    """A case as it is typed, its results in a folder."""
    return [sys.executable, *CASES[case], *(["--store", str(store)] if case in STORED else [])]


def painted(folder: Path) -> None:
    """Two collections, a network, and a classifier with it that has learnt nothing."""
    paint(folder)
    from keras_art.networks import backbones, heads, trained

    network = backbones.load_backbone(str(folder / "tiny.keras"), image_size=16, preprocessing="unit")
    classes = {"style": ["cold", "warm"]}
    card = trained.ModelCard(classes, "unit", "squash", 16, {}, trained.provenance({}))
    trained.save(heads.softmax_classifier(network, 2), folder / "trained.keras", card)


@contextlib.contextmanager
def place(case: str) -> Iterator[Path]:
    """An empty folder with pictures, a network, and for `fetch` a manifest of images that this machine serves."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        painter = multiprocessing.get_context("spawn").Process(target=painted, args=(folder,))  # it computes with Keras
        painter.start()
        painter.join()
        for name in ("museum", "other"):
            table = (folder / name / "labels.csv").read_text().split("\n")
            rows = [f"{row},{'ab'[n % 2]}" for n, row in enumerate(table[1:])]
            (folder / name / "labels.csv").write_text("\n".join([f"{table[0]},artist", *rows]))
        if case != "fetch":
            yield folder
            return
        quiet = functools.partial(_Quiet, directory=str(folder / "museum"))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), quiet) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            at = f"http://127.0.0.1:{server.server_port}"
            bodies = [{"id": f"{at}/{n:02d}.png", "type": "Image", "format": "image/png"} for n in range(24)]
            items = [
                {"id": f"{at}/c{n}", "type": "Canvas", "items": [{"type": "AnnotationPage", "items": [
                    {"type": "Annotation", "motivation": "painting", "body": body}]}]}
                for n, body in enumerate(bodies)
            ]  # fmt: skip
            manifest = {"id": f"{at}/manifest", "type": "Manifest", "label": {"en": ["museum"]}, "items": items}
            manifest["@context"] = "http://iiif.io/api/presentation/3/context.json"
            (folder / "manifest.json").write_text(json.dumps(manifest))
            yield folder
            server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: Any) -> None:
        """Says nothing."""


def started(case: str, folder: Path, store: Path, before: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
    """A case as a process of a group of its own, whose words go to FOLDER/words."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with (folder / "words").open("wb") as words:
        return subprocess.Popen(
            command(case, store),
            cwd=folder,
            env=env,
            stdout=words,
            stderr=words,
            start_new_session=True,
            preexec_fn=before,
        )


class Forked:
    """A case forked off this process, with the methods of `Popen` that are needed here."""

    def __init__(self, case: str, folder: Path, store: Path) -> None:
        (folder / "words").write_bytes(b"")
        self._process = multiprocessing.get_context("fork").Process(target=_typed, args=(case, folder, store))
        self._process.start()

    def poll(self) -> int | None:
        """The status, negative for a signal; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        """The status, once it has ended or so many seconds have passed."""
        self._process.join(timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Sends one."""
        os.kill(self._process.pid or 0, number)


def _typed(case: str, folder: Path, store: Path) -> None:
    """What `python -m` does, in a process that has been forked."""
    os.setsid()
    os.chdir(folder)
    os.environ["PYTHONPATH"] = str(ROOT)
    with (folder / "words").open("wb") as words:
        os.dup2(words.fileno(), 1)
        os.dup2(words.fileno(), 2)
    _, _, module, *sys.argv[1:] = command(case, store)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def imported() -> None:
    """What takes time to be imported is, in this process; nothing is computed, after which none can be forked.

    Of trainings that are over within a minute every epoch is kept.
    """
    terminal.start_backend()
    for name in ("tensorflow", "keras_art.networks", "keras_art.methods", "pandas", "sklearn", "matplotlib.pyplot"):
        importlib.import_module(name)
    importlib.import_module("keras_art.learning.keeping").APART = 0.0  # type: ignore[attr-defined]


def results(case: str, folder: Path, store: Path) -> Path:
    """Where a case leaves what is compared."""
    return folder / PLACES[case] if case in PLACES else store


def contents(folder: Path) -> dict[str, Any]:
    """What is said in every file of a folder, without what is of the moment."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not path.is_file() or path.suffix in (".lock", ".index", ".log") or path.name in OF_A_PROCESS:
            continue
        found[name] = _said(path)
    return found


def _said(path: Path) -> Any:
    if path.suffix in (".keras", ".npz"):
        with zipfile.ZipFile(path) as archive:
            return {
                member: _timeless(json.loads(archive.read(member)))
                if member.endswith(".json")
                else hashlib.sha256(archive.read(member)).hexdigest()
                for member in archive.namelist()
                if member != "metadata.json"  # the day, and Keras's version
            }
    if path.suffix == ".json":
        return _timeless(json.loads(path.read_text()))
    if path.suffix == ".html":
        untimed = re.sub(r"<table>.*?</table>", _untimed, path.read_text(encoding="utf-8"), flags=re.DOTALL)
        return re.sub(ON_PAGES, "", untimed)
    if path.suffix == ".db":
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
        studies = optuna.get_all_study_summaries(storage)
        trials = [t for of in studies for t in optuna.load_study(study_name=of.study_name, storage=storage).trials]
        storage.remove_session()
        storage.engine.dispose()  # the disk that the file is on is about to be taken away
        return [(t.number, t.state.name, t.values, t.params, t.intermediate_values) for t in trials]
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _untimed(table: re.Match[str]) -> str:
    """A page's table without its column of minutes."""
    names = re.findall(r"<th [^>]*>(.*?)</th>", table[0], re.DOTALL)
    if TIMED not in names:
        return table[0]
    cells = re.compile(r"<td[^>]*>.*?</td>", re.DOTALL)

    def without(row: re.Match[str]) -> str:
        if not (found := cells.findall(row[0])):  # the names
            return row[0]
        return "".join(found[: names.index(TIMED)] + found[names.index(TIMED) + 1 :])

    return re.sub(r"<tr>.*?</tr>", without, table[0], flags=re.DOTALL)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(inner) for key, inner in value.items() if key not in OF_A_MOMENT}
    return [_timeless(inner) for inner in value] if isinstance(value, list) else value


def differences(left: dict[str, Any], right: dict[str, Any]) -> list[str]:
    """The files that only one of two folders has, or that differ."""
    return sorted({name for name in {*left, *right} if left.get(name) != right.get(name)})


def kills(case: str, wanted: int, rng: random.Random) -> str:
    """A case's row of the table."""
    count, rounds = 0, 0
    wrong: list[str] = []
    with place(case) as folder:
        store = folder / "store"
        process = Forked(case, folder, store)
        begun = _first_word(process, folder)
        if process.wait() != 0:
            return f"| {case} | 0 | 0 | fails without a kill: {_last_words(folder)} |"
        rest = time.monotonic() - begun
        whole = contents(results(case, folder, store))
        while count < wanted:
            shutil.rmtree(results(case, folder, store), ignore_errors=True)  # one that failed may have made none
            status = -1
            while status != 0:
                process = Forked(case, folder, store)
                number = rng.choice([signal.SIGKILL] * 6 + [signal.SIGTERM, signal.SIGHUP])
                if count < wanted:
                    _first_word(process, folder)
                    if process.wait(rng.uniform(0, rest)) is None:
                        process.send_signal(number)
                        count += 1
                status, words = process.wait(), _last_words(folder)
                if status > 0 and (status != 128 + number or "stopped by" not in words):
                    wrong.append(f"status {status}: {words}")
                    break
            rounds += 1
            left = results(case, folder, store)
            wrong += differences(whole, contents(left)) if status == 0 else []
            if wrong and len(wrong) > 9:
                break
    return f"| {case} | {count} | {rounds} | {len(wrong)}{': ' if wrong else ''}{'; '.join(wrong[:9])} |"


def limits(case: str, rng: random.Random) -> list[str]:
    """A case's rows of the table, one for each fault."""
    rows = []
    with place(case) as folder:
        store = folder / "store"
        process: Forked | subprocess.Popen[bytes] = Forked(case, folder, store)
        begun = _first_word(process, folder)
        if process.wait() != 0:
            return [f"| {case} | | fails without a fault: {_last_words(folder)} |"]
        rest = time.monotonic() - begun
        left = results(case, folder, store)
        whole, size = contents(left), sum(path.stat().st_size for path in left.rglob("*") if path.is_file())
        for fault in FAULTS if case in STORED else FAULTS[:-1]:
            shutil.rmtree(left, ignore_errors=True)  # what failed may have made none
            wrong: list[str] = []
            if fault.endswith("disk"):
                left.mkdir()
                options = f"size={rng.uniform(0.1, 0.9) * size:.0f}" if fault == "full disk" else "ro"
                subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", left], check=True)
            try:
                if fault == "another version":
                    left.mkdir()
                    (left / "store.json").write_text('{"format": 0}')
                kind, most = LIMITS.get(fault, (None, 0))
                before = functools.partial(resource.setrlimit, kind, (most, most)) if kind is not None else None
                process = started(case, folder, store, before) if before else Forked(case, folder, store)
                if fault in ("vanishes", "clock goes back"):
                    _first_word(process, folder)
                    time.sleep(rng.uniform(0, rest))
                    if fault == "vanishes":
                        shutil.rmtree(left, ignore_errors=True)
                    elif process.poll() is None:
                        process.send_signal(signal.SIGKILL)
                status, words = process.wait(), (folder / "words").read_text(errors="replace")
                if status not in (0, 1, -signal.SIGKILL) or "Traceback" in words:
                    wrong.append(f"status {status}: {_last_words(folder)}")
                told = _last_words(folder)
                if fault.endswith("disk"):
                    subprocess.run(["mount", "-o", "remount,rw,size=1g", left], check=True)
                elif fault == "clock goes back":
                    for path in left.rglob("*"):
                        os.utime(path, times=(time.time() + 86400,) * 2)
                elif fault == "another version":
                    (left / "store.json").unlink()
                # What has been written whole need not be written again.
                again = 0 if status == 0 and case in PLACES else Forked(case, folder, store).wait()
                if again != 0:
                    wrong.append(f"then status {again}: {_last_words(folder)}")
                else:
                    wrong += differences(whole, contents(left))
            finally:
                if fault.endswith("disk"):
                    subprocess.run(["umount", left], check=True)
            failures = ": ".join([str(len(wrong)), *filter(None, ["; ".join(wrong[:9])])])
            rows.append(f"| {case} | {fault} | {failures} | {status}: {told[-160:]} |")
    return rows


def _first_word(process: subprocess.Popen[bytes] | Forked, folder: Path) -> float:
    """Waits until a process has said something, or ended."""
    while process.poll() is None and not (folder / "words").stat().st_size:
        time.sleep(0.02)
    return time.monotonic()


def _last_words(folder: Path) -> str:
    return " ".join((folder / "words").read_text(errors="replace").strip().splitlines()[-1:])[-300:]


def main() -> int:
    """Prints a line for every case; returns 1 where something differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("kills", "limits"))
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng, failed = random.Random(asked.seed), False
    imported()
    if asked.what == "limits":
        print("| case | fault | failures | it said |\n|---|---|---:|---|", flush=True)
        for case in asked.cases:
            for row in limits(case, rng):
                failed |= row.split(" | ")[2] != "0"
                print(row, flush=True)
        return int(failed)
    print("| case | kills | ended by itself | differences |\n|---|---:|---:|---|", flush=True)
    for i, case in enumerate(asked.cases):
        share = (asked.kills - i + len(asked.cases) - 1) // len(asked.cases)
        row = kills(case, share, rng)
        failed |= not row.endswith("| 0 |")
        print(row, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

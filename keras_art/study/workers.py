"""Who computes a list of runs: this process, or several of this machine, each of which takes what is ready and free.

The store is all that they share. What a run gives does not depend on who computes it: the number of its threads is the
store's.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.store.runs import Store
from keras_art.study.clock import Clock
from keras_art.study.config import Run, kinds
from keras_art.study.devices import settle, spread
from keras_art.study.execute import execute, train
from keras_art.study.records import leave_out

# What happened to a run, the run, words for people, and the share of it that is done, in [0, 1].
Told = Callable[[Literal["at", "done", "note", "waiting", "left out"], Run, str, float], None]


def carry_out(store: Store, runs: Sequence[Run], told: Told) -> int:
    """Computes in this process what is missing; returns how many runs it computed."""

    def one(run: Run, folder: Path) -> dict[str, Any]:
        told("at", run, "begins", 0.0)
        metrics = train(store, run, folder, lambda line, share: told("at", run, line, share))
        told("done", run, kinds()[run.kind].summary(run, metrics), 1.0)
        for note in metrics.get("notes", []):
            told("note", run, note, 1.0)
        return metrics

    return execute(
        store,
        runs,
        one,
        lambda run: told("waiting", run, "another process computes it", 0.0),
        lambda run, error: told("left out", run, str(error), 1.0),
    )


def compute(
    store: Store, runs: Sequence[Run], seconds: Callable[[Run], float], devices: Sequence[str | None] = (None,)
) -> None:
    """Computes what is missing, telling how far it is, and what a damaged file stops; the others go on.

    Args:
        runs: each after what it needs, as of `plan.ordered`.
        seconds: what each is estimated to take.
        devices: one for every process, as of `settle`; a single one means this process, which has settled already.
    """
    clock = Clock({run: seconds(run) for run in runs})

    def told(what: str, run: Run, words: str, share: float) -> None:
        match what:
            case "at":
                clock.tell(run, f"{run.title}: {words}", share)
            case "done":
                clock.done(run, f"{run.title}: {words}")
            case "note":
                terminal.say(f"  {run.title}: {words}")
            case "left out":
                leave_out(UserError(words))
            case "waiting" if len(devices) == 1:  # several wait for one another all the time
                terminal.say(f"another process computes {run.title}: waiting")

    if len(devices) == 1:
        spread(devices[0])
        carry_out(store, runs, told)
    else:
        together(store, runs, devices, told)


@dataclass
class Worker:
    """A process that computes runs, and what it is at."""

    process: BaseProcess
    device: str | None
    at: Run | None = None
    failure: str = ""


def together(store: Store, runs: Sequence[Run], devices: Sequence[str | None], told: Told) -> None:
    """Computes what is missing in several processes; ends when nothing is left.

    A process that is killed loses what its run did since the last epoch that was kept: its lock is free, another takes
    the run up, and a new process takes its place.

    Raises:
        UserError: a run can not be computed, or two processes were killed at the same one. The others were stopped.
    """
    workers = dict(_start(store, runs, device) for device in devices)
    killed: Counter[Run | None] = Counter()
    try:
        while workers:
            for pipe in wait(list(workers)):
                assert isinstance(pipe, Connection)
                worker = workers[pipe]
                try:
                    what, run, words, share = pipe.recv()
                except (EOFError, OSError):
                    del workers[pipe]
                    worker.process.join()
                    if replaced := _ended(worker, killed):
                        workers |= dict([_start(store, runs, worker.device)])
                        terminal.say(replaced)
                    continue
                if what == "failed":
                    worker.failure = words
                    continue
                worker.at = None if what in ("done", "left out") else run
                told(what, run, words, share)
    finally:
        for worker in workers.values():
            worker.process.terminate()
        for worker in workers.values():
            worker.process.join()


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of a module returns in a process of its own, with which its memory goes, too.

    Raises:
        UserError: the function raised one, or its process was ended from outside.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, function, arguments))
    _begin(process)
    theirs.close()
    try:
        answered, value = ours.recv()
    except EOFError:
        process.join()
        raise UserError(f"a process ended with status {process.exitcode}: if memory is short, stop others") from None
    finally:
        process.terminate()
        process.join()
    if not answered:
        raise UserError(value)
    return value


def _answer(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """What the process of `alone` does."""
    terminal.start_backend()
    try:
        pipe.send((True, function(*arguments)))
    except UserError as error:
        pipe.send((False, str(error)))


def _begin(process: BaseProcess) -> None:
    """Starts a process that Ctrl-C is not for: it is for the one that a person started, which then ends these."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    process.start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(store: Store, runs: Sequence[Run], device: str | None) -> tuple[Connection, Worker]:
    context = multiprocessing.get_context("spawn")  # a backend does not survive a fork
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(store.root, runs, device, theirs))
    _begin(process)
    theirs.close()
    return ours, Worker(process, device)


def _ended(worker: Worker, killed: Counter[Run | None]) -> str:
    """What is told of a process that was killed and is replaced; "" for one that found nothing left to do.

    Raises:
        UserError: it failed, or was the second that was killed at its run.
    """
    code = worker.process.exitcode or 0
    if code == 0:
        return ""
    at = f"at {worker.at.title}" if worker.at else "between two runs"
    if code > 0:
        raise UserError(worker.failure or f"a process ended {at} with status {code}")
    name = signal.Signals(-code).name
    killed[worker.at] += 1
    if killed[worker.at] > 1:
        raise UserError(
            f"two processes were ended by {name} {at}: if memory is short, fewer --jobs need less. "
            "What is finished is kept, and the same command goes on"
        )
    return f"a process was ended by {name} {at}; another goes on from the last epoch that was kept"


def _work(root: Path, runs: Sequence[Run], device: str | None, pipe: Connection) -> None:
    """What a process of `together` does; it ends with 0 when nothing is left."""
    store = Store(root)
    try:
        settle(store, device)
        terminal.start_backend()
        carry_out(store, runs, lambda *event: pipe.send(event))
    except BrokenPipeError:  # nobody is there any more to hear of it
        sys.exit(1)
    except UserError as error:
        pipe.send(("failed", None, str(error), 0.0))
        sys.exit(1)
    except Exception as error:
        traceback.print_exc()
        pipe.send(("failed", None, f"{type(error).__name__}: {error}", 0.0))
        sys.exit(1)

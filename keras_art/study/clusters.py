"""Clusters: SLURM through submitit, Ray through ray. Both start `python -m keras_art work STORE` and no more.

What a run needs is computed by whichever process gets there first, so nothing is told of the order of runs.
"""

from __future__ import annotations

import importlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keras_art.errors import UserError
from keras_art.store.runs import Store
from keras_art.study.config import Run, digest

ANSWER = 5.0  # seconds for a cluster's head to be there, and as many for it to say what it is
# How a client of gRPC, which Ray's head speaks, begins: with its side of HTTP/2, and no settings; the head's follow.
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


@dataclass(frozen=True)
class Cluster:
    """What is asked of a cluster for each process."""

    hours: float = 24.0
    """After which SLURM ends a process; what it was at goes on in another."""
    memory: int = 16
    """In GB."""
    gpus: int = 0
    """Of each process."""
    partition: str | None = None
    """SLURM's."""
    address: str = "local"
    """Ray's head, HOST:PORT, or auto for the one of this machine; local starts one here."""


def words(store: Store, runs: Sequence[Run]) -> list[str]:
    """The command that a process of a cluster carries out."""
    return [sys.executable, "-m", "keras_art", "work", str(store.root.resolve()), *map(digest, runs)]


def check(executor: str, cluster: Cluster) -> None:
    """Whether an executor can be had: asked before any picture is read.

    Raises:
        UserError: its extra is not installed, SLURM is not here, or Ray's head does not answer.
    """
    if executor == "slurm":
        _extra("submitit", "slurm")
        if not shutil.which("srun"):
            raise UserError("SLURM is not here (no srun is found): start this on a node that has sbatch")
    if executor == "ray":
        _extra("ray", "ray")
        if ":" in cluster.address:
            host, _, port = cluster.address.rpartition(":")
            try:
                _ask(host, int(port))
            except (OSError, ValueError) as error:
                raise UserError(f"no Ray answers at {cluster.address} ({error})") from error


def _ask(host: str, port: int) -> None:
    """Whether Ray's head is there; its own client would wait for minutes.

    Raises:
        OSError: nothing is, or something else.
    """
    with socket.create_connection((host, port), timeout=ANSWER) as connection:
        if os.environ.get("RAY_USE_TLS") == "1":
            return
        connection.sendall(HELLO)
        if connection.recv(9)[3:4] != HELLO[-6:-5]:
            raise OSError("what answers there is something else")


def slurm(store: Store, runs: Sequence[Run], jobs: int, cluster: Cluster, to: str = "slurm") -> str:
    """Hands over an array of processes; returns how it is called.

    Args:
        to: "slurm", or submitit's "local" and "debug".

    Raises:
        UserError: submitit is not installed, or SLURM is not here.
    """
    submitit = _extra("submitit", "slurm")
    try:
        executor = submitit.AutoExecutor(folder=store.root / "cluster", cluster=to)
    except RuntimeError as error:
        raise UserError(f"SLURM is not here ({error}): start this on a node that has sbatch") from error
    executor.update_parameters(**_parameters(store, cluster), slurm_array_parallelism=jobs)
    work = submitit.helpers.CommandFunction(words(store, runs))
    with executor.batch():
        handed = [executor.submit(work) for _ in range(jobs)]
    if to != "slurm":
        for job in handed:
            job.result()
    return f"{jobs} jobs, {handed[0].job_id} and on"


def script(store: Store, runs: Sequence[Run], jobs: int, cluster: Cluster) -> str:
    """What `slurm` hands to sbatch.

    Raises:
        UserError: submitit is not installed.
    """
    _extra("submitit", "slurm")
    made = importlib.import_module("submitit.slurm.slurm")
    asked = _parameters(store, cluster)
    parameters = {
        "time": asked["timeout_min"], "mem": f"{cluster.memory}GB", "cpus_per_task": asked["cpus_per_task"],
        "partition": cluster.partition, "gpus_per_node": cluster.gpus or None, "job_name": asked["name"],
    }  # fmt: skip
    return made._make_sbatch_string(
        command=subprocess.list2cmdline(words(store, runs)), folder=str(store.root / "cluster"), map_count=jobs,
        **{name: value for name, value in parameters.items() if value is not None},
    )  # fmt: skip


def _parameters(store: Store, cluster: Cluster) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "name": "keras_art", "timeout_min": max(1, round(60 * cluster.hours)), "mem_gb": cluster.memory,
        "cpus_per_task": store.threads, "slurm_partition": cluster.partition, "gpus_per_node": cluster.gpus or None,
    }  # fmt: skip
    return {name: value for name, value in asked.items() if value is not None}


def ray(store: Store, runs: Sequence[Run], jobs: int, cluster: Cluster) -> None:
    """Starts processes on Ray's nodes and waits until nothing is left; one whose node dies is started elsewhere.

    Raises:
        UserError: ray is not installed, its head does not answer, or a process failed.
    """
    check("ray", cluster)
    library = importlib.import_module("ray")
    if not library.is_initialized():
        try:
            library.init(address=cluster.address, log_to_driver=True)
        except ConnectionError as error:
            raise UserError(f"no Ray answers at {cluster.address} ({error})") from error
    asked = words(store, runs)
    work = library.remote(num_cpus=store.threads, num_gpus=cluster.gpus, max_retries=-1)(
        lambda: subprocess.run(asked, capture_output=True, text=True).stderr
    )
    said = library.get([work.remote() for _ in range(jobs)])
    if left := [run.title for run in runs if store.metrics(run) is None]:
        last = " ".join(text.strip().splitlines()[-1] for text in said if text.strip())
        raise UserError(f"{len(left)} runs could not be computed on Ray's nodes, first {left[0]}: {last}")


def _extra(package: str, name: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(f'{package} is not installed: pip install "keras_art[{name}]"') from error

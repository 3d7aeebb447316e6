"""Which devices of this machine compute runs, and with how many threads."""

from __future__ import annotations

import os
from pathlib import Path

from keras_art import backend
from keras_art.errors import UserError
from keras_art.store.runs import Store


def settle(store: Store, device: str | None = None) -> None:
    """Says to the backend, which has not started yet, how many threads a run of this store takes, and on which device.

    Args:
        device: the numbers of GPUs, "cpu", or None for all there are.

    Raises:
        UserError: several GPUs, and the backend shares no batch among them.
    """
    if device and "," in device and backend.named() != "jax":
        # TensorFlow's MirroredStrategy weights the last, smaller batch of an epoch otherwise than one device does, and
        # normalises each device's part by itself; what a run gives would depend on how many there are.
        raise UserError(
            f"--devices {device} for one process: only JAX shares a run's batches among several devices "
            f"(KERAS_BACKEND=jax); --jobs {device.count(',') + 1} gives a run to each of them"
        )
    threads = str(store.threads)
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "NPROC"):  # TensorFlow, PyTorch, JAX
        os.environ[name] = threads
    # Two processes can share a GPU.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = "" if device == "cpu" else device


def spread(device: str | None) -> None:
    """Where one process has several GPUs, shares every batch among them: its backend has started, and is JAX."""
    if device and "," in device:
        from keras_art.networks.spreading import spread_batches

        spread_batches()


def devices_of(asked: str, jobs: int) -> list[str | None]:
    """The devices that `--devices` and `--jobs` give to every process.

    Args:
        asked: "auto", "cpu", or numbers of GPUs, such as "0,1".
        jobs: at least 1.

    Raises:
        UserError: there is no such GPU, or it is no list of numbers.
    """
    gpus = _gpus()
    if asked == "cpu":
        return ["cpu"] * jobs
    if asked == "auto":
        return [gpus[n % len(gpus)] if gpus and jobs > 1 else None for n in range(jobs)]
    numbers = asked.split(",")
    if not all(number.isdigit() for number in numbers) or len(set(numbers)) < len(numbers):
        raise UserError(f"--devices is auto, cpu, or numbers of GPUs such as 0,1, not {asked!r}")
    if missing := [number for number in numbers if number not in gpus]:
        there = f"GPUs {', '.join(gpus)}" if gpus else "no GPU"
        raise UserError(f"--devices names {', '.join(missing)}, and this machine has {there}")
    return [asked] if jobs == 1 else [numbers[n % len(numbers)] for n in range(jobs)]


def _gpus() -> list[str]:
    """The numbers of the NVIDIA GPUs that this process may use; no backend starts for that."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [number for number in visible.split(",") if number.isdigit()]
    return sorted(path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))

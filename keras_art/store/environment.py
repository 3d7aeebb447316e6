"""What a run is computed with: versions, backend, devices, the state of the code."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

NOT_INSTALLED = "not installed as a package"


def environment() -> dict[str, Any]:
    """Versions, backend, device and the state of the code, for `environment.json`."""
    import keras

    packages = ("keras_art", "keras", keras.config.backend(), "numpy", "pandas", "scikit-learn", "pillow")
    code = Path(__file__).resolve().parent
    return {
        "versions": {package: _version(package) for package in packages},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cpus": os.cpu_count(),
        "backend": keras.config.backend(),
        "devices": keras.distribution.list_devices() if keras.config.backend() != "torch" else _torch_devices(),
        "commit": _git(code, "rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git(code, "status", "--porcelain", "--untracked-files=no")),
        "command": sys.argv,
    }


@functools.cache
def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return NOT_INSTALLED


def processor() -> str:
    """The processor's model as its maker calls it, such as "Intel(R) Xeon(R) CPU @ 2.20GHz"; "" where nothing tells."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        if sys.platform == "darwin":
            asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(asked, capture_output=True, text=True, timeout=10).stdout.strip()
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        if found := re.search(r"^(?:model name|Model|cpu model)\s*:\s*(\S.*)$", told, re.MULTILINE):
            return found[1].strip()
    return platform.processor()


def _torch_devices() -> list[str]:
    import torch

    return [f"cuda:{i}" for i in range(torch.cuda.device_count())] or ["cpu"]


@functools.cache  # of the code that a process has read, for each of the runs that it computes
def _git(folder: Path, *words: str) -> str:
    """What git says of the checkout this code stands in; "" in an installed wheel."""
    try:
        done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

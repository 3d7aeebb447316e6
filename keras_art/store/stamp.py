"""What a store was made with, `store.json`; what of it others of its files tell, where that was lost."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from keras_art.store import plain

FORMAT = 2
FILE = "store.json"
LEASED = re.compile(r"(^|\.)\d{6}\.lock$")  # a lease's file, as `locks` makes it


def told_by_files(root: Path) -> dict[str, Any]:
    """What the runs and the leases of a store tell of how it was made: "threads", "locks"; neither where none does.

    Where runs differ, which nothing but a person's hand can bring about, most of them decide.
    """
    counts: Counter[int] = Counter()
    for path in root.glob("*/*/environment.json"):
        try:
            threads = json.loads(plain.read(path))["threads"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(threads, int) and threads > 0:
            counts[threads] += 1
    found: dict[str, Any] = {}
    if counts:
        found["threads"] = counts.most_common(1)[0][0]
    if any(LEASED.search(path.name) for path in root.glob("*/*.lock")):
        found["locks"] = "lease"
    return found

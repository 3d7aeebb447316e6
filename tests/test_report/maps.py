"""A small map for tests of pages and of other viewers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from keras_art.report import atlases
from keras_art.report.map import Space, Works

STYLES = ("baroque", "cubism", "", "ukiyo-e")


def picture(i):
    """A block of colour that is wider, taller or as wide as tall."""
    return np.full((24 - i % 3 * 4, 24 - i % 2 * 6, 3), (40 + i * 37 % 200, i * 91 % 256, i * 53 % 256), np.uint8)


def small_map(count=30, spaces=1, ids=None, **columns):
    """Works, spaces and atlases of so many pictures; in a space they stand in a spiral."""
    ids = ids or [f"{i:03d}.png" for i in range(count)]
    told = {
        "style": [STYLES[i % 4] for i in range(count)],
        "year": [str(1600 + 7 * i) for i in range(count)],
        **columns,
    }
    made = []
    for n in range(spaces):
        turn = np.arange(count) * (0.7 + n)
        reach = np.sqrt((np.arange(count) + 1) / count) / 2
        cloud = (0.5 + np.column_stack([reach * np.cos(turn), reach * np.sin(turn)])).astype(np.float32)
        far = np.linalg.norm(cloud[:, None] - cloud, axis=2)
        np.fill_diagonal(far, np.inf)
        near = np.argsort(far, axis=1)[:, : min(10, count - 1)]
        made.append(Space(f"Network {n + 1}", cloud, near, np.take_along_axis(far, near, axis=1)))
    works = Works(ids, pd.DataFrame(told), [f"pictures/{i}.png" for i in range(count)])
    return works, made, atlases.drawn(count, picture, 24, np.random.default_rng(0).permutation(count))

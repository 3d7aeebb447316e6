"""Pictures that look alike: a perceptual hash of each, and which hashes are near each other."""

from __future__ import annotations

import numpy as np

from keras_art.pictures.decoded import ImageStore
from keras_art.writing import write_bytes

NEAR = 4  # of 64 bits; at 5 and 6 most pairs of KaoKore are other faces turned the same way


def hashes(images: ImageStore) -> np.ndarray:
    """The perceptual hash (pHash) of every stored picture, (rows,) uint64; computed once and kept beside the pixels."""
    import io

    import imagehash
    from PIL import Image

    pixels, kept = images.pixels(), images.directory / "phash.npy"
    known = np.load(kept, allow_pickle=False) if kept.exists() else np.zeros(0, np.uint64)
    if len(known) < len(pixels):
        new = [imagehash.phash(Image.fromarray(picture)).hash for picture in pixels[len(known) :]]
        packed = np.packbits(np.array(new).reshape(len(new), 64), axis=1).view(">u8").ravel().astype(np.uint64)
        known = np.concatenate([known, packed])
        buffer = io.BytesIO()
        np.save(buffer, known)
        write_bytes(kept, buffer.getvalue())
    return known[: len(pixels)]


def near_groups(values: np.ndarray, distance: int = NEAR) -> np.ndarray:
    """Groups of hashes each at most `distance` bits from another of its group.

    Exact: every hash is compared with every other, identical ones first taken together.

    Args:
        values: (n,) uint64.

    Returns:
        (n,) group numbers from 0; a picture like no other is a group of its own.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    different, index = np.unique(values, return_inverse=True)
    n = len(different)
    left, right = [], []
    for row, value in enumerate(different):
        near = np.flatnonzero(np.bitwise_count(different[row + 1 :] ^ value) <= distance)
        left.append(np.full(len(near), row))
        right.append(near + row + 1)
    rows, columns = (np.concatenate(side) if side else np.zeros(0, int) for side in (left, right))
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(n, n))
    return connected_components(graph, directed=False)[1][index] if n else np.zeros(0, int)

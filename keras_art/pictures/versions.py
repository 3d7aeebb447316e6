"""Pictures that are versions of another in ways that its hash does not see: mirrored, turned by quarters, cut, framed.

All of it is computed from the small squares that are stored anyway: of each picture the hashes of its versions, by the
linear maps that cutting and resizing are; pairs whose hashes are near; and of those the ones whose pixels agree, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain

import numpy as np

from keras_art.pictures.borders import edged, inside
from keras_art.pictures.lookalikes import COSINES, KEPT, SIDE, near_pairs

NEAR = 8  # of 64 bits; which alone would be far too many: pixels decide
ALIKE = 0.95  # correlation of grey values, below which two are different pictures
FINE = 16  # pixels a side on which that is measured: what is cut a little otherwise still lies over itself
FLAT = 3.0  # of 255: the standard deviation of grey below which a picture shows nothing
CHUNK = 1024  # pictures at a time
GREY = np.array([0.299, 0.587, 0.114])
Box = tuple[float, float, float, float]  # left, top, right, bottom: shares of the sides that are cut off
CUTS: dict[str, Box] = {
    **{f"cut by {share:.0%} at each side": (share,) * 4 for share in (0.03, 0.06, 0.09, 0.12)},
    **{f"cut by 12% at {side}": cut for side, cut in {
        "the left": (0.12, 0, 0, 0), "the top": (0, 0.12, 0, 0), "the right": (0, 0, 0.12, 0),
        "the bottom": (0, 0, 0, 0.12)}.items()},
    **{f"cut by 6% at {side}": cut for side, cut in {
        "the left": (0.06, 0, 0, 0), "the top": (0, 0.06, 0, 0), "the right": (0, 0, 0.06, 0),
        "the bottom": (0, 0, 0, 0.06)}.items()},
    **{f"cut by 12% at {corner}": cut for corner, cut in {
        "the left and the top": (0.12, 0.12, 0, 0), "the top and the right": (0, 0.12, 0.12, 0),
        "the right and the bottom": (0, 0, 0.12, 0.12), "the left and the bottom": (0.12, 0, 0, 0.12)}.items()},
}  # fmt: skip
# Whether rows and columns change places, then whether columns and rows are turned round.
TURNS = {
    "mirrored": (False, True, False), "turned upside down and mirrored": (False, False, True),
    "turned by 180°": (False, True, True), "turned by 90° and mirrored": (True, False, False),
    "turned by 90° clockwise": (True, True, False), "turned by 90° anticlockwise": (True, False, True),
    "turned by 270° and mirrored": (True, True, True),
}  # fmt: skip
WHOLE, FRAMED = "as it is", "without its border"
HOW = [WHOLE, FRAMED, *CUTS, *TURNS]


@dataclass(frozen=True)
class Pair:
    """Two pictures one of which is a version of the other.

    Attributes:
        one, other: which, as numbers of those that were compared; `one` is what the other was made of.
        how: what was done to it, in words: of `HOW`, or by how many degrees it was turned.
        likeness: the correlation of their grey values once that is done, at most 1.
    """

    one: int
    other: int
    how: str
    likeness: float


def find(
    pixels: np.ndarray, rows: np.ndarray, progress: Callable[[int, int], None] = lambda done, all: None
) -> list[Pair]:
    """Every two pictures one of which is a version of the other, each pair once, by its likest version.

    Pictures that show nothing are versions of none.

    Args:
        pixels: (stored rows, size, size, 3) uint8.
        rows: (n,), the pictures that are compared, no two of which have one hash, or it takes long.
        progress: called with how many pictures are looked at, and how many there are.
    """
    hashes, fine, boxes, shows = _looked_at(pixels, rows, progress)
    best: dict[tuple[int, int], Pair] = {}
    framed = np.asarray(np.array(boxes).reshape(-1, 4) > 0).any(axis=1)
    for one, how, other, base in _candidates(hashes, shows, np.asarray(framed)):
        likeness = _likeness(pixels, rows, fine, boxes, one, how, other, base)
        for i, h, j, r in zip(
            *(values[likeness >= ALIKE].tolist() for values in (one, how, other, likeness)), strict=True
        ):
            key = min(i, j), max(i, j)
            if key not in best or best[key].likeness < r:
                best[key] = Pair(i, j, HOW[h], r)
    return list(best.values())


def _looked_at(
    pixels: np.ndarray, rows: np.ndarray, progress: Callable[[int, int], None]
) -> tuple[np.ndarray, np.ndarray, list[Box], np.ndarray]:
    """Hashes by `HOW`, (n, len(HOW)) uint64; greys, (n, FINE, FINE); the borders, as cuts; and who shows anything."""
    hashes = np.zeros((len(rows), len(HOW)), np.uint64)
    fine = np.zeros((len(rows), FINE, FINE), np.float32)
    shows, boxes = np.zeros(len(rows), bool), []
    for start in range(0, len(rows), CHUNK):
        part = slice(start, start + CHUNK)
        squares = np.stack([pixels[row] for row in rows[part]])
        grey = squares @ GREY
        shows[part] = grey.std(axis=(1, 2)) >= FLAT
        fine[part] = reduced(grey, (0.0,) * 4, FINE)
        low = _low(grey, (0.0,) * 4)
        of_cuts = {WHOLE: low, **{how: _low(grey, cut) for how, cut in CUTS.items()}}
        edges = edged(squares)
        borders = [_border(square) if edge else (0.0,) * 4 for square, edge in zip(squares, edges, strict=True)]
        of_cuts[FRAMED] = low.copy()
        for i, cut in enumerate(borders):
            if any(cut):
                of_cuts[FRAMED][i] = _low(grey[i : i + 1], cut)[0]
        for place, how in enumerate(HOW):
            hashes[part, place] = _hashes(_turned(low, how, sign=True) if how in TURNS else of_cuts[how])
        boxes += borders
        progress(min(start + CHUNK, len(rows)), len(rows))
    return hashes, fine, boxes, shows


def _candidates(
    hashes: np.ndarray, shows: np.ndarray, framed: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Pictures and their versions, and the others which look like that as they are, or without their borders."""
    used = np.zeros(hashes.shape, bool)
    used[shows] = True
    used[~framed, HOW.index(FRAMED)] = False
    owner, how = np.nonzero(used)
    different, value = np.unique(hashes[used], return_inverse=True)
    order = np.argsort(value, kind="stable")
    count = np.bincount(value, minlength=len(different))
    start = np.cumsum(count) - count
    is_base = np.bincount(value, how < 2, minlength=len(different)) > 0
    same = np.arange(len(different))[count > 1]
    for a, b in chain([(same, same)], near_pairs(different, NEAR)):
        kept = is_base[a] | is_base[b]
        a, b = a[kept], b[kept]
        times = count[a] * count[b]
        pair = np.repeat(np.arange(len(a)), times)
        within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
        left = order[start[a][pair] + within // count[b][pair]]
        right = order[start[b][pair] + within % count[b][pair]]
        for x, y in ((left, right), (right, left)):
            # A version of one against the other as it is; both as they are is what the hash itself sees.
            wanted = (how[y] < 2) & (owner[x] != owner[y]) & ((how[x] > 0) | (how[y] > 0))
            if wanted.any():
                yield owner[x][wanted], how[x][wanted], owner[y][wanted], how[y][wanted]


def _likeness(
    pixels: np.ndarray, rows: np.ndarray, fine: np.ndarray, boxes: Sequence[Box],
    one: np.ndarray, how: np.ndarray, other: np.ndarray, base: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """The correlation of each version of `one` with `other`, (pairs,)."""
    found = np.zeros(len(one))
    for h in np.unique(how):
        for start in range(0, int((how == h).sum()), CHUNK):
            mine = np.flatnonzero(how == h)[start : start + CHUNK]
            if HOW[h] in CUTS:
                seen = reduced(np.stack([pixels[rows[i]] for i in one[mine]]) @ GREY, CUTS[HOW[h]], FINE)
            elif HOW[h] == FRAMED:
                seen = np.stack([_unframed(pixels, rows, boxes, i) for i in one[mine]])
            else:
                seen = _turned(fine[one[mine]], HOW[h])
            against = fine[other[mine]]
            for place in np.flatnonzero(base[mine] == HOW.index(FRAMED)):
                against[place] = _unframed(pixels, rows, boxes, other[mine[place]])
            found[mine] = (_normed(seen) * _normed(against)).sum(axis=1)
    return found


def _unframed(pixels: np.ndarray, rows: np.ndarray, boxes: Sequence[Box], i: int) -> np.ndarray:
    return reduced(pixels[rows[i]][None] @ GREY, boxes[i], FINE)[0]


def _normed(grey: np.ndarray) -> np.ndarray:
    flat = grey.reshape(len(grey), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)


def _turned(square: np.ndarray, how: str, *, sign: bool = False) -> np.ndarray:
    """Squares (n, side, side) mirrored or turned; or their frequencies, of which the odd ones change their sign."""
    if how not in TURNS:
        return square
    swapped, across, down = TURNS[how]
    square = square.transpose(0, 2, 1) if swapped else square
    if sign:
        signs = np.where(np.arange(square.shape[1]) % 2, -1.0, 1.0)
        square = square * signs if across else square
        return square * signs[:, None] if down else square
    square = square[:, :, ::-1] if across else square
    return square[:, ::-1] if down else square


@cache
def _resized(begin: float, end: float, size: int, side: int) -> np.ndarray:
    """What makes `side` of `size` pixels, between two shares of them, by Lanczos's filter as Pillow has it."""
    scale = (end - begin) * size / side
    wide = max(scale, 1.0)
    centres = begin * size + (np.arange(side) + 0.5) * scale
    x = (np.arange(size) + 0.5 - centres[:, None]) / wide
    weights = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)
    return weights / weights.sum(axis=1, keepdims=True)


def reduced(grey: np.ndarray, cut: Box, side: int) -> np.ndarray:
    """What a cut leaves of greys (n, size, size), made small, (n, side, side)."""
    left, top, right, bottom = cut
    size = grey.shape[1]
    return _resized(top, 1 - bottom, size, side) @ grey @ _resized(left, 1 - right, size, side).T


def _low(grey: np.ndarray, cut: Box) -> np.ndarray:
    """The lowest frequencies of what is left, (n, KEPT, KEPT)."""
    left, top, right, bottom = cut
    size = grey.shape[1]
    return (
        (COSINES @ _resized(top, 1 - bottom, size, SIDE)) @ grey @ (COSINES @ _resized(left, 1 - right, size, SIDE)).T
    )


def _hashes(low: np.ndarray) -> np.ndarray:
    flat = np.round(low.reshape(len(low), KEPT * KEPT), 6)
    middle = np.sort(flat, axis=1)[:, KEPT * KEPT // 2 - 1 :][:, :2].sum(axis=1, keepdims=True) / 2
    return np.packbits(flat > middle, axis=1).view(">u8")[:, 0].astype(np.uint64)


def _border(square: np.ndarray) -> Box:
    """The border of a picture as shares of its sides, and a pixel more, for the seam is of both."""
    size = len(square)
    left, top, right, bottom = inside(square)
    sides = left, top, size - right, size - bottom
    return tuple((side + (side > 0)) / size for side in sides)  # type: ignore[return-value]

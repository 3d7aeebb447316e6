"""Pictures that look alike: a perceptual hash of each, and which hashes are near each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
from PIL import Image

NEAR = 4  # of 64 bits; at 5 and 6 most pairs of KaoKore are other faces turned the same way
SIDE, KEPT = 32, 8  # pixels a side, and the lowest frequencies each way
COSINES = 2 * np.cos(np.pi * np.arange(KEPT)[:, None] * (2 * np.arange(SIDE) + 1) / (2 * SIDE))


def perceptual_hash(pixels: np.ndarray) -> int:
    """The pHash of a picture: which of its 64 lowest frequencies are stronger than their median.

    Bit for bit that of the package imagehash, which takes half a second to import.

    Args:
        pixels: (height, width, 3) uint8.

    Returns:
        64 bits, the first one highest.
    """
    grey = Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    # Rounded: what is 0 in a picture without detail, or one that mirrors itself, must not be told by the last digits.
    low = np.round(COSINES @ np.asarray(grey, np.float64) @ COSINES.T, 6)
    middle = np.sort(low, axis=None)[KEPT * KEPT // 2 - 1 :][:2].sum() / 2
    return int.from_bytes(np.packbits(low > middle).tobytes())


def near_groups(values: np.ndarray, distance: int = NEAR) -> np.ndarray:
    """Groups of hashes each at most `distance` bits from another of its group.

    Args:
        values: (n,) uint64.
        distance: at most 62.

    Returns:
        (n,) group numbers from 0; a picture like no other is a group of its own.
    """
    different, index = np.unique(values, return_inverse=True)
    edges = _Edges(len(different))
    for one, other in near_pairs(different, distance):
        edges.add(one, other)
    return edges.groups()[index]


def near_pairs(different: np.ndarray, distance: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The places of every two hashes that are at most `distance` bits apart, in portions; some pairs more than once.

    Exact. The 64 bits are cut into two blocks more than `distance`: whoever differs in no more bits has at least two
    blocks in common. So for every two blocks only hashes that agree in both are compared, which stand together once
    sorted.

    Args:
        different: (n,) uint64, no two of them equal.
        distance: at most 62.
    """
    cuts = np.linspace(0, 64, distance + 3).astype(int)
    masks = [(1 << int(end)) - (1 << int(begin)) for begin, end in pairwise(cuts)]
    for one, two in combinations(masks, 2):
        shared = different & np.uint64(one | two)
        order = np.argsort(shared)
        shared, ordered = shared[order], different[order]
        first, step = np.arange(len(order)), 1
        while len(first):  # each with the next but `step`, as long as that agrees
            first = first[first + step < len(order)]
            first = first[shared[first] == shared[first + step]]
            near = first[np.bitwise_count(ordered[first] ^ ordered[first + step]) <= distance]
            yield order[near], order[near + step]
            step += 1


class _Edges:
    """Pairs of nodes, of which no more are kept than their groups need."""

    def __init__(self, nodes: int) -> None:
        self.nodes, self.pairs = nodes, [np.zeros((2, 0), np.int64)]
        self.count = 0

    def add(self, one: np.ndarray, other: np.ndarray) -> None:
        self.pairs.append(np.stack([one, other]))
        self.count += len(one)
        if self.count > 4 * self.nodes:
            groups = self.groups()
            _, first = np.unique(groups, return_index=True)
            self.pairs, self.count = [np.stack([np.arange(self.nodes), first[groups]])], self.nodes

    def groups(self) -> np.ndarray:
        """(nodes,) numbers from 0, in the order of each group's first node."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        if not self.nodes:
            return np.zeros(0, int)
        rows, columns = np.concatenate(self.pairs, axis=1)
        graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(self.nodes, self.nodes))
        return connected_components(graph, directed=False)[1]

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy.sparse.csgraph import connected_components

from keras_art.pictures.decoded import ImageStore
from keras_art.pictures.lookalikes import near_groups, perceptual_hash


def brute(values: np.ndarray, distance: int) -> list[set[int]]:
    """Groups by hand: join whatever is near, until nothing changes."""
    groups = [{i} for i in range(len(values))]
    for i in range(len(values)):
        for j in range(i):
            if bin(int(values[i]) ^ int(values[j])).count("1") <= distance:
                a, b = (next(group for group in groups if k in group) for k in (i, j))
                if a is not b:
                    a |= b
                    groups.remove(b)
    return groups


def test_near_groups_agree_with_comparing_every_pair_bit_by_bit():
    rng = np.random.default_rng(0)
    seeds = rng.integers(0, 2**63, 20, dtype=np.uint64)
    values = rng.choice(seeds, 120)
    for _ in range(3):  # up to three bits away from a seed
        values ^= np.where(rng.random(120) < 0.7, np.uint64(1) << rng.integers(0, 64, 120).astype(np.uint64), 0).astype(
            np.uint64
        )
    for distance in (0, 2, 4):
        found = near_groups(values, distance)
        assert {frozenset(np.flatnonzero(found == g)) for g in found} == {frozenset(g) for g in brute(values, distance)}


def test_identical_hashes_are_one_group_however_many_and_none_are_none():
    assert len(np.unique(near_groups(np.full(50_000, 7, np.uint64)))) == 1
    assert len(near_groups(np.zeros(0, np.uint64))) == 0


def test_a_smaller_brighter_copy_hashes_alike_and_another_picture_does_not(tmp_path):
    rng = np.random.default_rng(0)
    for name in "ab":
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).resize((300, 200))
        coarse.save(tmp_path / f"{name}.png")
        ImageEnhance.Brightness(coarse.resize((150, 100))).enhance(1.1).save(tmp_path / f"{name}2.jpg", quality=70)
    store = ImageStore(tmp_path / "store", 64)
    paths = [tmp_path / name for name in ("a.png", "a2.jpg", "b.png", "b2.jpg")]
    groups = near_groups(store.scan(paths)["alike"].to_numpy())
    assert groups[0] == groups[1] != groups[2] == groups[3]


def test_hashes_are_imageshashs_to_the_bit_and_kept_with_the_pixels(tmp_path):
    imagehash = pytest.importorskip("imagehash")
    rng = np.random.default_rng(0)
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[None], 64, axis=0)
    plain = [np.full((64, 64), 77, np.uint8), ramp, np.minimum(ramp, ramp[:, ::-1]), ramp.T]
    pictures = [np.stack([grey] * 3, axis=-1) for grey in plain]  # constant, a gradient, mirrored
    pictures += list(rng.integers(0, 256, (20, 64, 64, 3), np.uint8))
    for i, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(tmp_path / f"{i:02d}.png")
    store = ImageStore(tmp_path / "store", 64)
    for workers in (1, 2):
        kept = store.scan(sorted(tmp_path.glob("*.png")), workers=workers)["alike"]
        for pixels, alike in zip(pictures, kept, strict=True):
            assert int(str(imagehash.phash(Image.fromarray(pixels))), 16) == alike == perceptual_hash(pixels)


def test_many_hashes_are_grouped_as_by_comparing_every_pair():
    """The same group numbers, of hashes spread out, crowded, and all within one block."""
    rng = np.random.default_rng(0)
    spread = rng.integers(0, 2**64, 3000, dtype=np.uint64)
    for row in range(0, 3000, 3):
        spread[row] = spread[row + 1]
        for bit in rng.choice(64, rng.integers(0, 8), replace=False):
            spread[row] ^= np.uint64(1) << np.uint64(bit)
    crowded = np.uint64(5) << rng.integers(0, 62, 800).astype(np.uint64)
    for values in (spread, crowded, rng.integers(0, 2**11, 1500, dtype=np.uint64)):
        for distance in (1, 4, 6):
            near = np.bitwise_count(values[:, None] ^ values[None]) <= distance
            expected = connected_components(near, directed=False)[1]
            found = near_groups(values, distance)
            assert len(set(zip(found, expected, strict=True))) == len(set(expected)) == len(set(found))

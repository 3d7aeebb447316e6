from __future__ import annotations

import numpy as np
from PIL import Image, ImageEnhance

from keras_art.pictures.decoded import ImageStore
from keras_art.pictures.lookalikes import hashes, near_groups


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
    rows = store.scan(paths)["row"].to_numpy()
    groups = near_groups(hashes(store)[rows])
    assert groups[0] == groups[1] != groups[2] == groups[3]


def test_hashes_are_computed_once_and_grow_with_the_store(tmp_path, monkeypatch):
    import imagehash

    store = ImageStore(tmp_path / "store", 32)
    rng = np.random.default_rng(0)
    for i in range(4):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(tmp_path / f"{i}.png")
    store.scan([tmp_path / "0.png", tmp_path / "1.png"])
    first = hashes(store)
    store.scan([tmp_path / f"{i}.png" for i in range(4)])
    real, asked = imagehash.phash, []
    monkeypatch.setattr(imagehash, "phash", lambda picture: asked.append(1) or real(picture))
    assert (hashes(store)[:2] == first).all()
    assert len(asked) == 2
    assert len(hashes(store)) == 4
    assert len(asked) == 2

"""A photograph: a textured solid on a table, lit from one side; the source half, to learn from before the paintings."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from keras_art.atelier.pixels import Rng, eight_bit, noise

TEXTURES = ("brick", "wood", "marble", "plaid", "spots")
PROFILES = {  # (radius, height) turned round the upright axis; the cube's is turned round a square
    "sphere": [(np.sin(t), -np.cos(t)) for t in np.linspace(0, np.pi, 33)],
    "cube": [(0, -0.72), (0.72, -0.72), (0.72, 0.72), (0, 0.72)],
    "cylinder": [(0, -0.85), (0.7, -0.85), (0.7, 0.85), (0, 0.85)],
    "cone": [(0, -0.8), (0.95, -0.8), (0, 1.1)],
    "torus": [(0.75 - 0.33 * np.cos(t), -0.33 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 33)],
}
# Every shape wears two textures and every texture two shapes: neither alone tells the object.
OBJECTS = [f"{TEXTURES[(i + j) % 5]} {shape}" for i, shape in enumerate(PROFILES) for j in range(2)]


def _solid(shape: str, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points and unit normals of a surface, (n, 3) each, at u (around) and v (along the profile), 0..1."""
    profile = np.array(PROFILES[shape], float)
    pieces = np.diff(profile, axis=0)
    lengths = np.hypot(*pieces.T)
    ends = np.cumsum(lengths)
    part = np.minimum(np.searchsorted(ends, v * ends[-1], side="right"), len(pieces) - 1)
    done = 1 - (ends[part] - v * ends[-1]) / lengths[part]
    radius, height = (profile[part] + pieces[part] * done[:, None]).T
    along_r, along_z = (pieces[part] / lengths[part, None]).T
    angle = facing = 2 * np.pi * u
    if shape == "cube":
        facing = np.round(angle / (np.pi / 2)) * (np.pi / 2)
        radius = radius / np.cos(angle - facing)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
    return points, np.stack([along_z * np.cos(facing), along_z * np.sin(facing), -along_r], axis=1)


def _texture(rng: Rng, name: str, points: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """How much of the second colour shows at each point of a surface, 0..1."""
    waves = np.sin(points @ rng.normal(0, (2, 3, 4, 6), (3, 4)) + rng.uniform(0, 6, 4)).sum(axis=1) / 2
    scale = rng.uniform(0.8, 1.25)
    u, v = u * round(14 * scale), v * round(14 * scale)
    if name == "wood":
        return 0.5 + 0.5 * np.sin(22 * scale * np.hypot(points[:, 0] + 0.6, 0.3 * points[:, 2]) + waves)
    if name == "marble":
        return np.abs(np.sin(3 * scale * (points @ (0.7, 0.5, 0.4)) + 2.2 * waves)) ** 0.4
    if name == "brick":
        return (np.minimum(v % 1, (u + v // 1 % 2) % 2) > 0.16) * (0.85 + 0.1 * waves)
    if name == "plaid":
        return 0.5 * (u % 2 < 0.9) + 0.35 * (v % 2 < 0.9) + 0.15 * ((u * 4) % 1 > 0.5)
    return (np.hypot(u % 1 - 0.5, v % 1 - 0.5) < 0.32) * 1.0


def _rotation(axis: int, angle: float) -> np.ndarray:
    turned, plane = np.eye(3), [i for i in range(3) if i != axis]
    turned[np.ix_(plane, plane)] = [(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))]
    return turned


def photograph(rng: Rng, texture: str, shape: str, size: int) -> np.ndarray:
    """A photograph, (size, size, 3) float, not clipped, of one of `OBJECTS`."""
    first, second, wall, table = rng.uniform(40, 215, (4, 1)) + rng.normal(0, 35, (4, 3))
    second = first + np.where(first.mean() > 128, -1, 1) * rng.uniform(60, 120) + 0.4 * (second - second.mean())
    lamp = np.array([rng.uniform(-1, 1), rng.uniform(0.3, 1), rng.uniform(0.4, 1)])
    lamp /= np.sqrt((lamp**2).sum())
    place, scale = rng.uniform(0.42, 0.58, 2), rng.uniform(0.26, 0.36)

    # Wall and table, out of focus, under the shadow of the solid.
    y, x = np.mgrid[0:size, 0:size] / size
    near = np.clip((y - rng.uniform(0.35, 0.6)) * 12, 0, 1)[..., None]
    clutter = rng.uniform(0, 22) * noise(rng, size, int(rng.integers(3, 16)))
    shadow = ((x - place[0] + 0.15 * lamp[0]) / 1.3) ** 2 + ((y - place[1] - 0.8 * scale) / 0.5) ** 2
    dark = (1.1 - 0.3 * y) * (1 - 0.6 * np.clip(1.4 - shadow / scale**2, 0, 1))
    picture = (wall + (table - wall) * near + clutter[..., None]) * dark[..., None]

    # The solid: points dense enough to leave no hole; those that face us, the nearest last.
    around = 2.6 * size
    u, v = (axis.ravel() for axis in np.meshgrid(np.arange(0, 1, 1 / around), np.arange(0, 1, 2 / around)))
    points, normals = _solid(shape, u, v)
    view = _rotation(2, rng.normal(0, 0.25)) @ _rotation(0, -rng.uniform(0.6, 1.3)) @ _rotation(2, rng.uniform(0, 7))
    front = (normals @ view[2]) > 0
    points, normals, u, v = points[front], normals[front] @ view.T, u[front], v[front]
    mixed = first + (second - first) * _texture(rng, texture, points, u, v)[:, None]
    gloss = rng.uniform(0, 120) * np.clip(normals @ (lamp + np.array([0, 0, 1])) / 1.8, 0, 1) ** 24
    colour = mixed * (0.3 + 0.85 * np.clip(normals @ lamp, 0, 1))[:, None] + gloss[:, None]
    right, up, nearness = view @ points.T
    order = np.argsort((1000 * nearness + 4000).astype(np.uint16), kind="stable")  # integers sort fastest
    where = np.stack([place[1] - scale * up, place[0] + scale * right])[:, order]
    row, column = np.clip((where * size).astype(int), 0, size - 1)
    picture[row, column] = colour[order]

    # The camera: a soft lens, dark corners, a noisy sensor.
    lens = ImageFilter.GaussianBlur(rng.uniform(0.4, 1.1) * size / 128)
    picture = np.asarray(Image.fromarray(eight_bit(picture)).filter(lens), float)
    corners = 1 - rng.uniform(0.2, 1.2) * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    return picture * corners[..., None] + rng.normal(0, rng.uniform(2, 7), picture.shape)

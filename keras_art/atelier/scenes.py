"""What an artist sees: a landscape, a seascape, a portrait or a still life, in a palette and from one side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from keras_art.atelier.artists import PALETTES, Artist
from keras_art.atelier.pixels import Rng, eight_bit, ink

Shapes = list[tuple[np.ndarray, np.ndarray]]  # back to front: (n, 2) points in the unit square, a colour in 0..255

FRAME = np.array([(-2, -2), (3, -2), (3, 3), (-2, 3)], float)


@dataclass(frozen=True)
class Scene:
    """What the painter sees: the shapes, the palette they came from, and the view they make."""

    shapes: Shapes
    palette: np.ndarray  # (6, 3) 0..255
    view: np.ndarray  # (size, size, 3) 0..255

    def pixels(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the view at (..., 2) points of the unit square."""
        x, y = np.moveaxis(np.clip((xy * len(self.view)).astype(int), 0, len(self.view) - 1), -1, 0)
        return y, x

    def softened(self, blur: float) -> Image.Image:
        """The view out of focus, twice its size: styles paint at double size and are halved afterwards."""
        image = Image.fromarray(eight_bit(self.view)).filter(ImageFilter.GaussianBlur(blur * len(self.view) / 128))
        return image.resize((2 * image.width, 2 * image.width))


def _blob(rng: Rng, x: float, y: float, rx: float, ry: float, rough: float = 0.04) -> np.ndarray:
    turn = np.arange(18) * (2 * np.pi / 18)
    radius = 1 + rough * rng.normal(size=18)
    return np.stack([x + rx * radius * np.cos(turn), y + ry * radius * np.sin(turn)], axis=1)


def landscape(rng: Rng, palette: np.ndarray) -> Shapes:
    """Sky and sun, two to four ridges, trees."""
    light, sky, middle, deep, accent, dark = palette
    horizon = rng.uniform(0.3, 0.6)
    shapes = [(FRAME, sky), (_blob(rng, rng.uniform(0, 1), horizon * rng.uniform(0.2, 0.9), 0.08, 0.08), light)]
    x = np.linspace(-0.4, 1.4, 14)
    grounds = rng.permutation([middle, deep, (middle + light) / 2, (deep + accent) / 2])[: rng.integers(2, 5)]
    for i, ground in enumerate(grounds):
        waves = np.sin(x * rng.uniform(2, 7) + rng.uniform(0, 6)) + 0.3 * rng.normal(size=14)
        top = np.stack([x, horizon + 0.16 * i + rng.uniform(0.01, 0.07) * waves], axis=1)
        shapes.append((np.vstack([top, [(1.4, 3), (-0.4, 3)]]), ground))
    for y in np.sort(rng.uniform(horizon + 0.05, 0.95, rng.integers(1, 6))):
        x0, tall = rng.uniform(0, 1), rng.uniform(0.25, 0.5) * y
        crown = (deep if rng.random() < 0.7 else accent) * rng.uniform(0.7, 1.1)
        shapes.append((_blob(rng, x0, y - tall / 2, 0.014, tall / 2), dark))
        shapes.append((_blob(rng, x0, y - tall, tall * rng.uniform(0.2, 0.5), tall / 2, 0.1), crown))
    return shapes


def seascape(rng: Rng, palette: np.ndarray) -> Shapes:
    """Sky with clouds, water with bands of light, sails, at times a cliff."""
    light, sky, middle, deep, accent, dark = palette
    horizon = rng.uniform(0.3, 0.6)
    shapes = [(FRAME, sky)]
    for x, y in rng.random((rng.integers(0, 4), 2)):
        shapes.append((_blob(rng, x, y * horizon, 0.2, 0.05, 0.15), (light + sky) / 2))
    shapes.append((FRAME * (1, 0.5) + (0, horizon + 1), middle))
    for x, y in rng.random((rng.integers(4, 10), 2)):
        band = _blob(rng, x, horizon + (1.1 - horizon) * y**1.5, rng.uniform(0.1, 0.4), 0.012 + 0.02 * y)
        shapes.append((band, light if rng.random() < 0.4 else deep))
    if rng.random() < 0.5:
        cliff = _blob(rng, float(rng.integers(2)), horizon, rng.uniform(0.2, 0.4), rng.uniform(0.1, 0.3), 0.1)
        shapes.append((np.minimum(cliff, (9, horizon + 0.04)), (dark + deep) / 2))
    for y in np.sort(rng.uniform(horizon, 0.85, rng.integers(1, 4))):
        at, tall = (rng.uniform(0.1, 0.9), y), 0.12 + 0.4 * (y - horizon)
        sail = np.array([(0, -1), (rng.choice([-0.5, 0.5]), -0.05), (0, -0.05)]) * tall + at
        hull = np.array([(-0.4, 0), (0.4, 0), (0.25, 0.15), (-0.3, 0.15)]) * tall + at
        shapes += [(sail, light if rng.random() < 0.5 else accent), (hull, dark)]
    return shapes


def portrait(rng: Rng, palette: np.ndarray) -> Shapes:
    """Head and shoulders before a wall, at times with a fringe or a hat."""
    light, sky, middle, deep, accent, dark = palette
    wall, coat, hair = rng.permutation([sky, middle, deep, (deep + dark) / 2, accent, light * 0.9])[:3]
    skin = light * 0.65 + np.array([200, 140, 100]) * 0.35
    x, y, r = rng.uniform(0.38, 0.62), rng.uniform(0.36, 0.46), rng.uniform(0.14, 0.19)
    gaze = x + rng.uniform(-0.35, 0.35) * r
    shapes = [(FRAME, wall), (_blob(rng, x, y + r * rng.uniform(-0.3, 0.5), r * 1.25, r * 1.5, 0.06), hair)]
    shapes += [
        (_blob(rng, x, y + r * 1.2, r * 0.45, r), skin * 0.8),
        (_blob(rng, x, y + r * 3.6, r * 2.2, r * 2), coat),
    ]
    shapes += [(_blob(rng, x, y, r, r * 1.3, 0.02), skin), (_blob(rng, x + r * 0.7, y, r * 0.28, r * 0.9), skin * 0.85)]
    if rng.random() < 0.6:
        shapes.append((np.minimum(_blob(rng, x, y - r * 0.3, r * 1.15, r * 1.2), (9, y - r * 0.55)), hair))
    for side in (-0.42, 0.42):
        shapes.append((_blob(rng, gaze + side * r, y - r * 0.1, r * 0.2, r * 0.1), dark))
    nose = np.array([(0, -0.1), (0.16, 0.45), (-0.1, 0.45)]) * r + (gaze, y)
    return [*shapes, (nose, skin * 0.72), (_blob(rng, gaze, y + r * 0.75, r * 0.32, r * 0.1), accent * 0.8)]


def still_life(rng: Rng, palette: np.ndarray) -> Shapes:
    """A table before a wall; bottles and fruit, each with its shadow and its light."""
    light, sky, middle, deep, accent, _ = palette
    wall, table = rng.permutation([sky, middle, light, deep, (middle + accent) / 2])[:2]
    edge, slope = rng.uniform(0.45, 0.65), rng.uniform(-0.06, 0.06)
    shapes = [(FRAME, wall), (np.array([(-1, edge - slope), (2, edge + slope), (2, 3), (-1, 3)]), table)]
    bottle = np.array([(-1, 1), (1, 1), (1, -1.4), (0.35, -2.2), (0.35, -4), (-0.35, -4), (-0.35, -2.2), (-1, -1.4)])
    for y in np.sort(rng.uniform(edge, 0.85, rng.integers(3, 7))):
        x, r = rng.uniform(0.12, 0.88), rng.uniform(0.07, 0.13)
        colour = np.array([accent, deep, light, middle, (accent + light) / 2])[rng.integers(5)]
        upright = bottle * (0.7 * r, rng.uniform(0.7, 1) * r) + (x, y)
        shapes.append((_blob(rng, x + r * 0.6, y + r * 0.85, r * 1.3, r * 0.3), table * 0.55))
        shapes.append((upright if rng.random() < 0.4 else _blob(rng, x, y, r, r, 0.03), colour))
        shapes.append((_blob(rng, x - r * 0.3, y - r * 0.3, r * 0.25, r * 0.3), (colour + light) / 2))
    return shapes


TYPES: dict[str, tuple[float, Callable[[Rng, np.ndarray], Shapes]]] = {
    "landscape": (0.30, landscape),
    "still life": (0.25, still_life),
    "portrait": (0.25, portrait),
    "seascape": (0.20, seascape),
}


def see(rng: Rng, artist: Artist, type_: str, size: int) -> Scene:
    """Composes, then varies: hues, crop, tilt, left or right, light from one side."""
    colours = bytes.fromhex(PALETTES[artist.palettes[rng.choice(3, p=(0.7, 0.2, 0.1))]])
    palette = np.frombuffer(colours, np.uint8).reshape(6, 3) + rng.normal(0, 9, (6, 3)) + rng.normal(0, 9, 3)
    turn, zoom = rng.normal(0, 0.06), artist.zoom * rng.uniform(0.85, 1.2)
    spin = zoom * np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
    if rng.random() < 0.5:
        spin[:, 0] *= -1
    centre = rng.uniform(0.44, 0.56, 2)
    shapes = [((points - centre) @ spin + 0.5, colour) for points, colour in TYPES[type_][1](rng, palette)]
    image = Image.new("RGB", (size, size))
    for points, colour in shapes:
        ImageDraw.Draw(image).polygon((points * size).ravel().tolist(), fill=ink(colour))
    side, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.35)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    light = rng.uniform(0.85, 1.12) + strength * (x * np.cos(side) + y * np.sin(side))
    return Scene(shapes, palette, np.asarray(image) * light[..., None])

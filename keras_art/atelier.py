"""The embedded collection: little paintings, and photographs to learn from first, both made by procedure.

A painting is composed as flat polygons (its type), seen in a palette, painted stroke by stroke in a style by the
hand of an artist, and laid on a material. All four are known because they were chosen before the first stroke.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Rng = np.random.Generator
Shapes = list[tuple[np.ndarray, np.ndarray]]  # back to front: (n, 2) points in the unit square, a colour in 0..255

HALVES = {"target": ("artist", "style", "type", "material"), "source": ("object",)}


@dataclass(frozen=True)
class Artist:
    """A hand. Lengths are in pixels of a picture 128 pixels wide."""

    name: str
    style: str
    share: int  # paintings of every hundred
    palettes: tuple[str, str, str]  # the dearest first
    length: float  # of a stroke, between dots, across a facet or a band
    width: float  # of the brush, the dot, the drawn line, or a band's soft edge
    angle: float | None  # degrees, the habitual direction; None follows the form
    zoom: float  # how close the artist stands
    relief: float  # thickness of the paint, 0 is flat


ARTISTS = [
    Artist("maud ferrier", "impressionism", 16, ("garden", "harbour", "dawn"), 15, 3.0, None, 0.9, 0.4),
    Artist("iwan solberg", "impressionism", 8, ("dusk", "garden", "ochre"), 9, 5.5, 60, 1.15, 0.9),
    Artist("celeste arnaud", "pointillism", 11, ("dawn", "garden", "primary"), 2.4, 2.6, 0, 0.9, 0.1),
    Artist("piet hollander", "pointillism", 5, ("harbour", "dusk", "garden"), 4.2, 5.2, None, 1.1, 0.4),
    Artist("bruno valdes", "cubism", 13, ("ochre", "dusk", "harbour"), 14, 0.8, 25, 1.1, 0.1),
    Artist("ilse kramer", "cubism", 6, ("ochre", "primary", "dawn"), 25, 2.0, 75, 1.3, 0.2),
    Artist("noah stillwell", "colour field", 10, ("ochre", "dusk", "primary"), 36, 8, 0, 1.0, 0.1),
    Artist("ruth amsel", "colour field", 4, ("dawn", "dusk", "harbour"), 22, 3, 90, 1.2, 0.1),
    Artist("joost van meer", "neoplasticism", 9, ("primary", "dawn", "harbour"), 22, 3.4, 0, 1.1, 0.1),
    Artist("lena dorn", "neoplasticism", 3, ("primary", "ochre", "garden"), 13, 1.4, 40, 1.1, 0.1),
    Artist("karl oberon", "expressionism", 8, ("primary", "dusk", "garden"), 34, 5.0, None, 1.0, 0.9),
    Artist("signe haugen", "expressionism", 7, ("harbour", "ochre", "primary"), 20, 3.2, 70, 1.25, 0.6),
]
PALETTES = {  # light, sky, middle, deep, accent, dark
    "dawn": "f6e3c5 b9b6d9 8fa6c8 d98c6a e8b54d 4a4a6a",
    "garden": "eef1d6 9cc5dd 7fa65a 3f6f4f d9607a 2f3d3a",
    "ochre": "f2e2bd c8a86b a8763e 7b4a2b c2452d 2a211c",
    "harbour": "e6eef0 8fb8cc 4f86a8 2b5577 e08a3c 1b2638",
    "dusk": "e9d0c4 b78aa3 6d5c91 3c3a6b e2703a 1d1a2e",
    "primary": "f4f0e4 b9c8d8 2350a8 f2c417 d02a24 161616",
}


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
        image = Image.fromarray(_eight_bit(self.view)).filter(ImageFilter.GaussianBlur(blur * len(self.view) / 128))
        return image.resize((2 * image.width, 2 * image.width))


def _eight_bit(colour: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(colour), 0, 255).astype(np.uint8)


def _ink(colour: np.ndarray) -> tuple[int, ...]:
    return tuple(_eight_bit(colour).tolist())


def _noise(rng: Rng, size: int, cells: int, stretch: int = 1) -> np.ndarray:
    """Smooth (size, size) noise of about unit deviation, `cells` grains across, each `stretch` times as high."""
    grains = rng.normal(0, 1.3, (max(2, cells // stretch), cells)).astype(np.float32)
    return np.asarray(Image.fromarray(grains).resize((size, size), Image.Resampling.BICUBIC), float)


# --- type: what is depicted; (rng, palette) -> Shapes ---------------------------------------------------------

FRAME = np.array([(-2, -2), (3, -2), (3, 3), (-2, 3)], float)


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


def _see(rng: Rng, artist: Artist, type_: str, size: int) -> Scene:
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
        ImageDraw.Draw(image).polygon((points * size).ravel().tolist(), fill=_ink(colour))
    side, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.35)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    light = rng.uniform(0.85, 1.12) + strength * (x * np.cos(side) + y * np.sin(side))
    return Scene(shapes, palette, np.asarray(image) * light[..., None])


# --- style: how paint is laid; (Scene, Artist, rng) -> picture of twice the view's size -----------------------


def _places(rng: Rng, spacing: float) -> np.ndarray:
    """Points all over the unit square, about `spacing` apart, in random order."""
    steps = np.arange(-spacing, 1 + spacing, spacing)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    return rng.permutation(grid + rng.uniform(-0.6, 0.6, grid.shape) * spacing)


def _direction(scene: Scene, artist: Artist, xy: np.ndarray) -> np.ndarray:
    """Where the brush goes at the points, in radians: the artist's own way, or along the form."""
    if artist.angle is not None:
        return np.full(len(xy), np.radians(artist.angle))
    down, right = np.gradient(np.asarray(scene.softened(4).convert("L").reduce(2), float))
    where = scene.pixels(xy)
    return np.arctan2(down[where], right[where]) + np.pi / 2


def _strokes(image: Image.Image, paths: np.ndarray, width: float, colours: np.ndarray) -> None:
    """Draws (n, k, 2) paths of the unit square; `width` is in pixels of a picture 128 pixels wide."""
    draw, pen = ImageDraw.Draw(image), max(1, round(width * image.width / 128))
    points = (paths * image.width).reshape(len(paths), -1).tolist()
    for path, ink in zip(points, _eight_bit(colours).tolist(), strict=True):
        draw.line(path, fill=tuple(ink), width=pen)


def _outlines(image: Image.Image, polygons: list[np.ndarray], width: float, colour: np.ndarray) -> None:
    for polygon in polygons:
        _strokes(image, np.vstack([polygon, polygon[:1]])[None], width, colour[None])


def impressionism(scene: Scene, artist: Artist, rng: Rng) -> Image.Image:
    """Short strokes of broken colour, close together."""
    image = scene.softened(2)
    for scale in (1.5, 1.0):  # the ground first, then the finer touches
        length, width = scale * artist.length / 128, scale * artist.width
        xy = _places(rng, 0.8 * np.sqrt(length * width / 128))
        turn = _direction(scene, artist, xy) + rng.normal(0, 0.25, len(xy))
        reach = np.stack([np.cos(turn), np.sin(turn)], axis=1) * length * rng.uniform(0.3, 0.65, (len(xy), 1))
        broken = scene.view[scene.pixels(xy)] + rng.normal(0, 16, (len(xy), 3)) + rng.normal(0, 12, (len(xy), 1))
        _strokes(image, np.stack([xy - reach, xy + reach], axis=1), width, broken)
    return image


def pointillism(scene: Scene, artist: Artist, rng: Rng) -> Image.Image:
    """Dots of purer colours than those seen, some of them from elsewhere in the palette."""
    image = Image.new("RGB", (2 * len(scene.view),) * 2, _ink(scene.palette[0]))
    draw, xy = ImageDraw.Draw(image), _places(rng, 0.85 * artist.length / 128)
    seen = scene.view[scene.pixels(xy)]
    pure = seen + 0.4 * (seen - seen.mean(axis=1, keepdims=True)) + rng.normal(0, 20, seen.shape)
    other = rng.random(len(xy)) < 0.12
    pure[other] = 0.4 * pure[other] + 0.6 * scene.palette[rng.integers(6, size=other.sum())]
    radius = artist.width / 256 * rng.uniform(0.75, 1.15, (len(xy), 1))
    boxes = (np.hstack([xy - radius, xy + radius]) * image.width).tolist()
    for box, ink in zip(boxes, _eight_bit(pure).tolist(), strict=True):
        draw.ellipse(box, fill=tuple(ink))
    return image


def _facets(rng: Rng, count: int, angles: np.ndarray) -> list[np.ndarray]:
    """Cuts the unit square into convex polygons, the largest again and again, along one of the `angles`."""
    polygons = [np.array([(-0.05, -0.05), (1.05, -0.05), (1.05, 1.05), (-0.05, 1.05)])]
    areas = [1.0]
    while len(polygons) < count:
        largest = int(np.argmax(areas))
        polygon, turn = polygons[largest], rng.choice(angles)
        side = (polygon - polygon.mean(axis=0) * rng.uniform(0.85, 1.15)) @ (-np.sin(turn), np.cos(turn))
        halves: list[list[np.ndarray]] = [[], []]
        for a, b, s, t in zip(polygon, np.roll(polygon, -1, 0), side, np.roll(side, -1), strict=True):
            halves[int(s > 0)].append(a)
            if (s > 0) != (t > 0):
                crossing = a + (b - a) * s / (s - t)
                halves[0].append(crossing)
                halves[1].append(crossing)
        pieces = [np.array(half) for half in halves if half]
        polygons[largest : largest + 1] = pieces
        # Areas are judged loosely, which leaves large facets beside small ones.
        areas[largest : largest + 1] = [_area(piece) * rng.uniform(0.3, 1.0) for piece in pieces]
    return polygons


def _area(polygon: np.ndarray) -> float:
    after = np.roll(polygon, -1, axis=0)
    return abs(float(np.sum(polygon[:, 0] * after[:, 1] - polygon[:, 1] * after[:, 0]))) / 2


def cubism(scene: Scene, artist: Artist, rng: Rng) -> Image.Image:
    """Facets that each see the motif from elsewhere, shaded from edge to edge."""
    size = 2 * len(scene.view)
    angles = np.radians(artist.angle or 0) + np.array([0, 0.5, 1.2, 1.6, 2.4]) + rng.normal(0, 0.15, 5)
    polygons = _facets(rng, round((128 / artist.length) ** 2), angles)
    n, facet = len(polygons), Image.new("L", (size, size))
    for i, polygon in enumerate(polygons):
        ImageDraw.Draw(facet).polygon((polygon * size).ravel().tolist(), fill=i)
    which = np.asarray(facet)  # the facet of every pixel
    xy = np.moveaxis(np.mgrid[0:size, 0:size][::-1], 0, -1) / size
    centres = np.array([polygon.mean(axis=0) for polygon in polygons])
    turn, shift = rng.uniform(0, 2 * np.pi, n), rng.normal(0, 0.25 * artist.length / 128, (n, 2))
    slope = np.stack([np.cos(turn), np.sin(turn)], axis=1) * 55 / artist.length
    shade = 1 + rng.normal(0, 0.1, n)[which] + ((xy - centres[which]) * slope[which]).sum(axis=-1)
    seen = 0.6 * scene.view[scene.pixels(xy + shift[which])] + 0.4 * scene.view[scene.pixels(centres)][which]
    image = Image.fromarray(_eight_bit(seen * np.clip(shade, 0.5, 1.5)[..., None]))
    _outlines(image, polygons, artist.width, scene.palette[5] * 1.3)
    return image


def colour_field(scene: Scene, artist: Artist, rng: Rng) -> Image.Image:
    """The motif dissolved into a few soft bands, laid in thin veils."""
    soft = np.asarray(scene.softened(5), float)
    size, axis = len(soft), 1 if artist.angle == 0 else 0
    lines = soft.mean(axis=axis)  # the mean colour of every row, or of every column
    along = np.moveaxis(np.mgrid[0:size, 0:size] / size, 0, -1)[..., 1 - axis]
    along = along + 0.02 * (_noise(rng, size, 24) + _noise(rng, size, 6))
    picture = np.tile(lines.mean(axis=0), (size, size, 1))
    cuts = np.sort(rng.uniform(0.08, 0.92, round(128 / artist.length)))
    for low, high in pairwise([0.0, *cuts[np.diff(cuts, prepend=0) > 0.05], 1.0]):
        band = lines[int(low * size) : int(high * size)]
        colour = 0.6 * band.mean(axis=0) + 0.4 * scene.palette[rng.integers(6)]
        depth = np.minimum(along - low if low > 0 else 1, high - along if high < 1 else 1)
        picture += (colour - picture) * np.clip(depth * 350 / artist.width, 0, 1)[..., None]
    veil = 1 + 0.05 * _noise(rng, size, 10) + 0.04 * _noise(rng, size, 40)
    return Image.fromarray(_eight_bit((0.65 * picture + 0.35 * soft) * veil[..., None]))


def neoplasticism(scene: Scene, artist: Artist, rng: Rng) -> Image.Image:
    """A grid of straight lines; each field takes the nearest of a few pure colours, or stays light."""
    size = 2 * len(scene.view)
    tilt = np.radians((artist.angle or 0) + rng.normal(0, 1.5))
    polygons = _facets(rng, round((128 / artist.length) ** 2), tilt + np.array([0, np.pi / 2]))
    pure = scene.palette[[0, 2, 3, 4, 5]]
    image = Image.new("RGB", (size, size))
    for polygon in polygons:
        seen = scene.view[scene.pixels(polygon.mean(axis=0))]
        nearest = pure[np.argmin(((pure - seen) ** 2).sum(axis=1))]
        colour = nearest if rng.random() < 0.65 else pure[0] * rng.uniform(0.85, 1.0)
        ImageDraw.Draw(image).polygon((polygon * size).ravel().tolist(), fill=_ink(colour + rng.normal(0, 5, 3)))
    _outlines(image, polygons, artist.width, scene.palette[5] * 0.8)
    return image


def expressionism(scene: Scene, artist: Artist, rng: Rng) -> Image.Image:
    """Long wavering strokes of heightened colour, and dark outlines drawn over them."""
    image, length = scene.softened(1), artist.length / 128
    xy = _places(rng, 0.6 * np.sqrt(length * artist.width / 128))
    turn = _direction(scene, artist, xy) + rng.normal(0, 0.15, len(xy))
    heading = np.cumsum(np.vstack([turn, rng.normal(0.25, 0.35, (3, len(xy)))]), axis=0).T  # (n, 4)
    steps = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=-1) * length / 4, axis=1)
    seen = scene.view[scene.pixels(xy)]
    bold = 1.2 * (seen - 128) + 128 + 0.4 * (seen - seen.mean(axis=1, keepdims=True)) + rng.normal(0, 13, seen.shape)
    _strokes(image, xy[:, None] + steps - steps.mean(axis=1, keepdims=True), artist.width, bold)
    wavering = [points + rng.normal(0, 0.006, points.shape) for points, _ in scene.shapes]
    _outlines(image, wavering, 0.55 * artist.width, scene.palette[5])
    return image


STYLES: dict[str, Callable[[Scene, Artist, Rng], Image.Image]] = {
    "impressionism": impressionism,
    "pointillism": pointillism,
    "cubism": cubism,
    "colour field": colour_field,
    "neoplasticism": neoplasticism,
    "expressionism": expressionism,
}


# --- material: what the paint lies on; (picture, rng) -> picture, 0..255 --------------------------------------


def canvas(picture: np.ndarray, rng: Rng) -> np.ndarray:
    """A plain weave: threads over and under."""
    size = len(picture)
    y, x = np.mgrid[0:size, 0:size] * (2 * np.pi * rng.uniform(26, 32) / size)
    sway = 0.5 * _noise(rng, size, 8)
    weave = np.cos(x + sway) * np.cos(y + 0.5 * sway)
    return picture * (1 + 0.075 * weave + 0.015 * _noise(rng, size, 64))[..., None]


def paper(picture: np.ndarray, rng: Rng) -> np.ndarray:
    """Grain that lets the pale sheet through."""
    size = len(picture)
    bare = np.clip(0.2 + 0.08 * _noise(rng, size, 48) + 0.08 * _noise(rng, size, 110), 0, 0.6)[..., None]
    return picture + (np.array([244, 236, 220]) - picture) * bare


def panel(picture: np.ndarray, rng: Rng) -> np.ndarray:
    """Wood: streaks the height of the board, warm where the paint is thin."""
    size = len(picture)
    streaks = _noise(rng, size, 40, stretch=14) + 0.7 * _noise(rng, size, 90, stretch=30)
    thin = np.clip(0.1 + 0.1 * streaks, 0, 0.5)[..., None]
    return picture * (1 + 0.05 * streaks)[..., None] + (np.array([120, 78, 44]) - picture) * thin


def plaster(picture: np.ndarray, rng: Rng) -> np.ndarray:
    """A dry wall: chalky, blotched, with fine cracks."""
    size = len(picture)
    cracks = np.abs(_noise(rng, size, 9) + 0.35 * _noise(rng, size, 30)) < 0.05
    chalk = 0.82 * picture + 37 + 7 * _noise(rng, size, 12)[..., None]
    return chalk * (1 - 0.35 * cracks)[..., None]


MATERIALS: dict[str, tuple[float, Callable[[np.ndarray, Rng], np.ndarray]]] = {
    "canvas": (0.45, canvas),
    "paper": (0.25, paper),
    "panel": (0.20, panel),
    "plaster": (0.10, plaster),
}


def _painting(rng: Rng, artist: Artist, type_: str, material: str, size: int) -> np.ndarray:
    scene = _see(rng, artist, type_, size)
    picture = np.asarray(STYLES[artist.style](scene, artist, rng).reduce(2), float)
    tone, slope = picture.mean(axis=2), np.zeros((size, size))
    slope[1:, 1:] = tone[1:, 1:] - tone[:-1, :-1]  # thick paint catches the light from the upper left
    return MATERIALS[material][1](picture + np.clip(artist.relief * slope, -40, 40)[..., None], rng)


# --- photographs: a textured solid on a table, lit from one side ----------------------------------------------

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


def _photograph(rng: Rng, texture: str, shape: str, size: int) -> np.ndarray:
    first, second, wall, table = rng.uniform(40, 215, (4, 1)) + rng.normal(0, 35, (4, 3))
    second = first + np.where(first.mean() > 128, -1, 1) * rng.uniform(60, 120) + 0.4 * (second - second.mean())
    lamp = np.array([rng.uniform(-1, 1), rng.uniform(0.3, 1), rng.uniform(0.4, 1)])
    lamp /= np.sqrt((lamp**2).sum())
    place, scale = rng.uniform(0.42, 0.58, 2), rng.uniform(0.26, 0.36)

    # Wall and table, out of focus, under the shadow of the solid.
    y, x = np.mgrid[0:size, 0:size] / size
    near = np.clip((y - rng.uniform(0.35, 0.6)) * 12, 0, 1)[..., None]
    clutter = rng.uniform(0, 22) * _noise(rng, size, int(rng.integers(3, 16)))
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
    picture = np.asarray(Image.fromarray(_eight_bit(picture)).filter(lens), float)
    corners = 1 - rng.uniform(0.2, 1.2) * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    return picture * corners[..., None] + rng.normal(0, rng.uniform(2, 7), picture.shape)


# --- the collection -------------------------------------------------------------------------------------------


def _dealt(deck: list[str], index: int, seed: int, half: str) -> str:
    """Card `index` of decks shuffled one after another: shares are exact in every full deck."""
    rng = np.random.default_rng([seed, list(HALVES).index(half), 0, index // len(deck)])
    return deck[rng.permutation(len(deck))[index % len(deck)]]


def _drawn(rng: Rng, table: dict[str, tuple[float, Callable]]) -> str:
    return str(rng.choice(list(table), p=[share for share, _ in table.values()]))


def _checked(half: str) -> str:
    if half not in HALVES:
        raise ValueError(f"half must be one of {', '.join(map(repr, HALVES))}, not {half!r}")
    return half


def paint(
    index: int, *, image_size: int = 128, seed: int = 0, half: str = "target"
) -> tuple[np.ndarray, dict[str, str]]:
    """One picture, the same whenever index, image_size, seed and half are.

    Returns:
        The picture, (image_size, image_size, 3) uint8, and its labels: artist, style, type and material of a
        painting (half "target"), object of a photograph (half "source").

    Raises:
        ValueError: `half` is neither.
    """
    rng = np.random.default_rng([seed, list(HALVES).index(_checked(half)), 1, index])
    if half == "source":
        texture, shape = _dealt(OBJECTS, index, seed, half).split()
        return _eight_bit(_photograph(rng, texture, shape, image_size)), {"object": f"{texture} {shape}"}
    artists = {artist.name: artist for artist in ARTISTS}
    artist = artists[_dealt([name for name in artists for _ in range(artists[name].share)], index, seed, half)]
    type_, material = _drawn(rng, TYPES), _drawn(rng, MATERIALS)
    labels = {"artist": artist.name, "style": artist.style, "type": type_, "material": material}
    return _eight_bit(_painting(rng, artist, type_, material, image_size)), labels


def make_atelier(
    folder: Path, *, images: int = 1000, image_size: int = 128, seed: int = 0, half: str = "target"
) -> Path:
    """Writes `folder/images/00000.png ...` and, last, `folder/labels.csv`; a thousand take about ten seconds.

    The column `image` is the path relative to `folder`; the others are the labels of `paint`. A folder with
    `labels.csv` is complete and returned as it is; one without is painted, whatever it holds.

    Raises:
        ValueError: `half` is neither "target" nor "source", or `images` is below 1.
    """
    if images < 1:
        raise ValueError(f"images must be at least 1, not {images}")
    columns, table = ["image", *HALVES[_checked(half)]], folder / "labels.csv"
    if table.exists():
        return folder
    (folder / "images").mkdir(parents=True, exist_ok=True)
    part = folder / "labels.csv.part"
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for index in range(images):
            picture, labels = paint(index, image_size=image_size, seed=seed, half=half)
            name = f"images/{index:05d}.png"
            Image.fromarray(picture).save(folder / name, compress_level=1)
            writer.writerow({"image": name, **labels})
    os.replace(part, table)
    return folder


def contact_sheet(folder: Path, out: Path, columns: int = 12) -> Path:
    """Writes a PNG of a collection: a row for each artist (of photographs: each object), `columns` pictures wide."""
    with (folder / "labels.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    captions = {artist.name: f"{artist.name}, {artist.style}" for artist in ARTISTS} | {name: name for name in OBJECTS}
    label = "artist" if "artist" in table[0] else "object"
    rows = {name: [row["image"] for row in table if row[label] == name][:columns] for name in captions}
    rows = {name: pictures for name, pictures in rows.items() if pictures}
    with Image.open(folder / table[0]["image"]) as first:
        step = first.width + 6
    sheet = Image.new("RGB", (columns * step + 6, len(rows) * (step + 20) + 6), "white")
    for i, (name, pictures) in enumerate(rows.items()):
        top = i * (step + 20) + 4
        ImageDraw.Draw(sheet).text((6, top), captions[name], "dimgray", ImageFont.load_default(14))
        for j, picture in enumerate(pictures):
            with Image.open(folder / picture) as image:
                sheet.paste(image, (6 + j * step, top + 20))
    sheet.save(out, format="PNG")
    return out

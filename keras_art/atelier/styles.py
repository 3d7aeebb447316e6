"""How paint is laid, in six styles: (Scene, Artist, rng) -> picture of twice the size of the scene's view."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from keras_art.atelier.artists import Artist
from keras_art.atelier.pixels import Rng, eight_bit, ink, noise
from keras_art.atelier.scenes import Scene


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
    for path, rgb in zip(points, eight_bit(colours).tolist(), strict=True):
        draw.line(path, fill=tuple(rgb), width=pen)


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
    image = Image.new("RGB", (2 * len(scene.view),) * 2, ink(scene.palette[0]))
    draw, xy = ImageDraw.Draw(image), _places(rng, 0.85 * artist.length / 128)
    seen = scene.view[scene.pixels(xy)]
    pure = seen + 0.4 * (seen - seen.mean(axis=1, keepdims=True)) + rng.normal(0, 20, seen.shape)
    other = rng.random(len(xy)) < 0.12
    pure[other] = 0.4 * pure[other] + 0.6 * scene.palette[rng.integers(6, size=other.sum())]
    radius = artist.width / 256 * rng.uniform(0.75, 1.15, (len(xy), 1))
    boxes = (np.hstack([xy - radius, xy + radius]) * image.width).tolist()
    for box, rgb in zip(boxes, eight_bit(pure).tolist(), strict=True):
        draw.ellipse(box, fill=tuple(rgb))
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
    image = Image.fromarray(eight_bit(seen * np.clip(shade, 0.5, 1.5)[..., None]))
    _outlines(image, polygons, artist.width, scene.palette[5] * 1.3)
    return image


def colour_field(scene: Scene, artist: Artist, rng: Rng) -> Image.Image:
    """The motif dissolved into a few soft bands, laid in thin veils."""
    soft = np.asarray(scene.softened(5), float)
    size, axis = len(soft), 1 if artist.angle == 0 else 0
    lines = soft.mean(axis=axis)  # the mean colour of every row, or of every column
    along = np.moveaxis(np.mgrid[0:size, 0:size] / size, 0, -1)[..., 1 - axis]
    along = along + 0.02 * (noise(rng, size, 24) + noise(rng, size, 6))
    picture = np.tile(lines.mean(axis=0), (size, size, 1))
    cuts = np.sort(rng.uniform(0.08, 0.92, round(128 / artist.length)))
    for low, high in pairwise([0.0, *cuts[np.diff(cuts, prepend=0) > 0.05], 1.0]):
        band = lines[int(low * size) : int(high * size)]
        colour = 0.6 * band.mean(axis=0) + 0.4 * scene.palette[rng.integers(6)]
        depth = np.minimum(along - low if low > 0 else 1, high - along if high < 1 else 1)
        picture += (colour - picture) * np.clip(depth * 350 / artist.width, 0, 1)[..., None]
    veil = 1 + 0.05 * noise(rng, size, 10) + 0.04 * noise(rng, size, 40)
    return Image.fromarray(eight_bit((0.65 * picture + 0.35 * soft) * veil[..., None]))


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
        ImageDraw.Draw(image).polygon((polygon * size).ravel().tolist(), fill=ink(colour + rng.normal(0, 5, 3)))
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

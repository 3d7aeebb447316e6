"""Who paints: twelve invented artists, two to a style, and the palettes they choose from."""

from __future__ import annotations

from dataclasses import dataclass


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

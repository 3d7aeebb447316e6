"""The IIIF Image API, versions 1 to 3: which of a server's services gives a picture, and in what size to ask for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

IMAGE_API = re.compile(r"iiif\.io/api/image|library\.stanford\.edu/iiif/image-api|^ImageService[123]?$|^level[012]$")
LEVEL = re.compile(r"level([012])")
LIMITS = ("maxWidth", "maxHeight", "maxArea")
CHOICES = 8  # within one another: more is no picture

Thing = Mapping[str, Any]  # a JSON object


@dataclass(frozen=True)
class Painted:
    """A picture as a canvas names it.

    Attributes:
        body: the address of a file, "" where only the service gives it.
        service: what the manifest says of its image service, {} where there is none.
        region: the part of the picture that is on the canvas, as the Image API writes it.
    """

    body: str
    service: Thing = field(default_factory=dict)
    region: str = "full"

    @property
    def base(self) -> str:
        """The service's address, "" without one."""
        return id_of(self.service).removesuffix("/info.json").rstrip("/")

    @property
    def source(self) -> str:
        """The address by which it is known, whatever size is asked for."""
        return self.base or self.body


def painted(body: Any) -> Painted | None:
    """The picture of an annotation's body; None where it is none: a text, a sound, a film."""
    region = "full"
    for _ in range(CHOICES):
        if isinstance(body, list):  # of several pictures of one thing the first is the one to show
            body = body[0] if body else None
        body = {"id": body} if isinstance(body, str) else body
        if not isinstance(body, dict):
            return None
        kind = kind_of(body)
        if kind == "Choice":
            body = body.get("items") or body.get("default") or body.get("item")
        elif kind == "SpecificResource":
            region = _region(body) or region
            body = body.get("source") or body.get("full")
        elif kind in ("Image", "StillImage", "") and (id_of(body) or _service(body)):
            return Painted(id_of(body), _service(body), region)
        else:
            return None
    return None


def _region(part: Thing) -> str:
    """Of a selector, as the Image API writes it."""
    for selector in things(part.get("selector")):
        if region := re.fullmatch(r"(?:pct:)?[\d.]+(?:,[\d.]+){3}|square", str(selector.get("region"))):
            return region[0]
        if found := re.search(r"xywh=(pixel:|percent:|)([\d.]+(?:,[\d.]+){3})", str(selector.get("value"))):
            return f"pct:{found[2]}" if found[1] == "percent:" else re.sub(r"\.\d*", "", found[2])
    return ""


def _service(body: Thing) -> Thing:
    """The image service among those for logins, physical scales and searches; one that says nothing of itself last."""
    services = [service for service in things(body.get("service")) if id_of(service)]
    signs = [_signs(service) for service in services]
    known = [service for service, said in zip(services, signs, strict=True) if any(map(IMAGE_API.search, said))]
    silent = [service for service, said in zip(services, signs, strict=True) if not said]
    return next(iter(known or silent), {})


def _signs(service: Thing) -> list[str]:
    """What a service says it is."""
    said = [service.get(name) for name in ("type", "@type", "@context", "profile", "dcterms:conformsTo", "protocol")]
    flat = [word for words in said for word in (words if isinstance(words, list) else [words])]
    return [word for word in flat if isinstance(word, str) and word]


def addresses(picture: Painted, info: Thing, longest_side: int) -> list[str]:
    """Where to ask for a picture: `longest_side`, as near as the server gives it, never enlarged. Best first.

    Args:
        info: the service's info.json; {} where there is none, and the manifest alone speaks for it.
    """
    if not picture.base:  # and nobody who could cut a region out
        return [picture.body] if picture.region == "full" else []
    said = {**picture.service, **info}
    signs = " ".join(_signs(said))
    found = re.search(r"(?:image|image-api|ImageService)/?([123])", signs)
    version = int(found[1]) if found else 1 if "library.stanford.edu" in signs else 2
    level = int(found[1]) if (found := LEVEL.search(signs)) else 2
    facts = [said, *things(said.get("profile"))]  # version 2 has its limits in the profile
    limit = {name: next((n for fact in facts if (n := _number(fact.get(name)))), 0) for name in LIMITS}
    whole = "max" if version == 3 or any(limit.values()) else "full"
    width, height = _number(said.get("width")), _number(said.get("height"))
    if found := re.fullmatch(r"\d+,\d+,(\d+),(\d+)", picture.region):
        width, height = int(found[1]), int(found[2])
    size = _size((width, height), longest_side, limit, level) or whole
    if level == 0:
        size = _listed(said, longest_side, version) or whole
    quality = "native" if version == 1 else "default"
    ask = [f"{picture.base}/{picture.region}/{size}/0/{quality}.jpg" for size in dict.fromkeys((size, whole))]
    if picture.region != "full" or not picture.body:
        return ask
    return [picture.body, *ask] if level == 0 and size == whole else [ask[0], picture.body, *ask[1:]]


def tells_size(service: Thing) -> bool:
    """Whether a service, as its manifest or its info.json has it, says how large the picture is."""
    return bool(_number(service.get("width")) and _number(service.get("height")))


def _size(full: tuple[int, int], longest_side: int, limit: Mapping[str, int], level: int) -> str:
    """`W,`, which every server from level 1 on takes; "" for the whole picture."""
    widest = min(longest_side, limit["maxWidth"] or longest_side)
    highest = min(longest_side, limit["maxHeight"] or limit["maxWidth"] or longest_side)
    width, height = full
    if not (width and height):
        return f"!{widest},{highest}" if level == 2 else f"{widest},"
    scale = min(widest / width, highest / height)
    if limit["maxArea"]:
        scale = min(scale, (limit["maxArea"] / (width * height)) ** 0.5)
    return f"{max(1, int(width * scale))}," if scale < 1 else ""


def _listed(said: Thing, longest_side: int, version: int) -> str:
    """The smallest size of a server's list that is large enough; "" where none is."""
    sizes = [(_number(size.get("width")), _number(size.get("height"))) for size in things(said.get("sizes"))]
    width, height = min((size for size in sizes if all(size) and max(size) >= longest_side), key=max, default=(0, 0))
    if not width:
        return ""
    return f"{width},{height}" if version == 3 else f"{width},"


def things(value: Any) -> list[Thing]:
    """The JSON objects of a list, or of a single one; anything else is none."""
    return [thing for thing in (value if isinstance(value, list) else [value]) if isinstance(thing, dict)]


def kind_of(thing: Thing) -> str:
    """`Manifest`, `Image`, ..., whatever the version."""
    said = thing.get("type") or thing.get("@type") or ""
    return str(said[0] if isinstance(said, list) and said else said).rpartition(":")[2].rpartition("/")[2]


def id_of(thing: Thing) -> str:
    """Its address or name, whatever the version; one line, "" without one."""
    return str(thing.get("id") or thing.get("@id") or "").strip()


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and 0 < value < 1e9 else 0

"""A map as other viewers read it: the folder `data` of VIKUS Viewer, and the Parquet file of Embedding Atlas."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_art.report.atlases import Atlases
from keras_art.report.map import Space, Works
from keras_art.writing import distinct, in_csv, numbered, replacing, slug, write, write_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

DETAIL = 1024  # pixels of the longer side of the pictures that VIKUS loads when one comes near
FEW = 20  # different words of a column that becomes keywords


def vikus(
    folder: Path,
    title: str,
    works: Works,
    spaces: Sequence[Space],
    atlases: Atlases,
    detail: Callable[[int], np.ndarray],
    progress: Callable[[int, int], None] = lambda done, all: None,
) -> None:
    """Writes `config.json`, `data.csv`, a layout for every space, `sprites/` and `1024/`.

    A year is what a column called year or date says. Columns of few words become keywords.

    Args:
        folder: becomes the folder `data` of a VIKUS Viewer.
        detail: number -> a picture, (height, width, 3) uint8.
    """
    from PIL import Image

    names = list(distinct(works.ids, lambda text: slug(text, 80)).values())
    columns = dict(zip(numbered(map(str, works.columns)), works.columns.to_numpy().T.tolist(), strict=True))
    year = next((name for name in columns if name.lower() in ("year", "date", "dc:date", "dated")), None)
    words = [name for name, texts in columns.items() if name != year and 1 < len(set(texts)) <= FEW]
    rows = []
    for i, name in enumerate(names):
        keywords = ",".join(columns[word][i].replace(",", " ") for word in words if columns[word][i])
        told = [works.ids[i], *(texts[i] for texts in columns.values())]
        rows.append([name, keywords, columns[year][i] if year else "", *told])
    header = ["id", "keywords", "year", "_id", *(f"_{name}" for name in columns)]
    write_bytes(folder / "data.csv", in_csv(header, rows))
    write_bytes(folder / "timeline.csv", in_csv(["year", "titel", "text", "extra"], []))
    write(folder / "info.md", f"# {title}\n")
    layouts = {f"layout_{n}.csv": space for n, space in enumerate(spaces, 1)}
    for file, space in layouts.items():
        # Their y goes up, as in a diagram.
        points = [[name, f"{x:.6f}", f"{1 - y:.6f}"] for name, (x, y) in zip(names, space.cloud.tolist(), strict=True)]
        write_bytes(folder / file, in_csv(["id", "x", "y"], points))
    sheets: list[dict[str, Any]] = []
    for number, page in enumerate(atlases.pages):
        with Image.open(io.BytesIO(page)) as sheet:
            _write_jpeg(folder / "sprites" / f"{number}.jpg", sheet.convert("RGB"))
        sheets.append({"image": f"{number}.jpg", "sprites": []})
    for i, name in enumerate(names):
        number, place = divmod(int(atlases.slots[i]), atlases.across**2)
        at = {"x": place % atlases.across * atlases.side, "y": place // atlases.across * atlases.side}
        box = dict(zip("wh", atlases.boxes[i].tolist(), strict=True))
        sheets[number]["sprites"].append({"name": name, "position": at, "dimension": box})
    sprites = {"meta": {"type": "pixi-packer", "version": 1}, "resolution": 1, "spritesheets": sheets}
    write(folder / "sprites" / "spritesheet.json", json.dumps(sprites))
    for i, name in enumerate(names):
        _write_jpeg(folder / str(DETAIL) / f"{name}.jpg", Image.fromarray(detail(i)))
        progress(i + 1, len(names))
    titles = [{"title": space.name, "url": f"data/{file}"} for file, space in layouts.items()]
    if year:
        titles.insert(0, {"title": year, "type": "group", "groupKey": "year"})
    # Works of a year stand in so many columns, and the pictures of every layout are as small as these.
    largest = max(Counter(columns[year]).values()) if year else len(names)
    told = [{"name": name, "source": f"_{name}", "display": "column", "type": "text"} for name in ["id", *columns]]
    config: dict[str, Any] = {
        "project": {"name": title},
        "loader": {
            "info": "data/info.md", "items": "data/data.csv", "timeline": "data/timeline.csv",
            "textures": {
                "medium": {"size": atlases.side, "url": "data/sprites/spritesheet.json"},
                "detail": {"size": DETAIL, "url": f"data/{DETAIL}/"},
            },
            "layouts": titles,
        },
        "style": {
            "fontColor": "#1a1a1a", "fontColorActive": "#ffffff", "fontBackground": "#1a1a1a", "textShadow": "none",
            "canvasBackground": "#f7f6f3", "timelineBackground": "#f7f6f3", "timelineFontColor": "#1a1a1a",
            "detailBackground": "#f7f6f3", "infoBackground": "#f7f6f3", "infoFontColor": "#1a1a1a",
            "searchbarBackground": "#e6e4df",
        },
        "projection": {"columns": max(1, round(largest**0.5))},
        "detail": {"structure": told},
    }  # fmt: skip
    write(folder / "config.json", json.dumps(config, indent=1, ensure_ascii=False))


def _write_jpeg(path: Path, image: Image) -> None:
    with replacing(path, durable=False) as part:
        image.save(part, "JPEG", quality=85)


def embedding_atlas(path: Path, works: Works, spaces: Sequence[Space], atlases: Atlases) -> str:
    """Writes one row for a picture: `id`, its columns, `image`, and for every space where it stands and its neighbours.

    Returns:
        The command that opens it.
    """
    import pandas as pd
    from PIL import Image

    columns: dict[str, Any] = {"id": list(works.ids)}
    names = numbered(["id", "image", *map(str, works.columns)])[2:]
    columns |= dict(zip(names, works.columns.to_numpy().T.tolist(), strict=True))
    images: list[dict[str, Any]] = [{}] * len(works.ids)
    for number, page in enumerate(atlases.pages):
        first = number * atlases.across**2
        with Image.open(io.BytesIO(page)) as sheet:
            for i in np.flatnonzero((atlases.slots >= first) & (atlases.slots < first + atlases.across**2)):
                place, (wide, tall) = int(atlases.slots[i]) - first, atlases.boxes[i].tolist()
                left, top = place % atlases.across * atlases.side, place // atlases.across * atlases.side
                content = io.BytesIO()
                sheet.crop((left, top, left + wide, top + tall)).save(content, "JPEG", quality=85)
                images[i] = {"bytes": content.getvalue(), "path": f"{i}.jpg"}
    columns["image"] = images
    for n, space in enumerate(spaces, 1):
        columns[f"x_{n}"], columns[f"y_{n}"] = space.cloud[:, 0], 1 - space.cloud[:, 1]
        columns[f"neighbors_{n}"] = [
            {"ids": near[near >= 0].tolist(), "distances": far[near >= 0].tolist()}
            for near, far in zip(space.near, space.distances, strict=True)
        ]
    with replacing(path) as part:
        pd.DataFrame(columns).to_parquet(part, index=False)
    return f"embedding-atlas {path} --x x_1 --y y_1 --neighbors neighbors_1 --image image"

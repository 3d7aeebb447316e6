"""The picture of the README: what `dcec_paint` makes of the atelier, of a store that it was run in.

python docs/picture.py STORE K        # writes docs/what_one_gets.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from PIL import Image

from keras_art.data.sources import load_collection

TILE, GAP, COLUMNS, WIDTH = 64, 4, 8, 1120


def main(store: Path, clusters: str, out: Path) -> None:
    """Left: the surest pictures of each cluster, a row each; right: the embedding as it is trained."""
    run = next(path.parent for path in store.glob(f"clustering/atelier*-dcec-{clusters}-0-*/metrics.json"))
    assigned = pd.read_csv(run / "assignments.csv", dtype={"id": str})
    collection = load_collection(next(store.glob("cache/*/atelier-target")))
    paths = dict(zip(collection.images["id"], collection.paths(), strict=True))
    names = sorted(assigned["cluster"].unique())
    step = TILE + GAP
    sheet = Image.new("RGB", (COLUMNS * step - GAP, len(names) * step - GAP), "white")
    for row, name in enumerate(names):
        own = assigned[assigned["cluster"] == name].sort_values("probability", ascending=False).head(COLUMNS)
        for column, key in enumerate(own["id"]):
            with Image.open(paths[key]) as picture:
                sheet.paste(picture.convert("RGB").resize((TILE, TILE)), (column * step, row * step))
    with Image.open(next(store.glob("studies/dcec_paint-atelier*/figures/evolution.png"))) as figure:
        right = figure.convert("RGB")
    right = right.resize((WIDTH - sheet.width - 24, round(right.height * (WIDTH - sheet.width - 24) / right.width)))
    whole = Image.new("RGB", (WIDTH, max(sheet.height, right.height)), "white")
    whole.paste(sheet, (0, (whole.height - sheet.height) // 2))
    whole.paste(right, (sheet.width + 24, (whole.height - right.height) // 2))
    whole.save(out, quality=82, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(__file__).with_name("what_one_gets.jpg"))

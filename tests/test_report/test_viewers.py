"""A map as other viewers read it."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
from maps import picture, small_map
from PIL import Image

from keras_art.report import viewers


def test_vikus_finds_what_its_configuration_names(tmp_path):
    ids = ["a/b.png", "A_b.png", "../../x", *(f"{i}.png" for i in range(27))]
    works, spaces, atlases = small_map(30, 2, ids=ids, style=["=1+1,2", "print"] * 15)
    viewers.vikus(tmp_path / "data", "Prints", works, spaces, atlases, picture)
    config = json.loads((tmp_path / "data" / "config.json").read_text())
    table = pd.read_csv(tmp_path / "data" / "data.csv", dtype=str)
    assert {"id", "keywords", "year", "_id", "_style"} <= set(table) and table["id"].is_unique
    assert table["_id"].tolist() == ids and table["year"][1] == "1607"
    assert set(table["keywords"]) == {"'=1+1 2", "print"}
    assert not [path for path in tmp_path.rglob("*") if path.parent == tmp_path and path.name != "data"]
    for name in table["id"]:
        assert (tmp_path / config["loader"]["textures"]["detail"]["url"] / f"{name}.jpg").is_file()
    layouts = [layout for layout in config["loader"]["layouts"] if "url" in layout]
    for layout, space in zip(layouts, spaces, strict=True):
        places = pd.read_csv(tmp_path / layout["url"])
        np.testing.assert_allclose(places["x"], space.cloud[:, 0], atol=1e-5)
        np.testing.assert_allclose(places["y"], 1 - space.cloud[:, 1], atol=1e-5)
    manifest = json.loads((tmp_path / config["loader"]["textures"]["medium"]["url"]).read_text())
    assert manifest["meta"]["type"] == "pixi-packer"
    sprites = {sprite["name"]: (sheet, sprite) for sheet in manifest["spritesheets"] for sprite in sheet["sprites"]}
    for i, name in enumerate(table["id"]):
        sheet, sprite = sprites[name]
        with Image.open(tmp_path / "data" / "sprites" / sheet["image"]) as page:
            at, box = sprite["position"], sprite["dimension"]
            middle = page.getpixel((at["x"] + box["w"] // 2, at["y"] + box["h"] // 2))
        assert np.abs(np.array(middle) - picture(i)[0, 0]).max() < 30


def test_embedding_atlas_gets_pictures_places_and_neighbours(tmp_path):
    works, spaces, atlases = small_map(30, 2)
    works.columns["image"] = "somebody's own"
    told = viewers.embedding_atlas(tmp_path / "map.parquet", works, spaces, atlases)
    assert "--x x_1 --y y_1 --neighbors neighbors_1 --image image" in told
    table = pd.read_parquet(tmp_path / "map.parquet")
    assert table["id"].tolist() == works.ids and table["image_2"].unique().tolist() == ["somebody's own"]
    for i, row in enumerate(table.itertuples()):
        with Image.open(io.BytesIO(row.image["bytes"])) as shown:
            assert shown.size == picture(i).shape[1::-1]
            assert np.abs(np.array(shown.getpixel((8, 8))) - picture(i)[0, 0]).max() < 30
        assert row.neighbors_2["ids"].tolist() == spaces[1].near[i].tolist()
        assert row.x_1 == spaces[0].cloud[i, 0]

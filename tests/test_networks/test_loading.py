"""A classifier as one file, on a folder of pictures."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.networks import backbones, gram, heads, loading

CLASSES = {"style": ["cold", "warm"], "artist": ["x", "y", "z"]}
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype("uint8")


def network():
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, 2, activation="relu", name="stage1")(inputs)
    x = keras.layers.Conv2D(6, 3, 2, activation="relu", name="stage2")(x)
    return backbones.Backbone(keras.Model(inputs, x, name="tiny"), "unit")


def save(path, model=None):
    keras.utils.set_random_seed(0)
    model = model or heads.multitask_classifier(network(), {"style": 2, "artist": 3}, shared=4, hidden=4)
    metrics = {"test_style_accuracy": 0.5}
    loading.save(model, path, classes=CLASSES, preprocessing="unit", resize="squash", metrics=metrics)
    return model


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "new"
    for i, name in enumerate(("b.png", "deep/a.jpg")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (20, 30, 3)).astype("uint8")).save(folder / name)
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def predict(*words):
    return terminal.guarded(
        lambda: loading.command(
            terminal.read(loading.Predict, [str(w) for w in words], prog="predict", description="")
        ),
        "predict",
    )


def test_the_file_knows_its_classes_preprocessing_and_metrics(tmp_path):
    save(tmp_path / "model.keras")
    card = loading.read_card(tmp_path / "model.keras")
    assert card["classes"] == CLASSES
    assert (card["preprocessing"], card["resize"], card["image_size"]) == ("unit", "squash", 16)
    assert card["metrics"] == {"test_style_accuracy": 0.5}
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_keras_loads_the_file_as_any_other(tmp_path):
    model = save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    for task, found in model.predict(PIXELS, verbose=0).items():
        np.testing.assert_allclose(loaded.predict(PIXELS, verbose=0)[task], found, atol=1e-6)


def test_predict_writes_every_task_of_every_readable_picture(tmp_path, pictures):
    model = save(tmp_path / "model.keras")
    assert predict(tmp_path / "model.keras", pictures, "--out", tmp_path / "out.csv") == 0
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["id"].tolist() == ["b.png", "deep/a.jpg"]
    from keras_art.pictures.images import decode

    expected = model.predict(decode(pictures / "b.png", 16)[0][None], verbose=0)
    assert table["artist"][0] == CLASSES["artist"][expected["artist"][0].argmax()]
    assert table["artist_probability"][0] == pytest.approx(expected["artist"][0].max(), abs=1e-5)
    assert table["style_probability_1"][0] >= table["style_probability_2"][0]
    bad = pd.read_csv(tmp_path / "out_quarantine.csv")
    assert len(bad) == 1
    assert bad["path"][0].endswith("broken.png")


@pytest.mark.parametrize("kind", ["multitask", "gram"])
def test_saliency_is_laid_over_each_picture_at_its_own_shape(tmp_path, pictures, kind):
    if kind == "gram":
        made = gram.gram_classifier(network(), "style", 2, channels=3, widths=(4, 4), shared=4)
        save(
            tmp_path / "model.keras",
            keras.Model(made.input, {"style": made.output["style"], "artist": made.output["style"]}),
        )
        exported_classes = {"style": CLASSES["style"]}
        one = keras.Model(made.input, {"style": made.output["style"]})
        loading.save(
            one, tmp_path / "model.keras", classes=exported_classes, preprocessing="unit", resize="squash", metrics={}
        )
    else:
        save(tmp_path / "model.keras")
    out = ("--out", tmp_path / "out.csv", "--saliency", tmp_path / "over")
    assert predict(tmp_path / "model.keras", pictures, *out) == 0
    with Image.open(tmp_path / "over" / "deep" / "a.jpg.png") as picture:
        assert picture.width > picture.height
        overlaid = np.asarray(picture)
    from keras_art.pictures.images import load_photo

    assert not np.array_equal(overlaid, load_photo(pictures / "deep" / "a.jpg", 512))


def test_saliency_of_a_network_without_maps_is_refused(tmp_path, pictures, capsys):
    inputs = keras.Input((16, 16, 3))
    tokens = keras.Model(inputs, keras.layers.Reshape((16, 48))(inputs), name="tokens")
    model = heads.multitask_classifier(
        backbones.Backbone(tokens, "unit"), {"style": 2, "artist": 3}, shared=4, hidden=4
    )
    save(tmp_path / "model.keras", model)
    assert predict(tmp_path / "model.keras", pictures, "--saliency", tmp_path / "over") == 1
    assert "tokens has none" in capsys.readouterr().err


def test_a_model_that_does_not_know_its_classes_is_refused(tmp_path, pictures):
    heads.multitask_classifier(network(), {"style": 2}, shared=4, hidden=4).save(tmp_path / "plain.keras")
    for path in (tmp_path / "plain.keras", pictures / "broken.png", tmp_path / "absent.keras"):
        with pytest.raises(UserError, match=r"no exported classifier|does not exist"):
            loading.read_card(path)

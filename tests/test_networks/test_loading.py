"""What a saved model says of itself, and who can open it."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import weakref
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_art import backend
from keras_art.networks import backbones, gram, heads, layers, trained
from keras_art.networks.layers import BatchNormalization2018, Preprocessing
from keras_art.networks.loading import BadModel, load_model
from keras_art.networks.portable import keras_layers_only

ROOT = Path(__file__).parents[2]
CLASSES = {"style": ["cold", "warm"], "artist": ["x", "y", "z"]}
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype("uint8")
CARD = trained.ModelCard(CLASSES, "unit", "squash", 16, {"test_style_accuracy": 0.5}, trained.provenance({"seed": 3}))


def network(mode="unit", frozen_bn=keras.layers.BatchNormalization):
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, 2, activation="relu", name="stage1")(inputs)
    x = frozen_bn(name="norm")(x)
    x = keras.layers.Conv2D(6, 3, 2, activation="relu", name="stage2")(x)
    return backbones.Backbone(keras.Model(inputs, x, name="tiny"), mode)


def classifier(mode="unit", frozen_bn=keras.layers.BatchNormalization):
    keras.utils.set_random_seed(0)
    made = heads.multitask_classifier(network(mode, frozen_bn), {"style": 2, "artist": 3}, shared=4, hidden=4)
    values = np.random.default_rng(1)
    for variable in made.weights:  # moving averages and biases of a trained model are no zeros
        variable.assign(variable + values.uniform(0, 0.1, variable.shape))
    return made


def in_a_fresh_process(code: str, *arguments: object, folder: Path) -> str:
    """Runs code in a process of its own in another folder, which imports keras_art from here."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def registered() -> set[str]:
    """Every class of keras_art that is decorated to be registered, by its source alone."""
    found = set()
    for path in (ROOT / "keras_art").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any("register_keras" in ast.dump(d) for d in node.decorator_list):
                found.add(f"keras_art>{node.name}")
    return found


def test_two_imports_register_every_class_there_is(tmp_path):
    code = "import keras_art.networks, keras_art.methods, keras; print(*keras.saving.get_custom_objects())"
    assert len(registered()) > 10
    assert registered() <= set(in_a_fresh_process(code, folder=tmp_path).split())


def test_importing_keras_art_alone_loads_no_keras(tmp_path):
    assert in_a_fresh_process("import sys, keras_art; print('keras' in sys.modules)", folder=tmp_path) == "False\n"


def test_load_model_opens_classes_of_both_wings_in_a_fresh_process(tmp_path):
    from keras_art.methods.dcec import joint
    from keras_art.methods.dcec.network import autoencoder

    joint.DCEC(*autoencoder(16, embedding=3), clusters=2).save(tmp_path / "dcec.keras")
    made = gram.gram_classifier(network(), "style", 2, gram.GramBranch(channels=3, widths=(4, 4)), shared=4)
    (tmp_path / "run").mkdir()
    made.save(tmp_path / "run" / "model.keras")
    code = """
import sys, pathlib
from keras_art.networks.loading import load_model
print(*(type(load_model(pathlib.Path(path))).__name__ for path in sys.argv[1:]))
"""
    out = in_a_fresh_process(code, tmp_path / "dcec.keras", tmp_path / "run", folder=tmp_path)
    assert out == "DCEC Functional\n"


def test_a_twin_goes_with_its_model():
    model = classifier("tf", BatchNormalization2018)
    twin = weakref.ref(keras_layers_only(model))
    backend.give_back()
    assert twin() is not None
    del model
    backend.give_back()
    assert twin() is None


@pytest.mark.parametrize("mode", Preprocessing.MODES)
@pytest.mark.parametrize("frozen_bn", [keras.layers.BatchNormalization, BatchNormalization2018])
def test_a_model_in_keras_own_layers_says_the_same(mode, frozen_bn):
    model = classifier(mode, frozen_bn)
    twin = keras_layers_only(model)
    assert "keras_art" not in json.dumps(twin.get_config())
    assert "Lambda" not in json.dumps(twin.get_config())
    prepared = [keras.ops.convert_to_numpy(m.get_layer("preprocessing")(PIXELS)) for m in (model, twin)]
    np.testing.assert_allclose(*prepared, atol=1e-6)
    expected, found = model.predict(PIXELS, verbose=0), twin.predict(PIXELS, verbose=0)
    for task in CLASSES:
        np.testing.assert_allclose(found[task], expected[task], atol=1e-6)
    assert heads.backbone_of(twin).name == "tiny"


def test_a_model_saved_again_is_not_built_again_and_every_file_has_its_own_weights(tmp_path, monkeypatch):
    model = classifier("tf", BatchNormalization2018)
    before = model.get_weights()
    trained.save(model, tmp_path / "before.keras", CARD)
    after = [value + 1 for value in before]
    model.set_weights(after)
    monkeypatch.setattr(keras.models, "clone_model", None)
    trained.save(model, tmp_path / "after.keras", CARD)
    for name, weights in (("before", before), ("after", after)):
        for found, value in zip(
            keras.saving.load_model(tmp_path / f"{name}.keras").get_weights(), weights, strict=True
        ):
            np.testing.assert_array_equal(found, value)


def test_a_model_of_keras_own_layers_is_not_built_again():
    inputs = keras.Input((5,))
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(inputs), name="head")
    model.compile("adam")
    kept = keras_layers_only(model)
    assert kept.layers[-1] is model.layers[-1] and kept.name == "head" and not kept.compiled


def test_drop_connect_becomes_a_dense_layer():
    inputs = keras.Input((5,))
    model = keras.Model(inputs, layers.DropConnect(3, 0.5, activation="softmax")(inputs))
    twin = keras_layers_only(model)
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    assert type(twin.layers[-1]) is keras.layers.Dense
    np.testing.assert_allclose(twin.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)


def test_a_layer_without_an_equal_keeps_the_model_ours():
    assert (
        keras_layers_only(
            gram.gram_classifier(network(), "style", 2, gram.GramBranch(channels=3, widths=(4, 4)), shared=4)
        )
        is None
    )


def test_a_saved_classifier_opens_where_keras_art_can_not_be_imported(tmp_path):
    models = {mode: classifier(mode, BatchNormalization2018) for mode in Preprocessing.MODES}
    for mode, model in models.items():
        trained.save(model, tmp_path / f"{mode}.keras", CARD)
    np.save(tmp_path / "pixels.npy", PIXELS)
    code = """
import sys
sys.modules["keras_art"] = None
import keras, numpy as np
pixels = np.load("pixels.npy")
for mode in sys.argv[1:]:
    model = keras.saving.load_model(mode + ".keras")
    np.savez(mode + ".npz", **{task: keras.ops.convert_to_numpy(said) for task, said in model(pixels).items()})
"""
    in_a_fresh_process(code, *models, folder=tmp_path)
    for mode, model in models.items():
        expected = model(PIXELS)  # `predict` would trace each of them
        with np.load(tmp_path / f"{mode}.npz") as found:
            for task in CLASSES:
                np.testing.assert_allclose(found[task], keras.ops.convert_to_numpy(expected[task]), atol=1e-6)


def test_the_optimizer_is_not_saved_and_nothing_is_left_beside(tmp_path):
    model = classifier()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    trained.save(model, tmp_path / "new" / "model.keras", CARD)
    with zipfile.ZipFile(tmp_path / "new" / "model.keras") as archive, archive.open("model.weights.h5") as weights:
        assert b"optimizer" not in weights.read()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model.keras"]


def test_models_that_share_a_layer_are_refused_by_the_names_of_all_three(tmp_path):
    within, shared = keras.Input((16, 16, 3)), keras.layers.Conv2D(2, 3, name="eye")
    last = keras.layers.GlobalAveragePooling2D(name="last"), keras.layers.GlobalMaxPooling2D(name="last")
    left, right = (keras.Model(within, pool(shared(within)), name=str(name)) for name, pool in enumerate(last))
    pixels = keras.Input((16, 16, 3))
    twice = keras.layers.Dense(2, "softmax")(left(pixels) + left(pixels))  # one model, called twice, is saved
    trained.save(keras.Model(pixels, twice), tmp_path / "twice.keras", CARD)
    both = keras.Model(pixels, keras.layers.Dense(2, "softmax")(left(pixels) + right(pixels)))
    with pytest.raises(trained.BadModel, match=r"models '0' and '1' in it share the layer 'eye', which no"):
        trained.save(both, tmp_path / "both.keras", CARD)
    assert [path.name for path in tmp_path.iterdir()] == ["twice.keras"]


def test_the_card_comes_back_as_it_was(tmp_path):
    trained.save(classifier(), tmp_path / "model.keras", CARD)
    card = trained.read_card(tmp_path / "model.keras")
    assert card == CARD
    assert card.provenance["config"] == {"seed": 3}
    assert set(card.provenance) == {"keras_art", "date", "config"}


def test_numbers_that_json_has_not_become_null(tmp_path):
    card = trained.ModelCard(CLASSES, "unit", "squash", 16, {"loss": float("nan"), "best": float("inf")}, {})
    trained.save(classifier(), tmp_path / "model.keras", card)
    assert trained.read_card(tmp_path / "model.keras").metrics == {"loss": None, "best": None}


def sound():
    return {
        "format": 1, "classes": CLASSES, "preprocessing": "unit", "resize": "squash", "image_size": 16, "metrics": {},
        "provenance": {}, "crop": 0, "margins": False, "network": None,
    }  # fmt: skip


def with_card(path: Path, text: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("keras_art.json", text)
    return path


def test_the_card_that_the_next_tests_damage_is_sound(tmp_path):
    assert trained.read_card(with_card(tmp_path / "m.keras", json.dumps(sound()))).classes == CLASSES


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "format is not 1"),
        ({"classes": {}}, "classes"),
        ({"classes": {"style": []}}, "classes"),
        ({"classes": {"style": [1]}}, "classes"),
        ({"classes": ["style"]}, "classes"),
        ({"preprocessing": "imagenet"}, "preprocessing"),
        ({"preprocessing": ["unit"]}, "preprocessing"),
        ({"resize": ["squash"]}, "resize"),
        ({"resize": "stretch"}, "resize"),
        ({"image_size": 10**9}, "image_size"),
        ({"image_size": True}, "image_size"),
        ({"image_size": "16"}, "image_size"),
        ({"metrics": []}, "metrics"),
        ({"margins": 1}, "margins"),
        ({"crop": 9999}, "crop"),
        ({"network": "tiny.keras"}, "network"),
        ({"metrics": {"a": json.loads("[" * 40 + "]" * 40)}}, "within each other"),
    ],
)
def test_a_damaged_card_is_one_clear_error(tmp_path, change, words):
    path = with_card(tmp_path / "m.keras", json.dumps({**sound(), **change}))
    with pytest.raises(BadModel, match=rf"damaged card.*{words}"):
        trained.read_card(path)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null", "[" * 100_000, '{"format": 1}'])
def test_a_card_that_is_none_is_one_clear_error(tmp_path, text):
    with pytest.raises(BadModel, match=r"m\.keras (has a damaged card|is no whole)"):
        trained.read_card(with_card(tmp_path / "m.keras", text))


def test_a_card_of_absurd_size_is_not_unpacked(tmp_path, monkeypatch):
    path = with_card(tmp_path / "m.keras", " " * (64 << 20))
    assert path.stat().st_size < 1 << 20
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *arguments: pytest.fail("it was unpacked"))
    with pytest.raises(BadModel, match="claims 67,108,864 bytes"):
        trained.read_card(path)


def test_a_card_that_read_card_would_refuse_is_not_written(tmp_path):
    with pytest.raises(BadModel, match="resize"):
        trained.save(classifier(), tmp_path / "m.keras", trained.ModelCard(CLASSES, "unit", "stretch", 16, {}, {}))
    assert not list(tmp_path.iterdir())


def test_a_model_that_does_not_know_its_classes_is_refused(tmp_path):
    classifier().save(tmp_path / "plain.keras")
    (tmp_path / "text.keras").write_text("no model")
    for name, words in (("plain", "does not say its classes"), ("text", "no whole"), ("absent", "does not exist")):
        with pytest.raises(BadModel, match=words):
            trained.read_card(tmp_path / f"{name}.keras")


@keras.saving.register_keras_serializable("elsewhere")
class Foreign(keras.layers.Layer):
    def call(self, inputs):
        return inputs


def test_a_file_that_can_not_be_loaded_is_one_clear_error(tmp_path):
    inputs = keras.Input((4,))
    keras.Model(inputs, Foreign()(inputs)).save(tmp_path / "foreign.keras")
    mark = str(tmp_path / "executed")
    keras.Model(inputs, keras.layers.Lambda(lambda x: (open(mark, "w").close(), x)[1])(inputs)).save(
        tmp_path / "lambda.keras"
    )
    Path(mark).unlink()
    (tmp_path / "cut.keras").write_bytes((tmp_path / "lambda.keras").read_bytes()[:-200])
    (tmp_path / "old.h5").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    custom = keras.saving.get_custom_objects()
    known = custom.pop("elsewhere>Foreign")
    try:
        for name, words in {
            "foreign.keras": "something called Foreign, which neither",
            "lambda.keras": "Lambda layer, which is a program",
            "cut.keras": r"not a Keras model that can be loaded \(.*\): copy it again, or save it anew",
            "old.h5": r"no \.keras file",
            "absent.keras": "does not exist",
            "empty": r"holds no model\.keras or head\.keras",
        }.items():
            with pytest.raises(BadModel, match=words):
                load_model(tmp_path / name)
    finally:
        custom["elsewhere>Foreign"] = known
    assert not Path(mark).exists()


# --- files that somebody made to do harm


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    path = tmp_path_factory.mktemp("honest") / "model.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save(path)
    return path


def layer(name: str, module: str = "keras.layers", **config: object) -> dict:
    return {"module": module, "class_name": name, "config": {"name": "it", **config}, "registered_name": None}


def deep(levels: int) -> dict:
    inner: dict = {}
    for _ in range(levels):
        inner = {"inner": inner}
    return inner


def _absurd(config: dict) -> None:
    config["config"]["layers"][-1]["config"]["units"] = 10**9


HOSTILE_LAYERS = {
    "lambda": (layer("Lambda", function={"class_name": "__lambda__", "config": {"value": "4w==\n"}}), "has a Lambda"),
    "lambda by its file": (layer("Lambda", "keras.src.layers.core.lambda_layer"), "has a Lambda"),
    "registered": (layer("keras>Lambda"), "has a Lambda"),
    "saved model": (layer("TFSMLayer", filepath="/etc"), "has a TFSMLayer"),
    "pickle": (layer("TorchModuleWrapper", module={"value": "gASVFQ=="}), "has a TorchModuleWrapper"),
    "reads a file": (layer("StringLookup", vocabulary="/etc/passwd"), "has a StringLookup"),
    "inside another": (layer("TimeDistributed", layer=layer("TextVectorization")), "has a TextVectorization"),
    "a function of os": (layer("system", "os"), "something called system, which neither"),
    "a class of the library": (layer("Popen", "subprocess"), "something called Popen, which neither"),
    "nested without end": (layer("Dense", more=deep(200)), "within each other"),
    "nested beyond recursion": (layer("Dense", more="DEEP"), "not a Keras model"),
}


@pytest.mark.parametrize("case", HOSTILE_LAYERS)
def test_a_model_that_is_more_than_an_arrangement_of_layers_is_refused(honest, tmp_path, case):
    hostile, words = HOSTILE_LAYERS[case]

    def add(config):
        config["config"]["layers"].append(hostile)

    with pytest.raises(BadModel, match=words) as refused:
        load_model(changed(honest, tmp_path, add))
    assert "\n" not in str(refused.value)


def changed(honest: Path, folder: Path, change, members=(), **options) -> Path:
    """A copy of the honest model with another configuration, and members behind those it has."""
    with zipfile.ZipFile(honest) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(content["config.json"])
    change(config)
    content["config.json"] = json.dumps(config).replace('"DEEP"', "[" * 100_000 + "]" * 100_000).encode()
    with zipfile.ZipFile(folder / "model.keras", "w", **options) as archive:
        for name, text in [*content.items(), *members]:
            archive.writestr(name, text)
    return folder / "model.keras"


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "assets/vocabulary.txt", "model.weights.json"])
def test_an_archive_with_other_members_is_refused_and_not_unpacked(honest, tmp_path, name):
    (tmp_path / "run").mkdir()
    path = changed(honest, tmp_path / "run", lambda config: None, [(name, "x")])
    with pytest.raises(BadModel, match=re.escape(f"it holds {name!r}, which no network needs")):
        load_model(path.parent)
    assert not (tmp_path / "escaped").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_a_member_twice_is_refused(honest, tmp_path):
    path = changed(honest, tmp_path, lambda config: None, [("config.json", "{}")])
    with pytest.raises(BadModel, match="it holds a member twice"):
        load_model(path)


def test_a_network_of_absurd_size_is_refused_before_it_is_made(honest, tmp_path):
    with pytest.raises(BadModel, match="describes a network of 5,000,000,000 numbers and stores 15"):
        load_model(changed(honest, tmp_path, _absurd))


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "keras_art.json"])
def test_an_archive_that_unpacks_without_end_is_refused_unread(honest, tmp_path, name):
    with zipfile.ZipFile(honest) as archive:
        content = {member: archive.read(member) for member in archive.namelist()}
    content[name] = content.get(name, b"") + b" " * (32 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in content.items():
            archive.writestr(member, text)
    with pytest.raises(BadModel, match=f"claims 33,[0-9,]+ bytes of {name}"):
        load_model(tmp_path / "bomb.keras")


def test_a_weight_that_is_one_value_throughout_counts_as_its_bytes(honest, tmp_path):
    import io

    import h5py

    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_dataset("layers/dense/vars/0", (4, 10**9), "float32", chunks=(4, 1 << 20), fillvalue=1)
        file.create_dataset("layers/dense/vars/1", (10**9,), "float32", chunks=(1 << 20,))
    with zipfile.ZipFile(honest) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(kept["config.json"])
    _absurd(config)
    with zipfile.ZipFile(tmp_path / "shape.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", kept["metadata.json"])
        archive.writestr("model.weights.h5", content.getvalue())
    with pytest.raises(BadModel, match="describes a network of 5,000,000,000 numbers and stores"):
        load_model(tmp_path / "shape.keras")

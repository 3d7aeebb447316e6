"""What a network that knows texts, too, says of pictures by the names of their classes: CLIP, MetaCLIP 2, SigLIP.

Nothing is learnt from the pictures: the text of each class becomes a vector on the network's second side, and a
picture is of the class whose vector is nearest to its own by the angle between them (Radford et al. 2021, section 3.1).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_art.networks import hub
from keras_art.networks.handles import folder_of, is_here
from keras_art.networks.loading import BadModel, class_names
from keras_art.store import plain
from keras_art.writing import HANDLES

PLACE = "{}"  # where a template has the class
# Of keras-hub, what makes numbers of texts for a network, and what stands between the image's vector and the angle.
PREPROCESSORS = {
    "CLIPBackbone": "CLIPPreprocessor", "MetaCLIP2Backbone": "MetaCLIP2CausalLMPreprocessor",
    "SigLIPBackbone": "SigLIPPreprocessor",
}  # fmt: skip
PARTS = ("vision_post_layer_norm", "vision_projection")
TOKENIZERS = {"CLIPTokenizer", "MetaCLIP2Tokenizer", "SigLIPTokenizer", "DTypePolicy", "FloatDTypePolicy"}
FILE = "tokenizer.json"
SILENT = (
    "{} knows no texts, which zero_shot asks it about: give CLIP, MetaCLIP 2 or SigLIP of keras-hub, as "
    "keras-hub:clip_vit_base_patch32 is"
)


def texts_of(template: str, classes: Sequence[str]) -> list[str]:
    """A template with the name of each class in it, `_` and `-` as blanks.

    >>> texts_of("a painting by {}", ["vincent_van-gogh"])
    ['a painting by vincent van gogh']
    """
    return [template.replace(PLACE, name.replace("_", " ").replace("-", " ")) for name in classes]


def check_here(preset: str) -> None:
    """As `check_texts` without a download: what is not here is known by its name in keras-hub, if it has one.

    Raises:
        BadModel: it knows no texts.
    """
    if preset.startswith("keras-hub:"):
        import keras_hub

        name = preset.removeprefix("keras-hub:")
        is_here(preset)  # which refuses what keras-hub has not
        if not any(name in getattr(keras_hub.models, kind).presets for kind in PREPROCESSORS):
            raise BadModel(SILENT.format(preset))
    elif not preset.startswith(HANDLES) or is_here(preset):
        check_texts(preset)


def check_texts(preset: str) -> Path:
    """The folder of a preset that has a side of texts and what makes numbers of them.

    Raises:
        BadModel: it has not, or that has something else in it.
    """
    folder = folder_of(preset)
    name = hub.family(folder) if (folder / "config.json").is_file() else "no preset"
    if name and name not in PREPROCESSORS:
        raise BadModel(SILENT.format(preset))
    try:
        found = json.loads(plain.read(folder / FILE))
        odd = sorted(set(class_names(found, folder / FILE)) - TOKENIZERS)
    except FileNotFoundError:
        raise BadModel(
            f"{preset} has no {FILE}, without which nothing can be asked in words: save its preprocessor into the same "
            f"folder, too"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise BadModel(f"{folder / FILE} can not be read ({error}): {hub.ANEW}") from error
    if odd and name:  # a model of transformers has a file of that name, too, which is no configuration of layers
        raise BadModel(f"{folder / FILE} has a {odd[0]} in it: not read")
    return folder


def text_head(preset: str, texts: Sequence[str]) -> keras.Model:
    """What stands on the features of a preset's image side: (batch, width) -> shares of the texts (batch, texts).

    The softmax of cosines between picture and text, at the temperature that the network has learnt for them. In Keras's
    own layers.

    Args:
        preset: as of `hub`, one of `PREPROCESSORS`.
        texts: one for each class.

    Raises:
        BadModel: as `check_texts`, it can not be loaded, or two of the texts are the same to it.
    """
    folder = check_texts(preset)
    net, _ = hub.read(folder, with_weights=True)
    if type(net).__name__ not in PREPROCESSORS:
        raise BadModel(f"{preset} is a {type(net).__name__}, which knows no texts: give CLIP or SigLIP of keras-hub")
    tokens, _ = _tokens(folder, net, texts)
    said = keras.ops.convert_to_numpy(net.get_text_embeddings(keras.ops.convert_to_tensor(tokens))).astype("float32")
    said /= np.maximum(np.linalg.norm(said, axis=1, keepdims=True), 1e-12)
    scale = next(weight for weight in net.weights if weight.path.endswith("logit_scale"))
    own = [getattr(net, name) for name in PARTS if hasattr(net, name)]
    x = features = keras.Input((net.vision_encoder.output.shape[-1],), name="features")
    copies = [type(layer).from_config({**layer.get_config(), "dtype": "float32"}) for layer in own]
    for copy in copies:
        x = copy(x)
    x = keras.layers.UnitNormalization(dtype="float32", name="direction")(x)
    softmax = keras.layers.Dense(len(texts), "softmax", dtype="float32", name="softmax")
    head = keras.Model(features, softmax(x), name="head")
    for copy, layer in zip(copies, own, strict=True):
        copy.set_weights(layer.get_weights())
    softmax.set_weights([said.T * np.exp(keras.ops.convert_to_numpy(scale)), np.zeros(len(texts))])
    return head


def cut_short(preset: str, texts: Sequence[str]) -> str:
    """That a network does not read all of some texts, one for each class, in words; "" where it does.

    Raises:
        BadModel: as `check_texts`, or two of them are the same to it.
    """
    folder = check_texts(preset)
    net, _ = hub.read(folder, with_weights=False)
    tokens, cut = _tokens(folder, net, texts)
    if not cut.any():
        return ""
    return (
        f"reads {tokens.shape[1]} tokens of a text, of which {cut.sum()} of the {len(texts)} here have more, first "
        f"{texts[int(cut.argmax())]!r}: what is behind them is not asked"
    )


def _tokens(folder: Path, net: Any, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of each text, (texts, length), as long as the network takes them, and which of them it cuts short."""
    import keras_hub

    kind = getattr(keras_hub.models, PREPROCESSORS[type(net).__name__])
    try:
        preprocessor = kind(kind.tokenizer_cls.from_preset(str(folder)))
        length = net.text_encoder.max_sequence_length
        asked = {"prompts": list(texts), "images": None}
        # One text may have as many tokens as it has bytes, with one at each end.
        most = max(length, *(len(text.encode()) + 2 for text in texts))
        tokens, whole = (
            keras.ops.convert_to_numpy(preprocessor(asked, sequence_length=longest)["token_ids"])
            for longest in (length, most)
        )
    except Exception as error:  # of several libraries, each with its own
        said = str(error).strip().splitlines()[0][:300]
        raise BadModel(f"{folder} can not read texts, which {FILE} is for ({said}): {hub.ANEW}") from error
    for row in range(1, len(texts)):
        if same := np.flatnonzero((tokens[:row] == tokens[row]).all(axis=1)).tolist():
            both = f"{texts[same[0]]!r} and {texts[row]!r}"
            if (whole[row] == whole[same[0]]).all():
                raise BadModel(f"{folder} reads {both} as one text: give these classes other names, or merge them")
            raise BadModel(
                f"{folder} reads {length} tokens of a text, and so {both} as one: give a --template with fewer words, "
                f"or classes shorter names"
            )
    return tokens, (tokens != whole[:, :length]).any(axis=1)

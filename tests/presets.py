"""Presets of keras-hub, as small as their classes allow, made and saved in a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

SIDE = 28
LONGEST = 16  # tokens of a text
TOKENS: dict[str, Any] = {"patch_size": 7, "num_layers": 2, "num_heads": 2, "hidden_dim": 8}
SHAPE = {"image_shape": (SIDE, SIDE, 3)}
MEAN, DEVIATION = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)


def network(name: str) -> Any:
    """A network of keras-hub by the beginning of its class's name, with random weights."""
    import keras_hub

    keras.utils.set_random_seed(7)
    models = keras_hub.models
    match name:
        case "ViT":
            return models.ViTBackbone(**TOKENS, **SHAPE, mlp_dim=16)
        case "DeiT":
            return models.DeiTBackbone(**TOKENS, **SHAPE, intermediate_dim=16)
        case "DINOV2":
            own = {"position_embedding_shape": (SIDE, SIDE, 3), "num_register_tokens": 2}
            return models.DINOV2Backbone(**TOKENS, **SHAPE, **own, intermediate_dim=16)
        case "DINOV3":
            return models.DINOV3Backbone(**TOKENS, **SHAPE, intermediate_dim=16)
        case "SwinTransformer":
            own = {"embed_dim": 8, "depths": (1, 1), "num_heads": (1, 2), "window_size": 7}
            return models.SwinTransformerBackbone(**own, image_shape=(56, 56, 3))
        case "CLIP" | "MetaCLIP2" | "SigLIP":
            sizes: dict[str, Any] = {"hidden_dim": 8, "num_layers": 1, "num_heads": 2, "intermediate_dim": 16}
            own = {"vocabulary_size": 40, "embedding_dim": 8, "max_sequence_length": LONGEST}
            texts = getattr(models, f"{name}TextEncoder")(**sizes, **own)
            pictures = getattr(models, f"{name}VisionEncoder")(**TOKENS, **SHAPE, intermediate_dim=16)
            whole = getattr(models, f"{name}Backbone")
            return whole(pictures, texts) if name == "SigLIP" else whole(pictures, texts, 6)
        case "ResNet":
            own = {"input_conv_filters": [64], "input_conv_kernel_sizes": [3], "stackwise_num_filters": [64, 64]}
            own |= {"stackwise_num_blocks": [1, 1], "stackwise_num_strides": [1, 2], "block_type": "basic_block"}
            return models.ResNetBackbone(**own, image_shape=(None, None, 3))
        case "VGG":
            return models.VGGBackbone([1, 1], [64, 64], image_shape=(SIDE, SIDE, 3))
        case "DenseNet":
            return models.DenseNetBackbone([1, 1], growth_rate=8, image_shape=(None, None, 3))
        case "Xception":
            return models.XceptionBackbone([[8, 8], [8, 16]], [True, False], image_shape=(None, None, 3))
        case "EfficientNet":
            return models.EfficientNetBackbone(
                stackwise_width_coefficients=[1.0] * 2, stackwise_depth_coefficients=[1.0] * 2,
                stackwise_kernel_sizes=[3, 3], stackwise_num_repeats=[1, 1], stackwise_input_filters=[8, 8],
                stackwise_output_filters=[8, 16], stackwise_expansion_ratios=[1, 4], stackwise_strides=[1, 2],
                stackwise_squeeze_and_excite_ratios=[0.25, 0.25], stackwise_block_types=["v1", "v1"],
                stackwise_force_input_filters=[0, 0], stackwise_nores_option=[False, False], dropout=0.2,
                input_shape=(None, None, 3),
            )  # fmt: skip
        case "MobileNet":
            return models.MobileNetBackbone(
                stackwise_expansion=[[40], [64]], stackwise_num_blocks=[1, 1], stackwise_num_filters=[[16], [24]],
                stackwise_kernel_size=[[3], [5]], stackwise_num_strides=[[2], [1]], stackwise_se_ratio=[[None], [0.25]],
                stackwise_activation=[["relu"], ["hard_swish"]], stackwise_padding=[[1], [2]], output_num_filters=64,
                depthwise_filters=8, depthwise_stride=2, depthwise_residual=False, last_layer_filter=32,
                squeeze_and_excite=0.5, input_activation="hard_swish", output_activation="hard_swish",
                input_num_filters=16, image_shape=(SIDE, SIDE, 3),
            )  # fmt: skip
        case "CSPNet":
            own = {"stem_filters": 8, "stem_kernel_size": 3, "stem_strides": 1, "stackwise_depth": [1, 2]}
            own |= {
                "stackwise_strides": [1, 2],
                "stackwise_num_filters": [8, 16],
                "block_type": "dark_block",
                "stage_type": "csp",
                "block_ratio": [0.5],  # of half the filters, which go through its blocks
            }
            return models.CSPNetBackbone(**own, image_shape=(SIDE, SIDE, 3))
    raise ValueError(name)


def save(name: str, folder: Path, *, converter: bool = True) -> Any:
    """The same as a preset in a folder, with its own scale of pixels unless it is to keep silent; the network."""
    import keras_hub

    net = network(name)
    net.save_to_preset(str(folder))
    if converter:
        sides = (getattr(net, "vision_encoder", net).inputs[0].shape[1] or SIDE,) * 2
        own = getattr(keras_hub.layers, f"{name}ImageConverter")
        scale, offset = [1 / 255 / d for d in DEVIATION], [-m / d for m, d in zip(MEAN, DEVIATION, strict=True)]
        own(image_size=sides, scale=scale, offset=offset).save_to_preset(str(folder))
    return net


LETTERS = "abcdefghilmnorst"


def save_texts(name: str, folder: Path) -> None:
    """What makes numbers of texts for CLIP or SigLIP, into the folder of its preset: one for each of `LETTERS`."""
    import io

    import keras_hub
    import sentencepiece

    if name == "SigLIP":
        proto = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([" ".join(LETTERS), LETTERS, "a cold b", "warm"]), model_writer=proto, vocab_size=24,
            model_type="CHAR", pad_id=0, bos_id=-1, eos_id=1, unk_id=2, hard_vocab_limit=False, minloglevel=2,
        )  # fmt: skip
        tokenizer = keras_hub.models.SigLIPTokenizer(proto=proto.getvalue())
    else:
        words = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "co"]
        numbers = {word: i for i, word in enumerate(words)} | {"<|startoftext|>": 38, "<|endoftext|>": 39}
        tokenizer = getattr(keras_hub.models, f"{name}Tokenizer")(vocabulary=numbers, merges=["c o"])
    tokenizer.save_to_preset(str(folder))

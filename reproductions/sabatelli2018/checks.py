"""What a study may not ask for."""

from __future__ import annotations

from keras_art.commands import flags
from keras_art.commands.preparation import check_texts
from keras_art.errors import UserError
from keras_art.study.kinds.classifier import PROBES
from keras_art.study.kinds.classifier import ClassifierRun as Run
from reproductions.sabatelli2018.study import PRESETS, Study, in_mode

# What training by steps reads and nothing else does; the last two the demo's first training of a network, too.
STEPS = ("optimizer", "learning_rate", "epochs", "patience", "keep", "order", "bn_momentum")


def check(study: Study) -> None:
    """Refuses what contradicts itself, before anything is read.

    Raises:
        UserError: naming the flags.
    """
    least = {"epochs": 1, "frozen_epochs": 0, "patience": 1, "batch_size": 1, "image_size": 0, "lora": 0, "warmup": 0}
    flags.check_values(study, limit=0, **least)
    preset = PRESETS[study.preset]
    fine_tuned = in_mode(study, Run(), "fine_tuning")  # reads --optimizer
    for flag in ("networks", "modes", "weights"):
        if not getattr(study, flag):
            raise UserError(f"--{flag} needs at least one value")
    if study.head != "softmax" and "off_the_shelf" not in study.modes:
        raise UserError(f"--head {study.head} stands on frozen features: add off_the_shelf to --modes")
    if study.head != "softmax" and study.frozen_bn == "batch":
        raise UserError(f"--head {study.head} needs features that stay as they are: add --frozen_bn inference")
    if not 0 < study.discriminative <= 1:
        raise UserError(f"--discriminative lies in (0, 1], not {study.discriminative}")
    tunes = "fine_tuning" in study.modes or study.source  # which is fine-tuned in any case
    learns = tunes or "scratch" in study.modes
    asked = [flag for flag in fine_tuned.adapted if getattr(study, flag) != getattr(preset, flag)]
    if asked and not learns:
        raise UserError(f"--{asked[0]} is of networks that learn as a whole: add fine_tuning to --modes")
    if not tunes and (asked := [flag for flag in asked if flag in Run.OF_LAYERS]):
        raise UserError(f"--{asked[0]} is of layers that were trained before: add fine_tuning to --modes")
    if study.order != "shuffled" and fine_tuned.adapted and learns:
        raise UserError(f"--order {study.order} is of the paper's training: leave --{fine_tuned.adapted[0]} out")
    if "zero_shot" not in study.modes and study.template != preset.template:
        raise UserError("--template is of classes asked for by their names: add zero_shot to --modes")
    in_epochs = {*study.modes} - {*PROBES} - ({"off_the_shelf"} if study.head != "softmax" else set())
    unread = () if in_epochs or learns else STEPS[:-2] if "demo" in study.weights else STEPS
    if asked := [flag for flag in unread if getattr(study, flag) != getattr(preset, flag)]:
        raise UserError(f"--{asked[0]} is of heads and networks that learn in epochs: add fine_tuning to --modes")
    if "off_the_shelf" not in in_epochs and study.frozen_epochs != preset.frozen_epochs:
        raise UserError("--frozen_epochs is of softmax heads on a frozen network: add off_the_shelf to --modes")
    if study.frozen_epochs and not learns and study.epochs != preset.epochs:
        raise UserError(f"--epochs is of what learns as a whole, heads take --frozen_epochs {study.frozen_epochs}")
    if study.warmup > study.epochs:
        raise UserError(
            f"--warmup {study.warmup} are some of the --epochs, of which there are {study.epochs}: give both, as "
            f"--epochs {study.epochs} --warmup {study.epochs // 2}"
        )
    if study.lora and study.freeze_until:
        raise UserError("--lora freezes all layers but its own: leave --freeze_until out")
    if study.frozen_bn == "batch" and (probes := [mode for mode in study.modes if mode in PROBES]):
        raise UserError(f"--modes {probes[0]} needs features that stay as they are: add --frozen_bn inference")
    if "zero_shot" in study.modes and study.template.count("{}") != 1:
        raise UserError(f"--template {study.template!r} needs one {{}}, in which the name of each class is put")
    if "zero_shot" in study.modes and (study.source or study.theta_r or study.weights != ("imagenet",)):
        raise UserError("--modes zero_shot asks a network as it was released: leave --weights, --source, --theta_r out")
    if study.source and set(study.modes) == {"scratch"}:
        raise UserError("--source carries weights over, --modes scratch begins without any: add another mode")
    if study.source and study.source == study.data:
        raise UserError("--source and --data name the same collection")
    if study.source_target and not study.source:
        raise UserError("--source_target names a label column of --source: give that, too")
    carried = [(item, *item.partition("=")[::2]) for item in study.theta_r]
    if wrong := [item for item, network, file in carried if network not in study.networks or not file]:
        raise UserError(f"--theta_r {wrong[0]} is not NETWORK=FILE with one of --networks {' '.join(study.networks)}")
    if study.source and not study.data:
        raise UserError("--source needs --data, the collection to carry over to")
    if "zero_shot" in study.modes:
        check_texts(study.networks)

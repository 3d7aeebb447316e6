"""What a person asks for, and the runs it expands into."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from keras_art.networks.known import VITS

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.store import runs
from keras_art.study import plan as study_
from keras_art.version import __version__

if TYPE_CHECKING:
    from keras_art.data.choices import Choice
    from keras_art.data.sources import Collection

PAPER = "multitask"
ALIASES = {"resnet": "ResNet50", "vit": "ViTB16"}
SHARED = {"ResNet50": 1024, "ViTB16": 768, "ViTTi16": 192}  # of the design note; other networks: 512


@dataclass(frozen=True)
class Study(terminal.Study):
    """What a person asks for; it expands into Runs."""

    targets: tuple[str, ...] = ("style", "artist")
    """The label columns; `gram` and baselines are of the first one."""
    networks: tuple[str, ...] = ("resnet", "vit")
    """resnet (ResNet50), vit (ViTB16), ViTTi16, names of keras.applications, or .keras files with a spatial output."""
    tasks: tuple[str, ...] = ()
    """Columns by name, multitask for all of them at once, gram on the first one. Default: all of these."""
    min_images: int = 1
    """Classes with fewer images count as missing labels."""
    weights: tuple[str, ...] = ("imagenet",)
    """imagenet, none (random), a file, NETWORK=FILE; for a ViT a keras-hub preset folder, vit=FOLDER."""
    preprocessing: Literal["imagenet", "unit", "caffe", "tf", "torch", "none"] = "imagenet"
    """imagenet: the network's own; unit: [0, 1]; none: [0, 255]."""
    image_size: int = 224
    """Side of the square input in pixels."""
    resize: Literal["squash", "squash_nearest", "crop", "pad"] = "squash"
    """How a picture becomes square."""
    augmentation: Literal["tf_data", "keras", "keras_cv", "none"] = "tf_data"
    """Where crop, flip, rotation and colour jitter happen."""
    batch_size: int = 64
    """Images per step."""
    epochs: int = 20
    """All of them, frozen and end to end."""
    frozen_epochs: int = 5
    """The first ones, with a frozen backbone."""
    learning_rate: float = 1e-4
    """Of AdamW while the backbone is frozen."""
    tuned_rate: float = 0.1
    """Times --learning_rate, end to end."""
    plateau_factor: float = 0.1
    """What the learning rate is multiplied by when the validation loss stands still."""
    plateau_patience: int = 3
    """Epochs it may stand still."""
    weight_decay: float = 1e-4
    """Of AdamW; --gram_weight_decay for the Gram classifier."""
    gram_weight_decay: float = 5e-4
    """Of the Gram classifier."""
    decay_all: bool = True
    """Decay biases and normalisation's scales too (False leaves them out)."""
    shared: int = 0
    """Units of the shared layer (0: 1024 on ResNet50, 768 on ViT-B/16, 512 on others)."""
    hidden: int = 512
    """Units of a head's dense layer."""
    dropout: float = 0.4
    """Of the heads; the design note says 0.3 to 0.5."""
    gram_dropout: float = 0.6
    """Of the Gram classifier."""
    task_weights: tuple[str, ...] = ("1",)
    """One number for each column, one for all, or `learned` (homoscedastic uncertainty)."""
    gram_tap: str = ""
    """Layer whose maps the Gram matrix is of ("": the end of the last stage but one, conv4 of ResNet50)."""
    gram_channels: tuple[int, ...] = (512,)
    """Channels the maps are brought to, one run each."""
    gram_description: tuple[Literal["full", "triangle"], ...] = ("full",)
    """The whole matrix, or its triangle with signed square root and unit length; one run each."""
    fusion: tuple[float, ...] = (0.5,)
    """Share of the Gram branch in the logits, one run each."""
    auxiliary: float = 0.0
    """Weight of each branch's own loss (0: none)."""
    bn_momentum: float = 0.0
    """Of batch normalisation's moving averages (0: the network's own); short trainings need 0.9."""
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    """Of the arithmetic; mixed is for GPUs."""
    device: int = -1
    """The number of the one GPU this process may see (-1: all). Runs are independent: start one process for each."""


PRESETS = {
    "demo": Study(
        preset="demo", networks=("ResNet50", "ViTTi16"), weights=("none",), preprocessing="tf", image_size=48,
        limit=360, batch_size=24, epochs=3, frozen_epochs=1, learning_rate=1e-3, tuned_rate=1.0, bn_momentum=0.9,
        shared=128, hidden=64, gram_channels=(64,), gram_description=("triangle",), split="stratified",
    ),
    "study": Study(preset="study"),
    "paper": Study(
        preset="paper", data="wikiart", split="stratified", min_images=50, precision="mixed_float16",
    ),
}  # fmt: skip
PRESETS["released"] = dataclasses.replace(PRESETS["paper"], preset="released")  # no code was released


@dataclass(frozen=True)
class Run(study_.ClassifierRun):
    """One classifier of `targets`, the first of which is `target`; `mode` is single, multitask or gram."""

    paper: ClassVar[str] = PAPER

    targets: tuple[str, ...] = ()
    mode: str = "single"
    network: str = "ResNet50"
    optimizer: str = "adamw"
    learning_rate: float = 1e-4
    batch_size: int = 64
    epochs: int = 20
    patience: int = 0  # the design note stops at no epoch
    frozen_epochs: int = 5
    tuned_rate: float = 0.1
    plateau_factor: float = 0.1
    plateau_patience: int = 3
    weight_decay: float = 1e-4
    decay_all: bool = True
    augmentation: str = "tf_data"
    shared: int = 1024
    hidden: int = 512
    dropout: float = 0.4
    task_weights: str = "1"
    gram_tap: str = ""
    gram_channels: int = 0
    gram_description: str = ""
    fusion: float = 0.0
    auxiliary: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(self.targets))  # as a file has them, they are a list

    @property
    def model_name(self) -> str:
        """As the design note calls it: resnet_style, vit_multitask, resnet_gram_style."""
        names = {value: alias for alias, value in ALIASES.items()}
        stem = Path(self.network).stem.rsplit("-", 1)[0] if self.network.endswith(".keras") else self.network
        network = names.get(stem, stem)
        if self.mode == "gram":
            return f"{network}_gram_{self.target}"
        return f"{network}_{'multitask' if self.mode == 'multitask' else self.target}"


def check(study: Study) -> None:
    """Refuses what contradicts itself, before anything is read.

    Raises:
        UserError: naming the flags.
    """
    for flag in ("networks", "targets", "seeds", "weights", "gram_channels", "gram_description", "fusion"):
        values = getattr(study, flag)
        if not values or len(set(values)) < len(values):
            raise UserError(f"--{flag} needs at least one value, and none twice")
    known = (*study.targets, "multitask", "gram")
    if len(set(study.tasks)) < len(study.tasks):
        raise UserError("--tasks needs none twice")
    if unknown := [task for task in study.tasks if task not in known]:
        raise UserError(f"--tasks has {', '.join(unknown)}; with these --targets it takes {', '.join(known)}")
    for flag, least in (("epochs", 1), ("frozen_epochs", 0), ("batch_size", 1), ("image_size", 1), ("min_images", 1)):
        if getattr(study, flag) < least:
            raise UserError(f"--{flag} is at least {least}")
    if study.frozen_epochs > study.epochs:
        raise UserError("--frozen_epochs are some of the --epochs, not more")
    if not all(0 <= share <= 1 for share in study.fusion) or not 0 <= study.dropout < 1:
        raise UserError("--fusion lies in [0, 1], --dropout in [0, 1)")
    if "multitask" in study.tasks and len(study.targets) < 2:
        raise UserError("--tasks multitask needs two --targets at least")
    if len(study.task_weights) not in (1, len(study.targets)):
        raise UserError("--task_weights takes `learned`, one number, or one for each of --targets")
    for weight in study.task_weights:
        if study.task_weights != ("learned",) and not _positive(weight):
            raise UserError(f"--task_weights {weight} is neither `learned` nor a number above 0")
    if study.split == "artist_disjoint" and "artist" in study.targets:
        raise UserError(
            "--split artist_disjoint is undefined for the artist, who would then be in one split only: "
            "give --targets style"
        )


def _positive(word: str) -> bool:
    try:
        return float(word) > 0
    except ValueError:
        return False


def choice(study: Study, store: runs.Store) -> tuple[Collection | None, Choice]:
    """The collection of a study and its images; no collection where `--data` is a choice that the store holds.

    Raises:
        BadCollection: it can not be read, or a column can not be used.
    """
    from keras_art.atelier import make_atelier
    from keras_art.data.kept import held
    from keras_art.data.labels import choose_columns
    from keras_art.data.sources import load_collection

    data = study.data or make_atelier(store.root / "cache" / __version__ / "atelier-target", half="target")
    how: dict[str, Any] = {"rule": study.split, "split_seed": study.split_seed, "limit": study.limit}
    if kept := held(store, data, study.targets, **how):
        return None, kept
    collection = load_collection(data, study.root)
    return collection, choose_columns(collection, study.targets, min_images=study.min_images, **how)


def weights_files(study: Study) -> list[str]:
    """What `--weights` names, but for vision transformers, whose presets are folders and kept on their own."""
    files = dict(item.rpartition("=")[::2] for item in study.weights)
    return [file for network, file in files.items() if ALIASES.get(network, network) not in VITS]


def starting_weights(network: str, study: Study, store: runs.Store) -> str:
    """What `--weights` says of one network: imagenet, none, own, a file, or a preset, in the store's names."""
    files, plain = study_.split_weights(study.networks, study.weights)
    weights = files.get(network, plain)
    if network.endswith(".keras"):
        return "own" if weights == "imagenet" else weights if weights == "none" else study_.named(weights)
    if weights in ("imagenet", "none"):
        return weights
    if ALIASES.get(network, network) in VITS:
        if "/" not in weights:
            return weights  # the name of a keras-hub preset
        from keras_art.networks import vit

        return vit.keep_preset(Path(weights).expanduser(), store.root / "cache" / "weights")
    return study_.named(weights)


def runs_of(study: Study, chosen: Choice, store: runs.Store) -> list[Run]:
    """The study as a list of runs: networks, then tasks, then seeds."""
    grid: dict[Run, None] = {}
    same = (
        "preprocessing", "image_size", "resize", "augmentation", "batch_size", "epochs", "frozen_epochs", "hidden",
        "learning_rate", "tuned_rate", "plateau_factor", "plateau_patience", "decay_all", "bn_momentum", "precision",
    )  # fmt: skip
    for network in study.networks:
        name = study_.named(ALIASES.get(network, network))
        common = Run(
            collection=chosen.key,
            network=name,
            weights=starting_weights(network, study, store),
            shared=study.shared or SHARED.get(name, 512),
            **{field: getattr(study, field) for field in same},
        )
        for task in study.tasks or _all_tasks(study.targets):
            for variant in _variants(task, common, study):
                for seed in study.seeds:
                    grid[dataclasses.replace(variant, seed=seed)] = None
    return list(grid)


def _all_tasks(targets: tuple[str, ...]) -> tuple[str, ...]:
    return (*targets, "multitask", "gram") if len(targets) > 1 else (*targets, "gram")


def _variants(task: str, common: Run, study: Study) -> list[Run]:
    """One task's runs but for their seeds; a vision transformer has no maps, and so no Gram classifier."""
    ours: dict[str, Any] = {"dropout": study.dropout, "weight_decay": study.weight_decay}
    if task == "multitask":
        ours |= {"mode": task, "task_weights": " ".join(study.task_weights)}
        return [dataclasses.replace(common, target=study.targets[0], targets=study.targets, **ours)]
    if task != "gram":
        return [dataclasses.replace(common, target=task, targets=(task,), **ours)]
    if common.network in VITS:
        return []
    return [
        dataclasses.replace(
            common, target=study.targets[0], targets=study.targets[:1], mode="gram", dropout=study.gram_dropout,
            weight_decay=study.gram_weight_decay, gram_tap=study.gram_tap, gram_channels=channels,
            gram_description=description, fusion=fusion, auxiliary=study.auxiliary, hidden=512,
            shared=512 if not study.shared else study.shared,
        )
        for channels in study.gram_channels
        for description in study.gram_description
        for fusion in study.fusion
    ]  # fmt: skip

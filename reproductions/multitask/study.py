"""What a person asks for, and the runs it expands into."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from keras_art import terminal
from keras_art.commands import flags
from keras_art.commands.curation import Curation, curate, kept_in_short
from keras_art.commands.machine import located
from keras_art.errors import UserError
from keras_art.store.runs import Store
from keras_art.study.config import Optimizer
from keras_art.study.costs import VITS
from keras_art.study.files import artefact, starting_weights, words_of
from reproductions.multitask.kind import ALIASES, MultitaskRun, adamw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keras_art.commands.machine import Chosen

SHARED = {"ResNet50": 1024, "ViTB16": 768, "ViTTi16": 192}  # of the design note; other networks: 512
CURATED = ("years", "min_style", "top_styles", "min_artist", "top_artists")
# What a run takes from its study as it is.
SAME = (
    "preprocessing", "image_size", "resize", "augmentation", "batch_size", "epochs", "frozen_epochs", "hidden",
    "tuned_rate", "plateau_factor", "plateau_patience", "decay_all", "bn_momentum", "precision",
)  # fmt: skip


@dataclass(frozen=True)
class Study(flags.Study):
    """What a person asks for; it expands into runs."""

    targets: tuple[str, ...] = ("style", "artist")
    """The label columns; `gram` and baselines are of the first one."""
    networks: tuple[str, ...] = ("resnet", "vit")
    """resnet (ResNet50), vit (ViTB16), ViTTi16, names of keras.applications, .keras files with a spatial output, or
    presets of keras-hub."""
    tasks: tuple[str, ...] = ()
    """Columns by name, multitask for all of them at once, gram on the first one; default: all of these. And baseline,
    gram without its branch, with the same width, dropout and decay."""
    min_images: int = 1
    """Classes with fewer images count as missing labels."""
    years: tuple[int, int] | None = None
    """With the next four what `python -m keras_art curate` takes of a collection, the first of --targets being its
    styles; these are years, of what is dated."""
    min_style: int = 0
    """Images a style must have."""
    top_styles: int = 0
    """So many styles, the largest (0: all)."""
    min_artist: int = 0
    """Images an artist must have in the styles kept."""
    top_artists: int = 0
    """So many artists, the largest (0: all)."""
    weights: tuple[str, ...] = ("imagenet",)
    """imagenet, none (random), a file, NETWORK=FILE; for a ViT a keras-hub preset folder, vit=FOLDER."""
    preprocessing: Literal["imagenet", "unit", "caffe", "tf", "torch", "none"] = "imagenet"
    """imagenet: the network's own; unit: [0, 1]; none: [0, 255]."""
    image_size: int = 224
    """Side of the square input in pixels."""
    resize: flags.Resize = "squash"
    """How a picture becomes square; trim cuts borders of one colour off, then crops."""
    augmentation: Literal["tf_data", "keras", "keras_cv", "none"] = "tf_data"
    """Where crop, flip, rotation and colour jitter happen."""
    batch_size: int = 64
    """Images per step."""
    epochs: int = 20
    """All of them, frozen and end to end."""
    frozen_epochs: int = 5
    """The first ones, with a frozen backbone."""
    optimizer: str = "paper"
    """paper: AdamW; or one of Keras by name with its rate and decay: SGD@0.01,momentum=0.9."""
    learning_rate: float = 1e-4
    """While the backbone is frozen. Of a named optimizer its own holds."""
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
    task_weights: tuple[float, ...] | Literal["learned"] = (1.0,)
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
    precision: flags.Precision = "float32"
    """Of the arithmetic; mixed is for GPUs. auto: for each network float32 or mixed_bfloat16, as is faster here."""


PRESETS = {
    "demo": Study(
        preset="demo", networks=("ResNet50", "ViTTi16"), weights=("none",), preprocessing="tf", image_size=48,
        limit=360, batch_size=24, epochs=3, frozen_epochs=1, learning_rate=1e-3, tuned_rate=1.0, bn_momentum=0.9,
        shared=128, hidden=64, gram_channels=(64,), gram_description=("triangle",), split="stratified",
    ),
    "study": Study(preset="study"),
    "paper": Study(
        preset="paper", data="wikiart", split="stratified", years=(1400, 1970), min_style=500, top_styles=12,
        min_artist=50, top_artists=100, precision="mixed_float16",
    ),
}  # fmt: skip


def check(study: Study) -> None:
    """Refuses what contradicts itself, before anything is read.

    Raises:
        UserError: naming the flags.
    """
    once = dataclasses.replace(study, task_weights="learned")  # among the weights a number may stand twice
    optimizer_of(study, study.weight_decay)
    if study.years and study.years[0] > study.years[1]:
        raise UserError("--years are the first and the last")
    least = {"epochs": 1, "frozen_epochs": 0, "batch_size": 1, "image_size": 1, "min_images": 1, "gram_channels": 1}
    flags.check_values(once, limit=0, shared=0, hidden=1, **least)
    for flag in ("networks", "targets", "weights", "gram_channels", "gram_description", "fusion"):
        if not getattr(study, flag):
            raise UserError(f"--{flag} needs at least one value")
    if clash := [target for target in study.targets if f"val_{target}" in study.targets]:
        raise UserError(f"--targets {clash[0]} and val_{clash[0]} share a column of history.csv: rename one of them")
    known = (*study.targets, "multitask", "gram", "baseline")
    if unknown := [task for task in study.tasks if task not in known]:
        raise UserError(f"--tasks has {', '.join(unknown)}; with these --targets it takes {', '.join(known)}")
    if study.frozen_epochs > study.epochs:
        raise UserError(
            f"--frozen_epochs {study.frozen_epochs} are some of the --epochs, of which there are {study.epochs}: "
            f"give both, as --epochs {study.epochs} --frozen_epochs {study.epochs // 2}"
        )
    if not all(0 <= share <= 1 for share in study.fusion):
        raise UserError("--fusion lies in [0, 1]")
    if not (0 <= study.dropout < 1 and 0 <= study.gram_dropout < 1):
        raise UserError("--dropout and --gram_dropout lie in [0, 1)")
    if "multitask" in study.tasks and len(study.targets) < 2:
        raise UserError("--tasks multitask needs two --targets at least")
    if study.task_weights != "learned":
        if len(study.task_weights) not in (1, len(study.targets)):
            raise UserError("--task_weights takes `learned`, one number, or one for each of --targets")
        if not all(weight > 0 for weight in study.task_weights):
            raise UserError("--task_weights are numbers above 0")
    if study.split == "artist_disjoint" and "artist" in study.targets:
        raise UserError(
            "--split artist_disjoint is undefined for the artist, who would then be in one split only: "
            "give --targets style"
        )


def files(study: Study) -> list[str]:
    """The files and preset folders among a study's flags."""
    return words_of(study.networks, study.weights)


def collections(study: Study, store: Store) -> Chosen:
    """The collection of a study and its images.

    Raises:
        BadCollection: it can not be read, or a column can not be used.
    """
    from keras_art.data.choices import with_artists
    from keras_art.data.labels import choose_columns, read_labels
    from keras_art.data.opening import held, identified
    from keras_art.data.sources import load_collection
    from keras_art.data.splits import split

    data = located(store, study.data)
    how: dict[str, Any] = {"rule": study.split, "split_seed": study.split_seed, "limit": study.limit}
    if kept := held(store, data, study.targets, **how):
        return {"target": (None, kept)}
    collection = with_artists(load_collection(data, study.root, sheet=study.sheet), study.artist, study.targets)
    asked: dict[str, Any] = {name: getattr(study, name) for name in CURATED}
    if any(asked.values()):
        whole = len(collection.images)
        curation = Curation(str(data), Path(), target=study.targets[0], **asked)
        collection, report = curate(dataclasses.replace(collection, splits={}), curation)
        terminal.say(f"{collection.name}: {len(collection.images):,} of {whole:,} images are taken")
        terminal.say("\n".join(f"  {line}" for line in kept_in_short(report)))
    choice = choose_columns(collection, study.targets, min_images=study.min_images, **how)
    read_labels(split(choice, [True] * len(choice.images), choice.images.index.to_numpy()), study.targets)  # or refuses
    return {"target": (collection, identified(store, choice))}


def begin(study: Study, store: Store, chosen: Chosen, missing: Sequence[MultitaskRun]) -> None:
    """Reads the label columns, and tells what they hold.

    Raises:
        BadCollection: fewer than two classes of a column occur in all three splits.
    """
    from keras_art.data import labels, tasks

    run = missing[0]
    labels.prepare(store, tasks.load(store, run.collection, run.image_size, run.resize), study.targets)
    terminal.say(labels.describe(store, run.collection))


def runs(study: Study, chosen: Chosen, store: Store) -> list[MultitaskRun]:
    """The study as a list of runs: networks, then tasks, then seeds.

    Raises:
        UserError: none is left.
    """
    found: dict[MultitaskRun, None] = {}
    for network in study.networks:
        name = ALIASES.get(network, network)
        common = MultitaskRun(
            collection=chosen["target"][1].key,
            network=artefact(name),
            weights=starting_weights(network, study.networks, study.weights),
            shared=study.shared or SHARED.get(name, 512),
            **{field: getattr(study, field) for field in SAME},
        )
        for run in [*heads(study, common), *grams(study, common)]:
            for seed in study.seeds:
                found[dataclasses.replace(run, seed=seed)] = None
    if not found:
        raise UserError("a Gram matrix needs maps, and vision transformers have none: add resnet to --networks")
    return list(found)


def optimizer_of(study: Study, weight_decay: float) -> Optimizer:
    """The note's AdamW with a decay, or a named optimizer, whose decay is its own."""
    return flags.optimizer_of(study.optimizer, {"paper": adamw(study.learning_rate, weight_decay)})


def heads(study: Study, common: MultitaskRun) -> list[MultitaskRun]:
    """One network's classifiers on a shared layer: each column's own, and the one of all columns."""
    common = dataclasses.replace(common, dropout=study.dropout, optimizer=optimizer_of(study, study.weight_decay))
    found = [
        dataclasses.replace(common, targets=(target,))
        for target in study.targets
        if not study.tasks or target in study.tasks
    ]
    if len(study.targets) > 1 and (not study.tasks or "multitask" in study.tasks):
        weights = study.task_weights
        if weights != "learned" and len(set(weights)) == 1:
            weights = weights[:1]  # the same run, however it is said
        found.append(dataclasses.replace(common, mode="multitask", targets=study.targets, task_weights=weights))
    return found


def grams(study: Study, common: MultitaskRun) -> list[MultitaskRun]:
    """One network's Gram classifiers of the first column, and what they are compared with.

    A vision transformer has no maps, and so none.
    """
    if common.network in VITS:
        return []
    found = []
    common = dataclasses.replace(
        common, targets=study.targets[:1], dropout=study.gram_dropout, hidden=512, shared=study.shared or 512,
        optimizer=optimizer_of(study, study.gram_weight_decay),
    )  # fmt: skip
    if "baseline" in study.tasks:
        found.append(dataclasses.replace(common, mode="baseline"))
    if not study.tasks or "gram" in study.tasks:
        found += [
            dataclasses.replace(
                common, mode="gram", gram_tap=study.gram_tap, gram_channels=channels, gram_description=description,
                fusion=fusion, auxiliary=study.auxiliary,
            )
            for channels in study.gram_channels
            for description in study.gram_description
            for fusion in study.fusion
        ]  # fmt: skip
    return found

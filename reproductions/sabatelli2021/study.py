"""What a person asks for, and the trainings it expands into."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from keras_art import terminal
from keras_art.commands import flags
from keras_art.commands.machine import open_collection
from keras_art.errors import UserError
from keras_art.report.comparable import Printed, Protocol
from keras_art.store.runs import Store
from keras_art.store.tickets import read_ticket
from keras_art.study.config import Artefact, RunRef
from keras_art.study.files import artefact
from keras_art.study.kinds.tickets import TicketRun as Run
from keras_art.study.kinds.tickets import chain, origin

if TYPE_CHECKING:
    from keras_art.commands.machine import Chosen
    from keras_art.data.choices import Choice

Tickets = Mapping[int, RunRef | Artefact]  # a stage -> what has its mask
FOUND_BY = ("rate", "scope", "prune_head", "late_resetting", "initializer")  # of how tickets are found


@dataclass(frozen=True)
class Study(flags.Study):
    """What a person asks for; it expands into Runs."""

    sources: tuple[str, ...] = ()
    """Collections to find tickets on and carry them from, or ticket files; COLLECTION:LABEL where there are several."""
    more_targets: tuple[str, ...] = ()
    """More collections to carry them to, beside --data; COLLECTION:LABEL where there are several labels."""
    target_tickets: Literal["found", "none"] = "none"
    """Whether tickets are found on the targets, too (the paper's blue lines); they are where there are no --sources."""
    controls: tuple[
        Literal["scratch", "random_mask", "shuffled_mask", "theta_i", "theta_0", "shuffled_theta_k"], ...
    ] = ("scratch", "random_mask")
    """scratch: unpruned; random_mask: same mask, other initial weights, and shuffled_mask: as many weights at random
    places, both where the ticket was found. Carried: theta_i, the mask with the weights at the end of the source's
    training; theta_0, with those at its beginning; shuffled_theta_k, the ticket's weights at random places."""
    networks: tuple[str, ...] = ("ResNet50",)
    """ResNet20, names of keras.applications, or .keras files with a spatial output."""
    stages: int = 31
    """How many, the unpruned stage 0 included."""
    transfer_stages: tuple[int, ...] = ()
    """Which of them are carried over and have controls. Default: all."""
    rate: float = 0.2
    """Share of the remaining weights that each stage prunes."""
    scope: Literal["global", "layer"] = "global"
    """Smallest magnitudes of all layers together, or of each."""
    prune_head: bool = False
    """Prune the classifier's own layer, too."""
    late_resetting: int = 2
    """k: weights go back to what they were after so many epochs (0: to their initial values)."""
    initializer: Literal["glorot_uniform", "glorot_normal", "he_uniform", "he_normal"] = "glorot_uniform"
    """How kernels are initialised."""
    fractions: tuple[float, ...] = (1.0,)
    """Shares of the targets' training sets."""
    preprocessing: Literal["unit", "caffe", "tf", "torch", "none"] = "tf"
    """tf: [-1, 1]; unit: [0, 1]; none: [0, 255]."""
    image_size: int = 256
    """Side of the stored square image in pixels."""
    crop: int = 224
    """Side of the random crop that is the network's input; the middle in tests (0: the whole image)."""
    resize: flags.Resize = "crop"
    """How a picture becomes square; trim cuts borders of one colour off, then crops."""
    learning_rate: float = 0.1
    """Of SGD with a Nesterov momentum of 0.9."""
    weight_decay: float = 1e-5
    """Of all trained variables."""
    batch_size: int = 64
    """Images per step."""
    epochs: int = 90
    """At most."""
    source_epochs: int = 0
    """The same on the sources (0: as --epochs)."""
    patience: int = 5
    """Epochs without a smaller validation loss before training stops."""
    bn_momentum: float = 0.9
    """Of batch normalisation's moving averages."""
    precision: flags.Precision = "float32"
    """Of the arithmetic; mixed is for GPUs. auto: for each network float32 or mixed_bfloat16, as is faster here."""


SMALL = Study(
    preset="study", networks=("ResNet20",), image_size=36, crop=32, rate=0.5, stages=11,
    transfer_stages=(0, 2, 4, 6, 8, 10), epochs=30,
)  # fmt: skip
PRESETS = {
    "demo": dataclasses.replace(
        SMALL, preset="demo", target="artist", split="stratified", stages=6, transfer_stages=(0, 1, 3, 5), epochs=6,
        source_epochs=6, controls=("scratch",),
    ),
    "study": SMALL,
    "paper": Study(preset="paper", target_tickets="found"),
}  # fmt: skip
WHERE_FOUND = ("random_mask", "shuffled_mask")  # controls that train where a ticket was found
CARRIED = ("theta_i", "theta_0", "shuffled_theta_k")  # controls that a ticket's mask is carried over with
PRUNED = ("theta_0", "shuffled_theta_k")  # which are scratch and transfer where nothing is pruned
# What a run takes from its study as it is.
SHARED = (
    "rate", "scope", "prune_head", "late_resetting", "initializer", "preprocessing", "image_size", "crop", "resize",
    "learning_rate", "weight_decay", "batch_size", "epochs", "patience", "bn_momentum", "precision",
)  # fmt: skip


def check(study: Study) -> None:
    """Refuses what contradicts itself, before anything is read, and says what of a preset has nothing to do.

    Raises:
        UserError: naming the flags.
    """
    if study.preset != "demo" and not study.data:
        raise UserError(f"--preset {study.preset} needs --data: the paper's collections are published nowhere")
    flags.check_values(
        study, epochs=1, source_epochs=0, patience=1, batch_size=1, image_size=8, crop=0, stages=1, late_resetting=0,
        limit=0,
    )  # fmt: skip
    for flag in ("networks", "fractions"):
        if not getattr(study, flag):
            raise UserError(f"--{flag} needs at least one value")
    if study.crop > study.image_size:
        raise UserError(
            f"--crop {study.crop} can not be cut out of images of --image_size {study.image_size}: give both, as "
            f"--image_size {study.image_size} --crop {study.image_size - study.image_size // 9}"
        )
    if not all(0 < fraction <= 1 for fraction in study.fractions):
        raise UserError("--fractions are above 0 and at most 1")
    if not 0 < study.rate < 1:
        what = "nothing" if study.rate <= 0 else "everything"
        raise UserError(f"--rate {study.rate:g} prunes {what}: it lies between 0 and 1")
    if outside := [stage for stage in study.transfer_stages if not 0 <= stage < study.stages]:
        left = " ".join(map(str, sorted({*study.transfer_stages} & {*range(study.stages)} | {study.stages - 1})))
        raise UserError(
            f"--transfer_stages {outside[0]} is none of the stages 0 to {study.stages - 1}: give both, as --stages "
            f"{study.stages} --transfer_stages {left}"
        )
    if "theta_i" in study.controls and any(map(is_ticket, study.sources)):
        raise UserError(
            "--controls theta_i takes what the source's own runs trained: a ticket's file has no such weights"
        )
    if not finds(study) and (idle := " ".join(mode for mode in WHERE_FOUND if mode in study.controls)):
        if study.controls != PRESETS[study.preset].controls:
            raise UserError(
                f"--controls {idle}: such runs train where tickets are found, and of a ticket's file none are: leave "
                "that out, or name the collection among --sources"
            )
        terminal.say(f"no {idle}: such runs train where tickets are found, and of a ticket's file none are")
    if study.more_targets and not study.data:
        raise UserError("--more_targets needs --data, the first of them")


def files(study: Study) -> list[str]:
    """The files among a study's flags."""
    return [*study.networks, *filter(is_ticket, study.sources)]


def finds(study: Study) -> bool:
    """Whether a study finds tickets, rather than carrying those of files alone."""
    return study.target_tickets == "found" or not study.sources or not all(map(is_ticket, study.sources))


def is_ticket(source: str) -> bool:
    """Whether a source is a ticket's file rather than a collection."""
    return source.endswith(".npz")


CALLED = {"fmnist": "fashion_mnist"}  # as the tables call a collection -> its card


def labelled(word: str) -> tuple[str, str | None]:
    """`COLLECTION:LABEL` in two; without a label, None. Both may hold colons: what is there decides.

    A name that the paper's tables have for a collection is that of its card.
    """

    def there(name: str) -> bool:
        return os.path.exists(os.path.expanduser(name))  # for Path a label too long for a file's name is an error

    colons = [place for place, letter in enumerate(word) if letter == ":"]
    end = next((end for end in [len(word), *reversed(colons)] if there(word[:end])), [*colons, len(word)][0])
    data = word[:end]
    return data if there(data) else CALLED.get(data, data), word[end + 1 :] or None


def collections(study: Study, store: Store) -> Chosen:
    """The collections of a study: "source ..." and "target ...", each by the words of its flag."""
    asked: dict[str, tuple[str | None, str | None]] = {}
    for word in study.sources:
        if not is_ticket(word):
            asked[f"source {word}"] = labelled(word)
    if study.preset == "demo" and not (study.data or study.sources):
        asked["source atelier"] = ("atelier:source", "object")
    asked["target"] = (study.data, study.target)
    for word in study.more_targets:
        asked[f"target {word}"] = labelled(word)
    return {role: open_collection(study, store, data, label) for role, (data, label) in asked.items()}


def runs(study: Study, chosen: Chosen, store: Store) -> list[Run]:
    """The study as a list of runs, seed by seed, each after the one whose ticket it begins with."""
    wanted: dict[Run, None] = {}
    sources, targets = (
        [choice for role, (_, choice) in chosen.items() if role.startswith(word)] for word in ("source", "target")
    )
    brought = [
        (kept, found_by(study, word))
        for word in filter(is_ticket, study.sources)
        if isinstance(kept := artefact(word), Artefact)
    ]
    for seed, network in itertools.product(study.seeds, study.networks):
        base = Run(network=artefact(network), seed=seed, **{field: getattr(study, field) for field in SHARED})
        tickets: list[tuple[Tickets, dict[str, Any]]] = [
            (dict.fromkeys(carried_stages(study), file), way) for file, way in brought
        ]
        for source in sources:
            there = on(source, dataclasses.replace(base, epochs=study.source_epochs or study.epochs))
            finders = chain(there, study.stages)
            wanted |= dict.fromkeys([*finders, *controls(study, finders)])
            tickets.append(({run.stage: run.ref for run in finders}, {}))
        for fraction, target in itertools.product(study.fractions, targets):
            here = on(target, dataclasses.replace(base, fraction=fraction))
            wanted |= dict.fromkeys(carried(study, here, tickets))
            if study.target_tickets == "found" or not tickets:
                finders = chain(here, study.stages)
                wanted |= dict.fromkeys([*finders, *controls(study, finders)])
    return list(wanted)


def found_by(study: Study, word: str) -> dict[str, Any]:
    """How the ticket of a file was found, as far as it says so: its runs are of that, whatever the study is.

    Raises:
        UserError: the study asks for something else, and finds no tickets that this could be meant for.
        BadTicket, BadRun: the file can not be read.
    """
    path = Path(word).expanduser()
    found = read_ticket(path)
    if not found.facts.get("run"):
        return {}
    there, preset = origin(found, path), PRESETS[study.preset]
    for flag in FOUND_BY:
        asked, own = getattr(study, flag), getattr(there, flag)
        if asked not in (own, getattr(preset, flag)) and not finds(study):
            raise UserError(f"--{flag} {asked} contradicts {word}, whose tickets were found with {own}: leave it out")
    return {flag: getattr(there, flag) for flag in FOUND_BY}


def on(choice: Choice, run: Run) -> Run:
    """A run on another collection."""
    return dataclasses.replace(run, collection=choice.key, target=choice.target)


def controls(study: Study, finders: Sequence[Run]) -> list[Run]:
    """The runs that take the masks of a chain where they were found."""
    return [
        dataclasses.replace(finders[0], mode=mode, stage=stage, ticket=finders[stage].ref)
        for mode in WHERE_FOUND
        for stage in carried_stages(study)
        if mode in study.controls
    ]


def carried(study: Study, here: Run, tickets: Sequence[tuple[Tickets, Mapping[str, Any]]]) -> list[Run]:
    """The runs that train on one target what was found elsewhere, after the network from scratch.

    Args:
        tickets: each with the fields of its runs that are not those of `here`.
    """
    scratch = [dataclasses.replace(here, mode="scratch")] if "scratch" in study.controls else []
    modes = ["transfer", *(mode for mode in CARRIED if mode in study.controls)]
    return scratch + [
        dataclasses.replace(here, mode=mode, stage=stage, ticket=ticket[stage], **way)
        for (ticket, way), mode, stage in itertools.product(tickets, modes, carried_stages(study))
        if stage or mode not in PRUNED
    ]


def carried_stages(study: Study) -> tuple[int, ...]:
    """All of them, where none are named."""
    return study.transfer_stages or tuple(range(study.stages))


def like(run: Run) -> Run:
    """The run that one of ours would be by the paper's text."""
    preset = PRESETS["paper"]
    return dataclasses.replace(run, network=preset.networks[0], **{field: getattr(preset, field) for field in SHARED})


PRINTED = Printed({"paper": Protocol(like)}, never="the paper's collections are published nowhere")

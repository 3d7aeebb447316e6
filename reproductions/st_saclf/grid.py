"""The runs that a study expands into: decoder, stylised set, pretraining, and a grid of classifiers."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_art import terminal
from keras_art.commands.machine import open_collection
from keras_art.errors import UserError
from keras_art.report.comparable import Printed, Protocol
from keras_art.store.runs import Store, store_of
from keras_art.study.config import Artefact, Optimizer, Run, RunRef
from keras_art.study.files import artefact, given_run, starting_weights, words_of
from keras_art.study.kinds.adain import Decoder, Stylised
from keras_art.study.kinds.classifier import ClassifierRun
from reproductions.st_saclf import prior
from reproductions.st_saclf.kinds import STAGE_RULES, SaclfRun
from reproductions.st_saclf.stages import lengths, parse
from reproductions.st_saclf.study import PRESETS, Study, optimizer_of

if TYPE_CHECKING:
    from keras_art.commands.machine import Chosen

# How the demo's own weights are trained.
PRETRAINING: dict[str, Any] = {
    "mode": "pretraining", "target": "object", "weights": "none", "optimizer": Optimizer("Adam", 1e-3),
    "batch_size": 16, "epochs": 6, "patience": 6, "keep": "last", "bn_momentum": 0.9,
}  # fmt: skip
# What a run takes from its study as it is.
SHARED = (
    "taps", "tap_scale", "rare", "stages", "augmentation", "gamma", "focal_alpha", "dropout", "drop", "regularizer",
    "weight_decay", "preprocessing", "image_size", "resize", "frozen_bn", "bn_momentum", "batch_size", "epochs",
    "precision",
)  # fmt: skip


def files(study: Study) -> list[str]:
    """The files and directories among a study's flags."""
    return [*words_of(study.networks, study.weights), study.encoder_weights, *filter(None, [study.decoder])]


def collections(study: Study, store: Store) -> Chosen:
    """The collections of a study: "target", and "second" and "pretraining" where asked for."""
    from keras_art.data import mixing, splits

    chosen = {"target": open_collection(study, store, study.data, study.target)}
    collection, choice = chosen["target"]
    if collection is not None and study.rare:
        task = splits.split(choice, [True] * len(choice.images), choice.images.index.to_numpy())
        mixing.rare_classes([], task.classes, study.rare)  # or refuses
    if study.second:
        chosen["second"] = open_collection(study, store, study.second, study.target)
    if "demo" in study.weights:
        how: dict[str, Any] = {"rule": "stratified", "limit": 0}
        chosen["pretraining"] = open_collection(study, store, "atelier:source", "object", **how)
    return chosen


def runs(study: Study, chosen: Chosen, store: Store) -> list[Run]:
    """The study as a list of runs.

    Raises:
        UserError: the masks that it names are not there.
    """
    collection, target = chosen["target"]
    pretraining = chosen["pretraining"][1].key if "pretraining" in chosen else ""
    masks = prior.artefact_of(store, collection, target, study.prior)[0] if study.prior else ""
    return expand(study, target.key, target.target, pretraining, masks)


def begin(study: Study, store: Store, chosen: Chosen, missing: Sequence[Run]) -> None:
    """Reads the second collection and the masks, and says which classes are rare, before anything trains.

    Raises:
        UserError: a class that is named as rare is none, the decoder that is given was trained on test images, or as
            `prior.prepare`.
    """
    from keras_art.data import mixing, tasks

    if study.second:
        collection, choice = chosen["second"]
        with terminal.bar(f"reading {choice.name} at {study.image_size} pixels", "images") as progress:
            tasks.prepare(store, collection, choice, study.image_size, study.resize, progress)
    if guided := next((run for run in missing if isinstance(run, SaclfRun) and run.prior), None):
        collection, choice = chosen["target"]
        with terminal.bar("reading the masks", "images") as progress:
            prior.prepare(store, collection, choice, guided, str(study.prior), progress)
    if any(isinstance(run, SaclfRun) for run in missing):
        ready = tasks.load(store, chosen["target"][1].key, study.image_size, study.resize)
        counts = ready.task.images["label"].iloc[ready.part("train")].value_counts()
        counts = counts.reindex(range(len(ready.task.classes)), fill_value=0)
        rare = mixing.rare_classes(counts.to_numpy(), ready.task.classes, study.rare)
        terminal.say(f"  rare: {', '.join(rare) or 'none'}")
        if study.decoder:
            check_decoder(store, Path(study.decoder), [ready.sha256[i] for i in ready.part("test")])


def foresee(study: Study, store: Store, chosen: Chosen, missing: Sequence[Run]) -> None:
    """What `begin` will refuse, before all pictures are read: masks, and a decoder that has seen test images.

    Raises:
        UserError: as `begin`.
    """
    from keras_art.data import splits

    choice = chosen["target"][1]
    if guided := next((run for run in missing if isinstance(run, SaclfRun) and run.prior), None):
        with terminal.bar("reading the masks and their works", "images") as progress:
            prior.foresee(store, choice, guided, str(study.prior), progress)
    if study.decoder and "sha256" in choice.images:
        images = splits.split(choice, [True] * len(choice.images), choice.images.index.to_numpy()).images
        content = dict(zip(choice.images["id"], choice.images["sha256"], strict=True))
        check_decoder(store, Path(study.decoder), [content[id_] for id_ in images["id"][images["split"] == "test"]])


def check_decoder(store: Store, folder: Path, tested: Sequence[str]) -> None:
    """Refuses a decoder whose own train split holds images that are to be tested, by their content.

    Its split is looked for in this store and in the one that the decoder lies in; where neither has it, that is said.

    Raises:
        UserError: it holds some.
    """
    from keras_art.data.kept import folder_of
    from keras_art.store.reading import read_csv

    decoder = given_run(folder, Decoder)
    stores = (store, store_of(folder / "metrics.json"))
    lists = [folder_of(one, decoder.collection) / "images.csv" for one in stores]
    if not (found := next((path for path in lists if path.is_file()), None)):
        terminal.say(f"  what {folder} was trained on is not known here: it may hold test images of this choice")
        return
    images = read_csv(found)
    learnt = set(images["sha256"][images["split"] == "train"])
    if seen := sum(content in learnt for content in tested):
        raise UserError(
            f"{folder} was trained on {seen:,} of the {len(tested):,} test images of this choice: leave --decoder out, "
            f"and one is trained on its train split alone"
        )


def expand(study: Study, collection: str, target: str, pretraining: str = "", masks: str | Artefact = "") -> list[Run]:
    """The runs of a study by the keys of its collections: decoder and stylised set, pretrainings, classifiers.

    Args:
        masks: what the prior of those with attention is.
    """
    found: dict[Run, None] = {}
    stylised, in_stages = None, study.stylise_at == "stages"
    if any((*study.p1, *study.p2)):
        decoder = given_run(Path(study.decoder), Decoder) if study.decoder else decoder_of(study, collection)
        drawn = stylised_of(study, collection, target, decoder.ref)
        found |= {decoder: None, drawn: None}
        stylised = drawn.ref
    for network in study.networks:
        common = SaclfRun(
            collection=collection,
            target=target,
            network=artefact(network),
            weights=starting_weights(network, study.networks, study.weights),
            optimizer=optimizer_of(study),
            **{field: getattr(study, field) for field in SHARED},
        )
        if common.weights == "demo":
            same = {name: getattr(common, name) for name in ("network", "preprocessing", "image_size", "resize")}
            first = ClassifierRun(collection=pretraining, precision=study.precision, **same, **PRETRAINING)
            found[first] = None
            common = dataclasses.replace(common, weights=first.ref)
        for mode, attention, loss, (p1, p2) in settings(study):
            for seed in study.seeds:
                run = dataclasses.replace(
                    common, mode=mode, attention=attention, loss=loss, p1=p1, p2=p2, seed=seed,
                    stylised=stylised if p1 or p2 else None,
                )  # fmt: skip
                if masks and attention == "spatial":
                    run = dataclasses.replace(run, prior=masks, prior_weight=study.prior_weight)
                if study.stages and mode == "staged":
                    run = dataclasses.replace(run, epochs=sum(epochs for epochs, _, _ in parse(study.stages)))
                elif study.stages:
                    run = dataclasses.replace(run, stages=())
                if run.thaws_by_rules:
                    run = dataclasses.replace(run, stage_rules=STAGE_RULES)
                found |= dict.fromkeys(stage_by_stage(run, drawn) if in_stages and run.stylised else [run])
    return list(found)


def stage_by_stage(run: SaclfRun, drawn: Stylised) -> Iterator[Run]:
    """The stages of a run as runs: each begins with the weights that the one before it ended with.

    From the second on each has stylised images of its own, between the classes that the one before confuses.
    """
    before: SaclfRun | None = None
    for part in range(1, len(lengths(run)) + 1):
        if before:
            drawn = dataclasses.replace(drawn, mode="between_classes", classifier=before.ref, seed=part)
            yield drawn
        after = before.ref if before else None
        before = dataclasses.replace(run, part=part, after=after, stylised=drawn.ref)
        yield before


def decoder_of(study: Study, collection: str) -> Decoder:
    """The decoder that a study trains."""
    return Decoder(
        collection=collection,
        image_size=study.decoder_size or study.image_size,
        resize=study.resize,
        weights=artefact(study.encoder_weights),
        style_weight=study.style_weight,
        identity_weight=study.identity_weight,
        learning_rate=study.decoder_rate,
        iterations=study.decoder_iterations,
        checkpoint_every=next(n for n in (500, 100, 50, 20, 10, 1) if study.decoder_iterations % n == 0),
        precision=study.precision,
    )


def stylised_of(study: Study, collection: str, target: str, decoder: RunRef) -> Stylised:
    """The stylised set of a study."""
    return Stylised(
        collection=collection,
        target=target,
        image_size=study.image_size,
        resize=study.resize,
        decoder=decoder,
        alpha=study.alpha,
        preserve_colour=study.preserve_colour,
        precision=study.precision,
    )


def settings(study: Study) -> list[tuple[str, str, str, tuple[float, float]]]:
    """The grid: mode, attention, loss, (p1, p2)."""
    shares = list(itertools.product(study.p1, study.p2))
    if not study.ablation:
        return list(itertools.product(study.modes, study.attention, study.losses, shares))
    whole = (study.modes[0], "spatial", "focal", next(pair for pair in shares if any(pair)))
    without = ("frozen", "none", "cross_entropy", (0.0, 0.0))
    one_off = [(*whole[:i], without[i], *whole[i + 1 :]) for i in (3, 1, 2, 0)]
    return [whole, *one_off, without]  # type: ignore[list-item]


def like(preset: Study, run: SaclfRun) -> SaclfRun:
    """The run that one of ours would be by a preset, stylised set and decoder included: same network and seed.

    Raises:
        UserError: its network is a file.
    """
    if not isinstance(run.network, str):
        raise UserError(f"the network {run.network} is none of the paper's")
    asked = dataclasses.replace(preset, networks=(run.network,), seeds=(run.seed,))
    return next(found for found in expand(asked, run.collection, run.target) if isinstance(found, SaclfRun))


# KaoKore brings its split along.
PRINTED = Printed(
    {
        name: Protocol(functools.partial(like, preset), {"rule": "given"})
        for name, preset in PRESETS.items()
        if name not in ("demo", "study")
    },
    card="kaokore-1.2",
    targets=("status",),
    networks=("ResNet50",),
)

"""What can go wrong before training does so here: networks and weights first, which are quick, then pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_art import terminal
from keras_art.errors import UserError
from keras_art.store.runs import Store
from keras_art.study.config import Run, function, kinds
from keras_art.writing import HANDLES, is_preset, one_line

if TYPE_CHECKING:
    from keras_art.data.choices import Choice
    from keras_art.data.collection import Collection

    Chosen = dict[str, tuple[Collection | None, Choice]]  # a role, such as "target" -> what is taken


def foretold(store: Store, choice: Choice) -> str:
    """What is known of a choice before its pictures are opened; of one that the store has, what came of it."""
    from keras_art.data import kept, tasks

    if kept.is_whole(store, choice.key):
        return tasks.describe(store, choice.key)
    if not choice.targets:
        return f"{choice.key}: {len(choice.images):,} images, to be clustered, no picture opened yet"
    labels = " and ".join(map(one_line, choice.targets))
    classes = choice.images["class"].nunique()
    dropped = sum(choice.dropped.values())
    left = f"{dropped:,} without a label left out, " if dropped else ""
    return (
        f"{choice.key}: {labels}, {len(choice.images):,} images in {classes:,} classes, {choice.rule} split; "
        f"{left}no picture opened yet"
    )


def lost_choices(store: Store, chosen: Chosen) -> set[str]:
    """The keys of collections at hand whose choice the store has no longer, or not as it was written."""
    from keras_art.data import kept

    return {choice.key for collection, choice in chosen.values() if collection and not kept.is_whole(store, choice.key)}


def check(store: Store, runs: Sequence[Run]) -> None:
    """Builds networks, finds weights and layers, as the kinds of some runs know how.

    Raises:
        UserError: one of the runs can not work.
    """
    from keras_art.pictures.images import LARGEST_SIDE

    if (side := max((getattr(run, "image_size", 0) for run in runs), default=0)) > LARGEST_SIDE:
        raise UserError(f"--image_size {side} is too large: give up to {LARGEST_SIDE} pixels")
    terminal.start_backend()
    for name in dict.fromkeys(run.kind for run in runs):
        if own := kinds()[name].check:
            with terminal.waiting("building networks"):
                function(own)(store, [run for run in runs if run.kind == name])


def rehearse(store: Store, runs: Sequence[Run]) -> None:
    """The same for a dry run, which downloads nothing, and says what would be: in its place networks are drawn.

    Raises:
        UserError: one of the runs can not work.
    """
    named = {getattr(run, "network", "VGG19") for run in runs if getattr(run, "weights", None) == "imagenet"}
    if names := sorted(name for name in named if isinstance(name, str) and not is_preset(name)):
        terminal.say(f"Keras downloads the ImageNet weights of {' and '.join(names)}, unless they are here already")
    here = [run for run in runs if not any(str(getattr(run, name, "")).startswith(HANDLES) for name in NETWORKS)]
    if here:
        terminal.start_backend()
        from keras_art.networks.handles import nothing_fetched

        with nothing_fetched():
            check(store, here)


def check_texts(networks: Sequence[str]) -> None:
    """Refuses for zero_shot networks that know no texts, without a download: all but presets by their names alone.

    Raises:
        UserError: naming the first.
    """
    if silent := [network for network in networks if not is_preset(network)]:
        raise UserError(
            f"--modes zero_shot asks for classes by their names, and {silent[0]} knows no texts: leave zero_shot out, "
            f"or give --networks CLIP, MetaCLIP 2 or SigLIP of keras-hub, such as keras-hub:clip_vit_base_patch32"
        )
    terminal.start_backend()
    from keras_art.networks.texts import check_here

    for network in networks:
        check_here(network)


NETWORKS = ("network", "backbone")  # fields of runs


def prepare(store: Store, chosen: Chosen, missing: Sequence[Any]) -> None:
    """Checks runs and decodes their pictures.

    Raises:
        UserError: one of the runs can not work, or a collection can not be used.
    """
    check(store, missing)
    _check_classes(store, chosen, missing)
    from keras_art.data import tasks

    for collection, choice in {choice.key: (collection, choice) for collection, choice in chosen.values()}.values():
        sizes = dict.fromkeys((run.image_size, run.resize) for run in missing if run.collection == choice.key)
        for image_size, resize in sizes:
            with terminal.bar(f"reading {choice.name} at {image_size} pixels", "images") as progress:
                tasks.prepare(store, collection, choice, image_size, resize, progress)
        if sizes:
            terminal.say(tasks.describe(store, choice.key))


def _check_classes(store: Store, chosen: Chosen, missing: Sequence[Any]) -> None:
    """Refuses classes that a network of `zero_shot` can not tell apart by their texts, and tells of those it cuts."""
    asked = {
        (run.network, run.template, run.collection): run for run in missing if getattr(run, "mode", "") == "zero_shot"
    }
    for run in asked.values():
        from keras_art.learning.weights import texts_cut_short

        choice = next(choice for _, choice in chosen.values() if choice.key == run.collection)
        counts = choice.images["class"].value_counts()
        classes = sorted(counts[counts >= 3].index if choice.class_filter else counts.index)  # what may be in 3 splits
        if len(classes) > 1 and (line := texts_cut_short(store, run, classes)):
            terminal.say(line)

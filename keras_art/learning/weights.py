"""The network of a run with the weights it begins with."""

from __future__ import annotations

from collections.abc import Sequence

from keras_art.learning import adaptation, training
from keras_art.networks import backbones
from keras_art.networks.loading import load_model
from keras_art.networks.texts import check_texts, cut_short, texts_of
from keras_art.store.runs import Store
from keras_art.study.config import RunRef
from keras_art.study.files import network_file, weights_file
from keras_art.study.kinds.classifier import ClassifierRun, NetworkRun, label
from keras_art.study.records import has_diverged


def load_network(store: Store, run: NetworkRun, *, built_only: bool = False) -> backbones.Backbone:
    """A run's backbone with the weights it begins with: released ones, a file's, or those of an earlier run.

    Args:
        built_only: leave the weights of an earlier run out: for what needs the network and not what it learnt.

    Raises:
        BadBackbone: the network or its weights can not be used.
    """
    backbone = backbones.load_backbone(
        network_file(store, run.network),
        image_size=run.image_size,
        weights=weights_file(store, run.weights),
        preprocessing=run.preprocessing,
        frozen_bn=run.frozen_bn,
        bn_momentum=run.bn_momentum,
        seed=run.seed,
    )
    if isinstance(run.weights, RunRef) and not built_only:
        source = load_model(store.find(run.weights)).get_layer(backbone.model.name)
        for own, learnt in zip(backbone.model.weights, source.weights, strict=True):
            own.assign(learnt)
    return backbone


def begins_diverged(store: Store, run: NetworkRun) -> bool:
    """Whether the run whose weights this one begins with diverged: so then did this one, before its first step."""
    return isinstance(run.weights, RunRef) and has_diverged(store, run.weights)


def check(store: Store, runs: Sequence[ClassifierRun]) -> None:
    """Builds every network of some runs with the weights it begins with, once.

    Raises:
        BadBackbone: one can not be used.
        BadRun: an optimizer can not.
    """
    built = set()
    for run in runs:
        weights = weights_file(store, run.weights)  # None for those of an earlier run too, which are not there yet
        what = (run.network, run.image_size, weights, run.preprocessing, run.freeze_until, run.lora)
        if what not in built:
            network = load_network(store, run, built_only=True).model
            if run.freeze_until:
                adaptation.freeze_until(network, run.freeze_until)
            if run.lora:
                adaptation.enable_lora(network, run.lora)
            built.add(what)
    for preset in {run.network for run in runs if run.mode == "zero_shot"}:
        check_texts(network_file(store, preset))
    for optimizer in {run.optimizer for run in runs}:
        training.make_optimizer(optimizer)


def texts_cut_short(store: Store, run: ClassifierRun, classes: Sequence[str]) -> str:
    """A sentence on the texts of a `zero_shot` run that are longer than its network reads; "" where none is.

    Raises:
        BadModel: two of the classes are the same to it.
    """
    words = cut_short(network_file(store, run.network), texts_of(run.template, classes))
    return f"{label(run.network)} {words}" if words else ""
